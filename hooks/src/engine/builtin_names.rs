//! Which built-ins there are, for `import` (NC-1, NC-2, NC-3, LE-356, LE-357, LE-358). `require` has its own list in
//! `js/builtins.js`; a test keeps the two together.

use std::{collections::BTreeMap, sync::LazyLock};

/// Each built-in with the names that its ES module exports besides `default`: the enumerable ones of what `require`
/// gives. They must be known before the built-in is loaded.
static NAMES: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("builtin_names.txt").lines();
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect()
});

/// Those that are there under `node:` alone.
const SCHEME_ONLY: &[&str] = &["sqlite", "test", "test/reporters"];

/// What is no part of Node and there all the same, with a default export alone (NC-70).
pub(super) const PROVIDED: &str = "sharp";

/// Those of which the engine's own code must not find the version of the `deno_*` crates: they are written here. Some
/// refuse when they are used (LE-359, NC-94, NC-97).
const WRITTEN_HERE: &[&str] = &[
    "child_process",
    "cluster",
    "console",
    "dgram",
    "fs",
    "fs/promises",
    "http2",
    "inspector",
    "inspector/promises",
    "module",
    "os",
    "repl",
    "sqlite",
    "test",
    "test/reporters",
    "trace_events",
    "tty",
    "wasi",
    "worker_threads",
];

/// The bare name of the built-in that a specifier names: with `node:`, or without where that is enough.
pub(super) fn bare(specifier: &str) -> Option<&str> {
    let name = match specifier.strip_prefix("node:") {
        Some(name) => name,
        None if SCHEME_ONLY.contains(&specifier) => return None,
        None => specifier,
    };
    NAMES.contains_key(name).then_some(name)
}

/// Whether a module of the `deno_*` crates is replaced by one written here.
pub(super) fn replaced(specifier: &str) -> bool {
    specifier
        .strip_prefix("node:")
        .is_some_and(|name| WRITTEN_HERE.contains(&name))
}

/// The names a built-in exports.
pub(super) fn names_of(name: &str) -> &'static [&'static str] {
    NAMES.get(name).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_their_scheme_and_most_without() {
        // NC-1
        assert_eq!(bare("fs/promises"), Some("fs/promises"));
        assert_eq!(bare("node:fs"), Some("fs"));
        assert_eq!(bare("node:test"), Some("test"));
        assert_eq!(bare("test"), None);
        assert_eq!(bare("node:nothing"), None);
        assert!(WRITTEN_HERE.iter().all(|n| NAMES.contains_key(n)));
    }
}
