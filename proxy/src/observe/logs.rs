//! Where the node's own logs and its functions' logs go: `tracing`, as text or JSON lines.
//!
//! All of it goes to standard error, so that standard output stays free for data (CP-616), and all of it
//! through one queue: the reader of standard error may stop, and the node and its functions go on (LE-352).

use std::{
    io::{self, Write},
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use fourfront_control::{LogFormat, LogLevel, LogSettings};
use fourfront_hooks::log::{self, LogRecord, LogSink, TracingSink};
use prometheus::IntCounter;
use tracing_subscriber::{EnvFilter, fmt};

use super::writer::{Writer, WriterSettings, unbuffered};

/// Bytes that may wait for standard error. A function may log 256 KiB in one call.
const QUEUE_BYTES: usize = 8 << 20;

/// What a waiting line weighs beside its text.
const LINE_WEIGHT: usize = 64;

/// How long the process waits for a reader of standard error when it ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The process has one standard error, and `tracing` one subscriber.
static STDERR: OnceLock<Writer<Vec<u8>>> = OnceLock::new();

/// Puts the queue in front of standard error. `dropped` counts lines that did not get there. A second call
/// changes nothing.
///
/// # Errors
/// When the writer's thread cannot be started.
pub fn start(dropped: IntCounter) -> io::Result<()> {
    if STDERR.get().is_some() {
        return Ok(());
    }
    let settings = WriterSettings {
        name: "log",
        capacity: QUEUE_BYTES,
        dropped,
    };
    let writer = Writer::start(
        settings,
        unbuffered(io::stderr())?,
        |text: &Vec<u8>, line| line.extend_from_slice(text),
        // There is no other place to say it.
        |_| {},
    )?;
    // Another thread that was faster has set the same.
    let _ = STDERR.set(writer);
    Ok(())
}

/// Which of the node's records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All: the node's log and a function's log may be read by different people (LE-283).
    Everything,
    /// A fault that the function's own log has, with its stack, is not shown again by the node.
    FaultsOnce,
}

/// The target of the node's records of faults that a function's own log has as well.
pub const LOGGED_FAULT: &str = "logged_fault";

