//! A change that is tried out on some requests of a project that serves, and promoted or dropped.

use serde_json::Value;

use crate::{
    program::answer_with,
    releases::{Served, started},
};

/// Requests by which a share of 15 % is seen: that none of them is among it has a chance of one in 10^28.
const MANY: usize = 400;

/// The distribution's id and host.
fn distribution(node: &Served) -> (String, String) {
    let all = node.json(&["dist", "list"]);
    let served = all["items"].as_array().expect("items");
    let found = served
        .iter()
        .find(|d| d["state"] == "enabled")
        .expect("one");
    let text = |member: &str| found[member].as_str().expect("a text").to_owned();
    (text("id"), text("domain_name"))
}

/// How many of these requests each of the two answers got.
fn counted(node: &Served, host: &str, answers: [&str; 2]) -> [usize; 2] {
    let pages: Vec<String> = (0..MANY).map(|_| node.page_of(host, "")).collect();
    let counts = answers.map(|answer| pages.iter().filter(|page| **page == answer).count());
    assert_eq!(counts[0] + counts[1], MANY);
    counts
}

#[test]
fn a_changed_handler_is_tried_out_on_some_requests_and_promoted_or_dropped() {
    // CP-612, CP-122, CP-615
    let node = started("one");
    node.done(&["deploy", "app"]);
    let (id, host) = distribution(&node);
    let staging = node.done(&["stage", "create", &id, "--weight", "0.15"]);
    let staging = staging.trim();
    // A copy serves what it is a copy of.
    assert_eq!(counted(&node, &host, ["one", "two"]), [MANY, 0]);
    node.site.write("app/handler.js", &answer_with("two"));
    let changed = node.run(&["stage", "deploy", &id, "app"]);
    assert_eq!(
        (changed.code, changed.stdout.trim()),
        (Some(0), staging),
        "{changed:?}"
    );
    assert!(changed.stderr.contains("edgesvc-dev-edge:2"), "{changed:?}");
    let [old, new] = counted(&node, &host, ["one", "two"]);
    assert!(new > 0 && old > new, "{old} and {new}");

    // By header, and each version's calls are told apart.
    node.done(&["stage", "header", &id, "aws-cf-cd-trial", "yes"]);
    assert_eq!(counted(&node, &host, ["one", "two"]), [MANY, 0]);
    let trial = "aws-cf-cd-trial: yes\r\n";
    assert_eq!(node.page_of(&host, trial), "two");
    assert_eq!(node.page_of(&host, "aws-cf-cd-trial: no\r\n"), "one");
    node.site.write(
        "app/handler.js",
        "exports.handler = async () => { throw new Error('three is wrong'); };\n",
    );
    node.done(&["stage", "deploy", &id, "app"]);
    let page = node.page_of(&host, trial);
    assert!(page != "one" && page != "two", "{page}");
    let told = node.json(&["stage", "status", &id]);
    let functions = told["functions"].as_array().expect("functions");
    let version = |number: &str| {
        let found = functions.iter().find(|f| f["version"] == number);
        found.unwrap_or_else(|| panic!("no version {number}: {told}"))
    };
    assert_eq!(
        (
            &version("1")["errors"],
            version("1")["calls"].as_u64() > Some(800)
        ),
        (&Value::from(0), true)
    );
    assert_eq!(
        (&version("3")["errors"], &version("3")["calls"]),
        (&Value::from(1), &Value::from(1))
    );
    assert!(version("1")["p95_ms"].as_f64() > Some(0.0), "{told}");
    let status = node.done(&["status"]);
    assert!(
        status.contains("requests with `aws-cf-cd-trial: yes`"),
        "{status}"
    );
    let versions: Vec<&str> = status
        .lines()
        .filter(|l| l.starts_with("edgesvc-dev-edge"))
        .collect();
    assert!(versions.iter().any(|l| l.contains("100.0 %")), "{status}");
    assert!(
        versions
            .iter()
            .any(|l| l.contains("0.0 %") && l.contains(" ms")),
        "{status}"
    );

    // What is dropped is seen by nobody.
    node.done(&["stage", "drop", &id]);
    assert_eq!(node.page_of(&host, trial), "one");
    assert_eq!(
        node.json(&["dist", "list"])["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    // What is promoted, by all, whatever they send; and a deploy of the same project changes nothing more.
    node.site.write("app/handler.js", &answer_with("four"));
    node.done(&["stage", "create", &id, "--header", "aws-cf-cd-trial", "yes"]);
    node.done(&["stage", "deploy", &id, "app"]);
    assert_eq!(
        (node.page_of(&host, ""), node.page_of(&host, trial)),
        ("one".into(), "four".into())
    );
    node.done(&["stage", "promote", &id]);
    assert_eq!(counted(&node, &host, ["four", "one"]), [MANY, 0]);
    assert_eq!(node.page_of(&host, trial), "four");
    let again = node.run(&["deploy", "app"]);
    assert!(!again.stderr.contains("change  "), "{again:?}");
    node.done(&["stage", "drop", &id]);
    assert_eq!(node.page_of(&host, ""), "four");
}

#[test]
fn misuse_is_answered_with_what_to_do() {
    // CP-612, CP-616
    let node = started("one");
    let release = node.done(&["deploy", "app"]);
    let (id, host) = distribution(&node);
    let says = |args: &[&str], code: i32, part: &str| {
        let ended = node.run(args);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{args:?}");
    };
    for verb in ["promote", "drop", "status"] {
        says(&["stage", verb, &id], 1, "fourfront stage create");
    }
    says(
        &["stage", "weight", &id, "0.1"],
        1,
        "fourfront stage create",
    );
    says(
        &["stage", "deploy", &id, "app"],
        1,
        "fourfront stage create",
    );
    says(&["stage", "create", "ENOBODY"], 1, "fourfront dist list");
    says(&["stage", "create", &id, "--weight", "0.5"], 1, "0.15");
    says(&["stage", "create", &id, "--weight", "5%"], 2, "0.05");
    says(&["stage", "create", &id, "--weight", "5"], 2, "from 0 to 1");
    says(
        &["stage", "create", &id, "--header", "x-trial", "yes"],
        1,
        "aws-cf-cd-",
    );
    says(&["stage", "create"], 2, "DISTRIBUTION");
    node.done(&["stage", "create", &id]);
    says(&["stage", "create", &id], 4, "stage status");
    says(&["stage", "deploy", &id, "nowhere"], 1, "nowhere");
    says(
        &["stage", "deploy", &id, "app", "--stack", "other"],
        1,
        "edgesvc-dev",
    );
    // What does not load changes nothing.
    node.site
        .write("app/handler.js", "exports.handler = async (\n");
    says(&["stage", "deploy", &id, "app"], 1, "handler.js");
    assert_eq!(node.page_of(&host, "aws-cf-cd-staging: true\r\n"), "one");
    // A rollback leaves alone what is tried out.
    node.site.write("app/handler.js", &answer_with("two"));
    node.done(&["stage", "deploy", &id, "app"]);
    node.site.write("app/handler.js", &answer_with("three"));
    node.done(&["deploy", "app"]);
    assert_eq!(node.page_of(&host, ""), "three");
    assert_eq!(node.page_of(&host, "aws-cf-cd-staging: true\r\n"), "two");
    node.done(&["activate", release.trim()]);
    assert_eq!(node.page_of(&host, ""), "one");
    assert_eq!(node.page_of(&host, "aws-cf-cd-staging: true\r\n"), "two");
}
