//! One entry of `distributions:` as written: origins and behaviours.

use fourfront_model::{
    AllowedMethods, CachedMethods, EventType, HttpVersions, OnError, OriginProtocol, SslProtocol,
    TagSeparator, ViewerProtocolPolicy,
};

use super::{
    Named, RawCachePolicy, RawErrorResponse, RawGeoRestriction, RawLogging, RawModes,
    RawOriginGroup, RawOriginRequestPolicy, RawPolicy, RawResponseHeadersPolicy,
    RawViewerCertificate, RawViewerMtls, named, signed::trusted_key_groups, tls,
};
use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// A distribution.
#[derive(Debug)]
pub(crate) struct RawDistribution {
    pub(crate) at: At,
    pub(crate) id: Option<Spanned<String>>,
    pub(crate) domain_name: Option<Spanned<String>>,
    pub(crate) aliases: Vec<Spanned<String>>,
    pub(crate) enabled: bool,
    pub(crate) default: Option<Spanned<bool>>,
    pub(crate) default_root_object: Option<Spanned<String>>,
    pub(crate) origins: Vec<Named<RawOrigin>>,
    pub(crate) origin_groups: Vec<Named<RawOriginGroup>>,
    pub(crate) default_behavior: Option<RawBehavior>,
    pub(crate) behaviors: Vec<RawBehavior>,
    pub(crate) modes: RawModes,
    pub(crate) cache_tags: Option<RawCacheTags>,
    pub(crate) cdn_cc: Option<RawCdnCc>,
    pub(crate) vary: Option<RawVary>,
    pub(crate) geo_restriction: Option<RawGeoRestriction>,
    pub(crate) error_responses: Vec<RawErrorResponse>,
    pub(crate) viewer_certificate: Option<RawViewerCertificate>,
    pub(crate) http_versions: Option<HttpVersions>,
    pub(crate) viewer_mtls: Option<RawViewerMtls>,
    pub(crate) logging: Option<RawLogging>,
}

/// `cdn_cc`.
#[derive(Debug)]
pub(crate) struct RawCdnCc {
    pub(crate) at: At,
    pub(crate) field: Option<Spanned<String>>,
    pub(crate) hide: bool,
}

/// `vary`.
#[derive(Debug)]
pub(crate) struct RawVary {
    pub(crate) at: At,
    pub(crate) max_variants: Option<u64>,
}

/// `cache_tag_config`.
#[derive(Debug)]
pub(crate) struct RawCacheTags {
    pub(crate) at: At,
    pub(crate) header: Option<Spanned<String>>,
    pub(crate) separator: Option<TagSeparator>,
    pub(crate) hide: bool,
}

/// An origin: a URL, or a block (CP-642).
#[derive(Debug)]
pub(crate) enum RawOrigin {
    Url(Spanned<String>),
    Block(Box<RawOriginBlock>),
}

/// An origin written as a block.
#[derive(Debug)]
pub(crate) struct RawOriginBlock {
    pub(crate) at: At,
    pub(crate) domain_name: Option<Spanned<String>>,
    pub(crate) origin_path: Option<Spanned<String>>,
    pub(crate) custom_headers: Vec<(Spanned<String>, Spanned<String>)>,
    pub(crate) custom: Option<RawCustomOrigin>,
    pub(crate) s3: Option<RawS3Origin>,
    pub(crate) dir: Option<Spanned<String>>,
    pub(crate) access_control: Option<Spanned<String>>,
    pub(crate) connection_attempts: Option<Spanned<u64>>,
    pub(crate) connection_timeout: Option<Spanned<u64>>,
    /// Zero counts as none (LE-110).
    pub(crate) response_completion_timeout: Option<Spanned<u64>>,
}

/// `custom_origin_config`.
#[derive(Debug)]
pub(crate) struct RawCustomOrigin {
    pub(crate) at: At,
    pub(crate) http_port: Option<Spanned<u64>>,
    pub(crate) https_port: Option<Spanned<u64>>,
    pub(crate) protocol: RawProtocol,
    pub(crate) ssl_protocols: Option<Vec<SslProtocol>>,
    pub(crate) read_timeout: Option<Spanned<u64>>,
    pub(crate) keepalive_timeout: Option<u64>,
}

