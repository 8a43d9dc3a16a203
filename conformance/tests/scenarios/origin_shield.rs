//! An origin shield: a node between other nodes and an origin (CF-415, CF-518, LE-006, LE-042, LE-044).

use fourfront_conformance::{ALL_METHODS, Answer, Edge, Origin, Reply, Running, handler};
use tokio::sync::watch;

/// The region that all of this happens in.
pub(super) const REGION: &str = "eu-west-1";

/// What all nodes have in common.
pub(super) const SECRET: &str = "secret: 0123456789abcdef-shared-by-nodes";

/// A block for an origin that has a shield.
pub(super) fn shielded(name: &str, origin: &Origin, more: &str) -> String {
    format!(
        "{name}: {{ domain_name: '127.0.0.1:{}', custom_origin_config: {{ origin_protocol_policy: http-only }}, origin_shield: {{ enabled: true, origin_shield_region: {REGION} }}{more} }}",
        origin.port()
    )
}

/// A node in front of an origin that has a shield.
pub(super) fn node(origin: &Origin, shield: &str) -> Edge {
    Edge::new()
        .node(&format!("origin_shield: {{ {SECRET}, {shield} }}"))
        .origin(&shielded(
            "app",
            origin,
            ", origin_path: /v1, custom_headers: { X-Secret: of-the-origin }",
        ))
        .behavior("origin: app")
}

/// An edge and the node that shields its origin; both go by the same distribution.
pub(super) struct Tiers {
    pub(super) edge: Running,
    pub(super) shield: Running,
}

impl Tiers {
    pub(super) async fn start(origin: &Origin, more: impl Fn(Edge) -> Edge) -> Self {
        let shield = more(node(origin, &format!("serves: {REGION}")));
        let shield = shield.start_at("").await;
        let edge = edge_of(origin, &shield, more).await;
        Self { edge, shield }
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.edge.advance(seconds);
        self.shield.advance(seconds);
    }
}

/// A node behind a shield.
pub(super) async fn edge_of(
    origin: &Origin,
    shield: &Running,
    more: impl Fn(Edge) -> Edge,
) -> Running {
    let nodes = format!("regions: {{ {REGION}: 'http://{}' }}", shield.address());
    more(node(origin, &nodes)).start_at("").await
}

/// Status, body, `X-Cache` and what the log says of it in detail.
pub(super) async fn told(node: &Running, answer: &Answer) -> (u16, String, String, &'static str) {
    let record = node.record_of(answer).await;
    (
        answer.status,
        answer.text().to_owned(),
        answer.x_cache().to_owned(),
        record.detailed_result_type(),
    )
}

pub(super) fn is(
    status: u16,
    text: &str,
    x_cache: &str,
    detail: &'static str,
) -> (u16, String, String, &'static str) {
    (status, text.to_owned(), x_cache.to_owned(), detail)
}

/// What a metric says, all its labels together.
pub(super) fn metric(node: &Running, line: &str) -> Option<String> {
    let text = node.metrics();
    let found = text.lines().find_map(|l| l.strip_prefix(line));
    found.map(|value| value.trim().to_owned())
}

