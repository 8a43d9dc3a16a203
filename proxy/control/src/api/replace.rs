//! `PUT config/{kind}/{id}` (CP-620): a document in the place of another, by the operations of the AWS API that change such a
//! thing, so that it is held against what they refuse.
//!
//! The body has the members that `GET` shows as `body`. Those that an operation can change may be others than before; the rest
//! may be left out, or given as it is. Code is named by the SHA-256 of an artifact that was sent before.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use fourfront_aws::Service;
use fourfront_store::{BlobId, Kind};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    ApiError, Caller, Control,
    cloudfront::FunctionDocument,
    front::{Front, Head},
    native::{Told, problem, shown},
    plane::Problem,
    time,
    tx::{Stored, Tx},
    wire, work_out,
};

/// Puts a document in the place of the one with this kind and id, or where there is none. `If-Match` names the ETag of what is
/// replaced; `*` is whichever there is.
pub(super) fn replace(
    front: &Arc<Front>,
    head: &Head,
    kind: &Kind,
    id: &str,
    body: &Bytes,
    caller: &Caller,
) -> Told {
    let given: Map<String, Value> = serde_json::from_slice(body).map_err(|e| {
        let detail = format!("not a JSON object: {e}");
        Problem::new(StatusCode::BAD_REQUEST, "MalformedInput", detail)
    })?;
    let wanted = head.headers.get(header::IF_MATCH);
    let wanted = wanted.map(|value| etag_of(value.as_bytes()));
    put(front.control(), kind, id, &given, wanted, caller)
}

/// The ETag that a field names, with or without the quotes that RFC 9110 wants around it.
pub(super) fn etag_of(value: &[u8]) -> &str {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    text.strip_prefix("W/").unwrap_or(text).trim_matches('"')
}

/// That a document is not the one that was meant (RFC 9110 section 13.1.1).
pub(super) fn stale(kind: &Kind, id: &str, now: &str) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        match now {
            "" => format!("there is no {kind} `{id}`"),
            now => format!("{kind} `{id}` was changed since: its ETag is {now}"),
        },
    )
}

fn put(
    control: &Control,
    kind: &Kind,
    id: &str,
    given: &Map<String, Value>,
    wanted: Option<&str>,
    caller: &Caller,
) -> Told {
    let ((status, mut told), revisions) = control.transact(caller, |tx| {
        let status = exchange(tx, kind, id, given, wanted)?;
        let told = match tx.unchanged(kind, id) {
            Some(document) => shown(&document),
            None => {
                let body = tx.get::<Value>(kind, id)?.map(|found| found.body);
                json!({ "kind": kind.as_str(), "id": id, "body": body })
            }
        };
        Ok::<_, Problem>(((status, told), None))
    })?;
    // What this call has written, whatever others have since (CP-040).
    let revision = revisions.iter().find(|(k, i, _)| k == kind && &**i == id);
    if let Some((.., revision)) = revision {
        told["revision"] = json!(revision);
        told["etag"] = json!(fourfront_store::etag(kind, id, *revision));
        told["written"] = json!(time::iso(caller.now));
        told["author"] = json!(caller.key_id);
    }
    Ok((status, told))
}

/// Works out what takes the place of what: created, or replaced.
fn exchange(
    tx: &mut Tx<'_>,
    kind: &Kind,
    id: &str,
    given: &Map<String, Value>,
    wanted: Option<&str>,
) -> Result<StatusCode, Problem> {
    let found = tx.get::<Value>(kind, id)?;
    let status = match (&found, wanted) {
        (Some(_), None) => {
            // RFC 6585 section 3
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "PreconditionRequired",
                format!("{kind} `{id}` is there: say with `If-Match` which ETag is replaced"),
            ));
        }
        (Some(found), Some(wanted)) => {
            let now = found.etag(kind);
            if wanted != "*" && wanted != now {
                return Err(stale(kind, id, &now));
            }
            StatusCode::OK
        }
        (None, Some(_)) => return Err(stale(kind, id, "")),
        (None, None) => StatusCode::CREATED,
    };
    match &found {
        Some(found) => change(tx, kind, found, given)?,
        None => create(tx, kind, id, given)?,
    }
    Ok(status)
}

