//! Response headers policies on the way to the viewer (CF section 6.7).

use fourfront_conformance::{Answer, Edge, Origin, RawOrigin, Reply, Turn, handler};

/// An origin that speaks for itself under `/cors`, and under `/named` sends what policies are about.
async fn origin() -> Origin {
    Origin::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404).body("no"),
        "/cors" => Reply::ok("x")
            .header("Access-Control-Allow-Origin", "https://origins.test")
            .header("Cache-Control", "max-age=60"),
        "/named" => Reply::ok("x")
            .header("Server", "app/1")
            .header("Date", "Tue, 03 Mar 2026 08:59:50 GMT")
            .header("X-Powered-By", "magic")
            .header("X-Frame-Options", "DENY")
            .header("X-Content-Type-Options", "sniff")
            .header("Cache-Control", "max-age=60"),
        "/timed" => Reply::ok("x")
            .header("Server-Timing", "db;dur=53")
            .header("Cache-Control", "max-age=60"),
        _ => Reply::ok("x").header("Cache-Control", "max-age=60"),
    })
    .await
}

const ADDS: &str = "response_headers_policy: { custom_headers_config: [{ header: X-Policy, value: yes, override: true }] }";

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_applies_to_whatever_its_behaviour_answers() {
    // CF-067, CF-132, CF-554, CF-557, CF-025, LE-194
    let origin = origin().await;
    let throws = handler("throw new Error('no');");
    let makes = handler("return { status: '200', body: 'made' };");
    let edge = Edge::new()
        .function("throws", &throws)
        .function("makes", &makes)
        .top("response_headers_policies: { mine: { custom_headers_config: [{ header: X-Policy, value: yes, override: true }] } }")
        .path("/made", "response_headers_policy: mine, on: { viewer-request: makes }")
        .path("/made-there", "response_headers_policy: mine, on: { origin-request: makes }")
        .path("/failed", "response_headers_policy: mine, on: { viewer-request: throws }")
        .path("/failed-there", "response_headers_policy: mine, on: { origin-request: throws }")
        .path("/failed-late", "response_headers_policy: mine, on: { viewer-response: throws }")
        .path("/without", "cached_methods: get-head")
        .behavior("response_headers_policy: mine")
        .start(&origin)
        .await;
    for (method, path, status, x_cache) in [
        ("GET", "/", 200, "Miss"),
        ("GET", "/", 200, "Hit"),
        ("HEAD", "/", 200, "Hit"),
        ("GET", "/missing", 404, "Error"),
        ("GET", "/missing", 404, "Error"),
        ("POST", "/", 403, "Error"),
        ("GET", "/made", 200, "LambdaGeneratedResponse"),
        ("GET", "/made-there", 200, "Miss"),
        ("GET", "/failed", 503, "LambdaExecutionError"),
        ("GET", "/failed-there", 503, "LambdaExecutionError"),
        ("GET", "/failed-late", 503, "LambdaExecutionError"),
        ("GET", "/failed-late", 503, "LambdaExecutionError"),
    ] {
        let answer = edge.request(method, path).send().await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (status, x_cache),
            "{path}"
        );
        assert_eq!(
            answer.all("x-policy"),
            ["yes"],
            "{method} {path} {answer:?}"
        );
    }
    // Parts and answers without a body go Pingora's way.
    for (name, value, status) in [
        ("Range", "bytes=0-0", 206),
        ("If-Match", "\"other\"", 412),
        ("If-Modified-Since", "Sat, 06 Nov 2094 08:49:37 GMT", 304),
    ] {
        let answer = edge.request("GET", "/").header(name, value).send().await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.all("x-policy"), ["yes"], "{name}");
    }
    assert!(edge.get("/without").await.all("x-policy").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_does_not_touch_what_is_stored() {
    // CF-554, CF-027
    let origin = origin().await;
    let edge = Edge::new().behavior(ADDS).start(&origin).await;
    assert_eq!(edge.get("/").await.all("x-policy"), ["yes"]);
    let other = edge.site_file().replace("value: yes", "value: changed");
    edge.reload(&other).unwrap();
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.x_cache(), answer.all("x-policy")),
        ("Hit", vec!["changed"])
    );
    let without = other.replace("response_headers_policy:", "#");
    edge.reload(&without).unwrap();
    let answer = edge.get("/").await;
    assert_eq!(answer.x_cache(), "Hit");
    assert!(answer.all("x-policy").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_hides_stays_hidden() {
    // CF-554, CF-675
    let origin = Origin::start(|_| {
        Reply::ok("x")
            .header("Cache-Tag", "a")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_tag_config: { header_name: Cache-Tag, hide: true }")
        .behavior(ADDS)
        .start(&origin)
        .await;
    for x_cache in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), x_cache);
        assert!(answer.all("cache-tag").is_empty());
        assert_eq!(answer.all("x-policy"), ["yes"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_response_function_sees_and_corrects_what_the_policy_adds() {
    // CF-554, LE-194
    let origin = origin().await;
    let edge = Edge::new()
        .hook(
            "viewer-response",
            "response.headers['x-saw'] = [{ value: response.headers['x-policy'][0].value }];
             response.headers['x-policy'][0].value = 'corrected';
             return response;",
        )
        .behavior(ADDS)
        .start(&origin)
        .await;
    for x_cache in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), x_cache);
        assert_eq!(answer.all("x-saw"), ["yes"]);
        assert_eq!(answer.all("x-policy"), ["corrected"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn security_headers_override_or_give_way() {
    // CF-153, CF-556
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("response_headers_policy: Managed-SecurityHeadersPolicy")
        .start(&origin)
        .await;
    for x_cache in ["Miss", "Hit"] {
        let answer = edge.get("/named").await;
        assert_eq!(answer.x_cache(), x_cache);
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-xss-protection", "1; mode=block"),
        ] {
            assert_eq!(answer.all(name), [value], "{x_cache} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_server_or_date_the_node_puts_its_own() {
    // CF-553, CF-504, CF-505
    let origin = origin().await;
    let edge = Edge::new()
        .behavior(
            "response_headers_policy: { remove_headers_config: [Server, Date, X-Powered-By, Age] }",
        )
        .start(&origin)
        .await;
    for x_cache in ["Miss", "Hit"] {
        let answer = edge.get("/named").await;
        assert_eq!(answer.x_cache(), x_cache);
        assert_eq!(answer.all("server"), ["Fourfront"]);
        assert_eq!(answer.all("date").len(), 1);
        assert!(!answer.all("date")[0].contains("08:59:50"), "{answer:?}");
        assert!(answer.all("x-powered-by").is_empty());
        assert!(answer.all("age").is_empty());
    }
    let plain = Edge::new().start(&origin).await;
    let answer = plain.get("/named").await;
    assert_eq!(answer.all("server"), ["app/1"]);
    assert!(answer.all("date")[0].contains("08:59:50"));
}

fn cors(answer: &Answer) -> Vec<(String, String)> {
    let mut fields: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| name.starts_with("access-control-") || name == "vary")
        .collect();
    fields.sort();
    fields
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    expected.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_go_to_the_origin_and_get_the_policys_answer() {
    // CF-152, CF-558, CF-559, CF-608, CF-609
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("allowed_methods: get-head-options")
        .behavior("response_headers_policy: { cors_config: { access_control_allow_origins: ['https://*.shop.test'], access_control_allow_headers: [Content-Type, 'X-Shop-*'], access_control_allow_methods: ALL, access_control_allow_credentials: true, access_control_expose_headers: [X-Id], access_control_max_age_sec: 600, origin_override: true } }")
        .start(&origin)
        .await;
    let preflight = edge
        .request("OPTIONS", "/cors")
        .header("Origin", "https://www.shop.test")
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "x-shop-id, authorization")
        .send()
        .await;
    assert_eq!(origin.last().method, "OPTIONS");
    assert_eq!(
        cors(&preflight),
        pairs(&[
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "Content-Type, x-shop-id"),
            (
                "access-control-allow-methods",
                "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
            ),
            ("access-control-allow-origin", "https://www.shop.test"),
            ("access-control-expose-headers", "X-Id"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ])
    );
    let simple = edge
        .request("GET", "/cors")
        .header("Origin", "https://www.shop.test");
    assert_eq!(
        cors(&simple.send().await),
        pairs(&[
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "https://www.shop.test"),
            ("access-control-expose-headers", "X-Id"),
            ("vary", "Origin"),
        ])
    );
    // One stored object, another answer for each origin.
    let stranger = edge
        .request("GET", "/cors")
        .header("Origin", "https://evil.test")
        .send()
        .await;
    assert_eq!(stranger.x_cache(), "Hit");
    assert_eq!(cors(&stranger), pairs(&[("vary", "Origin")]));
    // No request of CORS: what the origin says stays.
    let plain = edge.get("/cors").await;
    assert_eq!(
        cors(&plain),
        pairs(&[
            ("access-control-allow-origin", "https://origins.test"),
            ("vary", "Origin")
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_speaks_for_itself_is_heard() {
    // CF-151, CF-558, CF-559, CF-607
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("response_headers_policy: Managed-SimpleCORS")
        .start(&origin)
        .await;
    for x_cache in ["Miss", "Hit"] {
        let asks = |path| edge.request("GET", path).header("Origin", "https://a.test");
        let own = asks("/cors").send().await;
        assert_eq!(own.x_cache(), x_cache);
        assert_eq!(
            cors(&own),
            pairs(&[("access-control-allow-origin", "https://origins.test")])
        );
        let added = asks("/").send().await;
        assert_eq!(added.x_cache(), x_cache);
        assert_eq!(cors(&added), pairs(&[("access-control-allow-origin", "*")]));
        assert!(cors(&edge.get("/").await).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_timing_tells_how_an_answer_came_about() {
    // CF-610, CF-611, CF-612
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("response_headers_policy: { server_timing_headers_config: { enabled: true, sampling_rate: 100 } }")
        .path("/asked", "response_headers_policy: { server_timing_headers_config: { enabled: true, sampling_rate: 0 } }")
        .start(&origin)
        .await;
    let miss = edge.get("/timed").await;
    let [timing] = miss.all("server-timing")[..] else {
        panic!("{miss:?}")
    };
    let members: Vec<_> = timing.split(',').collect();
    let id = miss.header("x-amz-cf-id").unwrap();
    assert_eq!(members[0], "cdn-upstream-layer;desc=\"EDGE\"");
    for (member, start) in members[1..].iter().zip([
        "cdn-upstream-dns;dur=",
        "cdn-upstream-connect;dur=",
        "cdn-upstream-fbl;dur=",
        "cdn-cache-miss",
        "cdn-pop;desc=\"EDG01-C1\"",
        &format!("cdn-rid;desc=\"{id}\""),
        "cdn-downstream-fbl;dur=",
        "db;dur=53",
    ]) {
        assert!(member.starts_with(start), "{member} {timing}");
    }
    for (name, value) in [("Accept", "*/*"), ("If-None-Match", "\"other\"")] {
        // The short way of a hit, and Pingora's.
        let hit = edge
            .request("GET", "/timed")
            .header(name, value)
            .send()
            .await;
        let [timing] = hit.all("server-timing")[..] else {
            panic!("{hit:?}")
        };
        assert!(
            timing.starts_with("cdn-cache-hit,cdn-pop;desc="),
            "{timing}"
        );
        assert!(timing.contains(",cdn-hit-layer;desc=\"EDGE\""), "{timing}");
        assert!(!timing.contains("db;dur"), "{timing}");
    }
    assert!(edge.get("/asked").await.all("server-timing").is_empty());
    let asked = edge
        .request("GET", "/asked")
        .header("Pragma", "server-timing");
    let asked = asked.send().await;
    assert!(
        asked.all("server-timing")[0].contains(",ff-tier;desc=\"mem\""),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_and_a_failure_are_timed_too() {
    // CF-611, CF-554
    let origin = RawOrigin::start(|turn| match turn {
        1 => vec![Turn::send("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=1\r\nContent-Length: 1\r\n\r\nx")],
        2 => vec![Turn::send("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\r\n")],
        _ => vec![Turn::Close],
    })
    .await;
    let edge = Edge::new()
        .behavior("response_headers_policy: { server_timing_headers_config: { enabled: true, sampling_rate: 100 } }")
        .start_at(&origin.url())
        .await;
    edge.get("/").await;
    edge.advance(2);
    let refreshed = edge.get("/").await;
    assert_eq!(refreshed.x_cache(), "RefreshHit");
    assert!(refreshed.all("server-timing")[0].contains(",cdn-cache-refresh,"));
    let failed = edge.get("/other").await;
    assert_eq!(failed.status, 502);
    assert!(failed.all("server-timing")[0].contains("cdn-rid;desc="));
}
