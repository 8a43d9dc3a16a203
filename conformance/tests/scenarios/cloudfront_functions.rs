//! CloudFront Functions in a node: where they run, what they may change, how they fail (LE section 8).

use fourfront::node::SnapshotError;
use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, handler, logging};

const REWRITE: &str = "function handler(event) {
    var r = event.request;
    r.uri = '/new' + r.uri;
    r.querystring.added = { value: '1' };
    r.headers['x-a'] = { multiValue: [{ value: 'one' }, { value: 'two' }] };
    r.cookies.theme = { value: 'dark' };
    delete r.cookies.id;
    return r;
}";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_rewritten_in_every_part_that_may_change() {
    // LE-403, LE-405, LE-407, LE-415, LE-418, LE-419
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .cloudfront_function("f", REWRITE, "")
        .behavior("on: { viewer-request: f }")
        .behavior("cache_policy: { default_ttl: 60, query_strings: all, cookies: all }")
        .behavior("origin_request_policy: { headers: [X-A], query_strings: all, cookies: all }")
        .start(&origin)
        .await;
    edge.request("GET", "/a?B=2&b=1")
        .header("Cookie", "id=7; x=1")
        .send()
        .await;
    let seen = origin.last();
    assert_eq!(seen.target, "/new/a?B=2&b=1&added=1");
    assert_eq!(seen.header("cookie"), Some("theme=dark; x=1"));
    let values: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-a"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(values, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_made_at_viewer_request_goes_out_at_once() {
    // CF-515, LE-415, LE-422, LE-425, LE-429, LE-423, LE-409
    let origin = Origin::saying("x").await;
    let code = "function handler(event) {
        return { statusCode: 403, statusDescription: 'No Entry', headers: { 'content-type': { value: 'text/plain' } },
            cookies: { seen: { value: '1', attributes: 'Path=/; Secure' } }, body: { encoding: 'base64', data: 'bm8=' } };
    }";
    let edge = Edge::new()
        .cloudfront_function("deny", code, "")
        .cloudfront_function(
            "log",
            "function handler(e) { console.log('ran'); return e.response; }",
            "",
        )
        .behavior("on: { viewer-request: deny, viewer-response: log }")
        .start(&origin)
        .await;
    for _ in 0..2 {
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (403, "no", "FunctionGeneratedResponse")
        );
        assert_eq!(answer.header("set-cookie"), Some("seen=1; Path=/; Secure"));
        assert_eq!(answer.header("content-length"), Some("2"));
        let record = edge.record_of(&answer).await.to_json();
        assert_eq!(record["x-edge-result-type"], "FunctionGeneratedResponse");
    }
    assert_eq!((origin.count(), edge.logs().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_response_function_changes_status_and_body_of_what_is_sent_alone() {
    // LE-416, LE-421, LE-422, LE-423
    let origin = Origin::start(|_| {
        Reply::ok("from the origin")
            .header("Cache-Control", "max-age=60")
            .header("Etag", "\"1\"")
    })
    .await;
    let code = "function handler(event) {
        var r = event.response, q = event.request.querystring;
        if (q.status) r.statusCode = parseInt(q.status.value);
        if (q.body) { r.body = q.body.value; r.headers['content-type'] = { value: 'text/plain' }; }
        r.cookies.c = { value: 'v', attributes: 'Path=/' };
        return r;
    }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "runtime: cloudfront-js-1.0")
        .behavior("on: { viewer-response: f }")
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/?status=201&body=mine").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (201, "mine", token)
        );
        assert_eq!(answer.header("content-length"), Some("4"));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("set-cookie"), Some("c=v; Path=/"));
    }
    let plain = edge.get("/").await;
    assert_eq!((plain.status, plain.text()), (200, "from the origin"));
    let removed = edge.get("/?body=").await;
    assert_eq!(
        (removed.text(), removed.header("content-length")),
        ("", Some("0"))
    );
    let head = edge.request("HEAD", "/?body=mine").send().await;
    assert_eq!(
        (head.text(), head.header("content-length")),
        ("", Some("4"))
    );
    let none = edge.get("/?status=204").await;
    assert_eq!((none.status, none.text()), (204, ""));
    assert_eq!(origin.count(), 1);
    // A part of an object has no body that another could take the place of.
    let part = edge
        .request("GET", "/?body=mine")
        .header("Range", "bytes=0-3")
        .send()
        .await;
    assert_eq!(
        (part.status, part.x_cache()),
        (502, "FunctionValidationError")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_own_tokens_and_tell_viewers_nothing() {
    // CF-516, LE-273, LE-274, LE-444, LE-417, LE-426
    let origin = Origin::saying("x").await;
    let code = "function handler(event) {
        var r = event.request;
        if (r.uri === '/throws') throw new Error('inner secret');
        if (r.uri === '/null') return null;
        if (r.uri === '/upper') r.headers['X-Upper'] = { value: '1' };
        if (r.uri === '/host') r.headers.host = { value: 'evil.test' };
        return r;
    }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "")
        .behavior("on: { viewer-request: f }")
        .start(&origin)
        .await;
    for (path, status, token, rule) in [
        ("/throws", 503, "FunctionExecutionError", "LE-274"),
        ("/null", 502, "FunctionValidationError", "LE-417"),
        ("/upper", 502, "FunctionValidationError", "LE-419"),
        ("/host", 502, "FunctionValidationError", "LE-214"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache()), (status, token), "{path}");
        assert!(answer.text().contains(token) && !answer.text().contains("secret"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let record = edge.record_of(&answer).await.to_json();
        assert_eq!(record["x-edge-result-type"], token);
        assert_eq!(record["ff-hooks"][0]["rule"], rule);
    }
    assert_eq!(edge.get("/fine").await.text(), "x");
    let logs = edge.logs();
    assert!(
        logs.iter().any(|l| l.message.contains("inner secret")),
        "the author is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_does_not_end_is_throttled() {
    // LE-275, LE-437
    let origin = Origin::saying("x").await;
    let code = "function handler(event) { if (event.request.uri === '/loop') for (;;) {} return event.request; }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "")
        .behavior("on: { viewer-request: f }")
        .start(&origin)
        .await;
    let answer = edge.get("/loop").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (503, "FunctionThrottledError")
    );
    let record = edge.record_of(&answer).await.to_json();
    assert_eq!(record["x-edge-result-type"], "FunctionThrottledError");
    assert_eq!(record["ff-hooks"][0]["rule"], "LE-437");
    assert_eq!(
        edge.get("/").await.text(),
        "x",
        "once is not again and again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_work_together_in_one_behaviour() {
    // LE-375
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .cloudfront_function("first", "function handler(e) { e.request.headers['x-first'] = { value: '1' }; return e.request; }", "")
        .cloudfront_function("last", "function handler(e) { e.response.headers['x-last'] = { value: e.request.headers['x-first'].value }; return e.response; }", "")
        .function("second", &handler("request.headers['x-second'] = [{ value: request.headers['x-first'][0].value + '2' }]; return request;"))
        .function("log", &logging())
        .behavior("on: { viewer-request: first, origin-request: second, origin-response: log, viewer-response: last }")
        .behavior("origin_request_policy: { headers: [X-First] }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(answer.header("x-last"), Some("1"));
    assert_eq!(origin.last().header("x-second"), Some("12"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_read_again_on_reload() {
    // LE-387, LE-388, LE-470, LE-474
    let origin = Origin::echo().await;
    let code = "import cf from 'cloudfront';
        async function handler(e) { e.request.uri = await cf.kvs().get('to'); return e.request; }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "store: routes")
        .store("routes", r#"{"data":[{"key":"to","value":"/one"}]}"#)
        .behavior("on: { viewer-request: f }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.text(), "/one");
    edge.rewrite("routes.json", r#"{"data":[{"key":"to","value":"/two"}]}"#)
        .expect("it is accepted");
    assert_eq!(edge.get("/").await.text(), "/two");
    edge.rewrite(
        "f.js",
        "function handler(e) { e.request.uri = '/three'; return e.request; }",
    )
    .expect("it is accepted");
    assert_eq!(edge.get("/").await.text(), "/three");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_cannot_run_is_refused_at_start() {
    // LE-442, LE-463, LE-470
    for (code, said) in [
        ("function handler(e) {", "Unexpected"),
        ("function other() {}", "no top-level function `handler`"),
        (
            "import cf from 'cloudfront'; cf.kvs(); function handler() {}",
            "no key-value store is associated",
        ),
        ("class A {} function handler() {}", "LE-454"),
    ] {
        let edge = Edge::new()
            .cloudfront_function("f", code, "")
            .behavior("on: { viewer-request: f }");
        let refused = edge
            .try_start("http://127.0.0.1:9")
            .await
            .err()
            .expect("refused");
        let [SnapshotError::Function { section, name, .. }] = &refused[..] else {
            panic!("{refused:?}");
        };
        assert_eq!((*section, name.as_str()), ("cloudfront_functions", "f"));
        assert!(refused[0].to_string().contains(said), "{}", refused[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_sent_to_other_origins() {
    // LE-475, LE-476, LE-478, LE-479, LE-481
    let origin = Origin::saying("assigned").await;
    let other = Origin::saying("other").await;
    let code = "import cf from 'cloudfront';
        function handler(e) {
            const uri = e.request.uri;
            if (uri === '/by-id') cf.selectRequestOriginById('other', { hostHeader: 'by-id.test' });
            if (uri === '/last') { cf.updateRequestOrigin({ domainName: 'gone.invalid' }); cf.selectRequestOriginById('other'); }
            if (uri === '/changed') cf.updateRequestOrigin({ originPath: '/v2', hostHeader: 'changed.test', customHeaders: { 'x-env': 'two' } });
            if (uri === '/unknown') cf.selectRequestOriginById('nowhere');
            if (uri === '/group') cf.createRequestOriginGroup({ originIds: ['origin', 'other'], failoverCriteria: [500] });
            if (uri === '/foreign') cf.updateRequestOrigin({ domainName: 'localhost', customOriginConfig: { port: 8099, protocol: 'http' } });
            if (uri === '/signed') cf.updateRequestOrigin({ originAccessControlConfig: { enabled: true, signingBehavior: 'always' } });
            return e.request;
        }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "")
        .origin(&format!("other: {}", other.url()))
        .behavior("on: { viewer-request: f }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/plain").await.text(), "assigned");
    assert_eq!(edge.get("/by-id").await.text(), "other");
    assert_eq!(other.last().header("host"), Some("by-id.test"));
    assert_eq!(edge.get("/last").await.text(), "other");
    assert_eq!(edge.get("/changed").await.text(), "assigned");
    let seen = origin.last();
    assert_eq!(
        (
            seen.target.as_str(),
            seen.header("host"),
            seen.header("x-env")
        ),
        ("/v2/changed", Some("changed.test"), Some("two"))
    );
    for (path, rule) in [
        ("/unknown", "LE-479"),
        ("/group", "LE-480"),
        ("/foreign", "LE-346"),
        ("/signed", "LE-475"),
    ] {
        let refused = edge.get(path).await;
        assert_eq!(
            (refused.status, refused.x_cache()),
            (502, "FunctionValidationError"),
            "{path}"
        );
        let record = edge.record_of(&refused).await.to_json();
        assert_eq!(record["ff-hooks"][0]["rule"], rule);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_data_goes_to_the_access_record() {
    // LE-483
    let origin = Origin::saying("x").await;
    let code = |what: &str| {
        format!(
            "import cf from 'cloudfront'; function handler(e) {{ cf.logCustomData('first'); cf.logCustomData('a b=' + e.context.eventType); return e.{what}; }}"
        )
    };
    let edge = Edge::new()
        .cloudfront_function("one", &code("request"), "")
        .cloudfront_function("two", &code("response"), "")
        .behavior("on: { viewer-request: one, viewer-response: two }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    let record = edge.record_of(&answer).await.to_json();
    assert_eq!(record["viewer-request-log-data"], "a%20b%3Dviewer-request");
    assert_eq!(
        record["viewer-response-log-data"],
        "a%20b%3Dviewer-response"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_can_ask_for_the_raw_query_and_the_place_it_runs_at() {
    // LE-401, LE-412, LE-482
    let origin = Origin::saying("x").await;
    let code = "import cf from 'cloudfront';
        function handler(e) {
            const r = e.request;
            return { statusCode: 200, body: JSON.stringify([r.rawQueryString(), cf.edgeLocation, e.context.eventType, e.context.distributionDomainName]) };
        }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "runtime: cloudfront-js-2.0")
        .behavior("on: { viewer-request: f }")
        .start(&origin)
        .await;
    for (target, raw) in [("/a?b=1&b", "\"b=1&b\""), ("/a?", "\"\""), ("/a", "null")] {
        assert_eq!(
            edge.get(target).await.text(),
            format!(
                "[{raw},{{\"name\":\"EDG01-C1\",\"serverIp\":\"127.0.0.1\",\"region\":\"\"}},\"viewer-request\",\"site.fourfront.localhost\"]"
            )
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_body_passes_unseen() {
    // LE-411
    let origin = Origin::start(|request| Reply::ok(request.body.clone())).await;
    let code = "function handler(e) { e.request.headers['x-body'] = { value: String(e.request.body) }; return e.request; }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "")
        .behavior("on: { viewer-request: f }")
        .behavior(ALL_METHODS)
        .behavior("origin_request_policy: { headers: [X-Body] }")
        .start(&origin)
        .await;
    let answer = edge.request("POST", "/").body("sent").send().await;
    assert_eq!(answer.text(), "sent");
    assert_eq!(origin.last().header("x-body"), Some("undefined"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_called_many_times_keeps_no_state_on_any_thread() {
    // LE-441
    let origin = Origin::saying("x").await;
    let code = "var count = 0; function handler(e) { count++; e.response.headers['x-count'] = { value: String(count) }; return e.response; }";
    let edge = Edge::new()
        .cloudfront_function("f", code, "")
        .behavior("on: { viewer-response: f }")
        .start(&origin)
        .await;
    // Past the number of calls after which a function runs on the proxy's own threads.
    for _ in 0..260 {
        assert_eq!(edge.get("/").await.header("x-count"), Some("1"));
    }
}
