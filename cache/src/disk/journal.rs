//! The journal: the index as a list of changes, from which it is built at start.
//!
//! The log's thread appends one frame for every batch it has written, and makes the batch visible afterwards. A
//! frame is written in one call and acknowledged when that returns, so that the death of the process
//! loses nothing that was visible. When the journal has grown to twice what the index needs, it is written anew
//! beside the old one and takes its place by a rename.
//!
//! # What damage means
//!
//! A frame that ends beyond the end of the file was being written when the process died; nobody was told of it,
//! and it is cut off. A frame of full length with a wrong checksum is damage. What it held is unknown, and may have been
//! the removal of any object: the store begins anew, empty, since to serve what was purged is worse than to be cold.
//! Garbage of full length after a power cut counts as damage, too.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use super::{
    index::{Index, Segment, Slot},
    limits::DiskLimits,
    record::{Fields, total_bits, total_of},
    writer::is_too_long,
};
use crate::key::CacheKey;

const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"FFJ1");
/// Magic, length, checksum of the payload, checksum of these three.
const FRAME_HEADER: usize = 16;
/// Longest payload that is believed.
const MOST_PAYLOAD: u32 = 256 * 1024 * 1024;
/// Raised when anything on disk changes its meaning.
const FORMAT: u32 = 1;

/// What a journal begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Preamble {
    /// Which life of the store it is of.
    pub(super) life: u64,
    /// What keys are hashed with.
    pub(super) secret: [u8; 16],
    pub(super) ring: u64,
    pub(super) region: u64,
    pub(super) segment: u64,
}

impl Preamble {
    pub(super) const fn new(life: u64, secret: [u8; 16], limits: &DiskLimits) -> Self {
        Self {
            life,
            secret,
            ring: limits.ring(),
            region: limits.region,
            segment: limits.segment_len(),
        }
    }

    /// Whether records lie where these limits would put them.
    pub(super) const fn fits(&self, limits: &DiskLimits) -> bool {
        self.ring == limits.ring()
            && self.region == limits.region
            && self.segment == limits.segment_len()
    }
}

/// A frame in the making.
#[derive(Debug, Default)]
pub(super) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    fn op(&mut self, tag: u8) -> &mut Self {
        if self.bytes.is_empty() {
            self.bytes.resize(FRAME_HEADER, 0);
        }
        self.bytes.push(tag);
        self
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn preamble(&mut self, preamble: &Preamble) {
        self.op(TAG_PREAMBLE)
            .put(&FORMAT.to_le_bytes())
            .put(&preamble.life.to_le_bytes())
            .put(&preamble.secret)
            .put(&preamble.ring.to_le_bytes())
            .put(&preamble.region.to_le_bytes())
            .put(&preamble.segment.to_le_bytes());
    }

    /// An object's first record.
    pub(super) fn object(&mut self, key: &CacheKey, slot: &Slot, total: Option<u64>, epoch: u64) {
        self.op(TAG_OBJECT)
            .put(key.as_bytes())
            .put(&slot.version.to_le_bytes())
            .put(&slot.place.to_le_bytes())
            .put(&slot.len.to_le_bytes())
            .put(&[u8::from(slot.large)])
            .put(&total_bits(total).to_le_bytes())
            .put(&epoch.to_le_bytes());
    }

    /// A segment of an object.
    pub(super) fn segment(&mut self, key: &CacheKey, version: u64, segment: &Segment) {
        self.op(TAG_SEGMENT)
            .put(key.as_bytes())
            .put(&version.to_le_bytes())
            .put(&segment.index.to_le_bytes())
            .put(&segment.place.to_le_bytes())
            .put(&segment.len.to_le_bytes());
    }

    /// A removal.
    pub(super) fn removal(&mut self, key: &CacheKey, number: u64) {
        self.op(TAG_REMOVAL)
            .put(key.as_bytes())
            .put(&number.to_le_bytes());
    }

    /// Where the next record goes, and numbers that were given out.
    pub(super) fn progress(&mut self, end: u64, next: u64, epoch: u64) {
        self.op(TAG_PROGRESS)
            .put(&end.to_le_bytes())
            .put(&next.to_le_bytes())
            .put(&epoch.to_le_bytes());
    }

    /// The frame as it is written; it is empty afterwards.
    pub(super) fn seal(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.len() >= FRAME_HEADER {
            let payload = bytes.len() - FRAME_HEADER;
            let sum = crc32fast::hash(&bytes[FRAME_HEADER..]);
            bytes[..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
            bytes[4..8].copy_from_slice(&u32::try_from(payload).unwrap_or(u32::MAX).to_le_bytes());
            bytes[8..12].copy_from_slice(&sum.to_le_bytes());
            let sum = crc32fast::hash(&bytes[..12]);
            bytes[12..FRAME_HEADER].copy_from_slice(&sum.to_le_bytes());
        }
        bytes
    }
}

const TAG_PREAMBLE: u8 = 1;
const TAG_OBJECT: u8 = 2;
const TAG_SEGMENT: u8 = 3;
const TAG_REMOVAL: u8 = 4;
const TAG_PROGRESS: u8 = 5;

/// A new journal with all of an index in it, as bytes for `write`. `write` is called with pieces of about a mebibyte.
pub(super) fn dump(
    preamble: &Preamble,
    index: &Index,
    progress: Progress,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    const PIECE: usize = 1024 * 1024;
    let mut frame = Frame::default();
    frame.preamble(preamble);
    write(&frame.seal())?;
    frame.progress(progress.end, progress.next, progress.epoch);
    let mut result = Ok(());
    let start = index.start();
    index.for_each(|key, slot, large| {
        if result.is_err() || slot.place < start {
            return;
        }
        let total = large.and_then(|large| large.total);
        // Epochs are in the records; the highest is in the progress.
        frame.object(key, slot, total, 0);
        for segment in large.into_iter().flat_map(|large| large.present()) {
            if segment.place >= start {
                frame.segment(key, slot.version, &segment);
            }
        }
        if frame.len() >= PIECE {
            result = write(&frame.seal());
        }
    });
    result?;
    write(&frame.seal())
}

/// How far a store has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Where the next record goes.
    pub(super) end: u64,
    /// A number larger than any that a version or removal has.
    pub(super) next: u64,
    /// The highest epoch of an object.
    pub(super) epoch: u64,
}

