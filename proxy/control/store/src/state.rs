//! The copy of the current state in memory, from which everything hot is read.
//!
//! It is made of maps that share what did not change, so a [`State`] is cheap to clone: the writer works on a clone and
//! publishes it after the commit, and whoever holds an older one keeps it (CP-204, CP-505).

use std::{collections::BTreeMap, str::FromStr as _, sync::Arc};

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable as _};
use rpds::RedBlackTreeMapSync as Map;

use crate::{
    blob::BlobId,
    document::Document,
    error::Trouble,
    kind::Kind,
    kvs::KvsData,
    marker::Markers,
    tables::{
        self, AUDIT, CREDENTIALS, CURSORS, CredentialRecord, DOCUMENTS, DocumentRecord, IDLE_BLOBS,
        KVS, KVS_STORES, KvsRecord, LOG_ENDS, META, META_MARKERS, META_PURGED, META_SEQUENCE,
    },
};

/// INVARIANT: what a committed transaction left in the database, history, logs and audit entries themselves aside.
#[derive(Clone)]
pub(crate) struct State {
    /// The last number given to a revision, of documents and of the data of key-value stores alike.
    pub(crate) sequence: u64,
    /// The highest revision of a tombstone that was dropped for its age.
    pub(crate) purged: u64,
    pub(crate) documents: BTreeMap<Kind, Map<Arc<str>, Arc<Document>>>,
    /// The current revision of each document, tombstones among them, to the document.
    pub(crate) by_revision: Map<u64, Arc<Document>>,
    pub(crate) kvs: Map<Arc<str>, Arc<KvsData>>,
    pub(crate) credentials: Map<Arc<str>, Arc<Credential>>,
    /// First kept and next number.
    pub(crate) audit: (u64, u64),
    /// First kept and next number of each log.
    pub(crate) logs: Map<Arc<str>, (u64, u64)>,
    pub(crate) cursors: Map<Arc<str>, u64>,
    pub(crate) idle_blobs: Map<BlobId, u64>,
    pub(crate) markers: Markers,
}

/// A credential, sealed: the store cannot read it (CP-430).
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// When it was written, in milliseconds since 1970.
    pub written_at: u64,
    /// As it was handed in.
    pub sealed: Bytes,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("written_at", &self.written_at)
            .finish_non_exhaustive()
    }
}

impl State {
    /// A document or its tombstone.
    pub(crate) fn record(&self, kind: &Kind, id: &str) -> Option<&Arc<Document>> {
        self.documents.get(kind)?.get(id)
    }

    /// The revision of a document that exists.
    pub(crate) fn live_revision(&self, kind: &Kind, id: &str) -> Option<u64> {
        self.record(kind, id)
            .filter(|document| document.body.is_some())
            .map(|document| document.revision)
    }

    pub(crate) fn insert(&mut self, document: Arc<Document>) {
        let of_kind = self.documents.entry(document.kind.clone()).or_default();
        if let Some(before) = of_kind.get(&document.id) {
            self.by_revision.remove_mut(&before.revision);
        }
        of_kind.insert_mut(Arc::clone(&document.id), Arc::clone(&document));
        self.by_revision.insert_mut(document.revision, document);
    }

    pub(crate) fn remove(&mut self, document: &Document) {
        if let Some(of_kind) = self.documents.get_mut(&document.kind) {
            of_kind.remove_mut(&document.id);
        }
        self.by_revision.remove_mut(&document.revision);
    }

