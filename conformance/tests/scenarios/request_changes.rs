//! What request results change: path, query, headers, body, origin (LE sections 3.2, 5.1, 5.2).

use fourfront_conformance::{
    ALL_METHODS, Edge, Origin, RawOrigin, Reply, Turn, handler, raw_exchange,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_request_is_looked_up_under_its_new_name() {
    // LE-145, LE-004, LE-234, LE-505, CF-003
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "viewer-request",
            "request.uri = request.uri.toLowerCase();
                 request.querystring = request.querystring.toLowerCase().split('&').sort().join('&'); return request;",
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start(&origin)
        .await;
    for (target, token) in [
        ("/Page?B=2&a=1", "Miss"),
        ("/page?a=1&b=2", "Hit"),
        ("/PAGE?b=2&A=1", "Hit"),
    ] {
        let answer = edge.get(target).await;
        assert_eq!(
            (answer.text(), answer.x_cache()),
            ("/page?a=1&b=2", token),
            "{target}"
        );
    }
    // The access record shows what the viewer asked for (CF-187).
    let records = edge.recorded(1).await;
    assert_eq!(
        (records[0].uri.as_str(), records[0].query.as_str()),
        ("/Page", "B=2&a=1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_at_origin_request_leaves_the_key_alone() {
    // LE-004, LE-146, CF-003
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "origin-request",
            "request.uri = '/desktop' + request.uri; request.querystring = 'v=2'; return request;",
        )
        .start(&origin)
        .await;
    for (target, text, token) in [
        ("/a", "/desktop/a?v=2", "Miss"),
        ("/a", "/desktop/a?v=2", "Hit"),
        ("/desktop/a", "/desktop/desktop/a?v=2", "Miss"),
    ] {
        let answer = edge.get(target).await;
        assert_eq!((answer.text(), answer.x_cache()), (text, token));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_mark_in_a_path_smuggles_no_query() {
    // LE-233, LE-A15
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook("viewer-request", "request.uri = '/a?b'; return request;")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "/a%3Fb");
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_urls_have_a_length_limit() {
    // LE-231, LE-566
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "viewer-request",
            "request.uri = '/' + 'u'.repeat(Number(request.uri.slice(1)) - 1); return request;",
        )
        .start(&origin)
        .await;
    let answer = edge.get("/8191").await;
    assert_eq!((answer.status, answer.body.len()), (200, 8_191));
    let answer = edge.get("/8192").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn text_a_function_left_alone_goes_on_as_it_came_and_changed_text_as_utf8() {
    // LE-235, LE-236, CF-326
    let origin = RawOrigin::start(|_| {
        vec![Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: no-store\r\n\r\nx",
        )]
    })
    .await;
    let edge = Edge::new()
        .hook(
            "viewer-request",
            "console.log(request.uri + ' ' + request.querystring);
             if (request.headers['x-change']) request.uri = request.uri + '\u{fc}';
             return request;",
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start_at(&origin.url())
        .await;
    for change in ["", "X-Change: 1\r\n"] {
        let request = format!(
            "GET /caf\u{e9}?q=\u{e8}%E9 HTTP/1.1\r\nHost: a\r\n{change}Connection: close\r\n\r\n"
        );
        let received = raw_exchange(edge.address(), request.as_bytes(), b"").await;
        assert!(
            received.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&received)
        );
    }
    assert_eq!(edge.logs()[0].message, "/caf\u{e9} q=\u{e8}%E9");
    let lines: Vec<String> = origin
        .heads()
        .iter()
        .filter_map(|head| head.lines().next().map(str::to_owned))
        .collect();
    assert_eq!(
        lines,
        [
            "GET /caf\u{e9}?q=\u{e8}%E9 HTTP/1.1",
            "GET /caf\u{e9}\u{fc}?q=\u{e8}%E9 HTTP/1.1"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_added_at_viewer_request_needs_a_policy_to_reach_the_origin() {
    // LE-148, LE-504
    let origin = Origin::echo().await;
    let tag =
        handler("request.headers['x-tag'] = [{ key: 'X-Tag', value: 'mine' }]; return request;");
    let edge = Edge::new()
        .function("tag", &tag)
        .behavior("on: { viewer-request: tag }")
        .start(&origin)
        .await;
    edge.get("/").await;
    assert_eq!(origin.last().header("x-tag"), None);
    let edge = Edge::new()
        .function("tag", &tag)
        .behavior("on: { viewer-request: tag }")
        .behavior("origin_request_policy: { headers: [X-Tag] }")
        .start(&origin)
        .await;
    edge.get("/").await;
    assert_eq!(origin.last().header("x-tag"), Some("mine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_added_at_origin_request_reaches_the_origin_whatever_the_policies_say() {
    // LE-149, LE-574, LE-147, LE-504
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "origin-request",
            "request.headers['auth-header'] = [{ key: 'Auth-Header', value: new URLSearchParams(request.querystring).get('auth') }];
                 delete request.headers['user-agent']; request.querystring = 'x=1'; return request;",
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .start(&origin)
        .await;
    edge.get("/?auth=tok&x=1").await;
    let seen = origin.last();
    assert_eq!(
        (seen.target.as_str(), seen.header("auth-header")),
        ("/?x=1", Some("tok"))
    );
    assert_eq!(seen.header("user-agent"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_what_the_origin_request_function_says() {
    // LE-214, LE-185, LE-150
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "origin-request",
            "request.headers.host = [{ key: 'Host', value: 'inner.test' }]; return request;",
        )
        .start(&origin)
        .await;
    edge.get("/").await;
    assert_eq!(origin.last().header("host"), Some("inner.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_request_function_sends_the_request_elsewhere() {
    // LE-115, LE-116, LE-146, LE-150, LE-101, LE-105, LE-094, CF-002
    let one = Origin::start(|_| Reply::ok("one")).await;
    let two = Origin::saying("two").await;
    let port = two.address().port();
    let edge = Edge::new()
        .function(
            "elsewhere",
            &handler(&format!(
                "request.origin = {{ custom: {{ domainName: 'localhost', port: {port}, protocol: 'http', path: '/v2',
                     sslProtocols: ['TLSv1.2'], readTimeout: 5, keepaliveTimeout: 5,
                     customHeaders: {{ 'x-env': [{{ key: 'X-Env', value: 'staging' }}] }} }} }};
                 if (request.uri === '/with-host') request.headers.host = [{{ key: 'Host', value: 'localhost' }}];
                 return request;"
            )),
        )
        .function("log", &handler("console.log(JSON.stringify(request.origin)); return response;"))
        .node("hooks: { local_egress: true }")
        .behavior("on: { origin-request: elsewhere, origin-response: log }")
        .start(&one)
        .await;
    assert_eq!(edge.get("/a").await.text(), "two");
    let seen = two.last();
    assert_eq!(
        (seen.target.as_str(), seen.header("x-env")),
        ("/v2/a", Some("staging"))
    );
    // The name in `Host` does not follow the origin by itself.
    assert_eq!(seen.header("host"), Some("127.0.0.1"));
    edge.get("/with-host").await;
    assert_eq!(two.last().header("host"), Some("localhost"));
    assert_eq!(one.count(), 0);
    // Stored like any other answer, without the function.
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    let shown: serde_json::Value = serde_json::from_str(&edge.logs()[0].message).unwrap();
    assert_eq!(shown["custom"]["domainName"], "localhost");
    assert_eq!(shown["custom"]["port"], port);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_does_not_send_requests_into_the_machine_unasked() {
    // LE-346, LE-270
    let configured = Origin::start(|_| Reply::ok("configured")).await;
    let inside = Origin::start(|_| Reply::ok("inside")).await;
    let port = inside.address().port();
    let refused = (502, "LambdaValidationError");
    let admin = format!("admin: 127.0.0.1:{port}");
    let known = "api: { domain_name: localhost, custom_origin_config: { origin_protocol_policy: http-only, http_port: 1 } }";
    let rows: [(&[&str], &[&str], _); 5] = [
        (&[], &[], refused),
        (&["hooks: { local_egress: true }"], &[], (200, "Miss")),
        // An origin of the distribution is on that host.
        (&[], &[known], (200, "Miss")),
        // The admin listener asks nobody who they are.
        (&[&admin], &[known], refused),
        (&[&admin, "hooks: { local_egress: true }"], &[], refused),
    ];
    for (settings, origins, expected) in rows {
        let mut edge = Edge::new()
            .function(
                "inside",
                &handler(&format!(
                    "request.origin = {{ custom: {{ domainName: 'localhost', port: {port}, protocol: 'http', path: '',
                         sslProtocols: ['TLSv1.2'], readTimeout: 5, keepaliveTimeout: 5, customHeaders: {{}} }} }};
                     return request;"
                )),
            )
            .behavior("on: { origin-request: inside }");
        for setting in settings {
            edge = edge.node(setting);
        }
        for origin in origins {
            edge = edge.origin(origin);
        }
        let before = inside.count();
        let edge = edge.start(&configured).await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            expected,
            "{settings:?} {origins:?}"
        );
        if expected == refused {
            assert_eq!(inside.count(), before, "{settings:?} {origins:?}");
            let record = &edge.recorded(1).await[0];
            assert_eq!(
                record.hooks[0].fault,
                Some(("LambdaValidationError", "LE-346"))
            );
            let error = record.error.as_deref().unwrap_or_default();
            assert!(
                error.contains("LE-346") && error.contains("localhost"),
                "{error}"
            );
            assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_may_take_the_place_of_a_server_and_the_reverse() {
    // LE-116, LE-113, LE-509, LE-511
    let origin = Origin::start(|_| Reply::ok("server")).await;
    // Accepted by validation; the bucket's name, reserved for this by RFC 2606, has no address.
    let edge = Edge::new()
        .hook(
            "origin-request",
            "request.origin = { s3: { domainName: 'bucket.s3.invalid', region: '', authMethod: 'none', path: '', customHeaders: {} } };
                 request.headers.host = [{ key: 'Host', value: 'bucket.s3.invalid' }]; return request;",
        )
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    let record = &edge.recorded(1).await[0];
    assert_eq!(record.hooks[0].fault, None);
    assert_eq!(
        record.to_json()["x-edge-detailed-result-type"],
        "OriginDnsError"
    );
    assert_eq!(origin.count(), 0);

    let edge = Edge::new()
        .hook(
            "origin-request",
            &format!(
                "console.log(Object.keys(request.origin).join());
                 request.origin = {{ custom: {{ domainName: 'localhost', port: {}, protocol: 'http', path: '',
                     sslProtocols: ['TLSv1.2'], readTimeout: 5, keepaliveTimeout: 5, customHeaders: {{}} }} }};
                 return request;",
                origin.port()
            ),
        )
        .node("hooks: { local_egress: true }")
        .origin("files: { dir: ./files }");
    edge.write("files/a.txt", "file");
    let edge = edge.start_at("").await;
    assert_eq!(edge.get("/a.txt").await.text(), "server");
    assert_eq!(edge.logs()[0].message, "s3");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_origin_can_be_read_by_functions() {
    // LE-014, LE-344, LE-101
    let origin = Origin::echo().await;
    let port = origin.address().port();
    let edge = Edge::new()
        .hook(
            "origin-request",
            "const env = request.origin.custom.customHeaders['x-env'][0].value;
                 console.log(env + ' ' + ('x-env' in request.headers)); request.uri = '/' + env + request.uri; return request;",
        )
        .origin(&format!(
            "staged: {{ domain_name: 127.0.0.1, custom_headers: {{ X-Env: staging }}, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port} }} }}"
        ))
        .behavior("origin: staged")
        .start_at("")
        .await;
    assert_eq!(edge.get("/a").await.text(), "/staging/a");
    assert_eq!(edge.logs()[0].message, "staging false");
    assert_eq!(origin.last().header("x-env"), Some("staging"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_request_is_replaced() {
    // LE-240, LE-241, LE-245, LE-184, LE-517
    let rows = [
        (
            "viewer-request",
            "request.body = { action: 'replace', encoding: 'text', data: 'name=Ana&extra=1' }; return request;",
        ),
        (
            "origin-request",
            "request.body = { action: 'replace', encoding: 'text', data: 'name=Ana&extra=1' }; return request;",
        ),
        (
            "origin-request",
            "request.body = { action: 'replace', data: 'bmFtZT1BbmEmZXh0cmE9MQ==' }; return request;",
        ),
    ];
    for (event, code) in rows {
        let origin = Origin::start(|_| Reply::ok("done")).await;
        let edge = Edge::new()
            .hook(event, code)
            .behavior(ALL_METHODS)
            .start(&origin)
            .await;
        let answer = edge
            .request("POST", "/")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body("name=Rui")
            .send()
            .await;
        assert_eq!((answer.status, answer.text()), (200, "done"), "{event}");
        let seen = origin.last();
        assert_eq!(
            (seen.body.as_ref(), seen.header("content-length")),
            (&b"name=Ana&extra=1"[..], Some("16")),
            "{event}"
        );
        assert_eq!(
            seen.header("content-type"),
            Some("application/x-www-form-urlencoded")
        );
        // A body that comes in chunks, longer than its replacement.
        let request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
            14\r\naaaaaaaaaaaaaaaaaaaa\r\n14\r\nbbbbbbbbbbbbbbbbbbbb\r\n0\r\n\r\n";
        let received = raw_exchange(edge.address(), request, b"done").await;
        assert!(
            received.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&received)
        );
        assert_eq!(origin.last().body, "name=Ana&extra=1", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_replaced_twice_is_the_second_one() {
    // LE-245, LE-240
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let replace = |text: &str| {
        handler(&format!(
            "request.body = {{ action: 'replace', encoding: 'text', data: '{text}' }}; return request;"
        ))
    };
    let edge = Edge::new()
        .function("first", &replace("first"))
        .function("second", &replace("second"))
        .behavior(ALL_METHODS)
        .behavior("on: { viewer-request: first, origin-request: second }")
        .start(&origin)
        .await;
    assert_eq!(
        edge.request("PUT", "/")
            .body("original")
            .send()
            .await
            .status,
        200
    );
    assert_eq!(origin.last().body, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_read_only_goes_on_as_it_came() {
    // LE-239, LE-246
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function(
            "edit",
            &handler("request.body = { action: 'read-only', data: 'bWluZQ==' }; return request;"),
        )
        .behavior(ALL_METHODS)
        .behavior("on: { viewer-request: edit, origin-request: edit }")
        .start(&origin)
        .await;
    let body = "z".repeat(200_000);
    assert_eq!(
        edge.request("POST", "/")
            .body(body.clone())
            .send()
            .await
            .status,
        200
    );
    assert!(origin.last().body == body);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_can_read_the_request_body() {
    // LE-120, LE-121, LE-122, LE-123, LE-124, LE-516, LE-563
    let origin = Origin::start(|_| Reply::ok("done")).await;
    let edge = Edge::new()
        .function(
            "read",
            &handler(
                "const b = request.body; console.log([b.inputTruncated, b.action, b.encoding, Buffer.from(b.data, 'base64').length].join()); return request;",
            ),
        )
        .behavior(ALL_METHODS)
        .behavior("on: { viewer-request: { function: read, include_body: true } }")
        .start(&origin)
        .await;
    let body = "z".repeat(70_000);
    assert_eq!(
        edge.request("POST", "/")
            .body(body.clone())
            .send()
            .await
            .status,
        200
    );
    assert!(origin.last().body == body);
    assert_eq!(
        edge.request("POST", "/")
            .body("name=Ana")
            .send()
            .await
            .status,
        200
    );
    assert_eq!(edge.get("/").await.status, 200);
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(
        lines,
        [
            "true,read-only,base64,40960",
            "false,read-only,base64,8",
            "false,read-only,base64,0"
        ]
    );
}
