//! Handlers for Lambda@Edge that others have published, byte for byte as the npm registry has them (LE-356, LE-357).
//!
//! | package | version | handlers | licence |
//! |---|---|---|---|
//! | `@sls-next/lambda-at-edge` | 3.7.0 | next/image, made with sharp | MIT |
//! | `@henrist/cdk-cloudfront-auth` | 2.1.44 | signing in at Cognito: check, parse, refresh, sign out, headers | MIT |
//! | `@cloudcomponents/cdk-lambda-at-edge-pattern` | 1.43.0 | headers, index pages | MIT |
//!
//! Nothing of theirs is in this repository: they are installed from `conformance/npm/handlers`, which has pictures and the
//! files that the packages' deploy tools would write beside the handlers. All of these are finished bundles. What the packages
//! depend on, more than six hundred others, is for those deploy tools and left out. So of what `npm install
//! --package-lock-only --legacy-peer-deps` writes, the lock file keeps these three alone, without `dependencies`.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fourfront_conformance::{Answer, Edge, Origin, Reply, Running};

use super::npm::installed;

/// Adds a function: a directory of a package as it is, and beside it what is in one of ours.
fn published(edge: Edge, name: &str, package_dir: &str, ours: &str, settings: &str) -> Edge {
    let (source, modules) = installed("handlers");
    let bundle = edge.dir().join(name);
    fs::create_dir(&bundle).expect("a new directory");
    for dir in [
        modules.join("node_modules").join(package_dir),
        source.join(ours),
    ] {
        for file in fs::read_dir(&dir).expect("a directory") {
            let file = file.expect("an entry");
            fs::copy(file.path(), bundle.join(file.file_name())).expect("a copy");
        }
    }
    edge.bundle_dir(name, &bundle, settings)
}

// --- next/image ------------------------------------------------------------------------------------------------

/// A server of the pictures in `conformance/npm/handlers/images`, and of one that is cut short.
async fn pictures() -> Origin {
    let dir = installed("handlers").0.join("images");
    Origin::start(move |request| {
        let (name, most) = match request.target.trim_start_matches('/') {
            "cut.jpg" => ("photo.jpg", 5_000),
            name => (name, usize::MAX),
        };
        let kind = match Path::new(name).extension().and_then(|e| e.to_str()) {
            Some("jpg") => "image/jpeg",
            Some("png") => "image/png",
            _ => "image/gif",
        };
        match fs::read(dir.join(name)) {
            Ok(mut bytes) => {
                bytes.truncate(most);
                Reply::ok(bytes)
                    .header("Content-Type", kind)
                    .header("Cache-Control", "public, max-age=600")
            }
            Err(_) => Reply::status(404),
        }
    })
    .await
}

/// A node whose images come from the handler. Its origin has to be a bucket, which is asked only for what has no host.
async fn next_image(variant: &str) -> Running {
    published(
        Edge::new(),
        "image",
        &format!("@sls-next/lambda-at-edge/dist/image-handler/{variant}"),
        "image-handler",
        "memory: 512, timeout: 30",
    )
    .node("hooks: { local_egress: true }")
    .origin("bucket: { domain_name: pictures.s3.us-east-1.amazonaws.com, s3_origin_config: {} }")
    .behavior("origin: bucket")
    .behavior("cache_policy: { query_strings: [url, w, q], headers: [Accept], min_ttl: 0 }")
    .behavior("on: { origin-request: image }")
    .start_at("")
    .await
}

/// Asks for an image in that width.
async fn image(edge: &Running, url: &str, width: u32, accept: &str) -> Answer {
    let url = url.replace(':', "%3A").replace('/', "%2F");
    edge.request("GET", &format!("/_next/image?url={url}&w={width}&q=75"))
        .header("Accept", accept)
        .send()
        .await
}

