//! Keys of callers by the native API: made, listed, removed (CP-430..432). A secret is told once, in the answer that makes it.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use fourfront_auth::{BearerToken, Credential, Grants, KeyId, Role, Secret};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    Caller,
    front::{Front, Head},
    native::{Told, problem},
    plane::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// `key` signs as AWS's tools do, `token` is a bearer token.
    #[serde(default)]
    kind: Kind,
    roles: BTreeSet<String>,
    #[serde(default)]
    distributions: Vec<String>,
    #[serde(default)]
    function_prefixes: Vec<String>,
    #[serde(default)]
    stacks: Vec<String>,
    #[serde(default)]
    stores: Vec<String>,
    #[serde(default)]
    description: String,
    /// An id and a secret that exist already, to be accepted here too.
    import: Option<Import>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Key,
    Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    key_id: String,
    secret: String,
    /// Whether an id that looks like a live key of AWS's is meant (CP-431).
    #[serde(default)]
    yes_really: bool,
}

pub(super) fn answer(
    front: &Front,
    head: &Head,
    rest: &[&str],
    body: &Bytes,
    caller: &Caller,
) -> Told {
    let keys = front.keys();
    match (head.method.as_str(), rest) {
        ("GET", []) => {
            let all = keys.list().map_err(problem)?;
            Ok((StatusCode::OK, json!({ "items": all })))
        }
        ("POST", []) => create(front, head, body, caller),
        ("POST", [id, "rotate"]) => rotate(front, head, id, body, caller),
        ("DELETE", [id]) => match keys.remove(id, caller.trail.entry()).map_err(problem)? {
            true => Ok((StatusCode::OK, json!({ "removed": id }))),
            false => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("there is no key `{id}`"),
            )),
        },
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "GET or POST to `keys`, DELETE `keys/` and an id, or POST to `keys/`, an id and `/rotate`",
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old key is still good, in seconds.
    #[serde(default = "a_day")]
    old_good_for: u64,
}

const fn a_day() -> u64 {
    86_400
}

/// Makes another key with the same rights, and lets the old one end after a while (CP-432).
fn rotate(front: &Front, head: &Head, id: &str, body: &Bytes, caller: &Caller) -> Told {
    let asked: Rotation = match body.is_empty() {
        true => Rotation {
            old_good_for: a_day(),
        },
        false => serde_json::from_slice(body)
            .map_err(|e| Problem::invalid("", format!("not a rotation: {e}")))?,
    };
    let ends = Duration::from_secs(asked.old_good_for);
    let ends = head
        .now
        .checked_add(ends)
        .ok_or_else(|| Problem::invalid("old_good_for", "no calendar reaches that far"))?;
    let rotated = front
        .keys()
        .rotate(id, ends, head.now, caller.trail.entry())
        .map_err(problem)?;
    let rotated = rotated.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("there is no key `{id}`"),
        )
    })?;
    let ends = super::time::iso(super::time::millis(ends));
    let mut told = json!({ "id": rotated.id, "replaces": id, "old_ends": ends });
    told[rotated.kind_of_secret] = json!(&*rotated.secret);
    Ok((StatusCode::CREATED, told))
}

fn create(front: &Front, head: &Head, body: &Bytes, caller: &Caller) -> Told {
    let new: NewKey = serde_json::from_slice(body)
        .map_err(|e| Problem::invalid("", format!("not a key to make: {e}")))?;
    let mut roles = Vec::new();
    for role in &new.roles {
        let parsed: Role = serde_json::from_value(json!(role)).map_err(|_| {
            Problem::invalid(
                "roles",
                format!("`{role}` is none of admin, deploy, purge, kvs-write, read, logs"),
            )
        })?;
        roles.push(parsed);
    }
    if roles.is_empty() {
        return Err(Problem::invalid("roles", "a key has a role at least"));
    }
    let grants = Grants {
        roles,
        distributions: new.distributions,
        function_prefixes: new.function_prefixes,
        stacks: new.stacks,
        stores: new.stores,
    };
    let internal = |e: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", e);
    if new.kind == Kind::Token {
        if new.import.is_some() {
            return Err(Problem::invalid("import", "tokens are made, not imported"));
        }
        let (mut token, text) =
            BearerToken::generate(grants, head.now).map_err(|e| internal(e.to_string()))?;
        token.description = new.description;
        let id = token.id.clone();
        caller.trail.about(&id);
        front
            .keys()
            .put_token(token, head.now, caller.trail.entry())
            .map_err(problem)?;
        return Ok((StatusCode::CREATED, json!({ "id": id, "token": &*text })));
    }
    let mut key = Credential::generate(grants, head.now).map_err(|e| internal(e.to_string()))?;
    if let Some(import) = new.import {
        key.key_id = KeyId::import(&import.key_id, import.yes_really)
            .map_err(|e| Problem::invalid("import.key_id", e.to_string()))?;
        key.secret = Secret::new(import.secret);
    }
    key.description = new.description;
    caller.trail.about(key.key_id.as_str());
    front
        .keys()
        .put(&key, head.now, caller.trail.entry())
        .map_err(problem)?;
    Ok((
        StatusCode::CREATED,
        json!({ "id": key.key_id.as_str(), "secret": key.secret.reveal() }),
    ))
}
