//! Behaviours with `forwarded_values`: the policies that they become.

use fourfront_model::{CacheBehavior, OriginHeaders, Selection, Wildcard};

use super::{accepted, refused, with_default_behavior};

fn behavior(settings: &str) -> CacheBehavior {
    let loaded = accepted(&with_default_behavior(settings));
    let behavior = &loaded.site.distributions()[0].default_behavior;
    (**behavior).clone()
}

/// Both selections of query parameters: what is keyed, and what is sent beyond.
fn query(settings: &str) -> (Selection, Selection) {
    let behavior = behavior(&format!("forwarded_values: {{ {settings} }}"));
    let sent = behavior.origin_request_policy.unwrap();
    (
        behavior.cache_policy.query_strings.clone(),
        sent.query_strings.clone(),
    )
}

#[test]
fn ttls_have_the_defaults_of_former_times() {
    // CF-069, CF-111, CF-112
    for (settings, expected) in [
        ("", (0, 86_400, 31_536_000)),
        ("min_ttl: 100000", (100_000, 100_000, 31_536_000)),
        ("min_ttl: 1\ndefault_ttl: 2\nmax_ttl: 3", (1, 2, 3)),
        ("default_ttl: 0\nmax_ttl: 0", (0, 0, 0)),
    ] {
        let b = behavior(&format!(
            "forwarded_values: {{ query_string: false }}\n{settings}"
        ));
        let ttl = b.cache_policy.ttl;
        assert_eq!(
            (ttl.min(), ttl.default_ttl(), ttl.max()),
            expected,
            "{settings}"
        );
    }
    refused(
        &with_default_behavior("forwarded_values: { query_string: false }\nmin_ttl: 5\nmax_ttl: 4"),
        &["6:16: distributions.site.default_cache_behavior.min_ttl: InvalidTTLOrder: "],
    );
}

#[test]
fn query_strings_are_forwarded_whole_or_not_at_all() {
    // CF-186
    let keys = Selection::Whitelist(vec!["page".into(), "lang".into()]);
    for (settings, expected) in [
        ("query_string: false", (Selection::None, Selection::None)),
        ("query_string: true", (Selection::All, Selection::None)),
        (
            "query_string: true, query_string_cache_keys: { quantity: 0 }",
            (Selection::All, Selection::None),
        ),
        (
            "query_string: true, query_string_cache_keys: [page, lang]",
            (keys.clone(), Selection::All),
        ),
        (
            "QueryString: true, QueryStringCacheKeys: { Quantity: 2, Items: [page, lang] }",
            (keys, Selection::All),
        ),
    ] {
        assert_eq!(query(settings), expected, "{settings}");
    }
}

#[test]
fn cookies_are_listed_with_wildcards() {
    // CF-068, CF-196
    let cookies = |text: &str| {
        let b = behavior(&format!(
            "forwarded_values: {{ query_string: false, cookies: {text} }}"
        ));
        assert_eq!(b.origin_request_policy.unwrap().cookies, Selection::None);
        b.cache_policy.cookies.clone()
    };
    assert_eq!(cookies("{ forward: none }"), Selection::None);
    assert_eq!(cookies("{ forward: all }"), Selection::All);
    let wildcards = ["wp-*", "id?"].map(|w| Wildcard::new(w.to_owned()));
    assert_eq!(
        cookies(
            "{ Forward: whitelist, WhitelistedNames: { Quantity: 3, Items: ['wp-*', 'id?', 'wp-*'] } }"
        ),
        Selection::Wildcards(wildcards.to_vec())
    );
}

#[test]
fn listed_headers_are_keyed_and_all_of_them_end_caching() {
    // CF-068, CF-210, CF-216
    let b = behavior(
        "compress: true\nforwarded_values: { query_string: false, headers: [Origin, Accept-Language] }",
    );
    assert_eq!(b.cache_policy.headers, ["accept-language", "origin"]);
    assert_eq!(
        b.origin_request_policy.unwrap().headers,
        OriginHeaders::Legacy
    );
    assert!(b.cache_policy.accept_encoding_gzip && !b.cache_policy.accept_encoding_brotli);
    let b = behavior(
        "forwarded_values: { query_string: true, headers: { quantity: 1, items: ['*'] } }\ndefault_ttl: 60",
    );
    assert!(b.cache_policy.ttl.disables_caching());
    assert_eq!(
        b.origin_request_policy.unwrap().headers,
        OriginHeaders::AllViewer
    );
}

#[test]
fn what_cannot_be_is_named_as_cloudfront_names_it() {
    // CF-024, CF-065, CF-066, CF-068, CF-121, CF-186
    const AT: &str = "distributions.site.default_cache_behavior.";
    for (settings, place, expected) in [
        (
            "forwarded_values: { query_string: false }\ncache_policy: Managed-CachingOptimized",
            "5:25: ",
            "forwarded_values: InvalidArgument: a behaviour has a cache policy or `forwarded_values`, not both",
        ),
        (
            "forwarded_values: { query_string: false }\norigin_request_policy: Managed-AllViewer",
            "5:25: ",
            "forwarded_values: InvalidArgument: an origin request policy goes with a cache policy",
        ),
        (
            "cache_policy: Managed-CachingOptimized\nmin_ttl: 0",
            "6:16: ",
            "min_ttl: InvalidArgument: TTLs of a behaviour go with `forwarded_values`",
        ),
        (
            "forwarded_values: { cookies: { forward: none } }",
            "5:25: ",
            "forwarded_values: InvalidArgument: `query_string` is missing",
        ),
        (
            "forwarded_values: { query_string: false, query_string_cache_keys: [a] }",
            "5:41: ",
            "forwarded_values.query_string: InvalidQueryStringParameters: ",
        ),
        (
            "forwarded_values: { query_string: false, cookies: { forward: whitelist } }",
            "5:57: ",
            "forwarded_values.cookies: InvalidForwardCookies: ",
        ),
        (
            "forwarded_values: { query_string: false, cookies: { forward: all, whitelisted_names: [a] } }",
            "5:92: ",
            "forwarded_values.cookies.whitelisted_names: InvalidForwardCookies: ",
        ),
        (
            "forwarded_values: { query_string: false, headers: ['*'] }\nmin_ttl: 1",
            "6:16: ",
            "min_ttl: InvalidTTLOrder: with all headers forwarded",
        ),
        (
            "forwarded_values: { query_string: false, headers: [Origin, '*'] }",
            "5:66: ",
            "forwarded_values.headers[1]: InvalidArgument: `*` stands for all headers",
        ),
        (
            "forwarded_values: { query_string: false, headers: [Cache-Control] }",
            "5:58: ",
            "forwarded_values.headers[0]: header `Cache-Control` cannot be in a cache key",
        ),
        (
            "forwarded_values: { query_string: false, cookies: { forward: whitelist, whitelisted_names: ['a b'] } }",
            "5:99: ",
            "forwarded_values.cookies.whitelisted_names[0]: `a b` is not the name of a cookie",
        ),
    ] {
        refused(
            &with_default_behavior(settings),
            &[&format!("{place}{AT}{expected}")],
        );
    }
}
