//! Deciding what is stored, and what of it a request gets: storability, variants, conditions,
//! ranges, `Cache-Status`.

mod answers;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fourfront_cache::{
    Kept, Refusal,
    key::{self, KeySecret, Signatures, Variance},
    policy::{
        self, Despite, EdgeEncoding, HeadUpdate, RequestFacts, ResponseFacts, Reuse, Storability,
        StoreRules, Varies,
    },
    purge::{Stamp, Target, tags_within},
};
use fourfront_model::{CacheMode, GeneratedHeader, GeneratedHeaders, HeaderLines, is_cloudfront};
use fourfront_origin::request::is_named;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use pingora::{
    Result,
    cache::{
        CacheMeta, CachePhase, NoCacheReason,
        RespCacheable::{self, Cacheable, Uncacheable},
        key::{CacheHashKey as _, HashBinary},
    },
    http::{RequestHeader, ResponseHeader},
    proxy::Session,
};

use super::{
    Edge,
    collapse::Sharing,
    context::Ctx,
    deliver::{ctx_internal, generated_head},
    error_page::{STORED_WITHOUT_BODY, page_of, without_body},
    storage::{Facts, StoredFacts, record},
    viewer_side::{is_borrowed, split},
};
use crate::{
    flow::{Exchange, Flow, Generated, Route, Store, compression::Compressed},
    purge::tag_limits,
};

pub(super) use answers::{not_modified, precondition_failed, range};

/// When a response was asked for, and when it came (RFC 9111 section 4.2.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetched {
    pub(super) requested: SystemTime,
    pub(super) now: SystemTime,
    /// For how much of its age a shield had it in its cache (CF-415).
    pub(super) shielded: Duration,
}

impl Fetched {
    /// One that was made at that moment.
    pub(super) const fn at(now: SystemTime) -> Self {
        Self::by(now, now, Duration::ZERO)
    }

    const fn by(requested: SystemTime, now: SystemTime, shielded: Duration) -> Self {
        Self {
            requested,
            now,
            shielded,
        }
    }
}

