//! Secrets at rest: sealed under a master key (CP-430).

use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::Mac;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    Credential, KeyId, Secret,
    credential::{NoRandomness, random},
    keys::hmac,
    role::Grants,
};

const VERSION: u8 = 1;
const FINGERPRINT: usize = 8;
const NONCE: usize = 12;
/// The most that is read of a key file.
const LARGEST_KEY_FILE: u64 = 4096;

/// The key that secrets are sealed under. One for a node, or for a fleet.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    /// Which key it is, without telling it: stands in what it sealed, so that a wrong key is told from damage.
    fingerprint: [u8; FINGERPRINT],
}

/// Why there is no master key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// The file could not be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        cause: io::Error,
    },
    /// What is there is not a key.
    #[error(
        "{origin} is not a master key: it takes 32 bytes, as they are, in hexadecimal or in base64"
    )]
    Form {
        /// The file or the variable.
        origin: String,
    },
    /// Others than the owner may read the generated key.
    #[error(
        "{path} can be read by others than its owner: chmod 600 it, and rotate the credentials if somebody may have"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The system has no randomness to give.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl MasterKey {
    /// The key of those bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&derive(bytes.as_slice(), b"fingerprint")[..FINGERPRINT]);
        Self { bytes, fingerprint }
    }

    /// The key in the value of an environment variable of that name, in hexadecimal or base64.
    ///
    /// # Errors
    /// [`MasterKeyError::Form`].
    pub fn from_variable(name: &str, value: &str) -> Result<Self, MasterKeyError> {
        decode_text(value).ok_or_else(|| MasterKeyError::Form {
            origin: format!("the variable {name}"),
        })
    }

    /// The key in a file that the operator names (`admin.master_key_file`, a systemd credential). Who may read the file is
    /// the operator's choice: secrets of orchestrators come with all kinds of modes.
    ///
    /// # Errors
    /// [`MasterKeyError::File`], [`MasterKeyError::Form`].
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let file = |cause| MasterKeyError::File {
            path: path.to_owned(),
            cause,
        };
        let mut bytes = Zeroizing::new(Vec::new());
        fs::File::open(path)
            .map_err(file)?
            .take(LARGEST_KEY_FILE)
            .read_to_end(&mut bytes)
            .map_err(file)?;
        let raw = <[u8; 32]>::try_from(bytes.as_slice())
            .ok()
            .map(Self::from_bytes);
        raw.or_else(|| decode_text(std::str::from_utf8(&bytes).ok()?))
            .ok_or_else(|| MasterKeyError::Form {
                origin: path.display().to_string(),
            })
    }

    /// The key in a file next to the store, which is made if it is not there, for its owner alone (0600). Whether it was
    /// made comes along. Of two that start at once, one makes it and both use it.
    ///
    /// # Errors
    /// As [`MasterKey::from_file`]; [`MasterKeyError::Exposed`] where others may read it.
    pub fn load_or_generate(path: &Path) -> Result<(Self, bool), MasterKeyError> {
        let file = |cause| MasterKeyError::File {
            path: path.to_owned(),
            cause,
        };
        let key = Zeroizing::new(random::<32>()?);
        let mut text = Zeroizing::new(HEXLOWER.encode(&*key));
        text.push('\n');
        let made = match fs::symlink_metadata(path) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match write_private(path, text.as_bytes()) {
                    Ok(()) => true,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                    Err(error) => return Err(file(error)),
                }
            }
            Err(error) => return Err(file(error)),
        };
        let mode = fs::metadata(path).map_err(file)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed {
                path: path.to_owned(),
            });
        }
        Ok((Self::from_file(path)?, made))
    }

    /// A key for another purpose, from which this one cannot be told.
    pub(crate) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        derive(self.bytes.as_slice(), purpose)
    }

    /// Seals a text for one key id and one purpose: it opens for no other.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn seal(&self, key_id: &KeyId, purpose: Purpose, text: &str) -> Result<Sealed, SealError> {
        let nonce = random::<NONCE>()?;
        let aad = associated(key_id, purpose);
        let payload = Payload {
            msg: text.as_bytes(),
            aad: &aad,
        };
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError::TooLong)?;
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.fingerprint);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(Sealed(STANDARD.encode(out)))
    }

    /// Opens what [`MasterKey::seal`] closed.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] if another key sealed it, [`SealError::Damaged`] if it was changed, or sealed for another key
    /// id or purpose.
    pub fn unseal(
        &self,
        key_id: &KeyId,
        purpose: Purpose,
        sealed: &Sealed,
    ) -> Result<Secret, SealError> {
        let bytes = STANDARD.decode(&sealed.0).map_err(|_| SealError::Damaged)?;
        let (version, rest) = bytes.split_first().ok_or(SealError::Damaged)?;
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        let (fingerprint, rest) = rest
            .split_at_checked(FINGERPRINT)
            .ok_or(SealError::Damaged)?;
        if fingerprint != self.fingerprint {
            return Err(SealError::WrongKey);
        }
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE>()
            .ok_or(SealError::Damaged)?;
        let aad = associated(key_id, purpose);
        let payload = Payload {
            msg: sealed,
            aad: &aad,
        };
        let text = self
            .cipher()
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| SealError::Damaged)?;
        String::from_utf8(text)
            .map(Secret::new)
            .map_err(|_| SealError::Damaged)
    }

    /// Keys for sealing are apart from those for anything else. Nonces are random: 2^32 seals before they may meet.
    fn cipher(&self) -> Aes256Gcm {
        let key = Zeroizing::new(self.derive(b"seal"));
        Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&*key))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", HEXLOWER.encode(&self.fingerprint))
    }
}

