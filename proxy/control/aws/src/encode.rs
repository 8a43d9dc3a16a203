//! From what comes out of an operation to its answer (CP-007, CP-011, CP-024..026, CP-031, CP-032).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Number, Value};

use crate::{
    model::{Kind, Member, Operation, Place, Protocol, Service, Shape},
    time, xml,
};

/// The header that names a request.
pub(crate) const REQUEST_ID: &str = "x-amzn-requestid";

/// What an answer repeats of its request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The request's id, a UUID.
    pub request_id: &'a str,
    /// The namespace that the request was written in, `None` for the service's own (CP-007).
    pub namespace: Option<&'a str>,
}

impl<'a> Reply<'a> {
    pub(crate) fn namespace_of(&self, service: Service) -> &'a str {
        self.namespace.unwrap_or_else(|| service.namespace())
    }
}

/// An answer, but for the `Date` that the listener adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireAnswer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why an output cannot be written. It is the node's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The body of the answer is to be bytes, and the value is not base64.
    #[error("the payload {member} is not base64")]
    Payload {
        /// The member.
        member: &'static str,
    },
    /// A value that a header cannot hold.
    #[error("{member} cannot be a header")]
    Header {
        /// The member.
        member: &'static str,
    },
    /// A status that is none.
    #[error("{member} is not a status")]
    Status {
        /// The member.
        member: &'static str,
    },
}

/// Writes the answer to a request. `output` has the members of the operation's output; null ones are as if they were not
/// there, unknown ones follow those that the model knows.
///
/// # Errors
/// What a header or the payload cannot carry.
pub fn encode(
    operation: &'static Operation,
    reply: &Reply<'_>,
    output: &Value,
) -> Result<WireAnswer, EncodeError> {
    let nothing = Map::new();
    let output = output.as_object().unwrap_or(&nothing);
    let status = StatusCode::from_u16(operation.code).unwrap_or(StatusCode::OK);
    let mut answer = WireAnswer {
        status,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    if let Ok(id) = HeaderValue::from_str(reply.request_id) {
        answer.headers.insert(REQUEST_ID, id);
    }
    if let Some(shape) = operation.output {
        head(operation, shape, output, &mut answer)?;
    }
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(answer);
    }
    match (operation.service.protocol(), operation.output) {
        (Protocol::RestXml, Some(shape)) => rest_xml(operation, shape, reply, output, &mut answer)?,
        (Protocol::RestJson, Some(shape)) => rest_json(shape, output, &mut answer)?,
        (Protocol::Query, _) => query(operation, reply, output, &mut answer),
        (Protocol::Json11, shape) => {
            typed(&mut answer, "application/x-amz-json-1.1");
            if let Some(shape) = shape {
                answer.body = json_object(shape, output).to_string().into();
            }
        }
        (_, None) => {}
    }
    Ok(answer)
}

/// Status and headers that are members of the output.
fn head(
    operation: &Operation,
    shape: &'static Shape,
    output: &Map<String, Value>,
    answer: &mut WireAnswer,
) -> Result<(), EncodeError> {
    for member in shape.members() {
        let Some(value) = output.get(member.name).filter(|value| !value.is_null()) else {
            continue;
        };
        match member.place {
            Place::Status => {
                let code = value.as_u64().and_then(|code| u16::try_from(code).ok());
                answer.status = code
                    .and_then(|code| StatusCode::from_u16(code).ok())
                    .ok_or(EncodeError::Status {
                        member: member.name,
                    })?;
            }
            Place::Header => {
                let error = EncodeError::Header {
                    member: member.name,
                };
                let name = HeaderName::from_bytes(member.wire.as_bytes());
                let value = HeaderValue::from_str(&scalar_text(value));
                let (Ok(name), Ok(value)) = (name, value) else {
                    return Err(error);
                };
                // The SDKs read the version under the name that the model misspells, scripts under the right one.
                if operation.name == "UpdateFunction" && member.wire == "ETtag" {
                    answer.headers.insert(header::ETAG, value.clone());
                }
                answer.headers.insert(name, value);
            }
            _ => {}
        }
    }
    Ok(())
}

fn typed(answer: &mut WireAnswer, media_type: &'static str) {
    answer
        .headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static(media_type));
}

/// The bytes of a payload that is the body as it is (CP-024).
fn bytes(member: &'static Member, value: Option<&Value>) -> Result<Bytes, EncodeError> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Bytes::new());
    };
    let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    decoded.map(Bytes::from).ok_or(EncodeError::Payload {
        member: member.name,
    })
}

fn rest_xml(
    operation: &Operation,
    shape: &'static Shape,
    reply: &Reply<'_>,
    output: &Map<String, Value>,
    answer: &mut WireAnswer,
) -> Result<(), EncodeError> {
    let namespace = reply.namespace_of(operation.service);
    let (shape, value) = match shape.payload() {
        Some(payload) if matches!(payload.shape.kind, Kind::Blob) => {
            answer.body = bytes(payload, output.get(payload.name))?;
            typed(answer, "application/octet-stream");
            return Ok(());
        }
        // The root has the name of the payload's shape (CP-026).
        Some(payload) => (
            payload.shape,
            output.get(payload.name).and_then(Value::as_object),
        ),
        None => (shape, Some(output)),
    };
    let mut writer = xml::Writer::begin(shape.name, namespace);
    if let Some(value) = value {
        structure(&mut writer, shape, value);
    }
    answer.body = writer.end(shape.name).into();
    typed(answer, "text/xml");
    Ok(())
}

