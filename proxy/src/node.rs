//! A node: one immutable configuration at a time, and what outlives it (cache, function pool,
//! metrics). A reload builds a whole new [`Snapshot`], warms its functions and swaps it in; a
//! request keeps the one it began with (CF-027, LE-379).

mod admin;
mod fields;
mod in_flight;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use fourfront_cache::{
    Reason,
    policy::{ErrorTtls, OriginClass},
    purge::{Invalidations, Kept, Limits},
};
use fourfront_control::{Loaded, NodeSettings};
use fourfront_hooks::{
    ExecutionFault,
    bundle::{Bundle, ModulesDir, author_paths},
    pool::{Egress, HookPool, Prepared},
};
use fourfront_model::{
    Compat, Distribution, EventType, Function, FunctionKey, GeneratedHeaders, OnError, OriginKind,
    PopCode, Rollout, Site, Traffic,
};
use fourfront_origin::dir::DirRoot;
use fourfront_signed::{KeyError, TrustedKeys};
use http::StatusCode;
use prometheus::{Histogram, IntCounter};

use crate::{
    clock::Clock,
    flow::{
        generated::Named,
        staging::{SessionKey, StagingCounters},
    },
    geo::{GeoDatabases, GeoError},
    load::Load,
    observe::{
        access::AccessSink,
        metrics::{BehaviorMetrics, Metrics},
    },
    origins::{Origins, OriginsError, OriginsOf},
    pingora::{CacheStorage, DiskPlace},
    tls::{OriginCaError, Renewal, Table, ViewerTls, ViewerTlsError, check_origin_ca},
};

pub use fields::NodeFields;
pub use in_flight::{InFlight, InFlightGuard};

/// A function at one trigger of one behaviour, ready to run.
#[derive(Clone, Debug)]
pub struct Hook {
    /// What runs.
    pub prepared: Arc<Prepared>,
    /// How it is configured.
    pub function: Arc<Function>,
    /// Whether its event carries the request body (LE-120).
    pub include_body: bool,
    /// What its failure does to a request (LE-281).
    pub on_error: OnError,
    /// Its duration histogram.
    pub duration: Histogram,
}

/// What the node keeps beside a behaviour at run time.
#[derive(Debug)]
pub struct BehaviorRuntime {
    /// Indexed by [`EventType::index`].
    pub hooks: [Option<Hook>; 4],
    /// Its counters.
    pub metrics: BehaviorMetrics,
    /// The keys of which viewers need a signature, where they need one (CF-560).
    pub trusted_keys: Option<TrustedKeys>,
    /// The headers that the edge generates for it (CF section 4.5).
    pub generated: Named,
}

/// What the node keeps beside a distribution at run time.
#[derive(Debug)]
struct DistributionRuntime {
    fields: NodeFields,
    /// Indexed as `Distribution::behavior_index_for`.
    behaviors: Vec<BehaviorRuntime>,
    /// What the policies of any of them name.
    generated: GeneratedHeaders,
    errors: [ErrorTtls; 2],
    /// Where another distribution is tried out on its requests.
    staging: Option<StagingCounters>,
}

/// One configuration, ready to serve.
#[derive(Debug)]
pub struct Snapshot {
    site: Arc<Site>,
    settings: NodeSettings,
    distributions: Vec<DistributionRuntime>,
    functions: HashMap<(FunctionKey, bool), Arc<Prepared>>,
    modules: Option<Arc<ModulesDir>>,
    dirs: HashMap<PathBuf, Arc<DirRoot>>,
    origins: OriginsOf,
    geo: GeoDatabases,
    pop: PopCode,
    /// Where requests of one viewer stay together.
    sessions: Option<Arc<SessionKey>>,
}

impl Snapshot {
    /// The distributions.
    pub const fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Node settings in force.
    pub const fn settings(&self) -> &NodeSettings {
        &self.settings
    }

    /// The run-time side of a behaviour. INVARIANT: indices come from [`Site::distribution_index_for`] and
    /// `Distribution::behavior_index_for` of this snapshot's own site.
    pub fn behavior(&self, distribution: usize, behavior: usize) -> &BehaviorRuntime {
        &self.distributions[distribution].behaviors[behavior]
    }

