//! Distributions: made, changed, told of, deleted (CP-110..123).

use std::collections::{BTreeMap, BTreeSet};

use fourfront_store::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FamilyDocument, check_match, family, listed, tagging, text};
use crate::api::{
    ApiError,
    arn::{domain_label, letter_id},
    associations, rules, time,
    tx::{Output, Stored, Tx},
};

/// A distribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DistributionDocument {
    /// `DistributionConfig` as it was sent.
    pub(crate) config: Value,
    pub(crate) domain_name: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// What a deployed site file says of it that the API has no member for ([`crate::CARRIED`]). The API changes nothing of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) settings: BTreeMap<String, Value>,
    /// The distribution that this was made of as its staging distribution, which who may change that may promote, send requests
    /// to, and drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) copy_of: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
}

impl DistributionDocument {
    /// The configuration with every container in it (CP-112).
    fn normal(&self) -> Value {
        let mut config = self.config.clone();
        fourfront_aws::normal::distribution(&mut config);
        config
    }

    pub(crate) fn is_staging(&self) -> bool {
        self.config["Staging"] == json!(true)
    }

    fn caller_reference(&self) -> &str {
        text(&self.config, "CallerReference")
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.config["Enabled"] == json!(true)
    }
}

/// `CreateDistribution`, `CreateDistributionWithTags`.
pub(super) fn create(
    tx: &mut Tx<'_>,
    config: &Value,
    tags: Option<&Value>,
) -> Result<Output, ApiError> {
    let tags = tags.map(tagging::read).transpose()?.unwrap_or_default();
    make(tx, config, tags, BTreeMap::new(), None)
}

/// A new distribution.
fn make(
    tx: &mut Tx<'_>,
    config: &Value,
    tags: BTreeMap<String, String>,
    settings: BTreeMap<String, Value>,
    copy_of: Option<String>,
) -> Result<Output, ApiError> {
    let all = tx.list::<DistributionDocument>(&Kind::Distribution)?;
    let reference = text(config, "CallerReference");
    if let Some(other) = all.iter().find(|d| d.body.caller_reference() == reference) {
        // CP-111
        return Err(ApiError::cloudfront(
            "DistributionAlreadyExists",
            format!(
                "The caller reference that you are using to create a distribution is associated with another distribution. Already exists: {}",
                other.id
            ),
        ));
    }
    let id = match tags.get(tagging::ID) {
        Some(id) => fixed_id(id, &all)?,
        None => letter_id('E'),
    };
    let document = DistributionDocument {
        config: config.clone(),
        domain_name: tx.settings.account.domain(&domain_label()),
        tags,
        settings,
        copy_of,
        modified: tx.caller.now,
    };
    rules::one_more(tx, &Kind::Distribution)?;
    check(tx, None, &document)?;
    tx.put(Kind::Distribution, &id, &document)?;
    created(tx, &id, &document)
}

/// CP-049.
fn fixed_id(id: &str, all: &[Stored<DistributionDocument>]) -> Result<String, ApiError> {
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(named) {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!(
                "the tag {} gives `{id}`, and an id is 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_` (CP-049)",
                tagging::ID
            ),
        ));
    }
    match all.iter().any(|d| d.id == id) {
        true => Err(ApiError::cloudfront(
            "DistributionAlreadyExists",
            format!(
                "the tag {} gives the id of another distribution: {id}",
                tagging::ID
            ),
        )),
        false => Ok(id.to_owned()),
    }
}

fn created(tx: &Tx<'_>, id: &str, document: &DistributionDocument) -> Result<Output, ApiError> {
    let value = json!({
        "Distribution": shown(tx, id, document)?,
        "Location": format!("{}/2020-05-31/distribution/{id}", tx.origin()),
    });
    Ok(Output::tagged(value, Kind::Distribution, id))
}

