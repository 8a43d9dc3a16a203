//! gRPC calls (CF section 4.9), frame by frame: a viewer and an origin who do what libraries for gRPC do, and what they
//! should not. [`library`] has real ones.

mod broken;
mod given_up;
mod library;
mod pooled;

use std::time::Duration;

use bytes::Bytes;
use fourfront_conformance::{
    ALL_METHODS, Authority, Edge, H2Call, H2Origin, OriginTls, Running, SecureViewer,
};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, HeaderValue, Request, Response, request};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A setting of a behaviour: calls pass.
const CALLS: &str = "grpc_config: { enabled: true }";

/// What has an origin get metadata.
const ALL_VIEWER: &str = "origin_request_policy: Managed-AllViewer";

async fn soon<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, what).await;
    done.expect("what is waited for comes about within a minute")
}

/// Who vouches for both sides, and the TLS of an origin.
struct World {
    authority: Authority,
}

impl World {
    fn new() -> Self {
        Self {
            authority: Authority::new(),
        }
    }

    fn tls(&self) -> OriginTls {
        OriginTls::showing(&self.authority.certify(&["127.0.0.1", "localhost"]))
    }

    /// A node with one worker, so that there is one pool of connections, whose default behaviour takes calls.
    fn edge(&self) -> Edge {
        self.plain_edge().behavior(ALL_METHODS).behavior(CALLS)
    }

    fn plain_edge(&self) -> Edge {
        let edge = Edge::new()
            .threads(1, 1)
            .certificate("site", &self.authority.pem_pair(&["viewer.test"]))
            .node("origin_ca: ./ca.pem");
        edge.write("ca.pem", self.authority.pem());
        edge
    }

    fn viewer(&self) -> SecureViewer {
        SecureViewer::trusting(&self.authority).h2()
    }

    /// A connection to the node.
    async fn connect(&self, edge: &Running) -> SendRequest<Bytes> {
        // Room for several streams that are not looked at, and no budget for what their frames cost: those are what is tried here.
        let mut options = h2::client::Builder::new();
        options
            .initial_connection_window_size(4 * 1024 * 1024)
            .data_frame_budget(1 << 30)
            .max_local_error_reset_streams(None);
        let viewer = self.viewer();
        let stream = viewer.connect(edge.secure_address(), "viewer.test").await;
        let stream = stream.expect("TLS");
        let (sender, connection) = options.handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        sender
    }
}

