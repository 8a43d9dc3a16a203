//! Running CloudFront Functions (LE section 8).
//!
//! An isolate belongs to one version of a function, as with Lambda@Edge. It runs in contexts of a kind
//! of their own (`realm`): nothing of Node is in them.
//!
//! # No state between runs (LE-441)
//!
//! The function's file is evaluated anew for each run, so what it declares is new each time. What the language and the
//! host provide is shared between runs, and *frozen*: no run can leave anything there. A run that fails in the frozen
//! context is run again in a *fresh* one, where everything can be changed, as on CloudFront; how it ends there counts. A
//! version that turns out to need that is given a fresh context for every run from then on. Running twice is harmless:
//! a run has no effect but its result and its log, and the log of the first try is forgotten.
//!
//! What an assignment in the frozen context does instead of succeeding is to throw, because code is strict (LE-455).
//!
//! # What it costs
//!
//! Measured with `cargo bench -p fourfront-hooks --bench engine`, our own Rust not optimised, on a two-core machine that was
//! busy with other builds: a run in the frozen context 15 us, beside 19 us for a warm call of a Lambda@Edge function with the
//! same request; a run in a fresh context 0.9 to 1.8 ms; a cold isolate 15 ms beside 9 ms, of which freezing takes a third.

mod compute;
mod natives;
mod realm;

