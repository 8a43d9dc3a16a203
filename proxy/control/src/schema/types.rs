//! What each setting takes.

use fourfront_model::{
    CffRuntime, EventType, IpAddressType, PoolChoice, RangeSlice, SecurityPolicy, SslProtocol,
};
use serde_json::{Value, json};

use super::reference;
use crate::{
    LogLevel,
    keys::{
        ADMIN, ALLOWED_METHODS, ASSOCIATION, BEHAVIOR, BUCKET, CACHE_POLICY, CACHE_TAGS, CDN_CC,
        CERTIFICATE, CLOUDFRONT_FUNCTION, COLLAPSE, COMPRESSION, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE_OPTIONS, CONTINUOUS_DEPLOYMENT_POLICY, COOKIE_PREFERENCE, COOKIES_CONFIG,
        CORS, CREDENTIALS, CUSTOM_ERROR_RESPONSE, CUSTOM_HEADER, CUSTOM_ORIGIN, DEFAULT_BEHAVIOR,
        DISTRIBUTION, EJECTION, FAILOVER_CRITERIA, FORWARDED_VALUES, FRAME_OPTIONS, FUNCTION,
        FUNCTION_ASSOCIATION, GEO_RESTRICTION, GROUP_MEMBER, GRPC_CONFIG, HEADERS_CONFIG,
        HEALTH_CHECK, HOOKS, HTTP2, ITEMS, KEY_GROUP, KEY_PARAMETERS, LAMBDA_ASSOCIATION, LIMITS,
        LOG, LOGGING, NODE, NODE_ORIGINS, NODE_SHIELD, ON, ORIGIN, ORIGIN_ACCESS_CONTROL,
        ORIGIN_GROUP, ORIGIN_HEADERS, ORIGIN_REQUEST_POLICY, ORIGIN_SHIELD, POLICY_HEADER, POOL,
        POOL_MEMBER, PUBLIC_KEY, QUERY_STRINGS_CONFIG, QUOTAS, REFERRER_POLICY, REMOVED_HEADER,
        RESOLVER, RESPONSE_HEADERS_POLICY, RESTRICTIONS, SECURITY_HEADERS, SELECTION,
        SERVER_TIMING, SESSION_STICKINESS, SINGLE_HEADER, SINGLE_WEIGHT, SITE, STORE,
        STRICT_TRANSPORT_SECURITY, TRAFFIC, TRUST_STORE, TRUSTED_KEY_GROUPS, Table, VARY,
        VIEWER_CERTIFICATE, VIEWER_MTLS, XSS_PROTECTION,
    },
};

