//! The explanation as a JSON document: what `fourfront explain --json` prints, and the other output is made of.

use std::time::{Duration, SystemTime};

use fourfront_cache::{
    policy::{self, FailureAnswer, Grace, OnError, Revalidation, Verdict},
    purge::{Cause, Standing, tag_names},
};
use fourfront_model::{CacheMode, Distribution, EventType, FunctionAssociations, Origin};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use super::{Asked, matched_by, pairs, refusal};
use crate::{
    flow::{Exchange, ViewerFault},
    node::Node,
    observe::access::rfc3339,
    pingora::{Explained, Ruling, Tier, Told, Vary},
    purge::tag_limits,
};

/// The document for a request that was gone through.
pub(super) fn of(
    node: &Node,
    asked: &Asked,
    exchange: &Exchange,
    explained: &Explained,
    dropped: &[String],
    now: SystemTime,
) -> Value {
    let mut document = base(node, asked, Some(exchange), now);
    let behavior = exchange.route.behavior();
    let rules = exchange.route.store_rules();
    let allowed = policy::may_use_cache(&rules, &asked.method);
    document["cache"] = json!({
        "mode": mode(exchange.route.distribution()),
        "method_may_use_it": rules.cached_methods.caches(asked.method.as_str()),
        "policy_allows": !behavior.cache_policy.ttl.disables_caching(),
        "may_be_used": allowed.is_ok(),
        "min_ttl": behavior.cache_policy.ttl.min(),
        "default_ttl": behavior.cache_policy.ttl.default_ttl(),
        "max_ttl": behavior.cache_policy.ttl.max(),
    });
    if let Some(key) = explained.key {
        let parts = explained.parts.iter();
        document["key"] = json!({
            "hash": key.to_string(),
            "parts": parts
                .map(|part| json!({ "part": part.name(), "value": part.value() }))
                .collect::<Vec<_>>(),
        });
    }
    if let Some(vary) = &explained.vary {
        document["vary"] = varies(vary);
    }
    let copies = explained.copies.iter();
    document["stored"] = copies
        .map(|copy| stored(node, exchange, copy, now))
        .collect();
    let found = explained.copies.iter().find(|copy| copy.found);
    document["verdict"] = json!({
        "result": word(explained.ruling),
        "reason": explained.reason.as_ref().map(ToString::to_string),
        "reason_word": explained.reason.as_ref().map(fourfront_cache::Reason::word),
        "grace": match explained.ruling {
            Ruling::Stale(grace) => grace_word(grace),
            _ => None,
        },
        "origin": origin(explained, found),
        "cache_status": explained.cache_status,
    });
    document["origin_request"] = explained.sent.as_ref().map_or(Value::Null, |sent| {
        let fields = sent.fields.iter();
        json!({
            "origin": sent.origin,
            "target": sent.target,
            "headers": fields
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect::<Vec<_>>(),
        })
    });
    document["notes"] = notes(asked, exchange, explained, dropped).into();
    document
}

/// The document for a request that is refused before it gets that far.
pub(super) fn of_refused(
    node: &Node,
    asked: &Asked,
    exchange: Option<&Exchange>,
    fault: &ViewerFault,
    now: SystemTime,
) -> Value {
    let mut document = base(node, asked, exchange, now);
    let (status, detail) = refusal(fault);
    document["stored"] = json!([]);
    document["verdict"] = json!({
        "result": "refused",
        "reason": null,
        "reason_word": null,
        "grace": null,
        "origin": "not asked",
        "cache_status": null,
        "status": status,
        "detail": detail,
    });
    document["notes"] = json!([]);
    document
}

fn base(node: &Node, asked: &Asked, exchange: Option<&Exchange>, now: SystemTime) -> Value {
    let mut document = json!({
        "node": node.name(),
        "time": rfc3339(now),
        "request": {
            "method": asked.method.as_str(),
            "host": asked.host,
            "target": asked.target,
            "headers": pairs(&asked.headers),
            "viewer": asked.viewer,
        },
    });
    let Some(exchange) = exchange else {
        return document;
    };
    let distribution = exchange.route.distribution();
    document["distribution"] = json!({
        "id": distribution.id,
        "domain_name": distribution.domain_name,
        "matched_by": matched_by(&asked.host, exchange),
    });
    let behavior = exchange.route.behavior();
    let own = behavior.path_pattern.as_str();
    let path = asked.target.split('?').next().unwrap_or_default();
    let tried: Vec<_> = distribution
        .behaviors
        .iter()
        .map(|b| b.path_pattern.as_str())
        .take_while(|pattern| *pattern != own)
        .collect();
    let is_default = std::sync::Arc::ptr_eq(behavior, &distribution.default_behavior);
    document["behavior"] = json!({
        "path_pattern": own,
        "default": is_default,
        "path": fourfront_model::normalize_path(path),
        "did_not_match": tried,
        "cache_policy": behavior.cache_policy.name,
        "origin_request_policy": behavior.origin_request_policy.as_ref().and_then(|p| p.name.as_deref()),
        "response_headers_policy": behavior.response_headers_policy.as_ref().and_then(|p| p.name.as_deref()),
        "origin": distribution.origin_of(behavior).id,
    });
    let origin = distribution.origin_of(behavior);
    if let Some(pool) = exchange.route.snapshot().origins().pool(origin) {
        document["behavior"]["servers"] = crate::origins::servers(pool);
    }
    if let Some(shield) = shield(node, exchange, origin) {
        document["behavior"]["shield"] = shield;
    }
    document["functions"] = functions(&behavior.functions);
    document
}

