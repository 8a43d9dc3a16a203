//! `fourfront deploy` (CP-300..306, CP-603): reads a project or a site file, packs its code, and has a node make a release of it. Nothing of
//! the project is executed, so that what takes time is the node's compiling alone (CP-710).

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use fourfront_control::read_plan;
use fourfront_import::{ImportErrors, Options, PackLimits, Plan, SourceKind, detect, read};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Exit,
    address::{self, Call, Failure, LONG, NodeAddress, NodeArgs, text},
    output::{self, OutputArgs, note, progress},
};

/// The most that the first content of a store may be, in bytes: its quota, and what JSON adds.
const MOST_DATA: u64 = 32 << 20;

/// How a project is read.
#[derive(Debug, Default, Args)]
pub(super) struct ReadArgs {
    /// Name of the stack. Default: what the project says, or its directory.
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Stage of the Serverless Framework.
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// A value of the file in the place of another, as in `functions.edge.timeout=3`, or one that is kept in AWS, as in
    /// `ssm:/path=value`. May be given again.
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// A parameter of the template. May be given again.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Properties that nobody knows are errors.
    #[arg(long)]
    strict: bool,
    /// Keep the environment of functions, which Lambda@Edge has not.
    #[arg(long)]
    keep_env: bool,
}

/// What `fourfront deploy` is called with.
#[derive(Debug, Args)]
pub(super) struct DeployArgs {
    /// A `serverless.yml`, `.serverless/`, SAM or CloudFormation template, `cdk.out/`, `fourfront.yaml`, a distribution's JSON,
    /// or a directory that holds one of these.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Show what would be done, and do nothing.
    #[arg(long)]
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

/// How a plan is applied.
#[derive(Debug, Default, Args)]
pub(super) struct ApplyArgs {
    /// Remove what the stack had before and has no longer.
    #[arg(long)]
    prune: bool,
    /// What the release is called in lists.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    /// Return when it is in force on all nodes. On a single node it is when the command returns, in any case.
    #[arg(long)]
    wait: bool,
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(args: &DeployArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let plan = plan(&node, &args.path, &args.read).await?;
        apply(&node, &plan, &args.how, args.dry_run, args.output).await
    })
}

/// Reads a project for a node.
pub(super) async fn plan(node: &NodeAddress, path: &Path, how: &ReadArgs) -> Result<Plan, Failure> {
    let kind = detect(path).map_err(unreadable)?;
    progress(&format_args!("reading {}", path.display()));
    let account = account(node).await?;
    match kind {
        SourceKind::Fourfront => how.site_file(path),
        _ => read(path, &how.options(&account)).map_err(unreadable),
    }
}

impl ReadArgs {
    /// Reads a site file, which has its own variables (CP-643) and is always read strictly.
    fn site_file(&self, path: &Path) -> Result<Plan, Failure> {
        for (given, option, instead) in [
            (
                !self.set.is_empty(),
                "--set",
                "`${VAR}` and the environment",
            ),
            (
                !self.parameters.is_empty(),
                "--parameter",
                "`${VAR}` and the environment",
            ),
            (self.stage.is_some(), "--stage", "`--stack`"),
        ] {
            if given {
                let message = format!("{option} means nothing to a site file: use {instead}");
                return Err((Exit::Usage, message));
            }
        }
        let env = |name: &str| env::var(name).ok();
        read_plan(path, self.stack.as_deref(), &env).map_err(|e| (Exit::Failed, e.to_string()))
    }

    pub(super) fn options(&self, account: &str) -> Options {
        Options {
            name: self.stack.clone(),
            stage: self.stage.clone(),
            account: Some(account.to_owned()),
            set: self.set.iter().cloned().collect(),
            params: self.parameters.iter().cloned().collect(),
            // What is no text is nothing that a file could name.
            env: env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            strict: self.strict,
            keep_env: self.keep_env,
            ..Options::default()
        }
    }
}

/// The account that the node's ARNs name.
pub(super) async fn account(node: &NodeAddress) -> Result<String, Failure> {
    let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
    match status["control"]["account"].as_str() {
        Some(account) => Ok(account.to_owned()),
        None => {
            let message = format!(
                "the node at {node} keeps no control state: set `node.data_dir` in its site file"
            );
            Err((Exit::Failed, message))
        }
    }
}

pub(super) fn unreadable(errors: ImportErrors) -> Failure {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    (Exit::Failed, all.join("\n"))
}

