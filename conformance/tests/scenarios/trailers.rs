//! Fields behind a body: calls alone have them ([`super::grpc`]). Elsewhere they are taken off on the way, in either
//! direction, and what comes after them is not mistaken for a part of them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, Origin, RawOrigin, Reply, SecureViewer, Turn, handler,
    raw_exchange,
};
use http::{HeaderMap, HeaderValue, Request};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What has an origin get all it may.
const ALL_VIEWER: &str = "origin_request_policy: Managed-AllViewer";

/// An origin that keeps the bytes of chunked requests, and answers each.
async fn recording() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}",
        listener.local_addr().expect("a bound listener")
    );
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                while stream.read_buf(&mut got).await.is_ok_and(|n| n > 0) {
                    // Whatever follows the last chunk: the end of the body is an empty line.
                    let last = got.windows(5).position(|w| w == b"\r\n0\r\n");
                    let ends = last.is_some() && got.ends_with(b"\r\n\r\n");
                    if !ends {
                        continue;
                    }
                    let text = String::from_utf8_lossy(&got).into_owned();
                    kept.lock().expect("no panic").push(text);
                    got.clear();
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, seen)
}

/// Head and body of a request as an origin got it.
fn parts(seen: &str) -> (&str, &str) {
    seen.split_once("\r\n\r\n").expect("a head")
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_request_do_not_reach_the_origin() {
    // CF-343, CF-357, CF-370, CF-374, RFC 9110 section 6.5.1, RFC 9112 section 7.1.2
    let (url, seen) = recording().await;
    let see = handler("return request;");
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .function("see", &see)
        .behavior(ALL_METHODS)
        .behavior(ALL_VIEWER)
        .path("/hooked", &format!("origin: origin, {ALL_METHODS}, {ALL_VIEWER}, on: {{ origin-request: {{ function: see, include_body: true }} }}"))
        .start_at(&url)
        .await;
    // The second request stands in the trailers of the first, and the third behind them.
    let request = |path: &str, trailers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum, Host\r\nTransfer-Encoding: chunked\r\n\
             Connection: close\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
        )
    };
    for path in ["/plain", "/hooked"] {
        for trailers in [
            "X-Sum: 1\r\nHost: elsewhere\r\nContent-Length: 100\r\n",
            "X-Sum: GET /smuggled HTTP/1.1\r\n",
            "",
        ] {
            let answer =
                raw_exchange(edge.address(), request(path, trailers).as_bytes(), b"").await;
            assert!(
                answer.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    // The same on HTTP/2, with and without bytes before them.
    let viewer = SecureViewer::trusting(&authority).h2();
    let stream = viewer.connect(edge.secure_address(), "viewer.test").await;
    let (mut sender, connection) = h2::client::handshake(stream.expect("TLS"))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    for (path, body) in [("/plain", "hello"), ("/hooked", "hello"), ("/plain", "")] {
        let request = Request::post(format!("https://viewer.test{path}"))
            .header("te", "trailers")
            .header("trailer", "x-sum")
            .body(())
            .expect("a request");
        let (response, mut out) = sender.send_request(request, false).expect("a stream");
        if !body.is_empty() {
            out.send_data(Bytes::from(body), false)
                .expect("an open stream");
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        out.send_trailers(trailers).expect("an open stream");
        assert_eq!(
            response.await.expect("an answer").status(),
            200,
            "{path} {body}"
        );
    }
    let seen = seen.lock().expect("no panic").clone();
    assert_eq!(seen.len(), 9, "{seen:?}");
    for request in &seen {
        let (head, body) = parts(request);
        let head = head.to_ascii_lowercase();
        for name in ["\r\ntrailer:", "\r\nte:", "\r\nx-sum:"] {
            assert!(!head.contains(name), "{head}");
        }
        assert!(head.contains("\r\ntransfer-encoding: chunked"), "{head}");
        assert!(
            body.ends_with("0\r\n\r\n") && !body.contains("X-Sum") && !body.contains("x-sum"),
            "{body:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_an_answer_do_not_reach_the_viewer() {
    // CF-598, CF-599, RFC 9110 section 6.5.1
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nCache-Control: max-age=60\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 1\r\nX-Cache: forged\r\n\r\n";
    let origin = RawOrigin::start(|_| vec![Turn::send(ANSWER)]).await;
    let edge = Edge::new()
        .threads(1, 1)
        .path(
            "/never",
            "origin: origin, cache_policy: Managed-CachingDisabled",
        )
        .start_at(&origin.url())
        .await;
    for (path, cache) in [
        ("/a", "Miss"),
        ("/a", "Hit"),
        ("/never", "Miss"),
        ("/never", "Miss"),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n");
        let answer = raw_exchange(edge.address(), request.as_bytes(), b"").await;
        let answer = String::from_utf8(answer).expect("ASCII");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("X-Cache: {cache} from")), "{head}");
        assert!(
            !head.to_ascii_lowercase().contains("trailer") && !answer.contains("X-Sum"),
            "{answer}"
        );
        assert!(!answer.contains("forged"), "{answer}");
        assert!(
            body == "hello" || body.ends_with("5\r\nhello\r\n0\r\n\r\n"),
            "{body:?}"
        );
    }
    // What is behind them is the next answer, on the same connection.
    assert_eq!((origin.count(), origin.connections()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_may_not_be_too_many_of_them() {
    // CF-374, CF-772: nobody has asked for them
    let endless = format!("X-Sum: {}\r\n", "1".repeat(70_000));
    let answer = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{endless}\r\n"
    );
    let origin = RawOrigin::start(move |_| vec![Turn::send(&answer)]).await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let got = raw_exchange(edge.address(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"").await;
    let got = String::from_utf8(got).expect("ASCII");
    // The answer has begun: that it breaks off is all that can be said.
    assert!(
        !got.ends_with("0\r\n\r\n") && !got.contains("X-Sum"),
        "{got}"
    );

    let plain = Origin::start(|_| Reply::ok("ok")).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&plain).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{endless}\r\n"
    );
    let got = raw_exchange(edge.address(), request.as_bytes(), b"").await;
    assert!(
        !got.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&got)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_them_is_no_request() {
    // CF-374, RFC 9112 sections 7.1.2 and 9.3
    let origin = Origin::start(|request| Reply::ok(request.target.clone())).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let mut stream = TcpStream::connect(edge.address())
        .await
        .expect("a listening node");
    for request in [
        "POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\
         X-Sum: 1\r\nX-Other: GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /second HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        stream
            .write_all(request.as_bytes())
            .await
            .expect("an open connection");
        let mut got = Vec::new();
        while !got.ends_with(b"/first") && !got.ends_with(b"/second") {
            let read = stream.read_buf(&mut got).await.expect("an open connection");
            assert!(read > 0, "{}", String::from_utf8_lossy(&got));
        }
        assert!(
            got.starts_with(b"HTTP/1.1 200 "),
            "{}",
            String::from_utf8_lossy(&got)
        );
    }
    let asked: Vec<_> = origin.seen().into_iter().map(|s| s.target).collect();
    assert_eq!(asked, ["/first", "/second"]);
    assert_eq!(origin.seen()[0].body, "hello");
}
