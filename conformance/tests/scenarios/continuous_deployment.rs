//! A staging distribution that is tried out on some requests of a primary one (CF-451..455).

use fourfront_conformance::{Answer, Authority, Edge, Origin, Running, SecureViewer, handler};

/// A primary distribution and a staging one, each with an origin and a function of its own, and a policy between them.
/// Everything is cached, and cookies are part of the key.
fn site(old: &Origin, new: &Origin, policy: &str) -> String {
    let behavior = |function: &str| {
        format!(
            "{{ cache_policy: {{ default_ttl: 3600, cookies: all }}, on: {{ viewer-request: {function} }} }}"
        )
    };
    format!(
        "compat: relaxed\n\
         functions:\n  keep1: {{ name: keep, version: 1, file: ./old.js }}\n  keep2: {{ name: keep, version: 2, file: ./new.js }}\n\
         continuous_deployment_policies:\n  trial:\n    enabled: true\n    staging_distribution_dns_names: [next]\n    {policy}\n\
         distributions:\n  shop:\n    id: ESHOP\n    continuous_deployment_policy_id: trial\n    \
         origins: {{ app: \"{}\" }}\n    default_cache_behavior: {}\n  \
         next:\n    id: ENEXT\n    staging: true\n    origins: {{ app: \"{}\" }}\n    default_cache_behavior: {}\n",
        old.url(),
        behavior("keep1"),
        new.url(),
        behavior("keep2"),
    )
}

fn by_weight(weight: f64, more: &str) -> String {
    format!(
        "traffic_config: {{ type: SingleWeight, single_weight_config: {{ weight: {weight}{more} }} }}"
    )
}

const BY_HEADER: &str = "traffic_config: { type: SingleHeader, single_header_config: { header: aws-cf-cd-trial, value: \"yes\" } }";
const SESSIONS: &str = ", session_stickiness_config: { idle_ttl: 300, maximum_ttl: 1000 }";

struct Both {
    edge: Running,
    old: Origin,
    new: Origin,
}

impl Both {
    async fn start(policy: &str) -> Self {
        let (old, new) = (Origin::saying("old").await, Origin::saying("new").await);
        let edge = Edge::new().start(&old).await;
        for file in ["old.js", "new.js"] {
            edge.write(file, &handler("return request;"));
        }
        let both = Self { edge, old, new };
        both.set(policy);
        both
    }

    fn set(&self, policy: &str) {
        let site = site(&self.old, &self.new, policy);
        self.edge
            .reload(&site)
            .unwrap_or_else(|e| panic!("{e}\n{site}"));
    }