impl Edge {
    /// `response_cache_filter`: may this answer be stored, and for how long (CF section 3, RFC 9111 section 3).
    pub(super) fn decide_store(
        &self,
        session: &Session,
        head: &ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<RespCacheable> {
        if let Some(meta) = ctx.prepared.take()
            && let Flow::Store(store) = &mut ctx.flow
        {
            let now = self.node().clock().now();
            store.kept = kept(&meta, now);
            self.bound_variants(session, &store.exchange, meta.headers());
            let judged = Ok(meta);
            self.note_sharing(session, head.status, &judged, now);
            let Ok(meta) = judged else {
                return Ok(Uncacheable(NoCacheReason::Deferred));
            };
            return Ok(Cacheable(meta));
        }
        let (background, shielded) = (ctx.background, ctx.shielded);
        // Nor has an error that an edge gets a page here.
        let is_page = ctx.page.is_some() || ctx.at_shield;
        // What is stored is still good, but for a part that could not be had; or it is stale, and lacks parts.
        let keeps_stored = match head.status {
            status if status.is_success() => false,
            status if ctx.lacks_parts => says_nothing(status),
            _ => ctx.keeps_stored.is_some(),
        };
        let store = match &mut ctx.flow {
            Flow::Store(store) if ctx.pending.is_none() => store,
            // A 304 that nothing follows from: the stored object stays as it is by now.
            _ => return Ok(Uncacheable(NoCacheReason::Deferred)),
        };
        let method = &session.req_header().method;
        let mode = store.exchange.route.distribution().cache_mode;
        // HEAD goes out as HEAD, so there is no body to store (AMB-04). The next GET fills. What it says of the stored
        // one counts in mode `rfc9111` alone (CF-833); a 304 says it as it does to GET.
        let freshens = mode == CacheMode::Rfc9111 && store.not_modified.is_some();
        if *method == Method::HEAD && !freshens {
            let fetched = (ctx.requested, shielded);
            self.update_by_head(session, store, head, fetched)?;
            store.kept = self.keep_head(session, store, head, fetched);
            return Ok(Uncacheable(NoCacheReason::Deferred));
        }
        if store.unhooked {
            store.kept = Kept::Not(Refusal::Unhooked);
            return Ok(Uncacheable(NoCacheReason::OriginNotCache));
        }
        if keeps_stored {
            store.kept = Kept::Not(Refusal::ErrorNotCached);
            return Ok(Uncacheable(NoCacheReason::OriginNotCache));
        }
        let revalidated = store.not_modified.is_some();
        let now = self.node().clock().now();
        let request = RequestFacts {
            method,
            authorization: store.authorization,
        };
        let merged;
        let head = match session.cache.maybe_cache_meta() {
            // Pingora merges a few fields of a 304 into the stored head; the rule is all but a few (CF-282).
            Some(stored) if !background || session.cache.phase() == CachePhase::Stale => {
                match &store.not_modified {
                    Some(update) => {
                        merged = merge(mode, stored, update, now)?;
                        &merged
                    }
                    None => head,
                }
            }
            _ => head,
        };
        let requested = ctx.requested.unwrap_or(now);
        let length = stored_length(session, head).filter(|_| revalidated);
        let judged = self.judge_length(
            session,
            &store.exchange,
            &request,
            head,
            store.varies,
            Fetched::by(requested, now, shielded),
            length.or_else(|| self::length(head)).unwrap_or_default(),
        );
        self.note_sharing(session, head.status, &judged, now);
        match judged {
            Ok(meta)
                if !revalidated
                    && has_page(is_page, &store.exchange, session.req_header(), head.status) =>
            {
                // Nobody is shown the body, so nobody waits for it, or for the viewer who waits for the page.
                store.kept = kept(&meta, now);
                let record = without_body(&meta)?;
                if let Err(refusal) =
                    self.put_beside(session, &store.exchange, record, Bytes::new())
                {
                    store.kept = Kept::Not(refusal);
                }
                Ok(Uncacheable(NoCacheReason::Custom(STORED_WITHOUT_BODY)))
            }
            Ok(mut meta) => {
                store.kept = kept(&meta, now);
                self.bound_variants(session, &store.exchange, meta.headers());
                note_compressed(&mut meta, store.compressed.as_ref());
                if revalidated {
                    keep_form(session, &mut meta);
                    return Ok(Cacheable(meta));
                }
                Ok(Cacheable(self.cut(meta, ctx)))
            }
            Err(refusal) => {
                store.kept = Kept::Not(refusal);
                if session.cache.maybe_cache_meta().is_some() && ends_stored(head.status) {
                    self.node().cache().remove(session.cache.cache_key());
                }
                // A part says nothing of what others ask for.
                let reason = match refusal {
                    Refusal::Partial => NoCacheReason::Deferred,
                    _ => NoCacheReason::OriginNotCache,
                };
                Ok(Uncacheable(reason))
            }
        }
    }

    /// Remembers whether requests for the key gain by waiting for each other (CF-402).
    fn note_sharing(
        &self,
        session: &Session,
        status: StatusCode,
        judged: &std::result::Result<CacheMeta, Refusal>,
        now: SystemTime,
    ) {
        let sharing = match judged.as_ref().map(StoredFacts::of) {
            Ok(Some(stored)) => {
                let freshness = stored.freshness();
                // A window of staleness has one refresh for all (CF-257).
                let ends = freshness.ttl(now) <= 0 && freshness.while_revalidating().is_zero();
                // CF-313: never fresh, whatever its lifetime.
                match ends || freshness.reuse() == Reuse::Refetch {
                    true => Sharing::Validated,
                    false => Sharing::Shared,
                }
            }
            Ok(None) => return,
            // About this request alone, or about an origin that fails; the next answer may be for all.
            Err(Refusal::Method | Refusal::Partial | Refusal::Unhooked | Refusal::NoRoom) => return,
            Err(_) if status == StatusCode::NOT_MODIFIED || status.is_server_error() => return,
            Err(_) => Sharing::Unshared,
        };
        let key = session.cache.cache_key();
        self.node().cache().note_sharing(key, sharing);
    }

    /// Takes away the variant that a new one leaves no room for (CF-824).
    fn bound_variants(&self, session: &Session, exchange: &Exchange, head: &HeaderMap) {
        let key = session.cache.cache_key();
        let variant = self.variant(head, exchange, &session.req_header().headers);
        // Where it differs from the one that was looked for, it begins a new family, under the key itself.
        if variant.is_some() && variant == key.variance_bin() {
            let most = exchange.route.distribution().max_variants;
            self.node().cache().variant_used(key, most);
        }
    }

    /// Stores the answer to HEAD for those who ask with HEAD, where nothing is stored that answers GET (CF-529). One of several
    /// variants is not kept: the next GET has them all.
    fn keep_head(
        &self,
        session: &Session,
        store: &Store,
        head: &ResponseHeader,
        (requested, shielded): (Option<SystemTime>, Duration),
    ) -> Kept {
        let exchange = &store.exchange;
        let request = session.req_header();
        let stored = session.cache.maybe_cache_meta();
        let of_get = stored.is_some_and(|stored| !is_borrowed(stored));
        // What was looked for is one of several variants, whatever this answer says.
        let of_variant = session.cache.cache_key().get_variance_key().is_some();
        if of_get || of_variant || store.not_modified.is_some() {
            return Kept::Not(Refusal::Method);
        }
        if store.unhooked {
            return Kept::Not(Refusal::Unhooked);
        }
        let varies = self.variant(&head.headers, exchange, &request.headers);
        if varies.is_some() || page_of(exchange, request, head.status.as_u16()).is_some() {
            return Kept::Not(Refusal::Method);
        }
        let now = self.node().clock().now();
        let fetched = Fetched::by(requested.unwrap_or(now), now, shielded);
        // By the rules for what it is the head of (RFC 9111 section 3). A body of any length would do: none is stored.
        let asked = RequestFacts {
            method: &Method::GET,
            authorization: store.authorization,
        };
        let varies = store.varies;
        let judged = self
            .judge_length(session, exchange, &asked, head, varies, fetched, 0)
            .and_then(|meta| {
                let cache = self.node().cache();
                cache.put_head_only(session.cache.cache_key(), &meta)?;
                Ok(kept(&meta, now))
            });
        judged.unwrap_or_else(Kept::Not)
    }

    /// What the answer to HEAD says of the object stored for GET: it is as fresh as the answer, or another by now
    /// (CF-833, RFC 9111 section 4.3.5).
    fn update_by_head(
        &self,
        session: &Session,
        store: &Store,
        head: &ResponseHeader,
        (requested, shielded): (Option<SystemTime>, Duration),
    ) -> Result<()> {
        let Some(stored) = session.cache.maybe_cache_meta() else {
            return Ok(());
        };
        if is_borrowed(stored) {
            return Ok(());
        }
        let mode = store.exchange.route.distribution().cache_mode;
        let cache = self.node().cache();
        let key = session.cache.cache_key();
        let facts = StoredFacts::of(stored);
        let encoding = facts
            .as_deref()
            .map_or(EdgeEncoding::AsReceived, Facts::encoding);
        match policy::head_update(mode, stored.headers(), encoding, head.status, &head.headers) {
            HeadUpdate::Nothing => {}
            HeadUpdate::Invalidate => cache.remove(key),
            HeadUpdate::Freshen => {
                let now = self.node().clock().now();
                let merged = merge(mode, stored, &head.headers, now)?;
                let request = RequestFacts {
                    method: &Method::GET,
                    authorization: store.authorization,
                };
                let requested = requested.unwrap_or(now);
                let exchange = &store.exchange;
                let varies = store.varies;
                let length = stored_length(session, &merged).or_else(|| length(&merged));
                match self.judge_length(
                    session,
                    exchange,
                    &request,
                    &merged,
                    varies,
                    Fetched::by(requested, now, shielded),
                    length.unwrap_or_default(),
                ) {
                    Ok(mut meta) => {
                        if let Some(variance) = stored.variance() {
                            meta.set_variance(variance);
                        }
                        keep_form(session, &mut meta);
                        cache.update(key, stored.created(), &meta);
                    }
                    // What it says now forbids what was stored before.
                    Err(_) => cache.remove(key),
                }
            }
        }
        Ok(())
    }

    /// The record to store for a response head, or why it is not stored. `varies` is what was cut from the
    /// head's `Vary`.
    pub(super) fn judge(
        &self,
        session: &Session,
        exchange: &Exchange,
        request: &RequestFacts<'_>,
        head: &ResponseHeader,
        varies: Varies,
        fetched: Fetched,
    ) -> std::result::Result<CacheMeta, Refusal> {
        let length = length(head).unwrap_or_default();
        self.judge_length(session, exchange, request, head, varies, fetched, length)
    }

    /// [`Self::judge`] of a response of which at most `length` bytes are stored as one object.
    #[expect(
        clippy::too_many_arguments,
        reason = "all that a response is judged by"
    )]
    pub(super) fn judge_length(
        &self,
        session: &Session,
        exchange: &Exchange,
        request: &RequestFacts<'_>,
        head: &ResponseHeader,
        varies: Varies,
        fetched: Fetched,
        length: u64,
    ) -> std::result::Result<CacheMeta, Refusal> {
        let (rules, now) = (exchange.route.store_rules(), fetched.now);
        let response = ResponseFacts {
            status: head.status,
            headers: &head.headers,
            requested: fetched.requested,
            received: now,
            shielded: fetched.shielded,
            varies: varies.max(Varies::of(head.headers.get_all(header::VARY))),
        };
        let freshness = match policy::decide_store(&rules, request, &response) {
            Storability::Store(freshness) => freshness,
            Storability::DoNotStore(refusal) => return Err(refusal),
        };
        let (mut kept, unshared) = stored_head(&rules, head, now).map_err(|_| Refusal::Status)?;
        let offers = offer_ranges(&mut kept);
        if !self.node().cache().fits(&kept, length) {
            return Err(Refusal::TooLarge);
        }
        for despite in policy::stored_despite(&rules, request, &response) {
            self.note_despite(exchange, despite);
        }
        let stamp = self.stamp(session, exchange, head);
        let facts = StoredFacts::new(freshness, unshared, stamp);
        let mut meta = record(now, kept, facts);
        if let Some(offers) = offers {
            meta.extensions_mut().insert(offers);
        }
        Ok(meta)
    }

    /// Counts what is shared against advice, and tells of the first of its kind (CF-315, CF-805).
    pub(super) fn note_despite(&self, exchange: &Exchange, despite: Despite) {
        let distribution = &exchange.route.distribution().id;
        if self.node().metrics().stored_despite(distribution, despite) {
            tracing::warn!(
                request_id = exchange.request_id.as_str(),
                distribution,
                behavior = exchange.route.metrics().behavior(),
                "a response is stored for all viewers despite `{}`; further ones are only counted",
                despite.as_str()
            );
        }
    }

    /// By what names a response can be invalidated: path and query of its key (CF-653), those of its viewer (CF-658),
    /// and the tags in its head, whoever set them (CF-670, CF-676).
    fn stamp(&self, session: &Session, exchange: &Exchange, head: &ResponseHeader) -> Stamp {
        let route = &exchange.route;
        let distribution = route.distribution();
        let tags = distribution.cache_tags.as_ref().map(|tags| {
            let lines = head.headers.get_all(tags.header.as_str());
            let lines = lines.iter().map(HeaderValue::as_bytes);
            let limits = tag_limits(&route.snapshot().settings().quotas);
            tags_within(&tags.header, tags.separator, limits, lines)
        });
        let mut stamp = Stamp::new(
            self.node().cache().invalidations().zone(&distribution.id),
            exchange.began,
            target(route, session.req_header().raw_path()),
            tags.unwrap_or_default(),
        );
        if let Some(viewers) = &exchange.viewer_target {
            stamp = stamp.known_as(target(route, viewers));
        }
        match session.cache.maybe_cache_meta().and_then(StoredFacts::of) {
            Some(stored) => stamp.known_as_is(&stored.stamp),
            None => stamp,
        }
    }

    /// Stores a response that a function made, if it may be (LE-164, LE-165).
    ///
    /// Readers that wait for this key are let go as for any other answer: with the object, or to fetch for
    /// themselves (CF-402).
    pub(super) async fn store_generated(
        &self,
        session: &mut Session,
        store: &Store,
        generated: &Generated,
    ) -> Kept {
        if !session.cache.enabled() {
            return Kept::Bypassed;
        }
        let mut judged = self.judge_generated(session, store, generated);
        if let Ok(meta) = &mut judged {
            note_compressed(meta, store.compressed.as_ref());
        }
        let status = StatusCode::from_u16(generated.status).unwrap_or_default();
        self.note_sharing(session, status, &judged, self.node().clock().now());
        match judged {
            Ok(meta) => {
                let kept = kept(&meta, self.node().clock().now());
                let headers = &session.req_header().headers;
                let variant = self.variant(meta.headers(), &store.exchange, headers);
                match write(session, meta, variant, generated).await {
                    Ok(()) => kept,
                    Err(e) => {
                        tracing::warn!(
                            request_id = store.exchange.request_id.as_str(),
                            "a generated response was not stored: {e}"
                        );
                        session.cache.disable(NoCacheReason::StorageError);
                        Kept::Not(Refusal::NoRoom)
                    }
                }
            }
            Err(refusal) => {
                session.cache.disable(NoCacheReason::OriginNotCache);
                Kept::Not(refusal)
            }
        }
    }

    /// The record to store for a response that a function made, or why it is not stored.
    pub(super) fn judge_generated(
        &self,
        session: &Session,
        store: &Store,
        generated: &Generated,
    ) -> std::result::Result<CacheMeta, Refusal> {
        let method = &session.req_header().method;
        // As for a fetched one: what answers HEAD does not fill (AMB-04).
        if *method == Method::HEAD {
            return Err(Refusal::Method);
        }
        if store.unhooked {
            return Err(Refusal::Unhooked);
        }
        let request = RequestFacts {
            method,
            authorization: store.authorization,
        };
        let mut head = generated_head(generated).map_err(|_| Refusal::Status)?;
        head.insert_header("Content-Length", generated.body.len())
            .map_err(|_| Refusal::Status)?;
        let now = self.node().clock().now();
        let varies = store.varies;
        self.judge(
            session,
            &store.exchange,
            &request,
            &head,
            varies,
            Fetched::at(now),
        )
    }

    /// `cache_vary_filter`: the variant of a request (CF-824). CloudFront's mode has none (CF-312).
    pub(super) fn variant(
        &self,
        stored: &HeaderMap,
        exchange: &Exchange,
        request: &HeaderMap,
    ) -> Option<HashBinary> {
        variant(self.node().cache().secret(), stored, exchange, request)
    }
}

