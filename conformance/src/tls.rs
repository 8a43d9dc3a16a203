//! TLS toward origins: authorities and certificates made on the spot, and origins that show them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

/// A certificate with its key, and how it is known.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    pem: String,
}

/// A certificate authority nobody else knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        // A name of its own: two authorities of one name would pass for one with two keys.
        let name = format!("Authority {:x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its certificate, as `node.origin_ca` takes it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names and addresses.
    ///
    /// # Panics
    /// When one of them is neither.
    pub fn certify(&self, names: &[&str]) -> Certificate {
        self.sign(&params(names))
    }

    /// One that was good until 2020.
    ///
    /// # Panics
    /// As [`Self::certify`].
    pub fn certify_expired(&self, names: &[&str]) -> Certificate {
        let mut params = params(names);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(&params)
    }

    /// A certificate for these names and addresses, and its key, as `node.certificates` takes them.
    ///
    /// # Panics
    /// As [`Self::certify`].
    pub fn pem_pair(&self, names: &[&str]) -> PemPair {
        let key = KeyPair::generate().expect("a key");
        let signed = params(names).signed_by(&key, &self.issuer);
        PemPair {
            cert: signed.expect("a certificate").pem(),
            key: key.serialize_pem(),
        }
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        certificate(&signed, &key)
    }
}

/// A certificate and its key in PEM.
#[derive(Clone, Debug)]
pub struct PemPair {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: String,
}

impl Certificate {
    /// The certificate, as `origin_ca` takes it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate that no authority has signed.
    ///
    /// # Panics
    /// As [`Authority::certify`].
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let signed = params(names).self_signed(&key).expect("a certificate");
        certificate(&signed, &key)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    CertificateParams::new(names).expect("names or addresses")
}

fn certificate(signed: &rcgen::Certificate, key: &KeyPair) -> Certificate {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = ring::sign::any_supported_type(&key).expect("a key of a kind made here");
    Certificate {
        key: Arc::new(CertifiedKey::new(vec![signed.der().clone()], key)),
        pem: signed.pem(),
    }
}

/// How an origin secures its connections.
#[derive(Clone)]
pub struct OriginTls {
    acceptor: TlsAcceptor,
    config: Arc<ServerConfig>,
    hellos: Hellos,
}

/// What handshakes began with, in order.
type Hellos = Arc<Mutex<Vec<Hello>>>;

/// The start of a handshake.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The name asked for (SNI).
    pub name: Option<String>,
    /// The cipher suites offered, as RFC 5246 and RFC 8446 call them.
    pub suites: Vec<String>,
}

impl fmt::Debug for OriginTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginTls").finish_non_exhaustive()
    }
}

impl OriginTls {
    /// Shows one certificate, whatever name is asked for.
    pub fn showing(certificate: &Certificate) -> Self {
        Self::with(Some(certificate), &[&TLS12, &TLS13])
    }

    /// Speaks TLS 1.2 alone.
    pub fn only_1_2(certificate: &Certificate) -> Self {
        Self::with(Some(certificate), &[&TLS12])
    }

    /// Speaks TLS 1.3 alone.
    pub fn only_1_3(certificate: &Certificate) -> Self {
        Self::with(Some(certificate), &[&TLS13])
    }

    /// Refuses every handshake: there is no certificate to show.
    pub fn refusing() -> Self {
        Self::with(None, &[&TLS12, &TLS13])
    }

    fn with(
        certificate: Option<&Certificate>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let hellos = Hellos::default();
        let shown = Shown {
            certificate: certificate.map(|c| c.key.clone()),
            hellos: hellos.clone(),
        };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions the provider has")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        let config = Arc::new(config);
        Self {
            acceptor: TlsAcceptor::from(config.clone()),
            config,
            hellos,
        }
    }

    /// The same, agreeing to these protocols alone (ALPN).
    #[must_use]
    pub fn speaking(mut self, protocols: &[&str]) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        self.config = Arc::new(config);
        self.acceptor = TlsAcceptor::from(self.config.clone());
        self
    }

    /// What handshakes began with so far.
    pub(crate) fn hellos(&self) -> Vec<Hello> {
        self.hellos
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The connection once it is secured; `None` when the handshake fails.
    pub async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await.ok()
    }
}

/// Remembers what was asked for and shows what there is.
struct Shown {
    certificate: Option<Arc<CertifiedKey>>,
    hellos: Hellos,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.hellos
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Hello {
                name: hello.server_name().map(str::to_owned),
                suites: hello
                    .cipher_suites()
                    .iter()
                    .map(|suite| format!("{suite:?}"))
                    .collect(),
            });
        self.certificate.clone()
    }
}
