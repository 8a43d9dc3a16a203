//! CloudFormation's documents to the API's and back: the mechanical map (section 7.4 of the control plane's rules).

use std::path::Path;

use serde_json::{Map, Value, json};

use super::structures::{ListForm, Member, MemberKind, Structure, structure};
use crate::{
    error::ImportErrors,
    files,
    parse::nearest,
    place::{At, Report, item_path, key_path},
    plan::{Target, parts_json},
    tree::{Entry, Kind, Node, Part, Reference, Unresolved, plain_value},
};

/// What CloudFormation fills in where the API insists on a member.
const DEFAULTS: &[(&str, &str, Default)] = &[
    (
        "CloudFrontOriginAccessIdentityConfig",
        "Comment",
        Default::Text(""),
    ),
    ("CustomOriginConfig", "HTTPPort", Default::Whole(80)),
    ("CustomOriginConfig", "HTTPSPort", Default::Whole(443)),
    ("DistributionConfig", "Comment", Default::Text("")),
    ("FunctionConfig", "Comment", Default::Text("")),
    ("LoggingConfig", "Enabled", Default::Flag(true)),
    ("LoggingConfig", "IncludeCookies", Default::Flag(false)),
    ("LoggingConfig", "Prefix", Default::Text("")),
    ("S3OriginConfig", "OriginAccessIdentity", Default::Text("")),
];

#[derive(Clone, Copy)]
enum Default {
    Text(&'static str),
    Whole(u32),
    Flag(bool),
}

impl Default {
    fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Whole(n) => n.into(),
            Self::Flag(flag) => flag.into(),
        }
    }
}

/// What `--set` would say to give a value that is not known.
pub(crate) fn report_unresolved(report: &Report, at: At, path: &str, why: &Unresolved) {
    let help = match &why.name {
        Some(name) => format!("give it with `--set {name}=VALUE`"),
        None => format!("give it with `--set {path}=VALUE`"),
    };
    report.error_help(at, path, why.message.clone(), Some(help));
}

/// An evaluated value as JSON of no known type; faults are reported and leave `null`.
pub(crate) fn loose(report: &Report, node: &Node, path: &str) -> Value {
    match &node.kind {
        Kind::Null | Kind::NoValue => Value::Null,
        Kind::Text(text) => Value::String(text.clone()),
        Kind::Plain(text) => plain_value(text),
        Kind::Seq(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| loose(report, item, &item_path(path, i)))
            .collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|e| {
                (
                    e.key.clone(),
                    loose(report, &e.value, &key_path(path, &e.key)),
                )
            })
            .collect::<Map<_, _>>()
            .into(),
        Kind::Ref(reference) => reference.json(),
        Kind::Parts(parts) => parts_json(parts),
        Kind::Unresolved(why) => {
            report_unresolved(report, node.at, path, why);
            Value::Null
        }
    }
}

/// A document of CloudFormation, evaluated, as the API writes it. `name` is the API's structure.
pub(crate) fn to_api(report: &Report, name: &str, node: &Node, path: &str) -> Value {
    match structure(name) {
        Some(structure) => Converter { report }.structure(structure, node, path),
        None => loose(report, node, path),
    }
}

struct Converter<'a> {
    report: &'a Report,
}

