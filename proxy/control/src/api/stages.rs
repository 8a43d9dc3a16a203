//! Gradual rollout in the native API (CP-612): a staging distribution, its policy and the primary's tie to it, as one thing.
//! Each call is one step, all of it or nothing; the documents are those that the operations of CP-122 work on, so either
//! way of asking can go on where the other left off.

use std::sync::Arc;

use bytes::Bytes;
use fourfront_auth::Resource;
use fourfront_aws::Service;
use fourfront_store::Kind;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    ApiError, Caller, Control,
    apply::{self, Staged},
    cloudfront::{self, DistributionDocument, FamilyDocument},
    front::{Front, Head},
    native::{Told, decoded, problem},
    plane::Problem,
    releases::Deploy,
    tx::{Loads, Stored, Tx},
    work_out,
};

/// The header that says where a request goes while nothing else was chosen: no viewer sends it by chance.
const HEADER: (&str, &str) = ("aws-cf-cd-staging", "true");

/// Which requests are to be served by the staging distribution.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    /// A share of them, 0 to 1.
    weight: Option<f64>,
    sessions: Option<Sessions>,
    header: Option<Header>,
    /// Whether any are at all.
    enabled: Option<bool>,
}

/// In seconds (CF-454).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    idle: u32,
    maximum: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: String,
}

/// Answers a call below `stages`.
pub(super) fn answer(
    front: &Arc<Front>,
    head: &Head,
    parts: &[&str],
    body: &Bytes,
    caller: &Caller,
) -> Told {
    told(front.control(), &head.method, parts, body, caller)
}

fn told(control: &Control, method: &Method, parts: &[&str], body: &Bytes, caller: &Caller) -> Told {
    let asked = || -> Result<Asked, Problem> {
        if body.is_empty() {
            return Ok(Asked::default());
        }
        // A list is none, though one would do for the fields in their order.
        serde_json::from_slice::<Map<String, Value>>(body)
            .and_then(|members| serde_json::from_value(Value::Object(members)))
            .map_err(|e| Problem::invalid("", format!("not what requests to send where: {e}")))
    };
    let id = parts.get(1).map(|id| decoded(id)).unwrap_or_default();
    let (status, told) = match (method.as_str(), parts) {
        ("GET", [_, _]) => {
            let told = control.stage(&id, caller).map_err(problem)?;
            return Ok((StatusCode::OK, told));
        }
        ("POST", [_, _]) => {
            let asked = asked()?;
            let told = control.staged(&id, caller, |tx| create(tx, &id, &asked));
            (StatusCode::CREATED, told)
        }
        ("PUT", [_, _]) => {
            let asked = asked()?;
            let told = control.staged(&id, caller, |tx| traffic(tx, &id, &asked));
            (StatusCode::OK, told)
        }
        ("POST", [_, _, "deploy"]) => {
            let deploy = Deploy::read(body)?;
            let told = control.try_out(&id, &deploy, caller).map_err(problem)?;
            return Ok((StatusCode::OK, told));
        }
        ("POST", [_, _, "promote"]) => {
            let told = control.staged(&id, caller, |tx| promote(tx, &id));
            (StatusCode::OK, told)
        }
        ("DELETE", [_, _]) => {
            let told = control.staged(&id, caller, |tx| discard(tx, &id));
            (StatusCode::OK, told)
        }
        _ => {
            return Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "GET, POST, PUT or DELETE `stages/` and the id of a distribution, or POST its `deploy` or `promote`",
            ));
        }
    };
    let ((), told) = told.map_err(problem)?;
    Ok((status, told))
}

