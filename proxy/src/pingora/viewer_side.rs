//! Filters on the viewer's side of the cache: admission, the viewer-request function, the key
//! and what a look-up means.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use fourfront_cache::{
    Reason,
    key::{CacheKey, KeyRequest, Signatures, cache_key, keys_of_one_coding, vary_fields},
    policy::{Freshness, Grace, Reuse, Verdict},
    purge::Standing,
};
use fourfront_hooks::cff::OriginChange;
use fourfront_model::{EventType, HeaderLine};
use fourfront_origin::request::nominated;
use http::{HeaderMap, HeaderName, Method, Version, header, uri::Authority};
use parking_lot::Mutex;
use pingora::{
    Result,
    cache::{CacheKey as PingoraKey, CacheMeta, ForcedFreshness},
    http::RequestHeader,
    protocols::http::ServerSession as HttpSession,
    proxy::Session,
};

use super::{
    Edge,
    context::Ctx,
    deliver::{ctx_internal, viewer_parts},
    direct::{Handed, Outlet, Shared},
    error_page::page_of,
    headers::set_lines,
    hook::{self, Decision, Shown},
    request_body,
    storage::{Beside, Borrowed, StoredFacts},
    websocket,
};
use crate::{
    flow::{
        Exchange, Fault, Flow, Generated, Lookup, Route, Served, ViewerFacts, ViewerRequest, admit,
        generated, hook::RequestParts, is_reserved, staging,
    },
    observe::access::{ViewerFields, Wanted},
    tls::TlsFacts,
};

/// What a background refresh needs to know of the request that starts it (LE-040): the request as the
/// viewer-request function left it, and where it belongs.
#[derive(Debug)]
pub(super) struct Refresh {
    exchange: Exchange,
    head: RequestHeader,
    origin: Option<Box<OriginChange>>,
}

/// Refreshes that Pingora is about to start, by connection and request head.
///
/// Pingora makes the background request from the raw head of the viewer's and hands nothing else on but the
/// description of the connection. Together they name one request: while one connection's refresh of a head has
/// not begun, the key's lock keeps a second from being asked for.
pub(super) type Refreshes = Mutex<HashMap<(usize, Bytes), Refresh>>;

fn refresh_key(session: &Session) -> (usize, Bytes) {
    let downstream = session.as_downstream();
    let connection = downstream
        .digest()
        .and_then(|d| d.socket_digest.as_ref())
        .map_or(0, |socket| Arc::as_ptr(socket).addr());
    (connection, downstream.to_h1_raw())
}

/// How long a background refresh waits for a lock that can only be its own.
const OWN_LOCK: Duration = Duration::from_millis(1);

/// What the viewer-request function made of a request.
#[derive(Debug)]
pub(super) enum Asked {
    /// It goes on, as this where it was changed.
    Continue(Option<RequestParts>),
    /// It is answered.
    Respond(Generated),
    /// The function failed.
    Fail(Fault),
}

/// What of a request its key is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyed<'a> {
    pub(super) method: &'a Method,
    /// Path and query.
    pub(super) target: &'a [u8],
    pub(super) headers: &'a HeaderMap,
    pub(super) version: Version,
}

impl<'a> From<&'a RequestHeader> for Keyed<'a> {
    fn from(request: &'a RequestHeader) -> Self {
        Self {
            method: &request.method,
            target: request.raw_path(),
            headers: &request.headers,
            version: request.version,
        }
    }
}

