use std::{fs, os::unix::fs::PermissionsExt as _};

use redb::WriteTransaction;

use super::*;
use crate::{
    StoreError,
    error::Trouble,
    open::open_file,
    tables::{DOCUMENTS, META_FORMAT, set_meta_number},
};

#[test]
fn a_store_is_open_once() {
    // CP-562: one process, and in it one store.
    let mut store = Temporary::new();
    let second = Store::open(store.dir(), Options::default());
    assert!(matches!(second, Err(StoreError::Locked { .. })));
    let clone = store.clone();
    store.store = None;
    let second = Store::open(store.dir.path(), Options::default());
    assert!(second.is_err(), "a clone still has it open");
    put(&clone, Kind::Site, "s", "1");
    drop(clone);
    store.store = Some(Store::open(store.dir.path(), Options::default()).unwrap());
    assert_eq!(body(&store, &Kind::Site, "s").unwrap(), "1");
}

#[test]
fn a_start_that_was_interrupted_is_begun_again() {
    // CP-564: a first start that ended early is begun again.
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("state.redb.creating"),
        b"half of a database",
    )
    .unwrap();
    fs::write(dir.path().join("state.redb"), b"").unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    put(&store, Kind::Site, "s", "1");
    assert!(!dir.path().join("state.redb.creating").exists());
}

#[test]
fn files_are_the_owners_alone() {
    // CP-430: it holds sealed secrets, so nobody else reads it.
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("made/by/us");
    let _store = Store::open(&dir, Options::default()).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.join("state.redb")), 0o600);
    assert_eq!(mode(dir), 0o700);
}

#[test]
fn a_newer_format_is_refused() {
    // CP-562: a newer format is refused by its number.
    let mut store = Temporary::new();
    store.store = None;
    let file = store.dir.path().join("state.redb");
    let db = open_file(&file, &Options::default()).unwrap();
    let txn = db.begin_write().unwrap();
    set_meta_number(&txn, META_FORMAT, 99).unwrap();
    txn.commit().unwrap();
    drop(db);
    let error = Store::open(store.dir.path(), Options::default()).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerFormat {
            found: 99,
            known: 1,
            ..
        }
    ));
    let text = error.to_string();
    assert!(text.contains("state.redb") && text.contains("99"), "{text}");
}

fn rename_a(txn: &WriteTransaction) -> Result<(), Trouble> {
    let mut documents = txn.open_table(DOCUMENTS)?;
    let record = documents
        .remove(("role", "a"))?
        .map(|record| record.value().to_vec());
    documents.insert(("role", "b"), record.unwrap_or_default().as_slice())?;
    Ok(())
}

fn fails(_: &WriteTransaction) -> Result<(), Trouble> {
    Err(Trouble::Damaged("cannot be migrated".to_owned()))
}

#[test]
fn a_migration_copies_the_file_first() {
    // CP-562: forward only, the file copied first; a migration that fails changes nothing.
    let mut store = Temporary::new();
    put(&store, Kind::Role, "a", "1");
    store.store = None;
    let dir = store.dir.path();
    let open = |migrations: &[_]| {
        Store::open_with(dir, Options::default(), Arc::new(open_file), migrations)
    };
    assert!(matches!(open(&[fails]), Err(StoreError::Damaged { .. })));
    let migrated = open(&[rename_a]).unwrap();
    assert!(migrated.get(&Kind::Role, "a").is_none());
    assert_eq!(body(&migrated, &Kind::Role, "b").unwrap(), "1");
    drop(migrated);
    drop(open(&[rename_a]).unwrap());
    let older = Store::open(dir, Options::default());
    assert!(matches!(
        older,
        Err(StoreError::NewerFormat { found: 2, .. })
    ));
    // The copy is the way back.
    fs::copy(dir.join("state.redb.format-1"), dir.join("state.redb")).unwrap();
    let back = Store::open(dir, Options::default()).unwrap();
    assert_eq!(body(&back, &Kind::Role, "a").unwrap(), "1");
}

#[test]
fn a_damaged_file_is_named() {
    // CP-564: an altered or foreign file is an error that names it, wherever it was altered, and never a panic.
    let mut store = Temporary::new();
    for n in 0..50 {
        put(&store, Kind::Role, &n.to_string(), &"x".repeat(500));
    }
    store.store = None;
    let file = store.dir.path().join("state.redb");
    let good = fs::read(&file).unwrap();
    let mut refused = 0;
    for at in (0..good.len()).step_by(509) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&file, bad).unwrap();
        match Store::open(store.dir.path(), Options::default()) {
            // A page that nothing uses, or a slot that the other one stands in for.
            Ok(store) => assert_eq!(store.list(&Kind::Role, None, 100).len(), 50),
            Err(error) => {
                assert!(error.to_string().contains("state.redb"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused}");
    fs::write(&file, b"something else entirely").unwrap();
    assert!(Store::open(store.dir.path(), Options::default()).is_err());
    fs::write(&file, good).unwrap();
    assert!(Store::open(store.dir.path(), Options::default()).is_ok());
}

#[test]
fn errors_name_the_path_and_what_the_system_said() {
    // CP-564: what the system says is in the message.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(file.join("store"), Options::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("file/store") && text.contains("Not a directory"),
        "{text}"
    );
}
