//! Behaviour of the tier: followers, aborts, overtaking, limits, and many threads at once. A model and what an older tier
//! gives are in files of their own.

use std::{
    pin::pin,
    sync::atomic::AtomicBool,
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::*;

mod model;
mod promote;

#[derive(Debug, PartialEq, Eq)]
struct Head {
    version: u32,
    weight: usize,
}

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        self.weight
    }
}

const fn head(version: u32) -> Head {
    Head {
        version,
        weight: 100,
    }
}

const fn key(n: u8) -> CacheKey {
    CacheKey::from_bytes([n; 16])
}

const KIB: usize = 1024;

fn limits() -> MemoryLimits {
    MemoryLimits {
        segment: 4 * KIB,
        ..MemoryLimits::of_capacity(8 * 1024 * 1024)
    }
}

fn tier() -> MemoryTier<Head> {
    MemoryTier::new(limits()).unwrap()
}

/// Bytes that tell where they stand.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn store(tier: &MemoryTier<Head>, key: CacheKey, version: u32, body: &[u8]) -> Arc<Object<Head>> {
    let mut fill = tier.begin_fill(key, head(version), None).unwrap();
    fill.append(Bytes::copy_from_slice(body)).unwrap();
    match fill.finish().unwrap() {
        Filled::Stored(object) => object,
        Filled::NotStored(refusal) => panic!("not stored: {refusal:?}"),
    }
}

fn found(tier: &MemoryTier<Head>, key: CacheKey) -> Option<(u32, Vec<u8>)> {
    match tier.lookup(&key) {
        Lookup::Found(object) => {
            let body = object.body().read().flatten().collect();
            Some((object.head().version, body))
        }
        Lookup::Filling(_) | Lookup::Absent => None,
    }
}

fn follow(tier: &MemoryTier<Head>, key: CacheKey) -> FillReader<Head> {
    match tier.lookup(&key) {
        Lookup::Filling(reader) => reader,
        other => panic!("a fill was expected, not {other:?}"),
    }
}

/// What a reader gets without waiting, and how it stands then: `None` when it would wait.
fn drain(reader: &mut FillReader<Head>) -> (Vec<u8>, Option<Result<(), ReadError>>) {
    let mut all = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let poll = pin!(reader.next_chunk()).poll(&mut context);
        match poll {
            Poll::Ready(Ok(Some(chunk))) => {
                assert!(!chunk.is_empty());
                all.extend_from_slice(&chunk);
            }
            Poll::Ready(Ok(None)) => return (all, Some(Ok(()))),
            Poll::Ready(Err(error)) => return (all, Some(Err(error))),
            Poll::Pending => return (all, None),
        }
    }
}

async fn read_to_end(reader: &mut FillReader<Head>) -> Result<Vec<u8>, ReadError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.next_chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

#[test]
fn a_finished_fill_is_found_as_exact_segments() {
    let tier = tier();
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    let body = pattern(10 * KIB + 7);
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    for chunk in body.chunks(1_500) {
        fill.append(Bytes::copy_from_slice(chunk)).unwrap();
    }
    assert!(matches!(fill.finish().unwrap(), Filled::Stored(_)));
    assert_eq!(found(&tier, key(1)), Some((1, body.clone())));
    let Lookup::Found(object) = tier.lookup(&key(1)) else {
        panic!("stored a moment ago");
    };
    let lengths: Vec<_> = object.body().read().map(|b| b.len()).collect();
    assert_eq!(lengths, [4 * KIB, 4 * KIB, 2 * KIB + 7]);
    // CF-532
    let range: Vec<u8> = object.body().read_range(4_000..9_000).flatten().collect();
    assert_eq!(range, body[4_000..9_000]);
    assert_eq!(tier.filling_bytes(), 0);
}

