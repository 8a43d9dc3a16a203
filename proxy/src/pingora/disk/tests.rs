//! What goes to disk in pieces comes back whole.

use fourfront_cache::memory::{Filled, MemoryLimits, MemoryTier};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{
    super::kept_head::tests::{head, invalidations},
    *,
};

const SEGMENT: usize = 8 * 1024;

const fn key(n: u8) -> CacheKey {
    CacheKey::from_bytes([n; 16])
}

/// Bytes that tell where they stand.
fn pattern(len: usize) -> Bytes {
    (0..len)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect::<Vec<_>>()
        .into()
}

/// A tier with short segments, and what keeps it alive.
struct Rig {
    disk: Disk,
    invalidations: Arc<Invalidations>,
    runtime: Runtime,
    _dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = DiskLimits {
            segment: SEGMENT,
            inline: SEGMENT / 2,
            ..DiskLimits::of_capacity(32 * 1024 * 1024)
        };
        let store = DiskStore::open(dir.path(), limits, Arc::new(AdmitAll)).unwrap();
        assert!(store.is_on());
        let invalidations = Arc::new(invalidations());
        Self {
            disk: Disk {
                store,
                invalidations: Arc::downgrade(&invalidations),
                largest: 1024 * 1024,
            },
            invalidations,
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            _dir: dir,
        }
    }

    fn head(&self, fields: &[(&str, &str)]) -> Head {
        head(&self.invalidations, 200, fields)
    }

    /// What answers once all that was handed over is written, read as a whole and piece by piece.
    fn read(&self, key: &CacheKey) -> Option<(OnDisk, Bytes, Vec<u8>)> {
        self.runtime.block_on(async {
            self.disk.store.flush().await.unwrap();
            let found = self.disk.find(key).await?;
            let whole = self.disk.whole(&found).await.unwrap();
            let (mut pieces, mut at) = (Vec::new(), 0);
            while let Some(piece) = self.disk.piece(&found.entry, at, u64::MAX).await.unwrap() {
                assert!(!piece.is_empty());
                at += piece.len() as u64;
                pieces.extend_from_slice(&piece);
            }
            Some((found, whole, pieces))
        })
    }
}

