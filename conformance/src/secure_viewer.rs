//! Viewers that come by TLS.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        client::Resumption,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};

use crate::{Authority, PemPair};

/// A viewer that trusts one authority, and keeps its sessions.
#[derive(Clone, Debug)]
pub struct SecureViewer {
    config: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
}

impl SecureViewer {
    /// One that speaks HTTP/1.1 on any version of TLS.
    pub fn trusting(authority: &Authority) -> Self {
        Self::with(authority, &[&TLS13, &TLS12], |_| true)
    }

    /// One that speaks TLS 1.2 alone.
    pub fn only_1_2(authority: &Authority) -> Self {
        Self::with(authority, &[&TLS12], |_| true)
    }

    /// One that knows just the cipher suites whose names have this in them.
    pub fn with_suites(authority: &Authority, part: &str) -> Self {
        Self::with(authority, &[&TLS13, &TLS12], |name| name.contains(part))
    }

    fn with(
        authority: &Authority,
        versions: &[&'static SupportedProtocolVersion],
        suites: impl Fn(&str) -> bool,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes());
        roots
            .add(root.expect("a certificate"))
            .expect("an authority");
        let roots = Arc::new(roots);
        let mut provider = ring::default_provider();
        provider
            .cipher_suites
            .retain(|suite| suites(&format!("{:?}", suite.suite())));
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("versions the provider has")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(16);
        Self {
            config: Arc::new(config),
            roots,
        }
        .offering(&["http/1.1"])
    }

    /// The same, offering these protocols (ALPN), with sessions of its own.
    #[must_use]
    pub fn offering(&self, protocols: &[&str]) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(16);
        Self {
            config: Arc::new(config),
            roots: self.roots.clone(),
        }
    }

    /// The same, that prefers HTTP/2.
    #[must_use]
    pub fn h2(&self) -> Self {
        self.offering(&["h2", "http/1.1"])
    }

    /// The same, that shows a certificate when it is asked for one, with sessions of its own.
    ///
    /// # Panics
    /// When the pair is none.
    #[must_use]
    pub fn showing(&self, pair: &PemPair) -> Self {
        let chain = CertificateDer::from_pem_slice(pair.cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions the provider has")
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(vec![chain], key)
            .expect("a certificate and its key");
        config
            .alpn_protocols
            .clone_from(&self.config.alpn_protocols);
        Self {
            config: Arc::new(config),
            roots: self.roots.clone(),
        }
    }

    /// The same, that names no host in its handshakes.
    #[must_use]
    pub fn without_name(&self) -> Self {
        let mut config = (*self.config).clone();
        config.enable_sni = false;
        Self {
            config: Arc::new(config),
            roots: self.roots.clone(),
        }
    }

    /// Connects, and does a handshake for that name.
    ///
    /// # Errors
    /// When either fails.
    ///
    /// # Panics
    /// When the name is none.
    pub async fn connect(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        self.secure(TcpStream::connect(address).await?, server_name)
            .await
    }

    /// Does a handshake for that name on a connection.
    ///
    /// # Errors
    /// When it fails.
    ///
    /// # Panics
    /// When the name is none.
    pub async fn secure(
        &self,
        stream: TcpStream,
        server_name: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(server_name.to_owned()).expect("a name");
        TlsConnector::from(self.config.clone())
            .connect(name, stream)
            .await
    }
}
