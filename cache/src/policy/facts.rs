//! What a decision is made from: the behaviour's rules, the request and the response head. Plain
//! values, borrowed, with the time of arrival among them: nothing in `policy` reads a clock.

use std::time::SystemTime;

use fourfront_model::{CacheBehavior, CacheMode, CachePolicy, CachedMethods};
use http::{HeaderMap, Method, StatusCode};

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
}

impl<'a> StoreRules<'a> {
    /// The rules of a behaviour.
    pub fn of(mode: CacheMode, behavior: &'a CacheBehavior, errors: &'a ErrorTtls) -> Self {
        Self {
            mode,
            policy: &behavior.cache_policy,
            cached_methods: behavior.cached_methods,
            errors,
        }
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

    /// The minimum caching time of a status, in seconds: also how long the origin is left alone
    /// after a failure that was answered from a stale entry (CF-272).
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
}
