//! `fourfront fn`, `dist` and `policy` (CP-611): what a node has, of what was deployed or made by the API.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, items, text},
    output::{self, OutputArgs, note},
    releases::segment,
};

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum FnCommand {
    /// List functions, of Lambda's kind and CloudFront Functions.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Print a function's document.
    Show {
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a function that no distribution uses.
    Rm {
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DistCommand {
    /// List distributions, those of the site file too.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Print a distribution's document.
    Show {
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a distribution that is disabled.
    Rm {
        id: String,
        /// Disable it first if it is not.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// List policies of all kinds, but for the managed ones, which are everywhere.
    List {
        #[command(flatten)]
        common: Common,
    },
}

/// Kinds of functions, and what lists call them.
const FUNCTIONS: [(&str, &str); 2] = [("lambda", "lambda"), ("cloudfront-function", "cloudfront")];
/// Kinds of policies.
const POLICIES: [&str; 4] = [
    "cache-policy",
    "origin-request-policy",
    "response-headers-policy",
    "continuous-deployment-policy",
];

async fn all(node: &NodeAddress, kind: &str) -> Result<Vec<Value>, Failure> {
    let path = format!("/_fourfront/v1/config/{kind}");
    let told = node.ask(Method::GET, &path, None).await?;
    Ok(items(&told).to_vec())
}

/// The document of a kind by its id, or of the first of several kinds that has one.
async fn one(node: &NodeAddress, kinds: &[&str], id: &str) -> Result<Value, Failure> {
    let mut missing = (Exit::Failed, String::new());
    for kind in kinds {
        let path = format!("/_fourfront/v1/config/{kind}/{}", segment(id));
        match node.ask(Method::GET, &path, None).await {
            Err((Exit::Failed, message)) if message.starts_with("NotFound") => {
                missing.1 = message;
            }
            told => return told,
        }
    }
    Err(missing)
}

async fn remove(node: &NodeAddress, kind: &str, id: &str, query: &str) -> Result<(), Failure> {
    let path = format!("/_fourfront/v1/config/{kind}/{}{query}", segment(id));
    node.ask_long(Method::DELETE, &path, None).await?;
    note(&format_args!("{id} is removed"));
    Ok(())
}

/// A document of the API, as a person looks at it.
fn document(told: &Value) -> String {
    format!("{:#}\n", told["body"])
}

pub(super) fn functions(command: &FnCommand) -> Exit {
    let kinds = FUNCTIONS.map(|(kind, _)| kind);
    address::talk(async {
        match command {
            FnCommand::List { common } => {
                let node = NodeAddress::at(&common.node)?;
                let mut found = Vec::new();
                for (kind, word) in FUNCTIONS {
                    found.extend(all(&node, kind).await?.iter().map(|f| function(f, word)));
                }
                common.output.show(&json!({ "items": found }), |told| {
                    rows(
                        told,
                        &["NAME", "KIND", "RUNTIME", "VERSION", "MODIFIED"],
                        &["name", "kind", "runtime", "version", "modified"],
                    )
                })
            }
            FnCommand::Show { name, common } => {
                let node = NodeAddress::at(&common.node)?;
                let told = one(&node, &kinds, name).await?;
                common.output.show(&told, document)
            }
            FnCommand::Rm { name, common } => {
                let node = NodeAddress::at(&common.node)?;
                let found = one(&node, &kinds, name).await?;
                remove(&node, text(&found, "kind"), name, "").await
            }
        }
    })
}

/// A function in short.
fn function(found: &Value, kind: &str) -> Value {
    let body = &found["body"];
    let (runtime, version) = match kind {
        "lambda" => {
            let newest = body["last_version"].as_u64().filter(|n| *n > 0);
            let newest = newest.map_or_else(|| "$LATEST".to_owned(), |n| n.to_string());
            (&body["latest"]["config"]["Runtime"], newest)
        }
        _ => {
            let is_live = !body["live"].is_null();
            let stage = if is_live { "LIVE" } else { "DEVELOPMENT" };
            (&body["development"]["config"]["Runtime"], stage.to_owned())
        }
    };
    json!({
        "name": found["id"], "kind": kind, "runtime": runtime, "version": version, "modified": found["written"],
    })
}

pub(super) fn distributions(command: &DistCommand) -> Exit {
    address::talk(async {
        match command {
            DistCommand::List { common } => {
                let node = NodeAddress::at(&common.node)?;
                let deployed = all(&node, "distribution").await?;
                let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
                let found = listed(&deployed, &status);
                common.output.show(&json!({ "items": found }), |told| {
                    rows(
                        told,
                        &["ID", "DOMAIN", "ALIASES", "STATE", "FROM"],
                        &["id", "domain_name", "aliases", "state", "from"],
                    )
                })
            }
            DistCommand::Show { id, common } => {
                let node = NodeAddress::at(&common.node)?;
                let told = one(&node, &["distribution"], id).await?;
                common.output.show(&told, document)
            }
            DistCommand::Rm { id, force, common } => {
                let node = NodeAddress::at(&common.node)?;
                let query = if *force { "?force=true" } else { "" };
                remove(&node, "distribution", id, query).await
            }
        }
    })
}

/// Distributions of the API, and of the site file, which the node serves as well.
fn listed(deployed: &[Value], status: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = deployed
        .iter()
        .map(|d| {
            let config = &d["body"]["config"];
            let stack = d["body"]["tags"]["fourfront:stack"].as_str();
            let state = match (&config["Staging"], &config["Enabled"]) {
                (Value::Bool(true), _) => "staging",
                (_, Value::Bool(false)) => "disabled",
                _ => "enabled",
            };
            json!({
                "id": d["id"],
                "domain_name": d["body"]["domain_name"],
                "aliases": config["Aliases"]["Items"].as_array().cloned().unwrap_or_default(),
                "state": state,
                "from": stack.map_or_else(|| "api".to_owned(), |stack| format!("stack {stack}")),
            })
        })
        .collect();
    let served = status["distributions"].as_array().into_iter().flatten();
    for d in served {
        if !deployed.iter().any(|known| known["id"] == d["id"]) {
            found.push(json!({
                "id": d["id"], "domain_name": d["domain_name"], "aliases": d["aliases"], "state": "enabled",
                "from": "site file",
            }));
        }
    }
    found
}

pub(super) fn policies(command: &PolicyCommand) -> Exit {
    let PolicyCommand::List { common } = command;
    address::talk(async {
        let node = NodeAddress::at(&common.node)?;
        let mut found = Vec::new();
        for kind in POLICIES {
            found.extend(all(&node, kind).await?.iter().map(|p| {
                let config = &p["body"]["config"];
                json!({
                    "id": p["id"], "kind": kind, "name": config["Name"], "comment": config["Comment"],
                    "modified": p["written"],
                })
            }));
        }
        common.output.show(&json!({ "items": found }), |told| {
            rows(
                told,
                &["ID", "KIND", "NAME", "COMMENT", "MODIFIED"],
                &["id", "kind", "name", "comment", "modified"],
            )
        })
    })
}

/// Items as a table of some of their members.
pub(super) fn rows(told: &Value, head: &[&str], members: &[&str]) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            all.join(",")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> = items(told)
        .iter()
        .map(|item| members.iter().map(|member| cell(&item[*member])).collect())
        .collect();
    output::table(head, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_listed_once() {
        // CP-611
        let deployed = [json!({ "id": "E1", "body": {
            "config": { "Enabled": false }, "domain_name": "a.test", "tags": { "fourfront:stack": "s" },
        } })];
        let status = json!({ "distributions": [
            { "id": "E1", "domain_name": "a.test", "aliases": [] },
            { "id": "E2", "domain_name": "b.test", "aliases": ["x.test", "y.test"] },
        ] });
        let told = json!({ "items": listed(&deployed, &status) });
        let shown = rows(
            &told,
            &["ID", "ALIASES", "STATE", "FROM"],
            &["id", "aliases", "state", "from"],
        );
        assert_eq!(
            shown,
            "ID  ALIASES        STATE     FROM\nE1                 disabled  stack s\nE2  x.test,y.test  enabled   site file\n"
        );
    }
}
