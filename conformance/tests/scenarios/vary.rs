//! What makes two requests the same: `Vary`, and the parts of the key (CF sections 2 and 3.8).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fourfront_conformance::{Edge, Origin, Reply, Running, handler, raw_exchange};

/// An origin that answers with the value of one request field and varies by it.
async fn echoing(field: &'static str, vary: &'static str) -> Origin {
    Origin::start(move |request| {
        Reply::ok(request.header(field).unwrap_or("none").to_owned())
            .header("Cache-Control", "max-age=60")
            .header("Vary", vary)
    })
    .await
}

async fn get_with(edge: &Running, path: &str, fields: &[(&str, &str)]) -> (String, String) {
    let request = fields
        .iter()
        .fold(edge.request("GET", path), |r, (name, value)| {
            r.header(name, value)
        });
    let answer = request.send().await;
    (answer.x_cache().to_owned(), answer.text().to_owned())
}

fn seen(token: &str, text: &str) -> (String, String) {
    (token.to_owned(), text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_kept_side_by_side_in_mode_rfc9111() {
    // CF-824, RFC 9111 section 4.1
    let origin = echoing("accept-language", "Accept-Language").await;
    let edge = Edge::new()
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        for language in ["pt", "de"] {
            let got = get_with(&edge, "/", &[("Accept-Language", language)]).await;
            assert_eq!(got, seen(token, language));
        }
        assert_eq!(get_with(&edge, "/", &[]).await, seen(token, "none"));
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_bounded_and_the_one_not_used_for_longest_goes() {
    // CF-824
    let dir = tempfile::TempDir::new().unwrap();
    let disk = [
        "cache_disk: 64MiB".to_owned(),
        format!("data_dir: {}", dir.path().display()),
    ];
    for tiers in [&[][..], &disk] {
        let origin = echoing("accept-language", "Accept-Language").await;
        let edge = tiers.iter().fold(Edge::new(), |edge, line| edge.node(line));
        let edge = edge
            .distribution("id: EDISTRIBUTION")
            .distribution("vary: { max_variants: 3 }")
            .behavior("origin_request_policy: { headers: [Accept-Language] }")
            .start(&origin)
            .await;
        let get = async |language: &str| {
            let (token, text) = get_with(&edge, "/", &[("Accept-Language", language)]).await;
            assert_eq!(text, language);
            token
        };
        for language in ["a", "b", "c"] {
            assert_eq!(get(language).await, "Miss");
        }
        for language in ["a", "b", "c", "b"] {
            assert_eq!(get(language).await, "Hit", "{language}");
        }
        assert_eq!(get("d").await, "Miss");
        assert_eq!(get("b").await, "Hit");
        assert_eq!(get("d").await, "Hit");
        // The first one is under the key itself.
        assert_eq!(get("a").await, "Hit");
        assert_eq!(get("c").await, "Miss");
        assert_eq!(get("d").await, "Hit");
        assert_eq!(get("b").await, "Miss");
        // However many come.
        for n in 0..50 {
            assert_eq!(get(&format!("x{n}")).await, "Miss");
        }
        assert_eq!(
            [get("a").await, get("x49").await, get("x48").await],
            ["Hit"; 3]
        );
        edge.node().cache().settle();
        assert_eq!(edge.node().cache().entry_count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vary_that_nothing_can_be_compared_by_is_never_reused_in_mode_rfc9111() {
    // CF-824, RFC 9110 section 12.5.5
    const MANY: &str = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q";
    for vary in ["Accept-Encoding, *", "not a name", MANY] {
        let origin = echoing("host", vary).await;
        let edge = Edge::new().start(&origin).await;
        for n in 1..=3 {
            let answer = edge.get("/").await;
            assert_eq!(answer.x_cache(), "Miss", "{vary}");
            assert_eq!(origin.count(), n, "{vary}");
        }
        edge.node().cache().settle();
        assert_eq!(edge.node().cache().entry_count(), 0, "{vary}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_never_reaches_the_origin_makes_no_variants() {
    // CF-824, CF-330
    let origin = echoing("accept-language", "Accept-Language").await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(
        get_with(&edge, "/", &[("Accept-Language", "pt")]).await,
        seen("Miss", "none")
    );
    assert_eq!(
        get_with(&edge, "/", &[("Accept-Language", "de")]).await,
        seen("Hit", "none")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn vary_on_anything_is_never_reused_in_mode_rfc9111() {
    // CF-824
    let origin = echoing("host", "*").await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0 }")
        .start(&origin)
        .await;
    for n in 1..=3 {
        assert_eq!(edge.get("/").await.x_cache(), "Miss");
        assert_eq!(origin.count(), n);
        assert_eq!(origin.last().header("if-none-match"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_cloudfront_fetches_anew_what_varies_on_anything() {
    // CF-313, CF-314, CF-824, CF-269
    let fail = Arc::new(AtomicBool::new(false));
    let failing = fail.clone();
    let origin = Origin::start(move |_| match failing.load(Ordering::SeqCst) {
        false => Reply::ok("any")
            .header("Cache-Control", "max-age=60")
            .header("ETag", "\"v\"")
            .header("Vary", "Accept-Encoding, *"),
        true => Reply::status(503),
    })
    .await;
    let node = |min_ttl| {
        Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&format!("cache_policy: {{ min_ttl: {min_ttl} }}"))
    };
    let edge = node(0).start(&origin).await;
    for n in 1..=3 {
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.x_cache(), answer.header("vary")),
            ("Miss", Some("Accept-Encoding"))
        );
        assert_eq!(origin.count(), n);
        assert_eq!(origin.last().header("if-none-match"), None);
    }
    // It is stored all the same, and stands in for a failure.
    fail.store(true, Ordering::SeqCst);
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), answer.x_cache()), ("any", "Hit"));
    // With a minimum it is not looked at.
    fail.store(false, Ordering::SeqCst);
    let edge = node(5).start(&origin).await;
    assert_eq!(edge.get("/").await.x_cache(), "Miss");
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_cloudfront_ignores_vary_and_filters_it() {
    // CF-227, CF-312, CF-314
    let origin = echoing(
        "accept-language",
        "Accept-Language, Accept-Encoding, X-Unknown, Cookie",
    )
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .start(&origin)
        .await;
    assert_eq!(
        get_with(&edge, "/", &[("Accept-Language", "pt")]).await,
        seen("Miss", "pt")
    );
    assert_eq!(
        get_with(&edge, "/", &[("Accept-Language", "de")]).await,
        seen("Hit", "pt")
    );
    let vary = edge.get("/").await.header("vary").unwrap().to_owned();
    assert_eq!(vary, "Accept-Language, Accept-Encoding, Cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_encoding_is_normalised_for_key_and_origin() {
    // CF-200, CF-201, CF-202, CF-203, CF-204, CF-205, CF-206, CF-332
    let both = "accept_encoding_gzip: true, accept_encoding_brotli: true";
    let gzip = "accept_encoding_gzip: true";
    let rows: [(&str, Option<&str>, Option<&str>); 12] = [
        (both, None, None),
        (both, Some("gzip, deflate, br"), Some("br,gzip")),
        (both, Some("GZIP;q=0.5"), Some("gzip")),
        (both, Some("br"), Some("br")),
        (both, Some("deflate"), Some("identity")),
        (both, Some("gzip;q=0, br;q=0"), Some("identity")),
        (both, Some("*"), Some("identity")),
        (gzip, Some("br, gzip"), Some("gzip")),
        (gzip, Some("br"), Some("identity")),
        (gzip, None, None),
        ("headers: none", Some("br, gzip"), None),
        (
            "headers: [Accept-Encoding]",
            Some("br, gzip"),
            Some("br, gzip"),
        ),
    ];
    for (flags, sent, expected) in rows {
        let origin = Origin::echo().await;
        let edge = Edge::new()
            .behavior(&format!("cache_policy: {{ min_ttl: 0, {flags} }}"))
            .start(&origin)
            .await;
        let fields: Vec<(&str, &str)> = sent.map(|v| ("Accept-Encoding", v)).into_iter().collect();
        get_with(&edge, "/", &fields).await;
        assert_eq!(
            origin.last().header("accept-encoding"),
            expected,
            "{flags}: {sent:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codings_split_the_cache_by_what_they_amount_to() {
    // CF-171, CF-207, CF-208
    let origin = Origin::echo().await;
    let edge = Edge::new().start(&origin).await;
    let rows = [
        (None, "Miss"),
        (Some("identity"), "Hit"),
        (Some("deflate, *;q=0.1"), "Hit"),
        // Who takes both would be answered with what is stored for one.
        (Some("br, gzip"), "Miss"),
        (Some("gzip, br;q=0.2, zstd"), "Hit"),
        (Some("gzip"), "Miss"),
        (Some("gzip;q=0.1, deflate"), "Hit"),
    ];
    for (sent, token) in rows {
        let fields: Vec<(&str, &str)> = sent.map(|v| ("Accept-Encoding", v)).into_iter().collect();
        assert_eq!(get_with(&edge, "/", &fields).await.0, token, "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_query_parameters_are_keyed_and_sent_in_request_order() {
    // CF-166, CF-180, CF-181, CF-182, CF-120
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, query_strings: [a, b] }")
        .start(&origin)
        .await;
    let rows = [
        ("/?b=2&x=9&a=1&a=0", "Miss", "/?b=2&a=1&a=0"),
        ("/?y=8&b=2&a=1&a=0", "Hit", "/?b=2&a=1&a=0"),
        ("/?a=1&a=0&b=2", "Miss", "/?a=1&a=0&b=2"),
        ("/?A=1", "Miss", "/"),
        ("/", "Hit", "/"),
        ("/?a=%41", "Miss", "/?a=%41"),
        ("/?a=A", "Miss", "/?a=A"),
        ("/?a=red;b=large", "Miss", "/?a=red;b=large"),
    ];
    for (target, token, sent) in rows {
        assert_eq!(
            get_with(&edge, target, &[]).await,
            seen(token, sent),
            "{target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_none_and_all_but_some_query_parameters() {
    // CF-183, CF-184, AMB-08
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .path("/all", "cache_policy: { min_ttl: 0, query_strings: all }")
        .path(
            "/but",
            "cache_policy: { min_ttl: 0, query_strings: { all_except: [utm] } }",
        )
        .behavior("cache_policy: { min_ttl: 0, query_strings: none }");
    let edge = edge.start(&origin).await;
    let rows = [
        ("/all?b=2&a=1", "Miss", "/all?b=2&a=1"),
        ("/all?a=1&b=2", "Miss", "/all?a=1&b=2"),
        ("/all", "Miss", "/all"),
        ("/all?", "Hit", "/all"),
        ("/but?utm=1&a=1", "Miss", "/but?a=1"),
        ("/but?a=1&utm=2", "Hit", "/but?a=1"),
        ("/none?a=1", "Miss", "/none"),
        ("/none?b=2", "Hit", "/none"),
    ];
    for (target, token, sent) in rows {
        assert_eq!(
            get_with(&edge, target, &[]).await,
            seen(token, sent),
            "{target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_the_origin_request_policy_are_sent_and_not_keyed() {
    // CF-127, CF-182
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, query_strings: [k] }")
        .behavior("origin_request_policy: { query_strings: [o] }")
        .start(&origin)
        .await;
    assert_eq!(
        get_with(&edge, "/?o=1&x=2&k=3", &[]).await,
        seen("Miss", "/?o=1&k=3")
    );
    assert_eq!(
        get_with(&edge, "/?k=3&o=other", &[]).await,
        seen("Hit", "/?o=1&k=3")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_sorted_before_keying_and_forwarding() {
    // CF-170, CF-190, CF-191, CF-192, CF-193, CF-337
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, cookies: all }")
        .start(&origin)
        .await;
    let rows = [
        ("b=2; a=1; $Version=1", "Miss", "a=1; b=2"),
        ("a=1; b=2", "Hit", ""),
        ("a=1; B=2", "Miss", "B=2; a=1"),
        ("a=2; b=2", "Miss", "a=2; b=2"),
        ("b=2; bare; a=2", "Hit", ""),
    ];
    for (cookies, token, sent) in rows {
        assert_eq!(
            get_with(&edge, "/", &[("Cookie", cookies)]).await.0,
            token,
            "{cookies}"
        );
        if token == "Miss" {
            assert_eq!(origin.last().header("cookie"), Some(sent), "{cookies}");
        }
    }
    // Several lines are one list.
    assert_eq!(
        get_with(&edge, "/", &[("Cookie", "b=2"), ("Cookie", "a=1")])
            .await
            .0,
        "Hit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_chosen_cookies_count() {
    // CF-117, CF-119, CF-337
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .path("/none", "cache_policy: { min_ttl: 0 }")
        .behavior("cache_policy: { min_ttl: 0, cookies: [sid, 'x*'] }")
        .start(&origin)
        .await;
    assert_eq!(
        get_with(&edge, "/", &[("Cookie", "theme=dark; sid=1; xy=1")])
            .await
            .0,
        "Miss"
    );
    assert_eq!(origin.last().header("cookie"), Some("sid=1"));
    assert_eq!(
        get_with(&edge, "/", &[("Cookie", "sid=1; theme=light; xz=2")])
            .await
            .0,
        "Hit"
    );
    assert_eq!(get_with(&edge, "/", &[("Cookie", "sid=2")]).await.0, "Miss");
    assert_eq!(
        get_with(&edge, "/none", &[("Cookie", "sid=1")]).await.0,
        "Miss"
    );
    assert_eq!(origin.last().header("cookie"), None);
    assert_eq!(
        get_with(&edge, "/none", &[("Cookie", "sid=2")]).await.0,
        "Hit"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keyed_headers_compare_by_exact_value() {
    // CF-167, CF-168, CF-169, CF-120
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, headers: [X-A, X-B] }")
        .start(&origin)
        .await;
    let rows: [(&[(&str, &str)], &str); 8] = [
        (&[], "Miss"),
        (&[("X-A", "")], "Miss"),
        (&[("X-A", "v"), ("X-B", "w")], "Miss"),
        (&[("x-b", "w"), ("X-a", "v")], "Hit"),
        (&[("X-A", "V"), ("X-B", "w")], "Miss"),
        (&[("X-A", "1"), ("X-A", "2")], "Miss"),
        (&[("X-A", "1, 2")], "Hit"),
        (&[("X-C", "other")], "Hit"),
    ];
    for (fields, token) in rows {
        assert_eq!(get_with(&edge, "/", fields).await.0, token, "{fields:?}");
    }
    assert_eq!(origin.seen()[2].header("x-a"), Some("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_paths_are_keyed_as_they_come_and_hosts_are_not() {
    // CF-160, CF-162, CF-164, AMB-05
    let origin = Origin::echo().await;
    let edge = Edge::new().start(&origin).await;
    for path in ["/a", "/A", "/a/", "//a", "/%61", "/b/../a"] {
        assert_eq!(
            get_with(&edge, path, &[]).await,
            seen("Miss", path),
            "{path}"
        );
    }
    assert_eq!(
        get_with(&edge, "/a", &[("Host", "other.test")]).await.0,
        "Hit"
    );
    // Unless the policy lists it.
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .behavior("cache_policy: { min_ttl: 0, headers: [Host] }")
        .start(&origin)
        .await;
    assert_eq!(
        get_with(&edge, "/", &[("Host", "one.test")]).await.0,
        "Miss"
    );
    assert_eq!(
        get_with(&edge, "/", &[("Host", "two.test")]).await.0,
        "Miss"
    );
    assert_eq!(origin.last().header("host"), Some("two.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_cached_only_where_the_behaviour_says_so() {
    // CF-063, CF-161, CF-215
    let origin = Origin::echo().await;
    let edge = Edge::new()
        .path(
            "/cached",
            "allowed_methods: [GET, HEAD, OPTIONS], cached_methods: [GET, HEAD, OPTIONS]",
        )
        .behavior("allowed_methods: [GET, HEAD, OPTIONS]")
        .start(&origin)
        .await;
    for (path, tokens) in [("/", ["Miss", "Miss"]), ("/cached", ["Miss", "Hit"])] {
        for token in tokens {
            assert_eq!(
                edge.request("OPTIONS", path).send().await.x_cache(),
                token,
                "{path}"
            );
        }
    }
    // A key of its own.
    assert_eq!(edge.get("/cached").await.x_cache(), "Miss");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_makes_in_the_origins_place_has_variants_too() {
    // CF-824, LE-164
    let make = handler(
        "const language = request.headers['accept-language'];
         return { status: '200', body: language ? language[0].value : 'none', headers: {
            'cache-control': [{ value: 'max-age=60' }], vary: [{ value: 'Accept-Language' }] } };",
    );
    let origin = Origin::saying("never asked").await;
    let edge = Edge::new()
        .function("make", &make)
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .behavior("on: { origin-request: make }")
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        for language in ["pt", "de"] {
            let got = get_with(&edge, "/", &[("Accept-Language", language)]).await;
            assert_eq!(got, seen(token, language));
        }
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_connection_takes_out_is_in_no_key() {
    // CF-120, CF-335, RFC 9110 section 7.6.1: what an origin was not told is not what its answer is for.
    for policy in [
        "cache_policy: { min_ttl: 0, headers: [Accept-Language] }",
        "origin_request_policy: { headers: [Accept-Language] }",
    ] {
        let origin = Origin::start(|request| {
            Reply::ok(
                request
                    .header("accept-language")
                    .unwrap_or("none")
                    .to_owned(),
            )
            .header("Cache-Control", "max-age=60")
            .header("Vary", "Accept-Language")
        })
        .await;
        let edge = Edge::new().behavior(policy).start(&origin).await;
        let taken_out = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Language: de\r\nConnection: close, accept-language\r\n\r\n";
        let answer = raw_exchange(edge.address(), taken_out.as_bytes(), b"").await;
        assert!(answer.ends_with(b"none"), "{policy}");
        let german = get_with(&edge, "/", &[("Accept-Language", "de")]).await;
        assert_eq!(german.0, "Miss", "{policy}");
        assert_eq!(origin.last().header("accept-language"), Some("de"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_another_variant_is_asked_for_each_time() {
    // CF-529, CF-824
    let origin = Origin::start(|request| {
        let reply = Reply::ok("x").header("Cache-Control", "max-age=60");
        match request.method.as_str() {
            "HEAD" => reply,
            _ => reply.header("Vary", "Accept-Language"),
        }
    })
    .await;
    let edge = Edge::new()
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .start(&origin)
        .await;
    get_with(&edge, "/", &[("Accept-Language", "de")]).await;
    for n in 2..4 {
        let head = edge.request("HEAD", "/").header("Accept-Language", "fi");
        let head = head.send().await;
        assert_eq!((head.status, head.x_cache()), (200, "Miss"));
        assert!(
            head.header("cache-status")
                .unwrap()
                .contains("fwd=vary-miss"),
            "{head:?}"
        );
        assert_eq!(origin.count(), n);
    }
}
