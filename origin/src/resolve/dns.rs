//! Asking name servers: what `/etc/hosts` says, or else the servers of `/etc/resolv.conf` or those the operator names.
//!
//! hickory does the asking, as the operating system's resolver tells no lifetimes. Its own cache is off: how long an
//! answer is used, also when no newer one can be had, is decided in [`super`]. It reads the system's files once, so they are read
//! again here when they have changed.

use std::{
    fs,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use fourfront_model::IpAddressType;
use hickory_resolver::{
    Hosts, Name, ResolveError, TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    name_server::TokioConnectionProvider,
    proto::{
        ProtoErrorKind,
        op::{Query, ResponseCode},
        rr::{RData, RecordType},
        xfer::Protocol,
    },
    system_conf::read_system_conf,
};
use tokio::runtime::Handle;

use super::{Answer, Lookup, LookupError};

/// Of `/etc/hosts`, which knows no lifetimes, and of the operating system's resolver.
const UNTIMED: Duration = Duration::from_secs(10);

/// How long one name server may take, and how often one is asked again. Together they are within the ten seconds of a
/// connection try (CF-390).
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
const ASKED_AGAIN: usize = 1;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Name servers, asked on a runtime of their own: a worker that a function holds must not keep the others from their
/// answers, and hickory's sockets belong to the runtime they were opened on.
#[derive(Debug)]
pub struct Dns {
    runtime: Handle,
    /// None: the system's.
    servers: Option<Vec<SocketAddr>>,
    current: Mutex<Option<Arc<Source>>>,
}

/// What is asked as long as the system's files stay as they are.
struct Source {
    changed: [Option<SystemTime>; 2],
    hosts: Hosts,
    /// None where the system has no file that says whom to ask.
    resolver: Option<TokioResolver>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Dns {
    /// Asks these servers, by UDP, and by TCP where an answer is too long for that; without any the system's.
    pub const fn new(runtime: Handle, servers: Option<Vec<SocketAddr>>) -> Self {
        Self {
            runtime,
            servers,
            current: Mutex::new(None),
        }
    }

    fn source(&self) -> Arc<Source> {
        let modified = |path: &str| fs::metadata(path).and_then(|file| file.modified()).ok();
        let changed = [HOSTS, RESOLV_CONF].map(modified);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(source) if source.changed == changed => source.clone(),
            _ => {
                let source = Arc::new(self.read(changed));
                *current = Some(source.clone());
                source
            }
        }
    }

    fn read(&self, changed: [Option<SystemTime>; 2]) -> Source {
        let mut hosts = Hosts::default();
        let file = fs::File::open(Path::new(HOSTS));
        if let Err(e) = file.and_then(|file| read_hosts(&mut hosts, file)) {
            tracing::debug!("{HOSTS}: {e}");
        }
        let config = match &self.servers {
            Some(servers) => Some((named(servers), ResolverOpts::default())),
            None => read_system_conf()
                .map_err(|e| tracing::warn!("{RESOLV_CONF}: {e}; the operating system is asked"))
                .ok(),
        };
        let resolver = config.map(|(config, mut options)| {
            options.cache_size = 0;
            options.use_hosts_file = ResolveHosts::Never;
            options.timeout = ANSWERS_WITHIN;
            options.attempts = ASKED_AGAIN;
            let provider = TokioConnectionProvider::default();
            TokioResolver::builder_with_config(config, provider)
                .with_options(options)
                .build()
        });
        Source {
            changed,
            hosts,
            resolver,
        }
    }
}

fn read_hosts(hosts: &mut Hosts, file: fs::File) -> io::Result<()> {
    hosts.read_hosts_conf(file)
}

fn named(servers: &[SocketAddr]) -> ResolverConfig {
    let mut config = ResolverConfig::new();
    for server in servers {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            config.add_name_server(NameServerConfig::new(*server, protocol));
        }
    }
    config
}

impl Lookup for Dns {
    fn lookup(
        &self,
        name: &str,
        kinds: IpAddressType,
    ) -> impl Future<Output = Result<Answer, LookupError>> + Send {
        let source = self.source();
        let name = name.to_owned();
        let asking = self
            .runtime
            .spawn(async move { source.lookup(&name, kinds).await });
        async move {
            asking.await.unwrap_or_else(|e| {
                Err(LookupError::Failed {
                    cause: e.to_string(),
                })
            })
        }
    }
}

