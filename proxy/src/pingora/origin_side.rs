//! Filters on the origin's side of the cache: the origin request, the origin-request function,
//! the answer and the origin-response function.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fourfront_cache::{
    Kept, Refusal,
    policy::{
        self, Despite, FailureAnswer, OriginCookies, OriginFailure, StrongValidator, Varies,
        vary_is_keyed,
    },
};
use fourfront_hooks::{event::OriginObject, validate::ResponseResult};
use fourfront_model::{CacheMode, Compat, EventType, HeaderLine, Origin, OriginKind};
use fourfront_origin::{
    OriginFault,
    failover::{Failed, applies},
    request::{self, Preconditions, RangeSent},
    response,
    select::{self, Address, SentHost},
};
use http::{HeaderValue, Method, StatusCode, header};
use pingora::{
    Result, cache::NoCacheReason, http::ResponseHeader, proxy::Session, upstreams::peer::HttpPeer,
};

use super::{
    Edge,
    context::{Ctx, Pending},
    deliver::{ctx_internal, internal, response_parts},
    failover::Decided,
    headers::set_lines,
    hook::{self, Decision, Shown},
    interim,
    origin_request::{ToOrigin, request_to},
    parts::{self, Instead},
    peer, request_body,
    revalidate::preconditions,
    websocket,
};
use crate::flow::{
    BodyPlan, Exchange, Fault, Fetch, Flow, Generated, Lookup, OriginRequest, Store, ViewerFault,
    hook::{RequestParts, ResponseParts},
    reason,
};

/// Whether a function has answered the node's own question about a stored object with a 304.
fn answers_validation(session: &Session, asked: &RequestParts, answer: &ResponseResult) -> bool {
    answer.status == StatusCode::NOT_MODIFIED
        && has_stored(session)
        && asked
            .lines
            .iter()
            .any(|l| policy::CONDITIONALS.contains(&l.name))
}

impl Edge {
    /// `proxy_upstream_filter`: CF-010 step 13. False when the origin-request function has answered.
    pub(super) async fn on_miss(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        if Self::is_pointless(session, ctx) {
            return Ok(false);
        }
        let mut lookup = ctx.flow.take_lookup().map_err(|e| ctx_internal(&e))?;
        if lookup.asked.only_if_cached {
            // CF-829, RFC 9111 section 5.2.1.7.
            ctx.flow = Flow::Lookup(Box::new(lookup));
            return Err(ctx.fail(ViewerFault::NotStored));
        }
        if !has_stored(session) && session.cache.enabled() {
            // Nothing stored takes part, so the fetch begins now (CF-660). Else it begins where that was looked at.
            let id = &lookup.exchange.route.distribution().id;
            lookup.exchange.began = self.node().cache().invalidations().zone(id).now();
        }
        let (range, slice) = parts::wanted(self, session, &lookup);
        ctx.slice = slice;
        let request = self.parts_for_origin(session, &lookup, range.clone());
        let state = lookup.missed(request, range.clone());
        let decided = ctx.source.as_ref().and_then(|source| source.decided());
        if let Some(mut fetch) = decided.filter(|_| !has_stored(session)) {
            // The function has decided when parts were wanted of an object that turned out to be of no use.
            fetch.exchange = state.exchange;
            fetch.reason = state.reason;
            parts::wants(&mut fetch, session, range);
            ctx.origin = Some(fetch.origin.clone());
            ctx.flow = Flow::Fetch(Box::new(fetch));
            return Ok(true);
        }
        let decided = match self.ask_origin_request(session, ctx, state).await? {
            Decided::Answered(mut state, response)
                if answers_validation(session, &state.request, &response) =>
            {
                // A function says that what is stored is still good. It is asked once more, without conditions: what it
                // makes then is the answer, and not a 304 for a viewer who has nothing (LE-164, RFC 9111 section 4.3.3).
                let conditions = &policy::CONDITIONALS;
                state
                    .request
                    .lines
                    .retain(|l| !conditions.contains(&l.name));
                self.ask_origin_request(session, ctx, *state).await?
            }
            decided => decided,
        };
        match decided {
            Decided::Sent => Ok(true),
            Decided::Answered(state, response) => {
                self.generated_at_origin(session, ctx, *state, response)
                    .await?;
                Ok(false)
            }
        }
    }

