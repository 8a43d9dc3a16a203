//! Requests on HTTP/1.1 that need no origin, answered on the viewer's connection itself.
//!
//! Pingora's session, cache and proxy are made for a request that goes somewhere: for each they make a session, maps of
//! header fields in two casings, a record and a dozen boxed futures, and send head and body in writes of their own.
//! A response that is in memory, or that a function makes, needs none of it: one read, the flow's own steps, one
//! write of a head that was rendered when the object was stored. So a connection belongs to [`Direct`], which reads
//! the head of a request and answers if a fresh object or a viewer-request function is all that it takes. Everything
//! else is handed to Pingora with the bytes of its head in front of the stream and the state reached so far in its
//! context ([`crate::flow`]: *Lookup*), and the connection comes back after the answer.
//!
//! What is handed on without being judged: other methods, bodies, conditions and ranges, upgrades, HTTP/1.0, and
//! whatever is doubtful or refused. There is one place that refuses requests.
//!
//! A request behind another one in the buffer is answered after it (RFC 9112 section 9.3.2), unless the first has a body:
//! that goes to Pingora with all that was read, and it closes the connection when more was read than that.
//!
//! Pingora gives a connection up for which it has made an answer to a failed fetch. Where nothing is wrong with the
//! connection, it is taken back before that ([`Landing`], CF-783), as it is when it becomes a WebSocket.

mod answer;
mod connection;
mod h2;
mod opening;
mod outlet;
mod refusal;
mod request;
mod secure;
mod unread;
mod untext;
mod wire;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pingora::{
    apps::{HttpServerApp as _, ServerApp},
    protocols::{Stream, http::ServerSession},
    proxy::HttpProxy,
    server::ShutdownWatch,
};
use tokio::time::Instant;

use super::{Edge, Filters, context::Ctx};
use crate::{node::InFlight, tls::TlsFacts};
use answer::Answer;
use connection::{Connection, MAX_BUFFERED, Read};
pub(super) use h2::{Handed, Shared};
pub(super) use outlet::Outlet;
use outlet::{Landed, Landing};
use request::{Parsed, Scratch, asks_for_upgrade, parse};
use secure::Secured;
pub(super) use wire::{is_own, put_field, put_status};

/// A way to a viewer whose request may be answered here.
pub(super) trait Way: Send {
    /// The viewer's address.
    fn viewer(&self) -> SocketAddr;

    /// The address it has connected to.
    fn server(&self) -> Option<IpAddr>;

    /// The handshake of its connection, on HTTPS.
    fn tls(&self) -> Option<&Arc<TlsFacts>>;

    /// Where the head of the answer is written, as on HTTP/1.1.
    fn out(&mut self) -> &mut Vec<u8>;

    /// Sends the head and the pieces of the body that `next` gives, and says how many bytes of these were sent.
    fn send(
        &mut self,
        next: impl FnMut() -> Option<Bytes> + Send,
    ) -> impl Future<Output = (u64, io::Result<()>)> + Send;
}

/// Viewers' connections.
pub(super) struct Direct {
    edge: Arc<Edge>,
    proxy: Arc<HttpProxy<Filters>>,
    open: Arc<InFlight>,
    streams: Arc<InFlight>,
    is_secure: bool,
}

impl Direct {
    /// Connections whose other requests `proxy` answers, with the same edge behind it; counted in `open` while they last, and in `streams` if they are on HTTP/2.
    /// `is_secure`: whether they begin with a TLS handshake.
    pub(super) const fn new(
        edge: Arc<Edge>,
        proxy: Arc<HttpProxy<Filters>>,
        open: Arc<InFlight>,
        streams: Arc<InFlight>,
        is_secure: bool,
    ) -> Self {
        Self {
            edge,
            proxy,
            open,
            streams,
            is_secure,
        }
    }

