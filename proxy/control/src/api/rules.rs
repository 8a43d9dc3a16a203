//! What the site file says about documents of the API: how closely AWS's refusals are followed, and how much there may be
//! (CP-120, CP-122, CP-130). Read anew with the file.

use std::collections::BTreeSet;

use fourfront_model::Compat;
use fourfront_store::Kind;
use serde_json::Value;

use super::{
    ApiError, associations,
    cloudfront::DistributionDocument,
    lambda::FunctionRef,
    tx::{Stored, Tx},
};
use crate::{ApiQuotas, Loaded, Quota};

/// What documents are held against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of deployed distributions.
    pub compat: Compat,
    /// How much there may be.
    pub quotas: ApiQuotas,
}

impl Rules {
    /// Those of a site file.
    pub fn of(loaded: &Loaded) -> Self {
        Self {
            compat: loaded.compat,
            quotas: loaded.node.api_quotas.clone(),
        }
    }

    /// Refuses a document with more of something than there may be. `code` is CloudFront's name for that.
    pub(super) fn hold(
        &self,
        quota: Quota,
        count: usize,
        code: &'static str,
        what: &str,
    ) -> Result<(), ApiError> {
        let most = self.quotas.most(quota);
        if count <= most {
            return Ok(());
        }
        Err(ApiError::cloudfront(
            code,
            format!(
                "{what}: {count}, and {most} are allowed (node.quotas.{})",
                quota.name()
            ),
        ))
    }
}

/// How many items a list of the API's has.
fn items(list: &Value) -> usize {
    list["Items"].as_array().map_or(0, Vec::len)
}

/// Holds a distribution's configuration against what one may have.
pub(super) fn distribution(tx: &Tx<'_>, id: Option<&str>, config: &Value) -> Result<(), ApiError> {
    let rules = &tx.rules;
    for (quota, member, code) in [
        (
            Quota::CacheBehaviors,
            "CacheBehaviors",
            "TooManyCacheBehaviors",
        ),
        (Quota::Origins, "Origins", "TooManyOrigins"),
        (
            Quota::OriginGroups,
            "OriginGroups",
            "TooManyOriginGroupsPerDistribution",
        ),
        (Quota::Aliases, "Aliases", "TooManyDistributionCNAMEs"),
    ] {
        rules.hold(quota, items(&config[member]), code, member)?;
    }
    for origin in config["Origins"]["Items"].as_array().into_iter().flatten() {
        rules.hold(
            Quota::OriginCustomHeaders,
            items(&origin["CustomHeaders"]),
            "TooManyOriginCustomHeaders",
            "CustomHeaders of an origin",
        )?;
    }
    let mut groups: Vec<&str> = Vec::new();
    for (place, behavior) in associations::behaviors(config) {
        let forwarded = &behavior["ForwardedValues"];
        for (quota, list, code) in [
            (
                Quota::HeadersPerPolicy,
                &forwarded["Headers"],
                "TooManyHeadersInForwardedValues",
            ),
            (
                Quota::CookiesPerPolicy,
                &forwarded["Cookies"]["WhitelistedNames"],
                "TooManyCookieNamesInWhiteList",
            ),
            (
                Quota::QueryStringsPerPolicy,
                &forwarded["QueryStringCacheKeys"],
                "TooManyQueryStringParameters",
            ),
        ] {
            rules.hold(quota, items(list), code, &place)?;
        }
        let trusted = behavior["TrustedKeyGroups"]["Items"].as_array();
        groups.extend(trusted.into_iter().flatten().filter_map(Value::as_str));
    }
    groups.sort_unstable();
    groups.dedup();
    rules.hold(
        Quota::TrustedKeyGroups,
        groups.len(),
        "TooManyKeyGroupsAssociatedToDistribution",
        "TrustedKeyGroups",
    )?;
    shared(tx, id, config)
}

/// What several distributions name may be named by so many of them.
fn shared(tx: &Tx<'_>, id: Option<&str>, config: &Value) -> Result<(), ApiError> {
    let of_function = tx.rules.quotas.most(Quota::DistributionsPerFunction);
    let of_policy = tx.rules.quotas.most(Quota::DistributionsPerPolicy);
    let all = tx.list::<DistributionDocument>(&Kind::Distribution)?;
    let others: Vec<_> = all.iter().filter(|d| Some(d.id.as_str()) != id).collect();
    // Nothing is named by more distributions than there are.
    if others.len() < of_function.min(of_policy) {
        return Ok(());
    }
    let named: Vec<_> = others
        .iter()
        .map(|Stored { body, .. }| names(tx, &body.config))
        .collect();
    for name in names(tx, config) {
        let count = 1 + named.iter().filter(|names| names.contains(&name)).count();
        let (kind, what) = name;
        let quota = match kind {
            Named::Lambda | Named::CloudFrontFunction => Quota::DistributionsPerFunction,
            _ => Quota::DistributionsPerPolicy,
        };
        let what = format!("distributions that name {what}");
        tx.rules.hold(quota, count, kind.code(), &what)?;
    }
    Ok(())
}

/// What a distribution names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Lambda,
    CloudFrontFunction,
    CachePolicy,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
    KeyGroup,
    OriginAccessControl,
}

impl Named {
    const fn code(self) -> &'static str {
        match self {
            Self::Lambda => "TooManyDistributionsWithSingleFunctionARN",
            Self::CloudFrontFunction => "TooManyDistributionsWithFunctionAssociations",
            Self::CachePolicy => "TooManyDistributionsAssociatedToCachePolicy",
            Self::OriginRequestPolicy => "TooManyDistributionsAssociatedToOriginRequestPolicy",
            Self::ResponseHeadersPolicy => "TooManyDistributionsAssociatedToResponseHeadersPolicy",
            Self::KeyGroup => "TooManyDistributionsAssociatedToKeyGroup",
            Self::OriginAccessControl => "TooManyDistributionsAssociatedToOriginAccessControl",
        }
    }
}

