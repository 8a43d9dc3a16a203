//! From a backup to a store (CP-562): all of it, checked, or nothing.
//!
//! Everything is built beside what is there, in the same directory, and the database is renamed to its name last. Blobs are
//! renamed just before; should the system stop in between, they are files that nothing names, and a collection takes them.

use std::{
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use redb::{Database, ReadableDatabase as _, WriteTransaction};
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;

use crate::{
    Options, StoreError,
    backup::{BLOBS, BackupHeader, END, End, HEADER, Hashing, ROWS, Row, announce},
    blob::{self, BlobId},
    document::MAX_BODY,
    error::Trouble,
    open::{STATE, create_dir, lock, open_file, sync_dir},
    state::State,
    tables::{
        AUDIT, CREDENTIALS, CURSORS, DOCUMENTS, FORMAT, IDLE_BLOBS, KVS, KVS_STORES, LOG_ENDS,
        LOGS, META, META_SEQUENCE, REVISIONS, create_all, meta_number, set_meta_number,
    },
};

/// The longest chunk of rows that is taken: the largest row there can be, with room for what stands before it.
const LONGEST: u64 = MAX_BODY as u64 + (4 << 20);
/// By how much the sequence is raised: what was written after the backup and is lost had revisions, and clients may still
/// hold their ETags, which must not come to mean something else (CP-040).
const GAP: u64 = 1 << 32;

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Of the backup.
    pub header: BackupHeader,
    /// How many blobs it had.
    pub blobs: usize,
}

/// Makes a store in `dir` from a backup. With `replace`, one that is there is kept as `state.redb.replaced`; its blobs stay.
///
/// # Errors
/// [`StoreError::Locked`] when a node has the store open, [`StoreError::Exists`] when there is one and `replace` is not set,
/// [`StoreError::Damaged`] when the backup is cut off, altered or none, [`StoreError::NewerFormat`], and what the system
/// says. Whatever was there is then there still, and nothing else.
pub fn restore(from: impl Read, dir: &Path, replace: bool) -> Result<Restored, StoreError> {
    let created = !dir.exists();
    let restored = restore_into(from, dir, replace);
    if restored.is_err() && created {
        // We made it and hold nothing in it.
        let _ = fs::remove_dir_all(dir);
    }
    restored
}

fn restore_into(from: impl Read, dir: &Path, replace: bool) -> Result<Restored, StoreError> {
    create_dir(dir)?;
    let _lock = lock(dir)?;
    let file = dir.join(STATE);
    let exists = fs::metadata(&file).is_ok_and(|file| file.len() > 0);
    if exists && !replace {
        return Err(StoreError::Exists { path: file });
    }
    blob::clean(dir)?;
    let staged = Staged::new(dir)?;
    let (header, blobs) = staged.fill(from, dir)?;
    let restored = Restored {
        header,
        blobs: blobs.len(),
    };
    for (id, file) in blobs {
        blob::place(file, dir, &id)?;
    }
    staged.take_place(&file, exists)?;
    sync_dir(dir)?;
    Ok(restored)
}

/// The database while it is not complete. Removed unless it takes its place.
struct Staged {
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already when it took its place.
        let _ = fs::remove_file(&self.path);
    }
}

impl Staged {
    fn new(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("state.redb.restoring");
        crate::open::remove_file(&path)?;
        crate::open::create_private(&path)?;
        Ok(Self { path })
    }

    fn fill(
        &self,
        from: impl Read,
        dir: &Path,
    ) -> Result<(BackupHeader, Vec<(BlobId, TempPath)>), StoreError> {
        let db = open_file(&self.path, &Options::default())
            .map_err(|error| Trouble::from(error).at(&self.path))?;
        let mut reading = Reading {
            db: &db,
            path: &self.path,
            dir,
            hash: Sha256::new(),
            header: None,
            blobs: Vec::new(),
            ended: false,
        };
        let mut archive = tar::Archive::new(from);
        let entries = archive.entries().map_err(unreadable)?;
        for entry in entries {
            reading.entry(entry.map_err(unreadable)?)?;
        }
        let Reading {
            header,
            blobs,
            ended,
            ..
        } = reading;
        let header = header
            .filter(|_| ended)
            .ok_or_else(|| damaged("it has no end"))?;
        finish(&db).map_err(|trouble| trouble.at(&self.path))?;
        Ok((header, blobs))
    }

    fn take_place(self, file: &Path, exists: bool) -> Result<(), StoreError> {
        fs::File::open(&self.path)
            .and_then(|staged| staged.sync_all())
            .map_err(StoreError::io(&self.path, "sync the restored database"))?;
        if exists {
            let replaced = file.with_extension("redb.replaced");
            let _ = fs::remove_file(&replaced);
            // A second name for the old one, so that there is a database under the first name at every moment. Where the
            // file system has no such thing, a copy.
            fs::hard_link(file, &replaced)
                .or_else(|_| fs::copy(file, &replaced).map(|_| ()))
                .map_err(StoreError::io(
                    &replaced,
                    "keep the database that is replaced",
                ))?;
        }
        fs::rename(&self.path, file).map_err(StoreError::io(file, "rename the restored database"))
    }
}

/// Sees that everything can be read as a start will read it, and raises the sequence.
fn finish(db: &Database) -> Result<(), Trouble> {
    let txn = db.begin_write()?;
    create_all(&txn)?;
    txn.commit()?;
    let read = db.begin_read()?;
    let sequence = meta_number(&read, META_SEQUENCE)?.saturating_add(GAP);
    // Of an older format: the migration reads it.
    if meta_number(&read, crate::tables::META_FORMAT)? == FORMAT {
        State::load(&read)?;
    }
    drop(read);
    let txn = db.begin_write()?;
    set_meta_number(&txn, META_SEQUENCE, sequence)?;
    txn.commit()?;
    Ok(())
}

