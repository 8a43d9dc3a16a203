//! Disks that are full, unreadable, gone, or lie.

use std::{fs, sync::atomic::Ordering};

use super::*;

fn flip(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

/// Where bytes stand in the data file.
fn position(dir: &Path, needle: &[u8]) -> u64 {
    let data = fs::read(data_file(dir)).unwrap();
    data.windows(needle.len())
        .position(|w| w == needle)
        .unwrap() as u64
}

#[tokio::test]
async fn a_full_disk_turns_the_tier_off_and_it_comes_back() {
    // CF-532: a disk that fails is a miss. CF-660: what was removed meanwhile stays away.
    let dir = dir();
    let store = open(dir.path());
    for n in 0..4 {
        put(&store, n, "head", &pattern(n, 100)).await;
    }
    store.shared().faults.full.store(true, Ordering::Relaxed);
    let written = store
        .insert_whole(key(1), object("new", 1), pattern(9, 100))
        .unwrap();
    assert_eq!(written.await, Err(Dropped::Off));
    assert!(!store.is_on());
    assert!(store.lookup(&key(0)).await.is_none());
    assert_eq!(
        store.insert(key(2), object("new", 1)).unwrap_err(),
        Dropped::Off
    );
    assert_eq!(store.remove(&key(3)).await, Err(NotDurable));
    assert_eq!(store.counts().went_off, 1);

    store.shared().faults.full.store(false, Ordering::Relaxed);
    until(|| store.is_on()).await;
    assert_eq!(
        store.lookup(&key(0)).await.unwrap().whole(),
        Some(&pattern(0, 100))
    );
    for n in 1..4 {
        assert!(store.lookup(&key(n)).await.is_none(), "{n}");
    }
    put(&store, 1, "again", &pattern(5, 100)).await;
    assert_eq!((store.counts().came_back, store.buffered()), (1, 0));
    let (_dead, store) = after_death(dir.path());
    assert!(store.lookup(&key(3)).await.is_none() && store.lookup(&key(0)).await.is_some());
}

#[tokio::test]
async fn a_writer_from_before_the_failure_stores_nothing_after_it() {
    // CF-660
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "old", &pattern(1, 100)).await;
    let mut writer = store
        .insert(
            key(1),
            NewObject {
                total: Some(100),
                ..object("new", 1)
            },
        )
        .unwrap();
    store.shared().faults.full.store(true, Ordering::Relaxed);
    assert_eq!(store.remove(&key(7)).await, Err(NotDurable));
    store.shared().faults.full.store(false, Ordering::Relaxed);
    until(|| store.is_on()).await;
    writer.append(0, pattern(2, 100)).unwrap();
    assert_eq!(writer.commit().await, Err(Dropped::Overtaken));
    assert!(store.lookup(&key(1)).await.is_none());
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_a_miss_and_then_off() {
    // CF-532
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "head", &pattern(1, 100)).await;
    put(&store, 2, "head", &pattern(2, 20 * KIB)).await;
    let entry = store.lookup(&key(2)).await.unwrap();
    store
        .shared()
        .faults
        .unreadable
        .store(true, Ordering::Relaxed);
    assert_eq!(store.read(&entry, 0..10).await, Err(Absent::Disk));
    for _ in 0..7 {
        assert!(store.lookup(&key(1)).await.is_none());
    }
    until(|| store.counts().went_off > 0).await;
    store
        .shared()
        .faults
        .unreadable
        .store(false, Ordering::Relaxed);
    until(|| store.is_on()).await;
    assert_eq!(
        store.lookup(&key(1)).await.unwrap().whole(),
        Some(&pattern(1, 100))
    );
    assert!(store.counts().read_errors >= 8 && store.counts().corrupt == 0);
}

