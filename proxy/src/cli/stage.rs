//! `fourfront stage` (CP-612): tries a changed distribution out on some requests of the one that serves, and promotes or
//! drops it. Each verb is one call of the native API.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    Exit,
    address::{self, Failure, NodeAddress, NodeArgs, text},
    deploy::{self, ReadArgs},
    output::{self, OutputArgs, note, progress},
};

/// What `fourfront stage` is called with.
#[derive(Debug, Args)]
pub(super) struct StageArgs {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy a distribution to try changes of the copy out. Without a weight or header, requests with
    /// `aws-cf-cd-staging: true` are served by it.
    Create {
        /// Id of the distribution.
        distribution: String,
        #[command(flatten)]
        traffic: TrafficArgs,
    },
    /// Put a changed project on the staging distribution: new versions of its functions, and its configuration. What serves
    /// goes on as it is.
    Deploy {
        /// Id of the distribution, which the project has been deployed to.
        distribution: String,
        /// The project, as with `fourfront deploy`.
        #[arg(default_value = ".")]
        path: PathBuf,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Let a share of the requests be served by the staging distribution.
    Weight {
        /// Id of the distribution.
        distribution: String,
        /// From 0 to 0.15; from 0 to 1 with `compat: relaxed`.
        #[arg(value_parser = share, allow_negative_numbers = true)]
        weight: f64,
        /// Keep the requests of one viewer together: seconds without a request, and seconds altogether, after which
        /// its session ends.
        #[arg(long, value_name = "IDLE,MAXIMUM", value_parser = sessions)]
        sessions: Option<(u32, u32)>,
    },
    /// Let the requests with this header be served by the staging distribution.
    Header {
        /// Id of the distribution.
        distribution: String,
        /// Its name, which begins with `aws-cf-cd-`.
        name: String,
        /// Its value.
        value: String,
    },
    /// Let the distribution serve what was tried out. The staging distribution stays, and is served no requests.
    Promote {
        /// Id of the distribution.
        distribution: String,
    },
    /// Delete the staging distribution. The distribution goes on as it is.
    Drop {
        /// Id of the distribution.
        distribution: String,
    },
    /// Tell what is staged, and how requests and functions do on either side.
    Status {
        /// Id of the distribution.
        distribution: String,
        /// The same as `-o json`.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct TrafficArgs {
    /// The share of requests, from 0 to 0.15; to 1 with `compat: relaxed`.
    #[arg(long, conflicts_with = "header", value_parser = share, allow_negative_numbers = true)]
    weight: Option<f64>,
    /// Keep the requests of one viewer together, as with `stage weight`.
    #[arg(long, value_name = "IDLE,MAXIMUM", value_parser = sessions, requires = "weight")]
    sessions: Option<(u32, u32)>,
    /// Requests with this header.
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"])]
    header: Option<Vec<String>>,
}

/// A share of requests.
fn share(text: &str) -> Result<f64, String> {
    if let Some(percent) = text.strip_suffix('%') {
        let percent: Result<f64, _> = percent.trim().parse();
        let said = percent.map(|p| format!(": {}, for {text}", p / 100.0));
        return Err(format!("a share from 0 to 1{}", said.unwrap_or_default()));
    }
    let share: f64 = text
        .parse()
        .map_err(|_| "a share from 0 to 1, such as 0.05".to_owned())?;
    match (0.0..=1.0).contains(&share) {
        true => Ok(share),
        false => Err("a share from 0 to 1, such as 0.05 for one request in twenty".to_owned()),
    }
}

/// `300,1800`.
fn sessions(text: &str) -> Result<(u32, u32), String> {
    let both = text.split_once(',');
    let number = |t: &str| t.trim().parse::<u32>().ok();
    both.and_then(|(idle, maximum)| Some((number(idle)?, number(maximum)?)))
        .ok_or_else(|| "two numbers of seconds, such as 300,1800".to_owned())
}

pub(super) fn run(args: &StageArgs) -> Exit {
    address::talk(async {
        let node = NodeAddress::at(&args.node)?;
        args.verb.run(&node, args.output).await.map_err(with_advice)
    })
}

/// What can be done about a refusal.
fn with_advice((exit, mut message): Failure) -> Failure {
    let advice = match message.split(':').next() {
        Some("NoSuchStage") => "begin with `fourfront stage create`",
        Some("NoSuchDistribution") => "`fourfront dist list` has their ids",
        Some("StageExists") => "`fourfront stage status` tells of it",
        _ => return (exit, message),
    };
    message.push_str("; ");
    message.push_str(advice);
    (exit, message)
}

impl Verb {
    async fn run(&self, node: &NodeAddress, output: OutputArgs) -> Result<(), Failure> {
        match self {
            Self::Create {
                distribution,
                traffic,
            } => {
                let body = traffic.body();
                let path = path(distribution);
                let told = node.ask_long(Method::POST, &path, Some(&body)).await?;
                let staging = text(&told["staging"], "id");
                note(&format_args!(
                    "{staging} serves {}, as {distribution} does: put a change on it with `fourfront stage deploy \
                     {distribution} PATH`",
                    requests(&told)
                ));
                output.show(&told, |_| format!("{staging}\n"))
            }
            Self::Deploy {
                distribution,
                path,
                read,
            } => try_out(node, distribution, path, read, output).await,
            Self::Weight {
                distribution,
                weight,
                sessions,
            } => send(node, distribution, &by_weight(*weight, *sessions), output).await,
            Self::Header {
                distribution,
                name,
                value,
            } => send(node, distribution, &by_header(name, value), output).await,
            Self::Promote { distribution } => {
                let path = format!("{}/promote", path(distribution));
                let told = node.ask_long(Method::POST, &path, None).await?;
                note(&format_args!(
                    "{distribution} serves what {} was; `fourfront stage drop {distribution}` removes that",
                    text(&told["staging"], "id")
                ));
                output.show(&told, |_| String::new())
            }
            Self::Drop { distribution } => {
                let told = node
                    .ask_long(Method::DELETE, &path(distribution), None)
                    .await?;
                note(&format_args!(
                    "nothing is staged of {distribution} any more"
                ));
                output.show(&told, |_| String::new())
            }
            Self::Status { distribution, json } => {
                status(node, distribution, output.or_json(*json)).await
            }
        }
    }
}

/// Puts a project on the staging distribution.
async fn try_out(
    node: &NodeAddress,
    distribution: &str,
    project: &Path,
    read: &ReadArgs,
    output: OutputArgs,
) -> Result<(), Failure> {
    // Before anything is read and sent: whether there is one.
    node.ask(Method::GET, &path(distribution), None).await?;
    let plan = deploy::plan(node, project, read).await?;
    let artifacts = deploy::upload(node, &plan).await?;
    progress(&"compiling and checking");
    let path = format!("{}/deploy", path(distribution));
    let body = json!({ "plan": plan, "artifacts": artifacts });
    let told = node.ask_long(Method::POST, &path, Some(&body)).await?;
    for note in &plan.notes {
        output::line(&note.to_string());
    }
    output::line(deploy::steps(&told).trim_end());
    let staging = text(&told["staging"], "id");
    note(&format_args!(
        "{staging} has it, and serves {}",
        requests(&told)
    ));
    output.show(&told, |_| format!("{staging}\n"))
}

impl TrafficArgs {
    fn body(&self) -> Value {
        match (self.weight, self.header.as_deref()) {
            (Some(weight), _) => by_weight(weight, self.sessions),
            (None, Some([name, value])) => by_header(name, value),
            (None, _) => json!({}),
        }
    }
}

fn by_weight(weight: f64, sessions: Option<(u32, u32)>) -> Value {
    let mut body = json!({ "weight": weight });
    if let Some((idle, maximum)) = sessions {
        body["sessions"] = json!({ "idle": idle, "maximum": maximum });
    }
    body
}

fn by_header(name: &str, value: &str) -> Value {
    json!({ "header": { "name": name, "value": value } })
}

async fn send(
    node: &NodeAddress,
    distribution: &str,
    body: &Value,
    output: OutputArgs,
) -> Result<(), Failure> {
    let told = node
        .ask_long(Method::PUT, &path(distribution), Some(body))
        .await?;
    let staging = text(&told["staging"], "id");
    note(&format_args!("{staging} serves {}", requests(&told)));
    output.show(&told, |_| String::new())
}

/// Characters of an id stay as they are.
const ID: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn path(distribution: &str) -> String {
    let id = utf8_percent_encode(distribution, ID);
    format!("/_fourfront/v1/stages/{id}")
}

/// Which requests the staging distribution serves, in words.
pub(super) fn requests(told: &Value) -> String {
    if told["enabled"] != json!(true) {
        return "no requests".to_owned();
    }
    let traffic = &told["traffic"];
    if let Some(weight) = traffic["weight"].as_f64() {
        let sessions = match traffic["sessions"].is_object() {
            true => " of the viewers' sessions",
            false => " of the requests",
        };
        // Two digits are enough, and hide what a 32-bit float adds.
        let percent = (weight * 10_000.0).round() / 100.0;
        return format!("{percent} %{sessions}");
    }
    let header = &traffic["header"];
    match header.is_object() {
        true => format!(
            "requests with `{}: {}`",
            text(header, "name"),
            text(header, "value")
        ),
        false => "no requests".to_owned(),
    }
}

async fn status(node: &NodeAddress, distribution: &str, output: OutputArgs) -> Result<(), Failure> {
    let mut told = node.ask(Method::GET, &path(distribution), None).await?;
    let status = node.ask(Method::GET, "/_fourfront/v1/status", None).await?;
    let mut all = status["distributions"].as_array().into_iter().flatten();
    let served = all.find(|d| d["id"] == told["distribution"]);
    told["rollout"] = served.map_or(Value::Null, |d| d["rollout"].clone());
    told["functions"] = status["functions"].clone();
    output.show(&told, |told| for_people(distribution, told))
}

fn for_people(distribution: &str, told: &Value) -> String {
    let staging = &told["staging"];
    let mut shown = format!("distribution  {distribution}\n");
    let (id, domain) = (text(staging, "id"), text(staging, "domain_name"));
    shown.push_str(&format!("staging       {id} ({domain})\n"));
    shown.push_str(&format!("serves        {}\n", requests(told)));
    let counted = &told["rollout"]["requests"];
    if counted.is_object() {
        shown.push_str(&format!(
            "requests      {} here, {} there\n",
            counted["primary"], counted["staging"]
        ));
    }
    shown.push_str(&functions(told));
    shown
}

/// How each version of each function does.
pub(super) fn functions(told: &Value) -> String {
    let all = told["functions"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = all
        .map(|function| {
            let (calls, errors) = (&function["calls"], &function["errors"]);
            let share = match (errors.as_f64(), calls.as_f64()) {
                (Some(errors), Some(calls)) if calls > 0.0 => {
                    format!("{:.1} %", 100.0 * errors / calls)
                }
                _ => "-".to_owned(),
            };
            vec![
                text(function, "function").to_owned(),
                text(function, "version").to_owned(),
                calls.to_string(),
                errors.to_string(),
                share,
                time(&function["p50_ms"]),
                time(&function["p95_ms"]),
            ]
        })
        .collect();
    let head = [
        "FUNCTION", "VERSION", "CALLS", "FAILED", "SHARE", "P50", "P95",
    ];
    output::table(&head, &rows)
}

fn time(ms: &Value) -> String {
    ms.as_f64()
        .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2} ms"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        args: StageArgs,
    }

    fn body_of_create(more: &[&str]) -> Result<Value, clap::Error> {
        let args = ["stage", "create", "E1"].iter().chain(more);
        let parsed = Alone::try_parse_from(args)?;
        let Verb::Create { traffic, .. } = parsed.args.verb else {
            panic!("create");
        };
        Ok(traffic.body())
    }

    #[test]
    fn what_is_asked_for_is_sent() {
        // CP-612
        Alone::command().debug_assert();
        assert_eq!(body_of_create(&[]).unwrap(), json!({}));
        assert_eq!(
            body_of_create(&["--weight", "0.05", "--sessions", "300,1800"]).unwrap(),
            json!({ "weight": 0.05, "sessions": { "idle": 300, "maximum": 1800 } })
        );
        assert_eq!(
            body_of_create(&["--header", "aws-cf-cd-a", "b"]).unwrap(),
            json!({ "header": { "name": "aws-cf-cd-a", "value": "b" } })
        );
        for wrong in [
            &["--weight", "0.1", "--header", "a", "b"][..],
            &["--sessions", "300,1800"],
            &["--weight", "0.1", "--sessions", "300"],
            &["--header", "a"],
            &["--weight", "5%"],
            &["--weight", "-0.1"],
            &["--weight", "1.1"],
        ] {
            assert!(body_of_create(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn requests_are_told_in_words() {
        // CP-612
        let told = |traffic: Value| requests(&json!({ "enabled": true, "traffic": traffic }));
        assert_eq!(
            told(json!({ "weight": f64::from(0.05_f32) })),
            "5 % of the requests"
        );
        assert_eq!(
            told(json!({ "weight": 0.125, "sessions": { "idle": 300, "maximum": 300 } })),
            "12.5 % of the viewers' sessions"
        );
        assert_eq!(
            told(json!({ "header": { "name": "aws-cf-cd-a", "value": "b" } })),
            "requests with `aws-cf-cd-a: b`"
        );
        assert_eq!(requests(&json!({ "enabled": false })), "no requests");
        assert_eq!(path("E1/../x"), "/_fourfront/v1/stages/E1%2F..%2Fx");
    }
}
