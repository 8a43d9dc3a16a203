//! Interim answers of an origin on their way to the viewer (RFC 9110 section 15.2, RFC 8297).

use fourfront_conformance::{Edge, RawOrigin, Turn, raw_exchange};

const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Early: 1\r\n\r\n";
const FINAL: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\npage";

/// Both in one piece: then they arrive together.
async fn origin() -> RawOrigin {
    RawOrigin::start(|_| vec![Turn::send(&format!("{EARLY}{FINAL}")), Turn::Hold]).await
}

async fn ask(edge: &fourfront_conformance::Running, version: &str) -> String {
    let request = format!("GET / HTTP/{version}\r\nHost: site.test\r\nConnection: close\r\n\r\n");
    let received = raw_exchange(edge.address(), request.as_bytes(), b"").await;
    String::from_utf8(received).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interim_answer_reaches_the_first_viewer_and_is_not_stored() {
    // CF-220, RFC 9110 section 15.2
    let origin = origin().await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let first = ask(&edge, "1.1").await;
    let (early, rest) = first.split_once("\r\n\r\n").expect("two heads");
    assert!(early.starts_with("HTTP/1.1 103 "), "{first}");
    assert!(
        early.to_ascii_lowercase().contains("\r\nx-early: 1"),
        "{first}"
    );
    assert!(
        rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("page"),
        "{first}"
    );
    assert!(!rest.to_ascii_lowercase().contains("x-early"), "{first}");
    assert_eq!(first.matches(" 103 ").count(), 1, "{first}");
    let second = ask(&edge, "1.1").await;
    assert!(second.starts_with("HTTP/1.1 200 "), "{second}");
    assert!(!second.to_ascii_lowercase().contains("x-early"), "{second}");
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_http_1_0_gets_no_interim_answer() {
    // RFC 9110 section 15.2
    let origin = origin().await;
    let edge = Edge::new().start_at(&origin.url()).await;
    let answer = ask(&edge, "1.0").await;
    assert!(
        answer.contains(" 200 ") && !answer.contains(" 103 "),
        "{answer}"
    );
}
