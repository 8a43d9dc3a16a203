//! What the cache would do with a request (CP-606): the look-up of a request gone through without using, fetching or counting
//! anything. Where a decision is made, it is the one that requests meet.

use std::time::SystemTime;

use fourfront_cache::{
    Outcome, Reason, StaleCause,
    key::{
        self, CacheKey, KeyPart, Signatures, cache_key, key_parts, keys_of_one_coding, vary_fields,
    },
    policy::{
        self, FailureAnswer, Freshness, Grace, OriginCookies, OriginFailure, Revalidation, Verdict,
    },
    purge::{Cause, Standing},
};
use fourfront_model::{CacheMode, OriginKind};
use fourfront_origin::request::{self, Preconditions, RangeSent};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use pingora::http::RequestHeader;

pub(crate) use super::storage::Tier;
use super::{
    origin_request::{ToOrigin, request_to},
    parts::sliced,
    storage::{CacheStorage, StoredCopy, slot},
    store::{variant, varying_fields},
    viewer_side::{Keyed, key_request, split},
};
use crate::{
    flow::{Exchange, Lookup, ViewerRequest},
    node::Node,
};

/// A request to be explained: after admission, as the viewer-request function would get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a [u8],
    pub(crate) headers: &'a HeaderMap,
}

/// What would be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// A fresh copy answers.
    Hit,
    /// A stale copy is there, and may answer at once, or not.
    Stale(Grace),
    /// Nothing is there that answers.
    Miss,
    /// The cache takes no part.
    Bypass,
    /// A copy is there that was invalidated.
    Invalidated,
}

/// The way of a request through the cache.
pub(crate) struct Explained {
    pub(crate) ruling: Ruling,
    /// The word of logs, metrics and `Cache-Status`; `None` for a plain hit.
    pub(crate) reason: Option<Reason>,
    /// The member of `Cache-Status` that the answer would have, where no answer of an origin is needed to know it.
    pub(crate) cache_status: Option<String>,
    /// `None` for methods that have none.
    pub(crate) key: Option<CacheKey>,
    pub(crate) parts: Vec<KeyPart>,
    /// What the response under the key varies on, if one is there that does.
    pub(crate) vary: Option<Vary>,
    pub(crate) copies: Vec<Told>,
    /// The request that an origin on the network would get, where one would be asked.
    pub(crate) sent: Option<Sent>,
    /// Whether the request wants no fetch (CF-829): it gets 504 where the cache does not answer.
    pub(crate) only_if_cached: bool,
}

/// The variant that a request selects.
pub(crate) struct Vary {
    /// The fields, each with its value in the request as the origin gets it; `None` when `Vary` is beyond what can be
    /// selected by.
    pub(crate) fields: Option<Vec<(String, Option<String>)>>,
    pub(crate) variant: Option<[u8; 16]>,
}

/// A request as it goes to an origin, but for what is made for each: what signs it, and its id. No function has run.
pub(crate) struct Sent {
    /// The origin's id.
    pub(crate) origin: String,
    /// Path and query, with the origin's own path before it.
    pub(crate) target: String,
    /// Its fields in order. Values that the origin's configuration adds may be secrets, and are not told.
    pub(crate) fields: Vec<(String, String)>,
}

/// One stored copy.
pub(crate) struct Told {
    pub(crate) tier: Tier,
    pub(crate) key: CacheKey,
    pub(crate) variant: Option<[u8; 16]>,
    /// Whether it is the one that the request finds.
    pub(crate) found: bool,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Length of its body in bytes, when it is known.
    pub(crate) length: Option<u64>,
    pub(crate) stored_at: SystemTime,
    pub(crate) freshness: Freshness,
    pub(crate) verdict: Verdict,
    pub(crate) standing: Standing,
    /// Items of the invalidation in `standing` that name it, while that is remembered.
    pub(crate) named_by: Vec<String>,
    /// The failure that it stands for (CF-296).
    pub(crate) failure: Option<String>,
    /// How the origin is asked about it.
    pub(crate) revalidation: Revalidation,
    /// What answers when the origin cannot be reached.
    pub(crate) when_unreachable: FailureAnswer,
    /// What answers when the origin says 503.
    pub(crate) when_failing: FailureAnswer,
}

