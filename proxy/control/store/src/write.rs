//! Writing documents: all of a batch or nothing (CP-040, CP-503, CP-513).

use std::{collections::HashSet, ops::Bound, sync::Arc};

use redb::ReadableTable as _;

use crate::{
    Store,
    audit::{self, AuditChange},
    document::{Batch, Change, Committed, Document, HISTORY, KvsChange, MAX_BODY, MAX_ID},
    error::{Fail, Trouble, WriteError},
    kind::Kind,
    kvs, release,
    state::{State, write_document},
    tables::{DOCUMENTS, REVISIONS},
    writer::Txn,
};

impl Store {
    /// Writes `batch`, durably. Writers go one after another and share fsyncs; a conflict that can be seen at once waits for
    /// nobody (CP-203).
    ///
    /// # Errors
    /// Nothing of the batch was done, except that after [`WriteError::Store`] all of it may have been: the disk failed while
    /// it was asked to keep it.
    pub fn write(&self, batch: Batch) -> Result<Committed, WriteError> {
        check(&self.shared().state.load(), &batch)?;
        self.call(move |txn| apply(txn, batch))
    }

    /// As [`Self::write`], for tasks. The write goes through even if the future is dropped.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_async(&self, batch: Batch) -> Result<Committed, WriteError> {
        check(&self.shared().state.load(), &batch)?;
        self.call_async(move |txn| apply(txn, batch)).await
    }
}

/// Everything a batch can be refused for.
fn check(state: &State, batch: &Batch) -> Result<(), WriteError> {
    let mut named = HashSet::new();
    for change in &batch.changes {
        check_id(&change.kind, &change.id)?;
        if !named.insert((&change.kind, &change.id)) {
            return Err(WriteError::Repeated {
                kind: change.kind.clone(),
                id: Arc::clone(&change.id),
            });
        }
        check_size(change)?;
        check_revision(state, &change.kind, &change.id, change.expected)?;
    }
    for guard in &batch.guards {
        check_revision(state, &guard.kind, &guard.id, guard.expected)?;
    }
    let mut stores = HashSet::new();
    for change in &batch.kvs {
        let (id, exists) = match change {
            KvsChange::Create { id, .. } => (id, false),
            KvsChange::Remove { id } => (id, true),
        };
        check_id(&Kind::KeyValueStore, id)?;
        if !stores.insert(id) {
            return Err(WriteError::Repeated {
                kind: Kind::KeyValueStore,
                id: Arc::clone(id),
            });
        }
        if state.kvs.contains_key(id) != exists {
            return Err(WriteError::KvsData {
                id: Arc::clone(id),
                exists: !exists,
            });
        }
    }
    batch
        .release
        .as_ref()
        .map_or(Ok(()), |draft| release::check(state, draft, &batch.changes))
}

pub(crate) fn check_id(kind: &Kind, id: &str) -> Result<(), WriteError> {
    if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
        return Err(WriteError::InvalidId { kind: kind.clone() });
    }
    Ok(())
}

fn check_size(change: &Change) -> Result<(), WriteError> {
    match &change.body {
        Some(body) if body.len() > MAX_BODY => Err(WriteError::TooLarge {
            kind: change.kind.clone(),
            id: Arc::clone(&change.id),
            size: body.len(),
            limit: MAX_BODY,
        }),
        _ => Ok(()),
    }
}

fn check_revision(
    state: &State,
    kind: &Kind,
    id: &Arc<str>,
    expected: crate::Expected,
) -> Result<(), WriteError> {
    let found = state.live_revision(kind, id);
    if expected.holds(found) {
        return Ok(());
    }
    Err(WriteError::Conflict {
        kind: kind.clone(),
        id: Arc::clone(id),
        found,
    })
}