/// `origin_protocol_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawProtocol {
    /// Not given.
    Absent,
    /// Given, and already reported as faulty.
    Faulty,
    Is(OriginProtocol),
    /// The viewer's (CF-421).
    MatchesViewer,
}

/// `s3_origin_config`.
#[derive(Debug)]
pub(crate) struct RawS3Origin {
    pub(crate) at: At,
    pub(crate) read_timeout: Option<Spanned<u64>>,
    pub(crate) region: Option<Spanned<String>>,
    pub(crate) endpoint: Option<Spanned<String>>,
}

/// A behaviour.
#[derive(Debug)]
pub(crate) struct RawBehavior {
    pub(crate) at: At,
    /// `None` in the default behaviour, and where it is missing or faulty.
    pub(crate) path: Option<Spanned<String>>,
    pub(crate) origin: Option<Spanned<String>>,
    /// Whether an origin was named at all, readable or not.
    pub(crate) names_origin: bool,
    pub(crate) viewer_protocol_policy: Option<Spanned<ViewerProtocolPolicy>>,
    pub(crate) allowed_methods: AllowedMethods,
    pub(crate) cached_methods: Option<Spanned<CachedMethods>>,
    pub(crate) compress: bool,
    pub(crate) cache_policy: Option<RawPolicy<RawCachePolicy>>,
    pub(crate) origin_request_policy: Option<RawPolicy<RawOriginRequestPolicy>>,
    pub(crate) response_headers_policy: Option<RawPolicy<RawResponseHeadersPolicy>>,
    pub(crate) on: Vec<RawAssociation>,
    pub(crate) trusted_key_groups: Vec<Spanned<String>>,
}

/// One entry of `on`.
#[derive(Debug)]
pub(crate) struct RawAssociation {
    pub(crate) event: EventType,
    pub(crate) at: At,
    pub(crate) function: Spanned<String>,
    pub(crate) include_body: Option<Spanned<bool>>,
    pub(crate) on_error: Option<Spanned<OnError>>,
}

impl RawDistribution {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::DISTRIBUTION)?;
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        if let Some(comment) = text("comment")
            && comment.value.chars().count() > 128
        {
            // CF-044
            let length = comment.value.chars().count();
            let message =
                format!("the comment is {length} characters long, at most 128 are allowed");
            cursor.report.error(&comment.at, message);
        }
        let origins = block.get("origins").and_then(|c| {
            let all = named(c, "a map from origin id to URL or block", RawOrigin::read);
            // A list or a text has been reported as what it is.
            (!all.is_empty() || !c.is_mapping()).then_some(all)
        });
        if origins.is_none() {
            // CF-023
            cursor.report.error_help(
                &cursor.at.member("origins"),
                "the distribution has no origin",
                "add `origins:`, such as `origins: { app: \"http://127.0.0.1:3000\" }`".to_owned(),
            );
        }
        let behaviors = block
            .get("cache_behaviors")
            .and_then(|c| c.items("a list of behaviours, each with `path`"))
            .unwrap_or_default();
        Some(Self {
            at: cursor.at.clone(),
            id: text("id"),
            domain_name: text("domain_name"),
            aliases: block
                .get("aliases")
                .and_then(|c| c.texts("a list of host names"))
                .unwrap_or_default(),
            enabled: block
                .get("enabled")
                .and_then(Cursor::boolean)
                .is_none_or(|b| b.value),
            default: block.get("default").and_then(Cursor::boolean),
            default_root_object: text("default_root_object"),
            origins: origins.unwrap_or_default(),
            origin_groups: block
                .get("origin_groups")
                .map_or_else(Vec::new, super::origin_groups),
            default_behavior: block
                .get("default_cache_behavior")
                .map(RawBehavior::read_default),
            behaviors: behaviors
                .iter()
                .filter_map(RawBehavior::read_listed)
                .collect(),
            modes: RawModes::read(&block),
            cache_tags: block.get("cache_tag_config").and_then(RawCacheTags::read),
            cdn_cc: block.get("cdn_cc").and_then(RawCdnCc::read),
            vary: block.get("vary").and_then(RawVary::read),
            geo_restriction: RawGeoRestriction::of_distribution(&block),
            error_responses: block
                .get("custom_error_responses")
                .map_or_else(Vec::new, RawErrorResponse::read_all),
            viewer_certificate: block
                .get("viewer_certificate")
                .and_then(RawViewerCertificate::read),
            http_versions: block.get("http_version").and_then(tls::http_versions),
            viewer_mtls: block
                .get("viewer_mtls_config")
                .and_then(RawViewerMtls::read),
            logging: block.get("logging").and_then(RawLogging::read),
        })
    }
}

