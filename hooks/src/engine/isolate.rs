//! One isolate: a function version, loaded, and the calls it runs one after another.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, error::CoreError, v8};

use super::{
    Ids, Program, audit, compile, extensions,
    failure::{Thrown, from_core},
    ffi::{self, Entered},
    limits::Limits,
    memory::{self, Charges},
    modules::{HalfCompiled, Modules},
    ops::{Ended, Shared, kind_letter},
    settings, startup, trial,
};
use crate::{
    ExecutionFault,
    bundle::{TASK_ROOT, resolve},
    log::LogLevel,
};

/// AWS's name for a rejection that nobody handles.
const UNHANDLED: &str = "Runtime.UnhandledPromiseRejection";

/// The numbers of resources that are the standard streams' elsewhere: the built-ins take 0 for none at all.
const STANDARD_STREAMS: std::ops::Range<u32> = 0..3;

/// Stands for a standard stream in the table of resources.
struct Taken;

impl deno_core::Resource for Taken {}

/// A loaded function version on its thread.
pub(crate) struct LambdaIsolate {
    runtime: std::mem::ManuallyDrop<JsRuntime>,
    shared: Rc<Shared>,
    limits: Arc<Limits>,
    invoke: v8::Global<v8::Function>,
    idle: v8::Global<v8::Function>,
    describe: v8::Global<v8::Function>,
    load: v8::Global<v8::Function>,
    ticks: v8::Global<v8::Function>,
    half_compiled: HalfCompiled,
    loading: bool,
    place: Place,
    /// Since when no call has been made; none while one is.
    rests_since: Option<Instant>,
}

/// Turns of the event loop that loading may take on a thread of the proxy's. A graph of modules takes one, `import()` at the
/// top level of a module included; the engine asks for another after each that has run a job of its own. Something that
/// V8's own threads work on has it ask for turns without end.
const MOST_LOAD_POLLS: usize = 8;

/// How long an isolate rests before something in it may have become due that a call would miss.
const WORTH_CATCHING_UP: Duration = Duration::from_millis(50);

/// Takes note that the event loop wants another turn at once.
#[derive(Default)]
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a step of a call came to.
pub(crate) enum Progress {
    /// The call has ended: JSON, or why there is none.
    Done(Result<Vec<u8>, ExecutionFault>),
    /// The call waits for timers or the network: poll [`LambdaIsolate::poll`].
    Pending,
}

/// Whose thread an isolate is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// One of the pool's, which is replaced when it is lost.
    Pool,
    /// One of whoever asks for calls: the proxy's. Must not be lost ([`super::audit`]): another stands in for it then, but
    /// its connections wait.
    Caller,
}

/// What a call that was tried came to.
pub(crate) enum Trial {
    /// It has ended. Nobody has seen it until [`LambdaIsolate::accept`].
    Done(Result<Vec<u8>, ExecutionFault>),
    /// It wants to wait: it is to be run again, and the isolate dropped.
    Abandoned,
    /// The same; and no call of the version is to be tried again, for it does what may not be done here.
    Unfit,
}

