//! One call of the API while it is worked out: documents as they are, what the call changes, and what is said when the
//! changes are durable.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

use fourfront_auth::Principal;
use fourfront_store::{
    Batch, BlobId, Change, Document, Expected, Kind, KvsChange, Snapshot, Store,
};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use fourfront_model::Endpoint;

use super::{
    ApiError,
    arn::Account,
    associations,
    audit::Trail,
    cloudfront::DistributionDocument,
    lambda::{Code, FunctionRef, model_function},
    plane::DataPlane,
    remote::Remote,
    rules::Rules,
    sources::{Object, Objects, Upload},
    stores::Stores,
    time,
};
use crate::{ArtifactSource, Loaded, UnknownFields};

/// Who calls, and when.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The id of the key that the call is signed with.
    pub key_id: String,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Where the API was asked: `http://127.0.0.1:9400`, for the links in answers.
    pub origin: String,
    /// From where: an address, or `local`.
    pub source: String,
    /// Who proved to have the key; `None` is the node itself.
    pub principal: Option<Principal>,
    /// What the audit log is told of the call (CP-433).
    pub trail: Trail,
}

/// What the API goes by.
#[derive(Clone, Debug, Default)]
pub struct ApiSettings {
    /// Names of resources.
    pub account: Account,
    /// What stands for buckets which code and imports come from, by their names (CP-075).
    pub artifacts: BTreeMap<String, ArtifactSource>,
    /// Where requests to services go that the node does not have, by their names (CP-236).
    pub forward: BTreeMap<String, Endpoint>,
    /// What asks other servers.
    pub remote: Remote,
    /// Where the node keeps its state, where that is not what its site file says (CP-600).
    pub data_dir: Option<PathBuf>,
    /// What becomes of members that nobody knows (CP-023).
    pub unknown_fields: UnknownFields,
    /// Origins of web pages that may read answers; `*` is any (CP-011).
    pub cors: Vec<String>,
    /// What documents are held against until the site file is read anew.
    pub rules: Arc<Rules>,
}

impl ApiSettings {
    /// Those of a site file.
    pub fn of(loaded: &Loaded) -> Self {
        let control = &loaded.node.control;
        Self {
            account: control.account.clone(),
            artifacts: control.artifacts.clone(),
            forward: control.forward.clone(),
            remote: Remote::default(),
            unknown_fields: control.unknown_fields,
            cors: control.cors.clone(),
            data_dir: None,
            rules: Arc::new(Rules::of(loaded)),
        }
    }
}

/// A document and its revision.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    /// `None` for one that this call writes.
    pub(crate) revision: Option<u64>,
    pub(crate) id: String,
    pub(crate) body: T,
}

impl<T> Stored<T> {
    /// The ETag of the document (CP-040), empty for one that is not yet written.
    pub(crate) fn etag(&self, kind: &Kind) -> String {
        let of = |revision| fourfront_store::etag(kind, &self.id, revision);
        self.revision.map_or_else(String::new, of)
    }
}

/// What a call answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Output {
    /// Members of the operation's output.
    pub(crate) value: Value,
    /// The document whose ETag is the member `ETag`, known once it is written.
    pub(crate) etag_of: Option<(Kind, String)>,
}

impl Output {
    /// An answer without an ETag.
    pub(crate) const fn plain(value: Value) -> Self {
        Self {
            value,
            etag_of: None,
        }
    }

    /// An answer with the ETag that a document has when the call is done.
    pub(crate) fn tagged(value: Value, kind: Kind, id: &str) -> Self {
        Self {
            value,
            etag_of: Some((kind, id.to_owned())),
        }
    }
}

/// A call while it is worked out.
pub(crate) struct Tx<'a> {
    pub(crate) store: &'a Store,
    pub(crate) plane: &'a dyn DataPlane,
    pub(crate) stores: &'a Stores,
    pub(crate) settings: &'a ApiSettings,
    pub(crate) caller: &'a Caller,
    pub(crate) rules: Arc<Rules>,
    /// Code that came beside the input.
    pub(crate) code: Option<Upload>,
    /// What the input names that lies elsewhere.
    pub(crate) objects: Objects,
    links: &'a dyn Fn(&str, &str) -> String,
    loads: &'a Loads,
    current: Snapshot,
    read: RefCell<Read>,
    pending: BTreeMap<(Kind, String), Option<Vec<u8>>>,
    data: Vec<KvsChange>,
    serves_anew: bool,
}

