//! Answers that functions make themselves, at viewer-request and at origin-request (LE section 3.3).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, Running, handler, logging, raw_exchange};

fn page(extra: &str) -> String {
    handler(&format!(
        "console.log('made'); return {{ status: '200', statusDescription: 'OK', body: '<p>made</p>', headers: {{
            'cache-control': [{{ key: 'Cache-Control', value: 'max-age=100' }}],
            'content-type': [{{ key: 'Content-Type', value: 'text/html' }}], {extra} }} }};"
    ))
}

fn ran(edge: &Running) -> Vec<String> {
    edge.logs().into_iter().map(|l| l.message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_made_at_viewer_request_is_made_each_time() {
    // LE-022, LE-155, LE-163, LE-166, LE-167, LE-502, CF-515, CF-229
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("page", &page(""))
        .function("log", &logging())
        .behavior("on: { viewer-request: page, origin-request: log, origin-response: log, viewer-response: log }")
        .start(&origin)
        .await;
    for _ in 0..2 {
        let answer = edge.get("/").await;
        assert_eq!((answer.status, answer.text()), (200, "<p>made</p>"));
        assert_eq!(answer.x_cache(), "LambdaGeneratedResponse");
        assert_eq!(
            (
                answer.header("content-length"),
                answer.header("content-type")
            ),
            (Some("11"), Some("text/html"))
        );
        assert_eq!(answer.header("age"), None);
        for name in ["server", "date", "via", "x-amz-cf-id", "x-amz-cf-pop"] {
            assert!(answer.header(name).is_some(), "{name}");
        }
        assert_eq!(
            edge.record_of(&answer).await.to_json()["x-edge-result-type"],
            "LambdaGeneratedResponse"
        );
    }
    assert_eq!(ran(&edge), ["made", "made"]);
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_made_at_viewer_request_is_sent_as_it_is() {
    // LE-022, LE-156, LE-167
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function(
            "deny",
            &handler("return { status: 403, body: 'no entry' };"),
        )
        .function("log", &logging())
        .behavior("on: { viewer-request: deny, viewer-response: log }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (403, "no entry", "LambdaGeneratedResponse")
    );
    assert_eq!(ran(&edge), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_carry_their_location_and_no_body() {
    // LE-169, LE-503, LE-506
    let redirect = handler(
        "return { status: '302', statusDescription: 'Found', headers: { location: [
            { value: 'https://login.test/?back=' + encodeURIComponent(request.uri + '?' + request.querystring) }] } };",
    );
    for (event, token) in [
        ("viewer-request", "LambdaGeneratedResponse"),
        ("origin-request", "Miss"),
    ] {
        let origin = Origin::saying("from the origin").await;
        let edge = Edge::new()
            .function("redirect", &redirect)
            .behavior(&format!("on: {{ {event}: redirect }}"))
            .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
            .start(&origin)
            .await;
        let answer = edge.get("/p?q=1&r=a%20b").await;
        assert_eq!(
            (answer.status, answer.x_cache(), answer.body.len()),
            (302, token, 0),
            "{event}"
        );
        assert_eq!(answer.header("content-length"), Some("0"), "{event}");
        assert_eq!(
            answer.header("location"),
            Some("https://login.test/?back=%2Fp%3Fq%3D1%26r%3Da%2520b"),
            "{event}"
        );
        assert_eq!(origin.count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_made_at_origin_request_is_stored_like_an_origins_answer() {
    // LE-026, LE-028, LE-164, LE-167, LE-502, LE-A05, LE-A06, CF-229
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("page", &page(""))
        .function("log", &logging())
        .behavior("on: { viewer-request: log, origin-request: page, origin-response: log, viewer-response: log }")
        .start(&origin)
        .await;
    let made = edge.get("/").await;
    assert_eq!(
        (made.status, made.text(), made.x_cache()),
        (200, "<p>made</p>", "Miss")
    );
    assert_eq!(made.header("content-length"), Some("11"));
    assert_eq!(ran(&edge), ["viewer-request", "made", "viewer-response"]);
    edge.advance(99);
    let kept = edge.get("/").await;
    assert_eq!(
        (kept.text(), kept.x_cache(), kept.header("age")),
        ("<p>made</p>", "Hit", Some("99"))
    );
    assert_eq!(kept.header("content-type"), Some("text/html"));
    assert_eq!(ran(&edge)[3..], ["viewer-request", "viewer-response"]);
    edge.advance(1);
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(
        ran(&edge)[5..],
        ["viewer-request", "made", "viewer-response"]
    );
    assert_eq!(origin.count(), 0);
    for (answer, result) in [
        (made, ["Miss", "MissGeneratedResponse"]),
        (kept, ["Hit", "Hit"]),
    ] {
        let record = edge.record_of(&answer).await.to_json();
        assert_eq!(
            [
                &record["x-edge-result-type"],
                &record["x-edge-detailed-result-type"]
            ],
            result
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_made_at_origin_request_skips_the_viewer_response() {
    // LE-027, LE-A06, CF-513
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("gone", &handler("return { status: '410', body: 'gone' };"))
        .function("log", &logging())
        .behavior("on: { origin-request: gone, viewer-response: log }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (410, "gone", "Error")
    );
    // Kept for a while, as an origin's would be (CF-831).
    let again = edge.get("/").await;
    assert_eq!(
        (again.status, again.text(), again.x_cache()),
        (410, "gone", "Error")
    );
    assert_eq!(ran(&edge), [""; 0]);
    assert_eq!(edge.record_of(&answer).await.hooks.len(), 1);
    assert_eq!(edge.record_of(&again).await.hooks.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_function_forbids_to_store_is_made_again() {
    // LE-164
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function(
            "page",
            &handler(
                "console.log('made'); return { status: 200, body: 'x', headers: {
                    'cache-control': [{ value: 'no-store' }] } };",
            ),
        )
        .behavior("on: { origin-request: page }")
        .start(&origin)
        .await;
    for n in 1..=2 {
        let answer = edge.get("/").await;
        assert_eq!((answer.text(), answer.x_cache()), ("x", "Miss"));
        assert_eq!(ran(&edge).len(), n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_methods_that_are_not_cached_are_not_stored() {
    // LE-165, CF-215
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("page", &page(""))
        .behavior(ALL_METHODS)
        .behavior("on: { origin-request: page }")
        .start(&origin)
        .await;
    for _ in 0..2 {
        let answer = edge.request("POST", "/").body("form").send().await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "<p>made</p>", "Miss")
        );
    }
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(ran(&edge), ["made", "made", "made"]);
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gets_the_length_of_the_body_and_no_body() {
    // LE-168, LE-A32
    for event in ["viewer-request", "origin-request"] {
        let origin = Origin::saying("from the origin").await;
        let edge = Edge::new()
            .function("page", &page(""))
            .behavior(&format!("on: {{ {event}: page }}"))
            .start(&origin)
            .await;
        let answer = edge.request("HEAD", "/").send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{event}");
        assert_eq!(answer.header("content-length"), Some("11"), "{event}");
        // The next GET has its body.
        assert_eq!(edge.get("/").await.text(), "<p>made</p>", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_content_has_no_body_and_may_not_be_given_one() {
    // LE-161, LE-556
    for event in ["viewer-request", "origin-request"] {
        let origin = Origin::saying("from the origin").await;
        let edge = Edge::new()
            .function("empty", &handler("return { status: '204' };"))
            .function("wrong", &handler("return { status: '204', body: '' };"))
            .path("/wrong", &format!("on: {{ {event}: wrong }}"))
            .behavior(&format!("on: {{ {event}: empty }}"))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (204, None),
            "{event}"
        );
        let answer = edge.get("/wrong").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (502, "LambdaValidationError"),
            "{event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_come_as_base64() {
    // LE-158, LE-159, LE-160
    for event in ["viewer-request", "origin-request"] {
        let origin = Origin::saying("from the origin").await;
        let edge = Edge::new()
            .function(
                "image",
                &handler("return { status: 200, body: 'AP8Q', bodyEncoding: 'base64' };"),
            )
            .function(
                "text",
                &handler("return { status: 200, body: 'd\\u00e9j\\u00e0', bodyEncoding: 'text' };"),
            )
            .function(
                "wrong",
                &handler("return { status: 200, body: 'A P8Q', bodyEncoding: 'base64' };"),
            )
            .path("/text", &format!("on: {{ {event}: text }}"))
            .path("/wrong", &format!("on: {{ {event}: wrong }}"))
            .behavior(&format!("on: {{ {event}: image }}"))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &[0, 255, 16][..]),
            "{event}"
        );
        assert_eq!(edge.get("/text").await.text(), "d\u{e9}j\u{e0}", "{event}");
        assert_eq!(edge.get("/wrong").await.status, 502, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_phrase_is_the_functions() {
    // LE-157
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function(
            "phrase",
            &handler(
                "return { status: '200', statusDescription: request.uri === '/own' ? 'Quite Fine' : undefined };",
            ),
        )
        .behavior("on: { viewer-request: phrase }")
        .start(&origin)
        .await;
    for (path, line) in [
        ("/own", "HTTP/1.1 200 Quite Fine"),
        ("/", "HTTP/1.1 200 OK"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let received = raw_exchange(edge.address(), request.as_bytes(), b"").await;
        let text = String::from_utf8_lossy(&received).into_owned();
        assert_eq!(text.lines().next(), Some(line));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_body_together_have_a_limit() {
    // LE-162, LE-256, LE-555
    for (event, limit) in [("viewer-request", 40_960), ("origin-request", 1_048_576)] {
        let origin = Origin::saying("from the origin").await;
        let make = |size: usize| {
            handler(&format!(
                "return {{ status: '200', body: 'x'.repeat({size}) }};"
            ))
        };
        let edge = Edge::new()
            .function("fits", &make(limit))
            .function("over", &make(limit + 1))
            .path("/over", &format!("on: {{ {event}: over }}"))
            .behavior(&format!("on: {{ {event}: fits }}"))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_eq!((answer.status, answer.body.len()), (200, limit), "{event}");
        let answer = edge.get("/over").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (502, "LambdaValidationError"),
            "{event}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_answer_is_stored_under_the_key_computed_before() {
    // LE-004, LE-164
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function(
            "echo",
            &handler("return { status: 200, body: request.uri + '?' + request.querystring };"),
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: [k] }")
        .behavior("on: { origin-request: echo }")
        .start(&origin)
        .await;
    for (target, token, text) in [
        ("/a?k=1&x=1", "Miss", "/a?k=1"),
        ("/a?x=2&k=1", "Hit", "/a?k=1"),
        ("/a?k=2", "Miss", "/a?k=2"),
    ] {
        let answer = edge.get(target).await;
        assert_eq!((answer.x_cache(), answer.text()), (token, text), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_and_ranges_work_on_a_stored_generated_answer() {
    // LE-028, LE-195, CF-284, CF-532
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function("page", &page("etag: [{ key: 'ETag', value: '\"g1\"' }]"))
        .behavior("on: { origin-request: page }")
        .start(&origin)
        .await;
    edge.get("/").await;
    let answer = edge
        .request("GET", "/")
        .header("If-None-Match", "\"g1\"")
        .send()
        .await;
    assert_eq!((answer.status, answer.x_cache()), (304, "Hit"));
    let answer = edge
        .request("GET", "/")
        .header("Range", "bytes=3-6")
        .send()
        .await;
    assert_eq!((answer.status, answer.text()), (206, "made"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_cookies_leave_as_several_lines() {
    // LE-205, LE-558, LE-224
    let origin = Origin::saying("from the origin").await;
    let edge = Edge::new()
        .function(
            "login",
            &handler(
                "return { status: 200, headers: { 'Set-Cookie': [{ value: 'a=1; Path=/' }, { key: 'set-cookie', value: 'b=2' }],
                    'x-list': [{ value: ['one', 'two'] }] } };",
            ),
        )
        .behavior("on: { viewer-request: login }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(answer.all("x-list"), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_made_at_origin_request_is_for_nobody_who_has_nothing() {
    // LE-164, CF-258, CF-282: the node asks whether what is stored is still good, and the function says that it is
    let origin = Origin::saying("never").await;
    let edge = Edge::new()
        .hook(
            "origin-request",
            "const headers = { etag: [{ key: 'ETag', value: '\"v1\"' }], 'cache-control': [{ key: 'Cache-Control', value: 'max-age=10' }] };
             const known = request.headers['if-none-match']?.[0].value === '\"v1\"';
             return known ? { status: '304', headers } : { status: '200', headers, body: 'made' };",
        )
        .behavior("cache_policy: { min_ttl: 0 }")
        .start(&origin)
        .await;
    let seen = async || {
        let answer = edge.get("/a").await;
        (
            answer.status,
            answer.text().to_owned(),
            answer.x_cache().to_owned(),
        )
    };
    let of = |verdict: &str| (200, "made".to_owned(), verdict.to_owned());
    assert_eq!(seen().await, of("Miss"));
    edge.advance(11);
    assert_eq!(seen().await, of("Miss"));
    assert_eq!(seen().await, of("Hit"));
    // Who has it is told so.
    edge.advance(11);
    let answer = edge
        .request("GET", "/a")
        .header("If-None-Match", "\"v1\"")
        .send()
        .await;
    assert!(matches!(answer.status, 200 | 304), "{answer:?}");
    assert_eq!(seen().await, of("Hit"));
}
