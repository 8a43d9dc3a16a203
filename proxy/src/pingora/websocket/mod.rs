//! WebSocket (CF section 4.8, RFC 6455): a request that asks for one passes all steps of the flow up to the origin's answer, and
//! if that is a 101, the two connections become one.
//!
//! Pingora is needed once, for the handshake; what opens then is carried without it. The origin's connection is kept
//! back where the 101 is read ([`handshake`]); the viewer's turns up again in [`super::direct`], which had handed it to
//! Pingora; between the two, [`relay`] passes on bytes.
//!
//! A WebSocket is counted as a request in flight: a node that stops waits for it as long as for any, and then cuts it off.
//! Whichever way it ends, its record is written then (CF-409).

mod handshake;
mod relay;

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use fourfront_cache::Reason;
use fourfront_model::OriginKind;
use fourfront_origin::{OriginFault, failover::Failed, request::is_named, response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use pingora::{
    Error, Result,
    http::{RequestHeader, ResponseHeader},
    protocols::Stream,
    proxy::Session,
};

use super::{
    Edge, REFETCH, SWITCHED,
    context::{Ctx, Pending},
    deliver::{add_node_fields, apply_policy, ctx_internal, hide},
    direct::{Outlet, put_field, put_status},
    headers::{append_lines, lines},
    record::{Ended, Sent},
    viewer_side,
};
use crate::{
    flow::{BodyPlan, Fetch, Flow, Lookup, Served},
    tls::TlsFacts,
};
use handshake::Outcome;
pub(super) use handshake::{Handshake, Opened};
use relay::{End, Passed, relay};

/// Fields of a request without which an origin opens nothing.
const NEEDED: [HeaderName; 2] = [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION];

/// Whether one of the elements of a list is `token`, in any case.
fn has_token(value: &HeaderValue, token: &str) -> bool {
    let mut elements = value.as_bytes().split(|b| *b == b',');
    elements.any(|element| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether a request is the first half of a handshake (RFC 6455 section 4.2.1). HTTP/2 has another one, which nobody is offered
/// (CF-408).
pub(super) fn is_asked_for(request: &RequestHeader) -> bool {
    let says = |name: HeaderName, token| {
        let mut values = request.headers.get_all(name).iter();
        values.any(|value| has_token(value, token))
    };
    request.version == Version::HTTP_11
        && request.method == Method::GET
        && NEEDED.iter().all(|name| request.headers.contains_key(name))
        && says(header::UPGRADE, "websocket")
        && says(header::CONNECTION, "upgrade")
}

/// Takes note of a handshake that may be passed on, which then has nothing to do with the cache (CF-409): the behaviour
/// has what it needs forwarded, to an origin that can answer. Otherwise the request is a GET like any other (CF-408).
pub(super) fn heed(lookup: &mut Lookup) -> Option<Arc<Handshake>> {
    let route = &lookup.exchange.route;
    let is_forwarded = NEEDED
        .iter()
        .all(|name| is_named(route.behavior(), name.as_str()));
    let origin = lookup.exchange.assigned_origin();
    if !is_forwarded || !matches!(origin.kind, OriginKind::Custom(_)) {
        return None;
    }
    // The words are a closed list, and this is the one for requests of a kind that is never stored.
    lookup.bypass = Some(Reason::Method);
    lookup.reason = Reason::Method;
    Some(Arc::new(Handshake::default()))
}

/// The handshake, if the request goes out as one: functions may have taken out what it needs, or turned to another origin.
pub(super) fn sent<'h>(
    handshake: Option<&'h Arc<Handshake>>,
    fetch: &Fetch,
) -> Option<&'h Arc<Handshake>> {
    let has = |name: &HeaderName| fetch.request.lines.iter().any(|l| l.name == *name);
    handshake
        .filter(|_| matches!(fetch.origin.kind, OriginKind::Custom(_)) && NEEDED.iter().all(has))
}

/// Makes the request to the origin into the first half of a handshake.
pub(super) fn ask(wire: &mut RequestHeader) -> Result<()> {
    wire.insert_header("Connection", "Upgrade")?;
    wire.insert_header("Upgrade", "websocket")
}

impl Edge {
    /// Looks at what an origin has said to a handshake, when its answer seems to be there.
    ///
    /// # Errors
    /// When that is not an answer like any other: what ends the fetch, for [`Self::hand_over`] where it has opened a
    /// WebSocket.
    pub(super) fn heed_answer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
        let Some(handshake) = &ctx.handshake else {
            return Ok(());
        };
        match handshake.take() {
            Outcome::Ordinary => Ok(()),
            Outcome::Opened(opened) => {
                self.note_latency(ctx);
                ctx.pending = Some(Pending::Opened(Box::new(opened)));
                Err(Error::new(SWITCHED).into_up())
            }
            Outcome::Invalid(cause) => {
                let fault = OriginFault::InvalidResponse {
                    cause: cause.to_owned(),
                };
                if self.fails_over(session, ctx, Failed::Fault(&fault)) {
                    return Err(Error::new(REFETCH).into_up());
                }
                Err(self.fetch_over(session, ctx, fault))
            }
        }
    }

    /// Takes a request that has opened a WebSocket out of Pingora's hands: what is left to it is an exchange that is over.
    /// No function sees the answer (LE-045).
    ///
    /// # Errors
    /// When the viewer's connection is none that can be taken.
    pub(super) fn hand_over(&self, session: &Session, ctx: &mut Ctx, opened: Opened) -> Result<()> {
        let not_here = || ctx_internal(&"a WebSocket on a connection that cannot be had");
        let downstream = session.as_downstream();
        let h1 = downstream.as_http1().ok_or_else(not_here)?;
        let edge = self.shared().ok_or_else(not_here)?;
        let fetch = ctx.flow.take_fetch().map_err(|e| ctx_internal(&e))?;
        let behavior = fetch.exchange.route.behavior();
        let mut fields = response::received(opened.lines, behavior, &fetch.origin);
        // RFC 9110 section 8.6, RFC 9112 section 6.1: it has no body.
        fields.retain(|l| l.name != header::CONTENT_LENGTH && l.name != header::TRANSFER_ENCODING);
        let mut store = fetch.answered(BodyPlan::Relay);
        store.origin_status = Some(StatusCode::SWITCHING_PROTOCOLS);
        let outcome = store.outcome();
        let exchange = store.exchange.clone();
        let mut head = ResponseHeader::build(101, Some(fields.len() + 8))?;
        append_lines(&mut head, &fields).map_err(|e| ctx_internal(&e))?;
        hide(&mut head, ctx, &exchange);
        apply_policy(&mut head, session, ctx, &exchange, Served::Miss)?;
        add_node_fields(&mut head, &exchange, Served::Miss, Some(&outcome))?;
        ctx.record.outcome = Some(outcome);
        ctx.record.served = Some(Served::Miss);
        ctx.flow = Flow::Deliver(Box::new(store.deliver()));

        let request = session.req_header();
        let rest = Ctx::new(self.node().in_flight().enter());
        let begun = std::mem::replace(ctx, rest);
        ctx.handed_over = true;
        let socket = Socket {
            origin: opened.stream,
            head: head_bytes(&head),
            early: opened.early,
            method: request.method.clone(),
            target: Bytes::copy_from_slice(request.raw_path()),
            host: request.headers.get(header::HOST).cloned(),
            peer: session.client_addr().and_then(|a| a.as_inet()).copied(),
            headers: request.headers.clone(),
            head_received: viewer_side::head_bytes(session),
            tls: viewer_side::tls(session).cloned(),
            passed: Passed::default(),
            ctx: begun,
            edge,
        };
        match Outlet::hand_over(h1.stream(), Box::new(socket)) {
            Ok(()) => Ok(()),
            Err(_) => Err(not_here()),
        }
    }
}