/// What of a document is changed by its own operations, as paths into it.
const fn changeable(kind: &Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::Distribution
        | Kind::CachePolicy
        | Kind::OriginRequestPolicy
        | Kind::ResponseHeadersPolicy
        | Kind::OriginAccessControl
        | Kind::OriginAccessIdentity
        | Kind::PublicKey
        | Kind::KeyGroup
        | Kind::ContinuousDeploymentPolicy => &["config"],
        Kind::KeyValueStore => &["comment"],
        Kind::CloudfrontFunction => &["development.config", "development.sha256"],
        Kind::Lambda => &["latest.config", "latest.sha256"],
        Kind::LambdaAlias => &["version", "description", "routing"],
        _ => return None,
    })
}

/// The part of an operation's name that says what it is about, for documents of CloudFront's that are a configuration.
const fn name(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Distribution => "Distribution",
        Kind::CachePolicy => "CachePolicy",
        Kind::OriginRequestPolicy => "OriginRequestPolicy",
        Kind::ResponseHeadersPolicy => "ResponseHeadersPolicy",
        Kind::OriginAccessControl => "OriginAccessControl",
        Kind::OriginAccessIdentity => "CloudFrontOriginAccessIdentity",
        Kind::PublicKey => "PublicKey",
        Kind::KeyGroup => "KeyGroup",
        Kind::ContinuousDeploymentPolicy => "ContinuousDeploymentPolicy",
        _ => return None,
    })
}

fn not_written(kind: &Kind) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("a {kind} is not written by itself"),
    )
}

