//! Request bodies that functions are shown (`include_body`): what they see, and what the origin gets (LE sections
//! 2.4 and 5.2).

use fourfront_conformance::{Edge, Origin, Reply, Running, handler, raw_exchange};

pub(super) const ALL_METHODS: &str =
    "allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]";
pub(super) const BOTH: &str = "on: { viewer-request: { function: see, include_body: true }, origin-request: { function: see, include_body: true } }";

/// Logs where it runs, whether the body is cut, its length and a checksum.
pub(super) const SEE: &str = "const data = Buffer.from(request.body.data, 'base64');
     console.log([config.eventType, request.body.inputTruncated, data.length, data.reduce((sum, b) => (sum * 31 + b) >>> 0, 7)].join());
     return request;";

/// What [`SEE`] logs.
pub(super) fn seen(event: &str, truncated: bool, data: &[u8]) -> String {
    let sum = data.iter().fold(7u32, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u32::from(*b))
    });
    format!("{event},{truncated},{},{sum}", data.len())
}

/// Bytes in which no two places look alike for long.
pub(super) fn body_of(length: usize) -> Vec<u8> {
    let rows = (0..5u8).cycle();
    rows.flat_map(|row| row..row + 251).take(length).collect()
}

pub(super) fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

/// The body in chunks of some 5000 bytes.
pub(super) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in body.chunks(5003) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

async fn post_chunked(edge: &Running, body: &[u8]) -> String {
    let request = post(
        "Transfer-Encoding: chunked\r\nConnection: close\r\n",
        &chunked(body),
    );
    let received = raw_exchange(edge.address(), &request, b"").await;
    String::from_utf8_lossy(&received).into_owned()
}

