//! The tables of CF sections 3.2, 3.6 and 10.3, row by row.

use fourfront_model::{CachePolicy, CachedMethods, CdnCc, Heuristic, Selection, Ttl};
use http::HeaderValue;

use super::*;
use crate::policy::{Authorization, ErrorTtls, OriginClass, Varies, Verdict};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn http_date(offset: i64) -> String {
    let shift = Duration::from_secs(offset.unsigned_abs());
    let at = if offset < 0 {
        now() - shift
    } else {
        now() + shift
    };
    httpdate::fmt_http_date(at)
}

fn policy(min: u64, default: u64, max: u64) -> CachePolicy {
    CachePolicy {
        name: None,
        ttl: Ttl::new(min, Some(default), Some(max)).unwrap(),
        headers: Vec::new(),
        cookies: Selection::None,
        query_strings: Selection::None,
        accept_encoding_gzip: false,
        accept_encoding_brotli: false,
    }
}

/// One decision, with everything but the interesting part at its default.
struct Case {
    mode: CacheMode,
    ttl: (u64, u64, u64),
    heuristic: Heuristic,
    method: Method,
    status: u16,
    headers: HeaderMap,
    authorization: Authorization,
    errors: ErrorTtls,
    shielded: u64,
}

impl Case {
    /// Fields are written `name: value`, several separated by `|`.
    fn new(mode: CacheMode, ttl: (u64, u64, u64), status: u16, fields: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, http_date(0).parse().unwrap());
        for field in fields.split('|').filter(|f| !f.is_empty()) {
            let (name, value) = field.split_once(':').unwrap();
            let name: HeaderName = name.trim().parse().unwrap();
            let value: HeaderValue = value.trim().parse().unwrap();
            if name == header::DATE {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        Self {
            mode,
            ttl,
            heuristic: Heuristic::default(),
            method: Method::GET,
            status,
            headers,
            authorization: Authorization::Withheld,
            errors: ErrorTtls::default(),
            shielded: 0,
        }
    }

    fn decide(&self) -> Storability {
        let mut policy = policy(self.ttl.0, self.ttl.1, self.ttl.2);
        policy.ttl = policy.ttl.with_heuristic(self.heuristic);
        let rules = StoreRules {
            mode: self.mode,
            policy: &policy,
            cached_methods: CachedMethods::GetHead,
            errors: &self.errors,
            cdn_cc: &CdnCc::FIELD,
            strip_set_cookie: false,
        };
        let request = RequestFacts {
            method: &self.method,
            authorization: self.authorization,
        };
        let response = ResponseFacts {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: &self.headers,
            requested: now(),
            received: now(),
            shielded: Duration::from_secs(self.shielded),
            varies: Varies::of(self.headers.get_all(header::VARY)),
        };
        decide_store(&rules, &request, &response)
    }

    fn fresh(&self) -> Freshness {
        self.decide().freshness().unwrap()
    }
}

fn cloudfront(ttl: (u64, u64, u64), status: u16, fields: &str) -> Case {
    Case::new(CacheMode::Cloudfront, ttl, status, fields)
}

fn rfc(status: u16, fields: &str) -> Case {
    Case::new(CacheMode::Rfc9111, (0, 86_400, 31_536_000), status, fields)
}

/// Lifetime in seconds, or why not.
fn outcome(case: &Case) -> Result<u64, Refusal> {
    match case.decide() {
        Storability::Store(f) => Ok(f.lifetime().as_secs()),
        Storability::DoNotStore(refusal) => Err(refusal),
    }
}

const OPEN: (u64, u64, u64) = (0, 86_400, 31_536_000);
const NARROW: (u64, u64, u64) = (60, 300, 600);

#[test]
fn the_worked_examples_of_the_specification() {
    // CF-235, CF-236, CF-237, CF-238, CF-239, CF-240
    let past = format!("expires: {}", http_date(-100));
    type Row<'a> = ((u64, u64, u64), &'a str, Result<u64, Refusal>);
    let rows: &[Row<'_>] = &[
        (OPEN, "cache-control: max-age=60", Ok(60)),
        (OPEN, "cache-control: max-age=60,s-maxage=5", Ok(5)),
        (OPEN, "", Ok(86_400)),
        // A lifetime of zero; AMB-16 says such a response is not even kept for outages.
        (
            OPEN,
            "cache-control: private,max-age=60",
            Err(Refusal::Private),
        ),
        (NARROW, "", Ok(300)),
        (NARROW, "cache-control: max-age=5", Ok(60)),
        (NARROW, "cache-control: max-age=1000", Ok(600)),
        (NARROW, "cache-control: no-store", Ok(60)),
        (NARROW, &past, Ok(60)),
        ((600, 600, 600), "", Ok(600)),
    ];
    for (ttl, fields, want) in rows {
        assert_eq!(
            outcome(&cloudfront(*ttl, 200, fields)),
            *want,
            "{ttl:?} {fields}"
        );
    }
}

