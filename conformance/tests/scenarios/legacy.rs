//! Behaviours with legacy cache settings, `forwarded_values`, seen through the whole node (CF-068).

use fourfront_conformance::{Edge, Origin, Reply, Running};

async fn origin() -> Origin {
    Origin::start(|seen| {
        let plain = Reply::ok("a page ".repeat(400)).header("Content-Type", "text/html");
        match &*seen.target {
            "/plain" => plain,
            "/short" => plain.header("Cache-Control", "max-age=1"),
            target => Reply::ok(target.to_owned()),
        }
    })
    .await
}

fn edge(settings: &[&str]) -> Edge {
    let edge = Edge::new().distribution("cache_mode: cloudfront");
    settings.iter().fold(edge, |edge, line| edge.behavior(line))
}

async fn token(edge: &Running, target: &str, fields: &[(&str, &str)]) -> String {
    let request = edge.request("GET", target);
    let request = fields.iter().fold(request, |r, (n, v)| r.header(n, v));
    request.send().await.x_cache().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_headers_are_keyed_and_others_only_sent() {
    // CF-068, CF-330, CF-331, CF-334, CF-340, CF-342, CF-348
    let origin = origin().await;
    let edge = edge(&["forwarded_values: { query_string: false, headers: [Accept-Language] }"])
        .start(&origin)
        .await;
    let fields = [
        ("Accept-Language", "pt"),
        ("X-Own", "1"),
        ("Origin", "https://a.test"),
        ("Cache-Control", "no-cache"),
        ("Accept", "text/html"),
        ("Referer", "https://b.test/"),
        ("Authorization", "Basic dTpw"),
        ("User-Agent", "test"),
    ];
    assert_eq!(token(&edge, "/a", &fields).await, "Miss");
    let seen = origin.last();
    for (name, sent) in [
        ("accept-language", Some("pt")),
        ("x-own", Some("1")),
        ("origin", Some("https://a.test")),
        ("cache-control", Some("no-cache")),
        ("accept", None),
        ("referer", None),
        ("authorization", None),
        ("user-agent", Some("Fourfront")),
        ("host", Some("127.0.0.1")),
    ] {
        assert_eq!(seen.header(name), sent, "{name}");
    }
    assert_eq!(
        token(&edge, "/a", &[("Accept-Language", "pt"), ("X-Own", "2")]).await,
        "Hit"
    );
    assert_eq!(
        token(&edge, "/a", &[("Accept-Language", "de"), ("X-Own", "1")]).await,
        "Miss"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_keyed_sent_and_made_and_br_is_not() {
    // CF-210, CF-332, CF-604
    for compress in [true, false] {
        let origin = origin().await;
        let setting = format!("compress: {compress}");
        let edge = edge(&["forwarded_values: { query_string: false }", &setting])
            .start(&origin)
            .await;
        let get = |codings: &'static str| {
            let request = edge
                .request("GET", "/plain")
                .header("Accept-Encoding", codings);
            async {
                let answer = request.send().await;
                let coding = answer.header("content-encoding").map(str::to_owned);
                (answer.x_cache().to_owned(), coding)
            }
        };
        let made = compress.then(|| "gzip".to_owned());
        assert_eq!(get("br, gzip").await, ("Miss".to_owned(), made.clone()));
        assert_eq!(origin.last().header("accept-encoding"), Some("gzip"));
        assert_eq!(get("gzip").await, ("Hit".to_owned(), made));
        assert_eq!(get("br").await, ("Miss".to_owned(), None));
        assert_eq!(origin.last().header("accept-encoding"), None);
        assert_eq!(get("identity").await, ("Hit".to_owned(), None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_those_of_the_behaviour() {
    // CF-069, CF-235, CF-238
    let origin = origin().await;
    let edge = edge(&[
        "forwarded_values: { query_string: false }",
        "min_ttl: 10",
        "default_ttl: 20",
        "max_ttl: 30",
    ])
    .start(&origin)
    .await;
    for target in ["/plain", "/short"] {
        assert_eq!(token(&edge, target, &[]).await, "Miss");
    }
    edge.advance(9);
    for target in ["/plain", "/short"] {
        assert_eq!(token(&edge, target, &[]).await, "Hit");
    }
    edge.advance(9);
    assert_eq!(token(&edge, "/plain", &[]).await, "Hit");
    assert_ne!(token(&edge, "/short", &[]).await, "Hit");
    edge.advance(3);
    assert_ne!(token(&edge, "/plain", &[]).await, "Hit");
}
