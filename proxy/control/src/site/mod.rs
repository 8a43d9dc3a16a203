//! Site files as deployments, and back (CP-300, CP-351, CP-641, CP-642).
//!
//! [`read_plan`] turns the site part of a `fourfront.yaml` into the [`Plan`] that every other importer comes to, so that a node
//! makes a release of it; [`write_plan`] writes such a plan as a site file. Both go through the one table of the API's
//! structures that CloudFormation is read and written with: a site file is that form with its keys in lower case, and what it
//! says shorter (CP-642) is said in full first. What a file may hold at all is not decided here: it is read by the loader's own
//! tables before anything is made of it, so a key that `serve -c` refuses is refused here in the same words.
//!
//! # Decisions a user meets
//!
//! - `node:` belongs to the node that reads it at start (CP-640). In a file that is deployed it is left out, and the plan says so.
//!   Nothing in it is expanded: its variables need not be there where somebody deploys.
//! - The stack is named by `--stack`, or by the directory that holds the file (CP-302).
//! - A function is called by its `name`, or else by its key; policies, keys, groups, stores and access controls likewise. A
//!   policy that is written in place is called after the stack, the distribution and the number of the behaviour.
//! - What only a node's own file can say, since CloudFront's API has no member for it, is refused by name: directories and
//!   pools as origins, credentials, `on_error: bypass`, `compat: relaxed`, `default: true` and so on. The settings of a
//!   distribution in [`CARRIED`] go along with the distribution, and a node keeps them beside its document.
//! - A file that is deployed says `cache_mode: rfc9111` where it says nothing, as one that is served does.
//! - Numbers of versions are the node's to give: one function may stand in the file once, and `version` is left out with a
//!   word about it. Ids of policies, keys and access controls are what the file's own references go by, and the node gives
//!   its own; the `id` of a distribution is kept (CP-049), that of a store is refused.
//! - A timeout or memory that is left out is what Lambda's API has for it, 3 s and 128 MB.
//! - The file of a store is what it begins with (CP-156): a store that is there keeps its data, and `fourfront kv import`
//!   writes it anew.
//! - What a behaviour names that the file does not have may be on the node already: policies and key groups by id, functions by
//!   ARN.

mod distribution;
mod gather;
pub(crate) mod names;
mod parts;
mod policy;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod write;
mod yaml;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use fourfront_import::{Document, Note, NoteKind, Place, Plan, Planned, RefKind};
use serde_json::{Value, json};

use crate::{
    MAX_FILE, SiteErrors,
    cursor::{Cursor, shorten},
    documents,
    keys::fold,
    raw::RawSite,
    read_bounded, read_text,
    report::{At, FileId, Report, Spanned},
    spelling::nearest,
    tree::{self, Entry, Node, NodeKind},
    whole_file,
};

pub use gather::{GATHERED, NodeDocuments, gather};
pub use write::{Content, Written, write_plan};

/// Settings of a distribution that CloudFront's API has no member for and that a plan carries beside its document. They say how
/// one distribution is served; what would reach a node's disk, its credentials or its other distributions is not among them.
pub const CARRIED: &[&str] = &[
    "cache_mode",
    "cdn_cc",
    "collapse",
    "finish_fetch_on_abort",
    "identity",
    "range_slice",
    "request_cc",
    "strict_header_keys",
    "strip_set_cookie_on_hit",
    "vary",
];

