//! `fourfront audit` (CP-433): who changed what on a node, and who tried to.

use clap::Args;
use http::Method;
use serde_json::Value;

use super::{
    Exit,
    address::{self, NodeAddress, NodeArgs, items, text},
    output::{self, OutputArgs},
};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// How many entries, the newest first.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only entries before that number, which is the one of the last entry seen.
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &AuditArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let mut path = format!("/_fourfront/v1/audit?limit={}", args.limit);
        if let Some(before) = args.before {
            path = format!("{path}&before={before}");
        }
        let told = node.ask(Method::GET, &path, None).await?;
        args.output.show(&told, |told| {
            let rows: Vec<Vec<String>> = items(told).iter().map(row).collect();
            let head = [
                "NUMBER",
                "TIME",
                "KEY",
                "FROM",
                "OPERATION",
                "RESOURCE",
                "OUTCOME",
                "REVISIONS",
            ];
            output::table(&head, &rows)
        })
    })
}

fn row(entry: &Value) -> Vec<String> {
    let member = |name: &str| match text(entry, name) {
        "" => "-".to_owned(),
        told => told.to_owned(),
    };
    let changes = entry["changes"].as_array().into_iter().flatten();
    let revisions = changes.map(|change| {
        let of = |member: &str| {
            let revision = change[member].as_u64();
            revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string())
        };
        let (kind, id) = (text(change, "kind"), text(change, "id"));
        format!("{kind}/{id} {}>{}", of("before"), of("after"))
    });
    let mut row = vec![entry["number"].to_string()];
    row.extend(["time", "key", "source", "operation", "resource", "outcome"].map(member));
    row.push(revisions.collect::<Vec<_>>().join(", "));
    row
}
