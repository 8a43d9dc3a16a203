//! The request that goes to the origin, in two pure steps with the origin-request function between them.
//!
//! [`origin_request`] builds the headers that are "about to be sent to the origin after cache and
//! origin-request policies" (LE-091): this is what the function sees and may change. [`finish`] then adds what
//! a function never sees: the origin's custom headers (LE-014, CF-412), its path prefix (LE-238, CF-414), the
//! request id (CF-355) and connection handling (CF-335).

mod finish;
mod table;
#[cfg(test)]
mod tests;

pub use finish::{FinishError, WireRequest, finish};

use std::net::IpAddr;

use bytes::Bytes;
use fourfront_model::{
    CacheBehavior, HeaderLine, HeaderLines, Identity, Origin, OriginHeaders, OriginKind,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::names;
use table::{Fate, fate};

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The viewer's request as the viewer-request function left it.
#[derive(Clone, Copy, Debug)]
pub struct ViewerParts<'a> {
    /// The method, forwarded as received (CF-328).
    pub method: &'a Method,
    /// The raw path, without query and without the origin's path prefix (CF-325).
    pub path: &'a [u8],
    /// The header lines in arrival order. An HTTP/2 `:authority` is a `Host` line here.
    pub headers: &'a [HeaderLine],
    /// Whether a body comes with it, be it empty: a `Content-Length`, a `Transfer-Encoding`, or an HTTP/2
    /// stream that did not end with its headers.
    pub has_body: bool,
}

/// How the request reached this node.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// This node's name in `Via` (CF-352).
    pub node_id: &'a str,
    /// The protocol the viewer spoke.
    pub version: Version,
    /// The address that has connected, the viewer's or that of a proxy before it (CF-353).
    pub peer: IpAddr,
    /// Whether another node of this network got it from there and sent it on to this one, which shields the origin (CF-415): then
    /// that one has said so already.
    pub relayed: bool,
}

/// What the policies select from the viewer's request. The cache key is made of the same parts, so the caller
/// has them.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// The query string without `?`, empty for none: parameters of the cache policy and the origin request
    /// policy together, in request order (CF-182).
    pub query: Bytes,
    /// The selected cookies, sorted (CF-191); `None` when none is left.
    pub cookies: Option<HeaderValue>,
    /// The normalised `Accept-Encoding` (CF-200..205). Not looked at when the cache policy does not normalise
    /// (CF-206).
    pub accept_encoding: Option<HeaderValue>,
    /// What becomes of `If-*`.
    pub preconditions: Preconditions,
    /// What becomes of `Range` and `If-Range`.
    pub range: RangeSent,
    /// The generated `CloudFront-*` lines that the policies name (CF-125, CF section 4.5). What the viewer sent under such names
    /// is not sent on (CF-358).
    pub generated: HeaderLines,
}

/// What becomes of the viewer's `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Preconditions {
    /// Sent as they are (CF-286, CF-341).
    #[default]
    Forward,
    /// Left out: the whole object is wanted, and the node answers them itself (CF-839).
    Strip,
    /// Left out, and the stored entry's validators sent in their place (CF-280).
    Validate {
        /// Becomes `If-None-Match`.
        etag: Option<HeaderValue>,
        /// Becomes `If-Modified-Since`.
        last_modified: Option<HeaderValue>,
    },
}

/// What becomes of the viewer's `Range` and `If-Range` (CF-344).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RangeSent {
    /// Sent as they are.
    #[default]
    Forward,
    /// Left out: the whole object is wanted.
    Strip,
    /// This range is asked for instead (CF-533).
    Replace(HeaderValue),
}

/// A request to an origin before the node's last additions: output of [`origin_request`], changed by a
/// function perhaps, input of [`finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRequest {
    /// Raw path without the origin's prefix: `uri` in the event (LE-078, LE-238).
    pub path: Bytes,
    /// Query string without `?`; empty for none (LE-077).
    pub query: Bytes,
    /// Header lines, `Host` first.
    pub headers: HeaderLines,
}

impl OriginRequest {
    /// Path and query as one text, still without the origin's prefix.
    pub fn path_and_query(&self) -> Bytes {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut target = Vec::with_capacity(self.path.len() + 1 + self.query.len());
        target.extend_from_slice(&self.path);
        target.push(b'?');
        target.extend_from_slice(&self.query);
        target.into()
    }
}

/// The fields, in lower case, that a viewer's `Connection` takes out of its request, beside those that belong to a connection
/// anyway (RFC 9110 section 7.6.1): they are nobody's then, neither a function's nor the key's nor the origin's.
pub fn nominated(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter();
    names::nominated_by(values)
        .filter(|name| name != "close" && !names::is_hop_by_hop(name))
        .collect()
}