impl Edge {
    /// `request_filter`: CF-010 steps 1 to 11. True when an answer has been sent.
    pub(super) async fn on_request(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        if Self::on_page(session, ctx) {
            return Ok(false);
        }
        if session.subrequest_ctx.is_some() {
            return self.on_refresh(session, ctx).map(|()| false);
        }
        let handed = session.req_header_mut().extensions_mut().remove::<Handed>();
        if let Some(begun) = handed.and_then(|handed| handed.take()) {
            *ctx = *begun;
        }
        if matches!(ctx.flow, Flow::Lookup(_)) {
            return on_handed(session, ctx).map(|()| false);
        }
        if let Some(sealed) = self.sealed_in(session) {
            return self.on_shielded(session, ctx, sealed).await;
        }
        let admitted = match (ctx.refused.take(), &ctx.flow) {
            (Some(fault), _) => Err(fault.into()),
            (None, Flow::ViewerRequest(_)) => Ok(()),
            (None, _) => self.admit(session, ctx),
        };
        if let Err(fault) = admitted {
            self.send_error(session, ctx, &fault).await?;
            return Ok(true);
        }
        drop_reserved(session.req_header_mut());
        // Functions neither see nor keep what says so.
        let asks_for_socket = websocket::is_asked_for(session.req_header());
        let state = ctx
            .flow
            .take_viewer_request()
            .map_err(|e| ctx_internal(&e))?;
        hide_session(session.req_header_mut(), &state.exchange)?;
        if state
            .exchange
            .route
            .hook(EventType::ViewerRequest)
            .is_none()
        {
            let request = session.req_header();
            let (path, _) = split(request.raw_path());
            ctx.flow = Flow::Lookup(Box::new(state.pass(path, &request.method)));
            return heed(session, ctx, asks_for_socket);
        }
        if self.viewer_request(session, ctx, state).await? {
            return Ok(true);
        }
        heed(session, ctx, asks_for_socket)
    }

    fn admit(&self, session: &Session, ctx: &mut Ctx) -> std::result::Result<(), Fault> {
        let node = self.node();
        let snapshot = node.snapshot();
        let request = session.req_header();
        let raw_head = raw_head(session);
        let shared = shared(session);
        let facts = ViewerFacts {
            method: &request.method,
            target: origin_form(request),
            host: host(request),
            version: request.version,
            headers: &request.headers,
            raw_head: &raw_head,
            head_bytes: head_bytes(session),
            peer: peer_address(session),
            is_https: tls(session).is_some(),
            tls: tls(session),
            has_body: shared.is_some_and(|s| s.has_body),
            https_port: node.https_port(),
            limits: &snapshot.settings().limits,
            now: node.clock().now(),
            draw: staging::draw,
        };
        self.take_on(ctx, &snapshot, &facts)
            .inspect_err(|_| node.metrics().refused("requests"))?;
        match admit(&snapshot, &facts) {
            Ok(mut state) => {
                let server = session.as_downstream().server_addr();
                state.exchange.server = server.and_then(|a| a.as_inet()).map(|a| a.ip());
                ctx.flow = Flow::ViewerRequest(Box::new(state));
                Ok(())
            }
            Err(refusal) => {
                let (fault, exchange) = *refusal;
                if let Some(exchange) = exchange {
                    ctx.flow = Flow::ViewerRequest(Box::new(ViewerRequest { exchange }));
                }
                Err(fault.into())
            }
        }
    }

    /// Runs the viewer-request function and does what it says (LE-145, LE-163, LE-046).
    async fn viewer_request(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        state: ViewerRequest,
    ) -> Result<bool> {
        let event = EventType::ViewerRequest;
        if let Err(e) = request_body::read(session, ctx, &state.exchange, event).await {
            ctx.flow = Flow::ViewerRequest(Box::new(state));
            return Err(e);
        }
        match self
            .ask_viewer_request(ctx, state, viewer_parts(session))
            .await
        {
            Asked::Continue(changed) => {
                if let Some(request) = changed {
                    take_over(session.req_header_mut(), &request)?;
                }
                Ok(false)
            }
            Asked::Respond(generated) => {
                self.send_generated(session, ctx, generated, None).await?;
                Ok(true)
            }
            Asked::Fail(fault) => {
                self.send_error(session, ctx, &fault).await?;
                Ok(true)
            }
        }
    }

