//! Writing an object, segment by segment.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    DiskEntry, DiskStore, Dropped, MAX_HEAD,
    counters::count,
    log::{Commit, Op},
};
use crate::key::CacheKey;

/// What is known of an object when it begins to be written.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// The head record, at most [`MAX_HEAD`] bytes.
    pub head: Bytes,
    /// Kept with the object and given back at lookup, for the caller to compare with generations of invalidations.
    pub epoch: u64,
    /// Length of the whole body in bytes, when known.
    pub total: Option<u64>,
}

/// Writes an object. Dropped without [`DiskWriter::commit`] it stores nothing, and what was there before stays.
///
/// Nothing here waits: a segment for which the write buffer has no room is dropped and counted, and may be missing in an
/// object that is committed nevertheless.
#[derive(Debug)]
pub struct DiskWriter {
    store: DiskStore,
    key: CacheKey,
    version: u64,
    epoch: u64,
    total: Option<u64>,
    head: Bytes,
    /// The first segment, as long as it may turn out to be all of the body.
    first: Option<(Bytes, u64)>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was handed over.
    New,
    /// Segments were.
    Sending,
    /// Adds segments to an object that is there.
    Extending,
    /// Committed.
    Ended,
}

/// What charges an op beside its bytes.
const OVERHEAD: u64 = 256;

/// Segments of an object.
const MOST_SEGMENTS: u32 = 1 << 20;

/// Whether a body of that length has more segments than are kept of one.
pub(super) const fn is_too_long(total: Option<u64>, segment: u64) -> bool {
    match total {
        Some(total) => total > (MOST_SEGMENTS as u64).saturating_mul(segment),
        None => false,
    }
}

/// Tells what became of a write. With `Ok` the object is visible, and so survives the death of the process; with an error
/// but [`Dropped::Off`] and [`Dropped::Overtaken`], nothing older under its key survives either. Need not be waited for.
#[derive(Debug)]
pub struct Written(oneshot::Receiver<Result<(), Dropped>>);

impl Future for Written {
    type Output = Result<(), Dropped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The other end only goes away with the thread that writes.
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|told| told.unwrap_or(Err(Dropped::Off)))
    }
}

impl DiskStore {
    /// Begins to write an object; the newest writer of a key is the one that counts, and one whose key is removed
    /// stores nothing any more (CF-660). Until it is committed and written, what was there before answers.
    ///
    /// # Errors
    /// [`Dropped`] says why it cannot be stored. What was under the key is removed then, as it is older than what the
    /// caller has: at once in this process, and soon on disk; a caller that must know when asks for
    /// [`DiskStore::remove`].
    pub fn insert(&self, key: CacheKey, object: NewObject) -> Result<DiskWriter, Dropped> {
        let NewObject { head, epoch, total } = object;
        let shared = self.shared();
        let refused = |why: Dropped| {
            self.replace_by_nothing(&key);
            Err(why)
        };
        if head.len() > MAX_HEAD || is_too_long(total, shared.limits.segment_len()) {
            return refused(Dropped::TooLarge);
        }
        let live = shared.live.load();
        let Some(live) = &*live else {
            return refused(Dropped::Off);
        };
        // One that is there was worth it before.
        if live.index.version(&key).is_none() && !shared.admission.admit(&key, total) {
            count(&shared.counters.dropped_not_admitted);
            return Err(Dropped::NotAdmitted);
        }
        let version = live.index.begin_writer(key, || shared.number());
        Ok(DiskWriter {
            store: self.clone(),
            key,
            version,
            epoch,
            total,
            head,
            first: None,
            state: State::New,
        })
    }

    /// Writes a complete small object at once.
    ///
    /// # Errors
    /// As [`Self::insert`] and [`DiskWriter::append`].
    pub fn insert_whole(
        &self,
        key: CacheKey,
        object: NewObject,
        body: Bytes,
    ) -> Result<Written, Dropped> {
        let total = Some(body.len() as u64);
        let mut writer = self.insert(key, NewObject { total, ..object })?;
        let segment = self.shared().limits.segment;
        for (index, start) in (0_u32..).zip((0..body.len()).step_by(segment)) {
            writer.append(index, body.slice(start..body.len().min(start + segment)))?;
        }
        Ok(writer.commit())
    }

    /// A writer that adds segments to an object that is there: each answers as soon as it is written. To be used only for
    /// parts of the same representation (CF-534). Of an object that has all of its body there is nothing to
    /// add, and its segments are refused.
    pub fn extend(&self, entry: &DiskEntry) -> DiskWriter {
        DiskWriter {
            store: self.clone(),
            key: entry.key,
            version: entry.version,
            epoch: entry.epoch,
            total: entry.total(),
            head: Bytes::new(),
            first: None,
            state: State::Extending,
        }
    }

