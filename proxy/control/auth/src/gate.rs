//! The way in, in the order of CP-420: how often the address failed, what is presented, whose key it is, the time, the
//! signature; then the caller's authorisation; then the body.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    AuthFault, AuthMode, CredentialStore, FailureLimiter, LinkSigner, Payload, Presented,
    Principal, RequestHead, Service, Verifier, Window, bearer, limiter::network, mode::check_local,
    verify::Pending,
};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The network.
    Address(IpAddr),
    /// The Unix socket.
    Socket {
        /// The user at the other end, as the kernel tells.
        peer_uid: u32,
        /// The node's own user.
        node_uid: u32,
    },
}

impl Source {
    const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Socket { .. } => None,
        }
    }
}

/// Lets requests in.
#[derive(Debug)]
pub struct Gate<S> {
    store: S,
    mode: AuthMode,
    verifier: Verifier,
    limiter: FailureLimiter,
    links: LinkSigner,
}

/// A request whose head is good. Nothing may be executed before [`Admission::finish`].
#[must_use = "the request is not authenticated before `finish`"]
#[derive(Debug)]
pub struct Admission<'a> {
    claimed: Principal,
    pending: Option<Pending<'a>>,
    limiter: &'a FailureLimiter,
    source: Source,
    now: SystemTime,
    ignored_token: bool,
}

impl<S: CredentialStore> Gate<S> {
    /// A gate for keys of `store` and links of `links`.
    pub fn new(store: S, mode: AuthMode, window: Window, links: LinkSigner) -> Self {
        Self {
            store,
            mode,
            verifier: Verifier::new(window),
            limiter: FailureLimiter::new(),
            links,
        }
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What signs links.
    pub const fn links(&self) -> &LinkSigner {
        &self.links
    }

    /// Judges the head of a request that was routed to `service`.
    ///
    /// # Errors
    /// Each variant of [`AuthFault`] but [`AuthFault::Denied`].
    pub fn admit(
        &self,
        head: &RequestHead<'_>,
        service: Service,
        source: Source,
        now: SystemTime,
    ) -> Result<Admission<'_>, AuthFault> {
        self.admit_to(head, Some(service), source, now)
    }

