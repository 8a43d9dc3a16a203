//! What goes to the origin.

use std::sync::Arc;

use fourfront_model::{GeneratedHeader, OriginRequestPolicy, Selection};

use super::*;
use crate::testing::{behavior, custom_origin, lines, s3_origin, show};

const NODE_VIA: &str = "1.1 n1.fourfront (Fourfront)";

/// A viewer's request and everything that decides what becomes of it.
struct Given {
    method: Method,
    headers: Vec<(&'static str, &'static str)>,
    has_body: bool,
    behavior: CacheBehavior,
    origin: Origin,
    identity: Identity,
    version: Version,
    peer: &'static str,
    selected: Selected,
}

fn get(headers: &[(&'static str, &'static str)]) -> Given {
    Given {
        method: Method::GET,
        headers: headers.to_vec(),
        has_body: false,
        behavior: behavior(),
        origin: custom_origin(),
        identity: Identity::fourfront(),
        version: Version::HTTP_11,
        peer: "192.0.2.7",
        selected: Selected::default(),
    }
}

impl Given {
    fn naming(mut self, headers: OriginHeaders) -> Self {
        self.behavior.origin_request_policy = Some(Arc::new(OriginRequestPolicy {
            headers,
            cookies: Selection::None,
            query_strings: Selection::None,
            ..OriginRequestPolicy::default()
        }));
        self
    }

    fn request(&self) -> OriginRequest {
        origin_request(
            &ViewerParts {
                method: &self.method,
                path: b"/a//b%2f",
                headers: &lines(&self.headers),
                has_body: self.has_body,
            },
            &self.behavior,
            &self.origin,
            &self.identity,
            &Hop {
                node_id: "n1",
                version: self.version,
                peer: self.peer.parse().unwrap(),
                relayed: false,
            },
            &self.selected,
        )
    }

    fn shown(&self) -> Vec<String> {
        show(&self.request().headers)
    }

    /// The value of one field, lines joined with `|`.
    fn sent(&self, name: &str) -> Option<String> {
        let request = self.request();
        let values: Vec<String> = request
            .headers
            .iter()
            .filter(|l| l.name.as_str().eq_ignore_ascii_case(name))
            .map(|l| String::from_utf8_lossy(l.value.as_bytes()).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join("|"))
    }
}

/// What becomes of a field whose viewer value is `v`.
#[derive(Clone, Copy)]
struct Row {
    rule: &'static str,
    names: &'static [&'static str],
    /// Policies name nothing; a policy names the field; all-viewer.
    sent: [Option<&'static str>; 3],
    /// With which request.
    probe: Probe,
}

/// The requests the table is tried with.
#[derive(Clone, Copy, PartialEq)]
enum Probe {
    Get,
    Options,
    PostWithBody,
}

use Probe::{Get, Options, PostWithBody};

const V: Option<&str> = Some("v");
const IF_NAMED: [Option<&str>; 3] = [None, V, V];
const NEVER: [Option<&str>; 3] = [None; 3];
const ALWAYS: [Option<&str>; 3] = [V; 3];

const fn row(
    rule: &'static str,
    names: &'static [&'static str],
    sent: [Option<&'static str>; 3],
    probe: Probe,
) -> Row {
    Row {
        rule,
        names,
        sent,
        probe,
    }
}

