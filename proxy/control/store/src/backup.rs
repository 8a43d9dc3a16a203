//! A consistent copy of a store while it is written to (CP-562).
//!
//! A backup is a tar archive: `header.json`, the rows of the database as `rows/N`, every blob as `blobs/<sha256>`, and
//! `end.json` with a SHA-256 over everything before it. One that was cut off has no end, and one that was altered has
//! another. Credentials are in it as sealed as they are in the store; the key of markers is in it too.

use std::{
    io::{self, Cursor, Read, Write},
    path::Path,
};

use redb::{ReadTransaction, ReadableTable as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Store, StoreError, blob,
    blob::BlobId,
    error::Trouble,
    tables::{
        self, AUDIT, CREDENTIALS, CURSORS, DOCUMENTS, IDLE_BLOBS, KVS, KVS_STORES, LOG_ENDS, LOGS,
        META, META_FORMAT, META_SEQUENCE, REVISIONS,
    },
};

pub(crate) const HEADER: &str = "header.json";
pub(crate) const END: &str = "end.json";
pub(crate) const ROWS: &str = "rows/";
pub(crate) const BLOBS: &str = "blobs/";
/// A chunk of rows is written out when it is this long, in bytes. One row may make it longer.
const CHUNK: usize = 1 << 20;

/// What a backup begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BackupHeader {
    /// The store's format.
    pub format: u64,
    /// Its sequence at the moment of the copy.
    pub sequence: u64,
    /// When the backup was made, in milliseconds since 1970.
    pub created_at: u64,
}

/// What a backup ends with.
#[derive(Deserialize, Serialize)]
pub(crate) struct End {
    pub(crate) sha256: String,
}

