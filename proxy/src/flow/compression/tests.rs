use std::{io::Read as _, sync::Arc};

use flate2::read::GzDecoder;
use fourfront_model::{
    AllowedMethods, CachedMethods, FunctionAssociations, PathPatternSlot, Ttl,
    ViewerProtocolPolicy, managed_cache_policy,
};
use http::header::{ACCEPT_ENCODING, RANGE};
use proptest::prelude::*;

use super::*;

fn behavior(policy: &str) -> CacheBehavior {
    CacheBehavior {
        path_pattern: PathPatternSlot::Default,
        target_origin: 0,
        failover: None,
        trusted_key_groups: Default::default(),
        response_headers_policy: None,
        viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
        allowed_methods: AllowedMethods::All,
        cached_methods: CachedMethods::GetHead,
        compress: true,
        grpc: false,
        cache_policy: managed_cache_policy(policy).unwrap(),
        origin_request_policy: None,
        functions: FunctionAssociations::default(),
    }
}

fn lines(fields: &[(&'static str, &'static str)]) -> Vec<HeaderLine> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| {
            line(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                name,
                value,
            )
        })
        .collect()
}

fn text(lines: &[HeaderLine]) -> Vec<String> {
    let lines = lines.iter();
    lines
        .map(|l| format!("{}: {}", l.name, l.value.to_str().unwrap()))
        .collect()
}

/// A request and an answer that is compressed, each test changing one thing.
struct Case {
    behavior: CacheBehavior,
    method: Method,
    headers: HeaderMap,
    version: Version,
    status: u16,
    lines: Vec<HeaderLine>,
    length: Option<u64>,
}

impl Case {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
        Self {
            behavior: behavior("CachingOptimized"),
            method: Method::GET,
            headers,
            version: Version::HTTP_11,
            status: 200,
            lines: lines(&[("Content-Type", "text/html; charset=utf-8")]),
            length: Some(1_000),
        }
    }

    fn choice(&self) -> Choice {
        let asked = Asked {
            method: &self.method,
            headers: &self.headers,
            version: self.version,
            ranged: self.headers.contains_key(RANGE),
        };
        let answer = Answer {
            status: self.status,
            lines: &self.lines,
            length: self.length,
        };
        choose(&self.behavior, asked, answer)
    }
}

#[test]
fn the_best_coding_that_the_viewer_takes_is_chosen() {
    // CF-546, CF-604
    for (accepted, policy, choice) in [
        (
            "gzip, br",
            "CachingOptimized",
            Choice::Compress(Coding::Brotli),
        ),
        (
            "br;q=0.1, gzip",
            "CachingOptimized",
            Choice::Compress(Coding::Brotli),
        ),
        (
            "br;q=0, gzip",
            "CachingOptimized",
            Choice::Compress(Coding::Gzip),
        ),
        ("GZIP", "CachingOptimized", Choice::Compress(Coding::Gzip)),
        ("deflate, *", "CachingOptimized", Choice::Varies),
        ("identity", "CachingOptimized", Choice::Varies),
        (
            "gzip, br",
            "CachingOptimizedForUncompressedObjects",
            Choice::AsItIs,
        ),
        // CF-545: caching disabled.
        ("gzip, br", "CachingDisabled", Choice::AsItIs),
    ] {
        let mut case = Case::new();
        case.behavior = behavior(policy);
        case.headers
            .insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        assert_eq!(case.choice(), choice, "{accepted} {policy}");
    }
    let mut case = Case::new();
    case.version = Version::HTTP_10;
    assert_eq!(case.choice(), Choice::Varies);
    case.version = Version::HTTP_2;
    assert_eq!(case.choice(), Choice::Compress(Coding::Brotli));
    let mut one = CachePolicyOf::gzip_alone();
    std::mem::swap(&mut case.behavior.cache_policy, &mut one);
    assert_eq!(case.choice(), Choice::Compress(Coding::Gzip));
    case.behavior.compress = false;
    assert_eq!(case.choice(), Choice::AsItIs);
}

struct CachePolicyOf;

impl CachePolicyOf {
    fn gzip_alone() -> Arc<fourfront_model::CachePolicy> {
        let mut policy = (*managed_cache_policy("CachingOptimized").unwrap()).clone();
        policy.accept_encoding_brotli = false;
        policy.ttl = Ttl::new(0, Some(0), Some(1)).unwrap();
        Arc::new(policy)
    }
}

#[test]
fn lengths_and_statuses_are_cloudfronts() {
    // CF-548, CF-549
    for (length, compressed) in [
        (None, false),
        (Some(0), false),
        (Some(999), false),
        (Some(1_000), true),
        (Some(10_000_000), true),
        (Some(10_000_001), false),
    ] {
        let case = Case {
            length,
            ..Case::new()
        };
        let is = matches!(case.choice(), Choice::Compress(_));
        assert_eq!(is, compressed, "{length:?}");
    }
    for status in 200..600 {
        let case = Case {
            status,
            ..Case::new()
        };
        let is = matches!(case.choice(), Choice::Compress(_));
        assert_eq!(is, matches!(status, 200 | 403 | 404), "{status}");
    }
}

