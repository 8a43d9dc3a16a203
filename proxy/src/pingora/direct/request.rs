//! Heads of requests as viewers send them on HTTP/1.1.

use std::{mem::MaybeUninit, ops::Range};

use bytes::{Bytes, BytesMut};
use fourfront_model::{HeaderLine, HeaderLines};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::{flow::is_reserved, pingora::headers::map_lines};

/// Most fields that are looked at here. Whoever sends more is answered, or refused, by Pingora's way.
const MAX_FIELDS: usize = 96;

/// What the bytes at the start of a connection's buffer are.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once a request, and taken apart at once"
)]
pub(super) enum Parsed {
    /// A request that may be answered here.
    Head(ViewerHead),
    /// The head of a request that may not; nothing was taken from the buffer.
    Other,
    /// Not all of a head yet.
    Partial,
}

/// The head of a GET or HEAD request without a body, a range, a condition or an upgrade.
#[derive(Debug)]
pub(super) struct ViewerHead {
    /// What the viewer speaks.
    pub(super) version: Version,
    /// GET or HEAD.
    pub(super) method: Method,
    /// Path and query in origin form, as sent.
    pub(super) target: Bytes,
    /// The fields.
    pub(super) headers: HeaderMap,
    /// The only `Host` field.
    pub(super) host: HeaderValue,
    /// All of the head, as sent; empty on HTTP/2.
    pub(super) raw: Bytes,
    /// Bytes of the head (CF-360).
    pub(super) bytes: u64,
    /// Whether the viewer wants the connection to go on (RFC 9112 section 9.3).
    pub(super) keep_alive: bool,
    /// Where in `raw` each name and value is. None on HTTP/2.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

/// What is used again from one request of a connection to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    headers: HeaderMap,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Scratch {
    /// Takes back what a head was made of.
    pub(super) fn recycle(&mut self, head: ViewerHead) {
        self.headers = head.headers;
        self.headers.clear();
        self.fields = head.fields;
        self.fields.clear();
    }
}

/// Parses the head at the start of `buffer`, and takes it out if it may be answered here.
///
/// What is doubtful in any way is [`Parsed::Other`]: there is one place that refuses requests, and it is not here.
pub(super) fn parse(buffer: &mut BytesMut, scratch: &mut Scratch) -> Parsed {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(buffer, &mut slots) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Other,
    };
    let method = match request.method {
        Some("GET") => Method::GET,
        Some("HEAD") => Method::HEAD,
        _ => return Parsed::Other,
    };
    let target = match request.path {
        Some(path) if path.starts_with('/') => path,
        _ => return Parsed::Other,
    };
    if request.version != Some(1) {
        return Parsed::Other;
    }
    let range = |part: &[u8]| {
        // INVARIANT: the parser's results are slices of the buffer it was given.
        let start = part.as_ptr() as usize - buffer.as_ptr() as usize;
        start..start + part.len()
    };
    let target = range(target.as_bytes());
    scratch.fields.clear();
    for field in request.headers.iter() {
        let name = range(field.name.as_bytes());
        scratch.fields.push((name, range(field.value)));
    }
    read(buffer, length, method, target, scratch).map_or(Parsed::Other, Parsed::Head)
}

/// How many bytes the head of a request has that asks for another protocol; `None` of any other, of one with a body, and of what
/// is no whole head. What stands behind a body is not to be told from it here.
pub(super) fn asks_for_upgrade(buffer: &[u8]) -> Option<usize> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(buffer, &mut slots);
    let Ok(httparse::Status::Complete(length)) = parsed else {
        return None;
    };
    let has = |name| {
        let mut names = request.headers.iter().map(|field| field.name);
        names.any(|other| other.eq_ignore_ascii_case(name))
    };
    let has_body = has("content-length") || has("transfer-encoding");
    (has("upgrade") && !has_body && request.method == Some("GET")).then_some(length)
}

