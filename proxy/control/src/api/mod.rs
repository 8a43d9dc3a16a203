//! The control plane of a node: the AWS-compatible API and the native one on the same documents (CP sections 1 to 5, 12).
//!
//! A call is worked out on the documents as they are ([`tx`]), what it would write is composed with the node's site file into
//! a configuration ([`compose`]) and made ready by the node ([`plane`]); then it is written, durably, and swapped in; then it
//! is answered. So nothing is answered that is not in force, nothing is in force that is not durable, and a function that
//! does not load changes nothing. Calls that change what is served wait for each other, those that read wait for nobody
//! ([`writing`]).
//!
//! # Who calls, and in which order
//!
//! The AWS CLI makes one call a command (CP-250, CP-252, CP-253, CP-256, CP-258), reads before it writes where it helps its
//! user (CP-254), still sends configurations of the legacy form (CP-255), and waits by polling, which ends at once here
//! (CP-251, CP-257). Terraform's provider reads after each write, and again for each plan: roles (CP-265), functions with
//! their versions and permissions (CP-266, CP-267, CP-268, CP-269, CP-270), CloudFront Functions (CP-271, CP-272), stores and
//! their keys (CP-273, CP-274), policies (CP-275) and distributions (CP-276, CP-278, CP-279, CP-280). The contract tests make
//! these calls in these orders (CP-702), and those of the SDK for JavaScript (CP-701); they show every operation of tier M well
//! and refused, by each error that can be brought about, and hold every answer against its model (CP-700).

mod apply;
mod arn;
mod associations;
mod cloudfront;
mod compose;
mod cors;
mod error;
pub mod front;
mod iam;
mod keychain;
mod keys;
mod keys_api;
mod lambda;
pub mod log_query;
mod logs;
pub mod native;
mod page;
pub mod plane;
mod releases;
mod removal;
mod retries;
mod rules;
mod seen;
mod stages;
mod stores;
mod sts;
mod time;
mod turns;
mod tx;
mod wire;
mod writing;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use fourfront_aws::Service;
use fourfront_store::{AuditEntry, Kind, Store};
use parking_lot::Mutex;
use serde_json::Value;

pub use arn::Account;
pub use error::ApiError;
pub use keychain::{KeyInfo, Keychain};
pub use rules::Rules;
pub use tx::{ApiSettings, Caller};

use plane::{DataPlane, PlaneFault};
use stores::Stores;
use turns::Turns;
use tx::{Around, Loads, Output, Tx};

use crate::{Deployment, Loaded, SiteErrors, parse_with};

/// Makes a link to an artifact that works for a while, from the API's origin and the artifact's SHA-256 (CP-070).
pub type Links = Box<dyn Fn(&str, &str) -> String + Send + Sync>;

/// The variables of `${VAR}` in the site file.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The site file that stands beside what was deployed.
pub struct SiteFile {
    /// Where it lies.
    pub path: PathBuf,
    /// What `${VAR}` stands for.
    pub env: Environment,
}

impl std::fmt::Debug for SiteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SiteFile").field(&self.path).finish()
    }
}

/// The control plane of a node.
pub struct Control {
    store: Store,
    plane: Arc<dyn DataPlane>,
    site: SiteFile,
    settings: ApiSettings,
    links: Links,
    stores: Arc<Stores>,
    site_now: Mutex<SiteNow>,
    /// Held while what is served is made ready and swapped in. Taken before `writing`.
    serving: Mutex<()>,
    /// Held while documents are written.
    writing: Mutex<()>,
    /// Who writes on which function.
    turns: Turns,
}

/// The site file as it was when it was last put in force: a file that is being edited is none of a caller's business.
struct SiteNow {
    text: Arc<str>,
    rules: Arc<Rules>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

/// Why the site file and what was deployed do not make a configuration that serves.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The stored documents cannot be read.
    #[error("{0}")]
    Documents(ApiError),
    /// The file, or what was deployed beside it, is at fault.
    #[error("{0}")]
    Site(#[from] SiteErrors),
    /// The node cannot serve it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plane(Vec<PlaneFault>),
}

/// What was deployed so far, opened before there is a node that serves it.
#[derive(Debug)]
pub struct Opened {
    store: Store,
    settings: ApiSettings,
    stores: Arc<Stores>,
}

impl Opened {
    /// Takes up a store.
    pub fn new(store: Store, settings: ApiSettings) -> Self {
        Self {
            store,
            settings,
            stores: Arc::default(),
        }
    }

    /// What it holds of what is served.
    ///
    /// # Errors
    /// A stored document cannot be read.
    pub fn deployment(&self) -> Result<Deployment, ApiError> {
        let (caller, loads) = (Caller::node(0), Loads::default());
        let around = Around {
            store: &self.store,
            plane: &plane::Nowhere,
            stores: &self.stores,
            settings: &self.settings,
            caller: &caller,
            rules: Arc::clone(&self.settings.rules),
            links: &|_, _| String::new(),
            loads: &loads,
        };
        compose::deployment(&Tx::new(around))
    }

