//! The managed policies every configuration may name without defining them (CF-135..150).

use std::sync::Arc;

use crate::{
    CachePolicy, GeneratedHeader, GeneratedHeaders, OriginHeaders, OriginRequestPolicy, Selection,
    Ttl,
};

/// A managed cache policy: name, id and contents.
pub struct ManagedCachePolicy {
    /// Name without the `Managed-` prefix.
    pub name: &'static str,
    /// The id it has on AWS.
    pub id: &'static str,
    ttl: (u64, u64, u64),
    headers: &'static [&'static str],
    cookies: Kind,
    query: Kind,
    gzip: bool,
    brotli: bool,
}

/// A managed origin request policy: name, id and contents.
pub struct ManagedOriginRequestPolicy {
    /// Name without the `Managed-` prefix.
    pub name: &'static str,
    /// The id it has on AWS.
    pub id: &'static str,
    headers: HeadersKind,
    cookies: Kind,
    query: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    All,
    Only(&'static [&'static str]),
}

#[derive(Clone, Copy)]
enum HeadersKind {
    AllViewer,
    AllViewerAnd(GeneratedHeaders),
    AllExceptAnd(&'static [&'static str], GeneratedHeaders),
    Only(&'static [&'static str]),
}

/// Protocol, HTTP version, TLS, device type and place: what CF-144 adds.
const ALL_BUT_ADDRESS: GeneratedHeaders = GeneratedHeaders::CONNECTION
    .and(GeneratedHeaders::DEVICE)
    .and(GeneratedHeaders::PLACE);

/// What CF-145 adds: the headers that there were in June 2022.
const OF_2022_06: GeneratedHeaders = ALL_BUT_ADDRESS.and(GeneratedHeaders::of(&[
    GeneratedHeader::ViewerAddress,
    GeneratedHeader::ViewerAsn,
]));

