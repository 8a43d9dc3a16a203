//! Tags of resources of CloudFront (CP-158).

use std::collections::BTreeMap;

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{DistributionDocument, FunctionDocument, StoreDocument, text};
use crate::api::{
    ApiError,
    tx::{Output, Tx},
};

/// The tag that fixes the id of a distribution that is made (CP-049).
pub(super) const ID: &str = "fourfront:id";

/// Most tags that a resource has, as on AWS.
const MOST: usize = 50;

/// `Tags` as they are sent.
pub(super) fn read(tags: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let mut all = BTreeMap::new();
    for tag in tags["Items"].as_array().into_iter().flatten() {
        let key = text(tag, "Key");
        if all
            .insert(key.to_owned(), text(tag, "Value").to_owned())
            .is_some()
        {
            return Err(invalid(format!("the key `{key}` is there twice")));
        }
    }
    check_number(&all)?;
    Ok(all)
}

fn check_number(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    match tags.len() {
        0..=MOST => Ok(()),
        more => Err(invalid(format!(
            "a resource has {MOST} tags at most, and this one would have {more}"
        ))),
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::cloudfront("InvalidTagging", format!("Tags: {message}"))
}

/// What an ARN names.
enum Resource {
    Distribution(String),
    Function(String),
    Store(String),
}

fn resource(tx: &Tx<'_>, input: &Value) -> Result<Resource, ApiError> {
    let arn = text(input, "Resource");
    let invalid = || {
        ApiError::cloudfront(
            "InvalidArgument",
            format!("Resource: `{arn}` is no ARN of a resource of CloudFront"),
        )
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "cloudfront", _, owner, name] = parts.as_slice() else {
        return Err(invalid());
    };
    if *owner != tx.settings.account.id {
        // CP-006
        return Err(ApiError::new(
            403,
            "AccessDenied",
            format!("{arn} belongs to another account"),
        ));
    }
    let (kind, id) = name.split_once('/').ok_or_else(invalid)?;
    match kind {
        "distribution" => Ok(Resource::Distribution(id.to_owned())),
        "function" => Ok(Resource::Function(id.to_owned())),
        "key-value-store" => Ok(Resource::Store(id.to_owned())),
        _ => Err(missing(arn)),
    }
}

fn missing(arn: &str) -> ApiError {
    ApiError::cloudfront(
        "NoSuchResource",
        format!("there is no resource {arn} that can have tags"),
    )
}

/// Reads the tags of a resource, changes them, and writes them back if that changed them.
fn with_tags<T>(
    tx: &mut Tx<'_>,
    input: &Value,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> T,
) -> Result<T, ApiError> {
    let arn = text(input, "Resource");
    match resource(tx, input)? {
        Resource::Distribution(id) => {
            let mut found = tx
                .get::<DistributionDocument>(&Kind::Distribution, &id)?
                .ok_or_else(|| missing(arn))?;
            let before = found.body.tags.clone();
            let told = change(&mut found.body.tags);
            if found.body.tags != before {
                tx.put(Kind::Distribution, &id, &found.body)?;
            }
            Ok(told)
        }
        Resource::Function(id) => {
            let mut found = tx
                .get::<FunctionDocument>(&Kind::CloudfrontFunction, &id)?
                .ok_or_else(|| missing(arn))?;
            let before = found.body.tags.clone();
            let told = change(&mut found.body.tags);
            if found.body.tags != before {
                tx.put(Kind::CloudfrontFunction, &id, &found.body)?;
            }
            Ok(told)
        }
        Resource::Store(uuid) => {
            let stores = tx.list::<StoreDocument>(&Kind::KeyValueStore)?;
            let found = stores.into_iter().find(|s| s.body.id == uuid);
            let mut found = found.ok_or_else(|| missing(arn))?;
            let before = found.body.tags.clone();
            let told = change(&mut found.body.tags);
            if found.body.tags != before {
                tx.put(Kind::KeyValueStore, &found.id, &found.body)?;
            }
            Ok(told)
        }
    }
}

/// `TagResource`.
pub(super) fn add(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let added = read(&input["Tags"])?;
    with_tags(tx, input, |tags| {
        tags.extend(added);
        check_number(tags)
    })??;
    Ok(Output::plain(json!({})))
}

/// `UntagResource`.
pub(super) fn remove(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let keys = input["TagKeys"]["Items"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    with_tags(tx, input, |tags| {
        tags.retain(|key, _| !keys.iter().any(|k| k == key))
    })?;
    Ok(Output::plain(json!({})))
}

/// `ListTagsForResource`.
pub(super) fn list(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let tags = with_tags(tx, input, |tags| tags.clone())?;
    let items: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(Output::plain(json!({ "Tags": { "Items": items } })))
}
