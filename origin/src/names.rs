//! Header names: their casing on the wire toward HTTP/1.1 origins (CF-359), and the classes of
//! names the rules speak of.

use bytes::Bytes;
use fourfront_model::HeaderLine;
use http::{HeaderName, HeaderValue};

/// Names whose usual casing is not "each hyphen-separated part capitalised".
const IRREGULAR: &[(&str, &str)] = &[
    ("cdn-loop", "CDN-Loop"),
    ("cloudfront-is-ios-viewer", "CloudFront-Is-IOS-Viewer"),
    (
        "cloudfront-is-smarttv-viewer",
        "CloudFront-Is-SmartTV-Viewer",
    ),
    ("cloudfront-viewer-asn", "CloudFront-Viewer-ASN"),
    ("cloudfront-viewer-tls", "CloudFront-Viewer-TLS"),
    ("content-md5", "Content-MD5"),
    ("dnt", "DNT"),
    ("etag", "ETag"),
    ("sec-ch-ua", "Sec-CH-UA"),
    ("sec-ch-ua-mobile", "Sec-CH-UA-Mobile"),
    ("sec-ch-ua-platform", "Sec-CH-UA-Platform"),
    ("sec-gpc", "Sec-GPC"),
    ("te", "TE"),
    ("www-authenticate", "WWW-Authenticate"),
    ("x-http-method", "X-HTTP-Method"),
    ("x-http-method-override", "X-HTTP-Method-Override"),
];

/// The name in the casing HTTP/1.1 origins get (CF-359).
pub(crate) fn canonical(name: &HeaderName) -> Bytes {
    let name = name.as_str();
    if let Ok(i) = IRREGULAR.binary_search_by_key(&name, |(lower, _)| lower) {
        return Bytes::from_static(IRREGULAR[i].1.as_bytes());
    }
    let (prefix, rest) = match name.strip_prefix("cloudfront-") {
        Some(rest) => ("CloudFront-", rest),
        None => ("", name),
    };
    let mut wire = Vec::with_capacity(name.len());
    wire.extend_from_slice(prefix.as_bytes());
    let mut start_of_part = true;
    for b in rest.bytes() {
        wire.push(if start_of_part {
            b.to_ascii_uppercase()
        } else {
            b
        });
        start_of_part = b == b'-';
    }
    wire.into()
}

/// A line the node writes, in canonical casing.
pub(crate) fn line(name: HeaderName, value: HeaderValue) -> HeaderLine {
    HeaderLine {
        key: canonical(&name),
        name,
        value,
    }
}

/// A value from parts the node and the viewer supplied. Bytes no header value may hold can only come
/// from configured names; they become `?` rather than an error in the middle of a request.
pub(crate) fn value(bytes: Vec<u8>) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(bytes))
        .unwrap_or_else(|_| HeaderValue::from_static("?"))
}

/// The values of all lines of that name, joined into one list.
pub(crate) fn joined(lines: &[HeaderLine], name: &HeaderName, separator: &str) -> Option<Vec<u8>> {
    let mut values = lines
        .iter()
        .filter(|l| l.name == *name)
        .map(|l| l.value.as_bytes());
    let mut list = values.next()?.to_vec();
    for v in values {
        list.extend_from_slice(separator.as_bytes());
        list.extend_from_slice(v);
    }
    Some(list)
}

/// Whether the field concerns one connection only and is never passed on (RFC 9110 section 7.6.1; CF-335,
/// CF-343, CF-347, CF-357).
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
    ) || name.starts_with("proxy-")
}

/// The lower-case names that `Connection` declares to be hop-by-hop (RFC 9110 section 7.6.1).
pub(crate) fn nominated(lines: &[HeaderLine]) -> Vec<String> {
    let values = lines
        .iter()
        .filter(|l| l.name == http::header::CONNECTION)
        .map(|l| &l.value);
    nominated_by(values).collect()
}

/// Likewise, by the values of `Connection`.
pub(crate) fn nominated_by<'v>(
    values: impl Iterator<Item = &'v HeaderValue>,
) -> impl Iterator<Item = String> {
    values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|token| token.trim().to_ascii_lowercase())
        .filter(|token| !token.is_empty() && !matters_to_everyone(token))
}

/// Fields `Connection` may not take out, because the message changes its meaning, its length or its
/// history without them: a sender that names one is mistaken or hostile (RFC 9110 section 7.6.1, RFC 8586
/// section 3).
fn matters_to_everyone(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "cache-control"
            | "cdn-loop"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "host"
            | "set-cookie"
            | "transfer-encoding"
            | "vary"
            | "via"
            | "x-forwarded-for"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_irregular_names_can_be_searched() {
        assert!(IRREGULAR.is_sorted());
        for (lower, wire) in IRREGULAR {
            assert_eq!(*lower, wire.to_ascii_lowercase());
        }
    }

    #[test]
    fn names_are_sent_in_canonical_case() {
        // CF-359
        let wire = |lower: &str| canonical(&lower.parse().unwrap());
        assert_eq!(wire("accept-language"), "Accept-Language");
        assert_eq!(wire("x-http-method-override"), "X-HTTP-Method-Override");
        assert_eq!(
            wire("cloudfront-viewer-country"),
            "CloudFront-Viewer-Country"
        );
        assert_eq!(wire("cdn-loop"), "CDN-Loop");
        assert_eq!(wire("x_y-2z"), "X_y-2z");
    }

    #[test]
    fn connection_cannot_take_out_what_everyone_needs() {
        // CF-335, CF-598
        let lines = [
            line(
                http::header::CONNECTION,
                HeaderValue::from_static("close, X-Hop,, content-length"),
            ),
            line(
                http::header::CONNECTION,
                HeaderValue::from_static("CDN-Loop , x-2"),
            ),
        ];
        assert_eq!(nominated(&lines), ["close", "x-hop", "x-2"]);
    }
}
