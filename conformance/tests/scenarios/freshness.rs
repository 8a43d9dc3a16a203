//! How long answers are kept (CF sections 3.1, 3.2, 3.6 and 3.9, RFC 9111 section 4.2).

use fourfront_conformance::{Edge, Origin, Reply, Running, handler};

/// Where the node's clock begins.
const NOW: &str = "Tue, 03 Mar 2026 09:00:00 GMT";

fn ttl(min: u64, default: u64, max: u64) -> String {
    format!("cache_policy: {{ min_ttl: {min}, default_ttl: {default}, max_ttl: {max} }}")
}

/// An origin that answers every request with this status and these fields.
async fn answering(status: u16, fields: &[(&'static str, &'static str)]) -> Origin {
    let fields = fields.to_vec();
    Origin::start(move |_| {
        fields
            .iter()
            .fold(Reply::status(status).body("x"), |reply, (name, value)| {
                reply.header(name, value)
            })
    })
    .await
}

/// Fetches an object and checks that it is used without asking the origin for exactly so long.
async fn assert_lifetime(edge: &Running, origin: &Origin, seconds: u64, what: &str) {
    edge.get("/").await;
    let asked = origin.count();
    if seconds > 0 {
        edge.advance(seconds - 1);
        edge.get("/").await;
        assert_eq!(
            origin.count(),
            asked,
            "{what}: not fresh a second before {seconds}"
        );
        edge.advance(1);
    }
    edge.get("/").await;
    assert_eq!(
        origin.count(),
        asked + 1,
        "{what}: still fresh after {seconds}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_the_origin_gives_in_mode_rfc9111() {
    // CF-235, CF-236, CF-237, CF-241, CF-243, CF-822
    type Row<'a> = (&'a [(&'static str, &'static str)], u64);
    let rows: &[Row<'_>] = &[
        (&[("Cache-Control", "max-age=10")], 10),
        (&[("Cache-Control", "MAX-AGE=\"10\"")], 10),
        (&[("Cache-Control", "max-age=10, s-maxage=20")], 20),
        (
            &[("Date", NOW), ("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")],
            30,
        ),
        (&[("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")], 30),
        (
            &[
                ("Date", NOW),
                ("Expires", "Tue, 03 Mar 2026 09:00:30 GMT"),
                ("Cache-Control", "max-age=10"),
            ],
            10,
        ),
        (&[("Expires", "0")], 0),
        (&[("Cache-Control", "max-age=1000")], 100),
        (&[], 50),
    ];
    for (fields, seconds) in rows {
        let origin = answering(200, fields).await;
        // The minimum has no say here; the maximum caps and the default stands in (CF-822).
        let edge = Edge::new().behavior(&ttl(40, 50, 100)).start(&origin).await;
        assert_lifetime(&edge, &origin, *seconds, &format!("{fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mode_rfc9111_never_stores_what_the_origin_forbids() {
    // CF-820, CF-822, CF-823
    let rows: &[(u16, &[(&'static str, &'static str)])] = &[
        (200, &[("Cache-Control", "no-store")]),
        (200, &[("Cache-Control", "private, max-age=60")]),
        (200, &[("Cache-Control", "no-cache, max-age=60")]),
        (302, &[("Location", "/elsewhere")]),
        (307, &[("Location", "/elsewhere")]),
        (
            206,
            &[
                ("Cache-Control", "max-age=60"),
                ("Content-Range", "bytes 0-0/2"),
            ],
        ),
    ];
    for (status, fields) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new().behavior(&ttl(30, 60, 90)).start(&origin).await;
        assert_lifetime(&edge, &origin, 0, &format!("{status} {fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_the_time_since_last_modified_stands_in_for_a_lifetime() {
    // CF-823, RFC 9111 section 4.2.2
    let modified = [
        ("Date", NOW),
        ("Last-Modified", "Tue, 03 Mar 2026 08:43:20 GMT"),
    ];
    let origin = answering(200, &modified).await;
    let edge = Edge::new()
        .behavior(&ttl(0, 86_400, 86_400))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 100, "heuristic").await;
    // CF-249: not in mode cloudfront.
    let origin = answering(200, &modified).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 500, 86_400))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 500, "default").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worked_examples_of_the_ttl_table() {
    // CF-235, CF-236, CF-237, CF-238, CF-239, CF-240, CF-252
    type Row = (u64, u64, u64, &'static [(&'static str, &'static str)], u64);
    const YEAR: u64 = 31_536_000;
    let rows: &[Row] = &[
        (0, 86_400, YEAR, &[("Cache-Control", "max-age=60")], 60),
        (
            0,
            86_400,
            YEAR,
            &[("Cache-Control", "max-age=60, s-maxage=5")],
            5,
        ),
        (0, 86_400, YEAR, &[], 86_400),
        (
            0,
            86_400,
            YEAR,
            &[("Cache-Control", "private, max-age=60")],
            0,
        ),
        (0, 86_400, YEAR, &[("Cache-Control", "max-age=0")], 0),
        (
            0,
            86_400,
            YEAR,
            &[
                ("CDN-Cache-Control", "max-age=5"),
                ("Cache-Control", "max-age=60"),
            ],
            60,
        ),
        (60, 300, 600, &[], 300),
        (60, 300, 600, &[("Cache-Control", "public")], 300),
        (60, 300, 600, &[("Cache-Control", "max-age=5")], 60),
        (60, 300, 600, &[("Cache-Control", "max-age=1000")], 600),
        (60, 300, 600, &[("Cache-Control", "no-store")], 60),
        (60, 300, 600, &[("Cache-Control", "no-cache")], 60),
        (60, 300, 600, &[("Cache-Control", "private")], 60),
        (
            60,
            300,
            600,
            &[("Expires", "Thu, 01 Jan 2026 00:00:00 GMT")],
            60,
        ),
        (600, 600, 600, &[], 600),
    ];
    for (min, default, max, fields, seconds) in rows {
        let origin = answering(200, fields).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(*min, *default, *max))
            .start(&origin)
            .await;
        assert_lifetime(
            &edge,
            &origin,
            *seconds,
            &format!("{min}/{default}/{max} {fields:?}"),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_targeted_at_the_node_count_in_the_place_of_cache_control() {
    // CF-801, CF-837, RFC 9213 section 2.2: the most specific that can be read
    const FIELDS: &[(&str, &str)] = &[
        ("Cache-Control", "no-store"),
        ("Expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("Surrogate-Control", "max-age=5"),
        ("CDN-Cache-Control", "max-age=10"),
        ("Fourfront-Cache-Control", "max-age=20"),
        ("Acme-Cache-Control", "max-age=40"),
    ];
    let rows: &[(&str, usize, u64)] = &[
        ("comment: none", 3, 5),
        ("comment: none", 4, 10),
        ("comment: none", 6, 20),
        ("cdn_cc: { field: Acme-Cache-Control }", 6, 40),
        ("cdn_cc: { field: Acme-Cache-Control }", 5, 10),
    ];
    for (setting, fields, seconds) in rows {
        let origin = answering(200, &FIELDS[..*fields]).await;
        let edge = Edge::new().distribution(setting).start(&origin).await;
        let what = format!("{setting} {fields}");
        assert_lifetime(&edge, &origin, *seconds, &what).await;
        // They are for caches behind this one, too, unless they are hidden.
        let answer = edge.get("/").await;
        for (name, value) in &FIELDS[..*fields] {
            assert_eq!(answer.header(name), Some(*value), "{what} {name}");
        }
    }
    // What cannot be read leaves the next in charge.
    let origin = answering(
        200,
        &[
            ("CDN-Cache-Control", "max-age=30"),
            ("Fourfront-Cache-Control", "max-age=20, &"),
        ],
    )
    .await;
    let edge = Edge::new().start(&origin).await;
    assert_lifetime(&edge, &origin, 30, "malformed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_targeted_at_the_node_can_be_kept_from_viewers() {
    // CF-801, RFC 9213 section 3.1
    const TARGETED: &[(&str, &str)] = &[
        ("ETag", "\"1\""),
        ("Surrogate-Control", "max-age=5"),
        ("CDN-Cache-Control", "max-age=10"),
        ("Acme-Cache-Control", "max-age=40"),
        ("Fourfront-Cache-Control", "max-age=50"),
        ("Cache-Control", "max-age=60"),
    ];
    let origin = answering(200, TARGETED).await;
    let edge = Edge::new()
        .distribution("cdn_cc: { field: Acme-Cache-Control, hide: true }")
        .start(&origin)
        .await;
    let fields: [&[(&str, &str)]; 4] = [
        &[],
        &[],
        &[("If-None-Match", "\"1\"")],
        &[("Range", "bytes=0-0")],
    ];
    for (n, fields) in fields.iter().enumerate() {
        let request = fields
            .iter()
            .fold(edge.request("GET", "/"), |r, (name, value)| {
                r.header(name, value)
            });
        let answer = request.send().await;
        let token = if n == 0 { "Miss" } else { "Hit" };
        assert_eq!(answer.x_cache(), token, "{fields:?}");
        for (name, _) in &TARGETED[1..4] {
            assert_eq!(answer.header(name), None, "{fields:?} {name}");
        }
        // One that means nothing here is the viewers', and so is what is for everybody.
        let told = answer.header("fourfront-cache-control");
        assert!(told.is_some() || answer.status == 304, "{fields:?}");
        assert_eq!(answer.header("cache-control"), Some("max-age=60"));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_without_a_lifetime_are_kept_in_mode_cloudfront() {
    // CF-217
    for status in [301, 302, 303, 307] {
        let origin = answering(status, &[("Location", "/elsewhere")]).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(0, 60, 90))
            .start(&origin)
            .await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some("/elsewhere"))
        );
        assert_eq!(edge.get("/").await.x_cache(), "Hit", "{status}");
        assert_eq!(origin.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origins_own_fields_reach_the_viewer_unclamped() {
    // CF-250
    let origin = answering(200, &[("Cache-Control", "max-age=5"), ("Expires", "0")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(60, 60, 60))
        .start(&origin)
        .await;
    for token in ["Miss", "Hit"] {
        let answer = edge.get("/").await;
        assert_eq!(answer.x_cache(), token);
        assert_eq!(
            (answer.header("cache-control"), answer.header("expires")),
            (Some("max-age=5"), Some("0"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn age_is_counted_from_the_origins_age() {
    // CF-244, CF-318, CF-830, RFC 9111 section 4.2.3
    for mode in ["rfc9111", "cloudfront"] {
        let origin = answering(200, &[("Cache-Control", "max-age=10"), ("Age", "4")]).await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .behavior(&ttl(0, 60, 600))
            .start(&origin)
            .await;
        assert_eq!(edge.get("/").await.header("age"), Some("4"), "{mode}");
        edge.advance(5);
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.x_cache(), answer.header("age")),
            ("Hit", Some("9")),
            "{mode}"
        );
        edge.advance(1);
        edge.get("/").await;
        assert_eq!(origin.count(), 2, "{mode}");
    }
    // The policy's own TTLs count from receipt.
    let origin = answering(200, &[("Age", "100")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior(&ttl(0, 60, 600))
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 60, "default after Age").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_without_age_has_none_and_hits_count_seconds() {
    // CF-318
    let origin = answering(200, &[("Cache-Control", "max-age=60")]).await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(edge.get("/").await.header("age"), None);
    assert_eq!(edge.get("/").await.header("age"), Some("0"));
    edge.advance(7);
    let answer = edge.get("/").await;
    assert_eq!(answer.all("age"), ["7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_as_the_table_of_mode_cloudfront_says() {
    // CF-290, CF-291, CF-292, CF-293, CF-294, CF-295, CF-298, CF-261
    type Row = (u16, &'static [(&'static str, &'static str)], u64);
    let rows: &[Row] = &[
        (404, &[], 10),
        (410, &[], 10),
        (404, &[("Cache-Control", "max-age=5")], 10),
        (404, &[("Cache-Control", "max-age=30")], 30),
        (404, &[("Cache-Control", "max-age=3000")], 600),
        (404, &[("Cache-Control", "no-store")], 0),
        (501, &[("Cache-Control", "private")], 0),
        (500, &[("Cache-Control", "no-store, max-age=60")], 10),
        (503, &[], 10),
        (503, &[("Expires", "Tue, 03 Mar 2026 09:00:30 GMT")], 30),
        (403, &[], 0),
        (403, &[("Cache-Control", "no-store, max-age=30")], 30),
        (415, &[("Cache-Control", "max-age=30")], 30),
        (416, &[("Cache-Control", "max-age=30")], 0),
        (429, &[("Cache-Control", "max-age=30")], 0),
    ];
    for (status, fields, seconds) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new()
            .distribution("cache_mode: cloudfront")
            .behavior(&ttl(60, 300, 600))
            .start(&origin)
            .await;
        let what = format!("{status} {fields:?}");
        assert_lifetime(&edge, &origin, *seconds, &what).await;
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (*status, "Error"),
            "{what}"
        );
    }
    let origin = answering(404, &[("Cache-Control", "max-age=30")]).await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .behavior("cache_policy: Managed-CachingDisabled")
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 0, "caching disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_by_their_headers_in_mode_rfc9111() {
    // CF-831
    type Row = (u16, &'static [(&'static str, &'static str)], u64);
    let rows: &[Row] = &[
        (404, &[], 10),
        (405, &[], 10),
        (403, &[], 0),
        (500, &[], 0),
        (503, &[("Cache-Control", "max-age=30")], 30),
        (503, &[("Cache-Control", "public")], 10),
        (404, &[("Cache-Control", "no-store")], 0),
    ];
    for (status, fields, seconds) in rows {
        let origin = answering(*status, fields).await;
        let edge = Edge::new().behavior(&ttl(0, 300, 600)).start(&origin).await;
        assert_lifetime(&edge, &origin, *seconds, &format!("{status} {fields:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_from_a_stored_get() {
    // CF-161, CF-529
    let origin = Origin::start(|_| {
        Reply::ok("12345")
            .header("Cache-Control", "max-age=60")
            .header("X-A", "1")
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let head = edge.request("HEAD", "/").send().await;
    assert_eq!(
        (head.status, head.x_cache(), head.body.len()),
        (200, "Hit", 0)
    );
    assert_eq!(
        (head.header("content-length"), head.header("x-a")),
        (Some("5"), Some("1"))
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_on_a_miss_goes_out_as_head_and_never_answers_get() {
    // CF-328, CF-529, AMB-04
    let origin = Origin::start(|_| Reply::ok("12345").header("Cache-Control", "max-age=60")).await;
    let edge = Edge::new().start(&origin).await;
    let head = edge.request("HEAD", "/").send().await;
    assert_eq!(
        (
            head.x_cache(),
            head.header("content-length"),
            head.body.len()
        ),
        ("Miss", Some("5"), 0)
    );
    assert_eq!(origin.last().method, "HEAD");
    let get = edge.get("/").await;
    assert_eq!((get.x_cache(), get.text()), ("Miss", "12345"));
    assert_eq!(origin.last().method, "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_head_is_kept_for_head_until_there_is_one_to_get() {
    // CF-529, CF-660, AMB-04
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let n = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::ok("12345")
            .header("Cache-Control", "max-age=60")
            .header("ETag", "\"1\"")
            .header("X-N", &n.to_string())
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    let head = async |edge: &Running| {
        let answer = edge.request("HEAD", "/").send().await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (200, Some("5"))
        );
        let n = answer.header("x-n").unwrap_or_default().to_owned();
        (n, answer.x_cache().to_owned())
    };
    let told = |n: &str, how: &str| (n.to_owned(), how.to_owned());
    assert_eq!(head(&edge).await, told("0", "Miss"));
    assert_eq!(head(&edge).await, told("0", "Hit"));
    let unchanged = edge
        .request("HEAD", "/")
        .header("If-None-Match", "\"1\"")
        .send()
        .await;
    assert_eq!((unchanged.status, unchanged.x_cache()), (304, "Hit"));
    // It ends: another HEAD goes out, and no condition with it.
    edge.advance(61);
    assert_eq!(head(&edge).await, told("1", "Miss"));
    assert_eq!(origin.last().header("if-none-match"), None);
    let (_, told_of) = edge
        .explain(serde_json::json!({ "method": "HEAD", "url": "http://a.test/" }))
        .await;
    assert_eq!(told_of["verdict"]["result"], "hit", "{told_of}");
    edge.invalidate(&["/"], false);
    assert_eq!(head(&edge).await, told("2", "Miss"));
    // GET does not find it, and takes its place.
    let get = edge.get("/").await;
    assert_eq!(
        (get.x_cache(), get.header("x-n"), get.text()),
        ("Miss", Some("3"), "12345")
    );
    assert_eq!(head(&edge).await, told("3", "Hit"));
    assert_eq!(origin.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_stored_of_get_is_not_kept_for_head_either() {
    // CF-529
    let origin = Origin::start(|_| Reply::ok("12345").header("Cache-Control", "no-store")).await;
    let edge = Edge::new().start(&origin).await;
    for _ in 0..2 {
        let answer = edge.request("HEAD", "/").send().await;
        assert_eq!((answer.status, answer.x_cache()), (200, "Miss"));
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_directives_force_nothing() {
    // CF-248, CF-829
    let origin = answering(
        200,
        &[("Cache-Control", "max-age=60"), ("Pragma", "no-cache")],
    )
    .await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/").await;
    let answer = edge
        .request("GET", "/")
        .header("Cache-Control", "no-cache, no-store, max-age=0")
        .header("Pragma", "no-cache")
        .send()
        .await;
    assert_eq!((answer.x_cache(), origin.count()), ("Hit", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lifetimes_are_computed_from_what_the_origin_response_function_left() {
    // LE-180, LE-181
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    let edge = Edge::new()
        .function(
            "keep",
            &handler(
                "response.headers['cache-control'] = [{ key: 'Cache-Control', value: 'max-age=30' }]; return response;",
            ),
        )
        .behavior("on: { origin-response: keep }")
        .start(&origin)
        .await;
    assert_lifetime(&edge, &origin, 30, "set by the function").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_an_origin_is_part_of_the_age() {
    // CF-830, RFC 9111 section 4.2.3
    let (open, gate) = tokio::sync::watch::channel(false);
    let origin = Origin::start(move |_| {
        let reply = Reply::ok("slow").header("Cache-Control", "max-age=10");
        reply.after(&gate)
    })
    .await;
    let edge = std::sync::Arc::new(Edge::new().start(&origin).await);
    let first = tokio::spawn({
        let edge = edge.clone();
        async move { edge.get("/").await }
    });
    origin.received(1).await;
    edge.advance(4);
    open.send(true).expect("the origin waits");
    let first = first.await.expect("an answer");
    assert_eq!((first.x_cache(), first.header("age")), ("Miss", Some("4")));
    edge.advance(5);
    assert_eq!(edge.get("/").await.header("age"), Some("9"));
    edge.advance(1);
    edge.get("/").await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_may_assume_no_lifetime() {
    // CF-822, CF-823
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[], "Miss"),
        (&[("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "Hit"),
        (&[("Cache-Control", "max-age=60")], "Hit"),
    ];
    for (fields, want) in rows {
        let origin = answering(200, fields).await;
        let edge = Edge::new()
            .behavior("cache_policy: { heuristic: last_modified }")
            .start(&origin)
            .await;
        edge.get("/").await;
        assert_eq!(edge.get("/").await.x_cache(), *want, "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_directives_count_where_the_distribution_says_so() {
    // CF-829, RFC 9111 section 5.2.1
    const FOR_A_MINUTE: &[(&str, &str)] = &[("Cache-Control", "max-age=60"), ("ETag", "\"1\"")];
    // What is asked ten or seventy seconds after the page was stored, the status and the word of the answer, and whether
    // the origin is asked, with which condition.
    type Row = (
        u64,
        &'static str,
        u16,
        &'static str,
        Option<Option<&'static str>>,
    );
    let rows: &[Row] = &[
        (10, "max-age=10", 200, "Hit", None),
        (10, "max-age=9", 200, "RefreshHit", Some(Some("\"1\""))),
        (10, "no-cache", 200, "RefreshHit", Some(Some("\"1\""))),
        (10, "min-fresh=50", 200, "Hit", None),
        (10, "min-fresh=51", 200, "RefreshHit", Some(Some("\"1\""))),
        (10, "only-if-cached", 200, "Hit", None),
        (10, "no-store", 200, "Miss", Some(None)),
        (70, "max-stale=10", 200, "Hit", None),
        (70, "max-stale=9", 200, "RefreshHit", Some(Some("\"1\""))),
        (70, "only-if-cached", 504, "Error", None),
        (70, "only-if-cached, max-stale", 200, "Hit", None),
    ];
    for (after, directives, status, word, asked) in rows {
        let origin = Origin::start(|request| {
            let reply = match request.header("if-none-match") {
                Some(_) => Reply::status(304),
                None => Reply::ok("page"),
            };
            FOR_A_MINUTE
                .iter()
                .fold(reply, |reply, (name, value)| reply.header(name, value))
        })
        .await;
        let edge = Edge::new()
            .distribution("request_cc: honour")
            .start(&origin)
            .await;
        edge.get("/").await;
        edge.advance(*after);
        let request = edge.request("GET", "/").header("Cache-Control", directives);
        let answer = request.send().await;
        let got = (answer.status, answer.x_cache());
        assert_eq!(got, (*status, *word), "{directives} after {after}");
        assert_eq!(
            origin.count(),
            1 + usize::from(asked.is_some()),
            "{directives}"
        );
        if let Some(condition) = asked {
            let last = origin.last();
            assert_eq!(last.header("if-none-match"), *condition, "{directives}");
        }
    }
}
