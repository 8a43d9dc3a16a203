//! Ranges of a stored object (CF-537..540, RFC 9110 section 14).

use http::{HeaderMap, Method, StatusCode, header};

use super::{
    date::{date, parse as parse_date},
    etag::{Comparison, EntityTag},
};

/// More ranges than this are treated as an invalid field (CF-538).
const MAX_RANGES: usize = 100;

/// A range of bytes, both ends included, inside the object it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
}

impl ByteRange {
    /// Number of bytes: the `Content-Length` of a 206.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a byte range has one byte at least"
    )]
    pub const fn len(self) -> u64 {
        self.end - self.start + 1
    }

    /// `Content-Range` of a 206 (RFC 9110 section 14.4).
    pub fn content_range(self, complete_length: u64) -> String {
        format!("bytes {}-{}/{complete_length}", self.start, self.end)
    }
}

/// `Content-Range` of a 416 (CF-539).
pub fn unsatisfied_range(complete_length: u64) -> String {
    format!("bytes */{complete_length}")
}

/// What part of a stored object a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeAnswer {
    /// All of it, with the stored status.
    Full,
    /// 206 with one part.
    Single(ByteRange),
    /// 206 `multipart/byteranges` with several parts, in order and apart (CF-538).
    Multiple(Vec<ByteRange>),
    /// 416 with [`unsatisfied_range`].
    Unsatisfiable,
}

/// Evaluates `Range` and `If-Range` on a stored response, after the preconditions (RFC 9110 section
/// 13.2.2). Ranges count on GET, for a stored 200 whose complete length is known.
pub fn evaluate_range(
    method: &Method,
    request: &HeaderMap,
    stored_status: StatusCode,
    stored: &HeaderMap,
    complete_length: Option<u64>,
) -> RangeAnswer {
    let mut lines = request.get_all(header::RANGE).iter();
    let (Some(range), None, Some(length)) = (lines.next(), lines.next(), complete_length) else {
        return RangeAnswer::Full;
    };
    if method != Method::GET || stored_status != StatusCode::OK || !if_range_holds(request, stored)
    {
        return RangeAnswer::Full;
    }
    // CF-537: an invalid field is ignored.
    resolve(range.as_bytes(), length).unwrap_or(RangeAnswer::Full)
}

/// CF-540: a strong match with the stored tag, or exactly its date. The date is a strong validator
/// only when the response was made later than that second (RFC 9110 section 8.8.2.2).
fn if_range_holds(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(condition) = request.get(header::IF_RANGE) else {
        return true;
    };
    if let Some(since) = parse_date(condition) {
        let modified = date(stored, &header::LAST_MODIFIED);
        let made = date(stored, &header::DATE);
        return modified == Some(since) && made.is_some_and(|made| made > since);
    }
    let tag = |value: &http::HeaderValue| {
        EntityTag::parse(value.as_bytes()).is_some_and(|stored| {
            EntityTag::parse(condition.as_bytes())
                .is_some_and(|wanted| stored.matches(wanted, Comparison::Strong))
        })
    };
    stored.get(header::ETAG).is_some_and(tag)
}

/// What a field asks for, in order; `None` for one that is to be ignored.
pub(super) fn specs(field: &[u8]) -> Option<Vec<Spec>> {
    let equals = field.iter().position(|b| *b == b'=')?;
    let (unit, set) = (field[..equals].trim_ascii(), &field[equals + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for spec in set.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
        if spec.is_empty() {
            continue;
        }
        if specs.len() == MAX_RANGES {
            return None;
        }
        specs.push(Spec::parse(spec)?);
    }
    (!specs.is_empty()).then_some(specs)
}

/// `None` for a field that is to be ignored.
fn resolve(field: &[u8], length: u64) -> Option<RangeAnswer> {
    let mut ranges: Vec<ByteRange> = Vec::new();
    let mut floor = 0;
    for spec in specs(field)? {
        match spec.within(length) {
            Within::Part(range) => {
                // CF-537: ascending and apart, or the field is ignored.
                if range.start < floor {
                    return None;
                }
                floor = range.end + 1;
                ranges.push(range);
            }
            Within::Beyond => {}
            Within::Everything => return Some(RangeAnswer::Full),
        }
    }
    match ranges.as_slice() {
        [] => Some(RangeAnswer::Unsatisfiable),
        [one] => Some(RangeAnswer::Single(*one)),
        _ => Some(RangeAnswer::Multiple(ranges)),
    }
}

/// One range of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    /// `first-` or `first-last`.
    From { first: u64, last: Option<u64> },
    /// `-count`.
    Suffix(u64),
}

