//! A body on its way in: one writer, any number of readers that follow it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::{
    FillReader, Inner, ReadError,
    object::{Body, HeadRecord, Object, slice},
};
use crate::{Refusal, key::CacheKey};

/// A chunk shorter than this is copied when it arrives. It may be a slice of a network buffer many
/// times its size, which would otherwise be held until the segment is full.
const SMALL_CHUNK: usize = 4 * 1024;

/// What a fill's writer and readers share.
pub(super) struct Shared<M> {
    pub(super) head: Arc<M>,
    pub(super) expected_len: Option<u64>,
    /// INVARIANT: held for moments, never across an await or a copy of a segment. Only the writer
    /// changes what is in it, so the writer may look, let go, and come back to change it.
    state: Mutex<Buffer>,
    /// Wakes readers that have read all there is.
    pub(super) arrived: Notify,
    readers: AtomicUsize,
}

/// The bytes in memory and how the fill stands.
#[derive(Default)]
struct Buffer {
    /// INVARIANT: contiguous and ascending; none is empty. While the object is to be kept, the first
    /// starts at 0 and all but those of the open segment have segment size. A relay has dropped the
    /// front and has chunks of any size.
    chunks: VecDeque<Chunk>,
    /// Bytes that have arrived: the end of the last chunk.
    len: u64,
    phase: Phase,
}

struct Chunk {
    /// Offset in the body behind its last byte.
    end: u64,
    bytes: Bytes,
}

impl Chunk {
    fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Arriving,
    Complete,
    /// The writer gave up.
    Aborted,
}

/// What a reader finds at its position.
pub(super) enum Found {
    Bytes(Bytes),
    End,
    /// Nothing yet.
    Pending,
}

impl<M> Shared<M> {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // A panic while the lock was held can only have come from an allocation; the buffer is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_reader(&self) {
        self.readers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn drop_reader(&self) {
        self.readers.fetch_sub(1, Ordering::AcqRel);
    }

    fn has_readers(&self) -> bool {
        self.readers() > 0
    }

    pub(super) fn readers(&self) -> usize {
        self.readers.load(Ordering::Acquire)
    }

    /// Bytes that have arrived.
    pub(super) fn arrived_len(&self) -> u64 {
        self.buffer().len
    }

    pub(super) fn has_ended(&self) -> bool {
        self.buffer().phase != Phase::Arriving
    }

    /// Length of the body, when it is known.
    pub(super) fn complete_len(&self) -> Option<u64> {
        self.expected_len.or_else(|| {
            let buffer = self.buffer();
            (buffer.phase == Phase::Complete).then_some(buffer.len)
        })
    }

    /// What is in memory at `position`, at most `most` bytes. A reader first gets all that arrived,
    /// then learns that the writer gave up.
    pub(super) fn find(&self, position: u64, most: u64) -> Result<Found, ReadError> {
        let buffer = self.buffer();
        if position < buffer.len {
            let index = buffer.chunks.partition_point(|c| c.end <= position);
            let piece = buffer.chunks.get(index).and_then(|chunk| {
                let offset = position.checked_sub(chunk.start())?;
                slice(&chunk.bytes, offset, most)
            });
            return piece.map(Found::Bytes).ok_or(ReadError::Lagged);
        }
        match buffer.phase {
            Phase::Arriving => Ok(Found::Pending),
            Phase::Complete => Ok(Found::End),
            Phase::Aborted => Err(ReadError::Aborted),
        }
    }
}

/// How a fill ended.
#[derive(Debug)]
pub enum Filled<M> {
    /// The object is in the tier.
    Stored(Arc<Object<M>>),
    /// The readers that follow have all of it, the tier does not keep it.
    NotStored(Refusal),
}

/// Why a fill broke off. Its readers get [`ReadError::Aborted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// More bytes than announced.
    #[error("the body has more bytes than the {expected} announced")]
    TooLong {
        /// Length that was announced.
        expected: u64,
    },
    /// Fewer bytes than announced (CF-222).
    #[error("the body ended after {got} of {expected} bytes")]
    TooShort {
        /// Length that was announced.
        expected: u64,
        /// Bytes that arrived.
        got: u64,
    },
}

/// The right to fill one key. Dropping it unfinished aborts: readers get an error, nothing of it stays,
/// and what was stored before answers again.
pub struct Fill<M: HeadRecord> {
    inner: Arc<Inner<M>>,
    shared: Arc<Shared<M>>,
    key: CacheKey,
    id: u64,
    /// Why it is only relayed to readers that joined in time, if it is.
    relay: Option<Refusal>,
    /// Bytes charged to the tier's budget for fills.
    charged: u64,
    /// Where the open segment starts.
    segment_start: u64,
    /// Whether the end has been told to readers.
    ended: bool,
}