const TABLE: &[Row] = &[
    row("CF-330", &["X-Custom", "Purpose"], IF_NAMED, Get),
    row(
        "CF-331",
        &["Accept", "Accept-Charset", "Accept-Language", "Referer"],
        IF_NAMED,
        Get,
    ),
    row("CF-332, CF-206", &["Accept-Encoding"], IF_NAMED, Get),
    row("CF-333, CF-309", &["Authorization"], IF_NAMED, Get),
    row("CF-333, CF-309", &["Authorization"], ALWAYS, Options),
    row("CF-333, CF-309", &["Authorization"], ALWAYS, PostWithBody),
    row("CF-334", &["Cache-Control", "Pragma"], IF_NAMED, Get),
    row("CF-335", &["Connection", "Keep-Alive"], NEVER, Get),
    row(
        "CF-336",
        &[
            "Content-Length",
            "Content-Type",
            "Content-MD5",
            "Content-Encoding",
        ],
        ALWAYS,
        PostWithBody,
    ),
    row("CF-336", &["Content-Length"], NEVER, Get),
    row(
        "CF-336",
        &["Content-Type", "Content-MD5", "Content-Encoding"],
        IF_NAMED,
        Get,
    ),
    row("CF-337", &["Cookie"], NEVER, Get),
    row(
        "CF-338",
        &["Date", "From", "Warning", "Max-Forwards"],
        IF_NAMED,
        Get,
    ),
    row("CF-339, CF-372", &["Expect"], NEVER, PostWithBody),
    row(
        "CF-340, CF-357",
        &["Host"],
        [Some("origin.test"), V, V],
        Get,
    ),
    row(
        "CF-341, CF-286",
        &[
            "If-Match",
            "If-Modified-Since",
            "If-None-Match",
            "If-Range",
            "If-Unmodified-Since",
        ],
        ALWAYS,
        Get,
    ),
    row("CF-342", &["Origin"], IF_NAMED, Get),
    row(
        "CF-343, CF-357",
        &[
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Trailer",
        ],
        NEVER,
        Get,
    ),
    row("CF-344", &["Range"], ALWAYS, Get),
    row("CF-345", &["Request-Range"], IF_NAMED, Get),
    row("CF-346", &["Transfer-Encoding"], NEVER, Get),
    row("CF-347", &["Upgrade"], NEVER, Get),
    row(
        "CF-348, CF-357",
        &["User-Agent"],
        [Some("Fourfront"), V, V],
        Get,
    ),
    row(
        "CF-349",
        &["Via"],
        [Some("v, 1.1 n1.fourfront (Fourfront)"); 3],
        Get,
    ),
    row(
        "CF-350",
        &["X-Edge-Anything", "X-Forwarded-Proto", "X-Real-IP"],
        NEVER,
        Get,
    ),
    row("CF-351", &["X-HTTP-Method-Override"], IF_NAMED, Get),
    row(
        "CF-353",
        &["X-Forwarded-For"],
        [Some("v, 192.0.2.7"); 3],
        Get,
    ),
    row("CF-356", &["CDN-Loop"], [Some("v, fourfront"); 3], Get),
    row(
        "CF-358",
        &[
            "CloudFront-Viewer-Country",
            "X-Amz-Cf-Id",
            "X-Amzn-Cf-Id",
            "Client-Cert",
        ],
        NEVER,
        Get,
    ),
];

#[test]
fn the_table_row_by_row() {
    // CF-330, CF-331, CF-332, CF-333, CF-334, CF-335, CF-336, CF-337, CF-338, CF-339, CF-340, CF-341, CF-342, CF-343,
    // CF-344, CF-345, CF-346, CF-347, CF-348, CF-349, CF-350, CF-351, CF-353, CF-356, CF-357, CF-358
    for row in TABLE {
        for name in row.names {
            let given = || {
                let mut given = get(&[(name, "v")]);
                match row.probe {
                    Get => {}
                    Options => given.method = Method::OPTIONS,
                    PostWithBody => {
                        given.method = Method::POST;
                        given.has_body = true;
                    }
                }
                given
            };
            let only = OriginHeaders::Whitelist(vec![name.to_ascii_lowercase()]);
            let got = [
                given().sent(name),
                given().naming(only).sent(name),
                given().naming(OriginHeaders::AllViewer).sent(name),
            ];
            assert_eq!(
                got,
                row.sent.map(|v| v.map(str::to_owned)),
                "{} {name}",
                row.rule
            );
        }
    }
}

#[test]
fn in_legacy_mode_more_is_sent_that_nothing_names() {
    // CF-068, CF-330, CF-331, CF-332, CF-333, CF-334, CF-335, CF-337, CF-338, CF-339, CF-340, CF-342, CF-343, CF-345,
    // CF-347, CF-348, CF-350, CF-351, CF-358: the table's column "legacy"
    for (sent, names) in [
        (
            true,
            &[
                "X-Own",
                "Cache-Control",
                "Pragma",
                "Date",
                "From",
                "Warning",
                "Max-Forwards",
                "Origin",
                "Request-Range",
                "DNT",
            ][..],
        ),
        (
            false,
            &[
                "Accept",
                "Accept-Charset",
                "Accept-Language",
                "Referer",
                "Accept-Encoding",
                "Authorization",
                "Cookie",
                "Connection",
                "Expect",
                "Proxy-Authorization",
                "TE",
                "Trailer",
                "Upgrade",
                "X-Edge-Location",
                "X-Forwarded-Proto",
                "X-Real-IP",
                "X-HTTP-Method-Override",
                "CloudFront-Viewer-Country",
            ],
        ),
    ] {
        for name in names {
            let given = get(&[(name, "v")]).naming(OriginHeaders::Legacy);
            let expected = sent.then(|| "v".to_owned());
            assert_eq!(given.sent(name), expected, "{name}");
        }
    }
    let given = get(&[("Host", "www.example.test"), ("User-Agent", "v")]);
    let given = given.naming(OriginHeaders::Legacy);
    assert_eq!(given.sent("host").as_deref(), Some("origin.test"));
    assert_eq!(given.sent("user-agent").as_deref(), Some("Fourfront"));
    // What is listed is keyed, and so it is sent.
    let mut given = get(&[("Host", "www.example.test"), ("Accept-Language", "pt")]);
    let policy = Arc::make_mut(&mut given.behavior.cache_policy);
    policy.headers = vec!["accept-language".into(), "host".into()];
    let given = given.naming(OriginHeaders::Legacy);
    assert_eq!(given.sent("host").as_deref(), Some("www.example.test"));
    assert_eq!(given.sent("accept-language").as_deref(), Some("pt"));
}

