//! `explain`: what a node would do with a request, told without doing it (CP-606, CP-607). Each verdict is held against what
//! the node then does.

use bytes::Bytes;
use fourfront_conformance::{
    Answer, Edge, Origin, RawOrigin, Reply, Running, Turn, country_database,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

async fn told(edge: &Running, request: Value) -> Value {
    let (status, told) = edge.explain(request).await;
    assert_eq!(status, 200, "{told}");
    told
}

async fn told_of(edge: &Running, url: &str) -> Value {
    told(edge, json!({ "url": url })).await
}

/// Result and reason.
fn verdict(told: &Value) -> (&str, &str) {
    let verdict = &told["verdict"];
    let text = |name: &str| verdict[name].as_str().unwrap_or("-");
    (text("result"), text("reason"))
}

/// The `detail` of `Cache-Status` of a real answer.
fn detail(answer: &Answer) -> String {
    let status = answer.header("cache-status").unwrap_or_default();
    let detail = status.split("; ").find_map(|p| p.strip_prefix("detail="));
    detail.unwrap_or("-").trim_matches('"').to_owned()
}

fn only_copy(told: &Value) -> &Value {
    let stored = told["stored"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(stored.len(), 1, "{told:#}");
    &stored[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miss_a_hit_and_a_stale_copy() {
    // CP-606, CP-607, CF-256, CF-257, CF-258
    let origin = Origin::start(|_| {
        Reply::ok("12345")
            .header("Cache-Control", "max-age=60, stale-while-revalidate=30")
            .header("Age", "10")
            .header("ETag", "\"1\"")
            .header("Cache-Tag", "red, blue")
    })
    .await;
    let edge = Edge::new()
        .distribution("id: E1")
        .distribution("aliases: [www.a.test]")
        .distribution("cache_tag_config: { header_name: Cache-Tag, hide: true }")
        .behavior("cache_policy: { query_strings: [x], headers: [X-Device], cookies: [id] }")
        .path("/other/*", "origin: origin")
        .start(&origin)
        .await;
    let request = json!({
        "url": "http://www.a.test/a?x=1&y=2",
        "headers": { "X-Device": "phone", "Cookie": "other=1; id=7" },
    });
    let get = async || {
        let request = edge.request("GET", "/a?x=1&y=2");
        let request = request.header("Host", "www.a.test");
        let request = request.header("X-Device", "phone");
        request.header("Cookie", "other=1; id=7").send().await
    };

    let first = told(&edge, request.clone()).await;
    assert_eq!(verdict(&first), ("miss", "absent"));
    assert_eq!(first["verdict"]["origin"], "asked");
    assert_eq!(first["distribution"]["id"], "E1");
    assert_eq!(first["distribution"]["matched_by"], "alias www.a.test");
    assert_eq!(first["behavior"]["path_pattern"], "*");
    assert_eq!(first["behavior"]["did_not_match"], json!(["/other/*"]));
    assert_eq!(first["cache"]["mode"], "rfc9111");
    let parts: Vec<_> = first["key"]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["part"].as_str().unwrap(), p["value"].as_str().unwrap()))
        .collect();
    assert_eq!(
        parts,
        [
            ("distribution", "E1"),
            ("method", "GET"),
            ("path", "/a"),
            ("query", "x=1"),
            ("x-device", "phone"),
            ("cookies", "id=7"),
        ]
    );
    assert_eq!(origin.count(), 0);
    assert_eq!(detail(&get().await), "absent");

    edge.advance(20);
    // Counted behind the answer.
    edge.recorded(1).await;
    let before = edge.metrics();
    let hit = told(&edge, request.clone()).await;
    assert_eq!(verdict(&hit), ("hit", "-"));
    assert_eq!(hit["key"]["hash"], first["key"]["hash"]);
    let copy = only_copy(&hit);
    assert_eq!(
        (&copy["tier"], &copy["bytes"]),
        (&json!("memory"), &json!(5))
    );
    assert_eq!(copy["tags"], json!(["red", "blue"]));
    let ttl = &copy["ttl"];
    assert_eq!(
        (
            &ttl["source"],
            &ttl["lifetime"],
            &ttl["initial_age"],
            &ttl["age"],
            &ttl["remaining"]
        ),
        (
            &json!("max-age"),
            &json!(60),
            &json!(10),
            &json!(30),
            &json!(30)
        )
    );
    assert_eq!(ttl["fresh_until"], "2026-03-03T09:00:50.000Z");
    assert_eq!(copy["stale"]["while_revalidate"], 30);
    assert_eq!(copy["stale"]["conditions"], json!(["if-none-match"]));
    // Who asks is not counted.
    let counted = |metrics: &str| -> Vec<String> {
        let lines = metrics.lines();
        let of_cache = lines.filter(|l| l.starts_with("fourfront_cache_total"));
        of_cache.map(str::to_owned).collect()
    };
    assert_eq!(counted(&before), counted(&edge.metrics()));
    let answer = get().await;
    assert_eq!(
        hit["verdict"]["cache_status"].as_str(),
        answer.header("cache-status")
    );

    edge.advance(35);
    let stale = told(&edge, request.clone()).await;
    assert_eq!(verdict(&stale), ("stale", "stale-revalidate"));
    assert_eq!(stale["verdict"]["grace"], "stale-while-revalidate");
    assert_eq!(stale["verdict"]["origin"], "asked in the background");
    assert_eq!(origin.count(), 1);

    edge.advance(60);
    let expired = told(&edge, request).await;
    assert_eq!(verdict(&expired), ("stale", "expired"));
    assert_eq!(expired["verdict"]["grace"], Value::Null);
    assert_eq!(
        expired["verdict"]["origin"],
        "asked with the stored validators"
    );
    assert_eq!(only_copy(&expired)["stale"]["if_unreachable"], "stale");
    assert_eq!(origin.count(), 1);
    assert_eq!(detail(&get().await), "expired");
    assert_eq!(origin.last().header("if-none-match"), Some("\"1\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_to_the_cache() {
    // CP-606, CP-607, CF-114, CF-215, CF-527, CF-829
    let origin = Origin::saying("x").await;
    let edge = Edge::new()
        .distribution("request_cc: honour")
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .path(
            "/never/*",
            "origin: origin, cache_policy: Managed-CachingDisabled",
        )
        .path("/get/*", "origin: origin, allowed_methods: [GET, HEAD]")
        .hook("viewer-request", "return event.Records[0].cf.request;")
        .start(&origin)
        .await;
    let post = told(&edge, json!({ "url": "/a", "method": "POST" })).await;
    assert_eq!(verdict(&post), ("bypass", "method"));
    assert_eq!(post["cache"]["method_may_use_it"], false);
    assert!(post["key"].is_null());
    assert_eq!(detail(&edge.request("POST", "/a").send().await), "method");

    let never = told_of(&edge, "/never/a").await;
    assert_eq!(verdict(&never), ("bypass", "ttl-zero"));
    assert_eq!(never["behavior"]["path_pattern"], "/never/*");
    assert_eq!(detail(&edge.get("/never/a").await), "ttl-zero");

    edge.get("/a").await;
    let headers = json!({ "Cache-Control": "no-store" });
    let request = json!({ "url": "/a", "headers": headers });
    assert_eq!(verdict(&told(&edge, request).await), ("bypass", "no-store"));
    let headers = json!({ "Cache-Control": "only-if-cached" });
    let request = json!({ "url": "/absent", "headers": headers });
    let absent = told(&edge, request).await;
    assert_eq!(verdict(&absent), ("miss", "absent"));
    assert_eq!(absent["verdict"]["origin"], "not asked");

    let refused = told(&edge, json!({ "url": "/get/a", "method": "PUT" })).await;
    assert_eq!(verdict(&refused), ("refused", "-"));
    assert_eq!(refused["verdict"]["status"], 403);
    assert_eq!(edge.request("PUT", "/get/a").send().await.status, 403);

    // LE-004: the key is that of the request as the function leaves it.
    assert_eq!(absent["functions"][0]["event_type"], "viewer-request");
    let notes = absent["notes"].to_string();
    assert!(notes.contains("hook was not run"), "{notes}");

    let (status, problem) = edge.explain(json!({ "url": "x" })).await;
    assert_eq!((status, &problem["field"]), (400, &json!("url")));
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_of_one_key() {
    // CP-606, CP-607, CF-824
    let origin = Origin::start(|request| {
        Reply::ok(request.header("accept-language").unwrap_or("-").to_owned())
            .header("Cache-Control", "max-age=600")
            .header("Vary", "X-Never-Sent, Accept-Language")
    })
    .await;
    let edge = Edge::new()
        .behavior("origin_request_policy: { headers: [Accept-Language] }")
        .start(&origin)
        .await;
    let get = async |language: &str| {
        let request = edge.request("GET", "/a");
        request.header("Accept-Language", language).send().await
    };
    let explain = async |language: &str| {
        let headers = json!({ "Accept-Language": language, "X-Never-Sent": "1" });
        told(&edge, json!({ "url": "/a", "headers": headers })).await
    };
    get("de").await;
    get("pt").await;
    for (language, found) in [("de", true), ("pt", true), ("fi", false)] {
        let told = explain(language).await;
        assert_eq!(
            told["vary"]["fields"],
            json!([
                { "name": "accept-language", "value": language },
                { "name": "x-never-sent", "value": null },
            ])
        );
        let stored = told["stored"].as_array().unwrap();
        assert_eq!(stored.len(), 2, "{told:#}");
        assert_eq!(stored[0]["found"], found);
        assert_eq!(stored[0]["variant"] == told["vary"]["variant"], found);
        assert_eq!(stored[1]["found"], false);
        let reason = "vary(accept-language, x-never-sent)";
        let want = if found {
            ("hit", "-")
        } else {
            ("miss", reason)
        };
        assert_eq!(verdict(&told), want);
        let answer = get(language).await;
        assert_eq!(answer.x_cache() == "Hit", found);
        assert_eq!(detail(&answer), want.1);
        if !found {
            let status = answer.header("cache-status").unwrap();
            assert!(status.contains("fwd=vary-miss"), "{status}");
        }
    }
    assert_eq!(explain("fi").await["stored"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalidations_and_the_disk() {
    // CP-606, CP-607, CF-660, CF-661
    let origin = Origin::start(|_| {
        Reply::ok(vec![b'x'; 3_000_000])
            .header("Cache-Control", "max-age=600")
            .header("Cache-Tag", "big")
    })
    .await;
    let data = TempDir::new().unwrap();
    let start = async || {
        Edge::new()
            .node("cache_memory: 2MiB")
            .node("max_object_size: 16MiB")
            .node("cache_disk: 128MiB")
            .node(&format!("data_dir: {}", data.path().display()))
            .distribution("id: E1")
            .distribution("cache_tag_config: { header_name: Cache-Tag }")
            .start(&origin)
            .await
    };
    let edge = start().await;
    edge.get("/a").await;
    // A restart: all that is stored is on disk.
    drop(edge);
    let edge = start().await;
    let hit = told_of(&edge, "/a").await;
    assert_eq!(verdict(&hit), ("hit", "-"));
    let copy = only_copy(&hit);
    assert_eq!(
        (&copy["tier"], &copy["bytes"]),
        (&json!("disk"), &json!(3_000_000))
    );

    let soft = edge.invalidate(&["/b", "/a*"], true);
    edge.advance(1);
    let stale = told_of(&edge, "/a").await;
    assert_eq!(verdict(&stale), ("stale", "expired"));
    let by = &only_copy(&stale)["invalidation"];
    assert_eq!(
        (by["id"].as_str(), &by["effect"]),
        (Some(&*soft), &json!("stale"))
    );
    assert_eq!(by["items"], json!(["/a*"]));
    assert_eq!(by["since"], "2026-03-03T09:00:00.000Z");

    let hard = edge.invalidate(&["#big", "/c"], false);
    for _ in 0..2 {
        // Looking does not take it away.
        let gone = told_of(&edge, "/a").await;
        let reason = format!("invalidated({hard})");
        assert_eq!(verdict(&gone), ("invalidated", reason.as_str()));
        let copy = only_copy(&gone);
        assert_eq!(
            (&copy["state"], &copy["tier"]),
            (&json!("gone"), &json!("disk"))
        );
        assert_eq!(copy["invalidation"]["items"], json!(["#big"]));
    }
    let answer = edge.get("/a").await;
    assert_eq!(answer.x_cache(), "Miss");
    assert_eq!(detail(&answer), format!("invalidated({hard})"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_arriving() {
    // CP-606, CF-401
    let (pieces, stream) = mpsc::unbounded_channel();
    let stream = Mutex::new(Some(stream));
    let origin = Origin::start(move |_| {
        let stream = stream.try_lock().ok().and_then(|mut s| s.take());
        stream.map_or_else(|| Reply::status(500), Reply::stream)
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    pieces.send(Bytes::from_static(b"first ")).unwrap();
    let mut leader = edge.request("GET", "/a").open().await.unwrap();
    assert!(leader.piece().await.unwrap().is_some());
    let arriving = told_of(&edge, "/a").await;
    assert_eq!(verdict(&arriving), ("hit", "-"));
    let copy = only_copy(&arriving);
    assert_eq!(
        (&copy["tier"], &copy["bytes"], &copy["ttl"]["source"]),
        (&json!("arriving"), &Value::Null, &json!("default_ttl"))
    );
    drop(pieces);
    while leader.piece().await.unwrap().is_some() {}
    let whole = told_of(&edge, "/a").await;
    let copy = only_copy(&whole);
    assert_eq!(
        (&copy["tier"], &copy["bytes"]),
        (&json!("memory"), &json!(6))
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_errors_and_origins_that_are_left_alone() {
    // CP-606, CP-607, CF-261, CF-269, CF-272, CF-290, CF-296
    let origin = RawOrigin::start(|_| vec![Turn::Close]).await;
    let edge = Edge::new()
        .top("cache_mode: cloudfront")
        .start_at(&origin.url())
        .await;
    assert_eq!(edge.get("/down").await.status, 502);
    let told = told_of(&edge, "/down").await;
    assert_eq!(verdict(&told), ("hit", "error-ttl"));
    let copy = only_copy(&told);
    assert_eq!(
        (&copy["status"], &copy["ttl"]["remaining"]),
        (&json!(502), &json!(10))
    );
    assert_eq!(copy["ttl"]["source"], "error_caching_min_ttl");
    assert!(copy["failure"].is_string(), "{copy}");
    assert_eq!(told["cache"]["mode"], "cloudfront");
    // No answer of this mode has the field; the record has the word.
    assert_eq!(told["verdict"]["cache_status"], Value::Null);
    let answer = edge.get("/down").await;
    assert_eq!(answer.header("cache-status"), None);
    let record = edge.record_of(&answer).await;
    assert_eq!(record.to_json()["ff-cache-reason"], "error-ttl");

    let asked = std::sync::atomic::AtomicUsize::new(0);
    let origin =
        Origin::start(
            move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => Reply::ok("x").header("Cache-Control", "max-age=60"),
                _ => Reply::status(503),
            },
        )
        .await;
    let edge = Edge::new()
        .top("cache_mode: cloudfront")
        .start(&origin)
        .await;
    edge.get("/a").await;
    edge.advance(70);
    let stale = told_of(&edge, "/a").await;
    assert_eq!(verdict(&stale), ("stale", "expired"));
    assert_eq!(stale["verdict"]["origin"], "asked");
    assert_eq!(only_copy(&stale)["stale"]["if_503"], "stale");
    assert_eq!(edge.get("/a").await.text(), "x");
    let held = told_of(&edge, "/a").await;
    assert_eq!(verdict(&held), ("stale", "stale-revalidate"));
    assert_eq!(held["verdict"]["grace"], "held-off");
    assert_eq!(held["verdict"]["origin"], "not asked");
    assert_eq!(
        only_copy(&held)["stale"]["held_off_until"],
        "2026-03-03T09:01:20.000Z"
    );
    let record = edge.record_of(&edge.get("/a").await).await;
    assert_eq!(record.to_json()["ff-cache-reason"], "stale-revalidate");
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_that_of_the_viewer_who_is_asked_for() {
    // CP-606, CF-174, CF-376, CF-377
    let origin = Origin::saying("x").await;
    let edge = Edge::new().node("geo_database: ./country.mmdb").behavior(
        "cache_policy: { headers: [CloudFront-Is-Mobile-Viewer, CloudFront-Viewer-Country] }",
    );
    let networks = [("127.0.0.0/8", "DE"), ("192.0.2.0/24", "FR")];
    std::fs::write(edge.dir().join("country.mmdb"), country_database(&networks))
        .expect("a writable directory");
    let edge = edge.start(&origin).await;
    let headers = json!({ "User-Agent": "Android Mobile", "CloudFront-Viewer-Country": "XX" });
    let ask = async |viewer: &str| {
        let told = told(
            &edge,
            json!({ "url": "/a", "headers": headers, "viewer": viewer }),
        )
        .await;
        let parts = told["key"]["parts"].as_array().expect("parts").clone();
        let generated = parts.into_iter().filter(|part| {
            let name = part["part"].as_str().unwrap_or_default();
            name.starts_with("cloudfront-")
        });
        let values = generated.map(|part| part["value"].as_str().unwrap_or_default().to_owned());
        (told["key"]["hash"].clone(), values.collect::<Vec<_>>())
    };
    let (here, parts) = ask("127.0.0.1").await;
    assert_eq!(parts, ["true", "DE"]);
    let (there, parts) = ask("192.0.2.1").await;
    assert_eq!(parts, ["true", "FR"]);
    let (nowhere, parts) = ask("2001:db8::1").await;
    assert_eq!(parts, ["true"]);
    assert!(here != there && there != nowhere && here != nowhere);
    // A real request of that kind has that key.
    let request = edge.request("GET", "/a");
    request.header("User-Agent", "Android Mobile").send().await;
    let told = told(&edge, json!({ "url": "/a", "headers": headers })).await;
    assert_eq!(told["key"]["hash"], here);
    assert_eq!(verdict(&told).0, "hit");
}
