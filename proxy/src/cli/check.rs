//! `fourfront check` (CP-604): everything `serve` would refuse, without serving.

use std::path::Path;

use super::{Exit, start};

pub(super) fn run(path: &Path) -> Exit {
    let Some(loaded) = start::read_site(path) else {
        return Exit::Failed;
    };
    let Some(_node) = start::start_node(&loaded) else {
        return Exit::Failed;
    };
    let site = &loaded.site;
    let behaviors: usize = site
        .distributions()
        .iter()
        .map(|d| d.all_behaviors().count())
        .sum();
    eprintln!(
        "{}: ok ({} distributions, {behaviors} behaviours, {} functions)",
        path.display(),
        site.distributions().len(),
        site.functions().len()
    );
    Exit::Ok
}
