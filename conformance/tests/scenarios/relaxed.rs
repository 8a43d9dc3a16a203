//! What `compat: relaxed` and the node's own settings change about functions.

use fourfront_conformance::{ALL_METHODS, Answer, Edge, Origin, Reply, Running, handler};
use fourfront_hooks::log::LogLevel;

const RELAXED: &str = "compat: relaxed";

const EVENTS: [&str; 4] = [
    "viewer-request",
    "origin-request",
    "origin-response",
    "viewer-response",
];

/// A function at every trigger that does what `X-Do` says at the trigger that `X-At` names.
fn on_demand() -> String {
    handler(
        "const asked = (name) => request.headers[name]?.[0].value;
  console.log(config.eventType);
  if (asked('x-at') === config.eventType) {
    if (asked('x-do') === 'throw') throw new TypeError('on purpose');
    if (asked('x-do') === 'nothing') return null;
    if (asked('x-do') === 'rewrite') { request.uri = '/changed'; if (response) response.status = '418'; request.method = 'PUT'; return response ?? request; }
  }
  return response || request;",
    )
}

async fn bypassing(origin: &Origin) -> Running {
    let on = EVENTS
        .map(|event| format!("{event}: {{ function: risky, on_error: bypass }}"))
        .join(", ");
    Edge::new()
        .top(RELAXED)
        .function("risky", &on_demand())
        .behavior(&format!("on: {{ {on} }}"))
        .behavior(ALL_METHODS)
        .behavior("cache_policy: Managed-CachingDisabled")
        .behavior("origin_request_policy: { headers: { all_except: [Host] }, cookies: all, query_strings: all }")
        .start(origin)
        .await
}

