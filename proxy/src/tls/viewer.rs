//! What viewers are shown, and what their handshakes are held to (CF-095..100).
//!
//! The name in a handshake (SNI) leads to a distribution as a `Host` does, and that to its certificate, its security policy
//! and its protocols. A table of all of it is made with each configuration and swapped in whole: a handshake that has
//! begun goes on with the table it began with, and connections are not touched.
//!
//! Sessions are resumed by tickets, whose keys are made anew every six hours and live for twelve. Each pair of policy and
//! protocols has keys of its own, which outlive a reload.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwapOption;
use fourfront_control::{CertificateFiles, Loaded};
use fourfront_model::{HostName, HttpVersions, SecurityPolicy, Site, ViewerMtls};
use parking_lot::Mutex;
use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs::Ticketer},
    pki_types::{CertificateDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::{
    Pair, PairError,
    facts::registered_name,
    pair::{Stamp, provider, read_file},
};

/// What decides how handshakes go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Terms {
    policy: SecurityPolicy,
    versions: HttpVersions,
    clients: Option<Clients>,
}

/// Whose certificates viewers show (CF-055). What was in the file counts: with other authorities, tickets of before do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Clients {
    settings: ViewerMtls,
    authorities: Arc<[CertificateDer<'static>]>,
}

/// Certificates and terms of one configuration. It has one certificate at least.
pub struct Table {
    site: Arc<Site>,
    files: Vec<CertificateFiles>,
    /// As `files`.
    pairs: Vec<Arc<Pair>>,
    default: usize,
    /// By distribution: the certificate it names, and its terms.
    distributions: Vec<(Option<usize>, Arc<ServerConfig>)>,
    /// For names that lead to no distribution.
    others: Arc<ServerConfig>,
    /// By names in certificates; of wildcards, what follows the `*.`. Of two certificates for one name, the first counts.
    exact: HashMap<Box<str>, usize>,
    wildcards: HashMap<Box<str>, usize>,
}

/// How one handshake goes on.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What it is held to.
    pub config: Arc<ServerConfig>,
    /// What it will be shown.
    pub pair: Arc<Pair>,
}

/// What viewers are shown now.
pub struct ViewerTls {
    /// None without a certificate. Shared with the resolvers of all configurations.
    current: Arc<ArcSwapOption<Table>>,
    state: Mutex<State>,
}

/// Held by whoever changes what is shown.
#[derive(Default)]
struct State {
    /// Made once for each terms, with their keys for tickets.
    configs: HashMap<Terms, Arc<ServerConfig>>,
    /// What the files of a certificate were like when they were refused.
    refused: HashMap<String, Stamp>,
}