/// What reading a journal came to.
pub(super) enum Loaded {
    /// The index, and how many bytes of the file are frames.
    Warm {
        preamble: Preamble,
        index: Index,
        progress: Progress,
        len: u64,
    },
    /// It begins with nothing that is known here: not written to the end, damaged, or of another format.
    Unusable(&'static str),
}

/// Builds the index that a journal describes.
///
/// # Errors
/// That the file cannot be read. What it says is never an error.
pub(super) fn load(path: &Path, limits: &DiskLimits) -> io::Result<Loaded> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut input = BufReader::with_capacity(1024 * 1024, file);
    let mut payload = Vec::new();
    let mut len = 0;
    let mut replay = Replay::default();
    while size - len >= FRAME_HEADER as u64 {
        let mut header = [0; FRAME_HEADER];
        input.read_exact(&mut header)?;
        let Some((bytes, sum)) = frame_header(&header) else {
            return Ok(Loaded::Unusable("a frame's header is damaged"));
        };
        let rest = size - len - FRAME_HEADER as u64;
        if u64::from(bytes) > rest {
            break;
        }
        payload.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
        input.read_exact(&mut payload)?;
        if crc32fast::hash(&payload) != sum || replay.frame(&payload).is_none() {
            return Ok(Loaded::Unusable("a frame is damaged"));
        }
        len += FRAME_HEADER as u64 + u64::from(bytes);
    }
    let Replay {
        preamble: Some(preamble),
        index,
        progress,
    } = replay
    else {
        return Ok(Loaded::Unusable("it has no beginning"));
    };
    if !preamble.fits(limits) {
        return Ok(Loaded::Unusable("sizes have changed"));
    }
    // Some of the last batch's region may be there without its frame, so the next region is given up as it would be
    // while running.
    index.set_start(first_kept(progress.end, limits));
    index.sweep(index.start());
    Ok(Loaded::Warm {
        preamble,
        index,
        progress,
        len,
    })
}

/// The first place that is kept when records are written at `end`: the region that comes next has been reclaimed.
pub(super) const fn first_kept(end: u64, limits: &DiskLimits) -> u64 {
    let region = end / limits.region;
    (region + 2).saturating_sub(limits.regions()) * limits.region
}

fn frame_header(header: &[u8; FRAME_HEADER]) -> Option<(u32, u32)> {
    let (fields, sum) = header.split_at(FRAME_HEADER - 4);
    if crc32fast::hash(fields).to_le_bytes() != *sum {
        return None;
    }
    let mut fields = Fields(fields);
    if fields.u32()? != FRAME_MAGIC {
        return None;
    }
    let len = fields.u32().filter(|len| *len <= MOST_PAYLOAD)?;
    Some((len, fields.u32()?))
}

struct Replay {
    preamble: Option<Preamble>,
    index: Index,
    progress: Progress,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            preamble: None,
            index: Index::new(),
            progress: Progress::default(),
        }
    }
}

