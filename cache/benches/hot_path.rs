//! What a hit costs inside this crate: the key, the freshness decision, the memory tier.
//!
//! `cargo bench -p fourfront-cache`

use std::{
    hint::black_box,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use fourfront_cache::{
    key::{CacheKey, KeyRequest, KeySecret, Signatures, cache_key},
    memory::{HeadRecord, Lookup, MemoryLimits, MemoryTier},
    policy::{
        Authorization, ErrorTtls, RequestFacts, ResponseFacts, StoreRules, Varies, decide_store,
    },
    purge::{Invalidations, Limits, Stamp, Target},
};
use fourfront_model::{
    CacheMode, CachePolicy, CachedMethods, CdnCc, Selection, Ttl, managed_cache_policy,
};
use http::{HeaderMap, Method, StatusCode, Version};

struct Head;

impl HeadRecord for Head {
    fn weight(&self) -> usize {
        500
    }
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        if let Ok(value) = value.parse() {
            headers.append(*name, value);
        }
    }
    headers
}

/// Fields a browser sends.
fn browser() -> HeaderMap {
    headers(&[
        ("host", "www.example.com"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130 Safari/537.36",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-GB,en;q=0.5"),
        ("origin", "https://www.example.com"),
        ("x-device", "mobile"),
        ("cookie", "session=0123456789abcdef; theme=dark"),
    ])
}

fn request<'a>(headers: &'a HeaderMap, query: Option<&'a [u8]>) -> KeyRequest<'a> {
    KeyRequest {
        distribution: "E2QWRUHAPOMQZL",
        method: &Method::GET,
        path: b"/assets/img/2026/header-background.webp",
        query,
        headers,
        generated: &[],
        version: Version::HTTP_11,
        signatures: Signatures::Ordinary,
    }
}

/// Five parameters of which three are listed, three headers, two codings.
fn wide_policy() -> Option<CachePolicy> {
    Some(CachePolicy {
        name: None,
        ttl: Ttl::new(0, None, None).ok()?,
        headers: ["accept-language", "origin", "x-device"]
            .map(String::from)
            .to_vec(),
        cookies: Selection::None,
        query_strings: Selection::Whitelist(["w", "h", "fmt"].map(String::from).to_vec()),
        accept_encoding_gzip: true,
        accept_encoding_brotli: true,
    })
}

fn keys(c: &mut Criterion) {
    let secret = KeySecret::from_bytes([7; 16]);
    let headers = browser();
    let mut group = c.benchmark_group("key");
    if let Some(policy) = managed_cache_policy("CachingOptimizedForUncompressedObjects") {
        let request = request(&headers, None);
        group.bench_function("plain_path", |b| {
            b.iter(|| cache_key(&secret, &policy, black_box(&request)));
        });
    }
    if let Some(policy) = managed_cache_policy("CachingOptimized") {
        let request = request(&headers, None);
        group.bench_function("path_and_accept_encoding", |b| {
            b.iter(|| cache_key(&secret, &policy, black_box(&request)));
        });
    }
    if let Some(mut policy) = wide_policy() {
        let request = request(&headers, Some(b"utm_source=mail&w=1200&h=630&fmt=webp&v=3"));
        group.bench_function("five_parameters_three_headers", |b| {
            b.iter(|| cache_key(&secret, &policy, black_box(&request)));
        });
        policy.cookies = Selection::All;
        group.bench_function("five_parameters_three_headers_cookies", |b| {
            b.iter(|| cache_key(&secret, &policy, black_box(&request)));
        });
    }
    group.finish();
}

fn freshness(c: &mut Criterion) {
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let response = headers(&[
        ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        (
            "cache-control",
            "public, max-age=3600, stale-while-revalidate=60",
        ),
        ("etag", "\"0123456789abcdef\""),
        ("last-modified", "Thu, 14 Jan 2027 08:00:00 GMT"),
        ("content-type", "image/webp"),
        ("content-length", "1024"),
    ]);
    let errors = ErrorTtls::default();
    let request = RequestFacts {
        method: &Method::GET,
        authorization: Authorization::Withheld,
    };
    let facts = ResponseFacts {
        status: StatusCode::OK,
        headers: &response,
        requested: received,
        received,
        shielded: Duration::ZERO,
        varies: Varies::ByFields,
    };
    let Some(policy) = managed_cache_policy("CachingOptimized") else {
        return;
    };
    let mut group = c.benchmark_group("freshness");
    for (name, mode) in [
        ("decide_store_cloudfront", CacheMode::Cloudfront),
        ("decide_store_rfc9111", CacheMode::Rfc9111),
    ] {
        let rules = StoreRules {
            mode,
            policy: &policy,
            cached_methods: CachedMethods::GetHead,
            errors: &errors,
            cdn_cc: &CdnCc::FIELD,
            strip_set_cookie: false,
        };
        group.bench_function(name, |b| {
            b.iter(|| decide_store(&rules, &request, black_box(&facts)));
        });
        if let Some(freshness) = decide_store(&rules, &request, &facts).freshness() {
            let now = received + Duration::from_secs(60);
            group.bench_function(name.replace("decide_store", "judge"), |b| {
                b.iter(|| black_box(&freshness).judge(black_box(now)));
            });
        }
    }
    group.finish();
}

