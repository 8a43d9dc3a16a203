//! Prometheus metrics. Handles for a behaviour are looked up once per configuration, or when they are first needed, not
//! per request: on the hot path a metric is one relaxed atomic add. What CloudFront calls them is in [`super::mapping`].

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use fourfront_cache::{disk::DiskCounts, policy::Despite};
use fourfront_hooks::pool::PoolStats;
use fourfront_model::FunctionKey;
use http::Method;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::{
    functions::{self, FunctionCounts},
    origins::{self, LastFailures, OriginCounts},
    pools::{PoolMetrics, PoolStanding},
};
use crate::flow::{
    ResultType,
    staging::{By, StagingCounters},
};

/// Seconds; origins answer in milliseconds to tens of seconds.
const ORIGIN_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Seconds; a warm call takes tens of microseconds, a limit is seconds.
const HOOK_BUCKETS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05,
    0.1, 0.5, 1.0, 5.0, 30.0,
];

/// All of the node's metrics and the registry they are gathered from.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    bytes_sent: IntCounterVec,
    bytes_received: IntCounterVec,
    origin_served: HistogramVec,
    refused: IntCounterVec,
    open_connections: IntGauge,
    compression_skipped: IntCounterVec,
    cache: IntCounterVec,
    stored_despite: IntCounterVec,
    hook_duration: HistogramVec,
    hook_faults: IntCounterVec,
    staging: IntCounterVec,
    origin_latency: HistogramVec,
    origin_faults: IntCounterVec,
    last_failures: LastFailures,
    failovers: IntCounterVec,
    shield_fetches: IntCounterVec,
    shielded: IntCounterVec,
    pools: PoolMetrics,
    error_pages: IntCounterVec,
    isolates: IntGauge,
    held_threads: IntGauge,
    thread_holds: IntCounter,
    cached_bytes: IntGauge,
    cached_objects: IntGauge,
    disk_objects: IntGauge,
    disk_on: IntGauge,
    disk_events: IntCounterVec,
    connections: IntGauge,
    reloads: IntCounterVec,
    log_dropped: IntCounterVec,
    invalidations: IntCounterVec,
    invalidated_names: IntGauge,
    config: IntGaugeVec,
    handshakes: IntCounterVec,
    certificate_loads: IntCounterVec,
    certificate_expiry: IntGaugeVec,
    connection_ends: IntCounterVec,
}

/// The label `method`: what CloudFront's metrics tell apart (CF-720).
const METHODS: [&str; 3] = ["read", "upload", "other"];

/// The label `status`: those that CloudFront's metrics name, and classes of the others. `000`: the viewer left before any
/// byte.
const STATUSES: [&str; 12] = [
    "000", "1xx", "2xx", "3xx", "401", "403", "404", "4xx", "502", "503", "504", "5xx",
];

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => 0,
        Method::POST | Method::PUT => 1,
        _ => 2,
    }
}

const fn status_index(status: u16) -> usize {
    match status {
        0 => 0,
        401 => 4,
        403 => 5,
        404 => 6,
        502 => 8,
        503 => 9,
        504 => 10,
        1..=199 => 1,
        200..=299 => 2,
        300..=399 => 3,
        400..=499 => 7,
        _ => 11,
    }
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// How it ended.
    pub result: ResultType,
    /// Its method.
    pub method: &'a Method,
    /// The status of its answer; 0 when there was none.
    pub status: u16,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// Bytes of its own.
    pub received: u64,
    /// From its head to the head of the answer, where that came from the origin.
    pub origin_served: Option<Duration>,
}

/// The counters of one behaviour.
#[derive(Clone, Debug)]
pub struct BehaviorMetrics {
    of: IntCounterVec,
    /// Indexed by [`ResultType`], method and status; there once they are needed, since most combinations never are.
    requests: Arc<[OnceLock<IntCounter>]>,
    sent: [IntCounter; METHODS.len()],
    received: [IntCounter; METHODS.len()],
    origin_served: Histogram,
    distribution: String,
    behavior: String,
}