const USE_ORIGIN_HEADERS: &[&str] = &[
    "host",
    "origin",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// The managed cache policies: CF-135..141. Of those of Amplify hosting only the ids are known (CF-142).
pub const MANAGED_CACHE_POLICIES: &[ManagedCachePolicy] = &[
    cache(
        "CachingOptimized",
        "658327ea-f89d-4fab-a63d-7e88639e58f6",
        (1, 86_400, 31_536_000),
        &[],
        Kind::None,
        Kind::None,
        true,
        true,
    ),
    cache(
        "CachingOptimizedForUncompressedObjects",
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        (1, 86_400, 31_536_000),
        &[],
        Kind::None,
        Kind::None,
        false,
        false,
    ),
    cache(
        "CachingDisabled",
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        (0, 0, 0),
        &[],
        Kind::None,
        Kind::None,
        false,
        false,
    ),
    cache(
        "UseOriginCacheControlHeaders",
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        (0, 0, 31_536_000),
        USE_ORIGIN_HEADERS,
        Kind::All,
        Kind::None,
        true,
        true,
    ),
    cache(
        "UseOriginCacheControlHeaders-QueryStrings",
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        (0, 0, 31_536_000),
        USE_ORIGIN_HEADERS,
        Kind::All,
        Kind::All,
        true,
        true,
    ),
    cache(
        "Amplify",
        "2e54312d-136d-493c-8eb9-b001f22f67d2",
        (2, 2, 600),
        &["authorization", "cloudfront-viewer-country", "host"],
        Kind::All,
        Kind::All,
        true,
        true,
    ),
    cache(
        "Elemental-MediaPackage",
        "08627262-05a9-4f76-9ded-b50ca2e3a84f",
        (0, 86_400, 31_536_000),
        &["origin"],
        Kind::None,
        Kind::Only(&["aws.manifestfilter", "start", "end", "m"]),
        true,
        false,
    ),
];

/// The managed origin request policies: CF-143..150.
pub const MANAGED_ORIGIN_REQUEST_POLICIES: &[ManagedOriginRequestPolicy] = &[
    origin(
        "AllViewer",
        "216adef6-5c7f-47e4-b989-5492eafa07d3",
        HeadersKind::AllViewer,
        Kind::All,
        Kind::All,
    ),
    origin(
        "AllViewerExceptHostHeader",
        "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        HeadersKind::AllExceptAnd(&["host"], ALL_BUT_ADDRESS),
        Kind::All,
        Kind::All,
    ),
    origin(
        "AllViewerAndCloudFrontHeaders-2022-06",
        "33f36d7e-f396-46d9-90e0-52428a34d9dc",
        HeadersKind::AllViewerAnd(OF_2022_06),
        Kind::All,
        Kind::All,
    ),
    origin(
        "CORS-S3Origin",
        "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
        HeadersKind::Only(&[
            "access-control-request-headers",
            "access-control-request-method",
            "origin",
        ]),
        Kind::None,
        Kind::None,
    ),
    origin(
        "CORS-CustomOrigin",
        "59781a5b-3903-41f3-afcb-af62929ccde1",
        HeadersKind::Only(&["origin"]),
        Kind::None,
        Kind::None,
    ),
    origin(
        "UserAgentRefererHeaders",
        "acba4595-bd28-49b8-b9fe-13317c0390fa",
        HeadersKind::Only(&["referer", "user-agent"]),
        Kind::None,
        Kind::None,
    ),
    origin(
        "HostHeaderOnly",
        "bf0718e1-ba1e-49d1-88b1-f726733018ae",
        HeadersKind::Only(&["host"]),
        Kind::None,
        Kind::None,
    ),
    origin(
        "Elemental-MediaTailor-PersonalizedManifests",
        "775133bc-15f2-49f9-abea-afb2e0bf67d2",
        HeadersKind::Only(&[
            "access-control-request-headers",
            "access-control-request-method",
            "origin",
            "user-agent",
            "x-forwarded-for",
        ]),
        Kind::None,
        Kind::All,
    ),
];

/// The managed cache policy of that name (with or without `Managed-`) or id.
pub fn managed_cache_policy(name_or_id: &str) -> Option<Arc<CachePolicy>> {
    let wanted = bare(name_or_id);
    let m = MANAGED_CACHE_POLICIES
        .iter()
        .find(|m| m.name == wanted || m.id == wanted)?;
    let (min, default, max) = m.ttl;
    Some(Arc::new(CachePolicy {
        name: Some(m.name.to_owned()),
        ttl: Ttl::new(min, Some(default), Some(max)).ok()?,
        headers: owned(m.headers),
        cookies: m.cookies.into(),
        query_strings: m.query.into(),
        accept_encoding_gzip: m.gzip,
        accept_encoding_brotli: m.brotli,
    }))
}

/// The managed origin request policy of that name (with or without `Managed-`) or id.
pub fn managed_origin_request_policy(name_or_id: &str) -> Option<Arc<OriginRequestPolicy>> {
    let wanted = bare(name_or_id);
    let m = MANAGED_ORIGIN_REQUEST_POLICIES
        .iter()
        .find(|m| m.name == wanted || m.id == wanted)?;
    let (headers, generated) = match m.headers {
        HeadersKind::AllViewer => (OriginHeaders::AllViewer, GeneratedHeaders::NONE),
        HeadersKind::AllViewerAnd(generated) => (OriginHeaders::AllViewer, generated),
        HeadersKind::AllExceptAnd(names, generated) => {
            (OriginHeaders::AllExcept(owned(names)), generated)
        }
        HeadersKind::Only(names) => {
            let listed = OriginHeaders::Whitelist(owned(names));
            (listed, GeneratedHeaders::NONE)
        }
    };
    Some(Arc::new(OriginRequestPolicy {
        name: Some(m.name.to_owned()),
        headers,
        generated,
        cookies: m.cookies.into(),
        query_strings: m.query.into(),
    }))
}

fn bare(name: &str) -> &str {
    name.strip_prefix("Managed-").unwrap_or(name)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

impl From<Kind> for Selection {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::None => Self::None,
            Kind::All => Self::All,
            Kind::Only(names) => Self::Whitelist(owned(names)),
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one row of a table, columns in the spec's order"
)]
const fn cache(
    name: &'static str,
    id: &'static str,
    ttl: (u64, u64, u64),
    headers: &'static [&'static str],
    cookies: Kind,
    query: Kind,
    gzip: bool,
    brotli: bool,
) -> ManagedCachePolicy {
    ManagedCachePolicy {
        name,
        id,
        ttl,
        headers,
        cookies,
        query,
        gzip,
        brotli,
    }
}

