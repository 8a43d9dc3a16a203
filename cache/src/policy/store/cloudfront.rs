//! Mode `cloudfront`: the TTL tables of CF sections 3.2 and 3.6.

use std::time::Duration;

use http::StatusCode;

use super::Times;
use crate::{
    Refusal,
    policy::{
        CacheControl, Freshness, LifetimeSource, OnError, ResponseFacts, Reuse, StoreRules, Varies,
    },
};

pub(super) fn decide(
    rules: &StoreRules<'_>,
    response: &ResponseFacts<'_>,
) -> Result<Freshness, Refusal> {
    let cc = CacheControl::of(response.headers);
    if response.status.is_client_error() || response.status.is_server_error() {
        error(rules, response, &cc)
    } else {
        success(rules, response, &cc)
    }
}

/// 2xx and 3xx: CF-235..240. `Set-Cookie`, `Authorization` and `Vary` do not matter (CF-225..227), nor do fields that
/// describe the body (CF-228), nor `Pragma` and what the request asks for (CF-248), and no heuristic is used (CF-249).
fn success(
    rules: &StoreRules<'_>,
    response: &ResponseFacts<'_>,
    cc: &CacheControl,
) -> Result<Freshness, Refusal> {
    let ttl = rules.policy.ttl;
    let times = Times::of(response);
    let explicit = times.explicit(cc, response.headers);
    let withdrawn = cc.no_store || cc.private.is_present();
    let (lifetime, source) = match explicit {
        // CF-239: the minimum overrules every restriction; without one they are respected.
        _ if cc.restricts() && ttl.min() > 0 => {
            (times.since_receipt(ttl.min()), LifetimeSource::Minimum)
        }
        // CF-245: CloudFront keeps such a copy for outages; this node does not (AMB-16).
        _ if cc.no_store => return Err(Refusal::NoStore),
        _ if cc.private.is_present() => return Err(Refusal::Private),
        _ if cc.no_cache.is_whole() => (Duration::ZERO, LifetimeSource::NoCache),
        Some(explicit) => times.clamp(explicit, ttl.min(), ttl.max()),
        None => (
            times.since_receipt(ttl.default_ttl().max(ttl.min())),
            LifetimeSource::Default,
        ),
    };
    let mut freshness = times.freshness(lifetime, source);
    if response.varies == Varies::OnAnything && ttl.min() == 0 {
        // CF-313: stored, but every request fetches it in full.
        freshness.lifetime = Duration::ZERO;
        freshness.reuse = Reuse::Refetch;
    }
    freshness.stale_limit = Duration::from_secs(ttl.max());
    // CF-276 (AMB-20); and what AMB-16 says of a minimum of zero holds once a minimum is over: no
    // stale use of what the origin calls private.
    if !cc.must_revalidate && !cc.proxy_revalidate && !withdrawn {
        freshness.on_error = match cc.stale_if_error {
            // CF-269, CF-270.
            None => OnError::Always,
            Some(0) => OnError::Never,
            Some(window) => OnError::Within(Duration::from_secs(window)),
        };
        // `no-cache` asks for validation before each use, which only a failure excuses (CF-245).
        if !cc.no_cache.is_whole() && freshness.reuse == Reuse::Validate {
            freshness.while_revalidating =
                Duration::from_secs(cc.stale_while_revalidate.unwrap_or(0));
        }
    }
    Ok(freshness)
}

/// 4xx and 5xx: CF-219, CF-290..294. The minimum and default TTLs do not apply; the maximum caps only what
/// the origin gave (CF-298). A stored error is never served stale.
fn error(
    rules: &StoreRules<'_>,
    response: &ResponseFacts<'_>,
    cc: &CacheControl,
) -> Result<Freshness, Refusal> {
    let times = Times::of(response);
    let ecmt = rules.errors.seconds(response.status);
    // CF-295: `Expires` counts like `max-age`.
    let given = times.explicit(cc, response.headers);
    let given = match (class(response.status), cc.restricts()) {
        // CF-293, CF-294.
        (ErrorClass::Never, _) => return Err(Refusal::ErrorNotCached),
        // CF-290, CF-302.
        (ErrorClass::Kept, true) => return Err(refusal_of(cc)),
        // CF-291: the restriction is ignored, and the lifetime beside it too.
        (ErrorClass::Forced, true) => None,
        (ErrorClass::Kept | ErrorClass::Forced, false) => given,
        // CF-292: with a lifetime the restriction is ignored.
        (ErrorClass::WithLifetime, restricted) => match given {
            Some(given) => Some(given),
            None if restricted => return Err(refusal_of(cc)),
            None => return Err(Refusal::ErrorNotCached),
        },
    };
    let minimum = times.since_receipt(ecmt);
    let (lifetime, source) = given
        .map(|given| times.clamp(given, 0, rules.policy.ttl.max()))
        .filter(|(lifetime, _)| *lifetime > minimum)
        .unwrap_or((minimum, LifetimeSource::ErrorMinimum));
    if lifetime <= times.initial_age {
        // CF-297.
        return Err(Refusal::ErrorNotCached);
    }
    Ok(times.freshness(lifetime, source))
}

/// The rows of the table in CF section 3.6.
enum ErrorClass {
    /// CF-290: kept unless the origin restricts it.
    Kept,
    /// CF-291: kept whatever the origin says.
    Forced,
    /// CF-292: kept only with a lifetime.
    WithLifetime,
    /// CF-293, CF-294.
    Never,
}

fn class(status: StatusCode) -> ErrorClass {
    match status.as_u16() {
        404 | 410 | 414 | 501 => ErrorClass::Kept,
        500 | 502 | 503 | 504 => ErrorClass::Forced,
        400 | 403 | 405 | 412 | 415 => ErrorClass::WithLifetime,
        _ => ErrorClass::Never,
    }
}

fn refusal_of(cc: &CacheControl) -> Refusal {
    if cc.no_store {
        Refusal::NoStore
    } else if cc.private.is_present() {
        Refusal::Private
    } else {
        Refusal::ErrorNotCached
    }
}
