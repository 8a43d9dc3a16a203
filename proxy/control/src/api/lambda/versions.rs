//! Functions and their versions: written, published, told of, deleted (CP-060..081).

use std::io::{self, BufReader};

use base64::{engine::general_purpose::STANDARD, read::DecoderReader};
use fourfront_store::{BlobId, Kind};
use serde_json::{Map, Value, json};

use super::{
    Code, CodeCheck, CodeFault, FunctionRef, LATEST, LambdaFunction, Version, check_revision,
    code_at,
    config::{self, Named},
    function, text, version_id,
};
use crate::api::{
    ApiError,
    arn::uuid,
    page::Page,
    sources::{Object, Upload},
    tx::{Output, Stored, Tx},
};

/// `CreateFunction`.
pub(super) fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let existing: Option<Stored<LambdaFunction>> = tx.get(&Kind::Lambda, &reference.name)?;
    if existing.is_some() {
        return Err(ApiError::lambda(
            "ResourceConflictException",
            format!("Function already exist: {}", reference.name),
        ));
    }
    if text(input, "PackageType") == Some("Image") {
        return Err(no_images());
    }
    for (member, what) in [("Handler", "handler"), ("Runtime", "runtime")] {
        if text(input, member).is_none_or(str::is_empty) {
            return Err(ApiError::lambda(
                "InvalidParameterValueException",
                format!(
                    "{member} is mandatory for functions created with deployment packages: give a {what}"
                ),
            ));
        }
    }
    let mut settings = Map::new();
    config::take(&mut settings, input)?;
    let (sha256, size) = stored_code(tx, &input["Code"])?;
    let mut function = LambdaFunction {
        name: reference.name,
        latest: Code {
            config: settings,
            sha256,
            size,
            modified: tx.caller.now,
            revision_id: uuid(),
            load_error: None,
        },
        last_version: 0,
        tags: tags(input),
        policies: Default::default(),
        concurrency: None,
    };
    function.latest.load_error = tx.load_error(&function.name, &function.latest);
    let account = &tx.settings.account;
    let shown = if input["Publish"] == json!(true) {
        let (number, code) = publish_latest(tx, &mut function, None)?;
        config::shown(&function, Some(number), &code, Named::Function, account)
    } else {
        config::shown(&function, None, &function.latest, Named::Function, account)
    };
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(shown))
}

/// `UpdateFunctionCode`.
pub(super) fn update_code(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let Stored {
        body: mut function, ..
    } = function(tx, &reference)?;
    check_revision(
        text(input, "RevisionId"),
        &function.latest.revision_id,
        "GetFunction",
    )?;
    let (sha256, size) = stored_code(tx, input)?;
    let mut code = Code {
        sha256,
        size,
        modified: tx.caller.now,
        revision_id: uuid(),
        ..function.latest.clone()
    };
    if let Some(architectures) = input.get("Architectures") {
        code.config
            .insert("Architectures".to_owned(), architectures.clone());
    }
    code.load_error = tx.load_error(&function.name, &code);
    let account = &tx.settings.account;
    if input["DryRun"] == json!(true) {
        let shown = config::shown(&function, None, &code, Named::Function, account);
        return Ok(Output::plain(shown));
    }
    function.latest = code;
    let shown = if input["Publish"] == json!(true) {
        let (number, code) = publish_latest(tx, &mut function, None)?;
        config::shown(&function, Some(number), &code, Named::Version, account)
    } else {
        config::shown(&function, None, &function.latest, Named::Function, account)
    };
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(shown))
}

/// `UpdateFunctionConfiguration`.
pub(super) fn update_configuration(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let Stored {
        body: mut function, ..
    } = function(tx, &reference)?;
    check_revision(
        text(input, "RevisionId"),
        &function.latest.revision_id,
        "GetFunctionConfiguration",
    )?;
    config::take(&mut function.latest.config, input)?;
    function.latest.modified = tx.caller.now;
    function.latest.revision_id = uuid();
    function.latest.load_error = tx.load_error(&function.name, &function.latest);
    let account = &tx.settings.account;
    let shown = config::shown(&function, None, &function.latest, Named::Function, account);
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(shown))
}

