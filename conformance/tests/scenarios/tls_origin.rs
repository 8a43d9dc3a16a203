//! Origins behind TLS: whose word is taken for who they are (CF-422..424, LE-A43).

use fourfront_conformance::{
    ALL_METHODS, Authority, Certificate, Edge, Origin, OriginTls, Reply, Running, Seen, handler,
};

/// Answers with what it got, never to be stored.
fn echo(request: &Seen) -> Reply {
    let host = request.header("host").unwrap_or("none");
    Reply::ok(format!("{host} {}", String::from_utf8_lossy(&request.body)))
        .header("Cache-Control", "no-store")
}

fn named(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|n| Some((*n).to_owned())).collect()
}

/// A node that trusts an authority, in front of the origin at a name of this machine's.
fn trusting(authority: &Authority) -> Edge {
    // One worker has one pool of connections and one memory of names.
    let edge = Edge::new().threads(1, 1).node("origin_ca: ./authority.pem");
    edge.write("authority.pem", authority.pem());
    edge
}

fn at_localhost(origin: &Origin) -> String {
    format!("https://localhost:{}", origin.port())
}

/// A request that must end in 502 before the origin hears of it; what the operator is told.
async fn refused(edge: &Running, origin: &Origin) -> String {
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    let record = &edge.recorded(1).await[0];
    assert_eq!(
        record.to_json()["x-edge-detailed-result-type"],
        "OriginConnectError"
    );
    assert_eq!(origin.count(), 0);
    record.error.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_with_an_authority_of_the_operators_own_is_reached_by_name() {
    // CF-423, CF-424, CF-395
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
    for path in ["/a", "/b"] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"), "{path}");
    }
    // The name is asked for, and the connection is used again.
    assert_eq!(origin.server_names(), named(&["localhost"]));
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_verified_and_not_sent_as_a_name() {
    // CF-423, CF-411
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["127.0.0.1"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority).start(&origin).await;
    assert_eq!(edge.get("/").await.status, 200);
    assert_eq!(origin.server_names(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_offered() {
    // CF-422
    let authority = Authority::new();
    let certificate = authority.certify(&["localhost"]);
    for tls in [
        OriginTls::only_1_2(&certificate),
        OriginTls::only_1_3(&certificate),
    ] {
        let origin = Origin::start_tls(tls, echo).await;
        let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
        assert_eq!(edge.get("/").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ciphers_are_those_that_keep_secrets() {
    // CF-425
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
    assert_eq!(edge.get("/").await.status, 200);
    let suites = origin.hellos().remove(0).suites;
    for kind in ["ECDSA", "RSA"] {
        for cipher in ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384"] {
            let suite = format!("TLS_ECDHE_{kind}_WITH_{cipher}");
            assert!(suites.contains(&suite), "{suite} of {suites:?}");
        }
    }
    // Neither 3DES nor RC4, nor any other without forward secrecy or with CBC.
    for suite in suites {
        let fits = suite.starts_with("TLS13_")
            || suite.starts_with("TLS_ECDHE_")
            || suite == "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
        assert!(fits, "{suite}");
        for weak in ["3DES", "RC4", "CBC", "NULL", "MD5"] {
            assert!(!suite.contains(weak), "{suite}");
        }
    }
}

/// An HTTPS origin at `localhost` that an authority of its own vouches for.
fn pinned(name: &str, port: u16, ca: &str) -> String {
    format!(
        "{name}: {{ domain_name: localhost, origin_ca: ./{ca}.pem,
          custom_origin_config: {{ origin_protocol_policy: https-only, https_port: {port} }} }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_one_origin_vouches_for_that_alone() {
    // CF-424, CF-423
    let (own, other, of_node) = (Authority::new(), Authority::new(), Authority::new());
    let tls = OriginTls::showing(&own.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&of_node)
        .origin(&pinned("right", origin.port(), "own"))
        .origin(&pinned("wrong", origin.port(), "other"))
        .path("/right/*", "origin: right")
        .path("/wrong/*", "origin: wrong");
    edge.write("own.pem", own.pem());
    edge.write("other.pem", other.pem());
    let edge = edge.start_at(&at_localhost(&origin)).await;
    // A connection that one origin's authority vouched for waits, and is not the others'.
    for _ in 0..2 {
        for (path, status) in [("/right/a", 200), ("/wrong/a", 502), ("/a", 502)] {
            assert_eq!(edge.get(path).await.status, status, "{path}");
        }
    }
    assert_eq!(origin.count(), 2);
    // Nor does the node's authority vouch for an origin that has its own.
    let tls = OriginTls::showing(&of_node.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&of_node)
        .origin(&pinned("right", origin.port(), "own"))
        .path("/right/*", "origin: right");
    edge.write("own.pem", own.pem());
    let edge = edge.start_at(&at_localhost(&origin)).await;
    assert_eq!(edge.get("/a").await.status, 200);
    assert_eq!(edge.get("/right/a").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_can_be_pinned_and_changed() {
    // CF-424
    let authority = Authority::new();
    let first = Certificate::self_signed(&["localhost"]);
    let second = Certificate::self_signed(&["localhost"]);
    let origin = Origin::start_tls(OriginTls::showing(&first), |request| {
        echo(request).header("Connection", "close")
    })
    .await;
    let edge = trusting(&authority)
        .origin(&pinned("own", origin.port(), "own"))
        .behavior("origin: own");
    edge.write("own.pem", first.pem());
    let edge = edge.start_at(&at_localhost(&origin)).await;
    assert_eq!(edge.get("/").await.status, 200);
    edge.rewrite("own.pem", second.pem()).unwrap();
    assert_eq!(edge.get("/").await.status, 502);
    edge.rewrite("own.pem", first.pem()).unwrap();
    assert_eq!(edge.get("/").await.status, 200);
    // One that cannot be used changes nothing, and is named.
    let refused = edge.rewrite("own.pem", "nothing").unwrap_err();
    let told = refused[0].to_string();
    assert!(
        told.starts_with("distributions.") && told.contains("origins.own.origin_ca: "),
        "{told}"
    );
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_nobody_vouches_for_are_a_502() {
    // CF-423, CF-424, CF-772, CF-705
    let (authority, stranger) = (Authority::new(), Authority::new());
    let rows = [
        (
            "self-signed",
            Certificate::self_signed(&["localhost"]),
            "UnknownIssuer",
        ),
        (
            "another authority",
            stranger.certify(&["localhost"]),
            "UnknownIssuer",
        ),
        (
            "expired",
            authority.certify_expired(&["localhost"]),
            "expired",
        ),
    ];
    for (name, certificate, cause) in rows {
        let origin = Origin::start_tls(OriginTls::showing(&certificate), echo).await;
        let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
        let told = refused(&edge, &origin).await;
        assert!(told.contains(cause), "{name}: {told}");
        // The same certificate would be shown again.
        assert_eq!(origin.connections(), 1, "{name}");
    }
    // An authority of one's own is trusted only where the node is told so.
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = Edge::new().start_at(&at_localhost(&origin)).await;
    let told = refused(&edge, &origin).await;
    assert!(told.contains("UnknownIssuer"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_a_502() {
    // CF-423, CF-772, CF-705
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["elsewhere.test", "127.0.0.1"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
    let told = refused(&edge, &origin).await;
    assert!(told.contains("not valid for name \"localhost\""), "{told}");
    assert_eq!(origin.connections(), 1);
}

/// Sends the viewer's `Host` on to the origin.
const FORWARD_HOST: &str = "origin_request_policy: Managed-AllViewer";
async fn get_as(edge: &Running, host: &str) -> (u16, String) {
    let answer = edge.request("GET", "/").header("Host", host).send().await;
    (answer.status, answer.text().trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_host_is_the_name_asked_for_and_verified() {
    // CF-423, LE-A43
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["www.example.test"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority)
        .behavior(FORWARD_HOST)
        .start_at(&at_localhost(&origin))
        .await;
    assert_eq!(
        get_as(&edge, "www.example.test").await,
        (200, "www.example.test".to_owned())
    );
    assert_eq!(origin.server_names(), named(&["www.example.test"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_the_domain_name_is_as_good_as_one_for_the_forwarded_host() {
    // CF-423
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin =
        Origin::start_tls(tls, |request| echo(request).header("Connection", "close")).await;
    let edge = trusting(&authority)
        .behavior(FORWARD_HOST)
        .behavior(ALL_METHODS)
        .start_at(&at_localhost(&origin))
        .await;
    // The second handshake costs no try, and the body goes out once.
    let answer = edge
        .request("POST", "/")
        .header("Host", "www.example.test")
        .body("form")
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.text()),
        (200, "www.example.test form")
    );
    // From then on the name that is good comes first, also on a new connection.
    assert_eq!(
        get_as(&edge, "www.example.test").await,
        (200, "www.example.test".to_owned())
    );
    assert_eq!(
        origin.server_names(),
        named(&["www.example.test", "localhost", "localhost"])
    );
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_neither_name_is_a_502_after_both_were_asked_for() {
    // CF-423, CF-772
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["elsewhere.test"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority)
        .behavior(FORWARD_HOST)
        .start_at(&at_localhost(&origin))
        .await;
    let told = refused(&edge, &origin).await;
    assert!(told.contains("not valid for name"), "{told}");
    assert_eq!(origin.server_names(), named(&["viewer.test", "localhost"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_function_wrote_is_the_second_name() {
    // CF-423, LE-A43, LE-185
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["vhost.test"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority)
        .function(
            "vhost",
            &handler(
                "request.headers.host = [{ key: 'Host', value: 'vhost.test' }]; return request;",
            ),
        )
        .behavior("on: { origin-request: vhost }")
        .start_at(&at_localhost(&origin))
        .await;
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.text()), (200, "vhost.test "));
    assert_eq!(origin.server_names(), named(&["localhost", "vhost.test"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_a_502() {
    // CF-772, CF-705
    let authority = Authority::new();
    let origin = Origin::start_tls(OriginTls::refusing(), echo).await;
    let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
    let told = refused(&edge, &origin).await;
    assert!(told.contains("TLS with the origin failed"), "{told}");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_where_tls_is_spoken_is_a_502() {
    // CF-772, CF-705
    let authority = Authority::new();
    let origin = Origin::start(echo).await;
    let edge = trusting(&authority).start_at(&at_localhost(&origin)).await;
    let told = refused(&edge, &origin).await;
    assert!(told.contains("TLS with the origin failed"), "{told}");

    // And the reverse: an origin behind TLS makes nothing of a request in the clear.
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    let edge = trusting(&authority)
        .start_at(&format!("http://localhost:{}", origin.port()))
        .await;
    let answer = edge.get("/").await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_versions_a_function_allows_are_kept_to() {
    // LE-111, CF-422, CF-772
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let origin = Origin::start_tls(tls, echo).await;
    // The path names the versions, as in `/TLSv1,TLSv1.2`.
    let elsewhere = format!(
        "request.origin = {{ custom: {{ domainName: 'localhost', port: {}, path: '', customHeaders: {{}},
             protocol: 'https', sslProtocols: request.uri.slice(1).split(',').filter(Boolean),
             readTimeout: 5, keepaliveTimeout: 5 }} }};
         request.headers.host = [{{ value: 'localhost' }}]; request.uri = '/'; return request;",
        origin.port()
    );
    let edge = trusting(&authority)
        .function("elsewhere", &handler(&elsewhere))
        .behavior("on: { origin-request: elsewhere }")
        .node("hooks: { local_egress: true }")
        .start_at("http://127.0.0.1:1")
        .await;
    for path in ["/TLSv1.2", "/TLSv1,TLSv1.2", "/SSLv3,TLSv1.1,TLSv1.2"] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let served = origin.count();
    for path in ["/TLSv1", "/TLSv1,TLSv1.1", "/SSLv3", "/"] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.x_cache()), (502, "Error"), "{path}");
        // What the settings are is for the operator's log alone.
        assert!(!answer.text().contains("sslProtocols"), "{}", answer.text());
        let record = edge.record_of(&answer).await;
        assert_eq!(
            record.to_json()["x-edge-detailed-result-type"],
            "OriginConnectError"
        );
        let told = record.error.as_deref().unwrap_or_default();
        assert!(
            told.contains("sslProtocols") && told.contains("TLSv1.2 and TLS 1.3 only"),
            "{told}"
        );
    }
    assert_eq!(origin.count(), served);
}
