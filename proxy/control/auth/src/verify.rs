//! Whether a signature is that of its request (CP-411..420).
//!
//! In two steps, because the body comes late: [`Verifier::begin`] judges what it can from the head, [`Pending::finish`]
//! the rest. Nothing may be executed in between.

use std::{sync::LazyLock, time::SystemTime};

use data_encoding::HEXLOWER;
use hmac::Mac;
use p256::ecdsa::{DerSignature, Signature, signature::Verifier as _};
use sha2::{Digest, Sha256};

use crate::{
    Algorithm, AuthFault, Credential, Mismatch, Payload, Presented, Secret, Service,
    keys::{KeyCache, hmac},
    moment::Moment,
};

/// Derived keys that are kept of each kind. A key has one a day, region and service.
const CACHED_KEYS: u64 = 1024;

/// How far the date of a signature may be off, either way (CP-412).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(i64);

impl Window {
    /// From 1 to 60 minutes; `None` outside that.
    pub fn minutes(minutes: u8) -> Option<Self> {
        (1..=60)
            .contains(&minutes)
            .then(|| Self(i64::from(minutes)))
    }
}

impl Default for Window {
    /// 15 minutes, as at AWS.
    fn default() -> Self {
        Self(15)
    }
}

/// Judges signatures, and remembers derived keys.
#[derive(Debug)]
pub struct Verifier {
    window: Window,
    keys: KeyCache,
}

/// A signature as far as it can be judged without the body.
#[must_use = "the signature is not verified before `finish`"]
#[derive(Debug)]
pub struct Pending<'a> {
    verifier: &'a Verifier,
    presented: Presented,
    /// What is still to be judged: with whose secret, if not the signature is good already.
    open: Option<std::sync::Arc<Credential>>,
    now: SystemTime,
}

impl Verifier {
    /// A verifier that accepts dates within `window`.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            keys: KeyCache::new(CACHED_KEYS),
        }
    }

    /// Judges all of it at once, for who has the body already.
    ///
    /// # Errors
    /// As [`Verifier::begin`] and [`Pending::finish`].
    pub fn verify(
        &self,
        presented: &Presented,
        credential: &std::sync::Arc<Credential>,
        service: Service,
        body_sha256: &[u8; 32],
        now: SystemTime,
    ) -> Result<(), AuthFault> {
        self.begin(presented.clone(), credential, service, now)?
            .finish(body_sha256)
    }

    /// Judges the service (CP-003), the time (CP-412) and, unless the body is part of what was signed, the signature
    /// (CP-417, CP-418) and the session token (CP-419).
    ///
    /// # Errors
    /// [`AuthFault::Mismatch`], [`AuthFault::Expired`], [`AuthFault::NotYetCurrent`], [`AuthFault::UnknownKey`] for another
    /// session token, [`AuthFault::TokenExpired`] for a key that has ended.
    pub fn begin<'a>(
        &'a self,
        presented: Presented,
        credential: &std::sync::Arc<Credential>,
        service: Service,
        now: SystemTime,
    ) -> Result<Pending<'a>, AuthFault> {
        if presented.service != service.scope() {
            let expected = service.scope();
            return Err(Mismatch::Service { expected }.into());
        }
        self.begin_in_scope(presented, credential, now)
    }

    /// The same for a signature that may be for any service.
    ///
    /// # Errors
    /// As [`Verifier::begin`], without another service.
    pub(crate) fn begin_in_scope<'a>(
        &'a self,
        presented: Presented,
        credential: &std::sync::Arc<Credential>,
        now: SystemTime,
    ) -> Result<Pending<'a>, AuthFault> {
        self.check_time(&presented, Moment::of(now))?;
        let open = if presented.payload == Payload::OfBody {
            Some(std::sync::Arc::clone(credential))
        } else {
            self.check_signature(&presented, credential, &empty_sha256())?;
            check_session(&presented, credential, now)?;
            None
        };
        Ok(Pending {
            verifier: self,
            presented,
            open,
            now,
        })
    }

    /// Spends as long on a key that nobody has as on one that somebody has (CP-420).
    pub(crate) fn pretend(&self, presented: &Presented) {
        static NOBODY: LazyLock<Credential> = LazyLock::new(|| Credential {
            key_id: crate::links::LINK_KEY.clone(),
            secret: Secret::new(""),
            session_token: None,
            grants: std::sync::Arc::default(),
            created: SystemTime::UNIX_EPOCH,
            expires: None,
            description: String::new(),
        });
        // The outcome is nothing to anyone: a signature made with the empty secret is refused like all others.
        let _ = self.check_signature(presented, &NOBODY, &empty_sha256());
    }

    fn check_time(&self, presented: &Presented, now: Moment) -> Result<(), AuthFault> {
        let Window(minutes) = self.window;
        let signed = presented.signed_at;
        let latest = now.plus(minutes * 60);
        if signed > latest {
            return Err(AuthFault::NotYetCurrent {
                signed: signed.basic(),
                limit: latest.basic(),
                now: now.basic(),
                window: minutes,
            });
        }
        let (end, limit, window) = match presented.good_for {
            Some(seconds) => (signed.plus(seconds), now, String::new()),
            None => (
                signed,
                now.plus(-minutes * 60),
                format!(" - {minutes} min."),
            ),
        };
        if end < limit {
            return Err(AuthFault::Expired {
                signed: end.basic(),
                limit: limit.basic(),
                now: now.basic(),
                window,
            });
        }
        Ok(())
    }

    fn check_signature(
        &self,
        presented: &Presented,
        credential: &Credential,
        body_sha256: &[u8; 32],
    ) -> Result<(), Mismatch> {
        let text = presented.string_to_sign(body_sha256);
        // Lower case only: no client writes another, and one request has one signature in hexadecimal.
        let signature = HEXLOWER
            .decode(presented.signature.as_bytes())
            .map_err(|_| Mismatch::Signature)?;
        match presented.algorithm {
            Algorithm::Hmac => {
                let region = presented.region.as_deref().unwrap_or_default();
                let (key, keep) = self.keys.hmac(
                    &credential.secret,
                    &presented.day,
                    region,
                    &presented.service,
                );
                let mut mac = hmac(&key);
                mac.update(text.as_bytes());
                // In constant time.
                mac.verify_slice(&signature)
                    .map_err(|_| Mismatch::Signature)?;
                keep();
            }
            Algorithm::Ecdsa => {
                let (key, keep) = self.keys.ecdsa(credential).ok_or(Mismatch::Signature)?;
                // Strict DER: no spare bytes, no long lengths, no padded integers. A high S is accepted, since SDKs do not
                // lower theirs: half of all real signatures have one. That there are two good signatures of a request is
                // no loss, because none is remembered (CP-013).
                let signature = DerSignature::from_bytes(&signature)
                    .and_then(Signature::try_from)
                    .map_err(|_| Mismatch::Signature)?;
                key.verify(text.as_bytes(), &signature)
                    .map_err(|_| Mismatch::Signature)?;
                keep();
            }
        }
        Ok(())
    }
}

