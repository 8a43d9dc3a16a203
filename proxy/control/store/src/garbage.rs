//! What goes with time: blobs that nothing names (CP-561), tombstones (CP-502).

use std::{collections::HashSet, fs, io, sync::Arc};

use crate::{
    Store, StoreError,
    blob::{self, BlobId},
    document::Document,
    kind::Kind,
    release::Release,
    tables::{IDLE_BLOBS, META_PURGED, set_meta_number},
    write,
    writer::Txn,
};

/// How long a blob stays that nothing names, in milliseconds: 7 days (CP-561).
pub const BLOB_GRACE: u64 = 7 * 24 * 3600 * 1000;
/// How long a tombstone stays, in milliseconds: 30 days (CP-502).
pub const TOMBSTONE_LIFETIME: u64 = 30 * 24 * 3600 * 1000;

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Blobs that were removed.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that nothing names and whose time is not over.
    pub waiting: usize,
    /// Tombstones that were dropped with their history.
    pub tombstones: usize,
}

/// Lists the blobs that a body names, given its kind, id and bytes. The store calls it for every document that exists and
/// for every member of a release; earlier revisions in the history keep no blob.
pub type References = Arc<dyn Fn(&Kind, &str, &[u8]) -> Vec<BlobId> + Send + Sync>;

impl Store {
    /// Removes blobs that nothing named for [`BLOB_GRACE`], and tombstones older than [`TOMBSTONE_LIFETIME`]. The time of a
    /// blob begins with the first collection that finds it unnamed. While a backup runs, no blob is removed.
    ///
    /// # Errors
    /// The disk. What was decided before stays decided.
    pub fn collect_garbage(
        &self,
        now: u64,
        references: &References,
    ) -> Result<Collected, StoreError> {
        let shared = self.shared();
        let on_disk = blob::all(self.dir())?;
        let snapshot = self.snapshot();
        let mut named = HashSet::new();
        for document in snapshot.changed_since(0, usize::MAX) {
            name(&document, references, &mut named);
        }
        let may_remove = shared.keep_blobs.try_write();
        let plan = Plan {
            now,
            seen: snapshot.sequence(),
            remove: may_remove.is_some(),
            unnamed: on_disk
                .iter()
                .filter(|blob| !named.contains(blob))
                .copied()
                .collect(),
        };
        let references = Arc::clone(references);
        self.call(move |txn| Ok(plan.carry_out(txn, &references)?))
    }
}

fn name(document: &Document, references: &References, named: &mut HashSet<BlobId>) {
    let Some(body) = &document.body else { return };
    named.extend(references(&document.kind, &document.id, body));
    if document.kind != Kind::Release {
        return;
    }
    // One that cannot be read cannot be activated again either.
    let Ok(release) = Release::parse(body) else {
        return;
    };
    for change in release.changes() {
        if let Some(body) = &change.body {
            named.extend(references(&change.kind, &change.id, body));
        }
    }
}

/// What a look at the whole store came to, carried out on the writer, where only what changed since is looked at again.
struct Plan {
    now: u64,
    seen: u64,
    remove: bool,
    unnamed: HashSet<BlobId>,
}

impl Plan {
    fn carry_out(
        mut self,
        txn: &mut Txn<'_>,
        references: &References,
    ) -> Result<Collected, crate::error::Trouble> {
        let mut named = HashSet::new();
        for (_, document) in txn.state.by_revision.range(self.seen + 1..) {
            name(document, references, &mut named);
        }
        self.unnamed.retain(|blob| !named.contains(blob));
        let mut collected = Collected::default();
        self.blobs(txn, &mut collected)?;
        self.tombstones(txn, &mut collected)?;
        Ok(collected)
    }

    fn blobs(
        &self,
        txn: &mut Txn<'_>,
        collected: &mut Collected,
    ) -> Result<(), crate::error::Trouble> {
        let mut table = txn.db.open_table(IDLE_BLOBS)?;
        // Named again, or gone.
        let no_longer: Vec<BlobId> = txn
            .state
            .idle_blobs
            .keys()
            .filter(|blob| !self.unnamed.contains(blob))
            .copied()
            .collect();
        for blob in no_longer {
            table.remove(blob.to_string().as_str())?;
            txn.state.idle_blobs.remove_mut(&blob);
            txn.dirty = true;
        }
        for blob in &self.unnamed {
            let since = txn.state.idle_blobs.get(blob).copied();
            let Some(since) = since else {
                table.insert(blob.to_string().as_str(), self.now)?;
                txn.state.idle_blobs.insert_mut(*blob, self.now);
                txn.dirty = true;
                collected.waiting += 1;
                continue;
            };
            if !self.remove || self.now.saturating_sub(since) < BLOB_GRACE {
                collected.waiting += 1;
                continue;
            }
            // Removed before the commit: should that fail, the next collection finds the file gone and forgets it.
            collected.bytes += remove_file(&txn.shared.dir, blob)?;
            collected.blobs += 1;
            table.remove(blob.to_string().as_str())?;
            txn.state.idle_blobs.remove_mut(blob);
            txn.dirty = true;
        }
        Ok(())
    }

    fn tombstones(
        &self,
        txn: &mut Txn<'_>,
        collected: &mut Collected,
    ) -> Result<(), crate::error::Trouble> {
        let old: Vec<Arc<Document>> = txn
            .state
            .by_revision
            .values()
            .filter(|document| {
                document.body.is_none()
                    && self.now.saturating_sub(document.written_at) >= TOMBSTONE_LIFETIME
            })
            .map(Arc::clone)
            .collect();
        for document in &old {
            write::purge(txn, document)?;
            txn.state.purged = txn.state.purged.max(document.revision);
            collected.tombstones += 1;
        }
        if !old.is_empty() {
            set_meta_number(txn.db, META_PURGED, txn.state.purged)?;
        }
        Ok(())
    }
}

/// Removes a blob's file, and returns its size. Not being there is as good.
fn remove_file(dir: &std::path::Path, blob: &BlobId) -> Result<u64, StoreError> {
    let path = blob::path(dir, blob);
    let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io(
            &path,
            "remove a blob that nothing names",
        )(error)),
        _ => Ok(size),
    }
}
