//! What sites take: functions, distributions, and what distributions consist of.

use fourfront_model::{
    CffRuntime, EventType, IpAddressType, PoolChoice, RangeSlice, SecurityPolicy, SslProtocol,
};

use super::{
    Entry, NAMES, PORT, TTL,
    Type::{
        self, Any, Block, Boolean, Counted, Fraction, Integer, Known, Like, List, Map, Off,
        Seconds, Size, Text, Words,
    },
};
use crate::keys::{
    ALLOWED_METHODS, ASSOCIATION, BEHAVIOR, CACHE_POLICY, CACHE_TAGS, CDN_CC, CLOUDFRONT_FUNCTION,
    COLLAPSE, CONTINUOUS_DEPLOYMENT_POLICY, COOKIE_PREFERENCE, CREDENTIALS, CUSTOM_ERROR_RESPONSE,
    CUSTOM_HEADER, CUSTOM_ORIGIN, DEFAULT_BEHAVIOR, DISTRIBUTION, EJECTION, FAILOVER_CRITERIA,
    FORWARDED_VALUES, FUNCTION, FUNCTION_ASSOCIATION, GEO_RESTRICTION, GROUP_MEMBER, GRPC_CONFIG,
    HEALTH_CHECK, KEY_GROUP, LAMBDA_ASSOCIATION, LOGGING, NODE, ON, ORIGIN, ORIGIN_ACCESS_CONTROL,
    ORIGIN_GROUP, ORIGIN_REQUEST_POLICY, ORIGIN_SHIELD, POOL, POOL_MEMBER, PUBLIC_KEY,
    RESPONSE_HEADERS_POLICY, RESTRICTIONS, S3_ORIGIN, SESSION_STICKINESS, SINGLE_HEADER,
    SINGLE_WEIGHT, SITE, STORE, TRAFFIC, TRUST_STORE, TRUSTED_KEY_GROUPS, VARY, VIEWER_CERTIFICATE,
    VIEWER_MTLS,
};

const STATUS: Type = Integer(100, 599);
const EVENT: Type = Known(|| EventType::ALL.map(EventType::as_str).into());
const SESSION: Type = Integer(300, 3_600);
const ASSOCIATED: Type = Any(&[Text, Block(&ASSOCIATION)]);
const CACHED_METHODS: Type = Any(&[Words(&["get-head", "get-head-options"]), NAMES]);
const METHODS: Type = Any(&[Words(&["get-head", "get-head-options", "all"]), NAMES]);
/// Modes that stand at the top for all distributions, or in one.
const CACHE_MODE: (&str, Type) = ("cache_mode", Words(&["rfc9111", "cloudfront"]));
const REQUEST_CC: (&str, Type) = ("request_cc", Words(&["ignore", "honour"]));
const COMPAT: (&str, Type) = ("compat", Words(&["strict", "relaxed"]));
const IDENTITY: (&str, Type) = ("identity", Words(&["fourfront", "cloudfront"]));
const STRICT_KEYS: (&str, Type) = ("strict_header_keys", Boolean);
const SLICE: (&str, Type) = (
    "range_slice",
    Any(&[Words(&["off"]), Size(RangeSlice::LEAST, RangeSlice::MOST)]),
);
const FINISH: (&str, Type) = (
    "finish_fetch_on_abort",
    Any(&[
        Words(&["off", "on"]),
        Boolean,
        Like("^0*[1-9][0-9]?%+$"),
        Size(1, u64::MAX),
    ]),
);
const COLLAPSED: (&str, Type) = ("collapse", Block(&COLLAPSE));
const STRIP: (&str, Type) = ("strip_set_cookie_on_hit", Boolean);
const BEHAVIOR_KEYS: &[(&str, Type)] = &[
    ("path", Text),
    ("path_pattern", Text),
    ("origin", Text),
    ("target_origin_id", Text),
    (
        "viewer_protocol_policy",
        Words(&["allow-all", "https-only", "redirect-to-https"]),
    ),
    ("allowed_methods", Any(&[METHODS, Block(&ALLOWED_METHODS)])),
    ("cached_methods", CACHED_METHODS),
    ("cache_policy", Any(&[Text, Block(&CACHE_POLICY)])),
    ("cache_policy_id", Any(&[Text, Block(&CACHE_POLICY)])),
    (
        "origin_request_policy",
        Any(&[Text, Block(&ORIGIN_REQUEST_POLICY)]),
    ),
    (
        "origin_request_policy_id",
        Any(&[Text, Block(&ORIGIN_REQUEST_POLICY)]),
    ),
    (
        "response_headers_policy",
        Any(&[Text, Block(&RESPONSE_HEADERS_POLICY)]),
    ),
    (
        "response_headers_policy_id",
        Any(&[Text, Block(&RESPONSE_HEADERS_POLICY)]),
    ),
    ("on", Block(&ON)),
    ("compress", Boolean),
    ("forwarded_values", Block(&FORWARDED_VALUES)),
    ("min_ttl", TTL),
    ("default_ttl", TTL),
    ("max_ttl", TTL),
    (
        "trusted_key_groups",
        Any(&[Off, List(&Text), Block(&TRUSTED_KEY_GROUPS)]),
    ),
    (
        "lambda_function_associations",
        Any(&[Off, Counted(&Block(&LAMBDA_ASSOCIATION))]),
    ),
    (
        "function_associations",
        Any(&[Off, Counted(&Block(&FUNCTION_ASSOCIATION))]),
    ),
    ("grpc_config", Any(&[Boolean, Block(&GRPC_CONFIG)])),
];
const CUSTOM_HEADERS: Type = Any(&[Counted(&Block(&CUSTOM_HEADER)), Map(&Text)]);

