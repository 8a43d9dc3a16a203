//! What bodies of requests say, and which operation they are for where nothing else tells.

use std::{fmt, io::BufReader, sync::Arc};

use fourfront_aws::{
    Asked, CodeFault, Condition, Decoded, Dispatch, Operation, Routed, Service, dispatch,
    route_named,
};
use fourfront_store::BlobWriter;

use super::{
    Front, Head, Received,
    refusals::{body_error, worded},
    scope,
};
use crate::api::ApiError;

/// What a body says.
pub(super) struct Input {
    pub(super) service: Service,
    pub(super) routed: Routed,
    pub(super) decoded: Decoded,
    pub(super) code: Option<BlobWriter>,
}

/// What a body is refused for, in a service's words.
pub(super) struct Refused {
    pub(super) service: Service,
    /// Where the body, or the path before it, has told which.
    pub(super) operation: Option<&'static Operation>,
    pub(super) error: fourfront_aws::ApiError,
}

impl Front {
    /// Reads a body with a function's code in it, which goes from one file to another (CP-033).
    pub(super) async fn with_code(
        self: &Arc<Self>,
        service: Service,
        routed: Routed,
        head: &Head,
        received: &Arc<Received>,
        limit: usize,
    ) -> Result<Input, Refused> {
        let (front, received, headers) =
            (Arc::clone(self), Arc::clone(received), head.headers.clone());
        let operation = routed.operation;
        let refused = move |error| Refused {
            service,
            operation: Some(operation),
            error,
        };
        let internal =
            move |e: &dyn fmt::Display| refused(worded(service, ApiError::internal(e.to_string())));
        let reading = move || {
            let body = received.reader().map_err(|e| internal(&e))?;
            let body = fourfront_aws::unpacked(&headers, body, limit);
            let body = body.map_err(|fault| refused(packed(service, Some(&routed), fault)))?;
            let body = BufReader::with_capacity(64 << 10, body);
            let writer = front.control.store().blob_writer();
            let mut writer = writer.map_err(|e| internal(&e))?;
            let decoded = fourfront_aws::decode_code(&routed, &headers, body, &mut writer);
            let (decoded, has_code) = decoded.map_err(|fault| match fault {
                CodeFault::Refused(error) => refused(error),
                CodeFault::Body(fault) => refused(packed(service, Some(&routed), fault)),
                fault => internal(&fault),
            })?;
            Ok(Input {
                service,
                routed,
                decoded,
                code: has_code.then_some(writer),
            })
        };
        let read = tokio::task::spawn_blocking(reading).await;
        read.unwrap_or_else(|e| Err(internal(&e)))
    }
}

/// Reads a body that is small enough to be held in memory.
pub(super) fn input(
    head: &Head,
    service: Service,
    routed: Option<Routed>,
    target: Option<&str>,
    received: &Received,
    limit: usize,
) -> Result<Input, Refused> {
    let operation = routed.as_ref().map(|routed| routed.operation);
    let refused = |error| Refused {
        service,
        operation,
        error,
    };
    let raw = received.bytes();
    let raw = raw.map_err(|e| refused(worded(service, ApiError::internal(e.to_string()))))?;
    let unpacked = fourfront_aws::unpack(&head.headers, &raw, limit)
        .map_err(|fault| refused(packed(service, routed.as_ref(), fault)))?;
    let (service, routed) = match routed {
        Some(routed) => (service, routed),
        None => named(head, service, target, &unpacked).map_err(|(service, error)| Refused {
            service,
            operation: None,
            error,
        })?,
    };
    let decoded = fourfront_aws::decode(&routed, &head.headers, &unpacked);
    let decoded = decoded.map_err(|error| Refused {
        service,
        operation: Some(routed.operation),
        error,
    })?;
    Ok(Input {
        service,
        routed,
        decoded,
        code: None,
    })
}

/// What is wrong with how a body is packed.
fn packed(
    service: Service,
    routed: Option<&Routed>,
    fault: fourfront_aws::BodyError,
) -> fourfront_aws::ApiError {
    let condition = match fault {
        fourfront_aws::BodyError::TooLarge => Condition::TooLarge,
        _ => Condition::MalformedBody,
    };
    let mut error = body_error(service, routed, condition, fault.to_string());
    if matches!(fault, fourfront_aws::BodyError::Coding) {
        error.status = 415;
    }
    error
}

/// The operation of a request that names it in its body or in a field, and which service that makes it (CP-002).
fn named(
    head: &Head,
    service: Service,
    target: Option<&str>,
    body: &[u8],
) -> Result<(Service, Routed), (Service, fourfront_aws::ApiError)> {
    if let Some(target) = target {
        let name = target.rsplit('.').next().unwrap_or_default();
        let routed = route_named(service, name, Vec::new());
        return routed
            .map(|routed| (service, routed))
            .map_err(|e| (service, e.answer(service)));
    }
    let form = String::from_utf8_lossy(body);
    let asked = Asked {
        scope: None,
        method: head.method.as_str(),
        path: &head.path,
        query: &head.query,
        target: None,
        form: Some(&form),
    };
    let service = match (scope(head), dispatch(asked)) {
        (None, Dispatch::Service(service)) => service,
        _ => service,
    };
    let given = match form.is_empty() {
        true => head.query.as_str(),
        false => &form,
    };
    let pairs = fourfront_aws::pairs(given).map_err(|e| (service, e.answer(service)))?;
    let action = pairs.iter().find(|(name, _)| name == "Action");
    let action = action.map(|(_, value)| value.clone()).unwrap_or_default();
    route_named(service, &action, pairs)
        .map(|routed| (service, routed))
        .map_err(|e| (service, e.answer(service)))
}
