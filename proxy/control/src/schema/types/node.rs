//! What settings of the node take.

use super::{
    Entry, PORT,
    Type::{
        self, Any, Block, Boolean, Integer, Known, List, Map, Seconds, Size, Text, True, Words,
    },
};
use crate::{
    LogLevel,
    keys::{
        ADMIN, BUCKET, CERTIFICATE, COMPRESSION, CREDENTIALS, HOOKS, HTTP2, LIMITS, LOG, NODE,
        NODE_ORIGINS, NODE_SHIELD, QUOTAS, RESOLVER,
    },
};

const AT_ONCE: Type = Integer(1, 100_000_000);
/// Of what may be deployed.
const QUOTA: Type = Integer(0, 1_000_000);
const ONE_OR_MORE: Type = Any(&[Text, List(&Text)]);
const FUNCTION_BODY: Type = Size(0, 4 << 20);

/// By the block that they stand in.
pub(super) const ALL: &[Entry] = &[
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
        &CREDENTIALS,
        &[
            ("access_key_id", Text),
            ("secret_access_key", Text),
            ("secret_access_key_file", Text),
            ("session_token", Text),
        ],
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
