//! Functions that fail: what the viewer, the log and everyone else get (LE section 5.4).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use fourfront_conformance::{Answer, Edge, Origin, Reply, handler, logging};
use tokio::sync::{Mutex, mpsc};

/// Throws when the request at hand carries `X-Fail`.
fn failing_on_demand() -> String {
    handler(
        "if (request.headers['x-fail']) throw new Error('secret reason'); return response || request;",
    )
}

fn assert_failure(answer: &Answer, status: u16, token: &str, what: &str) {
    assert_eq!((answer.status, answer.x_cache()), (status, token), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert!(
        answer
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/html")),
        "{what}"
    );
    let id = answer
        .header("x-amz-cf-id")
        .expect("every answer has an id");
    let page = answer.text();
    assert!(
        page.contains(token) && page.contains(&status.to_string()),
        "{what}: {page}"
    );
    assert!(
        page.contains(&format!("Request ID: {id}")),
        "{what}: {page}"
    );
    for told in ["secret", "/var/task", "index.js", "Error:  at"] {
        assert!(!page.contains(told), "{what} tells `{told}`: {page}");
    }
    assert_eq!(
        answer.header("content-length"),
        Some(page.len().to_string().as_str()),
        "{what}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trigger_that_throws_gets_the_same_page() {
    // LE-046, LE-047, LE-271, LE-277, LE-278, LE-279, LE-281, CF-516
    let rows = [
        ("viewer-request", &["viewer-request"][..]),
        ("origin-request", &["viewer-request", "origin-request"]),
        (
            "origin-response",
            &["viewer-request", "origin-request", "origin-response"],
        ),
        (
            "viewer-response",
            &[
                "viewer-request",
                "origin-request",
                "origin-response",
                "viewer-response",
            ],
        ),
    ];
    for (failing, ran) in rows {
        let origin = Origin::saying("content").await;
        let on = [
            "viewer-request",
            "origin-request",
            "origin-response",
            "viewer-response",
        ]
        .map(|event| format!("{event}: {}", if event == failing { "fail" } else { "log" }))
        .join(", ");
        let edge = Edge::new()
            .function("log", &logging())
            .function(
                "fail",
                &handler("console.log(config.eventType); throw new TypeError('secret reason');"),
            )
            .behavior(&format!("on: {{ {on} }}"))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_failure(&answer, 503, "LambdaExecutionError", failing);
        let lines: Vec<_> = edge
            .logs()
            .iter()
            .map(|l| l.message.clone())
            .filter(|m| m.contains('-'))
            .collect();
        assert_eq!(lines[..ran.len()], *ran, "{failing}");
        // HEAD gets no page.
        let head = edge.request("HEAD", "/head").send().await;
        assert_eq!(
            (head.status, head.x_cache(), head.body.len()),
            (503, "LambdaExecutionError", 0),
            "{failing}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_not_answering_is_an_execution_error() {
    // LE-560, LE-271, LE-250, LE-313, LE-315, LE-316, LE-318
    let origin = Origin::saying("content").await;
    let edge = Edge::new()
        .function_with(
            "fail",
            "exports.handler = (event, context, callback) => {
                 const { request } = event.Records[0].cf;
                 switch (request.uri) {
                     case '/throw': throw new Error('secret');
                     case '/callback': return callback(new Error('secret'));
                     case '/text': return callback('secret');
                     case '/reject': return Promise.reject(new Error('secret'));
                     case '/loop': for (;;) {}
                     case '/never': return new Promise(() => {});
                     case '/cycle': { const a = {}; a.a = a; return callback(null, a); }
                 }
                 callback(null, request);
             };",
            "timeout: 1",
        )
        .behavior("on: { viewer-request: fail }")
        .start(&origin)
        .await;
    for path in [
        "/throw",
        "/callback",
        "/text",
        "/reject",
        "/loop",
        "/never",
        "/cycle",
    ] {
        assert_failure(&edge.get(path).await, 503, "LambdaExecutionError", path);
        // The next call is none the worse for it.
        assert_eq!(edge.get("/fine").await.text(), "content", "after {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_not_acceptable_is_a_validation_error() {
    // LE-270, LE-278, LE-282, LE-283, LE-559
    let origin = Origin::saying("content").await;
    let edge = Edge::new()
        .function(
            "bad",
            &handler("request.headers.host[0].value = 'other\\tname'; return request;"),
        )
        .behavior("on: { viewer-request: bad }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_failure(&answer, 502, "LambdaValidationError", "host");
    let record = &edge.recorded(1).await[0];
    assert_eq!(
        record.hooks[0].fault,
        Some(("LambdaValidationError", "LE-214"))
    );
    let error = record.error.as_deref().unwrap();
    for named in ["viewer-request", "LE-214", "V-HDR-RO", "host"] {
        assert!(error.contains(named), "`{named}` is missing: {error}");
    }
    assert_eq!(
        record.request_id.unwrap().to_string(),
        answer.header("x-amz-cf-id").unwrap()
    );
    let json = record.to_json();
    assert_eq!(json["x-edge-result-type"], "LambdaValidationError");
    assert_eq!(json["x-edge-detailed-result-type"], "LambdaValidationError");
    assert_eq!(json["ff-hooks"][0]["rule"], "LE-214");
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn execution_errors_tell_the_operator_what_was_thrown() {
    // LE-271, LE-282, LE-284
    let origin = Origin::saying("content").await;
    let edge = Edge::new()
        .function("fail", &handler("throw new RangeError('secret reason');"))
        .behavior("on: { origin-request: fail }")
        .start(&origin)
        .await;
    edge.get("/").await;
    let record = &edge.recorded(1).await[0];
    let error = record.error.as_deref().unwrap();
    assert!(
        error.contains("RangeError") && error.contains("secret reason"),
        "{error}"
    );
    assert_eq!(
        record.to_json()["x-edge-result-type"],
        "LambdaExecutionError"
    );
    // The function's own log names the call and the viewer's request.
    let told = &edge.logs()[0];
    assert!(told.message.contains("RangeError"), "{}", told.message);
    assert_eq!(told.invocation_id, record.hooks[0].invocation_id);
    assert_eq!(
        Some(told.viewer_request_id.clone()),
        record.request_id.map(|id| id.to_string())
    );
    let metrics = edge.metrics();
    let counted = r#"fourfront_hook_faults_total{class="LambdaExecutionError",event_type="origin-request",function="fail",rule="LE-271",version="1"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(
        !metrics.contains("fourfront_origin_faults_total{"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_allowed_are_refused_at_once() {
    // LE-265, LE-272, LE-575, LE-A26
    let origin = Origin::saying("content").await;
    let edge = Arc::new(
        Edge::new()
            .concurrency(1)
            .function_with(
                "slow",
                &handler(
                    "if (request.uri === '/slow') { console.log('in'); await new Promise((done) => setTimeout(done, 2000)); } return request;",
                ),
                "timeout: 20",
            )
            .behavior("on: { viewer-request: slow }")
            .start(&origin)
            .await,
    );
    let first = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/slow").await }
    });
    edge.logged(1).await;
    let second = edge.get("/fast").await;
    assert_failure(&second, 503, "LambdaLimitExceeded", "second");
    assert_eq!(first.await.unwrap().text(), "content");
    assert_eq!(edge.get("/fast").await.text(), "content");
    let record = edge.record_of(&second).await;
    assert_eq!(
        record.hooks[0].fault,
        Some(("LambdaLimitExceeded", "LE-265"))
    );
    let json = record.to_json();
    assert_eq!(
        (
            json["x-edge-result-type"].clone(),
            json["x-edge-detailed-result-type"].clone()
        ),
        ("Error".into(), "LambdaLimitExceeded".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_viewer_response_harms_neither_the_cache_nor_other_viewers() {
    // LE-279, LE-192, LE-A35
    let origin = Origin::saying("content").await;
    let edge = Edge::new()
        .function("fail", &failing_on_demand())
        .behavior("on: { viewer-response: fail }")
        .start(&origin)
        .await;
    // On a miss: this viewer gets the page, the object is stored all the same.
    let answer = edge.request("GET", "/").header("X-Fail", "1").send().await;
    assert_failure(&answer, 503, "LambdaExecutionError", "miss");
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "content", "Hit")
    );
    // On a hit.
    let answer = edge.request("GET", "/").header("X-Fail", "1").send().await;
    assert_failure(&answer, 503, "LambdaExecutionError", "hit");
    // On a part, where less than the page would have been sent.
    let answer = edge
        .request("GET", "/")
        .header("X-Fail", "1")
        .header("Range", "bytes=0-1")
        .send()
        .await;
    assert_failure(&answer, 503, "LambdaExecutionError", "range");
    assert_eq!(answer.header("content-range"), None);
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("content", "Hit"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_viewer_response_without_a_body_to_follow_is_still_a_503() {
    // LE-279, LE-281, LE-195
    let origin = Origin::start(|request| match request.target.as_str() {
        "/empty" => Reply::ok("").header("Cache-Control", "max-age=60"),
        "/none" => Reply::status(204).header("Cache-Control", "max-age=60"),
        _ => Reply::ok("content")
            .header("ETag", "\"1\"")
            .header("Cache-Control", "max-age=60"),
    })
    .await;
    let edge = Edge::new()
        .function("fail", &failing_on_demand())
        .behavior("on: { viewer-response: fail }")
        .start(&origin)
        .await;
    for path in ["/empty", "/none", "/tagged"] {
        for round in ["miss", "hit"] {
            let request = edge
                .request("GET", path)
                .header("X-Fail", "1")
                .header("If-None-Match", "\"1\"");
            let answer = request.send().await;
            assert_eq!(
                (answer.status, answer.x_cache()),
                (503, "LambdaExecutionError"),
                "{path} {round}"
            );
            assert_eq!(
                answer.header("cache-control"),
                Some("no-store"),
                "{path} {round}"
            );
        }
    }
    assert_eq!(edge.get("/tagged").await.text(), "content");
    assert_eq!(edge.get("/none").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_viewer_response_fails_still_feeds_its_followers() {
    // LE-279, LE-043, CF-401
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(
        move |_| match stream.try_lock().ok().and_then(|mut s| s.take()) {
            Some(stream) => Reply::stream(stream).header("Cache-Control", "max-age=60"),
            None => Reply::status(500),
        },
    )
    .await;
    let edge = Arc::new(
        Edge::new()
            .function("fail", &failing_on_demand())
            .behavior("on: { viewer-response: fail }")
            .start(&origin)
            .await,
    );
    let leader = tokio::spawn({
        let edge = edge.clone();
        async move { edge.request("GET", "/").header("X-Fail", "1").send().await }
    });
    origin.received(1).await;
    let follower = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/").await }
    });
    pieces.send(Bytes::from_static(b"all of ")).unwrap();
    pieces.send(Bytes::from_static(b"it")).unwrap();
    drop(pieces);
    assert_failure(
        &leader.await.unwrap(),
        503,
        "LambdaExecutionError",
        "leader",
    );
    let follower = follower.await.unwrap();
    assert_eq!((follower.status, follower.text()), (200, "all of it"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_on_the_origins_side_are_not_stored() {
    // LE-047, LE-279
    for event in ["origin-request", "origin-response"] {
        let origin = Origin::saying("content").await;
        let edge = Edge::new()
            .function(
                "once",
                "let calls = 0;
                 exports.handler = async (event) => {
                     calls += 1;
                     if (calls === 1) throw new Error('secret');
                     const { request, response } = event.Records[0].cf;
                     return response || request;
                 };",
            )
            .threads(1, 1)
            .behavior(&format!("on: {{ {event}: once }}"))
            .start(&origin)
            .await;
        assert_failure(&edge.get("/").await, 503, "LambdaExecutionError", event);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "content", "Miss"),
            "{event}"
        );
        assert_eq!(edge.get("/").await.x_cache(), "Hit", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_objects_survive_failures() {
    // LE-279, LE-281, LE-182
    for event in ["origin-request", "origin-response"] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let origin = Origin::start(move |request| {
            counter.fetch_add(1, Ordering::SeqCst);
            match request.header("if-none-match") {
                Some("\"v1\"") => Reply::status(304)
                    .header("ETag", "\"v1\"")
                    .header("Cache-Control", "max-age=10"),
                _ => Reply::ok("content")
                    .header("ETag", "\"v1\"")
                    .header("Cache-Control", "max-age=10"),
            }
        })
        .await;
        let edge = Edge::new()
            .function(
                "second",
                "let calls = 0;
                 exports.handler = async (event) => {
                     calls += 1;
                     if (calls === 2) throw new Error('secret');
                     const { request, response } = event.Records[0].cf;
                     return response || request;
                 };",
            )
            .threads(1, 1)
            .behavior(&format!("on: {{ {event}: second }}"))
            .start(&origin)
            .await;
        assert_eq!(edge.get("/").await.text(), "content");
        edge.advance(10);
        // No request passes unhooked: the stale object does not stand in, nor does the 304 count.
        assert_failure(&edge.get("/").await, 503, "LambdaExecutionError", event);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "content", "RefreshHit"),
            "{event}"
        );
        assert_eq!(
            origin.last().header("if-none-match"),
            Some("\"v1\""),
            "{event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_never_fall_back_to_a_stale_object() {
    // LE-281, CF-268, CF-269
    let origin =
        Origin::start(|_| Reply::ok("content").header("Cache-Control", "max-age=10")).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .function(
            "second",
            "let calls = 0;
             exports.handler = async (event) => {
                 calls += 1;
                 if (calls > 1) throw new Error('secret');
                 return event.Records[0].cf.request;
             };",
        )
        .threads(1, 1)
        .behavior("on: { origin-request: second }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "content");
    edge.advance(10);
    assert_failure(
        &edge.get("/").await,
        503,
        "LambdaExecutionError",
        "stale at hand",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_failing_leader_run_the_function_themselves() {
    // LE-279, CF-404
    let origin = Origin::saying("content").await;
    let edge = Arc::new(
        Edge::new()
            .function("fail", &handler("throw new Error('secret');"))
            .behavior("on: { origin-request: fail }")
            .start(&origin)
            .await,
    );
    let viewers: Vec<_> = (0..20)
        .map(|_| {
            let edge = edge.clone();
            tokio::spawn(async move { edge.get("/").await })
        })
        .collect();
    for viewer in viewers {
        assert_failure(
            &viewer.await.unwrap(),
            503,
            "LambdaExecutionError",
            "follower",
        );
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_cannot_be_loaded_stop_the_start_and_are_all_named() {
    // LE-308, LE-305
    let edge = Edge::new()
        .function(
            "syntax",
            "exports.handler = async (event) => { return event.",
        )
        .function("throws", "throw new Error('at load');")
        .function("missing", "exports.other = async () => {};")
        .path("/a", "on: { viewer-request: syntax }")
        .path("/b", "on: { viewer-request: throws }")
        .behavior("on: { viewer-request: missing }");
    let Err(errors) = edge.try_start("http://127.0.0.1:1").await else {
        panic!("the node started")
    };
    let text = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    for named in [
        "functions.syntax",
        "SyntaxError",
        "functions.throws",
        "at load",
        "functions.missing",
        "handler",
    ] {
        assert!(text.contains(named), "`{named}` is missing: {text}");
    }
    assert!(text.contains("fourfront.yaml:"), "{text}");
}
