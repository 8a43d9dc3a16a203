//! What results of functions do to requests and responses, and which results are refused (LE sections 3 to 5).

use std::sync::atomic::{AtomicUsize, Ordering};

use fourfront_conformance::{Edge, Origin, Reply, Running, handler, logging, raw_exchange};

const ALL_METHODS: &str = "allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]";

async fn echo_target() -> Origin {
    Origin::start(|request| Reply::ok(request.target.clone()).header("Cache-Control", "max-age=60"))
        .await
}

/// One function at `event` whose case is chosen by the path; checks status, token and the rule in the record.
async fn assert_refused(event: &str, cases: &[(&str, &str, &str)], site: impl Fn(Edge) -> Edge) {
    let mut body = String::new();
    for (path, code, _) in cases {
        body += &format!("if (request.uri === '{path}') {{ {code} }}\n  ");
    }
    body += "return response || request;";
    let origin = Origin::start(|_| {
        Reply::ok("x")
            .header("Content-Type", "text/plain")
            .header("X-Keep", "1")
            .header("Cache-Control", "no-store")
    })
    .await;
    let edge = site(
        Edge::new()
            .function("case", &handler(&body))
            .behavior(&format!("on: {{ {event}: case }}")),
    )
    .start(&origin)
    .await;
    for (n, (path, _, rule)) in cases.iter().enumerate() {
        let answer = edge
            .request("GET", path)
            .header("Accept-Encoding", "gzip")
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (502, "LambdaValidationError"),
            "{event} {path}"
        );
        let record = &edge.recorded(n + 1).await[n];
        let hook = record.hooks.last().unwrap();
        assert_eq!(
            hook.fault,
            Some(("LambdaValidationError", *rule)),
            "{event} {path}: {:?}",
            record.error
        );
        assert!(
            record.error.as_deref().unwrap_or_default().contains(rule),
            "{path}: {:?}",
            record.error
        );
    }
    // The same function lets everything else pass.
    assert_eq!(edge.get("/other").await.status, 200, "{event}");
}

