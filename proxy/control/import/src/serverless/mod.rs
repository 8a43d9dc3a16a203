//! serverless.yml read directly (CP-330 to CP-341), and what `serverless package` leaves (CP-342).
//!
//! A service is compiled to the template that the framework itself would make of it, as far as edge functions and distributions
//! are concerned; CloudFormation's reader does the rest.

mod dialects;
mod events;
mod package;
mod variables;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    Options, Plan,
    cloudformation::{Artifacts, Stack, World, read_stacks},
    detect::PACKAGED,
    files,
    place::{At, NoteKind, Report, key_path},
    plan::Planned,
    set,
    tree::{Kind, Node},
};
use variables::Variables;

/// Plugins that make other code than what is written (CP-342).
const REWRITE: &[&str] = &[
    "esbuild",
    "webpack",
    "typescript",
    "bundle",
    "babel",
    "rollup",
    "parcel",
];

/// A service with its variables resolved.
pub(crate) struct Service<'a> {
    pub(crate) report: &'a Report,
    pub(crate) options: &'a Options,
    pub(crate) root: Node,
    /// The service file.
    pub(crate) file: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) name: String,
    pub(crate) stage: String,
    pub(crate) region: String,
}

/// Reads a service file. A `None` was reported.
pub(crate) fn read(file: &Path, options: &Options, report: &Report) -> Option<Plan> {
    let mut raw = files::load(report, file)?;
    let mut used = BTreeSet::new();
    set::apply(&mut raw, &options.set, &mut used, report);
    let directory = files::directory(file);
    let (root, stage, region) = resolve(&raw, &directory, options, report)?;
    let service = root.get("service");
    // `service: {name: x}` is an older spelling.
    let named = service.and_then(|s| s.scalar().or_else(|| s.get("name")?.scalar()));
    let Some(name) = named.map(str::to_owned) else {
        report.error(root.at, "service", "a service has a name");
        return None;
    };
    let service = Service {
        report,
        options,
        root,
        file: file.to_owned(),
        directory,
        name,
        stage,
        region,
    };
    service.check_plugins();
    service.check_provider();
    if report.failed() {
        return None;
    }
    let mut artifacts = Artifacts::default();
    let (mut template, attachments) = service.compile(&mut artifacts);
    set::apply(&mut template, &options.set, &mut used, report);
    set::unused(&options.set, &used, report);
    if report.failed() {
        return None;
    }
    let name = options
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", service.name, service.stage));
    let stack = Stack {
        name: name.clone(),
        prefix: String::new(),
        region: service.region.clone(),
        account: options.account(),
        root: template,
        artifacts,
    };
    let world = World::new(report, options, vec![stack]);
    let mut plan = read_stacks(&world, name);
    for attachment in attachments {
        if let Some(function) = plan
            .functions
            .iter_mut()
            .find(|f| f.id == attachment.function)
        {
            function.item.edge = true;
        }
        plan.attachments.push(Planned {
            id: attachment.id,
            place: report.place(attachment.at),
            retain: false,
            item: attachment.item,
        });
    }
    Some(plan)
}

/// The file with its variables resolved, its stage and its region.
fn resolve(
    raw: &Node,
    directory: &Path,
    options: &Options,
    report: &Report,
) -> Option<(Node, String, String)> {
    let mut variables = Variables::new(raw, directory.to_owned(), options, report);
    let early = |variables: &Variables<'_>, key: &str| {
        let path = format!("provider.{key}");
        let node = raw.find(&["provider", key])?;
        variables.resolve(node, &path).scalar().map(str::to_owned)
    };
    let stage = match &options.stage {
        Some(stage) => stage.clone(),
        None => early(&variables, "stage").unwrap_or_else(|| "dev".to_owned()),
    };
    variables.stage = Some(stage.clone());
    let region = match &options.region {
        Some(region) => region.clone(),
        None => early(&variables, "region").unwrap_or_else(|| "us-east-1".to_owned()),
    };
    variables.region.clone_from(&region);
    // Parameters of other stages may speak of what this one does not have.
    let mut read = raw.clone();
    read.remove("params");
    let root = variables.resolve(&read, "");
    (!report.failed()).then_some((root, stage, region))
}

