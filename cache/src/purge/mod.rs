//! Invalidation: what was stored, or is being fetched, stops answering at once (CF section 7).
//!
//! Nothing is searched for or removed. An invalidation takes the next [`Generation`] of the node's order of
//! invalidations, writes what it names into the table of its distribution ([`Zone`]), and makes that generation the
//! current one. Every object carries a [`Stamp`] with the generation at which its fetch *began*, and with what it is
//! called: path and query, tags. A look-up that finds an object asks its stamp:
//!
//! | since the object was last asked about | what it costs | [`Standing`] |
//! | --- | --- | --- |
//! | nothing was invalidated in its distribution | two relaxed loads | valid |
//! | other objects were | a few look-ups in trees, once per object | valid |
//! | it was, softly | the same | stale since then |
//! | it was | the same | gone |
//!
//! So an invalidation takes effect with one store, whatever the number of objects; their bytes are let go as
//! others need the room. Fetches that were under way carry an older generation, and with it what they bring (CF-660,
//! CP-144): who waits for one already gets it, and nobody afterwards. Variants and stored errors carry stamps like any
//! object, so they go along (CF-303, CF-654, CF-673).
//!
//! Beside invalidations there are *changes*: the URLs of requests that were not safe (CF-807). They are numbered on their
//! own, ask for no name in a table and are listed nowhere; see `changes.rs`. A stamp is compared with the last change of its
//! distribution, too.
//!
//! # Over a restart
//!
//! [`Invalidations::open`] keeps a journal (`journal.rs`): an invalidation is in it, on disk, before it takes effect, and only then
//! acknowledged. Tiers that outlive the process keep [`Stamp::encode`] beside an object. A stamp names the journal it
//! was written beside by its *epoch*, so that objects are not believed beside another one or a lost one.
//!
//! # What is bounded
//!
//! Names in the tables: [`Limits::names`] for each distribution, see `table.rs` for what becomes of the oldest. The history
//! that can be listed: [`Limits::history`] invalidations of each distribution, and 90 days (CP-142). The
//! journal: it is written anew when it is four times as long as it was then. Changes: 8 MiB of memory and of disk for a node,
//! whatever their number.
//!
//! This module reads no clock: whoever creates an invalidation says when.

mod changes;
mod history;
mod journal;
mod stamp;
mod table;
mod target;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use changes::Marked;
pub use history::Page;
pub use journal::{JournalError, Kept};
pub use stamp::{Cause, MAX_TARGETS, Stamp, Standing};
pub use target::{
    Item, ItemError, MAX_PATH, MAX_TAG, MAX_TAGS, Tag, TagHash, TagLimits, Target, tag_names,
    tags_of, tags_within,
};

use changes::Changes;
use history::History;
use journal::Journal;
use table::{Effect, Entry, Subject, Table};

/// Generations that are passed over at each start.
const UNKNOWN: u64 = 1 << 20;

/// A place in the node's order of invalidations: after so many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// A place in the order of invalidations and in that of changes, of one distribution: when a fetch began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    generation: Generation,
    /// The number of the last change.
    change: u64,
}

impl Moment {
    /// The last invalidation before it.
    pub const fn generation(self) -> Generation {
        self.generation
    }
}

/// `I` and 13 letters and digits (CP-048).
///
/// It says which generation it is, to whoever knows the epoch of the journal; so an object that an invalidation ended
/// names it without keeping more than a number, and after it has left the history, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvalidationId([u8; 14]);

