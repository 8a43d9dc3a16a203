//! Starting a node from a site file: what `serve`, `dev` and `check` share.

use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    os::unix::net::UnixListener,
    path::Path,
    sync::{Arc, mpsc},
    time::Duration,
};

use fourfront_control::{Deployment, Loaded, LogSettings, NodeSettings, load_with};
use fourfront_hooks::{
    log::LogSink,
    pool::{HookPool, Now, PoolSettings},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    clock::{Clock, SystemClock},
    node::{self, Node, NodeParts, SnapshotError},
    observe::{
        access::AccessSink,
        access_log::{AccessLog, AccessLogs, StandardLogs},
        admin,
        endpoint::{Endpoint, bind_socket, serve_socket, serve_tcp},
        log_file::{LogFile, Reopen},
        logs,
        metrics::Metrics,
        tap::LogTap,
        writer::unbuffered,
    },
    pingora::{Listening, ServeSettings, serve},
};

use super::{
    control::Controlled,
    restart::{needs_restart, note},
    say,
};

/// Reads a site file with the process's environment; prints what is wrong with it.
pub(super) fn read_site(path: &Path) -> Option<Loaded> {
    read_site_for(path, None)
}

/// The same for a node that keeps its state where it is told to, whatever the file says.
pub(super) fn read_site_for(path: &Path, data: Option<&Path>) -> Option<Loaded> {
    read_site_as(
        path,
        &Deployment {
            data_dir: data.map(Path::to_path_buf),
            ..Deployment::default()
        },
    )
}

/// The same with what is said beside the file.
pub(super) fn read_site_as(path: &Path, said: &Deployment) -> Option<Loaded> {
    match load_with(path, &|name| env::var(name).ok(), said) {
        Ok(loaded) => Some(loaded),
        Err(errors) => {
            logs::say(&errors.to_string());
            None
        }
    }
}

/// Metrics of a process.
pub(super) fn start_metrics() -> Option<Arc<Metrics>> {
    Metrics::new().map_err(|e| say(&e)).ok().map(Arc::new)
}

/// Puts standard error behind a queue, and counts in the metrics what is lost there.
pub(super) fn start_logs() -> Option<Arc<Metrics>> {
    let metrics = start_metrics()?;
    logs::start(metrics.log_dropped("stderr"))
        .map_err(|e| say(&format!("cannot start logging: {e}")))
        .ok()?;
    Some(metrics)
}

/// The pool that runs a site's functions.
fn start_pool(loaded: &Loaded, functions: Arc<dyn LogSink>) -> HookPool {
    let hooks = &loaded.node.hooks;
    let mut settings = PoolSettings::new(functions, now());
    if let Some(threads) = hooks.threads.and_then(NonZeroUsize::new) {
        settings.threads = threads;
    }
    settings.concurrency_per_function = hooks.concurrency;
    settings.idle_ttl = hooks.idle_timeout;
    settings.host.egress = node::egress(&loaded.node);
    settings.host.name_prefix = hooks.function_name_prefix.as_str().into();
    settings.host.variables = hooks.variables;
    settings.host.compute.budget = hooks.compute_budget;
    HookPool::new(settings)
}

/// The system's clock, as functions' log records take it.
pub(super) fn now() -> Now {
    let clock = SystemClock::start();
    Arc::new(move || clock.now())
}

/// A node from a site file.
///
/// # Errors
/// What is wrong with its functions, directories and certificate authorities.
pub(super) fn new_node(
    loaded: &Loaded,
    metrics: Arc<Metrics>,
    functions: Arc<dyn LogSink>,
    access: Arc<dyn AccessSink>,
) -> Result<Arc<Node>, Vec<SnapshotError>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let parts = NodeParts {
        hooks: start_pool(loaded, functions),
        clock,
        access,
        name: node_name(),
    };
    Node::new(loaded, parts, metrics)
}

/// Whether the standard logs of distributions are written: not by `dev`, which may run beside a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandardLog {
    Written,
    Off,
}

