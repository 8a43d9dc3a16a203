//! What CloudFront's API keeps in families of six operations of one shape: policies, access controls, keys (CP section 3.2).

use fourfront_store::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DistributionDocument, check_match, listed, managed, text};
use crate::api::{
    ApiError,
    arn::{letter_id, uuid},
    associations, rules, time,
    tx::{Output, Stored, Tx},
};

/// One family.
pub(super) struct Family {
    /// Of its documents.
    kind: Kind,
    /// `CachePolicy`: operations, members and errors are named after it.
    name: &'static str,
    /// `CachePolicyConfig`.
    config: &'static str,
    /// `CachePolicyList`.
    list: &'static str,
    /// What names one in a list's items, where those are not flat.
    item: Option<&'static str>,
    /// What a configuration calls its name; `None` for those without one.
    named_by: Option<&'static str>,
    path: &'static str,
    missing: &'static str,
    exists: &'static str,
    in_use: &'static str,
    ids: fn() -> String,
    /// When it was made or changed, as members say it.
    time: Option<&'static str>,
}

/// A member of a family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FamilyDocument {
    /// The configuration as it was sent.
    pub(crate) config: Value,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
    /// Likewise.
    pub(crate) created: u64,
    /// Likewise; of a continuous deployment policy, when its sessions were last begun anew (CF-454).
    #[serde(default, skip_serializing_if = "is_never")]
    pub(crate) sessions_since: u64,
}

const fn is_never(time: &u64) -> bool {
    *time == 0
}

/// All families.
const FAMILIES: &[Family] = &[
    Family {
        kind: Kind::CachePolicy,
        name: "CachePolicy",
        config: "CachePolicyConfig",
        list: "CachePolicyList",
        item: Some("CachePolicy"),
        named_by: Some("Name"),
        path: "cache-policy",
        missing: "NoSuchCachePolicy",
        exists: "CachePolicyAlreadyExists",
        in_use: "CachePolicyInUse",
        ids: uuid,
        time: Some("LastModifiedTime"),
    },
    Family {
        kind: Kind::OriginRequestPolicy,
        name: "OriginRequestPolicy",
        config: "OriginRequestPolicyConfig",
        list: "OriginRequestPolicyList",
        item: Some("OriginRequestPolicy"),
        named_by: Some("Name"),
        path: "origin-request-policy",
        missing: "NoSuchOriginRequestPolicy",
        exists: "OriginRequestPolicyAlreadyExists",
        in_use: "OriginRequestPolicyInUse",
        ids: uuid,
        time: Some("LastModifiedTime"),
    },
    Family {
        kind: Kind::ResponseHeadersPolicy,
        name: "ResponseHeadersPolicy",
        config: "ResponseHeadersPolicyConfig",
        list: "ResponseHeadersPolicyList",
        item: Some("ResponseHeadersPolicy"),
        named_by: Some("Name"),
        path: "response-headers-policy",
        missing: "NoSuchResponseHeadersPolicy",
        exists: "ResponseHeadersPolicyAlreadyExists",
        in_use: "ResponseHeadersPolicyInUse",
        ids: uuid,
        time: Some("LastModifiedTime"),
    },
    Family {
        kind: Kind::OriginAccessControl,
        name: "OriginAccessControl",
        config: "OriginAccessControlConfig",
        list: "OriginAccessControlList",
        item: None,
        named_by: Some("Name"),
        path: "origin-access-control",
        missing: "NoSuchOriginAccessControl",
        exists: "OriginAccessControlAlreadyExists",
        in_use: "OriginAccessControlInUse",
        ids: || letter_id('E'),
        time: None,
    },
    Family {
        kind: Kind::OriginAccessIdentity,
        name: "CloudFrontOriginAccessIdentity",
        config: "CloudFrontOriginAccessIdentityConfig",
        list: "CloudFrontOriginAccessIdentityList",
        item: None,
        named_by: None,
        path: "origin-access-identity/cloudfront",
        missing: "NoSuchCloudFrontOriginAccessIdentity",
        exists: "CloudFrontOriginAccessIdentityAlreadyExists",
        in_use: "CloudFrontOriginAccessIdentityInUse",
        ids: || letter_id('E'),
        time: None,
    },
    Family {
        kind: Kind::PublicKey,
        name: "PublicKey",
        config: "PublicKeyConfig",
        list: "PublicKeyList",
        item: None,
        named_by: Some("Name"),
        path: "public-key",
        missing: "NoSuchPublicKey",
        exists: "PublicKeyAlreadyExists",
        in_use: "PublicKeyInUse",
        ids: || letter_id('K'),
        time: Some("CreatedTime"),
    },
    Family {
        kind: Kind::KeyGroup,
        name: "KeyGroup",
        config: "KeyGroupConfig",
        list: "KeyGroupList",
        item: Some("KeyGroup"),
        named_by: Some("Name"),
        path: "key-group",
        missing: "NoSuchResource",
        exists: "KeyGroupAlreadyExists",
        in_use: "ResourceInUse",
        ids: uuid,
        time: Some("LastModifiedTime"),
    },
    Family {
        kind: Kind::ContinuousDeploymentPolicy,
        name: "ContinuousDeploymentPolicy",
        config: "ContinuousDeploymentPolicyConfig",
        list: "ContinuousDeploymentPolicyList",
        item: Some("ContinuousDeploymentPolicy"),
        named_by: None,
        path: "continuous-deployment-policy",
        missing: "NoSuchContinuousDeploymentPolicy",
        exists: "ContinuousDeploymentPolicyAlreadyExists",
        in_use: "ContinuousDeploymentPolicyInUse",
        ids: uuid,
        time: Some("LastModifiedTime"),
    },
];

