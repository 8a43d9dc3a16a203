//! `DELETE config/{kind}/{id}` (CP-611, CP-620): removes what was deployed or made by the API, by the API's own operations, so
//! that what is in use stays.

use std::sync::Arc;

use fourfront_aws::Service;
use fourfront_store::Kind;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{
    Caller,
    cloudfront::{self, FunctionDocument},
    front::{Front, Head},
    native::Told,
    plane::Problem,
    replace::{etag_of, stale},
    tx::Tx,
    work_out,
};

/// Removes a document. `If-Match` is held against its ETag; without one it goes as it is. A distribution that is enabled goes
/// only with `?force=true`.
pub(super) fn remove(
    front: &Arc<Front>,
    head: &Head,
    kind: &Kind,
    id: &str,
    caller: &Caller,
) -> Told {
    let wanted = head.headers.get(header::IF_MATCH);
    let wanted = wanted.map(|value| etag_of(value.as_bytes()));
    let is_forced = fourfront_aws::pairs(&head.query)
        .unwrap_or_default()
        .iter()
        .any(|(name, value)| name == "force" && value == "true");
    front.control().transact(caller, |tx| {
        let found = tx.get::<Value>(kind, id)?.ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("there is no {kind} `{id}`"),
            )
        })?;
        let etag = found.etag(kind);
        if wanted.is_some_and(|wanted| wanted != "*" && wanted != etag) {
            return Err(stale(kind, id, &etag));
        }
        work_out_removal(tx, kind, id, &etag, is_forced)?;
        Ok(((), None))
    })?;
    Ok((StatusCode::OK, json!({ "removed": id })))
}

/// Removes a document that is as it was meant, by the operation of the API that removes such.
fn work_out_removal(
    tx: &mut Tx<'_>,
    kind: &Kind,
    id: &str,
    etag: &str,
    is_forced: bool,
) -> Result<(), Problem> {
    let (service, operation, input) = match kind {
        Kind::Lambda => {
            let input = json!({ "FunctionName": id });
            (Service::Lambda, "DeleteFunction", input)
        }
        Kind::CloudfrontFunction => {
            // Its stages have ETags of their own.
            let found = tx.get::<FunctionDocument>(kind, id)?;
            let etag = found.map(|found| found.body.development.etag(id));
            let input = json!({ "Name": id, "IfMatch": etag.unwrap_or_default() });
            (Service::CloudFront, "DeleteFunction", input)
        }
        Kind::KeyValueStore => {
            let input = json!({ "Name": id, "IfMatch": etag });
            (Service::CloudFront, "DeleteKeyValueStore", input)
        }
        Kind::Distribution if is_forced => {
            return Ok(cloudfront::discard(tx, id)?);
        }
        Kind::Distribution => {
            let input = json!({ "Id": id, "IfMatch": etag });
            (Service::CloudFront, "DeleteDistribution", input)
        }
        kind => {
            let Some(operation) = operation(kind) else {
                return Err(Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "MethodNotAllowed",
                    format!("a {kind} is not removed by itself"),
                ));
            };
            let input = json!({ "Id": id, "IfMatch": etag });
            (Service::CloudFront, operation, input)
        }
    };
    work_out(tx, service, operation, &input)?;
    Ok(())
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