#[test]
fn the_ttl_table_of_mode_cloudfront() {
    // CF-235, CF-236, CF-237, CF-238, CF-239, CF-240, CF-245, CF-246, CF-247, CF-248, CF-249, CF-251, CF-252
    let soon = format!("expires: {}", http_date(120));
    let later = format!("expires: {}", http_date(5_000));
    let modified = format!("last-modified: {}", http_date(-1_000_000));
    type Row<'a> = (&'a str, Result<u64, Refusal>, Result<u64, Refusal>);
    // Columns: fields, Min = 0 with Max = 1000, Min = 60 with Max = 600.
    let rows: &[Row<'_>] = &[
        ("cache-control: max-age=5000", Ok(1_000), Ok(600)),
        ("cache-control: s-maxage=120", Ok(120), Ok(120)),
        ("cache-control: s-maxage=5", Ok(5), Ok(60)),
        (&soon, Ok(120), Ok(120)),
        (&later, Ok(1_000), Ok(600)),
        ("expires: 0", Ok(0), Ok(60)),
        ("cache-control: max-age=0", Ok(0), Ok(60)),
        ("cache-control: s-maxage=0", Ok(0), Ok(60)),
        ("cache-control: max-age=junk", Ok(0), Ok(60)),
        ("cache-control: public", Ok(500), Ok(300)),
        ("cache-control: must-revalidate", Ok(500), Ok(300)),
        ("cache-control: immutable, no-transform", Ok(500), Ok(300)),
        ("cache-control: must-understand, max-age=70", Ok(70), Ok(70)),
        ("cache-control: no-cache", Ok(0), Ok(60)),
        ("cache-control: no-cache, max-age=100", Ok(0), Ok(60)),
        ("cache-control: no-store", Err(Refusal::NoStore), Ok(60)),
        ("cache-control: private", Err(Refusal::Private), Ok(60)),
        (
            "cache-control: private=\"x\"",
            Err(Refusal::Private),
            Ok(60),
        ),
        ("cache-control: no-cache=\"set-cookie\"", Ok(500), Ok(300)),
        (
            "cache-control: no-cache=\"set-cookie\", max-age=90",
            Ok(90),
            Ok(90),
        ),
        ("pragma: no-cache", Ok(500), Ok(300)),
        (&modified, Ok(500), Ok(300)),
        ("cdn-cache-control: no-store", Ok(500), Ok(300)),
        ("surrogate-control: max-age=1", Ok(500), Ok(300)),
    ];
    for (fields, open, narrow) in rows {
        let got = outcome(&cloudfront((0, 500, 1_000), 200, fields));
        assert_eq!(got, *open, "Min 0: {fields}");
        assert_eq!(
            outcome(&cloudfront(NARROW, 200, fields)),
            *narrow,
            "Min 60: {fields}"
        );
    }
}

