//! Viewers behind a proxy that tells their address in a header of the PROXY protocol.

use std::net::SocketAddr;

use fourfront_conformance::{Authority, Edge, Origin, Reply, SecureViewer, handler, raw_exchange};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: viewer.test\r\nConnection: close\r\n\r\n";

/// A header of version 2 for a connection over TCP and IPv4 (or IPv6).
fn version_2(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    let mut addresses = Vec::new();
    match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            header.push(0x11);
            addresses.extend(source.ip().octets());
            addresses.extend(destination.ip().octets());
        }
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            header.push(0x21);
            addresses.extend(source.ip().octets());
            addresses.extend(destination.ip().octets());
        }
        _ => panic!("addresses of one kind"),
    }
    addresses.extend(source.port().to_be_bytes());
    addresses.extend(destination.port().to_be_bytes());
    // A field that means nothing here.
    addresses.extend([0x04, 0, 3, 1, 2, 3]);
    header.extend(u16::try_from(addresses.len()).expect("short").to_be_bytes());
    header.extend(addresses);
    header
}

fn plain() -> Edge {
    Edge::new()
        .node("proxy_protocol: true")
        .function(
            "see",
            &handler("console.log(request.clientIp); return request;"),
        )
        .behavior("on: { viewer-request: see }")
        .behavior("origin_request_policy: Managed-AllViewer")
}

#[tokio::test]
async fn the_address_that_the_proxy_tells_is_the_viewers() {
    // CF-353, CF-354, LE-074, CF-703
    let origin =
        Origin::start(|seen| Reply::ok(seen.header("x-forwarded-for").unwrap_or("-").to_owned()))
            .await;
    let edge = plain().start(&origin).await;
    let v4 = version_2(
        "198.51.100.7:1234".parse().unwrap(),
        "203.0.113.1:80".parse().unwrap(),
    );
    let v6 = version_2(
        "[2001:db8::7]:1234".parse().unwrap(),
        "[2001:db8::1]:80".parse().unwrap(),
    );
    let rows: [(&[u8], &str, u16); 4] = [
        (
            b"PROXY TCP4 198.51.100.5 203.0.113.1 5555 80\r\n",
            "198.51.100.5",
            5555,
        ),
        (
            b"PROXY TCP6 2001:db8::5 2001:db8::1 5556 80\r\n",
            "2001:db8::5",
            5556,
        ),
        (&v4, "198.51.100.7", 1234),
        (&v6, "2001:db8::7", 1234),
    ];
    for (n, (header, address, port)) in rows.into_iter().enumerate() {
        let request = REQUEST.replace("/a", &format!("/{n}"));
        let sent = [header, request.as_bytes()].concat();
        let received = raw_exchange(edge.address(), &sent, b"").await;
        let text = String::from_utf8_lossy(&received);
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.ends_with(address),
            "{text}"
        );
        let records = edge.recorded(n + 1).await;
        let viewer = records[n].viewer.expect("an address");
        assert_eq!(
            (viewer.ip().to_string().as_str(), viewer.port()),
            (address, port)
        );
        assert_eq!(edge.logged(n + 1).await[n].message, address);
    }
    // The proxy's own question, as of its health check.
    let local = [b"PROXY UNKNOWN\r\n", REQUEST.as_bytes()].concat();
    let received = raw_exchange(edge.address(), &local, b"").await;
    assert!(
        received.ends_with(b"127.0.0.1"),
        "{}",
        String::from_utf8_lossy(&received)
    );
}

#[tokio::test]
async fn a_connection_without_the_header_is_closed() {
    // CF-354
    let origin = Origin::saying("hello").await;
    let edge = plain()
        .node("handshake_timeout: 0.3")
        .threads(1, 1)
        .start(&origin)
        .await;
    let long = format!("PROXY TCP4 {}", "1".repeat(20_000));
    for wrong in [
        REQUEST,
        "PROXY TCP5 1.1.1.1 2.2.2.2 1 1\r\n",
        "PROXY TCP4 1.1.1.1",
        &long,
    ] {
        assert_eq!(
            raw_exchange(edge.address(), wrong.as_bytes(), b"").await,
            b"",
            "{wrong:?}"
        );
    }
    let good = [b"PROXY UNKNOWN\r\n", REQUEST.as_bytes()].concat();
    assert!(
        raw_exchange(edge.address(), &good, b"")
            .await
            .starts_with(b"HTTP/1.1 200")
    );
    let metrics = edge.metrics();
    let counted = r#"fourfront_viewer_connections_cut_total{reason="proxy_header"} 4"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn it_comes_before_tls_and_before_http_2() {
    // CF-354, CF-703
    let authority = Authority::new();
    let origin = Origin::saying("hello").await;
    let edge = plain()
        .node("http2: { cleartext: true }")
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    let viewer = SecureViewer::trusting(&authority);
    let header = version_2(
        "198.51.100.9:4321".parse().unwrap(),
        "203.0.113.1:443".parse().unwrap(),
    );
    for (n, viewer) in [viewer.clone(), viewer.h2()].iter().enumerate() {
        let request = edge.secure_request(viewer, "GET", "/a").after(&header);
        assert_eq!(request.send().await.status, 200);
        let records = edge.recorded(n + 1).await;
        assert_eq!(
            records[n].viewer,
            Some("198.51.100.9:4321".parse().unwrap())
        );
        assert!(records[n].tls.is_some());
    }
    let plain = [&header[..], REQUEST.as_bytes()].concat();
    assert!(
        raw_exchange(edge.address(), &plain, b"")
            .await
            .starts_with(b"HTTP/1.1 200")
    );
    assert_eq!(
        edge.recorded(3).await[2].viewer,
        Some("198.51.100.9:4321".parse().unwrap())
    );
}
