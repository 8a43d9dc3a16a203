//! Access keys: their ids, their secrets, and what they are for (CP-430..432).

use std::{collections::HashMap, fmt, sync::Arc, time::SystemTime};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{bearer::BearerToken, role::Grants};

/// The alphabet of generated ids: no digit that looks like a letter.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// As many characters as AWS has; 238 bits here.
const SECRET_LENGTH: usize = 40;

/// Something that only its owner and the node know. It is not shown by `Debug`, and wiped when dropped.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    /// SHA-256 of it: what derived keys are cached under, so that a key id that gets another secret leaves nothing behind.
    tag: [u8; 32],
}

impl Secret {
    /// Any text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        let tag = Sha256::digest(text.as_bytes()).into();
        Self { text, tag }
    }

    /// A new one, as long as those of AWS.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random_text(SECRET_ALPHABET, SECRET_LENGTH).map(Self::new)
    }

    /// The text itself, for who has to be shown it once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) const fn tag(&self) -> &[u8; 32] {
        &self.tag
    }

    /// Compares in constant time.
    pub fn is(&self, other: &str) -> bool {
        self.text.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The system has no randomness to give.
#[derive(Debug, Error, Clone, Copy)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// Random characters of an alphabet, all equally likely.
pub(crate) fn random_text(alphabet: &[u8], length: usize) -> Result<String, NoRandomness> {
    let size = u8::try_from(alphabet.len()).unwrap_or(u8::MAX);
    // The largest multiple of the alphabet's size: bytes from there on would favour its first letters.
    let limit = u8::MAX - (u8::MAX % size + 1) % size;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes = Zeroizing::new(random::<64>()?);
        for byte in bytes.iter().filter(|byte| **byte <= limit) {
            if text.len() < length {
                text.push(char::from(alphabet[usize::from(byte % size)]));
            }
        }
    }
    Ok(text)
}

/// The id of an access key (CP-431).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// Why a text is no key id to have here.
#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum KeyIdError {
    /// The form.
    #[error("an access key id has 3 to 128 letters, digits and underscores")]
    Form,
    /// The node's own.
    #[error("this access key id is kept for the node's own links")]
    Reserved,
    /// It looks like a key to a real account at AWS.
    #[error(
        "this looks like a live AWS access key, whose secret has no business here; --yes-really imports it all the same"
    )]
    LooksLive,
}

impl KeyId {
    /// A new id: `FF` and 18 characters.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(format!("FF{}", random_text(ID_ALPHABET, 18)?)))
    }

    /// An id that somebody brings along.
    ///
    /// # Errors
    /// Any that is not 3 to 128 letters, digits and underscores; any that looks like a live key of AWS (`AKIA`, `ASIA`)
    /// unless `yes_really`; the one that links are signed with.
    pub fn import(text: &str, yes_really: bool) -> Result<Self, KeyIdError> {
        let id = Self::try_from(text.to_owned())?;
        if crate::LinkSigner::is_reserved(text) {
            return Err(KeyIdError::Reserved);
        }
        if !yes_really && (text.starts_with("AKIA") || text.starts_with("ASIA")) {
            return Err(KeyIdError::LooksLive);
        }
        Ok(id)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (3..=128).contains(&text.len()) && text.bytes().all(word) {
            Ok(Self(text))
        } else {
            Err(KeyIdError::Form)
        }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An access key, unsealed. [`crate::seal::SealedCredential`] is the form to keep.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The id that requests name.
    pub key_id: KeyId,
    /// What they are signed with.
    pub secret: Secret,
    /// A temporary key comes with a token that has to be presented too (CP-419).
    pub session_token: Option<Secret>,
    /// What it may do, and to what (CP-432).
    pub grants: Arc<Grants>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends, if it does.
    pub expires: Option<SystemTime>,
    /// What its owner calls it.
    pub description: String,
}

impl Credential {
    /// A new key that may do what `grants` says.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate(grants: Grants, now: SystemTime) -> Result<Self, NoRandomness> {
        Ok(Self {
            key_id: KeyId::generate()?,
            secret: Secret::generate()?,
            session_token: None,
            grants: Arc::new(grants),
            created: now,
            expires: None,
            description: String::new(),
        })
    }
}

