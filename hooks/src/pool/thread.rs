//! One JS thread: its queue, its Tokio runtime, its isolates.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    rc::Rc,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, oneshot},
    task::LocalSet,
};

use super::{
    Call, InFlight, LOAD_LIMIT, Prepared, lock,
    watchdog::{Slice, Watchdog},
};
use crate::{
    ExecutionFault,
    engine::{
        self, Isolate, Place, Priority, Progress,
        sched::{self, ThreadId},
    },
    log::LogLevel,
};

/// V8 takes about a megabyte of stack before it throws a `RangeError`.
pub(super) const STACK: usize = 4 * 1024 * 1024;

/// Separate threads give way when cores are short: to the proxy, and to functions that come back at
/// once. Measured on two cores beside five functions that never stop: with equal priorities the others'
/// p99 is some scheduler slices, 8 ms.
const SEPARATE_NICE: i32 = 10;

/// Something for a thread to do.
pub(super) struct Job {
    pub(super) prepared: Arc<Prepared>,
    /// Whether it comes without the right to an isolate that waits on the thread.
    pub(super) fresh: bool,
    pub(super) task: Task,
}

pub(super) enum Task {
    /// Load an isolate and keep it.
    Warm(SyncSender<Result<(), ExecutionFault>>),
    /// Run a call.
    Call {
        call: Call,
        asked: Instant,
        reply: oneshot::Sender<Result<Vec<u8>, ExecutionFault>>,
        place: InFlight,
    },
}

/// What a thread is started with.
pub(super) struct Setup {
    pub(super) shared: bool,
    pub(super) epoch: Instant,
    pub(super) idle_ttl: Duration,
    pub(super) quick_load: Duration,
    pub(super) watchdog: Arc<Watchdog>,
    pub(super) isolates: Arc<AtomicUsize>,
}

/// The handle by which others reach the thread.
pub(super) struct JsThread {
    shared: bool,
    slice: Slice,
    queue: Mutex<VecDeque<Job>>,
    /// Jobs queued or running.
    load: AtomicUsize,
    /// The version a separate thread was last given; 0 before the first.
    version: AtomicU64,
    /// How the kernel knows it, once it runs.
    id: OnceLock<ThreadId>,
    /// Whether it was told to give way to everything else.
    gives_way: AtomicBool,
    /// Whether it was told so, and the system does not let it come back: it gets nothing new, and ends when it has
    /// nothing left.
    retires: AtomicBool,
    notify: Notify,
    stopped: AtomicBool,
}

impl JsThread {
    pub(super) fn spawn(setup: Setup) -> Arc<Self> {
        let me = Arc::new(Self {
            shared: setup.shared,
            slice: Slice::new(setup.epoch, None),
            queue: Mutex::default(),
            load: AtomicUsize::new(0),
            version: AtomicU64::new(0),
            id: OnceLock::new(),
            gives_way: AtomicBool::new(false),
            retires: AtomicBool::new(false),
            notify: Notify::new(),
            stopped: AtomicBool::new(false),
        });
        let thread = me.clone();
        let (name, priority) = if setup.shared {
            ("ff-js", Priority::Prompt)
        } else {
            ("ff-js-sep", Priority::Nice(SEPARATE_NICE))
        };
        let spawned = engine::spawn(name.to_owned(), STACK, priority, move || run(thread, setup));
        if let Err(e) = spawned {
            // Calls pushed to it would never be answered: say so by dropping them.
            tracing::error!(error = %e, "a JS thread cannot be started");
            me.stop();
        }
        me
    }

    pub(super) const fn shared(&self) -> bool {
        self.shared
    }

    /// Lets the thread run only where nothing else wants to, until it pauses. By what its version has done before
    /// and not by the clock: where cores are short, a clock would punish those who wait for one.
    fn give_way(&self) {
        if let Some(id) = self.id.get()
            && !self.shared
            && !self.gives_way.swap(true, Ordering::AcqRel)
        {
            sched::set_idle(*id);
        }
    }

    /// After a slice, on the thread itself.
    fn come_back(&self) {
        if self.gives_way.load(Ordering::Relaxed)
            && self.gives_way.swap(false, Ordering::AcqRel)
            && !sched::set_normal()
        {
            self.retires.store(true, Ordering::Release);
        }
    }

    /// The thread's function does not let go of it: it gets nothing new, runs only where nothing else wants to, and
    /// ends if it ever comes back.
    pub(super) fn give_up(&self) {
        self.retires.store(true, Ordering::Release);
        if let Some(id) = self.id.get() {
            sched::set_idle(*id);
        }
    }

