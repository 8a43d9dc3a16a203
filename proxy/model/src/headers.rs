//! Header fields as functions see them and as HTTP/1.1 origins get them: one line per field, in
//! order, in the casing that was received (LE-196, LE-197, CF-359). And the names an origin's custom
//! headers may not have, which configurations and functions are held to alike.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// One header field line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLine {
    /// Lower-case name: the map key in events.
    pub name: HeaderName,
    /// The name in the casing it was received or returned with: `key` in events (LE-197), wire form on
    /// HTTP/1.1 (LE-206). Equal to `name` but for case.
    pub key: Bytes,
    /// The raw value (LE-098).
    pub value: HeaderValue,
}

/// Header field lines in order.
pub type HeaderLines = Vec<HeaderLine>;

/// Names that may not be custom headers of an origin, besides [`NOT_CUSTOM_PREFIXES`] (CF-413, LE-186).
///
/// LE-186 leaves `proxy-authenticate` to the wider list of names no function may touch (LE-209).
const NOT_CUSTOM: [&str; 23] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];

/// Beginnings of such names (CF-413, LE-186).
const NOT_CUSTOM_PREFIXES: [&str; 2] = ["x-amz-", "x-edge-"];

/// Whether a lower-case name may be a custom header of an origin, be it configured or set by a function
/// (CF-413, LE-186).
pub fn may_be_custom_header(name: &str) -> bool {
    !NOT_CUSTOM.contains(&name) && !NOT_CUSTOM_PREFIXES.iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_or_the_connection_owns_cannot_be_a_custom_header() {
        // CF-413, LE-186
        for name in NOT_CUSTOM {
            assert!(!may_be_custom_header(name), "{name}");
        }
        for name in ["x-amz-meta-a", "x-amz-date", "x-edge-a"] {
            assert!(!may_be_custom_header(name), "{name}");
        }
        for name in ["x-env", "authorization", "x-amzn-trace-id", "user-agent"] {
            assert!(may_be_custom_header(name), "{name}");
        }
    }
}
