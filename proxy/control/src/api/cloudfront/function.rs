//! CloudFront Functions: two stages, one of which is served (CP-150..154).
//!
//! A function is one document with both stages. An ETag belongs to a stage: that of development is what writes are held
//! against, and publishing does not change it (CP-151), so stages count their own writes.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fourfront_model::{
    CffRuntime, CloudFrontFunction, Function, FunctionKind, FunctionName, FunctionSource,
    FunctionVersion, HandlerPath,
};
use fourfront_store::{BlobId, Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DistributionDocument, StoreDocument, check_match, listed, tagging, text};
use crate::api::{
    ApiError, associations, rules, time,
    tx::{Output, Stored, Tx},
};

/// A CloudFront Function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FunctionDocument {
    pub(crate) development: Stage,
    pub(crate) live: Option<Stage>,
    /// How often either stage was written.
    pub(crate) writes: u64,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
}

/// One stage of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// `FunctionConfig`.
    pub(crate) config: Value,
    /// SHA-256 of the code, in hex: the name of the blob.
    pub(crate) sha256: String,
    /// Which write of the document made it, which its ETag comes from.
    pub(crate) write: u64,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
    /// Likewise.
    pub(crate) modified: u64,
}

impl Stage {
    pub(crate) fn etag(&self, name: &str) -> String {
        fourfront_store::etag(&Kind::CloudfrontFunction, name, self.write)
    }

    /// The ARN of the store that it reads, if it has one.
    pub(crate) fn store(&self) -> Option<&str> {
        let items = self.config["KeyValueStoreAssociations"]["Items"].as_array()?;
        items.first()?["KeyValueStoreARN"].as_str()
    }

    pub(crate) fn runtime(&self) -> Option<CffRuntime> {
        CffRuntime::from_name(text(&self.config, "Runtime"))
    }
}

const DEVELOPMENT: &str = "DEVELOPMENT";
const LIVE: &str = "LIVE";

fn existing(tx: &Tx<'_>, name: &str) -> Result<Stored<FunctionDocument>, ApiError> {
    tx.get(&Kind::CloudfrontFunction, name)?
        .ok_or_else(|| missing(name))
}

fn missing(name: &str) -> ApiError {
    ApiError::cloudfront(
        "NoSuchFunctionExists",
        format!("The specified function does not exist: {name}"),
    )
}

/// The stage that a call names, the one of development if it names none (CP-150).
fn stage<'d>(
    document: &'d FunctionDocument,
    input: &Value,
    name: &str,
) -> Result<(&'d Stage, &'static str), ApiError> {
    match input["Stage"].as_str() {
        Some(LIVE) => document
            .live
            .as_ref()
            .map(|s| (s, LIVE))
            .ok_or_else(|| missing(name)),
        _ => Ok((&document.development, DEVELOPMENT)),
    }
}

/// The distributions that a function is associated with.
fn users(tx: &Tx<'_>, name: &str) -> Result<Vec<String>, ApiError> {
    let arn = tx.settings.account.cloudfront(&format!("function/{name}"));
    let all = tx.list::<DistributionDocument>(&Kind::Distribution)?;
    let uses = |config: &Value| {
        associations::behaviors(config)
            .any(|(_, b)| associations::cloudfront_of(b).iter().any(|a| a.arn == arn))
    };
    Ok(all
        .into_iter()
        .filter(|d| uses(&d.body.config))
        .map(|d| d.id)
        .collect())
}

/// `FunctionSummary`.
fn summary(
    tx: &Tx<'_>,
    name: &str,
    document: &FunctionDocument,
    stage: &Stage,
    called: &str,
) -> Result<Value, ApiError> {
    let status = match (called, document.live.is_some()) {
        (LIVE, _) if !users(tx, name)?.is_empty() => "ASSOCIATED",
        (LIVE, _) => "UNASSOCIATED",
        (_, false) => "UNPUBLISHED",
        (_, true) if !users(tx, name)?.is_empty() => "ASSOCIATED",
        (_, true) => "UNASSOCIATED",
    };
    Ok(json!({
        "Name": name,
        "Status": status,
        "FunctionConfig": stage.config,
        "FunctionMetadata": {
            "FunctionARN": tx.settings.account.cloudfront(&format!("function/{name}")),
            "Stage": called,
            "CreatedTime": time::iso(stage.created),
            "LastModifiedTime": time::iso(stage.modified),
        },
    }))
}

