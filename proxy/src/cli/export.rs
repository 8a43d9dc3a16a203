//! `fourfront export` (CP-351, CP-613): what a node has, as other tools read it, or as a site file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use fourfront_control::{Content, GATHERED, NodeDocuments, gather, write_plan, write_terraform};
use fourfront_import::{Artifact, PackLimits, Plan, to_cloudformation};
use http::Method;
use serde_json::{Map, Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, items, text},
    kv,
    output::{self, note},
    releases::segment,
};

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// As `aws cloudfront get-distribution-config` prints it.
    AwsJson,
    /// A template with the distribution and the policies it names.
    Cloudformation,
    /// A site file, `fourfront.yaml`, which `fourfront deploy` reads.
    Fourfront,
    /// A configuration of Terraform, `main.tf.json`, that speaks to this node.
    Terraform,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Id of the distribution, where there are several.
    distribution: Option<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value = "aws-json")]
    format: ExportFormat,
    /// A directory to write it to, with the functions and data that it names. Without one, the document alone is printed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &ExportArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let found = match &args.distribution {
            Some(id) => {
                let path = format!("/_fourfront/v1/config/distribution/{}", segment(id));
                node.ask(Method::GET, &path, None).await?
            }
            None => only(&node).await?,
        };
        let config = &found["body"]["config"];
        let (name, text, files) = match args.format {
            ExportFormat::AwsJson => {
                let document = json!({ "ETag": found["etag"], "DistributionConfig": config });
                ("distribution.json", format!("{document:#}\n"), Vec::new())
            }
            ExportFormat::Cloudformation => {
                let document = template(&node, config).await?;
                ("template.json", format!("{document:#}\n"), Vec::new())
            }
            ExportFormat::Fourfront => {
                let written = write_plan(&plan(&node, &found).await?).map_err(failed)?;
                written.notes.iter().for_each(|text| note(text));
                ("fourfront.yaml", written.text, written.files)
            }
            ExportFormat::Terraform => {
                let plan = plan(&node, &found).await?;
                let written = write_terraform(&plan, node.url().as_deref()).map_err(failed)?;
                written.notes.iter().for_each(|text| note(text));
                (
                    "main.tf.json",
                    format!("{:#}\n", written.document),
                    written.files,
                )
            }
        };
        let Some(dir) = &args.out else {
            if !files.is_empty() {
                note(&format_args!(
                    "{} files are named in it: `--out DIR` writes them",
                    files.len()
                ));
            }
            return output::print(&text);
        };
        save(&dir.join(name), text.as_bytes())?;
        for (path, content) in &files {
            // Names come from the node: they lead nowhere else.
            if path
                .components()
                .any(|c| !matches!(c, std::path::Component::Normal(_)))
            {
                return Err(failed(format!(
                    "{} is no name for a file here",
                    path.display()
                )));
            }
            save(&dir.join(path), &bytes_of(&node, content).await?)?;
        }
        output::print(&format!("{}\n", dir.join(name).display()))
    })
}

fn failed(message: impl Into<String>) -> Failure {
    (Exit::Failed, message.into())
}

/// The distribution and all that it names.
async fn plan(node: &NodeAddress, distribution: &Value) -> Result<Plan, Failure> {
    let mut documents = NodeDocuments::new();
    for kind in GATHERED {
        let path = format!("/_fourfront/v1/config/{kind}");
        let all = node.ask(Method::GET, &path, None).await?;
        documents.insert(*kind, items(&all).to_vec());
    }
    let (mut plan, notes) = gather(distribution, &documents);
    notes.iter().for_each(|text| note(text));
    for function in &mut plan.cloudfront_functions {
        let hex = function.item.code.as_str().unwrap_or_default().to_owned();
        let code = String::from_utf8(blob(node, &hex).await?);
        let code = code.map_err(|_| failed(format!("the code of {} is no text", function.id)))?;
        function.item.code = code.into();
    }
    for store in &mut plan.stores {
        let pairs = kv::all(node, &store.item.name).await?;
        let pairs = pairs
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }));
        let data = json!({ "data": pairs.collect::<Vec<_>>() });
        store.item.data = Some(Artifact::Inline {
            name: "data.json".to_owned(),
            source: format!("{data:#}\n").into(),
        });
    }
    Ok(plan)
}