/// Reads the site part of a site file, or of the one in a directory, as a plan (CP-300, CP-301). `stack` names the stack; `env`
/// gives the variables of `${VAR}`, which are expanded here and not on the node.
///
/// # Errors
/// Every fault found, with its place: what the loader refuses, and what a deployment cannot say.
pub fn read_plan(
    path: &Path,
    stack: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, SiteErrors> {
    let file = match path.is_dir() {
        true => ["fourfront.yaml", "fourfront.yml"]
            .map(|name| path.join(name))
            .into_iter()
            .find(|file| file.is_file())
            .unwrap_or_else(|| path.join("fourfront.yaml")),
        false => path.to_owned(),
    };
    let text = read_text(&file)?;
    let report = Report::new(&file);
    match read(&text, &file, stack, env, &report) {
        Some(plan) if report.is_clean() => Ok(plan),
        _ => Err(report.into_errors()),
    }
}

fn read(
    text: &str,
    file: &Path,
    stack: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
    report: &Report,
) -> Option<Plan> {
    if text.len() > MAX_FILE {
        let message = format!("the file is longer than {MAX_FILE} bytes");
        report.error(&whole_file(), message);
        return None;
    }
    let text = tree::Text {
        text,
        file: FileId::SITE,
        env: Some(env),
    };
    let mut tree = tree::read(text, report)?;
    let node = without_node(&mut tree, report);
    let base_dir = file.parent().unwrap_or_else(|| Path::new(""));
    documents::splice(&mut tree, base_dir, report);
    let root = Cursor::root(&tree, report);
    // For what it says: keys that there are not, values of the wrong kind.
    RawSite::read(&root)?;
    if !report.is_clean() {
        return None;
    }
    let mut reader = Reader {
        report,
        base_dir,
        declared: Declared::default(),
        plan: Plan {
            stack: stack.map_or_else(|| directory_name(base_dir), str::to_owned),
            ..Plan::default()
        },
        carried: BTreeMap::new(),
    };
    reader.site(&root);
    let mut plan = reader.plan;
    let documents = plan
        .documents()
        .iter()
        .map(|(_, all)| all.len())
        .sum::<usize>();
    let others = plan.functions.len() + plan.cloudfront_functions.len() + plan.stores.len();
    if documents + others == 0 && report.is_clean() {
        report.error_help(
            &whole_file(),
            "there is nothing here to deploy",
            "write distributions, functions, policies or stores: `node:` is read by the node itself".to_owned(),
        );
    }
    if let Some(at) = node {
        plan.notes.push(note(
            report,
            NoteKind::Ignored,
            &at,
            "it belongs to the node that reads it at start, and is not deployed",
        ));
    }
    for warning in report.take_warnings() {
        plan.notes.push(Note {
            kind: NoteKind::Warning,
            place: place_of(&warning.location),
            path: warning.path,
            text: format!("{} ({})", warning.message, warning.rule),
        });
    }
    Some(plan)
}

/// Takes `node:` away, with what was said about its variables: they are another machine's. The place it stood at.
fn without_node(tree: &mut Node, report: &Report) -> Option<At> {
    let NodeKind::Mapping(parts) = &mut tree.kind else {
        return None;
    };
    report.forget(|path| path == "node" || path.starts_with("node.") || path.starts_with("node["));
    let node = parts.iter().position(|p| p.key == "node");
    let node = node.map(|at| parts.swap_remove(at));
    if !parts.iter().any(|p| p.key == "distributions") {
        // Functions and policies alone are a deployment too.
        parts.push(Entry {
            key: "distributions".to_owned(),
            line: 0,
            column: 0,
            value: Node {
                file: FileId::SITE,
                line: 0,
                column: 0,
                kind: NodeKind::Mapping(Vec::new()),
            },
        });
    }
    node.map(|node| At {
        file: FileId::SITE,
        line: node.line,
        column: node.column,
        path: "node".to_owned(),
    })
}

fn directory_name(directory: &Path) -> String {
    let directory = match directory == Path::new("") {
        true => Path::new("."),
        false => directory,
    };
    let whole = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().and_then(|n| n.to_str());
    name.unwrap_or("site").to_owned()
}

fn place_of(location: &crate::Location) -> Place {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        file: location.file.display().to_string(),
        line: narrow(location.line),
        column: narrow(location.column),
    }
}

fn note(report: &Report, kind: NoteKind, at: &At, text: &str) -> Note {
    Note {
        kind,
        place: place_of(&report.location(at)),
        path: at.path.clone(),
        text: text.to_owned(),
    }
}

/// What a plan has for a value that is known only once something else was created.
fn reference(kind: RefKind, id: &str, attribute: &str) -> Value {
    json!({ "$ref": { "kind": kind, "id": id, "attribute": attribute } })
}

/// Names and ids that entries of a section go by, each with the entry's key.
type Names = BTreeMap<String, String>;

/// What the file declares, by every name that something else may use for it.
#[derive(Default)]
struct Declared {
    functions: Names,
    cloudfront_functions: Names,
    stores: Names,
    public_keys: Names,
    key_groups: Names,
    controls: Names,
    cache: Names,
    origin_request: Names,
    response_headers: Names,
    rollouts: Names,
    distributions: Names,
}

