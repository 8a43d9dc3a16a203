//! Segments on their way from the origin.
//!
//! Whoever wants a segment that is not stored claims it, and fetches it; whoever comes later reads what arrives, as it
//! arrives, so requests wait for each other where they want the same part (CF-406). A claim that is dropped unfinished fails its readers, and the next of them claims it anew. After a segment is
//! complete it stays here until it can be found where it is stored ([`Settling`]).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::key::{CacheKey, KeyHashing};

/// The segments that arrive, by where they will be stored. `F` is why one does not.
#[derive(Debug)]
pub struct Arriving<F>(Arc<Table<F>>);

#[derive(Debug)]
struct Table<F>(Mutex<HashMap<CacheKey, Arc<Piece<F>>, KeyHashing>>);

impl<F> Table<F> {
    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<Piece<F>>, KeyHashing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, key: &CacheKey, piece: &Arc<Piece<F>>) {
        let mut table = self.lock();
        if table.get(key).is_some_and(|now| Arc::ptr_eq(now, piece)) {
            table.remove(key);
        }
    }
}

impl<F> Clone for Arriving<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F> Default for Arriving<F> {
    fn default() -> Self {
        Self(Arc::new(Table(Mutex::default())))
    }
}

impl<F> Arriving<F> {
    /// The segment that arrives under a key.
    pub fn get(&self, key: &CacheKey) -> Option<Arc<Piece<F>>> {
        self.0.lock().get(key).cloned()
    }

    /// The caller is to bring a segment; `None` when somebody else does, or when `stored` says that it is there by now.
    pub fn claim(
        &self,
        key: CacheKey,
        length: u64,
        stored: impl FnOnce() -> bool,
    ) -> Option<Arrival<F>> {
        let mut table = self.0.lock();
        // What arrived is stored before it is forgotten here, so under the lock the answer holds.
        if table.contains_key(&key) || stored() {
            return None;
        }
        let piece = Arc::new(Piece {
            length,
            state: Mutex::new(State {
                chunks: Vec::new(),
                arrived: 0,
                ended: None,
            }),
            changed: Notify::new(),
        });
        table.insert(key, piece.clone());
        Some(Arrival {
            table: self.0.clone(),
            key,
            piece: Some(piece),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A segment as far as it has arrived.
pub struct Piece<F> {
    length: u64,
    state: Mutex<State<F>>,
    changed: Notify,
}

struct State<F> {
    /// As they came; one when it is complete.
    chunks: Vec<Bytes>,
    arrived: u64,
    ended: Option<End<F>>,
}

enum End<F> {
    Complete,
    /// `None` when the claim was dropped.
    Failed(Option<Arc<F>>),
}

impl<F> fmt::Debug for Piece<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Piece")
            .field("length", &self.length)
            .field("arrived", &state.arrived)
            .field("ended", &state.ended.is_some())
            .finish_non_exhaustive()
    }
}

/// A segment does not arrive, and why; nothing is known when whoever fetched it has gone.
#[derive(Debug)]
pub struct PieceError<F>(pub Option<Arc<F>>);

impl<F> Piece<F> {
    fn lock(&self) -> MutexGuard<'_, State<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the first bytes are there.
    ///
    /// # Errors
    /// [`PieceError`] when none will be.
    pub async fn begun(&self) -> Result<(), PieceError<F>> {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if state.arrived > 0 {
                    return Ok(());
                }
                match &state.ended {
                    Some(End::Failed(why)) => return Err(PieceError(why.clone())),
                    Some(End::Complete) => return Ok(()),
                    None => {}
                }
            }
            changed.await;
        }
    }
}

/// Follows a segment while it arrives.
pub struct PieceReader<F> {
    piece: Arc<Piece<F>>,
    /// The next byte.
    at: u64,
    /// A chunk at or before it, and where that begins.
    chunk: usize,
    start: u64,
}