    /// The control plane in front of a node that serves it.
    ///
    /// # Errors
    /// The site file cannot be read.
    pub fn control(
        self,
        plane: Arc<dyn DataPlane>,
        site: SiteFile,
        links: Links,
    ) -> Result<Control, SiteErrors> {
        let text = crate::read_text(&site.path)?;
        Ok(Control {
            store: self.store,
            plane,
            site,
            site_now: Mutex::new(SiteNow {
                text: text.into(),
                rules: Arc::clone(&self.settings.rules),
            }),
            settings: self.settings,
            links,
            stores: self.stores,
            serving: Mutex::default(),
            writing: Mutex::default(),
            turns: Turns::new(turns::PATIENCE),
        })
    }
}

impl Control {
    /// The documents.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What the API goes by.
    pub const fn settings(&self) -> &ApiSettings {
        &self.settings
    }

    /// Answers a call of an AWS-shaped service: members of the operation's output. Blocks on the disk, and on the compiling of
    /// functions where what is served changes.
    ///
    /// # Errors
    /// Why it is refused; nothing has changed then, except after a failure of the disk.
    pub fn call(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
        caller: &Caller,
    ) -> Result<Value, ApiError> {
        let audit = AuditEntry {
            at: caller.now,
            key: caller.key_id.as_str().into(),
            source: caller.source.as_str().into(),
            operation: format!("{}:{operation}", service.signing_name()).into(),
            resource: resource(input).into(),
            outcome: "ok".into(),
            ..AuditEntry::default()
        };
        if service == Service::KeyValueStore {
            let loads = Loads::default();
            let tx = Tx::new(self.around(caller, &loads));
            let is_write = keys::is_write(operation);
            return keys::call(&tx, operation, input, is_write.then_some(audit));
        }
        if reads(operation) {
            let loads = Loads::default();
            let mut tx = Tx::new(self.around(caller, &loads));
            let output = work_out(&mut tx, service, operation, input)?;
            // Of the document that was told, not of what may have taken its place meanwhile (CP-040).
            return Ok(tagged(output, |kind, id| tx.etag(kind, id)));
        }
        let refusal = AuditEntry {
            outcome: "".into(),
            ..audit.clone()
        };
        let written = self.write(service, operation, input, caller, &audit);
        let (output, committed) = written.inspect_err(|e| {
            // Whoever tries what is refused is told of as well (CP-433).
            let outcome = e.code.as_ref().into();
            let entry = AuditEntry { outcome, ..refusal };
            if let Err(e) = self.store.audit(vec![entry]) {
                tracing::error!("the audit log: {e}");
            }
        })?;
        Ok(tagged(output, |kind, id| {
            let revision = committed.iter().find(|(k, i, _)| k == kind && &**i == id);
            revision.map_or_else(String::new, |(.., revision)| {
                fourfront_store::etag(kind, id, *revision)
            })
        }))
    }

    /// Serves what the site file and the documents say now. The configuration as it was loaded, for who tells about it.
    ///
    /// # Errors
    /// Why it cannot be served; what is served stays.
    pub fn reload(&self, now: u64) -> Result<Loaded, ReloadError> {
        // Documents that say what is served stay as they are while this is held.
        let _serving = self.serving.lock();
        let (caller, loads) = (Caller::node(now), Loads::default());
        let tx = Tx::new(self.around(&caller, &loads));
        let deployment = compose::deployment(&tx).map_err(ReloadError::Documents)?;
        let text = crate::read_text(&self.site.path)?;
        let loaded = self.load(&text, &deployment)?;
        let activate = self.plane.prepare(&loaded).map_err(ReloadError::Plane)?;
        activate();
        let rules = Arc::new(Rules::of(&loaded));
        let text = text.into();
        *self.site_now.lock() = SiteNow { text, rules };
        Ok(loaded)
    }

    /// The name of the key-value store with an ARN, if there is one.
    pub(crate) fn store_named_by(&self, arn: &str) -> Option<String> {
        let (caller, loads) = (Caller::node(0), Loads::default());
        let tx = Tx::new(self.around(&caller, &loads));
        let all = tx
            .list::<cloudfront::StoreDocument>(&Kind::KeyValueStore)
            .ok()?;
        let found = all
            .into_iter()
            .find(|s| s.body.arn(&self.settings.account) == arn);
        found.map(|s| s.id)
    }

