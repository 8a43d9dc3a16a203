//! Deploys of projects to a node at work, and what is done with their releases.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::{Ended, LIMIT, Running, Site, address_after, answer_with, run};

/// A node that keeps control state, and nothing else yet.
const EMPTY: &str =
    "node: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, threads: 1, data_dir: ./data }\n";

/// The project's seed example: one function with a CloudFront event.
const SERVERLESS: &str = "\
service: edgesvc
provider:
  name: aws
  runtime: nodejs20.x
functions:
  edge:
    handler: handler.handler
    events:
      - cloudFront:
          eventType: viewer-request
          origin: https://www.example.org/app
";

/// A node and where it is reached.
pub(crate) struct Served {
    pub(crate) site: Site,
    node: Option<Running>,
    pub(crate) viewer: SocketAddr,
    admin: SocketAddr,
}

impl Served {
    pub(crate) fn start(files: &[(&str, &str)]) -> Self {
        let all: Vec<_> = [("fourfront.yaml", EMPTY)]
            .iter()
            .chain(files)
            .copied()
            .collect();
        let site = Site::new(&all);
        let (node, viewer, admin) = serve(site.path());
        Self {
            site,
            node: Some(node),
            viewer,
            admin,
        }
    }

    /// Starts it anew, on other ports, after it was killed.
    fn restart(&mut self) {
        if let Some(node) = self.node.take() {
            node.signal("KILL");
            node.ended_unread();
        }
        let (node, viewer, admin) = serve(self.site.path());
        (self.node, self.viewer, self.admin) = (Some(node), viewer, admin);
    }

    /// Runs a command against the node.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let node = format!("http://{}", self.admin);
        let args: Vec<_> = args.iter().chain(&["--node", &node]).copied().collect();
        run(&args, self.site.path())
    }

    /// The same, for what has to succeed; its data.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.stdout
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args: Vec<_> = args.iter().chain(&["-o", "json"]).copied().collect();
        serde_json::from_str(&self.done(&args)).expect("JSON")
    }

    /// What viewers get of the one distribution.
    pub(crate) fn page(&self) -> String {
        let all = self.json(&["dist", "list"]);
        let host = all["items"][0]["domain_name"].as_str().expect("a name");
        self.page_of(host, "")
    }

    /// What viewers get of a host, with further lines in the head.
    pub(crate) fn page_of(&self, host: &str, lines: &str) -> String {
        let mut stream = TcpStream::connect(self.viewer).expect("a listener");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"
        )
        .expect("a reader");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text.rsplit("\r\n").next().unwrap_or_default().to_owned()
    }
}

