//! Reclaiming a region: what was read since it was written is kept, the rest is forgotten.
//!
//! Regions are reclaimed in the order in which they were written, each while the one before the place that comes next is
//! begun, so that one region is always free. A record that was read is written again at the end of the log, as one that
//! was read once less; that is CLOCK with two bits, or the main queue of S3-FIFO. At most half a region is kept, so
//! that half of every region is for new objects however hot the old ones are.
//!
//! Hit ratios from the example `disk_hit_ratio` (64 MiB, objects of 4 KiB, 100,000 keys, the scan of keys that nobody asks for again):
//!
//! | Trace | LRU | Memory tier | Here | Here, with [`SecondOffer`](super::SecondOffer) |
//! | --- | --- | --- | --- | --- |
//! | Zipf 0.7 | 0.431 | 0.421 | 0.450 | 0.485 |
//! | Zipf 0.9 | 0.669 | 0.661 | 0.685 | 0.698 |
//! | Zipf 1.1 | 0.876 | 0.872 | 0.882 | 0.882 |
//! | Zipf 0.9, a third of all is a scan | 0.383 | 0.386 | 0.400 | 0.457 |
//! | Zipf 0.9, half of all is a scan | 0.265 | 0.269 | 0.278 | 0.318 |
//!
//! Strict order is what lets the journal forget removals: when a record is still there, so is everything that was
//! written after it.

use std::io;

use super::{
    batch::{Apply, On},
    counters::{add, count},
    files::Files,
    index::{Fate, Segment, Slot},
    record::{Content, HEADER, Header, Kind},
};

/// Read at a time while walking over small records, and after a record that is longer than that.
const WINDOW: u64 = 256 * 1024;
const SMALL_WINDOW: u64 = 4 * 1024;

impl On {
    /// Frees the region that comes after `region`.
    pub(super) fn reclaim_for(&mut self, region: u64) -> io::Result<()> {
        let (size, regions) = (self.shared.limits.region, self.shared.limits.regions());
        let Some(victim) = (region + 1).checked_sub(regions) else {
            return Ok(());
        };
        let (from, to) = (victim * size, (victim + 1) * size);
        // After a restart it may be swept already.
        if self.live.index.start() >= to {
            return Ok(());
        }
        let mut walk = Walk::new(from, to);
        let mut room = size / 2;
        let intact = loop {
            match walk.next(&self.live.files, self.live.life)? {
                Step::Record(header) => {
                    self.reclaim(&header, &mut room)?;
                    self.flush_if_long()?;
                }
                Step::End => break true,
                Step::Damaged => break false,
            }
        };
        self.flush()?;
        self.live.index.set_start(to);
        if !intact {
            // What follows cannot be found by walking, so the tables are gone through instead.
            tracing::warn!(
                place = walk.at,
                "a damaged record in the disk tier; its region was given up"
            );
            count(&self.shared.counters.corrupt);
            add(&self.shared.counters.evicted, self.live.index.sweep(to));
        }
        Ok(())
    }

    fn reclaim(&mut self, header: &Header, room: &mut u64) -> io::Result<()> {
        let index = &self.live.index;
        let segment = (header.kind == Kind::Segment).then_some(header.index);
        let fate = match segment {
            None => index.reclaim(&header.key, header.place),
            Some(number) => {
                index.reclaim_segment(&header.key, header.version, number, header.place)
            }
        };
        match fate {
            Fate::Dead => Ok(()),
            Fate::Evicted => {
                count(&self.shared.counters.evicted);
                Ok(())
            }
            Fate::Hot { version, .. } if header.record_len() > *room => {
                index.evict(&header.key, version, segment, header.place);
                count(&self.shared.counters.evicted);
                Ok(())
            }
            Fate::Hot { version, heat } => {
                *room -= header.record_len();
                self.keep(header, version, heat)
            }
        }
    }

    /// Writes a record again at the end of the log.
    fn keep(&mut self, header: &Header, version: u64, heat: u8) -> io::Result<()> {
        let (key, from) = (header.key, header.place);
        let len = u32::try_from(header.record_len()).unwrap_or(u32::MAX);
        let record = self.read_record(from, len)?;
        let Some(record) = record.filter(|record| record.is(header.kind, &key, version)) else {
            self.damaged(key, version);
            return Ok(());
        };
        let place = self.append(&Content {
            kind: header.kind,
            key,
            version,
            epoch: header.epoch,
            total: header.total,
            index: header.index,
            head: &record.head,
            body: &record.body,
        });
        count(&self.shared.counters.kept);
        add(&self.shared.counters.kept_bytes, u64::from(len));
        if header.kind == Kind::Segment {
            let segment = Segment {
                index: header.index,
                place,
                len: header.body_len,
            };
            self.then(
                |frame| frame.segment(&key, version, &segment),
                Apply::MovedSegment {
                    key,
                    version,
                    segment,
                    from,
                    heat,
                },
            );
            return Ok(());
        }
        // The length may have become known after the head was written.
        let now = self.live.index.find_version(&key, version);
        let total = header.total.or_else(|| {
            now.and_then(|object| object.large)
                .and_then(|large| large.total)
        });
        let slot = Slot {
            version,
            place,
            len,
            heat,
            large: header.kind == Kind::Head,
        };
        self.then(
            |frame| frame.object(&key, &slot, total, header.epoch),
            Apply::MovedObject { key, slot, from },
        );
        Ok(())
    }
}

/// Goes over the headers of a region.
struct Walk {
    at: u64,
    to: u64,
    last: u64,
    window: Vec<u8>,
    window_at: u64,
}

enum Step {
    Record(Header),
    End,
    Damaged,
}

impl Walk {
    const fn new(from: u64, to: u64) -> Self {
        Self {
            at: from,
            to,
            last: 0,
            window: Vec::new(),
            window_at: from,
        }
    }

    fn next(&mut self, files: &Files, life: u64) -> io::Result<Step> {
        let header_len = HEADER as u64;
        if self.at + header_len > self.to {
            return Ok(Step::End);
        }
        if self.at + header_len > self.window_at + self.window.len() as u64 {
            let len = if self.last < WINDOW {
                WINDOW
            } else {
                SMALL_WINDOW
            };
            let len = len.min(self.to - self.at);
            self.window
                .resize(usize::try_from(len).unwrap_or(HEADER), 0);
            self.window_at = self.at;
            files.read(self.at, &mut self.window)?;
        }
        let offset = usize::try_from(self.at - self.window_at).unwrap_or(usize::MAX);
        let header = self.window.get(offset..).and_then(Header::decode);
        let Some(header) = header.filter(|h| h.life == life && h.place == self.at) else {
            return Ok(Step::Damaged);
        };
        if header.kind == Kind::End {
            return Ok(Step::End);
        }
        if self.at + header.record_len() > self.to {
            return Ok(Step::Damaged);
        }
        self.last = header.record_len();
        self.at += self.last;
        Ok(Step::Record(header))
    }
}
