//! Logs in one place: `GET logs`, `fourfront logs`, and `aws logs tail` against a node.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::program::{LIMIT, Running, Site, address_after, gated_origin, get, run};

/// A node with control state, whose function `f` says what it sees, and answers `/bad` with 500.
struct Node {
    site: Site,
    running: Running,
    viewer: SocketAddr,
    admin: String,
}

const FUNCTION: &str = "exports.handler = async (event) => {
    const { uri } = event.Records[0].cf.request;
    if (uri === '/long') console.log('x'.repeat(200_000));
    else console.log('saw ' + uri);
    return { status: uri === '/bad' ? '500' : '200', body: 'fine' };
};";

impl Node {
    fn start() -> Self {
        let site = Site::answering("");
        site.write("f.js", FUNCTION);
        let yaml = site.read("fourfront.yaml");
        let settings = "threads: 1, data_dir: ./data, log: { access: false }";
        Self::of(site, &yaml.replace("threads: 1", settings))
    }

    fn of(site: Site, yaml: &str) -> Self {
        site.write("fourfront.yaml", yaml);
        let running = Running::start(&["serve"], site.path());
        let (viewer, line) = running.address("serving on ");
        let admin = address_after(&line, "admin on ").to_string();
        Self {
            site,
            running,
            viewer,
            admin,
        }
    }

    fn get(&self, path: &str) {
        assert_eq!(get(self.viewer, path, &[]).body, "fine");
    }

    fn socket(&self) -> PathBuf {
        self.site.path().join("data/admin.sock")
    }

    /// Reads along by the node's socket, from the first answer on.
    fn follow(&self, query: &str) -> Follow {
        let mut stream = UnixStream::connect(self.socket()).expect("the node's socket");
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("a limit above zero");
        let head = format!("GET /_fourfront/v1/logs?{query} HTTP/1.1\r\nHost: node\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("a reader");
        Follow(BufReader::new(stream))
    }

    fn logs(&self, args: &[&str]) -> Running {
        let args: Vec<_> = ["logs", "--node", &self.admin]
            .iter()
            .chain(args)
            .copied()
            .collect();
        Running::start(&args, self.site.path())
    }
}

struct Follow(BufReader<UnixStream>);

impl Follow {
    /// The lines of the answer up to the one that contains `wanted`.
    fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            assert!(
                matches!(read, Ok(1..)),
                "no `{wanted}` ({read:?}) in {seen:?}"
            );
            let is_it = line.contains(wanted);
            seen.push(line);
            if is_it {
                return seen;
            }
        }
    }
}

#[test]
fn what_functions_say_and_how_requests_end_is_told_to_each_reader_at_once() {
    // CP-534, CP-608, CP-620
    let node = Node::start();
    let (mut all, mut failed) = (node.follow("follow=1"), node.follow("follow=1&status=5xx"));
    let head = all.until(": here");
    assert!(
        head.iter()
            .any(|l| l == "content-type: text/event-stream\r\n"),
        "{head:?}"
    );
    failed.until(": here");

    node.get("/a");
    let answered = Instant::now();
    let line = all.until("saw /a").pop().unwrap();
    let took = answered.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    let line: serde_json::Value = serde_json::from_str(line.trim_start_matches("data: ")).unwrap();
    assert_eq!(
        (&line["function"], &line["version"]),
        (&"f".into(), &1.into())
    );
    // The node has no access log of its own.
    let record = all.until("\"sc-status\":200").pop().unwrap();
    let record: serde_json::Value =
        serde_json::from_str(record.trim_start_matches("data: ")).unwrap();
    assert_eq!(record["x-edge-request-id"], line["request_id"]);
    assert_eq!(
        record["x-edge-detailed-result-type"],
        "LambdaGeneratedResponse"
    );

    node.get("/bad");
    all.until("saw /bad");
    let told = failed.until("\"sc-status\":500").concat();
    assert!(
        !told.contains("saw") && !told.contains("\"sc-status\":200"),
        "{told}"
    );
}

