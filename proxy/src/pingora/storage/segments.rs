//! Objects in segments as Pingora reads and writes them (CF-532..534, CF-544).
//!
//! The head is an object without a body, under the response's key; it says how the body is cut. To Pingora it is a hit with all
//! of its body: [`SegmentedHit`] reads each segment from where it is, and has those that are nowhere fetched, while it
//! goes. Segments are on disk where there is one, since the system's memory holds what of it is read often, else in
//! memory beside everything else.
//!
//! What is in memory of an object at a time, whatever its length: for each reader and each fetch the segment it is at, and
//! without a disk the segments that a reader has had fetched at once ([`run_of`]), because the memory tier may not want them.

use std::{
    any::Any,
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use fourfront_cache::{
    disk::DiskEntry,
    key::CacheKey,
    memory::BodyReader,
    policy::ByteRange,
    segments::{Arrival, Layout, Piece, PieceReader},
};
use http::StatusCode;
use pingora::{
    Result,
    cache::{
        CacheKey as PingoraKey, CacheMeta,
        storage::{HandleHit, HandleMiss, HitHandler, MissFinishType, Storage},
        trace::SpanHandle,
    },
};
use tokio::time::timeout;

use super::{Adapter, Head, StoredFacts, bodies::bounds, our_key, storage_error};
use crate::{
    flow::Fault,
    pingora::{pace::PIECE, packed::Packing},
};

/// The most segments that one request to the origin asks for, and that a reader has fetched ahead of itself; fewer where they
/// are long, see [`run_of`].
const RUN: u64 = 8;

/// The most bytes of them, but for one segment.
const RUN_BYTES: u64 = 8 * 1024 * 1024;

/// How many segments of that length are asked for at once.
pub(in crate::pingora) fn run_of(segment: u32) -> u64 {
    (RUN_BYTES / u64::from(segment.max(1))).clamp(1, RUN)
}

/// How long a reader waits for the next bytes of a segment that somebody else brings. Origins are given up on sooner; but
/// who brings it may be held itself.
const STALLED: Duration = Duration::from_secs(60);

/// Of how many segments it is looked up whether all are there.
const MOST_LOOKED_AT: u64 = 4096;

/// How often a reader tries for the same byte before it gives up.
const TRIES: u32 = 4;

/// Why a segment cannot be had.
#[derive(Debug)]
pub(in crate::pingora) enum Unfetched {
    /// The origin has another representation by now, or never gave a part of this one.
    Changed,
    /// It answered, with something that says nothing of the object.
    Refused,
    /// It did not answer, or a function failed.
    Fault(Fault),
    /// The origin-request function answered in its place; here, unless another request took that answer.
    Answered(Option<Box<fourfront_hooks::validate::ResponseResult>>),
}

/// Brings segments from the origin.
pub(in crate::pingora) trait Fetch: Send + Sync + std::fmt::Debug {
    /// Begins to bring segments that follow one another. Does not wait.
    fn fetch(self: Arc<Self>, object: Arc<Segmented>, run: VecDeque<Coming>);
}

/// A segment that is to be brought.
#[derive(Debug)]
pub(in crate::pingora) struct Coming {
    pub(in crate::pingora) index: u64,
    pub(in crate::pingora) arrival: Arrival<Unfetched>,
}

/// What a response in segments is stored with, besides its head: the part of it that is about to arrive, and how the rest is
/// fetched. In the extensions of Pingora's record.
#[derive(Clone, Debug)]
pub(in crate::pingora) struct Plan {
    /// The bytes that arrive; they begin with a segment, and end with one or with the body.
    pub(in crate::pingora) arriving: ByteRange,
    pub(in crate::pingora) rest: Arc<dyn Fetch>,
}

/// An object in segments.
pub(in crate::pingora) struct Segmented {
    adapter: &'static Adapter,
    key: CacheKey,
    layout: Layout,
    /// Those of its segments: the same but that they have no segments themselves.
    facts: StoredFacts,
}

impl std::fmt::Debug for Segmented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segmented")
            .field("key", &self.key)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

/// Where a segment is read from.
enum Open {
    Arriving(PieceReader<Unfetched>),
    Memory(BodyReader),
    Disk { entry: DiskEntry, at: u64 },
}

/// What came of reading.
enum Read {
    Bytes(Bytes),
    /// The segment is not there any more, or does not come: it may be elsewhere.
    Gone,
    /// Nothing comes, and nobody says that nothing will.
    Stalled,
}

impl Segmented {
    /// The object whose head is stored under `key`; `None` when that is no object in segments.
    pub(super) fn of(
        adapter: &'static Adapter,
        key: CacheKey,
        facts: &StoredFacts,
    ) -> Option<Arc<Self>> {
        let layout = facts.layout.filter(Layout::is_sound)?;
        Some(Arc::new(Self {
            adapter,
            key,
            layout,
            facts: facts.with_layout(None),
        }))
    }

    /// How it is cut.
    pub(in crate::pingora) const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// It turned out to be another one by now: its head answers no more, unless a newer one has taken its place.
    pub(in crate::pingora) fn discard(&self) {
        let tier = &self.adapter.tier;
        let is_this = match (tier.stored(&self.key), tier.arriving(&self.key)) {
            (_, Some(_)) => false,
            (Some(now), None) => {
                let layout = now.head().facts.layout;
                layout.is_some_and(|layout| layout.id == self.layout.id)
            }
            (None, None) => true,
        };
        if is_this {
            self.adapter.remove(&self.key);
        }
    }

    fn key_of(&self, index: u64) -> CacheKey {
        self.layout.key(&self.adapter.secret, &self.key, index)
    }

    fn length_of(&self, index: u64) -> u64 {
        let bytes = self.layout.bytes_of(index);
        bytes.end - bytes.start
    }

    fn is_stored(&self, key: &CacheKey) -> bool {
        self.adapter.tier.stored(key).is_some()
            || self
                .adapter
                .disk
                .as_ref()
                .is_some_and(|disk| disk.contains(key))
    }

    /// Takes the duty to bring the segments from `first` on that nobody has or brings: at most one run of them, none after
    /// `last`, and none behind a gap. That the disk has the first of them does not count: it was asked, and did not give it.
    fn claim(&self, first: u64, last: u64) -> VecDeque<Coming> {
        let mut run = VecDeque::new();
        let most = run_of(self.layout.segment) - 1;
        for index in first..=last.min(first.saturating_add(most)) {
            let claimed = match index == first {
                true => self.claim_unless(index, |key| self.adapter.tier.stored(key).is_some()),
                false => self.claim_one(index),
            };
            let Some(coming) = claimed else { break };
            run.push_back(coming);
        }
        run
    }

    fn claim_one(&self, index: u64) -> Option<Coming> {
        self.claim_unless(index, |key| self.is_stored(key))
    }

    fn claim_unless(&self, index: u64, stored: impl Fn(&CacheKey) -> bool) -> Option<Coming> {
        let key = self.key_of(index);
        let length = self.length_of(index);
        let stored = || stored(&key);
        let arrival = self.adapter.arriving.claim(key, length, stored)?;
        Some(Coming { index, arrival })
    }

    async fn open(&self, index: u64, offset: u64) -> Option<Open> {
        let key = self.key_of(index);
        if let Some(piece) = self.adapter.arriving.get(&key) {
            return Some(Open::Arriving(PieceReader::new(piece, offset)));
        }
        let length = self.length_of(index);
        if let Some(object) = self.adapter.tier.stored(&key)
            && object.body().len() == length
        {
            return Some(Open::Memory(object.body().read_range(offset..length)));
        }
        let disk = self.adapter.disk.as_ref()?;
        match disk.find(&key).await {
            Some(found) if found.length == length => Some(Open::Disk {
                entry: found.entry,
                at: offset,
            }),
            Some(_) => {
                // It is there and of no use, and would keep others from fetching it.
                disk.remove(&key);
                None
            }
            None => None,
        }
    }

    async fn read(&self, open: &mut Open, most: u64) -> Read {
        let piece = match open {
            Open::Arriving(reader) => match timeout(STALLED, reader.next(most)).await {
                Ok(read) => read.ok().flatten(),
                Err(_) => return Read::Stalled,
            },
            Open::Memory(reader) => reader.next_piece(most),
            Open::Disk { entry, at } => match &self.adapter.disk {
                Some(disk) => {
                    let piece = disk.piece(entry, *at, at.saturating_add(most)).await;
                    let piece = piece.ok().flatten();
                    *at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                    piece
                }
                None => None,
            },
        };
        match piece.filter(|piece| !piece.is_empty()) {
            Some(piece) => Read::Bytes(piece),
            None => Read::Gone,
        }
    }

    /// Stores a segment that has arrived. Waits while the disk cannot take it.
    pub(in crate::pingora) async fn keep(&self, coming: Coming) {
        let key = *coming.arrival.key();
        let Some((body, settling)) = coming.arrival.complete() else {
            return;
        };
        let head = Head {
            packed: Packing::new(StatusCode::OK, None, &[]).finish(),
            facts: self.facts.clone(),
            created: SystemTime::UNIX_EPOCH,
            variance: None,
        };
        let adapter = self.adapter;
        if let Some(disk) = &adapter.disk
            && let Some(written) = disk.keep_segment(key, &head, body.clone()).await
        {
            tokio::spawn(async move {
                // What became of it is counted by the store.
                let _ = written.await;
                drop(settling);
            });
            return;
        }
        let length = body.len() as u64;
        if let Ok(mut fill) = adapter.tier.begin_fill(key, head, Some(length)) {
            // What finds no room is fetched again by who wants it.
            let _ = fill.append(body).and_then(|()| fill.finish());
        }
        drop(settling);
    }
}

/// The hit for a head that is stored under a key, if it is one of an object in segments.
pub(super) fn segmented_hit(
    adapter: &'static Adapter,
    key: &PingoraKey,
    head: &Head,
) -> Option<(CacheMeta, HitHandler)> {
    let object = Segmented::of(adapter, our_key(key), &head.facts)?;
    Some((head.meta().ok()?, Box::new(SegmentedHit::new(object, None))))
}

/// Reading an object in segments.
pub(in crate::pingora) struct SegmentedHit {
    object: Arc<Segmented>,
    /// Who fetches what is missing.
    fetch: Option<Arc<dyn Fetch>>,
    at: u64,
    end: u64,
    open: Option<(u64, Open)>,
    /// What this reader has had fetched, where the cache may not keep it.
    held: VecDeque<(u64, Arc<Piece<Unfetched>>)>,
    tries: u32,
}

impl SegmentedHit {
    pub(super) fn new(object: Arc<Segmented>, fetch: Option<Arc<dyn Fetch>>) -> Self {
        let end = object.layout.total;
        Self {
            object,
            fetch,
            at: 0,
            end,
            open: None,
            held: VecDeque::new(),
            tries: 0,
        }
    }

    /// The object.
    pub(in crate::pingora) const fn object(&self) -> &Arc<Segmented> {
        &self.object
    }

    /// Who fetches what is missing from now on.
    pub(in crate::pingora) fn fetch_by(&mut self, fetch: Arc<dyn Fetch>) {
        self.fetch = Some(fetch);
    }

    /// Whether the segment with that byte is stored.
    pub(in crate::pingora) fn has(&self, at: u64) -> bool {
        self.has_stored(self.object.layout.index_of(at))
    }

    fn has_stored(&self, index: u64) -> bool {
        self.object.is_stored(&self.object.key_of(index))
    }

    /// Whether all segments of a range are. Of a range of very many it is not told.
    pub(in crate::pingora) fn has_all(&self, at: u64, end: u64) -> bool {
        let layout = &self.object.layout;
        let (first, last) = (layout.index_of(at), layout.index_of(end.saturating_sub(1)));
        last - first < MOST_LOOKED_AT && (first..=last).all(|index| self.has_stored(index))
    }

    /// Has what is missing fetched from a byte on, for a reader that will stop before `end`; resolves when the first of it has
    /// come, with whether this reader's request brings it.
    ///
    /// # Errors
    /// Why it does not come; nothing is known when another request was to bring it, and gave up or stalls.
    pub(in crate::pingora) async fn begin(
        &mut self,
        at: u64,
        end: u64,
    ) -> std::result::Result<bool, Option<Arc<Unfetched>>> {
        let index = self.object.layout.index_of(at);
        let brings = self.fetch_from(index, end);
        let key = self.object.key_of(index);
        let held = self.held.iter().find(|(held, _)| *held == index);
        let piece = held
            .map(|(_, piece)| piece.clone())
            .or_else(|| self.object.adapter.arriving.get(&key));
        match piece {
            Some(piece) => match timeout(STALLED, piece.begun()).await {
                Ok(begun) => begun.map(|()| brings).map_err(|e| e.0),
                Err(_) => Err(None),
            },
            // It is stored.
            None => Ok(brings),
        }
    }

    /// Has the segments fetched that are missing from `index` on, up to the one before `end`. Whether the first is among them.
    fn fetch_from(&mut self, index: u64, end: u64) -> bool {
        let Some(fetch) = &self.fetch else {
            return false;
        };
        let object = &self.object;
        let last = object.layout.index_of(end.saturating_sub(1));
        let run = object.claim(index, last);
        if run.is_empty() {
            return false;
        }
        if !object.adapter.disk.as_ref().is_some_and(|d| d.is_on()) {
            let pieces = run
                .iter()
                .filter_map(|c| Some((c.index, object.adapter.arriving.get(c.arrival.key())?)));
            self.held = pieces.collect();
        }
        fetch.clone().fetch(object.clone(), run);
        true
    }

    /// Where the segment is read from; has it fetched when it is nowhere.
    async fn find(&mut self, index: u64) -> Option<Open> {
        let offset = self.at - self.object.layout.bytes_of(index).start;
        while self.held.front().is_some_and(|(held, _)| *held < index) {
            self.held.pop_front();
        }
        if let Some((held, piece)) = self.held.front()
            && *held == index
            && self.tries == 0
        {
            return Some(Open::Arriving(PieceReader::new(piece.clone(), offset)));
        }
        if let Some(open) = self.object.open(index, offset).await {
            return Some(open);
        }
        self.fetch_from(index, self.end);
        self.object.open(index, offset).await
    }
}

#[async_trait]
impl HandleHit for SegmentedHit {
    async fn read_body(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.at >= self.end {
                return Ok(None);
            }
            let index = self.object.layout.index_of(self.at);
            if !matches!(&self.open, Some((opened, _)) if *opened == index) {
                self.open = self.find(index).await.map(|open| (index, open));
            }
            let until = self.end.min(self.object.layout.bytes_of(index).end);
            let most = PIECE.min(until - self.at);
            if let Some((_, open)) = &mut self.open {
                match self.object.read(open, most).await {
                    Read::Bytes(piece) => {
                        self.at += piece.len() as u64;
                        self.tries = 0;
                        return Ok(Some(piece));
                    }
                    Read::Gone => {}
                    Read::Stalled => self.tries = TRIES - 1,
                }
            }
            self.open = None;
            self.tries += 1;
            if self.tries == TRIES {
                return Err(storage_error("a segment cannot be had"));
            }
        }
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
        let asked = bounds(start, end);
        self.end = self.object.layout.total.min(asked.end);
        self.at = asked.start.min(self.end);
        self.open = None;
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn as_any_mut(&mut self) -> &mut (dyn Any + Send + Sync) {
        self
    }
}

/// Writing an object in segments as it arrives, or a part of it. What is complete stays when the rest does not come.
pub(super) struct SegmentFill {
    object: Arc<Segmented>,
    tag: [u8; 8],
    /// The next byte that comes, and where they end.
    at: u64,
    end: u64,
    /// The segments from the one of `at` on, those that others have left out.
    coming: VecDeque<(u64, Option<Coming>)>,
    written: usize,
}

impl SegmentFill {
    /// The part that arrives is claimed as far as it is near, so that nobody fetches it besides.
    pub(super) fn new(object: Arc<Segmented>, arriving: ByteRange, tag: u64) -> Self {
        let mut fill = Self {
            at: arriving.start,
            end: arriving.end.saturating_add(1).min(object.layout.total),
            object,
            tag: tag.to_le_bytes(),
            coming: VecDeque::new(),
            written: 0,
        };
        fill.claim();
        fill
    }

    fn claim(&mut self) {
        let layout = self.object.layout;
        let now = layout.index_of(self.at);
        while self.coming.front().is_some_and(|(index, _)| *index < now) {
            self.coming.pop_front();
        }
        let next = self.coming.back().map_or(now, |(index, _)| index + 1);
        let last = layout.index_of(self.end.saturating_sub(1));
        let most = run_of(layout.segment) - 1;
        for index in next..=last.min(now.saturating_add(most)) {
            self.coming.push_back((index, self.object.claim_one(index)));
        }
    }
}

#[async_trait]
impl HandleMiss for SegmentFill {
    async fn write_body(&mut self, mut data: Bytes, _eof: bool) -> Result<()> {
        while !data.is_empty() && self.at < self.end {
            self.claim();
            let index = self.object.layout.index_of(self.at);
            let until = self.object.layout.bytes_of(index).end;
            let length = usize::try_from(until - self.at).unwrap_or(usize::MAX);
            let mut now = data.split_to(length.min(data.len()));
            self.written += now.len();
            self.at += now.len() as u64;
            let front = self.coming.front_mut();
            let Some((_, coming)) = front.filter(|(front, _)| *front == index) else {
                continue;
            };
            if coming.as_mut().is_some_and(|c| c.arrival.take(&mut now))
                && let Some(coming) = coming.take()
            {
                self.object.keep(coming).await;
            }
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<MissFinishType> {
        Ok(MissFinishType::Created(self.written))
    }

    fn streaming_write_tag(&self) -> Option<&[u8]> {
        Some(&self.tag)
    }
}

impl Drop for SegmentFill {
    fn drop(&mut self) {
        let mut starting = self.object.adapter.starting.lock();
        starting.remove(&u64::from_le_bytes(self.tag));
    }
}
