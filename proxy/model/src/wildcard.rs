//! Names with wildcards, as legacy cache settings list cookies (CF-196).

use crate::path_pattern::glob_matches;

/// A name in which `*` is any run of characters and `?` is exactly one; case matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard(String);

impl Wildcard {
    /// Any text is one.
    pub const fn new(pattern: String) -> Self {
        Self(pattern)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name, as it was sent, fits.
    pub fn matches(&self, name: &[u8]) -> bool {
        glob_matches(self.0.as_bytes(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_characters() {
        // CF-196
        for (pattern, name, fits) in [
            ("session", "session", true),
            ("session", "Session", false),
            ("session", "session2", false),
            ("wp-*", "wp-settings-1", true),
            ("wp-*", "wp-", true),
            ("wp-*", "xwp-1", false),
            ("id?", "id7", true),
            ("id?", "id", false),
            ("*_sid", "a_b_sid", true),
            ("*", "", true),
        ] {
            let wildcard = Wildcard::new(pattern.to_owned());
            assert_eq!(wildcard.matches(name.as_bytes()), fits, "{pattern} {name}");
        }
    }
}
