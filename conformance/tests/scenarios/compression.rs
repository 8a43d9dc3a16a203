//! Compression at the edge (CF section 6.6).

use std::io::Read as _;

use fourfront_conformance::{
    Answer, Edge, Origin, RawOrigin, Reply, Running, Turn, handler, raw_exchange,
};
use tokio::sync::watch;

const NOT_MODIFIED: u16 = 304;

fn page() -> String {
    "<li class=\"entry\">All the world is a page</li>\n".repeat(200)
}

/// An origin with a page that has a strong tag.
async fn pages() -> Origin {
    Origin::start(|seen| {
        if seen.header("if-none-match") == Some("\"one\"") {
            return Reply::status(NOT_MODIFIED)
                .header("ETag", "\"one\"")
                .header("Content-MD5", "of what was")
                .header("Cache-Control", "max-age=100");
        }
        Reply::ok(page())
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Cache-Control", "max-age=100")
            .header("Content-MD5", "of what was")
            .header("ETag", "\"one\"")
    })
    .await
}

async fn get(edge: &Running, accepted: &str) -> Answer {
    let request = edge.request("GET", "/");
    request.header("Accept-Encoding", accepted).send().await
}

/// The body as its `Content-Encoding` says.
fn unpacked(answer: &Answer) -> String {
    let mut out = String::new();
    let read = match answer.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(&*answer.body).read_to_string(&mut out),
        Some("br") => brotli::Decompressor::new(&*answer.body, 4096).read_to_string(&mut out),
        None => return answer.text().to_owned(),
        Some(other) => panic!("{other}"),
    };
    read.expect("a body as its coding says");
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_both_codings_is_answered_with_what_others_have_fetched() {
    // CF-208, AMB-10, CP-606
    let both = "gzip, br";
    for (first, coding) in [("gzip", "gzip"), ("br", "br")] {
        let origin = pages().await;
        let edge = Edge::new().behavior("compress: true").start(&origin).await;
        assert_eq!(get(&edge, first).await.x_cache(), "Miss");
        let answer = get(&edge, both).await;
        assert_eq!(
            (answer.x_cache(), answer.header("content-encoding")),
            ("Hit", Some(coding))
        );
        assert_eq!(unpacked(&answer), page());
        let (_, told) = edge
            .explain(serde_json::json!({
                "url": "http://a.test/",
                "headers": { "Accept-Encoding": both },
            }))
            .await;
        assert_eq!(told["verdict"]["result"], "hit", "{told:#}");
        // Once it is stale, what is fetched is fetched for both.
        edge.advance(101);
        let answer = get(&edge, both).await;
        assert_eq!(
            (answer.x_cache(), answer.header("content-encoding")),
            ("Miss", Some("br"))
        );
        assert_eq!(origin.last().header("accept-encoding"), Some("br,gzip"));
        assert_eq!(origin.last().header("if-none-match"), None);
        // And never the other way round.
        let other = if first == "gzip" { "br" } else { "gzip" };
        assert_eq!(get(&edge, other).await.x_cache(), "Miss");
        assert_eq!(origin.count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_compressed_once_for_each_kind_of_viewer() {
    // CF-064, CF-200, CF-546, CF-551, CF-552, CF-603, CF-604
    for mode in ["rfc9111", "cloudfront"] {
        let origin = pages().await;
        let edge = Edge::new()
            .behavior("compress: true")
            .top(&format!("cache_mode: {mode}"))
            .start(&origin)
            .await;
        for (n, (accepted, coding, sent)) in [
            ("gzip, deflate, br", Some("br"), "br,gzip"),
            ("br", Some("br"), "br"),
            ("gzip;q=0.5", Some("gzip"), "gzip"),
            ("deflate", None, "identity"),
        ]
        .into_iter()
        .enumerate()
        {
            let miss = get(&edge, accepted).await;
            assert_eq!((miss.status, miss.x_cache()), (200, "Miss"), "{accepted}");
            assert_eq!(origin.last().header("accept-encoding"), Some(sent));
            let hit = get(&edge, accepted).await;
            assert_eq!(hit.x_cache(), "Hit", "{accepted}");
            assert_eq!(origin.count(), n + 1);
            for answer in [&miss, &hit] {
                assert_eq!(answer.header("content-encoding"), coding);
                assert_eq!(unpacked(answer), page());
                assert_eq!(answer.all("vary"), ["Accept-Encoding"]);
            }
            assert_eq!(miss.body, hit.body);
            let length = hit.header("content-length").unwrap();
            assert_eq!(length, hit.body.len().to_string());
            let (tag, digest) = match coding {
                Some(_) => ("W/\"one\"", None),
                None => ("\"one\"", Some("of what was")),
            };
            assert_eq!(hit.header("etag"), Some(tag));
            assert_eq!(hit.header("content-md5"), digest);
            if coding.is_some() {
                assert!(hit.body.len() < page().len() / 10);
                assert_eq!(miss.header("content-length"), None);
                assert_eq!(miss.header("transfer-encoding"), Some("chunked"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_copy_is_asked_about_by_the_origins_tag() {
    // CF-281, CF-282, CF-530, CF-540, CF-551, CF-833
    let origin = pages().await;
    let edge = Edge::new().behavior("compress: true").start(&origin).await;
    let first = get(&edge, "gzip").await;
    edge.advance(101);
    let second = get(&edge, "gzip").await;
    assert_eq!(origin.last().header("if-none-match"), Some("\"one\""));
    assert_eq!(
        (second.x_cache(), &second.body),
        ("RefreshHit", &first.body)
    );
    assert_eq!(second.header("content-encoding"), Some("gzip"));
    assert_eq!(second.header("etag"), Some("W/\"one\""));
    // What the node put into the head, the origin's 304 does not take away.
    assert_eq!(second.all("vary"), ["Accept-Encoding"]);
    assert_eq!(second.header("content-md5"), None);
    let third = get(&edge, "gzip").await;
    assert_eq!((third.x_cache(), &third.body), ("Hit", &first.body));
    // Once more: the tag of the origin is still known.
    edge.advance(101);
    assert_eq!(get(&edge, "gzip").await.x_cache(), "RefreshHit");
    assert_eq!(origin.last().header("if-none-match"), Some("\"one\""));

    // A viewer's own question is about what it was given.
    for tag in ["W/\"one\"", "\"one\""] {
        let request = edge.request("GET", "/").header("Accept-Encoding", "gzip");
        let answer = request.header("If-None-Match", tag).send().await;
        assert_eq!(answer.status, NOT_MODIFIED, "{tag}");
        assert_eq!(answer.header("etag"), Some("W/\"one\""));
    }
    let head = edge.request("HEAD", "/").header("Accept-Encoding", "gzip");
    let head = head.send().await;
    assert_eq!(head.x_cache(), "Hit");
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    let length = first.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(&*length));
    assert_eq!(origin.count(), 3);
    // HEAD of a stale copy says what GET would, of the origin's page.
    edge.advance(101);
    let head = edge.request("HEAD", "/").header("Accept-Encoding", "gzip");
    assert_eq!(head.send().await.status, 200);
    assert_eq!(get(&edge, "gzip").await.body, first.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_those_of_what_is_stored() {
    // CF-532, CF-540, CF-541
    let origin = pages().await;
    let edge = Edge::new().behavior("compress: true").start(&origin).await;
    let ask = |condition: Option<&'static str>| {
        let request = edge.request("GET", "/").header("Accept-Encoding", "gzip");
        let request = request.header("Range", "bytes=3-9");
        match condition {
            None => request,
            Some(tag) => request.header("If-Range", tag),
        }
    };
    let whole = get(&edge, "gzip").await;
    let part = ask(None).send().await;
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[3..10]));
    let range = format!("bytes 3-9/{}", whole.body.len());
    assert_eq!(part.header("content-range"), Some(&*range));
    assert_eq!(part.header("content-encoding"), Some("gzip"));
    // A weak tag is nobody's, and the origin's is not this copy's.
    for tag in ["W/\"one\"", "\"one\""] {
        let all = ask(Some(tag)).send().await;
        assert_eq!((all.status, &all.body), (200, &whole.body), "{tag}");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_missing_comes_as_it_is() {
    // CF-209, CF-541
    let origin = pages().await;
    let edge = Edge::new().behavior("compress: true").start(&origin).await;
    let request = edge.request("GET", "/").header("Accept-Encoding", "gzip");
    let part = request.header("Range", "bytes=3-9").send().await;
    // The origin knows no ranges, and what it sent is stored as it was.
    assert_eq!(part.header("content-encoding"), None);
    assert!(page().contains(part.text()));
    let whole = get(&edge, "gzip").await;
    assert_eq!((whole.x_cache(), whole.text()), ("Hit", &*page()));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_at_the_origin_see_it_plain_and_those_at_the_viewer_compressed() {
    // LE-170, LE-177, CF-551, CF-010.15
    let origin = pages().await;
    let show = handler(
        "const coding = response.headers['content-encoding'];
         console.log(coding ? coding[0].value : 'plain'); return response;",
    );
    let replace = handler("response.body = 'made anew '.repeat(300); return response;");
    let make = handler(
        "return { status: '200', body: 'made '.repeat(300), headers: {
            'cache-control': [{ value: 'max-age=100' }], 'content-type': [{ value: 'text/plain' }] } };",
    );
    let edge = Edge::new()
        .function("show", &show)
        .function("replace", &replace)
        .function("make", &make)
        .path(
            "/replaced",
            "compress: true, on: { origin-response: replace, viewer-response: show }",
        )
        .path(
            "/made",
            "compress: true, on: { origin-request: make, viewer-response: show }",
        )
        .path("/shown", "compress: true, on: { viewer-request: make }")
        .behavior("compress: true")
        .behavior("on: { origin-response: show, viewer-response: show }")
        .start(&origin)
        .await;
    assert_eq!(unpacked(&get(&edge, "br").await), page());
    let seen: Vec<_> = edge
        .logged(2)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(seen, ["plain", "br"]);
    for (n, (path, text)) in [("/replaced", "made anew "), ("/made", "made ")]
        .into_iter()
        .enumerate()
    {
        for x_cache in ["Miss", "Hit"] {
            let request = edge.request("GET", path).header("Accept-Encoding", "br");
            let answer = request.send().await;
            assert_eq!((answer.status, answer.x_cache()), (200, x_cache), "{path}");
            assert_eq!(answer.header("content-encoding"), Some("br"), "{path}");
            assert_eq!(unpacked(&answer), text.repeat(300));
            let length = answer.body.len().to_string();
            assert_eq!(answer.header("content-length"), Some(&*length), "{path}");
        }
        let seen = edge.logged(4 + 2 * n).await;
        assert!(seen[2..].iter().all(|line| line.message == "br"));
    }
    // Never what is made at viewer-request.
    let request = edge
        .request("GET", "/shown")
        .header("Accept-Encoding", "br");
    let answer = request.send().await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.text(), "made ".repeat(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_qualify_is_passed_on_as_it_is() {
    // CF-545, CF-547, CF-548, CF-549, CF-550
    let origin = Origin::start(|seen| {
        let plain = Reply::ok(page()).header("Content-Type", "text/css");
        match &*seen.target {
            "/image" => Reply::ok(page()).header("Content-Type", "image/png"),
            "/short" => Reply::ok("a { }").header("Content-Type", "text/css"),
            "/coded" => plain.header("Content-Encoding", "identity"),
            "/kept" => plain.header("Cache-Control", "no-transform"),
            "/error" => Reply::status(500)
                .body(page())
                .header("Content-Type", "text/css"),
            "/missing" => Reply::status(404)
                .body(page())
                .header("Content-Type", "text/css"),
            _ => plain,
        }
    })
    .await;
    let edge = Edge::new()
        .path("/off", "compress: false")
        .path(
            "/uncached",
            "compress: true, cache_policy: Managed-CachingDisabled",
        )
        .behavior("compress: true")
        .start(&origin)
        .await;
    for (path, status, compressed) in [
        ("/", 200, true),
        ("/missing", 404, true),
        ("/image", 200, false),
        ("/short", 200, false),
        ("/coded", 200, false),
        ("/kept", 200, false),
        ("/error", 500, false),
        ("/off", 200, false),
        ("/uncached", 200, false),
    ] {
        let request = edge.request("GET", path).header("Accept-Encoding", "gzip");
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{path}");
        let coding = answer.header("content-encoding");
        assert_eq!(coding == Some("gzip"), compressed, "{path} {coding:?}");
        assert_eq!(answer.header("vary").is_some(), compressed, "{path}");
        if compressed {
            assert_eq!(unpacked(&answer), page());
        }
    }
    // HTTP/1.0 has no codings.
    let request = b"GET /old HTTP/1.0\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n";
    let answer = raw_exchange(edge.address(), request, b"</li>\n</").await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.ends_with(&page()), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_not_stored() {
    // CF-551, CF-617
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |n| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nCache-Control: max-age=100\r\nContent-Length: 5000\r\n\r\n";
        match n {
            1 => vec![
                Turn::send(&format!("{head}{}", "a".repeat(3000))),
                Turn::Await(gate.clone()),
                Turn::Close,
            ],
            _ => vec![Turn::send(&format!("{head}{}", "a".repeat(5000)))],
        }
    })
    .await;
    let edge = Edge::new()
        .behavior("compress: true")
        .start_at(&origin.url())
        .await;
    let request = edge.request("GET", "/").header("Accept-Encoding", "gzip");
    let mut opened = request.open().await.unwrap();
    // Once the viewer has the head no other try is made (CF-396).
    open.send(true).unwrap();
    let broken = loop {
        match opened.piece().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "the answer looks whole");
    let again = get(&edge, "gzip").await;
    assert_eq!(
        (again.x_cache(), unpacked(&again)),
        ("Miss", "a".repeat(5000))
    );
    assert_eq!(get(&edge, "gzip").await.x_cache(), "Hit");
}