async fn blob(node: &NodeAddress, hex: &str) -> Result<Vec<u8>, Failure> {
    let path = format!("/_fourfront/v1/artifacts/sha256/{}", segment(hex));
    node.bytes(&path).await
}

async fn bytes_of(node: &NodeAddress, content: &Content) -> Result<Vec<u8>, Failure> {
    match content {
        Content::Text(text) => Ok(text.clone().into_bytes()),
        // What the node keeps, by its sum.
        Content::Package(Artifact::S3 { key, .. }) => blob(node, key).await,
        Content::Package(code) => {
            let packed = code.pack(&PackLimits::default());
            packed.map_err(|e| failed(e.to_string()))
        }
        Content::Data(data) => {
            let read = data.read_data(u64::MAX >> 1);
            read.map_err(|e| failed(e.to_string()))
        }
    }
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)
    };
    write().map_err(|e| failed(format!("cannot write {}: {e}", path.display())))
}

async fn only(node: &NodeAddress) -> Result<Value, Failure> {
    let all = node
        .ask(Method::GET, "/_fourfront/v1/config/distribution", None)
        .await?;
    match items(&all) {
        [one] => Ok(one.clone()),
        [] => Err((Exit::Failed, "nothing was deployed to this node".to_owned())),
        several => {
            let ids: Vec<&str> = several.iter().map(|d| text(d, "id")).collect();
            let message = format!("which distribution? one of {}", ids.join(", "));
            Err((Exit::Usage, message))
        }
    }
}

/// Kinds of policies: as behaviours name them, as the node does, and as CloudFormation does.
const POLICIES: [(&str, &str, &str); 3] = [
    ("CachePolicyId", "cache-policy", "CachePolicy"),
    (
        "OriginRequestPolicyId",
        "origin-request-policy",
        "OriginRequestPolicy",
    ),
    (
        "ResponseHeadersPolicyId",
        "response-headers-policy",
        "ResponseHeadersPolicy",
    ),
];

/// A template with a distribution and those of the node's own policies that it names. Managed ones have the same ids everywhere.
async fn template(node: &NodeAddress, config: &Value) -> Result<Value, Failure> {
    let mut properties = to_cloudformation("DistributionConfig", config);
    let mut resources = Map::new();
    for (member, kind, word) in POLICIES {
        let path = format!("/_fourfront/v1/config/{kind}");
        let all = node.ask(Method::GET, &path, None).await?;
        for policy in items(&all) {
            let logical = format!("{word}{}", resources.len() + 1);
            if !refer(&mut properties, member, &policy["id"], &logical) {
                continue;
            }
            let name = format!("{word}Config");
            let config = to_cloudformation(&name, &policy["body"]["config"]);
            let resource = json!({
                "Type": format!("AWS::CloudFront::{word}"), "Properties": { name: config },
            });
            resources.insert(logical, resource);
        }
    }
    let distribution = json!({
        "Type": "AWS::CloudFront::Distribution", "Properties": { "DistributionConfig": properties },
    });
    resources.insert("Distribution".to_owned(), distribution);
    Ok(json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": resources }))
}

/// Puts a reference wherever a member has this id. Whether it was anywhere.
fn refer(value: &mut Value, member: &str, id: &Value, logical: &str) -> bool {
    let mut found = false;
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == member && value == id {
                    *value = json!({ "Ref": logical });
                    found = true;
                } else {
                    found |= refer(value, member, id, logical);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= refer(item, member, id, logical);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_referred_to_wherever_they_are_named() {
        // CP-351
        let mut config =
            json!({ "a": [{ "CachePolicyId": "P1" }, { "CachePolicyId": "P2" }], "Comment": "P1" });
        assert!(refer(
            &mut config,
            "CachePolicyId",
            &json!("P1"),
            "CachePolicy1"
        ));
        assert_eq!(
            config,
            json!({ "a": [{ "CachePolicyId": { "Ref": "CachePolicy1" } }, { "CachePolicyId": "P2" }], "Comment": "P1" })
        );
        assert!(!refer(
            &mut config,
            "CachePolicyId",
            &json!("P3"),
            "CachePolicy1"
        ));
    }
}
