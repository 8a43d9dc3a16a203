//! Artifacts: files named by the SHA-256 of what is in them (CP-561).
//!
//! A blob is written under a temporary name, synced, renamed and its directory synced, so under its own name it is complete.
//! Files are never changed afterwards.

use std::{
    fmt, fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use crate::{
    Store, StoreError,
    open::{create_dir, sync_dir},
    tables::IDLE_BLOBS,
};

const BLOBS: &str = "blobs";
const PARTIAL: &str = "tmp";

/// The SHA-256 of a blob's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

/// A blob is named by 64 of `0-9a-f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob's name is 64 of 0-9 and a-f")]
pub struct InvalidBlobId;

impl BlobId {
    /// From the bytes of a SHA-256.
    #[must_use]
    pub fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The bytes of the SHA-256, for who needs another form of it (Lambda's `CodeSha256` is base64).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobId {
    type Err = InvalidBlobId;

    fn from_str(text: &str) -> Result<Self, InvalidBlobId> {
        let mut bytes = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(InvalidBlobId);
        };
        if pairs.len() != bytes.len() {
            return Err(InvalidBlobId);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

/// Lower case alone: one blob has one name.
fn digit(text: u8) -> Result<u8, InvalidBlobId> {
    match text {
        b'0'..=b'9' => Ok(text - b'0'),
        b'a'..=b'f' => Ok(text - b'a' + 10),
        _ => Err(InvalidBlobId),
    }
}

impl Store {
    /// Begins a blob. Nothing is kept of one that is dropped before [`BlobWriter::finish`].
    ///
    /// # Errors
    /// The temporary file cannot be created.
    pub fn blob_writer(&self) -> Result<BlobWriter, StoreError> {
        let dir = self.dir().join(BLOBS).join(PARTIAL);
        let file =
            NamedTempFile::new_in(&dir).map_err(StoreError::io(&dir, "create a temporary file"))?;
        Ok(BlobWriter {
            store: self.clone(),
            file,
            hash: Sha256::new(),
            len: 0,
        })
    }

    /// Keeps `bytes` as a blob, durably.
    ///
    /// # Errors
    /// The disk.
    pub fn blob_put(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        let mut writer = self.blob_writer()?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// A file without a name beside the blobs, for what has to be on the disk for a while. It is gone when it is closed.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn scratch(&self) -> Result<fs::File, StoreError> {
        let dir = self.dir().join(BLOBS).join(PARTIAL);
        tempfile::tempfile_in(&dir).map_err(StoreError::io(&dir, "create a temporary file"))
    }

    /// Where the blob is or would be.
    #[must_use]
    pub fn blob_path(&self, blob: &BlobId) -> PathBuf {
        path(self.dir(), blob)
    }

    /// Whether the blob is there.
    #[must_use]
    pub fn blob_has(&self, blob: &BlobId) -> bool {
        self.blob_path(blob).is_file()
    }

    /// Opens the blob to be read; `None` when it is not there. Reading does not check it: see [`Self::blob_read`].
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn blob_open(&self, blob: &BlobId) -> Result<Option<fs::File>, StoreError> {
        let path = self.blob_path(blob);
        match fs::File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(&path, "open the blob")(error)),
        }
    }

    /// The blob's bytes, held against its name; `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they are not what was written, and what the system says.
    pub fn blob_read(&self, blob: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut file) = self.blob_open(blob)? else {
            return Ok(None);
        };
        let path = self.blob_path(blob);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(StoreError::io(&path, "read the blob"))?;
        if BlobId::of(&bytes) != *blob {
            return Err(StoreError::damaged(&path, "its SHA-256 is not its name"));
        }
        Ok(Some(bytes))
    }

    /// Whether the blob is there and stays for the next days even if no document names it yet. Who is about to write a
    /// document that names a blob which was there already asks this.
    ///
    /// # Errors
    /// The disk.
    pub fn blob_keep(&self, blob: &BlobId) -> Result<bool, StoreError> {
        self.restart_grace(*blob)?;
        Ok(self.blob_has(blob))
    }

    /// Ends the time since which nobody names the blob. When this returns, a collection that removes the blob for the old
    /// time has done so, and none will.
    fn restart_grace(&self, blob: BlobId) -> Result<(), StoreError> {
        if !self.shared().state.load().idle_blobs.contains_key(&blob) {
            return Ok(());
        }
        self.call(move |txn| {
            if txn.state.idle_blobs.remove_mut(&blob) {
                txn.db
                    .open_table(IDLE_BLOBS)?
                    .remove(blob.to_string().as_str())?;
                txn.dirty = true;
            }
            Ok(())
        })
    }
}

/// A blob on its way to the disk.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    file: NamedTempFile,
    hash: Sha256,
    len: u64,
}