/// The store of credentials could not be read.
#[derive(Debug, Error)]
#[error("the store of credentials could not be read: {0}")]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// From what went wrong.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Where credentials are kept. Looked up on each request: what is removed there is refused from then on.
pub trait CredentialStore: Send + Sync {
    /// The access key of that id.
    ///
    /// # Errors
    /// It could not be read, or not be unsealed.
    fn credential(&self, key_id: &str) -> Result<Option<Arc<Credential>>, StoreError>;

    /// The bearer token of that id.
    ///
    /// # Errors
    /// It could not be read.
    fn token(&self, id: &str) -> Result<Option<Arc<BearerToken>>, StoreError>;
}

/// Credentials in memory: for `dev` and for tests.
#[derive(Debug, Default)]
pub struct MemoryStore {
    keys: RwLock<HashMap<String, Arc<Credential>>>,
    tokens: RwLock<HashMap<String, Arc<BearerToken>>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, or replaces that of the same id.
    pub fn put(&self, credential: Credential) {
        let id = credential.key_id.as_str().to_owned();
        self.keys.write().insert(id, Arc::new(credential));
    }

    /// Adds a token, or replaces that of the same id.
    pub fn put_token(&self, token: BearerToken) {
        self.tokens
            .write()
            .insert(token.id.clone(), Arc::new(token));
    }

    /// Takes a key or token away. Whether there was one.
    pub fn remove(&self, id: &str) -> bool {
        let key = self.keys.write().remove(id).is_some();
        self.tokens.write().remove(id).is_some() || key
    }

    /// Whether nobody can sign yet.
    pub fn is_empty(&self) -> bool {
        self.keys.read().is_empty() && self.tokens.read().is_empty()
    }
}

impl CredentialStore for MemoryStore {
    fn credential(&self, key_id: &str) -> Result<Option<Arc<Credential>>, StoreError> {
        Ok(self.keys.read().get(key_id).cloned())
    }

    fn token(&self, id: &str) -> Result<Option<Arc<BearerToken>>, StoreError> {
        Ok(self.tokens.read().get(id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_have_their_form_and_imported_ones_theirs() {
        // CP-431
        let id = KeyId::generate().unwrap();
        assert_eq!(id.as_str().len(), 20);
        assert!(id.as_str().starts_with("FF"));
        assert_ne!(id, KeyId::generate().unwrap());
        assert_eq!(KeyId::import(id.as_str(), false), Ok(id));
        for good in ["test", "LKIAQAAAAAAA", "a_1", &"A".repeat(128)] {
            assert_eq!(KeyId::import(good, false).unwrap().as_str(), good);
        }
        for wrong in ["", "ab", "a b", "a/b", "\u{e9}\u{e9}", &"A".repeat(129)] {
            assert_eq!(KeyId::import(wrong, true), Err(KeyIdError::Form));
        }
        assert_eq!(KeyId::import("FF_LINKS", true), Err(KeyIdError::Reserved));
        for live in ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"] {
            assert_eq!(KeyId::import(live, false), Err(KeyIdError::LooksLive));
            assert_eq!(KeyId::import(live, true).unwrap().as_str(), live);
        }
    }

    #[test]
    fn a_secret_is_shown_to_nobody_by_accident() {
        // CP-430
        let credential = Credential::generate(Grants::default(), SystemTime::UNIX_EPOCH).unwrap();
        let shown = format!("{credential:?}");
        assert!(!shown.contains(credential.secret.reveal()), "{shown}");
        assert_eq!(credential.secret.reveal().len(), SECRET_LENGTH);
        assert!(credential.secret.is(credential.secret.reveal()));
        assert!(!credential.secret.is(&credential.secret.reveal()[1..]));
    }

    #[test]
    fn random_text_has_every_letter_of_the_alphabet_about_as_often() {
        let text = random_text(SECRET_ALPHABET, 62_000).unwrap();
        for letter in SECRET_ALPHABET {
            let count = text.bytes().filter(|byte| byte == letter).count();
            // 1000 on average with a deviation of 31: eight deviations away happens to nobody.
            assert!((750..1250).contains(&count), "{letter}: {count}");
        }
        assert_eq!(random_text(b"ab", 9).unwrap().len(), 9);
    }
}
