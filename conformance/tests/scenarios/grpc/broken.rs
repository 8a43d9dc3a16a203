//! Calls that end before their time, by whom they may.

use super::{
    ALL_METHODS, Bytes, CALLS, Duration, H2Call, H2Origin, World, call, echo, head_of_answer,
    piece, rest, send, soon, text, trailers,
};
use h2::Reason;
use std::future::poll_fn;
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_the_viewer_is_one_for_the_origin() {
    // CF-410, CF-704, CF-705
    let world = World::new();
    let (told, mut tells) = mpsc::unbounded_channel();
    let origin = H2Origin::start(world.tls(), move |mut call: H2Call| {
        let told = told.clone();
        async move {
            let answers = call.head.uri.path() == "/answered";
            let mut out = None;
            if answers {
                out = Some(call.respond.send_response(head_of_answer(), false).unwrap());
            }
            let reset = match &mut out {
                Some(out) => poll_fn(|cx| out.poll_reset(cx)).await,
                None => poll_fn(|cx| call.respond.poll_reset(cx)).await,
            };
            told.send(reset.ok()).unwrap();
        }
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    for (n, (path, ends, reason)) in [
        ("/answered", false, Reason::CANCEL),
        ("/answered", true, Reason::ENHANCE_YOUR_CALM),
        ("/silent", false, Reason::INTERNAL_ERROR),
        ("/silent", true, Reason::CANCEL),
    ]
    .into_iter()
    .enumerate()
    {
        let (response, mut out) = send(&mut sender, call(path));
        out.send_data(Bytes::from("hello"), ends).unwrap();
        origin.received(n + 1).await;
        let mut body = None;
        let mut response = Some(response);
        if path == "/answered" {
            body = Some(soon(response.take().unwrap()).await.unwrap().into_body());
        }
        out.send_reset(reason);
        assert_eq!(
            soon(tells.recv()).await,
            Some(Some(reason)),
            "{path} {ends}"
        );
        drop((body, response));
        let record = edge.recorded(n + 1).await.pop().unwrap();
        let (status, result) = match path {
            "/answered" => (200, "Miss"),
            _ => (0, "Error"),
        };
        let json = record.to_json();
        assert_eq!(
            (record.status, &json["x-edge-result-type"]),
            (status, &result.into()),
            "{json}"
        );
        if status == 0 {
            assert_eq!(json["x-edge-detailed-result-type"], "ClientHungUpRequest");
        } else {
            assert!(record.error.unwrap().contains("the viewer has reset"));
        }
    }
    // One who goes away altogether.
    let (response, _out) = send(&mut sender, call("/answered"));
    let body = soon(response).await.unwrap().into_body();
    let other = world.connect(&edge).await;
    drop((body, _out, sender, other));
    assert_eq!(soon(tells.recv()).await, Some(Some(Reason::CANCEL)));
    // The connection to the origin has outlived them all.
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_the_origin_is_one_for_the_viewer() {
    // CF-410, RFC 9113 section 8.7
    let world = World::new();
    let origin = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        let path = call.head.uri.path();
        let reason = match path.rsplit('/').next().unwrap() {
            "refused" => Reason::REFUSED_STREAM,
            "cancel" => Reason::CANCEL,
            "internal" => Reason::INTERNAL_ERROR,
            _ => Reason::ENHANCE_YOUR_CALM,
        };
        if !path.starts_with("/answered") {
            call.respond.send_reset(reason);
            return;
        }
        let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
        out.send_data(Bytes::from("so far"), false).unwrap();
        // What comes before a reset is not to be lost.
        let _ = call.body.data().await;
        out.send_reset(reason);
    })
    .await;
    let edge = world.edge().start_at(&origin.url()).await;
    let mut sender = world.connect(&edge).await;
    let all = [
        ("refused", Reason::REFUSED_STREAM),
        ("cancel", Reason::CANCEL),
        ("internal", Reason::INTERNAL_ERROR),
        ("calm", Reason::ENHANCE_YOUR_CALM),
    ];
    for (name, reason) in all {
        let (response, _out) = send(&mut sender, call(&format!("/silent/{name}")));
        let broken = soon(response).await.unwrap_err();
        assert!(broken.is_reset() && broken.is_remote());
        assert_eq!(broken.reason(), Some(reason), "{name}");
    }
    for (name, reason) in all {
        let (response, mut out) = send(&mut sender, call(&format!("/answered/{name}")));
        let mut body = soon(response).await.unwrap().into_body();
        assert_eq!(piece(&mut body).await, "so far");
        out.send_data(Bytes::from("go on"), false).unwrap();
        let broken = soon(rest(&mut body)).await.unwrap_err();
        assert_eq!(broken.reason(), Some(reason), "{name}");
    }
    let records = edge.recorded(8).await;
    for record in &records {
        let json = record.to_json();
        let result = if record.status == 0 { "Error" } else { "Miss" };
        assert_eq!(json["x-edge-result-type"], result, "{json}");
        assert!(
            record
                .error
                .as_ref()
                .unwrap()
                .contains("the origin has reset")
        );
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_not_to_be_had_has_the_status_it_always_has() {
    // CF-410, CF-772, CF-774, CF-390, CF-392, CF-394, CF-595, CF-363
    let world = World::new();
    let origin = H2Origin::start(world.tls(), |mut call: H2Call| async move {
        match call.head.uri.path() {
            "/large" => {
                let head = http::Response::builder().header("x-large", "l".repeat(33_000));
                call.respond
                    .send_response(head.body(()).unwrap(), true)
                    .unwrap();
            }
            "/stalls" => {
                let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
                out.send_data(Bytes::from("so far"), false).unwrap();
                let _ = poll_fn(|cx| out.poll_reset(cx)).await;
            }
            "/beats" => {
                let mut out = call.respond.send_response(head_of_answer(), false).unwrap();
                for _ in 0..6 {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    let _ = out.send_data(Bytes::from("beat"), false);
                }
                let _ = out.send_trailers(trailers("0"));
            }
            _ => {
                let _ = poll_fn(|cx| call.respond.poll_reset(cx)).await;
            }
        }
    })
    .await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap().port();
    drop(closed);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http1 =
        fourfront_conformance::Origin::start_tls(world.tls().speaking(&["http/1.1"]), |_| {
            fourfront_conformance::Reply::ok("hello")
        })
        .await;
    let no_alpn = fourfront_conformance::Origin::start_tls(world.tls(), |_| {
        fourfront_conformance::Reply::ok("hello")
    })
    .await;
    let stranger = H2Origin::start(
        fourfront_conformance::OriginTls::showing(
            &fourfront_conformance::Authority::new().certify(&["127.0.0.1"]),
        ),
        echo,
    )
    .await;
    let quick = "connection_attempts: 1, connection_timeout: 1";
    let https = |port: u16, timeouts: &str| {
        format!(
            "{{ domain_name: '127.0.0.1', {quick}, {timeouts} custom_origin_config: {{ origin_protocol_policy: https-only, https_port: {port}, origin_read_timeout: 1 }} }}"
        )
    };
    let behavior = |origin: &str| format!("origin: {origin}, {ALL_METHODS}, {CALLS}");
    let edge = world
        .edge()
        .distribution("custom_error_responses: [{ error_code: 502, response_page_path: /page, response_code: 200 }, { error_code: 504, response_page_path: /page, response_code: 200 }]")
        .origin(&format!("nobody: {}", https(nobody, "")))
        .origin(&format!("silent: {}", https(silent.local_addr().unwrap().port(), "")))
        .origin(&format!("http1: {}", https(http1.port(), "")))
        .origin(&format!("no-alpn: {}", https(no_alpn.port(), "")))
        .origin(&format!("stranger: {}", https(stranger.port(), "")))
        .origin(&format!("quick: {}", https(origin.port(), "")))
        .origin(&format!("short: {}", https(origin.port(), "response_completion_timeout: 1,")))
        .path("/nobody", &behavior("nobody"))
        .path("/silent", &behavior("silent"))
        .path("/http1", &behavior("http1"))
        .path("/no-alpn", &behavior("no-alpn"))
        .path("/stranger", &behavior("stranger"))
        .path("/waits", &behavior("quick"))
        .path("/stalls", &behavior("quick"))
        .path("/beats", &behavior("quick"))
        .path("/large", &behavior("quick"))
        .path("/short/*", &behavior("short"))
        .start_at(&origin.url())
        .await;
    let mut sender = world.connect(&edge).await;
    let rows = [
        ("/nobody", 502, "OriginConnectError"),
        ("/silent", 504, "OriginCommError"),
        ("/http1", 502, "OriginConnectError"),
        ("/no-alpn", 502, "OriginConnectError"),
        ("/stranger", 502, "OriginConnectError"),
        ("/large", 502, "OriginHeaderTooBigError"),
        ("/waits", 504, "OriginCommError"),
        ("/short/waits", 504, "OriginCommError"),
    ];
    for (n, (path, status, detail)) in rows.into_iter().enumerate() {
        let (response, mut out) = send(&mut sender, call(path));
        out.send_data(Bytes::from("hello"), true).unwrap();
        let response = soon(response).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert!(
            text(response.headers(), "x-cache")
                .unwrap()
                .starts_with("Error"),
            "no page"
        );
        let json = edge.recorded(n + 1).await.pop().unwrap().to_json();
        assert_eq!(
            (&json["x-edge-detailed-result-type"], &json["cs-protocol"]),
            (&detail.into(), &"grpcs".into()),
            "{path}: {json}"
        );
    }
    assert_eq!(
        (http1.count(), no_alpn.count(), stranger.count()),
        (0, 0, 0)
    );
    // Once the answer has begun there is only the stream to tell it by.
    let (response, mut out) = send(&mut sender, call("/stalls"));
    out.send_data(Bytes::from("hello"), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    assert_eq!(piece(&mut body).await, "so far");
    let broken = soon(rest(&mut body)).await.unwrap_err();
    assert_eq!(broken.reason(), Some(Reason::INTERNAL_ERROR));
    // An origin that says something in time may take as long as it likes.
    let (response, _out) = send(&mut sender, call("/beats"));
    let mut body = soon(response).await.unwrap().into_body();
    let (all, end) = soon(rest(&mut body)).await.unwrap();
    assert_eq!(
        (all.len(), text(&end.unwrap(), "grpc-status")),
        (24, Some("0"))
    );
    // And so may a viewer that does.
    let (response, mut out) = send(&mut sender, call("/waits"));
    let sending = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            out.send_data(Bytes::from("beat"), false).unwrap();
        }
    };
    let began = std::time::Instant::now();
    let (_, response) = tokio::join!(sending, soon(response));
    assert_eq!(response.unwrap().status(), 504);
    assert!(
        began.elapsed() >= Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_whose_connection_breaks_ends_its_calls_and_no_others() {
    // CF-410, CF-222, CF-772
    let world = World::new();
    let tls = world.tls().speaking(&["h2"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Its first connection breaks after two calls have come, one of which was answered; the second is in order.
    let serving = tokio::spawn(async move {
        for n in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = tls.accept(stream).await.unwrap();
            let mut frames = h2::server::handshake(stream).await.unwrap();
            let mut kept = Vec::new();
            while let Some(Ok((_, mut respond))) = frames.accept().await {
                let ends = n == 1;
                if ends || kept.is_empty() {
                    let out = respond.send_response(head_of_answer(), ends).unwrap();
                    kept.push(Some(out));
                } else {
                    kept.push(None);
                    let _ = tokio::time::timeout(Duration::from_millis(300), frames.accept()).await;
                    break;
                }
                // Held until the connection goes.
                std::mem::forget(respond);
            }
            drop((frames, kept));
        }
    });
    let edge = world
        .edge()
        .start_at(&format!("https://127.0.0.1:{port}"))
        .await;
    let mut sender = world.connect(&edge).await;
    let (response, _first) = send(&mut sender, call("/a"));
    let mut body = soon(response).await.unwrap().into_body();
    let (silent, _second) = send(&mut sender, call("/b"));
    assert_eq!(soon(silent).await.unwrap().status(), 502);
    let broken = soon(rest(&mut body)).await.unwrap_err();
    assert_eq!(broken.reason(), Some(Reason::INTERNAL_ERROR));
    let (response, _out) = send(&mut sender, call("/c"));
    assert_eq!(soon(response).await.unwrap().status(), 200);
    serving.abort();
    let records = edge.recorded(3).await;
    let details: Vec<_> = records
        .iter()
        .map(|r| r.to_json()["x-edge-detailed-result-type"].clone())
        .collect();
    assert!(details.contains(&"OriginReadError".into()), "{details:?}");
}