fn query(
    operation: &Operation,
    reply: &Reply<'_>,
    output: &Map<String, Value>,
    answer: &mut WireAnswer,
) {
    let root = format!("{}Response", operation.name);
    let mut writer = xml::Writer::begin(&root, reply.namespace_of(operation.service));
    if let (Some(shape), Some(wrapper)) = (operation.output, operation.wrapper) {
        writer.open(wrapper);
        structure(&mut writer, shape, output);
        writer.close(wrapper);
    }
    writer.open("ResponseMetadata");
    writer.leaf("RequestId", reply.request_id);
    writer.close("ResponseMetadata");
    answer.body = writer.end(&root).into();
    typed(answer, "text/xml");
}

fn rest_json(
    shape: &'static Shape,
    output: &Map<String, Value>,
    answer: &mut WireAnswer,
) -> Result<(), EncodeError> {
    match shape.payload() {
        Some(payload) if matches!(payload.shape.kind, Kind::Blob) => {
            answer.body = bytes(payload, output.get(payload.name))?;
        }
        Some(payload) => {
            let value = output.get(payload.name).unwrap_or(&Value::Null);
            answer.body = json(payload.shape, value).to_string().into();
        }
        None => answer.body = json_object(shape, output).to_string().into(),
    }
    typed(answer, "application/json");
    Ok(())
}

/// The members of a structure, in the model's order, and then those that the model does not know (CP-023, CP-705).
fn structure(writer: &mut xml::Writer, shape: &'static Shape, object: &Map<String, Value>) {
    for member in shape.members() {
        if member.place == Place::Body
            && let Some(value) = object.get(member.name)
        {
            element(writer, member.wire, member.shape, value);
        }
    }
    for (name, value) in object {
        if shape.member(name).is_none() {
            unknown(writer, name, value);
        }
    }
}

fn element(writer: &mut xml::Writer, name: &str, shape: &'static Shape, value: &Value) {
    match (&shape.kind, value) {
        (_, Value::Null) => {}
        (Kind::Structure { .. }, Value::Object(object)) => {
            writer.open(name);
            structure(writer, shape, object);
            writer.close(name);
        }
        (
            Kind::List {
                item,
                flattened: true,
                ..
            },
            Value::Array(items),
        ) => {
            for value in items {
                element(writer, name, item, value);
            }
        }
        (
            Kind::List {
                item,
                element: inner,
                ..
            },
            Value::Array(items),
        ) => {
            writer.open(name);
            for value in items {
                element(writer, inner, item, value);
            }
            writer.close(name);
        }
        (Kind::Map { value: inner, .. }, Value::Object(object)) => {
            writer.open(name);
            for (key, value) in object {
                writer.open("entry");
                writer.leaf("key", key);
                element(writer, "value", inner, value);
                writer.close("entry");
            }
            writer.close(name);
        }
        // Stored documents that do not keep to the model are written as they are rather than not at all.
        (_, Value::Object(_) | Value::Array(_)) => unknown(writer, name, value),
        (Kind::Timestamp, Value::Number(number)) => {
            let text = number.as_f64().and_then(time::iso);
            writer.leaf(name, &text.unwrap_or_else(|| number.to_string()));
        }
        (Kind::Timestamp, Value::String(text)) => {
            let whole = time::seconds(text).and_then(time::iso);
            writer.leaf(name, whole.as_deref().unwrap_or(text));
        }
        _ => writer.leaf(name, &scalar_text(value)),
    }
}

/// What the model does not know, the way it came (CP-023). Names that XML cannot have are left out.
fn unknown(writer: &mut xml::Writer, name: &str, value: &Value) {
    if !xml::is_name(name) {
        return;
    }
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for value in items {
                unknown(writer, name, value);
            }
        }
        Value::Object(object) => {
            writer.open(name);
            for (name, value) in object {
                unknown(writer, name, value);
            }
            writer.close(name);
        }
        plain => writer.leaf(name, &scalar_text(plain)),
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // Plain decimals, never an exponent (CP-025).
        Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map_or_else(|| number.to_string(), |number| number.to_string()),
        other => other.to_string(),
    }
}

fn json_object(shape: &'static Shape, object: &Map<String, Value>) -> Value {
    let mut written = Map::new();
    for (name, value) in object {
        match shape.member(name) {
            _ if value.is_null() => {}
            None => {
                written.insert(name.clone(), value.clone());
            }
            Some(member) if member.place == Place::Body => {
                written.insert(member.wire.to_owned(), json(member.shape, value));
            }
            Some(_) => {}
        }
    }
    Value::Object(written)
}

fn json(shape: &'static Shape, value: &Value) -> Value {
    match (&shape.kind, value) {
        (Kind::Structure { .. }, Value::Object(object)) => json_object(shape, object),
        (Kind::List { item, .. }, Value::Array(items)) => {
            items.iter().map(|value| json(item, value)).collect()
        }
        (Kind::Map { value: inner, .. }, Value::Object(object)) => {
            let entries = object.iter().filter(|(_, value)| !value.is_null());
            let written = entries.map(|(name, value)| (name.clone(), json(inner, value)));
            Value::Object(written.collect())
        }
        // Seconds since 1970 (CP-032); whole ones as such.
        (Kind::Timestamp, Value::String(text)) => time::seconds(text)
            .and_then(Number::from_f64)
            .map_or_else(|| value.clone(), Value::Number),
        _ => value.clone(),
    }
}
