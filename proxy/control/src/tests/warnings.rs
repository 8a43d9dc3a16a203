//! What a site file works with and is warned of.

use std::fmt::Write as _;

use super::{accepted, with_default_behavior, with_origin};

/// The rules of all warnings, in file order.
#[track_caller]
fn rules(text: &str) -> Vec<&'static str> {
    accepted(text).warnings.iter().map(|w| w.rule).collect()
}

#[test]
fn a_warning_says_where_and_why() {
    // CF-026, CF-175
    let text = with_default_behavior("cache_policy: { headers: [User-Agent] }");
    let loaded = accepted(&text);
    assert_eq!(loaded.warnings.len(), 1);
    let said = loaded.warnings[0].to_string();
    assert!(
        said.starts_with("fourfront.yaml:4:5: distributions.site.default_cache_behavior: `user-agent` is in the cache key: "),
        "{said}"
    );
    assert!(said.ends_with(" (CF-175)"), "{said}");
}

#[test]
fn nothing_is_said_of_what_is_usual() {
    // CF-026, CF-122, CF-130, CF-175, CF-310, CF-420
    for settings in [
        "cache_policy: Managed-CachingOptimized",
        "cache_policy: Managed-CachingDisabled\norigin_request_policy: Managed-AllViewer",
        "cache_policy: { headers: [Authorization] }\norigin_request_policy: Managed-AllViewer",
        "forwarded_values: { query_string: true }",
    ] {
        let text = with_default_behavior(settings);
        assert_eq!(
            rules(&format!("cache_mode: cloudfront\n{text}")),
            [""; 0],
            "{settings}"
        );
    }
}

#[test]
fn keys_that_differ_between_all_viewers_are_warned_of() {
    // CF-175
    for (headers, expected) in [
        ("[User-Agent]", 1),
        ("[Date, user-agent]", 2),
        ("[Accept-Language]", 0),
    ] {
        for settings in [
            format!("cache_policy: {{ headers: {headers} }}"),
            format!("forwarded_values: {{ query_string: false, headers: {headers} }}"),
        ] {
            let found = rules(&with_default_behavior(&settings));
            assert_eq!(found, vec!["CF-175"; expected], "{settings}");
        }
    }
    // Nothing is kept, so nothing is missed.
    let disabled = "cache_policy: { max_ttl: 0, default_ttl: 0, headers: [User-Agent] }";
    assert_eq!(rules(&with_default_behavior(disabled)), [""; 0]);
}

#[test]
fn credentials_outside_the_key_are_warned_of_where_they_do_not_hinder_storing() {
    // CF-310
    let with = |mode: &str, policy: &str| {
        let settings =
            format!("cache_policy: {{ default_ttl: 60 }}\norigin_request_policy: {policy}");
        let text = with_default_behavior(&settings);
        rules(&format!("cache_mode: {mode}\n{text}"))
    };
    for (policy, expected) in [
        ("Managed-AllViewer", &["CF-310"][..]),
        ("{ headers: [authorization] }", &["CF-310"]),
        ("{ headers: { all_except: [Host] } }", &["CF-310"]),
        ("{ headers: { all_except: [Authorization] } }", &[]),
        ("{ headers: [Accept] }", &[]),
    ] {
        assert_eq!(with("cloudfront", policy), expected, "{policy}");
        assert_eq!(with("rfc9111", policy), [""; 0], "{policy}");
    }
}

#[test]
fn a_header_that_the_origin_overwrites_is_warned_of() {
    // CF-130, CF-412
    let site = |custom: &str, listed: &str| {
        rules(&format!(
            "distributions:
  site:
    origins:
      one: {{ domain_name: a.test, custom_headers: {{ {custom}: x }}, custom_origin_config: {{ origin_protocol_policy: http-only }} }}
      two: http://b.test
    origin_groups: {{ both: {{ members: [two, one], failover_criteria: {{ status_codes: [500] }} }} }}
    default_cache_behavior: {{ origin: both, origin_request_policy: {{ headers: [{listed}] }} }}
"
        ))
    };
    assert_eq!(site("X-Env", "x-env"), ["CF-130"]);
    assert_eq!(site("X-Env", "x-other"), [""; 0]);
}

#[test]
fn ports_that_cloudfront_does_not_connect_to_are_warned_of() {
    // CF-420
    for (port, warns) in [
        (80, false),
        (443, false),
        (1_024, false),
        (65_535, false),
        (81, true),
        (1_023, true),
    ] {
        let expected = vec!["CF-420"; usize::from(warns)];
        let block = format!(
            "domain_name: a.test\ncustom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port} }}"
        );
        assert_eq!(rules(&with_origin(&block)), expected, "{port}");
        let url =
            format!("distributions: {{ a: {{ origins: {{ app: \"http://a.test:{port}\" }} }} }}");
        assert_eq!(rules(&url), expected, "{port}");
        let domain = format!(
            "domain_name: a.test:{port}\ncustom_origin_config: {{ origin_protocol_policy: http-only }}"
        );
        assert_eq!(rules(&with_origin(&domain)), expected, "{port}");
    }
    // Both may stand there, and the protocol picks one.
    let unused = "domain_name: a.test\ncustom_origin_config: { origin_protocol_policy: http-only, https_port: 81 }";
    assert_eq!(rules(&with_origin(unused)), [""; 0]);
}

