//! Response headers policies (CF section 6.7).

use std::sync::Arc;

use fourfront_model::{Asked, ResponseHeadersPolicy, managed_response_headers_policy};
use http::{HeaderMap, HeaderValue, Method};

use super::{accepted, refused, with_default_behavior};

const AT: &str = "distributions.site.default_cache_behavior.response_headers_policy";

fn policy(text: &str) -> Arc<ResponseHeadersPolicy> {
    let loaded = accepted(text);
    let behavior = &loaded.site.distributions()[0].default_behavior;
    behavior.response_headers_policy.clone().unwrap()
}

/// What is added to a preflight from `https://a.test` that asks for `X-Shop-Id`.
fn added(policy: &ResponseHeadersPolicy) -> Vec<String> {
    let mut request = HeaderMap::new();
    for (name, value) in [
        ("origin", "https://www.a.test"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-shop-id"),
    ] {
        request.insert(name, HeaderValue::from_static(value));
    }
    let asked = Asked::of(&Method::OPTIONS, |n| request.get(n));
    let mut all = Vec::new();
    policy.changes(asked, |_| false).each(|_, key, value| {
        let key = std::str::from_utf8(key).unwrap();
        all.push(format!("{key}: {}", value.to_str().unwrap()));
    });
    all
}

const NATIVE: &str = "response_headers_policy:
  name: whole
  comment: all there is
  cors_config:
    access_control_allow_origins: [\"https://*.a.test\"]
    access_control_allow_headers: [Content-Type, \"X-Shop-*\"]
    access_control_allow_methods: ALL
    access_control_allow_credentials: true
    access_control_expose_headers: [X-Shop-Id]
    access_control_max_age_sec: 600
    origin_override: true
  security_headers_config:
    xss_protection: { protection: true, mode_block: true, override: true }
    frame_options: { frame_option: DENY, override: false }
    referrer_policy: { referrer_policy: same-origin }
    content_security_policy: { content_security_policy: \"default-src 'self'\", override: true }
    content_type_options: { override: true }
    strict_transport_security: { access_control_max_age_sec: 60, include_subdomains: true, preload: true, override: true }
  custom_headers_config:
    - { header: X-One, value: one, override: true }
    - { header: X-Empty, value: \"\", override: false }
  remove_headers_config: [X-Powered-By, Server]
  server_timing_headers_config: { enabled: true, sampling_rate: 12.5 }";

/// The same as `aws cloudfront get-response-headers-policy-config` prints it.
const AWS: &str = r#"response_headers_policy:
  {
    "Comment": "all there is",
    "Name": "whole",
    "CorsConfig": {
      "AccessControlAllowOrigins": { "Quantity": 1, "Items": ["https://*.a.test"] },
      "AccessControlAllowHeaders": { "Quantity": 2, "Items": ["Content-Type", "X-Shop-*"] },
      "AccessControlAllowMethods": { "Quantity": 1, "Items": ["ALL"] },
      "AccessControlAllowCredentials": true,
      "AccessControlExposeHeaders": { "Quantity": 1, "Items": ["X-Shop-Id"] },
      "AccessControlMaxAgeSec": 600,
      "OriginOverride": true
    },
    "SecurityHeadersConfig": {
      "XSSProtection": { "Override": true, "Protection": true, "ModeBlock": true },
      "FrameOptions": { "Override": false, "FrameOption": "DENY" },
      "ReferrerPolicy": { "Override": false, "ReferrerPolicy": "same-origin" },
      "ContentSecurityPolicy": { "Override": true, "ContentSecurityPolicy": "default-src 'self'" },
      "ContentTypeOptions": { "Override": true },
      "StrictTransportSecurity": { "Override": true, "IncludeSubdomains": true, "Preload": true, "AccessControlMaxAgeSec": 60 }
    },
    "ServerTimingHeadersConfig": { "Enabled": true, "SamplingRate": 12.5 },
    "CustomHeadersConfig": { "Quantity": 2, "Items": [
      { "Header": "X-One", "Value": "one", "Override": true },
      { "Header": "X-Empty", "Value": "", "Override": false }
    ] },
    "RemoveHeadersConfig": { "Quantity": 2, "Items": [{ "Header": "X-Powered-By" }, { "Header": "Server" }] }
  }"#;

#[test]
fn a_policy_is_read_whole_in_both_spellings() {
    // CF-020, CF-067, CF-132, CF-556, CF-557, CF-607, CF-608, CF-609, CF-610
    let native = policy(&with_default_behavior(NATIVE));
    assert_eq!(native, policy(&with_default_behavior(AWS)));
    assert_eq!(native.name.as_deref(), Some("whole"));
    let removed: Vec<_> = native.remove.iter().map(|n| n.as_str()).collect();
    assert_eq!(removed, ["x-powered-by", "server"]);
    assert_eq!(
        added(&native),
        [
            "Access-Control-Allow-Origin: https://www.a.test",
            "Access-Control-Allow-Credentials: true",
            "Access-Control-Expose-Headers: X-Shop-Id",
            "Access-Control-Allow-Methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            "Access-Control-Allow-Headers: Content-Type, x-shop-id",
            "Access-Control-Max-Age: 600",
            "Vary: Origin",
            "X-XSS-Protection: 1; mode=block",
            "X-Frame-Options: DENY",
            "Referrer-Policy: same-origin",
            "Content-Security-Policy: default-src 'self'",
            "X-Content-Type-Options: nosniff",
            "Strict-Transport-Security: max-age=60; includeSubDomains; preload",
            "X-One: one",
            "X-Empty: ",
        ]
    );
    let overrides: Vec<_> = native.fields().iter().map(|f| f.overrides).collect();
    assert_eq!(
        overrides,
        [true, false, false, true, true, true, true, false]
    );
    let timing = native.server_timing.unwrap();
    assert!(timing.takes(124_999) && !timing.takes(125_000));
}

#[test]
fn protection_has_four_values() {
    // CF-556
    for (settings, value) in [
        ("protection: false", "0"),
        ("protection: true", "1"),
        ("protection: true, mode_block: true", "1; mode=block"),
        (
            "protection: true, mode_block: false, report_uri: https://r.test/x",
            "1; report=https://r.test/x",
        ),
    ] {
        let text = format!(
            "response_headers_policy: {{ security_headers_config: {{ xss_protection: {{ {settings} }} }} }}"
        );
        let policy = policy(&with_default_behavior(&text));
        assert_eq!(added(&policy), [format!("X-XSS-Protection: {value}")]);
    }
}

#[test]
fn policies_are_found_by_id_and_by_name() {
    // CF-025, CF-067, CF-132, CF-151..155
    for (key, name) in [
        ("response_headers_policy", "Managed-SecurityHeadersPolicy"),
        ("response_headers_policy", "SecurityHeadersPolicy"),
        (
            "response_headers_policy_id",
            "67f7725c-6f97-4210-82d7-5512b31e9d03",
        ),
    ] {
        let found = policy(&with_default_behavior(&format!("{key}: {name}")));
        assert_eq!(
            Some(found),
            managed_response_headers_policy("SecurityHeadersPolicy")
        );
    }
    let own = "response_headers_policies:
  one: { name: first, custom_headers_config: [{ header: X-One, value: a }] }
  two: { CustomHeadersConfig: { Items: [{ Header: X-Two, Value: b }] } }
";
    for (name, header) in [
        ("one", "X-One: a"),
        ("first", "X-One: a"),
        ("two", "X-Two: b"),
    ] {
        let text = with_default_behavior(&format!("response_headers_policy: {name}"));
        assert_eq!(added(&policy(&format!("{own}{text}"))), [header]);
    }
    refused(
        &with_default_behavior("response_headers_policy: Managed-SimpleCros"),
        &[&format!(
            "5:32: {AT}: NoSuchResponseHeadersPolicy: there is no policy `Managed-SimpleCros` | did you mean `Managed-SimpleCORS`?"
        )],
    );
    let site = with_default_behavior("response_headers_policy: on");
    refused(
        &format!(
            "response_headers_policies:\n  SimpleCORS: {{ remove_headers_config: [a] }}\n  one: {{ remove_headers_config: [a] }}\n  two: {{ name: one, remove_headers_config: [a] }}\n{site}"
        ),
        &[
            "2:3: response_headers_policies.SimpleCORS: ResponseHeadersPolicyAlreadyExists: `SimpleCORS` is a managed policy",
            "4:16: response_headers_policies.two.name: ResponseHeadersPolicyAlreadyExists: `one` is taken on line 3",
            "9:32: distributions.site.default_cache_behavior.response_headers_policy: NoSuchResponseHeadersPolicy: | did you mean `one`?",
        ],
    );
}

#[test]
fn what_cannot_be_removed_is_refused() {
    // CF-555
    for name in [
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Expect",
        "Host",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Via",
        "Warning",
        "X-Accel-Buffering",
        "X-Accel-Charset",
        "X-Accel-Limit-Rate",
        "X-Accel-Redirect",
        "X-Amz-Cf-Id",
        "X-Amz-Cf-Pop",
        "X-Amzn-Auth",
        "X-Amzn-Cf-Billing",
        "X-Amzn-Cf-Id",
        "X-Amzn-Cf-Xff",
        "X-Amzn-ErrorType",
        "X-Amzn-Fle-Profile",
        "X-Amzn-Header-Count",
        "X-Amzn-Header-Order",
        "X-Amzn-Lambda-Integration-Tag",
        "X-Amzn-RequestId",
        "X-Edge-Location",
        "X-Forwarded-Proto",
        "X-Real-Ip",
    ] {
        refused(
            &with_default_behavior(&format!(
                "response_headers_policy: {{ remove_headers_config: [{name}] }}"
            )),
            &[&format!(
                "5:58: {AT}.remove_headers_config[0]: InvalidArgument: header `{name}` cannot be removed"
            )],
        );
    }
    // Close, and not on the list.
    let names = "[Server, Date, Age, Vary, ETag, Set-Cookie, X-Amzn-Trace-Id, X-Cache]";
    policy(&with_default_behavior(&format!(
        "response_headers_policy: {{ remove_headers_config: {names} }}"
    )));
}

#[test]
fn faults_are_named_with_their_place() {
    // CF-024, CF-132, CF-556, CF-557, CF-607, CF-608, CF-609, CF-610
    let long = "x".repeat(1_784);
    let comment = "c".repeat(129);
    let eleven = |item: &str| [item; 11].join(", ");
    let customs: Vec<_> = (0..11)
        .map(|n| format!("{{ header: X-{n}, value: a }}"))
        .collect();
    let removed: Vec<_> = (0..11).map(|n| format!("X-{n}")).collect();
    let origins = eleven(&format!("a.{}.test", "o".repeat(200)));
    let rows: &[(String, &str)] = &[
        ("{ cors_config: { access_control_allow_origins: [] } }".into(), ".access_control_allow_origins: InvalidArgument: there is no origin"),
        ("{ cors_config: { access_control_allow_origins: { Quantity: 0 } } }".into(), ".access_control_allow_origins: InvalidArgument: there is no origin"),
        ("{ security_headers_config: { content_security_policy: { content_security_policy: \"caf\u{e9}\" } } }".into(), ".content_security_policy: InvalidArgument: the policy is not a header value"),
        ("{ security_headers_config: { xss_protection: { protection: true, report_uri: \"caf\u{e9}\" } } }".into(), ".report_uri: InvalidArgument: `report_uri` is not"),
        ("{ custom_headers_config: [{ header: X-A, value: \"caf\u{e9}\" }] }".into(), ".value: a header value is ASCII text"),
        ("{}".into(), "5:32: {AT}: InvalidArgument: the policy neither adds nor removes anything"),
        (format!("{{ comment: {comment}, remove_headers_config: [a] }}"), ".comment: InvalidArgument: the comment is 129 characters long"),
        ("{ cors_config: { origin_override: true } }".into(), ".cors_config: InvalidArgument: `access_control_allow_origins` is missing"),
        ("{ cors_config: { access_control_allow_origins: [\"*\", a.test] } }".into(), ".access_control_allow_origins[0]: InvalidArgument: `*` is all origins, and stands alone"),
        ("{ cors_config: { access_control_allow_origins: [a.*.test] } }".into(), ".access_control_allow_origins[0]: InvalidArgument: `a.*.test` is not an origin"),
        (format!("{{ cors_config: {{ access_control_allow_origins: [{origins}] }} }}"), ".access_control_allow_origins: InvalidArgument: the value is 2"),
        ("{ cors_config: { access_control_allow_origins: [\"*\"], access_control_allow_methods: [get] } }".into(), ".access_control_allow_methods[0]: InvalidArgument: `get` is not one of DELETE"),
        ("{ cors_config: { access_control_allow_origins: [\"*\"], access_control_allow_headers: [\"a b\"] } }".into(), ".access_control_allow_headers[0]: `a b` is not a header name"),
        ("{ cors_config: { access_control_allow_origins: [\"*\"], access_control_expose_headers: [\"a:\"] } }".into(), ".access_control_expose_headers[0]: `a:` is not a header name"),
        ("{ cors_config: { access_control_allow_origins: [\"*\"], access_control_max_age_sec: -1 } }".into(), ".access_control_max_age_sec: expected seconds"),
        ("{ security_headers_config: { xss_protection: { protection: true, mode_block: true, report_uri: https://r.test } } }".into(), ".report_uri: InvalidArgument: `mode_block` and `report_uri` exclude each other"),
        ("{ security_headers_config: { xss_protection: { protection: false, mode_block: true } } }".into(), ".xss_protection: InvalidArgument: `mode_block` and `report_uri` need"),
        ("{ security_headers_config: { frame_options: { frame_option: ALLOW-FROM } } }".into(), ".frame_option: expected `DENY` or `SAMEORIGIN`"),
        ("{ security_headers_config: { referrer_policy: { referrer_policy: never } } }".into(), ".referrer_policy.referrer_policy: expected `no-referrer`"),
        (format!("{{ security_headers_config: {{ content_security_policy: {{ content_security_policy: {long} }} }} }}"), ".content_security_policy.content_security_policy: TooLongCSPInResponseHeadersPolicy: the policy is 1784"),
        ("{ security_headers_config: { strict_transport_security: { preload: true } } }".into(), ".strict_transport_security: InvalidArgument: `access_control_max_age_sec` is missing"),
        (format!("{{ custom_headers_config: [{}] }}", customs.join(", ")), ".custom_headers_config: TooManyCustomHeadersInResponseHeadersPolicy: 11 custom headers, at most 10"),
        ("{ custom_headers_config: [{ header: \"a b\" }] }".into(), ".custom_headers_config[0].header: `a b` is not a header name"),
        ("{ custom_headers_config: [{ header: Content-Length, value: 1 }] }".into(), ".header: InvalidArgument: header `Content-Length` is the node's to set"),
        ("{ custom_headers_config: [{ header: X-Cache, value: 1 }] }".into(), ".header: InvalidArgument: header `X-Cache` is the node's to set"),
        ("{ custom_headers_config: [{ header: X-A, value: \"a\\nb\" }] }".into(), ".value: a header value is ASCII text"),
        ("{ custom_headers_config: [{ header: X-A, value: a }, { header: x-a, value: b }] }".into(), "[1].header: InvalidArgument: header `x-a` is already given on line 5"),
        ("{ security_headers_config: { content_type_options: {} }, custom_headers_config: [{ header: x-content-type-options, value: b }] }".into(), "[0].header: InvalidArgument: header `x-content-type-options` is set by"),
        (format!("{{ remove_headers_config: [{}] }}", removed.join(", ")), ".remove_headers_config: TooManyRemoveHeadersInResponseHeadersPolicy: 11 headers to remove, at most 10"),
        ("{ remove_headers_config: [a, A] }".into(), "[1]: InvalidArgument: header `A` is already listed on line 5"),
        ("{ server_timing_headers_config: { enabled: true, sampling_rate: 101 } }".into(), ".sampling_rate: InvalidArgument: expected a percentage"),
        ("{ server_timing_headers_config: { sampling_rate: 1 } }".into(), ".server_timing_headers_config: InvalidArgument: `enabled` is missing"),
        ("{ cors: {}, remove_headers_config: [a] }".into(), ".cors: `cors` is not a setting of a response headers policy"),
        ("{ Name: a, name: b, remove_headers_config: [a] }".into(), ".name: `name` and `name` are one setting: give one"),
    ];
    for (settings, expected) in rows {
        let text = with_default_behavior(&format!("response_headers_policy: {settings}"));
        let dir = tempfile::tempdir().unwrap();
        let Err(errors) = super::parse_in(dir.path(), &text.replace("functions:", "x:")) else {
            panic!("accepted: {text}");
        };
        let said: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
        let expected = expected.replace("{AT}", AT);
        assert!(
            said.iter().any(|s| s.contains(&expected) && s.contains(AT)),
            "{settings}\n{expected}\n{}",
            said.join("\n")
        );
    }
}
