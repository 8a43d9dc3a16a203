//! Everything a function can reach, called with values that nobody expects: nothing of it ends the process (NC-98).
//!
//! The calls are made in a process of their own, the test's own binary, which says before each what it will do. To look
//! at other seeds: `WALKER_SEEDS=from..to cargo nextest run -p fourfront-hooks walker::child --run-ignored only`.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use fourfront_hooks::{
    Call, HookPool, PoolSettings,
    bundle::Bundle,
    log::{LogRecord, LogSink},
};
use fourfront_model::{Compat, EventType};

use super::harness::{function, unique};

/// The seeds that are tried each time; among them those that once ended the process.
const SEEDS: &str = "320..340,670..680,860..870,1290..1294,1370..1375";
/// Begins no further seed after this.
const LONG_ENOUGH: Duration = Duration::from_secs(60);
const CALLS: u32 = 300;

#[test]
fn nothing_that_can_be_called_ends_the_process() {
    // NC-98
    let me = std::env::current_exe().expect("a test knows its binary");
    let child = Command::new(me)
        .args(["--exact", "walker::child", "--ignored", "--nocapture"])
        .env("WALKER_SEEDS", SEEDS)
        .stdin(Stdio::null())
        .output()
        .expect("the test's binary starts");
    let said = String::from_utf8_lossy(&child.stderr);
    let mut last: Vec<&str> = said.lines().rev().take(12).collect();
    last.reverse();
    assert!(
        child.status.success(),
        "{}\n{}",
        child.status,
        last.join("\n")
    );
    let told = String::from_utf8_lossy(&child.stdout);
    let seeds = told.lines().filter(|l| l.contains("seed ")).count();
    assert!(seeds > 5, "{seeds} seeds were tried:\n{told}");
}

struct Stderr;

impl LogSink for Stderr {
    fn record(&self, r: &LogRecord<'_>) {
        eprintln!("{}", r.message);
    }
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn child() {
    let mut settings = PoolSettings::new(Arc::new(Stderr), Arc::new(|| SystemTime::UNIX_EPOCH));
    settings.host.max_log_bytes = 64 << 20;
    let pool = HookPool::new(settings);
    let seeds = std::env::var("WALKER_SEEDS").unwrap_or_else(|_| SEEDS.into());
    let began = Instant::now();
    for range in seeds.split(',') {
        let (from, to) = range.split_once("..").expect("from..to");
        let (from, to): (u32, u32) = (
            from.parse().expect("a number"),
            to.parse().expect("a number"),
        );
        for seed in from..to {
            if began.elapsed() > LONG_ENOUGH {
                break;
            }
            // Anew for each, so that a seed does the same whatever came before it.
            let prepared = pool
                .prepare_bundle(
                    &function(&unique("walker")),
                    Compat::Strict,
                    Bundle::from_files([("index.js", include_str!("walker.js"))]),
                )
                .expect("the walker loads");
            let call = Call {
                event: format!("{{\"seed\":{seed},\"calls\":{CALLS}}}").into_bytes(),
                event_type: EventType::ViewerRequest,
                timeout: Duration::from_secs(2),
                request_id: seed.to_string(),
                viewer_request_id: String::new(),
            };
            let started = Instant::now();
            let outcome = match pool.invoke(&prepared, call).await {
                Ok(json) => String::from_utf8_lossy(&json).into_owned(),
                Err(fault) => fault.to_string(),
            };
            println!(
                "seed {seed} {:?} {}",
                started.elapsed(),
                outcome.chars().take(200).collect::<String>()
            );
        }
    }
    // Without the end of the harness, which waits for a thread that stopped in a panic.
    std::process::exit(0);
}
