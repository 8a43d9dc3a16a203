//! From the files that other tools deploy with to one [`Plan`] of what a node should hold (section 7 of the control plane's
//! rules).
//!
//! [`detect`] says what a path is (CP-300), [`read`] reads it. There is one reader of CloudFormation: serverless.yml and SAM are
//! compiled to a template first, a CDK assembly is several of them, so that one project gives one plan whichever tool it is
//! written for (CP-704). Nothing of a project is executed (CP-306); where that
//! would be needed, the message names the command that produces a static form.
//!
//! This crate only reads: it makes no calls, writes nothing and asks no clock. What a plan leads to is decided by whoever
//! applies it.
//!
//! # Decisions a user meets
//!
//! - A name that CloudFormation would make up, with random letters, is the stack's name, a dash and the logical id.
//! - `--set` takes a path of the file (`Resources.Site.Properties.DistributionConfig.Enabled`, `functions.edge.timeout`,
//!   `a.list[0]`) or the name of a value that is kept in AWS as it is written: `ssm:/path`, `secretsmanager:name`,
//!   `import:EXPORT`.
//! - Only what is used has to be known: an unsupported intrinsic in a property that nobody reads is no fault.
//! - Properties that are unknown are left out with a warning, or refused when reading strictly.
#![forbid(unsafe_code)]

mod artifact;
mod aws_json;
mod cdk;
mod cloudformation;
mod detect;
mod error;
mod files;
mod parse;
mod place;
mod plan;
mod sam;
mod serverless;
mod set;
mod tree;

use std::{collections::BTreeMap, path::Path};

pub use artifact::{Artifact, PackError, PackLimits, PatternError};
pub use aws_json::read_aws_json;
pub use cloudformation::{Property, Shape, from_cloudformation, properties, to_cloudformation};
pub use detect::{SourceKind, detect};
pub use error::{ImportError, ImportErrors};
pub use place::{Note, NoteKind, Place};
pub use plan::{
    Alias, Attachment, Bucket, Certificate, CloudFrontFunction, Document, Function, Permission,
    Plan, Planned, RefKind, Store, Target, Version, references, substitute,
};

use place::Report;

/// What a caller decides about reading.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name of the stack; else the source's own, or the directory's (CP-302).
    pub name: Option<String>,
    /// `--stage` of the Serverless Framework.
    pub stage: Option<String>,
    /// Region that `AWS::Region` stands for; `us-east-1` unless the source says something else.
    pub region: Option<String>,
    /// Account that `AWS::AccountId` stands for; `000000000000`.
    pub account: Option<String>,
    /// `--set PATH=VALUE` (CP-303, CP-340).
    pub set: BTreeMap<String, String>,
    /// `--parameter KEY=VALUE`: parameters of templates, `${param:..}` of serverless.yml.
    pub params: BTreeMap<String, String>,
    /// The environment, for `${env:..}`; nothing is taken from the process.
    pub env: BTreeMap<String, String>,
    /// Unknown properties are faults (CP-303).
    pub strict: bool,
    /// Environment and network of functions with CloudFront events are kept (CP-331).
    pub keep_env: bool,
    /// Stacks of a CDK assembly; all when empty (CP-361).
    pub stacks: Vec<String>,
    /// A handler may be TypeScript, which `fourfront dev` strips (CP-341).
    pub typescript: bool,
}

impl Options {
    pub(crate) fn account(&self) -> String {
        self.account
            .clone()
            .unwrap_or_else(|| "000000000000".to_owned())
    }
}

/// Reads whatever [`detect`] finds at `path`.
///
/// # Errors
///
/// Every fault found, with its place and path (CP-303).
pub fn read(path: &Path, options: &Options) -> Result<Plan, ImportErrors> {
    let report = Report::new(options.strict);
    let plan = detect::find(path, &report).and_then(|(kind, file)| match kind {
        SourceKind::Serverless => serverless::read(&file, options, &report),
        SourceKind::ServerlessPackage => serverless::read_package(&file, options, &report),
        SourceKind::Sam | SourceKind::CloudFormation => sam::read(&file, options, &report),
        SourceKind::Cdk => cdk::read(&file, options, &report),
        SourceKind::AwsJson => aws_json::read(&[file], options, &report),
        SourceKind::Fourfront => {
            // It has variables, sugar and documents of its own, which its loader knows.
            let message = "is a site file of Fourfront, which its own loader reads";
            files::fault(&report, &file, message, None);
            None
        }
    });
    finish(&report, plan)
}

fn finish(report: &Report, plan: Option<Plan>) -> Result<Plan, ImportErrors> {
    let (errors, notes) = report.take();
    match plan {
        Some(mut plan) if errors.is_empty() => {
            plan.notes = notes;
            Ok(plan)
        }
        _ => Err(ImportErrors::new(errors)),
    }
}