    /// Reads everything from the database.
    pub(crate) fn load(txn: &ReadTransaction) -> Result<Self, Trouble> {
        let mut state = Self {
            sequence: tables::meta_number(txn, META_SEQUENCE)?,
            purged: tables::meta_number(txn, META_PURGED)?,
            documents: BTreeMap::new(),
            by_revision: Map::new_sync(),
            kvs: load_kvs(txn)?,
            credentials: Map::new_sync(),
            audit: load_audit(txn)?,
            logs: Map::new_sync(),
            cursors: Map::new_sync(),
            idle_blobs: Map::new_sync(),
            markers: load_markers(txn)?,
        };
        for entry in txn.open_table(DOCUMENTS)?.iter()? {
            let (key, value) = entry?;
            let (kind, id) = key.value();
            state.insert(Arc::new(read_document(kind, id, value.value())?));
        }
        for entry in txn.open_table(CREDENTIALS)?.iter()? {
            let (id, value) = entry?;
            let record: CredentialRecord<'_> =
                tables::decode(value.value(), || format!("credential {}", id.value()))?;
            let credential = Credential {
                written_at: record.written_at,
                sealed: Bytes::copy_from_slice(record.sealed),
            };
            state
                .credentials
                .insert_mut(id.value().into(), Arc::new(credential));
        }
        for entry in txn.open_table(LOG_ENDS)?.iter()? {
            let (log, ends) = entry?;
            state.logs.insert_mut(log.value().into(), ends.value());
        }
        for entry in txn.open_table(CURSORS)?.iter()? {
            let (name, at) = entry?;
            state.cursors.insert_mut(name.value().into(), at.value());
        }
        for entry in txn.open_table(IDLE_BLOBS)?.iter()? {
            let (blob, since) = entry?;
            let blob = BlobId::from_str(blob.value())
                .map_err(|error| Trouble::Damaged(format!("an idle blob: {error}")))?;
            state.idle_blobs.insert_mut(blob, since.value());
        }
        Ok(state)
    }
}

/// A document from its key and record.
pub(crate) fn read_document(kind: &str, id: &str, bytes: &[u8]) -> Result<Document, Trouble> {
    let record: DocumentRecord<'_> = tables::decode(bytes, || format!("document {kind} {id}"))?;
    Ok(Document {
        kind: Kind::from_str(kind)
            .map_err(|error| Trouble::Damaged(format!("a document's kind: {error}")))?,
        id: id.into(),
        revision: record.revision,
        created_at: record.created_at,
        written_at: record.written_at,
        author: record.author.into(),
        note: record.note.into(),
        body: record.body.map(Bytes::copy_from_slice),
    })
}

/// The record of a document.
pub(crate) fn write_document(document: &Document) -> Result<Vec<u8>, Trouble> {
    tables::encode(&DocumentRecord {
        revision: document.revision,
        created_at: document.created_at,
        written_at: document.written_at,
        author: &document.author,
        note: &document.note,
        body: document.body.as_deref(),
    })
}

fn load_kvs(txn: &ReadTransaction) -> Result<Map<Arc<str>, Arc<KvsData>>, Trouble> {
    let mut stores = BTreeMap::new();
    for entry in txn.open_table(KVS_STORES)?.iter()? {
        let (id, value) = entry?;
        let record: KvsRecord = tables::decode_owned(value.value(), || {
            format!("the data of key-value store {}", id.value())
        })?;
        stores.insert(id.value().to_owned(), KvsData::new(id.value(), &record));
    }
    for entry in txn.open_table(KVS)?.iter()? {
        let (key, value) = entry?;
        let (id, key) = key.value();
        let data = stores
            .get_mut(id)
            .ok_or_else(|| Trouble::Damaged(format!("entries of an unknown store {id}")))?;
        data.put(key.into(), value.value().into());
    }
    Ok(stores
        .into_iter()
        .map(|(id, data)| (id.into(), Arc::new(data)))
        .collect())
}

fn load_audit(txn: &ReadTransaction) -> Result<(u64, u64), Trouble> {
    let audit = txn.open_table(AUDIT)?;
    let (first, last) = (audit.first()?, audit.last()?);
    Ok(match (first, last) {
        (Some((first, _)), Some((last, _))) => (first.value(), last.value() + 1),
        _ => (1, 1),
    })
}

fn load_markers(txn: &ReadTransaction) -> Result<Markers, Trouble> {
    let meta = txn.open_table(META)?;
    let key = meta
        .get(META_MARKERS)?
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.value()).ok())
        .ok_or_else(|| Trouble::Damaged("the key of markers is missing".to_owned()))?;
    Ok(Markers::new(key))
}
