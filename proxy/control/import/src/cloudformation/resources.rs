//! Resources to the entries of a plan (section 7.3 of the control plane's rules).

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Resource, World,
    convert::{loose, report_unresolved, to_api},
    values::{CDK_READER, DOCUMENTS, is_ignored},
};
use crate::{
    artifact::Artifact,
    parse::nearest,
    place::{NoteKind, key_path},
    plan::{
        Alias, Bucket, Certificate, CloudFrontFunction, Document, Function, Permission, Plan,
        Planned, RefKind, Store, Target, Version, references,
    },
    tree::{Kind, Node},
};

/// Reads all stacks into one plan.
pub(crate) fn read_stacks(world: &World<'_>, name: String) -> Plan {
    let mut reader = Reader {
        world,
        plan: Plan {
            stack: name,
            ..Plan::default()
        },
        refused: HashMap::new(),
    };
    for stack in 0..world.stacks.len() {
        reader.stack(stack);
    }
    reader.mark_edge();
    reader.check_digests();
    reader.plan
}

struct Reader<'a> {
    world: &'a World<'a>,
    plan: Plan,
    /// Functions with properties that Lambda@Edge refuses, by id: place, path and property.
    refused: HashMap<String, (crate::place::At, String)>,
}

/// A resource being read.
#[derive(Clone, Copy)]
struct Here<'a> {
    stack: usize,
    resource: Resource<'a>,
}

impl Here<'_> {
    fn path(self, property: &str) -> String {
        format!("Resources.{}.Properties.{property}", self.resource.id())
    }
}

impl<'a> Reader<'a> {
    fn stack(&mut self, index: usize) {
        let world = self.world;
        let Some(stack) = world.stacks.get(index) else {
            return;
        };
        self.sections(&stack.root);
        let resources = stack.root.get("Resources");
        if !resources.is_some_and(|r| matches!(r.kind, Kind::Map(_))) {
            let message = "a template has a mapping `Resources`";
            world.report.error(stack.root.at, "Resources", message);
        }
        for entry in resources.into_iter().flat_map(Node::entries) {
            let resource = Resource { entry };
            let path = format!("Resources.{}", resource.id());
            if resource.id().starts_with("Fn::") {
                let message = format!("`{}` is not supported", resource.id());
                world.report.error(entry.at, &path, message);
                continue;
            }
            match world.exists(index, resource, 0) {
                Ok(true) => self.resource(Here {
                    stack: index,
                    resource,
                }),
                Ok(false) => {}
                Err(why) => {
                    let path = key_path(&path, "Condition");
                    report_unresolved(world.report, entry.at, &path, &why);
                }
            }
        }
    }

    /// Sections of a template that ask for what is not done here.
    fn sections(&self, root: &Node) {
        let report = self.world.report;
        if let Some(transform) = root.entry("Transform") {
            let names: Vec<&str> = transform
                .value
                .scalar()
                .into_iter()
                .chain(transform.value.items().iter().filter_map(Node::scalar))
                .collect();
            for name in names {
                if name != crate::sam::TRANSFORM {
                    let message = format!("the transform `{name}` is not run");
                    report.lenient(transform.at, "Transform", message, None);
                }
            }
        }
    }