/// Reads one file.
struct Reader<'a> {
    report: &'a Report,
    base_dir: &'a Path,
    declared: Declared,
    plan: Plan,
    /// Settings at the top of the file that hold for each distribution.
    carried: BTreeMap<&'static str, Value>,
}

/// A value in a file that is not left empty.
fn member<'n>(cursor: &Cursor<'n>, name: &str) -> Option<Cursor<'n>> {
    let (_, value) = cursor.member_spelled(name)?;
    (!value.is_null()).then_some(value)
}

fn member_text<'n>(cursor: &Cursor<'n>, name: &str) -> Option<&'n str> {
    member(cursor, name)?.scalar()
}

/// Whether a value is one of the words for nothing.
fn is_off(cursor: &Cursor<'_>) -> bool {
    matches!(
        cursor.scalar(),
        Some("" | "false" | "False" | "FALSE" | "none")
    )
}

impl<'a> Reader<'a> {
    fn site(&mut self, root: &Cursor<'_>) {
        let section = |name: &str| -> Vec<(Spanned<String>, Cursor<'_>)> {
            let section = member(root, name);
            let entries = section.filter(Cursor::is_mapping);
            entries
                .and_then(|s| s.entries("entries"))
                .unwrap_or_default()
        };
        let functions = section("functions");
        let cloudfront_functions = section("cloudfront_functions");
        let stores = section("stores");
        let public_keys = section("public_keys");
        let key_groups = section("key_groups");
        let controls = section("origin_access_controls");
        let cache = section("cache_policies");
        let origin_request = section("origin_request_policies");
        let response_headers = section("response_headers_policies");
        let rollouts = section("continuous_deployment_policies");
        let distributions = section("distributions");
        self.declared = Declared {
            functions: declared(&functions, &["name", "arn"]),
            cloudfront_functions: declared(&cloudfront_functions, &["arn"]),
            stores: declared(&stores, &[]),
            public_keys: declared(&public_keys, &["id"]),
            key_groups: declared(&key_groups, &["id"]),
            controls: declared(&controls, &[]),
            cache: declared(&cache, &["id", "name"]),
            origin_request: declared(&origin_request, &["id", "name"]),
            response_headers: declared(&response_headers, &["id", "name"]),
            rollouts: declared(&rollouts, &["id"]),
            distributions: declared(&distributions, &["id"]),
        };
        self.modes(root);
        self.functions(&functions);
        self.cloudfront_functions(&cloudfront_functions);
        self.stores(&stores);
        self.public_keys(&public_keys);
        self.key_groups(&key_groups);
        self.access_controls(&controls);
        self.cache_policies(&cache);
        self.origin_request_policies(&origin_request);
        self.response_headers_policies(&response_headers);
        self.rollouts(&rollouts);
        for (key, entry) in &distributions {
            self.distribution(key, entry);
        }
    }

    /// Settings at the top of the file.
    fn modes(&mut self, root: &Cursor<'_>) {
        for name in CARRIED {
            if let Some(value) = member(root, name) {
                self.carried.insert(name, plain(&value));
            }
        }
        if let Some(compat) = member(root, "compat") {
            self.strict_alone(&compat);
        }
    }

    /// `compat: strict` is what a deployment is held to by a node that says nothing else.
    fn strict_alone(&self, compat: &Cursor<'_>) {
        if compat.scalar() != Some("strict") {
            compat.error_help(
                "what AWS refuses is let through by nodes, not by what is deployed to them",
                "write `compat: relaxed` at the top of the node's own site file".to_owned(),
            );
        }
    }

    /// Refuses a setting that a deployment cannot say.
    fn inexpressible(&self, key: &Spanned<String>) {
        // In documents it has been warned of, and is left out.
        if self.report.is_lenient(key.at.file) {
            return;
        }
        let message = format!(
            "`{}` cannot be deployed: CloudFront's API has nothing to say it with",
            shorten(&key.value)
        );
        let help = "leave it out, or serve this file from the node itself with `serve -c`";
        self.report.error_help(&key.at, message, help.to_owned());
    }

    /// Refuses members of an entry that a deployment cannot say.
    fn refuse(&self, entry: &Cursor<'_>, names: &[&str]) {
        for name in names {
            if let Some((key, value)) = entry.member_spelled(name)
                && !value.is_null()
            {
                self.inexpressible(&key);
            }
        }
    }

