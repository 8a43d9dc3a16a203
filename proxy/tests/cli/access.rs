//! Who may use a node from the command line, how it is looked after, and how commands end.

use std::fs;

use crate::{
    program::{Site, run},
    releases::Served,
};

#[test]
fn a_key_may_do_what_it_was_made_for_until_it_is_removed() {
    // CP-402, CP-432, CP-433, CP-615, CP-616
    let node = Served::start(&[]);
    let token = node.done(&[
        "key",
        "create",
        "--role",
        "read",
        "--token",
        "--description",
        "ci",
    ]);
    let token = token.trim();
    assert!(token.starts_with("ff_"), "{token}");
    node.done(&["versions", "--key", token]);
    let refused = node.run(&["key", "list", "--key", token]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("access_denied"), "{refused:?}");

    let key = node.done(&["key", "create", "--role", "deploy"]);
    let key = key.trim();
    let (id, _) = key.split_once(':').expect("an id and a secret");
    node.done(&["versions", "--key", key]);
    let wrong = format!("{id}:wrong");
    let refused = node.run(&["versions", "--key", &wrong]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("signature_mismatch"), "{refused:?}");

    let new = node.done(&["key", "rotate", id, "--old-good-for", "0"]);
    assert_eq!(node.run(&["versions", "--key", key]).code, Some(1));
    node.done(&["versions", "--key", new.trim()]);
    let listed = node.done(&["key", "list"]);
    // The first, the token, the old one and the new one.
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert!(!listed.contains(token), "{listed}");
    let (new_id, _) = new.split_once(':').expect("an id and a secret");
    node.done(&["key", "rm", new_id]);
    // All of it is in the audit log, whose newest entry comes first, and which is for administrators.
    let told = node.json(&["audit", "-n", "3"]);
    let of = |at: usize| {
        [
            &told["items"][at]["operation"],
            &told["items"][at]["resource"],
        ]
    };
    assert_eq!(of(0), ["fourfront:DELETE keys/{id}", new_id], "{told}");
    assert_eq!(of(1), ["fourfront:POST keys/{id}/rotate", id], "{told}");
    let shown = node.done(&["audit"]);
    assert!(shown.contains("fourfront:bootstrap"), "{shown}");
    assert_eq!(node.run(&["audit", "--key", token]).code, Some(1));
    // A key that was meant is not replaced by the own user's rights.
    let gone = node.run(&["versions", "--key", new.trim()]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("unknown_credentials"), "{gone:?}");
    assert_eq!(node.run(&["key", "rm", new_id]).code, Some(1));
    assert_eq!(node.run(&["versions", "--key", "nonsense"]).code, Some(2));
}

#[test]
fn the_nodes_own_user_needs_no_key() {
    // CP-402: by the socket, which is named or found out
    let node = Served::start(&[]);
    let socket = format!("unix:{}", node.site.file("data/admin.sock"));
    let by_socket = run(&["status", "--node", &socket], node.site.path());
    assert_eq!(by_socket.code, Some(0), "{by_socket:?}");
    assert!(by_socket.stdout.starts_with("node"), "{by_socket:?}");
    let status = node.json(&["status"]);
    assert_eq!(status["control"]["account"], "000000000000");
    assert!(
        status["listeners"][0]
            .as_str()
            .is_some_and(|l| l.starts_with("http://127.0.0.1:"))
    );
    let doctor = node.run(&["doctor"]);
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for check in [
        "node",
        "clock",
        "key",
        "store",
        "master key",
        "socket",
        "kvs host",
        "site file",
    ] {
        assert!(
            doctor.stdout.contains(&format!("  {check} ")),
            "{check}: {doctor:?}"
        );
    }
    let env = node.done(&["env"]);
    assert!(env.contains("AWS_ENDPOINT_URL=http://127.0.0.1:"), "{env}");
    assert!(
        env.contains("AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE=http://localhost:"),
        "{env}"
    );
    assert!(env.contains("data/bootstrap-credentials"), "{env}");
}

#[test]
fn commands_say_by_their_exit_how_they_ended() {
    // CP-616
    let site = Site::new(&[]);
    // A port of its own that nobody listens on any more.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = free.local_addr().expect("it is bound").to_string();
    drop(free);
    for command in [
        &["status"][..],
        &["versions"],
        &["deploy", "."],
        &["kv", "get", "s", "k"],
        &["key", "list"],
        &["doctor"],
        &["env"],
        &["backup", "b.tar"],
    ] {
        fs::write(site.path().join("template.yaml"), "Resources: {}\n").expect("a file");
        let args: Vec<_> = command
            .iter()
            .chain(&["--node", &nobody])
            .copied()
            .collect();
        let ended = run(&args, site.path());
        assert_eq!(ended.code, Some(3), "{command:?}: {ended:?}");
    }
    assert!(!site.path().join("b.tar").exists());
    for command in [
        &["kv"][..],
        &["key", "create"],
        &["status", "--node", "ftp://x"],
        &["completion", "cmd"],
    ] {
        assert_eq!(run(command, site.path()).code, Some(2), "{command:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completion", shell], site.path());
        assert_eq!(script.code, Some(0), "{script:?}");
        assert!(script.stdout.contains("rollback"), "{shell}");
    }
}

#[test]
fn a_backup_becomes_a_node_again() {
    // CP-430, CP-562, CP-615
    let node = Served::start(&[]);
    let token = node.done(&["key", "create", "--role", "read", "--token"]);
    node.done(&["backup", "copy.tar"]);
    assert_eq!(
        node.run(&["backup", "copy.tar"]).code,
        Some(1),
        "it is there"
    );
    let refused = node.run(&["backup", "other.tar", "--key", token.trim()]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let site = node.site.path();
    assert!(!site.join("other.tar").exists());
    let in_use = run(&["restore", "copy.tar", "--data", "data"], site);
    assert_eq!(in_use.code, Some(4), "{in_use:?}");
    let restored = run(&["restore", "copy.tar", "--data", "elsewhere"], site);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    // Whether the keys in it can be used depends on a master key, which is not in it.
    assert!(
        restored.stderr.contains("elsewhere/master.key"),
        "{restored:?}"
    );
    let again = |file: &str| {
        let args = [
            "restore",
            "copy.tar",
            "--data",
            "elsewhere",
            "--replace",
            "--master-key",
            file,
        ];
        let restored = run(&args, site);
        assert_eq!(restored.code, Some(0), "{restored:?}");
        restored.stderr
    };
    let opened = again("data/master.key");
    assert!(opened.contains("opens its keys"), "{opened}");
    fs::write(site.join("other.key"), "07".repeat(32)).expect("a file");
    let unopened = again("other.key");
    assert!(
        unopened.contains("sealed with another master key"),
        "{unopened}"
    );
    let twice = run(&["restore", "copy.tar", "--data", "elsewhere"], site);
    assert_eq!(twice.code, Some(4), "{twice:?}");
    fs::write(
        site.join("cut.tar"),
        &fs::read(site.join("copy.tar")).expect("a file")[..600],
    )
    .expect("a file");
    let cut = run(&["restore", "cut.tar", "--data", "third"], site);
    assert_eq!(cut.code, Some(1), "{cut:?}");
    assert!(!site.join("third").exists());
}