    fn resource(&mut self, here: Here<'a>) {
        let resource = here.resource;
        let (id, kind) = (resource.id(), resource.kind());
        let path = format!("Resources.{id}");
        let report = self.world.report;
        // CDK's own helper: what it would look up is read from the other template (CP-363).
        if id.starts_with(CDK_READER) {
            return;
        }
        match kind {
            "" => report.error(resource.at(), &path, "a resource has a `Type`"),
            "AWS::Lambda::Function" => self.function(here),
            "AWS::Lambda::Version" => self.version(here),
            "AWS::Lambda::Alias" => self.alias(here),
            "AWS::Lambda::Permission" => self.permission(here),
            "AWS::CloudFront::Function" => self.cloudfront_function(here),
            "AWS::CloudFront::KeyValueStore" => self.store(here),
            "AWS::S3::Bucket" => self.bucket(here),
            "AWS::CertificateManager::Certificate" => self.certificate(here),
            // Read where something refers to them.
            "AWS::IAM::Role"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::IAM::Policy"
            | "AWS::SSM::Parameter"
            | "Custom::CrossRegionStringParameterReader"
            | "AWS::CDK::Metadata" => {}
            _ => match DOCUMENTS.iter().find(|d| d.0 == kind) {
                Some((_, property, structure, of)) => self.document(here, property, structure, *of),
                None => {
                    let known = DOCUMENTS.iter().map(|d| d.0).chain([
                        "AWS::Lambda::Function",
                        "AWS::Lambda::Version",
                        "AWS::CloudFront::Function",
                        "AWS::CloudFront::KeyValueStore",
                    ]);
                    // A slip in a name that matters is not just another type.
                    let near = (kind.starts_with("AWS::CloudFront::")
                        || kind.starts_with("AWS::Lambda::"))
                    .then(|| nearest(kind, known).filter(|n| close(n, kind)))
                    .flatten()
                    .filter(|_| !is_ignored(kind));
                    let near = near
                        .map(|n| format!(" (did you mean {n}?)"))
                        .unwrap_or_default();
                    let text = format!("{kind} means nothing here{near}");
                    report.note(NoteKind::Ignored, resource.at(), &path, text);
                }
            },
        }
    }

    fn get(&self, here: Here<'_>, property: &str) -> Option<Node> {
        let node = self
            .world
            .property(here.stack, here.resource, property, 0)?;
        if let Kind::Unresolved(why) = &node.kind {
            report_unresolved(self.world.report, node.at, &here.path(property), why);
            return None;
        }
        Some(node)
    }

