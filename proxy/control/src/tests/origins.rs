//! Origins: URLs, blocks, buckets, directories (CF section 5).

use std::time::Duration;

use fourfront_model::{Origin, OriginKind, OriginProtocol, S3AuthMethod, SslProtocol};

use super::{accepted, parse_in, refused, site_dir, with_origin};

const APP: &str = "distributions.a.origins.app";
const BLOCK: &str = "distributions.site.origins.app";

fn with_url(url: &str) -> String {
    format!("distributions:\n  a:\n    origins:\n      app: \"{url}\"\n")
}

fn origin(text: &str) -> Origin {
    Origin::clone(&accepted(text).site.distributions()[0].origins[0])
}

#[test]
fn urls_become_custom_origins() {
    // CP-642, CF-411, CF-414, CF-420
    use OriginProtocol::{Http, Https};
    for (url, protocol, host, port, path) in [
        ("http://a.test", Http, "a.test", 80, ""),
        ("http://a.test/", Http, "a.test", 80, ""),
        ("https://A.Test", Https, "a.test", 443, ""),
        (
            "HTTP://127.0.0.1:3000/api/v1",
            Http,
            "127.0.0.1",
            3000,
            "/api/v1",
        ),
        ("https://[::1]:8443/x", Https, "::1", 8443, "/x"),
        ("http://localhost:${PORT}", Http, "localhost", 3000, ""),
    ] {
        let origin = origin(&with_url(url));
        let OriginKind::Custom(custom) = &origin.kind else {
            panic!("{url} is not a custom origin");
        };
        assert_eq!((custom.protocol, custom.port), (protocol, port), "{url}");
        assert_eq!(
            (
                origin.id.as_str(),
                origin.domain_name.as_str(),
                origin.origin_path.as_str()
            ),
            ("app", host, path)
        );
        // CF-390, CF-391, CF-392, CF-394, CF-395
        assert_eq!(origin.connection_attempts, 3);
        assert_eq!(origin.connection_timeout, Duration::from_secs(10));
        assert_eq!(origin.read_timeout, Duration::from_secs(30));
        assert_eq!(origin.response_completion_timeout, None);
        assert_eq!(custom.keepalive_timeout, Duration::from_secs(5));
    }
}

#[test]
fn other_urls_are_refused() {
    // CF-411, CF-414
    for (url, fault) in [
        (
            "a.test",
            "InvalidOrigin: `a.test` is not an http or https URL (help: write `http://host:port/path`",
        ),
        (
            "./public",
            "InvalidOrigin: `./public` is not an http or https URL | { dir: ./public }",
        ),
        (
            "ws://a.test",
            "InvalidOrigin: `ws://a.test` is not an http or https URL",
        ),
        (
            "s3://bucket",
            "InvalidOrigin: `s3://bucket` is not an http or https URL",
        ),
        (
            "http://",
            "InvalidOrigin: `http://` has no valid host and port",
        ),
        ("http://:80", "InvalidOrigin: | has no valid host and port"),
        (
            "http://a.test:x",
            "InvalidOrigin: | has no valid host and port",
        ),
        (
            "http://a.test:0",
            "InvalidOrigin: | has no valid host and port",
        ),
        (
            "http://a.test:65536",
            "InvalidOrigin: | has no valid host and port",
        ),
        (
            "http://*.a.test",
            "InvalidOrigin: | has no valid host and port",
        ),
        ("http://a b", "InvalidOrigin: | has no valid host and port"),
        ("http://u:p@a.test", "InvalidOrigin: | holds credentials"),
        (
            "http://a.test/?q",
            "InvalidOrigin: | has a query or a fragment",
        ),
        (
            "http://a.test/x#y",
            "InvalidOrigin: | has a query or a fragment",
        ),
        (
            "http://a.test/x/",
            "InvalidRelativePath: origin path `/x/` ends with `/`",
        ),
        ("http://a.test/ä", "InvalidRelativePath: | percent-encoded"),
    ] {
        refused(&with_url(url), &[&format!("4:12: {APP}: {fault}")]);
    }
}

