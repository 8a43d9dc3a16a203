//! Which node shields an origin, and what goes to the origin without one (CF-415, CF-356, CF-408).

use fourfront_conformance::{Authority, Edge, Origin, Reply, handler, raw_exchange};

use super::origin_shield::{REGION, SECRET, Tiers, is, metric, node, shielded, told};

#[tokio::test(flavor = "multi_thread")]
async fn each_member_of_a_group_is_asked_by_way_of_its_shield() {
    // CF-415, CF-443, CF-446, LE-042, LE-A38
    let member = async |name: &'static str| {
        Origin::start(move |seen| {
            let status = seen.target.rsplit('/').next().and_then(|s| s.parse().ok());
            match name {
                "primary" => Reply::status(status.unwrap_or(200)).body(name),
                _ => Reply::ok(name),
            }
            .header("Cache-Control", "max-age=60")
        })
        .await
    };
    let (primary, secondary) = (member("primary").await, member("secondary").await);
    let log = handler(
        "console.log(config.eventType + ' ' + (response ? response.status : request.origin.custom.port)); return response || request;",
    );
    let group = |shield: &str| {
        Edge::new()
            .node(&format!("origin_shield: {{ {SECRET}, {shield} }}"))
            .origin(&shielded("one", &primary, ""))
            .origin(&shielded("two", &secondary, ""))
            .distribution("origin_groups: { both: { members: [one, two], failover_criteria: { status_codes: [500, 503] } } }")
            .behavior("origin: both")
            .function("log", &log)
            .behavior("on: { origin-request: log, origin-response: log }")
    };
    let shield = group(&format!("serves: {REGION}")).start_at("").await;
    let nodes = format!("regions: {{ {REGION}: 'http://{}' }}", shield.address());
    let edge = group(&nodes).start_at("").await;
    let other = group(&nodes).start_at("").await;

    let answer = edge.get("/500").await;
    assert_eq!(
        told(&edge, &answer).await,
        is(200, "secondary", "Miss", "Miss")
    );
    let logged: Vec<_> = shield
        .logged(3)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(
        logged,
        [
            format!("origin-request {}", primary.port()),
            format!("origin-request {}", secondary.port()),
            "origin-response 200".to_owned(),
        ]
    );
    // Each fetch begins at the primary; what the secondary has said is at the shield.
    let answer = other.get("/500").await;
    assert_eq!(
        told(&other, &answer).await,
        is(200, "secondary", "Hit", "OriginShieldHit")
    );
    assert_eq!((primary.count(), secondary.count()), (2, 1));
    // The primary's own is never taken for the secondary's.
    let answer = edge.get("/200").await;
    assert_eq!(
        told(&edge, &answer).await,
        is(200, "primary", "Miss", "Miss")
    );
    // A member that cannot be reached counts there as here.
    drop(primary);
    let answer = edge.get("/other").await;
    assert_eq!(
        told(&edge, &answer).await,
        is(200, "secondary", "Miss", "Miss")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_share_a_region_and_tls_secures_one() {
    // CF-415, CF-423, CF-808
    let origin = Origin::echo().await;
    let authority = Authority::new();
    let pair = authority.pem_pair(&["localhost"]);
    let serves = format!("serves: {REGION}");
    let one = node(&origin, &serves)
        .certificate("site", &pair)
        .start_at("")
        .await;
    let two = node(&origin, &serves).start_at("").await;
    let nodes = format!(
        "regions: {{ {REGION}: ['http://{}', 'http://{}'] }}",
        one.address(),
        two.address()
    );
    let edges = [
        node(&origin, &nodes).start_at("").await,
        node(&origin, &nodes).start_at("").await,
    ];
    for edge in &edges {
        for n in 0..20 {
            assert_eq!(edge.get(&format!("/{n}")).await.status, 200);
        }
    }
    // The same goes to the same node.
    assert_eq!(origin.count(), 20);
    for shield in [&one, &two] {
        let line = "fourfront_shielded_requests_total{outcome=\"miss\"}";
        let misses = metric(shield, line).map_or(0, |n| n.parse().unwrap());
        assert!((1..20).contains(&misses), "{misses}");
    }
    // All of them hear of an invalidation.
    edges[0].invalidate(&["/*"], false);
    assert_eq!(edges[0].get("/1").await.x_cache(), "Miss");
    assert_eq!(edges[0].get("/2").await.x_cache(), "Miss");
    assert_eq!(origin.count(), 22);

    let secure = format!(
        "regions: {{ {REGION}: 'https://localhost:{}' }}",
        one.secure_address().port()
    );
    let edge = node(&origin, &secure).node("origin_ca: ./authority.pem");
    edge.write("authority.pem", authority.pem());
    let edge = edge.start_at("").await;
    assert_eq!(edge.get("/secure").await.status, 200);
    let line = "fourfront_shield_fetches_total{outcome=\"miss\",region=\"eu-west-1\"}";
    assert_eq!(metric(&edge, line).as_deref(), Some("1"));
    edge.invalidate(&["/secure"], false);
    assert_eq!(edge.get("/secure").await.x_cache(), "Miss");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_shield_for_each_other_make_no_loop() {
    // CF-415, CF-356
    let origin = Origin::echo().await;
    let nodes = |serves: &str, other: &str, address: &str| {
        let origins = format!(
            "{}\n      {}",
            shielded("app", &origin, ""),
            shielded("far", &origin, "").replace(REGION, "us-east-1")
        );
        Edge::new()
            .node(&format!(
                "origin_shield: {{ {SECRET}, serves: {serves}, regions: {{ {other}: 'http://{address}' }} }}"
            ))
            .origin(&origins)
            .behavior("origin: app")
            .path("/far/*", "origin: far")
    };
    let first = nodes(REGION, "us-east-1", "127.0.0.1:9").start_at("").await;
    let second = nodes("us-east-1", REGION, &first.address().to_string())
        .start_at("")
        .await;
    let file = nodes(REGION, "us-east-1", &second.address().to_string()).site_file("");
    first.reload(&file).unwrap();
    for (node, other) in [(&first, &second), (&second, &first)] {
        for target in ["/a", "/far/a"] {
            assert_eq!(node.get(target).await.status, 200);
            assert_eq!(other.get(target).await.status, 200);
        }
    }
    // Each is fetched once, by the node that shields it.
    assert_eq!(origin.count(), 2);
    // A node that names itself asks itself once.
    let itself = format!(
        "origin_shield: {{ {SECRET}, serves: eu-north-1, regions: {{ {REGION}: 'http://{}' }} }}",
        first.address()
    );
    let whole = first.site_file();
    let file = whole.lines().map(|line| match line.contains("serves") {
        true => format!("  {itself}"),
        false => line.to_owned(),
    });
    let file = file
        .collect::<Vec<_>>()
        .join("\n")
        .replace("us-east-1", REGION);
    first.reload(&file).unwrap();
    assert_eq!(first.get("/b").await.status, 200);
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_shield_can_serve_goes_past_it() {
    // CF-415, CF-408, LE-475
    let origin = Origin::echo().await;
    let code = "import cf from 'cloudfront';
        function handler(e) { cf.updateRequestOrigin({ originPath: '/chosen' }); return e.request; }";
    let more = |e: Edge| {
        e.cloudfront_function("choose", code, "")
            .path("/choose/*", "origin: app, on: { viewer-request: choose }")
            .behavior("origin_request_policy: Managed-AllViewer")
            .behavior("cache_policy: Managed-CachingDisabled")
    };
    let tiers = Tiers::start(&origin, more).await;
    assert_eq!(tiers.edge.get("/choose/a").await.text(), "/chosen/choose/a");
    let handshake = "GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let answer = raw_exchange(tiers.edge.address(), handshake.as_bytes(), b"\r\n\r\n").await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(origin.last().header("upgrade"), Some("websocket"));
    let asked = metric(&tiers.edge, "fourfront_shield_fetches_total");
    assert_eq!(asked, None);
    // And what it can serve does not.
    assert_eq!(tiers.edge.get("/a").await.status, 200);
    assert!(metric(&tiers.edge, "fourfront_shield_fetches_total").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shield_is_explained() {
    // CF-415, CP-606
    let origin = Origin::echo().await;
    let tiers = Tiers::start(&origin, |e| e).await;
    let (status, told) = tiers.edge.explain(serde_json::json!({ "url": "/a" })).await;
    assert_eq!(status, 200);
    let shield = &told["behavior"]["shield"];
    assert_eq!(shield["region"], REGION);
    assert_eq!(shield["state"], "asked");
    assert_eq!(
        shield["nodes"][0],
        format!("http://{}", tiers.shield.address())
    );
    let (_, told) = tiers
        .shield
        .explain(serde_json::json!({ "url": "/a" }))
        .await;
    assert!(told["behavior"]["shield"].is_null());
}
