//! Tokens of JavaScript, as far as it takes to tell words of the language from words in texts, comments and patterns.

/// A token: a word, a text, a pattern or one character of punctuation (`?.` counts as one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) struct Scanner<'c> {
    code: &'c [u8],
    at: usize,
    tokens: Vec<Token>,
    /// For each `{` that is open whether a template goes on after its `}`.
    braces: Vec<bool>,
}

impl<'c> Scanner<'c> {
    /// All tokens. What is no JavaScript gives tokens too: V8 has the last word.
    pub(super) fn all(code: &'c str) -> Vec<Token> {
        let mut scanner = Self {
            code: code.as_bytes(),
            at: 0,
            tokens: Vec::new(),
            braces: Vec::new(),
        };
        while let Some(byte) = scanner.peek(0) {
            scanner.step(byte);
        }
        scanner.tokens
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.code.get(self.at + ahead).copied()
    }

    fn step(&mut self, byte: u8) {
        let start = self.at;
        match (byte, self.peek(1)) {
            (b'/', Some(b'/')) => {
                self.skip_until(|s| s.peek(0) == Some(b'\n'));
                return;
            }
            (b'/', Some(b'*')) => {
                self.at += 2;
                self.skip_until(|s| s.peek(0) == Some(b'*') && s.peek(1) == Some(b'/'));
                self.at += 2;
                return;
            }
            (b'"' | b'\'', _) => self.text(byte),
            (b'`', _) => {
                self.at += 1;
                self.template();
            }
            (b'{', _) => {
                self.braces.push(false);
                self.at += 1;
            }
            (b'}', _) => {
                self.at += 1;
                if self.braces.pop() == Some(true) {
                    self.template();
                }
            }
            (b'/', _) if self.begins_a_pattern() => self.pattern(),
            (b'?', Some(b'.')) => self.at += 2,
            _ if is_word(byte) => {
                self.skip_until(|s| !s.peek(0).is_some_and(is_word));
            }
            _ => {
                self.at += 1;
                if byte.is_ascii_whitespace() {
                    return;
                }
            }
        }
        self.at = self.at.min(self.code.len());
        let end = self.at;
        self.tokens.push(Token { start, end });
    }

    fn skip_until(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.code.len() && !end(self) {
            self.at += 1;
        }
    }

    /// A text in quotes; it ends with its line at the latest.
    fn text(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'\n' => return,
                byte if byte == quote => return,
                _ => {}
            }
        }
    }

    /// The rest of a template, up to its end or to the code in it.
    fn template(&mut self) {
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match (byte, self.peek(0)) {
                (b'\\', _) => self.at += 1,
                (b'`', _) => return,
                (b'$', Some(b'{')) => {
                    self.at += 1;
                    self.braces.push(true);
                    return;
                }
                _ => {}
            }
        }
    }

    /// Whether a slash here begins a pattern rather than dividing: it does where no value has just ended.
    fn begins_a_pattern(&self) -> bool {
        let Some(last) = self.tokens.last() else {
            return true;
        };
        match &self.code[last.start..last.end] {
            b"return" | b"typeof" | b"case" | b"in" | b"of" | b"delete" | b"void" | b"throw"
            | b"new" | b"else" | b"do" | b"await" => true,
            [.., b')' | b']' | b'}' | b'"' | b'\'' | b'`'] => false,
            [first, ..] => !is_word(*first),
            [] => true,
        }
    }

    fn pattern(&mut self) {
        self.at += 1;
        let mut in_class = false;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => return,
                b'\n' => return,
                _ => {}
            }
        }
    }
}

/// Letters, digits, `_`, `$`, and whatever is not ASCII.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(code: &str) -> Vec<&str> {
        Scanner::all(code)
            .iter()
            .map(|t| &code[t.start..t.end])
            .collect()
    }

    #[test]
    fn texts_comments_and_patterns_are_no_words() {
        assert_eq!(
            words("a = /x y/.test(b) / c // d\n/* e */ 'f \\' g'"),
            [
                "a",
                "=",
                "/x y/",
                ".",
                "test",
                "(",
                "b",
                ")",
                "/",
                "c",
                "'f \\' g'"
            ]
        );
        assert_eq!(words("return /[/]a/i"), ["return", "/[/]a/", "i"]);
    }

    #[test]
    fn code_within_templates_is_code() {
        assert_eq!(
            words("`a ${b} c ${`d`} e` f"),
            ["`a ${", "b", "} c ${", "`d`", "} e`", "f"]
        );
        assert_eq!(
            words("`${{a: 1}.a}`x"),
            ["`${", "{", "a", ":", "1", "}", ".", "a", "}`", "x"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_scanned_to_its_end(code in "\\PC*") {
            for token in Scanner::all(&code) {
                prop_assert!(token.start < token.end && token.end <= code.len());
                prop_assert!(code.is_char_boundary(token.start) && code.is_char_boundary(token.end));
            }
        }
    }
}
