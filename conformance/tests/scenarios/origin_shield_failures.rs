//! Origin shields that fail, are not believed, or have to forget (CF-415, CF-660).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running, handler, raw_exchange};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::origin_shield::{
    REGION, SECRET, Tiers, counts, edge_of, is, metric, node, shielded, told,
};

/// A way to a node that can be closed: connections then end at once.
struct Way {
    address: SocketAddr,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Way {
    async fn to(node: &Running) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let (open, is_open) = watch::channel(true);
        let target = node.address();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut here, _)) = listener.accept().await {
                let mut is_open = is_open.clone();
                connections.spawn(async move {
                    if !*is_open.borrow() {
                        return;
                    }
                    let there = TcpStream::connect(target).await;
                    let mut there = there.expect("a node that listens");
                    tokio::select! {
                        _ = copy_bidirectional(&mut here, &mut there) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self {
            address,
            open,
            task,
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn logging() -> String {
    handler("console.log(config.eventType); return response || request;")
}

fn with_log(e: Edge) -> Edge {
    e.function("log", &logging())
        .behavior("on: { origin-request: log, origin-response: log }")
        .behavior(ALL_METHODS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_that_is_gone_is_left_out_and_taken_back() {
    // CF-415, LE-006
    let origin = Origin::echo().await;
    let shield = with_log(node(&origin, &format!("serves: {REGION}")));
    let shield = shield.start_at("").await;
    let way = Way::to(&shield).await;
    let nodes = format!("regions: {{ {REGION}: 'http://{}' }}", way.address);
    let edge = with_log(node(&origin, &nodes)).start_at("").await;
    assert_eq!(edge.get("/a").await.text(), "/v1/a");
    assert_eq!((edge.logs().len(), shield.logged(2).await.len()), (0, 2));

    way.open.send(false).unwrap();
    // The functions run here then, and the origin gets what is its own.
    let answer = edge.get("/b").await;
    assert_eq!(told(&edge, &answer).await, is(200, "/v1/b", "Miss", "Miss"));
    assert_eq!(edge.logged(2).await.len(), 2);
    assert_eq!(origin.last().header("x-secret"), Some("of-the-origin"));
    assert_eq!(origin.last().header("x-edge-shield"), None);
    // For a while nobody tries, also not for what may be done once alone.
    assert_eq!(
        edge.request("POST", "/c").body("x").send().await.status,
        200
    );
    let rests = "fourfront_shield_fetches_total{outcome=\"resting\",region=\"eu-west-1\"}";
    assert_eq!(metric(&edge, rests).as_deref(), Some("1"));
    let (_, explained) = edge.explain(serde_json::json!({ "url": "/d" })).await;
    assert_eq!(explained["behavior"]["shield"]["state"], "left out");

    way.open.send(true).unwrap();
    assert_eq!(edge.get("/d").await.status, 200);
    assert_eq!(shield.logs().len(), 2);
    edge.advance(11);
    assert_eq!(edge.get("/e").await.status, 200);
    assert_eq!(shield.logged(4).await.len(), 4);
    assert_eq!(edge.get("/f").await.status, 200);
    assert_eq!(shield.logged(6).await.len(), 6);
    assert_eq!(origin.count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_where_a_shield_was() {
    // CF-415, CF-533
    let body = "0123456789".repeat(300_000);
    let origin = Origin::start(move |seen| {
        let range = seen.header("range").and_then(|r| r.strip_prefix("bytes="));
        let Some((start, end)) = range.and_then(|r| r.split_once('-')) else {
            return Reply::ok(body.clone()).header("ETag", "\"one\"");
        };
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        let end = end.min(body.len() - 1);
        Reply::status(206)
            .body(body[start..=end].to_owned())
            .header(
                "Content-Range",
                &format!("bytes {start}-{end}/{}", body.len()),
            )
            .header("ETag", "\"one\"")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let mut tiers = Tiers::start(&origin, with_log).await;
    let part = async |tiers: &Tiers, range: &str| {
        let request = tiers.edge.request("GET", "/a").header("Range", range);
        let answer = request.send().await;
        (answer.status, answer.text().to_owned())
    };
    assert_eq!(part(&tiers, "bytes=0-3").await, (206, "0123".to_owned()));
    let ended = tiers.shield.stop(Duration::ZERO);
    ended.join().unwrap();
    // A part that is missing of what is at hand comes from the origin itself.
    let answer = part(&tiers, "bytes=2000001-2000003").await;
    assert_eq!(answer, (206, "123".to_owned()));
    let answer = tiers.edge.request("POST", "/b").body("x").send().await;
    assert_eq!(answer.status, 200);
    assert!(
        tiers
            .edge
            .logs()
            .iter()
            .any(|l| l.message == "origin-request")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_in_a_shields_place_is_not_believed() {
    // CF-415
    let origin = Origin::echo().await;
    let stranger = Origin::saying("not a shield").await;
    let nodes = format!("regions: {{ {REGION}: '{}' }}", stranger.url());
    let edge = node(&origin, &nodes).start_at("").await;
    assert_eq!(edge.get("/a").await.text(), "/v1/a");
    // It was not told what is the origin's alone.
    assert_eq!(stranger.last().header("x-secret"), None);
    let line = "fourfront_shield_fetches_total{outcome=\"no-shield\",region=\"eu-west-1\"}";
    assert_eq!(metric(&edge, line).as_deref(), Some("1"));
    // A node that shields nothing is none either: it takes the request for a viewer's.
    let plain = Edge::new().start(&origin).await;
    let edge = edge_of(&origin, &plain, |e| e).await;
    assert_eq!(edge.get("/b").await.text(), "/v1/b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_secret_or_clock_is_refused_and_does_without() {
    // CF-415
    let origin = Origin::echo().await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let heard = async |outcome: &str, times: &str| {
        let line = format!("fourfront_shielded_requests_total{{outcome=\"{outcome}\"}}");
        counts(&tiers.shield, &line, times).await;
    };
    let file = tiers.edge.site_file();
    tiers
        .edge
        .reload(&file.replace("0123456789abcdef", "fedcba9876543210"))
        .unwrap();
    assert_eq!(tiers.edge.get("/a").await.text(), "/v1/a");
    heard("seal", "1").await;
    tiers.edge.reload(&file).unwrap();
    tiers.edge.advance(301);
    assert_eq!(tiers.edge.get("/b").await.text(), "/v1/b");
    heard("time", "1").await;
    tiers.shield.advance(301);
    tiers.advance(11);
    // It knows another distribution than the shield.
    tiers
        .edge
        .reload(&file.replace("  site:", "  other:"))
        .unwrap();
    assert_eq!(tiers.edge.get("/c").await.text(), "/v1/c");
    heard("unknown", "1").await;
    tiers.edge.reload(&file).unwrap();
    tiers.advance(11);
    assert_eq!(tiers.edge.get("/d").await.text(), "/v1/d");
    heard("miss", "1").await;
    // One secret follows another without a gap.
    let both = "secret: [fedcba9876543210-shared-by-nodes, 0123456789abcdef-shared-by-nodes]";
    let shield_file = tiers.shield.site_file().replace(SECRET, both);
    tiers.shield.reload(&shield_file).unwrap();
    assert_eq!(tiers.edge.get("/e").await.status, 200);
    tiers
        .edge
        .reload(&file.replace("0123456789abcdef", "fedcba9876543210"))
        .unwrap();
    assert_eq!(tiers.edge.get("/f").await.status, 200);
    heard("miss", "3").await;
    heard("seal", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_field_gives_no_rights() {
    // CF-415, CF-358, LE-187
    let origin = Origin::echo().await;
    let country = "geo_restriction: { restriction_type: none }";
    let more = |e: Edge| e.distribution(&format!("restrictions: {{ {country} }}"));
    let tiers = Tiers::start(&origin, more).await;
    for forged in ["", "hit", "AAAA.BBBB", &format!("{0}.{0}", "A".repeat(64))] {
        for method in ["GET", "POST"] {
            let request = format!(
                "{method} /a HTTP/1.1\r\nHost: a.test\r\nX-Edge-Shield: {forged}\r\nConnection: close\r\n{}\r\n",
                if method == "POST" {
                    "Content-Length: 0\r\n"
                } else {
                    ""
                }
            );
            let answer =
                raw_exchange(tiers.shield.address(), request.as_bytes(), b"\r\n\r\n").await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with("HTTP/1.1 403"), "{forged}: {answer}");
            // At a node that is none, it is a field that viewers may not send.
            let answer = raw_exchange(tiers.edge.address(), request.as_bytes(), b"\r\n\r\n").await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let status = if method == "GET" {
                "HTTP/1.1 200"
            } else {
                "HTTP/1.1 403"
            };
            assert!(answer.starts_with(status), "{forged}: {answer}");
        }
    }
    // One that was sealed is good for that request alone.
    let recorder = Origin::saying("x").await;
    let nodes = format!("regions: {{ {REGION}: '{}' }}", recorder.url());
    let edge = node(&origin, &nodes).start_at("").await;
    assert_eq!(edge.get("/a").await.status, 200);
    let sealed = recorder.last().header("x-edge-shield").unwrap().to_owned();
    let replay = |method: &'static str, target: &'static str, fields: usize| {
        let request = tiers.shield.request(method, target);
        let request = (0..fields).fold(request, |r, _| r.header("X-Edge-Shield", &sealed));
        request.send()
    };
    assert_eq!(replay("GET", "/a", 1).await.status, 200);
    assert_eq!(replay("GET", "/b", 1).await.status, 403);
    assert_eq!(replay("HEAD", "/a", 1).await.status, 403);
    assert_eq!(replay("GET", "/a", 2).await.status, 403);
    tiers.shield.advance(301);
    assert_eq!(replay("GET", "/a", 1).await.status, 403);
    // Who is refused is on record as such.
    let records = tiers.shield.records();
    assert!(records.iter().all(|r| r.status == 403), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_the_origin_are_told_as_they_are() {
    // CF-415, CF-772, CF-705, CF-592, LE-271
    let origin = Origin::start(|seen| {
        let status = seen.target.rsplit('/').next().and_then(|s| s.parse().ok());
        Reply::status(status.unwrap_or(200))
            .body(seen.target.clone())
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let port = origin.port();
    let more = |e: Edge| {
        e.function("fail", &handler("throw new Error('secret');"))
            .path("/function/*", "origin: app, on: { origin-request: fail }")
            .distribution("custom_error_responses: [{ error_code: 404, response_page_path: /page, response_code: 200 }]")
    };
    let tiers = Tiers::start(&origin, more).await;
    let answer = tiers.edge.get("/500").await;
    assert_eq!(
        told(&tiers.edge, &answer).await,
        is(500, "/v1/500", "Error", "Error")
    );
    // The page for an error is the edge's, which fetches it by way of the shield.
    let answer = tiers.edge.get("/404").await;
    assert_eq!((answer.status, answer.text()), (200, "/v1/page"));
    let answer = tiers.edge.get("/function/a").await;
    let record = tiers.edge.record_of(&answer).await;
    assert_eq!(
        (
            answer.status,
            answer.x_cache(),
            record.detailed_result_type()
        ),
        (503, "LambdaExecutionError", "LambdaExecutionError")
    );
    assert!(
        answer
            .text()
            .contains("origin-request function failed to run")
    );
    assert!(!answer.text().contains("secret"));

    drop(origin);
    let answer = tiers.edge.get("/gone").await;
    let record = tiers.edge.record_of(&answer).await;
    assert_eq!(
        (
            answer.status,
            answer.x_cache(),
            record.detailed_result_type()
        ),
        (502, "Error", "OriginConnectError")
    );
    assert!(!answer.text().contains(&port.to_string()));
    // The shield answers as one, so nobody goes past it.
    let line = "fourfront_shield_fetches_total{outcome=\"origin-fault\",region=\"eu-west-1\"}";
    assert_eq!(metric(&tiers.edge, line).as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_remembered_no_longer_in_two_tiers_than_in_one() {
    // CF-415, CF-290, CF-296
    let origin = Origin::start(|_| Reply::status(500)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let more = |e: Edge| {
        e.top("cache_mode: cloudfront")
            .distribution("custom_error_responses: [{ error_code: 502, error_caching_min_ttl: 100 }, { error_code: 500, error_caching_min_ttl: 100 }]")
            .origin(&shielded("gone", &origin, "").replace(&origin.port().to_string(), &gone.port().to_string()))
            .path("/gone", "origin: gone")
    };
    let tiers = Tiers::start(&origin, more).await;
    let other = edge_of(&origin, &tiers.shield, more).await;
    for (target, status) in [("/a", 500), ("/gone", 502)] {
        assert_eq!(tiers.edge.get(target).await.status, status);
    }
    tiers.advance(60);
    other.advance(60);
    let answer = other.get("/a").await;
    assert_eq!((answer.status, answer.header("age")), (500, Some("60")));
    assert_eq!(other.get("/gone").await.status, 502);
    let line = "fourfront_shielded_requests_total{outcome=\"origin-fault\"}";
    counts(&tiers.shield, line, "2").await;
    // Both have 40 seconds left here as there.
    tiers.advance(39);
    other.advance(39);
    let answer = other.get("/gone").await;
    assert_eq!((answer.status, answer.header("age")), (502, Some("99")));
    counts(&tiers.shield, line, "2").await;
    other.advance(2);
    tiers.advance(2);
    for target in ["/a", "/gone"] {
        other.get(target).await;
    }
    assert_eq!(origin.count(), 2);
    counts(&tiers.shield, line, "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shield_that_has_enough_to_do_is_spared() {
    // CF-415, CF-773
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |seen| {
        let reply = Reply::ok(seen.target.clone());
        match seen.target.as_str() {
            "/v1/slow" => reply.after(&gate),
            _ => reply,
        }
    })
    .await;
    let shield = with_log(node(&origin, &format!("serves: {REGION}")));
    let shield = shield.node("max_requests: 1").start_at("").await;
    let edge = edge_of(&origin, &shield, with_log).await;
    let slow = tokio::spawn(edge.request("GET", "/slow").send());
    origin.received(1).await;
    // Also what may be sent once alone: it was not passed on.
    let answer = edge.request("POST", "/a").body("x").send().await;
    assert_eq!((answer.status, answer.text()), (200, "/v1/a"));
    assert_eq!(edge.logged(2).await.len(), 2);
    let line = "fourfront_shield_fetches_total{outcome=\"busy\",region=\"eu-west-1\"}";
    assert_eq!(metric(&edge, line).as_deref(), Some("1"));
    open.send(true).unwrap();
    assert_eq!(slow.await.unwrap().text(), "/v1/slow");
    // It is asked again at once.
    let line = "fourfront_shielded_requests_total{outcome=\"miss\"}";
    counts(&shield, line, "1").await;
    assert_eq!(edge.get("/b").await.text(), "/v1/b");
    counts(&shield, line, "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_viewer_sends_takes_the_shield_from_nobody() {
    // CF-415, CF-361
    let origin = Origin::echo().await;
    let more = |e: Edge| {
        e.node("limits: { max_url_bytes: 200KiB, max_header_bytes: 300KiB }")
            .function(
                "long",
                &handler("request.uri = '/short' + request.uri.length; return request;"),
            )
            .path("/long/*", "origin: app, on: { viewer-request: long }")
    };
    let tiers = Tiers::start(&origin, more).await;
    // It would not fit into what a shield is told; so the origin is asked.
    let long = format!("/long/{}", "a".repeat(40_000));
    assert_eq!(tiers.edge.get(&long).await.text(), "/v1/short40006");
    // A distribution that the shield does not know of is asked for without it, and others with it.
    let file = tiers.shield.site_file();
    tiers
        .shield
        .reload(&file.replace("path: '/long/*'", "path: '/other/*'"))
        .unwrap();
    let target = format!("/long/{}", "a".repeat(40));
    assert_eq!(tiers.edge.get(&target).await.status, 200);
    assert_eq!(tiers.edge.get("/a").await.status, 200);
    let count = |outcome: &str| {
        let line =
            format!("fourfront_shield_fetches_total{{outcome=\"{outcome}\",region=\"eu-west-1\"}}");
        metric(&tiers.edge, &line)
    };
    assert_eq!(count("unknown").as_deref(), Some("1"));
    assert_eq!(count("miss").as_deref(), Some("1"));
    assert_eq!(count("resting"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_copy_answers_when_the_origin_fails_behind_the_shield() {
    // CF-415, CF-268, CF-269
    let (failing, fails) = watch::channel(false);
    let origin = Origin::start(move |_| match *fails.borrow() {
        false => Reply::ok("good").header("Cache-Control", "max-age=10, stale-if-error=1000"),
        true => Reply::status(503),
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let other = edge_of(&origin, &tiers.shield, |e| e).await;
    assert_eq!(tiers.edge.get("/a").await.text(), "good");
    tiers.advance(11);
    other.advance(11);
    failing.send(true).unwrap();
    for node in [&tiers.edge, &other] {
        // The edge's own copy, and the shield's.
        let answer = node.get("/a").await;
        assert_eq!((answer.status, answer.text()), (200, "good"));
        assert_eq!(answer.header("age"), Some("11"));
    }
    drop(origin);
    let answer = tiers.edge.get("/a").await;
    assert_eq!((answer.status, answer.text()), (200, "good"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_reaches_the_shield_first() {
    // CF-415, CF-660, CF-661
    let versions = Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let version = versions.clone();
    let origin = Origin::start(move |_| {
        let version = version.load(std::sync::atomic::Ordering::SeqCst);
        Reply::ok(version.to_string()).header("Cache-Control", "max-age=600")
    })
    .await;
    let tiers = Tiers::start(&origin, |e| e).await;
    assert_eq!(tiers.edge.get("/a").await.text(), "1");
    versions.store(2, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(tiers.edge.get("/a").await.text(), "1");
    tiers.edge.invalidate(&["/a"], false);
    let answer = tiers.edge.get("/a").await;
    assert_eq!((answer.text(), answer.x_cache()), ("2", "Miss"));
    let (status, page) = tiers
        .shield
        .purge_call(fourfront::purge::PurgeCall::List(String::new()));
    assert_eq!(
        (status, &page["invalidations"][0]["paths"][0]),
        (200, &"/a".into())
    );

    // Sent again under its name, it is done once in both tiers.
    let body = r#"{"paths":["/b"],"caller_reference":"r1"}"#;
    assert_eq!(
        (tiers.edge.purge(body).0, tiers.edge.purge(body).0),
        (201, 201)
    );
    let (_, page) = tiers
        .shield
        .purge_call(fourfront::purge::PurgeCall::List(String::new()));
    assert_eq!(page["invalidations"].as_array().map(Vec::len), Some(2));

    // Done here, and said to be undone there.
    let Tiers { edge, mut shield } = tiers;
    let ended = shield.stop(Duration::ZERO);
    ended.join().unwrap();
    versions.store(3, std::sync::atomic::Ordering::SeqCst);
    let (status, problem) = edge.purge(r#"{"paths":["/a"],"caller_reference":"r2"}"#);
    assert_eq!(
        (status, &problem["code"]),
        (502, &"OriginShieldNotInvalidated".into())
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("the shield eu-west-1") && detail.contains("`r2`"),
        "{detail}"
    );
    assert_eq!(edge.get("/a").await.text(), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_invalidates_at_a_shield() {
    // CF-415, CF-660
    let origin = Origin::echo().await;
    let tiers = Tiers::start(&origin, |e| e.behavior(ALL_METHODS)).await;
    let recorder = Origin::saying("x").await;
    let nodes = format!("regions: {{ {REGION}: '{}' }}", recorder.url());
    let edge = node(&origin, &nodes).start_at("").await;
    let (status, problem) = edge.purge(r#"{"all":true}"#);
    assert_eq!(status, 502);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("no shield answers there")
    );
    let sent = recorder.last();
    let sealed = sent.header("x-edge-shield").unwrap();
    let post = |body: &[u8], sealed: Option<&str>| {
        let request = tiers
            .shield
            .request("POST", "/_fourfront/v1/purge")
            .body(body.to_vec());
        match sealed {
            Some(sealed) => request.header("X-Edge-Shield", sealed).send(),
            None => request.send(),
        }
    };
    // To the origin, like any request of a viewer.
    assert_eq!(
        post(&sent.body, None).await.text(),
        "/v1/_fourfront/v1/purge"
    );
    let other = String::from_utf8_lossy(&sent.body).replace("/*", "/a");
    assert_eq!(post(other.as_bytes(), Some(sealed)).await.status, 403);
    assert_eq!(post(&sent.body, Some("A.B")).await.status, 403);
    assert_eq!(post(&sent.body, Some(sealed)).await.status, 201);
}
