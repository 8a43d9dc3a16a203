//! The default root object (CF-040, LE-011).

use fourfront_conformance::{Edge, Origin, handler};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_root_itself_becomes_the_object() {
    // CF-040, CF-010.11
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .distribution("default_root_object: pages/home.html")
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start(&origin)
        .await;
    for (target, sent) in [
        ("/", "/pages/home.html"),
        ("/?a=1", "/pages/home.html?a=1"),
        ("/sub/", "/sub/"),
        ("//", "//"),
        ("/index.html", "/index.html"),
    ] {
        assert_eq!(edge.get(target).await.text(), sent, "{target}");
    }
    let head = edge.request("HEAD", "/?head").send().await;
    assert_eq!(head.status, 200);
    assert_eq!(origin.last().target, "/pages/home.html?head");
}

#[tokio::test(flavor = "multi_thread")]
async fn root_and_object_are_one_entry() {
    // CF-040, CF-657
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .distribution("default_root_object: index.html")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(edge.get("/index.html").await.x_cache(), "Hit");
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn viewer_functions_see_the_root_and_origin_functions_the_object() {
    // LE-011, LE-A34, LE-094, LE-095
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .distribution("default_root_object: index.html")
        .function("log", &handler("console.log(config.eventType + ' ' + request.uri); return response || request;"))
        .behavior("on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "/index.html");
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(
        lines,
        [
            "viewer-request /",
            "origin-request /index.html",
            "origin-response /index.html",
            "viewer-response /"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_is_the_path_the_viewer_request_function_left() {
    // LE-011, LE-145, LE-003
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .distribution("default_root_object: index.html")
        .function(
            "swap",
            &handler("request.uri = request.uri === '/' ? '/moved' : '/'; return request;"),
        )
        .behavior("on: { viewer-request: swap }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "/moved");
    assert_eq!(edge.get("/anything").await.text(), "/index.html");
}
