//! Resident memory of one more idle isolate: `cargo run --release -p fourfront-hooks --example isolate_memory`.

use std::{fs, sync::Arc, time::SystemTime};

use fourfront_hooks::{HookPool, PoolSettings, bundle::Bundle, log::TracingSink};
use fourfront_model::{Compat, Function, FunctionSource, FunctionVersion, HandlerPath};

const COUNT: u32 = 50;

fn main() {
    let pool = HookPool::new(PoolSettings::new(
        Arc::new(TracingSink),
        Arc::new(|| SystemTime::UNIX_EPOCH),
    ));
    let few = "exports.handler = async () => 1";
    let many = "const m = ['crypto', 'querystring', 'url', 'util', 'zlib'].map(require); exports.handler = async () => m.length";
    for (label, code) in [("no module", few), ("five modules", many)] {
        // The first ones pay for what all share.
        let mut kept: Vec<_> = (0..5).map(|n| load(&pool, code, n)).collect();
        let before = resident();
        kept.extend((5..5 + COUNT).map(|n| load(&pool, code, n)));
        let each = (resident() - before) / f64::from(COUNT);
        println!(
            "{label}: {each:.2} MiB per idle isolate ({} alive)",
            pool.stats().isolates
        );
        drop(kept);
    }
}

fn load(pool: &HookPool, code: &str, n: u32) -> Arc<fourfront_hooks::Prepared> {
    let function = Function {
        name: format!("f{n}").parse().expect("a name"),
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
        kind: fourfront_model::FunctionKind::Lambda,
    };
    pool.prepare_bundle(
        &function,
        Compat::Strict,
        Bundle::from_files([("index.js", code)]),
    )
    .expect("it loads")
}

/// Resident set in MiB; zero where `/proc` is not.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| {
        l.strip_prefix("VmRSS:")?
            .trim()
            .split(' ')
            .next()?
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or(0.0) / 1024.0
}
