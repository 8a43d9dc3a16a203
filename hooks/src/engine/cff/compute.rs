//! Compute utilisation: how much of its time a CloudFront Function uses, and what becomes of one that uses too much
//! (LE-436, LE-437).

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a run may use, in processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComputeLimits {
    /// What counts as 100 percent. Default 1 ms.
    pub budget: Duration,
    /// Runs beyond the budget within [`Self::window`] after which the function is throttled. Default 3.
    pub overruns: u32,
    /// How long overruns count, and how long the function is throttled. Default 60 s.
    pub window: Duration,
}

impl Default for ComputeLimits {
    fn default() -> Self {
        Self {
            budget: Duration::from_millis(1),
            overruns: 3,
            window: Duration::from_secs(60),
        }
    }
}

/// A run that uses this many budgets fails.
const HARD_LIMIT: u32 = 10;

/// Overruns count when they are at least one run in so many: of a function that is called ten thousand times a second,
/// three runs a minute meet a page fault or a compilation, which says nothing about it.
const SHARE: u64 = 20;

/// Runs that are measured exactly after one that seemed to take too long.
///
/// The clock of a thread's processor time costs a call into the kernel, up to two microseconds, which is more than most
/// functions take. The clock of the day costs a tenth. So a run is measured by the latter, which never shows less, and only
/// when it shows too much, the runs that follow are measured by the former. One overrun is tolerated anyway (LE-437).
const MEASURED: u32 = 100;

/// How long a run has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Used {
    /// It was not longer than that: what it waited for a core is in it.
    AtMost(Duration),
    /// Processor time.
    Exactly(Duration),
}

/// What the runs of one version have used.
#[derive(Debug)]
pub(crate) struct Compute {
    limits: ComputeLimits,
    /// Nanoseconds of the last run.
    last: AtomicU64,
    runs: AtomicU64,
    /// Runs that are still to be measured exactly.
    measured: AtomicU32,
    overruns: Mutex<Overruns>,
    epoch: Instant,
    /// Nanoseconds since `epoch` until which nothing is run; 0 when nothing ever was in the way.
    throttled_until: AtomicU64,
}

#[derive(Debug, Default)]
struct Overruns {
    began: Option<Instant>,
    /// Runs before `began`.
    runs_before: u64,
    count: u32,
}

impl Compute {
    pub(crate) fn new(limits: ComputeLimits) -> Self {
        Self {
            limits,
            last: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            measured: AtomicU32::new(0),
            overruns: Mutex::default(),
            epoch: Instant::now(),
            throttled_until: AtomicU64::new(0),
        }
    }

    /// Beyond this a run fails.
    pub(super) fn hard_limit(&self) -> Duration {
        self.limits.budget * HARD_LIMIT
    }

    /// Takes note of a run; `counts` is false for those that say little about the function.
    pub(super) fn used(&self, used: Used, counts: bool) {
        self.used_at(used, counts, Instant::now());
    }

    /// Whether the next run is to be measured exactly.
    pub(super) fn is_to_be_exact(&self) -> bool {
        self.measured.load(Ordering::Relaxed) > 0
    }

    fn used_at(&self, used: Used, counts: bool, now: Instant) {
        let (Used::AtMost(time) | Used::Exactly(time)) = used;
        self.last.store(nanos(time), Ordering::Relaxed);
        let runs = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if time <= self.limits.budget || !counts {
            let left = self.measured.load(Ordering::Relaxed);
            if left > 0 {
                self.measured.store(left - 1, Ordering::Relaxed);
            }
            return;
        }
        self.measured.store(MEASURED, Ordering::Relaxed);
        if matches!(used, Used::AtMost(_)) {
            return;
        }
        let mut over = self.overruns.lock().unwrap_or_else(PoisonError::into_inner);
        let window = self.limits.window;
        if over
            .began
            .is_none_or(|began| now.duration_since(began) > window)
        {
            *over = Overruns {
                began: Some(now),
                runs_before: runs - 1,
                count: 0,
            };
        }
        over.count += 1;
        let seen = runs.saturating_sub(over.runs_before);
        if over.count >= self.limits.overruns && u64::from(over.count) * SHARE >= seen {
            let until = now.duration_since(self.epoch) + window;
            self.throttled_until.store(nanos(until), Ordering::Relaxed);
            *over = Overruns::default();
        }
    }

    /// Whether the function is throttled.
    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled_until.load(Ordering::Relaxed) != 0 && self.is_throttled_at(Instant::now())
    }

    fn is_throttled_at(&self, now: Instant) -> bool {
        nanos(now.duration_since(self.epoch)) < self.throttled_until.load(Ordering::Relaxed)
    }

    /// Percent of the budget that the last run used, at most 100 (LE-436).
    pub(crate) fn utilization(&self) -> u8 {
        let budget = nanos(self.limits.budget).max(1);
        let percent = u128::from(self.last.load(Ordering::Relaxed)) * 100 / u128::from(budget);
        u8::try_from(percent.min(100)).unwrap_or(100)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Used = Used::Exactly(Duration::from_millis(2));
    const UNDER: Used = Used::AtMost(Duration::from_micros(230));

    #[test]
    fn utilisation_is_the_share_of_the_budget() {
        // LE-436
        let compute = Compute::new(ComputeLimits::default());
        compute.used(UNDER, true);
        assert_eq!(compute.utilization(), 23);
        compute.used(OVER, true);
        assert_eq!(compute.utilization(), 100);
    }

    #[test]
    fn repeated_overruns_throttle_for_the_length_of_the_window() {
        // LE-437
        let compute = Compute::new(ComputeLimits::default());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        compute.used_at(OVER, true, at(0));
        compute.used_at(OVER, true, at(1));
        assert!(!compute.is_throttled_at(at(1)));
        compute.used_at(OVER, true, at(2));
        assert!(compute.is_throttled_at(at(2)) && compute.is_throttled_at(at(61)));
        assert!(!compute.is_throttled_at(at(63)));
    }

    #[test]
    fn overruns_that_are_far_apart_or_few_among_many_do_not() {
        // LE-437
        let compute = Compute::new(ComputeLimits::default());
        let start = Instant::now();
        for i in 0..10 {
            compute.used_at(OVER, true, start + Duration::from_secs(40 * i));
        }
        assert!(!compute.is_throttled_at(start + Duration::from_secs(360)));

        let compute = Compute::new(ComputeLimits::default());
        for i in 0..1000 {
            let used = if i % 100 == 0 { OVER } else { UNDER };
            compute.used_at(used, true, start);
        }
        compute.used_at(OVER, false, start);
        assert!(!compute.is_throttled_at(start));
    }

    #[test]
    fn a_run_that_may_only_have_waited_has_those_after_it_measured() {
        // LE-437
        let compute = Compute::new(ComputeLimits::default());
        let start = Instant::now();
        for _ in 0..10 {
            compute.used_at(Used::AtMost(Duration::from_millis(50)), true, start);
        }
        assert!(compute.is_to_be_exact() && !compute.is_throttled_at(start));
        for _ in 0..MEASURED {
            compute.used_at(Used::Exactly(Duration::from_micros(9)), true, start);
        }
        assert!(!compute.is_to_be_exact());
    }
}