/// Whether the behaviour's policies name a request header (lower case): everything in the key is sent (CF-120),
/// and so is what the origin request policy selects (CF-125, CF-127).
pub fn is_named(behavior: &CacheBehavior, name: &str) -> bool {
    let lists = |names: &[String]| names.iter().any(|n| n == name);
    lists(&behavior.cache_policy.headers)
        || behavior
            .origin_request_policy
            .as_ref()
            .is_some_and(|policy| match &policy.headers {
                OriginHeaders::None => false,
                OriginHeaders::Legacy => table::passes_in_legacy_mode(name),
                OriginHeaders::Whitelist(names) => lists(names),
                OriginHeaders::AllViewer => true,
                OriginHeaders::AllExcept(names) => !lists(names),
            })
}

/// Whether the viewer's `Host` goes to this origin. Custom origins only: a bucket answers to its own name
/// alone (CF-128, CF-340, CF-430).
pub fn forwards_host(behavior: &CacheBehavior, origin: &Origin) -> bool {
    matches!(origin.kind, OriginKind::Custom(_)) && is_named(behavior, "host")
}

/// The request an origin-request function sees: table CF-330..351 applied row by row, `Via`,
/// `X-Forwarded-For` and `CDN-Loop` continued (CF-352, CF-353, CF-356), names in canonical case with `Host`
/// first (CF-359).
///
/// `Upgrade` is not among them: what makes the request a WebSocket handshake is written by whoever sends it, where the rest
/// of the handshake is (CF-347, CF-408).
pub fn origin_request(
    viewer: &ViewerParts<'_>,
    behavior: &CacheBehavior,
    origin: &Origin,
    identity: &Identity,
    hop: &Hop<'_>,
    selected: &Selected,
) -> OriginRequest {
    let mut headers = HeaderLines::with_capacity(viewer.headers.len() + 6);
    headers.push(host(viewer, behavior, origin));
    headers.extend(user_agent(viewer, behavior, identity));
    headers.extend(kept_lines(viewer, behavior, selected));
    headers.extend(written_lines(viewer, behavior, identity, hop, selected));
    OriginRequest {
        path: Bytes::copy_from_slice(viewer.path),
        query: selected.query.clone(),
        headers,
    }
}

/// CF-340.
fn host(viewer: &ViewerParts<'_>, behavior: &CacheBehavior, origin: &Origin) -> HeaderLine {
    let forwarded = viewer
        .headers
        .iter()
        .find(|l| l.name == header::HOST && forwards_host(behavior, origin))
        .map(|l| l.value.clone());
    names::line(header::HOST, forwarded.unwrap_or_else(|| own_host(origin)))
}

/// The origin's domain name, without port as CloudFront sends it; IPv6 addresses in brackets.
fn own_host(origin: &Origin) -> HeaderValue {
    let domain = &origin.domain_name;
    if domain.contains(':') && !domain.starts_with('[') {
        names::value(format!("[{domain}]").into_bytes())
    } else {
        names::value(domain.clone().into_bytes())
    }
}

/// CF-348. Named by a policy, the viewer's own is sent, and none when it sent none: the origin then gets what
/// the key says.
fn user_agent(
    viewer: &ViewerParts<'_>,
    behavior: &CacheBehavior,
    identity: &Identity,
) -> Option<HeaderLine> {
    let value = if is_named(behavior, "user-agent") {
        // All of them, as the key has them.
        let lines = viewer.headers.iter();
        let own = lines.filter(|l| l.name == header::USER_AGENT);
        let values: Vec<&[u8]> = own.map(|l| l.value.as_bytes()).collect();
        if values.is_empty() {
            return None;
        }
        names::value(values.join(&b", "[..]))
    } else {
        names::value(identity.user_agent().into())
    };
    Some(names::line(header::USER_AGENT, value))
}

/// The viewer's lines that go on unchanged, in their order; repeated lines stay repeated (CF-359).
fn kept_lines(
    viewer: &ViewerParts<'_>,
    behavior: &CacheBehavior,
    selected: &Selected,
) -> impl Iterator<Item = HeaderLine> {
    let nominated = names::nominated(viewer.headers);
    viewer.headers.iter().filter_map(move |l| {
        let name = l.name.as_str();
        let kept = !nominated.iter().any(|n| n == name)
            && match fate(name) {
                Fate::IfNamed => is_named(behavior, name),
                Fate::WithBody if viewer.has_body => true,
                // The length of a body that is not there says nothing; its type may be keyed.
                Fate::WithBody => name != "content-length" && is_named(behavior, name),
                Fate::Authorization => {
                    is_named(behavior, name) || !method_hides_authorization(viewer.method, behavior)
                }
                Fate::Precondition => selected.preconditions == Preconditions::Forward,
                Fate::Range | Fate::IfRange => selected.range == RangeSent::Forward,
                Fate::Removed | Fate::Written => false,
            };
        kept.then(|| names::line(l.name.clone(), l.value.clone()))
    })
}

