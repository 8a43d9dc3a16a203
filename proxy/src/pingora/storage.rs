//! The memory tier behind Pingora's storage trait. The tier itself does not name Pingora; the
//! translation is all that happens here.

use std::{
    any::Any,
    collections::HashMap,
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
    key::{CacheKey, KeySecret},
    memory::{
        BodyReader, Fill, FillReader, Filled, HeadRecord, Lookup, MemoryLimits, MemoryTier, Object,
        ReadError,
    },
    policy::Freshness,
};
use fourfront_origin::OriginFault;
use http::{HeaderMap, HeaderName, header};
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType, Result,
    cache::{
        CacheKey as PingoraKey, CacheMeta, CacheOptionOverrides, HttpCache,
        key::{CacheHashKey as _, HashBinary},
        lock::{CacheKeyLockImpl, CacheLock},
        storage::{
            HandleHit, HandleMiss, HitHandler, MissFinishType, MissHandler, PurgeOutcome,
            PurgeTarget, PurgeType, Storage,
        },
        trace::SpanHandle,
    },
    http::ResponseHeader,
};

use super::pace::PIECE;

/// A fill that takes longer than this no longer keeps others from trying (CF-405).
const FILL_LIMIT: Duration = Duration::from_secs(60);

/// What is kept beside a stored head, in the extensions of Pingora's record. Cloned with every hit, so it is
/// one reference count.
#[derive(Clone, Debug)]
pub(super) struct StoredFacts(Arc<Facts>);

/// See [`StoredFacts`].
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// When it is fresh, by our policy.
    pub(super) freshness: Freshness,
    /// Fields only the first viewer gets.
    pub(super) unshared: Box<[HeaderName]>,
    /// The failure this stands for: the origin gave no answer (CF-296). Each viewer gets a page of its own, with
    /// its own request id (CF-780); what is stored is the first one's.
    pub(super) fault: Option<OriginFault>,
}

impl StoredFacts {
    pub(super) fn new(freshness: Freshness, unshared: Vec<HeaderName>) -> Self {
        Self(Arc::new(Facts {
            freshness,
            unshared: unshared.into(),
            fault: None,
        }))
    }

    /// The same facts about the page for a failure.
    pub(super) fn of_failure(&self, fault: OriginFault) -> Self {
        Self(Arc::new(Facts {
            fault: Some(fault),
            ..Facts::clone(self)
        }))
    }

    pub(super) fn of(meta: &CacheMeta) -> Option<Self> {
        meta.extensions().get::<Self>().cloned()
    }

    fn held_off(&self, now: SystemTime, period: Duration) -> Self {
        Self(Arc::new(Facts {
            freshness: self.freshness.held_off(now, period),
            ..Facts::clone(self)
        }))
    }
}

impl std::ops::Deref for StoredFacts {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

/// A node's cache.
///
/// Pingora borrows storage and lock for `'static`, so both are leaked: once per node, which is once per process
/// but in tests.
pub struct CacheStorage {
    adapter: &'static Adapter,
    lock: &'static CacheKeyLockImpl,
    secret: KeySecret,
}

impl CacheStorage {
    /// A memory tier of `bytes`, for bodies of at most `largest` bytes (an eighth of the tier when not given,
    /// CF-221).
    ///
    /// # Errors
    /// When the sizes cannot work, or the system gives no random bytes for the key secret.
    pub fn new(bytes: u64, largest: Option<u64>) -> std::result::Result<Self, String> {
        let secret = KeySecret::random().map_err(|e| e.to_string())?;
        let mut limits = MemoryLimits::of_capacity(bytes);
        if let Some(largest) = largest {
            limits = limits.with_max_object(largest);
        }
        // A viewer that is slower than an origin must still get all of a body that is not kept, and Pingora
        // gives no way to hold the origin back; so a relay may hold as much as objects may.
        limits.relay_window = limits.capacity;
        let adapter = Adapter {
            tier: MemoryTier::new(limits).map_err(|e| e.to_string())?,
            starting: Mutex::new(HashMap::new()),
            next_tag: AtomicU64::new(0),
        };
        Ok(Self {
            adapter: Box::leak(Box::new(adapter)),
            lock: Box::leak(CacheLock::new_boxed(FILL_LIMIT)),
            secret,
        })
    }

