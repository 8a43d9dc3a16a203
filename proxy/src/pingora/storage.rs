//! Both tiers behind Pingora's storage trait. The tiers themselves do not name Pingora; the
//! translation is all that happens here.

mod beside;
mod bodies;
mod facts;
mod peek;
mod segments;
#[cfg(test)]
mod taken;

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use fourfront_cache::{
    Refusal,
    disk::DiskCounts,
    key::{CacheKey, KeySecret},
    memory::{FillReader, Filled, HeadRecord, Lookup, MemoryLimits, MemoryTier, Object},
    purge::Invalidations,
    segments::Arriving,
    variants::Variants,
};
use fourfront_model::FinishFetch;
use http::{HeaderMap, Method, header};
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType, Result,
    cache::{
        CacheKey as PingoraKey, CacheMeta, CacheOptionOverrides, HttpCache,
        key::{CacheHashKey as _, HashBinary},
        lock::CacheKeyLockImpl,
        storage::{HitHandler, MissHandler, PurgeOutcome, PurgeTarget, PurgeType, Storage},
        trace::SpanHandle,
    },
    http::ResponseHeader,
};

use beside::head_only_key;
pub(super) use beside::{Beside, Borrowed};
pub(super) use bodies::tier_of;
use bodies::{DiskHit, FillHit, FillMiss, object_hit};
pub(super) use facts::{Facts, StoredFacts};
pub(crate) use peek::Tier;
pub(super) use peek::{StoredCopy, slot};
pub(super) use segments::{Coming, Fetch, Plan, Segmented, SegmentedHit, Unfetched, run_of};
use segments::{SegmentFill, segmented_hit};

use super::{
    collapse::{self, Collapse, HeadCollapse, Sharing},
    disk::{Disk, OnDisk, PROMOTE},
    packed::Packed,
    parts::Unsliced,
};

/// A fill that takes longer than this no longer keeps others from trying (CF-405).
const FILL_LIMIT: Duration = Duration::from_secs(60);

/// Keys that are remembered between a look-up and the key's lock.
const MOST_LACKING: usize = 1024;

/// A node's cache.
///
/// Pingora borrows storage and lock for `'static`, so both are leaked: once per node, which is once per process
/// but in tests.
pub struct CacheStorage {
    adapter: &'static Adapter,
    lock: &'static Collapse,
    head_lock: &'static HeadCollapse,
    secret: KeySecret,
    invalidations: Arc<Invalidations>,
    unsliced: Unsliced,
    variants: Variants,
}

/// Where and how large the disk tier is.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlace<'a> {
    /// Its directory; made when it is not there.
    pub dir: &'a Path,
    /// Bytes it may take.
    pub capacity: u64,
}

/// What a request finds in the cache, without waiting for anything that arrives.
pub(super) enum Found {
    /// In memory, perhaps since now.
    Object(Arc<Object<Head>>),
    /// On disk, and too large to be taken into memory.
    OnDisk(Box<OnDisk>),
}

impl CacheStorage {
    /// A memory tier of `bytes`, for bodies of at most `largest` bytes (an eighth of the tier when not given,
    /// CF-221), and behind it a disk tier if there is a place for one.
    ///
    /// # Errors
    /// When the sizes cannot work, or the system gives no random bytes for the key secret.
    pub fn new(
        bytes: u64,
        largest: Option<u64>,
        invalidations: Arc<Invalidations>,
        disk: Option<DiskPlace<'_>>,
    ) -> std::result::Result<Self, String> {
        let disk = disk
            .map(|place| Disk::open(place.dir, place.capacity, largest, &invalidations))
            .transpose()?;
        let secret = match &disk {
            Some(disk) => disk.secret(),
            None => KeySecret::random().map_err(|e| e.to_string())?,
        };
        let mut limits = MemoryLimits::of_capacity(bytes);
        if let Some(largest) = largest {
            limits = limits.with_max_object(largest);
        }
        // A viewer that is slower than an origin must still get all of a body that is not kept, and Pingora
        // gives no way to hold the origin back; so a relay may hold as much as objects may.
        limits.relay_window = limits.capacity;
        let adapter = Adapter {
            secret: secret.clone(),
            arriving: Arriving::default(),
            lacking: Mutex::default(),
            tier: MemoryTier::new(limits).map_err(|e| e.to_string())?,
            disk,
            starting: Mutex::new(HashMap::new()),
            next_tag: AtomicU64::new(0),
        };
        let adapter: &'static Adapter = Box::leak(Box::new(adapter));
        let has_come = move |key: &PingoraKey| adapter.has_come(&our_key(key));
        let (lock, head_lock) = collapse::leaked(FILL_LIMIT, has_come);
        Ok(Self {
            adapter,
            lock,
            head_lock,
            secret,
            invalidations,
            unsliced: Unsliced::default(),
            variants: Variants::default(),
        })
    }

