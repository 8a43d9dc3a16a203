//! The memory tier does what a map of complete objects and a map of each key's newest fill do.
#![no_main]

use std::{
    collections::HashMap,
    pin::pin,
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use bytes::Bytes;
use fourfront_cache::{
    Refusal,
    key::CacheKey,
    memory::{
        Fill, FillReader, Filled, HeadRecord, Lookup, MemoryLimits, MemoryTier, ReadError, Ticket,
    },
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Begin { key: u8, announced: Option<u16> },
    Append { fill: u8, len: u16 },
    Finish { fill: u8 },
    Abort { fill: u8 },
    Remove { key: u8 },
    Refresh { key: u8 },
    Ticket { key: u8 },
    Promote { ticket: u8, len: u16 },
    Relay { key: u8, len: u16 },
    Range { key: u8, start: u16, end: u16 },
    Settle,
}

const KEYS: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Head(u32);

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        100
    }
}

/// A fill, what it was given, and a reader that was there from the start.
struct Open {
    fill: Fill<Head>,
    reader: FillReader<Head>,
    key: u8,
    version: u32,
    announced: Option<u64>,
    sent: Vec<u8>,
}

/// What the tier ought to hold.
#[derive(Default)]
struct Model {
    stored: HashMap<u8, (u32, Vec<u8>)>,
    newest: HashMap<u8, u32>,
    changes: [u32; KEYS as usize],
}

impl Model {
    /// A fill has ended, with its body if that is complete.
    fn ended(&mut self, key: u8, version: u32, body: Option<Vec<u8>>) {
        if self.newest.get(&key) == Some(&version) {
            self.newest.remove(&key);
            if let Some(body) = body {
                self.stored.insert(key, (version, body));
                self.changes[usize::from(key)] += 1;
            }
        }
    }
}

fuzz_target!(|ops: Vec<Op>| {
    let limits = MemoryLimits {
        segment: 4096,
        fills: 1 << 40,
        ..MemoryLimits::of_capacity(16 << 20)
    };
    let tier = MemoryTier::new(limits).expect("the limits can work");
    let mut model = Model::default();
    let mut open: Vec<Open> = Vec::new();
    let mut tickets: Vec<(u8, Ticket, u32)> = Vec::new();
    for (op, version) in ops.into_iter().take(200).zip(1..) {
        step(&tier, &mut model, &mut open, &mut tickets, op, version);
        check(&tier, &model, &open);
    }
    let held: u64 = open
        .iter()
        .map(|one| one.announced.unwrap_or(one.sent.len() as u64))
        .sum();
    assert_eq!(tier.filling_bytes(), held);
    drop(open);
    assert_eq!(tier.filling_bytes(), 0);
    tier.settle();
    assert_eq!(tier.entry_count(), model.stored.len() as u64);
});

