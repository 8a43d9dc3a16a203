//! Whether a response is stored, and for how long it answers: one entry point, one file per mode.

mod cloudfront;
mod rfc9111;

use std::time::{Duration, SystemTime};

use fourfront_model::CacheMode;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    CacheControl, Freshness, LifetimeSource, OnError, RequestFacts, ResponseFacts, Reuse,
    StoreRules,
    cache_control::delta_seconds,
    date::{DateField, date, date_field, seconds_between},
    targeted::targeted,
};
use crate::{Reason, Refusal};

/// The answer of [`decide_store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storability {
    /// Store it, with this freshness.
    Store(Freshness),
    /// Do not store it.
    DoNotStore(Refusal),
}

impl Storability {
    /// The freshness, when the response is stored.
    pub const fn freshness(self) -> Option<Freshness> {
        match self {
            Self::Store(freshness) => Some(freshness),
            Self::DoNotStore(_) => None,
        }
    }
}

/// Whether a response is stored and how long it is fresh (CF sections 3.1, 3.2, 3.6, 10.3).
///
/// The same call answers for a 304: give it the merged head ([`super::merge_not_modified`]) and the
/// time of the 304, and age and lifetime restart from there (CF-282, CF-319).
pub fn decide_store(
    rules: &StoreRules<'_>,
    request: &RequestFacts<'_>,
    response: &ResponseFacts<'_>,
) -> Storability {
    let refused = if rules.policy.ttl.disables_caching() {
        // CF-114, CF-216, CF-298: in every mode.
        Some(Refusal::CachingDisabled)
    } else if !rules.cached_methods.caches(request.method.as_str()) {
        Some(Refusal::Method)
    } else if response.status == StatusCode::PARTIAL_CONTENT {
        Some(Refusal::Partial)
    } else if response.status.is_informational()
        || response.status == StatusCode::NOT_MODIFIED
        || response.status.as_u16() >= 600
    {
        // CF-217, CF-220; a status of 600 or more is not HTTP (RFC 9110 section 15).
        Some(Refusal::Status)
    } else if response.status == StatusCode::RANGE_NOT_SATISFIABLE {
        // CF-293, CF-539: it answers a range, and ranges are not in the key.
        Some(Refusal::ErrorNotCached)
    } else {
        None
    };
    if let Some(refusal) = refused {
        return Storability::DoNotStore(refusal);
    }
    let decided = match rules.mode {
        CacheMode::Cloudfront => cloudfront::decide(rules, response),
        CacheMode::Rfc9111 => rfc9111::decide(rules, request, response),
    };
    match decided {
        Ok(freshness) => Storability::Store(freshness),
        Err(refusal) => Storability::DoNotStore(refusal),
    }
}

/// Whether a request may use the cache at all: looked up, stored, collapsed (CF-114, CF-215,
/// CF-216, CF-403).
///
/// # Errors
/// Why not, as a word of CP-607.
pub fn may_use_cache(rules: &StoreRules<'_>, method: &Method) -> Result<(), Reason> {
    if rules.policy.ttl.disables_caching() {
        Err(Reason::TtlZero)
    } else if rules.cached_methods.caches(method.as_str()) {
        Ok(())
    } else {
        Err(Reason::Method)
    }
}

/// Whether an entry stored for one method answers another: a HEAD-only entry never answers GET,
/// and is superseded by a GET entry (CF-529, AMB-04).
pub fn answers(stored: &Method, asked: &Method) -> bool {
    stored == asked || (stored == Method::GET && asked == Method::HEAD)
}

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// By its declared length, or by the last chunk.
    Complete,
    /// By a closed connection where nothing else marks the end (CF-223).
    Closed {
        /// Whether the close was orderly: close_notify, or FIN without TLS.
        orderly: bool,
    },
    /// Before its declared end (CF-222).
    Truncated,
}

/// Whether a body that ended so is kept (CF-222, CF-223, CF-838).
///
/// # Errors
/// [`Refusal::Incomplete`] when it is not.
pub const fn keep_body(mode: CacheMode, end: BodyEnd) -> Result<(), Refusal> {
    match (end, mode) {
        (BodyEnd::Complete | BodyEnd::Closed { orderly: true }, _)
        | (BodyEnd::Closed { .. }, CacheMode::Cloudfront) => Ok(()),
        (BodyEnd::Closed { .. }, CacheMode::Rfc9111) | (BodyEnd::Truncated, _) => {
            Err(Refusal::Incomplete)
        }
    }
}

