use std::thread;

use super::*;
use crate::{KvsError, KvsQuotas, KvsRequest};

fn request(expected: Option<&str>, puts: &[(&str, &str)], deletes: &[&str]) -> KvsRequest {
    KvsRequest {
        id: "s".into(),
        expected: expected.map(str::to_owned),
        puts: puts
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        deletes: deletes.iter().map(|key| (*key).into()).collect(),
        now: NOW,
        ..KvsRequest::default()
    }
}

#[test]
fn the_etag_follows_the_data() {
    // CP-157, CP-201, CP-203: which writes change the data's ETag.
    let mut store = Temporary::new();
    assert!(store.kvs_snapshot("s").is_none());
    assert!(matches!(
        store.kvs_apply(request(None, &[], &[])),
        Err(KvsError::Missing { .. })
    ));
    create_kvs(&store, "s", &[("a", "1")]);
    let first = store.kvs_snapshot("s").unwrap();
    assert!(crate::is_etag(&first.etag()));
    let same = store
        .kvs_apply(request(Some(&first.etag()), &[], &["absent"]))
        .unwrap();
    assert_eq!(
        same.etag,
        first.etag(),
        "deleting what is not there changes nothing"
    );
    let put = store
        .kvs_apply(request(
            Some(&same.etag),
            &[("a", "1"), ("b/\u{e9} ", "22")],
            &[],
        ))
        .unwrap();
    assert_ne!(put.etag, same.etag);
    assert_eq!((put.items, put.total_bytes), (2, 2 + 5 + 2));
    match store.kvs_apply(request(Some(&same.etag), &[("a", "2")], &[])) {
        Err(KvsError::Conflict { found }) => assert_eq!(found, put.etag),
        other => panic!("{other:?}"),
    }
    let equal = store
        .kvs_apply(request(Some(&put.etag), &[("a", "1")], &[]))
        .unwrap();
    assert_ne!(equal.etag, put.etag, "an equal value is a write");
    assert_eq!(first.len(), 1, "CP-204: who holds an older one keeps it");
    store.reopen();
    let now = store.kvs_snapshot("s").unwrap();
    assert_eq!(
        (now.etag(), now.total_bytes(), now.len()),
        (equal.etag, equal.total_bytes, 2)
    );
    assert_eq!(now.get("b/\u{e9} ").map(|value| &**value), Some("22"));
    assert!(
        store.kvs_apply(request(None, &[], &["a"])).is_ok(),
        "who expects nothing meets no conflict"
    );
}

#[test]
fn a_request_is_held_against_the_quotas() {
    // CP-202: all or nothing, and within the quotas.
    let store = Temporary::new();
    create_kvs(&store, "s", &[("a", "1")]);
    let before = store.kvs_snapshot("s").unwrap().etag();
    let long_key = "k".repeat(513);
    let long_value = "v".repeat(1025);
    let keys: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, "")).collect();
    let asked =
        |puts: &[(&str, &str)], deletes: &[&str]| store.kvs_apply(request(None, puts, deletes));
    assert!(matches!(
        asked(&[("x", "1"), (&long_key, "")], &[]),
        Err(KvsError::Quota {
            what: "a key",
            limit: 512,
            asked: 513
        })
    ));
    assert!(matches!(
        asked(&[("x", &long_value)], &[]),
        Err(KvsError::Quota {
            what: "a value",
            ..
        })
    ));
    assert!(matches!(
        asked(&many, &[]),
        Err(KvsError::RequestTooLarge {
            what: "entries",
            limit: 50,
            asked: 51
        })
    ));
    assert!(matches!(
        asked(&[("x", "")], &["x"]),
        Err(KvsError::Repeated { .. })
    ));
    assert!(matches!(
        asked(&[("x", ""), ("x", "")], &[]),
        Err(KvsError::Repeated { .. })
    ));
    assert!(matches!(asked(&[("", "")], &[]), Err(KvsError::EmptyKey)));
    let small = |total_bytes, batch_bytes, puts: &[(&str, &str)], deletes: &[&str]| {
        store.kvs_apply(KvsRequest {
            quotas: KvsQuotas {
                total_bytes,
                batch_bytes,
                ..KvsQuotas::default()
            },
            ..request(None, puts, deletes)
        })
    };
    assert!(matches!(
        small(4, 99, &[("b", "22")], &[]),
        Err(KvsError::Quota {
            what: "a store",
            limit: 4,
            asked: 5
        })
    ));
    assert!(matches!(
        small(99, 2, &[("b", "22")], &[]),
        Err(KvsError::RequestTooLarge { what: "bytes", .. })
    ));
    assert_eq!(
        store.kvs_snapshot("s").unwrap().etag(),
        before,
        "nothing of them was done"
    );
    small(5, 99, &[("b", "22")], &[]).unwrap();
    small(5, 99, &[("c", "22")], &["b"]).unwrap();
    small(1, 99, &[], &["c"]).unwrap();
}

