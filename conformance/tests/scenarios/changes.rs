//! What changes a stored object besides a fetch of it: methods that are not safe, and the answers to HEAD (CF section
//! 10.3).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running};

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