/// By the block that they stand in.
pub(super) const ALL: &[Entry] = &[
    (
        &SITE,
        &[
            ("node", Block(&NODE)),
            ("functions", Map(&Any(&[Text, Block(&FUNCTION)]))),
            (
                "cloudfront_functions",
                Map(&Any(&[Text, Block(&CLOUDFRONT_FUNCTION)])),
            ),
            ("stores", Map(&Any(&[Text, Block(&STORE)]))),
            ("distributions", Map(&Block(&DISTRIBUTION))),
            CACHE_MODE,
            REQUEST_CC,
            COMPAT,
            STRICT_KEYS,
            SLICE,
            FINISH,
            COLLAPSED,
            STRIP,
            IDENTITY,
            ("cache_policies", Map(&Block(&CACHE_POLICY))),
            (
                "origin_request_policies",
                Map(&Block(&ORIGIN_REQUEST_POLICY)),
            ),
            (
                "response_headers_policies",
                Map(&Block(&RESPONSE_HEADERS_POLICY)),
            ),
            (
                "continuous_deployment_policies",
                Map(&Block(&CONTINUOUS_DEPLOYMENT_POLICY)),
            ),
            ("key_groups", Map(&Any(&[List(&Text), Block(&KEY_GROUP)]))),
            ("public_keys", Map(&Any(&[Text, Block(&PUBLIC_KEY)]))),
            (
                "origin_access_controls",
                Map(&Block(&ORIGIN_ACCESS_CONTROL)),
            ),
        ],
    ),
    (
        &LOGGING,
        &[
            ("enabled", Boolean),
            ("include_cookies", Boolean),
            ("bucket", Text),
            ("prefix", Text),
        ],
    ),
    (
        &FUNCTION,
        &[
            ("name", Text),
            ("version", Integer(1, 4_294_967_295)),
            ("file", Text),
            ("dir", Text),
            ("zip", Text),
            ("handler", Text),
            ("timeout", Seconds(900)),
            ("memory", Integer(64, 65_536)),
            ("concurrency", Integer(0, 1_000_000)),
            ("environment", Map(&Text)),
            ("credentials", Block(&CREDENTIALS)),
            ("egress", List(&Text)),
            ("log_group", Text),
            ("runtime", Text),
            ("arn", Text),
        ],
    ),
    (
        &ORIGIN_ACCESS_CONTROL,
        &[
            (
                "signing_behavior",
                Words(&["always", "no-override", "never"]),
            ),
            ("signing_protocol", Words(&["sigv4"])),
            ("origin_access_control_origin_type", Words(&["s3"])),
            ("credentials", Block(&CREDENTIALS)),
        ],
    ),
    (
        &CLOUDFRONT_FUNCTION,
        &[
            ("file", Text),
            (
                "runtime",
                Known(|| CffRuntime::ALL.map(CffRuntime::as_str).into()),
            ),
            ("store", Text),
            ("arn", Text),
        ],
    ),
    (&STORE, &[("file", Text), ("id", Text)]),
    (
        &PUBLIC_KEY,
        &[
            ("file", Text),
            ("pem", Text),
            ("encoded_key", Text),
            ("id", Text),
        ],
    ),
    (
        &KEY_GROUP,
        &[("keys", List(&Text)), ("items", List(&Text)), ("id", Text)],
    ),
    (
        &DISTRIBUTION,
        &[
            ("config", Text),
            ("unknown_members", Words(&["refuse", "warn"])),
            ("id", Text),
            ("domain_name", Text),
            ("aliases", NAMES),
            ("enabled", Boolean),
            ("default", Boolean),
            ("default_root_object", Text),
            ("comment", Text),
            (
                "origins",
                Any(&[Counted(&Block(&ORIGIN)), Map(&Any(&[Text, Block(&ORIGIN)]))]),
            ),
            ("default_cache_behavior", Block(&DEFAULT_BEHAVIOR)),
            ("cache_behaviors", Counted(&Block(&BEHAVIOR))),
            ("http_version", Words(&["http1.1", "http2"])),
            CACHE_MODE,
            REQUEST_CC,
            COMPAT,
            STRICT_KEYS,
            SLICE,
            FINISH,
            COLLAPSED,
            STRIP,
            IDENTITY,
            ("cache_tag_config", Block(&CACHE_TAGS)),
            ("cdn_cc", Block(&CDN_CC)),
            ("vary", Block(&VARY)),
            (
                "custom_error_responses",
                Counted(&Block(&CUSTOM_ERROR_RESPONSE)),
            ),
            ("viewer_certificate", Block(&VIEWER_CERTIFICATE)),
            ("restrictions", Any(&[Off, Block(&RESTRICTIONS)])),
            ("geo_restriction", Any(&[Off, Block(&GEO_RESTRICTION)])),
            ("logging", Any(&[Off, Block(&LOGGING)])),
            (
                "origin_groups",
                Any(&[Counted(&Block(&ORIGIN_GROUP)), Map(&Block(&ORIGIN_GROUP))]),
            ),
            ("continuous_deployment_policy_id", Text),
            ("staging", Boolean),
            ("viewer_mtls_config", Block(&VIEWER_MTLS)),
        ],
    ),
    (
        &VIEWER_CERTIFICATE,
        &[
            ("certificate", Text),
            ("acm_certificate_arn", Text),
            ("iam_certificate_id", Text),
            ("cloudfront_default_certificate", Boolean),
            (
                "ssl_support_method",
                Words(&["", "sni-only", "vip", "static-ip"]),
            ),
            (
                "minimum_protocol_version",
                Known(|| {
                    let known = SecurityPolicy::ALL.map(SecurityPolicy::as_str);
                    let all = [""].into_iter().chain(known);
                    all.chain(SecurityPolicy::TOO_OLD).collect()
                }),
            ),
        ],
    ),
    (
        &VIEWER_MTLS,
        &[
            ("mode", Words(&["required", "optional"])),
            ("trust_store_config", Block(&TRUST_STORE)),
        ],
    ),
    (
        &TRUST_STORE,
        &[
            ("trust_store", Text),
            ("advertise_trust_store_ca_names", Boolean),
        ],
    ),
    (
        &CACHE_TAGS,
        &[
            ("header_name", Text),
            ("separator", Words(&["comma", "space"])),
            ("hide", Boolean),
        ],
    ),
    (
        &RESTRICTIONS,
        &[("geo_restriction", Any(&[Off, Block(&GEO_RESTRICTION)]))],
    ),
    (
        &GEO_RESTRICTION,
        &[
            (
                "restriction_type",
                Words(&["none", "whitelist", "blacklist"]),
            ),
            ("locations", List(&Text)),
            ("items", List(&Text)),
            ("quantity", Integer(0, 10_000)),
        ],
    ),
    (&CDN_CC, &[("field", Text), ("hide", Boolean)]),
    (&VARY, &[("max_variants", Integer(2, 10_000))]),
    (&COLLAPSE, &[("max_wait", Seconds(3_600))]),
    (
        &CUSTOM_ERROR_RESPONSE,
        &[
            ("error_code", Text),
            ("response_page_path", Text),
            ("response_code", Text),
            ("error_caching_min_ttl", TTL),
        ],
    ),
    (
        &ORIGIN,
        &[
            ("id", Text),
            ("domain_name", Text),
            ("origin_path", Text),
            ("custom_headers", CUSTOM_HEADERS),
            ("origin_custom_headers", CUSTOM_HEADERS),
            ("custom_origin_config", Block(&CUSTOM_ORIGIN)),
            ("s3_origin_config", Block(&S3_ORIGIN)),
            ("dir", Text),
            ("connection_attempts", Integer(1, 3)),
            ("connection_timeout", Integer(1, 10)),
            ("response_completion_timeout", Integer(0, 86_400)),
            ("origin_ca", Text),
            ("pool", Block(&POOL)),
            ("origin_shield", Block(&ORIGIN_SHIELD)),
            ("origin_access_control_id", Text),
        ],
    ),
    (
        &ORIGIN_SHIELD,
        &[("enabled", Boolean), ("origin_shield_region", Text)],
    ),
    (
        &CUSTOM_ORIGIN,
        &[
            ("http_port", PORT),
            ("https_port", PORT),
            (
                "origin_protocol_policy",
                Words(&["http-only", "https-only", "match-viewer"]),
            ),
            (
                "origin_ssl_protocols",
                Counted(&Known(|| {
                    let all = [
                        SslProtocol::TlsV1_2,
                        SslProtocol::TlsV1_1,
                        SslProtocol::TlsV1,
                        SslProtocol::SslV3,
                    ];
                    all.map(SslProtocol::as_str).into()
                })),
            ),
            ("origin_read_timeout", Integer(1, 120)),
            ("origin_keepalive_timeout", Integer(1, 300)),
            (
                "ip_address_type",
                Known(|| {
                    let all = [
                        IpAddressType::Ipv4,
                        IpAddressType::Ipv6,
                        IpAddressType::Dualstack,
                    ];
                    all.map(IpAddressType::as_str).into()
                }),
            ),
        ],
    ),
    (
        &CUSTOM_HEADER,
        &[("header_name", Text), ("header_value", Text)],
    ),
    (
        &S3_ORIGIN,
        &[
            ("origin_read_timeout", Integer(1, 120)),
            ("region", Text),
            ("endpoint", Text),
            ("origin_access_identity", Text),
        ],
    ),
    (
        &ORIGIN_GROUP,
        &[
            ("id", Text),
            ("members", Counted(&Any(&[Text, Block(&GROUP_MEMBER)]))),
            ("failover_criteria", Block(&FAILOVER_CRITERIA)),
            ("selection_criteria", Words(&["default"])),
        ],
    ),
    (&GROUP_MEMBER, &[("origin_id", Text)]),
    (&FAILOVER_CRITERIA, &[("status_codes", Counted(&STATUS))]),
    (&DEFAULT_BEHAVIOR, BEHAVIOR_KEYS),
    (&BEHAVIOR, BEHAVIOR_KEYS),
    (
        &ALLOWED_METHODS,
        &[
            ("quantity", Integer(0, u64::MAX)),
            ("items", METHODS),
            ("cached_methods", CACHED_METHODS),
        ],
    ),
    (&GRPC_CONFIG, &[("enabled", Boolean)]),
    (
        &FORWARDED_VALUES,
        &[
            ("query_string", Boolean),
            ("query_string_cache_keys", NAMES),
            ("cookies", Block(&COOKIE_PREFERENCE)),
            ("headers", NAMES),
        ],
    ),
    (
        &COOKIE_PREFERENCE,
        &[
            ("forward", Words(&["none", "whitelist", "all"])),
            ("whitelisted_names", NAMES),
        ],
    ),
    (
        &LAMBDA_ASSOCIATION,
        &[
            ("event_type", EVENT),
            ("lambda_function_arn", Text),
            ("include_body", Boolean),
        ],
    ),
    (
        &FUNCTION_ASSOCIATION,
        &[("event_type", EVENT), ("function_arn", Text)],
    ),
    (
        &ON,
        &[
            ("viewer-request", ASSOCIATED),
            ("origin-request", ASSOCIATED),
            ("origin-response", ASSOCIATED),
            ("viewer-response", ASSOCIATED),
        ],
    ),
    (
        &ASSOCIATION,
        &[
            ("function", Text),
            ("include_body", Boolean),
            ("on_error", Words(&["fail", "bypass"])),
        ],
    ),
    (
        &CONTINUOUS_DEPLOYMENT_POLICY,
        &[
            ("config", Text),
            ("id", Text),
            ("sessions_since", Integer(0, u64::MAX)),
            ("staging_distribution_dns_names", NAMES),
            ("enabled", Boolean),
            ("traffic_config", Block(&TRAFFIC)),
        ],
    ),
    (
        &TRAFFIC,
        &[
            ("type", Words(&["SingleWeight", "SingleHeader"])),
            ("single_weight_config", Block(&SINGLE_WEIGHT)),
            ("single_header_config", Block(&SINGLE_HEADER)),
        ],
    ),
    (
        &SINGLE_WEIGHT,
        &[
            ("weight", Fraction),
            ("session_stickiness_config", Block(&SESSION_STICKINESS)),
        ],
    ),
    (&SINGLE_HEADER, &[("header", Text), ("value", Text)]),
    (
        &SESSION_STICKINESS,
        &[("idle_ttl", SESSION), ("maximum_ttl", SESSION)],
    ),
    (
        &POOL,
        &[
            ("members", List(&Any(&[Text, Block(&POOL_MEMBER)]))),
            (
                "choice",
                Known(|| {
                    [PoolChoice::LeastLoaded, PoolChoice::Consistent]
                        .map(PoolChoice::as_str)
                        .into()
                }),
            ),
            ("health_check", Block(&HEALTH_CHECK)),
            ("ejection", Block(&EJECTION)),
        ],
    ),
    (
        &POOL_MEMBER,
        &[("address", Text), ("weight", Integer(1, 100))],
    ),
    (
        &HEALTH_CHECK,
        &[
            ("path", Text),
            ("status", STATUS),
            ("interval", Seconds(3_600)),
            ("timeout", Seconds(3_600)),
            ("unhealthy_after", Integer(1, 100)),
            ("healthy_after", Integer(1, 100)),
        ],
    ),
    (
        &EJECTION,
        &[("failures", Integer(0, 1_000)), ("time", Seconds(3_600))],
    ),
];