    /// Runs the viewer-request function, and steps the flow to what it says: *Lookup*, *Deliver*, or no further.
    pub(super) async fn ask_viewer_request(
        &self,
        ctx: &mut Ctx,
        mut state: ViewerRequest,
        request: RequestParts,
    ) -> Asked {
        let event = EventType::ViewerRequest;
        let seen = generated::seen(&state.exchange, event, &request);
        let shown = Shown {
            request: seen.as_ref().unwrap_or(&request),
            body: request_body::shown(&ctx.body, &state.exchange, event),
            origin: None,
            response: None,
        };
        let ran = hook::run_any(self.node(), &state.exchange, event, shown, &mut ctx.record).await;
        let mut origin = None;
        let result = ran.map(|ran| {
            ran.map(|(result, chosen)| {
                origin = chosen;
                result
            })
        });
        match result.map(Decision::from) {
            Ok(Decision::Continue(changes)) => {
                let mut request = request;
                let mut changed = false;
                if let Some(mut changes) = changes {
                    if let Some(body) = changes.body.take() {
                        ctx.body.replace(body.into());
                    }
                    let target = request.target();
                    let moved = changes.uri.is_some() || changes.querystring.is_some();
                    changed = changes.headers_changed || moved;
                    if moved {
                        // CF-658
                        state.exchange.viewer_target = Some(Bytes::copy_from_slice(&target));
                    }
                    ctx.record.original_target = Some(target);
                    if seen.is_some() {
                        generated::take_back(&state.exchange, &mut changes);
                    }
                    if changes.headers_changed {
                        let logging = state.exchange.route.distribution().logging.as_ref();
                        if let Wanted::Fields { cookies } = self.node().access().wants(logging) {
                            let seen = ViewerFields::of_lines(&request.lines, cookies);
                            ctx.record.seen = Some(Box::new(seen));
                        }
                    }
                    request = request.with(&changes);
                }
                let mut lookup = state.pass(&request.path, &request.method);
                lookup.origin = origin;
                ctx.flow = Flow::Lookup(Box::new(lookup));
                Asked::Continue(changed.then_some(request))
            }
            Ok(Decision::Respond(response)) => {
                ctx.flow = Flow::Deliver(Box::new(state.generated()));
                Asked::Respond(Generated::from(response))
            }
            Err(fault) => {
                ctx.flow = Flow::ViewerRequest(Box::new(state));
                Asked::Fail(fault)
            }
        }
    }

    /// `should_serve_stale` while the object is being refreshed (CF-257): of the functions, this viewer's own run
    /// (LE-039). The request that got the key's lock is the one that starts the refresh.
    pub(super) fn serve_while_revalidating(&self, session: &Session, ctx: &Ctx) -> bool {
        let Flow::Lookup(lookup) = &ctx.flow else {
            return false;
        };
        // A refresh is known by the viewer's connection and head, which an error page has in common with what it stands in
        // for. So a page is refreshed first.
        if lookup.grace != Some(Grace::WhileRevalidating) || !ctx.is_waited_for() {
            return false;
        }
        if session.cache.is_cache_lock_writer() {
            let refresh = Refresh {
                exchange: lookup.exchange.clone(),
                head: session.req_header().clone(),
                origin: lookup.origin.clone(),
            };
            self.refreshes.lock().insert(refresh_key(session), refresh);
        }
        true
    }

    /// A background refresh takes up where the viewer's request looked its object up: no viewer function runs
    /// (LE-040).
    fn on_refresh(&self, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
        let Some(refresh) = self.refreshes.lock().remove(&refresh_key(session)) else {
            return Err(ctx_internal(&"a background refresh without its request"));
        };
        ctx.background = true;
        ctx.at_shield = refresh.exchange.route.is_at_shield();
        *session.req_header_mut() = refresh.head;
        let request = session.req_header();
        let (path, _) = split(request.raw_path());
        let state = ViewerRequest {
            exchange: refresh.exchange,
        };
        let mut lookup = state.pass(path, &request.method);
        lookup.origin = refresh.origin;
        ctx.flow = Flow::Lookup(Box::new(lookup));
        Ok(())
    }

    /// `request_cache_filter`: whether the cache takes part.
    pub(super) fn enable_cache(&self, session: &mut Session, ctx: &Ctx) -> Result<()> {
        let state = ctx.flow.lookup().map_err(|e| ctx_internal(&e))?;
        if ctx.background {
            // It holds the key's lock already. Pingora hands it that lock when it finds the stale object; when the object
            // is gone by then, it would wait for itself, and everybody else for it ([`Self::is_pointless`]).
            let method = &session.req_header().method.clone();
            self.node()
                .cache()
                .enable(&mut session.cache, method, OWN_LOCK);
        } else if state.bypass.is_none() {
            self.enable(session, &state.exchange);
        }
        Ok(())
    }

    /// Whether a background refresh has nothing left to refresh: its object was removed before it began. Ended here, it
    /// lets go of the key's lock, and the next request fetches.
    pub(super) fn is_pointless(session: &Session, ctx: &Ctx) -> bool {
        ctx.background && !session.cache.enabled()
    }