    /// What does not answer any more.
    pub const fn invalidations(&self) -> &Arc<Invalidations> {
        &self.invalidations
    }

    /// The request that is about to ask for the key's lock has found what is there, and it is of no use to it.
    pub(super) fn lead_all_the_same(&self, key: &PingoraKey) {
        let mut lacking = self.adapter.lacking.lock();
        if lacking.len() >= MOST_LACKING {
            // Of those that asked for no lock.
            lacking.clear();
        }
        lacking.insert(our_key(key));
    }

    /// What cannot be stored in parts.
    pub(super) const fn unsliced(&self) -> &Unsliced {
        &self.unsliced
    }

    /// The secret of the node's key hashes.
    pub(super) const fn secret(&self) -> &KeySecret {
        &self.secret
    }

    /// Whether a response with that head and a body of that length may be stored (CF-221).
    pub(super) fn fits(&self, head: &ResponseHeader, length: u64) -> bool {
        let disk = self.adapter.disk.as_ref();
        self.fits_memory(head, length) || disk.is_some_and(|disk| disk.fits(length))
    }

    /// Whether it may be stored as one object in memory.
    pub(super) fn fits_memory(&self, head: &ResponseHeader, length: u64) -> bool {
        self.adapter.tier.limits().fits(head_weight(head), length)
    }

