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
    /// By the target, the form in the body or the query, or the method, whichever the service goes by: what else a sender adds
    /// makes no look of a change. `form` is the body where that is a form.
    #[must_use]
    pub fn of(
        service: &str,
        headers: &HeaderMap,
        method: &str,
        path: &str,
        query: &str,
        form: Option<&str>,
    ) -> Self {
        let is_read = matches!(method, "GET" | "HEAD" | "OPTIONS");
        // Who calls operations by name does it at one path; SQS has one for each queue.
        let calls_by_name = !is_s3(service) && (path == "/" || service == "sqs");
        let mut names = Vec::new();
        if calls_by_name && method == "POST" && media_type(headers).starts_with(AMZ_JSON) {
            let target = headers.get("x-amz-target");
            let target = target.and_then(|target| target.to_str().ok());
            names.extend(target.map(|t| t.rsplit('.').next().unwrap_or_default().to_owned()));
        }
        let is_form = ForeignForm::is_form(headers);
        if calls_by_name && (is_read || is_form) {
            let actions = |raw: &str| {
                let pairs = pairs(raw).unwrap_or_default();
                let actions = pairs.into_iter().filter(|(name, _)| name == "Action");
                actions.map(|(_, value)| value).collect::<Vec<_>>()
            };
            names.extend(form.map(actions).unwrap_or_default());
            names.extend(actions(query));
        }
        // A form that is not read may call anything.
        let is_unread = is_form && !is_read && form.is_none();
        let looks = |name: &String| {
            is_operation_name(name) && LOOKS.iter().any(|verb| name.starts_with(verb))
        };
        let only_looks = !names.is_empty() && !is_unread && names.iter().all(looks);
        let is_mutation = match method {
            "POST" => !only_looks,
            _ if is_read => !names.iter().all(looks),
            _ => true,
        };
        // Of more than one, the one that is no look.
        let named = names
            .iter()
            .find(|name| !looks(name))
            .or_else(|| names.first());
        let named = named.filter(|name| is_operation_name(name));
        Self {
            operation: named.map_or_else(|| method.to_owned(), Clone::clone),
            is_mutation,
        }
    }
}

/// What the media types of the JSON protocols begin with.
const AMZ_JSON: &str = "application/x-amz-json-";

/// The media type of a request, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok());
    given.unwrap_or_default().trim_start().to_ascii_lowercase()
}

fn is_s3(service: &str) -> bool {
    matches!(
        service,
        "s3" | "s3express" | "s3-outposts" | "s3-object-lambda"
    )
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
        let media_type = media_type(headers);
        match service {
            "ec2" => Self::Ec2,
            service if is_s3(service) => Self::S3,
            _ if headers.contains_key("x-amz-target") => {
                Self::Json(match media_type.starts_with("application/x-amz-json-1.0") {
                    true => "application/x-amz-json-1.0",
                    false => "application/x-amz-json-1.1",
                })
            }
            "route53" => Self::Query,
            _ if Self::is_form(headers) => Self::Query,
            _ => Self::RestJson,
        }
    }

    /// Whether the body is a form, in which the query protocol names its operation.
    #[must_use]
    pub fn is_form(headers: &HeaderMap) -> bool {
        media_type(headers).starts_with("application/x-www-form-urlencoded")
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
        const FORM: &str = "Application/X-WWW-Form-URLEncoded; charset=utf-8";
        const JSON: &str = "application/x-amz-json-1.1";
        let call = |service: &str, request: &str, media_type: &str, target: &str, form| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("content-type", media_type), ("x-amz-target", target)] {
                if !value.is_empty() {
                    let value = HeaderValue::from_str(value).expect("a value");
                    headers.insert(name, value);
                }
            }
            let (method, url) = request.split_once(' ').expect("a method");
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            let call = ForeignCall::of(service, &headers, method, path, query, form);
            (call.operation, call.is_mutation)
        };
        let (put, get) = ("AmazonSSM.PutParameter", "AmazonSSM.GetParameter");
        let (runs, describes) = ("Action=RunInstances&V=1", "V=1&Action=DescribeRegions");
        for (service, request, media_type, target, form, operation, is_mutation) in [
            ("ssm", "POST /", JSON, put, None, "PutParameter", true),
            ("ssm", "POST /", JSON, get, None, "GetParameter", false),
            ("ec2", "POST /", FORM, "", Some(runs), "RunInstances", true),
            (
                "ec2",
                "POST /",
                FORM,
                "",
                Some(describes),
                "DescribeRegions",
                false,
            ),
            (
                "sns",
                "GET /?Action=CreateTopic",
                "",
                "",
                None,
                "CreateTopic",
                true,
            ),
            (
                "sqs",
                "GET /1/q?Action=SendMessage",
                "",
                "",
                None,
                "SendMessage",
                true,
            ),
            ("s3", "PUT /b/k", "", "", None, "PUT", true),
            ("s3", "GET /b?list-type=2", "", "", None, "GET", false),
            // What a service does not go by says nothing.
            ("s3", "PUT /b/k?Action=GetObject", "", "", None, "PUT", true),
            ("s3", "PUT /b/k", JSON, "S3.GetObject", None, "PUT", true),
            (
                "s3",
                "POST /?Action=GetObject",
                FORM,
                "",
                Some("Action=GetX"),
                "POST",
                true,
            ),
            (
                "apigateway",
                "POST /restapis?Action=GetX",
                "",
                "",
                None,
                "POST",
                true,
            ),
            (
                "apigateway",
                "POST /restapis",
                JSON,
                "X.GetX",
                None,
                "POST",
                true,
            ),
            (
                "apigateway",
                "DELETE /?Action=GetX",
                "",
                "",
                None,
                "DELETE",
                true,
            ),
            (
                "ssm",
                "POST /?Action=GetX",
                JSON,
                put,
                None,
                "PutParameter",
                true,
            ),
            (
                "sns",
                "POST /",
                FORM,
                get,
                Some("Action=Publish"),
                "Publish",
                true,
            ),
            (
                "sns",
                "POST /?Action=GetX",
                FORM,
                "",
                Some("Action=Publish"),
                "Publish",
                true,
            ),
            (
                "sns",
                "POST /?Action=Publish",
                FORM,
                "",
                Some("Action=GetX"),
                "Publish",
                true,
            ),
            ("sns", "POST /?Action=GetX", FORM, "", None, "GetX", true),
            ("ssm", "POST /", "application/json", get, None, "POST", true),
            ("ssm", "POST /", JSON, "x.[0m", None, "POST", true),
        ] {
            let called = call(service, request, media_type, target, form);
            assert_eq!(
                called,
                (operation.to_owned(), is_mutation),
                "{service} {request}"
            );
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