impl<F> fmt::Debug for PieceReader<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceReader")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl<F> PieceReader<F> {
    /// From that byte of the segment on.
    pub const fn new(piece: Arc<Piece<F>>, at: u64) -> Self {
        Self {
            piece,
            at,
            chunk: 0,
            start: 0,
        }
    }

    /// The next bytes, at most `most` of them; `None` at the end of the segment. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`PieceError`] after the last byte that arrived.
    pub async fn next(&mut self, most: u64) -> Result<Option<Bytes>, PieceError<F>> {
        let piece = self.piece.clone();
        loop {
            let changed = piece.changed.notified();
            {
                let state = piece.lock();
                if let Some(bytes) = self.take(&state, most) {
                    return Ok(Some(bytes));
                }
                match &state.ended {
                    Some(End::Complete) => return Ok(None),
                    Some(End::Failed(why)) => return Err(PieceError(why.clone())),
                    None => {}
                }
            }
            changed.await;
        }
    }

    fn take(&mut self, state: &State<F>, most: u64) -> Option<Bytes> {
        let (start, chunk) = match &state.ended {
            Some(End::Complete) => (0, state.chunks.first()?),
            _ => {
                // Chunks are only added until it is complete, so this reader's is where it was, or behind that.
                while let Some(chunk) = state.chunks.get(self.chunk) {
                    let end = self.start + chunk.len() as u64;
                    if self.at < end {
                        break;
                    }
                    self.start = end;
                    self.chunk += 1;
                }
                (self.start, state.chunks.get(self.chunk)?)
            }
        };
        let offset = usize::try_from(self.at.checked_sub(start)?).ok()?;
        let left = chunk.len().checked_sub(offset).filter(|left| *left > 0)?;
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(left);
        self.at += length as u64;
        Some(chunk.slice(offset..offset + length))
    }
}

/// The duty to bring a segment. Dropped, the segment has failed for no known reason.
#[derive(Debug)]
pub struct Arrival<F> {
    table: Arc<Table<F>>,
    key: CacheKey,
    /// `None` once it has ended.
    piece: Option<Arc<Piece<F>>>,
}

impl<F> Arrival<F> {
    /// Where it will be stored.
    pub const fn key(&self) -> &CacheKey {
        &self.key
    }

    /// How many bytes are still missing.
    pub fn left(&self) -> u64 {
        self.piece
            .as_ref()
            .map_or(0, |piece| piece.length - piece.lock().arrived)
    }

    /// Takes the next bytes; what is beyond the segment's end is left in `bytes`. True once it is complete.
    pub fn take(&mut self, bytes: &mut Bytes) -> bool {
        let Some(piece) = &self.piece else {
            return true;
        };
        let mut state = piece.lock();
        let left = piece.length - state.arrived;
        let now = bytes.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
        if !now.is_empty() {
            state.arrived += now.len() as u64;
            state.chunks.push(now);
        }
        let complete = state.arrived == piece.length;
        drop(state);
        piece.changed.notify_waiters();
        complete
    }

    /// It is complete. Its body in one, and what keeps it here until it is stored; `None` if it is not.
    pub fn complete(mut self) -> Option<(Bytes, Settling<F>)> {
        let piece = self.piece.take()?;
        let mut state = piece.lock();
        if state.arrived != piece.length {
            drop(state);
            self.piece = Some(piece);
            return None;
        }
        let body = match &*state.chunks {
            [one] => one.clone(),
            chunks => {
                let mut body =
                    BytesMut::with_capacity(usize::try_from(piece.length).unwrap_or_default());
                chunks
                    .iter()
                    .for_each(|chunk| body.extend_from_slice(chunk));
                body.freeze()
            }
        };
        state.chunks = vec![body.clone()];
        state.ended = Some(End::Complete);
        drop(state);
        piece.changed.notify_waiters();
        let settling = Settling {
            table: self.table.clone(),
            key: self.key,
            piece,
        };
        Some((body, settling))
    }

    /// It does not arrive.
    pub fn fail(mut self, why: Arc<F>) {
        self.end(Some(why));
    }

    fn end(&mut self, why: Option<Arc<F>>) {
        let Some(piece) = self.piece.take() else {
            return;
        };
        // Forgotten first: whoever is told of the end may claim it at once.
        self.table.forget(&self.key, &piece);
        piece.lock().ended = Some(End::Failed(why));
        piece.changed.notify_waiters();
    }
}

