//! Collapsing: simultaneous misses on one key become one fetch (LE-010, LE-043, CF-400..407).

use std::sync::Arc;

use bytes::Bytes;
use fourfront_conformance::{Answer, Edge, Origin, RawOrigin, Reply, Running, Turn};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
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
    // LE-010, LE-043, LE-568, CF-401, CF-262, CF-010.12
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
    let get = |edge: Arc<Running>| {
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

/// Viewers that ask for the same at once.
fn crowd(edge: &Arc<Running>, size: usize, method: &'static str) -> Vec<JoinHandle<Answer>> {
    let ask = |_| {
        let edge = edge.clone();
        tokio::spawn(async move { edge.request(method, "/").send().await })
    };
    (0..size).map(ask).collect()
}

/// Waits until so many requests are on their way through the node.
async fn in_flight(edge: &Running, n: usize) {
    let wait = async {
        while edge.node().in_flight().count() < n {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait)
        .await
        .expect("the requests arrive within a minute");
}

/// An origin that answers with these fields, and each request from the second on only when the gate opens. Conditions are
/// answered by 304.
async fn gated(
    fields: &'static [(&'static str, &'static str)],
    gate: watch::Receiver<bool>,
) -> Origin {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Origin::start(move |request| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::status(304),
            None => Reply::ok("body"),
        };
        let reply = fields
            .iter()
            .fold(reply, |reply, (name, value)| reply.header(name, value));
        if first { reply } else { reply.after(&gate) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_answer_that_is_not_shared_nobody_waits_for_another() {
    // CF-402, CF-407: the origin answers none of them before all have come.
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let rows: &[Row] = &[
        ("rfc9111", &[("Cache-Control", "no-store")], "Miss"),
        (
            "rfc9111",
            &[("Cache-Control", "private, max-age=60")],
            "Miss",
        ),
        (
            "rfc9111",
            &[("Cache-Control", "max-age=60"), ("Vary", "*")],
            "Miss",
        ),
        (
            "rfc9111",
            &[("Cache-Control", "no-cache"), ("ETag", "\"1\"")],
            "RefreshHit",
        ),
        (
            "rfc9111",
            &[("Cache-Control", "max-age=0"), ("ETag", "\"1\"")],
            "RefreshHit",
        ),
        ("cloudfront", &[("Cache-Control", "no-store")], "Miss"),
        (
            "cloudfront",
            &[("Cache-Control", "s-maxage=0"), ("ETag", "\"1\"")],
            "RefreshHit",
        ),
        (
            "cloudfront",
            &[("Cache-Control", "max-age=60"), ("Vary", "*")],
            "Miss",
        ),
    ];
    for (mode, fields, token) in rows {
        let (open, gate) = watch::channel(false);
        let origin = gated(fields, gate).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("cache_policy: { min_ttl: 0 }")
            .start(&origin)
            .await;
        let edge = Arc::new(edge);
        assert_eq!(edge.get("/").await.x_cache(), "Miss", "{mode} {fields:?}");
        let viewers = crowd(&edge, 100, "GET");
        origin.received(101).await;
        open.send(true).unwrap();
        for viewer in viewers {
            let answer = viewer.await.unwrap();
            assert_eq!(
                (answer.x_cache(), answer.text()),
                (*token, "body"),
                "{mode} {fields:?}"
            );
        }
        assert_eq!(origin.count(), 101, "{mode} {fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_at_an_unknown_url_waits_for_one_answer_and_no_more() {
    // CF-402: all but the first lose the time of one answer.
    let (open, gate) = watch::channel(false);
    let held = gate.clone();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let (rest, gate_of_rest) = watch::channel(false);
    let origin = Origin::start(move |_| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let reply = Reply::ok("mine").header("Cache-Control", "no-store");
        reply.after(if first { &held } else { &gate_of_rest })
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let viewers = crowd(&edge, 100, "GET");
    in_flight(&edge, 100).await;
    origin.received(1).await;
    assert_eq!(origin.count(), 1);
    open.send(true).unwrap();
    // None of the others is answered before all of them have asked.
    origin.received(100).await;
    rest.send(true).unwrap();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().x_cache(), "Miss");
    }
    assert_eq!(origin.count(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_shared_again_is_fetched_once_again() {
    // CF-400, CF-402, CF-407
    let fields = Arc::new(std::sync::Mutex::new("no-store"));
    let (open, gate) = watch::channel(true);
    let said = fields.clone();
    let origin = Origin::start(move |_| {
        let control = *said.lock().unwrap();
        Reply::ok("body")
            .header("Cache-Control", control)
            .after(&gate)
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    for _ in 0..2 {
        assert_eq!(edge.get("/").await.x_cache(), "Miss");
    }
    *fields.lock().unwrap() = "max-age=60";
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 3);
    edge.advance(61);
    open.send(false).unwrap();
    let viewers = crowd(&edge, 50, "GET");
    in_flight(&edge, 50).await;
    origin.received(4).await;
    open.send(true).unwrap();
    for viewer in viewers {
        assert_eq!(viewer.await.unwrap().text(), "body");
    }
    assert_eq!(origin.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_head() {
    // CF-328, CF-400, AMB-04
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |request| match request.method.as_str() {
        "HEAD" => Reply::ok("body")
            .header("Cache-Control", "max-age=60")
            .after(&gate),
        _ => Reply::ok("body").header("Cache-Control", "max-age=60"),
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let heads = crowd(&edge, 20, "HEAD");
    origin.received(20).await;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(edge.request("HEAD", "/").send().await.x_cache(), "Hit");
    open.send(true).unwrap();
    for head in heads {
        assert_eq!(head.await.unwrap().status, 200);
    }
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_waits_for_a_fetch_that_brings_what_it_asks_for() {
    // CF-400
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| {
        Reply::ok("body")
            .header("Cache-Control", "max-age=60")
            .after(&gate)
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let leader = crowd(&edge, 1, "GET");
    origin.received(1).await;
    let heads = crowd(&edge, 10, "HEAD");
    in_flight(&edge, 11).await;
    open.send(true).unwrap();
    for head in heads.into_iter().chain(leader) {
        assert_eq!(head.await.unwrap().header("content-length"), Some("4"));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_leaves_takes_nothing_from_its_followers() {
    // CF-405, CF-401: neither from who has some of the body, nor from who comes in the middle of it.
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(
        move |_| match stream.try_lock().ok().and_then(|mut s| s.take()) {
            Some(stream) => Reply::stream(stream).header("Cache-Control", "max-age=60"),
            None => Reply::status(500),
        },
    )
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let mut leader = edge.request("GET", "/").open().await.unwrap();
    leader.received(4).await;
    let mut early = edge.request("GET", "/").open().await.unwrap();
    early.received(4).await;
    drop(leader);
    // The node notices when it has something for the leader.
    pieces.send(Bytes::from_static(b"two ")).unwrap();
    early.received(8).await;
    let mut late = edge.request("GET", "/").open().await.unwrap();
    late.received(8).await;
    pieces.send(Bytes::from_static(b"three ")).unwrap();
    pieces.send(Bytes::from_static(b"four")).unwrap();
    drop(pieces);
    for follower in [early, late] {
        let answer = follower.whole().await;
        assert_eq!(
            (answer.text(), answer.x_cache()),
            ("one two three four", "Hit")
        );
    }
    assert_eq!(edge.get("/").await.text(), "one two three four");
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_origin_says_nothing_is_followed_by_another() {
    // CF-404: in mode rfc9111 nothing is kept of a failure.
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |n| match n {
        1 => vec![Turn::Await(gate.clone()), Turn::Close],
        _ => vec![Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=60\r\n\r\nbody",
        )],
    })
    .await;
    let edge = Arc::new(Edge::new().start_at(&origin.url()).await);
    let viewers = crowd(&edge, 50, "GET");
    in_flight(&edge, 50).await;
    origin.received(1).await;
    open.send(true).unwrap();
    let mut failed = 0;
    for viewer in viewers {
        let answer = viewer.await.unwrap();
        match answer.status {
            200 => assert_eq!(answer.text(), "body"),
            502 => failed += 1,
            other => panic!("{other}"),
        }
    }
    // Its connection was new, so it was not tried again.
    assert!(failed <= 1, "{failed}");
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_known_length_streams_as_well() {
    // CF-617, CF-401: what has arrived is not kept back for the rest, from nobody.
    for control in ["max-age=60", "no-store"] {
        let (open, gate) = watch::channel(false);
        let origin = RawOrigin::start(move |_| {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nCache-Control: ";
            vec![
                Turn::send(&format!("{head}{control}\r\n\r\n")),
                Turn::send("half"),
                Turn::Await(gate.clone()),
                Turn::send("half"),
            ]
        })
        .await;
        let edge = Arc::new(Edge::new().start_at(&origin.url()).await);
        let mut having = Vec::new();
        for _ in 0..3 {
            let mut opened = edge.request("GET", "/").open().await.unwrap();
            opened.received(4).await;
            having.push(opened);
        }
        open.send(true).unwrap();
        for opened in having {
            assert_eq!(opened.whole().await.text(), "halfhalf", "{control}");
        }
        let fetches = if control == "no-store" { 3 } else { 1 };
        assert_eq!(origin.count(), fetches, "{control}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_ends_in_the_middle_ends_those_who_have_some_of_it() {
    // CF-222, CF-404: nobody gets half a body for a whole one, and whoever comes later gets a whole one.
    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n";
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |n| match n {
        1 => vec![
            Turn::send(HEAD),
            Turn::send("4\r\nhalf\r\n"),
            Turn::Await(gate.clone()),
            Turn::Close,
        ],
        _ => vec![Turn::send(HEAD), Turn::send("8\r\ncomplete\r\n0\r\n\r\n")],
    })
    .await;
    let edge = Arc::new(Edge::new().start_at(&origin.url()).await);
    let mut having = Vec::new();
    for _ in 0..5 {
        let mut opened = edge.request("GET", "/").open().await.unwrap();
        opened.received(4).await;
        having.push(opened);
    }
    assert_eq!(origin.count(), 1);
    open.send(true).unwrap();
    for mut opened in having {
        let mut got = opened.so_far().body.to_vec();
        let ended = loop {
            match opened.piece().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        assert!(ended.is_err(), "a whole answer of {} bytes", got.len());
        assert_eq!(got, b"half");
    }
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("complete", "Miss"));
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
}