impl<M: HeadRecord> Fill<M> {
    /// `charged` bytes are charged already.
    pub(super) fn new(
        inner: Arc<Inner<M>>,
        key: CacheKey,
        id: u64,
        head: M,
        expected_len: Option<u64>,
        charged: u64,
    ) -> Self {
        let shared = Arc::new(Shared {
            head: Arc::new(head),
            expected_len,
            state: Mutex::default(),
            arrived: Notify::new(),
            readers: AtomicUsize::new(0),
        });
        Self {
            inner,
            shared,
            key,
            id,
            relay: None,
            charged,
            segment_start: 0,
            ended: false,
        }
    }

    /// The same for a response that is not kept.
    pub(super) fn relaying(mut self, why: Refusal) -> Self {
        self.relay = Some(why);
        self
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<M>> {
        &self.shared
    }

    /// The head record.
    pub fn head(&self) -> &Arc<M> {
        &self.shared.head
    }

    /// A reader from the first byte on: for the writer's own viewer, or a follower.
    pub fn reader(&self) -> FillReader<M> {
        FillReader::new(self.shared.clone())
    }

    /// Whether anybody else waits for the bytes: then a writer whose viewer left goes on (CF-405).
    pub fn has_readers(&self) -> bool {
        self.shared.has_readers()
    }

    /// Whether the object will be stored if it completes.
    ///
    /// # Errors
    /// Why not.
    pub fn keeping(&self) -> Result<(), Refusal> {
        self.relay.map_or(Ok(()), Err)
    }

    /// Takes the next bytes. Readers see them at once. Past the size or budget limits the fill goes on
    /// as a relay for the readers it has: see [`Self::keeping`].
    ///
    /// # Errors
    /// [`FillError::TooLong`]; the fill is aborted then.
    pub fn append(&mut self, chunk: Bytes) -> Result<(), FillError> {
        if chunk.is_empty() || self.ended {
            return Ok(());
        }
        let len = self.shared.buffer().len;
        let new_len = len.saturating_add(chunk.len() as u64);
        if let Some(expected) = self.shared.expected_len
            && new_len > expected
        {
            self.end(Phase::Aborted);
            return Err(FillError::TooLong { expected });
        }
        if self.relay.is_none()
            && let Err(refusal) = self.make_room(new_len)
        {
            self.become_relay(refusal);
        }
        match self.relay {
            None => self.keep(chunk),
            Some(_) => self.pass_on(chunk),
        }
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    /// The body is complete: the object replaces what was stored under the key.
    ///
    /// # Errors
    /// [`FillError::TooShort`]; the fill is aborted then.
    pub fn finish(mut self) -> Result<Filled<M>, FillError> {
        let got = self.shared.buffer().len;
        if let Some(expected) = self.shared.expected_len
            && got < expected
        {
            return Err(FillError::TooShort { expected, got });
        }
        let filled = match self.relay {
            Some(refusal) => Filled::NotStored(refusal),
            None => self.store(),
        };
        self.end(Phase::Complete);
        Ok(filled)
    }

    #[cfg(test)]
    pub(super) fn chunks_held(&self) -> usize {
        self.shared.buffer().chunks.len()
    }

    fn store(&mut self) -> Filled<M> {
        self.close_segment();
        let segments = {
            let buffer = self.shared.buffer();
            buffer.chunks.iter().map(|c| c.bytes.clone()).collect()
        };
        let body = Body::of_segments(segments);
        let object = Arc::new(Object::new(self.shared.head.clone(), body, self.id));
        if self.inner.finish_fill(&self.key, &self.shared, &object) {
            Filled::Stored(object)
        } else {
            Filled::NotStored(Refusal::Overtaken)
        }
    }

    /// Whether the tier takes an object that is `len` bytes long by now, charging the budget for it.
    fn make_room(&mut self, len: u64) -> Result<(), Refusal> {
        if !self.inner.limits.fits(self.shared.head.weight(), len) {
            return Err(Refusal::TooLarge);
        }
        if len > self.charged {
            if !self.inner.charge(len - self.charged) {
                return Err(Refusal::NoRoom);
            }
            self.charged = len;
        }
        Ok(())
    }

    fn keep(&mut self, mut chunk: Bytes) {
        let segment_size = self.inner.limits.segment;
        while !chunk.is_empty() {
            let mut buffer = self.shared.buffer();
            let open = usize::try_from(buffer.len - self.segment_start).unwrap_or(usize::MAX);
            let room = segment_size.saturating_sub(open).max(1);
            let part = chunk.split_to(room.min(chunk.len()));
            let full = part.len() == room;
            buffer.push_compact(part, self.segment_start);
            drop(buffer);
            if full {
                self.close_segment();
            }
        }
    }

    /// Copies the chunks of the open segment into one allocation of exactly their size, so that a
    /// stored object holds no network buffers.
    fn close_segment(&mut self) {
        // INVARIANT: only the writer adds and removes chunks, so between the two locks nothing
        // changes, and readers are not kept waiting by the copy.
        let (open, len): (Vec<Bytes>, u64) = {
            let buffer = self.shared.buffer();
            let first = buffer.first_chunk_from(self.segment_start);
            let open = buffer.chunks.range(first..);
            (open.map(|c| c.bytes.clone()).collect(), buffer.len)
        };
        let size: usize = open.iter().map(Bytes::len).sum();
        if size == 0 {
            return;
        }
        let mut segment = Vec::with_capacity(size);
        for bytes in &open {
            segment.extend_from_slice(bytes);
        }
        let mut buffer = self.shared.buffer();
        let first = buffer.first_chunk_from(self.segment_start);
        buffer.chunks.truncate(first);
        buffer.chunks.push_back(Chunk {
            end: len,
            bytes: segment.into(),
        });
        self.segment_start = len;
    }

    /// From here on the bytes are only passed to readers that are here already. Later requests for the
    /// key find no fill and go their own way.
    fn become_relay(&mut self, refusal: Refusal) {
        self.relay = Some(refusal);
        self.inner.forget_fill(&self.key, &self.shared);
    }

    fn pass_on(&mut self, chunk: Bytes) {
        let limits = &self.inner.limits;
        let mut buffer = self.shared.buffer();
        buffer.push(chunk);
        // CF-617: a slow reader holds up nobody, and holds at most a window of bytes. One that falls
        // further behind is cut off. With no reader left nothing is held.
        let wanted = if self.shared.has_readers() {
            buffer.held().min(limits.relay_window)
        } else {
            0
        };
        if wanted > self.charged && self.inner.charge(wanted - self.charged) {
            self.charged = wanted;
        }
        // Where the budget has nothing left, a segment is held all the same.
        let window = self.charged.max(limits.segment as u64).min(wanted);
        buffer.trim_to(window);
        let held = buffer.held();
        drop(buffer);
        self.inner.release(self.charged.saturating_sub(held));
        self.charged = self.charged.min(held);
    }

    fn end(&mut self, phase: Phase) {
        if self.ended {
            return;
        }
        self.ended = true;
        // Before readers hear of it: one that is told of an abort and looks again must not find this
        // fill a second time.
        self.inner.forget_fill(&self.key, &self.shared);
        self.shared.buffer().phase = phase;
        self.shared.arrived.notify_waiters();
        self.inner.release(self.charged);
        self.charged = 0;
    }
}

impl<M: HeadRecord> std::fmt::Debug for Fill<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill")
            .field("key", &self.key)
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}

impl<M: HeadRecord> Drop for Fill<M> {
    fn drop(&mut self) {
        self.end(Phase::Aborted);
    }
}

impl Buffer {
    fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len() as u64;
        self.chunks.push_back(Chunk {
            end: self.len,
            bytes,
        });
    }

