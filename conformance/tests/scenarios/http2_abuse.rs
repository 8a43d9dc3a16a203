//! Frames of HTTP/2 that are sent and read by hand: what a connection may cost, whose frames are malformed, too many, or of no
//! use, and how it ends.

use std::time::Duration;

use fourfront_conformance::{Authority, Edge, Origin, Reply, Running, SecureViewer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::client::TlsStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// Everything that ends somebody is within this.
const PATIENCE: Duration = Duration::from_secs(60);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len())
        .expect("a short payload")
        .to_be_bytes()[1..]
        .to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as HPACK has them that are not indexed (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "a short text");
            block.push(u8::try_from(text.len()).expect("a short text"));
            block.extend(text.as_bytes());
        }
    }
    block
}

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "viewer.test"),
    (":path", "/a"),
];

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(&GET))
}

/// A connection whose frames are made and read here.
struct Frames {
    stream: TlsStream<TcpStream>,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The code of RST_STREAM or GOAWAY.
    fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

impl Frames {
    async fn connect(edge: &Running, viewer: &SecureViewer) -> Self {
        let stream = viewer.connect(edge.secure_address(), "viewer.test").await;
        let mut frames = Self {
            stream: stream.expect("TLS"),
        };
        let mut start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        start.extend(frame(SETTINGS, 0, 0, &[]));
        frames
            .stream
            .write_all(&start)
            .await
            .expect("the node reads");
        frames
    }

    /// Sends; false when the node has gone.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let sent = tokio::time::timeout(PATIENCE, sent).await;
        sent.expect("the node reads or goes").is_ok()
    }

    /// The next frame; `None` when the node has closed.
    async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut header = [0; 9];
            self.stream.read_exact(&mut header).await.ok()?;
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind: header[3],
                flags: header[4],
                stream: u32::from_be_bytes([header[5], header[6], header[7], header[8]]),
                payload,
            })
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a frame or an end")
    }

    /// The next frame of a stream, or that ends the connection.
    async fn of(&mut self, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == GOAWAY || frame.stream == stream {
                return Some(frame);
            }
        }
    }

    /// Reads to the end, and gives the code of the last GOAWAY.
    async fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(received) = self.next().await {
            match (received.kind, received.flags) {
                (GOAWAY, _) => code = Some(received.code()),
                (PING, 0) => {
                    self.send(&frame(PING, 1, 0, &received.payload)).await;
                }
                _ => {}
            }
        }
        code
    }

    /// Sends the same again and again until the node ends the connection; how often that was at most. What it answers is
    /// read meanwhile.
    async fn flood(self, bytes: Vec<u8>, most: usize) -> Option<usize> {
        let (mut read, mut write) = tokio::io::split(self.stream);
        let reading = tokio::spawn(async move {
            let mut sink = vec![0; 1 << 16];
            while read.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        });
        let flooding = async {
            for n in 0..most {
                if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
                    return Some(n);
                }
            }
            None
        };
        let sent = tokio::time::timeout(PATIENCE, flooding)
            .await
            .expect("an end");
        reading.abort();
        sent
    }
}

async fn start(edge: Edge, origin: &Origin) -> (Running, SecureViewer) {
    let authority = Authority::new();
    let edge = edge
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .start(origin)
        .await;
    (edge, SecureViewer::trusting(&authority).h2())
}

async fn hello() -> Origin {
    Origin::start(|_| Reply::ok("hello").header("Cache-Control", "max-age=60")).await
}

fn cut(edge: &Running, reason: &str) -> u64 {
    let metrics = edge.metrics();
    let start = format!("fourfront_viewer_connections_cut_total{{reason=\"{reason}\"}} ");
    let line = metrics.lines().find_map(|l| l.strip_prefix(&start));
    line.map_or(0, |n| n.parse().expect("a number"))
}

