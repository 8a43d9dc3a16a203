//! The configuration of a node: from site files to the model, and the control plane that changes what is served while the
//! node runs ([`api`]).
//!
//! # Site files
//!
//! `fourfront.yaml` goes through three stages. *Text* becomes a tree in which every value knows its line
//! and column (`tree`; CP-304), with `${VAR}` expanded in values (`expand`; CP-643). The tree becomes *raw*
//! types that mirror the file, every key held against tables of known settings (`keys`, `raw`). Raw types
//! become the *model* (`lower`): names are looked up, files looked for, AWS's own refusals made. Nothing
//! past that stage checks again. All stages gather errors rather than stop at the first one.
//!
//! Every setting, with its default, stands in `fourfront.reference.yaml` beside this crate.
//!
//! # Decisions a user meets
//!
//! - `cache_mode`, `compat` and `identity` stand at the top of the file for all distributions, or in a
//!   distribution for that one alone.
//! - The distribution that answers for hosts nobody names is the one with `default: true`. A single
//!   distribution without aliases is that by itself; `default: false` prevents it (CF-035).
//! - A distribution's id, unless given, is `E`, up to eight letters and digits of its name, and six
//!   characters hashed from the name. It stays the same as long as the name does.
//! - A distribution may name a document of CloudFront's API or the properties of a CloudFormation resource with `config:`
//!   (CF-020, CF-021). Its members become the entry's, and what the entry gives itself goes before them, member by
//!   member. What the document names by id or ARN is looked up in the site file: policies, key groups and origin
//!   access controls by their key, `id` or name, certificates by their label or `arn`, functions by their `arn` or by the name in
//!   the ARN. Paths in errors are JSON pointers into the document (CF-024). Its `cache_mode` is `cloudfront` unless
//!   said otherwise, and it may not leave out what the API does not let it leave out; `Comment` and `CallerReference`,
//!   which do nothing here, are not missed.
//! - Buckets are named as AWS names them. What `node.origins.s3` says of a bucket holds for every origin that names it, and
//!   what the origin says itself goes before it (CP-320).
//! - An alias that was deployed needs a certificate that covers it, named by its distribution, where viewers come by HTTPS at
//!   all and the site is `strict` (CP-116). Aliases of the site file are the operator's own, and are taken as they are.
//! - A continuous deployment policy that a distribution names and that is not there, or that names a staging distribution
//!   which is not there, is warned of and changes nothing: an exported configuration loads without them (CF-052). A staging
//!   distribution is found by its domain name, its id or its name in the file.
//! - Members that nobody knows are refused; in a document they are left out with a warning where the distribution says
//!   `unknown_members: warn` (CF-022).
//! - A setting left empty (`origin_path:` and nothing after it) counts as not given. A variable that expands
//!   to nothing is an empty text instead.
//! - Anchors, aliases and merge keys (`<<`) work; tags are refused.
#![forbid(unsafe_code)]

pub mod api;
mod cursor;
mod deployed;
mod documents;
mod error;
mod expand;
mod keys;
mod lower;
mod quotas;
mod raw;
mod report;
mod settings;
mod spelling;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    collections::HashMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_model::{Compat, FunctionKey, Site};

pub use deployed::{Deployed, Deployment, Part};
pub use error::{Location, SiteError, SiteErrors, SiteWarning};
pub use quotas::{ApiQuotas, Quota};
pub use settings::{
    AccessFormat, AdminAuth, CertificateFiles, CompressionSettings, ControlSettings, HookSettings,
    LoadSettings, LogFormat, LogLevel, LogSettings, NodeSettings, Quotas, RequestLimits,
    ResolverSettings, ShieldSettings, UnknownFields, ViewerSettings,
};

use cursor::Cursor;
use raw::RawSite;
use report::{At, FileId, Report};

/// Largest site file or document, in bytes.
const MAX_FILE: usize = 1 << 20;

/// A site file that holds together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Distributions and functions.
    pub site: Arc<Site>,
    /// What `node:` sets.
    pub node: NodeSettings,
    /// How closely distributions that say nothing about it follow AWS's refusals: those that are deployed, among others.
    pub compat: Compat,
    /// Where each function is declared, for errors found when its code is loaded.
    pub function_locations: HashMap<FunctionKey, Location>,
    /// Files and directories a change of which should lead to a reload, sorted: the site file (when it was
    /// read from disk), documents that it names, function code, certificate authorities. Directories count with all
    /// that is in them.
    pub watched: Vec<PathBuf>,
    /// What works and may not be what was meant, in file order (CF-026).
    pub warnings: Vec<SiteWarning>,
}

