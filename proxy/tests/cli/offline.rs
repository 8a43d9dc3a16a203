//! Commands that serve nothing: `version`, `check`, `test`.

use std::path::Path;

use crate::program::{Ended, NODE, Site, answer_with, root, run};

#[test]
fn the_version_is_data_and_misuse_is_exit_code_2() {
    // CP-615, CP-616
    let version = run(&["version"], Path::new("/"));
    assert_eq!(version.code, Some(0));
    let wanted = format!("fourfront {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.stdout, version.stderr), (wanted, String::new()));
    let wrong = run(&["fly"], Path::new("/"));
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("fly"));
}

#[test]
fn the_descriptions_that_are_shipped_are_printed() {
    // CP-621, CP-643
    for (command, file) in [
        ("openapi", "deploy/openapi.json"),
        ("schema", "deploy/fourfront.schema.json"),
    ] {
        let printed = run(&[command], Path::new("/"));
        assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
        let shipped = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(printed.stdout == shipped, "{file}: run `make published`");
    }
}

#[test]
fn check_says_what_is_wrong_and_where() {
    // CP-604, CP-616
    let site = Site::answering("x");
    let check = |site: &Site| run(&["check", &site.file("")], Path::new("/"));
    let good = check(&site);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert!(
        good.stderr
            .ends_with("ok (1 distributions, 1 behaviours, 1 functions)\n")
    );
    assert!(good.stdout.is_empty());

    let yaml = site.read("fourfront.yaml");
    site.write("fourfront.yaml", &yaml.replace("listen:", "lisen:"));
    let bad = check(&site);
    assert_eq!(bad.code, Some(1));
    assert!(
        bad.stderr.contains("fourfront.yaml:1:9: "),
        "{}",
        bad.stderr
    );
    assert!(bad.stderr.contains("listen"), "{}", bad.stderr);

    site.write("fourfront.yaml", &yaml);
    site.write("f.js", "exports.handler = async (");
    let bad = check(&site);
    assert_eq!(bad.code, Some(1));
    // The author's file, not the name it is mounted under.
    let named = format!("{}:1", site.file("f.js"));
    assert!(bad.stderr.contains("SyntaxError"), "{}", bad.stderr);
    assert!(bad.stderr.contains(&named), "{}", bad.stderr);
    assert!(!bad.stderr.contains("/var/task"), "{}", bad.stderr);
}

#[test]
fn check_warns_of_what_is_seldom_meant() {
    // CP-604, CF-026, CF-175
    let site = Site::answering("x");
    let yaml = site.read("fourfront.yaml");
    let keyed = "origin: app\n      cache_policy: { headers: [User-Agent] }";
    site.write("fourfront.yaml", &yaml.replace("origin: app", keyed));
    let warned = run(&["check", &site.file("")], Path::new("/"));
    assert_eq!(warned.code, Some(0), "{}", warned.stderr);
    let lines: Vec<&str> = warned.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with("fourfront: warning: ") && lines[0].ends_with("(CF-175)"),
        "{lines:?}"
    );
    assert!(
        lines[0].contains("fourfront.yaml:6:5: distributions.site.default_cache_behavior: "),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with("ok (1 distributions, 1 behaviours, 1 functions)"),
        "{lines:?}"
    );
}

#[test]
fn check_reads_the_certificate_authorities_that_serve_would() {
    // CP-604, CF-423
    let site = Site::answering("x");
    let yaml = site.read("fourfront.yaml");
    site.write(
        "fourfront.yaml",
        &yaml.replace("threads: 1", "threads: 1, origin_ca: ca.pem"),
    );
    site.write("ca.pem", "this is no certificate\n");
    for command in ["check", "serve"] {
        let config = site.file("fourfront.yaml");
        let args: &[&str] = match command {
            "check" => &["check", &config],
            _ => &["serve", "-c", &config],
        };
        let bad = run(args, Path::new("/"));
        assert_eq!(bad.code, Some(1));
        assert!(
            bad.stderr.contains("node.origin_ca: ") && bad.stderr.contains("no PEM certificate"),
            "{}",
            bad.stderr
        );
        assert!(!bad.stderr.contains("node.listen"), "{}", bad.stderr);
    }
}

