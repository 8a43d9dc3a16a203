//! The data of key-value stores: what functions read and the data plane writes (CP-200 to CP-204).

use std::{collections::HashSet, ops::Bound, sync::Arc};

use rpds::RedBlackTreeMapSync as Map;

use crate::{
    Store, StoreError,
    audit::{self, AuditChange, AuditEntry},
    error::{Fail, Trouble},
    etag::data_etag,
    kind::Kind,
    state::State,
    tables::{self, KVS, KVS_STORES, KvsRecord},
    writer::Txn,
};

/// The data of one store at one moment. It never changes: a function that runs keeps the one it began with (CP-204).
#[derive(Clone)]
pub struct KvsData {
    id: Arc<str>,
    entries: Map<Arc<str>, Arc<str>>,
    revision: u64,
    created_at: u64,
    modified_at: u64,
    bytes: u64,
}

impl KvsData {
    pub(crate) fn new(id: &str, record: &KvsRecord) -> Self {
        Self {
            id: id.into(),
            entries: Map::new_sync(),
            revision: record.revision,
            created_at: record.created_at,
            modified_at: record.modified_at,
            bytes: 0,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        self.entries.get(key)
    }

    /// Entries in the order of their keys' bytes, those after `after` alone; `after` need not exist (CP-047).
    pub fn entries<'a>(
        &'a self,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.entries.range::<str, _>((from, Bound::Unbounded))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.size()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values together, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.bytes
    }

    /// The data's ETag, which is not the store's (CP-157).
    #[must_use]
    pub fn etag(&self) -> String {
        data_etag(&self.id, self.revision)
    }

    /// When the data was created, in milliseconds since 1970.
    #[must_use]
    pub fn created_at(&self) -> u64 {
        self.created_at
    }

    /// When it last changed, in milliseconds since 1970.
    #[must_use]
    pub fn modified_at(&self) -> u64 {
        self.modified_at
    }

    pub(crate) fn put(&mut self, key: Arc<str>, value: Arc<str>) {
        self.delete(&key);
        self.bytes += entry_bytes(&key, &value);
        self.entries.insert_mut(key, value);
    }

    fn delete(&mut self, key: &str) -> bool {
        let Some(value) = self.entries.get(key) else {
            return false;
        };
        self.bytes -= entry_bytes(key, value);
        self.entries.remove_mut(key)
    }

    fn record(&self) -> KvsRecord {
        KvsRecord {
            revision: self.revision,
            created_at: self.created_at,
            modified_at: self.modified_at,
        }
    }
}

impl std::fmt::Debug for KvsData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KvsData")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

fn entry_bytes(key: &str, value: &str) -> u64 {
    u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX)
}

/// What a store may hold and one request may bring (CP-202). The default is CloudFront's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvsQuotas {
    /// Of all keys and values of a store. Default 5 MB (5 * 1024 * 1024).
    pub total_bytes: u64,
    /// Of one key. Default 512.
    pub key_bytes: usize,
    /// Of one value. Default 1024.
    pub value_bytes: usize,
    /// Puts and deletes of one request. Default 50.
    pub batch_entries: usize,
    /// Keys and values of one request. Default 3 MB (3 * 1024 * 1024).
    pub batch_bytes: u64,
}

impl Default for KvsQuotas {
    fn default() -> Self {
        Self {
            total_bytes: 5 << 20,
            key_bytes: 512,
            value_bytes: 1024,
            batch_entries: 50,
            batch_bytes: 3 << 20,
        }
    }
}