impl Control {
    /// Works out a change and commits it. What it came to, and how the rollout stands then.
    fn staged<T>(
        &self,
        id: &str,
        caller: &Caller,
        change: impl Fn(&mut Tx<'_>) -> Result<T, ApiError>,
    ) -> Result<(T, Value), ApiError> {
        let ((worked_out, mut told), revisions) = self.transact(caller, |tx| {
            let worked_out = change(tx)?;
            let told = match Stage::of(tx, id) {
                Ok(stage) => stage.told(),
                // It was dropped.
                Err(_) => json!({ "distribution": id }),
            };
            Ok::<_, ApiError>(((worked_out, told), None))
        })?;
        // Of what this call has written, whatever others have since (CP-040).
        for (kind, id, revision) in revisions {
            if kind != Kind::Distribution {
                continue;
            }
            let etag = fourfront_store::etag(&kind, &id, revision);
            if told["distribution"] == *id && told.get("policy").is_some() {
                told["etag"] = json!(etag);
            } else if told["staging"]["id"] == *id {
                told["staging"]["etag"] = json!(etag);
            }
        }
        Ok((worked_out, told))
    }

    /// Gives the staging distribution what a project has for the distribution `id`, which goes on as it is: new versions of its
    /// functions, and a configuration that names them. No release is made; what is promoted is in the next one.
    fn try_out(&self, id: &str, deploy: &Deploy, caller: &Caller) -> Result<Value, ApiError> {
        let objects = self.fetched(apply::objects(&deploy.plan), caller);
        let (applied, mut told) = self.staged(id, caller, |tx| {
            tx.objects = objects.clone();
            if deploy.prune || !deploy.message.is_empty() {
                return Err(ApiError::new(
                    400,
                    "InvalidArgument",
                    "what is tried out is no release: it has no message, and removes nothing",
                ));
            }
            let stage = Stage::of(tx, id)?;
            let staging = stage.staging()?.id.clone();
            let staged = Staged {
                primary: id,
                staging: &staging,
            };
            apply::apply(tx, &deploy.plan, &deploy.artifacts, false, Some(staged))
        })?;
        told["stack"] = json!(deploy.plan.stack);
        told["steps"] = json!(applied.steps);
        told["notes"] = json!(deploy.plan.notes);
        Ok(told)
    }

    /// How the gradual rollout of a distribution stands.
    fn stage(&self, id: &str, caller: &Caller) -> Result<Value, ApiError> {
        let loads = Loads::default();
        let tx = Tx::new(self.around(caller, &loads));
        Ok(Stage::of(&tx, id)?.told())
    }
}

/// What belongs together.
struct Stage {
    primary: Stored<DistributionDocument>,
    policy: Stored<FamilyDocument>,
    /// `None` when the policy names none that is there.
    staging: Option<Stored<DistributionDocument>>,
}

impl Stage {
    fn of(tx: &Tx<'_>, id: &str) -> Result<Self, ApiError> {
        let primary = primary(tx, id)?;
        let policy = policy_of(&primary.body);
        let found = match policy {
            "" => None,
            policy => tx.get::<FamilyDocument>(&Kind::ContinuousDeploymentPolicy, policy)?,
        };
        let Some(policy) = found else {
            return Err(ApiError::new(
                404,
                "NoSuchStage",
                format!("nothing is staged of the distribution {id}"),
            ));
        };
        if let Some(other) = cloudfront::other_of_policy(tx, Some(id), &policy.id)? {
            return Err(ApiError::cloudfront(
                "ContinuousDeploymentPolicyInUse",
                format!(
                    "the policy {} is the distribution's {other}, too",
                    policy.id
                ),
            ));
        }
        let name = policy.body.config["StagingDistributionDnsNames"]["Items"][0]
            .as_str()
            .unwrap_or_default();
        let mut all = tx
            .list::<DistributionDocument>(&Kind::Distribution)?
            .into_iter();
        let staging = all.find(|d| d.body.is_staging() && d.body.domain_name == name);
        Ok(Self {
            primary,
            policy,
            staging,
        })
    }

