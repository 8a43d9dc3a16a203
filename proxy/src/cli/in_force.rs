//! `fourfront origins` and `config show` (CP-611): what a node has in force, and how the origins behind it do.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, NodeAddress, NodeArgs, items, text},
    output::{self, OutputArgs},
    resources::rows,
};

#[derive(Debug, Args)]
pub(super) struct OriginsArgs {
    /// Only those of one distribution.
    distribution: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// List what is in force: what was deployed, with its revision and who wrote it, and what the site file has beside it.
    Show {
        /// Only one kind, such as `distribution` or `lambda-version`.
        kind: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        node: NodeArgs,
    },
}

pub(super) fn origins(args: &OriginsArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let path = "/_fourfront/v1/origins";
        let mut told = node.ask(Method::GET, path, None).await?;
        if let Some(id) = &args.distribution {
            let is_of = |item: &Value| item["distribution"] == json!(id);
            keep(&mut told, is_of);
            if items(&told).is_empty() {
                let message = format!("no distribution {id} with origins is served here");
                return Err((Exit::Failed, message));
            }
        }
        args.output.show(&told, origins_for_people)
    })
}

pub(super) fn config(command: &ConfigCommand) -> Exit {
    let ConfigCommand::Show { kind, output, node } = command;
    address::talk(async {
        let node = NodeAddress::at(node)?;
        let path = "/_fourfront/v1/config";
        let mut told = node.ask(Method::GET, path, None).await?;
        if let Some(kind) = kind {
            keep(&mut told, |item| item["kind"] == json!(kind));
        }
        output.show(&told, |told| {
            rows(
                told,
                &["KIND", "ID", "NAME", "REVISION", "WRITTEN", "BY", "FROM"],
                &[
                    "kind", "id", "name", "revision", "written", "author", "from",
                ],
            )
        })
    })
}

fn keep(told: &mut Value, is_wanted: impl Fn(&Value) -> bool) {
    if let Some(items) = told["items"].as_array_mut() {
        items.retain(is_wanted);
    }
}

/// A line for each origin; below the table what failed last, and the servers that are not up.
fn origins_for_people(told: &Value) -> String {
    let ms = |value: &Value| {
        let ms = value.as_f64();
        ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"))
    };
    let lines: Vec<Vec<String>> = items(told)
        .iter()
        .map(|origin| {
            let in_flight = &origin["in_flight"];
            vec![
                text(origin, "distribution").to_owned(),
                text(origin, "id").to_owned(),
                text(origin, "kind").to_owned(),
                text(origin, "address").to_owned(),
                text(origin, "state").to_owned(),
                in_flight
                    .as_u64()
                    .map_or_else(|| "-".to_owned(), |n| n.to_string()),
                origin["answers"].to_string(),
                origin["failures"].to_string(),
                ms(&origin["p50_ms"]),
                ms(&origin["p95_ms"]),
            ]
        })
        .collect();
    let head = [
        "DISTRIBUTION",
        "ORIGIN",
        "KIND",
        "ADDRESS",
        "STATE",
        "BUSY",
        "ANSWERS",
        "FAILED",
        "P50",
        "P95",
    ];
    let mut shown = output::table(&head, &lines);
    for origin in items(told) {
        let place = format!("{} {}", text(origin, "distribution"), text(origin, "id"));
        let pools = origin["pools"].as_array().into_iter().flatten();
        let servers = pools.flat_map(|pool| pool["servers"].as_array().into_iter().flatten());
        for server in servers.filter(|server| server["state"] != json!("up")) {
            let (address, state) = (text(server, "address"), text(server, "state"));
            shown.push_str(&format!("{place}: server {address} is {state}\n"));
        }
        let last = &origin["last_failure"];
        if last.is_object() {
            let (at, message) = (text(last, "at"), text(last, "message"));
            shown.push_str(&format!("{place}: last failed {at}: {message}\n"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_told_with_what_failed_last() {
        // CP-611
        let mut told = json!({ "items": [
            { "distribution": "E1", "id": "app", "kind": "http", "address": "a.test:80", "state": "failing", "answers": 3,
              "failures": 1, "p50_ms": 1.25, "p95_ms": 2.5, "in_flight": 2,
              "pools": [{ "servers": [{ "address": "192.0.2.1:80", "state": "ejected" },
                                      { "address": "192.0.2.2:80", "state": "up" }] }],
              "last_failure": { "at": "2026-01-02T03:04:05Z", "message": "connection refused" } },
            { "distribution": "E2", "id": "b", "kind": "s3", "address": "b.s3.amazonaws.com", "state": "not asked yet",
              "answers": 0, "failures": 0, "p50_ms": null, "p95_ms": null, "in_flight": null, "pools": [],
              "last_failure": null },
        ] });
        let want = "\
DISTRIBUTION  ORIGIN  KIND  ADDRESS             STATE          BUSY  ANSWERS  FAILED  P50     P95
E1            app     http  a.test:80           failing        2     3        1       1.2 ms  2.5 ms
E2            b       s3    b.s3.amazonaws.com  not asked yet  -     0        0       -       -
E1 app: server 192.0.2.1:80 is ejected
E1 app: last failed 2026-01-02T03:04:05Z: connection refused
";
        assert_eq!(origins_for_people(&told), want);
        keep(&mut told, |item| item["distribution"] == json!("E2"));
        assert_eq!(items(&told).len(), 1);
    }
}
