//! What viewers' TLS connections are held to: security policies (CF-097, CF-098), protocol versions (CF-050) and
//! certificates (CF-047).

use std::{fmt, path::PathBuf};

/// `MinimumProtocolVersion`: a security policy of CloudFront's by its name (CF-097).
///
/// TLS 1.2 is the least there is. The two oldest policies also name suites with CBC or RSA key exchange, which the TLS
/// library has not: they stand for the rest of their suites, which are those of [`Self::Tls12From2021`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecurityPolicy {
    /// `TLSv1.2_2018`.
    Tls12From2018,
    /// `TLSv1.2_2019`.
    Tls12From2019,
    /// `TLSv1.2_2021`: ephemeral keys with AES-GCM and ChaCha20.
    #[default]
    Tls12From2021,
    /// `TLSv1.2_2025`: ephemeral keys with AES-GCM alone.
    Tls12From2025,
    /// `TLSv1.3_2025`: TLS 1.3 alone.
    Tls13From2025,
}

impl SecurityPolicy {
    /// Every one that a node can keep to.
    pub const ALL: [Self; 5] = [
        Self::Tls12From2018,
        Self::Tls12From2019,
        Self::Tls12From2021,
        Self::Tls12From2025,
        Self::Tls13From2025,
    ];

    /// CloudFront's names of policies that begin below TLS 1.2, which a node refuses (CF-097).
    pub const TOO_OLD: [&'static str; 4] = ["SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016"];

    /// CloudFront's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12From2018 => "TLSv1.2_2018",
            Self::Tls12From2019 => "TLSv1.2_2019",
            Self::Tls12From2021 => "TLSv1.2_2021",
            Self::Tls12From2025 => "TLSv1.2_2025",
            Self::Tls13From2025 => "TLSv1.3_2025",
        }
    }

    /// Whether TLS 1.2 is offered beside 1.3.
    pub const fn has_tls12(self) -> bool {
        !matches!(self, Self::Tls13From2025)
    }

    /// Whether a cipher suite may be used, by its registered name as in `TLS_AES_128_GCM_SHA256` (CF-098). What the
    /// TLS library offers at all is not asked here.
    pub fn allows_suite(self, name: &str) -> bool {
        let is_chacha = name.contains("CHACHA20");
        let is_tls13 = !name.contains("_WITH_");
        match self {
            Self::Tls12From2018 | Self::Tls12From2019 | Self::Tls12From2021 => true,
            Self::Tls12From2025 => !is_chacha,
            Self::Tls13From2025 => is_tls13,
        }
    }
}

impl fmt::Display for SecurityPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `HttpVersion`: what viewers may speak (CF-050). HTTP/1.1 is always on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersions {
    /// `http1.1`.
    Http1,
    /// `http2`: HTTP/2 as well, over TLS.
    #[default]
    Http2,
}

/// `ViewerCertificate` (CF-047).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerCertificate {
    /// The label of the certificate among the node's (CF-095); `None` for whichever of them is for the name that is asked
    /// for, or the node's default one.
    pub certificate: Option<String>,
    /// What handshakes are held to.
    pub policy: SecurityPolicy,
}

/// `ViewerMtlsConfig` (CF-055): viewers show certificates, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewerMtls {
    /// Whether a viewer without one is refused. One that shows a certificate which does not hold is refused in any case.
    pub required: bool,
    /// PEM file of the authorities whose certificates hold.
    pub trust_store: PathBuf,
    /// Whether viewers are told the names of these authorities.
    pub advertises_names: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_differ_by_floor_and_suites() {
        // CF-097, CF-098
        let suites = [
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
        ];
        let allowed = |p: SecurityPolicy| suites.map(|s| p.allows_suite(s));
        let rows = [
            (SecurityPolicy::Tls12From2018, true, [true; 4]),
            (SecurityPolicy::Tls12From2019, true, [true; 4]),
            (SecurityPolicy::Tls12From2021, true, [true; 4]),
            (
                SecurityPolicy::Tls12From2025,
                true,
                [true, false, true, false],
            ),
            (
                SecurityPolicy::Tls13From2025,
                false,
                [false, false, true, true],
            ),
        ];
        for (policy, has_tls12, expected) in rows {
            assert_eq!(
                (policy.has_tls12(), allowed(policy)),
                (has_tls12, expected),
                "{policy}"
            );
        }
        assert!(
            SecurityPolicy::ALL
                .iter()
                .all(|p| !SecurityPolicy::TOO_OLD.contains(&p.as_str()))
        );
    }
}