#[test]
fn a_bare_request_carries_the_nodes_own_fields_in_order() {
    // CF-340, CF-348, CF-352, CF-353, CF-356, CF-359, LE-091
    let viewer = get(&[("accept", "*/*"), ("host", "www.example.test")]);
    assert_eq!(
        viewer.shown(),
        [
            "Host: origin.test",
            "User-Agent: Fourfront",
            &format!("Via: {NODE_VIA}"),
            "X-Forwarded-For: 192.0.2.7",
            "CDN-Loop: fourfront",
        ]
    );
    let request = viewer.request();
    assert_eq!(
        (request.path.as_ref(), request.query.as_ref()),
        (&b"/a//b%2f"[..], &b""[..])
    );
}

#[test]
fn everything_in_the_key_is_sent_as_well() {
    // CF-120, CF-127
    let mut given = get(&[("X-Keyed", "1"), ("X-Sent", "2"), ("X-Other", "3")])
        .naming(OriginHeaders::Whitelist(vec!["x-sent".into()]));
    let mut policy = (*given.behavior.cache_policy).clone();
    policy.headers = vec!["x-keyed".into()];
    given.behavior.cache_policy = Arc::new(policy);
    assert_eq!(given.sent("x-keyed").as_deref(), Some("1"));
    assert_eq!(given.sent("x-sent").as_deref(), Some("2"));
    assert_eq!(given.sent("x-other"), None);
}

#[test]
fn all_except_leaves_out_what_it_lists() {
    // CF-125, CF-128
    let given = get(&[("Host", "www.example.test"), ("X-A", "1"), ("X-B", "2")])
        .naming(OriginHeaders::AllExcept(vec!["host".into(), "x-b".into()]));
    assert_eq!(given.sent("host").as_deref(), Some("origin.test"));
    assert_eq!(given.sent("x-a").as_deref(), Some("1"));
    assert_eq!(given.sent("x-b"), None);
}

#[test]
fn buckets_never_get_the_viewers_host() {
    // CF-340, CF-430
    let mut given = get(&[("Host", "www.example.test")]).naming(OriginHeaders::AllViewer);
    given.origin = s3_origin();
    assert_eq!(given.sent("host").as_deref(), Some("bucket.test"));
}

#[test]
fn an_absent_user_agent_stays_absent_only_when_it_is_selected() {
    // CF-348
    let user_agent = |given: Given| given.sent("user-agent");
    assert_eq!(user_agent(get(&[])).as_deref(), Some("Fourfront"));
    assert_eq!(user_agent(get(&[]).naming(OriginHeaders::AllViewer)), None);
    let mut amazon = get(&[("User-Agent", "curl/8")]);
    amazon.identity = Identity::cloudfront();
    assert_eq!(user_agent(amazon).as_deref(), Some("Amazon CloudFront"));
}

#[test]
fn fields_named_by_connection_are_removed_even_when_selected() {
    // CF-335
    let given = get(&[
        ("Connection", "close, X-Hop, CDN-Loop, X-Forwarded-For"),
        ("X-Hop", "1"),
        ("X-End", "2"),
        ("X-Forwarded-For", "198.51.100.1"),
        ("CDN-Loop", "other"),
    ])
    .naming(OriginHeaders::AllViewer);
    assert_eq!(given.sent("x-hop"), None);
    assert_eq!(given.sent("x-end").as_deref(), Some("2"));
    assert_eq!(
        given.sent("x-forwarded-for").as_deref(),
        Some("198.51.100.1, 192.0.2.7")
    );
    assert_eq!(given.sent("cdn-loop").as_deref(), Some("other, fourfront"));
}

