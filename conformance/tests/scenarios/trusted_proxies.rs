//! Proxies in front of the node that tell whom they speak for (CF-354).

use fourfront_conformance::{Edge, Origin, Reply, country_database, handler, raw_exchange};

use super::signed::vectors::{Ask, edge as signed_edge};

fn edge() -> Edge {
    Edge::new()
        .function(
            "see",
            &handler("console.log(request.clientIp); return request;"),
        )
        .behavior("on: { viewer-request: see }")
        .behavior("cache_policy: Managed-CachingDisabled")
        .behavior("origin_request_policy: { headers: [CloudFront-Viewer-Address, CloudFront-Viewer-Country] }")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hop_that_is_not_trusted_is_the_viewer_everywhere() {
    // CF-353, CF-354, CF-377, CF-379, CF-601, CF-703, LE-074
    let origin = Origin::echo().await;
    let edge = edge()
        .node("trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]")
        .node("geo_database: ./country.mmdb")
        .distribution("geo_restriction: { restriction_type: blacklist, locations: [FR] }");
    std::fs::write(
        edge.dir().join("country.mmdb"),
        country_database(&[("192.0.2.0/24", "DE"), ("198.51.100.0/24", "FR")]),
    )
    .unwrap();
    let edge = edge.start(&origin).await;
    let mut logged = 0;
    for (list, status, viewer, country) in [
        ("192.0.2.1", 200, "192.0.2.1:0", Some("DE")),
        (
            "198.51.100.1, 192.0.2.2:99,10.1.1.1",
            200,
            "192.0.2.2:99",
            Some("DE"),
        ),
        ("192.0.2.1, 198.51.100.1", 403, "198.51.100.1:0", Some("FR")),
        ("192.0.2.1, 2001:db8::1", 200, "[2001:db8::1]:0", None),
    ] {
        let request = edge.request("GET", "/a").header("X-Forwarded-For", list);
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{list}");
        let record = edge.record_of(&answer).await;
        assert_eq!(record.viewer.unwrap().to_string(), viewer, "{list}");
        let told = record.country.map(|c| c.to_string());
        assert_eq!(told.as_deref(), country, "{list}");
        if status != 200 {
            continue;
        }
        logged += 1;
        let address = record.viewer.unwrap().ip().to_string();
        assert_eq!(edge.logged(logged).await[logged - 1].message, address);
        let seen = origin.last();
        assert_eq!(seen.header("cloudfront-viewer-country"), country);
        let shown = viewer.replace(['[', ']'], "");
        assert_eq!(seen.header("cloudfront-viewer-address"), Some(&*shown));
        // The list goes on with who has connected.
        let comma = if list.contains(",1") { "," } else { ", " };
        let list = format!("{list}{comma}127.0.0.1");
        assert_eq!(seen.header("x-forwarded-for"), Some(&*list));
    }
    // Also of a request that belongs nowhere.
    let request = edge.request("GET", "/a").header("Host", "a/b");
    let answer = request.header("X-Forwarded-For", "192.0.2.9").send().await;
    assert_eq!(answer.status, 400);
    let records = edge.recorded(5).await;
    assert_eq!(records[4].viewer.unwrap().to_string(), "192.0.2.9:0");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_not_believed_and_nobody_is_by_default() {
    // CF-353, CF-354
    let origin = Origin::echo().await;
    for setting in ["shutdown_grace: 30", "trusted_proxies: [10.0.0.0/8]"] {
        let edge = edge().node(setting).start(&origin).await;
        let request = edge.request("GET", "/a");
        let answer = request.header("X-Forwarded-For", "192.0.2.1").send().await;
        let record = edge.record_of(&answer).await;
        let viewer = record.viewer.unwrap();
        assert_eq!(viewer.ip().to_string(), "127.0.0.1", "{setting}");
        let seen = origin.last();
        let told = seen.header("cloudfront-viewer-address");
        assert_eq!(told, Some(&*viewer.to_string()), "{setting}");
        assert_eq!(seen.header("x-forwarded-for"), Some("192.0.2.1, 127.0.0.1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_that_the_proxy_protocol_tells_may_be_a_trusted_proxy() {
    // CF-354
    let origin = Origin::start(|seen| {
        let address = seen.header("cloudfront-viewer-address").unwrap_or("-");
        let list = seen.header("x-forwarded-for").unwrap_or("-");
        Reply::ok(format!("{address} {list}"))
    })
    .await;
    let edge = edge()
        .node("proxy_protocol: true")
        .node("trusted_proxies: [10.0.0.0/8]")
        .start(&origin)
        .await;
    let request = "GET /a HTTP/1.1\r\nHost: viewer.test\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
    for (source, told) in [
        ("10.1.2.3", "192.0.2.1:0 192.0.2.1, 10.1.2.3"),
        ("203.0.113.5", "203.0.113.5:5555 192.0.2.1, 203.0.113.5"),
    ] {
        let sent = format!("PROXY TCP4 {source} 203.0.113.1 5555 80\r\n{request}");
        let received = raw_exchange(edge.address(), sent.as_bytes(), b"").await;
        let text = String::from_utf8_lossy(&received);
        assert!(text.ends_with(told), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_is_trusted_changes_with_a_reload() {
    // CF-027, CF-354
    let origin = Origin::echo().await;
    let edge = edge()
        .node("trusted_proxies: [127.0.0.1]")
        .start(&origin)
        .await;
    let viewer = || async {
        let request = edge.request("GET", "/a");
        let answer = request.header("X-Forwarded-For", "192.0.2.1").send().await;
        edge.record_of(&answer)
            .await
            .viewer
            .unwrap()
            .ip()
            .to_string()
    };
    assert_eq!(viewer().await, "192.0.2.1");
    let site = edge.site_file().replace("[127.0.0.1]", "[127.0.0.2]");
    edge.reload(&site).unwrap();
    assert_eq!(viewer().await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_for_the_viewer_and_not_for_the_proxy() {
    // CF-354, CF-570
    let origin = Origin::echo().await;
    let edge = signed_edge("cache_policy: { min_ttl: 0, query_strings: all, cookies: all }")
        .node("trusted_proxies: [127.0.0.1]")
        .start(&origin)
        .await;
    for (vector, list, status) in [
        ("custom for another address", "192.0.2.1", 200),
        ("custom for another address", "192.0.2.1, 192.0.2.2", 403),
        ("custom for one address", "192.0.2.1", 403),
    ] {
        let ask = Ask::of(vector).header("X-Forwarded-For", list);
        // Each the short way, if there is one, and Pingora's.
        assert_eq!(ask.send(&edge).await.status, status, "{vector} {list}");
        let other = ask.header("If-None-Match", "\"x\"");
        assert_eq!(other.send(&edge).await.status, status, "{vector} {list}");
    }
    let direct = Ask::of("custom for one address").send(&edge).await;
    assert_eq!(direct.status, 200);
}
