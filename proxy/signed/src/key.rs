//! Public keys: which kinds there are, and whether a signature is one's (CF-574).
//!
//! The cryptography is AWS-LC's by `aws-lc-rs`, which is in the tree below rustls already. It alone has all four of RSA and
//! ECDSA with SHA-1 and SHA-256 behind one interface; `ring` has no ECDSA with SHA-1, and `rsa` and `p256` are two
//! interfaces, which are here only because the engine's Node modules need them.

use std::collections::BTreeMap;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rsa,
    signature::{
        ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1,
        ECDSA_P521_SHA256_ASN1, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        VerificationAlgorithm,
    },
};
use bytes::Bytes;
use fourfront_model::{KeyGroup, KeyKind, PublicKey};
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use crate::{credentials::Hash, refusal::Denial};

/// Why something is no public key that signatures can be checked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is no PEM, or there is no `PUBLIC KEY` in it.
    #[error("there is no `-----BEGIN PUBLIC KEY-----` in it")]
    NoKey,
    /// There is more than one block in it.
    #[error("there is more in it than one public key")]
    SeveralBlocks,
    /// It has a private key, which no node should have.
    #[error("it holds a private key: give the public one alone")]
    Private,
    /// It is a key of another kind.
    #[error("it is {0}; signatures are checked with RSA keys of 2048 bits and ECDSA keys on P-256")]
    Kind(String),
    /// It is a key of the right kind that cannot be one.
    #[error("it cannot be read as a public key")]
    Damaged,
}

/// Reads a public key as CloudFront takes it: one PEM block `PUBLIC KEY`, RSA of 2048 bits or ECDSA on P-256 (CF-574).
/// Gives its kind and its DER.
///
/// # Errors
/// [`KeyError`].
pub fn read_public_key(pem: &[u8]) -> Result<(KeyKind, Bytes), KeyError> {
    let mut sections = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        sections.push(section.map_err(|_| KeyError::NoKey)?);
    }
    let is_private = |kind: &SectionKind| {
        matches!(
            kind,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
        )
    };
    if sections.iter().any(|(kind, _)| is_private(kind)) {
        return Err(KeyError::Private);
    }
    match sections.as_slice() {
        [(SectionKind::PublicKey, der)] => {
            let kind = kind_of(der)?;
            Ok((kind, Bytes::copy_from_slice(der)))
        }
        [] | [_] => Err(KeyError::NoKey),
        _ => Err(KeyError::SeveralBlocks),
    }
}

fn kind_of(der: &[u8]) -> Result<KeyKind, KeyError> {
    // The library also takes forms that are no `SubjectPublicKeyInfo`, which is a sequence that begins with one.
    if !begins_with_two_sequences(der) {
        return Err(KeyError::Damaged);
    }
    if let Ok(key) = rsa::PublicKey::from_der(der) {
        let encoded: PublicKeyX509Der<'_> = key.as_der().map_err(|_| KeyError::Damaged)?;
        if encoded.as_ref() != der {
            return Err(KeyError::Damaged);
        }
        let modulus = key.modulus();
        let bits = bit_length(modulus.big_endian_without_leading_zero());
        return match bits {
            2048 => Ok(KeyKind::Rsa2048),
            bits => Err(KeyError::Kind(format!("an RSA key of {bits} bits"))),
        };
    }
    if ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).is_ok() {
        return Ok(KeyKind::EcdsaP256);
    }
    let others: [(&'static dyn VerificationAlgorithm, &str); 3] = [
        (&ECDSA_P384_SHA256_ASN1, "an ECDSA key on P-384"),
        (&ECDSA_P521_SHA256_ASN1, "an ECDSA key on P-521"),
        (&ED25519, "an Ed25519 key"),
    ];
    for (algorithm, name) in others {
        if ParsedPublicKey::new(algorithm, der).is_ok() {
            return Err(KeyError::Kind(name.to_owned()));
        }
    }
    Err(KeyError::Damaged)
}

/// Whether the content of a DER sequence begins with another one.
fn begins_with_two_sequences(der: &[u8]) -> bool {
    let content = match der {
        [0x30, length, rest @ ..] if *length < 0x80 => rest,
        [0x30, length, rest @ ..] => rest.get(usize::from(*length & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    content.first() == Some(&0x30)
}

fn bit_length(number: &[u8]) -> usize {
    number
        .first()
        .map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// A key, ready to check signatures.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    sha1: ParsedPublicKey,
    sha256: ParsedPublicKey,
}

impl VerifyingKey {
    /// # Errors
    /// [`KeyError::Damaged`] when it is no key of its kind, which [`read_public_key`] has made sure of.
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        let algorithms: [&'static dyn VerificationAlgorithm; 2] = match key.kind {
            KeyKind::Rsa2048 => [
                &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                &RSA_PKCS1_2048_8192_SHA256,
            ],
            KeyKind::EcdsaP256 => [&ECDSA_P256_SHA1_ASN1, &ECDSA_P256_SHA256_ASN1],
        };
        let [sha1, sha256] = algorithms;
        let parsed =
            |algorithm| ParsedPublicKey::new(algorithm, &key.der).map_err(|_| KeyError::Damaged);
        Ok(Self {
            sha1: parsed(sha1)?,
            sha256: parsed(sha256)?,
        })
    }

    /// Whether a signature over a text is this key's (CF-574).
    ///
    /// # Errors
    /// [`Denial::Signature`].
    pub fn verify(&self, hash: Hash, text: &[u8], signature: &[u8]) -> Result<(), Denial> {
        let key = match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        };
        key.verify_sig(text, signature)
            .map_err(|_| Denial::Signature)
    }
}

/// The keys that a behaviour trusts, by id.
#[derive(Clone, Debug)]
pub struct TrustedKeys(BTreeMap<Box<[u8]>, VerifyingKey>);

impl TrustedKeys {
    /// All keys of some groups (CF-070, CF-574).
    ///
    /// # Errors
    /// The name of a key that cannot be used, and why.
    pub fn new<'g>(
        groups: impl IntoIterator<Item = &'g KeyGroup>,
    ) -> Result<Self, (String, KeyError)> {
        let mut keys = BTreeMap::new();
        for key in groups.into_iter().flat_map(|group| &group.keys) {
            let ready = VerifyingKey::new(key).map_err(|e| (key.name.clone(), e))?;
            keys.insert(key.id.as_bytes().into(), ready);
        }
        Ok(Self(keys))
    }

    /// The key of that id, if it is trusted.
    pub(crate) fn find(&self, id: &[u8]) -> Option<&VerifyingKey> {
        self.0.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_bits() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0x80, 0]), 16);
        assert_eq!(bit_length(&[0x01, 0, 0]), 17);
    }

    #[test]
    fn what_is_no_pem_of_a_public_key_is_refused() {
        // CF-574
        for (pem, want) in [
            ("", KeyError::NoKey),
            ("MIIBIjANBgkq", KeyError::NoKey),
            ("-----BEGIN PUBLIC KEY-----\n", KeyError::NoKey),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                KeyError::Damaged,
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                KeyError::NoKey,
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                KeyError::Private,
            ),
        ] {
            assert_eq!(read_public_key(pem.as_bytes()), Err(want), "{pem}");
        }
    }
}
