//! A plan as a configuration of Terraform: `fourfront export --format terraform` (CP-351).
//!
//! It is `.tf.json`, which Terraform takes beside its own language and in which nothing can be misread for syntax. Names are the
//! API's in lower case, as in site files, but for the few of [`renamed`]; which of them the provider has, of what type they are
//! and which have to be there stands in `attributes.tsv`, made from the provider's own schema. What is not in that list is not
//! written: it is told of, by name. Functions lie in files beside the configuration.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use fourfront_import::{Document, Plan, Planned, Property, RefKind, Shape, Target, properties};
use serde_json::{Map, Value, json};

use crate::site::{Content, names::key_of, write::normal};

/// A configuration and what it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terraform {
    /// The configuration.
    pub document: Value,
    /// What it names beside it, by the path it has there.
    pub files: Vec<(PathBuf, Content)>,
    /// What could not be said, a line each.
    pub notes: Vec<String>,
}

const ATTRIBUTES: &str = include_str!("attributes.tsv");

/// Writes a plan as a configuration of Terraform. `endpoint` is the URL of the node that the provider is to speak to; without
/// one it speaks to AWS.
///
/// # Errors
/// What Terraform cannot say and nothing works without: two versions of one function, references to what is not in the plan.
pub fn write_terraform(plan: &Plan, endpoint: Option<&str>) -> Result<Terraform, String> {
    let mut writer = Writer {
        plan,
        attributes: attributes(),
        names: BTreeMap::new(),
        resources: Map::new(),
        out: Terraform::default(),
        fault: None,
    };
    writer.name_all()?;
    writer.functions();
    writer.cloudfront_functions();
    writer.stores();
    for (list, kind, structure) in [
        (
            &plan.cache_policies,
            RefKind::CachePolicy,
            "CachePolicyConfig",
        ),
        (
            &plan.origin_request_policies,
            RefKind::OriginRequestPolicy,
            "OriginRequestPolicyConfig",
        ),
        (
            &plan.response_headers_policies,
            RefKind::ResponseHeadersPolicy,
            "ResponseHeadersPolicyConfig",
        ),
        (
            &plan.origin_access_controls,
            RefKind::OriginAccessControl,
            "OriginAccessControlConfig",
        ),
        (&plan.public_keys, RefKind::PublicKey, "PublicKeyConfig"),
        (&plan.key_groups, RefKind::KeyGroup, "KeyGroupConfig"),
        (
            &plan.continuous_deployment_policies,
            RefKind::ContinuousDeploymentPolicy,
            "ContinuousDeploymentPolicyConfig",
        ),
    ] {
        for document in list {
            let body = writer.block(
                structure,
                &document.item.config,
                resource_of(kind),
                &document.id,
            );
            writer.put(kind, &document.id, body);
        }
    }
    for document in &plan.distributions {
        writer.distribution(document);
    }
    for (what, count) in [
        ("aliases of functions", plan.aliases.len()),
        (
            "identities for access to buckets",
            plan.origin_access_identities.len(),
        ),
        (
            "functions on distributions of others",
            plan.attachments.len(),
        ),
    ] {
        if count > 0 {
            writer.note(format!("left out: {count} {what}"));
        }
    }
    if let Some(fault) = writer.fault {
        return Err(fault);
    }
    writer.out.document = json!({
        "terraform": { "required_providers": { "aws": { "source": "hashicorp/aws", "version": ">= 5.80.0" } } },
        "provider": { "aws": provider(endpoint) },
        "resource": writer.resources,
    });
    Ok(writer.out)
}

/// As `fourfront env --tool terraform` prints it. Keys come from the environment or a credentials file, and stand in no
/// configuration.
fn provider(endpoint: Option<&str>) -> Value {
    let Some(url) = endpoint else {
        return json!({ "region": "us-east-1" });
    };
    json!({
        "region": "us-east-1",
        "skip_credentials_validation": true,
        "skip_requesting_account_id": true,
        "skip_metadata_api_check": true,
        "endpoints": [{ "cloudfront": url, "iam": url, "lambda": url, "sts": url }],
    })
}

