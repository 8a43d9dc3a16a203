//! The threads that accept and serve viewers' connections, and those that stand in for the ones functions hold.
//!
//! A function whose calls have always been quick is called on the worker's own thread, and V8 knows work that nobody can
//! interrupt (NC-98): a worker may be held for seconds, in the worst case for hours. The pool says so a quarter of a
//! second after the call should have ended. Then a *stand-in* is started on the same listening socket, one for each
//! worker that is held. A stand-in calls functions on the pool's threads alone, which costs a request some microseconds
//! and means that nothing can hold it: so there are never more of them at work than there are workers. When a worker comes
//! back, a stand-in retires: it stops accepting, and ends when its connections are done. At most as many retire at a time as
//! there are workers; one more stays at work for as long.
//!
//! What the held worker had accepted waits for it: its streams and its timers belong to its event loop.

use std::{
    fmt,
    io::{self, Write as _},
    net::{Shutdown, SocketAddr, TcpListener},
    os::fd::IntoRawFd as _,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use fourfront_hooks::pool::{Hold, Inline};
use pingora::{
    apps::HttpServerOptions,
    listeners::{L4BufferSettings, ListenerConfig},
    proxy::http_proxy,
    server::{Fds, ListenFds, configuration::ServerConf},
    services::{Service as _, listening::Service},
};
use socket2::SockRef;
use tempfile::NamedTempFile;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{Edge, Filters, direct::Direct};
use crate::node::{InFlight, Node};

/// After how long a stand-in that could not be started is tried again.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long connections on HTTP/2 that have no streams may take to end when the node does.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// A listening socket.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    is_secure: bool,
}

impl Door {
    /// Binds an address; `is_secure`: for HTTPS.
    ///
    /// # Errors
    /// The system's, with the setting that the address comes from.
    pub(super) fn open(setting: &str, address: SocketAddr, is_secure: bool) -> io::Result<Self> {
        let named = |e: io::Error| {
            io::Error::new(
                e.kind(),
                format!("node.{setting}: cannot listen on {address}: {e}"),
            )
        };
        let listener = TcpListener::bind(address).map_err(named)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            is_secure,
        })
    }

    /// The bound address.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            listener: self.listener.try_clone()?,
            ..*self
        })
    }
}

/// All workers of a node's listening sockets.
pub(super) struct Crew {
    node: Arc<Node>,
    /// Workers besides stand-ins.
    size: usize,
    /// PEM of the roots for HTTPS origins, in place of the system's.
    roots: Option<Vec<u8>>,
    stop: watch::Sender<bool>,
    abort: watch::Sender<bool>,
    state: Mutex<State>,
    /// Of `state`.
    changed: Condvar,
}

struct State {
    /// None once nobody is to accept any more.
    doors: Option<Vec<Door>>,
    /// Whether workers are to end.
    stopped: bool,
    threads: Vec<JoinHandle<()>>,
    /// Threads that have not ended, stand-ins included.
    alive: usize,
    /// Workers that functions hold.
    held: usize,
    /// Stand-ins at work, and what tells each to retire.
    stand_ins: Vec<watch::Sender<bool>>,
    /// Stand-ins that were told to and have not ended.
    retiring: usize,
    /// Stand-ins started so far, for their names.
    started: usize,
    /// Whether the last one could not start, or has ended unasked.
    failed: bool,
}