    fn around<'a>(&'a self, caller: &'a Caller, loads: &'a Loads) -> Around<'a> {
        Around {
            store: &self.store,
            plane: &*self.plane,
            stores: &self.stores,
            settings: &self.settings,
            caller,
            rules: Arc::clone(&self.site_now.lock().rules),
            links: &*self.links,
            loads,
        }
    }

    /// The ARN of the key-value store with a name, an id or that ARN.
    pub(crate) fn arn_of_store(&self, name: &str) -> Option<String> {
        let (caller, loads) = (Caller::node(0), Loads::default());
        let tx = Tx::new(self.around(&caller, &loads));
        let all = tx
            .list::<cloudfront::StoreDocument>(&Kind::KeyValueStore)
            .ok()?;
        let account = &self.settings.account;
        let is = |s: &tx::Stored<cloudfront::StoreDocument>| {
            s.id == name || s.body.id == name || s.body.arn(account) == name
        };
        let found = all.into_iter().find(is);
        found.map(|s| s.body.arn(account))
    }

    fn load(&self, text: &str, deployment: &Deployment) -> Result<Loaded, SiteErrors> {
        let path = &self.site.path;
        let base_dir = path.parent().unwrap_or_else(|| Path::new(""));
        parse_with(text, path, base_dir, &*self.site.env, deployment)
    }

    fn prepare(&self, tx: &Tx<'_>) -> Result<Box<dyn FnOnce() + Send>, ApiError> {
        let deployment = compose::deployment(tx)?;
        let text = Arc::clone(&self.site_now.lock().text);
        let loaded = self.load(&text, &deployment);
        let loaded = loaded.map_err(|errors| refused(&errors))?;
        self.plane.prepare(&loaded).map_err(|faults| {
            let message: Vec<_> = faults.iter().map(ToString::to_string).collect();
            let code = match faults.iter().find_map(|fault| fault.function.as_ref()) {
                Some(function) if function.is_cloudfront => "InvalidFunctionAssociation",
                Some(_) => "InvalidLambdaFunctionAssociation",
                None => "InvalidArgument",
            };
            ApiError::cloudfront(code, message.join("\n"))
        })
    }
}

impl Caller {
    /// The node itself.
    fn node(now: u64) -> Self {
        Self {
            key_id: "node".to_owned(),
            now,
            origin: String::new(),
            source: "local".to_owned(),
        }
    }
}

fn work_out(
    tx: &mut Tx<'_>,
    service: Service,
    operation: &str,
    input: &Value,
) -> Result<Output, ApiError> {
    match service {
        Service::CloudFront => cloudfront::call(tx, operation, input),
        Service::Lambda => lambda::call(tx, operation, input),
        Service::Sts => sts::call(tx, operation).map(Output::plain),
        Service::Iam => iam::call(tx, operation, input).map(Output::plain),
        Service::Logs => logs::call(tx, operation, input).map(Output::plain),
        Service::KeyValueStore => Err(ApiError::new(
            400,
            "UnsupportedOperation",
            format!("{operation} is not available yet (CP-016)"),
        )),
    }
}

/// Whether an operation changes no document. An invalidation changes the cache, and a test or an invocation nothing.
fn reads(operation: &str) -> bool {
    [
        "Get",
        "List",
        "Describe",
        "Filter",
        "Test",
        "Invoke",
        "CreateInvalidation",
    ]
    .iter()
    .any(|verb| operation.starts_with(verb))
}

/// Puts the ETag of a document into the answer about it.
fn tagged(output: Output, etag: impl FnOnce(&Kind, &str) -> String) -> Value {
    let mut value = output.value;
    if let Some((kind, id)) = output.etag_of {
        let etag = etag(&kind, &id);
        if !etag.is_empty() {
            value["ETag"] = Value::String(etag);
        }
    }
    value
}

/// What a call is about, for the audit log.
fn resource(input: &Value) -> &str {
    let members = [
        "FunctionName",
        "Name",
        "Id",
        "DistributionId",
        "Resource",
        "KvsARN",
        "RoleName",
        "logGroupName",
    ];
    members
        .into_iter()
        .find_map(|member| input[member].as_str())
        .unwrap_or_default()
}

/// What keeps a configuration from being loaded, in the words of CloudFront's API: the loader begins its messages with the
/// API's names of faults where there are such (CF-024, CP-118).
fn refused(errors: &SiteErrors) -> ApiError {
    let first = errors.0.first();
    let message = first.map_or_else(String::new, |error| {
        let place = match error.path.is_empty() {
            true => error.location.to_string(),
            false => format!("{}: {}", error.location, error.path),
        };
        let help = error.help.as_ref().map(|help| format!(" ({help})"));
        format!("{place}: {}{}", error.message, help.unwrap_or_default())
    });
    let code = first
        .and_then(|error| error.message.split_once(": "))
        .map(|(code, _)| code.to_owned())
        .filter(|code| Service::CloudFront.status_of(code).is_some());
    let code = match code.as_deref() {
        // Of a function that is named and not published, a configuration has words of its own (CP-133).
        Some("NoSuchFunctionExists") => "InvalidFunctionAssociation",
        Some(code) => code,
        None => "InvalidArgument",
    };
    ApiError::cloudfront(code.to_owned(), message)
}
