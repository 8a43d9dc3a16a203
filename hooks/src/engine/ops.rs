//! The operations that functions' JavaScript reaches the host through. There are no others.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Instant, SystemTime},
};

use deno_core::{OpState, op2, v8};
use deno_error::JsErrorBox;

use super::{
    Program, aes192, audit, image, keys,
    limits::Limits,
    memory::{self, Charges},
    modules, net,
};
use crate::{
    bundle::{
        Look,
        resolve::{self, From, Kind},
    },
    log::{LogLevel, LogRecord},
};

deno_core::extension!(
    fourfront,
    ops = [
        aes192::op_ff_gcm_aad,
        aes192::op_ff_gcm_end,
        aes192::op_ff_gcm_start,
        aes192::op_ff_gcm_update,
        image::op_ff_image,
        keys::op_ff_pss_as_rsa,
        memory::op_ff_charge,
        memory::op_ff_discharge,
        memory::op_ff_grown,
        memory::op_ff_wasm_memories,
        net::op_ff_collect,
        net::op_ff_may_leave,
        net::op_ff_open_answers,
        audit::op_ff_heavy,
        net::op_get_env_no_permission_check,
        op_ff_compile,
        op_ff_done,
        op_ff_exit,
        op_ff_file_list,
        op_ff_file_look,
        op_ff_file_read,
        op_ff_file_url,
        op_ff_hrtime,
        op_ff_kind,
        op_ff_log,
        op_ff_memory,
        op_ff_path_of_url,
        op_ff_read,
        op_ff_read_link,
        op_ff_remaining,
        op_ff_resolve,
        op_ff_stay_ended,
        op_ff_uncaught,
        op_bootstrap_color_depth,
        op_current_thread_cpu_usage,
    ],
);

/// How a call ended, as JavaScript told.
#[derive(Debug)]
pub(super) enum Ended {
    /// JSON.
    Result(String),
    /// `name\nlength\nmessage stack`, see `describe` in `boot.js`.
    Thrown(String),
    /// Nothing is left that could settle the promise (LE-315).
    NeverSettled,
    /// The result is longer than a result may be.
    TooLarge(String),
}

/// What the operations of one isolate share with its owner.
pub(super) struct Shared {
    pub(super) program: Arc<Program>,
    pub(super) limits: Arc<Limits>,
    pub(super) charges: Charges,
    /// Names being looked up.
    pub(super) lookups: Cell<usize>,
    pub(super) ended: RefCell<Option<Ended>>,
    pub(super) invocation_id: RefCell<String>,
    pub(super) viewer_request_id: RefCell<String>,
    pub(super) deadline: Cell<Instant>,
    pub(super) log_left: Cell<usize>,
    pub(super) log_dropped: Cell<usize>,
    /// Records of a trial run, until it is accepted; `None` while none is being run.
    pub(super) held: RefCell<Option<Vec<Held>>>,
    /// CommonJS functions compiled without a code cache, to be cached once loaded.
    pub(super) uncached: RefCell<Vec<(String, v8::Global<v8::Function>)>>,
    /// An exception left the event loop: the isolate is discarded (LE-317).
    pub(super) uncaught: Cell<bool>,
    pub(super) rejections: RefCell<Vec<(v8::Global<v8::Promise>, v8::Global<v8::Value>)>>,
}

/// A log record that is held back.
pub(super) struct Held {
    time: SystemTime,
    level: LogLevel,
    message: String,
}

impl Shared {
    /// Holds records back from now on.
    pub(super) fn hold(&self) {
        self.held.replace(Some(Vec::new()));
    }

    /// Writes what was held back.
    pub(super) fn release(&self) {
        for held in self.held.take().into_iter().flatten() {
            self.write(held.time, held.level, &held.message);
        }
    }

    /// Writes a record, unless the call has written too much already (LE-352).
    pub(super) fn log(&self, level: LogLevel, message: &str) {
        let cost = message.len() + 64;
        let left = self.log_left.get();
        if cost > left {
            self.log_dropped.set(self.log_dropped.get() + 1);
            return;
        }
        self.log_left.set(left - cost);
        self.emit(level, message);
    }

    /// Writes a record of the host's own, outside the budget.
    pub(super) fn emit(&self, level: LogLevel, message: &str) {
        let time = (self.program.host.now)();
        if let Some(held) = &mut *self.held.borrow_mut() {
            held.push(Held {
                time,
                level,
                message: message.to_owned(),
            });
            return;
        }
        self.write(time, level, message);
    }

