//! Who may call a function, by qualifier. Kept and told, and not enforced: on a node, whoever may associate a function may
//! run it (CP-078).

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{FunctionRef, Policy, check_revision, code_at, function, text};
use crate::api::{
    ApiError,
    arn::uuid,
    tx::{Output, Stored, Tx},
};

fn none() -> ApiError {
    ApiError::lambda(
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
}

/// `AddPermission`.
pub(super) fn add(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    // The version or alias has to be there.
    let (
        Stored {
            body: mut function, ..
        },
        ..,
    ) = code_at(tx, &reference)?;
    let qualifier = reference.qualifier.clone().unwrap_or_default();
    let policy = function.policies.entry(qualifier).or_default();
    check_revision(text(input, "RevisionId"), &policy.revision_id, "GetPolicy")?;
    let sid = text(input, "StatementId").unwrap_or_default();
    if policy.statements.iter().any(|s| s["Sid"] == json!(sid)) {
        return Err(ApiError::lambda(
            "ResourceConflictException",
            format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
            ),
        ));
    }
    let principal = text(input, "Principal").unwrap_or_default();
    let mut statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": match principal {
            "*" => json!("*"),
            service if service.ends_with(".amazonaws.com") => json!({ "Service": service }),
            account => json!({ "AWS": account }),
        },
        "Action": input["Action"],
        "Resource": reference.arn(&tx.settings.account),
    });
    let mut conditions = serde_json::Map::new();
    if let Some(source) = input.get("SourceAccount") {
        conditions.insert(
            "StringEquals".to_owned(),
            json!({ "AWS:SourceAccount": source }),
        );
    }
    if let Some(source) = input.get("SourceArn") {
        conditions.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
    }
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    policy.statements.push(statement.clone());
    policy.revision_id = uuid();
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(json!({ "Statement": statement.to_string() })))
}

/// `RemovePermission`.
pub(super) fn remove(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let Stored {
        body: mut function, ..
    } = function(tx, &reference)?;
    let qualifier = reference.qualifier.unwrap_or_default();
    let sid = text(input, "StatementId").unwrap_or_default();
    let policy = function.policies.get_mut(&qualifier);
    let policy = policy.filter(|p| p.statements.iter().any(|s| s["Sid"] == json!(sid)));
    let Some(policy) = policy else {
        return Err(ApiError::lambda(
            "ResourceNotFoundException",
            format!("Statement {sid} is not found in resource policy."),
        ));
    };
    check_revision(text(input, "RevisionId"), &policy.revision_id, "GetPolicy")?;
    policy.statements.retain(|s| s["Sid"] != json!(sid));
    policy.revision_id = uuid();
    if policy.statements.is_empty() {
        function.policies.remove(&qualifier);
    }
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(json!({})))
}

/// `GetPolicy`.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let reference = FunctionRef::of(tx, input)?;
    let function = function(tx, &reference)?.body;
    let qualifier = reference.qualifier.unwrap_or_default();
    let Policy {
        revision_id,
        statements,
    } = function.policies.get(&qualifier).ok_or_else(none)?;
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(Output::plain(json!({
        "Policy": policy.to_string(),
        "RevisionId": revision_id,
    })))
}
