//! `fourfront purge` (CP-610): asks a running node, through its admin API, to invalidate.

use std::time::{Duration, Instant};

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, text},
    output::note,
};

/// How long `--wait` waits.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What `fourfront purge` is called with.
#[derive(Debug, Args)]
pub(super) struct PurgeArgs {
    /// Paths, as in `/a.html`, `/img/*` or `/a?x=1`; or URLs, whose host says which distribution. The word `list`
    /// alone lists what was purged, newest first.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Everything that carries this tag. May be given again.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Everything of the distribution.
    #[arg(long)]
    all: bool,
    /// Only make it stale: it is validated, or served by the rules for stale objects.
    #[arg(long)]
    soft: bool,
    /// Return when it is in force on all nodes.
    #[arg(long)]
    wait: bool,
    /// Id of the distribution, where there are several.
    #[arg(long, value_name = "ID")]
    distribution: Option<String>,
    /// A name for this purge: sent again, it is not done again.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &PurgeArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        match args.paths.as_slice() {
            [word] if word == "list" => list(&node, args).await,
            _ => purge(&node, args).await,
        }
    })
}

async fn purge(node: &NodeAddress, args: &PurgeArgs) -> Result<(), Failure> {
    let (host, paths) = split_hosts(&args.paths).map_err(|e| (Exit::Usage, e))?;
    if paths.is_empty() && args.tags.is_empty() && !args.all {
        let message = "say what: paths, --tag or --all".to_owned();
        return Err((Exit::Usage, message));
    }
    let mut body = json!({
        "paths": paths,
        "tags": args.tags,
        "all": args.all,
        "soft": args.soft,
    });
    for (name, value) in [
        ("distribution", &args.distribution),
        ("host", &host),
        ("caller_reference", &args.reference),
    ] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let mut answer = node
        .ask(Method::POST, "/_fourfront/v1/purge", Some(&body))
        .await?;
    let id = text(&answer, "id").to_owned();
    let began = Instant::now();
    while args.wait && text(&answer, "status") != "Completed" {
        if began.elapsed() > LONGEST_WAIT {
            return Err((Exit::Failed, format!("{id} is still in progress")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let path = format!("/_fourfront/v1/purge/{id}");
        answer = node.ask(Method::GET, &path, None).await?;
    }
    println!("{id}");
    let count = answer["paths"].as_array().map_or(0, Vec::len);
    note(&format_args!(
        "{} of {}, {count} named: {}",
        if args.soft { "soft purge" } else { "purge" },
        text(&answer, "distribution"),
        text(&answer, "status"),
    ));
    Ok(())
}

async fn list(node: &NodeAddress, args: &PurgeArgs) -> Result<(), Failure> {
    if args.all || args.soft || !args.tags.is_empty() || args.reference.is_some() {
        let message = "`list` takes --distribution and --node; the path is `/list`".to_owned();
        return Err((Exit::Usage, message));
    }
    let distribution = args.distribution.as_deref();
    let mut marker = String::new();
    loop {
        let of = distribution.map_or_else(String::new, |d| format!("&distribution={d}"));
        let path = format!("/_fourfront/v1/purge?max_items=100{of}{marker}");
        let page = node.ask(Method::GET, &path, None).await?;
        for one in page["invalidations"].as_array().into_iter().flatten() {
            let paths = one["paths"].as_array().into_iter().flatten();
            let paths: Vec<_> = paths.filter_map(Value::as_str).collect();
            let soft = one["soft"].as_bool().unwrap_or_default();
            println!(
                "{}  {}  {}  {}{}",
                text(one, "id"),
                text(one, "create_time"),
                text(one, "status"),
                if soft { "soft " } else { "" },
                paths.join(" ")
            );
        }
        match page["next_marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return Ok(()),
        }
    }
}

/// Paths, and the one host of those that are URLs.
fn split_hosts(paths: &[String]) -> Result<(Option<String>, Vec<String>), String> {
    let mut host: Option<String> = None;
    let mut plain = Vec::with_capacity(paths.len());
    for path in paths {
        let rest = path
            .strip_prefix("http://")
            .or_else(|| path.strip_prefix("https://"));
        let Some(rest) = rest else {
            plain.push(path.clone());
            continue;
        };
        let (named, path) = match rest.find(['/', '?']) {
            Some(end) => rest.split_at(end),
            None => (rest, "/"),
        };
        match &host {
            Some(other) if other != named => {
                return Err(format!(
                    "one purge is for one host, not {other} and {named}"
                ));
            }
            _ => host = Some(named.to_owned()),
        }
        plain.push(path.to_owned());
    }
    Ok((host, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_the_host() {
        // CP-610
        let split = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|p| (*p).to_owned()).collect();
            split_hosts(&paths)
        };
        let host = Some("a.test".to_owned());
        let paths = |all: &[&str]| all.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert_eq!(split(&["/a", "b"]), Ok((None, paths(&["/a", "b"]))));
        assert_eq!(
            split(&["https://a.test/x*", "http://a.test", "/y"]),
            Ok((host, paths(&["/x*", "/", "/y"])))
        );
        assert!(split(&["http://a.test/", "http://b.test/"]).is_err());
    }
}
