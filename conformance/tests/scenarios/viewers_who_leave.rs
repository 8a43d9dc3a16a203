//! What becomes of a fetch when those who wait for it leave, and how long they wait (CF-224, CF-405).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, RawOrigin, Reply, Running, Turn};
use tokio::sync::{
    Mutex,
    mpsc::{self, UnboundedSender},
    watch,
};

/// An origin whose first answer comes in pieces, as they are sent; later ones are whole.
async fn in_pieces() -> (Origin, UnboundedSender<Bytes>) {
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(move |_| {
        let first = stream.try_lock().ok().and_then(|mut s| s.take());
        let reply = first.map_or_else(|| Reply::ok("second"), Reply::stream);
        reply.header("Cache-Control", "max-age=60")
    })
    .await;
    (origin, pieces)
}

/// Sends pieces until the node has gone.
async fn until_it_is_gone(pieces: UnboundedSender<Bytes>) {
    let sending = async {
        while pieces.send(Bytes::from_static(b"more ")).is_ok() {
            // The node acts on the first piece after it has noticed.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sending)
        .await
        .expect("the node lets go within a minute");
}

async fn assert_second(edge: &Running) {
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("second", "Miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_nobody_waits_for_is_broken_off() {
    // CF-224, CF-704, CF-705
    let (origin, pieces) = in_pieces().await;
    let edge = Edge::new().start(&origin).await;
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let mut leader = edge.request("GET", "/").open().await.unwrap();
    leader.received(4).await;
    drop(leader);
    until_it_is_gone(pieces).await;
    let left = &edge.recorded(1).await[0];
    assert_eq!(left.served.detail(left.status), "ClientCommError");
    assert_second(&edge).await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_followed_may_leave_as_well() {
    // CF-224, CF-405
    let (origin, pieces) = in_pieces().await;
    let edge = Edge::new().start(&origin).await;
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let mut leader = edge.request("GET", "/").open().await.unwrap();
    leader.received(4).await;
    let mut follower = edge.request("GET", "/").open().await.unwrap();
    follower.received(4).await;
    drop(leader);
    pieces.send(Bytes::from_static(b"two ")).unwrap();
    follower.received(8).await;
    drop(follower);
    until_it_is_gone(pieces).await;
    assert_second(&edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_to_be_ended_is_ended_and_stored() {
    // CF-224: the whole of an unknown length, and what is nearly there of a known one.
    let (origin, pieces) = in_pieces().await;
    let edge = Edge::new()
        .distribution("finish_fetch_on_abort: on")
        .start(&origin)
        .await;
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let mut leader = edge.request("GET", "/").open().await.unwrap();
    leader.received(4).await;
    drop(leader);
    for piece in ["two ", "three"] {
        pieces.send(Bytes::from_static(piece.as_bytes())).unwrap();
    }
    drop(pieces);
    edge.recorded(1).await;
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("one two three", "Hit"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_has_all_of_its_answer_may_go() {
    // CF-224, CF-284: the condition is the node's to answer, and the body the cache's.
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(move |_| {
        let first = stream.try_lock().ok().and_then(|mut s| s.take());
        let reply = first.map_or_else(|| Reply::ok("second"), Reply::stream);
        let reply = reply.header("Cache-Control", "max-age=60");
        reply.header("ETag", "\"1\"")
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    pieces.send(Bytes::from_static(b"one ")).unwrap();
    let request = edge.request("GET", "/").header("If-None-Match", "\"1\"");
    let first = request.send().await;
    assert_eq!(first.status, 304);
    // Its connection is closed by now.
    for piece in ["two ", "three ", "four"] {
        pieces.send(Bytes::from_static(piece.as_bytes())).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(pieces);
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.text(), answer.x_cache()),
        ("one two three four", "Hit")
    );
    assert_eq!(origin.count(), 1);
    let record = edge.record_of(&first).await;
    assert_ne!(record.served.detail(record.status), "ClientCommError");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nearly_there_is_ended() {
    // CF-224
    for finish in ["60%", "4"] {
        let (open, gate) = watch::channel(false);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\n\r\n";
        let first = format!("{head}012345");
        let whole = format!("{head}0123456789");
        let origin = RawOrigin::start(move |n| match n {
            1 => vec![
                Turn::send(&first),
                Turn::Await(gate.clone()),
                Turn::send("67"),
                Turn::send("89"),
            ],
            _ => vec![Turn::send(&whole)],
        })
        .await;
        let edge = Edge::new()
            .top(&format!("finish_fetch_on_abort: {finish}"))
            .start_at(&origin.url())
            .await;
        let mut leader = edge.request("GET", "/").open().await.unwrap();
        leader.received(6).await;
        drop(leader);
        open.send(true).unwrap();
        edge.recorded(1).await;
        assert_eq!(edge.get("/").await.text(), "0123456789", "{finish}");
        assert_eq!(origin.count(), 1, "{finish}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_waited_long_enough_fetches_alone() {
    // CF-405
    let (open, gate) = watch::channel(false);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\n\r\n";
    let (slow, quick) = (format!("{head}slow!"), format!("{head}quick"));
    let origin = RawOrigin::start(move |n| match n {
        1 => vec![Turn::Await(gate.clone()), Turn::send(&slow)],
        _ => vec![Turn::send(&quick)],
    })
    .await;
    let edge = Arc::new(
        Edge::new()
            .top("collapse: { max_wait: 0.05 }")
            .start_at(&origin.url())
            .await,
    );
    let leading = edge.clone();
    let leader = tokio::spawn(async move { leading.get("/").await });
    origin.received(1).await;
    // The leader is not answered before this one has its answer.
    assert_eq!(edge.get("/").await.text(), "quick");
    open.send(true).unwrap();
    assert_eq!(leader.await.unwrap().text(), "slow!");
    assert_eq!(origin.count(), 2);
}
