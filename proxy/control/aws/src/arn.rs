//! Names of things in requests: ARNs, references to functions, regions, accounts (CP-004, CP-005, CP-006, CP-060, CP-061).

use crate::{
    error::{ApiError, Condition},
    model::Service,
};

/// An ARN, in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`.
    pub partition: &'a str,
    /// Signing name of the service.
    pub service: &'a str,
    /// Region, empty for CloudFront.
    pub region: &'a str,
    /// Account.
    pub account: &'a str,
    /// All the rest.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` if it is none. The resource may hold further colons.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next().filter(|resource| !resource.is_empty())?,
        })
    }

    /// Refuses an ARN of an account that is not the node's (CP-006).
    ///
    /// # Errors
    /// `AccessDenied` in the words of `service`.
    pub fn of_account(&self, service: Service, account: &str) -> Result<(), ApiError> {
        if self.account.is_empty() || self.account == account {
            return Ok(());
        }
        let text = format!("account {} is not the account of this node", self.account);
        Err(ApiError::common(service, Condition::AccessDenied, text))
    }
}

/// Whether a text has the form of a region, any region (CP-005).
#[must_use]
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    first.len() == 2
        && lower(first)
        && !middle.is_empty()
        && middle.iter().all(|part| lower(part))
        && last.len() == 1
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is an account: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The account in the first label of a host, which clients of key-value stores put there, and the rest (CP-004).
#[must_use]
pub fn split_host(host: &str) -> (Option<&str>, &str) {
    match host.split_once('.') {
        Some((label, rest)) if is_account(label) => (Some(label), rest),
        _ => (None, host),
    }
}

/// A function as requests name it (CP-060).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// Account, where the reference has one.
    pub account: Option<String>,
    /// Name.
    pub name: String,
    /// Version or alias, where the reference has one.
    pub qualifier: Option<String>,
}

impl FunctionRef {
    /// Reads a reference: a name, `name:qualifier`, `function:name`, `account:function:name`, an ARN, each with a
    /// qualifier or without (CP-060).
    ///
    /// # Errors
    /// `ValidationException` for other forms and bad characters, `InvalidParameterValueException` for a name of more
    /// than 64 characters (CP-061).
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 4 && parts[0] == "arn" && parts[2] == "lambda" {
            parts.drain(..3);
        }
        let mut parts = parts.into_iter().peekable();
        // What could be a name and could be something before one is the latter, as long as more follows.
        let more = parts.len() > 1;
        let mut account = None;
        if more {
            parts.next_if(|part| is_region(part));
            if parts.len() > 1 {
                account = parts.next_if(|part| is_account(part)).map(str::to_owned);
            }
            if parts.len() > 1 {
                parts.next_if_eq(&"function");
            }
        }
        let (name, qualifier) = (parts.next().unwrap_or_default(), parts.next());
        let word = |text: &str, more: &[u8]| {
            let fits = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || more.contains(&byte)
            };
            !text.is_empty() && text.bytes().all(fits)
        };
        let fits = word(name, b"") && qualifier.is_none_or(|text| word(text, b"$"));
        if parts.next().is_some() || !fits {
            return Err(ApiError::common(
                Service::Lambda,
                Condition::Constraint,
                format!(
                    "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member \
                     must be a function's name, a partial ARN or an ARN"
                ),
            ));
        }
        if name.len() > 64 {
            return Err(ApiError::new(
                Service::Lambda,
                "InvalidParameterValueException",
                "The function name must have 64 characters or fewer",
            ));
        }
        Ok(Self {
            account,
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

    /// The qualifier of the reference and of the query, which have to be the same where both are there (CP-060).
    ///
    /// # Errors
    /// `InvalidParameterValueException` where they are not.
    pub fn qualified(&self, query: Option<&str>) -> Result<Option<String>, ApiError> {
        match (&self.qualifier, query) {
            (Some(own), Some(other)) if own != other => Err(ApiError::new(
                Service::Lambda,
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (own, other) => Ok(own.clone().or_else(|| other.map(str::to_owned))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_functions() {
        // CP-060: every form of the rule, and nothing beside.
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:";
        for (text, account, name, qualifier) in [
            ("edge", None, "edge", None),
            ("edge:3", None, "edge", Some("3")),
            ("edge:$LATEST", None, "edge", Some("$LATEST")),
            ("function:edge", None, "edge", None),
            ("function", None, "function", None),
            (
                "000000000000:function:edge",
                Some("000000000000"),
                "edge",
                None,
            ),
            (
                "000000000000:function:edge:live",
                Some("000000000000"),
                "edge",
                Some("live"),
            ),
            (&format!("{arn}edge"), Some("000000000000"), "edge", None),
            (
                &format!("{arn}edge:7"),
                Some("000000000000"),
                "edge",
                Some("7"),
            ),
            ("123456789012", None, "123456789012", None),
        ] {
            let read = FunctionRef::parse(text).expect("a reference");
            assert_eq!(
                (
                    read.account.as_deref(),
                    read.name.as_str(),
                    read.qualifier.as_deref()
                ),
                (account, name, qualifier),
                "{text}"
            );
        }
        for text in ["", "a b", "edge:", "edge:1:2", "arn:aws:s3:::bucket", "a/b"] {
            let error = FunctionRef::parse(text).expect_err("no reference");
            assert_eq!(error.code, "ValidationException", "{text}");
        }
    }

    #[test]
    fn long_names_are_refused_with_another_code() {
        // CP-061: a name may have 64 characters.
        assert!(FunctionRef::parse(&"a".repeat(64)).is_ok());
        let error = FunctionRef::parse(&"a".repeat(65)).expect_err("too long");
        assert_eq!(
            (error.status, &*error.code),
            (400, "InvalidParameterValueException")
        );
    }

    #[test]
    fn qualifiers_agree() {
        // CP-060: a qualifier that stands twice has to be the same.
        let read = FunctionRef::parse("edge:3").expect("a reference");
        assert_eq!(read.qualified(None).expect("one"), Some("3".into()));
        assert_eq!(read.qualified(Some("3")).expect("same"), Some("3".into()));
        let error = read.qualified(Some("4")).expect_err("another");
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.contains("derived qualifier"));
    }

    #[test]
    fn regions() {
        // CP-005.
        for text in ["us-east-1", "ap-southeast-2", "us-gov-west-1"] {
            assert!(is_region(text), "{text}");
        }
        for text in [
            "",
            "us",
            "us-1",
            "us-east",
            "US-EAST-1",
            "us-east-10",
            "us--1",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn accounts_in_hosts_and_arns() {
        // CP-004, CP-006.
        assert_eq!(
            split_host("000000000000.localhost:9400"),
            (Some("000000000000"), "localhost:9400")
        );
        assert_eq!(split_host("127.0.0.1:9400"), (None, "127.0.0.1:9400"));
        let arn =
            Arn::parse("arn:aws:cloudfront::000000000000:key-value-store/a:b").expect("an ARN");
        assert_eq!(
            (arn.service, arn.region, arn.resource),
            ("cloudfront", "", "key-value-store/a:b")
        );
        assert!(arn.of_account(Service::CloudFront, "000000000000").is_ok());
        let error = arn
            .of_account(Service::KeyValueStore, "111111111111")
            .expect_err("another account");
        assert_eq!((error.status, &*error.code), (403, "AccessDeniedException"));
        assert_eq!(Arn::parse("arn:aws:cloudfront::0:"), None);
        assert_eq!(Arn::parse("key-value-store/a"), None);
    }
}
