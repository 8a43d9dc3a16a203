//! What behaviours may hold.

use super::{Key, Table, read, refused, refused_unless, warned};

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
    read("forwarded_values"),
    read("min_ttl"),
    read("default_ttl"),
    read("max_ttl"),
    read("trusted_key_groups"),
    refused(
        "trusted_signers",
        "not supported: signers live in AWS accounts; CloudFront's replacement is `trusted_key_groups`",
    ),
    read("lambda_function_associations"),
    read("function_associations"),
    refused(
        "smooth_streaming",
        "not supported: CloudFront's smooth streaming is obsolete",
    ),
    refused(
        "field_level_encryption_id",
        "not supported: field-level encryption needs AWS's key service",
    ),
    warned(
        "realtime_log_config_arn",
        "CP-123",
        "without effect: a node streams no records to AWS; its own access records have every request",
    ),
    read("grpc_config"),
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

pub(crate) const GRPC_CONFIG: Table = Table {
    what: "`grpc_config`",
    groups: &[&[read("enabled")]],
};

/// `allowed_methods` in the form of CloudFront's API.
pub(crate) const ALLOWED_METHODS: Table = Table {
    what: "`allowed_methods`",
    groups: &[&[read("quantity"), read("items"), read("cached_methods")]],
};

pub(crate) const FORWARDED_VALUES: Table = Table {
    what: "`forwarded_values`",
    groups: &[&[
        read("query_string"),
        read("query_string_cache_keys"),
        read("cookies"),
        read("headers"),
    ]],
};

/// `cookies` of `forwarded_values`.
pub(crate) const COOKIE_PREFERENCE: Table = Table {
    what: "`cookies` of `forwarded_values`",
    groups: &[&[read("forward"), read("whitelisted_names")]],
};

pub(crate) const LAMBDA_ASSOCIATION: Table = Table {
    what: "an entry of `lambda_function_associations`",
    groups: &[&[
        read("event_type"),
        read("lambda_function_arn"),
        read("include_body"),
    ]],
};

pub(crate) const FUNCTION_ASSOCIATION: Table = Table {
    what: "an entry of `function_associations`",
    groups: &[&[read("event_type"), read("function_arn")]],
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

pub(crate) const TRUSTED_KEY_GROUPS: Table = Table {
    what: "`trusted_key_groups`",
    groups: &[&[read("enabled"), read("quantity"), read("items")]],
};
