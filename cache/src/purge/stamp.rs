//! What an object carries so that it can be told whether it has been invalidated since it was fetched.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use smallvec::SmallVec;

use super::{
    Generation, InvalidationId, Invalidations, Moment, Zone,
    table::Subject,
    target::{Item, TagHash, TagLimits, Target},
};

/// Targets an object is known by: that of its key, and those that viewers asked for where a function changed them
/// (CF-658). Further ones are forgotten, oldest first.
pub const MAX_TARGETS: usize = 4;

/// Set in `seen` beside a generation: by then it was stale.
const STALE: u64 = 1;
/// `seen` of what never answers again. No generation gets there.
const GONE: u64 = u64::MAX;

/// What ended an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An invalidation.
    Invalidation(InvalidationId),
    /// A request that changed its URL, or another URL that could not be told from it (CF-807).
    Change,
}

impl Cause {
    /// The id of the invalidation, or `change`: what `invalidated(...)` is logged with (CP-607).
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invalidation(id) => id.as_str(),
            Self::Change => "change",
        }
    }
}

/// What an object may still be used for (CF-660).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was said of it.
    Valid,
    /// It was marked stale: as if its lifetime had ended then.
    Stale {
        /// When.
        since: SystemTime,
        /// By which invalidation.
        by: InvalidationId,
    },
    /// It answers no more, neither fresh nor stale nor as what a 304 confirms.
    Gone {
        /// By what.
        by: Cause,
    },
}

/// The mark of one fetch: its distribution, when in the order of invalidations it began, and what the object is called.
///
/// INVARIANT: `change` is the number of the change up to which it was looked at; it begins with the last one when the fetch
/// began, and only grows. When a change ended the object, `seen` says so before `change` moves on.
///
/// INVARIANT: `seen` is a generation up to which the object has been looked up, shifted left by one, with `STALE` in
/// the bit that this frees; or `GONE`. It begins with the generation at which the fetch began and only grows.
/// `since` and `by` are written before a `seen` that needs them, by whoever looks up; two who do so at once write the
/// same, or one of two that are both right.
#[derive(Debug)]
pub struct Stamp {
    zone: Arc<Zone>,
    seen: AtomicU64,
    change: AtomicU64,
    /// Milliseconds since 1970 when it was made stale.
    since: AtomicU64,
    /// The generation that made it stale or ended it; zero for a change.
    by: AtomicU64,
    targets: SmallVec<[Target; 1]>,
    tags: Box<[TagHash]>,
}

impl Stamp {
    /// The mark of a response whose fetch began at `fetched`, which is what [`Zone::now`] said before the request for it
    /// was sent, and before anything stored was looked at that the answer may confirm (CF-660, CP-144).
    pub fn new(zone: Arc<Zone>, fetched: Moment, target: Target, tags: Vec<TagHash>) -> Self {
        let mut tags = tags;
        tags.truncate(TagLimits::KEPT.count);
        Self {
            zone,
            seen: AtomicU64::new(fetched.generation.0 << 1),
            change: AtomicU64::new(fetched.change),
            since: AtomicU64::new(0),
            by: AtomicU64::new(0),
            targets: SmallVec::from_buf([target]),
            tags: tags.into(),
        }
    }

    /// Adds a path and query under which viewers asked for it (CF-658).
    #[must_use]
    pub fn known_as(mut self, target: Target) -> Self {
        if !self.targets.contains(&target) {
            if self.targets.len() == MAX_TARGETS {
                self.targets.remove(1);
            }
            self.targets.push(target);
        }
        self
    }

    /// Adds what another stamp of the same object is known by: a refresh knows only of its own viewer.
    #[must_use]
    pub fn known_as_is(self, other: &Self) -> Self {
        // Its own come last, so they are the ones that stay.
        let own: SmallVec<[Target; 1]> = self.targets.iter().skip(1).cloned().collect();
        let before = other.targets.iter().skip(1).cloned();
        let mut known = Self {
            targets: self.targets.into_iter().take(1).collect(),
            ..self
        };
        for target in before.chain(own) {
            known = known.known_as(target);
        }
        known
    }

    /// Whether nothing at all was invalidated or changed in its distribution since it was last looked up: four loads and two
    /// comparisons. What is not current may still be valid, see [`Self::standing`].
    ///
    /// Relaxed: an invalidation is acknowledged after its generation was stored, and a change is answered after its number
    /// was, so a request that comes after the
    /// acknowledgement cannot load the one before; other requests may see either.
    pub fn is_current(&self) -> bool {
        // `change` first and in order: once it is up to date, `seen` tells what that led to.
        self.change.load(Ordering::Acquire) == self.zone.changed.load(Ordering::Relaxed)
            && self.seen.load(Ordering::Relaxed) == self.zone.current.load(Ordering::Relaxed)
    }

    /// What it may be used for now. The first call after an invalidation looks the object up; the next ones load
    /// what came of it.
    pub fn standing(&self) -> Standing {
        if self.is_current() {
            return Standing::Valid;
        }
        self.look_for_changes();
        let seen = self.seen.load(Ordering::Acquire);
        // Before the table: it holds at least what this generation stands for.
        let current = self.zone.current.load(Ordering::Acquire);
        if seen != GONE && (seen | STALE) < (current | STALE) {
            self.look_up(seen, current)
        } else {
            self.told(seen)
        }
    }

    /// Ends it when its URL was changed since it was last looked for.
    fn look_for_changes(&self) {
        let before = self.change.load(Ordering::Acquire);
        // Before the slots: they hold at least what this number stands for.
        let now = self.zone.changed.load(Ordering::Acquire);
        if before >= now || self.seen.load(Ordering::Relaxed) == GONE {
            return;
        }
        if self.zone.was_changed(&self.targets, before) {
            self.by.store(0, Ordering::Relaxed);
            self.seen.store(GONE, Ordering::Release);
        }
        self.change.fetch_max(now, Ordering::Release);
    }

