//! The `CloudFront-*` headers that the edge generates: what origins, functions and the cache make of them (CF section 4.5).

use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, Origin, Place, Reply, SecureViewer, asn_database, city_database,
    country_database, handler, raw_exchange,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148";
const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0";
const COUNTRY: &str = "CloudFront-Viewer-Country";

/// A node to which viewers of this test, all at 127.0.0.1, are in Sao Paulo, if it asks.
fn edge() -> Edge {
    let edge = Edge::new().node("geo_database: [./city.mmdb, ./asn.mmdb]");
    let place = Place {
        country: "BR",
        country_name: "Brazil",
        region: "SP",
        region_name: "S\u{e3}o Paulo",
        city: "S\u{e3}o Paulo",
        postal_code: "01000",
        time_zone: "America/Sao_Paulo",
        position: Some((-23.5335, -46.6359)),
        // Wrongly: there are none but in the US.
        metro_code: Some(501),
    };
    put(
        &edge,
        "city.mmdb",
        &city_database(&[("127.0.0.0/8", place)]),
    );
    put(&edge, "asn.mmdb", &asn_database(&[("127.0.0.0/8", 64_500)]));
    edge
}

fn put(edge: &Edge, file: &str, bytes: &[u8]) {
    std::fs::write(edge.dir().join(file), bytes).expect("a writable directory");
}