/// Makes the head out of its parts; `None` when a field says that it is not for here.
fn read(
    buffer: &mut BytesMut,
    length: usize,
    method: Method,
    target: Range<usize>,
    scratch: &mut Scratch,
) -> Option<ViewerHead> {
    let mut keep_alive = true;
    for (name, value) in &scratch.fields {
        let value = &buffer[value.clone()];
        match Kind::of(&buffer[name.clone()]) {
            Kind::Ordinary => {}
            Kind::Connection => keep_alive &= !says_close(value)?,
            Kind::NotHere => return None,
        }
    }
    let raw = buffer.split_to(length).freeze();
    let mut headers = std::mem::take(&mut scratch.headers);
    let fields = std::mem::take(&mut scratch.fields);
    let usable =
        fill(&mut headers, &fields, &raw) && !headers.keys().any(|name| is_reserved(name.as_str()));
    let host = match usable.then(|| only(&headers, &header::HOST)).flatten() {
        Some(host) => host.clone(),
        None => {
            // Back to where it was: somebody else refuses it.
            let mut whole = BytesMut::with_capacity(raw.len() + buffer.len());
            whole.extend_from_slice(&raw);
            whole.extend_from_slice(buffer);
            *buffer = whole;
            return None;
        }
    };
    Some(ViewerHead {
        version: Version::HTTP_11,
        bytes: raw.len() as u64,
        method,
        target: raw.slice(target),
        headers,
        host,
        raw,
        keep_alive,
        fields,
    })
}

fn fill(headers: &mut HeaderMap, fields: &[(Range<usize>, Range<usize>)], raw: &Bytes) -> bool {
    headers.clear();
    fields.iter().all(|(name, value)| {
        let name = HeaderName::from_bytes(&raw[name.clone()]);
        let value = HeaderValue::from_maybe_shared(raw.slice(value.clone()));
        let (Ok(name), Ok(value)) = (name, value) else {
            return false;
        };
        headers.try_append(name, value).is_ok()
    })
}

/// The value of a field that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// What the presence of a field means for the way a request is answered.
enum Kind {
    Ordinary,
    Connection,
    NotHere,
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        // A body, leave to send it, another protocol, a part of the object, a condition: all that Pingora's way knows
        // and this one does not.
        const NOT_HERE: [&[u8]; 11] = [
            b"content-length",
            b"transfer-encoding",
            b"trailer",
            b"expect",
            b"upgrade",
            b"range",
            b"if-range",
            b"if-match",
            b"if-none-match",
            b"if-modified-since",
            b"if-unmodified-since",
        ];
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        match first {
            b'c' if name.eq_ignore_ascii_case(b"connection") => Self::Connection,
            b'c' | b't' | b'e' | b'u' | b'r' | b'i'
                if NOT_HERE
                    .iter()
                    .any(|other| name.eq_ignore_ascii_case(other)) =>
            {
                Self::NotHere
            }
            _ => Self::Ordinary,
        }
    }
}

/// Whether `Connection` says close; `None` when it says something that is not understood here.
fn says_close(value: &[u8]) -> Option<bool> {
    let mut close = false;
    for option in value.split(|b| *b == b',') {
        let option = option.trim_ascii();
        if option.eq_ignore_ascii_case(b"close") {
            close = true;
        } else if !option.is_empty() && !option.eq_ignore_ascii_case(b"keep-alive") {
            return None;
        }
    }
    Some(close)
}

/// Whether a field of that name, in any case, leaves a request to Pingora's way.
pub(super) fn is_not_here(name: &[u8]) -> bool {
    matches!(Kind::of(name), Kind::NotHere)
}

impl ViewerHead {
    /// A head that came on HTTP/2, with `host` among its fields, and nothing in it that is not for here.
    pub(super) const fn of_h2(
        method: Method,
        target: Bytes,
        headers: HeaderMap,
        host: HeaderValue,
        bytes: u64,
    ) -> Self {
        Self {
            version: Version::HTTP_2,
            method,
            target,
            headers,
            host,
            raw: Bytes::new(),
            bytes,
            keep_alive: true,
            fields: Vec::new(),
        }
    }

    /// The fields as functions see them: in order, and in the casing received (LE-097, LE-197).
    pub(super) fn lines(&self) -> HeaderLines {
        let line = |(name, value): &(Range<usize>, Range<usize>)| {
            let key = self.raw.slice(name.clone());
            Some(HeaderLine {
                name: HeaderName::from_bytes(&key).ok()?,
                key,
                value: HeaderValue::from_maybe_shared(self.raw.slice(value.clone())).ok()?,
            })
        };
        if self.fields.is_empty() {
            return map_lines(&self.headers);
        }
        // Every one of them was made before, for the map.
        self.fields.iter().filter_map(line).collect()
    }