    /// A text that has to be known before anything is created.
    fn text(&self, here: Here<'_>, property: &str) -> Option<String> {
        let node = self.get(here, property)?;
        match (node.scalar(), &node.kind) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Kind::Ref(reference)) if self.world.known(reference, 0).is_some() => {
                self.world.known(reference, 0)
            }
            (None, Kind::Ref(_) | Kind::Parts(_)) => {
                let path = here.path(property);
                let message = "has to be known before anything is created";
                let help = Some(format!("give it with `--set {path}=VALUE`"));
                self.world.report.error_help(node.at, &path, message, help);
                None
            }
            _ => {
                let message = format!("expected a text, found {}", node.what());
                self.world
                    .report
                    .error(node.at, &here.path(property), message);
                None
            }
        }
    }

    fn required(&self, here: Here<'_>, property: &str) -> String {
        if here.resource.property(property).is_none() {
            let message = format!("{} has to have it", here.resource.kind());
            let at = here.resource.at();
            self.world.report.error(at, &here.path(property), message);
        }
        self.text(here, property).unwrap_or_default()
    }

    fn number(&self, here: Here<'_>, property: &str) -> Option<u64> {
        let text = self.text(here, property)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            let at = here
                .resource
                .property(property)
                .map_or_else(|| here.resource.at(), |n| n.at);
            let message = format!("expected a whole number, found `{text}`");
            self.world.report.error(at, &here.path(property), message);
        }
        number
    }

    fn value(&self, here: Here<'_>, property: &str) -> Option<Value> {
        let node = self.get(here, property)?;
        Some(loose(self.world.report, &node, &here.path(property)))
    }

    /// `[{Key, Value}]` or a mapping, as SAM writes it.
    fn tags(&self, here: Here<'_>) -> BTreeMap<String, String> {
        let Some(node) = self.get(here, "Tags") else {
            return BTreeMap::new();
        };
        let pair = |key: &Node, value: Option<&Node>| {
            let value = value.and_then(Node::scalar).unwrap_or_default();
            key.scalar().map(|k| (k.to_owned(), value.to_owned()))
        };
        let listed = node
            .items()
            .iter()
            .filter_map(|tag| pair(tag.get("Key")?, tag.get("Value")));
        let mapped = node
            .entries()
            .iter()
            .filter_map(|e| pair(&Node::text(e.at, e.key.clone()), Some(&e.value)));
        listed.chain(mapped).collect()
    }

    /// Says which properties nobody reads (CP-303).
    fn only(&self, here: Here<'_>, known: &[&str]) {
        let properties = here.resource.entry.value.get("Properties");
        for entry in properties.into_iter().flat_map(Node::entries) {
            if !known.contains(&entry.key.as_str()) {
                let help = nearest(&entry.key, known.iter().copied())
                    .map(|n| format!("did you mean `{n}`?"));
                let path = here.path(&entry.key);
                let report = self.world.report;
                report.lenient(entry.at, &path, "unknown property, left out", help);
            }
        }
    }

    fn planned<T>(&self, here: Here<'_>, item: T) -> Planned<T> {
        let prefix = self
            .world
            .stacks
            .get(here.stack)
            .map_or("", |s| s.prefix.as_str());
        let policy = here.resource.entry.value.get("DeletionPolicy");
        Planned {
            id: format!("{prefix}{}", here.resource.id()),
            place: self.world.report.place(here.resource.at()),
            retain: policy.and_then(Node::scalar) == Some("Retain"),
            item,
        }
    }

    fn function(&mut self, here: Here<'_>) {
        self.only(here, FUNCTION_PROPERTIES);
        let name = match self.world.function_name(here.stack, here.resource, 0) {
            Ok(name) => name,
            // Reports why.
            Err(_) => self.text(here, "FunctionName").unwrap_or_default(),
        };
        let environment = self.get(here, "Environment");
        let environment = environment.as_ref().and_then(|e| e.get("Variables"));
        let path = here.path("Environment.Variables");
        let environment = environment
            .into_iter()
            .flat_map(Node::entries)
            .map(|e| {
                let path = key_path(&path, &e.key);
                let value = match e.value.scalar() {
                    // Numbers and booleans are texts there.
                    Some(text) => Value::String(text.to_owned()),
                    None => loose(self.world.report, &e.value, &path),
                };
                (e.key.clone(), value)
            })
            .collect();
        let architectures = self.get(here, "Architectures");
        let architectures = architectures.iter().flat_map(|n| n.items());
        let function = Function {
            name,
            runtime: self.text(here, "Runtime").unwrap_or_default(),
            handler: self.text(here, "Handler").unwrap_or_default(),
            memory: self.number(here, "MemorySize"),
            timeout: self.number(here, "Timeout"),
            environment,
            description: self.text(here, "Description").unwrap_or_default(),
            architectures: architectures
                .filter_map(Node::scalar)
                .map(str::to_owned)
                .collect(),
            tags: self.tags(here),
            edge: false,
            code: self.code(here),
        };
        let planned = self.planned(here, function);
        for property in ["VpcConfig", "Layers"] {
            let Some(node) = here.resource.property(property) else {
                continue;
            };
            let node = self.world.eval(here.stack, node, 0);
            let empty = match &node.kind {
                Kind::Seq(items) => items.is_empty(),
                Kind::Map(entries) => entries
                    .iter()
                    .all(|e| matches!(&e.value.kind, Kind::Seq(items) if items.is_empty())),
                Kind::NoValue | Kind::Null => true,
                _ => false,
            };
            if !empty {
                let refused = (node.at, here.path(property));
                self.refused.insert(planned.id.clone(), refused);
            }
        }
        self.plan.functions.push(planned);
    }

    /// Where the code is: known by the reader of the project, inline, on this disk, or an object elsewhere (CP-305).
    fn code(&self, here: Here<'_>) -> Artifact {
        let nothing = Artifact::Inline {
            name: "index.js".to_owned(),
            source: Value::String(String::new()),
        };
        let known = self.world.stacks.get(here.stack).map(|s| &s.artifacts);
        if let Some(artifact) = known.and_then(|a| a.functions.get(here.resource.id())) {
            return artifact.clone();
        }
        let report = self.world.report;
        let path = here.path("Code");
        let Some(code) = self.get(here, "Code") else {
            if here.resource.property("Code").is_none() {
                report.error(here.resource.at(), &path, "a function has `Code`");
            }
            return nothing;
        };
        if code.get("ImageUri").is_some() {
            report.error(
                code.at,
                &path,
                "functions of container images do not run at the edge",
            );
            return nothing;
        }
        if let Some(source) = code.get("ZipFile") {
            let runtime = self.text(here, "Runtime").unwrap_or_default();
            let name = if runtime.starts_with("python") {
                "index.py"
            } else {
                "index.js"
            };
            return Artifact::Inline {
                name: name.to_owned(),
                source: loose(report, source, &key_path(&path, "ZipFile")),
            };
        }
        let part = |name: &str| {
            let node = code.get(name)?;
            if let Kind::Unresolved(why) = &node.kind {
                report_unresolved(report, node.at, &key_path(&path, name), why);
            }
            node.scalar().map(str::to_owned)
        };
        let Some(key) = part("S3Key") else {
            if !report.failed() {
                let message = "`Code` has `ZipFile`, or `S3Bucket` and `S3Key`";
                report.error(code.at, &path, message);
            }
            return nothing;
        };
        // The bucket of a file that is here does not matter; in a template of the framework it has no name yet.
        let base = key.rsplit('/').next().unwrap_or(&key);
        if let Some(artifact) = known.and_then(|a| a.objects.get(base)) {
            return artifact.clone();
        }
        Artifact::S3 {
            bucket: part("S3Bucket").unwrap_or_default(),
            version: part("S3ObjectVersion"),
            key,
        }
    }

    /// The function of a version, an alias or a permission.
    fn of_function(&self, here: Here<'_>) -> Value {
        self.required_value(here, "FunctionName")
    }

    fn required_value(&self, here: Here<'_>, property: &str) -> Value {
        if here.resource.property(property).is_none() {
            let message = format!("{} has to have it", here.resource.kind());
            let at = here.resource.at();
            self.world.report.error(at, &here.path(property), message);
        }
        match self.get(here, property) {
            // A number of a version may be written without quotes.
            Some(node) => match node.scalar() {
                Some(text) => Value::String(text.to_owned()),
                None => loose(self.world.report, &node, &here.path(property)),
            },
            None => Value::Null,
        }
    }

    fn version(&mut self, here: Here<'_>) {
        self.only(
            here,
            &[
                "FunctionName",
                "CodeSha256",
                "Description",
                "ProvisionedConcurrencyConfig",
                "RuntimePolicy",
            ],
        );
        let version = Version {
            function: self.of_function(here),
            number: None,
            description: self.text(here, "Description").unwrap_or_default(),
            code_sha256: self.text(here, "CodeSha256"),
            code: None,
        };
        self.plan.versions.push(self.planned(here, version));
    }

    fn alias(&mut self, here: Here<'_>) {
        self.only(
            here,
            &[
                "Name",
                "FunctionName",
                "FunctionVersion",
                "Description",
                "ProvisionedConcurrencyConfig",
                "RoutingConfig",
            ],
        );
        let alias = Alias {
            name: self.required(here, "Name"),
            function: self.of_function(here),
            version: self.required_value(here, "FunctionVersion"),
        };
        self.plan.aliases.push(self.planned(here, alias));
    }

    fn permission(&mut self, here: Here<'_>) {
        // The values of permissions for other services may be unknown, and say nothing here.
        let principal = self
            .world
            .property(here.stack, here.resource, "Principal", 0);
        let principal = principal
            .as_ref()
            .and_then(Node::scalar)
            .unwrap_or_default();
        if !matches!(
            principal,
            "edgelambda.amazonaws.com" | "lambda.amazonaws.com" | "cloudfront.amazonaws.com"
        ) {
            let path = format!("Resources.{}", here.resource.id());
            let text = format!("a permission for `{principal}` means nothing here");
            let report = self.world.report;
            report.note(NoteKind::Ignored, here.resource.at(), &path, text);
            return;
        }
        let permission = Permission {
            function: self.of_function(here),
            action: self.required(here, "Action"),
            principal: principal.to_owned(),
            source_arn: self.value(here, "SourceArn"),
            source_account: self.value(here, "SourceAccount"),
        };
        self.plan.permissions.push(self.planned(here, permission));
    }

    fn cloudfront_function(&mut self, here: Here<'_>) {
        self.only(
            here,
            &[
                "Name",
                "FunctionCode",
                "FunctionConfig",
                "AutoPublish",
                "FunctionMetadata",
                "Tags",
            ],
        );
        let publish = self.get(here, "AutoPublish").as_ref().and_then(Node::flag);
        let publish = publish == Some(true);
        if !publish {
            let report = self.world.report;
            let path = here.path("AutoPublish");
            let text = "without `AutoPublish: true` the function stays in DEVELOPMENT and cannot be associated";
            report.warn(here.resource.at(), &path, text);
        }
        let config = self.get(here, "FunctionConfig");
        let config = config.map(|node| {
            to_api(
                self.world.report,
                "FunctionConfig",
                &node,
                &here.path("FunctionConfig"),
            )
        });
        let function = CloudFrontFunction {
            name: self.required(here, "Name"),
            code: self.required_value(here, "FunctionCode"),
            config: config.unwrap_or_else(
                || serde_json::json!({"Comment": "", "Runtime": "cloudfront-js-1.0"}),
            ),
            publish,
            tags: self.tags(here),
        };
        self.plan
            .cloudfront_functions
            .push(self.planned(here, function));
    }

    fn store(&mut self, here: Here<'_>) {
        self.only(here, &["Name", "Comment", "ImportSource", "Tags"]);
        let source = self.get(here, "ImportSource");
        let arn = source.as_ref().and_then(|s| s.get("SourceArn"));
        let data = arn.and_then(|arn| {
            let path = here.path("ImportSource.SourceArn");
            let report = self.world.report;
            if let Kind::Unresolved(why) = &arn.kind {
                report_unresolved(report, arn.at, &path, why);
                return None;
            }
            let object = arn.scalar().and_then(|t| t.strip_prefix("arn:aws:s3:::"));
            let Some((bucket, key)) = object.and_then(|o| o.split_once('/')) else {
                report.error(arn.at, &path, "expected the ARN of an object of S3");
                return None;
            };
            let base = key.rsplit('/').next().unwrap_or(key);
            let known = self.world.stacks.get(here.stack).map(|s| &s.artifacts);
            let known = known.and_then(|a| a.objects.get(base)).cloned();
            Some(known.unwrap_or_else(|| Artifact::S3 {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: None,
            }))
        });
        let store = Store {
            name: self.required(here, "Name"),
            comment: self.text(here, "Comment").unwrap_or_default(),
            data,
            tags: self.tags(here),
        };
        self.plan.stores.push(self.planned(here, store));
    }

    fn document(&mut self, here: Here<'_>, property: &str, structure: &str, of: RefKind) {
        self.only(here, &[property, "Tags"]);
        if here.resource.property(property).is_none() {
            let message = format!("{} has to have it", here.resource.kind());
            let at = here.resource.at();
            self.world.report.error(at, &here.path(property), message);
            return;
        }
        let Some(node) = self.get(here, property) else {
            return;
        };
        let document = Document {
            config: to_api(self.world.report, structure, &node, &here.path(property)),
            tags: self.tags(here),
            ..Document::default()
        };
        let planned = self.planned(here, document);
        let plan = &mut self.plan;
        match of {
            RefKind::CachePolicy => plan.cache_policies.push(planned),
            RefKind::OriginRequestPolicy => plan.origin_request_policies.push(planned),
            RefKind::ResponseHeadersPolicy => plan.response_headers_policies.push(planned),
            RefKind::OriginAccessControl => plan.origin_access_controls.push(planned),
            RefKind::OriginAccessIdentity => plan.origin_access_identities.push(planned),
            RefKind::PublicKey => plan.public_keys.push(planned),
            RefKind::KeyGroup => plan.key_groups.push(planned),
            RefKind::ContinuousDeploymentPolicy => {
                plan.continuous_deployment_policies.push(planned)
            }
            _ => plan.distributions.push(planned),
        }
    }

    fn bucket(&mut self, here: Here<'_>) {
        // The bucket that the framework puts its zips in holds nothing that is served (CP-342).
        if here.resource.id() == "ServerlessDeploymentBucket" {
            return;
        }
        match self.world.bucket_name(here.stack, here.resource, 0) {
            Ok(name) => {
                let website = here.resource.property("WebsiteConfiguration").is_some();
                let bucket = Bucket { name, website };
                self.plan.buckets.push(self.planned(here, bucket));
            }
            Err(_) => {
                // Reports why.
                let _ = self.text(here, "BucketName");
            }
        }
    }

    fn certificate(&mut self, here: Here<'_>) {
        let mut hosts: Vec<String> = self.text(here, "DomainName").into_iter().collect();
        let more = self.get(here, "SubjectAlternativeNames");
        let more = more.iter().flat_map(|n| n.items()).filter_map(Node::scalar);
        hosts.extend(more.map(str::to_owned));
        self.plan
            .certificates
            .push(self.planned(here, Certificate { hosts }));
    }

    /// Finds the functions that distributions call, and refuses those that Lambda@Edge would not take.
    fn mark_edge(&mut self) {
        let by_name: HashMap<String, String> = self
            .plan
            .functions
            .iter()
            .map(|f| (f.item.name.clone(), f.id.clone()))
            .collect();
        let function_of = |value: &Value| match (Target::of(value), value) {
            (Some(target), _) if target.kind == RefKind::Function => Some(target.id),
            (None, Value::String(text)) => {
                let name = text.rsplit(':').next().unwrap_or(text);
                by_name.get(name).cloned()
            }
            _ => None,
        };
        let versions: HashMap<&str, String> = self
            .plan
            .versions
            .iter()
            .filter_map(|v| Some((v.id.as_str(), function_of(&v.item.function)?)))
            .collect();
        let aliases: HashMap<&str, String> = self
            .plan
            .aliases
            .iter()
            .filter_map(|a| Some((a.id.as_str(), function_of(&a.item.function)?)))
            .collect();
        let mut edge = HashSet::new();
        for value in self.plan.distributions.iter().map(|d| &d.item.config) {
            for target in references(value) {
                let function = match target.kind {
                    RefKind::Version => versions.get(target.id.as_str()).cloned(),
                    RefKind::Alias => aliases.get(target.id.as_str()).cloned(),
                    RefKind::Function => Some(target.id),
                    _ => None,
                };
                edge.extend(function);
            }
        }
        // A permission for it says the same of functions that another stack associates.
        for permission in &self.plan.permissions {
            if permission.item.principal == "edgelambda.amazonaws.com" {
                let target = Target::of(&permission.item.function);
                edge.extend(match target {
                    Some(t) if t.kind == RefKind::Version => versions.get(t.id.as_str()).cloned(),
                    _ => function_of(&permission.item.function),
                });
            }
        }
        for function in &mut self.plan.functions {
            function.item.edge = edge.contains(&function.id);
            if let (true, Some((at, path))) = (function.item.edge, self.refused.get(&function.id)) {
                let message = "a function of a distribution cannot have it";
                self.world.report.error(*at, path, message);
            }
        }
    }
}

