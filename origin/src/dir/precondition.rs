//! `If-*` against one file (RFC 9110 section 13). Pure.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What the preconditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the object.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// RFC 9110 section 13.2.2: entity tags before dates, and an invalid date is no date. `etag` is strong;
/// `modified` is in whole seconds.
pub(super) fn evaluate(
    asked: &HeaderMap,
    etag: &HeaderValue,
    modified: Option<SystemTime>,
) -> Verdict {
    if asked.contains_key(header::IF_MATCH) {
        if !lists(asked, &header::IF_MATCH, etag, |tag| tag) {
            return Verdict::Failed;
        }
    } else if let Some((at, modified)) = date(asked, &header::IF_UNMODIFIED_SINCE).zip(modified)
        && modified > at
    {
        return Verdict::Failed;
    }
    if asked.contains_key(header::IF_NONE_MATCH) {
        let weakly = |tag| strip_weak(tag);
        if lists(asked, &header::IF_NONE_MATCH, etag, weakly) {
            return Verdict::NotModified;
        }
    } else if let Some((at, modified)) = date(asked, &header::IF_MODIFIED_SINCE).zip(modified)
        && modified <= at
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `Range` may be used: there is no `If-Range`, or it holds exactly this tag or date (section 13.1.5).
pub(super) fn range_applies(
    asked: &HeaderMap,
    etag: &HeaderValue,
    modified: Option<SystemTime>,
) -> bool {
    match asked.get(header::IF_RANGE) {
        None => true,
        Some(value) if value == etag => true,
        Some(_) => date(asked, &header::IF_RANGE).is_some_and(|at| Some(at) == modified),
    }
}

/// Whether the field lists the tag or is `*`. No tag made here contains a comma, so cutting at commas cannot
/// cut one.
fn lists<'a>(
    asked: &'a HeaderMap,
    field: &HeaderName,
    etag: &HeaderValue,
    compared: impl Fn(&'a [u8]) -> &'a [u8],
) -> bool {
    asked
        .get_all(field)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || compared(tag) == etag.as_bytes())
}

fn strip_weak(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn date(asked: &HeaderMap, field: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(asked.get(field)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const THEN: &str = "Fri, 02 Jan 2026 00:00:00 GMT";
    const AFTER: &str = "Sat, 03 Jan 2026 00:00:00 GMT";

    fn asked(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v)))
            .collect()
    }

    fn verdict(headers: &[(&'static str, &'static str)]) -> Verdict {
        let modified = httpdate::parse_http_date(THEN).ok();
        evaluate(
            &asked(headers),
            &HeaderValue::from_static("\"t\""),
            modified,
        )
    }

    #[test]
    fn each_precondition_by_itself() {
        // RFC 9110 section 13.1
        use Verdict::{Failed, NotModified, Proceed};
        let table = [
            ("if-none-match", "\"t\"", NotModified),
            ("if-none-match", "W/\"t\"", NotModified),
            ("if-none-match", "\"a\" , \"t\"", NotModified),
            ("if-none-match", "*", NotModified),
            ("if-none-match", "\"u\"", Proceed),
            ("if-none-match", "t", Proceed),
            ("if-modified-since", AFTER, NotModified),
            ("if-modified-since", THEN, NotModified),
            ("if-modified-since", BEFORE, Proceed),
            ("if-modified-since", "yesterday", Proceed),
            ("if-match", "\"t\"", Proceed),
            ("if-match", "*", Proceed),
            ("if-match", "W/\"t\"", Failed),
            ("if-match", "\"u\"", Failed),
            ("if-unmodified-since", THEN, Proceed),
            ("if-unmodified-since", BEFORE, Failed),
            ("if-unmodified-since", "yesterday", Proceed),
        ];
        for (field, value, expected) in table {
            assert_eq!(verdict(&[(field, value)]), expected, "{field}: {value}");
        }
    }

    #[test]
    fn entity_tags_win_over_dates() {
        // RFC 9110 section 13.2.2
        let changed = [("if-none-match", "\"u\""), ("if-modified-since", AFTER)];
        assert_eq!(verdict(&changed), Verdict::Proceed);
        let same = [("if-match", "\"t\""), ("if-unmodified-since", BEFORE)];
        assert_eq!(verdict(&same), Verdict::Proceed);
        let both = [("if-match", "\"u\""), ("if-none-match", "\"t\"")];
        assert_eq!(verdict(&both), Verdict::Failed);
    }

    #[test]
    fn if_range_asks_for_exactly_this_version() {
        // CF-540, RFC 9110 section 13.1.5
        let applies = |value| {
            let etag = HeaderValue::from_static("\"t\"");
            range_applies(
                &asked(&[("if-range", value)]),
                &etag,
                httpdate::parse_http_date(THEN).ok(),
            )
        };
        assert!(applies("\"t\"") && applies(THEN));
        for other in ["W/\"t\"", "\"u\"", AFTER, BEFORE, "yesterday"] {
            assert!(!applies(other), "{other}");
        }
        assert!(range_applies(
            &HeaderMap::new(),
            &HeaderValue::from_static("\"t\""),
            None
        ));
    }
}
