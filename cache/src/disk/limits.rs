//! How large the disk tier and what is in it may get.

use std::time::Duration;

use super::record::{HEADER, MAX_HEAD, record_len};

/// Sizes of the disk tier, in bytes, and how it behaves when the disk fails. Start from
/// [`DiskLimits::of_capacity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// Size of the data file. The journal comes on top: some 60 bytes for an object, twice that before it is
    /// written anew, and 16 MiB.
    pub capacity: u64,
    /// What is reclaimed at a time. Two regions are always without objects.
    pub region: u64,
    /// Length of all segments of a body but the last.
    pub segment: usize,
    /// The longest body that is kept in one record with its head, and so read with it at once.
    pub inline: usize,
    /// What may wait to be written, in memory. A write that finds no room here is dropped.
    pub write_buffer: u64,
    /// Reads that may wait for the disk at a time; one more is a miss.
    pub reads: usize,
    /// How often the directory is looked at, and how often a tier that is off tries to come back.
    pub check_every: Duration,
    /// Whether a removal is acknowledged only after `fdatasync`, so that it holds after a power cut as well. Without, it
    /// holds after the death of the process.
    pub sync_removals: bool,
}

/// A limit that cannot work, by its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("disk tier: {setting} is {value} bytes, {bound} are {verb}")]
pub struct DiskLimitsError {
    setting: &'static str,
    value: u64,
    bound: String,
    verb: &'static str,
}

const LEAST_REGIONS: u64 = 4;
const LEAST_SEGMENT: u64 = 4 * 1024;
/// Lengths of records are 32-bit numbers of which some bits are spare.
const MOST_SEGMENT: u64 = 64 * 1024 * 1024;
/// Places are 64-bit numbers that only grow; this leaves them room for a million laps.
const MOST_CAPACITY: u64 = 1 << 43;

impl DiskLimits {
    /// The defaults for a capacity: regions of a 64th of it between 4 and 64 MiB, segments of 1 MiB, bodies up to
    /// 256 KiB in one piece with their heads, 64 MiB of write buffer.
    #[must_use]
    pub const fn of_capacity(capacity: u64) -> Self {
        const MEBIBYTE: u64 = 1024 * 1024;
        let share = capacity / 64;
        let region = if share < 4 * MEBIBYTE {
            4 * MEBIBYTE
        } else if share > 64 * MEBIBYTE {
            64 * MEBIBYTE
        } else {
            share
        };
        Self {
            capacity,
            region,
            segment: 1024 * 1024,
            inline: 256 * 1024,
            write_buffer: 64 * MEBIBYTE,
            reads: 128,
            check_every: Duration::from_secs(1),
            sync_removals: true,
        }
    }

    /// Bytes in the ring: whole regions.
    pub(super) const fn ring(&self) -> u64 {
        self.regions() * self.region
    }

    pub(super) const fn regions(&self) -> u64 {
        self.capacity / self.region
    }

    pub(super) const fn segment_len(&self) -> u64 {
        self.segment as u64
    }

    /// Checks that the limits can work together.
    ///
    /// # Errors
    /// [`DiskLimitsError`] names the one that cannot.
    pub fn check(&self) -> Result<(), DiskLimitsError> {
        let segment = self.segment as u64;
        at_least("segment", segment, LEAST_SEGMENT)?;
        at_most("segment", segment, MOST_SEGMENT)?;
        at_most("inline", self.inline as u64, segment)?;
        // Half a region can be kept when it is reclaimed, and one record of any size has to fit beside that.
        let record = record_len(MAX_HEAD, self.segment) + HEADER as u64;
        at_least("region", self.region, 2 * record)?;
        at_least(
            "capacity",
            self.capacity,
            self.region.saturating_mul(LEAST_REGIONS),
        )?;
        at_most("capacity", self.capacity, MOST_CAPACITY)?;
        at_least("write_buffer", self.write_buffer, segment)?;
        at_least("reads", self.reads as u64, 1)
    }
}

fn at_least(setting: &'static str, value: u64, least: u64) -> Result<(), DiskLimitsError> {
    if value >= least {
        return Ok(());
    }
    Err(DiskLimitsError {
        setting,
        value,
        bound: format!("at least {least}"),
        verb: "needed",
    })
}

fn at_most(setting: &'static str, value: u64, most: u64) -> Result<(), DiskLimitsError> {
    if value <= most {
        return Ok(());
    }
    Err(DiskLimitsError {
        setting,
        value,
        bound: format!("at most {most}"),
        verb: "possible",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_work_are_named() {
        // CF-221
        let good = DiskLimits::of_capacity(1 << 30);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(DiskLimits::of_capacity(1 << 42).check(), Ok(()));
        let error = |limits: DiskLimits| limits.check().unwrap_err().to_string();
        assert_eq!(
            error(DiskLimits { segment: 1, ..good }),
            "disk tier: segment is 1 bytes, at least 4096 are needed"
        );
        assert_eq!(
            error(DiskLimits::of_capacity(1 << 20)),
            "disk tier: capacity is 1048576 bytes, at least 16777216 are needed"
        );
        assert_eq!(
            error(DiskLimits {
                inline: 2 * 1024 * 1024,
                ..good
            }),
            "disk tier: inline is 2097152 bytes, at most 1048576 are possible"
        );
        let small = error(DiskLimits {
            region: 1024 * 1024,
            ..good
        });
        assert!(
            small.starts_with("disk tier: region is 1048576 bytes, at least"),
            "{small}"
        );
    }
}
