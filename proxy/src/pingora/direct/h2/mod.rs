//! Viewers' connections on HTTP/2.
//!
//! Pingora has HTTP/2 of its own, which answers at the speed of its viewer: one who reads slowly would hold up the fill of
//! an object that others wait for. It also knows neither interim answers nor an answer's own date, and every hit would take
//! its long way. So the frames' library is driven here, and each stream is what a request on HTTP/1.1 is: answered from
//! memory ([`reply`]) if that is all it takes, carried to its origin if it is a gRPC call ([`grpc`]), or handed on to Pingora
//! behind its interface for protocols of others ([`session`]).
//!
//! What a connection may cost is bounded:
//!
//! - The library ends connections that send too many CONTINUATION frames, empty DATA frames, or streams that are reset
//!   before they are looked at (CVE-2023-44487, CVE-2024-27316), and answers 431 to fields beyond what it was told to take.
//!   It answers one PING or SETTINGS at a time, and reads no further before the answer is out.
//! - Streams that are reset while they are answered are counted here ([`Tally`]): a connection on which that is what happens
//!   most is ended.
//! - So is one that sends frames and frames and hardly a request ([`io::Metered`]).
//! - A connection that is ended for any of these stays in a [`tarpit`] for a while.
//! - A viewer that takes nothing loses its stream after [`SEND_TIMEOUT`](super::connection::SEND_TIMEOUT), and its connection when that does not move either.

mod grpc;
mod io;
mod reply;
mod request;
mod send;
mod session;
mod tarpit;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use pingora::{
    apps::HttpServerApp as _,
    protocols::{Digest, Stream, http::ServerSession},
    server::ShutdownWatch,
};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep_until, timeout},
};

use self::{
    grpc::{Call, host_of_call},
    io::Metered,
    reply::Reply,
    request::{Head, Read, read},
    session::Session,
};
use super::{
    Answer, Direct,
    connection::{HEAD_TIMEOUT, IDLE_TIMEOUT, addresses},
};
use crate::{node::Node, pingora::context::Ctx, tls::TlsFacts};
pub(in crate::pingora) use session::{Handed, Shared};

/// What a viewer may send of a body before somebody reads it, for each stream, and for all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What waits in the library of an answer that the viewer has not taken.
const SEND_BUFFER: usize = 128 * 1024;

/// Streams that may be reset by their viewer before that counts: browsers reset what is not looked at any more.
const RESETS_ALLOWED: u64 = 100;

/// How long the end of a connection may take, once it was told that it ends.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What is true of all streams of a connection.
pub(super) struct Peer {
    pub(super) viewer: SocketAddr,
    pub(super) server: Option<IpAddr>,
    pub(super) tls: Option<Arc<TlsFacts>>,
    node: Arc<Node>,
    digest: Arc<Digest>,
    tally: Arc<Tally>,
}

/// What has happened on a connection.
#[derive(Debug, Default)]
pub(super) struct Tally {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Of the streams that have ended: those that the viewer has reset.
    reset: AtomicU64,
    /// Bytes of bodies that were sent.
    sent: AtomicU64,
}

impl Tally {
    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// A stream was reset by its viewer.
    fn was_reset(&self) {
        self.reset.fetch_add(1, Ordering::Relaxed);
    }

    fn has_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        self.begun.load(Ordering::Relaxed) == self.ended.load(Ordering::Relaxed)
    }

    /// Whether resetting is what the viewer does.
    fn is_abused(&self) -> bool {
        let reset = self.reset.load(Ordering::Relaxed);
        let answered = self.ended.load(Ordering::Relaxed).saturating_sub(reset);
        reset > RESETS_ALLOWED && reset > answered
    }
}

