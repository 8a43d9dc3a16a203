//! A plan as a site file: `fourfront export --format fourfront` (CP-351). What [`super::read_plan`] makes of the file is the plan
//! again, in the API's normal form.

use std::{collections::BTreeMap, path::PathBuf};

use fourfront_import::{
    Artifact, Document, Plan, Planned, Property, RefKind, Shape, Target, properties,
};
use serde_json::{Map, Value, json};

use super::{
    names::key_of,
    policy::{CACHE, Family, ORIGIN_REQUEST, RESPONSE_HEADERS},
    yaml::Yaml,
};

/// A site file and what it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The file.
    pub text: String,
    /// What it names beside it, by the path it has there.
    pub files: Vec<(PathBuf, Content)>,
    /// What could not be said, a line each.
    pub notes: Vec<String>,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This text.
    Text(String),
    /// The package made of this.
    Package(Artifact),
    /// This as it is.
    Data(Artifact),
}

/// Writes a plan as a site file.
///
/// # Errors
/// What a site file cannot say and nothing works without: two versions of one function, references to what is not in the plan.
pub fn write_plan(plan: &Plan) -> Result<Written, String> {
    let mut writer = Writer {
        plan,
        written: Written::default(),
        keys: keys(plan)?,
        fault: None,
    };
    let text = writer.site();
    match writer.fault {
        Some(fault) => Err(fault),
        None => Ok(Written {
            text,
            ..writer.written
        }),
    }
}

/// What entries are called, by what references say of them.
type Keys = BTreeMap<(RefKind, String), String>;

fn keys(plan: &Plan) -> Result<Keys, String> {
    let mut keys = Keys::new();
    let mut taken: BTreeMap<(&str, String), String> = BTreeMap::new();
    let mut take = |section, kind, id: &str, key: &str| {
        if let Some(other) = taken.insert((section, key.to_owned()), id.to_owned()) {
            return Err(format!("`{id}` and `{other}` are both called `{key}`"));
        }
        keys.insert((kind, id.to_owned()), key.to_owned());
        Ok(())
    };
    for f in &plan.functions {
        take("functions", RefKind::Function, &f.id, &f.item.name)?;
    }
    for f in &plan.cloudfront_functions {
        // `on` names functions of both kinds.
        take(
            "functions",
            RefKind::CloudfrontFunction,
            &f.id,
            &f.item.name,
        )?;
    }
    for s in &plan.stores {
        take("stores", RefKind::Store, &s.id, &s.item.name)?;
    }
    for (section, kind, documents, named) in [
        ("cache", RefKind::CachePolicy, &plan.cache_policies, true),
        (
            "origin request",
            RefKind::OriginRequestPolicy,
            &plan.origin_request_policies,
            true,
        ),
        (
            "response headers",
            RefKind::ResponseHeadersPolicy,
            &plan.response_headers_policies,
            true,
        ),
        (
            "controls",
            RefKind::OriginAccessControl,
            &plan.origin_access_controls,
            true,
        ),
        ("keys", RefKind::PublicKey, &plan.public_keys, true),
        ("groups", RefKind::KeyGroup, &plan.key_groups, true),
        (
            "rollouts",
            RefKind::ContinuousDeploymentPolicy,
            &plan.continuous_deployment_policies,
            false,
        ),
        (
            "distributions",
            RefKind::Distribution,
            &plan.distributions,
            false,
        ),
    ] {
        for d in documents {
            let name = d.item.config["Name"].as_str().filter(|_| named);
            take(section, kind, &d.id, name.unwrap_or(&d.id))?;
        }
    }
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for v in &plan.versions {
        let target = Target::of(&v.item.function);
        let function = target.and_then(|t| keys.get(&(RefKind::Function, t.id)).cloned());
        let function = function.ok_or_else(|| {
            format!(
                "version `{}` is of a function that is not in the plan",
                v.id
            )
        })?;
        if let Some(other) = versions.insert(function.clone(), v.id.clone()) {
            return Err(format!(
                "`{other}` and `{}` are versions of one function, and a site file that is deployed has one of each: associate one, or export the distributions apart",
                v.id
            ));
        }
        keys.insert((RefKind::Version, v.id.clone()), function);
    }
    Ok(keys)
}

