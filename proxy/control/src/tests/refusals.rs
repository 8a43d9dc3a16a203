//! Settings CloudFront has and this node does not: each is refused by name, and accepted where its value
//! switches it off.

use super::{accepted, refused, with_default_behavior, with_origin};
use crate::keys::{self, Key, KeyKind};

fn refused_keys(table: &keys::Table) -> Vec<&'static Key> {
    table
        .keys()
        .filter(|k| matches!(k.kind, KeyKind::Refused { .. }))
        .collect()
}

/// A file in which a block of `table` has `setting` on line `line`, column `column`, under `path`.
struct Host {
    table: &'static keys::Table,
    text: fn(&str) -> String,
    line: usize,
    column: usize,
    path: &'static str,
}

const HOSTS: &[Host] = &[
    Host {
        table: &keys::SITE,
        text: |s| {
            format!("{s}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n")
        },
        line: 1,
        column: 1,
        path: "",
    },
    Host {
        table: &keys::NODE,
        text: |s| {
            format!(
                "node:\n  {s}\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n"
            )
        },
        line: 2,
        column: 3,
        path: "node.",
    },
    Host {
        table: &keys::FUNCTION,
        text: |s| {
            format!(
                "functions:\n  f:\n    {s}\n    file: auth.js\ndistributions: {{ a: {{ origins: {{ app: \"http://a.test\" }} }} }}\n"
            )
        },
        line: 3,
        column: 5,
        path: "functions.f.",
    },
    Host {
        table: &keys::DISTRIBUTION,
        text: |s| {
            format!("distributions:\n  a:\n    {s}\n    origins: {{ app: \"http://a.test\" }}\n")
        },
        line: 3,
        column: 5,
        path: "distributions.a.",
    },
    Host {
        table: &keys::TRUST_STORE,
        text: |s| {
            format!(
                "distributions:\n  a:\n    viewer_mtls_config:\n      trust_store_config:\n        {s}\n        trust_store: ca.pem\n    default_cache_behavior: {{ viewer_protocol_policy: https-only }}\n    origins: {{ app: \"http://a.test\" }}\nnode: {{ certificates: {{ site: {{ cert: site.pem, key: site.key }} }} }}\n"
            )
        },
        line: 5,
        column: 9,
        path: "distributions.a.viewer_mtls_config.trust_store_config.",
    },
    Host {
        table: &keys::CLOUDFRONT_FUNCTION,
        text: |s| {
            format!(
                "distributions:\n  a:\n    origins: {{ app: \"http://a.test\" }}\ncloudfront_functions:\n  f:\n    {s}\n    file: ./cff/redirects.js\n"
            )
        },
        line: 6,
        column: 5,
        path: "cloudfront_functions.f.",
    },
    Host {
        table: &keys::ORIGIN,
        text: |s| with_origin(&format!("{s}\ndir: public")),
        line: 5,
        column: 9,
        path: "distributions.site.origins.app.",
    },
    Host {
        table: &keys::CUSTOM_ORIGIN,
        text: |s| {
            with_origin(&format!(
                "custom_origin_config:\n  {s}\n  origin_protocol_policy: http-only\ndomain_name: a.test"
            ))
        },
        line: 6,
        column: 11,
        path: "distributions.site.origins.app.custom_origin_config.",
    },
    Host {
        table: &keys::DEFAULT_BEHAVIOR,
        text: with_default_behavior,
        line: 5,
        column: 7,
        path: "distributions.site.default_cache_behavior.",
    },
    Host {
        table: &keys::BEHAVIOR,
        text: |s| {
            format!(
                "distributions:\n  a:\n    origins: {{ app: \"http://a.test\" }}\n    cache_behaviors:\n      - {s}\n        path: /a\n"
            )
        },
        line: 5,
        column: 9,
        path: "distributions.a.cache_behaviors[0].",
    },
];

