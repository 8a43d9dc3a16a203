//! Cache policies and origin request policies at the top of the file, and the managed ones.

use std::fs;

use fourfront_model::{
    CachePolicy, OriginHeaders, OriginRequestPolicy, Selection, managed_cache_policy,
    managed_origin_request_policy, managed_response_headers_policy,
};

use super::{accepted, parse_in, refused, site_dir};

/// The policies of a behaviour with `settings`, with `top` at the top of the file.
fn policies(top: &str, settings: &str) -> (CachePolicy, Option<OriginRequestPolicy>) {
    let loaded = accepted(&format!(
        "{top}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, default_cache_behavior: {{ {settings} }} }} }}\n"
    ));
    let behavior = &loaded.site.distributions()[0].default_behavior;
    (
        (*behavior.cache_policy).clone(),
        behavior.origin_request_policy.as_deref().cloned(),
    )
}

const BOTH: &str = "cache_policies:
  minute: { id: 2e3f4a5b, name: OneMinute, max_ttl: 60, default_ttl: 60 }
origin_request_policies:
  session: { id: 3f4a5b6c, name: Session, cookies: [session] }";

#[test]
fn policies_are_found_by_key_id_and_name() {
    // CF-025, CF-066
    for (cache, request) in [
        ("minute", "session"),
        ("2e3f4a5b", "3f4a5b6c"),
        ("OneMinute", "Session"),
    ] {
        let settings = format!("cache_policy_id: {cache}, origin_request_policy_id: {request}");
        let (policy, sent) = policies(BOTH, &settings);
        assert_eq!(policy.ttl.max(), 60);
        assert_eq!(policy.name.as_deref(), Some("OneMinute"));
        let sent = sent.unwrap();
        assert_eq!(sent.cookies, Selection::Whitelist(vec!["session".into()]));
        assert_eq!(sent.name.as_deref(), Some("Session"));
    }
    // CF-066: it is optional.
    let (_, sent) = policies(BOTH, "cache_policy: minute");
    assert_eq!(sent, None);
    let (policy, _) = policies("cache_policies: { p: { min_ttl: 1 } }", "cache_policy: p");
    assert_eq!(policy.name.as_deref(), Some("p"));
}

#[test]
fn policies_are_read_in_the_forms_of_the_api() {
    // CF-020, CF-115..117, CF-125, CF-126
    let cache = r#"{"ETag": "E1", "CachePolicy": {"Id": "1234", "LastModifiedTime": "2024-01-01T00:00:00Z", "CachePolicyConfig": {
        "Comment": "", "Name": "Shop", "DefaultTTL": 30, "MaxTTL": 300, "MinTTL": 3,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": true, "EnableAcceptEncodingBrotli": true,
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 1, "Items": ["Origin"]}},
            "CookiesConfig": {"CookieBehavior": "allExcept", "Cookies": {"Quantity": 1, "Items": ["_ga"]}},
            "QueryStringsConfig": {"QueryStringBehavior": "all"}}}}}"#;
    let request = r#"{"OriginRequestPolicyConfig": {"Comment": "", "Name": "ShopRequests",
        "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": {"Quantity": 1, "Items": ["Host"]}},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Quantity": 1, "Items": ["q"]}}}}"#;
    let dir = site_dir();
    fs::write(dir.path().join("cache.json"), cache).unwrap();
    fs::write(dir.path().join("request.json"), request).unwrap();
    let site = |top: &str, names: (&str, &str)| {
        let text = format!(
            "{top}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, default_cache_behavior: {{ cache_policy: {}, origin_request_policy: {} }} }} }}\n",
            names.0, names.1
        );
        let loaded = parse_in(dir.path(), &text).unwrap_or_else(|e| panic!("{e}"));
        let behavior = loaded.site.distributions()[0].default_behavior.clone();
        (
            (*behavior.cache_policy).clone(),
            behavior.origin_request_policy.as_deref().cloned().unwrap(),
        )
    };
    let by_file = "cache_policies: { shop: { config: cache.json } }\norigin_request_policies: { shop: { config: request.json } }";
    let config = |text: &str| {
        let from = text
            .find("{\"Comment\"")
            .or_else(|| text.find("{\n        \"Comment\""));
        let body = &text[from.unwrap()..];
        body.trim_end_matches('}').to_owned()
            + &"}"
                .repeat(body.matches('{').count() - body.trim_end_matches('}').matches('}').count())
    };
    let pasted = format!(
        "cache_policies: {{ shop: {} }}\norigin_request_policies: {{ shop: {} }}",
        config(cache),
        config(request)
    );
    for (top, names) in [
        (by_file, ("shop", "shop")),
        (by_file, ("\"1234\"", "ShopRequests")),
        (pasted.as_str(), ("shop", "shop")),
    ] {
        let (cache, request) = site(top, names);
        assert_eq!(
            (cache.ttl.min(), cache.ttl.default_ttl(), cache.ttl.max()),
            (3, 30, 300)
        );
        assert!(cache.accept_encoding_gzip && cache.accept_encoding_brotli);
        assert_eq!(cache.headers, ["origin"]);
        assert_eq!(cache.cookies, Selection::AllExcept(vec!["_ga".into()]));
        assert_eq!(cache.query_strings, Selection::All);
        assert_eq!(
            request.headers,
            OriginHeaders::AllExcept(vec!["host".into()])
        );
        assert_eq!(request.cookies, Selection::None);
        assert_eq!(
            request.query_strings,
            Selection::Whitelist(vec!["q".into()])
        );
    }
}

