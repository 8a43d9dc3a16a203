//! Reading a result once, without judging it.
//!
//! Every field is taken as whatever it is: a wrong type becomes a [`Kind`] and not a parse error, because
//! the checks have an order (LE section 5.5) and a bad `status` must be found before a bad header.
//! Text borrows from the buffer where JSON escapes allow. Unknown keys are skipped (LE-065) without
//! recursion, so nesting costs no stack.

mod shape;

use std::{borrow::Cow, fmt, ops::Range};

use serde::de::DeserializeSeed;

use shape::{Any, ResultShape};

/// The JSON type of something that should have been another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::validate) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// A string or number; anything else by its type alone.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::validate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Float(f64),
    Other(Kind),
}

impl Scalar<'_> {
    pub(in crate::validate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// For messages: the text or number itself, else the type.
    pub(in crate::validate) fn shown(&self) -> String {
        match self {
            Self::Text(t) => t.chars().take(128).collect(),
            Self::Integer(i) => i.to_string(),
            Self::Float(f) => f.to_string(),
            Self::Other(k) => k.to_string(),
        }
    }
}

/// The fields of a result that any trigger reads.
#[derive(Debug, Default)]
pub(in crate::validate) struct RawResult<'a> {
    pub(in crate::validate) status: Option<Scalar<'a>>,
    pub(in crate::validate) status_description: Option<Scalar<'a>>,
    pub(in crate::validate) method: Option<Scalar<'a>>,
    pub(in crate::validate) client_ip: Option<Scalar<'a>>,
    pub(in crate::validate) uri: Option<Scalar<'a>>,
    pub(in crate::validate) querystring: Option<Scalar<'a>>,
    pub(in crate::validate) headers: Option<Result<RawHeaders<'a>, Kind>>,
    pub(in crate::validate) body: Option<RawBody<'a>>,
    pub(in crate::validate) body_encoding: Option<Scalar<'a>>,
    pub(in crate::validate) origin: Option<Result<RawOrigin<'a>, Kind>>,
    /// A key that tells a common mistake: `Records`, `config` with `request`, `statusCode`.
    pub(in crate::validate) mistake: Option<Mistake>,
}

/// Results of another shape that functions return by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::validate) enum Mistake {
    /// The event itself, or its `cf` (LE-139).
    Event,
    /// API Gateway's `{statusCode, body}` (LE-134).
    StatusCode,
}

/// A header map in the order it was written. Exact duplicates of a name are kept (LE-199).
#[derive(Debug, Default)]
pub(in crate::validate) struct RawHeaders<'a> {
    pub(in crate::validate) entries: Vec<RawEntry<'a>>,
    pub(in crate::validate) elements: Vec<RawElement<'a>>,
    /// The first thing that is no header map.
    pub(in crate::validate) fault: Option<HeaderFault>,
}

/// One name of a header map.
#[derive(Debug)]
pub(in crate::validate) struct RawEntry<'a> {
    pub(in crate::validate) name: Cow<'a, str>,
    /// Its lines, in [`RawHeaders::elements`].
    pub(in crate::validate) elements: Range<usize>,
}

/// One line of a header map.
#[derive(Debug)]
pub(in crate::validate) struct RawElement<'a> {
    pub(in crate::validate) key: RawKey<'a>,
    pub(in crate::validate) value: Cow<'a, str>,
}

/// The casing an element asks for.
#[derive(Clone, Debug)]
pub(in crate::validate) enum RawKey<'a> {
    Absent,
    Given(Cow<'a, str>),
    /// `key` is no string.
    Odd,
}

impl RawKey<'_> {
    /// The key in words, for a message.
    pub(in crate::validate) fn shown(&self) -> &str {
        match self {
            Self::Absent => "nothing",
            Self::Given(key) => key,
            Self::Odd => "what is no string",
        }
    }
}

/// What is wrong with a header map's shape, and at which name.
#[derive(Debug)]
pub(in crate::validate) struct HeaderFault {
    pub(in crate::validate) name: String,
    pub(in crate::validate) what: HeaderFaultKind,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::validate) enum HeaderFaultKind {
    /// The entry is not an array (LE-202).
    Entry(Kind),
    /// An element is not an object (LE-202).
    Element(Kind),
    /// An element lacks `value` (LE-202).
    NoValue,
    /// `value` is neither a string nor an array of strings (LE-201).
    Value(Kind),
    /// More lines than [`MAX_HEADER_LINES`].
    TooMany,
}

/// No header map may hold more lines, or more names, than this. The contract bounds bytes only; the node
/// needs a bound on lines too, and 32 KB of real headers stay far below it.
pub const MAX_HEADER_LINES: usize = 4096;

/// `body`: a string in responses, an object in requests.
#[derive(Debug)]
pub(in crate::validate) enum RawBody<'a> {
    Text(Cow<'a, str>),
    Object {
        action: Option<Scalar<'a>>,
        encoding: Option<Scalar<'a>>,
        data: Option<Scalar<'a>>,
    },
    Other(Kind),
}

/// `origin`: which of the two kinds are there.
#[derive(Debug, Default)]
pub(in crate::validate) struct RawOrigin<'a> {
    pub(in crate::validate) custom: Option<Result<RawOriginFields<'a>, Kind>>,
    pub(in crate::validate) s3: Option<Result<RawOriginFields<'a>, Kind>>,
}

/// The fields of either kind of origin.
#[derive(Debug, Default)]
pub(in crate::validate) struct RawOriginFields<'a> {
    pub(in crate::validate) auth_method: Option<Scalar<'a>>,
    pub(in crate::validate) custom_headers: Option<Result<RawHeaders<'a>, Kind>>,
    pub(in crate::validate) domain_name: Option<Scalar<'a>>,
    pub(in crate::validate) keepalive_timeout: Option<Scalar<'a>>,
    pub(in crate::validate) path: Option<Scalar<'a>>,
    pub(in crate::validate) port: Option<Scalar<'a>>,
    pub(in crate::validate) protocol: Option<Scalar<'a>>,
    pub(in crate::validate) read_timeout: Option<Scalar<'a>>,
    pub(in crate::validate) region: Option<Scalar<'a>>,
    pub(in crate::validate) response_completion_timeout: Option<Scalar<'a>>,
    pub(in crate::validate) ssl_protocols: Option<Result<Vec<Scalar<'a>>, Kind>>,
}

/// Reads a result: its fields, or its type when it is no object.
pub(in crate::validate) fn parse(
    text: &str,
) -> Result<Result<RawResult<'_>, Kind>, serde_json::Error> {
    let mut de = serde_json::Deserializer::from_str(text);
    let result = Any(ResultShape).deserialize(&mut de)?;
    de.end()?;
    Ok(result)
}

/// JavaScript strings may hold half of a surrogate pair (a text cut inside an emoji). JSON carries it as a
/// lone `\udXXX`, which is no Unicode. Returns the text with each replaced by U+FFFD, as `TextEncoder`
/// does, or `None` when there is none.
pub(in crate::validate) fn replace_lone_surrogates(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let hex = bytes.get(at..at + 6)?;
        if &hex[..2] != b"\\u" || !hex[2..].iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(&hex[2..]).ok()?, 16).ok()
    };
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                out.push_str(&text[from..at]);
                out.push_str("\\ufffd");
                at += 6;
                from = at;
            }
            Some(_) => at += 6,
            // Any other escape, so that an escaped backslash does not start one.
            None => at += 2,
        }
    }
    (from > 0).then(|| {
        out.push_str(&text[from..]);
        out
    })
}