/// What a call is worked out with.
pub(crate) struct Around<'a> {
    pub(crate) store: &'a Store,
    pub(crate) plane: &'a dyn DataPlane,
    pub(crate) stores: &'a Stores,
    pub(crate) settings: &'a ApiSettings,
    pub(crate) caller: &'a Caller,
    pub(crate) rules: Arc<Rules>,
    /// Makes a link to an artifact that works for a while, from the API's origin and the artifact's SHA-256 (CP-070).
    pub(crate) links: &'a dyn Fn(&str, &str) -> String,
    /// What is known of code that was tried out.
    pub(crate) loads: &'a Loads,
}

/// Which code does not load and why, kept while a call is worked out: one that has to be worked out a second time tries its
/// code once.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<HashMap<String, Option<String>>>);

/// What a call has looked at, which has to be the same still when it is written.
#[derive(Debug, Default)]
struct Read {
    documents: BTreeSet<(Kind, String)>,
    /// Those of which all documents were looked at.
    kinds: BTreeSet<Kind>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(around: Around<'a>) -> Self {
        Self {
            store: around.store,
            plane: around.plane,
            stores: around.stores,
            settings: around.settings,
            caller: around.caller,
            rules: around.rules,
            code: None,
            objects: Objects::new(),
            links: around.links,
            loads: around.loads,
            current: around.store.snapshot(),
            read: RefCell::default(),
            pending: BTreeMap::new(),
            data: Vec::new(),
            serves_anew: false,
        }
    }

    /// The ETag of a document as it was when the call began; empty where there was none.
    pub(crate) fn etag(&self, kind: &Kind, id: &str) -> String {
        let found = self.current.get(kind, id);
        found.map_or_else(String::new, |document| document.etag())
    }

    /// A document that this call does not write, as it is.
    pub(crate) fn unchanged(&self, kind: &Kind, id: &str) -> Option<Arc<Document>> {
        let is_written = self.pending.contains_key(&(kind.clone(), id.to_owned()));
        match is_written {
            true => None,
            false => self.current.get(kind, id),
        }
    }

    /// When the call is made.
    pub(crate) fn now(&self) -> SystemTime {
        time::of_millis(self.caller.now)
    }

    /// Where the API was asked.
    pub(crate) fn origin(&self) -> &str {
        &self.caller.origin
    }

    /// A link to an artifact.
    pub(crate) fn artifact_link(&self, sha256: &str) -> String {
        (self.links)(&self.caller.origin, sha256)
    }

    /// The blob of an object of a bucket (CP-075), as it was fetched before the call began.
    pub(crate) fn object(&mut self, object: &Object) -> Result<BlobId, String> {
        if let Some(fetched) = self.objects.get(object) {
            return fetched.clone();
        }
        let fetched = object.fetch(self.settings, self.store, self.now());
        self.objects.insert(object.clone(), fetched.clone());
        fetched
    }

    /// Why code does not load, if it does not (CP-065).
    pub(crate) fn load_error(&self, name: &str, code: &Code) -> Option<String> {
        let runtime = code.config.get("Runtime").and_then(Value::as_str);
        if !runtime.is_some_and(super::lambda::is_javascript) {
            return None;
        }
        let key = serde_json::to_string(&(name, &code.sha256, &code.config)).ok()?;
        if let Some(known) = self.loads.0.lock().get(&key) {
            return known.clone();
        }
        let zip = self.blob_path(&code.sha256)?;
        let error = match model_function(name, 0, code, zip) {
            Ok(function) => self.plane.load_error(&function),
            Err(e) => Some(e),
        };
        if let Some(error) = &error {
            tracing::warn!("function {name}: its code does not load: {error} (CP-065)");
        }
        self.loads.0.lock().insert(key, error.clone());
        error
    }

    /// Where a blob lies. Not as seen from the site file's folder, as paths in the file are.
    pub(crate) fn blob_path(&self, sha256: &str) -> Option<PathBuf> {
        let id = sha256.parse::<BlobId>().ok()?;
        std::path::absolute(self.store.blob_path(&id)).ok()
    }