/// Puts and deletes that happen together (CP-202).
#[derive(Clone, Debug, Default)]
pub struct KvsRequest {
    /// Of the store.
    pub id: Arc<str>,
    /// The data's ETag that the writer saw; `None` writes whatever it is now.
    pub expected: Option<String>,
    /// Keys with their new values.
    pub puts: Vec<(Arc<str>, Arc<str>)>,
    /// Keys to remove. One that is not there changes nothing (CP-201).
    pub deletes: Vec<Arc<str>>,
    /// What is allowed.
    pub quotas: KvsQuotas,
    /// Now, in milliseconds since 1970.
    pub now: u64,
    /// Entered in the audit log with the data's revision before and after (CP-433).
    pub audit: Option<AuditEntry>,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvsApplied {
    /// The data's ETag now: another one when anything was put, or removed that was there (CP-201, CP-203).
    pub etag: String,
    /// Entries now.
    pub items: usize,
    /// Keys and values together now, in bytes.
    pub total_bytes: u64,
}

/// Why a request was refused. Nothing of it was done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvsError {
    /// There is no such store.
    #[error("there is no key-value store {id}")]
    Missing {
        /// As asked for.
        id: Arc<str>,
    },
    /// The data is not what the writer saw (CP-042).
    #[error("the data has changed: its ETag is {found}")]
    Conflict {
        /// The ETag now.
        found: String,
    },
    /// A key is put or deleted twice, or both (CP-202).
    #[error("the key {key:?} is named twice")]
    Repeated {
        /// The key.
        key: Arc<str>,
    },
    /// A key is empty.
    #[error("a key is empty")]
    EmptyKey,
    /// The request is too large (CP-202).
    #[error("a request may change {limit} {what}, and this one changes {asked}")]
    RequestTooLarge {
        /// `entries` or `bytes`.
        what: &'static str,
        /// The quota.
        limit: u64,
        /// What was asked for.
        asked: u64,
    },
    /// A quota of the store (CP-202).
    #[error("{what} may have {limit} bytes, and would have {asked}")]
    Quota {
        /// `a key`, `a value` or `a store`.
        what: &'static str,
        /// The quota, in bytes.
        limit: u64,
        /// What it would be, in bytes.
        asked: u64,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// The data of a key-value store as it is now; `None` when there is none.
    #[must_use]
    pub fn kvs_snapshot(&self, id: &str) -> Option<Arc<KvsData>> {
        self.shared().state.load().kvs.get(id).map(Arc::clone)
    }

    /// Does all of `request` or nothing, durably. It is visible to [`Self::kvs_snapshot`] before this returns (CP-204). A
    /// conflict or quota that can be seen at once waits for nobody (CP-203).
    ///
    /// # Errors
    /// Nothing was done, except that after [`KvsError::Store`] all of it may have been.
    pub fn kvs_apply(&self, request: KvsRequest) -> Result<KvsApplied, KvsError> {
        check(&self.shared().state.load(), &request)?;
        self.call(move |txn| apply(txn, request))
    }

    /// As [`Self::kvs_apply`], for tasks. The write goes through even if the future is dropped.
    ///
    /// # Errors
    /// As [`Self::kvs_apply`].
    pub async fn kvs_apply_async(&self, request: KvsRequest) -> Result<KvsApplied, KvsError> {
        check(&self.shared().state.load(), &request)?;
        self.call_async(move |txn| apply(txn, request)).await
    }
}

/// Everything a request can be refused for. Returns the data it is about.
fn check<'a>(state: &'a State, request: &KvsRequest) -> Result<&'a Arc<KvsData>, KvsError> {
    let data = state
        .kvs
        .get(&request.id)
        .ok_or_else(|| KvsError::Missing {
            id: Arc::clone(&request.id),
        })?;
    if let Some(expected) = &request.expected {
        let found = data.etag();
        if *expected != found {
            return Err(KvsError::Conflict { found });
        }
    }
    let quotas = &request.quotas;
    let keys = || {
        request
            .puts
            .iter()
            .map(|(key, _)| key)
            .chain(&request.deletes)
    };
    limit_request(
        "entries",
        number(quotas.batch_entries),
        number(keys().count()),
    )?;
    let mut named = HashSet::new();
    for key in keys() {
        if key.is_empty() {
            return Err(KvsError::EmptyKey);
        }
        limit_store("a key", number(quotas.key_bytes), number(key.len()))?;
        if !named.insert(key) {
            return Err(KvsError::Repeated {
                key: Arc::clone(key),
            });
        }
    }
    let mut brought = 0;
    let mut total = data.bytes;
    for (key, value) in &request.puts {
        limit_store("a value", number(quotas.value_bytes), number(value.len()))?;
        brought += entry_bytes(key, value);
        total += entry_bytes(key, value);
        total -= data.get(key).map_or(0, |old| entry_bytes(key, old));
    }
    for key in &request.deletes {
        brought += entry_bytes(key, "");
        total -= data.get(key).map_or(0, |old| entry_bytes(key, old));
    }
    limit_request("bytes", quotas.batch_bytes, brought)?;
    // Who is above the quota already, because it was lowered, may still make the store smaller.
    if total > data.bytes {
        limit_store("a store", quotas.total_bytes, total)?;
    }
    Ok(data)
}