fn step(
    tier: &MemoryTier<Head>,
    model: &mut Model,
    open: &mut Vec<Open>,
    tickets: &mut Vec<(u8, Ticket, u32)>,
    op: Op,
    version: u32,
) {
    let pick = |n: u8, open: &Vec<Open>| (!open.is_empty()).then(|| usize::from(n) % open.len());
    match op {
        Op::Begin { key: k, announced } => {
            let (k, announced) = (k % KEYS, announced.map(u64::from));
            let fill = tier
                .begin_fill(key(k), Head(version), announced)
                .expect("there is room");
            let reader = fill.reader();
            model.newest.insert(k, version);
            open.push(Open {
                fill,
                reader,
                key: k,
                version,
                announced,
                sent: Vec::new(),
            });
        }
        Op::Append { fill, len } => {
            let Some(i) = pick(fill, open) else { return };
            let one = &mut open[i];
            let sum = one.sent.len() as u64 + u64::from(len);
            let chunk = body(version, len);
            // A fill larger than an object may be becomes a relay, which is another target's concern.
            if sum > limits_of(tier) {
                return;
            }
            let fits = one.announced.is_none_or(|announced| sum <= announced);
            assert_eq!(one.fill.append(chunk.clone()).is_ok(), fits || len == 0);
            if fits {
                one.sent.extend_from_slice(&chunk);
            } else {
                let mut one = open.swap_remove(i);
                assert_eq!(
                    drain(&mut one.reader),
                    (one.sent, Some(Err(ReadError::Aborted)))
                );
                model.ended(one.key, one.version, None);
            }
        }
        Op::Finish { fill } => {
            let Some(i) = pick(fill, open) else { return };
            let mut one = open.swap_remove(i);
            let short = one
                .announced
                .is_some_and(|announced| (one.sent.len() as u64) < announced);
            let current = model.newest.get(&one.key) == Some(&one.version);
            match one.fill.finish() {
                Ok(Filled::Stored(object)) => {
                    assert!(!short && current);
                    assert_eq!(object.head().0, one.version);
                }
                Ok(Filled::NotStored(why)) => {
                    assert!(!short && !current && why == Refusal::Overtaken)
                }
                Err(_) => assert!(short),
            }
            let end = if short {
                Err(ReadError::Aborted)
            } else {
                Ok(())
            };
            assert_eq!(drain(&mut one.reader), (one.sent.clone(), Some(end)));
            model.ended(one.key, one.version, (!short).then_some(one.sent));
        }
        Op::Abort { fill } => {
            let Some(i) = pick(fill, open) else { return };
            let mut one = open.swap_remove(i);
            drop(one.fill);
            assert_eq!(
                drain(&mut one.reader),
                (one.sent, Some(Err(ReadError::Aborted)))
            );
            model.ended(one.key, one.version, None);
        }
        Op::Remove { key: k } => {
            let k = k % KEYS;
            let was = model.newest.remove(&k).is_some() | model.stored.remove(&k).is_some();
            assert_eq!(tier.remove(&key(k)), was);
            model.changes[usize::from(k)] += 1;
        }
        Op::Refresh { key: k } => {
            let k = k % KEYS;
            let refreshed = tier.update_head(&key(k), |_| Some(Head(version)));
            assert_eq!(refreshed.is_some(), model.stored.contains_key(&k));
            if let Some(entry) = model.stored.get_mut(&k) {
                entry.0 = version;
                model.changes[usize::from(k)] += 1;
            }
        }
        Op::Ticket { key: k } => {
            let k = k % KEYS;
            tickets.push((k, tier.ticket(&key(k)), model.changes[usize::from(k)]));
        }
        Op::Promote { ticket, len } => {
            let Some((k, ticket, then)) = tickets
                .get(usize::from(ticket) % tickets.len().max(1))
                .copied()
            else {
                return;
            };
            let may = then == model.changes[usize::from(k)] && !model.newest.contains_key(&k);
            let bytes = body(version, len);
            let given = tier.promote(ticket, key(k), Head(version), bytes.clone());
            assert_eq!(given.is_ok(), may);
            if may {
                model
                    .stored
                    .entry(k)
                    .or_insert_with(|| (version, bytes.to_vec()));
            }
        }
        Op::Relay { key: k, len } => {
            let mut relay = tier.begin_relay(key(k % KEYS), Head(version), None, Refusal::TooLarge);
            let mut reader = relay.reader();
            let bytes = body(version, len);
            relay
                .append(bytes.clone())
                .expect("no length was announced");
            assert_eq!(drain(&mut reader), (bytes.to_vec(), None));
        }
        Op::Range { key: k, start, end } => {
            let (k, range) = (k % KEYS, u64::from(start)..u64::from(end));
            let cut = |all: &[u8]| {
                let clamp = |at: u16| usize::from(at).min(all.len());
                all.get(clamp(start)..clamp(end))
                    .unwrap_or_default()
                    .to_vec()
            };
            match tier.lookup(&key(k)) {
                Lookup::Found(object) => {
                    let read: Vec<u8> = object.body().read_range(range).flatten().collect();
                    assert_eq!(read, cut(&model.stored[&k].1));
                }
                Lookup::Filling(mut reader) => {
                    reader.seek(range);
                    let one = open
                        .iter()
                        .find(|one| one.version == reader.head().0)
                        .expect("it is under way");
                    assert_eq!(drain(&mut reader).0, cut(&one.sent));
                }
                Lookup::Absent => {}
            }
        }
        Op::Settle => tier.settle(),
    }
}

fn check(tier: &MemoryTier<Head>, model: &Model, open: &[Open]) {
    for k in 0..KEYS {
        match (model.newest.get(&k), tier.lookup(&key(k))) {
            (Some(newest), Lookup::Filling(mut reader)) => {
                assert_eq!(reader.head().0, *newest);
                let one = open
                    .iter()
                    .find(|one| one.version == *newest)
                    .expect("it is under way");
                assert_eq!(drain(&mut reader), (one.sent.clone(), None));
            }
            (None, Lookup::Found(object)) => {
                let read: Vec<u8> = object.body().read().flatten().collect();
                assert_eq!(model.stored.get(&k), Some(&(object.head().0, read)));
            }
            (None, Lookup::Absent) => assert!(!model.stored.contains_key(&k)),
            (newest, other) => panic!("{newest:?} but {other:?}"),
        }
    }
}

fn key(n: u8) -> CacheKey {
    CacheKey::from_bytes([n; 16])
}

fn limits_of(tier: &MemoryTier<Head>) -> u64 {
    tier.limits().max_object
}

fn body(version: u32, len: u16) -> Bytes {
    vec![(version % 251) as u8; usize::from(len)].into()
}

/// What a reader gets without waiting, and how it stands then: `None` when it would wait.
fn drain(reader: &mut FillReader<Head>) -> (Vec<u8>, Option<Result<(), ReadError>>) {
    let mut all = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match pin!(reader.next_chunk()).poll(&mut context) {
            Poll::Ready(Ok(Some(chunk))) => all.extend_from_slice(&chunk),
            Poll::Ready(Ok(None)) => return (all, Some(Ok(()))),
            Poll::Ready(Err(error)) => return (all, Some(Err(error))),
            Poll::Pending => return (all, None),
        }
    }
}
