//! The file that invalidations outlive a restart in.
//!
//! One line for each record: a checksum of 16 hexadecimal digits, a space, JSON. The first line names the format and
//! the journal's *epoch*, a random number that objects on disk carry, too. A record is appended and
//! flushed to the disk before its invalidation takes effect. What a crash leaves at the end, a line that is
//! not whole, is cut off: it was never acknowledged.
//!
//! A damaged line with good ones behind it is another matter, and so is one that is whole and says what this program does
//! not say: an invalidation may be lost, and nothing says of what.
//! Then, as when there is no journal, a new epoch begins, and with it nothing that a disk tier holds from before is
//! believed.
//!
//! When the file is four times as long as it was after it was last written anew (and not short), it is written anew: the tables as they are, and the history. The new file takes the old one's place by its name, so a crash
//! leaves one or the other.
//!
//! JSON lines and not a database: the file is read once, at start, and what an operator finds in it can be read.

use std::{
    fs::{File, OpenOptions, TryLockError},
    hash::Hasher as _,
    io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::{
    Batch, Generation, Invalidation, InvalidationId, Item, millis,
    table::{Entry, Layer, Table},
    target::{Tag, TagHash, TagLimits, Target},
};

/// The journal's name in its directory.
pub(super) const FILE: &str = "invalidations.journal";
const NEW_FILE: &str = "invalidations.journal.new";
const LOCK_FILE: &str = "invalidations.lock";

/// The format that is written and read.
const VERSION: u32 = 1;
/// Bytes of records that are owed at most; when there are more, the file is written anew instead.
const MOST_OWED: usize = 1 << 20;
/// Generations and times only grow, and never come here: at a million a second it would take 146,000 years.
const MOST: u64 = 1 << 62;
/// Names in one line.
const NAMES_PER_LINE: usize = 1_000;

/// Why a journal cannot be used or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The system refused.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        cause: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} has format {version}; this program reads {VERSION}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// The system gives no random bytes.
    #[error("no random bytes for the journal's epoch: {0}")]
    Random(String),
}

/// What was found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// No journal: a new epoch.
    Nothing,
    /// All of it.
    Whole,
    /// All but an end that had not been acknowledged.
    Torn,
    /// It was damaged: what could be read is listed, and a new epoch has begun.
    Damaged,
}

/// A new epoch.
pub(super) fn random_epoch() -> Result<u64, JournalError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| JournalError::Random(e.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}

/// One record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// Always the first.
    Begin {
        /// [`VERSION`].
        version: u32,
        epoch: u64,
    },
    /// A process began, and gives out generations after this one.
    Passed { generation: u64 },
    /// An invalidation.
    Batch(KeptBatch),
    /// One that [`Self::Names`] and [`Self::Zone`] speak of already: it is only remembered.
    Past(KeptBatch),
    /// Part of a table.
    Names(Names),
    /// The rest of it.
    Zone(KeptZone),
}

impl Line {
    pub(super) fn batch(invalidation: &Invalidation) -> Self {
        Self::Batch(KeptBatch::of(invalidation))
    }

    pub(super) fn past(invalidation: &Invalidation) -> Self {
        Self::Past(KeptBatch::of(invalidation))
    }

    /// Whether this program may have written it. What it did not write says something that cannot be made out, as damage
    /// does.
    fn is_possible(&self) -> bool {
        match self {
            Self::Begin { .. } | Self::Names(_) => true,
            Self::Passed { generation } => *generation <= MOST,
            Self::Batch(batch) | Self::Past(batch) => batch.is_possible(),
            Self::Zone(zone) => zone.current <= MOST,
        }
    }

    pub(super) fn zone(distribution: &str, now: Generation, all: &Entry) -> Self {
        Self::Zone(KeptZone {
            distribution: distribution.to_owned(),
            current: now.0,
            all: (all.hard, all.soft, all.soft_at),
        })
    }
}

/// See [`Invalidation`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptBatch {
    generation: u64,
    distribution: String,
    /// As [`Item`] is shown, in the form in which items are compared.
    items: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag_header: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    soft: bool,
    caller_reference: String,
    /// Milliseconds since 1970.
    created: u64,
}

