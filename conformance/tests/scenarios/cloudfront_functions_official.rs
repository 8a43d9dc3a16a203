//! The public examples of CloudFront Functions, run as they are meant (LE section 9.2).

use fourfront_conformance::{Edge, Origin, Reply, Running};

const V1: &str = "runtime: cloudfront-js-1.0";
const V2: &str = "runtime: cloudfront-js-2.0";

/// A node whose default behaviour runs one function at one event.
fn edge(event: &str, code: &str, settings: &str) -> Edge {
    Edge::new()
        .cloudfront_function("f", code, settings)
        .behavior(&format!("on: {{ {event}: f }}"))
}

fn forwarding(headers: &str) -> String {
    format!("origin_request_policy: {{ headers: [{headers}] }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn security_headers_are_added_to_answers_that_are_no_errors() {
    // LE-530, LE-424
    let origin = Origin::start(|request| {
        let status = if request.target == "/gone" { 404 } else { 200 };
        Reply::status(status)
            .header("Cache-Control", "max-age=60")
            .body("x")
    })
    .await;
    let code = "function handler(event) {
        var response = event.response;
        var headers = response.headers;
        headers['strict-transport-security'] = { value: 'max-age=63072000; includeSubdomains; preload' };
        headers['content-security-policy'] = { value: \"default-src 'none'; img-src 'self'\" };
        headers['x-content-type-options'] = { value: 'nosniff' };
        headers['x-frame-options'] = { value: 'DENY' };
        headers['x-xss-protection'] = { value: '1; mode=block' };
        return response;
    }";
    let edge = edge("viewer-response", code, V1).start(&origin).await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), token);
        for name in [
            "strict-transport-security",
            "content-security-policy",
            "x-content-type-options",
            "x-frame-options",
            "x-xss-protection",
        ] {
            assert!(answer.header(name).is_some(), "{name}");
        }
        assert_eq!(answer.text(), "x");
    }
    let gone = edge.get("/gone").await;
    assert_eq!((gone.status, gone.header("x-frame-options")), (404, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_cors_header_is_added_and_logged() {
    // LE-531, LE-440
    let origin = Origin::start(|request| {
        let reply = Reply::ok("x").header("Cache-Control", "max-age=60");
        if request.target == "/with" {
            reply.header("Access-Control-Allow-Origin", "https://a.test")
        } else {
            reply
        }
    })
    .await;
    let code = "function handler(event) {
        var response = event.response;
        if (!response.headers['access-control-allow-origin']) {
            response.headers['access-control-allow-origin'] = { value: '*' };
            console.log('Access-Control-Allow-Origin was missing, adding it now.');
        }
        return response;
    }";
    let edge = edge("viewer-response", code, V1).start(&origin).await;
    let without = edge.get("/without").await;
    assert_eq!(without.all("access-control-allow-origin"), ["*"]);
    let with = edge.get("/with").await;
    assert_eq!(with.all("access-control-allow-origin"), ["https://a.test"]);
    let logs = edge.logs();
    let lines: Vec<&str> = logs.iter().map(|l| l.message.as_str()).collect();
    assert_eq!(
        lines,
        [
            "START",
            "Access-Control-Allow-Origin was missing, adding it now.",
            "END"
        ]
    );
    let id = without.header("x-amz-cf-id").unwrap_or_default();
    assert!(logs.iter().all(|l| l.invocation_id == id), "{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_control_for_viewers_leaves_the_stored_object_alone() {
    // LE-532
    let origin = Origin::saying("x").await;
    let code = "function handler(event) {
        var response = event.response;
        response.headers['cache-control'] = { value: 'public, max-age=63072000' };
        return response;
    }";
    let edge = edge("viewer-response", code, V1).start(&origin).await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), token);
        assert_eq!(
            answer.header("cache-control"),
            Some("public, max-age=63072000")
        );
    }
    edge.advance(61);
    edge.get("/").await;
    assert_eq!(origin.count(), 2, "the origin's minute is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_true_client_ip_goes_where_the_policy_lets_it() {
    // LE-533, LE-402
    let code = "function handler(event) {
        var request = event.request;
        request.headers['true-client-ip'] = { value: event.viewer.ip };
        return request;
    }";
    let origin = Origin::saying("x").await;
    let listed = edge("viewer-request", code, V1)
        .behavior(&forwarding("True-Client-Ip"))
        .start(&origin)
        .await;
    listed.get("/").await;
    assert_eq!(origin.last().header("true-client-ip"), Some("127.0.0.1"));
    let unlisted = edge("viewer-request", code, V1).start(&origin).await;
    unlisted.get("/").await;
    assert_eq!(origin.last().header("true-client-ip"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_origin_header_is_made_of_the_host() {
    // LE-534
    let code = "function handler(event) {
        var headers = event.request.headers;
        var host = headers.host.value;
        if (!headers.origin) headers.origin = { value: `https://${host}` };
        return event.request;
    }";
    let origin = Origin::saying("x").await;
    let edge = edge("viewer-request", code, V1)
        .behavior(&forwarding("Origin"))
        .start(&origin)
        .await;
    edge.request("GET", "/without")
        .header("Host", "www.test")
        .send()
        .await;
    assert_eq!(origin.last().header("origin"), Some("https://www.test"));
    edge.request("GET", "/with")
        .header("Origin", "https://other.test")
        .send()
        .await;
    assert_eq!(origin.last().header("origin"), Some("https://other.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_of_a_single_page_site_get_their_index() {
    // LE-535
    let code = "async function handler(event) {
        const request = event.request;
        const uri = request.uri;
        if (uri.endsWith('/')) request.uri += 'index.html';
        else if (!uri.includes('.')) request.uri += '/index.html';
        return request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, V2).start(&origin).await;
    for (asked, got) in [
        ("/a/", "/a/index.html"),
        ("/a", "/a/index.html"),
        ("/a.js", "/a.js"),
    ] {
        assert_eq!(edge.get(asked).await.text(), got);
    }
    assert_eq!(origin.count(), 2, "/a/ and /a are one object");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_in_any_order_share_one_object() {
    // LE-536, LE-420
    let code = "function handler(event) {
        var qs = [];
        for (var key in event.request.querystring) {
            if (event.request.querystring[key].multiValue) {
                event.request.querystring[key].multiValue.forEach(function (mv) { qs.push(key + '=' + mv.value); });
            } else {
                qs.push(key + '=' + event.request.querystring[key].value);
            }
        }
        event.request.querystring = qs.sort().join('&');
        return event.request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, V1)
        .behavior("cache_policy: { default_ttl: 60, query_strings: all }")
        .start(&origin)
        .await;
    for (query, token) in [("b=2&a=1&a=0", "Miss"), ("a=0&b=2&a=1", "Hit")] {
        let answer = edge.get(&format!("/x?{query}")).await;
        assert_eq!((answer.text(), answer.x_cache()), ("/x?a=0&a=1&b=2", token));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_of_one_country_are_redirected() {
    // LE-537, LE-415, LE-429
    let code = "function handler(event) {
        var request = event.request;
        var headers = request.headers;
        var host = headers.host.value;
        var country = 'DE';
        var newurl = `https://${host}/de/index.html`;
        if (headers['cloudfront-viewer-country']) {
            var countryCode = headers['cloudfront-viewer-country'].value;
            if (countryCode === country) {
                return { statusCode: 302, statusDescription: 'Found', headers: { location: { value: newurl } } };
            }
        }
        return request;
    }";
    let origin = Origin::saying("x").await;
    let edge = edge("viewer-request", code, V1).start(&origin).await;
    let ask = |country: &'static str| {
        let request = edge.request("GET", "/").header("Host", "www.test");
        request.header("CloudFront-Viewer-Country", country).send()
    };
    let german = ask("DE").await;
    assert_eq!(
        (german.status, german.x_cache()),
        (302, "FunctionGeneratedResponse")
    );
    assert_eq!(
        german.header("location"),
        Some("https://www.test/de/index.html")
    );
    assert_eq!(ask("FR").await.text(), "x");
}

const WEIGHTS: &str = r#"{"data":[{"key":"shop","value":"{\"/blue\":0,\"/green\":1}"},{"key":"blog","value":"{\"/blue\":1,\"/green\":0}"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn weights_from_a_store_choose_a_prefix() {
    // LE-538, LE-471
    let code = "import cf from 'cloudfront';
    const store = cf.kvs();
    async function handler(event) {
        const request = event.request;
        if (request.cookies['stay']) return request;
        const segment = request.uri.split('/')[1];
        let weights;
        try { weights = await store.get(segment, { format: 'json' }); } catch (err) { return request; }
        let draw = Math.random();
        for (const prefix in weights) {
            draw -= weights[prefix];
            if (draw < 0) { request.uri = prefix + request.uri; break; }
        }
        return request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, "store: weights")
        .store("weights", WEIGHTS)
        .start(&origin)
        .await;
    assert_eq!(edge.get("/shop/a").await.text(), "/green/shop/a");
    assert_eq!(edge.get("/blog/a").await.text(), "/blue/blog/a");
    assert_eq!(edge.get("/other/a").await.text(), "/other/a");
    let stays = edge
        .request("GET", "/shop/a")
        .header("Cookie", "stay=1")
        .send()
        .await;
    assert_eq!(stays.text(), "/shop/a");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_origin_is_chosen_by_country() {
    // LE-539, LE-475, LE-476, LE-478
    let far = Origin::saying("default").await;
    let near = Origin::saying("regional").await;
    let code = format!(
        "import cf from 'cloudfront';
        function handler(event) {{
            const request = event.request;
            const country = request.headers['cloudfront-viewer-country'];
            if (country && country.value === 'FR') {{
                cf.updateRequestOrigin({{
                    domainName: 'localhost',
                    customOriginConfig: {{ port: {port}, protocol: 'http', sslProtocols: ['TLSv1.2'] }},
                    originAccessControlConfig: {{ enabled: false, region: 'eu-west-3', signingBehavior: 'always', signingProtocol: 'sigv4', originType: 's3' }},
                }});
            }}
            return request;
        }}",
        port = near.url().rsplit(':').next().expect("a port")
    );
    let edge = edge("viewer-request", &code, V2)
        .node("hooks: { local_egress: true }")
        .start(&far)
        .await;
    let from = |country: &'static str, path: &'static str| {
        edge.request("GET", path)
            .header("CloudFront-Viewer-Country", country)
            .send()
    };
    assert_eq!(from("FR", "/fr").await.text(), "regional");
    assert_eq!(near.last().header("host"), Some("localhost"));
    assert_eq!(edge.get("/none").await.text(), "default");
    // The origin is no part of the key.
    assert_eq!(from("US", "/fr").await.text(), "regional");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_segment_is_replaced_by_what_the_store_says() {
    // LE-540, LE-461, LE-471
    let code = "import cf from 'cloudfront';
    const kvsHandle = cf.kvs('paths');
    async function handler(event) {
        const request = event.request;
        const parts = request.uri.split('/');
        try {
            parts[1] = await kvsHandle.get(parts[1]);
            request.uri = parts.join('/');
        } catch (err) {
            console.log(`${request.uri} | ${err}`);
        }
        return request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, "store: paths")
        .store("paths", r#"{"data":[{"key":"old","value":"new/place"}]}"#)
        .start(&origin)
        .await;
    assert_eq!(edge.get("/old/a").await.text(), "/new/place/a");
    assert_eq!(edge.get("/else/a").await.text(), "/else/a");
    let logs = edge.logs();
    assert_eq!(logs[1].message, "/else/a | KeyNotFound: Key not found");
}

const VALID: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIiwibmJmIjoxNzcyNTI4MzQwLCJleHAiOjE3NzI1Mjg0NjB9.jmjunwXz18xgszxiQxqNQJ5eS8tGkTdwCGg3bx9Z3gg";
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3NzI1MjgzOTl9._AtQnSHugaxXtqJDnB-vILqkcM6-LOggg3NAk8O03AQ";
const EARLY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE3NzI1Mjg0NjAsImV4cCI6MTc3MjUyODUyMH0.IvlJNdg90xONlaPYZZQzy0IIiXpUVkgwdJw6atNrdMw";
const FORGED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3NzI1Mjg0NjB9.GED1rXOU-70x78LR9a0gRQX_IVlKRCM-IogG5Z-ouac";

/// What both versions of the check do with a token.
async fn tokens_are_checked(edge: &Running) {
    let passed = edge.get(&format!("/video?q=1&jwt={VALID}")).await;
    assert_eq!((passed.status, passed.text()), (200, "/video?q=1"));
    for query in [
        format!("jwt={EXPIRED}"),
        format!("jwt={EARLY}"),
        format!("jwt={FORGED}"),
        "jwt=a.b.c".to_owned(),
        "q=1".to_owned(),
    ] {
        let refused = edge.get(&format!("/video?{query}")).await;
        assert_eq!(
            (refused.status, refused.x_cache()),
            (401, "FunctionGeneratedResponse"),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_checked_with_a_secret_from_the_store() {
    // LE-541, LE-456, LE-458
    let code = "import crypto from 'crypto';
    import cf from 'cloudfront';
    const response401 = { statusCode: 401, statusDescription: 'Unauthorized' };
    const kvsHandle = cf.kvs();
    function decode(token, key) {
        const segments = token.split('.');
        if (segments.length !== 3) throw new Error('Not enough or too many segments');
        const input = [segments[0], segments[1]].join('.');
        const sign = crypto.createHmac('sha256', key).update(input).digest('base64url');
        if (sign !== segments[2]) throw new Error('Signature verification failed');
        const payload = JSON.parse(Buffer.from(segments[1], 'base64url').toString('utf8'));
        if (payload.nbf && Date.now() < payload.nbf * 1000) throw new Error('Token not yet active');
        if (payload.exp && Date.now() > payload.exp * 1000) throw new Error('Token expired');
        return payload;
    }
    async function handler(event) {
        const request = event.request;
        if (!request.querystring.jwt) return response401;
        try {
            decode(request.querystring.jwt.value, await kvsHandle.get('jwt.secret'));
        } catch (e) {
            console.log(e);
            return response401;
        }
        delete request.querystring.jwt;
        return request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, "store: secrets")
        .store(
            "secrets",
            r#"{"data":[{"key":"jwt.secret","value":"secret"}]}"#,
        )
        .behavior("cache_policy: { default_ttl: 60, query_strings: all }")
        .start(&origin)
        .await;
    tokens_are_checked(&edge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_checked_in_1_0_with_strings_of_bytes() {
    // LE-542, LE-457, LE-458
    let code = "var crypto = require('crypto');
    var response401 = { statusCode: 401, statusDescription: 'Unauthorized' };
    var key = 'secret';
    function b64(str) { return String.bytesFrom(str, 'base64url'); }
    function decode(token) {
        var segments = token.split('.');
        if (segments.length !== 3) throw new Error('Not enough or too many segments');
        var sign = crypto.createHmac('sha256', key).update(segments[0] + '.' + segments[1]).digest();
        if (sign !== b64(segments[2])) throw new Error('Signature verification failed');
        var payload = JSON.parse(b64(segments[1]).fromUTF8());
        if (payload.nbf && Date.now() < payload.nbf * 1000) throw new Error('Token not yet active');
        if (payload.exp && Date.now() > payload.exp * 1000) throw new Error('Token expired');
        return payload;
    }
    function handler(event) {
        var request = event.request;
        if (!request.querystring.jwt) return response401;
        try { decode(request.querystring.jwt.value); } catch (e) { return response401; }
        delete request.querystring.jwt;
        return request;
    }";
    let origin = Origin::echo().await;
    let edge = edge("viewer-request", code, V1)
        .behavior("cache_policy: { default_ttl: 60, query_strings: all }")
        .start(&origin)
        .await;
    tokens_are_checked(&edge).await;
}
