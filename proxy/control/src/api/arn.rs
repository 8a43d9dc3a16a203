//! Names of resources: ARNs, ids and domain names as AWS forms them (CP-005, CP-006, CP-048).

use rand::RngExt as _;

/// What is the same in all names of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits. Default all zero.
    pub id: String,
    /// The region that answers name. Default `us-east-1`.
    pub region: String,
    /// What domain names of distributions end in. Default `cloudfront.localhost`.
    pub domain_suffix: String,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            domain_suffix: "cloudfront.localhost".to_owned(),
        }
    }
}

impl Account {
    /// A function of Lambda, without a version.
    pub fn lambda(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.id)
    }

    /// A resource of CloudFront, such as `distribution/E1`.
    pub fn cloudfront(&self, resource: &str) -> String {
        format!("arn:aws:cloudfront::{}:{resource}", self.id)
    }

    /// The domain name of a distribution with this label.
    pub fn domain(&self, label: &str) -> String {
        format!("{label}.{}", self.domain_suffix)
    }
}

/// A letter and 13 of `[A-Z0-9]`: ids of distributions (`E`), invalidations (`I`), public keys (`K`) (CP-048).
pub(crate) fn letter_id(letter: char) -> String {
    random(letter, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

/// The label of a domain name: `d` and 13 of `[a-z0-9]` (CP-048).
pub(crate) fn domain_label() -> String {
    random('d', b"abcdefghijklmnopqrstuvwxyz0123456789")
}

fn random(letter: char, alphabet: &[u8]) -> String {
    let mut rng = rand::rng();
    let rest = (0..13).map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]));
    std::iter::once(letter).chain(rest).collect()
}

/// A UUID of version 4 (RFC 9562 section 5.4).
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_forms_of_the_api() {
        // CP-048
        let id = letter_id('E');
        assert_eq!(id.len(), 14);
        assert!(
            id.starts_with('E')
                && id
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        );
        let label = domain_label();
        assert!(label.starts_with('d') && label.len() == 14);
        assert_eq!(label, label.to_ascii_lowercase());
        let uuid = uuid();
        let parts: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
        assert_ne!(letter_id('I'), letter_id('I'));
    }
}