#[test]
fn expires_counts_from_date_and_yields_to_directives() {
    // CF-237, CF-243
    let expires = |offset| format!("expires: {}", http_date(offset));
    let dated = format!("{}|date: {}", expires(50), http_date(-10));
    // Sixty seconds, ten of which are over.
    let case = cloudfront(OPEN, 200, &dated);
    assert_eq!(outcome(&case), Ok(60));
    assert_eq!(case.fresh().ttl(now()), 50);
    // Without `Date` the time of receipt stands in.
    let mut case = cloudfront(OPEN, 200, &expires(50));
    case.headers.remove(header::DATE);
    assert_eq!(outcome(&case), Ok(50));
    let both = format!("{}|cache-control: max-age=7", expires(50));
    assert_eq!(outcome(&cloudfront(OPEN, 200, &both)), Ok(7));
}

#[test]
fn any_2xx_or_3xx_is_kept_for_the_default_ttl_except_206_and_304() {
    // CF-217, CF-220
    for status in [200, 201, 204, 299, 300, 301, 302, 303, 307, 308] {
        assert_eq!(
            outcome(&cloudfront(OPEN, status, "")),
            Ok(86_400),
            "{status}"
        );
    }
    let partial = cloudfront(OPEN, 206, "cache-control: max-age=60");
    assert_eq!(outcome(&partial), Err(Refusal::Partial));
    for status in [100, 103, 304, 600] {
        let case = cloudfront(OPEN, status, "cache-control: max-age=60");
        assert_eq!(outcome(&case), Err(Refusal::Status), "{status}");
    }
}

#[test]
fn disabled_caching_and_uncached_methods_store_nothing_in_either_mode() {
    // CF-114, CF-215, CF-216, CF-298
    for mode in [CacheMode::Cloudfront, CacheMode::Rfc9111] {
        for status in [200, 404] {
            let case = Case::new(mode, (0, 0, 0), status, "cache-control: max-age=60");
            assert_eq!(outcome(&case), Err(Refusal::CachingDisabled));
        }
        for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
            let mut case = Case::new(mode, OPEN, 200, "cache-control: max-age=60");
            case.method = method;
            assert_eq!(outcome(&case), Err(Refusal::Method));
        }
    }
    let (disabled, open) = (policy(0, 0, 0), policy(0, 1, 1));
    let errors = ErrorTtls::default();
    let mut rules = StoreRules {
        mode: CacheMode::Cloudfront,
        policy: &disabled,
        cached_methods: CachedMethods::GetHeadOptions,
        errors: &errors,
        cdn_cc: &CdnCc::FIELD,
        strip_set_cookie: false,
    };
    assert_eq!(may_use_cache(&rules, &Method::GET), Err(Reason::TtlZero));
    rules.policy = &open;
    assert_eq!(may_use_cache(&rules, &Method::OPTIONS), Ok(()));
    assert_eq!(may_use_cache(&rules, &Method::POST), Err(Reason::Method));
}

#[test]
fn set_cookie_authorization_and_vary_do_not_prevent_storing_in_mode_cloudfront() {
    // CF-225, CF-226, CF-227, CF-228
    let mut case = cloudfront(
        OPEN,
        200,
        "cache-control: max-age=60|set-cookie: a=b|vary: cookie|content-encoding: br",
    );
    case.authorization = Authorization::Forwarded;
    assert_eq!(outcome(&case), Ok(60));
}

#[test]
fn vary_star_is_fetched_in_full_each_time_unless_a_minimum_holds() {
    // CF-313
    let case = cloudfront(OPEN, 200, "cache-control: max-age=60|vary: accept, *");
    assert_eq!(
        (outcome(&case), case.fresh().reuse()),
        (Ok(0), Reuse::Refetch)
    );
    let case = cloudfront(NARROW, 200, "cache-control: max-age=60|vary: *");
    assert_eq!(
        (outcome(&case), case.fresh().reuse()),
        (Ok(60), Reuse::Validate)
    );
}

