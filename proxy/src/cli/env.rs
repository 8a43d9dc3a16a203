//! `fourfront env` (CP-205, CP-259, CP-614): the settings with which AWS's tools talk to a node, ready to paste.

use std::{env, path::Path};

use clap::{Args, ValueEnum};
use http::Method;

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs},
    output::{self, note},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Variables of a shell, which the AWS CLI and all SDKs read.
    Aws,
    /// A session of boto3.
    Boto3,
    /// A provider block.
    Terraform,
    /// Where serverless.yml goes.
    Serverless,
    /// A client of the SDK for JavaScript.
    Js,
}

#[derive(Debug, Args)]
pub(super) struct EnvArgs {
    /// For which tool.
    #[arg(long, value_enum, default_value = "aws")]
    tool: Tool,
    /// The host by which key-value stores are reached: SDKs put the account before it.
    #[arg(long, value_name = "HOST")]
    kvs_host: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

/// What goes into the settings.
struct Facts {
    url: String,
    kvs_url: String,
    region: String,
    /// The file of the node's first key, where this user can read it.
    credentials: Option<String>,
}

pub(super) fn run(args: &EnvArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
        let control = &status["control"];
        let Some(account) = control["account"].as_str() else {
            let message = format!(
                "the node at {node} keeps no control state: set `node.data_dir` in its site file"
            );
            return Err((Exit::Failed, message));
        };
        let url = node.url().ok_or_else(no_url)?;
        let host = args.kvs_host.as_deref().unwrap_or("localhost");
        let facts = Facts {
            kvs_url: with_host(&url, host),
            region: control["region"].as_str().unwrap_or("us-east-1").to_owned(),
            credentials: first_key(control["data_dir"].as_str().unwrap_or_default()),
            url,
        };
        output::print(&settings(args.tool, &facts))?;
        if facts.credentials.is_none() && env::var_os("AWS_ACCESS_KEY_ID").is_none() {
            note(
                &"a key is made with `fourfront key create --role deploy`; put it where the settings say ID and SECRET",
            );
        }
        let name = format!("{account}.{host}");
        note(&format_args!(
            "for calls to key-value stores SDKs ask for {name}: {}",
            resolves(&name, account)
        ));
        Ok(())
    })
}

fn no_url() -> Failure {
    let message = "AWS's tools need an address and no socket: say `--node http://HOST:PORT`";
    (Exit::Usage, message.to_owned())
}

/// The bootstrap file of a node on this machine, if it can be read by who asks.
fn first_key(data_dir: &str) -> Option<String> {
    let file = Path::new(data_dir).join("bootstrap-credentials");
    let file = std::path::absolute(file).ok()?;
    std::fs::File::open(&file)
        .ok()
        .map(|_| file.display().to_string())
}

/// The same URL with another host.
fn with_host(url: &str, host: &str) -> String {
    let scheme = url.split("://").next().unwrap_or("http");
    match (host.contains(':'), url.rsplit_once(':')) {
        (false, Some((_, port))) => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    }
}

/// Whether a name of this machine is known, and what to do if not (CP-205).
pub(super) fn resolves(name: &str, account: &str) -> String {
    use std::net::ToSocketAddrs as _;
    match (name, 0).to_socket_addrs() {
        Ok(_) => "that name resolves here".to_owned(),
        Err(_) => format!(
            "that name does not resolve here. A line `127.0.0.1 {account}.localhost` in /etc/hosts does, or `--kvs-host` with a \
             name that has a wildcard record; `fourfront kv` needs none of this"
        ),
    }
}

