//! SAM's functions as CloudFormation's (CP-360), and plain templates with code on this disk.

use std::path::Path;

use crate::{
    Options, Plan,
    cloudformation::{Artifacts, Stack, World, read_stacks},
    detect::is_sam,
    files,
    parse::nearest,
    place::{NoteKind, Report},
    set,
    tree::{Entry, Kind, Node},
};

pub(crate) const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// Reads one template. A `None` was reported.
pub(crate) fn read(file: &Path, options: &Options, report: &Report) -> Option<Plan> {
    let mut root = files::load(report, file)?;
    let mut used = Default::default();
    set::apply(&mut root, &options.set, &mut used, report);
    set::unused(&options.set, &used, report);
    let base = files::directory(file);
    let mut artifacts = Artifacts::default();
    if is_sam(&root) {
        transform(&mut root, &base, &mut artifacts, report);
    }
    local_code(&root, &base, &mut artifacts, report);
    let name = options.name.clone().unwrap_or_else(|| {
        // `.aws-sam/build` is nobody's name.
        let project = match base.ends_with(".aws-sam/build") {
            true => base.join("../.."),
            false => base.clone(),
        };
        files::directory_name(&project)
    });
    let stack = Stack {
        name: name.clone(),
        prefix: String::new(),
        region: options
            .region
            .clone()
            .unwrap_or_else(|| "us-east-1".to_owned()),
        account: options.account(),
        root,
        artifacts,
    };
    let world = World::new(report, options, vec![stack]);
    Some(read_stacks(&world, name))
}

/// `Code: ./dir`, as templates have it before `aws cloudformation package`.
fn local_code(root: &Node, base: &Path, artifacts: &mut Artifacts, report: &Report) {
    for entry in root.get("Resources").into_iter().flat_map(Node::entries) {
        if entry.value.get("Type").and_then(Node::scalar) != Some("AWS::Lambda::Function") {
            continue;
        }
        let Some(code) = entry.value.find(&["Properties", "Code"]) else {
            continue;
        };
        if let Some(written) = code.scalar() {
            let path = format!("Resources.{}.Properties.Code", entry.key);
            if let Some(artifact) = files::local_code(report, base, written, code.at, &path) {
                artifacts.functions.insert(entry.key.clone(), artifact);
            }
        }
    }
}

/// Properties that mean the same in Lambda.
const KEPT: &[&str] = &[
    "Architectures",
    "Description",
    "Environment",
    "FunctionName",
    "Handler",
    "Layers",
    "MemorySize",
    "Role",
    "Runtime",
    "Tags",
    "Timeout",
    "VpcConfig",
];

/// Properties that are read here, or say nothing where functions run at the edge.
const SAM_ONLY: &[&str] = &[
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CodeSigningConfigArn",
    "CodeUri",
    "DeadLetterQueue",
    "DeploymentPreference",
    "EphemeralStorage",
    "EventInvokeConfig",
    "Events",
    "FileSystemConfigs",
    "FunctionUrlConfig",
    "ImageConfig",
    "InlineCode",
    "KmsKeyArn",
    "LoggingConfig",
    "PackageType",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "RolePath",
    "RuntimeManagementConfig",
    "SnapStart",
    "SourceKMSKeyArn",
    "Tracing",
    "VersionDeletionPolicy",
    "VersionDescription",
];

fn transform(root: &mut Node, base: &Path, artifacts: &mut Artifacts, report: &Report) {
    let globals = root.find(&["Globals", "Function"]).cloned();
    let Some(resources) = root.get_mut("Resources") else {
        return;
    };
    let Kind::Map(entries) = &mut resources.kind else {
        return;
    };
    let mut made = Vec::new();
    let mut renamed = Vec::new();
    for entry in entries.iter_mut() {
        let kind = entry
            .value
            .get("Type")
            .and_then(Node::scalar)
            .unwrap_or_default();
        if kind != "AWS::Serverless::Function" {
            continue;
        }
        let id = entry.key.clone();
        let path = format!("Resources.{id}.Properties");
        let at = entry.at;
        let mut properties = globals.clone().unwrap_or_else(|| Node::map(at, []));
        if let Some(own) = entry.value.get("Properties") {
            overlay(&mut properties, own.clone());
        }
        let mut lambda = Node::map(at, []);
        for property in properties.entries() {
            let key = property.key.as_str();
            if KEPT.contains(&key) {
                lambda.set(key, property.value.clone());
            } else if !SAM_ONLY.contains(&key) {
                let known = KEPT.iter().chain(SAM_ONLY).copied();
                let help = nearest(key, known).map(|n| format!("did you mean `{n}`?"));
                let path = format!("{path}.{key}");
                report.lenient(property.at, &path, "unknown property, left out", help);
            }
        }
        for event in properties.get("Events").into_iter().flat_map(Node::entries) {
            let kind = event
                .value
                .get("Type")
                .and_then(Node::scalar)
                .unwrap_or("?");
            let path = format!("{path}.Events.{}", event.key);
            let text = format!("an event of type {kind} means nothing here");
            report.note(NoteKind::Ignored, event.at, &path, text);
        }
        code(&id, &properties, &mut lambda, at, base, artifacts, report);
        if let Some(alias) = properties.get("AutoPublishAlias") {
            let version = format!("{id}Version");
            let name = alias.scalar().unwrap_or_default();
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let alias_id = format!("{id}Alias{name}");
            let function = || Node::map(at, [("Ref", Node::text(at, id.clone()))]);
            let mut of_version = Node::map(at, [("FunctionName", function())]);
            if let Some(text) = properties.get("VersionDescription") {
                of_version.set("Description", text.clone());
            }
            let number = vec![Node::text(at, version.clone()), Node::text(at, "Version")];
            let of_alias = Node::map(
                alias.at,
                [
                    ("Name", alias.clone()),
                    ("FunctionName", function()),
                    (
                        "FunctionVersion",
                        Node::map(at, [("Fn::GetAtt", Node::seq(at, number))]),
                    ),
                ],
            );
            for (key, kind, properties) in [
                (&version, "AWS::Lambda::Version", of_version),
                (&alias_id, "AWS::Lambda::Alias", of_alias),
            ] {
                let mut resource = Node::map(
                    at,
                    [("Type", Node::text(at, kind)), ("Properties", properties)],
                );
                if let Some(condition) = entry.value.get("Condition") {
                    resource.set("Condition", condition.clone());
                }
                if kind == "AWS::Lambda::Version" {
                    resource.set("DeletionPolicy", Node::text(at, "Retain"));
                }
                made.push(Entry {
                    key: key.clone(),
                    at,
                    value: resource,
                });
            }
            renamed.push((format!("{id}.Version"), version));
            renamed.push((format!("{id}.Alias"), alias_id));
        }
        entry
            .value
            .set("Type", Node::text(at, "AWS::Lambda::Function"));
        entry.value.set("Properties", lambda);
    }
    entries.extend(made);
    rename(root, &renamed);
}