    /// Lets a request use the cache. Followers of a fill wait at most `wait` (CF-405).
    pub(super) fn enable(&self, cache: &mut HttpCache, method: &Method, wait: Duration) {
        let lock: &'static CacheKeyLockImpl = match *method {
            Method::HEAD => self.head_lock,
            _ => self.lock,
        };
        let mut overrides = CacheOptionOverrides::default();
        overrides.wait_timeout = Some(wait);
        cache.enable(self.adapter, None, None, Some(lock), Some(overrides));
    }

    /// Gives up the fetch that the leader with that reader began, if nobody else reads it and `finish` does not want it
    /// (CF-224, CF-405).
    pub(super) fn give_up(
        &self,
        key: &PingoraKey,
        leader: &HitHandler,
        finish: FinishFetch,
    ) -> bool {
        let Some(hit) = leader.as_any().downcast_ref::<FillHit>() else {
            return false;
        };
        let goes_on = finish.goes_on(hit.reader.arrived_len(), hit.reader.complete_len());
        !goes_on && self.adapter.tier.give_up(&our_key(key), &hit.reader)
    }

    /// Notes whether requests for a key are to wait for each other (CF-402).
    pub(super) fn note_sharing(&self, key: &PingoraKey, sharing: Sharing) {
        self.lock.note(key, sharing);
    }

    /// The complete object under a key that no fill is about to replace.
    pub(super) fn stored(&self, key: &CacheKey) -> Option<Arc<Object<Head>>> {
        self.adapter.tier.stored(key)
    }

    /// The same, or what the disk has; small objects are in memory afterwards.
    pub(super) async fn find(&self, key: &CacheKey) -> Option<Found> {
        match self.stored(key) {
            Some(object) => Some(Found::Object(object)),
            None => self.adapter.on_disk(key).await,
        }
    }

    /// Whether there is a tier to be asked when memory has nothing.
    pub(super) const fn has_disk(&self) -> bool {
        self.adapter.disk.is_some()
    }

    /// Writes what is pending, and lets go of the disk.
    pub async fn close(&self) {
        super::unsafe_methods::sync(&self.invalidations);
        if let Some(disk) = &self.adapter.disk {
            disk.close().await;
        }
    }

    /// Objects on disk and what was done with them, where there is a disk tier; and whether it works.
    pub fn disk(&self) -> Option<(u64, DiskCounts, bool)> {
        let disk = self.adapter.disk.as_ref()?;
        Some((disk.objects(), disk.counts(), disk.is_on()))
    }

    /// Stores a whole response at once, in the place of what is there.
    pub(super) fn put(
        &self,
        key: &PingoraKey,
        meta: &CacheMeta,
        body: Bytes,
    ) -> std::result::Result<(), Refusal> {
        let head = Head::of(meta).ok_or(Refusal::Incomplete)?;
        let length = body.len() as u64;
        let tier = &self.adapter.tier;
        let mut fill = tier.begin_fill(our_key(key), head, Some(length))?;
        let filled = fill.append(body).and_then(|()| fill.finish());
        match filled {
            Ok(Filled::Stored(_)) => Ok(()),
            Ok(Filled::NotStored(refusal)) => Err(refusal),
            Err(_) => Err(Refusal::Incomplete),
        }
    }

    /// Stores the answer to HEAD, for HEAD alone, until something is stored under the key itself (CF-529). In memory: it is
    /// small, and asked for again soon or not at all.
    pub(super) fn put_head_only(
        &self,
        key: &PingoraKey,
        meta: &CacheMeta,
    ) -> std::result::Result<(), Refusal> {
        let head = Head::of(meta).ok_or(Refusal::Incomplete)?;
        let key = head_only_key(&our_key(key));
        let fill = self.adapter.tier.begin_fill(key, head, Some(0))?;
        match fill.finish() {
            Ok(Filled::Stored(_)) => Ok(()),
            Ok(Filled::NotStored(refusal)) => Err(refusal),
            Err(_) => Err(Refusal::Incomplete),
        }
    }

    /// Lets a stale object answer without its origin being asked, for `period` from `now` (CF-272).
    pub(super) fn hold_off(&self, key: &PingoraKey, now: SystemTime, period: Duration) {
        let key = our_key(key);
        let adapter = self.adapter;
        let held = adapter
            .tier
            .update_head(&key, |stored| Some(stored.head().held_off(now, period)));
        if held.is_none()
            && let Some(disk) = &adapter.disk
        {
            // Too large for memory. Behind the answer, as all that goes to disk.
            tokio::spawn(async move { disk.hold_off(&key, now, period).await });
        }
    }

    /// Puts a new head on the entry that was stored at `created`, if that is still there.
    pub(super) fn update(&self, key: &PingoraKey, created: SystemTime, meta: &CacheMeta) {
        let key = our_key(key);
        let adapter = self.adapter;
        if let (Some(disk), Some(head)) = (&adapter.disk, Head::of(meta)) {
            // Behind the answer, as all that goes to disk.
            tokio::spawn(async move { disk.update_head(&key, &head).await });
        }
        adapter.tier.update_head(&key, |stored| {
            (stored.head().created == created)
                .then(|| Head::of(meta))
                .flatten()
        });
    }

    /// Notes that a variant under a key of its own is stored or used. Of more than `most` under one primary key, the one that
    /// was not used for longest is removed (CF-824).
    pub(super) fn variant_used(&self, key: &PingoraKey, most: usize) {
        let Some(variant) = key.variance_bin() else {
            return;
        };
        let primary = CacheKey::from_bytes(key.primary_bin());
        if let Some(gone) = self.variants.used(&primary, variant, most) {
            self.adapter.remove(&slot(&primary, gone));
        }
    }

    /// Removes one entry.
    pub(super) fn remove(&self, key: &PingoraKey) {
        self.adapter.remove(&our_key(key));
    }

    /// Does the memory tier's postponed housekeeping, so that the two counts below are exact.
    pub fn settle(&self) {
        self.adapter.tier.settle();
    }

    /// Bytes weighed in the memory tier.
    pub fn weighed_bytes(&self) -> u64 {
        self.adapter.tier.weighed_bytes()
    }

    /// Objects in the memory tier.
    pub fn entry_count(&self) -> u64 {
        self.adapter.tier.entry_count()
    }
}

