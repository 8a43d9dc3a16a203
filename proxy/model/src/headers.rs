//! Header fields as functions see them and as HTTP/1.1 origins get them: one line per field, in
//! order, in the casing that was received (LE-196, LE-197, CF-359).

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
