//! Why a call of the API is refused: a code that clients know, the status that goes with it, a message for people.

use std::borrow::Cow;

use fourfront_aws::Service;
use fourfront_store::{StoreError, WriteError};

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The status of the answer.
    pub status: u16,
    /// The name that clients know the fault by.
    pub code: Cow<'static, str>,
    /// What is wrong, and where.
    pub message: String,
}

impl ApiError {
    /// A fault by its status, its code and a message.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// A fault of CloudFront's API by a code that its model has, with the status that the model gives it.
    pub fn cloudfront(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = Service::CloudFront.status_of(&code);
        let status = status.unwrap_or_else(|| undeclared(&code));
        Self::new(status, code, message)
    }

    /// Likewise of Lambda's.
    pub fn lambda(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = Service::Lambda.status_of(&code);
        let status = status.unwrap_or_else(|| undeclared(&code));
        Self::new(status, code, message)
    }

    /// A value that breaks a constraint of Lambda's model (table 1.5).
    pub fn lambda_validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// Likewise of the data plane of key-value stores.
    pub fn store_data(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = Service::KeyValueStore.status_of(&code);
        let status = status.unwrap_or_else(|| undeclared(&code));
        Self::new(status, code, message)
    }

    /// The node itself failed; clients try such calls again.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }
}

/// The status of a code that a service's model does not declare (table 1.5).
fn undeclared(code: &str) -> u16 {
    match code.starts_with("AccessDenied") {
        true => 403,
        false => 400,
    }
}

impl From<fourfront_aws::ApiError> for ApiError {
    fn from(error: fourfront_aws::ApiError) -> Self {
        Self::new(error.status, error.code, error.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match &error {
            // Calls are serialised, so this is another writer than the API: the state under the call has changed.
            WriteError::Conflict { .. } => Self::new(409, "ConflictException", error.to_string()),
            WriteError::TooLarge { .. } => {
                Self::new(413, "RequestEntityTooLargeException", error.to_string())
            }
            WriteError::InvalidId { .. } => Self::new(400, "InvalidArgument", error.to_string()),
            _ => Self::internal(error.to_string()),
        }
    }
}
