//! Addresses of origin names (CF-398).
//!
//! The system's resolver is asked, so `/etc/hosts` and search domains work as everywhere else. It does not tell
//! how long an answer is good for; an answer is therefore kept for a fixed, short time. Failures are not
//! kept: the next request asks again.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use crate::OriginFault;

/// How long an answer is used. A name that moves is followed within this time.
pub const DEFAULT_TTL: Duration = Duration::from_secs(10);

/// Functions may name any origin, so the number of names is bounded. Past it, answers are not kept.
const MAX_NAMES: usize = 1024;

/// Who is asked. Replaced in tests.
pub trait Lookup: Send + Sync {
    /// The addresses of a name, in the resolver's order.
    fn lookup(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Resolves and remembers names of origins.
#[derive(Debug)]
pub struct Resolver<L = System> {
    lookup: L,
    ttl: Duration,
    known: RwLock<HashMap<Box<str>, Known>>,
}

#[derive(Debug)]
struct Known {
    addresses: Arc<[IpAddr]>,
    until: Instant,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(System, DEFAULT_TTL)
    }
}

impl<L: Lookup> Resolver<L> {
    /// Asks `lookup`, and uses each answer for `ttl`.
    pub fn new(lookup: L, ttl: Duration) -> Self {
        Self {
            lookup,
            ttl,
            known: RwLock::default(),
        }
    }

    /// The socket addresses of `host`, a name or an IP address; never empty. IPv4 comes first, which is what
    /// CloudFront connects to by default; IPv6 follows for hosts that have nothing else or do not answer there.
    /// The n-th connection try takes the n-th address, starting over at the end.
    ///
    /// # Errors
    /// [`OriginFault::Dns`] when there is no address, [`OriginFault::ConnectTimeout`] when the resolver takes
    /// longer than `timeout`, which counts toward the connection timeout (CF-390).
    pub async fn resolve(
        &self,
        host: &str,
        port: u16,
        timeout: Duration,
        now: Instant,
    ) -> Result<Vec<SocketAddr>, OriginFault> {
        let with_port = |addresses: &[IpAddr]| {
            addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect()
        };
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(with_port(&[ip]));
        }
        if let Some(addresses) = self.remembered(host, now) {
            return Ok(with_port(&addresses));
        }
        let failed = |cause: String| OriginFault::Dns {
            name: host.to_owned(),
            cause,
        };
        let mut addresses = tokio::time::timeout(timeout, self.lookup.lookup(host))
            .await
            .map_err(|_| OriginFault::ConnectTimeout)?
            .map_err(|e| failed(e.to_string()))?;
        if addresses.is_empty() {
            return Err(failed("no address".to_owned()));
        }
        addresses.sort_by_key(IpAddr::is_ipv6); // stable: the resolver's order stays within each kind
        let found = with_port(&addresses);
        self.remember(host, addresses.into(), now);
        Ok(found)
    }

    fn remembered(&self, host: &str, now: Instant) -> Option<Arc<[IpAddr]>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(host)?;
        (now < entry.until).then(|| entry.addresses.clone())
    }

    fn remember(&self, host: &str, addresses: Arc<[IpAddr]>, now: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NAMES {
            known.retain(|_, entry| now < entry.until);
        }
        if known.len() < MAX_NAMES {
            let until = now + self.ttl;
            known.insert(host.into(), Known { addresses, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Answers by name and counts the questions.
    #[derive(Default)]
    struct Script(AtomicUsize);

    impl Lookup for Script {
        async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            match name {
                "silent.test" => std::future::pending().await,
                "empty.test" => Ok(Vec::new()),
                "gone.test" => Err(io::Error::other("no such name")),
                _ => Ok(["2001:db8::1", "192.0.2.1", "192.0.2.2"]
                    .map(|a| a.parse().unwrap())
                    .into()),
            }
        }
    }

    fn resolver() -> Resolver<Script> {
        Resolver::new(Script::default(), DEFAULT_TTL)
    }

    #[tokio::test]
    async fn ipv4_comes_first_and_answers_are_used_for_a_while() {
        // CF-398
        let resolver = resolver();
        let asked = || resolver.lookup.0.load(Ordering::Relaxed);
        let start = Instant::now();
        let at = |after| resolver.resolve("a.test", 80, SECOND, start + after);
        let shown: Vec<String> = at(Duration::ZERO)
            .await
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(shown, ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80"]);
        at(DEFAULT_TTL - SECOND).await.unwrap();
        assert_eq!(asked(), 1);
        at(DEFAULT_TTL).await.unwrap();
        assert_eq!(asked(), 2);
    }

    #[tokio::test]
    async fn addresses_need_no_question() {
        // CF-411
        let resolver = resolver();
        let found = resolver.resolve("::1", 81, SECOND, Instant::now()).await;
        assert_eq!(found, Ok(vec!["[::1]:81".parse().unwrap()]));
        assert_eq!(resolver.lookup.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_name_the_cause_and_are_asked_again() {
        // CF-772, CF-774, CF-390
        let resolver = resolver();
        let now = Instant::now();
        for (name, cause) in [("gone.test", "no such name"), ("empty.test", "no address")] {
            let expected = OriginFault::Dns {
                name: name.into(),
                cause: cause.into(),
            };
            for _ in 0..2 {
                let found = resolver.resolve(name, 80, SECOND, now).await;
                assert_eq!(found, Err(expected.clone()));
            }
        }
        assert_eq!(resolver.lookup.0.load(Ordering::Relaxed), 4);
        let silent = resolver.resolve("silent.test", 80, SECOND, now).await;
        assert_eq!(silent, Err(OriginFault::ConnectTimeout));
    }

    #[tokio::test]
    async fn the_number_of_names_is_bounded() {
        let resolver = resolver();
        let now = Instant::now();
        for i in 0..=MAX_NAMES {
            let name = format!("{i}.test");
            resolver.resolve(&name, 80, SECOND, now).await.unwrap();
        }
        assert_eq!(resolver.known.read().unwrap().len(), MAX_NAMES);
        resolver
            .resolve("new.test", 80, SECOND, now + DEFAULT_TTL)
            .await
            .unwrap();
        assert_eq!(resolver.known.read().unwrap().len(), 1);
    }
}
