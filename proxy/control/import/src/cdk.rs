//! Assemblies of the CDK: `cdk.out/` (CP-361 to CP-364).

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use crate::{
    Options, Plan,
    artifact::Artifact,
    cloudformation::{Artifacts, Stack, World, read_stacks},
    files,
    place::Report,
    set,
    tree::Node,
};

/// Deepest nesting of assemblies; an assembly of stages is two deep.
const MAX_NESTING: usize = 8;

/// A stack of the manifest.
struct Listed {
    id: String,
    directory: PathBuf,
    template: PathBuf,
    /// Name that is deployed, which a user may have chosen.
    name: String,
    region: Option<String>,
    account: Option<String>,
    dependencies: Vec<String>,
}

/// Reads an assembly. A `None` was reported.
pub(crate) fn read(directory: &Path, options: &Options, report: &Report) -> Option<Plan> {
    let mut listed = Vec::new();
    manifest(directory, 0, &mut listed, report)?;
    let all: Vec<&str> = listed.iter().map(|s| s.id.as_str()).collect();
    for wanted in &options.stacks {
        if !listed.iter().any(|s| s.id == *wanted || s.name == *wanted) {
            let message = format!("there is no stack `{wanted}`, only {}", all.join(", "));
            files::fault(report, directory, message, None);
            return None;
        }
    }
    let chosen = chosen(&listed, &options.stacks);
    let ordered = ordered(&listed, &chosen);
    if ordered.is_empty() {
        files::fault(report, directory, "the assembly holds no stack", None);
        return None;
    }
    // What others depend on, such as the stack of edge functions, gives the whole no name.
    let depended: HashSet<&str> = ordered
        .iter()
        .flat_map(|s| s.dependencies.iter().map(String::as_str))
        .collect();
    let mut names: Vec<&str> = ordered
        .iter()
        .filter(|s| !depended.contains(s.id.as_str()))
        .map(|s| s.name.as_str())
        .collect();
    names.sort_unstable();
    let name = options.name.clone().unwrap_or_else(|| names.join("+"));

    let mut used = BTreeSet::new();
    let mut stacks = Vec::new();
    for stack in ordered {
        let mut root = files::load(report, &stack.directory.join(&stack.template))?;
        set::apply(&mut root, &options.set, &mut used, report);
        let artifacts = Artifacts {
            functions: HashMap::new(),
            objects: assets(stack, report)?,
        };
        let here = |given: &Option<String>, own: &Option<String>, default: &str| {
            own.clone()
                .or_else(|| given.clone())
                .unwrap_or_else(|| default.to_owned())
        };
        stacks.push(Stack {
            prefix: format!("{}/", stack.id),
            name: stack.name.clone(),
            region: here(&options.region, &stack.region, "us-east-1"),
            account: options
                .account
                .clone()
                .or_else(|| stack.account.clone())
                .unwrap_or_else(|| options.account()),
            root,
            artifacts,
        });
    }
    set::unused(&options.set, &used, report);
    let world = World::new(report, options, stacks);
    Some(read_stacks(&world, name))
}