#[test]
fn the_command_shows_what_is_kept_and_follows_what_comes() {
    // CP-608, CP-616, CP-402: without a key, over the socket that the node names
    let node = Node::start();
    node.get("/a");
    let refused = get(node.admin.parse().unwrap(), "/_fourfront/v1/logs", &[]);
    assert!(matches!(refused.status, 401 | 403), "{}", refused.head);
    assert!(
        refused
            .header("fourfront-socket")
            .unwrap()
            .ends_with("data/admin.sock")
    );

    let hooks = node.logs(&["-f", "--hook", "--since", "1h", "--function", "f"]);
    let line = hooks.stdout_until("saw /a").pop().unwrap();
    let fields: Vec<&str> = line.split('\t').collect();
    assert_eq!(
        (fields[2], fields[3], fields[5]),
        ("INFO", "f:1", "saw /a"),
        "{line}"
    );
    node.get("/b");
    hooks.stdout_until("saw /b");

    let kept = node.logs(&["--json", "--grep", "saw /b"]).ended();
    assert_eq!((kept.code, kept.stderr.as_str()), (Some(0), ""));
    let line: serde_json::Value = serde_json::from_str(kept.stdout.trim()).expect("one document");
    assert_eq!(line["message"], "saw /b");

    for (args, named) in [
        (&["--access"][..], "InvalidArgument: follow: "),
        (&["--status", "six", "-f"], "InvalidArgument: status: "),
        (&["--since", "yesterday"], "InvalidArgument: since: "),
    ] {
        let ended = node.logs(args).ended();
        assert_eq!(ended.code, Some(1), "{args:?}");
        assert!(ended.stderr.contains(named), "{args:?}: {}", ended.stderr);
    }
    let nobody = run(&["logs", "--node", "127.0.0.1:1"], node.site.path());
    assert_eq!(nobody.code, Some(3));
}

#[test]
fn a_reader_who_does_not_read_holds_up_no_request_and_is_told_what_it_missed() {
    // CP-534, LE-352
    let node = Node::start();
    let mut stopped = node.follow("follow=1");
    stopped.until(": here");
    // More than is kept and than lies in buffers.
    for _ in 0..80 {
        node.get("/long");
    }
    let mut other = node.follow("follow=1");
    other.until(": here");
    node.get("/a");
    other.until("saw /a");
    stopped.until("event: missed");
    let count = stopped.until("data: {").pop().unwrap();
    assert!(count.starts_with("data: {\"count\":"), "{count}");
}

#[test]
fn following_ends_when_the_node_drains() {
    // CP-534, CP-600
    let (origin, asked, let_go) = gated_origin("fine");
    let yaml = format!(
        "node: {{ listen: 127.0.0.1:0, admin: 127.0.0.1:0, threads: 1, data_dir: ./data }}\ndistributions:\n  site:\n    \
         origins: {{ app: \"http://{origin}\" }}\n    default_cache_behavior: {{ origin: app }}\n"
    );
    let node = Node::of(Site::new(&[]), &yaml);
    let mut reader = node.follow("follow=1");
    reader.until(": here");
    let viewer = node.viewer;
    let slow = std::thread::spawn(move || get(viewer, "/slow", &[]));
    asked.recv_timeout(LIMIT).unwrap();
    node.running.signal("TERM");
    reader.until("event: end");
    let_go.send(()).unwrap();
    assert_eq!(slow.join().unwrap().body, "fine");
    assert_eq!(node.running.ended().code, Some(0));

    // One that has nothing to wait for tells its readers, too.
    let node = Node::start();
    node.get("/a");
    let followed = node.logs(&["-f", "--since", "1h", "--hook"]);
    followed.stdout_until("saw /a");
    node.running.signal("TERM");
    let told = followed.ended();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("the node ends"), "{}", told.stderr);
}

#[test]
fn a_node_without_control_state_tells_its_logs_on_its_own_machine() {
    // CP-608, CP-620: nobody has keys there, so a name that a web page made up is not answered
    let site = Site::answering("");
    site.write("f.js", FUNCTION);
    let yaml = site.read("fourfront.yaml");
    let node = Node::of(site, &yaml);
    node.get("/a");
    let ended = node.logs(&["--hook"]).ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("\tsaw /a\n"), "{}", ended.stdout);
    let refused = get(node.admin.parse().unwrap(), "/_fourfront/v1/logs", &[]);
    assert_eq!(refused.status, 403, "{}", refused.head);
}