/// A 101 as it goes to the viewer.
fn head_bytes(head: &ResponseHeader) -> Bytes {
    let mut out = Vec::with_capacity(512);
    put_status(&mut out, 101, head.get_reason_phrase());
    for line in lines(head) {
        put_field(&mut out, &line.key, line.value.as_bytes());
    }
    put_field(&mut out, b"Upgrade", b"websocket");
    put_field(&mut out, b"Connection", b"Upgrade");
    out.extend_from_slice(b"\r\n");
    out.into()
}

/// An open WebSocket, but for the viewer's connection. Its record is written when it is dropped.
pub(super) struct Socket {
    origin: Stream,
    /// The viewer's 101.
    head: Bytes,
    /// What the origin has said since its own.
    early: Bytes,
    method: Method,
    target: Bytes,
    host: Option<HeaderValue>,
    peer: Option<SocketAddr>,
    /// The viewer's fields.
    headers: HeaderMap,
    /// Bytes of the viewer's head.
    head_received: u64,
    tls: Option<Arc<TlsFacts>>,
    /// So far, with the head.
    passed: Passed,
    ctx: Ctx,
    edge: Arc<Edge>,
}

impl Socket {
    /// Carries it until it ends (CF-399). `early`: what the viewer has sent behind its request.
    pub(super) async fn carry(mut self, mut viewer: Stream, early: Bytes) {
        let idle = {
            let snapshot = self.edge.node().snapshot();
            snapshot.settings().viewers.websocket_idle_timeout
        };
        let mut first = BytesMut::with_capacity(self.head.len() + self.early.len());
        first.extend_from_slice(&self.head);
        first.extend_from_slice(&std::mem::take(&mut self.early));
        let early = (early, first.freeze());
        let (origin, passed) = (&mut self.origin, &mut self.passed);
        match relay(&mut viewer, origin, early, idle, passed).await {
            End::Closed => {}
            End::Idle => self.note("nothing has come from the origin for too long".to_owned()),
            End::Broken(error) => self.note(format!("the connection broke: {error}")),
        }
    }