    fn look_up(&self, seen: u64, current: u64) -> Standing {
        let subject = Subject {
            targets: &self.targets,
            tags: &self.tags,
        };
        let found = self.zone.find(&subject, seen >> 1);
        let next = if found.hard > 0 {
            self.by.store(found.hard, Ordering::Relaxed);
            GONE
        } else if seen & STALE != 0 {
            // It stays stale since the first time.
            current | STALE
        } else if found.soft > 0 {
            self.since.store(found.soft_at, Ordering::Relaxed);
            self.by.store(found.soft, Ordering::Relaxed);
            current | STALE
        } else {
            current
        };
        // Whoever was faster has said as much, or more.
        let _ = self
            .seen
            .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed);
        self.told(next)
    }

    fn told(&self, seen: u64) -> Standing {
        let by = self.by.load(Ordering::Relaxed);
        let id = || self.zone.id_of(Generation(by));
        if seen == GONE {
            Standing::Gone {
                by: match by {
                    0 => Cause::Change,
                    _ => Cause::Invalidation(id()),
                },
            }
        } else if seen & STALE != 0 {
            let since = Duration::from_millis(self.since.load(Ordering::Relaxed));
            Standing::Stale {
                since: UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH),
                by: id(),
            }
        } else {
            Standing::Valid
        }
    }

    /// Its distribution.
    pub const fn zone(&self) -> &Arc<Zone> {
        &self.zone
    }

    /// What it is known by; the first is the target of its key.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Whether an item of an invalidation names it (CF-652, CF-658, CF-672). `header` is the field that tags come in.
    pub(super) fn is_named_by(&self, item: &Item, header: &str) -> bool {
        match item {
            Item::All => true,
            Item::Path(path) => self.targets.contains(path),
            Item::Prefix(start) => {
                let start = start.as_str();
                self.targets.iter().any(|t| t.as_str().starts_with(start))
            }
            Item::Tag(tag) => self.tags.contains(&tag.hash(header)),
        }
    }

    /// Bytes it occupies on the heap.
    pub fn weight(&self) -> usize {
        let targets: usize = self.targets.iter().map(|t| t.as_str().len() + 16).sum();
        targets + self.tags.len() * 8
    }

    /// Writes it for a tier that outlives the process. A record written now answers after a restart if and only if
    /// the object may answer now and nothing was invalidated since.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, text: &str| {
            // Ids, paths and queries are shorter than a request may be.
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
        };
        out.push(VERSION);
        for number in [
            self.zone.era(),
            // Before `seen`: whoever finds a change says so in that first.
            self.change.load(Ordering::Acquire),
            self.seen.load(Ordering::Acquire),
            self.since.load(Ordering::Relaxed),
            self.by.load(Ordering::Relaxed),
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        text(out, self.zone.distribution());
        out.push(u8::try_from(self.targets.len()).unwrap_or(u8::MAX));
        for target in &self.targets {
            text(out, target.as_str());
        }
        out.push(u8::try_from(self.tags.len()).unwrap_or(u8::MAX));
        for tag in &self.tags {
            out.extend_from_slice(&tag.0.to_le_bytes());
        }
    }

    /// Reads what [`Self::encode`] wrote, and how many bytes it was. `None` when that cannot be believed: it is no
    /// stamp, or was written beside another journal than the one that is open, or after the last invalidation
    /// which that one knows of. Then the object is to be treated as gone.
    pub fn decode(bytes: &[u8], invalidations: &Invalidations) -> Option<(Self, usize)> {
        let mut rest = Reader(bytes);
        if rest.take::<1>()? != [VERSION] || rest.number()? != invalidations.era() {
            return None;
        }
        let (change, seen) = (rest.number()?, rest.number()?);
        let (since, by) = (rest.number()?, rest.number()?);
        let zone = invalidations.zone(rest.text()?);
        if seen != GONE && seen | STALE > zone.current.load(Ordering::Acquire) | STALE {
            return None;
        }
        if change > zone.changed.load(Ordering::Acquire) {
            return None;
        }
        let [targets] = rest.take()?;
        if !(1..=MAX_TARGETS).contains(&usize::from(targets)) {
            return None;
        }
        let targets = (0..targets).map(|_| rest.text().map(Target::from_kept));
        let targets = targets.collect::<Option<SmallVec<_>>>()?;
        let [tags] = rest.take()?;
        let tags = (0..tags).map(|_| rest.number().map(TagHash));
        let tags = tags.collect::<Option<_>>()?;
        let stamp = Self {
            zone,
            seen: AtomicU64::new(seen),
            change: AtomicU64::new(change),
            since: AtomicU64::new(since),
            by: AtomicU64::new(by),
            targets,
            tags,
        };
        Some((stamp, bytes.len() - rest.0.len()))
    }
}

/// Two that were made stale together stay so: what one of them learns, the other looks up for itself.
impl Clone for Stamp {
    fn clone(&self) -> Self {
        // `change` first, then `seen`: what each needs was written before it.
        let change = self.change.load(Ordering::Acquire);
        let seen = self.seen.load(Ordering::Acquire);
        Self {
            zone: self.zone.clone(),
            seen: AtomicU64::new(seen),
            change: AtomicU64::new(change),
            since: AtomicU64::new(self.since.load(Ordering::Relaxed)),
            by: AtomicU64::new(self.by.load(Ordering::Relaxed)),
            targets: self.targets.clone(),
            tags: self.tags.clone(),
        }
    }
}

const VERSION: u8 = 2;

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
