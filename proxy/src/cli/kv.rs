//! `fourfront kv` (CP-204, CP-611): keys and values of a store, by the native API; no signatures of a special kind and no special
//! host name are needed for it.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Call, Failure, NodeAddress, NodeArgs, items, text},
    output::{self, OutputArgs, note, progress},
    releases::segment,
};

/// As many keys as one write may change (CP-202), and the most bytes that they may have.
const MOST_KEYS: usize = 50;
const MOST_BYTES: usize = 3 << 20;

#[derive(Debug, Args)]
pub(super) struct KvArgs {
    #[command(subcommand)]
    command: KvCommand,
}

#[derive(Debug, Subcommand)]
enum KvCommand {
    /// Print the value of a key, as it is.
    Get {
        store: String,
        key: String,
        #[command(flatten)]
        common: Common,
    },
    /// Set a key: to a value, to what a file holds, or, with neither, to what standard input has.
    Put {
        store: String,
        key: String,
        #[arg(conflicts_with = "file", allow_hyphen_values = true)]
        value: Option<String>,
        #[arg(short, long)]
        file: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// List keys and values, in the order of keys.
    Ls {
        store: String,
        #[command(flatten)]
        common: Common,
    },
    /// Remove keys: all of them, or, where one write cannot hold them, as many as it can at a time.
    Rm {
        store: String,
        #[arg(required = true)]
        keys: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Set keys as a file says: `{"data": [{"key": "..", "value": ".."}]}`, as CloudFront imports it, or one object of keys and
    /// values. `-` is standard input.
    Import {
        store: String,
        file: PathBuf,
        /// Remove the keys that the file does not have.
        #[arg(long)]
        prune: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Print all keys and values in the form that `import` takes.
    Export {
        store: String,
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

pub(super) fn run(args: &KvArgs) -> Exit {
    address::talk(async {
        match &args.command {
            KvCommand::Get { store, key, common } => get(common, store, key).await,
            KvCommand::Put {
                store,
                key,
                value,
                file,
                common,
            } => put(common, store, key, value.as_deref(), file.as_deref()).await,
            KvCommand::Ls { store, common } => {
                let all = all(&NodeAddress::at(&common.node)?, store).await?;
                let listed = all.iter().map(|(k, v)| json!({ "key": k, "value": v }));
                let told = json!({ "items": listed.collect::<Vec<_>>() });
                common.output.show(&told, |_| {
                    let rows = all.iter().map(|(k, v)| vec![one_line(k), one_line(v)]);
                    output::table(&["KEY", "VALUE"], &rows.collect::<Vec<_>>())
                })
            }
            KvCommand::Rm {
                store,
                keys,
                common,
            } => {
                let node = NodeAddress::at(&common.node)?;
                change(&node, store, &BTreeMap::new(), keys).await
            }
            KvCommand::Import {
                store,
                file,
                prune,
                common,
            } => import(common, store, file, *prune).await,
            KvCommand::Export { store, common } => {
                let all = all(&NodeAddress::at(&common.node)?, store).await?;
                let data = all.iter().map(|(k, v)| json!({ "key": k, "value": v }));
                let document = json!({ "data": data.collect::<Vec<_>>() });
                output::print(&format!("{document:#}\n"))
            }
        }
    })
}

fn path(store: &str) -> String {
    format!("/_fourfront/v1/kv/{}", segment(store))
}

async fn get(common: &Common, store: &str, key: &str) -> Result<(), Failure> {
    let node = NodeAddress::at(&common.node)?;
    let path = format!("{}/{}", path(store), segment(key));
    let told = node.ask(Method::GET, &path, None).await?;
    common.output.show(&told, |told| {
        told["value"].as_str().unwrap_or_default().to_owned()
    })
}

async fn put(
    common: &Common,
    store: &str,
    key: &str,
    value: Option<&str>,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let node = NodeAddress::at(&common.node)?;
    let value = match (value, file) {
        (Some(value), _) => value.as_bytes().to_vec(),
        (None, Some(file)) => read(file)?,
        (None, None) => read(Path::new("-"))?,
    };
    let path = format!("{}/{}", path(store), segment(key));
    let call = Call {
        media_type: Some("text/plain; charset=utf-8"),
        body: Bytes::from(value),
        ..Call::new(Method::PUT, &path)
    };
    let told = node.call(call).await?;
    note(&format_args!("{store} holds {} keys", told["ItemCount"]));
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let read = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => fs::read(file),
    };
    read.map_err(|e| (Exit::Failed, format!("{}: {e}", file.display())))
}

/// Everything in a store. A page of it is as it was when it was asked for.
pub(super) async fn all(
    node: &NodeAddress,
    store: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let told = node
            .ask(Method::GET, &format!("{}{after}", path(store)), None)
            .await?;
        for item in items(&told) {
            all.insert(text(item, "Key").to_owned(), text(item, "Value").to_owned());
        }
        match told["next"].as_str() {
            Some(next) => after = format!("?after={}", segment(next)),
            None => return Ok(all),
        }
    }
}

/// A text that is not to break a table.
fn one_line(text: &str) -> String {
    text.escape_debug().to_string()
}

async fn import(common: &Common, store: &str, file: &Path, prune: bool) -> Result<(), Failure> {
    let node = NodeAddress::at(&common.node)?;
    let wanted =
        entries(&read(file)?).map_err(|e| (Exit::Failed, format!("{}: {e}", file.display())))?;
    let there = all(&node, store).await?;
    let gone = there
        .keys()
        .filter(|key| prune && !wanted.contains_key(*key));
    let gone: Vec<String> = gone.cloned().collect();
    let puts = wanted
        .iter()
        .filter(|(key, value)| there.get(*key) != Some(value));
    let puts: BTreeMap<_, _> = puts.map(|(k, v)| (k.clone(), v.clone())).collect();
    change(&node, store, &puts, &gone).await
}

/// What a file says of keys and values.
fn entries(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum File {
        Import { data: Vec<Pair> },
        Plain(BTreeMap<String, String>),
    }
    #[derive(Deserialize)]
    struct Pair {
        key: String,
        value: String,
    }
    let file: File = serde_json::from_slice(bytes).map_err(|e| match e.is_data() {
        true => "neither {\"data\": [{\"key\", \"value\"}]} nor an object of texts".to_owned(),
        false => e.to_string(),
    })?;
    let pairs = match file {
        File::Plain(all) => return Ok(all),
        File::Import { data } => data,
    };
    let mut all = BTreeMap::new();
    for Pair { key, value } in pairs {
        if all.insert(key.clone(), value).is_some() {
            return Err(format!("the key `{key}` is there twice"));
        }
    }
    Ok(all)
}

/// Changes keys, in as few writes as may be; each of them happens as a whole or not at all.
async fn change(
    node: &NodeAddress,
    store: &str,
    puts: &BTreeMap<String, String>,
    deletes: &[String],
) -> Result<(), Failure> {
    let batches = batches(puts, deletes);
    for (at, batch) in batches.iter().enumerate() {
        let sent = node.ask(Method::POST, &path(store), Some(batch)).await;
        sent.map_err(|(exit, message)| match at {
            0 => (exit, message),
            // What was written stays: whoever tries again has less to do.
            _ => (
                exit,
                format!("{message}; {at} of {} writes are done", batches.len()),
            ),
        })?;
        progress(&format_args!("{} of {} writes", at + 1, batches.len()));
    }
    note(&format_args!(
        "{} set, {} removed in {store}",
        puts.len(),
        deletes.len()
    ));
    Ok(())
}

fn batches(puts: &BTreeMap<String, String>, deletes: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    let (mut put, mut deleted, mut bytes) = (json!({}), Vec::new(), 0);
    let puts = puts.iter().map(|(key, value)| (key, Some(value)));
    let mut count = 0;
    for (key, value) in puts.chain(deletes.iter().map(|key| (key, None))) {
        let size = key.len() + value.map_or(0, String::len);
        if count == MOST_KEYS || (count > 0 && bytes + size > MOST_BYTES) {
            all.push(json!({ "puts": put, "deletes": deleted }));
            (put, deleted, bytes, count) = (json!({}), Vec::new(), 0, 0);
        }
        match value {
            Some(value) => put[key] = json!(value),
            None => deleted.push(key.clone()),
        }
        count += 1;
        bytes += size;
    }
    if count > 0 {
        all.push(json!({ "puts": put, "deletes": deleted }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_both_forms_are_read() {
        // CP-156, CP-611
        let want = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(
            entries(br#"{"data":[{"key":"a","value":"1"}]}"#),
            Ok(want.clone())
        );
        assert_eq!(entries(br#"{"a":"1"}"#), Ok(want));
        let twice = br#"{"data":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}"#;
        assert!(entries(twice).is_err());
        assert!(entries(br#"{"a":1}"#).is_err() && entries(b"{").is_err());
    }

    #[test]
    fn one_write_has_no_more_than_it_may() {
        // CP-202
        let puts: BTreeMap<_, _> = (0..60)
            .map(|n| (format!("{n:03}"), "v".to_owned()))
            .collect();
        let deletes: Vec<_> = (0..41).map(|n| format!("d{n}")).collect();
        let count = |batch: &Value| {
            batch["puts"].as_object().unwrap().len() + batch["deletes"].as_array().unwrap().len()
        };
        let made = batches(&puts, &deletes);
        assert_eq!(made.iter().map(count).collect::<Vec<_>>(), [50, 50, 1]);
        let large = BTreeMap::from([
            ("a".to_owned(), "x".repeat(2 << 20)),
            ("b".to_owned(), "x".repeat(2 << 20)),
        ]);
        assert_eq!(batches(&large, &[]).len(), 2);
        assert!(batches(&BTreeMap::new(), &[]).is_empty());
    }
}
