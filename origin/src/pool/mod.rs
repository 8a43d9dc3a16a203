//! Several servers behind one origin: which are there, which are well, and which gets a request (CF-808).
//!
//! Of `pingora-load-balancing` this takes the membership with its probes (`Backends`, `HealthCheck`) and the ring of the consistent
//! choice (`KetamaHashing`). Its `LoadBalancer` is not used: it chooses without knowing the load, knows nothing of requests
//! that fail, and its background service belongs to Pingora's own server. So the choice by load ([`choice`]), taking servers
//! out ([`ejection`]) and the loop ([`Pool::run`]) are here.

mod choice;
mod ejection;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use fourfront_model::{self as model, IpAddressType, PoolChoice};
pub use pingora_load_balancing::health_check::HealthCheck as Probe;
use pingora_load_balancing::{
    Backend, Backends, Extensions,
    discovery::ServiceDiscovery,
    selection::{BackendIter as _, BackendSelection as _, consistent::KetamaHashing},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval},
};

use self::{choice::Candidate, ejection::Record};
use crate::{
    OriginFault,
    attempt::MOST_PLACES,
    resolve::{Lookup, Resolver},
};

/// How often the members' names are looked at. Name servers are asked when an answer's time is over (CF-398).
const NAMES_EVERY: Duration = Duration::from_secs(1);

/// Between two rounds of probes, whatever is configured.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// How long finding a member's addresses may take.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

/// Servers of one pool: a name may have any number of addresses.
const MOST_SERVERS: usize = 256;

/// How many steps are gone on the ring for other servers to try; each has some 160 places for each unit of weight.
const MOST_STEPS: usize = 2048;

/// The servers of one origin while the node runs.
pub struct Pool {
    config: Arc<model::Pool>,
    backends: Backends,
    table: ArcSwap<Table>,
    /// Whether the members were looked for.
    looked: watch::Sender<bool>,
    ejections: AtomicU64,
}

/// Which servers there are.
#[derive(Default)]
struct Table {
    servers: Vec<Arc<Server>>,
    /// For the consistent choice.
    ring: Option<Arc<KetamaHashing>>,
    /// By address.
    places: HashMap<SocketAddr, usize>,
}

/// One server.
pub struct Server {
    backend: Backend,
    address: SocketAddr,
    weight: u32,
    in_flight: AtomicU32,
    record: Mutex<Record>,
}

/// How a server does, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is.
    pub address: SocketAddr,
    /// Its share.
    pub weight: u32,
    /// Whether it gets requests.
    pub state: State,
    /// Requests it is busy with.
    pub in_flight: u32,
}

/// Whether a server gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Up,
    /// Probes say that it is down.
    Down,
    /// Requests to it have failed, so for a while it gets none.
    Ejected,
}

impl State {
    /// As admin and metrics call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Ejected => "ejected",
        }
    }
}

/// Where the members of a pool are when their configuration leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The origin's port.
    pub port: u16,
    /// Which addresses of names may be used (CF-398).
    pub kinds: IpAddressType,
}

