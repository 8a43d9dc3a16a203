//! A complete object in memory: a head record and a body in segments.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

/// What the tier keeps beside a body: status, fields, freshness, in whatever form the caller uses.
pub trait HeadRecord: Send + Sync + 'static {
    /// Bytes it occupies, heap included.
    fn weight(&self) -> usize;
}

/// What an entry costs beside head and body: the object, the table's entry, queue nodes and the key.
/// Resident growth over 200,000 entries with bodies of 64 bytes was 500 bytes more per entry than
/// those with glibc's allocator, and 420 with mimalloc.
pub(super) const ENTRY_OVERHEAD: u64 = 500;

/// A complete stored response. Immutable: a refreshed head makes a new object around the same body.
#[derive(Debug)]
pub struct Object<M> {
    head: Arc<M>,
    body: Body,
    /// Which fill brought the body. Two objects with one id differ in their heads only.
    id: u64,
    weight: u32,
    /// A fill for the same key is under way; lookups then go and join it. INVARIANT: written only
    /// under the key's shard lock, true only while that shard has a fill for the key or the object
    /// is no longer in the table.
    replacing: AtomicBool,
}

impl<M: HeadRecord> Object<M> {
    pub(super) fn new(head: Arc<M>, body: Body, id: u64) -> Self {
        let weight = weight(head.weight(), body.len());
        Self {
            head,
            body,
            id,
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
            replacing: AtomicBool::new(false),
        }
    }

    /// The same body under another head.
    pub(super) fn with_head(&self, head: M) -> Self {
        let object = Self::new(Arc::new(head), self.body.clone(), self.id);
        object.set_replacing(self.is_replacing());
        object
    }
}

impl<M> Object<M> {
    /// The head record.
    pub const fn head(&self) -> &Arc<M> {
        &self.head
    }

    /// The body.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// Whether two objects share their body, so that one is a refresh of the other.
    pub const fn has_body_of(&self, other: &Self) -> bool {
        self.id == other.id
    }

    pub(super) const fn weight(&self) -> u32 {
        self.weight
    }

    pub(super) fn is_replacing(&self) -> bool {
        // Relaxed: whoever sees the old value serves the object that was current a moment ago, and
        // whoever sees `true` takes the shard lock before acting on it.
        self.replacing.load(Ordering::Relaxed)
    }

    pub(super) fn set_replacing(&self, replacing: bool) {
        self.replacing.store(replacing, Ordering::Relaxed);
    }
}

/// Weight in bytes of an entry whose head weighs `head`.
pub(super) const fn weight(head: usize, body: u64) -> u64 {
    (head as u64)
        .saturating_add(body)
        .saturating_add(ENTRY_OVERHEAD)
}

/// A body as segments. Cloning shares the bytes.
#[derive(Clone, Debug, Default)]
pub struct Body {
    segments: Segments,
    len: u64,
}

#[derive(Clone, Debug, Default)]
enum Segments {
    #[default]
    Empty,
    /// The usual small object: no list, no further indirection on a hit.
    One(Bytes),
    /// INVARIANT: none is empty, and all but the last have the same length.
    Many(Arc<[Bytes]>),
}

impl Body {
    /// A body from all of its bytes.
    pub(super) fn of_whole(mut bytes: Bytes, segment: usize) -> Self {
        let mut segments = Vec::with_capacity(bytes.len().div_ceil(segment));
        while !bytes.is_empty() {
            segments.push(bytes.split_to(segment.min(bytes.len())));
        }
        Self::of_segments(segments)
    }

    /// A body from its segments. The caller keeps the invariant of equal lengths.
    pub(super) fn of_segments(mut segments: Vec<Bytes>) -> Self {
        let len = segments.iter().map(|s| s.len() as u64).sum();
        let segments = match segments.len() {
            0 => Segments::Empty,
            1 => segments.pop().map_or(Segments::Empty, Segments::One),
            _ => Segments::Many(segments.into()),
        };
        Self { segments, len }
    }

    /// Length in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of it, when it is in one piece, as small bodies are: saves a hit the reader.
    pub const fn contiguous(&self) -> Option<&Bytes> {
        match &self.segments {
            Segments::One(bytes) => Some(bytes),
            Segments::Empty | Segments::Many(_) => None,
        }
    }

