//! Errors as a client gets them: their codes, their status, their bodies (CP-016, CP-027, CP-030, table 1.5).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    encode::{REQUEST_ID, Reply, WireAnswer},
    model::{Protocol, Service},
    xml,
};

/// An error that is the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// Status of the answer.
    pub status: u16,
    /// Code that clients look at.
    pub code: Cow<'static, str>,
    /// Text for people.
    pub message: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
}

/// What any operation may run into. Each service has its own code for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The operation exists and is not answered (CP-016).
    NotImplemented,
    /// No operation has this path, or this name.
    UnknownOperation,
    /// The path is known, the method is not (CP-011).
    WrongMethod,
    /// The request carries no credentials.
    NoCredentials,
    /// Nobody has this access key.
    UnknownKey,
    /// The signature is another, its date is too far off, or its scope names a service that has no such path (CP-003).
    BadSignature,
    /// The session is over.
    ExpiredToken,
    /// The key is good and may not do this.
    AccessDenied,
    /// The body cannot be read.
    MalformedBody,
    /// A member that has to be there is not.
    MissingMember,
    /// A member breaks a constraint of the model.
    Constraint,
    /// The body is larger than it may be (CP-010).
    TooLarge,
    /// Too many requests.
    Throttled,
    /// The store cannot be written to now.
    NotWritable,
    /// A fault of the node's own.
    Internal,
}

impl Condition {
    /// Status and code of a service for this condition.
    #[must_use]
    pub fn of(self, service: Service) -> (u16, &'static str) {
        match service {
            Service::CloudFront => self.of_cloudfront(),
            Service::Lambda => self.of_lambda(),
            Service::KeyValueStore => self.of_key_value_store(),
            Service::Sts | Service::Iam => self.of_query(),
            Service::Logs => self.of_logs(),
        }
    }

    fn of_cloudfront(self) -> (u16, &'static str) {
        match self {
            Self::NotImplemented => (400, "UnsupportedOperation"),
            Self::UnknownOperation => (404, "UnknownOperation"),
            Self::WrongMethod => (405, "MethodNotAllowed"),
            Self::NoCredentials => (403, "MissingAuthenticationToken"),
            Self::UnknownKey => (403, "InvalidClientTokenId"),
            Self::BadSignature => (403, "SignatureDoesNotMatch"),
            Self::ExpiredToken => (403, "ExpiredToken"),
            Self::AccessDenied => (403, "AccessDenied"),
            Self::MalformedBody => (400, "MalformedInput"),
            // The code that recorded answers carry with "Member must not be null"; the model does not declare it.
            Self::MissingMember => (400, "MalformedXML"),
            Self::Constraint => (400, "InvalidArgument"),
            Self::TooLarge => (413, "RequestEntityTooLarge"),
            Self::Throttled => (429, "Throttling"),
            Self::NotWritable => (503, "ServiceUnavailable"),
            Self::Internal => (500, "InternalError"),
        }
    }

    fn of_lambda(self) -> (u16, &'static str) {
        match self {
            Self::NotImplemented => (501, "NotImplementedException"),
            Self::UnknownOperation => (404, "UnknownOperationException"),
            Self::WrongMethod => (405, "MethodNotAllowedException"),
            Self::NoCredentials => (403, "MissingAuthenticationTokenException"),
            Self::UnknownKey => (403, "UnrecognizedClientException"),
            Self::BadSignature => (403, "InvalidSignatureException"),
            Self::ExpiredToken => (403, "ExpiredTokenException"),
            Self::AccessDenied => (403, "AccessDeniedException"),
            Self::MalformedBody => (400, "InvalidRequestContentException"),
            Self::MissingMember | Self::Constraint => (400, "ValidationException"),
            Self::TooLarge => (413, "RequestEntityTooLargeException"),
            Self::Throttled => (429, "TooManyRequestsException"),
            Self::NotWritable => (503, "ServiceException"),
            Self::Internal => (500, "ServiceException"),
        }
    }

    fn of_key_value_store(self) -> (u16, &'static str) {
        match self {
            Self::MalformedBody => (400, "ValidationException"),
            Self::Throttled => (429, "ThrottlingException"),
            Self::NotWritable => (503, "InternalServerException"),
            Self::Internal => (500, "InternalServerException"),
            other => other.of_lambda(),
        }
    }

