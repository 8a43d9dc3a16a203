//! The names that `import { x }` may take from a CommonJS file (NC-53).
//!
//! Node looks at the text, not at what it does when run; so does this. What compilers and people
//! write is recognised: `exports.x =`, `module.exports = { x }`, `Object.defineProperty(exports, "x"`,
//! and whole modules handed on by `require`.

use std::collections::BTreeSet;

use crate::bundle::{
    Bundle,
    resolve::{self, From, Kind},
};

/// Files handed on by files handed on: deep enough for any compiler's output.
const MAX_DEPTH: usize = 16;

/// The visible names of the file at `path`.
pub(super) fn of(bundle: &Bundle, path: &str, text: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    collect(bundle, path, text, &mut names, &mut seen, 0);
    names.remove("default");
    names.into_iter().collect()
}

fn collect(
    bundle: &Bundle,
    path: &str,
    text: &str,
    names: &mut BTreeSet<String>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    if depth > MAX_DEPTH || !seen.insert(path.to_owned()) {
        return;
    }
    for (at, _) in text.match_indices("exports.") {
        let rest = &text[at + "exports.".len()..];
        let name = identifier(rest);
        let after = rest[name.len()..].trim_start();
        if !name.is_empty() && after.starts_with('=') && !after.starts_with("==") {
            names.insert(name.to_owned());
        }
    }
    for (at, mark) in text.match_indices("Object.defineProperty(exports,") {
        let rest = text[at + mark.len()..].trim_start();
        if let Some(name) = quoted(rest) {
            names.insert(name.to_owned());
        }
    }
    for (at, mark) in text.match_indices("module.exports") {
        let rest = text[at + mark.len()..].trim_start();
        let Some(rest) = rest.strip_prefix('=').map(str::trim_start) else {
            continue;
        };
        if let Some(body) = rest.strip_prefix('{') {
            literal_keys(body, names);
        } else {
            hand_on(bundle, path, rest, names, seen, depth);
        }
    }
    for (at, mark) in text.match_indices("__exportStar(") {
        hand_on(bundle, path, &text[at + mark.len()..], names, seen, depth);
    }
    for (at, mark) in text.match_indices("__export(") {
        hand_on(bundle, path, &text[at + mark.len()..], names, seen, depth);
    }
}

fn hand_on(
    bundle: &Bundle,
    path: &str,
    rest: &str,
    names: &mut BTreeSet<String>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    let Some(specifier) = rest.strip_prefix("require(").and_then(quoted) else {
        return;
    };
    let Ok(found) = resolve::resolve(bundle, specifier, path, From::Require) else {
        return;
    };
    if matches!(found.kind, Kind::CommonJs | Kind::Unclaimed)
        && let Some(bytes) = bundle.file(&found.path)
    {
        let text = super::source_text(&bytes);
        collect(bundle, &found.path, &text, names, seen, depth + 1);
    }
}

/// `{ a, b: 1, 'c': 2 }` up to the first thing that is not so plain.
fn literal_keys(mut body: &str, names: &mut BTreeSet<String>) {
    loop {
        body = body.trim_start();
        let (name, rest) = match quoted(body) {
            Some(name) => (name, &body[name.len() + 2..]),
            None => {
                let name = identifier(body);
                (name, &body[name.len()..])
            }
        };
        if name.is_empty() {
            return;
        }
        let rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix(',') {
            names.insert(name.to_owned());
            body = rest;
        } else if rest.starts_with('}') {
            names.insert(name.to_owned());
            return;
        } else if let Some(value) = rest.strip_prefix(':') {
            names.insert(name.to_owned());
            // Only plain values are stepped over.
            let value = value.trim_start();
            let plain = value
                .find(|c: char| !(c.is_alphanumeric() || "_$.'\"- ".contains(c)))
                .unwrap_or(value.len());
            match value[plain..].strip_prefix(',') {
                Some(rest) => body = rest,
                None => return,
            }
        } else {
            return;
        }
    }
}

fn identifier(text: &str) -> &str {
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_alphabetic() || matches!(c, '_' | '$') || (*i > 0 && c.is_numeric())))
        .map_or(text.len(), |(i, _)| i);
    &text[..end]
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let rest = &text[1..];
    Some(&rest[..rest.find(quote)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        of(&Bundle::default(), "/var/task/a.js", text)
    }

    #[test]
    fn what_people_and_compilers_write_is_seen() {
        // NC-53
        assert_eq!(
            names("exports.a = 1; module.exports.b=2; exports.c == 3"),
            ["a", "b"]
        );
        assert_eq!(
            names("Object.defineProperty(exports, \"__esModule\", {})"),
            ["__esModule"]
        );
        assert_eq!(
            names("module.exports = { a, 'b': x.y, c: function () {}, d }"),
            ["a", "b", "c"]
        );
        assert!(names("module.exports = class {}").is_empty());
    }

    #[test]
    fn names_of_modules_handed_on_are_seen_and_cycles_end() {
        // NC-53
        let b = Bundle::from_files([
            ("a.js", "module.exports = require('./b')"),
            (
                "b.js",
                "exports.x = 1; __exportStar(require('./a'), exports)",
            ),
        ]);
        assert_eq!(
            of(&b, "/var/task/a.js", "module.exports = require('./b')"),
            ["x"]
        );
    }
}
