//! Cookies, credentials and other fields that concern one viewer (CF section 3.7).

use fourfront_conformance::{Edge, Origin, Reply, handler};

#[tokio::test(flavor = "multi_thread")]
async fn cookies_pass_only_where_cookies_are_forwarded() {
    // CF-305, CF-306, CF-308, CF-826
    let cookies = || {
        Origin::start(|_| {
            Reply::ok("x")
                .header("Cache-Control", "max-age=60")
                .header("Set-Cookie", "a=1; Path=/")
                .header("Set-Cookie", "b=2")
        })
    };
    let none: [&str; 0] = [];
    let both = ["a=1; Path=/", "b=2"];
    for (mode, policy, on_miss, on_hit) in [
        ("rfc9111", "none", &none[..], &none[..]),
        ("cloudfront", "none", &none[..], &none[..]),
        ("rfc9111", "all", &both[..], &none[..]),
        ("cloudfront", "all", &both[..], &both[..]),
    ] {
        let origin = cookies().await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&format!(
                "cache_policy: {{ min_ttl: 0, cookies: {policy} }}"
            ))
            .start(&origin)
            .await;
        let miss = edge.get("/").await;
        assert_eq!(
            (miss.x_cache(), &miss.all("set-cookie")[..]),
            ("Miss", on_miss),
            "{mode} {policy}"
        );
        let hit = edge.get("/").await;
        assert_eq!(
            (hit.x_cache(), &hit.all("set-cookie")[..]),
            ("Hit", on_hit),
            "{mode} {policy}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_cookies_are_replayed_can_be_said_in_either_mode() {
    // CF-308
    for mode in ["rfc9111", "cloudfront"] {
        for (strip, on_hit) in [(true, None), (false, Some("a=1"))] {
            let origin = Origin::start(|_| {
                Reply::ok("x")
                    .header("Cache-Control", "public, max-age=60")
                    .header("Set-Cookie", "a=1")
            })
            .await;
            let edge = Edge::new()
                .top(&format!("strip_set_cookie_on_hit: {}", !strip))
                .distribution(&format!("cache_mode: {mode}"))
                .distribution(&format!("strip_set_cookie_on_hit: {strip}"))
                .behavior("cache_policy: { min_ttl: 0, cookies: all }")
                .start(&origin)
                .await;
            let miss = edge.get("/").await;
            assert_eq!(miss.header("set-cookie"), Some("a=1"), "{mode} {strip}");
            let hit = edge.get("/").await;
            assert_eq!(
                (hit.x_cache(), hit.header("set-cookie")),
                ("Hit", on_hit),
                "{mode} {strip}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_named_by_no_cache_go_to_the_first_viewer_alone() {
    // CF-246, CF-307, CF-836
    for mode in ["rfc9111", "cloudfront"] {
        let origin = Origin::start(|_| {
            Reply::ok("x")
                .header(
                    "Cache-Control",
                    "max-age=60, no-cache=\"X-Once, Set-Cookie\"",
                )
                .header("X-Once", "1")
                .header("X-Always", "1")
                .header("Set-Cookie", "a=1")
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior("cache_policy: { min_ttl: 0, cookies: all }")
            .start(&origin)
            .await;
        let names = ["x-once", "set-cookie", "x-always"];
        let miss = edge.get("/").await;
        assert_eq!(
            names.map(|n| miss.header(n)),
            [Some("1"), Some("a=1"), Some("1")],
            "{mode}"
        );
        let hit = edge.get("/").await;
        assert_eq!(hit.x_cache(), "Hit", "{mode}");
        assert_eq!(
            names.map(|n| hit.header(n)),
            [None, None, Some("1")],
            "{mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_with_the_node_unless_a_policy_sends_them() {
    // CF-309
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new()
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start(&origin)
        .await;
    let ask = |method: &'static str, path| {
        edge.request(method, path)
            .header("Authorization", "Basic YTpi")
            .send()
    };
    assert_eq!(ask("GET", "/").await.x_cache(), "Miss");
    assert_eq!(origin.last().header("authorization"), None);
    assert_eq!(ask("GET", "/").await.x_cache(), "Hit");
    ask("POST", "/").await;
    assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
    ask("OPTIONS", "/").await;
    assert_eq!(origin.last().header("authorization"), Some("Basic YTpi"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_credentials_are_shared_only_as_the_mode_allows() {
    // CF-226, CF-310, CF-825, RFC 9111 section 3.5
    let keyed = "cache_policy: { min_ttl: 0, headers: [Authorization] }";
    let forwarded = "origin_request_policy: { headers: [Authorization] }";
    let rows = [
        ("rfc9111", keyed, "max-age=60", ["Miss", "Hit", "Miss"]),
        ("rfc9111", forwarded, "max-age=60", ["Miss", "Miss", "Miss"]),
        (
            "rfc9111",
            forwarded,
            "max-age=60, public",
            ["Miss", "Hit", "Hit"],
        ),
        ("rfc9111", forwarded, "s-maxage=60", ["Miss", "Hit", "Hit"]),
        (
            "rfc9111",
            forwarded,
            "max-age=60, must-revalidate",
            ["Miss", "Hit", "Hit"],
        ),
        (
            "cloudfront",
            forwarded,
            "max-age=60",
            ["Miss", "Hit", "Hit"],
        ),
    ];
    for (mode, policy, cache_control, expected) in rows {
        let origin =
            Origin::start(move |_| Reply::ok("x").header("Cache-Control", cache_control)).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(policy)
            .start(&origin)
            .await;
        let mut tokens = Vec::new();
        for user in ["Basic YTpi", "Basic YTpi", "Basic Yzpk"] {
            let answer = edge
                .request("GET", "/")
                .header("Authorization", user)
                .send()
                .await;
            tokens.push(answer.x_cache().to_owned());
        }
        assert_eq!(tokens, expected, "{mode} {policy} {cache_control}");
        assert_eq!(origin.seen()[0].header("authorization"), Some("Basic YTpi"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_functions_make_from_credentials_are_shared_as_fetched_ones_are() {
    // CF-825, LE-164, LE-180
    let origin = Origin::start(|_| Reply::status(204)).await;
    let made = "return { status: '200', headers: { 'cache-control': [{ value: 'max-age=60' }] },
        body: request.headers.authorization[0].value };";
    for (mode, expected) in [
        ("rfc9111", ["Basic YTpi", "Basic Yzpk"]),
        ("cloudfront", ["Basic YTpi", "Basic YTpi"]),
    ] {
        for event in ["origin-request", "origin-response"] {
            let edge = Edge::new()
                .function("make", &handler(made))
                .distribution(&format!("cache_mode: {mode}"))
                .behavior("origin_request_policy: { headers: [Authorization] }")
                .behavior(&format!("on: {{ {event}: make }}"))
                .start(&origin)
                .await;
            for (user, text) in ["Basic YTpi", "Basic Yzpk"].into_iter().zip(expected) {
                let request = edge.request("GET", "/").header("Authorization", user);
                let answer = request.send().await;
                assert_eq!(
                    (answer.status, answer.text()),
                    (200, text),
                    "{mode} {event}"
                );
            }
        }
    }
}