/// Does `batch` on the writer. Refuses before it changes anything.
pub(crate) fn apply(txn: &mut Txn<'_>, batch: Batch) -> Result<Committed, Fail<WriteError>> {
    check(&txn.state, &batch).map_err(Fail::Refused)?;
    // The release's size is known only with its members' revisions, but refusing must come first: see `release::check`.
    let mut audited = Vec::with_capacity(batch.changes.len());
    let mut revisions = Vec::with_capacity(batch.changes.len());
    for change in &batch.changes {
        let before = txn.state.live_revision(&change.kind, &change.id);
        let revision = put(txn, change, &batch)?;
        revisions.push(revision);
        audited.push(AuditChange {
            kind: change.kind.clone(),
            id: Arc::clone(&change.id),
            before,
            after: txn.state.live_revision(&change.kind, &change.id),
        });
    }
    for change in &batch.kvs {
        match change {
            KvsChange::Create { id, entries } => kvs::create(txn, id, entries, batch.now)?,
            KvsChange::Remove { id } => kvs::remove(txn, id)?,
        }
    }
    let release = match &batch.release {
        Some(draft) => Some(release::record(txn, draft, &batch, &revisions)?),
        None => None,
    };
    if let Some(mut entry) = batch.audit {
        entry.changes = audited;
        audit::append(txn, &entry)?;
    }
    Ok(Committed {
        revisions,
        release,
        sequence: txn.state.sequence,
    })
}

/// Writes one document and returns its revision; 0 when there was nothing to delete.
pub(crate) fn put(txn: &mut Txn<'_>, change: &Change, batch: &Batch) -> Result<u64, Trouble> {
    let before = txn.state.record(&change.kind, &change.id).map(Arc::clone);
    let live = before.as_ref().filter(|before| before.body.is_some());
    if change.body.is_none() && live.is_none() {
        return Ok(0);
    }
    let created_at = live.map_or(batch.now, |live| live.created_at);
    let document = Arc::new(Document {
        kind: change.kind.clone(),
        id: Arc::clone(&change.id),
        revision: txn.next_revision(),
        created_at,
        written_at: batch.now,
        author: Arc::clone(&batch.author),
        note: Arc::clone(&batch.note),
        body: change.body.clone(),
    });
    let key = (document.kind.as_str(), &*document.id);
    let record = write_document(&document)?;
    txn.db
        .open_table(DOCUMENTS)?
        .insert(key, record.as_slice())?;
    if let Some(before) = before {
        keep_in_history(txn, &before)?;
    }
    let revision = document.revision;
    txn.state.insert(document);
    Ok(revision)
}

/// Moves what was current to the history, and drops what is too old for it.
fn keep_in_history(txn: &Txn<'_>, before: &Document) -> Result<(), Trouble> {
    let (kind, id) = (before.kind.as_str(), &*before.id);
    let mut history = txn.db.open_table(REVISIONS)?;
    let record = write_document(before)?;
    history.insert((kind, id, before.revision), record.as_slice())?;
    // The current one is of the sixteen and stands elsewhere.
    let kept = history
        .range((kind, id, 0)..=(kind, id, u64::MAX))?
        .map(|entry| entry.map(|(key, _)| key.value().2))
        .collect::<Result<Vec<u64>, _>>()?;
    let excess = kept.len().saturating_sub(HISTORY - 1);
    for revision in &kept[..excess] {
        history.remove((kind, id, *revision))?;
    }
    Ok(())
}

/// Removes a tombstone and what came before it for good.
pub(crate) fn purge(txn: &mut Txn<'_>, document: &Document) -> Result<(), Trouble> {
    let (kind, id) = (document.kind.as_str(), &*document.id);
    txn.db.open_table(DOCUMENTS)?.remove((kind, id))?;
    txn.db.open_table(REVISIONS)?.retain_in(
        (
            Bound::Included((kind, id, 0)),
            Bound::Included((kind, id, u64::MAX)),
        ),
        |_, _| false,
    )?;
    txn.dirty = true;
    txn.state.remove(document);
    Ok(())
}
