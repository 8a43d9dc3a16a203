//! Why a request is not let in, and what its client is told (CP section 1.5, CP-206).

use std::time::Duration;

use thiserror::Error;

use crate::{credential::StoreError, role::Denied};

/// The service that a request was routed to, as its scope names it (CP-002).
///
/// It decides which words a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// `cloudfront`.
    CloudFront,
    /// `lambda`.
    Lambda,
    /// `cloudfront-keyvaluestore`: the data plane of key value stores.
    KeyValueStore,
    /// `sts`.
    Sts,
    /// `iam`.
    Iam,
    /// `logs`.
    Logs,
    /// `fourfront`: the native API (CP-402).
    Native,
}

impl Service {
    /// All services that are answered here.
    pub const ALL: [Self; 7] = [
        Self::CloudFront,
        Self::Lambda,
        Self::KeyValueStore,
        Self::Sts,
        Self::Iam,
        Self::Logs,
        Self::Native,
    ];

    /// The name in the scope of a signature.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::CloudFront => "cloudfront",
            Self::Lambda => "lambda",
            Self::KeyValueStore => "cloudfront-keyvaluestore",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Logs => "logs",
            Self::Native => "fourfront",
        }
    }

    /// The service of that name.
    pub fn from_scope(scope: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.scope() == scope)
    }

    /// How the service spells its errors.
    const fn words(self) -> Words {
        match self {
            Self::CloudFront | Self::Sts | Self::Iam => Words::Plain,
            Self::Lambda | Self::KeyValueStore | Self::Logs => Words::Exception,
            Self::Native => Words::Native,
        }
    }
}

/// The columns of table 1.5, and the native API's own (CP-621).
#[derive(Clone, Copy)]
enum Words {
    Plain,
    Exception,
    Native,
}

/// Why a request is not let in. [`AuthFault::status`], [`AuthFault::code`] and [`AuthFault::message`] are the answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthFault {
    /// No signature and no token.
    #[error("request is missing authentication token")]
    Missing,
    /// What should be a signature or a token is not in the form of one (CP-410, CP-416).
    #[error("{0}")]
    Malformed(&'static str),
    /// Nobody has that access key or token, or the session token that goes with it is another one (CP-419).
    #[error("the security token included in the request is invalid")]
    UnknownKey,
    /// The signature is not that of this request (CP-003, CP-411..415).
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Signed too long ago (CP-412). All three in the form that signatures use.
    #[error("Signature expired: {signed} is now earlier than {limit} ({now}{window})")]
    Expired {
        /// When it was signed, or until when a presigned link was good.
        signed: String,
        /// The earliest time that is accepted now.
        limit: String,
        /// The time here.
        now: String,
        /// How far back signatures are accepted: ` - 15 min.`, or nothing for links.
        window: String,
    },
    /// Signed in the future (CP-412).
    #[error(
        "Signature not yet current: {signed} is still later than {limit} ({now} + {window} min.)"
    )]
    NotYetCurrent {
        /// When it was signed.
        signed: String,
        /// The latest time that is accepted now.
        limit: String,
        /// The time here.
        now: String,
        /// How far ahead signatures are accepted, in minutes.
        window: i64,
    },
    /// The key, or the session that it belongs to, has ended.
    #[error("the security token included in the request is expired")]
    TokenExpired,
    /// The key is good, and what it asks for is not among its rights (CP-432).
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Mode `any` lets in who is on this machine, which a page in a browser on it is not (CP-400).
    #[error(
        "{0}: sign the request, or call the node by a loopback name and from outside a browser's page"
    )]
    Foreign(&'static str),
    /// That address has failed too often (CP-420).
    #[error("too many failed attempts; try again in {} s", .retry_after.as_secs().max(1))]
    TooManyFailures {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The store of credentials could not be read: ours, not the client's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// In what a signature and its request differ.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// It is another one than the key gives for this request.
    #[error(
        "the request signature we calculated does not match the signature you provided; check your secret access key \
         and signing method"
    )]
    Signature,
    /// Made for another service (CP-003).
    #[error("credential should be scoped to correct service: '{expected}'")]
    Service {
        /// The service that the request was routed to.
        expected: &'static str,
    },
    /// The day in the scope is not that of the date (CP-411).
    #[error("date in credential scope does not match the day of X-Amz-Date")]
    Day,
    /// The region has not the form of one (CP-005, CP-411).
    #[error("credential should be scoped to a valid region")]
    Region,
    /// A header that has to be signed is not (CP-413).
    #[error("header '{0}' is present and must be signed")]
    UnsignedHeader(String),
    /// A header that was signed is not there (CP-413).
    #[error("signed header '{0}' is not in the request")]
    MissingHeader(String),
    /// A header that may be there once is there twice.
    #[error("header '{0}' is there more than once")]
    RepeatedHeader(&'static str),
    /// A body nobody signed, outside TLS (CP-415).
    #[error("UNSIGNED-PAYLOAD is accepted over TLS only")]
    UnsignedPayload,
    /// The body is another one than was signed (CP-415, CP-416).
    #[error("the body's SHA-256 is not the one that was signed")]
    Body,
}