impl KeptBatch {
    fn of(invalidation: &Invalidation) -> Self {
        let batch = &invalidation.batch;
        Self {
            generation: invalidation.generation.0,
            distribution: batch.distribution.clone(),
            items: batch.items.iter().map(ToString::to_string).collect(),
            tag_header: batch.tag_header.clone(),
            soft: batch.soft,
            caller_reference: batch.caller_reference.clone(),
            created: millis(batch.created),
        }
    }

    fn is_possible(&self) -> bool {
        let mut tags = self.items.iter().filter_map(|item| item.strip_prefix('#'));
        let is_tag = |tag: &str| Tag::parse_within(tag, &TagLimits::KEPT).is_ok();
        self.generation <= MOST && self.created <= MOST && tags.all(is_tag)
    }

    /// `None` for what this program would not have written.
    pub(super) fn into_invalidation(self, epoch: u64) -> Option<Invalidation> {
        let item = |text: &String| match text.as_str() {
            "/*" => Some(Item::All),
            text => match text.strip_prefix('#') {
                Some(tag) => Tag::parse_within(tag, &TagLimits::KEPT).ok().map(Item::Tag),
                None => Some(match text.strip_suffix('*') {
                    Some(start) => Item::Prefix(Target::from_kept(start)),
                    None => Item::Path(Target::from_kept(text)),
                }),
            },
        };
        let generation = Generation(self.generation);
        Some(Invalidation {
            id: InvalidationId::new(epoch, generation),
            generation,
            batch: Batch {
                items: self.items.iter().map(item).collect::<Option<_>>()?,
                distribution: self.distribution,
                tag_header: self.tag_header,
                soft: self.soft,
                caller_reference: self.caller_reference,
                created: UNIX_EPOCH.checked_add(Duration::from_millis(self.created))?,
            },
        })
    }
}

type Numbers = (u64, u64, u64);

fn numbers(entry: &Entry) -> Numbers {
    (entry.hard, entry.soft, entry.soft_at)
}

fn entry((hard, soft, soft_at): Numbers) -> Entry {
    Entry {
        hard,
        soft,
        soft_at,
    }
}

/// Names of one layer of a table.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) distribution: String,
    old: bool,
    newest: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paths: Vec<(u64, Numbers)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<(u64, Numbers)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prefixes: Vec<(String, Numbers)>,
}

impl Names {
    /// Writes a table, some names a line.
    pub(super) fn of(
        distribution: &str,
        table: &Table,
        write: &mut dyn FnMut(&Line) -> io::Result<()>,
    ) -> io::Result<()> {
        for (old, layer) in [(true, &table.old), (false, &table.young)] {
            let of_layer = || Self {
                distribution: distribution.to_owned(),
                old,
                newest: layer.newest,
                ..Self::default()
            };
            let mut line = of_layer();
            let mut flush = |line: &mut Self, most: usize| {
                let names = line.paths.len() + line.tags.len() + line.prefixes.len();
                if names <= most {
                    return Ok(());
                }
                write(&Line::Names(std::mem::replace(line, of_layer())))
            };
            for (path, entry) in &layer.paths {
                line.paths.push((*path, numbers(entry)));
                flush(&mut line, NAMES_PER_LINE)?;
            }
            for (tag, entry) in &layer.tags {
                line.tags.push((tag.0, numbers(entry)));
                flush(&mut line, NAMES_PER_LINE)?;
            }
            for (start, entry) in &layer.prefixes {
                let start = start.as_str().to_owned();
                line.prefixes.push((start, numbers(entry)));
                flush(&mut line, NAMES_PER_LINE)?;
            }
            flush(&mut line, 0)?;
        }
        Ok(())
    }

    pub(super) fn restore(self, table: &mut Table) {
        let layer: &mut Layer = match self.old {
            true => &mut table.old,
            false => &mut table.young,
        };
        layer.newest = layer.newest.max(self.newest);
        let paths = self.paths.into_iter();
        layer.paths.extend(paths.map(|(path, n)| (path, entry(n))));
        let tags = self.tags.into_iter();
        layer
            .tags
            .extend(tags.map(|(tag, n)| (TagHash(tag), entry(n))));
        let prefixes = self.prefixes.into_iter();
        let prefixes = prefixes.map(|(start, n)| (Target::from_kept(&start), entry(n)));
        layer.prefixes.extend(prefixes);
    }
}