/// Format, width and height, as the bytes tell.
fn picture(bytes: &[u8]) -> Option<(&'static str, u32, u32)> {
    let join = |n: u32, digit: &u8| (n << 8) | u32::from(*digit);
    let big = |at: usize, length: usize| Some(bytes.get(at..at + length)?.iter().fold(0, join));
    let little =
        |at: usize, length: usize| Some(bytes.get(at..at + length)?.iter().rev().fold(0, join));
    if bytes.starts_with(b"\x89PNG") {
        Some(("png", big(16, 4)?, big(20, 4)?))
    } else if bytes.starts_with(b"GIF8") {
        Some(("gif", little(6, 2)?, little(8, 2)?))
    } else if bytes.starts_with(b"\xFF\xD8") {
        let mut at = 2;
        // The segments before the one that begins the frame.
        while !matches!(bytes.get(at + 1)?, 0xC0..=0xC2) {
            at += 2 + usize::try_from(big(at + 2, 2)?).ok()?;
        }
        Some(("jpeg", big(at + 7, 2)?, big(at + 5, 2)?))
    } else if bytes.get(8..16)? == b"WEBPVP8X" {
        Some(("webp", little(24, 3)? + 1, little(27, 3)? + 1))
    } else if bytes.get(8..16)? == b"WEBPVP8 " {
        Some(("webp", little(26, 2)?, little(28, 2)?))
    } else if bytes.get(4..12)? == b"ftypavif" {
        // The first property that tells a size is the image's own: there is no other without alpha.
        let at = bytes.windows(4).position(|w| w == b"ispe")?;
        Some(("avif", big(at + 8, 4)?, big(at + 12, 4)?))
    } else {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_image_gives_each_viewer_the_smallest_picture_it_takes() {
    // LE-356, LE-357, NC-70, NC-111, NC-112, LE-164, LE-167
    let origin = pictures().await;
    let photo = format!("{}/photo.jpg", origin.url());
    for variant in ["standard", "minified"] {
        let edge = next_image(variant).await;
        // 800 by 600 as it is stored.
        for (accept, kind, format) in [
            ("image/webp,image/*,*/*;q=0.8", "image/webp", "webp"),
            ("image/avif,image/webp,*/*;q=0.8", "image/avif", "avif"),
            ("image/png,image/*;q=0.8", "image/jpeg", "jpeg"),
        ] {
            let before = origin.count();
            let made = image(&edge, &photo, 320, accept).await;
            assert_eq!((made.status, made.x_cache()), (200, "Miss"), "{accept}");
            assert_eq!(made.header("content-type"), Some(kind));
            assert_eq!(picture(&made.body), Some((format, 320, 240)), "{accept}");
            assert!(made.body.len() < 16_000, "{accept}: {}", made.body.len());
            // The lifetime is that of the picture it was made of.
            assert_eq!(made.header("cache-control"), Some("public, max-age=600"));

            let again = image(&edge, &photo, 320, accept).await;
            assert_eq!((again.status, again.x_cache()), (200, "Hit"), "{accept}");
            assert_eq!(again.body, made.body);
            assert_eq!(origin.count(), before + 1, "{accept}");
        }
        // No wider than it is.
        let wide = image(&edge, &photo, 1_080, "image/webp").await;
        assert_eq!(picture(&wide.body), Some(("webp", 800, 600)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_image_turns_pictures_the_right_way_and_keeps_what_is_transparent() {
    // LE-356, NC-70, NC-112, NC-114
    let origin = pictures().await;
    let edge = next_image("standard").await;
    let at = |name: &str| format!("{}/{name}", origin.url());

    // 150 by 100, to be turned by 90 degrees: 100 wide then, of which 64 are asked for.
    for (accept, format) in [("*/*", "jpeg"), ("image/webp", "webp")] {
        let turned = image(&edge, &at("turned.jpg"), 64, accept).await;
        let (got, width, height) = picture(&turned.body).expect("a picture");
        assert_eq!((got, width), (format, 64), "{accept}");
        assert!(height > width, "{width} by {height}");
        let has_exif = turned.body.windows(4).any(|w| w == b"Exif");
        assert!(!has_exif, "it would be turned twice");
    }

    let cutout = image(&edge, &at("cutout.png"), 128, "*/*").await;
    assert_eq!(cutout.header("content-type"), Some("image/png"));
    assert_eq!(picture(&cutout.body), Some(("png", 128, 96)));
    let cutout = image(&edge, &at("cutout.png"), 128, "image/webp").await;
    assert_eq!(picture(&cutout.body), Some(("webp", 128, 96)));
    let (chunk, flags) = (&cutout.body[12..16], cutout.body[20]);
    assert_eq!((chunk, flags & 0x10), (&b"VP8X"[..], 0x10), "it has alpha");

    // What moves is left alone.
    let moving = image(&edge, &at("moving.gif"), 64, "image/webp").await;
    assert_eq!(moving.header("content-type"), Some("image/gif"));
    assert_eq!(picture(&moving.body), Some(("gif", 40, 30)));
}

#[tokio::test(flavor = "multi_thread")]
async fn next_image_refuses_what_it_was_not_set_up_for() {
    // LE-356, LE-027, NC-70
    let origin = pictures().await;
    let edge = next_image("standard").await;
    let photo = format!("{}/photo.jpg", origin.url());
    for (url, width, message) in [
        (&*photo, 77, "\"w\" parameter (width) of 77 is not allowed"),
        (
            "http://elsewhere.test/photo.jpg",
            64,
            "\"url\" parameter is not allowed",
        ),
        (
            "file:///var/task/manifest.json",
            64,
            "\"url\" parameter is invalid",
        ),
        ("", 64, "\"url\" parameter is required"),
    ] {
        let refused = image(&edge, url, width, "image/webp").await;
        assert_eq!((refused.status, refused.text()), (400, message), "{url}");
    }
    assert_eq!(origin.count(), 0);

    let missing = image(&edge, &format!("{}/none.jpg", origin.url()), 64, "*/*").await;
    assert_eq!(
        (missing.status, missing.text()),
        (
            404,
            "\"url\" parameter is valid but upstream response is invalid"
        )
    );
    assert_eq!(edge.get("/elsewhere").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn next_image_hands_on_what_is_no_whole_picture() {
    // LE-356, LE-351, NC-70
    let origin = pictures().await;
    let edge = next_image("standard").await;
    let cut = format!("{}/cut.jpg", origin.url());
    let answer = image(&edge, &cut, 64, "image/webp").await;
    assert_eq!(
        (
            answer.status,
            answer.header("content-type"),
            answer.body.len()
        ),
        (200, Some("image/jpeg"), 5_000)
    );
    let said = edge.logs();
    assert!(
        said.iter()
            .any(|l| l.message.starts_with("Error processing image with sharp")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn next_image_finds_in_tmp_what_it_made_before() {
    // LE-357, LE-356
    let origin = pictures().await;
    let edge = next_image("standard").await;
    let photo = format!("{}/photo.jpg", origin.url());
    let first = image(&edge, &photo, 128, "image/webp").await;
    edge.invalidate(&["/*"], false);
    let second = image(&edge, &photo, 128, "image/webp").await;
    assert_eq!((second.status, second.x_cache()), (200, "Miss"));
    assert_eq!(second.header("content-type"), Some("image/webp"));
    assert_eq!(second.body, first.body);
    // Made once: the second came out of /tmp/cache/images by a stream.
    assert_eq!(origin.count(), 1);
}

// --- Signing in at Cognito -------------------------------------------------------------------------------------

const AUTH: &str = "@henrist/cdk-cloudfront-auth/dist";
const CLIENT: &str = "CognitoIdentityServiceProvider.1example23456789";

/// A node with the behaviours that the package's construct makes. No function reaches beyond the machine.
async fn signing_in(origin: &Origin) -> Running {
    let mut edge = Edge::new();
    for name in [
        "check-auth",
        "parse-auth",
        "refresh-auth",
        "sign-out",
        "http-headers",
    ] {
        let dir = format!("{AUTH}/{name}");
        edge = published(edge, name, &dir, "auth", "egress: [127.0.0.0/8]");
    }
    let rest = "origin: origin, cache_policy: { min_ttl: 0, query_strings: all, cookies: all }";
    for (path, name) in [
        ("callback", "parse-auth"),
        ("refresh", "refresh-auth"),
        ("sign-out", "sign-out"),
    ] {
        edge = edge.path(
            &format!("/auth/{path}"),
            &format!("{rest}, on: {{ viewer-request: {name} }}"),
        );
    }
    edge.path(
        "/open/*",
        "origin: origin, cache_policy: { min_ttl: 0 }, on: { origin-response: http-headers }",
    )
    .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
    .behavior("on: { viewer-request: check-auth, origin-response: http-headers }")
    .start(origin)
    .await
}

async fn ask(edge: &Running, target: &str, cookies: &[String]) -> Answer {
    let request = edge.request("GET", target).header("Host", "shop.test");
    let request = if cookies.is_empty() {
        request
    } else {
        request.header("Cookie", &cookies.join("; "))
    };
    let answer = request.send().await;
    // What the functions add to each of their answers.
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
    answer
}

/// Where an answer sends the viewer: the URL before its query, and a parameter of that.
fn sent_to(answer: &Answer) -> (&str, impl Fn(&str) -> String) {
    assert_eq!(
        (answer.status, answer.x_cache()),
        (307, "LambdaGeneratedResponse"),
        "{answer:?}"
    );
    let location = answer.header("location").expect("a location");
    let (page, query) = location.split_once('?').unwrap_or((location, ""));
    let parameter = move |name: &str| {
        let mut pairs = query.split('&').filter_map(|p| p.split_once('='));
        let found = pairs.find(|(n, _)| *n == name);
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    (page, parameter)
}

/// The cookies that an answer sets, as a viewer sends them back.
fn kept(answer: &Answer) -> Vec<String> {
    let fields = answer.all("set-cookie").into_iter();
    fields
        .map(|c| c.split(';').next().unwrap_or_default().to_owned())
        .collect()
}

/// The cookies of somebody who signed in long ago.
fn ana() -> Vec<String> {
    let [header, claims] = [
        r#"{"alg":"RS256","kid":"k"}"#,
        r#"{"sub":"1","email":"ana@shop.test","cognito:username":"ana","exp":1577836800}"#,
    ]
    .map(|json| URL_SAFE_NO_PAD.encode(json));
    let token = format!("{header}.{claims}.c2ln");
    vec![
        format!("{CLIENT}.LastAuthUser=ana"),
        format!("{CLIENT}.ana.idToken={token}"),
        format!("{CLIENT}.ana.accessToken=access"),
        format!("{CLIENT}.ana.refreshToken=refresh"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_signs_in_with_a_nonce_that_only_its_browser_has() {
    // LE-356, LE-357, LE-506, LE-205, NC-15
    let origin = Origin::saying("private").await;
    let edge = signing_in(&origin).await;
    let sent = ask(&edge, "/account?tab=orders", &[]).await;
    let (page, parameter) = sent_to(&sent);
    assert_eq!(
        page,
        "https://pool.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "1example23456789"),
        ("redirect_uri", "https%3A%2F%2Fshop.test%2Fauth%2Fcallback"),
        ("scope", "email+openid"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(name), value, "{name}");
    }
    assert_eq!(parameter("code_challenge").len(), 43);
    for cookie in sent.all("set-cookie") {
        assert!(
            cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
    }
    let cookies = kept(&sent);
    assert_eq!(cookies.len(), 3, "nonce, its signature and the verifier");

    // The way back. Whose signature is good gets as far as the pool, which is out of reach here.
    let back = format!("/auth/callback?code=c&state={}", parameter("state"));
    let mut forged = cookies.clone();
    if let Some(c) = forged.iter_mut().find(|c| c.contains("-hmac=")) {
        c.pop();
    }
    let other = kept(&ask(&edge, "/account", &[]).await);
    let rows: [(&str, &[String], &str); 6] = [
        (&back, &cookies, "Contact administrator"),
        (&back, &[], "didn't send the nonce cookie along"),
        (&back, &other, "Nonce mismatch"),
        (&back, &forged, "Nonce signature mismatch"),
        (
            "/auth/callback?code=c&state=e30",
            &cookies,
            "does not include a valid \"state\" parameter",
        ),
        (
            "/auth/callback",
            &cookies,
            "does not include parameters \"state\" and \"code\"",
        ),
    ];
    for (target, cookies, why) in rows {
        let answer = ask(&edge, target, cookies).await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (503, "LambdaGeneratedResponse")
        );
        assert!(answer.text().contains(why), "{why}: {}", answer.text());
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_in_long_ago_is_refreshed_and_may_sign_out() {
    // LE-356, LE-357, LE-205, NC-18
    let origin = Origin::saying("private").await;
    let edge = signing_in(&origin).await;
    let old = ask(&edge, "/account?tab=orders", &ana()).await;
    let (page, parameter) = sent_to(&old);
    assert_eq!(page, "https://shop.test/auth/refresh");
    assert_eq!(parameter("requestedUri"), "%2Faccount%3Ftab%3Dorders");

    // The pool cannot be asked: the viewer goes back without its refresh token, so as to sign in again.
    let (_, query) = old
        .header("location")
        .and_then(|l| l.split_once('?'))
        .expect("a query");
    let refresh = format!("/auth/refresh?{query}");
    let cookies = [ana(), kept(&old)].concat();
    let answer = ask(&edge, &refresh, &cookies).await;
    assert_eq!(
        answer.header("location"),
        Some("https://shop.test/account?tab=orders")
    );
    let set = answer.all("set-cookie");
    let refresh_token = format!("{CLIENT}.ana.refreshToken=;");
    let gone = set.iter().find(|c| c.starts_with(&refresh_token));
    assert!(
        gone.is_some_and(|c| c.ends_with("Expires=Thu, 01 Jan 1970 00:00:00 GMT")),
        "{set:?}"
    );
    let without = ask(&edge, &refresh, &ana()).await;
    assert_eq!(without.status, 400);
    assert!(
        without
            .text()
            .contains("didn't send the nonce cookie along")
    );

    let out = ask(&edge, "/auth/sign-out", &ana()).await;
    let (page, parameter) = sent_to(&out);
    assert_eq!(page, "https://pool.auth.eu-west-1.amazoncognito.com/logout");
    assert_eq!(parameter("logout_uri"), "https%3A%2F%2Fshop.test%2F");
    let set = out.all("set-cookie");
    assert_eq!(set.len(), 10);
    for cookie in set {
        assert!(
            cookie.contains("=; ") && cookie.ends_with("01 Jan 1970 00:00:00 GMT"),
            "{cookie}"
        );
    }
    let stranger = ask(&edge, "/auth/sign-out", &[]).await;
    assert_eq!(sent_to(&stranger).0, "https://shop.test/");
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_published_function_says_of_caching_is_obeyed() {
    // LE-356, LE-025
    let origin = Origin::saying("open to all").await;
    let edge = signing_in(&origin).await;
    // The origin's minute gives way to the function's `no-cache`.
    for asked in 1..=2 {
        let answer = ask(&edge, "/open/a", &[]).await;
        assert_eq!((answer.text(), answer.x_cache()), ("open to all", "Miss"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=31536000; includeSubdomains; preload")
        );
        assert_eq!(origin.count(), asked);
    }
}

// --- Headers and index pages -----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_read_from_the_working_directory() {
    // LE-356, LE-357, NC-25, LE-023, LE-029
    let origin = Origin::start(|request| match &*request.target {
        "/none.html" => Reply::status(404),
        target => Reply::ok(target.to_owned()).header("Cache-Control", "max-age=60"),
    })
    .await;
    let mut edge = Edge::new();
    for name in ["http-headers", "origin-mutation"] {
        let dir = format!("@cloudcomponents/cdk-lambda-at-edge-pattern/lib/lambdas/{name}");
        edge = published(edge, name, &dir, "http-headers", "");
    }
    let edge = edge
        .behavior("cache_policy: { min_ttl: 0 }")
        .behavior("on: { origin-request: origin-mutation, viewer-response: http-headers }")
        .start(&origin)
        .await;
    for (target, asked) in [
        ("/", "/index.html"),
        ("/docs", "/docs/index.html"),
        ("/docs/", "/docs/index.html"),
        ("/docs/a.html", "/docs/a.html"),
    ] {
        for token in ["Miss", "Hit"] {
            let answer = edge.get(target).await;
            assert_eq!((answer.text(), answer.x_cache()), (asked, token));
            assert_eq!(answer.header("x-frame-options"), Some("DENY"));
            assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        }
    }
    // Viewer-response does not run for errors of the origin.
    let none = edge.get("/none.html").await;
    assert_eq!((none.status, none.header("x-frame-options")), (404, None));
}
