//! `fourfront serve`: its listeners, its signals, and its output when nobody reads it.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpStream},
    thread,
};

use crate::program::{
    LIMIT, NODE, Running, Site, address_after, answer_with, gated_origin, get, metric, run,
    wait_until,
};

/// A node at work: the program, its viewer and its admin address.
fn serve(site: &Site) -> (Running, SocketAddr, SocketAddr) {
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    (node, viewer, admin)
}

#[test]
fn hangup_reloads_the_site_file_or_keeps_the_old_one() {
    // CP-600, CP-640
    let site = Site::answering("one");
    let (node, viewer, admin) = serve(&site);
    assert_eq!(get(viewer, "/", &[]).body, "one");

    site.write("f.js", &answer_with("two"));
    node.signal("HUP");
    let news = node.stderr_until("reloaded").pop().unwrap();
    assert!(news.ends_with("fourfront.yaml reloaded"), "{news}");
    assert_eq!(get(viewer, "/", &[]).body, "two");

    // What a running node cannot change is named.
    let yaml = site.read("fourfront.yaml");
    site.write(
        "fourfront.yaml",
        &yaml.replace("threads: 1", "threads: 2, cache_memory: 1MiB"),
    );
    node.signal("HUP");
    let news = node.stderr_until("reloaded").pop().unwrap();
    assert!(
        news.ends_with("reloaded; not before a restart: node.threads, node.cache_memory"),
        "{news}"
    );

    site.write("f.js", &answer_with("three"));
    site.write(
        "fourfront.yaml",
        &yaml.replace("origin: app", "origin: apple"),
    );
    node.signal("HUP");
    let news = node.stderr_until("the configuration in force stays");
    assert!(news.iter().any(|l| l.contains("apple")), "{news:?}");
    assert_eq!(get(viewer, "/", &[]).body, "two");
    let reloads = |outcome| {
        metric(
            admin,
            &format!("fourfront_reloads_total{{outcome=\"{outcome}\"}}"),
        )
    };
    assert_eq!((reloads("applied"), reloads("refused")), (2, 1));
}

#[test]
fn what_is_seldom_meant_is_logged_at_start_and_at_reload() {
    // CF-026, CF-175, CP-600
    let site = Site::answering("one");
    let yaml = site.read("fourfront.yaml");
    let keyed = |name: &str| {
        let policy = format!("origin: app\n      cache_policy: {{ headers: [{name}] }}");
        yaml.replace("origin: app", &policy)
    };
    site.write("fourfront.yaml", &keyed("User-Agent"));
    let node = Running::start(&["serve"], site.path());
    let told = |lines: Vec<String>, name: &str| {
        let warned = |line: &&String| line.contains(name) && line.contains("CF-175");
        assert_eq!(lines.iter().filter(warned).count(), 1, "{lines:?}");
    };
    told(node.stderr_until("serving on "), "`user-agent`");
    site.write("fourfront.yaml", &keyed("Date"));
    node.signal("HUP");
    told(node.stderr_until("reloaded"), "`date`");
}

#[test]
fn terminating_finishes_what_runs_and_writes_what_was_logged() {
    // CP-600, CP-620
    let (origin, asked, let_go) = gated_origin("finished");
    let site = Site::new(&[(
        "fourfront.yaml",
        &format!(
            "{NODE}distributions:\n  site:\n    origins: {{ app: \"http://{origin}\" }}\n    default_cache_behavior: {{ origin: app }}\n"
        ),
    )]);
    let (node, viewer, admin) = serve(&site);
    assert_eq!(get(admin, "/_fourfront/v1/ready", &[]).status, 200);
    let running = thread::spawn(move || get(viewer, "/slow", &[]));
    asked.recv_timeout(LIMIT).unwrap();

    node.signal("TERM");
    node.stderr_until("draining, at most 30 s");
    wait_until("the listener is closed", || {
        TcpStream::connect(viewer).is_err()
    });
    assert_eq!(get(admin, "/_fourfront/v1/ready", &[]).status, 503);

    let_go.send(()).unwrap();
    let answer = running.join().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "finished"));
    let ended = node.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("200 GET /slow"), "{}", ended.stdout);
}

/// A certificate for a name, and its key.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A site with a certificate, in `site.pem` and `site.key`.
fn secure_site((cert, key): &(String, String)) -> Site {
    let site = Site::answering("one");
    let settings = "threads: 1, listen_https: 127.0.0.1:0, certificates: { site: { cert: ./site.pem, key: ./site.key } }";
    let yaml = site.read("fourfront.yaml").replace("threads: 1", settings);
    site.write("fourfront.yaml", &yaml);
    site.write("site.pem", cert);
    site.write("site.key", key);
    site
}

