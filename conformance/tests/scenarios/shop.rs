//! A site as it would run on CloudFront, end to end: the site file in `sites/shop`, its servers, and viewers who walk through
//! every behaviour of it.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use fourfront_conformance::{
    Answer, Authority, Edge, Origin, Reply, Request, Running, SecureViewer, Seen, Signer,
};
use tempfile::TempDir;

use super::buckets::{self, KEY, SECRET};

const HOST: &str = "www.shop.test";
const PAGE: &str = "<h1>Everything for the outdoors</h1>\n";

/// The shop's servers, the node in front of them, and who asks it.
struct Shop {
    edge: Running,
    viewer: SecureViewer,
    signer: Signer,
    pages: Origin,
    standby: Origin,
    api: Origin,
    pictures: Origin,
    /// Whether the first server of pages fails.
    down: Arc<AtomicBool>,
    _bucket: TempDir,
}

/// The path of a request.
fn path(seen: &Seen) -> &str {
    seen.target.split('?').next().unwrap_or_default()
}

fn page(seen: &Seen, server: &str) -> Reply {
    if seen.header("x-origin-secret") != Some("between-us") {
        return Reply::status(403);
    }
    let html = |body: String| Reply::ok(body).header("Content-Type", "text/html; charset=utf-8");
    let reply = match path(seen) {
        "/old/tent-green.html" | "/gone" => return Reply::status(404),
        "/old/about.html" => html("about".to_owned()),
        "/account/orders" => html(format!(
            "orders of {}",
            seen.header("cookie").unwrap_or("nobody")
        )),
        "/search" => html(format!("{} {}", seen.target, PAGE.repeat(100))),
        "/basket" => html(seen.header("cookie").unwrap_or("empty").to_owned()),
        "/feeds/news.xml" => Reply::ok("<feed/>").header("Cache-Control", "no-cache"),
        "/index.html" => html(PAGE.repeat(100)),
        other => html(format!("{other} by {server}")),
    };
    reply.header("X-Server", server)
}

fn api(seen: &Seen) -> Reply {
    let json = |body: String| {
        let reply = Reply::ok(body).header("Content-Type", "application/json");
        reply.header("X-Powered-By", "a framework")
    };
    match path(seen) {
        "/v2/api/public/stock" => json(format!("{{\"asked\":\"{}\"}}", seen.target)),
        "/v2/api/broken" => Reply::status(500).body("<h1>Trace</h1>"),
        _ => json(format!(
            "{} {} by {}: {}",
            seen.method,
            seen.target,
            seen.header("x-user").unwrap_or("nobody"),
            String::from_utf8_lossy(&seen.body)
        )),
    }
}

fn port(url: &str) -> String {
    url.rsplit(':').next().unwrap_or_default().to_owned()
}

async fn bucket() -> (SocketAddr, TempDir) {
    let (server, dir) = buckets::server().await;
    for (name, text) in [
        ("static/site.css", "body { margin: 0 }\n".repeat(200)),
        ("downloads/catalog.txt", "the catalogue".to_owned()),
        ("errors/404.html", "nothing of that name".to_owned()),
        ("errors/busy.html", "we are busy".to_owned()),
    ] {
        let file = dir.path().join("media").join(name);
        fs::create_dir_all(file.parent().expect("a directory")).expect("it is made");
        fs::write(file, text).expect("it is written");
    }
    (server, dir)
}