impl RawCdnCc {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::CDN_CC)?;
        Some(Self {
            at: cursor.at.clone(),
            field: block.get("field").and_then(Cursor::text),
            hide: block
                .get("hide")
                .and_then(Cursor::boolean)
                .is_some_and(|b| b.value),
        })
    }
}

impl RawVary {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::VARY)?;
        let most = block.get("max_variants");
        let most = most.and_then(|c| c.integer(2..=10_000, "a number of variants"));
        Some(Self {
            at: cursor.at.clone(),
            max_variants: most.map(|m| m.value),
        })
    }
}

impl RawCacheTags {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::CACHE_TAGS)?;
        let separator = block.get("separator").and_then(|c| {
            c.choice(&[
                ("comma", Ok(TagSeparator::Comma)),
                ("space", Ok(TagSeparator::Space)),
            ])
        });
        Some(Self {
            at: cursor.at.clone(),
            header: block.get("header_name").and_then(Cursor::text),
            separator: separator.map(|s| s.value),
            hide: block
                .get("hide")
                .and_then(Cursor::boolean)
                .is_some_and(|b| b.value),
        })
    }
}

impl RawOrigin {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        if cursor.scalar().is_some() {
            return cursor.text().map(Self::Url);
        }
        if !cursor.is_mapping() {
            cursor
                .expected("an `http://` or `https://` URL, or a block with `domain_name` or `dir`");
            return None;
        }
        let block = Block::open(cursor, &keys::ORIGIN)?;
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        let headers = block
            .get("custom_headers")
            .and_then(|c| c.entries("a map from header name to value"))
            .unwrap_or_default();
        let seconds = |key: &str, low, high| {
            let cursor = block.get(key)?;
            cursor.integer(low..=high, "seconds")
        };
        Some(Self::Block(Box::new(RawOriginBlock {
            at: cursor.at.clone(),
            domain_name: text("domain_name"),
            origin_path: text("origin_path"),
            custom_headers: headers
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.text()?)))
                .collect(),
            custom: block
                .get("custom_origin_config")
                .and_then(RawCustomOrigin::read),
            s3: block.get("s3_origin_config").and_then(RawS3Origin::read),
            dir: text("dir"),
            access_control: text("origin_access_control_id").filter(|id| !id.value.is_empty()),
            connection_attempts: block
                .get("connection_attempts")
                .and_then(|c| c.integer(1..=3, "a number of attempts")),
            connection_timeout: seconds("connection_timeout", 1, 10),
            response_completion_timeout: seconds("response_completion_timeout", 0, 86_400),
        })))
    }
}

impl RawCustomOrigin {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::CUSTOM_ORIGIN)?;
        let port = |key: &str| block.get(key).and_then(|c| c.integer(1..=65_535, "a port"));
        let protocol = block.get("origin_protocol_policy").map(|c| {
            c.choice(&[
                ("http-only", Ok(RawProtocol::Is(OriginProtocol::Http))),
                ("https-only", Ok(RawProtocol::Is(OriginProtocol::Https))),
                ("match-viewer", Ok(RawProtocol::MatchesViewer)),
            ])
        });
        Some(Self {
            at: cursor.at.clone(),
            http_port: port("http_port"),
            https_port: port("https_port"),
            protocol: match protocol {
                None => RawProtocol::Absent,
                Some(None) => RawProtocol::Faulty,
                Some(Some(p)) => p.value,
            },
            ssl_protocols: block.get("origin_ssl_protocols").and_then(ssl_protocols),
            read_timeout: read_timeout(&block),
            keepalive_timeout: block
                .get("origin_keepalive_timeout")
                // AMB-29
                .and_then(|c| c.coded_integer("InvalidOriginKeepaliveTimeout", 1..=300, "seconds"))
                .map(|s| s.value),
        })
    }
}

