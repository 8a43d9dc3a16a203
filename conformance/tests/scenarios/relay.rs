//! What is passed on as the origin says it, and what is told of that (CF sections 3.1, 3.2, 3.6 and 6.10).

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use fourfront_conformance::{Edge, Origin, RawOrigin, Reply, Running, Turn};
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_no_rule_names_pass_and_are_stored() {
    // CF-616, CF-228, CF-250: whatever they are called, however often they come.
    const FIELDS: &[(&str, &str)] = &[
        ("Content-Type", "text/plain; charset=\"utf-8\""),
        ("Content-Language", "de, en"),
        ("Content-Disposition", "attachment; filename=\"a b.txt\""),
        ("Content-Encoding", "x-own"),
        ("Link", "</a>; rel=preload"),
        ("Link", "</b>; rel=preload"),
        ("X-Powered-By", "app/1"),
        ("X-Amz-Meta-Owner", "me"),
        ("Access-Control-Allow-Origin", "*"),
        ("Pragma", "no-cache"),
        ("X-Empty", ""),
        ("Cache-Control", "max-age=60"),
    ];
    for mode in ["rfc9111", "cloudfront"] {
        let origin = Origin::start(|_| {
            FIELDS.iter().fold(Reply::ok("x"), |reply, (name, value)| {
                reply.header(name, value)
            })
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .start(&origin)
            .await;
        for token in ["Miss", "Hit"] {
            let answer = edge.get("/").await;
            assert_eq!(answer.x_cache(), token, "{mode}");
            for (name, _) in FIELDS {
                let sent = FIELDS.iter().filter(|(n, _)| n == name);
                let sent: Vec<_> = sent.map(|(_, value)| *value).collect();
                assert_eq!(answer.all(name), sent, "{mode} {token} {name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_comes_from_the_origin_alone() {
    // CF-762
    let origin = Origin::start(|request| match request.target.as_str() {
        "/there" => Reply::ok("there"),
        other => Reply::status(404).body(format!("no {other} here")),
    })
    .await;
    let edge = Edge::new()
        .path("/api/*", "allowed_methods: [GET, HEAD]")
        .start(&origin)
        .await;
    for (n, path) in ["/nothing", "/api/nothing", "//", "/there/../nothing"]
        .into_iter()
        .enumerate()
    {
        let answer = edge.get(path).await;
        let said = format!("no {path} here");
        assert_eq!((answer.status, answer.text()), (404, &*said));
        assert_eq!(origin.count(), n + 1);
        let record = edge.record_of(&answer).await.to_json();
        assert_eq!(record["x-edge-result-type"], "Error");
    }
    assert_eq!(edge.get("/there").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_passed_on_and_never_followed() {
    // CF-218
    let origin = Origin::start(|request| match request.target.as_str() {
        "/old" => Reply::status(301).header("Location", "/new"),
        "/see" => Reply::status(303).header("Location", "/new"),
        _ => Reply::ok("new").header("Cache-Control", "max-age=60"),
    })
    .await;
    for mode in ["rfc9111", "cloudfront"] {
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .start(&origin)
            .await;
        for (path, status) in [("/old", 301), ("/see", 303)] {
            let answer = edge.get(path).await;
            assert_eq!(
                (answer.status, answer.header("location"), answer.body.len()),
                (status, Some("/new"), 0),
                "{mode}"
            );
        }
    }
    assert!(origin.seen().iter().all(|seen| seen.target != "/new"));
}

/// An origin that answers with the status that is set: 200 has a lifetime of ten seconds, errors have none.
async fn switched() -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let says = status.clone();
    let origin = Origin::start(move |_| match says.load(Ordering::SeqCst) {
        200 => Reply::ok("good")
            .header("Cache-Control", "max-age=10, stale-if-error=10000")
            .header("ETag", "\"1\""),
        status => Reply::status(status).body("bad"),
    })
    .await;
    (origin, status)
}

async fn said(edge: &Running) -> (u16, String) {
    let answer = edge.get("/").await;
    (answer.status, answer.text().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_says_4xx_of_a_stale_object_ends_it() {
    // CF-288, CF-268: the failure that follows is not answered with what the origin has withdrawn.
    for mode in ["cloudfront", "rfc9111"] {
        for withdrawn in [400, 401, 403, 404, 410, 451] {
            let (origin, status) = switched().await;
            let edge = Edge::new()
                .distribution(&format!("cache_mode: {mode}"))
                .behavior("cache_policy: { min_ttl: 0 }")
                .start(&origin)
                .await;
            assert_eq!(said(&edge).await, (200, "good".into()));
            edge.advance(11);
            status.store(withdrawn, Ordering::SeqCst);
            let what = format!("{mode} {withdrawn}");
            assert_eq!(said(&edge).await, (withdrawn, "bad".into()), "{what}");
            // Longer than errors are kept.
            edge.advance(60);
            status.store(503, Ordering::SeqCst);
            assert_eq!(said(&edge).await, (503, "bad".into()), "{what}");
            status.store(200, Ordering::SeqCst);
            edge.advance(60);
            assert_eq!(said(&edge).await, (200, "good".into()), "{what}");
        }
        // Without a word from the origin it stands in.
        let (origin, status) = switched().await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("cache_policy: { min_ttl: 0 }")
            .start(&origin)
            .await;
        said(&edge).await;
        edge.advance(71);
        status.store(503, Ordering::SeqCst);
        assert_eq!(said(&edge).await, (200, "good".into()), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_100_is_no_answer() {
    // CF-373
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let rows = [
        (format!("{CONTINUE}{LAST}"), 200),
        (
            format!("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{LAST}"),
            200,
        ),
        (format!("{CONTINUE}{CONTINUE}{LAST}"), 502),
    ];
    for (sent, status) in rows {
        let bytes = sent.clone();
        let origin = RawOrigin::start(move |_| vec![Turn::send(&bytes), Turn::Close]).await;
        let edge = Edge::new().start_at(&origin.url()).await;
        let answer = edge.get("/").await;
        assert_eq!(answer.status, status, "{sent}");
        if status == 502 {
            let record = edge.record_of(&answer).await.to_json();
            assert_eq!(
                record["x-edge-detailed-result-type"],
                "OriginInvalidResponseError"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_one_fetch_get_its_cookies_too() {
    // CF-306, CF-262, CF-400
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| {
        Reply::ok("x")
            .header("Cache-Control", "max-age=60")
            .header("Set-Cookie", "a=1")
            .header("Set-Cookie", "b=2")
            .after(&gate)
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior("cache_policy: { min_ttl: 0, cookies: [lang] }")
        .start(&origin)
        .await;
    let edge = Arc::new(edge);
    let viewers: Vec<_> = (0..5)
        .map(|_| {
            let edge = edge.clone();
            tokio::spawn(async move { edge.get("/").await })
        })
        .collect();
    while edge.node().in_flight().count() < 5 {
        tokio::task::yield_now().await;
    }
    origin.received(1).await;
    open.send(true).unwrap();
    let mut tokens = Vec::new();
    for viewer in viewers {
        let answer = viewer.await.unwrap();
        assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
        tokens.push(answer.x_cache().to_owned());
    }
    tokens.sort_unstable();
    assert_eq!(tokens, ["Hit", "Hit", "Hit", "Hit", "Miss"]);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_evicted_stands_in_for_nothing() {
    // CF-278
    const OBJECTS: usize = 20;
    let status = Arc::new(AtomicU16::new(200));
    let says = status.clone();
    let origin = Origin::start(move |_| match says.load(Ordering::SeqCst) {
        200 => Reply::ok("x".repeat(300 * 1024)).header("Cache-Control", "max-age=10"),
        status => Reply::status(status),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .node("cache_memory: 2MiB")
        .node("max_object_size: 1MiB")
        .start(&origin)
        .await;
    for n in 0..OBJECTS {
        assert_eq!(edge.get(&format!("/{n}")).await.status, 200);
    }
    edge.recorded(OBJECTS).await;
    edge.advance(11);
    status.store(503, Ordering::SeqCst);
    let mut stood_in = 0;
    for n in 0..OBJECTS {
        let answer = edge.get(&format!("/{n}")).await;
        match answer.status {
            200 => stood_in += 1,
            status => assert_eq!(status, 503, "{n}"),
        }
    }
    // Two mebibytes hold six of them.
    assert!((1..=6).contains(&stood_in), "{stood_in}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_against_advice_is_counted() {
    // CF-805, CF-315, CF-310
    let origin = Origin::start(|request| {
        let reply = Reply::ok("x").header("Cache-Control", "max-age=60");
        match request.target.as_str() {
            "/private" => Reply::ok("x").header("Cache-Control", "private"),
            "/no-store" => Reply::ok("x").header("Cache-Control", "no-store"),
            "/set-cookie" => reply.header("Set-Cookie", "id=1"),
            "/vary" => reply.header("Vary", "X-Device, Accept-Language"),
            "/keyed" => reply.header("Vary", "X-Device"),
            _ => reply,
        }
    })
    .await;
    let paths = [
        "/private",
        "/no-store",
        "/set-cookie",
        "/authorization",
        "/vary",
    ];
    for mode in ["cloudfront", "rfc9111"] {
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .distribution("id: EDISTRIBUTION")
            .behavior("cache_policy: { min_ttl: 1, cookies: [id], headers: [X-Device] }")
            .behavior("origin_request_policy: { headers: [Authorization] }")
            .start(&origin)
            .await;
        for path in paths.into_iter().chain(["/keyed", "/plain"]) {
            let request = edge.request("GET", path);
            let request = match path {
                "/authorization" => request.header("Authorization", "Basic YTpi"),
                _ => request,
            };
            let first = request.clone().send().await;
            assert_eq!(first.x_cache(), "Miss", "{mode} {path}");
            if mode == "cloudfront" {
                // All of them are shared, which is why they are counted; a hit is not counted again.
                assert_eq!(request.send().await.x_cache(), "Hit", "{path}");
            }
        }
        let metrics = edge.metrics();
        let counted: Vec<_> = metrics
            .lines()
            .filter(|l| l.starts_with("fourfront_stored_despite_total{"))
            .collect();
        if mode == "rfc9111" {
            assert_eq!(counted, [""; 0]);
            continue;
        }
        assert_eq!(counted.len(), paths.len(), "{counted:?}");
        for path in paths {
            let line = format!(
                "fourfront_stored_despite_total{{despite=\"{}\",distribution=\"EDISTRIBUTION\"}} 1",
                &path[1..]
            );
            assert!(counted.contains(&&*line), "{line}: {counted:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_cannot_purge() {
    // CF-802, CF-528
    let origin = Origin::saying("page").await;
    let edge = Edge::new()
        .behavior(fourfront_conformance::ALL_METHODS)
        .start(&origin)
        .await;
    assert_eq!(edge.get("/a").await.x_cache(), "Miss");
    for method in ["PURGE", "BAN", "PURGEALL"] {
        assert_eq!(edge.request(method, "/a").send().await.status, 403);
    }
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 1);
    // The admin API can, and need not wait for anything.
    for _ in 0..20 {
        edge.invalidate(&["/a", "/*"], false);
        assert_eq!(edge.get("/a").await.x_cache(), "Miss");
        assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    }
}