/// The key under which the tier files what Pingora calls `key`: our hash, with the variant hashed in.
fn our_key(key: &PingoraKey) -> CacheKey {
    CacheKey::from_bytes(key.combined_bin())
}

/// A stored head: what Pingora's record is made of.
pub(super) struct Head {
    pub(super) packed: Packed,
    pub(super) facts: StoredFacts,
    pub(super) created: SystemTime,
    pub(super) variance: Option<HashBinary>,
}

impl Head {
    /// What of a record is stored. `None` for a record that none of our filters made.
    fn of(meta: &CacheMeta) -> Option<Self> {
        let facts = StoredFacts::of(meta)?;
        Some(Self {
            packed: Packed::of(meta.response_header(), &facts.unshared)?,
            facts,
            created: meta.created(),
            variance: meta.variance(),
        })
    }

    /// The same, which answers for a while without its origin being asked.
    pub(super) fn held_off(&self, now: SystemTime, period: Duration) -> Self {
        Self {
            facts: self.facts.held_off(now, period),
            packed: self.packed.clone(),
            created: self.created,
            variance: self.variance,
        }
    }

    /// What is kept beside it.
    pub(super) const fn facts(&self) -> &StoredFacts {
        &self.facts
    }

    /// Length of the body, of which the object that is stored with this head has `length` bytes.
    fn length(&self, length: u64) -> u64 {
        self.facts.layout.map_or(length, |layout| layout.total)
    }

    /// The variant it is for.
    pub(super) const fn variance(&self) -> Option<HashBinary> {
        self.variance
    }

    /// Status and fields.
    pub(super) const fn packed(&self) -> &Packed {
        &self.packed
    }

    /// When it was stored.
    pub(super) const fn created(&self) -> SystemTime {
        self.created
    }

    /// Its fields, as a table that is made for each call.
    pub(super) fn headers(&self) -> HeaderMap {
        self.packed.headers()
    }

    /// The record for one use, of a body of `length` bytes. One that came without a length has one now; ranges
    /// need it (CF-536).
    fn meta_of(&self, length: u64) -> Result<CacheMeta> {
        let mut meta = self.meta()?;
        if !meta.headers().contains_key(header::CONTENT_LENGTH) {
            meta.response_header_mut()
                .insert_header(header::CONTENT_LENGTH, length)?;
        }
        Ok(meta)
    }

    /// The record for one use.
    fn meta(&self) -> Result<CacheMeta> {
        let header = self.packed.header().map_err(storage_error)?;
        let mut meta = record(self.created, header, self.facts.clone());
        if let Some(variance) = self.variance {
            meta.set_variance(variance);
        }
        Ok(meta)
    }
}

/// Pingora's record of a stored response. Its own freshness is not used ([`super::viewer_side`]), so its windows
/// are opened as far as they go.
pub(super) fn record(created: SystemTime, header: ResponseHeader, facts: StoredFacts) -> CacheMeta {
    let mut meta = CacheMeta::new(created, created, u32::MAX, u32::MAX, header);
    meta.extensions_mut().insert(facts);
    meta
}

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        HEAD_OVERHEAD + self.packed.weight() + self.facts.heap()
    }
}

/// Head and facts, each behind a reference count.
const HEAD_OVERHEAD: usize = size_of::<Head>() + size_of::<Facts>() + 4 * size_of::<usize>();

/// What a head is going to weigh, but for what an invalidation may call it by.
fn head_weight(header: &ResponseHeader) -> usize {
    HEAD_OVERHEAD + Packed::weight_of(header)
}

struct Adapter {
    secret: KeySecret,
    tier: MemoryTier<Head>,
    disk: Option<Disk>,
    /// Segments on their way.
    arriving: Arriving<Unfetched>,
    /// Objects in segments that the next to ask for the key's lock has found to be of no use.
    lacking: Mutex<HashSet<CacheKey>>,
    /// Readers of fills that have just begun, by tag: Pingora asks for the leader's reader right after it asked
    /// for the writer, and must get the one of that very fill.
    starting: Mutex<HashMap<u64, Starting>>,
    next_tag: AtomicU64,
}

/// What the leader of a fill reads.
enum Starting {
    Whole(FillReader<Head>),
    Segments {
        head: Arc<Head>,
        hit: Box<SegmentedHit>,
    },
}

