//! How long a stored response answers, and what may be done with it afterwards (CF sections 3.3
//! and 3.4, RFC 9111 section 4.2).
//!
//! Directives are read once, when the response is stored, and compiled into a [`Freshness`]. A
//! lookup then costs a subtraction and some comparisons: no field is parsed again.

use std::time::{Duration, SystemTime};

use fourfront_model::CacheMode;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Reason;

/// Where a lifetime came from: the first line of `explain`'s TTL arithmetic (CP-606).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifetimeSource {
    /// `s-maxage` (CF-236).
    SMaxAge,
    /// `max-age` (CF-235).
    MaxAge,
    /// `Expires` (CF-237).
    Expires,
    /// The policy's default TTL (CF-238).
    Default,
    /// A tenth of the time since `Last-Modified` (CF-823).
    Heuristic,
    /// The policy's minimum TTL overruled the origin (CF-235..240).
    Minimum,
    /// The policy's maximum TTL overruled the origin.
    Maximum,
    /// The error caching minimum TTL (CF-290..292).
    ErrorMinimum,
    /// The origin demands validation on each use (CF-239).
    NoCache,
}

impl LifetimeSource {
    /// A word for it: the directive or field, or the setting of a site file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SMaxAge => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::Default => "default_ttl",
            Self::Heuristic => "last-modified",
            Self::Minimum => "min_ttl",
            Self::Maximum => "max_ttl",
            Self::ErrorMinimum => "error_caching_min_ttl",
            Self::NoCache => "no-cache",
        }
    }
}

/// What becomes of an entry whose origin fails (CF-265..276, CF-828).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnError {
    /// The origin forbids stale use (CF-270, CF-276).
    Never,
    /// For so long after it became stale: `stale-if-error` (CF-265, CF-266).
    Within(Duration),
    /// Only when no answer came at all (CF-828, RFC 9111 section 4.2.4).
    IfUnreachable,
    /// On any failure (CF-269).
    Always,
}

/// How a stale entry is asked about again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// With the validators it has (CF-258).
    #[default]
    Validate,
    /// Only by a full fetch: `Vary: *` (CF-313).
    Refetch,
}

/// When a stored response is fresh, and the windows in which it may be served stale. Compiled by
/// [`super::decide_store`]; immutable, except that a failure may hold it off ([`Self::held_off`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    pub(super) received: SystemTime,
    pub(super) initial_age: Duration,
    /// Compared with [`Self::current_age`], so it includes the initial age where the policy's own
    /// TTLs count from receipt (CF-244).
    pub(super) lifetime: Duration,
    pub(super) source: LifetimeSource,
    /// How long after becoming stale it is still served at once; zero for not at all.
    pub(super) while_revalidating: Duration,
    pub(super) on_error: OnError,
    /// No stale use at this age or later (CF-267).
    pub(super) stale_limit: Duration,
    pub(super) reuse: Reuse,
    pub(super) held_until: Option<SystemTime>,
}

/// What a stored response is good for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it (CF-256; a stored error likewise, CF-261).
    Fresh,
    /// It is past its lifetime.
    Stale {
        /// For how long it has been.
        staleness: Duration,
        /// Whether it may be served all the same.
        grace: Grace,
    },
}

/// Whether a stale entry may be served before the origin was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Serve it at once and start one background revalidation (CF-257).
    WhileRevalidating,
    /// Serve it; the origin has just failed and is left alone (CF-272).
    HeldOff,
    /// Serve it; the viewer accepts what is stale (CF-829).
    Accepted,
    /// Ask the origin first.
    None,
}

impl Verdict {
    /// The word for logs, metrics and `Cache-Status`; a fresh entry needs none.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Fresh => None,
            Self::Stale {
                grace: Grace::WhileRevalidating | Grace::HeldOff | Grace::Accepted,
                ..
            } => Some(Reason::StaleRevalidate),
            Self::Stale {
                grace: Grace::None, ..
            } => Some(Reason::Expired),
        }
    }
}

/// How an origin failed, as far as stale answers care (CF-268).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// DNS, connection or TLS failure, a timeout, or an answer that is not HTTP.
    Unreachable,
    /// It answered with this status.
    Status(StatusCode),
}

