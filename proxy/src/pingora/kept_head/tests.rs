//! What comes back of a head, and that nothing else does.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use fourfront_cache::{
    policy::{
        Authorization, ErrorTtls, RequestFacts, ResponseFacts, StoreRules, Varies, decide_store,
    },
    purge::{Batch, Item, Limits, Target, tags_of},
};
use fourfront_model::{CacheMode, CachePolicy, CachedMethods, CdnCc, Selection, TagSeparator, Ttl};
use fourfront_origin::OriginFault;
use http::{Method, StatusCode};
use pingora::http::ResponseHeader;
use proptest::prelude::*;

use super::{super::packed::Packed, *};

const ZONE: &str = "D1";
const LEAST: &[u8] = b"";

pub(in super::super) fn invalidations() -> Invalidations {
    Invalidations::in_memory(Limits::default()).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// When a response is fresh that came at second 1000.
pub(in super::super) fn freshness(response: &ResponseHeader) -> Freshness {
    let policy = CachePolicy {
        name: None,
        ttl: Ttl::new(0, Some(60), Some(86_400)).unwrap(),
        headers: Vec::new(),
        cookies: Selection::None,
        query_strings: Selection::None,
        accept_encoding_gzip: false,
        accept_encoding_brotli: false,
    };
    let rules = StoreRules {
        mode: CacheMode::Cloudfront,
        policy: &policy,
        cached_methods: CachedMethods::GetHead,
        errors: &ErrorTtls::default(),
        cdn_cc: &CdnCc::FIELD,
        strip_set_cookie: false,
    };
    let request = RequestFacts {
        method: &Method::GET,
        authorization: Authorization::Withheld,
    };
    let facts = ResponseFacts {
        status: StatusCode::OK,
        headers: &response.headers,
        requested: at(999),
        received: at(1_000),
        shielded: Duration::ZERO,
        varies: Varies::ByFields,
    };
    decide_store(&rules, &request, &facts).freshness().unwrap()
}

/// A head as the node stores them, with fields in the casing given.
pub(in super::super) fn head(
    invalidations: &Invalidations,
    status: u16,
    fields: &[(&str, &str)],
) -> Head {
    let mut header = ResponseHeader::build(status, None).unwrap();
    for (name, value) in fields {
        header
            .append_header((*name).to_owned(), (*value).to_owned())
            .unwrap();
    }
    let zone = invalidations.zone(ZONE);
    let fetched = zone.now();
    let tags = tags_of("x-tags", TagSeparator::Comma, [&b"red, blue"[..]]);
    let stamp = Stamp::new(zone, fetched, Target::new(b"/a", Some(b"q=1")), tags)
        .known_as(Target::new(b"/shown", None));
    let unshared = vec![HeaderName::from_static("x-once")];
    Head {
        packed: Packed::of(&header, &unshared).unwrap(),
        facts: StoredFacts::new(freshness(&header), unshared, stamp),
        created: at(1_001) + Duration::from_nanos(7),
        variance: Some([9; 16]),
    }
}

fn sample(invalidations: &Invalidations) -> Head {
    let fields = [
        ("ETag", "\"1\""),
        ("x-ONCE", "first viewer"),
        ("Set-Thing", "a"),
        ("set-thing", "b"),
        ("Cache-Control", "max-age=60, stale-while-revalidate=5"),
        ("X-Empty", ""),
        ("X-Latin", "caf\u{e9}"),
    ];
    let mut head = head(invalidations, 200, &fields);
    let mut header = head.packed.header().unwrap();
    header.set_reason_phrase(Some("Fine")).unwrap();
    head.packed = Packed::of(&header, &head.facts.unshared).unwrap();
    // CF-281
    head.facts = head.facts.with_compressed(Some(Compressed {
        origin_etag: Some(HeaderValue::from_static("\"of the origin\"")),
    }));
    head
}

#[test]
fn a_body_without_a_tag_may_be_compressed_too() {
    // CF-281
    let invalidations = invalidations();
    let mut head = sample(&invalidations);
    for compressed in [None, Some(Compressed { origin_etag: None })] {
        head.facts = head.facts.with_compressed(compressed.clone());
        let again = decode(&encode(&head).unwrap(), &invalidations).unwrap();
        assert_eq!(all_of(&again), all_of(&head));
        assert_eq!(again.facts.compressed.as_deref(), compressed.as_ref());
    }
}

fn fields_of(head: &Head) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let fields = head.packed().fields();
    fields
        .map(|(key, value)| (text(key), text(value)))
        .collect()
}

