//! Compression at the edge (CF section 6.6): which answers are compressed, with what, and what becomes of their heads.
//!
//! It happens between the origin-response function and the cache, so that what is stored is compressed once and a
//! viewer-response function sees what the viewer gets (LE-A31).

use std::{fmt, io::Write as _, ops::RangeInclusive};

use bytes::Bytes;
use flate2::write::GzEncoder;
use fourfront_cache::key::Codings;
use fourfront_model::{CacheBehavior, HeaderLine};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::node::InFlightGuard;

/// Lengths that are worth it (CF-548).
const LENGTHS: RangeInclusive<u64> = 1_000..=10_000_000;

/// Media types that are compressed, without their parameters (CF-550).
const MEDIA_TYPES: [&str; 48] = [
    "application/dash+xml",
    "application/eot",
    "application/font",
    "application/font-sfnt",
    "application/javascript",
    "application/json",
    "application/opentype",
    "application/otf",
    "application/pdf",
    "application/pkcs7-mime",
    "application/protobuf",
    "application/rss+xml",
    "application/truetype",
    "application/ttf",
    "application/vnd.apple.mpegurl",
    "application/vnd.mapbox-vector-tile",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "application/x-font-opentype",
    "application/x-font-truetype",
    "application/x-font-ttf",
    "application/x-httpd-cgi",
    "application/x-javascript",
    "application/x-mpegurl",
    "application/x-opentype",
    "application/x-otf",
    "application/x-perl",
    "application/x-ttf",
    "font/eot",
    "font/opentype",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/js",
    "text/plain",
    "text/richtext",
    "text/tab-separated-values",
    "text/xml",
    "text/x-component",
    "text/x-java-source",
    "text/x-script",
    "vnd.apple.mpegurl",
];

/// Fields that describe the bytes that were, and say nothing of those that are sent (CF-552).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Brotli's window, in bits: 512 KiB at most, as nginx's module has it. Many bodies may be on their way at a time.
const BROTLI_WINDOW: RangeInclusive<u32> = 10..=19;

/// What a body is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
}

impl Coding {
    /// As `Content-Encoding` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }
}

/// How hard to compress (CF-606).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// 1 to 9.
    pub gzip: u32,
    /// 0 to 11.
    pub brotli: u32,
}

/// The request that an answer is for, as the cache's key sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// The viewer's version of HTTP.
    pub version: Version,
    /// Whether a viewer waits for a part (CF-541).
    pub ranged: bool,
}

/// An answer from an origin, or what a function made of it or in its place.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub lines: &'a [HeaderLine],
    /// Length of its body in bytes, where it is known beforehand.
    pub length: Option<u64>,
}

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: no viewer gets it compressed.
    AsItIs,
    /// It differs by what viewers accept, and this one gets it as it is (CF-604).
    Varies,
    /// Compressed.
    Compress(Coding),
}

/// Whether an answer is compressed (CF-545..550, CF-530, CF-541; LE-170 of those that a function made at origin-request).
pub fn choose(behavior: &CacheBehavior, asked: Asked<'_>, answer: Answer<'_>) -> Choice {
    let policy = &behavior.cache_policy;
    let wanted = behavior.compress
        && policy.normalizes_accept_encoding()
        && !policy.ttl.disables_caching()
        && matches!(*asked.method, Method::GET | Method::HEAD)
        && matches!(answer.status, 200 | 403 | 404)
        && answer
            .length
            .is_some_and(|length| LENGTHS.contains(&length))
        && !has(answer.lines, &header::CONTENT_ENCODING)
        && !has(answer.lines, &header::CONTENT_RANGE)
        && is_listed(answer.lines)
        && !forbids(answer.lines);
    if !wanted {
        return Choice::AsItIs;
    }
    match Codings::of(policy, asked.headers, asked.version) {
        // CF-530, CF-541
        _ if asked.ranged || *asked.method == Method::HEAD => Choice::Varies,
        Codings::None => Choice::Varies,
        Codings::Gzip => Choice::Compress(Coding::Gzip),
        Codings::Brotli | Codings::BrotliAndGzip => Choice::Compress(Coding::Brotli),
    }
}

fn has(lines: &[HeaderLine], name: &HeaderName) -> bool {
    lines.iter().any(|line| line.name == *name)
}