use std::{
    cell::{Cell, RefCell},
    mem::ManuallyDrop,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use deno_core::{JsRuntime, RuntimeOptions, v8};
use fourfront_model::{CffRuntime, CloudFrontFunction, KeyValueStore, StoreContents};

pub(crate) use compute::Compute;
pub use compute::ComputeLimits;
use compute::Used;
use realm::{Kind, Realm};

use super::{
    Program, compile, extensions,
    failure::Thrown,
    failure::from_core,
    ffi,
    ffi::Entered,
    isolate::{Place, Progress, Trial},
    limits::Limits,
    memory, sched, startup, trial,
};
use crate::{
    ExecutionFault,
    bundle::{import_error, resolve},
    cff::source,
    log::{LogLevel, LogRecord},
};

/// Bytes of log text per run (LE-440).
const MAX_LOG: usize = 10 * 1024;

/// V8's own heap beside what the function may use (LE-435): the context, compiled code and room for young objects.
const HEAP_BASE: usize = 16 << 20;

/// Runs of an isolate whose time says more about V8 than about the function: its code is compiled in them.
const COLD_RUNS: u32 = 5;

/// Lines put before the function's first.
const LINES_BEFORE: i32 = 1;

/// What the operations of an isolate share with its owner.
pub(super) struct Run {
    program: Arc<Program>,
    limits: Arc<Limits>,
    place: Place,
    request_id: RefCell<String>,
    /// What the store held when the run began (CP-204).
    stored: RefCell<Option<Arc<StoreContents>>>,
    lines: RefCell<Vec<(SystemTime, String)>>,
    log_left: Cell<usize>,
}

impl Run {
    fn function(&self) -> Option<&CloudFrontFunction> {
        self.program.function.cloudfront()
    }

    fn store(&self) -> Option<&KeyValueStore> {
        self.function()?.store.as_deref()
    }

    fn stored(&self) -> Option<Arc<StoreContents>> {
        self.stored.borrow().clone()
    }

    fn runtime(&self) -> CffRuntime {
        self.function().map(|f| f.runtime).unwrap_or_default()
    }

    /// Keeps a line until the run has ended; cut where the run has logged enough (LE-440).
    fn log(&self, mut line: String) {
        let left = self.log_left.get();
        if left == 0 {
            return;
        }
        if line.len() > left {
            let mut end = left;
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
        }
        self.log_left.set(left.saturating_sub(line.len().max(1)));
        let time = (self.program.host.now)();
        self.lines.borrow_mut().push((time, line));
    }

    fn write(&self, time: SystemTime, level: LogLevel, message: &str) {
        self.program.host.log.record(&LogRecord {
            time,
            level,
            invocation_id: &self.request_id.borrow(),
            // The same: its lines carry the viewer request's id (LE-440).
            viewer_request_id: &self.request_id.borrow(),
            function: self.program.function.name.as_str(),
            version: self.program.function.version.0,
            source: &self.program.function.source,
            message,
        });
    }
}

/// A CloudFront Function on its thread.
pub(crate) struct CffIsolate {
    runtime: ManuallyDrop<JsRuntime>,
    run: Rc<Run>,
    frozen: Realm,
    /// The function's file as a function, within the frozen context.
    body: Option<v8::Global<v8::Function>>,
    runs: u32,
    /// What the last run took, until it is counted.
    used: Used,
}

impl CffIsolate {
    /// An isolate with nothing of the function run yet.
    pub(super) fn new(program: &Arc<Program>, place: Place) -> Result<Self, ExecutionFault> {
        let incomplete = || import_error("the engine's own JavaScript is incomplete".into());
        let startup = startup::startup();
        let limits = Arc::new(Limits::new(
            program.function.memory_limit_mb(),
            program.lost.clone(),
        ));
        let params = v8::CreateParams::default()
            .heap_limits(0, HEAP_BASE + limits.limit_bytes())
            .array_buffer_allocator(ffi::counting_allocator(&limits).make_shared());
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            startup_snapshot: Some(startup.snapshot),
            residual_lazy_js_sources: startup.scripts,
            residual_lazy_esm_sources: startup.modules,
            extensions: extensions::for_isolate(&program.host.egress, place),
            create_params: Some(params),
            // The snapshot has them.
            skip_op_registration: true,
            ..RuntimeOptions::default()
        })
        .map_err(|e| from_core(e).at_load())?;
        let isolate = runtime.v8_isolate();
        limits.attach(isolate.thread_safe_handle());
        let run = Rc::new(Run {
            program: program.clone(),
            limits: limits.clone(),
            place,
            request_id: RefCell::default(),
            stored: RefCell::default(),
            lines: RefCell::default(),
            log_left: Cell::new(MAX_LOG),
        });
        isolate.set_slot(run.clone());
        realm::take_over(isolate);
        ffi::watch_collections(isolate, &limits);
        ffi::watch_heap(isolate, &limits);
        let runtime_of = run.runtime();
        let frozen = {
            v8::scope!(scope, isolate);
            Realm::new(scope, runtime_of, Kind::Frozen)
        };
        ffi::leave_new(&mut runtime);
        let mut runtime = ManuallyDrop::new(runtime);
        let Some(frozen) = frozen else {
            ffi::enter_to_drop(&mut runtime);
            ffi::drop_runtime(&mut runtime);
            return Err(incomplete());
        };
        Ok(Self {
            runtime,
            run,
            frozen,
            body: None,
            runs: 0,
            used: Used::AtMost(Duration::ZERO),
        })
    }

    pub(super) fn limits(&self) -> &Arc<Limits> {
        &self.run.limits
    }

    /// Compiles the file and evaluates it once, to find what every run would fail with (LE-442, LE-463).
    pub(super) fn load(&mut self, limit: Duration) -> Result<(), ExecutionFault> {
        self.begin("", limit);
        let text = self.text()?;
        let (body, fault) = {
            let path = resolve_path(&self.run.program);
            let mut entered = Entered::new(&mut self.runtime);
            v8::scope_with_context!(scope, entered.v8_isolate(), &self.frozen.context);
            let body = compiled(scope, &self.run, &text)?;
            let check = v8::Local::new(scope, &self.frozen.check);
            let fault = evaluate_once(scope, check, body);
            // Compiled with what it compiled lazily, for the isolates to come.
            if self.run.program.cached(path).is_none()
                && let Some(code) = body.create_code_cache()
            {
                self.run.program.cache(path.to_owned(), &code);
            }
            (v8::Global::new(scope, body), fault)
        };
        self.body = Some(body);
        if let Some(fault) = self.run.limits.fault() {
            return Err(fault);
        }
        if fault.is_some() {
            // As for a run: the fresh context has the last word.
            let fresh = self.in_fresh_context(|scope, realm, body| {
                let check = v8::Local::new(scope, &realm.check);
                evaluate_once(scope, check, body)
            })?;
            if let Some(thrown) = fresh {
                return Err(thrown.at_load());
            }
            self.run.program.needs_fresh.store(true, Ordering::Relaxed);
        }
        self.run.lines.borrow_mut().clear();
        Ok(())
    }

    /// One run. Nothing of it is seen outside until [`Self::accept`].
    pub(super) fn run(
        &mut self,
        input: &[u8],
        request_id: &str,
        limit: Duration,
    ) -> Result<Vec<u8>, ExecutionFault> {
        self.begin(request_id, limit);
        let result = self.run_somewhere(input);
        if let Some(fault) = self.run.limits.fault() {
            return Err(fault);
        }
        if memory::above(self.runtime.v8_isolate(), &self.run.limits) && {
            let mut entered = Entered::new(&mut self.runtime);
            memory::exceeded(entered.v8_isolate(), &self.run.limits)
        } {
            return Err(self.run.limits.out_of_memory());
        }
        // LE-437
        let compute = &self.run.program.compute;
        let most = compute.hard_limit();
        if let Used::Exactly(used) = self.used
            && used > most
            && self.runs >= COLD_RUNS
        {
            return Err(ExecutionFault::OverBudget { used, limit: most });
        }
        result
    }

    fn run_somewhere(&mut self, input: &[u8]) -> Result<Vec<u8>, ExecutionFault> {
        let program = self.run.program.clone();
        if !program.needs_fresh.load(Ordering::Relaxed) {
            let outcome = self.in_frozen_context(input);
            if outcome.is_ok() || self.run.limits.fault().is_some() {
                return outcome.map_err(Thrown::in_call);
            }
            self.run.lines.borrow_mut().clear();
            self.run.log_left.set(MAX_LOG);
        }
        let shared = self.run.clone();
        let now = (program.host.now)();
        let (outcome, used) = self.in_fresh_context(|scope, realm, body| {
            let run = v8::Local::new(scope, &realm.run);
            let settled = v8::Local::new(scope, &realm.settled);
            measured(&shared, || {
                run_once(scope, run, settled, body, input, seed(), now)
            })
        })?;
        self.used = used;
        if outcome.is_ok() {
            self.run.program.needs_fresh.store(true, Ordering::Relaxed);
        }
        outcome.map_err(Thrown::in_call)
    }

    fn in_frozen_context(&mut self, input: &[u8]) -> Result<Vec<u8>, Thrown> {
        let now = (self.run.program.host.now)();
        let mut entered = Entered::new(&mut self.runtime);
        v8::scope_with_context!(scope, entered.v8_isolate(), &self.frozen.context);
        let Some(body) = &self.body else {
            return Err(Thrown::default());
        };
        let body = v8::Local::new(scope, body);
        let run = v8::Local::new(scope, &self.frozen.run);
        let settled = v8::Local::new(scope, &self.frozen.settled);
        let (outcome, used) = measured(&self.run, || {
            run_once(scope, run, settled, body, input, seed(), now)
        });
        self.used = used;
        outcome
    }

    /// Makes a context, compiles the function there and does something with it.
    fn in_fresh_context<T>(
        &mut self,
        act: impl FnOnce(&mut v8::PinScope<'_, '_>, &Realm, v8::Local<'_, v8::Function>) -> T,
    ) -> Result<T, ExecutionFault> {
        let text = self.text()?;
        let runtime = self.run.runtime();
        let mut entered = Entered::new(&mut self.runtime);
        v8::scope!(scope, entered.v8_isolate());
        let realm = Realm::new(scope, runtime, Kind::Fresh)
            .ok_or_else(|| self.run.limits.out_of_memory())?;
        let context = v8::Local::new(scope, &realm.context);
        let scope = &mut v8::ContextScope::new(scope, context);
        let body = compiled(scope, &self.run, &text)?;
        Ok(act(scope, &realm, body))
    }

    /// The function's file as V8 gets it.
    fn text(&self) -> Result<String, ExecutionFault> {
        let program = &self.run.program;
        let bytes = program
            .bundle
            .file(resolve_path(program))
            .ok_or_else(|| import_error("the function has no file".into()))?;
        source::prepare(
            &super::source_text(&bytes),
            self.run.runtime(),
            program.compat,
        )
        .map_err(|e| ExecutionFault::Load {
            error_type: "SyntaxError".into(),
            message: e.to_string(),
            stack: String::new(),
        })
    }

    fn begin(&mut self, request_id: &str, limit: Duration) {
        let run = &self.run;
        let mut id = run.request_id.borrow_mut();
        id.clear();
        id.push_str(request_id);
        *run.stored.borrow_mut() = run.store().map(|store| store.data.now());
        run.lines.borrow_mut().clear();
        run.log_left.set(MAX_LOG);
        run.limits.set_timeout(limit);
        self.used = Used::AtMost(Duration::ZERO);
    }

    /// [`Self::run`] as a trial on a thread of the proxy's.
    pub(super) fn try_run(&mut self, input: &[u8], id: &str, limit: Duration) -> Trial {
        let (done, _) = trial::run(|| self.run(input, id, limit));
        self.tried(done)
    }

    /// [`Self::load`] as a trial.
    pub(super) fn try_load(&mut self, limit: Duration) -> Trial {
        let (done, _) = trial::run(|| self.load(limit));
        self.tried(done.map(|()| Vec::new()))
    }

    fn tried(&self, done: Result<Vec<u8>, ExecutionFault>) -> Trial {
        if self.run.limits.must_move(&self.run.program.function) {
            Trial::Unfit
        } else {
            Trial::Done(done)
        }
    }

    /// Lets the last run be seen: its lines (LE-440) and what it used (LE-436, LE-437).
    pub(super) fn accept(&mut self) {
        self.runs = self.runs.saturating_add(1);
        let counts = self.runs > COLD_RUNS;
        self.run.program.compute.used(self.used, counts);
        let lines = self.run.lines.take();
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return;
        };
        // Runs that log nothing leave no START and END either: most runs are silent, and all are many.
        self.run.write(first.0, LogLevel::Info, "START");
        for (time, line) in &lines {
            self.run.write(*time, LogLevel::Info, line);
        }
        self.run.write(last.0, LogLevel::Info, "END");
    }

    /// Whether the isolate may run again: whatever a function threw, nothing of it is left.
    pub(super) fn reusable(&self) -> bool {
        self.run.limits.fault().is_none()
    }

    pub(super) fn log_fault(&self, level: LogLevel, fault: &ExecutionFault) {
        let text = super::isolate::fault_text(fault);
        self.run.write((self.run.program.host.now)(), level, &text);
    }

    /// [`Self::run`] where it may be seen at once.
    pub(super) fn start(&mut self, input: &[u8], id: &str, limit: Duration) -> Progress {
        let done = self.run(input, id, limit);
        self.accept();
        Progress::Done(done)
    }
}

