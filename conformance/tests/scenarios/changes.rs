//! What changes a stored object besides a fetch of it: methods that are not safe, and the answers to HEAD (CF section
//! 10.3).

use std::sync::Arc;

use fourfront::purge::PurgeCall;
use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running};
use tokio::sync::watch;

/// A node that passes every method on, in one of the modes.
fn node(mode: &str) -> Edge {
    Edge::new()
        .distribution(&format!("cache_mode: {mode}"))
        .behavior(ALL_METHODS)
        .behavior("cache_policy: { query_strings: all }")
}

/// An origin whose pages stay fresh for long, and whose answers to everything but GET have this status and this field.
async fn changing(status: u16, field: (&'static str, &'static str)) -> Origin {
    Origin::start(move |request| match request.method.as_str() {
        "GET" => Reply::ok("page").header("Cache-Control", "max-age=600"),
        _ => Reply::status(status).header(field.0, field.1),
    })
    .await
}

async fn token(edge: &Running, path: &str) -> String {
    edge.get(path).await.x_cache().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successful_change_takes_the_page_away_in_mode_rfc9111() {
    // CF-807, CF-834, RFC 9111 section 4.4
    let rows = [
        ("rfc9111", "POST", 200, "Miss"),
        ("rfc9111", "PUT", 204, "Miss"),
        ("rfc9111", "PATCH", 303, "Miss"),
        ("rfc9111", "DELETE", 204, "Miss"),
        ("rfc9111", "POST", 500, "Hit"),
        ("rfc9111", "POST", 404, "Hit"),
        ("rfc9111", "OPTIONS", 200, "Hit"),
        ("cloudfront", "POST", 200, "Hit"),
    ];
    for (mode, method, status, want) in rows {
        let origin = changing(status, ("X-A", "1")).await;
        let edge = node(mode).start(&origin).await;
        assert_eq!(token(&edge, "/a?b").await, "Miss");
        assert_eq!(token(&edge, "/a").await, "Miss");
        let changed = edge.request(method, "/a?b").body("x").send().await;
        assert_eq!(changed.status, status);
        let got = token(&edge, "/a?b").await;
        assert_eq!(got, want, "{mode} {method} {status}");
        // Another URL is another object.
        assert_eq!(token(&edge, "/a").await, "Hit", "{mode} {method} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_away_the_pages_it_speaks_of() {
    // CF-807, CF-834, RFC 9111 section 4.4
    let rows = [
        ("Location", "/made", "Miss"),
        ("Content-Location", "../made", "Miss"),
        ("Location", "http://site.test/made", "Miss"),
        // Another host's page is not this origin's to take away.
        ("Location", "http://other.test/made", "Hit"),
        ("Link", "</made>", "Hit"),
    ];
    for (name, value, want) in rows {
        let origin = changing(201, (name, value)).await;
        let edge = node("rfc9111").start(&origin).await;
        let get = async || {
            let request = edge.request("GET", "/made").header("Host", "site.test");
            request.send().await.x_cache().to_owned()
        };
        assert_eq!(get().await, "Miss");
        let change = edge
            .request("POST", "/list/new")
            .header("Host", "site.test");
        assert_eq!(change.body("x").send().await.status, 201);
        assert_eq!(get().await, want, "{name}: {value}");
    }
}

/// An origin whose pages differ by language, and stay fresh for long.
async fn in_languages() -> Origin {
    Origin::start(|request| {
        let language = request.header("accept-language").unwrap_or("none");
        Reply::ok(language.to_owned())
            .header("Cache-Control", "max-age=600")
            .header("Vary", "Accept-Language")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_away_every_variant_under_every_key() {
    // CF-807, CF-834, CF-654, RFC 9111 section 4.4
    for mode in ["rfc9111", "cloudfront"] {
        let origin = in_languages().await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(ALL_METHODS)
            .behavior("cache_policy: { headers: [X-Key] }")
            .behavior("origin_request_policy: { headers: [Accept-Language] }")
            .start(&origin)
            .await;
        let viewers = [("1", "pt"), ("1", "de"), ("2", "pt"), ("2", "de")];
        let tokens = async |path: &str| {
            let mut tokens = Vec::new();
            for (key, language) in viewers {
                let request = edge.request("GET", path).header("X-Key", key);
                let answer = request.header("Accept-Language", language).send().await;
                tokens.push(answer.x_cache().to_owned());
            }
            tokens
        };
        for path in ["/a", "/b"] {
            tokens(path).await;
            assert_eq!(tokens(path).await, ["Hit"; 4], "{mode}");
        }
        // Whose key and variant are none of those.
        let changed = edge.request("POST", "/a").body("x").send().await;
        assert_eq!(changed.status, 200);
        match mode {
            "rfc9111" => assert_eq!(tokens("/a").await, ["Miss"; 4]),
            _ => assert_eq!(tokens("/a").await, ["Hit"; 4]),
        }
        assert_eq!(tokens("/a").await, ["Hit"; 4], "{mode}");
        assert_eq!(tokens("/b").await, ["Hit"; 4], "{mode}");
        // It is not the operator's: nobody finds it in the list, and the reason says what it was.
        let (status, told) = edge.purge_call(PurgeCall::List(String::new()));
        assert_eq!(
            (status, told["invalidations"].as_array().map(Vec::len)),
            (200, Some(0))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_after_a_change_says_what_became_of_the_page() {
    // CF-807, CP-606, CP-607
    let origin = changing(204, ("X-A", "1")).await;
    let edge = node("rfc9111").start(&origin).await;
    edge.get("/a").await;
    edge.request("DELETE", "/a").send().await;
    let (_, told) = edge
        .explain(serde_json::json!({ "url": "http://viewer.test/a" }))
        .await;
    let by = &told["stored"][0]["invalidation"];
    assert_eq!(
        (&by["by"], &by["effect"]),
        (&"change".into(), &"gone".into()),
        "{told}"
    );
    assert_eq!(told["verdict"]["reason"], "invalidated(change)", "{told}");
    let answer = edge.get("/a").await;
    let status = answer.header("cache-status").unwrap();
    assert!(
        status.contains("detail=\"invalidated(change)\""),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_being_fetched_while_it_changes_answers_nobody_later() {
    // CF-807, CF-660
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |request| match request.method.as_str() {
        "GET" => Reply::ok("page")
            .header("Cache-Control", "max-age=600")
            .after(&gate),
        _ => Reply::status(200),
    })
    .await;
    let edge = Arc::new(node("rfc9111").start(&origin).await);
    let getting = edge.clone();
    let first = tokio::spawn(async move { getting.get("/a").await });
    origin.received(1).await;
    edge.request("PUT", "/a").body("x").send().await;
    open.send(true).unwrap();
    assert_eq!(first.await.unwrap().text(), "page");
    assert_eq!(token(&edge, "/a").await, "Miss");
    assert_eq!(token(&edge, "/a").await, "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_under_the_url_that_viewers_know() {
    // CF-807, CF-658, CF-040
    let origin = changing(200, ("X-A", "1")).await;
    let moved = "function handler(event) { var r = event.request; r.uri = r.uri.replace('/old', '/new'); return r; }";
    let edge = node("rfc9111")
        .cloudfront_function("move", moved, "")
        .behavior("on: { viewer-request: move }")
        .distribution("default_root_object: index.html")
        .start(&origin)
        .await;
    for (stored, changed) in [
        ("/old", "/new"),
        ("/new", "/old"),
        ("/old", "/old"),
        ("/", "/index.html"),
        ("/index.html", "/"),
    ] {
        token(&edge, stored).await;
        assert_eq!(token(&edge, stored).await, "Hit", "{stored}");
        edge.request("POST", changed).body("x").send().await;
        assert_eq!(token(&edge, stored).await, "Miss", "{stored} {changed}");
    }
}

/// An origin whose pages go stale at once, and whose answers to HEAD have these fields.
async fn heading(
    get: &'static [(&'static str, &'static str)],
    head: &'static [(&'static str, &'static str)],
) -> Origin {
    Origin::start(move |request| {
        let (fields, validates) = match request.method.as_str() {
            "HEAD" => (head, request.header("if-none-match").is_some()),
            _ => (get, false),
        };
        let reply = if validates {
            Reply::status(304)
        } else {
            Reply::ok("page")
        };
        fields
            .iter()
            .fold(reply, |r, (name, value)| r.header(name, value))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_freshens_the_stored_page_in_mode_rfc9111() {
    // CF-833, RFC 9111 sections 4.3.4, 4.3.5
    const SOON: &[(&str, &str)] = &[("Cache-Control", "max-age=1"), ("X-A", "1"), ("X-B", "1")];
    const TAGGED: &[(&str, &str)] = &[("Cache-Control", "max-age=1"), ("ETag", "\"1\"")];
    const LONG: &[(&str, &str)] = &[("Cache-Control", "max-age=600"), ("X-A", "2")];
    for (mode, get, want) in [
        ("rfc9111", SOON, "Hit"),
        ("rfc9111", TAGGED, "Hit"),
        ("cloudfront", SOON, "Miss"),
    ] {
        let origin = heading(get, LONG).await;
        let edge = node(mode).start(&origin).await;
        assert_eq!(token(&edge, "/").await, "Miss");
        edge.advance(2);
        let head = edge.request("HEAD", "/").send().await;
        assert_eq!((head.status, head.text()), (200, ""), "{mode} {get:?}");
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.x_cache(), answer.text()),
            (want, "page"),
            "{mode} {get:?}"
        );
        if want == "Hit" {
            assert_eq!(answer.header("x-a"), Some("2"), "{get:?}");
            // What the answer did not have stays.
            let kept = get.iter().find(|(name, _)| *name == "X-B").map(|(_, v)| *v);
            assert_eq!(answer.header("x-b"), kept, "{get:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_head_that_speaks_of_another_page_takes_the_stored_one_away() {
    // CF-833, RFC 9111 section 4.3.5
    const SOON: &[(&str, &str)] = &[
        ("Cache-Control", "max-age=1, stale-while-revalidate=600"),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    const OTHER: &[(&str, &str)] = &[("Last-Modified", "Mon, 07 Nov 1994 08:49:37 GMT")];
    const FORBIDDEN: &[(&str, &str)] = &[("Cache-Control", "no-store")];
    for head in [OTHER, FORBIDDEN] {
        // Without stale-while-revalidate the stale page would be asked about in any case.
        let origin = heading(SOON, head).await;
        let edge = node("rfc9111").start(&origin).await;
        assert_eq!(token(&edge, "/").await, "Miss");
        edge.advance(2);
        // The HEAD is served the stale head at once, and the refresh behind it tells of the change.
        edge.request("HEAD", "/").send().await;
        origin.received(2).await;
        let mut last = String::new();
        for _ in 0..5_000 {
            last = token(&edge, "/").await;
            if last == "Miss" {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(last, "Miss", "{head:?}");
    }
}
