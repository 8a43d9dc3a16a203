//! What policies may hold.

use super::{Table, ignored, read};

pub(crate) const CACHE_POLICY: Table = Table {
    what: "a cache policy",
    groups: &[&[
        read("config"),
        read("id"),
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
        read("parameters_in_cache_key_and_forwarded_to_origin"),
    ]],
};

/// `parameters_in_cache_key_and_forwarded_to_origin`, in which CloudFront's API has all that is in the key.
pub(crate) const KEY_PARAMETERS: Table = Table {
    what: "`parameters_in_cache_key_and_forwarded_to_origin`",
    groups: &[&[
        read("enable_accept_encoding_gzip"),
        read("enable_accept_encoding_brotli"),
        read("headers_config"),
        read("cookies_config"),
        read("query_strings_config"),
    ]],
};

pub(crate) const HEADERS_CONFIG: Table = Table {
    what: "`headers_config`",
    groups: &[&[read("header_behavior"), read("headers")]],
};

pub(crate) const COOKIES_CONFIG: Table = Table {
    what: "`cookies_config`",
    groups: &[&[read("cookie_behavior"), read("cookies")]],
};

pub(crate) const QUERY_STRINGS_CONFIG: Table = Table {
    what: "`query_strings_config`",
    groups: &[&[read("query_string_behavior"), read("query_strings")]],
};

pub(crate) const ORIGIN_REQUEST_POLICY: Table = Table {
    what: "an origin request policy",
    groups: &[&[
        read("config"),
        read("id"),
        read("name"),
        ignored("comment"),
        read("headers"),
        read("cookies"),
        read("query_strings"),
        read("headers_config"),
        read("cookies_config"),
        read("query_strings_config"),
    ]],
};

pub(crate) const SELECTION: Table = Table {
    what: "a selection of names",
    groups: &[&[read("whitelist"), read("all_except")]],
};

pub(crate) const ORIGIN_HEADERS: Table = Table {
    what: "a selection of headers for the origin",
    groups: &[&[
        read("whitelist"),
        read("all_except"),
        read("all_viewer_and_whitelist_cloudfront"),
    ]],
};

pub(crate) const ITEMS: Table = Table {
    what: "a list with its length",
    groups: &[&[read("quantity"), read("items")]],
};

pub(crate) const RESPONSE_HEADERS_POLICY: Table = Table {
    what: "a response headers policy",
    groups: &[&[
        read("config"),
        read("id"),
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