/// Holds a configuration against what only the API knows; the rest is judged when it is made ready to serve, by the same code
/// as a site file (CP-118).
fn check(tx: &Tx<'_>, id: Option<&str>, document: &DistributionDocument) -> Result<(), ApiError> {
    let config = &document.config;
    let defaults = [
        ("CallerReference", "a caller reference"),
        ("Origins", "origins"),
        ("DefaultCacheBehavior", "a default cache behavior"),
        ("Enabled", "whether it is enabled"),
        ("Comment", "a comment, which may be empty"),
    ];
    for (member, what) in defaults {
        if config.get(member).is_none() {
            return Err(ApiError::cloudfront(
                "InvalidArgument",
                format!("DistributionConfig has no {member}: give {what}"),
            ));
        }
    }
    for (place, behavior) in associations::behaviors(config) {
        check_policy_or_legacy(&place, behavior)?;
    }
    rules::distribution(tx, id, config)?;
    associations::check(tx, config)?;
    if let Some(policy) = config["ContinuousDeploymentPolicyId"]
        .as_str()
        .filter(|p| !p.is_empty())
    {
        let found: Option<Stored<FamilyDocument>> =
            tx.get(&Kind::ContinuousDeploymentPolicy, policy)?;
        if found.is_none() {
            return Err(ApiError::cloudfront(
                "NoSuchContinuousDeploymentPolicy",
                format!("there is no continuous deployment policy {policy}"),
            ));
        }
        if document.is_staging() {
            return Err(ApiError::cloudfront(
                "InvalidArgument",
                "ContinuousDeploymentPolicyId: a staging distribution has no continuous deployment policy of its own",
            ));
        }
        if let Some(other) = other_of_policy(tx, id, policy)? {
            return Err(ApiError::cloudfront(
                "ContinuousDeploymentPolicyInUse",
                format!(
                    "the continuous deployment policy {policy} is that of the distribution {other}"
                ),
            ));
        }
    }
    let has_aliases = config["Aliases"]["Items"]
        .as_array()
        .is_some_and(|a| !a.is_empty());
    if document.is_staging() && has_aliases {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            "Aliases: a staging distribution has none (CP-122)",
        ));
    }
    Ok(())
}

/// Another distribution than `id` that goes by a continuous deployment policy. Who may change the one would change the other.
pub(crate) fn other_of_policy(
    tx: &Tx<'_>,
    id: Option<&str>,
    policy: &str,
) -> Result<Option<String>, ApiError> {
    let all = tx.list::<DistributionDocument>(&Kind::Distribution)?;
    let mut all = all.into_iter();
    let other = all.find(|d| {
        Some(d.id.as_str()) != id && text(&d.body.config, "ContinuousDeploymentPolicyId") == policy
    });
    Ok(other.map(|other| other.id))
}

/// CP-119.
fn check_policy_or_legacy(place: &str, behavior: &Value) -> Result<(), ApiError> {
    let policy = behavior["CachePolicyId"]
        .as_str()
        .is_some_and(|p| !p.is_empty());
    let legacy: Vec<&str> = ["ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"]
        .into_iter()
        .filter(|member| behavior.get(*member).is_some())
        .collect();
    match (policy, legacy.as_slice()) {
        (true, [first, ..]) => Err(ApiError::cloudfront(
            "InvalidArgument",
            format!(
                "The parameter {first} cannot be used when a cache policy is associated to the cache behavior: {place}."
            ),
        )),
        (false, members) if !members.contains(&"ForwardedValues") => Err(ApiError::cloudfront(
            "InvalidArgument",
            format!(
                "The parameter ForwardedValues is required: {place} has neither CachePolicyId nor ForwardedValues."
            ),
        )),
        _ => Ok(()),
    }
}

fn existing(tx: &Tx<'_>, id: &str) -> Result<Stored<DistributionDocument>, ApiError> {
    let found = tx.get(&Kind::Distribution, id)?;
    found.ok_or_else(|| {
        ApiError::cloudfront(
            "NoSuchDistribution",
            "The specified distribution does not exist.",
        )
    })
}

/// `GetDistribution`.
pub(super) fn get(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "Id");
    let found = existing(tx, id)?;
    let value = json!({ "Distribution": shown(tx, id, &found.body)? });
    Ok(Output::tagged(value, Kind::Distribution, id))
}

/// `GetDistributionConfig`.
pub(super) fn get_config(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "Id");
    let found = existing(tx, id)?;
    let value = json!({ "DistributionConfig": found.body.normal() });
    Ok(Output::tagged(value, Kind::Distribution, id))
}