fn fill(tier: &MemoryTier<Head>, key: CacheKey, body: &Bytes) -> Option<()> {
    let mut fill = tier.begin_fill(key, Head, Some(body.len() as u64)).ok()?;
    fill.append(body.clone()).ok()?;
    fill.finish().ok()?;
    Some(())
}

fn hit(tier: &MemoryTier<Head>, key: &CacheKey) -> usize {
    match tier.lookup(key) {
        Lookup::Found(object) => object.body().read().map(|chunk| chunk.len()).sum(),
        Lookup::Filling(_) | Lookup::Absent => 0,
    }
}

fn contiguous_hit(tier: &MemoryTier<Head>, key: &CacheKey) -> Option<Bytes> {
    match tier.lookup(key) {
        Lookup::Found(object) => object.body().contiguous().cloned(),
        Lookup::Filling(_) | Lookup::Absent => None,
    }
}

fn memory(c: &mut Criterion) {
    let Ok(tier) = MemoryTier::<Head>::new(MemoryLimits::of_capacity(256 * 1024 * 1024)) else {
        return;
    };
    let secret = KeySecret::from_bytes([7; 16]);
    let headers = browser();
    let Some(policy) = managed_cache_policy("CachingOptimized") else {
        return;
    };
    let request = request(&headers, None);
    let Some(key) = cache_key(&secret, &policy, &request) else {
        return;
    };
    let body = Bytes::from(vec![b'x'; 1024]);
    for n in 0..10_000_u128 {
        fill(
            &tier,
            CacheKey::from_bytes((n * 0x9E37_79B9_7F4A_7C15).to_le_bytes()),
            &body,
        );
    }
    fill(&tier, key, &body);
    tier.settle();
    let mut group = c.benchmark_group("memory");
    group.bench_function("hit_1k", |b| b.iter(|| hit(&tier, black_box(&key))));
    group.bench_function("contiguous_hit_1k", |b| {
        b.iter(|| contiguous_hit(&tier, black_box(&key)));
    });
    group.bench_function("key_and_hit_1k", |b| {
        b.iter(|| {
            cache_key(&secret, &policy, black_box(&request)).map_or(0, |key| hit(&tier, &key))
        });
    });
    let absent = CacheKey::from_bytes([9; 16]);
    group.bench_function("miss", |b| b.iter(|| hit(&tier, black_box(&absent))));
    group.bench_function("fill_1k", |b| b.iter(|| fill(&tier, black_box(key), &body)));
    group.finish();
}

/// What is asked of a stored object before it answers (CF-660, CF-807): by far most hits are `current`.
fn stamps(c: &mut Criterion) {
    let Ok(all) = Invalidations::in_memory(Limits::default()) else {
        return;
    };
    let zone = all.zone("E1");
    let target = |n: usize| Target::new(format!("/assets/{n}.html").as_bytes(), None);
    let object = Stamp::new(zone.clone(), zone.now(), target(1), Vec::new());
    let others: Vec<_> = (2..100_002).map(target).collect();
    let mut group = c.benchmark_group("stamp");
    group.bench_function("current", |b| b.iter(|| black_box(&object).standing()));
    let mut next = others.iter().cycle();
    group.bench_function("change", |b| {
        b.iter(|| next.next().map(|url| zone.change(black_box(url))));
    });
    group.bench_function("change_and_look_up", |b| {
        b.iter(|| {
            next.next().map(|url| zone.change(black_box(url)));
            object.standing()
        });
    });
    group.finish();
}

criterion_group!(benches, keys, freshness, memory, stamps);
criterion_main!(benches);
