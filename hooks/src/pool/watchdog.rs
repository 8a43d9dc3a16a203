//! Ends calls that do not end by themselves, and tells which threads are stuck in JavaScript.
//!
//! Every JS thread has a [`Lane`]'s worth of shared state: what runs on it now and until when. One
//! thread looks at all of them. It sleeps while nothing runs.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Prepared,
    inline::{Hold, OnHold},
};
use crate::engine::Limits;

/// How often running threads are looked at, and so how late a timeout may be.
const TICK: Duration = Duration::from_millis(2);

/// Nothing of JavaScript's is to be in the way longer than this (A5).
pub(super) const STUCK_AFTER: Duration = Duration::from_millis(4);

/// How late a call may end. Loops of V8's own and operations in Rust do not notice that they are to end.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(2);

/// How late a slice on a thread of the caller's may be before somebody has to stand in for the thread: long enough for
/// what is linear in the memory of its function, short enough for connections that wait meanwhile.
pub(super) const HELD_AFTER: Duration = Duration::from_millis(250);

/// Looks without finding anything before the watchdog sleeps.
const IDLE_TICKS: u32 = 25;

/// What runs on a thread at this moment.
pub(super) struct Slice {
    epoch: Instant,
    /// Nanoseconds since `epoch` at which the current slice of JavaScript began; 0 when none runs.
    since: AtomicU64,
    deadline: AtomicU64,
    running: Mutex<Option<Occupant>>,
    /// Who is told when a version holds the thread, and when it no longer does; none for threads of the pool's own.
    on_hold: Option<OnHold>,
}

/// Whose code runs.
struct Occupant {
    limits: Arc<Limits>,
    /// On threads of the caller's.
    version: Option<Arc<Prepared>>,
    /// Whether `on_hold` was told.
    holds: bool,
}

impl Slice {
    /// That of a thread of the pool's; of one of the caller's with `on_hold`.
    pub(super) fn new(epoch: Instant, on_hold: Option<OnHold>) -> Self {
        Self {
            epoch,
            since: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            running: Mutex::new(None),
            on_hold,
        }
    }

    /// Marks JavaScript as running until the result is dropped; that of `version` on a thread of the caller's.
    pub(super) fn enter<'a>(
        &'a self,
        limits: &Arc<Limits>,
        version: Option<&Arc<Prepared>>,
        deadline: Instant,
        watchdog: &Watchdog,
    ) -> Running<'a> {
        let began = nanos(self.epoch, Instant::now());
        *lock(&self.running) = Some(Occupant {
            limits: limits.clone(),
            version: version.cloned(),
            holds: false,
        });
        self.deadline
            .store(nanos(self.epoch, deadline), Ordering::Release);
        // Before the look at whether the watchdog sleeps, in the order that it relies on.
        self.since.store(began, Ordering::SeqCst);
        watchdog.wake();
        Running { slice: self, began }
    }

    /// Whether the slice should have ended [`LOST_AFTER`] ago: it is in code that looks at nothing. If that is news, its
    /// isolate takes note of it.
    pub(super) fn is_lost(&self, now: Instant) -> bool {
        // As in `check`: under the lock, the deadline is that of what runs.
        self.is_late(now, LOST_AFTER)
            && lock(&self.running)
                .as_ref()
                .is_some_and(|running| self.is_late(now, LOST_AFTER) && running.limits.lose())
    }

    /// The version that holds the thread, a caller's, if that is news: its slice should have ended [`HELD_AFTER`] ago.
    /// Whoever started the thread has been told then.
    pub(super) fn held(&self, now: Instant) -> Option<Arc<Prepared>> {
        let on_hold = self.on_hold.as_ref()?;
        if !self.is_late(now, HELD_AFTER) {
            return None;
        }
        let mut running = lock(&self.running);
        let running = running.as_mut()?;
        if running.holds || !self.is_late(now, HELD_AFTER) {
            return None;
        }
        running.holds = true;
        // Under the lock, so that the end of a hold is never told before its beginning.
        on_hold(Hold::Begins);
        running.version.clone()
    }

    /// Whether a version holds the thread, a caller's, at this moment.
    pub(super) fn is_held(&self) -> bool {
        lock(&self.running).as_ref().is_some_and(|r| r.holds)
    }

    /// Whether something runs that should have ended so long ago.
    fn is_late(&self, now: Instant, by: Duration) -> bool {
        let late = nanos(self.epoch, now).saturating_sub(self.deadline.load(Ordering::Acquire));
        self.since.load(Ordering::SeqCst) != 0
            && late > u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long JavaScript has been running without a pause.
    pub(super) fn busy_for(&self, now: Instant) -> Duration {
        match self.since.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => Duration::from_nanos(nanos(self.epoch, now).saturating_sub(since)),
        }
    }

    fn check(&self, now: u64) -> bool {
        if self.since.load(Ordering::SeqCst) == 0 {
            return false;
        }
        if now >= self.deadline.load(Ordering::Acquire) {
            // Under the lock: a slice that ends now clears this first, so its successor is never hit.
            if let Some(running) = &*lock(&self.running)
                && now >= self.deadline.load(Ordering::Acquire)
            {
                running.limits.time_out();
            }
        }
        true
    }
}