#[test]
fn certificates_that_change_are_loaded_without_being_asked_for() {
    // CF-095
    let site = secure_site(&certificate("one.test"));
    let node = Running::start(&["serve"], site.path());
    let (_, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    let https = line.split_once(" and https://").expect("an address").1;
    let https: SocketAddr = https.split(',').next().unwrap().parse().unwrap();
    assert!(TcpStream::connect(https).is_ok());
    let loads = |outcome: &str| {
        let name = format!("fourfront_certificate_loads_total{{outcome=\"{outcome}\"}}");
        let metrics = get(admin, "/metrics", &[]).body;
        let line = metrics.lines().find_map(|l| l.strip_prefix(&name));
        line.map_or(0, |n| n.trim().parse::<u64>().unwrap())
    };
    let (cert, key) = certificate("two.test");
    site.write("site.pem", &cert);
    node.stderr_until("the certificate before stays in use");
    assert_eq!((loads("refused"), loads("applied")), (1, 0));
    site.write("site.key", &key);
    node.stderr_until("loaded anew");
    assert_eq!((loads("refused"), loads("applied")), (1, 1));
    node.signal("TERM");
    assert_eq!(node.ended().code, Some(0));
}

#[test]
fn a_certificate_without_its_key_is_no_start() {
    // CF-095
    let ((cert, _), (_, key)) = (certificate("one.test"), certificate("two.test"));
    let site = secure_site(&(cert, key));
    for command in ["serve", "check"] {
        let ended = run(&[command], site.path());
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let named = "node.certificates.site.key: ";
        assert!(ended.stderr.contains(named), "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_signal_is_heeded_from_the_first_line_on() {
    // CP-600, CP-620: caught before the listeners are there, so nobody can come too early with one.
    let site = Site::answering("");
    for signal in ["TERM", "INT"] {
        for _ in 0..5 {
            let node = Running::start(&["serve"], site.path());
            node.stderr_until("serving on");
            node.signal(signal);
            let ended = node.ended();
            assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        }
    }
}

#[test]
fn functions_log_in_the_format_and_from_the_level_that_is_asked_for() {
    // LE-351, LE-282, CP-600
    let site = Site::answering("");
    site.write(
        "f.js",
        "exports.handler = async (event, context) => { console.log('un%s', 'seen'); console.warn('seen\\nagain'); return { status: '200', body: context.awsRequestId }; };",
    );
    let yaml = site.read("fourfront.yaml");
    for format in ["text", "json"] {
        let log = format!("threads: 1, log: {{ format: {format}, level: warn }}");
        site.write("fourfront.yaml", &yaml.replace("threads: 1", &log));
        let (node, viewer, _) = serve(&site);
        let answer = get(viewer, "/", &[]);
        let id = answer
            .header("x-amz-cf-id")
            .expect("every answer has an id");
        let line = node.stderr_until("seen").pop().unwrap();
        let record: Vec<&str> = line.split('\t').collect();
        if format == "text" {
            assert!(record[0].ends_with('Z'), "{line}");
            assert_eq!(record[1..], [&answer.body, "WARN", "f:1", id, "seen"]);
        } else {
            let record: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
            for (field, value) in [
                ("level", "WARN"),
                ("id", &answer.body),
                ("request_id", id),
                ("function", "f"),
                ("message", "seen\nagain"),
            ] {
                assert_eq!(record[field], value, "{line}");
            }
            assert!(record["timestamp"].is_string(), "{line}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_result_stands_in_the_nodes_log_under_both_ids() {
    // LE-282, LE-283
    let site = Site::answering("");
    site.write(
        "f.js",
        "exports.handler = async (event, context) => { console.log(context.awsRequestId); return { status: '200', headers: { location: [{ value: 'a\\rb' }] } }; };",
    );
    let yaml = site.read("fourfront.yaml");
    site.write(
        "fourfront.yaml",
        &yaml.replace("threads: 1", "threads: 1, log: { format: json }"),
    );
    let (node, viewer, _) = serve(&site);
    let answer = get(viewer, "/", &[]);
    assert_eq!(answer.status, 502);
    let lines = node.stderr_until("LE-204");
    let record = |wanted: &str| -> serde_json::Value {
        let line = lines.iter().find(|l| l.contains(wanted)).expect("a record");
        serde_json::from_str(line).expect("one line of JSON")
    };
    let (logged, told) = (record("\"INFO\""), record("LE-204"));
    for (field, value) in [
        ("id", logged["message"].as_str()),
        ("request_id", answer.header("x-amz-cf-id")),
        ("function", Some("f")),
        ("event_type", Some("viewer-request")),
        ("class", Some("LambdaValidationError")),
        ("rule", Some("LE-204")),
        ("on_error", Some("fail")),
    ] {
        assert_eq!(told[field].as_str(), value, "{told}");
    }
    let message = told["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("V-HDR-CHAR: `headers.location`") && message.contains("%0D"),
        "{message}"
    );
}

#[test]
fn a_reader_of_the_logs_that_stops_holds_up_neither_calls_nor_the_end() {
    // LE-352
    let site = Site::answering("fine");
    site.write(
        "f.js",
        "exports.handler = async () => { console.log('x'.repeat(200_000)); return { status: '200', body: 'fine' }; };",
    );
    let (node, viewer, admin) = serve(&site);
    // From here on nobody reads. A pipe holds 64 KiB and the queue some MiB.
    for _ in 0..60 {
        assert_eq!(get(viewer, "/", &[]).body, "fine");
    }
    assert!(metric(admin, "fourfront_log_dropped_total{log=\"stderr\"}") > 0);
    node.signal("TERM");
    assert_eq!(node.ended_unread(), Some(0));
}

#[test]
fn a_log_that_is_moved_away_is_opened_anew_and_standard_logs_are_finished() {
    // CF-045, CF-700, CF-703
    let site = Site::answering("one");
    let yaml = site.read("fourfront.yaml");
    let settings = "threads: 1, log: { access_format: w3c, access_file: ./access.log }";
    let yaml = yaml.replace("threads: 1", settings).replace(
        "  site:\n",
        "  site:\n    id: ESITE\n    logging: { bucket: ./logs, prefix: www/ }\n",
    );
    site.write("fourfront.yaml", &yaml);
    let (node, viewer, admin) = serve(&site);
    let lines = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(site.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let path_of = |line: &String| line.split('\t').nth(7).map(str::to_owned);
    let paths = |name: &str| -> Vec<String> { lines(name).iter().filter_map(path_of).collect() };
    let zipped = || -> Vec<std::path::PathBuf> {
        let found = std::fs::read_dir(site.path().join("logs/www"));
        let found = found.into_iter().flatten().map(|e| e.unwrap().path());
        found
            .filter(|p| p.extension().is_some_and(|e| e == "gz"))
            .collect()
    };
    get(viewer, "/1", &["User-Agent: a b"]);
    wait_until("the line is written", || paths("access.log") == ["/1"]);
    let first = lines("access.log");
    assert!(first[0] == "#Version: 1.0" && first[1].starts_with("#Fields: date time "));
    let fields: Vec<_> = first[2].split('\t').collect();
    assert_eq!((fields.len(), fields[8], fields[10]), (33, "200", "a%20b"));
    assert_eq!(fields[13], "LambdaGeneratedResponse");

    std::fs::rename(site.path().join("access.log"), site.path().join("old.log")).unwrap();
    node.signal("USR1");
    wait_until("the log is opened anew", || lines("access.log").len() == 2);
    wait_until("the standard log is finished", || zipped().len() == 1);
    get(viewer, "/2", &[]);
    wait_until("the line is written", || paths("access.log") == ["/2"]);
    assert_eq!(paths("old.log"), ["/1"]);
    assert_eq!(
        metric(admin, "fourfront_log_dropped_total{log=\"standard\"}"),
        0
    );
    node.signal("TERM");
    assert_eq!(node.ended().code, Some(0));
    let mut logged = Vec::new();
    for path in zipped() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("ESITE.20"), "{name}");
        let mut text = String::new();
        let file = std::fs::File::open(&path).unwrap();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        logged.extend(text.lines().map(str::to_owned).filter_map(|l| path_of(&l)));
    }
    logged.sort();
    assert_eq!(logged, ["/1", "/2"]);
}

#[test]
fn a_node_keeps_its_state_where_it_is_told_to() {
    // CP-600
    let site = Site::answering("x");
    let start = || {
        let node = Running::start(&["serve", "--data", "elsewhere"], site.path());
        let (_, line) = node.address("serving on ");
        let admin = format!("http://{}", address_after(&line, "admin on "));
        (node, admin)
    };
    let (node, admin) = start();
    let made = run(
        &[
            "key", "create", "--role", "read", "--token", "--node", &admin,
        ],
        site.path(),
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(site.path().join("elsewhere/bootstrap-credentials").exists());
    // A reload does not bring back what the file says, nor tell of a difference.
    node.signal("HUP");
    let line = node.stderr_until("reloaded").pop().unwrap_or_default();
    assert!(!line.contains("data_dir"), "{line}");
    node.signal("TERM");
    assert_eq!(node.ended().code, Some(0));
    let (_node, admin) = start();
    let listed = run(
        &["versions", "--key", made.stdout.trim(), "--node", &admin],
        site.path(),
    );
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let nowhere = run(&["serve", "--data", "not/there"], site.path());
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    assert!(nowhere.stderr.contains("data_dir"), "{nowhere:?}");
}
