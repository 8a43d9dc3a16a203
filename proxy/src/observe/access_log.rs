//! Where access records go: to the node's own log, and to the standard logs of distributions that have one (CF-045).
//!
//! Records are handed to threads of their own, so that a slow disk or terminal never holds up a request; what does not fit
//! is dropped and counted (LE-352 asks the same of function logs).

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use fourfront_control::AccessFormat;
use fourfront_model::StandardLogging;
use prometheus::IntCounter;

use super::{
    access::{AccessRecord, AccessSink, Wanted},
    hourly::{FileSystem, HourlyFiles},
    log_file::Reopen,
    standard,
    tap::LogTap,
    writer::{Writer, WriterSettings},
};
use crate::clock::Clock;

/// Bytes of records that wait to be written before new ones are dropped.
const QUEUE: usize = 32 << 20;

/// How long the end of the process waits for the last records to be written.
const LAST_RECORDS: Duration = Duration::from_secs(2);

/// All logs of requests.
#[derive(Debug)]
pub struct AccessLogs {
    /// The node's own.
    pub node: Option<AccessLog>,
    /// Those of distributions.
    pub standard: Option<StandardLogs>,
    /// Who reads along.
    pub tap: Option<Arc<LogTap>>,
}

impl AccessLogs {
    /// The tap, while somebody reads access records. What a request pays for it where nobody does is this.
    fn followed(&self) -> Option<&LogTap> {
        self.tap.as_deref().filter(|tap| tap.wants_access())
    }
}

impl AccessSink for AccessLogs {
    fn wants(&self, logging: Option<&StandardLogging>) -> Wanted {
        let standard = logging.filter(|_| self.standard.is_some());
        let own = self.node.as_ref().map_or(Wanted::Nothing, |log| log.wanted);
        // Readers are told all fields but cookies.
        let own = match (own, self.followed()) {
            (Wanted::Nothing | Wanted::Line, Some(_)) => Wanted::Fields { cookies: false },
            (own, _) => own,
        };
        match (standard, own) {
            (None, own) => own,
            (Some(logging), Wanted::Nothing | Wanted::Line) => Wanted::Fields {
                cookies: logging.include_cookies,
            },
            (Some(logging), Wanted::Fields { cookies }) => Wanted::Fields {
                cookies: cookies || logging.include_cookies,
            },
        }
    }

    fn record(&self, record: AccessRecord) {
        let cost = record.cost();
        // What is refused for the size of its head has no distribution yet, and so no line in its log (CF-702).
        let is_logged = record.distribution.as_ref();
        let is_logged = is_logged.is_some_and(|d| d.logging.is_some());
        let record = Arc::new(record);
        if let Some(tap) = self.followed() {
            tap.access(record.clone());
        }
        if let Some(standard) = self.standard.as_ref().filter(|_| is_logged) {
            standard.writer.push(record.clone(), cost);
        }
        if let Some(node) = &self.node {
            node.writer.push(record, cost);
        }
    }

    fn reopen(&self) {
        if let Some(standard) = &self.standard {
            standard.reopen.ask();
            standard.writer.wake();
        }
        if let Some(node) = &self.node {
            node.reopen.ask();
            node.writer.wake();
        }
    }

    fn finish(&self) {
        let node = self.node.as_ref().map(|log| &log.writer);
        let standard = self.standard.as_ref().map(|log| &log.writer);
        for writer in [node, standard].into_iter().flatten() {
            if !writer.finish(LAST_RECORDS) {
                tracing::warn!("access log: its output has stopped; the last records are lost");
            }
        }
    }
}

/// The log of a node's requests. Writes on a thread of its own.
#[derive(Debug)]
pub struct AccessLog {
    writer: Writer<Arc<AccessRecord>>,
    wanted: Wanted,
    reopen: Reopen,
}

impl AccessLog {
    /// Starts the writer thread. `reopen` is what `out` heeds; `dropped` counts records that were not written.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        format: AccessFormat,
        include_cookies: bool,
        out: impl Write + Send + 'static,
        reopen: Reopen,
        dropped: IntCounter,
    ) -> io::Result<Self> {
        let settings = WriterSettings {
            name: "access-log",
            capacity: QUEUE,
            dropped,
        };
        let append = move |record: &Arc<AccessRecord>, line: &mut Vec<u8>| {
            let text = match format {
                AccessFormat::W3c => return standard::append(record, include_cookies, line),
                AccessFormat::Text => record.to_text(),
                AccessFormat::Json => record.to_json_with(include_cookies).to_string(),
            };
            line.extend_from_slice(text.as_bytes());
            line.push(b'\n');
        };
        let report = |e: &io::Error| {
            tracing::error!("access log: {e}; records are lost until it can be written again");
        };
        Ok(Self {
            writer: Writer::start(settings, out, append, report)?,
            wanted: match format {
                AccessFormat::Text => Wanted::Line,
                AccessFormat::Json | AccessFormat::W3c => Wanted::Fields {
                    cookies: include_cookies,
                },
            },
            reopen,
        })
    }

    /// What its output begins with.
    pub fn head(format: AccessFormat) -> Vec<u8> {
        match format {
            AccessFormat::W3c => standard::head(),
            AccessFormat::Text | AccessFormat::Json => Vec::new(),
        }
    }
}

/// The standard logs of distributions.
#[derive(Debug)]
pub struct StandardLogs {
    writer: Writer<Arc<AccessRecord>>,
    reopen: Reopen,
}

