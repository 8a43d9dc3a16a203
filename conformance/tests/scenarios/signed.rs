//! Signed URLs and signed cookies that pass, and what a signature is to cache, origin and functions (CF section 6.8).

pub(crate) mod vectors;

use std::net::IpAddr;

use bytes::Bytes;
use fourfront_conformance::{Origin, Reply, handler};
use fourfront_model::KeyGroup;
use fourfront_signed::{Scheme, TrustedKeys, check, key::read_public_key};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::signed_mutations::refused_vectors;
use vectors::{Ask, all, edge, key};

const ALL_QUERIES: &str = "cache_policy: { min_ttl: 0, query_strings: all, cookies: all }";

/// Names of the vectors that a viewer at 127.0.0.1 may use over plain HTTP.
fn accepted() -> Vec<&'static str> {
    let refused = refused_vectors();
    let vectors = all().into_iter();
    vectors
        .filter(|(name, ask)| ask.signed_for.0 == "http" && !refused.contains(name))
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_public_signers_sign_passes_on_both_ways_and_is_not_passed_on() {
    // CF-185, CF-194, CF-561, CF-562, CF-563, CF-564, CF-565, CF-566, CF-567, CF-568, CF-569, CF-570, CF-571, CF-572, CF-573, CF-574
    let origin = Origin::echo().await;
    let edge = edge(ALL_QUERIES).start(&origin).await;
    let accepted = accepted();
    assert!(accepted.len() >= 35, "{accepted:?}");
    for name in accepted {
        let ask = Ask::of(name);
        let answer = ask.send(&edge).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        for sign in [
            "Expires",
            "Policy",
            "Signature",
            "Key-Pair-Id",
            "Hash-Algorithm",
        ] {
            assert!(!answer.text().contains(sign), "{name}: {answer:?}");
        }
        assert_eq!(origin.last().header("cookie"), None, "{name}");
        // A range goes Pingora's way.
        let ranged = ask.header("Range", "bytes=0-3").send(&edge).await;
        assert_eq!((ranged.status, ranged.text()), (206, "/pri"), "{name}");
    }
}

