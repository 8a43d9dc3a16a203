//! Functions that hold a worker with what nobody can interrupt: the node goes on without it.
//!
//! A regular expression that is a long text with a break in its middle takes the product of its length and that of the
//! text it is searched for in, and looks at nothing meanwhile. Each test runs in a process of its own, which is ended with
//! whatever it still computes.

use std::{
    io::Read as _,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use fourfront_conformance::{Edge, Origin, Reply, Running, handler};
use tokio::net::TcpStream;

/// New connections are served within this, though no worker is free that was there at the start.
const SOON: Duration = Duration::from_secs(1);

/// No process is let live longer.
const MOST: Duration = Duration::from_secs(150);

/// A function that behaves, until it is asked for a search in so many characters.
const HOLDS: &str = "
    const n = Number(request.querystring.split('=')[1] ?? 0);
    if (n > 0) {
        const b = 'abcdefghijklmnopqrstuvwxyz';
        const long = (n) => b.repeat(n / 26);
        new RegExp(long(2 ** 10) + '0' + long(2 ** 16)).test(long(n));
    }
    return { status: 200, body: 'quick' };
";

#[test]
fn a_worker_that_a_function_holds_is_replaced_until_it_comes_back() {
    // NC-98, LE-250
    in_a_process_of_its_own("comes_back");
}

#[test]
fn a_node_whose_workers_are_held_serves_and_ends() {
    // NC-98, CP-620
    in_a_process_of_its_own("never_comes_back");
}

/// Runs another test of this file, to its end or for [`MOST`].
fn in_a_process_of_its_own(test: &str) {
    let me = std::env::current_exe().expect("a test knows its binary");
    let mut child = Command::new(me)
        .args(["--exact", &format!("scenarios::held_workers::{test}")])
        .args(["--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test's binary starts");
    let mut out = child.stdout.take().expect("it is piped");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut said = String::new();
        let _ = out.read_to_string(&mut said);
        let _ = tell.send(said);
    });
    // The output ends with the process, whatever its threads were doing.
    let said = told.recv_timeout(MOST);
    let _ = child.kill();
    let status = child.wait().expect("it was started");
    let said = said.unwrap_or_else(|_| panic!("{test} does not end"));
    println!("{said}");
    assert!(status.success() && said.contains("it went well"), "{said}");
}

/// A node with one worker, a function that holds it, the same for measuring, and one that behaves.
async fn node() -> (Origin, Running) {
    let origin = Origin::start(|_| Reply::ok("from the origin")).await;
    let edge = Edge::new()
        .threads(1, 1)
        .function("holds", &handler(HOLDS))
        .function("measures", &handler(HOLDS))
        .function("victim", &handler("return { status: 200, body: 'well' };"))
        .path("/holds", "on: { viewer-request: holds }")
        .path("/measures", "on: { viewer-request: measures }")
        .path("/victim", "on: { viewer-request: victim }")
        .start(&origin)
        .await;
    (origin, edge)
}

/// A number of the node's metrics.
fn metric(edge: &Running, name: &str) -> u64 {
    let all = edge.metrics();
    let line = all
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in {all}"));
    line.parse().expect("a number")
}

/// Waits until it has that value; whether it got it in time.
async fn becomes(edge: &Running, name: &str, value: u64, within: Duration) -> bool {
    let asked = Instant::now();
    while metric(edge, name) != value {
        if asked.elapsed() > within {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

/// How many characters take a search about so long here and now.
async fn characters_for(edge: &Running, time: Duration) -> u64 {
    let mut n = 1_u64 << 18;
    loop {
        let asked = Instant::now();
        edge.get(&format!("/measures?n={n}")).await;
        let took = asked.elapsed();
        println!("a search in {n} characters takes {took:?}");
        if took > Duration::from_millis(500) {
            // As much as a function's memory has room for, at most.
            let times = u64::try_from(time.as_millis() / took.as_millis()).expect("some times");
            return (n * times.max(1)).min(1 << 24);
        }
        n *= 2;
    }
}

/// Lets the function earn its place on the worker, and holds that. The request that does goes on in the background.
async fn hold(edge: &Running, characters: u64) -> tokio::task::JoinHandle<Result<u16, String>> {
    for _ in 0..8 {
        for _ in 0..600 {
            assert_eq!(edge.get("/holds").await.text(), "quick");
        }
        let request = edge.request("GET", &format!("/holds?n={characters}"));
        let held = tokio::spawn(async move { request.try_send().await.map(|a| a.status) });
        if becomes(edge, "fourfront_held_threads", 1, Duration::from_secs(2)).await {
            return held;
        }
        // A busy machine has slowed some call down, and this one ran on the pool.
        let _ = held.await;
    }
    panic!("the function never comes to run on the worker");
}

/// Sees that a new connection is served at once.
async fn served(edge: &Running, path: &str, body: &str) {
    let asked = Instant::now();
    let answer = edge.get(path).await;
    let took = asked.elapsed();
    assert_eq!((answer.status, answer.text()), (200, body));
    assert!(took < SOON, "{path} took {took:?}");
}

/// Stand-ins that there are.
fn stand_ins() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let names = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
    names.filter(|n| n.starts_with("viewer-extra")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the first test, in a process of its own"]
async fn comes_back() {
    let (_origin, edge) = node().await;
    let characters = characters_for(&edge, Duration::from_secs(6)).await;
    assert_eq!(metric(&edge, "fourfront_thread_holds_total"), 0);
    let held = hold(&edge, characters).await;
    let noticed = Instant::now();
    served(&edge, "/victim", "well").await;
    println!(
        "the first new connection was served after {:?}",
        noticed.elapsed()
    );
    for n in 0..20 {
        served(&edge, "/victim", "well").await;
        served(&edge, &format!("/{n}"), "from the origin").await;
    }
    assert_eq!(
        metric(&edge, "fourfront_held_threads"),
        1,
        "it was held all the while"
    );
    assert_eq!(stand_ins(), 1);

    // The worker comes back and takes over again; its own viewer gets an answer after all.
    let status = held.await.expect("no panic").expect("an answer");
    println!("answered {status} after {:?}", noticed.elapsed());
    assert!(becomes(&edge, "fourfront_held_threads", 0, SOON).await);
    let asked = Instant::now();
    while stand_ins() > 0 {
        assert!(
            asked.elapsed() < Duration::from_secs(20),
            "the stand-in retires"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    served(&edge, "/victim", "well").await;

    // The function never runs on a worker again, however well it behaves.
    for _ in 0..1000 {
        assert_eq!(edge.get("/holds").await.text(), "quick");
    }
    edge.get(&format!("/holds?n={characters}")).await;
    assert_eq!(metric(&edge, "fourfront_thread_holds_total"), 1);
    println!("it went well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the second test, in a process of its own"]
async fn never_comes_back() {
    let (_origin, mut edge) = node().await;
    // A minute, or what there is room for.
    let characters = characters_for(&edge, Duration::from_secs(60)).await;
    let held = hold(&edge, characters).await;
    served(&edge, "/victim", "well").await;
    let address = edge.address();
    let grace = Duration::from_secs(1);
    let asked = Instant::now();
    let stopped = edge.stop(grace);
    tokio::task::spawn_blocking(move || stopped.join().expect("no panic"))
        .await
        .expect("no panic");
    let took = asked.elapsed();
    println!("stopped after {took:?}");
    assert!(took < grace + Duration::from_secs(5), "{took:?}");
    assert!(!held.is_finished(), "it is held all the while");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
    println!("it went well");
}
