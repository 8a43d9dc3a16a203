//! Request bodies between their reading for a function and the origin: connections, tries and viewers that wait
//! or leave.

use std::io;

use fourfront_conformance::{Edge, Origin, Reply, handler, raw_exchange};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::request_bodies::{ALL_METHODS, BOTH, SEE, body_of, chunked, messages, post, seen};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_waits_for_leave_is_told_once_to_send_its_body() {
    // CF-372
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    let head = post(
        "Content-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n",
        b"",
    );
    viewer.write_all(&head).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        assert!(viewer.read_buf(&mut received).await.unwrap() > 0);
    }
    assert!(received.starts_with(b"HTTP/1.1 100"));
    assert_eq!(edge.logs().len(), 0, "the function waits for the body");
    viewer.write_all(b"body").await.unwrap();
    let mut rest = Vec::new();
    viewer.read_to_end(&mut rest).await.unwrap();
    assert!(
        rest.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    let received = origin.last();
    assert_eq!(
        (received.body.as_ref(), received.header("expect")),
        (&b"body"[..], None)
    );
    assert_eq!(messages(&edge)[0], seen("viewer-request", false, b"body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_leaves_in_the_middle_of_its_body_calls_no_function() {
    // LE-246, CF-705
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    let half = post("Content-Length: 10\r\n", b"01234");
    viewer.write_all(&half).await.unwrap();
    drop(viewer);
    let record = &edge.recorded(1).await[0];
    assert_eq!(
        (record.status, edge.logs().len(), origin.count()),
        (0, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewers_connection_serves_the_next_request_after_a_body_was_read() {
    // CF-370
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .function(
            "refuse",
            &handler("return { status: '403', body: 'no' };"),
        )
        .path(
            "/refused",
            "allowed_methods: all, on: { viewer-request: { function: refuse, include_body: true } }, origin: origin",
        )
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    let long = body_of(200_000);
    let with_length = |body: &[u8]| post(&format!("Content-Length: {}\r\n", body.len()), body);
    let refused = b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_vec();
    let requests = [
        (with_length(b"first"), "done"),
        (
            post("Transfer-Encoding: chunked\r\n", &chunked(b"second")),
            "done",
        ),
        (with_length(&long), "done"),
        (refused, "no"),
        (with_length(b"last"), "done"),
    ];
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    for (request, body) in requests {
        viewer.write_all(&request).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(body.as_bytes()) {
            let n = viewer.read_buf(&mut received).await.unwrap();
            assert!(n > 0, "{}", String::from_utf8_lossy(&received));
        }
    }
    assert_eq!(origin.count(), 4);
    assert_eq!(origin.last().body, "last");
    assert!(origin.seen()[2].body == long);
}

/// An origin that answers a first request, hangs up on the second, and takes that one in full on the next
/// connection. Gives the body it then received.
async fn receive_at_second_try(listener: TcpListener, coded_length: usize) -> io::Result<Vec<u8>> {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok";
    let (mut first, _) = listener.accept().await?;
    read_head(&mut first).await?;
    first.write_all(answer).await?;
    read_head(&mut first).await?;
    drop(first);
    let (mut second, _) = listener.accept().await?;
    let mut body = read_head(&mut second).await?;
    while body.len() < coded_length && second.read_buf(&mut body).await? > 0 {}
    second.write_all(answer).await?;
    Ok(body)
}

/// Reads a head and gives what came after it.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    loop {
        if let Some(end) = received.windows(4).position(|w| w == b"\r\n\r\n") {
            return Ok(received.split_off(end + 4));
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_try_sends_the_whole_body_again() {
    // CF-362, CF-370, CF-397
    for length in [10, 60_000, 300_000] {
        for on in [
            BOTH,
            "on: { origin-request: { function: see, include_body: true } }",
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let origin = tokio::spawn(receive_at_second_try(listener, length));
            let edge = Edge::new()
                .function("see", &handler(SEE))
                .behavior(ALL_METHODS)
                .behavior(on)
                // What is sent twice is counted once.
                .node("limits: { max_body_bytes: 300000 }")
                .threads(1, 1)
                .start_at(&url)
                .await;
            assert_eq!(edge.get("/").await.text(), "ok");
            let body = body_of(length);
            let answer = edge.request("PUT", "/").body(body.clone()).send().await;
            assert_eq!((answer.status, answer.text()), (200, "ok"), "{length}");
            assert!(origin.await.unwrap().unwrap() == body, "{length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_try_sends_a_body_in_chunks_again() {
    // CF-397, CF-370
    for length in [10, 300_000] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // What was read before goes out as one chunk, and the end follows.
        let size_line = format!("{length:X}\r\n").len();
        let coded_length = size_line + length + b"\r\n0\r\n\r\n".len();
        let origin = tokio::spawn(receive_at_second_try(listener, coded_length));
        let edge = Edge::new()
            .function("see", &handler(SEE))
            .behavior(ALL_METHODS)
            .behavior("on: { origin-request: { function: see, include_body: true } }")
            .threads(1, 1)
            .start_at(&url)
            .await;
        assert_eq!(edge.get("/").await.text(), "ok");
        let body = body_of(length);
        let mut request =
            b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                .to_vec();
        request.extend_from_slice(&chunked(&body));
        let received = raw_exchange(edge.address(), &request, b"").await;
        assert!(
            received.starts_with(b"HTTP/1.1 200"),
            "{length}: {}",
            String::from_utf8_lossy(&received)
        );
        let coded = origin.await.unwrap().unwrap();
        assert!(
            coded[size_line..size_line + length] == body && coded.ends_with(b"\r\n0\r\n\r\n"),
            "{length}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_body_is_shown_and_none_is_waited_for() {
    // LE-120, LE-246
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function(
            "look",
            &handler("console.log('body' in request); return request;"),
        )
        .behavior(ALL_METHODS)
        .behavior(
            "on: { viewer-request: look, origin-request: { function: look, include_body: false } }",
        )
        .start(&origin)
        .await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(&post("Content-Length: 4\r\nConnection: close\r\n", b""))
        .await
        .unwrap();
    // Both functions have run before the viewer sends a byte of the body.
    let lines: Vec<_> = edge
        .logged(2)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(lines, ["false", "false"]);
    viewer.write_all(b"body").await.unwrap();
    let mut received = Vec::new();
    viewer.read_to_end(&mut received).await.unwrap();
    assert!(received.starts_with(b"HTTP/1.1 200"));
    assert_eq!(origin.last().body, "body");
}
