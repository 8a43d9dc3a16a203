//! Requests as they come on HTTP/2, made into what they are on HTTP/1.1.
//!
//! The frames' library refuses what RFC 9113 calls malformed: pseudo fields that are missing, twice or out of place, upper
//! case in names, fields that belong to a connection, and lengths that are not the body's.

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts, uri};
use pingora::{Result, http::RequestHeader};
use tokio::time::timeout;

use crate::{
    flow::is_reserved,
    pingora::direct::{
        connection::HEAD_TIMEOUT,
        request::{ViewerHead, is_not_here},
    },
};

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    method: Method,
    /// Path and query; empty with CONNECT.
    pub(super) target: Bytes,
    /// With `Host`, unless there is none that may be.
    pub(super) headers: HeaderMap,
    /// What the fields and pseudo fields come to (CF-360).
    bytes: u64,
    /// Whether bytes of a body have come with a GET or HEAD (CF-368).
    pub(super) has_body: bool,
    /// Whether nothing follows the head.
    pub(super) is_whole: bool,
}

/// What a request is.
pub(super) enum Read {
    /// A head that may be judged.
    Head(Head),
    /// Nothing that may be.
    Malformed,
    /// Given up by its viewer, or too slow.
    Gone,
}

/// Reads a head, and as much of the body as it takes to know whether a GET or HEAD has one.
pub(super) async fn read(parts: Parts, body: &mut RecvStream) -> Read {
    let Some(mut head) = Head::of(parts) else {
        return Read::Malformed;
    };
    head.is_whole = body.is_end_stream();
    if !matches!(head.method, Method::GET | Method::HEAD) || head.is_whole {
        return Read::Head(head);
    }
    // Its end may come in a frame of its own.
    match timeout(HEAD_TIMEOUT, first_bytes(body)).await {
        Ok(Some(has_body)) => {
            head.has_body = has_body;
            head.is_whole = !has_body;
            Read::Head(head)
        }
        Ok(None) | Err(_) => Read::Gone,
    }
}

/// Whether a body has bytes; `None` when it breaks off.
async fn first_bytes(body: &mut RecvStream) -> Option<bool> {
    loop {
        match body.data().await {
            None => return Some(false),
            Some(Ok(data)) if data.is_empty() => {}
            Some(Ok(_)) => return Some(true),
            Some(Err(_)) => return None,
        }
    }
}

impl Head {
    fn of(parts: Parts) -> Option<Self> {
        let Parts {
            method,
            uri,
            mut headers,
            ..
        } = parts;
        let target = uri.path_and_query();
        let target = target.map_or_else(Bytes::new, |t| {
            Bytes::copy_from_slice(t.as_str().as_bytes())
        });
        let fields = headers.iter();
        let fields: usize = fields.map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
        let authority = uri.authority().map_or("", uri::Authority::as_str);
        let bytes = (fields + target.len() + authority.len() + method.as_str().len()) as u64;
        set_host(&mut headers, authority);
        join_cookies(&mut headers);
        one_length(&mut headers)?;
        Some(Self {
            method,
            target,
            headers,
            bytes,
            has_body: false,
            is_whole: false,
        })
    }

    /// The `Host` of a request that may be answered from memory; `None` when it is not for that.
    pub(super) fn host_here(&self) -> Option<HeaderValue> {
        let is_elsewhere = |name: &HeaderName| {
            is_reserved(name.as_str())
                || is_not_here(name.as_str().as_bytes())
                || *name == header::CONNECTION
        };
        let is_here = self.is_whole
            && matches!(self.method, Method::GET | Method::HEAD)
            && self.target.first() == Some(&b'/')
            && !self.headers.keys().any(is_elsewhere);
        let host = self.headers.get(header::HOST);
        host.filter(|_| is_here).cloned()
    }

    /// As the way takes it that answers from memory, given what [`Self::host_here`] gives.
    pub(super) fn into_viewer_head(self, host: HeaderValue) -> ViewerHead {
        ViewerHead::of_h2(self.method, self.target, self.headers, host, self.bytes)
    }

    /// Whether it tells the length of its body.
    pub(super) fn tells_length(&self) -> bool {
        self.headers.contains_key(header::CONTENT_LENGTH)
    }

