//! Cache policies and origin request policies that stand at the top of the file and are named by behaviours (CF-025).

use std::{collections::HashMap, sync::Arc};

use fourfront_model::{
    CachePolicy, OriginRequestPolicy, managed_cache_policy, managed_origin_request_policy,
};

use super::{policy, quotas};
use crate::{
    cursor::shorten,
    raw::{Named, RawCachePolicy, RawOriginRequestPolicy},
    report::{At, Report, Spanned},
};

/// By name, id and key of their entry; `None` for one with errors of its own.
type ByName<T> = HashMap<String, Option<Arc<T>>>;

/// The policies of a file.
#[derive(Debug, Default)]
pub(crate) struct NamedPolicies {
    cache: ByName<CachePolicy>,
    origin_request: ByName<OriginRequestPolicy>,
}

impl NamedPolicies {
    pub(crate) fn lower(
        cache: Vec<Named<RawCachePolicy>>,
        origin_request: Vec<Named<RawOriginRequestPolicy>>,
        report: &Report,
    ) -> Self {
        let mut names = Names::new("CachePolicyAlreadyExists", |name| {
            managed_cache_policy(name).is_some()
        });
        let mut policies = Self::default();
        for Named { name, value } in cache {
            let given = value.as_ref().map(|v| [v.id.clone(), v.name.clone()]);
            let own = names.take(&name, given, report);
            let at = name.at;
            let policy = value.and_then(|mut raw| {
                let id = name.value;
                raw.name.get_or_insert_with(|| Spanned {
                    value: id,
                    at: at.clone(),
                });
                let policy = policy::inline_cache_policy(raw, report)?;
                quotas::cache_policy(&policy, &at, report);
                Some(Arc::new(policy))
            });
            policies
                .cache
                .extend(own.into_iter().map(|n| (n, policy.clone())));
        }
        let mut names = Names::new("OriginRequestPolicyAlreadyExists", |name| {
            managed_origin_request_policy(name).is_some()
        });
        for Named { name, value } in origin_request {
            let given = value.as_ref().map(|v| [v.id.clone(), v.name.clone()]);
            let own = names.take(&name, given, report);
            let at = name.at;
            let policy = value.map(|mut raw| {
                let id = name.value;
                raw.name.get_or_insert_with(|| Spanned {
                    value: id,
                    at: at.clone(),
                });
                let policy = policy::inline_origin_request_policy(raw, report);
                quotas::origin_request_policy(&policy, &at, report);
                Arc::new(policy)
            });
            policies
                .origin_request
                .extend(own.into_iter().map(|n| (n, policy.clone())));
        }
        policies
    }

    /// The policy that a behaviour names, if it is one of the file's. The inner `None` has been reported.
    pub(crate) fn cache(&self, name: &str) -> Option<Option<Arc<CachePolicy>>> {
        self.cache.get(name).cloned()
    }

    /// Likewise.
    pub(crate) fn origin_request(&self, name: &str) -> Option<Option<Arc<OriginRequestPolicy>>> {
        self.origin_request.get(name).cloned()
    }
}

/// Names that are each taken once, and never from a managed policy.
struct Names {
    code: &'static str,
    is_managed: fn(&str) -> bool,
    taken: HashMap<String, At>,
}

impl Names {
    fn new(code: &'static str, is_managed: fn(&str) -> bool) -> Self {
        Self {
            code,
            is_managed,
            taken: HashMap::new(),
        }
    }

    /// The names under which one policy can be found; those that are not free are reported.
    fn take(
        &mut self,
        key: &Spanned<String>,
        given: Option<[Option<Spanned<String>>; 2]>,
        report: &Report,
    ) -> Vec<String> {
        let mut own: Vec<String> = Vec::new();
        let given = given.into_iter().flatten().flatten();
        for name in std::iter::once(key.clone()).chain(given) {
            if own.contains(&name.value) {
                continue;
            }
            let code = self.code;
            let shown = shorten(&name.value);
            if (self.is_managed)(&name.value) {
                let message = format!("{code}: `{shown}` is a managed policy");
                report.error(&name.at, message);
            } else if let Some(first) = self.taken.get(&name.value) {
                let line = report.line(first, &name.at);
                report.error(&name.at, format!("{code}: `{shown}` is taken on {line}"));
            } else {
                self.taken.insert(name.value.clone(), name.at.clone());
                own.push(name.value);
            }
        }
        own
    }
}