/// What a URL of a behaviour is called: its path, or the one in its place (CF-040), and what of its query is in the key
/// (CF-653), so that a signed URL goes by its path alone (CF-659).
pub(super) fn target(route: &Route, raw: &[u8]) -> Target {
    let (path, query) = split(raw);
    let root = route.root_object(path);
    let behavior = route.behavior();
    let signatures = Signatures::of(behavior);
    let query = key::forwarded_query(&behavior.cache_policy, None, signatures, query);
    Target::new(root.as_deref().unwrap_or(path), query.as_deref())
}

/// The variant of a request under the `Vary` of a stored response.
pub(super) fn variant(
    secret: &KeySecret,
    stored: &HeaderMap,
    exchange: &Exchange,
    request: &HeaderMap,
) -> Option<HashBinary> {
    if !stored.contains_key(header::VARY)
        || exchange.route.distribution().cache_mode == CacheMode::Cloudfront
    {
        return None;
    }
    let sent = varying_fields(exchange, stored, request);
    match key::vary_key(secret, stored, &sent) {
        Variance::Invariant => None,
        Variance::Variant(variant) => Some(*variant.as_bytes()),
        // A variant of this request alone: stored perhaps, found by nobody.
        Variance::Never => {
            let mut alone = [0; 16];
            let id = exchange.request_id.as_str().as_bytes();
            alone.iter_mut().zip(id).for_each(|(a, b)| *a = *b);
            Some(alone)
        }
    }
}

