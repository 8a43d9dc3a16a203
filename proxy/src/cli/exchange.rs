//! `fourfront import` and `export` (CP-350, CP-351, CP-613): what other tools wrote, as a plan; what a node has, as other tools
//! read it.

mod aws;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use fourfront_import::{Options, Plan, SourceKind, detect, read, read_aws_json, to_cloudformation};
use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, items, text},
    deploy::{ApplyArgs, ReadArgs, account, apply, unreadable},
    output::{self, OutputArgs},
    releases::segment,
};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Answers of the AWS CLI: `get-distribution-config`, `get-cache-policy`, `get-function` and so on, as files or directories
    /// of them.
    AwsJson {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// An account of AWS: its distributions with the policies, functions and stores that they name, as the AWS CLI tells them.
    ///
    /// It is asked `sts get-caller-identity`; of `cloudfront` `list-distributions`, `get-distribution`, `get-cache-policy`,
    /// `get-origin-request-policy`, `get-response-headers-policy`, `get-origin-access-control`,
    /// `get-cloud-front-origin-access-identity`, `get-key-group`, `get-public-key`, `describe-function`, `get-function` and
    /// `list-key-value-stores`; `cloudfront-keyvaluestore list-keys`; `lambda get-function`. Nothing is changed there.
    #[command(verbatim_doc_comment)]
    Aws {
        #[command(flatten)]
        account: aws::AwsArgs,
        #[command(flatten)]
        common: Common,
    },
    /// A template of CloudFormation or SAM, or `cdk.out/`.
    Cloudformation {
        path: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// A serverless.yml, or `.serverless/`.
    Serverless {
        path: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Deploy it, where it is only shown otherwise.
    #[arg(long)]
    deploy: bool,
    /// Have a node say what a deploy would do, and do nothing. Without this and `--deploy` no node is asked.
    #[arg(long, conflicts_with = "deploy")]
    dry_run: bool,
    #[command(flatten)]
    how: ApplyArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn import(args: &ImportArgs) -> Exit {
    address::talk(async {
        match &args.command {
            ImportCommand::AwsJson { paths, common } => {
                common.import(|options| read_aws_json(paths, options)).await
            }
            ImportCommand::Aws { account, common } => {
                let fetched = aws::fetch(account).await?;
                let paths = [fetched.directory.clone()];
                let read = |options: &Options| {
                    let mut options = options.clone();
                    options.name.get_or_insert_with(|| fetched.stack.clone());
                    read_aws_json(&paths, &options)
                };
                common.import(read).await
            }
            ImportCommand::Cloudformation { path, common } => {
                let kinds = [SourceKind::CloudFormation, SourceKind::Sam, SourceKind::Cdk];
                is_one_of(path, &kinds)?;
                common.import(|options| read(path, options)).await
            }
            ImportCommand::Serverless { path, common } => {
                is_one_of(
                    path,
                    &[SourceKind::Serverless, SourceKind::ServerlessPackage],
                )?;
                common.import(|options| read(path, options)).await
            }
        }
    })
}

fn is_one_of(path: &std::path::Path, kinds: &[SourceKind]) -> Result<(), Failure> {
    let kind = detect(path).map_err(unreadable)?;
    match kinds.contains(&kind) {
        true => Ok(()),
        false => {
            let found = json!(kind);
            let message = format!("{} is {found}", path.display());
            Err((Exit::Usage, message))
        }
    }
}

impl Common {
    async fn import(
        &self,
        read: impl FnOnce(&Options) -> Result<Plan, fourfront_import::ImportErrors>,
    ) -> Result<(), Failure> {
        if self.deploy || self.dry_run {
            let node = NodeAddress::at(&self.node)?;
            let options = self.read.options(&account(&node).await?);
            let plan = read(&options).map_err(unreadable)?;
            return apply(&node, &plan, &self.how, self.dry_run, self.output).await;
        }
        // No node is needed to look at a project.
        let plan = read(&self.read.options("000000000000")).map_err(unreadable)?;
        self.output.show(&json!(plan), |_| {
            let lines = plan.describe().into_iter().map(|line| line + "\n");
            lines.collect()
        })
    }
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// As `aws cloudfront get-distribution-config` prints it.
    AwsJson,
    /// A template with the distribution and the policies it names.
    Cloudformation,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Id of the distribution, where there are several.
    distribution: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "aws-json")]
    format: ExportFormat,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn export(args: &ExportArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let found = match &args.distribution {
            Some(id) => {
                let path = format!("/_fourfront/v1/config/distribution/{}", segment(id));
                node.ask(Method::GET, &path, None).await?
            }
            None => only(&node).await?,
        };
        let config = &found["body"]["config"];
        let document = match args.format {
            ExportFormat::AwsJson => {
                json!({ "ETag": found["etag"], "DistributionConfig": config })
            }
            ExportFormat::Cloudformation => template(&node, config).await?,
        };
        output::print(&format!("{document:#}\n"))
    })
}

