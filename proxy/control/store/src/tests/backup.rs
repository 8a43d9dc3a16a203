use std::{fs, path::Path, thread};

use super::*;
use crate::{AuditEntry, BlobId, StoreError, restore};

/// A store with something of everything.
fn filled() -> (Temporary, BlobId) {
    let store = Temporary::new();
    for n in 0..20 {
        put(&store, Kind::Lambda, "f", &n.to_string());
    }
    put(&store, Kind::Distribution, "D", &"x".repeat(2 << 20));
    put(&store, Kind::Role, "gone", "1");
    write(
        &store,
        vec![change(Kind::Role, "gone", Expected::Any, None)],
    )
    .unwrap();
    create_kvs(&store, "s", &[("a", "1"), ("b", "2")]);
    store
        .credential_put("K", Bytes::from_static(b"sealed"), NOW)
        .unwrap();
    store
        .audit(vec![AuditEntry {
            at: NOW,
            operation: "op".into(),
            ..AuditEntry::default()
        }])
        .unwrap();
    store
        .append("log", Bytes::from_static(b"entry"), NOW)
        .unwrap();
    store
        .append("log", Bytes::from_static(b"entry"), NOW)
        .unwrap();
    store.log_trim("log", 2).unwrap();
    store.set_cursor("c", 3).unwrap();
    let blob = store.blob_put(b"artifact").unwrap();
    store.blob_put(b"").unwrap();
    store
        .collect_garbage(
            NOW,
            &(Arc::new(|_: &Kind, _: &str, _: &[u8]| Vec::new()) as crate::References),
        )
        .unwrap();
    (store, blob)
}

fn backup(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.backup(&mut bytes, NOW).unwrap();
    bytes
}

fn assert_same(a: &Store, b: &Store) {
    let (left, right) = (a.snapshot().state, b.snapshot().state);
    assert_eq!(
        a.snapshot().changed_since(0, 1000),
        b.snapshot().changed_since(0, 1000)
    );
    assert_eq!(
        a.history(&Kind::Lambda, "f").unwrap(),
        b.history(&Kind::Lambda, "f").unwrap()
    );
    let kvs = |store: &Store| {
        let data = store.kvs_snapshot("s").unwrap();
        let entries: Vec<_> = data
            .entries(None)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        (data.etag(), data.created_at(), data.modified_at(), entries)
    };
    assert_eq!(kvs(a), kvs(b));
    assert_eq!(a.credentials(), b.credentials());
    assert_eq!(
        a.audit_page(None, 100).unwrap(),
        b.audit_page(None, 100).unwrap()
    );
    assert_eq!(
        (a.log_ends("log"), a.log_from("log", 0, 9).unwrap()),
        (b.log_ends("log"), b.log_from("log", 0, 9).unwrap())
    );
    assert_eq!(a.cursor("c"), b.cursor("c"));
    assert_eq!(left.idle_blobs, right.idle_blobs);
    assert_eq!(a.markers().sign("l", "p"), b.markers().sign("l", "p"));
    assert_eq!(
        crate::blob::all(a.dir()).unwrap(),
        crate::blob::all(b.dir()).unwrap()
    );
}

#[test]
fn a_backup_restores_everything() {
    // CP-562: everything comes back; new revisions are above all that the lost node can have given.
    let (store, blob) = filled();
    let bytes = backup(&store);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("new");
    let restored = restore(&*bytes, &to, false).unwrap();
    assert_eq!((restored.blobs, restored.header.created_at), (2, NOW));
    let again = Store::open(&to, Options::default()).unwrap();
    assert_same(&store, &again);
    assert_eq!(again.blob_read(&blob).unwrap().unwrap(), b"artifact");
    let lost = put(&store, Kind::Site, "s", "1");
    assert!(
        put(&again, Kind::Site, "s", "other") > lost,
        "CP-040: no ETag comes to mean something else"
    );
    drop(again);
    assert!(!to.join("state.redb.restoring").exists());
    // And once more from there.
    let again = Store::open(&to, Options::default()).unwrap();
    let third = dir.path().join("third");
    restore(&*backup(&again), &third, false).unwrap();
    assert_same(&again, &Store::open(&third, Options::default()).unwrap());
}

fn contents(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    found
}

