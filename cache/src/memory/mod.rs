//! The memory tier: complete objects in a weighed table with TinyLFU admission (moka), and bodies on
//! their way in, which followers read while they arrive.
//!
//! The tier stores; it decides nothing. What it has let go of answers nothing any more, stale or not (CF-278). Whether a response may be stored and what a stored one is good
//! for is [`crate::policy`]'s, and who fetches on a miss is the caller's.
//!
//! # Life of a key
//!
//! | In the table | A fill is under way | [`MemoryTier::lookup`] |
//! | --- | --- | --- |
//! | nothing | no | [`Lookup::Absent`] |
//! | nothing | yes | [`Lookup::Filling`] |
//! | an object | no | [`Lookup::Found`] |
//! | an object | yes | [`Lookup::Filling`]: its head is newer, and its first bytes are there |
//!
//! [`MemoryTier::begin_fill`] opens a fill, and the newest one of a key is the one that counts: an older
//! one goes on for the readers it has, and stores nothing. So does one whose key was removed: what was
//! fetched before an invalidation never answers after it. Dropping a [`Fill`] aborts it, and the object
//! that was there before answers again.
//!
//! # What a hit touches
//!
//! The table, and one flag of the object. Locks are taken on misses and while a fill for that very key
//! is under way; no lock is ever held while bytes are awaited or segments copied.
//!
//! # Seams
//!
//! *Collapsing.* Who of several that miss fetches is decided by Pingora's cache lock for now. Its place
//! is here: an obligation to fill, handed out by `lookup` instead of `Absent`, turned into a [`Fill`] when
//! the head is there, whose drop wakes the next in line. [`FillReader`] is what the others hold already.
//! *Segments.* A body is a list of equal segments, each found by arithmetic; a list with gaps is what
//! partial objects and the disk tier need. *Invalidation* is not this tier's: a head carries a
//! [`Stamp`](crate::purge::Stamp), and who finds it asks that; [`MemoryTier::remove`] is for one key.

mod fill;
mod limits;
mod object;
mod reader;
mod returning;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use moka::{policy::EvictionPolicy, sync::Cache};

pub use fill::{Fill, FillError, Filled};
pub use limits::{LimitsError, MemoryLimits};
pub use object::{Body, BodyReader, HeadRecord, Object};
pub use reader::{FillReader, ReadError};

use crate::{
    Refusal,
    key::{CacheKey, KeyHashing},
};
use fill::Shared;
use returning::Returning;

/// What is stored under a key.
#[derive(Debug)]
pub enum Lookup<M> {
    /// A complete object.
    Found(Arc<Object<M>>),
    /// One that is arriving; the reader starts at its first byte.
    Filling(FillReader<M>),
    /// Nothing.
    Absent,
}

/// The memory tier. Clones share it.
pub struct MemoryTier<M: HeadRecord> {
    inner: Arc<Inner<M>>,
}

