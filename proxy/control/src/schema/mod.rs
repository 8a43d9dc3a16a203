//! The JSON Schema of site files (CP-643), for editors and for who checks a file without a node.
//!
//! Keys come from the tables that the reader goes by (`keys`), and what each key takes stands in `types`. A test changes every
//! value of the reference file in every way and holds the schema's verdict against the reader's, so neither forgets the other.
//!
//! Values may be `${VAR}` wherever a scalar is taken, and may be left empty, as the reader lets them. What takes more than one
//! place of the file to tell (names that have to exist, settings that exclude each other) is the reader's alone.

#[cfg(test)]
pub(crate) mod tests;
mod types;

use serde_json::{Map, Value, json};

use crate::keys::{self, Key, KeyKind, Table, fold};
use types::Type;

/// The schema as text.
#[must_use]
pub fn text() -> String {
    let document = crate::api::openapi::sorted(&document());
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema.
#[must_use]
pub fn document() -> Value {
    let mut definitions = Map::new();
    for table in keys::ALL {
        definitions.insert(name(table), block(table));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fourfront.yaml",
        "description": "Node settings and sites of a Fourfront node.",
        "$ref": reference(&keys::SITE),
        "$defs": definitions,
    })
}

/// `a-cache-policy`, `node.admin`.
fn name(table: &Table) -> String {
    let what = table.what.replace('`', "");
    let words: Vec<_> = what
        .split(' ')
        .filter(|word| !matches!(*word, "a" | "an" | "the"))
        .collect();
    words.join("-")
}

fn reference(table: &Table) -> String {
    format!("#/$defs/{}", name(table))
}

/// A mapping with the keys of a table.
fn block(table: &'static Table) -> Value {
    let mut properties = Map::new();
    let mut spelled = Map::new();
    for key in table.keys() {
        let schema = setting(table, key);
        if types::is_spelled(table) {
            let at = format!("#/$defs/{}/properties/{}", name(table), key.name);
            spelled.insert(as_the_api_spells(key.name), json!({ "$ref": at }));
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let mut block = json!({
        "type": ["object", "null"],
        "description": table.what,
        "properties": properties,
        "additionalProperties": false,
    });
    if !spelled.is_empty() {
        block["patternProperties"] = Value::Object(spelled);
    }
    block
}

/// What a key takes.
fn setting(table: &Table, key: &Key) -> Value {
    match key.kind {
        KeyKind::Read => match types::of(table, key.name) {
            Some(of) => of.schema(),
            // A test sees to it that there is none.
            None => json!(true),
        },
        KeyKind::Ignored => {
            let mut schema = Type::Text.schema();
            schema["description"] = json!("Kept by CloudFront alone; without effect.");
            schema
        }
        KeyKind::Warned { reason, .. } => {
            json!({ "description": format!("`{}` is {reason}.", key.name) })
        }
        KeyKind::Refused { reason, off } => {
            let mut words = vec![
                json!(null),
                json!(""),
                json!(false),
                json!("false"),
                json!("none"),
            ];
            words.extend(["False", "FALSE"].map(|word| json!(word)));
            words.extend(off.map(|word| json!(word)));
            json!({
                "description": format!("`{}` is {reason}. It may be switched off.", key.name),
                "deprecated": true,
                "anyOf": [
                    { "enum": words },
                    { "type": ["array", "object"] },
                    types::variable(),
                ],
            })
        }
    }
}

/// A pattern for a key in CloudFront's own spelling, in which only letters count: `HTTPPort` and `HttpPort` (CF-020).
fn as_the_api_spells(key: &str) -> String {
    let mut pattern = "^".to_owned();
    for (at, letter) in fold(key).chars().enumerate() {
        match (letter.is_ascii_lowercase(), at) {
            (true, 0) => pattern.push(letter.to_ascii_uppercase()),
            (true, _) => {
                pattern.push('[');
                pattern.push(letter.to_ascii_uppercase());
                pattern.push(letter);
                pattern.push(']');
            }
            (false, _) => pattern.push(letter),
        }
    }
    pattern.push('$');
    pattern
}
