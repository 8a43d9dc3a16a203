use std::{fs, str};

use super::*;
use crate::{BLOB_GRACE, BlobId, References, ReleaseDraft, StoreError};

/// A body names blobs as words.
fn references() -> References {
    Arc::new(|_, _, body| {
        str::from_utf8(body)
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    })
}

fn blobs_on_disk(store: &Store) -> usize {
    crate::blob::all(store.dir()).unwrap().len()
}

#[test]
fn a_blob_is_kept_under_its_hash() {
    // CP-561: a blob is there under its hash, or not at all.
    let mut store = Temporary::new();
    let mut writer = store.blob_writer().unwrap();
    writer.write(b"hello ").unwrap();
    writer.write(b"world").unwrap();
    assert_eq!(writer.size(), 11);
    let id = writer.finish().unwrap();
    assert_eq!(
        id.to_string(),
        "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    );
    assert_eq!(id, id.to_string().parse().unwrap());
    assert!(store.blob_path(&id).ends_with(format!("blobs/b9/{id}")));
    store.blob_writer().unwrap().write(b"dropped").unwrap();
    store.reopen();
    assert_eq!(store.blob_read(&id).unwrap().unwrap(), b"hello world");
    let absent = BlobId::of(b"dropped");
    assert!(!store.blob_has(&absent) && store.blob_read(&absent).unwrap().is_none());
    assert!(store.blob_open(&absent).unwrap().is_none());
}

#[test]
fn names_of_blobs_are_checked() {
    // CP-561: what is no name of a blob cannot lead out of the directory.
    let good = "ab".repeat(32);
    for wrong in [
        "",
        "..",
        &good[1..],
        &good.to_uppercase(),
        &"../".repeat(21),
        &format!("{good}a"),
    ] {
        assert!(wrong.parse::<BlobId>().is_err(), "{wrong}");
    }
    assert!(good.parse::<BlobId>().is_ok());
}

#[test]
fn a_start_removes_what_was_not_complete() {
    // CP-561: a writer that was interrupted leaves a temporary file, and the next start removes it.
    let mut store = Temporary::new();
    let left = store.dir().join("blobs/tmp/left");
    fs::write(&left, b"half").unwrap();
    store.reopen();
    assert!(!left.exists());
}

#[test]
fn a_damaged_blob_is_named() {
    // CP-561: damage is found, named, and healed by the same bytes.
    let store = Temporary::new();
    let id = store.blob_put(b"artifact").unwrap();
    fs::write(store.blob_path(&id), b"artifice").unwrap();
    let error = store.blob_read(&id).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }));
    assert!(error.to_string().contains(&id.to_string()), "{error}");
    store.blob_put(b"artifact").unwrap();
    assert_eq!(store.blob_read(&id).unwrap().unwrap(), b"artifact");
}

#[test]
fn blobs_go_when_nothing_named_them_for_seven_days() {
    // CP-561: seven days without a name, counted from when that was first seen.
    let mut store = Temporary::new();
    let [named, released, lost] =
        [&b"1"[..], b"2", b"3"].map(|bytes| store.blob_put(bytes).unwrap());
    put(&store, Kind::Lambda, "f", &format!("code {named}"));
    let draft = ReleaseDraft {
        id: "r".into(),
        stack: "s".into(),
        message: "".into(),
    };
    let version = format!("code {released}");
    let member = change(Kind::LambdaVersion, "f:1", Expected::Any, Some(&version));
    store
        .write(Batch {
            release: Some(draft),
            ..batch(vec![member])
        })
        .unwrap();
    // The release still holds it, so it can be activated again.
    write(
        &store,
        vec![change(Kind::LambdaVersion, "f:1", Expected::Any, None)],
    )
    .unwrap();

    let collect = |store: &Store, now| store.collect_garbage(now, &references()).unwrap();
    assert_eq!(
        (collect(&store, NOW).waiting, blobs_on_disk(&store)),
        (1, 3)
    );
    store.reopen();
    assert_eq!(collect(&store, NOW + BLOB_GRACE - 1).blobs, 0);
    let done = collect(&store, NOW + BLOB_GRACE);
    assert_eq!((done.blobs, done.bytes, done.waiting), (1, 1, 0));
    assert!(!store.blob_has(&lost));

    // Named again in time: the seven days begin anew.
    write(&store, vec![change(Kind::Lambda, "f", Expected::Any, None)]).unwrap();
    collect(&store, NOW);
    put(&store, Kind::Lambda, "f", &named.to_string());
    collect(&store, NOW + BLOB_GRACE);
    write(&store, vec![change(Kind::Lambda, "f", Expected::Any, None)]).unwrap();
    assert_eq!(collect(&store, NOW + BLOB_GRACE).waiting, 1);
    assert!(store.blob_has(&named) && store.blob_has(&released));
}

#[test]
fn writing_a_blob_again_keeps_it() {
    // CP-561: who writes or asks to keep a blob that is about to go has its seven days.
    let store = Temporary::new();
    let [again, kept, gone] = [&b"1"[..], b"2", b"3"].map(|bytes| store.blob_put(bytes).unwrap());
    store.collect_garbage(NOW, &references()).unwrap();
    store.blob_put(b"1").unwrap();
    assert!(store.blob_keep(&kept).unwrap());
    let done = store
        .collect_garbage(NOW + BLOB_GRACE, &references())
        .unwrap();
    assert_eq!((done.blobs, done.waiting), (1, 2));
    assert!(store.blob_has(&again) && store.blob_has(&kept) && !store.blob_has(&gone));
    assert!(!store.blob_keep(&gone).unwrap());
}
