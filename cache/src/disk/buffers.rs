//! Buffers that records are read into.
//!
//! What is read and sent is done with at once, and the next read can have its buffer: it need not be zeroed (a new one must be,
//! as the system writes into memory that safe code could see), and what was just written through is still in the
//! core's cache. Of a 100 KB hit, zeroing was an eighth of all; with that and what memory no longer takes in ([`crate::memory`])
//! such a hit went from 2.03 to 1.62 of what it costs nginx, which sends from the page cache and reads nothing.
//!
//! Sending what was read and checked with `sendfile` was tried: 48 to 54 us for a hit, 43 as it is. What nginx saves is the
//! reading, and that is what the checksums are for.

use std::{cell::RefCell, collections::VecDeque};

use bytes::Bytes;

/// A shorter one is not worth keeping.
const SHORTEST: usize = 16 * 1024;
/// Bytes each thread keeps at most.
const MOST_KEPT: usize = 4 * 1024 * 1024;
/// New ones have a multiple of this length, so that bodies of about the same length share them.
const STEP: usize = 16 * 1024;

/// Bytes to read into. Goes back to the thread it is dropped on.
#[derive(Debug)]
pub(super) struct Buffer {
    /// All of it initialised.
    bytes: Vec<u8>,
    /// How much of it is asked for.
    len: usize,
}

#[derive(Default)]
struct Kept {
    /// The last one that came back is at the end.
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Buffer {
    /// One for `len` bytes. What is in it is anybody's.
    pub(super) fn of(len: usize) -> Self {
        let kept = (len >= SHORTEST)
            .then(|| KEPT.try_with(|kept| kept.try_borrow_mut().ok()?.take(len)))
            .and_then(Result::ok)
            .flatten();
        let room = match len {
            ..SHORTEST => len,
            _ => len.next_multiple_of(STEP),
        };
        Self {
            bytes: kept.unwrap_or_else(|| vec![0; room]),
            len,
        }
    }

    /// The bytes asked for.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // Never longer than what there is.
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// As bytes that many can hold; the buffer comes back when the last of them lets go. Who keeps a part for long should copy it.
    pub(super) fn freeze(mut self) -> Bytes {
        if self.bytes.len() < SHORTEST {
            return std::mem::take(&mut self.bytes).into();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if (SHORTEST..=MOST_KEPT).contains(&bytes.len()) {
            // A thread that ends keeps nothing.
            let _ = KEPT.try_with(|kept| {
                if let Ok(mut kept) = kept.try_borrow_mut() {
                    kept.give(bytes);
                }
            });
        }
    }
}

impl Kept {
    /// The one that came back last of those that are long enough and no more than a quarter too long: a slow viewer holds all of it.
    fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        let fits = len..=len + len / 4 + STEP;
        let at = self.buffers.iter().rposition(|b| fits.contains(&b.len()))?;
        let bytes = self.buffers.remove(at)?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    fn give(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.buffers.push_back(bytes);
        while self.bytes > MOST_KEPT {
            let Some(oldest) = self.buffers.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (usize, usize) {
        KEPT.with_borrow(|kept| {
            assert_eq!(kept.bytes, kept.buffers.iter().map(Vec::len).sum::<usize>());
            (kept.buffers.len(), kept.bytes)
        })
    }

    #[test]
    fn a_buffer_comes_back_when_the_last_part_of_it_is_let_go_of() {
        let mut buffer = Buffer::of(100_000);
        buffer.bytes_mut().fill(7);
        let bytes = buffer.freeze();
        assert_eq!((bytes.len(), bytes[99_999]), (100_000, 7));
        let part = bytes.slice(1..3);
        drop(bytes);
        assert_eq!(kept().0, 0);
        drop(part);
        assert_eq!(kept(), (1, 114_688));
        // Another of about that length has it, and neither a longer nor a much shorter one.
        assert!(Buffer::of(120_000).as_ref().iter().all(|byte| *byte == 0));
        let again = Buffer::of(90_000);
        assert_eq!(again.as_ref(), [7; 90_000]);
        let short = Buffer::of(40_000);
        assert_eq!(short.as_ref(), [0; 40_000]);
        drop((again, short));
        assert_eq!(kept().0, 3);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_short_is_not_kept() {
        drop(Buffer::of(100).freeze());
        drop(Buffer::of(0).freeze());
        drop(Buffer::of(MOST_KEPT + 1).freeze());
        assert_eq!(kept(), (0, 0));
        let many: Vec<_> = (0..100).map(|_| Buffer::of(100_000).freeze()).collect();
        drop(many);
        assert_eq!(kept().0, MOST_KEPT / 114_688);
        assert!(kept().1 <= MOST_KEPT);
    }
}