impl RawS3Origin {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::S3_ORIGIN)?;
        Some(Self {
            at: cursor.at.clone(),
            read_timeout: read_timeout(&block),
            region: block.get("region").and_then(Cursor::text),
            endpoint: block.get("endpoint").and_then(Cursor::text),
        })
    }
}

/// CF-392
fn read_timeout(block: &Block<'_>) -> Option<Spanned<u64>> {
    let cursor = block.get("origin_read_timeout")?;
    cursor.coded_integer("InvalidOriginReadTimeout", 1..=120, "seconds")
}

/// CF-422: a choice of the four names that can be kept. SSLv3 is never offered and TLS 1.3 always, whatever is
/// listed; between them connections have TLS 1.2 and nothing older.
fn ssl_protocols(cursor: &Cursor<'_>) -> Option<Vec<SslProtocol>> {
    let words = [
        SslProtocol::TlsV1_2,
        SslProtocol::TlsV1_1,
        SslProtocol::TlsV1,
        SslProtocol::SslV3,
    ]
    .map(|p| (p.as_str(), Ok(p)));
    let items = cursor.items("a list of TLS versions, such as `[TLSv1.2]`")?;
    if items.is_empty() {
        cursor.error("the list of TLS versions is empty");
    }
    let mut read = Vec::new();
    for item in &items {
        let Some(protocol) = item.choice(&words).map(|p| p.value) else {
            continue;
        };
        if matches!(protocol, SslProtocol::TlsV1 | SslProtocol::TlsV1_1) {
            item.error_help(
                format!("`{}` is not available yet", protocol.as_str()),
                "connections to origins offer TLSv1.2 and TLS 1.3: write `[TLSv1.2]`".to_owned(),
            );
        }
        read.push(protocol);
    }
    if !read.is_empty() && read.iter().all(|p| *p == SslProtocol::SslV3) {
        cursor.error_help(
            "none of these versions is ever offered",
            "connections to origins offer TLSv1.2 and TLS 1.3: write `[TLSv1.2]`".to_owned(),
        );
    }
    Some(read)
}

impl RawBehavior {
    fn read_default(cursor: &Cursor<'_>) -> Self {
        match Block::open(cursor, &keys::DEFAULT_BEHAVIOR) {
            Some(block) => Self::read(cursor, &block, None),
            // What cannot be read is not said to lack an origin as well.
            None => Self {
                names_origin: true,
                ..Self::unwritten(cursor.at.clone())
            },
        }
    }

    /// A behaviour with every setting left to its default.
    pub(crate) fn unwritten(at: At) -> Self {
        Self {
            at,
            path: None,
            origin: None,
            names_origin: false,
            viewer_protocol_policy: None,
            allowed_methods: AllowedMethods::default(),
            cached_methods: None,
            compress: false,
            cache_policy: None,
            origin_request_policy: None,
            response_headers_policy: None,
            on: Vec::new(),
            trusted_key_groups: Vec::new(),
        }
    }

    fn read_listed(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(cursor, &keys::BEHAVIOR)?;
        let path = block.either("path", "path_pattern");
        let given = block.gives("path", "path_pattern");
        if !given {
            cursor.error_help(
                "the behaviour has no path pattern",
                "add `path: /images/*`; what applies to all other paths goes into `default_cache_behavior`".to_owned(),
            );
        }
        let path = path.and_then(Cursor::text);
        Some(Self::read(cursor, &block, path))
    }