/// What the viewer of a stale entry gets when the origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAnswer {
    /// The stale entry.
    Stale,
    /// 504: the origin forbade serving without validation and cannot be reached (CF-276, CF-827).
    GatewayTimeout,
    /// The failure itself, or its custom page (CF-271, CF-273).
    Failure,
}

impl Freshness {
    /// Age of the response now (RFC 9111 section 4.2.3); the `Age` field is this in whole seconds
    /// (CF-318). A clock that went backwards counts as one that stood still.
    pub fn current_age(&self, now: SystemTime) -> Duration {
        let residence = now.duration_since(self.received).unwrap_or(Duration::ZERO);
        self.initial_age.saturating_add(residence)
    }

    /// The value of `Age` for an answer from this entry (CF-318), stale or not (CF-277).
    pub fn age_seconds(&self, now: SystemTime) -> u64 {
        self.current_age(now).as_secs()
    }

    /// What the entry is good for now. Only ever falls with time: fresh, stale with grace, stale.
    pub fn judge(&self, now: SystemTime) -> Verdict {
        let age = self.current_age(now);
        if age < self.lifetime {
            return Verdict::Fresh;
        }
        let staleness = age - self.lifetime;
        let revalidating = staleness < self.while_revalidating;
        let held_off = self.held_until.is_some_and(|until| now < until);
        let grace = if age >= self.stale_limit {
            Grace::None
        } else if held_off && (revalidating || self.on_error_allows(staleness)) {
            // Before a background revalidation too: it would ask the origin (CF-275).
            Grace::HeldOff
        } else if revalidating {
            Grace::WhileRevalidating
        } else {
            Grace::None
        };
        Verdict::Stale { staleness, grace }
    }

    /// What to answer after asking the origin about this entry failed (CF-260, CF-267..271, CF-276,
    /// CF-828). A status below 500 is no failure: it is relayed (CF-268).
    pub fn on_failure(
        &self,
        mode: CacheMode,
        failure: OriginFailure,
        now: SystemTime,
    ) -> FailureAnswer {
        let age = self.current_age(now);
        let allowed = age < self.stale_limit
            && match (failure, self.on_error) {
                (OriginFailure::Status(status), _) if !status.is_server_error() => false,
                (OriginFailure::Status(_), OnError::IfUnreachable) => false,
                _ => self.on_error_allows(age.saturating_sub(self.lifetime)),
            };
        match (allowed, failure, mode) {
            (true, ..) => FailureAnswer::Stale,
            (false, OriginFailure::Unreachable, CacheMode::Rfc9111)
                if self.on_error == OnError::Never =>
            {
                FailureAnswer::GatewayTimeout
            }
            _ => FailureAnswer::Failure,
        }
    }

    fn on_error_allows(&self, staleness: Duration) -> bool {
        match self.on_error {
            OnError::Never => false,
            OnError::Within(window) => staleness < window,
            OnError::IfUnreachable | OnError::Always => true,
        }
    }

    /// The same entry after a failure was answered with it: the origin is not asked again before
    /// `period` has passed (CF-272, CF-275), which is [`StoreRules::hold_off`](super::StoreRules::hold_off).
    #[must_use]
    pub fn held_off(mut self, now: SystemTime, period: Duration) -> Self {
        self.held_until = now.checked_add(period);
        self
    }

    /// The same entry with a lifetime that ended at `at`, unless it ended earlier: what a soft invalidation makes of it.
    /// Its windows for stale use begin then.
    #[must_use]
    pub fn ended(mut self, at: SystemTime) -> Self {
        self.lifetime = self.lifetime.min(self.current_age(at));
        self
    }

    /// Whether stale use is possible at that age at all (CF-267).
    pub(super) fn may_be_stale_at(&self, age: Duration) -> bool {
        age < self.stale_limit
    }

    /// Lifetime as compared with [`Self::current_age`].
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Where the lifetime came from.
    pub const fn source(&self) -> LifetimeSource {
        self.source
    }

    /// The age it had when it arrived (RFC 9111 section 4.2.3, `corrected_initial_age`).
    pub const fn initial_age(&self) -> Duration {
        self.initial_age
    }

