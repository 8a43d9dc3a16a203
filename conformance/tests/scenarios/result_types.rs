//! How each way through the node is called: `X-Cache`, and the three result types of the log (CF section 6.1, CF-703..705).
//!
//! Each row is a way, as `[X-Cache, x-edge-result-type, x-edge-response-result-type, x-edge-detailed-result-type]`.

use fourfront::observe::access::AccessRecord;
use fourfront_conformance::{
    ALL_METHODS, Answer, Authority, Edge, Origin, RawOrigin, Reply, Request, Running, SecureViewer,
    Turn, country_database, handler, raw_exchange,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

type Types = [String; 4];

fn types(x_cache: &str, record: &AccessRecord) -> Types {
    let json = record.to_json();
    let field = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    [
        x_cache.to_owned(),
        field("x-edge-result-type"),
        field("x-edge-response-result-type"),
        field("x-edge-detailed-result-type"),
    ]
}

async fn of(edge: &Running, answer: &Answer) -> Types {
    types(answer.x_cache(), &edge.record_of(answer).await)
}

/// The same word in all four places.
fn all(word: &str) -> Types {
    [word, word, word, word].map(str::to_owned)
}

/// An error with its detail.
fn error(detail: &str) -> Types {
    ["Error", "Error", "Error", detail].map(str::to_owned)
}

/// Sends requests in order, and holds each answer's status and words against what is expected.
async fn walk(edge: &Running, rows: Vec<(&str, Request, u16, Types)>) {
    for (way, request, status, expected) in rows {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{way}: {}", answer.text());
        assert_eq!(of(edge, &answer).await, expected, "{way}");
    }
}

/// An origin whose paths say what it does.
async fn origin() -> Origin {
    let failing = std::sync::atomic::AtomicBool::new(false);
    Origin::start(move |seen| {
        use std::sync::atomic::Ordering::Relaxed;
        let page = |control: &str| {
            Reply::ok("0123456789")
                .header("Cache-Control", control)
                .header("ETag", "\"one\"")
        };
        let is_asked_about = seen.header("if-none-match") == Some("\"one\"");
        match seen.target.as_str() {
            "/missing" => Reply::status(404).header("Cache-Control", "max-age=60"),
            "/moved" => Reply::status(302).header("Location", "/page"),
            "/later" => page("max-age=1, stale-while-revalidate=600"),
            "/else" if failing.swap(true, Relaxed) => Reply::status(503),
            "/else" => page("max-age=1, stale-if-error=600"),
            "/failing" => Reply::status(503).body("no"),
            _ if is_asked_about => Reply::status(304).header("ETag", "\"one\""),
            _ => page("max-age=60"),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cache_does_is_told_in_one_word() {
    // CF-510, CF-511, CF-512, CF-513, CF-703, CF-705
    let origin = origin().await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let ask = |method: &str, path: &str| edge.request(method, path);
    let rows = vec![
        ("a miss", ask("GET", "/page"), 200, all("Miss")),
        ("a hit", ask("GET", "/page"), 200, all("Hit")),
        ("a hit for HEAD", ask("HEAD", "/page"), 200, all("Hit")),
        ("a miss for HEAD", ask("HEAD", "/other"), 200, all("Miss")),
        (
            "a range of a hit",
            ask("GET", "/page").header("Range", "bytes=2-3"),
            206,
            all("Hit"),
        ),
        (
            "a range that is not there",
            ask("GET", "/page").header("Range", "bytes=20-30"),
            416,
            error("Error"),
        ),
        (
            "a condition that holds for a hit",
            ask("GET", "/page").header("If-None-Match", "\"one\""),
            304,
            all("Hit"),
        ),
        (
            "a precondition that does not hold",
            ask("GET", "/page").header("If-Match", "\"two\""),
            412,
            error("Error"),
        ),
        (
            "a method that is not cached",
            ask("POST", "/posted").body("x"),
            200,
            all("Miss"),
        ),
        (
            "a redirect of the origin's",
            ask("GET", "/moved"),
            302,
            all("Miss"),
        ),
        (
            "an error of the origin's",
            ask("GET", "/missing"),
            404,
            error("Error"),
        ),
        (
            "a stored error",
            ask("GET", "/missing"),
            404,
            error("Error"),
        ),
        (
            "a server's error",
            ask("GET", "/failing"),
            503,
            error("Error"),
        ),
        ("what will be stale", ask("GET", "/later"), 200, all("Miss")),
        (
            "what an error will meet",
            ask("GET", "/else"),
            200,
            all("Miss"),
        ),
    ];
    walk(&edge, rows).await;
    edge.advance(61);
    let rows = vec![
        (
            "an object that was validated",
            ask("GET", "/page"),
            200,
            all("RefreshHit"),
        ),
        (
            "a stale object while it is refreshed",
            ask("GET", "/later"),
            200,
            all("Hit"),
        ),
        (
            "a stale object for an error",
            ask("GET", "/else"),
            200,
            all("Hit"),
        ),
    ];
    walk(&edge, rows).await;
    // CF-706
    let records = edge.records();
    let last = |path: &str| {
        let found = records.iter().rev().find(|r| r.uri == path);
        found.unwrap().to_json()
    };
    assert_eq!(last("/page")["ff-ttl"], 60);
    assert_eq!(last("/later")["ff-stale-reason"], "revalidating");
    assert_eq!(last("/else")["ff-stale-reason"], "origin-failed");
    assert_eq!(last("/else")["ff-ttl"], -60);
    let hit = records
        .iter()
        .find(|r| r.uri == "/page" && r.served.detail(200) == "Hit");
    let (hit, missed) = (hit.unwrap().to_json(), records[0].to_json());
    assert_eq!(
        (&hit["ff-tier"], &hit["ff-ttl"]),
        (&"memory".into(), &60.into())
    );
    assert_eq!(missed.get("ff-tier"), None);
    let key = hit["ff-key"].as_str().unwrap();
    assert_eq!((key.len(), &missed["ff-key"]), (32, &hit["ff-key"]));
    assert_ne!(last("/later")["ff-key"], hit["ff-key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_anothers_fetch_gets_a_hit_and_so_does_the_disk() {
    // CF-510, CF-706
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| {
        Reply::ok("together")
            .header("Cache-Control", "max-age=60")
            .after(&gate)
    })
    .await;
    let dir = TempDir::new().unwrap();
    let start = async || {
        Edge::new()
            .node("cache_disk: 64MiB")
            .node(&format!("data_dir: {}", dir.path().display()))
            .distribution("id: EDISTRIBUTION")
            .start(&origin)
            .await
    };
    let edge = start().await;
    let first = tokio::spawn(edge.request("GET", "/").send());
    origin.received(1).await;
    let second = tokio::spawn(edge.request("GET", "/").send());
    let both_are_there = async {
        while edge.node().in_flight().count() < 2 {
            tokio::task::yield_now().await;
        }
    };
    both_are_there.await;
    open.send(true).unwrap();
    assert_eq!(of(&edge, &first.await.unwrap()).await, all("Miss"));
    assert_eq!(of(&edge, &second.await.unwrap()).await, all("Hit"));
    assert_eq!(origin.count(), 1);
    drop(edge);

    let edge = start().await;
    let answer = edge.get("/").await;
    assert_eq!(of(&edge, &answer).await, all("Hit"));
    assert_eq!(edge.record_of(&answer).await.to_json()["ff-tier"], "disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why() {
    // CF-513, CF-702, CF-705, CF-760, CF-761, CF-763, CF-764, CF-765, CF-766, CF-768, CF-770
    let origin = origin().await;
    let edge = Edge::new()
        .node("limits: { max_body_bytes: 10 }")
        .path("/all/*", ALL_METHODS)
        .start(&origin)
        .await;
    let ask = |method: &str, path: &str| edge.request(method, path);
    let many = (0..250).fold(ask("GET", "/"), |request, n| {
        request.header(&format!("x-{n}"), "1")
    });
    let limit = ["Error", "LimitExceeded", "LimitExceeded", "LimitExceeded"].map(str::to_owned);
    let rows = vec![
        (
            "a method that is not allowed",
            ask("DELETE", "/"),
            403,
            error("InvalidRequestMethod"),
        ),
        (
            "TRACE",
            ask("TRACE", "/all/"),
            405,
            error("InvalidRequestMethod"),
        ),
        (
            "a GET with a body",
            ask("GET", "/").body("x"),
            403,
            error("InvalidRequest"),
        ),
        (
            "a body that is too long",
            ask("POST", "/all/").body("more than ten bytes"),
            413,
            limit,
        ),
        (
            "an expectation that is not known",
            ask("POST", "/all/").header("Expect", "a wonder"),
            417,
            error("InvalidRequest"),
        ),
    ];
    walk(&edge, rows).await;
    let too_long = edge.records().into_iter().find(|r| r.status == 413);
    assert!(too_long.is_some_and(|r| r.distribution.is_some()));
    // These are refused before anybody knows whose they are.
    for (status, request, detail) in [
        (400, many, "InvalidRequestHeader"),
        (
            414,
            ask("GET", &format!("/{}", "x".repeat(8_200))),
            "InvalidRequest",
        ),
        (
            494,
            ask("GET", "/").header("X-Long", &"x".repeat(33_000)),
            "InvalidRequestHeader",
        ),
    ] {
        let answer = request.send().await;
        assert_eq!((answer.status, answer.x_cache()), (status, "Error"));
        // A request that nobody has given an id is found by its status.
        let record = loop {
            let all = edge.records();
            if let Some(record) = all.into_iter().find(|r| r.status == status) {
                break record;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(types("Error", &record), error(detail), "{status}");
        // So they are in no log of a distribution's.
        assert!(record.distribution.is_none(), "{status}");
    }
    // Nobody's, and a distribution that is switched off.
    let edge = Edge::new()
        .distribution("aliases: [shop.test]")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.status, 403);
    let record = edge.recorded(1).await.remove(0);
    assert_eq!(types("Error", &record), error("InvalidRequest"));
    let off = Edge::new()
        .distribution("enabled: false")
        .start(&origin)
        .await;
    let row = (
        "switched off",
        off.request("GET", "/"),
        403,
        error("InvalidRequest"),
    );
    walk(&off, vec![row]).await;
    let two_hosts = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
    let answer = raw_exchange(edge.address(), two_hosts, b"").await;
    assert!(answer.starts_with(b"HTTP/1.1 400"));
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_that_may_not_are_told_apart() {
    // CF-514, CF-705, CF-761, CF-769
    let origin = origin().await;
    let authority = Authority::new();
    let edge = Edge::new()
        .node("geo_database: ./country.mmdb")
        .distribution("geo_restriction: { restriction_type: blacklist, locations: [DE] }")
        .certificate("site", &authority.pem_pair(&["viewer.test"]));
    std::fs::write(
        edge.dir().join("country.mmdb"),
        country_database(&[("127.0.0.0/8", "DE")]),
    )
    .unwrap();
    let blocked = edge.start(&origin).await;
    let row = (
        "a country",
        blocked.request("GET", "/"),
        403,
        error("ClientGeoBlocked"),
    );
    walk(&blocked, vec![row]).await;

    let edge = Edge::new()
        .behavior("viewer_protocol_policy: redirect-to-https")
        .path("/secret", "viewer_protocol_policy: https-only")
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    let tls = SecureViewer::trusting(&authority);
    let rows = vec![
        (
            "plain HTTP, sent on",
            edge.request("GET", "/"),
            301,
            all("Redirect"),
        ),
        (
            "plain HTTP, refused",
            edge.request("GET", "/secret"),
            403,
            error("InvalidRequest"),
        ),
        // What is said does not depend on the protocol.
        (
            "a miss on HTTP/2",
            edge.secure_request(&tls.h2(), "GET", "/page"),
            200,
            all("Miss"),
        ),
        (
            "a hit on HTTP/2",
            edge.secure_request(&tls.h2(), "GET", "/page"),
            200,
            all("Hit"),
        ),
        (
            "a range on HTTP/2",
            edge.secure_request(&tls.h2(), "GET", "/page")
                .header("Range", "bytes=0-1"),
            206,
            all("Hit"),
        ),
        (
            "an error on HTTP/2",
            edge.secure_request(&tls.h2(), "GET", "/missing"),
            404,
            error("Error"),
        ),
        (
            "a method on HTTP/2",
            edge.secure_request(&tls.h2(), "DELETE", "/"),
            403,
            error("InvalidRequestMethod"),
        ),
    ];
    walk(&edge, rows).await;
    // CF-703
    let records = edge.records();
    let h2 = records.iter().find(|r| r.version == http::Version::HTTP_2);
    let json = h2.unwrap().to_json();
    assert_eq!(
        (&json["cs-protocol"], &json["cs-protocol-version"]),
        (&"https".into(), &"HTTP/2.0".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_fail_are_told_apart() {
    // CF-513, CF-705, CF-772, CF-774
    let big = format!(
        "HTTP/1.1 200 OK\r\nX-Big: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(40_000)
    );
    let cases = [
        ("OriginReadError", 502, vec![Turn::Close]),
        (
            "OriginInvalidResponseError",
            502,
            vec![Turn::send("not HTTP at all\r\n\r\n"), Turn::Close],
        ),
        (
            "OriginHeaderTooBigError",
            502,
            vec![Turn::Send(big.into_bytes()), Turn::Close],
        ),
        ("OriginCommError", 504, vec![Turn::Hold]),
    ];
    for (detail, status, turns) in cases {
        let origin = RawOrigin::start(move |_| turns.clone()).await;
        let port = origin.url().rsplit(':').next().unwrap().to_owned();
        let edge = Edge::new()
            .origin(&format!("own: {{ domain_name: 127.0.0.1, connection_attempts: 1, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port}, origin_read_timeout: 1 }} }}"))
            .behavior("origin: own")
            .start_at("http://127.0.0.1:1")
            .await;
        let row = (detail, edge.request("GET", "/"), status, error(detail));
        walk(&edge, vec![row]).await;
    }
    let edge = Edge::new().start_at("http://127.0.0.1:1").await;
    let row = (
        "refused",
        edge.request("GET", "/"),
        502,
        error("OriginConnectError"),
    );
    walk(&edge, vec![row]).await;
    let edge = Edge::new().start_at("http://nobody.invalid").await;
    let row = (
        "no name",
        edge.request("GET", "/"),
        502,
        error("OriginDnsError"),
    );
    walk(&edge, vec![row]).await;

    // CF-704: it began well.
    let (open, gate) = watch::channel(false);
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    let turns = move |_| vec![Turn::send(short), Turn::Await(gate.clone()), Turn::Close];
    let origin = RawOrigin::start(turns).await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let mut answer = edge.request("GET", "/").open().await.unwrap();
    answer.received(5).await;
    assert_eq!(answer.so_far().x_cache(), "Miss");
    open.send(true).unwrap();
    assert!(answer.piece().await.is_err());
    let record = edge.recorded(1).await.remove(0);
    let expected = ["Miss", "Error", "Miss", "AbortedOrigin"].map(str::to_owned);
    assert_eq!(types("Miss", &record), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_an_errors_place_stays_an_error_and_the_second_origin_a_miss() {
    // CF-513, CF-593, CF-704
    let origin = origin().await;
    let edge = Edge::new()
        .distribution("custom_error_responses: [{ error_code: 404, response_page_path: /page, response_code: 200 }]")
        .start(&origin)
        .await;
    let rows = vec![
        (
            "a page",
            edge.request("GET", "/missing"),
            200,
            error("Error"),
        ),
        (
            "a page of the cache's",
            edge.request("GET", "/missing"),
            200,
            error("Error"),
        ),
        (
            "the page itself",
            edge.request("GET", "/page"),
            200,
            all("Hit"),
        ),
    ];
    walk(&edge, rows).await;

    let second = Origin::saying("second").await;
    let edge = Edge::new()
        .origin(&format!("second: {}", second.url()))
        .distribution("origin_groups: { both: { members: [origin, second], failover_criteria: { status_codes: [503] } } }")
        .behavior("origin: both")
        .start(&origin)
        .await;
    let rows = vec![
        (
            "failover",
            edge.request("GET", "/failing"),
            200,
            all("Miss"),
        ),
        ("after it", edge.request("GET", "/failing"), 200, all("Hit")),
    ];
    walk(&edge, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_functions_do_is_told_apart() {
    // CF-515, CF-516, CF-705, LE-167, LE-271, LE-275
    let origin = origin().await;
    let throws = handler("throw new Error('no')");
    let wrong = handler("return { status: 'none' }");
    let makes = handler(
        "return { status: '200', body: 'made', headers: { 'cache-control': [{ value: 'max-age=60' }] } }",
    );
    let edge = Edge::new()
        .function("throws", &throws)
        .function("wrong", &wrong)
        .function("makes", &makes)
        .cloudfront_function(
            "answers",
            "function handler(event) { return { statusCode: 200 }; }",
            "",
        )
        .cloudfront_function("breaks", "function handler(event) { throw 'no'; }", "")
        .path("/made", "on: { viewer-request: makes }")
        .path("/made-behind", "on: { origin-request: makes }")
        .path("/thrown", "on: { viewer-request: throws }")
        .path("/thrown-behind", "on: { origin-response: throws }")
        .path("/wrong", "on: { viewer-request: wrong }")
        .path("/late", "on: { viewer-response: throws }")
        .path("/answered", "on: { viewer-request: answers }")
        .path("/broken", "on: { viewer-request: breaks }")
        .start(&origin)
        .await;
    let get = |path: &str| edge.request("GET", path);
    let behind = ["Miss", "Miss", "Miss", "MissGeneratedResponse"].map(str::to_owned);
    let rows = vec![
        (
            "made at the viewer",
            get("/made"),
            200,
            all("LambdaGeneratedResponse"),
        ),
        ("made at the origin", get("/made-behind"), 200, behind),
        (
            "made at the origin, stored",
            get("/made-behind"),
            200,
            all("Hit"),
        ),
        ("thrown", get("/thrown"), 503, all("LambdaExecutionError")),
        (
            "thrown at the origin",
            get("/thrown-behind"),
            503,
            all("LambdaExecutionError"),
        ),
        (
            "a wrong result",
            get("/wrong"),
            502,
            all("LambdaValidationError"),
        ),
        (
            "thrown at the end",
            get("/late"),
            503,
            all("LambdaExecutionError"),
        ),
        // Now it is a hit that the function spoils.
        (
            "thrown at the end of a hit",
            get("/late"),
            503,
            all("LambdaExecutionError"),
        ),
        (
            "answered",
            get("/answered"),
            200,
            all("FunctionGeneratedResponse"),
        ),
        ("broken", get("/broken"), 503, all("FunctionExecutionError")),
    ];
    walk(&edge, rows).await;

    // LE-265, LE-A26
    let (open, gate) = watch::channel(false);
    let slow = Origin::start(move |_| Reply::ok("x").after(&gate)).await;
    let waits = handler(&format!("await fetch('{}'); return request;", slow.url()));
    let edge = Edge::new()
        .function("waits", &waits)
        .node("hooks: { local_egress: true }")
        .behavior("on: { viewer-request: waits }")
        .concurrency(1)
        .start(&origin)
        .await;
    let held = tokio::spawn(edge.request("GET", "/page").send());
    slow.received(1).await;
    let limit = [
        "LambdaLimitExceeded",
        "Error",
        "Error",
        "LambdaLimitExceeded",
    ];
    let row = (
        "one too many",
        edge.request("GET", "/page"),
        503,
        limit.map(str::to_owned),
    );
    walk(&edge, vec![row]).await;
    open.send(true).unwrap();
    assert_eq!(held.await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_leaves_makes_an_error_of_a_hit() {
    // CF-704, CF-705
    let origin =
        Origin::start(|_| Reply::ok(vec![b'x'; 20 << 20]).header("Cache-Control", "max-age=60"))
            .await;
    let edge = Edge::new()
        .node("max_object_size: 64MiB")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.body.len(), 20 << 20);
    for (n, range) in ["", "Range: bytes=0-19000000\r\n"].into_iter().enumerate() {
        let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{range}\r\n");
        viewer.write_all(request.as_bytes()).await.unwrap();
        let mut some = [0; 1024];
        viewer.read_exact(&mut some).await.unwrap();
        drop(viewer);
        let record = edge.recorded(n + 2).await.remove(n + 1);
        let expected = ["Hit", "Error", "Hit", "ClientCommError"].map(str::to_owned);
        assert_eq!(types("Hit", &record), expected, "{range}");
        assert!(record.bytes < 20 << 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_leaves_before_any_byte_has_no_status() {
    // CF-703, CF-704, CF-705
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| Reply::ok("x").after(&gate)).await;
    let edge = Edge::new().start(&origin).await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(b"GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    origin.received(1).await;
    // It is gone for good, and not only silent.
    viewer.set_zero_linger().unwrap();
    drop(viewer);
    open.send(true).unwrap();
    let record = edge.recorded(1).await.remove(0);
    let expected = ["", "Error", "Error", "ClientHungUpRequest"].map(str::to_owned);
    assert_eq!((record.status, types("", &record)), (0, expected));
    let mut line = Vec::new();
    fourfront::observe::standard::append(&record, false, &mut line);
    let line = String::from_utf8(line).unwrap();
    assert_eq!(line.split('\t').nth(8), Some("000"));
}
