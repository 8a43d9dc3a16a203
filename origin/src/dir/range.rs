//! One byte range of a file (RFC 9110 section 14). Pure.

use http::{HeaderMap, header};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Everything: no range, one that is malformed (CF-537), or several, which a bucket does not serve either.
    Whole,
    /// These bytes, both ends included.
    Part { first: u64, last: u64 },
    /// None of the bytes there are: 416.
    Unsatisfiable,
}

/// The range a request asks of an object of `size` bytes.
pub(super) fn of(asked: &HeaderMap, size: u64) -> Range {
    let mut fields = asked.get_all(header::RANGE).iter();
    match (fields.next(), fields.next()) {
        (Some(only), None) => only
            .to_str()
            .ok()
            .and_then(|value| parse(value, size))
            .unwrap_or(Range::Whole),
        _ => Range::Whole,
    }
}

fn parse(value: &str, size: u64) -> Option<Range> {
    let (unit, spec) = value.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let (from, to) = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => (size.saturating_sub(suffix), u64::MAX),
        (Some(from), None) if last.is_empty() => (from, u64::MAX),
        (Some(from), Some(to)) if from <= to => (from, to),
        _ => return None,
    };
    if from >= size {
        return Some(Range::Unsatisfiable);
    }
    Some(Range::Part {
        first: from,
        last: to.min(size - 1),
    })
}

/// Digits only. Numbers past 64 bits lie beyond the end of every file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(value: &str, size: u64) -> Range {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(value).unwrap());
        of(&headers, size)
    }

    #[test]
    fn the_forms_of_one_range() {
        // CF-537, CF-539
        let part = |first, last| Range::Part { first, last };
        let table = [
            ("bytes=0-0", part(0, 0)),
            ("Bytes=2-5", part(2, 5)),
            ("bytes= 2-5", part(2, 5)),
            ("bytes=7-", part(7, 9)),
            ("bytes=7-99", part(7, 9)),
            ("bytes=7-99999999999999999999999", part(7, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=10-12", Range::Unsatisfiable),
            ("bytes=99999999999999999999999-", Range::Unsatisfiable),
            ("bytes=5-2", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("bytes=1", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes", Range::Whole),
        ];
        for (value, expected) in table {
            assert_eq!(asked(value, 10), expected, "{value}");
        }
        assert_eq!(asked("bytes=0-", 0), Range::Unsatisfiable);
        assert_eq!(asked("bytes=-5", 0), Range::Unsatisfiable);
    }

    #[test]
    fn two_range_fields_are_no_range() {
        let mut headers = HeaderMap::new();
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(of(&headers, 10), Range::Whole);
        assert_eq!(of(&HeaderMap::new(), 10), Range::Whole);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_object(value in "(bytes)?=?[0-9]{0,21}-?[0-9]{0,21},?", size: u64) {
            if let Range::Part { first, last } = asked(&value, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