    /// A reader of all of it.
    pub fn read(&self) -> BodyReader {
        self.read_range(0..self.len)
    }

    /// A reader of some of it; what lies beyond the end is left out.
    pub fn read_range(&self, range: Range<u64>) -> BodyReader {
        let end = range.end.min(self.len);
        BodyReader {
            body: self.clone(),
            position: range.start.min(end),
            end,
        }
    }

    /// The longest piece in memory that starts at `position` and does not pass `end`.
    fn piece(&self, position: u64, end: u64) -> Option<Bytes> {
        let (segment, offset) = match &self.segments {
            Segments::Empty => return None,
            Segments::One(bytes) => (bytes, position),
            Segments::Many(segments) => {
                let size = segments.first()?.len() as u64;
                let index = usize::try_from(position / size).ok()?;
                (segments.get(index)?, position % size)
            }
        };
        slice(segment, offset, end.saturating_sub(position))
    }
}

/// At most `most` bytes of `bytes` from `offset`; `None` when that is nothing.
pub(super) fn slice(bytes: &Bytes, offset: u64, most: u64) -> Option<Bytes> {
    let offset = usize::try_from(offset).ok()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let end = offset.saturating_add(most).min(bytes.len());
    if offset >= end {
        None
    } else if end - offset == bytes.len() {
        Some(bytes.clone())
    } else {
        Some(bytes.slice(offset..end))
    }
}

/// Reads a complete body piece by piece, without copying.
#[derive(Clone, Debug)]
pub struct BodyReader {
    body: Body,
    position: u64,
    end: u64,
}

impl BodyReader {
    /// The next piece; `None` at the end of the range.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        self.next_piece(u64::MAX)
    }

    /// [`Self::next_chunk`] of at most `most` bytes.
    pub fn next_piece(&mut self, most: u64) -> Option<Bytes> {
        if self.position >= self.end {
            return None;
        }
        let end = self.end.min(self.position.saturating_add(most));
        let piece = self.body.piece(self.position, end)?;
        self.position += piece.len() as u64;
        Some(piece)
    }

    /// Goes on at `range` instead; what lies beyond the end is left out.
    pub fn seek(&mut self, range: Range<u64>) {
        self.end = range.end.min(self.body.len);
        self.position = range.start.min(self.end);
    }

    /// Bytes left in the range.
    pub const fn remaining(&self) -> u64 {
        self.end - self.position
    }
}

impl Iterator for BodyReader {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.next_chunk()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(len: usize, segment: usize) -> (Vec<u8>, Body) {
        let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let segments = bytes.chunks(segment).map(Bytes::copy_from_slice).collect();
        (bytes, Body::of_segments(segments))
    }

    #[test]
    fn a_small_body_is_handed_out_whole_and_uncopied() {
        let (bytes, body) = body(100, 1_000);
        let (one, two) = (body.read().next().unwrap(), body.read().next().unwrap());
        assert_eq!(one, bytes);
        assert_eq!(one.as_ptr(), two.as_ptr());
        assert_eq!(body.contiguous(), Some(&one));
        assert!(Body::default().is_empty() && Body::default().read().next().is_none());
        assert!(Body::default().contiguous().is_none());
    }

    proptest! {
        #[test]
        fn any_range_reads_the_same_bytes(
            len in 0_usize..300, segment in 1_usize..64, start in 0_u64..320, end in 0_u64..320, most in 1_u64..80,
        ) {
            // CF-532
            let (bytes, body) = body(len, segment);
            let read: Vec<u8> = body.read_range(start..end).flatten().collect();
            let clamp = |at: u64| usize::try_from(at).unwrap().min(len);
            let want = bytes.get(clamp(start)..clamp(end)).unwrap_or_default();
            prop_assert_eq!(&read, want);
            let mut reader = body.read();
            reader.next_chunk();
            reader.seek(start..end);
            prop_assert_eq!(reader.remaining(), want.len() as u64);
            let mut pieces = reader.clone();
            prop_assert_eq!(&reader.flatten().collect::<Vec<u8>>(), want);
            let mut read = Vec::new();
            while let Some(piece) = pieces.next_piece(most) {
                prop_assert!(piece.len() as u64 <= most);
                read.extend_from_slice(&piece);
            }
            prop_assert_eq!(&read, want);
        }
    }
}
