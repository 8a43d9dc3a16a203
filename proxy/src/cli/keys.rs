//! `fourfront key` (CP-430..432, CP-615): who may use a node. A secret is shown once, when it is made.

use std::io::{self, BufRead as _};

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
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, and print it as `--key` takes it: `ID:SECRET`, or the token.
    Create {
        /// What it is for: admin, deploy, purge, kvs-write, read, logs. May be given again.
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// A bearer token, for scripts that cannot sign.
        #[arg(long, conflicts_with = "import")]
        token: bool,
        /// Only for this distribution. May be given again, as those that follow.
        #[arg(long = "distribution", value_name = "ID")]
        distributions: Vec<String>,
        /// Only for functions whose names begin so.
        #[arg(long = "function", value_name = "PREFIX")]
        functions: Vec<String>,
        /// Only for this stack.
        #[arg(long = "stack", value_name = "NAME")]
        stacks: Vec<String>,
        /// Only for this key-value store; `*` is all of them.
        #[arg(long = "store", value_name = "NAME")]
        stores: Vec<String>,
        /// What it is called in lists.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// Accept an id that exists already; its secret is read from standard input.
        #[arg(long, value_name = "ID")]
        import: Option<String>,
        /// Accept even an id that looks like a live key of AWS.
        #[arg(long, requires = "import")]
        yes_really: bool,
        #[command(flatten)]
        common: Common,
    },
    /// List keys, without their secrets.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Make another key with the same rights; the old one ends after a while.
    Rotate {
        id: String,
        /// For how many seconds the old one is still good.
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
        old_good_for: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Remove a key. It is refused from then on.
    Rm {
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &KeyArgs) -> Exit {
    address::talk(async {
        match &args.command {
            KeyCommand::Create {
                roles,
                token,
                distributions,
                functions,
                stacks,
                stores,
                description,
                import,
                yes_really,
                common,
            } => {
                let mut body = json!({
                    "kind": if *token { "token" } else { "key" },
                    "roles": roles,
                    "distributions": distributions,
                    "function_prefixes": functions,
                    "stacks": stacks,
                    "stores": stores,
                    "description": description,
                });
                if let Some(id) = import {
                    body["import"] =
                        json!({ "key_id": id, "secret": secret()?, "yes_really": yes_really });
                }
                let node = NodeAddress::at(&common.node)?;
                let told = node
                    .ask(Method::POST, "/_fourfront/v1/keys", Some(&body))
                    .await?;
                note(&format_args!(
                    "made {}; this is the only time that it is shown",
                    text(&told, "id")
                ));
                common.output.show(&told, shown)
            }
            KeyCommand::List { common } => list(common).await,
            KeyCommand::Rotate {
                id,
                old_good_for,
                common,
            } => {
                let node = NodeAddress::at(&common.node)?;
                let path = format!("/_fourfront/v1/keys/{}/rotate", segment(id));
                let body = json!({ "old_good_for": old_good_for });
                let told = node.ask(Method::POST, &path, Some(&body)).await?;
                note(&format_args!(
                    "made {}; {id} is good until {}",
                    text(&told, "id"),
                    text(&told, "old_ends")
                ));
                common.output.show(&told, shown)
            }
            KeyCommand::Rm { id, common } => {
                let node = NodeAddress::at(&common.node)?;
                let path = format!("/_fourfront/v1/keys/{}", segment(id));
                node.ask(Method::DELETE, &path, None).await?;
                note(&format_args!("{id} is removed"));
                Ok(())
            }
        }
    })
}

/// A key as `--key` takes it.
fn shown(told: &Value) -> String {
    match told["token"].as_str() {
        Some(token) => format!("{token}\n"),
        None => format!("{}:{}\n", text(told, "id"), text(told, "secret")),
    }
}

/// A secret by standard input: arguments are seen by everybody on the machine.
fn secret() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|e| (Exit::Failed, format!("standard input: {e}")))?;
    match line.trim() {
        "" => Err((
            Exit::Usage,
            "the secret is read from standard input".to_owned(),
        )),
        secret => Ok(secret.to_owned()),
    }
}

async fn list(common: &Common) -> Result<(), Failure> {
    let node = NodeAddress::at(&common.node)?;
    let told = node.ask(Method::GET, "/_fourfront/v1/keys", None).await?;
    common.output.show(&told, |told| {
        let rows: Vec<Vec<String>> = items(told)
            .iter()
            .map(|key| {
                let grants = &key["grants"];
                let names = |member: &str| -> Vec<&str> {
                    let all = grants[member].as_array().into_iter().flatten();
                    all.filter_map(Value::as_str).collect()
                };
                let only: Vec<&str> = ["distributions", "function_prefixes", "stacks", "stores"]
                    .into_iter()
                    .flat_map(names)
                    .collect();
                vec![
                    text(key, "id").to_owned(),
                    text(key, "kind").to_owned(),
                    names("roles").join(","),
                    only.join(","),
                    text(key, "expires").to_owned(),
                    text(key, "description").to_owned(),
                ]
            })
            .collect();
        let head = ["ID", "KIND", "ROLES", "ONLY", "ENDS", "DESCRIPTION"];
        output::table(&head, &rows)
    })
}