/// `PublishVersion`.
pub(super) fn publish(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let Stored {
        body: mut function, ..
    } = function(tx, &reference)?;
    check_revision(
        text(input, "RevisionId"),
        &function.latest.revision_id,
        "GetFunction",
    )?;
    let expected = text(input, "CodeSha256").filter(|sum| !sum.is_empty());
    let found = config::base64_of_hex(&function.latest.sha256);
    if let Some(expected) = expected.filter(|sum| *sum != found) {
        return Err(ApiError::lambda(
            "InvalidParameterValueException",
            format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({found}). Please try again with the CodeSHA256 in $LATEST."
            ),
        ));
    }
    let (number, code) = publish_latest(tx, &mut function, text(input, "Description"))?;
    let account = &tx.settings.account;
    let shown = config::shown(&function, Some(number), &code, Named::Version, account);
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(shown))
}

/// Makes `$LATEST` a version, or finds the latest version to be the same (CP-067).
fn publish_latest(
    tx: &mut Tx<'_>,
    function: &mut LambdaFunction,
    description: Option<&str>,
) -> Result<(u32, Code), ApiError> {
    let latest: Option<Stored<Version>> = match function.last_version {
        0 => None,
        number => tx.get(&Kind::LambdaVersion, &version_id(&function.name, number))?,
    };
    let mut code = function.latest.clone();
    if let Some(description) = description {
        code.config
            .insert("Description".to_owned(), json!(description));
    }
    let account = &tx.settings.account;
    let is_same = |version: &Version| config::are_same(function, &version.code, &code, account);
    if let Some(version) = latest.filter(|v| is_same(&v.body)) {
        return Ok((version.body.number, version.body.code));
    }
    let number = function.last_version + 1;
    code.modified = tx.caller.now;
    code.revision_id = uuid();
    let version = Version {
        name: function.name.clone(),
        number,
        code,
    };
    tx.put(
        Kind::LambdaVersion,
        &version_id(&function.name, number),
        &version,
    )?;
    function.last_version = number;
    Ok((number, version.code))
}

/// `GetFunction`.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let (function, version, code) = code_at(tx, &reference)?;
    let function = function.body;
    let named = match reference.qualifier {
        Some(_) => Named::Version,
        None => Named::Function,
    };
    let mut answer = json!({
        "Configuration": config::shown(&function, version, &code, named, &tx.settings.account),
        "Code": {
            "RepositoryType": "S3",
            "Location": tx.artifact_link(&code.sha256),
        },
    });
    if !function.tags.is_empty() {
        answer["Tags"] = json!(function.tags);
    }
    if let Some(most) = function.concurrency {
        answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": most });
    }
    Ok(Output::plain(answer))
}

/// `GetFunctionConfiguration`.
pub(super) fn get_configuration(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let (function, version, code) = code_at(tx, &reference)?;
    let named = match reference.qualifier {
        Some(_) => Named::Version,
        None => Named::Function,
    };
    let shown = config::shown(&function.body, version, &code, named, &tx.settings.account);
    Ok(Output::plain(shown))
}

/// `ListFunctions` (CP-069).
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let account = &tx.settings.account;
    let with_versions = text(input, "FunctionVersion") == Some("ALL");
    let is_master = text(input, "MasterRegion").is_some();
    let mut all = Vec::new();
    for function in tx.list::<LambdaFunction>(&Kind::Lambda)? {
        let function = function.body;
        let mut latest = listed(&function, None, &function.latest, with_versions, account);
        if is_master {
            latest["MasterArn"] = latest["FunctionArn"].clone();
        }
        all.push((format!("{}:", function.name), latest));
        if with_versions {
            for version in versions_of(tx, &function.name)? {
                let shown = listed(
                    &function,
                    Some(version.number),
                    &version.code,
                    true,
                    account,
                );
                all.push((format!("{}:{:010}", function.name, version.number), shown));
            }
        }
    }
    let Page { items, next } = super::listing(tx, "functions", all, input, most(input))?;
    let mut answer = json!({ "Functions": items });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(Output::plain(answer))
}

