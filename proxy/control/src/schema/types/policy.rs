//! What policies take.

use super::{
    Entry, NAMES, TTL,
    Type::{self, Any, Block, Boolean, Counted, Integer, List, Map, Text, Words},
};
use crate::keys::{
    CACHE_POLICY, CONTENT_SECURITY_POLICY, CONTENT_TYPE_OPTIONS, COOKIES_CONFIG, CORS,
    FRAME_OPTIONS, HEADERS_CONFIG, ITEMS, KEY_PARAMETERS, ORIGIN_HEADERS, ORIGIN_REQUEST_POLICY,
    POLICY_HEADER, QUERY_STRINGS_CONFIG, REFERRER_POLICY, REMOVED_HEADER, RESPONSE_HEADERS_POLICY,
    SECURITY_HEADERS, SELECTION, SERVER_TIMING, STRICT_TRANSPORT_SECURITY, TRUSTED_KEY_GROUPS,
    XSS_PROTECTION,
};

/// What AWS's integers hold.
const MAX_AGE: Type = Integer(0, 2_147_483_647);
const SELECTED: Type = Any(&[Words(&["none", "all"]), List(&Text), Block(&SELECTION)]);
const CHOICE: Type = Words(&["none", "whitelist", "allExcept", "all"]);
/// What stands in lists that others describe.
const ANYTHING: Type = Any(&[Text, Map(&Any(&[Text, List(&Text), Map(&Text)]))]);

/// By the block that they stand in.
pub(super) const ALL: &[Entry] = &[
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
];
