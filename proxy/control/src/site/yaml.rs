//! Just enough YAML to write a site file with: blocks, lists, and scalars that are quoted wherever they could be read as
//! something else. Order is kept, which JSON's maps do not promise.

use std::fmt::Write as _;

use serde_json::Value;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
    /// A text, a number, `true` or `false`.
    Scalar(Value),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Yaml {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Scalar(Value::String(text.into()))
    }

    /// The whole document.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Map(entries) if !entries.is_empty() => write_entries(entries, 0, &mut out),
            other => {
                other.write_inline(&mut out);
                out.push('\n');
            }
        }
        out
    }

    /// On one line, which is how empty collections and scalars stand.
    fn write_inline(&self, out: &mut String) {
        match self {
            Self::Scalar(value) => out.push_str(&scalar(value)),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    item.write_inline(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { " " });
                    let _ = write!(out, "{}: ", quoted_key(key));
                    value.write_inline(out);
                }
                out.push_str(if entries.is_empty() { "}" } else { " }" });
            }
        }
    }

    /// Whether it stands on the line of its key: scalars, and lists of them.
    fn is_flat(&self) -> bool {
        match self {
            Self::Scalar(_) => true,
            Self::List(items) => items.iter().all(|i| matches!(i, Self::Scalar(_))),
            Self::Map(entries) => entries.is_empty(),
        }
    }
}

fn write_entries(entries: &[(String, Yaml)], depth: usize, out: &mut String) {
    for (key, value) in entries {
        let _ = write!(out, "{:width$}{}:", "", quoted_key(key), width = depth * 2);
        write_after(value, depth + 1, out);
    }
}

/// What follows a key.
fn write_after(value: &Yaml, depth: usize, out: &mut String) {
    match value {
        flat if flat.is_flat() => {
            out.push(' ');
            flat.write_inline(out);
            out.push('\n');
        }
        Yaml::Map(entries) => {
            out.push('\n');
            write_entries(entries, depth, out);
        }
        Yaml::List(items) => {
            out.push('\n');
            for item in items {
                let mut inner = String::new();
                match item {
                    Yaml::Map(entries) if !entries.is_empty() => {
                        write_entries(entries, depth + 1, &mut inner);
                        // The dash stands where the first key's indentation ends.
                        let _ = write!(out, "{:width$}- ", "", width = depth * 2);
                        out.push_str(inner.get((depth + 1) * 2..).unwrap_or_default());
                    }
                    other => {
                        other.write_inline(&mut inner);
                        let _ = writeln!(out, "{:width$}- {inner}", "", width = depth * 2);
                    }
                }
            }
        }
        Yaml::Scalar(_) => {}
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => {
            // `${` is a variable unless it says that it is none (CP-643).
            let text = text.replace("${", "$${");
            match is_plain(&text) {
                true => text,
                false => quoted(&text),
            }
        }
        other => other.to_string(),
    }
}

fn quoted_key(key: &str) -> String {
    match is_plain(key) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

/// Whether a text is the same unquoted, wherever it stands and whoever reads it.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = |c: char| c.is_ascii_alphabetic() || c == '/' || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || "-_./*+=@".contains(c);
    text.starts_with(first)
        && text.chars().all(rest)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A JSON string is a double-quoted scalar; what YAML does not let stand in a stream is escaped besides.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let printable = matches!(c, ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let breaks = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
        if printable && !breaks {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        report::{FileId, Report},
        tree::{self, Node, NodeKind},
    };

    fn read(text: &str) -> Yaml {
        fn value(node: &Node) -> Yaml {
            match &node.kind {
                NodeKind::Scalar(text) => Yaml::text(text.clone()),
                NodeKind::Sequence(items) => Yaml::List(items.iter().map(value).collect()),
                NodeKind::Mapping(entries) => {
                    let entries = entries.iter().map(|e| (e.key.clone(), value(&e.value)));
                    Yaml::Map(entries.collect())
                }
                NodeKind::Null | NodeKind::Faulty => panic!("nothing at line {}", node.line),
            }
        }
        let report = Report::new(Path::new("x.yaml"));
        let from = tree::Text {
            text,
            file: FileId::SITE,
            env: Some(&|_| None),
        };
        let tree = tree::read(from, &report);
        assert!(report.is_clean(), "{:?}\n{text}", report.into_errors());
        value(&tree.unwrap())
    }

    fn values() -> impl Strategy<Value = Yaml> {
        let leaf = any::<String>().prop_map(Yaml::text);
        let inner = leaf.prop_recursive(4, 40, 5, |inner| {
            // Nothing stands for a `$` in a key (CP-643).
            let key = "[a-z_]{1,6}|[^\\x00-\\x1f$]{1,5}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Yaml::List),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|m| Yaml::Map(m.into_iter().filter(|(k, _)| k != "<<").collect())),
            ]
        });
        prop::collection::vec(("[a-z]{1,8}", inner), 1..4).prop_map(|entries| {
            let numbered = entries.into_iter().enumerate();
            Yaml::Map(numbered.map(|(i, (k, v))| (format!("{k}{i}"), v)).collect())
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in values()) {
            // CP-351, CP-643
            let text = value.document();
            prop_assert_eq!(read(&text), value, "{}", text);
        }
    }

    #[test]
    fn people_can_read_it() {
        // CP-351
        let value = Yaml::Map(vec![
            (
                "a".to_owned(),
                Yaml::List(vec![Yaml::text("x"), Yaml::text("1")]),
            ),
            (
                "b".to_owned(),
                Yaml::List(vec![Yaml::Map(vec![
                    ("path".to_owned(), Yaml::text("/x/*")),
                    (
                        "on".to_owned(),
                        Yaml::Map(vec![("k".to_owned(), Yaml::Scalar(true.into()))]),
                    ),
                ])]),
            ),
        ]);
        assert_eq!(
            value.document(),
            "a: [x, \"1\"]\nb:\n  - path: /x/*\n    \"on\":\n      k: true\n"
        );
    }
}