/// `ListVersionsByFunction` (CP-068).
pub(super) fn list_versions(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let function = function(tx, &reference)?.body;
    let account = &tx.settings.account;
    let latest = listed(&function, None, &function.latest, true, account);
    let mut all = vec![("0000000000".to_owned(), latest)];
    for version in versions_of(tx, &function.name)? {
        let shown = listed(
            &function,
            Some(version.number),
            &version.code,
            true,
            account,
        );
        all.push((format!("{:010}", version.number), shown));
    }
    let name = format!("versions of {}", function.name);
    let Page { items, next } = super::listing(tx, &name, all, input, most(input))?;
    let mut answer = json!({ "Versions": items });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(Output::plain(answer))
}

/// How many a list of Lambda's has at most (CP-045).
fn most(input: &Value) -> usize {
    let given = input.get("MaxItems").and_then(Value::as_u64).unwrap_or(50);
    usize::try_from(given.clamp(1, 50)).unwrap_or(50)
}

/// In a list, nothing is told of states (CP-062).
fn listed(
    function: &LambdaFunction,
    version: Option<u32>,
    code: &Code,
    with_version: bool,
    account: &crate::api::arn::Account,
) -> Value {
    let named = match with_version {
        true => Named::Version,
        false => Named::Function,
    };
    let mut shown = config::shown(function, version, code, named, account);
    if let Some(members) = shown.as_object_mut() {
        for member in [
            "State",
            "StateReason",
            "LastUpdateStatus",
            "RuntimeVersionConfig",
        ] {
            members.remove(member);
        }
    }
    shown
}

/// The versions of a function, ascending.
pub(super) fn versions_of(tx: &Tx<'_>, name: &str) -> Result<Vec<Version>, ApiError> {
    let mut versions: Vec<Version> = tx
        .list::<Version>(&Kind::LambdaVersion)?
        .into_iter()
        .map(|stored| stored.body)
        .filter(|version| version.name == name)
        .collect();
    versions.sort_by_key(|version| version.number);
    Ok(versions)
}

