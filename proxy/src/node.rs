//! A node: one immutable configuration at a time, and what outlives it (cache, function pool,
//! metrics). A reload builds a whole new [`Snapshot`], warms its functions and swaps it in; a
//! request keeps the one it began with (CF-027, LE-379).

mod admin;
mod fields;
mod in_flight;
mod snapshot;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use fourfront_cache::{
    Reason,
    purge::{Invalidations, Kept, Limits},
};
use fourfront_control::{Loaded, NodeSettings};
use fourfront_hooks::pool::{Egress, HookPool};
use prometheus::IntCounter;

use crate::{
    clock::Clock,
    load::Load,
    observe::{access::AccessSink, metrics::Metrics},
    origins::Origins,
    pingora::{CacheStorage, DiskPlace},
    tls::{Renewal, Table, ViewerTls, ViewerTlsError},
};

pub use fields::NodeFields;
pub use in_flight::{InFlight, InFlightGuard};
pub use snapshot::{BehaviorRuntime, Hook, Snapshot, SnapshotError};

use snapshot::build_snapshot;

/// A configuration that is ready to serve and does not yet.
pub struct NextSnapshot {
    snapshot: Snapshot,
    table: Option<Table>,
}

impl std::fmt::Debug for NextSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NextSnapshot")
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

/// What a node is made of.
pub struct NodeParts {
    /// Runs functions.
    pub hooks: HookPool,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Access records.
    pub access: Arc<dyn AccessSink>,
    /// This node's name in `Via`.
    pub name: String,
}

/// A running node, shared by all its connections.
pub struct Node {
    snapshot: ArcSwap<Snapshot>,
    hooks: HookPool,
    cache: CacheStorage,
    clock: Arc<dyn Clock>,
    access: Arc<dyn AccessSink>,
    metrics: Arc<Metrics>,
    verdicts: Vec<(&'static str, IntCounter)>,
    name: String,
    origins: Origins,
    tls: ViewerTls,
    /// Where it listens, once it does.
    listens_https: AtomicU16,
    draining: AtomicBool,
    load: Load,
    in_flight: Arc<InFlight>,
    started: Instant,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// Builds a node around its first configuration: loads and warms every function that is attached.
    ///
    /// # Errors
    /// All functions that cannot be loaded and directories that cannot be opened.
    pub fn new(
        loaded: &Loaded,
        parts: NodeParts,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Vec<SnapshotError>> {
        let tls = viewer_tls(ViewerTls::new(loaded))?;
        let origins = Origins::start(&loaded.node.resolver).map_err(|e| {
            let cause = e.to_string();
            vec![SnapshotError::Thread { cause }]
        })?;
        let snapshot = build_snapshot(loaded, &parts.hooks, &metrics, &parts.name, &origins, None)?;
        let invalidations = open_invalidations(&loaded.node)
            .map_err(|cause| vec![SnapshotError::DataDir { cause }])?;
        let settings = &loaded.node;
        let dir = settings.data_dir.as_ref().map(|dir| dir.join("cache"));
        let disk = dir.as_deref().zip(settings.cache_disk);
        let cache = CacheStorage::new(
            settings.cache_memory,
            settings.max_object_size,
            invalidations,
            disk.map(|(dir, capacity)| DiskPlace { dir, capacity }),
        )
        .map_err(|cause| vec![SnapshotError::Cache { cause }])?;
        warn_of(loaded);
        let words = ["hit"].iter().chain(&Reason::WORDS);
        let verdicts = words
            .map(|word| (*word, metrics.cache_verdict(word)))
            .collect();
        Ok(Arc::new(Self {
            verdicts,
            snapshot: ArcSwap::from_pointee(snapshot),
            hooks: parts.hooks,
            cache,
            clock: parts.clock,
            access: parts.access,
            metrics,
            name: parts.name,
            origins,
            listens_https: AtomicU16::new(0),
            tls,
            draining: AtomicBool::new(false),
            load: Load::default(),
            in_flight: Arc::default(),
            started: Instant::now(),
        }))
    }

    /// Swaps in a new configuration, or keeps the old one. Functions whose bundle did not change keep their
    /// isolates and their state (LE-347, LE-350).
    ///
    /// # Errors
    /// As [`Self::new`]; the node goes on with what it has.
    pub fn reload(&self, loaded: &Loaded) -> Result<(), Vec<SnapshotError>> {
        match self.prepare(loaded) {
            Ok(next) => {
                self.activate(next);
                self.metrics.reload("applied");
                warn_of(loaded);
                Ok(())
            }
            Err(errors) => {
                self.metrics.reload("refused");
                Err(errors)
            }
        }
    }

    /// Makes a configuration ready to serve: loads and warms its functions, resolves its origins. Nothing that serves
    /// changes. What is returned is to be activated before another is prepared, or dropped.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn prepare(&self, loaded: &Loaded) -> Result<NextSnapshot, Vec<SnapshotError>> {
        let current = self.snapshot.load();
        let snapshot = build_snapshot(
            loaded,
            &self.hooks,
            &self.metrics,
            &self.name,
            &self.origins,
            Some(&current),
        );
        let table = viewer_tls(self.tls.prepare(loaded));
        match (snapshot, table) {
            (Ok(snapshot), Ok(table)) => Ok(NextSnapshot { snapshot, table }),
            (Err(mut errors), table) => {
                errors.extend(table.err().into_iter().flatten());
                Err(errors)
            }
            (Ok(_), Err(errors)) => Err(errors),
        }
    }

    /// Swaps in what was prepared: requests that begin afterwards are served by it (CP-505).
    pub fn activate(&self, next: NextSnapshot) {
        let current = self.snapshot.load();
        self.tls.apply(next.table);
        next.snapshot.origins.run(&self.origins);
        let serving: Vec<_> = next
            .snapshot
            .functions
            .keys()
            .map(|(key, _)| key.clone())
            .collect();
        self.metrics.forget_functions_but(&serving);
        current.origins.end_but(&next.snapshot.origins);
        self.snapshot.store(Arc::new(next.snapshot));
    }

    /// Loads certificates whose files have changed, and says so in log and metrics. What cannot be used is not: the
    /// certificate before it stays in use. Connections go on as they are.
    pub fn renew_certificates(&self) {
        for renewal in self.tls.renew() {
            match renewal {
                Renewal::Applied(label) => {
                    self.metrics.certificate_load("applied");
                    tracing::info!("node.certificates.{label}: loaded anew");
                }
                Renewal::Refused(cause) => {
                    self.metrics.certificate_load("refused");
                    tracing::error!("{cause}; the certificate before stays in use");
                }
            }
        }
    }

    /// What viewers are shown on TLS.
    pub const fn tls(&self) -> &ViewerTls {
        &self.tls
    }

    /// The port that viewers find the node at by HTTPS: as the site file says, or else where it listens (CF-523).
    pub fn https_port(&self) -> u16 {
        let configured = self.snapshot.load().settings().viewers.https_port;
        configured.unwrap_or_else(|| self.listens_https.load(Ordering::Relaxed))
    }

    /// Takes note of where it listens.
    pub(crate) fn listens_https_at(&self, port: u16) {
        self.listens_https.store(port, Ordering::Relaxed);
    }

    /// The configuration new requests begin with.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Runs functions.
    pub const fn hooks(&self) -> &HookPool {
        &self.hooks
    }

    /// The cache.
    pub const fn cache(&self) -> &CacheStorage {
        &self.cache
    }

    /// Wall-clock time.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Access records.
    pub fn access(&self) -> &dyn AccessSink {
        self.access.as_ref()
    }

    /// Counts how the cache took part in a request: `hit` or a word of CP-607.
    pub fn count_verdict(&self, verdict: &'static str) {
        if let Some((_, counter)) = self.verdicts.iter().find(|(word, _)| *word == verdict) {
            counter.inc();
        }
    }

    /// Metrics.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// This node's name in `Via` (CF-352).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says that the node serves: servers of pools are probed from now on.
    pub(crate) fn begins(&self) {
        self.snapshot.load().origins.run(&self.origins);
    }

    /// Names, pools and what else is known of origins.
    pub const fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Counts requests being served.
    pub const fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }

