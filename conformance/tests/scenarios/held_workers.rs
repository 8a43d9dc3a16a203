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
use tokio::{net::TcpStream, task::JoinHandle};

/// New connections are served within this, though no worker is free that was there at the start.
const SOON: Duration = Duration::from_secs(1);

/// No process is let live longer.
const MOST: Duration = Duration::from_secs(240);

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

/// Functions to hold workers with.
const TRIES: usize = 4;

/// A node with so many workers, functions that hold them, one for measuring, and one that behaves.
async fn node(workers: usize) -> (Origin, Running) {
    let origin = Origin::start(|_| Reply::ok("from the origin")).await;
    let mut edge = Edge::new()
        .threads(workers, 1)
        .function("measures", &handler(HOLDS))
        .function("victim", &handler("return { status: 200, body: 'well' };"))
        .path("/measures", "on: { viewer-request: measures }")
        .path("/victim", "on: { viewer-request: victim }");
    for n in 0..TRIES {
        let name = format!("holds{n}");
        edge = edge.function(&name, &handler(HOLDS)).path(
            &format!("/{name}"),
            &format!("on: {{ viewer-request: {name} }}"),
        );
    }
    let edge = edge.start(&origin).await;
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
        // The shortest of some: what else the machine does now it may not do then.
        let mut took = Duration::MAX;
        for _ in 0..3 {
            let asked = Instant::now();
            edge.get(&format!("/measures?n={n}")).await;
            took = took.min(asked.elapsed());
        }
        println!("a search in {n} characters takes {took:?}");
        if took > Duration::from_millis(250) {
            // As much as a function's memory has room for, at most.
            let times = u64::try_from(time.as_millis() / took.as_millis()).expect("some times");
            return (n * times.max(1)).min(1 << 24);
        }
        n *= 2;
    }
}

/// The name of the function that got its place on the workers, and the requests that hold these.
struct Held {
    function: String,
    requests: Vec<JoinHandle<Result<u16, String>>>,
}

/// Lets a function earn its place on the workers, and holds them all with it.
async fn hold(edge: &Running, workers: u64, characters: u64) -> Held {
    // A busy machine may slow some call down, and what should hold a worker runs on the pool: the next one then.
    for n in 0..TRIES {
        let function = format!("holds{n}");
        for _ in 0..600 {
            assert_eq!(edge.get(&format!("/{function}")).await.text(), "quick");
        }
        let mut requests = Vec::new();
        for _ in 0..workers {
            let request = edge.request("GET", &format!("/{function}?n={characters}"));
            requests.push(tokio::spawn(async move {
                request.try_send().await.map(|answer| answer.status)
            }));
            // Only a worker that is not held yet can accept the next one, and after a quarter of a second it would be
            // too late: no worker would run it.
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        if becomes(
            edge,
            "fourfront_held_threads",
            workers,
            Duration::from_secs(2),
        )
        .await
        {
            return Held { function, requests };
        }
        becomes(edge, "fourfront_held_threads", 0, MOST).await;
    }
    panic!("the function never comes to run on the workers");
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
    let (_origin, edge) = node(1).await;
    let characters = characters_for(&edge, Duration::from_secs(6)).await;
    assert_eq!(metric(&edge, "fourfront_thread_holds_total"), 0);
    let held = hold(&edge, 1, characters).await;
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
    for request in held.requests {
        let status = request.await.expect("no panic").expect("an answer");
        println!("answered {status} after {:?}", noticed.elapsed());
    }
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
    let holds = metric(&edge, "fourfront_thread_holds_total");
    let path = format!("/{}", held.function);
    for _ in 0..1000 {
        assert_eq!(edge.get(&path).await.text(), "quick");
    }
    edge.get(&format!("{path}?n={characters}")).await;
    assert_eq!(metric(&edge, "fourfront_thread_holds_total"), holds);
    println!("it went well");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the second test, in a process of its own"]
async fn never_comes_back() {
    let (_origin, mut edge) = node(2).await;
    // A minute, or what there is room for.
    let characters = characters_for(&edge, Duration::from_secs(60)).await;
    let held = hold(&edge, 2, characters).await;
    let noticed = Instant::now();
    served(&edge, "/victim", "well").await;
    println!(
        "the first new connection was served after {:?}",
        noticed.elapsed()
    );
    for _ in 0..20 {
        served(&edge, "/victim", "well").await;
    }
    // They are started one after the other, and the first serves meanwhile; within the second that is promised.
    while stand_ins() < 2 && noticed.elapsed() < Duration::from_secs(1) {
        tokio::task::yield_now().await;
    }
    assert_eq!(stand_ins(), 2);
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
    for request in &held.requests {
        assert!(!request.is_finished(), "it is held all the while");
    }
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
    println!("it went well");
}
