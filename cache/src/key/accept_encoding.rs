//! `Accept-Encoding` in the key and toward the origin (CF-200..206).

use fourfront_model::{CachePolicy, OriginHeaders, OriginRequestPolicy};
use http::{HeaderMap, Version, header};

/// The codings a viewer takes, of those the policy knows: the normalised field (CF-200..205).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codings {
    /// None of them, or no field: both have the same key (CF-207).
    None,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `br,gzip`.
    BrotliAndGzip,
}

impl Codings {
    /// What a request's field amounts to under a policy.
    pub fn of(policy: &CachePolicy, headers: &HeaderMap, version: Version) -> Self {
        if !policy.normalizes_accept_encoding() || version <= Version::HTTP_10 {
            return Self::None;
        }
        let (mut brotli, mut gzip) = (false, false);
        for line in headers.get_all(header::ACCEPT_ENCODING) {
            for member in line.as_bytes().split(|b| *b == b',') {
                let (coding, accepted) = member_of(member);
                brotli |= accepted && coding.eq_ignore_ascii_case(b"br");
                gzip |= accepted && coding.eq_ignore_ascii_case(b"gzip");
            }
        }
        brotli &= policy.accept_encoding_brotli;
        gzip &= policy.accept_encoding_gzip;
        match (brotli, gzip) {
            (false, false) => Self::None,
            (false, true) => Self::Gzip,
            (true, false) => Self::Brotli,
            (true, true) => Self::BrotliAndGzip,
        }
    }

    /// The key's value; `None` when the key has no such part.
    pub const fn as_key(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
            Self::BrotliAndGzip => Some("br,gzip"),
        }
    }
}

/// What the origin gets as `Accept-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginAcceptEncoding {
    /// No field.
    Remove,
    /// This value.
    Send(&'static str),
    /// The viewer's field, unchanged.
    AsReceived,
}

/// What the origin gets as `Accept-Encoding` (column four of CF-200..206; CF-129).
pub fn forwarded_accept_encoding(
    policy: &CachePolicy,
    origin_request: Option<&OriginRequestPolicy>,
    headers: &HeaderMap,
    version: Version,
) -> OriginAcceptEncoding {
    let name = header::ACCEPT_ENCODING.as_str();
    // A field of HTTP/1.0 is removed and treated as absent (CF section 2.4).
    let absent = version <= Version::HTTP_10 || !headers.contains_key(&header::ACCEPT_ENCODING);
    if policy.normalizes_accept_encoding() {
        return match Codings::of(policy, headers, version).as_key() {
            Some(value) => OriginAcceptEncoding::Send(value),
            // CF-332: without policies there is no `identity` in its place.
            None if absent || is_legacy(origin_request) => OriginAcceptEncoding::Remove,
            None => OriginAcceptEncoding::Send("identity"),
        };
    }
    let listed = policy.headers.iter().any(|n| n == name)
        || origin_request.is_some_and(|p| match &p.headers {
            OriginHeaders::None | OriginHeaders::Legacy => false,
            OriginHeaders::Whitelist(names) => names.iter().any(|n| n == name),
            OriginHeaders::AllViewer => true,
            OriginHeaders::AllExcept(names) => !names.iter().any(|n| n == name),
        });
    if listed && !absent {
        OriginAcceptEncoding::AsReceived
    } else {
        OriginAcceptEncoding::Remove
    }
}

fn is_legacy(origin_request: Option<&OriginRequestPolicy>) -> bool {
    origin_request.is_some_and(|p| p.headers == OriginHeaders::Legacy)
}

/// A member's coding, and whether its weight is above zero. `*` names no coding, and a weight that
/// cannot be read counts as none.
fn member_of(member: &[u8]) -> (&[u8], bool) {
    let mut parts = member.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let coding = parts.next().unwrap_or_default();
    let mut accepted = true;
    for parameter in parts {
        if let Some((b"q" | b"Q", weight)) = split_parameter(parameter) {
            accepted = weight_above_zero(weight);
        }
    }
    (coding, accepted)
}

fn split_parameter(parameter: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = parameter.iter().position(|b| *b == b'=')?;
    Some((
        parameter[..equals].trim_ascii(),
        parameter[equals + 1..].trim_ascii(),
    ))
}

/// RFC 9110 section 12.4.2: digits and one point; above zero when any digit is.
fn weight_above_zero(weight: &[u8]) -> bool {
    weight.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && weight.iter().any(|b| (b'1'..=b'9').contains(b))
}
