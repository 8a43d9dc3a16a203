//! The tokens of JavaScript, as far as they are needed to see what a file exports (NC-53, NC-54): what is a
//! comment, a string or a regular expression is told apart from code, and nothing is understood of it.

use std::iter::Peekable;

/// A token. Strings are as they stand between their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or a keyword.
    Word(&'a str),
    /// A string in single or double quotes.
    Text(&'a str),
    /// One character of an operator or a bracket.
    Punct(char),
    /// A number, a regular expression, or a piece of a template.
    Other,
}

/// Reads tokens one by one.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether a slash would begin a regular expression.
    regex: bool,
    open: Vec<Open>,
}

/// A bracket that waits for its end, and what the bracket's end means for a slash behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// `(` behind `if` and the like: a statement follows.
    Head,
    Paren,
    Square,
    /// `{` of a block: a statement follows.
    Block,
    /// `{` of an object.
    Object,
    /// `${` of a template.
    Template,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let at = if text.starts_with("#!") {
            text.find('\n').unwrap_or(text.len())
        } else {
            0
        };
        Self {
            text,
            at,
            regex: true,
            open: Vec::new(),
        }
    }

    /// The tokens behind the one read last, for looking ahead: brackets that are open here are not known there.
    pub(super) fn ahead(&self) -> Peekable<Self> {
        Self {
            text: self.text,
            at: self.at,
            regex: self.regex,
            open: Vec::new(),
        }
        .peekable()
    }

    /// Whether no bracket is open.
    pub(super) const fn at_top(&self) -> bool {
        self.open.is_empty()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed
                    .find(['\n', '\r', '\u{2028}', '\u{2029}'])
                    .unwrap_or(trimmed.len());
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                self.at += inside.find("*/").map_or(trimmed.len(), |end| end + 4);
            } else {
                return;
            }
        }
    }

    /// Behind the opening quote: the text up to the closing one.
    fn quoted(&mut self, quote: char) -> &'a str {
        let rest = self.rest();
        let mut escaped = false;
        for (i, c) in rest.char_indices() {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote || c == '\n' {
                self.at += i + 1;
                return &rest[..i];
            }
        }
        self.at = self.text.len();
        rest
    }

    /// Behind the opening backtick or a `}` in it: up to the end, or to the next `${`.
    fn template(&mut self) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                b'\\' => i += 1,
                b'`' => {
                    self.at += i + 1;
                    self.regex = false;
                    return;
                }
                b'$' if bytes.get(i + 1) == Some(&b'{') => {
                    self.at += i + 2;
                    self.open.push(Open::Template);
                    self.regex = true;
                    return;
                }
                _ => {}
            }
            i += 1;
        }
        self.at = self.text.len();
    }

    fn regex(&mut self) {
        let rest = self.rest();
        let (mut escaped, mut class) = (false, false);
        for (i, c) in rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => class = true,
                ']' => class = false,
                '/' if !class => {
                    self.at += i + 1;
                    let flags = word(self.rest());
                    self.at += flags.len();
                    return;
                }
                '\n' => {
                    self.at += i;
                    return;
                }
                _ => {}
            }
        }
        self.at = self.text.len();
    }

    fn punct(&mut self, c: char, after_arrow_or_operator: bool, before: Option<&str>) {
        self.at += c.len_utf8();
        match c {
            '(' => {
                let head = matches!(before, Some("if" | "while" | "for" | "with"));
                self.open.push(if head { Open::Head } else { Open::Paren });
                self.regex = true;
            }
            '[' => {
                self.open.push(Open::Square);
                self.regex = true;
            }
            '{' => {
                let object = after_arrow_or_operator;
                self.open
                    .push(if object { Open::Object } else { Open::Block });
                self.regex = true;
            }
            ')' => self.regex = self.open.pop() == Some(Open::Head),
            ']' => {
                self.open.pop();
                self.regex = false;
            }
            '}' => match self.open.pop() {
                Some(Open::Template) => self.template(),
                Some(Open::Object) => self.regex = false,
                _ => self.regex = true,
            },
            // `i++ / 2` and `++/x/`: the first is what people write.
            '+' | '-' if self.text[..self.at - 1].ends_with(c) => self.regex = false,
            _ => self.regex = true,
        }
    }

    /// Whether a `{` here would open an object: what stands before wants a value.
    fn wants_value(&self) -> bool {
        let before = self.text[..self.at].trim_end();
        match before.chars().next_back() {
            None | Some(')' | ';' | '{' | '}') => false,
            Some('>') => !before.ends_with("=>"),
            Some(c) if is_word(c) => matches!(
                last_word(before),
                "return"
                    | "typeof"
                    | "case"
                    | "in"
                    | "of"
                    | "void"
                    | "delete"
                    | "throw"
                    | "new"
                    | "yield"
                    | "await"
            ),
            Some(_) => true,
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        self.skip_blanks();
        let c = self.rest().chars().next()?;
        if is_word(c) && !c.is_numeric() || c == '\\' || c == '#' {
            let name = word(self.rest());
            // An escape in a name, or a lone `#`: never the start of what is looked for.
            self.at += name.len().max(c.len_utf8());
            self.regex = matches!(
                name,
                "return"
                    | "typeof"
                    | "case"
                    | "in"
                    | "of"
                    | "do"
                    | "else"
                    | "void"
                    | "delete"
                    | "throw"
                    | "new"
                    | "instanceof"
                    | "yield"
                    | "await"
            ) && !self.text[..start].trim_end().ends_with('.');
            return Some(Token::Word(name));
        }
        if c.is_numeric() {
            let rest = self.rest();
            let end = rest
                .find(|c: char| !is_word(c) && c != '.')
                .unwrap_or(rest.len());
            self.at += end;
            self.regex = false;
            return Some(Token::Other);
        }
        match c {
            '"' | '\'' => {
                self.at += 1;
                let text = self.quoted(c);
                self.regex = false;
                Some(Token::Text(text))
            }
            '`' => {
                self.at += 1;
                self.template();
                Some(Token::Other)
            }
            '/' if self.regex => {
                self.at += 1;
                self.regex();
                self.regex = false;
                Some(Token::Other)
            }
            c => {
                let before = self.text[..self.at].trim_end();
                let word_before = before
                    .chars()
                    .next_back()
                    .is_some_and(is_word)
                    .then(|| last_word(before));
                let object = c == '{' && self.wants_value();
                self.punct(c, object, word_before);
                Some(Token::Punct(c))
            }
        }
    }
}