    /// Runs the origin-request function, if there is one, on a request to a member of the behaviour's origins.
    ///
    /// # Errors
    /// That of the function.
    pub(super) async fn ask_origin_request(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        state: OriginRequest,
    ) -> Result<Decided> {
        ctx.origin = Some(state.origin.clone());
        if let Some(shield) = self.shield_for(&state, ctx.handshake.is_some()) {
            // LE-006: what is decided is decided there.
            ctx.decided = None;
            request_body::invite(session, ctx).await?;
            ctx.flow = Flow::Fetch(Box::new(state.send_to(shield)));
            return Ok(Decided::Sent);
        }
        let runs = |event| state.exchange.route.hook(event).is_some();
        let object = (runs(EventType::OriginRequest) || runs(EventType::OriginResponse))
            .then(|| OriginObject::from(state.origin.as_ref()));

        if runs(EventType::OriginRequest)
            && let Err(fault) = self.resolve_first(&state).await
        {
            // The fetch fails in its turn, where Pingora lets a stale object stand in (CF-268).
            ctx.flow = Flow::Fetch(Box::new(state.send(None, object)));
            ctx.fault = Some(fault.into());
            return Ok(Decided::Sent);
        }
        let event = EventType::OriginRequest;
        if let Err(e) = request_body::read(session, ctx, &state.exchange, event).await {
            ctx.flow = Flow::OriginRequest(Box::new(state));
            return Err(e);
        }
        let shown = Shown {
            request: &state.request,
            body: request_body::shown(&ctx.body, &state.exchange, event),
            origin: object.as_ref(),
            response: None,
        };
        let decided = match ctx.decided.take() {
            Some(decided) => decided,
            None => hook::run(self.node(), &state.exchange, event, shown, &mut ctx.record)
                .await
                .map(Decision::from),
        };
        match decided {
            Ok(Decision::Continue(mut result)) => {
                if let Some(body) = result.as_mut().and_then(|r| r.body.take()) {
                    ctx.body.replace(body.into());
                }
                let mut fetch = state.send(result, object);
                fetch.unhooked = ctx.record.passed_by(event);
                ctx.origin = Some(fetch.origin.clone());
                request_body::invite(session, ctx).await?;
                ctx.flow = Flow::Fetch(Box::new(fetch));
                Ok(Decided::Sent)
            }
            Ok(Decision::Respond(response)) => Ok(Decided::Answered(Box::new(state), response)),
            // LE-047: no trigger that has not been reached runs any more.
            Err(fault) => {
                ctx.flow = Flow::OriginRequest(Box::new(state));
                Err(ctx.fail(fault))
            }
        }
    }

    /// [`Self::origin_parts`] for the origin that a CloudFront Function chose, or else the behaviour's own.
    pub(super) fn parts_for_origin(
        &self,
        session: &Session,
        lookup: &Lookup,
        range: RangeSent,
    ) -> RequestParts {
        let exchange = &lookup.exchange;
        let assigned = exchange.assigned_origin();
        let (origin, host) = match &lookup.origin {
            None => (assigned, None),
            Some(change) => (&change.origin, change.host.as_deref()),
        };
        self.origin_parts(session, exchange, origin, host, range)
    }

    /// The request of a session as the policies leave it.
    pub(super) fn origin_parts(
        &self,
        session: &Session,
        exchange: &Exchange,
        origin: &Origin,
        host: Option<&str>,
        range: RangeSent,
    ) -> RequestParts {
        let to = ToOrigin {
            viewer: session.req_header(),
            has_body: super::viewer_side::has_body(session),
            origin,
            host,
            range,
        };
        let mode = exchange.route.distribution().cache_mode;
        self.request_to(exchange, to, |sent| preconditions(session, mode, sent))
    }

