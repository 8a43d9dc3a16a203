//! Stage two: the tree read into types that mirror the file. Every key is known, every value has its type
//! and its place; whether names exist, numbers agree and files are there is stage three (`lower`).

mod admin;
mod api_associations;
mod bucket;
mod cloudfront_function;
mod distribution;
mod error_response;
mod fetching;
mod function;
mod geo;
mod legacy;
mod listed;
mod logging;
mod node;
mod origin_access;
mod origin_group;
mod policy;
mod policy_config;
mod pool;
mod quotas;
mod resolver;
mod response_headers;
mod rollout;
mod shield;
mod signed;
mod tls;

use std::time::Duration;

use fourfront_model::{CacheMode, Compat, FinishFetch, Identity, RangeSlice, RequestCc};

pub(crate) use admin::RawAdmin;
pub(crate) use bucket::RawBucket;
pub(crate) use cloudfront_function::{RawCloudFrontFunction, RawStore};
pub(crate) use distribution::{
    NamedBy, RawAssociation, RawBehavior, RawCacheTags, RawCdnCc, RawCustomOrigin, RawDistribution,
    RawOrigin, RawOriginBlock, RawProtocol, RawVary,
};
pub(crate) use error_response::RawErrorResponse;
pub(crate) use function::{RawCredentials, RawFunction, RawSource};
pub(crate) use geo::{RawGeoKind, RawGeoRestriction};
pub(crate) use legacy::{RawLegacy, RawLegacyCookies, RawTtls};
pub(crate) use logging::RawLogging;
pub(crate) use node::RawNode;
pub(crate) use origin_access::{RawOriginAccess, RawSigning};
pub(crate) use origin_group::{RawOriginGroup, origin_groups};
pub(crate) use policy::{
    RawCachePolicy, RawHeaders, RawOriginRequestPolicy, RawPolicy, RawSelection,
};
pub(crate) use pool::{RawHealthCheck, RawPool};
pub(crate) use response_headers::{
    RawCors, RawHeaderField, RawProtection, RawResponseHeadersPolicy, RawSecurity, RawTransport,
};
pub(crate) use rollout::{RawRollout, RawSessions, RawTraffic};
pub(crate) use shield::{RawNodeShield, RawOriginShield};
pub(crate) use signed::{RawKeyGroup, RawPem, RawPublicKey};

pub(crate) use tls::{
    RawCertificate, RawPolicyName, RawViewerCertificate, RawViewerMtls, RawViewers,
};

use crate::{
    cursor::{Block, Cursor},
    keys,
    report::{At, Spanned},
};

/// An entry of a map whose keys are names.
#[derive(Debug)]
pub(crate) struct Named<T> {
    pub(crate) name: Spanned<String>,
    /// `None` when the value could not be read; the name still counts as declared.
    pub(crate) value: Option<T>,
}

/// The modes a user chooses, for the site or for one distribution.
#[derive(Debug, Default)]
pub(crate) struct RawModes {
    pub(crate) cache_mode: Option<CacheMode>,
    pub(crate) request_cc: Option<RequestCc>,
    pub(crate) compat: Option<Compat>,
    pub(crate) identity: Option<Identity>,
    pub(crate) strict_header_keys: Option<bool>,
    pub(crate) range_slice: Option<RangeSlice>,
    pub(crate) finish_fetch: Option<FinishFetch>,
    pub(crate) collapse_wait: Option<Duration>,
    pub(crate) strip_set_cookie_on_hit: Option<bool>,
}

/// A site file.
#[derive(Debug)]
pub(crate) struct RawSite {
    pub(crate) at: At,
    pub(crate) node: RawNode,
    pub(crate) functions: Vec<Named<RawFunction>>,
    pub(crate) cloudfront_functions: Vec<Named<RawCloudFrontFunction>>,
    pub(crate) stores: Vec<Named<RawStore>>,
    pub(crate) public_keys: Vec<Named<RawPublicKey>>,
    pub(crate) key_groups: Vec<Named<RawKeyGroup>>,
    pub(crate) origin_access: Vec<Named<RawOriginAccess>>,
    pub(crate) cache_policies: Vec<Named<RawCachePolicy>>,
    pub(crate) origin_request_policies: Vec<Named<RawOriginRequestPolicy>>,
    pub(crate) response_headers_policies: Vec<Named<RawResponseHeadersPolicy>>,
    pub(crate) rollouts: Vec<Named<RawRollout>>,
    pub(crate) distributions: Vec<Named<RawDistribution>>,
    pub(crate) modes: RawModes,
}

