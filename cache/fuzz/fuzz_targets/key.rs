//! Which requests are the same: the order of fields does not matter, what is not selected does not matter, and what is
//! sent to the origin was in the request.
#![no_main]

use fourfront_cache::key::{
    KeyRequest, KeySecret, Signatures, Variance, cache_key, forwarded_accept_encoding, forwarded_cookies,
    forwarded_query, vary_key,
};
use fourfront_cache_fuzz::Input;
use fourfront_model::Selection;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let secret = KeySecret::from_bytes([7; 16]);
    let mut input = Input(data);
    let policy = input.policy();
    let method = input.method();
    let version =
        [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2][usize::from(input.byte() % 3)];
    let signatures = [Signatures::Ordinary, Signatures::Taken][usize::from(input.byte() % 2)];
    let (path, query) = (input.line(), input.line());
    let headers = input.fields();
    let response = input.fields();
    let request = KeyRequest {
        distribution: "D1",
        method: &method,
        path,
        query: Some(query),
        headers: &headers,
        generated: &[],
        version,
        signatures,
    };
    let key = cache_key(&secret, &policy, &request);
    assert_eq!(key.is_some(), method != Method::POST);
    let same = |other: &KeyRequest<'_>| assert_eq!(cache_key(&secret, &policy, other), key);

    let reversed = reversed(&headers);
    same(&KeyRequest {
        headers: &reversed,
        ..request
    });
    if key.is_some() {
        let longer = [path, b"/"].concat();
        assert_ne!(
            cache_key(
                &secret,
                &policy,
                &KeyRequest {
                    path: &longer,
                    ..request
                }
            ),
            key
        );
        let another = KeyRequest {
            distribution: "D2",
            ..request
        };
        assert_ne!(cache_key(&secret, &policy, &another), key);
    }
    let mut more = headers.clone();
    more.append("x-not-in-any-key", HeaderValue::from_static("1"));
    same(&KeyRequest {
        headers: &more,
        ..request
    });
    if policy.cookies == Selection::None {
        more.append(header::COOKIE, HeaderValue::from_static("a=1"));
        same(&KeyRequest {
            headers: &more,
            ..request
        });
    }
    if policy.query_strings == Selection::None {
        same(&KeyRequest {
            query: None,
            ..request
        });
    }

    // What the origin is sent selects the same object again (CF-120).
    let sent = forwarded_query(&policy, None, signatures, Some(query));
    same(&KeyRequest {
        query: sent.as_deref(),
        ..request
    });
    if let Some(cookies) = forwarded_cookies(&policy, None, signatures, &headers) {
        let mut sent = headers.clone();
        sent.insert(header::COOKIE, cookies);
        same(&KeyRequest {
            headers: &sent,
            ..request
        });
    }
    forwarded_accept_encoding(&policy, None, &headers, version);

    let variance = vary_key(&secret, &response, &headers);
    assert_eq!(vary_key(&secret, &response, &reversed), variance);
    if let (Some(key), Variance::Variant(variant)) = (key, variance) {
        assert_ne!(key.with_variant(&secret, variant), key);
    }
});

/// The same fields, names in the other order.
fn reversed(headers: &HeaderMap) -> HeaderMap {
    let mut names: Vec<&HeaderName> = headers.keys().collect();
    names.reverse();
    let mut reversed = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            reversed.append(name, value.clone());
        }
    }
    reversed
}
