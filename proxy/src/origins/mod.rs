//! What outlives single requests on the side of origins: names and their addresses, pools with their probes, and who vouches for
//! whom (CF-398, CF-424, CF-808).
//!
//! Names are asked for and servers probed on a thread of its own: workers may be held by functions.

mod authority;
mod probe;
mod shields;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use fourfront_control::{Loaded, ResolverSettings};
use fourfront_model::{self as model, IpAddressType, Origin, OriginKind, OriginProtocol};
use fourfront_origin::{
    pool::{Defaults, Pool, State},
    resolve::{Dns, Lifetimes, Resolver},
    shield::Rests,
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::oneshot, task::AbortHandle};

pub use authority::{Authority, AuthorityError};
pub use probe::ProbeError;
use probe::ProbeOf;
pub(crate) use shields::Order;

use crate::observe::pools::PoolStanding;

/// How long an address at which nobody was is tried after the others of its name, and how many are remembered.
const SHUNNED_FOR: Duration = Duration::from_secs(10);
const MOST_SHUNNED: usize = 1024;

/// What all configurations of a node share.
#[derive(Debug)]
pub struct Origins {
    runtime: Handle,
    resolver: Arc<Resolver>,
    shunned: Mutex<HashMap<SocketAddr, Instant>>,
    rests: Rests,
    /// Ends the thread when it is dropped.
    _stop: oneshot::Sender<()>,
}

impl Origins {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's.
    pub fn start(settings: &ResolverSettings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("origins".to_owned())
            .spawn(move || {
                // Nothing is ever sent: that the sender is gone is the sign.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })?;
        let lifetimes = Lifetimes {
            most: settings.max_ttl,
            stale: settings.stale_ttl,
        };
        let dns = Dns::new(handle.clone(), settings.servers.clone());
        Ok(Self {
            runtime: handle,
            resolver: Arc::new(Resolver::new(dns, lifetimes)),
            shunned: Mutex::default(),
            rests: Rests::default(),
            _stop: stop,
        })
    }

    /// Addresses of names.
    pub const fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Shields that could not be reached (CF-415).
    pub(crate) const fn rests(&self) -> &Rests {
        &self.rests
    }

    /// Nobody was at an address.
    pub(crate) fn shun(&self, address: SocketAddr, now: Instant) {
        let mut shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        if shunned.len() >= MOST_SHUNNED {
            shunned.retain(|_, until| now < *until);
        }
        if shunned.len() < MOST_SHUNNED {
            shunned.insert(address, now + SHUNNED_FOR);
        }
    }

    /// The addresses in the order they are best tried.
    pub(crate) fn put_shunned_last(
        &self,
        mut addresses: Vec<SocketAddr>,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() > 1 && !shunned.is_empty() {
            let is_shunned = |a: &SocketAddr| shunned.get(a).is_some_and(|until| now < *until);
            addresses.sort_by_key(is_shunned); // stable
        }
        addresses
    }
}

/// What the origins of one configuration have.
#[derive(Debug, Default)]
pub struct OriginsOf {
    authorities: HashMap<PathBuf, Arc<Authority>>,
    pools: Vec<Arc<Entry>>,
}

/// A pool at work.
#[derive(Debug)]
struct Entry {
    /// As this configuration has it: its address tells it from others.
    key: Arc<model::Pool>,
    made_of: MadeOf,
    pool: Arc<Pool>,
    /// Once the node serves: whoever only looks at a configuration probes nobody.
    task: Arc<OnceLock<Task>>,
}

/// What a pool depends on: with the same it goes on over a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MadeOf {
    distribution: String,
    origin: String,
    config: model::Pool,
    port: u16,
    kinds: IpAddressType,
    probe: Option<ProbeOf>,
    is_https: bool,
}

/// Probes and looks for members as long as it is held.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why the origins of a configuration cannot be reached as it says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginsError {
    /// A file of authorities cannot be used.
    #[error("distributions.{distribution}.origins.{origin}.origin_ca: {cause}")]
    Authority {
        /// The distribution's id.
        distribution: String,
        /// The origin's id.
        origin: String,
        /// Why.
        cause: AuthorityError,
    },
    /// Servers cannot be probed.
    #[error("distributions.{distribution}.origins.{origin}.pool.health_check: {cause}")]
    Probe {
        /// The distribution's id.
        distribution: String,
        /// The origin's id.
        origin: String,
        /// Why.
        cause: ProbeError,
    },
}

