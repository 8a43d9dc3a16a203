//! Answers of the AWS CLI: `get-distribution-config` with the policies, functions and keys it names (CP-350).
//!
//! What kind of answer a file holds is told by its members, as the CLI prints them; file names matter for code alone
//! (`NAME.zip` or `NAME-VERSION.zip` of a Lambda function, `NAME.js` of a CloudFront Function).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fourfront_model::{
    managed_cache_policy, managed_origin_request_policy, managed_response_headers_policy,
};
use serde_json::{Value, json};

use crate::{
    Options,
    artifact::Artifact,
    cloudformation::loose,
    error::ImportErrors,
    files, finish,
    place::{At, Report},
    plan::{CloudFrontFunction, Document, Function, Plan, Planned, RefKind, Store, Version},
    tree::Node,
};

/// Answers that hold one document: the member it comes in, its configuration, its list, and what it is.
const DOCUMENTS: &[(&str, &str, &str, RefKind)] = &[
    (
        "Distribution",
        "DistributionConfig",
        "",
        RefKind::Distribution,
    ),
    (
        "CachePolicy",
        "CachePolicyConfig",
        "CachePolicyList",
        RefKind::CachePolicy,
    ),
    (
        "OriginRequestPolicy",
        "OriginRequestPolicyConfig",
        "OriginRequestPolicyList",
        RefKind::OriginRequestPolicy,
    ),
    (
        "ResponseHeadersPolicy",
        "ResponseHeadersPolicyConfig",
        "ResponseHeadersPolicyList",
        RefKind::ResponseHeadersPolicy,
    ),
    (
        "OriginAccessControl",
        "OriginAccessControlConfig",
        "",
        RefKind::OriginAccessControl,
    ),
    (
        "CloudFrontOriginAccessIdentity",
        "CloudFrontOriginAccessIdentityConfig",
        "",
        RefKind::OriginAccessIdentity,
    ),
    ("PublicKey", "PublicKeyConfig", "", RefKind::PublicKey),
    (
        "KeyGroup",
        "KeyGroupConfig",
        "KeyGroupList",
        RefKind::KeyGroup,
    ),
    (
        "ContinuousDeploymentPolicy",
        "ContinuousDeploymentPolicyConfig",
        "ContinuousDeploymentPolicyList",
        RefKind::ContinuousDeploymentPolicy,
    ),
];

/// Members that tell the other answers.
const OTHERS: &[&str] = &[
    "Configuration",
    "FunctionList",
    "FunctionSummary",
    "Functions",
    "KeyValueStore",
    "KeyValueStoreList",
    "Versions",
];

/// Reads answers of the AWS CLI: files, and directories of them (CP-350).
///
/// # Errors
///
/// Files that are none, and what distributions name that no file holds, with the commands that fetch it.
pub fn read_aws_json(paths: &[PathBuf], options: &Options) -> Result<Plan, ImportErrors> {
    let report = Report::new(options.strict);
    let plan = read(paths, options, &report);
    finish(&report, plan)
}

/// Whether a file is such an answer.
pub(crate) fn recognises(root: &Node) -> bool {
    let bare = root.get("Origins").is_some() && root.get("DefaultCacheBehavior").is_some();
    bare || DOCUMENTS
        .iter()
        .any(|d| root.get(d.0).is_some() || root.get(d.1).is_some() || root.get(d.2).is_some())
        || OTHERS.iter().any(|key| root.get(key).is_some())
        || root.get("FunctionArn").is_some() && root.get("Handler").is_some()
}

