//! Cache policies and origin request policies (CF section 1.6).

use fourfront_model::{GeneratedHeader, GeneratedHeaders, Heuristic, OriginHeaders, Selection};

use super::{accepted, refused, with_default_behavior};

const AT: &str = "distributions.site.default_cache_behavior.cache_policy";
const ORP: &str = "distributions.site.default_cache_behavior.origin_request_policy";

#[test]
fn managed_policies_resolve_by_name_and_id() {
    // CF-025, CF-065, CF-066, CF-135..141, CF-143..150
    for name in [
        "Managed-CachingDisabled",
        "CachingDisabled",
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    ] {
        for key in ["cache_policy", "cache_policy_id"] {
            let loaded = accepted(&with_default_behavior(&format!("{key}: {name}")));
            let behavior = &loaded.site.distributions()[0].default_behavior;
            assert!(behavior.cache_policy.ttl.disables_caching());
        }
    }
    for key in ["origin_request_policy", "origin_request_policy_id"] {
        let loaded = accepted(&with_default_behavior(&format!("{key}: Managed-AllViewer")));
        let behavior = &loaded.site.distributions()[0].default_behavior;
        let policy = behavior.origin_request_policy.as_ref().unwrap();
        assert_eq!(policy.headers, OriginHeaders::AllViewer);
    }
}

#[test]
fn unknown_policies_are_refused_by_cloudfronts_name() {
    // CF-024, CF-142
    for (text, expected) in [
        (
            "cache_policy: CachingOptimised",
            format!("5:21: {AT}: NoSuchCachePolicy: there is no policy `CachingOptimised` (help: did you mean `Managed-CachingOptimized`?)"),
        ),
        (
            "cache_policy: qqq",
            format!("5:21: {AT}: NoSuchCachePolicy: there is no policy `qqq` (help: declare it at the top of the file, name a managed policy, or write the policy in place)"),
        ),
        (
            "cache_policy: 4d1d2f1d-3a71-49ad-9e08-7ea5d843a556",
            format!("5:21: {AT}: this managed policy of Amplify hosting is not supported"),
        ),
        ("cache_policy: [a]", format!("5:21: {AT}: expected the name of a managed policy, or a policy written in place, found a list")),
        (
            "origin_request_policy: Managed-AllViewers",
            format!("5:30: {ORP}: NoSuchOriginRequestPolicy: | did you mean `Managed-AllViewer`?"),
        ),
        (
            "cache_policy: CachingDisabled\ncache_policy_id: CachingDisabled",
            "6:24: distributions.site.default_cache_behavior.cache_policy_id: `cache_policy` and `cache_policy_id` are one setting".to_owned(),
        ),
    ] {
        refused(&with_default_behavior(text), &[&expected]);
    }
}

#[test]
fn generated_headers_are_named_like_others() {
    // CF-116, CF-125, CF-128, CF-174, CF-376..386
    let behavior = |settings: &str| {
        let loaded = accepted(&with_default_behavior(settings));
        loaded.site.distributions()[0].default_behavior.clone()
    };
    let names = |set: GeneratedHeaders| set.iter().map(GeneratedHeader::name).collect::<Vec<_>>();
    let keyed = behavior(
        "cache_policy: { headers: [Host, CloudFront-Is-IOS-Viewer, cloudfront-viewer-country] }",
    );
    assert_eq!(
        keyed.cache_policy.headers,
        [
            "cloudfront-is-ios-viewer",
            "cloudfront-viewer-country",
            "host"
        ]
    );
    for (headers, viewers, generated) in [
        (
            "[Referer, CloudFront-Viewer-TLS]",
            OriginHeaders::Whitelist(vec!["cloudfront-viewer-tls".into(), "referer".into()]),
            &["cloudfront-viewer-tls"][..],
        ),
        (
            "{ all_viewer_and_whitelist_cloudfront: [CloudFront-Viewer-ASN, CloudFront-Viewer-Address] }",
            OriginHeaders::AllViewer,
            &["cloudfront-viewer-address", "cloudfront-viewer-asn"],
        ),
        ("all_viewer", OriginHeaders::AllViewer, &[]),
        (
            "{ all_except: [Host] }",
            OriginHeaders::AllExcept(vec!["host".into()]),
            &[],
        ),
    ] {
        let behavior = behavior(&format!("origin_request_policy: {{ headers: {headers} }}"));
        let policy = behavior.origin_request_policy.as_ref().unwrap();
        assert_eq!(policy.headers, viewers, "{headers}");
        assert_eq!(names(policy.generated()), generated, "{headers}");
    }
    // CF-140, CF-144, CF-145
    let managed = behavior(
        "cache_policy: Managed-Amplify\norigin_request_policy: 33f36d7e-f396-46d9-90e0-52428a34d9dc",
    );
    assert_eq!(
        names(managed.cache_policy.generated()),
        ["cloudfront-viewer-country"]
    );
    let policy = managed.origin_request_policy.as_ref().unwrap();
    assert_eq!(
        policy.name.as_deref(),
        Some("AllViewerAndCloudFrontHeaders-2022-06")
    );
    let managed = behavior("origin_request_policy: Managed-AllViewerExceptHostHeader");
    assert!(
        !managed
            .origin_request_policy
            .as_ref()
            .unwrap()
            .generated()
            .is_empty()
    );
}

