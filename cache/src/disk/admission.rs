//! Which objects are worth writing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::key::CacheKey;

/// Decides whether an object that the store does not have is written. Is asked on the proxy's threads, so it must be quick.
pub trait Admission: Send + Sync + 'static {
    /// Whether to write it; `len` is the length of its body, when known.
    fn admit(&self, key: &CacheKey, len: Option<u64>) -> bool;
}

/// Writes everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmitAll;

impl Admission for AdmitAll {
    fn admit(&self, _key: &CacheKey, _len: Option<u64>) -> bool {
        true
    }
}

/// Writes what is offered for the second time within about as many offers as it can remember: one-time requests,
/// and crawlers that walk through everything once, then push nothing out.
#[derive(Debug)]
pub struct SecondOffer {
    /// Half of a key each, addressed by the other half. What is offered later takes the place of what was before.
    seen: Box<[AtomicU64]>,
}

impl SecondOffer {
    /// One that remembers up to `offers` keys, at 8 bytes each. As many as the store holds objects is a good number.
    #[must_use]
    pub fn of_memory(offers: usize) -> Self {
        Self {
            seen: (0..offers.max(1)).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Admission for SecondOffer {
    fn admit(&self, key: &CacheKey, _len: Option<u64>) -> bool {
        let bits = u128::from_le_bytes(*key.as_bytes());
        let slots = self.seen.len() as u128;
        // The keys are hashes, so halves of them are independent.
        let mark = u64::try_from(bits >> 64).unwrap_or(0) | 1;
        let slot = usize::try_from((bits & u128::from(u64::MAX)) % slots).unwrap_or(0);
        self.seen
            .get(slot)
            .is_none_or(|seen| seen.swap(mark, Ordering::Relaxed) == mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_offer_is_admitted_while_the_first_is_remembered() {
        // CF-617: the policy is a hook; this one keeps scans out.
        let admission = SecondOffer::of_memory(1000);
        let key = |n: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            bytes[8..].copy_from_slice(&(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
            CacheKey::from_bytes(bytes)
        };
        assert!((0..1000).all(|n| !admission.admit(&key(n), None)));
        assert!((0..1000).all(|n| admission.admit(&key(n), None)));
        // As many others have been offered since.
        assert!((1000..2000).all(|n| !admission.admit(&key(n), None)));
        assert!(!admission.admit(&key(1), None));
        assert!(AdmitAll.admit(&key(5), None));
    }
}
