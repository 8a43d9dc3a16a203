//! The settings a site file may hold, as tables. The reader accepts exactly what stands here, and a test
//! holds the reference file (`fourfront.reference.yaml`) against the same tables.
//!
//! A setting that CloudFront has and this node does not have yet is listed too, so that it is refused by
//! name and with the reason rather than as a spelling mistake.

/// The settings of one kind of block.
#[derive(Debug)]
pub(crate) struct Table {
    /// The block, as used in messages: `a distribution`.
    pub(crate) what: &'static str,
    groups: &'static [&'static [Key]],
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: KeyKind,
}

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// It is read.
    Read,
    /// It describes AWS's own footprint or bookkeeping and changes nothing on a node (CF-023, CF-046).
    Ignored,
    /// It is refused for this reason, unless its value says "off".
    Refused {
        reason: &'static str,
        /// A scalar that, besides `false`, `none` and nothing, means "off".
        off: Option<&'static str>,
    },
}

impl Table {
    /// Every key of the table.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|g| g.iter())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|k| k.name == name)
    }

    /// Likewise, in CloudFront's own spelling as well: `AccessControlMaxAgeSec` (CF-020).
    pub(crate) fn find_spelled(&self, name: &str) -> Option<&'static Key> {
        let fold = |text: &str| text.replace('_', "").to_ascii_lowercase();
        let is_aws = name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains('_');
        let known = || self.keys().find(|k| fold(k.name) == fold(name));
        self.find(name).or_else(|| known().filter(|_| is_aws))
    }
}

const fn read(name: &'static str) -> Key {
    Key {
        name,
        kind: KeyKind::Read,
    }
}

const fn ignored(name: &'static str) -> Key {
    Key {
        name,
        kind: KeyKind::Ignored,
    }
}

const fn refused(name: &'static str, reason: &'static str) -> Key {
    Key {
        name,
        kind: KeyKind::Refused { reason, off: None },
    }
}

const fn refused_unless(name: &'static str, off: &'static str, reason: &'static str) -> Key {
    Key {
        name,
        kind: KeyKind::Refused {
            reason,
            off: Some(off),
        },
    }
}

pub(crate) const SITE: Table = Table {
    what: "a site file",
    groups: &[&[
        read("node"),
        read("functions"),
        read("cloudfront_functions"),
        read("stores"),
        read("distributions"),
        read("cache_mode"),
        read("request_cc"),
        read("compat"),
        read("strict_header_keys"),
        read("range_slice"),
        read("identity"),
        refused(
            "cache_policies",
            "not available yet: it needs named policies; write the policy in the behaviour, and share it with a YAML anchor",
        ),
        refused(
            "origin_request_policies",
            "not available yet: it needs named policies; write the policy in the behaviour, and share it with a YAML anchor",
        ),
        read("response_headers_policies"),
        read("key_groups"),
        read("public_keys"),
        read("origin_access_controls"),
        refused(
            "origin_groups",
            "groups belong to a distribution: write them there",
        ),
        refused(
            "continuous_deployment_policies",
            "not available yet: it needs staging distributions",
        ),
        refused(
            "certificates",
            "not a setting here: certificates belong to the node; write them under `node.certificates`",
        ),
        refused("fleet", "not available yet: it needs fleet state"),
    ]],
};

