//! What is known of a version, and which threads it may run on for that.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

/// Calls in a row without a fault of conduct before a version is moved up.
const MOVED_UP_AFTER: u32 = 200;

/// A slice of JavaScript longer than this takes a version off the shared threads.
const LONG_SLICE: Duration = Duration::from_millis(10);

/// A call that ends within this, without waiting, may run on the proxy's own threads.
const QUICK: Duration = Duration::from_millis(1);

/// What a call that took longer is counted as, in quick calls: the garbage of some hundred calls is collected in one
/// of them and takes about a millisecond.
const SLOW_COSTS: u32 = 50;

/// Quick calls beyond the number needed that take one strike back.
const FORGIVEN_AFTER: u32 = 4096;

/// Strikes count to here: 200 calls, doubled so often, are more than an attacker's patience is worth.
const MAX_STRIKES: u32 = 8;

/// Calls in a row that had to be ended before a version gives way from the start.
const GIVES_WAY_AFTER: u32 = 3;

/// A version's record. Counters are relaxed, and two calls judged at once may count as one: a version then moves a
/// call later.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Calls in a row without a long slice.
    good: AtomicU32,
    /// Calls in a row that ended at once.
    quick: AtomicU32,
    /// Trials that had to be run again elsewhere.
    strikes: AtomicU32,
    /// Whether the last call had a long slice.
    long: AtomicBool,
    slow_to_load: AtomicBool,
    /// Whether a trial has done what may not be done on the proxy's threads.
    unfit: AtomicBool,
    /// Calls in a row that ran out of time or memory.
    killed: AtomicU32,
}

impl Standing {
    /// Takes note of a load: whether its longest slice was short enough for a thread of the proxy's.
    pub(super) fn loaded(&self, is_quick: bool) {
        self.slow_to_load.store(!is_quick, Ordering::Relaxed);
    }

    /// Takes note of a call: its longest slice, and whether it waited for anything.
    pub(super) fn called(&self, longest: Duration, waited: bool) {
        let long = longest > LONG_SLICE;
        if self.long.load(Ordering::Relaxed) != long {
            self.long.store(long, Ordering::Relaxed);
        }
        if long {
            self.good.store(0, Ordering::Relaxed);
        } else if !self.may_share() {
            self.good.fetch_add(1, Ordering::Relaxed);
        }
        let quick = self.quick.load(Ordering::Relaxed);
        let quick = if waited {
            0
        } else if longest > QUICK {
            quick.saturating_sub(SLOW_COSTS)
        } else if quick < self.needed() + FORGIVEN_AFTER {
            quick + 1
        } else if self.forgive() {
            self.needed()
        } else {
            return;
        };
        self.quick.store(quick, Ordering::Relaxed);
    }

    /// Takes note of how a call ended: by itself, or because its time or its memory was used up.
    pub(super) fn ended(&self, killed: bool) {
        if killed {
            self.killed.fetch_add(1, Ordering::Relaxed);
        } else if self.killed.load(Ordering::Relaxed) > 0 {
            self.killed.store(0, Ordering::Relaxed);
        }
    }

    /// Whether its calls run only where nothing else wants to: call after call has come to nothing.
    pub(super) fn gives_way(&self) -> bool {
        self.killed.load(Ordering::Relaxed) >= GIVES_WAY_AFTER
    }