impl RawSite {
    pub(crate) fn read(root: &Cursor<'_>) -> Option<Self> {
        let block = Block::open(root, &keys::SITE)?;
        let functions = block.get("functions").map_or_else(Vec::new, |c| {
            named(c, "a map of function names", RawFunction::read)
        });
        let node = block.get("node").and_then(RawNode::read);
        let node = node.unwrap_or_default();
        let distributions = match block.get("distributions") {
            Some(c) => named(c, "a map of distribution names", RawDistribution::read),
            // They can be deployed.
            None if node.data_dir.is_some() => Vec::new(),
            None => {
                root.report.error_help(
                    &root.at.member("distributions"),
                    "no distribution is configured",
                    "add `distributions:` with at least one entry".to_owned(),
                );
                Vec::new()
            }
        };
        Some(Self {
            at: root.at.clone(),
            node,
            functions,
            cloudfront_functions: block
                .get("cloudfront_functions")
                .map_or_else(Vec::new, |c| {
                    named(c, "a map of function names", RawCloudFrontFunction::read)
                }),
            stores: block.get("stores").map_or_else(Vec::new, |c| {
                named(c, "a map of store names", RawStore::read)
            }),
            public_keys: block.get("public_keys").map_or_else(Vec::new, |c| {
                named(c, "a map of key names", RawPublicKey::read)
            }),
            key_groups: block.get("key_groups").map_or_else(Vec::new, |c| {
                named(c, "a map of group names", RawKeyGroup::read)
            }),
            origin_access: block
                .get("origin_access_controls")
                .map_or_else(Vec::new, |c| {
                    named(
                        c,
                        "a map from id to origin access control",
                        RawOriginAccess::read,
                    )
                }),
            cache_policies: block.get("cache_policies").map_or_else(Vec::new, |c| {
                named(c, "a map of cache policies", RawCachePolicy::read)
            }),
            origin_request_policies: block.get("origin_request_policies").map_or_else(
                Vec::new,
                |c| {
                    named(
                        c,
                        "a map of origin request policies",
                        RawOriginRequestPolicy::read,
                    )
                },
            ),
            response_headers_policies: block
                .get("response_headers_policies")
                .map_or_else(Vec::new, |c| {
                    named(c, "a map of policy ids", RawResponseHeadersPolicy::read)
                }),
            rollouts: block
                .get("continuous_deployment_policies")
                .map_or_else(Vec::new, |c| {
                    named(c, "a map of policy ids", RawRollout::read)
                }),
            distributions,
            modes: RawModes::read(&block),
        })
    }
}

impl RawModes {
    fn read(block: &Block<'_>) -> Self {
        let cache_mode = block.get("cache_mode").and_then(|c| {
            c.choice(&[
                ("rfc9111", Ok(CacheMode::Rfc9111)),
                ("cloudfront", Ok(CacheMode::Cloudfront)),
            ])
        });
        let request_cc = block.get("request_cc").and_then(|c| {
            c.choice(&[
                ("ignore", Ok(RequestCc::Ignore)),
                ("honour", Ok(RequestCc::Honour)),
            ])
        });
        let compat = block.get("compat").and_then(|c| {
            c.choice(&[
                ("strict", Ok(Compat::Strict)),
                ("relaxed", Ok(Compat::Relaxed)),
            ])
        });
        let identity = block
            .get("identity")
            .and_then(|c| c.choice(&[("fourfront", Ok(false)), ("cloudfront", Ok(true))]));
        let strict_header_keys = block.get("strict_header_keys").and_then(Cursor::boolean);
        let range_slice = block.get("range_slice").and_then(fetching::range_slice);
        let strip_set_cookie = block
            .get("strip_set_cookie_on_hit")
            .and_then(Cursor::boolean);
        Self {
            strict_header_keys: strict_header_keys.map(|b| b.value),
            range_slice,
            strip_set_cookie_on_hit: strip_set_cookie.map(|b| b.value),
            finish_fetch: block
                .get("finish_fetch_on_abort")
                .and_then(fetching::finish_fetch),
            collapse_wait: block.get("collapse").and_then(fetching::collapse_wait),
            cache_mode: cache_mode.map(|c| c.value),
            request_cc: request_cc.map(|c| c.value),
            compat: compat.map(|c| c.value),
            identity: identity.map(|c| {
                if c.value {
                    Identity::cloudfront()
                } else {
                    Identity::fourfront()
                }
            }),
        }
    }
}

/// Reads a map of user-chosen names.
fn named<'n, T>(
    cursor: &Cursor<'n>,
    what: &str,
    read: impl Fn(&Cursor<'n>) -> Option<T>,
) -> Vec<Named<T>> {
    let entries = cursor.entries(what).unwrap_or_default();
    let one = |(name, value): (Spanned<String>, Cursor<'n>)| Named {
        name,
        value: read(&value),
    };
    entries.into_iter().map(one).collect()
}
