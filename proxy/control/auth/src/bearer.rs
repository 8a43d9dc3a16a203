//! Bearer tokens of the native API: `ff_<id>_<secret>` (CP-402). Only their hash is kept (CP-430).

use std::time::SystemTime;

use data_encoding::HEXLOWER;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    AuthFault,
    credential::{NoRandomness, random_text},
    presented::single,
    role::Grants,
};

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 40;

/// What is kept of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BearerToken {
    /// Its id, which is no secret.
    pub id: String,
    /// SHA-256 of all of it, in hexadecimal. The secret has 238 bits, so that no slow hash is needed.
    sha256: String,
    /// What it may do.
    pub grants: Grants,
    /// When it was made.
    #[serde(with = "crate::moment::seconds")]
    pub created: SystemTime,
    /// When it ends, if it does.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::moment::seconds::optional"
    )]
    pub expires: Option<SystemTime>,
    /// What its owner calls it.
    pub description: String,
}

impl BearerToken {
    /// A new token: what to keep, and the text to show once.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate(
        grants: Grants,
        now: SystemTime,
    ) -> Result<(Self, Zeroizing<String>), NoRandomness> {
        let id = random_text(ALPHABET, ID_LENGTH)?;
        let secret = Zeroizing::new(random_text(ALPHABET, SECRET_LENGTH)?);
        let text = Zeroizing::new(format!("ff_{id}_{}", *secret));
        let token = Self {
            id,
            sha256: HEXLOWER.encode(&Sha256::digest(text.as_bytes())),
            grants,
            created: now,
            expires: None,
            description: String::new(),
        };
        Ok((token, text))
    }
}

/// A token that a request presents, not yet judged.
#[derive(Debug)]
pub struct PresentedToken {
    id: String,
    sha256: String,
}

/// Reads the bearer token of a request; `None` where it has none.
///
/// # Errors
/// [`AuthFault::Malformed`] for a bearer token in another form than ours.
pub fn presented(headers: &HeaderMap) -> Result<Option<PresentedToken>, AuthFault> {
    let Some((scheme, text)) = single(headers, &header::AUTHORIZATION, "authorization")?
        .and_then(|value| value.split_once(' '))
    else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let text = text.trim();
    let good =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match text.split('_').collect::<Vec<_>>().as_slice() {
        ["ff", id, secret] if good(id) && good(secret) => Ok(Some(PresentedToken {
            id: (*id).to_owned(),
            sha256: HEXLOWER.encode(&Sha256::digest(text.as_bytes())),
        })),
        _ => Err(AuthFault::Malformed(
            "a bearer token here is ff_<id>_<secret>",
        )),
    }
}

impl PresentedToken {
    /// The id to look it up by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is that token, and still good.
    ///
    /// # Errors
    /// [`AuthFault::UnknownKey`] for another secret, [`AuthFault::TokenExpired`] for one that has ended.
    pub fn verify(&self, token: &BearerToken, now: SystemTime) -> Result<(), AuthFault> {
        let same = self.id == token.id
            && bool::from(self.sha256.as_bytes().ct_eq(token.sha256.as_bytes()));
        if !same {
            return Err(AuthFault::UnknownKey);
        }
        if token.expires.is_some_and(|end| end <= now) {
            return Err(AuthFault::TokenExpired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        // CP-402, CP-430
        let now = SystemTime::UNIX_EPOCH;
        let (mut token, text) = BearerToken::generate(Grants::default(), now).unwrap();
        let kept = serde_json::to_string(&token).unwrap();
        assert!(!kept.contains(text.rsplit('_').next().unwrap()));
        let given = presented(&with(&format!("bearer {}", *text)))
            .unwrap()
            .unwrap();
        assert_eq!(given.id(), token.id);
        assert!(given.verify(&token, now).is_ok());
        token.expires = Some(now + Duration::from_secs(5));
        assert!(given.verify(&token, now + Duration::from_secs(4)).is_ok());
        assert!(matches!(
            given.verify(&token, now + Duration::from_secs(5)),
            Err(AuthFault::TokenExpired)
        ));
        let last = if text.ends_with('a') { 'b' } else { 'a' };
        let other = format!("Bearer {}{last}", &text[..text.len() - 1]);
        let other = presented(&with(&other)).unwrap().unwrap();
        assert!(matches!(
            other.verify(&token, now),
            Err(AuthFault::UnknownKey)
        ));
    }

    #[test]
    fn other_forms_are_refused_and_other_schemes_left_alone() {
        // CP-402
        for wrong in [
            "Bearer x",
            "Bearer ff_a",
            "Bearer ff__b",
            "Bearer ff_a_b_c",
            "Bearer gg_a_b",
            "Bearer ff_a_b c",
        ] {
            assert!(
                matches!(presented(&with(wrong)), Err(AuthFault::Malformed(_))),
                "{wrong}"
            );
        }
        assert!(
            presented(&with("AWS4-HMAC-SHA256 Credential=x"))
                .unwrap()
                .is_none()
        );
        assert!(presented(&HeaderMap::new()).unwrap().is_none());
    }
}
