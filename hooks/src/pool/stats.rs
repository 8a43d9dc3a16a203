//! Counts for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a pool holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Isolates alive, idle ones included.
    pub isolates: usize,
    /// JS threads.
    pub threads: usize,
    /// Threads of the callers' that functions hold at this moment (NC-98).
    pub held: usize,
    /// How often a function has held one so far.
    pub holds: u64,
}

/// What the calls of one version have come to since it was prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionStats {
    /// Calls that ran, failed ones included.
    pub calls: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Calls for which an isolate had to be started.
    pub cold_starts: u64,
    /// Calls that ran on the thread that asked.
    pub inline: u64,
    /// Calls refused because too many were running (LE-265).
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicU64,
    faults: AtomicU64,
    cold_starts: AtomicU64,
    inline: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    pub(super) fn called(&self, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn cold_start(&self) {
        self.cold_starts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn inline(&self) {
        self.inline.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> FunctionStats {
        FunctionStats {
            calls: self.calls.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            cold_starts: self.cold_starts.load(Ordering::Relaxed),
            inline: self.inline.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
