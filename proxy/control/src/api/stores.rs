//! The data of deployed key-value stores as functions read it: one cell a store, kept for as long as the node runs, so that a
//! write is seen by the functions that run and makes nothing be loaded anew (CP-204).

use std::{collections::HashMap, sync::Arc};

use fourfront_model::{KeyValueStore, StoreContents, StoreData};
use fourfront_store::{KvsData, Store};
use parking_lot::Mutex;

use super::{cloudfront::StoreDocument, time};

/// The cells by the ids of their stores.
#[derive(Debug, Default)]
pub(crate) struct Stores(Mutex<HashMap<String, Arc<KeyValueStore>>>);

impl Stores {
    /// The store as functions know it.
    pub(crate) fn of(
        &self,
        store: &Store,
        name: &str,
        document: &StoreDocument,
    ) -> Arc<KeyValueStore> {
        let mut cells = self.0.lock();
        if let Some(cell) = cells.get(&document.id).filter(|cell| cell.name == name) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(KeyValueStore {
            name: name.to_owned(),
            id: document.id.clone(),
            path: None,
            data: StoreData::new(contents(store.kvs_snapshot(&document.id).as_deref())),
        });
        cells.insert(document.id.clone(), Arc::clone(&cell));
        cell
    }

    /// Shows functions what a store holds now. Writes may come here in another order than they were made in, so it is read
    /// while no other is.
    pub(crate) fn refresh(&self, store: &Store, id: &str) {
        let cells = self.0.lock();
        if let Some(cell) = cells.get(id) {
            cell.data.set(contents(store.kvs_snapshot(id).as_deref()));
        }
    }

    /// Forgets stores that are no more.
    pub(crate) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.0.lock().retain(|id, _| is_there(id));
    }
}

fn contents(data: Option<&KvsData>) -> StoreContents {
    let entries = data.into_iter().flat_map(|data| data.entries(None));
    StoreContents {
        entries: entries
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
        created: time::of_millis(data.map_or(0, KvsData::created_at)),
        last_updated: time::of_millis(data.map_or(0, KvsData::modified_at)),
    }
}