#[test]
fn the_origins_age_counts_against_its_own_lifetime_but_not_against_the_policys() {
    // CF-244, CF-830, RFC 9111 section 4.2.3
    let left = |ttl, fields: &str| cloudfront(ttl, 200, fields).fresh().ttl(now());
    assert_eq!(left(OPEN, "cache-control: max-age=60|age: 20"), 40);
    assert_eq!(left(OPEN, "cache-control: max-age=60|age: 90"), -30);
    assert_eq!(left(NARROW, "cache-control: max-age=100|age: 90"), 60);
    assert_eq!(left(NARROW, "age: 90"), 300);
    assert_eq!(left(NARROW, "cache-control: max-age=5000|age: 90"), 600);
    // A lower maximum never keeps a response longer.
    assert_eq!(left(NARROW, "cache-control: max-age=1000|age: 900"), 100);
    assert_eq!(left(NARROW, "cache-control: no-store|age: 90"), 60);
    // The larger of `Age` and the time since `Date` counts; junk in `Age` does not.
    let dated = format!("cache-control: max-age=60|age: 5|date: {}", http_date(-30));
    assert_eq!(left(OPEN, &dated), 30);
    assert_eq!(left(OPEN, "cache-control: max-age=60|age: x"), 60);
    assert_eq!(left(OPEN, "cache-control: max-age=60|age: 7, 9"), 53);
}

#[test]
fn two_tiers_keep_a_response_no_longer_than_one() {
    // CF-415, CF-244
    let left = |mode, ttl, shielded, fields: &str| {
        let case = Case {
            shielded,
            ..Case::new(mode, ttl, 200, fields)
        };
        case.fresh().ttl(now())
    };
    for mode in [CacheMode::Cloudfront, CacheMode::Rfc9111] {
        // 100 of its 120 seconds at the shield, or of those that the policy gives.
        let own = "cache-control: max-age=120|age: 100";
        assert_eq!(left(mode, OPEN, 100, own), 20);
        assert_eq!(left(mode, NARROW, 100, "age: 100"), 200);
        let long = "cache-control: max-age=5000|age: 100";
        assert_eq!(left(mode, NARROW, 100, long), 500);
        // It was ten seconds old when the shield got it.
        assert_eq!(left(mode, NARROW, 90, "age: 100"), 210);
    }
    let short = "cache-control: max-age=5|age: 40";
    assert_eq!(left(CacheMode::Cloudfront, NARROW, 40, short), 20);
}

#[test]
fn the_wait_for_the_head_is_part_of_the_age() {
    // RFC 9111 section 4.2.3, CF-830
    let policy = policy(0, 60, 60);
    let errors = ErrorTtls::default();
    let rules = StoreRules {
        mode: CacheMode::Rfc9111,
        policy: &policy,
        cached_methods: CachedMethods::GetHead,
        errors: &errors,
        cdn_cc: &CdnCc::FIELD,
        strip_set_cookie: false,
    };
    let request = RequestFacts {
        method: &Method::GET,
        authorization: Authorization::Withheld,
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::AGE, HeaderValue::from_static("4"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("max-age=30"),
    );
    let response = ResponseFacts {
        status: StatusCode::OK,
        headers: &headers,
        requested: now() - Duration::from_secs(3),
        received: now(),
        shielded: Duration::ZERO,
        varies: Varies::ByFields,
    };
    let f = decide_store(&rules, &request, &response)
        .freshness()
        .unwrap();
    assert_eq!(f.age_seconds(now()), 7);
}

#[test]
fn the_error_table_of_mode_cloudfront() {
    // CF-219, CF-290, CF-291, CF-292, CF-293, CF-294, CF-295, CF-296, CF-302
    let no = Err(Refusal::ErrorNotCached);
    let expires = format!("expires: {}", http_date(40));
    type Row<'a> = (&'a str, [Result<u64, Refusal>; 4]);
    // Columns: 404, 503, 403, 429.
    let rows: &[Row<'_>] = &[
        ("", [Ok(10), Ok(10), no, no]),
        ("cache-control: max-age=40", [Ok(40), Ok(40), Ok(40), no]),
        ("cache-control: s-maxage=40", [Ok(40), Ok(40), Ok(40), no]),
        (&expires, [Ok(40), Ok(40), Ok(40), no]),
        ("cache-control: max-age=4", [Ok(10), Ok(10), Ok(10), no]),
        ("cache-control: max-age=0", [Ok(10), Ok(10), Ok(10), no]),
        // The maximum caps what the origin gave.
        (
            "cache-control: max-age=9000",
            [Ok(600), Ok(600), Ok(600), no],
        ),
        (
            "cache-control: no-store",
            [Err(Refusal::NoStore), Ok(10), Err(Refusal::NoStore), no],
        ),
        (
            "cache-control: private",
            [Err(Refusal::Private), Ok(10), Err(Refusal::Private), no],
        ),
        ("cache-control: no-cache", [no, Ok(10), no, no]),
        (
            "cache-control: no-store, max-age=40",
            [Err(Refusal::NoStore), Ok(10), Ok(40), no],
        ),
        (
            "cache-control: private, max-age=40",
            [Err(Refusal::Private), Ok(10), Ok(40), no],
        ),
    ];
    let columns: [&[u16]; 4] = [
        &[404, 410, 414, 501],
        &[500, 502, 503, 504],
        &[400, 403, 405, 412, 415],
        &[401, 406, 408, 416, 418, 429, 451, 499, 505, 599],
    ];
    for (fields, wants) in rows {
        for (statuses, want) in columns.iter().zip(wants) {
            for status in *statuses {
                // A minimum and a default that would show if they were applied (CF-298).
                let got = outcome(&cloudfront((60, 300, 600), *status, fields));
                assert_eq!(got, *want, "{status} {fields}");
            }
        }
    }
}

