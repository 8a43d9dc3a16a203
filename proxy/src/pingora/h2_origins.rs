//! Connections to origins on HTTP/2, each of which carries many gRPC calls (CF-327, CF-410).
//!
//! Pingora's sessions send a whole request before they look at the answer, so calls, which stream both ways at once, cannot go
//! through them. Here the frames' library is driven itself, over connections that are made like all others ([`super::dial`]).
//!
//! - Calls share connections: a new one goes to the first connection that has room, and another connection is made when none
//!   has. There are at most [`MOST_LINES`] to one place under one name, with [`MOST_STREAMS`] calls each, or as many as the
//!   origin allows; beyond that a call waits, for as long as connecting may take (CF-390). One connection is made at a time.
//! - A new connection carries one call until the origin has said how many it allows: it answers a PING after it has.
//! - One that has carried nothing for the keep-alive timeout is closed (CF-395).
//! - After a GOAWAY, or when the connection breaks, calls that come later go elsewhere. What runs on it runs to its end where the
//!   origin lets it.
//!
//! Each worker has its own. What a call has not taken of an answer is bounded by the window of its stream, and the window of a
//! connection has room for those of all its streams, so one that takes nothing holds up no other.

use std::{
    collections::HashMap,
    fmt, io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Ping, PingPong, SendStream,
    client::{Connection, ResponseFuture, SendRequest},
};
use http::Request;
use parking_lot::Mutex;
use pingora::{
    Error, ErrorType, Result,
    protocols::{ALPN, l4::socket::SocketAddr},
    upstreams::peer::{HttpPeer, Peer as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{sleep, timeout},
};

use super::{dial::Dialler, turn::Turn};

/// Calls that share a connection.
const MOST_STREAMS: usize = 64;

/// Connections of a worker to one place under one name.
const MOST_LINES: usize = 256;

/// What an origin may send of a body before it is taken.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// As much for each stream of a connection.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;

/// What waits in the library of a request that the origin has not taken.
const SEND_BUFFER: usize = 128 * 1024;

/// How long a new connection waits to hear how many streams may be.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// How long the end of a connection may take.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Where a connection goes, and as whom the origin there has shown itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    address: SocketAddr,
    server_name: String,
    /// Who vouches for it.
    authority: u64,
}

/// A worker's connections.
pub(super) struct H2Origins {
    dialler: Arc<Dialler>,
    pools: Mutex<HashMap<Key, Arc<Pool>>>,
}

/// A request that is on its way.
pub(super) struct Sent {
    /// The answer, when it comes.
    pub(super) response: ResponseFuture,
    /// The request's body.
    pub(super) body: SendStream<Bytes>,
    /// Whether the connection was there before.
    pub(super) reused: bool,
    /// To be kept as long as the request lasts.
    pub(super) place: Place,
}

impl H2Origins {
    /// None yet.
    pub(super) fn new(dialler: Arc<Dialler>) -> Self {
        Self {
            dialler,
            pools: Mutex::default(),
        }
    }

    /// Sends the head of a request to a peer that is reached by TLS; `ends`: it has no body. `max_fields`: what the fields of an answer may have,
    /// in bytes.
    ///
    /// # Errors
    /// Those of connecting, also when there is no room in time, and when the origin does not speak HTTP/2.
    pub(super) async fn send(
        &self,
        peer: &HttpPeer,
        request: &Request<()>,
        ends: bool,
        max_fields: u32,
    ) -> Result<Sent> {
        let pool = self.pool(peer);
        let within = peer.connection_timeout().unwrap_or(Duration::MAX);
        let keep_alive = peer.idle_timeout().unwrap_or_default();
        let sending = async {
            loop {
                let dial = || self.begin(peer, &pool, keep_alive, max_fields);
                let (place, mut sender) = pool.place(dial).await?;
                let reused = place.reused;
                match sender.send_request(request.clone(), ends) {
                    Ok((response, body)) => {
                        return Ok(Sent {
                            response,
                            body,
                            reused,
                            place,
                        });
                    }
                    // It has ended, or is about to: nothing was sent.
                    Err(_) if reused => place.line.close(),
                    Err(e) => {
                        return Error::e_because(ErrorType::ConnectError, "a new connection", e);
                    }
                }
            }
        };
        match timeout(within, sending).await {
            Ok(sent) => sent,
            Err(_) => Error::e_explain(ErrorType::ConnectTimedout, "no connection has room"),
        }
    }