/// SAM's merge of globals: mappings key by key, lists one after the other, everything else replaced.
fn overlay(under: &mut Node, over: Node) {
    match (&mut under.kind, over.kind) {
        // An intrinsic is a value and no mapping.
        (Kind::Map(mine), Kind::Map(entries)) if !is_call(mine) && !is_call(&entries) => {
            for entry in entries {
                match under.get_mut(&entry.key) {
                    Some(value) => overlay(value, entry.value),
                    None => under.push(entry),
                }
            }
        }
        (Kind::Seq(mine), Kind::Seq(items)) => mine.extend(items),
        (_, kind) => {
            under.kind = kind;
            under.at = over.at;
        }
    }
}

fn is_call(entries: &[Entry]) -> bool {
    matches!(entries, [only] if only.key == "Ref" || only.key.starts_with("Fn::"))
}

fn code(
    id: &str,
    properties: &Node,
    lambda: &mut Node,
    at: crate::place::At,
    base: &Path,
    artifacts: &mut Artifacts,
    report: &Report,
) {
    let path = format!("Resources.{id}.Properties");
    if let Some(inline) = properties.get("InlineCode") {
        lambda.set("Code", Node::map(inline.at, [("ZipFile", inline.clone())]));
        return;
    }
    let Some(uri) = properties.get("CodeUri") else {
        report.error(at, &path, "a function has `CodeUri` or `InlineCode`");
        return;
    };
    if let Some(written) = uri.scalar() {
        let path = format!("{path}.CodeUri");
        // After a failure the function still has code of a kind, so that nothing more is said of it.
        let artifact =
            files::local_code(report, base, written, uri.at, &path).unwrap_or_else(|| {
                crate::Artifact::File {
                    path: base.join(written),
                }
            });
        artifacts.functions.insert(id.to_owned(), artifact);
        return;
    }
    let mut code = Node::map(uri.at, []);
    for (sam, lambda) in [
        ("Bucket", "S3Bucket"),
        ("Key", "S3Key"),
        ("Version", "S3ObjectVersion"),
    ] {
        if let Some(value) = uri.get(sam) {
            code.set(lambda, value.clone());
        }
    }
    lambda.set("Code", code);
}

/// `Ref: X.Version` and `${X.Version}` as the resources they stand for.
fn rename(node: &mut Node, names: &[(String, String)]) {
    match &mut node.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|i| rename(i, names)),
        Kind::Map(entries) => {
            for entry in entries {
                let new = match (entry.key.as_str(), entry.value.scalar()) {
                    ("Ref", Some(text)) => names.iter().find(|n| n.0 == text).map(|n| n.1.clone()),
                    ("Fn::Sub", Some(text)) => replaced(text, names),
                    _ => None,
                };
                match new {
                    Some(new) => entry.value.kind = Kind::Text(new),
                    None => {
                        if let ("Fn::Sub", Kind::Seq(items)) =
                            (entry.key.as_str(), &mut entry.value.kind)
                            && let Some(first) = items.first_mut()
                            && let Some(new) = first.scalar().and_then(|t| replaced(t, names))
                        {
                            first.kind = Kind::Text(new);
                        }
                        rename(&mut entry.value, names);
                    }
                }
            }
        }
        _ => {}
    }
}

fn replaced(text: &str, names: &[(String, String)]) -> Option<String> {
    let mut new = text.to_owned();
    for (from, to) in names {
        new = new.replace(&format!("${{{from}}}"), &format!("${{{to}}}"));
    }
    (new != text).then_some(new)
}
