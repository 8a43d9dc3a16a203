//! What every engine of a fleet has to do alike (CP-500), as checks that panic where one does not.
//!
//! An engine's crate calls [`fleet_conformance`] from a test, in a Tokio runtime.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{io::AsyncReadExt as _, time::timeout};

use super::{Feed, FleetError, FleetStore, Key};
use crate::{BlobId, Document, Kind};

/// How long an engine may take for what must come, and how long it is watched for what must not.
const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(50);

/// Runs every check, each on an engine that `make` gives it: a new one, with nothing in it.
///
/// # Panics
/// When the engine does not do what [`FleetStore`] says.
pub async fn fleet_conformance<S: FleetStore>(make: impl Fn() -> S) {
    a_document_is_written_only_where_it_is_expected(make()).await;
    one_of_many_writers_wins(make()).await;
    a_watch_begins_with_what_is_there_and_goes_on(make()).await;
    a_watch_resumes_and_tells_of_deletions(make()).await;
    blobs_are_what_their_names_say(make()).await;
    a_log_is_numbered_from_one_and_read_from_anywhere(make()).await;
    messages_reach_who_listens(make()).await;
}

fn key(id: &str) -> Key {
    Key {
        kind: Kind::Setting,
        id: id.into(),
    }
}

fn text(body: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(body.as_bytes()))
}

fn sure<T>(outcome: Result<T, FleetError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("the engine says: {error}"),
    }
}

async fn soon<T>(next: impl Future<Output = Result<T, FleetError>>) -> T {
    match timeout(PATIENCE, next).await {
        Ok(outcome) => sure(outcome),
        Err(_) => panic!("nothing came"),
    }
}

async fn silent<T>(next: impl Future<Output = Result<T, FleetError>>) {
    assert!(timeout(SILENCE, next).await.is_err(), "something came");
}

async fn a_document_is_written_only_where_it_is_expected(engine: impl FleetStore) {
    let key = key("a");
    assert_eq!(sure(engine.get(&key).await), None);
    let first = sure(engine.put_if(&key, 0, text("1"), "me").await);
    let found = sure(engine.get(&key).await);
    let found = found.as_deref();
    assert_eq!(found.map(|found| found.revision), Some(first));
    assert_eq!(found.and_then(|found| found.body.clone()), text("1"));
    assert_eq!(found.map(|found| &*found.author), Some("me"));

    for wrong in [0, first + 1] {
        let refused = engine.put_if(&key, wrong, text("2"), "me").await;
        assert!(
            matches!(refused, Err(FleetError::Conflict { found }) if found == Some(first)),
            "{refused:?}"
        );
    }
    let second = sure(engine.put_if(&key, first, text("2"), "me").await);
    assert!(second > first, "revisions rise");
    let third = sure(engine.put_if(&key, second, text("2"), "me").await);
    assert!(third > second, "an equal body is a write");

    let deleted = sure(engine.put_if(&key, third, None, "me").await);
    assert!(deleted > third);
    let tombstone = sure(engine.get(&key).await);
    let tombstone = tombstone.map(|found| (found.revision, found.body.clone()));
    assert_eq!(tombstone, Some((deleted, None)));
    let refused = engine.put_if(&key, third, text("3"), "me").await;
    assert!(matches!(refused, Err(FleetError::Conflict { found: None })));
    assert!(sure(engine.put_if(&key, 0, text("3"), "me").await) > deleted);
}

async fn one_of_many_writers_wins(engine: impl FleetStore) {
    let mut writers = Vec::new();
    for _ in 0..16 {
        let engine = engine.clone();
        writers.push(tokio::spawn(async move {
            engine.put_if(&key("a"), 0, text("1"), "me").await.is_ok()
        }));
    }
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap_or(false));
    }
    assert_eq!(won, 1);
}

fn seen(document: &Arc<Document>) -> (&str, u64, bool) {
    (&document.id, document.revision, document.body.is_some())
}

