//! What a store has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers since the store was opened. Counts of things, but where bytes are named.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct DiskCounts {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> DiskCounts {
                DiskCounts {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                }
            }
        }
    };
}

counters! {
    /// Lookups that found an object.
    hits,
    /// Lookups that found none, or found the tier off.
    misses,
    /// Reads that had to wait for the disk, and were made on another thread.
    waited_reads,
    /// Reads that were misses because too many others waited for the disk.
    throttled_reads,
    /// Records that were damaged when they were read; their objects are gone.
    corrupt,
    /// Reads that the disk refused.
    read_errors,
    /// Writes that the disk refused.
    write_errors,
    /// Objects that became visible.
    stored,
    /// Objects and segments that found no room in the write buffer.
    dropped_no_room,
    /// Objects that the admission refused.
    dropped_not_admitted,
    /// Objects that a removal, a newer object or a failure of the disk overtook before they were visible.
    dropped_overtaken,
    /// Removals that are in the journal.
    removed,
    /// Records that were forgotten to make room.
    evicted,
    /// Records that were kept when their region was reclaimed, since they had been read.
    kept,
    /// Bytes of records written, kept ones included.
    written_bytes,
    /// Bytes of records that were kept.
    kept_bytes,
    /// Times the journal was written anew.
    journals,
    /// Times the tier went off.
    went_off,
    /// Times it came back.
    came_back,
}

pub(super) fn count(counter: &AtomicU64) {
    add(counter, 1);
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