    pub(super) fn retires(&self) -> bool {
        self.retires.load(Ordering::Acquire)
    }

    /// Whether it was last given that version.
    pub(super) fn serves(&self, version: u64) -> bool {
        self.version.load(Ordering::Relaxed) == version
    }

    pub(super) fn serve_only(&self, version: u64) {
        self.version.store(version, Ordering::Relaxed);
    }

    pub(super) const fn slice(&self) -> &Slice {
        &self.slice
    }

    pub(super) fn busy_for(&self, now: Instant) -> Duration {
        self.slice.busy_for(now)
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(super) fn push(&self, job: Job) {
        if self.stopped.load(Ordering::Acquire) {
            return;
        }
        self.load.fetch_add(1, Ordering::Relaxed);
        lock(&self.queue).push_back(job);
        self.notify.notify_one();
    }

    /// The job that has waited longest.
    fn next(&self) -> Option<Job> {
        lock(&self.queue).pop_front()
    }

    /// Jobs that have not begun.
    pub(super) fn take_queued(&self) -> VecDeque<Job> {
        let jobs = std::mem::take(&mut *lock(&self.queue));
        self.load.fetch_sub(jobs.len(), Ordering::Relaxed);
        jobs
    }

    /// Whether jobs pushed to it are still run.
    pub(super) fn alive(&self) -> bool {
        !self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        lock(&self.queue).clear();
        self.notify.notify_one();
    }
}

/// An isolate that waits for its next call.
struct Idle {
    isolate: Isolate,
    retired: Arc<AtomicBool>,
    prepared: std::sync::Weak<Prepared>,
    since: Instant,
}

/// The isolates of one version that wait.
#[derive(Default)]
struct Kept {
    list: Vec<Idle>,
    /// Isolates given to jobs without a right while the holder of the right was still queued: that many
    /// rights come without an isolate.
    owed: usize,
}

/// How a call has used its thread.
struct Ran {
    longest: Duration,
    waited: bool,
}

impl Ran {
    const fn at_once(longest: Duration) -> Self {
        let waited = false;
        Self { longest, waited }
    }
}

/// The thread's own state.
struct Local {
    me: Arc<JsThread>,
    setup: Setup,
    idle: RefCell<HashMap<u64, Kept>>,
}

/// Takes the thread out of service however its function is left.
struct Gone(Arc<JsThread>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn run(me: Arc<JsThread>, setup: Setup) {
    let _gone = Gone(me.clone());
    let _ = me.id.set(sched::current());
    engine::panics::stop_here();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            tracing::error!(error = %e, "a JS thread cannot start its runtime");
            me.stop();
            return;
        }
    };
    let tasks = LocalSet::new();
    let local = Rc::new(Local {
        me: me.clone(),
        setup,
        idle: RefCell::default(),
    });
    tasks.block_on(&runtime, local.clone().serve());
    // Calls in progress are dropped with their isolates, inside the runtime they were made in.
    let _inside = runtime.enter();
    drop(tasks);
    for (_, kept) in local.idle.take() {
        for idle in kept.list {
            local.discard(idle.isolate);
        }
    }
}

impl Local {
    async fn serve(self: Rc<Self>) {
        let look =
            (self.setup.idle_ttl / 4).clamp(Duration::from_millis(10), Duration::from_secs(30));
        loop {
            while let Some(job) = self.me.next() {
                self.clone().take(job);
            }
            if self.me.retires() && self.me.load() == 0 {
                self.me.stop();
            }
            if self.me.stopped.load(Ordering::Acquire) {
                return;
            }
            let waiting = self.me.notify.notified();
            if self.idle.borrow().is_empty() {
                waiting.await;
            } else {
                let _ = tokio::time::timeout(look, waiting).await;
            }
            self.evict();
        }
    }