/// CF-309: what may be answered from the cache may not depend on who asked.
fn method_hides_authorization(method: &Method, behavior: &CacheBehavior) -> bool {
    *method == Method::GET
        || *method == Method::HEAD
        || (*method == Method::OPTIONS && behavior.cached_methods.caches("OPTIONS"))
}

/// The fields the node writes itself, after the viewer's.
fn written_lines(
    viewer: &ViewerParts<'_>,
    behavior: &CacheBehavior,
    identity: &Identity,
    hop: &Hop<'_>,
    selected: &Selected,
) -> HeaderLines {
    let mut written = HeaderLines::new();
    let mut push = |name, value| written.push(names::line(name, value));

    // CF-370: a body of unknown length goes out chunked, and a function sees that (LE-215).
    let has_length = viewer
        .headers
        .iter()
        .any(|l| l.name == header::CONTENT_LENGTH);
    if viewer.has_body && !has_length {
        push(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    if behavior.cache_policy.normalizes_accept_encoding() {
        // CF-200..205, and CF-129: naming it elsewhere has no effect.
        if let Some(codings) = &selected.accept_encoding {
            push(header::ACCEPT_ENCODING, codings.clone());
        }
    } else if is_named(behavior, "accept-encoding") && hop.version >= Version::HTTP_11 {
        // CF-206; HTTP/1.0 viewers are taken to have sent none (CF section 2.4).
        for l in viewer
            .headers
            .iter()
            .filter(|l| l.name == header::ACCEPT_ENCODING)
        {
            push(header::ACCEPT_ENCODING, l.value.clone());
        }
    }
    if let Some(cookies) = &selected.cookies {
        push(header::COOKIE, cookies.clone());
    }
    if let Preconditions::Validate {
        etag,
        last_modified,
    } = &selected.preconditions
    {
        if let Some(etag) = etag {
            push(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(date) = last_modified {
            push(header::IF_MODIFIED_SINCE, date.clone());
        }
    }
    if let RangeSent::Replace(range) = &selected.range {
        push(header::RANGE, range.clone());
    }
    for line in &selected.generated {
        push(line.name.clone(), line.value.clone());
    }
    if hop.relayed {
        for (name, separator) in [
            (header::VIA, ", "),
            (X_FORWARDED_FOR, ","),
            (CDN_LOOP, ", "),
        ] {
            if let Some(list) = names::joined(viewer.headers, &name, separator) {
                push(name, names::value(list));
            }
        }
        return written;
    }
    push(header::VIA, via(viewer.headers, identity, hop));
    push(X_FORWARDED_FOR, forwarded_for(viewer.headers, hop.peer));
    push(CDN_LOOP, cdn_loop(viewer.headers, identity));
    written
}

/// CF-349, CF-352.
fn via(headers: &[HeaderLine], identity: &Identity, hop: &Hop<'_>) -> HeaderValue {
    let version = match hop.version {
        Version::HTTP_3 => "3.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_10 => "1.0",
        Version::HTTP_09 => "0.9",
        _ => "1.1",
    };
    let own = format!(
        "{version} {}.{} ({})",
        hop.node_id,
        identity.domain(),
        identity.product()
    );
    appended(headers, &header::VIA, ", ", own.as_bytes())
}

/// CF-353: the list goes on in the style it began with.
fn forwarded_for(headers: &[HeaderLine], peer: IpAddr) -> HeaderValue {
    let tight = headers
        .iter()
        .filter(|l| l.name == X_FORWARDED_FOR)
        .any(|l| has_tight_comma(l.value.as_bytes()));
    let separator = if tight { "," } else { ", " };
    let address = peer.to_canonical().to_string();
    appended(headers, &X_FORWARDED_FOR, separator, address.as_bytes())
}

fn has_tight_comma(list: &[u8]) -> bool {
    list.windows(2).any(|w| w[0] == b',' && w[1] != b' ')
}

/// CF-356, RFC 8586: every node of a brand writes the same id, so that they notice each other.
fn cdn_loop(headers: &[HeaderLine], identity: &Identity) -> HeaderValue {
    appended(headers, &CDN_LOOP, ", ", identity.domain().as_bytes())
}

fn appended(headers: &[HeaderLine], name: &HeaderName, separator: &str, own: &[u8]) -> HeaderValue {
    let mut list = names::joined(headers, name, separator).unwrap_or_default();
    if !list.is_empty() {
        list.extend_from_slice(separator.as_bytes());
    }
    list.extend_from_slice(own);
    names::value(list)
}
