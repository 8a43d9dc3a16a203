//! Names of origins and their addresses (CF-398).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fourfront_conformance::{ALL_METHODS, Edge, NameServer, Origin, Reply, Running, Seen};

/// How long something that happens within a second or two is waited for.
const SOON: Duration = Duration::from_secs(30);

/// Says its own name and is never stored.
fn saying(name: &'static str) -> impl Fn(&Seen) -> Reply {
    move |_| Reply::ok(name).header("Cache-Control", "no-store")
}

/// Two origins on the same port of two addresses, 127.0.0.1 and 127.0.0.2.
async fn two() -> (Origin, Origin) {
    loop {
        let one = Origin::start(saying("one")).await;
        let second = SocketAddr::from(([127, 0, 0, 2], one.port()));
        if let Some(two) = Origin::start_on(second, saying("two")).await {
            return (one, two);
        }
    }
}

/// A node whose only worker has one pool of connections.
fn edge(names: &NameServer) -> Edge {
    Edge::new().threads(1, 1).node(&names.setting())
}

/// Asks until the answer is that.
async fn answered(edge: &Running, text: &str) {
    let began = Instant::now();
    loop {
        let answer = edge.get("/").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if answer.text() == text {
            return;
        }
        assert!(began.elapsed() < SOON, "{} is not {text}", answer.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_moves_is_followed_and_connections_that_wait_are_left() {
    // CF-398, CF-395
    let names = NameServer::start().await;
    names.set("app.test", &["127.0.0.1"], 1);
    let (one, two) = two().await;
    let edge = edge(&names)
        .start_at(&format!("http://app.test:{}", one.port()))
        .await;
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.text(), "one");
    }
    assert_eq!(one.last().header("host"), Some("app.test"));
    assert_eq!(one.connections(), 1, "connections are kept");
    names.set("app.test", &["127.0.0.2"], 60);
    answered(&edge, "two").await;
    let before = one.count();
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.text(), "two");
    }
    assert_eq!(one.count(), before);
    // Good for a minute: it is not asked again for each request.
    let questions = names.asked().len();
    assert_eq!(edge.get("/").await.text(), "two");
    assert_eq!(names.asked().len(), questions);
    assert_eq!(two.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_addresses_belong_to_one_try() {
    // CF-398, CF-391
    let names = NameServer::start().await;
    // Nobody listens at the first two.
    names.set("app.test", &["127.0.0.3", "127.0.0.4", "127.0.0.1"], 60);
    let one = Origin::start(saying("one")).await;
    let edge = edge(&names)
        .origin(&format!(
            "app: {{ domain_name: app.test, connection_attempts: 1,
               custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {} }} }}",
            one.port()
        ))
        .behavior("origin: app")
        .behavior(ALL_METHODS)
        .start_at("")
        .await;
    for _ in 0..4 {
        let answer = edge.request("POST", "/").body("form").send().await;
        assert_eq!((answer.status, answer.text()), (200, "one"));
        assert_eq!(one.last().body, "form");
    }
    assert_eq!(one.count(), 4);
    drop(one);
    assert_eq!(edge.get("/").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_kinds_of_addresses_are_asked_for_that_may_be_used() {
    // CF-398
    let names = NameServer::start().await;
    names.set("app.test", &["127.0.0.1"], 60);
    let one = Origin::start(saying("one")).await;
    for (kinds, status, questions) in [
        ("ipv4", 200, vec!["app.test. A"]),
        ("ipv6", 502, vec!["app.test. AAAA"]),
        ("dualstack", 200, vec!["app.test. A", "app.test. AAAA"]),
    ] {
        let before = names.asked().len();
        let edge = edge(&names)
            .origin(&format!(
                "app: {{ domain_name: app.test,
                   custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {}, ip_address_type: {kinds} }} }}",
                one.port()
            ))
            .behavior("origin: app")
            .start_at("")
            .await;
        let answer = edge.get("/").await;
        assert_eq!(answer.status, status, "{kinds}");
        let mut asked = names.asked().split_off(before);
        asked.sort();
        asked.dedup();
        assert_eq!(asked, questions, "{kinds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_stands_in_for_a_name_server_that_fails() {
    // CF-398
    for fails in [NameServer::fails, NameServer::falls_silent] {
        let names = NameServer::start().await;
        names.set("app.test", &["127.0.0.1"], 1);
        let one = Origin::start(saying("one")).await;
        let edge = edge(&names)
            .start_at(&format!("http://app.test:{}", one.port()))
            .await;
        assert_eq!(edge.get("/").await.text(), "one");
        let questions = names.asked().len();
        fails(&names);
        // Until it was asked in vain, and once more.
        let began = Instant::now();
        while names.asked().len() == questions {
            assert_eq!(edge.get("/").await.text(), "one");
            assert!(began.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(edge.get("/").await.text(), "one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_gone_is_a_502_and_comes_back() {
    // CF-398, CF-772, CF-705
    let names = NameServer::start().await;
    let one = Origin::start(saying("one")).await;
    let edge = edge(&names)
        .start_at(&format!("http://app.test:{}", one.port()))
        .await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status, 502);
    let record = edge.record_of(&answer).await;
    assert_eq!(
        record.to_json()["x-edge-detailed-result-type"],
        "OriginDnsError"
    );
    assert!(
        record
            .error
            .unwrap_or_default()
            .contains("there is no such name")
    );
    // That is believed for as long as the name server says, however often tries are made.
    assert_eq!(names.asked().len(), 2, "{:?}", names.asked());
    names.set("app.test", &["127.0.0.1"], 60);
    let began = Instant::now();
    while edge.get("/").await.status != 200 {
        assert!(began.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that is there and has no address is no better.
    names.set("none.test", &[], 60);
    let edge = Edge::new()
        .node(&names.setting())
        .start_at("http://none.test")
        .await;
    assert_eq!(edge.get("/").await.status, 502);
    let record = edge.recorded(1).await.remove(0);
    assert!(
        record
            .error
            .unwrap_or_default()
            .contains("the name has no address")
    );
}
