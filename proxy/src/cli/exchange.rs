//! `fourfront import` (CP-350, CP-613): what other tools wrote, as a plan.

mod aws;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fourfront_import::{Options, Plan, SourceKind, detect, read, read_aws_json};
use serde_json::json;

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs},
    deploy::{ApplyArgs, ReadArgs, account, apply, unreadable},
    output::OutputArgs,
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
