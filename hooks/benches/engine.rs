//! What a function costs: a cold isolate, a warm call inside the engine, a warm call through the pool.
//!
//! `cargo bench -p fourfront-hooks --bench engine`

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fourfront_hooks::{
    Call, HookPool, PoolSettings,
    bundle::Bundle,
    engine::probe::Probe,
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
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    }
}

fn bundle(code: &str) -> Bundle {
    Bundle::from_files([("index.js", code)])
}

const EMPTY: &str = "exports.handler = async (event) => event.Records[0].cf.request;";
const FIVE: &str = "const m = [require('crypto'), require('querystring'), require('url'), require('util'), require('zlib')];
    exports.handler = async (event) => event.Records[0].cf.request;";

fn engine(c: &mut Criterion) {
    let probe =
        |code| Probe::new(function(), bundle(code), settings().host).expect("the engine starts");
    let empty = probe(EMPTY);
    c.bench_function("cold isolate, no module", |b| {
        b.iter_batched(
            || (),
            |()| empty.isolate().expect("it loads"),
            BatchSize::PerIteration,
        );
    });
    let five = probe(FIVE);
    c.bench_function("cold isolate, five modules", |b| {
        b.iter_batched(
            || (),
            |()| five.isolate().expect("it loads"),
            BatchSize::PerIteration,
        );
    });
    let mut isolate = empty.isolate().expect("it loads");
    c.bench_function("warm call, engine", |b| {
        b.iter(|| isolate.call(EVENT).expect("it answers"));
    });
}

/// The same request for a CloudFront Function.
const CFF_INPUT: &[u8] = br#"{"event":{"version":"1.0","context":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE","eventType":"viewer-request","requestId":"4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ=="},"viewer":{"ip":"203.0.113.178"},"request":{"method":"GET","uri":"/","querystring":{},"headers":{"host":{"value":"d111111abcdef8.cloudfront.net"},"user-agent":{"value":"curl/7.66.0"},"accept":{"value":"*/*"}},"cookies":{}}}}"#;

fn cloudfront(c: &mut Criterion) {
    let probe = |code| {
        let function = Function {
            kind: FunctionKind::CloudFront(CloudFrontFunction::default()),
            ..function()
        };
        Probe::new(function, bundle(code), settings().host).expect("the engine starts")
    };
    let plain = probe("function handler(event) { return event.request; }");
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
        probe("String.prototype.x = 1; function handler(event) { return event.request; }");
    let mut isolate = changes.isolate().expect("it loads");
    c.bench_function("warm run, CloudFront Function in a fresh context", |b| {
        b.iter(|| isolate.call(CFF_INPUT).expect("it answers"));
    });
}

fn pool(c: &mut Criterion) {
    let pool = HookPool::new(settings());
    let prepared = pool
        .prepare_bundle(&function(), Compat::Strict, bundle(EMPTY))
        .expect("it loads");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let call = || Call {
        event: EVENT.to_vec(),
        event_type: EventType::ViewerRequest,
        timeout: Duration::from_secs(5),
        request_id: "00000000-0000-0000-0000-000000000000".into(),
        viewer_request_id: String::new(),
    };
    c.bench_function("warm call, through the pool", |b| {
        b.iter(|| {
            runtime
                .block_on(pool.invoke(&prepared, call()))
                .expect("it answers")
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = engine, cloudfront, pool
}
criterion_main!(benches);
