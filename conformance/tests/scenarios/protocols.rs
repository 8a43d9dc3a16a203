//! What a behaviour says holds whatever a viewer speaks: plain HTTP, HTTP/1.1 over TLS, HTTP/2.

use std::io::Read as _;

use fourfront_conformance::{
    Answer, Authority, Edge, Origin, Reply, Request, Running, SecureViewer,
};

use super::signed::vectors;

const NAME: &str = "viewer.test";

fn page() -> String {
    "<li class=\"entry\">All the world is a page</li>\n".repeat(200)
}

async fn origin() -> Origin {
    Origin::start(|seen| {
        let reply = match seen.target.as_str() {
            "/missing" => Reply::status(404).body("nothing"),
            "/errors/404.html" => Reply::ok("the page for it"),
            _ => Reply::ok(page()),
        };
        reply
            .header("Content-Type", "text/html")
            .header("Cache-Control", "max-age=60")
            .header("X-Powered-By", "origin")
    })
    .await
}

/// The three ways, by name, each with how a request goes it.
struct Ways {
    edge: Running,
    tls: SecureViewer,
}

impl Ways {
    async fn start(edge: Edge, origin: &Origin) -> Self {
        let authority = Authority::new();
        let edge = edge
            .certificate("site", &authority.pem_pair(&[NAME]))
            .start(origin)
            .await;
        Self {
            edge,
            tls: SecureViewer::trusting(&authority),
        }
    }

    fn all(&self, method: &str, target: &str) -> [(&'static str, Request); 3] {
        let request = || self.edge.request(method, target);
        [
            ("plain", request()),
            ("tls", self.edge.secure_request(&self.tls, method, target)),
            (
                "h2",
                self.edge.secure_request(&self.tls.h2(), method, target),
            ),
        ]
    }
}

fn unpacked(answer: &Answer) -> String {
    let mut out = String::new();
    let mut body = brotli::Decompressor::new(&*answer.body, 4096);
    body.read_to_string(&mut out).expect("a body in br");
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_compression_and_pages_are_the_same_on_all() {
    // CF-010.16, CF-010.17, CF-546, CF-552, CF-554, CF-592, CF-593
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("compress: true")
        .behavior("response_headers_policy: { custom_headers_config: [{ header: X-Served-For, value: shop, override: true }], remove_headers_config: [X-Powered-By] }")
        .distribution("custom_error_responses: [{ error_code: 404, response_page_path: /errors/404.html, response_code: 404 }]");
    let ways = Ways::start(edge, &origin).await;
    let mut first = None;
    for _ in 0..2 {
        for (way, request) in ways.all("GET", "/") {
            let answer = request.header("Accept-Encoding", "br").send().await;
            let token = if first.is_none() { "Miss" } else { "Hit" };
            assert_eq!((answer.status, answer.x_cache()), (200, token), "{way}");
            assert_eq!(answer.header("content-encoding"), Some("br"), "{way}");
            assert_eq!(unpacked(&answer), page(), "{way}");
            let body = first.get_or_insert_with(|| answer.body.clone());
            assert_eq!(answer.body, *body, "{way}");
            assert_eq!(answer.header("x-served-for"), Some("shop"), "{way}");
            assert_eq!(answer.header("x-powered-by"), None, "{way}");
            // Hits are counted by the bytes that viewers get.
            let record = ways.edge.record_of(&answer).await;
            assert_eq!(record.to_json()["x-edge-result-type"], token, "{way}");
        }
        for (way, request) in ways.all("GET", "/missing") {
            let answer = request.send().await;
            assert_eq!(
                (answer.status, answer.text()),
                (404, "the page for it"),
                "{way}"
            );
            assert_eq!(answer.x_cache(), "Error", "{way}");
            assert_eq!(answer.header("x-served-for"), Some("shop"), "{way}");
        }
        for (way, request) in ways.all("HEAD", "/missing") {
            let answer = request.send().await;
            assert_eq!((answer.status, answer.body.len()), (404, 0), "{way}");
        }
    }
    let asked = |path: &str| origin.seen().iter().filter(|s| s.target == path).count();
    assert_eq!((asked("/"), asked("/errors/404.html")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_past_a_signature() {
    // CF-010.9, CF-560, CF-575, CF-576
    let origin = origin().await;
    let edge = vectors::edge("cache_policy: { min_ttl: 0 }");
    let ways = Ways::start(edge, &origin).await;
    for _ in 0..2 {
        for (way, request) in ways.all("GET", "/private/a") {
            let answer = request.send().await;
            assert_eq!(answer.status, 403, "{way}");
            assert!(
                answer.text().contains("<Code>MissingKey</Code>"),
                "{way}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_https_carries_what_the_policy_adds() {
    // CF-010.6, CF-523, CF-524
    let origin = origin().await;
    let edge = Edge::new()
        .behavior("viewer_protocol_policy: redirect-to-https")
        .behavior("response_headers_policy: Managed-SecurityHeadersPolicy");
    let ways = Ways::start(edge, &origin).await;
    for (way, request) in ways.all("GET", "/a") {
        let answer = request.send().await;
        let status = if way == "plain" { 301 } else { 200 };
        assert_eq!(answer.status, status, "{way}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{way}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gets_its_answer_when_the_origin_is_gone() {
    // CF-597, CF-772, CF-782
    let origin = origin().await;
    let edge = Edge::new()
        .origin("gone: http://127.0.0.1:9")
        .path("/gone/*", "origin: gone")
        .path("/empty/*", "origin: gone, on: { origin-request: move }")
        .function(
            "move",
            &fourfront_conformance::handler(
                "return { status: '302', headers: { location: [{ value: '/elsewhere' }] } };",
            ),
        );
    let ways = Ways::start(edge, &origin).await;
    for (way, request) in ways.all("HEAD", "/gone/a") {
        let answer = request.send().await;
        assert_eq!((answer.status, answer.body.len()), (502, 0), "{way}");
    }
    for (way, request) in ways.all("GET", "/empty/a") {
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("/elsewhere")),
            "{way}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_keeps_its_type_whether_its_length_is_told_or_not() {
    // CF-336, CF-370
    let origin = Origin::echo().await;
    let edge = Edge::new().behavior(fourfront_conformance::ALL_METHODS);
    let ways = Ways::start(edge, &origin).await;
    for (way, request) in ways.all("POST", "/a") {
        let request = request.header("Content-Type", "application/json");
        let answer = request.body("{}").send().await;
        assert_eq!(answer.status, 200, "{way}");
        assert_eq!(
            origin.last().header("content-type"),
            Some("application/json"),
            "{way}"
        );
        assert_eq!(origin.last().body, "{}", "{way}");
    }
}
