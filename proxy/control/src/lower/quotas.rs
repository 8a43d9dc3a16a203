//! What is more than an AWS account may have by default: warnings, for a node has no such bounds (CF-026, CF-122).

use fourfront_model::{CachePolicy, OriginHeaders, OriginRequestPolicy, Selection};

use crate::{
    raw::{RawBehavior, RawDistribution, RawSite},
    report::{At, Report},
};

/// Behaviours of a distribution, beside the default one (CF-042).
const BEHAVIORS: usize = 75;
const ORIGINS: usize = 100;
const ORIGIN_GROUPS: usize = 10;
const ALIASES: usize = 100;
/// Policies of one kind in an account.
const POLICIES: usize = 20;
const KEY_GROUPS: usize = 10;
const PUBLIC_KEYS: usize = 10;
const KEYS_IN_GROUP: usize = 5;
const GROUPS_OF_BEHAVIOR: usize = 4;
/// Names of one kind in a policy.
const NAMES_IN_POLICY: usize = 10;
/// Characters of all names of one kind in a policy.
const CHARACTERS_IN_POLICY: usize = 1_024;

fn more_than(count: usize, most: usize, what: &str, at: &At, report: &Report) {
    if count > most {
        let message = format!("{count} {what}; an AWS account has {most} unless more are granted");
        report.warn(at, "CF-026", message);
    }
}

/// What stands at the top of the file.
pub(crate) fn site(raw: &RawSite, report: &Report) {
    for (count, most, what, member) in [
        (
            raw.cache_policies.len(),
            POLICIES,
            "cache policies",
            "cache_policies",
        ),
        (
            raw.origin_request_policies.len(),
            POLICIES,
            "origin request policies",
            "origin_request_policies",
        ),
        (
            raw.response_headers_policies.len(),
            POLICIES,
            "response headers policies",
            "response_headers_policies",
        ),
        (raw.key_groups.len(), KEY_GROUPS, "key groups", "key_groups"),
        (
            raw.public_keys.len(),
            PUBLIC_KEYS,
            "public keys",
            "public_keys",
        ),
    ] {
        more_than(count, most, what, &raw.at.member(member), report);
    }
    for group in &raw.key_groups {
        let keys = group.value.as_ref().and_then(|g| g.keys.as_ref());
        let count = keys.map_or(0, Vec::len);
        more_than(
            count,
            KEYS_IN_GROUP,
            "keys in a group",
            &group.name.at,
            report,
        );
    }
}

/// One distribution.
pub(crate) fn distribution(raw: &RawDistribution, report: &Report) {
    for (count, most, what, member) in [
        (
            raw.behaviors.len(),
            BEHAVIORS,
            "behaviours beside the default one",
            "cache_behaviors",
        ),
        (raw.origins.len(), ORIGINS, "origins", "origins"),
        (
            raw.origin_groups.len(),
            ORIGIN_GROUPS,
            "origin groups",
            "origin_groups",
        ),
        (raw.aliases.len(), ALIASES, "aliases", "aliases"),
    ] {
        more_than(count, most, what, &raw.at.member(member), report);
    }
    for behavior in raw.behaviors.iter().chain(&raw.default_behavior) {
        trusted_groups(behavior, report);
    }
}

fn trusted_groups(behavior: &RawBehavior, report: &Report) {
    more_than(
        behavior.trusted_key_groups.len(),
        GROUPS_OF_BEHAVIOR,
        "trusted key groups",
        &behavior.at,
        report,
    );
}

/// CF-122
pub(crate) fn cache_policy(policy: &CachePolicy, at: &At, report: &Report) {
    names(&policy.headers, "headers", at, report);
    names(listed(&policy.cookies), "cookies", at, report);
    names(
        listed(&policy.query_strings),
        "query parameters",
        at,
        report,
    );
}

/// CF-122
pub(crate) fn origin_request_policy(policy: &OriginRequestPolicy, at: &At, report: &Report) {
    if let OriginHeaders::Whitelist(list) | OriginHeaders::AllExcept(list) = &policy.headers {
        names(list, "headers", at, report);
    }
    names(listed(&policy.cookies), "cookies", at, report);
    names(
        listed(&policy.query_strings),
        "query parameters",
        at,
        report,
    );
}

fn listed(selection: &Selection) -> &[String] {
    match selection {
        Selection::Whitelist(names) | Selection::AllExcept(names) => names,
        Selection::None | Selection::All | Selection::Wildcards(_) => &[],
    }
}

fn names(names: &[String], what: &str, at: &At, report: &Report) {
    if names.len() > NAMES_IN_POLICY {
        let message = format!(
            "the policy lists {} {what}; on AWS it may list {NAMES_IN_POLICY}",
            names.len()
        );
        report.warn(at, "CF-122", message);
    }
    let characters: usize = names.iter().map(|n| n.chars().count()).sum();
    if characters > CHARACTERS_IN_POLICY {
        let message = format!(
            "the names of {what} in the policy take {characters} characters; on AWS they may take {CHARACTERS_IN_POLICY}"
        );
        report.warn(at, "CF-122", message);
    }
}
