//! `fourfront invoke` (CP-605): runs a deployed function once on a node, with an event from a file and outside any request.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, text},
    output::{self, OutputArgs, note},
};

#[derive(Debug, Args)]
pub(super) struct InvokeArgs {
    /// The function's name.
    function: String,
    /// A JSON file with the event, as CloudFront would send it.
    event: PathBuf,
    /// A number, an alias or `$LATEST`; `LIVE` or `DEVELOPMENT` of a CloudFront Function. Without it `$LATEST`, or what is
    /// published of a CloudFront Function.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Which kind, where there is one of either with the name.
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Lambda,
    Cloudfront,
}

pub(super) fn run(args: &InvokeArgs) -> Exit {
    address::talk(async {
        let mut asked = json!({ "function": args.function, "event": event(args)? });
        if let Some(version) = &args.version {
            asked["version"] = json!(version);
        }
        if let Some(kind) = args.kind {
            asked["kind"] = match kind {
                Kind::Lambda => json!("lambda"),
                Kind::Cloudfront => json!("cloudfront"),
            };
        }
        let node = NodeAddress::at(&args.node)?;
        let path = "/_fourfront/v1/test";
        let told = node.ask_long(Method::POST, path, Some(&asked)).await?;
        for line in told["log"].as_array().into_iter().flatten() {
            note(&output::visible_lines(line.as_str().unwrap_or_default()));
        }
        if let Some(used) = told["compute_utilization"].as_u64() {
            note(&format_args!("{used} % of the time that it may compute"));
        }
        args.output
            .show(&told, |told| format!("{:#}\n", told["result"]))?;
        match told["error"].is_object() {
            true => Err((Exit::Failed, fault(&told))),
            false => Ok(()),
        }
    })
}

fn event(args: &InvokeArgs) -> Result<Value, Failure> {
    let path = args.event.display();
    let read =
        fs::read_to_string(&args.event).map_err(|e| (Exit::Usage, format!("{path}: {e}")))?;
    serde_json::from_str(&read).map_err(|e| (Exit::Usage, format!("{path}: {e}")))
}

/// What a function failed with.
fn fault(told: &Value) -> String {
    let fault = format!(
        "{} {}: {}: {}",
        text(told, "function"),
        text(told, "version"),
        text(&told["error"], "type"),
        text(&told["error"], "message"),
    );
    output::visible_lines(&fault).into_owned()
}