fn settings(tool: Tool, facts: &Facts) -> String {
    let Facts {
        url,
        kvs_url,
        region,
        credentials,
    } = facts;
    match tool {
        // The framework itself speaks to CloudFormation, which a node does not have; its file is read directly.
        Tool::Serverless => {
            format!("export FOURFRONT_NODE={url}\nfourfront deploy serverless.yml\n")
        }
        Tool::Aws => {
            let keys = match credentials {
                Some(file) => format!("export AWS_SHARED_CREDENTIALS_FILE='{file}'\n"),
                None => "export AWS_ACCESS_KEY_ID=ID AWS_SECRET_ACCESS_KEY=SECRET\n".to_owned(),
            };
            format!(
                "export AWS_ENDPOINT_URL={url}\nexport AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE={kvs_url}\n\
                 export AWS_DEFAULT_REGION={region}\n{keys}"
            )
        }
        Tool::Boto3 => {
            let keys = match credentials {
                Some(file) => {
                    format!("import os\nos.environ[\"AWS_SHARED_CREDENTIALS_FILE\"] = \"{file}\"\n")
                }
                None => String::new(),
            };
            let given = match credentials {
                Some(_) => "",
                None => "aws_access_key_id=\"ID\", aws_secret_access_key=\"SECRET\", ",
            };
            format!(
                "{keys}import boto3\n\
                 session = boto3.Session({given}region_name=\"{region}\")\n\
                 cloudfront = session.client(\"cloudfront\", endpoint_url=\"{url}\")\n\
                 functions = session.client(\"lambda\", endpoint_url=\"{url}\")\n\
                 # needs botocore[crt]\n\
                 kvs = session.client(\"cloudfront-keyvaluestore\", endpoint_url=\"{kvs_url}\")\n"
            )
        }
        Tool::Terraform => {
            let keys = match credentials {
                Some(file) => format!("  shared_credentials_files    = [\"{file}\"]\n"),
                None => "  access_key                  = \"ID\"\n  secret_key                  = \"SECRET\"\n".to_owned(),
            };
            format!(
                "provider \"aws\" {{\n  region                      = \"{region}\"\n{keys}\
                 \x20 skip_credentials_validation = true\n\
                 \x20 skip_requesting_account_id  = true\n\
                 \x20 skip_metadata_api_check     = true\n\
                 \x20 endpoints {{\n\
                 \x20   cloudfront               = \"{url}\"\n\
                 \x20   lambda                   = \"{url}\"\n\
                 \x20   iam                      = \"{url}\"\n\
                 \x20   sts                      = \"{url}\"\n\
                 \x20   cloudfrontkeyvaluestore  = \"{kvs_url}\"\n\
                 \x20 }}\n}}\n"
            )
        }
        Tool::Js => {
            let keys = match credentials {
                Some(file) => format!("// AWS_SHARED_CREDENTIALS_FILE='{file}'\n"),
                None => String::new(),
            };
            let given = match credentials {
                Some(_) => "",
                None => ", credentials: { accessKeyId: \"ID\", secretAccessKey: \"SECRET\" }",
            };
            // The SDK puts the account before the host, which an address would not survive (CP-205).
            format!(
                "{keys}import {{ CloudFrontClient }} from \"@aws-sdk/client-cloudfront\";\n\
                 import {{ CloudFrontKeyValueStoreClient }} from \"@aws-sdk/client-cloudfront-keyvaluestore\";\n\
                 import \"@aws-sdk/signature-v4a\";\n\
                 const cloudfront = new CloudFrontClient({{ endpoint: \"{url}\", region: \"{region}\"{given} }});\n\
                 const kvs = new CloudFrontKeyValueStoreClient({{ endpoint: \"{kvs_url}\", region: \"{region}\"{given} }});\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_the_node_and_a_host_that_takes_an_account() {
        // CP-205, CP-259, CP-614
        let mut facts = Facts {
            url: "http://127.0.0.1:9400".to_owned(),
            kvs_url: with_host("http://127.0.0.1:9400", "localhost"),
            region: "eu-west-1".to_owned(),
            credentials: Some("/data/bootstrap-credentials".to_owned()),
        };
        assert_eq!(facts.kvs_url, "http://localhost:9400");
        assert_eq!(
            with_host("https://a.test:1", "kvs.test:443"),
            "https://kvs.test:443"
        );
        for tool in [Tool::Aws, Tool::Boto3, Tool::Terraform, Tool::Js] {
            let text = settings(tool, &facts);
            for part in [
                &facts.url,
                &facts.kvs_url,
                &facts.region,
                "/data/bootstrap-credentials",
            ] {
                assert!(text.contains(part), "{tool:?}: {text}");
            }
        }
        facts.credentials = None;
        for tool in [Tool::Aws, Tool::Boto3, Tool::Terraform, Tool::Js] {
            assert!(settings(tool, &facts).contains("SECRET"), "{tool:?}");
        }
        let text = settings(Tool::Serverless, &facts);
        assert!(
            text.contains("fourfront deploy") && text.contains(&facts.url),
            "{text}"
        );
    }
}
