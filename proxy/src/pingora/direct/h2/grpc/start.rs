//! A call up to the request that goes to the origin.

use std::{future::poll_fn, sync::Arc, time::Duration};

use fourfront_cache::Reason as CacheReason;
use fourfront_model::HeaderLine;
use fourfront_origin::{
    OriginFault,
    request::{Preconditions, RangeSent, WireRequest},
    select::SelectError,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header, uri,
};
use pingora::http::RequestHeader;

use super::Call;
use crate::{
    flow::{Fault, Flow, ViewerFacts, ViewerRequest, admit, is_reserved, staging, unjudged},
    node::Snapshot,
    pingora::{
        Edge, context::Ctx, deliver::internal, direct::answer::viewer_parts, h2_origins::Sent,
        headers::set_lines, origin_request::ToOrigin, origin_wire::finished, record::origin_fault,
        viewer_side::Asked,
    },
};

impl Call<'_> {
    /// Judges the call, has the viewer-request function see it, and sends its head to the origin; `ends`: it has no body.
    /// `None` when that was its end.
    pub(super) async fn start(&mut self, snapshot: &Arc<Snapshot>, ends: bool) -> Option<Sent> {
        if let Err(fault) = self.admit(snapshot) {
            self.fail(&fault).await;
            return None;
        }
        if !self.ask_viewer_request().await {
            return None;
        }
        self.invite();
        let wire = match self.fetch(ends) {
            Ok(wire) => wire,
            Err(fault) => {
                self.fail(&fault).await;
                return None;
            }
        };
        let respond = &mut self.respond;
        let sending = self.edge.send_call(&mut self.ctx, &wire, ends);
        let sent = tokio::select! {
            biased;
            _ = poll_fn(|cx| respond.poll_reset(cx)) => None,
            sent = sending => Some(sent),
        };
        match sent {
            Some(Ok(sent)) => Some(sent),
            Some(Err(fault)) => {
                self.fail(&fault).await;
                None
            }
            None => {
                self.viewer_left();
                None
            }
        }
    }

    /// CF-010 steps 1 to 9.
    fn admit(&mut self, snapshot: &Arc<Snapshot>) -> Result<(), Fault> {
        let node = self.edge.node();
        let facts = ViewerFacts {
            method: &self.head.method,
            target: &self.head.target,
            host: self.head.host(),
            version: Version::HTTP_2,
            headers: &self.head.headers,
            raw_head: &[],
            head_bytes: self.head.bytes,
            peer: self.peer.viewer,
            is_https: self.peer.tls.is_some(),
            tls: self.peer.tls.as_ref(),
            has_body: self.has_body_on_get,
            https_port: node.https_port(),
            draw: staging::draw,
            limits: &snapshot.settings().limits,
            now: node.clock().now(),
        };
        self.edge
            .take_on(&mut self.ctx, snapshot, &facts)
            .inspect_err(|_| node.metrics().refused("requests"))?;
        let refused = match admit(snapshot, &facts) {
            Ok(mut state) => {
                state.exchange.server = self.peer.server;
                self.ctx.flow = Flow::ViewerRequest(Box::new(state));
                None
            }
            // What is refused before it is known where it belongs is answered as from there: that is known here.
            Err(refusal) => {
                let (fault, exchange) = *refusal;
                let exchange = exchange.or_else(|| unjudged(snapshot, &facts));
                self.ctx.flow = exchange.map_or(Flow::Received, |exchange| {
                    Flow::ViewerRequest(Box::new(ViewerRequest { exchange }))
                });
                Some(fault)
            }
        };
        // CF-358
        let reserved = |name: &HeaderName| is_reserved(name.as_str());
        let names: Vec<HeaderName> = self
            .head
            .headers
            .keys()
            .filter(|n| reserved(n))
            .cloned()
            .collect();
        for name in &names {
            self.head.headers.remove(name);
        }
        // The node's own cookie, of requests that are no calls (CF-454).
        if let Some(kept) = staging::without_session(&self.head.headers) {
            self.head.headers.remove(header::COOKIE);
            for line in kept {
                self.head.headers.append(header::COOKIE, line);
            }
        }
        refused.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Runs the CloudFront Function at viewer-request, if there is one; whether the call goes on.
    async fn ask_viewer_request(&mut self) -> bool {
        let state = match self.ctx.flow.take_viewer_request() {
            Ok(state) => state,
            Err(e) => {
                self.fail(&internal(&e)).await;
                return false;
            }
        };
        // No function sees a body (LE-411).
        self.ctx.body.end();
        let request = viewer_parts(&self.head);
        let event = fourfront_model::EventType::ViewerRequest;
        if state.exchange.route.hook(event).is_none() {
            self.ctx.flow = Flow::Lookup(Box::new(state.pass(&request.path, &request.method)));
            self.request = Some(request);
            return true;
        }
        let asked = self
            .edge
            .ask_viewer_request(&mut self.ctx, state, request.clone())
            .await;
        match asked {
            Asked::Continue(changed) => {
                self.request = Some(changed.unwrap_or(request));
                true
            }
            Asked::Respond(generated) => {
                self.respond_with(generated).await;
                false
            }
            Asked::Fail(fault) => {
                self.fail(&fault).await;
                false
            }
        }
    }

    /// Tells a viewer that waits for leave to send its messages to go on (CF-372).
    fn invite(&mut self) {
        if self.head.headers.contains_key(header::EXPECT) {
            let mut go_on = Response::new(());
            *go_on.status_mut() = StatusCode::CONTINUE;
            // One that is gone is noticed elsewhere.
            let _ = self.respond.send_informational(go_on);
        }
    }

    /// The request to the origin as the policies leave it, without the cache having been looked at.
    fn fetch(&mut self, ends: bool) -> Result<Own, Fault> {
        let mut lookup = self.ctx.flow.take_lookup().map_err(|e| internal(&e))?;
        // The words are a closed list, and this is the one for requests of a kind that is never stored.
        lookup.bypass = Some(CacheReason::Method);
        lookup.reason = CacheReason::Method;
        let request = self
            .request
            .as_ref()
            .ok_or_else(|| internal(&"a call without a request"))?;
        let mut viewer = RequestHeader::build(request.method.clone(), &request.target(), None)
            .map_err(|e| internal(&e))?;
        viewer.set_version(Version::HTTP_2);
        set_lines(&mut viewer, &request.lines)?;
        let exchange = &lookup.exchange;
        let (origin, host) = match &lookup.origin {
            None => (exchange.assigned_origin(), None),
            Some(change) => (&change.origin, change.host.as_deref()),
        };
        let to = ToOrigin {
            viewer: &viewer,
            has_body: !ends,
            origin,
            host,
            range: RangeSent::Forward,
        };
        let parts = self
            .edge
            .request_to(exchange, to, |_| Preconditions::Forward);
        let state = lookup.missed(parts, RangeSent::Forward);
        self.ctx.origin = Some(state.origin.clone());
        self.ctx.flow = Flow::Fetch(Box::new(state.send(None, None)));
        Ok(Own::of(&request.lines))
    }
}