#[test]
fn a_small_object_is_one_allocation_of_its_size() {
    let tier = tier();
    let network_buffer = Bytes::from(vec![7; 16 * KIB]);
    let mut fill = tier.begin_fill(key(1), head(1), Some(1_000)).unwrap();
    for i in 0..10 {
        fill.append(network_buffer.slice(i * 100..(i + 1) * 100))
            .unwrap();
    }
    fill.finish().unwrap();
    // Nothing stored points into the buffer the bytes came in.
    assert!(network_buffer.try_into_mut().is_ok());
    let Lookup::Found(object) = tier.lookup(&key(1)) else {
        panic!("stored a moment ago");
    };
    assert_eq!(
        object.body().read().map(|b| b.len()).collect::<Vec<_>>(),
        [1_000]
    );
}

#[test]
fn a_body_that_drips_in_costs_neither_a_buffer_nor_an_entry_per_byte() {
    let tier = tier();
    let buffer = Bytes::from(pattern(4_000));
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut reader = fill.reader();
    let mut chunks = 0;
    for i in 0..buffer.len() {
        fill.append(buffer.slice(i..=i)).unwrap();
        chunks = chunks.max(fill.chunks_held());
        assert_eq!(drain(&mut reader), (vec![buffer[i]], None));
    }
    assert!(chunks <= 2, "{chunks} chunks");
    assert!(buffer.is_unique());
}

#[test]
fn followers_read_what_has_arrived_and_then_wait() {
    // CF-401, CF-617
    let tier = tier();
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut early = follow(&tier, key(1));
    assert_eq!(early.head().version, 1);
    assert_eq!(drain(&mut early), (vec![], None));
    fill.append(Bytes::from_static(b"hello ")).unwrap();
    assert_eq!(drain(&mut early), (b"hello ".to_vec(), None));
    let mut late = follow(&tier, key(1));
    fill.append(Bytes::from_static(b"world")).unwrap();
    assert_eq!(late.complete_len(), None);
    fill.finish().unwrap();
    assert_eq!(late.complete_len(), Some(11));
    assert_eq!(drain(&mut early), (b"world".to_vec(), Some(Ok(()))));
    assert_eq!(drain(&mut late), (b"hello world".to_vec(), Some(Ok(()))));
    assert_eq!(found(&tier, key(1)), Some((1, b"hello world".to_vec())));
}

#[test]
fn followers_seek_also_to_what_has_not_arrived() {
    // CF-532
    let tier = tier();
    let mut fill = tier.begin_fill(key(1), head(1), Some(10_000)).unwrap();
    let body = pattern(10_000);
    let mut reader = follow(&tier, key(1));
    assert_eq!(reader.complete_len(), Some(10_000));
    reader.seek(8_000..8_010);
    fill.append(Bytes::copy_from_slice(&body[..5_000])).unwrap();
    assert_eq!(drain(&mut reader), (vec![], None));
    fill.append(Bytes::copy_from_slice(&body[5_000..8_005]))
        .unwrap();
    assert_eq!(drain(&mut reader), (body[8_000..8_005].to_vec(), None));
    fill.append(Bytes::copy_from_slice(&body[8_005..])).unwrap();
    // The end of the range, though the fill goes on.
    assert_eq!(
        drain(&mut reader),
        (body[8_005..8_010].to_vec(), Some(Ok(())))
    );
    reader.seek(100..200);
    assert_eq!(drain(&mut reader).0, body[100..200]);
    fill.finish().unwrap();
    reader.seek(9_990..20_000);
    assert_eq!(drain(&mut reader), (body[9_990..].to_vec(), Some(Ok(()))));
    reader.seek(20_000..30_000);
    assert_eq!(drain(&mut reader), (vec![], Some(Ok(()))));
}

#[test]
fn a_dropped_fill_leaves_nothing_and_tells_its_readers() {
    // CF-222, CF-404
    let tier = tier();
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    fill.append(Bytes::from_static(b"part")).unwrap();
    let mut reader = follow(&tier, key(1));
    drop(fill);
    assert_eq!(
        drain(&mut reader),
        (b"part".to_vec(), Some(Err(ReadError::Aborted)))
    );
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    assert_eq!(tier.filling_bytes(), 0);
    // The key starts again from nothing.
    store(&tier, key(1), 2, b"whole");
    assert_eq!(found(&tier, key(1)), Some((2, b"whole".to_vec())));
}