#[test]
fn a_key_reads_the_logs_that_it_is_for() {
    // CP-432
    let node = Node::start();
    let token_for = |grants: &str| {
        let body = format!(r#"{{"kind":"token",{grants}}}"#);
        let mut stream = UnixStream::connect(node.socket()).expect("the node's socket");
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("a limit above zero");
        let length = body.len();
        let head = "POST /_fourfront/v1/keys HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: application/json";
        write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}").expect("a reader");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, document) = answer.split_once("\r\n\r\n").expect("a head");
        let document: serde_json::Value = serde_json::from_str(document).expect("a document");
        let token = document["token"].as_str();
        format!(
            "Authorization: Bearer {}",
            token.unwrap_or_else(|| panic!("{answer}"))
        )
    };
    let of_f = token_for(r#""roles":["logs"],"function_prefixes":["f"]"#);
    let all = token_for(r#""roles":["logs"]"#);
    let reader = token_for(r#""roles":["read"]"#);
    for (key, query, status) in [
        (&all, "", 200),
        (&of_f, "?function=f", 200),
        (&of_f, "?function=g", 403),
        (&of_f, "?function=f&function=g", 403),
        (&of_f, "", 403),
        (&reader, "", 403),
    ] {
        let path = format!("/_fourfront/v1/logs{query}");
        let answer = get(node.admin.parse().unwrap(), &path, &[key]);
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
    }
}

/// Amazon's CLI, installed once.
fn aws_cli() -> PathBuf {
    const VERSION: &str = "1.46.3";
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = home.join(format!("awscli-{VERSION}"));
    if !packages.exists() {
        // Made aside and then renamed, so that tests in other processes find all of it or nothing.
        let aside = TempDir::new_in(home).expect("a temporary directory");
        let ran = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--target",
            ])
            .arg(aside.path())
            .arg(format!("awscli=={VERSION}"))
            .output()
            .expect("Python, which `scripts/setup.sh test` installs");
        assert!(
            ran.status.success(),
            "pip: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        // Another process may have been faster; its directory is as good.
        let _ = fs::rename(aside.path(), &packages);
    }
    packages
}

#[test]
fn amazons_cli_reads_what_a_function_logs() {
    // CP-232: version 2 of it has `logs tail`, which is FilterLogEvents as here, every few seconds with `--follow`. The Python
    // index has version 1, which has the operations alone.
    let node = Node::start();
    for path in ["/first", "/second", "/third"] {
        node.get(path);
    }
    let packages = aws_cli();
    let aws = |args: &[&str]| {
        let mut python = Command::new("python3");
        python
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", node.site.path())
            .env("PYTHONPATH", &packages)
            .env("AWS_ENDPOINT_URL", format!("http://{}", node.admin))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                node.site.path().join("data/bootstrap-credentials"),
            );
        let args: Vec<_> = ["-m", "awscli", "logs"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        Running::start_command(&mut python, &args, node.site.path()).ended()
    };
    let told = |args: &[&str]| -> serde_json::Value {
        let ended = aws(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap_or_default()
    };
    let messages = |told: &serde_json::Value| -> Vec<String> {
        let events = told["events"].as_array().expect("events");
        let text =
            |event: &serde_json::Value| event["message"].as_str().unwrap_or_default().to_owned();
        events.iter().map(text).collect()
    };
    let group = "/aws/lambda/us-east-1.f";
    let groups = told(&[
        "describe-log-groups",
        "--log-group-name-prefix",
        "/aws/lambda/",
    ]);
    assert_eq!(groups["logGroups"][0]["logGroupName"], group);

    let of = [
        "filter-log-events",
        "--log-group-name",
        group,
        "--interleaved",
    ];
    // Two to a page, and the CLI turns the pages.
    let all = told(&[&of[..], &["--page-size", "2", "--start-time", "0"]].concat());
    let all = messages(&all);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[0].ends_with("\tINFO\tsaw /first\n"), "{all:?}");
    let some = told(&[&of[..], &["--filter-pattern", "saw -second -third"]].concat());
    assert_eq!(messages(&some), all[..1]);

    let streams = told(&["describe-log-streams", "--log-group-name", group]);
    let stream = streams["logStreams"][0]["logStreamName"]
        .as_str()
        .expect("a name");
    let last = told(&[
        "get-log-events",
        "--log-group-name",
        group,
        "--log-stream-name",
        stream,
        "--limit",
        "2",
    ]);
    assert_eq!(messages(&last), all[1..]);

    told(&[
        "create-log-group",
        "--log-group-name",
        group,
        "--tags",
        "team=edge",
    ]);
    told(&[
        "put-retention-policy",
        "--log-group-name",
        group,
        "--retention-in-days",
        "7",
    ]);
    let arn = groups["logGroups"][0]["arn"]
        .as_str()
        .expect("an ARN")
        .trim_end_matches(":*");
    let tags = told(&["list-tags-for-resource", "--resource-arn", arn]);
    assert_eq!(tags["tags"]["team"], "edge");
    told(&["delete-log-group", "--log-group-name", group]);
    let none = aws(&of);
    assert!(
        none.stderr.contains("ResourceNotFoundException"),
        "{}",
        none.stderr
    );
}
