//! Which objects the store has and where their records are: all that is kept in memory for an object.
//!
//! A small object, one with head and body in one record, takes one entry of a hash table: 40 bytes, and one of the table's own.
//! The tables double when seven eighths are in use, so an object costs between 47 and 94 bytes. One of several
//! records takes an entry in a second table besides, and 24 bytes for a segment, which is little beside what a
//! segment occupies on disk.
//!
//! INVARIANT: what is in the tables was written: the record first, then the journal. Only the log's thread puts
//! anything in; anyone may take something out, and tells the log afterwards.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use super::record::record_len;
use crate::key::{CacheKey, KeyHashing};

/// Where an object's first record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Which body of the key it is. Larger than that of every earlier body and removal of the key.
    pub(super) version: u64,
    pub(super) place: u64,
    /// Bytes of the record.
    pub(super) len: u32,
    /// How often it was read lately, see [`MOST_HEAT`].
    pub(super) heat: u8,
    /// Whether the body is in segments.
    pub(super) large: bool,
}

/// Reads are counted up to here; a record that is kept when its region is reclaimed goes down by one.
pub(super) const MOST_HEAT: u8 = 3;

/// A body in segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Large {
    /// Its length, when known.
    pub(super) total: Option<u64>,
    /// Those that are there, in order.
    segments: Vec<SegmentSlot>,
}

/// A segment's record: where it begins, and the length of the segment in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) index: u32,
    pub(super) len: u32,
    pub(super) place: u64,
}

#[derive(Debug)]
struct SegmentSlot {
    segment: Segment,
    heat: AtomicU8,
}

impl Clone for SegmentSlot {
    fn clone(&self) -> Self {
        Self {
            segment: self.segment,
            heat: AtomicU8::new(self.heat.load(Ordering::Relaxed)),
        }
    }
}

impl Segment {
    /// Bytes of its record.
    pub(super) const fn record_len(&self) -> u64 {
        record_len(0, self.len as usize)
    }
}

impl Large {
    pub(super) const fn new(total: Option<u64>) -> Self {
        Self {
            total,
            segments: Vec::new(),
        }
    }

    fn position(&self, index: u32) -> Result<usize, usize> {
        self.segments
            .binary_search_by_key(&index, |slot| slot.segment.index)
    }

    fn slot(&self, index: u32) -> Option<&SegmentSlot> {
        self.position(index)
            .ok()
            .and_then(|at| self.segments.get(at))
    }

    /// The segment with that number, when it is there.
    pub(super) fn segment(&self, index: u32) -> Option<Segment> {
        self.slot(index).map(|slot| slot.segment)
    }

    /// All that are there.
    pub(super) fn present(&self) -> impl Iterator<Item = Segment> {
        self.segments.iter().map(|slot| slot.segment)
    }

    pub(super) fn touch(&self, index: u32) {
        if let Some(slot) = self.slot(index) {
            // Two readers may count as one; it is an estimate.
            let heat = slot.heat.load(Ordering::Relaxed);
            slot.heat
                .store((heat + 1).min(MOST_HEAT), Ordering::Relaxed);
        }
    }

    fn heat(&self, index: u32) -> u8 {
        self.slot(index)
            .map_or(0, |slot| slot.heat.load(Ordering::Relaxed))
    }

    pub(super) fn put(&mut self, segment: Segment, heat: u8) {
        let new = SegmentSlot {
            segment,
            heat: AtomicU8::new(heat),
        };
        match self.position(segment.index) {
            Ok(at) => self.segments[at] = new,
            Err(at) => self.segments.insert(at, new),
        }
    }

    /// Forgets a segment; says whether any is left.
    fn take(&mut self, index: u32) -> bool {
        if let Ok(at) = self.position(index) {
            self.segments.remove(at);
        }
        !self.segments.is_empty()
    }
}

/// What is known of an object without reading.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) slot: Slot,
    pub(super) large: Option<Arc<Large>>,
}

/// What became of one record when its region was reclaimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody refers to it.
    Dead,
    /// It was live and not read lately, and is forgotten now.
    Evicted,
    /// It is live and was read lately.
    Hot { version: u64, heat: u8 },
}

const SHARDS: usize = 64;

/// Why an object is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To answer a request from it.
    Answer,
    /// To tell somebody what is there. Leaves no trace.
    Tell,
}