const fn is_ascii_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$')
}

fn is_word(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_ascii_word)
        || (!c.is_ascii() && c.is_alphanumeric())
        || matches!(c, '\u{200c}' | '\u{200d}')
}

fn word(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

fn last_word(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_word(*c))
        .last()
        .map_or(text.len(), |(i, _)| i);
    &text[start..]
}

/// Whether the text is an ES module: an `import` or `export` statement, or `import.meta` (NC-54).
pub(super) fn is_module(text: &str) -> bool {
    if !text.contains("import") && !text.contains("export") {
        return false;
    }
    let mut lexer = Lexer::new(text);
    let mut before = None;
    while let Some(token) = lexer.next() {
        if before != Some(Token::Punct('.'))
            && let Token::Word(name @ ("import" | "export")) = token
        {
            let mut ahead = lexer.ahead();
            let next = ahead.next();
            let is = match (name, next) {
                ("import", Some(Token::Punct('.'))) => ahead.next() == Some(Token::Word("meta")),
                ("import", Some(Token::Word(_) | Token::Text(_) | Token::Punct('{' | '*'))) => {
                    lexer.at_top() && begins_statement(before)
                }
                ("export", Some(Token::Word(_) | Token::Punct('{' | '*'))) => {
                    lexer.at_top() && begins_statement(before)
                }
                _ => false,
            };
            if is {
                return true;
            }
        }
        before = Some(token);
    }
    false
}

/// Whether a statement can begin behind the token. A line without a semicolon ends in anything that ends a value.
const fn begins_statement(before: Option<Token<'_>>) -> bool {
    !matches!(
        before,
        Some(Token::Punct(
            '=' | ',' | ':' | '?' | '+' | '-' | '&' | '|' | '<' | '(' | '['
        ))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Lexer::new(text)
            .filter_map(|t| match t {
                Token::Word(w) => Some(w),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_is_no_code_is_stepped_over() {
        // NC-53
        assert_eq!(
            words("#! a\nb // c\n/* d */ e 'f' \"g\\\"h\" i"),
            ["b", "e", "i"]
        );
        assert_eq!(words("`a ${b + `c ${d}` } e` f"), ["b", "d", "f"]);
        assert_eq!(words("a = /b[/]\"/g.test(c)"), ["a", "test", "c"]);
        assert_eq!(words("a / b / c"), ["a", "b", "c"]);
        assert_eq!(
            words("if (a) /b/.test(c); (d) / e / f"),
            ["if", "a", "test", "c", "d", "e", "f"]
        );
        assert_eq!(words("x = {} / a / b; {} /c/"), ["x", "a", "b"]);
        assert_eq!(words("return /'/; a"), ["return", "a"]);
        assert_eq!(words("i++ / a / 2"), ["i", "a"]);
        assert_eq!(words("\u{3c0} = 1.5e3"), ["\u{3c0}"]);
        assert!(words("'never closed").is_empty());
        assert!(words("`never ${").is_empty());
    }

    #[test]
    fn modules_are_told_from_scripts() {
        // NC-54
        for module in [
            "import x from 'y'",
            "import 'y'",
            "import{a}from'y'",
            "import * as x from 'y'",
            "const a = 1\nexport { a }",
            "export default 1",
            "export * from 'x'",
            "a()\nexport const b = 1",
            "console.log(import.meta.url)",
            "/* exports.x = 1 */ export class A {}",
        ] {
            assert!(is_module(module), "{module}");
        }
        for script in [
            "exports.a = 1",
            "const x = import('y')",
            "// import x from 'y'",
            "/*\nimport x from 'y'\nexport default 1\n*/",
            "const t = `\nimport x from 'y'\nexport default 1\n`",
            "a.import = 1; b.export = 2; c = { import: 1, export: 2 }",
            "module.exports = 'export default 1'",
            "if (export_) { importX() }",
        ] {
            assert!(!is_module(script), "{script}");
        }
    }
}