impl InvalidationId {
    fn new(epoch: u64, generation: Generation) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        // A bijection (the finish of splitmix64), so that neighbours do not look alike and no two are.
        let mut n = generation.0 ^ epoch;
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^= n >> 31;
        // 13 digits are more than 64 bits.
        let mut text = [b'I'; 14];
        for place in text[1..].iter_mut().rev() {
            *place = DIGITS[usize::try_from(n % 36).unwrap_or(0)];
            n /= 36;
        }
        Self(text)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for InvalidationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InvalidationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be invalidated: one batch of a distribution (CF-650).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The distribution's id.
    pub distribution: String,
    /// What; at least one.
    pub items: Vec<Item>,
    /// The field that tags of this distribution come in, when it has one (CF-670). Tags in `items` need it.
    pub tag_header: Option<String>,
    /// Whether it only becomes stale, to be validated or served by the rules for stale objects.
    pub soft: bool,
    /// What the caller knows it by. The same one again is the same invalidation.
    pub caller_reference: String,
    /// When, by the wall clock.
    pub created: SystemTime,
}

/// A batch that has been taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// Its id.
    pub id: InvalidationId,
    /// Its place in the order.
    pub generation: Generation,
    /// What it was.
    pub batch: Batch,
}

impl Invalidation {
    /// Those of its items that name the object with that stamp. None, when it ended the object because names had to be
    /// let go of.
    pub fn items_naming<'a>(&'a self, stamp: &'a Stamp) -> impl Iterator<Item = &'a Item> {
        let header = self.batch.tag_header.as_deref().unwrap_or_default();
        let items = self.batch.items.iter();
        items.filter(move |item| stamp.is_named_by(item, header))
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is in force, and on disk where there is a journal: no request that begins now is answered with what it names.
    New(Arc<Invalidation>),
    /// There was one with the same reference and the same items; nothing was done (CF-650, CP-142).
    Earlier(Arc<Invalidation>),
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// CF-650, CP-142.
    #[error(
        "caller reference `{reference}` was used for other paths, by invalidation {id} (CF-650)"
    )]
    ReferenceUsed {
        /// The reference.
        reference: String,
        /// Who used it.
        id: InvalidationId,
    },
    /// It names nothing (CP-140).
    #[error("an invalidation names at least one path or tag (CP-140)")]
    Empty,
    /// CP-141.
    #[error("distribution `{distribution}` has no tags: set `cache_tag_config` (CP-141)")]
    NoTags {
        /// The distribution.
        distribution: String,
    },
    /// It is in force, but not on disk: after a restart, what a disk tier holds of it would answer again.
    #[error("{id} is in force until the next restart, but could not be written down: {cause}")]
    NotDurable {
        /// Its id.
        id: InvalidationId,
        /// Why.
        cause: JournalError,
    },
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Different paths, beginnings and tags in the table of one distribution. A name takes about 100 bytes, one with
    /// a final `*` its length in addition. Default 1,000,000.
    pub names: usize,
    /// Invalidations of one distribution that can be listed (CP-142). Default 1,000.
    pub history: usize,
    /// How long they can be (CP-142). Default 90 days.
    pub history_age: Duration,
    /// Bytes up to which the journal is not written anew. Default 1 MiB.
    pub short_journal: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            names: 1_000_000,
            history: 1_000,
            history_age: Duration::from_hours(90 * 24),
            short_journal: 1 << 20,
        }
    }
}

/// All invalidations of a node.
pub struct Invalidations {
    epoch: u64,
    changes: Arc<Changes>,
    limits: Limits,
    zones: RwLock<HashMap<Box<str>, Arc<Zone>>>,
    history: RwLock<History>,
    /// INVARIANT: held from taking a generation until it is current, so generations become current in their order.
    /// Never taken by a look-up.
    writer: Mutex<Writer>,
}

struct Writer {
    last: Generation,
    journal: Option<Journal>,
}