impl<M: HeadRecord> Clone for MemoryTier<M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<M: HeadRecord> MemoryTier<M> {
    /// An empty tier.
    ///
    /// # Errors
    /// [`LimitsError`] names the limit that cannot work.
    pub fn new(limits: MemoryLimits) -> Result<Self, LimitsError> {
        limits.check()?;
        let objects = Cache::builder()
            .max_capacity(limits.capacity)
            .weigher(|_, object: &Arc<Object<M>>| object.weight())
            .eviction_policy(EvictionPolicy::tiny_lfu())
            .build_with_hasher(KeyHashing);
        let inner = Inner {
            objects,
            shards: std::array::from_fn(|_| Shard::default()),
            changes: std::array::from_fn(|_| AtomicU64::new(0)),
            next_id: AtomicU64::new(0),
            buffered: AtomicU64::new(0),
            returning: Returning::of_capacity(limits.capacity),
            limits,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The complete object under a key, unless a fill is about to replace it: all that most hits ask.
    pub fn stored(&self, key: &CacheKey) -> Option<Arc<Object<M>>> {
        let object = self.inner.objects.get(key)?;
        (!object.is_replacing()).then_some(object)
    }

    /// What is stored under a key.
    pub fn lookup(&self, key: &CacheKey) -> Lookup<M> {
        let inner = &*self.inner;
        if let Some(object) = self.stored(key) {
            return Lookup::Found(object);
        }
        if let Some(reader) = inner.follow(key) {
            return Lookup::Filling(reader);
        }
        // A fill that has just ended is in the table before it leaves its shard, so after not finding
        // it there this look is decisive. `contains_key` first: `get` would count a second access.
        let again = inner.objects.contains_key(key);
        again
            .then(|| inner.objects.get(key))
            .flatten()
            .map_or(Lookup::Absent, Lookup::Found)
    }

    /// The complete objects that are `wanted`, each with its key. Looks at every one, which took 1.6 s at 1,000,000
    /// objects without optimisation, so it is for people who ask and not for a thread that serves. Counts as no use of any.
    pub fn survey(
        &self,
        mut wanted: impl FnMut(&CacheKey, &Object<M>) -> bool,
    ) -> Vec<(CacheKey, Arc<Object<M>>)> {
        // The only way into the table that its frequency sketch does not count.
        let all = self.inner.objects.iter();
        all.filter(|(key, object)| wanted(key, object))
            .map(|(key, object)| (*key, object))
            .collect()
    }

    /// Head and, when it is known, length of what is arriving under a key. Does not join it.
    pub fn arriving(&self, key: &CacheKey) -> Option<(Arc<M>, Option<u64>)> {
        let fill = self.inner.shard(key).get(key).cloned()?;
        Some((fill.head.clone(), fill.complete_len()))
    }

    /// Begins to fill a key, once the head has arrived and was found storable. `expected_len` is the
    /// length of the body if it was announced.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] or [`Refusal::NoRoom`]: the response is to be passed on without the tier.
    pub fn begin_fill(
        &self,
        key: CacheKey,
        head: M,
        expected_len: Option<u64>,
    ) -> Result<Fill<M>, Refusal> {
        let inner = &self.inner;
        let announced = expected_len.unwrap_or(0);
        if !inner.limits.fits(head.weight(), announced) {
            return Err(Refusal::TooLarge);
        }
        if !inner.charge(announced) {
            return Err(Refusal::NoRoom);
        }
        let id = inner.next_id.fetch_add(1, Ordering::Relaxed);
        let fill = Fill::new(inner.clone(), key, id, head, expected_len, announced);
        let mut fills = inner.shard(&key);
        fills.insert(key, fill.shared().clone());
        inner.mark_replacing(&key, true);
        drop(fills);
        Ok(fill)
    }

    /// Begins to pass a response on that the tier does not keep, for the reason `why`: it has the readers that its
    /// writer makes for it, and no others.
    pub fn begin_relay(
        &self,
        key: CacheKey,
        head: M,
        expected_len: Option<u64>,
        why: Refusal,
    ) -> Fill<M> {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        Fill::new(self.inner.clone(), key, id, head, expected_len, 0).relaying(why)
    }

    /// Gives a fill up for which its leader reads no more, unless somebody else does: nobody can join it from then on, and
    /// its writer is to be dropped (CF-224). False when it has to go on for others (CF-405).
    pub fn give_up(&self, key: &CacheKey, leader: &FillReader<M>) -> bool {
        let mut fills = self.inner.shard(key);
        // Under the lock that whoever joins takes.
        if leader.is_followed() {
            return false;
        }
        if fills.get(key).is_some_and(|fill| leader.reads(fill)) {
            fills.remove(key);
            self.inner.mark_replacing(key, false);
        }
        true
    }

    /// Takes note of what a key is now; to be asked before an older tier is.
    pub fn ticket(&self, key: &CacheKey) -> Ticket {
        Ticket(self.inner.changes[shard_index(key)].load(Ordering::Acquire))
    }

    /// Takes in an object that an older tier had, unless the key has changed since `ticket`: then what is there by now is
    /// newer, or nothing is to be there. One that is asked for seldom is not stored and answers all the same: then the bytes of
    /// `body` are held as long as it is, and else they are copied.
    ///
    /// # Errors
    /// The head, when the object cannot answer.
    pub fn promote(
        &self,
        ticket: Ticket,
        key: CacheKey,
        head: M,
        body: Bytes,
    ) -> Result<Arc<Object<M>>, M> {
        let inner = &*self.inner;
        let fits = inner.limits.fits(head.weight(), body.len() as u64);
        let fills = inner.shard(&key);
        let unchanged = inner.changes[shard_index(&key)].load(Ordering::Acquire) == ticket.0;
        if !fits || !unchanged || fills.contains_key(&key) {
            return Err(head);
        }
        if let Some(stored) = inner.objects.get(&key) {
            return Ok(stored);
        }
        let id = inner.next_id.fetch_add(1, Ordering::Relaxed);
        let weight = object::weight(head.weight(), body.len() as u64);
        let taken = inner.objects.weighted_size();
        let comes_in = inner.returning.note(&key, weight, taken);
        let body = match comes_in {
            true => Bytes::copy_from_slice(&body),
            false => body,
        };
        let body = Body::of_whole(body, inner.limits.segment);
        let object = Arc::new(Object::new(Arc::new(head), body, id));
        if comes_in {
            inner.objects.insert(key, object.clone());
        }
        Ok(object)
    }

    /// Sizes in force.
    pub fn limits(&self) -> &MemoryLimits {
        &self.inner.limits
    }

    /// Puts a new head on a stored body: what a 304 does (CF-282). `head` makes it from the object that
    /// is stored now, which may not be the one that was validated; `None` leaves everything as it is.
    /// Runs under the key's lock, so it must be quick and not call the tier.
    pub fn update_head(
        &self,
        key: &CacheKey,
        head: impl FnOnce(&Object<M>) -> Option<M>,
    ) -> Option<Arc<Object<M>>> {
        let inner = &*self.inner;
        let _fills = inner.shard(key);
        let stored = inner.objects.get(key)?;
        let object = Arc::new(stored.with_head(head(&stored)?));
        inner.changed(key);
        inner.objects.insert(*key, object.clone());
        Some(object)
    }

    /// [`Self::update_head`] for a head that is ready: does nothing when the body stored by now is not
    /// that of `validated`.
    pub fn replace_head(
        &self,
        key: &CacheKey,
        validated: &Object<M>,
        head: M,
    ) -> Option<Arc<Object<M>>> {
        self.update_head(key, |stored| stored.has_body_of(validated).then_some(head))
    }

    /// Removes a key: no later lookup finds its object, or joins or is answered from a fill that is under
    /// way now. Returns whether there was anything.
    pub fn remove(&self, key: &CacheKey) -> bool {
        let inner = &*self.inner;
        let mut fills = inner.shard(key);
        inner.changed(key);
        let filling = fills.remove(key).is_some();
        let stored = inner.objects.remove(key).is_some();
        filling || stored
    }

    /// Number of complete objects. Runs behind until [`Self::settle`].
    pub fn entry_count(&self) -> u64 {
        self.inner.objects.entry_count()
    }

    /// Bytes complete objects weigh, heads and overhead included. Runs behind until [`Self::settle`].
    pub fn weighed_bytes(&self) -> u64 {
        self.inner.objects.weighted_size()
    }

    /// Bytes charged for bodies that are arriving.
    pub fn filling_bytes(&self) -> u64 {
        self.inner.buffered.load(Ordering::Relaxed)
    }

    /// Does postponed housekeeping, so that counts are exact and evictions have happened: for metrics
    /// and tests. The tier does it by itself now and then.
    pub fn settle(&self) {
        self.inner.objects.run_pending_tasks();
    }
}

impl<M: HeadRecord> std::fmt::Debug for MemoryTier<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryTier")
            .field("limits", &self.inner.limits)
            .field("entries", &self.entry_count())
            .finish_non_exhaustive()
    }
}

