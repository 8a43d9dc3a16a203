//! Samples of AWS's own pages (LE section 9.1), written anew, through the whole node. Those that hang on chance or
//! on the viewer's country run in the engine's tests.

use fourfront_conformance::{Authority, Edge, Origin, OriginTls, Reply, handler};

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_chosen_by_a_cookie_in_any_field() {
    // LE-500, LE-097
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .hook(
            "viewer-request",
            "if (request.uri !== '/experiment-pixel.jpg') return request;
  const cookies = (request.headers.cookie ?? []).map(({ value }) => value);
  console.log(JSON.stringify(cookies));
  if (cookies.some((c) => c.includes('X-Experiment-Name=B'))) request.uri = '/experiment-pixel/treatment-pixel.jpg';
  return request;",
        )
        .start(&origin)
        .await;
    let treatment = "/experiment-pixel/treatment-pixel.jpg";
    let rows: [(&str, &[&str], &str); 4] = [
        ("/experiment-pixel.jpg", &["X-Experiment-Name=B"], treatment),
        (
            "/experiment-pixel.jpg",
            &["theme=dark", "X-Experiment-Name=B; lang=pt"],
            treatment,
        ),
        (
            "/experiment-pixel.jpg",
            &["X-Experiment-Name=A"],
            "/experiment-pixel.jpg",
        ),
        ("/other.jpg", &["X-Experiment-Name=B"], "/other.jpg"),
    ];
    for (target, cookies, asked) in rows {
        let mut request = edge.request("GET", target);
        for cookie in cookies {
            request = request.header("Cookie", cookie);
        }
        assert_eq!(request.send().await.text(), asked, "{target} {cookies:?}");
    }
    // Two fields are one entry.
    assert_eq!(
        edge.logs()[1].message,
        r#"["theme=dark; X-Experiment-Name=B; lang=pt"]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gives_way_to_a_server_with_the_settings_of_the_sample() {
    // LE-511, LE-111, LE-108, LE-109
    let server = Origin::saying("server").await;
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["localhost"]));
    let old = Origin::start_tls(tls, |_| Reply::ok("never")).await;
    let custom = |port: u16, protocol: &str| {
        handler(&format!(
            "const asked = new URLSearchParams(request.querystring).get('useCustomOrigin');
  if (asked === 'true') {{
    request.origin = {{ custom: {{ domainName: 'localhost', port: {port}, protocol: '{protocol}', path: '',
      sslProtocols: ['TLSv1', 'TLSv1.1'], readTimeout: 5, keepaliveTimeout: 5, customHeaders: {{}} }} }};
    request.headers.host = [{{ key: 'host', value: 'localhost' }}];
  }}
  return request;"
        ))
    };
    for (port, protocol, expected) in [
        (server.port(), "http", (200, "Miss")),
        // No protocol that old is spoken here: the origin's failure, and not the function's.
        (old.port(), "https", (502, "Error")),
    ] {
        let edge = Edge::new()
            .function("move", &custom(port, protocol))
            .node("hooks: { local_egress: true }")
            .node("origin_ca: ./authority.pem")
            .origin("files: { dir: ./files }")
            .behavior("on: { origin-request: move }")
            .behavior("cache_policy: { min_ttl: 0, query_strings: all }");
        edge.write("authority.pem", authority.pem());
        edge.write("files/a.txt", "file");
        let edge = edge.start_at("").await;
        assert_eq!(edge.get("/a.txt").await.text(), "file");
        let answer = edge.get("/a.txt?useCustomOrigin=true").await;
        assert_eq!((answer.status, answer.x_cache()), expected, "{protocol}");
        let record = edge.record_of(&answer).await;
        assert_eq!(record.hooks[0].fault, None, "{protocol}");
        if protocol == "https" {
            let error = record.error.unwrap_or_default();
            assert!(error.contains("sslProtocols allows"), "{error}");
        }
    }
    assert_eq!(server.last().header("host"), Some("localhost"));
    assert_eq!(old.count(), 0);
}