    fn of_query(self) -> (u16, &'static str) {
        match self {
            Self::UnknownOperation => (400, "InvalidAction"),
            Self::MalformedBody => (400, "MalformedQueryString"),
            Self::MissingMember | Self::Constraint => (400, "ValidationError"),
            Self::Throttled => (400, "Throttling"),
            Self::Internal => (500, "InternalFailure"),
            other => other.of_cloudfront(),
        }
    }

    fn of_logs(self) -> (u16, &'static str) {
        let (status, code) = self.of_lambda();
        match self {
            Self::MalformedBody => (400, "SerializationException"),
            Self::MissingMember | Self::Constraint => (400, "InvalidParameterException"),
            Self::Throttled => (400, "ThrottlingException"),
            Self::NotWritable => (503, "ServiceUnavailableException"),
            Self::Internal => (500, "ServiceUnavailableException"),
            Self::NotImplemented | Self::TooLarge | Self::WrongMethod => (status, code),
            // JSON 1.1 has one status for all that is the client's fault.
            _ => (400, code),
        }
    }
}

impl ApiError {
    /// An error with a code of the service's model, and the status that goes with it there; 400 where the model does
    /// not know the code.
    #[must_use]
    pub fn new(service: Service, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: service.status_of(code).unwrap_or(400),
            code: Cow::Borrowed(code),
            message: message.into(),
            retry_after: None,
        }
    }

    /// An error that any operation may answer with, in the words of a service.
    #[must_use]
    pub fn common(service: Service, condition: Condition, message: impl Into<String>) -> Self {
        let (status, code) = condition.of(service);
        Self {
            status,
            code: Cow::Borrowed(code),
            message: message.into(),
            retry_after: (condition == Condition::Throttled).then_some(1),
        }
    }
}