#[test]
fn a_configured_error_time_counts_and_zero_switches_error_caching_off() {
    // CF-290, CF-297, CF-298
    let with = |status, seconds, fields: &str| {
        let mut case = cloudfront(OPEN, status, fields);
        case.errors = ErrorTtls::default().with(StatusCode::from_u16(status).unwrap(), seconds);
        outcome(&case)
    };
    assert_eq!(with(404, 300, ""), Ok(300));
    assert_eq!(with(404, 300, "cache-control: max-age=40"), Ok(300));
    assert_eq!(with(404, 0, ""), Err(Refusal::ErrorNotCached));
    assert_eq!(
        with(503, 0, "cache-control: no-store"),
        Err(Refusal::ErrorNotCached)
    );
    // The larger of the two still counts when the configured one is zero.
    assert_eq!(with(404, 0, "cache-control: max-age=40"), Ok(40));
    // A configured time beyond the maximum is not cut.
    let mut case = cloudfront((0, 5, 20), 404, "");
    case.errors = ErrorTtls::default().with(StatusCode::NOT_FOUND, 300);
    assert_eq!(outcome(&case), Ok(300));
    case.errors = ErrorTtls::new(OriginClass::S3).with(StatusCode::NOT_FOUND, 0);
    assert_eq!(outcome(&case), Ok(1));
    assert_eq!(case.fresh().on_error(), OnError::Never);
}

#[test]
fn stale_directives_of_mode_cloudfront() {
    // CF-245, CF-265, CF-267, CF-269, CF-270, CF-276
    let secs = Duration::from_secs;
    let of = |ttl, fields: &str| {
        let f = cloudfront(ttl, 200, fields).fresh();
        (f.while_revalidating(), f.on_error())
    };
    let zero = Duration::ZERO;
    assert_eq!(of(OPEN, ""), (zero, OnError::Always));
    assert_eq!(
        of(
            OPEN,
            "cache-control: max-age=1, stale-while-revalidate=5, stale-if-error=9"
        ),
        (secs(5), OnError::Within(secs(9)))
    );
    assert_eq!(
        of(
            OPEN,
            "cache-control: s-maxage=1, stale-while-revalidate=5, stale-if-error=0"
        ),
        (secs(5), OnError::Never)
    );
    for forbids in ["must-revalidate", "proxy-revalidate"] {
        let fields = format!(
            "cache-control: max-age=1, {forbids}, stale-while-revalidate=5, stale-if-error=9"
        );
        assert_eq!(of(OPEN, &fields), (zero, OnError::Never), "{forbids}");
    }
    // `no-cache` is excused by a failure only, `private` by nothing once its minimum is over.
    let swr = "stale-while-revalidate=5";
    assert_eq!(
        of(OPEN, &format!("cache-control: no-cache, {swr}")),
        (zero, OnError::Always)
    );
    assert_eq!(
        of(NARROW, &format!("cache-control: private, {swr}")),
        (zero, OnError::Never)
    );
}

