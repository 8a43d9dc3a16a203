//! Tags of functions (CP-079).

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{FunctionRef, function, text};
use crate::api::{
    ApiError,
    tx::{Output, Stored, Tx},
};

/// The function that the ARN of a call names, which is one without a qualifier.
fn of(tx: &Tx<'_>, input: &Value) -> Result<Stored<super::LambdaFunction>, ApiError> {
    let arn = text(input, "Resource").unwrap_or_default();
    let reference = FunctionRef::parse(arn, &tx.settings.account)?;
    if reference.qualifier.is_some() {
        return Err(ApiError::lambda(
            "InvalidParameterValueException",
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    function(tx, &reference)
}

/// `ListTags`.
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let function = of(tx, input)?.body;
    Ok(Output::plain(json!({ "Tags": function.tags })))
}

/// `TagResource`.
pub(super) fn add(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let Stored {
        body: mut function, ..
    } = of(tx, input)?;
    for (key, value) in input["Tags"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        function.tags.insert(key.clone(), value.to_owned());
    }
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(json!({})))
}

/// `UntagResource`: a key that is not there is no fault.
pub(super) fn remove(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let Stored {
        body: mut function, ..
    } = of(tx, input)?;
    for key in input["TagKeys"].as_array().into_iter().flatten() {
        function.tags.remove(key.as_str().unwrap_or_default());
    }
    tx.put(Kind::Lambda, &function.name, &function)?;
    Ok(Output::plain(json!({})))
}
