//! Why a call of a function failed, sorted as the viewer sees it (LE section 5.4).

use std::time::Duration;

use crate::validate::Violation;

/// The failure classes of functions, three of each kind (LE-270..275).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// 502, `LambdaValidationError`: the result is not acceptable (LE-270).
    Validation,
    /// 503, `LambdaExecutionError`: the function did not produce a result (LE-271).
    Execution,
    /// 503, `LambdaLimitExceeded`: the function was not run (LE-272).
    Limit,
    /// 502, `FunctionValidationError`: a CloudFront Function's result is not acceptable (LE-273).
    FunctionValidation,
    /// 503, `FunctionExecutionError`: a CloudFront Function did not produce a result (LE-274).
    FunctionExecution,
    /// 503, `FunctionThrottledError`: a CloudFront Function takes too long, or was not run for that (LE-275).
    FunctionThrottled,
}

impl FaultClass {
    /// The viewer's status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Validation | Self::FunctionValidation => 502,
            Self::Execution | Self::Limit | Self::FunctionExecution | Self::FunctionThrottled => {
                503
            }
        }
    }

    /// The token in `X-Cache` and in the log (LE-270..275, LE-277).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Validation => "LambdaValidationError",
            Self::Execution => "LambdaExecutionError",
            Self::Limit => "LambdaLimitExceeded",
            Self::FunctionValidation => "FunctionValidationError",
            Self::FunctionExecution => "FunctionExecutionError",
            Self::FunctionThrottled => "FunctionThrottledError",
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
    /// One of these of a CloudFront Function, which are told apart from those of Lambda@Edge (LE-273..275).
    #[error("{fault}")]
    Function {
        /// What the viewer is told.
        class: FaultClass,
        /// What happened.
        fault: Box<Self>,
    },
}

impl HookFault {
    /// Which of the three classes the viewer is told.
    pub const fn class(&self) -> FaultClass {
        match self {
            Self::Validation(_) => FaultClass::Validation,
            Self::Execution(_) => FaultClass::Execution,
            Self::Limit(_) => FaultClass::Limit,
            Self::Function { class, .. } => *class,
        }
    }

    /// The fault as that of a CloudFront Function.
    #[must_use]
    pub fn of_cloudfront_function(self) -> Self {
        let class = match &self {
            Self::Function { .. } => return self,
            Self::Validation(_) => FaultClass::FunctionValidation,
            // LE-275: over its budget, in one run or in many.
            Self::Execution(ExecutionFault::Timeout { .. } | ExecutionFault::OverBudget { .. })
            | Self::Limit(_) => FaultClass::FunctionThrottled,
            Self::Execution(_) => FaultClass::FunctionExecution,
        };
        Self::Function {
            class,
            fault: Box::new(self),
        }
    }

    /// The fault without the kind of function it is of.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Function { fault, .. } => fault,
            other => other,
        }
    }

    /// The rule that was broken, such as `LE-212`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Validation(v) => v.rule(),
            Self::Execution(e) => e.rule(),
            Self::Limit(LimitFault::Concurrency { .. }) => "LE-265",
            Self::Limit(LimitFault::Compute) => "LE-437",
            Self::Limit(LimitFault::Held { .. }) => "NC-98",
            Self::Function { fault, .. } => match fault.rule() {
                // What Lambda@Edge's rules say of a failed call, section 8 says of a failed run.
                "LE-271" | "LE-308" | "LE-315" => "LE-274",
                "LE-250" => "LE-437",
                "LE-264" => "LE-435",
                rule => rule,
            },
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
    /// A CloudFront Function used more processor time than a run may (LE-437).
    #[error("used {} us of processor time, {} us are allowed", .used.as_micros(), .limit.as_micros())]
    OverBudget {
        /// What it used.
        used: Duration,
        /// What it may use.
        limit: Duration,
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
            Self::OverBudget { .. } => "LE-437",
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
    /// A CloudFront Function has run beyond its compute budget again and again (LE-437).
    #[error("throttled: its runs have used more than the compute budget too often")]
    Compute,
    /// Calls of the function were ended and go on all the same: it gets no further threads to do so on (NC-98).
    #[error("{threads} threads are held by calls of the function that cannot be ended")]
    Held {
        /// How many.
        threads: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_cloudfront_functions_have_their_own_classes() {
        // LE-273, LE-274, LE-275
        let class = |fault: HookFault| {
            let class = fault.of_cloudfront_function().class();
            (class.status(), class.token())
        };
        let timeout = Duration::from_millis(10);
        assert_eq!(
            class(ExecutionFault::NeverSettled.into()),
            (503, "FunctionExecutionError")
        );
        assert_eq!(
            class(ExecutionFault::OutOfMemory { limit_mb: 2 }.into()),
            (503, "FunctionExecutionError")
        );
        for throttled in [
            ExecutionFault::Timeout { limit: timeout }.into(),
            LimitFault::Compute.into(),
        ] {
            assert_eq!(class(throttled), (503, "FunctionThrottledError"));
        }
        let violation = crate::validate::result_too_large();
        assert_eq!(class(violation.into()), (502, "FunctionValidationError"));
    }
}
