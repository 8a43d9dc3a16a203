//! Results that are refused, rule by rule, at each trigger (LE section 5.5).

use fourfront_conformance::{Edge, Origin, Reply};

/// One function at `event` whose case is chosen by the path; checks status, token and the rule in the record.
async fn assert_refused(event: &str, cases: &[(&str, &str, &str)]) {
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
    let edge = Edge::new().hook(event, &body).start(&origin).await;
    for (path, _, rule) in cases {
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
        let record = edge.record_of(&answer).await;
        let hook = record.hooks.last().expect("a function ran");
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
        "LE-213",
    ),
    (
        "/via",
        "return { status: 200, headers: { via: [{ value: '1.1 me' }] } };",
        "LE-216",
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
        assert_refused(event, &GENERATED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_results_of_viewer_request_are_judged() {
    // LE-550, LE-117, LE-138, LE-139, LE-171, LE-172, LE-208, LE-223, LE-230, LE-232, LE-233, LE-237, LE-247
    let cases = [
        (
            "/host",
            "request.headers.host[0].value = 'other.test'; return request;",
            "LE-214",
        ),
        (
            "/no-host",
            "delete request.headers.host; return request;",
            "LE-214",
        ),
        (
            "/via",
            "request.headers.via = [{ value: '1.1 me' }]; return request;",
            "LE-216",
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
    assert_refused("viewer-request", &cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_results_of_origin_request_are_judged() {
    // LE-551, LE-564, LE-100, LE-102, LE-103, LE-106, LE-171, LE-172, LE-185, LE-186
    let cases = [
        (
            "/ae",
            "delete request.headers['accept-encoding']; return request;",
            "LE-217",
        ),
        (
            "/inm",
            "request.headers['if-none-match'] = [{ value: '\"x\"' }]; return request;",
            "LE-218",
        ),
        (
            "/loop",
            "request.headers['cdn-loop'][0].value = 'mine'; return request;",
            "LE-212",
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
    assert_refused("origin-request", &cases).await;
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
            "LE-216",
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
    assert_refused("origin-response", &cases).await;
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
            "LE-219",
        ),
        (
            "/length",
            "response.headers['content-length'][0].value = '2'; return response;",
            "LE-213",
        ),
        (
            "/no-length",
            "delete response.headers['content-length']; return response;",
            "LE-213",
        ),
        (
            "/warning",
            "response.headers.warning = [{ value: '199 - x' }]; return response;",
            "LE-220",
        ),
        (
            "/x-cache",
            "response.headers['x-cache'] = [{ value: 'Hit' }]; return response;",
            "LE-208",
        ),
    ];
    assert_refused("viewer-response", &cases).await;
}