/// Waits until a connection was cut off for that: it is counted a moment after its viewer hears of it.
pub(super) async fn cut_off(edge: &Running, reason: &str) {
    let counted = async {
        while cut(edge, reason) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    counted.expect("a connection that is cut off");
}

#[tokio::test]
async fn malformed_requests_are_reset_and_the_connection_goes_on() {
    // RFC 9113 sections 8.1.1, 8.2, 8.3
    let origin = hello().await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let mut frames = Frames::connect(&edge, &viewer).await;
    let with = |field: (&'static str, &'static str)| [&GET[..], &[field]].concat();
    let without = |name: &str| -> Vec<_> { GET.into_iter().filter(|(n, _)| *n != name).collect() };
    let rows = [
        with(("connection", "close")),
        with(("transfer-encoding", "chunked")),
        with(("keep-alive", "1")),
        with(("proxy-connection", "1")),
        with(("upgrade", "h2c")),
        with(("te", "gzip")),
        with(("X-Upper", "1")),
        with((":path", "/b")),
        with((":unknown", "1")),
        with(("content-length", "x")),
        [&[("x-first", "1")], &GET[..]].concat(),
        without(":method"),
        without(":scheme"),
        without(":path"),
    ];
    let mut id = 1;
    for fields in &rows {
        assert!(
            frames
                .send(&frame(
                    HEADERS,
                    END_STREAM | END_HEADERS,
                    id,
                    &block(fields)
                ))
                .await
        );
        let answer = frames.of(id).await.expect("an answer");
        assert!(
            matches!(answer.kind, RST_STREAM | GOAWAY) && answer.code() == PROTOCOL_ERROR,
            "{fields:?}: {answer:?}"
        );
        if answer.kind == GOAWAY {
            // What is no field at all is not forgiven.
            let last = fields.last().expect("fields").0;
            assert!(
                ["X-Upper", ":unknown", ":path"].contains(&last),
                "{fields:?}"
            );
            frames = Frames::connect(&edge, &viewer).await;
        }
        id += 2;
    }
    // A body that is not as long as was said.
    let short = block(
        &[
            &[(":method", "POST")],
            &GET[1..],
            &[("content-length", "5")],
        ]
        .concat(),
    );
    frames.send(&frame(HEADERS, END_HEADERS, id, &short)).await;
    frames.send(&frame(DATA, END_STREAM, id, b"abc")).await;
    let answer = loop {
        let answer = frames.of(id).await.expect("an answer");
        if answer.kind == RST_STREAM || answer.flags & END_STREAM != 0 {
            break answer;
        }
    };
    // As 403, where the method is not allowed before the body is looked at, or as malformed.
    assert!(
        matches!(answer.kind, RST_STREAM | DATA | HEADERS),
        "{answer:?}"
    );
    id += 2;
    frames.send(&get(id)).await;
    assert_eq!(frames.of(id).await.expect("an answer").kind, HEADERS);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn streams_that_are_opened_to_be_reset_end_the_connection() {
    // CVE-2023-44487, RFC 9113 section 10.5
    let (release, gate) = watch::channel(false);
    let origin = Origin::start(move |_| Reply::ok("late").after(&gate)).await;
    let edge = Edge::new()
        .behavior("cache_policy: Managed-CachingDisabled")
        .threads(1, 1);
    let (edge, viewer) = start(edge, &origin).await;
    // At once: before the node has looked at them.
    let mut frames = Frames::connect(&edge, &viewer).await;
    let mut burst = Vec::new();
    for n in 0..1_000 {
        burst.extend(get(2 * n + 1));
        burst.extend(frame(RST_STREAM, 0, 2 * n + 1, &8u32.to_be_bytes()));
    }
    frames.send(&burst).await;
    assert_eq!(frames.end().await, Some(ENHANCE_YOUR_CALM));
    assert_eq!(cut(&edge, "h2_abuse"), 1);

    // One by one: each while it is answered.
    let mut frames = Frames::connect(&edge, &viewer).await;
    let mut asked = origin.count();
    for n in 0..1_000 {
        if !frames.send(&get(2 * n + 1)).await {
            break;
        }
        asked += 1;
        if cut(&edge, "h2_resets") == 0 && n < 90 {
            origin.received(asked).await;
        }
        frames
            .send(&frame(RST_STREAM, 0, 2 * n + 1, &8u32.to_be_bytes()))
            .await;
        // The node is asked for something it answers in between, so that it gets to see each.
        frames.send(&frame(PING, 0, 0, &[0; 8])).await;
        if frames.next_pong().await.is_none() {
            break;
        }
    }
    cut_off(&edge, "h2_resets").await;
    release.send_replace(true);
    // Who resets now and then is served.
    let mut frames = Frames::connect(&edge, &viewer).await;
    for n in 0..300 {
        frames.send(&get(4 * n + 1)).await;
        frames
            .send(&frame(RST_STREAM, 0, 4 * n + 1, &8u32.to_be_bytes()))
            .await;
        frames.send(&get(4 * n + 3)).await;
        loop {
            let answer = frames.of(4 * n + 3).await.expect("an answer");
            assert!(matches!(answer.kind, HEADERS | DATA), "{answer:?}");
            if answer.flags & END_STREAM != 0 {
                break;
            }
        }
    }
}

impl Frames {
    async fn next_pong(&mut self) -> Option<()> {
        loop {
            let frame = self.next().await?;
            match (frame.kind, frame.flags) {
                (PING, 1) => return Some(()),
                (GOAWAY, _) => return None,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn frames_without_requests_end_the_connection() {
    // RFC 9113 section 10.5
    let origin = hello().await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let floods = [
        frame(PING, 0, 0, &[0; 8]),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
        frame(200, 0, 0, &[0; 100]),
    ];
    for (n, one) in floods.into_iter().enumerate() {
        let frames = Frames::connect(&edge, &viewer).await;
        let many = one.repeat(64);
        let sent = frames.flood(many, 100_000).await;
        let bytes = sent.expect("an end") * 64 * one.len();
        // What was on its way when the node had enough comes on top.
        assert!(bytes < 8 << 20, "{n}: {bytes}");
    }
    assert_eq!(cut(&edge, "h2_flood"), 4);
    assert_eq!(edge.secure_get(&viewer, "/a").await.status, 200);
}

#[tokio::test]
async fn fields_without_end_end_the_connection() {
    // CVE-2024-27316, RFC 9113 section 10.5.1
    let origin = hello().await;
    let (edge, viewer) = start(Edge::new(), &origin).await;
    let mut frames = Frames::connect(&edge, &viewer).await;
    frames
        .send(&frame(HEADERS, END_STREAM, 1, &block(&GET)))
        .await;
    let more = frame(
        CONTINUATION,
        0,
        1,
        &block(&[("x", "y".repeat(100).as_str()); 100]),
    );
    let mut sent = 0;
    while frames.send(&more).await && sent < 1_000 {
        sent += 1;
    }
    assert!(sent < 1_000, "{sent}");
    // Empty ones bring nothing, and cost as much.
    let mut frames = Frames::connect(&edge, &viewer).await;
    frames
        .send(&frame(HEADERS, END_STREAM, 1, &block(&GET)))
        .await;
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(100);
    let sent = frames.flood(empty, 10_000).await;
    assert!(sent.is_some_and(|n| n < 5_000), "{sent:?}");
    // And bodies of nothing.
    let mut frames = Frames::connect(&edge, &viewer).await;
    let post = block(&[&[(":method", "POST")], &GET[1..]].concat());
    frames.send(&frame(HEADERS, END_HEADERS, 1, &post)).await;
    let empty = frame(DATA, 0, 1, &[]).repeat(100);
    let sent = frames.flood(empty, 100_000).await;
    assert!(sent.is_some_and(|n| n < 50_000), "{sent:?}");
    assert_eq!(edge.secure_get(&viewer, "/a").await.status, 200);
}

#[tokio::test]
async fn one_connection_does_not_have_more_streams_than_allowed() {
    // RFC 9113 section 5.1.2
    let (release, gate) = watch::channel(false);
    let origin = Origin::start(move |_| Reply::ok("late").after(&gate)).await;
    let edge = Edge::new()
        .behavior("cache_policy: Managed-CachingDisabled")
        .node("http2: { max_concurrent_streams: 3 }");
    let (edge, viewer) = start(edge, &origin).await;
    let mut frames = Frames::connect(&edge, &viewer).await;
    let settings = frames.next().await.expect("settings");
    assert_eq!(settings.kind, SETTINGS);
    let has_limit = settings.payload.chunks(6).any(|s| s == [0, 3, 0, 0, 0, 3]);
    assert!(has_limit, "{settings:?}");
    for n in 0..5 {
        frames.send(&get(2 * n + 1)).await;
    }
    let mut refused = Vec::new();
    while refused.len() < 2 {
        let frame = frames.next().await.expect("a frame");
        if frame.kind == RST_STREAM {
            refused.push((frame.stream, frame.code()));
        }
    }
    // REFUSED_STREAM
    assert_eq!(refused, [(7, 7), (9, 7)]);
    origin.received(3).await;
    release.send_replace(true);
    assert_eq!(frames.of(1).await.expect("an answer").kind, HEADERS);
}

#[tokio::test]
async fn an_idle_connection_is_told_that_the_node_stops() {
    // CP-600, RFC 9113 section 6.8
    let origin = hello().await;
    let (mut edge, viewer) = start(Edge::new(), &origin).await;
    let mut frames = Frames::connect(&edge, &viewer).await;
    frames.send(&get(1)).await;
    assert_eq!(frames.of(1).await.expect("an answer").kind, HEADERS);
    let stopping = edge.stop(Duration::from_secs(30));
    // NO_ERROR
    assert_eq!(frames.end().await, Some(0));
    stopping.join().unwrap();
}