pub(crate) fn read(paths: &[PathBuf], options: &Options, report: &Report) -> Option<Plan> {
    let mut reader = Reader {
        report,
        documents: BTreeMap::new(),
        lambdas: BTreeMap::new(),
        functions: BTreeMap::new(),
        stores: BTreeMap::new(),
        directories: Vec::new(),
        plan: Plan::default(),
        wanted: BTreeSet::new(),
    };
    let mut name = None;
    for path in paths {
        if path.is_dir() {
            name.get_or_insert_with(|| files::directory_name(path));
            reader.directories.push(path.clone());
            let mut found: Vec<PathBuf> = fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.path())
                .filter(|p| p.extension().is_some_and(|e| e == "json"))
                .collect();
            found.sort();
            for file in found {
                reader.file(&file, true);
            }
        } else {
            let stem = path
                .file_stem()
                .and_then(|s| s.to_str())
                .unwrap_or("import");
            name.get_or_insert_with(|| stem.to_owned());
            let directory = files::directory(path);
            if !reader.directories.contains(&directory) {
                reader.directories.push(directory);
            }
            reader.file(path, false);
        }
    }
    reader.plan.stack = options
        .name
        .clone()
        .or(name)
        .unwrap_or_else(|| "import".to_owned());
    reader.connect();
    (!report.failed()).then_some(reader.plan)
}

/// A document with its place.
struct Found {
    at: At,
    path: String,
    config: Value,
}

