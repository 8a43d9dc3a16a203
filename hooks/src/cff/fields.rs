//! `headers`, `cookies` and `querystring`: maps of `{value, multiValue}` (LE-404, LE-407, LE-418).

use std::collections::HashMap;

use super::tree::Node;
use crate::{
    event::json,
    validate::{Check, Violation},
};

/// One occurrence of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) value: String,
    /// The raw text after the first `;` of a response cookie (LE-409).
    pub(super) attributes: Option<String>,
}

impl Value {
    pub(super) fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            attributes: None,
        }
    }
}

/// A name with its occurrences in order; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
}

/// Names in the order of their first occurrence.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) list: Vec<Field>,
    /// For each occurrence the field it belongs to.
    pub(super) of: Vec<usize>,
    index: HashMap<String, usize>,
}

impl Fields {
    pub(super) fn push(&mut self, name: &str, value: Value) {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.index.insert(name.to_owned(), self.list.len());
                self.list.push(Field {
                    name: name.to_owned(),
                    values: Vec::new(),
                });
                self.list.len() - 1
            }
        };
        self.list[at].values.push(value);
        self.of.push(at);
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// The map a function sees: `multiValue` only where there are several (LE-407).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (n, field) in self.list.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            json::string(out, &field.name);
            out.push(b':');
            let Some(first) = field.values.first() else {
                continue;
            };
            out.push(b'{');
            write_value(out, first);
            if field.values.len() > 1 {
                out.extend_from_slice(b",\"multiValue\":[");
                for (n, value) in field.values.iter().enumerate() {
                    out.extend_from_slice(if n > 0 { b",{" } else { b"{" });
                    write_value(out, value);
                    out.push(b'}');
                }
                out.push(b']');
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(b"\"value\":");
    json::string(out, &value.value);
    if let Some(attributes) = &value.attributes {
        out.extend_from_slice(b",\"attributes\":");
        json::string(out, attributes);
    }
}

/// What becomes of a field that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Remove,
    Replace(Vec<Value>),
}

/// A result's map, held against what was shown.
#[derive(Debug)]
pub(super) struct Change {
    /// For each field shown.
    pub(super) fates: Vec<Fate>,
    /// Names that were not shown.
    pub(super) added: Vec<Field>,
}

