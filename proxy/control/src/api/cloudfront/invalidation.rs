//! Invalidations by CloudFront's API: the native one's, in other words (CP-140..144).

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{DistributionDocument, paged, text, told_in_pages};
use crate::api::{
    ApiError,
    plane::{PurgeAnswer, PurgeCall},
    tx::{Output, Tx},
};

fn check_distribution(tx: &Tx<'_>, id: &str) -> Result<(), ApiError> {
    match tx.get::<DistributionDocument>(&Kind::Distribution, id)? {
        Some(_) => Ok(()),
        // One of the site file has invalidations as well.
        None if tx.serves_distribution(id) => Ok(()),
        None => Err(ApiError::cloudfront(
            "NoSuchDistribution",
            "The specified distribution does not exist.",
        )),
    }
}

/// `CreateInvalidation`.
pub(super) fn create(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "DistributionId");
    check_distribution(tx, id)?;
    let batch = &input["InvalidationBatch"];
    let items = batch["Paths"]["Items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let quantity = batch["Paths"]["Quantity"].as_u64();
    if quantity != Some(items.len() as u64) {
        return Err(ApiError::cloudfront(
            "InconsistentQuantities",
            "Paths: the value of Quantity and the size of Items don't match.",
        ));
    }
    // CP-141
    let texts = items.iter().filter_map(Value::as_str);
    let (tags, paths): (Vec<&str>, Vec<&str>) = texts.partition(|item| item.starts_with('#'));
    let tags: Vec<&str> = tags.iter().map(|tag| &tag[1..]).collect();
    let paths: Vec<String> = paths
        .iter()
        .map(|path| match path.starts_with('/') {
            true => (*path).to_owned(),
            false => format!("/{path}"),
        })
        .collect();
    let call = json!({
        "distribution": id,
        "paths": paths,
        "tags": tags,
        "caller_reference": text(batch, "CallerReference"),
    });
    let answer = tx
        .plane
        .purge(PurgeCall::Create(call.to_string().into_bytes()), tx.now());
    let told = told(answer)?;
    let invalidation = shown(&told);
    let location = format!(
        "{}/2020-05-31/distribution/{id}/invalidation/{}",
        tx.origin(),
        text(&invalidation, "Id")
    );
    Ok(Output::plain(
        json!({ "Invalidation": invalidation, "Location": location }),
    ))
}

/// `GetInvalidation`.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let distribution = text(input, "DistributionId");
    check_distribution(tx, distribution)?;
    let id = text(input, "Id");
    let answer = tx.plane.purge(PurgeCall::Get(id.to_owned()), tx.now());
    let told = told(answer)?;
    if told["distribution"] != json!(distribution) {
        return Err(ApiError::cloudfront(
            "NoSuchInvalidation",
            "The specified invalidation does not exist.",
        ));
    }
    Ok(Output::plain(json!({ "Invalidation": shown(&told) })))
}

/// `ListInvalidations`, newest first.
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let distribution = text(input, "DistributionId");
    check_distribution(tx, distribution)?;
    let (operation, pages) = paged("ListInvalidations")?;
    let wanted = pages.wanted(operation, input)?;
    let (most, marker) = (wanted.limit, wanted.token.unwrap_or_default());
    let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !marker.bytes().all(safe) {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            "Marker: none of this list's",
        ));
    }
    let mut query = format!("distribution={distribution}&max_items={most}");
    if !marker.is_empty() {
        query = format!("{query}&marker={marker}");
    }
    let told = told(tx.plane.purge(PurgeCall::List(query), tx.now()))?;
    let items: Vec<Value> = told["invalidations"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|i| json!({ "Id": i["id"], "CreateTime": i["create_time"], "Status": i["status"] }))
        .collect();
    let next = told["next_marker"].as_str().map(str::to_owned);
    let list = told_in_pages(operation, pages, wanted, items, next);
    Ok(Output::plain(json!({ "InvalidationList": list })))
}

/// What the node says, or its refusal in CloudFront's words.
fn told(answer: PurgeAnswer) -> Result<Value, ApiError> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let code = text(&answer.body, "code").to_owned();
    let detail = text(&answer.body, "detail").to_owned();
    Err(ApiError::new(answer.status.as_u16(), code, detail))
}

fn shown(told: &Value) -> Value {
    let items: Vec<Value> = told["paths"].as_array().cloned().unwrap_or_default();
    json!({
        "Id": told["id"],
        "Status": told["status"],
        "CreateTime": told["create_time"],
        "InvalidationBatch": {
            "Paths": { "Quantity": items.len(), "Items": items },
            "CallerReference": told["caller_reference"],
        },
    })
}
