//! What behaviours may hold.

use super::{Key, Table, read, refused, refused_unless};

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

pub(crate) const TRUSTED_KEY_GROUPS: Table = Table {
    what: "`trusted_key_groups`",
    groups: &[&[read("enabled"), read("quantity"), read("items")]],
};
