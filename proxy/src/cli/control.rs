//! The control plane of `serve`: what was deployed is served beside the site file, and changed through the admin endpoint
//! (CP-560, CP-600, CP-640).

use std::{
    env,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, mpsc},
    time::{Duration, SystemTime},
};

use fourfront_auth::{AdminListener, AuthMode, LinkSigner, MasterKey, may_use_development_key};
use fourfront_control::{
    AdminAuth, Loaded, NodeSettings,
    api::{ApiSettings, Control, Keychain, Opened, SiteFile, front},
    load_with,
};
use fourfront_store::{BlobId, Options, References, Store};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use super::{
    restart::{needs_restart, note},
    say,
};
use crate::{
    clock::{Clock, SystemClock},
    node::Node,
    observe::{endpoint::Endpoint, logs, tap::LogTap},
    plane::Plane,
};

/// Control state that is open, before there is a node that serves it.
pub(super) struct ControlState {
    opened: Opened,
    store: Store,
    data_dir: PathBuf,
}

/// How often blobs are looked for that nothing names.
const COLLECTED_EVERY: Duration = Duration::from_secs(6 * 3_600);

impl ControlState {
    /// Opens what the node keeps, if it keeps anything. Prints why it cannot.
    pub(super) fn open(loaded: &Loaded) -> Result<Option<Self>, ()> {
        let Some(data_dir) = &loaded.node.data_dir else {
            return Ok(None);
        };
        let store = Store::open(data_dir, Options::default())
            .map_err(|e| say(&format!("node.data_dir: {e}")))?;
        let opened = Opened::new(store.clone(), ApiSettings::of(loaded));
        Ok(Some(Self {
            opened,
            store,
            data_dir: data_dir.clone(),
        }))
    }

    /// The site file together with what was deployed. Prints what is wrong with either.
    pub(super) fn load(&self, path: &Path) -> Option<Loaded> {
        let deployment = self.opened.deployment();
        let deployment = deployment
            .map_err(|e| say(&format!("what was deployed cannot be read: {}", e.message)))
            .ok()?;
        match load_with(path, &|name| env::var(name).ok(), &deployment) {
            Ok(loaded) => Some(loaded),
            Err(errors) => {
                logs::say(&errors.to_string());
                None
            }
        }
    }

    /// The control plane in front of a node that serves it, and the endpoint it is reached by. Prints why there can be none.
    pub(super) fn start(
        self,
        node: &Arc<Node>,
        tap: Arc<LogTap>,
        config: &Path,
        settings: &NodeSettings,
    ) -> Option<Controlled> {
        let master = master_key(&self.data_dir, settings)
            .map_err(|e| say(&format!("node.admin.master_key_file: {e}")))
            .ok()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let signer = LinkSigner::new(&master, settings.control.account.region.clone());
        let site = SiteFile {
            path: config.to_path_buf(),
            env: Box::new(|name| env::var(name).ok()),
        };
        let links = {
            let clock = Arc::clone(&clock);
            front::links(signer.clone(), move || clock.now())
        };
        let plane = Arc::new(Plane::new(Arc::clone(node), Arc::clone(&tap)));
        let control = self.opened.control(plane, site, links);
        let control = Arc::new(control.map_err(|e| logs::say(&e.to_string())).ok()?);
        let keys = Keychain::new(self.store.clone(), master);
        first_key(&keys, &self.data_dir, settings, clock.now()).ok()?;
        let mode = match settings.control.auth {
            AdminAuth::SigV4 => AuthMode::SigV4,
            AdminAuth::Any => AuthMode::Any,
        };
        let window = front::window(settings.control.clock_skew);
        let front = front::Front::new(Arc::clone(&control), keys, mode, window, signer);
        let socket = settings.control.socket.clone();
        let endpoint = Endpoint {
            node: Arc::clone(node) as Arc<_>,
            front: Arc::new(front),
            tap,
            clock,
            viewers: OnceLock::new(),
            socket: socket.unwrap_or_else(|| self.data_dir.join("admin.sock")),
        };
        let tls = match acceptor(settings) {
            Ok(tls) => tls,
            Err(e) => {
                say(&format!("node.admin.certificate: {e}"));
                return None;
            }
        };
        let collecting = collect_from_time_to_time(self.store, Arc::clone(&endpoint.clock));
        Some(Controlled {
            control,
            endpoint: Arc::new(endpoint),
            tls,
            _collecting: collecting,
        })
    }
}

