//! What a node has as a plan: a distribution with all that it names, from the documents as the native API shows them (CP-351,
//! CP-620). Whatever is exported is written from this.

use std::collections::BTreeMap;

use fourfront_import::{
    Artifact, CloudFrontFunction, Document, Function, Place, Plan, Planned, RefKind, Store, Version,
};
use serde_json::{Value, json};

use super::reference;

/// Documents by kind, in the words of the native API, each `{ id, body }`.
pub type NodeDocuments = BTreeMap<&'static str, Vec<Value>>;

/// The kinds of documents that a distribution leads to.
pub const GATHERED: &[&str] = &[
    "cache-policy",
    "origin-request-policy",
    "response-headers-policy",
    "origin-access-control",
    "key-group",
    "public-key",
    "cloudfront-function",
    "key-value-store",
    "lambda-version",
];

/// A distribution as a plan, with what of `documents` it names. Code and data are elsewhere: that of a Lambda function is an
/// object `sha256/HEX` ([`Artifact::S3`]), that of a CloudFront Function the hexadecimal SHA-256 of its text, and stores have no
/// data. Notes tell what is left out.
#[must_use]
pub fn gather(distribution: &Value, documents: &NodeDocuments) -> (Plan, Vec<String>) {
    let mut gatherer = Gatherer {
        documents,
        plan: Plan::default(),
        notes: Vec::new(),
    };
    let body = &distribution["body"];
    let mut config = body["config"].clone();
    gatherer.distribution(&mut config);
    let document = Document {
        config,
        settings: read(&body["settings"]),
        tags: tags(body),
    };
    let id = distribution["id"].as_str().unwrap_or("site");
    gatherer.plan.distributions.push(planned(id, document));
    (gatherer.plan, gatherer.notes)
}

fn read<T: serde::de::DeserializeOwned + Default>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_default()
}

/// Tags without the applier's own.
fn tags(body: &Value) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> = read(&body["tags"]);
    tags.remove("fourfront:stack");
    tags
}

fn planned<T>(id: &str, item: T) -> Planned<T> {
    Planned {
        id: id.to_owned(),
        place: Place::default(),
        retain: false,
        item,
    }
}

struct Gatherer<'d> {
    documents: &'d NodeDocuments,
    plan: Plan,
    notes: Vec<String>,
}

impl<'d> Gatherer<'d> {
    fn find(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Option<&'d Value> {
        self.documents.get(kind)?.iter().find(|d| is_it(d))
    }