    /// When it arrived, or was last validated (CF-319).
    pub const fn received(&self) -> SystemTime {
        self.received
    }

    /// How a stale entry is asked about again.
    pub const fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// What becomes of it when the origin fails.
    pub const fn on_error(&self) -> OnError {
        self.on_error
    }

    /// How long after becoming stale it is still served at once.
    pub const fn while_revalidating(&self) -> Duration {
        self.while_revalidating
    }

    /// The age from which on it is not served stale (CF-267).
    pub const fn stale_limit(&self) -> Duration {
        self.stale_limit
    }

    /// Until when its origin is left alone after a failure (CF-272).
    pub const fn held_until(&self) -> Option<SystemTime> {
        self.held_until
    }

    /// Whole seconds of lifetime left, negative when stale: `ttl` of `Cache-Status` (CF-800).
    pub fn ttl(&self, now: SystemTime) -> i64 {
        let age = self.current_age(now);
        let signed = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        if age <= self.lifetime {
            signed(self.lifetime - age)
        } else {
            -signed(age - self.lifetime)
        }
    }

    /// When it becomes stale. `None` past the end of representable time.
    pub fn fresh_until(&self) -> Option<SystemTime> {
        if self.lifetime >= self.initial_age {
            self.received.checked_add(self.lifetime - self.initial_age)
        } else {
            self.received.checked_sub(self.initial_age - self.lifetime)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn at(s: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + secs(1_000_000 + s)
    }

    fn entry(lifetime: u64, swr: u64, on_error: OnError) -> Freshness {
        Freshness {
            received: at(0),
            initial_age: Duration::ZERO,
            lifetime: secs(lifetime),
            source: LifetimeSource::MaxAge,
            while_revalidating: secs(swr),
            on_error,
            stale_limit: secs(1_000),
            reuse: Reuse::Validate,
            held_until: None,
        }
    }

    fn grace(f: &Freshness, s: u64) -> Option<Grace> {
        match f.judge(at(s)) {
            Verdict::Fresh => None,
            Verdict::Stale { grace, .. } => Some(grace),
        }
    }

    #[test]
    fn the_revalidation_window_starts_when_the_entry_becomes_stale() {
        // CF-256, CF-257, CF-265, CF-266
        let f = entry(60, 30, OnError::Always);
        assert_eq!(f.judge(at(59)), Verdict::Fresh);
        assert_eq!(f.judge(at(59)).reason(), None);
        assert_eq!(grace(&f, 60), Some(Grace::WhileRevalidating));
        assert_eq!(f.judge(at(89)).reason(), Some(Reason::StaleRevalidate));
        assert_eq!(grace(&f, 90), Some(Grace::None));
        assert_eq!(f.judge(at(90)).reason(), Some(Reason::Expired));
    }

    #[test]
    fn nothing_older_than_the_maximum_is_served_stale() {
        // CF-267
        let f = entry(60, 5_000, OnError::Within(secs(5_000)));
        assert_eq!(grace(&f, 999), Some(Grace::WhileRevalidating));
        assert_eq!(grace(&f, 1_000), Some(Grace::None));
        for (now, want) in [(999, FailureAnswer::Stale), (1_000, FailureAnswer::Failure)] {
            let got = f.on_failure(CacheMode::Cloudfront, OriginFailure::Unreachable, at(now));
            assert_eq!(got, want);
        }
    }

    #[test]
    fn which_failures_are_answered_with_a_stale_entry() {
        // CF-268, CF-269, CF-270, CF-271, CF-276, CF-827, CF-828
        use CacheMode::{Cloudfront, Rfc9111};
        use FailureAnswer::{Failure, GatewayTimeout, Stale};
        let status = |code| OriginFailure::Status(StatusCode::from_u16(code).unwrap());
        let gone = OriginFailure::Unreachable;
        let rows = [
            // No directive: any failure in mode cloudfront, only silence in mode rfc9111.
            (OnError::Always, Cloudfront, gone, 70, Stale),
            (OnError::Always, Cloudfront, status(500), 70, Stale),
            (OnError::Always, Cloudfront, status(599), 70, Stale),
            (OnError::Always, Cloudfront, status(404), 70, Failure),
            (OnError::Always, Cloudfront, status(429), 70, Failure),
            (OnError::IfUnreachable, Rfc9111, gone, 70, Stale),
            (OnError::IfUnreachable, Rfc9111, status(503), 70, Failure),
            // A window, counted from the end of the lifetime.
            (
                OnError::Within(secs(20)),
                Cloudfront,
                status(503),
                79,
                Stale,
            ),
            (
                OnError::Within(secs(20)),
                Cloudfront,
                status(503),
                80,
                Failure,
            ),
            (OnError::Within(secs(20)), Rfc9111, gone, 80, Failure),
            // Forbidden: the modes differ in what the viewer sees.
            (OnError::Never, Cloudfront, gone, 70, Failure),
            (OnError::Never, Rfc9111, gone, 70, GatewayTimeout),
            (OnError::Never, Rfc9111, status(503), 70, Failure),
            (OnError::Within(Duration::ZERO), Rfc9111, gone, 70, Failure),
        ];
        for (on_error, mode, failure, now, want) in rows {
            let got = entry(60, 0, on_error).on_failure(mode, failure, at(now));
            assert_eq!(got, want, "{on_error:?} {mode:?} {failure:?} at {now}");
        }
    }

    #[test]
    fn after_a_failure_the_origin_is_left_alone_for_a_while() {
        // CF-272, CF-275
        let f = entry(60, 0, OnError::Within(secs(15))).held_off(at(70), secs(10));
        assert_eq!(grace(&f, 71), Some(Grace::HeldOff));
        // The stale-if-error window still ends.
        assert_eq!(grace(&f, 75), Some(Grace::None));
        let f = entry(60, 0, OnError::Always).held_off(at(70), secs(10));
        assert_eq!(grace(&f, 79), Some(Grace::HeldOff));
        assert_eq!(grace(&f, 80), Some(Grace::None));
        // No background revalidation is started meanwhile, and it is again afterwards.
        let f = entry(60, 30, OnError::Never).held_off(at(70), secs(10));
        assert_eq!(grace(&f, 79), Some(Grace::HeldOff));
        assert_eq!(grace(&f, 80), Some(Grace::WhileRevalidating));
        assert_eq!(grace(&f, 90), Some(Grace::None));
    }

    #[test]
    fn age_and_remaining_time_are_whole_seconds() {
        // CF-318, CF-277, CF-800
        let mut f = entry(60, 0, OnError::Always);
        f.initial_age = Duration::from_millis(10_500);
        assert_eq!(f.age_seconds(at(5)), 15);
        assert_eq!(f.ttl(at(5)), 44);
        assert_eq!(f.ttl(at(60)), -10);
        assert_eq!(f.fresh_until(), Some(at(0) + Duration::from_millis(49_500)));
        assert_eq!(f.age_seconds(at(0) - secs(100)), 10);
    }

    fn rank(verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Fresh => 2,
            Verdict::Stale {
                grace: Grace::WhileRevalidating | Grace::HeldOff | Grace::Accepted,
                ..
            } => 1,
            Verdict::Stale {
                grace: Grace::None, ..
            } => 0,
        }
    }

    proptest! {
        #[test]
        fn freshness_only_falls_with_time(
            lifetime in 0_u64..2_000, swr in 0_u64..2_000, initial in 0_u64..2_000,
            times in proptest::collection::vec(0_u64..6_000, 2..20),
        ) {
            // CF-321: also when the clock is read out of order, a later time never revives.
            let mut f = entry(lifetime, swr, OnError::Always);
            f.initial_age = secs(initial);
            let mut times = times;
            times.sort_unstable();
            let verdicts: Vec<_> = times.iter().map(|t| rank(f.judge(at(*t)))).collect();
            prop_assert!(verdicts.windows(2).all(|w| w[0] >= w[1]));
            let ttls: Vec<_> = times.iter().map(|t| f.ttl(at(*t))).collect();
            prop_assert!(ttls.windows(2).all(|w| w[0] >= w[1]));
        }
    }
}
