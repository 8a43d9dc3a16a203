//! What a document is.

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What a document is, as a stable text in the store.
        ///
        /// A kind that this version does not know is kept as [`Kind::Other`], so that a node which was a newer one for
        /// a while loses nothing.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
            /// Of another version.
            Other(OtherKind),
        }

        impl Kind {
            /// Every kind that this version knows.
            pub const KNOWN: &[Self] = &[$(Self::$variant),*];

            /// The text in the store and on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(other) => &other.0,
                }
            }
        }

        impl FromStr for Kind {
            type Err = InvalidKind;

            fn from_str(text: &str) -> Result<Self, InvalidKind> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ if is_kind(text) => Ok(Self::Other(OtherKind(text.into()))),
                    _ => Err(InvalidKind),
                }
            }
        }
    };
}

kinds! {
    /// A function of Lambda: its configuration and unpublished code.
    Lambda = "lambda",
    /// A published version of one.
    LambdaVersion = "lambda-version",
    /// An alias of one.
    LambdaAlias = "lambda-alias",
    /// A distribution.
    Distribution = "distribution",
    /// A streaming distribution.
    StreamingDistribution = "streaming-distribution",
    /// An invalidation, while its history is kept (CP-142).
    Invalidation = "invalidation",
    /// A cache policy.
    CachePolicy = "cache-policy",
    /// An origin request policy.
    OriginRequestPolicy = "origin-request-policy",
    /// A response headers policy.
    ResponseHeadersPolicy = "response-headers-policy",
    /// An origin access control.
    OriginAccessControl = "origin-access-control",
    /// An origin access identity.
    OriginAccessIdentity = "origin-access-identity",
    /// A public key of signers.
    PublicKey = "public-key",
    /// A key group of them.
    KeyGroup = "key-group",
    /// A continuous deployment policy.
    ContinuousDeploymentPolicy = "continuous-deployment-policy",
    /// A CloudFront Function, both stages.
    CloudfrontFunction = "cloudfront-function",
    /// A key-value store's management side; its data is not a document.
    KeyValueStore = "key-value-store",
    /// A role that tools believe they need.
    Role = "role",
    /// A certificate.
    Certificate = "certificate",
    /// Tags of a resource.
    Tags = "tags",
    /// The node's site file as last applied.
    Site = "site",
    /// A release (CP-513).
    Release = "release",
    /// What is public of a credential: roles and restrictions. Its secret is in the table of sealed ones.
    Credential = "credential",
    /// A setting that is changed while the node runs.
    Setting = "setting",
    /// A group of log streams that somebody made or deleted; its lines are the node's.
    LogGroup = "log-group",
}

/// The text of a kind that this version does not know. Only [`Kind::from_str`] makes one, so a known kind has one form.
#[derive(Clone, Debug)]
pub struct OtherKind(Arc<str>);

/// A kind is 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind is 1 to 64 of a-z, 0-9 and -")]
pub struct InvalidKind;

fn is_kind(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl hash::Hash for Kind {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back_as_what_they_were() {
        // CP-560: the texts are in every store there is, so they never change.
        for kind in Kind::KNOWN {
            assert_eq!(Kind::from_str(kind.as_str()).as_ref(), Ok(kind));
            assert!(!matches!(
                Kind::from_str(kind.as_str()).unwrap(),
                Kind::Other(_)
            ));
        }
        assert_eq!(
            Kind::from_str("of-2031").unwrap().as_str(),
            "of-2031",
            "kinds of newer versions are kept"
        );
        for wrong in ["", "Lambda", "a b", "a\0", &"a".repeat(65)] {
            assert_eq!(Kind::from_str(wrong), Err(InvalidKind));
        }
    }
}
