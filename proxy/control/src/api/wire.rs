//! What the wire's tables are asked from here.

use fourfront_aws::{Service, Shape};
use serde_json::Value;

use super::ApiError;
use crate::UnknownFields;

/// The shape of an operation's member.
fn shape(operation: &str, member: &str) -> Option<&'static Shape> {
    Service::CloudFront
        .operation(operation)?
        .input?
        .member(member)
        .map(|m| m.shape)
}

/// Holds a configuration that did not come by an operation of its own against the shape that one has, and makes numbers and
/// booleans of the texts that stand for them. Members that nobody knows are kept or refused, as in a call (CP-023).
pub(super) fn checked(
    operation: &str,
    member: &str,
    config: &mut Value,
    unknown: UnknownFields,
) -> Result<(), ApiError> {
    let Some(shape) = shape(operation, member) else {
        return Ok(());
    };
    if !config.is_object() {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!("{member} is no object"),
        ));
    }
    let found = fourfront_aws::document(Service::CloudFront, shape, config)
        .map_err(|e| ApiError::new(e.status, e.code, format!("{member}: {}", e.message)))?;
    match (unknown, found.first()) {
        (UnknownFields::Reject, Some(path)) => Err(unknown_element(&format!("{member}.{path}"))),
        _ => Ok(()),
    }
}

/// CP-023.
pub(super) fn unknown_element(path: &str) -> ApiError {
    ApiError::cloudfront(
        "InvalidArgument",
        format!(
            "{path}: the element is not known here, and `node.admin.unknown_fields` is `reject` (CP-023)"
        ),
    )
}

/// A `DistributionConfig` as it is to be acted on: without members that are empty and mean nothing (CP-021).
pub(super) fn acted_on(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(shape) = shape("CreateDistribution", "DistributionConfig") {
        fourfront_aws::without_empty(shape, &mut config);
    }
    config
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_of_a_plan_that_nobody_knows_are_kept_or_refused() {
        // CP-023
        let origin = json!({ "Id": "o", "DomainName": "a.test", "Novelty": { "Enabled": "true" } });
        let mut config = json!({
            "CallerReference": "r", "Comment": "", "Enabled": "true",
            "Origins": { "Quantity": 1, "Items": [origin] },
            "DefaultCacheBehavior": { "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all" },
        });
        let mut judge = |unknown| {
            checked(
                "CreateDistribution",
                "DistributionConfig",
                &mut config,
                unknown,
            )
        };
        assert_eq!(judge(UnknownFields::Keep), Ok(()));
        let refused = judge(UnknownFields::Reject).unwrap_err();
        assert_eq!((refused.status, &*refused.code), (400, "InvalidArgument"));
        let path = "DistributionConfig.Origins.Items.0.Novelty: ";
        assert!(refused.message.starts_with(path), "{refused}");
        assert_eq!(
            config["Origins"]["Items"][0]["Novelty"],
            json!({ "Enabled": "true" })
        );
        assert_eq!(config["Enabled"], true);
    }
}