    /// The secret of the node's key hashes.
    pub(super) const fn secret(&self) -> &KeySecret {
        &self.secret
    }

    /// Whether a response with that head and a body of that length may be stored (CF-221).
    pub(super) fn fits(&self, head: &ResponseHeader, length: u64) -> bool {
        self.adapter.tier.limits().fits(head_weight(head), length)
    }

    /// Lets a request use the cache. Followers of a fill wait at most `wait` (CF-405).
    pub(super) fn enable(&self, cache: &mut HttpCache, wait: Duration) {
        let mut overrides = CacheOptionOverrides::default();
        overrides.wait_timeout = Some(wait);
        cache.enable(self.adapter, None, None, Some(self.lock), Some(overrides));
    }

    /// The complete object under a key that no fill is about to replace.
    pub(super) fn stored(&self, key: &CacheKey) -> Option<Arc<Object<Head>>> {
        self.adapter.tier.stored(key)
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

    /// Lets a stale object answer without its origin being asked, for `period` from `now` (CF-272).
    pub(super) fn hold_off(&self, key: &PingoraKey, now: SystemTime, period: Duration) {
        self.adapter.tier.update_head(&our_key(key), |stored| {
            let head = stored.head();
            Some(Head {
                facts: head.facts.held_off(now, period),
                header: head.header.clone(),
                ..**head
            })
        });
    }

    /// Puts a new head on the entry that was stored at `created`, if that is still there.
    pub(super) fn update(&self, key: &PingoraKey, created: SystemTime, meta: &CacheMeta) {
        self.adapter.tier.update_head(&our_key(key), |stored| {
            (stored.head().created == created)
                .then(|| Head::of(meta))
                .flatten()
        });
    }

    /// Removes one entry.
    pub(super) fn remove(&self, key: &PingoraKey) {
        self.adapter.tier.remove(&our_key(key));
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

/// A stored head: what Pingora's record is made of, which cannot be cloned itself.
pub(super) struct Head {
    header: ResponseHeader,
    facts: StoredFacts,
    created: SystemTime,
    variance: Option<HashBinary>,
}

impl Head {
    /// What of a record is stored. `None` for a record that none of our filters made.
    fn of(meta: &CacheMeta) -> Option<Self> {
        Some(Self {
            header: meta.response_header_copy(),
            facts: StoredFacts::of(meta)?,
            created: meta.created(),
            variance: meta.variance(),
        })
    }

    /// What is kept beside it.
    pub(super) const fn facts(&self) -> &StoredFacts {
        &self.facts
    }

    /// The variant it is for.
    pub(super) const fn variance(&self) -> Option<HashBinary> {
        self.variance
    }

    /// Its fields.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.header.headers
    }

    /// The head of an answer with a body of `length` bytes. One that came without a length has one now (CF-536).
    pub(super) fn response(&self, length: u64) -> Result<ResponseHeader> {
        let mut head = self.header.clone();
        if !head.headers.contains_key(header::CONTENT_LENGTH) {
            head.insert_header(header::CONTENT_LENGTH, length)?;
        }
        Ok(head)
    }

    /// The record for one use.
    fn meta(&self) -> CacheMeta {
        let mut meta = record(self.created, self.header.clone(), self.facts.clone());
        if let Some(variance) = self.variance {
            meta.set_variance(variance);
        }
        meta
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
        head_weight(&self.header)
    }
}

fn head_weight(header: &ResponseHeader) -> usize {
    // Names and values, and for each field what the maps of Pingora and `http` keep beside them.
    let fields: usize = header
        .headers
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len() + 96)
        .sum();
    size_of::<Head>() + 512 + fields
}

struct Adapter {
    tier: MemoryTier<Head>,
    /// Readers of fills that have just begun, by tag: Pingora asks for the leader's reader right after it asked
    /// for the writer, and must get the one of that very fill.
    starting: Mutex<HashMap<u64, FillReader<Head>>>,
    next_tag: AtomicU64,
}

#[async_trait]
impl Storage for Adapter {
    async fn lookup(
        &'static self,
        key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        Ok(match self.tier.lookup(&our_key(key)) {
            Lookup::Found(object) => {
                let mut meta = object.head().meta();
                if !meta.headers().contains_key(header::CONTENT_LENGTH) {
                    // It came without a length and has one now; ranges need it (CF-536).
                    let length = object.body().len();
                    meta.response_header_mut()
                        .insert_header(header::CONTENT_LENGTH, length)?;
                }
                Some((meta, Box::new(ObjectHit(object.body().read()))))
            }
            Lookup::Filling(reader) => {
                let meta = reader.head().meta();
                let hit = FillHit {
                    reader,
                    leads: false,
                };
                Some((meta, Box::new(hit)))
            }
            Lookup::Absent => None,
        })
    }