    /// What is under way, as far as it is limited.
    pub const fn load(&self) -> &Load {
        &self.load
    }

    /// Writes what waits to be written, once no request is served any more.
    pub fn close(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.cache.close()),
            Err(e) => tracing::warn!("the disk tier was not closed: {e}"),
        }
    }

    /// Says that the node accepts no new connections.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }
}

/// The invalidations so far, or none where nothing is kept.
fn open_invalidations(settings: &NodeSettings) -> Result<Arc<Invalidations>, String> {
    let opened = match &settings.data_dir {
        None => Invalidations::in_memory(Limits::default()).map(|all| (all, Kept::Nothing)),
        Some(directory) => Invalidations::open(directory, Limits::default()),
    };
    let (all, kept) = opened.map_err(|e| e.to_string())?;
    if kept == Kept::Damaged {
        tracing::error!(
            "node.data_dir: the journal of invalidations was damaged; nothing that was cached on disk before answers"
        );
    }
    Ok(Arc::new(all))
}

fn viewer_tls<T>(made: Result<T, Vec<ViewerTlsError>>) -> Result<T, Vec<SnapshotError>> {
    made.map_err(|errors| errors.into_iter().map(SnapshotError::from).collect())
}

/// What functions of a node with these settings may reach (LE-346).
pub fn egress(settings: &NodeSettings) -> Egress {
    Egress {
        allow_local: settings.hooks.local_egress,
        allow_private: settings.hooks.private_egress,
        admin: Some(settings.admin),
        deny: Vec::new(),
    }
}

/// What the loader warns of, in the log of the node that goes by it (CF-026).
fn warn_of(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(rule = warning.rule, "{warning}");
    }
}