/// The same bytes in pieces that end at `cuts`.
fn pieces(body: &Bytes, cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    ends.push(body.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.iter()
        .map(|end| body.slice(std::mem::replace(&mut start, *end)..*end))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// CF-532: however a body arrives, and whether or not its length was announced, what is read back is the body. The
    /// store refuses a segment that is too long or too short, so it also shows that none was.
    #[test]
    fn any_chunking_is_read_back_whole(
        bodies in proptest::collection::vec(
            (0..5 * SEGMENT, 0..3_usize, any::<bool>(), proptest::collection::vec(any::<prop::sample::Index>(), 0..9)),
            1..16,
        ),
    ) {
        let rig = Rig::new();
        for (n, (len, whole_segments, announced, cuts)) in bodies.iter().enumerate() {
            let key = key(u8::try_from(n).unwrap());
            // Some end where a segment does, and some are empty.
            let len = if *whole_segments > 0 { len / SEGMENT * SEGMENT } else { *len };
            let body = pattern(len);
            let expected = announced.then_some(body.len() as u64);
            let mut writing = rig.disk.begin(key, &rig.head(&[]), expected).unwrap();
            for piece in pieces(&body, cuts) {
                writing.append(&piece);
            }
            prop_assert!(writing.writer.is_some());
            writing.finish(body.len() as u64);
            let (found, whole, pieces) = rig.read(&key).expect("it was written");
            prop_assert_eq!(found.length, body.len() as u64);
            prop_assert_eq!(&whole, &body);
            prop_assert_eq!(&pieces, &body);
        }
        prop_assert_eq!(rig.disk.objects(), bodies.len() as u64);
    }
}

#[test]
fn segments_that_arrive_whole_are_not_copied() {
    let rig = Rig::new();
    let body = pattern(2 * SEGMENT);
    let mut writing = rig.disk.begin(key(1), &rig.head(&[]), None).unwrap();
    writing.append(&body.slice(..SEGMENT));
    writing.append(&body.slice(SEGMENT..));
    assert_eq!((writing.open.capacity(), writing.next), (0, 2));
    writing.finish(body.len() as u64);
    assert_eq!(rig.read(&key(1)).unwrap().1, body);
}

#[test]
fn what_breaks_off_or_has_another_length_than_announced_leaves_nothing() {
    // CF-222
    let rig = Rig::new();
    let body = pattern(3 * SEGMENT);
    let begin = |n, announced| rig.disk.begin(key(n), &rig.head(&[]), announced).unwrap();
    let mut dropped = begin(1, None);
    dropped.append(&body);
    drop(dropped);
    let mut too_long = begin(2, Some(SEGMENT as u64));
    too_long.append(&body);
    assert!(too_long.writer.is_none());
    // It goes on being fed, since the viewer is.
    too_long.append(&body);
    too_long.finish(2 * body.len() as u64);
    let mut too_short = begin(3, Some(4 * SEGMENT as u64));
    too_short.append(&body.slice(1..));
    too_short.finish(body.len() as u64 - 1);
    for n in 1..=3 {
        assert!(rig.read(&key(n)).is_none(), "{n}");
    }
}

#[test]
fn a_body_beyond_the_limit_and_a_head_that_is_not_kept_are_not_begun() {
    // CF-221
    let rig = Rig::new();
    let head = rig.head(&[]);
    let most = 1024 * 1024;
    assert!(rig.disk.begin(key(1), &head, Some(most)).is_some());
    assert!(rig.disk.begin(key(1), &head, Some(most + 1)).is_none());
    let long = "a".repeat(70 * 1024);
    let head = rig.head(&[("X-Long", &long)]);
    assert!(rig.disk.begin(key(1), &head, Some(1)).is_none());
}

#[test]
fn a_body_that_goes_on_past_the_limit_without_having_said_so_is_given_up() {
    // CF-221
    let rig = Rig::new();
    let head = rig.head(&[]);
    let piece = pattern(64 * 1024);
    let write = |n: u8, pieces: usize| {
        let mut writing = rig.disk.begin(key(n), &head, None).unwrap();
        for _ in 0..pieces {
            writing.append(&piece);
        }
        let (given_up, held) = (writing.writer.is_none(), writing.open.capacity());
        writing.finish((pieces * piece.len()) as u64);
        (given_up, held)
    };
    assert!(!write(1, 16).0);
    assert_eq!(write(2, 17), (true, 0));
    assert_eq!(write(3, 400), (true, 0));
    assert!(rig.read(&key(1)).is_some());
    assert!(rig.read(&key(2)).is_none() && rig.read(&key(3)).is_none());
}

#[test]
fn an_object_of_memory_is_written_and_a_304_gives_it_a_new_head() {
    // CF-282
    let rig = Rig::new();
    let tier = MemoryTier::new(MemoryLimits::of_capacity(4 * 1024 * 1024)).unwrap();
    let tag = ("ETag", "\"1\"");
    let body = pattern(3 * SEGMENT + 5);
    let first = rig.head(&[tag, ("X-Say", "one")]);
    let mut fill = tier.begin_fill(key(1), first, None).unwrap();
    fill.append(body.clone()).unwrap();
    let Ok(Filled::Stored(object)) = fill.finish() else {
        panic!("there is room");
    };
    rig.disk.keep(key(1), &object);
    let says = |found: &OnDisk| found.head.headers()["x-say"].clone();
    let (found, whole, _) = rig.read(&key(1)).unwrap();
    assert_eq!((says(&found), &whole), ("one".parse().unwrap(), &body));

    let update = |fields: &[(&str, &str)]| {
        let head = rig.head(fields);
        rig.runtime.block_on(rig.disk.update_head(&key(1), &head))
    };
    assert!(update(&[tag, ("X-Say", "two")]));
    let (found, whole, _) = rig.read(&key(1)).unwrap();
    assert_eq!((says(&found), &whole), ("two".parse().unwrap(), &body));
    // Another tag is about another representation (CF-283).
    assert!(!update(&[("ETag", "\"2\""), ("X-Say", "three")]));
    assert!(rig.read(&key(1)).is_none());
    assert!(!update(&[tag]));
}

#[test]
fn a_head_that_cannot_be_read_is_a_miss_and_goes_away() {
    // CF-532, CF-661
    let rig = Rig::new();
    let put = |n, head: Bytes| {
        let object = NewObject {
            head,
            epoch: 0,
            total: Some(3),
        };
        let body = Bytes::from_static(b"abc");
        drop(rig.disk.store.insert_whole(key(n), object, body));
    };
    put(1, Bytes::from_static(b"of another version"));
    put(
        2,
        kept_head::encode(&head(&invalidations(), 200, &[])).unwrap(),
    );
    put(3, kept_head::encode(&rig.head(&[])).unwrap());
    let _ = rig.read(&key(3)).expect("the one that can be read");
    assert_eq!(rig.disk.objects(), 3);
    assert!(rig.read(&key(1)).is_none() && rig.read(&key(2)).is_none());
    let _ = rig.read(&key(3)).expect("the one that can be read");
    assert_eq!(rig.disk.objects(), 1);
}
