//! Calls on the thread that asks for them.
//!
//! Handing a call to a JS thread and its result back costs two wake-ups and two switches of context, several times
//! what the JavaScript of a small handler takes. So a thread of the proxy may have isolates of its own, and a
//! version whose calls have always ended at once ([`super::standing`]) is called right there.
//!
//! Such a call is a *trial*: it ends at once, or it is forgotten and run again on a JS thread, where it may wait.
//! It is given up when it
//!
//! - runs longer than [`TRIAL_LIMIT`]: the watchdog ends it, and the proxy's connections have waited no longer;
//! - waits for a timer or the network;
//! - reaches an operation that is not known to be harmless ([`crate::engine`]'s `audit`), the network among them, or
//!   something of V8's own that takes long and cannot be interrupted. It is ended before that, so that nothing is done
//!   twice, and its version is not tried again.
//!
//! Log records are held back until the call has ended. A version that gives up trials otherwise comes back later and
//! later. What a trial did to the module state of its isolate is lost with the isolate, as it is whenever an isolate is
//! replaced (LE-347).
//!
//! There are things of V8's that cannot be interrupted and that nobody sees coming: a search by a regular expression, the
//! compiling of a long text. A trial in one of them holds its thread until that is over. The watchdog notices a quarter of
//! a second after the trial should have ended, no call of the version is tried again, and whoever started the thread is
//! told ([`Hold`]), so that others of its threads take over what is new. What the thread had begun waits.
//!
//! Loading a version is a trial, too. A handler that is an ES module (NC-53) is loaded by the event loop, from the bundle and
//! so at once; a version whose modules wait at their top level for anything else is never called here.
//!
//! Measured on one core with 50 connections, a 1 KB hit with a viewer-response function: see
//! [the engine's notes](crate::engine).

use std::{
    cell::RefCell,
    collections::HashMap,
    marker::PhantomData,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Call, Inner, Prepared, lock, watchdog::Slice};
use crate::{
    ExecutionFault,
    engine::{Isolate, Place, Trial},
    log::LogLevel,
};

/// How long a trial may hold its thread up. The watchdog may be one of its looks late. Collecting the garbage of a
/// small heap in full takes 5 ms, and is no reason to give a trial up.
const TRIAL_LIMIT: Duration = Duration::from_millis(8);

/// A trial that held its thread for so long in spite of that was in something of V8's that nobody can interrupt. It came
/// back; the next one need not.
const FAR_TOO_LONG: Duration = Duration::from_millis(250);

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// What is told of a thread of the caller's ([`super::HookPool::spawn`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A function was told to end 250 ms ago, and nothing else has run on the thread since.
    Begins,
    /// The thread is free again.
    Ends,
}

/// Who is told.
pub(super) type OnHold = Box<dyn Fn(Hold) + Send + Sync>;

/// The isolates of a thread of the caller's.
struct Here {
    pool: Weak<Inner>,
    slice: Arc<Slice>,
    idle: HashMap<u64, Kept>,
}

/// An isolate between two calls. One per version is enough: a trial is over before the next begins.
struct Kept {
    isolate: Isolate,
    version: Weak<Prepared>,
    retired: Arc<AtomicBool>,
    since: Instant,
}

/// The right of the current thread to run calls itself. Dropping it drops the thread's isolates; that must happen
/// within the Tokio runtime in which they were called.
#[derive(Debug)]
pub struct Inline {
    idle_ttl: Duration,
    not_send: PhantomData<Rc<()>>,
}

impl Inline {
    pub(super) fn attach(pool: &Arc<Inner>, on_hold: OnHold) -> Self {
        let slice = Arc::new(Slice::new(pool.epoch, Some(on_hold)));
        lock(&pool.inline).push(slice.clone());
        let here = Here {
            pool: Arc::downgrade(pool),
            slice,
            idle: HashMap::new(),
        };
        HERE.set(Some(here));
        Self {
            idle_ttl: pool.settings.idle_ttl,
            not_send: PhantomData,
        }
    }

    /// Drops isolates of retired versions and those idle for too long (LE-350). Never returns; to be run beside
    /// what the thread is there for.
    pub async fn tend(&self) {
        let look = (self.idle_ttl / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            tokio::time::sleep(look).await;
            HERE.with_borrow_mut(|here| {
                if let Some(here) = here {
                    here.evict(self.idle_ttl);
                }
            });
        }
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        if let Some(mut here) = HERE.take() {
            here.evict(Duration::ZERO);
            if let Some(pool) = here.pool.upgrade() {
                lock(&pool.inline).retain(|slice| !Arc::ptr_eq(slice, &here.slice));
            }
        }
    }
}

