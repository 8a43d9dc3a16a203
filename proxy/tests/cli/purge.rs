//! `fourfront purge` against a node at work.

use std::{net::SocketAddr, path::Path};

use crate::program::{Ended, NODE, Running, Site, address_after, get, run};

fn purge(admin: SocketAddr, args: &[&str], dir: &Path) -> Ended {
    let node = format!("http://{admin}");
    let args: Vec<_> = ["purge", "--node", &node]
        .iter()
        .chain(args)
        .copied()
        .collect();
    run(&args, dir)
}

#[test]
fn objects_are_purged_and_purges_are_listed_over_a_restart() {
    // CP-400, CP-610, CP-616, CP-620, CF-661
    let node = NODE.replace(" }", ", data_dir: ./data }");
    let site = Site::new(&[(
        "fourfront.yaml",
        &format!(
            "{node}distributions:\n  site:\n    id: E1\n    cache_tag_config: {{ header_name: Cache-Tag }}\n    \
             origins: {{ app: \"http://127.0.0.1:3000\" }}\n    default_cache_behavior: {{ origin: app, cache_policy: {{ default_ttl: 600 }} }}\n"
        ),
    )]);
    let start = || {
        let node = Running::start(&["serve"], site.path());
        let (viewer, line) = node.address("serving on ");
        let admin = address_after(&line, "admin on ");
        (node, viewer, admin)
    };
    let (node, _, admin) = start();
    // CP-604: beside a node at work, and without a trace.
    let other = Site::new(&[("fourfront.yaml", &site.read("fourfront.yaml"))]);
    assert_eq!(run(&["check"], site.path()).code, Some(0));
    assert_eq!(run(&["check"], other.path()).code, Some(0));
    assert!(site.path().join("data").exists() && !other.path().join("data").exists());
    let done = purge(admin, &["/a", "http://127.0.0.1/b*", "--wait"], site.path());
    assert_eq!(done.code, Some(0), "{done:?}");
    let id = done.stdout.trim().to_owned();
    assert!(id.len() == 14 && id.starts_with('I'), "{id}");
    assert!(done.stderr.contains("Completed"), "{done:?}");
    let done = purge(
        admin,
        &["--tag", "red", "--soft", "--reference", "r"],
        site.path(),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    let soft = done.stdout.trim().to_owned();
    let again = purge(
        admin,
        &["--tag", "red", "--soft", "--reference", "r"],
        site.path(),
    );
    assert_eq!(again.stdout.trim(), soft);

    let conflict = purge(admin, &["--all", "--reference", "r"], site.path());
    assert_eq!(conflict.code, Some(4), "{conflict:?}");
    assert!(
        conflict.stderr.contains("InvalidationBatchAlreadyExists"),
        "{conflict:?}"
    );
    assert_eq!(conflict.stdout, "");
    let refused = purge(admin, &["/a b"], site.path());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("paths[0]"), "{refused:?}");
    assert_eq!(purge(admin, &[], site.path()).code, Some(2));
    assert_eq!(purge(admin, &["list", "--all"], site.path()).code, Some(2));

    // CP-400: who says nothing of who they are learns nothing.
    let answer = get(admin, &format!("/_fourfront/v1/purge/{id}"), &[]);
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("missing_credentials"),
        "{}",
        answer.body
    );

    node.signal("KILL");
    node.ended_unread();
    let unreachable = purge(admin, &["/a"], site.path());
    assert_eq!(unreachable.code, Some(3), "{unreachable:?}");
    let (_node, _, admin) = start();
    let list = purge(admin, &["list"], site.path());
    let lines: Vec<_> = list.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{list:?}");
    assert!(
        lines[0].starts_with(&soft) && lines[0].ends_with("soft #red"),
        "{list:?}"
    );
    assert!(
        lines[1].starts_with(&id) && lines[1].ends_with("/a /b*"),
        "{list:?}"
    );
}
