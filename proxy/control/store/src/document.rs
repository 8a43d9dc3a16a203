//! Documents and what one write may do to them.

use std::sync::Arc;

use bytes::Bytes;

use crate::{audit::AuditEntry, kind::Kind, release::ReleaseDraft};

/// Longest id, in bytes.
pub const MAX_ID: usize = 512;
/// Largest body of a document, in bytes. Artifacts are blobs; a release embeds the bodies of its members.
pub const MAX_BODY: usize = 64 << 20;
/// Revisions that are kept of a document, the current one counted (CP-560).
pub const HISTORY: usize = 16;

/// One revision of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its id, unique within its kind.
    pub id: Arc<str>,
    /// From the store's one sequence, so no two revisions of any documents are equal.
    pub revision: u64,
    /// When the document came into being, in milliseconds since 1970: after a deletion, when it came again.
    pub created_at: u64,
    /// When this revision was written, in milliseconds since 1970.
    pub written_at: u64,
    /// The id of the key that wrote it.
    pub author: Arc<str>,
    /// What the writer said about it.
    pub note: Arc<str>,
    /// The body; `None` for a tombstone, which tells that the document was deleted.
    pub body: Option<Bytes>,
}

impl Document {
    /// Its ETag (CP-040).
    #[must_use]
    pub fn etag(&self) -> String {
        crate::etag(&self.kind, &self.id, self.revision)
    }
}

/// What a writer believes about a document before the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Nothing.
    Any,
    /// It does not exist, or was deleted.
    Absent,
    /// It exists, at this revision.
    Revision(u64),
}

impl Expected {
    /// Whether it holds for a document whose live revision is `found`.
    pub(crate) fn holds(self, found: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Revision(revision) => found == Some(revision),
        }
    }
}

/// What a write does to one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of the document.
    pub kind: Kind,
    /// Of the document.
    pub id: Arc<str>,
    /// What must be true of it, or the whole write is refused.
    pub expected: Expected,
    /// The new body; `None` deletes. Deleting what does not exist changes nothing.
    pub body: Option<Bytes>,
}

/// What must be true of a document that the write leaves alone, such as a policy that a distribution names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Of the document.
    pub kind: Kind,
    /// Of the document.
    pub id: Arc<str>,
    /// What must be true of it.
    pub expected: Expected,
}

/// What a write does to the data of a key-value store as a whole; single entries are [`Store::kvs_apply`]'s.
///
/// [`Store::kvs_apply`]: crate::Store::kvs_apply
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvsChange {
    /// Gives the store `id` its first data, such as that of an import (CP-156). Refused when there is data.
    Create {
        /// Of the store.
        id: Arc<str>,
        /// Keys with their values; of a key named twice the last value stays.
        entries: Vec<(Arc<str>, Arc<str>)>,
    },
    /// Removes the data of the store `id`. Refused when there is none.
    Remove {
        /// Of the store.
        id: Arc<str>,
    },
}

/// A write: all of it happens, durably, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// To documents, each named once.
    pub changes: Vec<Change>,
    /// Conditions on other documents.
    pub guards: Vec<Guard>,
    /// To the data of key-value stores.
    pub kvs: Vec<KvsChange>,
    /// A release to record: its members are `changes` (CP-513).
    pub release: Option<ReleaseDraft>,
    /// The id of the key that writes.
    pub author: Arc<str>,
    /// Kept with each revision.
    pub note: Arc<str>,
    /// Now, in milliseconds since 1970.
    pub now: u64,
    /// Entered in the audit log with what was changed (CP-433).
    pub audit: Option<AuditEntry>,
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision of each document of `changes`, in their order; 0 for a deletion that found nothing.
    pub revisions: Vec<u64>,
    /// The revision of the release, if one was recorded.
    pub release: Option<u64>,
    /// The store's sequence with this write in it.
    pub sequence: u64,
}