async fn a_watch_begins_with_what_is_there_and_goes_on(engine: impl FleetStore) {
    let a = sure(engine.put_if(&key("a"), 0, text("1"), "me").await);
    let b = sure(engine.put_if(&key("b"), 0, text("1"), "me").await);
    let again = sure(engine.put_if(&key("a"), a, text("2"), "me").await);
    let mut watch = sure(engine.watch_from(0).await);
    assert_eq!(seen(&soon(watch.next()).await), ("b", b, true));
    assert_eq!(seen(&soon(watch.next()).await), ("a", again, true));
    silent(watch.next()).await;
    let waiting = tokio::spawn(async move { soon(watch.next()).await });
    let c = sure(engine.put_if(&key("c"), 0, text("1"), "me").await);
    match waiting.await {
        Ok(document) => assert_eq!(seen(&document), ("c", c, true)),
        Err(error) => panic!("{error}"),
    }
}

async fn a_watch_resumes_and_tells_of_deletions(engine: impl FleetStore) {
    let a = sure(engine.put_if(&key("a"), 0, text("1"), "me").await);
    let b = sure(engine.put_if(&key("b"), 0, text("1"), "me").await);
    let deleted = sure(engine.put_if(&key("a"), a, None, "me").await);
    let mut watch = sure(engine.watch_from(b).await);
    assert_eq!(seen(&soon(watch.next()).await), ("a", deleted, false));
    silent(watch.next()).await;
}

async fn blobs_are_what_their_names_say(engine: impl FleetStore) {
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    let id = BlobId::of(&bytes);
    assert!(sure(engine.blob_get(id).await).is_none());
    let refused = engine.blob_put(id, &b"something else"[..]).await;
    assert!(matches!(refused, Err(FleetError::WrongHash { found }) if found != id));
    assert!(sure(engine.blob_get(id).await).is_none());
    sure(engine.blob_put(id, &*bytes).await);
    // Twice is once.
    sure(engine.blob_put(id, &*bytes).await);
    let Some(mut blob) = sure(engine.blob_get(id).await) else {
        panic!("the blob is not there");
    };
    let mut read = Vec::new();
    assert!(blob.read_to_end(&mut read).await.is_ok());
    assert_eq!(BlobId::of(&read), id);
    let empty = BlobId::of(b"");
    sure(engine.blob_put(empty, &b""[..]).await);
    assert!(sure(engine.blob_get(empty).await).is_some());
}

async fn a_log_is_numbered_from_one_and_read_from_anywhere(engine: impl FleetStore) {
    for number in 1..=300_u64 {
        let entry = Bytes::from(number.to_string());
        assert_eq!(sure(engine.append("log", entry).await), number);
    }
    let other = engine.append("other", Bytes::new()).await;
    assert_eq!(sure(other), 1, "logs are numbered each by itself");
    for from in [0, 1, 150, 300] {
        let mut log = sure(engine.log_from("log", from).await);
        for number in from.max(1)..=300 {
            let entry = soon(log.next()).await;
            assert_eq!(entry.number, number);
            assert_eq!(entry.entry, number.to_string());
        }
        silent(log.next()).await;
    }
    let mut log = sure(engine.log_from("log", 301).await);
    let mut unborn = sure(engine.log_from("unborn", 1).await);
    let waiting = tokio::spawn(async move { (soon(log.next()).await, soon(unborn.next()).await) });
    sure(engine.append("log", Bytes::from_static(b"new")).await);
    sure(engine.append("unborn", Bytes::from_static(b"born")).await);
    match waiting.await {
        Ok((new, born)) => {
            assert_eq!((new.number, &*new.entry), (301, &b"new"[..]));
            assert_eq!((born.number, &*born.entry), (1, &b"born"[..]));
        }
        Err(error) => panic!("{error}"),
    }
}

async fn messages_reach_who_listens(engine: impl FleetStore) {
    sure(
        engine
            .publish("log.d.f", Bytes::from_static(b"early"))
            .await,
    );
    let mut all = sure(engine.subscribe("log").await);
    let mut one = sure(engine.subscribe("log.d.f").await);
    let mut none = sure(engine.subscribe("lo").await);
    for subject in ["log.d.f", "log.d.g", "node.1"] {
        sure(engine.publish(subject, Bytes::from_static(b"x")).await);
    }
    assert_eq!(&*soon(all.next()).await.subject, "log.d.f");
    assert_eq!(&*soon(all.next()).await.subject, "log.d.g");
    assert_eq!(&*soon(one.next()).await.subject, "log.d.f");
    silent(all.next()).await;
    silent(one.next()).await;
    silent(none.next()).await;
}
