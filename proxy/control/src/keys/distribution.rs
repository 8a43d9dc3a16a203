//! What a distribution may hold, but for its origins and behaviours.

use super::{Table, ignored, read, refused, refused_unless, warned};

pub(crate) const DISTRIBUTION: Table = Table {
    what: "a distribution",
    groups: &[&[
        read("config"),
        read("unknown_members"),
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
        read("finish_fetch_on_abort"),
        read("collapse"),
        read("strip_set_cookie_on_hit"),
        read("identity"),
        read("cache_tag_config"),
        read("cdn_cc"),
        read("vary"),
        ignored("caller_reference"),
        ignored("price_class"),
        ignored("is_ipv6_enabled"),
        // As CloudFormation spells it (CF-021).
        ignored("ipv6_enabled"),
        warned(
            "anycast_ip_list_id",
            "CP-123",
            "without effect: a node has the addresses it listens on",
        ),
        read("custom_error_responses"),
        read("viewer_certificate"),
        read("restrictions"),
        read("geo_restriction"),
        read("logging"),
        read("origin_groups"),
        warned(
            "web_acl_id",
            "CF-049",
            "left out: a node has no AWS WAF, and nothing it would have blocked is blocked here",
        ),
        read("continuous_deployment_policy_id"),
        read("staging"),
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

pub(crate) const COLLAPSE: Table = Table {
    what: "`collapse`",
    groups: &[&[read("max_wait")]],
};

pub(crate) const VARY: Table = Table {
    what: "`vary`",
    groups: &[&[read("max_variants")]],
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
