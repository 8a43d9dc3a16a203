//! Bodies in JSON (CP-030..033).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memchr2;
use serde_json::{Map, Value};

use super::{Malformed, Walk};
use crate::model::{Kind, Place, Shape};

/// Most values in a body: as many as elements in XML (CP-028). Each takes some thirty bytes of memory for two in a body
/// that may have seventy million.
pub(super) const MAX_PARTS: usize = 20_000;

/// Reads a body that is not made of too many parts.
fn parse(body: &[u8]) -> Result<Value, Malformed> {
    let mut parts = 0_usize;
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'"' => rest = after_text(after),
            b',' | b'[' | b'{' => parts += 1,
            _ => {}
        }
        if parts > MAX_PARTS {
            return Err(Malformed::JsonParts);
        }
    }
    Ok(serde_json::from_slice(body)?)
}

/// What follows a text whose first quote is behind.
fn after_text(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let step = if rest[at] == b'"' { 1 } else { 2 };
        rest = rest.get(at + step..).unwrap_or_default();
        if step == 1 {
            return rest;
        }
    }
    &[]
}

/// The body of a request whose parameters may travel elsewhere. One that is a payload of bytes becomes base64.
pub(super) fn body(
    shape: &'static Shape,
    body: &[u8],
    walk: &mut Walk,
) -> Result<Map<String, Value>, Malformed> {
    if let Some(payload) = shape.payload() {
        let mut input = Map::new();
        if body.is_empty() {
            return Ok(input);
        }
        let read = if matches!(payload.shape.kind, Kind::Blob) {
            Value::String(STANDARD.encode(body))
        } else {
            value(payload.shape, parse(body)?, walk)?
        };
        input.insert(payload.name.to_owned(), read);
        return Ok(input);
    }
    if !shape
        .members()
        .iter()
        .any(|member| member.place == Place::Body)
    {
        return Ok(Map::new());
    }
    object(shape, body, walk)
}

/// A body that is the input by itself. None at all is an empty one.
pub(super) fn object(
    shape: &'static Shape,
    body: &[u8],
    walk: &mut Walk,
) -> Result<Map<String, Value>, Malformed> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match value(shape, parse(body)?, walk)? {
        Value::Object(input) => Ok(input),
        Value::Null => Ok(Map::new()),
        _ => Err(walk.wrong("not an object")),
    }
}

/// A value of a shape; what is null is as if it were not there.
pub(super) fn value(
    shape: &'static Shape,
    given: Value,
    walk: &mut Walk,
) -> Result<Value, Malformed> {
    match (&shape.kind, given) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Structure { members, .. }, Value::Object(given)) => {
            let mut read = Map::new();
            for (name, inner) in given {
                if inner.is_null() {
                    continue;
                }
                let known = members
                    .iter()
                    .find(|member| member.wire == name && member.place == Place::Body);
                if let Some(member) = known {
                    walk.path.push(name);
                    let inner = value(member.shape, inner, walk)?;
                    walk.path.pop();
                    read.insert(member.name.to_owned(), inner);
                } else if shape.member(&name).is_none() {
                    walk.unknown(&name);
                    read.insert(name, inner);
                }
                // What is left travels elsewhere than in the body, and counts there alone.
            }
            Ok(Value::Object(read))
        }
        (Kind::List { item, .. }, Value::Array(given)) => {
            let mut read = Vec::with_capacity(given.len());
            for (index, inner) in given.into_iter().enumerate() {
                walk.path.push(index.to_string());
                if inner.is_null() {
                    return Err(walk.wrong("null in a list"));
                }
                read.push(value(item, inner, walk)?);
                walk.path.pop();
            }
            Ok(Value::Array(read))
        }
        (
            Kind::Map {
                value: inner_shape, ..
            },
            Value::Object(given),
        ) => {
            let mut read = Map::new();
            for (name, inner) in given {
                walk.path.push(name.clone());
                let inner = value(inner_shape, inner, walk)?;
                walk.path.pop();
                if !inner.is_null() {
                    read.insert(name, inner);
                }
            }
            Ok(Value::Object(read))
        }
        (Kind::Structure { .. } | Kind::Map { .. }, _) => Err(walk.wrong("not an object")),
        (Kind::List { .. }, _) => Err(walk.wrong("not a list")),
        (_, Value::Object(_) | Value::Array(_)) => Err(walk.wrong("not a single value")),
        (Kind::Text { .. }, Value::String(text)) => Ok(Value::String(text)),
        (Kind::Blob, Value::String(text)) => walk.blob(text),
        // Numbers and booleans that were written as texts, and the reverse, as AWS takes them.
        (_, Value::String(text)) => walk.scalar(shape, &text),
        (Kind::Text { .. }, plain) => Ok(Value::String(plain.to_string())),
        (Kind::Boolean, flag @ Value::Bool(_)) => Ok(flag),
        (Kind::Integer { .. }, Value::Number(number)) => match number.as_i64() {
            Some(number) => Ok(Value::from(number)),
            None => Err(walk.wrong("not a whole number")),
        },
        (Kind::Decimal | Kind::Timestamp, number @ Value::Number(_)) => Ok(number),
        _ => Err(walk.wrong("a value of another kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_many_parts_are_refused() {
        // CP-028, for JSON: what is in texts does not count.
        let list = |count: usize| format!("[{}1]", "1,".repeat(count - 2));
        assert!(parse(list(MAX_PARTS).as_bytes()).is_ok());
        let refused = parse(list(MAX_PARTS + 2).as_bytes());
        assert!(matches!(refused, Err(Malformed::JsonParts)));
        let text = format!(
            r#"{{"a": "{}\"{}\\"}}"#,
            "[,".repeat(20_000),
            "{,".repeat(20_000)
        );
        assert!(parse(text.as_bytes()).is_ok());
        assert!(parse(br#"{"a": "\"#).is_err());
    }
}
