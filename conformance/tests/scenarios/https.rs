//! Viewers by HTTPS: which certificate they are shown, on which terms, and what becomes of their requests.

use std::time::Duration;

use fourfront_conformance::{Authority, Edge, Origin, OriginTls, Reply, SecureViewer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

async fn origin() -> Origin {
    Origin::start(|_| Reply::ok("hello").header("Cache-Control", "max-age=60")).await
}

/// The names in the certificate that is shown to those who ask for `name`.
async fn shown(viewer: &SecureViewer, edge: &fourfront_conformance::Running, name: &str) -> String {
    match viewer.connect(edge.secure_address(), name).await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let der = certificates.expect("a certificate")[0].to_vec();
            // Names stand in it as they are.
            let names = ["viewer.test", "shop.test", "one.wild.test", "wild.test"];
            let has = |n: &&&str| der.windows(n.len()).any(|w| w == n.as_bytes());
            names.iter().find(has).map_or("?", |n| n).to_owned()
        }
        Err(e) => format!("{e}"),
    }
}

#[tokio::test]
async fn a_hit_by_https_is_the_hit_of_plain_http() {
    // CF-047, CF-095, CF-163, CF-703, CF-706
    let authority = Authority::new();
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    let viewer = SecureViewer::trusting(&authority);
    let miss = edge.secure_get(&viewer, "/a").await;
    assert_eq!(
        (miss.status, miss.x_cache(), miss.text()),
        (200, "Miss", "hello")
    );
    let hit = edge.secure_get(&viewer, "/a").await;
    assert_eq!(
        (hit.status, hit.x_cache(), hit.text()),
        (200, "Hit", "hello")
    );
    assert_eq!(edge.get("/a").await.x_cache(), "Hit");
    assert_eq!(origin.count(), 1);

    for answer in [&miss, &hit] {
        let record = edge.record_of(answer).await;
        let json = record.to_json();
        assert_eq!(json["cs-protocol"], "https");
        assert_eq!(json["cs-protocol-version"], "HTTP/1.1");
        assert_eq!(json["ssl-protocol"], "TLSv1.3");
        assert!(
            json["ssl-cipher"].as_str().unwrap().starts_with("TLS_AES_"),
            "{json}"
        );
    }
    let plain = edge.record_of(&edge.get("/a").await).await.to_json();
    assert_eq!(
        (&plain["cs-protocol"], &plain["ssl-protocol"]),
        (&"http".into(), &"-".into())
    );
    let metrics = edge.metrics();
    // The second handshake took up the session of the first.
    assert!(
        metrics.contains(r#"fourfront_tls_handshakes_total{outcome="full"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"fourfront_tls_handshakes_total{outcome="resumed"} 1"#));
    assert!(metrics.contains(r#"fourfront_certificate_expiry_seconds{certificate="site"}"#));
}

#[tokio::test]
async fn the_name_that_is_asked_for_decides_what_is_shown() {
    // CF-095, CF-096
    let authority = Authority::new();
    let origin = origin().await;
    let site = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test", "other.test"]))
        .certificate("wild", &authority.pem_pair(&["*.wild.test"]))
        .certificate("arn:aws:acm:us-east-1:1:certificate/x", &authority.pem_pair(&["shop.test", "shop.other.test"]))
        .node("default_certificate: site")
        .distribution("aliases: [shop.other.test]")
        .distribution("viewer_certificate: { acm_certificate_arn: 'arn:aws:acm:us-east-1:1:certificate/x', ssl_support_method: sni-only }")
        .distribution("default: false")
        .start(&origin)
        .await;
    let viewer = SecureViewer::trusting(&authority);
    assert_eq!(shown(&viewer, &site, "shop.test").await, "shop.test");
    assert_eq!(shown(&viewer, &site, "SHOP.other.test").await, "shop.test");
    assert_eq!(shown(&viewer, &site, "a.wild.test").await, "wild.test");
    assert_eq!(shown(&viewer, &site, "other.test").await, "viewer.test");
    // Nobody's name, and no name: the default one. The viewer's library refuses it for another name.
    for name in ["a.b.wild.test", "nobody.test"] {
        let refused = shown(&viewer, &site, name).await;
        assert!(refused.contains("not valid for name"), "{name}: {refused}");
    }
    let nameless = viewer.without_name();
    assert_eq!(shown(&nameless, &site, "viewer.test").await, "viewer.test");
}

#[tokio::test]
async fn handshakes_are_held_to_the_policy_of_their_distribution() {
    // CF-010.1, CF-097, CF-098, CF-703
    let authority = Authority::new();
    let origin = origin().await;
    let agreed = async |policy: &str, viewer: &SecureViewer| {
        let edge = Edge::new()
            .certificate("site", &authority.pem_pair(&["viewer.test"]))
            .distribution("aliases: [viewer.test]")
            .distribution(&format!(
                "viewer_certificate: {{ certificate: site, minimum_protocol_version: {policy} }}"
            ))
            .start(&origin)
            .await;
        match edge.secure_request(viewer, "GET", "/a").try_send().await {
            Err(_) => None,
            Ok(answer) => {
                let record = edge.record_of(&answer).await;
                record
                    .tls
                    .map(|(protocol, cipher)| format!("{protocol} {cipher}"))
            }
        }
    };
    let old = SecureViewer::only_1_2(&authority);
    let chacha = |v: &str| SecureViewer::with_suites(&authority, v);
    assert_eq!(
        agreed("TLSv1.2_2021", &old).await.as_deref(),
        Some("TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384")
    );
    assert_eq!(agreed("TLSv1.3_2025", &old).await, None);
    assert_eq!(
        agreed("TLSv1.3_2025", &chacha("TLS13_CHACHA20"))
            .await
            .as_deref(),
        Some("TLSv1.3 TLS_CHACHA20_POLY1305_SHA256")
    );
    let chacha_1_2 = chacha("WITH_CHACHA20");
    assert_eq!(
        agreed("TLSv1.2_2019", &chacha_1_2).await.as_deref(),
        Some("TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305")
    );
    assert_eq!(agreed("TLSv1.2_2025", &chacha_1_2).await, None);
    assert_eq!(
        agreed("TLSv1.2_2025", &chacha("TLS13_CHACHA20")).await,
        None
    );
}

#[tokio::test]
async fn plain_http_is_sent_to_https_or_refused() {
    // CF-010.6, CF-061, CF-514, CF-520, CF-521, CF-522, CF-523, CF-524, CF-525, CF-703, LE-008, LE-020
    let authority = Authority::new();
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .hook("viewer-request", "return { status: '500' };")
        .behavior("viewer_protocol_policy: redirect-to-https")
        .behavior(fourfront_conformance::ALL_METHODS)
        .path(
            "/only/*",
            "viewer_protocol_policy: https-only, origin: origin",
        )
        .path(
            "/open/*",
            "viewer_protocol_policy: allow-all, origin: origin",
        )
        .start(&origin)
        .await;
    let port = edge.secure_address().port();
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 307), ("DELETE", 307)] {
        let answer = edge.request(method, "/a%20b/../c?q=1&r").send().await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (status, "Redirect"),
            "{method}"
        );
        assert_eq!(
            answer.header("location").unwrap(),
            format!("https://viewer.test:{port}/a%20b/../c?q=1&r")
        );
        assert_eq!(answer.header("content-type"), Some("text/html"));
        let record = edge.record_of(&answer).await;
        assert_eq!(record.to_json()["x-edge-result-type"], "Redirect");
        assert!(record.hooks.is_empty());
        if method == "GET" {
            assert!(
                answer
                    .text()
                    .contains("<title>301 Moved Permanently</title>")
            );
        }
    }
    // A port of plain HTTP is not one of HTTPS.
    let elsewhere = edge
        .request("GET", "/x")
        .header("Host", "viewer.test:8080")
        .send()
        .await;
    assert_eq!(
        elsewhere.header("location").unwrap(),
        format!("https://viewer.test:{port}/x")
    );
    let upgrade = edge
        .request("GET", "/ws")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .send()
        .await;
    assert_eq!(upgrade.status, 301);
    assert_eq!(edge.request("GET", "/only/x").send().await.status, 403);
    assert_eq!(edge.request("GET", "/open/x").send().await.status, 200);
    let old = fourfront_conformance::raw_exchange(
        edge.address(),
        b"POST /a HTTP/1.0\r\nHost: viewer.test\r\nContent-Length: 0\r\n\r\n",
        b"",
    )
    .await;
    assert!(
        old.starts_with(b"HTTP/1.1 403") || old.starts_with(b"HTTP/1.0 403"),
        "{}",
        String::from_utf8_lossy(&old)
    );
    // By HTTPS the function runs, and a redirect would go in circles.
    let viewer = SecureViewer::trusting(&authority);
    assert_eq!(edge.secure_get(&viewer, "/a").await.status, 500);
    assert_eq!(edge.secure_get(&viewer, "/only/x").await.status, 200);

    let told = edge
        .explain(serde_json::json!({ "url": "http://viewer.test/a" }))
        .await;
    assert_eq!(told.1["verdict"]["status"], 301, "{}", told.1);
    let told = edge
        .explain(serde_json::json!({ "url": "https://viewer.test/only/a" }))
        .await;
    assert_ne!(told.1["verdict"]["result"], "refused", "{}", told.1);
}

#[tokio::test]
async fn the_usual_port_is_not_written() {
    // CF-523
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .node("https_port: 443")
        .behavior("viewer_protocol_policy: redirect-to-https")
        .start(&origin().await)
        .await;
    let answer = edge.get("/a?b").await;
    assert_eq!(answer.header("location"), Some("https://viewer.test/a?b"));
    // Taken away by a reload, it is where the node listens.
    let file = edge.site_file().replace("  https_port: 443\n", "");
    edge.reload(&file).unwrap();
    let answer = edge.get("/a").await;
    let port = edge.secure_address().port();
    let expected = format!("https://viewer.test:{port}/a");
    assert_eq!(answer.header("location"), Some(&*expected));
}

#[tokio::test]
async fn renewed_certificates_are_shown_and_broken_ones_are_not() {
    // CF-095
    let authority = Authority::new();
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(&origin)
        .await;
    let viewer = SecureViewer::trusting(&authority);
    let mut open = viewer
        .connect(edge.secure_address(), "viewer.test")
        .await
        .unwrap();
    let serial = async || {
        let stream = viewer
            .offering(&["http/1.1"])
            .connect(edge.secure_address(), "viewer.test")
            .await;
        stream.unwrap().get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = serial().await;
    edge.node().renew_certificates();
    assert_eq!(serial().await, first);

    // The certificate is there before its key: what was shown stays.
    let next = authority.pem_pair(&["viewer.test"]);
    edge.write("certs/0.pem", &next.cert);
    edge.node().renew_certificates();
    edge.node().renew_certificates();
    assert_eq!(serial().await, first);
    let loads = |outcome: &str, n: u32| {
        let line = format!("fourfront_certificate_loads_total{{outcome=\"{outcome}\"}} {n}");
        let metrics = edge.metrics();
        assert!(metrics.contains(&line), "{metrics}");
    };
    loads("refused", 1);
    let refused = edge.reload(&edge.site_file()).unwrap_err();
    assert!(
        refused.contains("node.certificates.site.key: ") && refused.contains("0.key"),
        "{refused}"
    );
    assert_eq!(serial().await, first);

    edge.write("certs/0.key", &next.key);
    edge.node().renew_certificates();
    let second = serial().await;
    assert_ne!(second, first);
    loads("applied", 1);
    edge.write("certs/0.pem", "gone");
    edge.node().renew_certificates();
    assert_eq!(serial().await, second);
    loads("refused", 2);

    // The connection that was there goes on.
    open.write_all(b"GET /a HTTP/1.1\r\nHost: viewer.test\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut all = Vec::new();
    open.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_stops_the_start() {
    // CF-095
    let authority = Authority::new();
    let (one, other) = (
        authority.pem_pair(&["a.test"]),
        authority.pem_pair(&["b.test"]),
    );
    let mixed = fourfront_conformance::PemPair {
        cert: one.cert.clone(),
        key: other.key,
    };
    let empty = fourfront_conformance::PemPair {
        cert: "x".into(),
        key: one.key,
    };
    let started = Edge::new()
        .certificate("mixed", &mixed)
        .certificate("empty", &empty)
        .try_start("http://127.0.0.1:1")
        .await;
    let errors: Vec<_> = started
        .err()
        .expect("a refusal")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].starts_with("node.certificates.mixed.key: ")
            && errors[0].contains("not the key of that certificate"),
        "{errors:?}"
    );
    assert!(
        errors[1].starts_with("node.certificates.empty.cert: ")
            && errors[1].contains("no PEM certificate"),
        "{errors:?}"
    );
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_cut_off_and_counted() {
    // CF-010
    let authority = Authority::new();
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .node("handshake_timeout: 0.2")
        .threads(1, 1)
        .start(&origin)
        .await;
    let mut slow = TcpStream::connect(edge.secure_address()).await.unwrap();
    slow.write_all(&[0x16, 3, 1, 2]).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), slow.read_to_end(&mut rest)).await;
    let _ = read.expect("the node closes");
    let mut not_tls = TcpStream::connect(edge.secure_address()).await.unwrap();
    not_tls
        .write_all(b"GET / HTTP/1.1\r\nHost: viewer.test\r\n\r\n")
        .await
        .unwrap();
    let _ = not_tls.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP"));
    // The one worker has done with those when it does this.
    let viewer = SecureViewer::trusting(&authority);
    assert_eq!(edge.secure_get(&viewer, "/a").await.status, 200);
    let metrics = edge.metrics();
    assert!(
        metrics.contains(r#"fourfront_tls_handshakes_total{outcome="timeout"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"fourfront_tls_handshakes_total{outcome="failed"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_connection_for_one_distribution_is_not_for_another() {
    // CF-010.2, CF-036, CF-769, RFC 9110 section 15.5.20
    let authority = Authority::new();
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test", "both.test"]))
        .certificate("strict", &authority.pem_pair(&["strict.test"]))
        .distribution("aliases: [viewer.test]")
        .distribution("default: true")
        .start(&origin)
        .await;
    let second = format!(
        "{}  strict:\n    aliases: [strict.test, both.test]\n    viewer_certificate: {{ certificate: strict, minimum_protocol_version: TLSv1.3_2025 }}\n    origins: {{ origin: {} }}\n",
        edge.site_file(),
        origin.url(),
    );
    edge.reload(&second).unwrap();
    let status = async |viewer: &SecureViewer, name: &str, host: &str| {
        let request = edge.secure_request(viewer, "GET", "/a").by(viewer, name);
        request.header("Host", host).send().await.status
    };
    let viewer = SecureViewer::trusting(&authority);
    assert_eq!(status(&viewer, "viewer.test", "viewer.test").await, 200);
    assert_eq!(status(&viewer, "strict.test", "strict.test").await, 200);
    assert_eq!(status(&viewer, "viewer.test", "strict.test").await, 421);
    // The certificate shown is for that host, too.
    assert_eq!(status(&viewer, "viewer.test", "both.test").await, 200);
    // But its distribution wants another version.
    let old = SecureViewer::only_1_2(&authority);
    assert_eq!(status(&old, "viewer.test", "viewer.test").await, 200);
    assert_eq!(status(&old, "viewer.test", "both.test").await, 421);
    let nameless = old.without_name();
    assert_eq!(status(&nameless, "viewer.test", "both.test").await, 421);
    // CF-705
    let misdirected = edge
        .recorded(7)
        .await
        .into_iter()
        .filter(|r| r.status == 421);
    let details: Vec<_> = misdirected.map(|r| r.served.detail(r.status)).collect();
    assert_eq!(details, ["InvalidRequestCertificate"; 3]);
    assert_eq!(status(&nameless, "viewer.test", "viewer.test").await, 200);
}

#[tokio::test]
async fn an_origin_may_be_asked_by_the_viewers_protocol() {
    // CF-163, CF-420, CF-421
    let authority = Authority::new();
    let say = |text: &'static str| move |_: &fourfront_conformance::Seen| Reply::ok(text);
    let plain = Origin::start(say("plain")).await;
    let certificate = authority.certify(&["127.0.0.1"]);
    let secure = Origin::start_tls(OriginTls::showing(&certificate), say("secure")).await;
    let port = |origin: &Origin| origin.url().rsplit(':').next().unwrap().to_owned();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .node("origin_ca: ./ca.pem")
        .origin(&format!(
            "both: {{ domain_name: 127.0.0.1, custom_origin_config: {{ origin_protocol_policy: match-viewer, http_port: {}, https_port: {} }} }}",
            port(&plain),
            port(&secure)
        ))
        .behavior("origin: both")
        .behavior("cache_policy: Managed-CachingDisabled")
        .path("/kept", "origin: both");
    edge.write("ca.pem", authority.pem());
    let edge = edge.start_at("").await;
    let viewer = SecureViewer::trusting(&authority);
    assert_eq!(edge.get("/a").await.text(), "plain");
    assert_eq!(edge.secure_get(&viewer, "/a").await.text(), "secure");
    // One object for both.
    assert_eq!(edge.secure_get(&viewer, "/kept").await.text(), "secure");
    assert_eq!(edge.get("/kept").await.text(), "secure");
}

#[tokio::test]
async fn viewers_may_have_to_show_a_certificate() {
    // CF-055, CF-036
    let authority = Authority::new();
    let (theirs, others) = (Authority::new(), Authority::new());
    let origin = origin().await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test", "open.test"]))
        .distribution("aliases: [viewer.test]")
        .distribution("default: false")
        .distribution("viewer_mtls_config: { mode: required, trust_store_config: { trust_store: ./viewers.pem } }")
        .behavior("viewer_protocol_policy: https-only");
    edge.write("viewers.pem", theirs.pem());
    let edge = edge.start(&origin).await;
    let open = format!(
        "{}  open:\n    aliases: [open.test]\n    origins: {{ origin: {} }}\n",
        edge.site_file(),
        origin.url(),
    );
    edge.reload(&open).unwrap();
    let status = async |viewer: &SecureViewer, name: &str, host: &str| {
        let request = edge.secure_request(viewer, "GET", "/a").by(viewer, name);
        let answer = request.header("Host", host).try_send().await;
        answer.map(|a| a.status).map_err(|_| ())
    };
    let nobody = SecureViewer::trusting(&authority);
    let known = nobody.showing(&theirs.pem_pair(&["somebody"]));
    let stranger = nobody.showing(&others.pem_pair(&["somebody"]));
    assert_eq!(status(&known, "viewer.test", "viewer.test").await, Ok(200));
    // And once more, by a ticket.
    assert_eq!(status(&known, "viewer.test", "viewer.test").await, Ok(200));
    assert_eq!(
        status(&known.h2(), "viewer.test", "viewer.test").await,
        Ok(200)
    );
    assert_eq!(status(&nobody, "viewer.test", "viewer.test").await, Err(()));
    assert_eq!(
        status(&stranger, "viewer.test", "viewer.test").await,
        Err(())
    );
    // Nobody gets there by another name.
    assert_eq!(status(&nobody, "open.test", "open.test").await, Ok(200));
    assert_eq!(status(&nobody, "open.test", "viewer.test").await, Ok(421));
    assert_eq!(status(&known, "open.test", "viewer.test").await, Ok(421));
    assert_eq!(
        status(&nobody.without_name(), "viewer.test", "viewer.test").await,
        Ok(421)
    );

    edge.reload(&open.replace("mode: required", "mode: optional"))
        .unwrap();
    assert_eq!(status(&nobody, "viewer.test", "viewer.test").await, Ok(200));
    assert_eq!(status(&known, "viewer.test", "viewer.test").await, Ok(200));
    assert_eq!(
        status(&stranger, "viewer.test", "viewer.test").await,
        Err(())
    );
    edge.write("viewers.pem", "none");
    let broken = edge.reload(&open).unwrap_err();
    assert!(
        broken.starts_with("viewer_mtls_config.trust_store_config.trust_store: ")
            && broken.contains("no PEM certificate"),
        "{broken}"
    );
}