impl Reader<'_> {
    /// Holds `CodeSha256` against zips that are on this disk. What is zipped later has no digest yet.
    fn check_digests(&self) {
        let limits = crate::PackLimits::default();
        for version in &self.plan.versions {
            let Some(wanted) = &version.item.code_sha256 else {
                continue;
            };
            let of = Target::of(&version.item.function).map(|t| t.id);
            let function = self
                .plan
                .functions
                .iter()
                .find(|f| Some(&f.id) == of.as_ref());
            let Some(code @ Artifact::Zip { path }) = function.map(|f| &f.item.code) else {
                continue;
            };
            let Ok(bytes) = code.pack(&limits) else {
                // Said by whoever packs it.
                continue;
            };
            let found = STANDARD.encode(Sha256::digest(&bytes));
            if found != *wanted {
                let id = &version.id;
                let message = format!(
                    "`CodeSha256` of {id} is {wanted}, {} has {found}",
                    path.display()
                );
                let help = Some("package it again".to_owned());
                crate::files::fault(self.world.report, path, message, help);
            }
        }
    }
}

/// Whether two types differ in their last part by a letter or two.
fn close(a: &str, b: &str) -> bool {
    strsim::levenshtein(a, b) <= 2
}

/// Properties of functions that are read, or that say nothing where functions run at the edge.
const FUNCTION_PROPERTIES: &[&str] = &[
    "Architectures",
    "Code",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];
