//! Isolates: one call at a time, reused, limited, evicted.

use std::{sync::Arc, time::Duration};

use fourfront_hooks::{Call, HookFault, HookPool, LimitFault, bundle::Bundle};
use fourfront_model::{Compat, EventType};
use serde_json::{Value, json};

use super::harness::{function, js, settings, unique};

fn call() -> Call {
    Call {
        event: b"{}".to_vec(),
        event_type: EventType::OriginRequest,
        timeout: Duration::from_secs(5),
        request_id: "id".into(),
        viewer_request_id: String::new(),
    }
}

#[tokio::test]
async fn state_survives_between_calls_and_is_not_shared_between_versions() {
    // LE-347
    let f = js("let n = 0; exports.handler = async () => ++n");
    assert_eq!(f.ok(Value::Null).await, 1);
    assert_eq!(f.ok(Value::Null).await, 2);
    assert_eq!(
        f.prepared.stats().cold_starts,
        0,
        "the isolate that was warmed is used"
    );
    let other = js("let n = 0; exports.handler = async () => ++n");
    assert_eq!(other.ok(Value::Null).await, 1);
}

#[tokio::test]
async fn concurrent_calls_get_isolates_of_their_own() {
    // LE-348: the first is still waiting when a busy machine has started the last isolate.
    let f = Arc::new(js(
        "let busy = false; exports.handler = async () => { const was = busy; busy = true; await new Promise((r) => setTimeout(r, 500)); busy = false; return was }",
    ));
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let f = f.clone();
            tokio::spawn(async move { f.ok(Value::Null).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), json!(false));
    }
    assert_eq!(f.prepared.stats().calls, 6);
    assert_eq!(f.prepared.stats().cold_starts, 5);
}

#[tokio::test]
async fn calls_that_settle_at_once_share_the_isolates_of_the_shared_threads() {
    // LE-348, LE-350
    let mut settings = settings();
    settings.threads = std::num::NonZeroUsize::MIN;
    let pool = HookPool::new(settings);
    let mut added = Vec::new();
    // A machine that stalls makes a slice long, and the version leaves the shared threads: ask again.
    for _ in 0..5 {
        let bundle = Bundle::from_files([("index.js", "exports.handler = async () => 1")]);
        let f = pool
            .prepare_bundle(&function(&unique("f")), Compat::Strict, bundle)
            .unwrap();
        for _ in 0..250 {
            assert_eq!(pool.invoke(&f, call()).await.unwrap(), b"1");
        }
        let before = f.stats().cold_starts;
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let (pool, f) = (pool.clone(), f.clone());
                tokio::spawn(async move { pool.invoke(&f, call()).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), b"1");
        }
        added.push(f.stats().cold_starts - before);
        if added.last() <= Some(&1) {
            return;
        }
    }
    panic!("64 calls at once started {added:?} isolates");
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_at_once() {
    // LE-265
    let mut settings = settings();
    settings.concurrency_per_function = 2;
    let pool = HookPool::new(settings);
    let bundle = Bundle::from_files([(
        "index.js",
        "exports.handler = (e, c, cb) => { setTimeout(cb, 200, null, 1) }",
    )]);
    let f = pool
        .prepare_bundle(&function(&unique("f")), Compat::Strict, bundle)
        .unwrap();
    let (a, b, c) = tokio::join!(
        pool.invoke(&f, call()),
        pool.invoke(&f, call()),
        pool.invoke(&f, call())
    );
    assert_eq!((a.unwrap(), b.unwrap()), (b"1".to_vec(), b"1".to_vec()));
    match c {
        Err(HookFault::Limit(fault)) => assert_eq!(fault, LimitFault::Concurrency { limit: 2 }),
        other => panic!("{other:?}"),
    }
    assert_eq!(f.stats().refused, 1);
    assert!(
        pool.invoke(&f, call()).await.is_ok(),
        "places are given back"
    );
}

#[tokio::test]
async fn idle_isolates_and_those_of_retired_versions_go() {
    // LE-350
    let mut settings = settings();
    settings.idle_ttl = Duration::from_millis(60);
    let pool = HookPool::new(settings);
    let bundle = || Bundle::from_files([("index.js", "exports.handler = async () => 1")]);
    let f = pool
        .prepare_bundle(&function(&unique("f")), Compat::Strict, bundle())
        .unwrap();
    assert_eq!(pool.stats().isolates, 1);
    settle(&pool, 0).await;
    assert_eq!(pool.invoke(&f, call()).await.unwrap(), b"1");
    assert_eq!(f.stats().cold_starts, 1);
    drop(f);
    settle(&pool, 0).await;
}

async fn settle(pool: &HookPool, isolates: usize) {
    let reached = async {
        while pool.stats().isolates != isolates {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reached)
        .await
        .expect("isolates are dropped");
}

#[tokio::test]
async fn a_call_that_waits_does_not_hold_its_thread() {
    // LE-348
    let mut settings = settings();
    settings.threads = std::num::NonZeroUsize::MIN;
    let pool = HookPool::new(settings);
    let slow = Bundle::from_files([(
        "index.js",
        "exports.handler = (e, c, cb) => { setTimeout(cb, 300, null, 'slow') }",
    )]);
    let fast = Bundle::from_files([("index.js", "exports.handler = async () => 'fast'")]);
    let slow = pool
        .prepare_bundle(&function(&unique("slow")), Compat::Strict, slow)
        .unwrap();
    let fast = pool
        .prepare_bundle(&function(&unique("fast")), Compat::Strict, fast)
        .unwrap();
    let waiting = pool.invoke(&slow, call());
    tokio::pin!(waiting);
    assert!(futures_now(waiting.as_mut()).await.is_none());
    assert_eq!(pool.invoke(&fast, call()).await.unwrap(), b"\"fast\"");
    assert_eq!(waiting.await.unwrap(), b"\"slow\"");
}

/// Polls once.
async fn futures_now<F: Future + Unpin>(mut f: F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut f).poll(cx) {
            std::task::Poll::Ready(v) => Some(v),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
