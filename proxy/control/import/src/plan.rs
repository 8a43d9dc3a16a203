//! What a node should hold, whichever tool wrote it down.
//!
//! Bodies are JSON with the member names of the AWS API, lists wrapped as `{"Quantity", "Items"}`. A value that is known only
//! once something else was created stands in a body as
//! `{"$ref": {"kind": "version", "id": "EdgeVersion", "attribute": "arn"}}`, and a text that holds such values as
//! `{"$parts": ["https://", {"$ref": {..}}, "/"]}`; [`substitute`] puts values in their place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    artifact::Artifact,
    place::{Note, Place},
    tree::{Part, Reference},
};

/// The outcome of reading a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "snake_case")]
pub struct Plan {
    /// Name that owns all of it on a node (CP-302).
    pub stack: String,
    /// Lambda functions.
    pub functions: Vec<Planned<Function>>,
    /// Versions of functions that are asked for (CP-067 decides whether one is made).
    pub versions: Vec<Planned<Version>>,
    /// Aliases of functions.
    pub aliases: Vec<Planned<Alias>>,
    /// Resource policies of functions. A node needs none to call its own functions; they are kept for the API to show.
    pub permissions: Vec<Planned<Permission>>,
    /// CloudFront Functions.
    pub cloudfront_functions: Vec<Planned<CloudFrontFunction>>,
    /// KeyValueStores.
    pub stores: Vec<Planned<Store>>,
    /// `CachePolicyConfig` each.
    pub cache_policies: Vec<Planned<Document>>,
    /// `OriginRequestPolicyConfig` each.
    pub origin_request_policies: Vec<Planned<Document>>,
    /// `ResponseHeadersPolicyConfig` each.
    pub response_headers_policies: Vec<Planned<Document>>,
    /// `OriginAccessControlConfig` each.
    pub origin_access_controls: Vec<Planned<Document>>,
    /// `CloudFrontOriginAccessIdentityConfig` each.
    pub origin_access_identities: Vec<Planned<Document>>,
    /// `PublicKeyConfig` each.
    pub public_keys: Vec<Planned<Document>>,
    /// `KeyGroupConfig` each.
    pub key_groups: Vec<Planned<Document>>,
    /// `ContinuousDeploymentPolicyConfig` each.
    pub continuous_deployment_policies: Vec<Planned<Document>>,
    /// `DistributionConfig` each, without `CallerReference` where the source has none (CP-321).
    pub distributions: Vec<Planned<Document>>,
    /// Functions to hang on distributions that the project does not hold (CP-339).
    pub attachments: Vec<Planned<Attachment>>,
    /// Buckets that distributions may fetch from; a node maps them with `origins.s3` (CP-320).
    pub buckets: Vec<Planned<Bucket>>,
    /// Certificates that distributions name; a node maps them by host (CP-117).
    pub certificates: Vec<Planned<Certificate>>,
    /// What the reader noticed.
    pub notes: Vec<Note>,
}

/// A resource with its name in the project and its place in the files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned<T> {
    /// Logical id. Resources of a CDK assembly have their stack's name and a slash before it.
    pub id: String,
    /// Where it is written.
    pub place: Place,
    /// `DeletionPolicy: Retain`, which `--prune` respects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retain: bool,
    /// What it is.
    #[serde(flatten)]
    pub item: T,
}

/// A Lambda function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// `FunctionName`, given or derived from stack and logical id.
    pub name: String,
    /// As `nodejs20.x`; empty if the project says none.
    pub runtime: String,
    /// As `dir/file.export`.
    pub handler: String,
    /// In MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Environment variables; values may hold references.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Value>,
    /// `Description`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// As `x86_64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Something in the project calls it from a distribution. Others may be left alone by a node that runs edge functions only.
    pub edge: bool,
    /// Its code.
    pub code: Artifact,
}

/// A version of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// A function's name or ARN, or a reference to one.
    pub function: Value,
    /// The version's number where the source is something that has one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// `Description`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Base64 of the SHA-256 that the code has to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// Its code, where that is not the function's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Artifact>,
}

/// An alias of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// `Name`.
    pub name: String,
    /// A function's name or ARN, or a reference to one.
    pub function: Value,
    /// A version's number, or a reference to it.
    pub version: Value,
}

/// A statement of a function's resource policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permission {
    /// A function's name or ARN, or a reference to one.
    pub function: Value,
    /// As `lambda:InvokeFunction`.
    pub action: String,
    /// As `edgelambda.amazonaws.com`.
    pub principal: String,
    /// `SourceArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<Value>,
    /// `SourceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_account: Option<Value>,
}

