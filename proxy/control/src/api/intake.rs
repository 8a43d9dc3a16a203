//! Bodies of requests as they come: small ones in memory, others in a file without a name in the data directory, hashed on the
//! way, so that an upload of seventy million bytes holds none of them in memory (CP-033).
//!
//! Whoever sends much takes one of a few places for as long as the call lasts. Who has proven by the head of the request who
//! they are has places of their own, which nobody takes who may turn out to be a stranger.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read as _, Seek as _},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fourfront_store::Store;
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::AsyncWriteExt as _,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::remote::{Outgoing, Pieces};

/// Bytes of a body that are held in memory. With all of the listener's connections that is 128 MiB.
const IN_MEMORY: usize = 256 << 10;
/// Bodies on the disk at the same time, of callers who are known and of others: with the code that is taken out of them a
/// gigabyte for each of the two.
const PLACES: usize = 8;
/// How long a body waits for a place, before its sender is told to try again.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a body may take to come, so that a caller who stops sending holds nothing.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes that are read from the disk at once.
const PIECE: usize = 64 << 10;

/// Why a body was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is longer than was allowed.
    #[error("the body has more than {0} bytes (CP-010)")]
    TooLarge(usize),
    /// It broke off.
    #[error("the body cannot be read: {0}")]
    Broken(String),
    /// Too many large ones come at the same time.
    #[error("{PLACES} large requests are being read already: try again (CP-033)")]
    Busy,
    /// The disk does not take it.
    #[error("the body cannot be kept: {0}")]
    Disk(String),
}

impl BodyFault {
    /// The status of the answer.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::Broken(_) => 400,
            Self::Busy => 503,
            Self::Disk(_) => 500,
        }
    }

    /// The code that goes with it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "RequestEntityTooLargeException",
            Self::Broken(_) => "MalformedInput",
            Self::Busy => "ServiceUnavailable",
            Self::Disk(_) => "InternalError",
        }
    }
}

/// Where bodies come in.
#[derive(Debug)]
pub(super) struct Intake {
    known: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(PLACES)),
            others: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

/// A body that has come.
#[derive(Debug)]
pub struct Received {
    held: Held,
    len: usize,
    sha256: [u8; 32],
    /// Its place, given back when the call is over.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Held {
    Memory(Bytes),
    Disk(File),
}

impl Intake {
    /// Reads at most `limit` bytes. `is_known` is whether the sender is proven to be who they say.
    pub(super) async fn receive<B>(
        &self,
        store: &Store,
        body: B,
        limit: usize,
        is_known: bool,
    ) -> Result<Received, BodyFault>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let places = match is_known {
            true => &self.known,
            false => &self.others,
        };
        let reading = read(places, store, body, limit);
        match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(read) => read,
            Err(_) => Err(BodyFault::Broken("it takes too long".to_owned())),
        }
    }
}

async fn read<B>(
    places: &Arc<Semaphore>,
    store: &Store,
    body: B,
    limit: usize,
) -> Result<Received, BodyFault>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = pin!(body);
    let mut hash = Sha256::new();
    let (mut memory, mut len) = (BytesMut::new(), 0usize);
    let mut disk: Option<(tokio::fs::File, OwnedSemaphorePermit)> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| BodyFault::Broken(e.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        len += data.len();
        if len > limit {
            return Err(BodyFault::TooLarge(limit));
        }
        hash.update(&data);
        if disk.is_none() && len <= IN_MEMORY {
            memory.extend_from_slice(&data);
            continue;
        }
        if disk.is_none() {
            let waiting = Arc::clone(places).acquire_owned();
            let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, waiting).await else {
                return Err(BodyFault::Busy);
            };
            let file = store.scratch();
            let file = file.map_err(|e| BodyFault::Disk(e.to_string()))?;
            let mut file = tokio::fs::File::from_std(file);
            let before = std::mem::take(&mut memory);
            let written = file.write_all(&before).await;
            written.map_err(|e| BodyFault::Disk(e.to_string()))?;
            disk = Some((file, place));
        }
        if let Some((file, _)) = &mut disk {
            let written = file.write_all(&data).await;
            written.map_err(|e| BodyFault::Disk(e.to_string()))?;
        }
    }
    let (held, place) = match disk {
        None => (Held::Memory(memory.freeze()), None),
        Some((mut file, place)) => {
            let flushed = file.flush().await;
            flushed.map_err(|e| BodyFault::Disk(e.to_string()))?;
            (Held::Disk(file.into_std().await), Some(place))
        }
    };
    Ok(Received {
        held,
        len,
        sha256: hash.finalize().into(),
        _place: place,
    })
}

