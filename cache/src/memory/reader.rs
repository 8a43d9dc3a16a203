//! A reader that follows a fill.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::fill::{Found, Shared};

/// Why a follower does not get the rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The writer gave up: the origin broke off, or the body was not what was announced.
    #[error("the body that was being followed broke off")]
    Aborted,
    /// The object is too large to keep, and the reader fell too far behind its writer.
    #[error("the reader fell too far behind a body that is not kept")]
    Lagged,
}

/// Follows a body while it arrives. Holds no lock between chunks and never slows the writer.
pub struct FillReader<M> {
    shared: Arc<Shared<M>>,
    position: u64,
    end: u64,
}

impl<M> FillReader<M> {
    pub(super) fn new(shared: Arc<Shared<M>>) -> Self {
        shared.add_reader();
        Self {
            shared,
            position: 0,
            end: u64::MAX,
        }
    }

    /// The head record; known from the start, since a fill begins when the head has arrived.
    pub fn head(&self) -> &Arc<M> {
        &self.shared.head
    }

    /// Length of the whole body, when it was announced or has arrived. Ranges need it.
    pub fn complete_len(&self) -> Option<u64> {
        self.shared.complete_len()
    }

    /// Bytes that have arrived so far.
    pub fn arrived_len(&self) -> u64 {
        self.shared.arrived_len()
    }

    /// Whether others read the same fill.
    pub(super) fn is_followed(&self) -> bool {
        self.shared.readers() > 1
    }

    /// Whether it reads that fill.
    pub(super) fn reads(&self, fill: &Arc<Shared<M>>) -> bool {
        Arc::ptr_eq(&self.shared, fill)
    }

    /// Goes on at `range` instead. A start that has not arrived yet is waited for; what lies beyond the
    /// end of the body is left out.
    pub fn seek(&mut self, range: Range<u64>) {
        self.position = range.start;
        self.end = range.end;
    }

    /// The next bytes, waiting for them if need be; `None` at the end of the range or body. Dropping
    /// the future loses nothing.
    ///
    /// # Errors
    /// [`ReadError::Aborted`] after the last byte that arrived, [`ReadError::Lagged`] when the bytes
    /// at this position are gone.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        self.next_piece(u64::MAX).await
    }

    /// [`Self::next_chunk`] of at most `most` bytes.
    ///
    /// # Errors
    /// As [`Self::next_chunk`].
    pub async fn next_piece(&mut self, most: u64) -> Result<Option<Bytes>, ReadError> {
        loop {
            // Registered before looking, so that bytes that arrive between the look and the wait
            // still wake this reader.
            let shared = &self.shared;
            let arrived = shared.arrived.notified();
            if self.position >= self.end {
                return Ok(None);
            }
            match shared.find(self.position, most.min(self.end - self.position))? {
                Found::Bytes(bytes) => {
                    self.position += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Found::End => return Ok(None),
                Found::Pending => arrived.await,
            }
        }
    }

    /// Waits until the writer has finished or given up.
    pub async fn ended(&self) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.shared.has_ended() {
                return;
            }
            arrived.await;
        }
    }
}

impl<M> Drop for FillReader<M> {
    fn drop(&mut self) {
        self.shared.drop_reader();
    }
}

impl<M> std::fmt::Debug for FillReader<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FillReader")
            .field("position", &self.position)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