/// Fields that belong to calls, and go to the origin whatever the policies are: without them it cannot read the messages,
/// nor say how it went.
#[derive(Debug)]
pub(super) struct Own(Vec<(HeaderName, HeaderValue)>);

impl Own {
    fn of(lines: &[HeaderLine]) -> Self {
        let is_own = |line: &&HeaderLine| {
            let name = line.name.as_str();
            name.starts_with("grpc-")
                || line.name == header::CONTENT_TYPE
                || line.name == header::TE
        };
        let lines = lines.iter().filter(is_own);
        Self(lines.map(|l| (l.name.clone(), l.value.clone())).collect())
    }

    /// Puts them into the fields of a request, which may have some already.
    fn put(&self, fields: &mut HeaderMap) {
        let missing = self.0.iter().filter(|(name, _)| !fields.contains_key(name));
        let missing: Vec<_> = missing.cloned().collect();
        for (name, value) in missing {
            fields.append(name, value);
        }
    }
}

impl Edge {
    /// Sends the head of a call to the origin: as often as connecting is tried for other requests, and to as many of its
    /// addresses (CF-390, CF-391, CF-398). There is no failover (CF-410).
    ///
    /// # Errors
    /// The last of the origin's, told to the log, and those of the node.
    async fn send_call(&self, ctx: &mut Ctx, own: &Own, ends: bool) -> Result<Sent, Fault> {
        loop {
            let fault = match self.next_peer(ctx).await {
                Ok(peer) => {
                    let fetch = ctx.flow.fetch().map_err(|e| internal(&e))?;
                    if !peer.is_tls() {
                        let origin = fetch.origin.id.clone();
                        let fault = OriginFault::from(SelectError::PlainCall { origin });
                        self.tell_failure(ctx, &fault);
                        return Err(fault.into());
                    }
                    let quotas = &fetch.exchange.route.snapshot().settings().quotas;
                    // Somewhat more than it may be, so that it is refused as the answer to any request is (CF-363).
                    let most = quotas.max_origin_header_bytes.saturating_mul(2);
                    let most = u32::try_from(most).unwrap_or(u32::MAX);
                    let wire = finished(fetch, None).map_err(|e| internal(&e))?;
                    let request = request(&fetch.request.method, wire, own)?;
                    match self.h2_origins.send(&peer, &request, ends, most).await {
                        Ok(sent) => {
                            let began = ctx.record.fetch_started.filter(|_| !sent.reused);
                            ctx.record.connect =
                                Some(began.map_or(Duration::ZERO, |began| began.elapsed()));
                            return Ok(sent);
                        }
                        Err(error) => origin_fault(&error, true),
                    }
                }
                Err(Fault::Origin(fault)) => fault,
                Err(fault) => return Err(fault),
            };
            let fault = match ctx.time_is_over() {
                true => OriginFault::CompletionTimeout,
                false => fault,
            };
            // Nothing of the viewer's messages was taken yet.
            if !self.tries_again(ctx, &fault, false, false, false) {
                self.tell_failure(ctx, &fault);
                return Err(fault.into());
            }
        }
    }
}

/// A request as HTTP/2 has it.
fn request(method: &Method, wire: WireRequest, own: &Own) -> Result<Request<()>, Fault> {
    let mut fields = HeaderMap::with_capacity(wire.headers.len() + 2);
    let mut host = None;
    for line in wire.headers {
        match line.name {
            header::HOST => host = Some(line.value),
            // RFC 9113 section 8.2.2
            header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE => {}
            name => {
                fields.append(name, line.value);
            }
        }
    }
    own.put(&mut fields);
    let host = host.ok_or_else(|| internal(&"a request without a host"))?;
    let target = uri::PathAndQuery::from_maybe_shared(wire.target).map_err(|e| internal(&e))?;
    let uri = uri::Builder::new()
        .scheme(uri::Scheme::HTTPS)
        .authority(host.as_bytes())
        .path_and_query(target)
        .build()
        .map_err(|e| internal(&e))?;
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = fields;
    Ok(request)
}