#[test]
fn a_body_of_another_length_than_announced_is_aborted() {
    // CF-222
    let tier = tier();
    let mut fill = tier.begin_fill(key(1), head(1), Some(4)).unwrap();
    fill.append(Bytes::from_static(b"abc")).unwrap();
    let mut reader = fill.reader();
    let error = fill.append(Bytes::from_static(b"de")).unwrap_err();
    assert_eq!(error, FillError::TooLong { expected: 4 });
    assert_eq!(drain(&mut reader).1, Some(Err(ReadError::Aborted)));

    let mut fill = tier.begin_fill(key(1), head(1), Some(4)).unwrap();
    fill.append(Bytes::from_static(b"abc")).unwrap();
    let mut reader = fill.reader();
    let error = fill.finish().unwrap_err();
    assert_eq!(
        error,
        FillError::TooShort {
            expected: 4,
            got: 3
        }
    );
    assert_eq!(drain(&mut reader).1, Some(Err(ReadError::Aborted)));
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    assert_eq!(tier.filling_bytes(), 0);
}

#[test]
fn while_an_object_is_replaced_the_newer_one_is_joined_and_an_abort_brings_the_old_one_back() {
    // CF-259, CF-407
    let tier = tier();
    store(&tier, key(1), 1, b"old");
    let fill = tier.begin_fill(key(1), head(2), None).unwrap();
    assert_eq!(follow(&tier, key(1)).head().version, 2);
    drop(fill);
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    let mut fill = tier.begin_fill(key(1), head(3), None).unwrap();
    fill.append(Bytes::from_static(b"new")).unwrap();
    // A refreshed head does not hide the fill.
    let refreshed = tier.update_head(&key(1), |_| Some(head(4)));
    assert_eq!(refreshed.unwrap().head().version, 4);
    assert_eq!(follow(&tier, key(1)).head().version, 3);
    fill.finish().unwrap();
    assert_eq!(found(&tier, key(1)), Some((3, b"new".to_vec())));
}

#[test]
fn the_newest_fill_of_a_key_is_the_one_that_counts() {
    let tier = tier();
    let mut first = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut reader = follow(&tier, key(1));
    let mut second = tier.begin_fill(key(1), head(2), None).unwrap();
    assert_eq!(follow(&tier, key(1)).head().version, 2);
    first.append(Bytes::from_static(b"one")).unwrap();
    second.append(Bytes::from_static(b"two")).unwrap();
    // The older goes on for its readers.
    assert!(matches!(
        first.finish().unwrap(),
        Filled::NotStored(Refusal::Overtaken)
    ));
    assert_eq!(drain(&mut reader), (b"one".to_vec(), Some(Ok(()))));
    assert!(matches!(tier.lookup(&key(1)), Lookup::Filling(_)));
    second.finish().unwrap();
    assert_eq!(found(&tier, key(1)), Some((2, b"two".to_vec())));
}

#[test]
fn what_was_being_fetched_before_a_removal_never_answers_after_it() {
    // CF-802
    let tier = tier();
    store(&tier, key(1), 1, b"old");
    let mut fill = tier.begin_fill(key(1), head(2), None).unwrap();
    let mut reader = follow(&tier, key(1));
    assert!(tier.remove(&key(1)));
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    fill.append(Bytes::from_static(b"new")).unwrap();
    assert!(matches!(
        fill.finish().unwrap(),
        Filled::NotStored(Refusal::Overtaken)
    ));
    assert_eq!(drain(&mut reader), (b"new".to_vec(), Some(Ok(()))));
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    assert!(!tier.remove(&key(1)));
}

