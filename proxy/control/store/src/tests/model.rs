//! The store against a naive one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{HISTORY, KvsError, KvsQuotas, KvsRequest};

/// What a writer believes, said without knowing revisions.
#[derive(Clone, Copy, Debug)]
enum Belief {
    Any,
    Absent,
    Current,
    Stale,
}

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<(u8, Belief, Option<u8>)>),
    Kvs(bool, Vec<(u8, u8)>, Vec<u8>),
    Reopen,
}

fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![
        3 => Just(Belief::Any),
        2 => Just(Belief::Absent),
        4 => Just(Belief::Current),
        1 => Just(Belief::Stale)
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec((0_u8..5, belief(), prop::option::weighted(0.7, any::<u8>())), 0..4).prop_map(Op::Write),
        4 => (
            any::<bool>(),
            prop::collection::vec((0_u8..6, any::<u8>()), 0..4),
            prop::collection::vec(0_u8..6, 0..3)
        )
            .prop_map(|(stale, puts, deletes)| Op::Kvs(stale, puts, deletes)),
        1 => Just(Op::Reopen)
    ]
}

/// Each id's revisions, oldest first; a body of `None` is a deletion.
#[derive(Default)]
struct Naive {
    sequence: u64,
    documents: BTreeMap<u8, Vec<(u64, Option<u8>)>>,
    kvs: BTreeMap<String, String>,
}

const TOTAL: u64 = 20;

impl Naive {
    fn live(&self, id: u8) -> Option<u64> {
        let (revision, body) = self.documents.get(&id)?.last()?;
        body.map(|_| *revision)
    }

    fn expected(&self, id: u8, belief: Belief) -> Expected {
        match belief {
            Belief::Any => Expected::Any,
            Belief::Absent => Expected::Absent,
            Belief::Current => self.live(id).map_or(Expected::Absent, Expected::Revision),
            Belief::Stale => Expected::Revision(self.sequence + 1),
        }
    }

    /// The revisions; `None` for a refusal.
    fn write(&mut self, changes: &[(u8, Expected, Option<u8>)]) -> Option<Vec<u64>> {
        for (at, (id, expected, _)) in changes.iter().enumerate() {
            let twice = changes[..at].iter().any(|(other, ..)| other == id);
            let holds = match expected {
                Expected::Any => true,
                Expected::Absent => self.live(*id).is_none(),
                Expected::Revision(revision) => self.live(*id) == Some(*revision),
            };
            if twice || !holds {
                return None;
            }
        }
        let mut revisions = Vec::new();
        for (id, _, body) in changes {
            if body.is_none() && self.live(*id).is_none() {
                revisions.push(0);
                continue;
            }
            self.sequence += 1;
            self.documents
                .entry(*id)
                .or_default()
                .push((self.sequence, *body));
            revisions.push(self.sequence);
        }
        Some(revisions)
    }

    fn bytes(kvs: &BTreeMap<String, String>) -> u64 {
        kvs.iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }

    /// Whether it was done, and whether anything changed.
    fn kvs(&mut self, puts: &[(String, String)], deletes: &[String]) -> Option<bool> {
        let keys: Vec<&String> = puts.iter().map(|(key, _)| key).chain(deletes).collect();
        if (1..keys.len()).any(|at| keys[..at].contains(&keys[at])) {
            return None;
        }
        let mut after = self.kvs.clone();
        for key in deletes {
            after.remove(key);
        }
        after.extend(puts.iter().cloned());
        if Self::bytes(&after) > TOTAL && Self::bytes(&after) > Self::bytes(&self.kvs) {
            return None;
        }
        let changed = !puts.is_empty() || after != self.kvs;
        self.sequence += u64::from(changed);
        self.kvs = after;
        Some(changed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_does_what_a_naive_one_does(ops in prop::collection::vec(op(), 1..40)) {
        // CP-040, CP-202, CP-503, CP-560: any sequence of writes, refused ones and restarts among them.
        let mut store = Temporary::new();
        let mut naive = Naive::default();
        create_kvs(&store, "s", &[]);
        naive.sequence = 1;
        for op in ops {
            match op {
                Op::Reopen => store.reopen(),
                Op::Write(changes) => {
                    let changes: Vec<_> = changes
                        .into_iter()
                        .map(|(id, belief, body)| (id, naive.expected(id, belief), body))
                        .collect();
                    let asked = changes
                        .iter()
                        .map(|(id, expected, body)| {
                            let body = body.map(|body| body.to_string());
                            change(Kind::Role, &id.to_string(), *expected, body.as_deref())
                        })
                        .collect();
                    let done = write(&store, asked).ok().map(|committed| committed.revisions);
                    prop_assert_eq!(done, naive.write(&changes));
                }
                Op::Kvs(stale, puts, deletes) => {
                    let text = |number: u8| number.to_string();
                    let puts: Vec<_> = puts.into_iter().map(|(key, value)| (text(key), text(value))).collect();
                    let deletes: Vec<_> = deletes.into_iter().map(text).collect();
                    let before = store.kvs_snapshot("s").unwrap().etag();
                    let outcome = store.kvs_apply(KvsRequest {
                        id: "s".into(),
                        expected: Some(if stale { "E0000000000000".to_owned() } else { before.clone() }),
                        puts: puts.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
                        deletes: deletes.iter().map(|key| key.as_str().into()).collect(),
                        quotas: KvsQuotas { total_bytes: TOTAL, ..KvsQuotas::default() },
                        now: NOW,
                        audit: None,
                    });
                    if stale {
                        let conflict = matches!(outcome, Err(KvsError::Conflict { .. }));
                        prop_assert!(conflict);
                    } else {
                        let changed = outcome.as_ref().ok().map(|applied| applied.etag != before);
                        prop_assert_eq!(changed, naive.kvs(&puts, &deletes));
                    }
                }
            }
            prop_assert_eq!(store.snapshot().sequence(), naive.sequence);
            let data = store.kvs_snapshot("s").unwrap();
            let entries: BTreeMap<String, String> =
                data.entries(None).map(|(key, value)| (key.to_string(), value.to_string())).collect();
            prop_assert_eq!(data.total_bytes(), Naive::bytes(&entries));
            prop_assert_eq!(&entries, &naive.kvs);
        }
        store.reopen();
        for id in 0..5_u8 {
            let history = store.history(&Kind::Role, &id.to_string()).unwrap();
            let found: Vec<_> = history
                .iter()
                .map(|document| (document.revision, document.body.as_ref().map(|body| String::from_utf8(body.to_vec()).unwrap())))
                .collect();
            let wanted: Vec<_> = naive
                .documents
                .get(&id)
                .into_iter()
                .flat_map(|revisions| revisions.iter().rev().take(HISTORY))
                .map(|(revision, body)| (*revision, body.map(|body| body.to_string())))
                .collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