/// The fields that `Vary` names as the origin got them: a field that no policy sends cannot have made a
/// difference.
pub(super) fn varying_fields(
    exchange: &Exchange,
    stored: &HeaderMap,
    request: &HeaderMap,
) -> HeaderMap {
    let behavior = exchange.route.behavior();
    let mut sent = HeaderMap::new();
    let names = stored
        .get_all(header::VARY)
        .iter()
        .flat_map(|v| v.as_bytes().split(|b| *b == b','));
    for name in names.filter_map(|n| HeaderName::from_bytes(n.trim_ascii()).ok()) {
        let policies = (
            behavior.cache_policy.as_ref(),
            behavior.origin_request_policy.as_deref(),
        );
        if name == header::ACCEPT_ENCODING && policies.0.normalizes_accept_encoding() {
            // In the key already, in its normalised form (CF-171).
            continue;
        }
        if name == header::COOKIE {
            let signatures = Signatures::of(behavior);
            let cookies = key::forwarded_cookies(policies.0, policies.1, signatures, request);
            if let Some(cookies) = cookies {
                sent.insert(name, cookies);
            }
        } else if is_cloudfront(name.as_str()) {
            // CF-174: an origin gets none but those that the edge makes.
            for line in generated(exchange, name.as_str()) {
                sent.insert(line.name, line.value);
            }
        } else if is_named(behavior, name.as_str()) {
            for value in request.get_all(&name) {
                sent.append(name.clone(), value.clone());
            }
        }
    }
    sent
}