/// The objects of a store.
#[derive(Debug)]
pub(super) struct Index {
    shards: Box<[Mutex<Shard>]>,
    /// Records before this place are gone, whatever the tables say.
    start: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    objects: HashMap<CacheKey, Slot, KeyHashing>,
    /// Bodies in segments, by version.
    large: HashMap<u64, Arc<Large>>,
    /// The newest writer of a key, as long as it may still store.
    writers: HashMap<CacheKey, u64, KeyHashing>,
    /// Removals that the journal does not have yet.
    removals: HashMap<CacheKey, u64, KeyHashing>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            start: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: &CacheKey) -> MutexGuard<'_, Shard> {
        // A byte that the tables do not use.
        let [.., last] = *key.as_bytes();
        self.shards[usize::from(last) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    pub(super) fn set_start(&self, start: u64) {
        self.start.store(start, Ordering::Release);
    }

    /// Where an object is; counts as a read of it, unless it is only looked at.
    pub(super) fn find(&self, key: &CacheKey, purpose: Purpose) -> Option<Located> {
        let mut shard = self.shard(key);
        let slot = shard.objects.get_mut(key)?;
        if slot.place < self.start() {
            return None;
        }
        if purpose == Purpose::Answer {
            slot.heat = (slot.heat + 1).min(MOST_HEAT);
        }
        let slot = *slot;
        let large = match slot.large {
            true => Some(shard.large.get(&slot.version)?.clone()),
            false => None,
        };
        Some(Located { slot, large })
    }

    /// [`Self::find`] of one version, which does not count as a read.
    pub(super) fn find_version(&self, key: &CacheKey, version: u64) -> Option<Located> {
        let shard = self.shard(key);
        let slot = *shard
            .objects
            .get(key)
            .filter(|slot| slot.version == version)?;
        if slot.place < self.start() {
            return None;
        }
        let large = shard.large.get(&version).cloned();
        Some(Located { slot, large })
    }

    /// Which body of a key there is.
    pub(super) fn version(&self, key: &CacheKey) -> Option<u64> {
        let shard = self.shard(key);
        let slot = shard
            .objects
            .get(key)
            .filter(|slot| slot.place >= self.start());
        slot.map(|slot| slot.version)
    }

    /// Makes a writer the one of its key. `version` is drawn under the lock, so that it is larger than that of every
    /// earlier writer and removal of the key.
    pub(super) fn begin_writer(&self, key: CacheKey, version: impl FnOnce() -> u64) -> u64 {
        let mut shard = self.shard(&key);
        let version = version();
        shard.writers.insert(key, version);
        version
    }

    /// Whether a writer may still store.
    pub(super) fn is_writer(&self, key: &CacheKey, version: u64) -> bool {
        self.shard(key).writers.get(key) == Some(&version)
    }

    /// Ends a writer; says whether it was the one that may store.
    pub(super) fn end_writer(&self, key: &CacheKey, version: u64) -> bool {
        let mut shard = self.shard(key);
        let current = shard.writers.get(key) == Some(&version);
        if current {
            shard.writers.remove(key);
        }
        current
    }

    /// Forgets an object and keeps its writer from storing, if it has one. Returns the removal's number and whether there was an object.
    pub(super) fn remove(&self, key: &CacheKey, number: impl FnOnce() -> u64) -> (u64, bool) {
        let mut shard = self.shard(key);
        let number = number();
        shard.writers.remove(key);
        shard.removals.insert(*key, number);
        (number, shard.forget(key))
    }

    /// The journal has a removal.
    pub(super) fn removal_is_written(&self, key: &CacheKey, number: u64) {
        let mut shard = self.shard(key);
        if shard.removals.get(key) == Some(&number) {
            shard.removals.remove(key);
        }
    }

    /// Puts an object in, unless the key was removed meanwhile.
    pub(super) fn put(&self, key: &CacheKey, slot: Slot, large: Option<Large>) -> bool {
        let mut shard = self.shard(key);
        if shard
            .removals
            .get(key)
            .is_some_and(|number| *number > slot.version)
        {
            return false;
        }
        shard.forget(key);
        if let Some(large) = large {
            shard.large.insert(slot.version, Arc::new(large));
        }
        shard.objects.insert(*key, slot);
        true
    }

    /// Puts a new first record on a body that stays where it is, or moves it: only when the object still has that version
    /// and, if `from` is given, is still in that place.
    pub(super) fn replace_slot(&self, key: &CacheKey, new: Slot, from: Option<u64>) -> bool {
        let mut shard = self.shard(key);
        let Some(slot) = shard.objects.get_mut(key) else {
            return false;
        };
        if slot.version != new.version || from.is_some_and(|place| place != slot.place) {
            return false;
        }
        *slot = new;
        true
    }

    /// Puts a segment on an object, when it has that version. With `from` only when the segment is still there.
    pub(super) fn put_segment(
        &self,
        key: &CacheKey,
        version: u64,
        segment: Segment,
        from: Option<u64>,
        heat: u8,
    ) -> bool {
        let mut shard = self.shard(key);
        if shard
            .objects
            .get(key)
            .is_none_or(|slot| slot.version != version)
        {
            return false;
        }
        let Some(large) = shard.large.get_mut(&version) else {
            return false;
        };
        let now = large.segment(segment.index).map(|s| s.place);
        if from.is_some() && from != now {
            return false;
        }
        // Readers may hold the list; they keep theirs.
        Arc::make_mut(large).put(segment, heat);
        true
    }

    /// Sets the length of a body in segments that was not known.
    pub(super) fn set_total(&self, key: &CacheKey, version: u64, total: u64) {
        let mut shard = self.shard(key);
        if shard
            .objects
            .get(key)
            .is_some_and(|slot| slot.version == version)
            && let Some(large) = shard.large.get_mut(&version)
        {
            Arc::make_mut(large).total = Some(total);
        }
    }

    /// Decides on an object's first record at `place`; one that was not read is forgotten here.
    pub(super) fn reclaim(&self, key: &CacheKey, place: u64) -> Fate {
        let mut shard = self.shard(key);
        let Some(slot) = shard.objects.get(key).filter(|slot| slot.place == place) else {
            return Fate::Dead;
        };
        if slot.heat > 0 {
            return Fate::Hot {
                version: slot.version,
                heat: slot.heat - 1,
            };
        }
        shard.forget(key);
        Fate::Evicted
    }

    /// [`Self::reclaim`] for a segment's record. An object without segments is forgotten with its last one.
    pub(super) fn reclaim_segment(
        &self,
        key: &CacheKey,
        version: u64,
        index: u32,
        place: u64,
    ) -> Fate {
        let mut shard = self.shard(key);
        if shard
            .objects
            .get(key)
            .is_none_or(|slot| slot.version != version)
        {
            return Fate::Dead;
        }
        let Some(large) = shard.large.get_mut(&version) else {
            return Fate::Dead;
        };
        if large
            .segment(index)
            .is_none_or(|segment| segment.place != place)
        {
            return Fate::Dead;
        }
        match large.heat(index) {
            0 => {
                if !Arc::make_mut(large).take(index) {
                    shard.forget(key);
                }
                Fate::Evicted
            }
            heat => Fate::Hot {
                version,
                heat: heat - 1,
            },
        }
    }

    /// Forgets what a record was, since it cannot be kept.
    pub(super) fn evict(&self, key: &CacheKey, version: u64, segment: Option<u32>, place: u64) {
        let mut shard = self.shard(key);
        let Some(slot) = shard
            .objects
            .get(key)
            .filter(|slot| slot.version == version)
            .copied()
        else {
            return;
        };
        let gone = match segment {
            None => slot.place == place,
            Some(index) => shard.large.get_mut(&version).is_some_and(|large| {
                large.segment(index).is_some_and(|s| s.place == place)
                    && !Arc::make_mut(large).take(index)
            }),
        };
        if gone {
            shard.forget(key);
        }
    }

    /// Forgets everything before `start`: for a region whose records cannot be walked.
    /// Returns how many objects went.
    pub(super) fn sweep(&self, start: u64) -> u64 {
        let mut gone = 0;
        for shard in &self.shards {
            gone += shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .sweep(start);
        }
        gone
    }

    /// Calls `each` with every object. Holds one shard's lock at a time.
    pub(super) fn for_each(&self, mut each: impl FnMut(&CacheKey, &Slot, Option<&Large>)) {
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, slot) in &shard.objects {
                let large = shard.large.get(&slot.version).filter(|_| slot.large);
                each(key, slot, large.map(|large| &**large));
            }
        }
    }

    /// Number of objects.
    pub(super) fn len(&self) -> u64 {
        let shards = self.shards.iter();
        shards
            .map(|shard| {
                shard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .objects
                    .len() as u64
            })
            .sum()
    }

    /// Forgets an object whose version is less than `number`: what a removal in the journal means. Says whether there
    /// was one.
    pub(super) fn forget_older(&self, key: &CacheKey, number: u64) -> bool {
        let mut shard = self.shard(key);
        let old = shard.objects.get(key);
        old.is_some_and(|slot| slot.version < number) && shard.forget(key)
    }

    /// An object's first record that the journal tells of: a new body, or a new first record of the one that is there.
    pub(super) fn replay_put(&self, key: &CacheKey, slot: Slot, total: Option<u64>) {
        let mut shard = self.shard(key);
        let same = shard
            .objects
            .get(key)
            .is_some_and(|old| old.version == slot.version);
        if !same {
            shard.forget(key);
        }
        if slot.large {
            let large = shard.large.entry(slot.version).or_default();
            Arc::make_mut(large).total = total;
        }
        shard.objects.insert(*key, slot);
    }
}

impl Shard {
    fn forget(&mut self, key: &CacheKey) -> bool {
        let slot = self.objects.remove(key);
        if let Some(slot) = slot.filter(|slot| slot.large) {
            self.large.remove(&slot.version);
        }
        slot.is_some()
    }

    fn sweep(&mut self, start: u64) -> u64 {
        let before = self.objects.len();
        let Self { objects, large, .. } = self;
        objects.retain(|_, slot| {
            if slot.place < start {
                if slot.large {
                    large.remove(&slot.version);
                }
                return false;
            }
            if !slot.large {
                return true;
            }
            let Some(list) = large.get_mut(&slot.version) else {
                return false;
            };
            let list = Arc::make_mut(list);
            list.segments.retain(|slot| slot.segment.place >= start);
            let left = !list.segments.is_empty();
            if !left {
                large.remove(&slot.version);
            }
            left
        });
        (before - objects.len()) as u64
    }
}
