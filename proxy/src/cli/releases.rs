//! `fourfront versions`, `rollback`, `activate` and `diff` (CP-609): what was deployed, and putting it in force again.

use std::collections::BTreeMap;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, items, text},
    output::{self, OutputArgs, note},
};

#[derive(Debug, Args)]
pub(super) struct VersionsArgs {
    /// Only those of one stack.
    stack: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The release to put in force. Default: the one before that which is.
    release: Option<String>,
    /// Of which stack, where there are several and no release is named.
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    stack: Option<String>,
    /// Why.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
pub(super) struct ActivateArgs {
    /// The release to put in force.
    release: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// A release.
    from: String,
    /// Another one.
    to: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn versions(args: &VersionsArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let told = releases(&node, args.stack.as_deref()).await?;
        args.output.show(&told, |told| {
            let mut seen = Vec::new();
            let rows: Vec<Vec<String>> = items(told)
                .iter()
                .map(|release| {
                    let stack = text(release, "stack");
                    let is_newest = !seen.contains(&stack);
                    if is_newest {
                        seen.push(stack);
                    }
                    let mark = if is_newest { "*" } else { "" };
                    vec![
                        text(release, "id").to_owned(),
                        mark.to_owned(),
                        stack.to_owned(),
                        text(release, "created").to_owned(),
                        text(release, "author").to_owned(),
                        text(release, "message").to_owned(),
                    ]
                })
                .collect();
            let head = ["RELEASE", "", "STACK", "CREATED", "BY", "MESSAGE"];
            output::table(&head, &rows)
        })
    })
}

pub(super) fn rollback(args: &RollbackArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let release = match &args.release {
            Some(release) => release.clone(),
            None => {
                let all = releases(&node, args.stack.as_deref()).await?;
                before_the_newest(items(&all))?
            }
        };
        put_in_force(&node, &release, &args.message, args.output).await
    })
}

pub(super) fn activate(args: &ActivateArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        put_in_force(&node, &args.release, &args.message, args.output).await
    })
}

pub(super) fn diff(args: &DiffArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let get = async |id: &str| {
            let path = format!("/_fourfront/v1/releases/{}", segment(id));
            node.ask(Method::GET, &path, None).await
        };
        let changes = changes(&get(&args.from).await?, &get(&args.to).await?);
        args.output.show(&json!({ "items": changes }), |told| {
            let lines = items(told).iter().map(|change| {
                let sign = match text(change, "action") {
                    "add" => '+',
                    "remove" => '-',
                    _ => '~',
                };
                let what = format!("{sign} {} {}", text(change, "kind"), text(change, "id"));
                match change["path"].as_str() {
                    Some(path) => {
                        format!("{what} {path}: {} -> {}\n", change["from"], change["to"])
                    }
                    None => format!("{what}\n"),
                }
            });
            lines.collect()
        })
    })
}

/// Releases, newest first.
async fn releases(node: &NodeAddress, stack: Option<&str>) -> Result<Value, Failure> {
    let query = stack.map_or_else(String::new, |stack| format!("?stack={}", segment(stack)));
    let path = format!("/_fourfront/v1/releases{query}");
    node.ask(Method::GET, &path, None).await
}

/// A text as one segment of a path, or one value of a query.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn before_the_newest(releases: &[Value]) -> Result<String, Failure> {
    let mut stacks: Vec<&str> = releases.iter().map(|r| text(r, "stack")).collect();
    stacks.sort_unstable();
    stacks.dedup();
    if stacks.len() > 1 {
        let message = format!("which stack? --stack is one of {}", stacks.join(", "));
        return Err((Exit::Usage, message));
    }
    match releases {
        [_, before, ..] => Ok(text(before, "id").to_owned()),
        _ => Err((
            Exit::Failed,
            "there is no release before the one in force".to_owned(),
        )),
    }
}