#[test]
fn blocks_say_everything() {
    // CF-390..395, CF-412, CF-420, CF-421, CF-422
    let origin = origin(&with_origin(
        "domain_name: Origin.Test
origin_path: /v1
custom_headers: { X-Secret: abc, x-flag: true }
custom_origin_config:
  http_port: 8080
  https_port: 8443
  origin_protocol_policy: https-only
  origin_ssl_protocols: [TLSv1.2, TLSv1.1, TLSv1, SSLv3]
  origin_read_timeout: 60
  origin_keepalive_timeout: 300
connection_attempts: 2
connection_timeout: 4
response_completion_timeout: 90",
    ));
    assert_eq!(origin.domain_name, "origin.test");
    assert_eq!(origin.origin_path, "/v1");
    assert_eq!(
        origin.custom_headers,
        [
            ("X-Secret".into(), "abc".into()),
            ("x-flag".into(), "true".into())
        ]
    );
    assert_eq!(origin.connection_attempts, 2);
    assert_eq!(origin.connection_timeout, Duration::from_secs(4));
    assert_eq!(origin.read_timeout, Duration::from_secs(60));
    assert_eq!(
        origin.response_completion_timeout,
        Some(Duration::from_secs(90))
    );
    let OriginKind::Custom(custom) = origin.kind else {
        panic!("not custom");
    };
    assert_eq!(
        (custom.protocol, custom.port),
        (OriginProtocol::Https, 8443)
    );
    assert_eq!(
        custom.ssl_protocols,
        [
            SslProtocol::TlsV1_2,
            SslProtocol::TlsV1_1,
            SslProtocol::TlsV1,
            SslProtocol::SslV3
        ]
    );
    assert_eq!(custom.keepalive_timeout, Duration::from_secs(300));
}

#[test]
fn a_port_may_stand_in_the_name() {
    // CF-411
    let origin = origin(&with_origin(
        "domain_name: a.test:3000\ncustom_origin_config: { origin_protocol_policy: http-only }",
    ));
    assert_eq!(origin.domain_name, "a.test");
    assert!(matches!(origin.kind, OriginKind::Custom(c) if c.port == 3000));
    refused(
        &with_origin(
            "domain_name: a.test:3000\ncustom_origin_config: { origin_protocol_policy: http-only, http_port: 80 }",
        ),
        &[&format!(
            "6:79: {BLOCK}.custom_origin_config.http_port: InvalidOrigin: the port is given here and in `domain_name`"
        )],
    );
}

#[test]
fn buckets_are_unsigned_and_know_their_region() {
    // CF-430, CF-434, LE-112, LE-113
    let origin = origin(&with_origin(
        "domain_name: bkt.s3.eu-west-1.amazonaws.com\norigin_path: /files\ns3_origin_config: { origin_access_identity: \"\", origin_read_timeout: 5 }",
    ));
    let OriginKind::S3(s3) = &origin.kind else {
        panic!("not a bucket");
    };
    assert_eq!(
        (s3.auth_method, s3.region.as_str()),
        (S3AuthMethod::None, "eu-west-1")
    );
    assert_eq!(origin.read_timeout, Duration::from_secs(5));
    accepted(&with_origin(
        "domain_name: bkt.s3.amazonaws.com\ns3_origin_config: {}",
    ));
    refused(
        &with_origin("domain_name: bkt.s3-website.eu-west-1.amazonaws.com\ns3_origin_config: {}"),
        &[&format!(
            "6:27: {BLOCK}.s3_origin_config: InvalidOrigin: a website endpoint of S3 is a custom origin"
        )],
    );
    refused(
        &with_origin("domain_name: bkt.s3.amazonaws.com:443\ns3_origin_config: {}"),
        &[&format!(
            "6:27: {BLOCK}.s3_origin_config: InvalidOrigin: an S3 origin has no port"
        )],
    );
}

