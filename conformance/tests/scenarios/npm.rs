//! Handlers out of the npm registry, unmodified, as their users install them (LE-356, LE-357).
//!
//! The packages are installed with Node's own npm, once per version of their lock file. `scripts/setup.sh test`
//! installs npm itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fourfront_conformance::{Answer, Edge, Origin, Reply};

/// A directory under `conformance/npm`, and where npm has installed what it names.
pub(crate) fn installed(name: &str) -> (PathBuf, PathBuf) {
    // Asked at run time: two clones may share a target directory.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo");
    let source = Path::new(&here).join("npm").join(name);
    let lock = fs::read(source.join("package-lock.json")).expect("a lock file");
    let version = lock.iter().fold(0u64, |hash, b| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*b))
    });
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let modules = home.join(format!("npm-{name}-{version:016x}"));
    if !modules.exists() {
        // Made aside and then renamed, so that tests in other processes find all of it or nothing.
        let aside = tempfile::TempDir::new_in(home).expect("a temporary directory");
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), aside.path().join(file)).expect("a copy");
        }
        let ran = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(aside.path())
            .output()
            .expect("npm, which `scripts/setup.sh test` installs");
        assert!(
            ran.status.success(),
            "npm ci: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        // Another process may have been faster; its directory is as good.
        let _ = fs::rename(aside.path(), &modules);
    }
    assert!(
        modules.join("node_modules").exists(),
        "{} has no modules",
        modules.display()
    );
    (source, modules)
}

/// The installed directory with its handler.
fn with_handler(name: &str) -> PathBuf {
    let (source, modules) = installed(name);
    fs::copy(source.join("index.js"), modules.join("index.js")).expect("a copy");
    modules
}

async fn plain() -> Origin {
    Origin::start(|request| {
        Reply::ok(format!("origin {}", request.target)).header("Cache-Control", "no-store")
    })
    .await
}

fn cognito() -> Edge {
    Edge::new()
        .bundle_dir("auth", &with_handler("cognito"), "")
        .behavior("cache_policy: { min_ttl: 0, query_strings: all, cookies: all }")
        .behavior("on: { viewer-request: auth }")
}

#[tokio::test(flavor = "multi_thread")]
async fn cognito_at_edge_sends_strangers_to_the_login_page() {
    // LE-356, LE-357, LE-506, O21
    let origin = plain().await;
    let edge = cognito().start(&origin).await;
    let ask = async |path: &str, cookie: Option<&str>| {
        let request = edge.request("GET", path).header("Host", "shop.test");
        cookie
            .iter()
            .fold(request, |r, c| r.header("Cookie", c))
            .send()
            .await
    };
    let login = |answer: &Answer| {
        assert_eq!(
            (answer.status, answer.x_cache()),
            (302, "LambdaGeneratedResponse"),
            "{answer:?}"
        );
        answer.header("location").expect("a location").to_owned()
    };
    let location = login(&ask("/account?tab=orders", None).await);
    let (page, query) = location.split_once('?').expect("a query");
    assert_eq!(
        page,
        "https://pool.auth.us-east-1.amazoncognito.com/authorize"
    );
    let parameter = |name: &str| {
        let found = query
            .split('&')
            .find_map(|p| p.split_once('=').filter(|(n, _)| *n == name));
        found.map(|(_, value)| value.to_owned())
    };
    assert_eq!(parameter("response_type").as_deref(), Some("code"));
    assert_eq!(
        parameter("client_id").as_deref(),
        Some("63gcbm2jmskokurt5ku9fhejc6")
    );
    assert_eq!(
        parameter("redirect_uri").as_deref(),
        Some("https%3A%2F%2Fshop.test")
    );
    assert_eq!(
        parameter("state").as_deref(),
        Some("%2Faccount%3Ftab%3Dorders")
    );

    // A token that does not verify is no better than none.
    let forged = "CognitoIdentityServiceProvider.63gcbm2jmskokurt5ku9fhejc6.ana.idToken=eyJhbGciOiJub25lIn0.e30.; \
        CognitoIdentityServiceProvider.63gcbm2jmskokurt5ku9fhejc6.LastAuthUser=ana";
    login(&ask("/account", Some(forged)).await);
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn hono_answers_its_routes() {
    // LE-356, LE-307, LE-155, LE-158, LE-205, LE-306
    let dir = with_handler("hono");
    let origin = plain().await;
    let edge = Edge::new()
        .bundle_dir("app", &dir, "")
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("on: { viewer-request: app }")
        .start(&origin)
        .await;
    let hello = edge.get("/hello/Ana").await;
    assert_eq!(
        (hello.status, hello.text(), hello.x_cache()),
        (200, "Hello, Ana!", "LambdaGeneratedResponse")
    );
    assert!(
        hello
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/plain"))
    );
    assert_eq!(hello.header("x-app"), Some("hono"));

    let json = edge
        .request("GET", "/json?a=1&b=%C3%A9")
        .header("User-Agent", "probe/1")
        .send()
        .await;
    let body: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "query": { "a": "1", "b": "\u{e9}" }, "agent": "probe/1" })
    );

    let image = edge.get("/image").await;
    assert_eq!(
        (image.header("content-type"), &image.body[..]),
        (Some("image/png"), &[137, 80, 78, 71, 0, 255][..])
    );

    let cookies = edge.get("/cookies").await;
    assert_eq!(
        (cookies.status, cookies.header("location")),
        (302, Some("/elsewhere"))
    );
    assert_eq!(cookies.all("set-cookie"), ["a=1", "b=2"]);

    assert_eq!(edge.get("/nowhere").await.status, 404);
    assert_eq!(edge.get("/throws").await.status, 500);
    // A route may let the request through.
    assert_eq!(edge.get("/origin/a").await.text(), "origin /origin/a");
}

#[tokio::test(flavor = "multi_thread")]
async fn hono_is_cached_at_origin_request() {
    // LE-026, LE-164, LE-356
    let dir = with_handler("hono");
    let origin = plain().await;
    let edge = Edge::new()
        .bundle_dir("app", &dir, "")
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("on: { origin-request: app }")
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/hello/Rui").await;
        assert_eq!((answer.text(), answer.x_cache()), ("Hello, Rui!", token));
    }
    assert_eq!(origin.count(), 0);
}
