//! URLs that a request has changed: what was stored under them before answers no more, in none of its variants and under
//! none of its keys (CF-807, CF-834, RFC 9111 section 4.4).
//!
//! An invalidation is an operator's, rare, listed and exact. A change is any viewer's whose `POST` an origin accepts, and
//! there may be thousands a second, each of another URL. So changes are not kept by name: a name takes room, and letting go
//! of the oldest would end everything that was stored before it.
//!
//! They are numbered, and a table of [`SLOTS`] numbers is all that is kept. A change writes its number into the four
//! slots that its URL hashes to. An object has been changed when all four of its slots hold a number that is newer than
//! the one it was last found unchanged at ([`super::Stamp`]). So a change never goes unnoticed; what other URLs have in
//! common with it can only end an object too early, which costs a fetch:
//!
//! | different URLs changed since the object was last asked for | it ends for nothing |
//! | --- | --- |
//! | 1,000 | 2 times in 10^10 |
//! | 10,000 | 2 times in a million |
//! | 100,000 | 1 time in 100 |
//! | 480,000 | every other time |
//!
//! The room is at most [`SLOTS`] times eight bytes, 8 MiB for the node, whatever comes; it is taken page by page. To be asked
//! for starts the count anew, so what is asked for often hardly ever ends for nothing.
//!
//! The hash has a secret, or a viewer who may change one URL could look for others that end the objects of a third.
//!
//! # Over a restart
//!
//! Beside the journal of invalidations there is a file with the same table, into which [`Changes::keep`] writes the four
//! slots after they are in force. Nobody waits for the disk: what a process leaves behind, however it ends, is complete;
//! when the machine loses its power, the changes since the last [`Changes::sync`] are lost, and what a disk tier
//! holds from before them may answer again until its lifetime ends.
//!
//! A slot is eight bytes, little endian: a number of 48 bits, and 16 bits to check it by. A file that is missing or
//! damaged is begun anew with another id. Stamps on disk name the id they were written beside, so what is
//! stored from before is not believed then.

