//! Key-value stores as they are managed (CP-154..158). What they hold is `crate::api::keys`' concern.

use std::collections::BTreeMap;

use fourfront_model::StoreQuotaError;
use fourfront_store::{Kind, KvsChange};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FunctionDocument, check_match, listed, tagging, text};
use crate::api::{
    ApiError,
    arn::{Account, uuid},
    rules, time,
    tx::{Output, Stored, Tx},
};

/// A key-value store; its document is found by its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoreDocument {
    /// A UUID: what its data is found by.
    pub(crate) id: String,
    pub(crate) comment: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
}

impl StoreDocument {
    pub(crate) fn arn(&self, account: &Account) -> String {
        account.cloudfront(&format!("key-value-store/{}", self.id))
    }
}

fn existing(tx: &Tx<'_>, name: &str) -> Result<Stored<StoreDocument>, ApiError> {
    tx.get(&Kind::KeyValueStore, name)?.ok_or_else(|| {
        ApiError::cloudfront(
            "EntityNotFound",
            format!("The key value store entity was not found: {name}"),
        )
    })
}

fn shown(tx: &Tx<'_>, name: &str, document: &StoreDocument) -> Value {
    json!({
        "Name": name,
        "Id": document.id,
        "Comment": document.comment,
        "ARN": document.arn(&tx.settings.account),
        // An import is done before it is answered (CP-155).
        "Status": "READY",
        "LastModifiedTime": time::iso(document.modified),
    })
}

/// `CreateKeyValueStore`, with an import where one is asked for (CP-156).
pub(super) fn create(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(named) {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!("Name: `{name}` is not 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`"),
        ));
    }
    if tx
        .get::<StoreDocument>(&Kind::KeyValueStore, name)?
        .is_some()
    {
        return Err(ApiError::cloudfront(
            "EntityAlreadyExists",
            format!("The key value store already exists: {name}"),
        ));
    }
    let entries = match input.get("ImportSource") {
        None | Some(Value::Null) => Vec::new(),
        Some(source) => import(tx, source)?,
    };
    let tags = tagging::read(&input["Tags"])?;
    let document = make(tx, name, text(input, "Comment"), tags, entries)?;
    let value = json!({
        "KeyValueStore": shown(tx, name, &document),
        "Location": format!("{}/2020-05-31/key-value-store/{name}", tx.origin()),
    });
    Ok(Output::tagged(value, Kind::KeyValueStore, name))
}

/// Makes a store with this data.
pub(crate) fn make(
    tx: &mut Tx<'_>,
    name: &str,
    comment: &str,
    tags: BTreeMap<String, String>,
    entries: Entries,
) -> Result<StoreDocument, ApiError> {
    rules::one_more(tx, &Kind::KeyValueStore)?;
    let document = StoreDocument {
        id: uuid(),
        comment: comment.to_owned(),
        tags,
        modified: tx.caller.now,
    };
    let id = document.id.as_str().into();
    tx.change_data(KvsChange::Create { id, entries });
    tx.put(Kind::KeyValueStore, name, &document)?;
    Ok(document)
}

pub(crate) type Entries = Vec<(std::sync::Arc<str>, std::sync::Arc<str>)>;

/// What an import source holds.
fn import(tx: &Tx<'_>, source: &Value) -> Result<Entries, ApiError> {
    let invalid = |message: String| {
        ApiError::cloudfront("InvalidArgument", format!("ImportSource: {message}"))
    };
    let arn = text(source, "SourceARN");
    let object = arn
        .strip_prefix("arn:aws:s3:::")
        .and_then(|rest| rest.split_once('/'));
    let (bucket, key) =
        object.ok_or_else(|| invalid(format!("`{arn}` is no ARN of an object in a bucket")))?;
    let bytes = tx
        .artifact(bucket, key)
        .map_err(|why| invalid(format!("s3://{bucket}/{key}: {why} (CP-075)")))?;
    read_import(tx, &bytes).map_err(|fault| match fault {
        ImportFault::Large(message) => ApiError::cloudfront(
            "EntitySizeLimitExceeded",
            format!("ImportSource: {message}"),
        ),
        ImportFault::Invalid(message) => invalid(message),
    })
}