impl Service<'_> {
    fn check_plugins(&self) {
        let plugins = self.root.get("plugins");
        let listed = plugins.and_then(|p| p.get("modules")).or(plugins);
        let named = listed.into_iter().flat_map(Node::items);
        // The framework bundles by itself from version 4 on.
        for plugin in named {
            let Some(name) = plugin.scalar() else {
                continue;
            };
            if REWRITE.iter().any(|r| name.contains(r)) {
                let message = format!("`{name}` makes other code than what is written here");
                let help = "run `serverless package` and deploy `.serverless/`";
                self.report
                    .error_help(plugin.at, "plugins", message, Some(help.to_owned()));
            }
        }
        if let Some(build) = self.root.get("build")
            && build
                .get("esbuild")
                .is_some_and(|e| e.flag() != Some(false))
        {
            let help = "run `serverless package` and deploy `.serverless/`";
            let message = "the framework makes other code than what is written here";
            self.report
                .error_help(build.at, "build", message, Some(help.to_owned()));
        }
    }

    fn check_provider(&self) {
        let Some(provider) = self.root.get("provider") else {
            self.report
                .error(self.root.at, "provider", "a service has a provider");
            return;
        };
        // `provider: aws` is a short spelling.
        let name = provider.scalar().or_else(|| provider.get("name")?.scalar());
        if name != Some("aws") {
            let message = format!("expected `aws`, found `{}`", name.unwrap_or("nothing"));
            self.report.error(provider.at, "provider.name", message);
        }
        if self.region != "us-east-1"
            && let Some(region) = provider.entry("region")
        {
            let text = format!(
                "the framework takes CloudFront events in us-east-1 alone, here is {}",
                self.region
            );
            self.report.warn(region.at, "provider.region", text);
        }
    }

    pub(crate) fn provider(&self, key: &str) -> Option<&Node> {
        self.root.find(&["provider", key])
    }

    /// The functions by key; `functions` may be a list of mappings.
    pub(crate) fn functions(&self) -> Vec<(&str, At, &Node)> {
        let Some(functions) = self.root.get("functions") else {
            return Vec::new();
        };
        [functions]
            .into_iter()
            .chain(functions.items())
            .flat_map(Node::entries)
            .filter(|e| !e.value.is_null())
            .map(|e| (e.key.as_str(), e.at, &e.value))
            .collect()
    }

    /// The template, with the user's own resources merged in (CP-337).
    fn compile(&self, artifacts: &mut Artifacts) -> (Node, Vec<dialects::Attached>) {
        let top = self.root.at;
        let mut resources = Node::map(top, []);
        for (key, at, function) in self.functions() {
            self.function(key, at, function, &mut resources, artifacts);
        }
        self.compile_events(&mut resources);
        let mut template = Node::map(top, [("Resources", resources)]);
        if let Some(own) = self.root.get("resources") {
            let all = [own].into_iter().chain(own.items());
            for part in all.filter(|n| matches!(n.kind, Kind::Map(_))) {
                for section in [
                    "Resources",
                    "Outputs",
                    "Conditions",
                    "Parameters",
                    "Mappings",
                ] {
                    if let Some(node) = part.get(section) {
                        let mut merged = template
                            .get(section)
                            .cloned()
                            .unwrap_or_else(|| Node::map(node.at, []));
                        merged.merge(node.clone());
                        template.set(section, merged);
                    }
                }
                // Changes to what the framework makes, property by property.
                for change in part.get("extensions").into_iter().flat_map(Node::entries) {
                    match template
                        .get_mut("Resources")
                        .and_then(|r| r.get_mut(&change.key))
                    {
                        Some(resource) => resource.merge(change.value.clone()),
                        None => {
                            let path = format!("resources.extensions.{}", change.key);
                            let text = "extends a resource that is not made here";
                            self.report.warn(change.at, &path, text);
                        }
                    }
                }
            }
        }
        let attachments = self.compile_dialects(&mut template);
        (template, attachments)
    }

    /// One function (CP-331), with a version if CloudFront calls it.
    fn function(
        &self,
        key: &str,
        at: At,
        function: &Node,
        resources: &mut Node,
        artifacts: &mut Artifacts,
    ) {
        let path = format!("functions.{key}");
        let report = self.report;
        if function.get("image").is_some() {
            report.note(
                NoteKind::Ignored,
                at,
                &path,
                "functions of container images do not run at the edge",
            );
            return;
        }
        let edge = events::is_edge(function) || dialects::is_edge(function);
        let mut properties = Node::map(at, []);
        let name = function.get("name").cloned();
        let name =
            name.unwrap_or_else(|| Node::text(at, format!("{}-{}-{key}", self.name, self.stage)));
        properties.set("FunctionName", name);
        let own = |key: &str| function.get(key).or_else(|| self.provider(key));
        for (from, to) in [
            ("runtime", "Runtime"),
            ("memorySize", "MemorySize"),
            ("timeout", "Timeout"),
            ("layers", "Layers"),
        ] {
            if let Some(value) = own(from) {
                properties.set(to, value.clone());
            }
        }
        if edge {
            // As the framework sets them where nobody does (CP-331).
            for (property, default) in [("MemorySize", "128"), ("Timeout", "5")] {
                if properties.get(property).is_none() {
                    properties.set(property, Node::plain(at, default));
                }
            }
        }
        for (from, to) in [("handler", "Handler"), ("description", "Description")] {
            if let Some(value) = function.get(from) {
                properties.set(to, value.clone());
            }
        }
        if let Some(architecture) = own("architecture") {
            properties.set("Architectures", Node::seq(at, vec![architecture.clone()]));
        }
        let mut tags = self
            .provider("tags")
            .cloned()
            .unwrap_or_else(|| Node::map(at, []));
        if let Some(own) = function.get("tags") {
            tags.merge(own.clone());
        }
        if !tags.entries().is_empty() {
            properties.set("Tags", tags);
        }
        if !edge || self.options.keep_env {
            let mut variables = self
                .provider("environment")
                .cloned()
                .unwrap_or_else(|| Node::map(at, []));
            if let Some(own) = function.get("environment") {
                variables.merge(own.clone());
            }
            if !variables.entries().is_empty() {
                properties.set("Environment", Node::map(at, [("Variables", variables)]));
            }
            if let Some(vpc) = own("vpc") {
                properties.set("VpcConfig", vpc.clone());
            }
        } else if let Some(dropped) = function.entry("environment") {
            let path = key_path(&path, "environment");
            let text = "left out, as the framework does for functions with CloudFront events; `--keep-env` keeps it";
            report.warn(dropped.at, &path, text);
        }
        let id = logical(key, "LambdaFunction");
        if let Some(artifact) = self.artifact(key, at, function, edge) {
            artifacts.functions.insert(id.clone(), artifact);
        }
        let mut resource = Node::map(
            at,
            [
                ("Type", Node::text(at, "AWS::Lambda::Function")),
                ("Properties", properties),
            ],
        );
        if edge {
            resource.set("DeletionPolicy", Node::text(at, "Retain"));
        }
        resources.set(&id, resource);
        if edge {
            let of = Node::map(at, [("Ref", Node::text(at, id.clone()))]);
            let version = Node::map(
                at,
                [
                    ("Type", Node::text(at, "AWS::Lambda::Version")),
                    ("DeletionPolicy", Node::text(at, "Retain")),
                    ("Properties", Node::map(at, [("FunctionName", of)])),
                ],
            );
            resources.set(&logical(key, "LambdaVersion"), version);
        }
        for event in function.get("events").into_iter().flat_map(Node::items) {
            let kind = event
                .entries()
                .first()
                .map(|e| e.key.as_str())
                .or_else(|| event.scalar());
            if let Some(kind) =
                kind.filter(|k| !matches!(*k, "cloudFront" | "preExistingCloudFront"))
            {
                let text = format!("an event `{kind}` means nothing here");
                report.note(
                    NoteKind::Ignored,
                    event.at,
                    &key_path(&path, "events"),
                    text,
                );
            }
        }
    }
}

