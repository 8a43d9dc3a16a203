//! Bodies in XML (CP-020..024, CP-028).

use serde_json::{Map, Value};

use super::{Malformed, Walk};
use crate::{
    model::{Kind, Operation, Place, Shape},
    route::is_date,
    xml::{self, Element},
};

/// The body of a request, and the namespace it declares where that is one of CloudFront's and not today's.
pub(super) fn body(
    operation: &'static Operation,
    shape: &'static Shape,
    body: &[u8],
    walk: &mut Walk,
) -> Result<(Map<String, Value>, Option<String>), Malformed> {
    let mut input = Map::new();
    let payload = shape.payload();
    let in_body = |shape: &'static Shape| {
        let mut members = shape.members().iter();
        members.any(|member| member.place == Place::Body)
    };
    if body.is_empty() || (payload.is_none() && !in_body(shape)) {
        return Ok((input, None));
    }
    let document = xml::parse(body)?;
    if document.root.name != operation.root {
        return Err(Malformed::Root {
            expected: operation.root,
            found: document.root.name,
        });
    }
    let namespace = document.namespace.filter(|uri| is_namespace(uri));
    if let Some(payload) = payload {
        walk.path.push(payload.name.to_owned());
        let read = value(payload.shape, document.root, walk)?;
        walk.path.pop();
        input.insert(payload.name.to_owned(), read);
    } else if let Value::Object(read) = value(shape, document.root, walk)? {
        input = read;
    }
    Ok((input, namespace))
}

/// Whether a namespace is one of CloudFront's; none else is echoed.
fn is_namespace(uri: &str) -> bool {
    uri.strip_prefix("http://cloudfront.amazonaws.com/doc/")
        .and_then(|rest| rest.strip_suffix('/'))
        .is_some_and(is_date)
}

/// A value of a shape from an element.
pub(super) fn value(
    shape: &'static Shape,
    element: Element,
    walk: &mut Walk,
) -> Result<Value, Malformed> {
    match &shape.kind {
        Kind::Structure { .. } => structure(shape, element, walk).map(Value::Object),
        Kind::List {
            item,
            element: name,
            ..
        } => {
            if !xml::is_blank(&element.text) {
                return Err(walk.wrong("text where there should be elements"));
            }
            let mut items = Vec::with_capacity(element.children.len());
            for (index, child) in element.children.into_iter().enumerate() {
                walk.path.push(index.to_string());
                if child.name != *name {
                    return Err(walk.wrong("an element that does not belong in this list"));
                }
                items.push(value(item, child, walk)?);
                walk.path.pop();
            }
            Ok(Value::Array(items))
        }
        Kind::Map { value: inner, .. } => {
            let mut found = Map::new();
            for mut entry in element.children {
                let mut part = |name: &str| {
                    let index = entry.children.iter().position(|child| child.name == name);
                    index.map(|index| entry.children.swap_remove(index))
                };
                let (Some(key), Some(of_key)) = (part("key"), part("value")) else {
                    return Err(walk.wrong("an entry without key or value"));
                };
                found.insert(key.text, value(inner, of_key, walk)?);
            }
            Ok(Value::Object(found))
        }
        _ if !element.children.is_empty() => Err(walk.wrong("elements where there should be text")),
        _ => walk.scalar(shape, &element.text),
    }
}

fn structure(
    shape: &'static Shape,
    element: Element,
    walk: &mut Walk,
) -> Result<Map<String, Value>, Malformed> {
    if !xml::is_blank(&element.text) {
        return Err(walk.wrong("text where there should be elements"));
    }
    let mut found = Map::new();
    let mut unknown: Vec<Element> = Vec::new();
    for child in element.children {
        let known = shape
            .members()
            .iter()
            .find(|member| member.wire == child.name && member.place == Place::Body);
        let Some(member) = known else {
            unknown.push(child);
            continue;
        };
        walk.path.push(child.name.clone());
        if let Kind::List {
            item,
            flattened: true,
            ..
        } = &member.shape.kind
        {
            let read = value(item, child, walk)?;
            let items = found
                .entry(member.name)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = items {
                items.push(read);
            }
        } else {
            let read = value(member.shape, child, walk)?;
            if found.insert(member.name.to_owned(), read).is_some() {
                return Err(walk.wrong("the element stands twice"));
            }
        }
        walk.path.pop();
    }
    for element in &unknown {
        walk.unknown(&element.name);
    }
    for (name, kept) in gather(unknown) {
        // A name that travels elsewhere than in the body, or that the model writes otherwise, is not to be overwritten.
        if shape.member(&name).is_none() {
            found.insert(name, kept);
        }
    }
    Ok(found)
}

/// Elements that nobody knows, as JSON: text, or an object of what stands in them; what stands there more than once is a
/// list (CP-023).
fn gather(elements: Vec<Element>) -> Map<String, Value> {
    let mut found = Map::new();
    for element in elements {
        let value = if element.children.is_empty() {
            Value::String(element.text)
        } else {
            Value::Object(gather(element.children))
        };
        match found.get_mut(&element.name) {
            None => {
                found.insert(element.name, value);
            }
            Some(Value::Array(items)) => items.push(value),
            Some(first) => {
                let items = vec![first.take(), value];
                *first = Value::Array(items);
            }
        }
    }
    found
}
