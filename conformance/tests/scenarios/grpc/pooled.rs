//! Connections to origins, which calls share.

use super::{
    ALL_METHODS, Bytes, CALLS, Duration, H2Call, H2Origin, World, call, echo, head_of_answer, rest,
    send, soon, text, trailers,
};
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread")]
async fn calls_share_connections_as_far_as_the_origin_lets_them() {
    // CF-410
    let world = World::new();
    let (open, gate) = watch::channel(false);
    let mut options = h2::server::Builder::new();
    options.max_concurrent_streams(3);
    let origin = H2Origin::start_with(world.tls(), options, move |mut call: H2Call| {
        let mut gate = gate.clone();
        async move {
            let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            out.send_trailers(trailers("0")).unwrap();
        }
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    // Seven at once, from the start: nobody knows yet how many there may be.
    let mut calls = Vec::new();
    for _ in 0..7 {
        calls.push(send(&mut sender, call("/a")));
    }
    let mut bodies = Vec::new();
    for (response, out) in calls {
        bodies.push((soon(response).await.unwrap().into_body(), out));
    }
    origin.received(7).await;
    assert_eq!(origin.connections(), 3);
    open.send_replace(true);
    for (mut body, _out) in bodies {
        assert!(soon(rest(&mut body)).await.unwrap().1.is_some());
    }
    // Many more, one after the other.
    for _ in 0..20 {
        let (response, _out) = send(&mut sender, call("/a"));
        let mut body = soon(response).await.unwrap().into_body();
        assert!(soon(rest(&mut body)).await.unwrap().1.is_some());
    }
    assert_eq!(origin.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_says_goodbye_is_asked_on_another_connection() {
    // CF-410, RFC 9113 section 6.8
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let (response, mut out) = send(&mut sender, call("/long"));
    let mut long = soon(response).await.unwrap().into_body();
    origin.say_goodbye();
    // What runs goes on to its end; what comes after goes elsewhere, and none is lost.
    for n in 0..20 {
        let (response, mut out) = send(&mut sender, call("/short"));
        out.send_data(Bytes::from("m"), true).unwrap();
        let response = soon(response).await.unwrap_or_else(|e| panic!("{n}: {e}"));
        let mut body = response.into_body();
        assert_eq!(soon(rest(&mut body)).await.unwrap().0, b"m");
    }
    out.send_data(Bytes::from("still here"), true).unwrap();
    let (all, end) = soon(rest(&mut long)).await.unwrap();
    assert_eq!(
        (&all[..], text(&end.unwrap(), "grpc-status")),
        (&b"still here"[..], Some("0"))
    );
    assert_eq!(origin.connections(), 2);
    origin.open(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_nobody_needs_are_closed() {
    // CF-395
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let https = format!(
        "app: {{ domain_name: '127.0.0.1', custom_origin_config: {{ origin_protocol_policy: https-only, https_port: {}, origin_keepalive_timeout: 1 }} }}",
        origin.port()
    );
    let edge = world
        .edge()
        .origin(&https)
        .path("/app/*", &format!("origin: app, {ALL_METHODS}, {CALLS}"))
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    for connections in [1, 2] {
        // One that lasts longer than the timeout keeps it.
        let (response, mut out) = send(&mut sender, call("/app/a"));
        let mut body = soon(response).await.unwrap().into_body();
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        assert_eq!(origin.connections(), connections);
        out.send_data(Bytes::from("m"), true).unwrap();
        assert_eq!(soon(rest(&mut body)).await.unwrap().0, b"m");
        origin.open(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_failover_for_calls_and_for_others_there_is() {
    // CF-410, CF-442, CF-421
    let world = World::new();
    let first = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        let head = http::Response::builder().status(503);
        call.respond
            .send_response(head.body(()).unwrap(), true)
            .unwrap();
    })
    .await;
    let second =
        fourfront_conformance::Origin::start(|_| fourfront_conformance::Reply::ok("second")).await;
    let edge = world
        .edge()
        .behavior("origin: group")
        .origin(&format!("first: {{ domain_name: '127.0.0.1', custom_origin_config: {{ origin_protocol_policy: match-viewer, http_port: {}, https_port: {} }} }}", second.port(), first.port()))
        .origin(&format!("second: {}", second.url()))
        .distribution("origin_groups: { group: { members: [first, second], failover_criteria: { status_codes: [502, 503] } } }")
        .start_at("https://127.0.0.1:1")
        .await;
    let mut sender = world.connect(&edge).await;
    for method in ["POST", "GET"] {
        let head = call("/a").method(method);
        let request = head.body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), 503, "{method}");
    }
    assert_eq!((first.count(), second.count()), (2, 0));
    assert_eq!(first.heads()[1].method, "GET");
    // An answer of 503 is an error, whoever's.
    assert_eq!(
        edge.recorded(1).await[0].to_json()["x-edge-result-type"],
        "Error"
    );
    let plain = edge.secure_get(&world.viewer(), "/a").await;
    assert_eq!((plain.status, plain.text()), (200, "second"));
}
