//! Parts of a representation that came in different responses: how one is asked for, and when two are parts of the same
//! (CF-533, CF-534, CF-835, RFC 9110 section 14.4, RFC 9111 section 3.4).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    ByteRange,
    date::{date, parse as parse_date},
    etag::EntityTag,
    range::{Spec, specs},
};

/// What makes two parts the same representation's: a strong validator (RFC 9110 section 8.8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StrongValidator {
    /// A strong entity tag.
    Tag(HeaderValue),
    /// A modification date that lies before the response was made (RFC 9110 section 8.8.2.2).
    Date(HeaderValue),
}

/// How much earlier than the response a representation must have been modified for its date to be strong.
const STRONG_AFTER: Duration = Duration::from_secs(1);

impl StrongValidator {
    /// That of a response. A tag counts before a date; where there is a weak one, the date says no more than it.
    pub fn of(response: &HeaderMap) -> Option<Self> {
        if let Some(tag) = response.get(header::ETAG) {
            let parsed = EntityTag::parse(tag.as_bytes())?;
            return (parsed.is_quoted() && !parsed.is_weak()).then(|| Self::Tag(tag.clone()));
        }
        let value = response.get(header::LAST_MODIFIED)?;
        let modified = parse_date(value)?;
        let made = date(response, &header::DATE)?;
        (made.duration_since(modified).ok()? >= STRONG_AFTER).then(|| Self::Date(value.clone()))
    }

    /// The condition under which another part may be asked for: with any other representation in place the origin says
    /// 412.
    pub fn condition(&self) -> (HeaderName, HeaderValue) {
        match self {
            Self::Tag(tag) => (header::IF_MATCH, tag.clone()),
            Self::Date(date) => (header::IF_UNMODIFIED_SINCE, date.clone()),
        }
    }

    /// Whether a response has this validator too. An origin may ignore conditions.
    pub fn is_of(&self, response: &HeaderMap) -> bool {
        match self {
            Self::Tag(tag) => response.get(header::ETAG) == Some(tag),
            Self::Date(date) => {
                !response.contains_key(header::ETAG)
                    && response.get(header::LAST_MODIFIED) == Some(date)
            }
        }
    }
}

/// What a 206 says of itself (RFC 9110 section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that are in it.
    pub range: ByteRange,
    /// Length of the whole in bytes, when it is told.
    pub complete: Option<u64>,
}

impl ContentRange {
    /// Of a response's only `Content-Range`; `None` for what is no range of bytes within its length.
    pub fn of(response: &HeaderMap) -> Option<Self> {
        let mut lines = response.get_all(header::CONTENT_RANGE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return None;
        };
        let text = line.to_str().ok()?.trim();
        let (unit, rest) = text.split_once(' ')?;
        let (range, complete) = rest.split_once('/')?;
        let (start, end) = range.split_once('-')?;
        let number = |text: &str| -> Option<u64> {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let range = ByteRange {
            start: number(start)?,
            end: number(end)?,
        };
        let complete = match complete {
            "*" => None,
            length => Some(number(length)?),
        };
        let within = complete.is_none_or(|length| range.end < length);
        (unit.eq_ignore_ascii_case("bytes") && range.start <= range.end && within)
            .then_some(Self { range, complete })
    }
}

/// What is asked of the origin in place of a range of an object of which nothing is known: whole segments from the one in
/// which the first wanted range begins, at most `most` of them (CF-533). For a range that counts from the end, the first
/// segment, which tells the length. `None` for a field that is to be ignored (CF-537), and for other units.
pub fn aligned_range(request: &HeaderMap, segment: u64, most: u64) -> Option<ByteRange> {
    let mut lines = request.get_all(header::RANGE).iter();
    let (Some(field), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let first = specs(field.as_bytes())?.into_iter().next()?;
    let (start, last) = match first {
        Spec::Suffix(_) => (0, Some(0)),
        Spec::From { first, last } => (first, last),
    };
    let start = start - start % segment;
    let furthest = start.checked_add(segment.checked_mul(most)?)? - 1;
    let end = match last {
        Some(last) => (last - last % segment)
            .saturating_add(segment - 1)
            .min(furthest),
        None => furthest,
    };
    Some(ByteRange { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_a_strong_validator_joins_parts() {
        // CF-534, RFC 9110 section 8.8.1, 8.8.2.2
        let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = ("date", "Sun, 06 Nov 1994 08:49:38 GMT");
        let then = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (fields, condition) in [
            (vec![("etag", "\"a\"")], Some("if-match: \"a\"")),
            (vec![("etag", "W/\"a\"")], None),
            (vec![("etag", "a")], None),
            (vec![("etag", "W/\"a\""), modified, later], None),
            (
                vec![modified, later],
                Some("if-unmodified-since: Sun, 06 Nov 1994 08:49:37 GMT"),
            ),
            (vec![modified, then], None),
            (vec![modified], None),
            (vec![], None),
        ] {
            let head = head(&fields);
            let validator = StrongValidator::of(&head);
            let told = validator.as_ref().map(|v| {
                let (name, value) = v.condition();
                format!("{name}: {}", value.to_str().unwrap())
            });
            assert_eq!(told.as_deref(), condition, "{fields:?}");
            assert!(validator.is_none_or(|v| v.is_of(&head)), "{fields:?}");
        }
        let tag = StrongValidator::of(&head(&[("etag", "\"a\"")])).unwrap();
        assert!(!tag.is_of(&head(&[("etag", "\"b\"")])));
        assert!(!tag.is_of(&head(&[])));
        let date = StrongValidator::of(&head(&[modified, later])).unwrap();
        assert!(!date.is_of(&head(&[modified, ("etag", "\"a\"")])));
    }

    #[test]
    fn a_content_range_lies_within_its_length() {
        // RFC 9110 section 14.4
        for (field, read) in [
            ("bytes 0-9/10", Some((0, 9, Some(10)))),
            ("Bytes 5-9/*", Some((5, 9, None))),
            ("bytes 0-10/10", None),
            ("bytes 3-2/10", None),
            ("bytes */10", None),
            ("bytes -1-2/10", None),
            ("bytes +1-2/10", None),
            ("bytes 1-2", None),
            ("items 1-2/10", None),
            ("bytes 0-18446744073709551616/*", None),
            ("", None),
        ] {
            let head = head(&[("content-range", field)]);
            let read = read.map(|(start, end, complete)| ContentRange {
                range: ByteRange { start, end },
                complete,
            });
            assert_eq!(ContentRange::of(&head), read, "{field}");
        }
        let twice = head(&[
            ("content-range", "bytes 0-9/10"),
            ("content-range", "bytes 0-9/10"),
        ]);
        assert_eq!(ContentRange::of(&twice), None);
    }

    #[test]
    fn whole_segments_are_asked_for() {
        // CF-533, CF-537
        for (field, asked) in [
            ("bytes=0-0", Some((0, 99))),
            ("bytes=99-100", Some((0, 199))),
            ("bytes=250-", Some((200, 599))),
            ("bytes=250-10000", Some((200, 599))),
            ("bytes=250-599", Some((200, 599))),
            ("bytes=-7", Some((0, 99))),
            ("bytes=150-160,900-901", Some((100, 199))),
            ("bytes=5-4", None),
            ("bytes=a-4", None),
            ("items=0-4", None),
            ("bytes=18446744073709551615-", None),
            ("", None),
        ] {
            let head = head(&[("range", field)]);
            let asked = asked.map(|(start, end)| ByteRange { start, end });
            assert_eq!(aligned_range(&head, 100, 4), asked, "{field}");
        }
    }
}
