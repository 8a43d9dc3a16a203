//! Behaviour of the store: what answers, what outlives a process, what a failing disk does.

mod faults;
mod model;

use std::{ops::Range, path::PathBuf, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;

pub(super) const KIB: usize = 1024;

/// Eight regions, so that a few hundred objects go around the ring.
pub(super) fn limits() -> DiskLimits {
    DiskLimits {
        capacity: 2048 * KIB as u64,
        region: 256 * KIB as u64,
        segment: 8 * KIB,
        inline: 4 * KIB,
        write_buffer: 1024 * KIB as u64,
        reads: 16,
        check_every: Duration::from_millis(10),
        sync_removals: false,
    }
}

pub(super) fn open(dir: &Path) -> DiskStore {
    let store = DiskStore::open(dir, limits(), Arc::new(AdmitAll)).unwrap();
    assert!(store.is_on());
    store
}

pub(super) fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A key that says its number, spread as real ones are.
pub(super) fn key(n: u64) -> CacheKey {
    let bits = u128::from(n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(bits.to_le_bytes())
}

/// Bytes that tell which body they are of and where they stand.
pub(super) fn pattern(seed: u64, len: usize) -> Bytes {
    let word = |i: usize| {
        let mixed = (seed << 32 | i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29))
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
            .to_le_bytes()
    };
    let mut out: Vec<u8> = (0..len.div_ceil(8)).flat_map(word).collect();
    out.truncate(len);
    out.into()
}

pub(super) fn object(head: &'static str, epoch: u64) -> NewObject {
    NewObject {
        head: Bytes::from_static(head.as_bytes()),
        epoch,
        total: None,
    }
}

/// Stores a body of any length, waiting until it is visible.
pub(super) async fn put(store: &DiskStore, n: u64, head: &'static str, body: &Bytes) {
    store
        .insert_whole(key(n), object(head, n), body.clone())
        .unwrap()
        .await
        .unwrap();
}

/// All bytes of a range.
pub(super) async fn read(
    store: &DiskStore,
    entry: &DiskEntry,
    range: Range<u64>,
) -> Result<Vec<u8>, Absent> {
    let mut out = Vec::new();
    let mut at = range.start;
    loop {
        let bytes = store.read(entry, at..range.end).await?;
        if bytes.is_empty() {
            return Ok(out);
        }
        at += bytes.len() as u64;
        out.extend_from_slice(&bytes);
    }
}

/// Files as the death of the process at this moment would leave them.
pub(super) fn killed(dir: &Path) -> TempDir {
    let copy = self::dir();
    // The journal first: what it tells of is in the data by then.
    for name in ["secret", "journal", "data"] {
        std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

/// The store as another process finds it after the death of this one.
pub(super) fn after_death(dir: &Path) -> (TempDir, DiskStore) {
    let dead = killed(dir);
    let store = open(dead.path());
    (dead, store)
}

pub(super) async fn until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen in ten seconds");
}

#[tokio::test]
async fn objects_of_any_size_are_read_back_by_range_also_after_a_restart() {
    // CF-532
    let dir = dir();
    let store = open(dir.path());
    let sizes = [0, 1, 4 * KIB, 4 * KIB + 1, 8 * KIB, 8 * KIB + 1, 100 * KIB];
    for (n, size) in (0..).zip(sizes) {
        put(&store, n, "head", &pattern(n, size)).await;
    }
    store.close().await;
    assert!(store.lookup(&key(1)).await.is_none());
    let store = open(dir.path());
    for (n, size) in (0..).zip(sizes) {
        let entry = store.lookup(&key(n)).await.unwrap();
        let body = pattern(n, size);
        assert_eq!(
            (&entry.head()[..], entry.epoch(), entry.total()),
            (&b"head"[..], n, Some(size as u64))
        );
        assert!(entry.is_complete() && entry.missing().is_empty());
        assert_eq!(entry.whole().is_some(), size <= 4 * KIB);
        assert_eq!(read(&store, &entry, 0..u64::MAX).await.unwrap(), body);
        let (a, b) = (size / 3, size - size / 4);
        assert_eq!(
            read(&store, &entry, a as u64..b as u64).await.unwrap(),
            body[a..b]
        );
    }
    assert!(store.lookup(&key(100)).await.is_none());
    let counts = store.counts();
    assert_eq!((counts.hits, counts.misses, counts.corrupt), (7, 1, 0));
    assert_eq!((store.objects(), store.last_epoch()), (7, 6));
}

#[tokio::test]
async fn only_the_blocks_of_a_range_are_read_and_checked() {
    // CF-532: segments of several blocks.
    let dir = dir();
    let limits = DiskLimits {
        segment: 512 * KIB,
        region: 2048 * KIB as u64,
        capacity: 8192 * KIB as u64,
        ..limits()
    };
    let store = DiskStore::open(dir.path(), limits, Arc::new(AdmitAll)).unwrap();
    let body = pattern(1, 700 * KIB);
    put(&store, 1, "head", &body).await;
    let entry = store.lookup(&key(1)).await.unwrap();
    for range in [
        0..10,
        65_530..65_540,
        200_000..524_288,
        524_288..524_290,
        700_000..716_800,
    ] {
        let want =
            &body[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert_eq!(store.read(&entry, range).await.unwrap(), want);
    }
    // A piece ends where its segment does.
    assert_eq!(store.read(&entry, 524_280..600_000).await.unwrap().len(), 8);
    assert_eq!(store.read(&entry, 716_800..800_000).await.unwrap().len(), 0);
}

#[tokio::test]
async fn parts_of_a_body_are_kept_and_completed() {
    // CF-534, CF-544
    let dir = dir();
    let store = open(dir.path());
    let body = pattern(1, 20 * KIB);
    let part = |i: usize| body.slice(i * 8 * KIB..body.len().min((i + 1) * 8 * KIB));
    let mut writer = store
        .insert(
            key(1),
            NewObject {
                total: Some(20 * KIB as u64),
                ..object("head", 1)
            },
        )
        .unwrap();
    writer.append(2, part(2)).unwrap();
    assert_eq!(writer.append(1, part(2)), Err(Dropped::WrongLength));
    assert_eq!(writer.append(3, part(1)), Err(Dropped::WrongLength));
    writer.commit().await.unwrap();
    let entry = store.lookup(&key(1)).await.unwrap();
    assert_eq!(
        (entry.missing(), entry.total()),
        (vec![0, 1], Some(20 * KIB as u64))
    );
    assert!(
        !entry.is_complete()
            && entry.has(16_384..20_480)
            && entry.has(16_384..u64::MAX)
            && !entry.has(16_383..16_385)
    );
    assert_eq!(
        read(&store, &entry, 17_000..20_000).await.unwrap(),
        body[17_000..20_000]
    );
    assert_eq!(store.read(&entry, 0..10).await, Err(Absent::NotStored));

    let mut more = store.extend(&entry);
    more.append(0, part(0)).unwrap();
    more.append(1, part(1)).unwrap();
    more.commit().await.unwrap();
    // The entry of before finds what was added since.
    assert_eq!(read(&store, &entry, 0..u64::MAX).await.unwrap(), body);
    let (_dead, store) = after_death(dir.path());
    let entry = store.lookup(&key(1)).await.unwrap();
    assert!(entry.is_complete());
    assert_eq!(read(&store, &entry, 0..u64::MAX).await.unwrap(), body);
}

#[tokio::test]
async fn a_length_may_become_known_late() {
    // CF-534
    let dir = dir();
    let store = open(dir.path());
    let body = pattern(1, 12 * KIB);
    let mut writer = store.insert(key(1), object("first", 1)).unwrap();
    writer.append(0, body.slice(..8 * KIB)).unwrap();
    writer.commit().await.unwrap();
    let entry = store.lookup(&key(1)).await.unwrap();
    assert_eq!(
        (entry.total(), entry.is_complete(), entry.missing()),
        (None, false, vec![])
    );
    assert!(entry.has(0..8192) && !entry.has(0..8193));
    store
        .update_head(
            &entry,
            NewObject {
                total: Some(12 * KIB as u64),
                ..object("second", 2)
            },
        )
        .unwrap()
        .await
        .unwrap();
    let entry = store.lookup(&key(1)).await.unwrap();
    assert_eq!(entry.missing(), vec![1]);
    let mut more = store.extend(&entry);
    more.append(1, body.slice(8 * KIB..)).unwrap();
    more.commit().await.unwrap();
    let (_dead, store) = after_death(dir.path());
    let entry = store.lookup(&key(1)).await.unwrap();
    assert!(entry.is_complete());
    assert_eq!(read(&store, &entry, 0..u64::MAX).await.unwrap(), body);
    // And in a fill that ends well.
    let mut writer = store.insert(key(2), object("head", 1)).unwrap();
    writer.append(0, pattern(2, 100)).unwrap();
    writer.set_total(100);
    writer.commit().await.unwrap();
    assert_eq!(
        store.lookup(&key(2)).await.unwrap().whole(),
        Some(&pattern(2, 100))
    );
}

#[tokio::test]
async fn a_length_beyond_all_segments_is_refused_and_removes_what_was_there() {
    // CF-221
    let dir = dir();
    let store = open(dir.path());
    let too_long = || NewObject {
        total: Some((1 << 20) * 8 * KIB as u64 + 1),
        ..object("long", 1)
    };
    for n in [1, 2] {
        put(&store, n, "old", &pattern(n, 100)).await;
    }
    assert_eq!(
        store.insert(key(1), too_long()).err(),
        Some(Dropped::TooLarge)
    );
    assert!(store.lookup(&key(1)).await.is_none());
    let entry = store.lookup(&key(2)).await.unwrap();
    let refused = store.update_head(&entry, too_long()).err();
    assert_eq!(refused, Some(Dropped::TooLarge));
    assert!(store.lookup(&key(2)).await.is_none());
}

#[tokio::test]
async fn the_newest_writer_counts_and_an_aborted_one_leaves_what_was_there() {
    // CF-660
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "old", &pattern(1, 100)).await;
    let mut first = store
        .insert(
            key(1),
            NewObject {
                total: Some(10),
                ..object("first", 2)
            },
        )
        .unwrap();
    let mut second = store
        .insert(
            key(1),
            NewObject {
                total: Some(10),
                ..object("second", 3)
            },
        )
        .unwrap();
    first.append(0, pattern(2, 10)).unwrap();
    second.append(0, pattern(3, 10)).unwrap();
    assert_eq!(first.commit().await, Err(Dropped::Overtaken));
    // The old one is older than what the first had.
    assert!(
        store
            .lookup(&key(1))
            .await
            .is_none_or(|e| &e.head()[..] == b"old")
    );
    second.commit().await.unwrap();
    assert_eq!(&store.lookup(&key(1)).await.unwrap().head()[..], b"second");
    let mut third = store
        .insert(
            key(1),
            NewObject {
                total: Some(10),
                ..object("third", 3)
            },
        )
        .unwrap();
    third.append(0, pattern(4, 10)).unwrap();
    drop(third);
    assert_eq!(&store.lookup(&key(1)).await.unwrap().head()[..], b"second");
    store.flush().await.unwrap();
    assert_eq!(store.buffered(), 0);
}

#[tokio::test]
async fn what_was_removed_stays_away_and_so_does_what_was_being_written() {
    // CF-660, CF-661
    let dir = dir();
    let store = open(dir.path());
    for n in 0..20 {
        put(&store, n, "old", &pattern(n, 20 * KIB)).await;
    }
    let mut fill = store
        .insert(
            key(0),
            NewObject {
                total: Some(16_384),
                ..object("fetched before", 1)
            },
        )
        .unwrap();
    fill.append(0, pattern(5, 8 * KIB)).unwrap();
    let entry = store.lookup(&key(3)).await.unwrap();
    let removals: Vec<Removal> = (0..10).map(|n| store.remove(&key(n))).collect();
    // At once, whatever the disk does.
    for n in 0..10 {
        assert!(store.lookup(&key(n)).await.is_none());
    }
    fill.append(1, pattern(5, 8 * KIB)).unwrap();
    assert_eq!(fill.commit().await, Err(Dropped::Overtaken));
    assert_eq!(
        store.update_head(&entry, object("late", 9)).unwrap().await,
        Err(Dropped::Overtaken)
    );
    for removal in removals {
        removal.await.unwrap();
    }
    put(&store, 9, "new", &pattern(99, 10)).await;
    let (_dead, store) = after_death(dir.path());
    for n in 0..20 {
        let head = store.lookup(&key(n)).await.map(|e| e.head().clone());
        let want = match n {
            0..9 => None,
            9 => Some("new".into()),
            _ => Some("old".into()),
        };
        assert_eq!(head, want, "{n}");
    }
}

#[tokio::test]
async fn what_was_replaced_does_not_come_back() {
    // CF-288
    let dir = dir();
    let store = open(dir.path());
    for version in 0..5 {
        for n in 0..10 {
            let size = if (n + version) % 2 == 0 {
                100
            } else {
                20 * KIB
            };
            put(&store, n, "head", &pattern(100 * version + n, size)).await;
            let (_dead, dead) = after_death(dir.path());
            let entry = dead.lookup(&key(n)).await.unwrap();
            assert_eq!(
                read(&dead, &entry, 0..u64::MAX).await.unwrap(),
                pattern(100 * version + n, size)
            );
        }
    }
}

#[tokio::test]
async fn a_head_is_replaced_under_its_body_only() {
    // CF-282
    let dir = dir();
    let store = open(dir.path());
    for (n, size) in [(1, 100), (2, 20 * KIB)] {
        let body = pattern(n, size);
        put(&store, n, "old", &body).await;
        let entry = store.lookup(&key(n)).await.unwrap();
        store
            .update_head(&entry, object("refreshed", 77))
            .unwrap()
            .await
            .unwrap();
        let (_dead, again) = after_death(dir.path());
        for store in [store.clone(), again] {
            let now = store.lookup(&key(n)).await.unwrap();
            assert!(now.has_body_of(&entry) && now.is_complete());
            assert_eq!((&now.head()[..], now.epoch()), (&b"refreshed"[..], 77));
            assert_eq!(read(&store, &now, 0..u64::MAX).await.unwrap(), body);
        }
        put(&store, n, "another", &pattern(50, 30)).await;
        assert_eq!(
            store.update_head(&entry, object("late", 78)).unwrap().await,
            Err(Dropped::Overtaken)
        );
        assert_eq!(&store.lookup(&key(n)).await.unwrap().head()[..], b"another");
    }
}

#[tokio::test]
async fn a_reader_goes_on_when_its_object_is_replaced_until_the_bytes_are_gone() {
    // CF-617
    let dir = dir();
    let store = open(dir.path());
    let body = pattern(1, 40 * KIB);
    put(&store, 1, "old", &body).await;
    let entry = store.lookup(&key(1)).await.unwrap();
    put(&store, 1, "new", &pattern(2, 40 * KIB)).await;
    assert_eq!(read(&store, &entry, 0..u64::MAX).await.unwrap(), body);
    for n in 100..200 {
        put(&store, n, "filler", &pattern(n, 40 * KIB)).await;
    }
    assert_eq!(store.read(&entry, 0..10).await, Err(Absent::Gone));
    assert_eq!(store.counts().corrupt, 0);
}

#[tokio::test]
async fn a_full_write_buffer_drops_and_never_waits() {
    // CF-617
    let dir = dir();
    let limits = DiskLimits {
        write_buffer: 8 * KIB as u64,
        ..limits()
    };
    let store = DiskStore::open(dir.path(), limits, Arc::new(AdmitAll)).unwrap();
    put(&store, 3, "old", &pattern(3, 100)).await;
    let small = |n| {
        store
            .insert(
                key(n),
                NewObject {
                    total: Some(4096),
                    ..object("head", 1)
                },
            )
            .unwrap()
    };
    let (mut one, mut two) = (small(1), small(2));
    one.append(0, pattern(1, 4096)).unwrap();
    assert_eq!(store.buffered(), 4096 + 256);
    assert_eq!(two.append(0, pattern(2, 4096)), Err(Dropped::NoRoom));
    // A new object that is not written takes the old one with it.
    let long = NewObject {
        head: vec![1; 5000].into(),
        ..object("", 1)
    };
    assert_eq!(
        store
            .insert_whole(key(3), long, Bytes::new())
            .unwrap()
            .await,
        Err(Dropped::NoRoom)
    );
    assert!(store.lookup(&key(3)).await.is_none());
    one.commit().await.unwrap();
    store.flush().await.unwrap();
    assert_eq!((store.buffered(), store.counts().dropped_no_room), (0, 2));
    two.append(0, pattern(2, 4096)).unwrap();
    two.commit().await.unwrap();
    assert_eq!(store.objects(), 2);
    let (_dead, store) = after_death(dir.path());
    assert!(store.lookup(&key(3)).await.is_none());
}

#[tokio::test]
async fn what_is_read_stays_and_the_rest_makes_room() {
    // CF-221: the data file never grows beyond its limit.
    let dir = dir();
    let store = open(dir.path());
    for n in 0..20 {
        put(
            &store,
            n,
            "hot",
            &pattern(n, if n % 2 == 0 { 2 * KIB } else { 9 * KIB }),
        )
        .await;
    }
    for n in 100..1100 {
        put(&store, n, "cold", &pattern(n, 4 * KIB)).await;
        let entry = store.lookup(&key(n % 20)).await.unwrap();
        let body = read(&store, &entry, 0..u64::MAX).await.unwrap();
        assert_eq!(body, pattern(n % 20, body.len()));
    }
    let counts = store.counts();
    assert!(counts.kept > 20 && counts.evicted > 500, "{counts:?}");
    assert!(store.objects() < 500, "{}", store.objects());
    assert!(store.lookup(&key(100)).await.is_none() && store.lookup(&key(1099)).await.is_some());
    assert_eq!(
        std::fs::metadata(dir.path().join("data")).unwrap().len(),
        limits().capacity
    );
    // What the process left is what the next one finds.
    let objects = store.objects();
    let (_dead, again) = after_death(dir.path());
    assert_eq!(again.objects(), objects);
    let mut found = 0;
    for n in (0..20).chain(100..1100) {
        let Some(entry) = again.lookup(&key(n)).await else {
            continue;
        };
        let body = read(&again, &entry, 0..u64::MAX).await.unwrap();
        assert_eq!(body, pattern(n, body.len()));
        found += 1;
    }
    assert_eq!((found, again.counts().corrupt), (objects, 0));
}

#[tokio::test]
async fn a_body_longer_than_the_ring_keeps_its_last_part_and_no_more() {
    // CF-544
    let dir = dir();
    let store = open(dir.path());
    let total = 4096 * KIB;
    let mut writer = store
        .insert(
            key(1),
            NewObject {
                total: Some(total as u64),
                ..object("head", 1)
            },
        )
        .unwrap();
    for index in 0..512 {
        writer
            .append(index, pattern(u64::from(index), 8 * KIB))
            .unwrap();
        if index % 32 == 0 {
            store.flush().await.unwrap();
        }
    }
    writer.commit().await.unwrap();
    let entry = store.lookup(&key(1)).await.unwrap();
    assert!(!entry.is_complete() && entry.missing().len() > 256);
    for index in 0..512 {
        match store.read(&entry, index * 8192..(index + 1) * 8192).await {
            Ok(bytes) => assert_eq!(bytes, pattern(index, 8 * KIB)),
            Err(absent) => assert_eq!(absent, Absent::NotStored),
        }
    }
}

#[tokio::test]
async fn the_journal_is_written_anew_and_stays_short() {
    // CF-660: removals hold across it.
    let dir = dir();
    let store = open(dir.path());
    for n in 0..5000 {
        put(&store, n % 50, "head", &pattern(n, 10)).await;
        if n % 7 == 0 {
            store.remove(&key(n % 50)).await.unwrap();
        }
    }
    assert!(store.counts().journals > 1);
    let len = std::fs::metadata(dir.path().join("journal")).unwrap().len();
    assert!(len < 200 * KIB as u64, "{len}");
    let (_dead, again) = after_death(dir.path());
    assert_eq!(again.objects(), store.objects());
    for n in 4950..5000 {
        let body = again
            .lookup(&key(n % 50))
            .await
            .and_then(|e| e.whole().cloned());
        assert_eq!(body, (n % 7 != 0).then(|| pattern(n, 10)));
    }
}

#[tokio::test]
async fn the_secret_of_keys_is_that_of_the_directory() {
    // CF-161
    let dir = dir();
    let store = open(dir.path());
    let first = store.shared().secret;
    store.close().await;
    assert_eq!(open(dir.path()).shared().secret, first);
    assert_ne!(open(self::dir().path()).shared().secret, first);
}

#[tokio::test]
async fn not_admitted_is_not_written_and_what_is_there_needs_no_admission() {
    // CF-617
    let dir = dir();
    let store =
        DiskStore::open(dir.path(), limits(), Arc::new(SecondOffer::of_memory(100))).unwrap();
    let offer = || store.insert_whole(key(1), object("head", 1), pattern(1, 10));
    assert_eq!(offer().unwrap_err(), Dropped::NotAdmitted);
    offer().unwrap().await.unwrap();
    offer().unwrap().await.unwrap();
    assert_eq!(store.counts().dropped_not_admitted, 1);
}

#[test]
fn many_threads_never_see_a_wrong_body() {
    // CF-532, CF-660
    let dir = dir();
    let store = open(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let hits = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..6_u64 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut hits = 0;
                for round in 0..400_u64 {
                    let n = (round * 7 + task * 3) % 40;
                    match (round + task) % 5 {
                        0 => drop(store.remove(&key(n))),
                        1 | 2 => {
                            // The body's seed is in its epoch.
                            let seed = round * 10 + task;
                            let size = if seed.is_multiple_of(3) {
                                30 * KIB
                            } else {
                                3 * KIB
                            };
                            drop(store.insert_whole(
                                key(n),
                                object("head", seed),
                                pattern(seed, size),
                            ));
                        }
                        _ => {
                            let Some(entry) = store.lookup(&key(n)).await else {
                                continue;
                            };
                            let Ok(body) = read(&store, &entry, 0..u64::MAX).await else {
                                continue;
                            };
                            assert_eq!(body, pattern(entry.epoch(), body.len()));
                            assert_eq!(Some(body.len() as u64), entry.total());
                            hits += 1;
                        }
                    }
                    tokio::task::yield_now().await;
                }
                hits
            });
        }
        tasks.join_all().await.iter().sum::<u32>()
    });
    assert!(hits > 50, "{hits}");
    assert_eq!(store.counts().corrupt, 0);
}

pub(super) fn data_file(dir: &Path) -> PathBuf {
    dir.join("data")
}

#[tokio::test]
async fn looking_at_an_object_is_no_read_of_it() {
    // CP-606
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "head", &pattern(1, 100 * KIB)).await;
    let before = store.counts();
    for _ in 0..5 {
        let entry = store.peek(&key(1)).await.unwrap();
        assert_eq!(&entry.head()[..], b"head");
        assert!(entry.is_complete() && store.peek(&key(2)).await.is_none());
    }
    let counts = store.counts();
    assert_eq!((counts.hits, counts.misses), (before.hits, before.misses));
    let heat = || {
        let live = store.shared().live.load_full().unwrap();
        let version = live.index.version(&key(1)).unwrap();
        live.index.find_version(&key(1), version).unwrap().slot.heat
    };
    let cold = heat();
    store.peek(&key(1)).await.unwrap();
    assert_eq!(heat(), cold);
    store.lookup(&key(1)).await.unwrap();
    assert!(heat() > cold);
}
