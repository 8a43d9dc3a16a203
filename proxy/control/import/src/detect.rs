//! What a path holds (CP-300).

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use walkdir::WalkDir;

use crate::{
    error::ImportErrors,
    files,
    place::Report,
    sam,
    tree::{Kind, Node},
};

/// What a project is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SourceKind {
    /// `serverless.yml`, `.yaml` or `.json`.
    Serverless,
    /// `.serverless/`, as `serverless package` leaves it (CP-285).
    ServerlessPackage,
    /// A template with SAM's transform (CP-287).
    Sam,
    /// A template of CloudFormation.
    CloudFormation,
    /// `cdk.out/`, as `cdk synth` leaves it (CP-288).
    Cdk,
    /// Output of `aws cloudfront get-distribution-config` and its like.
    AwsJson,
    /// `fourfront.yaml`.
    Fourfront,
}

/// The template in `.serverless/`.
pub(crate) const PACKAGED: &str = "cloudformation-template-update-stack.json";

/// Service files, as the framework looks for them.
const SERVICES: &[&str] = &["serverless.yml", "serverless.yaml", "serverless.json"];
/// Service files that are code.
const CODE: &[&str] = &[
    "serverless.ts",
    "serverless.js",
    "serverless.cjs",
    "serverless.mjs",
];
const TEMPLATES: &[&str] = &["template.yaml", "template.yml", "template.json"];
const SITES: &[&str] = &["fourfront.yaml", "fourfront.yml"];

/// Most files that are looked at to tell whether `.serverless/` is newer than the project.
const MAX_LOOKED_AT: usize = 20_000;

/// Says what `path`, a file or a directory, is (CP-300).
///
/// # Errors
///
/// Nothing recognisable, or something that only running it would tell (CP-306).
pub fn detect(path: &Path) -> Result<SourceKind, ImportErrors> {
    let report = Report::default();
    find(path, &report)
        .map(|(kind, _)| kind)
        .ok_or_else(|| ImportErrors::new(report.take().0))
}

/// The kind, and the file or directory that its reader begins with. A `None` was reported.
pub(crate) fn find(path: &Path, report: &Report) -> Option<(SourceKind, PathBuf)> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => in_directory(path, report),
        Ok(_) => in_file(path, report),
        Err(error) => {
            files::fault(report, path, format!("cannot be read: {error}"), None);
            None
        }
    }
}

fn in_directory(path: &Path, report: &Report) -> Option<(SourceKind, PathBuf)> {
    let first = |names: &[&str]| names.iter().map(|n| path.join(n)).find(|p| p.is_file());
    let assembly = |p: &Path| p.join("manifest.json").is_file() && p.join("cdk.out").is_file();
    if path.join(PACKAGED).is_file() {
        return Some((SourceKind::ServerlessPackage, path.to_owned()));
    }
    if assembly(path) {
        return Some((SourceKind::Cdk, path.to_owned()));
    }
    let service = first(SERVICES).or_else(|| first(CODE));
    if let (Some(service), Some(site)) = (&service, first(SITES)) {
        let message = format!(
            "holds both {} and {}",
            service.file_name().unwrap_or_default().display(),
            site.file_name().unwrap_or_default().display()
        );
        files::fault(report, path, message, Some("name one of them".to_owned()));
        return None;
    }
    if let Some(service) = service {
        return in_file(&service, report);
    }
    let out = path.join("cdk.out");
    if assembly(&out) {
        return Some((SourceKind::Cdk, out));
    }
    if path.join("cdk.json").is_file() {
        let help = "run `cdk synth` first: nothing of a project is executed here";
        files::fault(
            report,
            path,
            "is a CDK app without `cdk.out/`",
            Some(help.to_owned()),
        );
        return None;
    }
    // A function is a directory there, with its dependencies.
    let built = TEMPLATES
        .iter()
        .map(|n| path.join(".aws-sam/build").join(n));
    let built = built.into_iter().find(|p| p.is_file());
    if let Some(template) = built.or_else(|| first(TEMPLATES)) {
        return in_file(&template, report);
    }
    if let Some(site) = first(SITES) {
        return Some((SourceKind::Fourfront, site));
    }
    let json = fs::read_dir(path).into_iter().flatten().flatten();
    if json
        .map(|e| e.path())
        .any(|p| p.extension().is_some_and(|e| e == "json"))
    {
        return Some((SourceKind::AwsJson, path.to_owned()));
    }
    let help = "known are serverless.yml, .serverless/, template.yaml, cdk.out/, fourfront.yaml and the JSON of \
                `aws cloudfront get-distribution-config`";
    files::fault(
        report,
        path,
        "holds nothing that can be deployed",
        Some(help.to_owned()),
    );
    None
}

