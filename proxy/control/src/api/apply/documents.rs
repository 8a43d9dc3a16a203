//! Policies, keys, access controls, distributions, and functions on distributions that others own.

use fourfront_import::{Document, Planned, RefKind};
use fourfront_store::Kind;
use serde_json::{Value, json};

use super::{Applier, Staged};
use crate::{
    CARRIED,
    api::{
        ApiError, cloudfront,
        cloudfront::{DistributionDocument, FamilyDocument},
        tx::Stored,
        wire,
    },
};

/// The documents of one family in a plan: what they are to the store, to plans and to the API.
struct Of<'p> {
    documents: &'p [Planned<Document>],
    kind: Kind,
    what: &'static str,
    name: &'static str,
    reference: RefKind,
}

impl Applier<'_, '_> {
    /// Those that distributions name; or, with `rollouts`, the ones that name staging distributions (CF-451).
    pub(super) fn documents(&mut self, rollouts: bool) -> Result<(), ApiError> {
        let plan = self.plan;
        let families = [
            Of {
                documents: &plan.cache_policies,
                kind: Kind::CachePolicy,
                what: "cache-policy",
                name: "CachePolicy",
                reference: RefKind::CachePolicy,
            },
            Of {
                documents: &plan.origin_request_policies,
                kind: Kind::OriginRequestPolicy,
                what: "origin-request-policy",
                name: "OriginRequestPolicy",
                reference: RefKind::OriginRequestPolicy,
            },
            Of {
                documents: &plan.response_headers_policies,
                kind: Kind::ResponseHeadersPolicy,
                what: "response-headers-policy",
                name: "ResponseHeadersPolicy",
                reference: RefKind::ResponseHeadersPolicy,
            },
            Of {
                documents: &plan.origin_access_controls,
                kind: Kind::OriginAccessControl,
                what: "origin-access-control",
                name: "OriginAccessControl",
                reference: RefKind::OriginAccessControl,
            },
            Of {
                documents: &plan.origin_access_identities,
                kind: Kind::OriginAccessIdentity,
                what: "origin-access-identity",
                name: "CloudFrontOriginAccessIdentity",
                reference: RefKind::OriginAccessIdentity,
            },
            Of {
                documents: &plan.public_keys,
                kind: Kind::PublicKey,
                what: "public-key",
                name: "PublicKey",
                reference: RefKind::PublicKey,
            },
            Of {
                documents: &plan.key_groups,
                kind: Kind::KeyGroup,
                what: "key-group",
                name: "KeyGroup",
                reference: RefKind::KeyGroup,
            },
            Of {
                documents: &plan.continuous_deployment_policies,
                kind: Kind::ContinuousDeploymentPolicy,
                what: "continuous-deployment-policy",
                name: "ContinuousDeploymentPolicy",
                reference: RefKind::ContinuousDeploymentPolicy,
            },
        ];
        for Of {
            documents,
            kind,
            what,
            name,
            reference,
        } in families
        {
            if (kind == Kind::ContinuousDeploymentPolicy) != rollouts {
                continue;
            }
            for document in documents {
                let id = self.document(document, &kind, what, name)?;
                self.know(reference, &document.id, "id", &id);
                if kind == Kind::OriginAccessIdentity {
                    self.know(
                        reference,
                        &document.id,
                        "s3_canonical_user_id",
                        cloudfront::canonical_user(&id),
                    );
                }
            }
        }
        Ok(())
    }

    /// A document of a family: its id.
    fn document(
        &mut self,
        document: &Planned<Document>,
        kind: &Kind,
        what: &'static str,
        name: &str,
    ) -> Result<String, ApiError> {
        let mut config = self.resolved(&document.item.config)?;
        if !config.is_object() {
            return Err(ApiError::cloudfront(
                "InvalidArgument",
                format!("{}: {name}Config is no object", document.place),
            ));
        }
        if matches!(kind, Kind::PublicKey | Kind::OriginAccessIdentity)
            && config.get("CallerReference").is_none()
        {
            // CP-321
            config["CallerReference"] = json!(format!("{}/{}", self.plan.stack, document.id));
        }
        let member = format!("{name}Config");
        let unknown = self.tx.settings.unknown_fields;
        wire::checked(&format!("Create{name}"), &member, &mut config, unknown)?;
        let existing = match self.owned(what, &document.id) {
            Some(id) => self.tx.get::<FamilyDocument>(kind, &id)?,
            None => None,
        };
        let (action, id) = match existing {
            Some(found) if found.body.config == config => ("keep", found.id),
            Some(found) => {
                let input = json!({ "Id": found.id, "IfMatch": found.etag(kind), member: config });
                self.call_cloudfront(&format!("Update{name}"), &input)?;
                ("change", found.id)
            }
            None => {
                let told =
                    self.call_cloudfront(&format!("Create{name}"), &json!({ member: config }))?;
                let id = told[name]["Id"].as_str().unwrap_or_default().to_owned();
                ("create", id)
            }
        };
        self.step(action, what, document, &id);
        self.own(what, &document.id, kind, &id, document.retain);
        Ok(id)
    }