/// Goes the way of a request through the cache, at the time `now`. Looks at every object in memory, so it is not for a thread
/// that serves.
pub(crate) async fn explain(
    node: &Node,
    state: ViewerRequest,
    question: Question<'_>,
    now: SystemTime,
) -> Explained {
    let Question {
        method,
        target,
        headers,
    } = question;
    let cache = node.cache();
    let (path, query) = split(target);
    let mut lookup = state.pass(path, method);
    lookup.heed(headers);
    let exchange = lookup.exchange.clone();
    let policy = &exchange.route.behavior().cache_policy;
    let keyed = Keyed {
        method,
        target,
        headers,
        version: Version::HTTP_11,
    };
    let seen = lookup.path(path).to_vec();
    let generated = exchange.generated(exchange.route.generated().keyed);
    let request = key_request(
        (&exchange.route, exchange.key_name()),
        &keyed,
        &seen,
        query,
        &generated,
    );
    let key = cache_key(cache.secret(), policy, &request);
    let mut shelf = match &key {
        Some(key) => {
            let mut shelf = Shelf::of(cache, key, &exchange, headers, &mut lookup).await;
            let codings = keys_of_one_coding(cache.secret(), policy, &request);
            for other in codings.iter().flatten() {
                if shelf.at(key).is_none() && shelf.found.is_none() {
                    let reason = lookup.reason.clone();
                    let other = Shelf::of(cache, other, &exchange, headers, &mut lookup).await;
                    lookup.reason = reason;
                    shelf.borrow(other, now);
                }
            }
            if *method == Method::HEAD
                && let Some(copy) = cache.head_only(key)
            {
                let found = shelf.found.is_none() && shelf.at(key).is_none();
                shelf.borrow(
                    Shelf {
                        found: found.then_some(copy.key),
                        copies: vec![copy],
                        vary: None,
                    },
                    now,
                );
            }
            shelf
        }
        None => Shelf::default(),
    };
    // A disk that is asked more than once may tell the same twice.
    shelf.order();
    let found = shelf.found.and_then(|key| shelf.at(&key));
    let (ruling, outcome) = rule(&mut lookup, found.map(|at| &shelf.copies[at]), now);
    let status = found.map_or(StatusCode::OK, |at| shelf.copies[at].head.packed().status());
    // Mode `cloudfront` has no such field, nor have pages for failures, which are the node's own (CF-780).
    let is_failure = found.is_some_and(|at| shelf.copies[at].head.facts().fault.is_some());
    let name = exchange.route.fields().cache_name.as_ref();
    let mode = exchange.route.distribution().cache_mode;
    let name = name.filter(|_| mode == CacheMode::Rfc9111 && !is_failure);
    let cache_status = outcome
        .as_ref()
        .zip(name)
        .map(|(outcome, name)| outcome.cache_status(name, status, None).to_string());
    let reason = match &outcome {
        Some(outcome) => outcome.reason(status),
        None => Some(lookup.bypass.clone().unwrap_or(lookup.reason)),
    };
    let copies: Vec<Told> = shelf
        .copies
        .iter()
        .enumerate()
        .map(|(at, copy)| tell(cache, &exchange, headers, copy, found == Some(at), now))
        .collect();
    let stale = copies
        .iter()
        .find(|copy| copy.found && ruling != Ruling::Invalidated);
    let sent = (ruling != Ruling::Hit)
        .then(|| sent(node, &exchange, &question, ruling, stale))
        .flatten();
    Explained {
        ruling,
        reason,
        cache_status,
        key,
        parts: key_parts(policy, &request).unwrap_or_default(),
        copies,
        sent,
        vary: shelf.vary,
        only_if_cached: lookup.asked.only_if_cached,
    }
}

