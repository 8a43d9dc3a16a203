//! The files of distributions' standard logs (CF-045, CF-700): gzip, one an hour for each distribution, called
//! `<distribution id>.YYYY-MM-DD-HH.<unique>.gz` by the hour in UTC, in the directory that the distribution names.
//!
//! A file is `<name>.part` while it is written, and gets its name when its hour is over, when the node stops, and at SIGUSR1:
//! whoever takes files away for a bucket finds only whole ones. What has been logged reaches the disk every ten seconds at
//! the latest, so that a part that a crash leaves behind holds all but the last of its lines (`gzip -dc` reads them).
//!
//! A disk that is full holds up nobody. What it has not taken is tried again, up to a megabyte for each file; beyond that
//! records are dropped and counted.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use fourfront_model::StandardLogging;
use prometheus::IntCounter;

use super::{
    access::{AccessRecord, Civil},
    log_file::Reopen,
    standard,
    writer::Sink,
};
use crate::clock::Clock;

/// Compressed bytes that are written at a time under load.
const BATCH: usize = 64 * 1024;

/// Compressed bytes that wait for a disk that takes none.
const MOST_WAITING: usize = 1 << 20;

/// How long a line may wait for its way to the disk.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// How long a failed write waits for the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Files of past hours that wait for the disk, of one distribution; older ones are given up.
const MOST_UNFINISHED: usize = 24;

/// Where files are made. The tests have one that fails.
pub(super) trait Disk: Send + 'static {
    type File: Write + Send + 'static;

    /// Makes a file that is not there, and the directories it lies in.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// Gives a file its name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(super) struct FileSystem;

impl Disk for FileSystem {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}

/// All files that are being written, by their distribution's id.
pub(super) struct HourlyFiles<D: Disk> {
    disk: D,
    clock: Arc<dyn Clock>,
    reopen: Reopen,
    dropped: IntCounter,
    open: HashMap<String, Hour<D::File>>,
    /// By when they were given up, oldest first.
    unfinished: BTreeMap<u64, (String, Hour<D::File>)>,
    given_up: u64,
    /// Whether a file has a batch to be written.
    has_batch: bool,
    head: Vec<u8>,
    line: Vec<u8>,
}

/// The file of one hour.
struct Hour<F> {
    directory: PathBuf,
    /// Hours since 1970.
    hour: u64,
    path: PathBuf,
    part: PathBuf,
    file: Option<F>,
    encoder: GzEncoder<Vec<u8>>,
    is_ended: bool,
    is_failing: bool,
    /// Lines since everything was on the disk.
    lines: u64,
    written_at: SystemTime,
}

impl<D: Disk> HourlyFiles<D> {
    pub(super) fn new(disk: D, clock: Arc<dyn Clock>, reopen: Reopen, dropped: IntCounter) -> Self {
        Self {
            disk,
            clock,
            reopen,
            dropped,
            open: HashMap::new(),
            unfinished: BTreeMap::new(),
            given_up: 0,
            has_batch: false,
            head: standard::head(),
            line: Vec::new(),
        }
    }

    /// The file that a record belongs to. One that comes late goes to the file at hand (CF-700: records are not
    /// necessarily in order).
    fn file_for(&mut self, id: &str, logging: &StandardLogging, hour: u64) -> &mut Hour<D::File> {
        let is_over =
            |open: &Hour<D::File>| open.hour < hour || open.directory != logging.directory;
        if self.open.get(id).is_some_and(is_over)
            && let Some(over) = self.open.remove(id)
        {
            self.finish(id, over);
        }
        let now = self.clock.now();
        let head = &self.head;
        self.open
            .entry(id.to_owned())
            .or_insert_with(|| Hour::new(id, logging, hour, now, head))
    }

    /// Ends a file, now or when the disk takes it.
    fn finish(&mut self, id: &str, mut over: Hour<D::File>) {
        if over.finish(&self.disk) {
            return;
        }
        self.given_up += 1;
        self.unfinished.insert(self.given_up, (id.to_owned(), over));
        let own = self.unfinished.iter().filter(|(_, (of, _))| of == id);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        if own.len() > MOST_UNFINISHED
            && let Some((_, oldest)) = own.first().and_then(|n| self.unfinished.remove(n))
        {
            self.dropped.inc_by(oldest.lines);
        }
    }

    fn finish_all(&mut self) {
        for (id, open) in std::mem::take(&mut self.open) {
            self.finish(&id, open);
        }
    }
}

impl<D: Disk> Sink<Arc<AccessRecord>> for HourlyFiles<D> {
    fn take(&mut self, record: &Arc<AccessRecord>) {
        let Some(distribution) = &record.distribution else {
            return;
        };
        let Some(logging) = &distribution.logging else {
            return;
        };
        let hour = hour_of(record.time);
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        standard::append(record, logging.include_cookies, &mut line);
        let file = self.file_for(&distribution.id, logging, hour);
        let is_full = file.is_failing && file.encoder.get_ref().len() >= MOST_WAITING;
        // Compressing into memory does not fail.
        let is_taken = !is_full && file.encoder.write_all(&line).is_ok();
        file.lines += u64::from(is_taken);
        let has_batch = !file.is_failing && file.encoder.get_ref().len() >= BATCH;
        if !is_taken {
            self.dropped.inc();
        }
        self.has_batch |= has_batch;
        self.line = line;
    }