/// The generated headers of a request that an origin got, in order, without the first words of their names.
fn told(seen: &fourfront_conformance::Seen) -> Vec<(String, String)> {
    let generated = seen.headers.iter().filter_map(|(name, value)| {
        let short = name.strip_prefix("cloudfront-")?;
        Some((short.to_owned(), value.clone()))
    });
    generated.collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_told_what_its_policy_names_and_nothing_else() {
    // CF-120, CF-125, CF-127, CF-145, CF-358, CF-376..382, CF-386
    let origin = Origin::echo().await;
    let edge = edge()
        .behavior("cache_policy: Managed-CachingDisabled")
        .behavior("origin_request_policy: Managed-AllViewerAndCloudFrontHeaders-2022-06")
        .path("/none", "origin_request_policy: Managed-AllViewer")
        .path(
            "/some",
            "origin_request_policy: { headers: [CloudFront-Viewer-Header-Count, CloudFront-Viewer-Header-Order, Accept] }",
        )
        .start(&origin)
        .await;
    let stream = TcpStream::connect(edge.address()).await.unwrap();
    let port = stream.local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut stream = stream;
    let request = format!(
        "GET /all HTTP/1.1\r\nHost: viewer.test\r\nuser-AGENT: {IPHONE}\r\n{COUNTRY}: XX\r\nCloudFront-Is-Desktop-Viewer: true\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(
        told(&origin.last()),
        pairs(&[
            ("Is-Android-Viewer", "false"),
            ("Is-Desktop-Viewer", "false"),
            ("Is-IOS-Viewer", "true"),
            ("Is-Mobile-Viewer", "true"),
            ("Is-SmartTV-Viewer", "false"),
            ("Is-Tablet-Viewer", "false"),
            ("Forwarded-Proto", "http"),
            ("Viewer-Http-Version", "1.1"),
            ("Viewer-Country", "BR"),
            ("Viewer-Country-Name", "Brazil"),
            ("Viewer-Country-Region", "SP"),
            ("Viewer-Country-Region-Name", "S%C3%A3o Paulo"),
            ("Viewer-City", "S%C3%A3o Paulo"),
            ("Viewer-Postal-Code", "01000"),
            ("Viewer-Time-Zone", "America/Sao_Paulo"),
            ("Viewer-Latitude", "-23.53350"),
            ("Viewer-Longitude", "-46.63590"),
            ("Viewer-Address", &address),
            ("Viewer-ASN", "64500"),
        ])
    );
    let request = edge.request("GET", "/none").header(COUNTRY, "XX");
    request.header("User-Agent", IPHONE).send().await;
    assert_eq!(told(&origin.last()), []);

    let request = "GET /some HTTP/1.1\r\nHost: viewer.test\r\naccept: */*\r\nX-One: 1\r\nx-ONE: 2\r\nConnection: close\r\n\r\n";
    raw_exchange(edge.address(), request.as_bytes(), b"").await;
    assert_eq!(
        told(&origin.last()),
        pairs(&[
            ("Viewer-Header-Order", "Host:accept:X-One:x-ONE:Connection"),
            ("Viewer-Header-Count", "5"),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_managed_policy_without_host_tells_of_all_but_the_address() {
    // CF-128, CF-144, CF-378
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .node("geo_database: ./country.mmdb")
        .behavior("origin_request_policy: Managed-AllViewerExceptHostHeader");
    put(
        &edge,
        "country.mmdb",
        &country_database(&[("127.0.0.0/8", "US")]),
    );
    let edge = edge.start(&origin).await;
    let request = edge.request("GET", "/").header("X-Own", "1");
    request.header("User-Agent", DESKTOP).send().await;
    let seen = origin.last();
    assert_eq!(seen.header("x-own"), Some("1"));
    assert_ne!(seen.header("host"), Some("viewer.test"));
    // A database of countries knows no cities.
    assert_eq!(
        told(&seen),
        pairs(&[
            ("Is-Android-Viewer", "false"),
            ("Is-Desktop-Viewer", "true"),
            ("Is-IOS-Viewer", "false"),
            ("Is-Mobile-Viewer", "false"),
            ("Is-SmartTV-Viewer", "false"),
            ("Is-Tablet-Viewer", "false"),
            ("Forwarded-Proto", "http"),
            ("Viewer-Http-Version", "1.1"),
            ("Viewer-Country", "US"),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_and_the_protocol_are_told() {
    // CF-381, CF-382, CF-383, CF-385, CF-386
    let authority = Authority::new();
    let origin = Origin::echo().await;
    let named = "[CloudFront-Viewer-TLS, CloudFront-Forwarded-Proto, CloudFront-Viewer-Http-Version, CloudFront-Viewer-Header-Order, CloudFront-Viewer-Header-Count]";
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .behavior(ALL_METHODS)
        .behavior("cache_policy: Managed-CachingDisabled")
        .behavior(&format!("origin_request_policy: {{ headers: {named} }}"))
        .start(&origin)
        .await;
    let told = || {
        let seen = origin.last();
        [
            "cloudfront-viewer-tls",
            "cloudfront-forwarded-proto",
            "cloudfront-viewer-http-version",
        ]
        .map(|name| seen.header(name).unwrap_or("-").to_owned())
    };
    edge.get("/").await;
    assert_eq!(told(), ["-", "http", "1.1"]);

    let viewer = SecureViewer::with_suites(&authority, "TLS13_AES_128_GCM");
    let tls = |word: &str| format!("TLSv1.3:TLS_AES_128_GCM_SHA256:{word}");
    let mut stream = viewer
        .connect(edge.secure_address(), "viewer.test")
        .await
        .unwrap();
    for (method, word) in [
        ("GET", "fullHandshake"),
        ("GET", "connectionReused"),
        // Not looked at before Pingora has it.
        ("OPTIONS", "connectionReused"),
    ] {
        let request = format!("{method} / HTTP/1.1\r\nHost: viewer.test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let text = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let (_, length) = text.split_once("content-length: ").unwrap();
        let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        assert!(text.starts_with("http/1.1 200 "), "{text}");
        assert_eq!(told(), [tls(word), "https".to_owned(), "1.1".to_owned()]);
    }
    drop(stream);
    edge.secure_get(&viewer, "/").await;
    assert_eq!(told()[0], tls("sessionResumed"));
    let h2 = viewer.h2();
    let request = edge.secure_request(&h2, "GET", "/").header("x-one", "1");
    request.header("accept", "*/*").send().await;
    assert_eq!(
        told(),
        [tls("fullHandshake"), "https".to_owned(), "2.0".to_owned()]
    );
    let seen = origin.last();
    assert_eq!(
        seen.header("cloudfront-viewer-header-order"),
        Some("x-one:accept")
    );
    assert_eq!(seen.header("cloudfront-viewer-header-count"), Some("2"));
    let old = SecureViewer::only_1_2(&authority);
    edge.secure_get(&old, "/").await;
    let told = told()[0].clone();
    assert!(
        told.starts_with("TLSv1.2:ECDHE-") && told.ends_with(":fullHandshake"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_edge_says_is_in_the_key_and_what_the_viewer_says_is_not() {
    // CF-140, CF-163, CF-174, CF-376, CF-377, CF-381
    let origin = Origin::start(|seen| {
        let is = |name: &str| seen.header(name).unwrap_or("-").to_owned();
        let body = format!(
            "{} {}",
            is("cloudfront-is-mobile-viewer"),
            is("cloudfront-viewer-country")
        );
        Reply::ok(body).header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = edge()
        .behavior(
            "cache_policy: { headers: [CloudFront-Is-Mobile-Viewer, CloudFront-Viewer-Country] }",
        )
        .path("/amplify", "cache_policy: Managed-Amplify")
        .start(&origin)
        .await;
    let get = |agent: &'static str, country: &'static str| {
        let request = edge.request("GET", "/a").header("User-Agent", agent);
        request.header(COUNTRY, country).send()
    };
    for (agent, country, token, body) in [
        (IPHONE, "DE", "Miss", "true BR"),
        (IPHONE, "FR", "Hit", "true BR"),
        (DESKTOP, "DE", "Miss", "false BR"),
        (DESKTOP, "BR", "Hit", "false BR"),
        (IPHONE, "DE", "Hit", "true BR"),
    ] {
        let answer = get(agent, country).await;
        assert_eq!((answer.x_cache(), answer.text()), (token, body), "{agent}");
    }
    assert_eq!(origin.count(), 2);
    // A new database moves viewers to another country, and so to another copy.
    let site = edge.site_file();
    std::fs::write(
        edge.site_dir().join("city.mmdb"),
        country_database(&[("127.0.0.0/8", "PT")]),
    )
    .unwrap();
    edge.reload(&site).unwrap();
    let moved = get(IPHONE, "BR").await;
    assert_eq!((moved.x_cache(), moved.text()), ("Miss", "true PT"));
    for token in ["Miss", "Hit"] {
        let amplify = edge.request("GET", "/amplify").header(COUNTRY, token);
        let amplify = amplify.send().await;
        assert_eq!((amplify.x_cache(), amplify.text()), (token, "- PT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_with_generated_headers_in_the_key_stay_on_the_short_way() {
    // CF-174, RFC 9112 section 9.3.2: what goes to Pingora closes the connection when another request is behind it
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = edge()
        .behavior(
            "cache_policy: { headers: [CloudFront-Is-Mobile-Viewer, CloudFront-Viewer-Country] }",
        )
        .behavior("origin_request_policy: Managed-AllViewerAndCloudFrontHeaders-2022-06")
        .start(&origin)
        .await;
    edge.get("/a").await;
    let one = "GET /a HTTP/1.1\r\nHost: viewer.test\r\n";
    let three = format!("{one}\r\n{one}\r\n{one}Connection: close\r\n\r\n");
    let answers = raw_exchange(edge.address(), three.as_bytes(), b"").await;
    let text = String::from_utf8(answers).unwrap();
    assert_eq!(
        text.matches("X-Cache: Hit from fourfront").count(),
        3,
        "{text}"
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_vary_by_the_edges_word_have_a_variant_for_each() {
    // CF-174, CF-824, RFC 9111 section 4.1
    let origin = Origin::start(|seen| {
        let mobile = seen.header("cloudfront-is-mobile-viewer").unwrap_or("-");
        Reply::ok(mobile.to_owned())
            .header("Cache-Control", "max-age=60")
            .header(
                "Vary",
                "CloudFront-Is-Mobile-Viewer, CloudFront-Viewer-City",
            )
    })
    .await;
    let edge = edge()
        .behavior("origin_request_policy: { headers: { all_viewer_and_whitelist_cloudfront: [CloudFront-Is-Mobile-Viewer] } }")
        .start(&origin)
        .await;
    for (agent, city, token, body) in [
        (IPHONE, "A", "Miss", "true"),
        (DESKTOP, "A", "Miss", "false"),
        // The city is not named, so the origin never sees one.
        (IPHONE, "B", "Hit", "true"),
        (DESKTOP, "C", "Hit", "false"),
    ] {
        let request = edge.request("GET", "/a").header("User-Agent", agent);
        let request = request.header("CloudFront-Viewer-City", city);
        let answer = request
            .header("CloudFront-Is-Mobile-Viewer", city)
            .send()
            .await;
        assert_eq!(
            (answer.x_cache(), answer.text()),
            (token, body),
            "{agent} {city}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_lambda_see_them_on_the_origins_side_alone() {
    // LE-188, LE-189, LE-221, LE-222, CF-174
    let origin = Origin::echo().await;
    let edge = edge()
        .function(
            "see",
            &handler(
                "const value = (name) => request.headers[name]?.map(h => h.key + '=' + h.value).join();
  console.log(config.eventType, value('cloudfront-viewer-country'), value('cloudfront-viewer-city'), value('cloudfront-is-mobile-viewer'));
  if (config.eventType === 'viewer-request')
    request.headers['user-agent'] = [{ key: 'User-Agent', value: 'changed' }];
  if (config.eventType === 'origin-request') {
    request.headers['cloudfront-viewer-city'] = [{ key: 'cloudfront-viewer-city', value: 'Rio' }];
    delete request.headers['cloudfront-viewer-country'];
  }
  return response || request;",
            ),
        )
        .behavior("on: { viewer-request: see, origin-request: see, origin-response: see, viewer-response: see }")
        .behavior("origin_request_policy: { headers: [CloudFront-Viewer-Country, CloudFront-Viewer-City, CloudFront-Is-Mobile-Viewer] }")
        .start(&origin)
        .await;
    let request = edge.request("GET", "/a").header(COUNTRY, "XX");
    request.header("User-Agent", IPHONE).send().await;
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(
        lines,
        [
            "viewer-request cloudfront-viewer-country=XX undefined undefined",
            "origin-request CloudFront-Viewer-Country=BR CloudFront-Viewer-City=S%C3%A3o Paulo CloudFront-Is-Mobile-Viewer=true",
            "origin-response undefined cloudfront-viewer-city=Rio CloudFront-Is-Mobile-Viewer=true",
            "viewer-response cloudfront-viewer-country=XX undefined undefined",
        ]
    );
    let seen = origin.last();
    assert_eq!(seen.header("cloudfront-viewer-country"), None);
    assert_eq!(seen.header("cloudfront-viewer-city"), Some("Rio"));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_cloudfront_see_them_and_change_nothing_about_them() {
    // LE-221, LE-410, CF-174
    let origin = Origin::start(|seen| {
        let country = seen.header("cloudfront-viewer-country").unwrap_or("-");
        Reply::ok(format!(
            "{country} {}",
            seen.header("x-seen").unwrap_or("-")
        ))
        .header("Cache-Control", "max-age=60")
    })
    .await;
    let code = "function handler(e) {
        var h = e.request.headers;
        var seen = ['country', 'city', 'asn'].map(function (n) { var f = h['cloudfront-viewer-' + n]; return f ? f.value : '-'; }).join(' ');
        if (e.context.eventType === 'viewer-response') {
            e.response.headers['x-seen'] = { value: seen };
            return e.response;
        }
        h['x-seen'] = { value: seen };
        h['cloudfront-viewer-country'] = { value: 'PT' };
        return e.request;
    }";
    let edge = edge()
        .cloudfront_function("see", code, "runtime: cloudfront-js-1.0")
        .behavior("on: { viewer-request: see, viewer-response: see }")
        .behavior("cache_policy: { headers: [CloudFront-Viewer-Country] }")
        .behavior("origin_request_policy: { headers: [CloudFront-Viewer-City, X-Seen] }")
        .start(&origin)
        .await;
    // The short way, and Pingora's.
    for token in ["Miss", "Hit"] {
        let request = edge.request("GET", "/a").header(COUNTRY, "XX");
        let request = request.header("CloudFront-Viewer-City", "Nowhere");
        let answer = request.header("CloudFront-Viewer-ASN", "7").send().await;
        assert_eq!(answer.x_cache(), token);
        // The number is in no policy: the viewer's own word is what there is.
        let seen = "BR S%C3%A3o Paulo 7";
        assert_eq!(answer.text(), format!("BR {seen}"));
        assert_eq!(answer.header("x-seen"), Some(seen));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_by_country_is_stored_for_each_country() {
    // LE-507, CF-174, LE-164
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .node("geo_database: ./country.mmdb")
        .node("trusted_proxies: 127.0.0.1")
        .function(
            "redirect",
            &handler(
                "const seen = request.headers['cloudfront-viewer-country'];
  console.log(config.eventType, seen ? seen[0].value : 'none');
  if (!seen || config.eventType === 'viewer-request') return request;
  const host = { TW: 'tw.test', US: 'us.test' }[seen[0].value];
  if (!host) return request;
  return { status: '302', headers: { location: [{ value: 'https://' + host + request.uri }], 'cache-control': [{ value: 'max-age=60' }] } };",
            ),
        )
        .behavior("on: { viewer-request: redirect, origin-request: redirect }")
        .behavior("cache_policy: { headers: [CloudFront-Viewer-Country] }");
    put(
        &edge,
        "country.mmdb",
        &country_database(&[("192.0.2.0/25", "TW"), ("192.0.2.128/25", "US")]),
    );
    let edge = edge.start(&origin).await;
    for token in ["Miss", "Hit"] {
        for (address, location) in [
            ("192.0.2.1", Some("https://tw.test/a")),
            ("192.0.2.129", Some("https://us.test/a")),
            ("198.51.100.1", None),
        ] {
            let request = edge.request("GET", "/a");
            let answer = request.header("X-Forwarded-For", address).send().await;
            assert_eq!(answer.header("location"), location, "{address}");
            if location.is_some() {
                assert_eq!((answer.status, answer.x_cache()), (302, token));
            }
        }
    }
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    let of = |event: &str| lines.iter().filter(|l| l.starts_with(event)).count();
    assert_eq!(of("viewer-request none"), 6, "{lines:?}");
    assert_eq!((of("origin-request TW"), of("origin-request US")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_behind_the_viewers_back_says_the_same_of_the_viewer() {
    // LE-040, CF-174, CF-257
    let origin = Origin::start(|seen| {
        let mobile = seen.header("cloudfront-is-mobile-viewer").unwrap_or("-");
        Reply::ok(mobile.to_owned())
            .header("Cache-Control", "max-age=10, stale-while-revalidate=60")
    })
    .await;
    let edge = edge()
        .behavior("cache_policy: { headers: [CloudFront-Is-Mobile-Viewer] }")
        .start(&origin)
        .await;
    let get = || {
        edge.request("GET", "/a")
            .header("User-Agent", IPHONE)
            .send()
    };
    get().await;
    edge.advance(20);
    get().await;
    origin.received(2).await;
    for seen in origin.seen() {
        assert_eq!(seen.header("cloudfront-is-mobile-viewer"), Some("true"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_for_an_error_page_says_what_it_is_for() {
    // CF-387, CF-592, CF-379
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/pages/404.html" => Reply::ok("page"),
        _ => Reply::status(404).body("missing"),
    })
    .await;
    let named = "[CloudFront-Error-Uri, CloudFront-Error-Args, CloudFront-Viewer-Http-Version]";
    let edge = edge()
        .function(
            "move",
            &handler("request.uri = '/moved'; request.querystring = 'n=1'; return request;"),
        )
        .distribution("custom_error_responses: [{ error_code: 404, response_code: 404, response_page_path: /pages/404.html }]")
        .behavior("cache_policy: Managed-CachingDisabled")
        .behavior(&format!("origin_request_policy: {{ headers: {named} }}"))
        .path("/moves", &format!("origin_request_policy: {{ headers: {named} }}, on: {{ viewer-request: move }}"))
        .start(&origin)
        .await;
    let version = ("Viewer-Http-Version", "1.1");
    for (target, told_of_page) in [
        (
            "/a?b=c",
            &[version, ("Error-Uri", "/a"), ("Error-Args", "b=c")][..],
        ),
        ("/a", &[version, ("Error-Uri", "/a")]),
        // As the viewer sent it.
        (
            "/moves?x",
            &[version, ("Error-Uri", "/moves"), ("Error-Args", "x")],
        ),
    ] {
        let answer = edge.get(target).await;
        assert_eq!((answer.status, answer.text()), (404, "page"), "{target}");
        let seen = origin.seen();
        let [.., failed, page] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(told(failed), pairs(&[version]), "{target}");
        assert_eq!(page.target, "/pages/404.html");
        assert_eq!(told(page), pairs(told_of_page), "{target}");
    }
}
