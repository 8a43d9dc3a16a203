//! What functions write: one record per `console` call or fault (LE-351).

use std::time::SystemTime;

use fourfront_model::FunctionSource;

use crate::bundle::author_paths;

/// How grave a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `console.trace`.
    Trace,
    /// `console.debug`.
    Debug,
    /// `console.log` and `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, and a call that failed.
    Error,
}

impl LogLevel {
    /// The name in Lambda's text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// One record. Newlines in the message belong to the record.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a> {
    /// When it was written, by the host's clock.
    pub time: SystemTime,
    /// How grave it is.
    pub level: LogLevel,
    /// `context.awsRequestId` of the call; empty while the function is loaded.
    pub invocation_id: &'a str,
    /// The viewer request that the call is made for, as its viewer knows it (LE-282); empty where there is none.
    pub viewer_request_id: &'a str,
    /// The function's name.
    pub function: &'a str,
    /// The function's version.
    pub version: u32,
    /// Where the function's files come from.
    pub source: &'a FunctionSource,
    /// The formatted message.
    pub message: &'a str,
}

/// Where records go. Called on the function's thread: it must not block and cannot fail a call (LE-352).
pub trait LogSink: Send + Sync {
    /// Takes one record.
    fn record(&self, record: &LogRecord<'_>);
}

/// Sends records to `tracing` under the target `function`. It blocks where the subscriber's writer does, so
/// that one must not.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink;

impl LogSink for TracingSink {
    fn record(&self, r: &LogRecord<'_>) {
        let (id, function, version, message) = (r.invocation_id, r.function, r.version, r.message);
        let request_id = r.viewer_request_id;
        macro_rules! at {
            ($level:ident) => {
                tracing::$level!(target: "function", id, request_id, function, version, "{message}")
            };
        }
        match r.level {
            LogLevel::Trace => at!(trace),
            LogLevel::Debug => at!(debug),
            LogLevel::Info => at!(info),
            LogLevel::Warn => at!(warn),
            LogLevel::Error => at!(error),
        }
    }
}

/// Hands records on with the paths of a bundle turned into those of the author's files, for an author who works
/// on this machine (CP-601).
#[derive(Clone, Copy, Debug, Default)]
pub struct AuthorPaths<S>(pub S);

impl<S: LogSink> LogSink for AuthorPaths<S> {
    fn record(&self, record: &LogRecord<'_>) {
        self.0.record(&LogRecord {
            message: &author_paths(record.source, record.message),
            ..*record
        });
    }
}
