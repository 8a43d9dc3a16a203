//! Deploys and what they leave behind: a release holds every document of its stack as the deploy left it, so that it can be
//! put in force again as a whole (CP-301, CP-513, CP-603, CP-609).

use std::sync::Arc;

use bytes::Bytes;
use fourfront_auth::Action;
use fourfront_import::Plan;
use fourfront_store::{Kind, Release, ReleaseDraft};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiError, Caller, Control,
    apply::{self, Applied, Artifacts, Stack},
    front::{Front, Head},
    native::{Told, problem},
    plane::Problem,
    reach, time,
    tx::{Loads, Tx},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deploy {
    pub(super) plan: Plan,
    #[serde(default)]
    pub(super) artifacts: Artifacts,
    #[serde(default)]
    pub(super) prune: bool,
    #[serde(default)]
    pub(super) message: String,
}

impl Deploy {
    pub(super) fn read(body: &Bytes) -> Result<Self, Problem> {
        serde_json::from_slice(body).map_err(|e| Problem::invalid("", format!("not a deploy: {e}")))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Activate {
    message: String,
}

/// The member of a distribution's configuration that ties what is tried out to it.
const STAGED_BY: &str = "ContinuousDeploymentPolicyId";

/// Answers a call about releases.
pub(super) fn answer(
    front: &Arc<Front>,
    head: &Head,
    parts: &[&str],
    body: &Bytes,
    caller: &Caller,
) -> Told {
    let control = front.control();
    let deploy = || Deploy::read(body);
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
                .filter(|(_, release)| caller.sees_stack(&release.stack))
                .map(|(_, release)| summary(release))
                .collect();
            Ok((StatusCode::OK, json!({ "items": items })))
        }
        ("GET", ["releases", id]) => {
            let release = existing(control, id).map_err(problem)?;
            caller.may(Action::Read, &release.stack).map_err(problem)?;
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

/// Works a deploy out, by who may make it and with what they may change (CP-432).
fn applied(tx: &mut Tx<'_>, deploy: &Deploy) -> Result<Applied, ApiError> {
    let stack = &deploy.plan.stack;
    tx.caller.trail.about(stack);
    tx.caller.may(Action::Write, stack)?;
    let before = stack_now(tx, stack)?;
    let applied = apply::apply(tx, &deploy.plan, &deploy.artifacts, deploy.prune, None)?;
    // What is there already as the plan has it would become the stack's, too.
    let held = applied.members.iter();
    let held = held.map(|(kind, id)| (kind, id.as_str()));
    reach::stays_within(tx, stack, &before, tx.touched().chain(held))?;
    Ok(applied)
}

/// What a stack owns now.
fn stack_now(tx: &Tx<'_>, stack: &str) -> Result<Stack, ApiError> {
    let stored = tx.get::<Stack>(&Kind::Setting, &apply::stack_id(stack))?;
    Ok(stored.map(|stored| stored.body).unwrap_or_default())
}

fn told(applied: &Applied) -> Value {
    json!({ "steps": applied.steps, "hosts": applied.hosts })
}

impl Control {
    /// What a deploy would do, with everything that could refuse it.
    fn plan(&self, deploy: &Deploy, caller: &Caller) -> Result<Value, ApiError> {
        let objects = self.fetched(apply::objects(&deploy.plan), caller);
        let loads = Loads::default();
        let mut tx = Tx::new(self.around(caller, &loads));
        tx.objects = objects;
        let applied = applied(&mut tx, deploy)?;
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

    pub(super) fn deploy(&self, deploy: &Deploy, caller: &Caller) -> Result<Value, ApiError> {
        let objects = self.fetched(apply::objects(&deploy.plan), caller);
        let deployed = self.transact(caller, |tx| {
            tx.objects = objects.clone();
            self.work_out_deploy(tx, deploy)
        });
        deployed.map(|(answer, _)| answer)
    }

    fn work_out_deploy(
        &self,
        tx: &mut Tx<'_>,
        deploy: &Deploy,
    ) -> Result<(Value, Option<ReleaseDraft>), ApiError> {
        let applied = applied(tx, deploy)?;
        let mut answer = told(&applied);
        answer["stack"] = json!(deploy.plan.stack);
        answer["notes"] = json!(deploy.plan.notes);
        let changes = applied.restacked || applied.steps.iter().any(|step| step.action != "keep");
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
                return Ok((answer, None));
            }
        }
        let (release, draft) = release(tx, applied.members, &deploy.plan.stack, &deploy.message);
        answer["release"] = json!(release);
        Ok((answer, Some(draft)))
    }

    /// Puts a release in force again (CP-609).
    pub(super) fn activate(
        &self,
        id: &str,
        message: &str,
        caller: &Caller,
    ) -> Result<Value, ApiError> {
        let old = existing(self, id)?;
        let activated = self.transact(caller, |tx| put_back(tx, &old, message));
        activated.map(|(answer, _)| answer)
    }
}

/// Changes the documents to those of a release.
fn put_back(
    tx: &mut Tx<'_>,
    old: &Release,
    message: &str,
) -> Result<(Value, Option<ReleaseDraft>), ApiError> {
    let id = &*old.id;
    tx.caller.may(Action::Write, &old.stack)?;
    // A release may hold what others own, to whose distributions the stack attached functions: that is left alone.
    let of_release = stack_of(old);
    let now = stack_now(tx, &old.stack)?;
    let claims = claims(tx, old, &of_release, &now)?;
    let after = stack_after(tx, &of_release, &now)?;
    let mut members = Vec::new();
    for owned in after.resources.values() {
        let kind: Option<Kind> = owned.kind.parse().ok();
        if let Some(kind) = kind.filter(|kind| !of_release.owns(kind, &owned.id)) {
            members.push((kind, owned.id.clone()));
        }
    }
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
        let mut body: Value = match is_stack {
            true => json!(after),
            false => serde_json::from_str(body)
                .map_err(|e| ApiError::internal(format!("release {id}: {e}")))?,
        };
        if kind == Kind::Distribution {
            // What is tried out now has nothing to do with what was then (CP-612).
            let of = |body: &Value| {
                let policy = body["config"][STAGED_BY].as_str();
                policy.unwrap_or_default().to_owned()
            };
            let policy = Kind::ContinuousDeploymentPolicy;
            let (then, beside) = (of(&body), present.as_ref().map(|p| of(&p.body)));
            // But what the stack tries out itself is part of its releases, comes and goes with them.
            let beside = beside.filter(|id| {
                !id.is_empty() && !now.owns(&policy, id) && !of_release.owns(&policy, id)
            });
            let named = match beside {
                Some(beside) => beside,
                None if of_release.owns(&policy, &then) => then.clone(),
                None => String::new(),
            };
            if named != then {
                body["config"][STAGED_BY] = json!(named);
            }
        }
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
    // What is there already becomes the stack's again, too.
    let held = claims
        .iter()
        .map(|(kind, id)| (kind, id.as_str()))
        .chain(tx.touched());
    reach::stays_within(tx, &old.stack, &now, held)?;
    let said = match message {
        "" => format!("rollback to {id}"),
        message => message.to_owned(),
    };
    let (made, draft) = release(tx, members, &old.stack, &said);
    let answer = json!({ "release": made, "stack": &*old.stack, "activated": id });
    Ok((answer, Some(draft)))
}

/// What a release would have its stack own again.
///
/// # Errors
/// `ResourceConflictException` where another stack owns it meanwhile (CP-302).
fn claims(
    tx: &Tx<'_>,
    old: &Release,
    of_release: &Stack,
    now: &Stack,
) -> Result<Vec<(Kind, String)>, ApiError> {
    let mut claims = Vec::new();
    for owned in of_release.resources.values() {
        let Ok(kind) = owned.kind.parse::<Kind>() else {
            continue;
        };
        let id = &owned.id;
        if apply::by_name(&kind)
            && let Some(other) = apply::claimed(tx, &old.stack, now, &kind, id)?
        {
            return Err(ApiError::new(
                409,
                "ResourceConflictException",
                format!(
                    "release {}: the {kind} `{id}` belongs to the stack {other} now",
                    old.id
                ),
            ));
        }
        claims.push((kind, id.clone()));
    }
    Ok(claims)
}

/// What a stack owns once a release of it is in force again: what that holds, and what a later deploy made that is not taken
/// away, so that it stays in the reach of who may change the stack, and of `--prune`.
fn stack_after(tx: &Tx<'_>, of_release: &Stack, now: &Stack) -> Result<Stack, ApiError> {
    let mut after = of_release.clone();
    for (key, owned) in &now.resources {
        let kind: Option<Kind> = owned.kind.parse().ok();
        let Some(kind) = kind.filter(apply::only_if_gone) else {
            continue;
        };
        let stays = !of_release.owns(&kind, &owned.id)
            && !of_release.resources.contains_key(key)
            && tx.get::<Value>(&kind, &owned.id)?.is_some();
        if stays {
            after.resources.insert(key.clone(), owned.clone());
        }
    }
    Ok(after)
}

/// Makes a call a release that holds all these documents.
fn release(
    tx: &mut Tx<'_>,
    members: Vec<(Kind, String)>,
    stack: &str,
    message: &str,
) -> (String, ReleaseDraft) {
    for (kind, id) in members {
        // Those that the deploy left as they are belong to the release as well.
        tx.touch(&kind, &id);
    }
    let id = release_id(tx.caller.now);
    let draft = ReleaseDraft {
        id: id.as_str().into(),
        stack: stack.into(),
        message: message.into(),
    };
    (id, draft)
}

/// `r` and the time of the release, so that they sort, and some letters more.
fn release_id(now: u64) -> String {
    let letters = super::arn::letter_id('R').to_ascii_lowercase();
    format!("r{:011x}{}", now, &letters[1..5])
}

#[cfg(test)]
mod tests;