#[test]
fn a_directory_stands_in_for_a_bucket() {
    let dir = site_dir();
    let text = "distributions: { a: { origins: { Static_Files: { dir: ./public, origin_path: /en } } } }\n";
    let loaded = parse_in(dir.path(), text).unwrap();
    let origin = &loaded.site.distributions()[0].origins[0];
    assert_eq!(origin.kind, OriginKind::Dir(dir.path().join("public")));
    assert_eq!(origin.domain_name, "static-files.s3.fourfront.localhost");
    assert_eq!(origin.origin_path, "/en");
    // Files are read as they are asked for: a change needs no reload.
    assert!(loaded.watched.is_empty());

    refused(
        &with_origin("dir: ./publik"),
        &[&format!(
            "5:14: {BLOCK}.dir: directory `./publik` does not exist (help: did you mean `./public`?)"
        )],
    );
    refused(
        &with_origin(
            "dir: public\ndomain_name: a.test:80\nconnection_attempts: 1\nconnection_timeout: 1\nresponse_completion_timeout: 60",
        ),
        &[
            &format!("6:22: {BLOCK}.domain_name: InvalidOrigin: a local directory has no port"),
            &format!(
                "7:30: {BLOCK}.connection_attempts: `connection_attempts` has no meaning for a local directory"
            ),
            &format!("8:29: {BLOCK}.connection_timeout: `connection_timeout` has no meaning"),
            &format!(
                "9:38: {BLOCK}.response_completion_timeout: `response_completion_timeout` has no meaning"
            ),
        ],
    );
}

#[test]
fn a_protocol_may_be_the_viewers() {
    // CF-420, CF-421
    let site = accepted(&with_origin(
        "domain_name: a.test\ncustom_origin_config: { origin_protocol_policy: match-viewer, https_port: 8443 }",
    ))
    .site;
    let origin = &site.distributions()[0].origins[0];
    let reached = |scheme| match &origin.for_viewer(scheme).kind {
        OriginKind::Custom(custom) => (custom.protocol, custom.port),
        other => panic!("{other:?}"),
    };
    let (http, https) = (OriginProtocol::Http, OriginProtocol::Https);
    assert_eq!(reached(http), (http, 80));
    assert_eq!(reached(https), (https, 8443));
    refused(
        &with_origin(
            "domain_name: \"a.test:90\"\ncustom_origin_config: { origin_protocol_policy: match-viewer }",
        ),
        &[
            "6:31: distributions.site.origins.app.custom_origin_config: InvalidOrigin: with `match-viewer`, ports are",
        ],
    );
}

#[test]
fn an_origin_is_of_one_kind_and_says_how_it_is_reached() {
    for (settings, expected) in [
        (
            "domain_name: a.test",
            "4:7: distributions.site.origins.app: InvalidOrigin: nothing says how this origin is reached | write the origin as a URL",
        ),
        (
            "domain_name: a.test\ncustom_origin_config: {}",
            "6:31: distributions.site.origins.app.custom_origin_config: InvalidOrigin: nothing says whether this origin speaks http or https",
        ),
        (
            "domain_name: a.test\ncustom_origin_config: { origin_protocol_policy: http-only }\ns3_origin_config: {}",
            "4:7: distributions.site.origins.app: InvalidOrigin: `custom_origin_config`, `s3_origin_config` and `dir` exclude each other",
        ),
        (
            "dir: public\ns3_origin_config: {}",
            "4:7: distributions.site.origins.app: InvalidOrigin: `custom_origin_config`",
        ),
        (
            "s3_origin_config: {}",
            "4:7: distributions.site.origins.app: InvalidOrigin: the origin has no domain name",
        ),
        (
            "domain_name: \"http://a.test\"\ns3_origin_config: {}",
            "5:22: distributions.site.origins.app.domain_name: InvalidOrigin: `http://a.test` holds a scheme",
        ),
        (
            "domain_name: a/b\ns3_origin_config: {}",
            "5:22: distributions.site.origins.app.domain_name: InvalidOrigin: `a/b` is not a host name",
        ),
    ] {
        refused(&with_origin(settings), &[expected]);
    }
    refused(
        "distributions:\n  a:\n    origins: [http://a.test]\n",
        &[
            "3:15: distributions.a.origins[0]: expected the settings of an origin with its `id`, found `http://a.test`",
        ],
    );
    refused(
        "distributions:\n  a:\n    origins: { app: [x], \"\": \"http://a.test\" }\n",
        &[
            "2:3: distributions.a.default_cache_behavior: the behaviour names no origin",
            "3:21: distributions.a.origins.app: expected an `http://` or `https://` URL, or a block",
            "3:26: distributions.a.origins.: InvalidOrigin: an origin id has 1 to 128 characters",
        ],
    );
}

