//! Which isolate runs which call.
//!
//! Isolates are pinned to threads; a thread runs many isolates, one slice of JavaScript at a time. A
//! call goes to an idle isolate of its version if there is one, else to a new one. Functions are kept
//! apart by what is known of them:
//!
//! - A version whose calls have always ended at once is called on the proxy's own thread ([`inline`]).
//! - A version that has always come back within a few milliseconds lives on the *shared* threads, one
//!   per core.
//! - A version that is new, or has once held its thread for longer, lives on *separate* threads, of
//!   which there are as many as are needed. A thread stuck in JavaScript is given nothing new, and
//!   calls that wait for it are moved.
//!
//! So a function that has always looped, or waited, or filled its memory is alone with its thread. One that begins to
//! after hundreds of good calls holds a proxy's thread up for some milliseconds, once, and then earns its way back
//! slowly, or never, if it held the thread for longer with what V8 cannot interrupt; on a shared thread it holds up, until its time is over, the calls that wait for timers or the network
//! there, while calls that have not begun are moved.

mod inline;
mod standing;
mod stats;
mod thread;
mod watchdog;

use std::{
    fmt,
    future::Future,
    io,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::RecvTimeoutError,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use fourfront_model::{Compat, EventType, Function};
use tokio::sync::oneshot;

pub use crate::engine::{ComputeLimits, Egress, EgressRefusal, Host, Now};
use crate::{
    ExecutionFault, HookFault, LimitFault,
    bundle::{Bundle, ModulesDir},
    engine::{self, Ids, Isolate, Priority, Program},
    log::LogSink,
};
pub use inline::{Hold, Inline};
use standing::Standing;
use stats::Counters;
pub use stats::{FunctionStats, PoolStats};
use thread::{Job, JsThread, Task};
use watchdog::{STUCK_AFTER, Slice, Watchdog};

/// Loading and module evaluation are bounded apart from the call (LE-263).
const LOAD_LIMIT: Duration = Duration::from_secs(10);

/// Separate threads, at most. Beyond, separate functions share.
const MAX_SEPARATE: usize = 64;

/// Calls of a version that may be on one separate thread, waiting ones included.
const MAX_QUEUE: usize = 64;

/// Threads that a version may hold though its calls have been ended. What V8's own loops and operations in Rust do can
/// take long, and nobody can stop them: so much harm a version may do and no more.
const MOST_LOST: usize = 4;

/// How long a caller waits for an answer that is late.
const ANSWERED_AFTER: Duration = Duration::from_secs(3);

/// How a [`HookPool`] is set up.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Shared JS threads.
    pub threads: NonZeroUsize,
    /// Calls of one function that may run at once; more are refused (LE-265).
    pub concurrency_per_function: usize,
    /// How long an isolate that nobody calls is kept (LE-350).
    pub idle_ttl: Duration,
    /// Loading a version on a thread of the caller's holds up what else that does, once per thread: a version that takes longer
    /// than this is never called there, and a load there may take twice as long.
    pub quick_load: Duration,
    /// What every function is given.
    pub host: Host,
}

impl PoolSettings {
    /// One thread per core, 100 calls per function, ten idle minutes.
    pub fn new(log: Arc<dyn LogSink>, now: Now) -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            concurrency_per_function: 100,
            idle_ttl: Duration::from_secs(600),
            quick_load: Duration::from_millis(25),
            host: Host {
                log,
                now,
                name_prefix: "us-east-1.".into(),
                variables: false,
                egress: Egress::default(),
                max_result_bytes: 6 * 1024 * 1024,
                tmp_bytes: 512 * 1024 * 1024,
                max_log_bytes: 256 * 1024,
                compute: ComputeLimits::default(),
            },
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The event as JSON.
    pub event: Vec<u8>,
    /// The trigger; for logs and metrics.
    pub event_type: EventType,
    /// Wall time, start-up of a cold isolate included (LE-250, LE-263).
    pub timeout: Duration,
    /// `context.awsRequestId`: a UUID, new per call (LE-325).
    pub request_id: String,
    /// The viewer request that the call is made for, by the id its viewer gets (LE-282); empty when there is none.
    pub viewer_request_id: String,
}

impl Call {
    fn ids(&self) -> Ids<'_> {
        Ids {
            invocation: &self.request_id,
            viewer_request: &self.viewer_request_id,
        }
    }
}

/// Runs hooks: one event in, one result or a fault out.
pub trait HookExecutor: Send + Sync {
    /// Runs one call of a prepared version. The result is JSON, not validated.
    fn invoke(
        &self,
        version: &Arc<Prepared>,
        call: Call,
    ) -> impl Future<Output = Result<Vec<u8>, HookFault>> + Send;
}