/// The shield that stands between this node and an origin (CF-415).
fn shield(node: &Node, exchange: &Exchange, origin: &Origin) -> Option<Value> {
    let region = origin.shield.as_ref()?;
    let shield = exchange.route.snapshot().settings().shield.of(region)?;
    let rests = node
        .origins()
        .rests()
        .rests(region.as_str(), node.clock().now());
    Some(json!({
        "region": region.as_str(),
        "state": if rests { "left out" } else { "asked" },
        "nodes": shield.urls(),
    }))
}

fn functions(all: &FunctionAssociations) -> Value {
    all.iter()
        .map(|(event, association)| {
            let function = &association.function;
            json!({
                "event_type": event.as_str(),
                "name": function.name.as_str(),
                "version": function.version.0,
                "runtime": function.cloudfront().map_or("lambda@edge", |f| f.runtime.as_str()),
            })
        })
        .collect()
}

const fn word(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Hit => "hit",
        Ruling::Stale(_) => "stale",
        Ruling::Miss => "miss",
        Ruling::Bypass => "bypass",
        Ruling::Invalidated => "invalidated",
    }
}

const fn grace_word(grace: Grace) -> Option<&'static str> {
    match grace {
        Grace::WhileRevalidating => Some("stale-while-revalidate"),
        Grace::HeldOff => Some("held-off"),
        Grace::Accepted => Some("max-stale"),
        Grace::None => None,
    }
}

const fn mode(distribution: &Distribution) -> &'static str {
    match distribution.cache_mode {
        CacheMode::Rfc9111 => "rfc9111",
        CacheMode::Cloudfront => "cloudfront",
    }
}

/// What the request makes of the origin.
fn origin(explained: &Explained, found: Option<&Told>) -> &'static str {
    match explained.ruling {
        Ruling::Hit | Ruling::Stale(Grace::HeldOff | Grace::Accepted) => "not asked",
        Ruling::Stale(Grace::WhileRevalidating) => "asked in the background",
        _ if explained.only_if_cached => "not asked",
        Ruling::Stale(Grace::None) => match found.map(|copy| &copy.revalidation) {
            Some(Revalidation::Conditional { .. }) => "asked with the stored validators",
            _ => "asked",
        },
        Ruling::Miss | Ruling::Bypass | Ruling::Invalidated => "asked",
    }
}

fn varies(vary: &Vary) -> Value {
    let fields = vary.fields.as_ref().map(|fields| {
        fields
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Vec<_>>()
    });
    json!({ "fields": fields, "variant": vary.variant.map(hex) })
}

fn stored(node: &Node, exchange: &Exchange, copy: &Told, now: SystemTime) -> Value {
    let freshness = &copy.freshness;
    let distribution = exchange.route.distribution();
    let tags = distribution.cache_tags.as_ref().map_or_else(Vec::new, |t| {
        let lines = copy.headers.get_all(t.header.as_str());
        let limits = tag_limits(&exchange.route.snapshot().settings().quotas);
        tag_names(t.separator, limits, lines.iter().map(HeaderValue::as_bytes))
    });
    let (state, staleness) = match (copy.standing, copy.verdict) {
        (Standing::Gone { .. }, _) => ("gone", None),
        (_, Verdict::Fresh) => ("fresh", None),
        (_, Verdict::Stale { staleness, .. }) => ("stale", Some(seconds(staleness))),
    };
    let conditions: &[&str] = match &copy.revalidation {
        Revalidation::Unconditional => &[],
        Revalidation::Conditional {
            etag,
            last_modified,
        } => match (etag, last_modified) {
            (Some(_), None) => &["if-none-match"],
            (None, _) => &["if-modified-since"],
            (Some(_), Some(_)) => &["if-none-match", "if-modified-since"],
        },
    };
    let (on_error, window) = match freshness.on_error() {
        OnError::Never => ("never", None),
        OnError::Within(window) => ("within", Some(seconds(window))),
        OnError::IfUnreachable => ("if-unreachable", None),
        OnError::Always => ("always", None),
    };
    json!({
        "tier": match copy.tier {
            Tier::Arriving => "arriving",
            Tier::Memory => "memory",
            Tier::Disk => "disk",
        },
        "found": copy.found,
        "key": copy.key.to_string(),
        "variant": copy.variant.map(hex),
        "status": copy.status.as_u16(),
        "bytes": copy.length,
        "stored_at": rfc3339(copy.stored_at),
        "state": state,
        "failure": copy.failure,
        "tags": tags,
        "fields": telling_fields(distribution, &copy.headers),
        "ttl": {
            "source": freshness.source().as_str(),
            "lifetime": seconds(freshness.lifetime()),
            "received": rfc3339(freshness.received()),
            "initial_age": seconds(freshness.initial_age()),
            "age": freshness.age_seconds(now),
            "remaining": freshness.ttl(now),
            "fresh_until": freshness.fresh_until().map(rfc3339),
        },
        "stale": {
            "for": staleness,
            "while_revalidate": seconds(freshness.while_revalidating()),
            "on_error": on_error,
            "on_error_window": window,
            "oldest": seconds(freshness.stale_limit()),
            "held_off_until": freshness.held_until().map(rfc3339),
            "conditions": conditions,
            "if_unreachable": failure(copy.when_unreachable),
            "if_503": failure(copy.when_failing),
        },
        "invalidation": invalidation(node, distribution, copy),
    })
}

