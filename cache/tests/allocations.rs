//! The hit path allocates nothing: key, lookup, judging, reading. A process of its own, since counting
//! allocations takes a global allocator.

use std::time::{Duration, SystemTime};

use allocation_counter::measure;
use bytes::Bytes;
use fourfront_cache::{
    key::{KeyRequest, KeySecret, Signatures, cache_key},
    memory::{Filled, HeadRecord, Lookup, MemoryLimits, MemoryTier},
    policy::{
        Authorization, ErrorTtls, Freshness, Precondition, RangeAnswer, RequestFacts,
        ResponseFacts, StoreRules, Varies, Verdict, decide_store, evaluate_preconditions,
        evaluate_range,
    },
    purge::{Batch, Invalidations, Item, Limits, Stamp, Standing, Target, tags_of},
};
use fourfront_model::{CacheMode, CachePolicy, CachedMethods, CdnCc, Selection, TagSeparator, Ttl};
use http::{HeaderMap, Method, StatusCode, Version, header};

struct Head(Freshness);

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

#[test]
fn a_hit_allocates_nothing() {
    // CF-256, CF-161, CF-167, CF-170, CF-171, CF-182
    let policy = CachePolicy {
        name: None,
        ttl: Ttl::new(0, None, None).unwrap(),
        headers: ["accept-language", "origin", "x-device"]
            .map(String::from)
            .to_vec(),
        cookies: Selection::All,
        query_strings: Selection::Whitelist(["w", "h"].map(String::from).to_vec()),
        accept_encoding_gzip: true,
        accept_encoding_brotli: true,
    };
    let mut fields = HeaderMap::new();
    for (name, value) in [
        ("accept-language", "en-GB"),
        ("origin", "https://a.test"),
        ("accept-encoding", "gzip, br"),
        ("cookie", "b=2; a=1; c=3"),
    ] {
        fields.insert(name, value.parse().unwrap());
    }
    let request = KeyRequest {
        distribution: "E1",
        method: &Method::GET,
        path: b"/img/a.webp",
        query: Some(b"w=1&x=2&h=3&y=4&z=5"),
        headers: &fields,
        generated: &[],
        version: Version::HTTP_11,
        signatures: Signatures::Ordinary,
    };
    let secret = KeySecret::from_bytes([7; 16]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut stored = HeaderMap::new();
    stored.insert(header::CACHE_CONTROL, "max-age=60".parse().unwrap());
    stored.insert(header::ETAG, "\"1\"".parse().unwrap());
    let rules = StoreRules {
        mode: CacheMode::Rfc9111,
        policy: &policy,
        cached_methods: CachedMethods::GetHead,
        errors: &ErrorTtls::default(),
        cdn_cc: &CdnCc::FIELD,
        strip_set_cookie: false,
    };
    let asked = RequestFacts {
        method: &Method::GET,
        authorization: Authorization::Withheld,
    };
    let answered = ResponseFacts {
        status: StatusCode::OK,
        headers: &stored,
        requested: now,
        received: now,
        shielded: Duration::ZERO,
        varies: Varies::ByFields,
    };
    let freshness = decide_store(&rules, &asked, &answered).freshness().unwrap();

    let tier = MemoryTier::new(MemoryLimits::of_capacity(1024 * 1024)).unwrap();
    let key = cache_key(&secret, &policy, &request).unwrap();
    let mut fill = tier.begin_fill(key, Head(freshness), Some(1024)).unwrap();
    fill.append(Bytes::from(vec![b'x'; 1024])).unwrap();
    assert!(matches!(fill.finish().unwrap(), Filled::Stored(_)));
    tier.settle();

    let hit = || {
        let key = cache_key(&secret, &policy, &request).unwrap();
        let Lookup::Found(object) = tier.lookup(&key) else {
            panic!("the object was stored");
        };
        assert_eq!(object.head().0.judge(now), Verdict::Fresh);
        let method = &Method::GET;
        let condition = evaluate_preconditions(method, &fields, StatusCode::OK, &stored);
        assert_eq!(condition, Precondition::Proceed);
        let range = evaluate_range(method, &fields, StatusCode::OK, &stored, Some(1024));
        assert_eq!(range, RangeAnswer::Full);
        object.body().read().map(|chunk| chunk.len()).sum::<usize>()
    };
    assert_eq!(hit(), 1024);
    // The counter counts.
    assert_eq!(
        measure(|| drop(std::hint::black_box(vec![0_u8; 8]))).count_total,
        1
    );
    let counted = measure(|| assert_eq!(hit(), 1024));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn asking_whether_an_object_was_invalidated_allocates_nothing() {
    // CF-660, CF-662
    let all = Invalidations::in_memory(Limits::default()).unwrap();
    let zone = all.zone("E1");
    let object = || {
        let tags = tags_of("cache-tag", TagSeparator::Comma, [&b"a,b,c"[..]]);
        let target = Target::new(b"/img/a.webp", Some(b"w=1"));
        Stamp::new(zone.clone(), zone.now(), target, tags)
    };
    let (left, stale, gone) = (object(), object(), object());
    let invalidate = |items: &[&str], soft| {
        let batch = Batch {
            distribution: "E1".to_owned(),
            items: items.iter().map(|i| Item::parse(i).unwrap()).collect(),
            tag_header: Some("cache-tag".to_owned()),
            soft,
            caller_reference: items.concat(),
            created: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        };
        all.create(batch).unwrap();
    };
    let asked = |stamp: &Stamp| {
        let mut standing = Standing::Valid;
        let info = measure(|| standing = stamp.standing());
        assert_eq!(info.count_total, 0, "{standing:?}");
        standing
    };
    assert_eq!(asked(&left), Standing::Valid);
    invalidate(&["/img/b*", "/img/a.webp", "#d", "/i*x"], false);
    for stamp in [&left, &stale, &gone] {
        // The first time it is looked up, the second time that is remembered.
        assert_eq!(asked(stamp), Standing::Valid);
        assert_eq!(asked(stamp), Standing::Valid);
    }
    invalidate(&["/img/*"], true);
    assert!(matches!(asked(&stale), Standing::Stale { .. }));
    assert!(matches!(asked(&stale), Standing::Stale { .. }));
    invalidate(&["#b"], false);
    assert!(matches!(asked(&gone), Standing::Gone { .. }));
    assert!(matches!(asked(&gone), Standing::Gone { .. }));
}
