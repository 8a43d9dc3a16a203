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

use crate::engine::Limits;

/// How often running threads are looked at, and so how late a timeout may be.
const TICK: Duration = Duration::from_millis(2);

/// Nothing of JavaScript's is to be in the way longer than this (A5).
pub(super) const STUCK_AFTER: Duration = Duration::from_millis(4);

/// How late a call may end. Loops of V8's own and operations in Rust do not notice that they are to end.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(2);

/// Looks without finding anything before the watchdog sleeps.
const IDLE_TICKS: u32 = 25;

/// What runs on a thread at this moment.
#[derive(Debug)]
pub(super) struct Slice {
    epoch: Instant,
    /// Nanoseconds since `epoch` at which the current slice of JavaScript began; 0 when none runs.
    since: AtomicU64,
    deadline: AtomicU64,
    running: Mutex<Option<Arc<Limits>>>,
}

impl Slice {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            since: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            running: Mutex::new(None),
        }
    }

    /// Marks JavaScript as running until the result is dropped.
    pub(super) fn enter<'a>(
        &'a self,
        limits: &Arc<Limits>,
        deadline: Instant,
        watchdog: &Watchdog,
    ) -> Running<'a> {
        let began = nanos(self.epoch, Instant::now());
        *lock(&self.running) = Some(limits.clone());
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
        if self.since.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let late = |slice: &Self| {
            let now = nanos(slice.epoch, now);
            now.saturating_sub(slice.deadline.load(Ordering::Acquire))
                > u64::try_from(LOST_AFTER.as_nanos()).unwrap_or(u64::MAX)
        };
        // As in `check`: under the lock, the deadline is that of what runs.
        late(self)
            && lock(&self.running)
                .as_ref()
                .is_some_and(|limits| late(self) && limits.lose())
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
            if let Some(limits) = &*lock(&self.running)
                && now >= self.deadline.load(Ordering::Acquire)
            {
                limits.time_out();
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
        if let Some(limits) = lock(&self.slice.running).take() {
            limits.found();
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
