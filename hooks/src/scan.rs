//! Looking for odd bytes in short text, eight at a time. Almost every header value has none, and
//! finding that out is a good part of what building an event and judging a result cost.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether a JSON string may hold the bytes as they are: ASCII, without quotes, backslashes and controls.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    all(bytes, |word| {
        (word & HIGH) | below_space(word) | equal(word, b'"') | equal(word, b'\\')
    })
}

/// Whether there is no control character, tab and DEL among them. Letters beyond ASCII are none.
pub(crate) fn is_without_controls(bytes: &[u8]) -> bool {
    all(bytes, |word| below_space(word) | equal(word, 0x7f))
}

/// Whether `odd` marks no byte. It is given eight at a time; the rest is filled up with letters.
fn all(bytes: &[u8], odd: impl Fn(u64) -> u64) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b'a'; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().all(|w| odd(u64::from_le_bytes(*w)) == 0) && odd(u64::from_le_bytes(last)) == 0
}

/// Non-zero when a byte is below 0x20.
const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGH
}

/// Non-zero when a byte equals `b`.
const fn equal(word: u64, b: u8) -> u64 {
    let x = word ^ (ONES * b as u64);
    x.wrapping_sub(ONES) & !x & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_judged_as_alone() {
        // LE-098, LE-204
        for len in 1..20 {
            for at in 0..len {
                for b in 0..=255u8 {
                    for fill in [b' ', b'~', b'a'] {
                        let mut bytes = vec![fill; len];
                        bytes[at] = b;
                        let plain = b.is_ascii() && b >= b' ' && b != b'"' && b != b'\\';
                        assert_eq!(is_plain(&bytes), plain, "{b} at {at} of {len}");
                        let clean = b >= b' ' && b != 0x7f;
                        assert_eq!(is_without_controls(&bytes), clean, "{b} at {at} of {len}");
                    }
                }
            }
        }
        assert!(is_plain(b"") && is_without_controls(b""));
    }

    #[test]
    fn neighbours_do_not_hide_each_other() {
        // LE-204: borrows may cross bytes, but only above one that is marked already
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let bytes = [b'x', a, b, b'x', b'x', b'x', b'x', b'x', b'x'];
                let clean = |b: u8| b >= b' ' && b != 0x7f;
                assert_eq!(is_without_controls(&bytes), clean(a) && clean(b), "{a} {b}");
            }
        }
    }
}