async fn put_in_force(
    node: &NodeAddress,
    release: &str,
    message: &str,
    form: OutputArgs,
) -> Result<(), Failure> {
    let path = format!("/_fourfront/v1/releases/{}/activate", segment(release));
    let body = json!({ "message": message });
    let told = node.ask_long(Method::POST, &path, Some(&body)).await?;
    note(&format_args!(
        "{} of {} is in force, as {release} was",
        text(&told, "release"),
        text(&told, "stack")
    ));
    form.show(&told, |told| format!("{}\n", text(told, "release")))
}

/// In what two releases differ: documents that one of them has alone, and values.
fn changes(from: &Value, to: &Value) -> Vec<Value> {
    let members = |release: &Value| -> BTreeMap<(String, String), Value> {
        let all = release["members"].as_array().into_iter().flatten();
        all.filter(|member| !member["body"].is_null())
            .map(|member| {
                let name = (
                    text(member, "kind").to_owned(),
                    text(member, "id").to_owned(),
                );
                (name, member["body"].clone())
            })
            .collect()
    };
    let (from, to) = (members(from), members(to));
    let mut found = Vec::new();
    for ((kind, id), before) in &from {
        match to.get(&(kind.clone(), id.clone())) {
            None => found.push(json!({ "action": "remove", "kind": kind, "id": id })),
            Some(after) => values(before, after, String::new(), &mut |path, before, after| {
                found.push(json!({
                    "action": "change", "kind": kind, "id": id, "path": path, "from": before, "to": after,
                }));
            }),
        }
    }
    let added = to.keys().filter(|name| !from.contains_key(*name));
    found.extend(added.map(|(kind, id)| json!({ "action": "add", "kind": kind, "id": id })));
    found
}

/// The innermost values that differ. Lists of another length differ as a whole.
fn values(from: &Value, to: &Value, path: String, found: &mut dyn FnMut(&str, &Value, &Value)) {
    match (from, to) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            // When a document was written says nothing of what it is.
            names.retain(|name| !(path.is_empty() && *name == "modified"));
            names.sort();
            names.dedup();
            for name in names {
                let get =
                    |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                let below = match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                values(&get(a), &get(b), below, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                values(a, b, format!("{path}[{at}]"), found);
            }
        }
        _ if from == to => {}
        _ => found(&path, from, to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_before_the_newest_is_found() {
        // CP-609
        let release = |id: &str, stack: &str| json!({ "id": id, "stack": stack });
        let all = [release("r2", "a"), release("r1", "a")];
        assert_eq!(before_the_newest(&all), Ok("r1".to_owned()));
        assert_eq!(before_the_newest(&all[..1]).unwrap_err().0, Exit::Failed);
        assert_eq!(before_the_newest(&[]).unwrap_err().0, Exit::Failed);
        let several = [release("r2", "a"), release("r1", "b")];
        let (exit, message) = before_the_newest(&several).unwrap_err();
        assert_eq!(exit, Exit::Usage);
        assert!(message.ends_with("a, b"), "{message}");
    }

    #[test]
    fn releases_differ_in_documents_and_in_values() {
        // CP-609
        let release = |members: Value| json!({ "members": members });
        let member = |id: &str, body: Value| json!({ "kind": "k", "id": id, "body": body });
        let from = release(json!([
            member("same", json!({ "a": 1, "modified": 1 })),
            member("gone", json!({})),
            member("changed", json!({ "a": { "b": [1, 2] }, "c": 3, "l": [1] })),
        ]));
        let to = release(json!([
            member("same", json!({ "a": 1 })),
            member("new", json!({})),
            member("changed", json!({ "a": { "b": [1, 3] }, "d": 4, "l": [] })),
        ]));
        let told: Vec<String> = changes(&from, &to)
            .iter()
            .map(|c| {
                format!(
                    "{} {} {} {}",
                    text(c, "action"),
                    text(c, "id"),
                    text(c, "path"),
                    c["to"]
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "change changed a.b[1] 3",
                "change changed c null",
                "change changed d 4",
                "change changed l []",
                "remove gone - null",
                "add new - null",
            ]
        );
        assert!(changes(&to, &to).is_empty());
    }
}
