//! A distribution with its origins and behaviours: what is said short is said in full (CP-642).

use std::collections::BTreeMap;

use fourfront_import::{Document, RefKind};
use fourfront_model::{EventType, OriginKind, OriginProtocol};
use serde_json::{Map, Value, json};

use super::{
    CARRIED, Reader, is_off, items, member, member_text, plain,
    policy::{CACHE, DEFAULT_CACHE_POLICY, ORIGIN_REQUEST, RESPONSE_HEADERS},
    reference,
};
use crate::{
    cursor::{Cursor, shorten},
    lower::{from_url, parse_authority},
    raw::is_counted,
    report::{At, Report, Spanned},
    spelling::nearest,
};

/// Members of a behaviour that are not a renaming away from the API's.
const BEHAVIOR: &[&str] = &[
    "origin",
    "target_origin_id",
    "path",
    "path_pattern",
    "allowed_methods",
    "cached_methods",
    "cache_policy",
    "cache_policy_id",
    "origin_request_policy",
    "origin_request_policy_id",
    "response_headers_policy",
    "response_headers_policy_id",
    "on",
    "lambda_function_associations",
    "function_associations",
    "trusted_key_groups",
];

impl Reader<'_> {
    pub(super) fn distribution(&mut self, key: &Spanned<String>, entry: &Cursor<'_>) {
        self.refuse(entry, &["domain_name"]);
        if member_text(entry, "default") == Some("true") {
            self.refuse(entry, &["default"]);
        }
        if let Some(compat) = member(entry, "compat") {
            self.strict_alone(&compat);
        }
        let handled: Vec<&str> = [
            "compat",
            "config",
            "continuous_deployment_policy_id",
            "default",
            "default_cache_behavior",
            "cache_behaviors",
            "domain_name",
            "geo_restriction",
            "id",
            "origin_groups",
            "origins",
            "unknown_members",
        ]
        .into_iter()
        .chain(CARRIED.iter().copied())
        .collect();
        let mut properties = self.structure("DistributionConfig", entry, &handled);
        properties.entry("Enabled").or_insert_with(|| json!(true));
        if let Some(geo) = member(entry, "geo_restriction").filter(|geo| !is_off(geo)) {
            let geo = json!({ "GeoRestriction": self.geo(&geo) });
            properties.insert("Restrictions".to_owned(), geo);
        }
        if let Some(policy) = member(entry, "continuous_deployment_policy_id")
            && let Some(name) = policy.scalar()
        {
            let policy = match self.declared.rollouts.get(name) {
                Some(key) => reference(RefKind::ContinuousDeploymentPolicy, key, "id"),
                None => json!(name),
            };
            properties.insert("ContinuousDeploymentPolicyId".to_owned(), policy);
        }
        let (origins, ids) = self.origins(entry);
        properties.insert("Origins".to_owned(), origins.into());
        if let Some(groups) = member(entry, "origin_groups") {
            let groups = by_id(&groups)
                .into_iter()
                .map(|(id, group)| {
                    let mut group = self.structure("OriginGroup", &group, &[]);
                    group.entry("Id").or_insert_with(|| json!(id.value));
                    Value::from(group)
                })
                .collect::<Vec<_>>();
            properties.insert("OriginGroups".to_owned(), json!({ "Items": groups }));
        }
        let default = member(entry, "default_cache_behavior");
        let default = self.behavior(default.as_ref(), &key.at, &key.value, &ids);
        properties.insert("DefaultCacheBehavior".to_owned(), default.into());
        if let Some(listed) = member(entry, "cache_behaviors") {
            let mut behaviors = Vec::new();
            for (i, behavior) in items(&listed).iter().enumerate() {
                let name = format!("{}/{}", key.value, i + 1);
                behaviors.push(self.behavior(Some(behavior), &behavior.at, &name, &ids));
            }
            properties.insert("CacheBehaviors".to_owned(), json!(behaviors));
        }
        let Some(config) = self.document_of("DistributionConfig", properties, &key.at) else {
            return;
        };
        let tags = member_text(entry, "id").map(|id| ("fourfront:id".to_owned(), id.to_owned()));
        let document = Document {
            config,
            settings: self.settings(entry),
            tags: tags.into_iter().collect(),
        };
        let planned = self.planned(key, document);
        self.plan.distributions.push(planned);
    }

    /// What of the file the API has no member for.
    fn settings(&self, entry: &Cursor<'_>) -> BTreeMap<String, Value> {
        let mut settings: BTreeMap<String, Value> = self
            .carried
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        for name in CARRIED {
            if let Some(value) = member(entry, name) {
                settings.insert((*name).to_owned(), plain(&value));
            }
        }
        // The loader takes documents of CloudFront's to rely on its ways, and files not to.
        if member(entry, "config").is_none() {
            settings
                .entry("cache_mode".to_owned())
                .or_insert_with(|| json!("rfc9111"));
        }
        if settings.get("cache_mode") == Some(&json!("cloudfront")) {
            // As with any document that comes by the API.
            settings.remove("cache_mode");
        }
        settings
    }

    /// The origins, and their ids.
    fn origins(&self, entry: &Cursor<'_>) -> (Vec<Value>, Vec<String>) {
        let listed = member(entry, "origins");
        let listed = listed.map_or_else(Vec::new, |listed| by_id(&listed));
        let mut origins = Vec::new();
        let mut ids = Vec::new();
        for (id, origin) in listed {
            let origin = match origin.scalar() {
                Some(_) => self.url(&id, &origin),
                None => Some(self.origin(&origin)),
            };
            ids.push(id.value.clone());
            if let Some(mut origin) = origin {
                origin.entry("Id").or_insert_with(|| json!(id.value));
                origins.push(origin.into());
            }
        }
        (origins, ids)
    }

    /// An origin that is written as a URL.
    fn url(&self, id: &Spanned<String>, url: &Cursor<'_>) -> Option<Map<String, Value>> {
        // What is worth a warning has no place in a plan twice: the node says it when it serves.
        let quiet = Report::new(std::path::Path::new(""));
        let text = url.text()?;
        let Some(origin) = from_url(id, &text, &quiet) else {
            for error in quiet.into_errors().0 {
                self.report.error_help(&url.at, error.message, error.help);
            }
            return None;
        };
        let OriginKind::Custom(custom) = &origin.kind else {
            return None;
        };
        let (http, https) = match custom.protocol {
            OriginProtocol::Http => (custom.port, 443),
            OriginProtocol::Https => (80, custom.port),
        };
        let policy = match custom.protocol {
            OriginProtocol::Http => "http-only",
            OriginProtocol::Https => "https-only",
        };
        let host = match origin.domain_name.contains(':') {
            true => format!("[{}]", origin.domain_name),
            false => origin.domain_name.clone(),
        };
        let mut properties = Map::new();
        properties.insert("DomainName".to_owned(), json!(host));
        if !origin.origin_path.is_empty() {
            properties.insert("OriginPath".to_owned(), json!(origin.origin_path));
        }
        let custom =
            json!({ "HTTPPort": http, "HTTPSPort": https, "OriginProtocolPolicy": policy });
        properties.insert("CustomOriginConfig".to_owned(), custom);
        Some(properties)
    }

    fn origin(&self, origin: &Cursor<'_>) -> Map<String, Value> {
        if let Some((dir, _)) = origin.member_spelled("dir") {
            self.report.error_help(
                &dir.at,
                "a directory is the node's, and is not deployed",
                "name a bucket, and let `node.origins.s3` of the node's own site file put a directory in its place".to_owned(),
            );
        }
        let handled = ["dir", "origin_access_control_id"];
        let mut properties = self.structure("Origin", origin, &handled);
        if let Some(control) = member_text(origin, "origin_access_control_id") {
            let control = match self.declared.controls.get(control) {
                Some(key) => reference(RefKind::OriginAccessControl, key, "id"),
                None => json!(control),
            };
            properties.insert("OriginAccessControlId".to_owned(), control);
        }
        // CF-411: a port beside the host is that of the one protocol the origin speaks.
        let domain = properties.get("DomainName").and_then(Value::as_str);
        let port = domain.and_then(parse_authority);
        if let (Some((host, Some(port))), Some(custom)) =
            (port, properties.get_mut("CustomOriginConfig"))
        {
            let member = match custom["OriginProtocolPolicy"] == json!("https-only") {
                true => "HTTPSPort",
                false => "HTTPPort",
            };
            if custom.get(member).is_none()
                && custom["OriginProtocolPolicy"] != json!("match-viewer")
            {
                custom[member] = json!(port);
                properties.insert("DomainName".to_owned(), json!(host));
            }
        }
        properties
    }

    /// A behaviour, or the default one where nothing is written.
    fn behavior(
        &mut self,
        behavior: Option<&Cursor<'_>>,
        at: &At,
        name: &str,
        origins: &[String],
    ) -> Map<String, Value> {
        let structure = match name.contains('/') {
            true => "CacheBehavior",
            false => "DefaultCacheBehavior",
        };
        let mut properties = behavior.map_or_else(Map::new, |behavior| {
            self.structure(structure, behavior, BEHAVIOR)
        });
        let text = |keys: [&str; 2]| {
            let behavior = behavior?;
            keys.iter().find_map(|key| member_text(behavior, key))
        };
        match (text(["origin", "target_origin_id"]), origins) {
            (Some(origin), _) => {
                properties.insert("TargetOriginId".to_owned(), json!(origin));
            }
            // CF-060
            (None, [only]) => {
                properties.insert("TargetOriginId".to_owned(), json!(only));
            }
            (None, _) => {
                let at = behavior.map_or(at, |b| &b.at);
                self.report.error_help(
                    at,
                    "the behaviour names no origin and there are several",
                    format!("add `origin:` with one of {}", origins.join(", ")),
                );
            }
        }
        if structure == "CacheBehavior"
            && let Some(path) = text(["path", "path_pattern"])
        {
            properties.insert("PathPattern".to_owned(), json!(path));
        }
        if !at.file.is_document() {
            properties
                .entry("ViewerProtocolPolicy")
                .or_insert_with(|| json!("allow-all"));
        }
        let Some(behavior) = behavior else {
            let id = CACHE.managed(DEFAULT_CACHE_POLICY);
            properties.insert("CachePolicyId".to_owned(), json!(id));
            return properties;
        };
        methods(behavior, &mut properties);
        for family in [CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS] {
            if let Some(policy) = self.policy_of(family, behavior, name, at) {
                properties.insert(family.member.to_owned(), policy);
            }
        }
        let names_policy =
            member(behavior, "cache_policy").or_else(|| member(behavior, "cache_policy_id"));
        if names_policy.is_none()
            && !properties.contains_key("ForwardedValues")
            && !behavior.at.file.is_document()
        {
            let id = CACHE.managed(DEFAULT_CACHE_POLICY);
            properties.insert("CachePolicyId".to_owned(), json!(id));
        }
        self.associations(behavior, &mut properties);
        if let Some(groups) = member(behavior, "trusted_key_groups") {
            let groups = items(&groups);
            let groups = groups.iter().filter_map(Cursor::scalar).map(|name| {
                match self.declared.key_groups.get(name) {
                    Some(key) => reference(RefKind::KeyGroup, key, "id"),
                    None => json!(name),
                }
            });
            properties.insert("TrustedKeyGroups".to_owned(), groups.collect());
        }
        properties
    }

    /// `on`, and the API's two lists.
    fn associations(&self, behavior: &Cursor<'_>, into: &mut Map<String, Value>) {
        let mut lambda = Vec::new();
        let mut cloudfront = Vec::new();
        let on = member(behavior, "on").filter(Cursor::is_mapping);
        for event in EventType::ALL {
            let Some(given) = on.as_ref().and_then(|on| member(on, event.as_str())) else {
                continue;
            };
            let named = match given.scalar() {
                Some(_) => Some(given.clone()),
                None => member(&given, "function"),
            };
            let Some((at, name)) = named.as_ref().and_then(|n| Some((n, n.scalar()?))) else {
                continue;
            };
            if member_text(&given, "on_error").is_some_and(|word| word != "fail") {
                self.refuse(&given, &["on_error"]);
            }
            let event = event.as_str();
            if let Some(key) = self.own(name) {
                let arn = reference(RefKind::Version, key, "arn");
                let mut association = json!({ "EventType": event, "LambdaFunctionARN": arn });
                if let Some(body) = member_text(&given, "include_body") {
                    association["IncludeBody"] = json!(body);
                }
                lambda.push(association);
            } else if let Some(key) = self.declared.cloudfront_functions.get(name) {
                let arn = reference(RefKind::CloudfrontFunction, key, "arn");
                cloudfront.push(json!({ "EventType": event, "FunctionARN": arn }));
            } else {
                let lambda = self.declared.functions.keys();
                let known = lambda.chain(self.declared.cloudfront_functions.keys());
                let near = nearest(name, known.map(String::as_str));
                at.error_help(
                    format!("there is no function `{}` in the file", shorten(name)),
                    near.map(|near| format!("did you mean `{near}`?")),
                );
            }
        }
        for (key, structure, list) in [
            (
                "lambda_function_associations",
                "LambdaFunctionAssociation",
                &mut lambda,
            ),
            (
                "function_associations",
                "FunctionAssociation",
                &mut cloudfront,
            ),
        ] {
            let Some(listed) = member(behavior, key) else {
                continue;
            };
            for item in items(&listed) {
                let mut association = self.structure(structure, &item, &[]);
                for member in ["LambdaFunctionARN", "FunctionARN"] {
                    let arn = association.get(member).and_then(Value::as_str);
                    if let Some(own) = arn.and_then(|arn| self.named_by_arn(arn)) {
                        association.insert(member.to_owned(), own);
                    }
                }
                list.push(association.into());
            }
        }
        for (member, list) in [
            ("LambdaFunctionAssociations", lambda),
            ("FunctionAssociations", cloudfront),
        ] {
            if !list.is_empty() {
                into.insert(member.to_owned(), list.into());
            }
        }
    }

    /// The key of a Lambda function of the file that is in the plan or was reported.
    fn own(&self, name: &str) -> Option<&String> {
        self.declared.functions.get(name)
    }

    /// What stands in the file for an ARN: the function that says it has it on AWS, or one of the ARN's name (CF-025, CF-072).
    fn named_by_arn(&self, arn: &str) -> Option<Value> {
        let declared = &self.declared;
        let cloudfront = |name: &str| {
            let key = declared.cloudfront_functions.get(name)?;
            Some(reference(RefKind::CloudfrontFunction, key, "arn"))
        };
        let lambda = |name: &str| {
            let key = declared.functions.get(name)?;
            Some(reference(RefKind::Version, key, "arn"))
        };
        let name = arn.rsplit_once(":function/").map(|(_, name)| name);
        if let Some(name) = name {
            return cloudfront(arn).or_else(|| cloudfront(name));
        }
        let name = arn.split_once(":function:")?.1.split(':').next()?;
        lambda(arn).or_else(|| lambda(name))
    }
}