pub(super) fn messages(edge: &Running) -> Vec<String> {
    edge.logs().into_iter().map(|l| l.message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_read_and_goes_on_byte_for_byte() {
    // LE-079, LE-120, LE-121, LE-122, LE-516
    for event in ["viewer-request", "origin-request"] {
        let origin = Origin::start(|_| Reply::ok("done")).await;
        let edge = Edge::new()
            .function(
                "form",
                &handler(
                    "console.log(Object.keys(request.body).join(), request.body.data);
                     const form = new URLSearchParams(Buffer.from(request.body.data, 'base64').toString());
                     for (const [name, value] of form) console.log(name + '=' + value);
                     return request;",
                ),
            )
            .behavior(ALL_METHODS)
            .behavior(&format!("on: {{ {event}: {{ function: form, include_body: true }} }}"))
            .start(&origin)
            .await;
        let answer = edge
            .request("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("name=Ana&topic=a+b%26c")
            .send()
            .await;
        assert_eq!((answer.status, answer.text()), (200, "done"), "{event}");
        assert_eq!(
            messages(&edge),
            [
                "inputTruncated,action,encoding,data bmFtZT1BbmEmdG9waWM9YStiJTI2Yw==",
                "name=Ana",
                "topic=a b&c"
            ],
            "{event}"
        );
        let received = origin.last();
        assert_eq!(received.body, "name=Ana&topic=a+b%26c");
        assert_eq!(received.header("content-length"), Some("22"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trigger_is_shown_as_much_as_its_limit_and_the_origin_gets_all() {
    // LE-123, LE-239, LE-257, LE-563, CF-370
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    let (viewer, at_origin) = (40_960, 1_048_576);
    for length in [
        1, 40_960, 40_961, 65_536, 65_537, 131_073, 1_048_576, 1_048_577, 3_000_000,
    ] {
        let body = body_of(length);
        let before = edge.logs().len();
        let answer = edge.request("POST", "/").body(body.clone()).send().await;
        assert_eq!((answer.status, answer.text()), (200, "done"), "{length}");
        let received = origin.last();
        assert!(received.body == body, "{length}: {}", received.body.len());
        assert_eq!(
            received.header("content-length"),
            Some(length.to_string().as_str())
        );
        let cut = |limit: usize| &body[..length.min(limit)];
        assert_eq!(
            messages(&edge)[before..],
            [
                seen("viewer-request", length > viewer, cut(viewer)),
                seen("origin-request", length > at_origin, cut(at_origin)),
            ],
            "{length}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_chunks_are_shown_and_relayed_like_any_other() {
    // LE-123, LE-239, CF-370
    let both = Edge::new().behavior(BOTH);
    let origin_only =
        Edge::new().behavior("on: { origin-request: { function: see, include_body: true } }");
    for (edge, viewer_runs) in [(both, true), (origin_only, false)] {
        let origin = Origin::start(|_| Reply::ok("done")).await;
        let edge = edge
            .function("see", &handler(SEE))
            .behavior(ALL_METHODS)
            .start(&origin)
            .await;
        for length in [
            0, 7, 40_960, 50_000, 65_536, 70_000, 400_000, 1_048_576, 1_300_000,
        ] {
            let body = body_of(length);
            let before = edge.logs().len();
            let answer = post_chunked(&edge, &body).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{length}: {answer}");
            let received = origin.last();
            assert!(received.body == body, "{length}: {}", received.body.len());
            assert_eq!(
                (
                    received.header("transfer-encoding"),
                    received.header("content-length")
                ),
                (Some("chunked"), None),
                "{length}"
            );
            let shown =
                |event, limit: usize| seen(event, length > limit, &body[..length.min(limit)]);
            let mut expected = vec![shown("origin-request", 1_048_576)];
            if viewer_runs {
                expected.insert(0, shown("viewer-request", 40_960));
            }
            assert_eq!(messages(&edge)[before..], expected, "{length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_shown_can_be_replaced() {
    // LE-240, LE-245, LE-184
    let shout = "const text = Buffer.from(request.body.data, 'base64').toString();
         request.body = { action: 'replace', encoding: 'text', data: text.slice(0, 9).toUpperCase() + config.eventType };
         return request;";
    for (on, expected) in [
        (
            "viewer-request: { function: shout, include_body: true }",
            "AAAAAAAAAviewer-request",
        ),
        (
            "origin-request: { function: shout, include_body: true }",
            "AAAAAAAAAorigin-request",
        ),
        (
            "viewer-request: { function: shout, include_body: true }, origin-request: { function: see, include_body: true }",
            "AAAAAAAAAviewer-request",
        ),
        (
            "viewer-request: { function: shout, include_body: true }, origin-request: { function: shout, include_body: true }",
            "AAAAAAAAAorigin-request",
        ),
    ] {
        let origin = Origin::start(|_| Reply::ok("done")).await;
        let edge = Edge::new()
            .function("shout", &handler(shout))
            .function("see", &handler(SEE))
            .behavior(ALL_METHODS)
            .behavior(&format!("on: {{ {on} }}"))
            .start(&origin)
            .await;
        for length in [20, 30_000, 100_000, 2_000_000] {
            let body = vec![b'a'; length];
            let answer = edge.request("POST", "/").body(body.clone()).send().await;
            assert_eq!(answer.status, 200, "{on}: {length}");
            let received = origin.last();
            assert_eq!(received.body, expected, "{on}: {length}");
            assert_eq!(received.header("content-length"), Some("23"));

            let answer = post_chunked(&edge, &body).await;
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "{on}: {length}: {answer}"
            );
            let received = origin.last();
            assert_eq!(received.body, expected, "{on}: {length}, chunked");
            assert_eq!(
                (
                    received.header("content-length"),
                    received.header("transfer-encoding")
                ),
                (Some("23"), None)
            );
        }
        if on.contains("see") {
            // The second function is shown what the first one made.
            let expected = seen("origin-request", false, expected.as_bytes());
            assert!(messages(&edge).iter().all(|m| *m == expected));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_body_has_an_empty_one() {
    // LE-124, LE-125, CF-368
    let origin = Origin::start(|_| Reply::ok("done").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    for (method, path) in [
        ("GET", "/a"),
        ("HEAD", "/b"),
        ("POST", "/c"),
        ("DELETE", "/d"),
    ] {
        let before = edge.logs().len();
        assert_eq!(edge.request(method, path).send().await.status, 200);
        assert_eq!(
            messages(&edge)[before..],
            [
                seen("viewer-request", false, b""),
                seen("origin-request", false, b"")
            ],
            "{method}"
        );
        assert_eq!(origin.last().body, "", "{method}");
    }
    // A hit shows the viewer trigger the same.
    let before = edge.logs().len();
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    assert_eq!(
        messages(&edge)[before..],
        [seen("viewer-request", false, b"")]
    );
    // A GET with a body comes to no function.
    let before = edge.logs().len();
    let answer = edge.request("GET", "/a").body("x").send().await;
    assert_eq!((answer.status, edge.logs().len()), (403, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_of_the_node_reaches_no_function() {
    // CF-362, CF-765
    let origin = Origin::start(|_| Reply::ok("done")).await;
    for on in [
        BOTH,
        "on: { origin-request: { function: see, include_body: true } }",
    ] {
        let edge = Edge::new()
            .function("see", &handler(SEE))
            .behavior(ALL_METHODS)
            .behavior(on)
            .node("limits: { max_body_bytes: 10 }")
            .start(&origin)
            .await;
        let answer = post_chunked(&edge, b"0123456789a").await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert_eq!(edge.logs().len(), 0);
        let answer = post_chunked(&edge, b"0123456789").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_none_get_400_and_reach_no_function() {
    // CF-371, CF-374
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function("see", &handler(SEE))
        .behavior(ALL_METHODS)
        .behavior(BOTH)
        .start(&origin)
        .await;
    let request = post("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\nnine\r\n");
    let received = raw_exchange(edge.address(), &request, b"").await;
    assert!(
        received.starts_with(b"HTTP/1.1 400"),
        "{}",
        String::from_utf8_lossy(&received)
    );
    assert_eq!((edge.logs().len(), origin.count()), (0, 0));
}
