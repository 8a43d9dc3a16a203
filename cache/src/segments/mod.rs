//! Large objects in parts: a head, and segments that are fetched, stored and evicted on their own (CF-532..534, CF-544).
//!
//! A segment is stored under a key of its own, made from the key of the head, the number that the object was given when its
//! head was stored, and the segment's place. So what is read under a head can only have been fetched for it: a new
//! representation has a new number, and the segments of the old one are found by nobody. They make room in time.
//!
//! A segment has no say in whether it may answer: that is the head's.
//!
//! [`Arriving`] knows which segments are on their way, so that each is fetched once whoever wants it (CF-400).

mod arriving;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use arriving::{Arrival, Arriving, Piece, PieceError, PieceReader, Settling};

use crate::key::{CacheKey, KeySecret};

/// How an object's body is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Tells the object from others that were stored under the same key.
    pub id: u64,
    /// Length of the whole body in bytes.
    pub total: u64,
    /// Length of every segment but the last, in bytes; not zero.
    pub segment: u32,
}

impl Layout {
    /// How many segments there are.
    pub const fn count(&self) -> u64 {
        self.total.div_ceil(self.segment as u64)
    }

    /// The segment in which a byte is.
    pub const fn index_of(&self, at: u64) -> u64 {
        at / self.segment as u64
    }

    /// The bytes of a segment; empty beyond the end.
    pub fn bytes_of(&self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(u64::from(self.segment));
        let end = start.saturating_add(u64::from(self.segment));
        start.min(self.total)..end.min(self.total)
    }

    /// Where a segment is stored, of the object whose head is under `head`.
    pub fn key(&self, secret: &KeySecret, head: &CacheKey, index: u64) -> CacheKey {
        head.of_segment(secret, self.id, index)
    }

    /// Whether it can be: every segment has a length, and the object some bytes.
    pub const fn is_sound(&self) -> bool {
        self.segment > 0 && self.total > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_the_body() {
        // CF-533
        let layout = Layout {
            id: 1,
            total: 250,
            segment: 100,
        };
        assert_eq!(layout.count(), 3);
        let all: Vec<_> = (0..4).map(|i| layout.bytes_of(i)).collect();
        assert_eq!(all, [0..100, 100..200, 200..250, 250..250]);
        assert_eq!((layout.index_of(99), layout.index_of(100)), (0, 1));
        assert_eq!(layout.bytes_of(u64::MAX), 250..250);
    }

    #[test]
    fn no_two_segments_share_a_key() {
        // CF-534
        let secret = KeySecret::from_bytes([7; 16]);
        let mut keys = Vec::new();
        for head in [[1; 16], [2; 16]].map(CacheKey::from_bytes) {
            keys.push(head);
            for id in [0, 1, 256] {
                let layout = Layout {
                    id,
                    total: 1000,
                    segment: 1,
                };
                keys.extend([0, 1, 256].map(|index| layout.key(&secret, &head, index)));
            }
        }
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