    fn read(cursor: &Cursor<'_>, block: &Block<'_>, path: Option<Spanned<String>>) -> Self {
        let origin = block.either("origin", "target_origin_id");
        Self {
            at: cursor.at.clone(),
            path,
            names_origin: block.gives("origin", "target_origin_id"),
            origin: origin.and_then(Cursor::text),
            viewer_protocol_policy: block
                .get("viewer_protocol_policy")
                .and_then(tls::viewer_protocol_policy),
            allowed_methods: block
                .get("allowed_methods")
                .and_then(allowed_methods)
                .unwrap_or_default(),
            cached_methods: block.get("cached_methods").and_then(cached_methods),
            compress: block
                .get("compress")
                .and_then(Cursor::boolean)
                .is_some_and(|c| c.value),
            cache_policy: block
                .either("cache_policy", "cache_policy_id")
                .and_then(|c| RawPolicy::read(c, RawCachePolicy::read)),
            origin_request_policy: block
                .either("origin_request_policy", "origin_request_policy_id")
                .and_then(|c| RawPolicy::read(c, RawOriginRequestPolicy::read)),
            response_headers_policy: block
                .either("response_headers_policy", "response_headers_policy_id")
                .and_then(|c| RawPolicy::read(c, RawResponseHeadersPolicy::read)),
            on: block.get("on").map_or_else(Vec::new, associations),
            trusted_key_groups: block
                .get("trusted_key_groups")
                .map_or_else(Vec::new, trusted_key_groups),
        }
    }
}

/// CF-062: one of three sets, as a list in any order or by a short name.
fn allowed_methods(cursor: &Cursor<'_>) -> Option<AllowedMethods> {
    const SETS: &[(&str, AllowedMethods, &[&str])] = &[
        ("get-head", AllowedMethods::GetHead, &["GET", "HEAD"]),
        (
            "get-head-options",
            AllowedMethods::GetHeadOptions,
            &["GET", "HEAD", "OPTIONS"],
        ),
        (
            "all",
            AllowedMethods::All,
            &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
        ),
    ];
    method_set(cursor, SETS)
}

/// CF-063
fn cached_methods(cursor: &Cursor<'_>) -> Option<Spanned<CachedMethods>> {
    const SETS: &[(&str, CachedMethods, &[&str])] = &[
        ("get-head", CachedMethods::GetHead, &["GET", "HEAD"]),
        (
            "get-head-options",
            CachedMethods::GetHeadOptions,
            &["GET", "HEAD", "OPTIONS"],
        ),
    ];
    let value = method_set(cursor, SETS)?;
    Some(Spanned {
        value,
        at: cursor.at.clone(),
    })
}

fn method_set<T: Copy>(cursor: &Cursor<'_>, sets: &[(&str, T, &[&str])]) -> Option<T> {
    let found = match cursor.scalar() {
        Some(word) => sets.iter().find(|(name, _, _)| *name == word),
        None => {
            let mut methods: Vec<String> = cursor
                .texts("a list of methods or the name of a set")?
                .into_iter()
                .map(|t| t.value.to_ascii_uppercase())
                .collect();
            methods.sort_unstable();
            sets.iter().find(|(_, _, set)| **set == *methods)
        }
    };
    if found.is_none() {
        let forms: Vec<String> = sets
            .iter()
            .map(|(name, _, set)| format!("`{name}` for [{}]", set.join(", ")))
            .collect();
        cursor.error_help(
            "CloudFront has no such set of methods",
            format!("write {}", crate::cursor::or(&forms)),
        );
    }
    found.map(|(_, set, _)| *set)
}

/// The `on` map: one function per event type (LE-374).
fn associations(cursor: &Cursor<'_>) -> Vec<RawAssociation> {
    let Some(block) = Block::open(cursor, &keys::ON) else {
        return Vec::new();
    };
    EventType::ALL
        .into_iter()
        .filter_map(|event| association(event, block.get(event.as_str())?))
        .collect()
}

fn association(event: EventType, cursor: &Cursor<'_>) -> Option<RawAssociation> {
    let at = cursor.at.clone();
    if cursor.scalar().is_some() {
        return Some(RawAssociation {
            event,
            at,
            function: cursor.text()?,
            include_body: None,
            on_error: None,
        });
    }
    if !cursor.is_mapping() {
        cursor.expected("one function: its name, or a block with `function`");
        return None;
    }
    let block = Block::open(cursor, &keys::ASSOCIATION)?;
    let Some(function) = block.get("function") else {
        cursor.error_help("no function is named", "add `function: NAME`".to_owned());
        return None;
    };
    Some(RawAssociation {
        event,
        at,
        function: function.text()?,
        include_body: block.get("include_body").and_then(Cursor::boolean),
        on_error: block.get("on_error").and_then(|c| {
            c.choice(&[("fail", Ok(OnError::Fail)), ("bypass", Ok(OnError::Bypass))])
        }),
    })
}