    /// The versions of a function that distributions name, ascending (CP-076).
    pub(crate) fn associated_versions(&self, name: &str) -> Result<Vec<u32>, ApiError> {
        let mut versions = BTreeSet::new();
        for distribution in self.list::<DistributionDocument>(&Kind::Distribution)? {
            for (_, behavior) in associations::behaviors(&distribution.body.config) {
                for association in associations::lambda_of(behavior) {
                    let named = FunctionRef::parse(association.arn, &self.settings.account);
                    let version = named
                        .ok()
                        .filter(|r| r.name == name)
                        .and_then(|r| r.qualifier);
                    versions.extend(version.and_then(|v| v.parse::<u32>().ok()));
                }
            }
        }
        Ok(versions.into_iter().collect())
    }

    /// Whether the node serves a distribution, be it deployed or of the site file.
    pub(crate) fn serves_distribution(&self, id: &str) -> bool {
        self.plane.serves(id)
    }

    /// What is served changes, though no document does that says so itself.
    pub(crate) fn serves_anew(&mut self) {
        self.serves_anew = true;
    }

    /// Gives a store that comes back data again, if it lost it: none, for what it held is gone.
    pub(crate) fn restore_data(&mut self, id: &str) {
        if !id.is_empty() && self.store.kvs_snapshot(id).is_none() {
            let (id, entries) = (id.into(), Vec::new());
            self.data.push(KvsChange::Create { id, entries });
        }
    }

    /// Makes or removes the data of a key-value store when the call is done.
    pub(crate) fn change_data(&mut self, change: KvsChange) {
        self.data.push(change);
    }