/// Waits until a metric says so: what a node counts of an answer may come after the answer.
pub(super) async fn counts(node: &Running, line: &str, value: &str) {
    let counted = async {
        while metric(node, line).as_deref() != Some(value) {
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(std::time::Duration::from_secs(60), counted);
    if counted.await.is_err() {
        panic!("{line} is {:?}, not {value}", metric(node, line));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edges_make_one_fetch() {
    // CF-415, CF-518, CF-412, CF-414, CF-352, CF-353, CF-355, CF-318
    let origin = Origin::start(|seen| {
        Reply::ok(seen.target.clone())
            .header("Cache-Control", "max-age=60")
            .header("Server", "app")
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let other = edge_of(&origin, &tiers.shield, |e| e).await;
    let first = tiers.edge.get("/a?b=c").await;
    let id = first.header("x-amz-cf-id").unwrap().to_owned();
    assert_eq!(
        told(&tiers.edge, &first).await,
        is(200, "/v1/a", "Miss", "Miss")
    );
    let seen = origin.last();
    assert_eq!(seen.all("x-secret"), ["of-the-origin"]);
    assert_eq!(seen.all("via"), ["1.1 edge-1.fourfront (Fourfront)"]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("cdn-loop"), ["fourfront"]);
    assert_eq!(seen.all("x-amz-cf-id"), [&*id]);
    assert_eq!(seen.all("host"), ["127.0.0.1"]);
    assert!(seen.header("x-edge-shield").is_none());

    tiers.advance(7);
    other.advance(7);
    let second = other.get("/a?b=c").await;
    assert_eq!(
        told(&other, &second).await,
        is(200, "/v1/a", "Hit", "OriginShieldHit")
    );
    let record = other.record_of(&second).await;
    assert_eq!(record.result_type(), "Hit");
    for (name, value) in [
        ("age", Some("7")),
        ("server", Some("app")),
        ("via", Some("1.1 edge-1.fourfront (Fourfront)")),
        ("x-edge-shield", None),
    ] {
        assert_eq!(second.header(name), value, "{name}");
    }
    // From then on it is the edge's own.
    let third = other.get("/a?b=c").await;
    assert_eq!(told(&other, &third).await, is(200, "/v1/a", "Hit", "Hit"));
    assert_eq!(origin.count(), 1);
    // A viewer's request has one record, which is its edge's.
    assert!(tiers.shield.records().is_empty());
    let line = "fourfront_shielded_requests_total{outcome=\"hit\"}";
    counts(&tiers.shield, line, "1").await;
    let line = "fourfront_shield_fetches_total{outcome=\"miss\",region=\"eu-west-1\"}";
    assert_eq!(metric(&tiers.edge, line).as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trigger_runs_in_its_tier() {
    // LE-006, LE-044, LE-073, LE-074
    let origin = Origin::saying("hello").await;
    let log = handler(
        "console.log([config.eventType, config.requestId, request.clientIp, request.uri,
            request.origin ? request.origin.custom.path : '-',
            request.headers['x-forwarded-for'] ? request.headers['x-forwarded-for'][0].value : '-'].join(' '));
         if (config.eventType === 'viewer-request') request.uri = '/made' + request.uri;
         if (config.eventType === 'origin-request') request.headers['x-ask'] = [{ value: '1' }];
         if (config.eventType === 'origin-response') response.headers['x-of'] = [{ value: 'origin' }];
         if (config.eventType === 'viewer-response') response.headers['x-to'] = [{ value: 'viewer' }];
         return response || request;",
    );
    let tiers = Tiers::start(&origin, |e| {
        e.function("log", &log).behavior(
            "on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }",
        )
    })
    .await;
    let answer = tiers.edge.get("/a").await;
    let id = answer.header("x-amz-cf-id").unwrap().to_owned();
    assert_eq!(answer.header("x-of"), Some("origin"));
    assert_eq!(answer.header("x-to"), Some("viewer"));
    let messages = |lines: Vec<fourfront_conformance::LogLine>| -> Vec<_> {
        lines.into_iter().map(|line| line.message).collect()
    };
    assert_eq!(
        messages(tiers.edge.logged(2).await),
        [
            format!("viewer-request {id} 127.0.0.1 /a - -"),
            format!("viewer-response {id} 127.0.0.1 /made/a - -"),
        ]
    );
    assert_eq!(
        messages(tiers.shield.logged(2).await),
        [
            format!("origin-request {id} 127.0.0.1 /made/a /v1 127.0.0.1"),
            format!("origin-response {id} 127.0.0.1 /made/a /v1 127.0.0.1"),
        ]
    );
    assert_eq!(origin.last().target, "/v1/made/a");
    assert_eq!(origin.last().header("x-ask"), Some("1"));

    // A hit at the shield runs none of the origin's; what they made of the answer is in it.
    let other = edge_of(&origin, &tiers.shield, |e| {
        e.function("log", &log).behavior(
            "on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }",
        )
    })
    .await;
    let answer = other.get("/a").await;
    assert_eq!(answer.header("x-of"), Some("origin"));
    assert_eq!(other.logged(2).await.len(), 2);
    assert_eq!(tiers.shield.logs().len(), 2);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_serves_viewers_of_its_own_from_the_same_cache() {
    // CF-415
    let origin = Origin::echo().await;
    let tiers = Tiers::start(&origin, |e| e).await;
    assert_eq!(tiers.edge.get("/a").await.x_cache(), "Miss");
    let answer = tiers.shield.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("/v1/a", "Hit"));
    assert_eq!(tiers.shield.get("/b").await.x_cache(), "Miss");
    let answer = tiers.edge.get("/b").await;
    assert_eq!(
        told(&tiers.edge, &answer).await,
        is(200, "/v1/b", "Hit", "OriginShieldHit")
    );
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_the_same_in_both_tiers() {
    // CF-415, CF-174, CF-182, CF-191, CF-200, CF-376, CF-379
    let origin = Origin::start(|seen| {
        let field = |name| seen.header(name).unwrap_or("-").to_owned();
        let parts = [
            seen.target.clone(),
            field("x-key"),
            field("cookie"),
            field("accept-encoding"),
            field("cloudfront-is-mobile-viewer"),
            field("cloudfront-forwarded-proto"),
            field("cloudfront-viewer-address"),
        ];
        Reply::ok(parts.join("|")).header("Cache-Control", "max-age=60")
    })
    .await;
    let more = |e: Edge| {
        e.behavior(
            "cache_policy: { default_ttl: 60, max_ttl: 60, query_strings: [q], cookies: [c], headers: [X-Key, CloudFront-Is-Mobile-Viewer], accept_encoding_gzip: true }",
        )
        .behavior("origin_request_policy: { headers: [CloudFront-Viewer-Address, CloudFront-Forwarded-Proto], query_strings: [r] }")
    };
    let tiers = Tiers::start(&origin, more).await;
    let other = edge_of(&origin, &tiers.shield, more).await;
    let rows = [
        ("/a?q=1&r=2&s=3", "k", "c=1; d=2", "gzip, br", "iPhone"),
        ("/a?q=2&r=2", "k", "c=1", "gzip", "iPhone"),
        ("/a?q=1&r=2", "l", "c=1", "gzip", "iPhone"),
        ("/a?q=1&r=2", "k", "c=2", "gzip", "iPhone"),
        ("/a?q=1&r=2", "k", "c=1", "identity", "iPhone"),
        ("/a?q=1&r=2", "k", "c=1", "gzip", "curl/8"),
    ];
    for (at, (target, key, cookie, codings, agent)) in rows.iter().enumerate() {
        let get = |node: &Running| {
            node.request("GET", target)
                .header("X-Key", key)
                .header("Cookie", cookie)
                .header("Accept-Encoding", codings)
                .header("User-Agent", agent)
                // Nobody's word for it.
                .header("CloudFront-Is-Mobile-Viewer", "maybe")
                .send()
        };
        let first = get(&tiers.edge).await;
        assert_eq!(first.x_cache(), "Miss", "{at}");
        let said: Vec<_> = first.text().split('|').collect();
        let mobile = if *agent == "iPhone" { "true" } else { "false" };
        assert_eq!((said[4], said[5]), (mobile, "http"), "{at}");
        assert!(said[6].starts_with("127.0.0.1:"), "{at}");
        let second = get(&other).await;
        assert_eq!(
            told(&other, &second).await,
            is(200, first.text(), "Hit", "OriginShieldHit"),
            "{at}"
        );
    }
    assert_eq!(origin.count(), rows.len());
    let first = origin.seen().swap_remove(0);
    assert_eq!(first.target, "/v1/a?q=1&r=2");
    assert_eq!(first.header("cookie"), Some("c=1"));
    assert_eq!(first.header("accept-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_come_through_both_tiers() {
    // CF-415, CF-533, CF-534
    const LENGTH: usize = 3 << 20;
    let body: bytes::Bytes = (0..251_u8).cycle().take(LENGTH).collect();
    let all = body.clone();
    let origin = Origin::start(move |seen| {
        let part = seen.header("range").and_then(|range| {
            let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?))
        });
        let reply = match part {
            None => Reply::ok(all.clone()),
            Some((start, end)) => {
                let end = end.min(LENGTH - 1);
                Reply::status(206)
                    .body(all.slice(start..=end))
                    .header("Content-Range", &format!("bytes {start}-{end}/{LENGTH}"))
            }
        };
        reply
            .header("ETag", "\"one\"")
            .header("Accept-Ranges", "bytes")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let other = edge_of(&origin, &tiers.shield, |e| e).await;
    let part = async |node: &Running, range: &str| {
        let answer = node
            .request("GET", "/a")
            .header("Range", range)
            .send()
            .await;
        assert_eq!(answer.status, 206, "{range}");
        (answer.body.clone(), answer.x_cache().to_owned())
    };
    let (got, x_cache) = part(&tiers.edge, "bytes=5-9").await;
    assert_eq!((&got[..], &*x_cache), (&body[5..10], "Miss"));
    let (got, x_cache) = part(&tiers.edge, "bytes=100-199").await;
    assert_eq!((&got[..], &*x_cache), (&body[100..200], "Hit"));
    // The first slice is at the shield, and so are, from now on, the others.
    let (got, _) = part(&other, "bytes=1000000-2200000").await;
    assert_eq!(&got[..], &body[1_000_000..=2_200_000]);
    let (got, _) = part(&tiers.edge, "bytes=2000000-2099999").await;
    assert_eq!(&got[..], &body[2_000_000..2_100_000]);
    let whole = tiers.edge.get("/a").await;
    assert!(whole.status == 200 && whole.body == body);
    let beyond = tiers
        .edge
        .request("GET", "/a")
        .header("Range", "bytes=9000000-");
    assert_eq!(beyond.send().await.status, 416);
    let mut ranges: Vec<_> = origin
        .seen()
        .iter()
        .map(|seen| seen.header("range").unwrap_or("all").to_owned())
        .collect();
    ranges.sort();
    ranges.dedup();
    assert_eq!(ranges.len(), origin.count(), "{ranges:?}");
    assert!(!ranges.contains(&"all".to_owned()), "{ranges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_object_is_asked_about_through_both_tiers() {
    // CF-415, CF-280, CF-282, CF-511
    let origin = Origin::start(|seen| {
        let reply = match seen.header("if-none-match") {
            Some("\"one\"") => Reply::status(304),
            _ => Reply::ok("one"),
        };
        reply
            .header("ETag", "\"one\"")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let other = edge_of(&origin, &tiers.shield, |e| e).await;
    assert_eq!(tiers.edge.get("/a").await.x_cache(), "Miss");
    assert_eq!(other.get("/a").await.x_cache(), "Hit");
    tiers.advance(61);
    other.advance(61);
    let answer = tiers.edge.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("one", "RefreshHit"));
    assert_eq!(origin.last().header("if-none-match"), Some("\"one\""));
    assert_eq!(origin.count(), 2);
    // The shield knows by now.
    tiers.advance(10);
    other.advance(10);
    let answer = other.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("one", "RefreshHit"));
    assert_eq!(answer.header("age"), Some("10"));
    assert_eq!(origin.count(), 2);
    // It has not begun anew.
    tiers.advance(51);
    other.advance(51);
    assert_eq!(other.get("/a").await.x_cache(), "RefreshHit");
    assert_eq!(origin.count(), 3);
    // A viewer's own condition is its edge's affair.
    let request = tiers.edge.request("GET", "/a");
    let answer = request.header("If-None-Match", "\"one\"").send().await;
    assert_eq!(answer.status, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tiers_keep_nothing_longer_than_one() {
    // CF-415, CF-244, CF-318
    for mode in ["cloudfront", "rfc9111"] {
        let origin = Origin::start(|seen| {
            let reply = Reply::ok(seen.target.clone());
            match seen.target.ends_with("own") {
                true => reply
                    .header("Cache-Control", "max-age=100")
                    .header("Age", "5"),
                // The policy says how long.
                false => reply.header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
            }
        })
        .await;
        let more = |e: Edge| {
            e.top(&format!("cache_mode: {mode}")).behavior(
                "cache_policy: { min_ttl: 0, default_ttl: 100, max_ttl: 100, heuristic: default_ttl }",
            )
        };
        let tiers = Tiers::start(&origin, more).await;
        let other = edge_of(&origin, &tiers.shield, more).await;
        for target in ["/own", "/policys"] {
            assert_eq!(tiers.edge.get(target).await.x_cache(), "Miss", "{mode}");
        }
        tiers.advance(60);
        other.advance(60);
        for (target, age) in [("/own", "65"), ("/policys", "60")] {
            let answer = other.get(target).await;
            let told = (answer.x_cache(), answer.header("age"));
            assert_eq!(told, ("Hit", Some(age)), "{mode} {target}");
        }
        let before = origin.count();
        tiers.advance(34);
        other.advance(34);
        assert_eq!(other.get("/own").await.x_cache(), "Hit", "{mode}");
        assert_eq!(origin.count(), before, "{mode}");
        tiers.advance(7);
        other.advance(7);
        for target in ["/own", "/policys"] {
            // By the date that the policy's has, it is the same.
            let x_cache = other.get(target).await.x_cache().to_owned();
            assert!(x_cache != "Hit", "{mode} {target}: {x_cache}");
        }
        assert_eq!(origin.count(), before + 2, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_that_miss_together_are_one_fetch() {
    // CF-415, CF-402, LE-043
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |seen| {
        Reply::ok(seen.target.clone())
            .header("Cache-Control", "max-age=60")
            .after(&gate)
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let others = [
        edge_of(&origin, &tiers.shield, |e| e).await,
        edge_of(&origin, &tiers.shield, |e| e).await,
    ];
    let mut asked = tokio::task::JoinSet::new();
    for node in others.iter().chain([&tiers.edge]) {
        for _ in 0..4 {
            asked.spawn(node.request("GET", "/a").send());
        }
    }
    origin.received(1).await;
    open.send(true).unwrap();
    while let Some(answer) = asked.join_next().await {
        assert_eq!(answer.unwrap().text(), "/v1/a");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_in_the_background_go_through_both_tiers() {
    // CF-415, CF-257, LE-039
    let origin = Origin::start(|seen| {
        assert_eq!(seen.header("x-edge-shield"), None);
        Reply::ok("x").header("Cache-Control", "max-age=10, stale-while-revalidate=1000")
    })
    .await;
    let tiers = Tiers::start(&origin, |e| {
        e.function(
            "log",
            &handler("console.log(config.eventType); return request;"),
        )
        .behavior("on: { origin-request: log }")
    })
    .await;
    assert_eq!(tiers.edge.get("/a").await.x_cache(), "Miss");
    tiers.advance(11);
    // Stale here, and what it is refreshed with is stale there; so the refresh of that comes to the origin.
    assert_eq!(tiers.edge.get("/a").await.x_cache(), "Hit");
    origin.received(2).await;
    assert_eq!(tiers.shield.logged(2).await.len(), 2);
    // At last both are fresh.
    let fresh = async {
        loop {
            let answer = tiers.edge.get("/a").await;
            if answer.header("age").is_none_or(|age| age == "0") {
                return answer.x_cache().to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let fresh = tokio::time::timeout(std::time::Duration::from_secs(60), fresh);
    assert_eq!(fresh.await.expect("a refresh within a minute"), "Hit");
    assert_eq!(origin.count(), 2);
    assert!(tiers.edge.logs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_and_heads_are_told_apart_in_both_tiers() {
    // CF-415, CF-313, CF-314, CF-328, CF-824
    let origin = Origin::start(|seen| {
        let vary = match seen.target.as_str() {
            "/v1/any" => "*",
            _ => "Accept-Language, X-Never-Sent",
        };
        Reply::ok(seen.header("accept-language").unwrap_or("-").to_owned())
            .header("Cache-Control", "max-age=60")
            .header("Vary", vary)
    })
    .await;
    for mode in ["rfc9111", "cloudfront"] {
        let more = |e: Edge| {
            e.top(&format!("cache_mode: {mode}"))
                .behavior("origin_request_policy: { headers: [Accept-Language] }")
                .behavior("cache_policy: { min_ttl: 0, default_ttl: 60, max_ttl: 600 }")
        };
        let tiers = Tiers::start(&origin, more).await;
        let other = edge_of(&origin, &tiers.shield, more).await;
        let get = async |node: &Running, target: &str, language: &str| {
            let request = node
                .request("GET", target)
                .header("Accept-Language", language);
            let answer = request.send().await;
            (answer.text().to_owned(), answer.x_cache().to_owned())
        };
        let is = |text: &str, x_cache: &str| (text.to_owned(), x_cache.to_owned());
        let before = origin.count();
        for node in [&tiers.edge, &other] {
            assert_eq!(get(node, "/any", "de").await, is("de", "Miss"), "{mode}");
        }
        assert_eq!(origin.count(), before + 2, "{mode}");
        assert_eq!(
            get(&tiers.edge, "/by", "de").await,
            is("de", "Miss"),
            "{mode}"
        );
        assert_eq!(get(&other, "/by", "de").await, is("de", "Hit"), "{mode}");
        // One key is one object in mode cloudfront.
        let own = match mode {
            "rfc9111" => is("fr", "Miss"),
            _ => is("de", "Hit"),
        };
        assert_eq!(get(&tiers.edge, "/by", "fr").await, own, "{mode}");
        let answer = other.request("HEAD", "/head").send().await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"), "{mode}");
        assert_eq!(answer.header("content-length"), Some("1"), "{mode}");
        assert_eq!(origin.last().method, "HEAD", "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_changes_pass_through() {
    // CF-415, CF-370, CF-807, LE-120
    let origin = Origin::start(|seen| match seen.method.as_str() {
        "GET" => Reply::ok("stored").header("Cache-Control", "max-age=60"),
        _ => Reply::ok([b"got ", &*seen.body].concat()),
    })
    .await;
    let look = handler(
        "console.log(request.method + ' ' + (request.body ? Buffer.from(request.body.data, 'base64') : '-')); return request;",
    );
    let more = |e: Edge| {
        e.behavior(ALL_METHODS)
            .function("look", &look)
            .behavior("on: { origin-request: { function: look, include_body: true } }")
    };
    let tiers = Tiers::start(&origin, more).await;
    let other = edge_of(&origin, &tiers.shield, more).await;
    for node in [&tiers.edge, &other] {
        assert_eq!(node.get("/a").await.text(), "stored");
    }
    assert_eq!(origin.count(), 1);
    let long = "0123456789".repeat(20_000);
    let answer = tiers
        .edge
        .request("POST", "/b")
        .body(long.clone())
        .send()
        .await;
    assert_eq!((answer.status, answer.x_cache()), (200, "Miss"));
    assert_eq!(answer.text(), format!("got {long}"));
    assert_eq!(
        tiers.shield.logged(2).await[1].message,
        format!("POST {long}")
    );
    let answer = tiers.edge.request("PUT", "/a").body("new").send().await;
    assert_eq!(answer.text(), "got new");
    // What it has changed is gone in the tiers that it came through.
    assert_eq!(tiers.edge.get("/a").await.x_cache(), "Miss");
    assert_eq!(origin.count(), 4);
    assert!(tiers.edge.logs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_go_both_ways_and_to_nobody_else() {
    // CF-415, CF-191, CF-308
    let origin = Origin::start(|seen| {
        Reply::ok(seen.header("cookie").unwrap_or("-").to_owned())
            .header("Cache-Control", "max-age=60")
            .header("Set-Cookie", "s=1")
            .header("Set-Cookie", "t=2")
    })
    .await;
    let more = |e: Edge| {
        e.behavior("cache_policy: { default_ttl: 60, max_ttl: 60 }")
            .behavior("origin_request_policy: { cookies: all }")
    };
    let tiers = Tiers::start(&origin, more).await;
    let other = edge_of(&origin, &tiers.shield, more).await;
    let request = tiers.edge.request("GET", "/a").header("Cookie", "b=2; a=1");
    let answer = request.send().await;
    assert_eq!((answer.text(), answer.x_cache()), ("a=1; b=2", "Miss"));
    assert_eq!(answer.all("set-cookie"), ["s=1", "t=2"]);
    let answer = other.get("/a").await;
    assert_eq!(answer.x_cache(), "Hit");
    assert!(answer.all("set-cookie").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_policies_and_hidden_fields_are_the_edges() {
    // CF-415, CF-545, CF-554, CF-611, CF-675
    let body = "hello ".repeat(1_000);
    let text = body.clone();
    let origin = Origin::start(move |seen| {
        match seen.header("accept-encoding") {
            // It does not compress itself.
            None | Some("br,gzip") => {}
            other => panic!("{other:?}"),
        }
        Reply::ok(text.clone())
            .header("Content-Type", "text/plain")
            .header("Cache-Control", "max-age=60")
            .header("Cache-Tag", "t1")
    })
    .await;
    let more = |e: Edge| {
        e.behavior("compress: true")
            .behavior("cache_policy: { default_ttl: 60, max_ttl: 60, accept_encoding_gzip: true, accept_encoding_brotli: true }")
            .behavior("response_headers_policy: { custom_headers_config: { items: [{ header: X-Policy, value: once, override: false }] }, server_timing_headers_config: { enabled: true, sampling_rate: 100 } }")
            .distribution("cache_tag_config: { header_name: Cache-Tag, hide: true }")
    };
    let tiers = Tiers::start(&origin, more).await;
    let other = edge_of(&origin, &tiers.shield, more).await;
    let layers = [
        "cdn-upstream-layer;desc=\"Origin Shield\"",
        "cdn-hit-layer;desc=\"Origin Shield\"",
    ];
    for (node, layer) in [&tiers.edge, &other].into_iter().zip(layers) {
        let request = node
            .request("GET", "/a")
            .header("Accept-Encoding", "gzip, br");
        let answer = request.send().await;
        assert_eq!(answer.header("content-encoding"), Some("br"));
        assert_eq!(answer.all("x-policy"), ["once"]);
        assert_eq!(answer.header("cache-tag"), None);
        let timing = answer.header("server-timing").unwrap();
        assert!(timing.contains(layer), "{timing}");
        assert!(answer.body.len() < 1_000);
    }
    // By its tag it goes in both tiers.
    assert_eq!(tiers.edge.purge(r##"{"tags":["t1"]}"##).0, 201);
    let request = tiers.edge.request("GET", "/a");
    assert_eq!(
        request
            .header("Accept-Encoding", "gzip, br")
            .send()
            .await
            .x_cache(),
        "Miss"
    );
    assert_eq!(origin.count(), 2);
}
