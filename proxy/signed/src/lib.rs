//! Signed URLs and signed cookies: whether what a viewer presents lets it pass (CF section 6.8).
//!
//! Pure: the time and the viewer's address are given, nothing is read or written. What is decided, in this order:
//!
//! 1. what the viewer presents, in the URL or in cookies ([`credentials`]; CF-561..564);
//! 2. whether the behaviour trusts the key that it names (CF-574);
//! 3. what was signed: the policy that came along, or the canned one, which is made of the URL ([`policy`]; CF-566..568);
//! 4. whether the time and the viewer's address suit it (CF-569, CF-570), which costs nothing;
//! 5. whether the signature is the key's ([`key`]; CF-574);
//! 6. whether the URL is one that the policy names ([`resource`]; CF-571..573). Last, since only patterns that a trusted
//!    signer signed are worth matching.
//!
//! # Decisions that no page of CloudFront settles
//!
//! - Names and values are compared as sent: nothing is percent-decoded, so `%53ignature` is any other parameter.
//! - A parameter of a signed URL that is there twice is refused, whatever its values. Of several cookies of one name the
//!   first counts: browsers send that with the longer path first (RFC 6265 section 5.4).
//! - A `Signature` that is missing or empty is one that cannot be decoded; so is a policy, if there is no `Expires` either.
//! - A URL with `"` or `\` has no canned policy: it could end the text around it.
//! - A resource with wildcards never covers a path that climbs (`/public/../secret`), in any spelling that some origin
//!   may understand: the origin gets the path as it is and may make another one of it.
//! - `\?` in a resource is the query's question mark and nothing else, also where the URL has no query; a bare `?` is
//!   any one character there (AMB-36).
#![forbid(unsafe_code)]

pub mod credentials;
mod encoding;
mod json;
pub mod key;
pub mod policy;
mod refusal;
pub mod resource;
mod url;

use std::{net::IpAddr, time::SystemTime};

use http::HeaderMap;

pub use json::SyntaxError;
pub use key::{KeyError, TrustedKeys};
pub use refusal::{Denial, Refusal};
pub use url::{Scheme, Url};

use credentials::{Credentials, Signed};
use policy::{Moment, Policy};

/// What is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// How the viewer is connected.
    pub scheme: Scheme,
    /// The host as requested, with the port if one was sent.
    pub host: &'a str,
    /// Path and query as sent.
    pub target: &'a [u8],
    /// The fields, for cookies.
    pub headers: &'a HeaderMap,
    /// The viewer's address (CF-354).
    pub viewer: IpAddr,
    /// The time.
    pub now: SystemTime,
}

/// Whether a request may pass a behaviour that trusts these keys (CF-560..576).
///
/// # Errors
/// [`Refusal`], which says what the viewer is told and what the operator is.
pub fn check(keys: &TrustedKeys, request: &Request<'_>) -> Result<(), Refusal> {
    let credentials = Credentials::of(request.target, request.headers)?;
    let key = keys.find(credentials.key_id).ok_or(Refusal::UnknownKey)?;
    let signature = encoding::decode(credentials.signature).ok_or(Refusal::MalformedSignature)?;
    let hash = credentials.hash.ok_or(Denial::HashAlgorithm)?;
    let now = Moment::from(request.now);
    let url = Url::of(request.scheme, request.host, request.target);
    match credentials.signed {
        Signed::Policy(encoded) => {
            let text = encoding::decode(encoded).ok_or(policy::PolicyError::Encoding)?;
            let policy = Policy::parse(&text)?;
            policy.check_time(now)?;
            policy.check_address(request.viewer)?;
            key.verify(hash, &text, &signature)?;
            policy.check_resource(&url)?;
        }
        Signed::Expires(digits) => {
            let before = policy::epoch_time(digits)?;
            if !now.is_before(before) {
                return Err(Denial::Expired.into());
            }
            let text = url.canned_policy(digits).ok_or(Denial::Url)?;
            key.verify(hash, &text, &signature)?;
        }
        Signed::Nothing => return Err(policy::PolicyError::Missing.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
