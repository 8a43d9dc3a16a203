//! The native API beside what the node itself answers (CP-620): configuration documents, keys and values, artifacts, keys of
//! callers, releases. JSON, with problem documents (CP-621).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use fourfront_aws::Service;
use fourfront_store::{BlobId, Kind};
use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Caller, Control, apply,
    front::{Answer, Front, Head, Received},
    keys, openapi,
    plane::Problem,
    removal, replace, time, trial,
};

/// Answers a request that was let in. `path` is what follows `/_fourfront/v1/`. Blocks.
pub fn answer(
    front: &Arc<Front>,
    head: &Head,
    path: &str,
    body: &Received,
    caller: &Caller,
) -> Answer {
    if let ("PUT", Some(hex)) = (head.method.as_str(), path.strip_prefix("artifacts/sha256/")) {
        return told(artifact_put(front, hex, body));
    }
    let body = &match body.bytes() {
        Ok(body) => body,
        Err(e) => return told(Err(problem(ApiError::internal(e.to_string())))),
    };
    let parts: Vec<&str> = path.split('/').collect();
    let answered = match (head.method.as_str(), parts.as_slice()) {
        ("GET", ["config", kind]) => config_list(front, kind),
        ("GET", ["config", kind, id @ ..]) => config_get(front, kind, &id.join("/")),
        (_, ["kv", store]) => kv_store(front, head, &decoded(store), body, caller),
        (_, ["kv", store, key @ ..]) => kv(
            front,
            head,
            &decoded(store),
            &decoded(&key.join("/")),
            body,
            caller,
        ),
        ("PUT", ["config", kind, id]) => known_kind(kind)
            .and_then(|kind| replace::replace(front, head, &kind, &decoded(id), body, caller)),
        ("DELETE", ["config", kind, id]) => known_kind(kind)
            .and_then(|kind| removal::remove(front, head, &kind, &decoded(id), caller)),
        ("POST", ["test"]) => trial::answer(front.control(), body, caller),
        ("GET", ["openapi.json"]) => Ok((StatusCode::OK, openapi::document())),
        ("HEAD", ["artifacts", "sha256", hex]) => return artifact_head(front, hex),
        ("GET", ["artifacts", "sha256", hex]) => return artifact_get(front, hex),
        (_, ["keys", ..]) => super::keys_api::answer(front, head, &parts[1..], body, caller),
        ("GET", ["audit"]) => super::audit::page(front.control().store(), &head.query),
        (_, ["stages", _, ..]) => super::stages::answer(front, head, &parts, body, caller),
        (_, ["releases" | "plan", ..]) => {
            super::releases::answer(front, head, &parts, body, caller)
        }
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("the native API has no `{} {path}`", head.method),
        )),
    };
    let etag = answered
        .as_ref()
        .ok()
        .and_then(|(_, value)| value["etag"].as_str().map(str::to_owned));
    let mut answer = told(answered);
    if parts[0] == "config"
        && let Some(etag) = etag
    {
        // RFC 9110 section 8.8.3
        let etag = HeaderValue::from_str(&format!("\"{etag}\"")).ok();
        answer.headers.extend(etag.map(|etag| (header::ETAG, etag)));
    }
    answer
}

fn told(answered: Told) -> Answer {
    match answered {
        Ok((status, value)) => Answer::json(status, &value),
        Err(problem) => Answer::problem(problem),
    }
}

/// What a native call comes to.
pub(crate) type Told = Result<(StatusCode, Value), Problem>;

/// A segment of a path as it was meant.
pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// A refusal in the native API's form.
pub(crate) fn problem(error: ApiError) -> Problem {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem::new(status, error.code.into_owned(), error.message)
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        problem(error)
    }
}

fn known_kind(kind: &str) -> Result<Kind, Problem> {
    let shown = Kind::KNOWN.iter().find(|k| k.as_str() == kind);
    let is_secret = kind == Kind::Credential.as_str();
    shown.filter(|_| !is_secret).cloned().ok_or_else(|| {
        let kinds: Vec<_> = Kind::KNOWN.iter().map(Kind::as_str).collect();
        Problem::new(
            StatusCode::NOT_FOUND,
            "NoSuchKind",
            format!("`{kind}` is none of {}", kinds.join(", ")),
        )
    })
}

