//! The log while the disk works: records are gathered into a batch, written, journaled, and made visible, in this order.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    Dropped, Live, Shared,
    counters::{add, count},
    files::{JournalFile, Opened},
    index::{Large, Segment, Slot},
    journal::{self, Frame, Progress},
    log::{Commit, Done},
    record::{Content, HEADER, Header, Kind, Record},
};
use crate::key::{CacheKey, KeyHashing};

/// Batches are written when they have reached this.
const BATCH: usize = 1024 * 1024;
/// How much the journal may grow beyond twice the index, at most; a small store makes do with a 32nd of itself.
const JOURNAL_SLACK: u64 = 16 * 1024 * 1024;
/// What an object takes in the journal.
const JOURNAL_OBJECT: u64 = 54;

fn journal_slack(shared: &Shared) -> u64 {
    JOURNAL_SLACK.min(shared.limits.ring() / 32)
}

/// The thread's state while the disk works.
pub(super) struct On {
    pub(super) shared: Arc<Shared>,
    pub(super) live: Arc<Live>,
    preamble: journal::Preamble,
    journal: JournalFile,
    /// Length of the journal at which it is written anew.
    rewrite_at: u64,
    _lock: File,
    /// The region that is written; none when the next record begins one.
    region: Option<u64>,
    /// Segments of objects that are not committed, by version.
    pending: HashMap<u64, Vec<Segment>>,
    batch: Batch,
    /// Keys whose newest object could not even be put into a batch.
    lost: Vec<CacheKey>,
}

/// Records that are written together.
#[derive(Debug)]
struct Batch {
    /// Where they begin.
    place: u64,
    data: Vec<u8>,
    frame: Frame,
    applies: Vec<Apply>,
    /// Keys of objects that become visible with it.
    commits: HashSet<CacheKey, KeyHashing>,
    /// Whether someone waits for a removal.
    sync: bool,
    /// Bytes of the write buffer to give back.
    charge: u64,
}

/// What is done when a batch is written.
#[derive(Debug)]
pub(super) enum Apply {
    Object {
        key: CacheKey,
        slot: Slot,
        large: Option<Large>,
        epoch: u64,
        done: Done,
    },
    Head {
        key: CacheKey,
        slot: Slot,
        total: Option<u64>,
        epoch: u64,
        done: Done,
    },
    Segment {
        key: CacheKey,
        version: u64,
        segment: Segment,
    },
    /// A record was copied from `from` to where it is kept.
    MovedObject {
        key: CacheKey,
        slot: Slot,
        from: u64,
    },
    MovedSegment {
        key: CacheKey,
        version: u64,
        segment: Segment,
        from: u64,
        heat: u8,
    },
    Removal {
        key: CacheKey,
        number: u64,
        done: Option<oneshot::Sender<bool>>,
    },
    Tell(Done, Result<(), Dropped>),
}

impl Batch {
    fn at(place: u64) -> Self {
        Self {
            place,
            data: Vec::new(),
            frame: Frame::default(),
            applies: Vec::new(),
            commits: HashSet::default(),
            sync: false,
            charge: 0,
        }
    }

    fn end(&self) -> u64 {
        self.place + self.data.len() as u64
    }

    /// Tells everyone that it was not written. Returns the keys whose state on disk is not what it should be.
    fn fail(&mut self, shared: &Shared) -> Vec<CacheKey> {
        shared.release(std::mem::take(&mut self.charge));
        let mut keys = Vec::new();
        for apply in self.applies.drain(..) {
            match apply {
                Apply::Object { key, done, .. } | Apply::Head { key, done, .. } => {
                    keys.push(key);
                    let _ = done.send(Err(Dropped::Off));
                }
                Apply::Removal { key, done, .. } => {
                    keys.push(key);
                    if let Some(done) = done {
                        let _ = done.send(false);
                    }
                }
                Apply::Tell(done, _) => {
                    let _ = done.send(Err(Dropped::Off));
                }
                Apply::Segment { .. } | Apply::MovedObject { .. } | Apply::MovedSegment { .. } => {}
            }
        }
        keys
    }
}

