//! From a plan to documents (CP-301, CP-302): every resource of a stack is made, changed or left, in the order that references
//! need, by the operations of the API, and all of it is one write.
//!
//! What a stack owns stands in a document of its own, by logical id, so that a second deploy finds the resources of the first.

mod documents;
mod functions;

use std::collections::BTreeMap;

use fourfront_import::{Artifact, Plan, Planned, RefKind, Target, substitute};
use fourfront_store::{BlobId, Kind, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ApiError, cloudfront,
    cloudfront::{DistributionDocument, FunctionDocument, StoreDocument},
    lambda, reach,
    sources::Object,
    tx::{Output, Tx},
};

/// What a stack owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stack {
    /// By kind and logical id.
    pub(super) resources: BTreeMap<String, Owned>,
}

impl Stack {
    /// Whether a document is one of its resources.
    pub(super) fn owns(&self, kind: &Kind, id: &str) -> bool {
        let mut all = self.resources.values();
        all.any(|owned| owned.kind == kind.as_str() && owned.id == id)
    }
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owned {
    /// The document's kind.
    pub(super) kind: String,
    /// Its id.
    pub(super) id: String,
    /// Whether it stays when the stack no longer has it.
    #[serde(default)]
    pub(super) retain: bool,
}

/// What becomes of one resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Step {
    /// `create`, `change`, `keep`, `delete` or `ignore`.
    pub(super) action: &'static str,
    /// Of what kind it is, in the words of plans.
    pub(super) kind: &'static str,
    /// Its logical id.
    pub(super) id: String,
    /// What the node knows it by.
    pub(super) name: String,
    /// Where it is written.
    pub(super) place: String,
}

/// What a plan comes to.
pub(super) struct Applied {
    pub(super) steps: Vec<Step>,
    /// Where viewers find the stack's distributions.
    pub(super) hosts: Vec<String>,
    /// The documents that the stack consists of.
    pub(super) members: Vec<(Kind, String)>,
    /// Whether the stack owns other resources than before, or owns them otherwise.
    pub(super) restacked: bool,
}

/// The artifacts of a plan as they were uploaded: SHA-256 by kind and logical id, `function:Edge`.
pub(super) type Artifacts = BTreeMap<String, String>;

/// How a stack's document is called among settings.
pub(super) fn stack_id(stack: &str) -> String {
    format!("stack:{stack}")
}

/// The distribution that a plan is tried out on, instead of deployed to (CP-612).
#[derive(Clone, Copy, Debug)]
pub(super) struct Staged<'s> {
    /// The id of the distribution that serves, and is left as it is.
    pub(super) primary: &'s str,
    /// The id of the staging distribution, which gets the plan's configuration.
    pub(super) staging: &'s str,
}

/// The stack that owns a document, by the document's kind and id.
pub(super) fn owners(store: &Store) -> BTreeMap<(String, String), String> {
    let settings = store.list(&Kind::Setting, None, usize::MAX);
    let stacks = settings.iter().filter_map(|document| {
        let name = document.id.strip_prefix("stack:")?;
        let body = document.body.as_deref().unwrap_or_default();
        Some((name, serde_json::from_slice::<Stack>(body).ok()?))
    });
    stacks
        .flat_map(|(name, stack)| {
            let owned = stack.resources.into_values();
            owned.map(move |owned| ((owned.kind, owned.id), name.to_owned()))
        })
        .collect()
}

/// The object that an artifact is, where it is not on the disk of who sends the plan (CP-305).
fn object_of(artifact: &Artifact) -> Option<Object> {
    let Artifact::S3 {
        bucket,
        key,
        version,
    } = artifact
    else {
        return None;
    };
    Some(Object {
        bucket: bucket.clone(),
        key: key.clone(),
        version: version.clone(),
    })
}

/// All such objects of a plan.
pub(super) fn objects(plan: &Plan) -> Vec<Object> {
    let code = plan.functions.iter().map(|function| &function.item.code);
    let data = plan
        .stores
        .iter()
        .filter_map(|store| store.item.data.as_ref());
    code.chain(data).filter_map(object_of).collect()
}

struct Applier<'t, 'a> {
    tx: &'t mut Tx<'a>,
    plan: &'t Plan,
    artifacts: &'t Artifacts,
    /// Whether what the stack no longer has is deleted.
    prune: bool,
    staged: Option<Staged<'t>>,
    before: Stack,
    after: Stack,
    steps: Vec<Step>,
    /// Values that references stand for.
    values: BTreeMap<Target, String>,
}