#[test]
fn a_refreshed_head_keeps_the_body_without_copying_it() {
    // CF-282
    let tier = tier();
    let old = store(&tier, key(1), 1, b"body");
    let new = tier.replace_head(&key(1), &old, head(2)).unwrap();
    assert!(new.has_body_of(&old));
    assert_eq!(
        new.body().read().next().unwrap().as_ptr(),
        old.body().read().next().unwrap().as_ptr()
    );
    assert_eq!(found(&tier, key(1)), Some((2, b"body".to_vec())));
    // A 304 that speaks of a body that is gone changes nothing.
    store(&tier, key(1), 3, b"other");
    assert!(tier.replace_head(&key(1), &old, head(4)).is_none());
    assert!(tier.update_head(&key(1), |_| None).is_none());
    assert_eq!(found(&tier, key(1)), Some((3, b"other".to_vec())));
    assert!(tier.replace_head(&key(2), &old, head(4)).is_none());
}

#[test]
fn weights_are_counted_and_the_capacity_holds() {
    let limits = MemoryLimits::of_capacity(1024 * 1024);
    let tier = MemoryTier::new(limits).unwrap();
    let old = store(&tier, key(1), 1, &[0; 1_000]);
    tier.settle();
    let weight = tier.weighed_bytes();
    assert_eq!(weight, 1_100 + object::ENTRY_OVERHEAD);
    assert_eq!(tier.entry_count(), 1);
    let heavier = Head {
        version: 2,
        weight: 300,
    };
    tier.replace_head(&key(1), &old, heavier).unwrap();
    tier.settle();
    assert_eq!(tier.weighed_bytes(), weight + 200);
    for i in 0..2_000_u128 {
        store(
            &tier,
            CacheKey::from_bytes((i << 60).to_le_bytes()),
            1,
            &[0; 10_000],
        );
    }
    tier.settle();
    assert!(tier.weighed_bytes() <= limits.capacity);
    assert!(tier.entry_count() > 50);
}

#[test]
fn an_object_larger_than_its_share_is_refused() {
    // CF-221
    let tier = MemoryTier::new(MemoryLimits::of_capacity(8 * 64 * 1024)).unwrap();
    let refused = tier
        .begin_fill(key(1), head(1), Some(64 * 1024 + 1))
        .unwrap_err();
    assert_eq!(refused, Refusal::TooLarge);
    assert!(matches!(tier.lookup(&key(1)), Lookup::Absent));
    assert!(tier.begin_fill(key(1), head(1), Some(64 * 1024)).is_ok());
}

#[test]
fn one_object_may_take_most_of_the_tier_where_it_is_allowed_to() {
    // CF-221
    let limits = MemoryLimits::of_capacity(1024 * 1024).with_max_object(900 * 1024);
    let tier = MemoryTier::new(limits).unwrap();
    let body = pattern(900 * KIB);
    store(&tier, key(1), 1, &body);
    tier.settle();
    assert_eq!(found(&tier, key(1)), Some((1, body)));
}

#[test]
fn an_object_that_turns_out_too_large_is_only_relayed() {
    // CF-221, CF-617
    let limits = MemoryLimits {
        segment: 4 * KIB,
        ..MemoryLimits::of_capacity(8 * 64 * 1024)
    };
    let tier = MemoryTier::new(limits).unwrap();
    store(&tier, key(1), 1, b"old");
    let mut fill = tier.begin_fill(key(1), head(2), None).unwrap();
    let (mut quick, mut slow) = (follow(&tier, key(1)), follow(&tier, key(1)));
    let body = pattern(200 * KIB);
    let mut read = Vec::new();
    for chunk in body.chunks(10_000) {
        fill.append(Bytes::copy_from_slice(chunk)).unwrap();
        read.extend(drain(&mut quick).0);
        assert!(tier.filling_bytes() <= limits.max_object);
    }
    assert_eq!(fill.keeping(), Err(Refusal::TooLarge));
    // New requests do not join it, and what was stored answers again.
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    // One that fell behind by more than the window is cut off, at once and for itself alone.
    assert_eq!(drain(&mut slow), (vec![], Some(Err(ReadError::Lagged))));
    assert!(matches!(
        fill.finish().unwrap(),
        Filled::NotStored(Refusal::TooLarge)
    ));
    assert_eq!(drain(&mut quick).1, Some(Ok(())));
    assert_eq!(read, body);
    assert_eq!(tier.filling_bytes(), 0);
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
}