#[test]
fn names_are_taken_once_and_never_from_a_managed_policy() {
    // CF-024, CF-025
    const SITE: &str = "distributions: { a: { origins: { app: \"http://a.test\" } } }";
    refused(
        &format!(
            "cache_policies:\n  a: {{ name: b }}\n  b: {{ min_ttl: 1 }}\n  Managed-CachingOptimized: {{ min_ttl: 1 }}\n{SITE}\n"
        ),
        &[
            "3:3: cache_policies.b: CachePolicyAlreadyExists: `b` is taken on line 2",
            "4:3: cache_policies.Managed-CachingOptimized: CachePolicyAlreadyExists: `Managed-CachingOptimized` is a managed policy",
        ],
    );
    refused(
        &format!(
            "origin_request_policies:\n  a: {{ id: 216adef6-5c7f-47e4-b989-5492eafa07d3 }}\n{SITE}\n"
        ),
        &["2:12: origin_request_policies.a.id: OriginRequestPolicyAlreadyExists: "],
    );
    refused(
        "distributions:\n  a:\n    origins: { app: \"http://a.test\" }\n    default_cache_behavior:\n      cache_policy: { id: x, min_ttl: 1 }\n",
        &[
            "5:23: distributions.a.default_cache_behavior.cache_policy.id: `id` is for policies at the top of the file",
        ],
    );
}

#[test]
fn faults_in_the_apis_form_are_told() {
    // CF-024, CF-116, CF-117
    const SITE: &str = "distributions: { a: { origins: { app: \"http://a.test\" } } }";
    for (policy, expected) in [
        (
            "HeadersConfig: { HeaderBehavior: allExcept }",
            "HeadersConfig.HeaderBehavior: expected `none` or `whitelist`, found `allExcept`",
        ),
        (
            "HeadersConfig: { HeaderBehavior: whitelist }",
            "HeadersConfig: InvalidArgument: `whitelist` needs a list of names",
        ),
        (
            "CookiesConfig: { CookieBehavior: none, Cookies: [a] }",
            "CookiesConfig: InvalidArgument: `none` has no use for a list of names",
        ),
        (
            "QueryStringsConfig: {}",
            "QueryStringsConfig: InvalidArgument: `query_string_behavior` is missing",
        ),
    ] {
        let text = format!(
            "cache_policies: {{ p: {{ ParametersInCacheKeyAndForwardedToOrigin: {{ {policy} }} }} }}\n{SITE}\n"
        );
        let errors = super::DIR
            .with(|dir| parse_in(dir.path(), &text))
            .unwrap_err();
        let said = errors.to_string();
        let path = "cache_policies.p.ParametersInCacheKeyAndForwardedToOrigin.";
        assert!(said.contains(&format!("{path}{expected}")), "{said}");
    }
    refused(
        &format!(
            "cache_policies:\n  p:\n    headers: [A]\n    ParametersInCacheKeyAndForwardedToOrigin: {{}}\n{SITE}\n"
        ),
        &[
            "3:14: cache_policies.p.headers: `parameters_in_cache_key_and_forwarded_to_origin` says this already",
        ],
    );
    refused(
        &format!(
            "origin_request_policies:\n  p:\n    cookies: all\n    cookies_config: {{ cookie_behavior: all }}\n{SITE}\n"
        ),
        &["3:14: origin_request_policies.p.cookies: `cookies_config` says this already"],
    );
}

