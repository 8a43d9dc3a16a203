//! The disk tier: objects that outlive the process, in a log of records with a small index in memory.
//!
//! The tier stores; it decides nothing. A head is opaque bytes, a body is equal segments of which some may be
//! missing, a key is [`CacheKey`]'s. Whether an object may be stored or is still good is [`crate::policy`]'s, and what
//! a failure means to a request is the caller's, for whom it is always a miss: nothing here fails a request.
//!
//! # Parts
//!
//! `record` (what is on disk), `index` (what is in memory), `journal` (the index, as changes), `log` and `batch` (the one
//! thread that writes), `reclaim` (making room), `files` (the operating system), `read` and `writer` (what callers do).
//!
//! # What is durable when
//!
//! | What returned | Holds after the process dies | Holds after a power cut |
//! | --- | --- | --- |
//! | [`DiskStore::insert`], [`DiskWriter::append`] | nothing yet; no trace of it answers | the same |
//! | [`Written`] with `Ok` | the object answers, with these bytes | lost, or the object with these bytes; never torn |
//! | [`DiskStore::remove`], the call | the object answers no more in this process, nor does what is being written | |
//! | [`Removal`] with `Ok` | neither it nor anything older under its key comes back | the same, with `sync_removals` |
//!
//! An object that replaces another is visible once it is written, and the other is gone in the same moment; what was visible
//! before the process died is what is visible after. A power cut may take back the last seconds of that, and bring back
//! what was replaced in them; it cannot bring back what was removed. When a new object cannot be stored, for want of room or
//! because the disk fails, the old one under its key is removed.
//!
//! Invalidations of many keys are comparisons at lookup, made by the caller: each object keeps the `epoch` it was given, and
//! [`DiskStore::last_epoch`] is the highest that was ever stored, so that numbers need never be used again.
//!
//! The example `disk_kill` kills a writer and compares what is left. In twenty minutes of one run: 56,327 kills, 27.1 million
//! acknowledged operations, 3.7 million bodies compared; no wrong byte, nothing that had been removed or replaced, no
//! failed start.
//!
//! # When the disk fails
//!
//! A write that fails, reads that fail repeatedly, a directory that is gone or that another process has open turn the tier
//! off: all lookups miss and all writes are refused, which is counted, and logged once. It looks at the
//! directory every [`DiskLimits::check_every`] and comes back by itself, with the objects that are in it. What was
//! removed or replaced meanwhile is remembered and removed before anything answers.
//!
//! # Why not foyer
//!
//! foyer 0.22.6 was tried first (two cores of an AMD EPYC, ext4, one run; 1,000,000 objects of 1,000 bytes):
//!
//! | Need | foyer's block engine | Here |
//! | --- | --- | --- |
//! | removal durable before it is acknowledged | `remove` returns before the tombstone is written: of 1,000 removed, 745 to 1,000 came back after `abort`, with the tombstone log on, which by default it is not. `wait` afterwards helps, but also returns when the write failed | acknowledged after the journal has it |
//! | restart at 1,000,000 objects, at most 1 s | 1.06 to 1.35 s | 0.14 to 0.15 s to the first hit after `kill -9` (example `disk_restart`) |
//! | index, at most 100 bytes an object | 98 to 101 bytes of resident growth at 1,000,000, 74 at 200,000, buffers included | 86 at 1,000,000; 47 to 94 by construction |
//! | ranges of large objects | an entry is one value, read and decoded whole; segments would be entries of their own that are evicted, removed and overwritten apart from each other and from their head | one object, ranges checked by block |
//! | space | records are aligned to 4 KiB: 3.9 GiB for 0.95 GiB of objects | 92 bytes a record |
//! | wrong key never answers | a 64-bit hash in the index, the key compared on read | the whole key in both |
//! | bounded buffering | yes, by bytes queued; what finds no room is dropped and counted | the same |
//! | eviction | FIFO of blocks with a reinsertion picker | the same, by reads |
//! | vanished directory | not noticed: files are opened once and written on | noticed and recovered from |
//! | io_uring | offered; reads of cached data took 163 µs with it, 39 to 139 µs without (one at a time) | not used, see below |
//!
//! When a future of its tombstone log is dropped in the middle of a write, its page buffer is gone and the next write panics
//! (`tombstone.rs`, `PageBuffer::flush`); the spike met that at exits without `close`. So a store of
//! our own, which owes foyer the idea of blocks that are reclaimed in turn.
//!
//! # Why not io_uring
//!
//! What the page cache has is read in place by `preadv2` with `RWF_NOWAIT`, without another thread or a ring, and that is what a busy
//! cache mostly does. What it has not takes a disk's time, beside which a thread's wake-up is small. Containers
//! commonly forbid io_uring, so the other way would have to exist anyway. With the bench `disk` a hit took 1.2 µs at
//! 1 KiB, 7.6 µs at 100 KiB and 69 µs at 1 MiB, all checksums included, and 10 KiB out of the middle of 1 MiB took 7 µs. Writes: 3 µs
//! each at 1 KiB, 1.9 GiB/s at 100 KiB. A removal with its `fdatasync` took 0.7 ms.

