//! CloudFront's API (CP section 3). Documents hold configurations as they were sent; the normal form is made when they are
//! told (CP-112).

pub(crate) mod distribution;
mod family;
mod function;
mod invalidation;
mod managed;
pub(crate) mod store;
mod tagging;

use fourfront_aws::{Operation, Pages, Service, Wanted};
use serde_json::{Map, Value};

pub(crate) use distribution::{DistributionDocument, discard, other_of_policy};
pub(crate) use family::{FamilyDocument, canonical_user};
pub(crate) use function::{FunctionDocument, model_function};
pub(crate) use store::StoreDocument;

use super::{
    ApiError,
    page::{Page, page},
    tx::{Output, Tx},
};

/// Answers an operation of CloudFront's API.
pub(crate) fn call(tx: &mut Tx<'_>, operation: &str, input: &Value) -> Result<Output, ApiError> {
    if let Some(output) = family::call(tx, operation, input) {
        return output;
    }
    match operation {
        "CreateDistribution" => distribution::create(tx, &input["DistributionConfig"], None),
        "CreateDistributionWithTags" => {
            let both = &input["DistributionConfigWithTags"];
            distribution::create(tx, &both["DistributionConfig"], Some(&both["Tags"]))
        }
        "GetDistribution" => distribution::get(tx, input),
        "GetDistributionConfig" => distribution::get_config(tx, input),
        "UpdateDistribution" => distribution::update(tx, input),
        "DeleteDistribution" => distribution::delete(tx, input),
        "ListDistributions" => distribution::list(tx, input),
        "CopyDistribution" => distribution::copy(tx, input),
        "UpdateDistributionWithStagingConfig" => distribution::promote(tx, input),
        "CreateInvalidation" => invalidation::create(tx, input),
        "GetInvalidation" => invalidation::get(tx, input),
        "ListInvalidations" => invalidation::list(tx, input),
        "TagResource" => tagging::add(tx, input),
        "UntagResource" => tagging::remove(tx, input),
        "ListTagsForResource" => tagging::list(tx, input),
        "CreateFunction" => function::create(tx, input),
        "UpdateFunction" => function::update(tx, input),
        "DescribeFunction" => function::describe(tx, input),
        "GetFunction" => function::get(tx, input),
        "PublishFunction" => function::publish(tx, input),
        "TestFunction" => function::test(tx, input),
        "DeleteFunction" => function::delete(tx, input),
        "ListFunctions" => function::list(tx, input),
        "CreateKeyValueStore" => store::create(tx, input),
        "DescribeKeyValueStore" => store::describe(tx, input),
        "UpdateKeyValueStore" => store::update(tx, input),
        "DeleteKeyValueStore" => store::delete(tx, input),
        "ListKeyValueStores" => store::list(tx, input),
        _ => Err(ApiError::new(
            400,
            "UnsupportedOperation",
            format!("{operation} is not available yet (CP-016)"),
        )),
    }
}

/// A member that is text.
fn text<'v>(input: &'v Value, member: &str) -> &'v str {
    input[member].as_str().unwrap_or_default()
}

/// Holds `If-Match` against the ETag that a document has (CP-041).
fn check_match(input: &Value, found: &str) -> Result<(), ApiError> {
    let given = text(input, "IfMatch").trim();
    let given = given.strip_prefix("W/").unwrap_or(given).trim_matches('"');
    if !fourfront_store::is_etag(given) {
        return Err(ApiError::cloudfront(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        ));
    }
    if given != found {
        return Err(ApiError::cloudfront(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more request-header fields: read the resource again, and use its ETag.",
        ));
    }
    Ok(())
}

/// A list of CloudFront's: at most 100 items, told with what the operation's output has of a page (CP-044).
fn listed(
    tx: &Tx<'_>,
    operation: &str,
    all: Vec<(String, Value)>,
    input: &Value,
) -> Result<Value, ApiError> {
    let (operation, pages) = paged(operation)?;
    let wanted = pages.wanted(operation, input)?;
    let Page { items, next } = page(tx, operation.name, all, wanted.token, wanted.limit)?;
    Ok(told_in_pages(operation, pages, wanted, items, next))
}

/// An operation that lists, and how its list is cut.
fn paged(operation: &str) -> Result<(&'static Operation, Pages), ApiError> {
    let found = Service::CloudFront.operation(operation);
    found
        .and_then(|found| Some((found, found.pages?)))
        .ok_or_else(|| ApiError::internal(format!("{operation} has no pages")))
}

/// A page as the operation's output has it.
fn told_in_pages(
    operation: &Operation,
    pages: Pages,
    wanted: Wanted<'_>,
    items: Vec<Value>,
    next: Option<String>,
) -> Value {
    let mut list = Map::new();
    if !items.is_empty() {
        list.insert("Items".to_owned(), Value::Array(items));
    }
    pages.fill(operation, wanted, next, &mut list);
    Value::Object(list)
}
