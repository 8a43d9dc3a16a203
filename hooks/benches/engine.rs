//! What a function costs: a cold isolate, a warm call inside the engine, a warm call through the pool and on the thread that
//! asks for it (NC-122).
//!
//! `cargo bench -p fourfront-hooks --bench engine`
//!
//! `FOURFRONT_BENCH_BUNDLES=/a/bundle:/another` adds the cold isolates of these directories, each with an `index.js` or
//! `index.mjs` that exports `handler`.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant, SystemTime},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fourfront_hooks::{
    Call, HookPool, PoolSettings, Prepared,
    bundle::Bundle,
    engine::probe::{Probe, ProbeIsolate},
    log::{LogRecord, LogSink},
};
use fourfront_model::{
    CloudFrontFunction, Compat, EventType, Function, FunctionKind, FunctionSource, FunctionVersion,
    HandlerPath,
};

/// An event of the usual size: a viewer request with a dozen headers.
const EVENT: &[u8] = br#"{"Records":[{"cf":{"config":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE","eventType":"viewer-request","requestId":"4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ=="},"request":{"clientIp":"203.0.113.178","headers":{"host":[{"key":"Host","value":"d111111abcdef8.cloudfront.net"}],"user-agent":[{"key":"User-Agent","value":"curl/7.66.0"}],"accept":[{"key":"accept","value":"*/*"}]},"method":"GET","querystring":"","uri":"/"}}}]}"#;

struct Quiet;