/// What a key was at a moment, see [`MemoryTier::ticket`].
#[derive(Clone, Copy, Debug)]
pub struct Ticket(u64);

fn shard_index(key: &CacheKey) -> usize {
    // Bits the tables do not use.
    let [.., last] = *key.as_bytes();
    usize::from(last) % SHARDS
}

/// Fills under way, by key.
type Shard<M> = Mutex<HashMap<CacheKey, Arc<Shared<M>>, KeyHashing>>;

const SHARDS: usize = 64;

/// What tier and fills share.
///
/// INVARIANT: a key's shard lock orders everything that changes the key: beginning, finishing and
/// forgetting its fill, replacing its head, removing it. Lookups that find an object take no lock. A fill
/// is in its shard exactly as long as it may still store; it is put into the table before it is taken
/// out of the shard, so a lookup that looks in the order table, shard, table misses nothing.
struct Inner<M: HeadRecord> {
    objects: Cache<CacheKey, Arc<Object<M>>, KeyHashing>,
    shards: [Shard<M>; SHARDS],
    /// How often a key of each shard was stored, given a new head or removed. Raised under the shard's lock.
    changes: [AtomicU64; SHARDS],
    next_id: AtomicU64,
    /// Bytes charged for fills; at most `limits.fills`.
    buffered: AtomicU64,
    returning: Returning,
    limits: MemoryLimits,
}

