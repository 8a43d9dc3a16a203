//! What `Ref` and `Fn::GetAtt` stand for: parameters, pseudo parameters, resources (sections 7.2 and 7.3 of the control plane's
//! rules).

use super::{Resource, World, eval::unresolved};
use crate::{
    place::At,
    plan::RefKind,
    tree::{Kind, Node, Reference, Unresolved},
};

/// The handler of CDK's own custom resource; it is never deployed (CP-363).
pub(super) const CDK_READER: &str = "CustomCrossRegionStringParameterReader";

/// Types without meaning here whose attributes are empty texts.
pub(super) fn is_ignored(kind: &str) -> bool {
    kind.starts_with("Custom::")
        || kind.starts_with("AWS::Route53::")
        || kind.starts_with("AWS::WAFv2::")
        || matches!(
            kind,
            "AWS::Logs::LogGroup"
                | "AWS::S3::BucketPolicy"
                | "AWS::CDK::Metadata"
                | "AWS::CloudFormation::CustomResource"
        )
}

/// Kinds whose resources are documents of the API: type, configuration's property, the API's name of it, kind.
pub(super) const DOCUMENTS: &[(&str, &str, &str, RefKind)] = &[
    (
        "AWS::CloudFront::CachePolicy",
        "CachePolicyConfig",
        "CachePolicyConfig",
        RefKind::CachePolicy,
    ),
    (
        "AWS::CloudFront::OriginRequestPolicy",
        "OriginRequestPolicyConfig",
        "OriginRequestPolicyConfig",
        RefKind::OriginRequestPolicy,
    ),
    (
        "AWS::CloudFront::ResponseHeadersPolicy",
        "ResponseHeadersPolicyConfig",
        "ResponseHeadersPolicyConfig",
        RefKind::ResponseHeadersPolicy,
    ),
    (
        "AWS::CloudFront::OriginAccessControl",
        "OriginAccessControlConfig",
        "OriginAccessControlConfig",
        RefKind::OriginAccessControl,
    ),
    (
        "AWS::CloudFront::CloudFrontOriginAccessIdentity",
        "CloudFrontOriginAccessIdentityConfig",
        "CloudFrontOriginAccessIdentityConfig",
        RefKind::OriginAccessIdentity,
    ),
    (
        "AWS::CloudFront::PublicKey",
        "PublicKeyConfig",
        "PublicKeyConfig",
        RefKind::PublicKey,
    ),
    (
        "AWS::CloudFront::KeyGroup",
        "KeyGroupConfig",
        "KeyGroupConfig",
        RefKind::KeyGroup,
    ),
    (
        "AWS::CloudFront::ContinuousDeploymentPolicy",
        "ContinuousDeploymentPolicyConfig",
        "ContinuousDeploymentPolicyConfig",
        RefKind::ContinuousDeploymentPolicy,
    ),
    (
        "AWS::CloudFront::Distribution",
        "DistributionConfig",
        "DistributionConfig",
        RefKind::Distribution,
    ),
];

