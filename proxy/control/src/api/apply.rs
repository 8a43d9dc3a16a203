//! From a plan to documents (CP-301, CP-302): every resource of a stack is made, changed or left, in the order that references
//! need, by the operations of the API, and all of it is one write.
//!
//! What a stack owns stands in a document of its own, by logical id, so that a second deploy finds the resources of the first.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_import::{Artifact, Document, Plan, Planned, RefKind, Target, substitute};
use fourfront_store::{BlobId, Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ApiError, cloudfront,
    cloudfront::{DistributionDocument, FamilyDocument, FunctionDocument, StoreDocument},
    lambda,
    lambda::{LambdaFunction, version_id},
    tx::{Output, Stored, Tx},
};

/// What a stack owns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stack {
    /// By kind and logical id.
    pub(super) resources: BTreeMap<String, Owned>,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owned {
    /// The document's kind.
    pub(super) kind: String,
    /// Its id.
    pub(super) id: String,
    /// Whether it stays when the stack no longer has it.
    #[serde(default)]
    pub(super) retain: bool,
}

/// What becomes of one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Step {
    /// `create`, `change`, `keep`, `delete` or `ignore`.
    pub(super) action: &'static str,
    /// Of what kind it is, in the words of plans.
    pub(super) kind: &'static str,
    /// Its logical id.
    pub(super) id: String,
    /// What the node knows it by.
    pub(super) name: String,
    /// Where it is written.
    pub(super) place: String,
}

/// What a plan comes to.
pub(super) struct Applied {
    pub(super) steps: Vec<Step>,
    /// Where viewers find the stack's distributions.
    pub(super) urls: Vec<String>,
    /// The documents that the stack consists of.
    pub(super) members: Vec<(Kind, String)>,
}

/// The artifacts of a plan as they were uploaded: SHA-256 by kind and logical id, `function:Edge`.
pub(super) type Artifacts = BTreeMap<String, String>;

/// How a stack's document is called among settings.
pub(super) fn stack_id(stack: &str) -> String {
    format!("stack:{stack}")
}

struct Applier<'t, 'a> {
    tx: &'t mut Tx<'a>,
    plan: &'t Plan,
    artifacts: &'t Artifacts,
    before: Stack,
    after: Stack,
    steps: Vec<Step>,
    /// Values that references stand for.
    values: BTreeMap<Target, String>,
}

