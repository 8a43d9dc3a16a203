//! Deploys and what they leave behind: a release holds every document of its stack as the deploy left it, so that it can be
//! put in force again as a whole (CP-301, CP-513, CP-603, CP-609).

use std::sync::Arc;

use bytes::Bytes;
use fourfront_import::Plan;
use fourfront_store::{AuditEntry, Kind, Release, ReleaseDraft};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Caller, Control,
    apply::{self, Applied, Artifacts, Stack},
    front::{Front, Head},
    native::{Told, problem},
    plane::Problem,
    time,
    tx::{Loads, Tx},
    writing::Entry,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deploy {
    plan: Plan,
    #[serde(default)]
    artifacts: Artifacts,
    #[serde(default)]
    prune: bool,
    #[serde(default)]
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Activate {
    message: String,
}

/// Answers a call about releases.
pub(super) fn answer(
    front: &Arc<Front>,
    head: &Head,
    parts: &[&str],
    body: &Bytes,
    caller: &Caller,
) -> Told {
    let control = front.control();
    let deploy = || -> Result<Deploy, Problem> {
        serde_json::from_slice(body).map_err(|e| Problem::invalid("", format!("not a deploy: {e}")))
    };
    match (head.method.as_str(), parts) {
        ("POST", ["plan"]) => {
            let told = control.plan(&deploy()?, caller).map_err(problem)?;
            Ok((StatusCode::OK, told))
        }
        ("POST", ["releases"]) => {
            let told = control.deploy(&deploy()?, caller).map_err(problem)?;
            Ok((StatusCode::CREATED, told))
        }
        ("GET", ["releases"]) => {
            let pairs = fourfront_aws::pairs(&head.query).unwrap_or_default();
            let stack = pairs.iter().find(|(name, _)| name == "stack");
            let releases = control.store().releases(stack.map(|(_, v)| v.as_str()));
            let items: Vec<Value> = releases
                .iter()
                .map(|(_, release)| summary(release))
                .collect();
            Ok((StatusCode::OK, json!({ "items": items })))
        }
        ("GET", ["releases", id]) => {
            let release = existing(control, id).map_err(problem)?;
            let mut told = summary(&release);
            let members = release.members.iter().map(|m| {
                let body = m
                    .body
                    .as_deref()
                    .and_then(|b| serde_json::from_str::<Value>(b).ok());
                json!({ "kind": &*m.kind, "id": &*m.id, "revision": m.revision, "body": body })
            });
            told["members"] = json!(members.collect::<Vec<_>>());
            Ok((StatusCode::OK, told))
        }
        ("POST", ["releases", id, "activate"]) => {
            let asked: Activate = match body.is_empty() {
                true => Activate::default(),
                false => serde_json::from_slice(body)
                    .map_err(|e| Problem::invalid("", format!("expected a message: {e}")))?,
            };
            let told = control
                .activate(id, &asked.message, caller)
                .map_err(problem)?;
            Ok((StatusCode::OK, told))
        }
        _ => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            format!(
                "the native API has no `{} {}`",
                Method::as_str(&head.method),
                parts.join("/")
            ),
        )),
    }
}

fn summary(release: &Release) -> Value {
    json!({
        "id": &*release.id,
        "stack": &*release.stack,
        "created": time::iso(release.created),
        "author": &*release.author,
        "message": &*release.message,
    })
}

fn existing(control: &Control, id: &str) -> Result<Release, ApiError> {
    let found = control.store().release(id)?;
    found.ok_or_else(|| ApiError::new(404, "NoSuchRelease", format!("there is no release `{id}`")))
}

/// What a release says that its stack owns.
fn stack_of(release: &Release) -> Stack {
    let id = apply::stack_id(&release.stack);
    let of_stack = release
        .members
        .iter()
        .find(|m| *m.kind == *Kind::Setting.as_str() && *m.id == id);
    let body = of_stack.and_then(|m| m.body.as_deref());
    body.and_then(|body| serde_json::from_str(body).ok())
        .unwrap_or_default()
}

fn told(applied: &Applied) -> Value {
    json!({ "steps": applied.steps, "urls": applied.urls })
}

impl Control {
    /// What a deploy would do, with everything that could refuse it.
    fn plan(&self, deploy: &Deploy, caller: &Caller) -> Result<Value, ApiError> {
        let loads = Loads::default();
        let mut tx = Tx::new(self.around(caller, &loads));
        let applied = apply::apply(&mut tx, &deploy.plan, &deploy.artifacts, deploy.prune)?;
        if tx.changes_what_is_served()? {
            let _serving = self.serving.lock();
            // What is made ready is dropped again.
            drop(self.prepare(&tx)?);
        }
        let mut answer = told(&applied);
        answer["stack"] = json!(deploy.plan.stack);
        answer["notes"] = json!(deploy.plan.notes);
        Ok(answer)
    }

    fn deploy(&self, deploy: &Deploy, caller: &Caller) -> Result<Value, ApiError> {
        let deployed = self.transact(caller, |tx| self.work_out_deploy(tx, deploy));
        deployed.map(|(answer, _)| answer)
    }