/// What a table holds beside names. Written last, so that a distribution's generation stands for all of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptZone {
    pub(super) distribution: String,
    pub(super) current: u64,
    all: Numbers,
}

impl KeptZone {
    pub(super) fn all(&self) -> Entry {
        entry(self.all)
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    file: File,
    epoch: u64,
    /// Where the next record goes; what is behind it is what a failed write left.
    length: u64,
    /// How long it was when it was last written anew.
    compact_length: u64,
    /// It is not written anew while it is shorter than this.
    small: u64,
    /// Records that could not be written, to be tried again with the next.
    owed: Vec<u8>,
    /// Whether more was owed than is kept: only writing it anew makes it whole.
    behind: bool,
    /// Held as long as the process lives.
    _lock: File,
}

impl Journal {
    /// Opens or begins the journal in a directory, which is made if need be.
    /// It is not written anew while it is shorter than `small` bytes.
    pub(super) fn open(
        directory: &Path,
        small: u64,
    ) -> Result<(Self, Vec<Line>, Kept), JournalError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |cause| JournalError::Io { path, cause }
        };
        std::fs::create_dir_all(directory).map_err(at(directory))?;
        let lock = lock(directory)?;
        let path = directory.join(FILE);
        let (lines, length, found) = match File::open(&path) {
            Ok(file) => read(&file).map_err(at(&path))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => (Vec::new(), 0, Kept::Nothing),
            Err(e) => return Err(at(&path)(e)),
        };
        let begun = match lines.first() {
            Some(Line::Begin { version, epoch }) if *version == VERSION => Some(*epoch),
            Some(Line::Begin { version, .. }) => {
                return Err(JournalError::Version {
                    path,
                    version: *version,
                });
            }
            _ => None,
        };
        let (epoch, kept) = match (begun, found) {
            (Some(epoch), Kept::Whole | Kept::Torn) => (epoch, found),
            (_, Kept::Nothing) => (random_epoch()?, Kept::Nothing),
            _ => (random_epoch()?, Kept::Damaged),
        };
        let mut journal = Self {
            directory: directory.to_owned(),
            // Opened again below, or written anew.
            file: OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(at(&path))?,
            epoch,
            length,
            compact_length: length,
            small,
            owed: Vec::new(),
            behind: false,
            _lock: lock,
        };
        if kept == Kept::Torn {
            journal.file.set_len(length).map_err(at(&path))?;
        }
        if matches!(kept, Kept::Nothing | Kept::Damaged) {
            let past = |line: &Line| match line {
                Line::Batch(_) | Line::Past(_) => true,
                Line::Begin { .. } | Line::Passed { .. } | Line::Names(_) | Line::Zone(_) => false,
            };
            let history: Vec<Line> = lines.into_iter().filter(past).map(into_past).collect();
            journal
                .write_anew(&mut |write| history.iter().try_for_each(&mut *write))
                .map_err(at(&path))?;
            return Ok((journal, history, kept));
        }
        Ok((journal, lines, kept))
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes a record, and those that are owed, and waits until the disk has them.
    pub(super) fn append(&mut self, line: &Line) -> Result<(), JournalError> {
        let written = encode(line).and_then(|record| {
            self.owed.extend_from_slice(&record);
            if self.behind || self.owed.len() > MOST_OWED + record.len() {
                self.behind = true;
                self.owed.clear();
                return Err(io::Error::other("earlier records could not be written"));
            }
            self.file.seek(SeekFrom::Start(self.length))?;
            self.file.write_all(&self.owed)?;
            self.file.sync_data()
        });
        match written {
            Ok(()) => {
                self.length += self.owed.len() as u64;
                self.owed.clear();
                Ok(())
            }
            Err(cause) => {
                // Half a record would end the journal there for whoever reads it.
                let _ = self.file.set_len(self.length);
                Err(JournalError::Io {
                    path: self.directory.join(FILE),
                    cause,
                })
            }
        }
    }

    pub(super) const fn wants_compaction(&self) -> bool {
        self.behind
            || self.length > self.small && self.length > self.compact_length.saturating_mul(4)
    }

