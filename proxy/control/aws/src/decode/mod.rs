//! From a request to what goes into its operation, in the API's member names (CP-020..024, CP-028, CP-030..033).

mod form;
mod json;
mod markup;
mod stream;

use std::io;

use base64::{engine::general_purpose::STANDARD, read::DecoderReader};
use http::HeaderMap;
use serde_json::{Map, Number, Value};

use crate::{
    check,
    error::{ApiError, Condition},
    model::{Kind, Member, Place, Protocol, Service, Shape},
    route::Routed,
    time, xml,
};

pub use stream::{CodeFault, decode_code};

/// Most unknown members that are told of.
const UNKNOWN: usize = 64;

/// What a request says.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The operation's input: an object with the members that the request has. Texts of blobs are base64, moments are
    /// ISO 8601, numbers and booleans are JSON's.
    pub input: Value,
    /// Members that the model does not know, by their path, the first 64 of them; all are kept in `input` as they came (CP-023).
    pub unknown: Vec<String>,
    /// The namespace of the request, to be echoed (CP-007). `None` for the service's own.
    pub namespace: Option<String>,
}

/// What is wrong with a request's body or parameters before any constraint is looked at.
#[derive(Debug, thiserror::Error)]
enum Malformed {
    #[error(transparent)]
    Xml(#[from] xml::XmlError),
    #[error("Could not parse request body into json: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "Could not parse request body into json: it has more than {} parts",
        json::MAX_PARTS
    )]
    JsonParts,
    #[error("the root element is {found}, not {expected}")]
    Root {
        expected: &'static str,
        found: String,
    },
    #[error("{path}: {what}")]
    Value { path: String, what: &'static str },
}

/// Where in a document something stands, and what was found that nobody knows.
#[derive(Debug, Default)]
struct Walk {
    path: Vec<String>,
    unknown: Vec<String>,
}

impl Walk {
    fn wrong(&self, what: &'static str) -> Malformed {
        Malformed::Value {
            path: self.path.join("."),
            what,
        }
    }

    fn unknown(&mut self, name: &str) {
        if self.unknown.len() == UNKNOWN {
            return;
        }
        let mut path = self.path.join(".");
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        self.unknown.push(path);
    }

    /// Base64 without white space, looked through without a second copy: a function's code may have 70 MB of it
    /// (CP-033).
    fn blob(&self, text: String) -> Result<Value, Malformed> {
        let mut bytes = DecoderReader::new(text.as_bytes(), &STANDARD);
        match io::copy(&mut bytes, &mut io::sink()) {
            Ok(_) => Ok(Value::String(text)),
            Err(_) => Err(self.wrong("not base64")),
        }
    }

    /// A value of a shape without parts, from its text.
    fn scalar(&self, shape: &Shape, text: &str) -> Result<Value, Malformed> {
        let trimmed = text.trim();
        match shape.kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            Kind::Boolean => Err(self.wrong("neither true nor false")),
            Kind::Integer { .. } => trimmed
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| self.wrong("not a whole number")),
            Kind::Decimal => {
                let number = trimmed.parse().ok().and_then(Number::from_f64);
                number
                    .map(Value::Number)
                    .ok_or_else(|| self.wrong("not a number"))
            }
            Kind::Timestamp => match time::seconds(trimmed) {
                Some(_) => Ok(Value::from(trimmed)),
                None => Err(self.wrong("not a moment in ISO 8601")),
            },
            Kind::Blob => self.blob(text.split_ascii_whitespace().collect()),
            _ => Ok(Value::from(text)),
        }
    }
}

/// Reads a request that has been routed: its parameters, headers and body, held against the operation's shape.
///
/// # Errors
/// The codes of table 1.5: a body that cannot be read, members that are missing, members that break a constraint; and
/// `InconsistentQuantities` (CP-022).
pub fn decode(routed: &Routed, headers: &HeaderMap, body: &[u8]) -> Result<Decoded, ApiError> {
    let service = routed.operation.service;
    let Some(shape) = routed.operation.input else {
        return Ok(Decoded {
            input: Value::Object(Map::new()),
            unknown: Vec::new(),
            namespace: routed.namespace.clone(),
        });
    };
    // Said in a word of its own where the model has one.
    let root = routed.operation.root;
    let no_body = body.is_empty() && !root.is_empty();
    if no_body && routed.operation.errors.contains(&"MissingBody") {
        let message = format!("This operation requires a body, which is a {root}.");
        return Err(ApiError::new(service, "MissingBody", message));
    }
    let mut walk = Walk::default();
    let mut namespace = routed.namespace.clone();
    let read = match service.protocol() {
        Protocol::RestXml => {
            markup::body(routed.operation, shape, body, &mut walk).map(|(input, declared)| {
                namespace = declared.or_else(|| namespace.take());
                input
            })
        }
        Protocol::RestJson => json::body(shape, body, &mut walk),
        Protocol::Query => form::input(shape, &routed.query, &mut walk),
        Protocol::Json11 => json::object(shape, body, &mut walk),
    };
    finish(routed, shape, headers, walk, namespace, read)
}

