//! Viewers on HTTP/2: the same outcomes as on HTTP/1.1, many at a time.

use std::time::Duration;

use bytes::Bytes;
use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, Origin, RawOrigin, Reply, Running, SecureViewer, Turn, handler,
    logging,
};
use http::{Request, Version};
use tokio::{io::AsyncWriteExt as _, sync::watch};

/// A node with a certificate and a viewer who prefers HTTP/2.
async fn start(edge: Edge, origin: &Origin) -> (Running, SecureViewer) {
    let authority = Authority::new();
    let edge = edge
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(origin)
        .await;
    (edge, SecureViewer::trusting(&authority).h2())
}

async fn hello() -> Origin {
    Origin::start(|_| Reply::ok("hello").header("Cache-Control", "max-age=60")).await
}

/// A connection on which frames are sent by hand.
async fn connect(
    edge: &Running,
    viewer: &SecureViewer,
) -> (
    h2::client::SendRequest<Bytes>,
    tokio::task::JoinHandle<Result<(), h2::Error>>,
) {
    let stream = viewer.connect(edge.secure_address(), "viewer.test").await;
    let (sender, connection) = h2::client::handshake(stream.expect("TLS"))
        .await
        .expect("HTTP/2");
    (sender, tokio::spawn(connection))
}

fn get(path: &str) -> Request<()> {
    let request = Request::builder().uri(format!("https://viewer.test{path}"));
    request.body(()).expect("a request")
}

/// Status and body of an answer, or what went wrong.
async fn answer(response: h2::client::ResponseFuture) -> Result<(u16, Vec<u8>), h2::Error> {
    let response = response.await?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        all.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((status, all))
}

#[tokio::test]
async fn misses_and_hits_are_those_of_http_1() {
    // CF-050, CF-320, CF-500, CF-501, CF-510, CF-512, CF-703, CF-782
    let origin = Origin::start(|_| {
        Reply::ok("hello")
            .header("Cache-Control", "max-age=60")
            .header("Date", "Tue, 03 Mar 2026 08:59:59 GMT")
            .header("Connection", "X-Hop")
            .header("X-Hop", "1")
    })
    .await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let miss = edge.secure_get(&viewer, "/a?q").await;
    assert_eq!(
        (miss.version, miss.status, miss.x_cache()),
        (Version::HTTP_2, 200, "Miss")
    );
    let hit = edge.secure_get(&viewer, "/a?q").await;
    assert_eq!(
        (hit.version, hit.status, hit.x_cache()),
        (Version::HTTP_2, 200, "Hit")
    );
    for answer in [&miss, &hit] {
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.header("date"), Some("Tue, 03 Mar 2026 08:59:59 GMT"));
        assert_eq!(
            (answer.header("connection"), answer.header("x-hop")),
            (None, None)
        );
        assert!(
            answer.header("via").unwrap().starts_with("1.1 "),
            "{answer:?}"
        );
        let record = edge.record_of(answer).await.to_json();
        assert_eq!(record["cs-protocol-version"], "HTTP/2.0");
        assert_eq!(
            (&record["cs-protocol"], &record["x-host-header"]),
            (&"https".into(), &"viewer.test".into())
        );
        assert_eq!(record["sc-body-bytes"], 5);
    }
    // One object for all protocols.
    assert_eq!(edge.get("/a?q").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 1);
    let seen = &origin.seen()[0];
    // The policy keeps the query to itself.
    assert_eq!(seen.target, "/a");
    assert_eq!(seen.all("host").len(), 1);

    let head = edge.secure_request(&viewer, "HEAD", "/a?q").send().await;
    assert_eq!(
        (head.status, head.x_cache(), head.body.len()),
        (200, "Hit", 0)
    );
    assert_eq!(head.header("content-length"), Some("5"));
    let part = edge
        .secure_request(&viewer, "GET", "/a?q")
        .header("Range", "bytes=1-2")
        .send()
        .await;
    assert_eq!((part.status, part.text()), (206, "el"));
    let tag = edge
        .secure_request(&viewer, "GET", "/a?q")
        .header("If-None-Match", "*")
        .send()
        .await;
    assert_eq!((tag.status, tag.body.len()), (304, 0));
}

