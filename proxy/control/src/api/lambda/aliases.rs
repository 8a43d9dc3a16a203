//! Aliases: names that stand for versions. A distribution takes none (CP-130); tools keep them all the same.

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{Alias, FunctionRef, LATEST, Version, check_revision, function, text, version_id};
use crate::api::{
    ApiError,
    arn::uuid,
    page::Page,
    tx::{Output, Stored, Tx},
};

fn id(reference: &FunctionRef, name: &str) -> String {
    format!("{}:{name}", reference.name)
}

fn missing(tx: &Tx<'_>, reference: &FunctionRef, name: &str) -> ApiError {
    let arn = tx.settings.account.lambda(&reference.name);
    ApiError::lambda(
        "ResourceNotFoundException",
        format!("Cannot find alias arn: {arn}:{name}"),
    )
}

fn shown(tx: &Tx<'_>, reference: &FunctionRef, alias: &Alias) -> Value {
    let arn = tx.settings.account.lambda(&reference.name);
    let mut shown = json!({
        "AliasArn": format!("{arn}:{}", alias.name),
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    });
    if let Some(routing) = &alias.routing {
        shown["RoutingConfig"] = routing.clone();
    }
    shown
}

fn check_version(tx: &Tx<'_>, reference: &FunctionRef, version: &str) -> Result<(), ApiError> {
    let number = version.parse::<u32>().ok();
    let is_there = match number {
        _ if version == LATEST => true,
        Some(number) => {
            let id = version_id(&reference.name, number);
            tx.get::<Version>(&Kind::LambdaVersion, &id)?.is_some()
        }
        None => false,
    };
    if is_there {
        return Ok(());
    }
    let arn = tx.settings.account.lambda(&reference.name);
    Err(ApiError::lambda(
        "ResourceNotFoundException",
        format!("Function not found: {arn}:{version}"),
    ))
}

/// `CreateAlias`.
pub(super) fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    function(tx, &reference)?;
    let name = text(input, "Name").unwrap_or_default();
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ApiError::lambda_validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        )));
    }
    let id = id(&reference, name);
    if tx.get::<Alias>(&Kind::LambdaAlias, &id)?.is_some() {
        let arn = tx.settings.account.lambda(&reference.name);
        return Err(ApiError::lambda(
            "ResourceConflictException",
            format!("Alias already exists: {arn}:{name}"),
        ));
    }
    let version = text(input, "FunctionVersion").unwrap_or_default();
    check_version(tx, &reference, version)?;
    let alias = Alias {
        name: name.to_owned(),
        version: version.to_owned(),
        description: text(input, "Description").unwrap_or_default().to_owned(),
        routing: input.get("RoutingConfig").cloned(),
        revision_id: uuid(),
    };
    tx.put(Kind::LambdaAlias, &id, &alias)?;
    Ok(Output::plain(shown(tx, &reference, &alias)))
}

fn existing(tx: &Tx<'_>, reference: &FunctionRef, name: &str) -> Result<Stored<Alias>, ApiError> {
    function(tx, reference)?;
    let alias = tx.get(&Kind::LambdaAlias, &id(reference, name))?;
    alias.ok_or_else(|| missing(tx, reference, name))
}

/// `GetAlias`.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let alias = existing(tx, &reference, text(input, "Name").unwrap_or_default())?;
    Ok(Output::plain(shown(tx, &reference, &alias.body)))
}

/// `UpdateAlias`.
pub(super) fn update(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let Stored {
        body: mut alias,
        id,
        ..
    } = existing(tx, &reference, text(input, "Name").unwrap_or_default())?;
    check_revision(text(input, "RevisionId"), &alias.revision_id, "GetAlias")?;
    if let Some(version) = text(input, "FunctionVersion") {
        check_version(tx, &reference, version)?;
        alias.version = version.to_owned();
    }
    if let Some(description) = text(input, "Description") {
        alias.description = description.to_owned();
    }
    if let Some(routing) = input.get("RoutingConfig") {
        alias.routing = Some(routing.clone());
    }
    alias.revision_id = uuid();
    tx.put(Kind::LambdaAlias, &id, &alias)?;
    Ok(Output::plain(shown(tx, &reference, &alias)))
}

/// `DeleteAlias`: one that is gone stays gone.
pub(super) fn delete(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    function(tx, &reference)?;
    let id = id(&reference, text(input, "Name").unwrap_or_default());
    if tx.get::<Alias>(&Kind::LambdaAlias, &id)?.is_some() {
        tx.delete(Kind::LambdaAlias, &id);
    }
    Ok(Output::plain(json!({})))
}

/// `ListAliases`.
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    function(tx, &reference)?;
    let version = text(input, "FunctionVersion");
    let mut all = Vec::new();
    for alias in tx.list::<Alias>(&Kind::LambdaAlias)? {
        let is_ours = alias.id.split(':').next() == Some(reference.name.as_str());
        if is_ours && version.is_none_or(|v| v == alias.body.version) {
            all.push((alias.body.name.clone(), shown(tx, &reference, &alias.body)));
        }
    }
    let given = input.get("MaxItems").and_then(Value::as_u64).unwrap_or(50);
    let most = usize::try_from(given.clamp(1, 50)).unwrap_or(50);
    let listing = format!("aliases of {}", reference.name);
    let Page { items, next } = super::listing(tx, &listing, all, input, most)?;
    let mut answer = json!({ "Aliases": items });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(Output::plain(answer))
}