impl Replay {
    /// Applies a frame; `None` when it says what no frame says.
    fn frame(&mut self, payload: &[u8]) -> Option<()> {
        let mut fields = Fields(payload);
        while let Some(tag) = fields.u8() {
            match tag {
                TAG_PREAMBLE => {
                    (fields.u32()? == FORMAT).then_some(())?;
                    self.preamble = Some(Preamble {
                        life: fields.u64()?,
                        secret: *fields.key()?.as_bytes(),
                        ring: fields.u64()?,
                        region: fields.u64()?,
                        segment: fields.u64()?,
                    });
                }
                TAG_OBJECT => {
                    let key = fields.key()?;
                    let slot = Slot {
                        version: fields.u64()?,
                        place: fields.u64()?,
                        len: fields.u32()?,
                        heat: 0,
                        large: fields.u8()? != 0,
                    };
                    let total = total_of(fields.u64()?);
                    // Whoever asks what is missing of it would be told of billions of segments.
                    if is_too_long(total, self.preamble.as_ref()?.segment) {
                        return None;
                    }
                    let epoch = fields.u64()?;
                    self.reached(slot.place.checked_add(slot.len.into())?, slot.version)?;
                    self.progress.epoch = self.progress.epoch.max(epoch);
                    self.index.replay_put(&key, slot, total);
                }
                TAG_SEGMENT => {
                    let (key, version) = (fields.key()?, fields.u64()?);
                    let segment = Segment {
                        index: fields.u32()?,
                        place: fields.u64()?,
                        len: fields.u32()?,
                    };
                    self.reached(segment.place.checked_add(segment.record_len())?, version)?;
                    self.index.put_segment(&key, version, segment, None, 0);
                }
                TAG_REMOVAL => {
                    let (key, number) = (fields.key()?, fields.u64()?);
                    self.reached(0, number)?;
                    self.index.forget_older(&key, number);
                }
                TAG_PROGRESS => {
                    let (end, next, epoch) = (fields.u64()?, fields.u64()?, fields.u64()?);
                    self.reached(end, next)?;
                    self.progress.epoch = self.progress.epoch.max(epoch);
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// Takes note of a place and a number; `None` for such as no store of any age has.
    fn reached(&mut self, end: u64, number: u64) -> Option<()> {
        if end > MOST || number > MOST {
            return None;
        }
        self.progress.end = self.progress.end.max(end);
        self.progress.next = self.progress.next.max(number + 1);
        Some(())
    }
}

/// Places and numbers only grow, and never come here: at 10 GB/s it would take fifteen years.
const MOST: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_a_frame_says_reading_it_ends(
            ops in prop::collection::vec((0_u8..7, prop::collection::vec(
                prop_oneof![Just(0_u8), Just(0xFF), any::<u8>()], 0..60)), 0..20),
            preamble in any::<bool>(),
        ) {
            // CF-532: nothing on disk ends the process, not even with the right checksums.
            let limits = DiskLimits::of_capacity(64 * 1024 * 1024);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("journal");
            let mut bytes = Vec::new();
            let mut frame = Frame::default();
            if preamble {
                frame.preamble(&Preamble::new(1, [0; 16], &limits));
                bytes.extend(frame.seal());
            }
            for (tag, fields) in &ops {
                frame.op(*tag).put(fields);
                bytes.extend(frame.seal());
            }
            std::fs::write(&path, &bytes).unwrap();
            match load(&path, &limits).unwrap() {
                Loaded::Warm { index, progress, len, .. } => {
                    prop_assert!(preamble && len == bytes.len() as u64 && progress.end <= MOST);
                    prop_assert!(index.len() <= ops.len() as u64);
                }
                Loaded::Unusable(_) => prop_assert!(!preamble || !ops.is_empty()),
            }
        }
    }

    #[test]
    fn a_length_that_no_body_has_is_damage() {
        // CF-532
        let limits = DiskLimits::of_capacity(64 * 1024 * 1024);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let slot = Slot {
            version: 1,
            place: 0,
            len: 100,
            heat: 0,
            large: true,
        };
        let most = (1 << 20) * limits.segment_len();
        let rows = [
            (None, true),
            (Some(most), true),
            (Some(most + 1), false),
            (Some(u64::MAX - 1), false),
        ];
        for (total, good) in rows {
            let mut frame = Frame::default();
            frame.preamble(&Preamble::new(1, [0; 16], &limits));
            frame.object(&CacheKey::from_bytes([1; 16]), &slot, total, 0);
            std::fs::write(&path, frame.seal()).unwrap();
            let loaded = load(&path, &limits).unwrap();
            assert_eq!(matches!(loaded, Loaded::Warm { .. }), good, "{total:?}");
        }
    }
}