#[tokio::test]
async fn what_is_not_in_memory_is_read_on_another_thread_and_not_without_bound() {
    // CF-532
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "head", &pattern(1, 20 * KIB)).await;
    store.shared().faults.cold.store(true, Ordering::Relaxed);
    let entry = store.lookup(&key(1)).await.unwrap();
    assert_eq!(
        read(&store, &entry, 0..u64::MAX).await.unwrap(),
        pattern(1, 20 * KIB)
    );
    assert_eq!(store.counts().waited_reads, 4);
    let all = store
        .shared()
        .reads
        .clone()
        .acquire_many_owned(16)
        .await
        .unwrap();
    assert!(store.lookup(&key(1)).await.is_none());
    assert_eq!(store.counts().throttled_reads, 1);
    drop(all);
    assert!(store.lookup(&key(1)).await.is_some());
}

#[tokio::test]
async fn a_directory_that_vanishes_is_noticed_and_found_again() {
    // CF-532
    let parent = dir();
    let (path, away) = (parent.path().join("cache"), parent.path().join("away"));
    let store = open(&path);
    put(&store, 1, "head", &pattern(1, 100)).await;
    fs::rename(&path, &away).unwrap();
    until(|| !store.is_on()).await;
    assert!(store.lookup(&key(1)).await.is_none());
    // It does not make the directory itself: a disk that is not mounted must not be replaced by its mount point.
    assert!(!path.exists());
    fs::rename(&away, &path).unwrap();
    until(|| store.is_on()).await;
    assert!(store.lookup(&key(1)).await.is_some());
    // Another disk in its place is begun anew.
    fs::rename(&path, &away).unwrap();
    fs::create_dir(&path).unwrap();
    until(|| store.counts().came_back == 2).await;
    assert!(store.lookup(&key(1)).await.is_none());
    put(&store, 1, "head", &pattern(1, 100)).await;
    assert_eq!(store.counts().went_off, 2);
}

