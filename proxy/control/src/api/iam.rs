//! IAM: roles exist, permit nothing and are never assumed; nearly every configuration of an edge function makes one (CP-231).

use std::collections::BTreeMap;

use fourfront_store::Kind;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ApiError,
    arn::letter_id,
    time,
    tx::{Stored, Tx},
};

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Role {
    id: String,
    path: String,
    trust: String,
    #[serde(default)]
    description: Option<String>,
    max_session: u64,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Inline policies by name.
    #[serde(default)]
    policies: BTreeMap<String, String>,
    /// ARNs of managed ones.
    #[serde(default)]
    attached: Vec<String>,
    /// Milliseconds since 1970.
    created: u64,
}

fn text<'v>(input: &'v Value, member: &str) -> &'v str {
    input[member].as_str().unwrap_or_default()
}

fn missing(what: &str) -> ApiError {
    ApiError::new(404, "NoSuchEntity", format!("{what} cannot be found."))
}

fn existing(tx: &Tx<'_>, input: &Value) -> Result<Stored<Role>, ApiError> {
    let name = text(input, "RoleName");
    let found = tx.get(&Kind::Role, name)?;
    found.ok_or_else(|| missing(&format!("The role with name {name}")))
}

/// Documents are told URL-encoded.
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, NON_ALPHANUMERIC).to_string()
}

fn shown(tx: &Tx<'_>, name: &str, role: &Role) -> Value {
    let mut shown = json!({
        "Path": role.path,
        "RoleName": name,
        "RoleId": role.id,
        "Arn": format!("arn:aws:iam::{}:role{}{name}", tx.settings.account.id, role.path),
        "CreateDate": time::iso(role.created),
        "AssumeRolePolicyDocument": encoded(&role.trust),
        "MaxSessionDuration": role.max_session,
    });
    if let Some(description) = &role.description {
        shown["Description"] = json!(description);
    }
    if !role.tags.is_empty() {
        shown["Tags"] = tags(role);
    }
    shown
}

fn tags(role: &Role) -> Value {
    let tags = role.tags.iter();
    json!(
        tags.map(|(k, v)| json!({ "Key": k, "Value": v }))
            .collect::<Vec<_>>()
    )
}

fn check_json(document: &str) -> Result<(), ApiError> {
    serde_json::from_str::<Value>(document)
        .map(|_| ())
        .map_err(|e| {
            ApiError::new(
                400,
                "MalformedPolicyDocument",
                format!("The policy is no JSON: {e}"),
            )
        })
}

/// Answers an operation of IAM.
pub(super) fn call(tx: &mut Tx<'_>, operation: &str, input: &Value) -> Result<Value, ApiError> {
    if operation == "CreateRole" {
        return create(tx, input);
    }
    let Stored {
        id: name,
        body: mut role,
        ..
    } = existing(tx, input)?;
    let policy = text(input, "PolicyName").to_owned();
    let arn = text(input, "PolicyArn").to_owned();
    let answer = match operation {
        "GetRole" => return Ok(json!({ "Role": shown(tx, &name, &role) })),
        "ListRoleTags" => return Ok(json!({ "Tags": tags(&role), "IsTruncated": false })),
        "ListRolePolicies" => {
            let names: Vec<_> = role.policies.keys().collect();
            return Ok(json!({ "PolicyNames": names, "IsTruncated": false }));
        }
        "GetRolePolicy" => {
            let document = role.policies.get(&policy);
            let document =
                document.ok_or_else(|| missing(&format!("The role policy with name {policy}")))?;
            return Ok(json!({
                "RoleName": name, "PolicyName": policy, "PolicyDocument": encoded(document),
            }));
        }
        "ListAttachedRolePolicies" => {
            let attached: Vec<_> = role
                .attached
                .iter()
                .map(|arn| json!({ "PolicyName": arn.rsplit('/').next(), "PolicyArn": arn }))
                .collect();
            return Ok(json!({ "AttachedPolicies": attached, "IsTruncated": false }));
        }
        "ListInstanceProfilesForRole" => {
            return Ok(json!({ "InstanceProfiles": [], "IsTruncated": false }));
        }
        "DeleteRole" => {
            if !role.policies.is_empty() || !role.attached.is_empty() {
                return Err(ApiError::new(
                    409,
                    "DeleteConflict",
                    "Cannot delete entity, must detach all policies first.",
                ));
            }
            tx.delete(Kind::Role, &name);
            return Ok(json!({}));
        }
        "UpdateAssumeRolePolicy" => {
            let document = text(input, "PolicyDocument");
            check_json(document)?;
            document.clone_into(&mut role.trust);
            json!({})
        }
        "UpdateRole" => {
            if let Some(description) = input["Description"].as_str() {
                role.description = Some(description.to_owned());
            }
            if let Some(longest) = input["MaxSessionDuration"].as_u64() {
                role.max_session = longest;
            }
            json!({})
        }
        "TagRole" => {
            for tag in input["Tags"].as_array().into_iter().flatten() {
                let (key, value) = (text(tag, "Key"), text(tag, "Value"));
                role.tags.insert(key.to_owned(), value.to_owned());
            }
            json!({})
        }
        "UntagRole" => {
            for key in input["TagKeys"].as_array().into_iter().flatten() {
                role.tags.remove(key.as_str().unwrap_or_default());
            }
            json!({})
        }
        "PutRolePolicy" => {
            let document = text(input, "PolicyDocument");
            check_json(document)?;
            role.policies.insert(policy, document.to_owned());
            json!({})
        }
        "DeleteRolePolicy" => {
            let removed = role.policies.remove(&policy);
            removed.ok_or_else(|| missing(&format!("The role policy with name {policy}")))?;
            json!({})
        }
        "AttachRolePolicy" => {
            if !role.attached.contains(&arn) {
                role.attached.push(arn);
            }
            json!({})
        }
        "DetachRolePolicy" => {
            if !role.attached.contains(&arn) {
                return Err(missing(&format!("Policy {arn}")));
            }
            role.attached.retain(|a| *a != arn);
            json!({})
        }
        _ => {
            return Err(ApiError::new(
                400,
                "InvalidAction",
                format!("{operation} is not available (CP-016)"),
            ));
        }
    };
    tx.put(Kind::Role, &name, &role)?;
    Ok(answer)
}

fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Value, ApiError> {
    let name = text(input, "RoleName");
    if tx.get::<Role>(&Kind::Role, name)?.is_some() {
        return Err(ApiError::new(
            409,
            "EntityAlreadyExists",
            format!("Role with name {name} already exists."),
        ));
    }
    let trust = text(input, "AssumeRolePolicyDocument");
    check_json(trust)?;
    let path = text(input, "Path");
    let tags = input["Tags"].as_array().into_iter().flatten();
    let role = Role {
        id: format!("AROA{}", &letter_id('A')[1..]),
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        },
        trust: trust.to_owned(),
        description: input["Description"].as_str().map(str::to_owned),
        max_session: input["MaxSessionDuration"].as_u64().unwrap_or(3_600),
        tags: tags
            .map(|t| (text(t, "Key").to_owned(), text(t, "Value").to_owned()))
            .collect(),
        policies: BTreeMap::new(),
        attached: Vec::new(),
        created: tx.caller.now,
    };
    tx.put(Kind::Role, name, &role)?;
    Ok(json!({ "Role": shown(tx, name, &role) }))
}
