//! Parts of objects and conditional requests, on hits and on misses (CF sections 3.5 and 6.4).

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, Reply, Running, Seen, handler};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

const MODIFIED: &str = "Mon, 02 Mar 2026 09:00:00 GMT";

fn whole() -> Reply {
    Reply::ok("0123456789")
        .header("ETag", "\"v1\"")
        .header("Last-Modified", MODIFIED)
        .header("Date", "Tue, 03 Mar 2026 09:00:00 GMT")
        .header("Content-Type", "text/plain")
        .header("Cache-Control", "max-age=60")
        .header("X-Other", "1")
}

async fn digits() -> Origin {
    Origin::start(|_| whole()).await
}

async fn get_with(edge: &Running, fields: &[(&str, &str)]) -> fourfront_conformance::Answer {
    fields
        .iter()
        .fold(edge.request("GET", "/"), |r, (name, value)| {
            r.header(name, value)
        })
        .send()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn single_ranges_are_cut_from_a_stored_object() {
    // CF-532, CF-537, CF-172
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let rows = [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ];
    for (range, text, content_range) in rows {
        let answer = get_with(&edge, &[("Range", range)]).await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (206, text, "Hit"),
            "{range}"
        );
        assert_eq!(
            answer.header("content-range"),
            Some(content_range),
            "{range}"
        );
        assert_eq!(
            answer.header("content-length"),
            Some(text.len().to_string().as_str()),
            "{range}"
        );
        assert_eq!(
            (answer.header("etag"), answer.header("x-other")),
            (Some("\"v1\""), Some("1"))
        );
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_misses_and_brings_the_whole_object_stores_it() {
    // CF-535, CF-533, RFC 9110 section 14.2
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    let answer = get_with(&edge, &[("Range", "bytes=2-4")]).await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (206, "234", "Miss")
    );
    assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(origin.last().header("range"), Some("bytes=0-1048575"));
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "0123456789", "Hit")
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_past_the_end_is_416_and_never_kept() {
    // CF-539, CF-293, CF-767
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    for _ in 0..2 {
        let answer = get_with(&edge, &[("Range", "bytes=10-")]).await;
        assert_eq!(
            (answer.status, answer.x_cache(), answer.body.len()),
            (416, "Error", 0)
        );
        assert_eq!(answer.header("content-range"), Some("bytes */10"));
    }
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "0123456789", "Hit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_are_not_valid_are_ignored() {
    // CF-537, CF-538
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let many = format!("bytes={}", "0-0,".repeat(101));
    for range in [
        "bytes=5-2",
        "items=0-1",
        "bytes=a-b",
        "bytes",
        "bytes=",
        "bytes=2-3,0-1",
        "bytes=0-3,2-5",
        &many,
    ] {
        let answer = get_with(&edge, &[("Range", range)]).await;
        assert_eq!(
            (answer.status, answer.text()),
            (200, "0123456789"),
            "{range}"
        );
    }
    // Only GET has ranges.
    let head = edge
        .request("HEAD", "/")
        .header("Range", "bytes=0-1")
        .send()
        .await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_come_in_parts_with_heads_of_their_own() {
    // CF-538, RFC 9110 section 14.6
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    // From the body as it arrives, and from the stored one.
    for verdict in ["Miss", "Hit"] {
        let answer = get_with(&edge, &[("Range", "bytes=0-1, 4-4,-2")]).await;
        assert_eq!((answer.status, answer.x_cache()), (206, verdict));
        assert_eq!(answer.header("content-range"), None);
        let kind = answer.header("content-type").unwrap();
        let boundary = kind
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        let part = |range: &str, text: &str| {
            format!(
                "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{text}"
            )
        };
        let parts = [part("0-1", "01"), part("4-4", "4"), part("8-9", "89")].concat();
        assert_eq!(answer.text(), format!("{parts}\r\n--{boundary}--\r\n"));
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
    }
    // Those past the end are left out, and one that is left is a single range.
    let one = get_with(&edge, &[("Range", "bytes=3-4,10-12")]).await;
    assert_eq!(
        (one.status, one.text(), one.header("content-range")),
        (206, "34", Some("bytes 3-4/10"))
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn if_range_asks_for_the_part_only_of_the_same_object() {
    // CF-540
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let rows = [
        ("\"v1\"", 206),
        ("\"v2\"", 200),
        ("W/\"v1\"", 200),
        (MODIFIED, 206),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 200),
    ];
    for (condition, status) in rows {
        let answer = get_with(&edge, &[("Range", "bytes=0-1"), ("If-Range", condition)]).await;
        assert_eq!(answer.status, status, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_is_sent_whole() {
    // CF-536
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Arc::new(Mutex::new(Some(stream)));
    let origin = Origin::start(
        move |_| match stream.try_lock().ok().and_then(|mut s| s.take()) {
            Some(stream) => Reply::stream(stream).header("Cache-Control", "max-age=60"),
            None => Reply::status(500),
        },
    )
    .await;
    let edge = Edge::new().start(&origin).await;
    pieces.send(Bytes::from_static(b"01234")).unwrap();
    pieces.send(Bytes::from_static(b"56789")).unwrap();
    drop(pieces);
    let answer = get_with(&edge, &[("Range", "bytes=0-1")]).await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_the_range_is_the_origins_business() {
    // CF-344, CF-533
    let origin = Origin::start(|request: &Seen| match request.header("range") {
        Some("bytes=2-4") => Reply::status(206)
            .body("234")
            .header("Content-Range", "bytes 2-4/10"),
        _ => whole(),
    })
    .await;
    let edge = Edge::new()
        .behavior("cache_policy: Managed-CachingDisabled")
        .start(&origin)
        .await;
    let answer = get_with(&edge, &[("Range", "bytes=2-4"), ("If-Range", "\"v1\"")]).await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (206, "234", "Miss")
    );
    assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(origin.last().header("if-range"), Some("\"v1\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_a_hit_are_answered_here() {
    // CF-284, RFC 9110 section 13.2.2
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let later = "Tue, 03 Mar 2026 08:00:00 GMT";
    let earlier = "Sun, 01 Mar 2026 08:00:00 GMT";
    let rows: [(&[(&str, &str)], u16); 9] = [
        (&[("If-None-Match", "\"v1\"")], 304),
        (&[("If-None-Match", "W/\"v1\"")], 304),
        (&[("If-None-Match", "\"v0\", \"v1\"")], 304),
        (&[("If-None-Match", "*")], 304),
        (&[("If-None-Match", "\"v2\"")], 200),
        (&[("If-Modified-Since", MODIFIED)], 304),
        (&[("If-Modified-Since", later)], 304),
        (&[("If-Modified-Since", earlier)], 200),
        (
            &[("If-None-Match", "\"v2\""), ("If-Modified-Since", later)],
            200,
        ),
    ];
    for (fields, status) in rows {
        let answer = get_with(&edge, fields).await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (status, "Hit"),
            "{fields:?}"
        );
        if status == 304 {
            let names = ["etag", "cache-control", "last-modified", "age"];
            let values = [
                Some("\"v1\""),
                Some("max-age=60"),
                Some(MODIFIED),
                Some("0"),
            ];
            assert_eq!(names.map(|n| answer.header(n)), values, "{fields:?}");
            assert_eq!(
                (answer.body.len(), answer.header("content-type")),
                (0, None),
                "{fields:?}"
            );
        }
    }
    let head = edge
        .request("HEAD", "/")
        .header("If-None-Match", "\"v1\"")
        .send()
        .await;
    assert_eq!(head.status, 304);
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_comes_before_a_range() {
    // CF-284, CF-532, RFC 9110 section 13.2.2
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let answer = get_with(
        &edge,
        &[("If-None-Match", "\"v1\""), ("Range", "bytes=0-1")],
    )
    .await;
    assert_eq!(answer.status, 304);
    let answer = get_with(
        &edge,
        &[("If-None-Match", "\"v2\""), ("Range", "bytes=0-1")],
    )
    .await;
    assert_eq!((answer.status, answer.text()), (206, "01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_that_fail_on_a_hit_are_412() {
    // CF-285, CF-764
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let rows = [
        ("If-Match", "\"v1\"", 200),
        ("If-Match", "\"v2\"", 412),
        ("If-Match", "W/\"v1\"", 412),
        ("If-Unmodified-Since", MODIFIED, 200),
        ("If-Unmodified-Since", "Sun, 01 Mar 2026 08:00:00 GMT", 412),
    ];
    for (name, value, status) in rows {
        let answer = get_with(&edge, &[(name, value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_rfc9111_fetches_the_whole_object_for_a_condition_that_misses() {
    // CF-286, CF-839
    let origin = digits().await;
    let edge = Edge::new().start(&origin).await;
    let answer = get_with(
        &edge,
        &[("If-None-Match", "\"v1\""), ("If-Modified-Since", MODIFIED)],
    )
    .await;
    assert_eq!(
        (answer.status, answer.x_cache(), answer.body.len()),
        (304, "Miss", 0)
    );
    let seen = origin.last();
    assert_eq!(
        (
            seen.header("if-none-match"),
            seen.header("if-modified-since")
        ),
        (None, None)
    );
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "0123456789", "Hit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_cloudfront_relays_the_origins_304_and_does_not_store_it() {
    // CF-286, CF-341
    let origin = Origin::start(|request: &Seen| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304)
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=60"),
        _ => whole(),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .start(&origin)
        .await;
    for n in 1..=2 {
        let answer = get_with(&edge, &[("If-None-Match", "\"v1\"")]).await;
        assert_eq!(
            (answer.status, answer.x_cache(), answer.header("etag")),
            (304, "Miss", Some("\"v1\""))
        );
        assert_eq!(origin.count(), n);
    }
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "0123456789", "Miss")
    );
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewers_condition_gives_way_to_the_nodes_when_an_object_is_validated() {
    // CF-280, CF-258
    let origin = Origin::start(|request: &Seen| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304)
            .header("ETag", "\"v1\"")
            .header("Cache-Control", "max-age=60"),
        _ => whole(),
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    edge.advance(61);
    let answer = get_with(&edge, &[("If-None-Match", "\"v0\"")]).await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (200, "0123456789", "RefreshHit")
    );
    assert_eq!(origin.last().header("if-none-match"), Some("\"v1\""));
    edge.advance(61);
    let answer = get_with(&edge, &[("If-None-Match", "\"v1\"")]).await;
    assert_eq!((answer.status, answer.x_cache()), (304, "RefreshHit"));
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_response_function_runs_for_304_206_and_head() {
    // LE-195, LE-190, LE-A45
    let origin = digits().await;
    let edge = Edge::new()
        .function(
            "mark",
            &handler(
                "console.log(request.method + ' ' + response.status + ' ' + response.statusDescription);
                 response.headers['x-mark'] = [{ key: 'X-Mark', value: response.status }]; return response;",
            ),
        )
        .behavior("on: { viewer-response: mark }")
        .start(&origin)
        .await;
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);
    let rows: [Row<'_>; 4] = [
        ("GET", &[], 200, "GET 200 OK"),
        ("HEAD", &[], 200, "HEAD 200 OK"),
        (
            "GET",
            &[("If-None-Match", "\"v1\"")],
            304,
            "GET 304 Not Modified",
        ),
        (
            "GET",
            &[("Range", "bytes=0-1")],
            206,
            "GET 206 Partial Content",
        ),
    ];
    for (n, (method, fields, status, line)) in rows.into_iter().enumerate() {
        let request = fields
            .iter()
            .fold(edge.request(method, "/"), |r, (name, value)| {
                r.header(name, value)
            });
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.header("x-mark")),
            (status, Some(status.to_string().as_str())),
            "{line}"
        );
        assert_eq!(edge.logs()[n].message, line);
    }
    // A range past the end is an error, which no viewer-response function sees (LE-024).
    let answer = get_with(&edge, &[("Range", "bytes=10-")]).await;
    assert_eq!((answer.status, answer.header("x-mark")), (416, None));
    assert_eq!(edge.logs().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_from_a_stored_object_that_came_in_chunks() {
    // CF-535, CF-536
    let origin = Origin::start(|_| {
        let (pieces, stream) = mpsc::unbounded_channel();
        let _ = pieces.send(Bytes::from_static(b"0123456789"));
        Reply::stream(stream).header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(edge.get("/").await.text(), "0123456789");
    let answer = get_with(&edge, &[("Range", "bytes=0-1")]).await;
    assert_eq!(
        (answer.status, answer.text(), answer.x_cache()),
        (206, "01", "Hit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_the_cache_says_that_it_has_parts() {
    // CF-542, RFC 9110 section 14.3
    let origin = Origin::start(|seen| {
        let text = "x".repeat(2_000);
        let reply = match seen.target.as_str() {
            "/none" => Reply::ok(text).header("Accept-Ranges", "none"),
            "/coded" => Reply::ok(text).header("Content-Encoding", "gzip"),
            "/missing" => Reply::status(404).body(text),
            _ => Reply::ok(text),
        };
        reply
            .header("Cache-Control", "max-age=60")
            .header("Content-Type", "text/plain")
    })
    .await;
    let edge = Edge::new()
        .behavior("compress: true")
        .behavior("cache_policy: Managed-CachingOptimized")
        .start(&origin)
        .await;
    for (path, coding, said, hits) in [
        ("/a", "identity", None, Some("bytes")),
        ("/none", "identity", Some("none"), Some("none")),
        ("/coded", "gzip", None, None),
        // Compressed by the node.
        ("/b", "gzip", None, None),
        ("/missing", "identity", None, None),
    ] {
        let get = |method: &'static str, name: &'static str| {
            let request = edge.request(method, path).header("Accept-Encoding", coding);
            request.header(name, "\"other\"").send()
        };
        let miss = get("GET", "X-Other").await;
        assert_eq!(miss.header("accept-ranges"), said, "{path}");
        // The short way of a hit, and Pingora's.
        for (method, name) in [
            ("GET", "X-Other"),
            ("HEAD", "X-Other"),
            ("GET", "If-None-Match"),
        ] {
            let hit = get(method, name).await;
            assert!(matches!(hit.x_cache(), "Hit" | "Error"), "{hit:?}");
            let told: Vec<_> = hits.into_iter().collect();
            assert_eq!(hit.all("accept-ranges"), told, "{path} {method} {name}");
        }
    }
}