#[tokio::test]
async fn a_directory_belongs_to_one_process_at_a_time() {
    // CF-532
    let dir = dir();
    let old = open(dir.path());
    put(&old, 1, "head", &pattern(1, 100)).await;
    let new = DiskStore::open(dir.path(), limits(), Arc::new(AdmitAll)).unwrap();
    assert!(!new.is_on() && new.lookup(&key(1)).await.is_none());
    assert_eq!(new.shared().secret, old.shared().secret);
    old.close().await;
    until(|| new.is_on()).await;
    assert!(new.lookup(&key(1)).await.is_some());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_no_error() {
    // CF-532
    let dir = dir();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let store = DiskStore::open(&file, limits(), Arc::new(AdmitAll)).unwrap();
    assert!(!store.is_on() && store.lookup(&key(1)).await.is_none());
    assert_eq!(store.remove(&key(1)).await, Err(NotDurable));
    store.close().await;
    assert_eq!(store.flush().await, Err(Dropped::Off));
    assert_eq!(store.buffered(), 0);
}

#[tokio::test]
async fn damage_is_a_miss_and_nothing_older_answers_instead() {
    // CF-532, CF-660
    let dir = dir();
    let store = open(dir.path());
    for (n, size) in [(1, 3 * KIB), (2, 20 * KIB), (3, 20 * KIB)] {
        put(&store, n, "old", &pattern(10 + n, 50)).await;
        put(&store, n, "new", &pattern(n, size)).await;
    }
    let dead = killed(dir.path());
    let data = data_file(dead.path());
    flip(&data, position(dead.path(), &pattern(1, 1000)) + 500);
    flip(&data, position(dead.path(), &pattern(2, 1000)) + 500);
    // The head of the third: its last segment is before it.
    let last = &pattern(3, 20 * KIB)[16 * KIB..];
    flip(
        &data,
        position(dead.path(), last) + 4 * KIB as u64 + record::HEADER as u64,
    );
    let store = open(dead.path());
    assert!(store.lookup(&key(1)).await.is_none());
    let entry = store.lookup(&key(2)).await.unwrap();
    assert_eq!(store.read(&entry, 0..10).await, Err(Absent::Gone));
    assert!(store.lookup(&key(2)).await.is_none() && store.lookup(&key(3)).await.is_none());
    assert_eq!((store.counts().corrupt, store.objects()), (3, 0));
    store.flush().await.unwrap();
    let (_dead, store) = after_death(dead.path());
    assert_eq!(store.objects(), 0);
}

#[tokio::test]
async fn a_region_that_cannot_be_walked_is_given_up() {
    // CF-532
    let dir = dir();
    let store = open(dir.path());
    for n in 0..30 {
        put(&store, n, "head", &pattern(n, 4 * KIB)).await;
    }
    let dead = killed(dir.path());
    // The third record's header.
    flip(
        &data_file(dead.path()),
        2 * record::record_len(4, 4 * KIB) + 20,
    );
    let store = open(dead.path());
    for n in 100..700 {
        put(&store, n, "head", &pattern(n, 4 * KIB)).await;
    }
    assert_eq!(store.counts().corrupt, 1);
    // Nothing of the region is left in memory either.
    let mut found = 0;
    for n in (0..30).chain(100..700) {
        found += u64::from(store.lookup(&key(n)).await.is_some());
    }
    assert_eq!(store.objects(), found);
}

#[tokio::test]
async fn a_frame_that_was_being_written_is_cut_off_and_a_damaged_one_ends_this_life() {
    // CF-660
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "head", &pattern(1, 100)).await;
    let whole = fs::read(dir.path().join("journal")).unwrap();
    put(&store, 2, "head", &pattern(2, 100)).await;
    store.remove(&key(1)).await.unwrap();
    let dead = killed(dir.path());
    let journal = dead.path().join("journal");
    let full = fs::read(&journal).unwrap();

    // Nobody was told of a frame that is not there to its end.
    let torn: Vec<u8> = full
        .iter()
        .chain(&full[whole.len()..full.len() - 1])
        .copied()
        .collect();
    let torn = &torn[..full.len() + (torn.len() - full.len()).min(40)];
    fs::write(&journal, torn).unwrap();
    let store = open(dead.path());
    assert!(store.lookup(&key(2)).await.is_some() && store.lookup(&key(1)).await.is_none());
    put(&store, 3, "head", &pattern(3, 100)).await;
    store.close().await;
    let store = open(dead.path());
    assert_eq!(store.objects(), 2);
    store.close().await;

    // Any bit that is wrong may have been the removal.
    let full = fs::read(&journal).unwrap();
    for at in (0..full.len()).step_by(13) {
        let mut damaged = full.clone();
        damaged[at] ^= 0x10;
        fs::write(&journal, &damaged).unwrap();
        let store = open(dead.path());
        assert_eq!((store.objects(), store.last_epoch()), (0, 0), "byte {at}");
        // Records of the life before are not mistaken for those of this one.
        put(&store, 2, "head", &pattern(5, 100)).await;
        assert_eq!(
            store.lookup(&key(2)).await.unwrap().whole(),
            Some(&pattern(5, 100))
        );
        store.close().await;
    }
}

#[tokio::test]
async fn other_sizes_or_another_secret_begin_anew() {
    // CF-161
    let dir = dir();
    let store = open(dir.path());
    put(&store, 1, "head", &pattern(1, 100)).await;
    store.close().await;
    let larger = DiskLimits {
        capacity: 2 * limits().capacity,
        ..limits()
    };
    let store = DiskStore::open(dir.path(), larger, Arc::new(AdmitAll)).unwrap();
    assert!(store.lookup(&key(1)).await.is_none());
    put(&store, 1, "head", &pattern(1, 100)).await;
    store.close().await;
    fs::write(dir.path().join("secret"), "damaged").unwrap();
    let store = DiskStore::open(dir.path(), larger, Arc::new(AdmitAll)).unwrap();
    assert!(store.is_on() && store.lookup(&key(1)).await.is_none());
}