/// Reads a site file and checks that what it names on disk is there. Relative paths start from the file's
/// directory; `env` gives the variables of `${VAR}`.
///
/// # Errors
/// Every fault found, with its place.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, SiteErrors> {
    load_with(path, env, &Deployment::default())
}

/// Like [`load`], for who develops functions: environment variables are there also where AWS has none, with a warning (CP-130).
///
/// # Errors
/// Every fault found, with its place.
pub fn load_for_development(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, SiteErrors> {
    let text = read_text(path)?;
    let base_dir = path.parent().unwrap_or_else(|| Path::new(""));
    let report = Report::new(path);
    let source = Source {
        text: &text,
        base_dir,
        env,
        development: true,
    };
    let mut loaded = finished(&source, &Deployment::default(), report)?;
    loaded.watched.push(path.to_path_buf());
    loaded.watched.sort();
    Ok(loaded)
}

/// Like [`load`], together with what was deployed to the node.
///
/// # Errors
/// Every fault found in either, with its place.
pub fn load_with(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    deployed: &Deployment,
) -> Result<Loaded, SiteErrors> {
    let text = read_text(path)?;
    let base_dir = path.parent().unwrap_or_else(|| Path::new(""));
    let mut loaded = parse_with(&text, path, base_dir, env, deployed)?;
    loaded.watched.push(path.to_path_buf());
    loaded.watched.sort();
    Ok(loaded)
}

/// Like [`load`], with the text of the site file given. `origin` names it in messages; relative paths start
/// from `base_dir`.
///
/// # Errors
/// Every fault found, with its place.
pub fn parse(
    text: &str,
    origin: &Path,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, SiteErrors> {
    parse_with(text, origin, base_dir, env, &Deployment::default())
}

/// Like [`parse`], together with what was deployed to the node.
///
/// # Errors
/// Every fault found in either, with its place.
pub fn parse_with(
    text: &str,
    origin: &Path,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    deployed: &Deployment,
) -> Result<Loaded, SiteErrors> {
    let source = Source {
        text,
        base_dir,
        env,
        development: false,
    };
    finished(&source, deployed, Report::new(origin))
}

/// A site file as it is read.
struct Source<'a> {
    text: &'a str,
    base_dir: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether its functions are being developed.
    development: bool,
}

fn finished(
    source: &Source<'_>,
    deployed: &Deployment,
    report: Report,
) -> Result<Loaded, SiteErrors> {
    match parse_reporting(source, deployed, &report) {
        Some(loaded) if report.is_clean() => Ok(loaded),
        _ => Err(report.into_errors()),
    }
}

fn parse_reporting(source: &Source<'_>, deployed: &Deployment, report: &Report) -> Option<Loaded> {
    let &Source {
        text,
        base_dir,
        env,
        development,
    } = source;
    if text.len() > MAX_FILE {
        let message = format!("the file is longer than {MAX_FILE} bytes");
        report.error(&whole_file(), message);
        return None;
    }
    let site = tree::Text {
        text,
        file: FileId::SITE,
        env: Some(env),
    };
    let mut tree = tree::read(site, report)?;
    let documents = documents::splice(&mut tree, base_dir, report);
    deployed::splice(&mut tree, &deployed.entries, report);
    let raw = RawSite::read(&Cursor::root(&tree, report))?;
    let mut loaded = lower::lower(raw, &deployed.stores, base_dir, development, report)?;
    loaded.watched.extend(documents);
    loaded.watched.sort();
    loaded.watched.dedup();
    loaded.warnings = report.take_warnings();
    Some(loaded)
}

fn read_text(path: &Path) -> Result<String, SiteErrors> {
    let report = Report::new(path);
    match read_bounded(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(e) => {
                let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
                let good = String::from_utf8_lossy(good);
                let line_start = good.rfind('\n').map_or(0, |i| i + 1);
                let at = At {
                    file: FileId::SITE,
                    line: good.matches('\n').count() + 1,
                    column: good[line_start..].chars().count() + 1,
                    path: String::new(),
                };
                report.error(&at, "the file is not UTF-8 text");
            }
        },
        Err(e) => report.error(&whole_file(), format!("cannot read the site file: {e}")),
    }
    Err(report.into_errors())
}

/// Reads no more of a file than it takes to know that it is too long: the path may name a device.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_FILE as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const fn whole_file() -> At {
    At::whole(FileId::SITE)
}
