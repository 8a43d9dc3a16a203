//! Reading: an object's first record at lookup, then pieces of its body.
//!
//! What the system has in memory is read where the caller runs, with a call that never waits (`preadv2`
//! with `RWF_NOWAIT`); what it has not is read on a thread for blocking work, a bounded number at a time.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;

use super::{
    DiskStore, Live,
    buffers::Buffer,
    counters::count,
    index::{Large, Located, Purpose, Segment},
    log::Op,
    record::{BLOCK, HEADER, Kind, Record, block_range, blocks_are_intact, prefix},
};
use crate::key::CacheKey;

/// An object as it was at lookup. Holds its head, and its body when that is small; reading from it goes on when the
/// object is replaced or removed, as long as the bytes are there.
#[derive(Clone, Debug)]
pub struct DiskEntry {
    pub(super) key: CacheKey,
    pub(super) version: u64,
    pub(super) epoch: u64,
    head: Bytes,
    body: Body,
    segment: u64,
    live: Arc<Live>,
}

#[derive(Clone, Debug)]
enum Body {
    Whole(Bytes),
    Segments(Arc<Large>),
}

/// Why bytes of a body cannot be had from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Absent {
    /// The segment was never stored, or there is none at that place.
    #[error("the segment is not stored")]
    NotStored,
    /// It was there at lookup, and was evicted or overwritten since, or is damaged.
    #[error("the segment is gone")]
    Gone,
    /// The disk does not answer, or too many reads wait for it.
    #[error("the disk does not answer")]
    Disk,
}

impl DiskEntry {
    /// The head record, as it was stored.
    pub const fn head(&self) -> &Bytes {
        &self.head
    }

    /// What the caller gave the object or its last head to be compared with generations of invalidations.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The key it was found under.
    pub const fn key(&self) -> &CacheKey {
        &self.key
    }

    /// Whether two entries have the same body, so that one may have a newer head.
    pub fn has_body_of(&self, other: &Self) -> bool {
        self.version == other.version && self.key == other.key
    }

    /// Length of the whole body in bytes, when known.
    pub fn total(&self) -> Option<u64> {
        match &self.body {
            Body::Whole(body) => Some(body.len() as u64),
            Body::Segments(large) => large.total,
        }
    }

    /// All of the body, when it is small enough to have been read with the head.
    pub const fn whole(&self) -> Option<&Bytes> {
        match &self.body {
            Body::Whole(body) => Some(body),
            Body::Segments(_) => None,
        }
    }

    /// Whether all bytes of the range were stored at lookup. A range beyond the end is cut there.
    pub fn has(&self, range: Range<u64>) -> bool {
        let Body::Segments(large) = &self.body else {
            return true;
        };
        let end = large.total.map_or(range.end, |total| total.min(range.end));
        let mut at = range.start;
        while at < end {
            let index = at / self.segment;
            let stored = u32::try_from(index).ok().and_then(|i| large.segment(i));
            let Some(stored) = stored else { return false };
            let segment_end = index * self.segment + u64::from(stored.len);
            // A short segment is the last one, and ends where the body does.
            if segment_end <= at || (u64::from(stored.len) < self.segment && segment_end < end) {
                return false;
            }
            at = segment_end;
        }
        true
    }

    /// Whether the length is known and all of the body was stored at lookup.
    pub fn is_complete(&self) -> bool {
        self.total().is_some_and(|total| self.has(0..total))
    }

    /// Numbers of the segments that are missing, as of lookup; none when the length is not known.
    pub fn missing(&self) -> Vec<u32> {
        let Body::Segments(large) = &self.body else {
            return Vec::new();
        };
        let count = large.total.map_or(0, |total| total.div_ceil(self.segment));
        (0..u32::try_from(count).unwrap_or(u32::MAX))
            .filter(|index| large.segment(*index).is_none())
            .collect()
    }
}

impl DiskStore {
    /// What is stored under a key. Damaged records, a disk that does not answer and a tier that is off are misses.
    pub async fn lookup(&self, key: &CacheKey) -> Option<DiskEntry> {
        let shared = self.shared();
        let found = self.find(key, Purpose::Answer).await;
        count(match found {
            Some(_) => &shared.counters.hits,
            None => &shared.counters.misses,
        });
        found
    }

