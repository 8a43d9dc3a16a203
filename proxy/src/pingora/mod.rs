//! Viewers' connections, and Pingora's callbacks for what needs an origin.
//!
//! A connection begins in [`direct`], which answers what it can itself and hands the rest to Pingora. Its callbacks are a
//! few lines each: take the flow's state, step it, put the next back. What is decided lives in [`crate::flow`] and in the crates it composes; what is done for
//! a decision lives in this module's siblings, by side of the cache.
//!
//! Six of Pingora's own ideas are overruled, each where it happens: freshness is judged by
//! our policy and clock ([`viewer_side`]), the request to the origin is ours alone
//! ([`origin_side`], [`origin_request`], [`origin_wire`]), the stored copy is not the answer to every 304 ([`revalidate`]), interim answers are not lost
//! when the final one comes with them ([`interim`]), a function
//! that fails in the middle of a response swaps what its viewer gets instead of breaking the
//! transfer ([`deliver`]), and an answer keeps its date, and streams whatever its length (`direct::outlet`).

mod abandon;
mod certificates;
mod collapse;
mod compress;
mod connect;
mod context;
mod deadline;
mod deliver;
mod dial;
mod direct;
mod disk;
mod error_page;
mod explain;
mod failover;
mod failure;
mod h2_origins;
mod headers;
mod hook;
mod interim;
mod kept_head;
mod origin_request;
mod origin_side;
mod origin_wire;
mod overload;
mod pace;
mod packed;
mod parts;
mod peer;
mod record;
mod request_body;
mod response_policy;
mod revalidate;
mod serve;
mod shield;
mod shielded;
mod storage;
mod store;
mod turn;
mod unsafe_methods;
mod viewer_side;
mod websocket;
mod workers;

use std::{
    any::Any,
    ops::Deref,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fourfront_cache::{Kept, Outcome, Reason, Refusal, StaleCause, policy};
use fourfront_origin::{OriginFault, resolve::Resolver};
use http::{StatusCode, header};
use pingora::{
    Error, ErrorType, Result,
    cache::{
        CacheKey, CacheMeta, CachePhase, ForcedFreshness, RespCacheable, key::HashBinary,
        storage::HitHandler,
    },
    connectors::{ConnectorOptions, http::Connector},
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    protocols::Digest,
    proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, RangeType, Session},
    server::configuration::ServerConf,
    upstreams::peer::HttpPeer,
};

use context::Pending;
pub use context::{Ctx, Record};
pub(crate) use explain::{Explained, Question, Ruling, Tier, Told, Vary, explain};
pub use serve::{Listening, ServeSettings, serve};
pub use storage::{CacheStorage, DiskPlace};
pub(crate) use viewer_side::usable_host;
pub(crate) use workers::{SYSTEM_ROOTS, all_roots};

use crate::{
    flow::{BodyPlan, Fault, Flow, Served, ViewerFault},
    node::Node,
};
use deliver::ctx_internal;
use direct::Outlet;
use storage::StoredFacts;
use store::OffersRanges;

/// The origin-response function's answer is complete and waits in the context; not a failure.
const ANSWER_READY: ErrorType = ErrorType::Custom("fourfront: answer ready");
/// The stored object was discarded, and the origin is asked once more; not a failure.
const REFETCH: ErrorType = ErrorType::Custom("fourfront: fetch anew");
/// The origin failed and a stale object may be served; not a failure of the request.
const SERVE_STALE: ErrorType = ErrorType::Custom("fourfront: serve stale");
/// The origin has opened a WebSocket, which goes on without Pingora; not a failure.
const SWITCHED: ErrorType = ErrorType::Custom("fourfront: switched protocols");

/// The proxy as Pingora sees it.
pub struct Edge {
    node: Arc<Node>,
    certificates: certificates::Certificates,
    refreshes: viewer_side::Refreshes,
    /// Connections for parts of objects, which Pingora does not fetch.
    connector: Connector,
    /// Connections that no pool is to know of.
    dialler: Arc<dial::Dialler>,
    /// Those that speak HTTP/2.
    h2_origins: h2_origins::H2Origins,
    this: Weak<Self>,
}

impl Edge {
    /// A proxy for a node. Workers share what it knows of origins.
    pub fn new(node: Arc<Node>, conf: &ServerConf) -> Arc<Self> {
        let dialler = dial::Dialler::new(conf);
        Arc::new_cyclic(|this| Self {
            node,
            certificates: certificates::Certificates::default(),
            refreshes: viewer_side::Refreshes::default(),
            connector: Connector::new(Some(ConnectorOptions::from_server_conf(conf))),
            h2_origins: h2_origins::H2Origins::new(dialler.clone()),
            dialler,
            this: this.clone(),
        })
    }

