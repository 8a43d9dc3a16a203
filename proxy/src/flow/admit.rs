//! Admission: what is checked before any function sees a request (CF-010 steps 1 to 9,
//! LE-009), so that a function never sees one CloudFront would refuse (LE-021).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use fourfront_cache::purge::Moment;
use fourfront_control::RequestLimits;
use fourfront_model::CountryCode;
use fourfront_signed::{self as signed, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use super::{
    Exchange, RequestId, Route, ViewerFault, ViewerRequest,
    generated::Sent,
    grpc, protocol,
    staging::{self, Staged},
};
use crate::{node::Snapshot, tls::TlsFacts};

/// What is known of a request when its head has been parsed.
#[derive(Clone, Copy, Debug)]
pub struct ViewerFacts<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query as the viewer sent them.
    pub target: &'a [u8],
    /// The `Host` field or `:authority`.
    pub host: Option<&'a str>,
    /// The protocol the viewer spoke.
    pub version: Version,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// The request head as received on HTTP/1.x; empty where the protocol has no such thing.
    pub raw_head: &'a [u8],
    /// Bytes of request line and header fields, or what is in their place (CF-360).
    pub head_bytes: u64,
    /// Who has connected, or for whom the PROXY protocol says it has.
    pub peer: SocketAddr,
    /// Whether the viewer came by HTTPS.
    pub is_https: bool,
    /// The handshake of the connection, where there was one.
    pub tls: Option<&'a Arc<TlsFacts>>,
    /// Whether bytes of a body have come already (CF-368).
    pub has_body: bool,
    /// Where viewers find the node by HTTPS.
    pub https_port: u16,
    /// Limits in force.
    pub limits: &'a RequestLimits,
    /// The time, for signatures.
    pub now: SystemTime,
    /// Draws a number below [`fourfront_model::Share::WHOLE`] (CF-453).
    pub draw: fn() -> u32,
}

/// A request that may pass, or the reason why it may not. A refusal keeps the route when one was found, so
/// that it is counted and logged under its behaviour.
pub type Admission = Result<ViewerRequest, Box<(ViewerFault, Option<Exchange>)>>;

/// Steps 1 to 9 of CF-010, in order.
pub fn admit(snapshot: &Arc<Snapshot>, facts: &ViewerFacts<'_>) -> Admission {
    let nowhere = |fault| Box::new((fault, None));
    check_head(facts).map_err(nowhere)?;
    let host = facts.host.ok_or_else(|| nowhere(ViewerFault::Host))?;
    let path = raw_path(facts.target).ok_or_else(|| nowhere(ViewerFault::Target))?;
    let text = String::from_utf8_lossy(path);
    let unknown = || nowhere(ViewerFault::UnknownHost);
    let entry = snapshot.site().distribution_index_for(host);
    let entry = entry.ok_or_else(unknown)?;
    // Calls stay with the primary: what carries them asks about it before there is a choice (CF-410).
    let is_call = grpc::has_call_type(facts.headers)
        && Route::through(snapshot, entry, entry, &text)
            .is_some_and(|route| grpc::is_call(facts, route.behavior()));
    let (distribution, staged) = match is_call {
        true => (entry, None),
        false => staging::choose(snapshot, entry, facts),
    };
    let route = Route::through(snapshot, entry, distribution, &text).ok_or_else(unknown)?;
    let exchange = begin(snapshot, facts, route, staged);
    match check_route(facts, &exchange) {
        Ok(()) => Ok(ViewerRequest { exchange }),
        Err(fault) => Err(Box::new((fault, Some(exchange)))),
    }
}

/// Where a request belongs that is not judged, since there is too much to do (CF-773): so that it is logged and counted
/// there. `None` where that would need judging.
pub(crate) fn unjudged(snapshot: &Arc<Snapshot>, facts: &ViewerFacts<'_>) -> Option<Exchange> {
    let path = String::from_utf8_lossy(raw_path(facts.target)?);
    let route = Route::find(snapshot, facts.host?, &path)?;
    Some(begin(snapshot, facts, route, None))
}

