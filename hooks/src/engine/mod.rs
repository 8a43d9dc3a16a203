//! The JavaScript engine: V8 through `deno_core`, and the only place that names it.
//!
//! An `Isolate` is one function version, loaded and waiting. It belongs to a thread and runs one
//! call at a time (LE-348). Which isolate runs which call is the pool's business.
//!
//! # The Node route, and what was measured
//!
//! The built-ins are those of the `deno_*` crates of `deno_core`'s own generation, under a bootstrap of
//! our own (`hooks/js/boot.js`, not `deno_runtime`). Their JavaScript is copied from the registry by
//! `build.rs`, types removed; nothing upstream is patched. What reaches the host is replaced or absent:
//! operations pass an allow list (`extensions`), `process`, `fs`, `os`, `tty`, `module` and the loader are
//! written here. Figures of one two-core machine that was busy with other builds:
//!
//! | criterion for dropping the route | limit | found |
//! |---|---|---|
//! | clean release build of everything, Pingora included | 45 min | 10 min |
//! | patches needed upstream | any | none |
//! | cold isolate of a module-free handler | 5 ms | 3.2 ms |
//! | one more idle isolate, module-free | 5 MiB | 3.1 MiB |
//!
//! Further: start of the engine (platform and snapshot, at first start) 65 ms; warm call of an async handler with a
//! 480-byte event 5.1 us inside the engine. Of the extensions that `deno_node` names, `deno_net` is there for three
//! operations of name resolution; its sockets are not, because Node's own are the engine's.
//!
//! A cold request through the node (`conformance/load/many.py`), in the same minutes before and after what the list below tells:
//! 5.4 and 3.2 ms without modules, 27 and 21 ms with `crypto`, `https`, `zlib`, `querystring` and `fs`. Where it goes
//! (`cargo run --release -p fourfront-hooks --example cold_trace`, in ms): without modules V8 reads 1.6 MB of snapshot in 2.4,
//! the engine's own tables take 0.5, the function's load and call 0.15, and the node around it 0.3; five modules take 14 more,
//! of which a fifth is reading what is kept of 198 files and most of the rest their evaluation.
//!
//! - Operations are in the snapshot (`skip_op_registration`), and those that no JavaScript names are in no isolate: 0.9 ms.
//! - What every cold start calls is compiled in the snapshot: functions in parentheses in `js/boot.js` and others, 0.5 ms.
//! - What is kept of the compiled form of built-ins has what loading them calls (`compile::keep_builtins`): 4 ms of five modules.
//!
//! Beside Node (NC-122): a cold isolate in which one client of the AWS SDK has been loaded and made, and in brackets a process of
//! Node 20 that does the same and ends, on the same busy machine. `client-s3` 59 ms (183), `client-dynamodb` 53 (163),
//! `client-secrets-manager` 52 (133), `client-ssm` 66 (266), all of version 3; version 2 75 (263). The bench measures any bundle
//! that `FOURFRONT_BENCH_BUNDLES` names. A handler that is an ES module starts as fast as a CommonJS one, and is called as fast.
//!
//! Two ways of running a call were measured on one core, 50 connections, a 1 KB hit with a viewer-response function, in
//! CPU per request beyond the hit's own 15 us: 46 us on a JS thread, where handing over costs two switches of context; 37 us
//! on the proxy's own ([`crate::pool`]). Of these, V8 takes 10 (caches are cold between two requests), building the event and
//! judging the result 6, sending 8 more because fewer answers leave at once.
//!
//! The snapshot is made at first start rather than at build time: making it in `build.rs` would compile
//! and link V8 and the crates a second time. The measure is `cargo bench -p fourfront-hooks --bench engine`
//! and `cargo run --release -p fourfront-hooks --example isolate_memory`.
//!
//! # Limits
//!
//! Time is the pool's watchdog, through `terminate_execution`. A function's memory bounds its heap and, by
//! the same number again, what it holds beside the heap (`memory` has the counts):
//!
//! - array buffers, blobs, messages between ports and the state of compressors are refused beyond it;
//! - WebAssembly memories, resizable buffers and buffers that the host fills are looked at when they have
//!   grown, and the function is ended then. A WebAssembly memory has 256 MiB at most, whatever the function's
//!   limit is, and a module has one: more than that is never filled before the look;
//! - what ICU, `zlib` and connections keep is an estimate for each of them.
//!
//! What takes long in V8's own loops, or in Rust, and cannot be interrupted is done in JavaScript beyond a size, or is refused
//! (`js/bounded.js`, `js/costs.js`; `tests/engine/loops.txt` lists all that is known). A call on a thread of the proxy's leaves
//! it before it takes more than a millisecond, and before any operation that may panic (`audit`), but for what has no place
//! to look at it: long regular expressions, `eval` of a long text, the spreading of one. Others stand in for a thread that is
//! held by these ([`crate::pool::Hold`]). What looking costs, measured in nanoseconds per call of hot code, before and after:
//! `indexOf` of a small array 9 and 20, `map` 15 and 90 (its callback is no longer inlined), `concat` 85 and 125, `reduce` 7
//! and 23; `slice`, `join`, `some`, `sort`, `split`, `replace` and `JSON` the same within the noise.
//!
//! An isolate that hit a limit is discarded, and so is one whose blobs, ports and compressors take more than a
//! quarter of its memory when a call ends. One allocation in flight may overshoot before V8 looks: the heap
//! callback grants room for it, because V8 ends the process when it is refused.