impl StandardLogs {
    /// Starts the thread that writes them. Hours are `clock`'s; `dropped` counts records that were not written.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(clock: Arc<dyn Clock>, dropped: IntCounter) -> io::Result<Self> {
        let reopen = Reopen::default();
        let settings = WriterSettings {
            name: "standard-logs",
            capacity: QUEUE,
            dropped: dropped.clone(),
        };
        let files = HourlyFiles::new(FileSystem, clock, reopen.clone(), dropped);
        Ok(Self {
            writer: Writer::start_with(settings, files)?,
            reopen,
        })
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::observe::access::tests::{distribution, record};

    /// An output that fails until it is repaired.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, bool)>>);

    impl Write for Disk {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let (text, full) = &mut *self.0.lock();
            if *full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            text.extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(format: AccessFormat, disk: &Disk) -> (AccessLogs, IntCounter) {
        let dropped = IntCounter::new("dropped", "Records").unwrap();
        let reopen = Reopen::default();
        let log = AccessLog::start(format, false, disk.clone(), reopen, dropped.clone());
        let logs = AccessLogs {
            node: Some(log.unwrap()),
            standard: None,
            tap: None,
        };
        (logs, dropped)
    }

    #[test]
    fn records_are_written_in_order_and_past_a_full_disk() {
        // CF-706
        let disk = Disk::default();
        let (logs, dropped) = log(AccessFormat::Json, &disk);
        disk.0.lock().1 = true;
        logs.record(record());
        let writer = &logs.node.as_ref().unwrap().writer;
        assert!(writer.flush(Duration::from_secs(60)));
        disk.0.lock().1 = false;
        logs.record(AccessRecord {
            status: 404,
            ..record()
        });
        logs.finish();
        let text = String::from_utf8(disk.0.lock().0.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("\"sc-status\":503") && lines[1].contains("\"sc-status\":404"));
        assert_eq!((lines.len(), dropped.get()), (2, 0));
    }

    #[test]
    fn a_record_costs_what_it_holds() {
        let long = AccessRecord {
            uri: "x".repeat(8_000),
            ..record()
        };
        assert!(long.cost() > record().cost() + 7_000);
    }

    #[test]
    fn as_much_is_asked_of_a_request_as_its_logs_need() {
        // CF-045, CF-706
        let disk = Disk::default();
        let plain = StandardLogging {
            directory: "/logs".into(),
            include_cookies: false,
        };
        let with_cookies = StandardLogging {
            include_cookies: true,
            ..plain.clone()
        };
        let fields = |cookies| Wanted::Fields { cookies };
        let (mut logs, _) = log(AccessFormat::Text, &disk);
        assert_eq!(logs.wants(Some(&with_cookies)), Wanted::Line);
        let clock = Arc::new(crate::clock::ManualClock::at_millis(0));
        let dropped = IntCounter::new("dropped", "Records").unwrap();
        logs.standard = Some(StandardLogs::start(clock, dropped).unwrap());
        assert_eq!(logs.wants(None), Wanted::Line);
        assert_eq!(logs.wants(Some(&plain)), fields(false));
        assert_eq!(logs.wants(Some(&with_cookies)), fields(true));
        logs.node = log(AccessFormat::W3c, &disk).0.node;
        assert_eq!(logs.wants(None), fields(false));
        logs.node = None;
        assert_eq!(logs.wants(None), Wanted::Nothing);
    }

    #[test]
    fn records_are_made_for_readers_and_for_no_longer() {
        // CP-534: without a reader of access records a request is asked for nothing more than its logs need.
        let disk = Disk::default();
        let (mut logs, _) = log(AccessFormat::Text, &disk);
        let node = logs.node.take();
        let tap = crate::observe::tap::tests::tap();
        logs.tap = Some(Arc::clone(&tap));
        let _lines = tap.read(true, false, None).unwrap();
        assert_eq!(logs.wants(None), Wanted::Nothing);
        logs.record(record());
        let mut reader = tap.read(false, true, None).unwrap();
        assert_eq!(logs.wants(None), Wanted::Fields { cookies: false });
        logs.record(record());
        assert_eq!(reader.take(9, usize::MAX).entries.len(), 1);
        drop(reader);
        assert_eq!(logs.wants(None), Wanted::Nothing);
        // The node's own log goes on as it does, and keeps the cookies that it is to have.
        logs.node = node;
        let reader = tap.read(false, true, None).unwrap();
        logs.record(record());
        drop(reader);
        assert_eq!(logs.wants(None), Wanted::Line);
        logs.finish();
        assert_eq!(disk.0.lock().0.iter().filter(|b| **b == b'\n').count(), 1);
        logs.node = log(AccessFormat::Json, &disk).0.node;
        logs.node.as_mut().unwrap().wanted = Wanted::Fields { cookies: true };
        let _reader = tap.read(false, true, None).unwrap();
        assert_eq!(logs.wants(None), Wanted::Fields { cookies: true });
    }

    #[test]
    fn a_distribution_with_a_log_has_its_records_there_too() {
        // CF-045
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        let (mut logs, dropped) = log(AccessFormat::W3c, &disk);
        let clock = Arc::new(crate::clock::ManualClock::at_millis(0));
        logs.standard = Some(StandardLogs::start(clock, dropped).unwrap());
        let mut logged = distribution();
        logged.logging = Some(StandardLogging {
            directory: dir.path().join("logs"),
            include_cookies: false,
        });
        logs.record(AccessRecord {
            distribution: Some(Arc::new(logged)),
            ..record()
        });
        logs.record(record());
        logs.finish();
        let lines = disk.0.lock().0.iter().filter(|b| **b == b'\n').count();
        assert_eq!(lines, 2);
        let files = std::fs::read_dir(dir.path().join("logs")).unwrap();
        assert_eq!(files.count(), 1);
    }
}
