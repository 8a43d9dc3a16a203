//! How calls name a function: a name, parts of an ARN, a qualifier in either of two places (CP-060, CP-061).

use serde_json::Value;

use super::super::{ApiError, arn::Account, tx::Tx};

/// The qualifier of what is not published.
pub(crate) const LATEST: &str = "$LATEST";

/// A function, and which version or alias of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionRef {
    pub(crate) name: String,
    /// A number, the name of an alias, or `$LATEST`.
    pub(crate) qualifier: Option<String>,
}

impl FunctionRef {
    /// What the members `FunctionName` and `Qualifier` of a call name.
    pub(crate) fn of(tx: &Tx<'_>, input: &Value) -> Result<Self, ApiError> {
        let name = input["FunctionName"].as_str().unwrap_or_default();
        let mut reference = Self::parse(name, &tx.settings.account)?;
        if let Some(given) = input.get("Qualifier").and_then(Value::as_str) {
            match &reference.qualifier {
                Some(derived) if derived != given => {
                    return Err(ApiError::lambda(
                        "InvalidParameterValueException",
                        format!(
                            "The derived qualifier from the function name does not match the specified qualifier: {derived} is not {given}."
                        ),
                    ));
                }
                _ => reference.qualifier = Some(given.to_owned()),
            }
        }
        Ok(reference)
    }

    /// A name, `name:qualifier`, `function:name`, `account:function:name`, or an ARN with or without a qualifier.
    pub(crate) fn parse(text: &str, account: &Account) -> Result<Self, ApiError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (owner, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, owner, "function", rest @ ..] => {
                if !is_region(region) {
                    return Err(invalid(text, "a region in it"));
                }
                (Some(*owner), rest)
            }
            [owner, "function", rest @ ..] if is_account(owner) => (Some(*owner), rest),
            ["function", rest @ ..] => (None, rest),
            rest => (None, rest),
        };
        if let Some(owner) = owner.filter(|owner| *owner != account.id) {
            // CP-006
            return Err(ApiError::lambda(
                "AccessDeniedException",
                format!(
                    "the function belongs to account {owner}, and this node's is {}",
                    account.id
                ),
            ));
        }
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some((*qualifier).to_owned())),
            _ => return Err(invalid(text, "at most a qualifier after the name")),
        };
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            qualifier,
        })
    }

    /// The ARN of what is named.
    pub(crate) fn arn(&self, account: &Account) -> String {
        let arn = account.lambda(&self.name);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}

/// CP-061.
fn check_name(name: &str) -> Result<(), ApiError> {
    if name.len() > 64 {
        return Err(ApiError::lambda(
            "InvalidParameterValueException",
            format!("The function name {name} is longer than 64 characters"),
        ));
    }
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || !name.bytes().all(named) {
        return Err(invalid(
            name,
            "1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`",
        ));
    }
    Ok(())
}

fn invalid(value: &str, wanted: &str) -> ApiError {
    ApiError::lambda_validation(format!(
        "1 validation error detected: Value '{value}' at 'functionName' failed to satisfy constraint: Member must satisfy: {wanted}"
    ))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// CP-005.
pub(crate) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let letters = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
    first.len() == 2
        && letters(&first)
        && match rest.split_last() {
            Some((last, middle)) => {
                last.len() == 1
                    && last.bytes().all(|b| b.is_ascii_digit())
                    && !middle.is_empty()
                    && middle.iter().all(letters)
            }
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_six_names() {
        // CP-060, CP-005
        let account = Account::default();
        let parse = |text: &str| FunctionRef::parse(text, &account);
        let named = |qualifier: Option<&str>| FunctionRef {
            name: "edge".to_owned(),
            qualifier: qualifier.map(str::to_owned),
        };
        for text in [
            "edge",
            "function:edge",
            "000000000000:function:edge",
            "arn:aws:lambda:us-east-1:000000000000:function:edge",
            "arn:aws:lambda:eu-central-1:000000000000:function:edge",
        ] {
            assert_eq!(parse(text), Ok(named(None)), "{text}");
        }
        for (text, qualifier) in [
            ("edge:3", "3"),
            ("function:edge:live", "live"),
            (
                "arn:aws:lambda:us-gov-west-1:000000000000:function:edge:$LATEST",
                LATEST,
            ),
        ] {
            assert_eq!(parse(text), Ok(named(Some(qualifier))), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_lambdas_words() {
        // CP-006, CP-060, CP-061
        let account = Account::default();
        for (text, code) in [
            ("", "ValidationException"),
            ("a b", "ValidationException"),
            ("edge:1:2", "ValidationException"),
            (
                "arn:aws:lambda:nowhere:000000000000:function:edge",
                "ValidationException",
            ),
            ("111111111111:function:edge", "AccessDeniedException"),
            (
                "arn:aws:lambda:us-east-1:111111111111:function:edge",
                "AccessDeniedException",
            ),
        ] {
            assert_eq!(
                FunctionRef::parse(text, &account).unwrap_err().code,
                code,
                "{text}"
            );
        }
        let long = FunctionRef::parse(&"a".repeat(65), &account).unwrap_err();
        assert_eq!(long.code, "InvalidParameterValueException");
    }
}
