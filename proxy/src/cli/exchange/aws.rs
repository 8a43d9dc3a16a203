//! `fourfront import aws` (CP-613): asks the AWS CLI that is found on PATH for distributions and all that they name, and writes
//! its answers as [`fourfront_import::read_aws_json`] reads them. Credentials stay with the AWS CLI, and it is asked for nothing
//! that changes anything: [`CALLS`] are all that it is called with.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use fourfront_model::{
    managed_cache_policy, managed_origin_request_policy, managed_response_headers_policy,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli::{
    Exit,
    address::{self, Failure},
    output::{detail, note, progress},
};

/// All that AWS is asked: services and operations of its CLI, each of which only reads.
const CALLS: [(&str, &str); 15] = [
    ("cloudfront", "list-distributions"),
    ("cloudfront", "get-distribution"),
    ("cloudfront", "get-cache-policy"),
    ("cloudfront", "get-origin-request-policy"),
    ("cloudfront", "get-response-headers-policy"),
    ("cloudfront", "get-origin-access-control"),
    ("cloudfront", "get-cloud-front-origin-access-identity"),
    ("cloudfront", "get-key-group"),
    ("cloudfront", "get-public-key"),
    ("cloudfront", "describe-function"),
    ("cloudfront", "get-function"),
    ("cloudfront", "list-key-value-stores"),
    ("cloudfront-keyvaluestore", "list-keys"),
    ("lambda", "get-function"),
    ("sts", "get-caller-identity"),
];

/// The most bytes of a function's package: Lambda's own limit is 50 MB packed.
const MOST_CODE: usize = 64 << 20;

/// Whose account is read, and by which program.
#[derive(Debug, Args)]
pub(super) struct AwsArgs {
    /// Ids of distributions. Default: all of the account, but for staging distributions.
    #[arg(value_name = "DISTRIBUTION")]
    distributions: Vec<String>,
    /// A profile of the AWS CLI. Default: what it takes itself.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The AWS CLI, where it is not `aws` on PATH.
    #[arg(long, value_name = "PROGRAM", default_value = "aws")]
    aws: PathBuf,
    /// Keep what AWS answers in this directory, which `fourfront import aws-json` reads again. It may hold secrets.
    #[arg(long, value_name = "DIRECTORY")]
    save: Option<PathBuf>,
}

/// What was fetched. A directory that was only for this goes with it.
pub(super) struct Fetched {
    pub(super) directory: PathBuf,
    /// What the stack is called where nobody says.
    pub(super) stack: String,
    _temporary: Option<tempfile::TempDir>,
}

/// Fetches everything.
///
/// # Errors
/// The AWS CLI is not there, or what it says.
pub(super) async fn fetch(args: &AwsArgs) -> Result<Fetched, Failure> {
    let failed = |e: std::io::Error| (Exit::Failed, format!("cannot keep what AWS answers: {e}"));
    let temporary = match &args.save {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(failed)?),
    };
    let directory = match (&args.save, &temporary) {
        (Some(directory), _) => {
            let mut builder = fs::DirBuilder::new();
            // What is in configurations of origins is nobody else's business.
            builder.recursive(true).mode(0o700);
            builder.create(directory).map_err(failed)?;
            directory.clone()
        }
        (None, temporary) => {
            let path = temporary.as_ref().map(|made| made.path().to_owned());
            path.unwrap_or_default()
        }
    };
    let account = Account {
        program: &args.aws,
        profile: args.profile.as_deref(),
        directory: &directory,
    };
    account.all(&args.distributions).await?;
    let profile = args
        .profile
        .as_deref()
        .map_or_else(String::new, |p| format!("-{p}"));
    Ok(Fetched {
        directory,
        stack: format!("aws{profile}"),
        _temporary: temporary,
    })
}

/// An account, as the AWS CLI reaches it.
struct Account<'a> {
    program: &'a Path,
    profile: Option<&'a str>,
    directory: &'a Path,
}

/// What distributions name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    /// Operation, id.
    documents: BTreeSet<(&'static str, String)>,
    key_groups: BTreeSet<String>,
    /// Names of CloudFront Functions.
    functions: BTreeSet<String>,
    /// Names and versions.
    lambdas: BTreeSet<(String, String)>,
}

