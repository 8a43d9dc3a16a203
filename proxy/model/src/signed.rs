//! Public keys that viewers' signatures are checked with, the groups that behaviours trust, and the names under
//! which viewers send what was signed (CF section 6.8).

use std::sync::Arc;

use bytes::Bytes;

/// Parameters of a signed URL (CF-562). With trusted key groups they come neither into the key nor to the origin
/// (CF-185).
pub const SIGNED_URL_PARAMETERS: [&str; 5] = [
    "Expires",
    "Policy",
    "Signature",
    "Key-Pair-Id",
    "Hash-Algorithm",
];

/// Signed cookies (CF-563), which never come into the key (CF-194).
pub const SIGNED_COOKIES: [&str; 5] = [
    "CloudFront-Expires",
    "CloudFront-Policy",
    "CloudFront-Signature",
    "CloudFront-Key-Pair-Id",
    "CloudFront-Hash-Algorithm",
];

/// What kind of key it is: CloudFront has these two (CF-574).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of 2048 bits; signatures are PKCS#1 v1.5.
    Rsa2048,
    /// ECDSA on P-256; signatures are DER.
    EcdsaP256,
}

/// One public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// What signers send as `Key-Pair-Id`.
    pub id: String,
    /// Its name, for messages.
    pub name: String,
    /// Its kind.
    pub kind: KeyKind,
    /// Its `SubjectPublicKeyInfo` in DER.
    pub der: Bytes,
}

/// Without the key itself, which says nothing to a reader.
impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Keys that are trusted together (CF-070). INVARIANT: there is at least one, kept by the loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGroup {
    /// Its id.
    pub id: String,
    /// Its name, for messages.
    pub name: String,
    /// Its keys.
    pub keys: Vec<Arc<PublicKey>>,
}