impl LambdaIsolate {
    /// An isolate with nothing of the function run yet. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`ExecutionFault::Load`] when the engine refuses the settings.
    pub(crate) fn new(program: &Arc<Program>, place: Place) -> Result<Self, ExecutionFault> {
        let mut startup = startup::startup();
        let mut preloaded = Vec::new();
        if place == Place::Caller {
            (startup, preloaded) = startup.only(&program.builtins());
        }
        let limits = Arc::new(Limits::new(
            audit::memory_mb(place, &program.function),
            program.lost.clone(),
        ));
        let permissions = program
            .host
            .egress
            .permissions(program.function.egress.as_deref())
            .map_err(crate::bundle::import_error)?;
        let half_compiled = HalfCompiled::default();
        let params = v8::CreateParams::default()
            .heap_limits(0, limits.limit_bytes())
            .array_buffer_allocator(ffi::counting_allocator(&limits).make_shared());
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            startup_snapshot: Some(startup.snapshot),
            residual_lazy_js_sources: startup.scripts,
            residual_lazy_esm_sources: startup.modules,
            extensions: extensions::for_isolate(&program.host.egress, place),
            module_loader: Some(Rc::new(Modules::new(
                program.clone(),
                half_compiled.clone(),
            ))),
            create_params: Some(params),
            op_metrics_factory_fn: Some(audit::loads_watched(place, &limits)),
            // The snapshot has them.
            skip_op_registration: true,
            ..RuntimeOptions::default()
        })
        .map_err(|e| from_core(e).at_load())?;
        limits.attach(runtime.v8_isolate().thread_safe_handle());
        let shared = Rc::new(Shared {
            program: program.clone(),
            limits: limits.clone(),
            charges: Charges::default(),
            lookups: Cell::default(),
            ended: RefCell::default(),
            invocation_id: RefCell::default(),
            viewer_request_id: RefCell::default(),
            deadline: Cell::new(Instant::now()),
            log_left: Cell::new(program.host.max_log_bytes),
            log_dropped: Cell::new(0),
            held: RefCell::default(),
            uncached: RefCell::default(),
            rejections: RefCell::default(),
            uncaught: Cell::new(false),
        });
        {
            let state = runtime.op_state();
            let mut state = state.borrow_mut();
            state.put(permissions);
            state.put(shared.clone());
            for _ in STANDARD_STREAMS {
                state.resource_table.add(Taken);
            }
        }
        let at_limit = limits.clone();
        runtime.add_near_heap_limit_callback(move |current, _| {
            at_limit.run_out_of_memory();
            // Room to unwind: V8 ends the process when it cannot grow, and one allocation in flight
            // may ask for a gigabyte before it notices that it was ended.
            current + (4 << 30)
        });
        let isolate = runtime.v8_isolate();
        ffi::watch_collections(isolate, &limits);
        isolate.set_slot(shared.clone());
        isolate.set_promise_reject_callback(ffi::on_promise_reject);
        isolate.add_message_listener(ffi::on_message);
        let boot = take_boot(&mut runtime);
        ffi::leave_new(&mut runtime);
        let mut runtime = std::mem::ManuallyDrop::new(runtime);
        let Some([start, load, invoke, idle, describe, ticks, preload]) = boot else {
            ffi::enter_to_drop(&mut runtime);
            drop(std::mem::ManuallyDrop::into_inner(runtime));
            return Err(crate::bundle::import_error(
                "the engine's own JavaScript is incomplete".into(),
            ));
        };
        let mut isolate = Self {
            runtime,
            shared,
            limits,
            invoke,
            idle,
            describe,
            load,
            ticks,
            half_compiled,
            loading: false,
            place,
            rests_since: None,
        };
        let settings = settings::of(program);
        isolate
            .call_js(&start, &[&settings])
            .map_err(|thrown| isolate.limits.fault().unwrap_or_else(|| thrown.at_load()))?;
        if !preloaded.is_empty() {
            isolate
                .call_js(&preload, &[&preloaded.join("\n")])
                .map_err(|thrown| isolate.limits.fault().unwrap_or_else(|| thrown.at_load()))?;
        }
        Ok(isolate)
    }

    /// Why the isolate cannot be used again, and how to end what it runs.
    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Starts loading the handler (LE-305..308). Until this is done no call may be started.
    pub(crate) fn start_load(&mut self, limit: Duration) -> Progress {
        self.begin(Ids::default(), limit, limit);
        self.loading = true;
        let function = &self.shared.program.function;
        let handler = &function.handler;
        let Some(found) = resolve::handler_file(&self.shared.program.bundle, handler.file()) else {
            let why = resolve::no_handler_file(&self.shared.program.bundle, handler.file());
            return Progress::Done(Err(crate::bundle::import_error(why)));
        };
        debug_assert!(found.path.starts_with(TASK_ROOT));
        let kind = kind_letter(found.kind).to_string();
        let export = handler.export().to_owned();
        let load = self.load.clone();
        let outcome = self.call_js(&load, &[&found.path, &kind, &export]);
        match self.after(outcome) {
            Progress::Done(done) => Progress::Done(self.loaded(done)),
            Progress::Pending => Progress::Pending,
        }
    }

    /// Continues loading.
    pub(crate) fn poll_load(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExecutionFault>> {
        self.poll(cx).map(|done| self.loaded(done).map(|_| ()))
    }

    fn loaded(&mut self, done: Result<Vec<u8>, ExecutionFault>) -> Result<Vec<u8>, ExecutionFault> {
        self.loading = false;
        let done = done.map_err(|fault| match fault {
            ExecutionFault::Thrown {
                error_type,
                message,
                stack,
            } => {
                let (name, code) = match error_type.split_once('\t') {
                    Some((n, c)) => (n.to_owned(), Some(c.to_owned())),
                    None => (error_type, None),
                };
                Thrown {
                    name,
                    code,
                    message,
                    stack,
                }
                .at_load()
            }
            ExecutionFault::NeverSettled => ExecutionFault::Load {
                error_type: "Runtime.UserCodeSyntaxError".into(),
                message: "top-level await never settled and nothing is left to wait for".into(),
                stack: String::new(),
            },
            other => other,
        })?;
        if !self.shared.uncached.borrow().is_empty() {
            let shared = self.shared.clone();
            let mut runtime = Entered::new(&mut self.runtime);
            let runtime = &mut *runtime;
            deno_core::scope!(scope, runtime);
            compile::keep(scope, &shared);
        }
        self.keep_builtins();
        Ok(done)
    }

    /// Keeps what has been compiled of the built-ins that were loaded, for all isolates to come.
    fn keep_builtins(&mut self) {
        let half_compiled = self.half_compiled.take();
        if half_compiled.is_empty() {
            return;
        }
        let mut runtime = Entered::new(&mut self.runtime);
        let runtime = &mut *runtime;
        deno_core::scope!(scope, runtime);
        compile::keep_builtins(scope, &half_compiled);
    }

    /// Starts a call (LE-309). Most handlers end within this step.
    /// `left` is what remains of `timeout`.
    pub(crate) fn start(
        &mut self,
        event: &[u8],
        ids: Ids<'_>,
        left: Duration,
        timeout: Duration,
    ) -> Progress {
        self.begin(ids, left, timeout);
        if let Some(fault) = self.catch_up() {
            return Progress::Done(Err(fault));
        }
        let invoke = self.invoke.clone();
        // The host builds events as UTF-8, so the slower way is for callers of this crate alone.
        let event = match std::str::from_utf8(event) {
            Ok(event) => Cow::Borrowed(event),
            Err(_) => String::from_utf8_lossy(event),
        };
        let outcome = self.call_js(&invoke, &[&event, ids.invocation]);
        self.after(outcome)
    }

    /// What became due while the isolate was at rest happens before the next event, as in a process that was frozen
    /// (LE-349): timers, and the news that the other side has closed a connection that was kept.
    fn catch_up(&mut self) -> Option<ExecutionFault> {
        let rested = self.rests_since.take()?.elapsed();
        if rested < WORTH_CATCHING_UP || self.place == Place::Caller {
            return None;
        }
        let again = Arc::new(Again::default());
        let waker = Waker::from(again.clone());
        for _ in 0..MOST_LOAD_POLLS {
            let polled = {
                let mut runtime = Entered::new(&mut self.runtime);
                let mut context = Context::from_waker(&waker);
                runtime.poll_event_loop(&mut context, PollEventLoopOptions::default())
            };
            if let Some(fault) = self.limits.fault() {
                return Some(fault);
            }
            if let Some(fault) = self.unhandled() {
                return Some(fault);
            }
            match polled {
                Poll::Ready(Err(error)) => return Some(self.uncaught(error)),
                Poll::Pending if again.0.swap(false, Ordering::Relaxed) => {}
                Poll::Ready(Ok(())) | Poll::Pending => break,
            }
        }
        None
    }

    /// [`Self::start`] as a trial: nothing of the call is seen outside until it is accepted.
    pub(crate) fn try_call(
        &mut self,
        event: &[u8],
        ids: Ids<'_>,
        left: Duration,
        timeout: Duration,
    ) -> Trial {
        self.tried(|isolate| isolate.start(event, ids, left, timeout))
    }

    /// [`Self::start_load`] as a trial. ES modules (NC-53) are loaded by the event loop, which is let run for that alone:
    /// their files are in memory. One that waits for anything else is given up.
    pub(crate) fn try_load(&mut self, limit: Duration) -> Trial {
        self.tried(|isolate| match isolate.start_load(limit) {
            Progress::Pending => isolate.load_at_once(),
            done @ Progress::Done(_) => done,
        })
    }

    /// Continues loading for as long as there is something to do at once.
    fn load_at_once(&mut self) -> Progress {
        let again = Arc::new(Again::default());
        let waker = Waker::from(again.clone());
        for _ in 0..MOST_LOAD_POLLS {
            if let Poll::Ready(done) = self.poll_load(&mut Context::from_waker(&waker)) {
                return Progress::Done(done.map(|()| Vec::new()));
            }
            if !again.0.swap(false, Ordering::Relaxed) {
                break;
            }
        }
        Progress::Pending
    }

    fn tried(&mut self, act: impl FnOnce(&mut Self) -> Progress) -> Trial {
        self.shared.hold();
        let (progress, wanted_out) = trial::run(|| act(self));
        if self.limits.must_move(&self.shared.program.function) {
            return Trial::Unfit;
        }
        match (progress, wanted_out) {
            (Progress::Done(done), false) => Trial::Done(done),
            (Progress::Done(_), true) | (Progress::Pending, _) => Trial::Abandoned,
        }
    }

    /// Lets what a trial has done be seen.
    pub(crate) fn accept(&self) {
        self.shared.release();
    }

    /// Continues a call: lets timers fire and the network answer, until the call has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, ExecutionFault>> {
        loop {
            let polled = self.poll_once(cx);
            if !matches!(polled, Poll::Ready(Ok(None))) {
                return polled.map(|done| done.map(Option::unwrap_or_default));
            }
        }
    }

    /// As [`Self::poll`]; nothing when there is more to do at once.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, ExecutionFault>> {
        let polled = {
            let mut runtime = Entered::new(&mut self.runtime);
            runtime.poll_event_loop(cx, PollEventLoopOptions::default())
        };
        if let Some(fault) = self.limits.fault() {
            return Poll::Ready(Err(fault));
        }
        if let Some(fault) = self.unhandled() {
            return Poll::Ready(Err(fault));
        }
        match polled {
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.uncaught(error))),
            Poll::Ready(Ok(())) => {
                if self.shared.ended.borrow().is_none() {
                    // What the last promise jobs have queued is not seen by the loop (NC-34).
                    let ticks = self.ticks.clone();
                    match self.call_js(&ticks, &[]) {
                        Ok(true) => return Poll::Ready(Ok(None)),
                        Ok(false) => {}
                        Err(thrown) => {
                            return Poll::Ready(Err(self
                                .limits
                                .fault()
                                .unwrap_or_else(|| thrown.in_call())));
                        }
                    }
                    let idle = self.idle.clone();
                    if let Err(thrown) = self.call_js(&idle, &[]) {
                        return Poll::Ready(Err(self
                            .limits
                            .fault()
                            .unwrap_or_else(|| thrown.in_call())));
                    }
                }
                match self.take_ended() {
                    Some(done) => Poll::Ready(done.map(Some)),
                    None => Poll::Ready(Err(ExecutionFault::NeverSettled)),
                }
            }
            Poll::Pending => match self.take_ended() {
                Some(done) => Poll::Ready(done.map(Some)),
                None => Poll::Pending,
            },
        }
    }

    /// Whether the isolate may run another call after one that ended so (LE-317, LE-350).
    pub(crate) fn reusable(&mut self, fault: Option<&ExecutionFault>) -> bool {
        if self.limits.fault().is_some() {
            return false;
        }
        match fault {
            None => {
                self.limits.take_refused();
                self.keep_builtins();
                self.rests_since = Some(Instant::now());
                // Such memory may hang on garbage whose finalizers no call has waited for.
                self.limits.held_bytes() <= self.limits.limit_bytes() / 4
            }
            // What the handler threw or answered with is its own business: its state is whole.
            Some(ExecutionFault::Thrown { error_type, .. }) => {
                error_type != UNHANDLED && !self.shared.uncaught.get()
            }
            Some(_) => false,
        }
    }

    /// Writes a call's fault into the function's log (LE-278, LE-282).
    pub(crate) fn log_fault(&self, level: LogLevel, fault: &ExecutionFault) {
        self.shared.emit(level, &fault_text(fault));
    }

    fn begin(&mut self, ids: Ids<'_>, left: Duration, limit: Duration) {
        let shared = &self.shared;
        shared.ended.take();
        for (current, id) in [
            (&shared.invocation_id, ids.invocation),
            (&shared.viewer_request_id, ids.viewer_request),
        ] {
            let mut current = current.borrow_mut();
            current.clear();
            current.push_str(id);
        }
        shared.deadline.set(Instant::now() + left);
        self.limits.set_timeout(limit);
        shared.log_left.set(shared.program.host.max_log_bytes);
        shared.log_dropped.set(0);
    }

    /// What a step that ran JavaScript came to.
    fn after(&mut self, outcome: Result<bool, Thrown>) -> Progress {
        self.after_step(outcome, false)
    }

    fn after_step(&mut self, outcome: Result<bool, Thrown>, ticked: bool) -> Progress {
        if let Some(fault) = self.limits.fault() {
            return Progress::Done(Err(fault));
        }
        if let Err(thrown) = outcome {
            return Progress::Done(Err(thrown.in_call()));
        }
        if let Some(fault) = self.unhandled() {
            return Progress::Done(Err(fault));
        }
        if let Some(done) = self.take_ended() {
            return Progress::Done(done);
        }
        if !ticked {
            let ticks = self.ticks.clone();
            let outcome = self.call_js(&ticks, &[]);
            return self.after_step(outcome, true);
        }
        Progress::Pending
    }

    fn take_ended(&mut self) -> Option<Result<Vec<u8>, ExecutionFault>> {
        let ended = self.shared.ended.take()?;
        if self.exceeded() {
            // LE-264: nothing in it was interrupted after it had grown.
            return Some(Err(self.limits.out_of_memory()));
        }
        let dropped = self.shared.log_dropped.get();
        if dropped > 0 {
            self.shared.emit(
                LogLevel::Warn,
                &format!("{dropped} log records beyond the limit were dropped"),
            );
        }
        Some(match ended {
            Ended::Result(json) => Ok(json.into_bytes()),
            Ended::Thrown(text) => {
                let thrown = Thrown::parse(&text);
                if self.limits.take_refused() && thrown.message.contains("allocation failed") {
                    // LE-264
                    Err(self.limits.out_of_memory())
                } else {
                    let mut thrown = thrown;
                    if self.loading
                        && let Some(code) = thrown.code.take()
                    {
                        thrown.name = format!("{}\t{code}", thrown.name);
                    }
                    Err(thrown.in_call())
                }
            }
            Ended::NeverSettled => Err(ExecutionFault::NeverSettled),
            Ended::TooLarge(length) => Err(ExecutionFault::Thrown {
                error_type: "Function.ResponseSizeTooLarge".into(),
                message: format!(
                    "the result has {length} characters of JSON, more than the {} allowed",
                    self.shared.program.host.max_result_bytes
                ),
                stack: String::new(),
            }),
        })
    }

    /// Whether a call that has ended took more memory than V8 could be asked to refuse.
    fn exceeded(&mut self) -> bool {
        memory::above(self.runtime.v8_isolate(), &self.limits) && {
            let mut runtime = Entered::new(&mut self.runtime);
            memory::exceeded(runtime.v8_isolate(), &self.limits)
        }
    }

    /// The fault of a promise that was rejected and that nobody handles (LE-317).
    fn unhandled(&mut self) -> Option<ExecutionFault> {
        if self.shared.rejections.borrow().is_empty() {
            return None;
        }
        if self.loading && self.shared.ended.borrow().is_some() {
            // A module that failed also leaves promises behind; the error itself says more.
            self.shared.rejections.take();
            return None;
        }
        let describe = self.describe.clone();
        let thrown = {
            let mut runtime = Entered::new(&mut self.runtime);
            let runtime = &mut *runtime;
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            // A built-in may have a job queued that takes care of the promise.
            scope.perform_microtask_checkpoint();
            let rejections = self.shared.rejections.take();
            let (_, reason) = rejections
                .into_iter()
                .find(|(promise, _)| !v8::Local::new(scope, promise).has_handler())?;
            let function = v8::Local::new(scope, &describe);
            let reason = v8::Local::new(scope, &reason);
            let this = v8::undefined(scope).into();
            function
                .call(scope, this, &[reason])
                .map(|text| Thrown::parse(&text.to_rust_string_lossy(scope)))
                .unwrap_or_default()
        };
        Some(ExecutionFault::Thrown {
            error_type: UNHANDLED.into(),
            message: format!("{}: {}", thrown.name, thrown.message),
            stack: thrown.stack,
        })
    }

    fn uncaught(&mut self, error: CoreError) -> ExecutionFault {
        // An exception that no handler's code could catch: thrown by a timer or an event (LE-317).
        self.shared.uncaught.set(true);
        from_core(error).in_call()
    }

    /// Calls a function of `boot.js` and lets promise jobs run. Whether it returned `true`.
    fn call_js(
        &mut self,
        function: &v8::Global<v8::Function>,
        arguments: &[&str],
    ) -> Result<bool, Thrown> {
        let mut runtime = Entered::new(&mut self.runtime);
        let runtime = &mut *runtime;
        deno_core::scope!(scope, runtime);
        v8::tc_scope!(let scope, scope);
        let function = v8::Local::new(scope, function);
        let this = v8::undefined(scope).into();
        let mut values: [v8::Local<'_, v8::Value>; 3] = [this; 3];
        for (value, text) in values.iter_mut().zip(arguments) {
            // Most events are ASCII, which V8 takes as it is.
            let string = if text.is_ascii() {
                v8::String::new_from_one_byte(scope, text.as_bytes(), v8::NewStringType::Normal)
            } else {
                v8::String::new(scope, text)
            };
            match string {
                Some(text) => *value = text.into(),
                None => {
                    return Err(Thrown {
                        name: "RangeError".into(),
                        message: "the event is too long for a string".into(),
                        ..Thrown::default()
                    });
                }
            }
        }
        let returned = function.call(scope, this, &values[..arguments.len()]);
        let said_yes = returned.is_some_and(|value| value.is_true());
        if !scope.has_terminated() && !scope.has_caught() {
            scope.perform_microtask_checkpoint();
        }
        if let Some(exception) = scope.exception() {
            let error = deno_core::error::JsError::from_v8_exception(scope, exception);
            return Err(Thrown::from_js(&error));
        }
        Ok(said_yes)
    }
}