const fn origin(
    name: &'static str,
    id: &'static str,
    headers: HeadersKind,
    cookies: Kind,
    query: Kind,
) -> ManagedOriginRequestPolicy {
    ManagedOriginRequestPolicy {
        name,
        id,
        headers,
        cookies,
        query,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_managed_policy_resolves_by_name_prefixed_name_and_id() {
        // CF-025, CF-135..141
        for m in MANAGED_CACHE_POLICIES {
            let by_name = managed_cache_policy(m.name).unwrap();
            assert_eq!(
                managed_cache_policy(&format!("Managed-{}", m.name)),
                Some(by_name.clone())
            );
            assert_eq!(managed_cache_policy(m.id), Some(by_name));
        }
        // CF-143..150
        for m in MANAGED_ORIGIN_REQUEST_POLICIES {
            assert_eq!(
                managed_origin_request_policy(m.id),
                managed_origin_request_policy(m.name)
            );
            assert!(managed_origin_request_policy(m.id).is_some());
        }
        assert!(managed_cache_policy("Managed-CachingOptimised").is_none());
    }

    #[test]
    fn policies_with_generated_headers_follow_the_table() {
        // CF-140
        let amplify = managed_cache_policy("Managed-Amplify").unwrap();
        let ttl = amplify.ttl;
        assert_eq!((ttl.min(), ttl.default_ttl(), ttl.max()), (2, 2, 600));
        assert_eq!(
            amplify.headers,
            ["authorization", "cloudfront-viewer-country", "host"]
        );
        assert_eq!(
            (&amplify.cookies, &amplify.query_strings),
            (&Selection::All, &Selection::All)
        );
        assert!(amplify.accept_encoding_gzip && amplify.accept_encoding_brotli);
        let country = GeneratedHeaders::of(&[GeneratedHeader::ViewerCountry]);
        assert_eq!(amplify.generated(), country);

        // CF-145
        let all = managed_origin_request_policy("AllViewerAndCloudFrontHeaders-2022-06").unwrap();
        assert_eq!(all.headers, OriginHeaders::AllViewer);
        let short = |set: GeneratedHeaders| {
            let names = set
                .iter()
                .map(|h| h.name().trim_start_matches("cloudfront-"));
            names.collect::<Vec<_>>().join(" ")
        };
        let of_2022 = short(all.generated());
        assert_eq!(
            of_2022,
            "is-android-viewer is-desktop-viewer is-ios-viewer is-mobile-viewer is-smarttv-viewer is-tablet-viewer \
             forwarded-proto viewer-http-version viewer-country viewer-country-name viewer-country-region \
             viewer-country-region-name viewer-city viewer-postal-code viewer-time-zone viewer-latitude \
             viewer-longitude viewer-metro-code viewer-address viewer-asn viewer-tls"
        );
        // CF-144
        let without = managed_origin_request_policy("AllViewerExceptHostHeader").unwrap();
        assert_eq!(
            without.headers,
            OriginHeaders::AllExcept(vec!["host".to_owned()])
        );
        assert_eq!(
            short(without.generated()),
            of_2022.replace("viewer-address viewer-asn ", "")
        );
        for m in MANAGED_ORIGIN_REQUEST_POLICIES
            .iter()
            .filter(|m| !m.name.starts_with("AllViewer"))
        {
            let policy = managed_origin_request_policy(m.id).unwrap();
            assert!(policy.generated().is_empty(), "{}", m.name);
        }
    }

    #[test]
    fn contents_follow_the_table() {
        // CF-135, CF-137, CF-141
        let p = managed_cache_policy("CachingOptimized").unwrap();
        assert_eq!(
            (p.ttl.min(), p.ttl.default_ttl(), p.ttl.max()),
            (1, 86_400, 31_536_000)
        );
        assert!(p.accept_encoding_brotli && p.accept_encoding_gzip);
        assert!(
            managed_cache_policy("CachingDisabled")
                .unwrap()
                .ttl
                .disables_caching()
        );
        let p = managed_cache_policy("Elemental-MediaPackage").unwrap();
        assert!(
            p.query_strings.selects("start")
                && !p.query_strings.selects("x")
                && !p.accept_encoding_brotli
        );
    }
}
