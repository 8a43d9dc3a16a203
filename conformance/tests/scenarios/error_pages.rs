//! Custom error responses: pages that stand in for errors (CF section 6.9).

use fourfront_conformance::{
    ALL_METHODS, Edge, Origin, RawOrigin, Reply, Turn, handler, raw_exchange,
};
use tokio::sync::{mpsc, watch};

/// An origin with pages under `/errors/`, and otherwise the status that the path begins with.
async fn origin() -> Origin {
    Origin::start(|request| {
        let path = request.target.split('?').next().unwrap_or_default();
        if let Some(name) = path.strip_prefix("/errors/") {
            if name.starts_with("gone") {
                return Reply::status(404).body("no such page");
            }
            return Reply::ok(format!("page {name}"))
                .header("Content-Type", "text/html")
                .header("Cache-Control", "max-age=60");
        }
        let status = path.get(1..4).and_then(|s| s.parse().ok()).unwrap_or(200);
        Reply::status(status).body("the error itself")
    })
    .await
}

fn pages(entries: &[(u16, &str, u16)]) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|(code, path, response)| {
            format!(
                "{{ error_code: {code}, response_page_path: {path}, response_code: {response} }}"
            )
        })
        .collect();
    format!("custom_error_responses: [{}]", entries.join(", "))
}