    /// Lets an exchange use the cache. Misses of one key are one fetch: its leader runs the origin's triggers, and
    /// followers share what it stores (LE-010, LE-043). They wait as long as the leader would for its origin
    /// (CF-405).
    pub(super) fn enable(&self, session: &mut Session, exchange: &Exchange) {
        let route = &exchange.route;
        let primary = route.distribution().origin_of(route.behavior());
        let secondary = route.distribution().secondary_of(route.behavior());
        let answered = primary.read_timeout + secondary.map_or(Duration::ZERO, |s| s.read_timeout);
        let wait = route.distribution().collapse_wait.unwrap_or(answered);
        let method = session.req_header().method.clone();
        let cache = self.node().cache();
        cache.enable(&mut session.cache, &method, wait);
    }

    /// `cache_key_callback` (CF-003, LE-004).
    pub(super) fn cache_key(&self, session: &Session, ctx: &mut Ctx) -> Result<PingoraKey> {
        let state = ctx.flow.lookup().map_err(|e| ctx_internal(&e))?;
        let request = session.req_header();
        let keyed = Keyed::from(request);
        let (path, query) = split(keyed.target);
        let (exchange, path) = (&state.exchange, state.path(path));
        let policy = &exchange.route.behavior().cache_policy;
        let secret = self.node().cache().secret();
        let generated = exchange.generated(exchange.route.generated().keyed);
        let made_from = key_request(
            (&exchange.route, exchange.key_name()),
            &keyed,
            path,
            query,
            &generated,
        );
        let key = cache_key(secret, policy, &made_from)
            .ok_or_else(|| ctx_internal(&"a cached method without a key"))?;
        ctx.record.key = Some(*key.as_bytes());
        let mut key = pingora_key(&key);
        key.extensions.insert(Beside {
            codings: keys_of_one_coding(secret, policy, &made_from),
            head: request.method == Method::HEAD,
        });
        Ok(key)
    }

    /// The key of a request whose method may use the cache.
    pub(super) fn key_of(&self, request: &Keyed<'_>, state: &Lookup) -> Option<CacheKey> {
        let (path, query) = split(request.target);
        let (exchange, path) = (&state.exchange, state.path(path));
        let secret = self.node().cache().secret();
        let policy = &exchange.route.behavior().cache_policy;
        let generated = exchange.generated(exchange.route.generated().keyed);
        let request = key_request(
            (&exchange.route, exchange.key_name()),
            request,
            path,
            query,
            &generated,
        );
        cache_key(secret, policy, &request)
    }

    /// `cache_hit_filter`: judges what was found by our own clock and policy; Pingora's freshness is not used.
    pub(super) fn judge_hit(
        &self,
        session: &Session,
        meta: &CacheMeta,
        ctx: &mut Ctx,
    ) -> Result<Option<ForcedFreshness>> {
        let Some(stored) = StoredFacts::of(meta) else {
            return Ok(Some(ForcedFreshness::ForceMiss));
        };
        let background = ctx.background;
        let for_viewer = ctx.serves_viewer();
        let state = ctx.flow.lookup_mut().map_err(|e| ctx_internal(&e))?;
        // Before the stamp is asked: what is invalidated after this is newer than any answer about the object (CF-660).
        let began = stored.stamp.zone().now();
        let standing = stored.stamp.standing();
        if background && matches!(standing, Standing::Gone { .. }) {
            // The refresh goes on with the generation of the viewer who began it, so what it brings will not answer.
            // As a miss it would wait for the lock that it holds itself.
            return Ok(Some(ForcedFreshness::ForceExpiredServeStale {
                expired_at: None,
            }));
        }
        let now = self.node().clock().now();
        let Some(verdict) = state.judge(standing, &stored.freshness(), now) else {
            return Ok(Some(ForcedFreshness::ForceMiss));
        };
        if is_borrowed(meta) && !matches!(verdict, Verdict::Fresh) {
            return Ok(Some(ForcedFreshness::ForceMiss));
        }
        if stored.has_no_body {
            // An error that nobody is shown: it answers as long as a page stands in for it.
            let status = meta.response_header().status.as_u16();
            let stands_in =
                for_viewer && page_of(&state.exchange, session.req_header(), status).is_some();
            if !background && (!stands_in || !matches!(verdict, Verdict::Fresh)) {
                // While it is there, whoever is about to fetch would be sent to look again.
                self.node().cache().remove(session.cache.cache_key());
                return Ok(Some(ForcedFreshness::ForceMiss));
            }
        }
        state.exchange.began = began;
        Ok(Some(match verdict {
            Verdict::Fresh
            | Verdict::Stale {
                grace: Grace::HeldOff | Grace::Accepted,
                ..
            } => ForcedFreshness::ForceFresh,
            Verdict::Stale { .. } => ForcedFreshness::ForceExpiredServeStale { expired_at: None },
        }))
    }
}