impl<M: HeadRecord> Inner<M> {
    fn shard(
        &self,
        key: &CacheKey,
    ) -> MutexGuard<'_, HashMap<CacheKey, Arc<Shared<M>>, KeyHashing>> {
        self.shards[shard_index(key)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called under the key's shard lock.
    fn changed(&self, key: &CacheKey) {
        self.changes[shard_index(key)].fetch_add(1, Ordering::Release);
    }

    /// Joins the key's fill.
    fn follow(&self, key: &CacheKey) -> Option<FillReader<M>> {
        self.shard(key).get(key).cloned().map(FillReader::new)
    }

    /// Stores a finished fill, if it is still the key's; says whether it was.
    fn finish_fill(&self, key: &CacheKey, fill: &Arc<Shared<M>>, object: &Arc<Object<M>>) -> bool {
        let mut fills = self.shard(key);
        if !fills
            .get(key)
            .is_some_and(|current| Arc::ptr_eq(current, fill))
        {
            return false;
        }
        self.objects.insert(*key, object.clone());
        self.changed(key);
        fills.remove(key);
        true
    }

    /// Takes a fill out that will not store. What is in the table answers again.
    fn forget_fill(&self, key: &CacheKey, fill: &Arc<Shared<M>>) {
        let mut fills = self.shard(key);
        if fills
            .get(key)
            .is_some_and(|current| Arc::ptr_eq(current, fill))
        {
            fills.remove(key);
            self.mark_replacing(key, false);
        }
    }

    /// To be called under the key's shard lock.
    fn mark_replacing(&self, key: &CacheKey, replacing: bool) {
        if let Some(object) = self.objects.get(key) {
            object.set_replacing(replacing);
        }
    }

    /// Charges bytes to the budget for fills; `false` when it does not have them.
    fn charge(&self, bytes: u64) -> bool {
        let limit = self.limits.fills;
        let add = |now: u64| now.checked_add(bytes).filter(|sum| *sum <= limit);
        self.buffered
            .try_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    fn release(&self, bytes: u64) {
        self.buffered.fetch_sub(bytes, Ordering::Relaxed);
    }
}