mod admission;
mod batch;
mod buffers;
mod counters;
mod files;
mod index;
mod journal;
mod limits;
mod log;
mod read;
mod reclaim;
mod record;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    task::{Context, Poll},
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, Semaphore, oneshot};

pub use admission::{Admission, AdmitAll, SecondOffer};
pub use counters::DiskCounts;
pub use limits::{DiskLimits, DiskLimitsError};
pub use read::{Absent, DiskEntry};
pub use writer::{DiskWriter, NewObject, Written};

use crate::key::{CacheKey, KeySecret};
use counters::Counters;
use files::Files;
use index::Index;
use log::{Log, Op};

/// The longest head record in bytes.
pub const MAX_HEAD: usize = record::MAX_HEAD;

/// The disk tier. Clones share it; when the last one is dropped what was handed over is still written, see [`Self::close`].
#[derive(Clone, Debug)]
pub struct DiskStore {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    ops: mpsc::Sender<Op>,
}

/// Why an object is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// The tier is off.
    #[error("the disk tier is off")]
    Off,
    /// The write buffer is full.
    #[error("the disk tier's write buffer is full")]
    NoRoom,
    /// The head or the number of segments is beyond what the store can hold.
    #[error("the object is too large for the disk tier")]
    TooLarge,
    /// The admission did not want it.
    #[error("the object was not admitted to the disk tier")]
    NotAdmitted,
    /// A segment has not the length that its place asks for.
    #[error("the segment has the wrong length")]
    WrongLength,
    /// The key was removed, or a newer object is being written, or another body is there by now.
    #[error("the object was overtaken")]
    Overtaken,
}

/// The tier cannot be opened at all; what is wrong with the directory is no such case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The limits cannot work.
    #[error(transparent)]
    Limits(#[from] DiskLimitsError),
    /// The system gives no thread or no random bytes.
    #[error("the disk tier cannot start: {0}")]
    System(#[from] io::Error),
}

/// A removal that is not known to be on disk: the object answers no more in this process, but may after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the removal could not be written to disk")]
pub struct NotDurable;

/// Resolves when a removal is durable. The removal takes place whether or not this is waited for.
#[derive(Debug)]
#[must_use = "a removal may only be acknowledged when this resolves"]
pub struct Removal(oneshot::Receiver<bool>);

impl Future for Removal {
    type Output = Result<(), NotDurable>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|told| match told {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(NotDurable),
        })
    }
}

