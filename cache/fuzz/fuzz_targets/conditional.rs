//! Conditions and ranges on a hit, and what a 304 does to what is stored.
#![no_main]

use fourfront_cache::policy::{
    EdgeEncoding, Precondition, RangeAnswer, decide_store, evaluate_preconditions, evaluate_range,
    head_update, merge_not_modified, not_modified_matches, strip_for_storage,
};
use fourfront_cache_fuzz::{Exchange, Input};
use fourfront_model::{CacheMode, CdnCc};
use http::{HeaderMap, Method, StatusCode, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let exchange = Exchange::read(&mut input);
    let (request, stored) = (&exchange.request, &exchange.response);
    let answer = evaluate_preconditions(&exchange.method, request, exchange.status, stored);
    if answer == Precondition::NotModified {
        assert!(exchange.status.is_success());
        assert!([Method::GET, Method::HEAD].contains(&exchange.method));
    }
    // What a viewer sends back that it was sent is recognised.
    let echo = |condition, field| {
        let mut back = HeaderMap::new();
        back.insert(condition, stored.get(field)?.clone());
        Some(evaluate_preconditions(
            &Method::GET,
            &back,
            StatusCode::OK,
            stored,
        ))
    };
    if let Some(answer) = echo(header::IF_NONE_MATCH, header::ETAG) {
        let tag = stored[header::ETAG].as_bytes();
        // A tag that is well-formed, of one piece.
        let inside = tag.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\""));
        if inside.is_some_and(|inside| !inside.contains(&b'"')) {
            assert_eq!(answer, Precondition::NotModified);
        }
    }
    let since = echo(header::IF_MODIFIED_SINCE, header::LAST_MODIFIED);
    let unmodified = echo(header::IF_UNMODIFIED_SINCE, header::LAST_MODIFIED);
    assert!(unmodified.is_none_or(|answer| answer == Precondition::Proceed));
    // Whether it is a date at all is seen from whether one is recognised.
    assert!(since.is_none_or(|answer| answer != Precondition::Failed));

    let length = u64::from(input.number());
    match evaluate_range(
        &exchange.method,
        request,
        exchange.status,
        stored,
        Some(length),
    ) {
        RangeAnswer::Full | RangeAnswer::Unsatisfiable => {}
        RangeAnswer::Single(range) => {
            assert!(range.start <= range.end && range.end < length);
            assert!(range.len() <= length);
        }
        RangeAnswer::Multiple(ranges) => {
            assert!(ranges.len() > 1);
            let mut floor = 0;
            for range in ranges {
                assert!(floor <= range.start && range.start <= range.end && range.end < length);
                floor = range.end + 1;
            }
        }
    }
    let none = evaluate_range(&exchange.method, request, exchange.status, stored, None);
    assert_eq!(none, RangeAnswer::Full);

    // The other message as a 304 about this one.
    let update = request;
    let encoding = EdgeEncoding::AsReceived;
    assert!(not_modified_matches(stored, encoding, &HeaderMap::new()));
    not_modified_matches(stored, encoding, update);
    head_update(exchange.mode, stored, encoding, exchange.status, update);
    let mut merged = stored.clone();
    strip_for_storage(
        exchange.mode,
        &CdnCc::FIELD,
        exchange.mode == CacheMode::Rfc9111,
        &mut merged,
        exchange.received,
    );
    merge_not_modified(
        exchange.mode,
        &mut merged,
        encoding,
        update,
        exchange.received,
    );
    assert_eq!(
        merged.get(header::CONTENT_LENGTH),
        stored_copy(&exchange).get(header::CONTENT_LENGTH)
    );
    decide_store(
        &exchange.rules(),
        &exchange.request_facts(),
        &exchange.response_facts(&merged),
    );
});

fn stored_copy(exchange: &Exchange) -> HeaderMap {
    let mut copy = exchange.response.clone();
    strip_for_storage(
        exchange.mode,
        &CdnCc::FIELD,
        exchange.mode == CacheMode::Rfc9111,
        &mut copy,
        exchange.received,
    );
    copy
}
