//! What a node has in force, how its origins do, and how commands show it.

use std::net::TcpListener;

use crate::{
    program::{Running, Site, address_after, gated_origin, get, run},
    releases::{Served, started},
};

#[test]
fn origins_are_told_with_their_state_and_what_failed_last() {
    // CP-611
    let (origin, asked, let_go) = gated_origin("hello");
    // A port of its own that nobody listens on any more.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = free.local_addr().expect("it is bound");
    drop(free);
    let yaml = format!(
        "node: {{ listen: 127.0.0.1:0, admin: 127.0.0.1:0, threads: 1, data_dir: ./data }}\n\
         distributions:\n  site:\n    id: ESITE\n    origins:\n      app: \"http://{origin}\"\n      \
         gone: {{ domain_name: 127.0.0.1, custom_headers: {{ X-Secret: hush }}, connection_attempts: 1, \
         custom_origin_config: {{ http_port: {}, origin_protocol_policy: http-only }} }}\n    \
         default_cache_behavior: {{ origin: app }}\n    cache_behaviors: [{{ path: /gone/*, origin: gone }}]\n",
        nobody.port()
    );
    let site = Site::new(&[("fourfront.yaml", &yaml)]);
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let admin = format!("http://{}", address_after(&line, "admin on "));
    let told = |args: &[&str]| {
        let args: Vec<_> = args.iter().chain(&["--node", &admin]).copied().collect();
        let ended = run(&args, site.path());
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.stdout
    };
    let origins = || {
        let told = told(&["origins", "-o", "json"]);
        assert!(!told.contains("hush"), "{told}");
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        ["app", "gone"].map(|id| {
            let all = told["items"].as_array().expect("items");
            all.iter()
                .find(|o| o["id"] == id)
                .expect("it is there")
                .clone()
        })
    };
    let states = |all: &[serde_json::Value; 2]| {
        all.clone()
            .map(|o| o["state"].as_str().expect("a state").to_owned())
    };
    assert_eq!(states(&origins()), ["not asked yet", "not asked yet"]);
    let_go.send(()).expect("it waits");
    assert_eq!(get(viewer, "/a", &[]).body, "hello");
    asked.recv().expect("it was asked");
    assert_eq!(get(viewer, "/gone/a", &[]).status, 502);
    let found = origins();
    assert_eq!(states(&found), ["healthy", "failing"]);
    assert_eq!(
        (&found[0]["answers"], &found[1]["failures"]),
        (&1.into(), &1.into())
    );
    assert!(found[0]["p95_ms"].as_f64() > Some(0.0), "{}", found[0]);
    let message = found[1]["last_failure"]["message"]
        .as_str()
        .expect("a message");
    let shown = told(&["origins", "ESITE"]);
    assert!(shown.contains("ESITE gone: last failed 20"), "{shown}");
    assert!(shown.contains(message), "{shown}");
    let other = run(&["origins", "EOTHER", "--node", &admin], site.path());
    assert_eq!(other.code, Some(1), "{other:?}");

    // What the file has stands beside what was deployed.
    let config = told(&["config", "show"]);
    let line = config
        .lines()
        .find(|l| l.contains("ESITE"))
        .expect("a line");
    assert!(
        line.starts_with("distribution ") && line.ends_with("site file"),
        "{config}"
    );
}

#[test]
fn what_is_in_force_is_told_without_secrets() {
    // CP-611, CP-430
    let node = started("one");
    node.done(&["deploy", "app"]);
    let key = node.done(&["key", "create", "--role", "read"]);
    let (id, secret) = key.trim().split_once(':').expect("an id and a secret");
    let config = node.json(&["config", "show"]);
    let text = config.to_string();
    assert!(!text.contains(secret) && !text.contains(id), "{text}");
    let items = config["items"].as_array().expect("items");
    for (kind, name) in [
        ("distribution", "E"),
        ("lambda-version", "edgesvc-dev-edge:1"),
    ] {
        let found = items
            .iter()
            .find(|i| i["kind"] == kind)
            .expect("it is there");
        assert!(
            found["id"].as_str().is_some_and(|id| id.starts_with(name)),
            "{found}"
        );
        assert_eq!(found["from"], "stack edgesvc-dev", "{found}");
        assert!(found["revision"].as_u64() > Some(0), "{found}");
    }
    let only = node.done(&["config", "show", "distribution"]);
    assert_eq!(only.lines().count(), 2, "{only}");
}

/// A document as YAML has it, of what these documents have in it: each scalar on a line of its own.
fn scalars(yaml: &str) -> usize {
    yaml.lines().filter(|line| !line.ends_with(':')).count()
}

#[test]
fn documents_are_printed_as_yaml_and_calls_are_told_of() {
    // CP-611, CP-616
    let node = started("one");
    node.done(&["deploy", "app"]);
    let yaml = node.done(&["dist", "list", "-o", "yaml"]);
    assert!(yaml.starts_with("items:\n  - id: E"), "{yaml}");
    assert!(yaml.contains("    from: stack edgesvc-dev\n"), "{yaml}");
    for command in [
        &["status"][..],
        &["versions"],
        &["origins"],
        &["config", "show"],
        &["fn", "list"],
        &["policy", "list"],
        &["key", "list"],
        &["explain", "/"],
        &["doctor"],
    ] {
        let yaml = [command, &["-o", "yaml"]].concat();
        let yaml = node.done(&yaml);
        assert!(!yaml.starts_with('{'), "{command:?}: {yaml}");
        assert!(scalars(&yaml) > 0, "{command:?}: {yaml}");
        // The same document as JSON.
        assert!(node.json(command).is_object(), "{command:?}");
    }
    let told = node.run(&["versions", "-v"]);
    let call = "GET /_fourfront/v1/releases";
    assert!(
        told.stderr.contains(call) && told.stderr.contains(" ms"),
        "{told:?}"
    );
    assert_eq!(node.run(&["versions"]).stderr, "");
    assert_eq!(node.run(&["versions", "-v", "-q"]).code, Some(2));
    let coloured = |variable, args: &[&str]| {
        let ended = Running::start_in(variable, args, node.site.path()).ended();
        (ended.stdout + &ended.stderr).contains('\u{1b}')
    };
    // Forced, as in a terminal.
    let force = ("CLICOLOR_FORCE", "1");
    for (args, expected) in [
        (&["--help"][..], true),
        (&["--no-color", "--help"], false),
        (&["fly"], true),
        (&["fly", "--no-color"], false),
        (&["versions", "--no-color"], false),
    ] {
        assert_eq!(coloured(force, args), expected, "{args:?}");
    }
    assert!(!coloured(("NO_COLOR", "1"), &["--help"]));
    // A node that serves nothing has none.
    assert_eq!(Served::start(&[]).done(&["origins"]), "");
}