fn limit_request(what: &'static str, limit: u64, asked: u64) -> Result<(), KvsError> {
    if asked > limit {
        return Err(KvsError::RequestTooLarge { what, limit, asked });
    }
    Ok(())
}

fn limit_store(what: &'static str, limit: u64, asked: u64) -> Result<(), KvsError> {
    if asked > limit {
        return Err(KvsError::Quota { what, limit, asked });
    }
    Ok(())
}

fn number(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn apply(txn: &mut Txn<'_>, request: KvsRequest) -> Result<KvsApplied, Fail<KvsError>> {
    let before = check(&txn.state, &request).map_err(Fail::Refused)?;
    let mut data = KvsData::clone(before);
    let revision_before = data.revision;
    let mut changed = !request.puts.is_empty();
    {
        let mut table = txn.db.open_table(KVS)?;
        for key in &request.deletes {
            if data.delete(key) {
                table.remove((&*request.id, &**key))?;
                changed = true;
            }
        }
        for (key, value) in request.puts {
            table.insert((&*request.id, &*key), &*value)?;
            data.put(key, value);
        }
    }
    if changed {
        data.revision = txn.next_revision();
        data.modified_at = request.now;
        save_record(txn, &data)?;
    }
    if let Some(mut entry) = request.audit {
        entry.changes = vec![AuditChange {
            kind: Kind::KeyValueStore,
            id: Arc::clone(&request.id),
            before: Some(revision_before),
            after: Some(data.revision),
        }];
        audit::append(txn, &entry)?;
    }
    let applied = KvsApplied {
        etag: data.etag(),
        items: data.len(),
        total_bytes: data.bytes,
    };
    if changed {
        txn.state.kvs.insert_mut(request.id, Arc::new(data));
    }
    Ok(applied)
}

/// The first data of a store.
pub(crate) fn create(
    txn: &mut Txn<'_>,
    id: &Arc<str>,
    entries: &[(Arc<str>, Arc<str>)],
    now: u64,
) -> Result<(), Trouble> {
    let mut data = KvsData::new(
        id,
        &KvsRecord {
            revision: txn.next_revision(),
            created_at: now,
            modified_at: now,
        },
    );
    {
        let mut table = txn.db.open_table(KVS)?;
        for (key, value) in entries {
            table.insert((&**id, &**key), &**value)?;
            data.put(Arc::clone(key), Arc::clone(value));
        }
    }
    save_record(txn, &data)?;
    txn.state.kvs.insert_mut(Arc::clone(id), Arc::new(data));
    Ok(())
}

/// All data of a store.
pub(crate) fn remove(txn: &mut Txn<'_>, id: &Arc<str>) -> Result<(), Trouble> {
    txn.db.open_table(KVS_STORES)?.remove(&**id)?;
    if let Some(data) = txn.state.kvs.get(id) {
        let mut table = txn.db.open_table(KVS)?;
        for key in data.entries.keys() {
            table.remove((&**id, &**key))?;
        }
    }
    txn.next_revision();
    txn.state.kvs.remove_mut(id);
    Ok(())
}

fn save_record(txn: &Txn<'_>, data: &KvsData) -> Result<(), Trouble> {
    let record = tables::encode(&data.record())?;
    txn.db
        .open_table(KVS_STORES)?
        .insert(&*data.id, record.as_slice())?;
    Ok(())
}
