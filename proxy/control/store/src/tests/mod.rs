//! What a store promises, on a directory of its own and with times that the tests choose.

mod backup;
mod blobs;
mod disk;
mod documents;
mod kvs;
mod model;
mod opening;
mod releases;

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use crate::{
    Batch, Change, Committed, Expected, Kind, KvsChange, Options, Store, WriteError,
    fleet::{LocalFleet, conformance::fleet_conformance},
};

/// 2026-11-26, in milliseconds since 1970.
const NOW: u64 = 1_795_651_200_000;

struct Temporary {
    store: Option<Store>,
    dir: TempDir,
}

impl Temporary {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(Store::open(dir.path(), Options::default()).unwrap());
        Self { store, dir }
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Store::open(self.dir.path(), Options::default()).unwrap());
    }
}

impl std::ops::Deref for Temporary {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

fn change(kind: Kind, id: &str, expected: Expected, body: Option<&str>) -> Change {
    Change {
        kind,
        id: id.into(),
        expected,
        body: body.map(|body| Bytes::copy_from_slice(body.as_bytes())),
    }
}

fn batch(changes: Vec<Change>) -> Batch {
    Batch {
        changes,
        author: "FFTEST".into(),
        now: NOW,
        ..Batch::default()
    }
}

fn put(store: &Store, kind: Kind, id: &str, body: &str) -> u64 {
    let written = write(store, vec![change(kind, id, Expected::Any, Some(body))]);
    written.unwrap().revisions[0]
}

fn write(store: &Store, changes: Vec<Change>) -> Result<Committed, WriteError> {
    store.write(batch(changes))
}

fn body(store: &Store, kind: &Kind, id: &str) -> Option<Bytes> {
    store.get(kind, id)?.body.clone()
}

fn create_kvs(store: &Store, id: &str, entries: &[(&str, &str)]) {
    let create = KvsChange::Create {
        id: id.into(),
        entries: entries
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    };
    store
        .write(Batch {
            kvs: vec![create],
            now: NOW,
            ..Batch::default()
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_engine_conforms() {
    // CP-500: the store of one node does what every engine of a fleet must.
    let dirs = std::cell::RefCell::new(Vec::new());
    fleet_conformance(|| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        dirs.borrow_mut().push(dir);
        LocalFleet::new(store, Arc::new(|| NOW))
    })
    .await;
}

#[tokio::test]
async fn readers_of_what_was_dropped_are_told() {
    // CP-532, CP-502: a reader that would miss something is told so.
    use crate::fleet::{Feed as _, FleetError, FleetStore as _};
    let store = Temporary::new();
    let fleet = LocalFleet::new(store.clone(), Arc::new(|| NOW));
    for _ in 0..5 {
        store.append("log", Bytes::new(), NOW).unwrap();
    }
    let mut behind = fleet.log_from("log", 1).await.unwrap();
    store.log_trim("log", 4).unwrap();
    let refused = fleet.log_from("log", 3).await;
    assert!(matches!(
        refused,
        Err(FleetError::TooOld { asked: 3, first: 4 })
    ));
    let refused = behind.next().await;
    assert!(matches!(
        refused,
        Err(FleetError::TooOld { asked: 1, first: 4 })
    ));
    assert_eq!(
        fleet
            .log_from("log", 4)
            .await
            .unwrap()
            .next()
            .await
            .unwrap()
            .number,
        4
    );

    let early = put(&store, Kind::Role, "r", "1");
    let gone = write(&store, vec![change(Kind::Role, "r", Expected::Any, None)]).unwrap();
    let late = put(&store, Kind::Role, "s", "1");
    let references: crate::References = Arc::new(|_, _, _| Vec::new());
    store
        .collect_garbage(NOW + crate::TOMBSTONE_LIFETIME, &references)
        .unwrap();
    let refused = fleet.watch_from(early).await;
    let first = gone.revisions[0];
    assert!(matches!(refused, Err(FleetError::TooOld { first: found, .. }) if found == first));
    assert!(fleet.watch_from(first).await.is_ok());
    assert_eq!(
        fleet
            .watch_from(0)
            .await
            .unwrap()
            .next()
            .await
            .unwrap()
            .revision,
        late
    );
}
