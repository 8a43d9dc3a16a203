//! From a secret to what signatures are made with: the chain of SigV4 and the key pair of SigV4a (CP-417, CP-418).

use hmac::{Hmac, Mac};
use moka::sync::Cache;
use p256::{
    FieldBytes,
    ecdsa::{SigningKey, VerifyingKey},
    elliptic_curve::{
        Curve,
        bigint::{ArrayEncoding, U256},
    },
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Secret, credential::Credential};

/// HMAC with SHA-256.
pub(crate) type HmacSha256 = Hmac<Sha256>;

/// An HMAC keyed with anything.
pub(crate) fn hmac(key: &[u8]) -> HmacSha256 {
    <HmacSha256 as Mac>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

fn hmac_of(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = hmac(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The key that SigV4 signs with on one day, in one region, for one service.
fn derive_hmac(secret: &Secret, day: &str, region: &str, service: &str) -> [u8; 32] {
    let first = Zeroizing::new(format!("AWS4{}", secret.reveal()));
    let mut key = hmac_of(first.as_bytes(), day.as_bytes());
    for part in [region, service, "aws4_request"] {
        key = hmac_of(&key, part.as_bytes());
    }
    key
}

/// The key pair that SigV4a signs with: a scalar made of the secret and the key's id (NIST SP 800-108 in counter mode, then
/// FIPS 186-4 B.4.2). `None` if none of 254 tries gives one, which happens to nobody: each fails once in 2^32.
pub(crate) fn derive_ecdsa(secret: &Secret, key_id: &str) -> Option<SigningKey> {
    let key = Zeroizing::new(format!("AWS4A{}", secret.reveal()));
    let limit = p256::NistP256::ORDER.wrapping_sub(&U256::from_u8(2));
    (1..=254_u8).find_map(|counter| {
        let mut mac = hmac(key.as_bytes());
        mac.update(&1_u32.to_be_bytes());
        mac.update(b"AWS4-ECDSA-P256-SHA256\0");
        mac.update(key_id.as_bytes());
        mac.update(&[counter]);
        mac.update(&256_u32.to_be_bytes());
        let candidate = U256::from_be_byte_array(mac.finalize().into_bytes());
        if candidate > limit {
            return None;
        }
        let scalar: FieldBytes = candidate.wrapping_add(&U256::ONE).to_be_byte_array();
        SigningKey::from_bytes(&scalar).ok()
    })
}

#[derive(PartialEq, Eq, Hash)]
struct Scope {
    secret: [u8; 32],
    day: String,
    region: String,
    service: String,
}

/// Derived keys of late, so that a signature costs one HMAC or one verification.
///
/// They are found by the secret and not by the key's id: an id that is given another secret starts afresh. What a stranger
/// sends is not kept, because only keys that have proven a signature are.
#[derive(Debug)]
pub(crate) struct KeyCache {
    hmac: Cache<Scope, [u8; 32]>,
    ecdsa: Cache<([u8; 32], String), VerifyingKey>,
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scope(..)")
    }
}

impl KeyCache {
    /// A cache of at most `entries` keys of each kind.
    pub(crate) fn new(entries: u64) -> Self {
        Self {
            hmac: Cache::new(entries),
            ecdsa: Cache::new(entries),
        }
    }

    /// The key of SigV4, and what keeps it for the next time.
    pub(crate) fn hmac(
        &self,
        secret: &Secret,
        day: &str,
        region: &str,
        service: &str,
    ) -> ([u8; 32], impl FnOnce() + use<'_>) {
        let scope = Scope {
            secret: *secret.tag(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        };
        let cached = self.hmac.get(&scope);
        let key = cached.unwrap_or_else(|| derive_hmac(secret, day, region, service));
        let keep = move || {
            if cached.is_none() {
                self.hmac.insert(scope, key);
            }
        };
        (key, keep)
    }

    /// The public key of SigV4a, and what keeps it for the next time.
    pub(crate) fn ecdsa(
        &self,
        credential: &Credential,
    ) -> Option<(VerifyingKey, impl FnOnce() + use<'_>)> {
        let of = (*credential.secret.tag(), credential.key_id.to_string());
        let cached = self.ecdsa.get(&of);
        let derive = || {
            derive_ecdsa(&credential.secret, credential.key_id.as_str())
                .map(|pair| *pair.verifying_key())
        };
        let known = cached.is_some();
        let key = cached.or_else(derive)?;
        let keep = move || {
            if !known {
                self.ecdsa.insert(of, key);
            }
        };
        Some((key, keep))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> (u64, u64) {
        self.hmac.run_pending_tasks();
        self.ecdsa.run_pending_tasks();
        (self.hmac.entry_count(), self.ecdsa.entry_count())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn the_chain_gives_the_documented_key() {
        // CP-417: the example of AWS's documentation on deriving a signing key
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = derive_hmac(&secret, "20120215", "us-east-1", "iam");
        assert_eq!(
            HEXLOWER.encode(&key),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
    }

    #[test]
    fn the_pair_is_the_one_that_sdks_derive() {
        // CP-418: the example in the tests of the SDKs' common runtime (aws-c-auth)
        let secret = Secret::new("q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom");
        let pair = derive_ecdsa(&secret, "AKISORANDOMAASORANDOM").unwrap();
        assert_eq!(
            HEXLOWER.encode(&pair.to_bytes()),
            "7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd"
        );
    }

    #[test]
    fn keys_are_kept_when_told_to_and_no_more_than_the_bound() {
        // CP-417, CP-418: kept once proven, and not beyond the bound
        let cache = KeyCache::new(8);
        let secret = Secret::new("s");
        let (key, _) = cache.hmac(&secret, "20261124", "us-east-1", "lambda");
        assert_eq!(cache.len(), (0, 0));
        for day in 0..100 {
            let (_, keep) = cache.hmac(&secret, &day.to_string(), "us-east-1", "lambda");
            keep();
        }
        assert!((1..=8).contains(&cache.len().0), "{:?}", cache.len());
        let (again, keep) = cache.hmac(&secret, "20261124", "us-east-1", "lambda");
        keep();
        assert_eq!(key, again);
        let (other, _) = cache.hmac(&Secret::new("t"), "20261124", "us-east-1", "lambda");
        assert_ne!(key, other);
    }
}