/// What a setting takes. Each of them may be left empty.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// Any scalar.
    Text,
    Boolean,
    /// Yes, as nothing else can be had.
    True,
    /// From, to.
    Integer(u64, u64),
    /// Above 0, up to that many.
    Seconds(u32),
    /// 0 to 1.
    Fraction,
    /// Bytes, with or without a unit.
    Size(u64, u64),
    /// Text of this form.
    Like(&'static str),
    Words(&'static [&'static str]),
    /// Words that the model knows.
    Known(fn() -> Vec<&'static str>),
    /// One of the words that switch something off.
    Off,
    Block(&'static Table),
    /// From names that the user chose.
    Map(&'static Self),
    List(&'static Self),
    /// A list, or one that is written with its length (CF-020).
    Counted(&'static Self),
    Any(&'static [Self]),
}

use Type::{
    Any, Block, Boolean, Counted, Fraction, Integer, Known, Like, List, Map, Off, Seconds, Size,
    Text, True, Words,
};

/// A scalar that is known once a variable is expanded.
pub(super) fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

/// The largest number that JSON carries exactly everywhere.
const EXACT: u64 = 1 << 53;

impl Type {
    pub(super) fn schema(self) -> Value {
        let or_variable = |pattern: &str| format!("{pattern}|\\$\\{{");
        match self {
            Text => json!({ "type": ["string", "number", "boolean", "null"] }),
            Boolean => json!({
                "type": ["boolean", "string", "null"],
                "pattern": or_variable("^([Tt]rue|TRUE|[Ff]alse|FALSE)$"),
            }),
            True => json!({ "anyOf": [{ "enum": [true, "true", null] }, variable()] }),
            Integer(from, to) => {
                let mut schema = json!({
                    "type": ["integer", "string", "null"],
                    "minimum": from,
                    "pattern": or_variable("^[0-9]+$"),
                });
                if to < EXACT {
                    schema["maximum"] = json!(to);
                }
                schema
            }
            Seconds(most) => json!({
                "type": ["number", "string", "null"],
                "exclusiveMinimum": 0,
                "maximum": most,
                "pattern": or_variable("^[0-9.]+$"),
            }),
            Fraction => json!({
                "type": ["number", "string", "null"],
                "minimum": 0,
                "maximum": 1,
                "pattern": or_variable("^[-+0-9.eE]+$"),
            }),
            Size(from, to) => {
                let mut schema = json!({
                    "type": ["integer", "string", "null"],
                    "minimum": from,
                    "pattern": or_variable("^[0-9]+\\s*(KiB|MiB|GiB)?$"),
                });
                if to < EXACT {
                    schema["maximum"] = json!(to);
                }
                schema
            }
            Like(pattern) => {
                json!({ "type": ["string", "null"], "pattern": or_variable(pattern) })
            }
            Words(words) => one_of(words),
            Known(words) => one_of(&words()),
            Off => json!({ "enum": ["", false, "false", "none", null] }),
            Block(table) => json!({ "$ref": reference(table) }),
            Map(of) => json!({
                "type": ["object", "null"],
                "additionalProperties": of.schema(),
            }),
            List(of) => json!({ "type": ["array", "null"], "items": of.schema() }),
            Counted(of) => json!({ "anyOf": [
                List(of).schema(),
                {
                    "type": "object",
                    "properties": {
                        "items": List(of).schema(),
                        "quantity": Integer(0, u64::MAX).schema(),
                    },
                    "patternProperties": {
                        "^I[Tt][Ee][Mm][Ss]$": List(of).schema(),
                        "^Q[Uu][Aa][Nn][Tt][Ii][Tt][Yy]$": Integer(0, u64::MAX).schema(),
                    },
                    "additionalProperties": false,
                },
            ] }),
            Any(types) => {
                let types: Vec<_> = types.iter().map(|of| of.schema()).collect();
                json!({ "anyOf": types })
            }
        }
    }
}

fn one_of(words: &[&str]) -> Value {
    let mut all: Vec<Value> = words.iter().map(|word| json!(word)).collect();
    all.push(Value::Null);
    json!({ "anyOf": [{ "enum": all }, variable()] })
}

/// What a key of a table takes, if it is read.
pub(super) fn of(table: &Table, key: &str) -> Option<Type> {
    let (_, keys) = ALL.iter().find(|(of, _)| of.what == table.what)?;
    keys.iter()
        .find(|(name, _)| *name == key)
        .map(|(_, of)| *of)
}

/// Whether keys may stand in CloudFront's own spelling as well (CF-020).
pub(super) fn is_spelled(table: &Table) -> bool {
    AS_WRITTEN.iter().all(|of| of.what != table.what)
}

/// Blocks that CloudFront does not have, whose keys have one spelling.
const AS_WRITTEN: &[&Table] = &[
    &SITE,
    &NODE,
    &ADMIN,
    &CERTIFICATE,
    &HTTP2,
    &RESOLVER,
    &NODE_SHIELD,
    &HOOKS,
    &LOG,
    &LIMITS,
    &QUOTAS,
    &COMPRESSION,
    &FUNCTION,
    &CREDENTIALS,
    &CLOUDFRONT_FUNCTION,
    &STORE,
    &PUBLIC_KEY,
    &KEY_GROUP,
    &CDN_CC,
    &VARY,
    &COLLAPSE,
    &ON,
    &ASSOCIATION,
    &SELECTION,
    &ORIGIN_HEADERS,
    &POOL,
    &POOL_MEMBER,
    &HEALTH_CHECK,
    &EJECTION,
    &NODE_ORIGINS,
    &BUCKET,
];

/// 100 years in seconds (CF-242).
const TTL: Type = Integer(0, 3_153_600_000);
const PORT: Type = Integer(1, 65_535);
/// What AWS's integers hold.
const MAX_AGE: Type = Integer(0, 2_147_483_647);
const AT_ONCE: Type = Integer(1, 100_000_000);
/// Of what may be deployed.
const QUOTA: Type = Integer(0, 1_000_000);
const STATUS: Type = Integer(100, 599);
const ONE_OR_MORE: Type = Any(&[Text, List(&Text)]);
const NAMES: Type = Counted(&Text);
const EVENT: Type = Known(|| EventType::ALL.map(EventType::as_str).into());
const SESSION: Type = Integer(300, 3_600);
const FUNCTION_BODY: Type = Size(0, 4 << 20);

const SELECTED: Type = Any(&[Words(&["none", "all"]), List(&Text), Block(&SELECTION)]);
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

/// Every setting that is read, by the block that it stands in.
pub(super) const ALL: &[(&Table, &[(&str, Type)])] = &[
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
        &NODE,
        &[
            ("listen", Text),
            ("admin", Any(&[Text, Block(&ADMIN)])),
            ("artifacts", Map(&Any(&[Text, Block(&BUCKET)]))),
            ("origins", Block(&NODE_ORIGINS)),
            ("metrics", Text),
            ("threads", Integer(1, 1_024)),
            ("max_requests", AT_ONCE),
            ("max_connections", AT_ONCE),
            ("cache_memory", Size(64 << 10, 1 << 50)),
            ("cache_disk", Size(64 << 20, 8 << 40)),
            ("max_object_size", Size(4 << 10, 4 << 30)),
            ("hooks", Block(&HOOKS)),
            ("log", Block(&LOG)),
            ("limits", Block(&LIMITS)),
            ("quotas", Block(&QUOTAS)),
            ("compression", Block(&COMPRESSION)),
            ("shutdown_grace", Seconds(86_400)),
            ("origin_ca", Text),
            ("resolver", Block(&RESOLVER)),
            ("geo_database", ONE_OR_MORE),
            ("data_dir", Text),
            ("listen_https", Text),
            ("https_port", PORT),
            ("certificates", Map(&Block(&CERTIFICATE))),
            ("default_certificate", Text),
            ("handshake_timeout", Seconds(60)),
            ("websocket_idle_timeout", Seconds(86_400)),
            ("http2", Block(&HTTP2)),
            ("proxy_protocol", Boolean),
            ("trusted_proxies", ONE_OR_MORE),
            ("pop", Text),
            ("origin_shield", Block(&NODE_SHIELD)),
        ],
    ),
    (
        &ADMIN,
        &[
            ("listen", Text),
            ("auth", Words(&["sigv4", "any"])),
            ("insecure", Boolean),
            ("socket", Text),
            ("certificate", Block(&CERTIFICATE)),
            ("account_id", Text),
            ("region", Text),
            ("domain_suffix", Text),
            ("clock_skew", Integer(1, 60)),
            ("master_key_file", Text),
            ("unknown_fields", Words(&["keep", "reject"])),
            ("strict_load", True),
            ("cors", ONE_OR_MORE),
            ("forward", Map(&Text)),
        ],
    ),
    (
        &CERTIFICATE,
        &[("cert", Text), ("key", Text), ("arn", Text)],
    ),
    (
        &HTTP2,
        &[
            ("cleartext", Boolean),
            ("max_concurrent_streams", Integer(1, 10_000)),
        ],
    ),
    (
        &RESOLVER,
        &[
            ("servers", List(&Text)),
            ("max_ttl", Seconds(604_800)),
            ("stale_ttl", Seconds(604_800)),
        ],
    ),
    (
        &NODE_SHIELD,
        &[
            ("serves", Text),
            ("secret", ONE_OR_MORE),
            ("secret_file", Text),
            ("regions", Map(&ONE_OR_MORE)),
        ],
    ),
    (
        &HOOKS,
        &[
            ("threads", Integer(1, 1_024)),
            ("concurrency", Integer(1, 1_000_000)),
            ("idle_timeout", Seconds(86_400)),
            ("local_egress", Boolean),
            ("private_egress", Boolean),
            ("function_name_prefix", Text),
            ("modules_dir", Text),
            ("limit_profile", Words(&["aws-current", "aws-2023"])),
            ("compute_budget", Seconds(1)),
        ],
    ),
    (
        &LOG,
        &[
            ("format", Words(&["text", "json"])),
            (
                "level",
                Known(|| {
                    [
                        LogLevel::Error,
                        LogLevel::Warn,
                        LogLevel::Info,
                        LogLevel::Debug,
                        LogLevel::Trace,
                    ]
                    .map(LogLevel::as_str)
                    .into()
                }),
            ),
            ("access", Boolean),
            ("access_format", Words(&["text", "json", "w3c"])),
            ("access_file", Text),
            ("include_cookies", Boolean),
            ("directory", Text),
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
        &LIMITS,
        &[
            ("max_header_bytes", Size(1 << 10, 1 << 20)),
            ("max_url_bytes", Size(64, 1 << 20)),
            ("max_header_count", Integer(1, 10_000)),
            ("max_body_bytes", Size(0, 1 << 50)),
            ("max_origin_header_bytes", Size(1 << 10, 1 << 20)),
            ("max_viewer_function_body", FUNCTION_BODY),
            ("max_origin_function_body", FUNCTION_BODY),
            ("max_cache_tags", Integer(1, 255)),
            ("max_cache_tag_length", Integer(1, 4_096)),
            ("max_invalidation_items", Integer(1, 100_000)),
            ("max_invalidation_wildcards", Integer(0, 100_000)),
        ],
    ),
    (
        &QUOTAS,
        &[
            ("distributions", QUOTA),
            ("cache_behaviors", QUOTA),
            ("origins", QUOTA),
            ("origin_groups", QUOTA),
            ("aliases", QUOTA),
            ("origin_custom_headers", QUOTA),
            ("trusted_key_groups", QUOTA),
            ("distributions_per_function", QUOTA),
            ("distributions_per_policy", QUOTA),
            ("cloudfront_functions", QUOTA),
            ("key_value_stores", QUOTA),
            ("cache_policies", QUOTA),
            ("origin_request_policies", QUOTA),
            ("response_headers_policies", QUOTA),
            ("continuous_deployment_policies", QUOTA),
            ("origin_access_controls", QUOTA),
            ("origin_access_identities", QUOTA),
            ("public_keys", QUOTA),
            ("key_groups", QUOTA),
            ("public_keys_per_key_group", QUOTA),
            ("headers_per_policy", QUOTA),
            ("cookies_per_policy", QUOTA),
            ("query_strings_per_policy", QUOTA),
            ("custom_headers_per_policy", QUOTA),
            ("removed_headers_per_policy", QUOTA),
            ("cloudfront_function_size", Size(1, 40_960)),
            ("store_size", Size(1, 1 << 30)),
            ("store_key_size", Size(1, 1_024)),
            ("store_value_size", Size(1, 1 << 20)),
        ],
    ),
    (
        &COMPRESSION,
        &[
            ("gzip_level", Integer(1, 9)),
            ("brotli_level", Integer(0, 11)),
            ("max_in_flight", AT_ONCE),
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
        &CREDENTIALS,
        &[
            ("access_key_id", Text),
            ("secret_access_key", Text),
            ("secret_access_key_file", Text),
            ("session_token", Text),
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
            ("s3_origin_config", Block(&crate::keys::S3_ORIGIN)),
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
        &crate::keys::S3_ORIGIN,
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
        &CACHE_POLICY,
        &[
            ("config", Text),
            ("id", Text),
            ("name", Text),
            ("min_ttl", TTL),
            ("default_ttl", TTL),
            ("max_ttl", TTL),
            ("heuristic", Words(&["default_ttl", "last_modified"])),
            (
                "headers",
                Any(&[Words(&["none"]), List(&Text), Block(&SELECTION)]),
            ),
            ("cookies", SELECTED),
            ("query_strings", SELECTED),
            ("accept_encoding_gzip", Boolean),
            ("accept_encoding_brotli", Boolean),
            (
                "parameters_in_cache_key_and_forwarded_to_origin",
                Block(&KEY_PARAMETERS),
            ),
        ],
    ),
    (
        &KEY_PARAMETERS,
        &[
            ("enable_accept_encoding_gzip", Boolean),
            ("enable_accept_encoding_brotli", Boolean),
            ("headers_config", Block(&HEADERS_CONFIG)),
            ("cookies_config", Block(&COOKIES_CONFIG)),
            ("query_strings_config", Block(&QUERY_STRINGS_CONFIG)),
        ],
    ),
    (
        &HEADERS_CONFIG,
        &[
            (
                "header_behavior",
                Words(&[
                    "none",
                    "whitelist",
                    "allViewer",
                    "allViewerAndWhitelistCloudFront",
                    "allExcept",
                ]),
            ),
            ("headers", NAMES),
        ],
    ),
    (
        &COOKIES_CONFIG,
        &[("cookie_behavior", CHOICE), ("cookies", NAMES)],
    ),
    (
        &QUERY_STRINGS_CONFIG,
        &[("query_string_behavior", CHOICE), ("query_strings", NAMES)],
    ),
    (
        &ORIGIN_REQUEST_POLICY,
        &[
            ("config", Text),
            ("id", Text),
            ("name", Text),
            (
                "headers",
                Any(&[
                    Words(&["none", "all_viewer", "allViewer"]),
                    List(&Text),
                    Block(&ORIGIN_HEADERS),
                ]),
            ),
            ("cookies", SELECTED),
            ("query_strings", SELECTED),
            ("headers_config", Block(&HEADERS_CONFIG)),
            ("cookies_config", Block(&COOKIES_CONFIG)),
            ("query_strings_config", Block(&QUERY_STRINGS_CONFIG)),
        ],
    ),
    (
        &SELECTION,
        &[("whitelist", List(&Text)), ("all_except", List(&Text))],
    ),
    (
        &ORIGIN_HEADERS,
        &[
            ("whitelist", List(&Text)),
            ("all_except", List(&Text)),
            ("all_viewer_and_whitelist_cloudfront", List(&Text)),
        ],
    ),
    (
        &TRUSTED_KEY_GROUPS,
        &[
            ("enabled", Boolean),
            ("quantity", Integer(0, 10_000)),
            ("items", List(&Text)),
        ],
    ),
    (
        &ITEMS,
        &[
            ("quantity", Integer(0, u64::MAX)),
            ("items", List(&ANYTHING)),
        ],
    ),
    (
        &RESPONSE_HEADERS_POLICY,
        &[
            ("config", Text),
            ("id", Text),
            ("name", Text),
            ("comment", Text),
            ("cors_config", Block(&CORS)),
            ("security_headers_config", Block(&SECURITY_HEADERS)),
            ("custom_headers_config", Counted(&Block(&POLICY_HEADER))),
            (
                "remove_headers_config",
                Counted(&Any(&[Text, Block(&REMOVED_HEADER)])),
            ),
            ("server_timing_headers_config", Block(&SERVER_TIMING)),
        ],
    ),
    (
        &CORS,
        &[
            ("access_control_allow_origins", NAMES),
            ("access_control_allow_headers", NAMES),
            ("access_control_allow_methods", Any(&[Text, NAMES])),
            ("access_control_allow_credentials", Boolean),
            ("access_control_expose_headers", NAMES),
            ("access_control_max_age_sec", MAX_AGE),
            ("origin_override", Boolean),
        ],
    ),
    (
        &SECURITY_HEADERS,
        &[
            ("xss_protection", Block(&XSS_PROTECTION)),
            ("frame_options", Block(&FRAME_OPTIONS)),
            ("referrer_policy", Block(&REFERRER_POLICY)),
            ("content_security_policy", Block(&CONTENT_SECURITY_POLICY)),
            ("content_type_options", Block(&CONTENT_TYPE_OPTIONS)),
            (
                "strict_transport_security",
                Block(&STRICT_TRANSPORT_SECURITY),
            ),
        ],
    ),
    (
        &XSS_PROTECTION,
        &[
            ("protection", Boolean),
            ("mode_block", Boolean),
            ("report_uri", Text),
            ("override", Boolean),
        ],
    ),
    (
        &FRAME_OPTIONS,
        &[
            ("frame_option", Words(&["DENY", "SAMEORIGIN"])),
            ("override", Boolean),
        ],
    ),
    (
        &REFERRER_POLICY,
        &[
            (
                "referrer_policy",
                Words(&[
                    "no-referrer",
                    "no-referrer-when-downgrade",
                    "origin",
                    "origin-when-cross-origin",
                    "same-origin",
                    "strict-origin",
                    "strict-origin-when-cross-origin",
                    "unsafe-url",
                ]),
            ),
            ("override", Boolean),
        ],
    ),
    (
        &CONTENT_SECURITY_POLICY,
        &[("content_security_policy", Text), ("override", Boolean)],
    ),
    (&CONTENT_TYPE_OPTIONS, &[("override", Boolean)]),
    (
        &STRICT_TRANSPORT_SECURITY,
        &[
            ("access_control_max_age_sec", MAX_AGE),
            ("include_subdomains", Boolean),
            ("preload", Boolean),
            ("override", Boolean),
        ],
    ),
    (
        &POLICY_HEADER,
        &[("header", Text), ("value", Text), ("override", Boolean)],
    ),
    (&REMOVED_HEADER, &[("header", Text)]),
    (
        &SERVER_TIMING,
        &[("enabled", Boolean), ("sampling_rate", Text)],
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
    (&NODE_ORIGINS, &[("s3", Map(&Block(&BUCKET)))]),
    (
        &BUCKET,
        &[
            ("dir", Text),
            ("endpoint", Text),
            ("path_style", Boolean),
            ("region", Text),
            ("credentials", Block(&CREDENTIALS)),
        ],
    ),
];

const CUSTOM_HEADERS: Type = Any(&[Counted(&Block(&CUSTOM_HEADER)), Map(&Text)]);
const CHOICE: Type = Words(&["none", "whitelist", "allExcept", "all"]);
/// What stands in lists that others describe.
const ANYTHING: Type = Any(&[Text, Map(&Any(&[Text, List(&Text), Map(&Text)]))]);
