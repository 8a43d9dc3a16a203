//! The files of a store and what is done with them. Everything that the operating system may refuse is in here.
//!
//! | File | What it is |
//! | --- | --- |
//! | `lock` | held by the process that has the store open; the system lets go of it when the process dies |
//! | `secret` | what keys are hashed with, and its checksum; read before the lock is had |
//! | `data` | the records: one file used as a ring, sparse until written |
//! | `journal` | the index, see [`super::journal`] |
//! | `journal.new` | the next journal while it is written |

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{
    index::Index,
    journal::{self, Loaded, Preamble, Progress},
    limits::DiskLimits,
};

/// The open files of a store.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    data: File,
    ring: u64,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<Faults>,
}

/// What a test makes the disk do.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) full: std::sync::atomic::AtomicBool,
    pub(super) unreadable: std::sync::atomic::AtomicBool,
    /// Reads are not answered from memory, so that they take the way over a thread.
    pub(super) cold: std::sync::atomic::AtomicBool,
}

/// A store as it was found or made.
pub(super) struct Opened {
    pub(super) files: Files,
    /// Held as long as this process may write. Reads that are under way need no lock, since they recognise what is
    /// not theirs.
    pub(super) lock: File,
    pub(super) journal: JournalFile,
    pub(super) preamble: Preamble,
    pub(super) index: Index,
    pub(super) progress: Progress,
    /// Why it is empty, if it is not as it was left.
    pub(super) anew: Option<&'static str>,
}

/// How to open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    /// Make the directory when there is none.
    pub(super) create: bool,
    /// Forget what is there: what was removed meanwhile is not known to it.
    pub(super) forget: bool,
    /// What keys are hashed with; what is there is of no use with another.
    pub(super) secret: [u8; 16],
}

/// The journal, open at its end.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    len: u64,
}

impl JournalFile {
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Appends a sealed frame.
    pub(super) fn append(&mut self, files: &Files, frame: &[u8]) -> io::Result<()> {
        files.may_write()?;
        self.file.write_all_at(frame, self.len)?;
        self.len += frame.len() as u64;
        Ok(())
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Opens the store in a directory, or makes one.
///
/// # Errors
/// That the directory or a file in it cannot be made, read, or had for this process alone.
pub(super) fn open(
    dir: &Path,
    limits: &DiskLimits,
    opening: Opening,
    #[cfg(test)] faults: std::sync::Arc<Faults>,
) -> io::Result<Opened> {
    if opening.create {
        fs::create_dir_all(dir)?;
    }
    let lock = options()
        .create(true)
        .truncate(false)
        .open(dir.join("lock"))?;
    lock.try_lock().map_err(|e| match e {
        TryLockError::Error(e) => e,
        TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process has the store open",
        ),
    })?;
    keep_secret(dir, &opening.secret)?;
    let found = match opening.forget {
        true => Loaded::Unusable("removals could not be written"),
        false => find(dir, limits)?,
    };
    let data = options()
        .create(true)
        .truncate(false)
        .open(dir.join("data"))?;
    if data.metadata()?.len() != limits.ring() {
        data.set_len(limits.ring())?;
    }
    let files = Files {
        dir: dir.to_owned(),
        data,
        ring: limits.ring(),
        #[cfg(test)]
        faults,
    };
    let (preamble, index, progress, anew) = match found {
        Loaded::Warm {
            preamble,
            index,
            progress,
            len,
        } if opening.secret == preamble.secret => {
            let file = options().open(dir.join("journal"))?;
            file.set_len(len)?;
            let journal = JournalFile { file, len };
            return Ok(Opened {
                files,
                lock,
                journal,
                preamble,
                index,
                progress,
                anew: None,
            });
        }
        found => {
            let reason = match found {
                Loaded::Unusable(reason) => reason,
                Loaded::Warm { .. } => "its keys are hashed with another secret",
            };
            let life = u64::from_le_bytes(random()?);
            let preamble = Preamble::new(life, opening.secret, limits);
            (preamble, Index::new(), Progress::default(), reason)
        }
    };
    let journal = files.rewrite_journal(&preamble, &index, progress)?;
    Ok(Opened {
        files,
        lock,
        journal,
        preamble,
        index,
        progress,
        anew: Some(anew),
    })
}

/// What the journal says; that there is none is no error.
fn find(dir: &Path, limits: &DiskLimits) -> io::Result<Loaded> {
    match journal::load(&dir.join("journal"), limits) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Loaded::Unusable("there was none")),
        found => found,
    }
}

