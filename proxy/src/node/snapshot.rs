//! What a configuration comes to when it is ready to serve: functions that are loaded, directories that are open, keys and
//! counters of each behaviour.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use fourfront_cache::policy::{ErrorTtls, OriginClass};
use fourfront_control::{Loaded, NodeSettings};
use fourfront_hooks::{
    ExecutionFault,
    bundle::{Bundle, ModulesDir, author_paths},
    pool::{HookPool, Prepared},
};
use fourfront_model::{
    Compat, Distribution, EventType, Function, FunctionKey, GeneratedHeaders, OnError, OriginKind,
    PopCode, Rollout, Site, Traffic,
};
use fourfront_origin::dir::DirRoot;
use fourfront_signed::{KeyError, TrustedKeys};
use http::StatusCode;
use prometheus::Histogram;

use crate::{
    flow::{
        generated::Named,
        staging::{SessionKey, StagingCounters},
    },
    geo::{GeoDatabases, GeoError},
    observe::metrics::{BehaviorMetrics, Metrics},
    origins::{Origins, OriginsError, OriginsOf},
    tls::{OriginCaError, ViewerTlsError, check_origin_ca},
};

use super::fields::NodeFields;

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
pub(super) struct DistributionRuntime {
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
    pub(super) site: Arc<Site>,
    pub(super) settings: NodeSettings,
    pub(super) distributions: Vec<DistributionRuntime>,
    pub(super) functions: HashMap<(FunctionKey, bool), Arc<Prepared>>,
    pub(super) modules: Option<Arc<ModulesDir>>,
    pub(super) dirs: HashMap<PathBuf, Arc<DirRoot>>,
    pub(super) origins: OriginsOf,
    pub(super) geo: GeoDatabases,
    pub(super) pop: PopCode,
    /// Where requests of one viewer stay together.
    pub(super) sessions: Option<Arc<SessionKey>>,
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

/// Prepares every attached function and opens every directory, collecting all that is wrong.
pub(super) fn build_snapshot(
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
