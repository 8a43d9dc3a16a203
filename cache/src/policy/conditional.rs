//! A viewer's conditional request on a stored response (CF-284, CF-285, RFC 9110 section 13,
//! RFC 9111 section 4.3.2).

use fourfront_model::CacheMode;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{
    date::date,
    etag::{Comparison, EntityTag, TagCondition, compare},
};

/// The request fields that make a request conditional.
pub const CONDITIONALS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
];

/// What a request's preconditions make of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Answer with the response; look at ranges next.
    Proceed,
    /// 304 with [`super::NOT_MODIFIED_FIELDS`].
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates preconditions in the order of RFC 9110 section 13.2.2. They count only for stored
/// responses that would be answered with 2xx (section 13.2.1).
pub fn evaluate_preconditions(
    method: &Method,
    request: &HeaderMap,
    stored_status: StatusCode,
    stored: &HeaderMap,
) -> Precondition {
    if !stored_status.is_success() {
        return Precondition::Proceed;
    }
    let tag = stored
        .get(header::ETAG)
        .and_then(|value| EntityTag::parse(value.as_bytes()));
    let reads = method == Method::GET || method == Method::HEAD;

    match compare(request, &header::IF_MATCH, tag, Comparison::Strong) {
        TagCondition::Matches => {}
        TagCondition::NoMatch => return Precondition::Failed,
        TagCondition::Absent => {
            if modified_since(request, &header::IF_UNMODIFIED_SINCE, stored) == Some(true) {
                return Precondition::Failed;
            }
        }
    }
    match compare(request, &header::IF_NONE_MATCH, tag, Comparison::Weak) {
        TagCondition::Matches if reads => Precondition::NotModified,
        TagCondition::Matches => Precondition::Failed,
        TagCondition::NoMatch => Precondition::Proceed,
        TagCondition::Absent => {
            if reads && modified_since(request, &header::IF_MODIFIED_SINCE, stored) == Some(false) {
                Precondition::NotModified
            } else {
                Precondition::Proceed
            }
        }
    }
}

/// Whether the stored response was modified after the date in `field`. `None` when the field or what
/// it is compared with is missing or no date. A response without `Last-Modified` counts as modified
/// when it was made (RFC 9111 section 4.3.2).
fn modified_since(request: &HeaderMap, field: &HeaderName, stored: &HeaderMap) -> Option<bool> {
    let since = date(request, field)?;
    let modified = date(stored, &header::LAST_MODIFIED).or_else(|| date(stored, &header::DATE))?;
    Some(modified > since)
}

/// Whether a viewer's conditionals are taken off a request that missed, so that the whole object is
/// fetched, stored, and the condition answered here (CF-286, CF-839).
pub const fn strips_conditionals_on_miss(mode: CacheMode) -> bool {
    matches!(mode, CacheMode::Rfc9111)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Precondition::{Failed, NotModified, Proceed};

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn get(request: &[(&'static str, &str)], stored: &[(&'static str, &str)]) -> Precondition {
        evaluate_preconditions(&Method::GET, &map(request), StatusCode::OK, &map(stored))
    }

    #[test]
    fn the_precedence_of_rfc_9110() {
        // CF-284, CF-285, RFC 9110 section 13.2.2
        let stored = [("etag", "\"1\""), ("last-modified", OLD), ("date", NEW)];
        let same = ("if-none-match", "W/\"1\"");
        let other = ("if-none-match", "\"2\"");
        type Row<'a> = (&'a [(&'static str, &'a str)], Precondition);
        let rows: &[Row<'_>] = &[
            (&[], Proceed),
            (&[same], NotModified),
            (&[other], Proceed),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-modified-since", OLD)], NotModified),
            (&[("if-modified-since", NEW)], NotModified),
            (
                &[("if-modified-since", "Sat, 05 Nov 1994 08:49:37 GMT")],
                Proceed,
            ),
            (&[("if-modified-since", "yesterday")], Proceed),
            // If-None-Match wins over If-Modified-Since.
            (&[other, ("if-modified-since", NEW)], Proceed),
            (
                &[same, ("if-modified-since", "Sat, 05 Nov 1994 08:49:37 GMT")],
                NotModified,
            ),
            (&[("if-match", "\"1\"")], Proceed),
            (&[("if-match", "*")], Proceed),
            (&[("if-match", "\"2\"")], Failed),
            // Strong comparison.
            (&[("if-match", "W/\"1\"")], Failed),
            (&[("if-unmodified-since", OLD)], Proceed),
            (
                &[("if-unmodified-since", "Sat, 05 Nov 1994 08:49:37 GMT")],
                Failed,
            ),
            // If-Match wins over If-Unmodified-Since, and both go before the other two.
            (
                &[
                    ("if-match", "\"1\""),
                    ("if-unmodified-since", "Sat, 05 Nov 1994 08:49:37 GMT"),
                ],
                Proceed,
            ),
            (&[("if-match", "\"2\""), same], Failed),
            (&[("if-match", "\"1\""), same], NotModified),
        ];
        for (request, want) in rows {
            assert_eq!(get(request, &stored), *want, "{request:?}");
        }
    }

    #[test]
    fn a_response_without_last_modified_is_as_old_as_its_date() {
        // CF-284, RFC 9111 section 4.3.2
        assert_eq!(
            get(&[("if-modified-since", NEW)], &[("date", OLD)]),
            NotModified
        );
        assert_eq!(
            get(&[("if-modified-since", OLD)], &[("date", NEW)]),
            Proceed
        );
        assert_eq!(
            get(&[("if-none-match", "\"1\"")], &[("date", OLD)]),
            Proceed
        );
    }

    #[test]
    fn only_responses_of_2xx_are_conditional() {
        // CF-284, RFC 9110 section 13.2.1
        let request = map(&[("if-none-match", "*"), ("if-match", "\"2\"")]);
        let stored = map(&[("etag", "\"1\"")]);
        for status in [StatusCode::NOT_FOUND, StatusCode::FOUND] {
            let got = evaluate_preconditions(&Method::GET, &request, status, &stored);
            assert_eq!(got, Proceed);
        }
    }

    #[test]
    fn methods_that_do_not_read_fail_on_a_match() {
        // RFC 9110 section 13.1.2
        let request = map(&[("if-none-match", "\"1\"")]);
        let stored = map(&[("etag", "\"1\""), ("last-modified", OLD)]);
        let options = |request: &HeaderMap| {
            evaluate_preconditions(&Method::OPTIONS, request, StatusCode::OK, &stored)
        };
        assert_eq!(options(&request), Failed);
        assert_eq!(options(&map(&[("if-modified-since", NEW)])), Proceed);
    }

    #[test]
    fn conditionals_on_a_miss_are_forwarded_in_mode_cloudfront_only() {
        // CF-286, CF-839
        assert!(strips_conditionals_on_miss(CacheMode::Rfc9111));
        assert!(!strips_conditionals_on_miss(CacheMode::Cloudfront));
    }
}
