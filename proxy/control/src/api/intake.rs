//! Bodies of requests as they come: small ones in memory, others in a file without a name in the data directory, hashed on the
//! way, so that an upload of seventy million bytes holds none of them in memory (CP-033).
//!
//! Whoever sends much takes one of a few places for as long as the call lasts. Who has proven by the head of the request who
//! they are has places of their own, which nobody takes who may turn out to be a stranger.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read as _, Seek as _},
    net::IpAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fourfront_store::Store;
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
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
/// How many of the places for others one network has at most, so that it cannot hold all of them.
const PLACES_OF_ONE: usize = 2;
/// Networks that are remembered before those that hold nothing are forgotten.
const NETWORKS: usize = 64;
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
    /// The disk does not take it. Why is in the log: who sends it may be anybody.
    #[error("the body cannot be kept")]
    Disk,
}

impl BodyFault {
    /// The status of the answer.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::Broken(_) => 400,
            Self::Busy => 503,
            Self::Disk => 500,
        }
    }

    /// The code that goes with it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "RequestEntityTooLargeException",
            Self::Broken(_) => "MalformedInput",
            Self::Busy => "ServiceUnavailable",
            Self::Disk => "InternalError",
        }
    }
}

/// Where bodies come in.
#[derive(Debug)]
pub(super) struct Intake {
    known: Arc<Semaphore>,
    others: Arc<Semaphore>,
    /// The part of `others` that each network has.
    networks: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// Whose body comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    /// Whether they are proven to be who they say.
    pub(super) is_known: bool,
    /// Where those come from who are not.
    pub(super) network: Option<IpAddr>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            known: Arc::new(Semaphore::new(PLACES)),
            others: Arc::new(Semaphore::new(PLACES)),
            networks: Mutex::default(),
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
    _place: Option<Place>,
}

