//! What is known of one TLS connection.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use fourfront_model::{HostName, SecurityPolicy, ViewerCertificate};
use tokio_rustls::rustls::{
    CipherSuite, HandshakeKind, ProtocolVersion, ServerConnection, SupportedCipherSuite,
};

use super::Pair;

/// One connection's handshake and what came of it.
#[derive(Debug)]
pub struct TlsFacts {
    /// `ssl-protocol` (CF-703): `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// `ssl-cipher` (CF-703), by OpenSSL's name.
    pub cipher: &'static str,
    /// Whether it took up an earlier session (CF-383).
    pub resumed: bool,
    /// The name the viewer asked for (SNI), in lower case.
    pub server_name: Option<Box<str>>,
    /// Whether the viewer has shown a certificate that holds (CF-055).
    pub has_client: bool,
    /// The registered name of the cipher suite.
    suite: String,
    /// What was shown.
    shown: Arc<Pair>,
    /// Whether a request has come on it.
    used: AtomicBool,
}

impl TlsFacts {
    /// What a finished handshake came to.
    pub(crate) fn new(connection: &ServerConnection, shown: Arc<Pair>) -> Self {
        let suite = connection.negotiated_cipher_suite();
        Self {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "-",
            },
            cipher: suite.map_or("-", openssl_name),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            server_name: connection
                .server_name()
                .map(|name| HostName::lookup_key(name).into()),
            has_client: connection
                .peer_certificates()
                .is_some_and(|shown| !shown.is_empty()),
            suite: suite.map(registered_name).unwrap_or_default(),
            shown,
            used: AtomicBool::new(false),
        }
    }

    /// Takes note of a request on the connection; whether one came before (CF-383). Only the first one writes.
    pub(crate) fn take_use(&self) -> bool {
        self.used.load(Ordering::Relaxed) || self.used.swap(true, Ordering::Relaxed)
    }

    /// Whether what was shown is for a host, too.
    pub fn covers(&self, host: &str) -> bool {
        let host = HostName::lookup_key(host);
        self.shown.covers(&host)
    }

    /// Whether a distribution would have agreed to this connection (CF-097, CF-098).
    pub fn keeps_to(&self, certificate: &ViewerCertificate) -> bool {
        let policy: SecurityPolicy = certificate.policy;
        (self.protocol == "TLSv1.3" || policy.has_tls12()) && policy.allows_suite(&self.suite)
    }
}

/// `TLS_AES_128_GCM_SHA256` and the like. TLS 1.3 has names of its own in the library.
pub(super) fn registered_name(suite: SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    name.replacen("TLS13_", "TLS_", 1)
}

fn openssl_name(suite: SupportedCipherSuite) -> &'static str {
    match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "-",
    }
}