#[test]
fn an_address_of_its_own_is_warned_of() {
    // CF-096
    let site = |settings: &str| {
        rules(&format!(
            "node: {{ certificates: {{ site: {{ cert: site.pem, key: site.key }} }} }}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, viewer_certificate: {{ {settings} }} }} }}"
        ))
    };
    for method in ["vip", "static-ip"] {
        let own = format!("certificate: site, ssl_support_method: {method}");
        assert_eq!(site(&own), ["CF-096"]);
        // What CloudFront prints where nothing was chosen.
        let default = format!("cloudfront_default_certificate: true, ssl_support_method: {method}");
        assert_eq!(site(&default), [""; 0]);
    }
}

/// `count` entries from a template in which `#` is their number.
fn many(count: usize, template: &str) -> String {
    (0..count).fold(String::new(), |mut all, i| {
        let _ = write!(all, "{}", template.replace('#', &i.to_string()));
        all
    })
}

#[test]
fn what_is_beyond_an_accounts_quotas_is_warned_of_and_works() {
    // CF-026, CF-042
    let at_most = [
        (
            "cache_behaviors",
            75,
            "      - { path: /#, origin: o0 }\n",
            "",
        ),
        ("aliases", 100, "      - h#.example.test\n", ""),
        (
            "origin_groups",
            10,
            "      g#: { members: [o0, o1], failover_criteria: { status_codes: [500] } }\n",
            "",
        ),
        (
            "origins",
            98,
            "      x#: http://a.test\n",
            "      o0: http://a.test\n      o1: http://a.test\n",
        ),
    ];
    for (member, most, template, before) in at_most {
        let site = |count: usize| {
            let origins = if member == "origins" {
                ""
            } else {
                "    origins: { o0: \"http://a.test\", o1: \"http://b.test\" }\n"
            };
            format!(
                "distributions:\n  a:\n    default_cache_behavior: {{ origin: o0 }}\n{origins}    {member}:\n{before}{}",
                many(count, template)
            )
        };
        assert_eq!(rules(&site(most)), [""; 0], "{member}");
        let loaded = accepted(&site(most + 1));
        assert_eq!(loaded.warnings.len(), 1, "{member}");
        assert_eq!(loaded.warnings[0].rule, "CF-026");
        assert_eq!(loaded.warnings[0].path, format!("distributions.a.{member}"));
    }
    for (member, template) in [
        ("cache_policies", "  p#: { default_ttl: 1 }\n"),
        ("origin_request_policies", "  p#: { headers: [X-A] }\n"),
        (
            "response_headers_policies",
            "  p#: { remove_headers_config: [X-A] }\n",
        ),
    ] {
        let site = |count: usize| {
            format!(
                "{member}:\n{}distributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n",
                many(count, template)
            )
        };
        assert_eq!(rules(&site(20)), [""; 0], "{member}");
        assert_eq!(rules(&site(21)), ["CF-026"], "{member}");
    }
}

#[test]
fn key_groups_have_quotas_too() {
    // CF-026, CF-070
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5t4Umm4DhnvW289k0c5z+/w8Yyx2\\nLLyLOMUIvYybWGIpNIbgHc1dms9RIZJtssuXqDEThi23IRFHzcQoIpg43g==\\n-----END PUBLIC KEY-----\\n";
    let site = |keys: usize, groups: usize| {
        let keys_of_group: Vec<String> = (0..keys).map(|i| format!("k{i}")).collect();
        let names: Vec<String> = (0..groups).map(|i| format!("g{i}")).collect();
        rules(&format!(
            "public_keys:\n{}key_groups:\n{}distributions: {{ a: {{ origins: {{ app: \"http://a.test\" }}, default_cache_behavior: {{ trusted_key_groups: [{}] }} }} }}\n",
            many(keys, &format!("  k#: {{ pem: \"{KEY}\" }}\n")),
            many(groups, &format!("  g#: [{}]\n", keys_of_group.join(", "))),
            names.join(", ")
        ))
    };
    assert_eq!(site(5, 4), [""; 0]);
    assert_eq!(site(6, 1), ["CF-026"]);
    assert_eq!(site(1, 5), ["CF-026"]);
}

#[test]
fn policies_list_so_many_names_on_aws() {
    // CF-122
    let list = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("X-{i}")).collect();
        names.join(", ")
    };
    for kind in ["headers", "cookies", "query_strings"] {
        for policy in ["cache_policy", "origin_request_policy"] {
            let site = |count| {
                rules(&with_default_behavior(&format!(
                    "{policy}: {{ {kind}: [{}] }}",
                    list(count)
                )))
            };
            assert_eq!(site(10), [""; 0], "{policy} {kind}");
            assert_eq!(site(11), ["CF-122"], "{policy} {kind}");
            let long = |length: usize| {
                let name = "x".repeat(length);
                rules(&with_default_behavior(&format!(
                    "{policy}: {{ {kind}: [{name}] }}"
                )))
            };
            assert_eq!(long(1_024), [""; 0], "{policy} {kind}");
            assert_eq!(long(1_025), ["CF-122"], "{policy} {kind}");
        }
    }
    let named = "cache_policies: { p: { headers: [".to_owned()
        + &list(11)
        + "] } }\ndistributions: { a: { origins: { app: \"http://a.test\" }, default_cache_behavior: { cache_policy: p } } }";
    // Once, where it is declared.
    assert_eq!(rules(&named), ["CF-122"]);
}