    /// A document as this call sees it.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        kind: &Kind,
        id: &str,
    ) -> Result<Option<Stored<T>>, ApiError> {
        let key = (kind.clone(), id.to_owned());
        if let Some(body) = self.pending.get(&key) {
            return body
                .as_deref()
                .map(|body| parsed(kind, id, None, body))
                .transpose();
        }
        self.read.borrow_mut().documents.insert(key);
        let Some(document) = self.current.get(kind, id) else {
            return Ok(None);
        };
        let revision = Some(document.revision);
        let body = document.body.as_deref().unwrap_or_default();
        parsed(kind, id, revision, body).map(Some)
    }

    /// Every document of a kind as this call sees it, in the order of their ids.
    pub(crate) fn list<T: DeserializeOwned>(
        &self,
        kind: &Kind,
    ) -> Result<Vec<Stored<T>>, ApiError> {
        self.read.borrow_mut().kinds.insert(kind.clone());
        let mut all = BTreeMap::new();
        for document in self.current.list(kind, None, usize::MAX) {
            let body = document.body.as_deref().unwrap_or_default();
            let stored = parsed(kind, &document.id, Some(document.revision), body)?;
            all.insert(document.id.to_string(), stored);
        }
        for ((_, id), body) in self.pending.iter().filter(|((k, _), _)| k == kind) {
            match body {
                Some(body) => all.insert(id.clone(), parsed(kind, id, None, body)?),
                None => all.remove(id),
            };
        }
        Ok(all.into_values().collect())
    }

    /// Writes a document when the call is done.
    pub(crate) fn put<T: Serialize>(
        &mut self,
        kind: Kind,
        id: &str,
        body: &T,
    ) -> Result<(), ApiError> {
        let body = serde_json::to_vec(body).map_err(|e| ApiError::internal(e.to_string()))?;
        self.pending.insert((kind, id.to_owned()), Some(body));
        Ok(())
    }

    /// Writes a document anew as it is, if it is there: it is part of a release.
    pub(crate) fn touch(&mut self, kind: &Kind, id: &str) {
        let key = (kind.clone(), id.to_owned());
        if self.pending.contains_key(&key) {
            return;
        }
        let found = self.current.get(kind, id);
        if let Some(body) = found.and_then(|document| document.body.clone()) {
            self.pending.insert(key, Some(body.to_vec()));
        }
    }

    /// Deletes a document when the call is done.
    pub(crate) fn delete(&mut self, kind: Kind, id: &str) {
        self.pending.insert((kind, id.to_owned()), None);
    }

    /// Whether everything that the call has looked at, and what it would write, is still as it was then: others may write
    /// while it is worked out.
    pub(crate) fn is_current(&self) -> bool {
        let now = self.store.snapshot();
        if now.sequence() == self.current.sequence() {
            return true;
        }
        let revision = |snapshot: &Snapshot, kind: &Kind, id: &str| {
            snapshot.get(kind, id).map(|document| document.revision)
        };
        let all = |snapshot: &Snapshot, kind: &Kind| -> Vec<_> {
            let documents = snapshot.list(kind, None, usize::MAX);
            let each = documents.iter();
            each.map(|document| (document.id.clone(), document.revision))
                .collect()
        };
        let read = self.read.borrow();
        let mut documents = read.documents.iter().chain(self.pending.keys());
        documents.all(|(kind, id)| revision(&now, kind, id) == revision(&self.current, kind, id))
            && read
                .kinds
                .iter()
                .all(|kind| all(&now, kind) == all(&self.current, kind))
    }

    /// What is to be written. Documents are expected as the call saw them, which [`Self::is_current`] has to say.
    pub(crate) fn into_batch(self) -> Batch {
        let current = self.current;
        let changes = self.pending.into_iter().map(|((kind, id), body)| {
            let found = current.get(&kind, &id);
            Change {
                expected: found.map_or(Expected::Absent, |d| Expected::Revision(d.revision)),
                kind,
                id: id.into(),
                body: body.map(Into::into),
            }
        });
        Batch {
            changes: changes.collect(),
            kvs: self.data,
            ..Batch::default()
        }
    }

    /// Leaves everything as it is.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.data.clear();
        self.serves_anew = false;
    }

    /// The documents that are to be written.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (&Kind, &str)> {
        self.pending.keys().map(|(kind, id)| (kind, id.as_str()))
    }

    /// Whether a document was there when the call began.
    pub(crate) fn was_there(&self, kind: &Kind, id: &str) -> bool {
        self.current.get(kind, id).is_some()
    }

    /// Whether anything is to be written.
    pub(crate) fn changes_anything(&self) -> bool {
        !self.pending.is_empty() || !self.data.is_empty()
    }

    /// Whether what is served may change. Functions are served where distributions name them: Lambda's in versions, CloudFront's
    /// as they were published.
    pub(crate) fn changes_what_is_served(&self) -> Result<bool, ApiError> {
        if self.serves_anew || self.pending.keys().any(|(kind, _)| is_served(kind)) {
            return Ok(true);
        }
        for (kind, name) in self.pending.keys() {
            if *kind == Kind::CloudfrontFunction
                && self.publishes(name)
                && !self.naming(name)?.is_empty()
            {
                return Ok(true);
            }
        }
        for (_, id) in self
            .pending
            .keys()
            .filter(|(kind, _)| *kind == Kind::LambdaVersion)
        {
            let (name, number) = id.rsplit_once(':').unwrap_or((id, ""));
            let number = number.parse::<u32>().ok();
            let served = self.associated_versions(name)?;
            if number.is_none_or(|number| served.contains(&number)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the published stage of a CloudFront Function becomes another one.
    pub(crate) fn publishes(&self, name: &str) -> bool {
        let key = (Kind::CloudfrontFunction, name.to_owned());
        let Some(body) = self.pending.get(&key) else {
            return false;
        };
        let live = |body: &[u8]| -> Value {
            let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
            document["live"].clone()
        };
        let found = self.current.get(&Kind::CloudfrontFunction, name);
        let before = found.and_then(|document| document.body.as_deref().map(live));
        before.unwrap_or_default() != body.as_deref().map(live).unwrap_or_default()
    }

    /// The distributions that name a CloudFront Function.
    pub(crate) fn naming(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let arn = self
            .settings
            .account
            .cloudfront(&format!("function/{name}"));
        let all = self.list::<DistributionDocument>(&Kind::Distribution)?;
        let names = |config: &Value| {
            associations::behaviors(config)
                .any(|(_, b)| associations::cloudfront_of(b).iter().any(|a| a.arn == arn))
        };
        let naming = all.into_iter().filter(|d| names(&d.body.config));
        Ok(naming.map(|d| d.id).collect())
    }
}

/// Kinds that say what is served by themselves, whoever names them.
fn is_served(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Distribution
            | Kind::CachePolicy
            | Kind::OriginRequestPolicy
            | Kind::ResponseHeadersPolicy
            | Kind::OriginAccessControl
            | Kind::PublicKey
            | Kind::KeyGroup
            | Kind::ContinuousDeploymentPolicy
            | Kind::KeyValueStore
    )
}

fn parsed<T: DeserializeOwned>(
    kind: &Kind,
    id: &str,
    revision: Option<u64>,
    body: &[u8],
) -> Result<Stored<T>, ApiError> {
    let body = serde_json::from_slice(body)
        .map_err(|e| ApiError::internal(format!("{kind} {id}: the stored document: {e}")))?;
    Ok(Stored {
        revision,
        id: id.to_owned(),
        body,
    })
}
