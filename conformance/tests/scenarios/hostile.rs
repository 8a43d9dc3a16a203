//! Functions that mean harm, or might as well: each ends with the class the contract gives it while another
//! function on the same node keeps answering.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fourfront_conformance::{Edge, Origin, Reply, Running, handler};

/// What each does, and the answer its viewer gets. All under a second of time and 128 MiB of memory.
const ATTACKS: [(&str, &str, u16, &str); 9] = [
    // LE-250, LE-560
    ("loop", "for (;;) {}", 503, "LambdaExecutionError"),
    // LE-264
    (
        "heap",
        "const all = []; for (;;) all.push(new Array(10000).fill(all.length));",
        503,
        "LambdaExecutionError",
    ),
    (
        "strings",
        "let s = 'x'; for (;;) s = (s + s).split('').reverse().join('');",
        503,
        "LambdaExecutionError",
    ),
    // LE-264: not on the heap, and counted all the same.
    (
        "buffers",
        "const all = []; for (;;) { const b = new Uint8Array(8 << 20); b.fill(1); all.push(b); }",
        503,
        "LambdaExecutionError",
    ),
    (
        "microtasks",
        "for (;;) await null;",
        503,
        "LambdaExecutionError",
    ),
    (
        "promises",
        "const flood = () => Promise.resolve().then(flood).then(flood); await flood(); await new Promise(() => {});",
        503,
        "LambdaExecutionError",
    ),
    (
        "recursion",
        "const deep = (n) => deep(n + 1) + 1; return deep(0);",
        503,
        "LambdaExecutionError",
    ),
    (
        "expression",
        "return /^(a+)+$/.test('a'.repeat(40) + '!') ? request : request;",
        503,
        "LambdaExecutionError",
    ),
    // LE-317
    (
        "rejection",
        "Promise.reject(new Error('nobody listens')); await new Promise((done) => setTimeout(done, 50)); return request;",
        503,
        "LambdaExecutionError",
    ),
];

