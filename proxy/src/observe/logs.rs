//! Where the node's own logs and its functions' logs go: `tracing`, as text or JSON lines.

use std::io;

use fourfront_control::{LogFormat, LogSettings};
use fourfront_hooks::log::{LogRecord, LogSink};
use tracing_subscriber::{EnvFilter, fmt};

/// Installs the process-wide subscriber. Human text goes to standard error, so that standard output stays
/// free for data (CP-616). A second call changes nothing: the first subscriber stays.
pub fn install(settings: &LogSettings) {
    // Pingora logs every failed proxy attempt at error level; the node's own access record and metrics
    // already carry that, with the cause. Its warnings stay visible.
    let level = settings.level.as_str();
    let filter = EnvFilter::try_new(format!(
        "{level},pingora_proxy=off,pingora_core=error,pingora_cache=error"
    ))
    .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    let installed = match settings.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    if installed.is_err() {
        tracing::debug!("a log subscriber is installed already");
    }
}

/// Prints what a function logs to standard error, as Lambda's text format has it: time, invocation id, level,
/// message, parted by tabs (LE-351).
#[derive(Clone, Copy, Debug, Default)]
pub struct StderrLog;

impl LogSink for StderrLog {
    fn record(&self, record: &LogRecord<'_>) {
        eprintln!(
            "{}\t{}\t{}\t{}",
            super::access::rfc3339(record.time),
            record.invocation_id,
            record.level.as_str(),
            record.message
        );
    }
}
