//! How viewers connect: `node.certificates` and its neighbours, `viewer_certificate`, `http_version` and
//! `viewer_protocol_policy`.

use std::time::Duration;

use fourfront_model::{HttpVersions, SecurityPolicy, ViewerProtocolPolicy};

use super::{accepted, refused};

const CERTIFICATES: &str = "certificates: { site: { cert: site.pem, key: site.key }, other: { cert: site.pem, key: site.key } }";

/// A file whose `node` has `settings` from line 2, column 3 on, and whose distribution `a` has `distribution` after it.
fn with(node: &str, distribution: &str) -> String {
    let node = node.replace('\n', "\n  ");
    format!(
        "node:\n  {node}\ndistributions:\n  a:\n    {distribution}\n    origins: {{ app: \"http://a.test\" }}\n"
    )
}

#[test]
fn https_is_on_where_there_is_a_certificate() {
    // CF-095
    let viewers = accepted(&with("threads: 1", "enabled: true")).node.viewers;
    assert_eq!(
        (viewers.listen_https, viewers.certificates.len()),
        (None, 0)
    );
    let viewers = accepted(&with(CERTIFICATES, "enabled: true")).node.viewers;
    assert_eq!(viewers.listen_https.unwrap().to_string(), "0.0.0.0:8443");
    assert_eq!(viewers.default_certificate, 0);
    assert_eq!(viewers.certificates[1].label, "other");
    assert!(viewers.certificates[0].cert.ends_with("site.pem"));

    let all = format!(
        "{CERTIFICATES}\nlisten_https: 127.0.0.1:0\nhttps_port: 443\ndefault_certificate: other\nhandshake_timeout: 2.5\nwebsocket_idle_timeout: 90\nhttp2: {{ cleartext: true, max_concurrent_streams: 7 }}\nproxy_protocol: true"
    );
    let loaded = accepted(&with(&all, "enabled: true"));
    let viewers = loaded.node.viewers;
    assert_eq!(viewers.listen_https.unwrap().to_string(), "127.0.0.1:0");
    assert_eq!(
        (viewers.https_port, viewers.default_certificate),
        (Some(443), 1)
    );
    assert_eq!(viewers.handshake_timeout, Duration::from_millis(2_500));
    // CF-399
    assert_eq!(viewers.websocket_idle_timeout, Duration::from_secs(90));
    assert!(viewers.h2_cleartext && viewers.proxy_protocol);
    assert_eq!(viewers.h2_streams, 7);
    assert!(loaded.watched.iter().any(|p| p.ends_with("site.key")));
}

#[test]
fn a_distribution_names_its_certificate_and_policy() {
    // CF-047, CF-050, CF-095, CF-096, CF-097, CF-100
    let of = |settings: &str| {
        let loaded = accepted(&with(CERTIFICATES, settings));
        let distribution = loaded.site.distributions()[0].clone();
        (
            distribution.viewer_certificate.clone(),
            distribution.http_versions,
        )
    };
    let (certificate, versions) = of("enabled: true");
    assert_eq!(certificate.certificate, None);
    assert_eq!(certificate.policy, SecurityPolicy::Tls12From2021);
    assert_eq!(versions, HttpVersions::Http2);
    let (_, versions) = of("http_version: http1.1");
    assert_eq!(versions, HttpVersions::Http1);
    for key in ["certificate", "acm_certificate_arn", "iam_certificate_id"] {
        let (certificate, _) = of(&format!(
            "viewer_certificate: {{ {key}: other, ssl_support_method: vip, minimum_protocol_version: TLSv1.3_2025, cloudfront_default_certificate: false }}"
        ));
        assert_eq!(certificate.certificate.as_deref(), Some("other"));
        assert_eq!(certificate.policy, SecurityPolicy::Tls13From2025);
    }
    let printed = "viewer_certificate: { cloudfront_default_certificate: true, ssl_support_method: vip, minimum_protocol_version: TLSv1, certificate_source: cloudfront }";
    let (certificate, _) = of(printed);
    assert_eq!(certificate.certificate, None);
    assert_eq!(certificate.policy, SecurityPolicy::Tls12From2021);
}

#[test]
fn protocol_policies_are_read() {
    // CF-061
    for (word, policy) in [
        ("allow-all", ViewerProtocolPolicy::AllowAll),
        ("https-only", ViewerProtocolPolicy::HttpsOnly),
        ("redirect-to-https", ViewerProtocolPolicy::RedirectToHttps),
    ] {
        let behavior = format!("default_cache_behavior: {{ viewer_protocol_policy: {word} }}");
        let site = accepted(&with(CERTIFICATES, &behavior)).site;
        let found = site.distributions()[0]
            .default_behavior
            .viewer_protocol_policy;
        assert_eq!(found, policy);
    }
}