#[test]
fn one_of_many_writers_wins() {
    // CP-203: writers that expect the same do not wait for each other's success.
    let store = Temporary::new();
    create_kvs(&store, "s", &[]);
    let etag = store.kvs_snapshot("s").unwrap().etag();
    let won: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let (store, etag) = (&store, &etag);
                scope.spawn(move || {
                    let key = n.to_string();
                    let outcome = store.kvs_apply(request(Some(etag), &[(&key, "")], &[]));
                    assert!(
                        matches!(outcome, Ok(_) | Err(KvsError::Conflict { .. })),
                        "{outcome:?}"
                    );
                    usize::from(outcome.is_ok())
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(won, 1);
    assert_eq!(store.kvs_snapshot("s").unwrap().len(), 1);
}

#[test]
fn data_is_created_and_removed_with_its_document() {
    // CP-046, CP-156, CP-158: data comes and goes with the store's document, in one write.
    let mut store = Temporary::new();
    create_kvs(&store, "other", &[("a", "1")]);
    let create = KvsChange::Create {
        id: "s".into(),
        entries: vec![
            ("k".into(), "old".into()),
            ("k".into(), "new".into()),
            ("j".into(), "1".into()),
        ],
    };
    let with = |kvs, changes| Batch {
        kvs: vec![kvs],
        ..batch(changes)
    };
    let document = |expected, body| vec![change(Kind::KeyValueStore, "name", expected, body)];
    store
        .write(with(create.clone(), document(Expected::Absent, Some("{}"))))
        .unwrap();
    let refused = store.write(with(create, document(Expected::Any, Some("{1}"))));
    assert!(matches!(
        refused,
        Err(WriteError::KvsData { exists: true, .. })
    ));
    assert_eq!(body(&store, &Kind::KeyValueStore, "name").unwrap(), "{}");
    store.reopen();
    let data = store.kvs_snapshot("s").unwrap();
    let keys = |after| -> Vec<String> {
        data.entries(after)
            .map(|(key, _)| key.to_string())
            .collect()
    };
    assert_eq!(
        (keys(None), keys(Some("jj"))),
        (vec!["j".to_owned(), "k".to_owned()], vec!["k".to_owned()])
    );
    assert_eq!(data.get("k").map(|value| &**value), Some("new"));
    assert_eq!(data.total_bytes(), 2 + 4);

    let remove = KvsChange::Remove { id: "s".into() };
    store
        .write(with(remove.clone(), document(Expected::Any, None)))
        .unwrap();
    let refused = store.write(with(remove, vec![]));
    assert!(matches!(
        refused,
        Err(WriteError::KvsData { exists: false, .. })
    ));
    store.reopen();
    assert!(store.kvs_snapshot("s").is_none());
    assert_eq!(store.kvs_snapshot("other").unwrap().len(), 1);
}
