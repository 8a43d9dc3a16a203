//! What `node:` may hold.

use super::{Table, read, refused};

pub(crate) const NODE: Table = Table {
    what: "`node`",
    groups: &[&[
        read("listen"),
        read("admin"),
        read("artifacts"),
        read("origins"),
        read("metrics"),
        read("threads"),
        read("max_requests"),
        read("max_connections"),
        read("cache_memory"),
        read("cache_disk"),
        read("max_object_size"),
        read("hooks"),
        read("log"),
        read("limits"),
        read("quotas"),
        read("compression"),
        read("shutdown_grace"),
        read("origin_ca"),
        read("resolver"),
        read("geo_database"),
        read("data_dir"),
        read("listen_https"),
        read("https_port"),
        read("certificates"),
        read("default_certificate"),
        read("handshake_timeout"),
        read("websocket_idle_timeout"),
        read("http2"),
        read("proxy_protocol"),
        refused("fleet", "not available yet: it needs fleet state"),
        read("trusted_proxies"),
        read("pop"),
        read("origin_shield"),
    ]],
};

pub(crate) const NODE_SHIELD: Table = Table {
    what: "`node.origin_shield`",
    groups: &[&[
        read("serves"),
        read("secret"),
        read("secret_file"),
        read("regions"),
    ]],
};

pub(crate) const ADMIN: Table = Table {
    what: "`node.admin`",
    groups: &[&[
        read("listen"),
        read("auth"),
        read("insecure"),
        read("socket"),
        read("certificate"),
        read("account_id"),
        read("region"),
        read("domain_suffix"),
        read("clock_skew"),
        read("master_key_file"),
        read("unknown_fields"),
        read("strict_load"),
        read("cors"),
    ]],
};

/// CP-120, CP-152, CP-202.
pub(crate) const QUOTAS: Table = Table {
    what: "`node.quotas`",
    groups: &[&[
        read("distributions"),
        read("cache_behaviors"),
        read("origins"),
        read("origin_groups"),
        read("aliases"),
        read("origin_custom_headers"),
        read("trusted_key_groups"),
        read("distributions_per_function"),
        read("distributions_per_policy"),
        read("cloudfront_functions"),
        read("key_value_stores"),
        read("cache_policies"),
        read("origin_request_policies"),
        read("response_headers_policies"),
        read("continuous_deployment_policies"),
        read("origin_access_controls"),
        read("origin_access_identities"),
        read("public_keys"),
        read("key_groups"),
        read("public_keys_per_key_group"),
        read("headers_per_policy"),
        read("cookies_per_policy"),
        read("query_strings_per_policy"),
        read("custom_headers_per_policy"),
        read("removed_headers_per_policy"),
        read("cloudfront_function_size"),
        read("store_size"),
        read("store_key_size"),
        read("store_value_size"),
    ]],
};

/// CP-320.
pub(crate) const NODE_ORIGINS: Table = Table {
    what: "`node.origins`",
    groups: &[&[read("s3")]],
};

pub(crate) const BUCKET: Table = Table {
    what: "a bucket of `node.origins.s3`",
    groups: &[&[
        read("dir"),
        read("endpoint"),
        read("path_style"),
        read("region"),
        read("credentials"),
    ]],
};

pub(crate) const RESOLVER: Table = Table {
    what: "`node.resolver`",
    groups: &[&[read("servers"), read("max_ttl"), read("stale_ttl")]],
};

pub(crate) const COMPRESSION: Table = Table {
    what: "`node.compression`",
    groups: &[&[
        read("gzip_level"),
        read("brotli_level"),
        read("max_in_flight"),
    ]],
};

pub(crate) const CERTIFICATE: Table = Table {
    what: "a certificate",
    groups: &[&[read("cert"), read("key"), read("arn")]],
};

pub(crate) const HTTP2: Table = Table {
    what: "`node.http2`",
    groups: &[&[read("cleartext"), read("max_concurrent_streams")]],
};

pub(crate) const HOOKS: Table = Table {
    what: "`node.hooks`",
    groups: &[&[
        read("threads"),
        read("concurrency"),
        read("idle_timeout"),
        read("local_egress"),
        read("private_egress"),
        read("function_name_prefix"),
        read("modules_dir"),
        read("limit_profile"),
        read("compute_budget"),
    ]],
};

pub(crate) const LOG: Table = Table {
    what: "`node.log`",
    groups: &[&[
        read("format"),
        read("level"),
        read("access"),
        read("access_format"),
        read("access_file"),
        read("include_cookies"),
        read("directory"),
    ]],
};

/// A distribution's (CF-045).
pub(crate) const LOGGING: Table = Table {
    what: "`logging`",
    groups: &[&[
        read("enabled"),
        read("include_cookies"),
        read("bucket"),
        read("prefix"),
    ]],
};

pub(crate) const LIMITS: Table = Table {
    what: "`node.limits`",
    groups: &[&[
        read("max_header_bytes"),
        read("max_url_bytes"),
        read("max_header_count"),
        read("max_body_bytes"),
        read("max_origin_header_bytes"),
        read("max_viewer_function_body"),
        read("max_origin_function_body"),
        read("max_cache_tags"),
        read("max_cache_tag_length"),
        read("max_invalidation_items"),
        read("max_invalidation_wildcards"),
    ]],
};
