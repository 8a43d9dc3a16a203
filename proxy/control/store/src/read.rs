//! Reading documents and credentials.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;

use crate::{
    Store, StoreError,
    audit::{self, AuditEntry},
    document::Document,
    error::Trouble,
    kind::Kind,
    marker::Markers,
    state::{Credential, State, read_document},
    tables::{self, CREDENTIALS, CURSORS, CredentialRecord, DOCUMENTS, REVISIONS},
};

/// Everything current at one moment, for who composes a configuration of several documents. Costs nothing to take and keeps
/// no writer waiting.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) state: Arc<State>,
}

impl Snapshot {
    /// The store's sequence: it rises with every write.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// A document that exists.
    #[must_use]
    pub fn get(&self, kind: &Kind, id: &str) -> Option<Arc<Document>> {
        self.get_any(kind, id)
            .filter(|document| document.body.is_some())
    }

    /// A document or its tombstone.
    #[must_use]
    pub fn get_any(&self, kind: &Kind, id: &str) -> Option<Arc<Document>> {
        self.state.record(kind, id).map(Arc::clone)
    }

    /// Up to `limit` documents of a kind whose ids come after `after`, in the order of their ids' bytes. `after` need not
    /// exist (CP-047).
    #[must_use]
    pub fn list(&self, kind: &Kind, after: Option<&str>, limit: usize) -> Vec<Arc<Document>> {
        let Some(of_kind) = self.state.documents.get(kind) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        of_kind
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(_, document)| document)
            .filter(|document| document.body.is_some())
            .take(limit)
            .map(Arc::clone)
            .collect()
    }

    /// How many documents of a kind exist. Counts them.
    #[must_use]
    pub fn count(&self, kind: &Kind) -> usize {
        self.state.documents.get(kind).map_or(0, |of_kind| {
            of_kind
                .values()
                .filter(|document| document.body.is_some())
                .count()
        })
    }

    /// Up to `limit` documents and tombstones whose current revision is above `revision`, oldest change first.
    #[must_use]
    pub fn changed_since(&self, revision: u64, limit: usize) -> Vec<Arc<Document>> {
        self.state
            .by_revision
            .range((Bound::Excluded(revision), Bound::Unbounded))
            .map(|(_, document)| Arc::clone(document))
            .take(limit)
            .collect()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("sequence", &self.sequence())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Everything current at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.shared().state.load_full(),
        }
    }

    /// As [`Snapshot::get`], of this moment.
    #[must_use]
    pub fn get(&self, kind: &Kind, id: &str) -> Option<Arc<Document>> {
        self.snapshot().get(kind, id)
    }

    /// As [`Snapshot::list`], of this moment.
    #[must_use]
    pub fn list(&self, kind: &Kind, after: Option<&str>, limit: usize) -> Vec<Arc<Document>> {
        self.snapshot().list(kind, after, limit)
    }

    /// The last revisions of a document, newest first and tombstones among them: up to [`HISTORY`]. Reads the disk.
    ///
    /// # Errors
    /// The database cannot be read.
    ///
    /// [`HISTORY`]: crate::HISTORY
    pub fn history(&self, kind: &Kind, id: &str) -> Result<Vec<Document>, StoreError> {
        let shared = self.shared();
        let txn = shared.read()?;
        let read = || {
            let (kind, mut revisions) = (kind.as_str(), Vec::new());
            if let Some(current) = txn.open_table(DOCUMENTS)?.get((kind, id))? {
                revisions.push(read_document(kind, id, current.value())?);
            }
            let range = (kind, id, 0)..=(kind, id, u64::MAX);
            for entry in txn.open_table(REVISIONS)?.range(range)?.rev() {
                revisions.push(read_document(kind, id, entry?.1.value())?);
            }
            Ok(revisions)
        };
        read().map_err(|trouble: Trouble| trouble.at(&shared.file))
    }

    /// Signs and reads the markers of listings (CP-047).
    #[must_use]
    pub fn markers(&self) -> Markers {
        self.shared().state.load().markers.clone()
    }

    /// Takes over the key that the nodes of a fleet share, so that markers are understood by all of them (CP-047).
    ///
    /// # Errors
    /// The disk.
    pub fn set_marker_key(&self, key: [u8; 32]) -> Result<(), StoreError> {
        self.call(move |txn| {
            txn.db
                .open_table(tables::META)?
                .insert(tables::META_MARKERS, key.as_slice())?;
            txn.dirty = true;
            txn.state.markers = Markers::new(key);
            Ok(())
        })
    }

    /// A sealed credential by the id of its key (CP-430).
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<Arc<Credential>> {
        self.shared()
            .state
            .load()
            .credentials
            .get(id)
            .map(Arc::clone)
    }

    /// Every sealed credential with the id of its key, in the ids' order.
    #[must_use]
    pub fn credentials(&self) -> Vec<(Arc<str>, Arc<Credential>)> {
        self.shared()
            .state
            .load()
            .credentials
            .iter()
            .map(|(id, credential)| (Arc::clone(id), Arc::clone(credential)))
            .collect()
    }

    /// Keeps a sealed credential, durably, in place of the one with that id. Tells whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn credential_put(&self, id: &str, sealed: Bytes, now: u64) -> Result<bool, StoreError> {
        let changes = vec![(id.into(), Some(sealed))];
        let had = self.credentials_write(changes, now, None)?;
        Ok(had.contains(&true))
    }

    /// Removes a credential, durably. Tells whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn credential_remove(&self, id: &str) -> Result<bool, StoreError> {
        let had = self.credentials_write(vec![(id.into(), None)], 0, None)?;
        Ok(had.contains(&true))
    }

    /// Keeps sealed credentials, and removes those without one, all or none of them and durably. `audit` is entered with
    /// them, unless there was nothing to do. Tells of each whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn credentials_write(
        &self,
        changes: Vec<(Arc<str>, Option<Bytes>)>,
        now: u64,
        audit: Option<AuditEntry>,
    ) -> Result<Vec<bool>, StoreError> {
        self.call(move |txn| {
            let mut had = Vec::with_capacity(changes.len());
            let mut did = false;
            for (id, sealed) in changes {
                let there = txn.state.credentials.contains_key(&id);
                had.push(there);
                let mut table = txn.db.open_table(CREDENTIALS)?;
                let Some(sealed) = sealed else {
                    if there {
                        table.remove(&*id)?;
                        txn.state.credentials.remove_mut(&id);
                        did = true;
                    }
                    continue;
                };
                let record = tables::encode(&CredentialRecord {
                    written_at: now,
                    sealed: &sealed,
                })?;
                table.insert(&*id, record.as_slice())?;
                let credential = Credential {
                    written_at: now,
                    sealed,
                };
                txn.state.credentials.insert_mut(id, Arc::new(credential));
                did = true;
            }
            txn.dirty |= did;
            if let Some(entry) = audit.filter(|_| did) {
                audit::append(txn, &entry)?;
            }
            Ok(had)
        })
    }

    /// How far this node is in somebody else's log (CP-530).
    #[must_use]
    pub fn cursor(&self, name: &str) -> Option<u64> {
        self.shared().state.load().cursors.get(name).copied()
    }

    /// Remembers how far this node is, durably.
    ///
    /// # Errors
    /// The disk.
    pub fn set_cursor(&self, name: &str, at: u64) -> Result<(), StoreError> {
        let name: Arc<str> = name.into();
        self.call(move |txn| {
            txn.db.open_table(CURSORS)?.insert(&*name, at)?;
            txn.dirty = true;
            txn.state.cursors.insert_mut(name, at);
            Ok(())
        })
    }
}
