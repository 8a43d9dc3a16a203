//! Filter patterns over plain text (CP-232): words and `"phrases"`, all of which a message contains; `-word` for what it
//! does not; `?word` for one of several.

use super::{ApiError, invalid};

/// A filter pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// It is of a kind that messages without structure have no use for: `{ $.a = 1 }`, `[a, b]` or `%regex%`.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(invalid(
                "Invalid filter pattern: this node matches words and \"phrases\", `-word` and `?word`.",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first.is_whitespace() {
                rest = rest.trim_start();
                continue;
            }
            let (terms, after) = match first {
                '-' => (&mut pattern.none, &rest[1..]),
                '?' => (&mut pattern.any, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => phrase(quoted)?,
                None => {
                    let end = after.find(char::is_whitespace).unwrap_or(after.len());
                    (after[..end].to_owned(), &after[end..])
                }
            };
            if !term.is_empty() {
                terms.push(term);
            }
            rest = after;
        }
        Ok(pattern)
    }

    /// Whether a message fits.
    pub(super) fn fits(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// What stands before the closing quote, and what follows it.
fn phrase(quoted: &str) -> Result<(String, &str), ApiError> {
    let mut phrase = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((phrase, &quoted[at + 1..])),
            '\\' => phrase.extend(chars.next().map(|(_, escaped)| escaped)),
            c => phrase.push(c),
        }
    }
    Err(invalid("Invalid filter pattern: a quote is not closed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_are_found_left_out_and_chosen_from() {
        // CP-232
        let fits = |pattern: &str, message: &str| Pattern::parse(pattern).unwrap().fits(message);
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("one two", "two, one", true),
            ("one two", "one", false),
            ("\"one two\"", "two one", false),
            ("\"one two\"", "one two", true),
            (r#""a \"b\"""#, r#"a "b" c"#, true),
            ("one -two", "one two", false),
            ("one -\"two three\"", "one two", true),
            ("?one ?two", "two", true),
            ("?one ?two", "three", false),
            ("\u{e9} -\u{fc}", "\u{e9}", true),
        ] {
            assert_eq!(fits(pattern, message), expected, "{pattern} in {message}");
        }
        for wrong in ["{ $.a = 1 }", "[a, b]", "%a.c%", "\"open"] {
            let refused = Pattern::parse(wrong).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterException", "{wrong}");
        }
    }
}