    /// A new connection.
    async fn begin(
        &self,
        peer: &HttpPeer,
        pool: &Arc<Pool>,
        keep_alive: Duration,
        max_fields: u32,
    ) -> Result<Arc<Line>> {
        let stream = self.dial(peer).await?;
        Line::begin(stream, pool, keep_alive, max_fields).await
    }

    async fn dial(&self, peer: &HttpPeer) -> Result<pingora::protocols::Stream> {
        let mut peer = peer.clone();
        peer.options.alpn = ALPN::H2;
        let stream = self.dialler.dial(&peer).await?;
        if stream.selected_alpn_proto() != Some(ALPN::H2) {
            let why = "the origin does not agree to HTTP/2 (ALPN)";
            return Error::e_explain(ErrorType::TLSHandshakeFailure, why);
        }
        Ok(stream)
    }

    fn pool(&self, peer: &HttpPeer) -> Arc<Pool> {
        let key = Key {
            address: peer._address.clone(),
            server_name: peer.sni.clone(),
            authority: peer.group_key,
        };
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(&key) {
            return pool.clone();
        }
        // A new place is rare enough to look after the old ones.
        pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.state.lock().lines.is_empty());
        pools.entry(key).or_default().clone()
    }
}

impl fmt::Debug for H2Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H2Origins").finish_non_exhaustive()
    }
}

/// The connections to one place.
#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    /// Whoever waits for room looks again.
    changed: Notify,
}

#[derive(Default)]
struct State {
    lines: Vec<Arc<Line>>,
    is_dialling: bool,
}

/// What is to be done for room.
enum Next {
    Enter(Place, SendRequest<Bytes>),
    Dial,
    Wait,
}

impl Pool {
    /// A place on a connection, on one that `dial` makes if need be.
    async fn place<F>(&self, dial: impl Fn() -> F) -> Result<(Place, SendRequest<Bytes>)>
    where
        F: Future<Output = Result<Arc<Line>>>,
    {
        loop {
            // From here on, no change is missed.
            let changed = self.changed.notified();
            match self.next() {
                Next::Enter(place, sender) => return Ok((place, sender)),
                Next::Wait => changed.await,
                Next::Dial => {
                    let dialling = Dialling(self);
                    let line = dial().await?;
                    let entered = Line::enter(&line, false);
                    self.state.lock().lines.push(line);
                    drop(dialling);
                    if let Some(entered) = entered {
                        return Ok(entered);
                    }
                }
            }
        }
    }

    fn next(&self) -> Next {
        let mut state = self.state.lock();
        state.lines.retain(|line| !line.is_closed());
        let mut lines = state.lines.iter();
        if let Some((place, sender)) = lines.find_map(|line| Line::enter(line, true)) {
            return Next::Enter(place, sender);
        }
        let is_unsettled = state.lines.iter().any(|line| !line.state.lock().is_settled);
        if state.is_dialling || is_unsettled || state.lines.len() >= MOST_LINES {
            return Next::Wait;
        }
        state.is_dialling = true;
        Next::Dial
    }
}

/// A connection that is being made.
struct Dialling<'a>(&'a Pool);

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_dialling = false;
        self.0.changed.notify_waiters();
    }
}

/// A connection.
struct Line {
    state: Mutex<LineState>,
    /// Wakes the connection's task when calls have come or gone.
    moved: Notify,
    pool: Weak<Pool>,
}

struct LineState {
    /// None once no more calls may come.
    sender: Option<SendRequest<Bytes>>,
    streams: usize,
    /// Whether the origin has said how many there may be.
    is_settled: bool,
}