/// Logical ids as the framework makes them: `my-fn` is `MyDashfn`.
pub(crate) fn logical(key: &str, suffix: &str) -> String {
    format!("{}{suffix}", normal(key))
}

pub(crate) fn normal(key: &str) -> String {
    let key = key.replace('-', "Dash").replace('_', "Underscore");
    let mut letters = key.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Reads `.serverless/` (CP-342): full fidelity, whatever plugins there are.
pub(crate) fn read_package(directory: &Path, options: &Options, report: &Report) -> Option<Plan> {
    let mut root = files::load(report, &directory.join(PACKAGED))?;
    let mut used = BTreeSet::new();
    set::apply(&mut root, &options.set, &mut used, report);
    set::unused(&options.set, &used, report);
    let mut artifacts = Artifacts::default();
    let state_file = directory.join("serverless-state.json");
    let state = match state_file.is_file() {
        true => files::load(report, &state_file),
        false => None,
    };
    let service = state.as_ref().and_then(|s| s.get("service"));
    // Zips that were made elsewhere keep their place, and their name in the key.
    if let Some(service) = service {
        let project = directory.join("..");
        let functions = service.get("functions").into_iter().flat_map(Node::entries);
        let packages = functions
            .filter_map(|f| f.value.get("package"))
            .chain(service.get("package"));
        for artifact in packages.filter_map(|p| p.get("artifact")?.scalar()) {
            let path = project.join(artifact);
            if let (Some(name), true) = (path.file_name().and_then(|n| n.to_str()), path.is_file())
            {
                let name = name.to_owned();
                artifacts
                    .objects
                    .insert(name, crate::Artifact::Zip { path });
            }
        }
    }
    artifacts.objects.extend(files::zips(directory));
    let name = options.name.clone().or_else(|| {
        let name = service?.get("service")?.scalar()?;
        let stage = service?
            .find(&["provider", "stage"])
            .and_then(Node::scalar)
            .unwrap_or("dev");
        Some(format!("{name}-{stage}"))
    });
    let name = name.unwrap_or_else(|| files::directory_name(&directory.join("..")));
    let region = options.region.clone().or_else(|| {
        let region = service?.find(&["provider", "region"])?.scalar()?;
        Some(region.to_owned())
    });
    let stack = Stack {
        name: name.clone(),
        prefix: String::new(),
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        account: options.account(),
        root,
        artifacts,
    };
    let world = World::new(report, options, vec![stack]);
    let plan = read_stacks(&world, name);
    for function in plan.functions.iter().filter(|f| f.item.edge) {
        if let crate::Artifact::S3 { key, .. } = &function.item.code {
            let base = key.rsplit('/').next().unwrap_or(key);
            let message = format!("`{base}`, the code of {}, is not there", function.item.name);
            let help = Some("run `serverless package` again".to_owned());
            files::fault(report, directory, message, help);
        }
    }
    Some(plan)
}
