//! Several servers behind one origin (CF-808).

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, NameServer, Origin, OriginTls, Reply, Running, Seen,
};
use tokio::sync::watch;

/// How long something that happens within a second or two is waited for.
const SOON: Duration = Duration::from_secs(30);

/// A server that says its name, and how it is when it is asked for `/up`.
async fn server(name: &'static str) -> (Origin, Arc<AtomicU16>) {
    let health = Arc::new(AtomicU16::new(200));
    let state = health.clone();
    let origin = Origin::start(move |request| say(name, &state, request)).await;
    (origin, health)
}

fn say(name: &'static str, health: &AtomicU16, request: &Seen) -> Reply {
    match request.target.as_str() {
        "/up" => Reply::status(health.load(Ordering::Relaxed)),
        _ => Reply::ok(name).header("Cache-Control", "no-store"),
    }
}

/// A node in front of an origin `app` with a pool of these, and further settings of the pool.
fn edge(members: &[&Origin], settings: &str) -> Edge {
    let members: Vec<_> = members
        .iter()
        .map(|m| format!("'{}'", m.address()))
        .collect();
    Edge::new()
        .threads(1, 1)
        .origin(&format!(
            "app: {{ domain_name: app.test, connection_attempts: 1,
               custom_origin_config: {{ origin_protocol_policy: http-only }},
               pool: {{ members: [{}], {settings} }} }}",
            members.join(", ")
        ))
        .behavior("origin: app")
        .behavior(ALL_METHODS)
}