/// Paths of attributes and blocks with their types, and whether they have to be there.
fn attributes() -> BTreeMap<&'static str, (&'static str, bool)> {
    let lines = ATTRIBUTES.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut parts = line.split('\t');
            let (path, kind) = (parts.next()?, parts.next()?);
            Some((path, (kind, parts.next() == Some("required"))))
        })
        .collect()
}

/// The resource that a part of a plan becomes.
const fn resource_of(kind: RefKind) -> &'static str {
    match kind {
        RefKind::Function | RefKind::Version => "aws_lambda_function",
        RefKind::CloudfrontFunction => "aws_cloudfront_function",
        RefKind::Store => "aws_cloudfront_key_value_store",
        RefKind::CachePolicy => "aws_cloudfront_cache_policy",
        RefKind::OriginRequestPolicy => "aws_cloudfront_origin_request_policy",
        RefKind::ResponseHeadersPolicy => "aws_cloudfront_response_headers_policy",
        RefKind::OriginAccessControl => "aws_cloudfront_origin_access_control",
        RefKind::PublicKey => "aws_cloudfront_public_key",
        RefKind::KeyGroup => "aws_cloudfront_key_group",
        RefKind::ContinuousDeploymentPolicy => "aws_cloudfront_continuous_deployment_policy",
        RefKind::Distribution => "aws_cloudfront_distribution",
        // Not written, and so not referred to.
        _ => "",
    }
}

/// Where the provider does not go by the API's word.
fn renamed(structure: &str, api: &str) -> Option<&'static str> {
    Some(match (structure, api) {
        ("DistributionConfig", "Origins") => "origin",
        ("DistributionConfig", "OriginGroups") => "origin_group",
        ("DistributionConfig", "CacheBehaviors") => "ordered_cache_behavior",
        ("DistributionConfig", "CustomErrorResponses") => "custom_error_response",
        ("DistributionConfig", "Logging") => "logging_config",
        ("Origin" | "OriginGroup", "Id") => "origin_id",
        ("Origin", "CustomHeaders") => "custom_header",
        ("OriginCustomHeader", "HeaderName") => "name",
        ("OriginCustomHeader", "HeaderValue") => "value",
        ("OriginGroup", "Members") => "member",
        (_, "LambdaFunctionAssociations") => "lambda_function_association",
        (_, "FunctionAssociations") => "function_association",
        ("LambdaFunctionAssociation", "LambdaFunctionARN") => "lambda_arn",
        _ => return None,
    })
}

/// Members that say nothing of their own.
fn is_said_elsewhere(structure: &str, api: &str) -> bool {
    matches!(
        (structure, api),
        // The provider makes one up.
        ("DistributionConfig" | "PublicKeyConfig", "CallerReference")
            // The block says it by being there.
            | ("LoggingConfig", "Enabled")
            // The deprecated spelling of the member beside it.
            | ("ViewerCertificate", "Certificate" | "CertificateSource")
    )
}

/// Whether a value is what the provider takes it for that is not given.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) if members.contains_key("Quantity") => list(value).is_empty(),
        // Switched off, as the API writes what nobody asked for.
        Value::Object(members) => {
            members.get("Enabled") == Some(&json!(false)) || members.values().all(is_default)
        }
        Value::Number(_) => false,
    }
}

struct Writer<'p> {
    plan: &'p Plan,
    attributes: BTreeMap<&'static str, (&'static str, bool)>,
    /// Addresses of resources by what references say of them.
    names: BTreeMap<(RefKind, String), String>,
    resources: Map<String, Value>,
    out: Terraform,
    fault: Option<String>,
}