/// A node that is about to serve: [`new_node`] with the access logs that the site file asks for, and what others read them by.
/// Prints what is wrong with it.
pub(super) fn start_node(
    loaded: &Loaded,
    metrics: Arc<Metrics>,
    functions: Arc<dyn LogSink>,
    standard: StandardLog,
) -> Option<(Arc<Node>, Arc<LogTap>)> {
    let tap = Arc::new(LogTap::new(functions));
    let access = start_access_logs(&loaded.node.log, &metrics, Arc::clone(&tap), standard)
        .map_err(|e| say(&format!("cannot start the access log: {e}")))
        .ok()?;
    let functions: Arc<dyn LogSink> = Arc::clone(&tap) as _;
    match new_node(loaded, metrics, functions, Arc::new(access)) {
        Ok(node) => Some((node, tap)),
        Err(errors) => {
            for error in errors {
                say(&error);
            }
            None
        }
    }
}

fn start_access_logs(
    settings: &LogSettings,
    metrics: &Metrics,
    tap: Arc<LogTap>,
    standard: StandardLog,
) -> io::Result<AccessLogs> {
    let node = settings.access.then(|| {
        let format = settings.access_format;
        let (head, reopen) = (AccessLog::head(format), Reopen::default());
        let out = match &settings.access_file {
            Some(path) => LogFile::open(path.clone(), head, reopen.clone()).map_err(|e| {
                let message = format!("node.log.access_file: {}: {e}", path.display());
                io::Error::new(e.kind(), message)
            })?,
            None => LogFile::stream(unbuffered(io::stdout())?, head, reopen.clone()),
        };
        let dropped = metrics.log_dropped("access");
        AccessLog::start(format, settings.include_cookies, out, reopen, dropped)
    });
    let standard = (standard == StandardLog::Written).then(|| {
        let clock = Arc::new(SystemClock::start());
        StandardLogs::start(clock, metrics.log_dropped("standard"))
    });
    Ok(AccessLogs {
        node: node.transpose()?,
        standard: standard.transpose()?,
        tap: Some(tap),
    })
}

/// This machine's name, for `Via`; characters that a header would not carry are left out.
fn node_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(63)
        .collect();
    if name.is_empty() {
        "node".to_owned()
    } else {
        name
    }
}

/// What a node listens on.
pub(super) struct Listeners {
    pub(super) viewer: Listening,
    /// Where the admin listener was bound.
    pub(super) admin: SocketAddr,
    /// Where the listener for probes and scrapers was bound, if there is one.
    pub(super) metrics: Option<SocketAddr>,
}

/// Starts the viewer and the admin listener; prints which address is taken when one is.
pub(super) fn start_listeners(
    node: &Arc<Node>,
    tap: &Arc<LogTap>,
    loaded: &Loaded,
    controlled: Option<&Controlled>,
) -> Option<Listeners> {
    let settings = ServeSettings {
        listen: loaded.node.listen,
        listen_https: loaded.node.viewers.listen_https,
        threads: loaded.node.threads,
        origin_ca: loaded
            .node
            .origin_ca
            .as_ref()
            .map(|p| p.display().to_string()),
    };
    // Without keys nobody can be asked who they are, so that only this machine may ask (CP-400).
    if controlled.is_none() && !loaded.node.admin.ip().to_canonical().is_loopback() {
        say(&"node.admin: without `node.data_dir` it has to be a loopback address");
        return None;
    }
    // Before the viewers' listener, which answers from the moment it is there.
    let (admin_listener, admin) = bind("node.admin", loaded.node.admin)?;
    let metrics = match loaded.node.metrics {
        Some(address) => Some(bind("node.metrics", address)?),
        None => None,
    };
    let controlled = match controlled {
        None => None,
        Some(controlled) => {
            let path = &controlled.endpoint.socket;
            let socket = bind_socket(path)
                .map_err(|e| {
                    say(&format!(
                        "node.admin.socket: cannot listen on {}: {e}",
                        path.display()
                    ));
                })
                .ok()?;
            let (endpoint, tls) = (Arc::clone(&controlled.endpoint), controlled.tls.clone());
            Some((endpoint, tls, socket))
        }
    };
    let viewer = serve(node, &settings).map_err(|e| say(&e)).ok()?;
    let target: Arc<dyn admin::Admin> = node.clone();
    let tap = Arc::clone(tap);
    let (metrics_listener, metrics) = metrics.unzip();
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || admin_thread(admin_listener, metrics_listener, target, tap, controlled))
        .map_err(|e| say(&format!("cannot start the admin listener: {e}")))
        .ok()?;
    Some(Listeners {
        viewer,
        admin,
        metrics,
    })
}

