//! What goes over the wire to an origin, or to the shield in its place: what no function sees is added here.

use fourfront_model::OriginKind;
use fourfront_origin::{
    request,
    signing::{self, Payload},
};
use http::{HeaderValue, Method};
use pingora::{Result, http::RequestHeader, proxy::Session};

use super::{
    Edge, context::Ctx, deliver::ctx_internal, headers::set_lines, request_body,
    viewer_side::has_body, websocket,
};
use crate::flow::Fetch;

impl Edge {
    /// `upstream_request_filter`: what goes on the wire replaces what Pingora derived from the viewer's
    /// request. Pingora would turn HEAD into GET to fill the cache; HEAD goes out as HEAD (CF-328, AMB-04).
    pub(super) fn wire_request(
        &self,
        session: &mut Session,
        wire: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        ctx.requested = Some(self.node().clock().now());
        let fetch = ctx.flow.fetch().map_err(|e| ctx_internal(&e))?;
        let replaced = ctx.body.replacement().map(|b| b.len() as u64);
        let mut finished = finished(fetch, replaced)?;
        let method = session.req_header().method.clone();
        let payload = match replaced {
            Some(0) => Payload::Empty,
            Some(_) => Payload::Replaced,
            None if has_body(session) => Payload::Viewers,
            None => Payload::Empty,
        };
        self.sign(&mut finished, &method, fetch, payload)?;
        let viewer = &session.req_header().headers;
        let to = (&method, &*finished.target);
        finished
            .headers
            .extend(self.sealed(fetch, to, Some(viewer))?);
        wire.set_method(method);
        wire.set_raw_path(&finished.target)?;
        set_lines(wire, &finished.headers).map_err(|e| ctx_internal(&e))?;
        if websocket::sent(ctx.handshake.as_ref(), fetch).is_some() {
            websocket::ask(wire)?;
        }
        if request_body::is_chunked_unseen(session, &ctx.body) {
            wire.insert_header("Transfer-Encoding", "chunked")?;
        }
        close_pipe(fetch, wire)
    }

    /// CF-434, where the origin has requests signed.
    fn sign(
        &self,
        request: &mut request::WireRequest,
        method: &Method,
        fetch: &Fetch,
        payload: Payload,
    ) -> Result<()> {
        let now = self.node().clock().now();
        signing::sign(request, method, fetch.goes_to(), payload, now).map_err(|e| ctx_internal(&e))
    }

    /// The request for a part of an object.
    pub(super) fn part_request(&self, fetch: &Fetch) -> Result<RequestHeader> {
        let mut finished = finished(fetch, None)?;
        self.sign(&mut finished, &Method::GET, fetch, Payload::Empty)?;
        let to = (&Method::GET, &*finished.target);
        finished.headers.extend(self.sealed(fetch, to, None)?);
        let mut wire = RequestHeader::build(Method::GET, &finished.target, None)?;
        set_lines(&mut wire, &finished.headers).map_err(|e| ctx_internal(&e))?;
        close_pipe(fetch, &mut wire)?;
        Ok(wire)
    }
}

/// The request of a fetch as it goes over the wire.
pub(super) fn finished(fetch: &Fetch, replaced_body: Option<u64>) -> Result<request::WireRequest> {
    let id = HeaderValue::from_str(fetch.exchange.request_id.as_str());
    let id = id.map_err(|e| ctx_internal(&e))?;
    let request = request::OriginRequest {
        path: fetch.request.path.clone(),
        query: fetch.request.query.clone(),
        headers: fetch.request.lines.clone(),
    };
    request::finish(request, fetch.goes_to(), &id, replaced_body).map_err(|e| ctx_internal(&e))
}

/// A pipe has no descriptor, by which Pingora's pool tells connections apart: it would complain of a broken one at each
/// attempt to use it again. A new pipe costs next to nothing.
fn close_pipe(fetch: &Fetch, wire: &mut RequestHeader) -> Result<()> {
    if matches!(fetch.goes_to().kind, OriginKind::Dir(_)) {
        wire.insert_header("Connection", "close")?;
    }
    Ok(())
}
