//! What functions and requests leave in the node's logs, for who reads along (CP-534): the logs go on as they do, and the
//! last lines are kept for a while.
//!
//! A reader never slows a function or a request down. Entries go into two rings of bounded size, one for each kind, and each
//! reader has a place in both; one that is overtaken is told how many it missed. So memory does not grow with the readers,
//! however slow. Lines of functions are always kept, for the control plane tells them later too. Access records are kept
//! only while somebody reads them: else all that a request pays is one relaxed load of a counter that does not change.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use fourfront_hooks::log::{LogLevel, LogRecord, LogSink};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, futures::Notified};

use super::access::AccessRecord;

/// Bytes of each kind that are kept.
const MOST_KEPT: usize = 8 << 20;
/// What a kept line weighs beside its text.
const LINE_WEIGHT: usize = 160;
/// Readers at the same time.
pub const MOST_READERS: usize = 64;

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

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A line of a function.
    Function(Arc<FunctionLine>),
    /// The record of a request that has ended.
    Access(Arc<AccessRecord>),
}

/// A log sink that others read along with.
pub struct LogTap {
    inner: Arc<dyn LogSink>,
    kept: Mutex<Kept>,
    /// Those of access records. INVARIANT: changed under the lock of `kept`.
    access_readers: AtomicUsize,
    news: Notify,
    /// A reader has left. With the lock of `kept`.
    left: Condvar,
    ended: AtomicBool,
}

#[derive(Default)]
struct Kept {
    lines: Ring<FunctionLine>,
    requests: Ring<AccessRecord>,
    next: u64,
    readers: usize,
}

/// The last entries of a kind.
struct Ring<T> {
    entries: VecDeque<Place<T>>,
    bytes: usize,
    /// How many were before the first of them.
    gone: u64,
}

struct Place<T> {
    number: u64,
    weight: usize,
    entry: Arc<T>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            gone: 0,
        }
    }
}

impl<T> Ring<T> {
    fn push(&mut self, number: u64, weight: usize, entry: Arc<T>) {
        self.bytes += weight;
        self.entries.push_back(Place {
            number,
            weight,
            entry,
        });
        while self.bytes > MOST_KEPT && self.remove_first() {}
    }

    fn remove_first(&mut self) -> bool {
        let Some(first) = self.entries.pop_front() else {
            return false;
        };
        self.bytes -= first.weight;
        self.gone += 1;
        true
    }

    /// The position after the last entry.
    fn end(&self) -> u64 {
        self.gone + self.entries.len() as u64
    }

    /// What is at a position.
    fn at(&self, position: u64) -> Option<&Place<T>> {
        let index = position.checked_sub(self.gone)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Moves a reader to the first entry that is still there. How many it missed.
    fn catch_up(&self, position: &mut u64) -> u64 {
        let missed = self.gone.saturating_sub(*position);
        *position += missed;
        missed
    }
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
            access_readers: AtomicUsize::new(0),
            news: Notify::new(),
            left: Condvar::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// The kept lines that fit, oldest first.
    pub fn kept(&self, fits: impl Fn(&FunctionLine) -> bool) -> Vec<Arc<FunctionLine>> {
        let kept = self.kept.lock();
        let lines = kept.lines.entries.iter().map(|place| &place.entry);
        lines.filter(|line| fits(line)).cloned().collect()
    }

    /// What one invocation logged, a line each.
    pub fn of_invocation(&self, id: &str) -> Vec<Arc<FunctionLine>> {
        self.kept(|line| line.invocation_id == id)
    }

    /// Whether somebody reads access records: what [`Self::access`] is called for.
    pub fn wants_access(&self) -> bool {
        self.access_readers.load(Ordering::Relaxed) > 0
    }

    /// Tells readers of a request that has ended.
    pub fn access(&self, record: Arc<AccessRecord>) {
        {
            let mut kept = self.kept.lock();
            // The last reader may have left since it was asked.
            if !self.wants_access() {
                return;
            }
            let number = kept.number();
            kept.requests.push(number, record.cost(), record);
        }
        self.news.notify_waiters();
    }

    /// A reader of lines that functions logged since some time, as far as they are kept, or from now on; and of access records
    /// from now on, if it wants them. `None` when there are [`MOST_READERS`] already.
    pub fn read(
        self: &Arc<Self>,
        hook: bool,
        access: bool,
        since: Option<SystemTime>,
    ) -> Option<Reader> {
        let mut kept = self.kept.lock();
        if kept.readers >= MOST_READERS {
            return None;
        }
        kept.readers += 1;
        if access {
            self.access_readers.fetch_add(1, Ordering::Relaxed);
        }
        let lines_at = match since {
            None => kept.lines.end(),
            Some(since) => {
                let earlier = |place: &&Place<FunctionLine>| place.entry.time < since;
                kept.lines.gone + kept.lines.entries.iter().take_while(earlier).count() as u64
            }
        };
        Some(Reader {
            hook,
            access,
            lines_at,
            requests_at: kept.requests.end(),
            tap: Arc::clone(self),
        })
    }

    /// The number of what comes next.
    pub fn next_number(&self) -> u64 {
        self.kept.lock().next
    }

    /// Ends when there is more than when it was enabled, which is to be done before [`Reader::take`], or when the node is about
    /// to end.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Whether the node is about to end.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Sends readers away: the node is about to end.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.news.notify_waiters();
    }