async fn failing(edge: &Running, event: &str, how: &str) -> Answer {
    edge.request("GET", "/page")
        .header("X-At", event)
        .header("X-Do", how)
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_on_without_a_function_that_failed_where_the_association_says_so() {
    // LE-281, LE-284
    let origin = Origin::echo().await;
    let edge = bypassing(&origin).await;
    let rows = [
        ("throw", "LambdaExecutionError", "LE-271"),
        ("nothing", "LambdaValidationError", "LE-135"),
    ];
    for event in EVENTS {
        for (how, class, rule) in rows {
            let answer = failing(&edge, event, how).await;
            assert_eq!(
                (answer.status, answer.text(), answer.x_cache()),
                (200, "/page", "Miss"),
                "{event} {how}"
            );
            // All four ran, one of them failed, and the request has no error.
            let record = edge.record_of(&answer).await;
            let faults: Vec<_> = record.hooks.iter().map(|h| h.fault).collect();
            assert_eq!(faults.len(), 4, "{event} {how}");
            for (ran, fault) in EVENTS.iter().zip(faults) {
                let expected = (*ran == event).then_some((class, rule));
                assert_eq!(fault, expected, "{event} {how} {ran}");
            }
            assert_eq!(record.error, None, "{event} {how}");
            let counted = format!(
                "fourfront_hook_faults_total{{class=\"{class}\",event_type=\"{event}\",function=\"risky\",rule=\"{rule}\",version=\"1\"}} 1"
            );
            assert!(edge.metrics().contains(&counted), "{counted}");
        }
    }
    // The author's log has what was thrown.
    let thrown = edge
        .logs()
        .into_iter()
        .filter(|l| l.level == LogLevel::Error);
    assert_eq!(thrown.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_refused_result_is_kept_when_it_is_passed_by() {
    // LE-281, LE-237, LE-190
    let origin = Origin::echo().await;
    let edge = bypassing(&origin).await;
    for event in ["viewer-request", "origin-request", "viewer-response"] {
        let answer = failing(&edge, event, "rewrite").await;
        assert_eq!((answer.status, answer.text()), (200, "/page"), "{event}");
        assert_eq!(origin.last().method, "GET", "{event}");
    }
    // A body that was read for the function still reaches the origin.
    let on = "viewer-request: { function: fails, include_body: true, on_error: bypass }";
    let edge = Edge::new()
        .top(RELAXED)
        .function("fails", &handler("throw request.body.data;"))
        .behavior(&format!("on: {{ {on} }}"))
        .behavior(ALL_METHODS)
        .start(&origin)
        .await;
    let answer = edge.request("POST", "/form").body("a=1&b=2").send().await;
    assert_eq!(answer.text(), "/form");
    assert_eq!(origin.last().body, "a=1&b=2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_origin_function_never_saw_is_one_viewers_alone() {
    // LE-281, LE-279
    for event in ["origin-request", "origin-response"] {
        let origin = Origin::start(|request| {
            let head = match request.header("if-none-match") {
                Some("\"v1\"") => Reply::status(304),
                _ => Reply::ok("content"),
            };
            head.header("ETag", "\"v1\"")
                .header("Cache-Control", "max-age=10")
        })
        .await;
        // It fails in its first and third call.
        let code = "let calls = 0;
exports.handler = async (event) => {
  const { request, response } = event.Records[0].cf;
  calls += 1;
  if (calls % 2 === 1) return null;
  return response || request;
};";
        let edge = Edge::new()
            .threads(1, 1)
            .top(RELAXED)
            .function("risky", code)
            .behavior(&format!(
                "on: {{ {event}: {{ function: risky, on_error: bypass }} }}"
            ))
            .start(&origin)
            .await;
        let get = async || {
            let answer = edge.get("/").await;
            assert_eq!((answer.status, answer.text()), (200, "content"), "{event}");
            let status = answer.header("cache-status").map(str::to_owned);
            (answer.x_cache().to_owned(), status.unwrap_or_default())
        };
        let (first, told) = get().await;
        assert_eq!(first, "Miss");
        assert!(told.contains("unhooked"), "{event}: {told}");
        assert_eq!(get().await.0, "Miss", "{event}: nothing was stored");
        assert_eq!(get().await.0, "Hit", "{event}");
        assert_eq!(origin.count(), 2, "{event}");
        // Nor does such an answer make a stored object fresh again.
        edge.advance(11);
        let (refreshed, told) = get().await;
        assert_eq!(refreshed, "RefreshHit", "{event}: {told}");
        assert_eq!(origin.count(), 3, "{event}");
        assert_eq!(get().await.0, "RefreshHit", "{event}");
        assert_eq!(origin.count(), 4, "{event}");
        assert_eq!(get().await.0, "Hit", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_function_is_passed_by_too_and_others_still_fail() {
    // LE-281, LE-265, LE-272
    let origin = Origin::saying("content").await;
    let slow = handler(
        "if (request.uri === '/slow') { console.log('in'); await new Promise((done) => setTimeout(done, 2000)); } return request;",
    );
    let edge = std::sync::Arc::new(
        Edge::new()
            .top(RELAXED)
            .concurrency(1)
            .function_with("slow", &slow, "timeout: 20")
            .path("/guarded", "on: { viewer-request: slow }")
            .behavior("on: { viewer-request: { function: slow, on_error: bypass } }")
            .start(&origin)
            .await,
    );
    let first = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/slow").await }
    });
    edge.logged(1).await;
    assert_eq!(edge.get("/open").await.text(), "content");
    let guarded = edge.get("/guarded").await;
    assert_eq!(
        (guarded.status, guarded.x_cache()),
        (503, "LambdaLimitExceeded")
    );
    assert_eq!(first.await.unwrap().text(), "content");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_plain_returns_are_for_relaxed_distributions() {
    // LE-340, LE-312, LE-311, NC-73
    let origin = Origin::saying("content").await;
    let code = "exports.handler = (event) => ({ status: '200', body: `${process.env.STAGE} ${process.env.AWS_REGION}` });";
    let relaxed = Edge::new()
        .top(RELAXED)
        .function_with("vars", code, "environment: { STAGE: green }")
        .behavior("on: { viewer-request: vars }")
        .start(&origin)
        .await;
    assert_eq!(relaxed.get("/").await.text(), "green us-east-1");
    // Strict takes no variables, and a plain return is no answer.
    let strict = Edge::new()
        .function("vars", code)
        .behavior("on: { viewer-request: vars }");
    let answer = strict.start(&origin).await.get("/").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError")
    );
    let refused = Edge::new()
        .function_with("vars", code, "environment: { STAGE: green }")
        .behavior("on: { viewer-request: vars }")
        .load(&origin.url())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("environment.STAGE"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_function_runs_strictly_here_and_relaxed_there() {
    // LE-378, LE-370, LE-312
    let origin = Origin::saying("content").await;
    let on = "on: { viewer-request: plain }";
    let edge = Edge::new()
        .function("plain", "exports.handler = () => ({ status: '204' });")
        .behavior(on)
        .start(&origin)
        .await;
    let other = format!(
        "  other:\n    compat: relaxed\n    aliases: [relaxed.test]\n    origins: {{ o: {} }}\n    default_cache_behavior: {{ {on} }}\n",
        origin.url()
    );
    let site = edge
        .site_file()
        .replace("  site:\n", "  site:\n    default: true\n");
    let both = format!("{site}{other}");
    edge.reload(&both).unwrap();
    assert_eq!(edge.get("/").await.status, 502);
    let there = edge.request("GET", "/").header("Host", "relaxed.test");
    assert_eq!(there.send().await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_beyond_awss_are_for_relaxed_distributions() {
    // LE-250, LE-262, LE-266
    let origin = Origin::saying("content").await;
    let edge = |top: &str| {
        Edge::new()
            .top(top)
            .function_with(
                "left",
                &handler("return { status: '200', body: String(context > 0) };")
                    .replace(
                        "async (event)",
                        "async (event, { getRemainingTimeInMillis })",
                    )
                    .replace("context > 0", "getRemainingTimeInMillis() > 60000"),
                "timeout: 90",
            )
            .behavior("on: { viewer-request: left }")
    };
    let refused = edge("compat: strict").load(&origin.url()).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("a timeout of 90 s is above the 30 s of this trigger"),
        "{refused}"
    );
    let edge = edge(RELAXED).start(&origin).await;
    assert_eq!(edge.get("/").await.text(), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relaxed_distribution_resolves_only_the_name_it_connects_to() {
    // LE-276, LE-A25, LE-038
    let origin = Origin::saying("content").await;
    let elsewhere = handler(&format!(
        "Object.assign(request.origin.custom, {{ domainName: 'localhost', port: {} }}); return request;",
        origin.port()
    ));
    for (top, expected) in [("compat: strict", 502), (RELAXED, 200)] {
        let edge = Edge::new()
            .top(top)
            .function("elsewhere", &elsewhere)
            .node("hooks: { local_egress: true }")
            .behavior("on: { origin-request: elsewhere }")
            .start_at("http://placeholder.invalid")
            .await;
        assert_eq!(edge.get("/").await.status, expected, "{top}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_under_a_foreign_key_takes_the_name_of_the_map_or_is_refused() {
    // LE-200, LE-501, LE-A09
    let origin = Origin::start(|_| {
        Reply::ok("x").header("X-Amz-Meta-Last-Modified", "Tue, 03 Mar 2026 09:00:00 GMT")
    })
    .await;
    let copying = "response.headers['last-modified'] = response.headers['x-amz-meta-last-modified']; return response;";
    let lenient = Edge::new()
        .hook("origin-response", copying)
        .start(&origin)
        .await;
    assert_eq!(
        lenient.get("/").await.header("last-modified"),
        Some("Tue, 03 Mar 2026 09:00:00 GMT")
    );
    let strict = Edge::new()
        .distribution("strict_header_keys: true")
        .hook("origin-response", copying)
        .start(&origin)
        .await;
    let answer = strict.get("/").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError")
    );
    let record = strict.record_of(&answer).await;
    assert_eq!(
        record.hooks[0].fault,
        Some(("LambdaValidationError", "LE-200"))
    );
    let error = record.error.unwrap_or_default();
    assert!(
        error.contains("headers.last-modified") && error.contains("X-Amz-Meta-Last-Modified"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_read_the_names_that_the_site_file_gives() {
    // LE-326, LE-330
    let origin = Origin::saying("content").await;
    let code = handler("").replace("  \n", "")
        .replace("async (event)", "async (event, context)")
        .replace("event.Records[0].cf;", "event.Records[0].cf; console.log(context.functionName + ' ' + context.logGroupName); return request;");
    let edge = Edge::new()
        .node("hooks: { function_name_prefix: eu-west-1. }")
        .function("plain", &code)
        .function_with("grouped", &code, "log_group: /edge/own")
        .path("/own", "on: { viewer-request: grouped }")
        .behavior("on: { viewer-request: plain }")
        .start(&origin)
        .await;
    edge.get("/").await;
    edge.get("/own").await;
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(
        lines,
        [
            "eu-west-1.plain /aws/lambda/eu-west-1.plain",
            "eu-west-1.grouped /edge/own"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_connect_to_the_hosts_of_their_list_alone() {
    // LE-346
    let origin = Origin::saying("content").await;
    let api = Origin::saying("from the api").await;
    let port = api.port();
    let code = handler(&format!(
        "try {{
    const answer = await fetch('http://localhost:{port}/key');
    return {{ status: '200', body: await answer.text() }};
  }} catch (error) {{ return {{ status: '403', body: error.cause.message }}; }}"
    ));
    let edge = Edge::new()
        .node("hooks: { local_egress: true }")
        .function_with("listed", &code, &format!("egress: ['localhost:{port}']"))
        .function_with("unlisted", &code, "egress: [api.example.test]")
        .function_with("silent", &code, "egress: []")
        .path("/listed", "on: { viewer-request: listed }")
        .path("/silent", "on: { viewer-request: silent }")
        .behavior("on: { viewer-request: unlisted }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/listed").await.text(), "from the api");
    for path in ["/unlisted", "/silent"] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("LE-346"), "{}", answer.text());
    }
    assert_eq!(api.count(), 1);
}