impl Pool {
    /// A pool whose members are found through `resolver` and probed by `probe`, once [`Self::run`] does so.
    pub fn new<L: Lookup + 'static>(
        config: Arc<model::Pool>,
        defaults: Defaults,
        resolver: Arc<Resolver<L>>,
        probe: Option<Box<dyn Probe + Send + Sync>>,
    ) -> Self {
        let members = Members {
            pool: config.clone(),
            defaults,
            resolver,
        };
        let mut backends = Backends::new(Box::new(members));
        if let Some(probe) = probe {
            backends.set_health_check(probe);
        }
        Self {
            config,
            backends,
            table: ArcSwap::default(),
            looked: watch::Sender::new(false),
            ejections: AtomicU64::new(0),
        }
    }

    /// Looks for members and probes them, until the pool is dropped. Probes do not wait for name servers.
    pub async fn run(pool: Weak<Self>) {
        match pool.upgrade() {
            Some(pool) => pool.look().await,
            None => return,
        }
        let probes = async {
            let every = pool.upgrade().and_then(|pool| {
                let check = pool.config.health_check.as_ref()?;
                Some(check.interval.max(LEAST_INTERVAL))
            });
            let Some(every) = every else {
                return;
            };
            let mut ticks = ticks(every);
            loop {
                ticks.tick().await;
                match pool.upgrade() {
                    Some(pool) => pool.probe().await,
                    None => return,
                }
            }
        };
        let names = async {
            let mut ticks = ticks(NAMES_EVERY);
            loop {
                ticks.tick().await;
                match pool.upgrade() {
                    Some(pool) => pool.look().await,
                    None => return,
                }
            }
        };
        tokio::join!(names, probes);
    }

    /// Looks for the members, once.
    pub async fn look(&self) {
        // The discovery below reports no errors of its own.
        let _ = self
            .backends
            .update(|backends| self.table.store(Arc::new(self.renewed(&backends))))
            .await;
        self.looked.send_replace(true);
    }

    /// Probes all members, once. One that was down and is up begins anew: what requests said of it was said before.
    pub async fn probe(&self) {
        let is_down = |server: &Arc<Server>| !self.backends.ready(&server.backend);
        let table = self.table.load_full();
        let down: Vec<_> = table.servers.iter().filter(|s| is_down(s)).collect();
        self.backends.run_health_check(true).await;
        for server in down {
            if !is_down(server) {
                *server.record() = Record::default();
            }
        }
    }

    /// A table of these; what is known of those that stay is kept.
    fn renewed(&self, backends: &BTreeSet<Backend>) -> Table {
        let old = self.table.load();
        let mut servers = Vec::new();
        let mut places = HashMap::new();
        for backend in backends {
            let Some(address) = backend.addr.as_inet().copied() else {
                continue;
            };
            let known = old.places.get(&address).and_then(|at| old.servers.get(*at));
            let weight = u32::try_from(backend.weight).unwrap_or(u32::MAX);
            let server = match known.filter(|known| known.weight == weight) {
                Some(known) => known.clone(),
                None => Arc::new(Server::new(backend.clone(), address, weight)),
            };
            places.insert(address, servers.len());
            servers.push(server);
        }
        let ring = (self.config.choice == PoolChoice::Consistent)
            .then(|| Arc::new(KetamaHashing::build(backends)));
        Table {
            servers,
            ring,
            places,
        }
    }

    /// The servers a request is sent to, in the order they are tried; never empty. `key` is what the consistent choice goes by, and
    /// `avoid` comes last, if at all.
    ///
    /// Those that probes find down are left out. Those that were taken out because requests failed are left out as long as
    /// there are others: a request that fails is no reason to let all others fail as well.
    ///
    /// # Errors
    /// [`OriginFault::Dns`] when no member has an address, [`OriginFault::Connect`] when all are down, and
    /// [`OriginFault::ConnectTimeout`] when members were not found within `timeout`.
    pub async fn choose(
        &self,
        key: &[u8],
        avoid: Option<SocketAddr>,
        timeout: Duration,
        now: Instant,
    ) -> Result<Vec<Arc<Server>>, OriginFault> {
        if !*self.looked.borrow() {
            let mut looked = self.looked.subscribe();
            let found = tokio::time::timeout(timeout, looked.wait_for(|looked| *looked)).await;
            if found.is_err() {
                return Err(OriginFault::ConnectTimeout);
            }
        }
        let table = self.table.load();
        let names = || {
            let hosts = self.config.members.iter().map(|m| m.host.as_str());
            hosts.collect::<Vec<_>>().join(", ")
        };
        if table.servers.is_empty() {
            return Err(OriginFault::Dns {
                name: names(),
                cause: "no member of the pool has an address".to_owned(),
            });
        }
        let up = |server: &&Arc<Server>| self.backends.ready(&server.backend);
        let is_in = |server: &&Arc<Server>| up(server) && !server.record().is_out(now);
        let indices = |fits: &dyn Fn(&&Arc<Server>) -> bool| -> Vec<usize> {
            let all = table.servers.iter().enumerate();
            all.filter(|(_, server)| fits(server))
                .map(|(i, _)| i)
                .collect()
        };
        let mut usable = indices(&is_in);
        if usable.is_empty() {
            usable = indices(&up);
        }
        if usable.is_empty() {
            return Err(OriginFault::Connect {
                cause: format!("probes find all servers of the pool down: {}", names()),
            });
        }
        let mut order = match &table.ring {
            Some(ring) => on_ring(&table, ring, key, &usable),
            None => {
                let candidates = usable.iter().map(|index| Candidate {
                    index: *index,
                    weight: table.servers[*index].weight.max(1),
                    in_flight: table.servers[*index].in_flight.load(Ordering::Relaxed),
                });
                choice::least_loaded(candidates.collect(), |below| {
                    rand::random_range(0..below.max(1))
                })
            }
        };
        order.sort_by_key(|index| avoid == Some(table.servers[*index].address)); // stable
        order.truncate(MOST_PLACES);
        Ok(order
            .into_iter()
            .map(|i| table.servers[i].clone())
            .collect())
    }

    /// A request goes to a server, for as long as what is returned is held.
    pub fn enter(self: &Arc<Self>, server: Arc<Server>) -> Lease {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        Lease {
            pool: self.clone(),
            server,
        }
    }

    /// How the servers do, in the order of their addresses.
    pub fn standings(&self, now: Instant) -> Vec<Standing> {
        let table = self.table.load();
        let standing = |server: &Arc<Server>| Standing {
            address: server.address,
            weight: server.weight,
            state: match (
                self.backends.ready(&server.backend),
                server.record().is_out(now),
            ) {
                (false, _) => State::Down,
                (true, true) => State::Ejected,
                (true, false) => State::Up,
            },
            in_flight: server.in_flight.load(Ordering::Relaxed),
        };
        table.servers.iter().map(standing).collect()
    }

    /// How often servers were taken out because requests failed.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// What it was made of.
    pub const fn config(&self) -> &Arc<model::Pool> {
        &self.config
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Those that are usable as they come on the ring.
fn on_ring(table: &Table, ring: &Arc<KetamaHashing>, key: &[u8], usable: &[usize]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut steps = ring.iter(key);
    for _ in 0..MOST_STEPS {
        if order.len() >= usable.len().min(MOST_PLACES) {
            break;
        }
        let Some(backend) = steps.next() else {
            break;
        };
        let address = backend.addr.as_inet();
        let Some(index) = address.and_then(|address| table.places.get(address)) else {
            continue;
        };
        if usable.contains(index) && !order.contains(index) {
            order.push(*index);
        }
    }
    if order.is_empty() {
        // Usable ones have so few places on the ring that none came by.
        order.extend(usable.first());
    }
    order
}

impl Server {
    fn new(backend: Backend, address: SocketAddr, weight: u32) -> Self {
        Self {
            backend,
            address,
            weight,
            in_flight: AtomicU32::new(0),
            record: Mutex::default(),
        }
    }

    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.address).finish()
    }
}