    /// Waits until all readers have left, or so long.
    pub fn wait_for_readers(&self, within: Duration) {
        let mut kept = self.kept.lock();
        self.left
            .wait_while_for(&mut kept, |kept| kept.readers > 0, within);
    }
}

impl Kept {
    const fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

impl LogSink for LogTap {
    fn record(&self, record: &LogRecord<'_>) {
        self.inner.record(record);
        {
            let mut kept = self.kept.lock();
            let line = FunctionLine {
                number: kept.number(),
                time: record.time,
                level: record.level,
                function: record.function.to_owned(),
                version: record.version,
                invocation_id: record.invocation_id.to_owned(),
                request_id: record.viewer_request_id.to_owned(),
                message: record.message.to_owned(),
            };
            let (number, weight) = (line.number, weight(&line));
            kept.lines.push(number, weight, Arc::new(line));
        }
        // Nobody reading is no fault.
        self.news.notify_waiters();
    }
}

fn weight(line: &FunctionLine) -> usize {
    LINE_WEIGHT
        + line.message.len()
        + line.function.len()
        + line.invocation_id.len()
        + line.request_id.len()
}

/// Who reads along. Its place is free again when it is dropped.
#[derive(Debug)]
pub struct Reader {
    tap: Arc<LogTap>,
    hook: bool,
    access: bool,
    lines_at: u64,
    requests_at: u64,
}

/// What a reader takes at a time.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order in which they came.
    pub entries: Vec<Entry>,
    /// How many before them it was too slow for.
    pub missed: u64,
}

impl Reader {
    /// The entries that come next, at most `most` of them and not many more bytes than `most_bytes`.
    pub fn take(&mut self, most: usize, most_bytes: usize) -> Batch {
        let kept = self.tap.kept.lock();
        let mut batch = Batch::default();
        // Who does not read a kind stays where it is, and misses nothing.
        if self.hook {
            batch.missed += kept.lines.catch_up(&mut self.lines_at);
        }
        if self.access {
            batch.missed += kept.requests.catch_up(&mut self.requests_at);
        }
        let mut bytes = 0;
        while batch.entries.len() < most && bytes < most_bytes {
            let line = kept.lines.at(self.lines_at).filter(|_| self.hook);
            let request = kept.requests.at(self.requests_at).filter(|_| self.access);
            let line_is_first = match (line, request) {
                (Some(line), Some(request)) => line.number < request.number,
                (line, _) => line.is_some(),
            };
            match (line, request) {
                (Some(line), _) if line_is_first => {
                    bytes += line.weight;
                    self.lines_at += 1;
                    let entry = Entry::Function(Arc::clone(&line.entry));
                    batch.entries.push(entry);
                }
                (_, Some(request)) => {
                    bytes += request.weight;
                    self.requests_at += 1;
                    let entry = Entry::Access(Arc::clone(&request.entry));
                    batch.entries.push(entry);
                }
                _ => break,
            }
        }
        batch
    }