    /// Staging distributions, or all others.
    pub(super) fn distributions(&mut self, staging: bool) -> Result<(), ApiError> {
        let plan = self.plan;
        for distribution in &plan.distributions {
            if staging != is_staging(&distribution.item.config) {
                continue;
            }
            let mut config = self.resolved(&distribution.item.config)?;
            if !config.is_object() {
                return Err(ApiError::cloudfront(
                    "InvalidArgument",
                    format!("{}: DistributionConfig is no object", distribution.place),
                ));
            }
            if config.get("CallerReference").is_none() {
                config["CallerReference"] = json!(format!("{}/{}", plan.stack, distribution.id));
            }
            if config.get("Comment").is_none() {
                config["Comment"] = json!("");
            }
            let unknown = self.tx.settings.unknown_fields;
            wire::checked(
                "CreateDistribution",
                "DistributionConfig",
                &mut config,
                unknown,
            )?;
            let settings = distribution.item.settings.clone();
            if let Some(name) = settings
                .keys()
                .find(|name| !CARRIED.contains(&name.as_str()))
            {
                // A node's disk, credentials and other distributions are not what deploys may speak of.
                return Err(ApiError::cloudfront(
                    "InvalidArgument",
                    format!(
                        "{}: `{name}` is no setting that can be deployed",
                        distribution.place
                    ),
                ));
            }
            let tags = self.tagged(&distribution.item.tags);
            let existing = match self.owned("distribution", &distribution.id) {
                Some(id) => self
                    .tx
                    .get::<DistributionDocument>(&Kind::Distribution, &id)?,
                None => None,
            };
            if let Some(found) = &existing
                && let Some(staged) = self.staged.filter(|s| s.primary == found.id)
            {
                self.try_out(distribution, found, config, staged)?;
                continue;
            }
            let (action, id) = match existing {
                Some(found) => {
                    config["CallerReference"] = found.body.config["CallerReference"].clone();
                    let says = |config: &Value| {
                        let policy = config["ContinuousDeploymentPolicyId"].as_str();
                        policy.filter(|id| !id.is_empty()).map(str::to_owned)
                    };
                    if let (None, Some(policy)) = (says(&config), says(&found.body.config))
                        && !self.goes(&Kind::ContinuousDeploymentPolicy, &policy)
                    {
                        // What is tried out beside it goes on (CP-612).
                        config["ContinuousDeploymentPolicyId"] = json!(policy);
                    }
                    if found.body.config == config
                        && found.body.tags == tags
                        && found.body.settings == settings
                    {
                        ("keep", found.id)
                    } else {
                        let etag = found.etag(&Kind::Distribution);
                        let input = json!({ "Id": found.id, "IfMatch": etag, "DistributionConfig": config });
                        self.call_cloudfront("UpdateDistribution", &input)?;
                        ("change", found.id)
                    }
                }
                None => {
                    let listed: Vec<_> = tags
                        .iter()
                        .map(|(k, v)| json!({ "Key": k, "Value": v }))
                        .collect();
                    let input = json!({ "DistributionConfigWithTags": {
                        "DistributionConfig": config, "Tags": { "Items": listed },
                    } });
                    let told = self.call_cloudfront("CreateDistributionWithTags", &input)?;
                    let id = told["Distribution"]["Id"].as_str().unwrap_or_default();
                    ("create", id.to_owned())
                }
            };
            if let Some(mut found) = self
                .tx
                .get::<DistributionDocument>(&Kind::Distribution, &id)?
            {
                if found.body.tags != tags || found.body.settings != settings {
                    found.body.tags = tags;
                    found.body.settings = settings;
                    self.tx.put(Kind::Distribution, &id, &found.body)?;
                }
                self.know_distribution(distribution, &id, &found.body.domain_name);
            }
            self.step(action, "distribution", distribution, &id);
            self.own(
                "distribution",
                &distribution.id,
                &Kind::Distribution,
                &id,
                distribution.retain,
            );
        }
        Ok(())
    }

    fn know_distribution(&mut self, planned: &Planned<Document>, id: &str, domain_name: &str) {
        let account = &self.tx.settings.account;
        let arn = account.cloudfront(&format!("distribution/{id}"));
        self.know(RefKind::Distribution, &planned.id, "id", id);
        self.know(RefKind::Distribution, &planned.id, "arn", arn);
        self.know(
            RefKind::Distribution,
            &planned.id,
            "domain_name",
            domain_name,
        );
    }

