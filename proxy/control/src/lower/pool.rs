//! Pools of origins: members that can be connected to, probes that can be made (CF-808).

use std::{net::IpAddr, sync::Arc};

use fourfront_model::{HealthCheck, Origin, OriginKind, Pool, PoolMember};

use super::{
    Context,
    origin::{check_path, parse_authority},
};
use crate::{
    cursor::shorten,
    raw::{RawHealthCheck, RawPool},
    report::{At, Report},
};

/// Gives an origin its pool. `None` means that errors were reported.
pub(super) fn lower(
    origin: &mut Origin,
    raw: RawPool,
    matches_viewer: bool,
    context: &Context<'_>,
) -> Option<()> {
    let report = context.report;
    if !matches!(origin.kind, OriginKind::Custom(_)) {
        report.error_help(
            &raw.at,
            "InvalidOrigin: only a custom origin has a pool",
            "write the servers as an origin with `custom_origin_config`".to_owned(),
        );
        return None;
    }
    let Some(given) = raw.members.filter(|members| !members.is_empty()) else {
        report.error_help(
            &raw.at,
            "InvalidOrigin: the pool has no members",
            "add `members: [10.0.0.1:8080, 10.0.0.2:8080]`".to_owned(),
        );
        return None;
    };
    let mut members: Vec<PoolMember> = Vec::new();
    for (address, weight) in given {
        let Some((host, port)) = parse_authority(&address.value) else {
            let message = format!(
                "InvalidOrigin: `{}` is no address of a server",
                shorten(&address.value)
            );
            report.error_help(
                &address.at,
                message,
                "write `host:port`, or the host alone for the origin's port".to_owned(),
            );
            continue;
        };
        if port.is_some() && matches_viewer {
            // One port for two protocols.
            report.error(
                &address.at,
                "InvalidOrigin: with `match-viewer`, ports are `http_port` and `https_port`, not the members'",
            );
        }
        check_kind(origin, &host, &address.at, report);
        if members.iter().any(|m| m.host == host && m.port == port) {
            let message = format!("`{}` is in the pool twice", shorten(&address.value));
            report.error_help(
                &address.at,
                message,
                "one that is to get more has a higher `weight`".to_owned(),
            );
        }
        members.push(PoolMember {
            host,
            port,
            weight: u32::try_from(weight).unwrap_or(1),
        });
    }
    let health_check = match raw.health_check {
        None => None,
        Some(raw) => Some(health_check(raw, report)?),
    };
    origin.pool = Some(Arc::new(Pool {
        members,
        choice: raw.choice,
        health_check,
        ejection: raw.ejection,
    }));
    Some(())
}

/// CF-398: an address that is written down has to be of a kind that may be connected to.
pub(super) fn check_kind(origin: &Origin, host: &str, at: &At, report: &Report) {
    let kinds = origin.ip_address_type;
    if host.parse::<IpAddr>().is_ok_and(|ip| !kinds.allows(ip)) {
        let message = format!(
            "InvalidOrigin: `{host}` is no {} address",
            kinds.as_str().replace("ipv", "IPv")
        );
        report.error_help(
            at,
            message,
            format!("`ip_address_type` is `{}`", kinds.as_str()),
        );
    }
}

fn health_check(raw: RawHealthCheck, report: &Report) -> Option<HealthCheck> {
    let mut check = raw.check;
    if let Some(path) = raw.path {
        let (without_query, _) = path.value.split_once('?').unwrap_or((&path.value, ""));
        if without_query == "/" {
            // The one path that ends with a slash and is still written so.
        } else if path.value.is_empty() {
            report.error(&path.at, "a path begins with `/`");
            return None;
        } else {
            check_path(without_query, &path.at, report)?;
        }
        check.path = Some(path.value);
    }
    if let Some(status) = raw.status {
        if check.path.is_none() {
            report.error_help(
                &status.at,
                "without a `path` nothing is asked for that has a status",
                "add `path: /`, or leave `status` out".to_owned(),
            );
        }
        check.status = u16::try_from(status.value).unwrap_or(check.status);
    }
    Some(check)
}
