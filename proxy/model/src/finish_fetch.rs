//! What becomes of a fetch whose viewer leaves (CF-224).

/// `finish_fetch_on_abort`: whether a response that is being stored is fetched to its end when nobody waits for it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinishFetch {
    /// It is broken off, and nothing of it is stored. CloudFront's way.
    #[default]
    Never,
    /// It always is.
    Always,
    /// Where at most so many bytes are missing.
    Missing(u64),
    /// Where at least so many percent have come, from 1 to 99.
    Come(u8),
}

impl FinishFetch {
    /// Whether a fetch goes on of which `come` bytes have come, of `length` bytes if that was announced. Where it was not,
    /// there is no telling what is missing.
    pub const fn goes_on(self, come: u64, length: Option<u64>) -> bool {
        match (self, length) {
            (Self::Always, _) => true,
            (_, Some(length)) if come >= length => true,
            (Self::Never | Self::Missing(_) | Self::Come(_), None) | (Self::Never, _) => false,
            (Self::Missing(most), Some(length)) => length.saturating_sub(come) <= most,
            (Self::Come(percent), Some(length)) => {
                come as u128 * 100 >= length as u128 * percent as u128
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_goes_on_by_what_is_missing_or_has_come() {
        // CF-224
        let length = Some(1_000);
        for (how, come, length, want) in [
            (FinishFetch::Never, 999, length, false),
            // There is nothing left to break off.
            (FinishFetch::Never, 1_000, length, true),
            (FinishFetch::Never, 0, None, false),
            (FinishFetch::Always, 0, None, true),
            (FinishFetch::Missing(100), 899, length, false),
            (FinishFetch::Missing(100), 900, length, true),
            (FinishFetch::Missing(100), 900, None, false),
            (FinishFetch::Come(80), 799, length, false),
            (FinishFetch::Come(80), 800, length, true),
            (FinishFetch::Come(80), 800, None, false),
            (FinishFetch::Come(99), u64::MAX, Some(u64::MAX), true),
        ] {
            assert_eq!(how.goes_on(come, length), want, "{how:?} {come} {length:?}");
        }
    }
}
