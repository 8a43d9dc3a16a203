//! One call of the API while it is worked out: documents as they are, what the call changes, and what is said when the
//! changes are durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::SystemTime,
};

use fourfront_store::{Batch, BlobId, Change, Expected, Kind, KvsChange, Snapshot, Store};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use fourfront_model::Endpoint;

use super::{
    ApiError,
    arn::Account,
    associations,
    cloudfront::DistributionDocument,
    lambda::{Code, FunctionRef, model_function},
    plane::DataPlane,
    remote::Remote,
    sources::{Object, Objects, Upload},
    stores::Stores,
    time,
};
use crate::ArtifactSource;

/// Who calls, and when.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The id of the key that the call is signed with.
    pub key_id: String,
    /// Milliseconds since 1970.
    pub now: u64,
    /// Where the API was asked: `http://127.0.0.1:9400`, for the links in answers.
    pub origin: String,
    /// From where: an address, or `local`.
    pub source: String,
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
    /// Code that came beside the input.
    pub(crate) code: Option<Upload>,
    /// What the input names that lies elsewhere.
    pub(crate) objects: Objects,
    links: &'a dyn Fn(&str, &str) -> String,
    current: Snapshot,
    pending: BTreeMap<(Kind, String), Option<Vec<u8>>>,
    data: Vec<KvsChange>,
    serves_anew: bool,
}

/// What a call is worked out with.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) store: &'a Store,
    pub(crate) plane: &'a dyn DataPlane,
    pub(crate) stores: &'a Stores,
    pub(crate) settings: &'a ApiSettings,
    pub(crate) caller: &'a Caller,
    /// Makes a link to an artifact that works for a while, from the API's origin and the artifact's SHA-256 (CP-070).
    pub(crate) links: &'a dyn Fn(&str, &str) -> String,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(around: Around<'a>) -> Self {
        Self {
            store: around.store,
            plane: around.plane,
            stores: around.stores,
            settings: around.settings,
            caller: around.caller,
            code: None,
            objects: Objects::new(),
            links: around.links,
            current: around.store.snapshot(),
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
        let zip = self.blob_path(&code.sha256)?;
        match model_function(name, 0, code, zip) {
            Ok(function) => self.plane.load_error(&function),
            Err(e) => Some(e),
        }
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
        if let Some(body) = self.pending.get(&(kind.clone(), id.to_owned())) {
            return body
                .as_deref()
                .map(|body| parsed(kind, id, None, body))
                .transpose();
        }
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

    /// What is to be written. Documents are expected as the call saw them: nobody else writes while it is worked out.
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

    /// Whether anything is to be written.
    pub(crate) fn changes_anything(&self) -> bool {
        !self.pending.is_empty() || !self.data.is_empty()
    }

    /// Whether what is served may change.
    pub(crate) fn changes_what_is_served(&self) -> bool {
        self.serves_anew || self.pending.keys().any(|(kind, _)| is_served(kind))
    }
}

/// Kinds that say what is served. A function of Lambda is served in published versions alone.
fn is_served(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Distribution
            | Kind::LambdaVersion
            | Kind::CachePolicy
            | Kind::OriginRequestPolicy
            | Kind::ResponseHeadersPolicy
            | Kind::OriginAccessControl
            | Kind::PublicKey
            | Kind::KeyGroup
            | Kind::ContinuousDeploymentPolicy
            | Kind::CloudfrontFunction
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
