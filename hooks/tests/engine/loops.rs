//! Loops of V8's own, and operations in Rust, over as much as they can be given: they end when the call they belong to is
//! ended (NC-98). Those that are known not to are listed with the others.
//!
//! What V8 does in C++ and in its assembler looks at nothing but its own end. A call in such a loop could not be ended by
//! anyone, and would hold its thread for as long as the loop takes: years, for some.
//!
//! The cases run one after the other in a process of their own, the test's own binary, which says before each what it will
//! do. One that is silent for too long is ended, and a new one goes on after the case that it did not come back from.
//! To see all of them: `cargo nextest run -p fourfront-hooks loops::every --no-capture`; some of them:
//! `LOOPS_FROM=n LOOPS_TO=m cargo nextest run -p fourfront-hooks loops::child --run-ignored only --no-capture`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use fourfront_hooks::{
    bundle::Bundle,
    engine::probe::Probe,
    log::{LogRecord, LogSink},
};

use super::harness::{function, settings, unique};

/// When a case is ended, if it has not ended itself.
const RUNS: Duration = Duration::from_millis(50);
/// What it may take to end after that. Most take milliseconds; linear work over all that a function's memory can hold, and the
/// costliest cryptography that there is, take a second or two, and longer on a machine with other things to do.
const LATE: Duration = Duration::from_secs(10);
/// A process that is silent for so long is held by its case.
const SILENT: Duration = Duration::from_secs(20);
/// What the function has, in MiB: what functions have unless they are given more, and what they have at most on the proxy's
/// threads.
const MEMORY_MB: usize = 128;

/// The cases: a name and an expression on each line, a `|` between.
const CASES: &str = include_str!("loops.txt");

fn cases() -> Vec<(&'static str, &'static str)> {
    let lines = CASES
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with(['#', '~']));
    lines
        .map(|line| {
            line.split_once(" | ")
                .expect("a name, a bar, an expression")
        })
        .map(|(name, code)| (name.trim(), code.trim()))
        .collect()
}

#[test]
fn every_loop_of_the_engines_own_ends_when_it_is_ended() {
    // NC-98, LE-250
    let cases = cases();
    let mut held = Vec::new();
    let mut from = 0;
    while from < cases.len() {
        let ended = run_from(from);
        if ended < cases.len() {
            held.push(format!("{}: {}", cases[ended].0, cases[ended].1));
        }
        from = ended.saturating_add(1);
    }
    assert!(held.is_empty(), "not ended:\n{}", held.join("\n"));
}

/// Runs the cases from one on in a new process; says which one it did not come back from, in time.
fn run_from(from: usize) -> usize {
    let me = std::env::current_exe().expect("a test knows its binary");
    let mut child = Command::new(me)
        .args(["--exact", "loops::child", "--ignored", "--nocapture"])
        .env("LOOPS_FROM", from.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test's binary starts");
    let out = BufReader::new(child.stdout.take().expect("it is piped"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    let mut at = from;
    let mut late = None;
    while let Ok(line) = told.recv_timeout(SILENT) {
        println!("{line}");
        if let Some(number) = line.strip_prefix("case ") {
            let number = number.split(' ').next().and_then(|n| n.parse().ok());
            at = number.unwrap_or(at);
        } else if let Some(over) = line.trim().strip_prefix("late ")
            && over.split(' ').next().and_then(|n| n.parse().ok()) > Some(LATE.as_millis())
        {
            late = Some(at);
            break;
        } else if line.starts_with("all done") {
            at = usize::MAX;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    late.unwrap_or(at)
}

struct Quiet;

impl LogSink for Quiet {
    fn record(&self, _: &LogRecord<'_>) {}
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn child() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let from: usize = number("LOOPS_FROM").unwrap_or(0);
    let to: usize = number("LOOPS_TO").unwrap_or(usize::MAX);
    let megabytes = number("LOOPS_MB").unwrap_or(MEMORY_MB);
    let run = move || {
        let mut host = settings().host;
        host.log = Arc::new(Quiet);
        host.now = Arc::new(|| SystemTime::UNIX_EPOCH);
        let mut function = function(&unique("loops"));
        function.memory_mb = u32::try_from(megabytes).ok();
        let code = include_str!("loops.js");
        let probe = Probe::new(function, Bundle::from_files([("index.js", code)]), host)
            .expect("the engine starts");
        for (n, (name, code)) in cases().into_iter().enumerate() {
            if n < from || n >= to {
                continue;
            }
            println!("case {n} {name}: {code}");
            let mut isolate = probe.isolate().expect("it loads");
            let end = isolate.ender();
            let (done, ended) = mpsc::channel::<()>();
            let ender = thread::spawn(move || {
                if ended.recv_timeout(RUNS) == Err(mpsc::RecvTimeoutError::Timeout) {
                    end();
                }
            });
            let began = Instant::now();
            let event = serde_json::to_string(code).expect("text has JSON");
            let outcome = match isolate.call(event.as_bytes()) {
                Ok(json) => String::from_utf8_lossy(&json).into_owned(),
                Err(fault) => fault.to_string(),
            };
            let took = began.elapsed();
            drop(done);
            let _ = ender.join();
            let late = took.saturating_sub(RUNS).as_millis();
            println!(
                "    late {late} ms of {}: {}",
                took.as_millis(),
                outcome.chars().take(100).collect::<String>()
            );
        }
        println!("all done");
    };
    let thread = thread::Builder::new().stack_size(16 << 20).spawn(run);
    thread.expect("a thread").join().expect("it ends");
}
