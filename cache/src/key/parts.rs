//! The parts of a key in words, for `explain` (CP-606).

use std::fmt;

use fourfront_model::CachePolicy;

use super::{
    KeyRequest,
    accept_encoding::Codings,
    walk::{Part, Sink, walk},
};

/// One part of a key, and its value. Bytes that are not UTF-8 show as replacement characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The distribution's id (CF-160).
    Distribution(String),
    /// `GET` for GET and HEAD, `OPTIONS` (CF-161).
    Method(String),
    /// The raw path (CF-162).
    Path(String),
    /// What of the query the policy keeps (CF-166).
    Query(String),
    /// A field that the policy names, its lines joined (CF-167, CF-169).
    Header {
        /// Its name in lower case.
        name: String,
        /// Its value.
        value: String,
    },
    /// The cookies that the policy keeps, sorted (CF-170).
    Cookies(String),
    /// `Accept-Encoding` in its normalised form (CF-171).
    AcceptEncoding(String),
}

impl KeyPart {
    /// What it is: `distribution`, `method`, `path`, `query`, the name of the field, `cookies` or `accept-encoding`.
    pub fn name(&self) -> &str {
        match self {
            Self::Distribution(_) => "distribution",
            Self::Method(_) => "method",
            Self::Path(_) => "path",
            Self::Query(_) => "query",
            Self::Header { name, .. } => name,
            Self::Cookies(_) => "cookies",
            Self::AcceptEncoding(_) => "accept-encoding",
        }
    }

    /// Its value.
    pub fn value(&self) -> &str {
        match self {
            Self::Distribution(value)
            | Self::Method(value)
            | Self::Path(value)
            | Self::Query(value)
            | Self::Header { value, .. }
            | Self::Cookies(value)
            | Self::AcceptEncoding(value) => value,
        }
    }
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.value())
    }
}

/// The parts that [`super::cache_key`] hashes, in its order: it is the same walk. `None` for methods that have no key.
pub fn key_parts(policy: &CachePolicy, request: &KeyRequest<'_>) -> Option<Vec<KeyPart>> {
    let codings = Codings::of(policy, request.headers, request.version);
    let mut words = Words::default();
    walk(policy, request, codings, &mut words)?;
    Some(words.parts)
}

#[derive(Default)]
struct Words {
    pending: Vec<u8>,
    field: String,
    parts: Vec<KeyPart>,
}

impl Sink for Words {
    fn bytes(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn end(&mut self, part: Part) {
        let value = String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned();
        self.parts.push(match part {
            Part::HeaderName => {
                self.field = value;
                return;
            }
            Part::HeaderValue => KeyPart::Header {
                name: std::mem::take(&mut self.field),
                value,
            },
            Part::Distribution => KeyPart::Distribution(value),
            Part::Method => KeyPart::Method(value),
            Part::Path => KeyPart::Path(value),
            Part::Query => KeyPart::Query(value),
            Part::Cookies => KeyPart::Cookies(value),
            Part::AcceptEncoding => KeyPart::AcceptEncoding(value),
            // Of keys under a key; this walk has none.
            Part::Variant | Part::Segment => return,
        });
    }
}
