//! Functions that mean harm: each ends its own call, with the fault the contract names.

use std::time::{Duration, Instant};

use fourfront_hooks::ExecutionFault;
use serde_json::{Value, json};

use super::harness::{POOL, Tried, js, load, load_as};

/// Runs `code` as the handler's body while `event` is null; with an event the handler answers with it.
fn hostile(code: &str, timeout: Duration) -> Tried {
    let mut f = js(&format!(
        "exports.handler = async (e) => {{ if (e) return e; {code} }}"
    ));
    f.timeout = timeout;
    f
}

/// The call fails so, and the next one of the same function succeeds.
async fn ends(code: &str, timeout: Duration) -> ExecutionFault {
    let f = hostile(code, timeout);
    let fault = f.fault().await;
    assert_eq!(f.ok(json!("after")).await, "after", "{code}");
    fault
}

const SHORT: Duration = Duration::from_millis(150);
/// Longer than a busy machine takes to fill the memory of a function.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn loops_end_when_their_time_is_over() {
    // LE-250, LE-271
    for code in [
        "for (;;) {}",
        "for (;;) { try { for (;;) {} } catch {} finally { for (;;) {} } }",
        "const f = () => { queueMicrotask(f) }; f(); await new Promise(() => {})",
        "for (;;) await null",
        "/(a+)+$/.test('a'.repeat(60) + 'b')",
        "let s = 0; for (;;) { const a = new Array(100).fill(1); s += a.length }",
        "const f = () => setImmediate(f); f(); await new Promise(() => {})",
        "const f = () => process.nextTick(f); f(); await new Promise(() => {})",
        "await new Promise(() => setInterval(() => {}, 1))",
        "return { toJSON() { for (;;) {} } }",
        "throw { get message() { for (;;) {} } }",
    ] {
        let began = Instant::now();
        assert_eq!(
            ends(code, SHORT).await,
            ExecutionFault::Timeout { limit: SHORT },
            "{code}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{code}: {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn memory_beyond_the_limit_ends_the_call() {
    // LE-264
    for code in [
        "const a = []; for (;;) a.push(new Array(1000).fill(a.length))",
        "let s = 'x'; const a = []; for (;;) { a.push(s + a.length); s += s.length < 1e6 ? s : '' }",
        "const a = []; for (;;) a.push(new ArrayBuffer(1 << 20))",
        "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))",
        "new Uint8Array(1 << 30)",
        "const m = new Map(); for (let i = 0;; i++) m.set(i, { i })",
        "const f = () => Promise.resolve().then(() => { f(); f() }); f(); await new Promise(() => {})",
    ] {
        assert_eq!(
            ends(code, LONG).await,
            ExecutionFault::OutOfMemory { limit_mb: 128 },
            "{code}"
        );
    }
}

#[tokio::test]
async fn webassembly_memory_is_bounded() {
    // LE-264
    let f = js(
        "exports.handler = async () => { try { new WebAssembly.Memory({ initial: 60000 }); return 'got it' } catch (e) { return e.name } }",
    );
    assert_eq!(f.ok(Value::Null).await, "RangeError");
}

#[tokio::test]
async fn a_smaller_limit_is_honoured() {
    // LE-262, LE-264
    let code = [(
        "index.js",
        "exports.handler = async () => { const a = []; for (;;) a.push(new ArrayBuffer(1 << 16)) }",
    )];
    let f = load_as(&code, fourfront_model::Compat::Strict, |f| {
        f.memory_mb = Some(32)
    })
    .unwrap();
    assert_eq!(
        f.fault().await,
        ExecutionFault::OutOfMemory { limit_mb: 32 }
    );
}

#[tokio::test]
async fn deep_recursion_is_an_error_like_any_other() {
    // LE-271
    let f = hostile("const f = () => f() + 1; f()", LONG);
    assert_eq!(f.thrown().await.0, "RangeError");
}

#[tokio::test]
async fn a_huge_result_is_refused() {
    // LE-136
    let f = hostile("return 'x'.repeat(7e6)", LONG);
    assert_eq!(f.thrown().await.0, "Function.ResponseSizeTooLarge");
    assert_eq!(f.ok(json!(1)).await, 1);
}

#[tokio::test]
async fn process_exit_ends_the_invocation_alone() {
    // NC-93
    assert_eq!(
        ends("process.exit(3)", LONG).await,
        ExecutionFault::Exit { code: 3 }
    );
    assert_eq!(
        ends("try { process.exit() } finally { for (;;) {} }", LONG).await,
        ExecutionFault::Exit { code: 0 }
    );
}

#[tokio::test]
async fn a_rejection_after_the_answer_costs_the_isolate_and_no_answer() {
    // LE-317, LE-349
    let f = js("let n = 0; exports.handler = async () => { n++; if (n === 1) setTimeout(() => Promise.reject(new Error('late')), 1);
                else await new Promise((r) => setTimeout(r, 30)); return n }");
    assert_eq!(f.ok(Value::Null).await, 1);
    assert_eq!(f.thrown().await.0, "Runtime.UnhandledPromiseRejection");
    assert_eq!(f.ok(Value::Null).await, 1);
}

#[test]
fn a_module_that_loops_while_loading_ends() {
    // LE-263
    let began = Instant::now();
    let fault = load(&[("index.js", "for (;;) {}")]).err().unwrap();
    assert_eq!(
        fault,
        ExecutionFault::Timeout {
            limit: Duration::from_secs(10)
        }
    );
    assert!(began.elapsed() < Duration::from_secs(14));
}

#[tokio::test]
async fn a_neighbour_is_answered_while_others_are_stuck() {
    // A5: functions that hold their threads must not be in the way of one that does not.
    let good = js("exports.handler = async (e) => e.n");
    for n in 0..300 {
        assert_eq!(good.ok(json!({ "n": n })).await, n);
    }
    let mut bad = js("exports.handler = async () => { for (;;) {} }");
    bad.timeout = Duration::from_secs(2);
    let bad = std::sync::Arc::new(bad);
    let stuck: Vec<_> = (0..4)
        .map(|_| {
            let bad = bad.clone();
            tokio::spawn(async move { bad.fault().await })
        })
        .collect();
    let began = Instant::now();
    for n in 0..200 {
        assert_eq!(good.ok(json!({ "n": n })).await, n);
    }
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    for fault in stuck {
        assert_eq!(
            fault.await.unwrap(),
            ExecutionFault::Timeout { limit: bad.timeout }
        );
    }
    assert!(POOL.stats().isolates > 0);
}
