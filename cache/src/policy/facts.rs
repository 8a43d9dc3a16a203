//! What a decision is made from: the behaviour's rules, the request and the response head. Plain
//! values, borrowed, with the time of arrival among them: nothing in `policy` reads a clock.

use std::time::{Duration, SystemTime};

use fourfront_model::{CacheBehavior, CacheMode, CachePolicy, CachedMethods, Distribution};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// The settings a response is judged by.
#[derive(Clone, Copy, Debug)]
pub struct StoreRules<'a> {
    /// The distribution's cache mode.
    pub mode: CacheMode,
    /// The behaviour's policy: TTLs.
    pub policy: &'a CachePolicy,
    /// The behaviour's cached methods.
    pub cached_methods: CachedMethods,
    /// Caching times of errors.
    pub errors: &'a ErrorTtls,
    /// The operator's own targeted field (CF-801).
    pub cdn_cc: &'a HeaderName,
    /// Whether what is stored is without `Set-Cookie` (CF-308).
    pub strip_set_cookie: bool,
}

impl<'a> StoreRules<'a> {
    /// The rules of a distribution's behaviour.
    pub fn of(
        distribution: &'a Distribution,
        behavior: &'a CacheBehavior,
        errors: &'a ErrorTtls,
    ) -> Self {
        Self {
            mode: distribution.cache_mode,
            policy: &behavior.cache_policy,
            cached_methods: behavior.cached_methods,
            errors,
            cdn_cc: &distribution.cdn_cc.field,
            strip_set_cookie: distribution.strip_set_cookie_on_hit,
        }
    }

    /// How long an origin is left alone for a key after it failed with `status` and a stale entry answered in
    /// its place (CF-272). `None` when the next request asks again: without a caching time for that error, and
    /// in mode `rfc9111`, where only a failure of this moment excuses a stale answer (RFC 9111 section 4.2.4).
    pub fn hold_off(&self, status: StatusCode) -> Option<Duration> {
        let seconds = match self.mode {
            CacheMode::Cloudfront => self.errors.seconds(status),
            CacheMode::Rfc9111 => 0,
        };
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

/// What a decision needs to know of the request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The viewer's method.
    pub method: &'a Method,
    /// What became of its credentials.
    pub authorization: Authorization,
}

/// The request's `Authorization`, seen from the key (CF-309, CF-310, CF-825).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The origin did not get one: none was sent, or it was removed on the way (CF-309).
    #[default]
    Withheld,
    /// The origin got it, and it is part of the key.
    Keyed,
    /// The origin got it, and the key does not tell users apart by it (CF-310).
    Forwarded,
}

/// A response head as it is about to be stored: after the origin-response hook, and without the
/// `Set-Cookie` a behaviour that forwards no cookies never lets through (CF-305).
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// When the request was sent to the origin.
    pub requested: SystemTime,
    /// When the head arrived. Residence time counts from here, so this and every later `now` must
    /// come from a clock that does not step (CF-321).
    pub received: SystemTime,
    /// How much of its age it has spent in the cache of an origin shield (CF-415): zero for what comes from an origin. The
    /// policy's own times count from when the shield received it, so that two tiers keep it no longer than one (CF-244).
    pub shielded: Duration,
    /// What its `Vary` says about reuse. Not read from [`Self::headers`], since mode `cloudfront` cuts `*` from
    /// what is stored (CF-314) and yet goes by it (CF-313).
    pub varies: Varies,
}

/// Whether a stored response can be selected for another request at all (RFC 9110 section 12.5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Varies {
    /// By the fields `Vary` names, if there are any.
    #[default]
    ByFields,
    /// By more than any cache can see: `Vary` has the member `*`.
    OnAnything,
}

impl Varies {
    /// Reads the lines of `Vary`.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut members = lines
            .into_iter()
            .flat_map(|line| line.as_bytes().split(|b| *b == b','));
        if members.any(|member| member.trim_ascii() == b"*") {
            Self::OnAnything
        } else {
            Self::ByFields
        }
    }
}

