//! The node's only reading of the wall clock. Everything that judges time (freshness, `Age`,
//! `Date`, request durations in logs) takes it from a [`Clock`], so that tests move it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// A source of wall-clock time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The operating system's clock, read once; from then on time passes by the monotonic clock, so that a step of
/// the wall clock neither expires nor revives a stored object (CF-321).
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    wall: SystemTime,
    started: Instant,
}

impl SystemClock {
    /// A clock that shows the time of day.
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
        let wall = SystemTime::now();
        Self {
            wall,
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.wall + self.started.elapsed()
    }
}

/// A clock that stands still until it is moved. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    millis: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock standing at `millis` milliseconds after the Unix epoch.
    pub fn at_millis(millis: u64) -> Self {
        Self {
            millis: Arc::new(AtomicU64::new(millis)),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at_millis(1_000);
        let other = clock.clone();
        assert_eq!(clock.now(), other.now());
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(3));
    }
}
