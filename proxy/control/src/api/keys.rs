//! The data plane of key-value stores (CP section 4). A write is durable and visible to functions before it is answered
//! (CP-204), and waits for no other call of the API (CP-203): tools that write keys in batches, several at the same time, try
//! again when they are told of a conflict (CP-289).

use std::sync::Arc;

use fourfront_model::StoreQuotas;
use fourfront_store::{AuditEntry, Kind, KvsData, KvsError, KvsQuotas, KvsRequest};
use serde_json::{Value, json};

use super::{
    ApiError,
    cloudfront::StoreDocument,
    time,
    tx::{Stored, Tx},
};

/// Answers an operation of the data plane. `audit` goes with a write.
pub(super) fn call(
    tx: &Tx<'_>,
    operation: &str,
    input: &Value,
    audit: Option<AuditEntry>,
) -> Result<Value, ApiError> {
    let store = existing(tx, input)?;
    match operation {
        "DescribeKeyValueStore" => describe(tx, &store),
        "GetKey" => get(tx, &store, input),
        "ListKeys" => list(tx, &store, input),
        "PutKey" => {
            let put = (text(input, "Key").into(), text(input, "Value").into());
            write(tx, &store, input, vec![put], Vec::new(), audit)
        }
        "DeleteKey" => write(
            tx,
            &store,
            input,
            Vec::new(),
            vec![text(input, "Key").into()],
            audit,
        ),
        "UpdateKeys" => {
            let listed = |member: &str| input[member].as_array().cloned().unwrap_or_default();
            let puts = listed("Puts");
            let puts = puts
                .iter()
                .map(|p| (text(p, "Key").into(), text(p, "Value").into()));
            let deletes = listed("Deletes");
            let deletes = deletes.iter().map(|d| text(d, "Key").into());
            write(tx, &store, input, puts.collect(), deletes.collect(), audit)
        }
        _ => Err(ApiError::new(
            501,
            "NotImplementedException",
            format!("{operation} is not available yet (CP-016)"),
        )),
    }
}

/// What stands in the place of an ETag where whatever there is may be changed, which no request of AWS's clients can say.
pub(super) const fn whatever() -> Value {
    Value::Bool(true)
}

/// Whether an operation changes data.
pub(super) fn is_write(operation: &str) -> bool {
    matches!(operation, "PutKey" | "DeleteKey" | "UpdateKeys")
}

fn text<'v>(input: &'v Value, member: &str) -> &'v str {
    input[member].as_str().unwrap_or_default()
}

fn existing(tx: &Tx<'_>, input: &Value) -> Result<Stored<StoreDocument>, ApiError> {
    let arn = text(input, "KvsARN");
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, "cloudfront", _, account, name] = parts.as_slice() else {
        return Err(ApiError::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{arn}' at 'kvsARN' failed to satisfy constraint: Member must be the ARN of a key value store"
            ),
        ));
    };
    if *account != tx.settings.account.id {
        // CP-006
        return Err(ApiError::store_data(
            "AccessDeniedException",
            format!("{arn} belongs to another account"),
        ));
    }
    let missing = || {
        ApiError::store_data(
            "ResourceNotFoundException",
            format!("Key value store not found: {arn}"),
        )
    };
    let id = name.strip_prefix("key-value-store/").ok_or_else(missing)?;
    let all = tx.list::<StoreDocument>(&Kind::KeyValueStore)?;
    all.into_iter()
        .find(|s| s.body.id == id)
        .ok_or_else(missing)
}

fn data(tx: &Tx<'_>, store: &Stored<StoreDocument>) -> Result<Arc<KvsData>, ApiError> {
    tx.store.kvs_snapshot(&store.body.id).ok_or_else(|| {
        ApiError::internal(format!(
            "the data of the key value store {} is not there",
            store.id
        ))
    })
}

fn describe(tx: &Tx<'_>, store: &Stored<StoreDocument>) -> Result<Value, ApiError> {
    let data = data(tx, store)?;
    Ok(json!({
        "ItemCount": data.len(),
        "TotalSizeInBytes": data.total_bytes(),
        "KvsARN": store.body.arn(&tx.settings.account),
        "Created": time::iso(data.created_at()),
        "LastModified": time::iso(data.modified_at()),
        "Status": "READY",
        "ETag": data.etag(),
    }))
}

