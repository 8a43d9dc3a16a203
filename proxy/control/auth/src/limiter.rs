//! How often an address may fail (CP-420).

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use crate::AuthFault;

/// Failures that an address has in a minute before it is told to wait.
const FAILURES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// Longer than any request takes until its body has come.
const SLOWEST: Duration = Duration::from_secs(180);
/// Addresses that are remembered: some 200 kB.
const ADDRESSES: usize = 4096;

/// Counts failures by address, for a minute from the first one. An IPv6 address counts as its /64, which is what one
/// customer has.
///
/// INVARIANT: at most [`ADDRESSES`] are remembered. When all are, those whose minute is over go, then the one whose minute
/// began first: somebody with that many addresses is not to be stopped by counting them.
#[derive(Debug, Default)]
pub struct FailureLimiter {
    seen: Mutex<HashMap<IpAddr, Minute>>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    began: SystemTime,
    failures: u32,
}

impl Minute {
    /// What is left of it; `None` if it is over. A clock that was set back ends it, but not a request that began before it and
    /// is counted when its body has come: else each of those would begin the count anew.
    fn left(self, now: SystemTime) -> Option<Duration> {
        let since = match now.duration_since(self.began) {
            Ok(since) => since,
            Err(before) if before.duration() < SLOWEST => Duration::ZERO,
            Err(_) => return None,
        };
        MINUTE.checked_sub(since).filter(|left| !left.is_zero())
    }
}

impl FailureLimiter {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the address may try.
    ///
    /// # Errors
    /// [`AuthFault::TooManyFailures`] until the minute is over.
    pub fn check(&self, source: IpAddr, now: SystemTime) -> Result<(), AuthFault> {
        let minute = self.seen.lock().get(&network(source)).copied();
        match minute.and_then(|minute| minute.left(now).filter(|_| minute.failures >= FAILURES)) {
            Some(retry_after) => Err(AuthFault::TooManyFailures { retry_after }),
            None => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn failed(&self, source: IpAddr, now: SystemTime) {
        let source = network(source);
        let mut seen = self.seen.lock();
        if !seen.contains_key(&source) && seen.len() >= ADDRESSES {
            seen.retain(|_, minute| minute.left(now).is_some());
            if seen.len() >= ADDRESSES {
                let oldest = seen
                    .iter()
                    .min_by_key(|(_, minute)| minute.began)
                    .map(|(source, _)| *source);
                oldest.and_then(|oldest| seen.remove(&oldest));
            }
        }
        let fresh = Minute {
            began: now,
            failures: 0,
        };
        let minute = seen.entry(source).or_insert(fresh);
        if minute.left(now).is_none() {
            *minute = fresh;
        }
        minute.failures = minute.failures.saturating_add(1);
    }
}

/// The addresses that count as one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn the_twenty_first_try_in_a_minute_waits_for_its_end() {
        // CP-420
        let limiter = FailureLimiter::new();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for second in 0..20 {
            assert!(limiter.check(one, at(second)).is_ok(), "{second}");
            limiter.failed(one, at(second));
        }
        let Err(AuthFault::TooManyFailures { retry_after }) = limiter.check(one, at(20)) else {
            panic!("not limited");
        };
        assert_eq!(retry_after, Duration::from_secs(40));
        assert!(limiter.check(other, at(20)).is_ok());
        assert!(limiter.check(one, at(59)).is_err());
        assert!(limiter.check(one, at(60)).is_ok());
        limiter.failed(one, at(60));
        assert!(limiter.check(one, at(61)).is_ok());
        // A clock set back by a day locks nobody out for one.
        for _ in 0..20 {
            limiter.failed(one, at(100_000));
        }
        assert!(limiter.check(one, at(0)).is_ok());
    }

    #[test]
    fn a_slow_request_does_not_begin_the_count_anew() {
        // CP-420
        let limiter = FailureLimiter::new();
        let one = "192.0.2.1".parse().unwrap();
        for second in 0..19 {
            limiter.failed(one, at(1_000 + second));
        }
        limiter.failed(one, at(900));
        assert!(limiter.check(one, at(1_020)).is_err());
    }

    #[test]
    fn addresses_of_one_network_and_both_spellings_of_one_address_count_together() {
        // CP-420
        let limiter = FailureLimiter::new();
        for host in 0..20 {
            limiter.failed(format!("2001:db8::{host}").parse().unwrap(), at(0));
            let spelling = if host % 2 == 0 {
                "192.0.2.1"
            } else {
                "::ffff:192.0.2.1"
            };
            limiter.failed(spelling.parse().unwrap(), at(0));
        }
        assert!(
            limiter
                .check("2001:db8::ffff".parse().unwrap(), at(0))
                .is_err()
        );
        assert!(
            limiter
                .check("2001:db8:0:1::1".parse().unwrap(), at(0))
                .is_ok()
        );
        assert!(limiter.check("192.0.2.1".parse().unwrap(), at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        // CP-420
        let limiter = FailureLimiter::new();
        let address = |number: u32| IpAddr::V4(number.into());
        for _ in 0..20 {
            limiter.failed(address(0), at(0));
            limiter.failed(address(1), at(1));
        }
        for number in 2..u32::try_from(ADDRESSES).unwrap() + 1 {
            limiter.failed(address(number), at(2));
        }
        assert_eq!(limiter.seen.lock().len(), ADDRESSES);
        assert!(limiter.check(address(0), at(3)).is_ok());
        assert!(limiter.check(address(1), at(3)).is_err());
        limiter.failed(address(9_999_999), at(70));
        assert_eq!(limiter.seen.lock().len(), 1);
    }
}
