//! The two policies of a behaviour that decide key and forwarding: named, written in place or derived (CF-065, CF-066,
//! CF-068), and what of them is worth a warning.

use std::sync::Arc;

use fourfront_model::{CacheMode, CachePolicy, Origin, OriginHeaders, OriginRequestPolicy};

use super::{Context, legacy, policy, quotas};
use crate::{
    raw::{RawBehavior, RawLegacy, RawPolicy, RawTtls},
    report::{At, Report},
};

/// Both policies. An outer `None` means that errors were reported.
pub(crate) struct Policies {
    pub(crate) cache: Option<Arc<CachePolicy>>,
    pub(crate) origin_request: Option<Option<Arc<OriginRequestPolicy>>>,
}

impl Policies {
    /// Takes them out of a behaviour.
    pub(crate) fn take(raw: &mut RawBehavior, context: &Context<'_>) -> Self {
        let report = context.report;
        if raw.names_legacy {
            return Self::legacy(raw, report);
        }
        if let Some(ttl) = raw.ttls.any() {
            // CF-065
            report.error_help(
                &ttl.at,
                "InvalidArgument: TTLs of a behaviour go with `forwarded_values`",
                "write it inside `cache_policy`".to_owned(),
            );
        }
        if raw.cache_policy.is_none() && raw.at.file.is_document() {
            // CF-065; a behaviour that somebody writes by hand has a default.
            report.error(
                &raw.at,
                "InvalidArgument: the behaviour has neither `CachePolicyId` nor `ForwardedValues`",
            );
        }
        Self {
            cache: match raw.cache_policy.take() {
                Some(RawPolicy::Named(name)) => match context.policies.cache(&name.value) {
                    Some(own) => own,
                    None => policy::cache_policy(Some(RawPolicy::Named(name)), report),
                },
                Some(RawPolicy::Inline(inline)) => {
                    let at = inline.at.clone();
                    let policy = policy::cache_policy(Some(RawPolicy::Inline(inline)), report);
                    if let Some(policy) = &policy {
                        quotas::cache_policy(policy, &at, report);
                    }
                    policy
                }
                None => policy::cache_policy(None, report),
            },
            origin_request: match raw.origin_request_policy.take() {
                None => Some(None),
                Some(RawPolicy::Named(name)) => {
                    match context.policies.origin_request(&name.value) {
                        Some(own) => own.map(Some),
                        None => {
                            policy::origin_request_policy(RawPolicy::Named(name), report).map(Some)
                        }
                    }
                }
                Some(RawPolicy::Inline(inline)) => {
                    let at = inline.at.clone();
                    let policy = policy::inline_origin_request_policy(inline, report);
                    quotas::origin_request_policy(&policy, &at, report);
                    Some(Some(Arc::new(policy)))
                }
            },
        }
    }

    /// CF-068. With policies it has nothing in common.
    fn legacy(raw: &mut RawBehavior, report: &Report) -> Self {
        let at = raw.legacy.as_ref().map_or(&raw.at, |l| &l.at);
        if raw.cache_policy.is_some() {
            // CF-065
            let message =
                "InvalidArgument: a behaviour has a cache policy or `forwarded_values`, not both";
            report.error(at, message);
        }
        if raw.origin_request_policy.is_some() {
            // CF-066
            let message = "InvalidArgument: an origin request policy goes with a cache policy, not with `forwarded_values`";
            report.error(at, message);
        }
        let ttls: RawTtls = std::mem::take(&mut raw.ttls);
        let lowered = |legacy: RawLegacy| legacy::lower(legacy, &ttls, report);
        match raw.legacy.take().and_then(lowered) {
            Some((cache, origin_request)) => Self {
                cache: Some(cache),
                origin_request: Some(Some(origin_request)),
            },
            None => Self {
                cache: None,
                origin_request: None,
            },
        }
    }

    /// Warns of what is allowed and seldom meant.
    pub(crate) fn warn(&self, at: &At, mode: CacheMode, origins: &[&Origin], report: &Report) {
        let Some(cache) = self.cache.as_deref().filter(|c| !c.ttl.disables_caching()) else {
            self.warn_of_custom_headers(at, origins, report);
            return;
        };
        for name in ["user-agent", "date"] {
            if cache.headers.iter().any(|h| h == name) {
                // CF-175
                let message = format!(
                    "`{name}` is in the cache key: it differs between viewers who are sent the same, so few requests will be hits"
                );
                report.warn(at, "CF-175", message);
            }
        }
        let keyed = cache.headers.iter().any(|h| h == "authorization");
        if mode == CacheMode::Cloudfront && !keyed && self.forwards("authorization") {
            // In mode `rfc9111` such responses are stored only where their origin allows it.
            let message = "`Authorization` is sent to the origin and not in the cache key: what one viewer is sent is stored and served to others";
            report.warn(at, "CF-310", message);
        }
        self.warn_of_custom_headers(at, origins, report);
    }

    /// Whether the origin request policy sends that header on.
    fn forwards(&self, name: &str) -> bool {
        let lists = |names: &[String]| names.iter().any(|n| n == name);
        let policy = self.origin_request.as_ref().and_then(|p| p.as_ref());
        policy.is_some_and(|p| match &p.headers {
            OriginHeaders::None | OriginHeaders::Legacy => false,
            OriginHeaders::Whitelist(names) => lists(names),
            OriginHeaders::AllViewer => true,
            OriginHeaders::AllExcept(names) => !lists(names),
        })
    }

    /// CF-130
    fn warn_of_custom_headers(&self, at: &At, origins: &[&Origin], report: &Report) {
        let policy = self.origin_request.as_ref().and_then(|p| p.as_ref());
        let Some(OriginHeaders::Whitelist(listed)) = policy.map(|p| &p.headers) else {
            return;
        };
        for origin in origins {
            let own = origin.custom_headers.iter().map(|(name, _)| name);
            for name in own.filter(|name| listed.iter().any(|l| l.eq_ignore_ascii_case(name))) {
                let message = format!(
                    "the origin request policy sends the viewer's `{name}` on, and `{}` has a custom header of that name, which is what is sent",
                    origin.id
                );
                report.warn(at, "CF-130", message);
            }
        }
    }
}