/// A place, and what its network has of them.
#[derive(Debug)]
struct Place {
    _place: OwnedSemaphorePermit,
    _of_network: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Held {
    Memory(Bytes),
    Disk(File),
}

impl Intake {
    /// Reads at most `limit` bytes.
    pub(super) async fn receive<B>(
        &self,
        store: &Store,
        body: B,
        limit: usize,
        sender: Sender,
    ) -> Result<Received, BodyFault>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let reading = self.read(sender, store, body, limit);
        match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(read) => read,
            Err(_) => Err(BodyFault::Broken("it takes too long".to_owned())),
        }
    }

    /// A place for a large body, as soon as there is one.
    async fn place(&self, sender: Sender) -> Result<Place, BodyFault> {
        let of_network = sender.network.filter(|_| !sender.is_known);
        let of_network = of_network.map(|network| {
            let mut networks = self.networks.lock();
            if networks.len() >= NETWORKS {
                networks.retain(|_, places| Arc::strong_count(places) > 1);
            }
            let places = networks.entry(network);
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(PLACES_OF_ONE))))
        });
        let places = match sender.is_known {
            true => &self.known,
            false => &self.others,
        };
        let taking = async {
            let _of_network = match of_network {
                Some(places) => Some(places.acquire_owned().await.ok()?),
                None => None,
            };
            let _place = Arc::clone(places).acquire_owned().await.ok()?;
            Some(Place {
                _place,
                _of_network,
            })
        };
        let taken = tokio::time::timeout(PATIENCE, taking).await;
        taken.ok().flatten().ok_or(BodyFault::Busy)
    }

    async fn read<B>(
        &self,
        sender: Sender,
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
        let mut disk: Option<(tokio::fs::File, Place)> = None;
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
                let place = self.place(sender).await?;
                let file = store.scratch();
                let file = file.map_err(|e| not_kept(&e))?;
                let mut file = tokio::fs::File::from_std(file);
                let before = std::mem::take(&mut memory);
                let written = file.write_all(&before).await;
                written.map_err(|e| not_kept(&e))?;
                disk = Some((file, place));
            }
            if let Some((file, _)) = &mut disk {
                let written = file.write_all(&data).await;
                written.map_err(|e| not_kept(&e))?;
            }
        }
        let (held, place) = match disk {
            None => (Held::Memory(memory.freeze()), None),
            Some((mut file, place)) => {
                let flushed = file.flush().await;
                flushed.map_err(|e| not_kept(&e))?;
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

/// What the disk said goes to who runs the node.
fn not_kept(e: &dyn std::fmt::Display) -> BodyFault {
    tracing::error!("the body of a request to the admin endpoint cannot be kept: {e}");
    BodyFault::Disk
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fourfront_store::Options;
    use tempfile::TempDir;

    use super::*;

    /// Who is known, or somebody in a network.
    fn sender(network: Option<u8>) -> Sender {
        Sender {
            is_known: network.is_none(),
            network: network.map(|last| Ipv4Addr::new(192, 0, 2, last).into()),
        }
    }

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
            let received = intake
                .receive(&store, body, len, sender(Some(1)))
                .await
                .unwrap();
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
        let refused = intake
            .receive(&store, longer, IN_MEMORY, sender(Some(1)))
            .await;
        assert_eq!(refused.unwrap_err(), BodyFault::TooLarge(IN_MEMORY));
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_is_told_and_holds_no_place() {
        // CP-033, CP-564
        let (dir, store) = store();
        let partial = dir.path().join("blobs/tmp");
        std::fs::remove_dir(&partial).unwrap();
        let intake = Intake::default();
        let send = async |len| {
            let (body, _) = body(len);
            intake.receive(&store, body, len, sender(None)).await
        };
        for _ in 0..2 * PLACES {
            assert_eq!(send(IN_MEMORY + 1).await.unwrap_err(), BodyFault::Disk);
        }
        assert!(send(IN_MEMORY).await.is_ok(), "needs no disk");
        std::fs::create_dir(&partial).unwrap();
        assert!(send(IN_MEMORY + 1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_take_turns() {
        // CP-033
        let (_dir, store) = store();
        let intake = Intake::default();
        let receive = |network| {
            let (body, _) = body(IN_MEMORY + 1);
            intake.receive(&store, body, IN_MEMORY + 1, sender(network))
        };
        let mut held = Vec::new();
        for place in 0..PLACES {
            let network = u8::try_from(place / PLACES_OF_ONE).unwrap();
            held.push(receive(Some(network)).await.unwrap());
        }
        assert_eq!(receive(Some(99)).await.unwrap_err(), BodyFault::Busy);
        // Small ones need no place, and who is known has others.
        let (small, _) = body(IN_MEMORY);
        assert!(
            intake
                .receive(&store, small, IN_MEMORY, sender(Some(99)))
                .await
                .is_ok()
        );
        assert!(receive(None).await.is_ok());
        held.pop();
        assert!(receive(Some(99)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_holds_two_places_and_no_more() {
        // CP-033, CP-420
        let (_dir, store) = store();
        let intake = Intake::default();
        let receive = |network| {
            let (body, _) = body(IN_MEMORY + 1);
            intake.receive(&store, body, IN_MEMORY + 1, sender(network))
        };
        let mut held = Vec::new();
        for _ in 0..PLACES_OF_ONE {
            held.push(receive(Some(1)).await.unwrap());
        }
        assert_eq!(receive(Some(1)).await.unwrap_err(), BodyFault::Busy);
        assert!(receive(Some(2)).await.is_ok());
        held.pop();
        assert!(receive(Some(1)).await.is_ok());
        // Who is known is not counted so.
        let known: Vec<_> = [(); PLACES].iter().map(|()| receive(None)).collect();
        let mut all = Vec::new();
        for one in known {
            all.push(one.await.unwrap());
        }
        // Networks that hold nothing are forgotten.
        for network in 0..200 {
            receive(Some(network)).await.unwrap();
        }
        assert!(intake.networks.lock().len() <= NETWORKS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        // CP-010
        let (_dir, store) = store();
        let (_send, pieces) = mpsc::channel(1);
        let intake = Intake::default();
        let refused = intake
            .receive(&store, Pieces::new(pieces), 10, sender(Some(1)))
            .await;
        assert!(matches!(refused, Err(BodyFault::Broken(_))));
    }
}
