//! Which of two names an origin's certificate carries (CF-423).
//!
//! A certificate may be for the origin's domain name or for the `Host` sent to it, and the TLS library below
//! verifies one name: the one it sends as SNI. So a handshake that finds a certificate for another name is
//! followed by one under the second name. What was found is remembered, so that only the first
//! connection to such an origin pays for it.

use std::{collections::HashSet, net::SocketAddr};

use fourfront_origin::select::Tls;
use parking_lot::Mutex;

/// Viewers may choose names through a forwarded `Host`, so what is remembered is bounded. Forgetting costs a
/// handshake.
const MOST_NAMES: usize = 1024;

/// Names that certificates were found not to carry.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    refused: Mutex<HashSet<(SocketAddr, String)>>,
}

impl Certificates {
    /// The names in the order they are best tried.
    pub(super) fn order(&self, address: SocketAddr, tls: Tls) -> Tls {
        let Some(other) = &tls.other_name else {
            return tls;
        };
        let refused = self.refused.lock();
        let is_refused = |name: &str| {
            !refused.is_empty() && refused.contains(&(address, name.to_ascii_lowercase()))
        };
        if is_refused(&tls.server_name) && !is_refused(other) {
            drop(refused);
            return tls.swapped();
        }
        tls
    }

    /// A handshake under the first of the names has found a certificate for another one. The second is given
    /// its chance anew: certificates change.
    pub(super) fn refused(&self, address: SocketAddr, tls: &Tls) {
        let mut refused = self.refused.lock();
        if refused.len() >= MOST_NAMES {
            refused.clear();
        }
        refused.insert((address, tls.server_name.to_ascii_lowercase()));
        if let Some(other) = &tls.other_name {
            refused.remove(&(address, other.to_ascii_lowercase()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(server_name: &str, other_name: &str) -> Tls {
        Tls {
            server_name: server_name.to_owned(),
            other_name: Some(other_name.to_owned()),
        }
    }

    #[test]
    fn a_refused_name_comes_second_until_the_other_is_refused_too() {
        // CF-423
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        let (ab, ba) = (tls("a.test", "b.test"), tls("b.test", "a.test"));
        let certificates = Certificates::default();
        assert_eq!(certificates.order(address, ab.clone()), ab);
        certificates.refused(address, &ab);
        assert_eq!(certificates.order(address, ab.clone()), ba);
        certificates.refused(address, &ba);
        assert_eq!(certificates.order(address, ab.clone()), ab);
        // Another address shows another certificate.
        certificates.refused(address, &ab);
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 8443));
        assert_eq!(certificates.order(elsewhere, ab.clone()), ab);
        // Where there is one name there is nothing to choose.
        let single = Tls {
            server_name: "a.test".to_owned(),
            other_name: None,
        };
        assert_eq!(certificates.order(address, single.clone()), single);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        // CF-423
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        let certificates = Certificates::default();
        for n in 0..3 * MOST_NAMES {
            certificates.refused(address, &tls(&format!("{n}.test"), "b.test"));
        }
        assert!(certificates.refused.lock().len() <= MOST_NAMES);
    }
}
