use std::{sync::Barrier, thread};

use super::*;
use crate::{AuditEntry, Guard, HISTORY, TOMBSTONE_LIFETIME};

fn conflict(outcome: Result<Committed, WriteError>) -> (String, Option<u64>) {
    match outcome {
        Err(WriteError::Conflict { id, found, .. }) => (id.to_string(), found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_is_all_or_nothing() {
    // CP-040, CP-041, CP-503: a write happens where it was expected to, or not at all.
    let mut store = Temporary::new();
    let first = put(&store, Kind::Distribution, "A", "1");
    let refused = write(
        &store,
        vec![
            change(Kind::Distribution, "B", Expected::Absent, Some("1")),
            change(
                Kind::Distribution,
                "A",
                Expected::Revision(first + 9),
                Some("2"),
            ),
        ],
    );
    assert_eq!(conflict(refused), ("A".to_owned(), Some(first)));
    assert!(store.get(&Kind::Distribution, "B").is_none());
    let refused = write(
        &store,
        vec![change(Kind::Distribution, "A", Expected::Absent, Some("2"))],
    );
    assert_eq!(conflict(refused).1, Some(first));
    let refused = write(
        &store,
        vec![change(Kind::Distribution, "C", Expected::Revision(1), None)],
    );
    assert_eq!(conflict(refused), ("C".to_owned(), None));

    let done = write(
        &store,
        vec![
            change(Kind::Distribution, "B", Expected::Absent, Some("1")),
            change(
                Kind::Distribution,
                "A",
                Expected::Revision(first),
                Some("1"),
            ),
        ],
    )
    .unwrap();
    assert!(done.revisions[0] > first && done.revisions[1] > done.revisions[0]);
    let before = store.get(&Kind::Distribution, "A").unwrap();
    assert_ne!(
        before.etag(),
        crate::etag(&Kind::Distribution, "A", first),
        "an equal body is a write"
    );
    store.reopen();
    assert_eq!(store.get(&Kind::Distribution, "A").unwrap(), before);
}

#[test]
fn guards_refuse_without_being_written() {
    // CP-301: what a write depends on and leaves alone.
    let store = Temporary::new();
    let policy = put(&store, Kind::CachePolicy, "p", "1");
    let guarded = |expected| Batch {
        guards: vec![Guard {
            kind: Kind::CachePolicy,
            id: "p".into(),
            expected,
        }],
        ..batch(vec![change(
            Kind::Distribution,
            "A",
            Expected::Any,
            Some("1"),
        )])
    };
    assert_eq!(
        conflict(store.write(guarded(Expected::Absent))).1,
        Some(policy)
    );
    store.write(guarded(Expected::Revision(policy))).unwrap();
    assert_eq!(store.get(&Kind::CachePolicy, "p").unwrap().revision, policy);
}

#[test]
fn ids_and_repeats_are_checked() {
    // CP-560: what cannot be stored is refused by name.
    let store = Temporary::new();
    for wrong in ["", "a\nb", &"x".repeat(513)] {
        let refused = write(
            &store,
            vec![change(Kind::Role, wrong, Expected::Any, Some(""))],
        );
        assert!(
            matches!(refused, Err(WriteError::InvalidId { .. })),
            "{wrong:?}"
        );
    }
    let longest = "\u{e9}".repeat(256);
    put(&store, Kind::Role, &longest, "1");
    assert!(store.get(&Kind::Role, &longest).is_some());
    let twice = || change(Kind::Role, "r", Expected::Any, Some(""));
    assert!(matches!(
        write(&store, vec![twice(), twice()]),
        Err(WriteError::Repeated { .. })
    ));
}

#[test]
fn lists_are_in_the_order_of_ids() {
    // CP-044, CP-047: lists go on after what is no longer there.
    let store = Temporary::new();
    for id in ["b", "a", "d", "c"] {
        put(&store, Kind::KeyGroup, id, id);
        put(&store, Kind::PublicKey, &format!("{id}{id}"), id);
    }
    write(
        &store,
        vec![change(Kind::KeyGroup, "b", Expected::Any, None)],
    )
    .unwrap();
    let ids = |after, limit| -> Vec<String> {
        let list = store.list(&Kind::KeyGroup, after, limit);
        list.iter()
            .map(|document| document.id.to_string())
            .collect()
    };
    assert_eq!(ids(None, 10), ["a", "c", "d"]);
    assert_eq!(ids(None, 2), ["a", "c"]);
    assert_eq!(ids(Some("b"), 2), ["c", "d"]);
    assert_eq!(ids(Some("d"), 2), [""; 0]);
    assert_eq!(store.snapshot().count(&Kind::KeyGroup), 3);
    assert_eq!(store.snapshot().count(&Kind::Site), 0);
}

#[test]
fn the_history_holds_the_last_revisions() {
    // CP-560: sixteen revisions, newest first, deletions among them.
    let mut store = Temporary::new();
    assert_eq!(store.history(&Kind::Lambda, "f").unwrap(), []);
    let mut revisions: Vec<u64> = (0..30)
        .map(|n| put(&store, Kind::Lambda, "f", &n.to_string()))
        .collect();
    put(&store, Kind::Lambda, "f2", "neighbour");
    let deleted = write(&store, vec![change(Kind::Lambda, "f", Expected::Any, None)]).unwrap();
    revisions.extend(deleted.revisions);
    revisions.reverse();
    revisions.truncate(HISTORY);
    store.reopen();
    let history = store.history(&Kind::Lambda, "f").unwrap();
    let found: Vec<u64> = history.iter().map(|document| document.revision).collect();
    assert_eq!(found, revisions);
    assert_eq!(history[0].body, None);
    assert_eq!(history[1].body.as_deref(), Some(&b"29"[..]));
    assert_eq!(&*history[1].author, "FFTEST");
}

#[test]
fn tombstones_keep_the_last_revision_for_a_while() {
    // CP-502: a tombstone stays for thirty days, and the id is free meanwhile.
    let mut store = Temporary::new();
    let first = put(&store, Kind::Role, "r", "1");
    let gone = write(
        &store,
        vec![change(Kind::Role, "r", Expected::Revision(first), None)],
    );
    let gone = gone.unwrap().revisions[0];
    assert!(store.get(&Kind::Role, "r").is_none());
    assert_eq!(
        store.snapshot().get_any(&Kind::Role, "r").unwrap().revision,
        gone
    );
    let again = write(&store, vec![change(Kind::Role, "r", Expected::Any, None)]).unwrap();
    assert_eq!(
        again.revisions,
        [0],
        "deleting what is gone changes nothing"
    );
    assert_eq!(again.sequence, gone);

    let none: crate::References = Arc::new(|_, _, _| Vec::new());
    let early = store
        .collect_garbage(NOW + TOMBSTONE_LIFETIME - 1, &none)
        .unwrap();
    assert_eq!(early.tombstones, 0);
    assert_eq!(store.history(&Kind::Role, "r").unwrap().len(), 2);
    let late = store
        .collect_garbage(NOW + TOMBSTONE_LIFETIME, &none)
        .unwrap();
    assert_eq!(late.tombstones, 1);
    store.reopen();
    assert!(store.snapshot().get_any(&Kind::Role, "r").is_none());
    assert_eq!(store.history(&Kind::Role, "r").unwrap(), []);
    let reborn = put(&store, Kind::Role, "r", "1");
    assert!(reborn > gone, "no revision is given twice");
}

#[test]
fn concurrent_writers_lose_no_update() {
    // CP-503: of writers that expect the same, one gets it; the others learn what there is.
    let store = Temporary::new();
    put(&store, Kind::Setting, "n", "0");
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..25 {
                    loop {
                        let now = store.get(&Kind::Setting, "n").unwrap();
                        let text = std::str::from_utf8(now.body.as_ref().unwrap()).unwrap();
                        let next = (text.parse::<u64>().unwrap() + 1).to_string();
                        let expected = Expected::Revision(now.revision);
                        let change = change(Kind::Setting, "n", expected, Some(&next));
                        match write(&store, vec![change]) {
                            Ok(_) => break,
                            Err(WriteError::Conflict { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(body(&store, &Kind::Setting, "n").unwrap(), "200");
}

#[test]
fn a_snapshot_does_not_move() {
    // CP-505: who composes a configuration sees one moment, whatever is written meanwhile.
    let store = Temporary::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200 {
                let n = n.to_string();
                let both = ["a", "b"].map(|id| change(Kind::Site, id, Expected::Any, Some(&n)));
                write(&store, both.to_vec()).unwrap();
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let snapshot = store.snapshot();
            let [a, b] = ["a", "b"].map(|id| {
                snapshot
                    .get(&Kind::Site, id)
                    .and_then(|found| found.body.clone())
            });
            assert_eq!(a, b);
        }
    });
}

#[test]
fn unknown_kinds_are_kept() {
    // CP-560: a kind of a newer version survives this one.
    let mut store = Temporary::new();
    let kind: Kind = "of-2031".parse().unwrap();
    put(&store, kind.clone(), "x", "1");
    store.reopen();
    assert_eq!(body(&store, &kind, "x").unwrap(), "1");
}

#[test]
fn the_audit_log_tells_who_changed_what() {
    // CP-433: changes are entered with their revisions, refusals by whoever refused; the log is bounded.
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        audit_entries: 5,
        ..Options::default()
    };
    let store = Store::open(dir.path(), options.clone()).unwrap();
    let entry = |operation: &str| AuditEntry {
        at: NOW,
        key: "FFTEST".into(),
        source: "127.0.0.1".into(),
        operation: operation.into(),
        outcome: "ok".into(),
        ..AuditEntry::default()
    };
    let audited = |operation: &str, changes| Batch {
        audit: Some(entry(operation)),
        ..batch(changes)
    };
    let first = store
        .write(audited(
            "create",
            vec![change(Kind::Role, "r", Expected::Absent, Some("secret"))],
        ))
        .unwrap();
    store
        .write(audited(
            "delete",
            vec![change(Kind::Role, "r", Expected::Any, None)],
        ))
        .unwrap();
    let refused = store.write(audited(
        "late",
        vec![change(Kind::Role, "r", Expected::Revision(1), None)],
    ));
    assert!(refused.is_err(), "a refused write enters nothing by itself");
    for n in 0..3 {
        store.audit(vec![entry(&format!("refused-{n}"))]).unwrap();
    }
    let page = store.audit_page(None, 10).unwrap();
    let operations: Vec<&str> = page.iter().map(|(_, entry)| &*entry.operation).collect();
    assert_eq!(
        operations,
        ["refused-2", "refused-1", "refused-0", "delete", "create"]
    );
    let created = &page[4].1.changes[0];
    assert_eq!(
        (created.before, created.after),
        (None, Some(first.revisions[0]))
    );
    let deleted = &page[3].1.changes[0];
    assert_eq!(
        (deleted.before, deleted.after),
        (Some(first.revisions[0]), None)
    );
    drop(store);
    let store = Store::open(dir.path(), options).unwrap();
    store.audit(vec![entry("last")]).unwrap();
    let page = store.audit_page(None, 10).unwrap();
    assert_eq!(page.len(), 5);
    assert_eq!(&*page[0].1.operation, "last");
    let older = store.audit_page(Some(page[1].0), 2).unwrap();
    assert_eq!(&*older[0].1.operation, "refused-1");
}

#[test]
fn credentials_cursors_and_markers_are_kept() {
    // CP-430, CP-530: credentials come back as sealed as they were; cursors and the key of markers stay.
    let mut store = Temporary::new();
    assert!(
        !store
            .credential_put("K", Bytes::from_static(b"sealed"), NOW)
            .unwrap()
    );
    assert!(
        store
            .credential_put("K", Bytes::from_static(b"again"), NOW)
            .unwrap()
    );
    store
        .credential_put("L", Bytes::from_static(b"sealed"), NOW)
        .unwrap();
    store.set_cursor("invalidations", 7).unwrap();
    let marker = store.markers().sign("list", "K");
    store.reopen();
    assert_eq!(store.credential("K").unwrap().sealed, "again");
    assert!(!format!("{:?}", store.credential("K")).contains("again"));
    assert_eq!(store.credentials().len(), 2);
    assert!(store.credential_remove("L").unwrap());
    assert!(!store.credential_remove("L").unwrap());
    assert_eq!(store.cursor("invalidations"), Some(7));
    assert_eq!(store.markers().open("list", &marker).as_deref(), Ok("K"));
    store.set_marker_key([1; 32]).unwrap();
    store.reopen();
    assert!(store.markers().open("list", &marker).is_err());
    assert!(store.credential("L").is_none());
}

#[test]
fn credentials_change_together_with_their_entry_in_the_audit_log() {
    // CP-430, CP-433: a new key and the end of the old one are one write, which the log tells of; nothing is told of nothing.
    let mut store = Temporary::new();
    let sealed = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let entry = |operation: &str| {
        Some(AuditEntry {
            operation: operation.into(),
            outcome: "ok".into(),
            ..AuditEntry::default()
        })
    };
    let both = vec![("K".into(), sealed("old")), ("L".into(), sealed("new"))];
    let had = store.credentials_write(both, NOW, entry("make"));
    assert_eq!(had.unwrap(), [false, false]);
    let both = vec![("K".into(), None), ("M".into(), None)];
    let had = store.credentials_write(both, NOW, entry("remove"));
    assert_eq!(had.unwrap(), [true, false]);
    let none = store.credentials_write(vec![("K".into(), None)], NOW, entry("again"));
    assert_eq!(none.unwrap(), [false]);
    store.reopen();
    assert_eq!(store.credentials().len(), 1);
    let told = store.audit_page(None, 9).unwrap();
    let told: Vec<_> = told.iter().map(|(_, entry)| &*entry.operation).collect();
    assert_eq!(told, ["remove", "make"]);
}

#[test]
fn logs_are_read_from_both_ends() {
    // CP-142, CP-530: logs are read from both ends and trimmed.
    let mut store = Temporary::new();
    for n in 1..=5_u8 {
        let entry = Bytes::copy_from_slice(&[n]);
        assert_eq!(
            store
                .append("invalidations.E1", entry, NOW + u64::from(n))
                .unwrap(),
            u64::from(n)
        );
    }
    store.append("invalidations.E2", Bytes::new(), NOW).unwrap();
    store.log_trim("invalidations.E1", 3).unwrap();
    store.reopen();
    let log = "invalidations.E1";
    assert_eq!(store.log_ends(log), (3, 6));
    let numbers = |page: Vec<crate::LogEntry>| -> Vec<u64> {
        page.iter().map(|entry| entry.number).collect()
    };
    assert_eq!(numbers(store.log_from(log, 1, 10).unwrap()), [3, 4, 5]);
    assert_eq!(numbers(store.log_before(log, None, 2).unwrap()), [5, 4]);
    assert_eq!(numbers(store.log_before(log, Some(4), 2).unwrap()), [3]);
    assert_eq!(store.log_from(log, 5, 1).unwrap()[0].written_at, NOW + 5);
    store.log_trim(log, 99).unwrap();
    assert_eq!(store.log_ends(log), (6, 6));
    assert_eq!(
        store.append(log, Bytes::new(), NOW).unwrap(),
        6,
        "numbers go on"
    );
}

#[tokio::test]
async fn a_dropped_future_does_not_undo_its_write() {
    // CP-564: a write goes through although nobody waits for it any more.
    let store = Temporary::new();
    let write = store.write_async(batch(vec![change(
        Kind::Site,
        "s",
        Expected::Any,
        Some("1"),
    )]));
    let mut write = Box::pin(write);
    std::future::poll_fn(|context| {
        let _ = write.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(write);
    // The next one comes after it.
    store.set_cursor("after", 1).unwrap();
    assert_eq!(body(&store, &Kind::Site, "s").unwrap(), "1");
}
