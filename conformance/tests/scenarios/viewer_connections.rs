//! Connections of viewers: what comes from memory and what needs an origin, in any order, on one and the same.

use bytes::Bytes;
use fourfront_conformance::{Edge, Origin, RawOrigin, Reply, Turn, handler, raw_exchange};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};

use super::signed::vectors::{self, Ask};

/// A connection, and what was read from it and belongs to the next answer.
struct Viewer {
    stream: TcpStream,
    rest: Vec<u8>,
}

/// One answer.
struct Got {
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn status(&self) -> &str {
        &self.head[9..12]
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Status, the word of `X-Cache`, body.
    fn seen(&self) -> (&str, &str, &str) {
        let word = self.field("x-cache").unwrap_or("");
        let word = word.split(' ').next().unwrap_or("");
        (
            self.status(),
            word,
            std::str::from_utf8(&self.body).unwrap_or("not text"),
        )
    }
}

impl Viewer {
    async fn connect(edge: &fourfront_conformance::Running) -> Self {
        let stream = TcpStream::connect(edge.address())
            .await
            .expect("a listening node");
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the node reads");
    }

    /// Reads one answer; `None` when the node has closed the connection instead.
    async fn receive(&mut self, with_body: bool) -> Option<Got> {
        let reading = async {
            let end = loop {
                if let Some(at) = self.rest.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at + 4;
                }
                if self.stream.read_buf(&mut self.rest).await.unwrap_or(0) == 0 {
                    return None;
                }
            };
            let head: Vec<u8> = self.rest.drain(..end).collect();
            let mut got = Got {
                head: String::from_utf8(head).expect("a head in ASCII"),
                body: Vec::new(),
            };
            let length = got
                .field("content-length")
                .map_or(0, |l| l.parse().expect("a number"));
            if with_body {
                while self.rest.len() < length {
                    let read = self.stream.read_buf(&mut self.rest).await;
                    assert!(read.expect("an open connection") > 0);
                }
                got.body = self.rest.drain(..length).collect();
            }
            Some(got)
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), reading)
            .await
            .expect("an answer in time")
    }

    async fn ask(&mut self, request: &str) -> Got {
        self.send(request.as_bytes()).await;
        let with_body = !request.starts_with("HEAD ");
        self.receive(with_body).await.expect("an open connection")
    }
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n")
}