#[tokio::test]
async fn a_reader_that_was_cut_off_can_wait_for_the_end() {
    // CF-405
    let limits = MemoryLimits::of_capacity(8 * 64 * 1024);
    let tier = MemoryTier::new(limits).unwrap();
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut reader = fill.reader();
    for _ in 0..30 {
        fill.append(Bytes::from(vec![0; 10_000])).unwrap();
    }
    assert_eq!(reader.next_chunk().await, Err(ReadError::Lagged));
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(reader.ended()).poll(&mut context).is_pending());
    fill.finish().unwrap();
    reader.ended().await;
}

#[test]
fn a_leader_that_leaves_ends_what_nobody_else_reads() {
    // CF-224, CF-405
    let tier = tier();
    store(&tier, key(1), 1, b"old");
    let mut fill = tier.begin_fill(key(1), head(2), None).unwrap();
    fill.append(Bytes::from_static(b"ne")).unwrap();
    let leader = fill.reader();
    let mut follower = follow(&tier, key(1));
    assert!(!tier.give_up(&key(1), &leader));
    fill.append(Bytes::from_static(b"w")).unwrap();
    assert_eq!(drain(&mut follower), (b"new".to_vec(), None));
    drop(follower);
    // From here on nobody finds it, though its writer is still there.
    assert!(tier.give_up(&key(1), &leader));
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    // Nor does it store, should it be finished all the same.
    assert!(matches!(
        fill.finish(),
        Ok(Filled::NotStored(Refusal::Overtaken))
    ));
    assert_eq!(found(&tier, key(1)), Some((1, b"old".to_vec())));
    // A leader whose fill was overtaken leaves the newer one alone.
    let overtaken = tier.begin_fill(key(2), head(1), None).unwrap();
    let leader = overtaken.reader();
    let newer = tier.begin_fill(key(2), head(2), None).unwrap();
    assert!(tier.give_up(&key(2), &leader));
    drop(overtaken);
    assert_eq!(follow(&tier, key(2)).head().version, 2);
    drop(newer);
}

#[test]
fn a_relay_without_readers_holds_nothing() {
    let tier = MemoryTier::new(MemoryLimits::of_capacity(8 * 64 * 1024)).unwrap();
    let mut fill = tier.begin_fill(key(1), head(2), None).unwrap();
    for _ in 0..20 {
        fill.append(Bytes::from(vec![0; 10_000])).unwrap();
    }
    assert!(fill.keeping().is_err() && !fill.has_readers());
    assert_eq!((tier.filling_bytes(), fill.chunks_held()), (0, 0));
}

#[test]
fn bodies_in_arrival_share_a_budget() {
    let limits = MemoryLimits {
        fills: 100_000,
        ..limits()
    };
    let tier = MemoryTier::new(limits).unwrap();
    let announced = tier.begin_fill(key(1), head(1), Some(60_000)).unwrap();
    let refused = tier.begin_fill(key(2), head(1), Some(60_000)).unwrap_err();
    assert_eq!(refused, Refusal::NoRoom);
    // One of unknown length begins, and becomes a relay when the budget runs out.
    let mut unknown = tier.begin_fill(key(2), head(1), None).unwrap();
    let mut reader = unknown.reader();
    let mut read = 0;
    for _ in 0..10 {
        unknown.append(Bytes::from(vec![0; 10_000])).unwrap();
        read += drain(&mut reader).0.len();
        assert!(tier.filling_bytes() <= limits.fills);
    }
    assert_eq!(unknown.keeping(), Err(Refusal::NoRoom));
    assert_eq!(read, 100_000);
    drop((announced, unknown));
    assert_eq!(tier.filling_bytes(), 0);
    assert!(tier.begin_fill(key(2), head(1), Some(60_000)).is_ok());
}