impl Source {
    async fn lookup(&self, name: &str, kinds: IpAddressType) -> Result<Answer, LookupError> {
        let failed = |cause: String| LookupError::Failed { cause };
        let name_ = Name::from_utf8(name).map_err(|e| failed(e.to_string()))?;
        let known = self.in_hosts(&name_, kinds);
        if !known.is_empty() {
            return Ok(Answer {
                addresses: known,
                ttl: UNTIMED,
            });
        }
        let Some(resolver) = &self.resolver else {
            let found = tokio::net::lookup_host((name, 0)).await;
            let found = found.map_err(|e| failed(e.to_string()))?;
            let addresses: Vec<_> = found
                .map(|address| address.ip())
                .filter(|ip| kinds.allows(*ip))
                .collect();
            return Ok(Answer {
                addresses,
                ttl: UNTIMED,
            });
        };
        let ask = |kind: RecordType| {
            let name = name_.clone();
            async move { answer(resolver.lookup(name, kind).await) }
        };
        match kinds {
            IpAddressType::Ipv4 => ask(RecordType::A).await,
            IpAddressType::Ipv6 => ask(RecordType::AAAA).await,
            IpAddressType::Dualstack => {
                let (v4, v6) = tokio::join!(ask(RecordType::A), ask(RecordType::AAAA));
                both(v4, v6)
            }
        }
    }

    fn in_hosts(&self, name: &Name, kinds: IpAddressType) -> Vec<IpAddr> {
        let of = |kind: RecordType| {
            let query = Query::query(name.clone(), kind);
            let found = self.hosts.lookup_static_host(&query);
            found.map_or_else(Vec::new, |found| {
                found.iter().filter_map(RData::ip_addr).collect()
            })
        };
        let all = [of(RecordType::A), of(RecordType::AAAA)].concat();
        all.into_iter().filter(|ip| kinds.allows(*ip)).collect()
    }
}

/// What hickory says, in this crate's terms.
fn answer(
    found: Result<hickory_resolver::lookup::Lookup, ResolveError>,
) -> Result<Answer, LookupError> {
    match found {
        Ok(found) => Ok(Answer {
            addresses: found.iter().filter_map(RData::ip_addr).collect(),
            ttl: found
                .valid_until()
                .saturating_duration_since(Instant::now()),
        }),
        Err(e) => Err(match e.proto().map(|e| e.kind()) {
            Some(ProtoErrorKind::NoRecordsFound {
                response_code: code @ (ResponseCode::NXDomain | ResponseCode::NoError),
                negative_ttl,
                ..
            }) => LookupError::NoAddress {
                cause: match code {
                    ResponseCode::NXDomain => "there is no such name".to_owned(),
                    _ => "the name has no address".to_owned(),
                },
                ttl: negative_ttl.map(|seconds| Duration::from_secs(seconds.into())),
            },
            Some(ProtoErrorKind::NoRecordsFound { response_code, .. }) => LookupError::Failed {
                cause: format!("the name server says {response_code}"),
            },
            _ => LookupError::Failed {
                cause: e.to_string(),
            },
        }),
    }
}

/// The addresses of both kinds, as long as both answers are good. One kind is enough; that a name has none is said only
/// where both answers do.
fn both(
    v4: Result<Answer, LookupError>,
    v6: Result<Answer, LookupError>,
) -> Result<Answer, LookupError> {
    use LookupError::{Failed, NoAddress};
    match (v4, v6) {
        (Ok(mut v4), Ok(v6)) => {
            v4.addresses.extend(v6.addresses);
            v4.ttl = v4.ttl.min(v6.ttl);
            Ok(v4)
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
        (Err(NoAddress { cause, ttl }), Err(NoAddress { ttl: other, .. })) => Err(NoAddress {
            cause,
            ttl: ttl.zip(other).map(|(a, b)| a.min(b)),
        }),
        (Err(failed @ Failed { .. }), Err(_)) | (Err(_), Err(failed)) => Err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str], seconds: u64) -> Result<Answer, LookupError> {
        Ok(Answer {
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            ttl: Duration::from_secs(seconds),
        })
    }

    fn none(seconds: Option<u64>) -> Result<Answer, LookupError> {
        Err(LookupError::NoAddress {
            cause: "none".to_owned(),
            ttl: seconds.map(Duration::from_secs),
        })
    }

    fn failed() -> Result<Answer, LookupError> {
        Err(LookupError::Failed {
            cause: "down".to_owned(),
        })
    }

    #[test]
    fn one_kind_of_address_is_enough() {
        // CF-398
        let (v4, v6) = (["192.0.2.1"], ["2001:db8::1"]);
        let rows = [
            (
                found(&v4, 9),
                found(&v6, 5),
                found(&["192.0.2.1", "2001:db8::1"], 5),
            ),
            (found(&v4, 9), none(None), found(&v4, 9)),
            (failed(), found(&v6, 5), found(&v6, 5)),
            (none(Some(7)), none(Some(3)), none(Some(3))),
            (none(Some(7)), none(None), none(None)),
            (none(Some(7)), failed(), failed()),
            (failed(), none(None), failed()),
        ];
        for (v4, v6, expected) in rows {
            assert_eq!(both(v4, v6), expected);
        }
    }
}
