//! The tier against a model, in any order of operations.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// One step of the model test. Fills are named by their number modulo those that exist.
#[derive(Clone, Debug)]
enum Op {
    Begin { key: u8, announce: bool },
    Append { fill: usize, len: usize },
    Finish { fill: usize },
    Abort { fill: usize },
    Remove { key: u8 },
    Refresh { key: u8 },
    Ticket { key: u8 },
    Promote { ticket: usize, len: usize },
    Relay { key: u8, len: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (key, fill) = (0_u8..3, any::<usize>());
    let op = prop_oneof![
        3 => (key.clone(), any::<bool>()).prop_map(|(key, announce)| Op::Begin { key, announce }),
        5 => (fill, 0_usize..6_000).prop_map(|(fill, len)| Op::Append { fill, len }),
        3 => fill.prop_map(|fill| Op::Finish { fill }),
        1 => fill.prop_map(|fill| Op::Abort { fill }),
        1 => key.clone().prop_map(|key| Op::Remove { key }),
        1 => key.clone().prop_map(|key| Op::Refresh { key }),
        2 => key.clone().prop_map(|key| Op::Ticket { key }),
        3 => (fill, 0_usize..9_000).prop_map(|(ticket, len)| Op::Promote { ticket, len }),
        1 => (key, 0_usize..9_000).prop_map(|(key, len)| Op::Relay { key, len }),
    ];
    proptest::collection::vec(op, 1..60)
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

proptest! {
    /// The tier does what a map of complete objects and a map of each key's newest fill do (CF-222, CF-282, CF-802): a
    /// promotion stores only where nothing has happened to the key since its ticket, and a relay changes nothing.
    #[test]
    fn the_tier_behaves_like_two_maps(ops in ops()) {
        let tier = tier();
        let mut stored: HashMap<u8, (u32, Vec<u8>)> = HashMap::new();
        let mut newest: HashMap<u8, u32> = HashMap::new();
        let mut open: Vec<Open> = Vec::new();
        // How often a key was stored, given a head or removed, and tickets with what that was when they were taken.
        let mut changes = [0_u32; 3];
        let mut tickets: Vec<(u8, Ticket, u32)> = Vec::new();
        let mut version = 0;
        for op in ops {
            version += 1;
            let pick = |n: usize, open: &Vec<Open>| (!open.is_empty()).then(|| n % open.len());
            match op {
                Op::Begin { key: k, announce } => {
                    let announced = announce.then_some(5_000);
                    let fill = tier.begin_fill(key(k), head(version), announced).unwrap();
                    let reader = fill.reader();
                    open.push(Open { fill, reader, key: k, version, announced, sent: Vec::new() });
                    newest.insert(k, version);
                }
                Op::Append { fill, len } => if let Some(i) = pick(fill, &open) {
                    let chunk = vec![u8::try_from(version % 251).unwrap(); len];
                    let one = &mut open[i];
                    let fits = one.announced.is_none_or(|a| (one.sent.len() + len) as u64 <= a);
                    let done = one.fill.append(chunk.clone().into());
                    prop_assert_eq!(done.is_ok(), fits);
                    if fits {
                        one.sent.extend(chunk);
                    } else {
                        let mut one = open.swap_remove(i);
                        prop_assert_eq!(drain(&mut one.reader), (one.sent, Some(Err(ReadError::Aborted))));
                        if newest.get(&one.key) == Some(&one.version) {
                            newest.remove(&one.key);
                        }
                    }
                },
                Op::Finish { fill } => if let Some(i) = pick(fill, &open) {
                    let mut one = open.swap_remove(i);
                    let short = one.announced.is_some_and(|a| (one.sent.len() as u64) < a);
                    let done = one.fill.finish();
                    prop_assert_eq!(done.is_err(), short);
                    let end = if short { Err(ReadError::Aborted) } else { Ok(()) };
                    prop_assert_eq!(drain(&mut one.reader), (one.sent.clone(), Some(end)));
                    if newest.get(&one.key) == Some(&one.version) {
                        newest.remove(&one.key);
                        if !short {
                            stored.insert(one.key, (one.version, one.sent));
                            changes[usize::from(one.key)] += 1;
                        }
                    }
                },
                Op::Abort { fill } => if let Some(i) = pick(fill, &open) {
                    let mut one = open.swap_remove(i);
                    drop(one.fill);
                    prop_assert_eq!(drain(&mut one.reader), (one.sent, Some(Err(ReadError::Aborted))));
                    if newest.get(&one.key) == Some(&one.version) {
                        newest.remove(&one.key);
                    }
                },
                Op::Remove { key: k } => {
                    let was = newest.remove(&k).is_some() | stored.remove(&k).is_some();
                    prop_assert_eq!(tier.remove(&key(k)), was);
                    changes[usize::from(k)] += 1;
                }
                Op::Refresh { key: k } => {
                    let refreshed = tier.update_head(&key(k), |_| Some(head(version)));
                    prop_assert_eq!(refreshed.is_some(), stored.contains_key(&k));
                    if let Some(entry) = stored.get_mut(&k) {
                        entry.0 = version;
                        changes[usize::from(k)] += 1;
                    }
                }
                Op::Ticket { key: k } => {
                    tickets.push((k, tier.ticket(&key(k)), changes[usize::from(k)]));
                }
                Op::Promote { ticket, len } => if !tickets.is_empty() {
                    let (k, ticket, then) = tickets[ticket % tickets.len()];
                    let body = vec![u8::try_from(version % 251).unwrap(); len];
                    let given = tier.promote(ticket, key(k), head(version), body.clone().into());
                    let may = then == changes[usize::from(k)] && !newest.contains_key(&k);
                    prop_assert_eq!(given.is_ok(), may);
                    match given {
                        Ok(object) => {
                            let answers = stored.entry(k).or_insert((version, body));
                            let read: Vec<u8> = object.body().read().flatten().collect();
                            prop_assert_eq!(&*answers, &(object.head().version, read));
                        }
                        Err(back) => prop_assert_eq!(back, head(version)),
                    }
                },
                Op::Relay { key: k, len } => {
                    let mut relay = tier.begin_relay(key(k), head(version), None, Refusal::TooLarge);
                    let mut reader = relay.reader();
                    let chunk = vec![7; len];
                    prop_assert!(relay.append(chunk.clone().into()).is_ok());
                    prop_assert_eq!(drain(&mut reader), (chunk, None));
                }
            }
            for k in 0..3 {
                match (newest.get(&k), tier.lookup(&key(k))) {
                    (Some(newest), Lookup::Filling(mut reader)) => {
                        prop_assert_eq!(reader.head().version, *newest);
                        let one = open.iter().find(|o| o.version == *newest).unwrap();
                        prop_assert_eq!(drain(&mut reader), (one.sent.clone(), None));
                    }
                    (None, Lookup::Found(object)) => {
                        let body: Vec<u8> = object.body().read().flatten().collect();
                        prop_assert_eq!(stored.get(&k), Some(&(object.head().version, body)));
                    }
                    (None, Lookup::Absent) => prop_assert!(!stored.contains_key(&k)),
                    (newest, other) => prop_assert!(false, "{newest:?} but {other:?}"),
                }
            }
        }
        let held: usize = open.iter().map(|o| o.announced.map_or(o.sent.len(), |_| 5_000)).sum();
        prop_assert_eq!(tier.filling_bytes(), held as u64);
    }
}