    fn write(&self, time: SystemTime, level: LogLevel, message: &str) {
        self.program.host.log.record(&LogRecord {
            time,
            level,
            invocation_id: &self.invocation_id.borrow(),
            viewer_request_id: &self.viewer_request_id.borrow(),
            function: self.program.function.name.as_str(),
            version: self.program.function.version.0,
            source: &self.program.function.source,
            message,
        });
    }
}

fn shared(state: &OpState) -> Rc<Shared> {
    state.borrow::<Rc<Shared>>().clone()
}

#[op2(fast)]
fn op_ff_done(state: &OpState, #[smi] how: u32, #[string] text: String) {
    let ended = match how {
        0 => Ended::Result(text),
        1 => Ended::Thrown(text),
        3 => Ended::NeverSettled,
        4 => Ended::TooLarge(text),
        // A callback that waits for the event loop to empty (LE-314): not ended yet.
        _ => return,
    };
    let shared = state.borrow::<Rc<Shared>>();
    let mut slot = shared.ended.borrow_mut();
    // The first completion counts (LE-313).
    if slot.is_none() {
        *slot = Some(ended);
    }
}

/// An exception left the event loop: it ends the call, if that has not ended, and the isolate (LE-317).
#[op2(fast)]
fn op_ff_uncaught(state: &OpState, #[string] text: String) {
    let shared = state.borrow::<Rc<Shared>>();
    shared.uncaught.set(true);
    let mut slot = shared.ended.borrow_mut();
    if slot.is_none() {
        *slot = Some(Ended::Thrown(text));
    }
}

#[op2(fast)]
fn op_ff_log(state: &OpState, #[smi] level: u32, #[string] message: &str) {
    let level = match level {
        0 => LogLevel::Trace,
        1 => LogLevel::Debug,
        2 => LogLevel::Info,
        3 => LogLevel::Warn,
        _ => LogLevel::Error,
    };
    state.borrow::<Rc<Shared>>().log(level, message);
}

#[op2(fast)]
fn op_ff_exit(state: &OpState, #[smi] code: i32) {
    state.borrow::<Rc<Shared>>().limits.exit(code);
}

/// Ends the running call again if it was ended, whatever has been done about that since.
#[op2(fast)]
fn op_ff_stay_ended(state: &OpState) {
    state.borrow::<Rc<Shared>>().limits.stay_ended();
}

/// Milliseconds until the call's deadline; negative once it is past (LE-332).
#[op2(fast)]
fn op_ff_remaining(state: &OpState) -> f64 {
    let deadline = state.borrow::<Rc<Shared>>().deadline.get();
    let now = Instant::now();
    let ms = if deadline >= now {
        (deadline - now).as_secs_f64() * 1000.0
    } else {
        -((now - deadline).as_secs_f64() * 1000.0)
    };
    ms.floor()
}

/// Nanoseconds since the process started to serve; the host's boot time stays unknown.
#[op2(fast)]
fn op_ff_hrtime() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a hundred days fit into 53 bits of nanoseconds"
    )]
    let nanos = START.get_or_init(Instant::now).elapsed().as_nanos() as f64;
    nanos
}

/// Heap reserved, heap used, external, array buffers; in bytes.
#[op2]
#[serde]
fn op_ff_memory(state: &OpState, isolate: &mut v8::Isolate) -> (usize, usize, usize, usize) {
    let buffers = state.borrow::<Rc<Shared>>().limits.buffer_bytes();
    let heap = isolate.get_heap_statistics();
    (
        heap.total_heap_size(),
        heap.used_heap_size(),
        buffers,
        buffers,
    )
}

#[op2]
#[string]
fn op_ff_resolve(
    state: &OpState,
    #[string] specifier: &str,
    #[string] parent: &str,
    import: bool,
) -> String {
    let shared = shared(state);
    let from = if import { From::Import } else { From::Require };
    match resolve::resolve(&shared.program.bundle, specifier, parent, from) {
        Ok(found) => format!("{}{}", kind_letter(found.kind), found.path),
        Err(e) => format!("!{}\n{}", e.code, e.message),
    }
}

/// The letter by which JavaScript knows a file's kind.
pub(super) const fn kind_letter(kind: Kind) -> char {
    match kind {
        Kind::CommonJs => 'c',
        Kind::Unclaimed => 'u',
        Kind::Module => 'm',
        Kind::Json => 'j',
        Kind::Native => 'n',
    }
}