    /// The same for somebody who wants to know what is there: it counts neither as a hit nor as a miss nor as a read of the
    /// object, and what is damaged stays for the next lookup to find.
    pub async fn peek(&self, key: &CacheKey) -> Option<DiskEntry> {
        self.find(key, Purpose::Tell).await
    }

    async fn find(&self, key: &CacheKey, purpose: Purpose) -> Option<DiskEntry> {
        let live = self.shared().live.load_full()?;
        // A record may be moved while it is read, and very seldom twice.
        for _ in 0..3 {
            let Located { slot, large } = live.index.find(key, purpose)?;
            let bytes = self.fetch(&live, slot.place, slot.len as usize).await?;
            let kind = if slot.large { Kind::Head } else { Kind::Whole };
            let record = Record::decode(&bytes).filter(|record| {
                record.is(kind, key, slot.version) && record.is_of(&live, slot.place)
            });
            if let Some(record) = record {
                return Some(DiskEntry {
                    key: *key,
                    version: slot.version,
                    epoch: record.header.epoch,
                    head: record.head,
                    body: large.map_or(Body::Whole(record.body), Body::Segments),
                    segment: self.shared().limits.segment_len(),
                    live,
                });
            }
            let now = live.index.find_version(key, slot.version);
            if now.is_some_and(|now| now.slot.place == slot.place) {
                if purpose == Purpose::Tell {
                    return None;
                }
                self.give_up_damaged(&live, key, slot.version);
                return None;
            }
        }
        None
    }

    /// Bytes of a body from `range.start` on: up to the end of the range or of the segment they are in, whichever comes first.
    /// Only the blocks that hold them are read and checked. Empty when the range is, or begins at the end.
    ///
    /// # Errors
    /// [`Absent`]: the bytes are to be had elsewhere.
    pub async fn read(&self, entry: &DiskEntry, range: Range<u64>) -> Result<Bytes, Absent> {
        let large = match &entry.body {
            Body::Segments(large) => large,
            Body::Whole(body) => {
                let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
                return Ok(body.slice(clamp(range.start)..clamp(range.end).max(clamp(range.start))));
            }
        };
        let end = large.total.map_or(range.end, |total| total.min(range.end));
        if range.start >= end {
            return Ok(Bytes::new());
        }
        let index = u32::try_from(range.start / entry.segment).map_err(|_| Absent::NotStored)?;
        let first = u64::from(index) * entry.segment;
        let (from, to) = (range.start - first, (end - first).min(entry.segment));
        let mut tried = None;
        for _ in 0..3 {
            let now = entry.live.index.find_version(&entry.key, entry.version);
            let now = now.and_then(|object| object.large);
            if let Some(list) = &now {
                list.touch(index);
            }
            // The index knows where it is now; the entry where it was, when the object is there no more.
            let segment = now
                .and_then(|list| list.segment(index))
                .or_else(|| large.segment(index));
            let Some(segment) = segment else {
                return Err(tried.map_or(Absent::NotStored, |_| Absent::Gone));
            };
            if tried == Some(segment) {
                break;
            }
            tried = Some(segment);
            let to = to.min(u64::from(segment.len));
            if from >= to {
                return Err(Absent::NotStored);
            }
            let wanted = usize::try_from(from).unwrap_or(usize::MAX)
                ..usize::try_from(to).unwrap_or(usize::MAX);
            match self.segment_bytes(entry, segment, wanted).await {
                Found::Bytes(bytes) => return Ok(bytes),
                Found::NoAnswer => return Err(Absent::Disk),
                Found::SomethingElse => {}
            }
        }
        let now = entry.live.index.find_version(&entry.key, entry.version);
        let there = now
            .and_then(|object| object.large)
            .and_then(|list| list.segment(index));
        if there.is_some()
            && there == tried
            && tried.is_some_and(|s| s.place >= entry.live.index.start())
        {
            self.give_up_damaged(&entry.live, &entry.key, entry.version);
        }
        Err(Absent::Gone)
    }