fn begin(
    snapshot: &Arc<Snapshot>,
    facts: &ViewerFacts<'_>,
    route: Route,
    staged: Option<Arc<Staged>>,
) -> Exchange {
    let viewer = viewer(snapshot, facts.peer, facts.headers);
    let is_call = !route.is_staged() && grpc::is_call(facts, route.behavior());
    let route = route.for_call(is_call);
    Exchange {
        country: country(snapshot, &route, viewer.ip()),
        sent: sent(&route, facts),
        route,
        request_id: RequestId::random(),
        viewer,
        peer: facts.peer.ip().to_canonical(),
        // Known to whoever holds the connection.
        server: None,
        bare_query: memchr::memchr(b'?', facts.target) == facts.target.len().checked_sub(1),
        began: Moment::default(),
        viewer_target: None,
        version: facts.version,
        is_https: facts.is_https,
        tls: facts.tls.cloned(),
        reused: facts.tls.is_some_and(|tls| tls.take_use()),
        page_for: None,
        shielded: None,
        staged,
    }
}

/// Step 1: limits and framing.
fn check_head(facts: &ViewerFacts<'_>) -> Result<(), ViewerFault> {
    let limits = facts.limits;
    if facts.head_bytes > limits.max_header_bytes {
        return Err(ViewerFault::HeaderSize {
            limit: limits.max_header_bytes,
        });
    }
    // The URL limit counts scheme, host and target (CF-361).
    let url = "https://".len() + facts.host.map_or(0, str::len) + facts.target.len();
    if url as u64 > limits.max_url_bytes {
        return Err(ViewerFault::UrlLength {
            limit: limits.max_url_bytes,
        });
    }
    if facts.headers.len() > limits.max_header_count {
        return Err(ViewerFault::HeaderCount {
            count: facts.headers.len(),
            limit: limits.max_header_count,
        });
    }
    check_codings(facts.headers)?;
    check_raw_head(facts.raw_head)
}

/// A body comes as it is or in chunks (CF-371). What is coded in another way as well is understood by nobody here; where the
/// end of the body cannot be told, the request is malformed (RFC 9112 section 6.3).
fn check_codings(headers: &HeaderMap) -> Result<(), ViewerFault> {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut codings = values
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty())
        .map(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let (Some(mut is_chunked), mut others) = (codings.next(), 0) else {
        return match headers.contains_key(header::TRANSFER_ENCODING) {
            true => Err(ViewerFault::Unreadable),
            false => Ok(()),
        };
    };
    for next in codings {
        if is_chunked {
            // Nothing can follow it.
            return Err(ViewerFault::Unreadable);
        }
        others += 1;
        is_chunked = next;
    }
    match (is_chunked, others) {
        (true, 0) => Ok(()),
        (true, _) => Err(ViewerFault::TransferCoding),
        (false, _) => Err(ViewerFault::Unreadable),
    }
}

/// What the parser below forgives and CF-374 does not: lines that end in LF alone, a length given twice, a
/// fragment in the request line (CF-176).
fn check_raw_head(head: &[u8]) -> Result<(), ViewerFault> {
    if head.is_empty() {
        return Ok(());
    }
    let (mut length, mut coding, mut start) = (false, false, 0);
    for end in memchr::memchr_iter(b'\n', head) {
        if end == 0 || head[end - 1] != b'\r' {
            return Err(ViewerFault::BareLineFeed);
        }
        let line = &head[start..end];
        if start == 0 && memchr::memchr(b'#', line).is_some() {
            return Err(ViewerFault::Fragment);
        }
        length |= starts_with_name(line, b"content-length");
        coding |= starts_with_name(line, b"transfer-encoding");
        start = end + 1;
    }
    if length && coding {
        Err(ViewerFault::AmbiguousLength)
    } else {
        Ok(())
    }
}

fn starts_with_name(line: &[u8], name: &[u8]) -> bool {
    line.len() > name.len()
        && line[name.len()] == b':'
        && line[..name.len()].eq_ignore_ascii_case(name)
}

