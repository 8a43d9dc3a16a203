//! Listening, and stopping without losing a request.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::workers::{self, Crew, Door};
use crate::node::Node;

/// How long workers may take to end once their requests have been cut off: they do so at their next look, which a busy
/// machine may put off.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// Viewer listeners at work.
///
/// Workers are threads with an event loop each, as nginx's are processes: a connection stays on the worker that
/// accepted it, and no lock or wake-up crosses cores on the way of a hit. They share the listening socket, and
/// each has its own connections to origins. (Pingora's own single-threaded runtimes would do the same, but they
/// find their threads again by ids that the system reuses, so a process can have only one set in its life.)
///
/// A function may hold a worker in spite of all limits (NC-98). Then another one takes its place at the listening
/// socket within half a second; the connections that the held worker has accepted wait until its function lets go of it.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    secure_address: Option<SocketAddr>,
    node: Arc<Node>,
    crew: Arc<Crew>,
    stopped: bool,
}

/// How the viewer side is run.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address to listen on for HTTPS, likewise.
    pub listen_https: Option<SocketAddr>,
    /// Worker threads; one per core when `None`.
    pub threads: Option<usize>,
    /// PEM file of further roots for HTTPS origins.
    pub origin_ca: Option<String>,
}

/// Binds and serves. The listener accepts from the moment this returns.
///
/// # Errors
/// When an address cannot be bound, `origin_ca` cannot be read, or no thread can be started.
pub fn serve(node: &Arc<Node>, settings: &ServeSettings) -> io::Result<Listening> {
    let plain = Door::open("listen", settings.listen, false)?;
    let secure = settings.listen_https;
    let secure = secure.map(|address| Door::open("listen_https", address, true));
    let secure = secure.transpose()?;
    let address = plain.address();
    let secure_address = secure.as_ref().map(Door::address);
    if let Some(address) = secure_address {
        node.listens_https_at(address.port());
    }
    let doors = [Some(plain), secure].into_iter().flatten().collect();
    let threads = settings
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let roots = settings
        .origin_ca
        .as_deref()
        .map(workers::all_roots)
        .transpose()?;
    // From here on, dropping it stops whatever has been started.
    let listening = Listening {
        address,
        secure_address,
        node: node.clone(),
        crew: Crew::new(node.clone(), doors, threads, roots),
        stopped: false,
    };
    node.begins();
    listening.crew.start()?;
    Ok(listening)
}

impl Listening {
    /// The bound address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bound address for HTTPS.
    pub const fn secure_address(&self) -> Option<SocketAddr> {
        self.secure_address
    }

    /// The node behind it.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Stops accepting, lets running requests finish for at most `grace`, then ends. Workers that functions hold are
    /// left behind after that; they end with the process, or when they are let go of.
    pub fn shutdown(mut self, grace: Duration) {
        self.stop_within(grace);
    }

    fn stop_within(&mut self, grace: Duration) {
        self.stopped = true;
        self.node.drain();
        self.crew.stop();
        if !self.crew.all_ended_by(Instant::now() + grace) {
            // Requests were still running: they are cut off, as the operator asked.
            self.crew.abort();
            self.crew.others_ended_by(Instant::now() + ENDED_WITHIN);
        }
        self.crew.close();
        self.node.close();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if !self.stopped {
            self.stop_within(Duration::ZERO);
        }
    }
}