/// What the file at a path is, as a letter.
#[op2]
#[string]
fn op_ff_kind(state: &OpState, #[string] path: &str) -> String {
    let kind = resolve::kind_of(&shared(state).program.bundle, path);
    kind_letter(kind).to_string()
}

#[op2]
#[string]
fn op_ff_file_url(#[string] path: &str) -> String {
    modules::file_url(path)
}

#[op2]
#[string]
fn op_ff_path_of_url(#[string] url: &str) -> String {
    modules::path_of(url).unwrap_or_default()
}

#[op2]
#[string]
fn op_ff_read(state: &OpState, #[string] path: &str) -> Result<String, JsErrorBox> {
    let shared = shared(state);
    shared
        .program
        .bundle
        .file(path)
        .map(|bytes| super::source_text(&bytes))
        .ok_or_else(|| {
            JsErrorBox::generic(format!("ENOENT: no such file or directory, open '{path}'"))
        })
}

/// What lies at a path: its kind (1 file, 2 folder, 3 link), its size and its permissions.
#[op2]
#[serde]
fn op_ff_file_look(state: &OpState, #[string] path: &str) -> Option<(u32, f64, u32)> {
    let look = shared(state).program.bundle.look(path)?;
    Some(match look {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a bundle is smaller than 2^53 bytes"
        )]
        Look::File(size, mode) => (1, size as f64, mode),
        Look::Dir => (2, 0.0, 0o755),
        Look::Link => (3, 0.0, 0o777),
    })
}

/// The target of a link; the caller has asked [`op_ff_file_look`] before.
#[op2]
#[string]
fn op_ff_read_link(state: &OpState, #[string] path: &str) -> String {
    let shared = shared(state);
    let target = shared.program.bundle.link(path);
    target.unwrap_or_default().to_owned()
}

/// Copies a part of a file; answers how much that was.
#[op2(fast)]
#[smi]
fn op_ff_file_read(
    state: &OpState,
    #[string] path: &str,
    #[number] position: u64,
    #[buffer] into: &mut [u8],
) -> Result<u32, JsErrorBox> {
    let read = shared(state).program.bundle.read_at(path, position, into);
    match read {
        Ok(n) => Ok(u32::try_from(n).unwrap_or(u32::MAX)),
        // The host's own paths are not for functions to see: the log has them.
        Err(e) => {
            shared(state).emit(LogLevel::Error, &format!("cannot read {path}: {e}"));
            Err(JsErrorBox::generic("EIO: i/o error, read"))
        }
    }
}

/// The names in a folder.
#[op2]
#[serde]
fn op_ff_file_list(state: &OpState, #[string] path: &str) -> Vec<String> {
    shared(state).program.bundle.list(path)
}

/// Compiles CommonJS into its wrapper function. With `detect`, a file that turns out to contain ES
/// module syntax gives `null` instead of the error (NC-54).
#[op2(reentrant)]
fn op_ff_compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    #[string] text: String,
    detect: bool,
) -> v8::Local<'s, v8::Value> {
    let shared = shared(&state.borrow());
    super::compile::commonjs(scope, &shared, path, &text, detect)
}

/// Takes the place of every operation that functions may not use.
#[op2(nofast)]
pub(super) fn op_ff_refused() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::new(
        "NotCapable",
        "fourfront: this is not available in functions",
    ))
}

/// Whether the innermost code that is not the engine's own belongs to a package (NC-14): nobody is warned about those.
#[op2(fast)]
pub(super) fn op_node_call_is_from_dependency(scope: &mut v8::PinScope<'_, '_>) -> bool {
    let Some(trace) = v8::StackTrace::current_stack_trace(scope, 20) else {
        return false;
    };
    (0..trace.get_frame_count())
        .filter_map(|i| trace.get_frame(scope, i)?.get_script_name(scope))
        .map(|name| name.to_rust_string_lossy(scope))
        .find(|name| !name.starts_with("node:") && !name.starts_with("ext:"))
        .is_none_or(|name| name.contains("/node_modules/"))
}

/// Asked by the terminal code of the Node built-ins: no colours.
#[op2(fast)]
#[smi]
fn op_bootstrap_color_depth() -> i32 {
    1
}

/// Named by an import of the Node built-ins.
#[op2(fast)]
fn op_current_thread_cpu_usage(#[buffer] out: &mut [f64]) {
    out.fill(0.0);
}