/// A function version that has been loaded once and may be called.
pub struct Prepared {
    program: Arc<Program>,
    counters: Counters,
    in_flight: AtomicUsize,
    standing: Standing,
    idle: Mutex<Vec<Arc<JsThread>>>,
    retired: Arc<AtomicBool>,
}

impl Prepared {
    /// The function that was prepared.
    pub fn function(&self) -> &Arc<Function> {
        &self.program.function
    }

    /// Whether this is the given function with the given files: then nothing new needs to be prepared, and its
    /// isolates keep their state (LE-347, LE-350).
    pub fn is_of(&self, function: &Function, bundle: &Bundle) -> bool {
        *self.program.function == *function && self.program.bundle == *bundle
    }

    /// Whether it finds these packages beside its own (NC-72).
    pub fn has_modules(&self, modules: Option<&Arc<ModulesDir>>) -> bool {
        match (self.program.bundle.modules(), modules) {
            (None, None) => true,
            (Some(own), Some(given)) => Arc::ptr_eq(own, given),
            _ => false,
        }
    }

    /// Percent of the compute budget that the last run of a CloudFront Function used (LE-436).
    pub fn compute_utilization(&self) -> Option<u8> {
        let compute = &self.program.compute;
        self.function().cloudfront().map(|_| compute.utilization())
    }

    /// What its calls have come to.
    pub fn stats(&self) -> FunctionStats {
        self.counters.read()
    }

    /// Takes the right to one idle isolate, most recently used first, on a thread that is free.
    fn take_idle(&self, now: Instant) -> Option<Arc<JsThread>> {
        let may_share = self.standing.may_share();
        let mut idle = lock(&self.idle);
        let at = idle.iter().rposition(|t| {
            t.alive() && !t.retires() && t.busy_for(now) < STUCK_AFTER && t.shared() == may_share
        })?;
        Some(idle.remove(at))
    }

    /// Takes the right to an idle isolate of one thread. Whether there was one.
    fn withdraw(&self, thread: &Arc<JsThread>) -> bool {
        let mut idle = lock(&self.idle);
        let at = idle.iter().position(|t| Arc::ptr_eq(t, thread));
        at.map(|at| idle.remove(at)).is_some()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("function", &self.program.function.name)
            .field("version", &self.program.function.version)
            .finish_non_exhaustive()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Its threads drop the idle isolates at their next look.
        self.retired.store(true, Ordering::Release);
        for thread in lock(&self.idle).drain(..) {
            thread.wake();
        }
    }
}

/// JS threads and the isolates on them.
#[derive(Clone)]
pub struct HookPool {
    inner: Arc<Inner>,
}

struct Inner {
    settings: PoolSettings,
    epoch: Instant,
    watchdog: Arc<Watchdog>,
    threads: Mutex<Vec<Arc<JsThread>>>,
    /// What runs on threads of the callers'.
    inline: Mutex<Vec<Arc<Slice>>>,
    /// How often one of those was held.
    holds: AtomicU64,
    isolates: Arc<AtomicUsize>,
}

impl HookPool {
    /// Starts the engine and the shared threads.
    pub fn new(settings: PoolSettings) -> Self {
        let inner = Arc::new(Inner {
            epoch: Instant::now(),
            watchdog: Arc::new(Watchdog::new()),
            threads: Mutex::default(),
            inline: Mutex::default(),
            holds: AtomicU64::new(0),
            isolates: Arc::new(AtomicUsize::new(0)),
            settings,
        });
        inner
            .watchdog
            .spawn(Arc::downgrade(&inner), |inner, _, now| inner.look(now));
        {
            let mut threads = lock(&inner.threads);
            for _ in 0..inner.settings.threads.get() {
                threads.push(inner.spawn(true));
            }
        }
        Self { inner }
    }

    /// Reads the bundle from disk, loads it into an isolate and keeps that one warm. Blocks: at
    /// start-up, in `check`, and before a new version replaces an old one (LE-350).
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the function cannot be loaded, or the limit that loading ran into.
    pub fn prepare(
        &self,
        function: &Function,
        compat: Compat,
    ) -> Result<Arc<Prepared>, ExecutionFault> {
        let bundle = Bundle::read(&function.source)?;
        self.prepare_bundle(function, compat, bundle)
    }