/// Steps 2 to 9 once the behaviour is known: CF-010.4 and CF-010.7.
fn check_route(facts: &ViewerFacts<'_>, exchange: &Exchange) -> Result<(), ViewerFault> {
    protocol::check_connection(facts, exchange)?;
    if !exchange.route.distribution().enabled {
        return Err(ViewerFault::Disabled);
    }
    protocol::check_policy(facts, exchange)?;
    if matches!(*facts.method, Method::TRACE | Method::CONNECT) {
        return Err(ViewerFault::MethodNotSupported);
    }
    if !exchange
        .route
        .behavior()
        .allowed_methods
        .allows(facts.method.as_str())
    {
        return Err(ViewerFault::Method);
    }
    if matches!(*facts.method, Method::GET | Method::HEAD) && has_body(facts) {
        return Err(ViewerFault::BodyOnGet);
    }
    if let Some(length) = content_length(facts.headers) {
        let limit = facts.limits.max_body_bytes;
        if length > limit {
            return Err(ViewerFault::BodySize { limit });
        }
    }
    if facts
        .headers
        .get(header::EXPECT)
        .is_some_and(|e| !e.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(ViewerFault::Expectation);
    }
    if passed_before(
        facts.headers,
        exchange.route.distribution().identity.domain(),
    ) {
        return Err(ViewerFault::Loop);
    }
    check_country(exchange)?;
    check_signature(facts, exchange)
}

/// In which country a viewer is (CF-601), where a distribution asks: no other request costs a look-up.
fn country(snapshot: &Snapshot, route: &Route, viewer: IpAddr) -> Option<CountryCode> {
    route.distribution().geo_restriction.as_ref()?;
    snapshot.geo().country(viewer)
}

/// Who the viewer is (CF-354).
pub(crate) fn viewer(snapshot: &Snapshot, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    let trusted = &snapshot.settings().trusted_proxies;
    let viewer = if trusted.is_empty() {
        peer
    } else {
        let lists = headers.get_all("x-forwarded-for").iter();
        trusted.viewer(peer, lists.map(HeaderValue::as_bytes))
    };
    // An IPv4 address that a socket for both shows as one of IPv6 is one of IPv4, everywhere.
    SocketAddr::new(viewer.ip().to_canonical(), viewer.port())
}

/// What generated headers need of the request as it came.
fn sent(route: &Route, facts: &ViewerFacts<'_>) -> Option<Arc<Sent>> {
    let which = route.generated_anywhere();
    if which.is_empty() {
        return None;
    }
    Sent::of(which, facts.headers, facts.raw_head, facts.version).map(Arc::new)
}

/// CF-010.8: countries from which the distribution may not be used (CF-600).
fn check_country(exchange: &Exchange) -> Result<(), ViewerFault> {
    match &exchange.route.distribution().geo_restriction {
        Some(restriction) if !restriction.allows(exchange.country) => Err(ViewerFault::Country),
        _ => Ok(()),
    }
}

/// CF-010.9: a signed URL or signed cookies where the behaviour wants them. OPTIONS passes, as preflights cannot be signed
/// (CF-560). Once, at the start of a request: each range is asked for anew (CF-575).
fn check_signature(facts: &ViewerFacts<'_>, exchange: &Exchange) -> Result<(), ViewerFault> {
    let Some(keys) = exchange.route.trusted_keys() else {
        return Ok(());
    };
    if *facts.method == Method::OPTIONS {
        return Ok(());
    }
    let request = signed::Request {
        scheme: match facts.is_https {
            true => Scheme::Https,
            false => Scheme::Http,
        },
        host: facts.host.unwrap_or_default(),
        target: facts.target,
        headers: facts.headers,
        viewer: exchange.viewer.ip(),
        now: facts.now,
    };
    Ok(signed::check(keys, &request)?)
}

/// The path part of a request target, or `None` when it is not in origin form.
fn raw_path(target: &[u8]) -> Option<&[u8]> {
    if target.first() != Some(&b'/') {
        return None;
    }
    Some(memchr::memchr(b'?', target).map_or(target, |q| &target[..q]))
}