    fn place(&self, at: &At) -> Place {
        place_of(&self.report.location(at))
    }

    fn planned<T>(&self, key: &Spanned<String>, item: T) -> Planned<T> {
        Planned {
            id: key.value.clone(),
            place: self.place(&key.at),
            retain: false,
            item,
        }
    }

    fn document(&self, key: &Spanned<String>, config: Value) -> Planned<Document> {
        let document = Document {
            config,
            ..Document::default()
        };
        self.planned(key, document)
    }

    fn warn(&mut self, at: &At, text: &str) {
        let note = note(self.report, NoteKind::Warning, at, text);
        self.plan.notes.push(note);
    }

    /// The file that a setting names, if it is there.
    fn file(&self, at: &Cursor<'_>) -> Option<PathBuf> {
        let named = at.scalar()?;
        let path: PathBuf = self.base_dir.join(named).components().collect();
        match fs::metadata(&path) {
            Ok(_) if !named.is_empty() => Some(path),
            Ok(_) => {
                at.error("an empty path names no file");
                None
            }
            Err(e) => {
                at.error(format!("`{}` cannot be read: {e}", shorten(named)));
                None
            }
        }
    }

    /// The text of such a file.
    fn text_of(&self, at: &Cursor<'_>) -> Option<String> {
        let path = self.file(at)?;
        let shown = shorten(at.scalar().unwrap_or_default());
        match read_bounded(&path).map(String::from_utf8) {
            Ok(Ok(text)) if text.len() <= MAX_FILE => Some(text),
            Ok(Ok(_)) => {
                at.error(format!("`{shown}` is longer than {MAX_FILE} bytes"));
                None
            }
            Ok(Err(_)) => {
                at.error(format!("`{shown}` is not UTF-8 text"));
                None
            }
            Err(e) => {
                at.error(format!("`{shown}` cannot be read: {e}"));
                None
            }
        }
    }

    /// The key of the entry that goes by a name, or a word about there being none.
    fn find<'n>(
        &self,
        names: &'n Names,
        name: &str,
        at: &Cursor<'_>,
        what: &str,
    ) -> Option<&'n str> {
        if let Some(key) = names.get(name) {
            return Some(key);
        }
        let near = nearest(name, names.keys().map(String::as_str));
        at.error_help(
            format!("there is no {what} `{}` in the file", shorten(name)),
            near.map(|near| format!("did you mean `{near}`?")),
        );
        None
    }
}

/// The keys of a section, and what else its entries go by.
fn declared(entries: &[(Spanned<String>, Cursor<'_>)], others: &[&str]) -> Names {
    let mut names = Names::new();
    for (key, entry) in entries {
        for other in others {
            if let Some(name) = member_text(entry, other) {
                names.insert(name.to_owned(), key.value.clone());
            }
        }
    }
    // A key goes before what another entry is called besides.
    names.extend(
        entries
            .iter()
            .map(|(key, _)| (key.value.clone(), key.value.clone())),
    );
    names
}

/// A value as JSON, scalars as text.
fn plain(cursor: &Cursor<'_>) -> Value {
    if let Some(text) = cursor.scalar() {
        return text.into();
    }
    if cursor.is_list() {
        let items = cursor.items("").unwrap_or_default();
        return items.iter().map(plain).collect();
    }
    if cursor.is_mapping() {
        let entries = cursor.entries("").unwrap_or_default();
        return entries
            .into_iter()
            .map(|(key, value)| (key.value, plain(&value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    Value::Null
}

/// The items of a list in whatever form a site file takes: bare, with its length, switched off.
fn items<'n>(cursor: &Cursor<'n>) -> Vec<Cursor<'n>> {
    if cursor.is_list() {
        return cursor.items("").unwrap_or_default();
    }
    if !cursor.is_mapping() {
        return Vec::new();
    }
    if member_text(cursor, "enabled").is_some_and(|e| e.eq_ignore_ascii_case("false")) {
        return Vec::new();
    }
    let inner = member(cursor, "items");
    inner.map_or_else(Vec::new, |inner| inner.items("").unwrap_or_default())
}

/// Whether a key means a member, in either spelling.
fn is(key: &str, name: &str) -> bool {
    fold(key) == fold(name)
}