impl Invalidations {
    /// Invalidations that are forgotten with the process: for a cache that is, too.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn in_memory(limits: Limits) -> Result<Self, JournalError> {
        Ok(Self::new(
            journal::random_epoch()?,
            Changes::in_memory()?,
            limits,
        ))
    }

    /// Invalidations with their journal in `directory`. Says, too, what was found there.
    ///
    /// # Errors
    /// [`JournalError`]: the directory cannot be used, or another process uses it. A journal that is damaged is no error,
    /// see [`Kept`].
    pub fn open(directory: &Path, limits: Limits) -> Result<(Self, Kept), JournalError> {
        let (journal, lines, kept) = Journal::open(directory, limits.short_journal)?;
        let (changes, whole) = Changes::open(directory)?;
        let kept = match kept {
            // Nothing that is on disk is believed, see [`Zone::era`].
            Kept::Whole | Kept::Torn if !whole => Kept::Damaged,
            kept => kept,
        };
        let mut all = Self::new(journal.epoch(), changes, limits);
        let mut last = Generation(0);
        for line in lines {
            if let journal::Line::Passed { generation } = line {
                last = Generation(generation);
            }
            all.replay(line);
        }
        // A process that could not write its journal has told so and gone on, so objects on disk may carry generations
        // that the journal does not know. None of them is given out again.
        let last = Generation(last.max(all.newest()).0 + UNKNOWN);
        let mut journal = journal;
        journal.append(&journal::Line::Passed { generation: last.0 })?;
        all.writer = Mutex::new(Writer {
            last,
            journal: Some(journal),
        });
        Ok((all, kept))
    }

    fn new(epoch: u64, changes: Changes, limits: Limits) -> Self {
        Self {
            epoch,
            changes: Arc::new(changes),
            limits,
            zones: RwLock::default(),
            history: RwLock::new(History::new(limits)),
            writer: Mutex::new(Writer {
                last: Generation(0),
                journal: None,
            }),
        }
    }

    /// The newest generation that anything speaks of.
    fn newest(&self) -> Generation {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        let in_force = zones.values().map(|zone| zone.generation());
        let remembered = self.history().all();
        let remembered = remembered.iter().map(|i| i.generation);
        in_force.chain(remembered).max().unwrap_or_default()
    }

    fn replay(&self, line: journal::Line) {
        match line {
            journal::Line::Batch(kept) => {
                if let Some(invalidation) = kept.into_invalidation(self.epoch) {
                    self.apply(&invalidation);
                    self.remember(Arc::new(invalidation));
                }
            }
            journal::Line::Past(kept) => {
                if let Some(invalidation) = kept.into_invalidation(self.epoch) {
                    self.remember(Arc::new(invalidation));
                }
            }
            journal::Line::Names(names) => {
                let zone = self.zone(&names.distribution);
                let mut table = zone.table.write().unwrap_or_else(PoisonError::into_inner);
                names.restore(&mut table);
            }
            journal::Line::Zone(kept) => {
                let zone = self.zone(&kept.distribution);
                let mut table = zone.table.write().unwrap_or_else(PoisonError::into_inner);
                table.all = kept.all();
                zone.publish(Generation(kept.current));
            }
            journal::Line::Begin { .. } | journal::Line::Passed { .. } => {}
        }
    }

    /// What objects on disk name to be believed: the journal and the file of changes that they were stored beside.
    pub fn era(&self) -> u64 {
        self.epoch ^ self.changes.id()
    }

    /// The distribution with that id; made when nobody has asked for it before.
    pub fn zone(&self, distribution: &str) -> Arc<Zone> {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = zones.get(distribution) {
            return zone.clone();
        }
        drop(zones);
        let mut zones = self.zones.write().unwrap_or_else(PoisonError::into_inner);
        zones
            .entry(distribution.into())
            .or_insert_with(|| {
                let changes = self.changes.clone();
                let names = self.limits.names;
                Arc::new(Zone::new(distribution, self.epoch, changes, names))
            })
            .clone()
    }

    /// Whether changes are to be written down.
    pub fn keeps_changes(&self) -> bool {
        self.changes.is_kept()
    }

    /// Writes down what [`Zone::change`] marked, and says whether it is the first since the last [`Self::sync_changes`]. Waits
    /// for the system, though not for the disk: what was written outlives the process, however that ends, and after a
    /// sync a loss of power, too.
    ///
    /// # Errors
    /// It could not be written. It is in force all the same, until a restart, and is written with the next.
    pub fn keep_changes(&self, marked: &[Marked]) -> std::io::Result<bool> {
        self.changes.keep(marked)
    }

    /// Waits until the disk has the changes that were written down; not for a thread that serves.
    ///
    /// # Errors
    /// It may not have them.
    pub fn sync_changes(&self) -> std::io::Result<()> {
        self.changes.sync()
    }

    /// Invalidates. Returns when it is on disk and in force; waits for the disk, so it is not for a thread that
    /// serves.
    ///
    /// # Errors
    /// [`CreateError`]; only after [`CreateError::NotDurable`] something was done.
    pub fn create(&self, batch: Batch) -> Result<Created, CreateError> {
        if batch.items.is_empty() {
            return Err(CreateError::Empty);
        }
        if batch.tag_header.is_none() && batch.items.iter().any(|i| matches!(i, Item::Tag(_))) {
            return Err(CreateError::NoTags {
                distribution: batch.distribution,
            });
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self
            .history()
            .by_reference(&batch.distribution, &batch.caller_reference);
        if let Some(earlier) = earlier {
            let same = earlier.batch.soft == batch.soft && same_items(&earlier.batch, &batch);
            return match same {
                true => Ok(Created::Earlier(earlier)),
                false => Err(CreateError::ReferenceUsed {
                    reference: batch.caller_reference,
                    id: earlier.id,
                }),
            };
        }
        let generation = Generation(writer.last.0 + 1);
        let invalidation = Arc::new(Invalidation {
            id: InvalidationId::new(self.epoch, generation),
            generation,
            batch,
        });
        writer.last = generation;
        // On disk before in force: a generation that objects carry must not be given out again after a crash.
        let written = match &mut writer.journal {
            Some(journal) => journal.append(&journal::Line::batch(&invalidation)),
            None => Ok(()),
        };
        self.apply(&invalidation);
        self.remember(invalidation.clone());
        self.compact(&mut writer);
        let owes_nothing = writer.journal.as_ref().is_none_or(Journal::owes_nothing);
        drop(writer);
        match written {
            Err(cause) if !owes_nothing => Err(CreateError::NotDurable {
                id: invalidation.id,
                cause,
            }),
            _ => Ok(Created::New(invalidation)),
        }
    }

    /// The invalidation with that id, while it is remembered. Whoever finds it here finds it in force.
    pub fn get(&self, distribution: &str, id: &str) -> Option<Arc<Invalidation>> {
        self.history().by_id(distribution, id)
    }

    /// Invalidations of a distribution, newest first (CP-142): at most `most`, those before `marker` when there is one.
    pub fn list(&self, distribution: &str, marker: Option<&str>, most: usize) -> Page {
        self.history().page(distribution, marker, most)
    }

    /// Names in all tables, for metrics.
    pub fn names(&self) -> usize {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        zones.values().map(|zone| zone.names()).sum()
    }

    fn history(&self) -> std::sync::RwLockReadGuard<'_, History> {
        self.history.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, invalidation: &Invalidation) {
        let zone = self.zone(&invalidation.batch.distribution);
        zone.apply(invalidation);
    }

    fn remember(&self, invalidation: Arc<Invalidation>) {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.push(invalidation);
    }

    /// Writes the journal anew when most of what it holds has been overtaken.
    fn compact(&self, writer: &mut MutexGuard<'_, Writer>) {
        let last = writer.last;
        let Some(journal) = &mut writer.journal else {
            return;
        };
        if !journal.wants_compaction() {
            return;
        }
        let zones: Vec<_> = {
            let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
            zones.values().cloned().collect()
        };
        let history = self.history().all();
        // A failure leaves the journal as it was: longer than it need be.
        journal.rewrite(&mut |write| {
            for invalidation in &history {
                write(&journal::Line::past(invalidation))?;
            }
            for zone in &zones {
                let table = zone.table.read().unwrap_or_else(PoisonError::into_inner);
                journal::Names::of(zone.distribution(), &table, write)?;
                write(&journal::Line::zone(
                    zone.distribution(),
                    zone.generation(),
                    &table.all,
                ))?;
            }
            write(&journal::Line::Passed { generation: last.0 })
        });
    }
}

