//! What functions log, for who reads along: the node's log goes on as it does, and the last lines are kept for a while.
//!
//! A reader never slows a function down: lines are put into a ring of bounded size, and a reader who is too slow is told how
//! many it missed.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use fourfront_hooks::log::{LogLevel, LogRecord, LogSink};
use parking_lot::Mutex;
use tokio::sync::broadcast;

/// Bytes of lines that are kept.
const MOST_KEPT: usize = 8 << 20;
/// What a kept line weighs beside its text.
const LINE_WEIGHT: usize = 160;
/// Lines that a reader may be behind.
const BEHIND: usize = 4_096;

/// A line that a function logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionLine {
    /// Its number; later ones are higher.
    pub number: u64,
    /// When.
    pub time: SystemTime,
    /// How grave.
    pub level: LogLevel,
    /// The function's name.
    pub function: String,
    /// Its version.
    pub version: u32,
    /// `context.awsRequestId`.
    pub invocation_id: String,
    /// The viewer request that it ran for; empty if for none.
    pub request_id: String,
    /// What it said.
    pub message: String,
}

/// A log sink that others read along with.
pub struct LogTap {
    inner: Arc<dyn LogSink>,
    kept: Mutex<Kept>,
    readers: broadcast::Sender<Arc<FunctionLine>>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Arc<FunctionLine>>,
    bytes: usize,
    next: u64,
}

impl std::fmt::Debug for LogTap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogTap").finish_non_exhaustive()
    }
}

impl LogTap {
    /// A tap in front of a log.
    pub fn new(inner: Arc<dyn LogSink>) -> Self {
        Self {
            inner,
            kept: Mutex::default(),
            readers: broadcast::channel(BEHIND).0,
        }
    }

    /// What is logged from now on.
    pub fn follow(&self) -> broadcast::Receiver<Arc<FunctionLine>> {
        self.readers.subscribe()
    }

    /// The kept lines that fit, oldest first.
    pub fn kept(&self, fits: impl Fn(&FunctionLine) -> bool) -> Vec<Arc<FunctionLine>> {
        let kept = self.kept.lock();
        kept.lines
            .iter()
            .filter(|line| fits(line))
            .cloned()
            .collect()
    }

    /// What one invocation logged, a line each.
    pub fn of_invocation(&self, id: &str) -> Vec<Arc<FunctionLine>> {
        self.kept(|line| line.invocation_id == id)
    }
}

impl LogSink for LogTap {
    fn record(&self, record: &LogRecord<'_>) {
        self.inner.record(record);
        let mut kept = self.kept.lock();
        let line = Arc::new(FunctionLine {
            number: kept.next,
            time: record.time,
            level: record.level,
            function: record.function.to_owned(),
            version: record.version,
            invocation_id: record.invocation_id.to_owned(),
            request_id: record.viewer_request_id.to_owned(),
            message: record.message.to_owned(),
        });
        kept.next += 1;
        kept.bytes += weight(&line);
        kept.lines.push_back(Arc::clone(&line));
        while kept.bytes > MOST_KEPT {
            let Some(oldest) = kept.lines.pop_front() else {
                break;
            };
            kept.bytes -= weight(&oldest);
        }
        // Under the lock, so that readers get lines in their order. Nobody reading is no fault.
        let _ = self.readers.send(line);
    }
}

fn weight(line: &FunctionLine) -> usize {
    LINE_WEIGHT
        + line.message.len()
        + line.function.len()
        + line.invocation_id.len()
        + line.request_id.len()
}

#[cfg(test)]
mod tests {
    use fourfront_model::FunctionSource;

    use super::*;

    struct Nothing;

    impl LogSink for Nothing {
        fn record(&self, _: &LogRecord<'_>) {}
    }

    fn say(tap: &LogTap, id: &str, message: &str) {
        tap.record(&LogRecord {
            time: SystemTime::UNIX_EPOCH,
            level: LogLevel::Info,
            invocation_id: id,
            viewer_request_id: "",
            function: "f",
            version: 1,
            source: &FunctionSource::File("f.js".into()),
            message,
        });
    }

    #[test]
    fn lines_are_kept_within_bounds_and_followed() {
        // CP-534, CP-077
        let tap = LogTap::new(Arc::new(Nothing));
        let mut reader = tap.follow();
        say(&tap, "a", "one");
        say(&tap, "b", "two");
        say(&tap, "a", "three");
        let messages: Vec<_> = tap
            .of_invocation("a")
            .iter()
            .map(|l| l.message.clone())
            .collect();
        assert_eq!(messages, ["one", "three"]);
        assert_eq!(reader.try_recv().unwrap().message, "one");
        let long = "x".repeat(MOST_KEPT / 4);
        for _ in 0..8 {
            say(&tap, "c", &long);
        }
        assert!(tap.kept(|_| true).len() <= 4);
        assert!(tap.of_invocation("a").is_empty());
    }
}
