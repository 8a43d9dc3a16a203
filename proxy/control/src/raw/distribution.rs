//! One entry of `distributions:` as written: origins and behaviours.

use fourfront_model::{
    AllowedMethods, CachedMethods, EventType, HttpVersions, IpAddressType, OnError, OriginProtocol,
    SslProtocol, TagSeparator, ViewerProtocolPolicy,
};

use super::{
    Named, RawCachePolicy, RawErrorResponse, RawGeoRestriction, RawLegacy, RawLogging, RawModes,
    RawOriginGroup, RawOriginRequestPolicy, RawOriginShield, RawPolicy, RawPool,
    RawResponseHeadersPolicy, RawTtls, RawViewerCertificate, RawViewerMtls, api_associations,
    listed, signed::trusted_key_groups, tls,
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
    /// Whether a document of CloudFront's API was named.
    pub(crate) is_imported: bool,
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
    pub(crate) staging: Option<Spanned<bool>>,
    /// Empty counts as none.
    pub(crate) rollout: Option<Spanned<String>>,
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
    pub(crate) origin_ca: Option<Spanned<String>>,
    pub(crate) pool: Option<RawPool>,
    pub(crate) shield: Option<RawOriginShield>,
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
    pub(crate) ip_address_type: Option<Spanned<IpAddressType>>,
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
    /// Not an empty one, which is how CloudFront writes none.
    pub(crate) identity: Option<Spanned<String>>,
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
    pub(crate) grpc: Option<Spanned<bool>>,
    pub(crate) cache_policy: Option<RawPolicy<RawCachePolicy>>,
    pub(crate) legacy: Option<RawLegacy>,
    /// Whether `forwarded_values` stands there, readable or not.
    pub(crate) names_legacy: bool,
    pub(crate) ttls: RawTtls,
    pub(crate) origin_request_policy: Option<RawPolicy<RawOriginRequestPolicy>>,
    pub(crate) response_headers_policy: Option<RawPolicy<RawResponseHeadersPolicy>>,
    pub(crate) on: Vec<RawAssociation>,
    pub(crate) trusted_key_groups: Vec<Spanned<String>>,
}

/// One entry of `on`, or of CloudFront's lists of associations.
#[derive(Debug)]
pub(crate) struct RawAssociation {
    pub(crate) event: EventType,
    pub(crate) at: At,
    /// A name or an ARN.
    pub(crate) function: Spanned<String>,
    pub(crate) named_by: NamedBy,
    pub(crate) include_body: Option<Spanned<bool>>,
    pub(crate) on_error: Option<Spanned<OnError>>,
}

/// How an association names its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// By its name in the site file.
    Name,
    /// By the ARN of a version of a Lambda function.
    LambdaArn,
    /// By the ARN of a CloudFront Function.
    FunctionArn,
}

impl NamedBy {
    /// What CloudFront's API says of a faulty association (CF-024).
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Name | Self::LambdaArn => "InvalidLambdaFunctionAssociation",
            Self::FunctionArn => "InvalidFunctionAssociation",
        }
    }
}