async fn only(node: &NodeAddress) -> Result<Value, Failure> {
    let all = node
        .ask(Method::GET, "/_fourfront/v1/config/distribution", None)
        .await?;
    match items(&all) {
        [one] => Ok(one.clone()),
        [] => Err((Exit::Failed, "nothing was deployed to this node".to_owned())),
        several => {
            let ids: Vec<&str> = several.iter().map(|d| text(d, "id")).collect();
            let message = format!("which distribution? one of {}", ids.join(", "));
            Err((Exit::Usage, message))
        }
    }
}

/// Kinds of policies: as behaviours name them, as the node does, and as CloudFormation does.
const POLICIES: [(&str, &str, &str); 3] = [
    ("CachePolicyId", "cache-policy", "CachePolicy"),
    (
        "OriginRequestPolicyId",
        "origin-request-policy",
        "OriginRequestPolicy",
    ),
    (
        "ResponseHeadersPolicyId",
        "response-headers-policy",
        "ResponseHeadersPolicy",
    ),
];

/// A template with a distribution and those of the node's own policies that it names. Managed ones have the same ids everywhere.
async fn template(node: &NodeAddress, config: &Value) -> Result<Value, Failure> {
    let mut properties = to_cloudformation("DistributionConfig", config);
    let mut resources = Map::new();
    for (member, kind, word) in POLICIES {
        let path = format!("/_fourfront/v1/config/{kind}");
        let all = node.ask(Method::GET, &path, None).await?;
        for policy in items(&all) {
            let logical = format!("{word}{}", resources.len() + 1);
            if !refer(&mut properties, member, &policy["id"], &logical) {
                continue;
            }
            let name = format!("{word}Config");
            let config = to_cloudformation(&name, &policy["body"]["config"]);
            let resource = json!({
                "Type": format!("AWS::CloudFront::{word}"), "Properties": { name: config },
            });
            resources.insert(logical, resource);
        }
    }
    let distribution = json!({
        "Type": "AWS::CloudFront::Distribution", "Properties": { "DistributionConfig": properties },
    });
    resources.insert("Distribution".to_owned(), distribution);
    Ok(json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": resources }))
}

/// Puts a reference wherever a member has this id. Whether it was anywhere.
fn refer(value: &mut Value, member: &str, id: &Value, logical: &str) -> bool {
    let mut found = false;
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == member && value == id {
                    *value = json!({ "Ref": logical });
                    found = true;
                } else {
                    found |= refer(value, member, id, logical);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= refer(item, member, id, logical);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_referred_to_wherever_they_are_named() {
        // CP-351
        let mut config =
            json!({ "a": [{ "CachePolicyId": "P1" }, { "CachePolicyId": "P2" }], "Comment": "P1" });
        assert!(refer(
            &mut config,
            "CachePolicyId",
            &json!("P1"),
            "CachePolicy1"
        ));
        assert_eq!(
            config,
            json!({ "a": [{ "CachePolicyId": { "Ref": "CachePolicy1" } }, { "CachePolicyId": "P2" }], "Comment": "P1" })
        );
        assert!(!refer(
            &mut config,
            "CachePolicyId",
            &json!("P3"),
            "CachePolicy1"
        ));
    }
}