    /// A trial on a proxy's thread had to be given up: the next one is twice as far away.
    pub(super) fn strike(&self) {
        self.quick.store(0, Ordering::Relaxed);
        let _ = self
            .strikes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |strikes| {
                (strikes < MAX_STRIKES).then_some(strikes + 1)
            });
    }

    /// A trial has done what may not be done on a proxy's thread: there will be no other.
    pub(super) fn unfit(&self) {
        self.unfit.store(true, Ordering::Relaxed);
    }

    /// Takes a strike back, if there is one.
    fn forgive(&self) -> bool {
        let fewer = |strikes: u32| strikes.checked_sub(1);
        self.strikes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
    }

    /// Whether it may share a thread with other versions.
    pub(super) fn may_share(&self) -> bool {
        self.good.load(Ordering::Relaxed) >= MOVED_UP_AFTER
    }

    /// Whether it may be tried on the thread that asks.
    pub(super) fn may_be_inline(&self) -> bool {
        self.quick.load(Ordering::Relaxed) >= self.needed()
            && !self.slow_to_load.load(Ordering::Relaxed)
            && !self.unfit.load(Ordering::Relaxed)
    }

    /// Whether its calls keep a thread busy, so that queueing them behind each other gains nothing.
    pub(super) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    fn needed(&self) -> u32 {
        MOVED_UP_AFTER << self.strikes.load(Ordering::Relaxed).min(MAX_STRIKES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(100);

    fn calls(standing: &Standing, n: u32) {
        for _ in 0..n {
            standing.called(SHORT, false);
        }
    }

    #[test]
    fn a_version_moves_up_by_its_calls_and_down_at_once() {
        let standing = Standing::default();
        calls(&standing, MOVED_UP_AFTER - 1);
        assert!(!standing.may_share() && !standing.may_be_inline());
        calls(&standing, 1);
        assert!(standing.may_share() && standing.may_be_inline());
        standing.called(SHORT, true);
        assert!(
            standing.may_share() && !standing.may_be_inline(),
            "it waits"
        );
        standing.called(LONG_SLICE * 2, false);
        assert!(!standing.may_share() && standing.is_long());
        calls(&standing, 1);
        assert!(!standing.is_long());
    }

    #[test]
    fn a_version_that_is_killed_again_and_again_gives_way_until_a_call_ends_well() {
        let standing = Standing::default();
        for _ in 0..GIVES_WAY_AFTER {
            assert!(!standing.gives_way());
            standing.ended(true);
        }
        assert!(standing.gives_way());
        standing.ended(false);
        assert!(!standing.gives_way());
    }

    #[test]
    fn each_strike_doubles_the_way_back() {
        let standing = Standing::default();
        calls(&standing, MOVED_UP_AFTER);
        standing.strike();
        calls(&standing, 2 * MOVED_UP_AFTER - 1);
        assert!(!standing.may_be_inline());
        calls(&standing, 1);
        assert!(standing.may_be_inline());
        for _ in 0..100 {
            standing.strike();
        }
        calls(&standing, MOVED_UP_AFTER << MAX_STRIKES);
        assert!(standing.may_be_inline(), "strikes are bounded");
    }

    #[test]
    fn a_collection_now_and_then_does_no_harm_and_strikes_are_forgiven() {
        let standing = Standing::default();
        calls(&standing, MOVED_UP_AFTER + SLOW_COSTS);
        for _ in 0..20 {
            standing.called(QUICK * 2, false);
            assert!(standing.may_be_inline());
            calls(&standing, SLOW_COSTS);
        }
        for _ in 0..4 {
            standing.called(QUICK * 2, false);
        }
        assert!(!standing.may_be_inline(), "four in a row are no accident");

        standing.strike();
        calls(&standing, 2 * MOVED_UP_AFTER + FORGIVEN_AFTER + 1);
        standing.called(SHORT, true);
        calls(&standing, MOVED_UP_AFTER);
        assert!(standing.may_be_inline(), "the strike is forgiven");
    }

    #[test]
    fn a_version_that_is_unfit_stays_on_the_pool_for_good() {
        let standing = Standing::default();
        calls(&standing, MOVED_UP_AFTER);
        standing.unfit();
        standing.strike();
        calls(&standing, 2 * MOVED_UP_AFTER + 10 * FORGIVEN_AFTER);
        assert!(standing.may_share() && !standing.may_be_inline());
    }

    #[test]
    fn a_version_that_loads_slowly_is_never_inline() {
        let standing = Standing::default();
        standing.loaded(false);
        calls(&standing, MOVED_UP_AFTER);
        assert!(standing.may_share() && !standing.may_be_inline());
    }
}