    fn work_out_deploy(
        &self,
        tx: &mut Tx<'_>,
        deploy: &Deploy,
    ) -> Result<(Value, Entry), ApiError> {
        let applied = apply::apply(tx, &deploy.plan, &deploy.artifacts, deploy.prune)?;
        let mut answer = told(&applied);
        answer["stack"] = json!(deploy.plan.stack);
        answer["notes"] = json!(deploy.plan.notes);
        let changes = applied.steps.iter().any(|step| step.action != "keep");
        if !changes {
            // A deploy that changes nothing is none.
            let newest = self
                .store
                .releases(Some(&deploy.plan.stack))
                .into_iter()
                .next();
            if let Some((_, newest)) = newest {
                answer["release"] = json!(&*newest.id);
                answer["unchanged"] = json!(true);
                tx.forget();
                return Ok((answer, Entry::default()));
            }
        }
        let (release, entry) = release(
            tx,
            applied.members,
            &deploy.plan.stack,
            &deploy.message,
            "deploy",
        );
        answer["release"] = json!(release);
        Ok((answer, entry))
    }

    /// Puts a release in force again (CP-609).
    fn activate(&self, id: &str, message: &str, caller: &Caller) -> Result<Value, ApiError> {
        let old = existing(self, id)?;
        let activated = self.transact(caller, |tx| put_back(tx, &old, message));
        activated.map(|(answer, _)| answer)
    }
}

/// Changes the documents to those of a release.
fn put_back(tx: &mut Tx<'_>, old: &Release, message: &str) -> Result<(Value, Entry), ApiError> {
    let id = &*old.id;
    // A release may hold what others own, to whose distributions the stack attached functions: that is left alone.
    let of_release = stack_of(old);
    let now = tx.get::<Stack>(&Kind::Setting, &apply::stack_id(&old.stack))?;
    let now = now.map(|stored| stored.body).unwrap_or_default();
    let mut members = Vec::new();
    for member in &old.members {
        let kind: Kind = member.kind.parse().map_err(|_| {
            ApiError::internal(format!("release {id}: a member of an unknown kind"))
        })?;
        let is_stack = kind == Kind::Setting && *member.id == apply::stack_id(&old.stack);
        let Some(body) = member.body.as_deref() else {
            continue;
        };
        if !is_stack && !of_release.owns(&kind, &member.id) {
            continue;
        }
        members.push((kind.clone(), member.id.to_string()));
        let present = tx.get::<Value>(&kind, &member.id)?;
        if present.is_some() && apply::only_if_gone(&kind) {
            continue;
        }
        let body: Value = serde_json::from_str(body)
            .map_err(|e| ApiError::internal(format!("release {id}: {e}")))?;
        if present.is_none_or(|p| p.body != body) {
            if kind == Kind::KeyValueStore {
                tx.restore_data(body["id"].as_str().unwrap_or_default());
            }
            tx.put(kind, &member.id, &body)?;
        }
    }
    // What a later deploy of the stack made is no part of it.
    for owned in now.resources.values() {
        let kind: Option<Kind> = owned.kind.parse().ok();
        let Some(kind) = kind.filter(|kind| !apply::only_if_gone(kind)) else {
            continue;
        };
        if !of_release.owns(&kind, &owned.id) && tx.get::<Value>(&kind, &owned.id)?.is_some() {
            tx.delete(kind, &owned.id);
        }
    }
    let said = match message {
        "" => format!("rollback to {id}"),
        message => message.to_owned(),
    };
    let (made, entry) = release(tx, members, &old.stack, &said, "activate");
    let answer = json!({ "release": made, "stack": &*old.stack, "activated": id });
    Ok((answer, entry))
}

/// Makes a call a release that holds all these documents.
fn release(
    tx: &mut Tx<'_>,
    members: Vec<(Kind, String)>,
    stack: &str,
    message: &str,
    operation: &str,
) -> (String, Entry) {
    for (kind, id) in members {
        // Those that the deploy left as they are belong to the release as well.
        tx.touch(&kind, &id);
    }
    let id = release_id(tx.caller.now);
    let audit = AuditEntry {
        at: tx.caller.now,
        key: tx.caller.key_id.as_str().into(),
        source: tx.caller.source.as_str().into(),
        operation: format!("fourfront:{operation}").into(),
        resource: stack.into(),
        outcome: "ok".into(),
        ..AuditEntry::default()
    };
    let draft = ReleaseDraft {
        id: id.as_str().into(),
        stack: stack.into(),
        message: message.into(),
    };
    let entry = Entry {
        audit: Some(audit),
        release: Some(draft),
    };
    (id, entry)
}

/// `r` and the time of the release, so that they sort, and some letters more.
fn release_id(now: u64) -> String {
    let letters = super::arn::letter_id('R').to_ascii_lowercase();
    format!("r{:011x}{}", now, &letters[1..5])
}