impl Account<'_> {
    async fn all(&self, given: &[String]) -> Result<(), Failure> {
        let caller = self.call("sts", "get-caller-identity", &[])?;
        let account = caller["Account"].as_str().unwrap_or("?");
        progress(&format_args!("reading the account {account}"));
        let ids = match given {
            [] => self.distributions()?,
            given => given.to_vec(),
        };
        let mut named = Named::default();
        for id in &ids {
            progress(&format_args!("distribution {id}"));
            let mut told = self.call("cloudfront", "get-distribution", &["--id", id])?;
            let config = &mut told["Distribution"]["DistributionConfig"];
            named.gather(config);
            // What is tried out there is not tried out here.
            if let Some(policy) = config.get_mut("ContinuousDeploymentPolicyId")
                && policy.as_str().is_some_and(|id| !id.is_empty())
            {
                note(&format_args!("{id}: what is staged beside it is left out"));
                *policy = json!("");
            }
            self.keep(id, "json", &told)?;
        }
        for group in &named.key_groups.clone() {
            let told = self.call("cloudfront", "get-key-group", &["--id", group])?;
            let keys = told.pointer("/KeyGroup/KeyGroupConfig/Items");
            for key in keys.and_then(Value::as_array).into_iter().flatten() {
                named.document("get-public-key", Some(key));
            }
            self.keep(group, "json", &told)?;
        }
        for (operation, id) in &named.documents {
            let told = self.call("cloudfront", operation, &["--id", id])?;
            self.keep(id, "json", &told)?;
        }
        let mut stores = BTreeSet::new();
        for name in &named.functions {
            progress(&format_args!("function {name}"));
            stores.extend(self.cloudfront_function(name)?);
        }
        self.stores(&stores)?;
        for (name, version) in &named.lambdas {
            progress(&format_args!("function {name}:{version}"));
            self.lambda(name, version).await?;
        }
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        note(&format_args!(
            "read of the account {account}: {}, {}, {}",
            count(ids.len(), "distribution"),
            count(named.lambdas.len() + named.functions.len(), "function"),
            count(stores.len(), "key-value store"),
        ));
        Ok(())
    }

    fn distributions(&self) -> Result<Vec<String>, Failure> {
        let told = self.call("cloudfront", "list-distributions", &[])?;
        let items = told.pointer("/DistributionList/Items");
        let items = items.and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<String> = items
            .filter(|item| item["Staging"] != json!(true))
            .filter_map(|item| item["Id"].as_str().map(str::to_owned))
            .collect();
        match ids.is_empty() {
            true => Err((Exit::Failed, "the account has no distributions".to_owned())),
            false => Ok(ids),
        }
    }

    /// The ARNs of the stores that it reads.
    fn cloudfront_function(&self, name: &str) -> Result<Vec<String>, Failure> {
        let live = ["--name", name, "--stage", "LIVE"];
        let told = self.call("cloudfront", "describe-function", &live)?;
        self.keep(name, "json", &told)?;
        let code = self.path(name, "js")?;
        let code = code.to_string_lossy().into_owned();
        let [a, b, c, d] = live;
        self.call("cloudfront", "get-function", &[a, b, c, d, &code])?;
        let items = told.pointer("/FunctionSummary/FunctionConfig/KeyValueStoreAssociations/Items");
        let items = items.and_then(Value::as_array).into_iter().flatten();
        Ok(items
            .filter_map(|item| item["KeyValueStoreARN"].as_str().map(str::to_owned))
            .collect())
    }

    fn stores(&self, arns: &BTreeSet<String>) -> Result<(), Failure> {
        if arns.is_empty() {
            return Ok(());
        }
        let told = self.call("cloudfront", "list-key-value-stores", &[])?;
        let items = told.pointer("/KeyValueStoreList/Items");
        let items = items.and_then(Value::as_array).into_iter().flatten();
        for store in items {
            let (Some(name), Some(arn)) = (store["Name"].as_str(), store["ARN"].as_str()) else {
                continue;
            };
            if !arns.contains(arn) {
                continue;
            }
            progress(&format_args!("key-value store {name}"));
            self.keep(name, "store.json", &json!({ "KeyValueStore": store }))?;
            match self.call("cloudfront-keyvaluestore", "list-keys", &["--kvs-arn", arn]) {
                Ok(told) => {
                    let pairs = told["Items"].as_array().into_iter().flatten();
                    let pairs: Vec<Value> = pairs
                        .map(|pair| json!({ "key": pair["Key"], "value": pair["Value"] }))
                        .collect();
                    self.keep(name, "data.json", &json!({ "data": pairs }))?;
                }
                // A right of its own, and a signature that the CLI can only make with awscrt.
                Err((_, why)) => note(&format_args!("{name}: its keys are left out: {why}")),
            }
        }
        Ok(())
    }

    async fn lambda(&self, name: &str, version: &str) -> Result<(), Failure> {
        let which = ["--function-name", name, "--qualifier", version];
        let told = self.call("lambda", "get-function", &which)?;
        let stem = format!("{name}-{version}");
        let configuration = json!({ "Configuration": told["Configuration"] });
        self.keep(&stem, "json", &configuration)?;
        let link = told.pointer("/Code/Location").and_then(Value::as_str);
        let Some(link) = link else {
            return Err((
                Exit::Failed,
                format!("{name}: AWS gives no link to its code"),
            ));
        };
        // The link lets in whoever has it: messages name the function.
        let code = address::download(link, MOST_CODE).await.map_err(|e| {
            let message = format!("the code of {name}:{version} cannot be fetched: {e}");
            (Exit::Failed, message)
        })?;
        let sum = told["Configuration"]["CodeSha256"].as_str();
        if sum.is_some_and(|sum| sum != STANDARD.encode(Sha256::digest(&code))) {
            let message = format!("the code of {name}:{version} has another SHA-256 than AWS says");
            return Err((Exit::Failed, message));
        }
        self.write(&self.path(&stem, "zip")?, &code)
    }

    /// Calls the AWS CLI, and gives what it prints.
    fn call(&self, service: &str, operation: &str, args: &[&str]) -> Result<Value, Failure> {
        if !CALLS.contains(&(service, operation)) {
            let message = format!("aws {service} {operation} is not among what AWS is asked");
            return Err((Exit::Failed, message));
        }
        let mut command = Command::new(self.program);
        // Functions at the edge are those of this region, and CloudFront is nowhere else.
        command.args(["--output", "json", "--region", "us-east-1"]);
        if let Some(profile) = self.profile {
            command.args(["--profile", profile]);
        }
        command
            .args([service, operation])
            .args(args)
            .env("AWS_PAGER", "");
        let began = Instant::now();
        let done = command.output().map_err(|e| {
            let program = self.program.display();
            let message = match e.kind() {
                ErrorKind::NotFound => format!(
                    "there is no `{program}`: install the AWS CLI, or name it with --aws; `fourfront import aws-json` reads \
                     files without it"
                ),
                _ => format!("{program}: {e}"),
            };
            (Exit::Failed, message)
        })?;
        detail(|| {
            let took = began.elapsed().as_secs_f64() * 1e3;
            format!("aws {service} {operation} {}: {took:.0} ms", args.join(" "))
        });
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let said: Vec<&str> = said
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .collect();
            let message = format!("aws {service} {operation}: {}", said.join(" "));
            return Err((Exit::Failed, message));
        }
        if done.stdout.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&done.stdout).map_err(|e| {
            let message = format!("aws {service} {operation}: what it prints is no JSON: {e}");
            (Exit::Failed, message)
        })
    }

    fn keep(&self, stem: &str, extension: &str, value: &Value) -> Result<(), Failure> {
        let text = format!("{value:#}\n");
        self.write(&self.path(stem, extension)?, text.as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
        written.map_err(|e| (Exit::Failed, format!("{}: {e}", path.display())))
    }

    /// A file of this name. Names come from an answer: they may not lead anywhere else.
    fn path(&self, stem: &str, extension: &str) -> Result<PathBuf, Failure> {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || "-_.$".contains(c);
        match !stem.is_empty() && !stem.starts_with('.') && stem.chars().all(is_fine) {
            true => Ok(self.directory.join(format!("{stem}.{extension}"))),
            false => Err((Exit::Failed, format!("`{stem}` is no name that AWS gives"))),
        }
    }
}