fn is_listed(lines: &[HeaderLine]) -> bool {
    let mut types = lines.iter().filter(|l| l.name == header::CONTENT_TYPE);
    let (Some(line), None) = (types.next(), types.next()) else {
        return false;
    };
    let value = line.value.as_bytes();
    let essence = value.split(|b| *b == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii();
    MEDIA_TYPES
        .iter()
        .any(|listed| essence.eq_ignore_ascii_case(listed.as_bytes()))
}

/// `no-transform` (RFC 9110 section 7.7).
fn forbids(lines: &[HeaderLine]) -> bool {
    let controls = lines.iter().filter(|l| l.name == header::CACHE_CONTROL);
    controls
        .flat_map(|l| l.value.as_bytes().split(|b| *b == b','))
        .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// What is remembered of an answer that was compressed (CF-281).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The origin's own `ETag`.
    pub origin_etag: Option<HeaderValue>,
}

/// Has a head say that the answer varies, and no more (CF-604): it is stored as it is, under a key that may say compressed
/// (CF-209).
pub fn vary(lines: &mut Vec<HeaderLine>) {
    let says = lines
        .iter()
        .filter(|l| l.name == header::VARY)
        .flat_map(|l| l.value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"));
    if !says {
        lines.push(line(header::VARY, "Vary", "Accept-Encoding"));
    }
}

/// Has a head say that the body is compressed (CF-552, CF-603, CF-604). Its length is for the caller to say, when it is
/// known.
pub fn relabel(lines: &mut Vec<HeaderLine>, coding: Coding) -> Compressed {
    let origin_etag = lines.iter().find(|l| l.name == header::ETAG);
    let origin_etag = origin_etag.map(|l| l.value.clone());
    lines.retain_mut(|line| match &line.name {
        name if *name == header::CONTENT_LENGTH || DIGESTS.contains(name) => false,
        name if *name == header::ETAG => match weakened(&line.value) {
            Some(weak) => {
                line.value = weak;
                true
            }
            None => false,
        },
        _ => true,
    });
    lines.push(line(
        header::CONTENT_ENCODING,
        "Content-Encoding",
        coding.as_str(),
    ));
    vary(lines);
    Compressed { origin_etag }
}

/// `None` for what is no entity tag.
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let bytes = tag.as_bytes();
    if bytes.starts_with(b"W/") {
        return Some(tag.clone());
    }
    let strong = bytes.starts_with(b"\"");
    strong.then(|| HeaderValue::from_bytes(&[b"W/", bytes].concat()).ok())?
}

fn line(name: HeaderName, key: &'static str, value: &'static str) -> HeaderLine {
    HeaderLine {
        name,
        key: Bytes::from_static(key.as_bytes()),
        value: HeaderValue::from_static(value),
    }
}

/// A body on its way through an encoder.
pub struct Compressor {
    encoder: Option<Encoder>,
    /// Counts it among those that are at work (CF-605).
    _at_work: Option<InFlightGuard>,
}

enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
}

impl Compressor {
    /// One for a body of `length` bytes.
    pub fn new(coding: Coding, levels: Levels, length: u64) -> Self {
        let out = Vec::new();
        let encoder = match coding {
            Coding::Gzip => Encoder::Gzip(Box::new(GzEncoder::new(
                out,
                flate2::Compression::new(levels.gzip),
            ))),
            Coding::Brotli => {
                let bits = u64::BITS - length.leading_zeros();
                let window = bits.clamp(*BROTLI_WINDOW.start(), *BROTLI_WINDOW.end());
                Encoder::Brotli(Box::new(brotli::CompressorWriter::new(
                    out,
                    4096,
                    levels.brotli,
                    window,
                )))
            }
        };
        Self {
            encoder: Some(encoder),
            _at_work: None,
        }
    }

    /// With what counts it among those that are at work, until it is dropped.
    #[must_use]
    pub fn counted(self, at_work: InFlightGuard) -> Self {
        Self {
            _at_work: Some(at_work),
            ..self
        }
    }

    /// Takes the next piece of the body, and gives what can be sent by now; at the end all that is left. Nothing comes
    /// after the end.
    pub fn push(&mut self, piece: &[u8], end: bool) -> Bytes {
        // Writing to memory does not fail.
        let out = match &mut self.encoder {
            None => return Bytes::new(),
            Some(Encoder::Gzip(encoder)) => {
                let written = encoder.write_all(piece);
                debug_assert!(written.is_ok(), "{written:?}");
                std::mem::take(encoder.get_mut())
            }
            Some(Encoder::Brotli(encoder)) => {
                let written = encoder.write_all(piece);
                debug_assert!(written.is_ok(), "{written:?}");
                std::mem::take(encoder.get_mut())
            }
        };
        if !end {
            return out.into();
        }
        let rest = match self.encoder.take() {
            Some(Encoder::Gzip(encoder)) => encoder.finish().unwrap_or_default(),
            Some(Encoder::Brotli(encoder)) => encoder.into_inner(),
            None => Vec::new(),
        };
        match out.is_empty() {
            true => rest.into(),
            false => [out, rest].concat().into(),
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.encoder {
            Some(Encoder::Gzip(_)) => "gzip",
            Some(Encoder::Brotli(_)) => "br",
            None => "done",
        })
    }
}

#[cfg(test)]
mod tests;