    /// Adds a chunk of the open segment; a small one as a copy, together with a small one before it.
    /// An origin that sends a byte at a time thus costs neither a buffer nor a list entry per byte.
    fn push_compact(&mut self, bytes: Bytes, segment_start: u64) {
        if bytes.len() >= SMALL_CHUNK {
            self.push(bytes);
            return;
        }
        let before = self
            .chunks
            .back()
            .filter(|c| c.start() >= segment_start && c.bytes.len() + bytes.len() <= SMALL_CHUNK)
            .map(|c| c.bytes.clone())
            .unwrap_or_default();
        if !before.is_empty() {
            self.chunks.pop_back();
            self.len -= before.len() as u64;
        }
        let mut joined = BytesMut::with_capacity(before.len() + bytes.len());
        joined.extend_from_slice(&before);
        joined.extend_from_slice(&bytes);
        self.push(joined.freeze());
    }

    /// Index of the first chunk that starts at `offset` or later.
    fn first_chunk_from(&self, offset: u64) -> usize {
        self.chunks.partition_point(|c| c.end <= offset)
    }

    fn held(&self) -> u64 {
        self.chunks
            .front()
            .map_or(0, |first| self.len - first.start())
    }

    fn trim_to(&mut self, window: u64) {
        while self.held() > window {
            self.chunks.pop_front();
        }
    }
}