    fn is_full(&self) -> bool {
        self.has_batch
    }

    fn write(&mut self) {
        self.has_batch = false;
        if self.reopen.is_asked() {
            self.finish_all();
        }
        let now = self.clock.now();
        let this_hour = hour_of(now);
        let over = self.open.iter().filter(|(_, open)| open.hour < this_hour);
        let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
        for id in over {
            if let Some(open) = self.open.remove(&id) {
                self.finish(&id, open);
            }
        }
        for open in self.open.values_mut() {
            open.write(&self.disk, now);
        }
        let disk = &self.disk;
        self.unfinished.retain(|_, (_, over)| !over.finish(disk));
    }

    fn wakes_after(&self) -> Option<Duration> {
        if !self.unfinished.is_empty() || self.open.values().any(|open| open.is_failing) {
            return Some(RETRY);
        }
        // Also the end of an hour is noticed by then.
        (!self.open.is_empty()).then_some(WRITTEN_WITHIN)
    }

    fn end(&mut self) {
        self.finish_all();
        let disk = &self.disk;
        self.unfinished.retain(|_, (_, over)| !over.finish(disk));
        for (_, (_, lost)) in std::mem::take(&mut self.unfinished) {
            self.dropped.inc_by(lost.lines);
        }
    }
}

impl<F: Write> Hour<F> {
    fn new(id: &str, logging: &StandardLogging, hour: u64, now: SystemTime, head: &[u8]) -> Self {
        let at = Civil::of(SystemTime::UNIX_EPOCH + Duration::from_secs(hour * 3_600));
        let name = format!(
            "{id}.{:04}-{:02}-{:02}-{:02}.{}.gz",
            at.year,
            at.month,
            at.day,
            at.hour,
            unique()
        );
        let path = logging.directory.join(&name);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        // Compressing into memory does not fail.
        let _ = encoder.write_all(head);
        Self {
            directory: logging.directory.clone(),
            hour,
            part: logging.directory.join(name + ".part"),
            path,
            file: None,
            encoder,
            is_ended: false,
            is_failing: false,
            lines: 0,
            written_at: now,
        }
    }

    /// Writes a full batch, or everything when it has waited long enough.
    fn write(&mut self, disk: &impl Disk<File = F>, now: SystemTime) {
        let waited = now.duration_since(self.written_at);
        // A clock that was put back is as good as one that has moved on.
        let is_due = !waited.is_ok_and(|waited| waited < WRITTEN_WITHIN);
        let is_dry = is_due && self.lines > 0;
        if is_dry && !self.is_failing {
            let _ = self.encoder.flush();
        }
        if !is_dry && !self.is_failing && self.encoder.get_ref().len() < BATCH {
            return;
        }
        self.written_at = now;
        let result = self.empty(disk);
        if result.is_ok() && is_dry {
            self.lines = 0;
        }
        self.note(result);
    }

    /// Ends the file and gives it its name. Whether that is done.
    fn finish(&mut self, disk: &impl Disk<File = F>) -> bool {
        if !self.is_ended {
            let _ = self.encoder.try_finish();
            self.is_ended = true;
        }
        let result = self.empty(disk).and_then(|()| {
            self.lines = 0;
            self.file = None;
            disk.rename(&self.part, &self.path)
        });
        // Somebody has taken it away: there is nothing left to be named.
        let is_gone = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
        let is_done = match &result {
            Ok(()) => true,
            Err(e) => is_gone(e) && self.encoder.get_ref().is_empty(),
        };
        self.note(result);
        is_done
    }

    /// Moves what is compressed into the file. What has got there is not written twice.
    fn empty(&mut self, disk: &impl Disk<File = F>) -> io::Result<()> {
        let waiting = self.encoder.get_mut();
        if waiting.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(disk.create(&self.part)?),
        };
        while !waiting.is_empty() {
            match file.write(waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    waiting.drain(..written);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        file.flush()
    }

    fn note(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => self.is_failing = false,
            Err(e) => {
                if !self.is_failing {
                    tracing::error!(
                        "standard log: {}: {e}; records are lost until it can be written again",
                        self.part.display()
                    );
                }
                self.is_failing = true;
            }
        }
    }
}

fn hour_of(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / 3_600)
}

/// What tells two files of an hour apart, also those of two nodes that share a bucket.
fn unique() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits = rand::random::<u64>();
    (0..11)
        .map(|at| char::from(LETTERS[usize::try_from(bits >> (at * 5) & 31).unwrap_or(0)]))
        .collect()
}

#[cfg(test)]
mod tests;