    /// Judges the head of a request to a service that is not the node's own, whichever the signature is for (CP-236).
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn admit_foreign(
        &self,
        head: &RequestHead<'_>,
        source: Source,
        now: SystemTime,
    ) -> Result<Admission<'_>, AuthFault> {
        self.admit_to(head, None, source, now)
    }

    fn admit_to(
        &self,
        head: &RequestHead<'_>,
        service: Option<Service>,
        source: Source,
        now: SystemTime,
    ) -> Result<Admission<'_>, AuthFault> {
        if let Some(address) = source.address() {
            self.limiter.check(address, now)?;
        }
        let (claimed, pending, ignored_token) = self
            .judge(head, service, source, now)
            .inspect_err(|fault| count(&self.limiter, source, now, fault))?;
        Ok(Admission {
            claimed,
            pending,
            limiter: &self.limiter,
            source,
            now,
            ignored_token,
        })
    }

    /// `service` is the one that is asked, if it is the node's own.
    fn judge(
        &self,
        head: &RequestHead<'_>,
        service: Option<Service>,
        source: Source,
        now: SystemTime,
    ) -> Result<(Principal, Option<Pending<'_>>, bool), AuthFault> {
        if let Some(token) = bearer::presented(head.headers)? {
            if service != Some(Service::Native) {
                return Err(AuthFault::Malformed(
                    "bearer tokens are for the native API: sign the request",
                ));
            }
            let known = self.store.token(token.id())?.ok_or(AuthFault::UnknownKey)?;
            token.verify(&known, now)?;
            let (id, grants) = (known.id.clone(), Arc::new(known.grants.clone()));
            return Ok((Principal::Token { id, grants }, None, false));
        }
        let presented = Presented::parse(head)?;
        if self.mode == AuthMode::Any {
            let named = presented
                .as_ref()
                .map(|presented| presented.key_id().to_owned());
            match check_local(head.headers) {
                Ok(()) => return Ok((Principal::Local { named }, None, false)),
                // A good signature is good from anywhere.
                Err(fault) if presented.is_none() => return Err(fault),
                Err(_) => {}
            }
        }
        let Some(presented) = presented else {
            // Who may read the node's files has its keys anyway, so that this is for all services and not the native one alone.
            return match source {
                Source::Socket { peer_uid, node_uid } => Principal::of_peer(peer_uid, node_uid),
                Source::Address(_) => None,
            }
            .map(|peer| (peer, None, false))
            .ok_or(AuthFault::Missing);
        };
        if LinkSigner::is_reserved(presented.key_id()) {
            // Links have no body and are for artifacts: whoever names their key for anything else knows no key.
            if service != Some(Service::Native) || presented.payload() != Payload::Empty {
                self.verifier.pretend(&presented);
                return Err(AuthFault::UnknownKey);
            }
            let link = self.links.credential();
            let pending = self.verifier.begin(presented, link, Service::Native, now)?;
            return Ok((Principal::Link, Some(pending), false));
        }
        let Some(credential) = self.store.credential(presented.key_id())? else {
            self.verifier.pretend(&presented);
            return Err(AuthFault::UnknownKey);
        };
        let ignored = credential.session_token.is_none() && presented.has_token();
        let pending = match service {
            Some(service) => self.verifier.begin(presented, &credential, service, now)?,
            None => self.verifier.begin_in_scope(presented, &credential, now)?,
        };
        let principal = Principal::Key {
            id: credential.key_id.clone(),
            grants: Arc::clone(&credential.grants),
        };
        Ok((principal, Some(pending), ignored))
    }
}

impl Admission<'_> {
    /// Who it says it is, for refusing early what that one may not do. It is proven by [`Admission::finish`] alone.
    pub const fn claimed(&self) -> &Principal {
        &self.claimed
    }

    /// Whether a session token came with a key that has none, which is worth a warning (CP-419).
    pub const fn ignored_token(&self) -> bool {
        self.ignored_token
    }

    /// Whether it is proven already who it is, so that only the body may still turn out to be another one.
    pub fn is_proven(&self) -> bool {
        self.pending.as_ref().is_none_or(Pending::is_proven)
    }

    /// The SHA-256 that the body has to have, where the signature says it.
    pub fn declared(&self) -> Option<[u8; 32]> {
        self.pending.as_ref().and_then(Pending::declared)
    }

    /// Where it comes from as long as it is not proven who it is: the network whose failures count together (CP-420).
    pub fn unproven_from(&self) -> Option<IpAddr> {
        let address = self.source.address().filter(|_| !self.is_proven())?;
        Some(network(address))
    }

    /// Counts a body that did not come, so long after the head, as a failed attempt of its address: who knows a key's id alone
    /// could hold back others with what they never send (CP-420). Who is proven is not counted.
    pub fn broke_off(&self, after: Duration) {
        if let Some(address) = self.unproven_from() {
            self.limiter.failed(address, self.now + after);
        }
    }

    /// Judges the body, by its SHA-256, and says who it is.
    ///
    /// # Errors
    /// As [`Pending::finish`].
    pub fn finish(self, body_sha256: &[u8; 32]) -> Result<Principal, AuthFault> {
        if let Some(pending) = self.pending {
            pending
                .finish(body_sha256)
                .inspect_err(|fault| count(self.limiter, self.source, self.now, fault))?;
        }
        Ok(self.claimed)
    }
}

fn count(limiter: &FailureLimiter, source: Source, now: SystemTime, fault: &AuthFault) {
    if let Some(address) = source.address().filter(|_| fault.is_attempt()) {
        limiter.failed(address, now);
    }
}