impl On {
    pub(super) fn new(shared: Arc<Shared>, opened: Opened) -> Self {
        let objects = opened.index.len();
        let (end, region) = (opened.progress.end, shared.limits.region);
        Self {
            live: Arc::new(Live {
                files: opened.files,
                index: opened.index,
                life: opened.preamble.life,
            }),
            preamble: opened.preamble,
            rewrite_at: 2 * objects * JOURNAL_OBJECT + journal_slack(&shared),
            journal: opened.journal,
            _lock: opened.lock,
            region: (!end.is_multiple_of(region)).then_some(end / region),
            pending: HashMap::default(),
            batch: Batch::at(end),
            lost: Vec::new(),
            shared,
        }
    }

    /// Bytes to give back to the write buffer when the batch is written.
    pub(super) const fn charge(&mut self, bytes: u64) {
        self.batch.charge += bytes;
    }

    pub(super) fn abandon(&mut self, version: u64) {
        self.pending.remove(&version);
    }

    /// Tells this when the batch is written.
    pub(super) fn tell(&mut self, done: Done, what: Result<(), Dropped>) {
        self.batch.applies.push(Apply::Tell(done, what));
    }

    /// Removes whatever is under a key.
    pub(super) fn forget(&mut self, key: CacheKey) {
        let (number, _) = self.live.index.remove(&key, || self.shared.number());
        self.removal(key, number, None);
    }

    /// Whether the batch should be written now.
    pub(super) const fn is_long(&self) -> bool {
        self.batch.data.len() >= BATCH
    }

    /// Whether the directory still has the journal.
    pub(super) fn is_in_place(&self) -> bool {
        self.live.files.are_in_place(&self.journal)
    }

    /// Tells everyone that the disk fails. Returns the keys whose state on disk is not what it should be.
    pub(super) fn fail(&mut self) -> Vec<CacheKey> {
        let mut keys = self.batch.fail(&self.shared);
        keys.append(&mut self.lost);
        keys
    }