impl Pending<'_> {
    /// Whether the signature is judged already, so that only the body may still turn out to be another one.
    pub(crate) const fn is_proven(&self) -> bool {
        self.open.is_none()
    }

    /// The SHA-256 that the body has to have, where the signature says it.
    pub(crate) fn declared(&self) -> Option<[u8; 32]> {
        match self.presented.payload {
            Payload::Declared(hash) => Some(hash),
            Payload::Empty => Some(empty_sha256()),
            Payload::OfBody | Payload::Unsigned => None,
        }
    }

    /// Judges the body, and what could not be judged without it.
    ///
    /// # Errors
    /// [`AuthFault::Mismatch`] for another body than was signed (CP-415) or another signature; what is said of the session
    /// token at [`Verifier::begin`].
    pub fn finish(self, body_sha256: &[u8; 32]) -> Result<(), AuthFault> {
        if self.declared().is_some_and(|hash| hash != *body_sha256) {
            return Err(Mismatch::Body.into());
        }
        if let Some(credential) = self.open {
            self.verifier
                .check_signature(&self.presented, &credential, body_sha256)?;
            check_session(&self.presented, &credential, self.now)?;
        }
        Ok(())
    }
}

/// The session token of a temporary key, and the end of any (CP-419). Only for who has proven to have the secret.
fn check_session(
    presented: &Presented,
    credential: &Credential,
    now: SystemTime,
) -> Result<(), AuthFault> {
    if let Some(token) = &credential.session_token
        && !presented
            .token
            .as_deref()
            .is_some_and(|given| token.is(given))
    {
        return Err(AuthFault::UnknownKey);
    }
    if credential.expires.is_some_and(|end| end <= now) {
        return Err(AuthFault::TokenExpired);
    }
    Ok(())
}

/// SHA-256 of nothing.
pub(crate) fn empty_sha256() -> [u8; 32] {
    Sha256::digest([]).into()
}