const GENERATED: [(&str, &str, &str); 13] = [
    // LE-553, LE-554, LE-557, LE-558, LE-559, LE-561
    (
        "/length",
        "return { status: 200, headers: { 'content-length': [{ value: '0' }] } };",
        "LE-174",
    ),
    (
        "/via",
        "return { status: 200, headers: { via: [{ value: '1.1 me' }] } };",
        "LE-174",
    ),
    (
        "/x-cache",
        "return { status: 200, headers: { 'X-Cache': [{ value: 'Hit' }] } };",
        "LE-208",
    ),
    (
        "/connection",
        "return { status: 200, headers: { connection: [{ value: 'close' }] } };",
        "LE-208",
    ),
    ("/099", "return { status: '099' };", "LE-156"),
    ("/600", "return { status: '600' };", "LE-156"),
    ("/word", "return { status: 'OK' };", "LE-156"),
    (
        "/number",
        "return { status: 200, headers: { 'x-a': [{ value: 1 }] } };",
        "LE-201",
    ),
    (
        "/crlf",
        "return { status: 200, headers: { 'x-a': [{ value: 'x\\r\\ny' }] } };",
        "LE-204",
    ),
    (
        "/name",
        "return { status: 200, headers: { 'x a': [{ value: 'y' }] } };",
        "LE-204",
    ),
    ("/nothing", "return;", "LE-135"),
    ("/string", "return 'hello';", "LE-135"),
    (
        "/statusCode",
        "return { statusCode: 200, body: 'x' };",
        "LE-138",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn generated_responses_are_judged() {
    // LE-553, LE-554, LE-557, LE-558, LE-559, LE-561, LE-130, LE-131, LE-134, LE-135, LE-174, LE-208
    for event in ["viewer-request", "origin-request"] {
        assert_refused(event, &GENERATED, |edge| edge).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_results_of_viewer_request_are_judged() {
    // LE-550, LE-117, LE-138, LE-139, LE-171, LE-172, LE-208, LE-223, LE-230, LE-232, LE-233, LE-237, LE-247
    let cases = [
        (
            "/host",
            "request.headers.host[0].value = 'other.test'; return request;",
            "LE-171",
        ),
        (
            "/no-host",
            "delete request.headers.host; return request;",
            "LE-172",
        ),
        (
            "/via",
            "request.headers.via = [{ value: '1.1 me' }]; return request;",
            "LE-171",
        ),
        (
            "/real-ip",
            "request.headers['x-real-ip'] = [{ value: '1.2.3.4' }]; return request;",
            "LE-208",
        ),
        (
            "/country",
            "request.headers['cloudfront-viewer-country'] = [{ value: 'PT' }]; return request;",
            "LE-223",
        ),
        ("/relative", "request.uri = 'a'; return request;", "LE-230"),
        ("/space", "request.uri = '/a b'; return request;", "LE-233"),
        (
            "/query",
            "request.querystring = 'a b'; return request;",
            "LE-232",
        ),
        (
            "/method",
            "request.method = 'POST'; return request;",
            "LE-237",
        ),
        (
            "/ip",
            "request.clientIp = '192.0.2.1'; return request;",
            "LE-237",
        ),
        ("/event", "return event;", "LE-139"),
        ("/no-headers", "return { uri: '/' };", "LE-138"),
        (
            "/origin",
            "request.origin = { s3: { domainName: 'b.s3.amazonaws.com', region: '', authMethod: 'none', path: '', customHeaders: {} } }; return request;",
            "LE-117",
        ),
        (
            "/body",
            "request.body = { action: 'replace', data: 'x' }; return request;",
            "LE-247",
        ),
    ];
    assert_refused("viewer-request", &cases, |edge| edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_results_of_origin_request_are_judged() {
    // LE-551, LE-564, LE-100, LE-102, LE-103, LE-106, LE-171, LE-172, LE-185, LE-186
    let cases = [
        (
            "/ae",
            "delete request.headers['accept-encoding']; return request;",
            "LE-172",
        ),
        (
            "/inm",
            "request.headers['if-none-match'] = [{ value: '\"x\"' }]; return request;",
            "LE-171",
        ),
        (
            "/loop",
            "request.headers['cdn-loop'][0].value = 'mine'; return request;",
            "LE-171",
        ),
        (
            "/no-host",
            "delete request.headers.host; return request;",
            "LE-185",
        ),
        (
            "/hosts",
            "request.headers.host = [{ value: 'a.test' }, { value: 'b.test' }]; return request;",
            "LE-185",
        ),
        (
            "/both",
            "request.origin.s3 = { domainName: 'b.s3.amazonaws.com', region: '', authMethod: 'none', path: '', customHeaders: {} }; return request;",
            "LE-100",
        ),
        ("/none", "request.origin = {}; return request;", "LE-100"),
        (
            "/port",
            "request.origin.custom.port = 81; return request;",
            "LE-106",
        ),
        (
            "/address",
            "request.origin.custom.domainName = '192.0.2.1'; return request;",
            "LE-103",
        ),
        (
            "/twice",
            "request.origin.custom.customHeaders['x-forwarded-for'] = [{ value: 'x' }]; return request;",
            "LE-102",
        ),
        (
            "/denied",
            "request.origin.custom.customHeaders['cookie'] = [{ value: 'a=1' }]; return request;",
            "LE-186",
        ),
    ];
    assert_refused("origin-request", &cases, |edge| edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_origin_response_are_judged() {
    // LE-132, LE-135, LE-156, LE-158, LE-161, LE-171, LE-208
    let cases = [
        ("/request", "return request;", "LE-132"),
        ("/nothing", "return null;", "LE-135"),
        (
            "/status",
            "response.status = 199; return response;",
            "LE-156",
        ),
        (
            "/via",
            "response.headers.via = [{ value: 'me' }]; return response;",
            "LE-171",
        ),
        (
            "/connection",
            "response.headers.connection = [{ value: 'close' }]; return response;",
            "LE-208",
        ),
        (
            "/encoding",
            "response.body = 'x'; response.bodyEncoding = 'hex'; return response;",
            "LE-158",
        ),
        (
            "/204",
            "response.status = 204; response.body = ''; return response;",
            "LE-161",
        ),
    ];
    assert_refused("origin-response", &cases, |edge| edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_viewer_response_are_judged() {
    // LE-562, LE-133, LE-190, LE-193, LE-171, LE-208
    let cases = [
        ("/request", "return request;", "LE-133"),
        (
            "/status",
            "response.status = '201'; return response;",
            "LE-190",
        ),
        (
            "/coding",
            "response.headers['content-encoding'] = [{ value: 'gzip' }]; return response;",
            "LE-171",
        ),
        (
            "/length",
            "response.headers['content-length'][0].value = '2'; return response;",
            "LE-171",
        ),
        (
            "/no-length",
            "delete response.headers['content-length']; return response;",
            "LE-172",
        ),
        (
            "/warning",
            "response.headers.warning = [{ value: '199 - x' }]; return response;",
            "LE-171",
        ),
        (
            "/x-cache",
            "response.headers['x-cache'] = [{ value: 'Hit' }]; return response;",
            "LE-208",
        ),
    ];
    assert_refused("viewer-response", &cases, |edge| edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_response_cannot_change_the_body() {
    // LE-191, LE-562
    let origin = echo_target().await;
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
    let origin = echo_target().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_request_is_looked_up_under_its_new_name() {
    // LE-145, LE-004, LE-234, LE-505, CF-003
    let origin = echo_target().await;
    let edge = Edge::new()
        .function(
            "normalise",
            &handler(
                "request.uri = request.uri.toLowerCase();
                 request.querystring = request.querystring.toLowerCase().split('&').sort().join('&'); return request;",
            ),
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("on: { viewer-request: normalise }")
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
    let origin = echo_target().await;
    let edge = Edge::new()
        .function("desktop", &handler("request.uri = '/desktop' + request.uri; request.querystring = 'v=2'; return request;"))
        .behavior("on: { origin-request: desktop }")
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
    let origin = echo_target().await;
    let edge = Edge::new()
        .function("mark", &handler("request.uri = '/a?b'; return request;"))
        .behavior("on: { viewer-request: mark }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "/a%3Fb");
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_urls_have_a_length_limit() {
    // LE-231, LE-566
    let origin = echo_target().await;
    let edge = Edge::new()
        .function(
            "long",
            &handler(
                "request.uri = '/' + 'u'.repeat(Number(request.uri.slice(1)) - 1); return request;",
            ),
        )
        .behavior("on: { viewer-request: long }")
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
async fn bytes_a_function_left_alone_go_on_as_they_came_and_changed_ones_as_utf8() {
    // LE-236, LE-567, CF-326
    let origin = fourfront_conformance::RawOrigin::start(|_| {
        vec![fourfront_conformance::Turn::send(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: no-store\r\n\r\nx",
        )]
    })
    .await;
    let edge = Edge::new()
        .function(
            "see",
            &handler(
                "console.log(request.uri); if (request.headers['x-change']) request.uri = request.uri + '/'; return request;",
            ),
        )
        .behavior("on: { viewer-request: see }")
        .start_at(&origin.url())
        .await;
    for change in ["", "X-Change: 1\r\n"] {
        let mut request = b"GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n".to_vec();
        request.extend_from_slice(change.as_bytes());
        request.extend_from_slice(b"Connection: close\r\n\r\n");
        let received = raw_exchange(edge.address(), &request, b"").await;
        assert!(
            received.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&received)
        );
    }
    assert_eq!(edge.logs()[0].message, "/caf\u{e9}");
    let heads = origin.heads();
    // The harness reads heads as UTF-8, where a lone byte of ISO-8859-1 is replaced.
    assert!(
        heads[0].starts_with("GET /caf\u{fffd} HTTP/1.1"),
        "{}",
        heads[0]
    );
    assert!(
        heads[1].starts_with("GET /caf\u{e9}/ HTTP/1.1"),
        "{}",
        heads[1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_added_at_viewer_request_needs_a_policy_to_reach_the_origin() {
    // LE-148, LE-504
    let origin = echo_target().await;
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
    let origin = echo_target().await;
    let edge = Edge::new()
        .function(
            "auth",
            &handler(
                "request.headers['auth-header'] = [{ key: 'Auth-Header', value: new URLSearchParams(request.querystring).get('auth') }];
                 delete request.headers['user-agent']; request.querystring = 'x=1'; return request;",
            ),
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("on: { origin-request: auth }")
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
    let origin = echo_target().await;
    let edge = Edge::new()
        .function(
            "host",
            &handler(
                "request.headers.host = [{ key: 'Host', value: 'inner.test' }]; return request;",
            ),
        )
        .behavior("on: { origin-request: host }")
        .start(&origin)
        .await;
    edge.get("/").await;
    assert_eq!(origin.last().header("host"), Some("inner.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_request_function_sends_the_request_elsewhere() {
    // LE-115, LE-116, LE-146, LE-150, LE-101, LE-105, LE-094, CF-002
    let one = Origin::start(|_| Reply::ok("one")).await;
    let two = Origin::start(|_| Reply::ok("two").header("Cache-Control", "max-age=60")).await;
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
async fn a_bucket_may_take_the_place_of_a_server_and_the_reverse() {
    // LE-116, LE-113, LE-509, LE-511
    let origin = Origin::start(|_| Reply::ok("server")).await;
    // Accepted by validation; the bucket's name, reserved for this by RFC 2606, has no address.
    let edge = Edge::new()
        .function(
            "bucket",
            &handler(
                "request.origin = { s3: { domainName: 'bucket.s3.invalid', region: '', authMethod: 'none', path: '', customHeaders: {} } };
                 request.headers.host = [{ key: 'Host', value: 'bucket.s3.invalid' }]; return request;",
            ),
        )
        .behavior("on: { origin-request: bucket }")
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
        .function(
            "server",
            &handler(&format!(
                "console.log(Object.keys(request.origin).join());
                 request.origin = {{ custom: {{ domainName: 'localhost', port: {}, protocol: 'http', path: '',
                     sslProtocols: ['TLSv1.2'], readTimeout: 5, keepaliveTimeout: 5, customHeaders: {{}} }} }};
                 return request;",
                origin.address().port()
            )),
        )
        .behavior("on: { origin-request: server }")
        .origin("files: { dir: ./files }");
    edge.write("files/a.txt", "file");
    let edge = edge.start_at("").await;
    assert_eq!(edge.get("/a.txt").await.text(), "server");
    assert_eq!(edge.logs()[0].message, "s3");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_origin_can_be_read_by_functions() {
    // LE-014, LE-344, LE-101
    let origin = echo_target().await;
    let port = origin.address().port();
    let edge = Edge::new()
        .function(
            "settings",
            &handler(
                "const env = request.origin.custom.customHeaders['x-env'][0].value;
                 console.log(env + ' ' + ('x-env' in request.headers)); request.uri = '/' + env + request.uri; return request;",
            ),
        )
        .origin(&format!(
            "staged: {{ domain_name: 127.0.0.1, custom_headers: {{ X-Env: staging }}, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port} }} }}"
        ))
        .behavior("origin: staged")
        .behavior("on: { origin-request: settings }")
        .start_at("")
        .await;
    assert_eq!(edge.get("/a").await.text(), "/staging/a");
    assert_eq!(edge.logs()[0].message, "staging false");
    assert_eq!(origin.last().header("x-env"), Some("staging"));
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
    let (sender, stream) = tokio::sync::mpsc::unbounded_channel();
    for piece in pieces {
        let _ = sender.send(bytes::Bytes::from_static(piece));
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
        let origin =
            Origin::start(|_| Reply::ok("origin body").header("Cache-Control", "max-age=60")).await;
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
    // LE-182
    let origin = validated().await;
    let edge = Edge::new()
        .function(
            "turn",
            &handler(
                "if (response.status === '304') { response.status = 200; response.body = 'made'; } return response;",
            ),
        )
        .behavior("on: { origin-response: turn }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "stored");
    edge.advance(10);
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "made"));
    assert_eq!(answer.header("content-length"), Some("4"));
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "made", "Hit")
    );
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
            .function("form", &handler(code))
            .behavior(ALL_METHODS)
            .behavior(&format!("on: {{ {event}: form }}"))
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

#[tokio::test(flavor = "multi_thread")]
async fn state_of_a_module_lives_as_long_as_its_isolate() {
    // LE-347, LE-348, LE-569, LE-317, LE-350
    let origin = Origin::start(|_| Reply::ok("x")).await;
    let edge = Edge::new()
        .threads(1, 1)
        .function(
            "count",
            "let n = 0;
             exports.handler = async (event) => {
                 const { request } = event.Records[0].cf;
                 n += 1;
                 if (request.uri === '/crash') {
                     setTimeout(() => { throw new Error('uncaught'); }, 0);
                     await new Promise((done) => setTimeout(done, 1000));
                 }
                 return { status: 200, body: String(n) };
             };",
        )
        .behavior("on: { viewer-request: count }")
        .start(&origin)
        .await;
    for expected in ["1", "2", "3"] {
        assert_eq!(edge.get("/").await.text(), expected);
    }
    let answer = edge.get("/crash").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (503, "LambdaExecutionError")
    );
    assert_eq!(edge.get("/").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_returned_value_counts() {
    // LE-063, LE-064
    let origin = echo_target().await;
    let edge = Edge::new()
        .function(
            "stray",
            &handler(
                "const copy = JSON.parse(JSON.stringify(request)); request.uri = '/changed'; config.requestId = 'mine'; return copy;",
            ),
        )
        .function(
            "info",
            &handler("request.uri = '/changed'; request.headers = {}; config.eventType = 'x'; return response;"),
        )
        .behavior("on: { viewer-request: stray, viewer-response: info }")
        .start(&origin)
        .await;
    let answer = edge.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "/a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn disallowed_headers_are_hidden_and_survive_being_hidden() {
    // LE-207, LE-209, LE-210, LE-A24
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Reply::ok("x")
            .header("X-Accel-Buffering", "no")
            .header("X-Amzn-Trace-Id", "Root=1")
            .header("X-Real", "1")
    })
    .await;
    let edge = Edge::new()
        .function(
            "see",
            &handler(
                "const seen = (response || request).headers;
                 console.log(['x-real-ip', 'x-forwarded-proto', 'x-accel-buffering', 'x-amzn-trace-id'].filter((n) => n in seen).join());
                 return response || request;",
            ),
        )
        .behavior("on: { viewer-request: see, viewer-response: see }")
        .start(&origin)
        .await;
    let answer = edge
        .request("GET", "/")
        .header("X-Real-IP", "192.0.2.1")
        .header("X-Forwarded-Proto", "https")
        .header("X-Amzn-Trace-Id", "Root=2")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(lines, ["x-amzn-trace-id", "x-amzn-trace-id"]);
}