    /// Writes down how far the store has come.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        let progress = self.progress();
        self.batch
            .frame
            .progress(progress.end, progress.next, progress.epoch);
        self.flush()?;
        self.journal.sync()
    }

    pub(super) fn segment(
        &mut self,
        key: CacheKey,
        version: u64,
        epoch: u64,
        total: Option<u64>,
        index: u32,
        body: &Bytes,
    ) -> io::Result<()> {
        let content = Content {
            kind: Kind::Segment,
            key,
            version,
            epoch,
            total,
            index,
            head: &[],
            body,
        };
        // An object of this very batch is not in the index yet.
        if self.batch.commits.contains(&key) {
            self.flush()?;
        }
        self.room(content.len())?;
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let writing = self.live.index.is_writer(&key, version);
        let extends = !writing
            && self
                .live
                .index
                .find_version(&key, version)
                .is_some_and(|object| object.slot.large);
        if !writing && !extends {
            count(&self.shared.counters.dropped_overtaken);
            return Ok(());
        }
        let place = self.append(&content);
        let segment = Segment { index, place, len };
        if writing {
            self.pending.entry(version).or_default().push(segment);
        } else {
            self.batch.frame.segment(&key, version, &segment);
            self.batch.applies.push(Apply::Segment {
                key,
                version,
                segment,
            });
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.batch.charge += commit.charge;
        let content = commit.content();
        if let Err(e) = self.room(content.len()) {
            self.refuse(commit, Dropped::Off);
            return Err(e);
        }
        let pending = self.pending.remove(&commit.version).unwrap_or_default();
        if !self.live.index.end_writer(&commit.key, commit.version) {
            // One that began before the disk was off and on again: what it was to replace is older.
            self.give_up_older(commit.key, commit.version);
            self.refuse(commit, Dropped::Overtaken);
            return Ok(());
        }
        let start = self.live.index.start();
        let segments: Vec<Segment> = pending.into_iter().filter(|s| s.place >= start).collect();
        let large = commit.body.is_none();
        if large && segments.is_empty() {
            // Nothing of the body is left; the object that was there before is not what the caller wants to have either.
            self.give_up_older(commit.key, commit.version);
            self.refuse(commit, Dropped::NoRoom);
            return Ok(());
        }
        let slot = self.append_first(&content, commit.version, large);
        self.batch
            .frame
            .object(&commit.key, &slot, commit.total, commit.epoch);
        let large = large.then(|| {
            let mut list = Large::new(commit.total);
            for segment in &segments {
                self.batch
                    .frame
                    .segment(&commit.key, commit.version, segment);
                list.put(*segment, 0);
            }
            list
        });
        self.batch.commits.insert(commit.key);
        self.batch.applies.push(Apply::Object {
            key: commit.key,
            slot,
            large,
            epoch: commit.epoch,
            done: commit.done,
        });
        Ok(())
    }

    /// Tells of a failure, when what was done about it is written.
    fn refuse(&mut self, commit: Commit, why: Dropped) {
        if why == Dropped::Off {
            self.lost.push(commit.key);
        }
        count(&self.shared.counters.dropped_overtaken);
        self.tell(commit.done, Err(why));
    }

    /// Writes a first record again, with another head. A small object's body goes with it.
    pub(super) fn head(&mut self, mut commit: Commit) -> io::Result<()> {
        self.batch.charge += commit.charge;
        if self.batch.commits.contains(&commit.key)
            && let Err(e) = self.flush()
        {
            self.refuse(commit, Dropped::Off);
            return Err(e);
        }
        let Some(before) = self.live.index.find_version(&commit.key, commit.version) else {
            self.refuse(commit, Dropped::Overtaken);
            return Ok(());
        };
        if !before.slot.large {
            match self.read_record(before.slot.place, before.slot.len) {
                Ok(Some(record)) if record.is(Kind::Whole, &commit.key, commit.version) => {
                    commit.total = record.header.total;
                    commit.body = Some(record.body);
                }
                Ok(_) => {
                    self.damaged(commit.key, commit.version);
                    self.refuse(commit, Dropped::Overtaken);
                    return Ok(());
                }
                Err(e) => {
                    self.refuse(commit, Dropped::Off);
                    return Err(e);
                }
            }
        }
        let content = commit.content();
        if let Err(e) = self.room(content.len()) {
            self.refuse(commit, Dropped::Off);
            return Err(e);
        }
        // Making room may have moved or reclaimed it.
        let Some(now) = self.live.index.find_version(&commit.key, commit.version) else {
            self.refuse(commit, Dropped::Overtaken);
            return Ok(());
        };
        let mut slot = self.append_first(&content, commit.version, now.slot.large);
        slot.heat = now.slot.heat;
        let total = commit
            .total
            .or_else(|| now.large.and_then(|large| large.total));
        self.batch
            .frame
            .object(&commit.key, &slot, total, commit.epoch);
        self.batch.applies.push(Apply::Head {
            key: commit.key,
            slot,
            total,
            epoch: commit.epoch,
            done: commit.done,
        });
        Ok(())
    }

    pub(super) fn removal(
        &mut self,
        key: CacheKey,
        number: u64,
        done: Option<oneshot::Sender<bool>>,
    ) {
        self.batch.frame.removal(&key, number);
        self.batch.sync |= done.is_some();
        self.batch
            .applies
            .push(Apply::Removal { key, number, done });
    }

    /// A record of that body is damaged: what it was is gone, and must not come back from an earlier record.
    pub(super) fn damaged(&mut self, key: CacheKey, version: u64) {
        tracing::warn!(%key, "a damaged record in the disk tier was given up");
        count(&self.shared.counters.corrupt);
        self.give_up_older(key, version.saturating_add(1));
    }

    /// Removes what is older than `number`; a writer of the key goes on.
    fn give_up_older(&mut self, key: CacheKey, number: u64) {
        if self.live.index.forget_older(&key, number) {
            self.removal(key, number, None);
        }
    }

    /// Reads and checks a record; `None` when it is damaged.
    pub(super) fn read_record(&self, place: u64, len: u32) -> io::Result<Option<Record>> {
        let mut bytes = vec![0; len as usize];
        self.live.files.read(place, &mut bytes)?;
        let record = Record::decode(&Bytes::from(bytes));
        Ok(record.filter(|r| r.header.life == self.live.life && r.header.place == place))
    }

    fn append_first(&mut self, content: &Content<'_>, version: u64, large: bool) -> Slot {
        let place = self.append(content);
        Slot {
            version,
            place,
            len: u32::try_from(content.len()).unwrap_or(u32::MAX),
            heat: 0,
            large,
        }
    }

    /// Puts a record for which there is room into the batch. Returns its place.
    pub(super) fn append(&mut self, content: &Content<'_>) -> u64 {
        let place = self.batch.end();
        content.encode(self.live.life, place, &mut self.batch.data);
        place
    }

    /// Adds what is to happen when the batch is written.
    pub(super) fn then(&mut self, note: impl FnOnce(&mut Frame), apply: Apply) {
        note(&mut self.batch.frame);
        self.batch.applies.push(apply);
    }

    /// Writes the batch when it is long enough.
    pub(super) fn flush_if_long(&mut self) -> io::Result<()> {
        if self.is_long() {
            self.flush()?;
        }
        Ok(())
    }

    /// Makes sure that a record of `len` bytes fits into the region that is being written.
    fn room(&mut self, len: u64) -> io::Result<()> {
        let size = self.shared.limits.region;
        let at = self.batch.end();
        if let Some(region) = self.region {
            let end = (region + 1) * size;
            if at + len <= end {
                return Ok(());
            }
            if at + HEADER as u64 <= end {
                let end = Header::end(self.live.life, at).encode();
                self.batch.data.extend_from_slice(&end);
            }
            self.flush()?;
        }
        let region = at.div_ceil(size);
        self.live.files.reserve(region * size, size)?;
        self.flush()?;
        self.batch.place = region * size;
        self.region = Some(region);
        self.reclaim_for(region)
    }

    fn progress(&self) -> Progress {
        Progress {
            end: self.batch.end(),
            next: self.shared.next.load(Ordering::Relaxed),
            epoch: self.shared.epoch.load(Ordering::Relaxed),
        }
    }

    /// Writes the batch and makes it visible.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.batch.data.is_empty() {
            self.live.files.write(self.batch.place, &self.batch.data)?;
            add(
                &self.shared.counters.written_bytes,
                self.batch.data.len() as u64,
            );
        }
        if !self.batch.frame.is_empty() {
            let frame = self.batch.frame.seal();
            self.journal.append(&self.live.files, &frame)?;
            if self.batch.sync && self.shared.limits.sync_removals {
                self.journal.sync()?;
            }
        }
        self.batch.place = self.batch.end();
        self.batch.data.clear();
        self.batch.commits.clear();
        self.batch.sync = false;
        self.shared.release(std::mem::take(&mut self.batch.charge));
        for apply in std::mem::take(&mut self.batch.applies) {
            self.apply(apply);
        }
        if self.journal.len() > self.rewrite_at {
            self.journal = self.live.files.rewrite_journal(
                &self.preamble,
                &self.live.index,
                self.progress(),
            )?;
            self.rewrite_at = 2 * self.journal.len() + journal_slack(&self.shared);
            count(&self.shared.counters.journals);
        }
        Ok(())
    }

    fn apply(&self, apply: Apply) {
        let index = &self.live.index;
        let told = |stored: bool, epoch: u64, done: Done| {
            if stored {
                self.shared.epoch.fetch_max(epoch, Ordering::Relaxed);
                count(&self.shared.counters.stored);
            } else {
                count(&self.shared.counters.dropped_overtaken);
            }
            let _ = done.send(if stored {
                Ok(())
            } else {
                Err(Dropped::Overtaken)
            });
        };
        match apply {
            Apply::Object {
                key,
                slot,
                large,
                epoch,
                done,
            } => told(index.put(&key, slot, large), epoch, done),
            Apply::Head {
                key,
                slot,
                total,
                epoch,
                done,
            } => {
                let stored = index.replace_slot(&key, slot, None);
                if let Some(total) = total {
                    index.set_total(&key, slot.version, total);
                }
                told(stored, epoch, done);
            }
            Apply::Segment {
                key,
                version,
                segment,
            } => {
                index.put_segment(&key, version, segment, None, 0);
            }
            Apply::MovedObject { key, slot, from } => {
                index.replace_slot(&key, slot, Some(from));
            }
            Apply::MovedSegment {
                key,
                version,
                segment,
                from,
                heat,
            } => {
                index.put_segment(&key, version, segment, Some(from), heat);
            }
            Apply::Removal { key, number, done } => {
                // Again, for one that was asked for while the disk was off.
                index.forget_older(&key, number);
                index.removal_is_written(&key, number);
                count(&self.shared.counters.removed);
                if let Some(done) = done {
                    let _ = done.send(true);
                }
            }
            Apply::Tell(done, what) => {
                let _ = done.send(what);
            }
        }
    }
}

impl Record {
    /// Whether it is what was looked for.
    pub(super) fn is(&self, kind: Kind, key: &CacheKey, version: u64) -> bool {
        self.header.kind == kind && self.header.key == *key && self.header.version == version
    }
}