    /// [`HookPool::prepare`] with files that are at hand.
    ///
    /// # Errors
    /// As [`HookPool::prepare`].
    pub fn prepare_bundle(
        &self,
        function: &Function,
        compat: Compat,
        bundle: Bundle,
    ) -> Result<Arc<Prepared>, ExecutionFault> {
        // Here and not when the pool is made: a node without functions never pays for V8.
        engine::start();
        let program = Program::new(
            Arc::new(function.clone()),
            compat,
            bundle,
            self.inner.settings.host.clone(),
        );
        program.warn_of_addons();
        let prepared = Arc::new(Prepared {
            program: Arc::new(program),
            counters: Counters::default(),
            in_flight: AtomicUsize::new(0),
            standing: Standing::default(),
            idle: Mutex::default(),
            retired: Arc::default(),
        });
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        let thread = self.inner.place(&prepared);
        thread.push(Job {
            prepared: prepared.clone(),
            fresh: true,
            task: Task::Warm(reply),
        });
        match answer.recv_timeout(LOAD_LIMIT + ANSWERED_AFTER) {
            Ok(loaded) => loaded?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(ExecutionFault::Timeout { limit: LOAD_LIMIT });
            }
            Err(RecvTimeoutError::Disconnected) => return Err(ExecutionFault::WorkerGone),
        }
        Ok(prepared)
    }

    /// Runs one call; see [`HookExecutor::invoke`].
    ///
    /// # Errors
    /// [`LimitFault::Concurrency`] at once when too many calls run already (LE-265), otherwise what
    /// the function's run came to.
    pub async fn invoke(&self, version: &Arc<Prepared>, call: Call) -> Result<Vec<u8>, HookFault> {
        let result = self.invoke_any(version, call).await;
        if version.function().cloudfront().is_some() {
            return result.map_err(HookFault::of_cloudfront_function);
        }
        result
    }

    async fn invoke_any(&self, version: &Arc<Prepared>, call: Call) -> Result<Vec<u8>, HookFault> {
        if version.program.compute.is_throttled() {
            version.counters.refused();
            return Err(LimitFault::Compute.into());
        }
        let of_node = self.inner.settings.concurrency_per_function;
        let own = version.function().concurrency;
        let limit = own.map_or(of_node, |own| {
            of_node.min(usize::try_from(own).unwrap_or(of_node))
        });
        if version.in_flight.fetch_add(1, Ordering::AcqRel) >= limit {
            version.in_flight.fetch_sub(1, Ordering::AcqRel);
            version.counters.refused();
            return Err(LimitFault::Concurrency { limit }.into());
        }
        let threads = version.program.lost.load(Ordering::Acquire);
        if threads >= MOST_LOST {
            version.in_flight.fetch_sub(1, Ordering::AcqRel);
            version.counters.refused();
            return Err(LimitFault::Held { threads }.into());
        }
        // Given back when the call has ended on its thread, even if nobody waits for it any more.
        let place = InFlight(version.clone());
        let asked = Instant::now();
        if version.standing.may_be_inline()
            && let Some(result) = inline::call(&self.inner, version, &call, asked)
        {
            return result.map_err(HookFault::Execution);
        }
        let (reply, answer) = oneshot::channel();
        let limit = call.timeout;
        let (thread, fresh) = match version.take_idle(Instant::now()) {
            Some(thread) => (thread, false),
            None => (self.inner.place(version), true),
        };
        thread.push(Job {
            prepared: version.clone(),
            fresh,
            task: Task::Call {
                call,
                asked,
                reply,
                place,
            },
        });
        // Its thread ends a call in time, unless it is lost.
        let longest = if fresh { limit.max(LOAD_LIMIT) } else { limit } + ANSWERED_AFTER;
        match tokio::time::timeout_at((asked + longest).into(), answer).await {
            Ok(Ok(result)) => result.map_err(HookFault::Execution),
            Ok(Err(_)) => Err(ExecutionFault::WorkerGone.into()),
            Err(_) => Err(ExecutionFault::Timeout { limit }.into()),
        }
    }

    /// Starts a thread of the caller's. When functions are there already it may run calls itself: then `run` is
    /// given the right to, and should keep it until its runtime ends.
    ///
    /// A function may hold such a thread in spite of all (NC-98): `on_hold` is told when that begins and when it ends,
    /// each once and in this order, from a thread of the pool's and from the one that was held. It must be quick, and
    /// must not ask the pool for anything.
    ///
    /// # Errors
    /// The system's, when there can be no further thread.
    pub fn spawn(
        &self,
        name: String,
        on_hold: impl Fn(Hold) + Send + Sync + 'static,
        run: impl FnOnce(Option<Inline>) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        if !engine::started() {
            return std::thread::Builder::new()
                .name(name)
                .spawn(move || run(None));
        }
        let pool = self.inner.clone();
        engine::spawn(name, thread::STACK, Priority::Prompt, move || {
            let inline = Inline::attach(&pool, Box::new(on_hold));
            drop(pool);
            run(Some(inline));
        })
    }

    /// Starts a thread of the caller's that never runs calls itself, so that no function can hold it.
    ///
    /// # Errors
    /// The system's, when there can be no further thread.
    pub fn spawn_apart(
        &self,
        name: String,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        if engine::started() {
            // For its place in the scheduler's order.
            return engine::spawn(name, thread::STACK, Priority::Prompt, run);
        }
        std::thread::Builder::new().name(name).spawn(run)
    }

    /// Where functions may send requests to.
    pub fn egress(&self) -> &Egress {
        &self.inner.settings.host.egress
    }

    /// What the pool holds at the moment.
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            isolates: self.inner.isolates.load(Ordering::Relaxed),
            threads: lock(&self.inner.threads).len(),
            held: lock(&self.inner.inline)
                .iter()
                .filter(|slice| slice.is_held())
                .count(),
            holds: self.inner.holds.load(Ordering::Relaxed),
        }
    }
}