impl World<'_> {
    /// `Ref`.
    pub(super) fn reference(&self, stack: usize, name: &str, depth: usize) -> Kind {
        let Some(own) = self.stacks.get(stack) else {
            return unresolved("no such stack");
        };
        let text = match name {
            "AWS::AccountId" => own.account.clone(),
            "AWS::Region" => own.region.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::StackName" => own.name.clone(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{}:{}:stack/{}/00000000-0000-0000-0000-000000000000",
                own.region, own.account, own.name
            ),
            "AWS::NotificationARNs" => return Kind::Seq(Vec::new()),
            "AWS::NoValue" => return Kind::NoValue,
            _ => {
                if let Some(parameter) = own.root.find(&["Parameters", name]) {
                    return self.parameter(name, parameter, depth);
                }
                return self.attribute(stack, name, None, own.root.at, depth);
            }
        };
        Kind::Text(text)
    }

    fn parameter(&self, name: &str, parameter: &Node, depth: usize) -> Kind {
        let given = self.options.params.get(name);
        let value = match given {
            Some(value) => value.clone(),
            None => match parameter.get("Default") {
                Some(default) => match (default.scalar(), &default.kind) {
                    (Some(text), _) => text.to_owned(),
                    // A list as the default of a list of SAM's writing.
                    (None, Kind::Seq(_)) => return default.kind.clone(),
                    _ => {
                        return unresolved(format!("the default of parameter `{name}` is no text"));
                    }
                },
                // An empty default is `Default: ''`, which YAML may have as nothing.
                None if parameter.entry("Default").is_some() => String::new(),
                None => {
                    return Kind::Unresolved(Unresolved {
                        message: format!("parameter `{name}` has no value"),
                        name: Some(format!("Parameters.{name}.Default")),
                    });
                }
            },
        };
        if let Some(allowed) = parameter.get("AllowedValues")
            && !allowed.items().iter().any(|v| v.scalar() == Some(&value))
        {
            return unresolved(format!("parameter `{name}` may not be `{value}`"));
        }
        let kind = parameter
            .get("Type")
            .and_then(Node::scalar)
            .unwrap_or("String");
        let inner = kind
            .strip_prefix("AWS::SSM::Parameter::Value<")
            .and_then(|t| t.strip_suffix('>'));
        // The value of such a parameter is the name of another; a value given for it is what that one holds.
        let value = match inner {
            Some(_) if given.is_none() => {
                match self.secret(&format!("ssm:{value}"), parameter.at, depth + 1) {
                    Kind::Text(text) | Kind::Plain(text) => text,
                    other => return other,
                }
            }
            _ => value,
        };
        let list = |t: &str| t == "CommaDelimitedList" || t.starts_with("List<");
        if list(inner.unwrap_or(kind)) {
            let items = value
                .split(',')
                .map(|item| Node::text(parameter.at, item.trim()));
            return Kind::Seq(items.collect());
        }
        if !self.pay(value.len()) {
            return unresolved("the intrinsics of this template come to too much");
        }
        match inner.unwrap_or(kind) {
            "Number" => Kind::Plain(value),
            _ => Kind::Text(value),
        }
    }

    /// A resource's property, evaluated.
    pub(super) fn property(
        &self,
        stack: usize,
        resource: Resource<'_>,
        name: &str,
        depth: usize,
    ) -> Option<Node> {
        let value = self.eval(stack, resource.property(name)?, depth + 1);
        (value.kind != Kind::NoValue).then_some(value)
    }

    /// Whether a resource's condition lets it be.
    pub(super) fn exists(
        &self,
        stack: usize,
        resource: Resource<'_>,
        depth: usize,
    ) -> Result<bool, Unresolved> {
        match resource.entry.value.get("Condition").and_then(Node::scalar) {
            Some(name) => self.condition(stack, name, depth),
            None => Ok(true),
        }
    }

    /// `Ref` of a resource, or `Fn::GetAtt` with an attribute.
    pub(super) fn attribute(
        &self,
        stack: usize,
        id: &str,
        attribute: Option<&str>,
        at: At,
        depth: usize,
    ) -> Kind {
        let (Some(own), Some(resource)) = (self.stacks.get(stack), self.resource(stack, id)) else {
            return unresolved(format!("`{id}` is neither a parameter nor a resource here"));
        };
        match self.exists(stack, resource, depth) {
            Ok(true) => {}
            Ok(false) => {
                return unresolved(format!("`{id}` does not exist: its condition is false"));
            }
            Err(why) => return Kind::Unresolved(why),
        }
        let refer = |kind: RefKind, attribute: &'static str| {
            Kind::Ref(Reference {
                kind,
                id: format!("{}{id}", own.prefix),
                attribute,
            })
        };
        let text = |text: String| Kind::Text(text);
        let kind = resource.kind();
        let named = |property: &str| match self.property(stack, resource, property, depth) {
            Some(value) => value.kind,
            None => Kind::Text(derived_name(&own.name, id)),
        };
        let document = DOCUMENTS.iter().find(|d| d.0 == kind).map(|d| d.3);
        match (kind, attribute) {
            ("AWS::Lambda::Function", None) => refer(RefKind::Function, "name"),
            ("AWS::Lambda::Function", Some("Arn")) => refer(RefKind::Function, "arn"),
            ("AWS::Lambda::Version", None | Some("FunctionArn")) => refer(RefKind::Version, "arn"),
            ("AWS::Lambda::Version", Some("Version")) => refer(RefKind::Version, "version"),
            ("AWS::Lambda::Alias", None | Some("AliasArn")) => refer(RefKind::Alias, "arn"),
            (
                "AWS::CloudFront::Function",
                None | Some("FunctionARN" | "FunctionMetadata.FunctionARN"),
            ) => refer(RefKind::CloudfrontFunction, "arn"),
            ("AWS::CloudFront::Function", Some("Stage")) => text("LIVE".to_owned()),
            ("AWS::CloudFront::KeyValueStore", None) => named("Name"),
            ("AWS::CloudFront::KeyValueStore", Some("Arn")) => refer(RefKind::Store, "arn"),
            ("AWS::CloudFront::KeyValueStore", Some("Id")) => refer(RefKind::Store, "id"),
            ("AWS::CloudFront::KeyValueStore", Some("Status")) => text("READY".to_owned()),
            ("AWS::CloudFront::Distribution", Some("DomainName")) => {
                refer(RefKind::Distribution, "domain_name")
            }
            ("AWS::CloudFront::CloudFrontOriginAccessIdentity", Some("S3CanonicalUserId")) => {
                refer(RefKind::OriginAccessIdentity, "s3_canonical_user_id")
            }
            ("AWS::CertificateManager::Certificate", None) => refer(RefKind::Certificate, "arn"),
            ("AWS::S3::Bucket", attribute) => {
                match (self.bucket_name(stack, resource, depth), attribute) {
                    (Err(why), _) => why,
                    (Ok(name), None) => text(name),
                    (Ok(name), Some(attribute)) => bucket_attribute(&name, &own.region, attribute),
                }
            }
            ("AWS::IAM::Role", None) => named("RoleName"),
            ("AWS::IAM::ManagedPolicy", None) => text(format!(
                "arn:aws:iam::{}:policy/{}",
                own.account,
                derived_name(&own.name, id)
            )),
            ("AWS::IAM::Policy", None) => named("PolicyName"),
            ("AWS::IAM::Role", Some("Arn")) => match named("RoleName") {
                Kind::Text(name) | Kind::Plain(name) => {
                    text(format!("arn:aws:iam::{}:role/{name}", own.account))
                }
                other => other,
            },
            ("AWS::SSM::Parameter", None) => named("Name"),
            ("AWS::SSM::Parameter", Some("Value")) => {
                match self.property(stack, resource, "Value", depth) {
                    Some(value) => value.kind,
                    None => unresolved(format!("parameter `{id}` has no value")),
                }
            }
            ("Custom::CrossRegionStringParameterReader", Some("FunctionArn")) => {
                match self
                    .property(stack, resource, "ParameterName", depth)
                    .as_ref()
                {
                    Some(name) => match name.scalar() {
                        Some(text) => self.secret(&format!("ssm:{text}"), name.at, depth + 1),
                        None => name.kind.clone(),
                    },
                    None => unresolved(format!("`{id}` names no parameter")),
                }
            }
            ("AWS::Lambda::Permission", None) => text(id.to_owned()),
            (kind, None) if is_ignored(kind) => text(id.to_owned()),
            (kind, Some(attribute)) if is_ignored(kind) => {
                let message = format!("`{id}.{attribute}` of {kind} is taken as an empty text");
                self.report.warn(at, "", message);
                text(String::new())
            }
            _ => match (document, attribute) {
                (Some(document), None | Some("Id")) => refer(document, "id"),
                (_, None) => {
                    unresolved(format!("`{id}` is a {kind}, whose name is not known here"))
                }
                (_, Some(attribute)) => unresolved(format!(
                    "`{id}` is a {kind}, whose `{attribute}` is not known here"
                )),
            },
        }
    }

    pub(super) fn bucket_name(
        &self,
        stack: usize,
        resource: Resource<'_>,
        depth: usize,
    ) -> Result<String, Kind> {
        match self.property(stack, resource, "BucketName", depth) {
            Some(value) => match (value.scalar(), &value.kind) {
                (Some(name), _) => Ok(name.to_owned()),
                (None, Kind::Unresolved(_)) => Err(value.kind),
                _ => Err(unresolved("the name of this bucket is not known here")),
            },
            None => {
                let stack = self.stacks.get(stack).map_or("", |s| s.name.as_str());
                Ok(derived_name(stack, resource.id()).to_lowercase())
            }
        }
    }

    /// The value of an SSM parameter that a stack here makes (CP-361).
    pub(super) fn ssm(&self, name: &str, at: At, depth: usize) -> Option<Kind> {
        for (stack, candidate) in self.stacks.iter().enumerate() {
            for entry in candidate
                .root
                .get("Resources")
                .into_iter()
                .flat_map(Node::entries)
            {
                let resource = Resource { entry };
                if resource.kind() != "AWS::SSM::Parameter" {
                    continue;
                }
                let own = self.property(stack, resource, "Name", depth);
                if own.as_ref().and_then(Node::scalar) == Some(name) {
                    return Some(self.attribute(
                        stack,
                        resource.id(),
                        Some("Value"),
                        at,
                        depth + 1,
                    ));
                }
            }
        }
        None
    }

    /// A reference whose value is known before anything is created: the name of a function.
    pub(super) fn known(&self, reference: &Reference, depth: usize) -> Option<String> {
        if reference.kind != RefKind::Function || reference.attribute != "name" {
            return None;
        }
        let (stack, resource) = self.stacks.iter().enumerate().find_map(|(i, s)| {
            let id = reference.id.strip_prefix(&s.prefix)?;
            Some((i, self.resource(i, id)?))
        })?;
        self.function_name(stack, resource, depth).ok()
    }

    pub(super) fn function_name(
        &self,
        stack: usize,
        resource: Resource<'_>,
        depth: usize,
    ) -> Result<String, Kind> {
        match self.property(stack, resource, "FunctionName", depth) {
            Some(value) => match value.scalar() {
                Some(name) => Ok(name.to_owned()),
                None => Err(value.kind),
            },
            None => {
                let stack = self.stacks.get(stack).map_or("", |s| s.name.as_str());
                Ok(derived_name(stack, resource.id()))
            }
        }
    }
}

/// The name of what has none: CloudFormation appends random letters, here it stays the same.
pub(super) fn derived_name(stack: &str, id: &str) -> String {
    let name: String = format!("{stack}-{id}")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    name.trim_matches('-').to_owned()
}

fn bucket_attribute(name: &str, region: &str, attribute: &str) -> Kind {
    // Regions of 2014 and before have a dash there.
    let dashed = matches!(
        region,
        "us-east-1"
            | "us-west-1"
            | "us-west-2"
            | "eu-west-1"
            | "ap-southeast-1"
            | "ap-southeast-2"
            | "ap-northeast-1"
            | "sa-east-1"
    );
    Kind::Text(match attribute {
        "Arn" => format!("arn:aws:s3:::{name}"),
        "DomainName" => format!("{name}.s3.amazonaws.com"),
        "RegionalDomainName" => format!("{name}.s3.{region}.amazonaws.com"),
        "DualStackDomainName" => format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        "WebsiteURL" if dashed => format!("http://{name}.s3-website-{region}.amazonaws.com"),
        "WebsiteURL" => format!("http://{name}.s3-website.{region}.amazonaws.com"),
        other => return unresolved(format!("a bucket has no `{other}`")),
    })
}