/// The generated header of that name, if the origin gets it and its value is known.
fn generated(exchange: &Exchange, name: &str) -> HeaderLines {
    let header = GeneratedHeader::from_name(name);
    let header = header.filter(|h| exchange.route.generated().all.contains(*h));
    header.map_or_else(HeaderLines::new, |header| {
        exchange.generated(GeneratedHeaders::of(&[header]))
    })
}

/// Removes what later viewers do not get (CF-246, CF-308, CF-836).
pub(super) fn drop_unshared(head: &mut ResponseHeader, stored: &StoredFacts) {
    for name in stored.unshared.iter() {
        head.remove_header(name);
    }
}

/// The head to store, and the names that only the first viewer gets. Pingora serves the first viewer out of
/// the stored copy too, so these are taken away when the copy is used again instead of when it is made.
fn stored_head(
    rules: &StoreRules<'_>,
    head: &ResponseHeader,
    now: SystemTime,
) -> Result<(ResponseHeader, Vec<HeaderName>)> {
    let mut shared = head.headers.clone();
    policy::strip_for_storage(
        rules.mode,
        rules.cdn_cc,
        rules.strip_set_cookie,
        &mut shared,
        now,
    );
    let mut kept = head.clone();
    let mut unshared = Vec::new();
    for name in head.headers.keys().filter(|n| !shared.contains_key(*n)) {
        if *name == header::AGE || policy::HOP_BY_HOP.contains(name) {
            kept.remove_header(name);
        } else {
            unshared.push(name.clone());
        }
    }
    for (name, value) in &shared {
        if !head.headers.contains_key(name) {
            kept.append_header(name.clone(), value.clone())?;
        }
    }
    Ok((kept, unshared))
}