/// A CloudFront Function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudFrontFunction {
    /// `Name`.
    pub name: String,
    /// Source text. It may hold references.
    pub code: Value,
    /// `FunctionConfig`.
    pub config: Value,
    /// Publish it to LIVE; without it, it stays in DEVELOPMENT and cannot be associated (CP-321).
    pub publish: bool,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A KeyValueStore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// `Name`.
    pub name: String,
    /// `Comment`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// What it begins with: a file `{"data": [{"key", "value"}]}` (CP-156).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Artifact>,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A resource that is one document of the API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The API's `...Config`.
    pub config: Value,
    /// Of a distribution: settings that the API has no member for, as a site file spells them (CP-641).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A function on a distribution that exists already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Id of the distribution, or a reference.
    pub distribution: Value,
    /// `PathPattern` of the behaviour; `None` is the default one.
    pub path_pattern: Option<String>,
    /// As `viewer-request`.
    pub event_type: String,
    /// `IncludeBody`.
    pub include_body: bool,
    /// Reference to a version's ARN.
    pub version: Value,
}

/// An S3 bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// `BucketName`, given or derived from stack and logical id.
    pub name: String,
    /// It has a `WebsiteConfiguration`.
    pub website: bool,
}

/// A certificate of ACM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// `DomainName` and `SubjectAlternativeNames`.
    pub hosts: Vec<String>,
}

/// What a `$ref` points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RefKind {
    /// [`Plan::functions`]; attributes `name`, `arn`.
    Function,
    /// [`Plan::versions`]; attributes `arn`, `version`.
    Version,
    /// [`Plan::aliases`]; attribute `arn`.
    Alias,
    /// [`Plan::cloudfront_functions`]; attribute `arn`.
    CloudfrontFunction,
    /// [`Plan::stores`]; attributes `arn`, `id`.
    Store,
    /// [`Plan::cache_policies`]; attribute `id`.
    CachePolicy,
    /// [`Plan::origin_request_policies`]; attribute `id`.
    OriginRequestPolicy,
    /// [`Plan::response_headers_policies`]; attribute `id`.
    ResponseHeadersPolicy,
    /// [`Plan::origin_access_controls`]; attribute `id`.
    OriginAccessControl,
    /// [`Plan::origin_access_identities`]; attributes `id`, `s3_canonical_user_id`.
    OriginAccessIdentity,
    /// [`Plan::public_keys`]; attribute `id`.
    PublicKey,
    /// [`Plan::key_groups`]; attribute `id`.
    KeyGroup,
    /// [`Plan::continuous_deployment_policies`]; attribute `id`.
    ContinuousDeploymentPolicy,
    /// [`Plan::distributions`]; attributes `id`, `arn`, `domain_name`.
    Distribution,
    /// [`Plan::certificates`]; attribute `arn`.
    Certificate,
}

/// The target of a `$ref`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Which list of the plan.
    pub kind: RefKind,
    /// [`Planned::id`] there.
    pub id: String,
    /// Which of its values, as [`RefKind`] lists them.
    pub attribute: String,
}

impl Target {
    /// What `value` points at, if it is a `$ref`.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let object = value.as_object().filter(|o| o.len() == 1)?;
        Self::deserialize(object.get("$ref")?).ok()
    }
}

/// Puts values in the place of references in a body. Known ones are replaced, `$parts` whose references are all known become
/// text.
///
/// # Errors
///
/// The first reference for which `resolve` has nothing.
pub fn substitute(
    value: &Value,
    resolve: &dyn Fn(&Target) -> Option<String>,
) -> Result<Value, Target> {
    if let Some(target) = Target::of(value) {
        return resolve(&target).map(Value::String).ok_or(target);
    }
    match value {
        Value::Object(object) => {
            if let (1, Some(Value::Array(parts))) = (object.len(), object.get("$parts")) {
                let mut text = String::new();
                for part in parts {
                    if let Value::String(part) = substitute(part, resolve)? {
                        text.push_str(&part);
                    }
                }
                return Ok(Value::String(text));
            }
            let members = object
                .iter()
                .map(|(k, v)| Ok((k.clone(), substitute(v, resolve)?)));
            Ok(Value::Object(members.collect::<Result<_, _>>()?))
        }
        Value::Array(items) => Ok(Value::Array(
            items
                .iter()
                .map(|v| substitute(v, resolve))
                .collect::<Result<_, _>>()?,
        )),
        other => Ok(other.clone()),
    }
}