impl Drop for CffIsolate {
    fn drop(&mut self) {
        // Taken once, here: the field is not touched again.
        ffi::enter_to_drop(&mut self.runtime);
        ffi::drop_runtime(&mut self.runtime);
    }
}

/// The file, as a bundle of one file has it.
fn resolve_path(program: &Program) -> &str {
    resolve::handler_file(&program.bundle, program.function.handler.file())
        .and_then(|found| program.bundle.files().find(|(path, _)| *path == found.path))
        .map_or("", |(path, _)| path)
}

/// Compiles the file as the body of a function, whose call evaluates it.
fn compiled<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    run: &Run,
    text: &str,
) -> Result<v8::Local<'s, v8::Function>, ExecutionFault> {
    let path = resolve_path(&run.program);
    let failed = |message: &str| {
        Thrown {
            name: "SyntaxError".into(),
            message: message.to_owned(),
            ..Thrown::default()
        }
        .at_load()
    };
    let too_long = || failed("the code is too long");
    let origin = realm::origin(scope, path, LINES_BEFORE).ok_or_else(too_long)?;
    let code = v8::String::new(scope, text).ok_or_else(too_long)?;
    let require = v8::String::new(scope, "require").ok_or_else(too_long)?;
    let cached = run.program.cached(path);
    v8::tc_scope!(let scope, scope);
    let compiled = compile::body(
        scope,
        code,
        &origin,
        &[require],
        cached.as_deref(),
        v8::script_compiler::CompileOptions::NoCompileOptions,
    );
    if let Some((compiled, _)) = compiled {
        return Ok(compiled);
    }
    if let Some(fault) = run.limits.fault() {
        return Err(fault);
    }
    let said = scope.message().map_or_else(String::new, |message| {
        let said = message.get(scope).to_rust_string_lossy(scope);
        let said = said.strip_prefix("Uncaught ").unwrap_or(&said);
        let said = said.strip_prefix("SyntaxError: ").unwrap_or(said);
        let line = message.get_line_number(scope).unwrap_or(0);
        let column = message.get_start_column() + 1;
        format!("{said} at {path}:{line}:{column}")
    });
    Err(failed(&said))
}

