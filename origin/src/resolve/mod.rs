//! Addresses of origin names (CF-398).
//!
//! An answer is used for as long as the name server says, so a name that moves is followed within its lifetime; connections
//! are kept by address, so those to the old one are left to end. When no answer comes, the last one is used for a
//! bounded time after that: an origin that works is not to vanish with its name server. That a name is gone is an answer, too, and
//! ends what was known of it.
//!
//! Requests that want the same name at the same time wait for one question.

mod dns;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fourfront_model::IpAddressType;

pub use self::dns::Dns;
use crate::OriginFault;

/// Functions may name any origin, so the number of names is bounded. Past it, answers are not kept.
const MAX_NAMES: usize = 1024;

/// An answer is good for this long at least: a lifetime of nothing would put a question before each request.
const LEAST_TTL: Duration = Duration::from_secs(1);

/// How long it is believed at most that a name has no address (RFC 2308), and for how long where the name server does not say.
const MOST_NEGATIVE_TTL: Duration = Duration::from_secs(30);
const UNTIMED_NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// How long a question may take, whoever waits for it.
const LONGEST: Duration = Duration::from_secs(30);

/// How long a request waits for an answer when an older one is at hand, and for how long it is not asked again once that was in
/// vain (RFC 8767 section 5: the client response timer and the failure recheck timer).
const STALE_AFTER: Duration = Duration::from_secs(1);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Who is asked. Replaced in tests.
pub trait Lookup: Send + Sync {
    /// The addresses of a name, in the order they are to be tried.
    fn lookup(
        &self,
        name: &str,
        kinds: IpAddressType,
    ) -> impl Future<Output = Result<Answer, LookupError>> + Send;
}

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// None is as good as [`LookupError::NoAddress`].
    pub addresses: Vec<IpAddr>,
    /// For how long.
    pub ttl: Duration,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The name has none: that is certain.
    NoAddress {
        /// Which of the two ways to have none it is.
        cause: String,
        /// For how long, where the answer says so.
        ttl: Option<Duration>,
    },
    /// Nothing is known.
    Failed {
        /// What went wrong.
        cause: String,
    },
}

/// How long answers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// At most, whatever the name server says.
    pub most: Duration,
    /// Past their end, when no newer one can be had.
    pub stale: Duration,
}

impl Default for Lifetimes {
    /// A day, as hickory has it, and an hour.
    fn default() -> Self {
        Self {
            most: Duration::from_secs(86_400),
            stale: Duration::from_secs(3_600),
        }
    }
}

/// Resolves and remembers names of origins.
#[derive(Debug)]
pub struct Resolver<L = Dns> {
    lookup: Arc<L>,
    lifetimes: Lifetimes,
    /// By [`IpAddressType`]: a question for one kind says nothing of the other.
    known: RwLock<[HashMap<Box<str>, Arc<Known>>; 3]>,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Known {
    state: Mutex<State>,
    /// Held by whoever asks.
    asking: tokio::sync::Mutex<()>,
    /// Turns the order of the addresses from request to request.
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// Questions that were answered or failed.
    rounds: u64,
    /// What counts, and until when.
    current: Option<(Verdict, Instant)>,
    /// The last addresses there were, and until when they may stand in.
    last: Option<(Arc<[IpAddr]>, Instant)>,
}

#[derive(Clone, Debug)]
enum Verdict {
    Addresses(Arc<[IpAddr]>),
    NoAddress(String),
    /// The question has failed, and nothing stands in. Counts for those who waited for it and for nobody else.
    Failed(String),
}

impl<L: Lookup + 'static> Resolver<L> {
    /// Asks `lookup`.
    pub fn new(lookup: L, lifetimes: Lifetimes) -> Self {
        Self {
            lookup: Arc::new(lookup),
            lifetimes,
            known: RwLock::default(),
        }
    }

