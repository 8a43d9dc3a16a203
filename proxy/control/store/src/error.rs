//! What can go wrong, sorted by whose it is: the disk's ([`StoreError`]) or the caller's (the error of each operation,
//! which has the disk's as one variant).

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::kind::Kind;

/// The disk, the file on it, or the system did not do what was asked. Every message names the path and what was said.
///
/// Clones share their source: one failed commit is answered to every writer that shared it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused an operation on a file.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried, as a verb with its object.
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The database refused. After a failed commit the write may or may not be there (all of it or nothing).
    #[error("{}: {source}", path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What it said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Another process, or another handle in this one, has the store open (CP-562).
    #[error("{}: the store is in use by a running node", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer version wrote the store (CP-562).
    #[error(
        "{}: written by a newer version (format {found}, this version knows {known} and older)",
        path.display()
    )]
    NewerFormat {
        /// The database's file, or the backup's name for it.
        path: PathBuf,
        /// The format found.
        found: u64,
        /// The newest format that this version knows.
        known: u64,
    },
    /// A file is there but does not hold what it should.
    #[error("{}: damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// There is a store already where one was to be restored.
    #[error("{}: there is a store already", path.display())]
    Exists {
        /// The database's file.
        path: PathBuf,
    },
    /// The disk failed, and the database could not be opened again since. What is in memory is served; each write tries to
    /// open it.
    #[error("{}: not opened again since the disk failed", path.display())]
    Broken {
        /// The database's file.
        path: PathBuf,
    },
    /// The store no longer takes writes: its writer has ended.
    #[error("{}: the store is closed", path.display())]
    Closed {
        /// The database's file.
        path: PathBuf,
    },
}

impl StoreError {
    /// For `map_err`: an I/O error with its path and the verb.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            doing,
            source: Arc::new(source),
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

/// Why a write of documents was refused. Nothing of it was done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A document is not at the revision that the writer expects (CP-041, CP-503).
    #[error("{kind} {id}: {}", match found {
        Some(revision) => format!("is at revision {revision}, which is not the expected one"),
        None => "does not exist".to_owned(),
    })]
    Conflict {
        /// Of the document.
        kind: Kind,
        /// Of the document.
        id: Arc<str>,
        /// Its live revision; `None` when it does not exist or was deleted.
        found: Option<u64>,
    },
    /// An id is empty, longer than 512 bytes, or holds a control character.
    #[error("{kind}: an id has 1 to 512 bytes and no control characters")]
    InvalidId {
        /// Of the document.
        kind: Kind,
    },
    /// A body is larger than a document may be.
    #[error("{kind} {id}: a body of {size} bytes, and at most {limit} are stored")]
    TooLarge {
        /// Of the document.
        kind: Kind,
        /// Of the document.
        id: Arc<str>,
        /// Of the body, in bytes.
        size: usize,
        /// Largest size, in bytes.
        limit: usize,
    },
    /// One write names a document, or a key-value store, twice.
    #[error("{kind} {id}: named twice in one write")]
    Repeated {
        /// Of the document.
        kind: Kind,
        /// Of the document.
        id: Arc<str>,
    },
    /// Data of a key-value store was to be created and is there, or to be removed and is not.
    #[error("key-value store {id}: {}", if *exists { "has data already" } else { "has no data" })]
    KvsData {
        /// Of the store.
        id: Arc<str>,
        /// Whether there is data.
        exists: bool,
    },
    /// A member of a release has a body that is not UTF-8, so it cannot be embedded (CP-513).
    #[error("{kind} {id}: a member of a release has a body of text")]
    NotText {
        /// Of the member.
        kind: Kind,
        /// Of the member.
        id: Arc<str>,
    },
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an operation inside the writer came to. Internal: `Refused` left no trace, `Broken` spoils the transaction.
pub(crate) enum Fail<E> {
    Refused(E),
    Broken(Trouble),
}

/// The database's own error or a record that does not decode, before the path is added.
#[derive(Debug)]
pub(crate) enum Trouble {
    Database(redb::Error),
    Damaged(String),
    Store(StoreError),
}

impl Trouble {
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Database(redb::Error::DatabaseAlreadyOpen) => StoreError::Locked {
                path: path.to_owned(),
            },
            Self::Database(redb::Error::Corrupted(what)) => StoreError::damaged(path, what),
            Self::Database(source) => StoreError::Database {
                path: path.to_owned(),
                source: Arc::new(source),
            },
            Self::Damaged(what) => StoreError::damaged(path, what),
            Self::Store(error) => error,
        }
    }
}

impl<E> From<Trouble> for Fail<E> {
    fn from(trouble: Trouble) -> Self {
        Self::Broken(trouble)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

macro_rules! from_database {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        }

        impl<E> From<$error> for Fail<E> {
            fn from(error: $error) -> Self {
                Self::Broken(error.into())
            }
        }
    )*};
}

from_database!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);