pub(crate) const NODE: Table = Table {
    what: "`node`",
    groups: &[&[
        read("listen"),
        read("admin"),
        read("threads"),
        read("location"),
        read("max_requests"),
        read("max_connections"),
        read("cache_memory"),
        read("cache_disk"),
        read("max_object_size"),
        read("hooks"),
        read("log"),
        read("limits"),
        read("compression"),
        read("shutdown_grace"),
        read("origin_ca"),
        read("geo_database"),
        read("data_dir"),
        read("listen_https"),
        read("https_port"),
        read("certificates"),
        read("default_certificate"),
        read("handshake_timeout"),
        read("http2"),
        read("proxy_protocol"),
        refused("fleet", "not available yet: it needs fleet state"),
        refused(
            "trusted_proxies",
            "not available yet: it needs viewer addresses taken from a proxy in front",
        ),
    ]],
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
    groups: &[&[read("cert"), read("key")]],
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

pub(crate) const FUNCTION: Table = Table {
    what: "a function",
    groups: &[&[
        read("file"),
        read("dir"),
        read("zip"),
        read("handler"),
        read("timeout"),
        read("memory"),
        read("environment"),
        read("credentials"),
        read("egress"),
        read("log_group"),
        read("runtime"),
        ignored("description"),
        // LE-353
        refused("vpc_config", "not supported: a hook has no VPC"),
        refused(
            "dead_letter_config",
            "not supported: a hook is never called asynchronously",
        ),
        refused(
            "layers",
            "not supported: put the layer's files into the function's directory",
        ),
        refused_unless(
            "tracing_config",
            "PassThrough",
            "not supported: Lambda@Edge has no tracing",
        ),
        refused(
            "provisioned_concurrency",
            "not supported: isolates start in milliseconds",
        ),
        refused(
            "image_uri",
            "not supported: a hook is a file or a directory, not a container image",
        ),
        refused_unless(
            "package_type",
            "Zip",
            "not supported: a hook is a file or a directory, not a container image",
        ),
        refused_unless(
            "architectures",
            "x86_64",
            "not supported: JavaScript is not bound to a processor",
        ),
        refused(
            "kms_key_arn",
            "not supported: a site file has no customer-managed keys",
        ),
    ]],
};

pub(crate) const ORIGIN_ACCESS_CONTROL: Table = Table {
    what: "an origin access control",
    groups: &[&[
        read("signing_behavior"),
        read("signing_protocol"),
        read("origin_access_control_origin_type"),
        read("credentials"),
        ignored("name"),
        ignored("description"),
    ]],
};

pub(crate) const CREDENTIALS: Table = Table {
    what: "`credentials`",
    groups: &[&[
        read("access_key_id"),
        read("secret_access_key"),
        read("session_token"),
    ]],
};

pub(crate) const CLOUDFRONT_FUNCTION: Table = Table {
    what: "a CloudFront Function",
    groups: &[&[
        read("file"),
        read("runtime"),
        read("store"),
        ignored("comment"),
        refused(
            "stage",
            "not a setting here: what a site file holds is the published (LIVE) stage",
        ),
    ]],
};

pub(crate) const STORE: Table = Table {
    what: "a store",
    groups: &[&[read("file"), read("id"), ignored("comment")]],
};

pub(crate) const PUBLIC_KEY: Table = Table {
    what: "a public key",
    groups: &[&[
        read("file"),
        read("pem"),
        read("encoded_key"),
        read("id"),
        ignored("comment"),
        ignored("caller_reference"),
    ]],
};

pub(crate) const KEY_GROUP: Table = Table {
    what: "a key group",
    groups: &[&[read("keys"), read("items"), read("id"), ignored("comment")]],
};

pub(crate) const TRUSTED_KEY_GROUPS: Table = Table {
    what: "`trusted_key_groups`",
    groups: &[&[read("enabled"), read("quantity"), read("items")]],
};

pub(crate) const DISTRIBUTION: Table = Table {
    what: "a distribution",
    groups: &[&[
        read("id"),
        read("domain_name"),
        read("aliases"),
        read("enabled"),
        read("default"),
        read("default_root_object"),
        read("comment"),
        read("origins"),
        read("default_cache_behavior"),
        read("cache_behaviors"),
        read("http_version"),
        read("cache_mode"),
        read("request_cc"),
        read("compat"),
        read("strict_header_keys"),
        read("range_slice"),
        read("identity"),
        read("cache_tag_config"),
        read("cdn_cc"),
        read("vary"),
        ignored("caller_reference"),
        ignored("price_class"),
        ignored("is_ipv6_enabled"),
        ignored("anycast_ip_list_id"),
        read("custom_error_responses"),
        read("viewer_certificate"),
        read("restrictions"),
        read("geo_restriction"),
        read("logging"),
        read("origin_groups"),
        refused("web_acl_id", "not supported: a node has no AWS WAF"),
        refused(
            "continuous_deployment_policy_id",
            "not available yet: it needs staging distributions",
        ),
        refused(
            "staging",
            "not available yet: it needs staging distributions",
        ),
        refused(
            "tenant_config",
            "not available yet: it needs distribution tenants",
        ),
        refused_unless(
            "connection_mode",
            "direct",
            "not available yet: it needs distribution tenants",
        ),
        read("viewer_mtls_config"),
        refused(
            "connection_function_association",
            "not supported: functions do not run in handshakes",
        ),
        refused_unless(
            "path_confusion",
            "off",
            "not available yet: it needs the guard against confused paths",
        ),
    ]],
};

pub(crate) const VIEWER_CERTIFICATE: Table = Table {
    what: "`viewer_certificate`",
    groups: &[&[
        read("certificate"),
        read("acm_certificate_arn"),
        read("iam_certificate_id"),
        read("cloudfront_default_certificate"),
        read("ssl_support_method"),
        read("minimum_protocol_version"),
        ignored("certificate_source"),
    ]],
};

pub(crate) const VIEWER_MTLS: Table = Table {
    what: "`viewer_mtls_config`",
    groups: &[&[read("mode"), read("trust_store_config")]],
};

pub(crate) const TRUST_STORE: Table = Table {
    what: "`trust_store_config`",
    groups: &[&[
        read("trust_store"),
        read("advertise_trust_store_ca_names"),
        refused(
            "trust_store_id",
            "not supported: a node has no trust stores of AWS; name a PEM file with `trust_store`",
        ),
        refused(
            "ignore_certificate_expiry",
            "not supported: a certificate that has expired is refused",
        ),
    ]],
};

pub(crate) const CACHE_TAGS: Table = Table {
    what: "`cache_tag_config`",
    groups: &[&[read("header_name"), read("separator"), read("hide")]],
};

pub(crate) const RESTRICTIONS: Table = Table {
    what: "`restrictions`",
    groups: &[&[read("geo_restriction")]],
};

pub(crate) const GEO_RESTRICTION: Table = Table {
    what: "`geo_restriction`",
    groups: &[&[
        read("restriction_type"),
        read("locations"),
        read("items"),
        read("quantity"),
    ]],
};

pub(crate) const CDN_CC: Table = Table {
    what: "`cdn_cc`",
    groups: &[&[read("field"), read("hide")]],
};

pub(crate) const VARY: Table = Table {
    what: "`vary`",
    groups: &[&[read("max_variants")]],
};

pub(crate) const ORIGIN: Table = Table {
    what: "an origin",
    groups: &[&[
        read("domain_name"),
        read("origin_path"),
        read("custom_headers"),
        read("custom_origin_config"),
        read("s3_origin_config"),
        read("dir"),
        read("connection_attempts"),
        read("connection_timeout"),
        read("response_completion_timeout"),
        refused("origin_shield", "not available yet: it needs parent nodes"),
        read("origin_access_control_id"),
        refused(
            "origin_mtls_config",
            "not available yet: it needs client certificates toward origins",
        ),
        refused(
            "vpc_origin_config",
            "not supported: there is no AWS network here; write a custom origin",
        ),
    ]],
};

pub(crate) const CUSTOM_ORIGIN: Table = Table {
    what: "`custom_origin_config`",
    groups: &[&[
        read("http_port"),
        read("https_port"),
        read("origin_protocol_policy"),
        read("origin_ssl_protocols"),
        read("origin_read_timeout"),
        read("origin_keepalive_timeout"),
        refused(
            "ip_address_type",
            "not available yet: it needs a choice of address family; all addresses of the origin are tried",
        ),
        refused(
            "origin_mtls_config",
            "not available yet: it needs client certificates toward origins",
        ),
    ]],
};

pub(crate) const ORIGIN_GROUP: Table = Table {
    what: "an origin group",
    groups: &[&[
        read("members"),
        read("failover_criteria"),
        read("selection_criteria"),
    ]],
};

pub(crate) const GROUP_MEMBER: Table = Table {
    what: "a member of an origin group",
    groups: &[&[read("origin_id")]],
};

pub(crate) const FAILOVER_CRITERIA: Table = Table {
    what: "`failover_criteria`",
    groups: &[&[read("status_codes")]],
};

pub(crate) const S3_ORIGIN: Table = Table {
    what: "`s3_origin_config`",
    groups: &[&[
        read("origin_read_timeout"),
        read("region"),
        read("endpoint"),
        refused(
            "origin_access_identity",
            "not supported: identities are CloudFront's own; name an `origin_access_control_id` on the origin",
        ),
    ]],
};

const BEHAVIOR_KEYS: &[Key] = &[
    read("origin"),
    read("target_origin_id"),
    read("viewer_protocol_policy"),
    read("allowed_methods"),
    read("cached_methods"),
    read("cache_policy"),
    read("cache_policy_id"),
    read("origin_request_policy"),
    read("origin_request_policy_id"),
    read("on"),
    read("compress"),
    read("response_headers_policy"),
    read("response_headers_policy_id"),
    refused(
        "forwarded_values",
        "not available yet: it needs the legacy cache settings; write `cache_policy` and `origin_request_policy`",
    ),
    refused(
        "min_ttl",
        "not available yet: it needs the legacy cache settings; write it inside `cache_policy`",
    ),
    refused(
        "default_ttl",
        "not available yet: it needs the legacy cache settings; write it inside `cache_policy`",
    ),
    refused(
        "max_ttl",
        "not available yet: it needs the legacy cache settings; write it inside `cache_policy`",
    ),
    read("trusted_key_groups"),
    refused(
        "trusted_signers",
        "not supported: signers live in AWS accounts; CloudFront's replacement is `trusted_key_groups`",
    ),
    refused(
        "lambda_function_associations",
        "not available in this form: write `on`, a map from event type to function name",
    ),
    refused(
        "function_associations",
        "not available yet: it needs the CloudFront Functions runtime",
    ),
    refused(
        "smooth_streaming",
        "not supported: CloudFront's smooth streaming is obsolete",
    ),
    refused(
        "field_level_encryption_id",
        "not supported: field-level encryption needs AWS's key service",
    ),
    refused(
        "realtime_log_config_arn",
        "not available yet: it needs sampled log streams",
    ),
    refused("grpc_config", "not available yet: it needs HTTP/2"),
];

pub(crate) const DEFAULT_BEHAVIOR: Table = Table {
    what: "the default behaviour",
    groups: &[
        BEHAVIOR_KEYS,
        &[
            refused_unless(
                "path",
                "*",
                "not possible here: the default behaviour takes what no other pattern took",
            ),
            refused_unless(
                "path_pattern",
                "*",
                "not possible here: the default behaviour takes what no other pattern took",
            ),
        ],
    ],
};

pub(crate) const BEHAVIOR: Table = Table {
    what: "a behaviour",
    groups: &[&[read("path"), read("path_pattern")], BEHAVIOR_KEYS],
};

pub(crate) const ON: Table = Table {
    what: "`on`",
    groups: &[&[
        read("viewer-request"),
        read("origin-request"),
        read("origin-response"),
        read("viewer-response"),
    ]],
};

pub(crate) const ASSOCIATION: Table = Table {
    what: "a function association",
    groups: &[&[read("function"), read("include_body"), read("on_error")]],
};

pub(crate) const CACHE_POLICY: Table = Table {
    what: "a cache policy",
    groups: &[&[
        read("name"),
        ignored("comment"),
        read("min_ttl"),
        read("default_ttl"),
        read("max_ttl"),
        read("heuristic"),
        read("headers"),
        read("cookies"),
        read("query_strings"),
        read("accept_encoding_gzip"),
        read("accept_encoding_brotli"),
    ]],
};

pub(crate) const ORIGIN_REQUEST_POLICY: Table = Table {
    what: "an origin request policy",
    groups: &[&[
        read("name"),
        ignored("comment"),
        read("headers"),
        read("cookies"),
        read("query_strings"),
    ]],
};

pub(crate) const SELECTION: Table = Table {
    what: "a selection of names",
    groups: &[&[read("whitelist"), read("all_except")]],
};

pub(crate) const ITEMS: Table = Table {
    what: "a list with its length",
    groups: &[&[read("quantity"), read("items")]],
};

pub(crate) const CUSTOM_ERROR_RESPONSE: Table = Table {
    what: "a custom error response",
    groups: &[&[
        read("error_code"),
        read("response_page_path"),
        read("response_code"),
        read("error_caching_min_ttl"),
    ]],
};

pub(crate) const RESPONSE_HEADERS_POLICY: Table = Table {
    what: "a response headers policy",
    groups: &[&[
        read("name"),
        read("comment"),
        read("cors_config"),
        read("security_headers_config"),
        read("custom_headers_config"),
        read("remove_headers_config"),
        read("server_timing_headers_config"),
    ]],
};

pub(crate) const CORS: Table = Table {
    what: "`cors_config`",
    groups: &[&[
        read("access_control_allow_origins"),
        read("access_control_allow_headers"),
        read("access_control_allow_methods"),
        read("access_control_allow_credentials"),
        read("access_control_expose_headers"),
        read("access_control_max_age_sec"),
        read("origin_override"),
    ]],
};

pub(crate) const SECURITY_HEADERS: Table = Table {
    what: "`security_headers_config`",
    groups: &[&[
        read("xss_protection"),
        read("frame_options"),
        read("referrer_policy"),
        read("content_security_policy"),
        read("content_type_options"),
        read("strict_transport_security"),
    ]],
};

pub(crate) const XSS_PROTECTION: Table = Table {
    what: "`xss_protection`",
    groups: &[&[
        read("protection"),
        read("mode_block"),
        read("report_uri"),
        read("override"),
    ]],
};

pub(crate) const FRAME_OPTIONS: Table = Table {
    what: "`frame_options`",
    groups: &[&[read("frame_option"), read("override")]],
};

pub(crate) const REFERRER_POLICY: Table = Table {
    what: "`referrer_policy`",
    groups: &[&[read("referrer_policy"), read("override")]],
};

pub(crate) const CONTENT_SECURITY_POLICY: Table = Table {
    what: "`content_security_policy`",
    groups: &[&[read("content_security_policy"), read("override")]],
};

pub(crate) const CONTENT_TYPE_OPTIONS: Table = Table {
    what: "`content_type_options`",
    groups: &[&[read("override")]],
};

pub(crate) const STRICT_TRANSPORT_SECURITY: Table = Table {
    what: "`strict_transport_security`",
    groups: &[&[
        read("access_control_max_age_sec"),
        read("include_subdomains"),
        read("preload"),
        read("override"),
    ]],
};

pub(crate) const POLICY_HEADER: Table = Table {
    what: "a header of a policy",
    groups: &[&[read("header"), read("value"), read("override")]],
};

pub(crate) const REMOVED_HEADER: Table = Table {
    what: "a header to remove",
    groups: &[&[read("header")]],
};

pub(crate) const SERVER_TIMING: Table = Table {
    what: "`server_timing_headers_config`",
    groups: &[&[read("enabled"), read("sampling_rate")]],
};

/// Every table, from the top of the file down.
pub(crate) const ALL: &[&Table] = &[
    &SITE,
    &NODE,
    &CERTIFICATE,
    &HTTP2,
    &HOOKS,
    &LOG,
    &LOGGING,
    &LIMITS,
    &COMPRESSION,
    &FUNCTION,
    &ORIGIN_ACCESS_CONTROL,
    &CREDENTIALS,
    &CLOUDFRONT_FUNCTION,
    &STORE,
    &PUBLIC_KEY,
    &KEY_GROUP,
    &DISTRIBUTION,
    &VIEWER_CERTIFICATE,
    &VIEWER_MTLS,
    &TRUST_STORE,
    &CACHE_TAGS,
    &RESTRICTIONS,
    &GEO_RESTRICTION,
    &CDN_CC,
    &VARY,
    &ORIGIN,
    &CUSTOM_ORIGIN,
    &S3_ORIGIN,
    &ORIGIN_GROUP,
    &GROUP_MEMBER,
    &FAILOVER_CRITERIA,
    &DEFAULT_BEHAVIOR,
    &BEHAVIOR,
    &ON,
    &ASSOCIATION,
    &CACHE_POLICY,
    &ORIGIN_REQUEST_POLICY,
    &SELECTION,
    &TRUSTED_KEY_GROUPS,
    &ITEMS,
    &CUSTOM_ERROR_RESPONSE,
    &RESPONSE_HEADERS_POLICY,
    &CORS,
    &SECURITY_HEADERS,
    &XSS_PROTECTION,
    &FRAME_OPTIONS,
    &REFERRER_POLICY,
    &CONTENT_SECURITY_POLICY,
    &CONTENT_TYPE_OPTIONS,
    &STRICT_TRANSPORT_SECURITY,
    &POLICY_HEADER,
    &REMOVED_HEADER,
    &SERVER_TIMING,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_lists_a_key_twice() {
        for table in ALL {
            let mut names: Vec<_> = table.keys().map(|k| k.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", table.what);
        }
    }
}
