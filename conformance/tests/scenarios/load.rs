//! How much a node takes on at the same time (CF-517, CF-605, CF-773).

use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, Origin, RawOrigin, Reply, SecureViewer, Turn, handler,
    raw_exchange,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

fn metric(edge: &fourfront_conformance::Running, name: &str) -> u64 {
    let metrics = edge.metrics();
    let line = metrics.lines().find_map(|l| l.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().expect("a number"))
}

/// Waits until something is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, waiting)
        .await
        .expect("within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_answered_503_and_what_is_under_way_goes_on() {
    // CF-517, CF-703, CF-773, CF-780
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |seen| {
        let reply = Reply::ok("served").header("Cache-Control", "max-age=60");
        match seen.target.as_str() {
            "/slow" => reply.after(&gate),
            _ => reply,
        }
    })
    .await;
    let authority = Authority::new();
    let tls = SecureViewer::trusting(&authority);
    let edge = Edge::new()
        .node("max_requests: 2")
        .behavior(ALL_METHODS)
        .function("never", &handler("throw new Error('it is not called')"))
        .path("/function", "on: { viewer-request: never }")
        .distribution("custom_error_responses: [{ error_code: 503, response_page_path: /page, response_code: 200 }]")
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    // Stored, and still refused: it is the node that is busy.
    assert_eq!(edge.get("/stored").await.status, 200);
    // A request is taken on until a moment after its answer is out.
    until(|| edge.node().load().requests() == 0).await;
    let held: Vec<_> = (0..2)
        .map(|_| tokio::spawn(edge.request("GET", "/slow").send()))
        .collect();
    // The second waits for the first one's fetch.
    until(|| edge.node().load().requests() == 2).await;
    for (way, request) in [
        ("plain", edge.request("GET", "/stored")),
        ("a function", edge.request("GET", "/function")),
        // The way of what needs an origin or has a body.
        ("a body", edge.request("POST", "/other").body("x")),
        ("HEAD", edge.request("HEAD", "/stored")),
        ("tls", edge.secure_request(&tls, "GET", "/stored")),
        ("h2", edge.secure_request(&tls.h2(), "GET", "/stored")),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, 503, "{way}");
        assert_eq!(answer.x_cache(), "CapacityExceeded", "{way}");
        if way != "HEAD" {
            assert!(answer.text().contains("Error: CapacityExceeded"), "{way}");
        }
        let json = edge.record_of(&answer).await.to_json();
        for name in [
            "x-edge-result-type",
            "x-edge-response-result-type",
            "x-edge-detailed-result-type",
        ] {
            assert_eq!(json[name], "CapacityExceeded", "{way}");
        }
        assert_eq!(json["sc-status"], 503, "{way}");
        assert_eq!(json.get("ff-hooks"), None, "{way}");
    }
    assert_eq!(
        metric(&edge, "fourfront_refused_total{what=\"requests\"}"),
        6
    );
    let counted = edge.metrics();
    assert!(
        counted.contains("result=\"CapacityExceeded\",status=\"503\"} "),
        "{counted}"
    );
    // Who asks for nobody is told the same.
    let nobody = edge
        .request("GET", "/")
        .header("Host", "nobody")
        .send()
        .await;
    assert_eq!(nobody.status, 503);

    open.send(true).unwrap();
    for answer in held {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "served"));
    }
    until(|| edge.node().load().requests() == 0).await;
    assert_eq!(edge.get("/stored").await.status, 200);
    until(|| edge.node().load().requests() == 0).await;
    // A reload changes it.
    let unlimited = edge
        .site_file()
        .replace("max_requests: 2", "max_requests: 3");
    edge.reload(&unlimited).expect("a good site file");
    assert_eq!(edge.get("/stored").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_and_closed() {
    // CF-773, CF-780, CF-781
    let origin = Origin::saying("served").await;
    let authority = Authority::new();
    let edge = Edge::new()
        .node("max_connections: 2")
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
        viewer.write_all(request).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"served") {
            assert!(viewer.read_buf(&mut received).await.unwrap() > 0);
        }
        kept.push(viewer);
    }
    assert_eq!(metric(&edge, "fourfront_viewer_connections "), 2);
    let refused = raw_exchange(edge.address(), request, b"").await;
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(
        refused.contains("X-Cache: CapacityExceeded from"),
        "{refused}"
    );
    assert!(refused.contains("Connection: close\r\n"), "{refused}");
    assert!(refused.contains("Request ID: "), "{refused}");
    // With TLS it is closed without a handshake.
    let mut secure = TcpStream::connect(edge.secure_address()).await.unwrap();
    assert_eq!(secure.read(&mut [0; 16]).await.unwrap_or(0), 0);
    // One that says nothing is closed, too.
    let silent = raw_exchange(edge.address(), b"", b"").await;
    assert!(silent.is_empty());
    assert_eq!(
        metric(&edge, "fourfront_refused_total{what=\"connections\"}"),
        3
    );

    // Those that are there are served, and one that leaves makes room.
    let mut first = kept.remove(0);
    first.write_all(request).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"served") {
        assert!(first.read_buf(&mut received).await.unwrap() > 0);
    }
    drop(first);
    until(|| edge.node().load().connections() == 1).await;
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_limit_are_not_compressed_and_stored_as_they_are() {
    // CF-605, CF-209
    let page = "<li>All the world is a page</li>\n".repeat(200);
    let (open, gate) = watch::channel(false);
    let text = page.clone();
    let slow = RawOrigin::start(move |_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        let (first, rest) = text.split_at(1000);
        vec![
            Turn::send(&head),
            Turn::send(first),
            Turn::Await(gate.clone()),
            Turn::send(rest),
        ]
    })
    .await;
    let text = page.clone();
    let origin = Origin::start(move |_| {
        Reply::ok(text.clone())
            .header("Content-Type", "text/html")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = Edge::new()
        .node("compression: { max_in_flight: 1 }")
        .distribution("id: ESITE")
        .behavior("compress: true")
        .origin(&format!("slow: {}", slow.url()))
        .path("/long", "origin: slow, compress: true")
        .start(&origin)
        .await;
    let get = |path: &str| edge.request("GET", path).header("Accept-Encoding", "gzip");
    let long = get("/long").open().await.expect("a head");
    assert_eq!(long.so_far().header("content-encoding"), Some("gzip"));
    // It is being compressed until its end comes.
    let skipped = "fourfront_compression_skipped_total{distribution=\"ESITE\"}";
    for token in ["Miss", "Hit"] {
        let plain = get("/plain").send().await;
        assert_eq!(
            (plain.x_cache(), plain.header("content-encoding")),
            (token, None)
        );
        assert_eq!(plain.text(), page);
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    }
    assert_eq!(metric(&edge, skipped), 1);
    open.send(true).unwrap();
    long.whole().await;
    until(|| edge.node().in_flight().count() == 0).await;
    let packed = get("/packed").send().await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    // What is stored stays as it is until it expires.
    assert_eq!(get("/plain").send().await.header("content-encoding"), None);
    edge.advance(61);
    let anew = get("/plain").send().await;
    assert_eq!(anew.header("content-encoding"), Some("gzip"));
    assert_eq!(metric(&edge, skipped), 1);
}
