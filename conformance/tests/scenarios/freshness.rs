//! How long answers are kept and what happens afterwards (CF section 3, RFC 9111 section 4).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, RawOrigin, Reply, Running, Turn, handler, logging};
use tokio::sync::{Mutex, mpsc};

/// Where the node's clock begins.
const NOW: &str = "Tue, 03 Mar 2026 09:00:00 GMT";

fn ttl(min: u64, default: u64, max: u64) -> String {
    format!("cache_policy: {{ min_ttl: {min}, default_ttl: {default}, max_ttl: {max} }}")
}

/// An origin that answers every request with this status and these fields.
async fn answering(status: u16, fields: &[(&'static str, &'static str)]) -> Origin {
    let fields = fields.to_vec();
    Origin::start(move |_| {
        fields
            .iter()
            .fold(Reply::status(status).body("x"), |reply, (name, value)| {
                reply.header(name, value)
            })
    })
    .await
}

/// Fetches an object and checks that it is used without asking the origin for exactly so long.
async fn assert_lifetime(edge: &Running, origin: &Origin, seconds: u64, what: &str) {
    edge.get("/").await;
    let asked = origin.count();
    if seconds > 0 {
        edge.advance(seconds - 1);
        edge.get("/").await;
        assert_eq!(
            origin.count(),
            asked,
            "{what}: not fresh a second before {seconds}"
        );
        edge.advance(1);
    }
    edge.get("/").await;
    assert_eq!(
        origin.count(),
        asked + 1,
        "{what}: still fresh after {seconds}"
    );
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
async fn lifetimes_the_origin_gives_in_mode_rfc9111() {
    // CF-235, CF-236, CF-237, CF-241, CF-243, CF-822
    type Row<'a> = (&'a [(&'static str, &'static str)], u64);
    let rows: &[Row<'_>] = &[
        (&[("Cache-Control", "max-age=10")], 10),
        (&[("Cache-Control", "MAX-AGE=\"10\"")], 10),
        (&[("Cache-Control", "max-age=10, s-maxage=20")], 20),
        (
            &[("Date", NOW), ("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")],
            30,
        ),
        (&[("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")], 30),
        (
            &[
                ("Date", NOW),
                ("Expires", "Tue, 03 Mar 2026 09:00:30 GMT"),
                ("Cache-Control", "max-age=10"),
            ],
            10,
        ),
        (&[("Expires", "0")], 0),
        (&[("Cache-Control", "max-age=1000")], 100),
        (&[], 50),
    ];
    for (fields, seconds) in rows {
        let origin = answering(200, fields).await;
        // The minimum has no say here; the maximum caps and the default stands in (CF-822).
        let edge = Edge::new().behavior(&ttl(40, 50, 100)).start(&origin).await;
        assert_lifetime(&edge, &origin, *seconds, &format!("{fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_rfc9111_never_stores_what_the_origin_forbids() {
    // CF-820, CF-822, CF-823
    let rows: &[(u16, &[(&'static str, &'static str)])] = &[
        (200, &[("Cache-Control", "no-store")]),
        (200, &[("Cache-Control", "private, max-age=60")]),
        (200, &[("Cache-Control", "no-cache, max-age=60")]),
        (302, &[("Location", "/elsewhere")]),
        (307, &[("Location", "/elsewhere")]),
        (
            206,
            &[
                ("Cache-Control", "max-age=60"),
                ("Content-Range", "bytes 0-0/2"),
            ],
        ),
    ];
    for (status, fields) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new().behavior(&ttl(30, 60, 90)).start(&origin).await;
        assert_lifetime(&edge, &origin, 0, &format!("{status} {fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_time_since_last_modified_stands_in_for_a_lifetime() {
    // CF-823, RFC 9111 section 4.2.2
    let modified = [
        ("Date", NOW),
        ("Last-Modified", "Tue, 03 Mar 2026 08:43:20 GMT"),
    ];
    let origin = answering(200, &modified).await;
    let edge = Edge::new()
        .behavior(&ttl(0, 86_400, 86_400))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 100, "heuristic").await;
    // CF-249: not in mode cloudfront.
    let origin = answering(200, &modified).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 500, 86_400))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 500, "default").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worked_examples_of_the_ttl_table() {
    // CF-235, CF-236, CF-237, CF-238, CF-239, CF-240, CF-252
    type Row = (u64, u64, u64, &'static [(&'static str, &'static str)], u64);
    const YEAR: u64 = 31_536_000;
    let rows: &[Row] = &[
        (0, 86_400, YEAR, &[("Cache-Control", "max-age=60")], 60),
        (
            0,
            86_400,
            YEAR,
            &[("Cache-Control", "max-age=60, s-maxage=5")],
            5,
        ),
        (0, 86_400, YEAR, &[], 86_400),
        (
            0,
            86_400,
            YEAR,
            &[("Cache-Control", "private, max-age=60")],
            0,
        ),
        (0, 86_400, YEAR, &[("Cache-Control", "max-age=0")], 0),
        (
            0,
            86_400,
            YEAR,
            &[
                ("CDN-Cache-Control", "max-age=5"),
                ("Cache-Control", "max-age=60"),
            ],
            60,
        ),
        (60, 300, 600, &[], 300),
        (60, 300, 600, &[("Cache-Control", "public")], 300),
        (60, 300, 600, &[("Cache-Control", "max-age=5")], 60),
        (60, 300, 600, &[("Cache-Control", "max-age=1000")], 600),
        (60, 300, 600, &[("Cache-Control", "no-store")], 60),
        (60, 300, 600, &[("Cache-Control", "no-cache")], 60),
        (60, 300, 600, &[("Cache-Control", "private")], 60),
        (
            60,
            300,
            600,
            &[("Expires", "Thu, 01 Jan 2026 00:00:00 GMT")],
            60,
        ),
        (600, 600, 600, &[], 600),
    ];
    for (min, default, max, fields, seconds) in rows {
        let origin = answering(200, fields).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(*min, *default, *max))
            .start(&origin)
            .await;
        assert_lifetime(
            &edge,
            &origin,
            *seconds,
            &format!("{min}/{default}/{max} {fields:?}"),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_without_a_lifetime_are_kept_in_mode_cloudfront() {
    // CF-217, CF-218
    for status in [301, 302, 303, 307] {
        let origin = answering(status, &[("Location", "/elsewhere")]).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(0, 60, 90))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some("/elsewhere"))
        );
        assert_eq!(edge.get("/").await.x_cache(), "Hit", "{status}");
        assert_eq!(origin.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origins_own_fields_reach_the_viewer_unclamped() {
    // CF-250
    let origin = answering(200, &[("Cache-Control", "max-age=5"), ("Expires", "0")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(60, 60, 60))
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), token);
        assert_eq!(
            (answer.header("cache-control"), answer.header("expires")),
            (Some("max-age=5"), Some("0"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn age_is_counted_from_the_origins_age() {
    // CF-244, CF-318, CF-830, RFC 9111 section 4.2.3
    for mode in ["rfc9111", "cloudfront"] {
        let origin = answering(200, &[("Cache-Control", "max-age=10"), ("Age", "4")]).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&ttl(0, 60, 600))
            .start(&origin)
            .await;
        assert_eq!(edge.get("/").await.header("age"), Some("4"), "{mode}");
        edge.advance(5);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.x_cache(), answer.header("age")),
            ("Hit", Some("9")),
            "{mode}"
        );
        edge.advance(1);
        edge.get("/").await;
        assert_eq!(origin.count(), 2, "{mode}");
    }
    // The policy's own TTLs count from receipt.
    let origin = answering(200, &[("Age", "100")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 60, 600))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 60, "default after Age").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_without_age_has_none_and_hits_count_seconds() {
    // CF-318
    let origin = answering(200, &[("Cache-Control", "max-age=60")]).await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(edge.get("/").await.header("age"), None);
    assert_eq!(edge.get("/").await.header("age"), Some("0"));
    edge.advance(7);
    let answer = edge.get("/").await;
    assert_eq!(answer.all("age"), ["7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_as_the_table_of_mode_cloudfront_says() {
    // CF-290, CF-291, CF-292, CF-293, CF-294, CF-295, CF-298, CF-261
    type Row = (u16, &'static [(&'static str, &'static str)], u64);
    let rows: &[Row] = &[
        (404, &[], 10),
        (410, &[], 10),
        (404, &[("Cache-Control", "max-age=5")], 10),
        (404, &[("Cache-Control", "max-age=30")], 30),
        (404, &[("Cache-Control", "max-age=3000")], 600),
        (404, &[("Cache-Control", "no-store")], 0),
        (501, &[("Cache-Control", "private")], 0),
        (500, &[("Cache-Control", "no-store, max-age=60")], 10),
        (503, &[], 10),
        (503, &[("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")], 30),
        (403, &[], 0),
        (403, &[("Cache-Control", "no-store, max-age=30")], 30),
        (415, &[("Cache-Control", "max-age=30")], 30),
        (416, &[("Cache-Control", "max-age=30")], 0),
        (429, &[("Cache-Control", "max-age=30")], 0),
    ];
    for (status, fields, seconds) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(60, 300, 600))
            .start(&origin)
            .await;
        let what = format!("{status} {fields:?}");
        assert_lifetime(&edge, &origin, *seconds, &what).await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (*status, "Error"),
            "{what}"
        );
    }
    let origin = answering(404, &[("Cache-Control", "max-age=30")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior("cache_policy: Managed-CachingDisabled")
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 0, "caching disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_by_their_headers_in_mode_rfc9111() {
    // CF-831
    type Row = (u16, &'static [(&'static str, &'static str)], u64);
    let rows: &[Row] = &[
        (404, &[], 10),
        (405, &[], 10),
        (403, &[], 0),
        (500, &[], 0),
        (503, &[("Cache-Control", "max-age=30")], 30),
        (404, &[("Cache-Control", "no-store")], 0),
    ];
    for (status, fields, seconds) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new().behavior(&ttl(0, 300, 600)).start(&origin).await;
        assert_lifetime(&edge, &origin, *seconds, &format!("{status} {fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_cannot_be_reached_is_left_alone_for_ten_seconds() {
    // CF-296, CF-772
    let origin = RawOrigin::start(|_| vec![Turn::Close]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .start_at(&origin.url())
        .await;
    assert_eq!(edge.get("/").await.status, 502);
    let asked = origin.count();
    edge.advance(9);
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    assert_eq!(origin.count(), asked);
    edge.advance(1);
    edge.get("/").await;
    assert!(origin.count() > asked);
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
    // CF-268, CF-269, CF-276, CF-827, CF-828, RFC 9111 section 4.2.4
    let rows = [
        ("rfc9111", "max-age=10", 200),
        ("cloudfront", "max-age=10", 200),
        ("rfc9111", "max-age=10, stale-if-error=0", 504),
        ("cloudfront", "max-age=10, stale-if-error=0", 502),
        ("rfc9111", "max-age=10, must-revalidate", 504),
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
async fn cookies_pass_only_where_cookies_are_forwarded() {
    // CF-305, CF-306, CF-308, CF-826
    let cookies = || {
        Origin::start(|_| {
            Reply::ok("x")
                .header("Cache-Control", "max-age=60")
                .header("Set-Cookie", "a=1; Path=/")
                .header("Set-Cookie", "b=2")
        })
    };
    let none: [&str; 0] = [];
    let both = ["a=1; Path=/", "b=2"];
    for (mode, policy, on_miss, on_hit) in [
        ("rfc9111", "none", &none[..], &none[..]),
        ("cloudfront", "none", &none[..], &none[..]),
        ("rfc9111", "all", &both[..], &none[..]),
        ("cloudfront", "all", &both[..], &both[..]),
    ] {
        let origin = cookies().await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&format!(
                "cache_policy: {{ min_ttl: 0, cookies: {policy} }}"
            ))
            .start(&origin)
            .await;
        let miss = edge.get("/").await;
        assert_eq!(
            (miss.x_cache(), &miss.all("set-cookie")[..]),
            ("Miss", on_miss),
            "{mode} {policy}"
        );
        let hit = edge.get("/").await;
        assert_eq!(
            (hit.x_cache(), &hit.all("set-cookie")[..]),
            ("Hit", on_hit),
            "{mode} {policy}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_named_by_no_cache_go_to_the_first_viewer_alone() {
    // CF-246, CF-307, CF-836
    for mode in ["rfc9111", "cloudfront"] {
        let origin = Origin::start(|_| {
            Reply::ok("x")
                .header(
                    "Cache-Control",
                    "max-age=60, no-cache=\"X-Once, Set-Cookie\"",
                )
                .header("X-Once", "1")
                .header("X-Always", "1")
                .header("Set-Cookie", "a=1")
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("cache_policy: { min_ttl: 0, cookies: all }")
            .start(&origin)
            .await;
        let names = ["x-once", "set-cookie", "x-always"];
        let miss = edge.get("/").await;
        assert_eq!(
            names.map(|n| miss.header(n)),
            [Some("1"), Some("a=1"), Some("1")],
            "{mode}"
        );
        let hit = edge.get("/").await;
        assert_eq!(hit.x_cache(), "Hit", "{mode}");
        assert_eq!(
            names.map(|n| hit.header(n)),
            [None, None, Some("1")],
            "{mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_from_a_stored_get() {
    // CF-161, CF-529
    let origin = Origin::start(|_| {
        Reply::ok("12345")
            .header("Cache-Control", "max-age=60")
            .header("X-A", "1")
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let head = edge.request("HEAD", "/").send().await;
    assert_eq!(
        (head.status, head.x_cache(), head.body.len()),
        (200, "Hit", 0)
    );
    assert_eq!(
        (head.header("content-length"), head.header("x-a")),
        (Some("5"), Some("1"))
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_on_a_miss_goes_out_as_head_and_never_answers_get() {
    // CF-328, CF-529, AMB-04
    let origin = Origin::start(|_| Reply::ok("12345").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new().start(&origin).await;
    let head = edge.request("HEAD", "/").send().await;
    assert_eq!(
        (
            head.x_cache(),
            head.header("content-length"),
            head.body.len()
        ),
        ("Miss", Some("5"), 0)
    );
    assert_eq!(origin.last().method, "HEAD");
    let get = edge.get("/").await;
    assert_eq!((get.x_cache(), get.text()), ("Miss", "12345"));
    assert_eq!(origin.last().method, "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_with_the_node_unless_a_policy_sends_them() {
    // CF-309
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new()
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start(&origin)
        .await;
    let ask = |method: &'static str, path| {
        edge.request(method, path)
            .header("Authorization", "Basic YTpi")
            .send()
    };
    assert_eq!(ask("GET", "/").await.x_cache(), "Miss");
    assert_eq!(origin.last().header("authorization"), None);
    assert_eq!(ask("GET", "/").await.x_cache(), "Hit");
    ask("POST", "/").await;
    assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
    ask("OPTIONS", "/").await;
    assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_credentials_are_shared_only_as_the_mode_allows() {
    // CF-226, CF-310, CF-825, RFC 9111 section 3.5
    let keyed = "cache_policy: { min_ttl: 0, headers: [Authorization] }";
    let forwarded = "origin_request_policy: { headers: [Authorization] }";
    let rows = [
        ("rfc9111", keyed, "max-age=60", ["Miss", "Hit", "Miss"]),
        ("rfc9111", forwarded, "max-age=60", ["Miss", "Miss", "Miss"]),
        (
            "rfc9111",
            forwarded,
            "max-age=60, public",
            ["Miss", "Hit", "Hit"],
        ),
        ("rfc9111", forwarded, "s-maxage=60", ["Miss", "Hit", "Hit"]),
        (
            "rfc9111",
            forwarded,
            "max-age=60, must-revalidate",
            ["Miss", "Hit", "Hit"],
        ),
        (
            "cloudfront",
            forwarded,
            "max-age=60",
            ["Miss", "Hit", "Hit"],
        ),
    ];
    for (mode, policy, cache_control, expected) in rows {
        let origin =
            Origin::start(move |_| Reply::ok("x").header("Cache-Control", cache_control)).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(policy)
            .start(&origin)
            .await;
        let mut tokens = Vec::new();
        for user in ["Basic YTpi", "Basic YTpi", "Basic Yzpk"] {
            let answer = edge
                .request("GET", "/")
                .header("Authorization", user)
                .send()
                .await;
            tokens.push(answer.x_cache().to_owned());
        }
        assert_eq!(tokens, expected, "{mode} {policy} {cache_control}");
        assert_eq!(origin.seen()[0].header("authorization"), Some("Basic YTpi"));
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
async fn request_directives_force_nothing() {
    // CF-248, CF-829
    let origin = answering(
        200,
        &[("Cache-Control", "max-age=60"), ("Pragma", "no-cache")],
    )
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let answer = edge
        .request("GET", "/")
        .header("Cache-Control", "no-cache, no-store, max-age=0")
        .header("Pragma", "no-cache")
        .send()
        .await;
    assert_eq!((answer.x_cache(), origin.count()), ("Hit", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_computed_from_what_the_origin_response_function_left() {
    // LE-180, LE-181
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    let edge = Edge::new()
        .function(
            "keep",
            &handler(
                "response.headers['cache-control'] = [{ key: 'Cache-Control', value: 'max-age=30' }]; return response;",
            ),
        )
        .behavior("on: { origin-response: keep }")
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 30, "set by the function").await;
}
