//! Requests to services that are not spoken for here, as far as they have to be understood to be handed on: whose they are,
//! what they are about, and how their clients are told that it went wrong (CP-236).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    arn::split_host,
    encode::{REQUEST_ID, WireAnswer},
    model::Service,
    route::pairs,
    xml,
};

/// What `X-Amz-Target` begins with, by the name in the scope of signatures. What has a form like `Name_20120810` is told by
/// its first part; others by this list, for requests that nobody signed: a signature names the service itself.
const TARGETS: &[(&str, &str)] = &[
    ("AWSEvents", "events"),
    ("AWSStepFunctions", "states"),
    ("AmazonEC2ContainerRegistry", "ecr"),
    ("AmazonEC2ContainerService", "ecs"),
    ("AmazonSQS", "sqs"),
    ("AmazonSSM", "ssm"),
    ("CertificateManager", "acm"),
    ("DynamoDB", "dynamodb"),
    ("DynamoDBStreams", "dynamodb"),
    ("Firehose", "firehose"),
    ("GraniteServiceVersion", "monitoring"),
    ("Kinesis", "kinesis"),
    ("TrentService", "kms"),
    ("secretsmanager", "secretsmanager"),
];

/// The service that a request without a signature is for, by its target or its host; `None` where neither names one.
#[must_use]
pub fn foreign_service(target: Option<&str>, host: &str) -> Option<String> {
    if let Some(target) = target {
        let prefix = target.split('.').next().unwrap_or_default();
        let named = prefix.split('_').next().unwrap_or_default();
        // `AmazonEC2ContainerServiceV20141113` has its version without a dash.
        let known = TARGETS.iter().find(|(known, _)| {
            let rest = named.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('V'))
        });
        if let Some((_, service)) = known {
            return Some((*service).to_owned());
        }
    }
    let (_, host) = split_host(host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let labels: Vec<&str> = name.split('.').collect();
    let is_bucket = |label: &&str| *label == "s3" || label.starts_with("s3-");
    match labels.as_slice() {
        // `BUCKET.s3.localhost`, whose bucket may have dots.
        [_, rest @ .., _] if rest.iter().any(is_bucket) => Some("s3".to_owned()),
        // `ssm.us-east-1.amazonaws.com`, `ssm.localhost`.
        [service, _, ..] if is_service_name(service) => Some((*service).to_owned()),
        _ => None,
    }
}

/// Whether a name can be that of a service in the scope of a signature.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (2..=64).contains(&name.len())
        && name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// What a request to another service asks, as far as can be told without its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignCall {
    /// The operation's name where the request has one, or else the method.
    pub operation: String,
    /// Whether it may change something: everything may that does not say that it only looks.
    pub is_mutation: bool,
}

impl ForeignCall {
    /// By the target, the form in the body or the query, or the method.
    #[must_use]
    pub fn of(target: Option<&str>, method: &str, query: &str, form: Option<&str>) -> Self {
        let action = |raw: &str| {
            let pairs = pairs(raw).ok()?;
            let found = pairs.into_iter().find(|(name, _)| name == "Action");
            found.map(|(_, value)| value)
        };
        let named = target
            .map(|target| target.rsplit('.').next().unwrap_or_default().to_owned())
            .or_else(|| form.and_then(action))
            .or_else(|| action(query))
            .filter(|name| is_operation_name(name));
        match named {
            Some(operation) => Self {
                is_mutation: !LOOKS.iter().any(|verb| operation.starts_with(verb)),
                operation,
            },
            None => Self {
                operation: method.to_owned(),
                is_mutation: !matches!(method, "GET" | "HEAD" | "OPTIONS"),
            },
        }
    }
}

/// What names of operations begin with that change nothing.
const LOOKS: &[&str] = &[
    "BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Select",
];

fn is_operation_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// How a service tells its clients of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignForm {
    /// S3's XML.
    S3,
    /// The XML of the query protocol, which services in REST and XML have as well.
    Query,
    /// EC2's own kind of it.
    Ec2,
    /// JSON that names the error in its body, in the version that the media type has.
    Json(&'static str),
    /// REST and JSON.
    RestJson,
}

impl ForeignForm {
    /// By the request's own form and the service's name.
    #[must_use]
    pub fn of(service: &str, headers: &HeaderMap) -> Self {
        let media_type = headers.get(header::CONTENT_TYPE);
        let media_type = media_type.map_or(&b""[..], |value| value.as_bytes());
        if headers.contains_key("x-amz-target") {
            return Self::Json(
                match media_type.starts_with(b"application/x-amz-json-1.0") {
                    true => "application/x-amz-json-1.0",
                    false => "application/x-amz-json-1.1",
                },
            );
        }
        let is_form = media_type.starts_with(b"application/x-www-form-urlencoded");
        match service {
            "ec2" => Self::Ec2,
            "s3" | "s3express" | "s3-outposts" | "s3-object-lambda" => Self::S3,
            "route53" => Self::Query,
            _ if is_form => Self::Query,
            _ => Self::RestJson,
        }
    }