#[tokio::test]
async fn all_four_triggers_run() {
    // LE-001, LE-097
    let origin = hello().await;
    let edge = Edge::new()
        .function("all", &logging())
        .function("see", &handler("console.log(Object.values(request.headers).map(([h]) => h.key).sort().join()); return request;"))
        .behavior("on: { viewer-request: see, origin-request: all, origin-response: all, viewer-response: all }");
    let (edge, viewer) = start(edge, &origin).await;
    for _ in 0..2 {
        let request = edge
            .secure_request(&viewer, "GET", "/a")
            .header("X-Mine", "1");
        assert_eq!(request.send().await.status, 200);
    }
    let logs: Vec<_> = edge
        .logged(6)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(
        logs,
        [
            "host,x-mine",
            "origin-request",
            "origin-response",
            "viewer-response",
            "host,x-mine",
            "viewer-response"
        ]
    );
}

#[tokio::test]
async fn functions_answer_fail_and_change_requests() {
    // LE-163, LE-270, LE-271, CF-003
    let origin = hello().await;
    let code = handler(
        "if (request.uri === '/make') return { status: '201', headers: { 'x-a': [{ key: 'X-A', value: 'b' }] }, body: 'made' };\n\
         if (request.uri === '/fail') throw new Error('no');\n\
         request.uri = '/other'; return request;",
    );
    let edge = Edge::new()
        .function("f", &code)
        .behavior("on: { viewer-request: f }");
    let (edge, viewer) = start(edge, &origin).await;
    let made = edge.secure_get(&viewer, "/make").await;
    assert_eq!(
        (made.status, made.text(), made.header("x-a")),
        (201, "made", Some("b"))
    );
    let failed = edge.secure_get(&viewer, "/fail").await;
    assert_eq!(
        (failed.status, failed.x_cache()),
        (503, "LambdaExecutionError")
    );
    assert_eq!(edge.secure_get(&viewer, "/x").await.x_cache(), "Miss");
    assert_eq!(edge.secure_get(&viewer, "/y").await.x_cache(), "Hit");
    assert_eq!(origin.seen()[0].target, "/other");
}

#[tokio::test]
async fn bodies_reach_functions_and_the_origin() {
    // CF-370, LE-120, LE-123, LE-240
    let origin = Origin::start(|seen| Reply::ok(format!("{} bytes", seen.body.len()))).await;
    let code = handler(
        "console.log(Buffer.from(request.body.data, 'base64').length, request.body.inputTruncated); return request;",
    );
    let edge = Edge::new()
        .function("see", &code)
        .behavior(ALL_METHODS)
        .path("/seen", &format!("origin: origin, {ALL_METHODS}, on: {{ origin-request: {{ function: see, include_body: true }} }}"));
    let (edge, viewer) = start(edge, &origin).await;
    for path in ["/plain", "/seen"] {
        for length in [0, 1, 70_000, 3_000_000] {
            let request = edge.secure_request(&viewer, "POST", path);
            let answer = request.body(vec![b'x'; length]).send().await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, &*format!("{length} bytes")),
                "{path}"
            );
        }
    }
    // Without a length, in pieces, the last of which comes after the answer has been waited for.
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    for path in ["/plain", "/seen"] {
        let request = Request::post(format!("https://viewer.test{path}"))
            .body(())
            .unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        for _ in 0..20 {
            body.reserve_capacity(10_000);
            while body.capacity() < 10_000 {
                std::future::poll_fn(|cx| body.poll_capacity(cx))
                    .await
                    .unwrap()
                    .unwrap();
            }
            body.send_data(vec![b'y'; 10_000].into(), false).unwrap();
        }
        body.send_data(Bytes::new(), true).unwrap();
        assert_eq!(
            answer(response).await.unwrap(),
            (200, b"200000 bytes".to_vec()),
            "{path}"
        );
    }
    let logs: Vec<_> = edge
        .logged(5)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(
        logs,
        [
            "0 false",
            "1 false",
            "70000 false",
            "1048576 true",
            "200000 false"
        ]
    );
}

