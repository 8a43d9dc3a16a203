//! Why a call of a function failed, sorted as the viewer sees it (LE section 5.4).

use std::time::Duration;

use crate::validate::Violation;

/// The three failure classes of Lambda@Edge functions (LE-270..272).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// 502, `LambdaValidationError`: the result is not acceptable (LE-270).
    Validation,
    /// 503, `LambdaExecutionError`: the function did not produce a result (LE-271).
    Execution,
    /// 503, `LambdaLimitExceeded`: the function was not run (LE-272).
    Limit,
}

impl FaultClass {
    /// The viewer's status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Validation => 502,
            Self::Execution | Self::Limit => 503,
        }
    }

    /// The token in `X-Cache` and in the log (LE-270..272, LE-277).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Validation => "LambdaValidationError",
            Self::Execution => "LambdaExecutionError",
            Self::Limit => "LambdaLimitExceeded",
        }
    }
}

/// A failed call. The fault is the function author's, never the viewer's, the origin's or the node's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookFault {
    /// The result broke a rule of the contract.
    #[error("{0}")]
    Validation(#[from] Violation),
    /// The function threw, could not be loaded, ran out of time or memory.
    #[error("{0}")]
    Execution(#[from] ExecutionFault),
    /// The function was not run because a limit was reached.
    #[error("{0}")]
    Limit(#[from] LimitFault),
}

impl HookFault {
    /// Which of the three classes the viewer is told.
    pub const fn class(&self) -> FaultClass {
        match self {
            Self::Validation(_) => FaultClass::Validation,
            Self::Execution(_) => FaultClass::Execution,
            Self::Limit(_) => FaultClass::Limit,
        }
    }

    /// The rule that was broken, such as `LE-212`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Validation(v) => v.rule(),
            Self::Execution(e) => e.rule(),
            Self::Limit(_) => "LE-265",
        }
    }
}

/// Why a function produced no result. Messages and stacks go to the function's log, never to a viewer (LE-278).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionFault {
    /// The bundle could not be loaded: syntax error, missing module, throw at top level (LE-308).
    #[error("{error_type}: {message}")]
    Load {
        /// AWS's name, such as `Runtime.UserCodeSyntaxError` (NC-57).
        error_type: String,
        /// The JavaScript error's message, with the file's position where known.
        message: String,
        /// Stack frames, in `/var/task` paths or source-mapped to the author's files.
        stack: String,
    },
    /// Thrown, rejected, or passed to `callback` (LE-271, LE-316, LE-317).
    #[error("{error_type}: {message}")]
    Thrown {
        /// The error's `name`, or AWS's name for runtime errors.
        error_type: String,
        /// The error's message.
        message: String,
        /// Stack frames, as in [`ExecutionFault::Load`].
        stack: String,
    },
    /// A promise that can never settle: nothing is left in the event loop (LE-315).
    #[error("the handler's promise never settled and nothing is left to wait for")]
    NeverSettled,
    /// Wall time is over (LE-250, LE-263).
    #[error("timed out after {} ms", .limit.as_millis())]
    Timeout {
        /// The limit that was reached.
        limit: Duration,
    },
    /// Heap or array buffers beyond the limit (LE-264).
    #[error("out of memory: limit {limit_mb} MiB")]
    OutOfMemory {
        /// The limit that was reached, in MiB.
        limit_mb: u32,
    },
    /// `process.exit` and friends (NC-93).
    #[error("the function ended its process with code {code}")]
    Exit {
        /// The code it gave.
        code: i32,
    },
    /// The node is shutting down or the worker that ran the call is gone.
    #[error("the worker that ran the function is gone")]
    WorkerGone,
}

impl ExecutionFault {
    /// The rule the fault falls under.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Load { .. } => "LE-308",
            Self::Thrown { .. } | Self::WorkerGone => "LE-271",
            Self::NeverSettled => "LE-315",
            Self::Timeout { .. } => "LE-250",
            Self::OutOfMemory { .. } => "LE-264",
            Self::Exit { .. } => "NC-93",
        }
    }
}

/// A call that was refused before it ran (LE-265).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitFault {
    /// As many calls as allowed are running already.
    #[error("{limit} calls of the function are running already")]
    Concurrency {
        /// The limit that was reached.
        limit: usize,
    },
    /// Calls of the function were ended and go on all the same: it gets no further threads to do so on (NC-98).
    #[error("{threads} threads are held by calls of the function that cannot be ended")]
    Held {
        /// How many.
        threads: usize,
    },
}