fn derive(key: &[u8], purpose: &[u8]) -> [u8; 32] {
    let mut mac = hmac(key);
    mac.update(b"fourfront master key v1\0");
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

fn decode_text(text: &str) -> Option<MasterKey> {
    let text = text.trim().as_bytes();
    let bytes = HEXLOWER_PERMISSIVE
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() == 32)
        .or_else(|| STANDARD.decode(text).ok())?;
    <[u8; 32]>::try_from(bytes).ok().map(MasterKey::from_bytes)
}

/// Writes a file that only its owner may read, all or nothing, unless there is one already.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Temporary files are made with 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

/// Writes the first admin key to `path` (`<data>/bootstrap-credentials`), for its owner alone (0600; CP-430). The form is that
/// of the AWS CLI's credentials file, so that `AWS_SHARED_CREDENTIALS_FILE` can name it.
///
/// # Errors
/// The file cannot be written, or is there already: keys that somebody may be using are not replaced.
pub fn write_bootstrap(path: &Path, credential: &Credential) -> io::Result<()> {
    let text = Zeroizing::new(format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        credential.key_id,
        credential.secret.reveal()
    ));
    write_private(path, text.as_bytes())
}

/// What a sealed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The secret of an access key.
    Secret,
    /// Its session token.
    SessionToken,
}

fn associated(key_id: &KeyId, purpose: Purpose) -> Vec<u8> {
    let purpose: &[u8] = match purpose {
        Purpose::Secret => b"secret",
        Purpose::SessionToken => b"session token",
    };
    [
        b"fourfront credential v1\0",
        purpose,
        b"\0",
        key_id.as_str().as_bytes(),
    ]
    .concat()
}

/// A sealed text: version, which master key, nonce and ciphertext in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

/// Why something does not open, or close.
#[derive(Debug, Error, Clone, Copy)]
#[non_exhaustive]
pub enum SealError {
    /// Another master key sealed it.
    #[error("sealed under another master key than this node has")]
    WrongKey,
    /// It was changed, or belongs to another key id.
    #[error("a sealed secret is damaged, or is not that of its key id")]
    Damaged,
    /// A newer node sealed it.
    #[error("sealed in version {0} of the format, which this node does not know")]
    Version(u8),
    /// More than can be sealed.
    #[error("too long to seal")]
    TooLong,
    /// The system has no randomness to give.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// An access key in the form to keep: all but the secrets can be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealedCredential {
    /// As in [`Credential`].
    pub key_id: KeyId,
    secret: Sealed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_token: Option<Sealed>,
    /// As in [`Credential`].
    pub grants: Grants,
    /// As in [`Credential`].
    #[serde(with = "crate::moment::seconds")]
    pub created: SystemTime,
    /// As in [`Credential`].
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::moment::seconds::optional"
    )]
    pub expires: Option<SystemTime>,
    /// As in [`Credential`].
    #[serde(default)]
    pub description: String,
}

impl Credential {
    /// The form to keep.
    ///
    /// # Errors
    /// As [`MasterKey::seal`].
    pub fn seal(&self, master: &MasterKey) -> Result<SealedCredential, SealError> {
        let token =
            |token: &Secret| master.seal(&self.key_id, Purpose::SessionToken, token.reveal());
        Ok(SealedCredential {
            key_id: self.key_id.clone(),
            secret: master.seal(&self.key_id, Purpose::Secret, self.secret.reveal())?,
            session_token: self.session_token.as_ref().map(token).transpose()?,
            grants: Grants::clone(&self.grants),
            created: self.created,
            expires: self.expires,
            description: self.description.clone(),
        })
    }
}