/// All that is kept of a head, to be compared.
fn all_of(head: &Head) -> impl PartialEq + std::fmt::Debug + use<> {
    let facts = head.facts();
    let mut stamp = Vec::new();
    facts.stamp.encode(&mut stamp);
    (
        fields_of(head),
        head.packed().status(),
        head.packed().description().to_owned(),
        (head.created(), head.variance()),
        facts.kept_freshness(),
        facts.unshared.clone(),
        stamp,
        facts.layout,
        facts.compressed.clone(),
    )
}

fn purge(invalidations: &Invalidations, item: &str, soft: bool) {
    let batch = Batch {
        distribution: ZONE.to_owned(),
        items: vec![Item::parse(item).unwrap()],
        tag_header: Some("x-tags".to_owned()),
        soft,
        caller_reference: item.to_owned(),
        created: at(2_000),
    };
    invalidations.create(batch).unwrap();
}

#[test]
fn a_head_comes_back_as_it_was() {
    // CF-282, LE-097, LE-196, LE-197: order, casing and repetition of fields are the origin's.
    let invalidations = invalidations();
    let head = sample(&invalidations);
    let bytes = encode(&head).unwrap();
    let back = decode(&bytes, &invalidations).unwrap();
    assert_eq!(all_of(&back), all_of(&head));
    let fields = fields_of(&back);
    assert!(fields.iter().any(|(key, _)| key == "x-ONCE"), "{fields:?}");
    assert_eq!(back.packed().description(), "Fine");
    assert_eq!(back.facts().stamp.targets().len(), 2);
    // One for no variant, and without a phrase of its own.
    let plain = Head {
        variance: None,
        ..self::head(&invalidations, 404, &[])
    };
    let back = decode(&encode(&plain).unwrap(), &invalidations).unwrap();
    assert_eq!(all_of(&back), all_of(&plain));
    assert_eq!(back.packed().description(), "Not Found");
}

#[test]
fn the_page_for_a_failure_does_not_outlive_the_process() {
    // CF-296
    let invalidations = invalidations();
    let mut head = sample(&invalidations);
    head.facts = head.facts().of_failure(OriginFault::Closed);
    assert!(encode(&head).is_none());
}

#[test]
fn what_was_invalidated_does_not_come_back_and_what_was_marked_stale_stays_so() {
    // CF-660, CF-661
    for item in ["/a?q=1", "/shown", "/sh*", "#blue", "/*"] {
        let invalidations = invalidations();
        let bytes = encode(&sample(&invalidations)).unwrap();
        purge(&invalidations, "/other", false);
        assert!(decode(&bytes, &invalidations).is_some(), "{item}");
        purge(&invalidations, item, false);
        // Told, so that the miss can say why.
        let gone = decode(&bytes, &invalidations).is_some_and(|head| head.facts().is_gone());
        assert!(gone, "{item}");
    }
    let invalidations = invalidations();
    let head = sample(&invalidations);
    purge(&invalidations, "/a?q=1", true);
    let since = |head: &Head| head.facts().freshness().fresh_until();
    let stale = since(&head);
    let bytes = encode(&head).unwrap();
    let back = decode(&bytes, &invalidations).unwrap();
    assert_eq!(since(&back), stale);
    assert_eq!(back.facts().kept_freshness(), head.facts().kept_freshness());
}