impl Crew {
    /// Nobody yet.
    pub(super) fn new(
        node: Arc<Node>,
        doors: Vec<Door>,
        size: usize,
        roots: Option<Vec<u8>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            node,
            size,
            roots,
            stop: watch::Sender::new(false),
            abort: watch::Sender::new(false),
            state: Mutex::new(State {
                doors: Some(doors),
                stopped: false,
                threads: Vec::new(),
                alive: 0,
                held: 0,
                stand_ins: Vec::new(),
                retiring: 0,
                started: 0,
                failed: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Starts the workers, and a thread that starts stand-ins when they are needed.
    ///
    /// # Errors
    /// The system's; what has been started then runs until [`Self::stop`].
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let roots = self.write_roots()?;
        let conf = self.conf(roots.as_ref());
        for index in 0..self.size {
            let worker = self.worker(&conf, self.stop.subscribe())?;
            let duty = self.duty(Role::Worker);
            let crew = Arc::downgrade(self);
            let on_hold = move |hold| {
                if let Some(crew) = crew.upgrade() {
                    crew.on_hold(hold);
                }
            };
            // A worker that descends from the engine's thread may run functions itself.
            let thread =
                self.node
                    .hooks()
                    .spawn(format!("viewer-{index}"), on_hold, move |inline| {
                        worker.run(inline);
                        drop(duty);
                    })?;
            self.lock().threads.push(thread);
        }
        let crew = self.clone();
        let keeper = thread::Builder::new().name("viewer-keeper".to_owned());
        let keeper = keeper.spawn(move || crew.keep())?;
        self.lock().threads.push(keeper);
        Ok(())
    }

    /// Tells workers to accept no more, and to end when no request is being served.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        if state.held == 0 {
            // A socket closes with the last that accepts from it. One that is held would keep it open: see `close`.
            state.doors = None;
        }
        self.stop.send_replace(true);
        for stand_in in state.stand_ins.drain(..) {
            stand_in.send_replace(true);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Tells those that have stopped to end, whatever they serve.
    pub(super) fn abort(&self) {
        self.abort.send_replace(true);
    }

    /// Waits for all to end. Whether they have.
    pub(super) fn all_ended_by(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.alive == 0)
    }

    /// Waits for those to end that no function holds.
    pub(super) fn others_ended_by(&self, deadline: Instant) {
        if !self.wait(deadline, |state| state.alive <= state.held) {
            tracing::warn!("workers have not ended in time");
        }
    }

    /// Ends the listening also for workers that are held, and forgets these.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let doors = state.doors.take();
        let threads = std::mem::take(&mut state.threads);
        let (alive, held) = (state.alive, state.held);
        drop(state);
        if alive > 0 {
            tracing::error!(
                held,
                "functions do not let go of workers: they are left behind"
            );
            for door in doors.into_iter().flatten() {
                // Theirs is the same socket: nobody is to connect to it any more.
                let _ = SockRef::from(&door.listener).shutdown(Shutdown::Both);
            }
            return;
        }
        for thread in threads {
            // They are past their work.
            let _ = thread.join();
        }
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), left, |state| !done(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        done(&state)
    }

    /// Takes note of what the pool tells. Called where nothing may take long.
    fn on_hold(&self, hold: Hold) {
        let mut state = self.lock();
        state.held = match hold {
            Hold::Begins => state.held + 1,
            Hold::Ends => state.held.saturating_sub(1),
        };
        drop(state);
        self.changed.notify_all();
    }

