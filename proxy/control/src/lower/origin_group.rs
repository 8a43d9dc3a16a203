//! Origin groups: a primary, a secondary, and the statuses between them (CF-041, CF-442, CF-445).

use std::sync::Arc;

use fourfront_model::{Failover, Origin};

use crate::{
    cursor::shorten,
    raw::{Named, RawOriginGroup},
    report::Report,
    spelling::nearest,
};

/// A declared group.
pub(crate) struct OriginGroup {
    pub(crate) id: String,
    /// The primary's index, and what follows it; `None` when errors were reported.
    pub(crate) members: Option<(usize, Arc<Failover>)>,
}

/// Lowers the groups of a distribution.
pub(crate) fn lower(
    raw: Vec<Named<RawOriginGroup>>,
    origins: &[(String, Option<Arc<Origin>>)],
    report: &Report,
) -> Vec<OriginGroup> {
    let one = |named: Named<RawOriginGroup>| {
        let id = &named.name;
        if origins.iter().any(|(origin, _)| *origin == id.value) {
            let message = format!("`{}` is an origin's id already", shorten(&id.value));
            report.error(&id.at, message);
        }
        OriginGroup {
            members: named
                .value
                .and_then(|raw| members(&id.value, raw, origins, report)),
            id: named.name.value,
        }
    };
    raw.into_iter().map(one).collect()
}

fn members(
    id: &str,
    raw: RawOriginGroup,
    origins: &[(String, Option<Arc<Origin>>)],
    report: &Report,
) -> Option<(usize, Arc<Failover>)> {
    let statuses = statuses(&raw, report);
    if raw.written != 2 {
        // CF-442
        let message = format!(
            "an origin group has two members, a primary and a secondary; here are {}",
            raw.written
        );
        report.error(&raw.at.member("members"), message);
        return None;
    }
    let find = |name: &crate::report::Spanned<String>| {
        let ids = || origins.iter().map(|(id, _)| id.as_str());
        let found = ids().position(|id| id == name.value);
        if found.is_none() {
            report.error_help(
                &name.at,
                format!(
                    "NoSuchOrigin: there is no origin `{}`",
                    shorten(&name.value)
                ),
                nearest(&name.value, ids()).map(|near| format!("did you mean `{near}`?")),
            );
        }
        found
    };
    let found: Vec<_> = raw.members.iter().map(find).collect();
    let &[Some(primary), Some(secondary)] = &found[..] else {
        return None;
    };
    if primary == secondary {
        let at = raw.at.member("members");
        report.error(&at, "primary and secondary are the same origin");
        return None;
    }
    let failover = Failover {
        group: id.to_owned(),
        secondary,
        statuses: statuses?,
    };
    Some((primary, Arc::new(failover)))
}

fn statuses(raw: &RawOriginGroup, report: &Report) -> Option<Vec<u16>> {
    let known = || {
        let all = Failover::STATUSES.map(|status| status.to_string());
        format!(
            "those of {} after which the secondary is asked",
            all.join(", ")
        )
    };
    let codes = raw.status_codes.as_deref().unwrap_or_default();
    if codes.is_empty() {
        report.error_help(
            &raw.at.member("failover_criteria"),
            "the origin group says no status to fail over at",
            format!(
                "add `failover_criteria: {{ status_codes: [..] }}` with {}",
                known()
            ),
        );
        return None;
    }
    let mut statuses = Vec::new();
    let mut good = true;
    for code in codes {
        let status = u16::try_from(code.value).unwrap_or_default();
        if Failover::STATUSES.contains(&status) {
            statuses.push(status);
        } else {
            // CF-445
            let message = format!("{status} is no status to fail over at");
            report.error_help(&code.at, message, format!("list {}", known()));
            good = false;
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    good.then_some(statuses)
}