/// A slice of JavaScript in progress.
pub(super) struct Running<'a> {
    slice: &'a Slice,
    began: u64,
}

impl Running<'_> {
    /// Ends the slice; says how long it took.
    pub(super) fn leave(self) -> Duration {
        let now = nanos(self.slice.epoch, Instant::now());
        Duration::from_nanos(now.saturating_sub(self.began))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.slice.since.store(0, Ordering::Release);
        let mut running = lock(&self.slice.running);
        if let Some(ended) = running.take() {
            ended.limits.found();
            if ended.holds
                && let Some(on_hold) = &self.slice.on_hold
            {
                on_hold(Hold::Ends);
            }
        }
    }
}

/// The thread that looks.
#[derive(Debug)]
pub(super) struct Watchdog {
    asleep: AtomicBool,
    gate: Mutex<bool>,
    wake: Condvar,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self {
            asleep: AtomicBool::new(false),
            gate: Mutex::new(false),
            wake: Condvar::new(),
        }
    }

    /// Starts looking. `threads` lists the slices there are, `stuck` is told of each look that found
    /// something running.
    pub(super) fn spawn<P>(self: &Arc<Self>, pool: Weak<P>, look: fn(&P, u64, Instant) -> bool)
    where
        P: Send + Sync + 'static,
    {
        let me = self.clone();
        let epoch = Instant::now();
        let spawned = thread::Builder::new()
            .name("ff-watchdog".into())
            .spawn(move || me.run(&pool, epoch, look));
        if let Err(e) = spawned {
            // Without it nothing would end a function that loops: not a state to run in.
            panic!("the watchdog's thread cannot be started: {e}");
        }
    }

    fn run<P>(&self, pool: &Weak<P>, epoch: Instant, look: fn(&P, u64, Instant) -> bool) {
        let mut quiet = 0;
        loop {
            let looked = || {
                let now = Instant::now();
                Some(look(&*pool.upgrade()?, nanos(epoch, now), now))
            };
            let Some(busy) = looked() else { return };
            quiet = if busy { 0 } else { quiet + 1 };
            let mut woken = lock(&self.gate);
            if quiet < IDLE_TICKS {
                let _ = self.wake.wait_timeout(woken, TICK);
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            drop(woken);
            // A slice that began after the last look and before the mark above has woken nobody: look once more. One
            // that begins after it finds the mark. Both orders are sequentially consistent, so none falls between.
            let Some(busy) = looked() else { return };
            if busy {
                self.asleep.store(false, Ordering::SeqCst);
                quiet = 0;
                continue;
            }
            woken = lock(&self.gate);
            // A second passes at most, so that a dropped pool is noticed.
            while !*woken {
                let (guard, timed_out) = self
                    .wake
                    .wait_timeout(woken, Duration::from_secs(1))
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                woken = guard;
                if timed_out.timed_out() {
                    break;
                }
            }
            *woken = false;
            self.asleep.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            *lock(&self.gate) = true;
            self.wake.notify_one();
        }
    }
}

/// Looks at one slice: ends what is over time; says whether anything runs.
pub(super) fn check(slice: &Slice, now: Instant) -> bool {
    slice.check(nanos(slice.epoch, now))
}

fn nanos(epoch: Instant, at: Instant) -> u64 {
    // Never 0, which means "nothing".
    u64::try_from(at.saturating_duration_since(epoch).as_nanos()).map_or(u64::MAX, |n| n + 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn a_hold_is_told_once_and_its_end_after_it_and_what_ends_in_time_is_none() {
        // NC-98
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = told.clone();
        let on_hold: OnHold = Box::new(move |hold| lock(&hears).push(hold));
        let began = Instant::now();
        let slice = Slice::new(began, Some(on_hold));
        let watchdog = Watchdog::new();
        let lost = Arc::new(AtomicUsize::new(0));
        let limits = Arc::new(Limits::new(128, lost));
        let deadline = began + Duration::from_millis(8);
        let in_time = deadline + HELD_AFTER;
        let late = in_time + Duration::from_millis(1);

        let running = slice.enter(&limits, None, deadline, &watchdog);
        slice.held(in_time);
        assert!(!slice.is_held());
        running.leave();
        slice.held(late);
        assert!(lock(&told).is_empty(), "nothing runs any more");

        let running = slice.enter(&limits, None, deadline, &watchdog);
        slice.held(late);
        slice.held(late + HELD_AFTER);
        assert!(slice.is_held());
        assert_eq!(*lock(&told), [Hold::Begins]);
        running.leave();
        assert!(!slice.is_held());
        assert_eq!(*lock(&told), [Hold::Begins, Hold::Ends]);
    }
}