#[test]
fn what_the_origin_forbids_is_never_stored_in_mode_rfc9111() {
    // CF-820, CF-822, CF-824, CF-832, CF-836
    let rows: &[(&str, Result<u64, Refusal>)] = &[
        ("cache-control: no-store, max-age=60", Err(Refusal::NoStore)),
        ("cache-control: private, max-age=60", Err(Refusal::Private)),
        ("cache-control: private=\"x-a\", max-age=60", Ok(60)),
        ("cache-control: max-age=60|vary: *", Err(Refusal::VaryAny)),
        // Nothing that could be compared.
        ("cache-control: max-age=60|vary: a b", Err(Refusal::VaryAny)),
        (
            "cache-control: max-age=60|vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
            Err(Refusal::VaryAny),
        ),
        ("cache-control: max-age=60|vary: accept-language", Ok(60)),
        (
            "cache-control: must-understand, no-store, max-age=60",
            Ok(60),
        ),
        ("pragma: no-cache|cache-control: max-age=60", Ok(60)),
    ];
    for (fields, want) in rows {
        let mut case = rfc(200, fields);
        assert_eq!(outcome(&case), *want, "{fields}");
        // A minimum changes nothing.
        case.ttl = NARROW;
        assert_eq!(outcome(&case), *want, "{fields}");
    }
    let unknown = rfc(299, "cache-control: must-understand, no-store, max-age=60");
    assert_eq!(outcome(&unknown), Err(Refusal::NotUnderstood));
    let unknown = rfc(299, "cache-control: max-age=60");
    assert_eq!(outcome(&unknown), Ok(60));
}

#[test]
fn lifetimes_of_mode_rfc9111() {
    // CF-822, CF-823, CF-827
    let modified = format!("last-modified: {}", http_date(-1_000));
    let ancient = format!("last-modified: {}", http_date(-900_000_000));
    let past = format!("expires: {}", http_date(-10));
    let rows: &[(u16, &str, Result<u64, Refusal>)] = &[
        (200, "cache-control: max-age=60, s-maxage=5", Ok(5)),
        (200, "cache-control: max-age=99999999999", Ok(31_536_000)),
        (200, &past, Ok(0)),
        (200, &modified, Ok(100)),
        // The default caps the heuristic, and stands in where there is nothing to reckon from.
        (200, &ancient, Ok(86_400)),
        (200, "", Ok(86_400)),
        (301, "", Ok(86_400)),
        (302, "", Err(Refusal::Status)),
        (303, "", Err(Refusal::Status)),
        (307, &modified, Err(Refusal::Status)),
        (201, "", Err(Refusal::Status)),
        (302, "cache-control: max-age=9", Ok(9)),
        (302, "cache-control: public", Ok(86_400)),
    ];
    for (status, fields, want) in rows {
        assert_eq!(outcome(&rfc(*status, fields)), *want, "{status} {fields}");
    }
}

#[test]
fn without_caching_by_default_only_last_modified_gives_a_lifetime() {
    // CF-822, CF-823
    let modified = format!("last-modified: {}", http_date(-1_000));
    let rows: &[(u16, &str, Result<u64, Refusal>)] = &[
        (200, &modified, Ok(100)),
        (200, "cache-control: max-age=60", Ok(60)),
        (200, "", Err(Refusal::NoLifetime)),
        (200, "cache-control: public", Err(Refusal::NoLifetime)),
        (301, "", Err(Refusal::NoLifetime)),
        // What it may still be good for.
        (200, "etag: \"1\"", Ok(0)),
        (200, "cache-control: stale-if-error=60", Ok(0)),
        // An error has a caching time of its own (CF-831).
        (404, "", Ok(10)),
    ];
    for (status, fields, want) in rows {
        let mut case = rfc(*status, fields);
        case.heuristic = Heuristic::LastModified;
        assert_eq!(outcome(&case), *want, "{status} {fields}");
        // Mode cloudfront has no heuristics (CF-249).
        case.mode = CacheMode::Cloudfront;
        if *status == 200 && !fields.contains("max-age") {
            assert_eq!(outcome(&case), Ok(86_400), "{fields}");
        }
    }
}

