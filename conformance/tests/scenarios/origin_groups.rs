//! Origin groups: the secondary answers when the primary fails (CF section 5.4).

use fourfront_conformance::{ALL_METHODS, Edge, Origin, RawOrigin, Reply, Running, Turn, handler};
use tokio::{net::TcpListener, sync::watch};

/// An origin that answers with the status in the path, as `name`.
async fn origin(name: &'static str) -> Origin {
    Origin::start(move |seen| {
        let status = seen.target.rsplit('/').next().and_then(|s| s.parse().ok());
        Reply::status(status.unwrap_or(200))
            .body(name)
            .header("Cache-Control", "max-age=10")
    })
    .await
}

/// An origin that always answers well.
async fn well(name: &'static str) -> Origin {
    Origin::start(move |_| Reply::ok(name).header("Cache-Control", "max-age=10")).await
}

/// A node whose default behaviour targets a group of the origin and that second one.
fn group(second: &str, statuses: &str) -> Edge {
    let group = format!(
        "origin_groups: {{ both: {{ members: [origin, second], failover_criteria: {{ status_codes: {statuses} }} }} }}"
    );
    Edge::new()
        .origin(&format!("second: {second}"))
        .distribution(&group)
        .behavior("origin: both")
}

async fn said(edge: &Running, target: &str) -> (u16, String, String) {
    let answer = edge.get(target).await;
    let token = answer.x_cache().to_owned();
    (answer.status, answer.text().to_owned(), token)
}