#[test]
fn origin_paths_are_checked() {
    // CF-414, LE-105
    let long = format!("/{}", "x".repeat(255));
    for (path, fault) in [
        ("v1", "does not begin with `/`"),
        ("/", "ends with `/`"),
        ("/v1/", "ends with `/`"),
        (
            "\"/a b\"",
            "holds characters that have to be percent-encoded",
        ),
        (
            "\"/a?b\"",
            "holds characters that have to be percent-encoded",
        ),
        (long.as_str(), "is longer than 255 characters"),
    ] {
        refused(
            &with_origin(&format!("dir: public\norigin_path: {path}")),
            &[&format!(
                "6:22: {BLOCK}.origin_path: InvalidRelativePath: | {fault}"
            )],
        );
    }
    accepted(&with_origin("dir: public\norigin_path: \"\""));
    accepted(&with_origin("dir: public\norigin_path: /a%20b"));
}

#[test]
fn numbers_keep_to_cloudfronts_ranges() {
    // CF-390, CF-391, CF-392, CF-394, CF-395, CF-420, CF-422
    let custom = |setting: &str| {
        with_origin(&format!(
            "domain_name: a.test\ncustom_origin_config:\n  origin_protocol_policy: http-only\n  {setting}"
        ))
    };
    for (setting, expected) in [
        (
            "http_port: 0",
            "http_port: expected a port, a whole number from 1 to 65535, found `0`",
        ),
        ("https_port: 65536", "https_port: expected a port"),
        (
            "origin_read_timeout: 0",
            "origin_read_timeout: InvalidOriginReadTimeout: expected seconds, a whole number from 1 to 120, found `0`",
        ),
        (
            "origin_read_timeout: 121",
            "origin_read_timeout: InvalidOriginReadTimeout",
        ),
        (
            "origin_keepalive_timeout: 301",
            "origin_keepalive_timeout: InvalidOriginKeepaliveTimeout: expected seconds, a whole number from 1 to 300, found `301`",
        ),
        (
            "origin_ssl_protocols: [TLSv1.3]",
            "origin_ssl_protocols[0]: expected `TLSv1.2`, `TLSv1.1`, `TLSv1` or `SSLv3`, found `TLSv1.3`",
        ),
        (
            "origin_ssl_protocols: [TLSv1.1, TLSv1]",
            "origin_ssl_protocols: none of these versions is ever offered (help: connections to origins offer TLSv1.2",
        ),
        (
            "origin_ssl_protocols: [SSLv3]",
            "origin_ssl_protocols: none of these versions is ever offered",
        ),
        (
            "origin_ssl_protocols: []",
            "origin_ssl_protocols: the list of TLS versions is empty",
        ),
        (
            "origin_ssl_protocols: TLSv1.2",
            "origin_ssl_protocols: expected a list of TLS versions",
        ),
    ] {
        // The value begins a space after the key; an item of a list one bracket later.
        let value = setting.find(' ').unwrap() + 2;
        let column = 10 + value + usize::from(expected.contains("[0]"));
        refused(
            &custom(setting),
            &[&format!(
                "8:{column}: {BLOCK}.custom_origin_config.{expected}"
            )],
        );
    }
    for (setting, expected) in [
        (
            "connection_attempts: 4",
            "connection_attempts: expected a number of attempts, a whole number from 1 to 3, found `4`",
        ),
        (
            "connection_timeout: 11",
            "connection_timeout: expected seconds, a whole number from 1 to 10, found `11`",
        ),
        (
            "response_completion_timeout: 29",
            "response_completion_timeout: `response_completion_timeout` 29 s is below the origin's read timeout of 30 s",
        ),
    ] {
        let column = 9 + setting.find(' ').unwrap() + 1;
        refused(
            &with_origin(&format!(
                "{setting}\ndomain_name: a.test\ncustom_origin_config: {{ origin_protocol_policy: http-only }}"
            )),
            &[&format!("5:{column}: {BLOCK}.{expected}")],
        );
    }
    // LE-110: zero means none
    let origin = origin(&with_origin(
        "response_completion_timeout: 0\ndomain_name: a.test\ncustom_origin_config: { origin_protocol_policy: http-only }",
    ));
    assert_eq!(origin.response_completion_timeout, None);
}