/// Works a plan out in a call. `staged` has one of its distributions tried out on the staging distribution; nothing else that
/// serves changes then.
///
/// # Errors
/// What the operations refuse; of what is only tried out, whatever would change what serves.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    plan: &Plan,
    artifacts: &Artifacts,
    prune: bool,
    staged: Option<Staged<'_>>,
) -> Result<Applied, ApiError> {
    if plan.stack.is_empty() {
        return Err(ApiError::new(
            400,
            "InvalidArgument",
            "the plan has no stack name",
        ));
    }
    let id = stack_id(&plan.stack);
    let before = tx.get::<Stack>(&Kind::Setting, &id)?;
    let before = before.map(|stored| stored.body).unwrap_or_default();
    let mut applier = Applier {
        tx,
        plan,
        artifacts,
        prune,
        staged,
        after: Stack::default(),
        before,
        steps: Vec::new(),
        values: BTreeMap::new(),
    };
    applier.certificates();
    applier.owns_staged()?;
    applier.functions()?;
    applier.versions()?;
    applier.aliases()?;
    applier.stores()?;
    applier.cloudfront_functions()?;
    applier.documents(false)?;
    applier.distributions(true)?;
    applier.documents(true)?;
    applier.distributions(false)?;
    applier.attachments()?;
    applier.leftovers()?;
    applier.leaves_alone()?;
    let Applier {
        before,
        after,
        steps,
        ..
    } = applier;
    let restacked = before != after;
    let mut members: Vec<(Kind, String)> = after
        .resources
        .values()
        .filter_map(|owned| Some((owned.kind.parse().ok()?, owned.id.clone())))
        .collect();
    members.sort();
    members.dedup();
    tx.put(Kind::Setting, &id, &after)?;
    members.push((Kind::Setting, id));
    let mut hosts = Vec::new();
    for (kind, id) in &members {
        if *kind != Kind::Distribution {
            continue;
        }
        if let Some(found) = tx.get::<DistributionDocument>(kind, id)? {
            hosts.push(found.body.domain_name.clone());
            let aliases = found.body.config["Aliases"]["Items"].as_array().cloned();
            let aliases = aliases.unwrap_or_default();
            hosts.extend(aliases.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    Ok(Applied {
        steps,
        hosts,
        members,
        restacked,
    })
}

impl Applier<'_, '_> {
    fn resolved(&self, value: &Value) -> Result<Value, ApiError> {
        substitute(value, &|target| self.values.get(target).cloned()).map_err(|target| {
            ApiError::new(
                400,
                "UnresolvedReference",
                format!(
                    "{:?} {} ({}) is not among what is deployed",
                    target.kind, target.id, target.attribute
                ),
            )
        })
    }

    /// A name or an ARN as text.
    fn text(&self, value: &Value) -> Result<String, ApiError> {
        Ok(self
            .resolved(value)?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn know(&mut self, kind: RefKind, id: &str, attribute: &str, value: impl Into<String>) {
        let target = Target {
            kind,
            id: id.to_owned(),
            attribute: attribute.to_owned(),
        };
        self.values.insert(target, value.into());
    }

    fn own(&mut self, what: &str, logical: &str, kind: &Kind, id: &str, retain: bool) {
        let owned = Owned {
            kind: kind.to_string(),
            id: id.to_owned(),
            retain,
        };
        self.after
            .resources
            .insert(format!("{what} {logical}"), owned);
    }

    /// Refuses what another stack owns.
    fn unclaimed<T>(&self, kind: &Kind, name: &str, of: &Planned<T>) -> Result<(), ApiError> {
        let stack = &self.plan.stack;
        match claimed(self.tx, stack, &self.before, kind, name)? {
            None => Ok(()),
            Some(other) => Err(ApiError::new(
                409,
                "ResourceConflictException",
                format!(
                    "{}: `{name}` belongs to the stack {other}: give it another name, or deploy to that stack with `--stack {other}`",
                    of.place
                ),
            )),
        }
    }

    /// Tags, with the one that says whose resource it is (CP-302). Policies and keys have none.
    fn tagged(&self, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut tags = tags.clone();
        tags.insert("fourfront:stack".to_owned(), self.plan.stack.clone());
        tags
    }

    fn owned(&self, what: &str, logical: &str) -> Option<String> {
        let owned = self.before.resources.get(&format!("{what} {logical}"))?;
        Some(owned.id.clone())
    }

    fn step<T>(&mut self, action: &'static str, kind: &'static str, of: &Planned<T>, name: &str) {
        self.steps.push(Step {
            action,
            kind,
            id: of.id.clone(),
            name: name.to_owned(),
            place: of.place.to_string(),
        });
    }

    /// The blob of an artifact that was uploaded with the plan.
    fn artifact(
        &mut self,
        what: &str,
        logical: &str,
        artifact: &Artifact,
    ) -> Result<BlobId, ApiError> {
        if let Some(object) = object_of(artifact) {
            let Object { bucket, key, .. } = &object;
            return self.tx.object(&object).map_err(|why| {
                ApiError::new(
                    400,
                    "InvalidArgument",
                    format!("{logical}: s3://{bucket}/{key}: {why} (CP-075)"),
                )
            });
        }
        let missing = || {
            ApiError::new(
                400,
                "MissingArtifact",
                format!("{what} {logical}: its code was not sent with the plan: {artifact}"),
            )
        };
        let sha256 = self
            .artifacts
            .get(&format!("{what}:{logical}"))
            .ok_or_else(missing)?;
        let id: BlobId = sha256.parse().map_err(|_| missing())?;
        match self.tx.store.blob_has(&id) {
            true => Ok(id),
            false => Err(missing()),
        }
    }

    /// Whether the stack has the distribution that is tried out.
    fn owns_staged(&self) -> Result<(), ApiError> {
        let Some(Staged { primary, .. }) = self.staged else {
            return Ok(());
        };
        let key = |id: &str| format!("distribution {id}");
        let mut all = self.plan.distributions.iter();
        if all.any(|d| {
            self.before
                .resources
                .get(&key(&d.id))
                .is_some_and(|o| o.id == primary)
        }) {
            return Ok(());
        }
        let found = self
            .tx
            .get::<DistributionDocument>(&Kind::Distribution, primary)?;
        let tags = found.map(|found| found.body.tags).unwrap_or_default();
        let of = match tags.get("fourfront:stack") {
            Some(stack) => format!("it is of the stack {stack}"),
            None => "it was made by the API, and is changed there".to_owned(),
        };
        Err(ApiError::new(
            400,
            "NotOfThisStack",
            format!(
                "the distribution {primary} is none of the stack {}: {of}",
                self.plan.stack
            ),
        ))
    }

    /// Whether a plan that is tried out changes nothing that serves. New versions of functions do not, nor what is new.
    fn leaves_alone(&self) -> Result<(), ApiError> {
        let Some(Staged { staging, .. }) = self.staged else {
            return Ok(());
        };
        for step in &self.steps {
            let harmless = match (step.action, step.kind) {
                ("keep" | "ignore", _) | ("change", "function") => true,
                ("change", "distribution") => step.name == staging,
                // Of these, what is published is what serves, wherever it is named.
                ("change", "cloudfront-function") => {
                    let named = self.tx.naming(&step.name)?;
                    !self.tx.publishes(&step.name) || named.iter().all(|id| id == staging)
                }
                ("create", kind) => kind != "distribution",
                _ => false,
            };
            if !harmless {
                return Err(ApiError::new(
                    409,
                    "StageShared",
                    format!(
                        "{}: {} {} would {} for what serves, too: deploy that first, or give what is tried out a name of its own",
                        step.place, step.kind, step.id, step.action
                    ),
                ));
            }
        }
        Ok(())
    }

    fn call_lambda(&mut self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        lambda::call(self.tx, operation, input).map(|output| output.value)
    }

    fn call_cloudfront(&mut self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        cloudfront::call(self.tx, operation, input).map(|Output { value, .. }| value)
    }

    /// Certificates are looked up when the distribution is made ready, by the node's own labels (CP-117).
    fn certificates(&mut self) {
        for certificate in &self.plan.certificates {
            let label = certificate.item.hosts.first().cloned().unwrap_or_default();
            self.know(RefKind::Certificate, &certificate.id, "arn", label);
        }
    }

    /// What the stack had and has no longer: deleted where that is asked for, or else left and told of (CP-301).
    fn leftovers(&mut self) -> Result<(), ApiError> {
        let gone: Vec<(String, Owned)> = self
            .before
            .resources
            .iter()
            .filter(|(key, owned)| {
                // What goes by a name may have another logical id now.
                let kind = owned.kind.parse::<Kind>();
                !self.after.resources.contains_key(*key)
                    && !kind.is_ok_and(|kind| self.after.owns(&kind, &owned.id))
            })
            .map(|(key, owned)| (key.clone(), owned.clone()))
            .collect();
        // Whatever uses others goes before them.
        let mut gone = gone;
        gone.sort_by_key(|(key, _)| !key.starts_with("distribution "));
        for (key, owned) in gone {
            let Ok(kind) = owned.kind.parse::<Kind>() else {
                continue;
            };
            let deletes = self.prune && !owned.retain;
            let (what, logical) = key.split_once(' ').unwrap_or(("", &key));
            let action = match deletes {
                true => {
                    self.remove(&kind, &owned.id)?;
                    "delete"
                }
                false => {
                    self.after.resources.insert(key.clone(), owned.clone());
                    "keep"
                }
            };
            self.steps.push(Step {
                action,
                kind: word(what),
                id: logical.to_owned(),
                name: owned.id.clone(),
                place: String::new(),
            });
        }
        Ok(())
    }

    /// Whether a document goes when all that the plan has is made, which it is but for what names documents of that kind.
    fn goes(&self, kind: &Kind, id: &str) -> bool {
        let mut before = self.before.resources.values();
        let had = before.any(|o| o.kind == kind.as_str() && o.id == id && !o.retain);
        self.prune && had && !self.after.owns(kind, id)
    }

    fn remove(&mut self, kind: &Kind, id: &str) -> Result<(), ApiError> {
        // Somebody else may have been faster.
        if self.tx.get::<Value>(kind, id)?.is_none() {
            return Ok(());
        }
        match kind {
            Kind::Lambda => {
                self.call_lambda("DeleteFunction", &json!({ "FunctionName": id }))?;
            }
            Kind::KeyValueStore => {
                let found = self.tx.get::<StoreDocument>(kind, id)?;
                let etag = found.map(|f| f.etag(kind)).unwrap_or_default();
                self.call_cloudfront(
                    "DeleteKeyValueStore",
                    &json!({ "Name": id, "IfMatch": etag }),
                )?;
            }
            Kind::CloudfrontFunction => {
                let found = self.tx.get::<FunctionDocument>(kind, id)?;
                let etag = found
                    .map(|f| f.body.development.etag(id))
                    .unwrap_or_default();
                self.call_cloudfront("DeleteFunction", &json!({ "Name": id, "IfMatch": etag }))?;
            }
            // A stack's own distribution need not be disabled first: nothing is asked to wait for edges elsewhere.
            _ => self.tx.delete(kind.clone(), id),
        }
        Ok(())
    }
}

/// The words of steps, for what comes from a stored key.
fn word(what: &str) -> &'static str {
    const WORDS: &[&str] = &[
        "function",
        "version",
        "alias",
        "store",
        "cloudfront-function",
        "cache-policy",
        "origin-request-policy",
        "response-headers-policy",
        "origin-access-control",
        "origin-access-identity",
        "public-key",
        "key-group",
        "continuous-deployment-policy",
        "distribution",
    ];
    WORDS
        .iter()
        .find(|word| **word == what)
        .copied()
        .unwrap_or("resource")
}

/// Which other stack owns something that `stack` does not: it keeps stacks from each other's resources, where those go by
/// names that anybody may choose (CP-302). `before` is what `stack` owns.
///
/// # Errors
/// `AccessDenied` for who may not change it, and is not told whose it is either.
pub(super) fn claimed(
    tx: &Tx<'_>,
    stack: &str,
    before: &Stack,
    kind: &Kind,
    name: &str,
) -> Result<Option<String>, ApiError> {
    if before.owns(kind, name) {
        return Ok(None);
    }
    let own = stack_id(stack);
    for other in tx.list::<Value>(&Kind::Setting)? {
        let Some(owner) = other.id.strip_prefix("stack:") else {
            continue;
        };
        let owns = Stack::deserialize(&other.body).is_ok_and(|s| s.owns(kind, name));
        if owns && other.id != own {
            reach::stays_within(tx, stack, before, [(kind, name)])?;
            return Ok(Some(owner.to_owned()));
        }
    }
    Ok(None)
}

/// Whether documents of a kind go by names that anybody may choose.
pub(super) const fn by_name(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Lambda | Kind::KeyValueStore | Kind::CloudfrontFunction
    )
}

/// Whether the documents of a release are put back by a rollback as they were, or only if they are gone (CP-067, CP-609):
/// numbers of versions never go back, and a version never changes.
pub(super) fn only_if_gone(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Lambda | Kind::LambdaVersion | Kind::KeyValueStore
    )
}
