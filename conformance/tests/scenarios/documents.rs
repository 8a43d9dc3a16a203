//! Distributions as CloudFront prints them, and as CloudFormation has them, serve (CF-020, CF-021). The documents lie in
//! `conformance/documents`; only where their origins are is changed for these tests.

use fourfront_conformance::{
    Authority, Edge, Origin, Reply, Running, SecureViewer, country_database,
};
use fourfront_model::{OriginKind, S3AuthMethod};

use super::signed::vectors::{Ask, key};

const WEBSITE: &str = include_str!("../../documents/website.json");
const LEGACY: &str = include_str!("../../documents/legacy.json");
const FAILOVER: &str = include_str!("../../documents/failover.json");
const MEDIA: &str = include_str!("../../documents/media.json");
const TEMPLATE: &str = include_str!("../../documents/template.yaml");

/// A document whose origin `host` is at that server.
fn at(document: &str, host: &str, origin: &Origin) -> String {
    let url = origin.url();
    let authority = url.trim_start_matches("http://").to_owned();
    let (address, port) = authority.rsplit_once(':').expect("a port");
    let start = document.find(host).expect("the origin's name");
    let (before, after) = document.split_at(start);
    let after = after.replacen(host, address, 1);
    // The first port after the name is that origin's.
    let after = after.replacen("HTTPPort\": 80,", &format!("HTTPPort\": {port},"), 1);
    let after = after.replacen("HTTPPort: 80\n", &format!("HTTPPort: {port}\n"), 1);
    format!("{before}{after}")
}

/// An origin that says which target it was asked for, and may be kept for a minute.
async fn telling() -> Origin {
    Origin::start(|seen| {
        let status = if seen.target.contains("missing-") {
            404
        } else {
            200
        };
        Reply::status(status)
            .body(seen.target.clone())
            .header("Cache-Control", "max-age=60")
            .header("Content-Type", "text/plain")
    })
    .await
}

async fn said(edge: &Running, host: &str, target: &str) -> (u16, String, String) {
    let answer = edge
        .request("GET", target)
        .header("Host", host)
        .send()
        .await;
    let token = answer.x_cache().to_owned();
    (answer.status, answer.text().to_owned(), token)
}

fn is(status: u16, text: &str, token: &str) -> (u16, String, String) {
    (status, text.to_owned(), token.to_owned())
}

/// The node's certificate under the ARN that the document names.
const CERTIFICATE: &str =
    "arn:aws:acm:us-east-1:123456789012:certificate/7a1c6f0e-2b1d-4a57-9a3c-0d5c8f7e6b21";

const CONTROL: &str = "origin_access_controls: { E327GJI25M56DG: { SigningBehavior: always, SigningProtocol: sigv4, OriginAccessControlOriginType: s3, credentials: { access_key_id: AKIDEXAMPLE, secret_access_key: example } } }";

