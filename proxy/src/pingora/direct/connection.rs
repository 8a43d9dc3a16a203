//! A viewer's connection: bytes in, bytes out, and how long it may take.

use std::{
    future::{Future as _, poll_fn},
    io::{self, IoSlice},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use pingora::protocols::Stream;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite as _},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::Way;
use crate::tls::TlsFacts;

/// How long a connection may be silent between two requests. nginx's `keepalive_timeout`.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a head may take from its first byte to its last. nginx's `client_header_timeout`.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a viewer may take nothing of what it is sent. nginx's `send_timeout`.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the end of a connection may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Bytes read at a time, and the most that are kept of a head that is not complete: past them Pingora's way decides.
const READ_SIZE: usize = 4096;
pub(super) const MAX_BUFFERED: usize = 64 * 1024;

/// A connection on which nothing is under way but what its owner does.
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// What was read and not used yet.
    pub(super) buffer: BytesMut,
    /// The head of an answer, while it is written.
    pub(super) out: Vec<u8>,
    pub(super) viewer: SocketAddr,
    pub(super) server: Option<IpAddr>,
    /// The handshake it began with, on HTTPS.
    pub(super) tls: Option<Arc<TlsFacts>>,
    timer: Timer,
}

/// The viewer's address and the one it has connected to. A connection without addresses comes from the node itself.
pub(super) fn addresses(stream: &Stream) -> (SocketAddr, Option<IpAddr>) {
    let socket = stream.get_socket_digest();
    let ip = |address: Option<&pingora::protocols::l4::socket::SocketAddr>| {
        address.and_then(|a| a.as_inet()).copied()
    };
    let viewer = ip(socket.as_ref().and_then(|s| s.peer_addr()));
    let server = ip(socket.as_ref().and_then(|s| s.local_addr()));
    let nobody = || SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    (viewer.unwrap_or_else(nobody), server.map(|a| a.ip()))
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// There are more bytes in the buffer.
    Bytes,
    /// The viewer has gone, or has taken too long.
    Over,
}

impl Connection {
    /// A connection whose peer is known from `stream`.
    pub(super) fn new(stream: Stream, tls: Option<Arc<TlsFacts>>) -> Self {
        let (viewer, server) = addresses(&stream);
        Self {
            stream,
            buffer: BytesMut::new(),
            out: Vec::with_capacity(1024),
            viewer,
            server,
            tls,
            timer: Timer(Box::pin(sleep_until(Instant::now() + IDLE_TIMEOUT))),
        }
    }

    /// Reads what has arrived, waiting for it if need be: between requests for [`IDLE_TIMEOUT`] from `since`, within a
    /// head for [`HEAD_TIMEOUT`].
    pub(super) async fn close(&mut self) {
        // TLS says goodbye, and that must not take long.
        let _ = timeout(CLOSED_WITHIN, self.stream.shutdown()).await;
    }

    pub(super) async fn read(&mut self, since: Instant, within_head: bool) -> Read {
        let limit = if within_head {
            HEAD_TIMEOUT
        } else {
            IDLE_TIMEOUT
        };
        self.buffer.reserve(READ_SIZE);
        let mut reading = pin!(self.stream.read_buf(&mut self.buffer));
        let timer = &mut self.timer;
        let read = poll_fn(|cx| match reading.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(read.unwrap_or(0)),
            Poll::Pending => timer.poll(cx, since + limit).map(|()| 0),
        });
        match read.await {
            0 => Read::Over,
            _ => Read::Bytes,
        }
    }

    async fn write(&mut self, head: usize, piece: &[u8]) -> io::Result<usize> {
        let Self {
            stream, timer, out, ..
        } = self;
        let parts = [IoSlice::new(&out[head..]), IoSlice::new(piece)];
        // A finished head needs no empty slice in front.
        let parts = if head == out.len() {
            &parts[1..]
        } else {
            &parts[..]
        };
        let mut deadline = None;
        poll_fn(|cx| {
            let written = Pin::new(&mut *stream).poll_write_vectored(cx, parts);
            timer.or_late(cx, written, &mut deadline)
        })
        .await
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Self { stream, timer, .. } = self;
        let mut deadline = None;
        poll_fn(|cx| {
            let flushed = Pin::new(&mut *stream).poll_flush(cx);
            timer.or_late(cx, flushed, &mut deadline)
        })
        .await
    }
}

impl Way for Connection {
    fn viewer(&self) -> SocketAddr {
        self.viewer
    }

    fn server(&self) -> Option<IpAddr> {
        self.server
    }

    fn tls(&self) -> Option<&Arc<TlsFacts>> {
        self.tls.as_ref()
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The first of the pieces goes out in one write with the head.
    ///
    /// # Errors
    /// When the viewer has gone, or has taken nothing for [`SEND_TIMEOUT`].
    async fn send(
        &mut self,
        mut next: impl FnMut() -> Option<Bytes> + Send,
    ) -> (u64, io::Result<()>) {
        let (mut head, mut sent) = (0, 0);
        let mut piece = next().unwrap_or_default();
        loop {
            while head < self.out.len() || !piece.is_empty() {
                let written = match self.write(head, &piece).await {
                    Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
                    Ok(written) => written,
                    Err(error) => return (sent, Err(error)),
                };
                let of_head = written.min(self.out.len() - head);
                head += of_head;
                piece.advance(written - of_head);
                sent += (written - of_head) as u64;
            }
            match next() {
                Some(another) => piece = another,
                None => break,
            }
        }
        (sent, self.flush().await)
    }
}

/// One timer for the life of a connection, which is moved only when it has run out or must run out earlier: a request
/// costs none.
struct Timer(Pin<Box<Sleep>>);

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.0.deadline() > deadline {
            self.0.as_mut().reset(deadline);
        }
        loop {
            ready!(self.0.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(deadline);
        }
    }

    /// What was polled, or an error when it has been pending for [`SEND_TIMEOUT`].
    fn or_late<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        deadline: &mut Option<Instant>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            return polled;
        }
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + SEND_TIMEOUT);
        ready!(self.poll(cx, deadline));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}