impl<F> Drop for Arrival<F> {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// A complete segment on its way to where it is stored. Readers find it here until this is dropped.
#[derive(Debug)]
pub struct Settling<F> {
    table: Arc<Table<F>>,
    key: CacheKey,
    piece: Arc<Piece<F>>,
}

impl<F> Drop for Settling<F> {
    fn drop(&mut self) {
        self.table.forget(&self.key, &self.piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey::from_bytes([1; 16]);

    fn claim(arriving: &Arriving<&'static str>, length: u64) -> Option<Arrival<&'static str>> {
        arriving.claim(KEY, length, || false)
    }

    #[tokio::test]
    async fn a_segment_is_brought_by_one_and_read_by_all_as_it_arrives() {
        // CF-400, CF-406
        let arriving = Arriving::default();
        let mut arrival = claim(&arriving, 5).expect("nobody has it");
        assert!(claim(&arriving, 5).is_none());
        let piece = arriving.get(&KEY).unwrap();
        let mut from_start = PieceReader::new(piece.clone(), 0);
        let mut from_middle = PieceReader::new(piece.clone(), 3);
        let mut bytes = Bytes::from_static(b"ab");
        assert!(!arrival.take(&mut bytes));
        assert!(bytes.is_empty());
        piece.begun().await.unwrap();
        assert_eq!(from_start.next(9).await.unwrap().unwrap(), "ab");
        let waiting = tokio::spawn(async move { from_middle.next(1).await.unwrap() });
        tokio::task::yield_now().await;
        let mut bytes = Bytes::from_static(b"cdefg");
        assert!(arrival.take(&mut bytes));
        assert_eq!(bytes, "fg", "the next segment's");
        assert_eq!(waiting.await.unwrap().unwrap(), "d");
        let (body, settling) = arrival.complete().expect("all of it");
        assert_eq!(body, "abcde");
        assert_eq!(from_start.next(2).await.unwrap().unwrap(), "cd");
        assert_eq!(from_start.next(2).await.unwrap().unwrap(), "e");
        assert!(from_start.next(2).await.unwrap().is_none());
        // Until it is stored it is still here.
        assert!(claim(&arriving, 5).is_none());
        drop(settling);
        assert!(arriving.is_empty());
        assert!(arriving.claim(KEY, 5, || true).is_none(), "it is stored");
    }

    #[tokio::test]
    async fn a_segment_that_fails_can_be_claimed_anew() {
        // CF-404
        let arriving = Arriving::default();
        let mut arrival = claim(&arriving, 5).unwrap();
        let piece = arriving.get(&KEY).unwrap();
        let mut reader = PieceReader::new(piece.clone(), 0);
        arrival.take(&mut Bytes::from_static(b"ab"));
        arrival.fail(Arc::new("origin"));
        assert_eq!(reader.next(9).await.unwrap().unwrap(), "ab");
        let PieceError(why) = reader.next(9).await.unwrap_err();
        assert_eq!(why.as_deref(), Some(&"origin"));

        let dropped = claim(&arriving, 5).expect("nobody has it any more");
        let piece = arriving.get(&KEY).unwrap();
        drop(dropped);
        let PieceError(why) = piece.begun().await.unwrap_err();
        assert!(why.is_none());
        let unfinished = claim(&arriving, 5).unwrap();
        assert!(unfinished.complete().is_none());
        assert!(arriving.is_empty());
    }

    #[tokio::test]
    async fn a_reader_begins_anywhere() {
        // CF-532
        for at in 0..=6 {
            let arriving = Arriving::default();
            let mut arrival = claim(&arriving, 6).unwrap();
            let mut reader = PieceReader::new(arriving.get(&KEY).unwrap(), at);
            let reading = tokio::spawn(async move {
                let mut all = Vec::new();
                while let Some(bytes) = reader.next(2).await.unwrap() {
                    all.extend_from_slice(&bytes);
                }
                all
            });
            for chunk in [&b"a"[..], b"bcd", b"ef"] {
                tokio::task::yield_now().await;
                arrival.take(&mut Bytes::from_static(chunk));
            }
            let _settling = arrival.complete().unwrap();
            let from = usize::try_from(at).unwrap();
            assert_eq!(reading.await.unwrap(), b"abcdef"[from..], "{at}");
        }
    }
}