fn get(tx: &Tx<'_>, store: &Stored<StoreDocument>, input: &Value) -> Result<Value, ApiError> {
    let data = data(tx, store)?;
    let key = text(input, "Key");
    let value = data.get(key).ok_or_else(|| {
        ApiError::store_data("ResourceNotFoundException", format!("Key {key} not found."))
    })?;
    Ok(json!({
        "Key": key,
        "Value": &**value,
        "ItemCount": data.len(),
        "TotalSizeInBytes": data.total_bytes(),
    }))
}

/// CP-046.
fn list(tx: &Tx<'_>, store: &Stored<StoreDocument>, input: &Value) -> Result<Value, ApiError> {
    let data = data(tx, store)?;
    let most = &input["MaxResults"];
    let most = most
        .as_u64()
        .or_else(|| most.as_str().and_then(|t| t.parse().ok()));
    let most = usize::try_from(most.unwrap_or(10).clamp(1, 50)).unwrap_or(50);
    let listing = format!("keys of {}", store.body.id);
    let markers = tx.store.markers();
    let after = match text(input, "NextToken") {
        "" => None,
        token => Some(markers.open(&listing, token).map_err(|_| {
            ApiError::new(
                400,
                "ValidationException",
                "NextToken: none of this store's",
            )
        })?),
    };
    let mut entries = data.entries(after.as_deref());
    let page: Vec<_> = entries.by_ref().take(most).collect();
    let items: Vec<Value> = page
        .iter()
        .map(|(key, value)| json!({ "Key": &***key, "Value": &***value }))
        .collect();
    let mut answer = json!({ "Items": items });
    if let (Some((last, _)), true) = (page.last(), entries.next().is_some()) {
        answer["NextToken"] = json!(markers.sign(&listing, last));
    }
    Ok(answer)
}

fn write(
    tx: &Tx<'_>,
    store: &Stored<StoreDocument>,
    input: &Value,
    puts: Vec<(Arc<str>, Arc<str>)>,
    deletes: Vec<Arc<str>>,
    audit: Option<AuditEntry>,
) -> Result<Value, ApiError> {
    let given = text(input, "IfMatch").trim().trim_matches('"');
    let expected = match given {
        _ if input["IfMatch"] == whatever() => None,
        "" => {
            // CP-042
            return Err(ApiError::new(
                400,
                "ValidationException",
                "1 validation error detected: Value null at 'ifMatch' failed to satisfy constraint: Member must not be null",
            ));
        }
        given => Some(given.to_owned()),
    };
    let request = KvsRequest {
        id: store.body.id.as_str().into(),
        expected,
        puts,
        deletes,
        quotas: quotas(&tx.rules.quotas.stores),
        now: tx.caller.now,
        audit,
    };
    let applied = tx.store.kvs_apply(request).map_err(refused)?;
    tx.stores.refresh(tx.store, &store.body.id);
    Ok(json!({
        "ItemCount": applied.items,
        "TotalSizeInBytes": applied.total_bytes,
        "ETag": applied.etag,
    }))
}

/// What a store may hold. What one request may bring is no setting.
fn quotas(stores: &StoreQuotas) -> KvsQuotas {
    let mut quotas = KvsQuotas::default();
    quotas.total_bytes = stores.total as u64;
    quotas.key_bytes = stores.key;
    quotas.value_bytes = stores.value;
    quotas
}

fn refused(error: KvsError) -> ApiError {
    let message = error.to_string();
    match error {
        KvsError::Missing { .. } => ApiError::store_data("ResourceNotFoundException", message),
        KvsError::Conflict { .. } => ApiError::store_data(
            "ConflictException",
            "The If-Match version does not match the store's: describe the store again, and use its ETag",
        ),
        KvsError::Repeated { .. } | KvsError::EmptyKey | KvsError::RequestTooLarge { .. } => {
            ApiError::new(400, "ValidationException", message)
        }
        KvsError::Quota { .. } => ApiError::store_data("ServiceQuotaExceededException", message),
        KvsError::Store(error) => error.into(),
        other => ApiError::internal(other.to_string()),
    }
}
