//! What origins are sent and what functions are shown on the way (CF section 4, LE section 2).

use fourfront_conformance::{
    ALL_METHODS, Edge, Origin, RawOrigin, Reply, Turn, handler, raw_exchange,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a browser, a proxy or a forger may send, field by field.
const FIELDS: &[(&str, &str)] = &[
    ("Accept", "text/html"),
    ("Accept-Language", "pt"),
    ("Referer", "https://a.test/"),
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Cookie", "a=1"),
    ("Date", "Tue, 03 Mar 2026 09:00:00 GMT"),
    ("From", "ana@a.test"),
    ("Max-Forwards", "5"),
    ("Warning", "199 - x"),
    ("Origin", "https://a.test"),
    ("Request-Range", "bytes=0-1"),
    ("User-Agent", "probe/1"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Custom", "1"),
    ("Keep-Alive", "timeout=5"),
    ("Connection", "keep-alive, X-Hop"),
    ("X-Hop", "1"),
    ("TE", "trailers"),
    ("Trailer", "X-Sum"),
    ("Upgrade", "h2c"),
    ("Proxy-Authorization", "Basic YTpi"),
    ("Proxy-Connection", "keep-alive"),
    ("X-Edge-Location", "forged"),
    ("X-Amz-Cf-Id", "forged"),
    ("X-Forwarded-Proto", "https"),
    ("X-Real-IP", "192.0.2.1"),
    ("CloudFront-Viewer-Country", "PT"),
    ("Client-Cert", "forged"),
];

async fn sent_by(edge: Edge) -> Vec<String> {
    let origin = Origin::saying("x").await;
    let edge = edge.start(&origin).await;
    let request = FIELDS
        .iter()
        .fold(edge.request("GET", "/"), |r, (name, value)| {
            r.header(name, value)
        });
    assert_eq!(request.send().await.status, 200);
    let seen = origin.last();
    assert_ne!(seen.header("x-amz-cf-id"), Some("forged"));
    let mut names: Vec<String> = seen.headers.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

/// Fields the node writes to every origin.
const WRITTEN: [&str; 7] = [
    "cdn-loop",
    "connection",
    "host",
    "user-agent",
    "via",
    "x-amz-cf-id",
    "x-forwarded-for",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_hardly_anything_of_the_viewers_is_sent() {
    // CF-330, CF-331, CF-334, CF-335, CF-337, CF-338, CF-342, CF-343, CF-345, CF-347, CF-350, CF-351, CF-358, CF-355
    assert_eq!(sent_by(Edge::new()).await, WRITTEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_fields_are_sent_and_those_of_the_connection_never() {
    // CF-125, CF-127, CF-330, CF-331, CF-342
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, headers: [Accept-Language] }")
        .behavior("origin_request_policy: { headers: [Referer, X-Custom] }");
    let mut expected = WRITTEN.to_vec();
    expected.extend(["accept-language", "referer", "x-custom"]);
    expected.sort_unstable();
    assert_eq!(sent_by(edge).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_viewer_sends_everything_but_the_connections_and_the_nodes_own() {
    // CF-143, CF-350, CF-357, CF-358, CF-335, CF-343
    let names = sent_by(Edge::new().behavior("origin_request_policy: Managed-AllViewer")).await;
    for kept in [
        "accept",
        "accept-language",
        "referer",
        "cookie",
        "origin",
        "x-custom",
        "user-agent",
        "host",
    ] {
        assert!(
            names.iter().any(|n| n == kept),
            "{kept} is missing: {names:?}"
        );
    }
    let removed = [
        "keep-alive",
        "x-hop",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
        "x-edge-location",
        "x-forwarded-proto",
        "x-real-ip",
        "client-cert",
        "cloudfront-viewer-country",
    ];
    for name in removed {
        assert!(
            !names.iter().any(|n| n == name),
            "{name} was sent: {names:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_and_user_agent_are_the_nodes_unless_a_policy_names_them() {
    // CF-128, CF-340, CF-348
    let origin = Origin::saying("x").await;
    let ask = |edge: fourfront_conformance::Running| async move {
        edge.request("GET", "/")
            .header("Host", "shop.test")
            .header("User-Agent", "probe/1")
            .send()
            .await;
    };
    let pair = || {
        let seen = origin.last();
        [
            seen.header("host").map(str::to_owned),
            seen.header("user-agent").map(str::to_owned),
        ]
    };
    let some = |a: &str, b: &str| [Some(a.to_owned()), Some(b.to_owned())];
    ask(Edge::new().start(&origin).await).await;
    assert_eq!(pair(), some("127.0.0.1", "Fourfront"));
    ask(Edge::new()
        .behavior("origin_request_policy: Managed-AllViewer")
        .start(&origin)
        .await)
    .await;
    assert_eq!(pair(), some("shop.test", "probe/1"));
    let but_host = "origin_request_policy: { headers: { all_except: [Host] } }";
    ask(Edge::new().behavior(but_host).start(&origin).await).await;
    assert_eq!(pair(), some("127.0.0.1", "probe/1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_hops_are_continued() {
    // CF-349, CF-352, CF-353, CF-354, CF-356
    let origin = Origin::saying("x").await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/a").await;
    let seen = origin.last();
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("via"), Some("1.1 edge-1.fourfront (Fourfront)"));
    assert_eq!(seen.header("cdn-loop"), Some("fourfront"));
    edge.request("GET", "/b")
        .header("X-Forwarded-For", "198.51.100.7, 192.0.2.9")
        .header("Via", "1.0 outer")
        .header("CDN-Loop", "other; v=1")
        .send()
        .await;
    let seen = origin.last();
    assert_eq!(
        seen.header("x-forwarded-for"),
        Some("198.51.100.7, 192.0.2.9, 127.0.0.1")
    );
    assert_eq!(
        seen.header("via"),
        Some("1.0 outer, 1.1 edge-1.fourfront (Fourfront)")
    );
    assert_eq!(seen.header("cdn-loop"), Some("other; v=1, fourfront"));
    edge.request("GET", "/c")
        .header("X-Forwarded-For", "198.51.100.7,192.0.2.9")
        .send()
        .await;
    assert_eq!(
        origin.last().header("x-forwarded-for"),
        Some("198.51.100.7,192.0.2.9,127.0.0.1")
    );
    // The list is not believed: the viewer is the peer.
    assert_eq!(edge.recorded(1).await[0].to_json()["c-ip"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_as_it_goes_over_the_wire() {
    // CF-325, CF-327, CF-335, CF-355, CF-359, CF-414
    let origin =
        RawOrigin::start(|_| vec![Turn::send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")])
            .await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, query_strings: all, headers: [X-cUSTOM] }")
        .start_at(&format!("{}/base/dir", origin.url()))
        .await;
    let answer = edge
        .request("GET", "/a/../b//%7e?q=%20&&x")
        .header("x-custom", "1")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let head = &origin.heads()[0];
    let mut lines = head.lines();
    assert_eq!(
        lines.next(),
        Some("GET /base/dir/a/../b//%7e?q=%20&&x HTTP/1.1")
    );
    assert_eq!(lines.next(), Some("Host: 127.0.0.1"));
    for line in [
        "User-Agent: Fourfront",
        "X-Custom: 1",
        "Via: 1.1 edge-1.fourfront (Fourfront)",
        "X-Forwarded-For: 127.0.0.1",
        "CDN-Loop: fourfront",
        "Connection: Keep-Alive",
    ] {
        assert!(
            head.lines().any(|l| l == line),
            "`{line}` is missing:\n{head}"
        );
    }
    let id = answer.header("x-amz-cf-id").unwrap();
    assert!(
        head.lines().any(|l| l == format!("X-Amz-Cf-Id: {id}")),
        "{head}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_headers_of_the_origin_win() {
    // CF-412, CF-130, LE-014
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .origin(&format!(
            "own: {{ domain_name: '127.0.0.1:{}', origin_path: /app, custom_headers: {{ X-Secret: s3cret, X-Custom: node }}, custom_origin_config: {{ origin_protocol_policy: http-only }} }}",
            origin.address().port()
        ))
        .behavior("origin: own")
        .behavior("origin_request_policy: { headers: [X-Custom] }")
        .start_at("")
        .await;
    edge.request("GET", "/a")
        .header("X-Custom", "viewer")
        .send()
        .await;
    let seen = origin.last();
    assert_eq!(seen.target, "/app/a");
    let all = |name: &str| {
        seen.headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (all("x-secret"), all("x-custom")),
        (vec!["s3cret".to_owned()], vec!["node".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_origin_are_used_again() {
    // CF-395
    let origin = Origin::saying("x").await;
    let edge = Edge::new().threads(1, 1).start(&origin).await;
    for n in 0..10 {
        assert_eq!(edge.get(&format!("/{n}")).await.x_cache(), "Miss");
    }
    assert_eq!((origin.count(), origin.connections()), (10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_reach_the_origin_whole_with_length_or_in_chunks() {
    // CF-336, CF-346, CF-370
    let origin = Origin::saying("x").await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let body: Vec<u8> = (0..300_000u32).map(|i| (i % 253) as u8).collect();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = edge
            .request(method, "/")
            .header("Content-Type", "application/octet-stream")
            .body(body.clone())
            .send()
            .await;
        assert_eq!(answer.status, 200, "{method}");
        let seen = origin.last();
        assert!(seen.body == body, "{method}: {} bytes", seen.body.len());
        assert_eq!(seen.header("content-length"), Some("300000"), "{method}");
        assert_eq!(
            seen.header("content-type"),
            Some("application/octet-stream"),
            "{method}"
        );
    }
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let received = raw_exchange(edge.address(), request, b"\r\n\r\nx").await;
    assert!(
        received.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&received)
    );
    let seen = origin.last();
    assert_eq!(seen.body, "abcdefg");
    assert_eq!(
        (
            seen.header("transfer-encoding"),
            seen.header("content-length")
        ),
        (Some("chunked"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_to_the_origin_while_the_viewer_sends_them() {
    // CF-370, LE-246
    let origin = RawOrigin::start(|_| {
        vec![
            Turn::send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"),
            Turn::Hold,
        ]
    })
    .await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .start_at(&origin.url())
        .await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        .await
        .unwrap();
    // The origin has the head, and has answered, before the viewer sends the rest.
    origin.received(1).await;
    viewer.write_all(b"56789").await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"early") {
        let n = viewer.read_buf(&mut received).await.unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&received));
    }
    assert!(received.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expectation_is_met_here_and_not_passed_on() {
    // CF-372, CF-339, CF-768
    let origin = Origin::saying("x").await;
    let edge = Edge::new().behavior(ALL_METHODS).start(&origin).await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut received = Vec::new();
    while !received.windows(4).any(|w| w == b"\r\n\r\n") {
        assert!(viewer.read_buf(&mut received).await.unwrap() > 0);
    }
    assert!(
        received.starts_with(b"HTTP/1.1 100"),
        "{}",
        String::from_utf8_lossy(&received)
    );
    viewer.write_all(b"body").await.unwrap();
    let mut rest = Vec::new();
    viewer.read_to_end(&mut rest).await.unwrap();
    assert!(
        rest.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    let seen = origin.last();
    assert_eq!(
        (seen.body.as_ref(), seen.header("expect")),
        (&b"body"[..], None)
    );
    let answer = edge
        .request("POST", "/")
        .header("Expect", "miracles")
        .body("x")
        .send()
        .await;
    assert_eq!(answer.status, 417);
}

async fn events_of(edge: &fourfront_conformance::Running, request: &[u8]) -> (Vec<Value>, String) {
    let before = edge.logs().len();
    let received = raw_exchange(edge.address(), request, b"").await;
    let text = String::from_utf8_lossy(&received).into_owned();
    let id = text.lines().find_map(|l| {
        l.to_ascii_lowercase()
            .starts_with("x-amz-cf-id: ")
            .then(|| l["x-amz-cf-id: ".len()..].to_owned())
    });
    let events = edge.logs()[before..]
        .iter()
        .map(|l| serde_json::from_str(&l.message).expect("the function logs JSON"))
        .collect();
    (events, id.unwrap_or_else(|| panic!("no id: {text}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trigger_is_shown_exactly_its_fields() {
    // LE-060, LE-061, LE-062, LE-070, LE-071, LE-072, LE-073, LE-074, LE-075, LE-076, LE-077, LE-078, LE-080, LE-081,
    // LE-082, LE-083, LE-084, LE-090, LE-091, LE-092, LE-093, LE-094, LE-095, LE-097, LE-196, LE-197, LE-207, LE-238
    let origin = Origin::start(|_| {
        Reply::ok("body")
            .header("Date", "Tue, 03 Mar 2026 09:00:00 GMT")
            .header("Content-Type", "text/html")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let port = origin.address().port();
    let edge = Edge::new()
        .distribution("id: FFSHOP0001")
        .distribution("domain_name: shop.edge.test")
        .function("log", &handler("console.log(JSON.stringify(event)); return response || request;"))
        .behavior("on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }")
        .start_at(&format!("http://127.0.0.1:{port}/v3"))
        .await;
    let request = b"GET /catalogue?page=2&utm=a%20b HTTP/1.1\r\nHost: shop.example.test\r\nUser-Agent: probe/1\r\n\
        X-Probe: one\r\nx-probe: two\r\nCookie: sid=77\r\nCookie: theme=dark\r\nAccept-Encoding: gzip\r\n\
        X-Real-IP: 192.0.2.1\r\nConnection: close\r\n\r\n";
    let (events, id) = events_of(&edge, request).await;
    let line = |key: &str, value: &str| json!([{ "key": key, "value": value }]);
    let config = |event: &str| json!({ "distributionDomainName": "shop.edge.test", "distributionId": "FFSHOP0001", "eventType": event, "requestId": id });
    let viewer = json!({
        "clientIp": "127.0.0.1", "method": "GET", "uri": "/catalogue", "querystring": "page=2&utm=a%20b",
        "headers": {
            "host": line("Host", "shop.example.test"),
            "user-agent": line("User-Agent", "probe/1"),
            "x-probe": [{ "key": "X-Probe", "value": "one" }, { "key": "x-probe", "value": "two" }],
            "cookie": line("Cookie", "sid=77; theme=dark"),
            "accept-encoding": line("Accept-Encoding", "gzip"),
        },
    });
    let outgoing = json!({
        "clientIp": "127.0.0.1", "method": "GET", "uri": "/catalogue", "querystring": "",
        "headers": {
            "host": line("Host", "127.0.0.1"),
            "user-agent": line("User-Agent", "Fourfront"),
            "accept-encoding": line("Accept-Encoding", "gzip"),
            "via": line("Via", "1.1 edge-1.fourfront (Fourfront)"),
            "x-forwarded-for": line("X-Forwarded-For", "127.0.0.1"),
            "cdn-loop": line("CDN-Loop", "fourfront"),
        },
        "origin": { "custom": {
            "customHeaders": {}, "domainName": "127.0.0.1", "keepaliveTimeout": 5, "path": "/v3", "port": port,
            "protocol": "http", "readTimeout": 30, "sslProtocols": ["TLSv1.2"],
        } },
    });
    let response = json!({
        "status": "200", "statusDescription": "OK",
        "headers": {
            "date": line("Date", "Tue, 03 Mar 2026 09:00:00 GMT"),
            "content-type": line("Content-Type", "text/html"),
            "cache-control": line("Cache-Control", "max-age=60"),
            "content-length": line("Content-Length", "4"),
        },
    });
    let event = |config: Value, request: &Value, response: Option<&Value>| {
        let mut cf = json!({ "config": config, "request": request });
        if let Some(response) = response {
            cf["response"] = response.clone();
        }
        json!({ "Records": [{ "cf": cf }] })
    };
    assert_eq!(events.len(), 4);
    assert_eq!(events[0], event(config("viewer-request"), &viewer, None));
    assert_eq!(events[1], event(config("origin-request"), &outgoing, None));
    assert_eq!(
        events[2],
        event(config("origin-response"), &outgoing, Some(&response))
    );
    assert_eq!(
        events[3],
        event(config("viewer-response"), &viewer, Some(&response))
    );

    // On a hit, `Age` joins what the viewer-response function sees; the id is another one.
    edge.advance(5);
    let (events, hit_id) = events_of(&edge, request).await;
    assert_eq!(events.len(), 2);
    assert_ne!(hit_id, id);
    let cf = &events[1]["Records"][0]["cf"];
    assert_eq!(cf["config"]["requestId"], hit_id);
    assert_eq!(cf["response"]["headers"]["age"][0]["value"], "5");
    assert_eq!(cf["request"], viewer);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_given_by_name_and_settings_is_shown_with_them() {
    // LE-101, LE-108, LE-109, LE-110, LE-111, LE-080
    let origin = Origin::saying("x").await;
    let port = origin.address().port();
    let edge = Edge::new()
        .function("log", &handler("console.log(JSON.stringify(request.origin)); return request;"))
        .origin(&format!(
            "own: {{ domain_name: localhost, origin_path: /v3, custom_headers: {{ X-Env: staging }}, response_completion_timeout: 60, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port}, origin_read_timeout: 25, origin_keepalive_timeout: 10, origin_ssl_protocols: [TLSv1.2] }} }}"
        ))
        .behavior("origin: own")
        .behavior("on: { origin-request: log }")
        .start_at("")
        .await;
    assert_eq!(edge.get("/").await.status, 200);
    let shown: Value = serde_json::from_str(&edge.logs()[0].message).unwrap();
    assert_eq!(
        shown,
        json!({ "custom": {
            "customHeaders": { "x-env": [{ "key": "X-Env", "value": "staging" }] }, "domainName": "localhost",
            "keepaliveTimeout": 10, "path": "/v3", "port": port, "protocol": "http", "readTimeout": 25,
            "responseCompletionTimeout": 60, "sslProtocols": ["TLSv1.2"],
        } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_a_post_brings_is_shown_without_its_body() {
    // LE-079, LE-120, LE-213, LE-215
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .function(
            "log",
            &handler(
                "console.log([request.method, 'body' in request, Object.keys(request.headers).filter((n) => /length|encoding|type/.test(n)).sort()].join()); return request;",
            ),
        )
        .behavior(ALL_METHODS)
        .behavior("on: { viewer-request: log, origin-request: log }")
        .start(&origin)
        .await;
    edge.request("POST", "/")
        .header("Content-Type", "text/plain")
        .body("abc")
        .send()
        .await;
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(lines, ["POST,false,content-length,content-type"; 2]);
    assert_eq!(origin.last().body, "abc");
}