impl SealedCredential {
    /// The key itself.
    ///
    /// # Errors
    /// As [`MasterKey::unseal`].
    pub fn unseal(&self, master: &MasterKey) -> Result<Credential, SealError> {
        let token = |token: &Sealed| master.unseal(&self.key_id, Purpose::SessionToken, token);
        Ok(Credential {
            key_id: self.key_id.clone(),
            secret: master.unseal(&self.key_id, Purpose::Secret, &self.secret)?,
            session_token: self.session_token.as_ref().map(token).transpose()?,
            grants: Arc::new(self.grants.clone()),
            created: self.created,
            expires: self.expires,
            description: self.description.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        let mut made = Credential::generate(Grants::default(), SystemTime::UNIX_EPOCH).unwrap();
        made.session_token = Some(Secret::new("token"));
        made
    }

    #[test]
    fn a_credential_comes_back_from_its_document_and_only_with_the_key() {
        // CP-430
        let master = MasterKey::from_bytes([1; 32]);
        let made = credential();
        let kept = serde_json::to_string(&made.seal(&master).unwrap()).unwrap();
        assert!(
            !kept.contains(made.secret.reveal()) && !kept.contains("\"token\""),
            "{kept}"
        );
        let read: SealedCredential = serde_json::from_str(&kept).unwrap();
        let back = read.unseal(&master).unwrap();
        assert!(back.secret.is(made.secret.reveal()));
        assert!(back.session_token.unwrap().is("token"));
        let other = MasterKey::from_bytes([2; 32]);
        assert!(matches!(read.unseal(&other), Err(SealError::WrongKey)));
    }

    #[test]
    fn a_sealed_secret_opens_for_its_key_id_and_purpose_alone() {
        // CP-430: bound to the key id and the purpose, two seals of one text differ, and any changed bit is found
        let master = MasterKey::from_bytes([1; 32]);
        let (id, other) = (KeyId::generate().unwrap(), KeyId::generate().unwrap());
        let sealed = master.seal(&id, Purpose::Secret, "s").unwrap();
        assert_ne!(sealed, master.seal(&id, Purpose::Secret, "s").unwrap());
        assert!(
            master
                .unseal(&id, Purpose::Secret, &sealed)
                .unwrap()
                .is("s")
        );
        assert!(master.unseal(&other, Purpose::Secret, &sealed).is_err());
        assert!(master.unseal(&id, Purpose::SessionToken, &sealed).is_err());
        let bytes = STANDARD.decode(&sealed.0).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = Sealed(STANDARD.encode(changed));
            assert!(
                master.unseal(&id, Purpose::Secret, &changed).is_err(),
                "bit {bit}"
            );
        }
        for length in 0..bytes.len() {
            let cut = Sealed(STANDARD.encode(&bytes[..length]));
            assert!(
                master.unseal(&id, Purpose::Secret, &cut).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn a_master_key_is_made_once_and_for_its_owner_alone() {
        // CP-430
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let (first, made) = MasterKey::load_or_generate(&path).unwrap();
        assert!(made);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let (second, made) = MasterKey::load_or_generate(&path).unwrap();
        assert!(!made);
        assert_eq!(first.bytes, second.bytes);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = MasterKey::load_or_generate(&path);
        assert!(matches!(refused, Err(MasterKeyError::Exposed { .. })));
        assert_eq!(MasterKey::from_file(&path).unwrap().bytes, first.bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_master_key_is_read_in_three_forms_and_in_no_other() {
        // CP-430
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = [0xab; 32];
        let (hex, base64) = (HEXLOWER.encode(&key), STANDARD.encode(key));
        for good in [
            key.to_vec(),
            format!("{hex}\n").into_bytes(),
            base64.clone().into_bytes(),
        ] {
            fs::write(&path, good).unwrap();
            assert_eq!(*MasterKey::from_file(&path).unwrap().bytes, key);
        }
        assert_eq!(*MasterKey::from_variable("K", &base64).unwrap().bytes, key);
        for wrong in ["", "secret", &hex[2..], &format!("{hex}00")] {
            fs::write(&path, wrong).unwrap();
            assert!(
                matches!(
                    MasterKey::from_file(&path),
                    Err(MasterKeyError::Form { .. })
                ),
                "{wrong}"
            );
            assert!(MasterKey::from_variable("K", wrong).is_err());
        }
    }

    #[test]
    fn bootstrap_credentials_are_private_and_not_replaced() {
        // CP-430
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap-credentials");
        let first = credential();
        write_bootstrap(&path, &first).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = write_bootstrap(&path, &credential()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(first.secret.reveal()) && text.contains(first.key_id.as_str()));
    }
}
