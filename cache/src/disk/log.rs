//! The log: one thread that writes everything, in order.
//!
//! It takes what callers hand over, gathers records into batches of about a mebibyte, writes a batch, then the
//! journal's frame for it, then makes it visible. As there is one writer, the order of the journal is the order of what was visible, and
//! what is on disk never needs to be sorted out. When the disk fails the thread gives everything up, and tries to
//! open the directory again from time to time.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    Dropped, Shared,
    batch::On,
    counters::count,
    files::{self, Opening},
    record::{Content, Kind},
};
use crate::key::{CacheKey, KeyHashing};

/// What a caller hands over.
#[derive(Debug)]
pub(super) enum Op {
    /// A segment: of an object that is being written, or of one that is there.
    Segment {
        key: CacheKey,
        version: u64,
        epoch: u64,
        total: Option<u64>,
        index: u32,
        body: Bytes,
        charge: u64,
    },
    /// Makes an object visible.
    Commit(Commit),
    /// Puts a new head on an object.
    Head(Commit),
    /// An object will not be committed.
    Abandon { version: u64 },
    /// An object was removed.
    Remove {
        key: CacheKey,
        number: u64,
        done: Option<oneshot::Sender<bool>>,
    },
    /// The disk refuses to be read.
    Unreadable(io::Error),
    /// Tells this when everything before it is written.
    Tell(Done, Result<(), Dropped>),
    /// Writes what there is and ends.
    Close(oneshot::Sender<()>),
}

/// An object's first record.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) key: CacheKey,
    pub(super) version: u64,
    pub(super) epoch: u64,
    pub(super) total: Option<u64>,
    pub(super) head: Bytes,
    /// The body, when it goes with the head.
    pub(super) body: Option<Bytes>,
    pub(super) charge: u64,
    pub(super) done: Done,
}

/// Where the outcome of a write is told. Nobody needs to listen.
pub(super) type Done = oneshot::Sender<Result<(), Dropped>>;

/// Keys removed while the disk is off that are remembered; with more the store begins anew.
const MOST_MISSED: usize = 256 * 1024;
/// The thread's state.
pub(super) struct Log {
    shared: Arc<Shared>,
    on: Option<On>,
    /// What was removed or replaced while the disk was off: the journal still has it.
    missed: HashSet<CacheKey, KeyHashing>,
    /// More was than `missed` can hold.
    forget: bool,
    looked: Instant,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    End,
}