mod aes192;
mod audit;
mod builtin_names;
mod cff;
mod cloning;
mod compile;
mod compression;
mod egress;
mod exports;
mod extensions;
mod failure;
mod ffi;
mod image;
mod isolate;
mod keys;
mod lexer;
mod limits;
mod memory;
mod modules;
mod net;
mod ops;
pub(crate) mod panics;
mod ports;
#[doc(hidden)]
pub mod probe;
mod rejections;
mod runner;
pub(crate) mod sched;
mod settings;
mod source_map;
mod startup;
mod trial;

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::SystemTime,
};

use fourfront_model::{Compat, Function};

pub(crate) use cff::Compute;
pub use cff::ComputeLimits;
pub use egress::{Egress, EgressRefusal};
pub(crate) use isolate::{Place, Progress, Trial};
pub(crate) use limits::Limits;
pub(crate) use runner::Isolate;

use crate::{
    bundle::Bundle,
    log::{LogLevel, LogRecord, LogSink},
};

/// A clock that tells the time of day.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What the host gives every function.
#[derive(Clone)]
pub struct Host {
    /// Where `console` goes.
    pub log: Arc<dyn LogSink>,
    /// The time of log records.
    pub now: Now,
    /// What stands before a function's name where the function reads it (LE-326).
    pub name_prefix: Arc<str>,
    /// Whether functions of strict distributions have their variables, too: while they are developed (CP-130).
    pub variables: bool,
    /// Where functions may connect to (LE-346).
    pub egress: Egress,
    /// Bytes of JSON a result may have; more is an execution fault (LE-136).
    pub max_result_bytes: usize,
    /// Bytes that the files in a function's `/tmp` may have (LE-261, LE-345). They lie in the function's memory,
    /// which may be full before.
    pub tmp_bytes: u64,
    /// Bytes of log text per call; records beyond are dropped and counted (LE-352).
    pub max_log_bytes: usize,
    /// Processor time of CloudFront Functions (LE-437).
    pub compute: ComputeLimits,
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
    /// Threads that its code holds and that cannot be had back.
    pub(crate) lost: Arc<AtomicUsize>,
    /// V8's compiled form of the version's files: compiled by the first isolate, reused by the rest.
    code: Mutex<HashMap<String, Arc<[u8]>>>,
    /// Files of the built-ins that its isolates on the pool have loaded, in their order.
    builtins: Mutex<Vec<String>>,
    /// What a CloudFront Function's runs have used.
    pub(crate) compute: Compute,
    /// Whether a CloudFront Function changes what runs share, so that each needs a context of its own.
    needs_fresh: AtomicBool,
}