#[test]
fn authorization_on_cacheable_options_is_removed() {
    // CF-309
    let mut given = get(&[("Authorization", "v")]);
    given.method = Method::OPTIONS;
    given.behavior.cached_methods = fourfront_model::CachedMethods::GetHeadOptions;
    assert_eq!(given.sent("authorization"), None);
}

#[test]
fn normalised_accept_encoding_wins_over_every_policy() {
    // CF-129, CF-200..205
    let mut given = get(&[("Accept-Encoding", "br;q=0.5, zstd")]).naming(OriginHeaders::AllViewer);
    let mut policy = (*given.behavior.cache_policy).clone();
    policy.accept_encoding_gzip = true;
    given.behavior.cache_policy = Arc::new(policy);
    assert_eq!(given.sent("accept-encoding"), None);
    given.selected.accept_encoding = Some(HeaderValue::from_static("identity"));
    assert_eq!(given.sent("accept-encoding").as_deref(), Some("identity"));
}

#[test]
fn http_1_0_viewers_accept_no_coding() {
    // CF-206
    let mut given = get(&[("Accept-Encoding", "gzip")]).naming(OriginHeaders::AllViewer);
    given.version = Version::HTTP_10;
    assert_eq!(given.sent("accept-encoding"), None);
}

#[test]
fn selected_cookies_and_query_are_sent_as_given() {
    // CF-182, CF-191, CF-337
    let mut given = get(&[("Cookie", "b=2; a=1; c=3")]);
    given.selected.cookies = Some(HeaderValue::from_static("a=1; b=2"));
    given.selected.query = Bytes::from_static(b"x=1&y");
    assert_eq!(given.sent("cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!(given.request().path_and_query(), "/a//b%2f?x=1&y");
}

#[test]
fn revalidation_replaces_the_viewers_preconditions() {
    // CF-280, CF-341
    let mut given = get(&[
        ("If-Match", "\"m\""),
        ("If-None-Match", "\"viewer\""),
        ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ]);
    given.selected.preconditions = Preconditions::Validate {
        etag: Some(HeaderValue::from_static("\"stored\"")),
        last_modified: None,
    };
    assert_eq!(given.sent("if-none-match").as_deref(), Some("\"stored\""));
    for name in ["if-match", "if-modified-since", "if-unmodified-since"] {
        assert_eq!(given.sent(name), None, "{name}");
    }
    given.selected.preconditions = Preconditions::Strip;
    assert_eq!(given.sent("if-none-match"), None);
}

#[test]
fn if_range_goes_where_range_goes() {
    // CF-341, CF-344, CF-533
    let mut given = get(&[("Range", "bytes=0-9"), ("If-Range", "\"x\"")]);
    given.selected.preconditions = Preconditions::Strip;
    let both = |given: &Given| (given.sent("range"), given.sent("if-range"));
    assert_eq!(
        both(&given),
        (Some("bytes=0-9".into()), Some("\"x\"".into()))
    );
    given.selected.range = RangeSent::Strip;
    assert_eq!(both(&given), (None, None));
    given.selected.range = RangeSent::Replace(HeaderValue::from_static("bytes=0-1048575"));
    assert_eq!(both(&given), (Some("bytes=0-1048575".into()), None));
}

#[test]
fn a_body_of_unknown_length_is_announced_as_chunked() {
    // CF-346, CF-370, LE-215
    let mut given = get(&[("Transfer-Encoding", "chunked")]);
    given.method = Method::POST;
    given.has_body = true;
    assert_eq!(given.sent("transfer-encoding").as_deref(), Some("chunked"));
    given.headers = vec![("Content-Length", "3")];
    assert_eq!(given.sent("transfer-encoding"), None);
    assert_eq!(given.sent("content-length").as_deref(), Some("3"));
}

#[test]
fn via_names_the_protocol_the_viewer_spoke_and_continues_the_list() {
    // CF-349, CF-352
    for (version, text) in [
        (Version::HTTP_10, "1.0"),
        (Version::HTTP_11, "1.1"),
        (Version::HTTP_2, "2.0"),
        (Version::HTTP_3, "3.0"),
    ] {
        let mut given = get(&[("Via", "1.1 a"), ("Via", "1.1 b")]);
        given.version = version;
        given.identity = Identity::cloudfront();
        let expected = format!("1.1 a, 1.1 b, {text} n1.cloudfront.net (CloudFront)");
        assert_eq!(given.sent("via"), Some(expected));
    }
}

#[test]
fn x_forwarded_for_goes_on_in_its_style() {
    // CF-353
    let sent = |headers: &[(&'static str, &'static str)], viewer| {
        let mut given = get(headers);
        given.peer = viewer;
        given.sent("x-forwarded-for").unwrap()
    };
    assert_eq!(sent(&[], "2001:db8::17"), "2001:db8::17");
    assert_eq!(sent(&[], "::ffff:192.0.2.9"), "192.0.2.9");
    assert_eq!(
        sent(&[("X-Forwarded-For", "a,b")], "192.0.2.7"),
        "a,b,192.0.2.7"
    );
    assert_eq!(
        sent(&[("X-Forwarded-For", "a, b")], "192.0.2.7"),
        "a, b, 192.0.2.7"
    );
    assert_eq!(
        sent(
            &[("X-Forwarded-For", "a"), ("x-forwarded-for", "b")],
            "192.0.2.7"
        ),
        "a, b, 192.0.2.7"
    );
}

#[test]
fn generated_headers_are_the_nodes_and_never_the_viewers() {
    // CF-125, CF-174, CF-358, CF-359, CF-376..386, LE-222
    let line = |header: GeneratedHeader, value: &'static str| {
        names::line(header.header_name(), HeaderValue::from_static(value))
    };
    let sent = [
        ("CloudFront-Viewer-Country", "XX"),
        ("CloudFront-Is-IOS-Viewer", "true"),
        ("Referer", "r"),
    ];
    let countries = OriginHeaders::Whitelist(vec![
        "cloudfront-is-ios-viewer".to_owned(),
        "cloudfront-viewer-country".to_owned(),
    ]);
    for headers in [countries, OriginHeaders::AllViewer, OriginHeaders::None] {
        let mut given = get(&sent).naming(headers);
        assert_eq!(given.sent("cloudfront-viewer-country"), None);
        assert_eq!(given.sent("cloudfront-is-ios-viewer"), None);
        given.selected.generated = vec![
            line(GeneratedHeader::ViewerCountry, "DE"),
            line(GeneratedHeader::IsIosViewer, "false"),
        ];
        let shown = given.shown();
        for line in [
            "CloudFront-Viewer-Country: DE",
            "CloudFront-Is-IOS-Viewer: false",
        ] {
            assert_eq!(shown.iter().filter(|l| *l == line).count(), 1, "{shown:?}");
        }
        assert_eq!(
            shown
                .iter()
                .filter(|l| l.starts_with("CloudFront-"))
                .count(),
            2
        );
    }
    for header in GeneratedHeader::ALL {
        // Written as the model writes it.
        assert_eq!(names::canonical(&header.header_name()), header.key());
    }
}

#[test]
fn a_shield_makes_the_same_of_a_request_that_its_edge_has_made() {
    // CF-415, CF-349, CF-352, CF-353, CF-356, CF-359
    let viewer = [
        ("Host", "viewer.test"),
        ("User-Agent", "curl"),
        ("Accept", "*/*"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-For", "192.0.2.1,192.0.2.2"),
        ("CDN-Loop", "other"),
        ("Authorization", "Basic x"),
        ("CloudFront-Viewer-Country", "XX"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
    ];
    for headers in [
        OriginHeaders::None,
        OriginHeaders::AllViewer,
        OriginHeaders::Legacy,
        OriginHeaders::AllExcept(vec!["host".into()]),
        OriginHeaders::Whitelist(vec!["accept".into(), "user-agent".into()]),
    ] {
        let mut given = get(&viewer).naming(headers);
        let country = GeneratedHeader::from_name("cloudfront-viewer-country").unwrap();
        given.selected.generated = vec![HeaderLine {
            name: country.header_name(),
            key: country.key(),
            value: HeaderValue::from_static("DE"),
        }];
        given.selected.cookies = Some(HeaderValue::from_static("a=1"));
        let edges = given.request();
        let shields = origin_request(
            &ViewerParts {
                method: &given.method,
                path: &edges.path,
                headers: &edges.headers,
                has_body: false,
            },
            &given.behavior,
            &given.origin,
            &given.identity,
            &Hop {
                node_id: "n2",
                version: Version::HTTP_11,
                peer: "198.51.100.1".parse().unwrap(),
                relayed: true,
            },
            &given.selected,
        );
        assert_eq!(show(&shields.headers), show(&edges.headers));
    }
}
