//! What lies under `deploy/` fits the program: site files are accepted, and dashboards and alerts name metrics and labels
//! that there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    thread,
};

use serde_json::Value;

use crate::program::{Running, Site, address_after, get, root, run};

fn deploy(path: &str) -> String {
    let path = root().join("deploy").join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A certificate for a name, and its key, in `certs/site.pem` and `certs/site.key`.
fn certify(site: &Site, name: &str) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    site.write("certs/site.pem", &made.cert.pem());
    site.write("certs/site.key", &made.signing_key.serialize_pem());
}

/// Has parts of a text replaced, each of which has to be there.
fn with(text: &str, replaced: &[(&str, &str)]) -> String {
    replaced.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// Ports that are free, and directories of the test's own.
const OWN_PLACE: &[(&str, &str)] = &[
    ("listen: 0.0.0.0:8080", "listen: 127.0.0.1:0"),
    ("admin: 127.0.0.1:9400", "admin: 127.0.0.1:0"),
    ("cache_disk: 16GiB", "cache_disk: 64MiB"),
];

#[test]
fn the_site_file_for_production_is_accepted_and_serves() {
    // CP-600, CP-604
    let site = Site::new(&[(
        "functions/security-headers.js",
        &deploy("site/functions/security-headers.js"),
    )]);
    certify(&site, "www.example.com");
    let yaml = deploy("site/fourfront.yaml");
    // As it stands; its state and logs lie where an installation has them.
    site.write("fourfront.yaml", &yaml);
    let ended = run(&["check"], site.path());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);

    let own = [
        ("listen_https: 0.0.0.0:8443", "listen_https: 127.0.0.1:0"),
        ("${FOURFRONT_METRICS:-127.0.0.1:9401}", "127.0.0.1:0"),
        ("${STATE_DIRECTORY:-/var/lib/fourfront}", "./data"),
        ("${LOGS_DIRECTORY:-/var/log/fourfront}", "./logs"),
    ];
    site.write("fourfront.yaml", &with(&with(&yaml, OWN_PLACE), &own));
    let node = Running::start(&["serve"], site.path());
    let (viewer, _) = node.address("serving on ");
    // Names that are not the site's get nothing; this asks for `site.test`.
    assert_eq!(get(viewer, "/", &[]).status, 403);
    node.signal("TERM");
    assert_eq!(node.ended().code, Some(0));
}

#[test]
fn the_site_file_for_a_cluster_serves_from_where_a_cluster_mounts_it() {
    // CP-600, CP-604
    let function = deploy("kubernetes/security-headers.js");
    assert_eq!(function, deploy("site/functions/security-headers.js"));
    let own = [
        ("metrics: 0.0.0.0:9401", "metrics: 127.0.0.1:0"),
        ("${FOURFRONT_DATA:-/var/lib/fourfront}", "../data"),
        (
            "${ORIGIN_URL:-http://app.default.svc.cluster.local}",
            &*app(),
        ),
    ];
    let yaml = with(&with(&deploy("kubernetes/fourfront.yaml"), OWN_PLACE), &own);
    // A ConfigMap is mounted as links to a folder that is swapped as a whole.
    let site = Site::new(&[
        ("mount/..2026_03_03/fourfront.yaml", &yaml),
        ("mount/..2026_03_03/security-headers.js", &function),
    ]);
    let mount = site.path().join("mount");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, mount.join(name));
    link("..2026_03_03", "..data").expect("a link");
    for name in ["fourfront.yaml", "security-headers.js"] {
        link(&format!("..data/{name}"), name).expect("a link");
    }
    let node = Running::start(&["serve", "-c", "mount/fourfront.yaml"], site.path());
    let (viewer, _) = node.address("serving on ");
    let answer = get(viewer, "/", &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

/// An origin: what begins with `/missing` is 404, all else 200 and storable.
fn app() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("another handle"));
                let (mut line, mut first) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    if first.is_empty() {
                        first = line.clone();
                    }
                    line.clear();
                }
                let status = match first.contains(" /missing") {
                    true => "404 Not Found",
                    false => "200 OK",
                };
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status}\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
                );
            });
        }
    });
    format!("http://{address}")
}

/// An address that nobody listens on, and no test beside this one by chance.
const NOBODY: &str = "127.0.0.1:1";

/// What a node exports: the labels of each metric, with the values that they have. Histograms under the names of their
/// series.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn exported(exposition: &str) -> Exported {
    let mut all = Exported::new();
    for line in exposition.lines().filter(|l| !l.starts_with('#')) {
        let end = line.find(['{', ' ']).expect("a value");
        let labels = all.entry(line[..end].to_owned()).or_default();
        for (label, value) in matchers(&line[end..]) {
            labels.entry(label).or_default().insert(value);
        }
    }
    all
}

