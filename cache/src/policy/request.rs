//! What a viewer's own `Cache-Control` asks of a cache (CF-829, RFC 9111 section 5.2.1). Off unless the distribution says
//! `request_cc: honour`: a viewer that may force validation may also load an origin at will.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::{
    Freshness, OnError, Reuse, Verdict,
    cache_control::{Members, delta_seconds},
    freshness::Grace,
};

/// The directives of one request. The default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `no-cache`: nothing without validation.
    pub no_cache: bool,
    /// `no-store`: nothing of this exchange is kept, so the cache takes no part in it.
    pub no_store: bool,
    /// `only-if-cached`: 504 rather than a fetch.
    pub only_if_cached: bool,
    /// `max-age` in seconds: nothing older.
    pub max_age: Option<u64>,
    /// `min-fresh` in seconds: nothing that is stale before.
    pub min_fresh: Option<u64>,
    /// `max-stale` in seconds: that much staleness is accepted; any, without a number.
    pub max_stale: Option<u64>,
}

impl RequestDirectives {
    /// Reads every `Cache-Control` line of a request; without one, `Pragma: no-cache` counts (RFC 9111 section 5.4). A
    /// number that is none makes its directive ask for the most.
    pub fn of(request: &HeaderMap) -> Self {
        let mut asked = Self::default();
        let mut lines = request.get_all(header::CACHE_CONTROL).iter().peekable();
        if lines.peek().is_none() {
            let pragma = request.get_all(header::PRAGMA).iter();
            asked.no_cache = pragma
                .flat_map(|line| Members(line.as_bytes()))
                .any(|member| member.name.eq_ignore_ascii_case(b"no-cache"));
        }
        for member in lines.flat_map(|line| Members(line.as_bytes())) {
            let number = || delta_seconds(member.argument.as_deref());
            match member.name.to_ascii_lowercase().as_slice() {
                b"no-cache" => asked.no_cache = true,
                b"no-store" => asked.no_store = true,
                b"only-if-cached" => asked.only_if_cached = true,
                b"max-age" => asked.max_age = Some(number().unwrap_or(0)),
                b"min-fresh" => asked.min_fresh = Some(number().unwrap_or(u64::MAX)),
                b"max-stale" if member.argument.is_none() => asked.max_stale = Some(u64::MAX),
                b"max-stale" => asked.max_stale = Some(number().unwrap_or(0)),
                _ => {}
            }
        }
        asked
    }

    /// Whether it asks for anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What a stored response is good for now, for a viewer who asks this. Stale use that the origin forbids stays
    /// forbidden (RFC 9111 section 4.2.4).
    pub fn judge(&self, stored: &Freshness, now: SystemTime) -> Verdict {
        let verdict = stored.judge(now);
        let age = stored.current_age(now);
        let seconds = Duration::from_secs;
        let too_old = self.max_age.is_some_and(|most| age > seconds(most));
        let left = stored.lifetime().saturating_sub(age);
        let too_short = self.min_fresh.is_some_and(|least| left < seconds(least));
        let staleness = age.saturating_sub(stored.lifetime());
        if self.no_cache || too_old || (too_short && verdict == Verdict::Fresh) {
            return Verdict::Stale {
                staleness,
                grace: Grace::None,
            };
        }
        match verdict {
            Verdict::Stale {
                grace: Grace::None, ..
            } if self
                .max_stale
                .is_some_and(|most| staleness <= seconds(most))
                && stored.on_error() != OnError::Never
                && stored.reuse() == Reuse::Validate
                && stored.may_be_stale_at(age) =>
            {
                Verdict::Stale {
                    staleness,
                    grace: Grace::Accepted,
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::LifetimeSource;

    fn of(fields: &[(&'static str, &str)]) -> RequestDirectives {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        RequestDirectives::of(&headers)
    }

    fn cc(value: &str) -> RequestDirectives {
        of(&[("cache-control", value)])
    }

    #[test]
    fn directives_are_read() {
        // CF-829, RFC 9111 sections 5.2.1, 5.4
        assert!(of(&[]).is_empty());
        assert!(cc("nothing-to-see-here, stale-if-error=5").is_empty());
        let all = cc("No-Cache, no-store, only-if-cached, max-age=1, min-fresh=2, max-stale=3");
        assert!(all.no_cache && all.no_store && all.only_if_cached);
        let numbers = (all.max_age, all.min_fresh, all.max_stale);
        assert_eq!(numbers, (Some(1), Some(2), Some(3)));
        assert_eq!(cc("max-stale").max_stale, Some(u64::MAX));
        let junk = cc("max-age=x, min-fresh=x, max-stale=x");
        let numbers = (junk.max_age, junk.min_fresh, junk.max_stale);
        assert_eq!(numbers, (Some(0), Some(u64::MAX), Some(0)));
        assert!(of(&[("pragma", "no-cache")]).no_cache);
        assert!(!of(&[("pragma", "no-cache"), ("cache-control", "max-age=9")]).no_cache);
        assert!(!of(&[("pragma", "other")]).no_cache);
    }

    #[test]
    fn what_a_viewer_asks_narrows_or_widens_the_use_of_an_entry() {
        // CF-829, RFC 9111 sections 4.2.4, 5.2.1
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let secs = Duration::from_secs;
        // Fresh for a minute, stale for another where nothing forbids it.
        let entry = |on_error, swr, reuse| Freshness {
            received: start,
            initial_age: Duration::ZERO,
            lifetime: secs(60),
            source: LifetimeSource::MaxAge,
            while_revalidating: secs(swr),
            on_error,
            stale_limit: secs(120),
            reuse,
            held_until: None,
        };
        let plain = entry(OnError::IfUnreachable, 0, Reuse::Validate);
        let strict = entry(OnError::Never, 0, Reuse::Validate);
        let lenient = entry(OnError::IfUnreachable, 30, Reuse::Validate);
        let refetched = entry(OnError::IfUnreachable, 0, Reuse::Refetch);
        let fresh = None;
        let (ask, accepted) = (Some(Grace::None), Some(Grace::Accepted));
        let revalidating = Some(Grace::WhileRevalidating);
        let rows: &[(&Freshness, &str, u64, Option<Grace>)] = &[
            (&plain, "", 59, fresh),
            (&plain, "", 60, ask),
            (&plain, "no-cache", 0, ask),
            (&plain, "max-age=10", 10, fresh),
            (&plain, "max-age=10", 11, ask),
            (&plain, "max-age=0", 1, ask),
            (&plain, "min-fresh=10", 50, fresh),
            (&plain, "min-fresh=10", 51, ask),
            (&plain, "max-stale=10", 59, fresh),
            (&plain, "max-stale=10", 70, accepted),
            (&plain, "max-stale=10", 71, ask),
            (&plain, "max-stale", 119, accepted),
            // No older than the maximum, whatever the viewer accepts (CF-267).
            (&plain, "max-stale", 120, ask),
            (&plain, "max-stale, max-age=65", 66, ask),
            (&plain, "max-stale, no-cache", 61, ask),
            (&strict, "max-stale", 61, ask),
            (&refetched, "max-stale", 61, ask),
            (&lenient, "", 61, revalidating),
            (&lenient, "max-age=60", 61, ask),
            (&lenient, "no-cache", 61, ask),
        ];
        for (stored, asked, now, want) in rows {
            let got = match cc(asked).judge(stored, start + secs(*now)) {
                Verdict::Fresh => None,
                Verdict::Stale { grace, .. } => Some(grace),
            };
            assert_eq!(got, *want, "{asked} at {now}");
        }
    }
}