/// What is wrong with the file of an import.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportFault {
    /// It is no file of that format, or a key or a value of it cannot be in a store.
    #[error("{0}")]
    Invalid(String),
    /// All of it is more than a store may hold.
    #[error("{0}")]
    Large(String),
}

/// `{"data":[{"key":"..","value":".."}]}` (CP-156).
pub(crate) fn read_import(tx: &Tx<'_>, bytes: &[u8]) -> Result<Entries, ImportFault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Import {
        data: Vec<Pair>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        key: String,
        value: String,
    }
    let import: Import =
        serde_json::from_slice(bytes).map_err(|e| ImportFault::Invalid(e.to_string()))?;
    let mut entries = BTreeMap::new();
    for Pair { key, value } in import.data {
        if entries.contains_key(&key) {
            let message = format!("the key `{key}` is there twice");
            return Err(ImportFault::Invalid(message));
        }
        entries.insert(key, value);
    }
    let quotas = &tx.rules.quotas.stores;
    fourfront_model::KeyValueStore::check_quotas(&entries, quotas).map_err(|e| match e {
        StoreQuotaError::Store { .. } => ImportFault::Large(e.to_string()),
        _ => ImportFault::Invalid(e.to_string()),
    })?;
    Ok(entries
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect())
}

/// `DescribeKeyValueStore`.
pub(super) fn describe(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let found = existing(tx, name)?;
    let value = json!({ "KeyValueStore": shown(tx, name, &found.body) });
    Ok(Output::tagged(value, Kind::KeyValueStore, name))
}

/// `UpdateKeyValueStore`: its comment.
pub(super) fn update(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let found = existing(tx, name)?;
    check_match(input, &found.etag(&Kind::KeyValueStore))?;
    let document = StoreDocument {
        comment: text(input, "Comment").to_owned(),
        modified: tx.caller.now,
        ..found.body
    };
    tx.put(Kind::KeyValueStore, name, &document)?;
    let value = json!({ "KeyValueStore": shown(tx, name, &document) });
    Ok(Output::tagged(value, Kind::KeyValueStore, name))
}

/// `DeleteKeyValueStore` (CP-158).
pub(super) fn delete(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let name = text(input, "Name");
    let found = existing(tx, name)?;
    check_match(input, &found.etag(&Kind::KeyValueStore))?;
    let arn = found.body.arn(&tx.settings.account);
    for function in tx.list::<FunctionDocument>(&Kind::CloudfrontFunction)? {
        let stages = [
            Some(&function.body.development),
            function.body.live.as_ref(),
        ];
        if stages
            .into_iter()
            .flatten()
            .any(|stage| stage.store() == Some(arn.as_str()))
        {
            return Err(ApiError::cloudfront(
                "CannotDeleteEntityWhileInUse",
                format!(
                    "The key value store cannot be deleted: function {} is associated with it.",
                    function.id
                ),
            ));
        }
    }
    let id = found.body.id.as_str().into();
    tx.change_data(KvsChange::Remove { id });
    tx.delete(Kind::KeyValueStore, name);
    Ok(Output::plain(json!({})))
}

/// `ListKeyValueStores`.
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let status = input["Status"].as_str();
    let mut all = Vec::new();
    if status.is_none_or(|s| s == "READY") {
        for found in tx.list::<StoreDocument>(&Kind::KeyValueStore)? {
            all.push((found.id.clone(), shown(tx, &found.id, &found.body)));
        }
    }
    let list = listed(tx, "ListKeyValueStores", all, input)?;
    Ok(Output::plain(json!({ "KeyValueStoreList": list })))
}