    fn note(&mut self, error: String) {
        self.ctx.record.error = Some(error);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ended = Ended {
            method: &self.method,
            target: &self.target,
            host: self.host.as_ref(),
            peer: self.peer,
            version: Version::HTTP_11,
            tls: self.tls.as_ref(),
            status: 101,
            served: Served::Miss,
            bytes: self.passed.to_viewer.saturating_sub(self.head.len() as u64),
            websocket_bytes: Some(self.passed.to_origin),
            viewer_headers: &self.headers,
            head_received: self.head_received,
            body_received: self.passed.to_origin,
            sent: Sent::Written(self.head.len() as u64, None),
        };
        self.edge.ended(&ended, &mut self.ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_known_by_all_that_belongs_to_it() {
        // CF-408, RFC 6455 section 4.2.1
        let all = [
            ("Upgrade", "foo/2, WebSocket"),
            ("Connection", "keep-alive, upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let request = |method: &str, version, fields: &[(&'static str, &str)]| {
            let mut request = RequestHeader::build(method, b"/", None).unwrap();
            request.set_version(version);
            for (name, value) in fields {
                request.append_header(*name, *value).unwrap();
            }
            is_asked_for(&request)
        };
        assert!(request("GET", Version::HTTP_11, &all));
        assert!(!request("POST", Version::HTTP_11, &all));
        assert!(!request("GET", Version::HTTP_10, &all));
        assert!(!request("GET", Version::HTTP_2, &all));
        for left_out in 0..all.len() {
            let mut rest = all.to_vec();
            rest.remove(left_out);
            assert!(!request("GET", Version::HTTP_11, &rest), "{rest:?}");
        }
        let mut other = all;
        other[0].1 = "websockets";
        assert!(!request("GET", Version::HTTP_11, &other));
    }
}