/// Evaluates the file. What it threw, if it did.
fn evaluate_once(
    scope: &mut v8::PinScope<'_, '_>,
    check: v8::Local<'_, v8::Function>,
    body: v8::Local<'_, v8::Function>,
) -> Option<Thrown> {
    let now = v8::Number::new(scope, 0.0);
    let seed = v8::Number::new(scope, seed());
    let this = v8::undefined(scope).into();
    v8::tc_scope!(let scope, scope);
    let Some(answer) = check.call(scope, this, &[body.into(), now.into(), seed.into()]) else {
        return Some(uncaught(scope));
    };
    (!answer.is_undefined()).then(|| Thrown::parse(&answer.to_rust_string_lossy(scope)))
}

/// Does something, and says how long it took. Collecting garbage is V8's business, and falls to whichever run comes along.
fn measured<T>(run: &Run, act: impl FnOnce() -> T) -> (T, Used) {
    let limits = &run.limits;
    let collected = limits.collection_time();
    if run.program.compute.is_to_be_exact() {
        let began = sched::thread_time();
        let done = act();
        let used = sched::thread_time() - began;
        let collecting = limits.collection_time() - collected;
        return (done, Used::Exactly(used.saturating_sub(collecting)));
    }
    let began = Instant::now();
    let done = act();
    let used = began.elapsed();
    let collecting = limits.collection_time() - collected;
    (done, Used::AtMost(used.saturating_sub(collecting)))
}