#[test]
fn the_stamp_of_another_journal_is_not_believed() {
    // CF-661
    let bytes = encode(&sample(&invalidations())).unwrap();
    assert!(decode(&bytes, &invalidations()).is_none());
}

#[test]
fn another_format_or_a_part_is_refused() {
    // CF-532
    let invalidations = invalidations();
    let bytes = encode(&sample(&invalidations)).unwrap();
    for format in (0..=u8::MAX).filter(|f| *f != FORMAT) {
        let mut other = bytes.to_vec();
        other[0] = format;
        assert!(decode(&other, &invalidations).is_none(), "{format}");
    }
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end], &invalidations).is_none(), "{end}");
    }
}

/// The bytes of something that no node writes.
fn forged(invalidations: &Invalidations, change: impl FnOnce(&mut Kept<'_>)) -> Vec<u8> {
    let head = sample(invalidations);
    let mut stamp = Vec::new();
    head.facts().stamp.encode(&mut stamp);
    let mut kept = Kept {
        created: head.created(),
        variance: None,
        status: 200,
        reason: None,
        fields: vec![(b"A", b"1")],
        freshness: head.facts().kept_freshness(),
        unshared: vec![],
        stamp: &stamp,
        layout: None,
        compressed: None,
    };
    change(&mut kept);
    postcard::to_extend(&kept, vec![FORMAT]).unwrap()
}

#[test]
fn a_record_that_no_node_writes_is_refused() {
    // CF-532: nothing on disk ends the process, nor puts into a message what does not belong there.
    let invalidations = invalidations();
    let refused = |what: &str, change: fn(&mut Kept<'_>)| {
        let bytes = forged(&invalidations, change);
        assert!(decode(&bytes, &invalidations).is_none(), "{what}");
    };
    assert!(decode(&forged(&invalidations, |_| ()), &invalidations).is_some());
    refused("no such status", |k| k.status = 99);
    refused("no such status", |k| k.status = 1_000);
    refused("a phrase of two lines", |k| k.reason = Some("OK\r\nX: 1"));
    refused("no name", |k| k.fields.push((LEAST, b"1")));
    refused("no name", |k| k.fields.push((b"a b", b"1")));
    refused("no value", |k| k.fields.push((b"a", b"1\n2")));
    refused("no unshared name", |k| k.unshared.push("a b"));
    refused("no tag", |k| k.compressed = Some(Some(b"1\n2")));
    refused("no stamp", |k| k.stamp = LEAST);
    // More than the maps of fields can hold, and more than they can be made for.
    for fields in [25_000, 40_000, 100_000] {
        let many = forged(&invalidations, |k| k.fields = vec![(b"a", LEAST); fields]);
        assert!(decode(&many, &invalidations).is_none(), "{fields}");
    }
}

proptest! {
    /// CF-532: bytes that a disk has changed are a head or are none; neither ends the process.
    #[test]
    fn damage_never_panics(
        flips in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
        cut in any::<prop::sample::Index>(),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let invalidations = Arc::new(invalidations());
        let bytes = encode(&sample(&invalidations)).unwrap();
        let mut damaged = bytes.to_vec();
        for (place, mask) in flips {
            let place = place.index(damaged.len());
            damaged[place] ^= mask;
        }
        if let Some(head) = decode(&damaged, &invalidations) {
            // What it says can be written and judged.
            prop_assert!(encode(&head).is_some());
            head.facts().freshness().judge(at(5_000));
            let packed = head.packed();
            packed.put(&mut Vec::new(), &["etag"]);
            packed.lines(&["etag"], 0);
            packed.with_vary(|vary| vary.len());
            prop_assert_eq!(&packed.header().unwrap().headers, &packed.headers());
        }
        let mut other = bytes[..cut.index(bytes.len())].to_vec();
        other.extend(tail);
        drop(decode(&other, &invalidations));
    }

    /// CF-532: so are any bytes behind the right first one.
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[FORMAT], &bytes[..]].concat();
        prop_assert!(decode(&bytes, &invalidations()).is_none());
    }
}
