//! Refusals in the words of each service, and of the native API.

use fourfront_auth::AuthFault;
use fourfront_aws::{Condition, Operation, Reply, RouteError, Routed, Service, encode_error};
use http::{HeaderValue, StatusCode, header};

use super::{Answer, BodyFault, auth_service};
use crate::api::{ApiError, plane::Problem};

pub(super) fn in_wire(error: ApiError) -> fourfront_aws::ApiError {
    fourfront_aws::ApiError {
        status: error.status,
        code: error.code,
        message: error.message,
        retry_after: None,
    }
}

/// An error of the control plane in a service's words: what goes wrong below the services has one name there, and clients
/// know it by another for each.
pub(super) fn worded(service: Service, mut error: ApiError) -> fourfront_aws::ApiError {
    if error.code == "InternalError" {
        let (status, code) = Condition::Internal.of(service);
        (error.status, error.code) = (status, code.into());
    }
    in_wire(error)
}

/// Whether an operation's own clients know a code. What a configuration is refused for is judged by one code for all that
/// has such a member, and a policy has fewer names for its faults than a distribution.
pub(super) fn knows(operation: &Operation, code: &str) -> bool {
    let is_of_model = operation.service == Service::CloudFront
        && code.starts_with("Invalid")
        && operation.service.status_of(code).is_some();
    !is_of_model
        || operation.errors.contains(&code)
        || !operation.errors.contains(&"InvalidArgument")
}

pub(super) fn refuse(service: Service, error: &fourfront_aws::ApiError, id: &str) -> Answer {
    let reply = Reply {
        request_id: id,
        namespace: None,
    };
    encode_error(service, error, &reply).into()
}

pub(super) fn refuse_plain(
    service: Service,
    status: u16,
    code: &'static str,
    message: String,
    id: &str,
) -> Answer {
    refuse(service, &in_wire(ApiError::new(status, code, message)), id)
}

pub(super) fn refuse_fault(service: Service, fault: &AuthFault, id: &str) -> Answer {
    let of = auth_service(service);
    let error = ApiError::new(fault.status(), fault.code(of), fault.message(of));
    let mut error = in_wire(error);
    if let AuthFault::TooManyFailures { retry_after } = fault {
        error.retry_after = u32::try_from(retry_after.as_secs().max(1)).ok();
    }
    refuse(service, &error, id)
}

/// What is wrong with a body before it is looked at, in the service's words, or the operation's own.
pub(super) fn body_error(
    service: Service,
    routed: Option<&Routed>,
    condition: Condition,
    message: String,
) -> fourfront_aws::ApiError {
    let own = "RequestTooLargeException";
    match routed {
        Some(routed)
            if condition == Condition::TooLarge && routed.operation.errors.contains(&own) =>
        {
            fourfront_aws::ApiError::new(service, own, message)
        }
        _ => fourfront_aws::ApiError::common(service, condition, message),
    }
}

/// A body that is not read, in the service's words.
pub(super) fn refuse_body(
    service: Service,
    routed: Option<&Routed>,
    fault: &BodyFault,
    id: &str,
) -> Answer {
    let condition = match fault {
        BodyFault::TooLarge(_) => Condition::TooLarge,
        BodyFault::Broken(_) => Condition::MalformedBody,
        BodyFault::Busy => Condition::NotWritable,
        BodyFault::Disk => Condition::Internal,
    };
    let mut error = body_error(service, routed, condition, fault.to_string());
    error.retry_after = (*fault == BodyFault::Busy).then_some(1);
    refuse(service, &error, id)
}

/// A body that the native API does not take.
pub(super) fn native_body(fault: &BodyFault) -> Answer {
    let (status, code) = match fault {
        BodyFault::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
        BodyFault::Broken(_) => (StatusCode::BAD_REQUEST, "MalformedInput"),
        BodyFault::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        BodyFault::Disk => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    };
    Answer::problem(Problem::new(status, code, fault.to_string()))
}

/// A refusal of the native API.
pub(super) fn native_fault(fault: &AuthFault) -> Answer {
    let service = fourfront_auth::Service::Native;
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut answer = Answer::problem(Problem::new(
        status,
        fault.code(service),
        fault.message(service),
    ));
    if let AuthFault::TooManyFailures { retry_after } = fault {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        answer.headers.insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// A request that leads to no operation; of a path with other methods, which.
pub(super) fn refuse_route(service: Service, error: &RouteError, id: &str) -> Answer {
    let mut answer = refuse(service, &error.answer(service), id);
    if let RouteError::WrongMethod(methods) = error
        && let Ok(allow) = HeaderValue::from_str(&methods.join(", "))
    {
        answer.headers.insert(header::ALLOW, allow);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_other_methods_says_which() {
        // CP-011, RFC 9110 section 15.5.6
        let wrong = RouteError::WrongMethod(vec!["DELETE", "GET"]);
        let answer = refuse_route(Service::CloudFront, &wrong, "1");
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers[header::ALLOW], "DELETE, GET");
        let missing = refuse_route(Service::Lambda, &RouteError::UnknownPath, "1");
        assert!(
            missing.status == StatusCode::NOT_FOUND && !missing.headers.contains_key(header::ALLOW)
        );
    }
}