/// Sends requests one after the other and says how long the slowest but one in a hundred took.
async fn p99(edge: &Running, requests: usize) -> Duration {
    let mut times = Vec::with_capacity(requests);
    for n in 0..requests {
        let started = Instant::now();
        let answer = edge.get(&format!("/victim?{n}")).await;
        times.push(started.elapsed());
        assert_eq!((answer.status, answer.text()), (200, "well"), "request {n}");
    }
    times.sort_unstable();
    times[requests * 99 / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_ends_alone_while_another_function_keeps_answering() {
    // LE-250, LE-264, LE-271, LE-317, LE-348
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    let mut edge =
        Edge::new().function("victim", &handler("return { status: 200, body: 'well' };"));
    for (name, code, _, _) in ATTACKS {
        edge = edge
            .function_with(name, &handler(code), "timeout: 1, memory: 128")
            .path(
                &format!("/{name}"),
                &format!("on: {{ viewer-request: {name} }}"),
            );
    }
    let edge = Arc::new(
        edge.behavior("on: { viewer-request: victim }")
            .start(&origin)
            .await,
    );
    p99(&edge, 300).await;
    let quiet = p99(&edge, 300).await;

    let over = Arc::new(AtomicBool::new(false));
    let attackers: Vec<_> = ATTACKS
        .into_iter()
        .map(|(name, _, status, token)| {
            let (edge, over) = (edge.clone(), over.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while calls == 0 || !over.load(Ordering::SeqCst) {
                    let answer = edge.get(&format!("/{name}")).await;
                    assert_eq!((answer.status, answer.x_cache()), (status, token), "{name}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let attacked = p99(&edge, 300).await;
    over.store(true, Ordering::SeqCst);
    for attacker in attackers {
        assert!(attacker.await.unwrap() > 0);
    }
    println!("p99 of the other function: quiet {quiet:?}, under attack {attacked:?}");
    // Nothing is left behind that would hurt it now.
    p99(&edge, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_after_the_result_harms_at_most_a_call_of_its_own_function() {
    // LE-317, LE-349
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    let edge = Edge::new()
        .function("victim", &handler("return { status: 200, body: 'well' };"))
        .function(
            "late",
            &handler("setTimeout(() => Promise.reject(new Error('too late')), 1); return { status: 200, body: 'sent' };"),
        )
        .path("/late", "on: { viewer-request: late }")
        .behavior("on: { viewer-request: victim }")
        .start(&origin)
        .await;
    let first = edge.get("/late").await;
    assert_eq!((first.status, first.text()), (200, "sent"));
    for n in 0..20 {
        let answer = edge.get("/late").await;
        match answer.status {
            200 => assert_eq!(answer.text(), "sent", "call {n}"),
            _ => assert_eq!(
                (answer.status, answer.x_cache()),
                (503, "LambdaExecutionError"),
                "call {n}"
            ),
        }
        assert_eq!(edge.get("/").await.text(), "well", "call {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_harms_while_it_is_loaded_stops_the_start_and_no_reload() {
    // LE-308, LE-263, LE-264
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    for (name, code, told) in [
        (
            "throws",
            "throw new Error('at load'); exports.handler = async () => {};",
            "at load",
        ),
        (
            "bomb",
            "const all = []; for (;;) all.push(new Array(10000).fill(1));",
            "memory",
        ),
    ] {
        let edge = Edge::new()
            .function_with(name, code, "memory: 128")
            .behavior(&format!("on: {{ viewer-request: {name} }}"));
        let Err(errors) = edge.try_start(&origin.url()).await else {
            panic!("{name}: the node started")
        };
        let text = errors[0].to_string();
        assert!(
            text.contains(&format!("functions.{name}")) && text.contains(told),
            "{text}"
        );
    }
    let edge = Edge::new()
        .function_with(
            "good",
            &handler("return { status: 200, body: 'well' };"),
            "memory: 128",
        )
        .behavior("on: { viewer-request: good }")
        .start(&origin)
        .await;
    assert!(
        edge.rewrite(
            "good.js",
            "const all = []; for (;;) all.push(new Array(10000).fill(1));"
        )
        .is_err()
    );
    assert_eq!(edge.get("/").await.text(), "well");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_results_at_the_other_triggers_end_alone_too() {
    // LE-136, LE-178, LE-250, LE-264
    let origin =
        Origin::start(|_| Reply::ok("content").header("Cache-Control", "max-age=60")).await;
    let rows = [
        ("origin-request", "for (;;) {}", 503, "LambdaExecutionError"),
        (
            "origin-response",
            "response.body = 'x'.repeat(2 << 20); return response;",
            502,
            "LambdaValidationError",
        ),
        (
            "origin-response",
            "const all = []; for (;;) all.push(new Array(10000).fill(1));",
            503,
            "LambdaExecutionError",
        ),
        (
            "viewer-response",
            "for (;;) {}",
            503,
            "LambdaExecutionError",
        ),
        (
            "viewer-response",
            "for (let n = 0; n < 20000; n++) response.headers['x-' + n] = [{ value: 'v' }]; return response;",
            502,
            "LambdaValidationError",
        ),
    ];
    for (event, code, status, token) in rows {
        // What ends by itself may take its time on a busy machine.
        let timeout = if code == "for (;;) {}" { 1 } else { 30 };
        let edge = Edge::new()
            .function_with(
                "bad",
                &handler(code),
                &format!("timeout: {timeout}, memory: 128"),
            )
            .path("/bad", &format!("on: {{ {event}: bad }}"))
            .start(&origin)
            .await;
        let answer = edge.get("/bad").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (status, token),
            "{event}: {code}"
        );
        assert_eq!(edge.get("/fine").await.text(), "content", "{event}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_beyond_what_may_be_transported_is_a_validation_error() {
    // LE-136, LE-285
    let origin = Origin::start(|_| Reply::ok("x").header("Cache-Control", "no-store")).await;
    let edge = Edge::new()
        .function(
            "huge",
            &handler("request.uri = '/' + 'u'.repeat(7 * 1024 * 1024); return request;"),
        )
        .behavior("on: { viewer-request: huge }")
        .start(&origin)
        .await;
    let answer = edge.get("/").await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (502, "LambdaValidationError")
    );
}
