//! Taking turns between a connection on HTTP/2, which reads, and the streams on it, which take what was read.
//!
//! Small frames cost more than they hold for as long as they wait in the library, which ends a connection that has too many of
//! them waiting. A connection reads as long as there is something to read; so without this, a burst of small messages would
//! end it before anybody had a chance to take the first.

use std::task::{Context, Poll};

/// Bytes that are read before others get their turn: some 1,800 of the smallest frames, of which the library lets 2,000 wait
/// on a viewer's connection.
const BYTES: usize = 16 * 1024;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Bytes that were read since others had theirs.
    read: usize,
}

impl Turn {
    /// Pending when it is others' turn; the next one is asked for.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.read < BYTES {
            return Poll::Ready(());
        }
        self.read = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// So many bytes were read; none, when there was nothing to read and others have their turn anyway.
    pub(super) const fn took(&mut self, bytes: usize) {
        self.read = match bytes {
            0 => 0,
            _ => self.read.saturating_add(bytes),
        };
    }
}
