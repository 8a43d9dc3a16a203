//! Threads that a function holds and that cannot be had back (NC-98).

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use fourfront_hooks::{
    HookPool, PoolSettings, Prepared,
    log::{LogRecord, LogSink},
};

use super::hostile_set::*;

#[tokio::test]
async fn a_function_that_does_not_let_go_of_its_threads_gets_four_of_them() {
    // NC-98, LE-250
    let pool = HookPool::new(PoolSettings::new(
        Arc::new(Holding),
        Arc::new(|| SystemTime::UNIX_EPOCH),
    ));
    let good = prepare(&pool, "exports.handler = async () => 'well'");
    let bad = prepare(&pool, "exports.handler = async () => console.log('hold')");
    let held = four_at_once(&pool, &bad).await;
    assert_eq!(held, vec!["timed out after 300 ms"; 4]);
    assert_eq!(
        call(&pool, &bad, SHORT).await,
        "4 threads are held by calls of the function that cannot be ended"
    );
    for _ in 0..50 {
        let asked = Instant::now();
        assert_eq!(call(&pool, &good, LONG).await, "answered \"well\"");
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    }
}

/// An operation that does not come back: the one that logs, since the engine's own all do.
struct Holding;

impl LogSink for Holding {
    fn record(&self, record: &LogRecord<'_>) {
        if record.message == "hold" {
            loop {
                std::thread::park();
            }
        }
    }
}

/// Nobody reads.
struct NoLog;

impl LogSink for NoLog {
    fn record(&self, _: &LogRecord<'_>) {}
}

#[tokio::test]
async fn a_call_that_ends_while_a_built_in_is_loaded_gives_its_thread_back() {
    // NC-98, LE-250: the engine panics in a load that is ended half-way; so the times go through all of it.
    let pool = HookPool::new(PoolSettings::new(
        Arc::new(NoLog),
        Arc::new(|| SystemTime::UNIX_EPOCH),
    ));
    let loads = prepare(
        &pool,
        "exports.handler = async (event) => {
             for (const name of ['crypto', 'https', 'zlib', 'stream/web', 'dns', 'readline', 'worker_threads']) require(name);
             while (event !== 'well');
             return event;
         }",
    );
    for n in 0..120 {
        let limit = Duration::from_millis(1 + n % 60);
        let said = call(&pool, &loads, limit).await;
        assert_eq!(said, format!("timed out after {} ms", limit.as_millis()));
    }
}

#[test]
fn a_panic_in_an_operation_costs_a_thread_and_no_node() {
    // NC-98
    let me = std::env::current_exe().expect("a test knows its binary");
    let child = std::process::Command::new(me)
        .args([
            "--exact",
            "held_threads::panics",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .expect("the test's binary starts");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("it lives"),
        "{said}"
    );
}

/// An operation that panics: the one that logs, since none of the engine's own is known to.
struct Panicking;

impl LogSink for Panicking {
    fn record(&self, record: &LogRecord<'_>) {
        assert_ne!(record.message, "panic");
    }
}

#[tokio::test]
#[ignore = "run by the test above: who waits for the panic hook at the end, as the test harness does, waits for ever"]
async fn panics() {
    let pool = HookPool::new(PoolSettings::new(
        Arc::new(Panicking),
        Arc::new(|| SystemTime::UNIX_EPOCH),
    ));
    let good = prepare(&pool, "exports.handler = async () => 'well'");
    let bad = prepare(&pool, "exports.handler = async () => console.log('panic')");
    assert_eq!(call(&pool, &bad, SHORT).await, "timed out after 300 ms");
    for _ in 0..50 {
        assert_eq!(call(&pool, &good, LONG).await, "answered \"well\"");
    }
    println!("it lives");
    std::process::exit(0);
}

/// Four calls at once.
async fn four_at_once(pool: &HookPool, version: &Arc<Prepared>) -> Vec<String> {
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (pool, version) = (pool.clone(), version.clone());
            tokio::spawn(async move { call(&pool, &version, SHORT).await })
        })
        .collect();
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.expect("calls do not panic"));
    }
    ends
}
