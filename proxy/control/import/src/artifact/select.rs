//! Which files of a directory are packed (CP-341).

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

/// A pattern nobody understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}`: {message}")]
pub struct PatternError {
    /// As it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
}

/// Patterns in order; later ones win, and a file that none matches is in.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    rules: Vec<Rule>,
    /// Directories without their slash, left out whatever the patterns say.
    pruned: BTreeSet<String>,
}

#[derive(Debug)]
struct Rule {
    exclude: bool,
    /// `dir` of a plain `dir/**`.
    directory: Option<String>,
    glob: GlobMatcher,
}

impl Selection {
    /// Compiles patterns; `!` at the beginning excludes.
    pub(crate) fn new(patterns: &[String], pruned: BTreeSet<String>) -> Result<Self, PatternError> {
        let rules = patterns
            .iter()
            .map(|written| {
                let fault = |message: &str| PatternError {
                    pattern: written.clone(),
                    message: message.to_owned(),
                };
                let (exclude, pattern) = match written.strip_prefix('!') {
                    // Two negations are none.
                    Some(rest) => match rest.strip_prefix('!') {
                        Some(rest) => (false, rest),
                        None => (true, rest),
                    },
                    None => (false, written.as_str()),
                };
                let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
                if pattern == ".." || pattern.starts_with("../") || pattern.starts_with('/') {
                    return Err(fault("leads out of the project"));
                }
                // `@(a|b)` and its like would be taken for plain text, and silently match nothing.
                let bytes = pattern.as_bytes();
                let extended = bytes
                    .windows(2)
                    .any(|w| matches!(w, [b'@' | b'+' | b'?' | b'*' | b'!', b'(']));
                if extended {
                    return Err(fault("extended patterns are not understood, use `{a,b}`"));
                }
                let glob = GlobBuilder::new(pattern)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .empty_alternates(true)
                    .build()
                    .map_err(|e| fault(&e.kind().to_string()))?;
                let directory = pattern
                    .strip_suffix("/**")
                    .filter(|d| !d.contains(['*', '?', '[', '{', '\\']))
                    .map(str::to_owned);
                Ok(Rule {
                    exclude,
                    directory,
                    glob: glob.compile_matcher(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rules, pruned })
    }

    /// Whether a file is packed. `path` is relative, with slashes.
    pub(crate) fn takes(&self, path: &str) -> bool {
        if self.is_pruned(path) {
            return false;
        }
        self.rules
            .iter()
            .rev()
            .find(|r| r.glob.is_match(path))
            .is_none_or(|r| !r.exclude)
    }

    /// Whether nothing below a directory can be packed, so that nobody needs to look.
    pub(crate) fn skips(&self, directory: &str) -> bool {
        if self.is_pruned(directory) {
            return true;
        }
        let excluded = self
            .rules
            .iter()
            .rposition(|r| r.exclude && r.directory.as_deref() == Some(directory));
        // An inclusion after it may bring files back.
        excluded.is_some_and(|i| self.rules[i..].iter().all(|r| r.exclude))
    }

    pub(crate) fn is_pruned(&self, path: &str) -> bool {
        if self.pruned.is_empty() {
            return false;
        }
        path.match_indices('/')
            .map(|(i, _)| &path[..i])
            .chain([path])
            .any(|prefix| self.pruned.contains(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Selection {
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Selection::new(&patterns, BTreeSet::new()).unwrap()
    }

    #[test]
    fn later_patterns_win() {
        // CP-341
        let s = selection(&["!node_modules/**", "node_modules/kept/**", "!**/*.map"]);
        assert!(s.takes("index.js"));
        assert!(s.takes(".env"));
        assert!(!s.takes("node_modules/a/index.js"));
        assert!(s.takes("node_modules/kept/index.js"));
        assert!(!s.takes("node_modules/kept/index.js.map"));
        assert!(!s.takes("app.map"));
    }

    #[test]
    fn a_star_stays_in_its_directory() {
        // CP-341
        let s = selection(&["!**", "*.js", "lib/{a,b}.js", "./c.mjs"]);
        assert!(s.takes("a.js"));
        assert!(!s.takes("dir/a.js"));
        assert!(s.takes("lib/b.js"));
        assert!(!s.takes("lib/c.js"));
        assert!(s.takes("c.mjs"));
    }

    #[test]
    fn a_directory_is_skipped_only_if_nothing_brings_it_back() {
        // CP-341
        assert!(selection(&["!.git/**"]).skips(".git"));
        assert!(!selection(&["!.git/**", ".git/HEAD"]).skips(".git"));
        assert!(!selection(&["!.git/*"]).skips(".git"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        // CP-341
        let fault = |p: &str| {
            Selection::new(&[p.to_owned()], BTreeSet::new())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(fault("!../x/**"), "`!../x/**`: leads out of the project");
        assert_eq!(
            fault("@(a|b)"),
            "`@(a|b)`: extended patterns are not understood, use `{a,b}`"
        );
        assert!(fault("a[").starts_with("`a[`: "));
    }
}
