//! What holds for results of every trigger: what counts, what is hidden, what lives on (LE sections 3, 4 and 6).

use fourfront_conformance::{Edge, Origin, Reply, handler};

#[tokio::test(flavor = "multi_thread")]
async fn state_of_a_module_lives_as_long_as_its_isolate() {
    // LE-347, LE-348, LE-569, LE-317, LE-350
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new()
        .threads(1, 1)
        .function(
            "count",
            "let n = 0;
             exports.handler = async (event) => {
                 const { request } = event.Records[0].cf;
                 n += 1;
                 if (request.uri === '/crash') {
                     setTimeout(() => { throw new Error('uncaught'); }, 0);
                     await new Promise((done) => setTimeout(done, 1000));
                 }
                 return { status: 200, body: String(n) };
             };",
        )
        .behavior("on: { viewer-request: count }")
        .start(&origin)
        .await;
    for expected in ["1", "2", "3"] {
        assert_eq!(edge.get("/").await.text(), expected);
    }
    let answer = edge.get("/crash").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (503, "LambdaExecutionError")
    );
    assert_eq!(edge.get("/").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_returned_value_counts() {
    // LE-063, LE-064
    let origin = Origin::start(|request| Reply::ok(request.target.clone())).await;
    let edge = Edge::new()
        .function(
            "stray",
            &handler(
                "const copy = JSON.parse(JSON.stringify(request)); request.uri = '/changed'; config.requestId = 'mine'; return copy;",
            ),
        )
        .function(
            "info",
            &handler("request.uri = '/changed'; request.headers = {}; config.eventType = 'x'; return response;"),
        )
        .behavior("on: { viewer-request: stray, viewer-response: info }")
        .start(&origin)
        .await;
    let answer = edge.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "/a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn disallowed_headers_are_hidden_and_survive_being_hidden() {
    // LE-207, LE-209, LE-210, LE-A24
    let origin = Origin::start(|_| {
        Reply::ok("x")
            .header("X-Accel-Buffering", "no")
            .header("X-Amzn-Trace-Id", "Root=1")
            .header("X-Real", "1")
    })
    .await;
    let edge = Edge::new()
        .function(
            "see",
            &handler(
                "const seen = (response || request).headers;
                 console.log(['x-real-ip', 'x-forwarded-proto', 'x-accel-buffering', 'x-amzn-trace-id'].filter((n) => n in seen).join());
                 return response || request;",
            ),
        )
        .behavior("on: { viewer-request: see, viewer-response: see }")
        .start(&origin)
        .await;
    let answer = edge
        .request("GET", "/")
        .header("X-Real-IP", "192.0.2.1")
        .header("X-Forwarded-Proto", "https")
        .header("X-Amzn-Trace-Id", "Root=2")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(lines, ["x-amzn-trace-id", "x-amzn-trace-id"]);
}
