//! `GET /_fourfront/v1/backup` (CP-562, CP-615): a copy of the control state as it is read from the disk, while it is written to.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_store::Store;
use hyper::body::{Body, Frame};
use tokio::{
    runtime::Handle,
    sync::mpsc::{Receiver, Sender, channel},
    time::timeout,
};

/// Parts of a backup that wait for their reader.
const AHEAD: usize = 4;
/// The least that is sent at a time, in bytes: the archive is written in small pieces.
const PART: usize = 64 << 10;
/// How long a reader may rest. A copy keeps what it reads from being freed, so nobody may hold one forever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A backup as the body of an answer. It breaks off where the disk, or the reader's patience, does: what came by then has no
/// end, and no restoration takes it.
pub(super) struct Copy(Receiver<io::Result<Bytes>>);

impl Copy {
    /// Begins to read. Ends when the body is dropped.
    pub(super) fn of(store: Store, now: SystemTime) -> Self {
        let (sender, receiver) = channel(AHEAD);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut parts = Parts {
                sender,
                runtime,
                waiting: Vec::with_capacity(PART),
            };
            let now = now.duration_since(SystemTime::UNIX_EPOCH);
            let now = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
            let copied = store.backup(&mut parts, now).map_err(io::Error::other);
            let done = copied.and_then(|_| io::Write::flush(&mut parts));
            if let Err(e) = done {
                tracing::warn!("a backup broke off: {e}");
                // Who is gone need not be told.
                let _ = parts.send(Err(e));
            }
        });
        Self(receiver)
    }
}

impl Body for Copy {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let part = self.0.poll_recv(cx);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// Where the archive is written to.
struct Parts {
    sender: Sender<io::Result<Bytes>>,
    runtime: Handle,
    waiting: Vec<u8>,
}

impl Parts {
    fn send(&self, part: io::Result<Bytes>) -> io::Result<()> {
        let sent = self
            .runtime
            .block_on(async { timeout(PATIENCE, self.sender.send(part)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl io::Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.waiting) {
            none if none.is_empty() => Ok(()),
            part => self.send(Ok(part.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use fourfront_store::Options;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_copy_is_restored_and_half_of_one_is_not() {
        // CP-562, CP-615
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(from.path(), Options::default()).unwrap();
        let blob = store.blob_put(&vec![7; 300_000]).unwrap();
        let copy = Copy::of(store, SystemTime::UNIX_EPOCH);
        let bytes = copy.collect().await.unwrap().to_bytes();
        let half = fourfront_store::restore(&bytes[..bytes.len() / 2], to.path(), false);
        assert!(half.is_err());
        fourfront_store::restore(&*bytes, to.path(), false).unwrap();
        let restored = Store::open(to.path(), Options::default()).unwrap();
        assert!(restored.blob_has(&blob));
    }
}