#[test]
fn every_managed_id_resolves_or_is_refused_with_a_reason() {
    // CF-025, CF-135..155. CF-142 is refused for good.
    let cache = [
        ("CachingOptimized", "658327ea-f89d-4fab-a63d-7e88639e58f6"),
        (
            "CachingOptimizedForUncompressedObjects",
            "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        ),
        ("CachingDisabled", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"),
        (
            "UseOriginCacheControlHeaders",
            "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        ),
        (
            "UseOriginCacheControlHeaders-QueryStrings",
            "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        ),
        ("Amplify", "2e54312d-136d-493c-8eb9-b001f22f67d2"),
        (
            "Elemental-MediaPackage",
            "08627262-05a9-4f76-9ded-b50ca2e3a84f",
        ),
    ];
    for (name, id) in cache {
        let found = managed_cache_policy(id).unwrap();
        assert_eq!(found.name.as_deref(), Some(name));
        for named in [name.to_owned(), format!("Managed-{name}"), id.to_owned()] {
            let (policy, _) = policies("", &format!("cache_policy: {named}"));
            assert_eq!(policy, *found, "{named}");
        }
    }
    let origin_request = [
        ("AllViewer", "216adef6-5c7f-47e4-b989-5492eafa07d3"),
        (
            "AllViewerExceptHostHeader",
            "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        ),
        (
            "AllViewerAndCloudFrontHeaders-2022-06",
            "33f36d7e-f396-46d9-90e0-52428a34d9dc",
        ),
        ("CORS-S3Origin", "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"),
        ("CORS-CustomOrigin", "59781a5b-3903-41f3-afcb-af62929ccde1"),
        (
            "UserAgentRefererHeaders",
            "acba4595-bd28-49b8-b9fe-13317c0390fa",
        ),
        ("HostHeaderOnly", "bf0718e1-ba1e-49d1-88b1-f726733018ae"),
        (
            "Elemental-MediaTailor-PersonalizedManifests",
            "775133bc-15f2-49f9-abea-afb2e0bf67d2",
        ),
    ];
    for (name, id) in origin_request {
        let found = managed_origin_request_policy(id).unwrap();
        assert_eq!(found.name.as_deref(), Some(name));
        let (_, policy) = policies("", &format!("origin_request_policy: {id}"));
        assert_eq!(policy, Some((*found).clone()), "{name}");
    }
    for (name, id) in [
        ("SimpleCORS", "60669652-455b-4ae9-85a4-c4c02393f86c"),
        (
            "CORS-With-Preflight",
            "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
        ),
        (
            "SecurityHeadersPolicy",
            "67f7725c-6f97-4210-82d7-5512b31e9d03",
        ),
        (
            "CORS-and-SecurityHeadersPolicy",
            "e61eb60c-9c35-4d20-a928-2b84e02af89c",
        ),
        (
            "CORS-with-preflight-and-SecurityHeadersPolicy",
            "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
        ),
    ] {
        let by_id = managed_response_headers_policy(id);
        assert!(by_id.is_some(), "{name}");
        assert_eq!(
            by_id,
            managed_response_headers_policy(&format!("Managed-{name}"))
        );
        policies("", &format!("response_headers_policy: {id}"));
    }
    for id in [
        "4d1d2f1d-3a71-49ad-9e08-7ea5d843a556",
        "a6bad946-36c3-4c33-aa98-362c74a7fb13",
        "1c6db51a-a33f-469a-8245-dae26771f530",
        "7e5fad67-ee98-4ad0-b05a-394999eefc1a",
    ] {
        refused(
            &format!(
                "distributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, default_cache_behavior: {{ cache_policy: {id} }} }} }}"
            ),
            &[
                "1:98: distributions.a.default_cache_behavior.cache_policy: this managed policy of Amplify hosting",
            ],
        );
    }
}