/// Why viewers cannot be shown anything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewerTlsError {
    /// A certificate cannot be used.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The authorities of viewers' certificates cannot be used.
    #[error("viewer_mtls_config.trust_store_config.trust_store: {}: {cause}", .path.display())]
    TrustStore {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The TLS library refuses the terms of a distribution.
    #[error("viewer_certificate: {0}")]
    Terms(#[from] rustls::Error),
}

/// What became of a certificate whose files have changed.
#[derive(Debug)]
pub enum Renewal {
    /// It is shown from now on.
    Applied(String),
    /// It cannot be used; the one before is shown.
    Refused(ViewerTlsError),
}

impl ViewerTls {
    /// What a first configuration says.
    ///
    /// # Errors
    /// Every certificate that cannot be used.
    pub fn new(loaded: &Loaded) -> Result<Self, Vec<ViewerTlsError>> {
        let tls = Self {
            current: Arc::default(),
            state: Mutex::default(),
        };
        let table = tls.prepare(loaded)?;
        tls.apply(table);
        Ok(tls)
    }

    /// Reads the certificates of another configuration; `None` where there are none.
    ///
    /// # Errors
    /// Every certificate that cannot be used; nothing has changed then.
    pub fn prepare(&self, loaded: &Loaded) -> Result<Option<Table>, Vec<ViewerTlsError>> {
        let viewers = &loaded.node.viewers;
        let mut pairs = Vec::new();
        let mut errors = Vec::new();
        for files in &viewers.certificates {
            match Pair::load(files) {
                Ok(pair) => pairs.push(Arc::new(pair)),
                Err(e) => errors.push(e.into()),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        let site = loaded.site.clone();
        let files = viewers.certificates.clone();
        let table = self.table(
            &mut self.state.lock(),
            site,
            files,
            pairs,
            viewers.default_certificate,
        );
        table.map(Some).map_err(|e| vec![e])
    }

    /// Shows what was prepared from now on.
    pub fn apply(&self, table: Option<Table>) {
        let mut state = self.state.lock();
        state.refused.clear();
        self.current.store(table.map(Arc::new));
        // Terms that nobody has any more, and the keys of their tickets.
        state
            .configs
            .retain(|_, config| Arc::strong_count(config) > 1);
    }

    /// Loads certificates whose files have changed. What cannot be used is told once, and tried again when its files change
    /// again: a certificate and its key are seldom put in place in one instant.
    pub fn renew(&self) -> Vec<Renewal> {
        let mut state = self.state.lock();
        let Some(table) = self.current.load_full() else {
            return Vec::new();
        };
        let mut pairs = table.pairs.clone();
        let mut renewals = Vec::new();
        let mut loaded = Vec::new();
        for (pair, files) in pairs.iter_mut().zip(&table.files) {
            let stamp = Stamp::of(files);
            if stamp == *pair.stamp() {
                // As before a change that was refused, perhaps.
                state.refused.remove(&files.label);
                continue;
            }
            if state.refused.get(&files.label) == Some(&stamp) {
                continue;
            }
            match Pair::load(files) {
                Ok(new) => {
                    loaded.push((files.label.clone(), stamp, !new.is_same(pair)));
                    *pair = Arc::new(new);
                }
                Err(e) => {
                    state.refused.insert(files.label.clone(), stamp);
                    renewals.push(Renewal::Refused(e.into()));
                }
            }
        }
        if !loaded.is_empty() {
            let (site, files) = (table.site.clone(), table.files.clone());
            match self.table(&mut state, site, files, pairs, table.default) {
                Ok(next) => {
                    self.current.store(Some(Arc::new(next)));
                    for (label, _, is_new) in loaded {
                        state.refused.remove(&label);
                        renewals.extend(is_new.then_some(Renewal::Applied(label)));
                    }
                }
                Err(e) => {
                    // Told once, as of a pair that cannot be used.
                    for (label, stamp, _) in loaded {
                        state.refused.insert(label, stamp);
                    }
                    renewals.push(Renewal::Refused(e));
                }
            }
        }
        renewals
    }

    /// What is shown, and on which terms, to those who ask for a name; `None` when there is nothing to show.
    pub fn choose(&self, server_name: Option<&str>) -> Option<Chosen> {
        let table = self.current.load();
        let table = table.as_ref()?;
        let name = server_name.map(HostName::lookup_key);
        Some(Chosen {
            config: table.config(name.as_deref()).clone(),
            pair: table.pair(name.as_deref())?.clone(),
        })
    }

    /// Each certificate's label, and the last second it is good for, since 1970.
    pub fn expiries(&self) -> Vec<(String, i64)> {
        let table = self.current.load();
        let Some(table) = table.as_ref() else {
            return Vec::new();
        };
        let labels = table.files.iter().map(|f| f.label.clone());
        labels
            .zip(table.pairs.iter().map(|p| p.not_after()))
            .collect()
    }

    fn table(
        &self,
        state: &mut State,
        site: Arc<Site>,
        files: Vec<CertificateFiles>,
        pairs: Vec<Arc<Pair>>,
        default: usize,
    ) -> Result<Table, ViewerTlsError> {
        let mut distributions = Vec::new();
        for distribution in site.distributions() {
            let certificate = &distribution.viewer_certificate;
            let named = certificate.certificate.as_ref();
            let index = named.and_then(|name| files.iter().position(|f| f.label == *name));
            let terms = Terms {
                policy: certificate.policy,
                versions: distribution.http_versions,
                clients: distribution
                    .viewer_mtls
                    .as_ref()
                    .map(Clients::read)
                    .transpose()?,
            };
            distributions.push((index, self.config(state, terms)?));
        }
        let (mut exact, mut wildcards) = (HashMap::new(), HashMap::new());
        for (index, pair) in pairs.iter().enumerate() {
            for name in pair.names() {
                match name.strip_prefix("*.") {
                    Some(suffix) => wildcards.entry(suffix.into()).or_insert(index),
                    None => exact.entry(name.clone()).or_insert(index),
                };
            }
        }
        Ok(Table {
            others: self.config(state, Terms::default())?,
            site,
            files,
            pairs,
            default,
            distributions,
            exact,
            wildcards,
        })
    }

    fn config(&self, state: &mut State, terms: Terms) -> Result<Arc<ServerConfig>, ViewerTlsError> {
        if let Some(config) = state.configs.get(&terms) {
            return Ok(config.clone());
        }
        let resolver = Resolver(self.current.clone());
        let config = Arc::new(server_config(&terms, resolver)?);
        state.configs.insert(terms, config.clone());
        Ok(config)
    }
}

impl Table {
    /// The terms for a name as [`HostName::lookup_key`] gives it.
    fn config(&self, name: Option<&str>) -> &Arc<ServerConfig> {
        let distribution = name.and_then(|name| self.site.distribution_index_for(name));
        let found = distribution.and_then(|i| self.distributions.get(i));
        found.map_or(&self.others, |(_, config)| config)
    }

    /// The certificate for such a name: the one that its distribution names, else the one that is for it, else the default
    /// one (CF-095).
    fn pair(&self, name: Option<&str>) -> Option<&Arc<Pair>> {
        let named = || {
            let distribution = self.site.distribution_index_for(name?)?;
            self.distributions.get(distribution)?.0
        };
        let by_name = || {
            let name = name?;
            let by_wildcard = || self.wildcards.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(by_wildcard).copied()
        };
        let index = named().or_else(by_name).unwrap_or(self.default);
        self.pairs.get(index)
    }
}

impl Clients {
    fn read(settings: &ViewerMtls) -> Result<Self, ViewerTlsError> {
        let path = &settings.trust_store;
        let wrong = |cause: String| ViewerTlsError::TrustStore {
            path: path.clone(),
            cause,
        };
        let text = read_file(path).map_err(|e| wrong(e.to_string()))?;
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let authorities = authorities.map_err(|e| wrong(e.to_string()))?;
        if authorities.is_empty() {
            return Err(wrong("no PEM certificate in it".to_owned()));
        }
        Ok(Self {
            settings: settings.clone(),
            authorities: authorities.into(),
        })
    }

    fn verifier(
        &self,
        crypto: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, ViewerTlsError> {
        let wrong = |cause: String| ViewerTlsError::TrustStore {
            path: self.settings.trust_store.clone(),
            cause,
        };
        let mut roots = RootCertStore::empty();
        for authority in &*self.authorities {
            let added = roots.add(authority.clone());
            added.map_err(|e| wrong(e.to_string()))?;
        }
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto.clone());
        if !self.settings.required {
            verifier = verifier.allow_unauthenticated();
        }
        if !self.settings.advertises_names {
            verifier = verifier.clear_root_hint_subjects();
        }
        verifier.build().map_err(|e| wrong(e.to_string()))
    }
}

fn server_config(terms: &Terms, resolver: Resolver) -> Result<ServerConfig, ViewerTlsError> {
    let mut crypto: CryptoProvider = (**provider()).clone();
    // CF-098
    crypto
        .cipher_suites
        .retain(|suite| terms.policy.allows_suite(&registered_name(*suite)));
    let versions = if terms.policy.has_tls12() {
        &[&TLS13, &TLS12][..]
    } else {
        &[&TLS13][..]
    };
    let crypto = Arc::new(crypto);
    let builder = ServerConfig::builder_with_provider(crypto.clone());
    let builder = builder.with_protocol_versions(versions)?;
    let builder = match &terms.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients.verifier(&crypto)?),
    };
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = match terms.versions {
        HttpVersions::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersions::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

/// Finds what is shown in the table in force.
struct Resolver(Arc<ArcSwapOption<Table>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.0.load();
        let name = hello.server_name().map(HostName::lookup_key);
        let pair = table.as_ref()?.pair(name.as_deref())?;
        Some(pair.key().clone())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ViewerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewerTls").finish_non_exhaustive()
    }
}
