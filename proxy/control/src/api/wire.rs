//! What the wire's tables are asked from here.

use fourfront_aws::{Service, Shape};
use serde_json::{Map, Value};

use super::ApiError;

/// The shape of an operation's member.
fn shape(operation: &str, member: &str) -> Option<&'static Shape> {
    Service::CloudFront
        .operation(operation)?
        .input?
        .member(member)
        .map(|m| m.shape)
}

/// Holds a configuration that did not come by an operation of its own against the shape that one has, and makes numbers and
/// booleans of the texts that stand for them.
pub(super) fn checked(operation: &str, member: &str, config: &mut Value) -> Result<(), ApiError> {
    let Some(shape) = shape(operation, member) else {
        return Ok(());
    };
    if !config.is_object() {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!("{member} is no object"),
        ));
    }
    fourfront_aws::document(Service::CloudFront, shape, config)
        .map(|_| ())
        .map_err(|e| ApiError::new(e.status, e.code, format!("{member}: {}", e.message)))
}

/// A `DistributionConfig` as it is to be acted on: without members that are empty and mean nothing (CP-021).
pub(super) fn acted_on(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(shape) = shape("CreateDistribution", "DistributionConfig") {
        fourfront_aws::without_empty(shape, &mut config);
    }
    config
}

/// Holds an input that did not come by the wire against the shape of its operation, and makes numbers and booleans of the texts
/// that stand for them.
pub(super) fn checked_input(
    service: Service,
    operation: &str,
    input: Map<String, Value>,
) -> Result<Value, ApiError> {
    let Some(shape) = service.operation(operation).and_then(|o| o.input) else {
        return Ok(Value::Object(input));
    };
    fourfront_aws::input(service, shape, input)
        .map_err(|e| ApiError::new(e.status, e.code, e.message))
}