/// Answers an operation, if it is one of a family.
pub(super) fn call(
    tx: &mut Tx<'_>,
    operation: &str,
    input: &Value,
) -> Option<Result<Output, ApiError>> {
    FAMILIES.iter().find_map(|family| {
        let name = family.name;
        let rest = |verb: &str| operation.strip_prefix(verb);
        if rest("Create") == Some(name) {
            Some(family.create(tx, input))
        } else if rest("Update") == Some(name) {
            Some(family.update(tx, input))
        } else if rest("Delete") == Some(name) {
            Some(family.delete(tx, input))
        } else if rest("Get") == Some(name) {
            Some(family.get(tx, input))
        } else if rest("Get").and_then(|r| r.strip_suffix("Config")) == Some(name) {
            Some(family.get_config(tx, input))
        } else if family.lists(operation) {
            Some(family.list(tx, operation, input))
        } else {
            None
        }
    })
}

impl Family {
    /// `ListCachePolicies`, `ListPublicKeys`.
    fn lists(&self, operation: &str) -> bool {
        let Some(plural) = operation.strip_prefix("List") else {
            return false;
        };
        plural
            .strip_suffix("ies")
            .is_some_and(|stem| self.name.strip_suffix('y') == Some(stem))
            || plural.strip_suffix('s') == Some(self.name)
    }

    fn no_such(&self, id: &str) -> ApiError {
        ApiError::cloudfront(
            self.missing,
            format!("The specified {} does not exist: {id}", self.name),
        )
    }

    fn existing(&self, tx: &Tx<'_>, id: &str) -> Result<Stored<FamilyDocument>, ApiError> {
        tx.get(&self.kind, id)?.ok_or_else(|| self.no_such(id))
    }

    fn create(&self, tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
        let config = &input[self.config];
        rules::one_more(tx, &self.kind)?;
        self.check(tx, config, None)?;
        let id = (self.ids)();
        let document = FamilyDocument {
            config: config.clone(),
            modified: tx.caller.now,
            created: tx.caller.now,
            sessions_since: self.sessions_since(tx, config, None),
        };
        tx.put(self.kind.clone(), &id, &document)?;
        let value = json!({
            self.name: self.shown(&id, &document),
            "Location": format!("{}/2020-05-31/{}/{id}", tx.origin(), self.path),
        });
        Ok(Output::tagged(value, self.kind.clone(), &id))
    }

    fn get(&self, tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
        let id = text(input, "Id");
        if let Some(managed) = managed::find(&self.kind, id) {
            let mut value = json!({ self.name: self.shown(id, &managed.document()) });
            value["ETag"] = json!(managed::ETAG);
            return Ok(Output::plain(value));
        }
        let found = self.existing(tx, id)?;
        let value = json!({ self.name: self.shown(id, &found.body) });
        Ok(Output::tagged(value, self.kind.clone(), id))
    }

