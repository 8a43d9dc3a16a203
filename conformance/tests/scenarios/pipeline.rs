//! The order in which a request is dealt with (CF section 0.3), each step before the next.

use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running, handler, logging};

async fn status(edge: &Running, method: &str, target: &str, host: &str) -> u16 {
    let request = edge.request(method, target).header("Host", host);
    request.send().await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_by_the_first_step_that_can() {
    // CF-001, CF-010, CF-010.1, CF-010.2, CF-010.4, CF-010.5, CF-010.7, CF-010.10
    let origin = Origin::saying("from the origin").await;
    let long = format!("/{}", "u".repeat(8_200));
    let site = |settings: &str| {
        Edge::new()
            .function("log", &logging())
            .distribution("aliases: [known.test]")
            .distribution(settings)
            .path(
                "/api/*",
                "allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]",
            )
            .behavior("on: { viewer-request: log }")
    };
    let edge = site("comment: enabled").start(&origin).await;
    let disabled = site("enabled: false").start(&origin).await;
    // Limits, then the host, then whether its distribution is enabled, then the behaviour, then its methods.
    assert_eq!(status(&edge, "TRACE", &long, "unknown.test").await, 414);
    assert_eq!(status(&edge, "TRACE", "/", "unknown.test").await, 403);
    assert_eq!(status(&disabled, "TRACE", "/", "known.test").await, 403);
    assert_eq!(status(&edge, "TRACE", "/", "known.test").await, 405);
    assert_eq!(status(&edge, "POST", "/", "known.test").await, 403);
    // No function has seen any of them, nor has the origin.
    assert_eq!((edge.logs().len(), disabled.logs().len()), (0, 0));
    assert_eq!(origin.count(), 0);
    assert_eq!(status(&edge, "POST", "/api/x", "known.test").await, 200);
    assert_eq!(status(&edge, "GET", "/", "known.test").await, 200);
    assert_eq!(edge.logs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_an_early_step_still_passes_the_last_ones() {
    // CF-001, CF-010.10, CF-010.18, CF-781, CF-814: node fields, a record and a count, whoever answers.
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("make", &handler("return { status: '200', body: 'made' };"))
        .function("log", &logging())
        .path(
            "/made",
            "on: { viewer-request: make, origin-request: log, viewer-response: log }",
        )
        .start(&origin)
        .await;
    let long = format!("/{}", "u".repeat(8_200));
    let wide = "v".repeat(33_000);
    let answers = [
        edge.request("POST", "/").send().await,
        edge.request("GET", &long).send().await,
        edge.request("GET", "/")
            .header("X-Wide", &wide)
            .send()
            .await,
        edge.get("/made").await,
    ];
    for (answer, expected) in answers.iter().zip([403, 414, 494, 200]) {
        assert_eq!(answer.status, expected);
        for name in ["x-cache", "via", "x-amz-cf-pop", "x-amz-cf-id", "server"] {
            assert!(answer.header(name).is_some(), "{expected} {name}");
        }
    }
    let mut recorded: Vec<_> = edge
        .recorded(4)
        .await
        .iter()
        .map(|r| (r.status, r.served.detail(r.status), r.bytes > 0))
        .collect();
    recorded.sort_unstable();
    assert_eq!(
        recorded,
        [
            (200, "LambdaGeneratedResponse", true),
            (403, "InvalidRequestMethod", true),
            (414, "InvalidRequest", true),
            (494, "InvalidRequestHeader", true),
        ]
    );
    assert_eq!((edge.logs().len(), origin.count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_before_the_look_up_is_not_stored() {
    // CF-300, CF-760, CF-761, CF-765
    let origin = Origin::saying("from the origin").await;
    for mode in ["cloudfront", "rfc9111"] {
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .start(&origin)
            .await;
        // Each of them has the key of what follows, or would have it if the method had one.
        assert_eq!(edge.request("POST", "/a").send().await.status, 403);
        assert_eq!(
            edge.request("GET", "/a").body("body").send().await.status,
            403
        );
        let looping = edge.request("GET", "/a");
        let looping = looping.header("CDN-Loop", "fourfront, fourfront");
        assert_eq!(looping.send().await.status, 403);
        let wide = edge.request("GET", "/a").header("X", &"v".repeat(33_000));
        assert_eq!(wide.send().await.status, 494);
        let expecting = edge.request("GET", "/a").header("Expect", "miracles");
        assert_eq!(expecting.send().await.status, 417);
        let answer = edge.get("/a").await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"), "{mode}");
        // And none of them takes away what is stored.
        assert_eq!(edge.request("POST", "/a").send().await.status, 403);
        let answer = edge.get("/a").await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Hit"), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_and_origin_stay_when_functions_rewrite_on_either_side() {
    // CF-002, CF-010.5, CF-010.13
    let (one, two) = (Origin::echo().await, Origin::saying("two").await);
    let rewrite = handler("request.uri = '/b' + request.uri; return request;");
    let edge = Edge::new()
        .function("rewrite", &rewrite)
        .origin(&format!("second: {}", two.url()))
        .path("/b/*", "origin: second")
        .behavior("on: { viewer-request: rewrite, origin-request: rewrite }")
        .start(&one)
        .await;
    assert_eq!(edge.get("/a").await.text(), "/b/b/a");
    assert_eq!(edge.get("/b/c").await.text(), "two");
    assert_eq!((one.count(), two.count()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_response_function_runs_below_400_and_on_hits_too() {
    // CF-004, CF-010.17, LE-024
    let origin = Origin::start(|request| {
        let status = request.target[1..].parse().unwrap_or(200);
        Reply::status(status)
            .header("Cache-Control", "max-age=60")
            .header("Location", "/elsewhere")
    })
    .await;
    // It sees none of the fields that the node adds afterwards.
    let see = handler(
        "const own = ['via', 'x-cache', 'x-amz-cf-id', 'x-amz-cf-pop'];
         console.log(response.status + ' ' + own.filter((n) => response.headers[n]).join());
         return response;",
    );
    let edge = Edge::new()
        .function("see", &see)
        .function("log", &logging())
        .behavior("on: { origin-request: log, origin-response: log, viewer-response: see }")
        .start(&origin)
        .await;
    for (status, runs) in [
        (200, true),
        (204, true),
        (301, true),
        (404, false),
        (410, false),
        (501, false),
    ] {
        for token in ["Miss", "Hit"] {
            let before = edge.logs().len();
            let answer = edge.get(&format!("/{status}")).await;
            let token = if status < 400 { token } else { "Error" };
            assert_eq!((answer.status, answer.x_cache()), (status, token));
            let ran: Vec<_> = edge.logs()[before..]
                .iter()
                .map(|l| l.message.clone())
                .collect();
            let own = format!("{status} ");
            assert_eq!(ran.contains(&own), runs, "{status} {token}: {ran:?}");
        }
    }
    // Hits have run nothing on the origin's side.
    let fetched = edge.logs();
    let fetched = fetched.iter().filter(|l| l.message == "origin-request");
    assert_eq!((fetched.count(), origin.count()), (6, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_no_part_of_the_key() {
    // CF-173
    let origin = Origin::start(|request| {
        Reply::ok(request.body.clone()).header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .behavior("cached_methods: get-head-options")
        .start(&origin)
        .await;
    for (body, token) in [("one", "Miss"), ("two", "Hit"), ("", "Hit")] {
        let answer = edge.request("OPTIONS", "/").body(body).send().await;
        assert_eq!((answer.text(), answer.x_cache()), ("one", token), "{body}");
    }
    assert_eq!(origin.count(), 1);
}