const fn failure(answer: FailureAnswer) -> &'static str {
    match answer {
        FailureAnswer::Stale => "stale",
        FailureAnswer::GatewayTimeout => "504",
        FailureAnswer::Failure => "the failure",
    }
}

/// The invalidation that ended a copy, or made it stale, as far as it is remembered.
fn invalidation(node: &Node, distribution: &Distribution, copy: &Told) -> Value {
    let (by, effect, since) = match copy.standing {
        Standing::Valid => return Value::Null,
        Standing::Stale { by, since } => (Cause::Invalidation(by), "stale", Some(rfc3339(since))),
        Standing::Gone { by } => (by, "gone", None),
    };
    let all = node.cache().invalidations();
    let remembered = all.get(&distribution.id, by.as_str());
    json!({
        "id": by.as_str(),
        "by": match by {
            Cause::Invalidation(_) => "invalidation",
            // By a request to its URL: none that is listed (CF-807).
            Cause::Change => "change",
        },
        "effect": effect,
        "since": since,
        "create_time": remembered.as_ref().map(|i| rfc3339(i.batch.created)),
        "items": copy.named_by,
    })
}

/// The fields that lifetimes and validation go by.
fn telling_fields(distribution: &Distribution, headers: &HeaderMap) -> Value {
    let targeted = policy::targets(distribution.cdn_cc.field.clone());
    let names = [
        header::CACHE_CONTROL,
        header::EXPIRES,
        header::DATE,
        header::ETAG,
        header::LAST_MODIFIED,
        header::VARY,
    ];
    let names = names.iter().map(header::HeaderName::as_str);
    let mut kept = HeaderMap::new();
    for name in names.chain(targeted.iter().map(header::HeaderName::as_str)) {
        for value in headers.get_all(name) {
            if let Ok(name) = header::HeaderName::from_bytes(name.as_bytes()) {
                kept.append(name, value.clone());
            }
        }
    }
    pairs(&kept)
}

fn notes(
    asked: &Asked,
    exchange: &Exchange,
    explained: &Explained,
    dropped: &[String],
) -> Vec<String> {
    let mut notes = Vec::new();
    let functions = &exchange.route.behavior().functions;
    if let Some(association) = functions.at(EventType::ViewerRequest) {
        notes.push(format!(
            "the viewer-request function {} was not run: the key is computed as if it left the request alone",
            association.function.name.as_str()
        ));
    }
    let at_origin = functions.at(EventType::OriginRequest);
    if let (Some(association), Some(_)) = (at_origin, &explained.sent) {
        notes.push(format!(
            "the origin-request function {} was not run: it may change what is sent",
            association.function.name.as_str()
        ));
    }
    if !dropped.is_empty() {
        notes.push(format!(
            "viewers may not set {}: dropped (CF-358)",
            dropped.join(", ")
        ));
    }
    let path = asked.target.split('?').next().unwrap_or_default();
    if let Some(object) = exchange.route.root_object(path.as_bytes()) {
        notes.push(format!(
            "the default root object takes the place of /: {} (CF-040)",
            String::from_utf8_lossy(&object)
        ));
    }
    let served = matches!(
        explained.ruling,
        Ruling::Hit | Ruling::Stale(Grace::WhileRevalidating | Grace::HeldOff | Grace::Accepted)
    );
    if explained.only_if_cached && !served {
        notes.push("the request says only-if-cached: it gets 504 (CF-829)".to_owned());
    }
    notes
}

/// Seconds, with a fraction where there is one.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}
