//! The one walk over a request that decides what is in the key and in which order (CF-160..175).

use fourfront_model::{CachePolicy, HeaderLine, is_cloudfront};
use http::{HeaderMap, Method, header};

use super::{KeyRequest, accept_encoding::Codings, cookies, query};

/// Takes the parts of a key: any number of [`Sink::bytes`], then [`Sink::end`] with what they were.
pub(super) trait Sink {
    fn bytes(&mut self, bytes: &[u8]);
    fn end(&mut self, part: Part);
}

/// Kinds of parts. The numbers are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Part {
    Distribution = 1,
    Method = 2,
    Path = 3,
    Query = 4,
    HeaderName = 5,
    HeaderValue = 6,
    Cookies = 7,
    AcceptEncoding = 8,
    Variant = 9,
    Segment = 10,
}

/// Feeds the parts of a key. What is absent feeds nothing, so a policy that lists one more name leaves
/// the keys of requests without it as they were (CF-165), and absent differs from empty (CF-168).
pub(super) fn walk<S: Sink>(
    policy: &CachePolicy,
    request: &KeyRequest<'_>,
    codings: Codings,
    sink: &mut S,
) -> Option<()> {
    part(sink, Part::Distribution, request.distribution.as_bytes());
    part(sink, Part::Method, method_class(request.method)?.as_bytes());
    part(sink, Part::Path, request.path);
    // CF-166.
    query::feed(policy, request.signatures, request.query, sink);
    // CF-167: the policy's names are lower case and sorted, so the order of fields is irrelevant.
    for name in &policy.headers {
        // CF-206: normalised below instead of taken raw.
        if policy.normalizes_accept_encoding() && name == header::ACCEPT_ENCODING.as_str() {
            continue;
        }
        if is_cloudfront(name) {
            generated(request.generated, name, sink);
        } else {
            field(request.headers, name, sink);
        }
    }
    // CF-170.
    cookies::feed(policy, request.headers, sink);
    // CF-171.
    if let Some(value) = codings.as_key() {
        part(sink, Part::AcceptEncoding, value.as_bytes());
    }
    Some(())
}

fn part<S: Sink>(sink: &mut S, kind: Part, bytes: &[u8]) {
    sink.bytes(bytes);
    sink.end(kind);
}

/// GET and HEAD share a key, OPTIONS has its own, other methods have none (CF-161).
fn method_class(method: &Method) -> Option<&'static str> {
    match *method {
        Method::GET | Method::HEAD => Some("GET"),
        Method::OPTIONS => Some("OPTIONS"),
        _ => None,
    }
}

/// A field that the edge generates, by the value it has made of it (CF-174); nothing where the fact is unknown.
fn generated<S: Sink>(lines: &[HeaderLine], name: &str, sink: &mut S) {
    if let Some(line) = lines.iter().find(|line| line.name == name) {
        part(sink, Part::HeaderName, name.as_bytes());
        part(sink, Part::HeaderValue, line.value.as_bytes());
    }
}

/// One field, its lines joined in arrival order (CF-169); nothing when it is absent.
pub(super) fn field<S: Sink>(headers: &HeaderMap, name: &str, sink: &mut S) {
    let mut lines = headers.get_all(name).iter();
    let Some(first) = lines.next() else {
        return;
    };
    part(sink, Part::HeaderName, name.as_bytes());
    sink.bytes(first.as_bytes());
    for line in lines {
        sink.bytes(b", ");
        sink.bytes(line.as_bytes());
    }
    sink.end(Part::HeaderValue);
}