impl Named {
    /// Notes what a distribution names.
    fn gather(&mut self, config: &Value) {
        let list = |value: &Value, pointer: &str| -> Vec<Value> {
            let items = value.pointer(pointer).and_then(Value::as_array);
            items.cloned().unwrap_or_default()
        };
        for origin in list(config, "/Origins/Items") {
            self.document(
                "get-origin-access-control",
                origin.get("OriginAccessControlId"),
            );
            let identity = origin.pointer("/S3OriginConfig/OriginAccessIdentity");
            let identity = identity.and_then(Value::as_str).unwrap_or_default();
            let id = identity.rsplit('/').next().unwrap_or_default();
            self.document("get-cloud-front-origin-access-identity", Some(&json!(id)));
        }
        let mut behaviors = list(config, "/CacheBehaviors/Items");
        behaviors.extend(config.get("DefaultCacheBehavior").cloned());
        for behavior in &behaviors {
            for (member, operation) in [
                ("CachePolicyId", "get-cache-policy"),
                ("OriginRequestPolicyId", "get-origin-request-policy"),
                ("ResponseHeadersPolicyId", "get-response-headers-policy"),
            ] {
                self.document(operation, behavior.get(member));
            }
            for group in list(behavior, "/TrustedKeyGroups/Items") {
                self.key_groups.extend(group.as_str().map(str::to_owned));
            }
            for function in list(behavior, "/FunctionAssociations/Items") {
                let arn = function["FunctionARN"].as_str().unwrap_or_default();
                self.functions
                    .extend(arn.rsplit('/').next().map(str::to_owned));
            }
            for lambda in list(behavior, "/LambdaFunctionAssociations/Items") {
                let arn = lambda["LambdaFunctionARN"].as_str().unwrap_or_default();
                let mut parts = arn.rsplit(':');
                if let (Some(version), Some(name)) = (parts.next(), parts.next()) {
                    self.lambdas.insert((name.to_owned(), version.to_owned()));
                }
            }
        }
    }