#[test]
fn vectors_mean_the_same_without_a_node() {
    // CF-567, CF-570, CF-574
    let keys = ["rsa", "ecdsa"].map(|name| {
        let (id, pem) = key(name);
        let (kind, der) = read_public_key(pem.as_bytes()).expect("a key");
        let (id, name) = (id.to_owned(), name.to_owned());
        std::sync::Arc::new(fourfront_model::PublicKey {
            id,
            name,
            kind,
            der,
        })
    });
    let group = KeyGroup {
        id: "g".to_owned(),
        name: "g".to_owned(),
        keys: keys.to_vec(),
    };
    let trusted = TrustedKeys::new([&group]).expect("keys");
    let judge = |ask: &Ask, scheme, host, viewer: IpAddr| {
        let mut headers = HeaderMap::new();
        for (name, value) in &ask.headers {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let request = fourfront_signed::Request {
            scheme,
            host,
            target: ask.target.as_bytes(),
            headers: &headers,
            viewer,
            now: std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_772_528_400),
        };
        check(&trusted, &request).map_err(|refusal| refusal.code())
    };
    let local = IpAddr::from([127, 0, 0, 1]);
    let v6: IpAddr = "2001:db8::1".parse().expect("an address");
    let plain = |ask: &Ask| judge(ask, Scheme::Http, "viewer.test", local);
    for name in accepted() {
        assert_eq!(plain(&Ask::of(name)), Ok(()), "{name}");
    }
    for name in refused_vectors() {
        assert!(plain(&Ask::of(name)).is_err(), "{name}");
    }
    for name in ["https canned", "https custom"] {
        let ask = Ask::of(name);
        assert_eq!(
            judge(&ask, Scheme::Https, "viewer.test", v6),
            Ok(()),
            "{name}"
        );
        assert_eq!(
            judge(&ask, Scheme::Http, "viewer.test", v6),
            Err("AccessDenied"),
            "{name}"
        );
    }
    // An address in the policy is one of IPv4, whatever the subnet.
    let any = Ask::of("custom of any address of IPv4");
    assert_eq!(
        judge(&any, Scheme::Http, "viewer.test", v6),
        Err("AccessDenied")
    );
    let mapped: IpAddr = "::ffff:127.0.0.1".parse().expect("an address");
    let one = Ask::of("custom for one address");
    assert_eq!(judge(&one, Scheme::Http, "viewer.test", mapped), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_share_what_is_stored_and_each_needs_a_signature() {
    // CF-560, CF-561, CF-577
    let origin = Origin::saying("secret").await;
    let edge = edge(ALL_QUERIES).start(&origin).await;
    let mut verdicts = Vec::new();
    for name in [
        "canned",
        "js canned ecdsa sha256",
        "cookies custom",
        "custom with all conditions",
    ] {
        let answer = Ask::of(name).send(&edge).await;
        assert_eq!((answer.status, answer.text()), (200, "secret"), "{name}");
        verdicts.push(answer.x_cache().to_owned());
    }
    assert_eq!(verdicts, ["Miss", "Hit", "Hit", "Hit"]);
    for ask in [
        Ask::plain("/private/a.txt"),
        Ask::plain("/private/a.txt").header("Range", "bytes=0-"),
        Ask::plain("/private/a.txt").header("Cookie", "CloudFront-Policy=x"),
        Ask {
            method: "HEAD",
            ..Ask::plain("/private/a.txt")
        },
    ] {
        let answer = ask.send(&edge).await;
        assert_eq!(answer.status, 403, "{ask:?}");
        assert_eq!(answer.header("content-type"), Some("text/xml"));
        assert_eq!(answer.x_cache(), "Error");
        let page = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>MissingKey</Code><Message>Missing Key-Pair-Id query parameter or cookie value</Message></Error>";
        let body = if ask.method == "HEAD" { "" } else { page };
        assert_eq!(answer.text(), body, "{ask:?}");
        assert_eq!(
            answer.header("content-length"),
            Some(page.len().to_string().as_str())
        );
    }
    assert_eq!(origin.count(), 1);
    // Another behaviour is open.
    assert_eq!(edge.get("/public").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_and_logged_as_such_and_not_stored() {
    // CF-300, CF-576, CF-705, CF-761
    let origin = Origin::saying("x").await;
    let edge = edge("").start(&origin).await;
    let refused = Ask::of("expired").send(&edge).await;
    let record = edge.record_of(&refused).await;
    assert_eq!(record.status, 403);
    assert_eq!(record.served.detail(403), "Error");
    assert_eq!(record.served.result_type(403).as_str(), "Error");
    let route = record.route.as_ref().expect("a behaviour");
    assert_eq!(route.1, "/private/*");
    assert_eq!(record.error.as_deref(), Some("signature: it has expired"));
    let metrics = edge.metrics();
    let counted = metrics.lines().any(|line| {
        line.starts_with("fourfront_requests_total{")
            && line.contains("behavior=\"/private/*\"")
            && line.contains("result=\"Error\"")
            && line.ends_with(" 1")
    });
    assert!(counted, "{metrics}");
    // The page is not in the way of whoever may pass.
    assert_eq!(Ask::of("canned").send(&edge).await.status, 200);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_passes_and_no_other_method_does() {
    // CF-560
    let origin = Origin::start(|request| Reply::ok(request.method.clone())).await;
    let edge = edge(fourfront_conformance::ALL_METHODS)
        .start(&origin)
        .await;
    let preflight = Ask {
        method: "OPTIONS",
        ..Ask::plain("/private/a.txt")
    };
    let preflight = preflight
        .header("Origin", "https://a.test")
        .header("Access-Control-Request-Method", "GET");
    assert_eq!(preflight.send(&edge).await.text(), "OPTIONS");
    // Whatever it comes with.
    let signed = Ask {
        method: "OPTIONS",
        ..Ask::of("expired")
    };
    assert_eq!(signed.send(&edge).await.status, 200);
    for method in ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"] {
        let unsigned = Ask {
            method,
            ..Ask::plain("/private/a.txt")
        };
        assert_eq!(unsigned.send(&edge).await.status, 403, "{method}");
        let signed = Ask {
            method,
            ..Ask::of("canned")
        };
        assert_eq!(signed.send(&edge).await.status, 200, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_sees_a_request_that_is_refused_and_viewers_functions_see_what_was_signed() {
    // LE-009, LE-021, LE-092, LE-093, CF-010.9, CF-010.10, CF-185
    let origin = Origin::echo().await;
    let log = handler(
        "console.log(config.eventType + ' ' + request.querystring); return response || request;",
    );
    let on = "on: { viewer-request: log, origin-request: log, viewer-response: log }";
    let policy = "cache_policy: { min_ttl: 0, query_strings: all }";
    let edge = edge(&format!("{on}, {policy}"))
        .function("log", &log)
        .start(&origin)
        .await;
    for name in ["expired", "by a stranger", "no policy at all"] {
        assert_eq!(Ask::of(name).send(&edge).await.status, 403);
    }
    let ask = Ask::of("canned with a query");
    assert_eq!(
        ask.send(&edge).await.text(),
        "/private/a.txt?size=large&page=2"
    );
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    let (_, query) = ask.target.split_once('?').expect("a query");
    assert_eq!(
        lines,
        [
            format!("viewer-request {query}"),
            "origin-request size=large&page=2".to_owned(),
            format!("viewer-response {query}"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_key_groups_the_parameters_are_parameters_and_the_cookies_cookies() {
    // CF-185, CF-194
    let origin = Origin::echo().await;
    let edge = fourfront_conformance::Edge::new()
        .behavior("cache_policy: { min_ttl: 0, query_strings: all }")
        .behavior("origin_request_policy: { cookies: all }")
        .start(&origin)
        .await;
    let ask = Ask::plain("/a?Expires=1&Policy=p").header("Cookie", "CloudFront-Policy=p");
    assert_eq!(ask.send(&edge).await.text(), "/a?Expires=1&Policy=p");
    assert_eq!(origin.last().header("cookie"), Some("CloudFront-Policy=p"));
}

#[tokio::test(flavor = "multi_thread")]
async fn validity_is_judged_at_the_start_of_each_request() {
    // CF-569, CF-575
    let (pieces, body) = mpsc::unbounded_channel();
    let body = std::sync::Mutex::new(Some(body));
    let origin = Origin::start(move |_| {
        let taken = body.lock().expect("no panic").take();
        let reply = taken.map_or_else(|| Reply::ok("again"), Reply::stream);
        reply.header("Cache-Control", "max-age=86400")
    })
    .await;
    let edge = edge("").start(&origin).await;
    let ask = Ask::of("canned");
    pieces
        .send(Bytes::from_static(b"begun "))
        .expect("an origin");
    let mut download = ask.request(&edge).open().await.expect("a head");
    download.received(6).await;
    edge.advance(3_600);
    // It has expired now; what is on its way is not cut.
    pieces
        .send(Bytes::from_static(b"and ended"))
        .expect("an origin");
    drop(pieces);
    let answer = download.whole().await;
    assert_eq!((answer.status, answer.text()), (200, "begun and ended"));
    for ask in [ask.clone(), ask.header("Range", "bytes=6-")] {
        let late = ask.send(&edge).await;
        assert_eq!(late.status, 403, "{ask:?}");
        assert!(late.text().contains("<Code>AccessDenied</Code>"));
    }
    let longer = Ask::of("custom not valid for an hour");
    assert_eq!(
        longer.send(&edge).await.status,
        403,
        "an hour later to the second"
    );
    edge.advance(1);
    assert_eq!(longer.send(&edge).await.text(), "begun and ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_says_why_a_request_would_be_refused() {
    // CF-576, CP-606
    let origin = Origin::saying("x").await;
    let edge = edge("").start(&origin).await;
    let explain = |ask: Ask| {
        let url = format!("http://viewer.test{}", ask.target);
        edge.explain(serde_json::json!({ "url": url }))
    };
    let (_, refused) = explain(Ask::of("for another directory")).await;
    assert_eq!(refused["verdict"]["status"], 403);
    assert_eq!(
        refused["verdict"]["detail"],
        "signature: it is for another URL"
    );
    let (_, missing) = explain(Ask::of("canned")).await;
    assert_eq!(missing["verdict"]["result"], "miss");
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_stand_in_for_a_refusal_and_needs_no_signature_itself() {
    // CF-595, CF-596
    let origin = Origin::start(|seen| Reply::ok(format!("page {}", seen.target))).await;
    let page = "custom_error_responses: [{ error_code: 403, response_page_path: /refused.html, response_code: 404 }]";
    let edge = edge(ALL_QUERIES).distribution(page).start(&origin).await;
    for ranged in [false, true] {
        let request = edge.request("GET", "/private/a");
        let request = match ranged {
            true => request.header("Range", "bytes=0-3"),
            false => request,
        };
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (404, "page /refused.html", "Error"),
            "{ranged}"
        );
    }
}
