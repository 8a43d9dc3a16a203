//! What an operation of AWS's services is about, as far as rights go (CP-432).

use fourfront_auth::Resource;
use fourfront_aws::Service;
use serde_json::Value;

use super::{Control, lambda::FunctionRef, logs, seen::NOBODYS};

/// What an operation, or a path of the native API, is about, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Any,
    Shared,
    Distribution(String),
    /// Of either kind.
    Function(String),
    Lambda(String),
    CloudfrontFunction(String),
    Store(String),
    /// What no list can name.
    Nobodys,
}

impl Named {
    pub(super) fn of(control: &Control, service: Service, operation: &str, input: &Value) -> Self {
        let member = |name: &str| input[name].as_str().map(str::to_owned);
        let account = &control.settings().account;
        match service {
            Service::Lambda => {
                // The member that the operation acts on, and no other that may stand beside it.
                let name = match operation {
                    "ListTags" | "TagResource" | "UntagResource" => member("Resource"),
                    _ => member("FunctionName"),
                };
                let parsed = name.and_then(|n| FunctionRef::parse(&n, account).ok());
                parsed.map_or(Self::Any, |reference| Self::Lambda(reference.name))
            }
            Service::KeyValueStore => {
                let arn = member("KvsARN").unwrap_or_default();
                control.store_named_by(&arn).map_or(Self::Any, Self::Store)
            }
            Service::CloudFront if operation.ends_with("KeyValueStore") => {
                member("Name").map_or(Self::Any, Self::Store)
            }
            Service::CloudFront if operation.ends_with("Function") => {
                member("Name").map_or(Self::Any, Self::CloudfrontFunction)
            }
            Service::CloudFront if operation.contains("Invalidation") => {
                member("DistributionId").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront if operation == "CopyDistribution" => {
                member("PrimaryDistributionId").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront
                if operation.contains("Distribution")
                    && !operation.starts_with("CreateDistribution") =>
            {
                member("Id").map_or(Self::Any, Self::Distribution)
            }
            Service::CloudFront if operation.starts_with("CreateDistribution") => Self::Any,
            Service::CloudFront
                if operation.contains("TagResource") || operation == "ListTagsForResource" =>
            {
                let arn = member("Resource").unwrap_or_default();
                match arn.split_once(":distribution/") {
                    Some((_, id)) => Self::Distribution(id.to_owned()),
                    None => match arn.split_once(":function/") {
                        Some((_, name)) => Self::CloudfrontFunction(name.to_owned()),
                        None => Self::Any,
                    },
                }
            }
            Service::CloudFront => Self::Shared,
            Service::Logs => logs::function_named(input).map_or(Self::Any, Self::Function),
            Service::Sts | Service::Iam => Self::Any,
        }
    }

    /// Its name or id; nothing where it has none.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Distribution(name)
            | Self::Function(name)
            | Self::Lambda(name)
            | Self::CloudfrontFunction(name)
            | Self::Store(name) => name,
            Self::Any | Self::Shared | Self::Nobodys => "",
        }
    }

    pub(super) fn resource(&self) -> Resource<'_> {
        match self {
            Self::Any => Resource::Any,
            Self::Shared => Resource::Shared,
            Self::Distribution(id) => Resource::Distribution(id),
            Self::Function(name) => Resource::Function(name),
            Self::Lambda(name) => Resource::Lambda(name),
            Self::CloudfrontFunction(name) => Resource::CloudfrontFunction(name),
            Self::Store(name) => Resource::Store(name),
            Self::Nobodys => NOBODYS,
        }
    }
}