/// One run within a context.
fn run_once(
    scope: &mut v8::PinScope<'_, '_>,
    run: v8::Local<'_, v8::Function>,
    settled: v8::Local<'_, v8::Function>,
    body: v8::Local<'_, v8::Function>,
    input: &[u8],
    seed: f64,
    now: SystemTime,
) -> Result<Vec<u8>, Thrown> {
    let input = if input.is_ascii() {
        v8::String::new_from_one_byte(scope, input, v8::NewStringType::Normal)
    } else {
        v8::String::new_from_utf8(scope, input, v8::NewStringType::Normal)
    };
    let Some(input) = input else {
        return Err(range_error("the event is too long for a string"));
    };
    let now = v8::Number::new(scope, milliseconds(now));
    let seed = v8::Number::new(scope, seed);
    let this = v8::undefined(scope).into();
    v8::tc_scope!(let scope, scope);
    let arguments = [body.into(), input.into(), now.into(), seed.into()];
    let Some(mut answer) = run.call(scope, this, &arguments) else {
        return Err(uncaught(scope));
    };
    if answer.is_undefined() {
        scope.perform_microtask_checkpoint();
        if scope.has_terminated() {
            return Err(Thrown::default());
        }
        let Some(ended) = settled.call(scope, this, &[]) else {
            return Err(uncaught(scope));
        };
        if ended.is_undefined() {
            return Err(Thrown {
                name: "Error".into(),
                message: "the handler's promise never settled and nothing is left to wait for"
                    .into(),
                ..Thrown::default()
            });
        }
        answer = ended;
    }
    let text = answer.to_rust_string_lossy(scope);
    match text.split_at_checked(1) {
        Some(("R", json)) => Ok(json.as_bytes().to_vec()),
        Some((_, error)) => Err(Thrown::parse(error)),
        None => Err(Thrown::default()),
    }
}

/// What left even our own JavaScript: the stack was used up within it, or the run was ended.
fn uncaught(scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>) -> Thrown {
    let said = scope
        .message()
        .map(|message| message.get(scope).to_rust_string_lossy(scope));
    let said = said.unwrap_or_default();
    range_error(said.strip_prefix("Uncaught RangeError: ").unwrap_or(&said))
}

fn range_error(message: &str) -> Thrown {
    Thrown {
        name: "RangeError".into(),
        message: message.to_owned(),
        ..Thrown::default()
    }
}

fn milliseconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).floor()
}

/// A number for `Math.random` that tells nothing about the next (LE-462).
fn seed() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    thread_local! {
        static STATE: (RandomState, Cell<u64>) = (RandomState::new(), const { Cell::new(0) });
    }
    STATE.with(|(keys, count)| {
        count.set(count.get().wrapping_add(1));
        // SipHash of a counter under keys of the system's; 53 bits fit.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let seed = (keys.hash_one(count.get()) >> 11) as f64;
        seed
    })
}
