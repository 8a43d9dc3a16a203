//! The codes of problem documents (CP-621).

use std::collections::BTreeSet;

use fourfront_aws::{Condition, Service};

/// Codes of the native API itself.
pub(super) const OWN: &[(&str, &str)] = &[
    ("missing_credentials", "403: nobody is said to send it"),
    ("malformed_credentials", "403: who sends it cannot be read"),
    ("unknown_credentials", "403: there is no such key"),
    (
        "signature_mismatch",
        "403: it is signed with another secret, or another request was",
    ),
    (
        "signature_time",
        "403: it was signed too long ago, or by a clock that goes wrong",
    ),
    ("credentials_expired", "403: the key has ended"),
    ("access_denied", "403: the key is not for this"),
    (
        "too_many_failures",
        "429: too many wrong keys came from there",
    ),
    ("store_unavailable", "503: keys cannot be read"),
    (
        "AccessDenied",
        "403: the host is not one of this machine's, or the account another one",
    ),
    (
        "BatchTooLarge",
        "413: more invalidations than AWS takes at once",
    ),
    ("ConflictException", "409: the data has changed since"),
    ("InternalError", "500: the node failed"),
    (
        "InvalidArgument",
        "400: a member or parameter is wrong; `field` says which",
    ),
    (
        "InvalidIfMatchVersion",
        "400: what is given as ETag is none",
    ),
    (
        "InvalidRuntimeException",
        "400: the function is none of JavaScript",
    ),
    (
        "InvalidRequestContentException",
        "400: the event is no JSON",
    ),
    (
        "InvalidationBatchAlreadyExists",
        "400: the reference was used for another purge",
    ),
    ("MalformedInput", "400: the body cannot be read"),
    (
        "MissingArtifact",
        "400: the code of a resource was not sent",
    ),
    ("MethodNotAllowed", "405: the route has no such method"),
    ("NoSuchDistribution", "404: there is no such distribution"),
    ("NoSuchEntity", "404: there is no such role"),
    (
        "NoSuchFunction",
        "404: there is no such function, or no such version of it",
    ),
    ("NoSuchInvalidation", "404: no such purge is remembered"),
    ("NoSuchKind", "404: there are no such documents"),
    ("NoSuchRelease", "404: there is no such release"),
    (
        "NoSuchStage",
        "404: nothing is staged; 409: what was staged is gone",
    ),
    ("NoSuchStore", "404: there is no such key-value store"),
    ("NotDurable", "500: the purge cannot be written to disk"),
    (
        "NotOfThisStack",
        "400: the distribution that something is tried out on is another stack's, or nobody's",
    ),
    ("NotFound", "404: there is nothing by that name"),
    (
        "NotImplementedException",
        "501: the node does not have this",
    ),
    (
        "OriginShieldNotInvalidated",
        "502: a shield did not take note of the purge",
    ),
    ("PreconditionFailed", "412: what is there has another ETag"),
    (
        "PreconditionRequired",
        "428: say with `If-Match` what is replaced",
    ),
    (
        "RequestEntityTooLarge",
        "413: the body is longer than the route takes",
    ),
    (
        "RequestEntityTooLargeException",
        "413: a document is longer than the store takes",
    ),
    (
        "ServiceQuotaExceededException",
        "402: a key-value store would be larger than AWS lets it be",
    ),
    (
        "ServiceUnavailable",
        "503: the node does not serve yet, or reads as many large bodies as it can",
    ),
    ("StageExists", "409: something is staged already"),
    (
        "StageShared",
        "409: what is tried out would change what serves, too",
    ),
    (
        "TestFunctionFailed",
        "500: the function could not be run at all",
    ),
    ("TooManyReaders", "503: as many read logs as can"),
    (
        "UnresolvedReference",
        "400: a plan refers to what it does not have",
    ),
    (
        "UnsupportedMediaType",
        "415: the body is no JSON by its type",
    ),
    (
        "ValidationException",
        "400: a value breaks a constraint of the AWS API",
    ),
];

/// Names of the faults of the operations that the native API goes through.
pub(super) fn of_services() -> Vec<&'static str> {
    let services = [Service::CloudFront, Service::Lambda, Service::KeyValueStore];
    let operations = services.iter().flat_map(|s| s.operations());
    let declared = operations.flat_map(|operation| operation.errors.iter().copied());
    // What inputs are refused for before an operation sees them.
    let conditions = [
        Condition::NotImplemented,
        Condition::MalformedBody,
        Condition::MissingMember,
        Condition::Constraint,
        Condition::TooLarge,
        Condition::NotWritable,
        Condition::Internal,
    ];
    let common = conditions
        .iter()
        .flat_map(|condition| services.map(|service| condition.of(service).1));
    let own: BTreeSet<_> = OWN.iter().map(|(code, _)| *code).collect();
    let all: BTreeSet<_> = declared
        .chain(common)
        .filter(|code| !own.contains(code))
        .collect();
    all.into_iter().collect()
}