fn names(tx: &Tx<'_>, config: &Value) -> BTreeSet<(Named, String)> {
    let mut all = BTreeSet::new();
    for (_, behavior) in associations::behaviors(config) {
        for association in associations::lambda_of(behavior) {
            let reference = FunctionRef::parse(association.arn, &tx.settings.account);
            all.extend(reference.ok().map(|r| (Named::Lambda, r.name)));
        }
        for association in associations::cloudfront_of(behavior) {
            all.insert((Named::CloudFrontFunction, association.arn.to_owned()));
        }
        for (kind, member) in [
            (Named::CachePolicy, "CachePolicyId"),
            (Named::OriginRequestPolicy, "OriginRequestPolicyId"),
            (Named::ResponseHeadersPolicy, "ResponseHeadersPolicyId"),
        ] {
            let id = behavior[member].as_str().filter(|id| !id.is_empty());
            all.extend(id.map(|id| (kind, id.to_owned())));
        }
        let groups = behavior["TrustedKeyGroups"]["Items"].as_array();
        let groups = groups.into_iter().flatten().filter_map(Value::as_str);
        all.extend(groups.map(|id| (Named::KeyGroup, id.to_owned())));
    }
    let origins = config["Origins"]["Items"].as_array().into_iter().flatten();
    let controls = origins.filter_map(|o| o["OriginAccessControlId"].as_str());
    let controls = controls.filter(|id| !id.is_empty());
    all.extend(controls.map(|id| (Named::OriginAccessControl, id.to_owned())));
    all
}

/// Holds what is to be one more document of a kind against how many of them there may be.
pub(super) fn one_more(tx: &Tx<'_>, kind: &Kind) -> Result<(), ApiError> {
    let (quota, code) = match kind {
        Kind::Distribution => (Quota::Distributions, "TooManyDistributions"),
        Kind::CachePolicy => (Quota::CachePolicies, "TooManyCachePolicies"),
        Kind::OriginRequestPolicy => (Quota::OriginRequestPolicies, "TooManyOriginRequestPolicies"),
        Kind::ResponseHeadersPolicy => (
            Quota::ResponseHeadersPolicies,
            "TooManyResponseHeadersPolicies",
        ),
        Kind::ContinuousDeploymentPolicy => (
            Quota::ContinuousDeploymentPolicies,
            "TooManyContinuousDeploymentPolicies",
        ),
        Kind::OriginAccessControl => (Quota::OriginAccessControls, "TooManyOriginAccessControls"),
        Kind::OriginAccessIdentity => (
            Quota::OriginAccessIdentities,
            "TooManyCloudFrontOriginAccessIdentities",
        ),
        Kind::PublicKey => (Quota::PublicKeys, "TooManyPublicKeys"),
        Kind::KeyGroup => (Quota::KeyGroups, "TooManyKeyGroups"),
        Kind::CloudfrontFunction => (Quota::CloudFrontFunctions, "TooManyFunctions"),
        Kind::KeyValueStore => (Quota::KeyValueStores, "EntityLimitExceeded"),
        _ => return Ok(()),
    };
    let count = tx.list::<Value>(kind)?.len() + 1;
    tx.rules.hold(quota, count, code, kind.as_str())
}

/// Holds a policy or a key group against what one may list.
pub(super) fn policy(tx: &Tx<'_>, kind: &Kind, config: &Value) -> Result<(), ApiError> {
    let key = &config["ParametersInCacheKeyAndForwardedToOrigin"];
    let lists = |of: &Value, [headers, cookies, queries]: [&'static str; 3]| {
        [
            (
                Quota::HeadersPerPolicy,
                items(&of["HeadersConfig"]["Headers"]),
                headers,
            ),
            (
                Quota::CookiesPerPolicy,
                items(&of["CookiesConfig"]["Cookies"]),
                cookies,
            ),
            (
                Quota::QueryStringsPerPolicy,
                items(&of["QueryStringsConfig"]["QueryStrings"]),
                queries,
            ),
        ]
    };
    let counts: Vec<_> = match kind {
        Kind::CachePolicy => lists(
            key,
            [
                "TooManyHeadersInCachePolicy",
                "TooManyCookiesInCachePolicy",
                "TooManyQueryStringsInCachePolicy",
            ],
        )
        .into(),
        Kind::OriginRequestPolicy => lists(
            config,
            [
                "TooManyHeadersInOriginRequestPolicy",
                "TooManyCookiesInOriginRequestPolicy",
                "TooManyQueryStringsInOriginRequestPolicy",
            ],
        )
        .into(),
        Kind::ResponseHeadersPolicy => vec![
            (
                Quota::CustomHeadersPerPolicy,
                items(&config["CustomHeadersConfig"]),
                "TooManyCustomHeadersInResponseHeadersPolicy",
            ),
            (
                Quota::RemovedHeadersPerPolicy,
                items(&config["RemoveHeadersConfig"]),
                "TooManyRemoveHeadersInResponseHeadersPolicy",
            ),
        ],
        Kind::KeyGroup => vec![(
            Quota::PublicKeysPerKeyGroup,
            config["Items"].as_array().map_or(0, Vec::len),
            "TooManyPublicKeysInKeyGroup",
        )],
        _ => Vec::new(),
    };
    for (quota, count, code) in counts {
        tx.rules.hold(quota, count, code, kind.as_str())?;
    }
    Ok(())
}