/// A request at a server: counts as its load until this is dropped.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<Pool>,
    server: Arc<Server>,
}

impl Lease {
    /// The request has failed by the server's fault.
    pub fn failed(&self, now: Instant) {
        let rules = &self.pool.config.ejection;
        if self.server.record().failed(rules, now) {
            self.pool.ejections.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                server = %self.server.address,
                "requests fail one after the other: the server is left alone for a while"
            );
        }
    }

    /// An answer has come.
    pub fn succeeded(&self, now: Instant) {
        self.server
            .record()
            .succeeded(&self.pool.config.ejection, now);
    }

    /// Where it goes.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Finds the addresses of a pool's members.
struct Members<L> {
    pool: Arc<model::Pool>,
    defaults: Defaults,
    resolver: Arc<Resolver<L>>,
}

#[async_trait]
impl<L: Lookup + 'static> ServiceDiscovery for Members<L> {
    async fn discover(&self) -> pingora_error::Result<(BTreeSet<Backend>, HashMap<u64, bool>)> {
        let now = tokio::time::Instant::now().into_std();
        let mut asking = JoinSet::new();
        for (index, member) in self.pool.members.iter().enumerate() {
            let (host, kinds) = (member.host.clone(), self.defaults.kinds);
            let port = member.port.unwrap_or(self.defaults.port);
            let resolver = self.resolver.clone();
            asking.spawn(async move {
                let found = resolver
                    .resolve(&host, port, kinds, FOUND_WITHIN, now)
                    .await;
                (index, found)
            });
        }
        let mut found: Vec<_> = asking.join_all().await;
        found.sort_by_key(|(index, _)| *index);
        let mut weights: HashMap<SocketAddr, u32> = HashMap::new();
        for (index, addresses) in found {
            let Some(member) = self.pool.members.get(index) else {
                continue;
            };
            match addresses {
                Ok(addresses) => {
                    for address in addresses {
                        if weights.len() < MOST_SERVERS {
                            // Two names of one server are one server.
                            *weights.entry(address).or_default() += member.weight;
                        }
                    }
                }
                Err(fault) => tracing::warn!(member = member.host, "{fault}"),
            }
        }
        let backend = |(address, weight): (SocketAddr, u32)| Backend {
            addr: address.into(),
            weight: usize::try_from(weight).unwrap_or(usize::MAX),
            ext: Extensions::new(),
        };
        Ok((weights.into_iter().map(backend).collect(), HashMap::new()))
    }
}
