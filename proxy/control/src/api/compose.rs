//! From documents to what is served: the entries that stand beside the site file's (CP-505).
//!
//! Distributions bring what they name: versions of functions, published CloudFront Functions and their stores. What nobody
//! names is not loaded. A document that does not fit any more keeps the whole from being served, which is why a call is
//! answered only after this has succeeded with what the call would write.

use std::collections::{BTreeMap, BTreeSet};

use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{
    ApiError, associations,
    cloudfront::{DistributionDocument, FamilyDocument, FunctionDocument, StoreDocument},
    lambda::{FunctionRef, LambdaFunction, Version, version_id},
    tx::{Stored, Tx},
    wire,
};
use crate::{CARRIED, Deployed, Deployment, Part};

/// What is served when the call is done.
pub(crate) fn deployment(tx: &Tx<'_>) -> Result<Deployment, ApiError> {
    let mut deployment = Deployment {
        data_dir: tx.settings.data_dir.clone(),
        ..Deployment::default()
    };
    let distributions = tx.list::<DistributionDocument>(&Kind::Distribution)?;
    let mut lambda = BTreeSet::new();
    let mut cloudfront = BTreeSet::new();
    for distribution in &distributions {
        for (_, behavior) in associations::behaviors(&distribution.body.config) {
            lambda.extend(
                associations::lambda_of(behavior)
                    .iter()
                    .map(|a| a.arn.to_owned()),
            );
            cloudfront.extend(
                associations::cloudfront_of(behavior)
                    .iter()
                    .map(|a| a.arn.to_owned()),
            );
        }
    }
    for arn in &lambda {
        deployment.entries.extend(version(tx, arn)?);
    }
    let stores = tx.list::<StoreDocument>(&Kind::KeyValueStore)?;
    for function in tx.list::<FunctionDocument>(&Kind::CloudfrontFunction)? {
        let arn = tx
            .settings
            .account
            .cloudfront(&format!("function/{}", function.id));
        if cloudfront.contains(&arn) {
            deployment
                .entries
                .extend(cloudfront_function(tx, &arn, &function, &stores));
        }
    }
    deployment.stores.extend(
        stores
            .iter()
            .map(|s| tx.stores.of(tx.store, &s.id, &s.body)),
    );
    keys(tx, &mut deployment)?;
    access_controls(tx, &distributions, &mut deployment)?;
    for (kind, part) in [
        (Kind::CachePolicy, Part::CachePolicies),
        (Kind::OriginRequestPolicy, Part::OriginRequestPolicies),
        (Kind::ResponseHeadersPolicy, Part::ResponseHeadersPolicies),
    ] {
        for policy in tx.list::<FamilyDocument>(&kind)? {
            deployment.entries.push(Deployed {
                part,
                label: format!("{kind} {}", policy.id),
                settings: json!({ "id": policy.id }),
                key: policy.id,
                document: Some(policy.body.config),
            });
        }
    }
    for policy in tx.list::<FamilyDocument>(&Kind::ContinuousDeploymentPolicy)? {
        deployment.entries.push(Deployed {
            part: Part::ContinuousDeploymentPolicies,
            label: format!("continuous deployment policy {}", policy.id),
            settings: json!({ "id": policy.id, "sessions_since": policy.body.sessions_since }),
            key: policy.id,
            document: Some(policy.body.config),
        });
    }
    for distribution in distributions {
        let Stored { id, body, .. } = distribution;
        deployment.entries.push(Deployed {
            part: Part::Distributions,
            label: format!("distribution {id}"),
            settings: with_carried(
                json!({ "id": id, "domain_name": body.domain_name, "default": false }),
                &body.settings,
            ),
            key: id,
            document: Some(wire::acted_on(&body.config)),
        });
    }
    Ok(deployment)
}

