//! `fourfront check` (CP-604): everything `serve` would refuse or warn of, without serving.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use fourfront_control::{Deployment, Loaded};
use fourfront_hooks::log::TracingSink;
use fourfront_model::{CacheMode, FinishFetch, RequestCc};

use super::{Exit, say, start};
use crate::observe::{access::NoAccessLog, logs};

/// What `fourfront check` is called with.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A site file, or a directory that holds `fourfront.yaml`.
    #[arg(default_value = ".")]
    pub(super) path: PathBuf,
    /// Make an error of whatever AWS would refuse, or do otherwise: `compat` is taken for strict, and what is only warned of,
    /// and what CloudFront does not have, is refused.
    #[arg(long)]
    pub(super) aws: bool,
}

pub(super) fn run(path: &Path, aws: bool) -> Exit {
    let said = Deployment {
        as_aws: aws,
        ..Deployment::default()
    };
    let Some(mut loaded) = start::read_site_as(path, &said) else {
        return Exit::Failed;
    };
    // A node may be at work in it, and nothing is to be left there.
    loaded.node.data_dir = None;
    let Some(metrics) = start::start_metrics() else {
        return Exit::Failed;
    };
    if let Err(errors) = start::new_node(
        &loaded,
        metrics,
        Arc::new(TracingSink),
        Arc::new(NoAccessLog),
    ) {
        for error in errors {
            say(&error);
        }
        return Exit::Failed;
    }
    if aws {
        let found = deviations(&loaded);
        for deviation in &found {
            say(deviation);
        }
        if !found.is_empty() {
            return Exit::Failed;
        }
    }
    for warning in &loaded.warnings {
        say(&format!("warning: {warning}"));
    }
    let site = &loaded.site;
    let behaviors: usize = site
        .distributions()
        .iter()
        .map(|d| d.all_behaviors().count())
        .sum();
    logs::say(&format!(
        "{}: ok ({} distributions, {behaviors} behaviours, {} functions)",
        path.display(),
        site.distributions().len(),
        site.functions().len()
    ));
    Exit::Ok
}

/// What CloudFront would do otherwise, or does not have.
fn deviations(loaded: &Loaded) -> Vec<String> {
    let mut found: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    for distribution in loaded.site.distributions() {
        let mut put =
            |text: String| found.push(format!("distribution {}: {text}", distribution.id));
        if distribution.cache_mode == CacheMode::Rfc9111 {
            put("`cache_mode: rfc9111` keeps responses by other rules than CloudFront's: set `cloudfront`".to_owned());
        }
        for (setting, is_set) in [
            (
                "finish_fetch_on_abort",
                distribution.finish_fetch != FinishFetch::default(),
            ),
            ("collapse.max_wait", distribution.collapse_wait.is_some()),
            (
                "strip_set_cookie_on_hit",
                distribution.strip_set_cookie_on_hit
                    && distribution.cache_mode == CacheMode::Cloudfront,
            ),
            (
                "request_cc",
                distribution.request_cc != RequestCc::default(),
            ),
        ] {
            if is_set {
                put(format!("CloudFront has no `{setting}`"));
            }
        }
        for origin in &distribution.origins {
            let id = &origin.id;
            if origin.pool.is_some() {
                put(format!("origin {id}: CloudFront has no `pool` of servers"));
            }
            if origin.ca.is_some() {
                put(format!(
                    "origin {id}: CloudFront takes no `origin_ca`: the certificate has to be a public one's"
                ));
            }
            if origin.endpoint.is_some() {
                put(format!(
                    "origin {id}: CloudFront reaches buckets at AWS alone"
                ));
            }
        }
    }
    found
}
