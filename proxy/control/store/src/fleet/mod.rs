//! The seam for several nodes (CP-500): what a fleet's engine must do, the implementation on this node's own store, and the
//! checks that every implementation has to pass.
//!
//! Here everything is `async`: an engine is asked over the network. Operations may be dropped half way; a write may then
//! have happened. The checks are in [`conformance`] (feature `conformance`).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod local;

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::{BlobId, Document, Kind, LogEntry, StoreError};

pub use local::{Clock, LocalFleet, LocalLog, LocalMessages, LocalWatch};

/// Names a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: Arc<str>,
}

/// A message that nobody keeps (CP-500 E).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Words with dots between them.
    pub subject: Arc<str>,
    /// What was published.
    pub body: Bytes,
}

/// Why an engine did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The document is not at the revision that the writer expects (CP-503).
    #[error("the document is at another revision: {}", .found.map_or_else(|| "none".to_owned(), |found| found.to_string()))]
    Conflict {
        /// Its live revision.
        found: Option<u64>,
    },
    /// The bytes are not those that the name stands for (CP-504).
    #[error("the SHA-256 is {found}")]
    WrongHash {
        /// Of the bytes that came.
        found: BlobId,
    },
    /// What was asked for is no longer kept: the reader has to read everything (CP-532).
    #[error("what follows {asked} is kept only from {first}")]
    TooOld {
        /// The position that was asked for.
        asked: u64,
        /// The first position from which nothing is missing.
        first: u64,
    },
    /// Messages were dropped because the subscriber was slow.
    #[error("{missed} messages were missed")]
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The engine does not take the request: a key or a body is not what it stores.
    #[error("refused: {0}")]
    Refused(String),
    /// The engine cannot be reached, or has ended.
    #[error("the engine is not reachable: {0}")]
    Unavailable(String),
    /// The disk of this node.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob could not be read from where it comes.
    #[error("cannot read the blob: {0}")]
    Source(Arc<std::io::Error>),
}

/// What comes one after another, for as long as it is asked for.
pub trait Feed<T>: Send {
    /// The next one; waits until there is one. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Why nothing comes; [`FleetError::Lagged`] alone can be followed by more.
    fn next(&mut self) -> impl Future<Output = Result<T, FleetError>> + Send;
}

/// What a fleet's engine does (CP-500).
pub trait FleetStore: Clone + Send + Sync + 'static {
    /// Documents as they change.
    type Watch: Feed<Arc<Document>>;
    /// Entries of a log.
    type Log: Feed<LogEntry>;
    /// Messages.
    type Messages: Feed<Message>;
    /// A blob's bytes.
    type Blob: AsyncRead + Send + Unpin;

    /// A document or its tombstone; `None` when there never was one, or its tombstone is gone.
    fn get(
        &self,
        key: &Key,
    ) -> impl Future<Output = Result<Option<Arc<Document>>, FleetError>> + Send;

    /// Writes a document if its live revision is `expected` (0: it does not exist, or was deleted), and returns its new
    /// revision, above all that were given before. `None` deletes and leaves a tombstone. Durable when it returns.
    ///
    /// # Errors
    /// [`FleetError::Conflict`] when it is at another revision.
    fn put_if(
        &self,
        key: &Key,
        expected: u64,
        body: Option<Bytes>,
        author: &str,
    ) -> impl Future<Output = Result<u64, FleetError>> + Send;

    /// Documents and tombstones whose current revision is above `revision`, in the order of revisions, then each that
    /// changes. One that changes twice before it is read comes once, with its last revision. From 0, everything there is.
    ///
    /// # Errors
    /// [`FleetError::TooOld`] when a tombstone above `revision` was dropped: the reader would miss a deletion.
    fn watch_from(
        &self,
        revision: u64,
    ) -> impl Future<Output = Result<Self::Watch, FleetError>> + Send;

    /// Keeps a blob, durably, if its bytes are those of its name.
    ///
    /// # Errors
    /// [`FleetError::WrongHash`] when they are not; nothing is kept then.
    fn blob_put(
        &self,
        blob: BlobId,
        from: impl AsyncRead + Send + Unpin,
    ) -> impl Future<Output = Result<(), FleetError>> + Send;

    /// A blob's bytes; `None` when it is not there. Whoever reads them holds them against the name.
    fn blob_get(
        &self,
        blob: BlobId,
    ) -> impl Future<Output = Result<Option<Self::Blob>, FleetError>> + Send;

    /// Appends to a log, durably, and returns the entry's number: 1 for the first ever, and one more for each.
    fn append(
        &self,
        log: &str,
        entry: Bytes,
    ) -> impl Future<Output = Result<u64, FleetError>> + Send;

    /// The entries of a log from `number` on, then each that is appended.
    ///
    /// # Errors
    /// [`FleetError::TooOld`], here or from the feed, when entries from `number` on were dropped (CP-532).
    fn log_from(
        &self,
        log: &str,
        number: u64,
    ) -> impl Future<Output = Result<Self::Log, FleetError>> + Send;

    /// Tells whoever is subscribed at this moment. Nobody being so is no error.
    fn publish(
        &self,
        subject: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<(), FleetError>> + Send;

    /// Messages from now on whose subject is `subject`, or begins with it and a dot.
    fn subscribe(
        &self,
        subject: &str,
    ) -> impl Future<Output = Result<Self::Messages, FleetError>> + Send;
}