impl RawDistribution {
    pub(crate) fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::DISTRIBUTION)?;
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
            let what = "a map from origin id to URL or block, or a list of blocks with `id`";
            listed::by_id(c, what, &keys::ORIGIN, RawOrigin::read)
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
            .and_then(|c| c.counted("a list of behaviours, each with `path`"))
            .unwrap_or_default();
        let is_imported = block.get("config").is_some();
        if let Some(members) = block.get("unknown_members") {
            members.choice(&[("refuse", Ok(())), ("warn", Ok(()))]);
            if !is_imported {
                members.error(
                    "this is about documents, and the distribution names none with `config`",
                );
            }
        }
        for (member, name) in [
            ("enabled", "Enabled"),
            ("default_cache_behavior", "DefaultCacheBehavior"),
        ] {
            if is_imported && block.get(member).is_none() {
                // CF-023
                cursor.report.error(
                    &cursor.at.member("config"),
                    format!("InvalidArgument: the document has no `{name}`"),
                );
            }
        }
        Some(Self {
            at: cursor.at.clone(),
            is_imported,
            id: text("id"),
            domain_name: text("domain_name"),
            aliases: block
                .get("aliases")
                .and_then(|c| c.counted_texts("a list of host names"))
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
            staging: block.get("staging").and_then(Cursor::boolean),
            rollout: text("continuous_deployment_policy_id").filter(|id| !id.value.is_empty()),
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
        let block = Block::open_spelled(cursor, &keys::CACHE_TAGS)?;
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
        let block = Block::open_spelled(cursor, &keys::ORIGIN)?;
        let text = |key: &str| block.get(key).and_then(Cursor::text);
        let headers = block.either("custom_headers", "origin_custom_headers");
        let seconds = |key: &str, low, high| {
            let cursor = block.get(key)?;
            cursor.integer(low..=high, "seconds")
        };
        Some(Self::Block(Box::new(RawOriginBlock {
            at: cursor.at.clone(),
            domain_name: text("domain_name"),
            origin_path: text("origin_path"),
            custom_headers: headers.map_or_else(Vec::new, listed::custom_headers),
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
            origin_ca: text("origin_ca"),
            pool: block.get("pool").and_then(RawPool::read),
            shield: block.get("origin_shield").and_then(RawOriginShield::read),
        })))
    }
}

impl RawCustomOrigin {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::CUSTOM_ORIGIN)?;
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
            ip_address_type: block.get("ip_address_type").and_then(|c| {
                let kinds = [
                    IpAddressType::Ipv4,
                    IpAddressType::Ipv6,
                    IpAddressType::Dualstack,
                ];
                c.choice(&kinds.map(|kind| (kind.as_str(), Ok(kind))))
            }),
        })
    }
}

impl RawS3Origin {
    fn read(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::S3_ORIGIN)?;
        Some(Self {
            at: cursor.at.clone(),
            read_timeout: read_timeout(&block),
            region: block.get("region").and_then(Cursor::text),
            endpoint: block.get("endpoint").and_then(Cursor::text),
            identity: block
                .get("origin_access_identity")
                .and_then(Cursor::text)
                .filter(|id| !id.value.is_empty()),
        })
    }
}

/// CF-392
fn read_timeout(block: &Block<'_>) -> Option<Spanned<u64>> {
    let cursor = block.get("origin_read_timeout")?;
    cursor.coded_integer("InvalidOriginReadTimeout", 1..=120, "seconds")
}

/// CF-422: connections offer TLS 1.2 and TLS 1.3, and nothing older. Older versions may stand in the list beside TLSv1.2, as they do
/// in many a distribution: the list says what is allowed, and the node need not offer all of it. Alone they leave
/// nothing to connect with, and TLS 1.3 besides is no reason to connect where what is listed cannot be had.
fn ssl_protocols(cursor: &Cursor<'_>) -> Option<Vec<SslProtocol>> {
    let words = [
        SslProtocol::TlsV1_2,
        SslProtocol::TlsV1_1,
        SslProtocol::TlsV1,
        SslProtocol::SslV3,
    ]
    .map(|p| (p.as_str(), Ok(p)));
    let items = cursor.counted("a list of TLS versions, such as `[TLSv1.2]`")?;
    if items.is_empty() {
        cursor.error("the list of TLS versions is empty");
    }
    let read: Vec<_> = items
        .iter()
        .filter_map(|item| item.choice(&words))
        .map(|p| p.value)
        .collect();
    if read.len() == items.len() && !read.is_empty() && !read.contains(&SslProtocol::TlsV1_2) {
        cursor.error_help(
            "none of these versions is ever offered",
            "connections to origins offer TLSv1.2 and TLS 1.3: write `[TLSv1.2]`".to_owned(),
        );
    }
    Some(read)
}