/// Listens where a setting says; prints why it cannot.
fn bind(setting: &str, address: SocketAddr) -> Option<(TcpListener, SocketAddr)> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok::<_, io::Error>((listener, bound))
    };
    listen()
        .map_err(|e| say(&format!("{setting}: cannot listen on {address}: {e}")))
        .ok()
}

fn admin_thread(
    listener: TcpListener,
    metrics: Option<TcpListener>,
    target: Arc<dyn admin::Admin>,
    tap: Arc<LogTap>,
    controlled: Option<(Arc<Endpoint>, Option<TlsAcceptor>, UnixListener)>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.and_then(|runtime| {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let metrics = metrics.map(tokio::net::TcpListener::from_std).transpose()?;
            let probes = async {
                if let Some(metrics) = metrics {
                    admin::serve_probes(metrics, target.clone()).await;
                }
            };
            match controlled {
                None => {
                    tokio::join!(admin::serve(listener, target.clone(), tap), probes);
                }
                Some((endpoint, tls, socket)) => {
                    let socket = tokio::net::UnixListener::from_std(socket)?;
                    tokio::join!(
                        serve_tcp(listener, tls, Arc::clone(&endpoint)),
                        serve_socket(socket, endpoint),
                        probes
                    );
                }
            }
            Ok(())
        })
    });
    if let Err(e) = result {
        tracing::error!("admin listener: cannot start: {e}");
    }
}

/// How often certificates are looked at.
const RENEWED_EVERY: Duration = Duration::from_secs(2);

/// Looks at the node's certificates from time to time, for as long as what is returned is kept.
pub(super) fn renew_certificates(node: &Arc<Node>) -> Option<mpsc::Sender<()>> {
    let (kept, ended) = mpsc::channel::<()>();
    let node = Arc::downgrade(node);
    let renewing = std::thread::Builder::new().name("certificates".to_owned());
    let renewing = renewing.spawn(move || {
        while ended.recv_timeout(RENEWED_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            let Some(node) = node.upgrade() else { return };
            node.renew_certificates();
        }
    });
    renewing
        .map_err(|e| {
            say(&format!(
                "certificates are loaded anew by a reload alone: {e}"
            ))
        })
        .ok()?;
    Some(kept)
}

/// Loads the site file again and swaps it in, or keeps the old one and says why. When it was applied: what to add
/// to the news, about settings of `started` that a running node cannot change.
pub(super) fn reload(node: &Node, path: &Path, started: &NodeSettings) -> Option<String> {
    let Some(loaded) = read_site(path) else {
        node.metrics().reload("refused");
        say(&KEPT);
        return None;
    };
    apply(node, &loaded, started)
}

/// Swaps in what was loaded, as [`reload`] does.
pub(super) fn apply(node: &Node, loaded: &Loaded, started: &NodeSettings) -> Option<String> {
    match node.reload(loaded) {
        Ok(()) => Some(note(&needs_restart(started, &loaded.node))),
        Err(errors) => {
            for error in errors {
                say(&error);
            }
            say(&KEPT);
            None
        }
    }
}

/// Said when a reload is refused.
pub(super) const KEPT: &str = "the configuration in force stays";
