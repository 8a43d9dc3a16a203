//! Functions of both kinds, their versions and the stores that they read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_import::RefKind;
use fourfront_store::{BlobId, Kind};
use serde_json::json;

use super::Applier;
use crate::api::{
    ApiError, cloudfront,
    cloudfront::{FunctionDocument, StoreDocument},
    lambda,
    lambda::{LambdaFunction, version_id},
    sources::Upload,
    tx::Stored,
};

impl Applier<'_, '_> {
    pub(super) fn functions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for function in &plan.functions {
            let item = &function.item;
            self.unclaimed(&Kind::Lambda, &item.name, function)?;
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
            let sha256 = zip.to_string();
            let existing: Option<Stored<LambdaFunction>> =
                self.tx.get(&Kind::Lambda, &item.name)?;
            let action = match existing {
                None => {
                    config["Code"] = json!({});
                    self.tx.code = Some(Upload::Kept(zip));
                    config["Tags"] = json!(self.tagged(&item.tags));
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
                        let input = json!({ "FunctionName": item.name });
                        self.tx.code = Some(Upload::Kept(zip));
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

    pub(super) fn versions(&mut self) -> Result<(), ApiError> {
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

    pub(super) fn aliases(&mut self) -> Result<(), ApiError> {
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

    pub(super) fn stores(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for store in &plan.stores {
            let name = &store.item.name;
            self.unclaimed(&Kind::KeyValueStore, name, store)?;
            let existing: Option<Stored<StoreDocument>> =
                self.tx.get(&Kind::KeyValueStore, name)?;
            let (action, document) = match existing {
                Some(found) => ("keep", found.body),
                None => {
                    let entries = match &store.item.data {
                        None => Vec::new(),
                        Some(data) => {
                            let blob = self.artifact("store", &store.id, data)?;
                            let bytes = self.tx.store.blob_read(&blob)?.unwrap_or_default();
                            cloudfront::store::read_import(self.tx, &bytes).map_err(|why| {
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
                        self.tagged(&store.item.tags),
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

    pub(super) fn cloudfront_functions(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for function in &plan.cloudfront_functions {
            let item = &function.item;
            self.unclaimed(&Kind::CloudfrontFunction, &item.name, function)?;
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
            let mut action = match &existing {
                None => {
                    let tags: Vec<_> = self
                        .tagged(&item.tags)
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
            let live = existing.and_then(|f| f.body.live);
            let is_live = live.is_some_and(|l| l.sha256 == sha256 && l.config == config);
            if item.publish && !is_live {
                if action == "keep" {
                    action = "change";
                }
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
}