/// The head of a call.
fn call(path: &str) -> request::Builder {
    Request::post(format!("https://viewer.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

fn send(
    sender: &mut SendRequest<Bytes>,
    head: request::Builder,
) -> (ResponseFuture, SendStream<Bytes>) {
    let request = head.body(()).expect("a request");
    sender.send_request(request, false).expect("a stream")
}

/// Everything that comes of a body, and what follows it.
async fn rest(body: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        all.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((all, body.trailers().await?))
}

/// The next piece of a body.
async fn piece(body: &mut RecvStream) -> Bytes {
    let data = soon(body.data()).await.expect("more").expect("data");
    let room = body.flow_control().release_capacity(data.len());
    room.expect("an open stream");
    data
}

fn trailers(status: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_str(status).expect("ASCII"));
    trailers
}

fn head_of_answer() -> Response<()> {
    let head = Response::builder().header("content-type", "application/grpc");
    head.body(()).expect("a head")
}

/// Sends back what comes, piece by piece, and what follows it with a status.
async fn echo(mut call: H2Call) {
    let out = call.respond.send_response(head_of_answer(), false);
    let mut out = out.expect("an open stream");
    while let Some(Ok(data)) = call.body.data().await {
        let _ = call.body.flow_control().release_capacity(data.len());
        if out.send_data(data, false).is_err() {
            return;
        }
    }
    let mut end = trailers("0");
    if let Ok(Some(sent)) = call.body.trailers().await {
        end.extend(sent);
    }
    let _ = out.send_trailers(end);
}

fn text<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a str> {
    fields.get(name).map(|value| value.to_str().expect("ASCII"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_streams_both_ways_at_once_and_ends_with_its_status() {
    // CF-410, CF-076, CF-327, CF-704, CF-512, CF-352, CF-353, CF-355, CF-500, CF-343
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let head = call("/pkg.Service/Method?x=1")
        .header("grpc-timeout", "5S")
        .header("grpc-encoding", "identity")
        .header("x-metadata", "mine");
    let (response, mut out) = send(&mut sender, head);
    let response = soon(response).await.unwrap();
    assert_eq!(response.status(), 200);
    let (parts, mut body) = response.into_parts();
    assert_eq!(
        text(&parts.headers, "content-type"),
        Some("application/grpc")
    );
    let cache = text(&parts.headers, "x-cache").unwrap();
    assert!(cache.starts_with("Miss from"), "{cache}");
    assert_eq!(text(&parts.headers, "x-amz-cf-id").unwrap().len(), 56);
    assert!(parts.headers.contains_key("date") && parts.headers.contains_key("via"));
    // The answer has begun before there was a message, and each comes back before the next is sent.
    for message in ["one", "two", "three"] {
        out.send_data(Bytes::from(message), false).unwrap();
        assert_eq!(piece(&mut body).await, message);
    }
    out.send_trailers(
        [("x-sum".parse().unwrap(), HeaderValue::from_static("11"))]
            .into_iter()
            .collect(),
    )
    .unwrap();
    let (all, end) = soon(rest(&mut body)).await.unwrap();
    let end = end.expect("trailers");
    assert_eq!(
        (all.len(), text(&end, "grpc-status"), text(&end, "x-sum")),
        (0, Some("0"), Some("11"))
    );

    let head = origin.heads().remove(0);
    assert_eq!(
        (head.method.as_str(), head.version),
        ("POST", http::Version::HTTP_2)
    );
    assert_eq!(head.uri.authority().unwrap().as_str(), "127.0.0.1");
    assert_eq!(head.uri.path_and_query().unwrap(), "/pkg.Service/Method");
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-timeout", "5S"),
        ("grpc-encoding", "identity"),
        ("x-forwarded-for", "127.0.0.1"),
        ("user-agent", "Fourfront"),
    ] {
        assert_eq!(text(&head.headers, name), Some(value), "{name}");
    }
    assert!(text(&head.headers, "via").unwrap().starts_with("2.0 "));
    for name in ["host", "connection", "transfer-encoding", "x-metadata"] {
        assert_eq!(text(&head.headers, name), None, "{name}");
    }
    let record = edge.recorded(1).await.remove(0).to_json();
    for (field, value) in [
        ("cs-protocol", "grpcs"),
        ("cs-protocol-version", "HTTP/2.0"),
        ("x-edge-result-type", "Miss"),
        ("x-edge-response-result-type", "Miss"),
        ("cs-uri-stem", "/pkg.Service/Method"),
    ] {
        assert_eq!(record[field], value, "{field}: {record}");
    }
    assert_eq!(
        (&record["sc-status"], &record["sc-body-bytes"]),
        (&200.into(), &11.into())
    );
    assert!(record["ff-error"].is_null(), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_goes_by_the_policies_and_an_answer_may_be_all_trailers() {
    // CF-410, CF-357, CF-598, CF-615
    let world = World::new();
    let origin = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        let head = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "5")
            .header("grpc-message", "nothing of that name")
            .header("via", "1.1 origin")
            .header("x-amz-cf-pop", "elsewhere");
        call.respond
            .send_response(head.body(()).unwrap(), true)
            .unwrap();
    })
    .await;
    let edge = world
        .edge()
        .behavior(ALL_VIEWER)
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    let head = call("/s/m?x=1")
        .header("x-metadata", "mine")
        .header("x-bytes-bin", "AAEC")
        .header("user-agent", "grpc-test/1")
        .header("x-edge-secret", "forged")
        .header("authorization", "Bearer t");
    let (response, mut out) = send(&mut sender, head);
    out.send_data(Bytes::new(), true).unwrap();
    let response = soon(response).await.unwrap();
    assert!(response.body().is_end_stream(), "nothing follows the head");
    let fields = response.headers();
    assert_eq!(
        (text(fields, "grpc-status"), text(fields, "grpc-message")),
        (Some("5"), Some("nothing of that name"))
    );
    assert!(!text(fields, "via").unwrap().contains("origin"));
    assert_ne!(text(fields, "x-amz-cf-pop"), Some("elsewhere"));
    let head = origin.heads().remove(0);
    assert_eq!(head.uri.path_and_query().unwrap(), "/s/m?x=1");
    assert_eq!(head.uri.authority().unwrap().as_str(), "viewer.test");
    for (name, value) in [
        ("x-metadata", Some("mine")),
        ("x-bytes-bin", Some("AAEC")),
        ("user-agent", Some("grpc-test/1")),
        ("authorization", Some("Bearer t")),
        ("te", Some("trailers")),
        ("x-edge-secret", None),
    ] {
        assert_eq!(text(&head.headers, name), value, "{name}");
    }
    let record = edge.recorded(1).await.remove(0);
    assert_eq!((record.status, record.scheme()), (200, "grpcs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_has_ended_gets_the_rest_and_an_origin_that_has_ended_is_told_nothing_more() {
    // CF-410: half-closed either way
    let world = World::new();
    let (after, gate) = tokio::sync::watch::channel(false);
    let origin = H2Origin::start(world.tls(), move |mut call: H2Call| {
        let mut gate = gate.clone();
        async move {
            let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
            if call.head.uri.path() == "/early" {
                // A status before the viewer has said all, as servers do that have seen enough.
                out.send_trailers(trailers("8")).unwrap();
                return;
            }
            let (all, _) = rest(&mut call.body).await.unwrap();
            out.send_data(Bytes::from(format!("{} of it;", all.len())), false)
                .unwrap();
            gate.wait_for(|open| *open).await.unwrap();
            out.send_data(Bytes::from("and more"), false).unwrap();
            out.send_trailers(trailers("0")).unwrap();
        }
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let (response, mut out) = send(&mut sender, call("/late"));
    out.send_data(Bytes::from("12345"), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(piece(&mut body).await, "5 of it;");
    after.send_replace(true);
    let (all, end) = soon(rest(&mut body)).await.unwrap();
    assert_eq!(
        (&all[..], text(&end.unwrap(), "grpc-status")),
        (&b"and more"[..], Some("0"))
    );

    let (response, mut out) = send(&mut sender, call("/early"));
    out.send_data(Bytes::from("12345"), false).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    let (all, end) = soon(rest(&mut body)).await.unwrap();
    assert_eq!(
        (all.len(), text(&end.unwrap(), "grpc-status")),
        (0, Some("8"))
    );
    // RFC 9113 section 8.1: nothing is wrong, there is just nobody who listens.
    let told = soon(std::future::poll_fn(|cx| out.poll_reset(cx))).await;
    assert_eq!(told.unwrap(), h2::Reason::NO_ERROR);
    for record in edge.recorded(2).await {
        assert_eq!(record.to_json()["x-edge-result-type"], "Miss");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_takes_nothing_stops_the_other_one() {
    // CF-410, CF-370: nothing is piled up, in either direction
    const PIECE: usize = 16 * 1024;
    let world = World::new();
    let (sent, seen) = tokio::sync::watch::channel(0_usize);
    let (open, gate) = tokio::sync::watch::channel(false);
    let sent = std::sync::Arc::new(sent);
    let origin = H2Origin::start(world.tls(), move |mut call: H2Call| {
        let (sent, mut gate) = (sent.clone(), gate.clone());
        async move {
            let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
            if call.head.uri.path() == "/up" {
                gate.wait_for(|open| *open).await.unwrap();
                let (all, _) = rest(&mut call.body).await.unwrap();
                out.send_data(Bytes::from(all.len().to_string()), true)
                    .unwrap();
                return;
            }
            for _ in 0..1024 {
                out.reserve_capacity(PIECE);
                while out.capacity() < PIECE {
                    if std::future::poll_fn(|cx| out.poll_capacity(cx))
                        .await
                        .is_none()
                    {
                        return;
                    }
                }
                out.send_data(Bytes::from(vec![b'x'; PIECE]), false)
                    .unwrap();
                sent.send_modify(|n| *n += PIECE);
            }
            out.send_trailers(trailers("0")).unwrap();
        }
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    // 16 MiB for a viewer who looks at nothing.
    let (response, mut out) = send(&mut sender, call("/down"));
    out.send_data(Bytes::new(), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    let stopped = settled(&seen).await;
    // The windows of three sides and the buffers between them, and not all there is.
    assert!((64 * 1024..2 * 1024 * 1024).contains(&stopped), "{stopped}");
    // Others on the same connections go on.
    let (response, mut out) = send(&mut sender, call("/up"));
    out.send_data(Bytes::from("123"), true).unwrap();
    open.send_replace(true);
    let mut other = soon(response).await.unwrap().into_body();
    assert_eq!(soon(rest(&mut other)).await.unwrap().0, b"3");
    open.send_replace(false);
    // And so does the first when it looks.
    let (all, end) = soon(rest(&mut body)).await.unwrap();
    assert_eq!((all.len(), end.is_some()), (1024 * PIECE, true));

    // The other way: an origin that looks at nothing.
    let (response, mut out) = send(&mut sender, call("/up"));
    let mut body = soon(response).await.unwrap().into_body();
    let mut up = 0;
    loop {
        out.reserve_capacity(PIECE);
        let room = std::future::poll_fn(|cx| out.poll_capacity(cx));
        match tokio::time::timeout(Duration::from_secs(1), room).await {
            Ok(room) => {
                let room = room.unwrap().unwrap().min(PIECE);
                out.send_data(Bytes::from(vec![b'x'; room]), false).unwrap();
                up += room;
            }
            Err(_) => break,
        }
        assert!(up < 2 * 1024 * 1024, "{up}");
    }
    assert!(up >= 64 * 1024, "{up}");
    open.send_replace(true);
    out.send_data(Bytes::new(), true).unwrap();
    assert_eq!(
        soon(rest(&mut body)).await.unwrap().0,
        up.to_string().into_bytes()
    );
    assert_eq!(origin.connections(), 1);
}

/// A number that grows, once it has not for a second.
async fn settled(number: &tokio::sync::watch::Receiver<usize>) -> usize {
    let mut number = number.clone();
    loop {
        let now = *number.borrow_and_update();
        if tokio::time::timeout(Duration::from_secs(1), number.changed())
            .await
            .is_err()
        {
            return now;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_messages_for_a_viewer_who_takes_none_hurt_nobody_else() {
    // CF-410: frames have a price beside their bytes, and the connection to the origin is shared
    const MESSAGES: usize = 60_000;
    let world = World::new();
    let origin = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
        if call.head.uri.path() == "/many" {
            for _ in 0..MESSAGES {
                out.reserve_capacity(4);
                while out.capacity() < 4 {
                    match std::future::poll_fn(|cx| out.poll_capacity(cx)).await {
                        Some(Ok(_)) => {}
                        _ => return,
                    }
                }
                out.send_data(Bytes::from_static(b"tiny"), false).unwrap();
            }
        }
        out.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let (response, mut out) = send(&mut sender, call("/many"));
        out.send_data(Bytes::new(), true).unwrap();
        slow.push(soon(response).await.unwrap().into_body());
    }
    for _ in 0..20 {
        let (response, mut out) = send(&mut sender, call("/one"));
        out.send_data(Bytes::new(), true).unwrap();
        let mut body = soon(response).await.unwrap().into_body();
        assert!(soon(rest(&mut body)).await.unwrap().1.is_some());
    }
    for mut body in slow {
        let (all, end) = soon(rest(&mut body)).await.unwrap();
        assert_eq!((all.len(), end.is_some()), (4 * MESSAGES, true));
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_is_a_request_like_any_other() {
    // CF-410, CF-595: by content type, protocol and setting
    let world = World::new();
    let origin = fourfront_conformance::Origin::start_tls(world.tls(), |request| {
        fourfront_conformance::Reply::status(500).body(format!("{} itself", request.target))
    })
    .await;
    let page = "custom_error_responses: [{ error_code: 500, response_page_path: /page, response_code: 500 }]";
    for (edge, http1, content_type) in [
        (world.edge(), true, "application/grpc"),
        (world.edge(), false, "application/grpc-web"),
        (
            world.plain_edge().behavior(ALL_METHODS),
            false,
            "application/grpc",
        ),
    ] {
        let edge = edge.distribution(page).start(&origin).await;
        let viewer = match http1 {
            true => SecureViewer::trusting(&world.authority),
            false => world.viewer(),
        };
        let answer = edge
            .secure_request(&viewer, "POST", "/s/m")
            .header("Content-Type", content_type)
            .body("x")
            .send()
            .await;
        // The page is the origin's answer to another request, on HTTP/1.1 as ever.
        assert_eq!(
            (answer.status, answer.text()),
            (500, "/page itself"),
            "{content_type}"
        );
        let record = edge.record_of(&answer).await;
        assert_eq!(record.scheme(), "https");
    }
    assert!(origin.seen().iter().all(|seen| seen.header("te").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_functions_do_not_run_and_cloudfront_functions_do() {
    // LE-012, LE-048, CF-410, LE-416, LE-424, LE-163, LE-425
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let log = fourfront_conformance::logging();
    let edge = world
        .edge()
        .function("log", &log)
        .behavior("on: { viewer-request: log, origin-request: log, origin-response: log, viewer-response: log }")
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    let (response, mut out) = send(&mut sender, call("/s/m"));
    out.send_data(Bytes::from("m"), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(soon(rest(&mut body)).await.unwrap().0, b"m");
    assert!(edge.recorded(1).await[0].hooks.is_empty());
    // The same path by another request: there they do.
    let plain = edge
        .secure_request(&world.viewer(), "POST", "/s/m")
        .body("x")
        .send()
        .await;
    assert!(!edge.record_of(&plain).await.hooks.is_empty());

    const ASKS: &str = "function handler(event) {
        var request = event.request;
        if (request.uri === '/refused') return { statusCode: 403, statusDescription: 'Forbidden', headers: { 'grpc-status': { value: '7' } } };
        request.headers['grpc-timeout'] = { value: '9S' };
        request.uri = '/seen' + request.uri;
        return request;
    }";
    const ANSWERS: &str = "function handler(event) {
        var response = event.response;
        if (event.request.uri.endsWith('/body')) response.body = 'mine';
        response.headers['x-seen'] = { value: event.request.uri };
        return response;
    }";
    let edge = world
        .edge()
        .cloudfront_function("asks", ASKS, "")
        .cloudfront_function("answers", ANSWERS, "")
        .function("log", &log)
        .behavior("on: { viewer-request: asks, origin-request: log, origin-response: log, viewer-response: answers }")
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    let (response, mut out) = send(&mut sender, call("/s/m"));
    out.send_data(Bytes::from("m"), true).unwrap();
    let response = soon(response).await.unwrap();
    assert_eq!(text(response.headers(), "x-seen"), Some("/seen/s/m"));
    let mut body = response.into_body();
    assert_eq!(soon(rest(&mut body)).await.unwrap().0, b"m");
    let head = origin.heads().pop().unwrap();
    assert_eq!(
        (head.uri.path(), text(&head.headers, "grpc-timeout")),
        ("/seen/s/m", Some("9S"))
    );
    let hooks: Vec<_> = edge.recorded(1).await[0]
        .hooks
        .iter()
        .map(|h| h.function.clone())
        .collect();
    assert_eq!(hooks, ["asks", "answers"]);

    // An answer of the first, and a body of the second, which belongs to the origin alone.
    for (path, status, cache, grpc) in [
        ("/refused", 403, "FunctionGeneratedResponse", Some("7")),
        ("/body", 502, "FunctionValidationError", None),
    ] {
        let (response, _out) = send(&mut sender, call(path));
        let response = soon(response).await.unwrap();
        let fields = response.headers();
        assert_eq!(
            (response.status().as_u16(), text(fields, "grpc-status")),
            (status, grpc),
            "{path}"
        );
        assert!(
            text(fields, "x-cache").unwrap().starts_with(cache),
            "{fields:?}"
        );
    }
    let records = edge.recorded(3).await;
    assert!(records.iter().all(|r| r.scheme() == "grpcs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_judged_like_other_requests() {
    // CF-600, CF-560, CF-527, CF-361, CF-362, CF-368, CF-554, CF-595
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let page = "custom_error_responses: [{ error_code: 403, response_page_path: /page, response_code: 200 }, { error_code: 502, response_page_path: /page, response_code: 200 }]";
    let policy = "response_headers_policy: { custom_headers_config: [{ header: X-Policy, value: applied }] }";
    let edge = world
        .edge()
        .distribution(page)
        .behavior(policy)
        .node("limits: { max_body_bytes: 1000, max_url_bytes: 200 }")
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    let long = format!("/{}", "l".repeat(200));
    let rows = [
        (call("/a").method("PROPFIND"), 403),
        (call(&long), 414),
        (call("/a").header("content-length", "1001"), 413),
        (call("/a").header("expect", "something"), 417),
        (call("/a").method("GET"), 403),
    ];
    let asked = rows.len();
    for (head, status) in rows {
        let (response, mut out) = send(&mut sender, head);
        // A GET with a body is known by its first byte.
        out.send_data(Bytes::from_static(b"x"), false).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(text(response.headers(), "x-policy"), Some("applied"));
    }
    // More than may be, as it turns out on the way. Who waits for leave to go on gets it.
    let (mut response, mut out) = send(&mut sender, call("/a").header("expect", "100-continue"));
    let go_on = soon(std::future::poll_fn(|cx| response.poll_informational(cx))).await;
    assert_eq!(go_on.unwrap().unwrap().status(), 100);
    let response = soon(response).await.unwrap();
    assert_eq!(text(response.headers(), "x-policy"), Some("applied"));
    assert_eq!(text(&origin.heads()[0].headers, "expect"), None);
    let mut body = response.into_body();
    out.send_data(Bytes::from(vec![b'x'; 1001]), false).unwrap();
    let broken = soon(rest(&mut body)).await.unwrap_err();
    assert!(broken.is_reset() && broken.is_remote(), "{broken:?}");
    let records = edge.recorded(asked + 1).await;
    assert!(records.iter().all(|r| r.scheme() == "grpcs"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn countries_and_signatures_are_asked_for() {
    // CF-600, CF-560, CF-576, CF-010
    let world = World::new();
    let origin = H2Origin::start(world.tls(), echo).await;
    let (id, pem) = super::signed::vectors::key("rsa");
    let blocked = world
        .edge()
        .node("geo_database: ./country.mmdb")
        .distribution("geo_restriction: { restriction_type: blacklist, locations: [DE] }");
    let database = fourfront_conformance::country_database(&[("127.0.0.0/8", "DE")]);
    std::fs::write(blocked.dir().join("country.mmdb"), database).unwrap();
    let signed = world
        .edge()
        .top(&format!(
            "public_keys: {{ {id}: ./key.pem }}\nkey_groups: {{ viewers: [{id}] }}"
        ))
        .behavior("trusted_key_groups: [viewers]");
    signed.write("key.pem", pem);
    for (edge, detail) in [(blocked, "ClientGeoBlocked"), (signed, "Error")] {
        let edge = edge.start_at(&origin.url()).await;
        let mut sender = world.connect(&edge).await;
        let (response, _out) = send(&mut sender, call("/s/m"));
        assert_eq!(soon(response).await.unwrap().status(), 403, "{detail}");
        let json = edge.recorded(1).await[0].to_json();
        assert_eq!(
            (&json["x-edge-detailed-result-type"], &json["cs-protocol"]),
            (&detail.into(), &"grpcs".into())
        );
    }
    assert_eq!(origin.count(), 0);
}