impl Shop {
    async fn open() -> Self {
        let down = Arc::new(AtomicBool::new(false));
        let fails = down.clone();
        let pages = Origin::start(move |seen| match fails.load(Ordering::SeqCst) {
            true => Reply::status(503),
            false => page(seen, "pages"),
        })
        .await;
        let standby = Origin::start(|seen| page(seen, "standby")).await;
        let api = Origin::start(api).await;
        let pictures = Origin::start(|seen| Reply::ok(seen.target.clone())).await;
        let (server, bucket) = bucket().await;
        let local = || "127.0.0.1".to_owned();
        let variables = [
            ("PAGES", local()),
            ("PAGES_PORT", port(&pages.url())),
            ("STANDBY", local()),
            ("STANDBY_PORT", port(&standby.url())),
            ("API", local()),
            ("API_PORT", port(&api.url())),
            ("PICTURES", local()),
            ("PICTURES_PORT", port(&pictures.url())),
            ("BUCKET", server.to_string()),
            ("BUCKET_KEY", KEY.to_owned()),
            ("BUCKET_SECRET", SECRET.to_owned()),
        ];
        let dir =
            PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("tests are run by cargo"))
                .join("sites/shop");
        let edge = Edge::of_site(&dir, &variables);
        let authority = Authority::new();
        let pair = authority.pem_pair(&[HOST]);
        let signer = Signer::new("K1PARTNER");
        edge.write("certs/www.pem", &pair.cert);
        edge.write("certs/www.key", &pair.key);
        edge.write("keys/partner.pem", &signer.public_pem());
        let edge = edge.start_at("").await;
        buckets::at_the_servers_time(&edge);
        Self {
            edge,
            viewer: SecureViewer::trusting(&authority),
            signer,
            pages,
            standby,
            api,
            pictures,
            down,
            _bucket: bucket,
        }
    }

    fn request(&self, method: &str, target: &str) -> Request {
        let request = self.edge.secure_request(&self.viewer, method, target);
        request.by(&self.viewer, HOST).header("Host", HOST)
    }

    async fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send().await
    }

    async fn get_with(&self, target: &str, name: &str, value: &str) -> Answer {
        self.request("GET", target).header(name, value).send().await
    }

    async fn plainly(&self, target: &str) -> Answer {
        let request = self.edge.request("GET", target).header("Host", HOST);
        request.send().await
    }

    async fn health(&self) {
        let answer = self.get("/health").await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().starts_with(r#"{"ok":true"#), "{answer:?}");
        assert_eq!(answer.x_cache(), "LambdaGeneratedResponse");
        assert_eq!(self.pages.count(), 0);
    }

    async fn assets(&self) {
        let ask = async || {
            let request = self.request("GET", "/static/site.css");
            request.header("Origin", "https://m.shop.test").send().await
        };
        let miss = ask().await;
        assert_eq!((miss.status, miss.x_cache()), (200, "Miss"));
        let hit = ask().await;
        assert_eq!((hit.x_cache(), hit.text()), ("Hit", miss.text()));
        for answer in [&miss, &hit] {
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some("https://m.shop.test"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("timing-allow-origin"), Some("*"));
        }
        let stranger = self
            .get_with("/static/site.css", "Origin", "https://else.test")
            .await;
        assert_eq!(stranger.header("access-control-allow-origin"), None);
    }

    async fn pictures(&self) {
        let first = self.get("/pictures/boot.jpg?w=500&utm=x").await;
        assert_eq!((first.text(), first.x_cache()), ("/640/boot.jpg", "Miss"));
        assert_eq!(first.header("cache-control"), Some("public, max-age=86400"));
        let again = self.get("/pictures/boot.jpg?w=500&utm=y").await;
        assert_eq!((again.text(), again.x_cache()), ("/640/boot.jpg", "Hit"));
        let modern = self
            .get_with("/pictures/boot.jpg?w=500", "Accept", "image/webp,*/*")
            .await;
        assert_eq!(
            (modern.text(), modern.x_cache()),
            ("/640/boot.webp", "Miss")
        );
        assert_eq!(self.pictures.count(), 2);
    }

    async fn downloads(&self) {
        let until = now() + 600;
        let all = format!("https://{HOST}/downloads/*");
        let good = self.signer.query(&all, until);
        let target = format!("/downloads/catalog.txt?{good}");
        let answer = self.get(&target).await;
        assert_eq!((answer.status, answer.text()), (200, "the catalogue"));
        // Whoever comes by another signature finds what is stored.
        let other = self.signer.query(&all, until + 1);
        let hit = self.get(&format!("/downloads/catalog.txt?{other}")).await;
        assert_eq!((hit.status, hit.x_cache()), (200, "Hit"));
        let ended = self.signer.query(&all, until - 1_200);
        let stranger = Signer::new("K1PARTNER").query(&all, until);
        for query in [ended, stranger, String::new()] {
            let answer = self.get(&format!("/downloads/catalog.txt?{query}")).await;
            assert_eq!(answer.status, 403, "{query}");
        }
        assert_eq!(self.plainly(&target).await.status, 403);
    }

    async fn members(&self) {
        let all = format!("https://{HOST}/members/*");
        let cookies = self.signer.cookies(&all, now() + 600);
        let plain = self.plainly("/members/hut").await;
        let https = format!("https://{HOST}/members/hut");
        assert_eq!(
            (plain.status, plain.header("location")),
            (301, Some(&*https))
        );
        assert_eq!(self.get("/members/hut").await.status, 403);
        let answer = self.get_with("/members/hut", "Cookie", &cookies).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "/members/hut by pages")
        );
        assert_eq!(self.pages.last().header("cookie"), None);
    }

    async fn account(&self) {
        let stranger = self.get("/account/orders?page=2").await;
        let to = Some("/sign-in?next=%2Faccount%2Forders%3Fpage%3D2");
        assert_eq!((stranger.status, stranger.header("location")), (302, to));
        for user in ["session=ann", "session=bob"] {
            let orders = self.get_with("/account/orders", "Cookie", user).await;
            assert_eq!(orders.text(), format!("orders of {user}"));
            assert_eq!(orders.x_cache(), "Miss");
        }
        let posted = self.request("POST", "/account/orders");
        let posted = posted.header("Cookie", "session=ann").body("tent=1");
        assert_eq!(posted.send().await.status, 200);
        assert_eq!(&self.pages.last().body[..], b"tent=1");
    }

    async fn public_api(&self) {
        let partner = "https://partner.test";
        let stock = "/api/public/stock?item=7";
        let first = self.get_with(stock, "Origin", partner).await;
        assert_eq!(
            (first.status, first.text()),
            (200, r#"{"asked":"/v2/api/public/stock?item=7"}"#)
        );
        assert_eq!(first.header("access-control-allow-origin"), Some(partner));
        assert_eq!(
            first.header("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(first.header("x-powered-by"), None);
        let second = self.get_with(stock, "Origin", partner).await;
        assert_eq!(second.x_cache(), "Hit");
        let asks = self.request("OPTIONS", stock).header("Origin", partner);
        let asks = asks.header("Access-Control-Request-Method", "POST");
        let allowed = asks.send().await;
        assert_eq!(
            allowed.header("access-control-allow-methods"),
            Some("GET, POST")
        );
        assert_eq!(
            self.request("DELETE", stock).send().await.status,
            403,
            "the behaviour takes no such method"
        );
    }

    async fn own_api(&self) {
        // hmac("ann") with the key in functions/token.js
        let token = "Bearer ann.e577e2c0";
        let refused = self.get_with("/api/orders", "Authorization", token).await;
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, Some("Bearer"))
        );
        let before = self.api.count();
        let post = self.request("POST", "/api/orders?draft=1");
        let post = post.header("Authorization", TOKEN).body("boots");
        let answer = post.send().await;
        assert_eq!(answer.text(), "POST /v2/api/orders?draft=1 by ann: boots");
        assert_eq!(self.api.last().header("authorization"), None);
        let broken = self.get_with("/api/broken", "Authorization", TOKEN).await;
        assert_eq!(
            (broken.status, broken.text(), broken.header("retry-after")),
            (503, r#"{"error":"try again"}"#, Some("5"))
        );
        assert_eq!(self.api.count(), before + 2);
    }

    async fn landing(&self) {
        for (choice, page) in [("a", "/landing/spring"), ("b", "/landing-b/spring")] {
            let cookie = format!("x=1; choice={choice}");
            let first = self.get_with("/landing/spring", "Cookie", &cookie).await;
            assert_eq!(
                (first.text(), first.x_cache()),
                (&*format!("{page} by pages"), "Miss")
            );
            let again = self.get_with("/landing/spring", "Cookie", &cookie).await;
            assert_eq!(
                (again.text(), again.x_cache()),
                (&*format!("{page} by pages"), "Hit")
            );
        }
        // Who has no cookie finds one of the two.
        assert_eq!(self.get("/landing/spring").await.x_cache(), "Hit");
    }

    async fn search(&self) {
        let first = self.get("/search?page=1&utm_source=mail&q=tent").await;
        // What the key and the origin's policy let through.
        assert!(
            first.text().starts_with("/search?page=1&q=tent "),
            "{first:?}"
        );
        let again = self.get("/search?q=tent&utm_source=news&page=1").await;
        assert_eq!(again.x_cache(), "Miss", "another order is another key");
        let again = self.get("/search?page=1&q=tent&utm_source=news").await;
        assert_eq!(again.x_cache(), "Hit");
        let packed = self
            .get_with("/search?page=1&q=tent", "Accept-Encoding", "gzip")
            .await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
    }

    async fn blog(&self) {
        let bare = self.get("/blog/spring").await;
        assert_eq!(
            (bare.status, bare.header("location")),
            (301, Some("/blog/spring/"))
        );
        let post = self.get("/blog/spring/").await;
        assert_eq!(post.text(), "/blog/spring/index.html by pages");
        assert_eq!(
            post.header("referrer-policy"),
            Some("strict-origin-when-cross-origin")
        );
        assert_eq!(self.get("/blog/spring/").await.x_cache(), "Hit");
    }

    async fn old(&self) {
        assert_eq!(self.get("/old/about.html").await.text(), "about");
        for expected in ["Miss", "Hit"] {
            let moved = self.get("/old/tent-green.html").await;
            let to = Some("/search?q=tent+green");
            assert_eq!((moved.status, moved.header("location")), (301, to));
            assert_eq!(moved.x_cache(), expected);
        }
    }

    async fn feeds(&self) {
        // The origin's no-cache is shorter than the least that the policy wants (CF-228).
        assert_eq!(self.get("/feeds/news.xml").await.x_cache(), "Miss");
        assert_eq!(self.get("/feeds/news.xml").await.x_cache(), "Hit");
        self.edge.advance(301);
        self.get("/feeds/news.xml").await;
        assert_eq!(self.pages.last().target, "/feeds/news.xml");
    }

    async fn basket(&self) {
        for cookie in ["basket=1; other=2", "basket=2; other=2"] {
            let answer = self.get_with("/basket", "Cookie", cookie).await;
            let kept = cookie.split(';').next().unwrap_or_default();
            assert_eq!(answer.text(), kept);
        }
        let put = self.request("PUT", "/basket").header("Cookie", "basket=1");
        let put = put.body("rope").send().await;
        assert_eq!((put.status, &self.pages.last().method[..]), (200, "PUT"));
    }

    async fn everything_else(&self) {
        let plain = self.plainly("/about?x=1").await;
        let https = format!("https://{HOST}/about?x=1");
        assert_eq!(
            (plain.status, plain.header("location")),
            (301, Some(&*https))
        );
        let root = self.get_with("/", "Accept-Encoding", "gzip, br").await;
        assert_eq!(
            (root.status, root.header("content-encoding")),
            (200, Some("br"))
        );
        assert_eq!(
            root.header("strict-transport-security"),
            Some("max-age=31536000")
        );
        let missing = self.get("/gone").await;
        assert_eq!(
            (missing.status, missing.text()),
            (404, "nothing of that name")
        );
        assert_eq!(self.get("/errors/404.html").await.status, 200);
        // Its own page, on HTTP/2.
        let viewer = self.viewer.h2();
        let request = self.edge.secure_request(&viewer, "GET", "/");
        let request = request.by(&viewer, HOST).header("Host", HOST);
        let root = request.send().await;
        assert_eq!(root.status, 200);
    }

    /// The first server of pages fails, and then is gone.
    async fn failures(mut self) -> Running {
        self.down.store(true, Ordering::SeqCst);
        let served = self.get("/campsites").await;
        assert_eq!(
            (served.status, served.text()),
            (200, "/campsites by standby")
        );
        assert_eq!(self.standby.count(), 1);
        // No group, no standby.
        let failed = self.get_with("/account/orders", "Cookie", "session=ann");
        assert_eq!(failed.await.status, 503);
        self.pages = Origin::start(|_| Reply::status(500)).await;
        let busy = self.get("/search?q=stove").await;
        assert_eq!((busy.status, busy.text()), (503, "we are busy"));
        assert_eq!(self.get("/huts").await.text(), "/huts by standby");
        self.edge
    }
}

/// `Authorization` of the user `ann`, by the key in `functions/token.js`.
const TOKEN: &str = "Bearer ann.f0a14aa93849b62125f20b1b16ba581d0f1c12fb2fc7d47bb7f5f6113a3f6189";

fn now() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
    now.expect("a clock after 1970").as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_walked_through() {
    // CF-001, CF-040, CF-043, CF-080, CF-228, CF-432, CF-440, CF-553, CF-560, CF-590, CF-603, LE-001, LE-004
    let shop = Shop::open().await;
    shop.health().await;
    shop.assets().await;
    shop.pictures().await;
    shop.downloads().await;
    shop.members().await;
    shop.account().await;
    shop.public_api().await;
    shop.own_api().await;
    shop.landing().await;
    shop.search().await;
    shop.blog().await;
    shop.old().await;
    shop.feeds().await;
    shop.basket().await;
    shop.everything_else().await;
    let edge = shop.failures().await;

    // Nothing of the file was left out.
    let walked: BTreeSet<_> = edge
        .records()
        .into_iter()
        .filter_map(|record| record.route.map(|(_, behavior)| behavior))
        .collect();
    let file = edge.site_file();
    let patterns = file
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- path: "));
    let mut wanted: BTreeSet<_> = patterns.map(str::to_owned).collect();
    wanted.insert("*".to_owned());
    assert_eq!(wanted.len(), 16);
    assert_eq!(walked, wanted);
    assert!(edge.logs().is_empty(), "{:?}", edge.logs());
}