    /// As [`Self::of`], for a change: of the staging distribution too, so that who has the primary alone changes no other that
    /// its policy happens to name. A copy of the primary is the primary's.
    fn changed(tx: &Tx<'_>, id: &str) -> Result<Self, ApiError> {
        let stage = Self::of(tx, id)?;
        if let Some(staging) = &stage.staging
            && staging.body.copy_of.as_deref() != Some(id)
        {
            tx.caller
                .may_change(tx.store, Resource::Distribution(&staging.id))?;
        }
        Ok(stage)
    }

    /// How it stands.
    fn told(&self) -> Value {
        let config = &self.policy.body.config;
        let shown = |d: &Stored<DistributionDocument>| {
            json!({
                "id": d.id,
                "domain_name": d.body.domain_name,
                "enabled": d.body.is_enabled(),
                "etag": d.etag(&Kind::Distribution),
            })
        };
        json!({
            "distribution": self.primary.id,
            "etag": self.primary.etag(&Kind::Distribution),
            "policy": self.policy.id,
            "enabled": config["Enabled"],
            "traffic": told_traffic(&config["TrafficConfig"]),
            "staging": self.staging.as_ref().map(shown),
        })
    }

    fn staging(&self) -> Result<&Stored<DistributionDocument>, ApiError> {
        self.staging.as_ref().ok_or_else(|| {
            ApiError::new(
                409,
                "NoSuchStage",
                format!(
                    "the policy {} names no staging distribution that is there",
                    self.policy.id
                ),
            )
        })
    }
}

fn primary(tx: &Tx<'_>, id: &str) -> Result<Stored<DistributionDocument>, ApiError> {
    let found = tx.get::<DistributionDocument>(&Kind::Distribution, id)?;
    found.ok_or_else(|| {
        let message = match tx.serves_distribution(id) {
            true => format!("the distribution {id} stands in the site file, and is changed there"),
            false => format!("there is no distribution {id}"),
        };
        ApiError::new(404, "NoSuchDistribution", message)
    })
}

fn policy_of(primary: &DistributionDocument) -> &str {
    primary.config["ContinuousDeploymentPolicyId"]
        .as_str()
        .unwrap_or_default()
}

fn call(tx: &mut Tx<'_>, operation: &str, input: &Value) -> Result<Value, ApiError> {
    work_out(tx, Service::CloudFront, operation, input).map(|output| output.value)
}

/// Copies the distribution, makes a policy, and ties the two together.
fn create(tx: &mut Tx<'_>, id: &str, asked: &Asked) -> Result<(), ApiError> {
    let primary = primary(tx, id)?;
    if !policy_of(&primary.body).is_empty() {
        return Err(ApiError::new(
            409,
            "StageExists",
            format!("something is staged of the distribution {id} already: promote or drop it"),
        ));
    }
    let etag = primary.etag(&Kind::Distribution);
    let copy = json!({
        "PrimaryDistributionId": id,
        "Staging": true,
        "IfMatch": etag,
        "CallerReference": super::arn::uuid(),
        "Enabled": true,
    });
    let copied = call(tx, "CopyDistribution", &copy)?;
    let config = json!({
        "StagingDistributionDnsNames": {
            "Quantity": 1,
            "Items": [copied["Distribution"]["DomainName"]],
        },
        "Enabled": asked.enabled.unwrap_or(true),
        "TrafficConfig": traffic_config(asked)?.unwrap_or_else(|| by_header(HEADER.0, HEADER.1)),
    });
    let input = json!({ "ContinuousDeploymentPolicyConfig": config });
    let made = call(tx, "CreateContinuousDeploymentPolicy", &input)?;
    let mut config = primary.body.config.clone();
    config["ContinuousDeploymentPolicyId"] = made["ContinuousDeploymentPolicy"]["Id"].clone();
    let input = json!({ "Id": id, "IfMatch": etag, "DistributionConfig": config });
    call(tx, "UpdateDistribution", &input).map(|_| ())
}

/// Sends other requests to the staging distribution.
fn traffic(tx: &mut Tx<'_>, id: &str, asked: &Asked) -> Result<(), ApiError> {
    let stage = Stage::changed(tx, id)?;
    let mut config = stage.policy.body.config.clone();
    match traffic_config(asked)? {
        Some(traffic) => config["TrafficConfig"] = traffic,
        None if asked.enabled.is_none() => {
            return Err(ApiError::new(
                400,
                "InvalidArgument",
                "say which requests: `weight`, `header`, or `enabled`",
            ));
        }
        None => {}
    }
    // Who says which requests wants them sent.
    config["Enabled"] = json!(asked.enabled.unwrap_or(true));
    let input = json!({
        "Id": stage.policy.id,
        "IfMatch": stage.policy.etag(&Kind::ContinuousDeploymentPolicy),
        "ContinuousDeploymentPolicyConfig": config,
    });
    call(tx, "UpdateContinuousDeploymentPolicy", &input).map(|_| ())
}

/// Lets the primary serve what was tried out. The staging distribution stays, and gets no requests until it is told to.
fn promote(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let stage = Stage::changed(tx, id)?;
    let staging = stage.staging()?;
    let both = [&stage.primary, staging].map(|d| d.etag(&Kind::Distribution));
    let input = json!({
        "Id": id,
        "StagingDistributionId": staging.id,
        "IfMatch": both.join(", "),
    });
    call(tx, "UpdateDistributionWithStagingConfig", &input).map(|_| ())
}

/// Takes away what `create` has made. The primary goes on as it is.
fn discard(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let stage = Stage::changed(tx, id)?;
    let mut primary = stage.primary.body.clone();
    primary.config["ContinuousDeploymentPolicyId"] = json!("");
    primary.modified = tx.caller.now;
    tx.put(Kind::Distribution, id, &primary)?;
    tx.delete(Kind::ContinuousDeploymentPolicy, &stage.policy.id);
    if let Some(staging) = stage.staging {
        tx.delete(Kind::Distribution, &staging.id);
    }
    Ok(())
}

fn by_header(name: &str, value: &str) -> Value {
    json!({
        "Type": "SingleHeader",
        "SingleHeaderConfig": { "Header": name, "Value": value },
    })
}

/// `TrafficConfig`, where anything is said about it.
fn traffic_config(asked: &Asked) -> Result<Option<Value>, ApiError> {
    let invalid = |message: &str| Err(ApiError::new(400, "InvalidArgument", message));
    match (asked.weight, &asked.header, &asked.sessions) {
        (Some(_), Some(_), _) => invalid("`weight` or `header`: a policy goes by one of them"),
        (None, _, Some(_)) => invalid("`sessions` belong to a `weight`"),
        (None, Some(header), None) => Ok(Some(by_header(&header.name, &header.value))),
        (None, None, None) => Ok(None),
        (Some(weight), None, sessions) => {
            let mut config = json!({ "Weight": weight });
            if let Some(sessions) = sessions {
                config["SessionStickinessConfig"] =
                    json!({ "IdleTTL": sessions.idle, "MaximumTTL": sessions.maximum });
            }
            Ok(Some(
                json!({ "Type": "SingleWeight", "SingleWeightConfig": config }),
            ))
        }
    }
}

/// `TrafficConfig` as this API says it.
fn told_traffic(config: &Value) -> Value {
    match config["Type"].as_str() {
        Some("SingleWeight") => {
            let weight = &config["SingleWeightConfig"];
            let mut told = json!({ "weight": weight["Weight"] });
            let sessions = &weight["SessionStickinessConfig"];
            if sessions.is_object() {
                told["sessions"] =
                    json!({ "idle": sessions["IdleTTL"], "maximum": sessions["MaximumTTL"] });
            }
            told
        }
        Some("SingleHeader") => {
            let header = &config["SingleHeaderConfig"];
            json!({ "header": { "name": header["Header"], "value": header["Value"] } })
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests;
