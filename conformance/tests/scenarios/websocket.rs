//! WebSocket: the handshake is a request like any other, and what opens is two connections in one (CF section 4.8).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fourfront::observe::admin::Admin as _;
use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, Origin, OriginTls, RawOrigin, Reply, Request, Running,
    SecureViewer, Turn, handler, logging, raw_exchange,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        Error as WsError, Message,
        client::IntoClientRequest as _,
        handshake::server::{Request as WsRequest, Response as WsResponse},
        http::HeaderValue,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// What has an origin get what it needs to open a WebSocket, and all else.
const ALL_VIEWER: &str = "origin_request_policy: Managed-AllViewer";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An origin that opens a WebSocket to whoever asks, and sends back what it gets.
struct Echo {
    port: u16,
    /// The heads of the handshakes it has accepted, a line for each field, names in lower case.
    heads: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    _connections: JoinSet<()>,
}

impl Echo {
    async fn start(tls: Option<OriginTls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener").port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (counter, count) = watch::channel(0);
        let (kept, counter) = (heads.clone(), Arc::new(counter));
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (heads, counter, tls) = (kept.clone(), counter.clone(), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => Self::serve(stream, &heads, &counter).await,
                        Some(tls) => {
                            if let Some(stream) = tls.accept(stream).await {
                                Self::serve(stream, &heads, &counter).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            port,
            heads,
            count,
            _connections: connections,
        }
    }

    async fn serve(
        stream: impl AsyncRead + AsyncWrite + Unpin,
        heads: &Mutex<Vec<String>>,
        counter: &watch::Sender<usize>,
    ) {
        #[expect(clippy::result_large_err, reason = "the library's own signature")]
        let answer = |request: &WsRequest, mut response: WsResponse| {
            let mut head = format!("{}\n", request.uri());
            for (name, value) in request.headers() {
                head += &format!("{name}: {}\n", value.to_str().expect("ASCII"));
            }
            heads.lock().expect("no panic").push(head);
            let fields = response.headers_mut();
            fields.insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat"));
            fields.insert("X-Origin", HeaderValue::from_static("echo"));
            fields.insert("Via", HeaderValue::from_static("1.1 origin"));
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(stream, answer).await else {
            return;
        };
        counter.send_modify(|n| *n += 1);
        while let Some(Ok(message)) = socket.next().await {
            // The library answers the rest by itself.
            let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
            if is_data && socket.send(message).await.is_err() {
                return;
            }
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn head(&self) -> String {
        self.heads
            .lock()
            .expect("no panic")
            .last()
            .cloned()
            .expect("a handshake")
    }

    fn count(&self) -> usize {
        *self.count.borrow()
    }
}

type Answer = tokio_tungstenite::tungstenite::handshake::client::Response;

/// A handshake over a connection.
async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &str,
) -> Result<(WebSocketStream<S>, Answer), WsError> {
    let mut request = format!("ws://viewer.test{target}")
        .into_client_request()
        .expect("a URL");
    let fields = request.headers_mut();
    fields.insert("Sec-WebSocket-Protocol", HeaderValue::from_static("chat"));
    tokio::time::timeout(PATIENCE, client_async(request, stream))
        .await
        .expect("an answer in time")
}

async fn dial(edge: &Running) -> TcpStream {
    TcpStream::connect(edge.address())
        .await
        .expect("a listening node")
}

/// A WebSocket through a node.
async fn opened(edge: &Running, target: &str) -> WebSocketStream<TcpStream> {
    open(dial(edge).await, target).await.expect("a WebSocket").0
}

/// A handshake of a viewer who takes any answer.
fn asking(edge: &Running, target: &str) -> Request {
    edge.request("GET", target)
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
}

/// The answer to a handshake that opens nothing: status, the word of `X-Cache`, body.
async fn refused(edge: &Running, target: &str) -> (u16, String, String) {
    let answer = asking(edge, target).send().await;
    let word = answer.x_cache().to_owned();
    (answer.status, word, answer.text().to_owned())
}

async fn says<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: &str) {
    let exchange = async {
        let sent = socket.send(Message::text(text)).await;
        sent.expect("an open connection");
        let got = socket.next().await.expect("an open connection");
        got.expect("a message")
    };
    let got = tokio::time::timeout(PATIENCE, exchange).await;
    assert_eq!(got.expect("an echo in time"), Message::text(text));
}

async fn closes<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    let exchange = async {
        let sent = socket.close(Some(frame.clone())).await;
        sent.expect("an open connection");
        let Some(Ok(Message::Close(Some(answer)))) = socket.next().await else {
            panic!("no answer to a close")
        };
        assert_eq!(answer.code, CloseCode::Normal);
        assert!(socket.next().await.is_none(), "the connection ends");
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .expect("an end in time");
}

/// Waits until nothing is under way. (A record comes a moment before.)
async fn idle(edge: &Running) {
    let idle = tokio::time::timeout(PATIENCE, edge.node().in_flight().idle());
    idle.await.expect("nothing under way in time");
}

/// The first half of a handshake in bytes, with more fields.
fn handshake(target: &str, fields: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    )
}

/// An origin's second half.
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut got = Vec::new();
    let reading = async {
        while !got.windows(end.len()).any(|w| w == end.as_bytes()) {
            let read = stream.read_buf(&mut got).await.expect("an open connection");
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&got));
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("bytes in time");
    String::from_utf8(got).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_and_carries_messages_both_ways() {
    // CF-408, CF-409, CF-347, CF-335, CF-352, CF-500, CF-703
    let origin = Echo::start(None).await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let (mut socket, answer) = open(dial(&edge).await, "/chat?room=1").await.unwrap();
    let field = |name: &str| {
        answer
            .headers()
            .get(name)
            .map_or("", |v| v.to_str().unwrap())
    };
    assert_eq!(field("sec-websocket-protocol"), "chat");
    assert_eq!(field("x-origin"), "echo");
    assert!(field("x-cache").starts_with("Miss from"), "{answer:?}");
    assert!(field("via").contains("edge-1") && !field("via").contains("origin"));
    assert_eq!(field("x-amz-cf-id").len(), 56);
    let id = field("x-amz-cf-id").to_owned();

    let head = origin.head();
    assert!(head.starts_with("/chat?room=1\n"), "{head}");
    for line in [
        "upgrade: websocket\n",
        "connection: Upgrade\n",
        "sec-websocket-version: 13\n",
        "sec-websocket-protocol: chat\n",
        "x-forwarded-for: 127.0.0.1\n",
        "via: 1.1 edge-1",
    ] {
        assert!(head.contains(line), "{line:?}: {head}");
    }

    says(&mut socket, "hello").await;
    let large: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    socket.send(Message::binary(large.clone())).await.unwrap();
    let got = socket.next().await.unwrap().unwrap();
    assert_eq!(got.into_data(), large);
    assert!(edge.records().is_empty(), "it is not over");
    assert_eq!(edge.node().in_flight().count(), 1);
    closes(socket).await;

    let record = edge.recorded(1).await.remove(0);
    let json = record.to_json();
    assert_eq!(json["x-edge-request-id"], id.as_str());
    assert_eq!(
        (&json["sc-status"], &json["cs-protocol"]),
        (&101.into(), &"ws".into())
    );
    assert_eq!(json["x-edge-result-type"], "Miss");
    assert_eq!(json["x-edge-detailed-result-type"], "Miss");
    assert_eq!(
        (&json["cs-uri-stem"], &json["cs-uri-query"]),
        (&"/chat".into(), &"room=1".into())
    );
    // Frames have heads of 2 to 10 bytes, and the viewer's a mask of 4.
    assert_eq!(record.bytes, 2 + 5 + 10 + 1_000_000 + 2 + 6);
    assert_eq!(record.websocket_bytes, Some(6 + 5 + 14 + 1_000_000 + 6 + 6));
    assert_eq!(record.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_by_tls_on_either_side() {
    // CF-408, CF-409, CF-423
    let authority = Authority::new();
    let tls = OriginTls::showing(&authority.certify(&["127.0.0.1"]));
    let origin = Echo::start(Some(tls)).await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .node("origin_ca: ./ca.pem")
        .behavior(ALL_VIEWER);
    edge.write("ca.pem", authority.pem());
    let edge = edge
        .start_at(&format!("https://127.0.0.1:{}", origin.port))
        .await;
    // Whoever offers HTTP/2 as well gets it; browsers do not, for this.
    let viewer = SecureViewer::trusting(&authority);
    let stream = viewer
        .connect(edge.secure_address(), "viewer.test")
        .await
        .unwrap();
    let (mut socket, _) = open(stream, "/chat").await.unwrap();
    for n in 0..100 {
        says(&mut socket, &format!("message {n}")).await;
    }
    closes(socket).await;
    let json = edge.recorded(1).await[0].to_json();
    assert_eq!(
        (&json["cs-protocol"], &json["ssl-protocol"]),
        (&"wss".into(), &"TLSv1.3".into())
    );
    // And in the clear to the same origin.
    let mut socket = opened(&edge, "/chat").await;
    says(&mut socket, "hello").await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_fields_forwarded_it_is_a_plain_get() {
    // CF-408, CF-347
    let origin = Origin::saying("plain").await;
    let named = "origin_request_policy: { headers: [Sec-WebSocket-Key] }";
    let edge = Edge::new()
        .path("/half/*", &format!("origin: origin, {named}"))
        .start(&origin)
        .await;
    for target in ["/a", "/half/a"] {
        assert_eq!(
            refused(&edge, target).await,
            (200, "Miss".into(), "plain".into())
        );
        let seen = origin.last();
        assert_eq!(
            (seen.header("upgrade"), seen.header("connection")),
            (None, Some("Keep-Alive"))
        );
        // So it may be stored, and answer.
        assert_eq!(refused(&edge, target).await.1, "Hit");
        assert_eq!(edge.get(target).await.x_cache(), "Hit");
    }
    assert_eq!(origin.count(), 2);
    assert!(edge.recorded(4).await.iter().all(|r| r.scheme() == "http"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_handshake_opens_nothing() {
    // CF-347, CF-368, RFC 6455 section 4.2.1
    let origin = Origin::start(|_| Reply::ok("plain").header("Cache-Control", "no-store")).await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .behavior(ALL_METHODS)
        .start(&origin)
        .await;
    let whole = handshake("/a", "");
    let plain = [
        whole.replace("websocket", "h2c"),
        whole.replace("Connection: Upgrade\r\n", ""),
        whole.replace("Sec-WebSocket-Version: 13\r\n", ""),
        whole
            .replace("GET", "POST")
            .replace("Host", "Content-Length: 0\r\nHost"),
        whole.replace("HTTP/1.1", "HTTP/1.0"),
        // What is named as the connection's own does not reach the origin.
        whole.replace(
            "Connection: Upgrade",
            "Connection: Upgrade, Sec-WebSocket-Key",
        ),
    ];
    for request in &plain {
        let got = raw_exchange(edge.address(), request.as_bytes(), b"plain").await;
        let got = String::from_utf8_lossy(&got);
        assert!(
            got.starts_with("HTTP/1.1 200") && got.ends_with("plain"),
            "{request}: {got}"
        );
        let seen = origin.last();
        assert_eq!(
            (seen.header("upgrade"), seen.header("connection")),
            (None, Some("Keep-Alive"))
        );
    }
    let with_body = whole.replace("Host", "Content-Length: 3\r\nHost") + "abc";
    let got = raw_exchange(edge.address(), with_body.as_bytes(), b"</html>").await;
    assert!(
        got.starts_with(b"HTTP/1.1 403"),
        "{}",
        String::from_utf8_lossy(&got)
    );
    assert_eq!(origin.count(), plain.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol_policies_apply_to_it() {
    // CF-525, CF-409, CF-520
    let authority = Authority::new();
    let origin = Echo::start(None).await;
    let edge = Edge::new()
        .certificate("site", &authority.pem_pair(&["viewer.test"]))
        .behavior(ALL_VIEWER)
        .behavior("viewer_protocol_policy: redirect-to-https")
        .path(
            "/secure/*",
            &format!("origin: origin, viewer_protocol_policy: https-only, {ALL_VIEWER}"),
        )
        .start_at(&origin.url())
        .await;
    let (status, word, _) = refused(&edge, "/chat").await;
    assert_eq!((status, word.as_str()), (301, "Redirect"));
    let (status, word, _) = refused(&edge, "/secure/chat").await;
    assert_eq!((status, word.as_str()), (403, "Error"));
    assert_eq!(origin.count(), 0);
    let viewer = SecureViewer::trusting(&authority);
    for target in ["/chat", "/secure/chat"] {
        let stream = viewer
            .connect(edge.secure_address(), "viewer.test")
            .await
            .unwrap();
        let (mut socket, _) = open(stream, target).await.unwrap();
        says(&mut socket, "hello").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_run_on_the_request_and_not_on_what_opens() {
    // LE-045, CF-409, CF-010.10, CF-010.13
    let origin = Echo::start(None).await;
    let viewer = "request.headers['x-viewer'] = [{ key: 'X-Viewer', value: '1' }]; \
                  if (request.uri === '/no') return { status: '401', body: 'who are you' }; \
                  console.log('viewer-request'); return request;";
    let origin_side = "request.uri = '/moved'; console.log('origin-request'); \
                       request.headers['x-origin-side'] = [{ key: 'X-Origin-Side', value: '1' }]; return request;";
    let edge = Edge::new()
        .function("viewer", &handler(viewer))
        .function("origin-side", &handler(origin_side))
        .function("log", &logging())
        .behavior(ALL_VIEWER)
        .behavior("on: { viewer-request: viewer, origin-request: origin-side, origin-response: log, viewer-response: log }")
        .start_at(&origin.url())
        .await;
    let mut socket = opened(&edge, "/chat").await;
    says(&mut socket, "hello").await;
    let head = origin.head();
    assert!(head.starts_with("/moved\n"), "{head}");
    assert!(
        head.contains("x-viewer: 1\n") && head.contains("x-origin-side: 1\n"),
        "{head}"
    );
    closes(socket).await;
    edge.recorded(1).await;
    let logs: Vec<_> = edge
        .logged(2)
        .await
        .into_iter()
        .map(|l| l.message)
        .collect();
    assert_eq!(logs, ["viewer-request", "origin-request"]);
    let hooks = &edge.records()[0].hooks;
    assert_eq!(hooks.len(), 2, "{hooks:?}");
    // One that answers itself: nothing opens.
    let (status, word, body) = refused(&edge, "/no").await;
    assert_eq!(
        (status, word.as_str(), body.as_str()),
        (401, "LambdaGeneratedResponse", "who are you")
    );
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_opens_nothing_is_an_answer_like_any_other() {
    // CF-408, LE-045, CF-598
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/busy" => Reply::status(503).body("busy"),
        "/old" => Reply::status(426).header("Sec-WebSocket-Version", "14"),
        "/long" => Reply::ok(vec![b'x'; 300_000]),
        _ => Reply::status(403).body("no").header("X-Why", "closed"),
    })
    .await;
    let edge = Edge::new()
        .function("log", &logging())
        .behavior(ALL_VIEWER)
        .behavior("on: { origin-response: log, viewer-response: log }")
        .start(&origin)
        .await;
    assert_eq!(
        refused(&edge, "/busy").await,
        (503, "Error".into(), "busy".into())
    );
    assert_eq!(
        refused(&edge, "/old").await,
        (426, "Error".into(), String::new())
    );
    assert_eq!(origin.last().header("upgrade"), Some("websocket"));

    // The connection goes on, also where the viewer could not wait.
    let mut viewer = dial(&edge).await;
    let both = handshake("/no", "") + "GET /plain HTTP/1.1\r\nHost: a.test\r\n\r\n";
    viewer.write_all(both.as_bytes()).await.unwrap();
    let first = read_until(&mut viewer, "\r\n\r\nno").await;
    assert!(
        first.starts_with("HTTP/1.1 403") && first.contains("X-Why: closed"),
        "{first}"
    );
    let second = match first.split_once("\r\n\r\nno") {
        Some((_, rest)) if rest.contains("\r\n\r\nno") => rest.to_owned(),
        _ => read_until(&mut viewer, "\r\n\r\nno").await,
    };
    assert!(second.starts_with("HTTP/1.1 403"), "{second}");
    assert_eq!(origin.last().header("upgrade"), None);
    assert_eq!(origin.last().target, "/plain");

    let answer = asking(&edge, "/long").send().await;
    assert_eq!((answer.status, answer.body.len()), (200, 300_000));
    assert_eq!(origin.last().header("upgrade"), Some("websocket"));
    // Response functions ran for each; below 400 both of them (LE-023).
    let logs = edge.logged(6).await;
    let at = |name: &str| logs.iter().filter(|l| l.message == name).count();
    assert_eq!((at("origin-response"), at("viewer-response")), (5, 1));
    assert!(edge.recorded(5).await.iter().all(|r| r.scheme() == "http"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_nothing_to_do_with_the_cache() {
    // CF-409, CF-220, CF-403
    let (open_gate, gate) = watch::channel(false);
    let origin = RawOrigin::start(move |number| match number {
        1 => vec![Turn::send(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nstored",
        )],
        _ => vec![
            Turn::Await(gate.clone()),
            Turn::send(SWITCHED),
            Turn::send("hello"),
            Turn::Hold,
        ],
    })
    .await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    assert_eq!(edge.get("/chat").await.text(), "stored");
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = dial(&edge).await;
        viewer
            .write_all(handshake("/chat", "").as_bytes())
            .await
            .unwrap();
        viewers.push(viewer);
    }
    // None is answered from the cache, and none waits for another.
    origin.received(4).await;
    open_gate.send(true).unwrap();
    for viewer in &mut viewers {
        let got = read_until(viewer, "\r\n\r\nhello").await;
        assert!(got.starts_with("HTTP/1.1 101 "), "{got}");
    }
    let hit = edge.get("/chat").await;
    assert_eq!((hit.x_cache(), hit.text()), ("Hit", "stored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_viewer_sends_too_early_is_not_lost() {
    // CF-408
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", origin.local_addr().unwrap());
    let edge = Edge::new().behavior(ALL_VIEWER).start_at(&url).await;
    let mut viewer = dial(&edge).await;
    let early = handshake("/chat", "") + "early";
    viewer.write_all(early.as_bytes()).await.unwrap();
    let (mut origin, _) = origin.accept().await.unwrap();
    let head = read_until(&mut origin, "\r\n\r\n").await;
    assert!(
        head.ends_with("\r\n\r\n"),
        "nothing goes with the request: {head}"
    );
    origin.write_all(SWITCHED.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut origin, "early").await, "early");
    read_until(&mut viewer, "\r\n\r\n").await;
    // One side ends, and the other may finish what it has to say.
    viewer.shutdown().await.unwrap();
    let mut rest = Vec::new();
    origin.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    origin.write_all(b"last words").await.unwrap();
    drop(origin);
    viewer.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"last words");
    let record = edge.recorded(1).await.remove(0);
    assert_eq!(
        (record.status, record.bytes, record.websocket_bytes),
        (101, 10, Some(5))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_breaks_ends_the_other() {
    // CF-409
    let origin = Echo::start(None).await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let socket = opened(&edge, "/chat").await;
    // A reset, as of a machine that is switched off.
    let stream = socket.into_inner();
    stream.set_zero_linger().unwrap();
    drop(stream);
    let record = edge.recorded(1).await.remove(0);
    assert_eq!((record.status, record.scheme()), (101, "ws"));
    idle(&edge).await;

    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", origin.local_addr().unwrap());
    let edge = Edge::new().behavior(ALL_VIEWER).start_at(&url).await;
    let mut viewer = dial(&edge).await;
    viewer
        .write_all(handshake("/chat", "").as_bytes())
        .await
        .unwrap();
    let (mut origin, _) = origin.accept().await.unwrap();
    read_until(&mut origin, "\r\n\r\n").await;
    origin.write_all(SWITCHED.as_bytes()).await.unwrap();
    read_until(&mut viewer, "\r\n\r\n").await;
    origin.set_zero_linger().unwrap();
    drop(origin);
    let mut rest = Vec::new();
    let _ = viewer.read_to_end(&mut rest).await;
    let record = edge.recorded(1).await.remove(0);
    assert!(record.error.is_some_and(|e| e.contains("broke")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_says_nothing_loses_its_viewer() {
    // CF-399: however much the viewer says
    let origin = RawOrigin::start(|_| vec![Turn::send(SWITCHED), Turn::Hold]).await;
    let edge = Edge::new()
        .node("websocket_idle_timeout: 0.3")
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let mut viewer = dial(&edge).await;
    viewer
        .write_all(handshake("/chat", "").as_bytes())
        .await
        .unwrap();
    read_until(&mut viewer, "\r\n\r\n").await;
    let (mut reading, mut writing) = viewer.split();
    let talking = async {
        while writing.write_all(b"hello").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut rest = Vec::new();
    tokio::select! {
        read = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut rest)) => {
            let _ = read.expect("an end in time");
        }
        () = talking => {}
    }
    let record = edge.recorded(1).await.remove(0);
    assert!(record.error.is_some_and(|e| e.contains("too long")));
    assert!(record.duration >= Duration::from_millis(300));
    assert!(record.websocket_bytes.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_of_an_origin_is_a_502_and_a_secondary_may_open_it() {
    // CF-772, CF-442, CF-446, CF-220
    let invalid = || {
        RawOrigin::start(|_| {
            vec![
                Turn::send(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
                ),
                Turn::Hold,
            ]
        })
    };
    let primary = invalid().await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&primary.url())
        .await;
    let (status, word, _) = refused(&edge, "/chat").await;
    assert_eq!((status, word.as_str()), (502, "Error"));
    let record = edge.recorded(1).await.remove(0);
    assert!(record.error.is_some_and(|e| e.contains("another protocol")));

    let secondary = Echo::start(None).await;
    let edge = Edge::new()
        .origin(&format!("second: {}", secondary.url()))
        .distribution("origin_groups: { both: { members: [origin, second], failover_criteria: { status_codes: [502] } } }")
        .behavior("origin: both")
        .behavior(ALL_VIEWER)
        .start_at(&primary.url())
        .await;
    let mut socket = opened(&edge, "/chat").await;
    says(&mut socket, "hello").await;
    closes(socket).await;
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let edge = Edge::new().behavior(ALL_VIEWER).start_at(&url).await;
    assert_eq!(refused(&edge, "/chat").await.0, 502);
    // An origin that does not answer is waited for as for any answer (CF-392).
    let silent = RawOrigin::start(|_| vec![Turn::Hold]).await;
    let own = format!(
        "own: {{ domain_name: 127.0.0.1, connection_attempts: 1, custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {}, origin_read_timeout: 1 }} }}",
        silent.port()
    );
    let edge = Edge::new()
        .origin(&own)
        .behavior("origin: own")
        .behavior(ALL_VIEWER)
        .start_at("")
        .await;
    assert_eq!(refused(&edge, "/chat").await.0, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_lets_it_go_on_for_as_long_as_it_waits_for_anything() {
    // CF-409, CP-620
    let origin = Echo::start(None).await;
    let mut edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let mut socket = opened(&edge, "/chat").await;
    let stopped = edge.stop(PATIENCE);
    while edge.node().ready() {
        tokio::task::yield_now().await;
    }
    says(&mut socket, "still there").await;
    assert!(!stopped.is_finished());
    closes(socket).await;
    tokio::task::spawn_blocking(move || stopped.join().unwrap())
        .await
        .unwrap();

    let mut edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let mut socket = opened(&edge, "/chat").await;
    says(&mut socket, "hello").await;
    let stopped = edge.stop(Duration::from_millis(100));
    tokio::task::spawn_blocking(move || stopped.join().unwrap())
        .await
        .unwrap();
    assert!(!matches!(socket.next().await, Some(Ok(_))), "it is cut off");
    let record = edge.recorded(1).await.remove(0);
    assert_eq!((record.status, record.bytes), (101, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_and_end_and_nothing_is_left() {
    // CF-408, CF-409
    let origin = Echo::start(None).await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    for round in 0..3 {
        let mut sockets = Vec::new();
        for _ in 0..100 {
            sockets.push(opened(&edge, "/chat").await);
        }
        assert_eq!(edge.node().in_flight().count(), 100);
        for (at, socket) in sockets.iter_mut().enumerate() {
            says(socket, &format!("{round} {at}")).await;
        }
        for (at, socket) in sockets.into_iter().enumerate() {
            match at % 3 {
                0 => closes(socket).await,
                1 => drop(socket),
                _ => {
                    let stream = socket.into_inner();
                    stream.set_zero_linger().unwrap();
                }
            }
        }
        edge.recorded(100 * (round + 1)).await;
        idle(&edge).await;
    }
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    number.expect("a number of KiB")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_one_costs_little() {
    // CF-408: no buffers are held for bytes that do not come
    let origin = RawOrigin::start(|_| vec![Turn::send(SWITCHED), Turn::Hold]).await;
    let edge = Edge::new()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let more = async |viewers: &mut Vec<TcpStream>, n: usize| {
        for _ in 0..n {
            let mut viewer = dial(&edge).await;
            let request = handshake("/chat", "");
            viewer.write_all(request.as_bytes()).await.unwrap();
            read_until(&mut viewer, "\r\n\r\n").await;
            viewers.push(viewer);
        }
    };
    let mut viewers = Vec::new();
    more(&mut viewers, 100).await;
    let before = resident_kib();
    more(&mut viewers, 500).await;
    let each = (resident_kib() - before) as f64 / 500.0;
    // With what the viewer and the origin of this test hold.
    println!("{each:.1} KiB for each");
    assert!(each < 48.0, "{each:.1} KiB for each");
    assert_eq!(edge.node().in_flight().count(), 600);
    drop(viewers);
    idle(&edge).await;
}