/// The labels and values in the braces that a text begins with: `{a="b",c=~"d|e"}`.
fn matchers(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else {
        return found;
    };
    while !rest.starts_with('}') {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .expect("an operator");
        let (label, value) = rest.split_at(end);
        let (_, value) = value.split_once('"').expect("a value in quotes");
        let end = value.find('"').expect("its end");
        found.push((label.to_owned(), value[..end].to_owned()));
        rest = &value[end + 1..];
    }
    found
}

/// The nodes' metrics in a text, each with what follows it.
fn named<'t>(text: &'t str, prefix: &str) -> Vec<(&'t str, &'t str)> {
    let begins = text.match_indices(prefix).map(|(at, _)| &text[at..]);
    let named = begins.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        rest.split_at(end.unwrap_or(rest.len()))
    });
    named.collect()
}

/// The words in the brackets after each `by`, and those that templates take from labels.
fn labels_used(text: &str) -> BTreeSet<&str> {
    let grouped = text.split("by (").skip(1).flat_map(|rest| {
        let (inside, _) = rest.split_once(')').expect("the bracket is closed");
        inside.split(',').map(str::trim)
    });
    let shown = text.split("{{").skip(1).filter_map(|rest| {
        let inside = rest.split_once("}}").expect("the braces are closed").0;
        let inside = inside.trim();
        match inside.strip_prefix("$labels.") {
            Some(label) => Some(label),
            // `$value`, with or without a filter.
            None => (!inside.starts_with('$')).then_some(inside),
        }
    });
    grouped.chain(shown).collect()
}

/// Labels that Prometheus adds, and the one of buckets.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// Holds one query, or a rule with all that is said about it, against what a node exports; the labels that it can have.
fn check(
    query: &str,
    exported: &Exported,
    recorded: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ADDED.map(str::to_owned).into();
    for (name, rest) in named(query, "fourfront_") {
        // Prose names a histogram without the end of a series.
        let family = exported
            .get(name)
            .or_else(|| exported.get(&format!("{name}_count")));
        let family = family.unwrap_or_else(|| panic!("no node exports `{name}`: {query}"));
        known.extend(family.keys().cloned());
        for (label, value) in matchers(rest) {
            if ADDED.contains(&&*label) {
                continue;
            }
            let values = family
                .get(&label)
                .unwrap_or_else(|| panic!("`{name}` has no label `{label}`: {query}"));
            // A variable of the dashboard, or some of the label's values. Results and statuses are counted once they occur,
            // so of them one is enough; the others are there from the start.
            let mut wanted = value.split('|');
            let is_there = |v: &str| values.contains(v);
            let holds = value.starts_with('$')
                || match &*label {
                    "result" | "status" => wanted.any(is_there),
                    _ => wanted.all(is_there),
                };
            assert!(
                holds,
                "`{name}`: `{label}` is never `{value}` but {values:?}: {query}"
            );
        }
    }
    for (name, _) in named(query, "fourfront:") {
        if let Some(labels) = recorded.get(name) {
            known.extend(labels.iter().cloned());
        } else {
            assert!(
                query.contains(&format!("record: {name}")),
                "nothing records `{name}`: {query}"
            );
        }
    }
    for label in labels_used(query) {
        assert!(known.contains(label), "no `{label}` in {known:?}: {query}");
    }
    known
}

/// Each text under one of these names, wherever it stands.
fn texts<'v>(value: &'v Value, names: &[&str], found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| names.contains(&&**name)) {
                    Some(text) => found.push(text),
                    None => texts(value, names, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, names, found)),
        _ => {}
    }
}