struct Writer<'p> {
    plan: &'p Plan,
    written: Written,
    keys: Keys,
    fault: Option<String>,
}

type Entries = Vec<(String, Yaml)>;

impl Writer<'_> {
    fn site(&mut self) -> String {
        let plan = self.plan;
        let mut site = Entries::new();
        let sections: [(&str, Entries); 11] = [
            ("functions", self.functions()),
            ("cloudfront_functions", self.cloudfront_functions()),
            ("stores", self.stores()),
            ("public_keys", self.public_keys()),
            ("key_groups", self.key_groups()),
            (
                "origin_access_controls",
                self.documents(
                    RefKind::OriginAccessControl,
                    "OriginAccessControlConfig",
                    &plan.origin_access_controls,
                ),
            ),
            (
                "cache_policies",
                self.documents(
                    RefKind::CachePolicy,
                    "CachePolicyConfig",
                    &plan.cache_policies,
                ),
            ),
            (
                "origin_request_policies",
                self.documents(
                    RefKind::OriginRequestPolicy,
                    "OriginRequestPolicyConfig",
                    &plan.origin_request_policies,
                ),
            ),
            (
                "response_headers_policies",
                self.documents(
                    RefKind::ResponseHeadersPolicy,
                    "ResponseHeadersPolicyConfig",
                    &plan.response_headers_policies,
                ),
            ),
            (
                "continuous_deployment_policies",
                self.documents(
                    RefKind::ContinuousDeploymentPolicy,
                    "ContinuousDeploymentPolicyConfig",
                    &plan.continuous_deployment_policies,
                ),
            ),
            ("distributions", self.distributions()),
        ];
        for (name, entries) in sections {
            if !entries.is_empty() {
                site.push((name.to_owned(), Yaml::Map(entries)));
            }
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
                let note = format!("left out: {count} {what}, which a site file cannot say");
                self.written.notes.push(note);
            }
        }
        Yaml::Map(site).document()
    }

    fn key(&self, kind: RefKind, id: &str) -> String {
        let key = self.keys.get(&(kind, id.to_owned()));
        key.cloned().unwrap_or_else(|| id.to_owned())
    }

    fn functions(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for f in &plan.functions {
            let item = &f.item;
            let file = format!("functions/{}.zip", item.name);
            let mut entry = Entries::new();
            let mut put = |key: &str, value: Yaml| entry.push((key.to_owned(), value));
            put("zip", Yaml::text(file.clone()));
            put("handler", Yaml::text(item.handler.clone()));
            if !item.runtime.is_empty() {
                put("runtime", Yaml::text(item.runtime.clone()));
            }
            for (key, value) in [("memory", item.memory), ("timeout", item.timeout)] {
                if let Some(value) = value {
                    put(key, Yaml::Scalar(value.into()));
                }
            }
            if !item.description.is_empty() {
                put("description", Yaml::text(item.description.clone()));
            }
            if !item.environment.is_empty() {
                let variables = item.environment.iter();
                let variables = variables.map(|(k, v)| (k.clone(), self.scalar(v)));
                put("environment", Yaml::Map(variables.collect()));
            }
            entries.push((item.name.clone(), Yaml::Map(entry)));
            let content = Content::Package(item.code.clone());
            self.written.files.push((file.into(), content));
        }
        entries
    }

    fn cloudfront_functions(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for f in &plan.cloudfront_functions {
            let item = &f.item;
            let file = format!("cloudfront-functions/{}.js", item.name);
            let mut entry = vec![("file".to_owned(), Yaml::text(file.clone()))];
            for (member, key) in [("Runtime", "runtime"), ("Comment", "comment")] {
                let value = item.config[member].as_str().unwrap_or_default();
                if !value.is_empty() {
                    entry.push((key.to_owned(), Yaml::text(value)));
                }
            }
            let stores = &item.config["KeyValueStoreAssociations"]["Items"];
            if let Some(store) = stores.as_array().and_then(|stores| stores.first()) {
                let store = self.scalar(&store["KeyValueStoreARN"]);
                entry.push(("store".to_owned(), store));
            }
            entries.push((item.name.clone(), Yaml::Map(entry)));
            match item.code.as_str() {
                Some(code) => {
                    let content = Content::Text(code.to_owned());
                    self.written.files.push((file.into(), content));
                }
                None => {
                    self.fault = Some(format!("the code of `{}` has references in it", item.name))
                }
            }
        }
        entries
    }

    fn stores(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for s in &plan.stores {
            let file = format!("stores/{}.json", s.item.name);
            let mut entry = vec![("file".to_owned(), Yaml::text(file.clone()))];
            if !s.item.comment.is_empty() {
                entry.push(("comment".to_owned(), Yaml::text(s.item.comment.clone())));
            }
            entries.push((s.item.name.clone(), Yaml::Map(entry)));
            let content = match &s.item.data {
                Some(data) => Content::Data(data.clone()),
                None => Content::Text("{\"data\":[]}\n".to_owned()),
            };
            self.written.files.push((file.into(), content));
        }
        entries
    }

    fn public_keys(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for k in &plan.public_keys {
            let config = &k.item.config;
            let mut entry = vec![("encoded_key".to_owned(), self.scalar(&config["EncodedKey"]))];
            if let Some(comment) = config["Comment"].as_str().filter(|c| !c.is_empty()) {
                entry.push(("comment".to_owned(), Yaml::text(comment)));
            }
            entries.push((self.key(RefKind::PublicKey, &k.id), Yaml::Map(entry)));
        }
        entries
    }

    fn key_groups(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for g in &plan.key_groups {
            let config = &g.item.config;
            let keys = config["Items"].as_array().cloned().unwrap_or_default();
            let keys = keys.iter().map(|key| self.scalar(key)).collect();
            let mut entry = vec![("keys".to_owned(), Yaml::List(keys))];
            if let Some(comment) = config["Comment"].as_str().filter(|c| !c.is_empty()) {
                entry.push(("comment".to_owned(), Yaml::text(comment)));
            }
            entries.push((self.key(RefKind::KeyGroup, &g.id), Yaml::Map(entry)));
        }
        entries
    }

    /// Documents that are a renaming away.
    fn documents(
        &mut self,
        kind: RefKind,
        structure: &str,
        documents: &[Planned<Document>],
    ) -> Entries {
        let mut entries = Entries::new();
        for d in documents {
            let key = self.key(kind, &d.id);
            let mut config = d.item.config.clone();
            if let Some(members) = config.as_object_mut() {
                // The key says it, and what nobody wrote is not written.
                members.retain(|name, value| {
                    let is_named = name == "Name" && *value == json!(key);
                    let is_empty =
                        matches!(name.as_str(), "Comment" | "Description") && *value == json!("");
                    !is_named && !is_empty
                });
            }
            let block = self.block(structure, &config, &key);
            entries.push((key, Yaml::Map(block)));
        }
        entries
    }

    fn distributions(&mut self) -> Entries {
        let plan = self.plan;
        let mut entries = Entries::new();
        for d in &plan.distributions {
            let config = contracted(&d.item.config);
            let mut entry = Entries::new();
            if let Some(id) = d.item.tags.get("fourfront:id") {
                entry.push(("id".to_owned(), Yaml::text(id.clone())));
            }
            for tag in d
                .item
                .tags
                .keys()
                .filter(|tag| !tag.starts_with("fourfront:"))
            {
                let note = format!(
                    "left out: the tag `{tag}` of {}, for which a site file has no place",
                    d.id
                );
                self.written.notes.push(note);
            }
            let mut settings = d.item.settings.clone();
            // What a site file stands for without a word is not what a document does.
            match settings.remove("cache_mode") {
                Some(mode) if mode == json!("rfc9111") => {}
                Some(mode) => entry.push(("cache_mode".to_owned(), tree(&mode))),
                None => entry.push(("cache_mode".to_owned(), Yaml::text("cloudfront"))),
            }
            entry.extend(
                settings
                    .iter()
                    .map(|(key, value)| (key.clone(), tree(value))),
            );
            entry.extend(self.block("DistributionConfig", &config, &d.id));
            entries.push((self.key(RefKind::Distribution, &d.id), Yaml::Map(entry)));
        }
        entries
    }

    /// A structure of the API as a block of a site file.
    fn block(&mut self, structure: &str, value: &Value, place: &str) -> Entries {
        let Some(object) = value.as_object() else {
            return Entries::new();
        };
        let mut block = Entries::new();
        for property in properties(structure) {
            if let Some(value) = object.get(property.api).filter(|v| !v.is_null()) {
                self.member(structure, property, value, place, &mut block);
            }
        }
        let known = |name: &str| properties(structure).any(|p| p.api == name);
        for name in object.keys().filter(|name| !known(name)) {
            // Whoever wrote it knows a newer model than this one (CP-023); site files have no key for it.
            let note =
                format!("left out: `{name}` of {structure} in {place}, which nobody here knows");
            self.written.notes.push(note);
        }
        block
    }

    fn member(
        &mut self,
        structure: &str,
        property: Property,
        value: &Value,
        place: &str,
        into: &mut Entries,
    ) {
        let key = key_of(property.api);
        let is_behavior = structure.ends_with("CacheBehavior");
        match (structure, property.api) {
            // The applier's (CP-321).
            ("DistributionConfig", "CallerReference") => return,
            ("DistributionConfig", "Origins") => {
                let origins = self.origins(value, place);
                into.push((key, origins));
                return;
            }
            (_, "TargetOriginId") => {
                into.push(("origin".to_owned(), self.scalar(value)));
                return;
            }
            (_, "PathPattern") => {
                into.push(("path".to_owned(), self.scalar(value)));
                return;
            }
            (_, "LambdaFunctionAssociations" | "FunctionAssociations") => {
                self.associations(property, value, place, into);
                return;
            }
            _ => {}
        }
        if let Some(family) = family(property.api).filter(|_| is_behavior) {
            into.push(self.policy(family, value));
            return;
        }
        match property.shape {
            Shape::Text | Shape::Number | Shape::Flag => into.push((key, self.scalar(value))),
            Shape::Struct(inner) => {
                let block = self.block(inner, value, place);
                into.push((key, Yaml::Map(block)));
            }
            Shape::Scalars => {
                // Whether a list that stands there is on follows from what is in it, but for one that is on and empty.
                let items = list(value).iter().map(|v| self.scalar(v)).collect();
                into.push((key, Yaml::List(items)));
            }
            Shape::Structs(inner) => {
                let items = list(value).to_vec();
                let items = items
                    .iter()
                    .map(|item| Yaml::Map(self.block(inner, item, place)))
                    .collect();
                into.push((key, Yaml::List(items)));
            }
            Shape::Methods => {
                for (key, methods) in [
                    (key, value),
                    ("cached_methods".to_owned(), &value["CachedMethods"]),
                ] {
                    if !methods.is_null() {
                        let items = list(methods).iter().map(|v| self.scalar(v)).collect();
                        into.push((key, Yaml::List(items)));
                    }
                }
            }
            Shape::Geo => {
                let locations: Vec<Yaml> = list(value).iter().map(|v| self.scalar(v)).collect();
                let mut geo = vec![(
                    "restriction_type".to_owned(),
                    self.scalar(&value["RestrictionType"]),
                )];
                if !locations.is_empty() {
                    geo.push(("locations".to_owned(), Yaml::List(locations)));
                }
                into.push((key, Yaml::Map(geo)));
            }
        }
    }

    fn policy(&mut self, family: Family, id: &Value) -> (String, Yaml) {
        let managed = id.as_str().and_then(|id| family.name_of(id));
        match managed {
            Some(name) => (family.key.to_owned(), Yaml::text(format!("Managed-{name}"))),
            None => (family.key.to_owned(), self.scalar(id)),
        }
    }

    /// By id, or as a list where an id cannot be a key.
    fn origins(&mut self, value: &Value, place: &str) -> Yaml {
        let mut origins = Entries::new();
        let listed = list(value).to_vec();
        let id = |origin: &Value| origin["Id"].as_str().unwrap_or_default().to_owned();
        let is_key = |id: &str| !id.contains("${") && !matches!(id, "" | "<<" | "items" | "Items");
        if !listed.iter().all(|origin| is_key(&id(origin))) {
            let blocks = listed
                .iter()
                .map(|origin| Yaml::Map(self.block("Origin", origin, place)));
            return Yaml::List(blocks.collect());
        }
        for origin in listed {
            let id = id(&origin);
            let value = match url(&origin) {
                Some(url) => Yaml::text(url),
                None => {
                    let mut origin = origin;
                    if let Some(origin) = origin.as_object_mut() {
                        origin.remove("Id");
                    }
                    Yaml::Map(self.block("Origin", &origin, place))
                }
            };
            origins.push((id, value));
        }
        Yaml::Map(origins)
    }

    /// Functions by name where the file has them, and by ARN where it has not.
    fn associations(&mut self, property: Property, value: &Value, place: &str, into: &mut Entries) {
        let (member, structure) = match property.api {
            "FunctionAssociations" => ("FunctionARN", "FunctionAssociation"),
            _ => ("LambdaFunctionARN", "LambdaFunctionAssociation"),
        };
        let mut by_name = Entries::new();
        let mut by_arn = Vec::new();
        for association in list(value).to_vec() {
            if Target::of(&association[member]).is_none() {
                by_arn.push(Yaml::Map(self.block(structure, &association, place)));
                continue;
            }
            let event = association["EventType"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let function = self.scalar(&association[member]);
            let body = &association["IncludeBody"];
            by_name.push((
                event,
                match body.is_null() {
                    true => function,
                    false => Yaml::Map(vec![
                        ("function".to_owned(), function),
                        ("include_body".to_owned(), self.scalar(body)),
                    ]),
                },
            ));
        }
        if !by_arn.is_empty() {
            into.push((key_of(property.api), Yaml::List(by_arn)));
        }
        match into.iter_mut().find(|(key, _)| key == "on") {
            Some((_, Yaml::Map(on))) => on.extend(by_name),
            _ if by_name.is_empty() => {}
            _ => into.push(("on".to_owned(), Yaml::Map(by_name))),
        }
    }

    /// A value, or the key of what it refers to.
    fn scalar(&mut self, value: &Value) -> Yaml {
        if let Some(target) = Target::of(value) {
            let name = self.keys.get(&(target.kind, target.id.clone()));
            return match name {
                Some(name) => Yaml::text(name.clone()),
                None => {
                    let kind = json!(target.kind);
                    let fault = format!("a site file cannot refer to {kind} `{}`", target.id);
                    self.fault.get_or_insert(fault);
                    Yaml::text("")
                }
            };
        }
        if value.is_object() || value.is_array() {
            let fault = format!("a site file cannot say {value}");
            self.fault.get_or_insert(fault);
        }
        Yaml::Scalar(value.clone())
    }
}