    /// Field values of a distribution's answers. INVARIANT: as above.
    pub fn fields(&self, distribution: usize) -> &NodeFields {
        &self.distributions[distribution].fields
    }

    /// Caching times of errors of one kind of origin. INVARIANT: as above.
    pub fn error_ttls(&self, distribution: usize, origin: OriginClass) -> &ErrorTtls {
        &self.distributions[distribution].errors[usize::from(origin == OriginClass::S3)]
    }

    /// The generated headers that any behaviour of a distribution names. INVARIANT: as above.
    pub fn generated(&self, distribution: usize) -> GeneratedHeaders {
        self.distributions[distribution].generated
    }

    /// Counters of what was chosen for requests of a distribution, where there is a choice. INVARIANT: as above.
    pub(crate) fn staging(&self, distribution: usize) -> Option<&StagingCounters> {
        self.distributions[distribution].staging.as_ref()
    }

    /// What sessions of viewers are signed with, where there are such (CF-454).
    pub(crate) fn session_key(&self) -> Option<&SessionKey> {
        self.sessions.as_deref()
    }

    /// Where addresses are, as far as the node knows.
    pub const fn geo(&self) -> &GeoDatabases {
        &self.geo
    }

    /// Packages that every function finds (NC-72).
    pub const fn modules(&self) -> Option<&Arc<ModulesDir>> {
        self.modules.as_ref()
    }

    /// Where the node says it is (CF-502).
    pub fn pop(&self) -> &str {
        self.pop.as_str()
    }

    /// Pools and authorities of its origins.
    pub const fn origins(&self) -> &OriginsOf {
        &self.origins
    }

