//! Objects on disk: what memory has no room for, and what outlives the process.

use std::{path::Path, sync::Mutex};

use bytes::Bytes;
use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A node whose memory holds one object of a megabyte, and whose disk holds many.
async fn node(origin: &Origin, dir: &Path, more: impl FnOnce(Edge) -> Edge) -> Running {
    let edge = Edge::new()
        .node("cache_memory: 2MiB")
        .node("max_object_size: 16MiB")
        .node("cache_disk: 128MiB")
        .node(&format!("data_dir: {}", dir.display()))
        // Keys and invalidations go by the distribution.
        .distribution("id: EDISTRIBUTION");
    more(edge).start(origin).await
}

/// An origin whose paths are sizes in KiB; each body begins with how often it was asked.
async fn sized() -> Origin {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Origin::start(move |request| {
        let path = request.target.split('?').next().unwrap_or("/1");
        let kib: usize = path[1..].parse().unwrap_or(1);
        let asked = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let pattern = (0..=252_u8).cycle().flat_map(|byte| [byte; 11]);
        let mut body: Vec<u8> = pattern.take(kib * 1024).collect();
        let mark = format!("{asked:08}");
        body[..8].copy_from_slice(mark.as_bytes());
        Reply::ok(body)
            .header("Cache-Control", "max-age=600")
            .header("ETag", &format!("\"{mark}\""))
            .header("X-CaSe", "Kept")
            .header("Cache-Tag", "all, sized")
    })
    .await
}

async fn settle(edge: &Running) {
    // What was stored is written behind the answers.
    let wait = async {
        while gauge(edge, "fourfront_disk_events_total{event=\"stored\"}") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait)
        .await
        .expect("a write within a minute");
}