fn serve(dir: &Path) -> (Running, SocketAddr, SocketAddr) {
    let node = Running::start(&["serve"], dir);
    let (viewer, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    (node, viewer, admin)
}

fn seed(answer: &str) -> [(&'static str, String); 2] {
    [
        ("app/serverless.yml", SERVERLESS.to_owned()),
        ("app/handler.js", answer_with(answer)),
    ]
}

pub(crate) fn started(answer: &str) -> Served {
    let files = seed(answer);
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    Served::start(&files)
}

#[test]
fn a_serverless_project_is_deployed_changed_and_rolled_back() {
    // CP-301, CP-302, CP-330, CP-603, CP-609, CP-616
    let mut node = started("one");
    let planned = node.run(&["deploy", "app", "--dry-run"]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    for part in ["create  function", "edgesvc-dev-edge", "serverless.yml:6:3"] {
        assert!(planned.stdout.contains(part), "{part}: {planned:?}");
    }
    assert_eq!(node.done(&["versions"]), "");

    let first = node.run(&["deploy", "app", "-m", "the first"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let release = first.stdout.trim().to_owned();
    assert_eq!(
        first.stdout,
        format!("{release}\n"),
        "data is the release alone"
    );
    assert!(first.stderr.contains("serverless.yml:6:3"), "{first:?}");
    let url = format!(":{}/", node.viewer.port());
    assert!(first.stderr.contains(&url), "{first:?}");
    // In a pipe nobody is told what is being done, only what was.
    for progress in ["reading", "sending", "compiling"] {
        assert!(!first.stderr.contains(progress), "{first:?}");
    }
    assert_eq!(node.page(), "one");

    let again = node.run(&["deploy", "app"]);
    assert_eq!(
        (again.code, again.stdout.trim()),
        (Some(0), release.as_str())
    );
    assert!(again.stderr.contains("nothing changed"), "{again:?}");

    node.site.write("app/handler.js", &answer_with("two"));
    let quiet = node.run(&["deploy", "app", "-q"]);
    assert_eq!(
        (quiet.code, quiet.stderr.as_str()),
        (Some(0), ""),
        "{quiet:?}"
    );
    assert_eq!(node.page(), "two");
    let second = quiet.stdout.trim();

    // What does not load is refused, and nothing changes.
    node.site
        .write("app/handler.js", "exports.handler = async (\n");
    let broken = node.run(&["deploy", "app"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stderr.contains("handler.js"), "{broken:?}");
    assert_eq!(node.page(), "two");

    let difference = node.done(&["diff", &release, second]);
    assert!(
        difference.contains("edgesvc-dev-edge:1\" -> "),
        "{difference}"
    );
    let back = node.done(&["rollback", "-m", "two is wrong"]);
    assert_eq!(node.page(), "one");
    let all = node.json(&["versions", "edgesvc-dev"]);
    let ids: Vec<_> = all["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|r| &r["id"])
        .collect();
    assert_eq!(ids, [back.trim(), second, &release]);
    assert_eq!(all["items"][0]["message"], "two is wrong");
    node.done(&["activate", second]);
    assert_eq!(node.page(), "two");
    assert_eq!(node.run(&["activate", "r0"]).code, Some(1));

    // CP-564: what was answered is there after a kill.
    node.restart();
    assert_eq!(node.page(), "two");
    let told: Value = serde_json::from_str(&node.done(&["export"])).expect("JSON");
    let comment = &told["DistributionConfig"]["Comment"];
    assert_eq!(comment, "edgesvc dev");

    // CP-611: what is in use stays.
    let id = node.json(&["dist", "list"])["items"][0]["id"].clone();
    let id = id.as_str().expect("an id");
    assert_eq!(node.run(&["fn", "rm", "edgesvc-dev-edge"]).code, Some(1));
    assert_eq!(node.run(&["dist", "rm", id]).code, Some(4));
    node.done(&["dist", "rm", id, "--force"]);
    node.done(&["fn", "rm", "edgesvc-dev-edge"]);
    assert_eq!(node.done(&["dist", "list"]), "");
    assert_eq!(node.run(&["dist", "show", id]).code, Some(1));
}

#[test]
fn the_first_request_comes_within_five_seconds_of_the_command() {
    // CP-710: of the command, on a node that has run no function yet. Half a second, where nothing else is measured.
    let node = started("one");
    let begun = Instant::now();
    node.done(&["deploy", "app"]);
    assert_eq!(node.page(), "one");
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

#[test]
fn what_is_no_project_is_refused_before_a_node_is_asked_to_do_anything() {
    // CP-300, CP-303, CP-616
    let node = Served::start(&[("empty/readme.txt", "nothing")]);
    assert_eq!(node.run(&["deploy", "empty"]).code, Some(1));
    let site_file = node.run(&["deploy", "fourfront.yaml"]);
    // It holds what is the node's own, and nothing else.
    assert_eq!(site_file.code, Some(1), "{site_file:?}");
    assert!(
        site_file.stderr.contains("nothing here to deploy"),
        "{site_file:?}"
    );
    let set = node.run(&["deploy", "fourfront.yaml", "--set", "a=b"]);
    assert_eq!(set.code, Some(2), "{set:?}");
    assert_eq!(node.run(&["deploy", "empty", "--set", "x"]).code, Some(2));
    assert_eq!(node.run(&["rollback"]).code, Some(1));
    assert_eq!(node.done(&["versions"]), "");
}

#[test]
fn keys_of_a_store_are_written_read_and_taken_along() {
    // CP-156, CP-202, CP-204, CP-611
    let template = "\
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  Routes:
    Type: AWS::CloudFront::KeyValueStore
    Properties: { Name: routes }
";
    let data: Vec<String> = (0..60)
        .map(|n| format!(r#"{{"key":"k{n:02}","value":"v{n}"}}"#))
        .collect();
    let data = format!(r#"{{"data":[{}]}}"#, data.join(","));
    let node = Served::start(&[("app/template.yaml", template), ("routes.json", &data)]);
    node.done(&["deploy", "app", "--stack", "s"]);
    node.done(&["kv", "put", "routes", "a/b c", "one two"]);
    assert_eq!(
        node.done(&["kv", "get", "routes", "a/b c"]).trim_end(),
        "one two"
    );
    assert_eq!(node.run(&["kv", "get", "routes", "none"]).code, Some(1));
    assert_eq!(node.run(&["kv", "ls", "none"]).code, Some(1));

    let imported = node.run(&["kv", "import", "routes", "routes.json", "--prune"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(
        imported.stderr.contains("60 set, 1 removed"),
        "{imported:?}"
    );
    let listed = node.json(&["kv", "ls", "routes"]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(60));
    let exported: Value =
        serde_json::from_str(&node.done(&["kv", "export", "routes"])).expect("JSON");
    assert_eq!(
        exported,
        serde_json::from_str::<Value>(&data).expect("JSON")
    );
    node.done(&["kv", "rm", "routes", "k00", "k01"]);
    let listed = node.done(&["kv", "ls", "routes"]);
    assert_eq!(listed.lines().nth(1), Some("k02  v2"), "{listed}");
    // A second deploy leaves what was written.
    node.done(&["deploy", "app", "--stack", "s"]);
    assert_eq!(node.done(&["kv", "get", "routes", "k02"]).trim_end(), "v2");
}

#[test]
fn an_assembly_that_has_not_changed_plans_nothing() {
    // CP-364, CP-067, CP-302: of the kind `cdk synth` writes, with a version whose logical id is made of its content
    const STACK: &str = "aws:cloudformation:stack";
    let manifest = format!(
        r#"{{"version": "1", "artifacts": {{
            "Site": {{"type": "{STACK}", "environment": "aws://unknown-account/unknown-region", "properties": {{"templateFile": "Site.template.json"}}, "dependencies": ["Site.assets"]}},
            "Site.assets": {{"type": "cdk:asset-manifest", "properties": {{"file": "Site.assets.json"}}}}}}}}"#
    );
    let template = |version: &str| {
        format!(
            r#"{{"Parameters": {{"BootstrapVersion": {{"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"}}}},
            "Rules": {{"CheckBootstrapVersion": {{"Assertions": [{{"Assert": {{"Fn::Not": [{{"Fn::Contains": [["1"], {{"Ref": "BootstrapVersion"}}]}}]}}, "AssertDescription": "x"}}]}}}},
            "Resources": {{
              "Edge": {{"Type": "AWS::Lambda::Function", "Properties": {{"Handler": "index.handler", "Runtime": "nodejs22.x", "Code": {{"S3Bucket": "b", "S3Key": "h1.zip"}}}}}},
              "EdgeCurrentVersion{version}": {{"Type": "AWS::Lambda::Version", "Properties": {{"FunctionName": {{"Ref": "Edge"}}}}}},
              "Dist": {{"Type": "AWS::CloudFront::Distribution", "Properties": {{"DistributionConfig": {{"Enabled": true,
                "Origins": [{{"Id": "a", "DomainName": "a.example.test", "CustomOriginConfig": {{"OriginProtocolPolicy": "http-only"}}}}],
                "DefaultCacheBehavior": {{"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                  "LambdaFunctionAssociations": [{{"EventType": "viewer-request", "LambdaFunctionARN": {{"Ref": "EdgeCurrentVersion{version}"}}}}]}}}}}}}}}}}}"#
        )
    };
    let assets = r#"{"files": {"h1": {"source": {"path": "asset.h1", "packaging": "zip"}, "destinations": {"d": {"objectKey": "h1.zip"}}}}}"#;
    let first = template("AAAA");
    let node = Served::start(&[
        ("cdk.out/cdk.out", "{}"),
        ("cdk.out/manifest.json", &manifest),
        ("cdk.out/Site.template.json", &first),
        ("cdk.out/Site.assets.json", assets),
        ("cdk.out/asset.h1/index.js", &answer_with("one")),
    ]);
    node.done(&["deploy", "cdk.out"]);
    assert_eq!(node.page(), "one");
    let again = node.run(&["deploy", "cdk.out"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("nothing changed"), "{again:?}");

    node.site
        .write("cdk.out/asset.h1/index.js", &answer_with("two"));
    node.site
        .write("cdk.out/Site.template.json", &template("BBBB"));
    let changed = node.run(&["deploy", "cdk.out"]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    assert!(!changed.stderr.contains("nothing changed"), "{changed:?}");
    assert_eq!(node.page(), "two");
}

#[test]
fn a_deployed_function_is_invoked_with_an_event() {
    // CP-605, CP-620, CP-616
    let mut files = seed("one").to_vec();
    let event = r#"{"Records":[{"cf":{"config":{"eventType":"viewer-request"},"request":{"uri":"/a","method":"GET","headers":{}}}}]}"#;
    files.push(("event.json", event.to_owned()));
    files.push((
        "wrong/serverless.yml",
        SERVERLESS.replace("edgesvc", "wrong"),
    ));
    let wrong = "exports.handler = async () => { console.log('so far'); throw new TypeError('no \\x1b[2J'); };\n";
    files.push(("wrong/handler.js", wrong.to_owned()));
    let files: Vec<_> = files.iter().map(|(p, text)| (*p, text.as_str())).collect();
    let node = Served::start(&files);
    node.done(&["deploy", "app"]);
    node.done(&["deploy", "wrong"]);
    let invoked = node.run(&["invoke", "edgesvc-dev-edge", "event.json"]);
    assert_eq!(invoked.code, Some(0), "{invoked:?}");
    let result: Value = serde_json::from_str(&invoked.stdout).expect("JSON");
    assert_eq!(result["body"], "one", "{result}");
    let of_version = ["invoke", "edgesvc-dev-edge", "event.json", "--version", "1"];
    let told = node.json(&of_version);
    assert_eq!(
        (&told["version"], &told["kind"]),
        (&"1".into(), &"lambda".into())
    );
    let failed = node.run(&["invoke", "wrong-dev-edge", "event.json"]);
    assert_eq!(
        (failed.code, failed.stdout.trim()),
        (Some(1), "null"),
        "{failed:?}"
    );
    for part in ["so far", "wrong-dev-edge $LATEST: TypeError: no \\u{1b}[2J"] {
        assert!(failed.stderr.contains(part), "{part}: {failed:?}");
    }
    let none = node.run(&["invoke", "nobody", "event.json"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("nobody"), "{none:?}");
    let missing = node.run(&["invoke", "edgesvc-dev-edge", "nothing.json"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
}