/// The exposition of a node to which everything has happened that dashboards and alerts are about.
fn busy_node() -> String {
    let (app, gone) = (app(), NOBODY);
    let yaml = format!(
        "node:
  listen: 127.0.0.1:0
  listen_https: 127.0.0.1:0
  admin: 127.0.0.1:0
  threads: 1
  data_dir: ./data
  cache_disk: 64MiB
  certificates: {{ site: {{ cert: ./certs/site.pem, key: ./certs/site.key }} }}
functions: {{ fine: ./fine.js, throws: ./throws.js }}
distributions:
  site:
    id: ESITE
    origins:
      app: {{ domain_name: {}, custom_origin_config: {{ origin_protocol_policy: http-only }} }}
      gone: {{ domain_name: '{gone}', custom_origin_config: {{ origin_protocol_policy: http-only }}, connection_attempts: 1 }}
      pool:
        domain_name: pool.test
        custom_origin_config: {{ origin_protocol_policy: http-only }}
        pool: {{ members: ['{gone}'] }}
    origin_groups: {{ either: {{ members: [gone, app], failover_criteria: {{ status_codes: [502] }} }} }}
    custom_error_responses: [{{ error_code: 404, response_page_path: /page, response_code: 404 }}]
    default_cache_behavior: {{ origin: app }}
    cache_behaviors:
      - {{ path: /gone, origin: gone }}
      - {{ path: /pool, origin: pool }}
      - {{ path: /either, origin: either }}
      - {{ path: /fine, origin: app, on: {{ viewer-response: fine }} }}
      - {{ path: /throws, origin: app, on: {{ viewer-request: throws }} }}
",
        app.trim_start_matches("http://")
    );
    let site = Site::new(&[
        ("fourfront.yaml", &yaml),
        (
            "fine.js",
            "exports.handler = async (event) => event.Records[0].cf.response;",
        ),
        (
            "throws.js",
            "exports.handler = async () => { throw new Error('no'); };",
        ),
    ]);
    certify(&site, "site.test");
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    for (path, status) in [
        ("/a", 200),
        ("/a", 200),
        ("/missing", 404),
        ("/gone", 502),
        ("/pool", 502),
        ("/either", 200),
        ("/fine", 200),
        ("/throws", 503),
    ] {
        let answer = get(viewer, path, &[]);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    let at = admin.to_string();
    let purged = run(&["purge", "--node", &at, "--all"], site.path());
    assert_eq!(purged.code, Some(0), "{}", purged.stderr);
    get(admin, "/metrics", &[]).body
}

/// The rules of a file, each from its name to the next one.
fn rules(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|l| !l.trim_start().starts_with('#'));
    let mut rules: Vec<String> = Vec::new();
    for line in lines {
        let begins = ["- alert: ", "- record: ", "- name: "];
        if begins.iter().any(|b| line.trim_start().starts_with(b)) {
            rules.push(String::new());
        }
        if let Some(rule) = rules.last_mut() {
            rule.push_str(line.trim_start());
            rule.push('\n');
        }
    }
    rules.retain(|rule| !rule.starts_with("- name: "));
    rules
}

#[test]
fn dashboards_and_alerts_name_what_a_node_exports() {
    // CF-720, CP-620
    let exported = exported(&busy_node());
    let text = deploy("prometheus/fourfront.rules.yaml");
    let rules = rules(&text);
    assert_eq!(rules.len(), text.matches("expr:").count());
    let mut recorded = BTreeMap::new();
    for rule in &rules {
        let labels = check(rule, &exported, &recorded);
        if let Some(name) = rule.strip_prefix("- record: ") {
            let name = name.lines().next().unwrap_or_default();
            recorded.insert(name.to_owned(), labels);
        }
    }
    assert_eq!(recorded.len(), 4);

    let folder = root().join("deploy/grafana");
    let mut queries = 0;
    for file in fs::read_dir(&folder).expect("dashboards") {
        let path = file.expect("a file").path();
        if path.extension() == Some("json".as_ref()) {
            queries += check_dashboard(&path, &exported);
        }
    }
    assert!(queries > 40, "{queries}");
}

/// How many queries it has, all of which hold.
fn check_dashboard(path: &Path, exported: &Exported) -> usize {
    let text = fs::read_to_string(path).expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut targets = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        targets.extend(panel["targets"].as_array().into_iter().flatten());
    }
    let none = BTreeMap::new();
    for target in &targets {
        let part = |name: &str| target[name].as_str().expect("a text").to_owned();
        check(
            &(part("expr") + part("legendFormat").as_str()),
            exported,
            &none,
        );
    }
    let mut found = Vec::new();
    texts(
        &dashboard["templating"],
        &["query", "definition"],
        &mut found,
    );
    for query in found {
        for (name, rest) in named(query, "fourfront_") {
            let labels = exported
                .get(name)
                .unwrap_or_else(|| panic!("no node exports `{name}`"));
            let label = rest.trim_start_matches([',', ' ']).trim_end_matches(')');
            assert!(
                ADDED.contains(&label) || labels.contains_key(label),
                "{query}"
            );
        }
    }
    targets.len()
}

#[test]
fn what_no_node_exports_is_found() {
    // CF-720: so that the test above can fail.
    let exported =
        exported("a_total 1\nfourfront_a_total{event=\"x\",on=\"1\"} 1\nfourfront_b_count 2\n");
    let holds = |query: &str| {
        std::panic::catch_unwind(|| check(query, &exported, &BTreeMap::new())).is_ok()
    };
    for query in [
        "sum by (event) (fourfront_a_total{event=~\"x\",instance=~\"$i\"}) {{event}} {{instance}}",
        "rate(fourfront_b_count[5m]) and fourfront_b {{ $value | humanize }}",
    ] {
        assert!(holds(query), "{query}");
    }
    for query in [
        "fourfront_c_total",
        "fourfront_a_total{evnt=\"x\"}",
        "fourfront_a_total{event=\"y\"}",
        "fourfront_a_total{event=~\"x|y\"}",
        "sum by (what) (fourfront_a_total)",
        "fourfront_a_total {{what}}",
        "fourfront_a_total {{ $labels.what }}",
        "fourfront:b > 1",
    ] {
        assert!(!holds(query), "{query}");
    }
}