impl Converter<'_> {
    fn structure(&self, structure: &Structure, node: &Node, path: &str) -> Value {
        if let Kind::Unresolved(why) = &node.kind {
            report_unresolved(self.report, node.at, path, why);
            return Value::Null;
        }
        if !matches!(node.kind, Kind::Map(_)) {
            return self.wrong(node, path, "a mapping");
        }
        let node = &legacy(structure, node);
        let mut object = Map::new();
        for entry in node.entries() {
            let path = key_path(path, &entry.key);
            if matches!(entry.value.kind, Kind::Null | Kind::NoValue) {
                continue;
            }
            let member = structure
                .members
                .iter()
                .find(|m| m.cloudformation == entry.key);
            let Some(Member { api, kind, .. }) = member else {
                // `CachedMethods` is read with `AllowedMethods`.
                let beside = entry.key == "CachedMethods"
                    && structure
                        .members
                        .iter()
                        .any(|m| matches!(m.kind, MemberKind::Methods));
                if !beside {
                    let names = structure.members.iter().map(|m| m.cloudformation);
                    let help = nearest(&entry.key, names).map(|n| format!("did you mean `{n}`?"));
                    self.report
                        .lenient(entry.at, &path, "unknown property, left out", help);
                }
                continue;
            };
            let value = match kind {
                MemberKind::Methods => continue,
                // The API has this one as text (section 7.4).
                MemberKind::Text if *api == "ResponseCode" => self.text(&entry.value, &path),
                kind => self.value(kind, &entry.value, &path),
            };
            object.insert((*api).to_owned(), value);
        }
        self.methods(structure, node, path, &mut object);
        for (of, member, default) in DEFAULTS {
            if *of == structure.name && !object.contains_key(*member) {
                object.insert((*member).to_owned(), default.value());
            }
        }
        Value::Object(object)
    }

    fn methods(
        &self,
        structure: &Structure,
        node: &Node,
        path: &str,
        into: &mut Map<String, Value>,
    ) {
        let mut lists = ["AllowedMethods", "CachedMethods"].map(|key| {
            let value = node.get(key)?;
            Some(self.list(
                ListForm::Array,
                &MemberKind::Text,
                value,
                &key_path(path, key),
            ))
        });
        let here = structure
            .members
            .iter()
            .any(|m| matches!(m.kind, MemberKind::Methods));
        if !here || lists.iter().all(Option::is_none) {
            return;
        }
        let mut methods = lists[0]
            .take()
            .unwrap_or_else(|| json!({"Quantity": 2, "Items": ["HEAD", "GET"]}));
        if let (Some(cached), Some(methods)) = (lists[1].take(), methods.as_object_mut()) {
            methods.insert("CachedMethods".to_owned(), cached);
        }
        into.insert("AllowedMethods".to_owned(), methods);
    }

    fn value(&self, kind: &MemberKind, node: &Node, path: &str) -> Value {
        if let Kind::Unresolved(why) = &node.kind {
            report_unresolved(self.report, node.at, path, why);
            return Value::Null;
        }
        match kind {
            MemberKind::Text => self.text(node, path),
            MemberKind::Whole => match node.scalar().and_then(whole) {
                Some(n) => n.into(),
                None => self.wrong(node, path, "a whole number"),
            },
            MemberKind::Number => {
                let number = node.scalar().and_then(|t| t.trim().parse::<f64>().ok());
                match number.filter(|n| n.is_finite()) {
                    // A weight of 1 is written without its fraction.
                    Some(n) => whole(&n.to_string()).map_or_else(|| n.into(), Into::into),
                    None => self.wrong(node, path, "a number"),
                }
            }
            MemberKind::Flag => match node.flag() {
                Some(flag) => flag.into(),
                None => self.wrong(node, path, "`true` or `false`"),
            },
            MemberKind::Struct(name) => to_api(self.report, name, node, path),
            MemberKind::List(form, of) => self.list(*form, of, node, path),
            MemberKind::Bare(of) => match &node.kind {
                Kind::Seq(items) => self.items(of, items, path).into(),
                _ => self.wrong(node, path, "a list"),
            },
            // Read with its neighbour in `methods`.
            MemberKind::Methods => Value::Null,
            MemberKind::Geo => {
                let kind = node.get("RestrictionType");
                let kind = kind.map(|n| self.text(n, &key_path(path, "RestrictionType")));
                let mut geo = match node.get("Locations") {
                    Some(list) => self.list(
                        ListForm::Array,
                        &MemberKind::Text,
                        list,
                        &key_path(path, "Locations"),
                    ),
                    None => json!({"Quantity": 0}),
                };
                if let Some(geo) = geo.as_object_mut() {
                    geo.insert(
                        "RestrictionType".to_owned(),
                        kind.unwrap_or_else(|| "none".into()),
                    );
                }
                geo
            }
        }
    }

    /// Any list in any of the forms: somebody who wraps what CloudFormation does not is understood.
    fn list(&self, form: ListForm, of: &MemberKind, node: &Node, path: &str) -> Value {
        let (items, path) = match &node.kind {
            Kind::Seq(items) => (items.as_slice(), path.to_owned()),
            Kind::Map(_) => match node.get("Items").map(|n| (n, &n.kind)) {
                Some((_, Kind::Seq(items))) => (items.as_slice(), key_path(path, "Items")),
                Some((n, Kind::Unresolved(why))) => {
                    report_unresolved(self.report, n.at, &key_path(path, "Items"), why);
                    return Value::Null;
                }
                Some((n, _)) => return self.wrong(n, &key_path(path, "Items"), "a list"),
                None => (&[][..], path.to_owned()),
            },
            Kind::Unresolved(why) => {
                report_unresolved(self.report, node.at, path, why);
                return Value::Null;
            }
            _ => return self.wrong(node, path, "a list"),
        };
        wrap(form == ListForm::Trusted, self.items(of, items, &path))
    }

    fn items(&self, of: &MemberKind, items: &[Node], path: &str) -> Vec<Value> {
        items
            .iter()
            .enumerate()
            .filter(|(_, item)| !matches!(item.kind, Kind::NoValue))
            .map(|(i, item)| self.value(of, item, &item_path(path, i)))
            .collect()
    }

    fn text(&self, node: &Node, path: &str) -> Value {
        match &node.kind {
            Kind::Text(text) | Kind::Plain(text) => Value::String(text.clone()),
            Kind::Ref(reference) => reference.json(),
            Kind::Parts(parts) => parts_json(parts),
            Kind::Unresolved(why) => {
                report_unresolved(self.report, node.at, path, why);
                Value::Null
            }
            _ => self.wrong(node, path, "a text"),
        }
    }

    fn wrong(&self, node: &Node, path: &str, wanted: &str) -> Value {
        let message = format!("expected {wanted}, found {}", node.what());
        self.report.error(node.at, path, message);
        Value::Null
    }
}

fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| text.strip_suffix(".0")?.parse().ok())
}

fn wrap(trusted: bool, items: Vec<Value>) -> Value {
    let mut list = Map::new();
    if trusted {
        list.insert("Enabled".to_owned(), (!items.is_empty()).into());
    }
    list.insert("Quantity".to_owned(), items.len().into());
    if !items.is_empty() {
        list.insert("Items".to_owned(), items.into());
    }
    Value::Object(list)
}

/// Older spellings as today's: `CNAMEs`, `S3Origin`, `CustomOrigin`, and a continuous deployment policy's flat form.
fn legacy<'n>(structure: &Structure, node: &'n Node) -> std::borrow::Cow<'n, Node> {
    use std::borrow::Cow;
    let has = |key: &str| node.get(key).is_some();
    match structure.name {
        "DistributionConfig" if has("CNAMEs") || has("S3Origin") || has("CustomOrigin") => {
            let mut node = node.clone();
            if let Some(names) = node.get("CNAMEs").cloned() {
                if node.get("Aliases").is_none() {
                    node.set("Aliases", names);
                }
                node.remove("CNAMEs");
            }
            for (key, config) in [
                ("S3Origin", "S3OriginConfig"),
                ("CustomOrigin", "CustomOriginConfig"),
            ] {
                let Some(mut inner) = node.get(key).cloned() else {
                    continue;
                };
                node.remove(key);
                let at = inner.at;
                let domain = inner.get("DNSName").cloned();
                inner.remove("DNSName");
                let domain = domain.unwrap_or_else(|| Node::text(at, ""));
                // The one origin there is is what the behaviours mean.
                let id = node
                    .find(&["DefaultCacheBehavior", "TargetOriginId"])
                    .cloned()
                    .unwrap_or_else(|| domain.clone());
                let mut origin = Node::map(at, [("Id", id), ("DomainName", domain)]);
                origin.set(config, inner);
                if node.get("Origins").is_none() {
                    node.set("Origins", Node::seq(at, vec![origin]));
                }
            }
            Cow::Owned(node)
        }
        "ContinuousDeploymentPolicyConfig"
            if has("SingleWeightPolicyConfig") || has("SingleHeaderPolicyConfig") =>
        {
            let mut node = node.clone();
            let at = node.at;
            let mut traffic = Node::map(at, []);
            for (old, new) in [
                ("Type", "Type"),
                ("SingleWeightPolicyConfig", "SingleWeightConfig"),
                ("SingleHeaderPolicyConfig", "SingleHeaderConfig"),
            ] {
                if let Some(value) = node.get(old).cloned() {
                    traffic.set(new, value);
                }
                node.remove(old);
            }
            if node.get("TrafficConfig").is_none() {
                node.set("TrafficConfig", traffic);
            }
            Cow::Owned(node)
        }
        _ => Cow::Borrowed(node),
    }
}

/// The properties of a CloudFormation resource as the API writes them: [`to_cloudformation`] turned round. `name` is the API's
/// structure. The `$ref` and `$parts` of plans may stand in them, and stay.
///
/// # Errors
///
/// Values of another kind than the structure has, properties that nobody knows; places name `source`.
pub fn from_cloudformation(
    name: &str,
    properties: &Value,
    source: &Path,
) -> Result<Value, ImportErrors> {
    let report = Report::new(true);
    let at = files::whole(&report, source);
    let document = to_api(&report, name, &node_of(properties, at), "");
    match report.take().0 {
        errors if errors.is_empty() => Ok(document),
        errors => Err(ImportErrors::new(errors)),
    }
}

