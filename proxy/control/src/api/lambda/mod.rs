//! Lambda's API as far as edge functions need it (CP section 2): functions, their versions, aliases, policies, tags.
//!
//! A function is a document with the configuration and code of `$LATEST`; each published version is one of its own,
//! `NAME:NUMBER`, which never changes. Code is a blob, the zip as it was uploaded (CP-063). Only versions can be
//! associated with a distribution, so only they change what is served.
//!
//! Code that does not load makes a function and a version all the same, as AWS does not run it either; `StateReason` and the
//! log say why (CP-065). A distribution that names it is refused, with file and line, whoever asks: AWS would take it and answer
//! viewers with errors, and here a version that does not load never becomes active. So there is no `strict_load = false`.

mod aliases;
mod code;
mod config;
mod invoke;
mod permissions;
mod reference;
mod tags;
mod versions;

use std::collections::BTreeMap;

use fourfront_store::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use code::{CodeCheck, CodeFault};
pub(crate) use config::is_javascript;
pub(crate) use invoke::model_function;
pub(crate) use reference::{FunctionRef, LATEST};

use super::{
    ApiError,
    page::{Page, page},
    tx::{Output, Stored, Tx},
};

/// A function: `$LATEST`, and what belongs to all versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LambdaFunction {
    pub(crate) name: String,
    pub(crate) latest: Code,
    /// The highest number that a version ever had (CP-067).
    pub(crate) last_version: u32,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// By qualifier; that of the function itself is empty (CP-078).
    #[serde(default)]
    pub(crate) policies: BTreeMap<String, Policy>,
    #[serde(default)]
    pub(crate) concurrency: Option<u32>,
}

/// Configuration and code of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Members of `FunctionConfiguration` as they were given.
    pub(crate) config: Map<String, Value>,
    /// SHA-256 of the zip, in hex: the name of the blob.
    pub(crate) sha256: String,
    /// Of the zip, in bytes.
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
    /// Changes with every write (CP-043).
    pub(crate) revision_id: String,
    /// Why it does not load, if it does not (CP-065).
    #[serde(default)]
    pub(crate) load_error: Option<String>,
}

/// A published version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) code: Code,
}

/// Who may call it, by statement. Nothing is enforced (CP-078).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) revision_id: String,
    pub(crate) statements: Vec<Value>,
}

/// An alias.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) routing: Option<Value>,
    pub(crate) revision_id: String,
}

/// The id of a version's document.
pub(crate) fn version_id(name: &str, number: u32) -> String {
    format!("{name}:{number}")
}

/// Answers an operation of Lambda's API.
pub(crate) fn call(tx: &mut Tx<'_>, operation: &str, input: &Value) -> Result<Output, ApiError> {
    match operation {
        "CreateFunction" => versions::create(tx, input),
        "UpdateFunctionCode" => versions::update_code(tx, input),
        "UpdateFunctionConfiguration" => versions::update_configuration(tx, input),
        "PublishVersion" => versions::publish(tx, input),
        "GetFunction" => versions::get(tx, input),
        "GetFunctionConfiguration" => versions::get_configuration(tx, input),
        "ListFunctions" => versions::list(tx, input),
        "ListVersionsByFunction" => versions::list_versions(tx, input),
        "DeleteFunction" => versions::delete(tx, input),
        "AddPermission" => permissions::add(tx, input),
        "RemovePermission" => permissions::remove(tx, input),
        "GetPolicy" => permissions::get(tx, input),
        "ListTags" => tags::list(tx, input),
        "TagResource" => tags::add(tx, input),
        "UntagResource" => tags::remove(tx, input),
        "GetFunctionCodeSigningConfig" => {
            let reference = FunctionRef::of(tx, input)?;
            function(tx, &reference)?;
            Ok(Output::plain(json!({})))
        }
        "Invoke" => invoke::call(tx, input),
        "CreateAlias" => aliases::create(tx, input),
        "GetAlias" => aliases::get(tx, input),
        "UpdateAlias" => aliases::update(tx, input),
        "DeleteAlias" => aliases::delete(tx, input),
        "ListAliases" => aliases::list(tx, input),
        "GetFunctionConcurrency" => versions::get_concurrency(tx, input),
        "PutFunctionConcurrency" => versions::put_concurrency(tx, input),
        "DeleteFunctionConcurrency" => versions::delete_concurrency(tx, input),
        "GetAccountSettings" => versions::account_settings(tx),
        _ => Err(ApiError::new(
            501,
            "NotImplementedException",
            format!("{operation} is not available yet (CP-016)"),
        )),
    }
}

/// The function that a reference names (CP-060).
fn function(tx: &Tx<'_>, reference: &FunctionRef) -> Result<Stored<LambdaFunction>, ApiError> {
    let found = tx.get(&Kind::Lambda, &reference.name)?;
    found.ok_or_else(|| {
        let arn = reference.arn(&tx.settings.account);
        ApiError::lambda(
            "ResourceNotFoundException",
            format!("Function not found: {arn}"),
        )
    })
}

/// Code and configuration that a reference names: `$LATEST`, a version, or the version of an alias.
fn code_at(
    tx: &Tx<'_>,
    reference: &FunctionRef,
) -> Result<(Stored<LambdaFunction>, Option<u32>, Code), ApiError> {
    let function = function(tx, reference)?;
    let missing = || {
        let arn = reference.arn(&tx.settings.account);
        ApiError::lambda(
            "ResourceNotFoundException",
            format!("Function not found: {arn}"),
        )
    };
    let qualifier = reference.qualifier.as_deref();
    let mut number = match qualifier {
        None | Some(LATEST) => {
            let latest = function.body.latest.clone();
            return Ok((function, None, latest));
        }
        Some(qualifier) => qualifier.parse::<u32>().ok(),
    };
    if number.is_none() {
        let id = format!("{}:{}", reference.name, qualifier.unwrap_or_default());
        let alias: Option<Stored<Alias>> = tx.get(&Kind::LambdaAlias, &id)?;
        let alias = alias.ok_or_else(missing)?;
        if alias.body.version == LATEST {
            let latest = function.body.latest.clone();
            return Ok((function, None, latest));
        }
        number = alias.body.version.parse().ok();
    }
    let number = number.ok_or_else(missing)?;
    let id = version_id(&reference.name, number);
    let version: Option<Stored<Version>> = tx.get(&Kind::LambdaVersion, &id)?;
    let version = version.ok_or_else(missing)?;
    Ok((function, Some(number), version.body.code))
}

/// Refuses a write that was meant for another revision (CP-043).
fn check_revision(given: Option<&str>, found: &str, call: &str) -> Result<(), ApiError> {
    match given {
        Some(given) if given != found => Err(ApiError::lambda(
            "PreconditionFailedException",
            format!(
                "The Revision Id provided does not match the latest Revision Id. Call the {call} API to retrieve the latest Revision Id"
            ),
        )),
        _ => Ok(()),
    }
}

/// A page of a list, which Lambda has a word of its own for refusing (CP-045).
fn listing(
    tx: &Tx<'_>,
    name: &str,
    all: Vec<(String, Value)>,
    input: &Value,
    most: usize,
) -> Result<Page, ApiError> {
    page(tx, name, all, text(input, "Marker"), most).map_err(|refused| match refused.status {
        400 => ApiError::lambda("InvalidParameterValueException", refused.message),
        _ => refused,
    })
}

/// A member that is text.
fn text<'v>(input: &'v Value, member: &str) -> Option<&'v str> {
    input.get(member).and_then(Value::as_str)
}
