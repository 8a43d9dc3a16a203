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
//! A request behind another one in the buffer is answered after it (RFC 9112 section 9.3.2), unless the first went to
//! Pingora, which closes the connection then.

mod answer;
mod connection;
mod outlet;
mod request;
mod unread;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use pingora::{
    apps::{HttpServerApp as _, ServerApp},
    protocols::{ALPN, Stream, http::ServerSession},
    proxy::HttpProxy,
    server::ShutdownWatch,
};
use tokio::time::Instant;

use super::{Edge, Filters, context::Ctx};
use crate::node::InFlight;
use answer::Answer;
use connection::{Connection, MAX_BUFFERED, Read};
pub(super) use outlet::Outlet;
use request::{Parsed, Scratch, parse};
pub(super) use wire::{is_own, put_field, put_status};

/// Viewers' connections.
pub(super) struct Direct {
    edge: Arc<Edge>,
    proxy: Arc<HttpProxy<Filters>>,
    open: Arc<InFlight>,
}

impl Direct {
    /// Connections whose other requests `proxy` answers, with the same edge behind it; counted in `open` while they last.
    pub(super) const fn new(
        edge: Arc<Edge>,
        proxy: Arc<HttpProxy<Filters>>,
        open: Arc<InFlight>,
    ) -> Self {
        Self { edge, proxy, open }
    }

    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let mut connection = Connection::new(stream);
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
            let mut prefix = BytesMut::new();
            if let Some(head) = head {
                prefix.reserve(head.raw.len() + connection.buffer.len());
                prefix.extend_from_slice(&head.raw);
                scratch.recycle(head);
            }
            prefix.extend_from_slice(&connection.buffer);
            connection.buffer.clear();
            let Some(stream) = self
                .hand_on(connection.stream, prefix, begun, shutdown)
                .await
            else {
                return;
            };
            connection.stream = stream;
            since = Instant::now();
        }
    }

    /// Lets Pingora answer the request that `prefix` begins; the stream comes back when another may follow.
    async fn hand_on(
        &self,
        stream: Stream,
        prefix: BytesMut,
        begun: Option<Box<Ctx>>,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let mut session =
            ServerSession::new_http1(Box::new(Outlet::new(stream).unread(self.edge.clone())));
        // As Pingora itself begins a connection; the request's own wish comes on top.
        session.set_keepalive((!*shutdown.borrow()).then_some(60));
        session.set_pipelined_prefix(prefix);
        if let Some(begun) = begun {
            session.set_connection_user_context(Some(begun));
        }
        let reused = self.proxy.process_new_http(session, shutdown).await?;
        let (stream, _) = reused.consume();
        Outlet::unwrap(stream)
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
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            return self.proxy.process_new(stream, shutdown).await;
        }
        self.serve(stream, shutdown).await;
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
