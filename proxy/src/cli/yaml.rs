//! JSON documents as YAML, for `-o yaml` (CP-611).
//!
//! Block style, two spaces; text stands bare where every reader of YAML 1.1 and 1.2 takes it for text, and is quoted as in JSON,
//! which is YAML, where one could not. Writing it takes no library; reading it does.

use serde_json::Value;

/// The document, with a line feed at its end.
pub(super) fn to_yaml(document: &Value) -> String {
    let mut text = String::new();
    match document {
        Value::Object(members) if !members.is_empty() => block(document, 0, &mut text),
        Value::Array(items) if !items.is_empty() => block(document, 0, &mut text),
        scalar => text.push_str(&scalar_text(scalar)),
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Writes members or items, each on lines of its own. The first one stands where the text ends, so that an item of a list may
/// begin with it.
fn block(value: &Value, depth: usize, text: &mut String) {
    let mut is_first = true;
    let mut begin = |text: &mut String| {
        if !std::mem::take(&mut is_first) {
            text.extend(std::iter::repeat_n(' ', depth));
        }
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                begin(text);
                text.push_str(&string(name));
                text.push(':');
                match has_lines(value) {
                    true => {
                        text.push('\n');
                        text.extend(std::iter::repeat_n(' ', depth + 2));
                        block(value, depth + 2, text);
                    }
                    false => scalar_line(value, text),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                begin(text);
                text.push('-');
                match has_lines(item) {
                    true => {
                        text.push(' ');
                        block(item, depth + 2, text);
                    }
                    false => scalar_line(item, text),
                }
            }
        }
        scalar => scalar_line(scalar, text),
    }
}

fn has_lines(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar_line(value: &Value, text: &mut String) {
    text.push(' ');
    text.push_str(&scalar_text(value));
    text.push('\n');
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(value) => string(value),
        other => other.to_string(),
    }
}

/// Words that some reader takes for something else than text.
const WORDS: [&str; 11] = [
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf",
];

fn string(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./@+".contains(c);
    let begins = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    // Spaces are harmless between words.
    let words = value
        .split(' ')
        .all(|w| !w.is_empty() && w.chars().all(is_plain));
    let lower = value.to_ascii_lowercase();
    match begins && words && !WORDS.contains(&lower.as_str()) {
        true => value.to_owned(),
        // JSON leaves DEL and the like as they are, which YAML does not read.
        false => escaped(value),
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    for c in Value::from(value).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_written_in_blocks() {
        // CP-611
        let document = json!({
            "items": [
                { "id": "E1", "aliases": ["a.test", "*.b.test"], "share": 0.5, "none": null, "on": true },
                [["x"], []],
                7,
            ],
            "empty": {},
            "list": [],
        });
        // Without `preserve_order` members stand in the order of their names.
        let text = to_yaml(&document);
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 13, "{text}");
        for line in [
            "items:",
            "      - a.test",
            "      - \"*.b.test\"",
            "    share: 0.5",
            "  - - - x",
            "    - []",
            "  - 7",
            "empty: {}",
            "list: []",
        ] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        lines.retain(|line| line.contains("id:") || line.contains("\"on\":"));
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(to_yaml(&json!([])), "[]\n");
        assert_eq!(to_yaml(&json!("x")), "x\n");
        assert_eq!(to_yaml(&json!({ "a": [1] })), "a:\n  - 1\n");
    }

    #[test]
    fn text_that_could_be_something_else_is_quoted() {
        // CP-611
        for plain in [
            "a",
            "E1",
            "a b-c",
            "/x/y",
            "serverless.yml",
            "_x",
            "a@b.test",
        ] {
            assert_eq!(string(plain), plain);
        }
        for odd in [
            "",
            "yes",
            "No",
            "NULL",
            "1",
            "1.5",
            "-",
            "- a",
            "a: b",
            "a #b",
            " a",
            "a ",
            "a  b",
            "*",
            "&a",
            "!x",
            "%x",
            "{",
            "[",
            "~",
            "2026-01-01",
            "0x1f",
            "a\nb",
            "a:",
            "ü",
            ".inf",
            "=",
        ] {
            assert_eq!(string(odd), Value::from(odd).to_string(), "{odd}");
        }
        assert_eq!(string("a\u{85}\u{7f}"), "\"a\\u0085\\u007f\"");
    }
}