    /// Begins a job. What ends in its first step never becomes a task.
    fn take(self: Rc<Self>, job: Job) {
        let Job {
            prepared,
            fresh,
            task,
        } = job;
        match task {
            Task::Warm(reply) => {
                tokio::task::spawn_local(async move {
                    let loaded = self.load(&prepared, Instant::now() + LOAD_LIMIT).await;
                    let _ = reply.send(loaded.map(|(isolate, longest)| {
                        let is_quick = longest <= self.setup.quick_load;
                        prepared.standing.loaded(is_quick);
                        self.keep(&prepared, isolate);
                    }));
                    self.me.load.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Task::Call {
                call,
                asked,
                reply,
                place,
            } => {
                // Asked now and not when the job was queued: functions that settle in one slice have
                // left their isolate by the time the next job begins, and need no second one.
                let waiting = self.take_idle(&prepared, fresh);
                let deadline = asked + call.timeout;
                if let Some(mut isolate) = waiting {
                    let (progress, took) = self.slice(&prepared, &mut isolate, deadline, |i| {
                        i.start(&call.event, call.ids(), remaining(deadline), call.timeout)
                    });
                    match progress {
                        Progress::Done(result) => {
                            let ran = Ran::at_once(took);
                            self.end(&prepared, isolate, result, ran, reply, place);
                        }
                        Progress::Pending => {
                            tokio::task::spawn_local(async move {
                                let (result, ran) = self
                                    .finish(&prepared, &mut isolate, deadline, took, call.timeout)
                                    .await;
                                self.end(&prepared, isolate, result, ran, reply, place);
                            });
                        }
                    }
                } else {
                    // Its first step is made here, so that jobs behind it find the isolate it leaves.
                    let mut cold = Box::pin(self.cold(prepared, call, asked, reply, place));
                    let first = cold.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    if first.is_pending() {
                        tokio::task::spawn_local(cold);
                    }
                }
            }
        }
    }

    async fn cold(
        self: Rc<Self>,
        prepared: Arc<Prepared>,
        call: Call,
        asked: Instant,
        reply: oneshot::Sender<Result<Vec<u8>, ExecutionFault>>,
        place: InFlight,
    ) {
        prepared.counters.cold_start();
        if prepared.standing.gives_way() {
            // Starting an isolate costs more than most calls.
            self.me.give_way();
        }
        let loaded = self.load(&prepared, asked + LOAD_LIMIT).await;
        let (mut isolate, took) = match loaded {
            Ok(loaded) => loaded,
            Err(fault) => {
                prepared.counters.called(true);
                drop(place);
                let _ = reply.send(Err(fault));
                self.me.load.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        };
        let deadline = asked + call.timeout;
        let (progress, slice) = self.slice(&prepared, &mut isolate, deadline, |i| {
            i.start(&call.event, call.ids(), remaining(deadline), call.timeout)
        });
        let longest = took.max(slice);
        let (result, ran) = match progress {
            Progress::Done(result) => (result, Ran::at_once(longest)),
            Progress::Pending => {
                self.finish(&prepared, &mut isolate, deadline, longest, call.timeout)
                    .await
            }
        };
        self.end(&prepared, isolate, result, ran, reply, place);
    }

    /// Starts an isolate and loads the function (LE-263). Says how long its longest slice was, the
    /// engine's own part left out.
    async fn load(
        &self,
        prepared: &Arc<Prepared>,
        deadline: Instant,
    ) -> Result<(Isolate, Duration), ExecutionFault> {
        let mut isolate = Isolate::new(&prepared.program, Place::Pool)?;
        self.setup.isolates.fetch_add(1, Ordering::Relaxed);
        let (progress, mut longest) = self.slice(prepared, &mut isolate, deadline, |i| {
            i.start_load(LOAD_LIMIT)
        });
        let loaded = match progress {
            Progress::Done(done) => done.map(|_| ()),
            Progress::Pending => {
                let wait = poll_fn(|cx| {
                    let (polled, took) =
                        self.slice(prepared, &mut isolate, deadline, |i| i.poll_load(cx));
                    longest = longest.max(took);
                    polled
                });
                tokio::time::timeout_at(deadline.into(), wait)
                    .await
                    .unwrap_or(Err(ExecutionFault::Timeout { limit: LOAD_LIMIT }))
            }
        };
        match loaded {
            Ok(()) => Ok((isolate, longest)),
            Err(fault) => {
                self.discard(isolate);
                Err(fault)
            }
        }
    }

    /// Lets a call wait for timers and the network until it ends or its time is over.
    async fn finish(
        &self,
        prepared: &Prepared,
        isolate: &mut Isolate,
        deadline: Instant,
        mut longest: Duration,
        limit: Duration,
    ) -> (Result<Vec<u8>, ExecutionFault>, Ran) {
        let wait = poll_fn(|cx| {
            let (polled, took) = self.slice(prepared, isolate, deadline, |i| i.poll(cx));
            longest = longest.max(took);
            match polled {
                // Pending after a slice is the event loop's own wish to wait.
                Poll::Pending => Poll::Pending,
                ready => ready,
            }
        });
        let result = tokio::time::timeout_at(deadline.into(), wait)
            .await
            .unwrap_or(Err(ExecutionFault::Timeout { limit }));
        let waited = true;
        (result, Ran { longest, waited })
    }

    /// Runs JavaScript under the watchdog.
    fn slice<T>(
        &self,
        prepared: &Prepared,
        isolate: &mut Isolate,
        deadline: Instant,
        act: impl FnOnce(&mut Isolate) -> T,
    ) -> (T, Duration) {
        let limits = isolate.limits().clone();
        if prepared.standing.gives_way() {
            self.me.give_way();
        }
        let running = self
            .me
            .slice
            .enter(&limits, None, deadline, &self.setup.watchdog);
        let done = act(isolate);
        let took = running.leave();
        self.me.come_back();
        (done, took)
    }

    /// Answers a call, and keeps or discards its isolate (LE-350).
    fn end(
        &self,
        prepared: &Arc<Prepared>,
        mut isolate: Isolate,
        result: Result<Vec<u8>, ExecutionFault>,
        ran: Ran,
        reply: oneshot::Sender<Result<Vec<u8>, ExecutionFault>>,
        place: InFlight,
    ) {
        prepared.counters.called(result.is_err());
        prepared.standing.called(ran.longest, ran.waited);
        prepared.standing.ended(matches!(
            result,
            Err(ExecutionFault::Timeout { .. } | ExecutionFault::OutOfMemory { .. })
        ));
        let reusable = isolate.reusable(result.as_ref().err());
        if let Err(fault) = &result {
            isolate.log_fault(LogLevel::Error, fault);
        }
        if reusable {
            // Before the answer: the next call may come with it.
            self.keep(prepared, isolate);
            drop(place);
            let _ = reply.send(result);
        } else {
            drop(place);
            let _ = reply.send(result);
            self.discard(isolate);
        }
        self.me.load.fetch_sub(1, Ordering::Relaxed);
    }

    fn keep(&self, prepared: &Arc<Prepared>, isolate: Isolate) {
        if self.idle.borrow().is_empty() {
            // The thread waits without a time limit while it has nothing to evict.
            self.me.wake();
        }
        self.idle
            .borrow_mut()
            .entry(prepared.program.id)
            .or_default()
            .list
            .push(Idle {
                isolate,
                retired: prepared.retired.clone(),
                prepared: Arc::downgrade(prepared),
                since: Instant::now(),
            });
        lock(&prepared.idle).push(self.me.clone());
    }

    /// An isolate that waits here, if there is one. A job without a right may have it too: it began
    /// first.
    fn take_idle(&self, prepared: &Prepared, mut fresh: bool) -> Option<Isolate> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(&prepared.program.id)?;
        if !fresh && kept.owed > 0 {
            kept.owed -= 1;
            fresh = true;
        }
        let isolate = kept.list.pop()?.isolate;
        if fresh && !prepared.withdraw(&self.me) {
            kept.owed += 1;
        }
        Some(isolate)
    }

    /// Drops isolates of retired versions, and those idle for too long (LE-350).
    fn evict(&self) {
        let now = Instant::now();
        let mut gone = Vec::new();
        self.idle.borrow_mut().retain(|_, kept| {
            let mut i = 0;
            while i < kept.list.len() {
                if self.may_go(&kept.list[i], now) {
                    gone.push(kept.list.remove(i).isolate);
                } else {
                    i += 1;
                }
            }
            !kept.list.is_empty() || kept.owed > 0
        });
        for isolate in gone {
            self.discard(isolate);
        }
    }

    fn may_go(&self, idle: &Idle, now: Instant) -> bool {
        if idle.retired.load(Ordering::Acquire) {
            return true;
        }
        let Some(prepared) = idle.prepared.upgrade() else {
            return true;
        };
        // What a version has left behind on separate threads it needs only if it has to come back.
        let ttl = if prepared.standing.may_share() && !self.me.shared() {
            self.setup.idle_ttl / 10
        } else {
            self.setup.idle_ttl
        };
        if now.duration_since(idle.since) < ttl {
            return false;
        }
        // A caller that has taken the right to an isolate is on its way: then this one stays.
        prepared.withdraw(&self.me)
    }

    fn discard(&self, isolate: Isolate) {
        drop(isolate);
        self.setup.isolates.fetch_sub(1, Ordering::Relaxed);
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
