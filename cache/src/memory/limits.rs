//! How large the memory tier and what is in it may get.

use super::object::weight;

/// Sizes of the memory tier, in bytes. Start from [`MemoryLimits::of_capacity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// What complete objects may weigh together. Eviction lags a little behind insertion.
    pub capacity: u64,
    /// The longest body that is kept (CF-221). With its head it must fit into `capacity` besides.
    pub max_object: u64,
    /// Largest contiguous piece of a body.
    pub segment: usize,
    /// What bodies may hold together while they arrive, on top of `capacity`.
    pub fills: u64,
    /// How far a reader may fall behind a body that turned out too large to keep (CF-617).
    pub relay_window: u64,
}

/// A limit that cannot work, by its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// Below the least value that works.
    #[error("memory tier: {setting} is {value} bytes, at least {least} are needed")]
    TooSmall {
        /// Field of [`MemoryLimits`].
        setting: &'static str,
        /// What it was.
        value: u64,
        /// What it must be.
        least: u64,
    },
    /// Above the most that works.
    #[error("memory tier: {setting} is {value} bytes, at most {most} are possible")]
    TooLarge {
        /// Field of [`MemoryLimits`].
        setting: &'static str,
        /// What it was.
        value: u64,
        /// What it may be.
        most: u64,
    },
}

/// Entries weigh at most what moka's 32-bit weights can say.
const HEAVIEST_ENTRY: u64 = u32::MAX as u64;
const LEAST_CAPACITY: u64 = 64 * 1024;
const LEAST_SEGMENT: u64 = 4 * 1024;

impl MemoryLimits {
    /// The defaults for a capacity: one object takes at most an eighth, segments are 1 MiB, arriving
    /// bodies may hold half as much again, and readers of a body that is not kept may be as far behind as
    /// an object may be large.
    pub const fn of_capacity(capacity: u64) -> Self {
        let eighth = capacity / 8;
        let max_object = if eighth < HEAVIEST_ENTRY {
            eighth
        } else {
            HEAVIEST_ENTRY
        };
        Self {
            capacity,
            max_object,
            segment: 1024 * 1024,
            fills: capacity / 2,
            relay_window: max_object,
        }
    }

    /// The same limits for bodies of at most `bytes`, or as much as the capacity allows. One such body may arrive
    /// at a time, however large it is.
    #[must_use]
    pub const fn with_max_object(mut self, bytes: u64) -> Self {
        self.max_object = if bytes < self.heaviest() {
            bytes
        } else {
            self.heaviest()
        };
        if self.fills < self.max_object {
            self.fills = self.max_object;
        }
        self
    }

    /// Whether an object may be kept whose head weighs `head` bytes and whose body is `body` bytes long. This is the
    /// only such rule: what decides to store a response asks it, and so does what stores it.
    pub const fn fits(&self, head: usize, body: u64) -> bool {
        body <= self.max_object && weight(head, body) <= self.heaviest()
    }

    const fn heaviest(&self) -> u64 {
        if self.capacity < HEAVIEST_ENTRY {
            self.capacity
        } else {
            HEAVIEST_ENTRY
        }
    }

    /// Checks that the limits can work together.
    pub(super) fn check(&self) -> Result<(), LimitsError> {
        let segment = self.segment as u64;
        at_least("capacity", self.capacity, LEAST_CAPACITY)?;
        at_least("segment", segment, LEAST_SEGMENT)?;
        at_least("max_object", self.max_object, LEAST_SEGMENT)?;
        at_least("fills", self.fills, LEAST_SEGMENT)?;
        at_most("max_object", self.max_object, self.heaviest())
    }
}

const fn at_least(setting: &'static str, value: u64, least: u64) -> Result<(), LimitsError> {
    if value < least {
        Err(LimitsError::TooSmall {
            setting,
            value,
            least,
        })
    } else {
        Ok(())
    }
}

const fn at_most(setting: &'static str, value: u64, most: u64) -> Result<(), LimitsError> {
    if value > most {
        Err(LimitsError::TooLarge {
            setting,
            value,
            most,
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u64 = 1024 * 1024;

    #[test]
    fn the_size_of_objects_can_be_set_up_to_the_capacity() {
        // CF-221
        let limits = MemoryLimits::of_capacity(8 * MEBIBYTE);
        assert!(limits.fits(2_000, MEBIBYTE) && !limits.fits(2_000, MEBIBYTE + 1));
        let larger = limits.with_max_object(6 * MEBIBYTE);
        assert!(larger.fits(2_000, 6 * MEBIBYTE) && !larger.fits(2_000, 6 * MEBIBYTE + 1));
        assert_eq!((larger.fills, larger.check()), (6 * MEBIBYTE, Ok(())));
        let smaller = limits.with_max_object(10_000);
        assert!(smaller.fits(2_000, 10_000) && !smaller.fits(2_000, 10_001));
        assert_eq!(smaller.fills, limits.fills);
        // Beyond the capacity the whole entry decides.
        let largest = limits.with_max_object(u64::MAX);
        assert_eq!(largest.check(), Ok(()));
        assert!(!largest.fits(2_000, 8 * MEBIBYTE) && largest.fits(2_000, 8 * MEBIBYTE - 10_000));
    }

    #[test]
    fn limits_that_cannot_work_are_named() {
        let good = MemoryLimits::of_capacity(MEBIBYTE);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(MemoryLimits::of_capacity(1 << 40).check(), Ok(()));
        let error = |limits: MemoryLimits| limits.check().unwrap_err().to_string();
        assert_eq!(
            error(MemoryLimits {
                capacity: 0,
                ..good
            }),
            "memory tier: capacity is 0 bytes, at least 65536 are needed"
        );
        assert_eq!(
            error(MemoryLimits { segment: 1, ..good }),
            "memory tier: segment is 1 bytes, at least 4096 are needed"
        );
        assert_eq!(
            error(MemoryLimits {
                max_object: MEBIBYTE + 1,
                ..good
            }),
            "memory tier: max_object is 1048577 bytes, at most 1048576 are possible"
        );
    }
}