/// In a record that is being stored: `Accept-Ranges` in its head is the node's word (CF-542). The viewer whose request brings
/// the answer gets the origin's alone, as nothing is complete by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct OffersRanges;

/// Says of an answer to be stored, whose origin says nothing of it, that parts can be had: the cache has them once it
/// is complete (CF-542). Parts of a compressed one would be parts of what few viewers have.
fn offer_ranges(head: &mut ResponseHeader) -> Option<OffersRanges> {
    let says = |name| head.headers.contains_key(name);
    if head.status != StatusCode::OK
        || says(header::CONTENT_ENCODING)
        || says(header::ACCEPT_RANGES)
    {
        return None;
    }
    let added = head.insert_header("Accept-Ranges", "bytes");
    added.ok().map(|()| OffersRanges)
}

/// A stored head updated from a 304 (CF-282, RFC 9111 section 3.2).
fn merge(
    mode: CacheMode,
    stored: &CacheMeta,
    update: &HeaderMap,
    now: SystemTime,
) -> Result<ResponseHeader> {
    let mut fields = stored.headers().clone();
    let facts = StoredFacts::of(stored);
    let encoding = facts
        .as_deref()
        .map_or(EdgeEncoding::AsReceived, Facts::encoding);
    policy::merge_not_modified(mode, &mut fields, encoding, update, now);
    let mut merged = ResponseHeader::build(stored.response_header().status, Some(fields.len()))?;
    for (name, value) in &fields {
        merged.append_header(name.clone(), value.clone())?;
    }
    Ok(merged)
}

