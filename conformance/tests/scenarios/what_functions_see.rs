//! Queries, `CloudFront-*` headers and time, as the triggers on either side of the cache have them (LE sections 1
//! and 2.2).

use fourfront_conformance::{Edge, Origin, Reply, handler};
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread")]
async fn origin_triggers_see_the_query_that_is_sent_and_viewer_triggers_all_of_it() {
    // LE-092, LE-093, LE-A41
    let origin = Origin::echo().await;
    let log = handler(
        "console.log(config.eventType + ' ' + request.querystring); return response || request;",
    );
    let on = "on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }";
    let rows = [
        ("cache_policy: { min_ttl: 0 }", ""),
        ("cache_policy: { min_ttl: 0, query_strings: [b] }", "b=2"),
        (
            "origin_request_policy: { query_strings: { all_except: [a] } }",
            "b=2&c=%20",
        ),
        (
            "cache_policy: { min_ttl: 0, query_strings: all }",
            "a=1&b=2&c=%20",
        ),
    ];
    for (policy, sent) in rows {
        let edge = Edge::new()
            .function("log", &log)
            .behavior(on)
            .behavior(policy)
            .start(&origin)
            .await;
        edge.get("/page?a=1&b=2&c=%20").await;
        let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
        assert_eq!(
            lines,
            [
                "viewer-request a=1&b=2&c=%20".to_owned(),
                format!("origin-request {sent}"),
                format!("origin-response {sent}"),
                "viewer-response a=1&b=2&c=%20".to_owned(),
            ],
            "{policy}"
        );
        let mark = if sent.is_empty() { "" } else { "?" };
        assert_eq!(origin.last().target, format!("/page{mark}{sent}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_is_the_origin_triggers_to_set_and_the_viewers_word_stays_at_the_viewer() {
    // LE-189, LE-222, LE-149, LE-223, CF-174
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .function(
            "see",
            &handler(
                "const name = 'cloudfront-viewer-country';
  console.log(config.eventType + ' ' + request.headers[name]?.[0].value);
  if (config.eventType === 'origin-request' && request.uri === '/set')
    request.headers[name] = [{ key: 'CloudFront-Viewer-Country', value: 'PT' }];
  return response || request;",
            ),
        )
        .behavior(
            "on: { viewer-request: see, origin-request: see, origin-response: see, viewer-response: see }",
        )
        .start(&origin)
        .await;
    let mut before = 0;
    for (path, set) in [("/left", None), ("/set", Some("PT"))] {
        let request = edge.request("GET", path);
        request
            .header("CloudFront-Viewer-Country", "XX")
            .send()
            .await;
        let lines: Vec<_> = edge.logs()[before..]
            .iter()
            .map(|l| l.message.clone())
            .collect();
        before += lines.len();
        assert_eq!(
            lines,
            [
                "viewer-request XX".to_owned(),
                "origin-request undefined".to_owned(),
                format!("origin-response {}", set.unwrap_or("undefined")),
                "viewer-response XX".to_owned(),
            ]
        );
        assert_eq!(origin.last().header("cloudfront-viewer-country"), set);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_on_while_a_function_runs() {
    // LE-002, LE-346
    for event in [
        "viewer-request",
        "origin-request",
        "origin-response",
        "viewer-response",
    ] {
        let (open, gate) = watch::channel(false);
        let origin = Origin::saying("content").await;
        let slow = Origin::start(move |_| Reply::ok("go").after(&gate)).await;
        let edge = Edge::new()
            .node("hooks: { local_egress: true }")
            .hook(
                event,
                &format!(
                    "await fetch('http://localhost:{}/'); return response || request;",
                    slow.port()
                ),
            )
            .start(&origin)
            .await;
        let mut answer = Box::pin(edge.get("/"));
        tokio::select! {
            _ = &mut answer => panic!("answered before the {event} function"),
            () = slow.received(1) => {}
        }
        let fetched = usize::from(event.ends_with("response"));
        assert_eq!(origin.count(), fetched, "{event}");
        open.send(true).unwrap();
        assert_eq!(answer.await.text(), "content", "{event}");
        assert_eq!(origin.count(), 1, "{event}");
    }
}