#[test]
fn a_store_that_is_there_is_not_overwritten() {
    // CP-562: a node that runs is refused, one that does not is replaced only when asked for.
    let (store, _) = filled();
    let bytes = backup(&store);
    let mut other = Temporary::new();
    put(&other, Kind::Site, "mine", "1");
    assert!(matches!(
        restore(&*bytes, other.dir(), true),
        Err(StoreError::Locked { .. })
    ));
    other.store = None;
    let dir = other.dir.path();
    assert!(matches!(
        restore(&*bytes, dir, false),
        Err(StoreError::Exists { .. })
    ));
    let before = contents(dir);
    assert!(restore(&bytes[..bytes.len() / 2], dir, true).is_err());
    assert_eq!(contents(dir), before);
    let open = || Store::open(dir, Options::default()).unwrap();
    assert_eq!(body(&open(), &Kind::Site, "mine").unwrap(), "1");
    restore(&*bytes, dir, true).unwrap();
    assert_same(&store, &open());
    fs::rename(dir.join("state.redb.replaced"), dir.join("state.redb")).unwrap();
    assert_eq!(
        body(&open(), &Kind::Site, "mine").unwrap(),
        "1",
        "the replaced one is kept"
    );
}

#[test]
fn a_damaged_backup_leaves_nothing() {
    // CP-562: cut anywhere or altered anywhere, it is refused and nothing is left of it.
    let store = Temporary::new();
    put(&store, Kind::Site, "s", "1");
    store.blob_put(b"artifact").unwrap();
    let good = backup(&store);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("new");
    // Two blocks of zeros end an archive; they may be missing.
    let used = good.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in (0..used).step_by(211).chain([used - 1]) {
        let outcome = restore(&good[..cut], &to, false);
        assert!(
            matches!(
                outcome,
                Err(StoreError::Damaged { .. } | StoreError::Io { .. })
            ),
            "{cut}: {outcome:?}"
        );
        assert!(!to.exists());
    }
    let mut refused = 0;
    for at in (0..used).step_by(37) {
        let mut bad = good.clone();
        bad[at] ^= 0x11;
        match restore(&*bad, &to, false) {
            Err(_) => {
                assert!(!to.exists());
                refused += 1;
            }
            Ok(_) => {
                // What nobody reads: padding, and the owner's name in a header.
                let store = Store::open(&to, Options::default()).unwrap();
                assert_eq!(body(&store, &Kind::Site, "s").unwrap(), "1");
                drop(store);
                fs::remove_dir_all(&to).unwrap();
            }
        }
    }
    assert!(refused > 20, "{refused}");
    assert!(matches!(
        restore(&b"no archive at all"[..], &to, false),
        Err(StoreError::Damaged { .. })
    ));
    restore(&*good, &to, false).unwrap();
}

#[test]
fn a_damaged_blob_ends_a_backup() {
    // CP-561: a blob that is not what was written spoils no backup in silence.
    let (store, blob) = filled();
    fs::write(store.blob_path(&blob), b"artifice").unwrap();
    let error = store.backup(std::io::sink(), NOW).unwrap_err();
    assert!(error.to_string().contains(&blob.to_string()), "{error}");
}

#[test]
fn a_backup_while_writing_is_of_one_moment() {
    // CP-708: a backup while writing is one moment of the store.
    let store = Temporary::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                let blob = store.blob_put(format!("blob {n}").as_bytes()).unwrap();
                let text = blob.to_string();
                let both =
                    ["a", "b"].map(|id| change(Kind::Lambda, id, Expected::Any, Some(&text)));
                write(&store, both.to_vec()).unwrap();
            }
        });
        let mut last = 0;
        for _ in 0..10 {
            let mut bytes = Vec::new();
            let header = store.backup(&mut bytes, NOW).unwrap();
            let dir = tempfile::tempdir().unwrap();
            restore(&*bytes, dir.path(), false).unwrap();
            let copy = Store::open(dir.path(), Options::default()).unwrap();
            let [a, b] = ["a", "b"].map(|id| body(&copy, &Kind::Lambda, id));
            assert_eq!(a, b);
            if let Some(text) = a {
                let blob: BlobId = std::str::from_utf8(&text).unwrap().parse().unwrap();
                assert!(
                    copy.blob_read(&blob).unwrap().is_some(),
                    "what a document names is in the backup"
                );
            }
            assert!(header.sequence >= last);
            last = header.sequence;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(last > 0);
    });
}
