//! What response results change, before storing and after it (LE sections 3.4 and 3.5).

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, Reply, Running, handler, logging};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_response_cannot_change_the_body() {
    // LE-191, LE-562
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .function(
            "swap",
            &handler("response.body = 'mine'; response.headers['x-a'] = [{ value: '1' }]; return response;"),
        )
        .behavior("on: { viewer-response: swap }")
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/a").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "/a", token)
        );
        assert_eq!(answer.header("x-a"), Some("1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_response_is_for_its_viewer_alone() {
    // LE-192, LE-205, LE-224, LE-519
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .function(
            "cookie",
            &handler(
                "const who = (request.headers['x-who'] || [{ value: 'nobody' }])[0].value;
                 response.headers['set-cookie'] = [{ key: 'Set-Cookie', value: 'who=' + who }, { key: 'Set-Cookie', value: 'seen=1; Path=/' }];
                 delete response.headers['cache-control']; return response;",
            ),
        )
        .behavior("on: { viewer-response: cookie }")
        .start(&origin)
        .await;
    for (who, token) in [("ana", "Miss"), ("rui", "Hit"), ("eva", "Hit")] {
        let answer = edge.request("GET", "/").header("X-Who", who).send().await;
        let cookie = format!("who={who}");
        assert_eq!(
            answer.all("set-cookie"),
            [cookie.as_str(), "seen=1; Path=/"]
        );
        assert_eq!(
            (answer.x_cache(), answer.header("cache-control")),
            (token, None)
        );
    }
}

async fn replacing(code: &str, origin: &Origin) -> Running {
    Edge::new()
        .function("replace", &handler(code))
        .function("log", &logging())
        .behavior("on: { origin-response: replace, viewer-response: log }")
        .start(origin)
        .await
}

fn chunked(pieces: &'static [&'static [u8]]) -> Reply {
    let (sender, stream) = mpsc::unbounded_channel();
    for piece in pieces {
        let _ = sender.send(Bytes::from_static(piece));
    }
    Reply::stream(stream).header("Cache-Control", "max-age=60")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_chunked_response_is_replaced_only_if_its_framing_is_returned() {
    // LE-552, LE-177, LE-179, LE-215, LE-172
    let origin = Origin::start(|_| chunked(&[b"one", b"two"])).await;
    let edge = replacing("response.body = 'mine'; return response;", &origin).await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "mine", "Miss")
    );
    assert_eq!(
        (
            answer.header("content-length"),
            answer.header("transfer-encoding")
        ),
        (Some("4"), None)
    );
    let answer = edge.get("/").await;
    assert_eq!(
        (
            answer.text(),
            answer.x_cache(),
            answer.header("content-length")
        ),
        ("mine", "Hit", Some("4"))
    );

    let edge = replacing(
        "response.body = 'mine'; delete response.headers['transfer-encoding']; return response;",
        &origin,
    )
    .await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError")
    );
    let record = &edge.recorded(1).await[0];
    assert!(
        record
            .error
            .as_deref()
            .unwrap_or_default()
            .contains("transfer-encoding"),
        "{:?}",
        record.error
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_response_is_kept_replaced_or_emptied() {
    // LE-176, LE-177, LE-179, LE-180, LE-227
    let rows = [
        ("return response;", "origin body"),
        (
            "response.body = 'a much longer body than before'; return response;",
            "a much longer body than before",
        ),
        ("response.body = ''; return response;", ""),
        (
            "response.body = 'bWluZQ=='; response.bodyEncoding = 'base64'; return response;",
            "mine",
        ),
        (
            "delete response.headers['content-length']; response.body = 'x'; return response;",
            "x",
        ),
        (
            "response.headers['content-length'][0].value = '3'; return response;",
            "origin body",
        ),
    ];
    for (code, text) in rows {
        let origin = Origin::saying("origin body").await;
        let edge = replacing(code, &origin).await;
        for token in ["Miss", "Hit"] {
            let answer = edge.get("/").await;
            assert_eq!(
                (answer.status, answer.text(), answer.x_cache()),
                (200, text, token),
                "{code}"
            );
            assert_eq!(
                answer.header("content-length"),
                Some(text.len().to_string().as_str()),
                "{code}"
            );
        }
        assert_eq!(origin.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_becomes_a_redirect() {
    // LE-515, LE-181, LE-030, CF-513
    let origin = Origin::start(|_| Reply::status(404).body("not found")).await;
    let edge = Edge::new()
        .function(
            "redirect",
            &handler(
                "if (response.status >= 400) { response.status = 302; response.statusDescription = 'Found'; response.body = '';
                     response.headers.location = [{ key: 'Location', value: '/redirect/path?' + request.querystring }]; }
                 return response;",
            ),
        )
        .function("log", &logging())
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("on: { origin-response: redirect, viewer-response: log }")
        .start(&origin)
        .await;
    let answer = edge.get("/x?a=1").await;
    assert_eq!(
        (answer.status, answer.x_cache(), answer.body.len()),
        (302, "Miss", 0)
    );
    assert_eq!(
        (answer.header("location"), answer.header("content-length")),
        (Some("/redirect/path?a=1"), Some("0"))
    );
    assert_eq!(edge.logs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_without_a_body_gets_one() {
    // LE-177, LE-181, LE-514, LE-030
    for status in [404, 204, 500] {
        let origin = Origin::start(move |_| Reply::status(status)).await;
        let edge = replacing(
            "console.log(response.status); response.status = 200; response.body = 'healed';
             response.headers['cache-control'] = [{ value: 'max-age=60' }]; return response;",
            &origin,
        )
        .await;
        for token in ["Miss", "Hit"] {
            let answer = edge.get("/").await;
            assert_eq!(
                (answer.status, answer.text(), answer.x_cache()),
                (200, "healed", token),
                "{status}"
            );
            assert_eq!(answer.header("content-length"), Some("6"), "{status}");
        }
        assert_eq!(origin.count(), 1, "{status}");
        let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
        assert_eq!(
            lines,
            [
                status.to_string().as_str(),
                "viewer-response",
                "viewer-response"
            ],
            "{status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_response_to_head_has_no_body() {
    // LE-168, LE-177, LE-514
    let origin = Origin::start(|_| Reply::status(503).body("down")).await;
    let edge = replacing(
        "response.status = 200; response.body = 'healed'; return response;",
        &origin,
    )
    .await;
    let answer = edge.request("HEAD", "/").send().await;
    assert_eq!(
        (
            answer.status,
            answer.body.len(),
            answer.header("content-length")
        ),
        (200, 0, Some("6"))
    );
    assert_eq!(edge.get("/").await.text(), "healed");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_made_at_origin_response_are_stored() {
    // LE-180, LE-501, LE-519, LE-205, LE-224, CF-305, CF-308
    let origin = Origin::start(|_| {
        Reply::ok("x")
            .header("Cache-Control", "max-age=60")
            .header("X-Amz-Meta-Last-Modified", "Sun, 01 Mar 2026 00:00:00 GMT")
            .header("Set-Cookie", "origin=1")
    })
    .await;
    let edge = Edge::new()
        .function(
            "headers",
            &handler(
                "console.log('set-cookie' in response.headers);
                 response.headers['strict-transport-security'] = [{ key: 'Strict-Transport-Security', value: 'max-age=63072000' }];
                 response.headers['last-modified'] = [response.headers['x-amz-meta-last-modified'][0]];
                 response.headers['set-cookie'] = [{ value: 'a=1' }, { value: 'b=2' }]; return response;",
            ),
        )
        .behavior("on: { origin-response: headers }")
        .start(&origin)
        .await;
    for (token, cookies) in [("Miss", &["a=1", "b=2"][..]), ("Hit", &[][..])] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), token);
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=63072000")
        );
        assert_eq!(
            answer.header("last-modified"),
            Some("Sun, 01 Mar 2026 00:00:00 GMT")
        );
        assert_eq!(answer.all("set-cookie"), cookies, "{token}");
    }
    // The origin's own cookie was gone before the function ran; the function ran once.
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(lines, ["false"]);
}

async fn validated() -> Origin {
    Origin::start(|request| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304)
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=10"),
        _ => Reply::ok("stored")
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=10"),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_added_to_a_304_stays_with_the_object() {
    // LE-573, LE-182, LE-033, LE-A29
    let origin = validated().await;
    let edge = Edge::new()
        .function(
            "count",
            &handler(
                "if (response.status === '304') response.headers['x-checked'] = [{ key: 'X-Checked', value: 'yes' }]; return response;",
            ),
        )
        .behavior("on: { origin-response: count }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.header("x-checked"), None);
    edge.advance(10);
    for token in ["RefreshHit", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "stored", token)
        );
        assert_eq!(answer.header("x-checked"), Some("yes"), "{token}");
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_turned_into_an_answer_takes_the_objects_place() {
    // LE-182, LE-033
    for (stored, condition) in [("stored", None), ("stored", Some("\"v1\"")), ("", None)] {
        let what = format!("`{stored}` {condition:?}");
        let origin = Origin::start(move |request| {
            let reply = match request.header("if-none-match") {
                Some("\"v1\"") => Reply::status(304),
                _ => Reply::ok(stored),
            };
            reply
                .header("ETag", "\"v1\"")
                .header("Cache-Control", "max-age=10")
        })
        .await;
        let edge = Edge::new()
            .function(
                "turn",
                &handler(
                    "if (response.status === '304') { response.status = 200; response.body = 'made'; } return response;",
                ),
            )
            .function("log", &logging())
            .behavior("on: { origin-response: turn, viewer-response: log }")
            .start(&origin)
            .await;
        assert_eq!(edge.get("/").await.text(), stored, "{what}");
        edge.advance(10);
        let request = edge.request("GET", "/");
        let answer = match condition {
            Some(tag) => request.header("If-None-Match", tag).send().await,
            None => request.send().await,
        };
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "made", "Miss"),
            "{what}"
        );
        assert_eq!(answer.header("content-length"), Some("4"), "{what}");
        assert_eq!(edge.logs().len(), 2, "{what}");
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (200, "made", "Hit"),
            "{what}"
        );
        assert_eq!(origin.count(), 2, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_304_turned_into_what_may_not_be_stored_takes_the_object_away() {
    // LE-182, CF-245
    let origin = validated().await;
    let edge = Edge::new()
        .function(
            "turn",
            &handler(
                "if (response.status === '304') { response.status = 404; response.headers['cache-control'] = [{ value: 'no-store' }]; }
                 return response;",
            ),
        )
        .behavior("on: { origin-response: turn }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "stored");
    edge.advance(10);
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.text()), (404, ""));
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("stored", "Miss"));
    assert_eq!(origin.last().header("if-none-match"), None);
}