impl HookExecutor for HookPool {
    async fn invoke(&self, version: &Arc<Prepared>, call: Call) -> Result<Vec<u8>, HookFault> {
        Self::invoke(self, version, call).await
    }
}

impl fmt::Debug for HookPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookPool")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// A call's share of its function's concurrency.
struct InFlight(Arc<Prepared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Inner {
    /// The thread for a new isolate of the version: of its kind, not stuck, least loaded. A separate thread is for
    /// one version at a time; calls that come at once wait for each other there, because most of them end
    /// before another thread would have started.
    fn place(&self, prepared: &Prepared) -> Arc<JsThread> {
        let shared = prepared.standing.may_share();
        let id = prepared.program.id;
        let now = Instant::now();
        let mut threads = lock(&self.threads);
        threads.retain(|t| t.alive());

        let free = |t: &&Arc<JsThread>| {
            t.shared() == shared && !t.retires() && t.busy_for(now) < STUCK_AFTER
        };
        if !shared && !prepared.standing.is_long() {
            let own = threads
                .iter()
                .filter(free)
                .filter(|t| t.serves(id) && t.load() < MAX_QUEUE)
                .min_by_key(|t| t.load());
            if let Some(own) = own {
                return own.clone();
            }
        }
        let best = threads.iter().filter(free).min_by_key(|t| t.load());
        if let Some(best) = best
            && (shared || best.load() == 0 || self.separate_full(&threads))
        {
            best.serve_only(id);
            return best.clone();
        }
        if shared || self.separate_full(&threads) {
            // Every thread of the kind is stuck: the least loaded one is still to be waited for.
            if let Some(least) = threads
                .iter()
                .filter(|t| t.shared() == shared && !t.retires())
                .min_by_key(|t| t.load())
            {
                return least.clone();
            }
        }
        let thread = self.spawn(false);
        thread.serve_only(id);
        threads.push(thread.clone());
        thread
    }

    fn separate_full(&self, threads: &[Arc<JsThread>]) -> bool {
        threads
            .iter()
            .filter(|t| !t.shared() && !t.retires())
            .count()
            >= MAX_SEPARATE
    }

    fn discard(&self, isolate: Isolate) {
        drop(isolate);
        self.isolates.fetch_sub(1, Ordering::Relaxed);
    }

    fn spawn(&self, shared: bool) -> Arc<JsThread> {
        JsThread::spawn(thread::Setup {
            shared,
            epoch: self.epoch,
            idle_ttl: self.settings.idle_ttl,
            quick_load: self.settings.quick_load,
            watchdog: self.watchdog.clone(),
            isolates: self.isolates.clone(),
        })
    }

    /// One look of the watchdog: ends what is over time, moves what waits behind it.
    fn look(&self, now: Instant) -> bool {
        let threads = lock(&self.threads).clone();
        let mut busy = false;
        for slice in lock(&self.inline).iter() {
            busy |= watchdog::check(slice, now);
            if let Some(version) = slice.held(now) {
                version.standing.unfit();
                self.holds.fetch_add(1, Ordering::Relaxed);
                let function = version.function();
                tracing::error!(
                    function = function.name.as_str(),
                    version = function.version.0,
                    "a function does not let go of a thread of the proxy's: the connections of that thread wait, and no \
                     call of the function runs on such a thread again"
                );
            }
            // Counts among the threads that its version may hold.
            slice.is_lost(now);
        }
        for thread in &threads {
            busy |= watchdog::check(thread.slice(), now);
            if thread.slice().is_lost(now) {
                tracing::error!("a function does not let go of its thread: it gets no other work");
                thread.give_up();
                if thread.shared() {
                    let mut threads = lock(&self.threads);
                    threads.push(self.spawn(true));
                }
            }
            if thread.busy_for(now) >= STUCK_AFTER {
                for mut job in thread.take_queued() {
                    if !job.fresh {
                        // Its isolate stays behind, idle, for when the thread is free again.
                        lock(&job.prepared.idle).push(thread.clone());
                        job.fresh = true;
                    }
                    let target = match job.prepared.take_idle(now) {
                        Some(thread) => {
                            job.fresh = false;
                            thread
                        }
                        None => self.place(&job.prepared),
                    };
                    target.push(job);
                }
            }
        }
        busy
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for thread in lock(&self.threads).iter() {
            thread.stop();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
