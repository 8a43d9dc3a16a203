//! Functions at the four triggers: what a function is shown, what it may answer, and the
//! engine that runs it.
//!
//! [`event`] and [`validate`] are pure: JSON in, JSON out, no engine. [`engine`] (feature
//! `engine`) is the only place that names `deno_core`. [`pool`] decides which isolate
//! runs which call. The seam between the proxy and the pool is [`HookExecutor`]: one event
//! buffer in, one result buffer or a [`HookFault`] out.

pub mod bundle;
pub mod cff;
#[cfg(feature = "engine")]
pub mod engine;
pub mod event;
mod fault;
pub mod headers;
pub mod log;
#[cfg(feature = "engine")]
pub mod pool;
mod scan;
pub mod validate;

#[cfg(feature = "engine")]
pub use engine::ComputeLimits;
#[cfg(feature = "engine")]
pub use pool::{Call, HookExecutor, HookPool, PoolSettings, Prepared};

pub use fault::{ExecutionFault, FaultClass, HookFault, LimitFault};