impl fmt::Debug for Invalidations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidations")
            .field("limits", &self.limits)
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

/// The order in which a batch names things says nothing.
fn same_items(a: &Batch, b: &Batch) -> bool {
    let sorted = |batch: &Batch| {
        let mut items: Vec<_> = batch.items.iter().map(ToString::to_string).collect();
        items.sort_unstable();
        items
    };
    sorted(a) == sorted(b)
}

/// What has been invalidated in one distribution.
pub struct Zone {
    distribution: Box<str>,
    epoch: u64,
    /// The generation that is in force, shifted left by one: compared with what [`Stamp`]s have seen.
    ///
    /// INVARIANT: the table holds everything up to it, which is why it is stored while the table is locked.
    current: AtomicU64,
    /// The last change, compared with what [`Stamp`]s have seen.
    changed: AtomicU64,
    changes: Arc<Changes>,
    table: RwLock<Table>,
}

impl Zone {
    fn new(distribution: &str, epoch: u64, changes: Arc<Changes>, names: usize) -> Self {
        Self {
            distribution: distribution.into(),
            epoch,
            current: AtomicU64::new(0),
            changed: AtomicU64::new(changes.start()),
            changes,
            table: RwLock::new(Table::new(names)),
        }
    }

    /// The distribution's id.
    pub fn distribution(&self) -> &str {
        &self.distribution
    }