fn node_of(value: &Value, at: At) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(flag) => Kind::Plain(flag.to_string()),
        Value::Number(number) => Kind::Plain(number.to_string()),
        Value::String(text) => Kind::Text(text.clone()),
        Value::Array(items) => Kind::Seq(items.iter().map(|v| node_of(v, at)).collect()),
        Value::Object(members) => match (reference(value), parts(value)) {
            (Some(reference), _) => Kind::Ref(reference),
            (None, Some(parts)) => Kind::Parts(parts),
            (None, None) => Kind::Map(
                members
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        at,
                        value: node_of(value, at),
                    })
                    .collect(),
            ),
        },
    };
    Node { at, kind }
}

fn reference(value: &Value) -> Option<Reference> {
    const ATTRIBUTES: &[&str] = &[
        "arn",
        "domain_name",
        "id",
        "name",
        "s3_canonical_user_id",
        "version",
    ];
    let target = Target::of(value)?;
    Some(Reference {
        kind: target.kind,
        id: target.id,
        attribute: ATTRIBUTES.iter().find(|a| **a == target.attribute)?,
    })
}

fn parts(value: &Value) -> Option<Vec<Part>> {
    let object = value.as_object().filter(|o| o.len() == 1)?;
    let parts = object.get("$parts")?.as_array()?.iter();
    parts
        .map(|part| match part {
            Value::String(text) => Some(Part::Text(text.clone())),
            part => reference(part).map(Part::Ref),
        })
        .collect()
}

/// A document of the API as CloudFormation writes it, for `export --format cloudformation` (CP-351). `name` is the API's
/// structure, as `DistributionConfig`. Members that nobody knows are kept. `CallerReference`, which CloudFormation makes up
/// itself, is left out (CP-321).
#[must_use]
pub fn to_cloudformation(name: &str, document: &Value) -> Value {
    let (Some(structure), Some(object)) = (structure(name), document.as_object()) else {
        return document.clone();
    };
    let mut out = Map::new();
    // `Logging.Enabled: false` is a document without `Logging`.
    let off = |v: &Value| v.get("Enabled") == Some(&Value::Bool(false));
    for (key, value) in object {
        let member = structure.members.iter().find(|m| m.api == key);
        let Some(Member {
            cloudformation,
            kind,
            ..
        }) = member
        else {
            out.insert(key.clone(), value.clone());
            continue;
        };
        match (structure.name, key.as_str()) {
            ("DistributionConfig" | "CloudFrontOriginAccessIdentityConfig", "CallerReference")
            | ("LoggingConfig", "Enabled") => continue,
            ("DistributionConfig", "Logging") if off(value) => continue,
            _ => {}
        }
        if let MemberKind::Methods = kind {
            if let Some(items) = value.get("Items") {
                out.insert("AllowedMethods".to_owned(), items.clone());
            }
            if let Some(cached) = value.get("CachedMethods").and_then(|c| c.get("Items")) {
                out.insert("CachedMethods".to_owned(), cached.clone());
            }
            continue;
        }
        out.insert((*cloudformation).to_owned(), unconvert(kind, value));
    }
    Value::Object(out)
}

fn unconvert(kind: &MemberKind, value: &Value) -> Value {
    match kind {
        MemberKind::Struct(name) => to_cloudformation(name, value),
        MemberKind::Bare(of) => match value {
            Value::Array(items) => items.iter().map(|v| unconvert(of, v)).collect(),
            other => other.clone(),
        },
        MemberKind::List(form, of) => {
            let items: Vec<Value> = value
                .get("Items")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|v| unconvert(of, v))
                .collect();
            match form {
                ListForm::Array | ListForm::Trusted => items.into(),
                ListForm::Wrapped => json!({"Quantity": items.len(), "Items": items}),
                ListForm::Items => json!({ "Items": items }),
            }
        }
        MemberKind::Geo => {
            let mut geo = Map::new();
            if let Some(kind) = value.get("RestrictionType") {
                geo.insert("RestrictionType".to_owned(), kind.clone());
            }
            if let Some(items) = value
                .get("Items")
                .filter(|i| i.as_array().is_some_and(|a| !a.is_empty()))
            {
                geo.insert("Locations".to_owned(), items.clone());
            }
            Value::Object(geo)
        }
        _ => value.clone(),
    }
}