#[tokio::test]
async fn a_body_of_a_get_is_refused_and_an_empty_one_is_none() {
    // CF-368
    let origin = hello().await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    let (response, mut body) = sender.send_request(get("/a"), false).unwrap();
    body.send_data(Bytes::from_static(b"x"), true).unwrap();
    assert_eq!(answer(response).await.unwrap().0, 403);
    let (response, mut body) = sender.send_request(get("/a"), false).unwrap();
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(answer(response).await.unwrap().0, 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn fields_are_put_together_or_refused() {
    // RFC 9113 sections 8.1.1, 8.2.2, 8.2.3, 8.3.1, CF-035, CF-360, CF-364
    let origin = Origin::start(|seen| Reply::ok(seen.all("cookie").join("|"))).await;
    let edge = Edge::new().behavior("origin_request_policy: Managed-AllViewer");
    let (edge, viewer) = start(edge, &origin).await;
    let (sender, _driver) = connect(&edge, &viewer).await;
    let send = async |fields: &[(&str, &str)]| {
        let mut request = get("/a");
        for (name, value) in fields {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let (response, _) = sender
            .clone()
            .ready()
            .await
            .unwrap()
            .send_request(request, true)
            .unwrap();
        answer(response)
            .await
            .map(|(status, body)| (status, String::from_utf8(body).unwrap()))
    };
    let cookies = send(&[("cookie", "a=1"), ("cookie", "b=2")]).await.unwrap();
    assert_eq!(cookies, (200, "a=1; b=2".to_owned()));
    assert_eq!(send(&[("host", "viewer.test")]).await.unwrap().0, 200);
    assert_eq!(send(&[("host", "other.test")]).await.unwrap().0, 400);
    assert_eq!(
        send(&[("content-length", "0"), ("content-length", "0")])
            .await
            .unwrap()
            .0,
        200
    );
    assert!(
        send(&[("content-length", "0"), ("content-length", "1")])
            .await
            .is_err()
    );
    let long = "x".repeat(33_000);
    assert_eq!(send(&[("x-long", &long)]).await.unwrap().0, 494);
    let longer = "x".repeat(100_000);
    assert_eq!(send(&[("x-long", &longer)]).await.map_or(0, |a| a.0), 431);
    let many: Vec<_> = (0..201).map(|n| format!("x-{n}")).collect();
    let many: Vec<_> = many.iter().map(|n| (n.as_str(), "1")).collect();
    assert_eq!(send(&many).await.unwrap().0, 400);
    assert_eq!(send(&[]).await.unwrap().0, 200);
}

#[tokio::test]
async fn many_at_a_time_on_one_connection() {
    // CF-050, CF-405
    let origin = Origin::start(|seen| {
        Reply::ok(vec![b'x'; 200_000])
            .header("Cache-Control", "max-age=60")
            .header("X-Path", &seen.target)
    })
    .await;
    let (edge, viewer) = start(
        Edge::new().node("http2: { max_concurrent_streams: 50 }"),
        &origin,
    )
    .await;
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    // By then the node's limits are known.
    let (response, _) = sender.send_request(get("/0"), true).unwrap();
    answer(response).await.unwrap();
    let mut streams = tokio::task::JoinSet::new();
    for n in 0..200 {
        let sender = sender.clone();
        streams.spawn(async move {
            let mut sender = sender.ready().await.unwrap();
            let (response, _) = sender
                .send_request(get(&format!("/{}", n % 10)), true)
                .unwrap();
            answer(response).await.unwrap()
        });
    }
    while let Some(answer) = streams.join_next().await {
        let (status, body) = answer.unwrap();
        assert_eq!((status, body.len()), (200, 200_000));
    }
    assert_eq!(origin.count(), 10);
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_holds_up_nobody_else() {
    // CF-401, CF-405
    let body = vec![b'x'; 4 << 20];
    let origin =
        Origin::start(move |_| Reply::ok(body.clone()).header("Cache-Control", "max-age=60")).await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let (mut slow, _driver) = connect(&edge, &viewer).await;
    let (response, _) = slow.send_request(get("/big"), true).unwrap();
    // The leader of the fill takes the head, and not a byte more than its windows.
    let held = response.await.unwrap();
    assert_eq!(held.status(), 200);
    let other = edge.secure_get(&viewer, "/big").await;
    assert_eq!((other.status, other.body.len()), (200, 4 << 20));
    // Nor another stream of the same connection, but for its share of the connection's window.
    let (response, _) = slow
        .send_request(
            Request::head("https://viewer.test/big").body(()).unwrap(),
            true,
        )
        .unwrap();
    assert_eq!(response.await.unwrap().status(), 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_is_noted_and_the_others_go_on() {
    // CF-703, CF-704
    let (release, gate) = watch::channel(false);
    let origin = Origin::start(move |seen| {
        let reply = Reply::ok("late");
        if seen.target == "/late" {
            reply.after(&gate)
        } else {
            reply
        }
    })
    .await;
    let edge = Edge::new().behavior("cache_policy: Managed-CachingDisabled");
    let (edge, viewer) = start(edge, &origin).await;
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    let (response, mut stream) = sender.send_request(get("/late"), true).unwrap();
    origin.received(1).await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    let (response, _) = sender.send_request(get("/soon"), true).unwrap();
    assert_eq!(answer(response).await.unwrap().0, 200);
    release.send_replace(true);
    let records = edge.recorded(2).await;
    let reset = records.iter().find(|r| r.uri == "/late").expect("a record");
    assert_eq!(
        (reset.status, reset.served.detail(0)),
        (0, "ClientHungUpRequest")
    );
}

#[tokio::test]
async fn interim_answers_pass() {
    // RFC 9110 section 15.2, RFC 8297
    let text = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nok";
    let origin = RawOrigin::start(move |_| vec![Turn::send(text), Turn::Hold]).await;
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start_at(&origin.url())
        .await;
    let viewer = SecureViewer::trusting(&authority).h2();
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    let (mut response, _) = sender.send_request(get("/a"), true).unwrap();
    let interim = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
    let interim = interim.expect("an interim answer").unwrap();
    assert_eq!(
        (
            interim.status().as_u16(),
            interim.headers()["link"].to_str().unwrap()
        ),
        (103, "</a.css>; rel=preload")
    );
    assert_eq!(answer(response).await.unwrap(), (200, b"ok".to_vec()));
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_node_stops() {
    // CP-600
    let (release, gate) = watch::channel(false);
    let origin = Origin::start(move |_| Reply::ok("late").after(&gate)).await;
    let (mut edge, viewer) = start(Edge::new(), &origin).await;
    let (mut sender, driver) = connect(&edge, &viewer).await;
    let (response, _) = sender.send_request(get("/late"), true).unwrap();
    origin.received(1).await;
    let stopping = edge.stop(Duration::from_secs(30));
    release.send_replace(true);
    assert_eq!(answer(response).await.unwrap(), (200, b"late".to_vec()));
    let ended = tokio::time::timeout(Duration::from_secs(30), driver).await;
    assert!(ended.is_ok());
    stopping.join().unwrap();
}

#[tokio::test]
async fn the_distribution_decides_whether_it_is_spoken() {
    // CF-050
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .distribution("http_version: http1.1")
        .start(&hello().await)
        .await;
    let viewer = SecureViewer::trusting(&authority).h2();
    assert_eq!(
        edge.secure_get(&viewer, "/a").await.version,
        Version::HTTP_11
    );
    let only_h2 = viewer.offering(&["h2"]);
    assert!(
        only_h2
            .connect(edge.secure_address(), "viewer.test")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn without_tls_it_is_off_unless_switched_on() {
    // CF-050, RFC 9113 section 3.3
    let origin = hello().await;
    let on = Edge::new()
        .node("http2: { cleartext: true }")
        .start(&origin)
        .await;
    let stream = tokio::net::TcpStream::connect(on.address()).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let _driver = tokio::spawn(connection);
    let request = Request::get("http://viewer.test/a").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    assert_eq!(answer(response).await.unwrap(), (200, b"hello".to_vec()));
    assert_eq!(on.get("/a").await.x_cache(), "Hit");
    // Byte by byte, and something that only begins like it.
    let mut stream = tokio::net::TcpStream::connect(on.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"PRI" {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    drop(stream);
    let other = fourfront_conformance::raw_exchange(
        on.address(),
        b"PRINT / HTTP/1.1\r\nHost: viewer.test\r\n\r\n",
        b"\r\n\r\n",
    )
    .await;
    assert!(
        other.starts_with(b"HTTP/1.1 403"),
        "{}",
        String::from_utf8_lossy(&other)
    );

    let off = Edge::new().start(&origin).await;
    let answered = fourfront_conformance::raw_exchange(
        off.address(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"",
    )
    .await;
    assert!(
        answered.starts_with(b"HTTP/1.1 400"),
        "{}",
        String::from_utf8_lossy(&answered)
    );
}

#[tokio::test]
async fn a_stale_answer_is_refreshed_behind_a_stream() {
    // CF-257, LE-039, LE-040
    let origin = Origin::start(|seen| {
        Reply::ok(seen.target.clone())
            .header("Cache-Control", "max-age=1, stale-while-revalidate=60")
    })
    .await;
    let code = handler("request.uri = '/other'; return request;");
    let edge = Edge::new()
        .function("f", &code)
        .path("/changed", "origin: origin, on: { viewer-request: f }");
    let (edge, viewer) = start(edge, &origin).await;
    for (path, fetched) in [("/plain", 2), ("/changed", 4)] {
        assert_eq!(edge.secure_get(&viewer, path).await.x_cache(), "Miss");
        edge.advance(5);
        assert_eq!(edge.secure_get(&viewer, path).await.x_cache(), "Hit");
        origin.received(fetched).await;
        let fresh = edge.secure_get(&viewer, path).await;
        assert_eq!((fresh.status, fresh.x_cache()), (200, "Hit"));
    }
    let asked: Vec<_> = origin.seen().into_iter().map(|s| s.target).collect();
    assert_eq!(asked, ["/plain", "/plain", "/other", "/other"]);
}

#[tokio::test]
async fn failures_of_the_origin_end_a_stream_and_not_the_connection() {
    // CF-222, CF-396, CF-772
    let (release, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |n| match n {
        1 => vec![
            Turn::send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
            Turn::Await(gate.clone()),
            Turn::Close,
        ],
        2 => vec![Turn::send("nonsense\r\n\r\n"), Turn::Close],
        _ => vec![
            Turn::send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
            Turn::Hold,
        ],
    })
    .await;
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .behavior("cache_policy: Managed-CachingDisabled")
        .start_at(&origin.url())
        .await;
    let viewer = SecureViewer::trusting(&authority).h2();
    let (mut sender, _driver) = connect(&edge, &viewer).await;
    let (response, _) = sender.send_request(get("/a"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "short");
    release.send_replace(true);
    let broken = body.data().await.expect("a reset").unwrap_err();
    assert!(broken.is_reset() && broken.is_remote(), "{broken:?}");
    let (response, _) = sender.send_request(get("/b"), true).unwrap();
    assert_eq!(answer(response).await.unwrap().0, 502);
    // CF-598: what follows a body in chunks is not passed on.
    let (response, _) = sender.send_request(get("/c"), true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().get("trailer")
        ),
        (200, None)
    );
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        all.extend_from_slice(&data.unwrap());
    }
    assert_eq!(all, b"ok");
    assert_eq!(body.trailers().await.unwrap(), None);
}
