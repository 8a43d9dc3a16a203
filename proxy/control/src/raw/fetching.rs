//! How fetches for the cache are shared, and when they end.

use std::time::Duration;

use fourfront_model::{FinishFetch, RangeSlice};

use crate::{
    cursor::{Block, Cursor},
    keys,
};

/// Longest wait that can be set, seconds.
const LONGEST_WAIT: u32 = 3_600;

/// `range_slice`: `off`, or a size (CF-533).
pub(super) fn range_slice(cursor: &Cursor<'_>) -> Option<RangeSlice> {
    if cursor.scalar() == Some("off") {
        return Some(RangeSlice::OFF);
    }
    let bytes = cursor.size(RangeSlice::LEAST..=RangeSlice::MOST)?;
    RangeSlice::of(bytes.value)
}

/// `finish_fetch_on_abort`: `off`, `on`, a size or a percentage (CF-224).
pub(super) fn finish_fetch(cursor: &Cursor<'_>) -> Option<FinishFetch> {
    match cursor.scalar() {
        Some("off" | "false") => return Some(FinishFetch::Never),
        Some("on" | "true") => return Some(FinishFetch::Always),
        Some(text) if text.ends_with('%') => {
            let percent = text.trim_end_matches('%').parse().ok();
            let percent = percent.filter(|percent| (1..=99).contains(percent));
            if percent.is_none() {
                cursor.expected("a percentage from 1% to 99%");
            }
            return percent.map(FinishFetch::Come);
        }
        Some(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            return Some(FinishFetch::Missing(cursor.size(1..=u64::MAX)?.value));
        }
        _ => {}
    }
    cursor.expected(
        "`off`, `on`, a percentage such as `80%` or a size such as `1MiB` that may be missing",
    );
    None
}

/// `collapse.max_wait` (CF-405).
pub(super) fn collapse_wait(cursor: &Cursor<'_>) -> Option<Duration> {
    let block = Block::open(cursor, &keys::COLLAPSE)?;
    Some(block.get("max_wait")?.seconds(LONGEST_WAIT)?.value)
}
