//! Releases: what a deploy activated, whole, so that it can be activated again (CP-513, CP-609).

use std::{str::FromStr as _, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Store, StoreError,
    document::{Batch, Change, Document, Expected, MAX_BODY},
    error::{Trouble, WriteError},
    kind::Kind,
    read::Snapshot,
    state::State,
    write,
    writer::Txn,
};

/// Releases that are kept of a stack (CP-609).
pub const RELEASES: usize = 16;

/// A deploy that was activated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Release {
    /// Its id, unique among releases of all stacks.
    pub id: Arc<str>,
    /// The stack it belongs to (CP-302).
    pub stack: Arc<str>,
    /// When it was activated, in milliseconds since 1970.
    pub created: u64,
    /// The id of the key that did it.
    pub author: Arc<str>,
    /// What was said about it.
    pub message: Arc<str>,
    /// Everything it wrote and deleted.
    pub members: Vec<Member>,
}

/// A document as a release left it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Member {
    /// Of the document, as a text.
    pub kind: Arc<str>,
    /// Of the document.
    pub id: Arc<str>,
    /// That it got from the release; 0 when there was nothing to delete.
    pub revision: u64,
    /// The document's body, byte for byte; `None` for a deletion. A text within the release's JSON: JSON read and written
    /// again would not be what the user sent.
    pub body: Option<Arc<str>>,
}

/// What a write says about the release that it is; the rest is taken from the write itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseDraft {
    /// The new release's id.
    pub id: Arc<str>,
    /// The stack.
    pub stack: Arc<str>,
    /// What is said about it.
    pub message: Arc<str>,
}

impl Release {
    /// A release from its document's body.
    ///
    /// # Errors
    /// The body is not that of a release.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// What activates this release again: the changes of a batch whose release is a new one (CP-609). Each member is
    /// written whatever it is now; members whose kind this version does not know are written as they were.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let change = |member: &Member| {
            Some(Change {
                kind: Kind::from_str(&member.kind).ok()?,
                id: Arc::clone(&member.id),
                expected: Expected::Any,
                body: member
                    .body
                    .as_ref()
                    .map(|body| Bytes::copy_from_slice(body.as_bytes())),
            })
        };
        self.members.iter().filter_map(change).collect()
    }
}

impl Snapshot {
    /// The last releases of a stack, or of all, newest first: up to [`RELEASES`] of each stack (CP-609). One that cannot be
    /// read is left out.
    #[must_use]
    pub fn releases(&self, stack: Option<&str>) -> Vec<(Arc<Document>, Release)> {
        releases(&self.state, stack)
    }
}

impl Store {
    /// As [`Snapshot::releases`], of this moment.
    #[must_use]
    pub fn releases(&self, stack: Option<&str>) -> Vec<(Arc<Document>, Release)> {
        self.snapshot().releases(stack)
    }

    /// A release by its id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there is one that cannot be read.
    pub fn release(&self, id: &str) -> Result<Option<Release>, StoreError> {
        let Some(document) = self.get(&Kind::Release, id) else {
            return Ok(None);
        };
        Release::parse(document.body.as_deref().unwrap_or_default())
            .map(Some)
            .map_err(|error| {
                StoreError::damaged(&self.shared().file, format!("release {id}: {error}"))
            })
    }
}

fn releases(state: &State, stack: Option<&str>) -> Vec<(Arc<Document>, Release)> {
    let Some(all) = state.documents.get(&Kind::Release) else {
        return Vec::new();
    };
    let mut releases: Vec<_> = all
        .values()
        .filter_map(|document| {
            let release = Release::parse(document.body.as_deref()?).ok()?;
            let wanted = stack.is_none_or(|stack| *release.stack == *stack);
            wanted.then(|| (Arc::clone(document), release))
        })
        .collect();
    releases.sort_by_key(|(document, _)| std::cmp::Reverse(document.revision));
    releases
}

/// What a release can be refused for: its id is taken, a member is not text, or all of them are more than a document holds.
pub(crate) fn check(
    state: &State,
    draft: &ReleaseDraft,
    changes: &[Change],
) -> Result<(), WriteError> {
    write::check_id(&Kind::Release, &draft.id)?;
    if let Some(found) = state.live_revision(&Kind::Release, &draft.id) {
        return Err(WriteError::Conflict {
            kind: Kind::Release,
            id: Arc::clone(&draft.id),
            found: Some(found),
        });
    }
    let mut size = draft.message.len();
    for change in changes {
        if change.kind == Kind::Release {
            return Err(WriteError::Repeated {
                kind: Kind::Release,
                id: Arc::clone(&change.id),
            });
        }
        let body = change.body.as_deref().unwrap_or_default();
        size = size.saturating_add(body.len());
        if std::str::from_utf8(body).is_err() {
            return Err(WriteError::NotText {
                kind: change.kind.clone(),
                id: Arc::clone(&change.id),
            });
        }
    }
    // Half, since text within JSON grows: a quote becomes two bytes.
    let limit = MAX_BODY / 2;
    if size > limit {
        return Err(WriteError::TooLarge {
            kind: Kind::Release,
            id: Arc::clone(&draft.id),
            size,
            limit,
        });
    }
    Ok(())
}

/// Records the release whose members were just written, and drops the stack's oldest beyond [`RELEASES`].
pub(crate) fn record(
    txn: &mut Txn<'_>,
    draft: &ReleaseDraft,
    batch: &Batch,
    revisions: &[u64],
) -> Result<u64, Trouble> {
    let member = |(change, revision): (&Change, &u64)| Member {
        kind: change.kind.as_str().into(),
        id: Arc::clone(&change.id),
        revision: *revision,
        // Checked to be text.
        body: change
            .body
            .as_deref()
            .map(|body| String::from_utf8_lossy(body).into()),
    };
    let release = Release {
        id: Arc::clone(&draft.id),
        stack: Arc::clone(&draft.stack),
        created: batch.now,
        author: Arc::clone(&batch.author),
        message: Arc::clone(&draft.message),
        members: batch.changes.iter().zip(revisions).map(member).collect(),
    };
    let body = serde_json::to_vec(&release)
        .map_err(|error| Trouble::Damaged(format!("release {}: {error}", draft.id)))?;
    let old = releases(&txn.state, Some(&draft.stack));
    for (document, _) in old.iter().skip(RELEASES - 1) {
        let deletion = Change {
            kind: Kind::Release,
            id: Arc::clone(&document.id),
            expected: Expected::Any,
            body: None,
        };
        write::put(txn, &deletion, batch)?;
    }
    let addition = Change {
        kind: Kind::Release,
        id: Arc::clone(&draft.id),
        expected: Expected::Any,
        body: Some(body.into()),
    };
    write::put(txn, &addition, batch)
}
