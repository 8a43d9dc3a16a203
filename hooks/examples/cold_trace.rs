//! Where a cold start goes, step by step: `cargo run --release -p fourfront-hooks --example cold_trace [ROUNDS [KIND]]`.
//!
//! Medians of each step on one thread, and of everything with its page faults, which are the memory that an isolate touches
//! first. `DENO_STARTUP_PHASES=1` has the engine add the steps inside of its own to standard error.

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use fourfront_hooks::{PoolSettings, bundle::Bundle, engine::probe::Probe, log::TracingSink};
use fourfront_model::{Function, FunctionKind, FunctionSource, FunctionVersion, HandlerPath};

const EVENT: &[u8] = br#"{"Records":[{"cf":{"config":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE","eventType":"viewer-request","requestId":"4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ=="},"request":{"clientIp":"203.0.113.178","headers":{"host":[{"key":"Host","value":"d111111abcdef8.cloudfront.net"}]},"method":"GET","querystring":"","uri":"/"}}}]}"#;

const ANSWER: &str = "exports.handler = async () => ({ status: '200', body: 'made' });";

/// What `conformance/load/many.py` measures through a node, and each of its modules alone.
const KINDS: &[(&str, &[&str])] = &[
    ("no module", &[]),
    (
        "five modules",
        &["crypto", "https", "zlib", "querystring", "fs"],
    ),
    ("crypto", &["crypto"]),
    ("https", &["https"]),
    ("zlib", &["zlib"]),
    ("querystring", &["querystring"]),
    ("fs", &["fs"]),
    ("util", &["util"]),
    ("path", &["path"]),
    ("url", &["url"]),
    ("events", &["events"]),
    ("stream", &["stream"]),
];

/// Rounds whose figures are dropped: the first ones compile what all share.
const WARM_UP: usize = 5;

fn main() {
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let only = arguments.next();
    println!(
        "{:14} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "", "isolate", "load", "call", "cold", "p90", "drop", "faults"
    );
    for (name, modules) in KINDS {
        if only.as_deref().is_some_and(|only| only != *name) {
            continue;
        }
        let requires = modules
            .iter()
            .map(|m| format!("const {m} = require('{m}');\n"))
            .collect::<String>();
        let code = format!("{requires}{ANSWER}");
        let bundle = Bundle::from_files([("index.js", code.as_str())]);
        let settings =
            PoolSettings::new(Arc::new(TracingSink), Arc::new(|| SystemTime::UNIX_EPOCH));
        let probe = Probe::new(function(), bundle, settings.host).expect("the engine starts");
        // As in a node, where there are others: V8 gives up what isolates share with the last of them.
        let _other = probe.bare_isolate().expect("it starts");
        let mut steps: [Vec<Duration>; 5] = Default::default();
        let mut faults = Vec::new();
        for round in 0..rounds + WARM_UP {
            let before = page_faults();
            let began = Instant::now();
            let mut isolate = probe.bare_isolate().expect("it starts");
            let made = began.elapsed();
            probe.load(&mut isolate).expect("it loads");
            let loaded = began.elapsed();
            isolate.call(EVENT).expect("it answers");
            let cold = began.elapsed();
            let after = page_faults();
            drop(isolate);
            let dropped = began.elapsed();
            if round >= WARM_UP {
                let all = [made, loaded - made, cold - loaded, cold, dropped - cold];
                for (step, took) in steps.iter_mut().zip(all) {
                    step.push(took);
                }
                faults.push(after - before);
            }
        }
        let [made, loaded, called, cold, dropped] = &mut steps;
        let ms = |of: &mut Vec<Duration>, quantile: usize| {
            of.sort();
            of[of.len() * quantile / 100].as_secs_f64() * 1000.0
        };
        faults.sort_unstable();
        println!(
            "{name:14} {:9.3} {:9.3} {:9.3} {:9.3} {:9.3} {:9.3} {:7}",
            ms(made, 50),
            ms(loaded, 50),
            ms(called, 50),
            ms(cold, 50),
            ms(cold, 90),
            ms(dropped, 50),
            faults[faults.len() / 2],
        );
        let builtins = probe.builtins();
        if only.is_some() {
            println!("{} files: {}", builtins.len(), builtins.join(" "));
        }
    }
}

fn function() -> Function {
    Function {
        name: "trace".parse().expect("a name"),
        version: FunctionVersion(1),
        source: FunctionSource::File("unused.js".into()),
        handler: HandlerPath::default(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: false,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    }
}

/// Page faults of this process so far; zero where `/proc` is not.
fn page_faults() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after
        .split_ascii_whitespace()
        .nth(7)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}
