//! Stage three: what was written becomes the model. Names are looked up, numbers held against each other,
//! files looked for; what leaves this stage is not checked again anywhere.

mod admin;
mod arns;
mod behavior;
mod behavior_policies;
mod bucket;
mod cloudfront_function;
mod distribution;
mod error_response;
mod files;
mod function;
mod geo;
mod grants;
mod grpc;
mod headers;
mod legacy;
mod logging;
mod named_policies;
mod node;
mod origin;
mod origin_access;
mod origin_group;
mod package;
mod policy;
mod pool;
mod quotas;
mod response_headers;
mod rollout;
mod shield;
mod signed;
mod store;
mod tls;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_model::{Compat, KeyValueStore, LimitProfile, Site};

use crate::{ApiQuotas, Loaded, raw::RawSite, report::Report};

use bucket::Buckets;
use distribution::Placed;
use function::Functions;
use named_policies::NamedPolicies;
use origin_access::AccessControls;
use response_headers::ResponseHeadersPolicies;
use shield::ShieldNames;
use signed::KeyGroups;
use store::Stores;

/// What every part of stage three needs.
pub(crate) struct Context<'a> {
    pub(crate) report: &'a Report,
    /// What relative paths start from.
    pub(crate) base_dir: &'a Path,
    pub(crate) profile: LimitProfile,
    /// Whether a database says in which country a viewer is (CF-601).
    pub(crate) has_geo_database: bool,
    pub(crate) policies: NamedPolicies,
    pub(crate) response_headers: ResponseHeadersPolicies,
    /// The node's certificates, in file order.
    pub(crate) certificates: Vec<tls::Known>,
    /// Whether viewers can come by HTTPS.
    pub(crate) has_https: bool,
    /// Where directories stand for buckets (CF-045).
    pub(crate) log_directory: Option<PathBuf>,
    /// Who shields origins.
    pub(crate) shields: ShieldNames,
    /// What stands for buckets that origins name (CP-320).
    pub(crate) buckets: Buckets,
    /// What data of stores and code of CloudFront Functions are held against.
    pub(crate) quotas: ApiQuotas,
    /// Whether functions are being developed, which may have variables then (CP-130).
    pub(crate) development: bool,
}

/// What is declared once and named by distributions.
pub(crate) struct Shared<'a> {
    pub(crate) functions: &'a Functions,
    pub(crate) key_groups: &'a KeyGroups,
    pub(crate) access_controls: &'a AccessControls,
}

/// Lowers a whole file. `None` means that errors were reported.
pub(crate) fn lower(
    mut raw: RawSite,
    deployed: &[Arc<KeyValueStore>],
    base_dir: &Path,
    development: bool,
    report: &Report,
) -> Option<Loaded> {
    quotas::site(&raw, report);
    let buckets = std::mem::take(&mut raw.node.buckets);
    let mut context = Context {
        report,
        base_dir,
        profile: raw.node.limit_profile.unwrap_or_default(),
        has_geo_database: !raw.node.geo_databases.is_empty(),
        policies: NamedPolicies::lower(raw.cache_policies, raw.origin_request_policies, report),
        response_headers: ResponseHeadersPolicies::lower(raw.response_headers_policies, report),
        certificates: tls::known(&raw.node.viewers, base_dir, report),
        has_https: raw.node.viewers.has_https(),
        log_directory: node::log_directory(&raw.node, base_dir),
        shields: ShieldNames::of(&raw.node),
        buckets: Buckets::default(),
        quotas: raw.node.api_quotas.clone(),
        development,
    };
    context.buckets = Buckets::lower(buckets, &context);
    let mut watched = Vec::new();
    let node = node::lower(raw.node, &context, &mut watched);
    let stores = Stores::lower(raw.stores, deployed, &context);
    watched.extend(stores.paths());
    let functions = Functions::lower(raw.functions, raw.cloudfront_functions, &stores, &context);
    watched.extend(functions.paths());
    let key_groups = KeyGroups::lower(raw.public_keys, raw.key_groups, &context);
    watched.extend(key_groups.paths());
    let access_controls = AccessControls::lower(raw.origin_access, report);
    let shared = Shared {
        functions: &functions,
        key_groups: &key_groups,
        access_controls: &access_controls,
    };

    let mut distributions = Vec::new();
    for named in raw.distributions {
        if let Some(value) = named.value {
            let placed = Placed::lower(&named.name, value, &raw.modes, &shared, &context);
            distributions.extend(placed);
        } else {
            distribution::check_name(&named.name, report);
        }
    }
    let compat = raw.modes.compat.unwrap_or_default();
    if compat == Compat::Strict {
        functions.refuse_unattached_environments(&context);
    }
    rollout::lower(raw.rollouts, compat, &mut distributions, report);
    distribution::check_names_are_free(&distributions, report);
    let fallback = distribution::fallback(&distributions, report);
    if distributions.is_empty() && node.data_dir.is_none() && report.is_clean() {
        report.error_help(
            &raw.at.member("distributions"),
            "no distribution is configured",
            "add at least one entry under `distributions:`".to_owned(),
        );
    }
    if !report.is_clean() {
        return None;
    }

    let function_locations: HashMap<_, _> = functions.locations(report).collect();
    let distributions: Vec<_> = distributions
        .into_iter()
        .map(|d| Arc::new(d.distribution))
        .collect();
    let stores = distributions.iter().filter_map(|d| d.viewer_mtls.as_ref());
    watched.extend(stores.map(|m| m.trust_store.clone()));
    let origins = distributions.iter().flat_map(|d| &d.origins);
    watched.extend(origins.filter_map(|o| o.ca.clone()));
    let site = match Site::new(distributions, functions.into_all(), fallback) {
        Ok(site) => site,
        Err((name, one, other)) => {
            let message =
                format!("CNAMEAlreadyExists: `{name}` belongs to both `{one}` and `{other}`");
            report.error(&raw.at.member("distributions"), message);
            return None;
        }
    };
    watched.sort();
    watched.dedup();
    Some(Loaded {
        site: Arc::new(site),
        node,
        compat,
        function_locations,
        watched,
        warnings: Vec::new(),
    })
}

impl Context<'_> {
    /// A path of the file, seen from the directory it is relative to, without `.` components.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.base_dir.join(path).components().collect()
    }
}
