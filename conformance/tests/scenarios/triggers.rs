//! Which triggers run in which scenario (LE section 1.1). Every trigger logs its name; the log
//! is the proof.

use fourfront_conformance::{Edge, Origin, Reply, Running};

const LOGGING: &str = r#"
exports.handler = async (event) => {
    const { config, request, response } = event.Records[0].cf;
    console.log(config.eventType);
    return response || request;
};"#;

fn all_four() -> Edge {
    Edge::new().function("log", LOGGING).behavior(
        "on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }",
    )
}

/// The triggers that ran since the last call, in order, by initials.
fn ran(edge: &Running, before: &mut usize) -> Vec<String> {
    let logs = edge.logs();
    let new = logs[*before..].iter().map(|l| l.message.clone()).collect();
    *before = logs.len();
    new
}

const ALL: [&str; 4] = [
    "viewer-request",
    "origin-request",
    "origin-response",
    "viewer-response",
];

#[tokio::test(flavor = "multi_thread")]
async fn miss_runs_all_four_and_a_hit_only_the_viewers_two() {
    // LE-001, LE-002, LE-005, LE-023, LE-025, CF-004, CF-255, CF-010.12, CF-010.13, CF-010.15
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = all_four().start(&origin).await;
    let mut seen = 0;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(ran(&edge, &mut seen), ALL);
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(ran(&edge, &mut seen), ["viewer-request", "viewer-response"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_status_of_the_origin_skips_the_viewer_response() {
    // LE-024, LE-029, LE-175, CF-004
    let origin = Origin::start(|_| {
        Reply::status(404)
            .header("Cache-Control", "max-age=60")
            .body("no")
    })
    .await;
    let edge = all_four().start(&origin).await;
    let mut seen = 0;
    assert_eq!(edge.get("/").await.status, 404);
    assert_eq!(
        ran(&edge, &mut seen),
        ["viewer-request", "origin-request", "origin-response"]
    );
    let again = edge.get("/").await;
    assert_eq!((again.status, again.x_cache()), (404, "Error"));
    assert_eq!(ran(&edge, &mut seen), ["viewer-request"]);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn origin_response_that_turns_an_error_into_success_lets_the_viewer_response_run() {
    // LE-030, LE-181, LE-514
    let origin = Origin::start(|_| Reply::status(503).body("down")).await;
    let edge = Edge::new()
        .function("log", LOGGING)
        .function(
            "heal",
            r#"exports.handler = async (event) => {
                const response = event.Records[0].cf.response;
                console.log("origin-response " + response.status);
                response.status = 200;
                response.statusDescription = "OK";
                response.body = "healed";
                response.headers["cache-control"] = [{ key: "Cache-Control", value: "max-age=60" }];
                return response;
            };"#,
        )
        .behavior("on: { origin-response: heal, viewer-response: log }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(
        (
            answer.status,
            answer.text(),
            answer.header("content-length")
        ),
        (200, "healed", Some("6"))
    );
    let mut seen = 0;
    assert_eq!(
        ran(&edge, &mut seen),
        ["origin-response 503", "viewer-response"]
    );
    // Stored as an ordinary object.
    let again = edge.get("/").await;
    assert_eq!((again.text(), again.x_cache()), ("healed", "Hit"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uncacheable_methods_run_all_four() {
    // LE-041, LE-165
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = all_four()
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start(&origin)
        .await;
    let mut seen = 0;
    for _ in 0..2 {
        let answer = edge.request("POST", "/").body("a=1").send().await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"));
        assert_eq!(ran(&edge, &mut seen), ALL);
    }
    assert_eq!(origin.last().body, "a=1");
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_object_is_revalidated_through_both_origin_triggers() {
    // LE-033, LE-034, CF-258, CF-280, CF-282, CF-319
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304)
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=10"),
        _ => Reply::ok("first")
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=10"),
    })
    .await;
    let edge = all_four().start(&origin).await;
    let mut seen = 0;
    edge.get("/").await;
    ran(&edge, &mut seen);
    edge.advance(11);
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "first", "RefreshHit")
    );
    assert_eq!(answer.header("age"), Some("0"));
    assert_eq!(ran(&edge, &mut seen), ALL);
    let answer = edge.get("/").await;
    assert_eq!(answer.x_cache(), "Hit");
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_origin_never_reaches_the_response_triggers() {
    // LE-037, LE-A16, CF-772
    let edge = all_four().start_at("http://127.0.0.1:1").await;
    let mut seen = 0;
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    assert_eq!(ran(&edge, &mut seen), ["viewer-request", "origin-request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_requests_reach_no_trigger() {
    // LE-009, LE-021, CF-527, CF-368
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = all_four().start(&origin).await;
    let mut seen = 0;
    assert_eq!(edge.request("DELETE", "/").send().await.status, 403);
    assert_eq!(edge.request("GET", "/").body("b").send().await.status, 403);
    assert_eq!(ran(&edge, &mut seen), [""; 0]);
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_is_chosen_once_from_the_viewers_path() {
    // LE-003, LE-004, LE-565, CF-002, CF-003
    let one = Origin::start(|r| {
        Reply::ok(format!("one {}", r.target)).header("Cache-Control", "max-age=60")
    })
    .await;
    let two = Origin::start(|_| Reply::ok("two")).await;
    let edge = Edge::new()
        .function(
            "rewrite",
            r#"exports.handler = async (event) => {
                const request = event.Records[0].cf.request;
                request.uri = "/b/x";
                return request;
            };"#,
        )
        .origin(&format!("second: {}", two.url()))
        .path("/b/*", "origin: second")
        .behavior("on: { viewer-request: rewrite }")
        .start(&one)
        .await;
    assert_eq!(edge.get("/a").await.text(), "one /b/x");
    // The key is that of the rewritten request.
    let other = edge.get("/c").await;
    assert_eq!((other.text(), other.x_cache()), ("one /b/x", "Hit"));
    assert_eq!((one.count(), two.count()), (1, 0));
}