impl Writer<'_> {
    /// Gives everything its name among the resources of its type.
    fn name_all(&mut self) -> Result<(), String> {
        let plan = self.plan;
        let documents = |kind, documents: &[Planned<Document>]| {
            let ids = documents.iter().map(|d| (kind, d.id.clone()));
            ids.collect::<Vec<_>>()
        };
        let functions = plan
            .functions
            .iter()
            .map(|f| (RefKind::Function, f.id.clone()));
        let cloudfront = plan.cloudfront_functions.iter();
        let cloudfront = cloudfront.map(|f| (RefKind::CloudfrontFunction, f.id.clone()));
        let stores = plan.stores.iter().map(|s| (RefKind::Store, s.id.clone()));
        let mut all: Vec<_> = functions.chain(cloudfront).chain(stores).collect();
        all.extend(documents(RefKind::CachePolicy, &plan.cache_policies));
        all.extend(documents(
            RefKind::OriginRequestPolicy,
            &plan.origin_request_policies,
        ));
        all.extend(documents(
            RefKind::ResponseHeadersPolicy,
            &plan.response_headers_policies,
        ));
        all.extend(documents(
            RefKind::OriginAccessControl,
            &plan.origin_access_controls,
        ));
        all.extend(documents(RefKind::PublicKey, &plan.public_keys));
        all.extend(documents(RefKind::KeyGroup, &plan.key_groups));
        all.extend(documents(
            RefKind::ContinuousDeploymentPolicy,
            &plan.continuous_deployment_policies,
        ));
        all.extend(documents(RefKind::Distribution, &plan.distributions));
        let mut taken = BTreeSet::new();
        for (kind, id) in all {
            let stem = identifier(&id);
            let mut name = stem.clone();
            let mut n = 1;
            while !taken.insert((kind, name.clone())) {
                n += 1;
                name = format!("{stem}_{n}");
            }
            self.names.insert((kind, id), name);
        }
        let mut versions = BTreeSet::new();
        for version in &plan.versions {
            let function = Target::of(&version.item.function)
                .map(|t| t.id)
                .unwrap_or_default();
            let name = self
                .names
                .get(&(RefKind::Function, function.clone()))
                .cloned();
            let name = name.ok_or_else(|| {
                format!(
                    "version `{}` is of a function that is not in the plan",
                    version.id
                )
            })?;
            if !versions.insert(function.clone()) {
                return Err(format!(
                    "two versions of `{function}` are associated, and Terraform makes one of each function: export the distributions apart"
                ));
            }
            self.names
                .insert((RefKind::Version, version.id.clone()), name);
        }
        Ok(())
    }

    fn note(&mut self, text: String) {
        if !self.out.notes.contains(&text) {
            self.out.notes.push(text);
        }
    }

    fn put(&mut self, kind: RefKind, id: &str, body: Map<String, Value>) {
        let name = self.names.get(&(kind, id.to_owned())).cloned();
        let resources = self
            .resources
            .entry(resource_of(kind))
            .or_insert_with(|| json!({}));
        resources[name.unwrap_or_else(|| identifier(id))] = body.into();
    }

    fn functions(&mut self) {
        let plan = self.plan;
        for function in &plan.functions {
            let item = &function.item;
            let file = format!("functions/{}.zip", item.name);
            let mut body = Map::new();
            let mut give = |name: &str, value: Value| body.insert(name.to_owned(), value);
            give("function_name", literal(&item.name));
            give("filename", json!(file));
            give(
                "source_code_hash",
                json!(format!("${{filebase64sha256({})}}", json!(file))),
            );
            give("handler", literal(&item.handler));
            let runtime = match item.runtime.as_str() {
                "" => "nodejs22.x",
                runtime => runtime,
            };
            give("runtime", literal(runtime));
            give("role", json!("${aws_iam_role.edge.arn}"));
            // Distributions name versions.
            give("publish", json!(true));
            for (name, value) in [("memory_size", item.memory), ("timeout", item.timeout)] {
                if let Some(value) = value {
                    give(name, json!(value));
                }
            }
            if !item.description.is_empty() {
                give("description", literal(&item.description));
            }
            if !item.environment.is_empty() {
                let variables = item.environment.iter();
                let variables: Map<String, Value> = variables
                    .map(|(k, v)| (k.clone(), self.scalar(v)))
                    .collect();
                give("environment", json!([{ "variables": variables }]));
            }
            self.put(RefKind::Function, &function.id, body);
            let content = Content::Package(item.code.clone());
            self.out.files.push((file.into(), content));
        }
        if !plan.functions.is_empty() {
            let trust = json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"] },
                "Action": "sts:AssumeRole",
            }] });
            let role = json!({ "edge": {
                "name": "fourfront-edge", "assume_role_policy": trust.to_string(),
            } });
            self.resources.insert("aws_iam_role".to_owned(), role);
        }
    }

    fn cloudfront_functions(&mut self) {
        let plan = self.plan;
        for function in &plan.cloudfront_functions {
            let item = &function.item;
            let Some(code) = item.code.as_str() else {
                self.fault = Some(format!("the code of `{}` has references in it", item.name));
                continue;
            };
            let file = format!("cloudfront-functions/{}.js", item.name);
            let mut body = Map::new();
            let mut give = |name: &str, value: Value| body.insert(name.to_owned(), value);
            give("name", literal(&item.name));
            give("runtime", json!(item.config["Runtime"]));
            give("publish", json!(item.publish));
            give("code", json!(format!("${{file({})}}", json!(file))));
            if let Some(comment) = item.config["Comment"].as_str().filter(|c| !c.is_empty()) {
                give("comment", literal(comment));
            }
            let stores = list(&item.config["KeyValueStoreAssociations"]);
            let stores: Vec<Value> = stores
                .iter()
                .map(|store| self.scalar(&store["KeyValueStoreARN"]))
                .collect();
            if !stores.is_empty() {
                give("key_value_store_associations", json!(stores));
            }
            self.put(RefKind::CloudfrontFunction, &function.id, body);
            let content = Content::Text(code.to_owned());
            self.out.files.push((file.into(), content));
        }
    }

    fn stores(&mut self) {
        let plan = self.plan;
        for store in &plan.stores {
            let mut body = Map::new();
            body.insert("name".to_owned(), literal(&store.item.name));
            // Given even where it is empty: a node tells of an empty one, and the provider takes that for another.
            body.insert("comment".to_owned(), literal(&store.item.comment));
            self.put(RefKind::Store, &store.id, body);
            if store.item.data.is_some() {
                self.note(format!(
                    "left out: the data of the store `{}`, which `fourfront kv` writes",
                    store.item.name
                ));
            }
        }
    }

    fn distribution(&mut self, document: &Planned<Document>) {
        // Blocks and lists that the provider insists on.
        let config = normal(&document.item.config);
        let id = &document.id;
        let resource = resource_of(RefKind::Distribution);
        let mut body = self.block("DistributionConfig", &config, resource, id);
        let tags: Map<String, Value> = document
            .item
            .tags
            .iter()
            .filter(|(name, _)| *name != "fourfront:stack")
            .map(|(name, value)| (name.clone(), literal(value)))
            .collect();
        if !tags.is_empty() {
            body.insert("tags".to_owned(), tags.into());
        }
        for name in document.item.settings.keys() {
            self.note(format!(
                "left out: `{name}` of {id}, which is a setting of the node's own"
            ));
        }
        self.put(RefKind::Distribution, id, body);
    }

    /// A structure of the API as the arguments of a block.
    fn block(
        &mut self,
        structure: &str,
        value: &Value,
        path: &str,
        place: &str,
    ) -> Map<String, Value> {
        let mut body = Map::new();
        let Some(object) = value.as_object() else {
            return body;
        };
        // With CloudFront's own certificate there is nothing to choose.
        let own = value["CloudFrontDefaultCertificate"] != json!(true);
        for property in properties(structure) {
            let Some(value) = object.get(property.api) else {
                continue;
            };
            let is_chosen = own || property.api == "CloudFrontDefaultCertificate";
            if is_chosen && !is_said_elsewhere(structure, property.api) {
                self.member(structure, property, value, (path, place), &mut body);
            }
        }
        let known = |name: &str| properties(structure).any(|p| p.api == name);
        for name in object.keys().filter(|name| !known(name)) {
            self.note(format!(
                "left out: `{name}` of {structure} in {place}, which nobody here knows"
            ));
        }
        body
    }

    fn member(
        &mut self,
        structure: &str,
        property: Property,
        value: &Value,
        (path, place): (&str, &str),
        into: &mut Map<String, Value>,
    ) {
        let name =
            renamed(structure, property.api).map_or_else(|| key_of(property.api), str::to_owned);
        let here = format!("{path}.{name}");
        let found = self.attributes.get(here.as_str()).copied();
        let Some((kind, required)) = found else {
            if !is_default(value) {
                self.note(format!(
                    "left out: `{}` of {structure} in {place}, for which the provider has no argument",
                    property.api
                ));
            }
            return;
        };
        // An empty identity is how the API writes none; the provider adds the block itself where it has to be.
        let is_bucket =
            property.api == "S3OriginConfig" && value["OriginAccessIdentity"] == json!("");
        if is_bucket {
            if value.get("OriginReadTimeout").is_some() {
                self.note(format!(
                    "left out: `OriginReadTimeout` of {structure} in {place}, for which the provider has no argument"
                ));
            }
            return;
        }
        if !required && is_default(value) {
            return;
        }
        let is_block = kind.starts_with("block");
        let written = match property.shape {
            Shape::Text | Shape::Number | Shape::Flag => self.typed(value, kind),
            Shape::Struct(inner) => json!([self.block(inner, value, &here, place)]),
            Shape::Scalars => {
                let inner = kind
                    .trim_end_matches(']')
                    .rsplit(", ")
                    .next()
                    .unwrap_or_default();
                let inner = inner.trim_matches('"').to_owned();
                let items: Vec<Value> = list(value).iter().map(|v| self.typed(v, &inner)).collect();
                match is_block {
                    false => items.into(),
                    true => {
                        let mut block = json!({ "items": items });
                        if self
                            .attributes
                            .contains_key(format!("{here}.quantity").as_str())
                        {
                            block["quantity"] = json!(items.len());
                        }
                        json!([block])
                    }
                }
            }
            Shape::Structs(inner) => {
                // Some lists stand in a block of their own.
                let items_path = format!("{here}.items");
                let is_nested = self.attributes.contains_key(items_path.as_str());
                let at = if is_nested { &items_path } else { &here };
                let items: Vec<Value> = list(value)
                    .to_vec()
                    .iter()
                    .map(|item| self.block(inner, item, at, place).into())
                    .collect();
                match is_nested {
                    true => json!([{ "items": items }]),
                    false => items.into(),
                }
            }
            Shape::Methods => {
                let cached = list(&value["CachedMethods"]).to_vec();
                into.insert("cached_methods".to_owned(), cached.into());
                list(value).to_vec().into()
            }
            Shape::Geo => {
                let mut geo = json!({ "restriction_type": value["RestrictionType"] });
                // Optional, and computed where it is not given.
                geo["locations"] = list(value).to_vec().into();
                json!([geo])
            }
        };
        into.insert(name, written);
    }

    /// A scalar of the type that the provider wants.
    fn typed(&mut self, value: &Value, kind: &str) -> Value {
        match (kind, value) {
            ("number", Value::String(text)) => {
                let number = text.parse::<i64>().map(Value::from);
                number.unwrap_or_else(|_| json!(text))
            }
            _ => self.scalar(value),
        }
    }

    /// A value, or the expression for what it refers to.
    fn scalar(&mut self, value: &Value) -> Value {
        if let Some(target) = Target::of(value) {
            let name = self.names.get(&(target.kind, target.id.clone()));
            let attribute = match (target.kind, target.attribute.as_str()) {
                (RefKind::Version, "arn") => "qualified_arn",
                (RefKind::Function, "name") => "function_name",
                (_, attribute) => attribute,
            };
            return match name {
                Some(name) => {
                    json!(format!(
                        "${{{}.{name}.{attribute}}}",
                        resource_of(target.kind)
                    ))
                }
                None => {
                    let kind = json!(target.kind);
                    let fault =
                        format!("{kind} `{}` is referred to and not in the plan", target.id);
                    self.fault.get_or_insert(fault);
                    Value::Null
                }
            };
        }
        match value {
            Value::String(text) => literal(text),
            Value::Object(_) | Value::Array(_) => {
                let fault = format!("Terraform cannot say {value}");
                self.fault.get_or_insert(fault);
                Value::Null
            }
            other => other.clone(),
        }
    }
}

/// A text that is no template.
fn literal(text: &str) -> Value {
    Value::String(text.replace("${", "$${").replace("%{", "%%{"))
}

/// The items of a list in either form.
fn list(value: &Value) -> &[Value] {
    let items = match value {
        Value::Array(items) => Some(items),
        other => other.get("Items").and_then(Value::as_array),
    };
    items.map_or(&[], Vec::as_slice)
}

/// A name as Terraform takes it: letters, digits, `-` and `_`, none of the digits and dashes first.
fn identifier(id: &str) -> String {
    let fits = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = id.chars().map(fits).collect();
    match name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        true => name,
        false => format!("_{name}"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