/// An event at origin-request, of a distribution with that id.
fn event(distribution: &str) -> String {
    format!(
        r#"{{"Records": [{{"cf": {{
            "config": {{"eventType": "origin-request", "requestId": "r", "distributionId": "{distribution}"}},
            "request": {{"clientIp": "192.0.2.7", "method": "GET", "uri": "/", "querystring": "",
                "headers": {{"host": [{{"key": "Host", "value": "a.test"}}]}},
                "origin": {{"custom": {{"domainName": "a.test", "port": 80, "protocol": "http", "path": "",
                    "sslProtocols": ["TLSv1.2"], "readTimeout": 30, "keepaliveTimeout": 5,
                    "customHeaders": {{}}}}}}}}
        }}}}]}}"#
    )
}

#[test]
fn a_result_is_compared_with_the_expected_one() {
    // CP-605, CP-616
    let site = Site::answering("hello");
    site.write("event.json", &event("E1"));
    site.write("right.json", r#"{"body": "hello", "status": "200"}"#);
    site.write("wrong.json", r#"{"body": "bye", "status": "200"}"#);
    let test = |expected: &str| {
        let args = ["test", "f", "event.json", "--expect", expected];
        run(&args, site.path())
    };
    let right = test("right.json");
    assert_eq!(right.code, Some(0), "{}", right.stderr);
    assert_eq!(right.stdout, "{\"status\":\"200\",\"body\":\"hello\"}\n");
    let wrong = test("wrong.json");
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong
            .stderr
            .contains("/body: expected \"bye\", got \"hello\""),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_result_is_judged_as_the_node_would() {
    // CP-605, LE-136, LE-270
    let site = Site::answering("x");
    site.write("event.json", &event("E1"));
    let test = |code: &str| {
        site.write("f.js", code);
        run(&["test", "f.js", "event.json"], site.path())
    };
    let long =
        test("exports.handler = async () => ({ status: '200', body: 'x'.repeat(7 << 20) });");
    assert_eq!(long.code, Some(1));
    assert!(
        long.stderr.contains("502 LambdaValidationError (LE-136)"),
        "{}",
        long.stderr
    );
    let thrown = test("exports.handler = async () => { throw new TypeError('boom'); };");
    assert_eq!(thrown.code, Some(1));
    assert!(
        thrown
            .stderr
            .contains("503 LambdaExecutionError (LE-271): TypeError: boom"),
        "{}",
        thrown.stderr
    );
    // The stack is shown once, and leads to the author's file.
    assert_eq!(
        thrown.stderr.matches("f.js:1:").count(),
        1,
        "{}",
        thrown.stderr
    );
    assert!(!thrown.stderr.contains("/var/task"), "{}", thrown.stderr);
}

#[test]
fn a_function_of_the_site_file_is_judged_as_its_distribution_says() {
    // CP-605, LE-A42: a relaxed distribution lets a function name a configured origin by its address.
    let code = "exports.handler = async (event) => {
      const { request } = event.Records[0].cf;
      Object.assign(request.origin.custom, { domainName: '127.0.0.1', port: 3000 });
      return request;
    };";
    let distribution = |name: &str, compat: &str| {
        format!(
            "  {name}:\n    id: {name}\n    aliases: [{name}.test]\n    compat: {compat}\n    \
             origins: {{ app: \"http://127.0.0.1:3000\" }}\n    default_cache_behavior:\n      origin: app\n      \
             on: {{ origin-request: f }}\n"
        )
    };
    let yaml = format!(
        "{NODE}functions: {{ f: {{ file: ./f.js }} }}\ndistributions:\n{}{}",
        distribution("EEASY", "relaxed"),
        distribution("EHARD", "strict"),
    );
    let site = Site::new(&[("fourfront.yaml", &yaml), ("f.js", code)]);
    let test = |function: &str, id: &str| -> Ended {
        site.write("event.json", &event(id));
        run(&["test", function, "event.json"], site.path())
    };
    let relaxed = test("f", "EEASY");
    assert_eq!(relaxed.code, Some(0), "{}", relaxed.stderr);
    for (function, id) in [("f", "EHARD"), ("f.js", "EEASY")] {
        let strict = test(function, id);
        assert_eq!(strict.code, Some(1), "{function} {id}");
        assert!(strict.stderr.contains("LambdaValidationError"));
    }
    // Neither: the first one that runs it, and a word about the other.
    let open = test("f", "ENONE");
    assert_eq!(open.code, Some(0), "{}", open.stderr);
    assert!(
        open.stderr.contains("judged as for EEASY"),
        "{}",
        open.stderr
    );
}

#[test]
fn a_function_that_is_nowhere_is_named() {
    // CP-605
    let site = Site::new(&[("f.js", &answer_with("x")), ("event.json", &event("E1"))]);
    let missing = run(&["test", "g", "event.json"], site.path());
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stderr.contains("`g` is neither a file"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_cloudfront_function_is_run_and_judged() {
    // LE-436, LE-443, LE-483, CP-605
    let site = Site::answering("x");
    site.write(
        "event.json",
        r#"{"version": "1.0",
            "context": {"eventType": "viewer-request", "requestId": "r", "distributionId": "E1"},
            "viewer": {"ip": "192.0.2.7"},
            "request": {"method": "GET", "uri": "/a", "headers": {"host": {"value": "a.test"}},
                "cookies": {"id": {"value": "1"}}, "querystring": {"b": {"value": "2"}}}}"#,
    );
    site.write(
        "rewrite.js",
        "function handler(e) { console.log('seen'); e.request.uri = '/b' + e.request.uri; return e.request; }",
    );
    site.write(
        "expected.json",
        r#"{"method": "GET", "uri": "/b/a", "headers": {"host": {"value": "a.test"}},
        "cookies": {"id": {"value": "1"}}, "querystring": {"b": {"value": "2"}}}"#,
    );
    let test = |file: &str, more: &[&str]| {
        run(&[&["test", file, "event.json"], more].concat(), site.path())
    };
    let good = test("rewrite.js", &["--expect", "expected.json"]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert!(good.stdout.contains("\"uri\":\"/b/a\""), "{}", good.stdout);
    for said in ["seen", "compute utilization: "] {
        assert!(good.stderr.contains(said), "{}", good.stderr);
    }

    site.write(
        "host.js",
        "function handler(e) { e.request.headers.host.value = 'b.test'; return e.request; }",
    );
    let refused = test("host.js", &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("502 FunctionValidationError (LE-214)"),
        "{}",
        refused.stderr
    );

    site.write(
        "old.js",
        "const a = 1; function handler(e) { return e.request; }",
    );
    assert_eq!(test("old.js", &[]).code, Some(0));
    let old = test("old.js", &["--runtime", "cloudfront-js-1.0"]);
    assert_eq!(old.code, Some(1));
    assert!(old.stderr.contains("LE-451"), "{}", old.stderr);

    // In a site file, with its store.
    site.write(
        "reads.js",
        "import cf from 'cloudfront'; async function handler(e) { e.request.uri = await cf.kvs().get('to'); return e.request; }",
    );
    site.write(
        "routes.json",
        r#"{"data": [{"key": "to", "value": "/there"}]}"#,
    );
    let yaml = site.read("fourfront.yaml");
    site.write(
        "fourfront.yaml",
        &format!("{yaml}\ncloudfront_functions: {{ reads: {{ file: ./reads.js, store: routes }} }}\nstores: {{ routes: ./routes.json }}\n"),
    );
    let named = test("reads", &[]);
    assert_eq!(named.code, Some(0), "{}", named.stderr);
    assert!(
        named.stdout.contains("\"uri\":\"/there\""),
        "{}",
        named.stdout
    );
}

#[test]
fn all_events_of_a_folder_are_run_and_told_as_tap_and_junit() {
    // CP-605, CP-616
    let event = |uri: &str| {
        format!(
            r#"{{"Records":[{{"cf":{{"config":{{"distributionDomainName":"d.test","distributionId":"E1","eventType":"viewer-request","requestId":"r"}},"request":{{"clientIp":"192.0.2.1","headers":{{"host":[{{"key":"Host","value":"d.test"}}]}},"method":"GET","querystring":"","uri":"{uri}"}}}}}}]}}"#
        )
    };
    let site = Site::answering("hello");
    let yaml = site.read("fourfront.yaml").replace(
        "functions: { f: { file: ./f.js } }",
        "functions: { f: { file: ./f.js }, g: { file: ./g.js } }",
    );
    site.write("fourfront.yaml", &yaml);
    site.write(
        "g.js",
        "exports.handler = async (e) => { console.log('seen'); throw new Error('no & never'); };\n",
    );
    site.write("tests/f.event.json", &event("/"));
    site.write("tests/f.right.event.json", &event("/a"));
    site.write(
        "tests/f.right.expect.json",
        r#"{"body":"hello","status":"200"}"#,
    );
    let passing = run(&["test"], site.path());
    assert_eq!(passing.code, Some(0), "{passing:?}");
    let begin = "TAP version 14\n1..2\nok 1 - f\n";
    assert!(passing.stdout.starts_with(begin), "{passing:?}");
    assert!(passing.stderr.contains("2 passed, 0 failed"), "{passing:?}");
    assert_eq!(run(&["test", "-q"], site.path()).stderr, "");

    site.write("tests/f.wrong.event.json", &event("/b"));
    site.write(
        "tests/f.wrong.expect.json",
        r#"{"body":"bye","status":"200"}"#,
    );
    site.write("tests/g.event.json", &event("/c"));
    site.write("tests/h.event.json", &event("/d"));
    let failing = run(&["test", "--junit", "all.xml"], site.path());
    assert_eq!(failing.code, Some(1), "{failing:?}");
    for line in [
        "1..5",
        "ok 2 - f.right",
        "not ok 3 - f.wrong",
        "not ok 4 - g",
        "not ok 5 - h",
    ] {
        assert!(
            failing.stdout.lines().any(|l| l == line),
            "{line}: {failing:?}"
        );
    }
    for part in [
        "/body: expected \"bye\", got \"hello\"",
        "no & never",
        "no function `h`",
    ] {
        assert!(failing.stdout.contains(part), "{part}: {failing:?}");
    }
    assert!(failing.stderr.contains("2 passed, 3 failed"), "{failing:?}");
    let junit = site.read("all.xml");
    for part in [
        "tests=\"5\" failures=\"3\"",
        "classname=\"g\" name=\"g\"",
        "no &amp; never",
    ] {
        assert!(junit.contains(part), "{part}: {junit}");
    }
    let nowhere = run(&["test", "--dir", "nowhere"], site.path());
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    // One without the other is no test.
    assert_eq!(run(&["test", "f"], site.path()).code, Some(2));
    assert_eq!(
        run(
            &["test", "f", "tests/f.event.json", "--junit", "x"],
            site.path()
        )
        .code,
        Some(2)
    );
}

#[test]
fn what_aws_would_do_otherwise_is_an_error_where_that_is_asked_for() {
    // CP-604
    let site = |settings: &str| {
        let site = Site::answering("x");
        let yaml = site.read("fourfront.yaml");
        site.write("fourfront.yaml", &format!("{settings}{yaml}"));
        site
    };
    let check = |settings: &str, args: &[&str]| run(args, site(settings).path());
    let own = check("", &["check", "--aws"]);
    assert_eq!(own.code, Some(1), "{own:?}");
    assert!(own.stderr.contains("cache_mode"), "{own:?}");
    let like_aws = check("cache_mode: cloudfront\n", &["check", "--aws"]);
    assert_eq!(like_aws.code, Some(0), "{like_aws:?}");
    // What is relaxed passes without, and is judged strictly with it.
    let relaxed = "cache_mode: cloudfront\ncompat: relaxed\n";
    let easy = site(relaxed);
    let yaml = easy.read("fourfront.yaml").replace(
        "{ file: ./f.js }",
        "{ file: ./f.js, environment: { A: b } }",
    );
    easy.write("fourfront.yaml", &yaml);
    assert_eq!(run(&["check"], easy.path()).code, Some(0));
    let strict = run(&["check", "--aws"], easy.path());
    assert_eq!(strict.code, Some(1), "{strict:?}");
    assert!(strict.stderr.contains("environment"), "{strict:?}");
}
