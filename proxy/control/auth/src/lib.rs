//! Who may speak to the admin endpoint (CP section 8): signatures of AWS's clients, bearer tokens, sealed credentials, roles.
//!
//! Pure but for the two files that [`seal`] writes: no sockets, and the time is given. What happens to a request, in the
//! order of CP-420:
//!
//! 1. [`Gate::admit`] looks whether its address failed too often ([`FailureLimiter`]), what it presents ([`Presented`],
//!    [`bearer`]), whose key that is ([`CredentialStore`]), whether its time is now, and whether the signature is the key's
//!    ([`Verifier`]). Clients that declare the body's hash (JS) are judged here; for those that do not (botocore), the hash of
//!    the body is part of what was signed, and the rest waits for the body.
//! 2. The caller asks [`Principal::authorize`] for the [`Action`] of the operation on the [`Resource`] that it names.
//! 3. The body is read, and [`Admission::finish`] judges it. Only now is the principal proven and may anything happen.
//!
//! A refusal is an [`AuthFault`], which knows the status, code and text that clients of a [`Service`] expect (section 1.5).
//!
//! What real clients sign, and what becomes of it when anything of it is altered, is kept as data that tests go through
//! (CP-703).
//!
//! # Decisions that the document leaves open
//!
//! - What is not in the form of a signature is `IncompleteSignature` with 403, as AWS names it; all other differences between
//!   a request and its signature have the one code of table 1.5.
//! - A signed header that is missing, and `Host`, `Authorization` or a header of the signature that is there twice, are
//!   refused. A header given twice that was signed as such is fine.
//! - Signatures are lower case hexadecimal and strict DER, and may have a high S: SDKs do not lower theirs.
//! - A presigned request has no body; one with a body is refused. Bodies in chunks with signatures of their own, and the
//!   single encoding of paths, are for S3, which is not answered here.
//! - An imported key id may have lower case letters, since `test` is one.
//! - In mode `any`, unsigned requests that a page in a browser may have sent are refused: pages reach loopback too.
//! - A clock that is off and a right that is missing do not count as failures of an address; what a guess looks like does.
#![forbid(unsafe_code)]

mod action;
pub mod bearer;
mod canonical;
mod credential;
mod fault;
mod gate;
mod keys;
mod limiter;
mod links;
mod mode;
mod moment;
mod presented;
mod role;
pub mod seal;
#[cfg(test)]
mod tests;
mod verify;

pub use action::Action;
pub use bearer::BearerToken;
pub use credential::{
    Credential, CredentialStore, KeyId, KeyIdError, MemoryStore, NoRandomness, Secret, StoreError,
};
pub use fault::{AuthFault, Mismatch, Service};
pub use gate::{Admission, Gate, Source};
pub use limiter::FailureLimiter;
pub use links::{ARTIFACT_LINK_GOOD_FOR, ARTIFACT_PATH, BadAuthority, LinkSigner};
pub use mode::{
    AdminListener, AuthMode, ListenerRefusal, check_listeners, may_use_development_key,
};
pub use presented::{Algorithm, Payload, Presented, RequestHead};
pub use role::{Denied, Grants, Principal, Reason, Resource, Role};
pub use seal::{MasterKey, MasterKeyError, SealError, Sealed, SealedCredential};
pub use verify::{Pending, Verifier, Window};