/// A control plane and how it is reached.
pub(super) struct Controlled {
    control: Arc<Control>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) tls: Option<TlsAcceptor>,
    _collecting: mpsc::Sender<()>,
}

impl Controlled {
    /// Serves what the site file and what was deployed say now, as [`super::start::reload`] does without a control plane.
    pub(super) fn reload(&self, started: &NodeSettings) -> Option<String> {
        let now = self.endpoint.clock.now();
        match self.control.reload(millis(now)) {
            Ok(loaded) => Some(note(&needs_restart(started, &loaded.node))),
            Err(e) => {
                logs::say(&e.to_string());
                say(&super::start::KEPT);
                None
            }
        }
    }
}

/// What stored secrets are sealed with (CP-430): the file of the setting, else what the service manager hands over, else a
/// file beside the store, which the first start makes.
fn master_key(data_dir: &Path, settings: &NodeSettings) -> Result<MasterKey, String> {
    if let Some(file) = &settings.control.master_key_file {
        return MasterKey::from_file(file).map_err(|e| e.to_string());
    }
    if let Ok(value) = env::var("FOURFRONT_MASTER_KEY") {
        return MasterKey::from_variable("FOURFRONT_MASTER_KEY", &value).map_err(|e| e.to_string());
    }
    if let Ok(directory) = env::var("CREDENTIALS_DIRECTORY") {
        let handed = Path::new(&directory).join("fourfront.master-key");
        if handed.exists() {
            return MasterKey::from_file(&handed).map_err(|e| e.to_string());
        }
    }
    let (key, _) =
        MasterKey::load_or_generate(&data_dir.join("master.key")).map_err(|e| e.to_string())?;
    Ok(key)
}

/// Makes the first key where there is none, and says how to come by it: on this machine it is printed, elsewhere its file is
/// named (CP-430).
fn first_key(
    keys: &Keychain,
    data_dir: &Path,
    settings: &NodeSettings,
    now: SystemTime,
) -> Result<(), ()> {
    let file = data_dir.join("bootstrap-credentials");
    let first = keys
        .bootstrap(&file, now)
        .map_err(|e| say(&format!("the first key: {}", e.message)))?;
    let Some(first) = first else {
        return Ok(());
    };
    let listener = AdminListener::Tcp {
        address: settings.admin,
        tls: settings.control.certificate.is_some(),
    };
    say(&format!(
        "made the first admin key; it is in {}",
        file.display()
    ));
    // To a person and to no file: logs are read by others, and for long.
    if may_use_development_key(&[listener], true) && std::io::stderr().is_terminal() {
        logs::say(&format!(
            "  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
            first.key_id,
            first.secret.reveal()
        ));
    }
    Ok(())
}

/// TLS of the admin listener.
fn acceptor(settings: &NodeSettings) -> Result<Option<TlsAcceptor>, String> {
    let Some(files) = &settings.control.certificate else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| format!("{}: {e}", files.cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| format!("{}: {e}", files.key.display()))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| e.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Removes blobs that nothing has named for a week, now and then, for as long as what is returned is kept (CP-561).
fn collect_from_time_to_time(store: Store, clock: Arc<dyn Clock>) -> mpsc::Sender<()> {
    let (kept, ended) = mpsc::channel::<()>();
    let references: References = Arc::new(|_, _, body| named_in(body));
    let collecting = std::thread::Builder::new().name("artifacts".to_owned());
    let collecting = collecting.spawn(move || {
        while ended.recv_timeout(COLLECTED_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            if let Err(e) = store.collect_garbage(millis(clock.now()), &references) {
                tracing::error!("artifacts that nothing names: {e}");
            }
        }
    });
    if let Err(e) = collecting {
        tracing::error!("artifacts that nothing names stay: {e}");
    }
    kept
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The blobs that a document names: whatever in it looks like a SHA-256.
fn named_in(body: &[u8]) -> Vec<BlobId> {
    let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    body.split(|b| !is_hex(b))
        .filter(|run| run.len() == 64)
        .filter_map(|run| std::str::from_utf8(run).ok()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_blobs_by_their_sums() {
        // CP-561
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let body = format!(r#"{{"sha256":"{sum}","other":"abc","long":"{sum}0"}}"#);
        let named: Vec<String> = named_in(body.as_bytes())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(named, [sum]);
    }
}