    /// Puts a new head on the body of an entry, as a 304 does (CF-282); does nothing when another body is there by now. Without
    /// `total` the length stays what it was.
    pub fn update_head(&self, entry: &DiskEntry, object: NewObject) -> Result<Written, Dropped> {
        let NewObject { head, epoch, total } = object;
        if head.len() > MAX_HEAD || is_too_long(total, self.shared().limits.segment_len()) {
            self.replace_by_nothing(&entry.key);
            return Err(Dropped::TooLarge);
        }
        let (done, written) = oneshot::channel();
        let charge = head.len() as u64 + entry.whole().map_or(0, Bytes::len) as u64 + OVERHEAD;
        if !self.shared().charge(charge) {
            self.replace_by_nothing(&entry.key);
            return Err(Dropped::NoRoom);
        }
        self.send(Op::Head(Commit {
            key: entry.key,
            version: entry.version,
            epoch,
            total: total.or_else(|| entry.total()),
            head,
            body: None,
            charge,
            done,
        }));
        Ok(Written(written))
    }

    /// What the caller has cannot be stored, so what is stored must not outlive it.
    fn replace_by_nothing(&self, key: &CacheKey) {
        match &*self.shared().live.load() {
            Some(live) if live.index.version(key).is_none() => {}
            Some(live) => {
                self.remove_from(live, key, None);
            }
            None => {
                let number = self.shared().number();
                self.send(Op::Remove {
                    key: *key,
                    number,
                    done: None,
                });
            }
        }
    }
}

impl DiskWriter {
    /// Hands over a segment: of the configured length, but for the last one. Segments may come in any order.
    ///
    /// # Errors
    /// [`Dropped::NoRoom`] when the write buffer is full: this segment will be missing, and the caller may go on or give up.
    /// [`Dropped::WrongLength`] when it is not a segment of this body.
    pub fn append(&mut self, index: u32, bytes: Bytes) -> Result<(), Dropped> {
        let shared = self.store.shared();
        let (segment, len) = (shared.limits.segment_len(), bytes.len() as u64);
        let offset = u64::from(index) * segment;
        let fits = match self.total {
            Some(total) => offset < total && len == segment.min(total - offset),
            None => len > 0 && len <= segment && index < MOST_SEGMENTS,
        };
        if !fits {
            return Err(Dropped::WrongLength);
        }
        let charge = len + OVERHEAD;
        if !shared.charge(charge) {
            count(&shared.counters.dropped_no_room);
            return Err(Dropped::NoRoom);
        }
        let may_be_all = self.total.is_none_or(|total| total == len);
        if self.state == State::New
            && index == 0
            && len <= shared.limits.inline as u64
            && may_be_all
        {
            if let Some((_, charge)) = self.first.replace((bytes, charge)) {
                shared.release(charge);
            }
            return Ok(());
        }
        self.send_first();
        self.send_segment(index, bytes, charge);
        Ok(())
    }

    /// The length of the body has become known. For a body whose segments are all there this is what
    /// makes it complete. For an object that is extended, [`DiskStore::update_head`] says so instead.
    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// Makes the object visible, with what was handed over of its body. It is written in the background.
    pub fn commit(mut self) -> Written {
        let (done, written) = oneshot::channel();
        let state = std::mem::replace(&mut self.state, State::Ended);
        if state == State::Extending {
            self.store.send(Op::Tell(done, Ok(())));
            return Written(written);
        }
        let first = self.first.take();
        let (body, mut charge) = match first {
            Some((bytes, charge)) if self.total == Some(bytes.len() as u64) => {
                (Some(bytes), charge)
            }
            Some((bytes, charge)) => {
                self.send_segment(0, bytes, charge);
                (None, 0)
            }
            None if self.total == Some(0) => (Some(Bytes::new()), 0),
            None => (None, 0),
        };
        let head = self.head.len() as u64 + OVERHEAD;
        let shared = self.store.shared();
        if !shared.charge(head) {
            shared.release(charge);
            count(&shared.counters.dropped_no_room);
            self.give_up();
            self.store.replace_by_nothing(&self.key);
            self.store.send(Op::Tell(done, Err(Dropped::NoRoom)));
            return Written(written);
        }
        charge += head;
        self.store.send(Op::Commit(Commit {
            key: self.key,
            version: self.version,
            epoch: self.epoch,
            total: self.total,
            head: std::mem::take(&mut self.head),
            body,
            charge,
            done,
        }));
        Written(written)
    }

    fn send_first(&mut self) {
        if let Some((bytes, charge)) = self.first.take() {
            self.send_segment(0, bytes, charge);
        }
    }

    fn send_segment(&mut self, index: u32, body: Bytes, charge: u64) {
        if self.state == State::New {
            self.state = State::Sending;
        }
        self.store.send(Op::Segment {
            key: self.key,
            version: self.version,
            epoch: self.epoch,
            total: self.total,
            index,
            body,
            charge,
        });
    }

    fn give_up(&self) {
        if let Some(live) = &*self.store.shared().live.load() {
            live.index.end_writer(&self.key, self.version);
        }
        self.store.send(Op::Abandon {
            version: self.version,
        });
    }
}

impl Drop for DiskWriter {
    fn drop(&mut self) {
        if let Some((_, charge)) = self.first.take() {
            self.store.shared().release(charge);
        }
        if matches!(self.state, State::New | State::Sending) {
            self.give_up();
        }
    }
}