    async fn lookup_streaming_write(
        &'static self,
        _key: &PingoraKey,
        tag: Option<&[u8]>,
        _trace: &SpanHandle,
    ) -> Result<Option<(CacheMeta, HitHandler)>> {
        let tag = tag.and_then(|t| t.try_into().ok()).map(u64::from_le_bytes);
        let reader = tag.and_then(|tag| self.starting.lock().remove(&tag));
        Ok(reader.map(|reader| {
            let meta = reader.head().meta();
            let hit: HitHandler = Box::new(FillHit {
                reader,
                leads: true,
            });
            (meta, hit)
        }))
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
        let fill = self
            .tier
            .begin_fill(our_key(key), head, expected)
            .map_err(|refusal| storage_error(refusal.detail()))?;
        let tag = self.next_tag.fetch_add(1, Ordering::Relaxed);
        self.starting.lock().insert(tag, fill.reader());
        Ok(Box::new(FillMiss {
            adapter: self,
            fill: Some(fill),
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
        Ok(if self.tier.remove(&key) {
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
        Ok(self
            .tier
            .update_head(&our_key(key), |_| Head::of(meta))
            .is_some())
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

fn bounds(start: usize, end: Option<usize>) -> std::ops::Range<u64> {
    start as u64..end.map_or(u64::MAX, |e| e as u64)
}

/// Reading a complete object.
struct ObjectHit(BodyReader);

#[async_trait]
impl HandleHit for ObjectHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.next_piece(PIECE))
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        self.0.seek(bounds(start, end));
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Reading an object while it arrives.
struct FillHit {
    reader: FillReader<Head>,
    /// Whether the reader's viewer is the one whose request fills.
    leads: bool,
}

#[async_trait]
impl HandleHit for FillHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        let read = self.reader.next_piece(PIECE).await;
        if self.leads && matches!(read, Err(ReadError::Lagged)) {
            // An error here ends the request, and the fill with it. The viewer who is too slow has lost the body;
            // those who follow have not.
            self.reader.ended().await;
        }
        read.map_err(storage_error)
    }

    async fn finish(
        self: Box<Self>,
        _storage: &'static (dyn Storage + Sync),
        _key: &PingoraKey,
        _trace: &SpanHandle,
    ) -> Result<()> {
        Ok(())
    }

    fn can_seek(&self) -> bool {
        // Pingora seeks only after it has cut the range from a known length.
        self.reader.complete_len().is_some()
    }

    fn seek(&mut self, start: usize, end: Option<usize>) -> Result<()> {
        self.reader.seek(bounds(start, end));
        Ok(())
    }

    fn should_count_access(&self) -> bool {
        false
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Writing an object as it arrives. Dropped unfinished, it aborts the fill and its readers.
struct FillMiss {
    adapter: &'static Adapter,
    fill: Option<Fill<Head>>,
    tag: [u8; 8],
    written: usize,
}

#[async_trait]
impl HandleMiss for FillMiss {
    async fn write_body(&mut self, data: Bytes, _eof: bool) -> Result<()> {
        self.written += data.len();
        match &mut self.fill {
            Some(fill) => fill.append(data).map_err(storage_error),
            None => Err(storage_error("write after the end")),
        }
    }

    async fn finish(mut self: Box<Self>) -> Result<MissFinishType> {
        let written = self.written;
        match self.fill.take() {
            Some(fill) => fill.finish().map_err(storage_error)?,
            None => return Err(storage_error("finished twice")),
        };
        Ok(MissFinishType::Created(written))
    }

    fn streaming_write_tag(&self) -> Option<&[u8]> {
        Some(&self.tag)
    }
}

impl Drop for FillMiss {
    fn drop(&mut self) {
        self.adapter
            .starting
            .lock()
            .remove(&u64::from_le_bytes(self.tag));
    }
}
