//! What the wire's tables are asked from here.

use fourfront_aws::{Service, Shape};
use serde_json::Value;

/// The shape of an operation's member.
fn shape(operation: &str, member: &str) -> Option<&'static Shape> {
    Service::CloudFront
        .operation(operation)?
        .input?
        .member(member)
        .map(|m| m.shape)
}

/// A `DistributionConfig` as it is to be acted on: without members that are empty and mean nothing (CP-021).
pub(super) fn acted_on(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(shape) = shape("CreateDistribution", "DistributionConfig") {
        fourfront_aws::without_empty(shape, &mut config);
    }
    config
}