    async fn segment_bytes(
        &self,
        entry: &DiskEntry,
        segment: Segment,
        wanted: Range<usize>,
    ) -> Found {
        let len = segment.len as usize;
        let blocks = block_range(wanted.clone(), len);
        let record_len = usize::try_from(segment.record_len()).unwrap_or(usize::MAX);
        if blocks.len() == len {
            let Some(bytes) = self.fetch(&entry.live, segment.place, record_len).await else {
                return Found::NoAnswer;
            };
            let record = Record::decode(&bytes).filter(|r| r.is_segment(entry, segment));
            return record.map_or(Found::SomethingElse, |r| Found::Bytes(r.body.slice(wanted)));
        }
        let prefix_len = HEADER + 4 * len.div_ceil(BLOCK);
        let Some(head) = self.fetch(&entry.live, segment.place, prefix_len).await else {
            return Found::NoAnswer;
        };
        let Some((header, table)) = prefix(&head) else {
            return Found::SomethingElse;
        };
        let record = Record {
            header,
            head: Bytes::new(),
            body: Bytes::new(),
        };
        if !record.is_segment(entry, segment) {
            return Found::SomethingElse;
        }
        let place = segment.place + (prefix_len + blocks.start) as u64;
        let Some(bytes) = self.fetch(&entry.live, place, blocks.len()).await else {
            return Found::NoAnswer;
        };
        if !blocks_are_intact(table, blocks.start, &bytes) {
            return Found::SomethingElse;
        }
        Found::Bytes(bytes.slice(wanted.start - blocks.start..wanted.end - blocks.start))
    }

    /// Bytes of the data file; `None` when the disk does not give them.
    async fn fetch(&self, live: &Arc<Live>, place: u64, len: usize) -> Option<Bytes> {
        let shared = self.shared();
        let mut buffer = Buffer::of(len);
        if live.files.read_at_once(place, buffer.bytes_mut()) {
            return Some(buffer.freeze());
        }
        let Ok(permit) = shared.reads.clone().try_acquire_owned() else {
            count(&shared.counters.throttled_reads);
            return None;
        };
        count(&shared.counters.waited_reads);
        let reader = live.clone();
        let read = tokio::task::spawn_blocking(move || {
            let result = reader.files.read(place, buffer.bytes_mut());
            drop(permit);
            result.map(|()| buffer)
        });
        match read.await {
            Ok(Ok(buffer)) => {
                shared.bad_reads.store(0, Ordering::Relaxed);
                Some(buffer.freeze())
            }
            Ok(Err(e)) => {
                count(&shared.counters.read_errors);
                if shared.bad_reads.fetch_add(1, Ordering::Relaxed) + 1 == MOST_BAD_READS {
                    self.send(Op::Unreadable(e));
                }
                None
            }
            // The runtime is shutting down.
            Err(_) => None,
        }
    }

    /// An object of which a record is damaged is forgotten, and an older one of its key must not come back.
    fn give_up_damaged(&self, live: &Live, key: &CacheKey, version: u64) {
        // Of several that find the same damage, one tells.
        if live.index.forget_older(key, version.saturating_add(1)) {
            tracing::warn!(%key, "a damaged record in the disk tier was given up");
            count(&self.shared().counters.corrupt);
            self.send(Op::Remove {
                key: *key,
                number: version.saturating_add(1),
                done: None,
            });
        }
    }
}

/// Reads in a row that the disk refuses before the tier goes off.
const MOST_BAD_READS: u32 = 8;

enum Found {
    Bytes(Bytes),
    /// Intact or not, it is not the segment.
    SomethingElse,
    NoAnswer,
}

impl Record {
    fn is_of(&self, live: &Live, place: u64) -> bool {
        self.header.life == live.life && self.header.place == place
    }

    fn is_segment(&self, entry: &DiskEntry, segment: Segment) -> bool {
        self.is(Kind::Segment, &entry.key, entry.version)
            && self.is_of(&entry.live, segment.place)
            && self.header.index == segment.index
            && self.header.body_len == segment.len
    }
}