impl AuthFault {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooManyFailures { .. } => 429,
            Self::Store(_) => 503,
            _ => 403,
        }
    }

    /// The code that clients of `service` know the fault by (table 1.5).
    pub const fn code(&self, service: Service) -> &'static str {
        let [plain, exception, native] = match self {
            Self::Missing => [
                "MissingAuthenticationToken",
                "MissingAuthenticationTokenException",
                "missing_credentials",
            ],
            Self::Malformed(_) => [
                "IncompleteSignature",
                "IncompleteSignatureException",
                "malformed_credentials",
            ],
            Self::UnknownKey => [
                "InvalidClientTokenId",
                "UnrecognizedClientException",
                "unknown_credentials",
            ],
            Self::Mismatch(_) => [
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "signature_mismatch",
            ],
            Self::Expired { .. } | Self::NotYetCurrent { .. } => [
                "SignatureDoesNotMatch",
                "InvalidSignatureException",
                "signature_time",
            ],
            Self::TokenExpired => [
                "ExpiredToken",
                "ExpiredTokenException",
                "credentials_expired",
            ],
            Self::Denied(_) | Self::Foreign(_) => {
                ["AccessDenied", "AccessDeniedException", "access_denied"]
            }
            Self::TooManyFailures { .. } => match service {
                Service::Lambda => ["", "TooManyRequestsException", ""],
                _ => ["Throttling", "ThrottlingException", "too_many_failures"],
            },
            Self::Store(_) => match service {
                Service::Lambda => ["", "ServiceException", ""],
                Service::Logs => ["", "ServiceUnavailableException", ""],
                _ => [
                    "ServiceUnavailable",
                    "InternalServerException",
                    "store_unavailable",
                ],
            },
        };
        match service.words() {
            Words::Plain => plain,
            Words::Exception => exception,
            Words::Native => native,
        }
    }

    /// The text of the answer. It tells who calls a key value store with the wrong kind of signature what to install (CP-206).
    pub fn message(&self, service: Service) -> String {
        let mut text = self.to_string();
        let wrong = matches!(self, Self::Missing | Self::Malformed(_) | Self::Mismatch(_));
        if service == Service::KeyValueStore && wrong {
            text.push_str(
                ". Calls to a key value store are signed with SigV4a: boto3 and version 1 of the AWS CLI need the awscrt \
                 extra (pip install 'botocore[crt]'), the AWS SDK for JavaScript needs @aws-sdk/signature-v4a",
            );
        }
        text
    }

    /// Whether it counts against the address it comes from (CP-420): guesses do, a known key that may not do a thing,
    /// or whose clock is off, does not.
    pub const fn is_attempt(&self) -> bool {
        matches!(
            self,
            Self::UnknownKey | Self::Mismatch(_) | Self::Malformed(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, role::Reason};

    #[test]
    fn the_codes_are_those_of_the_table() {
        // CP-016's table 1.5, the rows that are about who is asking
        let denied = || {
            AuthFault::from(Denied {
                action: Action::Write,
                reason: Reason::Role,
            })
        };
        let expired = || AuthFault::Expired {
            signed: "s".into(),
            limit: "l".into(),
            now: "n".into(),
            window: " - 15 min.".into(),
        };
        let throttled = || AuthFault::TooManyFailures {
            retry_after: Duration::from_secs(3),
        };
        let store = || AuthFault::Store(StoreError::new("disk"));
        #[rustfmt::skip]
        let table: [(AuthFault, u16, [&str; 4]); 8] = [
            (AuthFault::Missing, 403, ["MissingAuthenticationToken", "MissingAuthenticationTokenException", "MissingAuthenticationTokenException", "missing_credentials"]),
            (AuthFault::UnknownKey, 403, ["InvalidClientTokenId", "UnrecognizedClientException", "UnrecognizedClientException", "unknown_credentials"]),
            (Mismatch::Signature.into(), 403, ["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException", "signature_mismatch"]),
            (expired(), 403, ["SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException", "signature_time"]),
            (AuthFault::TokenExpired, 403, ["ExpiredToken", "ExpiredTokenException", "ExpiredTokenException", "credentials_expired"]),
            (denied(), 403, ["AccessDenied", "AccessDeniedException", "AccessDeniedException", "access_denied"]),
            (throttled(), 429, ["Throttling", "TooManyRequestsException", "ThrottlingException", "too_many_failures"]),
            (store(), 503, ["ServiceUnavailable", "ServiceException", "InternalServerException", "store_unavailable"]),
        ];
        for (fault, status, codes) in table {
            assert_eq!(fault.status(), status, "{fault}");
            let services = [
                Service::CloudFront,
                Service::Lambda,
                Service::KeyValueStore,
                Service::Native,
            ];
            for (service, code) in services.into_iter().zip(codes) {
                assert_eq!(fault.code(service), code, "{fault}");
            }
            for service in Service::ALL {
                assert!(!fault.code(service).is_empty(), "{fault} {service:?}");
                assert_eq!(Service::from_scope(service.scope()), Some(service));
            }
        }
    }

    #[test]
    fn who_calls_a_store_without_sigv4a_is_told_what_to_install() {
        // CP-206
        for fault in [AuthFault::Missing, Mismatch::Signature.into()] {
            let text = fault.message(Service::KeyValueStore);
            assert!(
                text.contains("awscrt") && text.contains("@aws-sdk/signature-v4a"),
                "{text}"
            );
            assert!(!fault.message(Service::Lambda).contains("awscrt"));
        }
        assert!(
            !AuthFault::TokenExpired
                .message(Service::KeyValueStore)
                .contains("awscrt")
        );
    }
}
