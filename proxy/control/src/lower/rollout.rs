//! Continuous deployment: which distribution is tried out on which requests of another one (CF-052, CF-451..454, CP-122).

use fourfront_model::{Compat, Rollout, Sessions, Share, StagingRule, Traffic};
use http::HeaderName;

use super::distribution::Placed;
use crate::{
    cursor::shorten,
    raw::{Named, RawRollout, RawSessions, RawTraffic},
    report::{Report, Spanned},
};

/// What a distribution says of its part.
#[derive(Debug, Default)]
pub(crate) struct RawPart {
    /// `staging: true`.
    pub(crate) staging: Option<Spanned<bool>>,
    /// `continuous_deployment_policy_id`.
    pub(crate) policy: Option<Spanned<String>>,
}

impl RawPart {
    pub(crate) fn is_staging(&self) -> bool {
        self.staging.as_ref().is_some_and(|s| s.value)
    }
}

/// Gives every distribution its part. A policy that is not there, is disabled, or names no staging distribution leaves its
/// primary as it is.
pub(crate) fn lower(
    policies: Vec<Named<RawRollout>>,
    site_compat: Compat,
    distributions: &mut [Placed],
    report: &Report,
) {
    for placed in distributions.iter_mut() {
        if placed.part.is_staging() {
            check_staging(placed, report);
            placed.distribution.rollout = Rollout::Staging;
        }
    }
    let mut ids: Vec<Spanned<String>> = Vec::new();
    for Named { name, value } in policies {
        let Some(raw) = value else { continue };
        let id = raw.id.clone().unwrap_or_else(|| name.clone());
        if let Some(first) = ids.iter().find(|i| i.value == id.value) {
            let line = report.line(&first.at, &id.at);
            let message = format!(
                "ContinuousDeploymentPolicyAlreadyExists: the id `{}` is taken on {line}",
                shorten(&id.value)
            );
            report.error(&id.at, message);
            continue;
        }
        ids.push(id.clone());
        let names_it = |placed: &Placed| {
            let named = placed.part.policy.as_ref();
            named.is_some_and(|p| p.value == id.value || p.value == name.value)
        };
        let users: Vec<usize> = (0..distributions.len())
            .filter(|at| names_it(&distributions[*at]))
            .collect();
        let is_strict = match users.is_empty() {
            true => site_compat == Compat::Strict,
            false => users
                .iter()
                .any(|at| distributions[*at].distribution.compat == Compat::Strict),
        };
        let staging = staging_of(&raw.staging, distributions, report);
        let traffic = raw.traffic.and_then(|t| traffic(t, is_strict, report));
        for at in users {
            let placed = &mut distributions[at];
            placed.has_policy = true;
            if let (true, Some(staging), Some(traffic)) = (raw.enabled, &staging, &traffic) {
                placed.distribution.rollout = Rollout::Primary(StagingRule {
                    policy: id.value.clone(),
                    staging: staging.clone(),
                    traffic: traffic.clone(),
                    sessions_since: raw.sessions_since,
                });
            }
        }
    }
    for placed in distributions.iter() {
        if let Some(policy) = placed.part.policy.as_ref().filter(|_| !placed.has_policy) {
            let message = format!(
                "there is no continuous deployment policy `{}`: every request stays with this distribution",
                shorten(&policy.value)
            );
            report.warn(&policy.at, "CF-052", message);
        }
    }
}

/// CP-122, CF-451: a staging distribution has no names, no policy of its own, and answers for nobody else's.
fn check_staging(placed: &mut Placed, report: &Report) {
    if let Some(at) = placed.alias_at.first() {
        report.error(
            at,
            "InvalidArgument: a staging distribution has no aliases (CP-122)",
        );
    }
    if let Some(policy) = placed.part.policy.take() {
        report.error(
            &policy.at,
            "InvalidArgument: a staging distribution has no continuous deployment policy of its own",
        );
    }
    if let Some(default) = placed.default.as_ref().filter(|d| d.value) {
        report.error(
            &default.at,
            "a staging distribution is reached through its primary one alone (CF-451)",
        );
    }
}

/// The id of the staging distribution that a policy names.
fn staging_of(
    named: &[Spanned<String>],
    distributions: &[Placed],
    report: &Report,
) -> Option<String> {
    if let [_, second, ..] = named {
        report.error(
            &second.at,
            "InvalidArgument: a policy has one staging distribution (CF-451)",
        );
        return None;
    }
    let name = named.first()?;
    let is_named = |placed: &&Placed| {
        let d = &placed.distribution;
        d.domain_name.eq_ignore_ascii_case(&name.value)
            || d.id == name.value
            || placed.name == name.value
    };
    match distributions.iter().find(is_named) {
        Some(placed) if placed.part.is_staging() => Some(placed.distribution.id.clone()),
        Some(_) => {
            let message = format!(
                "InvalidArgument: `{}` is no staging distribution",
                shorten(&name.value)
            );
            report.error_help(&name.at, message, "set `staging: true` there".to_owned());
            None
        }
        None => {
            let message = format!(
                "there is no distribution `{}`: every request stays with the primary one",
                shorten(&name.value)
            );
            report.warn(&name.at, "CF-451", message);
            None
        }
    }
}

fn traffic(raw: RawTraffic, is_strict: bool, report: &Report) -> Option<Traffic> {
    match raw {
        RawTraffic::Header { name, value } => header(&name, value, report),
        RawTraffic::Weight { weight, sessions } => {
            // A 32-bit float of the API's is no exact 0.15.
            let too_much = is_strict && weight.value > Share::MOST_STRICT + 1e-6;
            let share = Share::of(weight.value).filter(|_| !too_much);
            if share.is_none() {
                let most = if is_strict { "0.15" } else { "1" };
                let message = format!("InvalidArgument: a weight is from 0 to {most} (CF-453)");
                let help = is_strict.then(|| "`compat: relaxed` takes any up to 1".to_owned());
                report.error_help(&weight.at, message, help);
            }
            let sessions = match sessions {
                None => None,
                Some(raw) => Some(lower_sessions(&raw, report)?),
            };
            Some(Traffic::Weight {
                share: share?,
                sessions,
            })
        }
    }
}

/// CF-452.
fn header(name: &Spanned<String>, value: Spanned<String>, report: &Report) -> Option<Traffic> {
    let lower = name.value.to_ascii_lowercase();
    let is_long = lower.len() > Traffic::HEADER_PREFIX.len();
    let parsed = lower.parse::<HeaderName>().ok();
    let named = parsed.filter(|_| is_long && lower.starts_with(Traffic::HEADER_PREFIX));
    if named.is_none() {
        let message = format!(
            "InvalidArgument: `{}` is not the name of a header that begins with `{}` (CF-452)",
            shorten(&name.value),
            Traffic::HEADER_PREFIX
        );
        report.error(&name.at, message);
    }
    let text = value.value.trim();
    let is_value = !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if !is_value {
        let message = "InvalidArgument: the value is printable ASCII, and not empty (CF-452)";
        report.error(&value.at, message);
    }
    Some(Traffic::Header {
        name: named?,
        value: is_value.then(|| text.to_owned())?,
    })
}

/// CF-454.
fn lower_sessions(raw: &RawSessions, report: &Report) -> Option<Sessions> {
    if raw.idle > raw.maximum {
        report.error(
            &raw.at,
            "InvalidArgument: `idle_ttl` is at most `maximum_ttl` (CF-454)",
        );
        return None;
    }
    Some(Sessions {
        idle: raw.idle.try_into().ok()?,
        maximum: raw.maximum.try_into().ok()?,
    })
}