impl Received {
    /// One that came with these bytes.
    #[cfg(test)]
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self {
            len: bytes.len(),
            sha256: Sha256::digest(&bytes).into(),
            held: Held::Memory(bytes),
            _place: None,
        }
    }

    /// The SHA-256 of the body.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Its length, in bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The body from its beginning. One reader at a time.
    ///
    /// # Errors
    /// The disk.
    pub fn reader(&self) -> io::Result<Box<dyn BufRead + Send>> {
        Ok(match &self.held {
            Held::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Held::Disk(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Box::new(BufReader::with_capacity(PIECE, file))
            }
        })
    }

    /// All of it in memory, for what is known to be small enough.
    ///
    /// # Errors
    /// The disk.
    pub fn bytes(&self) -> io::Result<Bytes> {
        if let Held::Memory(bytes) = &self.held {
            return Ok(bytes.clone());
        }
        let mut all = Vec::new();
        self.reader()?.read_to_end(&mut all)?;
        Ok(all.into())
    }

    /// As the body of a request.
    pub(super) fn into_body(self) -> Outgoing {
        if let Held::Memory(bytes) = &self.held {
            let body = Full::new(bytes.clone());
            return body.map_err(|never| match never {}).boxed_unsync();
        }
        let (send, pieces) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            let mut reader = match self.reader() {
                Ok(reader) => reader,
                Err(e) => {
                    let _ = send.blocking_send(Err(e));
                    return;
                }
            };
            loop {
                let mut piece = vec![0; PIECE];
                let read = match reader.read(&mut piece) {
                    Ok(0) => return,
                    Ok(read) => {
                        piece.truncate(read);
                        Ok(Bytes::from(piece))
                    }
                    Err(e) => Err(e),
                };
                let ends = read.is_err();
                if send.blocking_send(read).is_err() || ends {
                    return;
                }
            }
        });
        Pieces::new(pieces).boxed_unsync()
    }
}

#[cfg(test)]
mod tests {
    use fourfront_store::Options;
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        (dir, store)
    }

    fn body(len: usize) -> (Full<Bytes>, Bytes) {
        let bytes: Bytes = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        (Full::new(bytes.clone()), bytes)
    }

    #[tokio::test]
    async fn large_bodies_are_on_the_disk_and_the_same() {
        // CP-033
        let (_dir, store) = store();
        let intake = Intake::default();
        for len in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY] {
            let (body, bytes) = body(len);
            let received = intake.receive(&store, body, len, false).await.unwrap();
            let is_on_disk = matches!(received.held, Held::Disk(_));
            assert_eq!(is_on_disk, len > IN_MEMORY);
            assert_eq!(*received.sha256(), <[u8; 32]>::from(Sha256::digest(&bytes)));
            for _ in 0..2 {
                assert_eq!(received.bytes().unwrap(), bytes);
            }
            let sent = received.into_body().collect().await.unwrap();
            assert_eq!(sent.to_bytes(), bytes);
        }
        let (longer, _) = body(IN_MEMORY + 1);
        let refused = intake.receive(&store, longer, IN_MEMORY, false).await;
        assert_eq!(refused.unwrap_err(), BodyFault::TooLarge(IN_MEMORY));
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_take_turns() {
        // CP-033
        let (_dir, store) = store();
        let intake = Intake::default();
        let receive = |known| {
            let (body, _) = body(IN_MEMORY + 1);
            intake.receive(&store, body, IN_MEMORY + 1, known)
        };
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(receive(false).await.unwrap());
        }
        assert_eq!(receive(false).await.unwrap_err(), BodyFault::Busy);
        // Small ones need no place, and who is known has others.
        let (small, _) = body(IN_MEMORY);
        assert!(
            intake
                .receive(&store, small, IN_MEMORY, false)
                .await
                .is_ok()
        );
        assert!(receive(true).await.is_ok());
        held.pop();
        assert!(receive(false).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        // CP-010
        let (_dir, store) = store();
        let (_send, pieces) = mpsc::channel(1);
        let intake = Intake::default();
        let refused = intake.receive(&store, Pieces::new(pieces), 10, false).await;
        assert!(matches!(refused, Err(BodyFault::Broken(_))));
    }
}