/// `DeleteFunction` (CP-076). It is gone with the answer (CP-081).
pub(super) fn delete(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let found = function(tx, &reference)?.body;
    let arn = tx.settings.account.lambda(&found.name);
    let replicated = |version: u32| {
        ApiError::lambda(
            "InvalidParameterValueException",
            format!(
                "Lambda was unable to delete {arn}:{version} because it is a replicated function. Please see our documentation for Deleting Lambda@Edge Functions and Replicas."
            ),
        )
    };
    let associated = tx.associated_versions(&found.name)?;
    match reference.qualifier.as_deref() {
        None => {
            if let Some(version) = associated.first() {
                return Err(replicated(*version));
            }
            for version in versions_of(tx, &found.name)? {
                tx.delete(
                    Kind::LambdaVersion,
                    &version_id(&found.name, version.number),
                );
            }
            for alias in tx.list::<super::Alias>(&Kind::LambdaAlias)? {
                if alias.id.split(':').next() == Some(found.name.as_str()) {
                    tx.delete(Kind::LambdaAlias, &alias.id);
                }
            }
            tx.delete(Kind::Lambda, &found.name);
        }
        Some(LATEST) => {
            return Err(ApiError::lambda(
                "InvalidParameterValueException",
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(qualifier) => {
            let Ok(number) = qualifier.parse::<u32>() else {
                return Err(ApiError::lambda(
                    "InvalidParameterValueException",
                    format!("`{qualifier}` is no version: delete an alias with DeleteAlias"),
                ));
            };
            let id = version_id(&found.name, number);
            // One that is gone stays gone.
            if tx.get::<Version>(&Kind::LambdaVersion, &id)?.is_some() {
                if associated.contains(&number) {
                    return Err(replicated(number));
                }
                let aliases = tx.list::<super::Alias>(&Kind::LambdaAlias)?;
                if let Some(alias) = aliases.iter().find(|alias| {
                    alias.id.split(':').next() == Some(found.name.as_str())
                        && alias.body.version == qualifier
                }) {
                    return Err(ApiError::lambda(
                        "ResourceConflictException",
                        format!(
                            "version {number} is what alias {} stands for",
                            alias.body.name
                        ),
                    ));
                }
                tx.delete(Kind::LambdaVersion, &id);
            }
        }
    }
    Ok(Output::plain(json!({})))
}

/// `GetFunctionConcurrency`.
pub(super) fn get_concurrency(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let function = function(tx, &FunctionRef::of(tx, input)?)?.body;
    Ok(Output::plain(match function.concurrency {
        Some(most) => json!({ "ReservedConcurrentExecutions": most }),
        None => json!({}),
    }))
}

/// `PutFunctionConcurrency`.
pub(super) fn put_concurrency(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let Stored {
        body: mut function, ..
    } = function(tx, &FunctionRef::of(tx, input)?)?;
    let most = input["ReservedConcurrentExecutions"].as_u64().unwrap_or(0);
    let most = u32::try_from(most).map_err(|_| {
        ApiError::lambda(
            "InvalidParameterValueException",
            "ReservedConcurrentExecutions is too large",
        )
    })?;
    function.concurrency = Some(most);
    tx.put(Kind::Lambda, &function.name, &function)?;
    // Functions are served in versions, which it holds for, too.
    tx.serves_anew();
    Ok(Output::plain(
        json!({ "ReservedConcurrentExecutions": most }),
    ))
}

/// `DeleteFunctionConcurrency`.
pub(super) fn delete_concurrency(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let Stored {
        body: mut function, ..
    } = function(tx, &FunctionRef::of(tx, input)?)?;
    function.concurrency = None;
    tx.put(Kind::Lambda, &function.name, &function)?;
    tx.serves_anew();
    Ok(Output::plain(json!({})))
}

/// `GetAccountSettings`.
pub(super) fn account_settings(tx: &Tx<'_>) -> Result<Output, ApiError> {
    let functions = tx.list::<LambdaFunction>(&Kind::Lambda)?;
    let size: u64 = functions.iter().map(|f| f.body.latest.size).sum();
    Ok(Output::plain(json!({
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800_u64,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
        },
        "AccountUsage": { "TotalCodeSize": size, "FunctionCount": functions.len() },
    })))
}

fn tags(input: &Value) -> std::collections::BTreeMap<String, String> {
    let tags = input.get("Tags").and_then(Value::as_object);
    let tags = tags.into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn no_images() -> ApiError {
    ApiError::lambda(
        "InvalidParameterValueException",
        "container images do not run here: upload a zip (CP-075)",
    )
}

/// Keeps the code that a call brings; its checksum in hex, and its size in bytes.
fn stored_code(tx: &mut Tx<'_>, code: &Value) -> Result<(String, u64), ApiError> {
    if code.get("ImageUri").is_some() {
        return Err(no_images());
    }
    if let Some(object) = Object::of_code(code) {
        let fetched = tx.object(&object).map_err(|why| {
            let Object { bucket, key, .. } = &object;
            ApiError::lambda(
                "InvalidParameterValueException",
                format!("Error occurred while GetObject. s3://{bucket}/{key}: {why} (CP-075)"),
            )
        })?;
        return keep(tx, Upload::Kept(fetched));
    }
    if let Some(upload) = tx.code.take() {
        let blob = kept(tx, upload)?;
        tx.code = Some(Upload::Kept(blob.0));
        return Ok((blob.0.to_string(), blob.1));
    }
    let Some(zip) = text(code, "ZipFile") else {
        return Err(ApiError::lambda(
            "InvalidParameterValueException",
            "Please provide a source for function code: ZipFile, or S3Bucket and S3Key",
        ));
    };
    let mut writer = tx.store.blob_writer()?;
    let mut bytes = DecoderReader::new(zip.as_bytes(), &STANDARD);
    io::copy(&mut bytes, &mut writer).map_err(|e| {
        ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: ZipFile is not base64: {e}"),
        )
    })?;
    keep(tx, Upload::New(writer))
}

fn keep(tx: &Tx<'_>, zip: Upload) -> Result<(String, u64), ApiError> {
    kept(tx, zip).map(|(blob, size)| (blob.to_string(), size))
}

fn kept(tx: &Tx<'_>, zip: Upload) -> Result<(BlobId, u64), ApiError> {
    let (file, size) = zip.reader(tx.store)?;
    CodeCheck::check(BufReader::new(file), size).map_err(|fault| match fault {
        CodeFault::Zipped(_) => {
            ApiError::new(413, "RequestEntityTooLargeException", fault.to_string())
        }
        _ => ApiError::lambda("InvalidParameterValueException", fault.to_string()),
    })?;
    Ok((zip.keep(tx.store)?, size))
}