/// Members of the body, one level deep where the document has them so, that may be others than in the document before.
fn members(
    kind: &Kind,
    given: &Map<String, Value>,
    before: &Value,
) -> Result<Map<String, Value>, Problem> {
    let paths = changeable(kind).ok_or_else(|| not_written(kind))?;
    let mut changes = Map::new();
    for (name, value) in given {
        let nested = paths
            .iter()
            .any(|p| p.split_once('.').is_some_and(|(of, _)| of == name));
        let inner = match value {
            Value::Object(inner) if nested => inner
                .iter()
                .map(|(k, v)| (format!("{name}.{k}"), v))
                .collect(),
            value => vec![(name.clone(), value)],
        };
        for (path, value) in inner {
            let pointer = format!("/{}", path.replace('.', "/"));
            if paths.contains(&path.as_str()) {
                changes.insert(path, value.clone());
            } else if before.pointer(&pointer) != Some(value) {
                let detail = format!(
                    "what is written of a {kind} is {}; other members are left out, or stay as they are",
                    paths
                        .iter()
                        .map(|p| format!("`{p}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                );
                return Err(Problem::invalid(&path, detail));
            }
        }
    }
    Ok(changes)
}

fn change(
    tx: &mut Tx<'_>,
    kind: &Kind,
    found: &Stored<Value>,
    given: &Map<String, Value>,
) -> Result<(), Problem> {
    let changes = members(kind, given, &found.body)?;
    let id = found.id.as_str();
    let etag = found.etag(kind);
    let changed = match kind {
        Kind::KeyValueStore => match changes.get("comment") {
            None => Ok(()),
            Some(comment) => {
                let input = json!({ "Name": id, "IfMatch": etag, "Comment": comment });
                call(tx, Service::CloudFront, "UpdateKeyValueStore", input)
            }
        },
        Kind::CloudfrontFunction => change_function(tx, id, &changes),
        Kind::Lambda => change_lambda(tx, id, &changes),
        Kind::LambdaAlias => call(tx, Service::Lambda, "UpdateAlias", alias(id, &changes)),
        _ => match (name(kind), changes.get("config")) {
            (Some(name), Some(config)) => {
                let input = json!({ "Id": id, "IfMatch": etag, format!("{name}Config"): config });
                call(tx, Service::CloudFront, &format!("Update{name}"), input)
            }
            _ => Ok(()),
        },
    };
    changed.map_err(problem)
}

/// Only what callers name themselves can be made in this way.
fn create(
    tx: &mut Tx<'_>,
    kind: &Kind,
    id: &str,
    given: &Map<String, Value>,
) -> Result<(), Problem> {
    let new = members(kind, given, &Value::Null)?;
    let member = |path: &str| new.get(path).cloned().unwrap_or_default();
    let made = match kind {
        Kind::KeyValueStore => {
            let mut input = json!({ "Name": id });
            if let Some(comment) = new.get("comment") {
                input["Comment"] = comment.clone();
            }
            call(tx, Service::CloudFront, "CreateKeyValueStore", input)
        }
        Kind::CloudfrontFunction => artifact(tx, &new, "development.sha256").and_then(|code| {
            let config = member("development.config");
            let input = json!({ "Name": id, "FunctionConfig": config, "FunctionCode": code });
            call(tx, Service::CloudFront, "CreateFunction", input)
        }),
        Kind::Lambda => artifact(tx, &new, "latest.sha256").and_then(|zip| {
            let mut input = match member("latest.config") {
                Value::Object(config) => Value::Object(config),
                _ => json!({}),
            };
            input["FunctionName"] = json!(id);
            input["Code"] = json!({ "ZipFile": zip });
            call(tx, Service::Lambda, "CreateFunction", input)
        }),
        Kind::LambdaAlias => call(tx, Service::Lambda, "CreateAlias", alias(id, &new)),
        _ => {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!(
                    "there is no {kind} `{id}`, and the node gives ids of this kind: make one with `Create{}` of the AWS API, or deploy it",
                    name(kind).unwrap_or_default()
                ),
            ));
        }
    };
    made.map_err(problem)
}

/// The input about an alias, whose id is the function's name and its own.
fn alias(id: &str, members: &Map<String, Value>) -> Value {
    let (function, name) = id.split_once(':').unwrap_or((id, ""));
    let mut input = json!({ "FunctionName": function, "Name": name });
    for (path, member) in [
        ("version", "FunctionVersion"),
        ("description", "Description"),
        ("routing", "RoutingConfig"),
    ] {
        if let Some(value) = members.get(path).filter(|value| !value.is_null()) {
            input[member] = value.clone();
        }
    }
    input
}

fn change_function(
    tx: &mut Tx<'_>,
    id: &str,
    changes: &Map<String, Value>,
) -> Result<(), ApiError> {
    let found = tx.get::<FunctionDocument>(&Kind::CloudfrontFunction, id)?;
    let Some(found) = found.filter(|_| !changes.is_empty()) else {
        return Ok(());
    };
    let development = &found.body.development;
    let mut all = changes.clone();
    all.entry("development.sha256")
        .or_insert_with(|| json!(development.sha256));
    let config = all
        .get("development.config")
        .unwrap_or(&development.config)
        .clone();
    let input = json!({
        "Name": id,
        "IfMatch": development.etag(id),
        "FunctionConfig": config,
        "FunctionCode": artifact(tx, &all, "development.sha256")?,
    });
    call(tx, Service::CloudFront, "UpdateFunction", input)
}

fn change_lambda(tx: &mut Tx<'_>, id: &str, changes: &Map<String, Value>) -> Result<(), ApiError> {
    if changes.contains_key("latest.sha256") {
        let zip = artifact(tx, changes, "latest.sha256")?;
        let input = json!({ "FunctionName": id, "ZipFile": zip });
        call(tx, Service::Lambda, "UpdateFunctionCode", input)?;
    }
    let Some(config) = changes.get("latest.config") else {
        return Ok(());
    };
    let Value::Object(mut input) = config.clone() else {
        return Err(ApiError::new(
            400,
            "InvalidArgument",
            "latest.config: expected an object",
        ));
    };
    input.insert("FunctionName".to_owned(), json!(id));
    let input = Value::Object(input);
    call(tx, Service::Lambda, "UpdateFunctionConfiguration", input)
}

/// The bytes of an artifact, in base64 as the AWS API takes code.
fn artifact(tx: &Tx<'_>, members: &Map<String, Value>, path: &str) -> Result<String, ApiError> {
    let sha256 = members
        .get(path)
        .and_then(Value::as_str)
        .unwrap_or_default();
    let invalid = |detail: &str| ApiError::new(400, "InvalidArgument", format!("{path}: {detail}"));
    let id: BlobId = sha256
        .parse()
        .map_err(|_| invalid("expected the SHA-256 of an artifact, 64 digits of 0-9 and a-f"))?;
    let bytes = tx.store.blob_read(&id)?;
    let bytes = bytes.ok_or_else(|| invalid("there is no such artifact: send it first"))?;
    Ok(STANDARD.encode(bytes))
}

/// Makes a call as if it had come by the wire.
fn call(tx: &mut Tx<'_>, service: Service, operation: &str, input: Value) -> Result<(), ApiError> {
    let Value::Object(input) = input else {
        return Err(ApiError::internal(format!("{operation}: no object")));
    };
    let input = wire::checked_input(service, operation, input)?;
    work_out(tx, service, operation, &input).map(|_| ())
}

#[cfg(test)]
mod tests;