/// Error caching minimum TTLs per status (CF section 3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorTtls {
    /// Few entries, so a list beats a map.
    configured: Vec<(StatusCode, u64)>,
    origin: OriginClass,
}

/// Whose errors they are: S3's differ in two details (CF-297, CF-302).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginClass {
    /// Any origin but S3.
    #[default]
    Custom,
    /// An S3 bucket.
    S3,
}

impl ErrorTtls {
    /// Seconds an error is kept where nothing is configured (CF-290).
    pub const DEFAULT: u64 = 10;

    /// The defaults for a kind of origin.
    pub const fn new(origin: OriginClass) -> Self {
        Self {
            configured: Vec::new(),
            origin,
        }
    }

    /// Sets `ErrorCachingMinTTL` of one status, in seconds.
    #[must_use]
    pub fn with(mut self, status: StatusCode, seconds: u64) -> Self {
        self.configured.retain(|(known, _)| *known != status);
        self.configured.push((status, seconds));
        self
    }

    /// The minimum caching time of a status, in seconds.
    pub fn seconds(&self, status: StatusCode) -> u64 {
        let configured = self.configured.iter().find(|(known, _)| *known == status);
        let seconds = configured.map_or(Self::DEFAULT, |(_, seconds)| *seconds);
        match self.origin {
            OriginClass::Custom => seconds,
            // CF-297: an S3 origin's 0 acts as 1.
            OriginClass::S3 => seconds.max(1),
        }
    }
}

impl Default for ErrorTtls {
    fn default() -> Self {
        Self::new(OriginClass::Custom)
    }
}

#[cfg(test)]
mod tests {
    use fourfront_model::CdnCc;

    use super::*;

    #[test]
    fn an_error_is_kept_ten_seconds_unless_configured() {
        // CF-290, CF-297
        let ttls = ErrorTtls::default().with(StatusCode::NOT_FOUND, 0);
        assert_eq!(ttls.seconds(StatusCode::BAD_GATEWAY), 10);
        assert_eq!(ttls.seconds(StatusCode::NOT_FOUND), 0);
        let ttls = ErrorTtls::new(OriginClass::S3).with(StatusCode::NOT_FOUND, 0);
        assert_eq!(ttls.seconds(StatusCode::NOT_FOUND), 1);
        let ttls = ttls.with(StatusCode::NOT_FOUND, 7);
        assert_eq!(ttls.seconds(StatusCode::NOT_FOUND), 7);
    }

    #[test]
    fn one_star_among_the_members_of_vary_is_enough() {
        // CF-313, CF-824
        let of = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|l| HeaderValue::from_static(l)).collect();
            Varies::of(&lines)
        };
        assert_eq!(of(&[]), Varies::ByFields);
        assert_eq!(of(&["accept, x-*"]), Varies::ByFields);
        assert_eq!(of(&["accept", "origin, *"]), Varies::OnAnything);
    }

    #[test]
    fn an_origin_is_held_off_as_long_as_its_error_would_be_kept() {
        // CF-272
        let policy = fourfront_model::managed_cache_policy("CachingOptimized").unwrap();
        let errors = ErrorTtls::default()
            .with(StatusCode::BAD_GATEWAY, 3)
            .with(StatusCode::SERVICE_UNAVAILABLE, 0);
        let hold_off = |mode, code| {
            let rules = StoreRules {
                mode,
                policy: &policy,
                cached_methods: CachedMethods::GetHead,
                errors: &errors,
                cdn_cc: &CdnCc::FIELD,
                strip_set_cookie: false,
            };
            rules.hold_off(StatusCode::from_u16(code).unwrap())
        };
        let secs = |s| Some(Duration::from_secs(s));
        assert_eq!(hold_off(CacheMode::Cloudfront, 500), secs(10));
        assert_eq!(hold_off(CacheMode::Cloudfront, 502), secs(3));
        assert_eq!(hold_off(CacheMode::Cloudfront, 503), None);
        assert_eq!(hold_off(CacheMode::Rfc9111, 500), None);
    }
}