fn manifest(directory: &Path, depth: usize, into: &mut Vec<Listed>, report: &Report) -> Option<()> {
    let file = directory.join("manifest.json");
    let root = files::load(report, &file)?;
    let Some(artifacts) = root.get("artifacts") else {
        files::fault(
            report,
            &file,
            "has no `artifacts`",
            Some("run `cdk synth` again".to_owned()),
        );
        return None;
    };
    for entry in artifacts.entries() {
        let path = format!("artifacts.{}", entry.key);
        let property = |name: &str| {
            entry
                .value
                .find(&["properties", name])
                .and_then(Node::scalar)
        };
        match entry.value.get("type").and_then(Node::scalar) {
            Some("aws:cloudformation:stack") => {
                let Some(template) = property("templateFile").and_then(plain_path) else {
                    report.error(entry.at, &path, "names no template of this directory");
                    return None;
                };
                // `aws://account/region`; an app without an environment says `unknown-region`.
                let environment = entry.value.get("environment").and_then(Node::scalar);
                let environment = environment.and_then(|e| e.strip_prefix("aws://"));
                let (account, region) = environment.and_then(|e| e.split_once('/')).unzip();
                let known =
                    |v: Option<&str>| v.filter(|v| !v.starts_with("unknown-")).map(str::to_owned);
                let dependencies = entry.value.get("dependencies");
                into.push(Listed {
                    id: entry.key.clone(),
                    directory: directory.to_owned(),
                    template,
                    name: property("stackName").unwrap_or(&entry.key).to_owned(),
                    region: known(region),
                    account: known(account),
                    dependencies: dependencies
                        .into_iter()
                        .flat_map(Node::items)
                        .filter_map(Node::scalar)
                        .map(str::to_owned)
                        .collect(),
                });
            }
            Some("cdk:cloud-assembly") => {
                let nested = property("directoryName").and_then(plain_path);
                match nested {
                    Some(nested) if depth < MAX_NESTING => {
                        manifest(&directory.join(nested), depth + 1, into, report)?;
                    }
                    _ => {
                        report.error(entry.at, &path, "names no assembly of this directory");
                        return None;
                    }
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// A path that stays where it is.
fn plain_path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let plain = path
        .components()
        .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    (plain && !text.is_empty()).then_some(path)
}

/// The stacks asked for, with what they depend on.
fn chosen<'a>(listed: &'a [Listed], wanted: &[String]) -> HashSet<&'a str> {
    if wanted.is_empty() {
        return listed.iter().map(|s| s.id.as_str()).collect();
    }
    let mut chosen = HashSet::new();
    let mut next: Vec<&str> = wanted.iter().map(String::as_str).collect();
    while let Some(id) = next.pop() {
        if let Some(stack) = listed.iter().find(|s| s.id == id || s.name == id)
            && chosen.insert(stack.id.as_str())
        {
            next.extend(stack.dependencies.iter().map(String::as_str));
        }
    }
    chosen
}

/// Dependencies before those that need them, otherwise as the manifest has them.
fn ordered<'a>(listed: &'a [Listed], chosen: &HashSet<&str>) -> Vec<&'a Listed> {
    let mut left: Vec<&Listed> = listed
        .iter()
        .filter(|s| chosen.contains(s.id.as_str()))
        .collect();
    let mut out = Vec::new();
    while !left.is_empty() {
        let free = left.iter().position(|s| {
            !left
                .iter()
                .any(|other| other.id != s.id && s.dependencies.contains(&other.id))
        });
        // A circle is nothing that the CDK writes; any order will do then.
        out.push(left.remove(free.unwrap_or(0)));
    }
    out
}

/// Assets by the key they would have in the bucket, `<hash>.zip` (CP-362).
fn assets(stack: &Listed, report: &Report) -> Option<HashMap<String, Artifact>> {
    let mut found = HashMap::new();
    for dependency in &stack.dependencies {
        let file = stack.directory.join(format!("{dependency}.json"));
        if !dependency.ends_with(".assets") || !file.is_file() {
            continue;
        }
        let root = files::load(report, &file)?;
        for asset in root.get("files").into_iter().flat_map(Node::entries) {
            let source = asset.value.get("source");
            let text = |name: &str| source.and_then(|s| s.get(name)).and_then(Node::scalar);
            let Some(path) = text("path").and_then(plain_path) else {
                // Made by a command while it is published (CP-306); said where it is used.
                continue;
            };
            let path = stack.directory.join(path);
            let artifact = match text("packaging") {
                Some("zip") if path.is_file() => Artifact::Zip { path },
                Some("zip") => Artifact::Directory {
                    path,
                    patterns: Vec::new(),
                    prune: false,
                },
                _ if path.extension().is_some_and(|e| e == "zip") => Artifact::Zip { path },
                _ => Artifact::File { path },
            };
            let destinations = asset.value.get("destinations");
            for destination in destinations.into_iter().flat_map(Node::entries) {
                let key = destination.value.get("objectKey").and_then(Node::scalar);
                if let Some(base) = key.and_then(|k| k.rsplit('/').next()) {
                    found.insert(base.to_owned(), artifact.clone());
                }
            }
        }
    }
    Some(found)
}
