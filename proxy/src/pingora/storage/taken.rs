//! What a small object takes in memory, measured as resident memory with the allocator of the node.
//!
//! Each measurement is a process of its own, since other tests' memory would be measured with it.

use std::{
    hint::black_box,
    process::Command,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::{Bytes, BytesMut};
use fourfront_cache::{
    key::CacheKey,
    memory::{HeadRecord as _, MemoryLimits, MemoryTier},
    purge::{Stamp, Target, tags_of},
};
use fourfront_model::TagSeparator;
use http::HeaderValue;
use pingora::http::ResponseHeader;

use super::{
    super::kept_head::{
        self,
        tests::{freshness, invalidations},
    },
    *,
};

// The node's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Objects of one measurement.
const OBJECTS: usize = 15_000;

/// What the objects of a measurement are like.
#[derive(Clone, Copy)]
struct Shape {
    /// Length of the body in bytes.
    body: usize,
    /// Fields beside the usual eight.
    more: usize,
    tags: usize,
}

const USUAL: Shape = Shape {
    body: 1024,
    more: 0,
    tags: 0,
};

/// Names the part that a process of its own is to measure.
const PART: &str = "FOURFRONT_TEST_PART";

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Resident bytes that each of the things takes which `make` makes.
fn each<T>(mut make: impl FnMut(usize) -> T) -> usize {
    // What the first ones set up for all.
    let mut kept: Vec<T> = Vec::with_capacity(OBJECTS);
    for n in 0..1_000 {
        drop(make(n));
    }
    let before = resident();
    kept.extend((0..OBJECTS).map(make));
    let after = resident();
    drop(black_box(kept));
    after.saturating_sub(before) / OBJECTS
}

/// The head of a usual answer, in slices of the buffer it was read into, as Pingora has it.
fn read_head(n: usize, shape: Shape) -> ResponseHeader {
    let mut fields = vec![
        ("Server", "nginx/1.26.3".to_owned()),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        ("Content-Type", "text/html; charset=utf-8".to_owned()),
        ("Content-Length", shape.body.to_string()),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        ("ETag", format!("\"66f{n:08x}-400\"")),
        ("Cache-Control", "public, max-age=86400".to_owned()),
        ("Vary", "Accept-Encoding".to_owned()),
    ];
    fields.extend((0..shape.more).map(|m| ("X-Content-Part", format!("number {m} of {n}"))));
    let mut buffer = BytesMut::with_capacity(4096);
    for (name, value) in &fields {
        buffer.extend_from_slice(name.as_bytes());
        buffer.extend_from_slice(value.as_bytes());
    }
    let buffer = buffer.freeze();
    let mut header = ResponseHeader::build(200, Some(fields.len())).unwrap();
    let mut at = 0;
    let mut take = |length: usize| {
        at += length;
        buffer.slice(at - length..at)
    };
    for (name, value) in &fields {
        let name = take(name.len());
        let value = HeaderValue::from_maybe_shared(take(value.len())).unwrap();
        header.append_header(name, value).unwrap();
    }
    header
}

fn facts(
    n: usize,
    shape: Shape,
    header: &ResponseHeader,
    invalidations: &Invalidations,
) -> StoredFacts {
    let zone = invalidations.zone("E2EXAMPLE");
    let fetched = zone.now();
    let target = Target::new(format!("/objects/{n}.html").as_bytes(), None);
    let tags: Vec<_> = (0..shape.tags).map(|t| format!("tag-{t}")).collect();
    let tags = tags_of("x-tags", TagSeparator::Comma, [tags.join(",").as_bytes()]);
    let stamp = Stamp::new(zone, fetched, target, tags);
    StoredFacts::new(freshness(header), Vec::new(), stamp)
}

fn head(n: usize, shape: Shape, invalidations: &Invalidations) -> Head {
    let header = read_head(n, shape);
    let facts = facts(n, shape, &header, invalidations);
    let created = UNIX_EPOCH + Duration::from_secs(1_000);
    Head::of(&record(created, header, facts)).unwrap()
}

/// As the first hits leave it.
fn used(head: &Head) {
    let mut out = Vec::new();
    head.packed().put(&mut out, &["x-tags"]);
    black_box((out, head.packed().lines(&["x-tags"], 1)));
}

fn key(n: usize) -> CacheKey {
    let spread = (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    CacheKey::from_bytes(spread.to_le_bytes())
}

fn tier() -> MemoryTier<Head> {
    MemoryTier::new(MemoryLimits::of_capacity(1 << 30)).unwrap()
}

/// Stores an object as a fetch does, and uses it.
fn store(tier: &MemoryTier<Head>, n: usize, shape: Shape, invalidations: &Invalidations) {
    let head = head(n, shape, invalidations);
    let length = Some(shape.body as u64);
    let mut fill = tier.begin_fill(key(n), head, length).unwrap();
    fill.append(Bytes::from(vec![b'a'; shape.body])).unwrap();
    match fill.finish().unwrap() {
        Filled::Stored(object) => used(object.head()),
        Filled::NotStored(why) => panic!("{why:?}"),
    }
}

/// An object as it comes back from disk: its body is a slice of its record.
fn promote(tier: &MemoryTier<Head>, n: usize, shape: Shape, invalidations: &Invalidations) {
    let head = head(n, shape, invalidations);
    let kept = kept_head::encode(&head).unwrap();
    let mut record = vec![b'h'; 64];
    record.extend_from_slice(&kept);
    let start = record.len();
    record.resize(start + shape.body, b'a');
    let body = Bytes::from(record).slice(start..);
    let promoted = tier.promote(tier.ticket(&key(n)), key(n), head, body);
    used(promoted.map_err(|_| "no room").unwrap().head());
}

/// Measures in this process: resident bytes of each, and what they weigh.
fn measure(part: &str, shape: Shape) -> (usize, usize) {
    let invalidations = invalidations();
    let weight = head(0, shape, &invalidations).weight();
    let tier = tier();
    match part {
        "facts" => {
            let header = read_head(0, shape);
            let made = each(|n| facts(n, shape, &header, &invalidations));
            (made, size_of::<Facts>())
        }
        "head" => (each(|n| Arc::new(head(n, shape, &invalidations))), weight),
        "used head" => {
            let used = |n| {
                let head = head(n, shape, &invalidations);
                used(&head);
                Arc::new(head)
            };
            (each(used), weight)
        }
        "object" | "promoted" => {
            let store = match part {
                "object" => store,
                _ => promote,
            };
            let taken = each(|n| store(&tier, n, shape, &invalidations));
            tier.settle();
            assert_eq!(tier.entry_count(), OBJECTS as u64);
            let weighed = usize::try_from(tier.weighed_bytes()).unwrap();
            (taken, weighed / OBJECTS)
        }
        other => panic!("{other}"),
    }
}

/// Measures in a process of its own.
fn measured(part: &str, shape: Shape) -> (usize, usize) {
    let test = concat!(module_path!(), "::an_object_takes_little_more_than_it_has");
    let test = test.split_once("::").unwrap().1;
    let Shape { body, more, tags } = shape;
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PART, format!("{part}/{body}/{more}/{tags}"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| line.split_once("TAKEN "));
    let numbers = told.and_then(|(_, numbers)| numbers.split_once(' '));
    let (taken, weighed) = numbers.unwrap_or_else(|| panic!("{part}: {output:?}"));
    let (taken, weighed) = (taken.parse().unwrap(), weighed.parse().unwrap());
    println!(
        "{part}, {body} bytes, {more} more fields, {tags} tags: takes {taken}, weighs {weighed}"
    );
    (taken, weighed)
}

#[test]
fn an_object_takes_little_more_than_it_has() {
    // CF-221: what is kept is bounded by what it weighs, so it must weigh what it takes.
    if let Ok(part) = std::env::var(PART) {
        let [part, numbers @ ..] = &*part.split('/').collect::<Vec<_>>() else {
            panic!("{part}");
        };
        let number = |at: usize| numbers[at].parse().unwrap();
        let shape = Shape {
            body: number(0),
            more: number(1),
            tags: number(2),
        };
        let (taken, weighed) = measure(part, shape);
        println!("\nTAKEN {taken} {weighed}");
        return;
    }
    for part in ["facts", "head", "used head"] {
        measured(part, USUAL);
    }
    let shapes = [(4, 0, 3), (1024, 25, 20), (5_000, 0, 0)];
    let shapes = shapes.map(|(body, more, tags)| Shape { body, more, tags });
    for shape in [USUAL].into_iter().chain(shapes) {
        for part in ["object", "promoted"] {
            let (taken, weighed) = measured(part, shape);
            assert!(taken.abs_diff(weighed) * 5 <= taken, "{part}");
            if shape.more == 0 {
                let beside = taken.checked_sub(shape.body);
                assert!(beside.is_some_and(|b| (400..=2048).contains(&b)), "{part}");
            }
        }
    }
}