/// How often an origin was asked for each path.
fn counts(origin: &Origin, path: &str) -> usize {
    origin.seen().iter().filter(|s| s.target == path).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_stands_in_for_an_error_under_the_configured_status() {
    // CF-043, CF-592, CF-593, CF-513, CF-261, CF-290, CF-291, CF-301
    let origin = origin().await;
    for mode in ["cloudfront", "rfc9111"] {
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .distribution(&pages(&[
                (404, "/errors/404.html", 200),
                (503, "/errors/sorry", 503),
            ]))
            .start(&origin)
            .await;
        let before = origin.count();
        for n in 1..=3 {
            let answer = edge.get("/404/a").await;
            assert_eq!(
                (answer.status, answer.text()),
                (200, "page 404.html"),
                "{mode} {n}"
            );
            assert_eq!(answer.x_cache(), "Error");
            assert_eq!(answer.all("content-type"), ["text/html"]);
            assert_eq!(answer.all("content-length"), ["13"]);
            assert_eq!(answer.all("via"), ["1.1 edge-1.fourfront (Fourfront)"]);
            assert_eq!(answer.all("x-amz-cf-id").len(), 1);
            assert_eq!(answer.all("date").len(), 1);
            // It tells of the error, not of its page.
            let told = answer.all("cache-status");
            match (mode, n) {
                ("cloudfront", _) => assert!(told.is_empty()),
                (_, 1) => assert!(
                    told.len() == 1 && told[0].contains("fwd-status=404"),
                    "{told:?}"
                ),
                _ => assert!(told.len() == 1 && told[0].contains("; hit"), "{told:?}"),
            }
            let record = edge.record_of(&answer).await;
            assert_eq!((record.status, record.bytes), (200, 13));
            assert_eq!(record.served.result_type(record.status).as_str(), "Error");
            assert_eq!(record.uri, "/404/a");
        }
        // The error and the page were each fetched once, and are kept by their own rules.
        assert_eq!(origin.count() - before, 2, "{mode}");
        edge.advance(20);
        assert_eq!(edge.get("/404/a").await.text(), "page 404.html");
        assert_eq!(origin.count() - before, 3, "{mode}");
        let answer = edge.get("/503/a").await;
        assert_eq!((answer.status, answer.text()), (503, "page sorry"));
        // No page: the error itself.
        let answer = edge.get("/403/a").await;
        assert_eq!((answer.status, answer.text()), (403, "the error itself"));
        // One record for each request, none for a page.
        assert_eq!(edge.recorded(6).await.len(), 6);
        let metrics = edge.metrics();
        let errors = metrics.lines().filter(|l| {
            l.starts_with("fourfront_requests_total{") && l.contains("result=\"Error\"")
        });
        let errors = errors.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok());
        assert_eq!(errors.sum::<u64>(), 6, "{metrics}");
        let pages = metrics
            .lines()
            .filter(|l| l.starts_with("fourfront_error_pages_total{"));
        let pages: Vec<_> = pages
            .map(|l| l.split_once(',').unwrap_or_default().1)
            .collect();
        assert_eq!(
            pages,
            [
                "error=\"404\",outcome=\"sent\"} 4",
                "error=\"503\",outcome=\"sent\"} 1"
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_pages_share_what_is_stored() {
    // CF-592, CF-301
    let origin = origin().await;
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/errors/404.html", 404)]))
        .start(&origin)
        .await;
    assert_eq!(edge.get("/errors/404.html").await.x_cache(), "Miss");
    let answer = edge.get("/404/a").await;
    assert_eq!((answer.status, answer.text()), (404, "page 404.html"));
    assert_eq!(edge.get("/errors/404.html").await.x_cache(), "Hit");
    assert_eq!(counts(&origin, "/errors/404.html"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_origins_stay_too() {
    // CF-396, CF-592
    let origin = Origin::start(|request| match request.target.as_str() {
        "/page" => Reply::ok("the page").header("Cache-Control", "no-store"),
        _ => Reply::status(404).body("no"),
    })
    .await;
    let edge = Edge::new()
        .threads(1, 1)
        .distribution(&pages(&[(404, "/page", 404)]))
        .start(&origin)
        .await;
    for n in 0..10 {
        assert_eq!(edge.get(&format!("/{n}")).await.text(), "the page");
        edge.recorded(n + 1).await;
    }
    assert_eq!(origin.count(), 20);
    // One each for the error and the page, and one more if either was still busy.
    assert!(origin.connections() <= 3, "{}", origin.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_errors_fetches_the_page_once() {
    // CF-592, CF-400
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/page" => Reply::ok("the page")
            .header("Cache-Control", "max-age=60")
            .after(&gate),
        _ => Reply::status(404).body("no"),
    })
    .await;
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/page", 404)]))
        .start(&origin)
        .await;
    let crowd = (0..20).map(|n| {
        let request = edge.request("GET", &format!("/{n}"));
        tokio::spawn(request.send())
    });
    let crowd: Vec<_> = crowd.collect();
    origin.received(21).await;
    open.send(true).unwrap();
    for viewer in crowd {
        let answer = viewer.await.unwrap();
        assert_eq!((answer.status, answer.text()), (404, "the page"));
    }
    assert_eq!(counts(&origin, "/page"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_at_one_error_is_one_fetch() {
    // CF-400, CF-402, CF-592
    let (open, gate) = watch::channel(false);
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/page" => Reply::ok("the page").header("Cache-Control", "max-age=60"),
        _ => Reply::status(404).body("no").after(&gate),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(404, "/page", 404)]))
        .start(&origin)
        .await;
    let crowd: Vec<_> = (0..20)
        .map(|_| tokio::spawn(edge.request("GET", "/one").send()))
        .collect();
    origin.received(1).await;
    open.send(true).unwrap();
    for viewer in crowd {
        let answer = viewer.await.unwrap();
        assert_eq!((answer.status, answer.text()), (404, "the page"));
    }
    assert_eq!((counts(&origin, "/one"), counts(&origin, "/page")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_sent_as_it_comes() {
    // CF-592, CF-617
    let (pieces, receiver) = mpsc::unbounded_channel();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let origin = Origin::start(move |request| match request.target.as_str() {
        "/page" => Reply::stream(receiver.lock().unwrap().take().unwrap()),
        _ => Reply::status(404).body("no"),
    })
    .await;
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/page", 200)]))
        .start(&origin)
        .await;
    pieces.send("first".into()).unwrap();
    let mut answer = edge.request("GET", "/a").open().await.unwrap();
    answer.received(5).await;
    assert_eq!(answer.so_far().status, 200);
    pieces.send(" last".into()).unwrap();
    drop(pieces);
    assert_eq!(answer.whole().await.text(), "first last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_off_breaks_the_answer_off() {
    // CF-396, CF-594
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |turn| match turn {
        1 => vec![Turn::send(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        )],
        _ => vec![
            Turn::send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"),
            Turn::Await(gate.clone()),
            Turn::Close,
        ],
    })
    .await;
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/page", 200)]))
        .start_at(&origin.url())
        .await;
    let mut answer = edge.request("GET", "/a").open().await.unwrap();
    answer.received(5).await;
    open.send(true).unwrap();
    assert!(answer.piece().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_behaviour_fetches_it_with_its_functions_on_the_origins_side() {
    // CF-592, CF-596, LE-031, LE-032, LE-424, LE-571
    let origin = origin().await;
    let other =
        Origin::start(|_| Reply::ok("elsewhere").header("Cache-Control", "max-age=60")).await;
    let mark = |name: &str, what: &str| handler(&format!("console.log('{name}'); return {what};"));
    let edge = Edge::new()
        .function("main-viewer", &mark("main viewer-request", "request"))
        .function("main-late", &mark("main viewer-response", "response"))
        .function("main-asks", &mark("main origin-request", "request"))
        .function("main-hears", &mark("main origin-response", "response"))
        .function("page-viewer", &mark("page viewer-request", "request"))
        .function("page-late", &mark("page viewer-response", "response"))
        .function("page-asks", &mark("page origin-request", "request"))
        .function("page-hears", &handler("console.log('page origin-response'); response.headers['x-page'] = [{ value: request.uri }]; return response;"))
        .origin(&format!("other: {}", other.url()))
        .path("/errors/*", "origin: other, on: { viewer-request: page-viewer, origin-request: page-asks, origin-response: page-hears, viewer-response: page-late }, response_headers_policy: { custom_headers_config: [{ header: X-Policy, value: pages }] }")
        .behavior("on: { viewer-request: main-viewer, origin-request: main-asks, origin-response: main-hears, viewer-response: main-late }")
        .behavior("response_headers_policy: { custom_headers_config: [{ header: X-Policy, value: mains }] }")
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(500, "/errors/500.html", 200)]))
        .start(&origin)
        .await;
    let messages = || -> Vec<String> { edge.logs().into_iter().map(|l| l.message).collect() };
    let answer = edge.get("/500/a").await;
    assert_eq!((answer.status, answer.text()), (200, "elsewhere"));
    assert_eq!(answer.all("x-page"), ["/errors/500.html"]);
    // The policy is that of the behaviour that answers.
    assert_eq!(answer.all("x-policy"), ["mains"]);
    edge.logged(5).await;
    assert_eq!(
        messages(),
        [
            "main viewer-request",
            "main origin-request",
            "main origin-response",
            "page origin-request",
            "page origin-response"
        ]
    );
    // All under the viewer's id, and in its record.
    let id = answer.header("x-amz-cf-id").unwrap();
    assert!(edge.logs().iter().all(|l| l.viewer_request_id == id));
    assert_eq!(other.last().header("x-amz-cf-id"), Some(id));
    assert_eq!(edge.record_of(&answer).await.hooks.len(), 5);
    // The error and the page are stored now.
    edge.get("/500/a").await;
    edge.logged(6).await;
    assert_eq!(messages()[5..], ["main viewer-request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_had_gives_its_own_status() {
    // CF-594, CF-591
    let origin = origin().await;
    let edge = Edge::new()
        .distribution(&pages(&[
            (500, "/errors/gone", 200),
            (404, "/errors/404.html", 200),
            (503, "/down/page", 200),
            (502, "/errors/502.html", 200),
        ]))
        .path("/down/*", "origin: down")
        .origin("down: http://127.0.0.1:1")
        .start(&origin)
        .await;
    for n in 1..=2 {
        let answer = edge.get("/500/a").await;
        assert_eq!((answer.status, answer.text()), (404, "no such page"), "{n}");
        assert_eq!(answer.x_cache(), "Error");
        let answer = edge.get("/503/a").await;
        assert_eq!(answer.status, 502, "{n}");
        assert!(answer.text().contains("Request ID: "));
        assert_eq!(answer.x_cache(), "Error");
    }
    assert_eq!(counts(&origin, "/errors/404.html"), 0);
    assert_eq!(counts(&origin, "/errors/502.html"), 0);
    edge.recorded(4).await;
    for error in ["500", "503"] {
        let told = format!("error=\"{error}\",outcome=\"unavailable\"}} 2");
        assert!(edge.metrics().contains(&told), "{}", edge.metrics());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_never_stand_in_for_each_other() {
    // CF-594
    let origin = Origin::start(|request| match request.target.as_str() {
        "/p" => Reply::status(500).body("p failed"),
        _ => Reply::status(404).body("q failed"),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(404, "/p", 200), (500, "/q", 200)]))
        .start(&origin)
        .await;
    // Each of them fails as the other's page, and as its own.
    for _ in 0..5 {
        let both = [edge.request("GET", "/p"), edge.request("GET", "/q")];
        let [p, q] = both.map(|request| tokio::spawn(request.send()));
        let (p, q) = (p.await.unwrap(), q.await.unwrap());
        assert_eq!((p.status, p.text()), (404, "q failed"));
        assert_eq!((q.status, q.text()), (500, "p failed"));
        edge.advance(20);
    }
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/self", 200)]))
        .start(&origin)
        .await;
    let before = origin.count();
    let own = edge.get("/self").await;
    assert_eq!((own.status, own.text()), (404, "q failed"));
    assert_eq!(origin.count() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_gets_the_pages_fields_alone() {
    // CF-597, CF-782
    let origin = origin().await;
    let edge = Edge::new()
        .distribution(&pages(&[(404, "/errors/404.html", 200)]))
        .start(&origin)
        .await;
    for _ in 0..2 {
        let answer = edge.request("HEAD", "/404/a").send().await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(answer.all("content-length"), ["13"]);
        assert_eq!(answer.x_cache(), "Error");
    }
    let asked = origin
        .seen()
        .into_iter()
        .find(|s| s.target == "/errors/404.html");
    assert_eq!(asked.unwrap().method, "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_conditions_get_the_whole_page() {
    // CF-592, CF-596
    let origin = origin().await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .path("/errors/*", "allowed_methods: get-head")
        .distribution(&pages(&[(404, "/errors/404.html", 404)]))
        .start(&origin)
        .await;
    let posted = edge.request("POST", "/404/a").body("x=1").send().await;
    assert_eq!((posted.status, posted.text()), (404, "page 404.html"));
    let asked = origin.last();
    assert_eq!((asked.method.as_str(), asked.body.len()), ("GET", 0));
    assert_eq!(asked.header("content-length"), None);
    for (name, value) in [("Range", "bytes=0-1"), ("If-None-Match", "\"a\"")] {
        for _ in 0..2 {
            let answer = edge
                .request("GET", "/404/b")
                .header(name, value)
                .send()
                .await;
            assert_eq!(
                (answer.status, answer.text()),
                (404, "page 404.html"),
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_beyond_the_end_gets_its_page() {
    // CF-539, CF-590, CF-293
    let origin = Origin::start(|request| match request.target.as_str() {
        "/page" => Reply::ok("no such part"),
        _ => Reply::ok("short").header("Cache-Control", "max-age=60"),
    })
    .await;
    let edge = Edge::new()
        .distribution(&pages(&[(416, "/page", 416)]))
        .start(&origin)
        .await;
    edge.get("/a").await;
    let beyond = edge.request("GET", "/a").header("Range", "bytes=9-");
    let answer = beyond.send().await;
    assert_eq!((answer.status, answer.text()), (416, "no such part"));
    assert_eq!(answer.x_cache(), "Error");
    assert_eq!(edge.get("/a").await.text(), "short");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_stays_where_cloudfront_keeps_it() {
    // CF-507
    let origin = origin().await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[
            (404, "/errors/404.html", 404),
            (403, "/errors/403.html", 200),
            (500, "/errors/500.html", 500),
        ]))
        .start(&origin)
        .await;
    for _ in 0..2 {
        let request = b"GET /404/a HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let mut both = request.to_vec();
        both.extend_from_slice(b"GET /403/a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        // Whatever Pingora leaves of a second request behind a first one, it is answered on the same connection.
        let mut stream = tokio::net::TcpStream::connect(edge.address())
            .await
            .unwrap();
        let first = exchange(&mut stream, request, b"page 404.html").await;
        assert!(first.starts_with("HTTP/1.1 404 "), "{first}");
        assert!(
            !first.to_lowercase().contains("connection: close"),
            "{first}"
        );
        let second = &both[request.len()..];
        let second = exchange(&mut stream, second, b"page 403.html").await;
        assert!(second.starts_with("HTTP/1.1 200 "), "{second}");
    }
    for _ in 0..2 {
        let request = b"GET /500/a HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let all = raw_exchange(edge.address(), request, b"").await;
        let all = String::from_utf8(all).unwrap();
        assert!(all.to_lowercase().contains("connection: close"), "{all}");
        assert!(all.ends_with("\r\n\r\npage 500.html"), "{all}");
    }
}

/// Sends a request on a connection that stays, and reads until the end of its answer is there.
async fn exchange(stream: &mut tokio::net::TcpStream, request: &[u8], until: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    stream.write_all(request).await.expect("the node reads");
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while !all.ends_with(until) {
        let read =
            tokio::time::timeout(std::time::Duration::from_secs(60), stream.read(&mut piece));
        let n = read.await.expect("an answer within a minute").unwrap_or(0);
        assert!(n > 0, "closed after {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&piece[..n]);
    }
    String::from_utf8(all).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_cannot_be_reached_get_a_page_after_what_is_stale() {
    // CF-595, CF-273, CF-296, CF-772
    let origin = Origin::start(|request| match request.target.as_str() {
        "/page" => Reply::ok("sorry").header("Cache-Control", "max-age=3600"),
        _ => Reply::ok("good").header("Cache-Control", "max-age=10"),
    })
    .await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(502, "/page", 503)]))
        .path("/page", "origin: origin")
        .path("/dead", "origin: dead")
        .origin("dead: http://127.0.0.1:1")
        .start(&origin)
        .await;
    for n in 1..=2 {
        let answer = edge.get("/dead").await;
        assert_eq!(
            (answer.status, answer.text(), answer.x_cache()),
            (503, "sorry", "Error"),
            "{n}"
        );
        let record = edge.record_of(&answer).await;
        let detail = if n == 1 {
            "OriginConnectError"
        } else {
            record.served.detail(503)
        };
        assert_eq!(record.served.detail(503), detail);
    }
    // Stale first.
    assert_eq!(edge.get("/good").await.text(), "good");
    edge.advance(20);
    let site = edge.site_file().replace(
        &format!("origin: {}", origin.url()),
        "origin: http://127.0.0.1:1",
    );
    edge.reload(&site).unwrap();
    let stale = edge.get("/good").await;
    assert_eq!((stale.status, stale.text()), (200, "good"));
    assert_eq!(edge.get("/never").await.text(), "sorry");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_on_the_origins_side_fail_into_a_page() {
    // CF-595, LE-181, LE-280, LE-A08
    let origin = origin().await;
    let edge = Edge::new()
        .function("throws", &handler("throw new Error('no');"))
        .function("invalid", &handler("return { status: 'x' };"))
        .function("makes", &handler("return { status: '404', body: 'made' };"))
        .function(
            "fixes",
            &handler("response.status = '200'; response.body = 'fixed'; return response;"),
        )
        .function(
            "breaks",
            &handler("response.status = '404'; return response;"),
        )
        .path("/404/fixed", "on: { origin-response: fixes }")
        .path("/200/broken", "on: { origin-response: breaks }")
        .distribution(&pages(&[
            (404, "/errors/404.html", 200),
            (502, "/errors/502.html", 502),
            (503, "/errors/503.html", 503),
        ]))
        .path("/asks", "on: { origin-request: throws }")
        .path("/hears", "on: { origin-response: throws }")
        .path("/invalid", "on: { origin-request: invalid }")
        .path("/makes", "on: { origin-request: makes }")
        .path("/viewer", "on: { viewer-request: throws }")
        .path("/late", "on: { viewer-response: throws }")
        .path("/viewer-makes", "on: { viewer-request: makes }")
        .start(&origin)
        .await;
    for (path, status, text) in [
        ("/asks", 503, "page 503.html"),
        ("/hears", 503, "page 503.html"),
        ("/invalid", 502, "page 502.html"),
        ("/makes", 200, "page 404.html"),
        ("/makes", 200, "page 404.html"),
        ("/404/fixed", 200, "fixed"),
        ("/200/broken", 200, "page 404.html"),
        ("/viewer", 503, "The viewer-request function"),
        ("/late", 503, "The viewer-response function"),
        ("/viewer-makes", 404, "made"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_can_make_the_page() {
    // CF-596, LE-032, LE-A08
    let origin = origin().await;
    let edge = Edge::new()
        .function("makes", &handler("return { status: '200', headers: { 'cache-control': [{ value: 'max-age=60' }] }, body: 'made for ' + request.uri };"))
        .path("/made/*", "on: { origin-request: makes }")
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(404, "/made/404", 404), (503, "/made/503", 200)]))
        .start(&origin)
        .await;
    for (path, status, text) in [
        ("/404/a", 404, "made for /made/404"),
        ("/404/a", 404, "made for /made/404"),
        ("/404/b", 404, "made for /made/404"),
        ("/503/a", 200, "made for /made/503"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.text()), (status, text), "{path}");
    }
    assert_eq!(edge.get("/made/404").await.x_cache(), "Hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_refuses_gets_no_page() {
    // CF-595
    let origin = origin().await;
    let edge = Edge::new()
        .distribution(&pages(&[
            (400, "/errors/400.html", 200),
            (403, "/errors/403.html", 200),
            (405, "/errors/405.html", 200),
            (504, "/errors/504.html", 200),
        ]))
        .distribution("request_cc: honour")
        .start(&origin)
        .await;
    assert_eq!(edge.request("POST", "/").body("x").send().await.status, 403);
    assert_eq!(edge.request("TRACE", "/").send().await.status, 405);
    let only = edge
        .request("GET", "/")
        .header("Cache-Control", "only-if-cached");
    assert_eq!(only.send().await.status, 504);
    let smuggled =
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = raw_exchange(edge.address(), smuggled, b"").await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
    assert_eq!(origin.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_kept_as_long_as_configured() {
    // CF-043, CF-290, CF-297, CF-303
    let origin = origin().await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution("custom_error_responses: [{ error_code: 404, error_caching_min_ttl: 60 }, { error_code: 500, error_caching_min_ttl: 0, response_page_path: /errors/500.html, response_code: 500 }, { error_code: 501, response_page_path: /errors/501.html, response_code: 501, error_caching_min_ttl: 30 }]")
        .start(&origin)
        .await;
    for (path, after, asked) in [
        ("/404/a", 59, 1),
        ("/404/a", 2, 2),
        ("/500/a", 0, 1),
        ("/500/a", 0, 2),
        ("/501/a", 29, 1),
        ("/501/a", 2, 2),
    ] {
        edge.get(path).await;
        edge.advance(after);
        edge.get(path).await;
        let seen = counts(&origin, path);
        assert_eq!(
            seen,
            if after == 0 {
                asked + seen - asked
            } else {
                asked
            },
            "{path}"
        );
    }
    assert_eq!(counts(&origin, "/500/a"), 4);
    // An invalidation takes away the error.
    let before = counts(&origin, "/501/a");
    edge.invalidate(&["/501/*"], false);
    edge.get("/501/a").await;
    assert_eq!(counts(&origin, "/501/a"), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_page_an_error_is_fetched_anew() {
    // CF-027, CF-592
    let origin = origin().await;
    let edge = Edge::new()
        .distribution("cache_mode: cloudfront")
        .distribution(&pages(&[(404, "/errors/404.html", 200)]))
        .start(&origin)
        .await;
    assert_eq!(edge.get("/404/a").await.text(), "page 404.html");
    let without = edge.site_file().replace("custom_error_responses:", "#");
    edge.reload(&without).unwrap();
    for _ in 0..2 {
        let answer = edge.get("/404/a").await;
        assert_eq!((answer.status, answer.text()), (404, "the error itself"));
    }
    assert_eq!(counts(&origin, "/404/a"), 2);
    // And back: what is stored with a body will do.
    edge.reload(&edge.site_file()).unwrap();
    assert_eq!(edge.get("/404/a").await.text(), "page 404.html");
    assert_eq!(counts(&origin, "/404/a"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_as_a_page_is_its_default_object() {
    // CF-592, CF-040
    let origin = Origin::start(|request| match request.target.as_str() {
        "/index.html" => Reply::ok("the app").header("Cache-Control", "max-age=60"),
        _ => Reply::status(403).body("no such key"),
    })
    .await;
    let edge = Edge::new()
        .distribution("default_root_object: index.html")
        .distribution(&pages(&[(403, "/", 200)]))
        .start(&origin)
        .await;
    for path in ["/deep/link", "/", "/other"] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.text()), (200, "the app"), "{path}");
    }
    assert_eq!(counts(&origin, "/index.html"), 1);
}
