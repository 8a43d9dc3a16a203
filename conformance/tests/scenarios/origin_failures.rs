//! Origins that do not answer, or answer wrongly (CF sections 4.6 and 9).

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use fourfront_conformance::{ALL_METHODS, Edge, Origin, RawOrigin, Reply, Running, Turn, logging};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, watch},
};

fn own_origin(port: u16, settings: &str, custom: &str) -> String {
    format!(
        "own: {{ domain_name: 127.0.0.1, {settings} custom_origin_config: {{ origin_protocol_policy: http-only, http_port: {port}{custom} }} }}"
    )
}

/// How often an origin has failed for this cause, by the node's count.
fn counted(edge: &Running, cause: &str) -> usize {
    let metrics = edge.metrics();
    let line = metrics.lines().find(|l| {
        l.starts_with("fourfront_origin_faults_total{") && l.contains(&format!("cause=\"{cause}\""))
    });
    line.and_then(|l| l.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}

/// Status, token and log detail of the answer to a GET.
async fn outcome(edge: &Running, path: &str) -> (u16, String, String) {
    let answer = edge.get(path).await;
    if answer.status >= 500 {
        // CF-780, CF-781
        let id = answer
            .header("x-amz-cf-id")
            .expect("every answer has an id");
        assert!(
            answer.text().contains(&format!("Request ID: {id}")),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("cache-control"), None);
    }
    let detail = edge.record_of(&answer).await.to_json()["x-edge-detailed-result-type"].clone();
    (
        answer.status,
        answer.x_cache().to_owned(),
        detail.as_str().expect("the detail is text").to_owned(),
    )
}

fn failed(status: u16, detail: &str) -> (u16, String, String) {
    (status, "Error".to_owned(), detail.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_refuses_connections_is_a_502() {
    // CF-772, CF-391, CF-705, CF-780, CF-781, CF-010.14
    let edge = Edge::new().start_at("http://127.0.0.1:1").await;
    assert_eq!(outcome(&edge, "/").await, failed(502, "OriginConnectError"));
    // What the system said is for the operator alone.
    let page = edge.get("/").await;
    for word in ["refused", "os error", "127.0.0.1"] {
        assert!(!page.text().contains(word), "{}", page.text());
    }
    let record = &edge.records()[0];
    assert!(
        record
            .error
            .as_deref()
            .unwrap_or_default()
            .contains("connect"),
        "{:?}",
        record.error
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_whose_name_has_no_address_is_a_502_before_its_function_runs() {
    // CF-772, LE-038, LE-276, LE-A25
    let edge = Edge::new()
        .function("log", &logging())
        .behavior("on: { viewer-request: log, origin-request: log }")
        .start_at("http://origin.invalid")
        .await;
    assert_eq!(outcome(&edge, "/").await, failed(502, "OriginDnsError"));
    let lines: Vec<_> = edge.logs().into_iter().map(|l| l.message).collect();
    assert_eq!(lines, ["viewer-request"]);
    assert_eq!(counted(&edge, "OriginDnsError"), 1);

    let edge = Edge::new().start_at("http://origin.invalid").await;
    assert_eq!(outcome(&edge, "/").await, failed(502, "OriginDnsError"));
    assert_eq!(counted(&edge, "OriginDnsError"), 1);
    assert!(!edge.get("/").await.text().contains("origin.invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_not_http_are_502s_with_their_cause() {
    // CF-772, CF-363, CF-371, CF-705
    let big = format!(
        "HTTP/1.1 200 OK\r\nX-Big: {}\r\nContent-Length: 0\r\n\r\n",
        "v".repeat(40_000)
    );
    let rows: [(&str, &str, &str); 7] = [
        ("closes", "", "OriginReadError"),
        (
            "no HTTP",
            "HELLO WORLD\r\n\r\n",
            "OriginInvalidResponseError",
        ),
        (
            "bad status",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "OriginInvalidResponseError",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "OriginInvalidResponseError",
        ),
        (
            "unknown coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
            "OriginInvalidResponseError",
        ),
        (
            "length that is no number",
            "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nab",
            "OriginInvalidResponseError",
        ),
        ("big header", &big, "OriginHeaderTooBigError"),
    ];
    for (name, text, detail) in rows {
        let text = text.to_owned();
        let origin = RawOrigin::start(move |_| match text.as_str() {
            "" => vec![Turn::Close],
            text => vec![Turn::send(text), Turn::Close],
        })
        .await;
        let edge = Edge::new().start_at(&origin.url()).await;
        assert_eq!(outcome(&edge, "/").await, failed(502, detail), "{name}");
        assert_eq!(counted(&edge, detail), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_breaks_off_for_the_viewer_and_is_not_stored() {
    // CF-222, CF-396, CF-704, CF-705
    // Long enough to be sent on: what has a length waits until there are 1460 bytes of it.
    let with_length = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\nCache-Control: max-age=60\r\n\r\n{}01234",
        "-".repeat(2000)
    );
    let rows = [
        ("length", with_length.as_str()),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n5\r\n01234\r\n",
        ),
    ];
    for (name, broken) in rows {
        let broken = broken.to_owned();
        let (open, gate) = watch::channel(false);
        let origin = RawOrigin::start(move |n| match n {
            1 => vec![Turn::send(&broken), Turn::Await(gate.clone()), Turn::Close],
            _ => vec![Turn::send(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\n\r\nwhole",
            )],
        })
        .await;
        let edge = Edge::new().start_at(&origin.url()).await;
        // The viewer has what there is before the origin breaks off.
        let mut viewer = TcpStream::connect(edge.address()).await.unwrap();
        viewer
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let mut received = Vec::new();
        while !received.windows(5).any(|w| w == b"01234") {
            assert!(viewer.read_buf(&mut received).await.unwrap() > 0, "{name}");
        }
        open.send(true).unwrap();
        let mut rest = Vec::new();
        let _ = viewer.read_to_end(&mut rest).await;
        assert!(
            !rest.ends_with(b"0\r\n\r\n"),
            "{name}: the answer looks whole"
        );
        let record = &edge.recorded(1).await[0];
        assert_eq!(
            record.to_json()["x-edge-detailed-result-type"],
            "AbortedOrigin",
            "{name}"
        );
        assert_eq!(record.status, 200, "{name}");
        assert_eq!(counted(&edge, "AbortedOrigin"), 1, "{name}");
        let answer = edge.get("/").await;
        assert_eq!(
            (answer.text(), answer.x_cache()),
            ("whole", "Miss"),
            "{name}"
        );
        assert_eq!(edge.get("/").await.x_cache(), "Hit", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_with_its_connection_is_whole() {
    // CF-223, CF-838
    for mode in ["rfc9111", "cloudfront"] {
        let origin = RawOrigin::start(|_| {
            vec![
                Turn::send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nall of it"),
                Turn::Close,
            ]
        })
        .await;
        let edge = Edge::new()
            .distribution(&format!("cache_mode: {mode}"))
            .start_at(&origin.url())
            .await;
        for token in ["Miss", "Hit"] {
            let answer = edge.get("/").await;
            assert_eq!(
                (answer.text(), answer.x_cache()),
                ("all of it", token),
                "{mode}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_are_swallowed() {
    // CF-373, CF-220
    let origin = RawOrigin::start(|_| {
        vec![Turn::send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )]
    })
    .await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.text(), answer.header("link")),
        (200, "ok", None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_stays_silent_is_a_504_after_the_read_timeout() {
    // CF-392, CF-393, CF-774, CF-705, CF-010.14
    let origin = RawOrigin::start(|_| vec![Turn::Hold]).await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .behavior("origin: own")
        .origin(&own_origin(
            origin.port(),
            "connection_attempts: 2,",
            ", origin_read_timeout: 1",
        ))
        .start_at("")
        .await;
    // GET is tried again, as often as connecting would be.
    assert_eq!(outcome(&edge, "/").await, failed(504, "OriginCommError"));
    assert_eq!(origin.count(), 2);
    // POST is not.
    let answer = edge.request("POST", "/").body("a").send().await;
    assert_eq!((answer.status, answer.x_cache()), (504, "Error"));
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_falls_silent_inside_its_body_breaks_the_answer_off() {
    // CF-392, CF-396
    let origin = RawOrigin::start(|_| {
        vec![
            Turn::send(
                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\n\r\n01234",
            ),
            Turn::Hold,
        ]
    })
    .await;
    let edge = Edge::new()
        .behavior("origin: own")
        .origin(&own_origin(origin.port(), "", ", origin_read_timeout: 1"))
        .start_at("")
        .await;
    let answer = edge.request("GET", "/").try_send().await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_completion_timeout_ends_all_tries() {
    // CF-394, CF-774, CF-705
    let origin = RawOrigin::start(|_| vec![Turn::Hold]).await;
    let edge = Edge::new()
        .behavior("origin: own")
        .origin(&own_origin(
            origin.port(),
            "response_completion_timeout: 1, connection_attempts: 3,",
            ", origin_read_timeout: 1",
        ))
        .start_at("")
        .await;
    assert_eq!(outcome(&edge, "/").await, failed(504, "OriginCommError"));
    // Without it a GET would have been tried again.
    assert_eq!(origin.count(), 1);
    let error = edge.records()[0].error.clone().unwrap_or_default();
    assert!(error.contains("did not complete"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_completion_timeout_ends_a_body_that_trickles_on() {
    // CF-394, CF-396
    for cache_control in ["max-age=60", "no-store"] {
        let (pieces, stream) = mpsc::unbounded_channel();
        let stream = Mutex::new(Some(stream));
        let origin = Origin::start(move |_| {
            let stream = stream.lock().unwrap().take();
            stream
                .map_or_else(|| Reply::status(500), Reply::stream)
                .header("Cache-Control", cache_control)
        })
        .await;
        let edge = Edge::new()
            .behavior("origin: own")
            .origin(&own_origin(
                origin.address().port(),
                "response_completion_timeout: 1,",
                ", origin_read_timeout: 1",
            ))
            .start_at("")
            .await;
        let viewer = tokio::spawn(edge.request("GET", "/").try_send());
        // No pause is as long as the read timeout.
        let mut every = tokio::time::interval(Duration::from_millis(100));
        while !viewer.is_finished() {
            every.tick().await;
            let _ = pieces.send(Bytes::from_static(b"more"));
        }
        let answer = viewer.await.unwrap();
        assert!(answer.is_err(), "{cache_control}: {answer:?}");
        let error = edge.recorded(1).await[0].error.clone().unwrap_or_default();
        assert!(
            error.contains("did not complete"),
            "{cache_control}: {error}"
        );
        assert_eq!(counted(&edge, "OriginCommError"), 1, "{cache_control}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_completion_timeout_ends_a_body_that_falls_silent() {
    // CF-394, CF-222: not only once the read timeout has passed, which is as long here
    for framing in [
        "Content-Length: 100",
        "Transfer-Encoding: chunked",
        "X-End: close",
    ] {
        let piece = match framing {
            "Transfer-Encoding: chunked" => "4\r\nmore\r\n",
            _ => "more",
        };
        let (open, gate) = watch::channel(false);
        let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{framing}\r\n\r\n");
        let origin = RawOrigin::start(move |_| {
            vec![
                Turn::send(&head),
                Turn::send(piece),
                Turn::Await(gate.clone()),
                Turn::send(piece),
                Turn::Hold,
            ]
        })
        .await;
        let edge = Edge::new()
            .behavior("origin: own")
            .origin(&own_origin(
                origin.port(),
                "response_completion_timeout: 2,",
                ", origin_read_timeout: 2",
            ))
            .start_at("")
            .await;
        let began = std::time::Instant::now();
        let mut answer = edge.request("GET", "/").open().await.unwrap();
        answer.received(4).await;
        tokio::time::sleep(Duration::from_millis(1_800)).await;
        open.send(true).unwrap();
        let end = loop {
            match answer.piece().await {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        let elapsed = began.elapsed();
        assert!(end.is_err(), "{framing}: {end:?}");
        assert!(
            elapsed < Duration::from_millis(3_500),
            "{framing}: {elapsed:?}"
        );
        let error = edge.recorded(1).await[0].error.clone().unwrap_or_default();
        assert!(error.contains("did not complete"), "{framing}: {error}");
        // Nothing of it answers the next one.
        drop(edge.request("GET", "/").open().await);
        assert_eq!(origin.count(), 2, "{framing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_done_in_time_may_be_used_after_it() {
    // CF-394, CF-395
    let origin = RawOrigin::start(|_| vec![Turn::send(KEPT)]).await;
    let edge = Edge::new()
        .threads(1, 1)
        .behavior("origin: own")
        .origin(&own_origin(
            origin.port(),
            "response_completion_timeout: 1,",
            ", origin_read_timeout: 1",
        ))
        .start_at("")
        .await;
    assert_eq!(edge.get("/a").await.text(), "ok");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(edge.get("/b").await.text(), "ok");
    assert_eq!((origin.count(), origin.connections()), (2, 1));
}

const KEPT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok";

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_connection_that_has_died_costs_a_safe_method_nothing() {
    // CF-397
    let origin = RawOrigin::start(|n| {
        if n == 2 {
            vec![Turn::Close]
        } else {
            vec![Turn::send(KEPT)]
        }
    })
    .await;
    let edge = Edge::new().threads(1, 1).start_at(&origin.url()).await;
    assert_eq!(edge.get("/a").await.text(), "ok");
    let answer = edge.get("/b").await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(origin.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_never_sent_twice() {
    // CF-393, CF-397
    let origin = RawOrigin::start(|n| {
        if n == 2 {
            vec![Turn::Close]
        } else {
            vec![Turn::send(KEPT)]
        }
    })
    .await;
    let edge = Edge::new()
        .behavior(ALL_METHODS)
        .threads(1, 1)
        .start_at(&origin.url())
        .await;
    assert_eq!(edge.get("/a").await.text(), "ok");
    let answer = edge
        .request("POST", "/b")
        .header("Content-Length", "0")
        .send()
        .await;
    assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_leader_whose_origin_fails_get_an_answer_each() {
    // CF-404, AMB-30
    let origin = RawOrigin::start(|_| vec![Turn::Close]).await;
    let edge = std::sync::Arc::new(Edge::new().start_at(&origin.url()).await);
    let viewers: Vec<_> = (0..10)
        .map(|_| {
            let edge = edge.clone();
            tokio::spawn(async move { edge.get("/").await })
        })
        .collect();
    for viewer in viewers {
        let answer = viewer.await.unwrap();
        assert_eq!((answer.status, answer.x_cache()), (502, "Error"));
    }
}