    /// What it reads.
    pub const fn tap(&self) -> &Arc<LogTap> {
        &self.tap
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.tap.kept.lock();
        kept.readers -= 1;
        if self.access && self.tap.access_readers.fetch_sub(1, Ordering::Relaxed) == 1 {
            while kept.requests.remove_first() {}
            kept.requests.entries.shrink_to_fit();
        }
        drop(kept);
        self.tap.left.notify_all();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use fourfront_model::FunctionSource;

    use super::*;
    use crate::observe::access::tests::record;

    struct Nothing;

    impl LogSink for Nothing {
        fn record(&self, _: &LogRecord<'_>) {}
    }

    /// A tap in front of nothing.
    pub(in crate::observe) fn tap() -> Arc<LogTap> {
        Arc::new(LogTap::new(Arc::new(Nothing)))
    }

    /// Has the function `f` log at a second.
    pub(in crate::observe) fn say(tap: &LogTap, id: &str, seconds: u64, message: &str) {
        tap.record(&LogRecord {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            level: LogLevel::Info,
            invocation_id: id,
            viewer_request_id: "",
            function: "f",
            version: 1,
            source: &FunctionSource::File("f.js".into()),
            message,
        });
    }

    fn told(batch: &Batch) -> Vec<String> {
        let told = |entry: &Entry| match entry {
            Entry::Function(line) => line.message.clone(),
            Entry::Access(record) => record.status.to_string(),
        };
        batch.entries.iter().map(told).collect()
    }

    fn all(reader: &mut Reader) -> Batch {
        reader.take(usize::MAX, usize::MAX)
    }

    fn request(status: u16) -> Arc<AccessRecord> {
        Arc::new(AccessRecord { status, ..record() })
    }

    #[test]
    fn lines_are_kept_within_bounds() {
        // CP-534, CP-077
        let tap = tap();
        say(&tap, "a", 0, "one");
        say(&tap, "b", 0, "two");
        say(&tap, "a", 0, "three");
        let lines = tap.of_invocation("a");
        let messages: Vec<_> = lines.iter().map(|l| l.message.as_str()).collect();
        assert_eq!(messages, ["one", "three"]);
        let long = "x".repeat(MOST_KEPT / 4);
        for _ in 0..8 {
            say(&tap, "c", 0, &long);
        }
        assert!(tap.kept(|_| true).len() <= 4);
        assert!(tap.of_invocation("a").is_empty());
        assert!(tap.kept.lock().lines.bytes <= MOST_KEPT);
    }

    #[test]
    fn readers_get_both_kinds_in_their_order_each_at_its_own_pace() {
        // CP-534, CP-608
        let tap = tap();
        say(&tap, "a", 10, "early");
        let mut both = tap.read(true, true, None).unwrap();
        let mut lines = tap.read(true, false, Some(SystemTime::UNIX_EPOCH)).unwrap();
        let mut requests = tap.read(false, true, None).unwrap();
        say(&tap, "a", 11, "one");
        tap.access(request(200));
        say(&tap, "a", 12, "two");
        tap.access(request(404));
        assert_eq!(told(&both.take(3, usize::MAX)), ["one", "200", "two"]);
        assert_eq!(told(&all(&mut both)), ["404"]);
        assert_eq!(told(&all(&mut both)), [""; 0]);
        assert_eq!(told(&all(&mut lines)), ["early", "one", "two"]);
        // A batch is as long as its bytes, and never empty for them.
        assert_eq!(told(&requests.take(9, 1)), ["200"]);
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(11);
        let mut later = tap.read(true, false, Some(after)).unwrap();
        assert_eq!(told(&all(&mut later)), ["one", "two"]);
    }

    #[test]
    fn who_is_too_slow_is_told_how_much_it_missed() {
        // CP-534
        let tap = tap();
        let mut slow = tap.read(true, true, None).unwrap();
        let mut other = tap.read(false, true, None).unwrap();
        let long = "x".repeat(MOST_KEPT / 4);
        for _ in 0..10 {
            say(&tap, "a", 0, &long);
        }
        tap.access(request(200));
        let batch = all(&mut slow);
        assert_eq!((batch.missed, batch.entries.len()), (7, 4));
        assert_eq!(all(&mut slow).missed, 0);
        // What it does not read it does not miss.
        assert_eq!(all(&mut other).missed, 0);
        for _ in 0..MOST_KEPT / 1_024 + 1 {
            tap.access(request(200));
        }
        assert!(all(&mut slow).missed > 0);
        assert!(tap.kept.lock().requests.bytes <= MOST_KEPT);
    }

    #[test]
    fn records_are_kept_only_while_somebody_reads_them() {
        // CP-534
        let tap = tap();
        tap.access(request(200));
        let lines = tap.read(true, false, None).unwrap();
        assert!(!tap.wants_access());
        let first = tap.read(true, true, None).unwrap();
        let mut second = tap.read(true, true, None).unwrap();
        assert_eq!(told(&all(&mut second)), [""; 0]);
        tap.access(request(404));
        drop(first);
        assert!(tap.wants_access());
        assert_eq!(told(&all(&mut second)), ["404"]);
        drop(second);
        assert!(!tap.wants_access());
        assert_eq!(tap.kept.lock().requests.entries.len(), 0);
        drop(lines);
    }

    #[test]
    fn places_are_few_and_free_again() {
        // CP-534
        let tap = tap();
        let mut readers: Vec<_> = (0..MOST_READERS)
            .map(|_| tap.read(true, true, None).unwrap())
            .collect();
        assert!(tap.read(true, true, None).is_none());
        readers.pop();
        assert!(tap.read(true, true, None).is_some());
        // Who ends waits for readers, and no longer than for the last of them.
        let leaving = std::thread::spawn(move || drop(readers));
        tap.wait_for_readers(Duration::from_secs(60));
        assert_eq!(tap.kept.lock().readers, 0);
        leaving.join().unwrap();
    }
}