/// What is left to do when the body is read.
fn finish(
    routed: &Routed,
    shape: &'static Shape,
    headers: &HeaderMap,
    mut walk: Walk,
    namespace: Option<String>,
    read: Result<Map<String, Value>, Malformed>,
) -> Result<Decoded, ApiError> {
    let service = routed.operation.service;
    let bound = read.and_then(|mut input| {
        bind(shape, routed, headers, &mut walk, &mut input)?;
        Ok(input)
    });
    let input = bound
        .map_err(|error| ApiError::common(service, Condition::MalformedBody, error.to_string()))?;
    let input = Value::Object(input);
    check::constraints(service, shape, &input)?;
    if service == Service::CloudFront {
        check::quantities(shape, &input)?;
    }
    Ok(Decoded {
        input,
        unknown: walk.unknown,
        namespace,
    })
}

/// Reads a document that did not come by the API, JSON in the API's member names: numbers and booleans written as texts
/// are made such, nulls are left out, constraints and quantities are checked as in a request. Gives the members that the
/// model does not know.
///
/// # Errors
/// As for [`decode`].
pub fn document(
    service: Service,
    shape: &'static Shape,
    value: &mut Value,
) -> Result<Vec<String>, ApiError> {
    let mut walk = Walk::default();
    let read = json::value(shape, value.take(), &mut walk);
    *value = read
        .map_err(|error| ApiError::common(service, Condition::MalformedBody, error.to_string()))?;
    check::constraints(service, shape, value)?;
    if service == Service::CloudFront {
        check::quantities(shape, value)?;
    }
    Ok(walk.unknown)
}

/// Likewise, of the whole input of an operation, in which members that travel in path, query and headers stand beside the rest.
///
/// # Errors
/// As for [`decode`].
pub fn input(
    service: Service,
    shape: &'static Shape,
    given: Map<String, Value>,
) -> Result<Value, ApiError> {
    let is_in_body = |name: &str| {
        let member = shape.member(name);
        member.is_none_or(|member| member.place == Place::Body)
    };
    let (body, elsewhere): (Map<_, _>, Map<_, _>) =
        given.into_iter().partition(|(name, _)| is_in_body(name));
    let mut walk = Walk::default();
    let read = json::value(shape, Value::Object(body), &mut walk);
    let mut value = read
        .map_err(|error| ApiError::common(service, Condition::MalformedBody, error.to_string()))?;
    if let Value::Object(read) = &mut value {
        read.extend(elsewhere);
    }
    check::constraints(service, shape, &value)?;
    if service == Service::CloudFront {
        check::quantities(shape, &value)?;
    }
    Ok(value)
}

/// Adds the members that travel in path, query and headers.
fn bind(
    shape: &'static Shape,
    routed: &Routed,
    headers: &HeaderMap,
    walk: &mut Walk,
    input: &mut Map<String, Value>,
) -> Result<(), Malformed> {
    for member in shape.members() {
        walk.path.push(member.name.to_owned());
        let value = match member.place {
            Place::Uri => {
                let label = routed.labels.iter().find(|(name, _)| *name == member.wire);
                match label {
                    Some((_, text)) => Some(walk.scalar(member.shape, text)?),
                    None => None,
                }
            }
            Place::Query => from_query(member, &routed.query, walk)?,
            Place::Header => match headers.get(member.wire) {
                Some(value) => {
                    let text = value
                        .to_str()
                        .map_err(|_| walk.wrong("the header is not text"))?;
                    Some(walk.scalar(member.shape, text)?)
                }
                None => None,
            },
            Place::Body | Place::Status => None,
        };
        if let Some(value) = value {
            input.insert(member.name.to_owned(), value);
        }
        walk.path.pop();
    }
    Ok(())
}

fn from_query(
    member: &Member,
    query: &[(String, String)],
    walk: &Walk,
) -> Result<Option<Value>, Malformed> {
    let mut given = query
        .iter()
        .filter(|(name, _)| name == member.wire)
        .map(|(_, text)| text.as_str())
        .peekable();
    if given.peek().is_none() {
        return Ok(None);
    }
    if let Kind::List { item, .. } = &member.shape.kind {
        let items: Result<Vec<Value>, _> = given.map(|text| walk.scalar(item, text)).collect();
        return items.map(|items| Some(Value::Array(items)));
    }
    given
        .next()
        .map(|text| walk.scalar(member.shape, text))
        .transpose()
}