/// Configuration and code of a call, held against what CloudFront refuses.
fn read(tx: &Tx<'_>, input: &Value) -> Result<(Value, String), ApiError> {
    let config = input["FunctionConfig"].clone();
    let invalid = |message: String| ApiError::cloudfront("InvalidArgument", message);
    let runtime = text(&config, "Runtime");
    let runtime = CffRuntime::from_name(runtime)
        .ok_or_else(|| invalid(format!("Runtime: `{runtime}` is none of CloudFront's")))?;
    let stores = config["KeyValueStoreAssociations"]["Items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if stores.len() > 1 {
        return Err(invalid(
            "KeyValueStoreAssociations: a function is associated with one key value store at most"
                .to_owned(),
        ));
    }
    if let Some(store) = stores.first() {
        if runtime == CffRuntime::V1 {
            return Err(invalid(
                "KeyValueStoreAssociations: cloudfront-js-1.0 has no key value stores".to_owned(),
            ));
        }
        let arn = text(store, "KeyValueStoreARN");
        if store_of(tx, arn)?.is_none() {
            return Err(invalid(format!(
                "KeyValueStoreAssociations: there is no key value store {arn}"
            )));
        }
    }
    let code = STANDARD.decode(text(input, "FunctionCode")).map_err(|e| {
        ApiError::new(
            400,
            "MalformedInput",
            format!("FunctionCode is not base64: {e}"),
        )
    })?;
    let most = tx.rules.quotas.cloudfront_function_size;
    if code.len() > most {
        return Err(ApiError::cloudfront(
            "FunctionSizeLimitExceeded",
            format!(
                "FunctionCode has {} bytes, and {most} are allowed.",
                code.len()
            ),
        ));
    }
    if code.is_empty() {
        return Err(invalid("FunctionCode is empty".to_owned()));
    }
    let blob = tx.store.blob_put(&code)?;
    Ok((config, blob.to_string()))
}

/// The store with an ARN.
pub(crate) fn store_of(tx: &Tx<'_>, arn: &str) -> Result<Option<Stored<StoreDocument>>, ApiError> {
    let all = tx.list::<StoreDocument>(&Kind::KeyValueStore)?;
    Ok(all
        .into_iter()
        .find(|s| s.body.arn(&tx.settings.account) == arn))
}

/// `CreateFunction`.
pub(super) fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    if name.parse::<FunctionName>().is_err() {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!("Name: `{name}` is not 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`"),
        ));
    }
    if tx
        .get::<FunctionDocument>(&Kind::CloudfrontFunction, name)?
        .is_some()
    {
        return Err(ApiError::cloudfront(
            "FunctionAlreadyExists",
            format!("A function with the name {name} already exists."),
        ));
    }
    rules::one_more(tx, &Kind::CloudfrontFunction)?;
    let (config, sha256) = read(tx, input)?;
    let now = tx.caller.now;
    let document = FunctionDocument {
        development: Stage {
            config,
            sha256,
            write: now,
            created: now,
            modified: now,
        },
        live: None,
        writes: now,
        tags: tagging::read(&input["Tags"])?,
        created: now,
    };
    tx.put(Kind::CloudfrontFunction, name, &document)?;
    let value = json!({
        "FunctionSummary": summary(tx, name, &document, &document.development, DEVELOPMENT)?,
        "Location": format!("{}/2020-05-31/function/{name}", tx.origin()),
        "ETag": document.development.etag(name),
    });
    Ok(Output::plain(value))
}

/// `UpdateFunction`.
pub(super) fn update(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let Stored {
        body: mut document, ..
    } = existing(tx, name)?;
    check_match(input, &document.development.etag(name))?;
    let (config, sha256) = read(tx, input)?;
    // Higher than every one before, also when the clock went back.
    document.writes = tx.caller.now.max(document.writes + 1);
    document.development = Stage {
        config,
        sha256,
        write: document.writes,
        created: document.development.created,
        modified: tx.caller.now,
    };
    tx.put(Kind::CloudfrontFunction, name, &document)?;
    let value = json!({
        "FunctionSummary": summary(tx, name, &document, &document.development, DEVELOPMENT)?,
        "ETag": document.development.etag(name),
    });
    Ok(Output::plain(value))
}

/// `DescribeFunction`.
pub(super) fn describe(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let document = existing(tx, name)?.body;
    let (stage, called) = stage(&document, input, name)?;
    let value = json!({
        "FunctionSummary": summary(tx, name, &document, stage, called)?,
        "ETag": stage.etag(name),
    });
    Ok(Output::plain(value))
}

