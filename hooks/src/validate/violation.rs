//! What a rejected result is told: the rule, the check, the field and the offending value or
//! character, for the function author's log (LE-283).

use std::fmt;

/// The checks of LE section 5.5 in the order they are made; the first that fails decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// Parseable, within the transport limit (LE-285).
    Json,
    /// An object (LE-286).
    Type,
    /// A kind the trigger accepts, with its required fields (LE-287).
    Kind,
    /// `status` and `statusDescription` (LE-288).
    Status,
    /// `status` unchanged (LE-289).
    StatusReadOnly,
    /// `method` unchanged (LE-290).
    Method,
    /// `clientIp` unchanged (LE-290).
    ClientIp,
    /// `uri` (LE-291).
    Uri,
    /// `querystring` (LE-291).
    QueryString,
    /// Length of both (LE-291).
    UrlLength,
    /// Header map, entries, elements (LE-292).
    HeaderShape,
    /// Header values are strings (LE-292).
    HeaderValue,
    /// Header names are tokens (LE-293).
    HeaderName,
    /// No control characters (LE-293).
    HeaderChar,
    /// No disallowed header (LE-294).
    HeaderDenied,
    /// Read-only headers equal the input (LE-295).
    HeaderReadOnly,
    /// The country header is not added at viewer-request (LE-296).
    HeaderCountry,
    /// The origin object (LE-297).
    Origin,
    /// Shape of the body (LE-298).
    BodyType,
    /// Encoding of the body (LE-298).
    BodyEncoding,
    /// Base64 of the body (LE-298).
    BodyBase64,
    /// Size of a request body (LE-299).
    BodySize,
    /// Size of a response (LE-299).
    ResponseSize,
    /// Size of a request (LE-299).
    RequestSize,
    /// 204 without a body (LE-300).
    NoContent,
}

impl Check {
    /// The code in logs, such as `V-HDR-RO`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Json => "V-JSON",
            Self::Type => "V-TYPE",
            Self::Kind => "V-KIND",
            Self::Status => "V-STATUS",
            Self::StatusReadOnly => "V-STATUS-RO",
            Self::Method => "V-METHOD",
            Self::ClientIp => "V-CLIENTIP",
            Self::Uri => "V-URI",
            Self::QueryString => "V-QS",
            Self::UrlLength => "V-URLLEN",
            Self::HeaderShape => "V-HDR-SHAPE",
            Self::HeaderValue => "V-HDR-VALUE",
            Self::HeaderName => "V-HDR-NAME",
            Self::HeaderChar => "V-HDR-CHAR",
            Self::HeaderDenied => "V-HDR-DENY",
            Self::HeaderReadOnly => "V-HDR-RO",
            Self::HeaderCountry => "V-HDR-COUNTRY",
            Self::Origin => "V-ORIGIN",
            Self::BodyType => "V-BODY-TYPE",
            Self::BodyEncoding => "V-BODY-ENC",
            Self::BodyBase64 => "V-BODY-B64",
            Self::BodySize => "V-BODY-SIZE",
            Self::ResponseSize => "V-RESP-SIZE",
            Self::RequestSize => "V-REQ-SIZE",
            Self::NoContent => "V-204",
        }
    }
}

/// A result that broke a rule of the contract (LE-270). Its text is for the author's log, never for a viewer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    check: Check,
    rule: &'static str,
    field: String,
    value: Option<String>,
    message: String,
}

impl Violation {
    pub(crate) fn new(
        check: Check,
        rule: &'static str,
        field: impl AsRef<str>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Details {
            check,
            rule,
            // Header names in here are the function's own words.
            field: printable(field.as_ref()),
            value: None,
            message: message.into(),
        }))
    }

    /// Names the offending value: printable, and cut where it is long.
    pub(crate) fn with_value(mut self, value: impl AsRef<str>) -> Self {
        self.0.value = Some(printable(value.as_ref()));
        self
    }

    /// Names the offending character, percent-encoded.
    pub(crate) fn with_char(self, byte: u8) -> Self {
        self.with_value(format!("%{byte:02X}"))
    }

    /// The rule that was broken, such as `LE-214`.
    pub fn rule(&self) -> &'static str {
        self.0.rule
    }

    /// The check that found it.
    pub fn check(&self) -> Check {
        self.0.check
    }

    /// The check's code, such as `V-HDR-RO`.
    pub fn code(&self) -> &'static str {
        self.0.check.code()
    }

    /// Where in the result: `status`, `headers.host`, `origin.custom.port`; empty for the result itself.
    pub fn field(&self) -> &str {
        &self.0.field
    }

    /// The offending value, or the percent-encoded character, where there is one to name.
    pub fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// What is wrong, without rule, field and value.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.rule, self.check.code())?;
        if !self.field.is_empty() {
            write!(f, "`{}`: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if let Some(value) = &self.value {
            write!(f, ", got `{value}`")?;
        }
        Ok(())
    }
}

/// Something odd that was accepted; goes to the function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The rule that decides it, such as `LE-200`.
    pub rule: &'static str,
    /// What was done about it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.message)
    }
}

/// Warnings of one result; bounded, because a hostile result can earn one per header.
#[derive(Default)]
pub(crate) struct Warnings(Vec<Warning>);

impl Warnings {
    const MOST: usize = 16;

    pub(crate) fn push(&mut self, rule: &'static str, message: impl FnOnce() -> String) {
        if self.0.len() < Self::MOST {
            self.0.push(Warning {
                rule,
                message: message(),
            });
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.0
    }
}

/// Text fit for one log line: control characters percent-encoded, at most 80 characters.
pub(super) fn printable(text: &str) -> String {
    const MOST: usize = 80;
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == MOST {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_rule_check_field_and_value() {
        // LE-283
        let v = Violation::new(
            Check::HeaderReadOnly,
            "LE-214",
            "headers.host",
            "is changed",
        )
        .with_value("a\r\nb");
        assert_eq!(
            v.to_string(),
            "LE-214 V-HDR-RO: `headers.host`: is changed, got `a%0D%0Ab`"
        );
        assert_eq!(
            (v.rule(), v.code(), v.field(), v.value()),
            ("LE-214", "V-HDR-RO", "headers.host", Some("a%0D%0Ab"))
        );
    }

    #[test]
    fn long_values_are_cut() {
        // LE-283
        assert_eq!(printable(&"x".repeat(500)).chars().count(), 81);
    }

    #[test]
    fn checks_are_ordered_as_the_contract_lists_them() {
        // LE-285, LE-300
        assert!(Check::Json < Check::Type);
        assert!(Check::HeaderDenied < Check::HeaderReadOnly);
        assert!(Check::ResponseSize < Check::NoContent);
    }
}