fn is(status: u16, text: &str, token: &str) -> (u16, String, String) {
    (status, text.to_owned(), token.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_status_of_the_primary_sends_the_request_to_the_secondary() {
    // CF-442, CF-443, CF-446, CF-448, CF-010.13
    let (primary, secondary) = (origin("primary").await, well("secondary").await);
    let url = format!("{}/copy", secondary.url());
    let edge = group(&url, "[404, 500]").start(&primary).await;
    for status in [404, 500] {
        let target = format!("/a/{status}");
        assert_eq!(said(&edge, &target).await, is(200, "secondary", "Miss"));
        // The key is the same, and what the secondary said is stored under it.
        assert_eq!(said(&edge, &target).await, is(200, "secondary", "Hit"));
        assert_eq!(secondary.last().target, format!("/copy{target}"));
        assert_eq!(primary.last().target, target);
    }
    assert_eq!((primary.count(), secondary.count()), (2, 2));
    // Each request begins at the primary.
    assert_eq!(said(&edge, "/b/200").await, is(200, "primary", "Miss"));
    // What is not listed is final.
    assert_eq!(said(&edge, "/a/503").await, is(503, "primary", "Error"));
    assert_eq!(said(&edge, "/a/301").await, is(301, "primary", "Miss"));
    assert_eq!(secondary.count(), 2);
    let text = edge.metrics();
    let line = "fourfront_origin_failovers_total{distribution=";
    let line = text.lines().find(|l| l.starts_with(line)).unwrap();
    assert!(line.ends_with("group=\"both\"} 2"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_change_something_stay_with_the_primary() {
    // CF-444
    let (primary, secondary) = (origin("primary").await, well("secondary").await);
    let edge = group(&secondary.url(), "[500]")
        .behavior(ALL_METHODS)
        .behavior("cached_methods: [GET, HEAD, OPTIONS]")
        .start(&primary)
        .await;
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("OPTIONS", 200),
        ("POST", 500),
        ("PUT", 500),
        ("PATCH", 500),
        ("DELETE", 500),
    ] {
        let answer = edge.request(method, "/500").send().await;
        assert_eq!(answer.status, status, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_cannot_be_reached_counts_as_502_and_503() {
    // CF-391, CF-447
    for (statuses, expected) in [
        ("[503]", is(200, "secondary", "Miss")),
        ("[502]", is(200, "secondary", "Miss")),
        ("[500, 504]", is(502, "", "Error")),
    ] {
        let secondary = well("secondary").await;
        // Bound and never listening again: nobody answers there.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = listener.local_addr().unwrap();
        drop(listener);
        let edge = group(&secondary.url(), statuses)
            .start_at(&format!("http://{gone}"))
            .await;
        let (status, text, token) = said(&edge, "/").await;
        assert_eq!((status, token), (expected.0, expected.2), "{statuses}");
        if status == 200 {
            assert_eq!(text, expected.1);
        }
        // A name without an address fails likewise.
        let edge = group(&secondary.url(), statuses)
            .start_at("http://no-such-host.invalid")
            .await;
        assert_eq!(said(&edge, "/").await.0, expected.0, "{statuses}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_says_nothing_counts_as_504() {
    // CF-392, CF-393, CF-447
    for (statuses, status) in [("[504]", 200), ("[502, 503]", 504)] {
        let (_open, gate) = watch::channel(false);
        let silent = Origin::start(move |_| Reply::ok("late").after(&gate)).await;
        let secondary = well("secondary").await;
        let address = silent.url().replace("http://", "");
        let edge = group(&secondary.url(), statuses)
            .origin(&format!(
                "silent: {{ domain_name: '{address}', connection_attempts: 1, custom_origin_config: {{ origin_protocol_policy: http-only, origin_read_timeout: 1 }} }}"
            ))
            .distribution("id: EDISTRIBUTION");
        // The same group, with the one that says nothing first.
        let file = edge
            .site_file(&secondary.url())
            .replace("members: [origin, second]", "members: [silent, second]");
        let edge = edge.start(&secondary).await;
        edge.reload(&file).unwrap();
        assert_eq!(said(&edge, "/").await.0, status, "{statuses}");
        assert_eq!(silent.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_has_its_own_call_at_origin_request() {
    // LE-042, LE-096, LE-384, LE-518, LE-A38
    let (primary, secondary) = (origin("primary").await, well("secondary").await);
    let ask = handler(
        "console.log('ask ' + request.origin.custom.path + ' ' + (request.headers['x-seen'] ? 'again' : 'first'));
         request.headers['x-seen'] = [{ key: 'X-Seen', value: request.origin.custom.path }];
         return request;",
    );
    let answered = handler("console.log('answered ' + response.status); return response;");
    let edge = group(&format!("{}/copy", secondary.url()), "[500]")
        .function("ask", &ask)
        .function("answered", &answered)
        .behavior(
            "on: { origin-request: ask, origin-response: answered, viewer-response: answered }",
        )
        .start_at(&format!("{}/first", primary.url()))
        .await;
    assert_eq!(said(&edge, "/500").await, is(200, "secondary", "Miss"));
    let logged = edge.logged(4).await.into_iter();
    let logged: Vec<_> = logged.map(|line| line.message).collect();
    assert_eq!(
        logged,
        [
            "ask /first first",
            "ask /copy first",
            "answered 200",
            "answered 200"
        ]
    );
    assert_eq!(primary.last().header("x-seen"), Some("/first"));
    assert_eq!(secondary.last().header("x-seen"), Some("/copy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_may_answer_in_the_secondarys_place() {
    // LE-042, LE-164, CF-448
    let (primary, secondary) = (origin("primary").await, well("secondary").await);
    let ask = handler(
        "return request.origin.custom.path === '/copy'
            ? { status: '200', body: 'made', headers: { 'cache-control': [{ value: 'max-age=10' }] } } : request;",
    );
    let edge = group(&format!("{}/copy", secondary.url()), "[500]")
        .function("ask", &ask)
        .behavior("on: { origin-request: ask }")
        .start(&primary)
        .await;
    assert_eq!(said(&edge, "/500").await, is(200, "made", "Miss"));
    assert_eq!(said(&edge, "/500").await, is(200, "made", "Hit"));
    assert_eq!(secondary.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_copy_answers_only_when_both_fail() {
    // CF-268, CF-449
    let (failing, fails) = watch::channel(0_u8);
    let member = |bit: u8, name: &'static str| {
        let fails = fails.clone();
        Origin::start(move |_| match *fails.borrow() & bit {
            0 => Reply::ok(name).header("Cache-Control", "max-age=10, stale-if-error=1000"),
            _ => Reply::status(500),
        })
    };
    let (primary, secondary) = (member(1, "primary").await, member(2, "secondary").await);
    let edge = group(&secondary.url(), "[500]").start(&primary).await;
    assert_eq!(said(&edge, "/").await, is(200, "primary", "Miss"));
    edge.advance(11);
    failing.send(1).unwrap();
    assert_eq!(said(&edge, "/").await, is(200, "secondary", "Miss"));
    edge.advance(11);
    failing.send(3).unwrap();
    let (status, text, _) = said(&edge, "/").await;
    assert_eq!((status, &*text), (200, "secondary"));
    assert_eq!((primary.count(), secondary.count()), (3, 2));
    // Nothing stored: what the secondary said is final.
    assert_eq!(said(&edge, "/other").await.0, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_in_the_background_fails_over_too() {
    // CF-275, CF-446, LE-039
    let (failing, fails) = watch::channel(false);
    let primary = Origin::start(move |_| match *fails.borrow() {
        false => {
            Reply::ok("primary").header("Cache-Control", "max-age=10, stale-while-revalidate=1000")
        }
        true => Reply::status(500),
    })
    .await;
    let secondary = well("secondary").await;
    let edge = group(&secondary.url(), "[500]")
        .function("log", &handler("console.log(request.uri); return request;"))
        .behavior("on: { origin-request: log }")
        .start(&primary)
        .await;
    assert_eq!(said(&edge, "/").await, is(200, "primary", "Miss"));
    edge.advance(11);
    failing.send(true).unwrap();
    assert_eq!(said(&edge, "/").await, is(200, "primary", "Hit"));
    secondary.received(1).await;
    // What it brings is stored behind the answer.
    let refreshed = async {
        while said(&edge, "/").await != is(200, "secondary", "Hit") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), refreshed)
        .await
        .expect("a refresh within a minute");
    // Each member had its call.
    assert_eq!(edge.logs().len(), 3);
    assert_eq!((primary.count(), secondary.count()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_from_the_member_that_answers() {
    // CF-446, CF-533
    let body = "0123456789".repeat(100);
    let (primary, secondary) = (origin("primary").await, {
        let body = body.clone();
        Origin::start(move |seen| {
            assert_eq!(seen.header("range"), Some("bytes=0-1048575"));
            Reply::status(206)
                .body(body.clone())
                .header("Content-Range", "bytes 0-999/1000")
                .header("ETag", "\"one\"")
                .header("Cache-Control", "max-age=10")
        })
        .await
    });
    let edge = group(&secondary.url(), "[500]").start(&primary).await;
    for token in ["Miss", "Hit"] {
        let request = edge.request("GET", "/500").header("Range", "bytes=5-9");
        let answer = request.send().await;
        assert_eq!((answer.status, answer.x_cache()), (206, token));
        assert_eq!(answer.text(), &body[5..10]);
    }
    assert_eq!(primary.last().header("range"), Some("bytes=0-1048575"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cloudfront_function_changes_is_the_primary() {
    // LE-477, LE-479
    let (primary, secondary) = (origin("primary").await, well("secondary").await);
    let code = "import cf from 'cloudfront';
        function handler(e) {
            if (e.request.uri.startsWith('/changed')) cf.updateRequestOrigin({ originPath: '/v2' });
            if (e.request.uri.startsWith('/chosen')) cf.selectRequestOriginById('origin');
            return e.request;
        }";
    let edge = group(&secondary.url(), "[500]")
        .cloudfront_function("f", code, "")
        .behavior("on: { viewer-request: f }")
        .start(&primary)
        .await;
    let expected = is(200, "secondary", "Miss");
    assert_eq!(said(&edge, "/changed/500").await, expected);
    assert_eq!(primary.last().target, "/v2/changed/500");
    assert_eq!(secondary.last().target, "/changed/500");
    // In the place of the group.
    let expected = is(500, "primary", "Error");
    assert_eq!(said(&edge, "/chosen/500").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interim_answer_commits_to_nothing() {
    // CF-396, CF-446
    let primary = RawOrigin::start(|_| {
        vec![Turn::send(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        )]
    })
    .await;
    let secondary = well("secondary").await;
    let edge = group(&secondary.url(), "[503]")
        .start_at(&primary.url())
        .await;
    assert_eq!(said(&edge, "/").await, is(200, "secondary", "Miss"));
}