enum Within {
    Part(ByteRange),
    /// Nothing of the object (CF-539).
    Beyond,
    /// All of an empty object, which no `Content-Range` can say.
    Everything,
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = spec.iter().position(|b| *b == b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        match (first, last) {
            (b"", last) => Some(Self::Suffix(number(last)?)),
            (first, b"") => Some(Self::From {
                first: number(first)?,
                last: None,
            }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From {
                    first,
                    last: Some(last),
                })
            }
        }
    }

    fn within(&self, length: u64) -> Within {
        let Some(end_of_object) = length.checked_sub(1) else {
            return match self {
                Self::Suffix(count) if *count > 0 => Within::Everything,
                Self::From { .. } | Self::Suffix(_) => Within::Beyond,
            };
        };
        match *self {
            Self::Suffix(0) => Within::Beyond,
            Self::Suffix(count) => Within::Part(ByteRange {
                start: length.saturating_sub(count),
                end: end_of_object,
            }),
            Self::From { first, .. } if first > end_of_object => Within::Beyond,
            Self::From { first, last } => Within::Part(ByteRange {
                start: first,
                end: last.map_or(end_of_object, |last| last.min(end_of_object)),
            }),
        }
    }
}

/// Digits; a number too large for any object stays too large.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_u64, |sum, b| {
        sum.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use RangeAnswer::{Full, Multiple, Single, Unsatisfiable};
    use proptest::prelude::*;

    const MADE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn of(range: &str, length: u64) -> RangeAnswer {
        let request = map(&[("range", range)]);
        evaluate_range(
            &Method::GET,
            &request,
            StatusCode::OK,
            &HeaderMap::new(),
            Some(length),
        )
    }

    const fn part(start: u64, end: u64) -> ByteRange {
        ByteRange { start, end }
    }

    #[test]
    fn single_ranges() {
        // CF-537, CF-539
        let rows = [
            ("bytes=0-0", Single(part(0, 0))),
            ("bytes=0-499", Single(part(0, 499))),
            ("bytes=500-", Single(part(500, 999))),
            ("bytes=-500", Single(part(500, 999))),
            ("bytes=-5000", Single(part(0, 999))),
            ("bytes=900-5000", Single(part(900, 999))),
            ("Bytes = 0-1", Single(part(0, 1))),
            ("bytes= 0-1 , ", Single(part(0, 1))),
            ("bytes=999-99999999999999999999999", Single(part(999, 999))),
            ("bytes=1000-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
        ];
        for (range, want) in rows {
            assert_eq!(of(range, 1_000), want, "{range}");
        }
        assert_eq!(part(0, 499).content_range(1_000), "bytes 0-499/1000");
        assert_eq!(part(0, 499).len(), 500);
        assert_eq!(unsatisfied_range(1_000), "bytes */1000");
    }

    #[test]
    fn invalid_fields_are_ignored() {
        // CF-537
        for range in [
            "bytes=5-2",
            "bytes=a-b",
            "bytes=",
            "bytes=,",
            "bytes=1",
            "bytes=--1",
            "bytes=1-2-3",
            "bytes",
            "items=0-1",
            "bytes=0-1,x",
            "bytes=500-600,0-10",
            "bytes=0-100,50-200",
            "bytes=0-,-5",
            "bytes=+1-2",
        ] {
            assert_eq!(of(range, 1_000), Full, "{range}");
        }
    }

    #[test]
    fn several_ranges_are_reported_up_to_a_hundred() {
        // CF-538
        let got = of("bytes=0-1, 5-6,-2", 1_000);
        assert_eq!(got, Multiple(vec![part(0, 1), part(5, 6), part(998, 999)]));
        // What lies beyond the end is left out of the answer.
        assert_eq!(of("bytes=0-1,2000-", 1_000), Single(part(0, 1)));
        assert_eq!(of("bytes=1000-,2000-", 1_000), Unsatisfiable);
        let many = |n: usize| {
            let specs: Vec<_> = (0..n).map(|i| format!("{}-{}", i * 2, i * 2)).collect();
            of(&format!("bytes={}", specs.join(",")), 1_000)
        };
        assert!(matches!(many(100), Multiple(ranges) if ranges.len() == 100));
        assert_eq!(many(101), Full);
    }

    #[test]
    fn an_empty_object_has_no_part_but_a_suffix_of_it_is_all_of_it() {
        // CF-539
        assert_eq!(of("bytes=0-", 0), Unsatisfiable);
        assert_eq!(of("bytes=-5", 0), Full);
        assert_eq!(of("bytes=-0", 0), Unsatisfiable);
    }

    #[test]
    fn if_range_needs_a_strong_match() {
        // CF-540
        let with = |if_range: &str, stored: &[(&'static str, &str)]| {
            let request = map(&[("range", "bytes=0-1"), ("if-range", if_range)]);
            let stored = map(stored);
            evaluate_range(&Method::GET, &request, StatusCode::OK, &stored, Some(10))
        };
        let partial = Single(part(0, 1));
        assert_eq!(with("\"1\"", &[("etag", "\"1\"")]), partial);
        assert_eq!(with("\"2\"", &[("etag", "\"1\"")]), Full);
        assert_eq!(with("\"1\"", &[("etag", "W/\"1\"")]), Full);
        assert_eq!(with("W/\"1\"", &[("etag", "W/\"1\"")]), Full);
        assert_eq!(with("\"1\"", &[]), Full);
        let dated = [("last-modified", MODIFIED), ("date", MADE)];
        assert_eq!(with(MODIFIED, &dated), partial);
        assert_eq!(with(MADE, &dated), Full);
        assert_eq!(with(MADE, &[("last-modified", MADE), ("date", MADE)]), Full);
        assert_eq!(with(MODIFIED, &[("etag", "\"1\"")]), Full);
    }

    #[test]
    fn ranges_count_only_on_get_for_a_complete_200() {
        // CF-532, CF-537
        let request = map(&[("range", "bytes=0-1")]);
        let none = HeaderMap::new();
        let of = |method, status, length| evaluate_range(&method, &request, status, &none, length);
        assert_eq!(of(Method::HEAD, StatusCode::OK, Some(10)), Full);
        assert_eq!(of(Method::GET, StatusCode::NOT_FOUND, Some(10)), Full);
        assert_eq!(of(Method::GET, StatusCode::OK, None), Full);
        let twice = map(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
        let got = evaluate_range(&Method::GET, &twice, StatusCode::OK, &none, Some(10));
        assert_eq!(got, Full);
    }

    proptest! {
        #[test]
        fn any_field_resolves_to_parts_inside_the_object(
            field in "bytes=[0-9,\\- ]{0,40}", length in 0_u64..200,
        ) {
            // CF-537
            let parts = match of(&field, length) {
                Full | Unsatisfiable => Vec::new(),
                Single(one) => vec![one],
                Multiple(many) => many,
            };
            let mut floor = 0;
            for part in parts {
                prop_assert!(part.start >= floor && part.start <= part.end && part.end < length);
                floor = part.end + 1;
            }
        }
    }
}