fn family(member: &str) -> Option<Family> {
    [CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS]
        .into_iter()
        .find(|f| f.member == member)
}

/// A setting in its own spelling.
fn tree(value: &Value) -> Yaml {
    match value {
        Value::Array(items) => Yaml::List(items.iter().map(tree).collect()),
        Value::Object(members) => {
            Yaml::Map(members.iter().map(|(k, v)| (k.clone(), tree(v))).collect())
        }
        other => Yaml::Scalar(other.clone()),
    }
}

/// The items of a list in either form.
fn list(value: &Value) -> &[Value] {
    let items = match value {
        Value::Array(items) => Some(items),
        other => other.get("Items").and_then(Value::as_array),
    };
    items.map_or(&[], Vec::as_slice)
}

/// An origin that a URL says all of (CP-642).
fn url(origin: &Value) -> Option<String> {
    let custom = origin.get("CustomOriginConfig")?.as_object()?;
    let says = |object: &Map<String, Value>, names: &[&str]| {
        object.keys().all(|name| names.contains(&name.as_str()))
    };
    let plain = says(
        origin.as_object()?,
        &["Id", "DomainName", "OriginPath", "CustomOriginConfig"],
    ) && says(custom, &["HTTPPort", "HTTPSPort", "OriginProtocolPolicy"]);
    let host = origin.get("DomainName")?.as_str()?;
    // A host that a URL would change is written as it is.
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if !plain || !is_host {
        return None;
    }
    let port = |name: &str| custom.get(name).and_then(Value::as_u64);
    let (http, https) = (port("HTTPPort")?, port("HTTPSPort")?);
    let (scheme, port) = match (custom.get("OriginProtocolPolicy")?.as_str()?, http, https) {
        ("http-only", 80, 443) => ("http", None),
        ("http-only", port, 443) => ("http", Some(port)),
        ("https-only", 80, 443) => ("https", None),
        ("https-only", 80, port) => ("https", Some(port)),
        _ => return None,
    };
    let path = origin.get("OriginPath").and_then(Value::as_str);
    let path = path.unwrap_or_default();
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}{path}"))
}