    /// Another hold on it; `None` while it is being dropped.
    fn shared(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    const fn connector(&self) -> &Connector {
        &self.connector
    }

    fn node(&self) -> &Node {
        &self.node
    }

    fn resolver(&self) -> &Resolver {
        self.node.origins().resolver()
    }
}

/// [`Edge`] behind Pingora's trait, which cannot be implemented for a reference count.
struct Filters(Arc<Edge>);

impl Deref for Filters {
    type Target = Edge;

    fn deref(&self) -> &Edge {
        &self.0
    }
}

#[async_trait]
impl ProxyHttp for Filters {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new(self.node.in_flight().enter())
    }

    /// Not only the next request of a connection: [`direct`] hands on so what it has begun.
    fn on_connection_reuse(
        &self,
        _session: &mut Session,
        ctx: &mut Ctx,
        handed: Box<dyn Any + Send + Sync>,
    ) {
        if let Ok(begun) = handed.downcast::<Ctx>() {
            *ctx = *begun;
        }
    }

    /// None: compression belongs to the behaviour's settings, not to a module (CF-545).
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// For error pages.
    fn allow_spawning_subrequest(&self, _session: &Session, ctx: &Ctx) -> bool {
        ctx.is_waited_for()
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        pace::set(session);
        let h1 = session.as_downstream().as_http1();
        if let Some(target) = h1.and_then(|h1| Outlet::is_read(h1.stream())) {
            // CF-326: the bytes that came.
            session.req_header_mut().set_raw_path(&target)?;
        }
        self.on_request(session, ctx).await
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        request_body::relay(session, ctx, body, end)
    }