impl Adapter {
    /// Whether something in memory, or on its way there, answers under a key as it is; but for what was found in parts, and
    /// lacks one that cannot be had ([`CacheStorage::lead_all_the_same`]).
    fn has_come(&self, key: &CacheKey) -> bool {
        let lacks = self.lacking.lock().remove(key);
        let answers = |head: &Head| !head.facts.is_gone() && !lacks;
        match self.tier.arriving(key) {
            Some((head, _)) => answers(&head),
            None => self
                .tier
                .stored(key)
                .is_some_and(|object| answers(object.head())),
        }
    }

    /// What the disk has under a key that memory does not have.
    async fn on_disk(&self, key: &CacheKey) -> Option<Found> {
        let disk = self.disk.as_ref()?;
        let ticket = self.tier.ticket(key);
        let found = disk.find(key).await?;
        // What was invalidated is found for nothing but the reason.
        if found.length <= PROMOTE && !found.head.facts.is_gone() {
            let body = disk.whole(&found).await?;
            let OnDisk {
                head,
                entry,
                length,
            } = found;
            return Some(match self.tier.promote(ticket, *key, head, body) {
                Ok(object) => Found::Object(object),
                Err(head) => Found::OnDisk(Box::new(OnDisk {
                    head,
                    entry,
                    length,
                })),
            });
        }
        Some(Found::OnDisk(Box::new(found)))
    }

    /// Begins an object in segments: its head answers from now on.
    fn begin_segments(
        &'static self,
        key: CacheKey,
        head: Head,
        meta: &CacheMeta,
        plan: &Plan,
    ) -> Result<MissHandler> {
        let object = Segmented::of(self, key, &head.facts)
            .ok_or_else(|| storage_error("a plan without a layout"))?;
        // Without a place for it the viewer at hand is answered all the same: the part that arrives is not the one that
        // was asked for, so it cannot simply be passed on.
        let fill = match self.tier.begin_fill(key, head, Some(0)) {
            Ok(fill) => fill,
            Err(refusal) => {
                let head =
                    Head::of(meta).ok_or_else(|| storage_error("a record without freshness"))?;
                self.tier.begin_relay(key, head, Some(0), refusal)
            }
        };
        let head = fill.head().clone();
        if let (Ok(Filled::Stored(stored)), Some(disk)) = (fill.finish(), &self.disk) {
            disk.keep(key, &stored);
        }
        let tag = self.next_tag.fetch_add(1, Ordering::Relaxed);
        let hit = SegmentedHit::new(object.clone(), Some(plan.rest.clone()));
        let starting = Starting::Segments {
            head,
            hit: Box::new(hit),
        };
        self.starting.lock().insert(tag, starting);
        Ok(Box::new(SegmentFill::new(object, plan.arriving, tag)))
    }

    /// What answers under a key, and its body.
    async fn hit(&'static self, key: &PingoraKey) -> Result<Option<(CacheMeta, HitHandler)>> {
        Ok(match self.tier.lookup(&our_key(key)) {
            Lookup::Found(object) => match segmented_hit(self, key, object.head()) {
                Some(hit) => Some(hit),
                None => Some(object_hit(&object)?),
            },
            Lookup::Filling(reader) => {
                if let Some(hit) = segmented_hit(self, key, reader.head()) {
                    // Its head is being put there.
                    return Ok(Some(hit));
                }
                let meta = reader.head().meta()?;
                let hit = FillHit {
                    reader,
                    leads: false,
                };
                Some((meta, Box::new(hit)))
            }
            Lookup::Absent => match (self.on_disk(&our_key(key)).await, &self.disk) {
                (Some(Found::Object(object)), _) => match segmented_hit(self, key, object.head()) {
                    Some(hit) => Some(hit),
                    None => Some(object_hit(&object)?),
                },
                (Some(Found::OnDisk(found)), Some(disk)) => {
                    if found.head.facts.is_gone() {
                        // Nothing but the reason is still made of it; nobody waits for it to be gone.
                        disk.remove(&our_key(key));
                    }
                    if let Some(hit) = segmented_hit(self, key, &found.head) {
                        return Ok(Some(hit));
                    }
                    let meta = found.head.meta_of(found.length)?;
                    let hit = DiskHit {
                        disk,
                        at: 0,
                        end: found.length,
                        length: found.length,
                        entry: found.entry,
                    };
                    Some((meta, Box::new(hit)))
                }
                _ => None,
            },
        })
    }

