//! Code on disk, and how it becomes the bytes of a package.

mod pack;
mod prune;
mod select;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use pack::PackLimits;
pub use select::PatternError;

pub(crate) use prune::{Locked, development};
pub(crate) use select::Selection;

/// Where the code of a function, or the first content of a store, comes from (CP-305).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Artifact {
    /// One file, packed under its own name; as it is for a store.
    File {
        /// The file.
        path: PathBuf,
    },
    /// A directory to be zipped.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Patterns, later ones win, `!` excludes; without a match a file is in (CP-341).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patterns: Vec<String>,
        /// Leave out what npm's lock file calls a development dependency.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        prune: bool,
    },
    /// A zip, taken as it is.
    Zip {
        /// The file.
        path: PathBuf,
    },
    /// Source written in the template.
    Inline {
        /// Name of the file in the package.
        name: String,
        /// Its text; references in it have to be substituted before it is packed.
        source: Value,
    },
    /// An object that is not on this disk (CP-075).
    S3 {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
        /// `S3ObjectVersion`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } | Self::Zip { path } => path.display().fmt(f),
            Self::Directory { path, .. } => write!(f, "{}/", path.display()),
            Self::Inline { .. } => f.write_str("inline code"),
            Self::S3 { bucket, key, .. } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

/// Why an artifact does not become a package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file or directory is not to be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The package cannot be written.
    #[error("cannot write the package: {0}")]
    Write(#[source] io::Error),
    /// More bytes than Lambda takes.
    #[error("the package is larger than {limit} bytes zipped")]
    Zipped {
        /// [`PackLimits::zipped`].
        limit: u64,
    },
    /// More bytes than Lambda takes.
    #[error("the package is larger than {limit} bytes unzipped")]
    Unzipped {
        /// [`PackLimits::unzipped`].
        limit: u64,
    },
    /// More files than anybody means to pack.
    #[error("the package holds more than {limit} files")]
    Files {
        /// [`PackLimits::files`].
        limit: usize,
    },
    /// A link that would bring in what is not the project's.
    #[error("{} is a link that leads out of {}", path.display(), root.display())]
    Outside {
        /// The link.
        path: PathBuf,
        /// The directory that is packed.
        root: PathBuf,
    },
    /// A link to a directory above it.
    #[error("{} is a link to a directory that holds it", path.display())]
    Loop {
        /// The link.
        path: PathBuf,
    },
    /// A socket, a pipe, a device.
    #[error("{} is not a regular file", path.display())]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// A name that a zip cannot hold.
    #[error("the name of {} is not UTF-8", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// Nothing is left to pack.
    #[error("no file of {} is in the package", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// Something else than a zip under a zip's name.
    #[error("{} is not a zip", path.display())]
    NotZip {
        /// Which.
        path: PathBuf,
    },
    /// A pattern nobody understands.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The bytes are elsewhere.
    #[error("{bucket}/{key} is not on this machine: fetch it, or map its bucket on the node")]
    Remote {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
    },
    /// Inline source with references left in it.
    #[error("the inline code refers to what does not exist yet")]
    Unresolved,
}

pub(crate) fn read_error(path: &Path, source: io::Error) -> PackError {
    PackError::Read {
        path: path.to_owned(),
        source,
    }
}
