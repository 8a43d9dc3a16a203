//! As much of JSON as policies are made of: objects, strings, whole numbers, one list (RFC 8259).
//!
//! Not a library's: a policy is signed as bytes, so two readers must not read it differently. Names that are there twice,
//! which most readers forgive, are refused here, and `\?`, which is no JSON, is what CloudFront's own pages write.

use std::str;

/// Why a text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    Utf8,
    /// Something else has to be there.
    #[error("should have {wanted} at byte {at}")]
    Expected {
        /// What.
        wanted: &'static str,
        /// Where, in bytes from its start.
        at: usize,
    },
}

/// A text and how far it was read. It never goes back, and nothing in it nests deeper than its caller does.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// # Errors
    /// [`SyntaxError::Utf8`].
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, SyntaxError> {
        let text = str::from_utf8(bytes).map_err(|_| SyntaxError::Utf8)?;
        Ok(Self { text, at: 0 })
    }

    pub(crate) const fn expected<T>(&self, wanted: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError::Expected {
            wanted,
            at: self.at,
        })
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes a sign, if it is next.
    fn takes(&mut self, sign: u8) -> bool {
        self.skip_space();
        let is_next = self.next() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn take(&mut self, sign: u8, wanted: &'static str) -> Result<(), SyntaxError> {
        match self.takes(sign) {
            true => Ok(()),
            false => self.expected(wanted),
        }
    }

    /// An object: `member` is called for each name, and reads its value.
    pub(crate) fn object<E: From<SyntaxError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'{', "an object")?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.take(b':', "`:`")?;
            member(self, &name)?;
            if !self.takes(b',') {
                return Ok(self.take(b'}', "`,` or `}`")?);
            }
        }
    }

    /// A list of exactly one item.
    pub(crate) fn list_of_one<E: From<SyntaxError>>(
        &mut self,
        item: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.take(b'[', "a list")?;
        item(self)?;
        Ok(self.take(b']', "the end of a list of one")?)
    }

    /// A string. `\?` stays as it is.
    pub(crate) fn string(&mut self) -> Result<String, SyntaxError> {
        self.take(b'"', "a string")?;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            let Some(plain) = plain else {
                self.at = self.text.len();
                return self.expected("the end of a string");
            };
            string.push_str(&rest[..plain]);
            self.at += plain;
            match self.next() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => self.escape(&mut string)?,
                _ => return self.expected("no control character in a string"),
            }
        }
    }

    fn escape(&mut self, string: &mut String) -> Result<(), SyntaxError> {
        let sign = self.text.as_bytes().get(self.at + 1);
        let plain = match sign {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                string.push(self.code_point()?);
                return Ok(());
            }
            // CF-573, AMB-36.
            Some(b'?') => {
                string.push('\\');
                '?'
            }
            _ => return self.expected("an escape"),
        };
        string.push(plain);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them that are one character.
    fn code_point(&mut self) -> Result<char, SyntaxError> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.expected("the second half of a character");
            }
            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.expected("a character"),
        }
    }

    fn hex(&mut self) -> Result<u32, SyntaxError> {
        let bytes = self.text.as_bytes().get(self.at..self.at + 6);
        let digits = bytes.and_then(|b| b.strip_prefix(br"\u"));
        let value = digits
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit))
            .and_then(|d| u32::from_str_radix(str::from_utf8(d).ok()?, 16).ok());
        match value {
            Some(value) => {
                self.at += 6;
                Ok(value)
            }
            None => self.expected("four hexadecimal digits"),
        }
    }

    /// A whole number of 64 bits, without quotation marks, fraction or exponent (CF-569).
    pub(crate) fn integer(&mut self) -> Result<i64, SyntaxError> {
        self.skip_space();
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        match integer(&rest[..length]) {
            Some(value) => {
                self.at += length;
                Ok(value)
            }
            None => self.expected("a whole number of 64 bits"),
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        match self.next() {
            None => Ok(()),
            Some(_) => self.expected("its end"),
        }
    }
}

/// A whole number as JSON writes it: no `+`, no zeros in front.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let well_formed = match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !well_formed {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Option<String> {
        let mut reader = Reader::new(text.as_bytes()).ok()?;
        let string = reader.string().ok()?;
        reader.end().ok().map(|()| string)
    }

    #[test]
    fn strings_are_those_of_json_and_the_question_mark_of_cloudfront() {
        // CF-568, CF-573
        for (text, want) in [
            (r#""""#, Some("")),
            (r#""a/b""#, Some("a/b")),
            (r#" "a" "#, Some("a")),
            (r#""a\/b\\c\"d""#, Some("a/b\\c\"d")),
            (r#""\b\f\n\r\t""#, Some("\u{8}\u{c}\n\r\t")),
            (r#""\u0041\u00e9\uD83D\uDE00""#, Some("A\u{e9}\u{1f600}")),
            (r#""a\?b""#, Some("a\\?b")),
            (r#""a\\?b""#, Some("a\\?b")),
            ("\"\u{e9}\"", Some("\u{e9}")),
            (r#""\ud83d""#, None),
            (r#""\ud83d\u0041""#, None),
            (r#""\ude00""#, None),
            (r#""\u00+1""#, None),
            (r#""\u12""#, None),
            (r#""\x""#, None),
            (r#""\"#, None),
            (r#""a"#, None),
            ("\"a\nb\"", None),
            ("'a'", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(string(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn integers_are_whole_and_have_64_bits() {
        // CF-569
        for (text, want) in [
            ("0", Some(0)),
            ("1357034400", Some(1_357_034_400)),
            ("-1", Some(-1)),
            ("-0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("18446744073709551617", None),
            ("01", None),
            ("+1", None),
            ("1.0", None),
            ("1e9", None),
            ("-", None),
            ("", None),
            ("\u{661}", None),
            ("0x1", None),
            ("1 ", None),
        ] {
            assert_eq!(integer(text.as_bytes()), want, "{text}");
        }
    }
}