/// A backup while it is read.
struct Reading<'a> {
    db: &'a Database,
    path: &'a Path,
    dir: &'a Path,
    hash: Sha256,
    header: Option<BackupHeader>,
    blobs: Vec<(BlobId, TempPath)>,
    ended: bool,
}

impl Reading<'_> {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), StoreError> {
        let name = entry
            .path()
            .ok()
            .and_then(|name| name.to_str().map(str::to_owned))
            .ok_or_else(|| damaged("an entry's name is not text"))?;
        let size = entry.size();
        if self.ended {
            return Err(damaged("there is something after its end"));
        }
        if name == END {
            return self.end(&bytes(&mut entry, size)?);
        }
        announce(&mut self.hash, &name, size);
        if let Some(id) = name.strip_prefix(BLOBS) {
            let id = id
                .parse()
                .map_err(|error| damaged(format!("{name}: {error}")))?;
            return self.blob(id, size, &mut entry);
        }
        let bytes = bytes(&mut entry, size)?;
        self.hash.update(&bytes);
        if name == HEADER {
            return self.header(&bytes);
        }
        if self.header.is_none() || !name.starts_with(ROWS) {
            return Err(damaged(format!("{name} does not belong there")));
        }
        self.rows(&bytes).map_err(|trouble| match trouble {
            Trouble::Damaged(what) => damaged(what),
            other => other.at(self.path),
        })
    }

    fn header(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let header: BackupHeader =
            serde_json::from_slice(bytes).map_err(|error| damaged(format!("{HEADER}: {error}")))?;
        if header.format > FORMAT {
            return Err(StoreError::NewerFormat {
                path: "backup".into(),
                found: header.format,
                known: FORMAT,
            });
        }
        self.header = Some(header);
        Ok(())
    }

    fn blob(&mut self, id: BlobId, size: u64, entry: &mut impl Read) -> Result<(), StoreError> {
        let mut file = blob::temporary(self.dir)?;
        let mut reader = Hashing::new(entry);
        let mut buffer = vec![0; 64 << 10];
        let mut copied = 0;
        loop {
            let read = reader.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            copied += u64::try_from(read).unwrap_or(u64::MAX);
            self.hash.update(&buffer[..read]);
            file.write_all(&buffer[..read])
                .map_err(StoreError::io(file.path(), "write the blob"))?;
        }
        if copied != size || reader.id() != id {
            return Err(damaged(format!("blob {id}: its SHA-256 is not its name")));
        }
        let synced = file.as_file().sync_all();
        synced.map_err(StoreError::io(file.path(), "sync the blob"))?;
        self.blobs.push((id, file.into_temp_path()));
        Ok(())
    }

    /// Durable like any other transaction; what counts is that the file is not yet in its place.
    fn rows(&self, mut bytes: &[u8]) -> Result<(), Trouble> {
        let txn = self.db.begin_write()?;
        while !bytes.is_empty() {
            let (row, rest) = postcard::take_from_bytes(bytes)
                .map_err(|error| Trouble::Damaged(format!("a row: {error}")))?;
            insert(&txn, &row)?;
            bytes = rest;
        }
        txn.commit()?;
        Ok(())
    }

    fn end(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let end: End =
            serde_json::from_slice(bytes).map_err(|error| damaged(format!("{END}: {error}")))?;
        let found = BlobId::new(self.hash.clone().finalize().into()).to_string();
        if end.sha256 != found {
            return Err(damaged("its SHA-256 is not the one at its end"));
        }
        self.ended = true;
        Ok(())
    }
}

fn insert(txn: &WriteTransaction, row: &Row<'_>) -> Result<(), Trouble> {
    match *row {
        Row::Meta(name, value) => drop(txn.open_table(META)?.insert(name, value)?),
        Row::Document(kind, id, value) => {
            drop(txn.open_table(DOCUMENTS)?.insert((kind, id), value)?);
        }
        Row::Revision(kind, id, revision, value) => {
            let key = (kind, id, revision);
            drop(txn.open_table(REVISIONS)?.insert(key, value)?);
        }
        Row::KvsStore(id, value) => drop(txn.open_table(KVS_STORES)?.insert(id, value)?),
        Row::Kvs(id, key, value) => drop(txn.open_table(KVS)?.insert((id, key), value)?),
        Row::Credential(id, value) => drop(txn.open_table(CREDENTIALS)?.insert(id, value)?),
        Row::Audit(number, value) => drop(txn.open_table(AUDIT)?.insert(number, value)?),
        Row::Log(log, number, value) => drop(txn.open_table(LOGS)?.insert((log, number), value)?),
        Row::LogEnds(log, first, next) => {
            drop(txn.open_table(LOG_ENDS)?.insert(log, (first, next))?);
        }
        Row::Cursor(name, at) => drop(txn.open_table(CURSORS)?.insert(name, at)?),
        Row::IdleBlob(blob, since) => drop(txn.open_table(IDLE_BLOBS)?.insert(blob, since)?),
    }
    Ok(())
}

/// An entry's bytes. What is said to be longer than can be is not read.
fn bytes(entry: &mut impl Read, size: u64) -> Result<Vec<u8>, StoreError> {
    if size > LONGEST {
        return Err(damaged(format!("an entry of {size} bytes")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).ok() != Some(size) {
        return Err(damaged("it is cut off"));
    }
    Ok(bytes)
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::damaged(Path::new("backup"), what)
}

fn unreadable(error: io::Error) -> StoreError {
    match error.kind() {
        // What `tar` says of a header that is none, and of an archive that ends within an entry.
        io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            damaged(error.to_string())
        }
        _ => StoreError::io(Path::new("backup"), "read")(error),
    }
}