    /// The answer that tells of an error.
    #[must_use]
    pub fn refusal(self, status: u16, code: &str, message: &str, id: &str) -> WireAnswer {
        let mut headers = HeaderMap::new();
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        let (media_type, body) = match self {
            Self::S3 => (
                "application/xml",
                markup(&["Error"], code, message, None, "RequestId", id),
            ),
            Self::Ec2 => {
                let path = ["Response", "Errors", "Error"];
                (
                    "text/xml",
                    markup(&path, code, message, None, "RequestID", id),
                )
            }
            Self::Query => {
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                let path = ["ErrorResponse", "Error"];
                (
                    "text/xml",
                    markup(&path, code, message, Some(fault), "RequestId", id),
                )
            }
            Self::Json(media_type) => (
                media_type,
                json!({ "__type": code, "message": message }).to_string(),
            ),
            Self::RestJson => {
                if let Ok(code) = HeaderValue::from_str(code) {
                    headers.insert("x-amzn-errortype", code);
                }
                (
                    "application/json",
                    json!({ "code": code, "message": message }).to_string(),
                )
            }
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        WireAnswer {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            body: Bytes::from(body),
        }
    }
}

/// A document with code and message at the end of a path of elements, and the request's id in the first of them.
fn markup(
    path: &[&str],
    code: &str,
    message: &str,
    fault: Option<&str>,
    id_name: &str,
    id: &str,
) -> String {
    let (root, inner) = path
        .split_first()
        .map_or(("Error", path), |(root, inner)| (*root, inner));
    let mut writer = xml::Writer::begin(root, "");
    for name in inner {
        writer.open(name);
    }
    if let Some(fault) = fault {
        writer.leaf("Type", fault);
    }
    writer.leaf("Code", code);
    writer.leaf("Message", message);
    for name in inner.iter().rev() {
        writer.close(name);
    }
    writer.leaf(id_name, id);
    writer.end(root)
}

/// Whether the node itself speaks for a service.
#[must_use]
pub fn is_own_service(name: &str) -> bool {
    name == "fourfront" || Service::signed_as(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_requests_are_known_by_target_or_host() {
        // CP-236
        for (target, host, service) in [
            (
                Some("AmazonSSM.GetParameter"),
                "127.0.0.1:9400",
                Some("ssm"),
            ),
            (
                Some("DynamoDB_20120810.GetItem"),
                "localhost",
                Some("dynamodb"),
            ),
            (
                Some("AmazonEC2ContainerServiceV20141113.ListClusters"),
                "localhost",
                Some("ecs"),
            ),
            (Some("AmazonSSMLike.Get"), "localhost", None),
            (None, "ssm.us-east-1.amazonaws.com", Some("ssm")),
            (None, "sqs.localhost:9400", Some("sqs")),
            (None, "my.bucket.s3.localhost:9400", Some("s3")),
            (None, "b.s3-eu-west-1.amazonaws.com", Some("s3")),
            (None, "s3.localhost", Some("s3")),
            (None, "000000000000.ssm.localhost", Some("ssm")),
            (None, "localhost:9400", None),
            (None, "127.0.0.1:9400", None),
            (None, "[::1]:9400", None),
        ] {
            assert_eq!(
                foreign_service(target, host).as_deref(),
                service,
                "{target:?} {host}"
            );
        }
        for service in Service::ALL {
            assert!(is_own_service(service.signing_name()));
        }
        assert!(is_own_service("fourfront") && !is_own_service("s3"));
        assert!(is_service_name("s3") && is_service_name("execute-api"));
        assert!(!is_service_name("S3") && !is_service_name("") && !is_service_name("1s"));
    }

    #[test]
    fn what_only_looks_is_no_mutation() {
        // CP-236, CP-433
        let call = |target, method, query, form| {
            let call = ForeignCall::of(target, method, query, form);
            (call.operation, call.is_mutation)
        };
        for (called, operation, is_mutation) in [
            (
                call(Some("AmazonSSM.PutParameter"), "POST", "", None),
                "PutParameter",
                true,
            ),
            (
                call(Some("AmazonSSM.GetParameter"), "POST", "", None),
                "GetParameter",
                false,
            ),
            (
                call(None, "POST", "", Some("Action=RunInstances&Version=1")),
                "RunInstances",
                true,
            ),
            (
                call(None, "POST", "", Some("Version=1&Action=DescribeRegions")),
                "DescribeRegions",
                false,
            ),
            (
                call(None, "GET", "Action=CreateTopic", None),
                "CreateTopic",
                true,
            ),
            (call(None, "PUT", "", None), "PUT", true),
            (call(None, "GET", "list-type=2", None), "GET", false),
            (call(Some("x.\u{1b}[0m"), "POST", "", None), "POST", true),
        ] {
            assert_eq!(called, (operation.to_owned(), is_mutation));
        }
    }

    #[test]
    fn clients_are_told_in_the_form_they_read() {
        // CP-236
        let of = |service, headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            ForeignForm::of(service, &headers.collect())
        };
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let target = ("x-amz-target", "DynamoDB_20120810.GetItem");
        let json = ("content-type", "application/x-amz-json-1.0");
        for (found, wanted, part) in [
            (of("s3", &[]), ForeignForm::S3, "<Error><Code>A&lt;</Code>"),
            (
                of("ec2", &[form]),
                ForeignForm::Ec2,
                "<Response><Errors><Error><Code>A&lt;",
            ),
            (
                of("sns", &[form]),
                ForeignForm::Query,
                "<Type>Receiver</Type><Code>A&lt;",
            ),
            (
                of("dynamodb", &[json, target]),
                ForeignForm::Json("application/x-amz-json-1.0"),
                r#"{"__type":"A<","message":"m & n"}"#,
            ),
            (
                of("apigateway", &[]),
                ForeignForm::RestJson,
                r#""message":"m & n""#,
            ),
        ] {
            assert_eq!(found, wanted);
            let answer = found.refusal(502, "A<", "m & n", "id");
            let body = std::str::from_utf8(&answer.body).expect("text");
            assert!(body.contains(part), "{body}");
            assert_eq!(answer.status, 502);
        }
    }
}
