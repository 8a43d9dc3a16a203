//! The keys of a node: sealed in its store, unsealed as requests come (CP-430..432).

use std::{path::Path, sync::Arc, time::SystemTime};

use fourfront_auth::{
    BearerToken, Credential, CredentialStore, Grants, MasterKey, SealedCredential, StoreError,
    seal::write_bootstrap,
};
use fourfront_store::Store;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ApiError, time};

/// What the store keeps of a key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Key(SealedCredential),
    Token(BearerToken),
}

/// The keys of a node.
pub struct Keychain {
    store: Store,
    master: MasterKey,
}

impl std::fmt::Debug for Keychain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keychain").finish_non_exhaustive()
    }
}

/// What a list tells of a key: nothing that opens anything.
#[derive(Clone, Debug, Serialize)]
pub struct KeyInfo {
    /// Its id.
    pub id: String,
    /// `key` or `token`.
    pub kind: &'static str,
    /// What it may do.
    pub grants: Grants,
    /// What its owner calls it.
    pub description: String,
    /// When it ends, if it does, as `2026-11-22T23:58:11.990Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// A key in the place of another.
pub(super) struct Rotated {
    pub(super) id: String,
    /// `secret` or `token`.
    pub(super) kind_of_secret: &'static str,
    /// What is told of it once.
    pub(super) secret: Zeroizing<String>,
}

impl Keychain {
    /// The keys in a store, sealed with this key.
    pub const fn new(store: Store, master: MasterKey) -> Self {
        Self { store, master }
    }

    /// Whether nobody can sign yet.
    pub fn is_empty(&self) -> bool {
        self.store.credentials().is_empty()
    }

    /// Keeps a key.
    ///
    /// # Errors
    /// It cannot be sealed or written.
    pub fn put(&self, credential: &Credential, now: SystemTime) -> Result<(), ApiError> {
        let sealed = credential
            .seal(&self.master)
            .map_err(|e| ApiError::internal(e.to_string()))?;
        let id = credential.key_id.to_string();
        self.keep(&id, &Kept::Key(sealed), now)
    }

    /// Keeps a bearer token.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_token(&self, token: BearerToken, now: SystemTime) -> Result<(), ApiError> {
        let id = token.id.clone();
        self.keep(&id, &Kept::Token(token), now)
    }

    fn keep(&self, id: &str, kept: &Kept, now: SystemTime) -> Result<(), ApiError> {
        let bytes = serde_json::to_vec(kept).map_err(|e| ApiError::internal(e.to_string()))?;
        self.store
            .credential_put(id, bytes.into(), time::millis(now))?;
        Ok(())
    }

    /// Removes a key or token. Whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, id: &str) -> Result<bool, ApiError> {
        Ok(self.store.credential_remove(id)?)
    }

    /// All keys, by id.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn list(&self) -> Result<Vec<KeyInfo>, ApiError> {
        let all = self.store.credentials();
        all.iter()
            .map(|(id, kept)| {
                let kept = read(&kept.sealed).map_err(|e| ApiError::internal(e.to_string()))?;
                Ok(match kept {
                    Kept::Key(key) => KeyInfo {
                        id: id.to_string(),
                        kind: "key",
                        grants: key.grants,
                        description: key.description,
                        expires: key.expires.map(shown),
                    },
                    Kept::Token(token) => KeyInfo {
                        id: id.to_string(),
                        kind: "token",
                        grants: token.grants,
                        description: token.description,
                        expires: token.expires.map(shown),
                    },
                })
            })
            .collect()
    }

    /// Makes a key of the same kind and rights as another, which ends at `ends`, or before if that was settled already. `None`
    /// where there is no such key.
    pub(super) fn rotate(
        &self,
        id: &str,
        ends: SystemTime,
        now: SystemTime,
    ) -> Result<Option<Rotated>, ApiError> {
        let internal = |e: String| ApiError::internal(e);
        let Some(kept) = self.store.credential(id) else {
            return Ok(None);
        };
        let sooner = |settled: Option<SystemTime>| Some(settled.map_or(ends, |at| at.min(ends)));
        // The new one first: should the disk fail in between, both are good.
        match read(&kept.sealed).map_err(|e| internal(e.to_string()))? {
            Kept::Key(sealed) => {
                let mut old = sealed
                    .unseal(&self.master)
                    .map_err(|e| internal(e.to_string()))?;
                let mut new = Credential::generate((*old.grants).clone(), now)
                    .map_err(|e| internal(e.to_string()))?;
                new.description.clone_from(&old.description);
                self.put(&new, now)?;
                old.expires = sooner(old.expires);
                self.put(&old, now)?;
                Ok(Some(Rotated {
                    id: new.key_id.to_string(),
                    kind_of_secret: "secret",
                    secret: Zeroizing::new(new.secret.reveal().to_owned()),
                }))
            }
            Kept::Token(mut old) => {
                let (mut new, text) = BearerToken::generate(old.grants.clone(), now)
                    .map_err(|e| internal(e.to_string()))?;
                new.description.clone_from(&old.description);
                let id = new.id.clone();
                self.put_token(new, now)?;
                old.expires = sooner(old.expires);
                self.put_token(old, now)?;
                Ok(Some(Rotated {
                    id,
                    kind_of_secret: "token",
                    secret: text,
                }))
            }
        }
    }

    /// Makes the first admin key where there is none, and writes it to a file of its owner's alone (CP-430). `None` where
    /// there are keys.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn bootstrap(&self, file: &Path, now: SystemTime) -> Result<Option<Credential>, ApiError> {
        if !self.is_empty() {
            return Ok(None);
        }
        let mut first = Credential::generate(Grants::admin(), now)
            .map_err(|e| ApiError::internal(e.to_string()))?;
        first.description = "made at the first start".to_owned();
        // The file first: a key that nobody knows would keep another from being made.
        let written = write_bootstrap(file, &first).or_else(|e| {
            // One of a start that ended in between is of no use to anybody.
            if e.kind() != std::io::ErrorKind::AlreadyExists {
                return Err(e);
            }
            std::fs::remove_file(file)?;
            write_bootstrap(file, &first)
        });
        written.map_err(|e| ApiError::internal(format!("{}: {e}", file.display())))?;
        self.put(&first, now)?;
        Ok(Some(first))
    }
}

fn shown(at: SystemTime) -> String {
    time::iso(time::millis(at))
}

fn read(bytes: &[u8]) -> Result<Kept, serde_json::Error> {
    serde_json::from_slice(bytes)
}

impl CredentialStore for Keychain {
    fn credential(&self, key_id: &str) -> Result<Option<Arc<Credential>>, StoreError> {
        let Some(kept) = self.store.credential(key_id) else {
            return Ok(None);
        };
        match read(&kept.sealed).map_err(StoreError::new)? {
            Kept::Key(sealed) => {
                let key = sealed.unseal(&self.master).map_err(StoreError::new)?;
                Ok(Some(Arc::new(key)))
            }
            Kept::Token(_) => Ok(None),
        }
    }

    fn token(&self, id: &str) -> Result<Option<Arc<BearerToken>>, StoreError> {
        let Some(kept) = self.store.credential(id) else {
            return Ok(None);
        };
        match read(&kept.sealed).map_err(StoreError::new)? {
            Kept::Token(token) => Ok(Some(Arc::new(token))),
            Kept::Key(_) => Ok(None),
        }
    }
}