use std::{
    fs::{File, OpenOptions},
    hash::Hasher as _,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use siphasher::{sip::SipHasher13, sip128};

use super::{JournalError, UNKNOWN, target::Target};

/// The file's name in the journal's directory.
pub(super) const FILE: &str = "changes.table";
const NEW_FILE: &str = "changes.table.new";
const MAGIC: &[u8; 8] = b"FFCHNG01";

/// Numbers in the table: a power of two.
pub(super) const SLOTS: usize = 1 << 20;
/// Slots of one URL.
const EACH: usize = 4;
/// Where the table begins in the file; before it is the head.
const HEAD: usize = 4096;
/// Magic, id, the two halves of the secret, the number at which the process began, and a checksum.
const HEAD_BYTES: usize = 48;
/// Bits of a slot's check.
const CHECK_BITS: u32 = 16;

/// The slots of one URL that was changed, to be written down.
#[derive(Clone, Copy, Debug)]
pub struct Marked([u32; EACH]);

/// All changes of a node.
pub(super) struct Changes {
    id: u64,
    secret: [u64; 2],
    /// The number that no object is newer than at the start.
    start: u64,
    slots: Slots,
    /// The last number.
    ///
    /// INVARIANT: held from taking a number until it is in its slots and in its zone, so slots and zones only grow, and
    /// whoever sees a number in a zone sees it and all before in the slots. Never taken by a look-up.
    last: Mutex<u64>,
    /// INVARIANT: held from reading a slot until it is written, so what is in the file last is what was in memory last.
    file: Option<Mutex<File>>,
    /// Whether something is in memory that could not be written.
    behind: AtomicBool,
    /// Whether something was written since the last sync.
    unsynced: AtomicBool,
}

impl Changes {
    /// Changes that are forgotten with the process.
    pub(super) fn in_memory() -> Result<Self, JournalError> {
        let [id, a, b] = random()?;
        Ok(Self::new(id, [a, b], 0, None))
    }

    /// Changes with their file in `directory`, which the journal has locked. Says, too, whether the file was
    /// there and whole; otherwise the id is a new one.
    ///
    /// # Errors
    /// The file cannot be made or written, or the system gives no random bytes.
    pub(super) fn open(directory: &Path) -> Result<(Self, bool), JournalError> {
        let path = directory.join(FILE);
        let failed = |cause| JournalError::Io {
            path: path.clone(),
            cause,
        };
        match read(&path).map_err(failed)? {
            Some(kept) => {
                // What was given out and not written, or lost with the machine's power, is not given out again.
                let start = kept.newest.max(kept.start) + UNKNOWN;
                kept.file
                    .write_all_at(&head(kept.id, kept.secret, start), 0)
                    .and_then(|()| kept.file.sync_data())
                    .map_err(failed)?;
                let changes = Self::new(kept.id, kept.secret, start, Some(kept.file));
                let slots = kept.slots;
                Ok((Self { slots, ..changes }, true))
            }
            None => {
                let [id, a, b] = random()?;
                let new = directory.join(NEW_FILE);
                let file = OpenOptions::new()
                    .create(true)
                    .truncate(true)
                    .read(true)
                    .write(true)
                    .open(&new)
                    .map_err(failed)?;
                file.write_all_at(&head(id, [a, b], 0), 0)
                    .and_then(|()| file.sync_all())
                    .and_then(|()| std::fs::rename(&new, &path))
                    .and_then(|()| File::open(directory)?.sync_all())
                    .map_err(failed)?;
                Ok((Self::new(id, [a, b], 0, Some(file)), false))
            }
        }
    }

    fn new(id: u64, secret: [u64; 2], start: u64, file: Option<File>) -> Self {
        Self {
            id,
            secret,
            start,
            slots: Slots::default(),
            last: Mutex::new(start),
            file: file.map(Mutex::new),
            behind: AtomicBool::new(false),
            unsynced: AtomicBool::new(false),
        }
    }

    /// What objects on disk name to be believed.
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// The number that zones begin with.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// Marks a URL as changed, and makes the change the newest of its zone.
    pub(super) fn mark(&self, distribution: &str, target: &Target, newest: &AtomicU64) -> Marked {
        let at = self.places(distribution, target);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        for place in at {
            self.slots.set(place as usize, *last);
        }
        newest.store(*last, Ordering::Release);
        Marked(at)
    }

    /// Whether one of those URLs may have been changed after the change `base`.
    pub(super) fn any_since(&self, distribution: &str, targets: &[Target], base: u64) -> bool {
        targets.iter().any(|target| {
            let at = self.places(distribution, target);
            at.iter()
                .all(|place| self.slots.get(*place as usize) > base)
        })
    }

    /// Whether there is a file to write to.
    pub(super) const fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Writes down what was marked, and says whether it is the first since the last sync. Waits for the system, though not
    /// for the disk.
    ///
    /// # Errors
    /// It is not written. Everything that is not is written with the next that can be.
    pub(super) fn keep(&self, marked: &[Marked]) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let write = |place: usize| {
            let number = self.slots.get(place);
            let slot = encode(self.secret, place, number);
            file.write_all_at(&slot.to_le_bytes(), (HEAD + 8 * place) as u64)
        };
        let written = if self.behind.load(Ordering::Relaxed) {
            let mut used = (0..SLOTS).filter(|place| self.slots.get(*place) > 0);
            used.try_for_each(write)
        } else {
            let mut places = marked.iter().flat_map(|m| m.0);
            places.try_for_each(|place| write(place as usize))
        };
        self.behind.store(written.is_err(), Ordering::Relaxed);
        written.map(|()| !self.unsynced.swap(true, Ordering::Relaxed))
    }

    /// Waits until the disk has what was written.
    ///
    /// # Errors
    /// It may not have it.
    pub(super) fn sync(&self) -> io::Result<()> {
        if !self.unsynced.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        // A handle of its own: nobody who has something to write waits for the disk.
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let own = file.try_clone()?;
        drop(file);
        own.sync_data()
    }

    /// Writes go to another file from here on.
    #[cfg(test)]
    pub(super) fn swap_file(&self, other: File) -> File {
        let mut file = self.file.as_ref().unwrap().lock().unwrap();
        std::mem::replace(&mut file, other)
    }

    fn places(&self, distribution: &str, target: &Target) -> [u32; EACH] {
        let mut hasher = sip128::SipHasher13::new_with_keys(self.secret[0], self.secret[1]);
        hasher.write(distribution.as_bytes());
        // No id of a distribution holds it.
        hasher.write_u8(0);
        hasher.write(target.as_bytes());
        let hash = sip128::Hasher128::finish128(&hasher).as_u128();
        std::array::from_fn(|i| {
            // The last bits of each quarter.
            let quarter = hash >> (32 * i);
            u32::try_from(quarter & (SLOTS as u128 - 1)).unwrap_or_default()
        })
    }
}

