//! Configuration that changes under a running node (CF-027, LE-379).

use std::sync::Arc;

use fourfront_conformance::{Edge, Origin, Reply, handler};
use tokio::sync::watch;

fn version(n: u32) -> String {
    handler(&format!(
        "response.headers['x-version'] = [{{ value: '{n}' }}]; return response;"
    ))
}

const COUNTING: &str = "let n = 0;
    exports.handler = async () => { n += 1; return { status: 200, body: String(n) }; };";

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_function_runs_from_the_next_request_on_and_the_cache_stays() {
    // CF-027, LE-350, LE-379
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .function("mark", &version(1))
        .behavior("on: { viewer-response: mark }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/").await.header("x-version"), Some("1"));
    edge.rewrite("mark.js", &version(2)).unwrap();
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.header("x-version"), answer.x_cache()),
        (Some("2"), "Hit")
    );
    assert_eq!(origin.count(), 1);
    assert!(
        edge.metrics()
            .contains(r#"fourfront_reloads_total{outcome="applied"} 1"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_function_at_the_same_event_takes_the_place_of_the_one_before() {
    // LE-373, LE-374, LE-370
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .function("old", &version(1))
        .function("new", &version(2))
        .path("/kept", "on: { viewer-response: old }")
        .behavior("on: { viewer-response: old }")
        .start(&origin)
        .await;
    let marks = async || {
        let mut marks = Vec::new();
        for path in ["/", "/kept"] {
            let answer = edge.get(path).await;
            marks.push(answer.header("x-version").map(str::to_owned));
        }
        marks
    };
    assert_eq!(marks().await, [Some("1".into()), Some("1".into())]);
    let site = edge.site_file().replacen(
        "      on: { viewer-response: old }",
        "      on: { viewer-response: new }",
        1,
    );
    edge.reload(&site).unwrap();
    // The other behaviour's trigger is another.
    assert_eq!(marks().await, [Some("2".into()), Some("1".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_did_not_change_keeps_its_state() {
    // LE-347, LE-350
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .threads(1, 1)
        .function("count", COUNTING)
        .function("mark", &version(1))
        .path("/count", "on: { viewer-request: count }")
        .behavior("on: { viewer-response: mark }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/count").await.text(), "1");
    edge.rewrite("mark.js", &version(2)).unwrap();
    assert_eq!(edge.get("/count").await.text(), "2");
    // Its own change starts it anew.
    edge.rewrite("count.js", &format!("{COUNTING}\n// edited\n"))
        .unwrap();
    assert_eq!(edge.get("/count").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_leaves_everything_as_it_was() {
    // CF-027, LE-308
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .threads(1, 1)
        .function("count", COUNTING)
        .function("mark", &version(1))
        .path("/count", "on: { viewer-request: count }")
        .behavior("on: { viewer-response: mark }")
        .start(&origin)
        .await;
    assert_eq!(edge.get("/count").await.text(), "1");
    let errors = edge
        .rewrite(
            "mark.js",
            "exports.handler = async (event) => { return event.",
        )
        .unwrap_err();
    assert_eq!(errors.len(), 1);
    let text = errors[0].to_string();
    assert!(
        text.contains("functions.mark") && text.contains("SyntaxError"),
        "{text}"
    );
    assert_eq!(edge.get("/").await.header("x-version"), Some("1"));
    assert_eq!(edge.get("/count").await.text(), "2");
    assert!(
        edge.metrics()
            .contains(r#"fourfront_reloads_total{outcome="refused"} 1"#)
    );
    // And once it is mended:
    edge.rewrite("mark.js", &version(3)).unwrap();
    assert_eq!(edge.get("/").await.header("x-version"), Some("3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_file_with_an_error_is_refused_and_the_old_one_stays() {
    // CF-027, CP-643
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .behavior("allowed_methods: [GET, HEAD]")
        .start(&origin)
        .await;
    let refused = edge
        .reload(
            &edge
                .site_file()
                .replace("allowed_methods", "alowed_methods"),
        )
        .unwrap_err();
    assert!(
        refused.contains("alowed_methods") && refused.contains("allowed_methods"),
        "{refused}"
    );
    assert_eq!(edge.get("/").await.status, 200);
    let wider = edge.site_file().replace(
        "[GET, HEAD]",
        "[GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]",
    );
    assert_eq!(edge.request("POST", "/").body("a").send().await.status, 403);
    edge.reload(&wider).unwrap();
    assert_eq!(edge.request("POST", "/").body("a").send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_versions_that_cannot_be_offered_are_refused_by_name() {
    // CF-422
    let origin = Origin::saying("x").await;
    let port = origin.address().port();
    let edge = Edge::new()
        .origin(&format!(
            "old: {{ domain_name: localhost, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port}, origin_ssl_protocols: [TLSv1.2] }} }}"
        ))
        .start(&origin)
        .await;
    for list in ["[TLSv1, TLSv1.1]", "[TLSv1.1]", "[SSLv3]"] {
        let refused = edge
            .reload(&edge.site_file().replace("[TLSv1.2]", list))
            .unwrap_err();
        assert!(
            refused.contains("origins.old.custom_origin_config.origin_ssl_protocols"),
            "{list}: {refused}"
        );
    }
    // What is never offered may stand beside what is.
    for list in ["[SSLv3, TLSv1.2]", "[TLSv1, TLSv1.1, TLSv1.2]"] {
        let older = edge.site_file().replace("[TLSv1.2]", list);
        edge.reload(&older).unwrap();
    }
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_origin_is_used_for_misses_and_drops_nothing() {
    // CF-027
    let old = Origin::saying("old").await;
    let new = Origin::saying("new").await;
    let edge = Edge::new().start(&old).await;
    assert_eq!(edge.get("/a").await.text(), "old");
    edge.reload(&edge.site_file().replace(&old.url(), &new.url()))
        .unwrap();
    let kept = edge.get("/a").await;
    assert_eq!((kept.text(), kept.x_cache()), ("old", "Hit"));
    assert_eq!(edge.get("/b").await.text(), "new");
    assert_eq!((old.count(), new.count()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_keeps_the_configuration_it_began_with() {
    // CF-027, CP-505, LE-379, LE-A53
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |_| {
        Reply::ok("x")
            .header("Cache-Control", "no-store")
            .after(&gate)
    })
    .await;
    let edge = Arc::new(
        Edge::new()
            .function("mark", &version(1))
            .behavior("on: { viewer-response: mark }")
            .start(&origin)
            .await,
    );
    let under_way = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/").await }
    });
    origin.received(1).await;
    edge.rewrite("mark.js", &version(2)).unwrap();
    open.send(true).unwrap();
    assert_eq!(under_way.await.unwrap().header("x-version"), Some("1"));
    assert_eq!(edge.get("/").await.header("x-version"), Some("2"));
}
