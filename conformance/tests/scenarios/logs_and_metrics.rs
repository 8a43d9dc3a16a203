//! The standard log of a real node, and its metrics under CloudFront's names (CF section 8).

use fourfront::observe::{mapping::MAPPINGS, standard};
use fourfront_conformance::{ALL_METHODS, Edge, Origin, Reply, Running, handler};

/// The fields of the standard log's line about an answer, by name.
async fn line(edge: &Running, answer: &fourfront_conformance::Answer) -> impl Fn(&str) -> String {
    let record = edge.record_of(answer).await;
    let mut line = Vec::new();
    standard::append(&record, true, &mut line);
    let line = String::from_utf8(line).expect("ASCII");
    let values: Vec<_> = line.trim_end().split('\t').map(str::to_owned).collect();
    assert_eq!(values.len(), standard::FIELDS.len());
    move |name| {
        let at = standard::FIELDS.iter().position(|f| *f == name);
        values[at.expect("a field of the log")].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_what_the_viewer_sent_whatever_functions_made_of_it() {
    // CF-701, CF-703, CF-187
    let origin = Origin::start(|_| {
        Reply::ok("0123456789")
            .header("Cache-Control", "max-age=60")
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("ETag", "\"one\"")
    })
    .await;
    let rewrites = handler(
        "request.uri = '/other'; request.headers['user-agent'] = [{ value: 'changed' }]; \
         delete request.headers.cookie; return request;",
    );
    for function in [false, true] {
        let mut edge = Edge::new()
            .distribution("domain_name: d1.example.test")
            .behavior(ALL_METHODS);
        if function {
            edge = edge
                .function("rewrites", &rewrites)
                .behavior("on: { viewer-request: rewrites }");
        }
        let edge = edge.start(&origin).await;
        let get = || {
            edge.request(
                "GET",
                "/a b?x=\"1\""
                    .replace(' ', "%20")
                    .replace('"', "%22")
                    .as_str(),
            )
            .header("Host", "shop.test")
            .header("User-Agent", "Tester/1 (a; b)")
            .header("Referer", "https://a.test/?q=[1]")
            .header("Cookie", "a=1; b=2")
            .header("X-Forwarded-For", "203.0.113.1")
        };
        // A miss goes another way than a hit, and a range another than both.
        for (range, status) in [("", 200), ("", 200), ("bytes=2-5", 206)] {
            let request = if range.is_empty() {
                get()
            } else {
                get().header("Range", range)
            };
            let answer = request.send().await;
            assert_eq!(answer.status, status);
            let field = line(&edge, &answer).await;
            for (name, value) in [
                ("date", "2026-03-03"),
                ("time", "09:00:00"),
                ("cs-method", "GET"),
                ("cs(Host)", "d1.example.test"),
                ("x-host-header", "shop.test"),
                ("cs-uri-stem", "/a%2520b"),
                ("cs-uri-query", "x=%25221%2522"),
                ("cs(User-Agent)", "Tester/1%20(a;%20b)"),
                ("cs(Referer)", "https://a.test/?q=%5B1%5D"),
                ("cs(Cookie)", "a=1;%20b=2"),
                ("x-forwarded-for", "203.0.113.1"),
                ("c-ip", "127.0.0.1"),
                ("cs-protocol", "http"),
                ("cs-protocol-version", "HTTP/1.1"),
                ("ssl-protocol", "-"),
                ("sc-content-type", "text/plain;%20charset=utf-8"),
                ("x-edge-request-id", answer.header("x-amz-cf-id").unwrap()),
            ] {
                assert_eq!(field(name), value, "{name} {function}");
            }
            let number = |name: &str| field(name).parse::<f64>().unwrap_or(-1.0);
            let heads: usize = answer
                .headers
                .iter()
                .map(|(n, v)| n.len() + v.len() + 4)
                .sum();
            let sent = (heads + answer.body.len()) as f64;
            // The status line and, on this way, fields that the client does not show.
            let bytes = number("sc-bytes");
            assert!(bytes >= sent && bytes < sent + 80.0, "{bytes} {sent}");
            assert!(number("cs-bytes") > 150.0 && number("cs-bytes") < 400.0);
            assert!(number("time-to-first-byte") >= 0.0);
            assert!(number("time-taken") >= number("time-to-first-byte") - 0.001);
            let (from, to) = match status {
                206 => ("2", "5"),
                _ => ("-", "-"),
            };
            assert_eq!(
                (field("sc-range-start"), field("sc-range-end")),
                (from.into(), to.into())
            );
        }
        let answer = edge.request("POST", "/up").body("0123456789").send().await;
        let field = line(&edge, &answer).await;
        let head = field("cs-bytes").parse::<usize>().unwrap();
        assert!(head > 40, "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudfronts_metrics_come_from_the_exposition_by_the_table() {
    // CF-720, CF-721
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/404" => Reply::status(404).body("none"),
        "/502" => Reply::status(502),
        _ => Reply::ok("0123456789").header("Cache-Control", "max-age=60"),
    })
    .await;
    let edge = Edge::new()
        .distribution("id: ESITE")
        .behavior(ALL_METHODS)
        .function("throws", &handler("throw new Error('no')"))
        .function("wrong", &handler("return { status: 'none' }"))
        .function("makes", &handler("return { status: '200', body: 'made' }"))
        .path("/throws", "on: { viewer-request: throws }")
        .path("/wrong", "on: { viewer-request: wrong }")
        .path("/makes", "on: { viewer-request: makes }")
        .start(&origin)
        .await;
    let mut sent = 0;
    for path in [
        "/a", "/a", "/a", "/b", "/404", "/502", "/throws", "/wrong", "/makes",
    ] {
        let answer = edge.get(path).await;
        sent += answer.body.len();
        edge.record_of(&answer).await;
    }
    let answer = edge
        .request("POST", "/up")
        .body("fifteen bytes..")
        .send()
        .await;
    edge.record_of(&answer).await;
    let metrics = edge.metrics();
    let value = |name: &str, whose: &str| {
        let mapping = MAPPINGS.iter().find(|m| m.name == name);
        mapping.and_then(|m| m.value(&metrics, whose))
    };
    let site = |name: &str| value(name, "ESITE").unwrap_or(-1.0);
    assert_eq!(site("Requests"), 10.0);
    assert_eq!(site("BytesDownloaded"), sent as f64);
    assert_eq!(site("BytesUploaded"), 15.0);
    assert_eq!((site("4xxErrorRate"), site("404ErrorRate")), (10.0, 10.0));
    // /502, /throws, which is 503, and /wrong, which is 502
    assert_eq!((site("5xxErrorRate"), site("502ErrorRate")), (30.0, 20.0));
    assert_eq!((site("503ErrorRate"), site("TotalErrorRate")), (10.0, 40.0));
    assert_eq!((site("401ErrorRate"), site("504ErrorRate")), (0.0, 0.0));
    // /a twice out of four that the cache was asked for and that were no errors; POST does not count.
    assert_eq!(site("CacheHitRate"), 50.0);
    for (name, function) in [
        ("FunctionExecutionErrors", "throws"),
        ("FunctionValidationErrors", "wrong"),
    ] {
        assert_eq!(value(name, function), Some(1.0), "{name}");
        assert_eq!(value(name, "makes"), Some(0.0), "{name}");
    }
    assert_eq!(value("FunctionInvocations", "makes"), Some(1.0));
    assert_eq!(value("FunctionThrottles", "makes"), Some(0.0));
    // Only what the origin served: two misses, two errors and the POST.
    let count = "fourfront_origin_served_seconds_count{distribution=\"ESITE\"} 5";
    assert!(metrics.contains(count), "{metrics}");
}