struct Reader<'a> {
    report: &'a Report,
    /// By kind and the id that AWS gave it.
    documents: BTreeMap<(RefKind, String), Found>,
    /// Configurations of Lambda functions by name and version.
    lambdas: BTreeMap<(String, String), Found>,
    /// CloudFront Functions by name.
    functions: BTreeMap<String, Found>,
    /// KeyValueStores by ARN.
    stores: BTreeMap<String, Found>,
    /// Where code may lie.
    directories: Vec<PathBuf>,
    plan: Plan,
    /// Commands that fetch what is missing.
    wanted: BTreeSet<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, among_others: bool) {
        let Some(root) = files::load(self.report, path) else {
            return;
        };
        if !recognises(&root) {
            // A directory may hold data of stores, and more.
            if !among_others {
                let message = "is no answer of the AWS CLI that is known here";
                self.report.error(root.at, "", message);
            }
            return;
        }
        let at = root.at;
        let value = loose(self.report, &root, "");
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or("import");
        let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
        let items = |list: &Value| -> Vec<Value> {
            let items = list.get("Items").and_then(Value::as_array);
            items.cloned().unwrap_or_default()
        };
        if value.get("Origins").is_some() && value.get("DefaultCacheBehavior").is_some() {
            self.document(
                RefKind::Distribution,
                stem.to_owned(),
                at,
                "",
                value.clone(),
            );
        }
        for (member, config, list, kind) in DOCUMENTS {
            let named = |config: &Value| text(config, "Name").unwrap_or_else(|| stem.to_owned());
            if let Some(document) = value.get(config) {
                let id = if *kind == RefKind::Distribution {
                    stem.to_owned()
                } else {
                    named(document)
                };
                self.document(*kind, id, at, config, document.clone());
            }
            let listed = value.get(list).map(&items).unwrap_or_default();
            let listed = listed
                .iter()
                // Managed ones are known anyway.
                .filter(|item| item.get("Type").and_then(Value::as_str) != Some("managed"));
            for one in value.get(member).into_iter().chain(listed) {
                let one = one.get(member).unwrap_or(one);
                if let (Some(id), Some(document)) = (text(one, "Id"), one.get(config)) {
                    let path = format!("{member}.{config}");
                    self.document(*kind, id, at, &path, document.clone());
                }
            }
        }
        let lambdas = ["Functions", "Versions"].map(|k| value.get(k).and_then(Value::as_array));
        let bare = value.get("FunctionArn").is_some().then_some(&value);
        let lambdas = lambdas.into_iter().flatten().flatten();
        for lambda in lambdas.chain(value.get("Configuration")).chain(bare) {
            let Some(name) = text(lambda, "FunctionName") else {
                continue;
            };
            let version = text(lambda, "Version").unwrap_or_else(|| "$LATEST".to_owned());
            let found = self.found(at, "", lambda.clone());
            self.lambdas.insert((name, version), found);
        }
        let listed = value.get("FunctionList").map(&items).unwrap_or_default();
        for function in listed.iter().chain(value.get("FunctionSummary")) {
            if let Some(name) = text(function, "Name") {
                let found = self.found(at, "", function.clone());
                self.functions.insert(name, found);
            }
        }
        let listed = value
            .get("KeyValueStoreList")
            .map(&items)
            .unwrap_or_default();
        for store in listed.iter().chain(value.get("KeyValueStore")) {
            if let Some(arn) = text(store, "ARN") {
                let found = self.found(at, "", store.clone());
                self.stores.insert(arn, found);
            }
        }
    }

    fn found(&self, at: At, path: &str, config: Value) -> Found {
        Found {
            at,
            path: path.to_owned(),
            config,
        }
    }

    fn document(&mut self, kind: RefKind, id: String, at: At, path: &str, config: Value) {
        let found = self.found(at, path, config);
        self.documents.insert((kind, id), found);
    }

    fn planned<T>(&self, id: &str, at: At, item: T) -> Planned<T> {
        Planned {
            id: id.to_owned(),
            place: self.report.place(at),
            retain: false,
            item,
        }
    }

    /// Turns ids and ARNs into references, and gathers what is not there.
    fn connect(&mut self) {
        let documents = std::mem::take(&mut self.documents);
        let known: BTreeSet<(RefKind, String)> = documents.keys().cloned().collect();
        for ((kind, id), mut found) in documents {
            match kind {
                RefKind::Distribution => self.distribution(&mut found, &known),
                RefKind::KeyGroup => {
                    let items = found.config.get_mut("Items").and_then(Value::as_array_mut);
                    for item in items.into_iter().flatten() {
                        self.refer(item, RefKind::PublicKey, &known);
                    }
                }
                _ => {}
            }
            let document = Document {
                config: found.config,
                ..Document::default()
            };
            let planned = self.planned(&id, found.at, document);
            let plan = &mut self.plan;
            match kind {
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
            if !self.wanted.is_empty() {
                let wanted: Vec<String> = std::mem::take(&mut self.wanted).into_iter().collect();
                let message = "names what no file here holds";
                let help = format!("run: {}", wanted.join("; "));
                self.report
                    .error_help(found.at, &found.path, message, Some(help));
            }
        }
        self.cloudfront_functions();
        for (arn, found) in std::mem::take(&mut self.stores) {
            let text = |key: &str| {
                found
                    .config
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let name = text("Name").to_owned();
            let data = self.beside(&format!("{name}.data.json"));
            let store = Store {
                comment: text("Comment").to_owned(),
                data: data.map(|path| Artifact::File { path }),
                tags: BTreeMap::new(),
                name,
            };
            let planned = self.planned(&arn, found.at, store);
            self.plan.stores.push(planned);
        }
    }

    fn distribution(&mut self, found: &mut Found, known: &BTreeSet<(RefKind, String)>) {
        let config = &mut found.config;
        if let Some(id) = config.get_mut("ContinuousDeploymentPolicyId") {
            self.refer(id, RefKind::ContinuousDeploymentPolicy, known);
        }
        let origins = config
            .pointer_mut("/Origins/Items")
            .and_then(Value::as_array_mut);
        for origin in origins.into_iter().flatten() {
            if let Some(id) = origin.get_mut("OriginAccessControlId") {
                self.refer(id, RefKind::OriginAccessControl, known);
            }
            if let Some(identity) = origin.pointer_mut("/S3OriginConfig/OriginAccessIdentity") {
                const PREFIX: &str = "origin-access-identity/cloudfront/";
                let id = identity.as_str().and_then(|t| t.strip_prefix(PREFIX));
                if let Some(mut id) = id.map(Value::from) {
                    self.refer(&mut id, RefKind::OriginAccessIdentity, known);
                    *identity = json!({ "$parts": [PREFIX, id] });
                }
            }
        }
        if let Some(default) = config.get_mut("DefaultCacheBehavior") {
            self.behavior(default, found.at, known);
        }
        let behaviors = config
            .pointer_mut("/CacheBehaviors/Items")
            .and_then(Value::as_array_mut);
        for behavior in behaviors.into_iter().flatten() {
            self.behavior(behavior, found.at, known);
        }
    }

    fn behavior(&mut self, behavior: &mut Value, at: At, known: &BTreeSet<(RefKind, String)>) {
        for (member, kind) in [
            ("CachePolicyId", RefKind::CachePolicy),
            ("OriginRequestPolicyId", RefKind::OriginRequestPolicy),
            ("ResponseHeadersPolicyId", RefKind::ResponseHeadersPolicy),
        ] {
            if let Some(id) = behavior.get_mut(member) {
                self.refer(id, kind, known);
            }
        }
        let list = |behavior: &mut Value, pointer: &str| -> Option<Vec<Value>> {
            behavior.pointer(pointer)?.as_array().cloned()
        };
        for (pointer, member) in [
            ("/TrustedKeyGroups/Items", None),
            ("/FunctionAssociations/Items", Some("FunctionARN")),
            (
                "/LambdaFunctionAssociations/Items",
                Some("LambdaFunctionARN"),
            ),
        ] {
            let Some(mut items) = list(behavior, pointer) else {
                continue;
            };
            for item in &mut items {
                match member {
                    None => self.refer(item, RefKind::KeyGroup, known),
                    Some(member) => {
                        let Some(arn) = item.get_mut(member) else {
                            continue;
                        };
                        let Some(text) = arn.as_str().map(str::to_owned) else {
                            continue;
                        };
                        let made = match member {
                            "FunctionARN" => self.cloudfront_function(&text),
                            _ => self.lambda(&text, at),
                        };
                        if let Some(made) = made {
                            *arn = made;
                        }
                    }
                }
            }
            if let Some(place) = behavior.pointer_mut(pointer) {
                *place = items.into();
            }
        }
    }

    /// An id as a reference. Managed policies keep theirs.
    fn refer(&mut self, value: &mut Value, kind: RefKind, known: &BTreeSet<(RefKind, String)>) {
        let Some(id) = value
            .as_str()
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
        else {
            return;
        };
        if known.contains(&(kind, id.clone())) {
            *value = json!({"$ref": {"kind": kind, "id": id, "attribute": "id"}});
            return;
        }
        let (managed, command) = match kind {
            RefKind::CachePolicy => (managed_cache_policy(&id).is_some(), "get-cache-policy"),
            RefKind::OriginRequestPolicy => (
                managed_origin_request_policy(&id).is_some(),
                "get-origin-request-policy",
            ),
            RefKind::ResponseHeadersPolicy => (
                managed_response_headers_policy(&id).is_some(),
                "get-response-headers-policy",
            ),
            RefKind::OriginAccessControl => (false, "get-origin-access-control"),
            RefKind::OriginAccessIdentity => (false, "get-cloud-front-origin-access-identity"),
            RefKind::PublicKey => (false, "get-public-key"),
            RefKind::KeyGroup => (false, "get-key-group"),
            RefKind::ContinuousDeploymentPolicy => (false, "get-continuous-deployment-policy"),
            _ => return,
        };
        if !managed {
            self.wanted
                .insert(format!("aws cloudfront {command} --id {id} > {id}.json"));
        }
    }

    fn cloudfront_function(&mut self, arn: &str) -> Option<Value> {
        let name = arn.rsplit('/').next()?;
        if self.functions.contains_key(name) {
            return Some(
                json!({"$ref": {"kind": RefKind::CloudfrontFunction, "id": name, "attribute": "arn"}}),
            );
        }
        let command =
            format!("aws cloudfront describe-function --name {name} --stage LIVE > {name}.json");
        self.wanted.insert(command);
        None
    }

    fn cloudfront_functions(&mut self) {
        for (name, found) in std::mem::take(&mut self.functions) {
            let code = self.beside(&format!("{name}.js"));
            let Some(code) = code.and_then(|path| files::text(self.report, &path)) else {
                let message = format!("the code of function `{name}` is not there");
                let help = format!(
                    "run: aws cloudfront get-function --name {name} --stage LIVE {name}.js"
                );
                self.report
                    .error_help(found.at, &found.path, message, Some(help));
                continue;
            };
            let mut config = found
                .config
                .get("FunctionConfig")
                .cloned()
                .unwrap_or_else(|| json!({}));
            let stores = config
                .pointer_mut("/KeyValueStoreAssociations/Items")
                .and_then(Value::as_array_mut);
            for store in stores.into_iter().flatten() {
                let Some(arn) = store.get_mut("KeyValueStoreARN") else {
                    continue;
                };
                let text = arn.as_str().unwrap_or_default().to_owned();
                if self.stores.contains_key(&text) {
                    *arn =
                        json!({"$ref": {"kind": RefKind::Store, "id": text, "attribute": "arn"}});
                } else {
                    let message = format!("names the store {text}, which no file here holds");
                    let help = "run: aws cloudfront list-key-value-stores > stores.json".to_owned();
                    self.report
                        .error_help(found.at, &found.path, message, Some(help));
                }
            }
            let function = CloudFrontFunction {
                name: name.clone(),
                code: code.into(),
                config,
                publish: true,
                tags: BTreeMap::new(),
            };
            let planned = self.planned(&name, found.at, function);
            self.plan.cloudfront_functions.push(planned);
        }
    }

    /// `arn:aws:lambda:us-east-1:ACCOUNT:function:NAME:VERSION` as a reference to a version of the plan.
    fn lambda(&mut self, arn: &str, at: At) -> Option<Value> {
        let mut parts = arn.rsplit(':');
        let (version, name) = (parts.next()?, parts.next()?);
        let id = format!("{name}:{version}");
        let reference = json!({"$ref": {"kind": RefKind::Version, "id": id, "attribute": "arn"}});
        if self.plan.versions.iter().any(|v| v.id == id) {
            return Some(reference);
        }
        let get = format!("aws lambda get-function --function-name {name} --qualifier {version}");
        let key = |version: &str| (name.to_owned(), version.to_owned());
        let found = self
            .lambdas
            .get(&key(version))
            .or_else(|| self.lambdas.get(&key("$LATEST")));
        let own = self.beside(&format!("{name}-{version}.zip"));
        let zip = own.clone().or_else(|| self.beside(&format!("{name}.zip")));
        let (Some(found), Some(zip)) = (found, zip) else {
            if found.is_none() {
                self.wanted.insert(format!("{get} > {name}.json"));
            }
            if self.beside(&format!("{name}.zip")).is_none() && own.is_none() {
                let location = format!("$({get} --query Code.Location --output text)");
                self.wanted
                    .insert(format!("curl -o {name}-{version}.zip \"{location}\""));
            }
            return None;
        };
        let config = &found.config;
        let text = |key: &str| {
            let text = config.get(key).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let number = |key: &str| config.get(key).and_then(Value::as_u64);
        let variables = config
            .pointer("/Environment/Variables")
            .and_then(Value::as_object);
        let architectures = config.get("Architectures").and_then(Value::as_array);
        let item = Version {
            function: json!({"$ref": {"kind": RefKind::Function, "id": name, "attribute": "name"}}),
            number: version.parse().ok(),
            description: text("Description"),
            code_sha256: config
                .get("CodeSha256")
                .and_then(Value::as_str)
                .map(str::to_owned),
            code: own.map(|path| Artifact::Zip { path }),
        };
        let function = Function {
            name: name.to_owned(),
            runtime: text("Runtime"),
            handler: text("Handler"),
            memory: number("MemorySize"),
            timeout: number("Timeout"),
            environment: variables
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            description: text("Description"),
            architectures: architectures
                .into_iter()
                .flatten()
                .filter_map(|a| a.as_str().map(str::to_owned))
                .collect(),
            tags: BTreeMap::new(),
            edge: true,
            code: Artifact::Zip { path: zip },
        };
        let place = found.at;
        if !self.plan.functions.iter().any(|f| f.id == name) {
            let planned = self.planned(name, place, function);
            self.plan.functions.push(planned);
        }
        let planned = self.planned(&id, at, item);
        self.plan.versions.push(planned);
        Some(reference)
    }

    /// A file of that name beside what was read.
    fn beside(&self, name: &str) -> Option<PathBuf> {
        // Names come from a file: they may not lead anywhere else.
        if name.contains(['/', '\\']) {
            return None;
        }
        let found = self.directories.iter().map(|d| d.join(name));
        found.into_iter().find(|p| p.is_file())
    }
}
