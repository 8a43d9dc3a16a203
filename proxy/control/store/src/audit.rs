//! The audit log: who changed what, and who was refused (CP-433).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError,
    error::Trouble,
    kind::Kind,
    tables::{self, AUDIT},
    writer::Txn,
};

/// One operation that changes something, done or refused. It never holds a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The id of the key that asked; empty when nobody said who they are.
    pub key: Arc<str>,
    /// From where: an address, or `local`.
    pub source: Arc<str>,
    /// Service and operation, as in `cloudfront:UpdateDistribution`; of the native API method and route, as in
    /// `fourfront:POST releases`.
    pub operation: Arc<str>,
    /// What it was about, as the service names it.
    pub resource: Arc<str>,
    /// `ok`, or the code of the error.
    pub outcome: Arc<str>,
    /// Filled in by the write that the entry goes with.
    pub changes: Vec<AuditChange>,
}

/// What became of one document. For the data of a key-value store, the revisions are the data's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditChange {
    /// Of the document.
    pub kind: Kind,
    /// Of the document.
    pub id: Arc<str>,
    /// Its revision before, if it existed.
    pub before: Option<u64>,
    /// Its revision after, if it still exists.
    pub after: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct AuditRecord {
    at: u64,
    key: Arc<str>,
    source: Arc<str>,
    operation: Arc<str>,
    resource: Arc<str>,
    outcome: Arc<str>,
    changes: Vec<ChangeRecord>,
}

/// Kind, id, revisions before and after.
type ChangeRecord = (String, Arc<str>, Option<u64>, Option<u64>);

impl Store {
    /// Appends entries that go with no write, such as refusals.
    ///
    /// # Errors
    /// The disk.
    pub fn audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.call(move |txn| {
            for entry in &entries {
                append(txn, entry)?;
            }
            Ok(())
        })
    }

    /// As [`Self::audit`], for tasks.
    ///
    /// # Errors
    /// The disk.
    pub async fn audit_async(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.call_async(move |txn| {
            for entry in &entries {
                append(txn, entry)?;
            }
            Ok(())
        })
        .await
    }

    /// Up to `limit` entries with their numbers, newest first: those before the number `before`, or the newest. Reads the
    /// disk.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn audit_page(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, AuditEntry)>, StoreError> {
        let shared = self.shared();
        let txn = shared.read()?;
        let read = || {
            let table = txn.open_table(AUDIT)?;
            let mut page = Vec::new();
            for entry in table.range(..before.unwrap_or(u64::MAX))?.rev().take(limit) {
                let (number, record) = entry?;
                let number = number.value();
                page.push((number, read_entry(number, record.value())?));
            }
            Ok(page)
        };
        read().map_err(|trouble: Trouble| trouble.at(&shared.file))
    }
}

fn read_entry(number: u64, bytes: &[u8]) -> Result<AuditEntry, Trouble> {
    let record: AuditRecord = tables::decode_owned(bytes, || format!("audit entry {number}"))?;
    let mut changes = Vec::with_capacity(record.changes.len());
    for (kind, id, before, after) in record.changes {
        changes.push(AuditChange {
            kind: kind
                .parse()
                .map_err(|error| Trouble::Damaged(format!("audit entry {number}: {error}")))?,
            id,
            before,
            after,
        });
    }
    Ok(AuditEntry {
        at: record.at,
        key: record.key,
        source: record.source,
        operation: record.operation,
        resource: record.resource,
        outcome: record.outcome,
        changes,
    })
}

/// Appends an entry on the writer, and drops the oldest beyond what is kept.
pub(crate) fn append(txn: &mut Txn<'_>, entry: &AuditEntry) -> Result<(), Trouble> {
    let record = tables::encode(&AuditRecord {
        at: entry.at,
        key: Arc::clone(&entry.key),
        source: Arc::clone(&entry.source),
        operation: Arc::clone(&entry.operation),
        resource: Arc::clone(&entry.resource),
        outcome: Arc::clone(&entry.outcome),
        changes: entry
            .changes
            .iter()
            .map(|change| {
                let kind = change.kind.as_str().to_owned();
                (kind, Arc::clone(&change.id), change.before, change.after)
            })
            .collect(),
    })?;
    let (mut first, next) = txn.state.audit;
    let mut table = txn.db.open_table(AUDIT)?;
    table.insert(next, record.as_slice())?;
    let kept = txn.shared.options.audit_entries.max(1);
    while next - first >= kept {
        table.remove(first)?;
        first += 1;
    }
    txn.dirty = true;
    txn.state.audit = (first, next + 1);
    Ok(())
}
