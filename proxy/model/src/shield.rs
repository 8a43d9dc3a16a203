//! Origin shields (CF-415): which node is asked for an origin, and the secret that the two share.

use std::{fmt, sync::Arc};

use crate::{Origin, OriginKind, PoolMember};

/// The name of a region, as `OriginShieldRegion` has it. On AWS it is a place; here it is what a node that shields origins
/// goes by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShieldRegion(String);

/// What is wrong with the name of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a region is written with 1 to 32 letters in lower case, digits and hyphens, such as `us-east-1`"
)]
pub struct ShieldRegionError;

impl ShieldRegion {
    /// The region of that name.
    ///
    /// # Errors
    /// When no region can be called so.
    pub fn new(name: &str) -> Result<Self, ShieldRegionError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        match (1..=32).contains(&name.len()) && name.bytes().all(fits) {
            true => Ok(Self(name.to_owned())),
            false => Err(ShieldRegionError),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShieldRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the nodes of a shield and those behind them have in common, and nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct ShieldSecret(Arc<str>);

/// What is wrong with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret has {} to {} visible characters",
    ShieldSecret::LEAST,
    ShieldSecret::MOST
)]
pub struct ShieldSecretError;

impl ShieldSecret {
    /// Fewest characters: 16 random ones out of 64 are 96 bits.
    pub const LEAST: usize = 16;
    /// Most characters.
    pub const MOST: usize = 1024;

    /// A secret.
    ///
    /// # Errors
    /// When it is too short to be one, or cannot have been meant.
    pub fn new(text: &str) -> Result<Self, ShieldSecretError> {
        let fits = (Self::LEAST..=Self::MOST).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        match fits {
            true => Ok(Self(text.into())),
            false => Err(ShieldSecretError),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// It stays out of whatever prints a configuration.
impl fmt::Debug for ShieldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShieldSecret(..)")
    }
}

/// The nodes that shield origins for a region, as a node behind them sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shield {
    /// The region.
    pub region: ShieldRegion,
    /// How they are reached: as an origin is, with a pool where there are several.
    pub nodes: Arc<Origin>,
}

impl Shield {
    /// Where the nodes are, for people.
    pub fn urls(&self) -> Vec<String> {
        let OriginKind::Custom(custom) = &self.nodes.kind else {
            return Vec::new();
        };
        let url = |host: &str, port: Option<u16>| {
            let (scheme, port) = (custom.protocol.as_str(), port.unwrap_or(custom.port));
            match host.contains(':') {
                true => format!("{scheme}://[{host}]:{port}"),
                false => format!("{scheme}://{host}:{port}"),
            }
        };
        let of_member = |member: &PoolMember| url(&member.host, member.port);
        match &self.nodes.pool {
            Some(pool) => pool.members.iter().map(of_member).collect(),
            None => vec![url(&self.nodes.domain_name, None)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_written_as_aws_writes_them() {
        // CF-415
        for name in ["us-east-1", "eu-central-1", "home"] {
            assert_eq!(ShieldRegion::new(name).unwrap().as_str(), name);
        }
        for name in ["", "US-EAST-1", "a b", "a;b", &"a".repeat(33)] {
            assert!(ShieldRegion::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn secrets_are_long_enough_and_never_shown() {
        // CF-415
        let text = "0123456789abcdef";
        let secret = ShieldSecret::new(text).unwrap();
        assert_eq!(secret.as_bytes(), text.as_bytes());
        assert!(!format!("{secret:?}").contains("0123"));
        for text in [
            "",
            "0123456789abcde",
            "0123456789abcde\n",
            "0123456789 abcdef",
        ] {
            assert!(ShieldSecret::new(text).is_err(), "{text:?}");
        }
    }
}