#[test]
fn a_hit_takes_no_lock() {
    let tier = tier();
    store(&tier, key(1), 1, b"body");
    // With every shard held, a lookup that needed one would never come back.
    let held: Vec<_> = tier
        .inner
        .shards
        .iter()
        .map(|shard| shard.lock().unwrap())
        .collect();
    assert_eq!(found(&tier, key(1)), Some((1, b"body".to_vec())));
    drop(held);
    // Nor after a fill for its key that came to nothing.
    drop(tier.begin_fill(key(1), head(2), None).unwrap());
    let held: Vec<_> = tier
        .inner
        .shards
        .iter()
        .map(|shard| shard.lock().unwrap())
        .collect();
    assert_eq!(found(&tier, key(1)), Some((1, b"body".to_vec())));
    drop(held);
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_waiting_reader_is_woken_by_each_chunk_and_by_the_end() {
    // CF-401
    let tier = tier();
    let mut fill = Some(tier.begin_fill(key(1), head(1), None).unwrap());
    let mut reader = follow(&tier, key(1));
    for step in 0..3 {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut next = pin!(reader.next_chunk());
        assert!(next.as_mut().poll(&mut context).is_pending());
        if step < 2 {
            let chunk = Bytes::from_static(b"chunk");
            fill.as_mut().unwrap().append(chunk).unwrap();
        } else {
            fill.take().unwrap().finish().unwrap();
        }
        assert!(woken.0.load(Ordering::SeqCst), "step {step}");
        let got = next.as_mut().poll(&mut context);
        let want = (step < 2).then(|| Bytes::from_static(b"chunk"));
        assert_eq!(got, Poll::Ready(Ok(want)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_of_one_fill_get_the_same_bytes() {
    // CF-400, CF-401
    let tier = tier();
    let body = Arc::new(pattern(300 * KIB));
    let mut fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut readers = JoinSet::new();
    for (i, chunk) in body.chunks(3_001).enumerate() {
        // Some join before the first byte, some in the middle.
        for n in 0..4 {
            let (mut reader, body) = (follow(&tier, key(1)), body.clone());
            let start = (i * 977 + n * 13_007) % body.len();
            readers.spawn(async move {
                if n > 0 {
                    reader.seek(start as u64..u64::MAX);
                    assert_eq!(read_to_end(&mut reader).await.unwrap(), body[start..]);
                } else {
                    assert_eq!(read_to_end(&mut reader).await.unwrap(), *body);
                }
            });
        }
        fill.append(Bytes::copy_from_slice(chunk)).unwrap();
        tokio::task::yield_now().await;
    }
    fill.finish().unwrap();
    assert_eq!(
        readers.join_all().await.len(),
        body.len().div_ceil(3_001) * 4
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_wait_are_woken_by_an_abort_and_find_the_next_fill() {
    // CF-404
    let tier = tier();
    let fill = tier.begin_fill(key(1), head(1), None).unwrap();
    let mut waiting = JoinSet::new();
    for _ in 0..32 {
        let tier = tier.clone();
        let mut reader = follow(&tier, key(1));
        waiting.spawn(async move {
            let first = reader.next_chunk().await;
            // Whoever hears of the abort does not find the same fill again.
            let again = match tier.lookup(&key(1)) {
                Lookup::Filling(reader) => reader.head().version,
                Lookup::Found(object) => object.head().version,
                Lookup::Absent => 0,
            };
            (first, again)
        });
    }
    tokio::task::yield_now().await;
    drop(fill);
    let mut second = tier.begin_fill(key(1), head(2), None).unwrap();
    second.append(Bytes::from_static(b"ok")).unwrap();
    second.finish().unwrap();
    for (first, again) in waiting.join_all().await {
        assert_eq!(first, Err(ReadError::Aborted));
        assert_ne!(again, 1);
    }
}

/// Bodies made of their head's version alone, so that a head on a foreign body shows.
fn body_of(version: u32) -> Vec<u8> {
    let len = usize::try_from(version % 9_973).unwrap();
    vec![u8::try_from(version % 251).unwrap(); len]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn heads_and_bodies_never_mix_under_load() {
    let tier = tier();
    let mut workers = JoinSet::new();
    for worker in 0..4_u32 {
        let tier = tier.clone();
        workers.spawn(async move {
            let mut seen = 0_u32;
            for step in 0..3_000_u32 {
                let version = step * 4 + worker;
                let key = key(u8::try_from(step.wrapping_mul(2_654_435_761) >> 29).unwrap());
                match tier.lookup(&key) {
                    Lookup::Found(object) => {
                        let body: Vec<u8> = object.body().read().flatten().collect();
                        assert_eq!(body, body_of(object.head().version));
                        seen += 1;
                    }
                    Lookup::Filling(mut reader) => {
                        let want = body_of(reader.head().version);
                        match read_to_end(&mut reader).await {
                            Ok(body) => assert_eq!(body, want),
                            Err(error) => assert_eq!(error, ReadError::Aborted),
                        }
                        seen += 1;
                    }
                    Lookup::Absent => {}
                }
                match step % 5 {
                    0 => drop(tier.remove(&key)),
                    1 => {
                        let body = body_of(version);
                        let mut fill = tier.begin_fill(key, head(version), None).unwrap();
                        for chunk in body.chunks(1_000) {
                            fill.append(Bytes::copy_from_slice(chunk)).unwrap();
                            tokio::task::yield_now().await;
                        }
                        if step % 3 > 0 {
                            fill.finish().unwrap();
                        }
                    }
                    2 => drop(tier.update_head(&key, |o| Some(head(o.head().version)))),
                    _ => {}
                }
            }
            seen
        });
    }
    let seen = workers.join_all().await;
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
    assert_eq!(tier.filling_bytes(), 0);
    assert!(
        tier.inner
            .shards
            .iter()
            .all(|shard| shard.lock().unwrap().is_empty())
    );
}

#[test]
fn looking_at_what_is_stored_is_no_use_of_it() {
    // CP-606
    let limits = MemoryLimits {
        segment: 4 * KIB,
        ..MemoryLimits::of_capacity(64 * KIB as u64)
    };
    let tier = MemoryTier::new(limits).unwrap();
    // Full, or the table does not count uses yet.
    for n in 1..8 {
        store(&tier, key(n), u32::from(n), &pattern(6 * KIB));
    }
    tier.settle();
    for _ in 0..20 {
        assert!(tier.stored(&key(2)).is_some());
    }
    let is_first = |found: &CacheKey, _: &Object<Head>| *found == key(1);
    let first_is_there = || {
        let found = tier.survey(is_first);
        found
            .iter()
            .for_each(|(_, o)| assert_eq!(o.head().version, 1));
        !found.is_empty()
    };
    for _ in 0..20 {
        assert!(first_is_there());
    }
    tier.settle();
    // What is only looked at makes room, and what is used does not.
    let newcomers = (20..60).find(|n| {
        for _ in 0..3 {
            let _ = tier.stored(&key(*n));
        }
        store(&tier, key(*n), u32::from(*n), &pattern(6 * KIB));
        tier.settle();
        !first_is_there()
    });
    assert!(newcomers.is_some());
    assert_eq!(tier.survey(|found, _| *found == key(2)).len(), 1);
}

#[test]
fn what_arrives_can_be_looked_at_without_joining_it() {
    // CP-606
    let tier = tier();
    assert!(tier.arriving(&key(1)).is_none());
    let mut fill = tier.begin_fill(key(1), head(3), None).unwrap();
    let told = |tier: &MemoryTier<Head>| {
        let (head, length) = tier.arriving(&key(1)).unwrap();
        (head.version, length)
    };
    assert_eq!(told(&tier), (3, None));
    fill.append(Bytes::from_static(b"ab")).unwrap();
    fill.finish().unwrap();
    assert!(tier.arriving(&key(1)).is_none());
    let _fill = tier.begin_fill(key(1), head(4), Some(9)).unwrap();
    assert_eq!(told(&tier), (4, Some(9)));
}