impl Lookup {
    /// What the stored object that was found is good for, and by which reason; `None` when it was invalidated (CF-660).
    pub(super) fn judge(
        &mut self,
        standing: Standing,
        stored: &Freshness,
        now: SystemTime,
    ) -> Option<Verdict> {
        if let Standing::Gone { by } = standing {
            self.grace = None;
            self.reason = Reason::Invalidated(by.as_str().into());
            return None;
        }
        let verdict = self.asked.judge(stored, now);
        self.grace = match verdict {
            Verdict::Fresh => None,
            Verdict::Stale { grace, .. } => Some(grace),
        };
        if let Some(reason) = verdict.reason() {
            self.reason = match stored.reuse() {
                Reuse::Validate => reason,
                // CF-313: it is never fresh, and fetched in full by every request.
                Reuse::Refetch => Reason::Vary("*".into()),
            };
        }
        Some(verdict)
    }

    /// The response under the primary key is another variant than the request's. When there is no such variant either, that
    /// is why it is no hit.
    pub(super) fn looks_for_another_variant(&mut self, stored: &HeaderMap) {
        let fields = match vary_fields(stored) {
            None => "*".to_owned(),
            Some(names) => {
                let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
                names.join(", ")
            }
        };
        self.reason = Reason::Vary(fields.into());
    }

    /// How an answer out of the cache came about.
    pub(super) fn served_from_cache(&self) -> Served {
        match self.grace {
            None => Served::Hit,
            Some(_) => Served::Stale,
        }
    }
}

/// What the key of a request at that path is made from.
pub(super) fn key_request<'a>(
    (route, name): (&'a Route, &'a str),
    request: &Keyed<'a>,
    path: &'a [u8],
    query: Option<&'a [u8]>,
    generated: &'a [HeaderLine],
) -> KeyRequest<'a> {
    KeyRequest {
        distribution: name,
        method: request.method,
        path,
        query,
        headers: request.headers,
        generated,
        version: request.version,
        signatures: Signatures::of(route.behavior()),
    }
}

/// Pingora's key carries ours; its own hashing is not used.
pub(super) fn pingora_key(key: &CacheKey) -> PingoraKey {
    let mut pingora = PingoraKey::new(key.as_bytes(), String::new());
    pingora.set_primary_bin_override(*key.as_bytes());
    pingora
}

/// Whether a record is another key's.
pub(super) fn is_borrowed(meta: &CacheMeta) -> bool {
    meta.extensions().get::<Borrowed>().is_some()
}

/// Splits a target at its first `?` without copying.
pub(super) fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

/// The target in origin form: of an absolute one only path and query count (RFC 9112 section 3.2.2).
fn origin_form(request: &RequestHeader) -> &[u8] {
    let raw = request.raw_path();
    if raw.first() == Some(&b'/') {
        return raw;
    }
    request
        .uri
        .path_and_query()
        .map_or(raw, |p| p.as_str().as_bytes())
}

/// `Host`, or the authority where there is none (HTTP/2). Two `Host` lines or an empty one are none.
pub(super) fn host(request: &RequestHeader) -> Option<&str> {
    let mut lines = request.headers.get_all(header::HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (Some(host), None) => host.to_str().ok()?,
        // With the port, as in the field: it is part of what is signed (CF-567).
        (None, _) => request.uri.authority().map(Authority::as_str)?,
        (Some(_), Some(_)) => return None,
    };
    usable_host(host)
}

/// A name that may be looked up (CF-035).
pub(crate) fn usable_host(host: &str) -> Option<&str> {
    let usable = !host.is_empty()
        && !host
            .bytes()
            .any(|b| b <= b' ' || b == b'/' || b == b'?' || b == b'#' || b == b'@');
    usable.then_some(host)
}