impl OriginsOf {
    /// Reads authorities and makes pools; those that were there before and have not changed go on.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn prepare(
        loaded: &Loaded,
        origins: &Origins,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<OriginsError>> {
        let mut errors = Vec::new();
        let mut all = Self::default();
        for distribution in loaded.site.distributions() {
            for origin in &distribution.origins {
                note_old_versions(&distribution.id, origin);
                if let Some(path) = &origin.ca
                    && !all.authorities.contains_key(path)
                {
                    match Authority::read(path) {
                        Ok(authority) => {
                            all.authorities.insert(path.clone(), Arc::new(authority));
                        }
                        Err(cause) => errors.push(OriginsError::Authority {
                            distribution: distribution.id.clone(),
                            origin: origin.id.clone(),
                            cause,
                        }),
                    }
                }
                for origin in std::iter::once(origin).chain(&origin.secure) {
                    match all.pool_of(&distribution.id, origin, loaded, origins, previous) {
                        Ok(entry) => all.pools.extend(entry),
                        Err(cause) => errors.push(OriginsError::Probe {
                            distribution: distribution.id.clone(),
                            origin: origin.id.clone(),
                            cause,
                        }),
                    }
                }
            }
        }
        for shield in &loaded.node.shield.shields {
            // Without probes there is nothing that can be wrong.
            if let Ok(entry) = all.pool_of("", &shield.nodes, loaded, origins, previous) {
                all.pools.extend(entry);
            }
        }
        match errors.is_empty() {
            true => Ok(all),
            false => Err(errors),
        }
    }

    fn pool_of(
        &self,
        distribution: &str,
        origin: &Origin,
        loaded: &Loaded,
        origins: &Origins,
        previous: Option<&Self>,
    ) -> Result<Option<Arc<Entry>>, ProbeError> {
        let (Some(key), OriginKind::Custom(custom)) = (&origin.pool, &origin.kind) else {
            return Ok(None);
        };
        let is_https = custom.protocol == OriginProtocol::Https;
        let probe = key.health_check.as_ref().map(|check| ProbeOf {
            check: check.clone(),
            host: origin.domain_name.clone(),
            is_https,
            authority: self.authority(origin).cloned(),
            origin_ca: loaded.node.origin_ca.clone().filter(|_| is_https),
        });
        let made_of = MadeOf {
            distribution: distribution.to_owned(),
            origin: origin.id.clone(),
            config: model::Pool::clone(key),
            port: custom.port,
            kinds: origin.ip_address_type,
            probe,
            is_https,
        };
        let known = previous.and_then(|p| p.pools.iter().find(|e| e.made_of == made_of));
        if let Some(known) = known {
            return Ok(Some(Arc::new(Entry {
                key: key.clone(),
                made_of,
                pool: known.pool.clone(),
                task: known.task.clone(),
            })));
        }
        let probe = made_of.probe.as_ref().map(ProbeOf::make).transpose()?;
        let defaults = Defaults {
            port: custom.port,
            kinds: origin.ip_address_type,
        };
        let resolver = origins.resolver.clone();
        let pool = Arc::new(Pool::new(key.clone(), defaults, resolver, probe));
        Ok(Some(Arc::new(Entry {
            key: key.clone(),
            made_of,
            pool,
            task: Arc::default(),
        })))
    }

    /// Has members looked for and probed from now on.
    pub(crate) fn run(&self, origins: &Origins) {
        for entry in &self.pools {
            entry.task.get_or_init(|| {
                let running = Pool::run(Arc::downgrade(&entry.pool));
                Task(origins.runtime.spawn(running).abort_handle())
            });
        }
    }

    /// Ends looking and probing for pools that the next configuration does not have. Requests of this one may go on for hours, with
    /// what is known of their servers by now.
    pub(crate) fn end_but(&self, next: &Self) {
        for entry in &self.pools {
            let goes_on = next.pools.iter().any(|n| Arc::ptr_eq(&n.task, &entry.task));
            if let Some(Task(running)) = entry.task.get().filter(|_| !goes_on) {
                running.abort();
            }
        }
    }