#[test]
fn no_cache_is_always_validated_in_mode_rfc9111() {
    // CF-821
    let mut case = rfc(
        200,
        "cache-control: no-cache, max-age=60, stale-while-revalidate=9|etag: \"1\"",
    );
    case.ttl = NARROW;
    let f = case.fresh();
    assert_eq!(f.source(), LifetimeSource::NoCache);
    assert_eq!(f.judge(now()).reason(), Some(Reason::Expired));
    assert_eq!(f.on_error(), OnError::Never);
    // Without a validator there is nothing to keep it for.
    let bare = rfc(200, "cache-control: no-cache");
    assert_eq!(outcome(&bare), Err(Refusal::NeverReusable));
    let fields = rfc(200, "cache-control: no-cache=\"x-a\", max-age=60");
    assert_eq!(fields.fresh().judge(now()), Verdict::Fresh);
}

#[test]
fn requests_with_credentials_are_shared_only_on_purpose() {
    // CF-825, CF-309, CF-310, RFC 9111 section 3.5
    let with = |authorization, fields: &str| {
        let mut case = rfc(200, fields);
        case.authorization = authorization;
        outcome(&case)
    };
    let max_age = "cache-control: max-age=60";
    assert_eq!(
        with(Authorization::Forwarded, max_age),
        Err(Refusal::Authorization)
    );
    assert_eq!(with(Authorization::Keyed, max_age), Ok(60));
    assert_eq!(with(Authorization::Withheld, max_age), Ok(60));
    for permits in ["public", "s-maxage=60", "must-revalidate"] {
        let fields = format!("cache-control: max-age=60, {permits}");
        assert_eq!(with(Authorization::Forwarded, &fields), Ok(60), "{permits}");
    }
}

#[test]
fn a_cookie_is_stored_only_with_a_lifetime_or_public_in_mode_rfc9111() {
    // CF-826
    let cookie = |fields: &str| outcome(&rfc(200, &format!("set-cookie: a=b|{fields}")));
    assert_eq!(cookie(""), Err(Refusal::SetCookie));
    assert_eq!(cookie("cache-control: max-age=60"), Ok(60));
    assert_eq!(cookie("cache-control: public"), Ok(86_400));
    assert_eq!(cookie("cache-control: no-cache=\"Set-Cookie\""), Ok(86_400));
}

#[test]
fn errors_in_mode_rfc9111_go_by_their_fields() {
    // CF-831, CF-539
    let rows: &[(u16, &str, Result<u64, Refusal>)] = &[
        (404, "", Ok(10)),
        (405, "", Ok(10)),
        (410, "", Ok(10)),
        (414, "", Ok(10)),
        (501, "", Ok(10)),
        (400, "", Err(Refusal::ErrorNotCached)),
        (403, "", Err(Refusal::ErrorNotCached)),
        (403, "cache-control: max-age=5", Ok(5)),
        (404, "cache-control: max-age=5", Ok(5)),
        (404, "cache-control: no-store", Err(Refusal::NoStore)),
        (500, "", Err(Refusal::ErrorNotCached)),
        (403, "cache-control: public", Ok(10)),
        (503, "cache-control: public", Ok(10)),
        (599, "cache-control: public", Ok(10)),
        (599, "", Err(Refusal::ErrorNotCached)),
        (
            503,
            "cache-control: public, no-store",
            Err(Refusal::NoStore),
        ),
        (503, "cache-control: max-age=5", Ok(5)),
        (
            416,
            "cache-control: max-age=5",
            Err(Refusal::ErrorNotCached),
        ),
    ];
    for (status, fields, want) in rows {
        assert_eq!(outcome(&rfc(*status, fields)), *want, "{status} {fields}");
    }
    let mut case = rfc(404, "");
    case.errors = ErrorTtls::default().with(StatusCode::NOT_FOUND, 0);
    assert_eq!(outcome(&case), Err(Refusal::ErrorNotCached));
}