/// The states of the servers, in the order of their ports.
fn states(edge: &Running) -> Vec<String> {
    let status = edge.status();
    let servers = status["distributions"][0]["pools"][0]["servers"]
        .as_array()
        .expect("a pool with servers")
        .clone();
    let mut all: Vec<_> = servers
        .iter()
        .map(|s| {
            let address = s["address"].as_str().unwrap_or_default().to_owned();
            (address, s["state"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    all.sort();
    all.into_iter().map(|(_, state)| state).collect()
}

fn state_of(edge: &Running, server: &Origin) -> String {
    let status = edge.status();
    let servers = status["distributions"][0]["pools"][0]["servers"].clone();
    let found = servers.as_array().and_then(|all| {
        let address = server.address().to_string();
        all.iter().find(|s| s["address"] == address).cloned()
    });
    found.map_or_else(String::new, |s| {
        s["state"].as_str().unwrap_or_default().to_owned()
    })
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_share_the_requests_under_the_origins_name() {
    // CF-808
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let edge = edge(&[&one, &two], "").start_at("").await;
    for _ in 0..60 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    assert_eq!(one.count() + two.count(), 60);
    assert!(
        one.count() > 10 && two.count() > 10,
        "{} {}",
        one.count(),
        two.count()
    );
    for server in [&one, &two] {
        assert_eq!(server.last().header("host"), Some("app.test"));
    }
    // A place at a server is held until all is written about the request.
    edge.recorded(60).await;
    until("no request is under way", || {
        !edge.metrics().contains("_requests_in_flight 1")
    })
    .await;
    let metrics = edge.metrics();
    for server in [&one, &two] {
        let labels = format!(
            "distribution=\"{}\",origin=\"app\",server=\"{}\"",
            id(&edge),
            server.address()
        );
        assert!(
            metrics.contains(&format!("fourfront_origin_server_up{{{labels}}} 1")),
            "{metrics}"
        );
        let idle = format!("fourfront_origin_server_requests_in_flight{{{labels}}} 0");
        assert!(metrics.contains(&idle), "{metrics}");
    }
}

fn id(edge: &Running) -> String {
    edge.status()["distributions"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_gets_nothing_while_another_is_idle() {
    // CF-808
    let (open, gate) = watch::channel(false);
    let slow = move |request: &Seen| {
        let reply = Reply::ok("x").header("Cache-Control", "no-store");
        match request.target.as_str() {
            "/slow" => reply.after(&gate),
            _ => reply,
        }
    };
    let (one, two) = (Origin::start(slow.clone()).await, Origin::start(slow).await);
    let edge = Arc::new(edge(&[&one, &two], "").start_at("").await);
    let waiting = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/slow").await.status }
    });
    until("the slow request arrives", || {
        one.count() + two.count() == 1
    })
    .await;
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    let mut counts = [one.count(), two.count()];
    counts.sort_unstable();
    assert_eq!(counts, [1, 20]);
    open.send_replace(true);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_path_goes_to_the_same_server() {
    // CF-808
    let ((one, _), (two, _), (three, _)) = (
        server("one").await,
        server("two").await,
        server("three").await,
    );
    let edge = edge(&[&one, &two, &three], "choice: consistent")
        .start_at("")
        .await;
    let mut names = BTreeSet::new();
    let mut before = Vec::new();
    for n in 0..40 {
        let path = format!("/{n}?q={n}");
        let first = edge.get(&path).await.text().to_owned();
        assert_eq!(edge.get(&path).await.text(), first);
        names.insert(first.clone());
        before.push((path, first));
    }
    assert_eq!(names.len(), 3, "{names:?}");
    // Without one, its paths move and the others stay; no viewer notices.
    drop(three);
    for (path, first) in &before {
        let now = edge.get(path).await;
        assert_eq!(now.status, 200, "{}", now.text());
        if first != "three" {
            assert_eq!(now.text(), first);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_left_alone_and_comes_back() {
    // CF-808, CF-391
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let address = two.address();
    let edge = edge(&[&one, &two], "ejection: { failures: 2, time: 0.3 }")
        .start_at("")
        .await;
    assert_eq!(edge.get("/").await.status, 200);
    drop(two);
    // A request that meets nobody goes to the other one within the same try, with whatever method.
    for n in 0..40 {
        let method = ["GET", "POST"][n % 2];
        assert_eq!(edge.request(method, "/").send().await.status, 200);
        if states(&edge).contains(&"ejected".to_owned()) {
            break;
        }
    }
    assert_eq!(states(&edge).iter().filter(|s| *s == "up").count(), 1);
    let metrics = edge.metrics();
    let line = metrics
        .lines()
        .find(|l| l.starts_with("fourfront_origin_ejections_total{"))
        .unwrap();
    assert!(
        line.contains("origin=\"app\"") && line.ends_with(" 1"),
        "{line}"
    );
    let healthy = AtomicU16::new(200);
    let two = Origin::start_on(address, move |r| say("two", &healthy, r)).await;
    let two = two.expect("the port it had");
    let began = Instant::now();
    while two.count() == 0 {
        assert_eq!(edge.get("/").await.status, 200);
        assert!(began.elapsed() < SOON);
    }
    assert_eq!(state_of(&edge, &two), "up");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_viewer_notices_that_a_server_is_killed_under_load() {
    // CF-808, CF-391, CF-397
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let edge = Arc::new(
        edge(&[&one, &two], "ejection: { failures: 3, time: 0.5 }")
            .threads(2, 1)
            .start_at("")
            .await,
    );
    // 200 requests per second for two seconds.
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut answers = tokio::task::JoinSet::new();
    let mut two = Some(two);
    for n in 0..400 {
        ticks.tick().await;
        if n == 100 {
            // With its connections, idle or busy.
            two = None;
        }
        let edge = edge.clone();
        answers.spawn(async move { edge.get(&format!("/{n}")).await.status });
    }
    assert!(two.is_none());
    for (n, status) in answers.join_all().await.into_iter().enumerate() {
        assert_eq!(status, 200, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_breaks_off_goes_to_another_when_it_may() {
    // CF-808, CF-397
    use fourfront_conformance::{RawOrigin, Turn};
    let broken = RawOrigin::start(|_| vec![Turn::Close]).await;
    let (one, _) = server("one").await;
    let address = broken.url().replace("http://", "");
    let edge = Edge::new()
        .origin(&format!(
            "app: {{ domain_name: app.test, connection_attempts: 1,
               custom_origin_config: {{ origin_protocol_policy: http-only }},
               pool: {{ members: ['{}', '{address}'], ejection: {{ failures: 0 }} }} }}",
            one.address()
        ))
        .behavior("origin: app")
        .behavior(ALL_METHODS)
        .start_at("")
        .await;
    let mut refused = 0;
    for _ in 0..30 {
        assert_eq!(edge.get("/").await.status, 200);
        // It may have been carried out.
        match edge.request("POST", "/").body("x").send().await.status {
            200 => {}
            502 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!((1..30).contains(&refused), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_take_a_server_out_and_bring_it_back() {
    // CF-808
    let ((one, _), (two, health)) = (server("one").await, server("two").await);
    let probes =
        "health_check: { path: /up, interval: 0.05, unhealthy_after: 2, healthy_after: 2 }";
    let edge = edge(&[&one, &two], probes).start_at("").await;
    until("both are probed", || one.count() > 0 && two.count() > 0).await;
    let probe = two.last();
    assert_eq!(
        (probe.method.as_str(), probe.header("host")),
        ("GET", Some("app.test"))
    );
    assert!(
        probe
            .header("user-agent")
            .is_some_and(|a| a.starts_with("Fourfront/"))
    );
    health.store(503, Ordering::Relaxed);
    until("it is found down", || state_of(&edge, &two) == "down").await;
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.text(), "one");
    }
    let metrics = edge.metrics();
    let labels = format!("origin=\"app\",server=\"{}\"}} 0", two.address());
    assert!(metrics.contains(&labels), "{metrics}");
    // The explanation of a request tells it as well.
    let asked = serde_json::json!({ "url": "http://viewer.test/" });
    let (status, told) = edge.explain(asked).await;
    assert_eq!(status, 200, "{told}");
    let servers = told["behavior"]["servers"].as_array().unwrap();
    assert!(
        servers
            .iter()
            .any(|s| s["state"] == "down" && s["address"] == two.address().to_string()),
        "{told}"
    );
    health.store(200, Ordering::Relaxed);
    until("it is found up", || state_of(&edge, &two) == "up").await;
    let began = Instant::now();
    while edge.get("/").await.text() != "two" {
        assert!(began.elapsed() < SOON);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_down_is_a_connect_failure_of_its_group() {
    // CF-808, CF-447, CF-772
    let ((one, first), (two, second)) = (server("one").await, server("two").await);
    let spare = Origin::start(|_| Reply::ok("spare").header("Cache-Control", "no-store")).await;
    let probes =
        "health_check: { path: /up, interval: 0.05, unhealthy_after: 1, healthy_after: 1 }";
    let group = "origin_groups: { both: { members: [app, spare], failover_criteria: { status_codes: [503] } } }";
    let edge = edge(&[&one, &two], probes)
        .origin(&format!("spare: {}", spare.url()))
        .distribution(group)
        .path("/group/*", "origin: both")
        .start_at("")
        .await;
    assert_ne!(edge.get("/group/a").await.text(), "spare");
    for health in [&first, &second] {
        health.store(500, Ordering::Relaxed);
    }
    until("both are found down", || states(&edge) == ["down", "down"]).await;
    assert_eq!(edge.get("/group/a").await.text(), "spare");
    let alone = edge.get("/a").await;
    assert_eq!((alone.status, alone.x_cache()), (502, "Error"));
    let record = edge.record_of(&alone).await;
    assert_eq!(
        record.to_json()["x-edge-detailed-result-type"],
        "OriginConnectError"
    );
    assert!(!alone.text().contains("127.0.0.1"), "{}", alone.text());
    first.store(200, Ordering::Relaxed);
    until("one is found up", || {
        states(&edge).contains(&"up".to_owned())
    })
    .await;
    assert_eq!(edge.get("/group/a").await.text(), "one");
    assert_eq!(edge.get("/a").await.text(), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_refuses_connections_is_one_too() {
    // CF-808, CF-447
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let spare = Origin::start(|_| Reply::ok("spare").header("Cache-Control", "no-store")).await;
    let group = "origin_groups: { both: { members: [app, spare], failover_criteria: { status_codes: [503] } } }";
    let edge = edge(&[&one, &two], "")
        .origin(&format!("spare: {}", spare.url()))
        .distribution(group)
        .path("/group/*", "origin: both")
        .start_at("")
        .await;
    drop((one, two));
    for _ in 0..6 {
        assert_eq!(edge.get("/group/a").await.text(), "spare");
    }
    assert_eq!(edge.get("/a").await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_probes_are_held_to_the_origins_name_and_authorities() {
    // CF-808, CF-423, CF-424
    let (authority, stranger) = (Authority::new(), Authority::new());
    let start = |authority: &Authority| {
        let tls = OriginTls::showing(&authority.certify(&["app.test"]));
        Origin::start_tls(tls, |_| Reply::ok("x").header("Cache-Control", "no-store"))
    };
    let (good, bad) = (start(&authority).await, start(&stranger).await);
    for (ca, check) in [
        ("origin_ca: ./ca.pem,", "path: /up,"),
        ("origin_ca: ./ca.pem,", ""),
        ("", "path: /up,"),
        ("", ""),
    ] {
        let edge = Edge::new()
            .threads(1, 1)
            .node("origin_ca: ./ca.pem")
            .origin(&format!(
                "app: {{ domain_name: app.test, {ca}
               custom_origin_config: {{ origin_protocol_policy: https-only }},
               pool: {{ members: ['{}', '{}'],
                 health_check: {{ {check} interval: 0.05, unhealthy_after: 1 }} }} }}",
                good.address(),
                bad.address()
            ));
        edge.write("ca.pem", authority.pem());
        let edge = edge.behavior("origin: app").start_at("").await;
        until("the stranger is found out", || {
            state_of(&edge, &bad) == "down"
        })
        .await;
        assert_eq!(state_of(&edge, &good), "up");
        for _ in 0..5 {
            assert_eq!(edge.get("/").await.status, 200);
        }
        assert_eq!(
            good.hellos().last().unwrap().name.as_deref(),
            Some("app.test")
        );
    }
    assert_eq!(bad.count(), 0);
    // Without probes a request finds it out, and goes to the other one.
    let edge = Edge::new().origin(&format!(
        "app: {{ domain_name: app.test, origin_ca: ./ca.pem,
           custom_origin_config: {{ origin_protocol_policy: https-only }},
           pool: {{ members: ['{}', '{}'], ejection: {{ failures: 0 }} }} }}",
        good.address(),
        bad.address()
    ));
    edge.write("ca.pem", authority.pem());
    let edge = edge.behavior("origin: app").start_at("").await;
    for _ in 0..20 {
        assert_eq!(edge.get("/").await.status, 200);
    }
    assert_eq!(bad.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_by_name_are_followed() {
    // CF-808, CF-398
    let names = NameServer::start().await;
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    names.set("a.test", &["127.0.0.1"], 1);
    let edge = Edge::new()
        .node(&names.setting())
        .origin(&format!(
            "app: {{ domain_name: app.test,
               custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {} }},
               pool: {{ members: [a.test, 'b.test:{}'] }} }}",
            one.port(),
            two.port()
        ))
        .behavior("origin: app")
        .start_at("")
        .await;
    // One member has no address: the other one does it all.
    for _ in 0..5 {
        assert_eq!(edge.get("/").await.text(), "one");
    }
    names.set("b.test", &["127.0.0.1"], 60);
    let began = Instant::now();
    while edge.get("/").await.text() != "two" {
        assert!(began.elapsed() < SOON);
    }
    assert_eq!(states(&edge), ["up", "up"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_servers_outlives_a_reload_that_leaves_them_alone() {
    // CF-808, CF-027
    let ((one, _), (two, health)) = (server("one").await, server("two").await);
    // Probes are so rare that only the first round counts.
    let probes = "health_check: { path: /up, interval: 3600, unhealthy_after: 1 }";
    health.store(500, Ordering::Relaxed);
    let edge = edge(&[&one, &two], probes).start_at("").await;
    until("it is found down", || state_of(&edge, &two) == "down").await;
    health.store(200, Ordering::Relaxed);
    edge.reload(&edge.site_file()).unwrap();
    assert_eq!(state_of(&edge, &two), "down");
    assert_eq!(edge.get("/").await.text(), "one");
    // Another pool begins anew, and the old one is probed no more.
    let site = edge
        .site_file()
        .replace(&format!("'{}', ", one.address()), "");
    edge.reload(&site).unwrap();
    until("the new pool has found its server", || {
        states(&edge) == ["up"]
    })
    .await;
    assert_eq!(edge.get("/").await.text(), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_before_is_probed_no_more_however_long_its_requests_take() {
    // CF-808, CF-027
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let probes = "health_check: { path: /up, interval: 0.05, unhealthy_after: 1 }";
    let edge = edge(&[&one, &two], probes).start_at("").await;
    until("both are probed", || one.count() > 0 && two.count() > 0).await;
    // As an open WebSocket does.
    let held = edge.node().snapshot();
    let gone = format!("'{}', ", one.address());
    edge.reload(&edge.site_file().replace(&gone, "")).unwrap();
    let (ones, twos) = (one.count(), two.count());
    until("the new pool is probed", || two.count() > twos + 5).await;
    // One probe may have been on its way.
    assert!(one.count() <= ones + 1, "{} {ones}", one.count());
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_names_another_server_leaves_the_pool() {
    // CF-808, LE-116
    let ((one, _), (two, _)) = (server("one").await, server("two").await);
    let elsewhere = format!(
        "request.origin.custom.domainName = 'localhost'; request.headers.host = [{{ value: 'localhost' }}]; request.origin.custom.port = {}; return request;",
        two.port()
    );
    let same = "request.origin.custom.path = '/prefix'; return request;";
    let edge = edge(&[&one], "")
        .function("elsewhere", &fourfront_conformance::handler(&elsewhere))
        .function("same", &fourfront_conformance::handler(same))
        .node("hooks: { local_egress: true }")
        .path(
            "/elsewhere/*",
            "origin: app, on: { origin-request: elsewhere }",
        )
        .path("/same/*", "origin: app, on: { origin-request: same }")
        .start_at("")
        .await;
    assert_eq!(edge.get("/elsewhere/a").await.text(), "two");
    assert_eq!(edge.get("/same/a").await.text(), "one");
    assert_eq!(one.last().target, "/prefix/same/a");
}