/// The answer that tells a client of an error (CP-027, CP-030).
#[must_use]
pub fn encode_error(service: Service, error: &ApiError, reply: &Reply<'_>) -> WireAnswer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = HeaderMap::new();
    if let Ok(id) = HeaderValue::from_str(reply.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    let (media_type, body) = match service.protocol() {
        Protocol::RestXml | Protocol::Query => ("text/xml", xml_body(service, error, reply)),
        Protocol::RestJson => {
            if let Ok(code) = HeaderValue::from_str(&error.code) {
                headers.insert("x-amzn-errortype", code);
            }
            ("application/json", json_body(error))
        }
        Protocol::Json11 => (
            "application/x-amz-json-1.1",
            json!({"__type": error.code, "message": error.message}).to_string(),
        ),
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    WireAnswer {
        status,
        headers,
        body: Bytes::from(body),
    }
}

fn xml_body(service: Service, error: &ApiError, reply: &Reply<'_>) -> String {
    let kind = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut out = xml::Writer::begin("ErrorResponse", reply.namespace_of(service));
    out.open("Error");
    out.leaf("Type", kind);
    out.leaf("Code", &error.code);
    out.leaf("Message", &error.message);
    out.close("Error");
    out.leaf("RequestId", reply.request_id);
    out.end("ErrorResponse")
}

fn json_body(error: &ApiError) -> String {
    let mut body = json!({"message": error.message, "Message": error.message});
    let plain = matches!(
        &*error.code,
        "ValidationException" | "AccessDeniedException" | "RequestEntityTooLargeException"
    );
    if !plain {
        body["Type"] = json!(if error.status < 500 {
            "User"
        } else {
            "Service"
        });
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply<'static> {
        Reply {
            request_id: "3f1c0b1e-0000-4000-8000-000000000001",
            namespace: None,
        }
    }

    fn text(answer: &WireAnswer) -> &str {
        std::str::from_utf8(&answer.body).unwrap_or("not UTF-8")
    }

    #[test]
    fn conditions_have_the_codes_of_the_table() {
        // Table 1.5, CP-016.
        use Condition as C;
        let rows = [
            (
                C::NotImplemented,
                (400, "UnsupportedOperation"),
                (501, "NotImplementedException"),
                (501, "NotImplementedException"),
            ),
            (
                C::NoCredentials,
                (403, "MissingAuthenticationToken"),
                (403, "MissingAuthenticationTokenException"),
                (403, "MissingAuthenticationTokenException"),
            ),
            (
                C::UnknownKey,
                (403, "InvalidClientTokenId"),
                (403, "UnrecognizedClientException"),
                (403, "UnrecognizedClientException"),
            ),
            (
                C::BadSignature,
                (403, "SignatureDoesNotMatch"),
                (403, "InvalidSignatureException"),
                (403, "InvalidSignatureException"),
            ),
            (
                C::ExpiredToken,
                (403, "ExpiredToken"),
                (403, "ExpiredTokenException"),
                (403, "ExpiredTokenException"),
            ),
            (
                C::AccessDenied,
                (403, "AccessDenied"),
                (403, "AccessDeniedException"),
                (403, "AccessDeniedException"),
            ),
            (
                C::MalformedBody,
                (400, "MalformedInput"),
                (400, "InvalidRequestContentException"),
                (400, "ValidationException"),
            ),
            (
                C::Constraint,
                (400, "InvalidArgument"),
                (400, "ValidationException"),
                (400, "ValidationException"),
            ),
            (
                C::Throttled,
                (429, "Throttling"),
                (429, "TooManyRequestsException"),
                (429, "ThrottlingException"),
            ),
            (
                C::NotWritable,
                (503, "ServiceUnavailable"),
                (503, "ServiceException"),
                (503, "InternalServerException"),
            ),
        ];
        for (condition, cloudfront, lambda, store) in rows {
            assert_eq!(condition.of(Service::CloudFront), cloudfront);
            assert_eq!(condition.of(Service::Lambda), lambda);
            assert_eq!(condition.of(Service::KeyValueStore), store);
        }
    }

    #[test]
    fn cloudfront_errors_are_error_responses() {
        // CP-027: root `ErrorResponse`, `RequestId` beside `Error`, text escaped.
        let error = ApiError::new(Service::CloudFront, "NoSuchDistribution", "No <one>.");
        let answer = encode_error(Service::CloudFront, &error, &reply());
        assert_eq!(answer.status, 404);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/xml");
        assert_eq!(
            text(&answer),
            "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error>\
             <Type>Sender</Type><Code>NoSuchDistribution</Code><Message>No &lt;one&gt;.</Message></Error>\
             <RequestId>3f1c0b1e-0000-4000-8000-000000000001</RequestId></ErrorResponse>"
        );
        let error = ApiError::common(Service::CloudFront, Condition::Internal, "broken");
        assert!(
            text(&encode_error(Service::CloudFront, &error, &reply()))
                .contains("<Type>Receiver</Type>")
        );
    }

    #[test]
    fn lambda_errors_carry_both_messages() {
        // CP-030: both spellings of the message, and whose fault it is, which three codes leave out.
        let error = ApiError::new(Service::Lambda, "ResourceNotFoundException", "gone");
        let answer = encode_error(Service::Lambda, &error, &reply());
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.headers["x-amzn-errortype"],
            "ResourceNotFoundException"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(text(&answer)).unwrap(),
            serde_json::json!({ "Message": "gone", "Type": "User", "message": "gone" })
        );
        let error = ApiError::common(Service::Lambda, Condition::Constraint, "bad");
        let answer = encode_error(Service::Lambda, &error, &reply());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(text(&answer)).unwrap(),
            serde_json::json!({ "Message": "bad", "message": "bad" })
        );
        let error = ApiError::common(Service::Lambda, Condition::Throttled, "slower");
        let answer = encode_error(Service::Lambda, &error, &reply());
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["retry-after"]),
            (429, &HeaderValue::from(1))
        );
    }

    #[test]
    fn logs_errors_name_their_type() {
        // CP-232: JSON 1.1 names the code in the body.
        let error = ApiError::new(Service::Logs, "ResourceNotFoundException", "gone");
        let answer = encode_error(Service::Logs, &error, &reply());
        assert_eq!(answer.status, 400);
        assert_eq!(
            text(&answer),
            r#"{"__type":"ResourceNotFoundException","message":"gone"}"#
        );
    }
}
