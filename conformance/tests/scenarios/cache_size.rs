//! How much the cache holds, and what the metrics say about it.

use fourfront_conformance::{Edge, Origin, Reply, Running};

/// An origin whose paths are sizes in KiB.
async fn sized() -> Origin {
    Origin::start(|request| {
        let kib: usize = request.target[1..].parse().unwrap_or(1);
        Reply::ok("x".repeat(kib * 1024)).header("Cache-Control", "max-age=60")
    })
    .await
}

/// The value of a gauge without labels.
fn gauge(edge: &Running, name: &str) -> u64 {
    let metrics = edge.metrics();
    let line = metrics
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|v| v.parse().ok())
        .unwrap_or_else(|| panic!("no gauge {name} in\n{metrics}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_stored_is_counted() {
    // CF-720
    let origin = sized().await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(gauge(&edge, "fourfront_cached_objects"), 0);
    for (n, path) in ["/1", "/2", "/3"].into_iter().enumerate() {
        edge.get(path).await;
        // The answer is out before its record is written, and stored before that.
        edge.recorded(n + 1).await;
        assert_eq!(
            gauge(&edge, "fourfront_cached_objects"),
            n as u64 + 1,
            "{path}"
        );
    }
    // Bodies, heads and keys.
    let bytes = gauge(&edge, "fourfront_cached_bytes");
    assert!((6 * 1024..14 * 1024).contains(&bytes), "{bytes}");
}
