//! What happens once a lifetime is over: validation, stale answers, failures (CF sections 3.3 to 3.5).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, RawOrigin, Reply, Running, Turn, logging};
use tokio::sync::{Mutex, mpsc, watch};

fn ttl(min: u64, default: u64, max: u64) -> String {
    format!("cache_policy: {{ min_ttl: {min}, default_ttl: {default}, max_ttl: {max} }}")
}

/// Logged trigger names from the `from`th on, sorted.
fn triggers(edge: &Running, from: usize) -> Vec<String> {
    let mut names: Vec<String> = edge.logs()[from..]
        .iter()
        .map(|l| l.message.clone())
        .collect();
    names.sort_unstable();
    names
}

fn all_four(edge: Edge) -> Edge {
    edge.function("log", &logging()).behavior(
        "on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }",
    )
}

/// Asks until `done`; what is waited for happens without further requests, in the background.
async fn ask_until(
    edge: &Running,
    path: &str,
    done: impl Fn(&fourfront_conformance::Answer) -> bool,
) {
    for _ in 0..5_000 {
        if done(&edge.get(path).await) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("what was waited for did not happen");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_cannot_be_reached_is_left_alone_for_ten_seconds() {
    // CF-296, CF-772, CF-780, CF-782, CF-513
    let origin = RawOrigin::start(|_| vec![Turn::Close]).await;
    let edge = Edge::new()
        .function("log", &logging())
        .distribution("cache_mode: cloudfront")
        .behavior("on: { viewer-request: log, viewer-response: log }")
        .start_at(&origin.url())
        .await;
    assert_eq!(edge.get("/").await.status, 502);
    let asked = origin.count();
    edge.advance(9);
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.x_cache(), answer.header("age")),
        (502, "Error", Some("9"))
    );
    // A page of its own.
    let id = answer.header("x-amz-cf-id").unwrap();
    assert!(answer.text().contains(&format!("Request ID: {id}")));
    assert_eq!(answer.header("cache-control"), None);
    let length = answer.header("content-length").unwrap();
    let head = edge.request("HEAD", "/").send().await;
    assert_eq!((head.status, head.body.len()), (502, 0));
    assert_eq!(head.header("content-length"), Some(length));
    assert_eq!(origin.count(), asked);
    assert_eq!(
        edge.record_of(&answer).await.to_json()["x-edge-detailed-result-type"],
        "OriginReadError"
    );
    // LE-024: no viewer-response function above 399.
    assert!(edge.logs().iter().all(|l| l.message == "viewer-request"));
    edge.advance(1);
    edge.get("/").await;
    assert!(origin.count() > asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_kept_where_the_mode_and_the_policy_keep_errors() {
    // CF-296, CF-298, CF-831, CF-215
    let disabled = "cache_policy: { min_ttl: 0, default_ttl: 0, max_ttl: 0 }";
    let open = "cache_policy: { min_ttl: 0 }";
    let rows = [
        ("cloudfront", open, "GET", true),
        ("cloudfront", disabled, "GET", false),
        ("cloudfront", open, "POST", false),
        ("rfc9111", open, "GET", false),
    ];
    for (mode, policy, method, kept) in rows {
        let origin = RawOrigin::start(|_| vec![Turn::Close]).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
            .behavior(policy)
            .start_at(&origin.url())
            .await;
        let what = format!("{mode} {policy} {method}");
        let ask = async || edge.request(method, "/").send().await.status;
        assert_eq!(ask().await, 502, "{what}");
        let asked = origin.count();
        assert_eq!(ask().await, 502, "{what}");
        assert_eq!(origin.count() == asked, kept, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_failure_gives_way_to_the_next_answer_and_never_hides_a_usable_object() {
    // CF-296, CF-299, CF-404
    let (open, gate) = watch::channel(false);
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let origin = RawOrigin::start(move |_| match is_up.load(Ordering::SeqCst) {
        true => vec![Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=10\r\n\r\ngood",
        )],
        false => vec![Turn::Await(gate.clone()), Turn::Close],
    })
    .await;
    let edge = Arc::new(
        Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(0, 60, 600))
            .start_at(&origin.url())
            .await,
    );
    // Whoever waits for the fetch that fails shares its failure.
    let viewers: Vec<_> = (0..10)
        .map(|_| {
            let edge = edge.clone();
            tokio::spawn(async move { edge.get("/").await.status })
        })
        .collect();
    while edge.node().in_flight().count() < 10 {
        tokio::task::yield_now().await;
    }
    open.send(true).unwrap();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap(), 502);
    }
    // One of them may have come for the lock at the moment it was let go.
    assert!(origin.count() < 3, "{}", origin.count());
    up.store(true, Ordering::SeqCst);
    edge.advance(10);
    assert_eq!(edge.get("/").await.text(), "good");
    edge.advance(20);
    up.store(false, Ordering::SeqCst);
    for token in ["Hit", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!((answer.text(), answer.x_cache()), ("good", token));
    }
    // Too old to stand in, it makes room for the failure.
    edge.advance(600);
    assert_eq!(edge.get("/").await.status, 502);
    let asked = origin.count();
    assert_eq!(edge.get("/").await.status, 502);
    assert_eq!(origin.count(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_while_revalidate_answers_at_once_and_refreshes_behind() {
    // LE-039, LE-040, CF-257, CF-265, CF-266, CF-275, AMB-17
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let reply = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::ok("first"),
            _ => match stream.try_lock().ok().and_then(|mut s| s.take()) {
                Some(stream) => Reply::stream(stream),
                None => Reply::ok("third"),
            },
        };
        reply.header("Cache-Control", "max-age=10, stale-while-revalidate=30")
    })
    .await;
    let edge = all_four(Edge::new()).start(&origin).await;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    edge.advance(15);
    let before = edge.logs().len();
    // The origin keeps its second body back, so nothing here can have waited for it.
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.text(), answer.x_cache(), answer.header("age")),
        ("first", "Hit", Some("15"))
    );
    origin.received(2).await;
    edge.logged(before + 4).await;
    assert_eq!(
        triggers(&edge, before),
        [
            "origin-request",
            "origin-response",
            "viewer-request",
            "viewer-response"
        ]
    );
    pieces.send(Bytes::from_static(b"second")).unwrap();
    drop(pieces);
    ask_until(&edge, "/", |answer| answer.text() == "second").await;
    assert_eq!(origin.count(), 2);
    let answer = edge.get("/").await;
    assert_eq!((answer.x_cache(), answer.header("age")), ("Hit", Some("0")));
    // Past both windows the viewer waits for the origin.
    edge.advance(40);
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("third", "Miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_fails_keeps_what_is_stored() {
    // CF-275, LE-279
    let fail = Arc::new(AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(move |_| match failing.load(Ordering::SeqCst) {
        false => {
            Reply::ok("first").header("Cache-Control", "max-age=10, stale-while-revalidate=60")
        }
        true => Reply::status(500),
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    fail.store(true, Ordering::SeqCst);
    edge.advance(15);
    assert_eq!(edge.get("/").await.text(), "first");
    origin.received(2).await;
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_stand_in_for_server_errors_in_mode_cloudfront() {
    // LE-035, CF-260, CF-268, CF-269, CF-277
    let fail = Arc::new(AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(move |_| match failing.load(Ordering::SeqCst) {
        false => Reply::ok("good").header("Cache-Control", "max-age=10"),
        true => Reply::status(503).body("down"),
    })
    .await;
    let edge = all_four(Edge::new())
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 60, 600))
        .start(&origin)
        .await;
    edge.get("/").await;
    fail.store(true, Ordering::SeqCst);
    edge.advance(20);
    let before = edge.logs().len();
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "good", "Hit")
    );
    assert_eq!(
        (answer.header("age"), answer.header("warning")),
        (Some("20"), None)
    );
    assert_eq!(
        triggers(&edge, before),
        [
            "origin-request",
            "origin-response",
            "viewer-request",
            "viewer-response"
        ]
    );
    // CF-267: an object as old as the maximum is not served stale any more.
    edge.advance(600);
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (503, "Error"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_the_origin_is_left_alone_while_stale_answers_go_out() {
    // CF-272
    let fail = Arc::new(AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(move |_| match failing.load(Ordering::SeqCst) {
        false => Reply::ok("good").header("Cache-Control", "max-age=10"),
        true => Reply::status(500),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 60, 600))
        .start(&origin)
        .await;
    edge.get("/").await;
    fail.store(true, Ordering::SeqCst);
    edge.advance(20);
    assert_eq!(edge.get("/").await.text(), "good");
    assert_eq!(origin.count(), 2);
    edge.advance(9);
    assert_eq!(edge.get("/").await.text(), "good");
    assert_eq!(origin.count(), 2);
    edge.advance(1);
    assert_eq!(edge.get("/").await.text(), "good");
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_fails_holds_the_origin_off_too() {
    // CF-272, CF-275
    let fail = Arc::new(AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(move |_| match failing.load(Ordering::SeqCst) {
        false => Reply::ok("good").header("Cache-Control", "max-age=10, stale-while-revalidate=60"),
        true => Reply::status(500),
    })
    .await;
    let edge = all_four(Edge::new())
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 60, 600))
        .start(&origin)
        .await;
    edge.get("/").await;
    fail.store(true, Ordering::SeqCst);
    edge.advance(20);
    // Answered at once; the refresh fails behind.
    assert_eq!(edge.get("/").await.text(), "good");
    origin.received(2).await;
    // The function at origin-response has run, and what follows it may still be on its way.
    edge.logged(8).await;
    for seconds in [0, 9] {
        edge.advance(seconds);
        for _ in 0..5 {
            assert_eq!(edge.get("/").await.text(), "good");
        }
        assert_eq!(origin.count(), 2);
    }
    edge.advance(10);
    assert_eq!(edge.get("/").await.text(), "good");
    origin.received(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_cannot_be_reached_is_held_off_in_mode_cloudfront_only() {
    // CF-268, CF-272, CF-828
    for (mode, held_off) in [("cloudfront", true), ("rfc9111", false)] {
        let origin = RawOrigin::start(|n| match n {
            1 => vec![Turn::send(
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=10\r\n\r\ngood",
            )],
            _ => vec![Turn::Close],
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&ttl(0, 60, 600))
            .start_at(&origin.url())
            .await;
        edge.get("/").await;
        edge.advance(20);
        assert_eq!(edge.get("/").await.text(), "good", "{mode}");
        let asked = origin.count();
        assert!(asked > 1, "{mode}");
        edge.advance(9);
        assert_eq!(edge.get("/").await.text(), "good", "{mode}");
        assert_eq!(origin.count() == asked, held_off, "{mode}");
        edge.advance(1);
        assert_eq!(edge.get("/").await.text(), "good", "{mode}");
        assert!(origin.count() > asked, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_if_error_bounds_what_stands_in_for_an_error() {
    // CF-265, CF-266, CF-268, CF-270, CF-271, CF-276, CF-828, LE-036
    // Mode, directive, status of the origin once it fails, seconds since the fetch, the viewer's status.
    let rows = [
        ("cloudfront", "", 404, 20, 404),
        ("cloudfront", ", stale-if-error=0", 500, 20, 500),
        ("cloudfront", ", stale-if-error=30", 500, 39, 200),
        ("cloudfront", ", stale-if-error=30", 500, 40, 500),
        ("cloudfront", ", must-revalidate", 500, 20, 500),
        ("rfc9111", "", 500, 20, 500),
        ("rfc9111", ", stale-if-error=30", 500, 39, 200),
        ("rfc9111", ", stale-if-error=30", 500, 40, 500),
        ("rfc9111", ", stale-if-error=30", 404, 20, 404),
        (
            "rfc9111",
            ", stale-if-error=30, must-revalidate",
            500,
            20,
            500,
        ),
        ("rfc9111", ", stale-if-error=30, s-maxage=10", 500, 20, 500),
    ];
    for (mode, directive, failure, seconds, expected) in rows {
        let what = format!("{mode} `{directive}` {failure} after {seconds}");
        let asked = AtomicUsize::new(0);
        let origin = Origin::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::ok("good").header("Cache-Control", &format!("max-age=10{directive}")),
            _ => Reply::status(failure).body("bad"),
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&ttl(0, 60, 600))
            .start(&origin)
            .await;
        edge.get("/").await;
        edge.advance(seconds);
        let answer = edge.get("/").await;
        let (text, token) = if expected == 200 {
            ("good", "Hit")
        } else {
            ("bad", "Error")
        };
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (expected, text, token),
            "{what}"
        );
        assert_eq!(origin.count(), 2, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_answers_stand_in_for_an_origin_that_is_gone() {
    // CF-268, CF-269, CF-270, CF-276, CF-828, RFC 9111 section 4.2.4
    let rows = [
        ("rfc9111", "max-age=10", 200),
        ("cloudfront", "max-age=10", 200),
        ("rfc9111", "max-age=10, stale-if-error=0", 502),
        ("cloudfront", "max-age=10, stale-if-error=0", 502),
        ("cloudfront", "max-age=10, must-revalidate", 502),
    ];
    for (mode, directive, expected) in rows {
        let origin =
            Origin::start(move |_| Reply::ok("good").header("Cache-Control", directive)).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&ttl(0, 60, 600))
            .start(&origin)
            .await;
        edge.get("/").await;
        drop(origin);
        edge.advance(20);
        let answer = edge.get("/").await;
        assert_eq!(answer.status, expected, "{mode} {directive}");
        if expected == 200 {
            assert_eq!(
                (answer.text(), answer.x_cache()),
                ("good", "Hit"),
                "{mode} {directive}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_answer_to_a_validation_takes_the_place_of_the_old() {
    // CF-259, CF-280, CF-288, LE-034
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::ok("old")
            .header("ETag", "\"1\"")
            .header("Cache-Control", "max-age=10"),
        _ => Reply::ok("new")
            .header("ETag", "\"2\"")
            .header("Cache-Control", "max-age=10"),
    })
    .await;
    let edge = all_four(Edge::new()).start(&origin).await;
    edge.get("/").await;
    edge.advance(10);
    let before = edge.logs().len();
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("new", "Miss"));
    assert_eq!(origin.last().header("if-none-match"), Some("\"1\""));
    assert_eq!(edge.logs().len(), before + 4);
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("new", "Hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_about_another_object_is_followed_by_a_fetch_without_conditions() {
    // CF-283, RFC 9111 section 4.3.3
    for (condition, status, text) in [("\"1\"", 200, "new"), ("\"2\"", 304, "")] {
        let origin = Origin::start(|request| match request.header("if-none-match") {
            Some(_) => Reply::status(304).header("ETag", "\"2\""),
            None => Reply::ok("new")
                .header("ETag", "\"2\"")
                .header("Cache-Control", "max-age=10"),
        })
        .await;
        let edge = Edge::new()
            .function("log", &logging())
            .function(
                "first",
                "let n = 0; exports.handler = async event => { const response = event.Records[0].cf.response; n += 1;
                 if (n === 1) response.headers.etag = [{ value: '\"1\"' }]; return response; };",
            )
            .behavior("on: { origin-request: log, origin-response: first }")
            .start(&origin)
            .await;
        assert_eq!(edge.get("/").await.header("etag"), Some("\"1\""));
        edge.advance(10);
        let answer = edge
            .request("GET", "/")
            .header("If-None-Match", condition)
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (status, text, "Miss"),
            "{condition}"
        );
        assert_eq!(answer.header("etag"), Some("\"2\""), "{condition}");
        assert_eq!(origin.count(), 3, "{condition}");
        assert_eq!(origin.seen()[1].header("if-none-match"), Some("\"1\""));
        assert_eq!(origin.last().header("if-none-match"), None, "{condition}");
        // One request of the viewer, one call at origin-request.
        assert_eq!(edge.logs().len(), 2, "{condition}");
        let answer = edge.get("/").await;
        assert_eq!((answer.text(), answer.x_cache()), ("new", "Hit"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_cookies_fetch_the_whole_object_again_in_mode_cloudfront() {
    // CF-287
    let origin = Origin::start(|request| match request.header("if-none-match") {
        Some("\"1\"") => Reply::status(304),
        _ => Reply::ok("body")
            .header("ETag", "\"1\"")
            .header("Cache-Control", "max-age=10"),
    })
    .await;
    let rows = [
        ("cloudfront", "a=1", "Miss"),
        ("cloudfront", "", "RefreshHit"),
        ("rfc9111", "a=1", "RefreshHit"),
    ];
    for (mode, cookie, token) in rows {
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("origin_request_policy: { cookies: all }")
            .start(&origin)
            .await;
        let get = async || {
            let request = edge.request("GET", "/").header("If-None-Match", "\"0\"");
            match cookie {
                "" => request.send().await,
                cookie => request.header("Cookie", cookie).send().await,
            }
        };
        get().await;
        edge.advance(10);
        let answer = get().await;
        assert_eq!(
            (answer.text(), answer.x_cache()),
            ("body", token),
            "{mode} {cookie}"
        );
        // From a fresh object conditions are answered as ever.
        let answer = edge
            .request("GET", "/")
            .header("If-None-Match", "\"1\"")
            .send()
            .await;
        assert_eq!((answer.status, answer.x_cache()), (304, "Hit"), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_updates_the_stored_fields_and_starts_the_lifetime_anew() {
    // CF-282, CF-319, RFC 9111 section 3.2
    let origin = Origin::start(|request| match request.header("if-modified-since") {
        Some("Mon, 02 Mar 2026 09:00:00 GMT") => Reply::status(304)
            .header("Last-Modified", "Mon, 02 Mar 2026 09:00:00 GMT")
            .header("Cache-Control", "max-age=50")
            .header("X-Version", "2"),
        _ => Reply::ok("body")
            .header("Last-Modified", "Mon, 02 Mar 2026 09:00:00 GMT")
            .header("Cache-Control", "max-age=10")
            .header("X-Version", "1")
            .header("X-Kept", "yes"),
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(edge.get("/").await.header("x-version"), Some("1"));
    edge.advance(10);
    for (seconds, token) in [(0, "RefreshHit"), (49, "Hit"), (1, "RefreshHit")] {
        edge.advance(seconds);
        let answer = edge.get("/").await;
        assert_eq!((answer.text(), answer.x_cache()), ("body", token));
        assert_eq!(
            (answer.header("x-version"), answer.header("x-kept")),
            (Some("2"), Some("yes"))
        );
        assert_eq!(
            (
                answer.header("cache-control"),
                answer.header("content-length")
            ),
            (Some("max-age=50"), Some("4"))
        );
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_validated_and_cannot_be_is_a_504_in_mode_rfc9111() {
    // CF-276, CF-827, RFC 9111 section 5.2.2.2
    let rows = [
        "max-age=10, must-revalidate",
        "max-age=10, proxy-revalidate",
        "s-maxage=10",
        "max-age=10, must-revalidate, stale-if-error=60, stale-while-revalidate=60",
        "max-age=10, s-maxage=10, stale-if-error=60, stale-while-revalidate=60",
    ];
    for directives in rows {
        let origin =
            Origin::start(move |_| Reply::ok("good").header("Cache-Control", directives)).await;
        let edge = Edge::new().behavior(&ttl(0, 60, 600)).start(&origin).await;
        edge.get("/").await;
        drop(origin);
        edge.advance(20);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (504, "Error"),
            "{directives}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_answer_stands_in_for_a_name_that_no_longer_resolves() {
    // CF-268, LE-038
    let origin = RawOrigin::start(|_| {
        vec![Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=10\r\n\r\ngood",
        )]
    })
    .await;
    // With a function at origin-request the name is resolved before the function would run.
    for trigger in ["viewer-request", "origin-request"] {
        let edge = Edge::new()
            .function("log", &logging())
            .behavior(&format!("on: {{ {trigger}: log }}"))
            .start_at(&origin.url())
            .await;
        edge.get("/").await;
        let renamed = edge.site_file().replace("127.0.0.1", "origin.invalid");
        edge.reload(&renamed).unwrap();
        edge.advance(20);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "good", "Hit"),
            "{trigger}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_when_a_stale_answer_is_the_last_of_its_connection() {
    // CF-269, CF-828, RFC 9112 section 9.6
    let origin = RawOrigin::start(|n| match n {
        1 => vec![Turn::send(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nContent-Length: 4\r\n\r\npage",
        )],
        _ => vec![Turn::Close],
    })
    .await;
    let edge = Edge::new().start_at(&origin.url()).await;
    edge.get("/").await;
    edge.advance(2);
    // Read to the end: the node closes the connection, and has said so.
    let request = b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
    let received = fourfront_conformance::raw_exchange(edge.address(), request, b"").await;
    let received = String::from_utf8(received)
        .expect("text")
        .to_ascii_lowercase();
    assert!(
        received.contains(" 200 ") && received.ends_with("page"),
        "{received}"
    );
    assert!(received.contains("\r\nconnection: close\r\n"), "{received}");
}
