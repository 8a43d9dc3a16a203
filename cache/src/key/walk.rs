//! The one walk over a request that decides what is in the key and in which order (CF-160..175).

use fourfront_model::CachePolicy;
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
    query::feed(policy, request.query, sink);
    // CF-167: the policy's names are lower case and sorted, so the order of fields is irrelevant.
    for name in &policy.headers {
        // CF-206: normalised below instead of taken raw.
        if policy.normalizes_accept_encoding() && name == header::ACCEPT_ENCODING.as_str() {
            continue;
        }
        field(request.headers, name, sink);
    }
    cookies::feed(policy, request.headers, sink);
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

/// One part of a key in words, for `explain` (CP-606).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// What it is.
    pub component: KeyComponent,
    /// Its value; bytes that are not UTF-8 are shown as U+FFFD.
    pub value: String,
}

/// What a part of a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyComponent {
    /// The distribution's id (CF-160).
    Distribution,
    /// `GET` for GET and HEAD, or `OPTIONS` (CF-161).
    Method,
    /// The raw path (CF-162).
    Path,
    /// The selected query parameters (CF-166).
    Query,
    /// A selected field, by name (CF-167).
    Header(String),
    /// The selected cookies, sorted (CF-170).
    Cookies,
    /// The normalised codings (CF-171).
    AcceptEncoding,
}

/// Collects the parts in words.
#[derive(Default)]
pub(super) struct Parts {
    pending: Vec<u8>,
    header: String,
    parts: Vec<KeyPart>,
}

impl Parts {
    pub(super) fn into_parts(self) -> Vec<KeyPart> {
        self.parts
    }
}

impl Sink for Parts {
    fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn end(&mut self, part: Part) {
        let value = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        let component = match part {
            Part::HeaderName => {
                self.header = value;
                return;
            }
            Part::HeaderValue => KeyComponent::Header(std::mem::take(&mut self.header)),
            Part::Distribution => KeyComponent::Distribution,
            Part::Method => KeyComponent::Method,
            Part::Path => KeyComponent::Path,
            Part::Query => KeyComponent::Query,
            Part::Cookies => KeyComponent::Cookies,
            Part::AcceptEncoding => KeyComponent::AcceptEncoding,
            // Not part of a primary key.
            Part::Variant => return,
        };
        self.parts.push(KeyPart { component, value });
    }
}
