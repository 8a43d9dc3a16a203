//! What the node adds to answers, records and metrics (CF sections 6.1 and 8).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, RawOrigin, Reply, Turn, handler, logging};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

async fn plain() -> Origin {
    Origin::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404).body("no"),
        "/named" => Reply::ok("x")
            .header("Server", "app/1")
            .header("Via", "1.1 inner")
            .header("X-Cache", "HIT")
            .header("X-Amz-Cf-Id", "forged")
            .header("X-Edge-Location", "forged")
            .header("Cache-Control", "max-age=60"),
        _ => Reply::ok("content").header("Cache-Control", "max-age=60"),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_who_served_it() {
    // CF-500, CF-501, CF-502, CF-503, CF-504, CF-505, CF-355, LE-277
    let origin = plain().await;
    let edge = Edge::new().start(&origin).await;
    let mut ids = Vec::new();
    for (method, path, x_cache) in [
        ("GET", "/", "Miss from fourfront"),
        ("GET", "/", "Hit from fourfront"),
        ("HEAD", "/", "Hit from fourfront"),
        ("GET", "/missing", "Error from fourfront"),
        ("POST", "/", "Error from fourfront"),
    ] {
        let answer = edge.request(method, path).send().await;
        assert_eq!(answer.all("x-cache"), [x_cache], "{method} {path}");
        assert_eq!(
            answer.all("via"),
            ["1.1 edge-1.fourfront (Fourfront)"],
            "{method} {path}"
        );
        assert_eq!(answer.all("server"), ["Fourfront"], "{method} {path}");
        assert_eq!(answer.all("date").len(), 1, "{method} {path}");
        let pop = answer.header("x-amz-cf-pop").unwrap();
        let (place, number) = pop.split_once('-').unwrap();
        assert!(
            place.len() == 5 && place[..3].bytes().all(|b| b.is_ascii_uppercase()),
            "{pop}"
        );
        assert!(number.starts_with(['C', 'P']), "{pop}");
        let id = answer.header("x-amz-cf-id").unwrap().to_owned();
        assert_eq!(id.len(), 56, "{id}");
        assert!(!ids.contains(&id));
        ids.push(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_origin_writes_under_the_nodes_names_is_replaced() {
    // CF-500, CF-501, CF-503, CF-504, CF-615, CF-616
    let origin = plain().await;
    let edge = Edge::new().start(&origin).await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/named").await;
        assert_eq!(answer.x_cache(), token);
        assert_eq!(answer.all("server"), ["app/1"]);
        assert_eq!(answer.all("via"), ["1.1 edge-1.fourfront (Fourfront)"]);
        assert_eq!(answer.all("x-cache").len(), 1);
        assert_ne!(answer.header("x-amz-cf-id"), Some("forged"));
        assert_eq!(answer.header("x-edge-location"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloudfront_identity_writes_cloudfronts_strings() {
    // AMB-01, CF-348, CF-500, CF-501, CF-504
    let origin = plain().await;
    let edge = Edge::new()
        .distribution("identity: cloudfront")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(answer.header("x-cache"), Some("Miss from cloudfront"));
    assert_eq!(
        answer.header("via"),
        Some("1.1 edge-1.cloudfront.net (CloudFront)")
    );
    assert_eq!(answer.header("server"), Some("CloudFront"));
    assert_eq!(
        origin.last().header("user-agent"),
        Some("Amazon CloudFront")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_status_tells_the_story_in_mode_rfc9111() {
    // CF-800, CF-509, RFC 9211
    let origin = plain().await;
    let edge = Edge::new()
        .path("/off", "cache_policy: Managed-CachingDisabled")
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start(&origin)
        .await;
    let status = |answer: &fourfront_conformance::Answer| {
        answer.header("cache-status").unwrap_or("none").to_owned()
    };
    let miss = status(&edge.get("/").await);
    assert!(
        miss.contains("; fwd=uri-miss")
            && miss.contains("; fwd-status=200")
            && miss.contains("; stored"),
        "{miss}"
    );
    edge.advance(10);
    let hit = status(&edge.get("/").await);
    assert!(hit.contains("; hit") && hit.contains("; ttl=50"), "{hit}");
    assert!(hit.starts_with("edge-1.fourfront"), "{hit}");
    edge.advance(50);
    let stale = status(&edge.get("/").await);
    assert!(stale.contains("; fwd=stale"), "{stale}");
    let bypass = status(&edge.get("/off").await);
    assert!(
        bypass.contains("; fwd=bypass") && !bypass.contains("stored"),
        "{bypass}"
    );
    let method = status(&edge.request("POST", "/").body("a").send().await);
    assert!(
        method.contains("; fwd=method") && !method.contains("stored"),
        "{method}"
    );

    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .start(&origin)
        .await;
    for _ in 0..2 {
        assert_eq!(status(&edge.get("/").await), "none");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_status_claims_nothing_that_the_cache_did_not_do() {
    // CF-800, CF-221
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |n| {
        let length = if n < 4 { LARGEST } else { LARGEST + 1 };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nCache-Control: max-age=60\r\n\r\n"
        );
        let gate = if n == 1 {
            Turn::Await(gate.clone())
        } else {
            Turn::send("")
        };
        // Half the body, so that the head does not wait in a buffer for more.
        let half = vec![b'x'; length / 2];
        let rest = vec![b'x'; length - half.len()];
        vec![Turn::send(&head), Turn::Send(half), gate, Turn::Send(rest)]
    })
    .await;
    // One such object fits into the cache, because the setting says so. Two cannot arrive at once.
    let edge = Edge::new()
        .node("cache_memory: 1MiB")
        .node("max_object_size: 700KiB")
        .start_at(&origin.url())
        .await;
    let story = async |path: &str| {
        let answer = edge.get(path).await;
        let status = answer.header("cache-status").unwrap_or("none").to_owned();
        (status.contains("; stored"), answer.body.len())
    };
    // The first fill is under way once its viewer has the head.
    let mut first = TcpStream::connect(edge.address()).await.unwrap();
    first
        .write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut received = Vec::new();
    while !received.windows(4).any(|w| w == b"\r\n\r\n") {
        assert!(first.read_buf(&mut received).await.unwrap() > 0);
    }
    let head = String::from_utf8_lossy(&received).to_ascii_lowercase();
    assert!(head.contains("; stored"), "{head}");

    assert_eq!(story("/2").await, (false, LARGEST));
    open.send(true).unwrap();
    first.read_to_end(&mut received).await.unwrap();
    assert_eq!(edge.get("/1").await.x_cache(), "Hit");
    assert_eq!(story("/2").await, (true, LARGEST));
    assert_eq!(story("/3").await, (false, LARGEST + 1));
    assert_eq!(origin.count(), 4);
}

/// Bytes of the largest object of that cache.
const LARGEST: usize = 700 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn one_record_per_request_says_what_happened() {
    // CF-703, CF-705, CF-706, CF-187, CF-010.18, LE-073
    let origin = plain().await;
    let edge = Edge::new()
        .distribution("id: EDISTRIBUTION")
        .function("log", &logging())
        .path("/api/*", "on: { viewer-request: log }")
        .start(&origin)
        .await;
    let mut ids = Vec::new();
    for (method, path) in [
        ("GET", "/?a=1"),
        ("GET", "/?a=1"),
        ("GET", "/api/x"),
        ("GET", "/missing"),
        ("DELETE", "/"),
    ] {
        let answer = edge
            .request(method, path)
            .header("Host", "shop.test:8080")
            .send()
            .await;
        ids.push(answer.header("x-amz-cf-id").unwrap().to_owned());
        edge.recorded(ids.len()).await;
    }
    let records: Vec<_> = edge
        .records()
        .iter()
        .map(fourfront::observe::access::AccessRecord::to_json)
        .collect();
    let field = |name: &str| records.iter().map(|r| r[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("x-edge-request-id"), ids);
    assert_eq!(field("sc-status"), [200, 200, 200, 404, 403]);
    assert_eq!(field("cs-method"), ["GET", "GET", "GET", "GET", "DELETE"]);
    assert_eq!(field("cs-uri-stem"), ["/", "/", "/api/x", "/missing", "/"]);
    assert_eq!(field("cs-uri-query"), ["a=1", "a=1", "-", "-", "-"]);
    assert_eq!(
        field("x-edge-result-type"),
        ["Miss", "Hit", "Miss", "Error", "Error"]
    );
    assert_eq!(
        records[4]["x-edge-detailed-result-type"],
        "InvalidRequestMethod"
    );
    assert_eq!(
        field("cache-behavior-path-pattern"),
        ["*", "*", "/api/*", "*", "*"]
    );
    assert_eq!(field("ff-distribution"), ["EDISTRIBUTION"; 5]);
    assert_eq!(field("x-host-header"), ["shop.test:8080"; 5]);
    assert_eq!(field("c-ip"), ["127.0.0.1"; 5]);
    assert_eq!(field("sc-body-bytes")[..4], [7, 7, 7, 2]);
    assert_eq!(field("ff-time")[0], "2026-03-03T09:00:00.000Z");
    assert_eq!(
        (&field("date")[0], &field("time")[0]),
        (&"2026-03-03".into(), &"09:00:00".into())
    );
    assert_eq!(records[0]["ff-cache-reason"], "absent");
    assert_eq!(records[1].get("ff-cache-reason"), None);
    assert_eq!(records[2]["ff-hooks"][0]["function"], "log");
    assert_eq!(records[2]["ff-hooks"][0]["event_type"], "viewer-request");
    assert!(records[0]["ff-origin-time"].is_number() && records[1].get("ff-origin-time").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_by_distribution_behaviour_and_result() {
    // CF-720, CF-721, CF-010.18, LE-284
    let origin = plain().await;
    let edge = Edge::new()
        .distribution("id: EDISTRIBUTION")
        .function("log", &logging())
        .function("fail", &handler("throw new Error('no');"))
        .path("/fail", "on: { viewer-request: fail }")
        .behavior("on: { viewer-request: log, origin-response: log }")
        .start(&origin)
        .await;
    for path in ["/", "/", "/", "/missing", "/fail"] {
        edge.get(path).await;
    }
    edge.recorded(5).await;
    // A request is counted as being served until a moment after its record is made.
    edge.node().in_flight().idle().await;
    let metrics = edge.metrics();
    let lines = [
        r#"fourfront_requests_total{behavior="*",distribution="EDISTRIBUTION",method="read",result="Miss",status="2xx"} 1"#,
        r#"fourfront_requests_total{behavior="*",distribution="EDISTRIBUTION",method="read",result="Hit",status="2xx"} 2"#,
        r#"fourfront_requests_total{behavior="*",distribution="EDISTRIBUTION",method="read",result="Error",status="404"} 1"#,
        r#"fourfront_requests_total{behavior="/fail",distribution="EDISTRIBUTION",method="read",result="LambdaExecutionError",status="503"} 1"#,
        r#"fourfront_hook_duration_seconds_count{event_type="viewer-request",function="log",version="1"} 4"#,
        r#"fourfront_hook_duration_seconds_count{event_type="origin-response",function="log",version="1"} 2"#,
        r#"fourfront_hook_faults_total{class="LambdaExecutionError",event_type="viewer-request",function="fail",rule="LE-271",version="1"} 1"#,
        r#"fourfront_cache_total{verdict="hit"} 2"#,
        r#"fourfront_cache_total{verdict="absent"} 2"#,
        r#"fourfront_origin_latency_seconds_count{distribution="EDISTRIBUTION",origin="origin"} 2"#,
        r#"fourfront_requests_in_flight 0"#,
    ];
    for line in lines {
        assert!(
            metrics.lines().any(|l| l == line),
            "`{line}` is missing:\n{metrics}"
        );
    }
    let gauge = |name: &str| -> f64 {
        let line = metrics
            .lines()
            .find(|l| l.starts_with(name) && !l.contains('#'))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(gauge("fourfront_isolates ") >= 1.0, "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn origin_faults_are_counted_apart_from_hook_faults() {
    // CF-720, LE-284
    let edge = Edge::new()
        .distribution("id: EDISTRIBUTION")
        .start_at("http://127.0.0.1:1")
        .await;
    edge.get("/").await;
    edge.recorded(1).await;
    let metrics = edge.metrics();
    let line = r#"fourfront_origin_faults_total{cause="OriginConnectError",distribution="EDISTRIBUTION",origin="origin"} 1"#;
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
    assert!(!metrics.contains("fourfront_hook_faults_total{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_keeps_the_date_of_its_origin() {
    // CF-320, RFC 9110 section 6.6.1: on whatever way it comes
    const DATE: &str = "Tue, 03 Mar 2026 08:59:50 GMT";
    let origin = Origin::start(|request| {
        let status = if request.target == "/missing" {
            404
        } else {
            200
        };
        let control = match request.target.as_str() {
            "/passed" => "no-store",
            "/each" => "no-cache",
            _ => "max-age=60",
        };
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::status(304),
            None => Reply::status(status).body("content"),
        };
        reply
            .header("Cache-Control", control)
            .header("ETag", "\"1\"")
            .header("Date", DATE)
    })
    .await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let part: &[(&str, &str)] = &[("Range", "bytes=0-1")];
    let condition: &[(&str, &str)] = &[("If-None-Match", "\"1\"")];
    for (method, path, fields, status, token) in [
        ("GET", "/", &[][..], 200, "Miss"),
        ("GET", "/", &[], 200, "Hit"),
        ("GET", "/", part, 206, "Hit"),
        ("GET", "/", condition, 304, "Hit"),
        ("HEAD", "/", &[], 200, "Hit"),
        ("GET", "/passed", &[], 200, "Miss"),
        ("HEAD", "/passed", &[], 200, "Miss"),
        ("GET", "/each", &[], 200, "Miss"),
        ("GET", "/each", &[], 200, "RefreshHit"),
        ("POST", "/passed", &[], 200, "Miss"),
        ("GET", "/missing", &[], 404, "Error"),
    ] {
        let request = fields
            .iter()
            .fold(edge.request(method, path), |r, (name, value)| {
                r.header(name, value)
            });
        let answer = request.send().await;
        let what = format!("{method} {path} {fields:?}");
        assert_eq!((answer.status, answer.x_cache()), (status, token), "{what}");
        assert_eq!(answer.all("date"), [DATE], "{what}");
    }
    // Several on one connection.
    let mut stream = TcpStream::connect(edge.address()).await.unwrap();
    for path in ["/passed", "/", "/each", "/passed"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: viewer.test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"content") {
            assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0, "{path}");
        }
        let text = String::from_utf8(got).unwrap().to_lowercase();
        let date = format!("\r\ndate: {}\r\n", DATE.to_lowercase());
        assert_eq!(text.matches(&date).count(), 1, "{path}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_where_it_is_in_answers_and_in_the_log() {
    // CF-502, CF-703
    let origin = plain().await;
    let edge = Edge::new().node("pop: FRA56-P4").start(&origin).await;
    let miss = edge.get("/").await;
    let hit = edge.get("/").await;
    let refused = edge.request("DELETE", "/").send().await;
    for answer in [&miss, &hit, &refused] {
        assert_eq!(answer.header("x-amz-cf-pop"), Some("FRA56-P4"));
        let record = edge.record_of(answer).await.to_json();
        assert_eq!(record["x-edge-location"], "FRA56-P4");
    }
    let unread =
        fourfront_conformance::raw_exchange(edge.address(), b"no request\r\n\r\n", b"").await;
    let unread = String::from_utf8(unread).unwrap();
    assert!(unread.contains("X-Amz-Cf-Pop: FRA56-P4\r\n"), "{unread}");
    // A reload moves it.
    let moved = edge.site_file().replace("FRA56-P4", "VIE50-C1");
    edge.reload(&moved).unwrap();
    assert_eq!(edge.get("/").await.header("x-amz-cf-pop"), Some("VIE50-C1"));
}
