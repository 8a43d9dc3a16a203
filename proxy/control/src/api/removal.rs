//! `DELETE config/{kind}/{id}` (CP-611, CP-620): removes what was deployed or made by the API, by the API's own operations, so
//! that what is in use stays.

use std::sync::Arc;

use fourfront_aws::Service;
use fourfront_store::Kind;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    Caller,
    front::{Front, Head},
    native::{Told, problem},
    plane::Problem,
    replace::{etag_of, stale},
};

/// Removes a document. `If-Match` is held against its ETag; without one it goes as it is. A distribution that is enabled goes
/// only with `?force=true`, which disables it first.
pub(super) fn remove(
    front: &Arc<Front>,
    head: &Head,
    kind: &Kind,
    id: &str,
    caller: &Caller,
) -> Told {
    let control = front.control();
    let call = |service: Service, operation: &str, input: &Value| {
        control
            .call(service, operation, input, caller)
            .map_err(problem)
    };
    let Some(found) = control.store().get(kind, id) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("there is no {kind} `{id}`"),
        ));
    };
    let wanted = head.headers.get(header::IF_MATCH);
    let wanted = wanted.map(|value| etag_of(value.as_bytes()));
    if wanted.is_some_and(|wanted| wanted != "*" && wanted != found.etag()) {
        return Err(stale(kind, id, &found.etag()));
    }
    let cloudfront = Service::CloudFront;
    match kind {
        Kind::Lambda => {
            call(
                Service::Lambda,
                "DeleteFunction",
                &json!({ "FunctionName": id }),
            )?;
        }
        Kind::CloudfrontFunction => {
            let described = call(cloudfront, "DescribeFunction", &json!({ "Name": id }))?;
            let input = json!({ "Name": id, "IfMatch": described["ETag"] });
            call(cloudfront, "DeleteFunction", &input)?;
        }
        Kind::KeyValueStore => {
            let input = json!({ "Name": id, "IfMatch": found.etag() });
            call(cloudfront, "DeleteKeyValueStore", &input)?;
        }
        Kind::Distribution => {
            let mut etag = json!(found.etag());
            let got = call(cloudfront, "GetDistributionConfig", &json!({ "Id": id }))?;
            let mut config = got["DistributionConfig"].clone();
            let is_forced = fourfront_aws::pairs(&head.query)
                .unwrap_or_default()
                .iter()
                .any(|(name, value)| name == "force" && value == "true");
            if is_forced && config["Enabled"] == json!(true) {
                config["Enabled"] = json!(false);
                let input = json!({ "Id": id, "IfMatch": etag, "DistributionConfig": config });
                etag = call(cloudfront, "UpdateDistribution", &input)?["ETag"].clone();
            }
            call(
                cloudfront,
                "DeleteDistribution",
                &json!({ "Id": id, "IfMatch": etag }),
            )?;
        }
        _ => {
            let Some(operation) = operation(kind) else {
                return Err(Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    format!("a {kind} is not removed by itself"),
                ));
            };
            call(
                cloudfront,
                operation,
                &json!({ "Id": id, "IfMatch": found.etag() }),
            )?;
        }
    }
    Ok((StatusCode::OK, json!({ "removed": id })))
}

/// The operation that removes a document of a family.
const fn operation(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::CachePolicy => "DeleteCachePolicy",
        Kind::OriginRequestPolicy => "DeleteOriginRequestPolicy",
        Kind::ResponseHeadersPolicy => "DeleteResponseHeadersPolicy",
        Kind::OriginAccessControl => "DeleteOriginAccessControl",
        Kind::OriginAccessIdentity => "DeleteCloudFrontOriginAccessIdentity",
        Kind::PublicKey => "DeletePublicKey",
        Kind::KeyGroup => "DeleteKeyGroup",
        Kind::ContinuousDeploymentPolicy => "DeleteContinuousDeploymentPolicy",
        _ => return None,
    })
}
