//! What a node tells its operator: structured logs, one access record per request, and
//! Prometheus metrics on the admin listener. Field and label names live here once;
//! label values come from configuration and enums, never from a request.

pub mod access;
pub mod access_log;
pub mod admin;
mod copy;
pub mod endpoint;
mod follow;
pub mod functions;
mod hourly;
pub mod log_file;
pub mod logs;
pub mod mapping;
pub mod metrics;
pub mod origins;
pub mod pools;
pub mod standard;
pub mod tap;
pub mod writer;

/// Field names shared by logs and access records.
pub mod fields {
    /// The id of one viewer request, equal to `X-Amz-Cf-Id` (CF-355).
    pub const REQUEST_ID: &str = "request_id";
    /// The distribution's id.
    pub const DISTRIBUTION: &str = "distribution";
    /// The behaviour's path pattern.
    pub const BEHAVIOR: &str = "behavior";
    /// A function's name.
    pub const FUNCTION: &str = "function";
    /// One of the four event types.
    pub const EVENT_TYPE: &str = "event_type";
    /// The rule a fault falls under.
    pub const RULE: &str = "rule";
}
