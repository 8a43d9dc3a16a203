//! The keys of a node: sealed in its store, unsealed as requests come (CP-430..432).

use std::{path::Path, sync::Arc, time::SystemTime};

use fourfront_auth::{
    BearerToken, Credential, CredentialStore, Grants, MasterKey, SealedCredential, StoreError,
    seal::write_bootstrap,
};
use fourfront_store::{AuditEntry, Store};
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

    /// Keeps a key, with an entry in the audit log (CP-433).
    ///
    /// # Errors
    /// It cannot be sealed or written.
    pub fn put(
        &self,
        credential: &Credential,
        now: SystemTime,
        audit: Option<AuditEntry>,
    ) -> Result<(), ApiError> {
        self.keep(vec![self.sealed(credential)?], now, audit)
    }

    /// Keeps a bearer token, likewise.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_token(
        &self,
        token: BearerToken,
        now: SystemTime,
        audit: Option<AuditEntry>,
    ) -> Result<(), ApiError> {
        self.keep(vec![Kept::Token(token)], now, audit)
    }

    fn sealed(&self, credential: &Credential) -> Result<Kept, ApiError> {
        let sealed = credential.seal(&self.master);
        sealed
            .map(Kept::Key)
            .map_err(|e| ApiError::internal(e.to_string()))
    }

    fn keep(
        &self,
        kept: Vec<Kept>,
        now: SystemTime,
        audit: Option<AuditEntry>,
    ) -> Result<(), ApiError> {
        let mut changes = Vec::with_capacity(kept.len());
        for one in kept {
            let id = match &one {
                Kept::Key(key) => key.key_id.as_str().into(),
                Kept::Token(token) => token.id.as_str().into(),
            };
            let bytes = serde_json::to_vec(&one).map_err(|e| ApiError::internal(e.to_string()))?;
            changes.push((id, Some(bytes.into())));
        }
        let now = time::millis(now);
        self.store.credentials_write(changes, now, audit)?;
        Ok(())
    }

    /// Removes a key or token, with an entry in the audit log. Whether there was one.
    ///
    /// # Errors
    /// The disk.
    pub fn remove(&self, id: &str, audit: Option<AuditEntry>) -> Result<bool, ApiError> {
        let changes = vec![(id.into(), None)];
        let had = self.store.credentials_write(changes, 0, audit)?;
        Ok(had.contains(&true))
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

    /// The ids of keys that this master key does not open: another one sealed them, as after a restoration without it (CP-430).
    /// Requests that they sign are refused until that one is back. Tokens are hashes, which nothing seals.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn unopened(&self) -> Result<Vec<String>, ApiError> {
        let mut ids = Vec::new();
        for (id, kept) in self.store.credentials() {
            let kept = read(&kept.sealed).map_err(|e| ApiError::internal(e.to_string()))?;
            if let Kept::Key(sealed) = kept
                && sealed.unseal(&self.master).is_err()
            {
                ids.push(id.to_string());
            }
        }
        Ok(ids)
    }

    /// Makes a key of the same kind and rights as another, which ends at `ends`, or before if that was settled already. `None`
    /// where there is no such key. Both or neither are written.
    pub(super) fn rotate(
        &self,
        id: &str,
        ends: SystemTime,
        now: SystemTime,
        audit: Option<AuditEntry>,
    ) -> Result<Option<Rotated>, ApiError> {
        let internal = |e: String| ApiError::internal(e);
        let Some(kept) = self.store.credential(id) else {
            return Ok(None);
        };
        let sooner = |settled: Option<SystemTime>| Some(settled.map_or(ends, |at| at.min(ends)));
        match read(&kept.sealed).map_err(|e| internal(e.to_string()))? {
            Kept::Key(sealed) => {
                let mut old = sealed
                    .unseal(&self.master)
                    .map_err(|e| internal(e.to_string()))?;
                let mut new = Credential::generate((*old.grants).clone(), now)
                    .map_err(|e| internal(e.to_string()))?;
                new.description.clone_from(&old.description);
                old.expires = sooner(old.expires);
                let both = vec![self.sealed(&new)?, self.sealed(&old)?];
                self.keep(both, now, audit)?;
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
                old.expires = sooner(old.expires);
                let both = vec![Kept::Token(new), Kept::Token(old)];
                self.keep(both, now, audit)?;
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
        let audit = AuditEntry {
            at: time::millis(now),
            key: "node".into(),
            source: "local".into(),
            operation: "fourfront:bootstrap".into(),
            resource: first.key_id.as_str().into(),
            outcome: "ok".into(),
            ..AuditEntry::default()
        };
        self.put(&first, now, Some(audit))?;
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