    async fn serve(&self, stream: Stream, tls: Option<Arc<TlsFacts>>, shutdown: &ShutdownWatch) {
        let mut connection = Connection::new(stream, tls);
        let mut scratch = Scratch::default();
        let mut since = Instant::now();
        loop {
            // Requests in the buffer are as good as any, but others get their turn.
            tokio::task::consume_budget().await;
            let parsed = if connection.buffer.is_empty() {
                Parsed::Partial
            } else {
                parse(&mut connection.buffer, &mut scratch)
            };
            let (head, begun) = match parsed {
                Parsed::Partial if connection.buffer.len() < MAX_BUFFERED => {
                    let within_head = !connection.buffer.is_empty();
                    if connection.read(since, within_head).await == Read::Over {
                        return;
                    }
                    if !within_head {
                        since = Instant::now();
                    }
                    continue;
                }
                Parsed::Partial | Parsed::Other => (None, None),
                Parsed::Head(head) => {
                    let keep_alive = !*shutdown.borrow();
                    match self.edge.answer(&mut connection, &head, keep_alive).await {
                        Answer::Sent(true) => {
                            scratch.recycle(head);
                            since = Instant::now();
                            continue;
                        }
                        Answer::Sent(false) => {
                            connection.close().await;
                            return;
                        }
                        Answer::NotHere(begun) => (Some(head), begun),
                    }
                }
            };
            // What follows the head belongs to the next request, or to what this one becomes.
            let prefix = match head {
                Some(head) => {
                    let prefix = BytesMut::from(&*head.raw);
                    scratch.recycle(head);
                    prefix
                }
                None => {
                    let whole = connection.buffer.len();
                    let end = asks_for_upgrade(&connection.buffer).unwrap_or(whole);
                    connection.buffer.split_to(end)
                }
            };
            match self
                .hand_on(connection.stream, prefix, begun, shutdown)
                .await
            {
                Some(Landed::Idle(stream)) => {
                    connection.stream = stream;
                    since = Instant::now();
                }
                Some(Landed::Socket(socket, stream)) => {
                    let early = connection.buffer.freeze();
                    drop((scratch, connection.out));
                    socket.carry(stream, early).await;
                    return;
                }
                None => return,
            }
        }
    }

    /// Lets Pingora answer the request that `prefix` begins; the stream comes back when another may follow, or as a WebSocket.
    async fn hand_on(
        &self,
        stream: Stream,
        mut prefix: BytesMut,
        begun: Option<Box<Ctx>>,
        shutdown: &ShutdownWatch,
    ) -> Option<Landed> {
        let landing = Landing::default();
        let outlet = Outlet::new(stream)
            .unread(self.edge.clone())
            .target(untext::escape(&mut prefix))
            .landing(landing.clone());
        let mut session = ServerSession::new_http1(Box::new(outlet));
        // As Pingora itself begins a connection; the request's own wish comes on top.
        session.set_keepalive((!*shutdown.borrow()).then_some(60));
        session.set_pipelined_prefix(prefix);
        if let Some(begun) = begun {
            session.set_connection_user_context(Some(begun));
        }
        match self.proxy.process_new_http(session, shutdown).await {
            Some(reused) => {
                let (stream, _) = reused.consume();
                Outlet::unwrap(stream).map(Landed::Idle)
            }
            None => landing.take(),
        }
    }
}

#[async_trait]
impl ServerApp for Direct {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let _open = self.open.enter();
        let node = self.edge.node();
        let most = node.snapshot().settings().load.max_connections;
        let Some(_taken_on) = node.load().connection(most) else {
            refusal::refuse(stream, node, self.is_secure, most.unwrap_or_default()).await;
            return None;
        };
        let mut stream = stream;
        let (has_header, is_h2_clear) = {
            let snapshot = node.snapshot();
            let viewers = &snapshot.settings().viewers;
            (viewers.proxy_protocol, viewers.h2_cleartext)
        };
        if has_header {
            stream = opening::take_proxy_header(stream, node).await?;
        }
        if !self.is_secure && is_h2_clear {
            let (begun, is_h2) = opening::begins_with_preface(stream, node).await?;
            if is_h2 {
                self.serve_h2(begun, None, shutdown).await;
                return None;
            }
            stream = begun;
        }
        if !self.is_secure {
            self.serve(stream, None, shutdown).await;
            return None;
        }
        let secured = Secured::accept(stream, node).await?;
        let facts = secured.facts().clone();
        if secured.is_h2() {
            self.serve_h2(Box::new(secured), Some(facts), shutdown)
                .await;
            return None;
        }
        self.serve(Box::new(secured), Some(facts), shutdown).await;
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