impl Log {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            on: None,
            missed: HashSet::default(),
            forget: false,
            looked: Instant::now(),
        }
    }

    /// Opens the directory, unless it cannot be.
    pub(super) fn start(&mut self) {
        self.turn_on(true);
    }

    /// Works until the store is closed or nobody holds it any more.
    pub(super) fn run(mut self, ops: &Receiver<Op>) {
        let every = self.shared.limits.check_every.max(Duration::from_millis(1));
        loop {
            let next = match ops.recv_timeout(every) {
                Ok(op) => self.batch(op, ops),
                Err(RecvTimeoutError::Timeout) => Next::Continue,
                Err(RecvTimeoutError::Disconnected) => Next::End,
            };
            if next == Next::End {
                break;
            }
            if self.looked.elapsed() >= every {
                self.look();
                self.looked = Instant::now();
            }
        }
        self.finish();
    }

    /// Takes ops until there is enough for a batch, and writes it.
    fn batch(&mut self, first: Op, ops: &Receiver<Op>) -> Next {
        let mut next = self.handle(first);
        while next == Next::Continue && self.on.as_ref().is_some_and(|on| !on.is_long()) {
            let Ok(op) = ops.try_recv() else { break };
            next = self.handle(op);
        }
        self.guard(On::flush);
        next
    }

    fn handle(&mut self, op: Op) -> Next {
        let Some(on) = &mut self.on else {
            return self.handle_off(op);
        };
        let result = match op {
            Op::Segment {
                key,
                version,
                epoch,
                total,
                index,
                body,
                charge,
            } => {
                on.charge(charge);
                on.segment(key, version, epoch, total, index, &body)
            }
            Op::Commit(commit) => on.commit(commit),
            Op::Head(commit) => on.head(commit),
            Op::Abandon { version } => {
                on.abandon(version);
                Ok(())
            }
            Op::Remove { key, number, done } => {
                on.removal(key, number, done);
                Ok(())
            }
            Op::Unreadable(e) => Err(e),
            Op::Tell(done, what) => {
                on.tell(done, what);
                Ok(())
            }
            Op::Close(done) => {
                self.guard(On::flush);
                self.finish();
                let _ = done.send(());
                return Next::End;
            }
        };
        if let Err(e) = result {
            self.turn_off(&e.to_string());
        }
        Next::Continue
    }

    fn guard(&mut self, act: impl FnOnce(&mut On) -> io::Result<()>) {
        if let Some(on) = &mut self.on
            && let Err(e) = act(on)
        {
            self.turn_off(&e.to_string());
        }
    }

    /// While the disk is off every op is refused, and what must not come back is remembered.
    fn handle_off(&mut self, op: Op) -> Next {
        match op {
            Op::Segment { charge, .. } => self.shared.release(charge),
            Op::Commit(commit) | Op::Head(commit) => {
                self.shared.release(commit.charge);
                self.miss(commit.key);
                count(&self.shared.counters.dropped_overtaken);
                let _ = commit.done.send(Err(Dropped::Off));
            }
            Op::Remove { key, done, .. } => {
                self.miss(key);
                if let Some(done) = done {
                    let _ = done.send(false);
                }
            }
            Op::Abandon { .. } | Op::Unreadable(_) => {}
            Op::Tell(done, _) => {
                let _ = done.send(Err(Dropped::Off));
            }
            Op::Close(done) => {
                let _ = done.send(());
                return Next::End;
            }
        }
        Next::Continue
    }

    fn miss(&mut self, key: CacheKey) {
        if self.missed.len() < MOST_MISSED {
            self.missed.insert(key);
        } else {
            self.forget = true;
        }
    }

    /// Whether the directory is still there, or there again.
    fn look(&mut self) {
        match &self.on {
            Some(on) if !on.is_in_place() => {
                self.turn_off("the directory or the journal in it is gone");
            }
            Some(_) => {}
            None => self.turn_on(false),
        }
    }

    fn turn_on(&mut self, first: bool) {
        let shared = &self.shared;
        let opening = Opening {
            create: first,
            forget: self.forget,
            secret: shared.secret,
        };
        let opened = files::open(
            &shared.dir,
            &shared.limits,
            opening,
            #[cfg(test)]
            shared.faults.clone(),
        );
        let opened = match opened {
            Ok(opened) => opened,
            Err(e) if first => {
                tracing::warn!(dir = %shared.dir.display(), error = %e, "the disk tier is off");
                return;
            }
            Err(_) => return,
        };
        shared
            .next
            .fetch_max(opened.progress.next, Ordering::Relaxed);
        shared
            .epoch
            .fetch_max(opened.progress.epoch, Ordering::Relaxed);
        let objects = opened.index.len();
        if let Some(reason) = opened.anew {
            tracing::info!(dir = %shared.dir.display(), reason, "the disk tier begins anew");
        }
        let mut on = On::new(shared.clone(), opened);
        // Before anything answers.
        let missed = std::mem::take(&mut self.missed);
        for key in &missed {
            on.forget(*key);
        }
        if let Err(e) = on.flush() {
            tracing::debug!(error = %e, "the disk tier stays off");
            self.missed.extend(missed);
            return;
        }
        self.forget = false;
        shared.bad_reads.store(0, Ordering::Relaxed);
        shared.live.store(Some(on.live.clone()));
        self.on = Some(on);
        if !first {
            count(&self.shared.counters.came_back);
            tracing::info!(dir = %self.shared.dir.display(), objects, "the disk tier is back");
        }
    }

    fn turn_off(&mut self, reason: &str) {
        let Some(mut on) = self.on.take() else { return };
        self.shared.live.store(None);
        count(&self.shared.counters.went_off);
        tracing::warn!(dir = %self.shared.dir.display(), reason, "the disk tier is off");
        for key in on.fail() {
            self.miss(key);
        }
    }

    /// Writes down how far the store has come, and lets go of the directory.
    fn finish(&mut self) {
        self.guard(On::finish);
        self.shared.live.store(None);
        self.on = None;
    }
}

impl Commit {
    pub(super) fn content(&self) -> Content<'_> {
        Content {
            kind: match self.body {
                Some(_) => Kind::Whole,
                None => Kind::Head,
            },
            key: self.key,
            version: self.version,
            epoch: self.epoch,
            total: self.total,
            index: 0,
            head: &self.head,
            body: self.body.as_deref().unwrap_or_default(),
        }
    }
}