impl DiskStore {
    /// Opens the store in a directory, or makes one. Reads the journal, which takes some tenths of a second for 1,000,000
    /// objects; not for a thread that serves.
    ///
    /// A directory that cannot be used is no error: the tier is off until it can.
    ///
    /// # Errors
    /// [`OpenError`]: limits that cannot work, or no thread.
    pub fn open(
        dir: &Path,
        limits: DiskLimits,
        admission: Arc<dyn Admission>,
    ) -> Result<Self, OpenError> {
        limits.check()?;
        let secret = files::secret(dir).map_or_else(files::random, Ok)?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            limits,
            secret,
            live: ArcSwapOption::empty(),
            counters: Counters::default(),
            admission: AdmissionHook(admission),
            reads: Arc::new(Semaphore::new(limits.reads)),
            buffered: AtomicU64::new(0),
            freed: Notify::new(),
            next: AtomicU64::new(1),
            epoch: AtomicU64::new(0),
            bad_reads: AtomicU32::new(0),
            #[cfg(test)]
            faults: Arc::default(),
        });
        let (ops, queue) = mpsc::channel();
        let mut log = Log::new(shared.clone());
        log.start();
        std::thread::Builder::new()
            .name("disk-log".into())
            .spawn(move || log.run(&queue))?;
        Ok(Self {
            handle: Arc::new(Handle { shared, ops }),
        })
    }

    /// Removes a key: no later lookup finds its object, and what is being written under it is not stored (CF-660).
    /// That holds when this returns; that it outlives the process, when the [`Removal`] resolves.
    pub fn remove(&self, key: &CacheKey) -> Removal {
        let (done, removal) = oneshot::channel();
        match &*self.shared().live.load() {
            Some(live) => {
                self.remove_from(live, key, Some(done));
            }
            // The log remembers it until the disk is back.
            None => self.send(Op::Remove {
                key: *key,
                number: self.shared().number(),
                done: Some(done),
            }),
        }
        Removal(removal)
    }

    fn remove_from(&self, live: &Live, key: &CacheKey, done: Option<oneshot::Sender<bool>>) {
        let (number, _) = live.index.remove(key, || self.shared().number());
        self.send(Op::Remove {
            key: *key,
            number,
            done,
        });
    }

    /// Resolves when everything handed over before is written.
    ///
    /// # Errors
    /// [`Dropped::Off`] when the disk fails.
    pub async fn flush(&self) -> Result<(), Dropped> {
        let (done, flushed) = oneshot::channel();
        self.send(Op::Tell(done, Ok(())));
        flushed.await.unwrap_or(Err(Dropped::Off))
    }

    /// Writes everything handed over, and lets go of the directory. The tier is off afterwards, for good.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        self.send(Op::Close(done));
        // An error means that it was closed before.
        let _ = closed.await;
    }

    /// The secret that keys must be made with for the objects on disk to be found. Is that of the
    /// directory, or a new one which the directory gets.
    pub fn secret(&self) -> KeySecret {
        KeySecret::from_bytes(self.shared().secret)
    }

    /// The highest epoch of all objects that were ever stored.
    pub fn last_epoch(&self) -> u64 {
        self.shared().epoch.load(Ordering::Relaxed)
    }

    /// Whether the disk works.
    pub fn is_on(&self) -> bool {
        self.shared().live.load().is_some()
    }

    /// Number of objects, partial ones included. Walks over the index's shards: for metrics.
    pub fn objects(&self) -> u64 {
        self.shared()
            .live
            .load()
            .as_ref()
            .map_or(0, |live| live.index.len())
    }

    /// Bytes that wait to be written; of [`DiskLimits::write_buffer`] the rest is free. A caller that can
    /// wait with what it writes does well to wait when this is near the limit.
    pub fn buffered(&self) -> u64 {
        self.shared().buffered.load(Ordering::Relaxed)
    }

    /// Resolves when so many bytes find room in the write buffer, which others may take first; at once when they never will or the
    /// tier is off.
    pub async fn room_for(&self, bytes: u64) {
        let shared = self.shared();
        loop {
            let freed = shared.freed.notified();
            let full = self.buffered().saturating_add(bytes) > shared.limits.write_buffer;
            if !full || bytes > shared.limits.write_buffer || !self.is_on() {
                return;
            }
            freed.await;
        }
    }

    /// Whether there is an object under a key, as far as the index knows. Reads nothing, and does not count as a read.
    pub fn contains(&self, key: &CacheKey) -> bool {
        let live = self.shared().live.load();
        live.as_ref()
            .is_some_and(|live| live.index.find(key, index::Purpose::Tell).is_some())
    }

    /// What was done since it was opened.
    pub fn counts(&self) -> DiskCounts {
        self.shared().counters.read()
    }

    /// Sizes in force.
    pub fn limits(&self) -> &DiskLimits {
        &self.shared().limits
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Hands an op to the log. When the log has ended the op is dropped, and whoever waits for it is told so by the
    /// drop of its channel.
    fn send(&self, op: Op) {
        if let Err(mpsc::SendError(op)) = self.handle.ops.send(op) {
            let charge = match op {
                Op::Segment { charge, .. } => charge,
                Op::Commit(commit) | Op::Head(commit) => commit.charge,
                _ => 0,
            };
            self.shared().release(charge);
        }
    }
}

/// What callers and the log's thread share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    limits: DiskLimits,
    secret: [u8; 16],
    /// The store, while the disk works. Written by the log's thread alone.
    live: ArcSwapOption<Live>,
    counters: Counters,
    admission: AdmissionHook,
    reads: Arc<Semaphore>,
    /// Bytes charged for what waits to be written; at most `limits.write_buffer`.
    buffered: AtomicU64,
    /// Told when some of them are written.
    freed: Notify,
    /// The next number for a version or a removal.
    next: AtomicU64,
    epoch: AtomicU64,
    /// Reads that failed in a row.
    bad_reads: AtomicU32,
    #[cfg(test)]
    faults: Arc<files::Faults>,
}

struct AdmissionHook(Arc<dyn Admission>);

impl std::ops::Deref for AdmissionHook {
    type Target = dyn Admission;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl std::fmt::Debug for AdmissionHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admission")
    }
}

impl Shared {
    /// A number larger than all before.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Charges bytes to the write buffer; `false` when it does not have them.
    fn charge(&self, bytes: u64) -> bool {
        let limit = self.limits.write_buffer;
        let add = |now: u64| now.checked_add(bytes).filter(|sum| *sum <= limit);
        self.buffered
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    fn release(&self, bytes: u64) {
        self.buffered.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
    }
}

/// A store whose directory works.
#[derive(Debug)]
struct Live {
    files: Files,
    index: Index,
    /// Which life of the store it is. Records of others are not its own.
    life: u64,
}