async fn echo() -> Origin {
    Origin::start(|request| {
        Reply::ok(format!("{} {}", request.method, request.target))
            .header("Cache-Control", "max-age=60")
            .header("ETag", "\"one\"")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_and_all_else_take_turns_on_one_connection() {
    // CF-010, CF-284, CF-507, CF-532, RFC 9112 section 9.3
    let origin = echo().await;
    let edge = Edge::new()
        .behavior("allowed_methods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
        .start(&origin)
        .await;
    let mut viewer = Viewer::connect(&edge).await;
    let rows = [
        (get("/a", ""), ("200", "Miss", "GET /a")),
        (get("/a", ""), ("200", "Hit", "GET /a")),
        (get("/b?c", "Cookie: x=1\r\n"), ("200", "Miss", "GET /b")),
        (get("/a", "If-None-Match: \"one\"\r\n"), ("304", "Hit", "")),
        (get("/a", "Range: bytes=0-2\r\n"), ("206", "Hit", "GET")),
        (get("/a", ""), ("200", "Hit", "GET /a")),
        (
            "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
            ("200", "Miss", "POST /a"),
        ),
        (
            "HEAD /c HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
            ("200", "Miss", ""),
        ),
        (get("/c", ""), ("200", "Miss", "GET /c")),
        (
            "HEAD /c HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned(),
            ("200", "Hit", ""),
        ),
        (get("/c", ""), ("200", "Hit", "GET /c")),
    ];
    for (at, (request, expected)) in rows.iter().enumerate() {
        let got = viewer.ask(request).await;
        assert_eq!(got.seen(), *expected, "{at}: {request}\n{}", got.head);
        assert_eq!(
            got.field("connection"),
            Some("keep-alive"),
            "{at}: {}",
            got.head
        );
    }
    // HEAD tells the length that GET would have (CF-536).
    let head = viewer.ask("HEAD /c HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(head.field("content-length"), Some("6"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_signatures_and_hits_take_turns_on_one_connection() {
    // CF-560, CF-576, CF-577, CF-783
    let origin = echo().await;
    let edge = vectors::edge("").start(&origin).await;
    let mut viewer = Viewer::connect(&edge).await;
    let signed = |name: &str| {
        let target = Ask::of(name).target;
        format!("GET {target} HTTP/1.1\r\nHost: viewer.test\r\n\r\n")
    };
    let body = "GET /private/a.txt";
    let rows = [
        (signed("expired"), ("403", "Error", "AccessDenied")),
        (signed("canned"), ("200", "Miss", body)),
        (get("/private/a.txt", ""), ("403", "Error", "MissingKey")),
        (signed("canned ecdsa"), ("200", "Hit", body)),
        (get("/public", ""), ("200", "Miss", "GET /public")),
        (signed("by a stranger"), ("403", "Error", "InvalidKey")),
        (signed("custom"), ("200", "Hit", body)),
    ];
    for (at, (request, (status, word, text))) in rows.iter().enumerate() {
        let got = viewer.ask(request).await;
        let (got_status, got_word, got_body) = got.seen();
        assert_eq!(
            (got_status, got_word),
            (*status, *word),
            "{at}: {}",
            got.head
        );
        assert!(got_body.contains(text), "{at}: {got_body}");
        assert_eq!(got.field("connection"), Some("keep-alive"), "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_together_are_answered_in_order() {
    // RFC 9112 section 9.3.2
    let origin = echo().await;
    let edge = Edge::new().start(&origin).await;
    for n in 0..5 {
        edge.get(&format!("/{n}")).await;
    }
    let mut viewer = Viewer::connect(&edge).await;
    let all: String = (0..40).map(|n| get(&format!("/{}", n % 5), "")).collect();
    viewer.send(all.as_bytes()).await;
    for n in 0..40 {
        let got = viewer.receive(true).await.expect("an answer to each");
        assert_eq!(got.seen(), ("200", "Hit", &*format!("GET /{}", n % 5)));
    }
    assert_eq!(origin.count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_may_come_in_pieces_and_ends_as_the_viewer_says() {
    // RFC 9112 sections 3 and 9.6, CF-507
    let origin = echo().await;
    let edge = Edge::new().start(&origin).await;
    edge.get("/a").await;
    let mut viewer = Viewer::connect(&edge).await;
    viewer.stream.set_nodelay(true).unwrap();
    for byte in get("/a", "X-Long: 1\r\n").bytes() {
        viewer.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    let got = viewer.receive(true).await.unwrap();
    assert_eq!(got.seen(), ("200", "Hit", "GET /a"));

    let got = viewer.ask(&get("/a", "Connection: close\r\n")).await;
    assert_eq!(got.seen(), ("200", "Hit", "GET /a"));
    assert_eq!(got.field("connection"), Some("close"));
    assert!(viewer.receive(true).await.is_none(), "the node closes");

    // HTTP/1.0 ends where it is not asked to go on.
    let mut old = Viewer::connect(&edge).await;
    let got = old.ask("GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(got.seen(), ("200", "Hit", "GET /a"));
    assert!(old.receive(true).await.is_none(), "the node closes");
}

/// Bytes in which a piece that is missing or twice there shows.
fn pattern() -> impl Iterator<Item = u8> {
    (0..=250).cycle().flat_map(|byte| [byte; 7])
}

#[tokio::test(flavor = "multi_thread")]
async fn large_hits_reach_slow_viewers_whole_and_those_who_leave_are_noted() {
    // CF-704, CF-705
    const SIZE: usize = 6 * 1024 * 1024;
    let origin = Origin::start(|_| {
        Reply::ok(pattern().take(SIZE).collect::<Vec<u8>>()).header("Cache-Control", "max-age=60")
    })
    .await;
    let edge = Edge::new().start(&origin).await;
    assert_eq!(edge.get("/").await.body.len(), SIZE);

    let mut slow = Viewer::connect(&edge).await;
    slow.send(get("/", "").as_bytes()).await;
    let mut gone = Viewer::connect(&edge).await;
    gone.send(get("/", "").as_bytes()).await;
    gone.stream.read_exact(&mut [0; 1000]).await.unwrap();
    drop(gone);
    // Others are answered while the two have not taken theirs.
    assert_eq!(edge.get("/").await.x_cache(), "Hit");
    let got = slow.receive(true).await.unwrap();
    assert!(got.body.iter().copied().eq(pattern().take(SIZE)));

    edge.recorded(4).await;
    let broken: Vec<_> = edge
        .records()
        .into_iter()
        .filter(|r| r.served.detail(r.status) == "ClientCommError")
        .collect();
    assert_eq!(broken.len(), 1);
    assert!(broken[0].bytes < SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_announced_length_leaves_as_it_comes() {
    // CF-370, CF-406
    let (pieces, receiver) = tokio::sync::mpsc::unbounded_channel();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let origin = Origin::start(move |_| {
        let stream = receiver.lock().unwrap().take();
        stream
            .map_or_else(|| Reply::status(500), Reply::stream)
            .header("Content-Length", "10")
            .header("Cache-Control", "max-age=60")
    });
    let origin = origin.await;
    let edge = Edge::new().start(&origin).await;
    // The head before any of the body, and each piece before the next.
    let mut leader = edge.request("GET", "/").open().await.unwrap();
    pieces.send(Bytes::from_static(b"01")).unwrap();
    leader.received(2).await;
    let mut follower = edge.request("GET", "/").open().await.unwrap();
    follower.received(2).await;
    pieces.send(Bytes::from_static(b"23456789")).unwrap();
    for opened in [leader, follower] {
        assert_eq!(opened.whole().await.text(), "0123456789");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_origins_and_functions_leave_the_connection_open() {
    // CF-783, CF-507, CF-772, CF-774
    let silent = RawOrigin::start(|_| vec![Turn::Hold]).await;
    let broken = RawOrigin::start(|_| vec![Turn::send("nonsense\r\n\r\n"), Turn::Close]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let origin = echo().await;
    let own = |name: &str, port: u16| {
        format!(
            "{name}: {{ domain_name: 127.0.0.1, connection_attempts: 1, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port}, origin_read_timeout: 1 }} }}"
        )
    };
    let edge = Edge::new()
        .function("throws", &handler("throw new Error('x');"))
        .function(
            "other",
            &handler("return { status: '410', body: 'gone', headers: {} };"),
        )
        .origin(&own("silent", silent.port()))
        .origin(&own("broken", broken.port()))
        .origin(&own("closed", closed.port()))
        .path("/silent", "origin: silent")
        .path("/broken", "origin: broken")
        .path("/closed", "origin: closed")
        .path("/before", "origin: origin, on: { viewer-request: throws }")
        .path("/asking", "origin: origin, on: { origin-request: throws }")
        .path(
            "/answered",
            "origin: origin, on: { origin-response: throws }",
        )
        .path(
            "/replaced",
            "origin: origin, on: { origin-response: other }",
        )
        .start(&origin)
        .await;
    let mut viewer = Viewer::connect(&edge).await;
    let rows = [
        ("/closed", "502"),
        ("/silent", "504"),
        ("/broken", "502"),
        ("/before", "503"),
        ("/asking", "503"),
        ("/answered", "503"),
        ("/replaced", "410"),
        ("/closed", "502"),
    ];
    for (target, status) in rows {
        let got = viewer.ask(&get(target, "")).await;
        assert_eq!(got.status(), status, "{target}: {}", got.head);
        assert_eq!(
            got.field("connection"),
            Some("keep-alive"),
            "{target}: {}",
            got.head
        );
        let fine = viewer.ask(&get(&format!("/fine{target}"), "")).await;
        assert_eq!(fine.status(), "200", "after {target}: {}", fine.head);
    }
    // Two at once are answered in order, with what is wrong in between.
    viewer
        .send(format!("{}{}", get("/closed", ""), get("/last", "")).as_bytes())
        .await;
    assert_eq!(viewer.receive(true).await.unwrap().status(), "502");
    assert_eq!(viewer.receive(true).await.unwrap().body, b"GET /last");
    // Each has its record, once.
    let records = edge.recorded(18).await;
    let failed = records.iter().filter(|r| r.status >= 400).count();
    assert_eq!((records.len(), failed), (18, 9), "{records:?}");
    // What the viewer wants counts, too.
    let got = viewer.ask(&get("/closed", "Connection: close\r\n")).await;
    assert_eq!(
        (got.status(), got.field("connection")),
        ("502", Some("close"))
    );
    assert!(viewer.receive(true).await.is_none());
}

#[tokio::test]
async fn a_body_behind_a_request_for_an_upgrade_is_no_request() {
    // CF-368, RFC 9112 section 6.3: whoever is refused does not get in by its body.
    let origin = Origin::start(|seen| Reply::ok(seen.target.clone())).await;
    let edge = Edge::new().start(&origin).await;
    let body = "GET /evil HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nX: ";
    let next = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let request = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nContent-Length: {}\r\n\r\n{body}{next}",
        body.len()
    );
    let received = raw_exchange(edge.address(), request.as_bytes(), b"").await;
    let text = String::from_utf8_lossy(&received);
    assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
    assert!(!text.contains("/evil") && !text.contains("/x"), "{text}");
    let targets: Vec<_> = origin.seen().into_iter().map(|s| s.target).collect();
    assert!(targets.iter().all(|t| t == "/next"), "{targets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_fetch_fails_is_not_read_in_part() {
    // CF-783, RFC 9112 section 9.3.2
    let (open, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |_| vec![Turn::Await(gate.clone()), Turn::Close]).await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
    viewer
        .write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    origin.received(1).await;
    viewer
        .write_all(b"GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    // It has to have arrived before the origin fails, which nothing tells of.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    open.send(true).unwrap();
    let mut received = Vec::new();
    // A connection that is closed with something unread on it is reset.
    let _ = viewer.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received);
    // Either nothing more is read on the connection, or all that came: never what is left of it.
    assert!(
        text.starts_with("HTTP/1.1 502 ") || text.is_empty(),
        "{text}"
    );
    assert!(
        !text.contains("HTTP/1.1 400 ") && !text.contains("HTTP/1.1 405 "),
        "{text}"
    );
    assert!(
        origin.heads().iter().all(|head| head.starts_with("GET /")),
        "{:?}",
        origin.heads()
    );
}
