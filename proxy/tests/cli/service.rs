//! `fourfront serve` as a service manager, a container or a cluster runs it: what it tells them and what they ask it.

use std::{net::SocketAddr, os::unix::net::UnixDatagram};

use crate::program::{LIMIT, Running, Site, address_after, get, run};

/// A service manager's socket: what it is told, message by message.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn beside(site: &Site) -> Self {
        let path = site.file("notify");
        let socket = UnixDatagram::bind(&path).expect("a new socket");
        socket
            .set_read_timeout(Some(LIMIT))
            .expect("a limit above zero");
        Self { socket, path }
    }

    fn told(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message");
        let text = String::from_utf8(message[..length].to_vec()).expect("text");
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    // CP-600
    let site = Site::answering("one");
    let manager = Manager::beside(&site);
    let node = Running::start_in(("NOTIFY_SOCKET", &manager.path), &["serve"], site.path());
    let ready = manager.told();
    assert_eq!(ready[0], "READY=1");
    // From then on it answers.
    let viewer = address_after(&ready[1], "STATUS=serving on ");
    assert_eq!(get(viewer, "/", &[]).body, "one");

    let reload = || {
        node.signal("HUP");
        let reloading = manager.told();
        assert_eq!(reloading[0], "RELOADING=1");
        let since = reloading[1].strip_prefix("MONOTONIC_USEC=").expect("since");
        assert!(since.parse::<u64>().is_ok(), "{since}");
        manager.told()
    };
    assert_eq!(reload(), ready);
    // A reload that is refused ends, too: the service is up.
    let yaml = site.read("fourfront.yaml");
    site.write(
        "fourfront.yaml",
        &yaml.replace("origin: app", "origin: apple"),
    );
    let after = reload();
    assert_eq!(after[0], "READY=1");
    assert!(after[1].contains("was refused"), "{after:?}");
    site.write("fourfront.yaml", &yaml);
    assert_eq!(reload(), ready);

    node.signal("TERM");
    let stopping = manager.told();
    assert_eq!(stopping, ["STOPPING=1", "STATUS=draining, at most 30 s"]);
    assert_eq!(node.ended().code, Some(0));
}

#[test]
fn a_manager_that_is_gone_stops_nothing() {
    // CP-600
    let site = Site::answering("one");
    let path = site.file("nobody");
    let node = Running::start_in(("NOTIFY_SOCKET", &path), &["serve"], site.path());
    let (viewer, _) = node.address("serving on ");
    node.stderr_until("cannot tell the service manager");
    assert_eq!(get(viewer, "/", &[]).body, "one");
}

#[test]
fn health_is_asked_for_by_the_program_itself() {
    // CP-615, CP-616, CP-620
    let site = Site::answering("one");
    let node = Running::start(&["serve"], site.path());
    let (_, line) = node.address("serving on ");
    let admin = address_after(&line, "admin on ").to_string();
    let ask = |args: &[&str]| run(&[&["health", "--node", &admin], args].concat(), site.path());
    for (args, told) in [(&[][..], "ok\n"), (&["--ready"], "ready\n")] {
        let ended = ask(args);
        assert_eq!((ended.code, &*ended.stdout), (Some(0), told), "{args:?}");
    }
    node.signal("TERM");
    assert_eq!(node.ended().code, Some(0));
    let ended = ask(&[]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("no node at "), "{}", ended.stderr);
}

#[test]
fn other_machines_see_health_and_metrics_and_nothing_else() {
    // CP-620
    let site = Site::answering("one");
    let yaml = site.read("fourfront.yaml");
    let yaml = yaml.replace("threads: 1", "threads: 1, metrics: 0.0.0.0:0");
    site.write("fourfront.yaml", &yaml);
    let node = Running::start(&["serve"], site.path());
    let (viewer, line) = node.address("serving on ");
    let metrics = address_after(&line, "metrics on ");
    assert!(metrics.ip().is_unspecified());
    let metrics = SocketAddr::from(([127, 0, 0, 1], metrics.port()));
    get(viewer, "/", &[]);
    for (path, status, holds) in [
        ("/health", 200, "ok"),
        ("/ready", 200, "ready"),
        ("/metrics", 200, "fourfront_requests_total{"),
        ("/status", 404, "no such resource"),
        ("/_fourfront/v1/purge", 404, "no such resource"),
    ] {
        let answer = get(metrics, path, &[]);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.body.contains(holds), "{path}: {}", answer.body);
    }
    // `check` and a second node tell what stands in the way.
    let taken = format!("metrics: {metrics}");
    site.write(
        "fourfront.yaml",
        &yaml.replace("metrics: 0.0.0.0:0", &taken),
    );
    let ended = run(&["serve"], site.path());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let named = format!("node.metrics: cannot listen on {metrics}");
    assert!(ended.stderr.contains(&named), "{}", ended.stderr);
}