    /// An answer and which of the two it is from.
    async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.edge.request("GET", target);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.send().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_leads_to_the_staging_distribution() {
    // CF-451, CF-452, CF-455, CF-160
    let both = Both::start(BY_HEADER).await;
    let with = |value| [("aws-cf-cd-trial", value)];
    for expected in ["Miss", "Hit"] {
        let staged = both.get("/", &with("yes")).await;
        assert_eq!((staged.text(), staged.x_cache()), ("new", expected));
        let primary = both.get("/", &[]).await;
        assert_eq!((primary.text(), primary.x_cache()), ("old", expected));
        assert_eq!(primary.header("set-cookie"), None);
    }
    for value in ["no", "YES", "yes, yes"] {
        assert_eq!(both.get("/", &with(value)).await.text(), "old", "{value}");
    }
    // Nor does any name lead there.
    let named = [("host", "next.fourfront.localhost")];
    assert_eq!(both.get("/", &named).await.text(), "old");
    assert_eq!((both.old.count(), both.new.count()), (1, 1));
    // An invalidation is about the one or the other.
    let (status, told) = both
        .edge
        .purge(r#"{"distribution": "ENEXT", "paths": ["/*"]}"#);
    assert!(status < 300, "{told}");
    assert_eq!(both.get("/", &with("yes")).await.x_cache(), "Miss");
    assert_eq!(both.get("/", &[]).await.x_cache(), "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weight_is_a_share_of_the_requests() {
    // CF-453
    let both = Both::start(&by_weight(1.0, "")).await;
    for _ in 0..20 {
        assert_eq!(both.get("/", &[]).await.text(), "new");
    }
    both.set(&by_weight(0.0, ""));
    for _ in 0..20 {
        let answer = both.get("/", &[]).await;
        assert_eq!((answer.text(), answer.header("set-cookie")), ("old", None));
    }
    both.set(&by_weight(0.15, ""));
    let mut staged = 0;
    for _ in 0..400 {
        staged += usize::from(both.get("/", &[]).await.text() == "new");
    }
    // 60 are expected; the chance to be that far off is below one in a million.
    assert!((22..105).contains(&staged), "{staged} of 400");
    both.edge.recorded(440).await;
    let metrics = both.edge.metrics();
    let counted = |to: &str| {
        let name = format!(
            "fourfront_staging_requests_total{{by=\"weight\",distribution=\"ESHOP\",to=\"{to}\"}} "
        );
        let line = metrics.lines().find_map(|l| l.strip_prefix(&name));
        line.unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(counted("staging"), 20 + staged);
    assert_eq!(counted("primary"), 20 + 400 - staged);
    let status = both.edge.status();
    assert_eq!(
        status["distributions"][0]["rollout"]["requests"]["staging"],
        20 + staged
    );
    assert_eq!(status["distributions"][1]["staging"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_its_side_and_is_seen_by_nobody_else() {
    // CF-454, CF-195
    let both = Both::start(&by_weight(1.0, SESSIONS)).await;
    let began = both.get("/", &[("cookie", "a=b")]).await;
    let set = began.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("FFCDSession=s."), "{set}");
    assert!(set.ends_with("; Path=/; Max-Age=300; HttpOnly"), "{set}");
    let cookie = set.split(';').next().unwrap();
    // The session is no part of the key, and what another viewer was given is not stored.
    let with_session = format!("a=b; {cookie}");
    let again = both.get("/", &[("cookie", &with_session)]).await;
    assert_eq!((again.text(), again.x_cache()), ("new", "Hit"));
    assert_eq!(again.header("set-cookie"), None);
    let other = both.get("/", &[("cookie", "a=b")]).await;
    assert_eq!(other.x_cache(), "Hit");
    let [own] = other.all("set-cookie")[..] else {
        panic!("one cookie: {:?}", other.headers);
    };
    assert!(own.starts_with("FFCDSession=s."), "{own}");
    // A miss with the session, too: the origin never sees it.
    let miss = both.get("/other", &[("cookie", &with_session)]).await;
    assert_eq!((miss.text(), miss.x_cache()), ("new", "Miss"));
    for seen in both.new.seen() {
        let cookies = seen.all("cookie").join("; ");
        assert!(!cookies.contains("FFCDSession"), "{cookies}");
    }

    // Whatever the weight is now, the session stays, until it ends; who begins now goes where it says.
    both.set(&by_weight(0.0, SESSIONS));
    both.edge.advance(299);
    let kept = both.get("/", &[("cookie", cookie)]).await;
    assert_eq!(kept.text(), "new");
    let renewed = kept.header("set-cookie").unwrap();
    let renewed = renewed.split(';').next().unwrap().to_owned();
    let begins = both.get("/", &[]).await;
    assert_eq!(begins.text(), "old");
    assert!(
        begins
            .header("set-cookie")
            .unwrap()
            .starts_with("FFCDSession=p.")
    );
    both.edge.advance(299);
    assert_eq!(both.get("/", &[("cookie", &renewed)]).await.text(), "new");
    // The first cookie is as old as a session may be idle.
    assert_eq!(both.get("/", &[("cookie", cookie)]).await.text(), "old");
    // Sessions begun anew, and a signature that is not the node's.
    let anew = format!("{}\n    sessions_since: 5", by_weight(0.0, SESSIONS));
    both.set(&anew);
    assert_eq!(both.get("/", &[("cookie", &renewed)]).await.text(), "old");
    both.set(&by_weight(0.0, SESSIONS));
    let forged = renewed.replace("=s.", "=s.1");
    assert_eq!(both.get("/", &[("cookie", &forged)]).await.text(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_staged_once_the_policy_is_off_and_what_was_promoted_serves_at_once() {
    // CF-451, CP-122, CF-027
    let both = Both::start(&by_weight(1.0, "")).await;
    assert_eq!(both.get("/", &[]).await.text(), "new");
    let on = site(&both.old, &both.new, &by_weight(1.0, ""));
    both.edge
        .reload(&on.replace("enabled: true", "enabled: false"))
        .unwrap();
    assert_eq!(both.get("/", &[]).await.text(), "old");
    // The staging distribution's settings become the primary's.
    let promoted = site(&both.new, &both.new, &by_weight(0.0, ""));
    both.edge.reload(&promoted).unwrap();
    let answer = both.get("/promoted", &[]).await;
    assert_eq!((answer.text(), answer.x_cache()), ("new", "Miss"));
    // A staging distribution that is disabled gets nothing.
    let disabled = on.replace("staging: true", "staging: true\n    enabled: false");
    both.edge.reload(&disabled).unwrap();
    assert_eq!(both.get("/", &[]).await.text(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_function_are_told_apart() {
    // LE-284, CF-720, CF-451
    let both = Both::start(BY_HEADER).await;
    both.edge.write(
        "new.js",
        "exports.handler = async () => { throw new Error('x'); };",
    );
    both.set(BY_HEADER);
    for _ in 0..3 {
        assert_eq!(both.get("/", &[]).await.status, 200);
    }
    let failed = both.get("/", &[("aws-cf-cd-trial", "yes")]).await;
    assert_eq!(failed.status, 503);
    both.edge.recorded(4).await;
    let status = both.edge.status();
    let functions = status["functions"].as_array().unwrap();
    let told = |version: &str| functions.iter().find(|f| f["version"] == version).unwrap();
    assert_eq!(
        (&told("1")["calls"], &told("1")["errors"]),
        (&3.into(), &0.into())
    );
    assert_eq!(
        (&told("2")["calls"], &told("2")["errors"]),
        (&1.into(), &1.into())
    );
    assert_eq!(told("2")["errors_by_class"]["LambdaExecutionError"], 1);
    assert!(told("1")["p50_ms"].as_f64().unwrap() > 0.0);
    // Versions that do not serve any more are forgotten.
    let only_old = site(&both.old, &both.new, BY_HEADER)
        .replace("viewer-request: keep2", "viewer-request: keep1");
    both.edge.reload(&only_old).unwrap();
    let metrics = both.edge.metrics();
    assert!(
        metrics.contains(r#"function="keep",version="1""#),
        "{metrics}"
    );
    assert!(!metrics.contains(r#"version="2""#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_agreed_by_tls_was_agreed_with_the_primary() {
    // CF-451, CF-454, CF-195, CF-036
    let (old, new) = (Origin::saying("old").await, Origin::saying("new").await);
    let authority = Authority::new();
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .top("compat: relaxed")
        .distribution("aliases: [viewer.test]")
        .distribution("continuous_deployment_policy_id: trial")
        .behavior("cache_policy: { default_ttl: 3600, cookies: all }")
        .start(&old)
        .await;
    let policy = by_weight(1.0, SESSIONS);
    let site = format!(
        "continuous_deployment_policies:\n  trial:\n    enabled: true\n    staging_distribution_dns_names: [next]\n    {policy}\n{}  \
         next: {{ staging: true, origins: {{ app: \"{}\" }}, default_cache_behavior: {{ cache_policy: {{ default_ttl: 3600, cookies: all }} }} }}\n",
        edge.site_file(),
        new.url(),
    );
    edge.reload(&site).unwrap_or_else(|e| panic!("{e}\n{site}"));
    let viewer = SecureViewer::trusting(&authority);
    for (viewer, path) in [(viewer.h2(), "/h2"), (viewer, "/h1")] {
        let began = edge.secure_get(&viewer, path).await;
        assert_eq!(
            (began.status, began.text(), began.x_cache()),
            (200, "new", "Miss")
        );
        let set = began.header("set-cookie").unwrap().to_owned();
        assert!(set.ends_with("; HttpOnly; Secure; SameSite=None"), "{set}");
        let cookie = set.split(';').next().unwrap();
        for _ in 0..2 {
            let again = edge.secure_request(&viewer, "GET", path);
            let again = again.header("cookie", cookie).send().await;
            assert_eq!((again.text(), again.x_cache()), ("new", "Hit"));
        }
    }
    let mut seen = new.seen().into_iter();
    assert!(seen.all(|s| s.header("cookie").is_none()));
    assert_eq!((old.count(), new.count()), (0, 2));
}