impl BlobWriter {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// The disk; the writer is then of no more use.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(StoreError::io(self.file.path(), "write the blob"))?;
        self.hash.update(bytes);
        self.len += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// The bytes so far, to be looked at before they are kept.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn reader(&self) -> Result<fs::File, StoreError> {
        let reader = self.file.reopen();
        reader.map_err(StoreError::io(self.file.path(), "read the blob"))
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }

    /// The name that the bytes so far give.
    #[must_use]
    pub fn id(&self) -> BlobId {
        BlobId(self.hash.clone().finalize().into())
    }

    /// Makes the blob durable under its name. One that is there is replaced by the same bytes, which heals a damaged one.
    ///
    /// # Errors
    /// The disk.
    pub fn finish(self) -> Result<BlobId, StoreError> {
        let id = self.id();
        let synced = self.file.as_file().sync_all();
        synced.map_err(StoreError::io(self.file.path(), "sync the blob"))?;
        // Before the rename: a collection that is about to remove the old file then removes the old one, not this.
        self.store.restart_grace(id)?;
        place(self.file.into_temp_path(), self.store.dir(), &id)?;
        Ok(id)
    }
}

/// As [`BlobWriter::write`], for who copies.
impl io::Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renames a complete, synced file to the blob's name, durably.
pub(crate) fn place(file: TempPath, dir: &Path, blob: &BlobId) -> Result<(), StoreError> {
    let path = path(dir, blob);
    let of_prefix = path.parent().unwrap_or(dir);
    if !of_prefix.is_dir() {
        create_dir(of_prefix)?;
        sync_dir(&dir.join(BLOBS))?;
    }
    file.persist(&path)
        .map_err(|error| StoreError::io(&path, "rename the blob to its name")(error.error))?;
    sync_dir(of_prefix)
}

/// A temporary file for a blob of the store in `dir`.
pub(crate) fn temporary(dir: &Path) -> Result<NamedTempFile, StoreError> {
    let dir = dir.join(BLOBS).join(PARTIAL);
    NamedTempFile::new_in(&dir).map_err(StoreError::io(&dir, "create a temporary file"))
}

pub(crate) fn path(dir: &Path, blob: &BlobId) -> PathBuf {
    let name = blob.to_string();
    dir.join(BLOBS).join(&name[..2]).join(name)
}

/// Makes the directories, and removes what an interrupted writer left. Nobody else has the store open.
pub(crate) fn clean(dir: &Path) -> Result<(), StoreError> {
    let partial = dir.join(BLOBS).join(PARTIAL);
    create_dir(&partial)?;
    let entries = fs::read_dir(&partial).map_err(StoreError::io(&partial, "read the directory"))?;
    for entry in entries {
        let path = entry
            .map_err(StoreError::io(&partial, "read the directory"))?
            .path();
        fs::remove_file(&path).map_err(StoreError::io(&path, "remove an incomplete blob"))?;
    }
    sync_dir(&dir.join(BLOBS))
}

/// Every blob that is there, sorted.
pub(crate) fn all(dir: &Path) -> Result<Vec<BlobId>, StoreError> {
    let blobs = dir.join(BLOBS);
    let mut found = Vec::new();
    let entries = fs::read_dir(&blobs).map_err(StoreError::io(&blobs, "read the directory"))?;
    for entry in entries {
        let of_prefix = entry
            .map_err(StoreError::io(&blobs, "read the directory"))?
            .path();
        if of_prefix.ends_with(PARTIAL) || !of_prefix.is_dir() {
            continue;
        }
        let entries =
            fs::read_dir(&of_prefix).map_err(StoreError::io(&of_prefix, "read the directory"))?;
        for entry in entries {
            let entry = entry.map_err(StoreError::io(&of_prefix, "read the directory"))?;
            // What is not a blob's name is not ours, so it is left alone.
            if let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            {
                found.push(id);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