/// Works a plan out in a call.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    plan: &Plan,
    artifacts: &Artifacts,
    prune: bool,
) -> Result<Applied, ApiError> {
    if plan.stack.is_empty() {
        return Err(ApiError::new(
            400,
            "InvalidArgument",
            "the plan has no stack name",
        ));
    }
    let id = stack_id(&plan.stack);
    let before = tx.get::<Stack>(&Kind::Setting, &id)?;
    let before = before.map(|stored| stored.body).unwrap_or_default();
    let mut applier = Applier {
        tx,
        plan,
        artifacts,
        after: Stack::default(),
        before,
        steps: Vec::new(),
        values: BTreeMap::new(),
    };
    applier.certificates();
    applier.functions()?;
    applier.versions()?;
    applier.aliases()?;
    applier.stores()?;
    applier.cloudfront_functions()?;
    applier.documents()?;
    applier.distributions()?;
    applier.attachments()?;
    applier.leftovers(prune)?;
    let Applier { after, steps, .. } = applier;
    let mut members: Vec<(Kind, String)> = after
        .resources
        .values()
        .filter_map(|owned| Some((owned.kind.parse().ok()?, owned.id.clone())))
        .collect();
    members.sort();
    members.dedup();
    tx.put(Kind::Setting, &id, &after)?;
    members.push((Kind::Setting, id));
    let mut urls = Vec::new();
    for (kind, id) in &members {
        if *kind != Kind::Distribution {
            continue;
        }
        if let Some(found) = tx.get::<DistributionDocument>(kind, id)? {
            urls.push(found.body.domain_name.clone());
            let aliases = found.body.config["Aliases"]["Items"].as_array().cloned();
            let aliases = aliases.unwrap_or_default();
            urls.extend(aliases.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    Ok(Applied {
        steps,
        urls,
        members,
    })
}

impl Applier<'_, '_> {
    fn resolved(&self, value: &Value) -> Result<Value, ApiError> {
        substitute(value, &|target| self.values.get(target).cloned()).map_err(|target| {
            ApiError::new(
                400,
                "UnresolvedReference",
                format!(
                    "{:?} {} ({}) is not among what is deployed",
                    target.kind, target.id, target.attribute
                ),
            )
        })
    }

    /// A name or an ARN as text.
    fn text(&self, value: &Value) -> Result<String, ApiError> {
        Ok(self
            .resolved(value)?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn know(&mut self, kind: RefKind, id: &str, attribute: &str, value: impl Into<String>) {
        let target = Target {
            kind,
            id: id.to_owned(),
            attribute: attribute.to_owned(),
        };
        self.values.insert(target, value.into());
    }

    fn own(&mut self, what: &str, logical: &str, kind: &Kind, id: &str, retain: bool) {
        let owned = Owned {
            kind: kind.to_string(),
            id: id.to_owned(),
            retain,
        };
        self.after
            .resources
            .insert(format!("{what} {logical}"), owned);
    }

    fn owned(&self, what: &str, logical: &str) -> Option<String> {
        let owned = self.before.resources.get(&format!("{what} {logical}"))?;
        Some(owned.id.clone())
    }

    fn step<T>(&mut self, action: &'static str, kind: &'static str, of: &Planned<T>, name: &str) {
        self.steps.push(Step {
            action,
            kind,
            id: of.id.clone(),
            name: name.to_owned(),
            place: of.place.to_string(),
        });
    }

    /// The blob of an artifact that was uploaded with the plan.
    fn artifact(
        &self,
        what: &str,
        logical: &str,
        artifact: &Artifact,
    ) -> Result<Vec<u8>, ApiError> {
        if let Artifact::S3 { bucket, key, .. } = artifact {
            return self.tx.artifact(bucket, key).map_err(|why| {
                ApiError::new(
                    400,
                    "InvalidArgument",
                    format!("{logical}: s3://{bucket}/{key}: {why} (CP-075)"),
                )
            });
        }
        let missing = || {
            ApiError::new(
                400,
                "MissingArtifact",
                format!("{what} {logical}: its code was not sent with the plan: {artifact}"),
            )
        };
        let sha256 = self
            .artifacts
            .get(&format!("{what}:{logical}"))
            .ok_or_else(missing)?;
        let id: BlobId = sha256.parse().map_err(|_| missing())?;
        self.tx.store.blob_read(&id)?.ok_or_else(missing)
    }

    fn call_lambda(&mut self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        lambda::call(self.tx, operation, input).map(|output| output.value)
    }

    fn call_cloudfront(&mut self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        cloudfront::call(self.tx, operation, input).map(|Output { value, .. }| value)
    }

    /// Certificates are looked up when the distribution is made ready, by the node's own labels (CP-117).
    fn certificates(&mut self) {
        for certificate in &self.plan.certificates {
            let label = certificate.item.hosts.first().cloned().unwrap_or_default();
            self.know(RefKind::Certificate, &certificate.id, "arn", label);
        }
    }

    fn functions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for function in &plan.functions {
            let item = &function.item;
            let account = self.tx.settings.account.clone();
            self.know(RefKind::Function, &function.id, "name", &item.name);
            self.know(
                RefKind::Function,
                &function.id,
                "arn",
                account.lambda(&item.name),
            );
            let environment = self.resolved(&json!(item.environment))?;
            let mut config = json!({
                "FunctionName": item.name,
                "Runtime": if item.runtime.is_empty() { "nodejs22.x" } else { &item.runtime },
                "Handler": item.handler,
                "Description": item.description,
                "Role": format!("arn:aws:iam::{}:role/{}", account.id, item.name),
                "Timeout": item.timeout.unwrap_or(3),
                "MemorySize": item.memory.unwrap_or(128),
                "Environment": { "Variables": environment },
            });
            if !item.architectures.is_empty() {
                config["Architectures"] = json!(item.architectures);
            }
            let zip = self.artifact("function", &function.id, &item.code)?;
            let sha256 = BlobId::of(&zip).to_string();
            let existing: Option<Stored<LambdaFunction>> =
                self.tx.get(&Kind::Lambda, &item.name)?;
            let action = match existing {
                None => {
                    config["Code"] = json!({ "ZipFile": STANDARD.encode(&zip) });
                    config["Tags"] = json!(item.tags);
                    self.call_lambda("CreateFunction", &config)?;
                    "create"
                }
                Some(found) => {
                    let latest = &found.body.latest;
                    let kept = config.as_object().into_iter().flatten();
                    let same_config = kept
                        .filter(|(member, _)| *member != "FunctionName")
                        .all(|(member, value)| latest.config.get(member) == Some(value));
                    let same_code = latest.sha256 == sha256;
                    if !same_config {
                        self.call_lambda("UpdateFunctionConfiguration", &config)?;
                    }
                    if !same_code {
                        let input =
                            json!({ "FunctionName": item.name, "ZipFile": STANDARD.encode(&zip) });
                        self.call_lambda("UpdateFunctionCode", &input)?;
                    }
                    match same_config && same_code {
                        true => "keep",
                        false => "change",
                    }
                }
            };
            self.step(action, "function", function, &item.name);
            self.own(
                "function",
                &function.id,
                &Kind::Lambda,
                &item.name,
                function.retain,
            );
        }
        Ok(())
    }

    fn versions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for version in &plan.versions {
            let named = self.text(&version.item.function)?;
            let reference = lambda::FunctionRef::parse(&named, &self.tx.settings.account)?;
            let before = self
                .tx
                .get::<LambdaFunction>(&Kind::Lambda, &reference.name)?
                .map(|f| f.body.last_version);
            let mut input = json!({ "FunctionName": reference.name });
            if !version.item.description.is_empty() {
                input["Description"] = json!(version.item.description);
            }
            if let Some(sum) = &version.item.code_sha256 {
                input["CodeSha256"] = json!(sum);
            }
            let published = self.call_lambda("PublishVersion", &input)?;
            let number = published["Version"].as_str().unwrap_or_default().to_owned();
            let arn = published["FunctionArn"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let action = match before.map(|n| n.to_string()) == Some(number.clone()) {
                true => "keep",
                false => "create",
            };
            self.know(RefKind::Version, &version.id, "arn", &arn);
            self.know(RefKind::Version, &version.id, "version", &number);
            let name = format!("{}:{number}", reference.name);
            self.step(action, "version", version, &name);
            if let Ok(number) = number.parse() {
                let id = version_id(&reference.name, number);
                // Versions stay: requests and rollbacks may still mean them.
                self.own("version", &version.id, &Kind::LambdaVersion, &id, true);
            }
        }
        Ok(())
    }

    fn aliases(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for alias in &plan.aliases {
            let function = self.text(&alias.item.function)?;
            let version = self.text(&alias.item.version)?;
            let input = json!({
                "FunctionName": function, "Name": alias.item.name, "FunctionVersion": version,
            });
            let found = self.call_lambda("GetAlias", &input);
            let (action, told) = match found {
                Ok(told) if told["FunctionVersion"] == json!(version) => ("keep", told),
                Ok(_) => ("change", self.call_lambda("UpdateAlias", &input)?),
                Err(_) => ("create", self.call_lambda("CreateAlias", &input)?),
            };
            let arn = told["AliasArn"].as_str().unwrap_or_default().to_owned();
            self.know(RefKind::Alias, &alias.id, "arn", &arn);
            self.step(action, "alias", alias, &alias.item.name);
            let reference = lambda::FunctionRef::parse(&function, &self.tx.settings.account)?;
            let id = format!("{}:{}", reference.name, alias.item.name);
            self.own("alias", &alias.id, &Kind::LambdaAlias, &id, alias.retain);
        }
        Ok(())
    }

    fn stores(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for store in &plan.stores {
            let name = &store.item.name;
            let existing: Option<Stored<StoreDocument>> =
                self.tx.get(&Kind::KeyValueStore, name)?;
            let (action, document) = match existing {
                Some(found) => ("keep", found.body),
                None => {
                    let entries = match &store.item.data {
                        None => Vec::new(),
                        Some(data) => {
                            let bytes = self.artifact("store", &store.id, data)?;
                            cloudfront::store::read_import(&bytes).map_err(|why| {
                                ApiError::new(
                                    400,
                                    "InvalidArgument",
                                    format!("store {name}: {why}"),
                                )
                            })?
                        }
                    };
                    let document = cloudfront::store::make(
                        self.tx,
                        name,
                        &store.item.comment,
                        store.item.tags.clone(),
                        entries,
                    )?;
                    ("create", document)
                }
            };
            let arn = document.arn(&self.tx.settings.account);
            self.know(RefKind::Store, &store.id, "arn", arn);
            self.know(RefKind::Store, &store.id, "id", &document.id);
            self.step(action, "store", store, name);
            self.own("store", &store.id, &Kind::KeyValueStore, name, store.retain);
        }
        Ok(())
    }

    fn cloudfront_functions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for function in &plan.cloudfront_functions {
            let item = &function.item;
            let code = self.text(&item.code)?;
            let config = self.resolved(&item.config)?;
            let input = json!({
                "Name": item.name,
                "FunctionConfig": config,
                "FunctionCode": STANDARD.encode(&code),
            });
            let existing: Option<Stored<FunctionDocument>> =
                self.tx.get(&Kind::CloudfrontFunction, &item.name)?;
            let sha256 = BlobId::of(code.as_bytes()).to_string();
            let action = match &existing {
                None => {
                    let tags: Vec<_> = item
                        .tags
                        .iter()
                        .map(|(k, v)| json!({ "Key": k, "Value": v }))
                        .collect();
                    let mut input = input;
                    input["Tags"] = json!({ "Items": tags });
                    self.call_cloudfront("CreateFunction", &input)?;
                    "create"
                }
                Some(found) => {
                    let stage = &found.body.development;
                    if stage.sha256 == sha256 && stage.config == config {
                        "keep"
                    } else {
                        let mut input = input;
                        input["IfMatch"] = json!(stage.etag(&item.name));
                        self.call_cloudfront("UpdateFunction", &input)?;
                        "change"
                    }
                }
            };
            let is_live = existing.is_some_and(|f| f.body.live.is_some());
            if item.publish && (action != "keep" || !is_live) {
                let written: Option<Stored<FunctionDocument>> =
                    self.tx.get(&Kind::CloudfrontFunction, &item.name)?;
                let etag = written
                    .map(|f| f.body.development.etag(&item.name))
                    .unwrap_or_default();
                let input = json!({ "Name": item.name, "IfMatch": etag });
                self.call_cloudfront("PublishFunction", &input)?;
            }
            let arn = self
                .tx
                .settings
                .account
                .cloudfront(&format!("function/{}", item.name));
            self.know(RefKind::CloudfrontFunction, &function.id, "arn", arn);
            self.step(action, "cloudfront-function", function, &item.name);
            self.own(
                "cloudfront-function",
                &function.id,
                &Kind::CloudfrontFunction,
                &item.name,
                function.retain,
            );
        }
        Ok(())
    }

    fn documents(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        type Row<'p> = (
            &'p [Planned<Document>],
            Kind,
            &'static str,
            &'p str,
            RefKind,
        );
        let families: [Row<'_>; 8] = [
            (
                &plan.cache_policies,
                Kind::CachePolicy,
                "cache-policy",
                "CachePolicy",
                RefKind::CachePolicy,
            ),
            (
                &plan.origin_request_policies,
                Kind::OriginRequestPolicy,
                "origin-request-policy",
                "OriginRequestPolicy",
                RefKind::OriginRequestPolicy,
            ),
            (
                &plan.response_headers_policies,
                Kind::ResponseHeadersPolicy,
                "response-headers-policy",
                "ResponseHeadersPolicy",
                RefKind::ResponseHeadersPolicy,
            ),
            (
                &plan.origin_access_controls,
                Kind::OriginAccessControl,
                "origin-access-control",
                "OriginAccessControl",
                RefKind::OriginAccessControl,
            ),
            (
                &plan.origin_access_identities,
                Kind::OriginAccessIdentity,
                "origin-access-identity",
                "CloudFrontOriginAccessIdentity",
                RefKind::OriginAccessIdentity,
            ),
            (
                &plan.public_keys,
                Kind::PublicKey,
                "public-key",
                "PublicKey",
                RefKind::PublicKey,
            ),
            (
                &plan.key_groups,
                Kind::KeyGroup,
                "key-group",
                "KeyGroup",
                RefKind::KeyGroup,
            ),
            (
                &plan.continuous_deployment_policies,
                Kind::ContinuousDeploymentPolicy,
                "continuous-deployment-policy",
                "ContinuousDeploymentPolicy",
                RefKind::ContinuousDeploymentPolicy,
            ),
        ];
        for (documents, kind, what, name, reference) in families {
            for document in documents {
                let id = self.document(document, &kind, what, name)?;
                self.know(reference, &document.id, "id", &id);
                if kind == Kind::OriginAccessIdentity {
                    self.know(
                        reference,
                        &document.id,
                        "s3_canonical_user_id",
                        cloudfront::canonical_user(&id),
                    );
                }
            }
        }
        Ok(())
    }

    /// A document of a family: its id.
    fn document(
        &mut self,
        document: &Planned<Document>,
        kind: &Kind,
        what: &'static str,
        name: &str,
    ) -> Result<String, ApiError> {
        let mut config = self.resolved(&document.item.config)?;
        if matches!(kind, Kind::PublicKey | Kind::OriginAccessIdentity)
            && config.get("CallerReference").is_none()
        {
            // CP-321
            config["CallerReference"] = json!(format!("{}/{}", self.plan.stack, document.id));
        }
        let existing = match self.owned(what, &document.id) {
            Some(id) => self.tx.get::<FamilyDocument>(kind, &id)?,
            None => None,
        };
        let member = format!("{name}Config");
        let (action, id) = match existing {
            Some(found) if found.body.config == config => ("keep", found.id),
            Some(found) => {
                let input = json!({ "Id": found.id, "IfMatch": found.etag(kind), member: config });
                self.call_cloudfront(&format!("Update{name}"), &input)?;
                ("change", found.id)
            }
            None => {
                let told =
                    self.call_cloudfront(&format!("Create{name}"), &json!({ member: config }))?;
                let id = told[name]["Id"].as_str().unwrap_or_default().to_owned();
                ("create", id)
            }
        };
        self.step(action, what, document, &id);
        self.own(what, &document.id, kind, &id, document.retain);
        Ok(id)
    }

    fn distributions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for distribution in &plan.distributions {
            let mut config = self.resolved(&distribution.item.config)?;
            if config.get("CallerReference").is_none() {
                config["CallerReference"] = json!(format!("{}/{}", plan.stack, distribution.id));
            }
            if config.get("Comment").is_none() {
                config["Comment"] = json!("");
            }
            let mut tags = distribution.item.tags.clone();
            tags.insert("fourfront:stack".to_owned(), plan.stack.clone());
            let existing = match self.owned("distribution", &distribution.id) {
                Some(id) => self
                    .tx
                    .get::<DistributionDocument>(&Kind::Distribution, &id)?,
                None => None,
            };
            let (action, id) = match existing {
                Some(found) => {
                    config["CallerReference"] = found.body.config["CallerReference"].clone();
                    if found.body.config == config && found.body.tags == tags {
                        ("keep", found.id)
                    } else {
                        let etag = found.etag(&Kind::Distribution);
                        let input = json!({ "Id": found.id, "IfMatch": etag, "DistributionConfig": config });
                        self.call_cloudfront("UpdateDistribution", &input)?;
                        ("change", found.id)
                    }
                }
                None => {
                    let listed: Vec<_> = tags
                        .iter()
                        .map(|(k, v)| json!({ "Key": k, "Value": v }))
                        .collect();
                    let input = json!({ "DistributionConfigWithTags": {
                        "DistributionConfig": config, "Tags": { "Items": listed },
                    } });
                    let told = self.call_cloudfront("CreateDistributionWithTags", &input)?;
                    let id = told["Distribution"]["Id"].as_str().unwrap_or_default();
                    ("create", id.to_owned())
                }
            };
            if let Some(mut found) = self
                .tx
                .get::<DistributionDocument>(&Kind::Distribution, &id)?
            {
                if found.body.tags != tags {
                    found.body.tags = tags;
                    self.tx.put(Kind::Distribution, &id, &found.body)?;
                }
                let arn = self
                    .tx
                    .settings
                    .account
                    .cloudfront(&format!("distribution/{id}"));
                self.know(RefKind::Distribution, &distribution.id, "id", &id);
                self.know(RefKind::Distribution, &distribution.id, "arn", arn);
                self.know(
                    RefKind::Distribution,
                    &distribution.id,
                    "domain_name",
                    &found.body.domain_name,
                );
            }
            self.step(action, "distribution", distribution, &id);
            self.own(
                "distribution",
                &distribution.id,
                &Kind::Distribution,
                &id,
                distribution.retain,
            );
        }
        Ok(())
    }

    /// Functions on distributions that others own (CP-339).
    fn attachments(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for attachment in &plan.attachments {
            let item = &attachment.item;
            let id = self.text(&item.distribution)?;
            let arn = self.text(&item.version)?;
            let found = self
                .tx
                .get::<DistributionDocument>(&Kind::Distribution, &id)?;
            let Some(mut found) = found else {
                return Err(ApiError::cloudfront(
                    "NoSuchDistribution",
                    format!("{}: there is no distribution {id}", attachment.place),
                ));
            };
            let before = found.body.clone();
            let config = &mut found.body.config;
            let behavior = match &item.path_pattern {
                None => Some(&mut config["DefaultCacheBehavior"]),
                Some(pattern) => config["CacheBehaviors"]["Items"]
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .find(|b| b["PathPattern"] == json!(pattern)),
            };
            let Some(behavior) = behavior else {
                return Err(ApiError::cloudfront(
                    "InvalidArgument",
                    format!(
                        "{}: distribution {id} has no behavior {}",
                        attachment.place,
                        item.path_pattern.as_deref().unwrap_or("*")
                    ),
                ));
            };
            let mut items = behavior["LambdaFunctionAssociations"]["Items"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            items.retain(|a| a["EventType"] != json!(item.event_type));
            let mut association = json!({ "EventType": item.event_type, "LambdaFunctionARN": arn });
            if item.include_body {
                association["IncludeBody"] = json!(true);
            }
            items.push(association);
            behavior["LambdaFunctionAssociations"] =
                json!({ "Quantity": items.len(), "Items": items });
            let action = if found.body.config == before.config {
                "keep"
            } else {
                let etag = found.etag(&Kind::Distribution);
                if etag.is_empty() {
                    // Written by this very call, which it was held against what the API refuses then.
                    self.tx.put(Kind::Distribution, &id, &found.body)?;
                } else {
                    let input = json!({ "Id": id, "IfMatch": etag, "DistributionConfig": found.body.config });
                    self.call_cloudfront("UpdateDistribution", &input)?;
                }
                "change"
            };
            self.step(action, "attachment", attachment, &id);
        }
        Ok(())
    }

    /// What the stack had and has no longer: deleted where that is asked for, or else left and told of (CP-301).
    fn leftovers(&mut self, prune: bool) -> Result<(), ApiError> {
        let gone: Vec<(String, Owned)> = self
            .before
            .resources
            .iter()
            .filter(|(key, _)| !self.after.resources.contains_key(*key))
            .map(|(key, owned)| (key.clone(), owned.clone()))
            .collect();
        for (key, owned) in gone {
            let Ok(kind) = owned.kind.parse::<Kind>() else {
                continue;
            };
            let deletes = prune && !owned.retain;
            let (what, logical) = key.split_once(' ').unwrap_or(("", &key));
            let action = match deletes {
                true => {
                    self.remove(&kind, &owned.id)?;
                    "delete"
                }
                false => {
                    self.after.resources.insert(key.clone(), owned.clone());
                    "keep"
                }
            };
            self.steps.push(Step {
                action,
                kind: word(what),
                id: logical.to_owned(),
                name: owned.id.clone(),
                place: String::new(),
            });
        }
        Ok(())
    }

    fn remove(&mut self, kind: &Kind, id: &str) -> Result<(), ApiError> {
        match kind {
            Kind::Lambda => {
                self.call_lambda("DeleteFunction", &json!({ "FunctionName": id }))?;
            }
            Kind::KeyValueStore => {
                let found = self.tx.get::<StoreDocument>(kind, id)?;
                let etag = found.map(|f| f.etag(kind)).unwrap_or_default();
                self.call_cloudfront(
                    "DeleteKeyValueStore",
                    &json!({ "Name": id, "IfMatch": etag }),
                )?;
            }
            Kind::CloudfrontFunction => {
                let found = self.tx.get::<FunctionDocument>(kind, id)?;
                let etag = found
                    .map(|f| f.body.development.etag(id))
                    .unwrap_or_default();
                self.call_cloudfront("DeleteFunction", &json!({ "Name": id, "IfMatch": etag }))?;
            }
            // A stack's own distribution need not be disabled first: nothing is asked to wait for edges elsewhere.
            _ => self.tx.delete(kind.clone(), id),
        }
        Ok(())
    }
}

/// The words of steps, for what comes from a stored key.
fn word(what: &str) -> &'static str {
    const WORDS: &[&str] = &[
        "function",
        "version",
        "alias",
        "store",
        "cloudfront-function",
        "cache-policy",
        "origin-request-policy",
        "response-headers-policy",
        "origin-access-control",
        "origin-access-identity",
        "public-key",
        "key-group",
        "continuous-deployment-policy",
        "distribution",
    ];
    WORDS
        .iter()
        .find(|word| **word == what)
        .copied()
        .unwrap_or("resource")
}

/// Whether the documents of a release are put back by a rollback as they were, or only if they are gone (CP-067, CP-609):
/// numbers of versions never go back, and a version never changes.
pub(super) fn only_if_gone(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Lambda | Kind::LambdaVersion | Kind::KeyValueStore
    )
}