    /// The request as the policies leave it (LE-091, CF section 4.2): its query is what will be sent, whatever the
    /// viewer's was (LE-092), and of headers that a viewer-request function added only those that a policy names are
    /// left (LE-148). `preconditions` says what becomes of the viewer's, given whether its cookies are sent.
    pub(super) fn request_to(
        &self,
        exchange: &Exchange,
        to: ToOrigin<'_>,
        preconditions: impl FnOnce(OriginCookies) -> Preconditions,
    ) -> RequestParts {
        request_to(self.node().name(), exchange, to, preconditions)
    }

    /// In strict mode the configured origin's name must resolve before its origin-request function runs
    /// (LE-038, LE-276, LE-A25). Asking is tried as often as connecting (CF-391).
    pub(super) async fn resolve_first(
        &self,
        state: &OriginRequest,
    ) -> std::result::Result<(), OriginFault> {
        if state.exchange.route.distribution().compat != Compat::Strict {
            return Ok(());
        }
        let OriginKind::Custom(custom) = &state.origin.kind else {
            return Ok(());
        };
        let origin = &state.origin;
        let mut tries = 1;
        loop {
            if origin.pool.is_some() {
                return self.find_pool(state).await;
            }
            let found = self.resolver().resolve(
                &origin.domain_name,
                custom.port,
                origin.ip_address_type,
                origin.connection_timeout,
                Instant::now(),
            );
            match found.await {
                Ok(_) => return Ok(()),
                Err(_) if tries < origin.connection_attempts => tries += 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A response made at origin-request: stored like an origin's answer, then sent (LE-164, LE-165, LE-167).
    async fn generated_at_origin(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        state: OriginRequest,
        response: ResponseResult,
    ) -> Result<()> {
        let mut generated = Generated::from(response);
        let mut store = state.generated();
        store.compressed = self
            .compress_whole(session, ctx.background, &store.exchange, &mut generated)
            .await;
        store.kept = self.keep_generated(session, ctx, &store, &generated).await;
        let outcome = store.outcome();
        ctx.record.outcome = Some(outcome.clone());
        ctx.flow = Flow::Deliver(Box::new(store.deliver()));
        self.send_generated(session, ctx, generated, Some(&outcome))
            .await
    }

    /// Stores an answer that a function made in an origin's place, unless what is stored is still good, but for a part that this
    /// viewer wanted.
    pub(super) async fn keep_generated(
        &self,
        session: &mut Session,
        ctx: &Ctx,
        store: &Store,
        generated: &Generated,
    ) -> Kept {
        if ctx.keeps_stored.is_some() {
            session.cache.disable(NoCacheReason::OriginNotCache);
            return Kept::Not(Refusal::Partial);
        }
        self.store_generated(session, store, generated).await
    }

    /// `upstream_peer`: one connect try.
    pub(super) async fn choose_peer(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
    ) -> Result<Box<HttpPeer>> {
        if ctx.flow.fetch().is_ok_and(|fetch| fetch.leaves_shield) {
            self.turn_from_shield(session, ctx).await?;
        }
        // The name of the configured origin had no address, so its function has not run: no try may be made
        // without it (LE-038, LE-281).
        if let Some(Fault::Origin(fault)) = ctx.fault.take()
            && !self.fails_over(session, ctx, Failed::Fault(&fault))
        {
            return Err(self.fetch_over(session, ctx, fault));
        }
        if ctx.flow.fetch().is_ok_and(|fetch| fetch.failed_over) {
            self.turn_to_secondary(session, ctx).await?;
            if let Some(Fault::Origin(fault)) = ctx.fault.take() {
                return Err(self.fetch_over(session, ctx, fault));
            }
        }
        match self.next_peer(ctx).await {
            Ok(peer) => Ok(Box::new(peer)),
            Err(Fault::Origin(fault)) => Err(self.origin_error(session, ctx, fault)),
            Err(fault) => Err(ctx.fail(fault)),
        }
    }

    pub(super) async fn next_peer(&self, ctx: &mut Ctx) -> std::result::Result<HttpPeer, Fault> {
        let began = Instant::now();
        // Those of the try before.
        ctx.lease = None;
        ctx.shielded = Duration::ZERO;
        let fetch = ctx.flow.fetch_mut().map_err(|e| internal(&e))?;
        fetch.attempts += 1;
        fetch.continued = false;
        let configured = fetch.configured().clone();
        let route = fetch.exchange.route.clone();
        let host = fetch
            .request
            .lines
            .iter()
            .find(|l| l.name == header::HOST)
            .map_or_else(|| HeaderValue::from_static(""), |l| l.value.clone());
        let (host, forwarded) = match &fetch.shield {
            // Nobody but the shield has a name there.
            Some(_) => (HeaderValue::from_static(""), false),
            None => {
                let forwarded = request::forwards_host(route.behavior(), &configured)
                    && fetch.origin.domain_name == configured.domain_name;
                (host, forwarded)
            }
        };
        let sent = SentHost {
            value: &host,
            forwarded,
        };
        let target = select::target(fetch.goes_to(), sent, fetch.exchange.scheme())
            .map_err(OriginFault::from)?;
        if ctx.deadline.is_none() {
            ctx.deadline = target.completion_timeout.map(|limit| began + limit);
        }
        let left = ctx.deadline.map(|end| end.saturating_duration_since(began));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(OriginFault::CompletionTimeout.into());
        }
        let mut target = target.within(Duration::ZERO, left);
        let peer = match &target.address {
            Address::Directory(path) => {
                let root = route
                    .snapshot()
                    .dir(path)
                    .ok_or_else(|| internal(&"a directory origin was not opened"))?;
                peer::directory(path, root, &target)?
            }
            Address::Network { host, port } => {
                let (place, share) = self
                    .next_place(ctx, (host, *port), target.connection_timeout, began)
                    .await?;
                let fetch = ctx.flow.fetch_mut().map_err(|e| internal(&e))?;
                let address = place.address;
                if let Some(mut tls) = target.tls.take() {
                    if let Some(name) = &fetch.server_name {
                        tls.server_name.clone_from(name);
                        tls.other_name = None;
                    }
                    let mut tls = self.certificates.order(address, tls);
                    if fetch.refused_name.as_ref() == Some(&tls.server_name) {
                        tls = tls.swapped();
                    }
                    fetch.two_names = tls.other_name.is_some().then(|| (address, tls.clone()));
                    target.tls = Some(tls);
                }
                target.connection_timeout = share;
                let authority = route.snapshot().origins().authority(fetch.goes_to());
                peer::network(address, &target, authority)
            }
        };
        let fetch = ctx.flow.fetch().map_err(|e| internal(&e))?;
        let peer = match websocket::sent(ctx.handshake.as_ref(), fetch) {
            Some(handshake) => handshake
                .through(peer, self.dialler.clone())
                .map_err(|e| internal(&e))?,
            None => peer,
        };
        ctx.record.fetch_started = Some(Instant::now());
        Ok(peer)
    }

    /// `upstream_response_filter`: CF-010 steps 14 and 15 up to storing.
    pub(super) async fn on_origin_head(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if head.status.is_informational() {
            if interim::is_one_too_many(ctx, head.status) {
                let fault = interim::second_continue();
                if self.fails_over(session, ctx, Failed::Fault(&fault)) {
                    return Err(pingora::Error::new(super::REFETCH).into_up());
                }
                return Err(self.fetch_over(session, ctx, fault));
            }
            return interim::relay(session, ctx, head).await;
        }
        if ctx.time_is_over() {
            return Err(self.origin_error(session, ctx, OriginFault::CompletionTimeout));
        }
        self.heed_answer(session, ctx)?;
        self.note_latency(ctx);
        if !self.heed_shield(session, ctx, head)? {
            return Ok(());
        }
        let mut fetch = ctx.flow.take_fetch().map_err(|e| ctx_internal(&e))?;
        let mut parts = response_parts(head);
        let quotas = &fetch.exchange.route.snapshot().settings().quotas;
        if let Err(fault) = response::check(&parts.lines, quotas.max_origin_header_bytes) {
            ctx.flow = Flow::Fetch(Box::new(fetch));
            if self.fails_over(session, ctx, Failed::Fault(&fault)) {
                return Err(pingora::Error::new(super::REFETCH).into_up());
            }
            return self.answer_invalid(session, ctx, head, fault);
        }
        if applies(
            fetch.exchange.route.behavior(),
            &fetch.request.method,
            Failed::Status(head.status.as_u16()),
        )
        .is_some()
        {
            ctx.flow = Flow::Fetch(Box::new(fetch));
            // Before any function sees it (LE-A38).
            if self.fails_over(session, ctx, Failed::Status(head.status.as_u16())) {
                return Err(pingora::Error::new(super::REFETCH).into_up());
            }
            fetch = ctx.flow.take_fetch().map_err(|e| ctx_internal(&e))?;
        }
        if Self::contradicts_stored(session, head) {
            self.refetch(session, ctx, &mut fetch);
            ctx.flow = Flow::Fetch(Box::new(fetch));
            return Ok(());
        }
        // No other try follows this answer.
        ctx.answered_by_server();
        ctx.body.release();
        self.forget_changed(session, &fetch.exchange, head).await;
        parts.lines =
            response::received(parts.lines, fetch.exchange.route.behavior(), &fetch.origin);
        // The edge turns to another origin then, and no function sees the answer (LE-A38); nor does any other edge (CF-443).
        let is_of_no_use = {
            let failed = Failed::Status(head.status.as_u16());
            let exchange = &fetch.exchange;
            exchange.is_failed_over(&fetch.request.method, failed)
        };
        let answered = match is_of_no_use {
            true => Ok(None),
            false => self.origin_response(&fetch, &parts, ctx).await,
        };
        fetch.unhooked |= is_of_no_use;
        match answered {
            Ok(changed) => {
                fetch.unhooked |= ctx.record.passed_by(EventType::OriginResponse);
                self.take_answer(session, head, ctx, fetch, parts, changed)
                    .await
            }
            Err(fault) if head.status == StatusCode::NOT_MODIFIED && has_stored(session) => {
                // Pingora answers from the cache whatever this filter says to a 304; so the page takes the
                // body's place there (LE-281: no request passes unhooked).
                ctx.flow = Flow::Fetch(Box::new(fetch));
                ctx.pending = Some(Pending::Fault(fault));
                Ok(())
            }
            Err(fault) => {
                ctx.flow = Flow::Fetch(Box::new(fetch));
                Err(ctx.fail(fault))
            }
        }
    }

    /// Notes how long the origin took to begin its answer.
    pub(super) fn note_latency(&self, ctx: &mut Ctx) {
        let (Some(started), Ok(fetch)) = (ctx.record.fetch_started, ctx.flow.fetch()) else {
            return;
        };
        let elapsed = started.elapsed();
        ctx.record.origin = Some(elapsed);
        let distribution = &fetch.exchange.route.distribution().id;
        self.node()
            .metrics()
            .origin_latency(distribution, &fetch.goes_to().id)
            .observe(elapsed.as_secs_f64());
    }

    async fn origin_response(
        &self,
        fetch: &Fetch,
        parts: &ResponseParts,
        ctx: &mut Ctx,
    ) -> std::result::Result<Option<ResponseResult>, Fault> {
        if fetch.shield.is_some() {
            // LE-006: it has run.
            return Ok(None);
        }
        let shown = Shown {
            request: &fetch.request,
            body: None,
            origin: fetch.origin_object.as_ref(),
            response: Some(parts),
        };
        let event = EventType::OriginResponse;
        match hook::run(self.node(), &fetch.exchange, event, shown, &mut ctx.record).await? {
            Some(result) => Ok(Some(hook::response_only(result)?)),
            None => Ok(None),
        }
    }

    /// Puts the origin-response function's result in place of the origin's head (LE-176..183).
    async fn take_answer(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        ctx: &mut Ctx,
        fetch: Fetch,
        mut parts: ResponseParts,
        changed: Option<ResponseResult>,
    ) -> Result<()> {
        let original_status = head.status;
        // LE-227: an edit of the length is ignored; the real one stays.
        let length = parts
            .lines
            .iter()
            .find(|l| l.name == header::CONTENT_LENGTH)
            .cloned();
        let mut body = None;
        if let Some(mut changed) = changed {
            body = changed.body.take().map(Bytes::from);
            if changed.status != parts.status || changed.status_description.is_some() {
                parts.description = changed
                    .status_description
                    .unwrap_or_else(|| reason(changed.status).to_owned());
            }
            parts.status = changed.status;
            parts.lines = changed.headers;
        }
        let route = fetch.exchange.route.clone();
        let mode = route.distribution().cache_mode;
        // CF-313: the whole `Vary` counts, which mode cloudfront is about to cut (CF-314).
        let vary = parts.lines.iter().filter(|l| l.name == header::VARY);
        let varies = Varies::of(vary.clone().map(|l| &l.value));
        if mode == CacheMode::Cloudfront
            && session.cache.enabled()
            && !vary_is_keyed(&route.behavior().cache_policy, vary.map(|l| &l.value))
        {
            self.note_despite(&fetch.exchange, Despite::Vary);
        }
        // An edge goes by the whole `Vary`, and cuts it itself (CF-313, CF-314).
        let cut = match route.is_at_shield() {
            true => CacheMode::Rfc9111,
            false => mode,
        };
        parts.lines = response::stored(parts.lines, route.behavior(), &fetch.origin, cut);
        parts.lines.retain(|l| l.name != header::CONTENT_LENGTH);
        let revalidated = original_status == StatusCode::NOT_MODIFIED && has_stored(session);
        if revalidated && parts.status != original_status.as_u16() {
            // LE-182: the result takes the place of the stored object, and an absent body counts as empty.
            let mut generated = generated(parts, body.unwrap_or_default());
            let mut store = fetch.answered(BodyPlan::Relay);
            store.compressed = self
                .compress_whole(session, ctx.background, &store.exchange, &mut generated)
                .await;
            store.origin_status = Some(original_status);
            store.varies = varies;
            store.kept = self.replace_stored(session, &store, &generated);
            ctx.flow = Flow::Store(Box::new(store));
            ctx.pending = Some(Pending::Answer(generated));
            return Ok(());
        }
        let bodyless = session.req_header().method != Method::HEAD
            && (matches!(original_status.as_u16(), 204 | 304)
                || length.as_ref().is_some_and(|l| l.value == "0"));
        if let Some(body) = body.clone().filter(|b| bodyless && !b.is_empty()) {
            // The origin's answer ends with its head, so no body callback will come to carry the replacement:
            // the answer is stored and sent like one made at origin-request, and the connection to the
            // origin is given up.
            let mut generated = generated(parts, body);
            let mut store = fetch.answered(BodyPlan::Relay);
            store.compressed = self
                .compress_whole(session, ctx.background, &store.exchange, &mut generated)
                .await;
            store.origin_status = Some(original_status);
            store.varies = varies;
            store.kept = self.store_generated(session, &store, &generated).await;
            ctx.flow = Flow::Store(Box::new(store));
            ctx.pending = Some(Pending::Answer(generated));
            return Err(pingora::Error::new(super::ANSWER_READY).into_up());
        }
        let (plan, compressed) = match (revalidated, body) {
            (true, body) => (body.map_or(BodyPlan::Relay, BodyPlan::Replace), None),
            (false, Some(body)) => {
                self.compress_replacement(session, ctx.background, &route, &mut parts, body)
                    .await
            }
            (false, None) => {
                self.compress_relayed(session, ctx.background, &route, &mut parts, length.as_ref())
            }
        };
        match &plan {
            BodyPlan::Replace(body) => parts.lines.push(content_length(body.len())),
            // Not known before all of it is there (CF-552).
            BodyPlan::Compress(_) => {}
            BodyPlan::Relay | BodyPlan::Replaced => parts.lines.extend(length),
        }
        let validator = StrongValidator::of(&head.headers);
        let slice = ctx.slice.take();
        set_head(head, &parts)?;
        if revalidated && let Some(source) = &ctx.source {
            source.decide(&fetch);
        }
        if slice.is_some()
            && original_status == StatusCode::RANGE_NOT_SATISFIABLE
            && session.req_header().headers.contains_key(header::IF_RANGE)
        {
            // CF-540: of another object it would be all.
            return Err(self.ask_otherwise(session, ctx, fetch, Instead::Exactly, false));
        }
        if slice.is_some()
            && original_status == StatusCode::PARTIAL_CONTENT
            && head.status.is_success()
            && head.status != original_status
            && matches!(plan, BodyPlan::Relay)
        {
            // A function made the slice into more than a part.
            return Err(self.ask_otherwise(session, ctx, fetch, Instead::Whole, true));
        }
        if let Some(slice) = slice
            && original_status == StatusCode::PARTIAL_CONTENT
            && head.status == original_status
        {
            let answered = |fetch: Fetch| Store {
                varies,
                origin_status: Some(original_status),
                ..fetch.answered(BodyPlan::Relay)
            };
            return self.take_part(session, head, ctx, fetch, answered, slice, validator);
        }
        if matches!(plan, BodyPlan::Relay)
            && let Some(validator) = validator
            && let Some(again) = self.long_body(session, head, &fetch)
        {
            ctx.long = Some((again, validator));
        }
        if head.status.is_server_error()
            && !ctx.lacks_parts
            && self.failure_answer(session, &fetch.exchange, OriginFailure::Status(head.status))
                == Some(FailureAnswer::Stale)
        {
            self.hold_off(session, &fetch.exchange, head.status);
            ctx.flow = Flow::Fetch(Box::new(fetch));
            return Err(pingora::Error::new(super::SERVE_STALE).into_up());
        }
        let mut store = fetch.answered(plan);
        store.compressed = compressed;
        store.varies = varies;
        store.origin_status = Some(original_status);
        store.not_modified = revalidated.then(|| head.headers.clone());
        ctx.flow = Flow::Store(Box::new(store));
        Ok(())
    }
}

fn has_stored(session: &Session) -> bool {
    session.cache.maybe_cache_meta().is_some()
}

fn generated(parts: ResponseParts, body: Bytes) -> Generated {
    Generated {
        status: parts.status,
        description: Some(parts.description),
        lines: parts.lines,
        body,
    }
}

fn content_length(length: usize) -> HeaderLine {
    HeaderLine {
        name: header::CONTENT_LENGTH,
        key: Bytes::from_static(b"Content-Length"),
        value: length.into(),
    }
}

fn set_head(head: &mut ResponseHeader, parts: &ResponseParts) -> Result<()> {
    if head.status.as_u16() != parts.status {
        head.set_status(parts.status)?;
    }
    if head.get_reason_phrase() != Some(parts.description.as_str()) {
        head.set_reason_phrase(Some(&parts.description))?;
    }
    set_lines(head, &parts.lines).map_err(|e| ctx_internal(&e))
}