/// `GetFunction`: the code as it was sent.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let document = existing(tx, name)?.body;
    let (stage, _) = stage(&document, input, name)?;
    let blob: BlobId = stage
        .sha256
        .parse()
        .map_err(|_| ApiError::internal("the function's code has no name"))?;
    let code = tx
        .store
        .blob_read(&blob)?
        .ok_or_else(|| ApiError::internal(format!("the code of {name} is not there: {blob}")))?;
    let value = json!({
        "FunctionCode": STANDARD.encode(code),
        "ContentType": "application/octet-stream",
        "ETag": stage.etag(name),
    });
    Ok(Output::plain(value))
}

/// `PublishFunction` (CP-150, CP-151).
pub(super) fn publish(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let Stored {
        body: mut document, ..
    } = existing(tx, name)?;
    check_match(input, &document.development.etag(name))?;
    document.writes = tx.caller.now.max(document.writes + 1);
    let first = document
        .live
        .as_ref()
        .map_or(tx.caller.now, |live| live.created);
    document.live = Some(Stage {
        write: document.writes,
        created: first,
        modified: tx.caller.now,
        ..document.development.clone()
    });
    tx.put(Kind::CloudfrontFunction, name, &document)?;
    let live = document.live.as_ref().unwrap_or(&document.development);
    let value = json!({ "FunctionSummary": summary(tx, name, &document, live, LIVE)? });
    Ok(Output::plain(value))
}

/// `TestFunction` (CP-153).
pub(super) fn test(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let document = existing(tx, name)?.body;
    let (stage, called) = stage(&document, input, name)?;
    check_match(input, &stage.etag(name))?;
    let event = STANDARD.decode(text(input, "EventObject")).map_err(|e| {
        ApiError::new(
            400,
            "MalformedInput",
            format!("EventObject is not base64: {e}"),
        )
    })?;
    if serde_json::from_slice::<Value>(&event).is_err() {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            "EventObject is not JSON",
        ));
    }
    let function = model_function(tx, name, stage)?;
    let tested = tx
        .plane
        .test(&function, &event)
        .map_err(|e| ApiError::cloudfront("TestFunctionFailed", e))?;
    let mut result = json!({
        "FunctionSummary": summary(tx, name, &document, stage, called)?,
        "ComputeUtilization": tested.utilization.to_string(),
        "FunctionExecutionLogs": tested.log,
        "FunctionErrorMessage": tested.error.unwrap_or_default(),
    });
    if let Some(output) = tested.output {
        result["FunctionOutput"] = json!(output.to_string());
    }
    Ok(Output::plain(json!({ "TestResult": result })))
}

/// A stage as the engine runs it.
pub(crate) fn model_function(tx: &Tx<'_>, name: &str, stage: &Stage) -> Result<Function, ApiError> {
    let internal = |what: String| ApiError::internal(format!("function {name}: {what}"));
    let blob: BlobId = stage
        .sha256
        .parse()
        .map_err(|_| internal("its code has no name".to_owned()))?;
    let store = match stage.store() {
        None => None,
        Some(arn) => store_of(tx, arn)?.map(|found| tx.stores.of(tx.store, &found.id, &found.body)),
    };
    Ok(Function {
        name: name
            .parse::<FunctionName>()
            .map_err(|e| internal(e.to_string()))?,
        version: FunctionVersion(1),
        source: FunctionSource::File(tx.store.blob_path(&blob)),
        handler: HandlerPath::default(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: true,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::CloudFront(CloudFrontFunction {
            runtime: stage.runtime().unwrap_or_default(),
            store,
        }),
    })
}

/// `DeleteFunction`.
pub(super) fn delete(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let document = existing(tx, name)?.body;
    check_match(input, &document.development.etag(name))?;
    if let Some(user) = users(tx, name)?.first() {
        return Err(ApiError::cloudfront(
            "FunctionInUse",
            format!("Cannot delete the function, it is in use by 1 or more distributions: {user}."),
        ));
    }
    tx.delete(Kind::CloudfrontFunction, name);
    Ok(Output::plain(json!({})))
}

/// `ListFunctions` (CP-150).
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let wants_live = input["Stage"].as_str() == Some(LIVE);
    let mut all = Vec::new();
    for found in tx.list::<FunctionDocument>(&Kind::CloudfrontFunction)? {
        let document = &found.body;
        let (stage, called) = match (&document.live, wants_live) {
            (Some(live), true) => (live, LIVE),
            (None, true) => continue,
            (_, false) => (&document.development, DEVELOPMENT),
        };
        all.push((
            found.id.clone(),
            summary(tx, &found.id, document, stage, called)?,
        ));
    }
    let list = listed(tx, "ListFunctions", all, input)?;
    Ok(Output::plain(json!({ "FunctionList": list })))
}