    /// Gives the staging distribution what the plan has for the one that serves (CP-612), but for what a staging distribution
    /// cannot have (CP-122).
    fn try_out(
        &mut self,
        planned: &Planned<Document>,
        primary: &Stored<DistributionDocument>,
        mut config: Value,
        staged: Staged<'_>,
    ) -> Result<(), ApiError> {
        let found = self
            .tx
            .get::<DistributionDocument>(&Kind::Distribution, staged.staging)?
            .ok_or_else(|| {
                let message = format!("there is no distribution {}", staged.staging);
                ApiError::cloudfront("NoSuchDistribution", message)
            })?;
        config["CallerReference"] = found.body.config["CallerReference"].clone();
        config["Staging"] = json!(true);
        config["Aliases"] = json!({ "Quantity": 0 });
        // As the copy has it, which may be in either form of none.
        let policy = &found.body.config["ContinuousDeploymentPolicyId"];
        match (policy, config.as_object_mut()) {
            (Value::Null, Some(members)) => {
                members.remove("ContinuousDeploymentPolicyId");
            }
            _ => config["ContinuousDeploymentPolicyId"] = policy.clone(),
        }
        let settings = &planned.item.settings;
        let mut action = "keep";
        if found.body.config != config {
            let etag = found.etag(&Kind::Distribution);
            let input = json!({ "Id": found.id, "IfMatch": etag, "DistributionConfig": config });
            self.call_cloudfront("UpdateDistribution", &input)?;
            action = "change";
        }
        if found.body.settings != *settings
            && let Some(mut written) = self
                .tx
                .get::<DistributionDocument>(&Kind::Distribution, &found.id)?
        {
            written.body.settings.clone_from(settings);
            self.tx.put(Kind::Distribution, &found.id, &written.body)?;
            action = "change";
        }
        self.know_distribution(planned, &primary.id, &primary.body.domain_name);
        self.step(action, "distribution", planned, staged.staging);
        self.own(
            "distribution",
            &planned.id,
            &Kind::Distribution,
            &primary.id,
            planned.retain,
        );
        Ok(())
    }

    /// Functions on distributions that others own (CP-339).
    pub(super) fn attachments(&mut self) -> Result<(), ApiError> {
        let plan = self.plan;
        for attachment in &plan.attachments {
            let item = &attachment.item;
            let id = self.text(&item.distribution)?;
            let arn = self.text(&item.version)?;
            let found = self
                .tx
                .get::<DistributionDocument>(&Kind::Distribution, &id)?;
            let Some(mut found) = found else {
                return Err(ApiError::cloudfront(
                    "NoSuchDistribution",
                    format!("{}: there is no distribution {id}", attachment.place),
                ));
            };
            let before = found.body.clone();
            let config = &mut found.body.config;
            let behavior = match &item.path_pattern {
                None => Some(&mut config["DefaultCacheBehavior"]),
                Some(pattern) => config["CacheBehaviors"]["Items"]
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .find(|b| b["PathPattern"] == json!(pattern)),
            };
            let Some(behavior) = behavior else {
                return Err(ApiError::cloudfront(
                    "InvalidArgument",
                    format!(
                        "{}: distribution {id} has no behavior {}",
                        attachment.place,
                        item.path_pattern.as_deref().unwrap_or("*")
                    ),
                ));
            };
            let mut items = behavior["LambdaFunctionAssociations"]["Items"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            items.retain(|a| a["EventType"] != json!(item.event_type));
            let mut association = json!({ "EventType": item.event_type, "LambdaFunctionARN": arn });
            if item.include_body {
                association["IncludeBody"] = json!(true);
            }
            items.push(association);
            behavior["LambdaFunctionAssociations"] =
                json!({ "Quantity": items.len(), "Items": items });
            let action = if found.body.config == before.config {
                "keep"
            } else {
                let etag = found.etag(&Kind::Distribution);
                if etag.is_empty() {
                    // Written by this very call, which it was held against what the API refuses then.
                    self.tx.put(Kind::Distribution, &id, &found.body)?;
                } else {
                    let input = json!({ "Id": id, "IfMatch": etag, "DistributionConfig": found.body.config });
                    self.call_cloudfront("UpdateDistribution", &input)?;
                }
                "change"
            };
            self.step(action, "attachment", attachment, &id);
        }
        Ok(())
    }
}

fn is_staging(config: &Value) -> bool {
    // Texts that stand for booleans are made some only later.
    matches!(&config["Staging"], Value::Bool(true)) || config["Staging"] == json!("true")
}