/// The normal form of a distribution's document in which references may stand (CP-112). A behaviour whose cache policy is one
/// has a policy, which its form depends on.
pub(crate) fn normal(config: &Value) -> Value {
    let mut config = config.clone();
    let others = config.pointer("/CacheBehaviors/Items");
    let others = others.and_then(Value::as_array).map_or(0, Vec::len);
    let default = std::iter::once("/DefaultCacheBehavior".to_owned());
    let places = default.chain((0..others).map(|i| format!("/CacheBehaviors/Items/{i}")));
    let places = places.map(|behavior| behavior + "/CachePolicyId");
    let mut references = Vec::new();
    for place in places {
        if let Some(id) = config.pointer_mut(&place).filter(|id| id.is_object()) {
            let reference = std::mem::replace(id, json!("policy"));
            references.push((place, reference));
        }
    }
    fourfront_aws::normal::distribution(&mut config);
    for (place, reference) in references {
        if let Some(id) = config.pointer_mut(&place) {
            *id = reference;
        }
    }
    config
}

/// A distribution's document without what its normal form has anyway (CP-112).
fn contracted(config: &Value) -> Value {
    let expected = normal(config);
    let mut config = config.clone();
    let mut places = vec![String::new(), "/DefaultCacheBehavior".to_owned()];
    places.push("/DefaultCacheBehavior/AllowedMethods".to_owned());
    for (list, inner) in [
        ("/CacheBehaviors/Items", "AllowedMethods"),
        ("/Origins/Items", "CustomOriginConfig"),
    ] {
        let items = config.pointer(list).and_then(Value::as_array);
        for i in 0..items.map_or(0, Vec::len) {
            places.push(format!("{list}/{i}"));
            places.push(format!("{list}/{i}/{inner}"));
        }
    }
    for place in places {
        let object = config.pointer(&place).and_then(Value::as_object);
        let names: Vec<String> = object.map_or_else(Vec::new, |o| o.keys().cloned().collect());
        for name in names {
            let mut shorter = config.clone();
            let object = shorter.pointer_mut(&place).and_then(Value::as_object_mut);
            if let Some(object) = object {
                object.remove(&name);
            }
            if normal(&shorter) == expected {
                config = shorter;
            }
        }
    }
    config
}
