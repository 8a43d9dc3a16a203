//! What origins and groups of them may hold.

use super::{Table, read, refused, warned};

pub(crate) const ORIGIN: Table = Table {
    what: "an origin",
    groups: &[&[
        read("id"),
        read("domain_name"),
        read("origin_path"),
        read("custom_headers"),
        // As CloudFormation spells it (CF-021).
        read("origin_custom_headers"),
        read("custom_origin_config"),
        read("s3_origin_config"),
        read("dir"),
        read("connection_attempts"),
        read("connection_timeout"),
        read("response_completion_timeout"),
        read("origin_ca"),
        read("pool"),
        read("origin_shield"),
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

pub(crate) const ORIGIN_SHIELD: Table = Table {
    what: "`origin_shield`",
    groups: &[&[read("enabled"), read("origin_shield_region")]],
};

pub(crate) const CUSTOM_HEADER: Table = Table {
    what: "a custom header",
    groups: &[&[read("header_name"), read("header_value")]],
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
        read("ip_address_type"),
        warned(
            "origin_http_version",
            "CP-023",
            "without effect: origins are spoken to by HTTP/1.1, and by HTTP/2 for gRPC",
        ),
        refused(
            "origin_mtls_config",
            "not available yet: it needs client certificates toward origins",
        ),
    ]],
};

pub(crate) const S3_ORIGIN: Table = Table {
    what: "`s3_origin_config`",
    groups: &[&[
        read("origin_read_timeout"),
        read("region"),
        read("endpoint"),
        read("origin_access_identity"),
    ]],
};

pub(crate) const POOL: Table = Table {
    what: "`pool`",
    groups: &[&[
        read("members"),
        read("choice"),
        read("health_check"),
        read("ejection"),
    ]],
};

pub(crate) const POOL_MEMBER: Table = Table {
    what: "a member of a pool",
    groups: &[&[read("address"), read("weight")]],
};

pub(crate) const HEALTH_CHECK: Table = Table {
    what: "`health_check`",
    groups: &[&[
        read("path"),
        read("status"),
        read("interval"),
        read("timeout"),
        read("unhealthy_after"),
        read("healthy_after"),
    ]],
};

pub(crate) const EJECTION: Table = Table {
    what: "`ejection`",
    groups: &[&[read("failures"), read("time")]],
};

pub(crate) const ORIGIN_GROUP: Table = Table {
    what: "an origin group",
    groups: &[&[
        read("id"),
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