/// The version of a function that an ARN names, if it is there; if not, the distribution is at fault and is told so.
fn version(tx: &Tx<'_>, arn: &str) -> Result<Option<Deployed>, ApiError> {
    let Ok(reference) = FunctionRef::parse(arn, &tx.settings.account) else {
        return Ok(None);
    };
    let number = reference
        .qualifier
        .as_deref()
        .and_then(|q| q.parse::<u32>().ok());
    let Some(number) = number else {
        return Ok(None);
    };
    let id = version_id(&reference.name, number);
    let Some(version) = tx.get::<Version>(&Kind::LambdaVersion, &id)? else {
        return Ok(None);
    };
    let concurrency = tx
        .get::<LambdaFunction>(&Kind::Lambda, &reference.name)?
        .and_then(|f| f.body.concurrency);
    let code = version.body.code;
    let zip = tx.blob_path(&code.sha256).unwrap_or_default();
    let member = |name: &str| code.config.get(name).cloned().unwrap_or(Value::Null);
    let mut settings = json!({
        "name": reference.name,
        "version": number,
        "zip": zip,
        "handler": member("Handler"),
        "arn": arn,
        "timeout": code.config.get("Timeout").cloned().unwrap_or_else(|| json!(3)),
        "memory": code.config.get("MemorySize").cloned().unwrap_or_else(|| json!(128)),
    });
    let variables = member("Environment")["Variables"].clone();
    if variables.as_object().is_some_and(|v| !v.is_empty()) {
        settings["environment"] = variables;
    }
    if let Some(most) = concurrency {
        settings["concurrency"] = json!(most);
    }
    Ok(Some(Deployed {
        part: Part::Functions,
        key: id.clone(),
        label: format!("function {id}"),
        settings,
        document: None,
    }))
}

/// The published stage of a CloudFront Function (CP-133).
fn cloudfront_function(
    tx: &Tx<'_>,
    arn: &str,
    function: &Stored<FunctionDocument>,
    stores: &[Stored<StoreDocument>],
) -> Option<Deployed> {
    let live = function.body.live.as_ref()?;
    let mut settings = json!({
        "file": tx.blob_path(&live.sha256)?,
        "runtime": live.config["Runtime"],
        "arn": arn,
    });
    let store = live.store().and_then(|arn| {
        let mut stores = stores.iter();
        stores.find(|s| s.body.arn(&tx.settings.account) == arn)
    });
    if let Some(store) = store {
        settings["store"] = json!(store.id);
    }
    Some(Deployed {
        part: Part::CloudFrontFunctions,
        key: function.id.clone(),
        label: format!("CloudFront Function {}", function.id),
        settings,
        document: None,
    })
}

/// Settings with those of a site file that the document has beside it.
fn with_carried(mut settings: Value, carried: &BTreeMap<String, Value>) -> Value {
    for (name, value) in carried {
        // Whatever else wrote it, nothing but these reaches the loader.
        if CARRIED.contains(&name.as_str()) {
            settings[name] = value.clone();
        }
    }
    settings
}

fn keys(tx: &Tx<'_>, deployment: &mut Deployment) -> Result<(), ApiError> {
    for key in tx.list::<FamilyDocument>(&Kind::PublicKey)? {
        deployment.entries.push(Deployed {
            part: Part::PublicKeys,
            label: format!("public key {}", key.id),
            settings: json!({ "id": key.id, "encoded_key": key.body.config["EncodedKey"] }),
            key: key.id,
            document: None,
        });
    }
    for group in tx.list::<FamilyDocument>(&Kind::KeyGroup)? {
        deployment.entries.push(Deployed {
            part: Part::KeyGroups,
            label: format!("key group {}", group.id),
            settings: json!({ "id": group.id, "keys": group.body.config["Items"] }),
            key: group.id,
            document: None,
        });
    }
    Ok(())
}

/// The access controls that origins name.
fn access_controls(
    tx: &Tx<'_>,
    distributions: &[Stored<DistributionDocument>],
    deployment: &mut Deployment,
) -> Result<(), ApiError> {
    let origins = distributions.iter().flat_map(|d| {
        d.body.config["Origins"]["Items"]
            .as_array()
            .into_iter()
            .flatten()
    });
    let named: BTreeSet<&str> = origins
        .filter_map(|origin| origin["OriginAccessControlId"].as_str())
        .collect();
    for control in tx.list::<FamilyDocument>(&Kind::OriginAccessControl)? {
        if !named.contains(control.id.as_str()) {
            continue;
        }
        let config = &control.body.config;
        deployment.entries.push(Deployed {
            part: Part::OriginAccessControls,
            label: format!("origin access control {}", control.id),
            settings: json!({
                "signing_behavior": config["SigningBehavior"],
                "signing_protocol": config["SigningProtocol"],
                "origin_access_control_origin_type": config["OriginAccessControlOriginType"],
            }),
            key: control.id.clone(),
            document: None,
        });
    }
    Ok(())
}
