//! Markers: where a listing goes on, in a form that a client can only hand back (CP-047).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Bytes of the signature that a marker carries.
const TAG: usize = 16;

/// Signs markers and reads signed ones. Nodes that hold the same key understand each other's.
///
/// A marker holds the position itself, not a reference to an element: it works after the element was deleted.
#[derive(Clone)]
pub struct Markers {
    key: [u8; 32],
}

/// The marker was not made by this node or its fleet, was made for another listing, or was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a marker of this listing")]
pub struct InvalidMarker;

impl Markers {
    /// With the key that all nodes share.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The marker of `position` in `listing` (any text that tells listings apart, such as `ListCachePolicies`).
    #[must_use]
    pub fn sign(&self, listing: &str, position: &str) -> String {
        let mut bytes = position.as_bytes().to_vec();
        bytes.extend_from_slice(
            &self
                .mac(listing, position.as_bytes())
                .finalize()
                .into_bytes()[..TAG],
        );
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position that `marker` stands for.
    ///
    /// # Errors
    /// [`InvalidMarker`] for anything but a marker of that listing.
    pub fn open(&self, listing: &str, marker: &str) -> Result<String, InvalidMarker> {
        let mut bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| InvalidMarker)?;
        let at = bytes.len().checked_sub(TAG).ok_or(InvalidMarker)?;
        let tag = bytes.split_off(at);
        // Compares in constant time.
        self.mac(listing, &bytes)
            .verify_truncated_left(&tag)
            .map_err(|_| InvalidMarker)?;
        String::from_utf8(bytes).map_err(|_| InvalidMarker)
    }

    fn mac(&self, listing: &str, position: &[u8]) -> Hmac<Sha256> {
        // INVARIANT: HMAC takes keys of any length, and `new` from a fixed-size block key cannot fail.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        // The length keeps listing and position apart.
        mac.update(
            &u64::try_from(listing.len())
                .unwrap_or(u64::MAX)
                .to_le_bytes(),
        );
        mac.update(listing.as_bytes());
        mac.update(position);
        mac
    }
}

impl std::fmt::Debug for Markers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Markers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_by_who_holds_the_key_for_its_listing_alone() {
        // CP-047
        let here = Markers::new([7; 32]);
        let there = Markers::new([7; 32]);
        let stranger = Markers::new([8; 32]);
        for position in [
            "",
            "a",
            "E2QWRUHAPOMQZL",
            "of any length ".repeat(40).as_str(),
            "\u{e9}/\n",
        ] {
            let marker = here.sign("functions", position);
            assert!(
                marker
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            );
            assert_eq!(there.open("functions", &marker).as_deref(), Ok(position));
            assert_eq!(here.open("policies", &marker), Err(InvalidMarker));
            assert_eq!(stranger.open("functions", &marker), Err(InvalidMarker));
        }
    }

    #[test]
    fn an_altered_marker_is_refused() {
        // CP-047: no byte of it may be changed.
        let markers = Markers::new([7; 32]);
        let marker = markers.sign("functions", "name");
        for at in 0..marker.len() {
            let mut altered = marker.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(markers.open("functions", &altered), Err(InvalidMarker));
        }
        for wrong in ["", "name", "!!", &marker[..marker.len() - 1]] {
            assert_eq!(markers.open("functions", wrong), Err(InvalidMarker));
        }
    }
}