    /// The `Host` field as text; `None` when it is no name, as for any request (CF-035).
    pub(super) fn host(&self) -> Option<&str> {
        crate::pingora::viewer_side::usable_host(self.host.to_str().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(text: &str) -> (Parsed, BytesMut) {
        let mut buffer = BytesMut::from(text);
        let parsed = parse(&mut buffer, &mut Scratch::default());
        (parsed, buffer)
    }

    fn head(text: &str) -> ViewerHead {
        match parse_all(text).0 {
            Parsed::Head(head) => head,
            other => panic!("{text:?} is {other:?}"),
        }
    }

    #[test]
    fn a_head_is_taken_out_and_what_follows_stays() {
        // RFC 9112 section 9.3.2
        let text = "GET /a?b HTTP/1.1\r\nhOST: a.test\r\nX-One: 1\r\nx-one: 2\r\n\r\nGET /next";
        let (parsed, rest) = parse_all(text);
        let Parsed::Head(head) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(&rest[..], b"GET /next");
        assert_eq!(
            (&head.target[..], head.host()),
            (&b"/a?b"[..], Some("a.test"))
        );
        assert!(head.keep_alive);
        assert_eq!(&head.raw[..], &text.as_bytes()[..text.len() - 9]);
        // LE-097, LE-197
        let lines: Vec<_> = head
            .lines()
            .iter()
            .map(|l| (l.key.clone(), l.value.clone()))
            .collect();
        let line = |k: &'static str, v| (Bytes::from(k), HeaderValue::from_static(v));
        assert_eq!(
            lines,
            [
                line("hOST", "a.test"),
                line("X-One", "1"),
                line("x-one", "2")
            ]
        );
    }

    #[test]
    fn what_is_doubtful_is_left_as_it_came() {
        // CF-284, CF-358, CF-368, CF-372, CF-374, CF-399, CF-532: somebody else answers or refuses these
        let host = "Host: a.test\r\n";
        let rows = [
            format!("POST / HTTP/1.1\r\n{host}\r\n"),
            format!("GET / HTTP/1.0\r\n{host}\r\n"),
            format!("GET http://a.test/ HTTP/1.1\r\n{host}\r\n"),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
            format!("GET / HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}TRANSFER-ENCODING: chunked\r\n\r\n0\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}Expect: 100-continue\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}Connection: te\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}Range: bytes=0-1\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}If-None-Match: \"a\"\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}bad name: 1\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{host}X-Amz-Cf-Id: mine\r\n\r\n"),
            format!(
                "GET / HTTP/1.1\r\n{host}{}\r\n",
                "a: b\r\n".repeat(MAX_FIELDS)
            ),
            "\u{16}\u{3}\u{1}".to_owned(),
        ];
        for text in &rows {
            let (parsed, rest) = parse_all(text);
            assert!(matches!(parsed, Parsed::Other), "{text:?} is {parsed:?}");
            assert_eq!(&rest[..], text.as_bytes());
        }
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for() {
        let whole = "HEAD / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        for end in 0..whole.len() {
            let (parsed, rest) = parse_all(&whole[..end]);
            assert!(matches!(parsed, Parsed::Partial), "{end}: {parsed:?}");
            assert_eq!(rest.len(), end);
        }
        let head = head(whole);
        assert_eq!((head.method, head.keep_alive), (Method::HEAD, false));
    }

    #[test]
    fn what_follows_a_wish_for_another_protocol_is_told_apart() {
        // CF-408
        let head = "GET / HTTP/1.1\r\nHost: a.test\r\nuPGRADE: websocket\r\n\r\n";
        let with_more = format!("{head}more");
        assert_eq!(asks_for_upgrade(head.as_bytes()), Some(head.len()));
        assert_eq!(asks_for_upgrade(with_more.as_bytes()), Some(head.len()));
        for other in [
            &head[..head.len() - 1],
            &head.replace("GET", "POST"),
            &head.replace("uPGRADE", "X-Upgrade"),
            "\u{16}\u{3}\u{1}",
        ] {
            assert_eq!(asks_for_upgrade(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_recycled_leaves_nothing_behind() {
        let mut scratch = Scratch::default();
        let mut buffer =
            BytesMut::from("GET /1 HTTP/1.1\r\nHost: a.test\r\nCookie: secret\r\n\r\n");
        let Parsed::Head(first) = parse(&mut buffer, &mut scratch) else {
            panic!("no head")
        };
        scratch.recycle(first);
        buffer.extend_from_slice(b"GET /2 HTTP/1.1\r\nHost: b.test\r\n\r\n");
        let Parsed::Head(second) = parse(&mut buffer, &mut scratch) else {
            panic!("no head")
        };
        assert_eq!((second.headers.len(), second.lines().len()), (1, 1));
        assert_eq!(second.host(), Some("b.test"));
    }
}
