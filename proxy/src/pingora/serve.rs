//! Listening, and stopping without losing a request.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd as _,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fourfront_hooks::pool::Inline;
use fourfront_origin::resolve::Resolver;
use pingora::{
    apps::HttpServerOptions,
    proxy::http_proxy,
    server::{Fds, ListenFds, configuration::ServerConf},
    services::{Service as _, listening::Service},
};
use tempfile::NamedTempFile;
use tokio::sync::watch;

use super::{Edge, Filters, direct::Direct};
use crate::node::Node;

/// Viewer listeners at work.
///
/// Workers are threads with an event loop each, as nginx's are processes: a connection stays on the worker that
/// accepted it, and no lock or wake-up crosses cores on the way of a hit. They share the listening socket, and
/// each has its own connections to origins. (Pingora's own single-threaded runtimes would do the same, but they
/// find their threads again by ids that the system reuses, so a process can have only one set in its life.)
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    node: Arc<Node>,
    stop: watch::Sender<bool>,
    abort: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

/// How the viewer side is run.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Worker threads; one per core when `None`.
    pub threads: Option<usize>,
    /// PEM file of further roots for HTTPS origins.
    pub origin_ca: Option<String>,
}

/// Binds and serves. The listener accepts from the moment this returns.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve(node: &Arc<Node>, settings: &ServeSettings) -> io::Result<Listening> {
    let listener = TcpListener::bind(settings.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let threads = settings
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));

    // Pingora reads the file when the proxy is made, and trusts what is in it instead of the system's roots.
    let roots = settings.origin_ca.as_deref().map(all_roots).transpose()?;
    let conf = Arc::new(ServerConf {
        threads,
        ca_file: roots.as_ref().map(|file| file.path().display().to_string()),
        // The flow counts tries itself (CF-391); this is only the ceiling Pingora wants.
        max_retries: 16,
        upstream_keepalive_pool_size: 256,
        ..ServerConf::default()
    });
    let (stop, stopped) = watch::channel(false);
    let (abort, aborted) = watch::channel(false);
    let resolver = Arc::new(Resolver::default());
    let mut listening = Listening {
        address,
        node: node.clone(),
        stop,
        abort,
        workers: Vec::new(),
    };
    for index in 0..threads {
        let edge = Edge::new(node.clone(), resolver.clone());
        let worker = Worker {
            service: service(&conf, edge, address),
            listener: listener.try_clone()?,
            stopped: stopped.clone(),
            aborted: aborted.clone(),
            node: node.clone(),
        };
        // A worker that descends from the engine's thread may run functions itself.
        let thread = node
            .hooks()
            .spawn(format!("viewer-{index}"), move |inline| {
                worker.run(address, inline);
            })?;
        listening.workers.push(thread);
    }
    Ok(listening)
}

fn service(conf: &Arc<ServerConf>, edge: Edge, address: SocketAddr) -> Service<Direct> {
    let edge = Arc::new(edge);
    let mut proxy = http_proxy(conf, Filters(edge.clone()));
    // CONNECT would open a tunnel; CF-528 refuses it like any method a behaviour does not allow.
    proxy.server_options = Some(HttpServerOptions::default());
    let mut service = Service::new("viewer".to_owned(), Direct::new(edge, Arc::new(proxy)));
    service.add_tcp(&address.to_string());
    service
}

/// One worker thread's share of the listener.
struct Worker {
    service: Service<Direct>,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
    aborted: watch::Receiver<bool>,
    node: Arc<Node>,
}

impl Worker {
    fn run(mut self, address: SocketAddr, inline: Option<Inline>) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(e) => {
                tracing::error!("a worker cannot start: {e}");
                return;
            }
        };
        let mut fds = Fds::new();
        fds.add(address.to_string(), self.listener.into_raw_fd());
        let fds: ListenFds = Arc::new(parking_lot::Mutex::new(fds));
        runtime.block_on(async {
            // Returns when it is told to stop; connections go on.
            let serving = async {
                self.service.start_service(Some(fds), self.stopped, 1).await;
                tokio::select! {
                    () = self.node.in_flight().idle() => {}
                    _ = self.aborted.wait_for(|abort| *abort) => {}
                }
            };
            match &inline {
                Some(inline) => tokio::select! {
                    () = serving => {}
                    () = inline.tend() => {}
                },
                None => serving.await,
            }
            // Here, because isolates are dropped in the runtime in which they ran.
            drop(inline);
        });
        // Lookups of names run on threads of the runtime; they are not waited for.
        runtime.shutdown_background();
    }
}

/// The system's certificate authorities and the operator's, in one PEM file (CF-423, CF-424).
fn all_roots(origin_ca: &str) -> io::Result<NamedTempFile> {
    let named =
        |e: io::Error| io::Error::new(e.kind(), format!("node.origin_ca: {origin_ca}: {e}"));
    let own = std::fs::read(origin_ca).map_err(named)?;
    let has_certificate = memchr::memmem::find(&own, b"-----BEGIN CERTIFICATE-----").is_some();
    if !has_certificate {
        return Err(named(io::Error::new(
            io::ErrorKind::InvalidData,
            "no PEM certificate in it",
        )));
    }
    let mut all = NamedTempFile::new()?;
    if let Some(system) = SYSTEM_ROOTS
        .iter()
        .find_map(|path| std::fs::read(path).ok())
    {
        all.write_all(&system)?;
        all.write_all(b"\n")?;
    }
    all.write_all(&own)?;
    all.flush()?;
    Ok(all)
}

/// Where distributions keep their bundle of authorities: Debian, Fedora, Alpine.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

impl Listening {
    /// The bound address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The node behind it.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Stops accepting, lets running requests finish for at most `grace`, then ends.
    pub fn shutdown(mut self, grace: Duration) {
        self.stop_within(grace);
    }

    fn stop_within(&mut self, grace: Duration) {
        self.node.drain();
        // No receiver is left only when the workers have ended already.
        let _ = self.stop.send(true);
        let deadline = Instant::now() + grace;
        let workers = std::mem::take(&mut self.workers);
        let (ended, all_ended) = std::sync::mpsc::channel();
        // Joining can't be bounded in time, so a thread of its own does it and says so.
        let joining = thread::spawn(move || {
            for worker in workers {
                let _ = worker.join();
            }
            let _ = ended.send(());
        });
        let left = deadline.saturating_duration_since(Instant::now());
        if all_ended.recv_timeout(left).is_err() {
            // Requests were still running: they are cut off, as the operator asked.
            let _ = self.abort.send(true);
        }
        let _ = joining.join();
        self.node.close();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if !self.workers.is_empty() {
            self.stop_within(Duration::ZERO);
        }
    }
}