/// A document as it is told.
pub(super) fn shown(document: &fourfront_store::Document) -> Value {
    let body = document.body.as_deref().unwrap_or_default();
    json!({
        "kind": document.kind.as_str(),
        "id": &*document.id,
        "revision": document.revision,
        "etag": document.etag(),
        "written": time::iso(document.written_at),
        "author": &*document.author,
        "body": serde_json::from_slice::<Value>(body).unwrap_or_default(),
    })
}

fn config_list(front: &Front, kind: &str) -> Told {
    let kind = known_kind(kind)?;
    let all = front.control().store().list(&kind, None, usize::MAX);
    let items: Vec<Value> = all.iter().map(|d| shown(d)).collect();
    Ok((StatusCode::OK, json!({ "items": items })))
}

fn config_get(front: &Front, kind: &str, id: &str) -> Told {
    let (kind, id) = (known_kind(kind)?, decoded(id));
    match front.control().store().get(&kind, &id) {
        Some(document) => Ok((StatusCode::OK, shown(&document))),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("there is no {kind} `{id}`"),
        )),
    }
}

/// What is in force (CP-611): each document with its revision and who wrote it, and, of what the node serves, what stands in
/// its site file. `served` is what it serves: `items` of a `kind` and an `id`. Keys of callers, and what documents say, are left
/// out: nothing here is a secret.
pub fn in_force(control: &Control, served: &Value) -> Value {
    let hidden = [
        Kind::Credential,
        Kind::Setting,
        Kind::Invalidation,
        Kind::Release,
        Kind::Site,
        Kind::Tags,
    ];
    let store = control.store();
    let owners = apply::owners(store);
    let mut items = Vec::new();
    for kind in Kind::KNOWN.iter().filter(|kind| !hidden.contains(kind)) {
        for document in store.list(kind, None, usize::MAX) {
            let body = document.body.as_deref().unwrap_or_default();
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let stack = owners.get(&(kind.to_string(), document.id.to_string()));
            items.push(json!({
                "kind": kind.as_str(),
                "id": &*document.id,
                "name": body["config"]["Name"],
                "revision": document.revision,
                "written": time::iso(document.written_at),
                "author": &*document.author,
                "from": stack.map_or_else(|| "deployed".to_owned(), |stack| format!("stack {stack}")),
            }));
        }
    }
    let of_file = served["items"].as_array().into_iter().flatten();
    let of_file: Vec<Value> = of_file
        .filter(|item| {
            let is = |known: &Value| known["kind"] == item["kind"] && known["id"] == item["id"];
            !items.iter().any(is)
        })
        .map(|item| {
            let mut item = item.clone();
            item["from"] = json!("site file");
            item
        })
        .collect();
    items.extend(of_file);
    json!({ "site_file": control.site_path().display().to_string(), "items": items })
}

/// The ARN of the store with a name or an id.
fn store_arn(front: &Front, name: &str) -> Result<String, Problem> {
    let control = front.control();
    control.arn_of_store(name).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "NoSuchStore",
            format!("there is no key-value store `{name}`"),
        )
    })
}

fn data(front: &Front, operation: &str, input: &Value, caller: &Caller) -> Result<Value, Problem> {
    front
        .control()
        .call(Service::KeyValueStore, operation, input, caller)
        .map_err(problem)
}

/// Who does not say which version of the data they mean mean whatever there is.
fn expected(head: &Head) -> Value {
    match head.headers.get(header::IF_MATCH) {
        Some(given) => json!(given.to_str().unwrap_or_default()),
        None => keys::whatever(),
    }
}

/// What is written and deleted at once.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EntryChanges {
    puts: BTreeMap<String, String>,
    deletes: Vec<String>,
}