/// How a connection has come to its end.
enum End {
    Done,
    /// For what was done on it.
    CutOff(&'static str),
}

/// Counts a stream as under way.
struct Begun(Arc<Tally>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Direct {
    /// Serves a connection on which HTTP/2 was agreed upon, or with which the viewer has begun.
    pub(super) async fn serve_h2(
        self: &Arc<Self>,
        stream: Stream,
        tls: Option<Arc<TlsFacts>>,
        shutdown: &ShutdownWatch,
    ) {
        let _open = self.streams.enter();
        let metrics = self.edge.node().metrics().clone();
        let (viewer, server) = addresses(&stream);
        let tally = Arc::new(Tally::default());
        let peer = Arc::new(Peer {
            viewer,
            server,
            tls,
            node: self.edge.node.clone(),
            digest: Arc::new(Digest {
                ssl_digest: stream.get_ssl_digest(),
                timing_digest: stream.get_timing_digest(),
                proxy_digest: stream.get_proxy_digest(),
                socket_digest: stream.get_socket_digest(),
            }),
            tally: tally.clone(),
        });
        let metered = Metered::new(stream, tally.clone());
        let (flooded, ending) = (metered.flooded(), metered.ending());
        let handshake = self.options().handshake::<_, Bytes>(metered);
        let Ok(Ok(mut connection)) = timeout(HEAD_TIMEOUT, handshake).await else {
            return;
        };
        let end = self.serve_streams(&mut connection, peer, shutdown).await;
        let reason = match end {
            _ if flooded.get() => Some("h2_flood"),
            End::Done => None,
            End::CutOff(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            metrics.connection_cut(reason);
            tarpit::hold(connection, &mut shutdown.clone()).await;
            return;
        }
        drop(connection);
        if let Some(mut stream) = ending.take() {
            let _ = timeout(GONE_WITHIN, stream.shutdown()).await;
        }
    }

    /// Answers what comes on a connection until it ends.
    async fn serve_streams(
        self: &Arc<Self>,
        connection: &mut h2::server::Connection<Metered, Bytes>,
        peer: Arc<Peer>,
        shutdown: &ShutdownWatch,
    ) -> End {
        let tally = peer.tally.clone();
        let mut stop = shutdown.clone();
        // When it is over, once it was told that it ends.
        let mut over_at = None;
        let mut idle_since = Instant::now();
        if *stop.borrow_and_update() {
            connection.graceful_shutdown();
            over_at = Some(Instant::now() + IDLE_TIMEOUT);
        }
        loop {
            let deadline = over_at.unwrap_or(idle_since + IDLE_TIMEOUT);
            let accepted = tokio::select! {
                biased;
                changed = stop.changed(), if over_at.is_none() => {
                    // What is under way is answered; the worker decides how long that may take.
                    connection.graceful_shutdown();
                    over_at = Some(Instant::now() + IDLE_TIMEOUT);
                    if changed.is_err() {
                        return End::Done;
                    }
                    continue;
                }
                accepted = connection.accept() => accepted,
                () = sleep_until(deadline) => {
                    if !tally.is_idle() {
                        // Its streams have timers of their own.
                        idle_since = Instant::now();
                        over_at = over_at.map(|_| idle_since + GONE_WITHIN);
                        continue;
                    }
                    if over_at.is_some() {
                        return End::Done;
                    }
                    connection.graceful_shutdown();
                    over_at = Some(Instant::now() + GONE_WITHIN);
                    continue;
                }
            };
            let (request, respond) = match accepted {
                Some(Ok(stream)) => stream,
                Some(Err(e)) => {
                    tracing::debug!("a connection on HTTP/2 ends: {e}");
                    return match e.reason() {
                        Some(Reason::ENHANCE_YOUR_CALM) if e.is_library() => {
                            End::CutOff("h2_abuse")
                        }
                        _ => End::Done,
                    };
                }
                None => return End::Done,
            };
            idle_since = Instant::now();
            if tally.is_abused() {
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                let ends = async { while let Some(Ok(_)) = connection.accept().await {} };
                let _ = timeout(GONE_WITHIN, ends).await;
                return End::CutOff("h2_resets");
            }
            tally.begin();
            let begun = Begun(tally.clone());
            let (this, peer, shutdown) = (self.clone(), peer.clone(), shutdown.clone());
            tokio::spawn(async move {
                let (parts, body) = request.into_parts();
                this.answer_h2(parts, body, respond, peer, &shutdown).await;
                drop(begun);
            });
        }
    }

    fn options(&self) -> h2::server::Builder {
        let snapshot = self.edge.node().snapshot();
        let settings = snapshot.settings();
        // Somewhat more than a request may have, so that it is refused as one on HTTP/1.1 is (CF-360).
        let fields = settings.limits.max_header_bytes.saturating_mul(2);
        let mut options = h2::server::Builder::new();
        options
            .max_concurrent_streams(settings.viewers.h2_streams)
            .max_header_list_size(u32::try_from(fields).unwrap_or(u32::MAX))
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER);
        options
    }

    async fn answer_h2(
        &self,
        parts: http::request::Parts,
        mut body: RecvStream,
        mut respond: SendResponse<Bytes>,
        peer: Arc<Peer>,
        shutdown: &ShutdownWatch,
    ) {
        let head = match read(parts, &mut body).await {
            Read::Head(head) => head,
            Read::Malformed => {
                respond.send_reset(Reason::PROTOCOL_ERROR);
                return;
            }
            Read::Gone => {
                peer.tally.was_reset();
                return;
            }
        };
        if let Some((host, snapshot)) = host_of_call(&head, &peer) {
            let has_body = head.has_body;
            let head = head.into_viewer_head(host);
            let call = Call::new(&self.edge, peer, head, has_body, respond);
            call.carry(&snapshot, body).await;
            return;
        }
        let (head, begun): (Head, Option<Box<Ctx>>) = match head.host_here() {
            Some(host) => {
                let viewer_head = head.into_viewer_head(host);
                let mut reply = Reply::new(&mut respond, &peer);
                match self.edge.answer(&mut reply, &viewer_head, true).await {
                    Answer::Sent(_) => return,
                    Answer::NotHere(begun) => (viewer_head.into(), begun),
                }
            }
            None => (head, None),
        };
        let session = match Session::new(head, begun, body, respond, peer) {
            Ok(session) => session,
            Err(e) => {
                tracing::debug!("a request on HTTP/2 cannot be served: {e}");
                return;
            }
        };
        let session = ServerSession::new_custom(Box::new(session));
        self.proxy.process_new_http(session, shutdown).await;
    }
}
