//! How large the memory tier and what is in it may get.

/// Sizes of the memory tier, in bytes. Start from [`MemoryLimits::of_capacity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// What complete objects may weigh together. Eviction lags a little behind insertion.
    pub capacity: u64,
    /// The heaviest object that is kept, head included.
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

    /// Checks that the limits can work together.
    pub(super) fn check(&self) -> Result<(), LimitsError> {
        let segment = self.segment as u64;
        at_least("capacity", self.capacity, LEAST_CAPACITY)?;
        at_least("segment", segment, LEAST_SEGMENT)?;
        at_least("max_object", self.max_object, LEAST_SEGMENT)?;
        at_least("fills", self.fills, LEAST_SEGMENT)?;
        at_most(
            "max_object",
            self.max_object,
            self.capacity.min(HEAVIEST_ENTRY),
        )
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
