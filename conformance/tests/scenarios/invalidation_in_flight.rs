//! Invalidation of what is being fetched: whoever waits for it gets it, and nobody afterwards (CF-660).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, Reply, Running};
use tokio::sync::{mpsc, watch};

/// An origin that gives these answers, one a request, and then `last`.
async fn scripted(replies: Vec<Reply>, last: &'static str) -> Origin {
    let replies = Mutex::new(VecDeque::from(replies));
    Origin::start(move |_| {
        let next = replies.lock().expect("no panic").pop_front();
        next.unwrap_or_else(|| Reply::ok(last))
            .header("Cache-Control", "max-age=60")
    })
    .await
}

fn spawn_get(
    edge: &Arc<Running>,
    path: &'static str,
) -> tokio::task::JoinHandle<fourfront_conformance::Answer> {
    let edge = edge.clone();
    tokio::spawn(async move { edge.get(path).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_arriving_is_for_those_who_have_it() {
    // CF-660, CF-401
    let (pieces, body) = mpsc::unbounded_channel();
    let origin = scripted(vec![Reply::stream(body)], "new").await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    pieces.send(Bytes::from_static(b"old ")).unwrap();
    let mut leader = edge.request("GET", "/a").open().await.unwrap();
    leader.received(4).await;
    let mut follower = edge.request("GET", "/a").open().await.unwrap();
    follower.received(4).await;
    assert_eq!(origin.count(), 1);
    edge.invalidate(&["/a"], false);
    // Whoever comes now does not join them.
    let answer = edge.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("new", "Miss"));
    assert!(
        answer
            .header("cache-status")
            .unwrap()
            .contains("invalidated(")
    );
    pieces.send(Bytes::from_static(b"body")).unwrap();
    drop(pieces);
    assert_eq!(leader.whole().await.text(), "old body");
    assert_eq!(follower.whole().await.text(), "old body");
    // And the old one, which ended later, has not taken the place of the new one.
    let answer = edge.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("new", "Hit"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_began_before_does_not_answer_after() {
    // CF-660, CP-144
    for (named, soft) in [("/a", false), ("/*", false), ("#t", false), ("/a", true)] {
        let (open, gate) = watch::channel(false);
        let old = Reply::ok("old").header("Cache-Tag", "t").after(&gate);
        let origin = scripted(vec![old], "new").await;
        let edge = Edge::new()
            .distribution("cache_tag_config: { header_name: Cache-Tag }")
            .start(&origin)
            .await;
        let edge = Arc::new(edge);
        let leader = spawn_get(&edge, "/a");
        origin.received(1).await;
        edge.invalidate(&[named], soft);
        // One that comes before the head of the old answer waits for it, and then does not take it.
        let late = spawn_get(&edge, "/a");
        while edge.node().in_flight().count() < 2 {
            tokio::task::yield_now().await;
        }
        open.send(true).unwrap();
        assert_eq!(leader.await.unwrap().text(), "old", "{named}");
        assert_eq!(late.await.unwrap().text(), "new", "{named}");
        let answer = edge.get("/a").await;
        assert_eq!((answer.text(), answer.x_cache()), ("new", "Hit"), "{named}");
        assert_eq!(origin.count(), 2, "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_waits_for_an_invalidated_fetch_makes_one_more() {
    // CF-660, CF-400, CF-407
    let (open, gate) = watch::channel(false);
    let origin = scripted(vec![Reply::ok("old").after(&gate)], "new").await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    let leader = spawn_get(&edge, "/a");
    origin.received(1).await;
    edge.invalidate(&["/a"], false);
    let crowd: Vec<_> = (0..20).map(|_| spawn_get(&edge, "/a")).collect();
    while edge.node().in_flight().count() < 21 {
        tokio::task::yield_now().await;
    }
    open.send(true).unwrap();
    assert_eq!(leader.await.unwrap().text(), "old");
    for viewer in crowd {
        assert_eq!(viewer.await.unwrap().text(), "new");
    }
    assert_eq!(origin.count(), 2);
}

/// A 304 that is on its way when the object it confirms is invalidated; `window` is for stale use meanwhile.
async fn confirmed_too_late(window: &'static str, background: bool) {
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |request| {
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::status(304).after(&gate),
            None => Reply::ok("body"),
        };
        reply
            .header("ETag", "\"v\"")
            .header("Cache-Control", &format!("max-age=10{window}"))
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    edge.get("/a").await;
    edge.advance(11);
    let validating = spawn_get(&edge, "/a");
    origin.received(2).await;
    edge.invalidate(&["/a"], false);
    open.send(true).expect("a gate");
    assert_eq!(validating.await.expect("an answer").text(), "body");
    while background && edge.node().in_flight().count() > 0 {
        tokio::task::yield_now().await;
    }
    let answer = edge.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("body", "Miss"));
    let last = origin.last();
    assert_eq!((origin.count(), last.header("if-none-match")), (3, None));
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_does_not_bring_back_what_was_invalidated() {
    // CF-660
    confirmed_too_late("", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_a_refresh_in_the_background() {
    // CF-660, CF-257
    confirmed_too_late(", stale-while-revalidate=60", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_invalidated_while_the_origin_failed_does_not_stand_in() {
    // CF-660, CF-269
    let (open, gate) = watch::channel(false);
    let replies = vec![Reply::ok("body"), Reply::status(503).after(&gate)];
    let replies = Mutex::new(VecDeque::from(replies));
    let origin = Origin::start(move |_| {
        let next = replies.lock().expect("no panic").pop_front();
        let reply = next.unwrap_or_else(|| Reply::status(503));
        reply.header("Cache-Control", "max-age=10, stale-if-error=600")
    })
    .await;
    let edge = Arc::new(Edge::new().start(&origin).await);
    edge.get("/a").await;
    edge.advance(11);
    let asking = spawn_get(&edge, "/a");
    origin.received(2).await;
    edge.invalidate(&["/a"], false);
    open.send(true).unwrap();
    assert_eq!(asking.await.unwrap().status, 503);
}