#[test]
fn viewers_may_have_to_show_certificates() {
    // CF-055
    let with_policy = |mtls: &str| {
        format!(
            "viewer_mtls_config: {mtls}\n    default_cache_behavior: {{ viewer_protocol_policy: https-only }}"
        )
    };
    let of = |mtls: &str| {
        let loaded = accepted(&with(CERTIFICATES, &with_policy(mtls)));
        let mtls = loaded.site.distributions()[0].viewer_mtls.clone().unwrap();
        assert!(loaded.watched.contains(&mtls.trust_store));
        (mtls.required, mtls.advertises_names)
    };
    assert_eq!(
        of("{ trust_store_config: { trust_store: ca.pem } }"),
        (true, false)
    );
    assert_eq!(
        of(
            "{ mode: optional, trust_store_config: { trust_store: ca.pem, advertise_trust_store_ca_names: true } }"
        ),
        (false, true)
    );
    for (mtls, expected) in [
        (
            "{ mode: required }",
            "5:25: distributions.a.viewer_mtls_config.trust_store_config: nothing says whose certificates",
        ),
        (
            "{ mode: passthrough, trust_store_config: { trust_store: ca.pem } }",
            "5:33: distributions.a.viewer_mtls_config.mode: `passthrough` is not supported",
        ),
        (
            "{ trust_store_config: { trust_store: gone.pem } }",
            "5:62: distributions.a.viewer_mtls_config.trust_store_config.trust_store: file `gone.pem` does not exist",
        ),
    ] {
        refused(&with(CERTIFICATES, &with_policy(mtls)), &[expected]);
    }
    refused(
        &with(
            CERTIFICATES,
            "viewer_mtls_config: { trust_store_config: { trust_store: ca.pem } }",
        ),
        &[
            "5:25: distributions.a.viewer_mtls_config: viewers of behaviour `*` may come by plain HTTP",
        ],
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    // CF-061, CF-095, CF-097, CP-117
    let rows = [
        (
            "listen_https: 0.0.0.0:8443",
            "enabled: true",
            "2:17: node.listen_https: there is no certificate to show to viewers | node.certificates",
        ),
        (
            "https_port: 443",
            "enabled: true",
            "2:15: node.https_port: viewers cannot come by HTTPS",
        ),
        (
            "certificates: { site: { cert: site.pem } }",
            "enabled: true",
            "2:25: node.certificates.site: the certificate has no `key`",
        ),
        (
            "certificates: { site: { cert: site.pme, key: site.key } }",
            "enabled: true",
            "2:33: node.certificates.site.cert: file `site.pme` does not exist (help: did you mean `site.pem`?)",
        ),
        (
            "certificates: { site: site.pem }",
            "enabled: true",
            "2:25: node.certificates.site: expected a block with `cert` and `key`",
        ),
        (
            "http2: { max_concurrent_streams: 0 }",
            "enabled: true",
            "2:36: node.http2.max_concurrent_streams: expected a number of streams",
        ),
        (
            "threads: 1",
            "default_cache_behavior: { viewer_protocol_policy: https-only }",
            "5:55: distributions.a.default_cache_behavior.viewer_protocol_policy: viewers cannot come by HTTPS: the node has no certificate",
        ),
        (
            CERTIFICATES,
            "default_cache_behavior: { viewer_protocol_policy: allow-some }",
            "5:55: distributions.a.default_cache_behavior.viewer_protocol_policy: expected `allow-all`, `https-only` or `redirect-to-https`, found `allow-some`",
        ),
        (
            CERTIFICATES,
            "viewer_certificate: { certificate: sites }",
            "5:40: distributions.a.viewer_certificate.certificate: InvalidViewerCertificate: the node has no certificate `sites` (help: did you mean `site`?)",
        ),
        (
            CERTIFICATES,
            "viewer_certificate: { certificate: site, iam_certificate_id: other }",
            "5:66: distributions.a.viewer_certificate.iam_certificate_id: InvalidViewerCertificate: a distribution has one certificate",
        ),
        (
            CERTIFICATES,
            "viewer_certificate: { certificate: site, cloudfront_default_certificate: true }",
            "5:40: distributions.a.viewer_certificate.certificate: InvalidViewerCertificate: `cloudfront_default_certificate` is set",
        ),
        (
            CERTIFICATES,
            "viewer_certificate: { certificate: site, minimum_protocol_version: TLSv1.1_2016 }",
            "5:72: distributions.a.viewer_certificate.minimum_protocol_version: `TLSv1.1_2016` begins below TLS 1.2",
        ),
        (
            CERTIFICATES,
            "viewer_certificate: { minimum_protocol_version: TLSv1.2_2022 }",
            "5:53: distributions.a.viewer_certificate.minimum_protocol_version: expected | found `TLSv1.2_2022`",
        ),
    ];
    for (node, distribution, expected) in rows {
        refused(&with(node, distribution), &[expected]);
    }
    let one_port = format!("{CERTIFICATES}\nlisten_https: 127.0.0.1:8080");
    refused(
        &with(&one_port, "enabled: true"),
        &[
            "3:17: node.listen_https: `listen_https` 127.0.0.1:8080 and `listen` 0.0.0.0:8080 are one port",
        ],
    );
    let nobody = format!("{CERTIFICATES}\ndefault_certificate: none");
    refused(
        &with(&nobody, "enabled: true"),
        &[
            "3:24: node.default_certificate: InvalidViewerCertificate: the node has no certificate `none`",
        ],
    );
}
