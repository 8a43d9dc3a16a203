//! What a node must not lose.
//!
//! A [`Store`] holds the control state of a node: documents with revisions (distributions, policies, functions, releases),
//! the data of key-value stores, sealed credentials, the audit log, logs that every node applies in order, and artifacts as
//! files named by their SHA-256. It knows nothing of what stands in a document, reads no clock (`now` is passed in,
//! milliseconds since 1970) and opens no sockets. The response cache is not here: losing that is always safe.
//!
//! # Durable before answered (CP-564)
//! A write returns when its transaction is on the disk. Writers that come together share a transaction and its fsync (module
//! `writer`). Everything current is also in memory, published after the commit: reads take no lock that a write holds and
//! touch no disk, except [`Store::history`], the pages of audit and logs, and blobs.
//!
//! # On the disk
//! | Path | What |
//! | --- | --- |
//! | `store.lock` | locked while a process has the store open |
//! | `state.redb` | everything but blobs, tables in module `tables` (CP-560) |
//! | `state.redb.format-N` | the file as it was before a migration from format N (CP-562) |
//! | `blobs/<aa>/<sha256>` | artifacts (CP-561) |
//! | `blobs/tmp/` | blobs not yet complete; emptied by each start |
//!
//! redb is used without savepoints, renames or deletions of tables, where it had its bugs, and checks every page when the
//! store is opened: a file that was altered is an error then, and not a surprise later.
//!
//! A start reads it all: 10,000 documents in far less than a second, and a backup is taken while others write (CP-708).
//!
//! # Blocking
//! Operations block on the disk and suit `spawn_blocking`; those that write often have an `_async` twin, whose write goes
//! through even if the future is dropped. [`fleet`] has the seam for several nodes.
#![forbid(unsafe_code)]

mod audit;
mod backup;
mod blob;
mod document;
mod error;
mod etag;
pub mod fleet;
mod garbage;
mod kind;
mod kvs;
mod log;
mod marker;
mod open;
mod read;
mod release;
mod restore;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod write;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use redb::Database;

pub use audit::{AuditChange, AuditEntry};
pub use backup::BackupHeader;
pub use blob::{BlobId, BlobWriter, InvalidBlobId};
pub use document::{
    Batch, Change, Committed, Document, Expected, Guard, HISTORY, KvsChange, MAX_BODY, MAX_ID,
};
pub use error::{StoreError, WriteError};
pub use etag::{etag, is_etag};
pub use garbage::{BLOB_GRACE, Collected, References, TOMBSTONE_LIFETIME};
pub use kind::{InvalidKind, Kind, OtherKind};
pub use kvs::{KvsApplied, KvsData, KvsError, KvsQuotas, KvsRequest};
pub use log::LogEntry;
pub use marker::{InvalidMarker, Markers};
pub use read::Snapshot;
pub use release::{Member, RELEASES, Release, ReleaseDraft};
pub use restore::{Restored, restore};
pub use state::Credential;

use error::Fail;
use state::State;
use writer::{Job, Txn};

/// How a store is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Entries of the audit log that are kept (CP-433). Default 100,000.
    pub audit_entries: u64,
    /// Memory for pages of the database, in bytes. Everything hot is in memory besides, so this serves writes and pages
    /// of history. Default 16 MiB.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            audit_entries: 100_000,
            cache_bytes: 16 << 20,
        }
    }
}

/// The control state of a node, open. Clones are handles to the same store; the last one to go closes it.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// Opens the database. A test puts a disk of its own in between.
type OpenDatabase =
    Arc<dyn Fn(&Path, &Options) -> Result<Database, redb::DatabaseError> + Send + Sync>;

/// What the handles share with the writer.
pub(crate) struct Shared {
    /// The directory of the store.
    pub(crate) dir: PathBuf,
    /// The database's file.
    pub(crate) file: PathBuf,
    pub(crate) options: Options,
    opener: OpenDatabase,
    /// `None` while the database could not be opened again after a failure. Held for writing only to replace it.
    pub(crate) db: RwLock<Option<Database>>,
    pub(crate) state: ArcSwap<State>,
    /// Tells watchers that a state was published. A watch channel of Tokio's: waiters are futures, and one that comes late
    /// sees the last value.
    pub(crate) published: tokio::sync::watch::Sender<u64>,
    /// Read-locked while files of blobs are streamed out, so that the collection waits with removing them.
    pub(crate) keep_blobs: RwLock<()>,
}

struct Handle {
    shared: Arc<Shared>,
    /// `None` once the store closes.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Unlocked last, when the writer has closed the database.
    _lock: std::fs::File,
}

impl Shared {
    fn open_database(&self) -> Result<Database, StoreError> {
        (self.opener)(&self.file, &self.options)
            .map_err(|error| error::Trouble::from(error).at(&self.file))
    }

    pub(crate) fn with_db<T>(&self, use_it: impl FnOnce(&Database) -> T) -> Result<T, StoreError> {
        self.db
            .read()
            .as_ref()
            .map(use_it)
            .ok_or_else(|| StoreError::Broken {
                path: self.file.clone(),
            })
    }

    fn publish(&self, state: Arc<State>) {
        self.state.store(state);
        self.published
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A consistent view of the database as of now.
    pub(crate) fn read(&self) -> Result<redb::ReadTransaction, StoreError> {
        use redb::ReadableDatabase as _;
        self.with_db(Database::begin_read)?
            .map_err(|error| error::Trouble::from(error).at(&self.file))
    }
}

impl Store {
    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// The directory that was opened.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.handle.shared.dir
    }

    /// Has the writer do `run`, and waits until it is durable.
    fn call<T, E>(
        &self,
        run: impl FnOnce(&mut Txn<'_>) -> Result<T, Fail<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = mpsc::sync_channel(1);
        self.send(Job::new(run, move |outcome| {
            // Nobody waits any more: the write stands all the same.
            let _ = answer.send(outcome);
        }))?;
        answered
            .recv()
            .map_err(|mpsc::RecvError| E::from(self.closed()))?
    }

    /// As [`Self::call`], for tasks: Tokio's channel wakes a future where the standard library's would block its thread.
    async fn call_async<T, E>(
        &self,
        run: impl FnOnce(&mut Txn<'_>) -> Result<T, Fail<E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.send(Job::new(run, move |outcome| {
            let _ = answer.send(outcome);
        }))?;
        answered.await.map_err(|_| E::from(self.closed()))?
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        self.handle
            .jobs
            .as_ref()
            .and_then(|jobs| jobs.send(job).ok())
            .ok_or_else(|| self.closed())
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed {
            path: self.shared().file.clone(),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.shared().dir)
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Without a sender the writer ends after what it has, and closes the database.
        self.jobs = None;
        if let Some(writer) = self.writer.lock().take() {
            // The last handle may be one that a job held, on the writer itself, which cannot wait for its own end.
            if writer.thread().id() != std::thread::current().id() {
                let _ = writer.join();
            }
        }
    }
}