    /// Sees that there is a stand-in for each worker that is held, and none besides, until workers are to end.
    fn keep(self: &Arc<Self>) {
        let mut state = self.lock();
        while !state.stopped {
            if state.failed {
                let waited = self.changed.wait_timeout(state, TRIED_AGAIN_AFTER);
                (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                state.failed = false;
            } else if state.stand_ins.len() < state.held {
                state.started += 1;
                let name = format!("viewer-extra-{}", state.started);
                drop(state);
                let started = self.start_stand_in(name);
                state = self.lock();
                if let Err(e) = started {
                    tracing::error!("a worker that functions hold cannot be replaced: {e}");
                    state.failed = true;
                }
            } else if state.stand_ins.len() > state.held && state.retiring < self.size {
                if let Some(stand_in) = state.stand_ins.pop() {
                    state.retiring += 1;
                    stand_in.send_replace(true);
                }
            } else {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                // Nothing is to be waited for with those that have ended.
                state.threads.retain(|thread| !thread.is_finished());
            }
        }
    }

    fn start_stand_in(self: &Arc<Self>, name: String) -> io::Result<()> {
        let roots = self.write_roots()?;
        let (retire, retires) = watch::channel(false);
        let worker = self.worker(&self.conf(roots.as_ref()), retires)?;
        let duty = self.duty(Role::StandIn(retire.clone()));
        let thread = self.node.hooks().spawn_apart(name, move || {
            worker.run(None);
            drop(duty);
        })?;
        let mut state = self.lock();
        state.threads.push(thread);
        if state.stopped {
            // Meanwhile.
            retire.send_replace(true);
        } else {
            state.stand_ins.push(retire);
        }
        Ok(())
    }

    /// A worker that accepts until `stopped`.
    fn worker(&self, conf: &Arc<ServerConf>, stopped: watch::Receiver<bool>) -> io::Result<Worker> {
        let doors = self
            .lock()
            .doors
            .as_ref()
            .map(|doors| doors.iter().map(Door::try_clone).collect());
        let closed = || io::Error::other("the listening socket is closed");
        let doors: io::Result<Vec<Door>> = doors.ok_or_else(closed)?;
        let open = Arc::new(InFlight::default());
        let streams = Arc::new(InFlight::default());
        let doors = self.services(conf, &open, &streams, doors?);
        Ok(Worker {
            doors,
            stopped,
            all_stopped: self.stop.subscribe(),
            aborted: self.abort.subscribe(),
            open,
            streams,
            node: self.node.clone(),
        })
    }

    /// What serves a worker's share of each socket.
    fn services(
        &self,
        conf: &Arc<ServerConf>,
        open: &Arc<InFlight>,
        streams: &Arc<InFlight>,
        doors: Vec<Door>,
    ) -> Vec<(Service<Direct>, Door)> {
        let edge = Edge::new(self.node.clone(), conf);
        let mut proxy = http_proxy(conf, Filters(edge.clone()));
        // CONNECT would open a tunnel; CF-528 refuses it like any method a behaviour does not allow.
        proxy.server_options = Some(HttpServerOptions::default());
        let proxy = Arc::new(proxy);
        let one = |door: Door| {
            let direct = Direct::new(
                edge.clone(),
                proxy.clone(),
                open.clone(),
                streams.clone(),
                door.is_secure,
            );
            let mut service = Service::new("viewer".to_owned(), direct);
            // What Pingora has buffered it sends when a whole body of announced length is there, however long that takes.
            let unbuffered = L4BufferSettings::unbuffered();
            let listener = ListenerConfig::tcp(door.address.to_string());
            service.add_listener(listener.l4_buffer(unbuffered));
            (service, door)
        };
        doors.into_iter().map(one).collect()
    }

    fn conf(&self, roots: Option<&NamedTempFile>) -> Arc<ServerConf> {
        Arc::new(ServerConf {
            threads: self.size,
            ca_file: roots.map(|file| file.path().display().to_string()),
            // The flow counts tries itself (CF-391); this is only the ceiling Pingora wants, above three tries at eight
            // addresses of two origins each (CF-398).
            max_retries: 64,
            upstream_keepalive_pool_size: 256,
            ..ServerConf::default()
        })
    }

    /// The roots as a file, which Pingora reads when a proxy is made, and trusts instead of the system's.
    fn write_roots(&self) -> io::Result<Option<NamedTempFile>> {
        let Some(roots) = &self.roots else {
            return Ok(None);
        };
        let mut file = NamedTempFile::new()?;
        file.write_all(roots)?;
        file.flush()?;
        Ok(Some(file))
    }

    fn duty(self: &Arc<Self>, role: Role) -> Duty {
        self.lock().alive += 1;
        Duty {
            crew: self.clone(),
            role,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A thread's being there, however it ends.
struct Duty {
    crew: Arc<Crew>,
    role: Role,
}

enum Role {
    Worker,
    /// With what tells it to retire.
    StandIn(watch::Sender<bool>),
}

impl Drop for Duty {
    fn drop(&mut self) {
        let mut state = self.crew.lock();
        state.alive = state.alive.saturating_sub(1);
        if let Role::StandIn(retire) = &self.role {
            if let Some(at) = state.stand_ins.iter().position(|s| s.same_channel(retire)) {
                state.stand_ins.remove(at);
                state.failed = true;
            } else {
                state.retiring = state.retiring.saturating_sub(1);
            }
        }
        drop(state);
        self.crew.changed.notify_all();
    }
}

/// One worker thread's share of the listeners.
struct Worker {
    doors: Vec<(Service<Direct>, Door)>,
    /// That this one is to end.
    stopped: watch::Receiver<bool>,
    /// That all are.
    all_stopped: watch::Receiver<bool>,
    aborted: watch::Receiver<bool>,
    /// Its connections.
    open: Arc<InFlight>,
    /// Those on HTTP/2.
    streams: Arc<InFlight>,
    node: Arc<Node>,
}

impl Worker {
    fn run(mut self, inline: Option<Inline>) {
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
        runtime.block_on(async {
            // Returns when it is told to stop; connections go on.
            let serving = async {
                let mut serving = JoinSet::new();
                for (service, door) in self.doors {
                    serving.spawn(serve_door(service, door, self.stopped.clone()));
                }
                while serving.join_next().await.is_some() {}
                let retires = !*self.all_stopped.borrow();
                let idle = async {
                    let stopped = self.all_stopped.wait_for(|stopped| *stopped).await;
                    if stopped.is_ok() {
                        self.node.in_flight().idle().await;
                        // They are told that they end, and may say goodbye.
                        let _ = timeout(GOODBYE_WITHIN, self.streams.idle()).await;
                    }
                };
                tokio::select! {
                    () = idle => {}
                    // One that retires among others: no viewer loses anything. A refresh in the background may be cut
                    // off; the next request for a stale object begins another.
                    () = self.open.idle(), if retires => {}
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

/// Accepts from one socket until `stopped`.
async fn serve_door(mut service: Service<Direct>, door: Door, stopped: watch::Receiver<bool>) {
    let mut fds = Fds::new();
    fds.add(door.address.to_string(), door.listener.into_raw_fd());
    let fds: ListenFds = Arc::new(parking_lot::Mutex::new(fds));
    service.start_service(Some(fds), stopped, 1).await;
}

/// The system's certificate authorities and the operator's, in one PEM file (CF-423, CF-424).
pub(crate) fn all_roots(origin_ca: &str) -> io::Result<Vec<u8>> {
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
    let system = SYSTEM_ROOTS
        .iter()
        .find_map(|path| std::fs::read(path).ok());
    let mut all = system.unwrap_or_default();
    all.push(b'\n');
    all.extend(own);
    Ok(all)
}

/// Where distributions keep their bundle of authorities: Debian, Fedora, Alpine.
pub(crate) const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