    /// The socket addresses of `host`, a name or an IP address; never empty. IPv4 comes first where both kinds may be used;
    /// within a kind, requests begin at one after the other. An address is what it is, whatever `kinds` says.
    ///
    /// # Errors
    /// [`OriginFault::Dns`] when there is no address, [`OriginFault::ConnectTimeout`] when the resolver takes
    /// longer than `timeout`, which counts toward the connection timeout (CF-390).
    pub async fn resolve(
        &self,
        host: &str,
        port: u16,
        kinds: IpAddressType,
        timeout: Duration,
        now: Instant,
    ) -> Result<Vec<SocketAddr>, OriginFault> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let known = self.known(host, kinds, now);
        let verdict = match known.current(now) {
            Some(verdict) => verdict,
            None => self.ask(&known, host, kinds, timeout, now).await?,
        };
        match verdict {
            Verdict::Addresses(addresses) => Ok(known.in_turn(&addresses, port)),
            Verdict::NoAddress(cause) | Verdict::Failed(cause) => Err(OriginFault::Dns {
                name: host.to_owned(),
                cause,
            }),
        }
    }

    /// Asks, or waits for whoever asks already. The question goes on when nobody waits any more: a name server that is always
    /// slow is heard all the same (RFC 8767 section 5).
    async fn ask(
        &self,
        known: &Arc<Known>,
        host: &str,
        kinds: IpAddressType,
        timeout: Duration,
        now: Instant,
    ) -> Result<Verdict, OriginFault> {
        let rounds = known.state().rounds;
        let stand_in = known.state().stand_in(now);
        let patience = match &stand_in {
            Some(_) => timeout.min(STALE_AFTER),
            None => timeout,
        };
        let (lookup, lifetimes) = (self.lookup.clone(), self.lifetimes);
        let (of, name) = (known.clone(), host.to_owned());
        let asking = tokio::spawn(async move {
            let _asking = of.asking.lock().await;
            if let Some(verdict) = of.told_since(rounds) {
                return verdict;
            }
            let asked = tokio::time::timeout(LONGEST, lookup.lookup(&name, kinds));
            let found = asked.await.unwrap_or_else(|_| {
                let cause = "no answer".to_owned();
                Err(LookupError::Failed { cause })
            });
            of.state().take(found, lifetimes, now)
        });
        match tokio::time::timeout(patience, asking).await {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(_)) | Err(_) => match stand_in {
                Some(addresses) => {
                    tracing::warn!(name = host, "no answer in time: the last one stands in");
                    known.state().hold(addresses.clone(), now);
                    Ok(Verdict::Addresses(addresses))
                }
                None => Err(OriginFault::ConnectTimeout),
            },
        }
    }

    fn known(&self, host: &str, kinds: IpAddressType, now: Instant) -> Arc<Known> {
        let of_kind = kinds as usize;
        {
            let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = all[of_kind].get(host) {
                return known.clone();
            }
        }
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let names = &mut all[of_kind];
        if names.len() >= MAX_NAMES {
            names.retain(|_, known| known.current(now).is_some() || known.is_of_use(now));
        }
        if names.len() >= MAX_NAMES {
            // Names that are none: whoever makes them up does not crowd out those that are.
            names.retain(|_, known| known.is_of_use(now));
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, known| known.current(now).is_some());
        }
        if names.len() >= MAX_NAMES {
            return Arc::default();
        }
        names.entry(host.into()).or_default().clone()
    }
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has addresses that count, or may stand in.
    fn is_of_use(&self, now: Instant) -> bool {
        let state = self.state();
        let last = state.last.as_ref();
        last.is_some_and(|(_, until)| now < *until)
    }

    fn current(&self, now: Instant) -> Option<Verdict> {
        let state = self.state();
        let (verdict, until) = state.current.as_ref()?;
        (now < *until).then(|| verdict.clone())
    }

    /// What the question said that another request has asked meanwhile.
    fn told_since(&self, rounds: u64) -> Option<Verdict> {
        let state = self.state();
        let (verdict, _) = state.current.as_ref()?;
        (state.rounds != rounds).then(|| verdict.clone())
    }

    fn in_turn(&self, addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.iter().partition(|ip| ip.is_ipv4());
        let turned = [v4, v6].map(|mut kind: Vec<IpAddr>| {
            let by = turn.checked_rem(kind.len()).unwrap_or_default();
            kind.rotate_left(by);
            kind
        });
        let all = turned.into_iter().flatten();
        all.map(|ip| SocketAddr::new(ip, port)).collect()
    }
}

impl State {
    fn stand_in(&self, now: Instant) -> Option<Arc<[IpAddr]>> {
        let (addresses, until) = self.last.as_ref()?;
        (now < *until).then(|| addresses.clone())
    }

    /// The last answer goes on for a little, so that each request does not wait for the next one.
    fn hold(&mut self, addresses: Arc<[IpAddr]>, now: Instant) {
        self.rounds += 1;
        self.current = Some((Verdict::Addresses(addresses), now + ASKED_AGAIN_AFTER));
    }

    /// What becomes of an answer.
    fn take(
        &mut self,
        found: Result<Answer, LookupError>,
        lifetimes: Lifetimes,
        now: Instant,
    ) -> Verdict {
        let found = match found {
            Ok(answer) if answer.addresses.is_empty() => Err(LookupError::NoAddress {
                cause: "the name has no address".to_owned(),
                ttl: None,
            }),
            found => found,
        };
        let (verdict, until) = match found {
            Ok(answer) => {
                let addresses: Arc<[IpAddr]> = answer.addresses.into();
                let until = now + answer.ttl.min(lifetimes.most).max(LEAST_TTL);
                self.last = Some((addresses.clone(), until + lifetimes.stale));
                (Verdict::Addresses(addresses), until)
            }
            Err(LookupError::NoAddress { cause, ttl }) => {
                self.last = None;
                let ttl = ttl.unwrap_or(UNTIMED_NEGATIVE_TTL).min(MOST_NEGATIVE_TTL);
                (Verdict::NoAddress(cause), now + ttl)
            }
            Err(LookupError::Failed { cause }) => match self.stand_in(now) {
                Some(addresses) => {
                    tracing::warn!("{cause}: the last answer stands in");
                    self.hold(addresses.clone(), now);
                    return Verdict::Addresses(addresses);
                }
                None => (Verdict::Failed(cause), now),
            },
        };
        self.rounds += 1;
        self.current = Some((verdict.clone(), until));
        verdict
    }
}
