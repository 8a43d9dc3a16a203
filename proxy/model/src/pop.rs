//! Where a node says it is: the location code of `X-Amz-Cf-Pop`, access records and functions (CF-502).

use std::{fmt, str::FromStr};

/// A location code in CloudFront's form: three letters, mostly an airport's, a number, and `C` or `P` with a number, as in
/// `FRA56-P1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopCode(String);

/// A text is no location code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a location code is three upper-case letters and a number of two digits, `-C` or `-P` and a number, such as `FRA56-P1`"
)]
pub struct PopCodeError;

impl PopCode {
    /// The code as text: ASCII letters, digits and a hyphen.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code of a node that is given none: the first three letters of its name and the first number in it, modulo
    /// 100, so that `fra-edge-7` is at `FRA07-C1`. `X` and `00` stand in for what the name does not have.
    pub fn of_node(name: &str) -> Self {
        let letters = name.bytes().filter(u8::is_ascii_alphabetic);
        let letters = letters.map(|b| b.to_ascii_uppercase());
        let letters: String = letters.chain(*b"XXX").take(3).map(char::from).collect();
        let digits = name.bytes().skip_while(|b| !b.is_ascii_digit());
        let digits = digits.take_while(u8::is_ascii_digit);
        let number = digits.fold(0, |n, digit| (n * 10 + u32::from(digit - b'0')) % 100);
        Self(format!("{letters}{number:02}-C1"))
    }
}

impl FromStr for PopCode {
    type Err = PopCodeError;

    fn from_str(text: &str) -> Result<Self, PopCodeError> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let fits = |text: &str| {
            let (site, row) = text.split_once('-')?;
            let (letters, site) = site.split_at_checked(3)?;
            let row = row.strip_prefix(['C', 'P'])?;
            let whole = letters.bytes().all(|b| b.is_ascii_uppercase())
                && (2..=3).contains(&site.len())
                && (1..=2).contains(&row.len())
                && digits(site)
                && digits(row);
            whole.then_some(())
        };
        fits(text).ok_or(PopCodeError)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PopCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_cloudfronts_form() {
        // CF-502
        for text in ["FRA56-P1", "IAD89-C1", "HEL50-C10", "SFO153-P7"] {
            assert_eq!(text.parse::<PopCode>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "FRA",
            "FRA56",
            "FRA5-C1",
            "fra56-C1",
            "FRA56-X1",
            "FRA56-C",
            "FRA56-C111",
            "F\u{c4}56-C1",
            "FRA56-C1\r",
            "FRAN56-C1",
        ] {
            assert_eq!(text.parse::<PopCode>(), Err(PopCodeError), "{text}");
        }
    }

    #[test]
    fn a_node_that_is_given_none_has_one_by_its_name() {
        // CF-502
        for (name, code) in [
            ("fra-edge-7", "FRA07-C1"),
            ("Edge", "EDG00-C1"),
            ("a1b2", "ABX01-C1"),
            ("node-4321-9", "NOD21-C1"),
            ("99999999999999999999", "XXX99-C1"),
            ("\u{fc}", "XXX00-C1"),
        ] {
            let of = PopCode::of_node(name);
            assert_eq!(of.as_str(), code, "{name}");
            assert_eq!(code.parse(), Ok(of));
        }
    }
}
