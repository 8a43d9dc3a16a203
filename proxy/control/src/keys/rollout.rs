//! What continuous deployment policies may hold (CF-451).

use super::{Table, read};

pub(crate) const CONTINUOUS_DEPLOYMENT_POLICY: Table = Table {
    what: "a continuous deployment policy",
    groups: &[&[
        read("config"),
        read("id"),
        read("sessions_since"),
        read("staging_distribution_dns_names"),
        read("enabled"),
        read("traffic_config"),
    ]],
};

pub(crate) const TRAFFIC: Table = Table {
    what: "`traffic_config`",
    groups: &[&[
        read("type"),
        read("single_weight_config"),
        read("single_header_config"),
    ]],
};

pub(crate) const SINGLE_WEIGHT: Table = Table {
    what: "`single_weight_config`",
    groups: &[&[read("weight"), read("session_stickiness_config")]],
};

pub(crate) const SINGLE_HEADER: Table = Table {
    what: "`single_header_config`",
    groups: &[&[read("header"), read("value")]],
};

pub(crate) const SESSION_STICKINESS: Table = Table {
    what: "`session_stickiness_config`",
    groups: &[&[read("idle_ttl"), read("maximum_ttl")]],
};