impl Line {
    /// Speaks HTTP/2 on a new connection, which is driven by a task of its own from then on.
    async fn begin<S>(
        stream: S,
        pool: &Arc<Pool>,
        keep_alive: Duration,
        max_fields: u32,
    ) -> Result<Arc<Self>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = h2::client::Builder::new()
            .enable_push(false)
            .max_header_list_size(max_fields)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            // What an origin has sent for a call before it hears that it was given up is no fault of its own. Past a number
            // of such frames, viewers who give up calls would end a connection that others' are on.
            .max_local_error_reset_streams(None)
            .handshake(InTurns::new(stream));
        let (sender, mut connection) = handshake
            .await
            .map_err(|e| Error::because(ErrorType::InvalidH2, "HTTP/2 with the origin", e))?;
        let pings = connection.ping_pong();
        let line = Arc::new(Self {
            state: Mutex::new(LineState {
                sender: Some(sender),
                streams: 0,
                is_settled: false,
            }),
            moved: Notify::new(),
            pool: Arc::downgrade(pool),
        });
        tokio::spawn(drive(connection, pings, line.clone(), keep_alive));
        Ok(line)
    }

    /// A place for one more, if there is room.
    fn enter(line: &Arc<Self>, reused: bool) -> Option<(Place, SendRequest<Bytes>)> {
        let mut state = line.state.lock();
        let sender = state.sender.as_ref()?;
        let room = match state.is_settled {
            true => sender.current_max_send_streams().min(MOST_STREAMS),
            false => 1,
        };
        if state.streams >= room {
            return None;
        }
        let sender = sender.clone();
        state.streams += 1;
        drop(state);
        line.moved.notify_one();
        let place = Place {
            line: line.clone(),
            reused,
        };
        Some((place, sender))
    }

    fn is_closed(&self) -> bool {
        self.state.lock().sender.is_none()
    }

    /// No more calls come. The connection ends when those that run have.
    fn close(&self) {
        self.state.lock().sender = None;
        self.has_changed();
    }

    fn settle(&self) {
        self.state.lock().is_settled = true;
        self.has_changed();
    }

    fn has_changed(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.changed.notify_waiters();
        }
    }

    /// Waits until there was no call for `keep_alive`, and lets none come after that.
    async fn idle(&self, keep_alive: Duration) {
        loop {
            // A call that comes or goes meanwhile has left word.
            if self.state.lock().streams > 0 {
                self.moved.notified().await;
                continue;
            }
            tokio::select! {
                () = self.moved.notified() => {}
                () = sleep(keep_alive) => {
                    let mut state = self.state.lock();
                    if state.streams == 0 {
                        state.sender = None;
                        return;
                    }
                }
            }
        }
    }
}

/// Drives a connection until it ends, and sees that it does when nobody needs it.
async fn drive<S>(
    mut connection: Connection<InTurns<S>, Bytes>,
    pings: Option<PingPong>,
    line: Arc<Line>,
    keep_alive: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let heard = async {
        if let Some(mut pings) = pings {
            // An origin that does not answer is none that cares for how many there are.
            let _ = timeout(SETTLED_WITHIN, pings.ping(Ping::opaque())).await;
        }
        line.settle();
        line.idle(keep_alive).await;
    };
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = heard => None,
    };
    line.close();
    let ended = match ended {
        Some(ended) => ended,
        // It says goodbye now that nobody can send on it.
        None => timeout(GONE_WITHIN, connection).await.unwrap_or(Ok(())),
    };
    if let Err(e) = ended {
        tracing::debug!("a connection to an origin on HTTP/2 ends: {e}");
    }
}

/// A connection that lets those on it take what has come before it reads more.
struct InTurns<S> {
    inner: S,
    turn: Turn,
}

impl<S> InTurns<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            turn: Turn::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InTurns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.turn.poll(cx));
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.turn.took(buf.filled().len().saturating_sub(before));
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InTurns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A call's place on a connection.
pub(super) struct Place {
    line: Arc<Line>,
    reused: bool,
}

impl Place {
    /// Lets no more calls go where this one was not answered: a connection that has died in silence tells nobody.
    pub(super) fn distrust(&self) {
        self.line.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.line.state.lock();
        state.streams = state.streams.saturating_sub(1);
        drop(state);
        self.line.moved.notify_one();
        self.line.has_changed();
    }
}

#[cfg(test)]
mod tests;