#[test]
fn a_part_is_never_stored_as_if_it_were_the_whole() {
    // CF-835, CF-217, RFC 9111 section 3.3
    for fields in [
        "content-range: bytes 0-4/10",
        "content-range: bytes 0-4/*",
        // All of it: its length is no proof that this is what the next request wants.
        "content-range: bytes 0-9/10",
        "",
    ] {
        let fields = format!("cache-control: max-age=60|etag: \"1\"|{fields}");
        for case in [rfc(206, &fields), cloudfront(OPEN, 206, &fields)] {
            assert_eq!(outcome(&case), Err(Refusal::Partial), "{fields}");
        }
    }
}

#[test]
fn stale_directives_of_mode_rfc9111() {
    // CF-270, CF-827, CF-828
    let secs = Duration::from_secs;
    let of = |directives: &str| {
        let f = rfc(
            200,
            &format!("cache-control: max-age=1, {directives}|etag: \"1\""),
        )
        .fresh();
        (f.while_revalidating(), f.on_error())
    };
    assert_eq!(of("public"), (Duration::ZERO, OnError::IfUnreachable));
    assert_eq!(
        of("stale-while-revalidate=5, stale-if-error=9"),
        (secs(5), OnError::Within(secs(9)))
    );
    let none = OnError::Within(Duration::ZERO);
    assert_eq!(of("stale-if-error=0").1, none);
    for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=1"] {
        let got = of(&format!(
            "{forbids}, stale-while-revalidate=5, stale-if-error=9"
        ));
        assert_eq!(got, (Duration::ZERO, OnError::Never), "{forbids}");
    }
}

#[test]
fn a_targeted_field_replaces_the_others_in_mode_rfc9111() {
    // CF-801, CF-837
    let expires = format!("expires: {}", http_date(500));
    let rows: &[(&str, Result<u64, Refusal>)] = &[
        (
            "cache-control: no-store|cdn-cache-control: max-age=60",
            Ok(60),
        ),
        (
            "cache-control: max-age=5|cdn-cache-control: no-store",
            Err(Refusal::NoStore),
        ),
        (
            "cache-control: max-age=5|cdn-cache-control: max-age=\"",
            Ok(5),
        ),
        ("cdn-cache-control: max-age=999999999", Ok(31_536_000)),
        (
            "cache-control: no-store|surrogate-control: max-age=60",
            Ok(60),
        ),
        (
            "cache-control: max-age=5|surrogate-control: content=\"ESI/1.0\"",
            Ok(5),
        ),
    ];
    for (fields, want) in rows {
        let fields = format!("{fields}|{expires}");
        assert_eq!(outcome(&rfc(200, &fields)), *want, "{fields}");
    }
}

#[test]
fn a_truncated_body_is_not_kept_and_a_closed_one_only_when_the_end_is_certain() {
    // CF-222, CF-223, CF-838
    use CacheMode::{Cloudfront, Rfc9111};
    let refused = Err(Refusal::Incomplete);
    for (mode, end, want) in [
        (Cloudfront, BodyEnd::Complete, Ok(())),
        (Rfc9111, BodyEnd::Complete, Ok(())),
        (Cloudfront, BodyEnd::Truncated, refused),
        (Rfc9111, BodyEnd::Truncated, refused),
        (Cloudfront, BodyEnd::Closed { orderly: false }, Ok(())),
        (Rfc9111, BodyEnd::Closed { orderly: false }, refused),
        (Rfc9111, BodyEnd::Closed { orderly: true }, Ok(())),
    ] {
        assert_eq!(keep_body(mode, end), want, "{mode:?} {end:?}");
    }
}

#[test]
fn a_head_entry_never_answers_get() {
    // CF-529
    assert!(answers(&Method::GET, &Method::HEAD));
    assert!(answers(&Method::HEAD, &Method::HEAD));
    assert!(!answers(&Method::HEAD, &Method::GET));
    assert!(!answers(&Method::GET, &Method::OPTIONS));
}