/// Installs the process-wide subscriber. A second call changes nothing: the first subscriber stays.
pub fn install(settings: &LogSettings, detail: Detail) {
    // Pingora logs every failed proxy attempt at error level; the node's own access record and metrics
    // already carry that, with the cause. Its warnings stay visible. Those of the library of HTTP/2 are one line for each connection
    // that is cut off for abuse, which is counted.
    let level = settings.level.as_str();
    let repeated = match detail {
        Detail::Everything => String::new(),
        Detail::FaultsOnce => format!(",{LOGGED_FAULT}=off"),
    };
    let filter = EnvFilter::try_new(format!(
        "{level},pingora_proxy=off,pingora_core=error,pingora_cache=error,h2=error{repeated}"
    ))
    .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(|| Queue)
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

/// Prints one line for people, in its place between the logs.
pub fn say(text: &str) {
    match STDERR.get() {
        Some(writer) => push(writer, format!("{text}\n").into_bytes()),
        None => eprintln!("{text}"),
    }
}

/// Writes what is waiting, for as long as a reader may take at the end of a process.
pub fn finish() {
    if let Some(writer) = STDERR.get() {
        writer.finish(LAST_WORDS);
    }
}

fn push(writer: &Writer<Vec<u8>>, text: Vec<u8>) {
    let cost = text.len() + LINE_WEIGHT;
    writer.push(text, cost);
}

/// `tracing`'s way into the queue; it hands over one whole record at a time.
struct Queue;

impl Write for Queue {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        match STDERR.get() {
            Some(writer) => push(writer, record.to_vec()),
            None => io::stderr().write_all(record)?,
        }
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints what a function logs to standard error, as Lambda's text format has it: time, invocation id, level,
/// message, parted by tabs (LE-351).
#[derive(Clone, Copy, Debug, Default)]
pub struct StderrLog;

impl LogSink for StderrLog {
    fn record(&self, record: &LogRecord<'_>) {
        say(&format!(
            "{}\t{}\t{}\t{}",
            super::access::rfc3339(record.time),
            record.invocation_id,
            record.level.as_str(),
            record.message
        ));
    }
}

/// The same for all functions of a node, in the format and from the level that its settings choose (LE-351). One
/// stream has what Lambda keeps in one per function, so a record also says which function and version wrote it, and
/// for which viewer request (LE-282).
#[derive(Clone, Copy, Debug)]
pub struct FunctionLog {
    format: LogFormat,
    level: LogLevel,
}

impl FunctionLog {
    /// A log as the site file wants it.
    pub const fn new(settings: &LogSettings) -> Self {
        Self {
            format: settings.format,
            level: settings.level,
        }
    }

    fn shows(self, level: log::LogLevel) -> bool {
        let level = match level {
            log::LogLevel::Trace => LogLevel::Trace,
            log::LogLevel::Debug => LogLevel::Debug,
            log::LogLevel::Info => LogLevel::Info,
            log::LogLevel::Warn => LogLevel::Warn,
            log::LogLevel::Error => LogLevel::Error,
        };
        // From the gravest to the least.
        level <= self.level
    }
}

impl LogSink for FunctionLog {
    fn record(&self, record: &LogRecord<'_>) {
        match self.format {
            // It has the level from its subscriber.
            LogFormat::Json => TracingSink.record(record),
            LogFormat::Text if self.shows(record.level) => say(&text(record)),
            LogFormat::Text => {}
        }
    }
}

fn text(record: &LogRecord<'_>) -> String {
    line(
        record.time,
        record.invocation_id,
        record.level,
        (record.function, record.version),
        record.viewer_request_id,
        record.message,
    )
}

/// A line for people, its parts between tabs. Ids that are not there are `-`, as in an access log.
pub(super) fn line(
    time: SystemTime,
    invocation_id: &str,
    level: log::LogLevel,
    (function, version): (&str, u32),
    request_id: &str,
    message: &str,
) -> String {
    let or_dash = |id: &'_ str| {
        if id.is_empty() {
            "-".to_owned()
        } else {
            id.to_owned()
        }
    };
    format!(
        "{}\t{}\t{}\t{function}:{version}\t{}\t{message}",
        super::access::rfc3339(time),
        or_dash(invocation_id),
        level.as_str(),
        or_dash(request_id),
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use fourfront_model::FunctionSource;

    use super::*;

    #[test]
    fn a_record_names_time_call_level_function_and_request() {
        // LE-351, LE-282
        let source = FunctionSource::File(PathBuf::from("auth.js"));
        let record = LogRecord {
            time: SystemTime::UNIX_EPOCH,
            level: log::LogLevel::Info,
            invocation_id: "5f0c",
            viewer_request_id: "aZ1",
            function: "auth",
            version: 3,
            source: &source,
            message: "one\ntwo",
        };
        assert_eq!(
            text(&record),
            "1970-01-01T00:00:00.000Z\t5f0c\tINFO\tauth:3\taZ1\tone\ntwo"
        );
        let loading = LogRecord {
            invocation_id: "",
            viewer_request_id: "",
            ..record
        };
        assert!(text(&loading).contains("Z\t-\tINFO\tauth:3\t-\tone"));
    }

    #[test]
    fn records_below_the_least_level_are_not_shown() {
        // LE-351
        let least = |level| {
            FunctionLog::new(&LogSettings {
                level,
                ..LogSettings::default()
            })
        };
        let shown = |level| {
            [
                log::LogLevel::Error,
                log::LogLevel::Warn,
                log::LogLevel::Info,
                log::LogLevel::Debug,
                log::LogLevel::Trace,
            ]
            .into_iter()
            .filter(|l| least(level).shows(*l))
            .count()
        };
        assert_eq!(
            [
                LogLevel::Error,
                LogLevel::Warn,
                LogLevel::Info,
                LogLevel::Debug,
                LogLevel::Trace
            ]
            .map(shown),
            [1, 2, 3, 4, 5]
        );
    }
}