/// A body means a length above zero or any transfer coding (CF-368, AMB-28). With GET and HEAD it comes to no
/// function (LE-125).
fn has_body(facts: &ViewerFacts<'_>) -> bool {
    facts.has_body
        || facts.headers.contains_key(header::TRANSFER_ENCODING)
        || content_length(facts.headers).is_some_and(|n| n > 0)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// How many distributions a request may pass; the next one it reaches refuses it (CF-356, CF-761).
const MAX_DISTRIBUTIONS_PASSED: usize = 2;

/// Whether as many distributions of this brand as may have passed the request on already (CF-356).
fn passed_before(headers: &HeaderMap, brand: &str) -> bool {
    let field = HeaderName::from_static("cdn-loop");
    headers
        .get_all(field)
        .iter()
        .flat_map(|v| v.as_bytes().split(|b| *b == b','))
        // Parameters follow the name after `;` (RFC 8586 section 2).
        .filter_map(|hop| hop.split(|b| *b == b';').next())
        .filter(|name| name.trim_ascii().eq_ignore_ascii_case(brand.as_bytes()))
        .count()
        >= MAX_DISTRIBUTIONS_PASSED
}

/// Header names that only the edge may set: what a viewer sends under them is dropped on entry (CF-358,
/// LE-187, CF-350).
///
/// `CloudFront-*` is not among them: viewer-side functions see what the viewer sent (LE-222), and neither key
/// nor origin ever take it from there (CF-174).
pub(crate) fn is_reserved(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'x') => {
            name.starts_with("x-edge-")
                || name.starts_with("x-amz-cf-")
                || name.starts_with("x-amzn-cf-")
        }
        Some(b'c') => name.starts_with("client-cert"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smuggling_shapes_are_refused() {
        // CF-374
        assert_eq!(
            check_raw_head(
                b"POST / HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
            ),
            Err(ViewerFault::AmbiguousLength)
        );
        assert_eq!(
            check_raw_head(b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"),
            Err(ViewerFault::BareLineFeed)
        );
        assert_eq!(
            check_raw_head(b"\nGET / HTTP/1.1\r\n\r\n"),
            Err(ViewerFault::BareLineFeed)
        );
        assert_eq!(
            check_raw_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-Note: transfer-encoding:\r\n\r\n"),
            Ok(())
        );
    }

    #[test]
    fn chunked_is_the_only_transfer_coding() {
        // CF-371, CF-374, RFC 9112 sections 6.1 and 6.3
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::TRANSFER_ENCODING, HeaderValue::from_static(value));
            }
            check_codings(&headers)
        };
        for sound in [&[][..], &["chunked"], &["Chunked "], &[", chunked"]] {
            assert_eq!(of(sound), Ok(()), "{sound:?}");
        }
        for other in [
            &["gzip, chunked"][..],
            &["gzip", "chunked"],
            &["x;q=1,gzip , chunked"],
        ] {
            assert_eq!(of(other), Err(ViewerFault::TransferCoding), "{other:?}");
        }
        for endless in [
            &["gzip"][..],
            &["identity"],
            &["chunked, gzip"],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["xchunked"],
            &[""],
        ] {
            assert_eq!(of(endless), Err(ViewerFault::Unreadable), "{endless:?}");
        }
    }

    #[test]
    fn a_fragment_in_the_request_line_is_refused_and_elsewhere_is_not() {
        // CF-176
        assert_eq!(
            check_raw_head(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
            Err(ViewerFault::Fragment)
        );
        assert_eq!(
            check_raw_head(b"GET /a HTTP/1.1\r\nReferer: /x#y\r\n\r\n"),
            Ok(())
        );
    }

    #[test]
    fn only_origin_form_targets_have_a_path() {
        assert_eq!(raw_path(b"/a?b"), Some(&b"/a"[..]));
        assert_eq!(raw_path(b"*"), None);
        assert_eq!(raw_path(b""), None);
    }

    #[test]
    fn reserved_names_are_recognised() {
        // CF-358, LE-187, CF-350
        for name in [
            "x-edge-location",
            "x-amz-cf-id",
            "x-amzn-cf-billing",
            "client-cert-chain",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "x-amz-meta-a",
            "x-forwarded-for",
            "cookie",
            "cloudfront-viewer-country",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn the_loop_guard_counts_whole_names() {
        // CF-356, CF-761
        let passed = |values: &[&'static str], brand| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("cdn-loop", HeaderValue::from_static(value));
            }
            passed_before(&headers, brand)
        };
        assert!(!passed(&[], "fourfront"));
        assert!(!passed(&["fourfront; a=b, other; v=1"], "fourfront"));
        assert!(passed(
            &["fourfront; a=b, other; v=1", "Fourfront"],
            "fourfront"
        ));
        assert!(!passed(&["fourfront, fourfront"], "four"));
        assert!(passed(
            &["fourfront", "other", "fourfront,fourfront"],
            "fourfront"
        ));
    }
}