    fn remove(&self, key: &CacheKey) -> bool {
        if let Some(disk) = &self.disk {
            disk.remove(key);
        }
        self.tier.remove(key)
    }
}

#[async_trait]
impl Storage for Adapter {
    async fn lookup(
        &'static self,
        key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        match self.hit(key).await? {
            Some(hit) => Ok(Some(hit)),
            None => self.beside(key).await,
        }
    }

    async fn lookup_streaming_write(
        &'static self,
        _key: &PingoraKey,
        tag: Option<&[u8]>,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        let tag = tag.and_then(|t| t.try_into().ok()).map(u64::from_le_bytes);
        let reader = tag.and_then(|tag| self.starting.lock().remove(&tag));
        Ok(match reader {
            None => None,
            Some(Starting::Whole(reader)) => {
                let meta = reader.head().meta()?;
                let hit: HitHandler = Box::new(FillHit {
                    reader,
                    leads: true,
                });
                Some((meta, hit))
            }
            Some(Starting::Segments { head, hit }) => Some((head.meta()?, hit)),
        })
    }

    async fn get_miss_handler(
        &'static self,
        key: &PingoraKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<MissHandler> {
        let expected = meta
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|l| l.to_str().ok())
            .and_then(|l| l.trim().parse().ok());
        let head = Head::of(meta).ok_or_else(|| storage_error("a record without freshness"))?;
        let key = our_key(key);
        // From now on HEAD asks this one.
        let head_only = head_only_key(&key);
        if self.tier.stored(&head_only).is_some() {
            self.tier.remove(&head_only);
        }
        if let Some(plan) = meta.extensions().get::<Plan>() {
            return self.begin_segments(key, head, meta, plan);
        }
        let small = expected.is_some_and(|length| length <= PROMOTE);
        // What is small is written once it is complete, and all at once.
        let writing = match &self.disk {
            Some(disk) if !small => disk.begin(key, &head, expected),
            _ => None,
        };
        let weight = head.weight();
        let fits = self.tier.limits().fits(weight, expected.unwrap_or(0));
        let fill = if fits || writing.is_none() {
            self.tier
                .begin_fill(key, head, expected)
                .map_err(|refusal| storage_error(refusal.detail()))?
        } else {
            self.tier
                .begin_relay(key, head, expected, Refusal::TooLarge)
        };
        let tag = self.next_tag.fetch_add(1, Ordering::Relaxed);
        self.starting
            .lock()
            .insert(tag, Starting::Whole(fill.reader()));
        Ok(Box::new(FillMiss {
            adapter: self,
            fill: Some(fill),
            key,
            writing,
            tag: tag.to_le_bytes(),
            written: 0,
        }))
    }

    async fn purge(
        &'static self,
        target: PurgeTarget<'_>,
        _purge_type: PurgeType,
        _trace: &SpanHandle,
    ) -> Result<PurgeOutcome> {
        let key = CacheKey::from_bytes(target.key().combined_bin());
        Ok(if self.remove(&key) {
            PurgeOutcome::Purged(None)
        } else {
            PurgeOutcome::NotFound
        })
    }

    async fn update_meta(
        &'static self,
        key: &PingoraKey,
        meta: &CacheMeta,
        _trace: &SpanHandle,
    ) -> Result<bool> {
        let key = our_key(key);
        let updated = self.tier.update_head(&key, |_| Head::of(meta));
        let on_disk = match (&self.disk, Head::of(meta)) {
            (Some(disk), Some(head)) => disk.update_head(&key, &head).await,
            _ => false,
        };
        Ok(updated.is_some() || on_disk)
    }

    fn support_streaming_partial_write(&self) -> bool {
        true
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync + 'static) {
        self
    }
}

fn storage_error(cause: impl std::fmt::Display) -> Box<Error> {
    Error::explain(ErrorType::InternalError, format!("cache: {cause}"))
}
