//! Bodies that are forms: the query protocol, whose names are paths (CP-230, CP-231).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Malformed, Walk};
use crate::model::{Kind, Shape};

/// Names of a form that are no members.
const AROUND: [&str; 2] = ["Action", "Version"];

/// The input, from names like `Tags.member.1.Key`.
pub(super) fn input(
    shape: &'static Shape,
    pairs: &[(String, String)],
    walk: &mut Walk,
) -> Result<Map<String, Value>, Malformed> {
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, text) in pairs {
        // Of names that come twice the first counts; signatures in a query are not the operation's business.
        if !AROUND.contains(&name.as_str()) && !name.starts_with("X-Amz-") {
            fields.entry(name).or_insert(text);
        }
    }
    for name in fields.keys() {
        let first = name.split('.').next().unwrap_or_default();
        if !shape.members().iter().any(|member| member.wire == first) {
            walk.unknown(name);
        }
    }
    match read(shape, "", &fields, walk)? {
        Some(Value::Object(input)) => Ok(input),
        _ => Ok(Map::new()),
    }
}

fn read(
    shape: &'static Shape,
    name: &str,
    fields: &BTreeMap<&str, &str>,
    walk: &mut Walk,
) -> Result<Option<Value>, Malformed> {
    if !name.is_empty() && !present(name, fields) {
        return Ok(None);
    }
    match &shape.kind {
        Kind::Structure { members, .. } => {
            let mut found = Map::new();
            for member in *members {
                walk.path.push(member.name.to_owned());
                if let Some(value) = read(member.shape, &below(name, member.wire), fields, walk)? {
                    found.insert(member.name.to_owned(), value);
                }
                walk.path.pop();
            }
            Ok(Some(Value::Object(found)))
        }
        Kind::List {
            item,
            element,
            flattened,
            ..
        } => {
            let mut found = Vec::new();
            let prefix = if *flattened {
                name.to_owned()
            } else {
                below(name, element)
            };
            for index in 1.. {
                let Some(value) = read(item, &below(&prefix, &index.to_string()), fields, walk)?
                else {
                    break;
                };
                found.push(value);
            }
            Ok(Some(Value::Array(found)))
        }
        Kind::Map { value, .. } => {
            let mut found = Map::new();
            for index in 1.. {
                let entry = below(name, &format!("entry.{index}"));
                let Some(key) = fields.get(below(&entry, "key").as_str()) else {
                    break;
                };
                if let Some(value) = read(value, &below(&entry, "value"), fields, walk)? {
                    found.insert((*key).to_owned(), value);
                }
            }
            Ok(Some(Value::Object(found)))
        }
        _ => match fields.get(name) {
            Some(text) => walk.scalar(shape, text).map(Some),
            None => Ok(None),
        },
    }
}

fn below(name: &str, part: &str) -> String {
    if name.is_empty() {
        part.to_owned()
    } else {
        format!("{name}.{part}")
    }
}

/// Whether a form has the name, or one below it.
fn present(name: &str, fields: &BTreeMap<&str, &str>) -> bool {
    if fields.contains_key(name) {
        return true;
    }
    let below = format!("{name}.");
    fields
        .range(below.as_str()..)
        .next()
        .is_some_and(|(found, _)| found.starts_with(&below))
}
