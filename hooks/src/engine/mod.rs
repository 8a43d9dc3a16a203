//! The JavaScript engine: V8 through `deno_core`, and the only place that names it.
//!
//! An [`Isolate`] is one function version, loaded and waiting. It belongs to a thread and runs one
//! call at a time (LE-348). Which isolate runs which call is the pool's business.

mod builtin_names;
mod compile;
mod egress;
mod exports;
mod extensions;
mod failure;
mod ffi;
mod isolate;
mod limits;
mod modules;
mod ops;
mod rejections;
mod source_map;
mod startup;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use fourfront_model::{Compat, Function};

pub use egress::Egress;
pub(crate) use isolate::{Isolate, Progress};
pub(crate) use limits::Limits;

use crate::{bundle::Bundle, log::LogSink};

/// A clock that tells the time of day.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What the host gives every function.
#[derive(Clone)]
pub struct Host {
    /// Where `console` goes.
    pub log: Arc<dyn LogSink>,
    /// The time of log records.
    pub now: Now,
    /// Where functions may connect to (LE-346).
    pub egress: Egress,
    /// Bytes of JSON a result may have; more is an execution fault (LE-136).
    pub max_result_bytes: usize,
    /// Bytes of log text per call; records beyond are dropped and counted (LE-352).
    pub max_log_bytes: usize,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("egress", &self.egress)
            .finish_non_exhaustive()
    }
}

/// One version of a function, ready to be loaded into isolates.
pub(crate) struct Program {
    pub(crate) id: u64,
    pub(crate) function: Arc<Function>,
    pub(crate) compat: Compat,
    pub(crate) bundle: Bundle,
    pub(crate) host: Host,
    /// V8's compiled form of the version's files: compiled by the first isolate, reused by the rest.
    code: Mutex<HashMap<String, Arc<[u8]>>>,
}

impl Program {
    pub(crate) fn new(function: Arc<Function>, compat: Compat, bundle: Bundle, host: Host) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            function,
            compat,
            bundle,
            host,
            code: Mutex::default(),
        }
    }

    fn cached(&self, path: &str) -> Option<Arc<[u8]>> {
        self.code.lock().ok()?.get(path).cloned()
    }

    fn cache(&self, path: String, data: &[u8]) {
        if let Ok(mut code) = self.code.lock() {
            code.insert(path, data.into());
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

/// Starts the engine: V8's platform and the snapshot. Costs the first caller some hundred
/// milliseconds and everyone else nothing. Must be called before the threads that run functions
/// are spawned, from a thread that is their ancestor.
pub(crate) fn start() {
    startup::startup();
}

/// A source as V8 gets it: UTF-8 with replacement, without the byte order mark (NC-51).
fn source_text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}