/// `GET kv/{store}`: a page of its keys. `POST kv/{store}`: `{"puts": {..}, "deletes": [..]}`, all or nothing.
fn kv_store(front: &Front, head: &Head, store: &str, body: &Bytes, caller: &Caller) -> Told {
    let arn = store_arn(front, store)?;
    if head.method == Method::GET {
        let pairs = fourfront_aws::pairs(&head.query).unwrap_or_default();
        let token = pairs
            .iter()
            .find(|(name, _)| name == "after")
            .map(|(_, v)| v.as_str());
        let input =
            json!({ "KvsARN": arn, "MaxResults": 50, "NextToken": token.unwrap_or_default() });
        let listed = data(front, "ListKeys", &input, caller)?;
        let mut told = json!({ "items": listed["Items"] });
        if let Some(next) = listed.get("NextToken") {
            told["next"] = next.clone();
        }
        return Ok((StatusCode::OK, told));
    }
    if head.method != Method::POST {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "GET or POST to `kv/` and the name of a store",
        ));
    }
    let changes: EntryChanges = serde_json::from_slice(body)
        .map_err(|e| Problem::invalid("", format!("not changes of keys: {e}")))?;
    let puts = changes.puts.iter();
    let puts: Vec<Value> = puts
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let deletes = changes.deletes.iter();
    let deletes: Vec<Value> = deletes.map(|key| json!({ "Key": key })).collect();
    let if_match = expected(head);
    let input = json!({ "KvsARN": arn, "Puts": puts, "Deletes": deletes, "IfMatch": if_match });
    let told = data(front, "UpdateKeys", &input, caller)?;
    Ok((StatusCode::OK, told))
}

fn kv(front: &Front, head: &Head, store: &str, key: &str, body: &Bytes, caller: &Caller) -> Told {
    let arn = store_arn(front, store)?;
    match head.method.as_str() {
        "GET" => {
            let input = json!({ "KvsARN": arn, "Key": key });
            let told = data(front, "GetKey", &input, caller)?;
            Ok((
                StatusCode::OK,
                json!({ "key": key, "value": told["Value"] }),
            ))
        }
        "PUT" => {
            let value = std::str::from_utf8(body)
                .map_err(|_| Problem::invalid("value", "the body is no UTF-8 text"))?;
            let if_match = expected(head);
            let input = json!({ "KvsARN": arn, "Key": key, "Value": value, "IfMatch": if_match });
            Ok((StatusCode::OK, data(front, "PutKey", &input, caller)?))
        }
        "DELETE" => {
            let if_match = expected(head);
            let input = json!({ "KvsARN": arn, "Key": key, "IfMatch": if_match });
            Ok((StatusCode::OK, data(front, "DeleteKey", &input, caller)?))
        }
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "GET, PUT or DELETE a key",
        )),
    }
}

fn blob_id(hex: &str) -> Result<BlobId, Problem> {
    hex.parse()
        .map_err(|_| Problem::invalid("sha256", "64 digits of 0-9 and a-f"))
}

/// Whether an artifact is there already, so that it need not be sent. It is kept from being collected, as if it had been.
fn artifact_head(front: &Front, hex: &str) -> Answer {
    let store = front.control().store();
    let kept = blob_id(hex).and_then(|id| store.blob_keep(&id).map_err(|e| problem(e.into())));
    match kept {
        Ok(true) => Answer {
            status: StatusCode::NO_CONTENT,
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
        },
        Ok(false) => Answer::problem(Problem::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "there is no such artifact",
        )),
        Err(problem) => Answer::problem(problem),
    }
}

fn artifact_get(front: &Front, hex: &str) -> Answer {
    let store = front.control().store();
    let read = blob_id(hex).and_then(|id| {
        let read = store.blob_read(&id).map_err(|e| problem(e.into()))?;
        read.ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "NotFound",
                "there is no such artifact",
            )
        })
    });
    match read {
        Ok(bytes) => {
            let mut answer = Answer {
                status: StatusCode::OK,
                headers: http::HeaderMap::new(),
                body: bytes.into(),
            };
            let media_type = HeaderValue::from_static("application/octet-stream");
            answer.headers.insert(header::CONTENT_TYPE, media_type);
            answer
        }
        Err(problem) => Answer::problem(problem),
    }
}

/// Keeps an artifact, from one file to another (CP-033).
fn artifact_put(front: &Front, hex: &str, body: &Received) -> Told {
    let wanted = blob_id(hex)?;
    if BlobId::new(*body.sha256()) != wanted {
        return Err(Problem::invalid("sha256", "the body has another SHA-256"));
    }
    let failed = |e: &dyn std::fmt::Display| problem(ApiError::internal(e.to_string()));
    let writer = front.control().store().blob_writer();
    let mut writer = writer.map_err(|e| problem(e.into()))?;
    let mut reader = body.reader().map_err(|e| failed(&e))?;
    std::io::copy(&mut reader, &mut writer).map_err(|e| failed(&e))?;
    let id = writer.finish().map_err(|e| problem(e.into()))?;
    Ok((
        StatusCode::CREATED,
        json!({ "sha256": id.to_string(), "size": body.len() }),
    ))
}