    /// What is in force: to be asked for before a fetch begins.
    pub fn now(&self) -> Moment {
        Moment {
            generation: self.generation(),
            change: self.changed.load(Ordering::Acquire),
        }
    }

    /// Ends what is stored under a URL, or being fetched: a request has changed it (CF-807). In force when this
    /// returns, and to be kept by [`Invalidations::keep_changes`]. Waits for nothing.
    pub fn change(&self, target: &Target) -> Marked {
        self.changes.mark(&self.distribution, target, &self.changed)
    }

    fn generation(&self) -> Generation {
        Generation(self.current.load(Ordering::Acquire) >> 1)
    }

    fn era(&self) -> u64 {
        self.epoch ^ self.changes.id()
    }

    /// Whether an object of those URLs may have been changed after the change `base`.
    fn was_changed(&self, targets: &[Target], base: u64) -> bool {
        self.changes.any_since(&self.distribution, targets, base)
    }

    fn id_of(&self, generation: Generation) -> InvalidationId {
        InvalidationId::new(self.epoch, generation)
    }

    fn find(&self, subject: &Subject<'_>, base: u64) -> Entry {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.find(subject, base)
    }

    fn names(&self) -> usize {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn apply(&self, invalidation: &Invalidation) {
        let batch = &invalidation.batch;
        let generation = invalidation.generation.0;
        let effect = match batch.soft {
            true => Effect::Soft(millis(batch.created)),
            false => Effect::Hard,
        };
        let header = batch.tag_header.as_deref().unwrap_or_default();
        let mut garbage = Vec::new();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for item in &batch.items {
            garbage.push(match item {
                Item::Path(path) => table.mark_path(path, generation, effect),
                Item::Prefix(start) => table.mark_prefix(start, generation, effect),
                Item::Tag(tag) => table.mark_tag(tag.hash(header), generation, effect),
                Item::All => table.mark_all(generation, effect),
            });
        }
        self.publish(invalidation.generation);
        drop(table);
        drop(garbage);
    }

    /// To be called while the table is locked.
    fn publish(&self, generation: Generation) {
        self.current.fetch_max(generation.0 << 1, Ordering::Release);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("distribution", &self.distribution)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