#[test]
fn headers_that_the_edge_does_not_generate_are_refused_by_name() {
    // CF-121, CF-380, CF-383..388
    for (name, reason) in [
        (
            "CloudFront-Viewer-Address",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Viewer-ASN",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Viewer-TLS",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Viewer-Header-Order",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Error-Uri",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Error-Args",
            "each copy would be for few requests",
        ),
        (
            "CloudFront-Viewer-Header-Count",
            "each copy would be for few requests",
        ),
    ] {
        refused(
            &with_default_behavior(&format!("cache_policy: {{ headers: [{name}] }}")),
            &[&format!(
                "5:33: {AT}.headers[0]: header `{name}` cannot be in a cache key: {reason}"
            )],
        );
        accepted(&with_default_behavior(&format!(
            "origin_request_policy: {{ headers: [{name}] }}"
        )));
    }
    for (name, reason) in [
        (
            "CloudFront-Viewer-JA3-Fingerprint",
            "the TLS library does not show",
        ),
        (
            "CloudFront-Viewer-JA4-Fingerprint",
            "the TLS library does not show",
        ),
        (
            "CloudFront-Viewer-Cert-Sha256",
            "not available yet: what a viewer's certificate says",
        ),
        (
            "CloudFront-Viewer-Continent",
            "CloudFront makes no header of that name",
        ),
    ] {
        for (policy, at) in [
            (
                "cache_policy",
                format!("5:33: {AT}.headers[0]: header `{name}` cannot be in a cache key"),
            ),
            (
                "origin_request_policy",
                format!("5:42: {ORP}.headers[0]: header `{name}` cannot be forwarded to an origin"),
            ),
        ] {
            let text = format!("{policy}: {{ headers: [{name}] }}");
            refused(&with_default_behavior(&text), &[&format!("{at}: {reason}")]);
        }
        let text = format!(
            "origin_request_policy: {{ headers: {{ all_viewer_and_whitelist_cloudfront: [{name}, Host] }} }}"
        );
        let at = format!("{ORP}.headers.all_viewer_and_whitelist_cloudfront");
        refused(
            &with_default_behavior(&text),
            &[
                &format!("5:81: {at}[0]: header `{name}` cannot be in this list: {reason}"),
                &format!(
                    "5:{}: {at}[1]: header `Host` cannot be in this list: only `CloudFront-*` headers",
                    83 + name.len()
                ),
            ],
        );
    }
    for name in ["Client-Cert", "Client-Cert-Chain"] {
        let text = format!("origin_request_policy: {{ headers: [{name}] }}");
        let at =
            format!("5:42: {ORP}.headers[0]: header `{name}` cannot be forwarded to an origin");
        refused(
            &with_default_behavior(&text),
            &[&format!("{at}: not available yet")],
        );
    }
}