/// A row of any table.
#[derive(Deserialize, Serialize)]
pub(crate) enum Row<'a> {
    Meta(&'a str, &'a [u8]),
    Document(&'a str, &'a str, &'a [u8]),
    Revision(&'a str, &'a str, u64, &'a [u8]),
    KvsStore(&'a str, &'a [u8]),
    Kvs(&'a str, &'a str, &'a str),
    Credential(&'a str, &'a [u8]),
    Audit(u64, &'a [u8]),
    Log(&'a str, u64, &'a [u8]),
    LogEnds(&'a str, u64, u64),
    Cursor(&'a str, u64),
    IdleBlob(&'a str, u64),
}

impl Store {
    /// Streams a copy of everything as it is now. Writers go on; blobs are not collected meanwhile.
    ///
    /// # Errors
    /// `to` or the store cannot be written or read, or a blob is damaged. What was written by then has no end, so no
    /// restoration takes it.
    pub fn backup(&self, to: impl Write, now: u64) -> Result<BackupHeader, StoreError> {
        let shared = self.shared();
        let _keep = shared.keep_blobs.read();
        let txn = shared.read()?;
        let read = |trouble: Trouble| trouble.at(&shared.file);
        let header = BackupHeader {
            format: tables::meta_number(&txn, META_FORMAT).map_err(read)?,
            sequence: tables::meta_number(&txn, META_SEQUENCE).map_err(read)?,
            created_at: now,
        };
        let mut archive = Archive {
            tar: tar::Builder::new(to),
            hash: Sha256::new(),
            created_at: now,
        };
        archive.json(HEADER, &header)?;
        let mut rows = Rows {
            archive: &mut archive,
            chunk: Vec::with_capacity(CHUNK),
            chunks: 0,
        };
        rows.all(&txn).map_err(read)?;
        // Listed after the transaction began: whatever its documents name is there.
        for blob in blob::all(self.dir())? {
            archive.blob(self, &blob)?;
        }
        archive.end()?;
        Ok(header)
    }
}

struct Archive<W: Write> {
    tar: tar::Builder<W>,
    /// Over name, size and bytes of each entry.
    hash: Sha256,
    created_at: u64,
}

impl<W: Write> Archive<W> {
    fn json<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value).map_err(|error| written(error.into()))?;
        self.bytes(name, &bytes)
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.entry(name, size, Cursor::new(bytes)).map_err(written)
    }

    fn blob(&mut self, store: &Store, blob: &BlobId) -> Result<(), StoreError> {
        let Some(file) = store.blob_open(blob)? else {
            return Ok(());
        };
        let path = store.blob_path(blob);
        let size = file
            .metadata()
            .map_err(StoreError::io(&path, "read the blob"))?
            .len();
        let mut reader = Hashing::new(file);
        self.entry(&format!("{BLOBS}{blob}"), size, &mut reader)
            .map_err(StoreError::io(&path, "copy the blob into the backup"))?;
        if reader.id() != *blob {
            return Err(StoreError::damaged(&path, "its SHA-256 is not its name"));
        }
        Ok(())
    }

    fn entry(&mut self, name: &str, size: u64, content: impl Read) -> io::Result<()> {
        announce(&mut self.hash, name, size);
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.created_at / 1000);
        let content = Tee {
            from: content,
            hash: &mut self.hash,
            left: size,
        };
        self.tar.append_data(&mut header, name, content)
    }

    fn end(mut self) -> Result<(), StoreError> {
        let end = End {
            sha256: BlobId::new(self.hash.clone().finalize().into()).to_string(),
        };
        self.json(END, &end)?;
        self.tar
            .into_inner()
            .and_then(|mut to| to.flush())
            .map_err(written)
    }
}

/// Enters the beginning of an entry into the hash over a backup.
pub(crate) fn announce(hash: &mut Sha256, name: &str, size: u64) {
    hash.update(name);
    hash.update([0]);
    hash.update(size.to_le_bytes());
}

fn written(error: io::Error) -> StoreError {
    StoreError::io(Path::new("backup"), "write")(error)
}

struct Rows<'a, W: Write> {
    archive: &'a mut Archive<W>,
    chunk: Vec<u8>,
    chunks: u32,
}

impl<W: Write> Rows<'_, W> {
    fn all(&mut self, txn: &ReadTransaction) -> Result<(), Trouble> {
        for row in txn.open_table(META)?.iter()? {
            let (name, value) = row?;
            self.push(&Row::Meta(name.value(), value.value()))?;
        }
        for row in txn.open_table(DOCUMENTS)?.iter()? {
            let (key, value) = row?;
            let (kind, id) = key.value();
            self.push(&Row::Document(kind, id, value.value()))?;
        }
        for row in txn.open_table(REVISIONS)?.iter()? {
            let (key, value) = row?;
            let (kind, id, revision) = key.value();
            self.push(&Row::Revision(kind, id, revision, value.value()))?;
        }
        for row in txn.open_table(KVS_STORES)?.iter()? {
            let (id, value) = row?;
            self.push(&Row::KvsStore(id.value(), value.value()))?;
        }
        for row in txn.open_table(KVS)?.iter()? {
            let (key, value) = row?;
            let (id, key) = key.value();
            self.push(&Row::Kvs(id, key, value.value()))?;
        }
        for row in txn.open_table(CREDENTIALS)?.iter()? {
            let (id, value) = row?;
            self.push(&Row::Credential(id.value(), value.value()))?;
        }
        for row in txn.open_table(AUDIT)?.iter()? {
            let (number, value) = row?;
            self.push(&Row::Audit(number.value(), value.value()))?;
        }
        for row in txn.open_table(LOGS)?.iter()? {
            let (key, value) = row?;
            let (log, number) = key.value();
            self.push(&Row::Log(log, number, value.value()))?;
        }
        for row in txn.open_table(LOG_ENDS)?.iter()? {
            let (log, ends) = row?;
            let (first, next) = ends.value();
            self.push(&Row::LogEnds(log.value(), first, next))?;
        }
        for row in txn.open_table(CURSORS)?.iter()? {
            let (name, at) = row?;
            self.push(&Row::Cursor(name.value(), at.value()))?;
        }
        for row in txn.open_table(IDLE_BLOBS)?.iter()? {
            let (blob, since) = row?;
            self.push(&Row::IdleBlob(blob.value(), since.value()))?;
        }
        self.flush()
    }

    fn push(&mut self, row: &Row<'_>) -> Result<(), Trouble> {
        self.chunk.extend(tables::encode(row)?);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        let name = format!("{ROWS}{:08}", self.chunks);
        self.archive.bytes(&name, &self.chunk)?;
        self.chunks += 1;
        self.chunk.clear();
        Ok(())
    }
}

/// Reads on, and hashes what passes.
pub(crate) struct Hashing<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            hash: Sha256::new(),
        }
    }

    pub(crate) fn id(self) -> BlobId {
        BlobId::new(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.from.read(buffer)?;
        self.hash.update(&buffer[..size]);
        Ok(size)
    }
}

/// As [`Hashing`], into a hash over several entries; ends where the entry was said to end, and not before.
struct Tee<'a, R> {
    from: R,
    hash: &'a mut Sha256,
    left: u64,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let size = self.from.read(&mut buffer[..most])?;
        if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&buffer[..size]);
        self.left -= u64::try_from(size).unwrap_or(u64::MAX);
        Ok(size)
    }
}