impl Drop for LambdaIsolate {
    fn drop(&mut self) {
        self.shared.rejections.take();
        self.shared.uncached.take();
        self.shared.charges.clear();
        ffi::enter_to_drop(&mut self.runtime);
        // Taken once, here: the field is not touched again.
        ffi::drop_runtime(&mut self.runtime);
    }
}

/// A fault as a function's log tells it: with its stack (LE-278).
pub(super) fn fault_text(fault: &ExecutionFault) -> String {
    match fault {
        ExecutionFault::Thrown { stack, .. } | ExecutionFault::Load { stack, .. }
            if !stack.is_empty() =>
        {
            format!("{fault}\n{stack}")
        }
        fault => fault.to_string(),
    }
}

/// The functions that `boot.js` left for the host; removed from the global object.
fn take_boot(runtime: &mut JsRuntime) -> Option<[v8::Global<v8::Function>; 7]> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let key = v8::String::new(scope, "__fourfront")?;
    let boot = global.get(scope, key.into())?.to_object(scope)?;
    global.delete(scope, key.into());
    let take = |name: &str| -> Option<v8::Global<v8::Function>> {
        let key = v8::String::new(scope, name)?;
        let value = boot.get(scope, key.into())?;
        let function = v8::Local::<v8::Function>::try_from(value).ok()?;
        Some(v8::Global::new(scope, function))
    };
    Some([
        take("start")?,
        take("load")?,
        take("invoke")?,
        take("idle")?,
        take("describe")?,
        take("ticks")?,
        take("preload")?,
    ])
}

#[cfg(test)]
mod tests;