/// Methods by the name of their set, as a list, or as the API has them, the cached ones within the allowed ones (CF-062).
fn methods(behavior: &Cursor<'_>, into: &mut Map<String, Value>) {
    let allowed = member(behavior, "allowed_methods");
    let within = allowed.as_ref().and_then(|a| member(a, "cached_methods"));
    let cached = within.or_else(|| member(behavior, "cached_methods"));
    for (name, given) in [("AllowedMethods", allowed), ("CachedMethods", cached)] {
        let Some(given) = given else {
            continue;
        };
        let methods: Vec<String> = match given.scalar() {
            Some("get-head") => ["GET", "HEAD"].map(str::to_owned).to_vec(),
            Some("get-head-options") => ["GET", "HEAD", "OPTIONS"].map(str::to_owned).to_vec(),
            Some(_) => ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
                .map(str::to_owned)
                .to_vec(),
            None => {
                let listed = items(&given);
                let listed = listed.iter().filter_map(Cursor::scalar);
                listed.map(str::to_ascii_uppercase).collect()
            }
        };
        into.insert(name.to_owned(), json!(methods));
    }
}

/// Entries by id: a map from id to entry, or a list whose items have one.
fn by_id<'n>(cursor: &Cursor<'n>) -> Vec<(Spanned<String>, Cursor<'n>)> {
    if cursor.is_mapping() && !is_counted(cursor) {
        return cursor.entries("").unwrap_or_default();
    }
    let id = |item: Cursor<'n>| {
        let id = member(&item, "id")?.text()?;
        Some((id, item))
    };
    items(cursor).into_iter().filter_map(id).collect()
}
