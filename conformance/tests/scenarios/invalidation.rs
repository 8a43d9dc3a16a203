//! Invalidation of what is stored: by path, beginning, tag and all, hard and soft (CF section 7).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use fourfront_conformance::{Edge, Origin, Reply, Running};

/// An origin whose answers count up, so that a body tells which fetch it is of.
async fn counting() -> Origin {
    let count = AtomicUsize::new(0);
    Origin::start(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Reply::ok(n.to_string()).header("Cache-Control", "max-age=600")
    })
    .await
}

async fn x_cache(edge: &Running, path: &str) -> String {
    edge.get(path).await.x_cache().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_a_beginning_and_everything() {
    // CF-650, CF-652, CF-653, CF-656, CF-660, CF-661, CF-662, CP-607
    let objects = ["/a", "/a/", "/a?x=1", "/A", "/a/b", "/b"];
    let rows: &[(&[&str], &[&str])] = &[
        (&["/a"], &["/a"]),
        (&["/a?x=1"], &["/a?x=1"]),
        (&["/a/*"], &["/a/", "/a/b"]),
        (&["/a*"], &["/a", "/a/", "/a?x=1", "/a/b"]),
        (&["/A", "/b"], &["/A", "/b"]),
        (&["/%61"], &["/a"]),
        (&["/*"], &objects),
        (&["/c", "/a*b"], &[]),
    ];
    let origin = counting().await;
    let edge = Edge::new()
        .behavior("cache_policy: { query_strings: all }")
        .start(&origin)
        .await;
    for (named, taken) in rows {
        for object in objects {
            edge.get(object).await;
            assert_eq!(x_cache(&edge, object).await, "Hit", "{object}");
        }
        let id = edge.invalidate(named, false);
        for object in objects {
            let answer = edge.get(object).await;
            let gone = taken.contains(&object);
            assert_eq!(answer.x_cache() == "Miss", gone, "{named:?} {object}");
            let status = answer.header("cache-status").unwrap();
            let told = status.contains("fwd=uri-miss; fwd-status=200")
                && status.contains(&format!("detail=\"invalidated({id})\""));
            assert_eq!(told, gone, "{status}");
            assert_eq!(x_cache(&edge, object).await, "Hit", "{object}");
        }
    }
    let record = edge.record_of(&edge.get("/z").await).await;
    assert_eq!(record.to_json()["ff-cache-reason"], "absent");
    edge.invalidate(&["/z"], false);
    let record = edge.record_of(&edge.get("/z").await).await;
    assert_eq!(record.to_json()["ff-cache-reason"], "invalidated");
    let metrics = edge.metrics();
    // Each row, and the one above.
    assert!(metrics.contains("kind=\"hard\"} 9"), "{metrics}");
    assert!(metrics.contains("fourfront_cache_total{verdict=\"invalidated\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_query_in_the_key_the_path_is_enough() {
    // CF-653, CF-659
    let origin = counting().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/a?x=1").await;
    assert_eq!(x_cache(&edge, "/a?x=2").await, "Hit");
    edge.invalidate(&["/a"], false);
    assert_eq!(x_cache(&edge, "/a?x=2").await, "Miss");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_variants_go() {
    // CF-654, CF-673
    let origin = Origin::start(|request| {
        Reply::ok(request.header("accept-language").unwrap_or("-").to_owned())
            .header("Cache-Control", "max-age=600")
            .header("Cache-Tag", "page")
            .header("Vary", "Accept-Language")
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_tag_config: { header_name: Cache-Tag }")
        .behavior("cache_policy: { headers: [X-Device] }")
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .behavior("allowed_methods: get-head-options")
        .behavior("cached_methods: get-head-options")
        .start(&origin)
        .await;
    let get = async |method: &str, device: &str, language: &str| {
        let request = edge.request(method, "/").header("X-Device", device);
        let answer = request.header("Accept-Language", language).send().await;
        answer.x_cache().to_owned()
    };
    for named in ["/", "/*", "#page"] {
        for expected in ["Hit", "Miss"] {
            if expected == "Miss" {
                edge.invalidate(&[named], false);
            }
            for method in ["GET", "OPTIONS"] {
                for device in ["phone", "desk"] {
                    for language in ["de", "pt"] {
                        if expected == "Hit" {
                            get(method, device, language).await;
                        }
                        let got = get(method, device, language).await;
                        assert_eq!(got, expected, "{named} {method} {device} {language}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_errors_go_too() {
    // CF-303, CF-654
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let origin = Origin::start(move |_| match is_up.load(Ordering::SeqCst) {
        true => Reply::ok("found"),
        false => Reply::status(404),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/a").await.status, 404);
    up.store(true, Ordering::SeqCst);
    assert_eq!(edge.get("/a").await.status, 404);
    edge.invalidate(&["/a"], false);
    assert_eq!(edge.get("/a").await.status, 200);
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_the_origin_and_of_functions() {
    // CF-670, CF-671, CF-672, CF-675, CF-676
    let origin = Origin::start(|request| {
        let tag = request.target.trim_start_matches('/').to_owned();
        let reply = Reply::ok("x").header("Cache-Control", "max-age=600");
        reply.header("Surrogate-Key", &format!("all {tag}"))
    })
    .await;
    let tagger = "const list = (name, value) => [{ key: name, value }];
  if (request.uri === '/hooked') response.headers['surrogate-key'] = list('Surrogate-Key', 'from-hook');
  return response;";
    for hide in [false, true] {
        let edge = Edge::new()
            .distribution(&format!(
                "cache_tag_config: {{ header_name: Surrogate-Key, separator: space, hide: {hide} }}"
            ))
            .hook("origin-response", tagger)
            .start(&origin)
            .await;
        let fill = async || {
            for path in ["/red", "/blue", "/hooked"] {
                edge.get(path).await;
                let answer = edge.get(path).await;
                assert_eq!(answer.x_cache(), "Hit", "{path}");
                assert_eq!(answer.header("surrogate-key").is_none(), hide);
            }
        };
        for (tag, gone) in [
            ("#RED", [true, false, false]),
            ("#from-hook", [false, false, true]),
            ("#hooked", [false, false, false]),
            ("#all", [true, true, false]),
            ("#al", [false, false, false]),
        ] {
            fill().await;
            edge.invalidate(&[tag], false);
            for (path, gone) in ["/red", "/blue", "/hooked"].into_iter().zip(gone) {
                assert_eq!(x_cache(&edge, path).await == "Miss", gone, "{tag} {path}");
            }
        }
    }
}

/// An origin with a validator, which says how often it was asked with it.
async fn validating(extra: &'static str) -> (Origin, Arc<AtomicUsize>, Arc<AtomicBool>) {
    let confirmed = Arc::new(AtomicUsize::new(0));
    let down = Arc::new(AtomicBool::new(false));
    let (count, is_down) = (confirmed.clone(), down.clone());
    let origin = Origin::start(move |request| {
        if is_down.load(Ordering::SeqCst) {
            return Reply::status(503);
        }
        let reply = match request.header("if-none-match") {
            Some(_) => {
                count.fetch_add(1, Ordering::SeqCst);
                Reply::status(304)
            }
            None => Reply::ok("body"),
        };
        reply
            .header("ETag", "\"v\"")
            .header("Cache-Control", &format!("max-age=600{extra}"))
    })
    .await;
    (origin, confirmed, down)
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_is_validated_and_hard_is_not() {
    // CF-258, CF-660, CF-802
    let (origin, confirmed, _) = validating("").await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/a").await;
    edge.advance(10);
    assert_eq!(x_cache(&edge, "/a").await, "Hit");
    edge.invalidate(&["/a"], true);
    let answer = edge.get("/a").await;
    assert_eq!((answer.x_cache(), answer.text()), ("RefreshHit", "body"));
    assert_eq!((origin.count(), confirmed.load(Ordering::SeqCst)), (2, 1));
    // What was confirmed after the invalidation is fresh.
    let answer = edge.get("/a").await;
    assert_eq!((answer.x_cache(), answer.header("age")), ("Hit", Some("0")));
    edge.invalidate(&["/a"], false);
    assert_eq!(x_cache(&edge, "/a").await, "Miss");
    assert_eq!((origin.count(), confirmed.load(Ordering::SeqCst)), (3, 1));
    // Soft, then hard, before anybody asks.
    edge.invalidate(&["/*"], true);
    edge.invalidate(&["/a"], false);
    assert_eq!(x_cache(&edge, "/a").await, "Miss");
    assert_eq!((origin.count(), confirmed.load(Ordering::SeqCst)), (4, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_is_served_by_the_rules_for_stale_objects_and_hard_never() {
    // CF-265, CF-266, CF-269, CF-660
    let (origin, _, down) = validating(", stale-if-error=30").await;
    let edge = Edge::new().start(&origin).await;
    for path in ["/a", "/b"] {
        edge.get(path).await;
    }
    down.store(true, Ordering::SeqCst);
    edge.invalidate(&["/a"], true);
    edge.invalidate(&["/b"], false);
    edge.advance(29);
    let answer = edge.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "body"));
    assert_eq!(edge.get("/b").await.status, 503);
    // The window began with the invalidation.
    edge.advance(31);
    assert_eq!(edge.get("/a").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_with_a_window_is_refreshed_in_the_background() {
    // CF-257
    let (origin, confirmed, _) = validating(", stale-while-revalidate=30").await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/a").await;
    edge.invalidate(&["/a"], true);
    let answer = edge.get("/a").await;
    assert_eq!((answer.x_cache(), answer.text()), ("Hit", "body"));
    assert!(
        answer
            .header("cache-status")
            .unwrap()
            .contains("detail=stale-revalidate")
    );
    origin.received(2).await;
    assert_eq!(confirmed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_made_of_a_path_and_the_root_object() {
    // CF-657, CF-658
    let origin = counting().await;
    let edge = Edge::new()
        .distribution("default_root_object: index.html")
        .hook(
            "viewer-request",
            "if (request.uri.startsWith('/old')) request.uri = request.uri.replace('/old', '/new'); return request;",
        )
        .start(&origin)
        .await;
    for (asked, named) in [
        ("/old/a", "/old/a"),
        ("/old/b", "/new/b"),
        ("/old/c", "/old*"),
        ("/old/d", "/new/*"),
        ("/", "/"),
        ("/", "/index.html"),
        ("/index.html", "/"),
    ] {
        edge.get(asked).await;
        assert_eq!(x_cache(&edge, asked).await, "Hit", "{asked}");
        edge.invalidate(&[named], false);
        assert_eq!(x_cache(&edge, asked).await, "Miss", "{asked} {named}");
    }
}
