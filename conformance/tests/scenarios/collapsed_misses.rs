//! Collapsing: simultaneous misses on one key become one fetch (LE-010, LE-043, CF-400..402).

use std::sync::Arc;

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, Reply};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Mutex, mpsc},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_for_one_cold_megabyte_make_one_fetch() {
    // CF-400, CF-401, LE-010
    let body: Bytes = (0..1_048_576u32)
        .map(|i| (i % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    let sent = body.clone();
    let origin =
        Origin::start(move |_| Reply::ok(sent.clone()).header("Cache-Control", "max-age=60")).await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let mut viewers = Vec::new();
    for _ in 0..1_000 {
        let edge = edge.clone();
        viewers.push(tokio::spawn(async move { edge.get("/big").await }));
    }
    let mut misses = 0;
    for viewer in viewers {
        let answer = viewer.await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer.body == body,
            "a body differs: {} bytes",
            answer.body.len()
        );
        misses += usize::from(answer.x_cache() == "Miss");
    }
    assert_eq!((origin.count(), misses), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_run_the_viewer_triggers_and_stream_while_the_leader_fills() {
    // LE-010, LE-043, LE-568, CF-401
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(
        move |_| match stream.try_lock().ok().and_then(|mut s| s.take()) {
            Some(stream) => Reply::stream(stream).header("Cache-Control", "max-age=60"),
            None => Reply::status(500),
        },
    )
    .await;
    let log = "exports.handler = async (e) => { const c = e.Records[0].cf; console.log(c.config.eventType); return c.response || c.request; };";
    let edge = Arc::new(
        Edge::new()
            .function("log", log)
            .behavior("on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }")
            .start(&origin)
            .await,
    );
    // Each reads until it has the first piece, and stays.
    let get = |edge: Arc<fourfront_conformance::Running>| {
        tokio::spawn(async move {
            let mut opened = edge.request("GET", "/live").open().await.unwrap();
            opened.received(4).await;
            opened
        })
    };
    let leader = get(edge.clone());
    origin.received(1).await;
    let followers: Vec<_> = (0..49).map(|_| get(edge.clone())).collect();
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let leader = leader.await.unwrap();
    let mut streaming = Vec::new();
    for follower in followers {
        let opened = follower.await.unwrap();
        assert_eq!(opened.so_far().text(), "one ");
        streaming.push(opened);
    }
    // Everybody has bytes in hand, and only now does the origin give the rest away.
    pieces.send(Bytes::from_static(b"two")).unwrap();
    drop(pieces);
    assert_eq!(leader.whole().await.text(), "one two");
    for opened in streaming {
        let answer = opened.whole().await;
        assert_eq!((answer.text(), answer.x_cache()), ("one two", "Hit"));
    }
    assert_eq!(origin.count(), 1);
    let logs = edge.logs();
    let count = |name: &str| logs.iter().filter(|l| l.message == name).count();
    assert_eq!(
        [
            count("viewer-request"),
            count("origin-request"),
            count("origin-response"),
            count("viewer-response")
        ],
        [50, 1, 1, 50]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_reads_nothing_holds_up_nobody() {
    // CF-401, CF-405
    let body: Bytes = (0..20_971_520u32)
        .map(|i| (i % 251) as u8)
        .collect::<Vec<_>>()
        .into();
    let sent = body.clone();
    let origin =
        Origin::start(move |_| Reply::ok(sent.clone()).header("Cache-Control", "max-age=60")).await;
    // One worker: what the leader blocks, it blocks for everyone.
    let edge = Edge::new().threads(1, 1).start(&origin).await;
    let mut leader = TcpStream::connect(edge.address()).await.unwrap();
    let request = b"GET /big HTTP/1.1\r\nHost: viewer.test\r\nConnection: close\r\n\r\n";
    leader.write_all(request).await.unwrap();
    origin.received(1).await;
    let follower = edge.get("/big").await;
    assert!(follower.body == body, "{} bytes", follower.body.len());
    assert_eq!(follower.x_cache(), "Hit");
    assert_eq!(edge.get("/big").await.x_cache(), "Hit");
    // The leader gets all of it as well, once it reads.
    let mut received = Vec::new();
    leader.read_to_end(&mut received).await.unwrap();
    assert!(
        received.starts_with(b"HTTP/1.1 200") && received.ends_with(&body),
        "{} bytes",
        received.len()
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn uncacheable_answers_are_not_shared() {
    // CF-402
    let origin = Origin::start(|_| Reply::ok("mine").header("Cache-Control", "no-store")).await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let viewers: Vec<_> = (0..20)
        .map(|_| {
            let edge = edge.clone();
            tokio::spawn(async move { edge.get("/").await })
        })
        .collect();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().x_cache(), "Miss");
    }
    assert_eq!(origin.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn caching_disabled_neither_stores_nor_collapses() {
    // CF-114, CF-216, CF-403
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new()
        .behavior("cache_policy: Managed-CachingDisabled")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(origin.count(), 2);
}