impl RawBehavior {
    fn read_default(cursor: &Cursor<'_>) -> Self {
        match Block::open_spelled(cursor, &keys::DEFAULT_BEHAVIOR) {
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
            grpc: None,
            cache_policy: None,
            legacy: None,
            names_legacy: false,
            ttls: RawTtls::default(),
            origin_request_policy: None,
            response_headers_policy: None,
            on: Vec::new(),
            trusted_key_groups: Vec::new(),
        }
    }

    fn read_listed(cursor: &Cursor<'_>) -> Option<Self> {
        let block = Block::open_spelled(cursor, &keys::BEHAVIOR)?;
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
        let forwarded = block.get("forwarded_values");
        let mut on = block.get("on").map_or_else(Vec::new, associations);
        on.extend(api_associations::read(block));
        let (allowed, cached) = methods(block);
        Self {
            at: cursor.at.clone(),
            path,
            names_origin: block.gives("origin", "target_origin_id"),
            origin: origin.and_then(Cursor::text),
            viewer_protocol_policy: block
                .get("viewer_protocol_policy")
                .and_then(tls::viewer_protocol_policy),
            allowed_methods: allowed.unwrap_or_default(),
            cached_methods: cached,
            compress: block
                .get("compress")
                .and_then(Cursor::boolean)
                .is_some_and(|c| c.value),
            grpc: block.get("grpc_config").and_then(grpc),
            cache_policy: block
                .either("cache_policy", "cache_policy_id")
                .and_then(|c| RawPolicy::read(c, RawCachePolicy::read)),
            legacy: forwarded.and_then(RawLegacy::read),
            names_legacy: forwarded.is_some(),
            ttls: RawTtls::read(block),
            origin_request_policy: block
                .either("origin_request_policy", "origin_request_policy_id")
                .and_then(|c| RawPolicy::read(c, RawOriginRequestPolicy::read)),
            response_headers_policy: block
                .either("response_headers_policy", "response_headers_policy_id")
                .and_then(|c| RawPolicy::read(c, RawResponseHeadersPolicy::read)),
            on,
            trusted_key_groups: block
                .get("trusted_key_groups")
                .map_or_else(Vec::new, trusted_key_groups),
        }
    }
}

/// `grpc_config` (CF-076): a block as in CloudFront's API, or whether.
fn grpc(cursor: &Cursor<'_>) -> Option<Spanned<bool>> {
    if cursor.scalar().is_some() {
        return cursor.boolean();
    }
    let block = Block::open_spelled(cursor, &keys::GRPC_CONFIG)?;
    block.get("enabled").and_then(Cursor::boolean)
}

/// Both sets of methods: beside each other, or as CloudFront's API has them, the cached ones within the allowed ones.
fn methods(block: &Block<'_>) -> (Option<AllowedMethods>, Option<Spanned<CachedMethods>>) {
    let beside = block.get("cached_methods");
    let Some(allowed) = block.get("allowed_methods") else {
        return (None, beside.and_then(cached_methods));
    };
    let within = allowed
        .member_spelled("cached_methods")
        .and_then(|_| Block::open_spelled(allowed, &keys::ALLOWED_METHODS));
    let Some(within) = within else {
        return (allowed_methods(allowed), beside.and_then(cached_methods));
    };
    let cached = within.get("cached_methods");
    if let (Some(_), Some(beside)) = (cached, beside) {
        beside.error("`cached_methods` stands in `allowed_methods` as well: give one");
    }
    let items = within.get("items").cloned();
    let listed = items.and_then(|items| {
        items.has_quantity(within.get("quantity"));
        allowed_methods(&items)
    });
    (listed, cached.or(beside).and_then(cached_methods))
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
                .counted_texts("a list of methods or the name of a set")?
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
            named_by: NamedBy::Name,
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
        named_by: NamedBy::Name,
        include_body: block.get("include_body").and_then(Cursor::boolean),
        on_error: block.get("on_error").and_then(|c| {
            c.choice(&[("fail", Ok(OnError::Fail)), ("bypass", Ok(OnError::Bypass))])
        }),
    })
}