    fn get_config(&self, tx: &Tx<'_>, input: &Value) -> Result<Output, ApiError> {
        let id = text(input, "Id");
        if let Some(managed) = managed::find(&self.kind, id) {
            let value = json!({ self.config: managed.config, "ETag": managed::ETAG });
            return Ok(Output::plain(value));
        }
        let found = self.existing(tx, id)?;
        let value = json!({ self.config: self.normal(&found.body.config) });
        Ok(Output::tagged(value, self.kind.clone(), id))
    }

    fn update(&self, tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
        let id = text(input, "Id");
        if managed::find(&self.kind, id).is_some() {
            return Err(ApiError::cloudfront(
                "IllegalUpdate",
                format!("{id} is a managed policy, which cannot be changed."),
            ));
        }
        let found = self.existing(tx, id)?;
        check_match(input, &found.etag(&self.kind))?;
        let config = &input[self.config];
        self.check(tx, config, Some(&found))?;
        let document = FamilyDocument {
            config: config.clone(),
            modified: tx.caller.now,
            created: found.body.created,
            sessions_since: self.sessions_since(tx, config, Some(&found.body)),
        };
        tx.put(self.kind.clone(), id, &document)?;
        let value = json!({ self.name: self.shown(id, &document) });
        Ok(Output::tagged(value, self.kind.clone(), id))
    }

    fn delete(&self, tx: &mut Tx<'_>, input: &Value) -> Result<Output, ApiError> {
        let id = text(input, "Id");
        if managed::find(&self.kind, id).is_some() {
            return Err(ApiError::cloudfront(
                "IllegalDelete",
                format!("{id} is a managed policy, which cannot be deleted."),
            ));
        }
        let found = self.existing(tx, id)?;
        check_match(input, &found.etag(&self.kind))?;
        if let Some(user) = self.user_of(tx, id)? {
            return Err(ApiError::cloudfront(
                self.in_use,
                format!(
                    "Cannot delete the {} {id}: it is in use by {user}.",
                    self.name
                ),
            ));
        }
        tx.delete(self.kind.clone(), id);
        Ok(Output::plain(json!({})))
    }

    fn list(&self, tx: &Tx<'_>, operation: &str, input: &Value) -> Result<Output, ApiError> {
        let wanted = input["Type"].as_str();
        let mut all = Vec::new();
        if wanted != Some("custom") {
            for policy in managed::all(&self.kind) {
                let shown = self.shown(&policy.id, &policy.document());
                all.push((format!("0 {}", policy.id), self.summary("managed", shown)));
            }
        }
        if wanted != Some("managed") {
            for found in tx.list::<FamilyDocument>(&self.kind)? {
                let mut shown = self.shown(&found.id, &found.body);
                if self.item.is_none() {
                    shown = self.flat(&found);
                }
                all.push((format!("1 {}", found.id), self.summary("custom", shown)));
            }
        }
        let list = listed(tx, operation, all, input)?;
        Ok(Output::plain(json!({ self.list: list })))
    }

    /// An item of a list whose items hold the resource itself.
    fn summary(&self, from: &str, shown: Value) -> Value {
        match self.item {
            None => shown,
            Some(item) if managed::has(&self.kind) => json!({ "Type": from, item: shown }),
            Some(item) => json!({ item: shown }),
        }
    }

    /// An item of a list whose items are flat: the configuration's members beside the id.
    fn flat(&self, found: &Stored<FamilyDocument>) -> Value {
        let document = &found.body;
        let mut item = document.config.clone();
        item["Id"] = json!(found.id);
        match self.kind {
            Kind::PublicKey => item["CreatedTime"] = json!(time::iso(document.created)),
            Kind::OriginAccessIdentity => {
                item["S3CanonicalUserId"] = json!(canonical_user(&found.id));
            }
            _ => {}
        }
        if let Some(members) = item.as_object_mut() {
            members.remove("CallerReference");
        }
        // What it is for has another name for each, and is there also when nothing was said.
        let what_for = match self.kind {
            Kind::OriginAccessControl => "Description",
            _ => "Comment",
        };
        item[what_for] = json!(text(&document.config, what_for));
        item
    }

    /// The configuration with every container in it (CP-112).
    fn normal(&self, config: &Value) -> Value {
        let mut config = config.clone();
        fourfront_aws::normal::policy(self.config, &mut config);
        config
    }

