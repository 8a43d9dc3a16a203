//! Heads of answers as bytes.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use fourfront_cache::Outcome;
use fourfront_model::{CacheMode, HeaderLine};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::flow::{Exchange, Served, reason};

/// Writes a status line.
pub(in crate::pingora) fn put_status(out: &mut Vec<u8>, status: u16, description: Option<&str>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    put_number(out, u64::from(status));
    out.push(b' ');
    // What would end the line is refused where functions and origins say it; this is the last place to be sure.
    let sound = description.filter(|text| !text.bytes().any(|b| b < b' ' && b != b'\t'));
    out.extend_from_slice(sound.unwrap_or_else(|| reason(status)).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes one field line.
pub(in crate::pingora) fn put_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a field whose value is a number.
pub(super) fn put_number_field(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    put_number(out, value);
    out.extend_from_slice(b"\r\n");
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // A digit fits.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Names that [`put_node_fields`] and [`put_end`] write themselves, or that say how a message is framed: they are not
/// taken over from anywhere.
const OWN: [HeaderName; 3] = [header::CONNECTION, header::VIA, header::TRANSFER_ENCODING];
const OWN_BY_NAME: [&str; 3] = ["x-cache", "x-amz-cf-pop", "x-amz-cf-id"];

/// Whether the node writes a field of that name itself.
pub(in crate::pingora) fn is_own(name: &HeaderName) -> bool {
    OWN.contains(name) || OWN_BY_NAME.contains(&name.as_str())
}

/// Writes the fields of an answer but those that the node writes itself.
pub(super) fn put_lines(
    out: &mut Vec<u8>,
    lines: &[HeaderLine],
    skip: impl Fn(&HeaderName) -> bool,
) {
    for line in lines {
        if !is_own(&line.name) && !skip(&line.name) {
            put_field(out, &line.key, line.value.as_bytes());
        }
    }
}

/// Writes the fields that the node adds to every answer (CF-500..505, CF-509, CF-800). `Cache-Status` is written where
/// [`tells_cache_status`] says so; an origin's own of that name is then not taken over.
pub(super) fn put_node_fields(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    status: u16,
    served: Served,
    outcome: Option<&Outcome>,
    has_server: bool,
) {
    use std::io::Write as _;

    let node = exchange.route.fields();
    if !has_server {
        put_field(out, b"Server", node.server.as_bytes());
    }
    put_field(
        out,
        b"X-Cache",
        node.x_cache(served.x_cache(status)).as_bytes(),
    );
    put_field(out, b"Via", node.via.as_bytes());
    put_field(out, b"X-Amz-Cf-Pop", node.pop.as_bytes());
    put_field(out, b"X-Amz-Cf-Id", exchange.request_id.as_str().as_bytes());
    if let Some(cookie) = exchange.staged.as_ref().and_then(|s| s.cookie()) {
        put_field(out, b"Set-Cookie", cookie.as_bytes());
    }
    if tells_cache_status(exchange)
        && let (Some(outcome), Some(name)) = (outcome, &node.cache_name)
    {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "Cache-Status: {}\r\n",
            outcome.cache_status(name, status, None)
        );
    }
}

/// Whether answers carry `Cache-Status` (RFC 9211): in mode `rfc9111`.
pub(super) fn tells_cache_status(exchange: &Exchange) -> bool {
    exchange.route.distribution().cache_mode == CacheMode::Rfc9111
}

/// Writes `Connection`, and `Date` where the answer has none (CF-320, RFC 9110 section 6.6.1), and ends the head.
pub(super) fn put_end(out: &mut Vec<u8>, now: SystemTime, has_date: bool, keep_alive: bool) {
    if !has_date {
        out.extend_from_slice(b"Date: ");
        put_date(out, now);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(if keep_alive {
        b"Connection: keep-alive\r\n\r\n"
    } else {
        b"Connection: close\r\n\r\n"
    });
}

/// The time as a date of HTTP; made once a second by each thread.
fn put_date(out: &mut Vec<u8>, now: SystemTime) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    LAST.with_borrow_mut(|(made, text)| {
        if *made != second {
            *made = second;
            *text = httpdate::fmt_http_date(now);
        }
        out.extend_from_slice(text.as_bytes());
    });
}

/// A field line whose value is a number.
pub(super) fn number_line(name: HeaderName, key: &'static str, value: u64) -> HeaderLine {
    HeaderLine {
        name,
        key: Bytes::from_static(key.as_bytes()),
        value: HeaderValue::from(value),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn heads_are_written_as_rfc_9112_has_them() {
        // RFC 9112 sections 4 and 5
        let mut out = Vec::new();
        put_status(&mut out, 404, None);
        put_number_field(&mut out, b"Content-Length", 0);
        put_number_field(&mut out, b"Age", 12_345_678_901);
        put_end(
            &mut out,
            UNIX_EPOCH + Duration::from_secs(784_111_777),
            false,
            false,
        );
        let expected = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nAge: 12345678901\r\n\
                        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);

        let mut out = Vec::new();
        put_status(&mut out, 200, Some("Fine"));
        assert_eq!(out, b"HTTP/1.1 200 Fine\r\n");

        let mut out = Vec::new();
        put_status(&mut out, 200, Some("Fine\r\nX-Mine: 1"));
        assert_eq!(out, b"HTTP/1.1 200 OK\r\n");
    }

    #[test]
    fn fields_of_the_node_are_not_taken_over() {
        // CF-500..504, CF-507
        let line = |key: &'static str| HeaderLine {
            name: HeaderName::from_bytes(key.as_bytes()).unwrap(),
            key: Bytes::from_static(key.as_bytes()),
            value: HeaderValue::from_static("v"),
        };
        let lines = [
            "X-Cache",
            "VIA",
            "x-amz-cf-pop",
            "X-Amz-Cf-Id",
            "Connection",
            "Transfer-Encoding",
            "X-Mine",
            "Left-Out",
        ]
        .map(line);
        let mut out = Vec::new();
        put_lines(&mut out, &lines, |name| name.as_str() == "left-out");
        assert_eq!(out, b"X-Mine: v\r\n");
    }

    #[test]
    fn a_date_changes_with_the_second() {
        // RFC 9110 section 6.6.1
        let at = |seconds| {
            let mut out = Vec::new();
            put_date(&mut out, UNIX_EPOCH + Duration::from_secs(seconds));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(1), "Thu, 01 Jan 1970 00:00:01 GMT");
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
