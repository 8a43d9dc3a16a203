//! The packages that handlers bundle most, unmodified from the npm registry: each is put to use by a program under
//! `conformance/npm/packages/programs`, under the machine's own Node.js and inside a function, and both must come to
//! the same results, log the same lines and send the same requests (NC-121).
//!
//! `FOURFRONT_PACKAGES=cookie,jose` runs those alone.

mod bundle;
mod server;
mod table;

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

use fourfront_conformance::{Authority, Edge, Origin, OriginTls, Seen};
use serde_json::{Map, Value, json};

use bundle::Installed;
use table::{Explained, Row};

/// What one run of a program came to, ready to be compared.
#[derive(Debug, Default)]
struct Outcome {
    /// Results by the names of the cases.
    cases: Map<String, Value>,
    /// Lines written to standard output and error.
    lines: Vec<String>,
    /// What the servers were sent, in order.
    requests: Vec<String>,
    /// Milliseconds to load the package, and KiB of heap it takes.
    load: (f64, f64),
}

/// The servers of one run, and how the program finds them.
struct Servers {
    plain: Origin,
    secure: Origin,
    authority: Authority,
}

impl Servers {
    async fn start() -> Self {
        let authority = Authority::new();
        let tls = OriginTls::showing(&authority.certify(&["localhost"]));
        Self {
            plain: Origin::start(server::script()).await,
            secure: Origin::start_tls(tls, server::script()).await,
            authority,
        }
    }

    /// What programs are called with, and the environment they make for themselves.
    fn told(&self) -> String {
        let environment: BTreeMap<_, _> = ENVIRONMENT.iter().copied().collect();
        json!({
            "http": self.plain.url(),
            "https": format!("https://localhost:{}", self.secure.port()),
            "ca": self.authority.pem(),
            "environment": environment,
        })
        .to_string()
    }

    /// A text without what differs between two runs: the ports.
    fn normal(&self, text: &str) -> String {
        text.replace(&format!(":{}", self.plain.port()), ":PORT")
            .replace(&format!(":{}", self.secure.port()), ":SECURE")
            .replace(&format!("port\":{}", self.plain.port()), "port\":\"PORT\"")
    }

    fn requests(&self) -> Vec<String> {
        let seen = [self.plain.seen(), self.secure.seen()].concat();
        // Whether what is given up at once has been sent by then is a matter of speed.
        let kept = seen.iter().filter(|s| !s.target.contains("/never"));
        kept.map(|s| self.normal(&sent(s))).collect()
    }

    fn outcome(&self, text: &str, lines: Vec<String>) -> Outcome {
        let mut told: Value = serde_json::from_str(&self.normal(text))
            .unwrap_or_else(|e| panic!("the program's results are not JSON: {e}: {text}"));
        let number = |v: &Value| v.as_f64().unwrap_or_default();
        Outcome {
            load: (number(&told["load"]["ms"]), number(&told["load"]["kib"])),
            cases: match told["cases"].take() {
                Value::Object(cases) => cases,
                other => panic!("the program's results are not named: {other}"),
            },
            lines: lines.iter().map(|l| self.normal(l)).collect(),
            requests: self.requests(),
        }
    }
}

/// Fields whose values tell the time, the machine or chance.
const VARYING: &[&str] = &[
    "amz-sdk-invocation-id",
    "authorization",
    "user-agent",
    "x-amz-date",
    "x-amz-user-agent",
];

/// What `fetch` adds by itself and no program asks for: encodings and connection are the client's own business.
const OF_FETCH: &[&str] = &["accept-encoding", "connection", "sec-fetch-mode"];

/// A request as one line. Names come in the order they were sent in, but for those of `fetch`, which has none; varying
/// values are left out.
fn sent(request: &Seen) -> String {
    let fetch = request.header("accept-language") == Some("*");
    let mut fields: Vec<&(String, String)> = request
        .headers
        .iter()
        .filter(|(name, _)| !(fetch && OF_FETCH.contains(&&name[..])))
        .collect();
    if fetch {
        fields.sort();
    }
    let headers: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| {
            let basic = value.starts_with("Basic ") || value.starts_with("Bearer ");
            if VARYING.contains(&&name[..]) && !basic || value.contains("boundary=") {
                name.clone()
            } else {
                format!("{name}: {value}")
            }
        })
        .collect();
    let multipart = request
        .header("content-type")
        .is_some_and(|t| t.contains("boundary="));
    let body = if multipart {
        format!("multipart of {} bytes", request.body.len())
    } else if request.body.len() > 2000 {
        format!("{} bytes", request.body.len())
    } else {
        String::from_utf8_lossy(&request.body).into_owned()
    };
    format!(
        "{} {} [{}] {body:?}",
        request.method,
        request.target,
        headers.join(", ")
    )
}

