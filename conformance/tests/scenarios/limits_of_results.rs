//! How large and of what kind results may be, at the last byte that passes and the first that does not (LE sections
//! 4.4, 5.2 and 5.5).

use fourfront_conformance::{ALL_METHODS, Answer, Edge, Origin, Reply, Running, handler};

/// Checks that an answer is refused for a rule, and what the operator is told.
async fn assert_refused(edge: &Running, answer: &Answer, rule: &str, told: &[&str]) {
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError"),
        "{rule}"
    );
    let record = edge.record_of(answer).await;
    let fault = record.hooks.last().and_then(|h| h.fault);
    assert_eq!(fault.map(|(_, rule)| rule), Some(rule));
    let error = record.error.unwrap_or_default();
    for part in told.iter().chain([&rule]) {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_put_in_place_of_the_viewers_is_measured_decoded() {
    // LE-242, LE-243, LE-240, LE-241
    let origin = Origin::start(|r| Reply::ok(r.body.len().to_string())).await;
    for (event, limit) in [("viewer-request", 40_960), ("origin-request", 1_048_576)] {
        let edge = Edge::new()
            .hook(
                event,
                "const [encoding, length] = request.uri.slice(1).split('/');
  const bytes = Buffer.alloc(Number(length), 'b');
  request.body = { action: 'replace', encoding, data: bytes.toString(encoding === 'text' ? 'latin1' : 'base64') };
  return request;",
            )
            .behavior(ALL_METHODS)
            .start(&origin)
            .await;
        for encoding in ["text", "base64"] {
            let put = async |length: usize| {
                let target = format!("/{encoding}/{length}");
                edge.request("PUT", &target).body("old").send().await
            };
            let answer = put(limit).await;
            assert_eq!(answer.text(), limit.to_string(), "{event} {encoding}");
            let answer = put(limit + 1).await;
            let told = [
                "V-BODY-SIZE: `body.data`",
                &limit.to_string(),
                &format!("got `{}`", limit + 1),
            ];
            assert_refused(&edge, &answer, "LE-242", &told).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_not_grow_beyond_what_a_viewer_may_send() {
    // LE-225
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let grown = "request.headers['x-large'] = [{ value: 'v'.repeat(Number(request.uri.slice(1))) }]; return request;";
    for event in ["viewer-request", "origin-request"] {
        let edge = Edge::new()
            .node("limits: { max_header_bytes: 8KiB, max_url_bytes: 4KiB }")
            .hook(event, grown)
            .start(&origin)
            .await;
        assert_eq!(edge.get("/7000").await.status, 200, "{event}");
        let answer = edge.get("/8192").await;
        assert_refused(&edge, &answer, "LE-225", &["V-REQ-SIZE", "8192 bytes"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_object_keeps_its_body() {
    // LE-183, LE-A30
    let origin = Origin::start(|_| {
        Reply::status(206)
            .header("Content-Range", "bytes 0-3/10")
            .header("Cache-Control", "no-store")
            .body("part")
    })
    .await;
    let edge = Edge::new()
        .hook(
            "origin-response",
            "if (request.uri === '/header') response.headers['x-seen'] = [{ value: response.status }];
  else response.body = 'other';
  if (request.uri === '/whole') response.status = 200;
  return response;",
        )
        .behavior("cache_policy: Managed-CachingDisabled")
        .start(&origin)
        .await;
    let get = |path: &str| edge.request("GET", path).header("Range", "bytes=0-3");
    let answer = get("/header").send().await;
    assert_eq!(
        (answer.status, answer.text(), answer.header("x-seen")),
        (206, "part", Some("206"))
    );
    let answer = get("/replaced").send().await;
    assert_refused(&edge, &answer, "LE-183", &["`body`"]).await;
    let answer = get("/whole").send().await;
    assert_eq!((answer.status, answer.text()), (200, "other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_headers_of_an_origin_a_function_makes_have_the_configurations_limits() {
    // LE-226, LE-102, LE-186
    let origin =
        Origin::start(|r| Reply::ok(r.header("x-1").unwrap_or("none").len().to_string())).await;
    let edge = Edge::new()
        .hook(
            "origin-request",
            "const [count, length] = request.uri.slice(1).split('/').map(Number);
  const headers = request.origin.custom.customHeaders;
  for (let n = 1; n <= count; n++) headers[`x-${n}`] = [{ key: `X-${n}`, value: 'v'.repeat(length) }];
  return request;",
        )
        .start_at(&origin.url().replace("127.0.0.1", "localhost"))
        .await;
    assert_eq!(edge.get("/1/1783").await.text(), "1783");
    assert_eq!(edge.get("/10/1000").await.text(), "1000");
    for (path, told) in [
        ("/1/1784", "1784"),
        ("/11/1", "customHeaders"),
        ("/10/1025", "10240"),
    ] {
        let answer = edge.get(path).await;
        assert_refused(&edge, &answer, "LE-226", &["V-ORIGIN", told]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_json_cannot_hold_is_the_functions_failure() {
    // LE-137, LE-271
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .function(
            "odd",
            &handler(
                "if (request.uri === '/cycle') request.self = request;
  if (request.uri === '/bigint') request.big = 1n;
  return request;",
            ),
        )
        .behavior("on: { viewer-request: odd }")
        .start(&origin)
        .await;
    for path in ["/cycle", "/bigint"] {
        let answer = edge.get(path).await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (503, "LambdaExecutionError"),
            "{path}"
        );
    }
    assert_eq!(edge.get("/").await.text(), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_edge_are_dropped_before_any_function() {
    // LE-187, LE-207
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "viewer-request",
            "console.log(Object.keys(request.headers).sort().join()); return request;",
        )
        .behavior("origin_request_policy: { headers: all_viewer }")
        .start(&origin)
        .await;
    edge.request("GET", "/")
        .header("X-Edge-Location", "spoofed")
        .header("X-Amz-Cf-Id", "spoofed")
        .header("X-Mine", "1")
        .send()
        .await;
    assert_eq!(edge.logs()[0].message, "host,x-mine");
    let seen = origin.last();
    assert_eq!(seen.header("x-edge-location"), None);
    assert_ne!(seen.header("x-amz-cf-id"), Some("spoofed"));
    assert_eq!(seen.header("x-mine"), Some("1"));
}
