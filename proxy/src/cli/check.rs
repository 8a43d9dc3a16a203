//! `fourfront check` (CP-604): everything `serve` would refuse or warn of, without serving.

use std::{path::Path, sync::Arc};

use fourfront_hooks::log::TracingSink;

use super::{Exit, say, start};
use crate::observe::{access::NoAccessLog, logs};

pub(super) fn run(path: &Path) -> Exit {
    let Some(mut loaded) = start::read_site(path) else {
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