#[test]
fn everything_refused_is_refused_by_name() {
    // CF-022, CF-043, CF-045..057, CF-064, CF-067..075, CF-416..417, LE-353
    let mut count = 0;
    for host in HOSTS {
        for key in refused_keys(host.table) {
            let KeyKind::Refused { reason, .. } = key.kind else {
                continue;
            };
            let (line, column, path, name) = (host.line, host.column, host.path, key.name);
            for on in ["something", "{ enabled: true }", "[a, { b: c }]", "1"] {
                refused(
                    &(host.text)(&format!("{name}: {on}")),
                    &[&format!(
                        "{line}:{column}: {path}{name}: `{name}` is {reason}"
                    )],
                );
            }
            count += 1;
        }
    }
    // Every table that refuses anything has its place above.
    let all: usize = keys::ALL.iter().map(|t| refused_keys(t).len()).sum();
    assert_eq!(count, all);
}

#[test]
fn everything_refused_is_accepted_when_it_is_off() {
    // CP-641, and CloudFront's normal form of control-plane.md section 3.4
    for host in HOSTS {
        for key in refused_keys(host.table) {
            let KeyKind::Refused { off, .. } = key.kind else {
                continue;
            };
            let word = off.map(|w| format!("\"{w}\""));
            let offs = [
                "",
                "~",
                "false",
                "none",
                "\"\"",
                "[]",
                "{}",
                "{ enabled: false, x: y }",
                "{ a: { b: none, c: [] } }",
            ];
            for value in offs.into_iter().map(str::to_owned).chain(word) {
                accepted(&(host.text)(&format!("{}: {value}", key.name)));
            }
        }
    }
}

#[test]
fn a_distribution_as_cloudfront_prints_it_with_everything_off_is_accepted() {
    // CP-641; CF-046 and CF-023 for what has no meaning here
    accepted(
        "distributions:
  a:
    caller_reference: x
    aliases: []
    default_root_object: \"\"
    comment: \"\"
    origin_groups: []
    cache_behaviors: []
    custom_error_responses: []
    logging: { enabled: false, include_cookies: false, bucket: \"\", prefix: \"\" }
    price_class: PriceClass_All
    enabled: true
    viewer_certificate: { cloudfront_default_certificate: true, ssl_support_method: vip, minimum_protocol_version: TLSv1, certificate_source: cloudfront }
    restrictions: { geo_restriction: { restriction_type: none, locations: [] } }
    web_acl_id: \"\"
    http_version: http1.1
    is_ipv6_enabled: true
    continuous_deployment_policy_id: \"\"
    staging: false
    origins:
      app:
        domain_name: a.test
        origin_path: \"\"
        custom_headers: {}
        connection_attempts: 3
        connection_timeout: 10
        origin_shield: { enabled: false }
        origin_access_control_id: \"\"
        custom_origin_config:
          http_port: 80
          https_port: 443
          origin_protocol_policy: http-only
          origin_ssl_protocols: [TLSv1.2]
          origin_read_timeout: 30
          origin_keepalive_timeout: 5
    default_cache_behavior:
      target_origin_id: app
      trusted_signers: []
      trusted_key_groups: { enabled: false }
      viewer_protocol_policy: allow-all
      allowed_methods: [HEAD, GET]
      cached_methods: [HEAD, GET]
      smooth_streaming: false
      compress: false
      lambda_function_associations: []
      function_associations: []
      field_level_encryption_id: \"\"
      grpc_config: { enabled: false }
      cache_policy_id: 658327ea-f89d-4fab-a63d-7e88639e58f6
",
    );
}

#[test]
fn words_that_need_what_is_not_there_say_so() {
    // CF-050
    for version in ["http3", "http2and3"] {
        refused(
            &format!(
                "distributions:\n  a:\n    http_version: {version}\n    origins: {{ app: \"http://a.test\" }}\n"
            ),
            &[&format!(
                "3:19: distributions.a.http_version: `{version}` is not available yet: it needs HTTP/3"
            )],
        );
    }
}

#[test]
fn accept_and_ignore_still_means_text() {
    // CF-046
    refused(
        "distributions:\n  a:\n    price_class: [x]\n    origins: { app: \"http://a.test\" }\n",
        &["3:18: distributions.a.price_class: expected text, found a list"],
    );
}