impl Program {
    pub(crate) fn new(function: Arc<Function>, compat: Compat, bundle: Bundle, host: Host) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            function,
            compat,
            bundle,
            compute: Compute::new(host.compute),
            host,
            lost: Arc::default(),
            code: Mutex::default(),
            builtins: Mutex::default(),
            needs_fresh: AtomicBool::new(false),
        }
    }

    /// Tells whoever packs native addons that these cannot be loaded: they may never be needed (NC-92).
    pub(crate) fn warn_of_addons(&self) {
        let mut addons = self.bundle.files().filter(|(p, _)| p.ends_with(".node"));
        let Some((first, _)) = addons.next() else {
            return;
        };
        let others = match addons.count() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        self.host.log.record(&LogRecord {
            time: (self.host.now)(),
            level: LogLevel::Warn,
            invocation_id: "",
            viewer_request_id: "",
            function: self.function.name.as_str(),
            version: self.function.version.0,
            source: &self.function.source,
            message: &format!(
                "the bundle has native addons, which cannot be loaded in functions: {first}{others}"
            ),
        });
    }

    /// Takes note of a built-in's file that is being loaded.
    fn loads(&self, specifier: &str) {
        if let Ok(mut builtins) = self.builtins.lock()
            && !builtins.iter().any(|known| known == specifier)
        {
            builtins.push(specifier.to_owned());
        }
    }

    /// The files that have been loaded so far.
    fn builtins(&self) -> Vec<String> {
        let builtins = self.builtins.lock();
        builtins.map(|known| known.clone()).unwrap_or_default()
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

/// The ids that a call's log records carry (LE-282).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids<'a> {
    /// The call's own.
    pub(crate) invocation: &'a str,
    /// That of the viewer request it is made for.
    pub(crate) viewer_request: &'a str,
}

/// How a thread competes for cores.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Priority {
    /// It waits for events, and is wanted at once when one comes.
    Prompt,
    /// It may compute for long, and comes so many steps behind others.
    Nice(i32),
}

/// What the engine's own thread is asked to start.
type Spawn = Box<dyn FnOnce() + Send>;

/// Starts the engine: V8's platform and the snapshot. Costs the first caller some 70 milliseconds and
/// everyone else nothing.
pub(crate) fn start() {
    spawner();
}

/// Starts a thread that may run JavaScript.
///
/// V8 protects its memory with processor keys that a thread inherits from the one that starts it: every
/// such thread must descend from the one that started V8. So one thread does both, whoever asks.
///
/// # Errors
/// The system's, when there can be no further thread.
pub(crate) fn spawn(
    name: String,
    stack: usize,
    priority: Priority,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let (done, started) = mpsc::sync_channel(1);
    let request: Spawn = Box::new(move || {
        let spawned = thread::Builder::new()
            .name(name)
            .stack_size(stack)
            .spawn(move || {
                match priority {
                    Priority::Prompt => sched::be_prompt(),
                    Priority::Nice(steps) => sched::be_nice(steps),
                }
                run();
            });
        let _ = done.send(spawned);
    });
    let gone = || io::Error::other("the engine's thread is gone");
    spawner().send(request).map_err(|_| gone())?;
    started.recv().map_err(|_| gone())?
}

/// Whether the engine has been started.
pub(crate) fn started() -> bool {
    SPAWNER.get().is_some()
}

static SPAWNER: OnceLock<mpsc::SyncSender<Spawn>> = OnceLock::new();

fn spawner() -> &'static mpsc::SyncSender<Spawn> {
    SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::sync_channel::<Spawn>(0);
        let (ready, started) = mpsc::sync_channel(1);
        let spawned = thread::Builder::new()
            .name("ff-engine".into())
            .spawn(move || {
                startup::startup();
                let _ = ready.send(());
                for request in requests {
                    request();
                }
            });
        // Without it there is no engine; what goes wrong then is told by `spawn`.
        if spawned.is_ok() {
            let _ = started.recv();
        }
        sender
    })
}

/// A source as V8 gets it: UTF-8 with replacement, without the byte order mark (NC-51).
fn source_text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}