    fn by_id(&self, kind: &str, id: &str) -> Option<&'d Value> {
        self.find(kind, |d| d["id"] == json!(id))
    }

    fn distribution(&mut self, config: &mut Value) {
        let policy = config["ContinuousDeploymentPolicyId"].as_str();
        if let Some(policy) = policy.filter(|p| !p.is_empty()) {
            let note = format!(
                "left out: the continuous deployment policy {policy}, which is a trial on this node"
            );
            self.notes.push(note);
            if let Some(members) = config.as_object_mut() {
                members.remove("ContinuousDeploymentPolicyId");
            }
        }
        let origins = config["Origins"]["Items"].as_array_mut();
        for origin in origins.into_iter().flatten() {
            let control = &mut origin["OriginAccessControlId"];
            if control.is_null() {
                if let Some(members) = origin.as_object_mut() {
                    members.remove("OriginAccessControlId");
                }
                continue;
            }
            self.refer(
                control,
                "origin-access-control",
                RefKind::OriginAccessControl,
            );
        }
        let mut behaviors = Vec::new();
        if let Some(members) = config.as_object_mut() {
            for (name, value) in members {
                match name.as_str() {
                    "DefaultCacheBehavior" => behaviors.push(value),
                    "CacheBehaviors" => {
                        let items = value.get_mut("Items").and_then(Value::as_array_mut);
                        behaviors.extend(items.into_iter().flatten());
                    }
                    _ => {}
                }
            }
        }
        for behavior in behaviors {
            for (member, kind, reference) in [
                ("CachePolicyId", "cache-policy", RefKind::CachePolicy),
                (
                    "OriginRequestPolicyId",
                    "origin-request-policy",
                    RefKind::OriginRequestPolicy,
                ),
                (
                    "ResponseHeadersPolicyId",
                    "response-headers-policy",
                    RefKind::ResponseHeadersPolicy,
                ),
            ] {
                if let Some(id) = behavior.get_mut(member) {
                    self.refer(id, kind, reference);
                }
            }
            let groups = behavior.pointer_mut("/TrustedKeyGroups/Items");
            for group in groups.and_then(Value::as_array_mut).into_iter().flatten() {
                self.refer(group, "key-group", RefKind::KeyGroup);
            }
            for (list, member) in [
                ("/FunctionAssociations/Items", "FunctionARN"),
                ("/LambdaFunctionAssociations/Items", "LambdaFunctionARN"),
            ] {
                let items = behavior.pointer_mut(list).and_then(Value::as_array_mut);
                for item in items.into_iter().flatten() {
                    let arn = item[member].as_str().unwrap_or_default().to_owned();
                    let found = match member {
                        "FunctionARN" => self.cloudfront_function(&arn),
                        _ => self.lambda(&arn),
                    };
                    if let Some(found) = found {
                        item[member] = found;
                    }
                }
            }
        }
    }

    /// Puts a reference in the place of an id, and what it is of into the plan.
    fn refer(&mut self, value: &mut Value, kind: &'static str, as_kind: RefKind) {
        let Some(id) = value.as_str().map(str::to_owned) else {
            return;
        };
        let Some(found) = self.by_id(kind, &id) else {
            return;
        };
        *value = reference(as_kind, &id, "id");
        let plan = &mut self.plan;
        let list = match as_kind {
            RefKind::CachePolicy => &mut plan.cache_policies,
            RefKind::OriginRequestPolicy => &mut plan.origin_request_policies,
            RefKind::ResponseHeadersPolicy => &mut plan.response_headers_policies,
            RefKind::OriginAccessControl => &mut plan.origin_access_controls,
            RefKind::KeyGroup => &mut plan.key_groups,
            _ => &mut plan.public_keys,
        };
        if list.iter().any(|d| d.id == id) {
            return;
        }
        let document = Document {
            config: found["body"]["config"].clone(),
            ..Document::default()
        };
        list.push(planned(&id, document));
        if as_kind == RefKind::KeyGroup {
            let mut keys = found["body"]["config"]["Items"].clone();
            for key in keys.as_array_mut().into_iter().flatten() {
                self.refer(key, "public-key", RefKind::PublicKey);
            }
            if let Some(group) = self.plan.key_groups.last_mut() {
                group.item.config["Items"] = keys;
            }
        }
    }

    fn cloudfront_function(&mut self, arn: &str) -> Option<Value> {
        let (_, name) = arn.rsplit_once(":function/")?;
        let found = self.by_id("cloudfront-function", name)?;
        let live = &found["body"]["live"];
        if live.is_null() {
            return None;
        }
        if !self.plan.cloudfront_functions.iter().any(|f| f.id == name) {
            let mut config = live["config"].clone();
            let stores = config.pointer_mut("/KeyValueStoreAssociations/Items");
            for store in stores.and_then(Value::as_array_mut).into_iter().flatten() {
                let arn = store["KeyValueStoreARN"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                if let Some(found) = self.store(&arn) {
                    store["KeyValueStoreARN"] = found;
                }
            }
            let function = CloudFrontFunction {
                name: name.to_owned(),
                code: live["sha256"].clone(),
                config,
                publish: true,
                tags: tags(&found["body"]),
            };
            self.plan.cloudfront_functions.push(planned(name, function));
        }
        Some(reference(RefKind::CloudfrontFunction, name, "arn"))
    }

    fn store(&mut self, arn: &str) -> Option<Value> {
        let (_, id) = arn.rsplit_once('/')?;
        let found = self.find("key-value-store", |d| d["body"]["id"] == json!(id))?;
        let name = found["id"].as_str()?;
        if !self.plan.stores.iter().any(|s| s.id == name) {
            let store = Store {
                name: name.to_owned(),
                comment: read(&found["body"]["comment"]),
                data: None,
                tags: tags(&found["body"]),
            };
            self.plan.stores.push(planned(name, store));
        }
        Some(reference(RefKind::Store, name, "arn"))
    }

    fn lambda(&mut self, arn: &str) -> Option<Value> {
        let (_, id) = arn.rsplit_once(":function:")?;
        let (name, number) = id.rsplit_once(':')?;
        let wanted: u64 = number.parse().ok()?;
        let found = self.find("lambda-version", |d| {
            d["body"]["name"] == json!(name) && d["body"]["number"] == json!(wanted)
        })?;
        let code = &found["body"]["code"];
        if !self.plan.versions.iter().any(|v| v.id == id) {
            let config = &code["config"];
            let text = |member: &str| config[member].as_str().unwrap_or_default().to_owned();
            let function = Function {
                name: name.to_owned(),
                runtime: text("Runtime"),
                handler: text("Handler"),
                memory: config["MemorySize"].as_u64(),
                timeout: config["Timeout"].as_u64(),
                environment: read(&config["Environment"]["Variables"]),
                description: text("Description"),
                architectures: Vec::new(),
                tags: BTreeMap::new(),
                edge: true,
                code: Artifact::S3 {
                    bucket: "sha256".to_owned(),
                    key: code["sha256"].as_str().unwrap_or_default().to_owned(),
                    version: None,
                },
            };
            if !self.plan.functions.iter().any(|f| f.id == name) {
                self.plan.functions.push(planned(name, function));
            }
            let version = Version {
                function: reference(RefKind::Function, name, "name"),
                number: number.parse().ok(),
                description: String::new(),
                code_sha256: None,
                code: None,
            };
            self.plan.versions.push(planned(id, version));
        }
        Some(reference(RefKind::Version, id, "arn"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{write_plan, write_terraform};

    #[test]
    fn a_distribution_is_gathered_with_all_that_it_names() {
        // CP-351
        let documents: NodeDocuments = [
            ("cache-policy", vec![json!({ "id": "P1", "body": { "config": { "Name": "static", "MinTTL": 1 } } }), json!({ "id": "P2", "body": {} })]),
            ("key-group", vec![json!({ "id": "G1", "body": { "config": { "Name": "team", "Items": ["K1"] } } })]),
            ("public-key", vec![json!({ "id": "K1", "body": { "config": { "CallerReference": "r", "Name": "mine", "EncodedKey": "PEM" } } })]),
            ("cloudfront-function", vec![json!({ "id": "fast", "body": { "live": { "sha256": "abc", "config": { "Comment": "", "Runtime": "cloudfront-js-2.0",
                "KeyValueStoreAssociations": { "Quantity": 1, "Items": [{ "KeyValueStoreARN": "arn:aws:cloudfront::1:key-value-store/u1" }] } } } } })]),
            ("key-value-store", vec![json!({ "id": "routes", "body": { "id": "u1", "comment": "c" } })]),
            ("lambda-version", vec![json!({ "id": "edge:2", "body": { "name": "edge", "number": 2, "code": { "sha256": "def", "config": { "Handler": "index.handler", "Runtime": "nodejs22.x", "Timeout": 3, "MemorySize": 128 } } } })]),
            ("origin-access-control", vec![json!({ "id": "O1", "body": { "config": { "Name": "signed", "SigningBehavior": "always", "SigningProtocol": "sigv4", "OriginAccessControlOriginType": "s3" } } })]),
        ]
        .into();
        let distribution = json!({ "id": "E1", "body": { "tags": { "fourfront:stack": "s", "team": "web" }, "settings": { "request_cc": "honour" }, "config": {
            "CallerReference": "r", "Comment": "", "Enabled": true, "ContinuousDeploymentPolicyId": "C1",
            "Origins": { "Quantity": 1, "Items": [{ "Id": "a", "DomainName": "a.s3.amazonaws.com", "OriginAccessControlId": "O1", "S3OriginConfig": { "OriginAccessIdentity": "" } }] },
            "DefaultCacheBehavior": { "TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "P1",
                "TrustedKeyGroups": { "Enabled": true, "Quantity": 1, "Items": ["G1"] },
                "FunctionAssociations": { "Quantity": 1, "Items": [{ "EventType": "viewer-request", "FunctionARN": "arn:aws:cloudfront::1:function/fast" }] },
                "LambdaFunctionAssociations": { "Quantity": 1, "Items": [{ "EventType": "origin-request", "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:edge:2" }] } },
            "CacheBehaviors": { "Quantity": 1, "Items": [{ "PathPattern": "/x", "TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                "LambdaFunctionAssociations": { "Quantity": 1, "Items": [{ "EventType": "viewer-request", "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:edge:2" }] } }] },
        } } });
        let (plan, notes) = gather(&distribution, &documents);
        assert_eq!(
            notes,
            ["left out: the continuous deployment policy C1, which is a trial on this node"]
        );
        let counts = [
            plan.functions.len(),
            plan.versions.len(),
            plan.cloudfront_functions.len(),
            plan.stores.len(),
            plan.cache_policies.len(),
            plan.public_keys.len(),
            plan.key_groups.len(),
            plan.origin_access_controls.len(),
        ];
        assert_eq!(counts, [1; 8], "each once, and none that is not named");
        assert_eq!(
            plan.distributions[0].item.tags,
            [("team".to_owned(), "web".to_owned())].into()
        );
        let written = write_plan(&plan).unwrap_or_else(|e| panic!("{e}"));
        for part in [
            "viewer-request: fast",
            "origin-request: edge",
            "cache_policy: static",
            "cache_policy: Managed-CachingOptimized",
            "trusted_key_groups: [team]",
            "keys: [mine]",
            "store: routes",
            "origin_access_control_id: signed",
            "cache_mode: cloudfront",
            "request_cc: honour",
        ] {
            assert!(written.text.contains(part), "{part}: {}", written.text);
        }
        let terraform = write_terraform(&plan, None).unwrap_or_else(|e| panic!("{e}"));
        let faults = crate::terraform::tests::faults(&terraform.document);
        // What the hand-made documents above lack.
        assert!(
            faults.iter().all(|f| f.contains("cache_policy.parameters")),
            "{faults:?}"
        );
    }
}