/// `UpdateDistribution` (CP-110).
pub(super) fn update(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "Id");
    let found = existing(tx, id)?;
    check_match(input, &found.etag(&Kind::Distribution))?;
    let config = &input["DistributionConfig"];
    if text(config, "CallerReference") != found.body.caller_reference() {
        return Err(ApiError::cloudfront(
            "IllegalUpdate",
            "The caller reference of a distribution cannot be changed.",
        ));
    }
    let is_staging = config["Staging"] == json!(true);
    if is_staging != found.body.is_staging() {
        return Err(ApiError::cloudfront(
            "IllegalUpdate",
            "Staging: whether a distribution is a staging distribution cannot be changed.",
        ));
    }
    let document = DistributionDocument {
        config: config.clone(),
        modified: tx.caller.now,
        ..found.body
    };
    check(tx, Some(id), &document)?;
    tx.put(Kind::Distribution, id, &document)?;
    let value = json!({ "Distribution": shown(tx, id, &document)? });
    Ok(Output::tagged(value, Kind::Distribution, id))
}

/// `DeleteDistribution` (CP-115).
pub(super) fn delete(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "Id");
    let found = existing(tx, id)?;
    check_match(input, &found.etag(&Kind::Distribution))?;
    if found.body.is_enabled() {
        return Err(ApiError::cloudfront(
            "DistributionNotDisabled",
            "The distribution you are trying to delete has not been disabled.",
        ));
    }
    unused(tx, &found)?;
    tx.delete(Kind::Distribution, id);
    Ok(Output::plain(json!({})))
}

/// Deletes a distribution whether it is enabled or not. Not of CloudFront's API.
pub(crate) fn discard(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let found = existing(tx, id)?;
    unused(tx, &found)?;
    tx.delete(Kind::Distribution, id);
    Ok(())
}

fn unused(tx: &Tx<'_>, found: &Stored<DistributionDocument>) -> Result<(), ApiError> {
    if let Some(policy) = staged_by(tx, &found.body.domain_name)? {
        let id = &found.id;
        return Err(ApiError::cloudfront(
            "ResourceInUse",
            format!("Cannot delete {id}: the continuous deployment policy {policy} names it."),
        ));
    }
    Ok(())
}

/// The continuous deployment policy that sends requests to a staging distribution, if there is one. It would be left with the
/// name of nothing.
fn staged_by(tx: &Tx<'_>, domain: &str) -> Result<Option<String>, ApiError> {
    let policies = tx.list::<FamilyDocument>(&Kind::ContinuousDeploymentPolicy)?;
    let names =
        |p: &Stored<FamilyDocument>| family::staging_names(&p.body.config).any(|n| n == domain);
    Ok(policies.into_iter().find(names).map(|p| p.id))
}

/// `ListDistributions`.
pub(super) fn list(tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let mut all = Vec::new();
    for found in tx.list::<DistributionDocument>(&Kind::Distribution)? {
        all.push((found.id.clone(), summary(tx, &found)?));
    }
    let list = listed(tx, "ListDistributions", all, input)?;
    Ok(Output::plain(json!({ "DistributionList": list })))
}

/// `CopyDistribution` (CP-122).
pub(super) fn copy(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let primary = existing(tx, text(input, "PrimaryDistributionId"))?;
    check_match(input, &primary.etag(&Kind::Distribution))?;
    if input["Staging"] != json!(true) {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            "Staging: a distribution can be copied as a staging distribution alone, with `Staging: true`",
        ));
    }
    let mut config = primary.body.config.clone();
    config["CallerReference"] = input["CallerReference"].clone();
    config["Staging"] = json!(true);
    config["Aliases"] = json!({ "Quantity": 0 });
    config["ContinuousDeploymentPolicyId"] = json!("");
    if let Some(enabled) = input.get("Enabled") {
        config["Enabled"] = enabled.clone();
    }
    // What the API has no member for is copied, too: to promote the copy would take it from the primary.
    make(
        tx,
        &config,
        BTreeMap::new(),
        primary.body.settings,
        Some(primary.id),
    )
}