fn gauge(edge: &Running, name: &str) -> u64 {
    let metrics = edge.metrics();
    let line = metrics
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|v| v.parse().ok())
        .unwrap_or_else(|| panic!("no metric {name} in\n{metrics}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_outlive_the_process_with_head_body_and_age() {
    // CF-282, CF-318, CF-661, LE-197
    let (origin, dir) = (sized().await, TempDir::new().unwrap());
    let first = node(&origin, dir.path(), |e| e).await;
    let small = first.get("/3").await;
    let large = first.get("/3000").await;
    first.advance(100);
    drop(first);

    let second = node(&origin, dir.path(), |e| e).await;
    second.advance(150);
    for (path, before) in [("/3", &small), ("/3000", &large), ("/3", &small)] {
        let now = second.get(path).await;
        assert_eq!((now.status, now.x_cache()), (200, "Hit"), "{path}");
        assert!(now.body == before.body, "{path}");
        assert_eq!(now.header("age"), Some("150"), "{path}");
        assert_eq!(now.header("etag"), before.header("etag"), "{path}");
        assert_eq!(now.header("x-case"), Some("Kept"), "{path}");
        assert_eq!(
            now.header("content-length"),
            before.header("content-length")
        );
    }
    assert_eq!(origin.count(), 2);

    // Conditions and ranges are answered from disk as from memory (CF-284, CF-532).
    let etag = large.header("etag").unwrap();
    let unchanged = second
        .request("GET", "/3000")
        .header("If-None-Match", etag)
        .send()
        .await;
    assert_eq!(unchanged.status, 304);
    let part = second
        .request("GET", "/3000")
        .header("Range", "bytes=2097150-2097160")
        .send()
        .await;
    assert_eq!(part.status, 206);
    assert!(part.body[..] == large.body[2_097_150..=2_097_160]);
    let parts = second
        .request("GET", "/3000")
        .header("Range", "bytes=2097150-2097160,3000000-3000009")
        .send()
        .await;
    // CF-538
    for range in [2_097_150..2_097_161, 3_000_000..3_000_010] {
        let part = &large.body[range];
        assert!(parts.body.windows(part.len()).any(|bytes| bytes == part));
    }
    let head = second.request("HEAD", "/3000").send().await;
    assert_eq!(head.header("content-length"), Some("3072000"));
    assert_eq!(origin.count(), 2);

    // Past its lifetime it is asked about, with the validators it came with (CF-258).
    second.advance(600);
    second.get("/3").await;
    assert_eq!(origin.last().header("if-none-match"), small.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_lets_go_and_the_disk_answers() {
    // CF-221, CF-401
    let dir = TempDir::new().unwrap();
    let large: Vec<u8> = (0..=250_u8).cycle().take(8000 * 1024).collect();
    let (pieces, coming) = mpsc::unbounded_channel();
    let coming = Mutex::new(Some(coming));
    let length = large.len().to_string();
    let origin = Origin::start(move |request| {
        let reply = match request.target.as_str() {
            "/8000" => match coming.lock().unwrap().take() {
                Some(coming) => Reply::stream(coming).header("Content-Length", &length),
                None => Reply::status(500),
            },
            path => Reply::ok(vec![b'x'; path[1..].parse::<usize>().unwrap_or(1) * 1024]),
        };
        reply.header("Cache-Control", "max-age=600")
    })
    .await;
    let edge = node(&origin, dir.path(), |e| e).await;
    let sizes = ["/900", "/901", "/902", "/903", "/1500", "/8000"];
    let mut bodies = Vec::new();
    for path in &sizes[..5] {
        bodies.push(edge.get(path).await.body);
    }
    // A viewer may not fall further behind than memory is large (CF-617), so this body waits for its viewer.
    let mut opened = edge.request("GET", "/8000").open().await.unwrap();
    let mut sent = 0;
    for piece in large.chunks(512 * 1024) {
        sent += piece.len();
        pieces.send(Bytes::copy_from_slice(piece)).unwrap();
        opened.received(sent).await;
    }
    drop(pieces);
    bodies.push(opened.whole().await.body);
    assert!(bodies[5] == large);
    settle(&edge).await;
    // Twice over: memory has room for two of them.
    for _ in 0..2 {
        for (path, body) in sizes.iter().zip(&bodies) {
            let answer = edge.get(path).await;
            assert_eq!(answer.x_cache(), "Hit", "{path}");
            assert!(answer.body == *body, "{path}");
        }
    }
    assert_eq!(origin.count(), sizes.len());
    assert!(gauge(&edge, "fourfront_disk_events_total{event=\"hit\"}") >= 4);
    assert_eq!(gauge(&edge, "fourfront_disk_objects"), sizes.len() as u64);
    assert_eq!(gauge(&edge, "fourfront_disk_on"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_invalidated_does_not_come_back_with_the_process() {
    // CF-660, CF-661, CF-802
    let (origin, dir) = (sized().await, TempDir::new().unwrap());
    let tags = |e: Edge| e.distribution("cache_tag_config: { header_name: Cache-Tag }");
    let first = node(&origin, dir.path(), tags).await;
    for path in ["/1", "/2", "/2000"] {
        first.get(path).await;
    }
    let (status, told) = first.purge(r#"{"paths":["/1"]}"#);
    assert_eq!(status, 201, "{told}");
    drop(first);

    let second = node(&origin, dir.path(), tags).await;
    assert_eq!(second.get("/1").await.x_cache(), "Miss");
    assert_eq!(second.get("/2").await.x_cache(), "Hit");
    let (status, told) = second.purge(r#"{"tags":["sized"]}"#);
    assert_eq!(status, 201, "{told}");
    drop(second);

    let third = node(&origin, dir.path(), tags).await;
    for path in ["/1", "/2", "/2000"] {
        assert_eq!(third.get(path).await.x_cache(), "Miss", "{path}");
        assert_eq!(third.get(path).await.x_cache(), "Hit", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_does_not_come_back_with_the_process() {
    // CF-807, CF-661, RFC 9111 section 4.4
    let (origin, dir) = (sized().await, TempDir::new().unwrap());
    let all = |e: Edge| {
        e.behavior(ALL_METHODS)
            .behavior("cache_policy: { headers: [X-Key] }")
    };
    let get = async |edge: &Running, path: &str, key: &str| {
        let request = edge.request("GET", path).header("X-Key", key);
        request.send().await.x_cache().to_owned()
    };
    let first = node(&origin, dir.path(), all).await;
    // More than memory has room for: the large ones are on disk alone.
    for path in ["/2", "/2000", "/2001"] {
        for key in ["1", "2"] {
            assert_eq!(get(&first, path, key).await, "Miss");
        }
    }
    drop(first);
    let second = node(&origin, dir.path(), all).await;
    for path in ["/2", "/2000"] {
        assert_eq!(get(&second, path, "1").await, "Hit", "{path}");
        let changed = second.request("POST", path).body("x").send().await;
        assert_eq!(changed.status, 200);
    }
    assert_eq!(get(&second, "/2000", "1").await, "Miss");
    drop(second);
    let third = node(&origin, dir.path(), all).await;
    for path in ["/2", "/2000"] {
        assert_eq!(get(&third, path, "2").await, "Miss", "{path}");
        assert_eq!(get(&third, path, "2").await, "Hit", "{path}");
    }
    assert_eq!(get(&third, "/2000", "1").await, "Hit");
    assert_eq!(get(&third, "/2001", "1").await, "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_is_left_alone_for_what_is_only_on_disk_too() {
    // CF-272
    let fail = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(
        move |_| match failing.load(std::sync::atomic::Ordering::SeqCst) {
            false => Reply::ok(vec![7; 3_000_000]).header("Cache-Control", "max-age=60"),
            true => Reply::status(503),
        },
    )
    .await;
    let dir = TempDir::new().unwrap();
    let cloudfront = |e: Edge| e.distribution("cache_mode: cloudfront");
    let edge = node(&origin, dir.path(), cloudfront).await;
    edge.get("/").await;
    settle(&edge).await;
    fail.store(true, std::sync::atomic::Ordering::SeqCst);
    edge.advance(61);
    let answer = edge.get("/").await;
    assert_eq!((answer.x_cache(), answer.body.len()), ("Hit", 3_000_000));
    assert_eq!(origin.count(), 2);
    // It is noted behind that answer.
    let noted = async {
        loop {
            let url = serde_json::json!({ "url": "http://viewer.test/" });
            let told = edge.explain(url).await.1;
            assert_eq!(told["stored"][0]["tier"], "disk", "{told}");
            if told["stored"][0]["stale"]["held_off_until"].is_string() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), noted)
        .await
        .expect("a note within a minute");
    edge.advance(9);
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 2);
    edge.advance(2);
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_away_costs_hits_and_no_request() {
    // CF-401
    let (origin, dir) = (sized().await, TempDir::new().unwrap());
    let edge = node(&origin, dir.path(), |e| e).await;
    edge.get("/2000").await;
    settle(&edge).await;
    std::fs::remove_dir_all(dir.path().join("cache")).unwrap();
    let off = async {
        // Counted, as it may have come back by the time one looks.
        while gauge(&edge, "fourfront_disk_events_total{event=\"went_off\"}") == 0 {
            edge.get("/2").await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), off)
        .await
        .expect("the tier notices within a minute");
    let answer = edge.get("/2000").await;
    assert_eq!((answer.status, answer.body.len()), (200, 2_048_000));
    assert_eq!(edge.get("/2").await.x_cache(), "Hit");
}