#[test]
fn a_website_in_a_bucket_is_read_whole() {
    // CF-020, CF-025, CF-430, CF-432
    let pair = Authority::new().pem_pair(&["www.example.com"]);
    let edge = Edge::new()
        .document(WEBSITE)
        .certificate(CERTIFICATE, &pair)
        .top(CONTROL);
    let loaded = edge.load("").unwrap_or_else(|e| panic!("{e}"));
    let site = &loaded.site.distributions()[0];
    let origin = &site.origins[0];
    assert_eq!(
        origin.domain_name,
        "example-website.s3.eu-west-1.amazonaws.com"
    );
    let OriginKind::S3(s3) = &origin.kind else {
        panic!("a bucket");
    };
    assert_eq!(s3.region, "eu-west-1");
    assert_eq!(s3.auth_method, S3AuthMethod::OriginAccessIdentity);
    assert!(origin.access.is_some());
    assert_eq!(loaded.warnings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_in_a_bucket_serves() {
    // CF-020, CF-025, CF-040, CF-095, CF-521, CF-590
    let authority = Authority::new();
    let viewer = SecureViewer::trusting(&authority);
    let pair = authority.pem_pair(&["www.example.com", "viewer.test"]);
    let edge = Edge::new()
        .document(WEBSITE)
        .certificate(CERTIFICATE, &pair)
        .top(CONTROL)
        .distribution("default: true")
        // A directory in the bucket's place, and all else as the document has it.
        .origin("website-bucket: { dir: ./bucket }");
    edge.write("bucket/index.html", "home");
    edge.write("bucket/style.css", "b{}");
    let edge = edge.start_at("").await;

    let plain = edge.get("/style.css").await;
    assert_eq!(plain.status, 301);
    let home = edge.secure_get(&viewer, "/").await;
    assert_eq!((home.status, home.text()), (200, "home"));
    assert_eq!(home.header("x-content-type-options"), Some("nosniff"));
    let style = edge.secure_get(&viewer, "/style.css").await;
    assert_eq!((style.status, style.text()), (200, "b{}"));
    // A client's own routes.
    let route = edge.secure_get(&viewer, "/account/settings").await;
    assert_eq!((route.status, route.text()), (200, "home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blog_from_before_there_were_policies_serves() {
    // CF-020, CF-045, CF-068, CF-069, CF-186, CF-196, CF-216
    let origin = telling().await;
    let edge = Edge::new()
        .document(&at(LEGACY, "origin.example.com", &origin))
        // Where a node's own log goes is the node's to say.
        .distribution("logging: { enabled: false }")
        .start_at("")
        .await;
    let host = "blog.example.com";
    let get = |target: &'static str, cookie: &'static str| {
        let request = edge.request("GET", target).header("Host", host);
        let request = request.header("Cookie", cookie).header("X-Own", "1");
        async { request.send().await }
    };

    // What is keyed decides, and all of the query is sent.
    let miss = get("/?p=1&utm=a", "comment_author=x; other=1").await;
    assert_eq!((miss.x_cache(), miss.text()), ("Miss", "/?p=1&utm=a"));
    let last = origin.last();
    assert_eq!(last.header("cookie"), Some("comment_author=x"));
    assert_eq!(last.header("host"), Some(host));
    assert_eq!(last.header("x-origin-token"), Some("d41d8cd98f00"));
    assert_eq!(last.header("x-own"), Some("1"));
    let hit = get("/?p=1&utm=b", "other=2; comment_author=x").await;
    assert_eq!((hit.x_cache(), hit.text()), ("Hit", "/?p=1&utm=a"));
    assert_eq!(get("/?p=2", "comment_author=x").await.x_cache(), "Miss");
    // Names with wildcards.
    for (cookie, sent) in [
        ("wordpress_logged_in_7f=u", Some("wordpress_logged_in_7f=u")),
        ("wp-settings-1=a", Some("wp-settings-1=a")),
        ("wp-settings-12=a", None),
        ("xwordpress_logged_in_=u", None),
    ] {
        get("/?p=3", cookie).await;
        let seen = origin.last();
        if sent.is_some() {
            assert_eq!(seen.header("cookie"), sent);
        } else {
            // Nothing of it is keyed, so one of them is the other's hit.
            assert_eq!(get("/?p=3", "").await.x_cache(), "Hit", "{cookie}");
        }
    }

    // All headers: nothing is kept.
    for _ in 0..2 {
        let before = origin.count();
        let admin = get("/wp-admin/index.php?x=1", "a=1").await;
        assert_eq!((admin.status, admin.x_cache()), (200, "Miss"));
        assert_eq!(origin.count(), before + 1);
        assert_eq!(origin.last().header("cookie"), Some("a=1"));
    }

    // Nothing is forwarded.
    assert_eq!(
        get("/wp-content/a.png?v=1", "a=1").await.text(),
        "/wp-content/a.png"
    );
    assert_eq!(get("/wp-content/a.png?v=2", "b=1").await.x_cache(), "Hit");
    assert_eq!(origin.last().header("cookie"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_origins_with_functions_and_policies_serve() {
    // CF-020, CF-025, CF-072, CF-442, CF-446, LE-411
    let primary = Origin::start(|seen| match &*seen.target {
        "/broken" => Reply::status(503),
        target => Reply::ok(format!("primary {target}")),
    })
    .await;
    let secondary = telling().await;
    let document = at(FAILOVER, "origin.example.com", &primary);
    let document = at(&document, "spare.example.com", &secondary);
    let edge = Edge::new()
        .document(&document)
        .top("cache_policies: { pages: { id: 5d0c7b1e-0000-4000-8000-00000000cafe, default_ttl: 30, query_strings: [page] } }")
        .top("origin_request_policies: { tests: { id: 6e1d8c2f-0000-4000-8000-00000000cafe, headers: [X-Test] } }")
        .function(
            "cache-headers",
            "exports.handler = async (event) => { const r = event.Records[0].cf.response; r.headers['x-from'] = [{ key: 'X-From', value: 'lambda' }]; return r; };",
        )
        .cloudfront_function(
            "add-index",
            "function handler(event) { var r = event.request; if (r.uri.endsWith('/')) r.uri += 'index.html'; return r; }",
            "",
        )
        .start_at("")
        .await;

    let page = edge
        .request("GET", "/docs/?page=1&x=2")
        .header("X-Test", "t");
    let page = page.send().await;
    assert_eq!(page.text(), "primary /docs/index.html?page=1");
    assert_eq!(page.header("x-from"), Some("lambda"));
    let seen = primary.last();
    assert_eq!(
        (seen.header("x-test"), seen.header("x-site")),
        (Some("t"), Some("primary"))
    );
    assert_eq!(edge.get("/docs/?page=1&x=3").await.x_cache(), "Hit");
    let spare = edge.get("/broken").await;
    assert_eq!((spare.status, spare.text()), (200, "/mirror/broken"));
    // The second behaviour: no cache, everything of the viewer's, and CORS.
    let api = edge
        .request("POST", "/api/a?x=1")
        .header("Origin", "https://a.test");
    let api = api.body("b").send().await;
    assert_eq!(api.text(), "primary /api/a?x=1");
    assert_eq!(api.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test(flavor = "multi_thread")]
async fn media_behind_signatures_and_borders_serves() {
    // CF-020, CF-025, CF-048, CF-070, CF-560, CF-600
    let origin = telling().await;
    let (id, pem) = key("rsa");
    let pem = pem.replace('\n', "\\n");
    let edge = Edge::new()
        .document(&at(MEDIA, "origin.example.com", &origin))
        .top(&format!(
            "public_keys: {{ rsa: {{ id: {id}, pem: \"{pem}\" }} }}"
        ))
        .top("key_groups: { viewers: { id: 1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d, keys: [rsa] } }")
        .node("geo_database: ./country.mmdb");
    let database = |country| country_database(&[("127.0.0.0/8", country)]);
    std::fs::write(edge.dir().join("country.mmdb"), database("DE")).expect("a writable directory");
    let edge = edge.start_at("").await;
    assert_eq!(
        edge.node().snapshot().site().distributions()[0].id,
        "EDFDVBD6EXAMPLE"
    );
    assert_eq!(
        said(&edge, "viewer.test", "/a").await,
        is(200, "/a", "Miss")
    );
    assert_eq!(edge.get("/private/a").await.status, 403);
    let signed = Ask::of("canned");
    assert_eq!(signed.send(&edge).await.status, 200, "{signed:?}");
    std::fs::write(edge.site_dir().join("country.mmdb"), database("FR")).expect("a writable file");
    edge.reload(&edge.site_file()).expect("a good site file");
    assert_eq!(edge.get("/a").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_serves_and_so_does_its_successor() {
    // CF-021, CF-027, CF-040, CF-590
    let origin = telling().await;
    let document = at(TEMPLATE, "origin.example.com", &origin);
    let edge = Edge::new()
        .document(&document)
        .cloudfront_function(
            "mark",
            "function handler(event) { var r = event.response; r.headers['x-mark'] = { value: '1' }; return r; }",
            "",
        )
        .start_at("")
        .await;
    let host = "app.example.com";
    assert_eq!(
        said(&edge, host, "/").await,
        is(200, "/v2/home.html", "Miss")
    );
    assert_eq!(said(&edge, host, "/").await.2, "Hit");
    assert_eq!(said(&edge, host, "/missing-1").await.1, "/v2/missing.html");
    assert_eq!(said(&edge, host, "/live/a").await.2, "Miss");
    assert_eq!(said(&edge, host, "/live/a").await.2, "Miss");
    assert_eq!(origin.last().header("x-env"), Some("production"));
    // Unknown hosts are nobody's: the document has aliases.
    assert_eq!(said(&edge, "other.test", "/").await.0, 403);

    // A document that changes is a site that changes; one that does not hold keeps the old one.
    edge.write(
        "distribution.json",
        &document.replace("home.html", "start.html"),
    );
    edge.reload(&edge.site_file()).expect("a good document");
    assert_eq!(said(&edge, host, "/").await.1, "/v2/start.html");
    edge.write(
        "distribution.json",
        &document.replace("TargetOriginId: app", "TargetOriginId: ap"),
    );
    let refused = edge.reload(&edge.site_file()).expect_err("a bad document");
    assert!(
        refused.contains("distribution.json")
            && refused.contains("/DefaultCacheBehavior/TargetOriginId: NoSuchOrigin"),
        "{refused}"
    );
    assert_eq!(said(&edge, host, "/").await.1, "/v2/start.html");
}
