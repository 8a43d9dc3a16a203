//! What signed URLs and signed cookies are to a behaviour (CF-185, CF-194).

use fourfront_model::{CacheBehavior, SIGNED_COOKIES, SIGNED_URL_PARAMETERS};

/// What becomes of the parameters and cookies that a signature is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signatures {
    /// They are parameters and cookies like others, but for the cookies, which never come into a key (CF-194).
    #[default]
    Ordinary,
    /// The node judges them and takes them out: all authorised viewers share what is stored (CF-577), and the origin sees
    /// none of them (CF-185, AMB-09).
    Taken,
}

impl Signatures {
    /// What they are to a behaviour.
    pub fn of(behavior: &CacheBehavior) -> Self {
        if behavior.wants_signature() {
            Self::Taken
        } else {
            Self::Ordinary
        }
    }

    /// Whether that parameter of a query is left, by its raw name (CF-185).
    pub(super) fn leaves_parameter(self, name: &[u8]) -> bool {
        self == Self::Ordinary || !SIGNED_URL_PARAMETERS.iter().any(|n| n.as_bytes() == name)
    }

    /// Whether that cookie is left for the origin (CF-194).
    pub(super) fn leaves_cookie(self, name: &[u8]) -> bool {
        self == Self::Ordinary || !is_signed_cookie(name)
    }
}

/// Whether a cookie is one of a signature, which never enters the key (CF-194).
pub(super) fn is_signed_cookie(name: &[u8]) -> bool {
    SIGNED_COOKIES.iter().any(|n| n.as_bytes() == name)
}