impl BehaviorMetrics {
    /// Counts one finished request.
    pub fn finished(&self, finished: &Finished<'_>) {
        let (method, status) = (method_index(finished.method), status_index(finished.status));
        let at = (finished.result.index() * METHODS.len() + method) * STATUSES.len() + status;
        if let Some(counter) = self.requests.get(at) {
            let counter = counter.get_or_init(|| {
                self.of.with_label_values(&[
                    &self.distribution,
                    &self.behavior,
                    finished.result.as_str(),
                    METHODS[method],
                    STATUSES[status],
                ])
            });
            counter.inc();
        }
        if finished.sent > 0 {
            self.sent[method].inc_by(finished.sent);
        }
        if finished.received > 0 {
            self.received[method].inc_by(finished.received);
        }
        if let Some(after) = finished.origin_served {
            self.origin_served.observe(after.as_secs_f64());
        }
    }

    /// The distribution's id, as labelled.
    pub fn distribution(&self) -> &str {
        &self.distribution
    }

    /// The path pattern, as labelled.
    pub fn behavior(&self) -> &str {
        &self.behavior
    }
}

impl Metrics {
    /// Registers everything. Names are fixed: dashboards and CF-721's mapping rely on them.
    ///
    /// # Errors
    /// Only when two metrics share a name, which the unit test rules out.
    pub fn new() -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        let times = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| {
            HistogramVec::new(
                HistogramOpts::new(name, help).buckets(buckets.to_vec()),
                labels,
            )
        };
        let metrics = Self {
            registry: Registry::new(),
            requests: counters(
                "fourfront_requests_total",
                "Viewer requests by distribution, behaviour, x-edge-result-type, kind of method, and status or class of statuses",
                &["distribution", "behavior", "result", "method", "status"],
            )?,
            bytes_sent: counters(
                "fourfront_bytes_sent_total",
                "Body bytes sent to viewers",
                &["distribution", "behavior", "method"],
            )?,
            bytes_received: counters(
                "fourfront_bytes_received_total",
                "Body bytes received from viewers",
                &["distribution", "behavior", "method"],
            )?,
            origin_served: times(
                "fourfront_origin_served_seconds",
                "From a viewer's request to the head of its answer, where that came from the origin",
                ORIGIN_BUCKETS,
                &["distribution"],
            )?,
            refused: counters(
                "fourfront_refused_total",
                "What was refused because the node had as much as it may take on: requests or connections",
                &["what"],
            )?,
            open_connections: IntGauge::new(
                "fourfront_viewer_connections",
                "Viewers' connections, idle ones included",
            )?,
            compression_skipped: counters(
                "fourfront_compression_skipped_total",
                "Bodies that were not compressed because as many were as may be at the same time",
                &["distribution"],
            )?,
            cache: counters(
                "fourfront_cache_total",
                "Cache verdicts, with the reason of a miss",
                &["verdict"],
            )?,
            stored_despite: counters(
                "fourfront_stored_despite_total",
                "Responses stored for all viewers by the settings, by what in them speaks against it",
                &["distribution", "despite"],
            )?,
            hook_duration: times(
                "fourfront_hook_duration_seconds",
                "Wall time of function calls, queueing included",
                HOOK_BUCKETS,
                &["function", "version", "event_type"],
            )?,
            hook_faults: counters(
                "fourfront_hook_faults_total",
                "Failed function calls by class and rule",
                &["function", "version", "event_type", "class", "rule"],
            )?,
            staging: counters(
                "fourfront_staging_requests_total",
                "Requests of distributions that another one is tried out on, by which of the two served them, and why",
                &["distribution", "to", "by"],
            )?,
            origin_latency: times(
                "fourfront_origin_latency_seconds",
                "From sending a request to an origin to the head of its response",
                ORIGIN_BUCKETS,
                &["distribution", "origin"],
            )?,
            origin_faults: counters(
                "fourfront_origin_faults_total",
                "Origin fetches without a usable response, by cause",
                &["distribution", "origin", "cause"],
            )?,
            last_failures: LastFailures::default(),
            failovers: counters(
                "fourfront_origin_failovers_total",
                "Fetches that went on to the secondary of an origin group",
                &["distribution", "group"],
            )?,
            shield_fetches: counters(
                "fourfront_shield_fetches_total",
                "Requests to the shields of origins, by what they said, and those that did without one that rests",
                &["region", "outcome"],
            )?,
            shielded: counters(
                "fourfront_shielded_requests_total",
                "Requests of other nodes to this one as a shield of origins, by how they were answered, or why they were refused",
                &["outcome"],
            )?,
            pools: PoolMetrics::new()?,
            error_pages: counters(
                "fourfront_error_pages_total",
                "Errors that a page was to stand in for, by status, and whether it was sent, could not be had, or broke off",
                &["distribution", "error", "outcome"],
            )?,
            isolates: IntGauge::new("fourfront_isolates", "JavaScript isolates alive")?,
            held_threads: IntGauge::new(
                "fourfront_held_threads",
                "Threads of the proxy that functions hold and that others stand in for",
            )?,
            thread_holds: IntCounter::new(
                "fourfront_thread_holds_total",
                "How often a function has held a thread of the proxy",
            )?,
            cached_bytes: IntGauge::new(
                "fourfront_cached_bytes",
                "Bytes weighed in the memory tier",
            )?,
            disk_objects: IntGauge::new(
                "fourfront_disk_objects",
                "Objects in the disk tier of the cache, partial ones included",
            )?,
            disk_on: IntGauge::new(
                "fourfront_disk_on",
                "1 while the disk tier works, 0 while its disk or directory does not",
            )?,
            disk_events: IntCounterVec::new(
                Opts::new(
                    "fourfront_disk_events_total",
                    "What the disk tier has done and met, by event",
                ),
                &["event"],
            )?,
            cached_objects: IntGauge::new(
                "fourfront_cached_objects",
                "Objects in the memory tier",
            )?,
            connections: IntGauge::new(
                "fourfront_requests_in_flight",
                "Viewer requests being served",
            )?,
            reloads: counters(
                "fourfront_reloads_total",
                "Configuration reloads by outcome",
                &["outcome"],
            )?,
            log_dropped: counters(
                "fourfront_log_dropped_total",
                "Log lines that were not written: the queue was full or the output failed",
                &["log"],
            )?,
            invalidations: counters(
                "fourfront_invalidations_total",
                "Invalidations by distribution, hard or soft",
                &["distribution", "kind"],
            )?,
            invalidated_names: IntGauge::new(
                "fourfront_invalidated_names",
                "Paths, beginnings of paths and tags that objects are looked up under after an invalidation",
            )?,
            config: IntGaugeVec::new(
                Opts::new(
                    "fourfront_build_info",
                    "Constant 1, labelled with the version",
                ),
                &["version"],
            )?,
            handshakes: counters(
                "fourfront_tls_handshakes_total",
                "TLS handshakes with viewers by outcome",
                &["outcome"],
            )?,
            certificate_loads: counters(
                "fourfront_certificate_loads_total",
                "Certificates loaded anew since their files changed, by outcome",
                &["outcome"],
            )?,
            certificate_expiry: IntGaugeVec::new(
                Opts::new(
                    "fourfront_certificate_expiry_seconds",
                    "The last second a certificate is good for, since 1970",
                ),
                &["certificate"],
            )?,
            connection_ends: counters(
                "fourfront_viewer_connections_cut_total",
                "Viewers' connections that the node has ended, by reason",
                &["reason"],
            )?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.bytes_sent.clone()))?;
        registry.register(Box::new(metrics.bytes_received.clone()))?;
        registry.register(Box::new(metrics.origin_served.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.open_connections.clone()))?;
        registry.register(Box::new(metrics.compression_skipped.clone()))?;
        registry.register(Box::new(metrics.cache.clone()))?;
        registry.register(Box::new(metrics.stored_despite.clone()))?;
        registry.register(Box::new(metrics.hook_duration.clone()))?;
        registry.register(Box::new(metrics.hook_faults.clone()))?;
        registry.register(Box::new(metrics.staging.clone()))?;
        registry.register(Box::new(metrics.origin_latency.clone()))?;
        registry.register(Box::new(metrics.origin_faults.clone()))?;
        registry.register(Box::new(metrics.failovers.clone()))?;
        registry.register(Box::new(metrics.shield_fetches.clone()))?;
        registry.register(Box::new(metrics.shielded.clone()))?;
        metrics.pools.register(registry)?;
        registry.register(Box::new(metrics.error_pages.clone()))?;
        registry.register(Box::new(metrics.isolates.clone()))?;
        registry.register(Box::new(metrics.held_threads.clone()))?;
        registry.register(Box::new(metrics.thread_holds.clone()))?;
        registry.register(Box::new(metrics.cached_bytes.clone()))?;
        registry.register(Box::new(metrics.cached_objects.clone()))?;
        registry.register(Box::new(metrics.disk_objects.clone()))?;
        registry.register(Box::new(metrics.disk_on.clone()))?;
        registry.register(Box::new(metrics.disk_events.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.reloads.clone()))?;
        registry.register(Box::new(metrics.log_dropped.clone()))?;
        registry.register(Box::new(metrics.invalidations.clone()))?;
        registry.register(Box::new(metrics.invalidated_names.clone()))?;
        registry.register(Box::new(metrics.config.clone()))?;
        registry.register(Box::new(metrics.handshakes.clone()))?;
        registry.register(Box::new(metrics.certificate_loads.clone()))?;
        registry.register(Box::new(metrics.certificate_expiry.clone()))?;
        registry.register(Box::new(metrics.connection_ends.clone()))?;
        metrics
            .config
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        // There from the start with 0: of a counter that appears with its first event, `rate` and `increase` do not see that
        // event, and an alert on something rare would miss it.
        for (counters, values) in [
            (&metrics.reloads, &["applied", "refused"][..]),
            (&metrics.certificate_loads, &["applied", "refused"]),
            (&metrics.refused, &["requests", "connections"]),
            (
                &metrics.handshakes,
                &["full", "resumed", "failed", "timeout", "no_certificate"],
            ),
        ] {
            for value in values {
                counters.with_label_values(&[*value]);
            }
        }
        Ok(metrics)
    }

    /// Resolves the counters of one behaviour.
    pub fn behavior(&self, distribution: &str, behavior: &str) -> BehaviorMetrics {
        let of_method = |vec: &IntCounterVec| {
            METHODS.map(|m| vec.with_label_values(&[distribution, behavior, m]))
        };
        let combinations = ResultType::ALL.len() * METHODS.len() * STATUSES.len();
        BehaviorMetrics {
            of: self.requests.clone(),
            requests: (0..combinations).map(|_| OnceLock::new()).collect(),
            sent: of_method(&self.bytes_sent),
            received: of_method(&self.bytes_received),
            origin_served: self.origin_served.with_label_values(&[distribution]),
            distribution: distribution.to_owned(),
            behavior: behavior.to_owned(),
        }
    }

    /// Resolves the histogram of one version of a function at one trigger.
    pub fn hook(&self, function: &FunctionKey, event_type: &str) -> Histogram {
        let version = function.version.to_string();
        self.hook_duration
            .with_label_values(&[function.name.as_str(), &version, event_type])
    }

    /// Counts a failed call.
    pub fn hook_fault(&self, function: &FunctionKey, event_type: &str, class: &str, rule: &str) {
        let version = function.version.to_string();
        self.hook_faults
            .with_label_values(&[function.name.as_str(), &version, event_type, class, rule])
            .inc();
    }

    /// How the calls of each version of each function went.
    pub fn functions(&self) -> Vec<FunctionCounts> {
        functions::counts(&self.hook_duration, &self.hook_faults)
    }

    /// Forgets versions of functions that do not serve any more: each publishing makes one, and their number is to stay
    /// bounded. A call that is still on its way may bring one back until the next time.
    pub fn forget_functions_but(&self, serving: &[FunctionKey]) {
        functions::forget(&self.hook_duration, &self.hook_faults, serving);
    }

    /// Resolves the counters of a distribution that another one is tried out on (CF-451).
    pub fn staging(&self, distribution: &str) -> StagingCounters {
        StagingCounters(["primary", "staging"].map(|to| {
            By::ALL.map(|by| {
                self.staging
                    .with_label_values(&[distribution, to, by.as_str()])
            })
        }))
    }

    /// Counts a cache verdict; `verdict` is a word of CP-607 or `hit`.
    pub fn cache_verdict(&self, verdict: &str) -> IntCounter {
        self.cache.with_label_values(&[verdict])
    }

    /// Counts a response that is shared although `despite` speaks against it (CF-315, CF-805). True for the first of its
    /// kind, which is the one to tell the operator of.
    pub fn stored_despite(&self, distribution: &str, despite: Despite) -> bool {
        let counter = self
            .stored_despite
            .with_label_values(&[distribution, despite.as_str()]);
        counter.inc();
        counter.get() == 1
    }

    /// Resolves the histogram of one origin.
    pub fn origin_latency(&self, distribution: &str, origin: &str) -> Histogram {
        self.origin_latency
            .with_label_values(&[distribution, origin])
    }

    /// Counts a fetch without a usable response, and remembers it as the origin's last failure.
    pub fn origin_fault(
        &self,
        distribution: &str,
        origin: &str,
        cause: &str,
        at: SystemTime,
        message: String,
    ) {
        self.origin_faults
            .with_label_values(&[distribution, origin, cause])
            .inc();
        let answers = self.origin_latency(distribution, origin).get_sample_count();
        self.last_failures
            .note(distribution, origin, at, message, answers);
    }

    /// How origins have done, by the ids of their distribution and their own (CP-611).
    pub fn origins(&self) -> BTreeMap<(String, String), OriginCounts> {
        origins::counts(
            &self.origin_latency,
            &self.origin_faults,
            &self.last_failures,
        )
    }

    /// Counts an error that a page was to stand in for: `sent`, `unavailable` or `broken`.
    pub fn error_page(&self, distribution: &str, error: u16, outcome: &str) {
        self.error_pages
            .with_label_values(&[distribution, &error.to_string(), outcome])
            .inc();
    }

    /// Counts what was refused because there was too much already: `requests` or `connections` (CF-773).
    pub fn refused(&self, what: &'static str) {
        self.refused.with_label_values(&[what]).inc();
    }

    /// Viewers' connections there are.
    pub const fn open_connections(&self) -> &IntGauge {
        &self.open_connections
    }

    /// Counts a body that was not compressed to spare the processors (CF-605).
    pub fn compression_skipped(&self, distribution: &str) {
        self.compression_skipped
            .with_label_values(&[distribution])
            .inc();
    }

    /// Requests being served right now.
    pub const fn in_flight(&self) -> &IntGauge {
        &self.connections
    }

    /// Counts a fetch that goes on to the secondary of a group.
    pub fn failover(&self, distribution: &str, group: &str) {
        self.failovers
            .with_label_values(&[distribution, group])
            .inc();
    }

    /// Counts a request to the shield of a region (CF-415).
    pub fn shield_fetch(&self, region: &str, outcome: &str) {
        self.shield_fetches
            .with_label_values(&[region, outcome])
            .inc();
    }

    /// Counts a request of another node to this one as a shield (CF-415).
    pub fn shielded(&self, outcome: &str) {
        self.shielded.with_label_values(&[outcome]).inc();
    }

    /// Sets how the servers of pools do.
    pub fn set_pools(&self, pools: impl IntoIterator<Item = PoolStanding>) {
        self.pools.set(pools);
    }

    /// Counts a reload: `applied` or `refused`.
    pub fn reload(&self, outcome: &str) {
        self.reloads.with_label_values(&[outcome]).inc();
    }

    /// Counts a TLS handshake: `full`, `resumed`, `failed`, `timeout`, or `no_certificate`.
    pub fn handshake(&self, outcome: &str) {
        self.handshakes.with_label_values(&[outcome]).inc();
    }

    /// Counts a certificate whose files have changed: `applied` or `refused`.
    pub fn certificate_load(&self, outcome: &str) {
        self.certificate_loads.with_label_values(&[outcome]).inc();
    }

    /// Sets until when certificates are good. Those that are not there any more are forgotten.
    pub fn set_certificates(&self, expiries: &[(String, i64)]) {
        self.certificate_expiry.reset();
        for (label, not_after) in expiries {
            self.certificate_expiry
                .with_label_values(&[label])
                .set(*not_after);
        }
    }

    /// Counts a connection that the node has ended; `reason` is one of its own words.
    pub fn connection_cut(&self, reason: &'static str) {
        self.connection_ends.with_label_values(&[reason]).inc();
    }

    /// Counts lines of one log, `access`, `standard` or `stderr`, that were not written.
    pub fn log_dropped(&self, log: &'static str) -> IntCounter {
        self.log_dropped.with_label_values(&[log])
    }

    /// Counts an invalidation.
    pub fn invalidation(&self, distribution: &str, soft: bool) {
        let kind = if soft { "soft" } else { "hard" };
        self.invalidations
            .with_label_values(&[distribution, kind])
            .inc();
    }

    /// Sets how many names are in the tables of invalidations.
    pub fn set_invalidated_names(&self, names: usize) {
        self.invalidated_names
            .set(i64::try_from(names).unwrap_or(i64::MAX));
    }

    /// Sets the gauges that are read rather than counted.
    pub fn set_gauges(&self, pool: &PoolStats, cached_bytes: u64, cached_objects: u64) {
        let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.isolates.set(clamp(pool.isolates as u64));
        self.held_threads.set(clamp(pool.held as u64));
        self.thread_holds
            .inc_by(pool.holds.saturating_sub(self.thread_holds.get()));
        self.cached_bytes.set(clamp(cached_bytes));
        self.cached_objects.set(clamp(cached_objects));
    }

    /// Sets what the disk tier tells of itself.
    pub fn set_disk(&self, objects: u64, counts: &DiskCounts, is_on: bool) {
        self.disk_objects
            .set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.disk_on.set(i64::from(is_on));
        let events = [
            ("hit", counts.hits),
            ("miss", counts.misses),
            ("stored", counts.stored),
            ("removed", counts.removed),
            ("evicted", counts.evicted),
            ("corrupt", counts.corrupt),
            ("read_error", counts.read_errors),
            ("write_error", counts.write_errors),
            ("dropped_no_room", counts.dropped_no_room),
            ("went_off", counts.went_off),
            ("came_back", counts.came_back),
        ];
        for (event, count) in events {
            let counter = self.disk_events.with_label_values(&[event]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// The Prometheus text exposition of everything registered.
    ///
    /// # Errors
    /// When a gathered family cannot be encoded.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_request_shows_in_the_exposition() {
        // CF-720
        let metrics = Metrics::new().unwrap();
        let behavior = metrics.behavior("D1", "/api/*");
        let get = Finished {
            result: ResultType::Hit,
            method: &Method::GET,
            status: 206,
            sent: 42,
            received: 0,
            origin_served: None,
        };
        behavior.finished(&get);
        // Another configuration has the same counters.
        metrics.behavior("D1", "/api/*").finished(&get);
        behavior.finished(&Finished {
            result: ResultType::Error,
            method: &Method::PUT,
            status: 403,
            received: 7,
            ..get
        });
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            r#"fourfront_requests_total{behavior="/api/*",distribution="D1",method="read",result="Hit",status="2xx"} 2"#,
            r#"fourfront_requests_total{behavior="/api/*",distribution="D1",method="upload",result="Error",status="403"} 1"#,
            r#"fourfront_bytes_sent_total{behavior="/api/*",distribution="D1",method="read"} 84"#,
            r#"fourfront_bytes_received_total{behavior="/api/*",distribution="D1",method="upload"} 7"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let lines = text
            .lines()
            .filter(|l| l.starts_with("fourfront_requests_total{"));
        assert_eq!(lines.count(), 2);
    }

    #[test]
    fn what_is_rare_is_counted_from_nought() {
        // CF-720
        let metrics = Metrics::new().unwrap();
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            r#"fourfront_reloads_total{outcome="refused"} 0"#,
            r#"fourfront_certificate_loads_total{outcome="refused"} 0"#,
            r#"fourfront_refused_total{what="connections"} 0"#,
            r#"fourfront_tls_handshakes_total{outcome="no_certificate"} 0"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_status_has_its_label() {
        let labels = [
            0, 101, 204, 304, 400, 401, 403, 404, 494, 500, 502, 503, 504, 599,
        ]
        .map(|status| STATUSES[status_index(status)]);
        let expected = [
            "000", "1xx", "2xx", "3xx", "4xx", "401", "403", "404", "4xx", "5xx", "502", "503",
            "504", "5xx",
        ];
        assert_eq!(labels, expected);
    }
}
