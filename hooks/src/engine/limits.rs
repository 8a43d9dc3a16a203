//! What ends a call that does not end by itself, and why it ended.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use deno_core::v8::IsolateHandle;
use fourfront_model::Function;

use super::sched;
use crate::ExecutionFault;

const RUNNING: u8 = 0;
const TIMED_OUT: u8 = 1;
const OUT_OF_MEMORY: u8 = 2;
const EXITED: u8 = 3;
const MOVED: u8 = 4;

/// The limits of one isolate, shared with the watchdog's thread and with V8's allocator.
#[derive(Debug)]
pub(crate) struct Limits {
    memory_mb: u32,
    stop: AtomicU8,
    exit_code: AtomicI64,
    buffers: AtomicUsize,
    /// Of `buffers`, what the host itself holds for the function.
    held: AtomicUsize,
    /// Of `held`, what V8 has been told of.
    told: AtomicUsize,
    refused: AtomicBool,
    looking: AtomicBool,
    /// Nanoseconds of the thread's time at which a collection of garbage began, and those of all before it.
    collection_began: AtomicU64,
    collected: AtomicU64,
    handle: OnceLock<IsolateHandle>,
    /// How many built-ins are being loaded, one for the other.
    loading: Mutex<usize>,
    timeout: Mutex<Duration>,
    /// Threads that the version holds in spite of being ended, and whether this isolate's is one of them.
    lost: Arc<AtomicUsize>,
    is_lost: AtomicBool,
}

impl Limits {
    pub(crate) fn new(memory_mb: u32, lost: Arc<AtomicUsize>) -> Self {
        Self {
            memory_mb,
            stop: AtomicU8::new(RUNNING),
            exit_code: AtomicI64::new(0),
            buffers: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            looking: AtomicBool::new(false),
            collection_began: AtomicU64::new(0),
            collected: AtomicU64::new(0),
            handle: OnceLock::new(),
            loading: Mutex::default(),
            timeout: Mutex::new(Duration::ZERO),
            lost,
            is_lost: AtomicBool::new(false),
        }
    }

    pub(super) fn attach(&self, handle: IsolateHandle) {
        let _ = self.handle.set(handle);
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        if let Ok(mut t) = self.timeout.lock() {
            *t = timeout;
        }
    }

    /// Ends the running call because its time is over (LE-250). Callable from any thread.
    pub(crate) fn time_out(&self) {
        self.end(TIMED_OUT);
    }

    /// Ends the running call because it has used up its memory (LE-264).
    pub(super) fn run_out_of_memory(&self) {
        self.end(OUT_OF_MEMORY);
    }

    /// Ends the running call because it asked for it (NC-93).
    pub(super) fn exit(&self, code: i32) {
        self.exit_code.store(code.into(), Ordering::Relaxed);
        self.end(EXITED);
    }

    /// Ends the running call because it is to be made on another thread.
    pub(super) fn move_away(&self) {
        self.end(MOVED);
    }

    /// Whether a call has to be made on the pool: it was ended for that, or for the lack of memory that its function may
    /// have there.
    pub(super) fn must_move(&self, function: &Function) -> bool {
        match self.stop.load(Ordering::Acquire) {
            MOVED => true,
            OUT_OF_MEMORY => self.memory_mb < function.memory_limit_mb(),
            _ => false,
        }
    }

    /// Ends the running call again if it was ended: an end of execution can be taken back by what runs.
    pub(super) fn stay_ended(&self) {
        if self.stop.load(Ordering::Acquire) != RUNNING {
            self.terminate(&self.loading());
        }
    }

    /// A built-in is about to be loaded. The engine panics when execution ends meanwhile, so an end waits until it is there:
    /// milliseconds, in which none of the function's code runs unless it has changed what built-ins are made of.
    pub(super) fn load_begins(&self) {
        let mut loading = self.loading();
        *loading += 1;
        // Called for, and not yet noticed.
        if self.stop.load(Ordering::Acquire) != RUNNING
            && let Some(handle) = self.handle.get()
        {
            handle.cancel_terminate_execution();
        }
    }

    /// It is there, or it is not to be had.
    pub(super) fn load_ends(&self) {
        let mut loading = self.loading();
        *loading = loading.saturating_sub(1);
        if self.stop.load(Ordering::Acquire) != RUNNING {
            self.terminate(&loading);
        }
    }