    /// Whether everything that was to be written has been.
    pub(super) const fn owes_nothing(&self) -> bool {
        self.owed.is_empty() && !self.behind
    }

    /// Writes the journal anew, with what `records` writes. When that fails, it stays as it was.
    pub(super) fn rewrite(&mut self, records: &mut Records<'_>) {
        if self.write_anew(records).is_err() {
            // Not at once again.
            self.compact_length = self.length;
        }
    }

    fn write_anew(&mut self, records: &mut Records<'_>) -> io::Result<()> {
        let path = self.directory.join(NEW_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path)?;
        let mut writer = BufWriter::with_capacity(1 << 18, &file);
        let mut length = 0;
        let mut write = |line: &Line| {
            let record = encode(line)?;
            length += record.len() as u64;
            writer.write_all(&record)
        };
        write(&Line::Begin {
            version: VERSION,
            epoch: self.epoch,
        })?;
        records(&mut write)?;
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        std::fs::rename(&path, self.directory.join(FILE))?;
        File::open(&self.directory)?.sync_all()?;
        self.file = file;
        self.length = length;
        self.compact_length = length;
        // They are in the tables that were written.
        self.owed.clear();
        self.behind = false;
        Ok(())
    }

    /// Writes go to another file from here on.
    #[cfg(test)]
    pub(super) fn swap_file(&mut self, other: File) -> File {
        std::mem::replace(&mut self.file, other)
    }
}

/// Hands over records to a writer, one by one.
type Records<'a> = dyn FnMut(&mut dyn FnMut(&Line) -> io::Result<()>) -> io::Result<()> + 'a;

fn into_past(line: Line) -> Line {
    match line {
        Line::Batch(batch) => Line::Past(batch),
        line => line,
    }
}

/// Two processes that append to one journal would each lose what the other wrote.
fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join(LOCK_FILE);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = match opened {
        Ok(file) => file,
        Err(cause) => return Err(JournalError::Io { path, cause }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: directory.to_owned(),
        }),
        Err(TryLockError::Error(cause)) => Err(JournalError::Io { path, cause }),
    }
}

fn encode(line: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(line)?;
    let mut record = format!("{:016x} ", checksum(json.as_bytes())).into_bytes();
    record.extend_from_slice(json.as_bytes());
    record.push(b'\n');
    Ok(record)
}

/// What bytes up to a line end are.
enum Record {
    Good(Line),
    /// Not as it was written, or not all of it.
    Broken,
    /// As it was written, but not by this program.
    Unknown,
}

fn decode(record: &[u8]) -> Record {
    let Some(json) = checked(record) else {
        return Record::Broken;
    };
    match serde_json::from_slice::<Line>(json) {
        Ok(line) if line.is_possible() => Record::Good(line),
        _ => Record::Unknown,
    }
}

/// The JSON of a record whose checksum is right.
fn checked(record: &[u8]) -> Option<&[u8]> {
    let record = record.strip_suffix(b"\n")?;
    let (sum, json) = record.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == checksum(json)).then_some(json)
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Reads the good records of a file, and where the last one ends.
fn read(file: &File) -> io::Result<(Vec<Line>, u64, Kept)> {
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut lines = Vec::new();
    let mut good = 0;
    let mut torn = false;
    let mut record = Vec::new();
    let mut damaged = false;
    loop {
        record.clear();
        let read = reader.read_until(b'\n', &mut record)?;
        if read == 0 {
            break;
        }
        match decode(&record) {
            Record::Good(line) if torn => {
                damaged = true;
                lines.push(line);
            }
            Record::Good(line) => {
                good += read as u64;
                lines.push(line);
            }
            Record::Broken => torn = true,
            // It was acknowledged, also at the end.
            Record::Unknown => damaged = true,
        }
    }
    let kept = match (damaged, torn, lines.is_empty()) {
        (true, ..) | (false, true, true) => Kept::Damaged,
        // Not even its first line was written.
        (false, false, true) => Kept::Nothing,
        (false, true, false) => Kept::Torn,
        (false, false, false) => Kept::Whole,
    };
    Ok((lines, good, kept))
}