/// What a program sets in its environment before it loads a package, on either side: the SDKs read `process.env` (NC-71).
const ENVIRONMENT: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ),
    ("AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE", "1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    // Told by the version of Node, which is the machine's.
    ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true"),
];

async fn under_node(dir: &Path) -> Result<Outcome, String> {
    let servers = Servers::start().await;
    let home = tempfile::tempdir().expect("a temporary directory");
    let results = home.path().join("results.json");
    let mut node = Command::new("node");
    node.args(["-e", "require('./index.js').run().then((r) => require('fs').writeFileSync(process.argv[1], JSON.stringify(r)))"])
        .arg(&results)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("AWS_REGION", "us-east-1")
        .env("TZ", "UTC")
        .env("SERVER", servers.told());
    let out = tokio::task::spawn_blocking(move || node.output())
        .await
        .expect("the thread ends")
        .expect("node, which `scripts/setup.sh test` installs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let lines = format!("{}{}", said(&out.stdout), said(&out.stderr));
    match fs::read_to_string(&results) {
        Ok(text) => Ok(servers.outcome(&text, lines.lines().map(str::to_owned).collect())),
        Err(_) => Err(format!("node ends without results: {lines}")),
    }
}

async fn in_a_function(dir: &Path) -> Result<Outcome, String> {
    let servers = Servers::start().await;
    // Every JSON text is YAML.
    let environment = json!({ "SERVER": servers.told() });
    let edge = Edge::new()
        .top("compat: relaxed")
        .bundle_dir(
            "f",
            dir,
            &format!("memory: 512, timeout: 30, environment: {environment}"),
        )
        .behavior("on: { origin-request: f }")
        .node("hooks: { local_egress: true }")
        .start_at("http://127.0.0.1:1")
        .await;
    let answer = edge.get("/").await;
    let logs = edge.logs();
    // What is written at once is one record.
    let lines: Vec<String> = logs
        .iter()
        .flat_map(|l| l.message.lines().map(str::to_owned))
        .collect();
    if answer.status != 200 {
        return Err(format!(
            "{} {:?}\n{}",
            answer.status,
            edge.record_of(&answer).await.error,
            lines.join("\n")
        ));
    }
    Ok(servers.outcome(answer.text(), lines))
}

/// Differences as `what: node's / ours`.
fn compare(node: &Outcome, ours: &Outcome) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut differ = |what: String, node: &str, ours: &str| {
        if node != ours {
            found.push((what, format!("\n      node: {node}\n      ours: {ours}")));
        }
    };
    let names: std::collections::BTreeSet<&String> =
        node.cases.keys().chain(ours.cases.keys()).collect();
    for name in names {
        let shown = |o: &Outcome| {
            o.cases
                .get(name)
                .map_or_else(|| "nothing".to_owned(), Value::to_string)
        };
        differ(name.clone(), &shown(node), &shown(ours));
    }
    let lists = [
        ("line", &node.lines, &ours.lines),
        ("request", &node.requests, &ours.requests),
    ];
    for (what, node, ours) in lists {
        for i in 0..node.len().max(ours.len()) {
            let shown = |list: &[String]| list.get(i).cloned().unwrap_or_else(|| "nothing".into());
            differ(format!("{what} {}", i + 1), &shown(node), &shown(ours));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_do_in_a_function_what_they_do_under_node() {
    // NC-121, NC-71, NC-50
    let installed = Installed::new();
    let mut explained = Explained::read(installed.source());
    let mut rows = Vec::new();
    let mut problems = String::new();
    let only = std::env::var("FOURFRONT_PACKAGES").ok();
    let wanted = |name: &str| {
        only.as_ref()
            .is_none_or(|o| o.split(',').any(|one| one == name))
    };
    for package in installed.packages().iter().filter(|p| wanted(&p.name)) {
        let started = Instant::now();
        let dir = installed.bundle(package);
        let node = match under_node(dir.path()).await {
            Ok(node) => node,
            Err(error) => {
                problems += &format!("\n  {}: {error}", package.name);
                continue;
            }
        };
        let (result, load) = match in_a_function(dir.path()).await {
            Err(error) => {
                problems += &format!("\n  {}: {error}", package.name);
                ("does not run".to_owned(), (0.0, 0.0))
            }
            Ok(ours) => {
                let mut unexplained = 0;
                for (name, thrown) in thrown(&node) {
                    unexplained += 1;
                    problems +=
                        &format!("\n  {} {name}: throws under Node: {thrown}", package.name);
                }
                let differences = compare(&node, &ours);
                let mut known = 0;
                for (what, difference) in differences {
                    if explained.has(&package.name, &what) {
                        known += 1;
                    } else {
                        unexplained += 1;
                        problems += &format!("\n  {} {what}: {difference}", package.name);
                    }
                }
                let result = match (unexplained, known) {
                    (0, 0) => "same".to_owned(),
                    (0, known) => format!("same but for {known} explained"),
                    (unexplained, _) => format!("{unexplained} different"),
                };
                (result, ours.load)
            }
        };
        rows.push(Row {
            name: package.name.clone(),
            version: package.version.clone(),
            cases: node.cases.len(),
            requests: node.requests.len(),
            result,
            node_load: node.load,
            load,
            seconds: started.elapsed().as_secs_f64(),
        });
    }
    println!("{}", table::render(&rows));
    assert!(!rows.is_empty(), "no such package");
    if only.is_none() {
        for stale in explained.unused() {
            problems += &format!("\n  explained, and not different: {stale}");
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

/// A function that reads an object, within what a viewer trigger has by default.
const READER: &str = "
    const used = () => process.memoryUsage().heapUsed;
    const before = used();
    const start = process.hrtime.bigint();
    const { GetObjectCommand, S3Client } = require('@aws-sdk/client-s3');
    const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' };
    const s3 = new S3Client({ endpoint: 'ENDPOINT', region: 'us-east-1', forcePathStyle: true, credentials });
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    const loaded = used() - before;
    exports.handler = async () => {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }));
        const text = await Body.transformToString();
        return { status: '200', body: JSON.stringify({ text, ms, loaded, used: used() - before }) };
    };";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_sdk_fits_into_a_viewer_trigger() {
    // NC-71
    let installed = Installed::new();
    let packages = installed.packages();
    let s3 = packages
        .iter()
        .find(|p| p.name == "@aws-sdk/client-s3")
        .expect("the client for S3");
    let dir = installed.bundle(s3);
    let origin = Origin::start(server::script()).await;
    let code = READER.replace("ENDPOINT", &origin.url());
    fs::write(dir.path().join("index.js"), code).expect("a writable file");
    let edge = Edge::new()
        .bundle_dir("reader", dir.path(), "")
        .behavior("on: { viewer-request: reader }")
        .node("hooks: { local_egress: true }")
        .start_at("http://127.0.0.1:1")
        .await;
    for call in ["first", "second"] {
        let started = Instant::now();
        let answer = edge.get("/").await;
        let took = started.elapsed();
        assert_eq!(
            answer.status,
            200,
            "{:?}",
            edge.record_of(&answer).await.error
        );
        let told: Value = serde_json::from_str(answer.text()).expect("JSON");
        assert_eq!(told["text"], "hello world");
        println!("{call} answer after {took:?}: {told}");
    }
    assert_eq!(origin.count(), 2);
}

/// Cases that Node itself does not get through: a mistake in the program.
fn thrown(node: &Outcome) -> Vec<(&String, &Value)> {
    node.cases
        .iter()
        .filter_map(|(name, v)| Some((name, v.get("thrown")?)))
        .collect()
}

#[test]
fn every_way_to_differ_is_found() {
    // NC-121
    let outcome = |value: u32, lines: &[&str], requests: &[&str]| Outcome {
        cases: Map::from_iter([("case".to_owned(), json!(value))]),
        lines: lines.iter().map(|l| (*l).to_owned()).collect(),
        requests: requests.iter().map(|r| (*r).to_owned()).collect(),
        load: (0.0, 0.0),
    };
    let node = outcome(1, &["a"], &["GET /a"]);
    let found = |ours: &Outcome| -> Vec<String> {
        compare(&node, ours)
            .into_iter()
            .map(|(what, _)| what)
            .collect()
    };
    assert_eq!(found(&outcome(1, &["a"], &["GET /a"])), [""; 0]);
    assert_eq!(found(&outcome(2, &["a"], &["GET /a"])), ["case"]);
    assert_eq!(found(&Outcome::default()), ["case", "line 1", "request 1"]);
    assert_eq!(
        found(&outcome(1, &["a", "b"], &["GET /b"])),
        ["line 2", "request 1"]
    );
}
