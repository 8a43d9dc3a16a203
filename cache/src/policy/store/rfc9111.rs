//! Mode `rfc9111`: RFC 9111 section 3 for a shared cache, with the policy's TTLs as far as the RFC
//! leaves room for them (CF-820..832).

use std::time::Duration;

use fourfront_model::Heuristic;
use http::{HeaderMap, StatusCode, header};

use super::Times;
use crate::{
    Refusal,
    key::vary_fields,
    policy::{
        Authorization, CacheControl, Freshness, LifetimeSource, OnError, RequestFacts,
        ResponseFacts, StoreRules, Varies,
        cache_control::Scope,
        date::{date, seconds_between},
        targeted::targeted,
    },
};

pub(super) fn decide(
    rules: &StoreRules<'_>,
    request: &RequestFacts<'_>,
    response: &ResponseFacts<'_>,
) -> Result<Freshness, Refusal> {
    let headers = response.headers;
    let times = Times::of(response);
    // CF-801, CF-837: a targeted field replaces both `Cache-Control` and `Expires`.
    let (cc, explicit) = match targeted(rules.cdn_cc, headers) {
        Some(cc) => {
            let explicit = times.explicit(&cc, &HeaderMap::new());
            (cc, explicit)
        }
        None => {
            let cc = CacheControl::of(headers);
            let explicit = times.explicit(&cc, headers);
            (cc, explicit)
        }
    };
    forbidden(request, response, &cc, explicit.is_some())?;

    let (lifetime, source) = match explicit {
        // CF-821: validated on each use, whatever lifetime stands beside it.
        _ if cc.no_cache.is_whole() => (Duration::ZERO, LifetimeSource::NoCache),
        // CF-822: the maximum caps, the minimum is ignored.
        Some(explicit) => times.clamp(explicit, 0, rules.policy.ttl.max()),
        None => heuristic(rules, response, &cc, &times)?,
    };
    let mut freshness = times.freshness(lifetime, source);
    freshness.stale_limit = Duration::from_secs(rules.policy.ttl.max());
    // CF-827, RFC 9111 section 4.2.4: all of these forbid stale use without validation.
    let validate_always = cc.no_cache.is_whole()
        || cc.must_revalidate
        || cc.proxy_revalidate
        || cc.s_maxage.is_some();
    if !validate_always {
        freshness.while_revalidating = Duration::from_secs(cc.stale_while_revalidate.unwrap_or(0));
        // A window of zero (CF-270) is not `Never`: it forbids no reuse, so a failure stays what it is and
        // does not become the 504 of CF-827.
        freshness.on_error = match cc.stale_if_error {
            None => OnError::IfUnreachable,
            Some(window) => OnError::Within(Duration::from_secs(window)),
        };
    }
    let has_validator =
        headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED);
    if lifetime <= times.initial_age && validate_always && !has_validator {
        return Err(Refusal::NeverReusable);
    }
    Ok(freshness)
}

/// What RFC 9111 section 3 forbids, in its order.
fn forbidden(
    request: &RequestFacts<'_>,
    response: &ResponseFacts<'_>,
    cc: &CacheControl,
    has_lifetime: bool,
) -> Result<(), Refusal> {
    // CF-832: a status this cache understands lifts the `no-store` beside `must-understand`.
    if cc.must_understand && !understands(response.status) {
        return Err(Refusal::NotUnderstood);
    }
    if cc.no_store && !cc.must_understand {
        return Err(Refusal::NoStore);
    }
    // CF-836: a qualified `private` only drops fields.
    if cc.private.is_whole() {
        return Err(Refusal::Private);
    }
    // CF-825, RFC 9111 section 3.5.
    let shared_on_purpose = cc.public || cc.s_maxage.is_some() || cc.must_revalidate;
    if request.authorization == Authorization::Forwarded && !shared_on_purpose {
        return Err(Refusal::Authorization);
    }
    // CF-826, unless the cookie is one of the fields that are dropped anyway.
    let drops = |scope: &Scope| scope.fields().contains(&header::SET_COOKIE);
    if response.headers.contains_key(header::SET_COOKIE)
        && !cc.public
        && !has_lifetime
        && !drops(&cc.no_cache)
        && !drops(&cc.private)
    {
        return Err(Refusal::SetCookie);
    }
    // CF-824: nothing would ever find it.
    if response.varies == Varies::OnAnything || vary_fields(response.headers).is_none() {
        return Err(Refusal::VaryAny);
    }
    Ok(())
}

/// The lifetime of a response without one (CF-822, CF-823, CF-831, RFC 9111 section 4.2.2).
fn heuristic(
    rules: &StoreRules<'_>,
    response: &ResponseFacts<'_>,
    cc: &CacheControl,
    times: &Times,
) -> Result<(Duration, LifetimeSource), Refusal> {
    let status = response.status;
    if status.is_client_error() || status.is_server_error() {
        // CF-831: other errors only with a lifetime of their own, or where the origin calls them `public`, which
        // RFC 9111 section 4.2.2 gives as its way to say so.
        let kept = heuristically_cacheable(status) || cc.public;
        let ecmt = rules.errors.seconds(status);
        return if kept && ecmt > 0 {
            Ok((times.since_receipt(ecmt), LifetimeSource::ErrorMinimum))
        } else {
            Err(Refusal::ErrorNotCached)
        };
    }
    if !heuristically_cacheable(status) && !cc.public {
        return Err(Refusal::Status);
    }
    let default = rules.policy.ttl.default_ttl();
    Ok(match date(response.headers, &header::LAST_MODIFIED) {
        Some(modified) => {
            let tenth = seconds_between(modified, times.date) / 10;
            (
                Duration::from_secs(tenth).min(times.since_receipt(default)),
                LifetimeSource::Heuristic,
            )
        }
        // Nothing to calculate from.
        None => match rules.policy.ttl.heuristic() {
            // The operator's default TTL is the heuristic (CF-822).
            Heuristic::DefaultTtl => (times.since_receipt(default), LifetimeSource::Default),
            // Kept to be validated, or to stand in for an error where the origin allows it; for nothing else.
            Heuristic::LastModified
                if response.headers.contains_key(header::ETAG) || cc.stale_if_error.is_some() =>
            {
                (Duration::ZERO, LifetimeSource::Heuristic)
            }
            Heuristic::LastModified => return Err(Refusal::NoLifetime),
        },
    })
}

/// RFC 9110 section 15.1, without 206.
fn heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// The final statuses of RFC 9110, whose caching this cache implements; 206 and 304 never get here.
fn understands(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}