    /// What it comes to, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As Pingora takes it.
    ///
    /// # Errors
    /// When it cannot be: nothing that the frames' library lets through is known for that.
    pub(super) fn into_pingora(self) -> Result<RequestHeader> {
        let fields = self.headers.len();
        let mut request = RequestHeader::build(self.method, &self.target, Some(fields))?;
        request.set_version(Version::HTTP_2);
        // One by one, so that functions and origins see the names as they came (LE-097).
        for (name, value) in &self.headers {
            request.append_header(name.as_str().to_owned(), value)?;
        }
        Ok(request)
    }
}

impl From<ViewerHead> for Head {
    fn from(head: ViewerHead) -> Self {
        Self {
            method: head.method,
            target: head.target,
            headers: head.headers,
            bytes: head.bytes,
            has_body: false,
            is_whole: true,
        }
    }
}

/// `:authority` is what `Host` is on HTTP/1.1 (RFC 9113 section 8.3.1). Where both are there, they have to agree; where they
/// do not, or one names a user, there is none.
fn set_host(headers: &mut HeaderMap, authority: &str) {
    let lines = headers.get_all(header::HOST).iter();
    let agrees = lines
        .map(HeaderValue::as_bytes)
        .all(|host| authority.is_empty() || host.eq_ignore_ascii_case(authority.as_bytes()));
    if authority.is_empty() {
        return;
    }
    headers.remove(header::HOST);
    if agrees
        && !authority.contains('@')
        && let Ok(host) = HeaderValue::from_str(authority)
    {
        headers.insert(header::HOST, host);
    }
}

/// Cookies may come in fields of their own each, for the sake of compression (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for line in [second].into_iter().chain(lines) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(line.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        headers.insert(header::COOKIE, joined);
    }
}

/// A length that is told more than once has to be the same (RFC 9110 section 8.6).
fn one_length(headers: &mut HeaderMap) -> Option<()> {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return Some(());
    };
    if first != second || !lines.all(|line| line == first) {
        return None;
    }
    let first = first.clone();
    headers.insert(header::CONTENT_LENGTH, first);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, fields: &[(&str, &str)]) -> Option<Head> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Head::of(request.body(()).unwrap().into_parts().0)
    }

    fn host(uri: &str, fields: &[(&str, &str)]) -> Option<String> {
        let head = head(uri, fields).unwrap();
        let mut lines = head.headers.get_all(header::HOST).iter();
        let host = lines.next()?.to_str().unwrap().to_owned();
        assert_eq!(lines.next(), None);
        Some(host)
    }

    #[test]
    fn the_authority_is_the_host() {
        // RFC 9113 section 8.3.1, CF-035
        let rows = [
            ("https://a.test:8443/x", &[][..], Some("a.test:8443")),
            ("https://a.test/", &[("host", "A.test")], Some("a.test")),
            ("https://a.test/", &[("host", "b.test")], None),
            (
                "https://a.test/",
                &[("host", "a.test"), ("host", "b.test")],
                None,
            ),
            ("https://user@a.test/", &[], None),
            ("/x", &[("host", "a.test")], Some("a.test")),
            ("/x", &[], None),
        ];
        for (uri, fields, expected) in rows {
            assert_eq!(host(uri, fields).as_deref(), expected, "{uri} {fields:?}");
        }
    }

    #[test]
    fn cookies_are_one_field_again() {
        // RFC 9113 section 8.2.3
        let head = head(
            "https://a.test/x?y",
            &[
                ("cookie", "a=1"),
                ("x", "1"),
                ("cookie", "b=2"),
                ("cookie", "c=3; d=4"),
            ],
        )
        .unwrap();
        let cookies: Vec<_> = head.headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
        assert_eq!(&head.target[..], b"/x?y");
        let request = head.into_pingora().unwrap();
        assert_eq!(
            (request.raw_path(), request.version),
            (&b"/x?y"[..], Version::HTTP_2)
        );
    }

    #[test]
    fn lengths_agree_or_the_request_is_malformed() {
        // CF-374, RFC 9110 section 8.6
        let with = |lengths: &[&str]| {
            let fields: Vec<_> = lengths.iter().map(|l| ("content-length", *l)).collect();
            let head = head("https://a.test/", &fields)?;
            Some(head.headers.get_all(header::CONTENT_LENGTH).iter().count())
        };
        assert_eq!(with(&["5"]), Some(1));
        assert_eq!(with(&["5", "5", "5"]), Some(1));
        assert_eq!(with(&["5", "6"]), None);
        assert_eq!(with(&["5", "5", "6"]), None);
    }
}