/// Notes what the viewer asks of the cache, and whether it asks for a WebSocket. False, as no answer has been sent.
fn heed(session: &Session, ctx: &mut Ctx, asks_for_socket: bool) -> Result<bool> {
    let lookup = ctx.flow.lookup_mut().map_err(|e| ctx_internal(&e))?;
    lookup.heed(&session.req_header().headers);
    if asks_for_socket {
        ctx.handshake = websocket::heed(lookup);
    }
    Ok(false)
}

/// Goes on with a request that was looked up already, and is not answered there: the state is in the context.
fn on_handed(session: &mut Session, ctx: &mut Ctx) -> Result<()> {
    match ctx.changed.take() {
        Some(request) => take_over(session.req_header_mut(), &request),
        None => Ok(()),
    }
}

/// Makes a head into what a function made of it.
fn take_over(head: &mut RequestHeader, request: &RequestParts) -> Result<()> {
    let (path, query) = split(head.raw_path());
    if path != request.path || query.unwrap_or_default() != request.query {
        head.set_raw_path(&request.target())?;
    }
    set_lines(head, &request.lines).map_err(|e| ctx_internal(&e))
}

/// The request head as received on HTTP/1.x; empty on HTTP/2, whose framing has no lines.
fn raw_head(session: &Session) -> Bytes {
    match session.as_downstream() {
        HttpSession::H1(h1) => h1.get_headers_raw_bytes(),
        _ => Bytes::new(),
    }
}

/// The connecting peer, or for whom the PROXY protocol says it has. Connections without an address come from the node itself.
fn peer_address(session: &Session) -> SocketAddr {
    session
        .client_addr()
        .and_then(|a| a.as_inet())
        .copied()
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
}

/// The handshake that the viewer's connection began with; `None` on plain HTTP.
pub(super) fn tls(session: &Session) -> Option<&Arc<TlsFacts>> {
    match session.as_downstream() {
        HttpSession::H1(h1) => Outlet::tls(h1.stream()),
        _ => session.req_header().extensions.get(),
    }
}

/// What is known of a stream of HTTP/2 beside Pingora.
pub(super) fn shared(session: &Session) -> Option<&Shared> {
    let shared = session.req_header().extensions.get::<Arc<Shared>>();
    shared.map(|shared| &**shared)
}

/// Bytes of the request's head (CF-360).
pub(super) fn head_bytes(session: &Session) -> u64 {
    shared(session).map_or_else(|| raw_head(session).len() as u64, |s| s.head_bytes)
}

/// Whether the request has a body, or may have one. On HTTP/2 the head need not say so; a GET or HEAD that has one goes
/// nowhere (CF-368).
pub(super) fn has_body(session: &Session) -> bool {
    let request = session.req_header();
    request.headers.contains_key(header::CONTENT_LENGTH)
        || request.headers.contains_key(header::TRANSFER_ENCODING)
        || (!matches!(request.method, Method::GET | Method::HEAD)
            && shared(session).is_some_and(|shared| shared.is_unbounded))
}

/// Takes away the cookie that keeps the viewer's requests together (CF-195).
fn hide_session(request: &mut RequestHeader, exchange: &Exchange) -> Result<()> {
    let hides = |staged: &Arc<staging::Staged>| staged.hides_cookie(&request.headers);
    if !exchange.staged.as_ref().is_some_and(hides) {
        return Ok(());
    }
    let kept = staging::without_session(&request.headers).unwrap_or_default();
    request.remove_header(&header::COOKIE);
    for value in kept {
        request.append_header("Cookie", value)?;
    }
    Ok(())
}

/// Drops fields that only the edge may set (CF-358, LE-187).
pub(super) fn drop_reserved(request: &mut RequestHeader) {
    if request.headers.contains_key(header::CONNECTION) {
        for name in nominated(&request.headers) {
            request.remove_header(name.as_str());
        }
    }
    if !request
        .headers
        .keys()
        .any(|name| is_reserved(name.as_str()))
    {
        return;
    }
    let reserved: Vec<HeaderName> = request
        .headers
        .keys()
        .filter(|name| is_reserved(name.as_str()))
        .cloned()
        .collect();
    for name in reserved {
        request.remove_header(&name);
    }
}