fn kept(meta: &CacheMeta, now: SystemTime) -> Kept {
    Kept::Stored {
        ttl: StoredFacts::of(meta).map_or(0, |s| s.freshness().ttl(now)),
    }
}

async fn write(
    session: &mut Session,
    meta: CacheMeta,
    variant: Option<HashBinary>,
    generated: &Generated,
) -> Result<()> {
    let cache = &mut session.cache;
    if cache.phase() == CachePhase::Bypass {
        return Err(ctx_internal(&"the cache is bypassed"));
    }
    cache.set_cache_meta(meta);
    if matches!(cache.phase(), CachePhase::Miss | CachePhase::Expired) {
        cache.update_variance(variant);
    }
    cache.set_miss_handler().await?;
    if let Some(handler) = cache.miss_handler() {
        handler.write_body(generated.body.clone(), true).await?;
    }
    cache.finish_miss_handler().await
}

pub(super) fn length(head: &ResponseHeader) -> Option<u64> {
    head.headers
        .get(header::CONTENT_LENGTH)
        .and_then(HeaderValueExt::number)
}

/// Whether a page stands in for the answer to a request, which is not itself one for a page.
fn has_page(
    is_page: bool,
    exchange: &Exchange,
    request: &RequestHeader,
    status: StatusCode,
) -> bool {
    !is_page && status.as_u16() >= 400 && page_of(exchange, request, status.as_u16()).is_some()
}

/// Whether an answer that is not stored itself takes what is stored away: the origin was asked about it, and says that
/// there is no such thing for a viewer (CF-288). Kept, it would stand in for the next failure of the origin. 416 is about
/// a part.
fn ends_stored(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::RANGE_NOT_SATISFIABLE
}

/// Whether a status says nothing of the object that was asked for.
const fn says_nothing(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        401 | 403 | 407 | 408 | 421 | 425 | 429 | 500..
    )
}

/// Bytes that are stored as one object of what is at hand, when that is cut (CF-544).
fn stored_length(session: &Session, head: &ResponseHeader) -> Option<u64> {
    let stored = session.cache.maybe_cache_meta().and_then(StoredFacts::of)?;
    let segment = u64::from(stored.layout?.segment);
    Some(length(head).map_or(segment, |length| length.min(segment)))
}

/// Remembers what the origin called a body that the node has compressed (CF-281).
fn note_compressed(meta: &mut CacheMeta, compressed: Option<&Compressed>) {
    if let (Some(compressed), Some(facts)) = (compressed, StoredFacts::of(meta)) {
        let facts = facts.with_compressed(Some(compressed.clone()));
        meta.extensions_mut().insert(facts);
    }
}

/// A body stays cut, compressed or left out, as it was when only its head is new.
fn keep_form(session: &Session, meta: &mut CacheMeta) {
    let stored = session.cache.maybe_cache_meta().and_then(StoredFacts::of);
    let (Some(stored), Some(mut facts)) = (stored, StoredFacts::of(meta)) else {
        return;
    };
    if stored.layout.is_some() {
        facts = facts.with_layout(stored.layout);
    }
    if let Some(compressed) = stored.compressed.as_deref() {
        facts = facts.with_compressed(Some(compressed.clone()));
    }
    if stored.has_no_body {
        facts = facts.without_body();
    }
    meta.extensions_mut().insert(facts);
}

/// Whether the cache had no room for the answer it was about to take: what was decided to be stored is not.
/// Everything else that can keep it from being stored has been asked before ([`Edge::decide_store`]).
pub(super) fn found_no_room(phase: CachePhase) -> bool {
    matches!(phase, CachePhase::Disabled(NoCacheReason::StorageError))
}

trait HeaderValueExt {
    fn number(&self) -> Option<u64>;
}

impl HeaderValueExt for HeaderValue {
    fn number(&self) -> Option<u64> {
        self.to_str().ok()?.trim().parse().ok()
    }
}
