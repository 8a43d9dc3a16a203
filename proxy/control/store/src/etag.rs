//! ETags: how a revision looks to a client (CP-040).

use sha2::{Digest as _, Sha256};

use crate::kind::Kind;

const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: usize = 13;

/// The ETag of a document at a revision: `E` and 13 of `[A-Z0-9]` (CP-040).
///
/// The same on every node and after every restart. Two revisions of one document never share one: a revision goes
/// through a bijection of 64 bits that depends on kind and id, and 13 digits to the base of 36 hold 64 bits.
#[must_use]
pub fn etag(kind: &Kind, id: &str, revision: u64) -> String {
    tagged(kind.as_str(), id, revision)
}

/// The ETag of the data of a key-value store (CP-157): never one of the store's document.
pub(crate) fn data_etag(id: &str, revision: u64) -> String {
    tagged("key-value-data", id, revision)
}

/// Whether `text` has the form of an ETag (CP-041: what has not is `InvalidIfMatchVersion`, not a conflict).
#[must_use]
pub fn is_etag(text: &str) -> bool {
    text.strip_prefix('E').is_some_and(|digits| {
        digits.len() == DIGITS
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

fn tagged(domain: &str, id: &str, revision: u64) -> String {
    let hash = Sha256::new()
        .chain_update(domain)
        .chain_update([0])
        .chain_update(id)
        .finalize();
    let mut number = mix(revision ^ u64::from_le_bytes(first_eight(&hash)));
    let mut text = [b'0'; DIGITS + 1];
    text[0] = b'E';
    for digit in text[1..].iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(number % 36).unwrap_or(0)];
        number /= 36;
    }
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// The finaliser of SplitMix64: each step can be undone, so no two inputs meet.
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn first_eight(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    first
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn etags_are_the_same_for_ever() {
        // CP-040: nodes of other versions and machines must say the same, so the values are pinned.
        assert_eq!(etag(&Kind::Distribution, "EDFDVBD632BHDS5", 1), PINNED[0]);
        assert_eq!(etag(&Kind::Distribution, "EDFDVBD632BHDS5", 2), PINNED[1]);
        assert_eq!(etag(&Kind::CachePolicy, "EDFDVBD632BHDS5", 1), PINNED[2]);
        assert_eq!(data_etag("EDFDVBD632BHDS5", u64::MAX), PINNED[3]);
    }

    const PINNED: [&str; 4] = [
        "E0VAMZK7PB1FLA",
        "E08V6658NXPHCL",
        "E3A5UD9BG2QQCO",
        "E1IC0KWA396F2D",
    ];

    #[test]
    fn no_two_of_many_revisions_share_one() {
        // CP-040: it changes with every revision.
        let all: HashSet<String> = (0..20_000)
            .map(|revision| etag(&Kind::Lambda, "f", revision))
            .collect();
        assert_eq!(all.len(), 20_000);
    }

    proptest! {
        // CP-040, CP-041: the form holds whatever the id.
        #[test]
        fn the_form_is_that_of_cloudfront(id in ".{0,40}", revision: u64) {
            let etag = etag(&Kind::KeyGroup, &id, revision);
            prop_assert!(is_etag(&etag), "{etag}");
        }
    }

    #[test]
    fn what_is_no_etag_is_told_apart() {
        // CP-041
        for wrong in [
            "",
            "E",
            "E2QWRUHAPOMQZ",
            "E2QWRUHAPOMQZLL",
            "e2QWRUHAPOMQZL",
            "E2QWRUHAPOMQz1",
            "*",
        ] {
            assert!(!is_etag(wrong), "{wrong}");
        }
        assert!(is_etag("E2QWRUHAPOMQZL"));
    }
}