/// What would be sent to the origin. `None` of a directory, which gets no request, and of what cannot be sent.
fn sent(
    node: &Node,
    exchange: &Exchange,
    question: &Question<'_>,
    ruling: Ruling,
    stale: Option<&Told>,
) -> Option<Sent> {
    let origin = exchange.assigned_origin();
    if matches!(origin.kind, OriginKind::Dir(_)) {
        return None;
    }
    let mut viewer = RequestHeader::build(question.method.clone(), question.target, None).ok()?;
    for (name, value) in question.headers {
        viewer.append_header(name.clone(), value.clone()).ok()?;
    }
    let distribution = exchange.route.distribution();
    let is_bypassed = ruling == Ruling::Bypass;
    let range = match distribution.range_slice.bytes() {
        _ if is_bypassed => RangeSent::Forward,
        _ if question.method != Method::GET || !question.headers.contains_key(header::RANGE) => {
            RangeSent::Strip
        }
        None => RangeSent::Forward,
        Some(slice) => sliced(question.headers, slice).0,
    };
    let preconditions = |_| match stale.map(|copy| &copy.revalidation) {
        _ if is_bypassed => Preconditions::Forward,
        Some(Revalidation::Conditional {
            etag,
            last_modified,
        }) => Preconditions::Validate {
            etag: etag.clone(),
            last_modified: last_modified.clone(),
        },
        Some(Revalidation::Unconditional) => Preconditions::Strip,
        None if policy::strips_conditionals_on_miss(distribution.cache_mode) => {
            Preconditions::Strip
        }
        None => Preconditions::Forward,
    };
    let to = ToOrigin {
        viewer: &viewer,
        has_body: false,
        origin,
        host: None,
        range,
    };
    let parts = request_to(node.name(), exchange, to, preconditions);
    let request = request::OriginRequest {
        path: parts.path,
        query: parts.query,
        headers: parts.lines,
    };
    let id = HeaderValue::from_static("(of each request)");
    let wire = request::finish(request, origin, &id, None).ok()?;
    let is_configured = |name: &HeaderName| {
        let mut custom = origin.custom_headers.iter();
        custom.any(|(own, _)| own.eq_ignore_ascii_case(name.as_str()))
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = wire.headers.iter().map(|line| {
        let value = match is_configured(&line.name) {
            true => "(as configured)".to_owned(),
            false => text(line.value.as_bytes()),
        };
        (text(&line.key), value)
    });
    Some(Sent {
        origin: origin.id.clone(),
        target: text(&wire.target),
        fields: fields.collect(),
    })
}

/// What a request is answered with, by what it finds.
fn rule(
    lookup: &mut Lookup,
    found: Option<&StoredCopy>,
    now: SystemTime,
) -> (Ruling, Option<Outcome>) {
    if lookup.bypass.is_some() {
        return (Ruling::Bypass, None);
    }
    let Some(copy) = found else {
        return (Ruling::Miss, None);
    };
    let facts = copy.head.facts();
    let freshness = facts.freshness();
    let ttl = freshness.ttl(now);
    let stale = |cause| Some(Outcome::Stale { ttl, cause });
    match lookup.judge(facts.stamp.standing(), &freshness, now) {
        None => (Ruling::Invalidated, None),
        Some(Verdict::Fresh) => (Ruling::Hit, Some(Outcome::Hit { ttl })),
        Some(Verdict::Stale { grace, .. }) => {
            let outcome = match grace {
                Grace::WhileRevalidating => stale(StaleCause::Revalidating),
                Grace::HeldOff => stale(StaleCause::HeldOff),
                Grace::Accepted => stale(StaleCause::Accepted),
                Grace::None => None,
            };
            (Ruling::Stale(grace), outcome)
        }
    }
}

/// What is stored under a key and for its variants.
#[derive(Default)]
struct Shelf {
    copies: Vec<StoredCopy>,
    /// Under which key the request's own is, if there is one.
    found: Option<CacheKey>,
    vary: Option<Vary>,
}

impl Shelf {
    /// Looks in the order of a request: under the primary key, then under that of the variant that what is there tells of
    /// (CF-824).
    async fn of(
        cache: &CacheStorage,
        key: &CacheKey,
        exchange: &Exchange,
        headers: &HeaderMap,
        lookup: &mut Lookup,
    ) -> Self {
        let mut shelf = Self {
            copies: cache.variants_in_memory(key),
            ..Self::default()
        };
        let mut keys: Vec<_> = shelf.copies.iter().map(|copy| copy.key).collect();
        keys.push(*key);
        for key in &keys {
            shelf.add(cache, key).await;
        }
        let Some(at) = shelf.at(key) else {
            return shelf;
        };
        let primary = shelf.copies[at].clone();
        let stored = &primary.head.headers();
        let Some(wanted) = variant(cache.secret(), stored, exchange, headers) else {
            shelf.found = Some(*key);
            return shelf;
        };
        let fields = vary_fields(stored);
        shelf.vary = Some(Vary {
            variant: fields.is_some().then_some(wanted),
            fields: fields.map(|names| selecting(&names, exchange, stored, headers)),
        });
        if primary.head.variance() == Some(wanted) {
            shelf.found = Some(*key);
            return shelf;
        }
        lookup.looks_for_another_variant(stored);
        let slot = slot(key, wanted);
        if !keys.contains(&slot) {
            shelf.add(cache, &slot).await;
        }
        // What is older than the response under the primary key is passed over by requests.
        let usable = shelf.at(&slot).map(|at| &shelf.copies[at]);
        let usable = usable.filter(|copy| {
            copy.head.variance() == Some(wanted) && copy.head.created() >= primary.head.created()
        });
        shelf.found = usable.map(|copy| copy.key);
        shelf
    }

    /// Adds what is stored for others. It is never asked about: only a fresh one answers (CF-208, CF-529).
    fn borrow(&mut self, other: Self, now: SystemTime) {
        let fresh = |at: usize| {
            let facts = other.copies[at].head.facts();
            facts.stamp.standing() == Standing::Valid
                && facts.freshness().judge(now) == Verdict::Fresh
        };
        let found = other.found.filter(|key| other.at(key).is_some_and(fresh));
        if found.is_some() {
            (self.found, self.vary) = (found, other.vary);
        }
        self.copies.extend(other.copies);
    }

    /// Adds what is arriving and what is on disk.
    async fn add(&mut self, cache: &CacheStorage, key: &CacheKey) {
        self.copies.extend(cache.arriving(key));
        self.copies.extend(cache.peek_disk(key).await);
    }

    /// The copy under a key that a request finds: one that is arriving before one in memory, and that before the disk.
    fn at(&self, key: &CacheKey) -> Option<usize> {
        let copies = self.copies.iter().enumerate();
        copies
            .filter(|(_, copy)| copy.key == *key)
            .min_by_key(|(_, copy)| copy.tier)
            .map(|(at, _)| at)
    }

    fn order(&mut self) {
        self.copies.sort_by_key(|copy| (copy.key, copy.tier));
        self.copies.dedup_by_key(|copy| (copy.key, copy.tier));
        if let Some(found) = self.found {
            // The request's own first.
            self.copies.sort_by_key(|copy| copy.key != found);
        }
    }
}

/// The fields that make the variant, as the origin gets them.
fn selecting(
    names: &[HeaderName],
    exchange: &Exchange,
    stored: &HeaderMap,
    headers: &HeaderMap,
) -> Vec<(String, Option<String>)> {
    let sent = varying_fields(exchange, stored, headers);
    let value = |name: &HeaderName| {
        let lines: Vec<_> = sent
            .get_all(name)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    };
    names
        .iter()
        .map(|name| (name.as_str().to_owned(), value(name)))
        .collect()
}

fn tell(
    cache: &CacheStorage,
    exchange: &Exchange,
    headers: &HeaderMap,
    copy: &StoredCopy,
    found: bool,
    now: SystemTime,
) -> Told {
    let (head, facts) = (&copy.head, copy.head.facts());
    let freshness = facts.freshness();
    let distribution = exchange.route.distribution();
    let behavior = exchange.route.behavior();
    let mode = distribution.cache_mode;
    let standing = facts.stamp.standing();
    let named_by = match standing {
        Standing::Valid | Standing::Gone { by: Cause::Change } => Vec::new(),
        Standing::Stale { by, .. }
        | Standing::Gone {
            by: Cause::Invalidation(by),
        } => {
            let invalidation = cache.invalidations().get(&distribution.id, by.as_str());
            invalidation.map_or_else(Vec::new, |invalidation| {
                let items = invalidation.items_naming(&facts.stamp);
                items.map(ToString::to_string).collect()
            })
        }
    };
    let cookies = key::forwarded_cookies(
        &behavior.cache_policy,
        behavior.origin_request_policy.as_deref(),
        Signatures::of(behavior),
        headers,
    );
    let cookies = match cookies {
        Some(_) => OriginCookies::Sent,
        None => OriginCookies::None,
    };
    let encoding = facts.encoding();
    let failing = OriginFailure::Status(StatusCode::SERVICE_UNAVAILABLE);
    Told {
        tier: copy.tier,
        key: copy.key,
        variant: head.variance(),
        found,
        status: head.packed().status(),
        headers: head.headers(),
        length: copy.length,
        stored_at: head.created(),
        verdict: freshness.judge(now),
        standing,
        named_by,
        failure: facts.fault.as_ref().map(ToString::to_string),
        revalidation: policy::revalidation(mode, &freshness, &head.headers(), encoding, cookies),
        when_unreachable: freshness.on_failure(mode, OriginFailure::Unreachable, now),
        when_failing: freshness.on_failure(mode, failing, now),
        freshness,
    }
}