    /// The pool of an origin of this configuration, as it is or as a function left it.
    pub fn pool(&self, origin: &Origin) -> Option<&Arc<Pool>> {
        let key = origin.pool.as_ref()?;
        let is_https = matches!(
            &origin.kind,
            OriginKind::Custom(custom) if custom.protocol == OriginProtocol::Https
        );
        let entry = self
            .pools
            .iter()
            .find(|e| Arc::ptr_eq(&e.key, key) && e.made_of.is_https == is_https)?;
        Some(&entry.pool)
    }

    /// Who alone vouches for an origin (CF-424).
    pub fn authority(&self, origin: &Origin) -> Option<&Arc<Authority>> {
        self.authorities.get(origin.ca.as_ref()?)
    }

    /// How all pools do, for metrics.
    pub fn standings(&self) -> Vec<PoolStanding> {
        let now = Instant::now();
        let standing = |entry: &Arc<Entry>| PoolStanding {
            distribution: entry.made_of.distribution.clone(),
            origin: entry.made_of.origin.clone(),
            ejections: entry.pool.ejections(),
            servers: entry
                .pool
                .standings(now)
                .iter()
                .map(|s| (s.address, s.state == State::Up, s.in_flight))
                .collect(),
        };
        self.pools.iter().map(standing).collect()
    }

    /// How the pools of a distribution do, for people.
    pub fn told(&self, distribution: &str) -> Value {
        let of_it = |entry: &&Arc<Entry>| entry.made_of.distribution == distribution;
        let pools = self.pools.iter().filter(of_it);
        pools
            .map(|entry| {
                let protocol = if entry.made_of.is_https {
                    "https"
                } else {
                    "http"
                };
                json!({
                    "origin": entry.made_of.origin,
                    "protocol": protocol,
                    "choice": entry.made_of.config.choice.as_str(),
                    "ejections": entry.pool.ejections(),
                    "servers": servers(&entry.pool),
                })
            })
            .collect()
    }
}

/// The servers of a pool, for people.
pub(crate) fn servers(pool: &Pool) -> Value {
    let standings = pool.standings(Instant::now());
    standings
        .iter()
        .map(|s| {
            json!({
                "address": s.address.to_string(),
                "weight": s.weight,
                "state": s.state.as_str(),
                "in_flight": s.in_flight,
            })
        })
        .collect()
}

/// CF-422: what is in the list and is not offered.
fn note_old_versions(distribution: &str, origin: &Origin) {
    let OriginKind::Custom(custom) = &origin.kind else {
        return;
    };
    let older = [model::SslProtocol::TlsV1, model::SslProtocol::TlsV1_1];
    if custom.ssl_protocols.iter().any(|p| older.contains(p)) {
        tracing::warn!(
            distribution,
            origin = origin.id,
            "origin_ssl_protocols: TLSv1 and TLSv1.1 are not offered; connections use TLSv1.2 or TLS 1.3"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_at_which_nobody_was_come_last_for_a_while() {
        // CF-398
        let origins = Origins::start(&ResolverSettings::default()).unwrap();
        let address = |n| SocketAddr::from(([127, 0, 0, n], 80));
        let all = || vec![address(1), address(2), address(3)];
        let now = Instant::now();
        assert_eq!(origins.put_shunned_last(all(), now), all());
        origins.shun(address(1), now);
        let order = [address(2), address(3), address(1)];
        assert_eq!(origins.put_shunned_last(all(), now), order);
        assert_eq!(origins.put_shunned_last(all(), now + SHUNNED_FOR), all());
    }

    #[test]
    fn the_number_of_addresses_that_are_remembered_is_bounded() {
        // CF-398
        let origins = Origins::start(&ResolverSettings::default()).unwrap();
        let now = Instant::now();
        for port in 1..=3 * 1024 {
            origins.shun(SocketAddr::from(([127, 0, 0, 1], port)), now);
        }
        assert!(origins.shunned.lock().unwrap().len() <= MOST_SHUNNED);
    }
}
