//! Metrics of the servers behind origins (CF-808).

use std::{collections::BTreeMap, net::SocketAddr};

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// How one pool does.
#[derive(Clone, Debug)]
pub struct PoolStanding {
    /// The distribution's id.
    pub distribution: String,
    /// The origin's id.
    pub origin: String,
    /// How often servers were taken out because requests failed.
    pub ejections: u64,
    /// Its servers: where, whether it gets requests, and how many it is busy with.
    pub servers: Vec<(SocketAddr, bool, u32)>,
}

/// The metrics. Servers come from the configuration and from the names in it, and a pool has a bounded number of them.
#[derive(Debug)]
pub(super) struct PoolMetrics {
    up: IntGaugeVec,
    in_flight: IntGaugeVec,
    ejections: IntCounterVec,
}

impl PoolMetrics {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let of_server = ["distribution", "origin", "server"];
        let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &of_server);
        Ok(Self {
            up: gauge(
                "fourfront_origin_server_up",
                "Whether a server of an origin's pool gets requests: 0 where probes find it down or requests to it have failed",
            )?,
            in_flight: gauge(
                "fourfront_origin_server_requests_in_flight",
                "Requests that a server of an origin's pool is busy with",
            )?,
            ejections: IntCounterVec::new(
                Opts::new(
                    "fourfront_origin_ejections_total",
                    "How often servers of an origin's pool were left alone for a while because requests failed",
                ),
                &["distribution", "origin"],
            )?,
        })
    }

    pub(super) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.up.clone()))?;
        registry.register(Box::new(self.in_flight.clone()))?;
        registry.register(Box::new(self.ejections.clone()))
    }

    /// Says how pools do now. Servers that are not there any more are forgotten.
    pub(super) fn set(&self, pools: impl IntoIterator<Item = PoolStanding>) {
        self.up.reset();
        self.in_flight.reset();
        // Where the protocol is the viewer's, an origin has two.
        let mut ejections: BTreeMap<(String, String), u64> = BTreeMap::new();
        for pool in pools {
            for (address, is_up, in_flight) in &pool.servers {
                let server = address.to_string();
                let labels = [&*pool.distribution, &*pool.origin, &*server];
                self.up.with_label_values(&labels).set(i64::from(*is_up));
                self.in_flight
                    .with_label_values(&labels)
                    .set(i64::from(*in_flight));
            }
            *ejections
                .entry((pool.distribution, pool.origin))
                .or_default() += pool.ejections;
        }
        for ((distribution, origin), count) in ejections {
            let counter = self
                .ejections
                .with_label_values(&[&*distribution, &*origin]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}
