//! Listening, and stopping without losing a request.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd as _,
    sync::Arc,
    time::Duration,
};

use pingora::{
    apps::HttpServerOptions,
    proxy::http_proxy,
    server::{Fds, ListenFds, configuration::ServerConf},
    services::{Service as _, listening::Service},
};
use pingora_runtime::Runtime;
use tokio::sync::watch;

use super::Edge;
use crate::node::Node;

/// Viewer listeners at work.
pub struct Listening {
    address: SocketAddr,
    node: Arc<Node>,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("address", &self.address).finish_non_exhaustive()
    }
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
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));

    let conf = Arc::new(ServerConf {
        threads,
        ca_file: settings.origin_ca.clone(),
        // The flow counts tries itself (CF-391); this is only the ceiling Pingora wants.
        max_retries: 16,
        upstream_keepalive_pool_size: 256,
        ..ServerConf::default()
    });
    let mut proxy = http_proxy(&conf, Edge::new(node.clone()));
    // CONNECT would open a tunnel; CF-528 refuses it like any method a behaviour does not allow.
    proxy.server_options = Some(HttpServerOptions::default());
    let mut service = Service::new("viewer".to_owned(), proxy);
    service.add_tcp(&address.to_string());
    let mut fds = Fds::new();
    fds.add(address.to_string(), listener.into_raw_fd());
    let fds: ListenFds = Arc::new(parking_lot::Mutex::new(fds));

    // One single-threaded runtime per worker, as nginx has one event loop per worker: a connection stays on
    // its thread, and no lock or wake-up crosses cores on the way of a hit.
    let runtime = Runtime::new_no_steal(threads, "viewer");
    let (stop, stopped) = watch::channel(false);
    runtime.get_handle().spawn(async move {
        service.start_service(Some(fds), stopped, 1).await;
    });
    Ok(Listening {
        address,
        node: node.clone(),
        stop,
        runtime: Some(runtime),
    })
}

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
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        self.node.drain();
        // The receiver is gone only when the service has ended already.
        let _ = self.stop.send(true);
        let (done, wait) = std::sync::mpsc::channel();
        let node = self.node.clone();
        runtime.get_handle().spawn(async move {
            node.in_flight().idle().await;
            let _ = done.send(());
        });
        // A time-out means that requests were still running: they are cut off, as the operator asked.
        let _ = wait.recv_timeout(grace);
        runtime.shutdown_timeout(Duration::from_millis(100));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop_within(Duration::ZERO);
    }
}