    /// The opened directory of a `dir:` origin.
    pub fn dir(&self, path: &std::path::Path) -> Option<&Arc<DirRoot>> {
        self.dirs.get(path)
    }
}

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

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A function cannot be loaded.
    #[error("{location}: {section}.{name}: {fault}{stack}")]
    Function {
        /// `file:line:column` of the function in the site file.
        location: String,
        /// Where in the site file: `functions` or `cloudfront_functions`.
        section: &'static str,
        /// Its name.
        name: String,
        /// Which version it is.
        key: FunctionKey,
        /// Why.
        fault: ExecutionFault,
        /// Stack frames on lines of their own, or empty.
        stack: String,
    },
    /// The cache cannot be set up.
    #[error("the cache: {cause}")]
    Cache {
        /// Which limit cannot work.
        cause: String,
    },
    /// The file of further certificate authorities cannot be used.
    #[error("node.origin_ca: {0}")]
    OriginCa(#[from] OriginCaError),
    /// What viewers are shown on TLS cannot be used.
    #[error("{0}")]
    ViewerTls(#[from] ViewerTlsError),
    /// An origin cannot be reached as the site file says.
    #[error("{0}")]
    Origins(#[from] OriginsError),
    /// No thread can be started.
    #[error("the thread for names and probes of origins: {cause}")]
    Thread {
        /// What the system said.
        cause: String,
    },
    /// The directory of extra packages cannot be used.
    #[error("node.hooks.modules_dir: {0}")]
    Modules(ExecutionFault),
    /// What the node remembers cannot be read or written.
    #[error("node.data_dir: {cause}")]
    DataDir {
        /// Why.
        cause: String,
    },
    /// The database of countries cannot be used.
    #[error("node.geo_database: {0}")]
    Geo(#[from] GeoError),
    /// A public key cannot be used, though the site file was accepted with it.
    #[error("public_keys.{name}: {cause} (CF-574)")]
    PublicKey {
        /// Its name.
        name: String,
        /// Why.
        cause: KeyError,
    },
    /// A directory origin cannot be opened.
    #[error("origin directory {}: {cause}", .path.display())]
    Dir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
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

/// Prepares every attached function and opens every directory, collecting all that is wrong.
fn build_snapshot(
    loaded: &Loaded,
    pool: &HookPool,
    metrics: &Metrics,
    node_name: &str,
    origins: &Origins,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, Vec<SnapshotError>> {
    let mut errors = Vec::new();
    let mut functions = HashMap::new();
    let mut dirs = HashMap::new();
    if let Some(path) = &loaded.node.origin_ca {
        errors.extend(check_origin_ca(path).err().map(SnapshotError::from));
    }
    let geo = open_geo(loaded, previous)
        .map_err(|faults| errors.extend(faults.into_iter().map(SnapshotError::from)))
        .unwrap_or_default();
    let pop = match &loaded.node.pop {
        Some(pop) => pop.clone(),
        None => PopCode::of_node(node_name),
    };
    // NC-72
    let modules = match &loaded.node.hooks.modules_dir {
        None => None,
        Some(path) => match ModulesDir::open(path, previous.and_then(|p| p.modules.as_ref())) {
            Ok(modules) => Some(modules),
            Err(e) => {
                errors.push(SnapshotError::Modules(e));
                None
            }
        },
    };
    for distribution in loaded.site.distributions() {
        let relaxed = distribution.compat == Compat::Relaxed;
        for (_, association) in distribution
            .all_behaviors()
            .flat_map(|b| b.functions.iter())
        {
            let function = &association.function;
            let key = (function.key(), relaxed);
            if functions.contains_key(&key) {
                continue;
            }
            let old = previous.and_then(|p| p.functions.get(&key));
            match prepare(pool, function, distribution.compat, modules.as_ref(), old) {
                Ok(prepared) => {
                    functions.insert(key, prepared);
                }
                Err(fault) => errors.push(function_error(loaded, function, fault)),
            }
        }
        for origin in &distribution.origins {
            let OriginKind::Dir(path) = &origin.kind else {
                continue;
            };
            match DirRoot::open(path) {
                Ok(root) => {
                    dirs.insert(path.clone(), Arc::new(root));
                }
                Err(e) => errors.push(SnapshotError::Dir {
                    path: path.clone(),
                    cause: e.to_string(),
                }),
            }
        }
    }
    let trusted_keys = trusted_keys(&loaded.site, &mut errors);
    let origins = OriginsOf::prepare(loaded, origins, previous.map(|p| &p.origins))
        .map_err(|wrong| errors.extend(wrong.into_iter().map(SnapshotError::from)))
        .unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut trusted_keys = trusted_keys.into_iter();
    let distributions = loaded
        .site
        .distributions()
        .iter()
        .map(|d| {
            let relaxed = d.compat == Compat::Relaxed;
            let behaviors: Vec<_> = d
                .all_behaviors()
                .map(|b| BehaviorRuntime {
                    generated: Named::by(b),
                    hooks: EventType::ALL.map(|event| {
                        let association = b.functions.at(event)?;
                        let function = association.function.clone();
                        let prepared = functions.get(&(function.key(), relaxed))?.clone();
                        let duration = metrics.hook(&function.key(), event.as_str());
                        Some(Hook {
                            prepared,
                            function,
                            include_body: association.include_body,
                            on_error: association.on_error,
                            duration,
                        })
                    }),
                    metrics: metrics.behavior(&d.id, b.path_pattern.as_str()),
                    trusted_keys: trusted_keys.next().flatten(),
                })
                .collect();
            DistributionRuntime {
                generated: behaviors
                    .iter()
                    .fold(GeneratedHeaders::NONE, |all, b| all.and(b.generated.all)),
                fields: NodeFields::new(d, node_name, &pop),
                behaviors,
                errors: [OriginClass::Custom, OriginClass::S3].map(|origin| error_ttls(d, origin)),
                staging: matches!(d.rollout, Rollout::Primary(_)).then(|| metrics.staging(&d.id)),
            }
        })
        .collect();
    Ok(Snapshot {
        site: loaded.site.clone(),
        settings: loaded.node.clone(),
        distributions,
        functions,
        modules,
        dirs,
        geo,
        origins,
        pop,
        sessions: session_key(loaded, previous),
    })
}

/// What sessions are signed with, where a distribution has such. It is kept with what else the node keeps; where that
/// cannot be, sessions end with the process.
fn session_key(loaded: &Loaded, previous: Option<&Snapshot>) -> Option<Arc<SessionKey>> {
    let mut distributions = loaded.site.distributions().iter();
    let has_sessions = distributions.any(|d| {
        let Rollout::Primary(rule) = &d.rollout else {
            return false;
        };
        matches!(
            rule.traffic,
            Traffic::Weight {
                sessions: Some(_),
                ..
            }
        )
    });
    if !has_sessions {
        return previous.and_then(|p| p.sessions.clone());
    }
    if let Some(key) = previous.and_then(|p| p.sessions.clone()) {
        return Some(key);
    }
    let opened = loaded.node.data_dir.as_deref().map(SessionKey::open);
    let key = opened.and_then(|opened| {
        opened
            .map_err(|e| tracing::warn!("node.data_dir: the key of sessions is not kept: {e}"))
            .ok()
    });
    Some(Arc::new(key.unwrap_or_else(SessionKey::random)))
}

/// Reads the databases that say where addresses are.
fn open_geo(loaded: &Loaded, previous: Option<&Snapshot>) -> Result<GeoDatabases, Vec<GeoError>> {
    let none = GeoDatabases::default();
    let at_hand = previous.map_or(&none, |p| &p.geo);
    let geo = GeoDatabases::open(&loaded.node.geo_databases, at_hand)?;
    let mut distributions = loaded.site.distributions().iter();
    if distributions.any(|d| d.geo_restriction.is_some()) {
        geo.must_have_countries().map_err(|e| vec![e])?;
    }
    Ok(geo)
}

/// The keys that each behaviour trusts, all behaviours of all distributions in their order.
fn trusted_keys(site: &Site, errors: &mut Vec<SnapshotError>) -> Vec<Option<TrustedKeys>> {
    let distributions = site.distributions().iter();
    let behaviors = distributions.flat_map(|d| d.all_behaviors());
    behaviors
        .map(|behavior| {
            if !behavior.wants_signature() {
                return None;
            }
            let groups = behavior.trusted_key_groups.iter().map(Arc::as_ref);
            TrustedKeys::new(groups)
                .map_err(|(name, cause)| errors.push(SnapshotError::PublicKey { name, cause }))
                .ok()
        })
        .collect()
}

/// How long errors are kept (CF-290..297).
fn error_ttls(distribution: &Distribution, origin: OriginClass) -> ErrorTtls {
    let configured = distribution.error_responses.iter();
    configured.fold(ErrorTtls::new(origin), |ttls, entry| {
        match (
            StatusCode::from_u16(entry.error_code),
            entry.caching_min_ttl,
        ) {
            (Ok(status), Some(seconds)) => ttls.with(status, seconds),
            _ => ttls,
        }
    })
}

/// Loads a function, or keeps the one at hand when neither its settings nor its files have changed.
fn prepare(
    pool: &HookPool,
    function: &Function,
    compat: Compat,
    modules: Option<&Arc<ModulesDir>>,
    old: Option<&Arc<Prepared>>,
) -> Result<Arc<Prepared>, ExecutionFault> {
    // Bundles that cannot have changed are not read again: there may be hundreds, and a deploy changes one.
    let has_same_modules = old.is_some_and(|old| old.has_modules(modules));
    if let Some(old) =
        old.filter(|old| function.sealed && has_same_modules && **old.function() == *function)
    {
        return Ok(Arc::clone(old));
    }
    let bundle = Bundle::read(&function.source)?.with_modules(modules.cloned());
    match old {
        Some(old) if old.is_of(function, &bundle) => Ok(old.clone()),
        _ => pool.prepare_bundle(function, compat, bundle),
    }
}

/// What the loader warns of, in the log of the node that goes by it (CF-026).
fn warn_of(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(rule = warning.rule, "{warning}");
    }
}

fn function_error(loaded: &Loaded, function: &Function, fault: ExecutionFault) -> SnapshotError {
    let location = loaded
        .function_locations
        .get(&function.key())
        .map_or_else(String::new, ToString::to_string);
    // Whoever reads this looks into the files that the site file names.
    let named = |text: &str| author_paths(&function.source, text).into_owned();
    let (fault, stack) = match fault {
        ExecutionFault::Load {
            error_type,
            message,
            stack,
        } => {
            let message = named(&message);
            let fault = ExecutionFault::Load {
                error_type,
                message,
                stack: String::new(),
            };
            (fault, stack)
        }
        fault => (fault, String::new()),
    };
    let stack = if stack.is_empty() {
        stack
    } else {
        format!("\n{}", named(&stack))
    };
    let section = match function.cloudfront() {
        Some(_) => "cloudfront_functions",
        None => "functions",
    };
    SnapshotError::Function {
        location,
        section,
        name: function.name.to_string(),
        key: function.key(),
        fault,
        stack,
    }
}