impl LogSink for Quiet {
    fn record(&self, _: &LogRecord<'_>) {}
}

fn settings() -> PoolSettings {
    PoolSettings::new(Arc::new(Quiet), Arc::new(|| SystemTime::UNIX_EPOCH))
}

fn function() -> Function {
    Function {
        name: "bench".parse().expect("a name"),
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

fn bundle(code: &str) -> Bundle {
    Bundle::from_files([("index.js", code)])
}

fn module(code: &str) -> Bundle {
    Bundle::from_files([("index.mjs", code)])
}

const EMPTY: &str = "exports.handler = async (event) => event.Records[0].cf.request;";
const FIVE: &str = "const m = [require('crypto'), require('querystring'), require('url'), require('util'), require('zlib')];
    exports.handler = async (event) => event.Records[0].cf.request;";

const MODULE: &str = "export const handler = async (event) => event.Records[0].cf.request;";
const FIVE_IMPORTED: &str = "import * as a from 'crypto'; import * as b from 'querystring'; import * as c from 'url'; import * as d from 'util'; import * as e from 'zlib';
    const m = [a, b, c, d, e].length;
    export const handler = async (event) => event.Records[0].cf.request;";

/// What small handlers do that reaches operations: bytes and text, a digest, an address, a line of log, the clock.
const BUSY: &str = "const { createHash } = require('crypto');
    exports.handler = async (event) => {
        const { request } = event.Records[0].cf;
        const tag = createHash('sha256').update(request.uri).digest('hex');
        const { searchParams } = new URL(`http://a.b${request.uri}?x=1`);
        console.log(tag);
        request.headers['x-tag'] = [{ value: Buffer.from(tag.slice(0, 8)).toString('base64') + searchParams.get('x') + performance.now() }];
        return request;
    };";

fn probe(bundle: Bundle) -> Probe {
    Probe::new(function(), bundle, settings().host).expect("the engine starts")
}

fn cold(c: &mut Criterion, name: &str, start: impl Fn() -> ProbeIsolate) {
    c.bench_function(name, |b| {
        b.iter_batched(|| (), |()| start(), BatchSize::PerIteration);
    });
}

fn engine(c: &mut Criterion) {
    let empty = probe(bundle(EMPTY));
    let imported = probe(module(MODULE));
    for (name, probe) in [
        ("cold isolate, no module", &empty),
        ("cold isolate, five modules", &probe(bundle(FIVE))),
        ("cold isolate, ES module", &imported),
        (
            "cold isolate, ES module, five modules",
            &probe(module(FIVE_IMPORTED)),
        ),
    ] {
        cold(c, name, || probe.isolate().expect("it loads"));
    }
    for (name, probe) in [
        ("cold inline isolate, no module", &empty),
        ("cold inline isolate, ES module", &imported),
    ] {
        cold(c, name, || probe.inline_isolate().expect("it loads"));
    }
    let bundles = std::env::var_os("FOURFRONT_BENCH_BUNDLES").unwrap_or_default();
    for path in std::env::split_paths(&bundles).filter(|p| !p.as_os_str().is_empty()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let files = Bundle::read(&FunctionSource::Dir(path.clone())).expect("a bundle");
        let probe = probe(files);
        cold(c, &format!("cold isolate, {name}"), || {
            probe.isolate().expect("it loads")
        });
    }
    for (name, probe) in [("", &empty), (" of an ES module", &imported)] {
        let mut isolate = probe.isolate().expect("it loads");
        c.bench_function(&format!("warm call, engine{name}"), |b| {
            b.iter(|| isolate.call(EVENT).expect("it answers"));
        });
        let mut isolate = probe.inline_isolate().expect("it loads");
        c.bench_function(&format!("warm inline call, engine{name}"), |b| {
            b.iter(|| isolate.call(EVENT).expect("it answers"));
        });
    }
}

/// Rounds in which two isolates are compared, and calls of each in a round.
const ROUNDS: usize = 200;
const CALLS: usize = 500;

/// What the table of audited operations costs a call: the same isolate without and with it, in turns, so that whatever else
/// the machine does meets both.
fn audited(_: &mut Criterion) {
    for (name, code) in [
        ("small handler", EMPTY),
        ("handler that reaches operations", BUSY),
    ] {
        let probe = probe(bundle(code));
        let mut plain = probe.isolate().expect("it loads");
        // What a call loads late is there for isolates that begin after it.
        plain.call(EVENT).expect("it answers");
        let mut audited = probe.inline_isolate().expect("it loads");
        let round = |isolate: &mut ProbeIsolate| {
            let began = Instant::now();
            for _ in 0..CALLS {
                isolate.call(EVENT).expect("it answers");
            }
            began.elapsed().as_secs_f64()
        };
        for _ in 0..10 {
            round(&mut plain);
            round(&mut audited);
        }
        let mut ratios: Vec<f64> = (0..ROUNDS)
            .map(|n| {
                // Neither is always the one that comes second.
                if n % 2 == 0 {
                    let without = round(&mut plain);
                    round(&mut audited) / without
                } else {
                    let with = round(&mut audited);
                    with / round(&mut plain)
                }
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "audited operations, {name}: a call takes {:.3} of one without (quartiles {:.3} and {:.3})",
            ratios[ROUNDS / 2],
            ratios[ROUNDS / 4],
            ratios[ROUNDS * 3 / 4]
        );
    }
}

/// The same request for a CloudFront Function.
const CFF_INPUT: &[u8] = br#"{"event":{"version":"1.0","context":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE","eventType":"viewer-request","requestId":"4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ=="},"viewer":{"ip":"203.0.113.178"},"request":{"method":"GET","uri":"/","querystring":{},"headers":{"host":{"value":"d111111abcdef8.cloudfront.net"},"user-agent":{"value":"curl/7.66.0"},"accept":{"value":"*/*"}},"cookies":{}}}}"#;

fn cloudfront(c: &mut Criterion) {
    let cloudfront = |code| {
        let function = Function {
            kind: FunctionKind::CloudFront(CloudFrontFunction::default()),
            ..function()
        };
        Probe::new(function, bundle(code), settings().host).expect("the engine starts")
    };
    let plain = cloudfront("function handler(event) { return event.request; }");
    c.bench_function("cold isolate, CloudFront Function", |b| {
        b.iter_batched(
            || (),
            |()| plain.isolate().expect("it loads"),
            BatchSize::PerIteration,
        );
    });
    let mut isolate = plain.isolate().expect("it loads");
    c.bench_function("warm run, CloudFront Function", |b| {
        b.iter(|| isolate.call(CFF_INPUT).expect("it answers"));
    });
    let changes =
        cloudfront("String.prototype.x = 1; function handler(event) { return event.request; }");
    let mut isolate = changes.isolate().expect("it loads");
    c.bench_function("warm run, CloudFront Function in a fresh context", |b| {
        b.iter(|| isolate.call(CFF_INPUT).expect("it answers"));
    });
}

fn call() -> Call {
    Call {
        event: EVENT.to_vec(),
        event_type: EventType::ViewerRequest,
        timeout: Duration::from_secs(5),
        request_id: "00000000-0000-0000-0000-000000000000".into(),
        viewer_request_id: String::new(),
    }
}

fn pool(c: &mut Criterion) {
    let pool = HookPool::new(settings());
    let prepare = |bundle| {
        pool.prepare_bundle(&function(), Compat::Strict, bundle)
            .expect("it loads")
    };
    let prepared = prepare(bundle(EMPTY));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    c.bench_function("warm call, through the pool", |b| {
        b.iter(|| {
            runtime
                .block_on(pool.invoke(&prepared, call()))
                .expect("it answers")
        });
    });
    for (name, bundle) in [("", bundle(EMPTY)), (" of an ES module", module(MODULE))] {
        inline(
            c,
            &format!("warm call, inline{name}"),
            &pool,
            prepare(bundle),
        );
    }
}

/// Calls on a thread that may run them itself, and must have: those that went elsewhere are told.
fn inline(c: &mut Criterion, name: &str, pool: &HookPool, prepared: Arc<Prepared>) {
    let (ask, asked) = mpsc::channel::<u64>();
    let (tell, told) = mpsc::channel();
    let (of, calls) = (pool.clone(), prepared.clone());
    let thread = pool.spawn(
        "viewer".into(),
        |_| {},
        move |inline| {
            let inline = inline.expect("the engine runs");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                for rounds in asked {
                    let began = Instant::now();
                    for _ in 0..rounds {
                        of.invoke(&calls, call()).await.expect("it answers");
                    }
                    let _ = tell.send(began.elapsed());
                }
                drop(inline);
            });
        },
    );
    let thread = thread.expect("a thread");
    let run = |rounds| {
        ask.send(rounds).expect("the thread runs");
        told.recv().expect("the thread runs")
    };
    // A version earns its place by some hundred quick calls.
    while prepared.stats().inline == 0 {
        run(500);
    }
    c.bench_function(name, |b| b.iter_custom(run));
    let (calls, inline) = (prepared.stats().calls, prepared.stats().inline);
    println!("{name}: {inline} of {calls} calls ran inline");
    drop(ask);
    thread.join().expect("the thread ends");
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = engine, audited, cloudfront, pool
}
criterion_main!(benches);