impl Change {
    /// Nothing was changed: also what an absent map means.
    pub(super) fn none(shown: &Fields) -> Self {
        Self {
            fates: vec![Fate::Keep; shown.list.len()],
            added: Vec::new(),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.added.is_empty() && self.fates.iter().all(|f| *f == Fate::Keep)
    }

    /// Reads a map.
    ///
    /// # Errors
    /// An entry that is not `{value}` or `{multiValue}` of texts.
    pub(super) fn read(
        node: Option<&Node>,
        shown: &Fields,
        field: &str,
    ) -> Result<Self, Violation> {
        let entries = match node {
            None => return Ok(Self::none(shown)),
            Some(Node::Map(entries)) => entries,
            Some(other) => {
                return Err(shape(field, "must be an object of `{value}` entries")
                    .with_value(other.shown()));
            }
        };
        let mut change = Self {
            fates: vec![Fate::Remove; shown.list.len()],
            added: Vec::new(),
        };
        for (name, entry) in entries {
            let at = shown.find(name);
            let before = at.map(|at| &shown.list[at]);
            let values = occurrences(entry, before, &format!("{field}.{name}"))?;
            match (at, before) {
                (Some(at), Some(before)) => {
                    change.fates[at] = if before.values == values {
                        Fate::Keep
                    } else if values.is_empty() {
                        Fate::Remove
                    } else {
                        Fate::Replace(values)
                    };
                }
                _ if values.is_empty() => {}
                _ => change.added.push(Field {
                    name: name.clone(),
                    values,
                }),
            }
        }
        Ok(change)
    }
}

/// LE-418: a `multiValue` that was changed wins, else a changed `value` takes the place of the first occurrence.
fn occurrences(entry: &Node, shown: Option<&Field>, field: &str) -> Result<Vec<Value>, Violation> {
    let first = match entry.get("value") {
        Some(_) => Some(one(entry, field)?),
        None => None,
    };
    let Some(multi) = entry.get("multiValue") else {
        return match first {
            Some(first) => Ok(vec![first]),
            None => Err(shape(field, "needs a `value`").with_value(entry.shown())),
        };
    };
    let Node::List(list) = multi else {
        return Err(
            shape(field, "`multiValue` must be an array of `{value}`").with_value(multi.shown())
        );
    };
    let multi = list
        .iter()
        .map(|value| one(value, field))
        .collect::<Result<Vec<_>, _>>()?;
    let unchanged = shown.is_some_and(|s| s.values.len() > 1 && s.values == multi);
    match first {
        Some(first) if unchanged && multi.first() != Some(&first) => {
            Ok([vec![first], multi[1..].to_vec()].concat())
        }
        _ => Ok(multi),
    }
}

fn one(entry: &Node, field: &str) -> Result<Value, Violation> {
    let text = |name: &str| match entry.get(name) {
        Some(Node::Text(text)) => Ok(Some(text.clone())),
        None => Ok(None),
        Some(other) => {
            let field = format!("{field}.{name}");
            Err(
                Violation::new(Check::HeaderValue, "LE-404", field, "must be a string")
                    .with_value(other.shown()),
            )
        }
    };
    match text("value")? {
        Some(value) => Ok(Value {
            value,
            attributes: text("attributes")?,
        }),
        None => Err(shape(field, "needs a `value`").with_value(entry.shown())),
    }
}

fn shape(field: &str, message: &str) -> Violation {
    Violation::new(Check::HeaderShape, "LE-404", field, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Fields {
        let mut fields = Fields::default();
        for (name, value) in [("a", "1"), ("b", "x"), ("a", "2")] {
            fields.push(name, Value::new(value));
        }
        fields
    }

    fn fate(entry: &str) -> Fate {
        let node =
            serde_json::from_str(&format!(r#"{{"a":{entry},"b":{{"value":"x"}}}}"#)).unwrap();
        let change = Change::read(Some(&node), &shown(), "querystring").unwrap();
        assert_eq!(change.fates[1], Fate::Keep);
        change.fates[0].clone()
    }

    fn replaced(values: &[&str]) -> Fate {
        Fate::Replace(values.iter().map(|v| Value::new(*v)).collect())
    }

    #[test]
    fn several_occurrences_are_one_entry() {
        // LE-404, LE-407
        let mut out = Vec::new();
        shown().write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"a":{"value":"1","multiValue":[{"value":"1"},{"value":"2"}]},"b":{"value":"x"}}"#
        );
    }

    #[test]
    fn a_changed_multi_value_wins_over_the_value() {
        // LE-418
        let same = r#"[{"value":"1"},{"value":"2"}]"#;
        assert_eq!(
            fate(&format!(r#"{{"value":"1","multiValue":{same}}}"#)),
            Fate::Keep
        );
        assert_eq!(
            fate(&format!(r#"{{"value":"9","multiValue":{same}}}"#)),
            replaced(&["9", "2"])
        );
        assert_eq!(
            fate(r#"{"value":"9","multiValue":[{"value":"7"},{"value":"8"}]}"#),
            replaced(&["7", "8"])
        );
        assert_eq!(fate(r#"{"value":"9"}"#), replaced(&["9"]));
        assert_eq!(fate(r#"{"multiValue":[{"value":"7"}]}"#), replaced(&["7"]));
        assert_eq!(fate(r#"{"multiValue":[]}"#), Fate::Remove);
    }

    #[test]
    fn entries_of_other_shapes_are_refused_by_name() {
        // LE-404
        for (entry, text) in [
            (r#""x""#, "`headers.a`: needs a `value`"),
            ("{}", "`headers.a`: needs a `value`"),
            (r#"{"value":1}"#, "`headers.a.value`: must be a string"),
            (r#"{"multiValue":"x"}"#, "`multiValue` must be an array"),
            (
                r#"[{"key":"A","value":"1"}]"#,
                "`headers.a`: needs a `value`",
            ),
        ] {
            let node = serde_json::from_str(&format!(r#"{{"a":{entry}}}"#)).unwrap();
            let refused = Change::read(Some(&node), &shown(), "headers").unwrap_err();
            assert!(refused.to_string().contains(text), "{refused}");
        }
    }
}
