//! The settings a site file may hold, as tables. The reader accepts exactly what stands here, and a test
//! holds the reference file (`fourfront.reference.yaml`) against the same tables.
//!
//! A setting that CloudFront has and this node does not have yet is listed too, so that it is refused by
//! name and with the reason rather than as a spelling mistake.

mod behavior;
mod distribution;
mod node;
mod origin;
mod policy;
mod rollout;
mod shared;

pub(crate) use behavior::{
    ALLOWED_METHODS, ASSOCIATION, BEHAVIOR, COOKIE_PREFERENCE, DEFAULT_BEHAVIOR, FORWARDED_VALUES,
    FUNCTION_ASSOCIATION, GRPC_CONFIG, LAMBDA_ASSOCIATION, ON, TRUSTED_KEY_GROUPS,
};
pub(crate) use distribution::{
    CACHE_TAGS, CDN_CC, COLLAPSE, CUSTOM_ERROR_RESPONSE, DISTRIBUTION, GEO_RESTRICTION,
    RESTRICTIONS, TRUST_STORE, VARY, VIEWER_CERTIFICATE, VIEWER_MTLS,
};
pub(crate) use node::{
    ADMIN, BUCKET, CERTIFICATE, COMPRESSION, HOOKS, HTTP2, LIMITS, LOG, LOGGING, NODE,
    NODE_ORIGINS, NODE_SHIELD, QUOTAS, RESOLVER,
};
pub(crate) use origin::{
    CUSTOM_HEADER, CUSTOM_ORIGIN, EJECTION, FAILOVER_CRITERIA, GROUP_MEMBER, HEALTH_CHECK, ORIGIN,
    ORIGIN_GROUP, ORIGIN_SHIELD, POOL, POOL_MEMBER, S3_ORIGIN,
};
pub(crate) use policy::{
    CACHE_POLICY, CONTENT_SECURITY_POLICY, CONTENT_TYPE_OPTIONS, COOKIES_CONFIG, CORS,
    FRAME_OPTIONS, HEADERS_CONFIG, ITEMS, KEY_PARAMETERS, ORIGIN_HEADERS, ORIGIN_REQUEST_POLICY,
    POLICY_HEADER, QUERY_STRINGS_CONFIG, REFERRER_POLICY, REMOVED_HEADER, RESPONSE_HEADERS_POLICY,
    SECURITY_HEADERS, SELECTION, SERVER_TIMING, STRICT_TRANSPORT_SECURITY, XSS_PROTECTION,
};
pub(crate) use rollout::{
    CONTINUOUS_DEPLOYMENT_POLICY, SESSION_STICKINESS, SINGLE_HEADER, SINGLE_WEIGHT, TRAFFIC,
};
pub(crate) use shared::{
    CLOUDFRONT_FUNCTION, CREDENTIALS, FUNCTION, KEY_GROUP, ORIGIN_ACCESS_CONTROL, PUBLIC_KEY, STORE,
};

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
    /// It describes what AWS has and a node has not: accepted, and warned of for this reason unless its value says "off".
    Warned {
        rule: &'static str,
        reason: &'static str,
    },
    /// It is refused for this reason, unless its value says "off".
    Refused {
        reason: &'static str,
        /// A scalar that, besides `false`, `none` and nothing, means "off".
        off: Option<&'static str>,
    },
}

/// A key without regard to its spelling: `HTTPPort` and `http_port` are one.
pub(crate) fn fold(key: &str) -> String {
    key.replace('_', "").to_ascii_lowercase()
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

const fn warned(name: &'static str, rule: &'static str, reason: &'static str) -> Key {
    Key {
        name,
        kind: KeyKind::Warned { rule, reason },
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
        read("finish_fetch_on_abort"),
        read("collapse"),
        read("strip_set_cookie_on_hit"),
        read("identity"),
        read("cache_policies"),
        read("origin_request_policies"),
        read("response_headers_policies"),
        read("continuous_deployment_policies"),
        read("key_groups"),
        read("public_keys"),
        read("origin_access_controls"),
        refused(
            "origin_groups",
            "groups belong to a distribution: write them there",
        ),
        refused(
            "certificates",
            "not a setting here: certificates belong to the node; write them under `node.certificates`",
        ),
        refused("fleet", "not available yet: it needs fleet state"),
    ]],
};

/// Every table, from the top of the file down.
pub(crate) const ALL: &[&Table] = &[
    &SITE,
    &NODE,
    &ADMIN,
    &CERTIFICATE,
    &HTTP2,
    &RESOLVER,
    &NODE_SHIELD,
    &HOOKS,
    &LOG,
    &LOGGING,
    &LIMITS,
    &QUOTAS,
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
    &COLLAPSE,
    &ORIGIN,
    &ORIGIN_SHIELD,
    &CUSTOM_ORIGIN,
    &CUSTOM_HEADER,
    &S3_ORIGIN,
    &ORIGIN_GROUP,
    &GROUP_MEMBER,
    &FAILOVER_CRITERIA,
    &DEFAULT_BEHAVIOR,
    &BEHAVIOR,
    &ALLOWED_METHODS,
    &GRPC_CONFIG,
    &FORWARDED_VALUES,
    &COOKIE_PREFERENCE,
    &LAMBDA_ASSOCIATION,
    &FUNCTION_ASSOCIATION,
    &ON,
    &ASSOCIATION,
    &CACHE_POLICY,
    &KEY_PARAMETERS,
    &HEADERS_CONFIG,
    &COOKIES_CONFIG,
    &QUERY_STRINGS_CONFIG,
    &ORIGIN_REQUEST_POLICY,
    &SELECTION,
    &ORIGIN_HEADERS,
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
    &CONTINUOUS_DEPLOYMENT_POLICY,
    &TRAFFIC,
    &SINGLE_WEIGHT,
    &SINGLE_HEADER,
    &SESSION_STICKINESS,
    // Names that other blocks have too are looked for there first.
    &POOL,
    &POOL_MEMBER,
    &HEALTH_CHECK,
    &EJECTION,
    &NODE_ORIGINS,
    &BUCKET,
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
