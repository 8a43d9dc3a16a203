//! What of a response a request gets: conditions and ranges.

use std::ops::Range;

use fourfront_cache::policy::{self, ByteRange, Precondition, RangeAnswer};
use http::{StatusCode, header};
use pingora::{
    http::{RequestHeader, ResponseHeader},
    proxy::{MultiRangeInfo, RangeType, Session},
};

use super::length;

/// `cache_not_modified_filter` (CF-284, RFC 9110 section 13.2.2).
pub(in crate::pingora) fn not_modified(request: &RequestHeader, head: &ResponseHeader) -> bool {
    policy::evaluate_preconditions(
        &request.method,
        &request.headers,
        head.status,
        &head.headers,
    ) == Precondition::NotModified
}

/// Whether `If-Match` or `If-Unmodified-Since` fail against the response at hand (CF-285, RFC 9110 section 13.1).
pub(in crate::pingora) fn precondition_failed(session: &Session) -> bool {
    let request = session.req_header();
    let conditional = request.headers.contains_key(header::IF_MATCH)
        || request.headers.contains_key(header::IF_UNMODIFIED_SINCE);
    let Some(meta) = session.cache.maybe_cache_meta().filter(|_| conditional) else {
        return false;
    };
    let status = meta.response_header().status;
    policy::evaluate_preconditions(&request.method, &request.headers, status, meta.headers())
        == Precondition::Failed
}

/// `range_header_filter`: ranges of a whole object (CF-532, CF-537..540).
pub(in crate::pingora) fn range(request: &RequestHeader, head: &mut ResponseHeader) -> RangeType {
    if !request.headers.contains_key(header::RANGE) {
        return RangeType::None;
    }
    let complete = length(head);
    match policy::evaluate_range(
        &request.method,
        &request.headers,
        head.status,
        &head.headers,
        complete,
    ) {
        RangeAnswer::Full => RangeType::None,
        RangeAnswer::Multiple(parts) => match complete {
            Some(complete) => several(head, &parts, complete).unwrap_or(RangeType::None),
            None => RangeType::None,
        },
        RangeAnswer::Single(part) => {
            let (Some(Range { start, end }), Some(complete)) = (bounds(part), complete) else {
                return RangeType::None;
            };
            let edited = head
                .set_status(StatusCode::PARTIAL_CONTENT)
                .and_then(|()| head.insert_header("Content-Range", part.content_range(complete)))
                .and_then(|()| head.insert_header("Content-Length", part.len()));
            debug_assert!(edited.is_ok(), "numbers make valid fields");
            RangeType::Single(start..end)
        }
        RangeAnswer::Unsatisfiable => {
            let edited = head
                .set_status(StatusCode::RANGE_NOT_SATISFIABLE)
                .and_then(|()| {
                    head.insert_header(
                        "Content-Range",
                        policy::unsatisfied_range(complete.unwrap_or(0)),
                    )
                })
                .and_then(|()| head.insert_header("Content-Length", "0"));
            debug_assert!(edited.is_ok(), "numbers make valid fields");
            head.remove_header(&header::CONTENT_TYPE);
            RangeType::Invalid
        }
    }
}

/// A head for several parts, each of which has a head of its own in the body (CF-538, RFC 9110 section 14.6).
fn several(head: &mut ResponseHeader, parts: &[ByteRange], complete: u64) -> Option<RangeType> {
    let parts = parts.iter().copied().map(bounds);
    let mut several = MultiRangeInfo::new(parts.collect::<Option<_>>()?);
    several.set_total_length(usize::try_from(complete).ok()?);
    if let Some(kind) = head.headers.get(header::CONTENT_TYPE) {
        several.set_content_type(kind.to_str().ok()?.to_owned());
    }
    let kind = format!("multipart/byteranges; boundary={}", several.boundary);
    let length = several.calculate_multipart_length();
    head.set_status(StatusCode::PARTIAL_CONTENT).ok()?;
    head.insert_header("Content-Type", kind).ok()?;
    head.insert_header("Content-Length", length).ok()?;
    Some(RangeType::Multi(several))
}

fn bounds(part: ByteRange) -> Option<Range<usize>> {
    let start = usize::try_from(part.start).ok()?;
    Some(start..usize::try_from(part.end.checked_add(1)?).ok()?)
}