#[test]
fn custom_headers_that_are_the_nodes_own_are_refused() {
    // CF-413, LE-186
    for name in [
        "Cache-Control",
        "Connection",
        "Content-Length",
        "Cookie",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Max-Forwards",
        "Pragma",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Range",
        "Request-Range",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Via",
        "X-Amz-Anything",
        "X-Edge-Anything",
        "x-real-ip",
    ] {
        refused(
            &with_origin(&format!("dir: public\ncustom_headers: {{ {name}: x }}")),
            &[&format!(
                "6:27: {BLOCK}.custom_headers.{name}: header `{name}` is not allowed as a custom header"
            )],
        );
    }
}

#[test]
fn custom_headers_have_sizes() {
    // CF-412
    let headers = format!(
        "dir: public
custom_headers:
  X-A: x
  x-a: y
  {}: x
  X-Long: {}
  \"X B\": x
  X-C: \"a\\nb\"
  X-D: \" x\"
  X-E: [x]",
        "n".repeat(257),
        "v".repeat(1_784),
    );
    let at = format!("{BLOCK}.custom_headers");
    refused(
        &with_origin(&headers),
        &[
            &format!("8:11: {at}.x-a: header `x-a` is already given on line 7"),
            &format!("9:11: {at}.nnn | the name is 257 characters long, at most 256"),
            &format!("10:19: {at}.X-Long: the value is 1784 characters long, at most 1783"),
            &format!("11:11: {at}.X B: `X B` is not a header name"),
            &format!("12:16: {at}.X-C: a header value has no control characters"),
            &format!("13:16: {at}.X-D: a header value has no control characters and no space"),
            &format!("14:16: {at}.X-E: expected text, found a list"),
        ],
    );
    let many: String = (0..31).map(|i| format!("\n  X-{i}: x")).collect();
    refused(
        &with_origin(&format!("dir: public\ncustom_headers:{many}")),
        &[&format!(
            "4:7: {BLOCK}.custom_headers: TooManyOriginCustomHeaders: 31 custom headers, at most 30 are allowed"
        )],
    );
    let large: String = (0..6)
        .map(|i| format!("\n  X-{i}: {}", "v".repeat(1_780)))
        .collect();
    refused(
        &with_origin(&format!("dir: public\ncustom_headers:{large}")),
        &[&format!(
            "4:7: {BLOCK}.custom_headers: custom headers take 10698 characters, at most 10240"
        )],
    );
}