    /// A document that is named by its id. Managed ones are the same everywhere.
    fn document(&mut self, operation: &'static str, id: Option<&Value>) {
        let id = id.and_then(Value::as_str).unwrap_or_default();
        let is_managed = match operation {
            "get-cache-policy" => managed_cache_policy(id).is_some(),
            "get-origin-request-policy" => managed_origin_request_policy(id).is_some(),
            "get-response-headers-policy" => managed_response_headers_policy(id).is_some(),
            _ => false,
        };
        if !id.is_empty() && !is_managed {
            self.documents.insert((operation, id.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_called_that_changes_anything() {
        // CP-613
        for (_, operation) in CALLS {
            let reads = ["get-", "list-", "describe-"];
            assert!(
                reads.iter().any(|verb| operation.starts_with(verb)),
                "{operation}"
            );
        }
        let account = Account {
            program: Path::new("/bin/false"),
            profile: None,
            directory: Path::new("."),
        };
        let refused = account.call("cloudfront", "delete-distribution", &[]);
        assert!(refused.unwrap_err().1.contains("not among"));
        for stem in ["", "../x", "a/b", ".x", "a b"] {
            assert!(account.path(stem, "json").is_err(), "{stem}");
        }
        assert!(account.path("edge-$LATEST_1.a", "zip").is_ok());
    }

    #[test]
    fn what_a_distribution_names_is_fetched_once() {
        // CP-613
        let mut named = Named::default();
        let behavior = json!({
            "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6", "OriginRequestPolicyId": "O1", "ResponseHeadersPolicyId": "",
            "TrustedKeyGroups": { "Items": ["G1"] },
            "FunctionAssociations": { "Items": [{ "FunctionARN": "arn:aws:cloudfront::1:function/cff" }] },
            "LambdaFunctionAssociations": { "Items": [
                { "LambdaFunctionARN": "arn:aws:lambda:us-east-1:1:function:edge:7" }] },
        });
        named.gather(&json!({
            "Origins": { "Items": [
                { "OriginAccessControlId": "A1", "S3OriginConfig": { "OriginAccessIdentity": "" } },
                { "OriginAccessControlId": "",
                  "S3OriginConfig": { "OriginAccessIdentity": "origin-access-identity/cloudfront/I1" } },
            ] },
            "DefaultCacheBehavior": behavior, "CacheBehaviors": { "Items": [behavior] },
        }));
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|n| (*n).to_owned())
                .collect::<BTreeSet<_>>()
        };
        let want = Named {
            documents: [
                ("get-origin-request-policy", "O1"),
                ("get-origin-access-control", "A1"),
                ("get-cloud-front-origin-access-identity", "I1"),
            ]
            .map(|(o, id)| (o, id.to_owned()))
            .into(),
            key_groups: set(&["G1"]),
            functions: set(&["cff"]),
            lambdas: [("edge".to_owned(), "7".to_owned())].into(),
        };
        assert_eq!(named, want);
    }
}