/// [`SLOTS`] numbers, in pages of which there are only those that hold one. Zero is never.
struct Slots(Box<[OnceLock<Box<[AtomicU64]>>]>);

/// Slots in a page.
const PAGE: usize = 512;

impl Default for Slots {
    fn default() -> Self {
        Self((0..SLOTS / PAGE).map(|_| OnceLock::new()).collect())
    }
}

impl Slots {
    fn get(&self, place: usize) -> u64 {
        let page = self.0[place / PAGE].get();
        page.map_or(0, |page| page[place % PAGE].load(Ordering::Relaxed))
    }

    fn set(&self, place: usize, number: u64) {
        let page =
            self.0[place / PAGE].get_or_init(|| (0..PAGE).map(|_| AtomicU64::new(0)).collect());
        page[place % PAGE].store(number, Ordering::Relaxed);
    }
}

/// What was found in a file.
struct Kept {
    file: File,
    id: u64,
    secret: [u64; 2],
    start: u64,
    /// The highest number in a slot.
    newest: u64,
    slots: Slots,
}

/// `None` when the file is not there, or not as it was written.
fn read(path: &Path) -> io::Result<Option<Kept>> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    let whole = (HEAD + 8 * SLOTS) as u64;
    (&mut file).take(whole + 1).read_to_end(&mut bytes)?;
    Ok(parse(file, &bytes))
}

fn parse(file: File, bytes: &[u8]) -> Option<Kept> {
    let number = |at: usize| {
        let eight = bytes.get(at..at + 8)?;
        eight.try_into().ok().map(u64::from_le_bytes)
    };
    let (id, secret, start) = (number(8)?, [number(16)?, number(24)?], number(32)?);
    // An absurd start would leave no numbers.
    if bytes.get(..HEAD_BYTES)? != head(id, secret, start) || start >> 47 != 0 {
        return None;
    }
    // The file ends where the last slot was written; what is not there is zero.
    let table = bytes.get(HEAD..).unwrap_or_default();
    if table.len() > 8 * SLOTS || !table.len().is_multiple_of(8) {
        return None;
    }
    let slots = Slots::default();
    let mut newest = 0;
    for (page, bytes) in table.chunks(8 * PAGE).enumerate() {
        // Most of the table of most nodes.
        if bytes == &[0; 8 * PAGE][..bytes.len()] {
            continue;
        }
        for (at, eight) in bytes.chunks_exact(8).enumerate() {
            let place = page * PAGE + at;
            let kept = u64::from_le_bytes(eight.try_into().ok()?);
            let number = kept >> CHECK_BITS;
            if kept != encode(secret, place, number) {
                return None;
            }
            slots.set(place, number);
            newest = newest.max(number);
        }
    }
    Some(Kept {
        file,
        id,
        secret,
        start,
        newest,
        slots,
    })
}

fn head(id: u64, secret: [u64; 2], start: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(MAGIC);
    for (at, number) in [id, secret[0], secret[1], start].into_iter().enumerate() {
        head[8 + 8 * at..16 + 8 * at].copy_from_slice(&number.to_le_bytes());
    }
    let mut sum = SipHasher13::new();
    sum.write(&head[..HEAD_BYTES - 8]);
    head[HEAD_BYTES - 8..].copy_from_slice(&sum.finish().to_le_bytes());
    head
}

/// A slot as it is kept: zero for one that was never written, as what a file has not got reads.
fn encode(secret: [u64; 2], place: usize, number: u64) -> u64 {
    if number == 0 {
        return 0;
    }
    let mut check = SipHasher13::new_with_keys(secret[0], secret[1]);
    check.write_u64(place as u64);
    check.write_u64(number);
    number << CHECK_BITS | (check.finish() & ((1 << CHECK_BITS) - 1))
}

fn random() -> Result<[u64; 3], JournalError> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        *number = super::journal::random_epoch()?;
    }
    Ok(numbers)
}