/// The secret that a directory's objects have their keys from, if it has one.
pub(super) fn secret(dir: &Path) -> Option<[u8; 16]> {
    let bytes = fs::read(dir.join("secret")).ok()?;
    let (secret, sum) = bytes.split_first_chunk()?;
    (crc32fast::hash(secret).to_le_bytes() == *sum).then_some(*secret)
}

fn keep_secret(dir: &Path, secret: &[u8; 16]) -> io::Result<()> {
    if self::secret(dir).as_ref() == Some(secret) {
        return Ok(());
    }
    let new = dir.join("secret.new");
    let mut file = options().create(true).truncate(true).open(&new)?;
    file.write_all(secret)?;
    file.write_all(&crc32fast::hash(secret).to_le_bytes())?;
    file.sync_data()?;
    fs::rename(&new, dir.join("secret"))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Stored responses and the secret of the keys are the node's alone.
    options.read(true).write(true).mode(0o600);
    options
}

/// Bytes from the operating system.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(bytes)
}

impl Files {
    /// Writes the journal anew and puts it in the place of the old one. Afterwards the disk has it.
    pub(super) fn rewrite_journal(
        &self,
        preamble: &Preamble,
        index: &Index,
        progress: Progress,
    ) -> io::Result<JournalFile> {
        self.may_write()?;
        let new = self.dir.join("journal.new");
        let mut file = options().create(true).truncate(true).open(&new)?;
        let mut len = 0;
        journal::dump(preamble, index, progress, |bytes| {
            len += bytes.len() as u64;
            file.write_all(bytes)
        })?;
        file.sync_data()?;
        fs::rename(&new, self.dir.join("journal"))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(JournalFile { file, len })
    }

    /// Whether the directory still has the journal that is written to. Files of a directory that was removed or
    /// unmounted can be written, but nobody will ever read them.
    pub(super) fn are_in_place(&self, journal: &JournalFile) -> bool {
        let (Ok(there), Ok(ours)) = (
            fs::metadata(self.dir.join("journal")),
            journal.file.metadata(),
        ) else {
            return false;
        };
        (there.dev(), there.ino()) == (ours.dev(), ours.ino())
    }

    /// Reserves space, so that a full disk is found out here.
    pub(super) fn reserve(&self, place: u64, len: u64) -> io::Result<()> {
        self.may_write()?;
        match rustix::fs::fallocate(
            &self.data,
            rustix::fs::FallocateFlags::empty(),
            place % self.ring,
            len,
        ) {
            // Not every filesystem can; there the writes find out.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) | Ok(()) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes bytes that do not pass the end of the ring.
    pub(super) fn write(&self, place: u64, bytes: &[u8]) -> io::Result<()> {
        self.may_write()?;
        self.data.write_all_at(bytes, place % self.ring)
    }

    /// Reads bytes that do not pass the end of the ring. May wait for the disk.
    pub(super) fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.may_read()?;
        self.data.read_exact_at(bytes, place % self.ring)
    }

    /// [`Self::read`] of what the system has in memory; `false` when it would have to wait.
    #[cfg(target_os = "linux")]
    pub(super) fn read_at_once(&self, place: u64, bytes: &mut [u8]) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        #[cfg(test)]
        if self.faults.cold.load(std::sync::atomic::Ordering::Relaxed) {
            return false;
        }
        if self.may_read().is_err() {
            return false;
        }
        let len = bytes.len();
        let mut bufs = [io::IoSliceMut::new(bytes)];
        // Fewer bytes than asked for: the rest is not in memory.
        preadv2(
            &self.data,
            &mut bufs,
            place % self.ring,
            ReadWriteFlags::NOWAIT,
        ) == Ok(len)
    }

    /// Without a way to ask for it, every read may wait.
    #[cfg(not(target_os = "linux"))]
    pub(super) const fn read_at_once(&self, _place: u64, _bytes: &mut [u8]) -> bool {
        false
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests make it fail"
    )]
    const fn may_write(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "tests make it fail"
    )]
    const fn may_read(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn may_write(&self) -> io::Result<()> {
        match self.faults.full.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    #[cfg(test)]
    fn may_read(&self) -> io::Result<()> {
        match self
            .faults
            .unreadable
            .load(std::sync::atomic::Ordering::Relaxed)
        {
            true => Err(io::Error::other("read error")),
            false => Ok(()),
        }
    }
}