/// Sends what a plan needs, and has it planned or released.
pub(super) async fn apply(
    node: &NodeAddress,
    plan: &Plan,
    how: &ApplyArgs,
    is_dry: bool,
    form: OutputArgs,
) -> Result<(), Failure> {
    let artifacts = upload(node, plan).await?;
    let deploy = json!({
        "plan": plan, "artifacts": artifacts, "prune": how.prune, "message": how.message,
    });
    let path = match is_dry {
        true => "/_fourfront/v1/plan",
        false => "/_fourfront/v1/releases",
    };
    progress(&"compiling and checking");
    let mut told = node.ask_long(Method::POST, path, Some(&deploy)).await?;
    for note in &plan.notes {
        output::line(&note.to_string());
    }
    if is_dry {
        return form.show(&told, steps);
    }
    output::line(steps(&told).trim_end());
    let release = text(&told, "release");
    let stack = text(&told, "stack");
    match told["unchanged"] == json!(true) {
        true => note(&format_args!("nothing changed: {release} of {stack} stays")),
        false => note(&format_args!("{release} of {stack} is in force")),
    }
    let urls = urls(node, &told).await;
    if !urls.is_empty() {
        note(&format_args!("served at {}", urls.join(" ")));
    }
    told["urls"] = json!(urls);
    form.show(&told, |told| format!("{}\n", text(told, "release")))
}

/// Where what was deployed is found: its hosts, with the port that the node listens on for viewers.
async fn urls(node: &NodeAddress, told: &Value) -> Vec<String> {
    let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await;
    let listener = status.ok().and_then(|status| {
        let first = status["listeners"][0].as_str()?;
        Some(first.to_owned())
    });
    let hosts = told["hosts"].as_array().into_iter().flatten();
    hosts
        .filter_map(Value::as_str)
        .map(|host| url(listener.as_deref(), host))
        .collect()
}

fn url(listener: Option<&str>, host: &str) -> String {
    let at = listener.and_then(|at| at.split_once("://"));
    let port = at.and_then(|(_, authority)| authority.rsplit_once(':'));
    match (at, port) {
        (Some(("http", _)), Some((_, "80"))) => format!("http://{host}/"),
        (Some((scheme, _)), Some((_, port))) => format!("{scheme}://{host}:{port}/"),
        _ => host.to_owned(),
    }
}

/// What is done with each resource.
pub(super) fn steps(told: &Value) -> String {
    let all = told["steps"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = all
        .map(|step| {
            ["action", "kind", "id", "name", "place"]
                .iter()
                .map(|member| step[*member].as_str().unwrap_or_default().to_owned())
                .collect()
        })
        .collect();
    output::table(&["ACTION", "KIND", "ID", "NAME", "PLACE"], &rows)
}

/// Packs all code, and sends what the node has not yet. SHA-256 by kind and logical id.
pub(super) async fn upload(
    node: &NodeAddress,
    plan: &Plan,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut sent = BTreeMap::new();
    let limits = PackLimits::default();
    for function in &plan.functions {
        let code = &function.item.code;
        if is_remote(code) {
            continue;
        }
        let packed = code.pack(&limits).map_err(|e| {
            let message = format!("{}: function {}: {e}", function.place, function.id);
            (Exit::Failed, message)
        })?;
        let sum = send(node, &format!("function {}", function.id), packed).await?;
        sent.insert(format!("function:{}", function.id), sum);
    }
    for store in &plan.stores {
        let Some(data) = store.item.data.as_ref().filter(|data| !is_remote(data)) else {
            continue;
        };
        let data = data.read_data(MOST_DATA).map_err(|e| {
            let message = format!("{}: store {}: {e}", store.place, store.id);
            (Exit::Failed, message)
        })?;
        let sum = send(node, &format!("store {}", store.id), data).await?;
        sent.insert(format!("store:{}", store.id), sum);
    }
    Ok(sent)
}

/// Objects of buckets are looked up by the node (CP-075).
const fn is_remote(artifact: &fourfront_import::Artifact) -> bool {
    matches!(artifact, fourfront_import::Artifact::S3 { .. })
}

async fn send(node: &NodeAddress, what: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    let digest = Sha256::digest(&bytes);
    let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = format!("/_fourfront/v1/artifacts/sha256/{sum}");
    if node.has(&path).await? {
        return Ok(sum);
    }
    progress(&format_args!("sending {what}: {} bytes", bytes.len()));
    let call = Call {
        media_type: Some("application/octet-stream"),
        body: Bytes::from(bytes),
        patience: LONG,
        ..Call::new(Method::PUT, &path)
    };
    node.call(call).await?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_names_and_values() {
        // CP-303, CP-340
        assert_eq!(pair("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=a").is_err());
    }

    #[test]
    fn hosts_become_urls_of_the_node() {
        // CP-301
        assert_eq!(
            url(Some("http://127.0.0.1:8080"), "a.test"),
            "http://a.test:8080/"
        );
        assert_eq!(url(Some("http://[::]:80"), "a.test"), "http://a.test/");
        assert_eq!(url(None, "a.test"), "a.test");
    }

    #[test]
    fn steps_are_told_with_their_places() {
        // CP-301
        let told = json!({ "steps": [
            { "action": "create", "kind": "function", "id": "Edge", "name": "s-dev-edge", "place": "serverless.yml:8:3" },
            { "action": "keep", "kind": "store", "id": "S", "name": "s", "place": "" },
        ] });
        let shown = steps(&told);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert!(
            lines[1].ends_with("s-dev-edge  serverless.yml:8:3"),
            "{shown}"
        );
        assert_eq!(lines[2], "keep    store     S     s");
    }
}
