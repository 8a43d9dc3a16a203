//! How much may be deployed: what AWS has as quotas of an account, for CloudFront's part of the API (CP-120, CP-152, CP-202).
//! Numbers are generous, as they keep tools that run away from filling a node, and nobody from using one; sizes are
//! CloudFront's own, as code is written against them. What a site file declares is the operator's own and is counted nowhere.

use fourfront_model::{CFF_MAX_CODE_BYTES, StoreQuotas};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Distributions, staging ones among them.
    Distributions,
    /// Behaviours of a distribution beside the default one.
    CacheBehaviors,
    /// Origins of a distribution.
    Origins,
    /// Origin groups of a distribution.
    OriginGroups,
    /// Aliases of a distribution.
    Aliases,
    /// Headers that one origin is sent.
    OriginCustomHeaders,
    /// Key groups that a distribution's behaviours trust.
    TrustedKeyGroups,
    /// Distributions that name one function, of either kind; of Lambda's in one version or several.
    DistributionsPerFunction,
    /// Distributions that name one policy, key group or origin access control.
    DistributionsPerPolicy,
    /// CloudFront Functions.
    CloudFrontFunctions,
    /// Key-value stores.
    KeyValueStores,
    /// Cache policies.
    CachePolicies,
    /// Origin request policies.
    OriginRequestPolicies,
    /// Response headers policies.
    ResponseHeadersPolicies,
    /// Continuous deployment policies.
    ContinuousDeploymentPolicies,
    /// Origin access controls.
    OriginAccessControls,
    /// Origin access identities.
    OriginAccessIdentities,
    /// Public keys.
    PublicKeys,
    /// Key groups.
    KeyGroups,
    /// Public keys of one key group.
    PublicKeysPerKeyGroup,
    /// Headers that a policy, or a behaviour's `ForwardedValues`, lists.
    HeadersPerPolicy,
    /// Cookies that it lists.
    CookiesPerPolicy,
    /// Query parameters that it lists.
    QueryStringsPerPolicy,
    /// Headers that a response headers policy adds beside those with members of their own.
    CustomHeadersPerPolicy,
    /// Headers that it removes.
    RemovedHeadersPerPolicy,
}

/// Of what an account has.
const IN_ALL: usize = 10_000;
/// Of what one document has.
const IN_ONE: usize = 1_000;

impl Quota {
    /// All of them, each with its name in the site file and how many there may be by default.
    const TABLE: [(Self, &'static str, usize); 25] = [
        (Self::Distributions, "distributions", IN_ALL),
        (Self::CacheBehaviors, "cache_behaviors", IN_ONE),
        (Self::Origins, "origins", IN_ONE),
        (Self::OriginGroups, "origin_groups", IN_ONE),
        (Self::Aliases, "aliases", IN_ONE),
        (Self::OriginCustomHeaders, "origin_custom_headers", IN_ONE),
        (Self::TrustedKeyGroups, "trusted_key_groups", IN_ONE),
        (
            Self::DistributionsPerFunction,
            "distributions_per_function",
            IN_ALL,
        ),
        (
            Self::DistributionsPerPolicy,
            "distributions_per_policy",
            IN_ALL,
        ),
        (Self::CloudFrontFunctions, "cloudfront_functions", IN_ALL),
        (Self::KeyValueStores, "key_value_stores", IN_ALL),
        (Self::CachePolicies, "cache_policies", IN_ALL),
        (
            Self::OriginRequestPolicies,
            "origin_request_policies",
            IN_ALL,
        ),
        (
            Self::ResponseHeadersPolicies,
            "response_headers_policies",
            IN_ALL,
        ),
        (
            Self::ContinuousDeploymentPolicies,
            "continuous_deployment_policies",
            IN_ALL,
        ),
        (Self::OriginAccessControls, "origin_access_controls", IN_ALL),
        (
            Self::OriginAccessIdentities,
            "origin_access_identities",
            IN_ALL,
        ),
        (Self::PublicKeys, "public_keys", IN_ALL),
        (Self::KeyGroups, "key_groups", IN_ALL),
        (
            Self::PublicKeysPerKeyGroup,
            "public_keys_per_key_group",
            IN_ONE,
        ),
        (Self::HeadersPerPolicy, "headers_per_policy", IN_ONE),
        (Self::CookiesPerPolicy, "cookies_per_policy", IN_ONE),
        (
            Self::QueryStringsPerPolicy,
            "query_strings_per_policy",
            IN_ONE,
        ),
        (
            Self::CustomHeadersPerPolicy,
            "custom_headers_per_policy",
            IN_ONE,
        ),
        (
            Self::RemovedHeadersPerPolicy,
            "removed_headers_per_policy",
            IN_ONE,
        ),
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|(quota, ..)| *quota)
    }

    /// Its name in the site file, below `node.quotas`.
    pub const fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }
}

/// How much may be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiQuotas {
    most: [usize; Quota::TABLE.len()],
    /// Bytes of a CloudFront Function's code (CP-152). Default 10,240.
    pub cloudfront_function_size: usize,
    /// What key-value stores may hold (CP-202).
    pub stores: StoreQuotas,
}

impl Default for ApiQuotas {
    fn default() -> Self {
        Self {
            most: Quota::TABLE.map(|(.., most)| most),
            cloudfront_function_size: CFF_MAX_CODE_BYTES,
            stores: StoreQuotas::default(),
        }
    }
}

impl ApiQuotas {
    /// How many there may be.
    pub const fn most(&self, of: Quota) -> usize {
        self.most[of as usize]
    }

    /// Allows so many.
    pub const fn set(&mut self, of: Quota, most: usize) {
        self.most[of as usize] = most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quota_stands_where_it_is_looked_for() {
        // CP-120
        for (at, quota) in Quota::all().enumerate() {
            assert_eq!(quota as usize, at, "{quota:?}");
        }
        let mut quotas = ApiQuotas::default();
        assert_eq!(quotas.most(Quota::CacheBehaviors), 1_000);
        quotas.set(Quota::CacheBehaviors, 25);
        assert_eq!(quotas.most(Quota::CacheBehaviors), 25);
        assert_eq!(quotas.most(Quota::Origins), 1_000);
        assert_eq!(
            Quota::RemovedHeadersPerPolicy.name(),
            "removed_headers_per_policy"
        );
    }
}