#[test]
fn only_listed_types_are_compressed() {
    // CF-550
    for (value, compressed) in [
        ("text/html", true),
        ("Text/HTML ;charset=utf-8", true),
        ("application/json", true),
        ("application/wasm", true),
        ("image/svg+xml", true),
        ("vnd.apple.mpegurl", true),
        ("font/otf", true),
        ("image/png", false),
        ("application/ld+json", false),
        ("application/octet-stream", false),
        ("font/woff2", false),
        ("text/htmlx", false),
        ("", false),
    ] {
        let case = Case {
            lines: lines(&[("Content-Type", value)]),
            ..Case::new()
        };
        let is = matches!(case.choice(), Choice::Compress(_));
        assert_eq!(is, compressed, "{value}");
    }
    let none = Case {
        lines: Vec::new(),
        ..Case::new()
    };
    assert_eq!(none.choice(), Choice::AsItIs);
    let twice = [("Content-Type", "text/html"), ("Content-Type", "text/css")];
    let two = Case {
        lines: lines(&twice),
        ..Case::new()
    };
    assert_eq!(two.choice(), Choice::AsItIs);
}

#[test]
fn what_is_coded_partial_or_forbidden_stays_as_it_is() {
    // CF-545, CF-547, CF-549
    for field in [
        ("Content-Encoding", "identity"),
        ("Content-Encoding", "gzip"),
        ("Content-Range", "bytes 0-999/1000"),
        ("Cache-Control", "public, No-Transform"),
    ] {
        let mut case = Case::new();
        case.lines.extend(lines(&[field]));
        assert_eq!(case.choice(), Choice::AsItIs, "{field:?}");
    }
    // CF-541
    let mut case = Case::new();
    case.headers
        .insert(RANGE, HeaderValue::from_static("bytes=0-1"));
    assert_eq!(case.choice(), Choice::Varies);
    // CF-530
    let case = Case {
        method: Method::HEAD,
        ..Case::new()
    };
    assert_eq!(case.choice(), Choice::Varies);
    let case = Case {
        method: Method::POST,
        ..Case::new()
    };
    assert_eq!(case.choice(), Choice::AsItIs);
}

#[test]
fn a_head_says_what_became_of_the_body() {
    // CF-281, CF-552, CF-603, CF-604
    let mut head = lines(&[
        ("Content-Type", "text/html"),
        ("Content-Length", "1000"),
        ("Content-MD5", "x"),
        ("Digest", "x"),
        ("Content-Digest", "x"),
        ("Repr-Digest", "x"),
        ("ETag", "\"a\""),
        ("Vary", "Origin"),
    ]);
    let compressed = relabel(&mut head, Coding::Brotli);
    assert_eq!(compressed.origin_etag.unwrap(), "\"a\"");
    assert_eq!(
        text(&head),
        [
            "content-type: text/html",
            "etag: W/\"a\"",
            "vary: Origin",
            "content-encoding: br",
            "vary: Accept-Encoding"
        ]
    );
    for (tag, sent) in [
        ("W/\"a\"", Some("W/\"a\"")),
        ("\"\"", Some("W/\"\"")),
        ("a", None),
        ("", None),
    ] {
        let mut head = lines(&[("ETag", tag)]);
        let compressed = relabel(&mut head, Coding::Gzip);
        assert_eq!(compressed.origin_etag.unwrap(), tag);
        let left = head.iter().find(|l| l.name == header::ETAG);
        let left = left.map(|l| l.value.to_str().unwrap().to_owned());
        assert_eq!(left.as_deref(), sent, "{tag}");
    }
    for (said, added) in [
        (None, true),
        (Some("Origin, ACCEPT-encoding"), false),
        (Some("*"), false),
        (Some("Accept"), true),
    ] {
        let mut head = said.map_or_else(Vec::new, |v| lines(&[("Vary", v)]));
        let before = head.len();
        vary(&mut head);
        assert_eq!(head.len() > before, added, "{said:?}");
    }
}

fn unpacked(coding: Coding, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        Coding::Gzip => GzDecoder::new(body).read_to_end(&mut out).unwrap(),
        Coding::Brotli => brotli::Decompressor::new(body, 4096)
            .read_to_end(&mut out)
            .unwrap(),
    };
    out
}

fn packed(coding: Coding, pieces: &[Vec<u8>]) -> Vec<u8> {
    let length = pieces.iter().map(Vec::len).sum::<usize>() as u64;
    let levels = Levels { gzip: 6, brotli: 5 };
    let mut compressor = Compressor::new(coding, levels, length);
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&compressor.push(piece, false));
    }
    out.extend_from_slice(&compressor.push(b"", true));
    assert!(compressor.push(b"more", true).is_empty());
    out
}

proptest! {
    #[test]
    fn what_is_compressed_in_pieces_is_the_body(
        pieces in proptest::collection::vec(proptest::collection::vec(0..4_u8, 0..3000), 0..20),
    ) {
        // CF-551
        for coding in [Coding::Gzip, Coding::Brotli] {
            let out = packed(coding, &pieces);
            prop_assert_eq!(unpacked(coding, &out), pieces.concat());
        }
    }
}

#[test]
fn bodies_become_smaller_and_end_with_their_last_piece() {
    // CF-551, CF-606
    let page = "<li class=\"entry\">All the world is a page</li>\n".repeat(2_000);
    for coding in [Coding::Gzip, Coding::Brotli] {
        let levels = Levels {
            gzip: 9,
            brotli: 11,
        };
        let mut compressor = Compressor::new(coding, levels, page.len() as u64);
        assert_eq!(format!("{compressor:?}"), coding.as_str());
        let out = compressor.push(page.as_bytes(), true);
        assert_eq!(unpacked(coding, &out), page.as_bytes());
        assert!(out.len() < page.len() / 50, "{}", out.len());
    }
}