#[test]
fn inline_cache_policies_are_read_whole() {
    // CF-110..112, CF-115..117, CF-167, CF-822, CF-823
    let loaded = accepted(&with_default_behavior(
        "cache_policy:
  name: mine
  min_ttl: 1
  default_ttl: 60
  max_ttl: 3600
  heuristic: last_modified
  headers: [X-B, Accept-Language, x-a]
  cookies: { whitelist: [session] }
  query_strings: [page, \"size[]\"]
  accept_encoding_gzip: true",
    ));
    let policy = &loaded.site.distributions()[0].default_behavior.cache_policy;
    assert_eq!(policy.name.as_deref(), Some("mine"));
    assert_eq!(
        (policy.ttl.min(), policy.ttl.default_ttl(), policy.ttl.max()),
        (1, 60, 3600)
    );
    assert_eq!(policy.ttl.heuristic(), Heuristic::LastModified);
    assert_eq!(policy.headers, ["accept-language", "x-a", "x-b"]);
    assert_eq!(policy.cookies, Selection::Whitelist(vec!["session".into()]));
    assert_eq!(
        policy.query_strings,
        Selection::Whitelist(vec!["page".into(), "size[]".into()])
    );
    assert!(policy.accept_encoding_gzip && !policy.accept_encoding_brotli);

    let loaded = accepted(&with_default_behavior(
        "cache_policy: { headers: none, cookies: none }",
    ));
    let policy = &loaded.site.distributions()[0].default_behavior.cache_policy;
    assert_eq!(
        (policy.ttl.min(), policy.ttl.default_ttl(), policy.ttl.max()),
        (0, 86_400, 31_536_000)
    );
    assert!(policy.headers.is_empty() && policy.cookies.is_none());
}

#[test]
fn ttls_out_of_order_are_refused_by_cloudfronts_name() {
    // CF-024, CF-113
    for (text, line) in [
        ("cache_policy: { min_ttl: 10, default_ttl: 5 }", "5:49: "),
        ("cache_policy: { default_ttl: 5, max_ttl: 4 }", "5:48: "),
        ("cache_policy: { min_ttl: 10, max_ttl: 5 }", "5:45: "),
    ] {
        let key = if text.contains("max_ttl") {
            "max_ttl"
        } else {
            "default_ttl"
        };
        refused(
            &with_default_behavior(text),
            &[&format!(
                "{line}{AT}.{key}: InvalidTTLOrder: TTLs out of order"
            )],
        );
    }
}

#[test]
fn ttls_are_whole_seconds_up_to_a_hundred_years() {
    // CF-242
    for bad in [
        "-1",
        "1.5",
        "1h",
        "3153600001",
        "\"\"",
        "99999999999999999999999",
    ] {
        refused(
            &with_default_behavior(&format!("cache_policy: {{ default_ttl: {bad} }}")),
            &[&format!(
                "5:36: {AT}.default_ttl: expected seconds, a whole number from 0 to 3153600000"
            )],
        );
    }
}

#[test]
fn headers_that_cannot_be_in_a_key_are_refused() {
    // CF-121, CF-334, CF-335, CF-337, CF-343..347, CF-350, CF-376..386
    for name in [
        "Connection",
        "Cookie",
        "Proxy-Authorization",
        "TE",
        "Upgrade",
        "Cache-Control",
        "Pragma",
        "Content-Length",
        "Proxy-Authenticate",
        "Proxy-Connection",
        "Trailer",
        "Range",
        "Request-Range",
        "Transfer-Encoding",
        "X-Edge-Foo",
        "X-Forwarded-Proto",
        "x-real-ip",
        "Max-Forwards",
        "Client-Cert",
    ] {
        refused(
            &with_default_behavior(&format!("cache_policy: {{ headers: [{name}] }}")),
            &[&format!(
                "5:33: {AT}.headers[0]: header `{name}` cannot be in a cache key: "
            )],
        );
    }
    for name in [
        "Accept",
        "Authorization",
        "Date",
        "Host",
        "Origin",
        "User-Agent",
        "X-Edgy",
    ] {
        accepted(&with_default_behavior(&format!(
            "cache_policy: {{ headers: [{name}] }}"
        )));
    }
}

#[test]
fn headers_that_never_reach_an_origin_are_refused_in_its_list() {
    // CF-335, CF-337, CF-339, CF-343, CF-346, CF-347, CF-350, CF-358
    for name in [
        "Connection",
        "Cookie",
        "Expect",
        "TE",
        "X-Edge-A",
        "X-Real-IP",
    ] {
        refused(
            &with_default_behavior(&format!("origin_request_policy: {{ headers: [{name}] }}")),
            &[&format!(
                "5:42: {ORP}.headers[0]: header `{name}` cannot be forwarded to an origin: "
            )],
        );
    }
    accepted(&with_default_behavior(
        "origin_request_policy: { headers: { all_except: [Cookie, TE] } }",
    ));
}

#[test]
fn lists_hold_names_and_each_once() {
    // CF-119: a `*` is a name like any other
    accepted(&with_default_behavior(
        "cache_policy: { query_strings: [\"a*\"], cookies: [\"*\"] }",
    ));
    refused(
        &with_default_behavior(
            "cache_policy:
  headers: [X-A, x-a, \"a b\", \"\"]
  cookies: [a, a, \"b;c\"]
  query_strings: { all_except: [p, p, \"p=1\", \"\"] }",
        ),
        &[
            &format!("6:24: {AT}.headers[1]: header `x-a` is already listed on line 6"),
            &format!("6:29: {AT}.headers[2]: `a b` is not a header name"),
            &format!("6:36: {AT}.headers[3]: `` is not a header name"),
            &format!("7:22: {AT}.cookies[1]: cookie `a` is already listed on line 7"),
            &format!("7:25: {AT}.cookies[2]: `b;c` is not the name of a cookie"),
            &format!(
                "8:42: {AT}.query_strings.all_except[1]: query parameter `p` is already listed"
            ),
            &format!(
                "8:45: {AT}.query_strings.all_except[2]: `p=1` is not the name of a query parameter"
            ),
            &format!(
                "8:52: {AT}.query_strings.all_except[3]: `` is not the name of a query parameter"
            ),
        ],
    );
}

#[test]
fn selections_have_few_forms() {
    // CF-116, CF-117, CF-125, CF-126
    for (text, expected) in [
        (
            "cache_policy: { headers: all }",
            format!("5:32: {AT}.headers: expected `none` or a list of header names, found `all`"),
        ),
        (
            "cache_policy: { headers: { all_except: [A] } }",
            format!("5:32: {AT}.headers: a cache policy takes a list of headers"),
        ),
        (
            "cache_policy: { cookies: some }",
            format!("5:32: {AT}.cookies: expected `none`, `all`, a list of names"),
        ),
        (
            "cache_policy: { cookies: {} }",
            format!("5:32: {AT}.cookies: give exactly one of `whitelist` and `all_except`"),
        ),
        (
            "cache_policy: { cookies: { whitelist: [a], all_except: [b] } }",
            format!("5:32: {AT}.cookies: give exactly one"),
        ),
        (
            "cache_policy: { cookies: { allExcept: [a] } }",
            format!("5:34: {AT}.cookies.allExcept: | did you mean `all_except`?"),
        ),
        (
            "cache_policy: { query_strings: { whitelist: a } }",
            format!("5:51: {AT}.query_strings.whitelist: expected a list of names, found `a`"),
        ),
        (
            "origin_request_policy: { headers: some }",
            format!("5:41: {ORP}.headers: expected `none`, `all_viewer`"),
        ),
        (
            "origin_request_policy: { headers: {} }",
            format!("5:41: {ORP}.headers: give exactly one"),
        ),
        (
            "origin_request_policy: { headers: allViewerAndWhitelistCloudFront }",
            format!(
                "5:41: {ORP}.headers: nothing says which headers of CloudFront's | all_viewer_and_whitelist_cloudfront: ["
            ),
        ),
        (
            "origin_request_policy: { min_ttl: 1 }",
            format!("5:32: {ORP}.min_ttl: `min_ttl` is not a setting of an origin request policy"),
        ),
    ] {
        let mut expected = vec![expected.as_str()];
        if text.contains("allExcept") && !text.contains("allViewer") {
            // The block is then empty as well.
            expected.push("5:32: ");
            expected.reverse();
        }
        refused(&with_default_behavior(text), &expected);
    }
}

#[test]
fn a_bucket_does_not_take_the_viewers_host() {
    // CF-121, CF-340, CF-440
    for (setting, policy) in [
        ("cache_policy", "{ headers: [Host] }"),
        ("cache_policy", "Managed-UseOriginCacheControlHeaders"),
        ("origin_request_policy", "Managed-HostHeaderOnly"),
    ] {
        for origin in [
            "{ dir: public }",
            "{ domain_name: b.s3.amazonaws.com, s3_origin_config: {} }",
        ] {
            refused(
                &with_default_behavior(&format!("{setting}: {policy}"))
                    .replace("\"http://127.0.0.1:3000\"", origin),
                &[&format!(
                    "4:5: distributions.site.default_cache_behavior.{setting}: InvalidHeadersForS3Origin"
                )],
            );
        }
        accepted(&with_default_behavior(&format!("{setting}: {policy}")));
    }
}
