//! Why a request may not pass, and what its viewer is told (CF-576).

use crate::policy::PolicyError;

/// Why a request is refused. What it displays is for the operator; the viewer gets [`Refusal::page`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No key is named: most often there is neither a signed URL nor a signed cookie.
    #[error("signature: no Key-Pair-Id in the query or the cookies")]
    MissingKey,
    /// The key is not one of the behaviour's (CF-574).
    #[error("signature: the behaviour trusts no key of that id")]
    UnknownKey,
    /// The signature is not there, or is no base64 (CF-565).
    #[error("signature: it cannot be decoded")]
    MalformedSignature,
    /// The policy is not there, or cannot be read (CF-568).
    #[error("signature: the policy {0}")]
    MalformedPolicy(#[from] PolicyError),
    /// All is well-formed, and does not let this request pass.
    #[error("signature: {0}")]
    AccessDenied(#[from] Denial),
}

/// What does not let a request pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// A parameter of the signed URL is there twice.
    #[error("{0} is in the query twice")]
    Twice(&'static str),
    /// Neither SHA1 nor SHA256 (CF-564).
    #[error("the hash algorithm is neither SHA1 nor SHA256")]
    HashAlgorithm,
    /// `DateLessThan` or `Expires` (CF-569).
    #[error("it has expired")]
    Expired,
    /// `DateGreaterThan` (CF-569).
    #[error("it is not valid yet")]
    NotYet,
    /// `IpAddress` (CF-570).
    #[error("it is for another address")]
    Address,
    /// `Resource` (CF-572).
    #[error("it is for another URL")]
    Resource,
    /// The URL cannot be part of a canned policy.
    #[error("the URL has a quotation mark or a backslash, so it has no canned policy")]
    Url,
    /// The signature is not the key's, or not over this policy (CF-574).
    #[error("the signature is not the key's over this URL or policy")]
    Signature,
}

impl Refusal {
    /// The code on the page (CF-576).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingKey => "MissingKey",
            Self::UnknownKey => "InvalidKey",
            Self::MalformedSignature => "MalformedSignature",
            Self::MalformedPolicy(_) => "MalformedPolicy",
            Self::AccessDenied(_) => "AccessDenied",
        }
    }

    /// The message on the page (CF-576).
    pub const fn message(&self) -> &'static str {
        match self {
            Self::MissingKey => "Missing Key-Pair-Id query parameter or cookie value",
            Self::UnknownKey => "Unknown Key",
            Self::MalformedSignature => "Could not unencode Signature",
            Self::MalformedPolicy(_) => "Malformed Policy",
            Self::AccessDenied(_) => "Access denied",
        }
    }

    /// The page, `text/xml` (CF-576). It is made of constants alone.
    pub fn page(&self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code(),
            self.message()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_word_for_word_and_tells_no_more() {
        // CF-576
        let page = |code, message| {
            format!(
                r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"#
            )
        };
        for (refusal, code, message) in [
            (
                Refusal::MissingKey,
                "MissingKey",
                "Missing Key-Pair-Id query parameter or cookie value",
            ),
            (Refusal::UnknownKey, "InvalidKey", "Unknown Key"),
            (
                Refusal::MalformedSignature,
                "MalformedSignature",
                "Could not unencode Signature",
            ),
            (
                PolicyError::Encoding.into(),
                "MalformedPolicy",
                "Malformed Policy",
            ),
            (Denial::Expired.into(), "AccessDenied", "Access denied"),
            (Denial::Signature.into(), "AccessDenied", "Access denied"),
        ] {
            assert_eq!(refusal.page(), page(code, message));
        }
    }
}