fn in_file(path: &Path, report: &Report) -> Option<(SourceKind, PathBuf)> {
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    let directory = files::directory(path);
    if SERVICES.contains(&name) || CODE.contains(&name) {
        let packaged = directory.join(".serverless");
        if is_newer(&packaged.join(PACKAGED), &directory) {
            return Some((SourceKind::ServerlessPackage, packaged));
        }
    }
    if CODE.contains(&name)
        || matches!(path.extension().and_then(|e| e.to_str()), Some("ts" | "js"))
    {
        let help = "run `serverless package` and deploy `.serverless/`: nothing of a project is executed here";
        files::fault(report, path, "is code", Some(help.to_owned()));
        return None;
    }
    if name == "manifest.json" && directory.join("cdk.out").is_file() {
        return Some((SourceKind::Cdk, directory));
    }
    if name == PACKAGED {
        return Some((SourceKind::ServerlessPackage, directory));
    }
    let root = files::load(report, path)?;
    let has = |key: &str| root.get(key).is_some();
    let kind = if SERVICES.contains(&name)
        || has("service") && (has("provider") || has("functions"))
    {
        SourceKind::Serverless
    } else if has("Resources") {
        if is_sam(&root) {
            SourceKind::Sam
        } else {
            SourceKind::CloudFormation
        }
    } else if has("distributions") || SITES.contains(&name) {
        SourceKind::Fourfront
    } else if crate::aws_json::recognises(&root) {
        SourceKind::AwsJson
    } else {
        let help = "a template has `Resources`, a service `service` and `provider`, an answer of the AWS CLI \
                    `DistributionConfig`";
        files::fault(
            report,
            path,
            "nothing here says what it is",
            Some(help.to_owned()),
        );
        return None;
    };
    Some((kind, path.to_owned()))
}

pub(crate) fn is_sam(root: &Node) -> bool {
    let transform = root.get("Transform");
    let named = transform.is_some_and(|t| {
        t.scalar() == Some(sam::TRANSFORM)
            || t.items().iter().any(|i| i.scalar() == Some(sam::TRANSFORM))
    });
    named
        || root.get("Resources").into_iter().flat_map(Node::entries).any(|e| {
            let kind = e.value.get("Type").map(|t| &t.kind);
            matches!(kind, Some(Kind::Text(t) | Kind::Plain(t)) if t.starts_with("AWS::Serverless::"))
        })
}

/// Whether a packaged template is newer than all of the project's own files (CP-342): an older one holds older code.
fn is_newer(template: &Path, project: &Path) -> bool {
    let modified = |p: &Path| fs::metadata(p).and_then(|m| m.modified()).ok();
    let Some(packaged) = modified(template) else {
        return false;
    };
    let skipped = |name: &str| matches!(name, ".serverless" | "node_modules" | ".git");
    let files = WalkDir::new(project)
        .into_iter()
        .filter_entry(|e| !e.file_name().to_str().is_some_and(skipped))
        .flatten()
        .filter(|e| e.file_type().is_file());
    let mut newest = SystemTime::UNIX_EPOCH;
    for (n, entry) in files.enumerate() {
        if n >= MAX_LOOKED_AT {
            return false;
        }
        if let Some(time) = modified(entry.path()) {
            newest = newest.max(time);
        }
    }
    packaged >= newest
}