/// The directives a mode goes by: targeted ones in mode `rfc9111` where there are any (CF-837),
/// `Cache-Control` otherwise (CF-252). `cdn_cc` is the operator's own targeted field.
pub(super) fn directives(
    mode: CacheMode,
    cdn_cc: &HeaderName,
    headers: &HeaderMap,
) -> CacheControl {
    match mode {
        CacheMode::Cloudfront => CacheControl::of(headers),
        CacheMode::Rfc9111 => {
            targeted(cdn_cc, headers).unwrap_or_else(|| CacheControl::of(headers))
        }
    }
}

/// A lifetime the origin gave, in seconds: `E` of CF section 3.2.
#[derive(Clone, Copy, Debug)]
struct Explicit {
    seconds: u64,
    source: LifetimeSource,
}

/// What both modes read from a head: age, explicit lifetime.
struct Times {
    received: SystemTime,
    /// `Date`, or the time of receipt (CF-243).
    date: SystemTime,
    initial_age: Duration,
    /// The age it had when the first tier received it.
    age_at_receipt: Duration,
}

impl Times {
    fn of(response: &ResponseFacts<'_>) -> Self {
        let received = response.received;
        let date = date(response.headers, &header::DATE);
        // RFC 9111 section 4.2.3. `Date` has whole seconds only, so the apparent age has too.
        let apparent = date.map_or(0, |date| seconds_between(date, received));
        let delay = received
            .duration_since(response.requested)
            .unwrap_or(Duration::ZERO);
        let corrected = Duration::from_secs(age_value(response.headers)).saturating_add(delay);
        let initial_age = corrected.max(Duration::from_secs(apparent));
        Self {
            received,
            date: date.unwrap_or(received),
            initial_age,
            age_at_receipt: initial_age.saturating_sub(response.shielded),
        }
    }

    /// `s-maxage`, else `max-age`, else `Expires` minus `Date` (CF section 3.2).
    fn explicit(&self, cc: &CacheControl, headers: &HeaderMap) -> Option<Explicit> {
        let of = |source| move |seconds| Explicit { seconds, source };
        cc.s_maxage
            .map(of(LifetimeSource::SMaxAge))
            .or_else(|| cc.max_age.map(of(LifetimeSource::MaxAge)))
            .or_else(|| self.expires(headers).map(of(LifetimeSource::Expires)))
    }

    /// CF-243: an invalid `Expires`, or one before `Date`, is a lifetime of zero.
    fn expires(&self, headers: &HeaderMap) -> Option<u64> {
        match date_field(headers, &header::EXPIRES) {
            DateField::Absent => None,
            DateField::Invalid => Some(0),
            DateField::At(at) => Some(seconds_between(self.date, at)),
        }
    }

    /// A lifetime that starts at receipt, a shield's where there is one: the policy's own TTLs (CF-244, CF-415).
    fn since_receipt(&self, seconds: u64) -> Duration {
        self.age_at_receipt
            .saturating_add(Duration::from_secs(seconds))
    }

    /// An origin's lifetime with the policy's bounds (CF-235..237, CF-240, CF-244).
    ///
    /// The bounds act on what is left of the lifetime at receipt. Cutting the lifetime first and
    /// starting a cut one at receipt would let a lower maximum keep a response longer.
    fn clamp(&self, explicit: Explicit, min: u64, max: u64) -> (Duration, LifetimeSource) {
        let given = Duration::from_secs(explicit.seconds);
        let (lowest, highest) = (self.since_receipt(min), self.since_receipt(max));
        if min > 0 && given < lowest {
            (lowest, LifetimeSource::Minimum)
        } else if given > highest {
            (highest, LifetimeSource::Maximum)
        } else {
            (given, explicit.source)
        }
    }

    fn freshness(&self, lifetime: Duration, source: LifetimeSource) -> Freshness {
        Freshness {
            received: self.received,
            initial_age: self.initial_age,
            lifetime,
            source,
            while_revalidating: Duration::ZERO,
            on_error: OnError::Never,
            stale_limit: Duration::ZERO,
            reuse: Reuse::Validate,
            held_until: None,
        }
    }
}

/// `Age`: the first member of a list; anything but a number counts as no field (RFC 9111 section 5.1).
fn age_value(headers: &HeaderMap) -> u64 {
    headers.get(header::AGE).map_or(0, |value| {
        let first = value.as_bytes().split(|b| *b == b',').next();
        delta_seconds(first.map(<[u8]>::trim_ascii)).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests;
