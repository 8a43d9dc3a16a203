//! Requests the node refuses before anything else: smuggling shapes, limits, unknown hosts (CF section 9).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, RawOrigin, Reply, Turn, raw_exchange};

async fn status_of(edge: &fourfront_conformance::Running, request: &[u8]) -> String {
    let received = raw_exchange(edge.address(), request, b"\r\n\r\n").await;
    let text = String::from_utf8_lossy(&received).into_owned();
    text.split(' ').nth(1).unwrap_or("nothing").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn smuggling_shapes_get_400_and_never_reach_the_origin() {
    // CF-374, CF-760, CF-783
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let shapes: [(&str, &[u8]); 9] = [
        ("both lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"),
        ("folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n"),
        ("bare line feed", b"GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n"),
        ("nul in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n"),
        ("space in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"),
        ("unknown coding last", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    for (name, request) in shapes {
        assert_eq!(status_of(&edge, request).await, "400", "{name}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_comes_in_chunks_or_as_it_is() {
    // CF-371, CF-783, RFC 9112 sections 6.1 and 6.3
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let rows = [
        ("Transfer-Encoding: gzip, chunked", "501"),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "501",
        ),
        ("Transfer-Encoding: deflate , Chunked", "501"),
        // Where it ends cannot be told.
        ("Transfer-Encoding: gzip", "400"),
        ("Transfer-Encoding: chunked, gzip", "400"),
        ("Transfer-Encoding: chunked, chunked", "400"),
        ("Transfer-Encoding: identity", "400"),
        ("Transfer-Encoding: xchunked", "400"),
        ("Transfer-Encoding:", "400"),
    ];
    for (field, status) in rows {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        // To the end: the connection is closed.
        let answer = raw_exchange(edge.address(), request.as_bytes(), b"").await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{field}: {answer}"
        );
        assert!(
            answer.contains("Connection: close\r\n"),
            "{field}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{field}: {answer}");
        assert!(answer.contains("Request ID: "), "{field}: {answer}");
    }
    let old = b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status_of(&edge, old).await, "400");
    assert_eq!(origin.count(), 0);
    let plain = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status_of(&edge, plain).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_has_no_body() {
    // CF-369, CF-368, CF-782
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    for method in ["HEAD", "GET"] {
        let bodies = [
            "Content-Length: 3\r\n\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ];
        for body in bodies {
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{body}");
            let answer = raw_exchange(edge.address(), request.as_bytes(), b"").await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
            let has_page = answer.contains("</html>");
            assert_eq!(has_page, method == "GET", "{request}: {answer}");
        }
        assert_eq!(origin.count(), 0);
    }
    // An empty one is none.
    let empty = b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status_of(&edge, empty).await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_are_not_text_get_400_and_never_reach_the_origin() {
    // CF-760, CF-783
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start(&origin)
        .await;
    let targets: [(&str, &[u8]); 3] = [
        ("ISO-8859-1 in the query", b"/a?q=caf\xe9"),
        ("cut UTF-8 in the query", b"/a?q=\xc3"),
        ("ISO-8859-1 in the path", b"/caf\xe9"),
    ];
    for (name, target) in targets {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(status_of(&edge, &request).await, "400", "{name}");
    }
    assert_eq!(origin.count(), 0);
    // UTF-8 is no URL either, but means one thing only.
    let request = "GET /a?q=café HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(status_of(&edge, request.as_bytes()).await, "200");
    // The HTTP library escapes a NUL: it does no harm then.
    let request = b"GET /a?q=\0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(status_of(&edge, request).await, "200");
    assert_eq!(origin.last().target, "/a?q=%00");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_itself_refuses_has_its_page() {
    // CF-374, CF-780, CF-781
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let shapes: [&[u8]; 3] = [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    // What the HTTP library cannot read is answered before there is a request, and has its page all the same.
    let unread: [&[u8]; 2] = [
        b"GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ];
    for request in shapes.into_iter().chain(unread) {
        let answer = raw_exchange(edge.address(), request, b"").await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains("X-Cache: Error from fourfront") && answer.contains("Request ID: "),
            "{answer}"
        );
        for field in [
            "\r\nServer: Fourfront\r\n",
            "\r\nDate: ",
            "\r\nVia: 1.1 edge-1.fourfront (Fourfront)\r\n",
            "\r\nX-Amz-Cf-Pop: ",
            "\r\nX-Amz-Cf-Id: ",
        ] {
            assert!(answer.contains(field), "{field} {answer}");
        }
        assert!(!answer.contains("Cache-Control"), "{answer}");
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    }
    let connect = b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n";
    let answer = raw_exchange(edge.address(), connect, b"").await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET, HEAD"),
        "{answer}"
    );
    assert!(answer.contains("Request ID: "), "{answer}");
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_have_their_own_statuses() {
    // CF-360, CF-361, CF-362, CF-364, CF-765, CF-766, CF-770
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .node("limits: { max_body_bytes: 10 }")
        .start(&origin)
        .await;
    let long_url = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "u".repeat(8_200));
    assert_eq!(status_of(&edge, long_url.as_bytes()).await, "414");
    let big_head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n",
        "v".repeat(33_000)
    );
    assert_eq!(status_of(&edge, big_head.as_bytes()).await, "494");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X-A: b\r\n".repeat(201)
    );
    assert_eq!(status_of(&edge, many.as_bytes()).await, "400");
    assert_eq!(
        edge.request("POST", "/")
            .body("0123456789a")
            .send()
            .await
            .status,
        413
    );
    assert_eq!(
        edge.request("POST", "/")
            .body("0123456789")
            .send()
            .await
            .status,
        200
    );
    // A chunked body is counted as it comes.
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n0123456789ab\r\n0\r\n\r\n";
    assert_eq!(status_of(&edge, chunked).await, "413");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hosts_and_methods_are_refused() {
    // CF-030, CF-035, CF-527, CF-528, CF-761, CF-763
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new()
        .distribution("aliases: [known.test]")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.status, 403);
    let known = edge
        .request("GET", "/")
        .header("Host", "KNOWN.test:8080")
        .send()
        .await;
    assert_eq!(known.status, 200);
    for (method, status) in [("POST", 403), ("PROPFIND", 403), ("TRACE", 405)] {
        let answer = edge
            .request(method, "/")
            .header("Host", "known.test")
            .send()
            .await;
        assert_eq!(answer.status, status, "{method}");
    }
    let disabled = Edge::new()
        .distribution("enabled: false")
        .start(&origin)
        .await;
    assert_eq!(disabled.get("/").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_pages_name_the_request_and_their_cause() {
    // CF-780, CF-781, CF-782, CF-355
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().start(&origin).await;
    let answer = edge.request("POST", "/").send().await;
    let id = answer.header("x-amz-cf-id").unwrap();
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(answer.text().contains(&format!("Request ID: {id}")));
    assert_eq!(
        (answer.x_cache(), answer.header("server")),
        ("Error", Some("Fourfront"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_go_in_circles_end() {
    // CF-356
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new().start(&origin).await;
    let once = edge
        .request("GET", "/")
        .header("CDN-Loop", "fourfront")
        .send()
        .await;
    assert_eq!(once.status, 200);
    let twice = edge
        .request("GET", "/")
        .header("CDN-Loop", "fourfront, fourfront")
        .send()
        .await;
    assert_eq!(twice.status, 403);
}

/// What an origin gets as the target of a request for `target`, and what a function that runs `code` logs.
async fn passed_on(target: &[u8], event: &str, code: &str) -> (Vec<u8>, Vec<String>) {
    let origin = RawOrigin::start(|_| {
        vec![Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=60\r\n\r\nx",
        )]
    })
    .await;
    let edge = Edge::new()
        .hook(event, code)
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start_at(&origin.url())
        .await;
    let request = [
        b"GET ",
        target,
        b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ]
    .concat();
    for token in ["Miss", "Hit"] {
        let received = raw_exchange(edge.address(), &request, b"").await;
        let text = String::from_utf8_lossy(&received);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains(&format!("X-Cache: {token} ")), "{text}");
    }
    // What is escaped is another object.
    let escaped = b"GET /caf%E9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let received = raw_exchange(edge.address(), escaped, b"").await;
    assert!(String::from_utf8_lossy(&received).contains("X-Cache: Miss "));
    let head = origin.raw_heads().remove(0);
    let sent = head.split(|b| *b == b' ').nth(1).unwrap_or_default();
    let logs = edge.logs().into_iter().map(|line| line.message);
    (sent.to_vec(), logs.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_are_not_utf8_pass_as_they_came_or_as_functions_leave_them() {
    // LE-235, LE-236, LE-567, CF-326
    let see = "console.log(request.uri + ' ' + request.querystring); return request;";
    for target in [&b"/caf\xe9"[..], b"/caf\xe9?q=\xe9", b"/a?q=\xe9&r=%E9"] {
        for event in ["viewer-request", "origin-request"] {
            let (sent, logs) = passed_on(target, event, see).await;
            assert_eq!(sent, target, "{event}");
            // As ISO-8859-1.
            let seen: String = target.iter().map(|b| char::from(*b)).collect();
            let (path, query) = seen.split_once('?').unwrap_or((&seen, ""));
            assert_eq!(logs[0], format!("{path} {query}"), "{event}");
        }
    }
    // What a function changes goes as UTF-8, and the rest as it came.
    let change = "request.uri = request.uri + '/new'; return request;";
    let (sent, _) = passed_on(b"/caf\xe9?q=\xe9", "origin-request", change).await;
    assert_eq!(sent, b"/caf\xc3\xa9/new?q=\xe9");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_utf8_pass_unharmed() {
    // LE-235, LE-236, LE-567, CF-326
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let see = r#"exports.handler = async (event) => {
        const request = event.Records[0].cf.request;
        console.log(request.headers["x-name"][0].value + " " + request.querystring);
        return request;
    };"#;
    let edge = Edge::new()
        .function("see", see)
        .behavior("on: { viewer-request: see }")
        .behavior("cache_policy: { min_ttl: 0, query_strings: all, headers: [X-Name] }")
        .start(&origin)
        .await;
    let request =
        b"GET /a?q=%E9 HTTP/1.1\r\nHost: a\r\nX-Name: caf\xe9\r\nConnection: close\r\n\r\n";
    assert_eq!(status_of(&edge, request).await, "200");
    // Read as ISO-8859-1 for the function, escapes left alone.
    assert_eq!(edge.logs()[0].message, "caf\u{e9} q=%E9");
    assert_eq!(origin.last().target, "/a?q=%E9");
}