/// All references in a body, in order.
#[must_use]
pub fn references(value: &Value) -> Vec<Target> {
    fn walk(value: &Value, into: &mut Vec<Target>) {
        if let Some(target) = Target::of(value) {
            into.push(target);
            return;
        }
        match value {
            Value::Object(object) => object.values().for_each(|v| walk(v, into)),
            Value::Array(items) => items.iter().for_each(|v| walk(v, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &mut found);
    found
}

impl Reference {
    pub(crate) fn json(&self) -> Value {
        json!({"$ref": {"kind": self.kind, "id": self.id, "attribute": self.attribute}})
    }
}

pub(crate) fn parts_json(parts: &[Part]) -> Value {
    let parts: Vec<Value> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Value::String(text.clone()),
            Part::Ref(reference) => reference.json(),
        })
        .collect();
    json!({ "$parts": parts })
}

impl Plan {
    /// What the plan holds, a line each, for people: kind, name, place. Notes follow.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = vec![format!("stack {}", self.stack)];
        let mut line = |kind: &str, id: &str, text: String, place: &Place| {
            let text = if text.is_empty() {
                text
            } else {
                format!(" {text}")
            };
            lines.push(format!("{kind} {id}:{text} ({place})"));
        };
        for f in &self.functions {
            let Function {
                name,
                runtime,
                memory,
                timeout,
                code,
                ..
            } = &f.item;
            let memory = memory.map(|m| format!(", {m} MB")).unwrap_or_default();
            let timeout = timeout.map(|t| format!(", {t} s")).unwrap_or_default();
            let text = format!("{name}, {runtime}{memory}{timeout}, {code}");
            line("function", &f.id, text, &f.place);
        }
        for v in &self.versions {
            line(
                "version",
                &v.id,
                format!("of {}", short(&v.item.function)),
                &v.place,
            );
        }
        for a in &self.aliases {
            let text = format!("{} of {}", a.item.name, short(&a.item.function));
            line("alias", &a.id, text, &a.place);
        }
        for f in &self.cloudfront_functions {
            line("cloudfront-function", &f.id, f.item.name.clone(), &f.place);
        }
        for s in &self.stores {
            let data = s.item.data.as_ref();
            let data = data.map(|d| format!(", from {d}")).unwrap_or_default();
            line("store", &s.id, format!("{}{data}", s.item.name), &s.place);
        }
        for (kind, documents) in self.documents() {
            for d in documents {
                let config = &d.item.config;
                let name = ["Name", "Comment"].iter().find_map(|k| config.get(k));
                let name = name.map(short).unwrap_or_default();
                line(kind, &d.id, name, &d.place);
            }
        }
        for a in &self.attachments {
            let Attachment {
                distribution,
                path_pattern,
                event_type,
                ..
            } = &a.item;
            let path = path_pattern.as_deref().unwrap_or("*");
            let text = format!("{event_type} of {path} on {}", short(distribution));
            line("attachment", &a.id, text, &a.place);
        }
        for b in &self.buckets {
            line("bucket", &b.id, b.item.name.clone(), &b.place);
        }
        for c in &self.certificates {
            line("certificate", &c.id, c.item.hosts.join(", "), &c.place);
        }
        lines.extend(self.notes.iter().map(Note::to_string));
        lines
    }

    /// The lists that hold documents of the API, by the word that `$ref` uses for their kind.
    #[must_use]
    pub fn documents(&self) -> [(&'static str, &[Planned<Document>]); 9] {
        [
            ("cache-policy", &self.cache_policies),
            ("origin-request-policy", &self.origin_request_policies),
            ("response-headers-policy", &self.response_headers_policies),
            ("origin-access-control", &self.origin_access_controls),
            ("origin-access-identity", &self.origin_access_identities),
            ("public-key", &self.public_keys),
            ("key-group", &self.key_groups),
            (
                "continuous-deployment-policy",
                &self.continuous_deployment_policies,
            ),
            ("distribution", &self.distributions),
        ]
    }
}

/// A value in a line of text.
fn short(value: &Value) -> String {
    match Target::of(value) {
        Some(target) => target.id,
        None => match value {
            Value::String(text) => text.lines().next().unwrap_or_default().to_owned(),
            other => other.to_string(),
        },
    }
}
