//! From fractions to whole numbers, in the one place where that may lose something.

/// The nearest whole number of at least 0, halves up; `None` where there is none.
pub(crate) fn rounded(value: f64) -> Option<u32> {
    let value = (value + 0.5).floor();
    (value >= 0.0 && value <= f64::from(u32::MAX)).then(|| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "just compared with its bounds"
        )]
        let whole = value as u32;
        whole
    })
}

/// A number of pixels: the nearest, and at least one.
pub(crate) fn pixels(value: f64) -> usize {
    rounded(value).map_or(1, |v| v.max(1) as usize)
}

/// The nearest sample.
#[inline]
pub(crate) fn sample(value: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, which is what is wanted"
    )]
    let sample = (value + 0.5) as u8;
    sample
}

/// A length as a fraction.
#[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
pub(crate) fn real(length: usize) -> f64 {
    length as f64
}

/// A length as formats write them.
pub(crate) fn length(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