    fn request_cache_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
        self.enable_cache(session, ctx)
    }

    fn cache_key_callback(&self, session: &Session, ctx: &mut Ctx) -> Result<CacheKey> {
        self.cache_key(session, ctx)
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        hit: &mut HitHandler,
        _fresh: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<ForcedFreshness>> {
        if let Some(exchange) = ctx.flow.exchange() {
            let most = exchange.route.distribution().max_variants;
            self.node
                .cache()
                .variant_used(session.cache.cache_key(), most);
        }
        let freshness = self.judge_hit(session, meta, ctx)?;
        ctx.record.tier = storage::tier_of(hit);
        Ok(parts::prepare(&self.0, session, meta, hit, freshness, ctx).await)
    }

    fn cache_vary_filter(
        &self,
        meta: &CacheMeta,
        ctx: &mut Ctx,
        request: &RequestHeader,
    ) -> Option<HashBinary> {
        let variant = self.variant(meta.headers(), ctx.flow.exchange()?, &request.headers);
        if variant.is_some()
            && variant != meta.variance()
            && let Flow::Lookup(lookup) = &mut ctx.flow
        {
            lookup.looks_for_another_variant(meta.headers());
        }
        variant
    }

    fn cache_not_modified_filter(
        &self,
        session: &Session,
        head: &ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<bool> {
        // What takes the place of this answer does not answer the condition.
        Ok(ctx.pending.is_none() && store::not_modified(session.req_header(), head))
    }

    fn range_header_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> RangeType {
        if ctx.pending.is_some() {
            return RangeType::None;
        }
        store::range(session.req_header(), head)
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        self.on_miss(session, ctx).await
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        self.choose_peer(session, ctx).await
    }

    /// How long connecting took; nothing, on a connection that was there (CF-611). From here on a silent origin has as long as
    /// any (CF-394).
    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        fd: std::os::fd::RawFd,
        _digest: Option<&Digest>,
        ctx: &mut Ctx,
    ) -> Result<()> {
        let began = ctx.record.fetch_started.filter(|_| !reused);
        ctx.record.connect = Some(began.map_or(Duration::ZERO, |began| began.elapsed()));
        ctx.silence_ends = ctx
            .deadline
            .and_then(|end| deadline::Deadline::new(fd, end.into()));
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        wire: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        self.wire_request(session, wire, ctx)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        self.on_origin_head(session, head, ctx).await
    }

    /// Puts the origin-response function's body in the place of the origin's (LE-177), and ends what takes longer
    /// than it may (CF-394).
    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        if ctx.time_is_over() {
            return Err(self.origin_error(session, ctx, OriginFault::CompletionTimeout));
        }
        if let Some(abandoned) = self.abandoned(session, ctx) {
            return Err(abandoned);
        }
        if end {
            ctx.silence_ends = None;
        }
        let plan = match &mut ctx.flow {
            Flow::Store(store) => &mut store.body,
            Flow::Deliver(deliver) => &mut deliver.body,
            _ => return Ok(None),
        };
        match std::mem::take(plan) {
            BodyPlan::Relay => {}
            BodyPlan::Replace(replacement) => {
                *body = Some(replacement);
                *plan = BodyPlan::Replaced;
            }
            BodyPlan::Replaced => {
                *body = if end { None } else { Some(Bytes::new()) };
                *plan = BodyPlan::Replaced;
            }
            BodyPlan::Compress(mut compressor) => {
                let piece = body.take().unwrap_or_default();
                *body = Some(compressor.push(&piece, end));
                *plan = BodyPlan::Compress(compressor);
            }
        }
        Ok(None)
    }

    fn response_cache_filter(
        &self,
        session: &Session,
        head: &ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<RespCacheable> {
        self.decide_store(session, head, ctx)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        self.on_answer(session, head, ctx).await?;
        if ctx.answered || head.status.is_informational() {
            return Ok(());
        }
        if let Flow::Deliver(deliver) = &ctx.flow {
            ctx.record.answers(deliver.served, head.status.as_u16());
        }
        // CF-320: Pingora would send its own.
        if let (Some(date), Some(h1)) = (
            head.headers.get(header::DATE),
            session.as_downstream().as_http1(),
        ) {
            Outlet::set_date(h1.stream(), date);
        }
        Ok(())
    }

    /// Sends what takes the place of a body whose head was replaced (LE-279).
    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        if let Flow::Deliver(deliver) = &mut ctx.flow
            && let Some(replacement) = &mut deliver.replacement
        {
            *body = match replacement.body.take() {
                Some(page) => Some(page),
                None if end => None,
                None => Some(Bytes::new()),
            };
        }
        Ok(None)
    }

    /// Asked with `None` for serving while a refresh runs, with an error for serving in place of a failure.
    /// A 5xx is not decided here: its origin-response function has to run first (LE-035, LE-181).
    fn should_serve_stale(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        error: Option<&Error>,
    ) -> bool {
        if ctx.lacks_parts {
            return false;
        }
        let Some(error) = error else {
            return self.serve_while_revalidating(session, ctx);
        };
        if *error.etype() == SERVE_STALE {
            closes_after_stale(session);
            return true;
        }
        if matches!(error.etype(), ErrorType::HTTPStatus(_)) || *error.etype() == ANSWER_READY {
            return false;
        }
        let origin_failed = match &ctx.fault {
            Some(fault) => matches!(fault, Fault::Origin(_)),
            None => *error.esource() == pingora::ErrorSource::Upstream,
        };
        let Some(exchange) = ctx.flow.exchange() else {
            return false;
        };
        let stale = origin_failed
            && self.failure_answer(session, exchange, policy::OriginFailure::Unreachable)
                == Some(policy::FailureAnswer::Stale);
        if stale {
            closes_after_stale(session);
        }
        stale
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Ctx,
        e: Box<Error>,
    ) -> Box<Error> {
        self.after_failure(session, ctx, e, false, true)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        e: Box<Error>,
        ctx: &mut Ctx,
        reused: bool,
    ) -> Box<Error> {
        self.after_failure(session, ctx, e, reused, false)
    }

    async fn fail_to_proxy(&self, session: &mut Session, e: &Error, ctx: &mut Ctx) -> FailToProxy {
        self.on_failure(session, e, ctx).await
    }

    /// The access record and the node's own log say what failed and by whose fault.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Ctx, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        session: &Session,
        ctx: &Ctx,
        _error: &Error,
        context: ProxyWarnLogContext,
    ) -> bool {
        // The only word of it that Pingora gives.
        let left = context == ProxyWarnLogContext::DownstreamCache;
        if left {
            Edge::viewer_left(session, ctx);
        }
        left
    }

    async fn logging(&self, session: &mut Session, e: Option<&Error>, ctx: &mut Ctx) {
        self.record(session, e, ctx);
    }
}

/// Pingora closes the viewer's connection after any failed fetch, also when a stale object stood in. The viewer has to be
/// told, or its next request meets a closed connection.
fn closes_after_stale(session: &mut Session) {
    session.set_keepalive(None);
}

