//! AWS's limits as settings (CF-812).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, handler};

#[tokio::test(flavor = "multi_thread")]
async fn an_origins_head_may_be_as_large_as_is_set() {
    // CF-363, CF-812
    let origin = Origin::start(|seen| {
        let bytes = seen.target[1..].parse().unwrap_or(0);
        Reply::ok("x").header("X-Large", &"x".repeat(bytes))
    })
    .await;
    for (limit, path, status) in [
        ("", "/30000", 200),
        ("", "/33000", 502),
        ("limits: { max_origin_header_bytes: 64KiB }", "/60000", 200),
        ("limits: { max_origin_header_bytes: 2KiB }", "/3000", 502),
    ] {
        let edge = match limit {
            "" => Edge::new(),
            limit => Edge::new().node(limit),
        };
        let edge = edge.start(&origin).await;
        assert_eq!(edge.get(path).await.status, status, "{limit} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_see_and_make_bodies_as_long_as_is_set() {
    // CF-812, LE-123, LE-162, LE-256
    let origin = Origin::saying("x").await;
    let code = handler(
        "const shown = Buffer.from(request.body?.data ?? '', 'base64').length; \
         return { status: '200', body: shown + ':' + 'y'.repeat(Number(request.querystring)) };",
    );
    for (limits, event, sent, made, expected) in [
        ("", "viewer-request", 50_000, 10, Some(40_960)),
        ("", "viewer-request", 10, 41_000, None),
        (
            "max_viewer_function_body: 64KiB",
            "viewer-request",
            50_000,
            10,
            Some(50_000),
        ),
        (
            "max_viewer_function_body: 64KiB",
            "viewer-request",
            10,
            41_000,
            Some(10),
        ),
        (
            "max_viewer_function_body: 1KiB",
            "viewer-request",
            2_000,
            10,
            Some(1_024),
        ),
        (
            "max_origin_function_body: 1KiB",
            "origin-request",
            2_000,
            10,
            Some(1_024),
        ),
        (
            "max_origin_function_body: 1KiB",
            "origin-request",
            10,
            1_100,
            None,
        ),
        ("", "origin-request", 10, 500_000, Some(10)),
    ] {
        let edge = match limits {
            "" => Edge::new(),
            limits => Edge::new().node(&format!("limits: {{ {limits} }}")),
        };
        let edge = edge
            .function("sizes", &code)
            .behavior(ALL_METHODS)
            .behavior(&format!(
                "on: {{ {event}: {{ function: sizes, include_body: true }} }}"
            ))
            .behavior("origin_request_policy: { query_strings: all }")
            .start(&origin)
            .await;
        let answer = edge
            .request("POST", &format!("/?{made}"))
            .body(vec![b'x'; sent])
            .send()
            .await;
        let case = format!("{limits} {event} {sent} {made}");
        match expected {
            Some(shown) => {
                assert_eq!(answer.status, 200, "{case}: {}", answer.text());
                let text = answer.text();
                assert!(
                    text.starts_with(&format!("{shown}:")),
                    "{case}: {}",
                    &text[..20]
                );
            }
            None => assert_eq!(answer.x_cache(), "LambdaValidationError", "{case}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_invalidations_have_the_limits_that_are_set() {
    // CF-671, CF-812, CP-140
    let tags: Vec<String> = (0..60).map(|n| format!("t{n}")).collect();
    let long = "x".repeat(300);
    let field = format!("{long}, {}", tags.join(", "));
    let origin = Origin::start(move |_| {
        Reply::ok("x")
            .header("Cache-Control", "max-age=60")
            .header("Cache-Tag", &field)
    })
    .await;
    let node = |limits: &str| {
        let edge = Edge::new().distribution("cache_tag_config: { header_name: Cache-Tag }");
        match limits {
            "" => edge,
            limits => edge.node(&format!("limits: {{ {limits} }}")),
        }
    };
    let outcome = |status: u16| status == 201;
    // By default the first tag is too long to be one, and fifty follow: t0 to t49.
    let edge = node("").start(&origin).await;
    edge.get("/a").await;
    assert!(!outcome(
        edge.purge(&format!("{{\"tags\":[\"{long}\"]}}")).0
    ));
    edge.invalidate(&["#t55"], false);
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    edge.invalidate(&["#t49"], false);
    assert_eq!(edge.get("/a").await.x_cache(), "Miss");

    let edge = node("max_cache_tags: 255, max_cache_tag_length: 300")
        .start(&origin)
        .await;
    for tag in [&*long, "t59"] {
        edge.get("/a").await;
        assert_eq!(edge.get("/a").await.x_cache(), "Hit");
        let (status, answer) = edge.purge(&format!("{{\"tags\":[\"{tag}\"]}}"));
        assert_eq!(status, 201, "{answer}");
        assert_eq!(edge.get("/a").await.x_cache(), "Miss", "{tag}");
    }

    let edge = node("max_invalidation_items: 2, max_invalidation_wildcards: 1")
        .start(&origin)
        .await;
    for (paths, accepted) in [
        ("\"/a\",\"/b\"", true),
        ("\"/a\",\"/b\",\"/c\"", false),
        ("\"/a*\",\"/b\"", true),
        ("\"/a*\",\"/b*\"", false),
    ] {
        let (status, answer) = edge.purge(&format!("{{\"paths\":[{paths}]}}"));
        assert_eq!(outcome(status), accepted, "{paths}: {answer}");
    }
}