    fn loading(&self) -> MutexGuard<'_, usize> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends execution now, or when what is being loaded is there.
    fn terminate(&self, loading: &usize) {
        if *loading == 0
            && let Some(handle) = self.handle.get()
        {
            handle.terminate_execution();
        }
    }

    /// Takes note that the call has been ended and goes on all the same. Whether that is news.
    pub(crate) fn lose(&self) -> bool {
        let news = !self.is_lost.swap(true, Ordering::AcqRel);
        if news {
            self.lost.fetch_add(1, Ordering::AcqRel);
        }
        news
    }

    /// Takes note that it has come to its end.
    pub(crate) fn found(&self) {
        if self.is_lost.swap(false, Ordering::AcqRel) {
            self.lost.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn end(&self, why: u8) {
        // The first reason counts: running out of time while dying of memory is still memory.
        let _ = self
            .stop
            .compare_exchange(RUNNING, why, Ordering::AcqRel, Ordering::Acquire);
        self.terminate(&self.loading());
    }

    /// Why the isolate was ended, if it was. Such an isolate is discarded (LE-350).
    pub(super) fn fault(&self) -> Option<ExecutionFault> {
        match self.stop.load(Ordering::Acquire) {
            TIMED_OUT => Some(ExecutionFault::Timeout {
                limit: self.timeout.lock().map_or(Duration::ZERO, |t| *t),
            }),
            OUT_OF_MEMORY => Some(self.out_of_memory()),
            EXITED => Some(ExecutionFault::Exit {
                code: i32::try_from(self.exit_code.load(Ordering::Relaxed)).unwrap_or(-1),
            }),
            // Seen by nobody: the call is forgotten.
            MOVED => Some(ExecutionFault::WorkerGone),
            _ => None,
        }
    }

    pub(super) fn out_of_memory(&self) -> ExecutionFault {
        ExecutionFault::OutOfMemory {
            limit_mb: self.memory_mb,
        }
    }

    pub(super) fn limit_bytes(&self) -> usize {
        self.memory_mb as usize * 1024 * 1024
    }

    /// Bytes held by array buffers and by the host.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffers.load(Ordering::Relaxed)
    }

    /// Whether an array buffer was refused since the last call of this method.
    pub(super) fn take_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    /// Accounts for an array buffer; `false` when it would exceed the limit (LE-264).
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let before = self.buffers.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit_bytes() {
            self.buffers.fetch_sub(bytes, Ordering::Relaxed);
            self.refused.store(true, Ordering::Relaxed);
            return false;
        }
        true
    }

    pub(super) fn release(&self, bytes: usize) {
        self.buffers.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Accounts for what the host holds; `None` when it would exceed the limit (LE-264).
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        if !self.reserve(bytes) {
            return None;
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Some(Held {
            limits: self.clone(),
            bytes,
        })
    }

    /// Bytes that the host holds for the function.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// By how much `held` changed since the last call of this method: for V8, which collects garbage
    /// by it.
    pub(super) fn untold(&self) -> i64 {
        let held = self.held_bytes();
        let told = self.told.swap(held, Ordering::Relaxed);
        // Both are below the limit, which is far from the sign bit.
        held.cast_signed().wrapping_sub(told.cast_signed()) as i64
    }

    /// V8 begins to collect garbage.
    pub(super) fn collection_begins(&self) {
        let now = nanos(sched::thread_time());
        self.collection_began.store(now, Ordering::Relaxed);
    }

    /// It has.
    pub(super) fn collection_ends(&self) {
        let began = self.collection_began.load(Ordering::Relaxed);
        let took = nanos(sched::thread_time()).saturating_sub(began);
        self.collected.fetch_add(took, Ordering::Relaxed);
    }

    /// The processor time that collecting garbage has taken so far.
    pub(super) fn collection_time(&self) -> Duration {
        Duration::from_nanos(self.collected.load(Ordering::Relaxed))
    }

    /// The isolate's handle, unless a look is on its way already: see [`Self::looked`].
    pub(super) fn look(&self) -> Option<&IsolateHandle> {
        let handle = self.handle.get()?;
        (!self.looking.swap(true, Ordering::Relaxed)).then_some(handle)
    }

    /// The look has been taken.
    pub(super) fn looked(&self) {
        self.looking.store(false, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Memory that the host holds for a function: counted until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    limits: Arc<Limits>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.limits.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.limits.release(self.bytes);
    }
}