impl Edge {
    /// `response_filter`: the answer is about to leave, from wherever it came.
    async fn on_answer(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if head.status.is_informational() {
            return Ok(());
        }
        self.turn_back(session, ctx)?;
        let phase = session.cache.phase();
        let from_cache = matches!(
            phase,
            CachePhase::Hit
                | CachePhase::Stale
                | CachePhase::StaleUpdating
                | CachePhase::Revalidated
                | CachePhase::RevalidatedNoCache(_)
        );
        let meta = session.cache.maybe_cache_meta();
        if !from_cache && meta.is_some_and(|m| m.extensions().get::<OffersRanges>().is_some()) {
            head.remove_header(&header::ACCEPT_RANGES);
        }
        let stored = meta.and_then(StoredFacts::of);
        let now = self.node.clock().now();
        let ttl = stored.as_ref().map_or(0, |s| s.freshness().ttl(now));
        let outcome = match std::mem::take(&mut ctx.flow) {
            Flow::Lookup(lookup) if ctx.completed => {
                ctx.flow = Flow::Deliver(Box::new(lookup.found(Served::Miss)));
                Outcome::Fetched {
                    reason: Reason::Range,
                    origin_status: Some(StatusCode::PARTIAL_CONTENT),
                    kept: Kept::Stored { ttl },
                }
            }
            Flow::Lookup(lookup) => {
                let outcome = match (lookup.grace, session.cache.lock_duration()) {
                    (Some(policy::Grace::HeldOff), _) => Outcome::Stale {
                        ttl,
                        cause: StaleCause::HeldOff,
                    },
                    (Some(policy::Grace::Accepted), _) => Outcome::Stale {
                        ttl,
                        cause: StaleCause::Accepted,
                    },
                    (Some(_), _) => Outcome::Stale {
                        ttl,
                        cause: StaleCause::Revalidating,
                    },
                    (None, Some(waited)) => Outcome::Followed { waited },
                    (None, None) => Outcome::Hit { ttl },
                };
                let served = lookup.served_from_cache();
                ctx.flow = Flow::Deliver(Box::new(lookup.found(served)));
                outcome
            }
            Flow::Fetch(fetch) => {
                // The origin failed, or a function failed on its 304: the stored object is at hand.
                let store = fetch.answered(BodyPlan::Relay);
                ctx.flow = Flow::Deliver(Box::new(store.deliver_as(Served::Stale)));
                Outcome::Stale {
                    ttl,
                    cause: StaleCause::OriginFailed(None),
                }
            }
            Flow::Store(mut store) => {
                if store::found_no_room(phase) {
                    store.kept = Kept::Not(Refusal::NoRoom);
                }
                let (served, outcome) = match phase {
                    CachePhase::Revalidated | CachePhase::RevalidatedNoCache(_) => {
                        (Served::RefreshHit, Outcome::Revalidated { ttl })
                    }
                    _ => (store.served, store.outcome()),
                };
                ctx.flow = Flow::Deliver(Box::new(store.deliver_as(served)));
                outcome
            }
            other => {
                let wrong = crate::flow::WrongState {
                    expected: "Lookup, Fetch or Store",
                    found: other.name(),
                };
                ctx.flow = other;
                return Err(ctx_internal(&wrong));
            }
        };
        if let Some(stored) = stored.as_ref().filter(|_| ctx.at_shield && from_cache) {
            let freshness = stored.freshness();
            ctx.kept = freshness
                .current_age(now)
                .saturating_sub(freshness.initial_age());
        }
        if let Some(stored) = &stored {
            let age = stored.freshness().age_seconds(now);
            if from_cache {
                head.insert_header(header::AGE, age)?;
                store::drop_unshared(head, stored);
            } else if age > 0 {
                // CF-318: what an origin answered with an age keeps it on the way through.
                head.insert_header(header::AGE, age)?;
            }
            if ctx.pending.is_none() && store::precondition_failed(session) {
                ctx.pending = Some(Pending::Fault(ViewerFault::Precondition.into()));
            }
        }
        ctx.record.outcome = Some(outcome.clone());
        let pending = match ctx.pending.take() {
            Some(Pending::Fault(fault)) => Some(fault),
            _ => None,
        };
        let stored_fault = stored.as_ref().filter(|_| from_cache && pending.is_none());
        let stored_fault = stored_fault.and_then(|s| s.fault.as_deref());
        let as_fault = stored_fault.map(|fault| Fault::from(fault.clone()));
        let fault = pending.as_ref().or(as_fault.as_ref());
        if self
            .page_in_place(session, ctx, fault, head.status, &outcome)
            .await?
        {
            return Ok(());
        }
        if let Some(fault) = &pending {
            return deliver::swap(session, head, ctx, fault);
        }
        if let (Some(stored), Some(fault)) = (&stored, stored_fault) {
            let age = stored.freshness().age_seconds(now);
            return Self::answer_stored_failure(session, head, ctx, fault, age);
        }
        self.finish_head(session, ctx, head, &outcome).await
    }
}