/// `UpdateDistributionWithStagingConfig`: what is tried out becomes what is served, and the policy is disabled: every request
/// is the primary's again (CP-122).
pub(super) fn promote(tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
    let id = text(input, "Id");
    let primary = existing(tx, id)?;
    let staging_id = text(input, "StagingDistributionId");
    let staging = existing(tx, staging_id)?;
    // `If-Match` has both ETags, the primary's first.
    let given = text(input, "IfMatch");
    let (first, second) = given.split_once(',').unwrap_or((given, ""));
    check_match(
        &json!({ "IfMatch": first }),
        &primary.etag(&Kind::Distribution),
    )?;
    check_match(
        &json!({ "IfMatch": second }),
        &staging.etag(&Kind::Distribution),
    )?;
    if !staging.body.is_staging() {
        return Err(ApiError::cloudfront(
            "InvalidArgument",
            format!("StagingDistributionId: {staging_id} is no staging distribution"),
        ));
    }
    let mut config = staging.body.config.clone();
    for member in [
        "Aliases",
        "CallerReference",
        "ContinuousDeploymentPolicyId",
        "Staging",
    ] {
        match primary.body.config.get(member) {
            Some(value) => config[member] = value.clone(),
            None => {
                if let Some(members) = config.as_object_mut() {
                    members.remove(member);
                }
            }
        }
    }
    let document = DistributionDocument {
        config,
        // They were tried out with the rest.
        settings: staging.body.settings,
        modified: tx.caller.now,
        ..primary.body
    };
    check(tx, Some(id), &document)?;
    tx.put(Kind::Distribution, id, &document)?;
    disable_policy(tx, text(&document.config, "ContinuousDeploymentPolicyId"))?;
    let value = json!({ "Distribution": shown(tx, id, &document)? });
    Ok(Output::tagged(value, Kind::Distribution, id))
}

fn disable_policy(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let kind = Kind::ContinuousDeploymentPolicy;
    let found: Option<Stored<FamilyDocument>> = match id {
        "" => None,
        id => tx.get(&kind, id)?,
    };
    if let Some(found) = found.filter(|p| p.body.config["Enabled"] == json!(true)) {
        let mut policy = found.body;
        policy.config["Enabled"] = json!(false);
        policy.modified = tx.caller.now;
        tx.put(kind, id, &policy)?;
    }
    Ok(())
}

/// `Distribution` (CP-113).
fn shown(tx: &Tx<'_>, id: &str, document: &DistributionDocument) -> Result<Value, ApiError> {
    let groups = active_groups(tx, &document.config)?;
    Ok(json!({
        "Id": id,
        "ARN": tx.settings.account.cloudfront(&format!("distribution/{id}")),
        // A single node has applied it before it answers (CP-114).
        "Status": "Deployed",
        "LastModifiedTime": time::iso(document.modified),
        "InProgressInvalidationBatches": 0,
        "DomainName": document.domain_name,
        "ActiveTrustedSigners": { "Enabled": false, "Quantity": 0 },
        "ActiveTrustedKeyGroups": groups,
        "DistributionConfig": document.normal(),
    }))
}

/// The key groups that the behaviours trust, with the ids of their keys.
fn active_groups(tx: &Tx<'_>, config: &Value) -> Result<Value, ApiError> {
    let mut ids = BTreeSet::new();
    for (_, behavior) in associations::behaviors(config) {
        let groups = behavior["TrustedKeyGroups"]["Items"].as_array();
        ids.extend(groups.into_iter().flatten().filter_map(Value::as_str));
    }
    let mut items = Vec::new();
    for id in ids {
        let group: Option<Stored<FamilyDocument>> = tx.get(&Kind::KeyGroup, id)?;
        let Some(group) = group else { continue };
        let keys = group.body.config["Items"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        items.push(json!({
            "KeyGroupId": id,
            "KeyPairIds": { "Quantity": keys.len(), "Items": keys },
        }));
    }
    let mut groups = json!({ "Enabled": !items.is_empty(), "Quantity": items.len() });
    if !items.is_empty() {
        groups["Items"] = json!(items);
    }
    Ok(groups)
}

/// `DistributionSummary` (CP-113).
fn summary(tx: &Tx<'_>, found: &Stored<DistributionDocument>) -> Result<Value, ApiError> {
    let document = &found.body;
    let config = document.normal();
    let mut summary = json!({
        "Id": found.id,
        "ARN": tx.settings.account.cloudfront(&format!("distribution/{}", found.id)),
        "ETag": found.etag(&Kind::Distribution),
        "Status": "Deployed",
        "LastModifiedTime": time::iso(document.modified),
        "DomainName": document.domain_name,
    });
    for member in [
        "Aliases",
        "Origins",
        "OriginGroups",
        "DefaultCacheBehavior",
        "CacheBehaviors",
        "CustomErrorResponses",
        "Comment",
        "PriceClass",
        "Enabled",
        "ViewerCertificate",
        "Restrictions",
        "WebACLId",
        "HttpVersion",
        "IsIPV6Enabled",
        "Staging",
    ] {
        if let Some(value) = config.get(member) {
            summary[member] = value.clone();
        }
    }
    Ok(summary)
}