    fn shown(&self, id: &str, document: &FamilyDocument) -> Value {
        let mut shown = json!({ "Id": id, self.config: self.normal(&document.config) });
        match self.time {
            Some("CreatedTime") => shown["CreatedTime"] = json!(time::iso(document.created)),
            Some(member) => shown[member] = json!(time::iso(document.modified)),
            None => {}
        }
        if self.kind == Kind::OriginAccessIdentity {
            shown["S3CanonicalUserId"] = json!(canonical_user(id));
        }
        shown
    }

    /// Since when sessions of a continuous deployment policy count: switching it or its stickiness on begins them anew, another
    /// weight does not (CF-454).
    fn sessions_since(&self, tx: &Tx<'_>, config: &Value, before: Option<&FamilyDocument>) -> u64 {
        if self.kind != Kind::ContinuousDeploymentPolicy {
            return 0;
        }
        let said = |config: &Value| {
            let sessions =
                &config["TrafficConfig"]["SingleWeightConfig"]["SessionStickinessConfig"];
            (config["Enabled"].clone(), sessions.clone())
        };
        match before {
            Some(before) if said(&before.config) == said(config) => before.sessions_since,
            _ => tx.caller.now,
        }
    }

    /// What the API refuses of a configuration beside what its shape says.
    fn check(
        &self,
        tx: &Tx<'_>,
        config: &Value,
        before: Option<&Stored<FamilyDocument>>,
    ) -> Result<(), ApiError> {
        let all = tx.list::<FamilyDocument>(&self.kind)?;
        let others = || all.iter().filter(|o| before.is_none_or(|b| b.id != o.id));
        if let Some(member) = self.named_by {
            let name = text(config, member);
            let is_managed = managed::all(&self.kind)
                .iter()
                .any(|m| text(&m.config, member) == name);
            if is_managed || others().any(|o| text(&o.body.config, member) == name) {
                return Err(ApiError::cloudfront(
                    self.exists,
                    format!("A {} with the name {name} already exists.", self.name),
                ));
            }
        }
        let reference = text(config, "CallerReference");
        let is_known = || others().any(|o| text(&o.body.config, "CallerReference") == reference);
        match before {
            Some(before) => self.check_immutable(config, &before.body.config)?,
            None if !reference.is_empty() && is_known() => {
                return Err(ApiError::cloudfront(
                    self.exists,
                    format!("A {} with this caller reference already exists.", self.name),
                ));
            }
            None => {}
        }
        rules::policy(tx, &self.kind, config)?;
        match self.kind {
            Kind::PublicKey => {
                let key = text(config, "EncodedKey");
                fourfront_signed::key::read_public_key(key.as_bytes()).map_err(|e| {
                    ApiError::cloudfront("InvalidArgument", format!("EncodedKey: {e}"))
                })?;
            }
            Kind::KeyGroup => {
                let keys = config["Items"].as_array().cloned().unwrap_or_default();
                if keys.is_empty() {
                    return Err(ApiError::cloudfront(
                        "InvalidArgument",
                        "Items: a key group has a public key at least",
                    ));
                }
                for key in keys.iter().filter_map(Value::as_str) {
                    if tx.get::<FamilyDocument>(&Kind::PublicKey, key)?.is_none() {
                        return Err(ApiError::cloudfront(
                            "InvalidArgument",
                            format!("Items: there is no public key {key}"),
                        ));
                    }
                }
            }
            Kind::ContinuousDeploymentPolicy => {
                let others: Vec<_> = others().collect();
                check_deployment(tx, config, &others)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// CP-101, and caller references.
    fn check_immutable(&self, config: &Value, before: &Value) -> Result<(), ApiError> {
        let fixed: &[&str] = match self.kind {
            Kind::PublicKey => &["CallerReference", "EncodedKey"],
            Kind::OriginAccessIdentity => &["CallerReference"],
            _ => &[],
        };
        for member in fixed {
            if text(config, member).trim() != text(before, member).trim() {
                let code = match self.kind {
                    Kind::PublicKey => "CannotChangeImmutablePublicKeyFields",
                    _ => "IllegalUpdate",
                };
                return Err(ApiError::cloudfront(
                    code,
                    format!("{member} cannot be changed."),
                ));
            }
        }
        Ok(())
    }

    /// Who uses a document of the family, if anybody does.
    fn user_of(&self, tx: &Tx<'_>, id: &str) -> Result<Option<String>, ApiError> {
        if self.kind == Kind::PublicKey {
            let groups = tx.list::<FamilyDocument>(&Kind::KeyGroup)?;
            let holds = |g: &&Stored<FamilyDocument>| {
                g.body.config["Items"]
                    .as_array()
                    .is_some_and(|keys| keys.iter().any(|k| k == id))
            };
            return Ok(groups
                .iter()
                .find(holds)
                .map(|g| format!("key group {}", g.id)));
        }
        for distribution in tx.list::<DistributionDocument>(&Kind::Distribution)? {
            if self.is_used_by(&distribution.body.config, id) {
                return Ok(Some(format!("distribution {}", distribution.id)));
            }
        }
        Ok(None)
    }

    fn is_used_by(&self, config: &Value, id: &str) -> bool {
        let in_behaviors = |member: &str| {
            associations::behaviors(config).any(|(_, b)| b[member].as_str() == Some(id))
        };
        let origins = || config["Origins"]["Items"].as_array().into_iter().flatten();
        match self.kind {
            Kind::CachePolicy => in_behaviors("CachePolicyId"),
            Kind::OriginRequestPolicy => in_behaviors("OriginRequestPolicyId"),
            Kind::ResponseHeadersPolicy => in_behaviors("ResponseHeadersPolicyId"),
            Kind::OriginAccessControl => origins().any(|o| text(o, "OriginAccessControlId") == id),
            Kind::OriginAccessIdentity => origins().any(|o| {
                let named = text(&o["S3OriginConfig"], "OriginAccessIdentity");
                named == format!("origin-access-identity/cloudfront/{id}")
            }),
            Kind::KeyGroup => associations::behaviors(config).any(|(_, b)| {
                let groups = b["TrustedKeyGroups"]["Items"].as_array();
                groups.is_some_and(|groups| groups.iter().any(|g| g == id))
            }),
            Kind::ContinuousDeploymentPolicy => text(config, "ContinuousDeploymentPolicyId") == id,
            _ => false,
        }
    }
}

/// CP-122. What requests it sends where is judged when it is made ready to serve, as of a site file (CP-118).
fn check_deployment(
    tx: &Tx<'_>,
    config: &Value,
    others: &[&Stored<FamilyDocument>],
) -> Result<(), ApiError> {
    let staging: Vec<_> = tx
        .list::<DistributionDocument>(&Kind::Distribution)?
        .into_iter()
        .filter(|d| d.body.is_staging())
        .map(|d| d.body.domain_name)
        .collect();
    for name in staging_names(config) {
        if !staging.iter().any(|domain| domain == name) {
            return Err(ApiError::cloudfront(
                "InvalidArgument",
                format!(
                    "StagingDistributionDnsNames: {name} is the name of no staging distribution"
                ),
            ));
        }
        if let Some(other) = others
            .iter()
            .find(|o| staging_names(&o.body.config).any(|n| n == name))
        {
            return Err(ApiError::cloudfront(
                "StagingDistributionInUse",
                format!(
                    "A continuous deployment policy for this staging distribution already exists: {}",
                    other.id
                ),
            ));
        }
    }
    Ok(())
}

/// The domain names of the staging distributions that a policy names.
pub(super) fn staging_names(config: &Value) -> impl Iterator<Item = &str> {
    let names = config["StagingDistributionDnsNames"]["Items"].as_array();
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// What stands for an access identity in policies of buckets: 96 hex digits.
pub(crate) fn canonical_user(id: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let first = Sha256::digest(id.as_bytes());
    let second = Sha256::digest(first);
    format!("{}{}", hex(&first), &hex(&second)[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_find_their_family() {
        // CP section 3.2
        let listing =
            |operation: &str| FAMILIES.iter().find(|f| f.lists(operation)).map(|f| f.name);
        assert_eq!(listing("ListCachePolicies"), Some("CachePolicy"));
        assert_eq!(
            listing("ListOriginRequestPolicies"),
            Some("OriginRequestPolicy")
        );
        assert_eq!(listing("ListPublicKeys"), Some("PublicKey"));
        assert_eq!(
            listing("ListCloudFrontOriginAccessIdentities"),
            Some("CloudFrontOriginAccessIdentity")
        );
        assert_eq!(listing("ListDistributions"), None);
        assert_eq!(canonical_user("E1").len(), 96);
    }
}
