//! `fourfront explain` against a node at work.

use std::{net::SocketAddr, path::Path};

use serde_json::Value;

use crate::program::{Ended, NODE, Running, Site, address_after, gated_origin, get, run};

fn explain(admin: SocketAddr, args: &[&str], dir: &Path) -> Ended {
    let node = admin.to_string();
    let args: Vec<_> = ["explain", "--node", &node]
        .iter()
        .chain(args)
        .copied()
        .collect();
    run(&args, dir)
}

#[test]
fn a_request_is_explained_to_people_and_to_scripts() {
    // CP-606, CP-607, CP-616
    let site = Site::new(&[
        (
            "fourfront.yaml",
            &format!(
                "{NODE}cache_mode: cloudfront\ndistributions:\n  site:\n    id: E1\n    aliases: [site.test]\n    \
                 origins: {{ files: {{ dir: ./public }} }}\n    default_cache_behavior:\n      origin: files\n      \
                 cache_policy: {{ default_ttl: 600, query_strings: [x] }}\n"
            ),
        ),
        ("public/a.txt", "hello"),
    ]);
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    let url = "http://site.test/a.txt?x=1&y=2";
    let lines =
        |ended: &Ended| -> Vec<String> { ended.stdout.lines().map(str::to_owned).collect() };

    let miss = explain(admin, &[url], site.path());
    assert_eq!((miss.code, miss.stderr.as_str()), (Some(0), ""), "{miss:?}");
    let told = lines(&miss);
    for line in [
        "request       GET site.test/a.txt?x=1&y=2",
        "verdict       miss; reason absent; origin asked",
        "distribution  E1 (alias site.test)",
        "behavior      * (the default), origin files",
        "  query       x=1 (of x=1&y=2)",
        "stored        nothing under this key",
    ] {
        assert!(told.iter().any(|l| l == line), "{line}\nin {}", miss.stdout);
    }

    let answer = get(viewer, "/a.txt?x=1", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    let hit = explain(admin, &["-X", "HEAD", "-H", "X-Other: 1", url], site.path());
    let told = lines(&hit);
    assert!(told[1].starts_with("verdict       hit, "), "{hit:?}");
    assert!(told[1].ends_with(" s left; origin not asked"), "{hit:?}");
    assert!(
        told.iter()
            .any(|l| l == "stored        in memory, 200 with 5 bytes, fresh"),
        "{hit:?}"
    );

    let json = explain(admin, &["--json", url], site.path());
    let document: Value = serde_json::from_str(&json.stdout).expect("a document");
    assert_eq!(document["verdict"]["result"], "hit");
    assert_eq!(document["stored"][0]["ttl"]["source"], "default_ttl");
    assert_eq!(document["request"]["headers"]["host"], "site.test");

    let wrong = explain(admin, &["a.test"], site.path());
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""));
    assert!(wrong.stderr.contains("InvalidArgument: url: "), "{wrong:?}");
    assert_eq!(explain(admin, &["-H", "x", "/"], site.path()).code, Some(2));
    node.signal("KILL");
    node.ended_unread();
    assert_eq!(explain(admin, &["/"], site.path()).code, Some(3));
}

#[test]
fn what_an_origin_would_get_is_told_and_fetched_where_that_is_asked_for() {
    // CP-606
    let (origin, asked, let_go) = gated_origin("hello");
    let site = Site::new(&[(
        "fourfront.yaml",
        &format!(
            "{NODE}distributions:\n  site:\n    id: E1\n    aliases: [site.test]\n    origins:\n      app: {{ domain_name: \
             127.0.0.1, origin_path: /base, custom_headers: {{ X-Secret: hush }}, custom_origin_config: {{ http_port: {}, \
             origin_protocol_policy: http-only }} }}\n    default_cache_behavior:\n      origin: app\n      cache_policy: \
             {{ default_ttl: 600, query_strings: [x], headers: [X-Wanted] }}\n",
            origin.port()
        ),
    )]);
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ");
    let args = [
        "-H",
        "X-Wanted: yes",
        "-H",
        "X-Other: no",
        "http://site.test/a?x=1&y=2",
    ];
    let told = explain(admin, &args, site.path());
    assert_eq!(told.code, Some(0), "{told:?}");
    for line in [
        "sends         GET /base/a?x=1 to app",
        "  host        127.0.0.1",
        "  x-wanted    yes",
        "  x-secret    (as configured)",
    ] {
        assert!(
            told.stdout.lines().any(|l| l == line),
            "{line}\nin {}",
            told.stdout
        );
    }
    assert!(
        !told.stdout.contains("hush") && !told.stdout.contains("x-other"),
        "{told:?}"
    );
    assert!(asked.try_recv().is_err(), "nothing was sent");

    let at = viewer.to_string();
    let fetch = [&args[..], &["--fetch", "--at", &at]].concat();
    let_go.send(()).expect("it waits");
    let fetched = explain(admin, &fetch, site.path());
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(
        fetched.stdout.contains("fetched       200 in "),
        "{fetched:?}"
    );
    asked.recv().expect("the origin was asked");
    // A hit asks for nothing.
    let hit = explain(admin, &[&args[..], &["--json"]].concat(), site.path());
    let document: Value = serde_json::from_str(&hit.stdout).expect("a document");
    assert_eq!(document["verdict"]["result"], "hit", "{hit:?}");
    assert!(document["origin_request"].is_null(), "{hit:?}");
    // This node does not say where viewers reach it.
    let nowhere = explain(admin, &["--fetch", "/a"], site.path());
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert_eq!(
        explain(admin, &["--at", &at, "/a"], site.path()).code,
        Some(2)
    );
}