/// Runs a call here, if this thread may and the call ends at once. `None`: it is to be run elsewhere, as if nothing
/// had happened.
pub(super) fn call(
    pool: &Arc<Inner>,
    version: &Arc<Prepared>,
    call: &Call,
    asked: Instant,
) -> Option<Result<Vec<u8>, ExecutionFault>> {
    HERE.with(|here| {
        let mut here = here.try_borrow_mut().ok()?;
        let here = here.as_mut()?;
        if !std::ptr::eq(here.pool.as_ptr(), Arc::as_ptr(pool)) {
            return None;
        }
        let mut isolate = match here.idle.remove(&version.program.id) {
            Some(kept) => kept.isolate,
            None => here.load(pool, version)?,
        };
        let deadline = asked + call.timeout;
        let (trial, took) = here.slice(pool, version, &mut isolate, deadline, TRIAL_LIMIT, |i| {
            let left = deadline.saturating_duration_since(Instant::now());
            i.try_call(&call.event, call.ids(), left, call.timeout)
        });
        if matches!(trial, Trial::Unfit) || took > FAR_TOO_LONG {
            version.standing.unfit();
        }
        let result = match trial {
            Trial::Abandoned | Trial::Unfit => None,
            // The trial's time is over, and not the call's.
            Trial::Done(Err(ExecutionFault::Timeout { .. })) if Instant::now() < deadline => None,
            Trial::Done(result) => Some(result),
        };
        let Some(result) = result else {
            version.standing.strike();
            pool.discard(isolate);
            return None;
        };
        version.counters.called(result.is_err());
        version.counters.inline();
        version.standing.called(took, false);
        isolate.accept();
        let reusable = isolate.reusable(result.as_ref().err());
        if let Err(fault) = &result {
            isolate.log_fault(LogLevel::Error, fault);
        }
        if reusable {
            here.keep(version, isolate);
        } else {
            pool.discard(isolate);
        }
        Some(result)
    })
}

impl Here {
    /// A new isolate with the version loaded, if that can be done at once.
    fn load(&self, pool: &Arc<Inner>, version: &Arc<Prepared>) -> Option<Isolate> {
        let Ok(mut isolate) = Isolate::new(&version.program, Place::Caller) else {
            version.standing.strike();
            return None;
        };
        pool.isolates.fetch_add(1, Ordering::Relaxed);
        // The version has loaded on the pool within half of this.
        let limit = pool.settings.quick_load * 2;
        let deadline = Instant::now() + limit;
        let (trial, took) = self.slice(pool, version, &mut isolate, deadline, limit, |i| {
            i.try_load(limit)
        });
        if let Trial::Done(Ok(_)) = trial {
            isolate.accept_load();
            version.counters.cold_start();
            return Some(isolate);
        }
        // A module that waits for something while it is loaded does so in every isolate.
        if !matches!(trial, Trial::Done(_)) || took > FAR_TOO_LONG {
            version.standing.unfit();
        }
        version.standing.strike();
        pool.discard(isolate);
        None
    }

    /// Runs JavaScript under the watchdog, until `deadline` and no longer than `limit`.
    fn slice<T>(
        &self,
        pool: &Inner,
        version: &Arc<Prepared>,
        isolate: &mut Isolate,
        deadline: Instant,
        limit: Duration,
        act: impl FnOnce(&mut Isolate) -> T,
    ) -> (T, Duration) {
        let limits = isolate.limits().clone();
        let end = deadline.min(Instant::now() + limit);
        let running = self
            .slice
            .enter(&limits, Some(version), end, &pool.watchdog);
        let done = act(isolate);
        (done, running.leave())
    }

    fn keep(&mut self, version: &Arc<Prepared>, isolate: Isolate) {
        let kept = Kept {
            isolate,
            version: Arc::downgrade(version),
            retired: version.retired.clone(),
            since: Instant::now(),
        };
        self.idle.insert(version.program.id, kept);
    }

    fn evict(&mut self, ttl: Duration) {
        let now = Instant::now();
        let gone = self.idle.extract_if(|_, kept| {
            kept.retired.load(Ordering::Acquire)
                || kept.version.strong_count() == 0
                || now.duration_since(kept.since) >= ttl
        });
        for (_, kept) in gone {
            match self.pool.upgrade() {
                Some(pool) => pool.discard(kept.isolate),
                None => drop(kept.isolate),
            }
        }
    }
}
