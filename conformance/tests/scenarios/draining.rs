//! Stopping without losing a request.

use std::time::Duration;

use fourfront::observe::admin::Admin as _;
use fourfront_conformance::{Edge, Origin, Reply};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

/// Longer than anything here takes; nobody waits for it.
const GRACE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_is_finished_and_new_connections_are_refused() {
    // CP-620
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| Reply::ok("finished").after(&gate)).await;
    let mut edge = Edge::new().start(&origin).await;
    let address = edge.address();
    let running = tokio::spawn(edge.request("GET", "/").send());
    origin.received(1).await;
    assert!(edge.node().ready());

    let stopped = edge.stop(GRACE);
    // The listener closes soon after; until then connections are accepted as before.
    let refused = async {
        loop {
            if TcpStream::connect(address).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GRACE, refused)
        .await
        .expect("the listener closes");
    assert!(!edge.node().ready());
    assert!(!stopped.is_finished());
    assert_eq!(edge.node().in_flight().count(), 1);

    open.send(true).unwrap();
    let answer = running.await.unwrap();
    assert_eq!((answer.status, answer.text()), (200, "finished"));
    tokio::task::spawn_blocking(move || stopped.join().unwrap())
        .await
        .unwrap();
    assert_eq!(edge.node().in_flight().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_hold_nothing_up() {
    // CP-620
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let mut edge = Edge::new().start(&origin).await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\nx") {
        assert!(viewer.read_buf(&mut received).await.unwrap() > 0);
    }
    let stopped = edge.stop(GRACE);
    let ended = tokio::task::spawn_blocking(move || stopped.join().unwrap());
    tokio::time::timeout(GRACE / 2, ended)
        .await
        .expect("an idle connection is no request")
        .unwrap();
    // The node hung up.
    assert_eq!(viewer.read_buf(&mut received).await.unwrap_or(0), 0);
}
