//! CloudFront Functions as the engine runs them (LE section 8): what they are given and kept from, and what ends them. What
//! their runtimes offer is in `cff_library`.

use std::{collections::BTreeMap, sync::Arc, time::Duration, time::SystemTime};

use fourfront_hooks::{
    Call, ComputeLimits, ExecutionFault, FaultClass, HookFault, HookPool, PoolSettings, Prepared,
    bundle::Bundle,
};
use fourfront_model::{
    CffRuntime, CloudFrontFunction, Compat, EventType, Function, FunctionKind, KeyValueStore,
    StoreContents, StoreData,
};
use serde_json::{Value, json};

use super::harness::{LOGS, POOL, function, js, settings, unique};

pub(crate) const V1: CffRuntime = CffRuntime::V1;
pub(crate) const V2: CffRuntime = CffRuntime::V2;

pub(crate) struct Cff {
    name: String,
    prepared: Arc<Prepared>,
    pool: HookPool,
}

pub(crate) fn store() -> Arc<KeyValueStore> {
    let entries = [("plain", "text"), ("json", r#"{"a":[1]}"#), ("umlaut", "ä")];
    Arc::new(KeyValueStore {
        name: "routes".into(),
        id: "0a1b".into(),
        path: Some("routes.json".into()),
        data: StoreData::new(StoreContents {
            entries: entries
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            created: SystemTime::UNIX_EPOCH,
            last_updated: SystemTime::UNIX_EPOCH + Duration::from_secs(86_400),
        }),
    })
}

pub(crate) fn cff_function(runtime: CffRuntime, store: Option<Arc<KeyValueStore>>) -> Function {
    Function {
        kind: FunctionKind::CloudFront(CloudFrontFunction { runtime, store }),
        ..function(&unique("cff"))
    }
}

pub(crate) fn load_in(
    pool: &HookPool,
    function: &Function,
    compat: Compat,
    code: &str,
) -> Result<Cff, ExecutionFault> {
    let bundle = Bundle::from_files([("index.js", code)]);
    Ok(Cff {
        name: function.name.to_string(),
        prepared: pool.prepare_bundle(function, compat, bundle)?,
        pool: pool.clone(),
    })
}

/// A function with the store, in the tests' own pool.
pub(crate) fn cff(runtime: CffRuntime, code: &str) -> Cff {
    load_in(
        &POOL,
        &cff_function(runtime, Some(store())),
        Compat::Relaxed,
        code,
    )
    .expect("the function loads")
}

impl Cff {
    pub(crate) async fn run(&self, event: Value) -> Result<Value, HookFault> {
        let call = Call {
            event: json!({ "event": event }).to_string().into_bytes(),
            event_type: EventType::ViewerRequest,
            timeout: Duration::from_secs(5),
            request_id: "viewer-id".into(),
            viewer_request_id: "viewer-id".into(),
        };
        let json = self.pool.invoke(&self.prepared, call).await?;
        Ok(serde_json::from_slice(&json).expect("results are JSON"))
    }

    pub(crate) async fn ok(&self) -> Value {
        let answer = self.run(json!({})).await.expect("the run succeeds");
        answer["result"].clone()
    }

    pub(crate) async fn fails(&self) -> (FaultClass, &'static str, String) {
        let fault = self.run(json!({})).await.expect_err("the run fails");
        (fault.class(), fault.rule(), fault.to_string())
    }

    pub(crate) fn logs(&self) -> Vec<String> {
        LOGS.of(&self.name)
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }
}

/// What one expression gives within a handler.
pub(crate) async fn value(runtime: CffRuntime, expression: &str) -> Value {
    cff(
        runtime,
        &format!("function handler(event) {{ return {{ value: {expression} }}; }}"),
    )
    .ok()
    .await["value"]
        .clone()
}

pub(crate) async fn value_in_both(expression: &str) -> Value {
    let (one, two) = (value(V1, expression).await, value(V2, expression).await);
    assert_eq!(one, two, "{expression}");
    two
}

#[tokio::test]
async fn a_handler_is_given_the_event_and_its_result_comes_back() {
    // LE-400, LE-415, LE-452, LE-463
    for (runtime, code) in [
        (V1, "function handler(event) { return event.request; }"),
        (
            V2,
            "async function handler(event) { await null; return event.request; }",
        ),
        (V2, "const handler = (event) => event.request;"),
    ] {
        let answer = cff(runtime, code)
            .run(json!({ "version": "1.0", "request": { "uri": "/ä" } }))
            .await
            .expect("it answers");
        assert_eq!(answer, json!({ "result": { "uri": "/ä" } }));
    }
    for nothing in ["undefined", "null", "(() => {})"] {
        let code = format!("function handler() {{ return {nothing}; }}");
        assert_eq!(cff(V2, &code).ok().await, Value::Null);
    }
}

#[tokio::test]
async fn both_kinds_of_function_live_in_one_process() {
    let lambda = js("exports.handler = async (event) => Buffer.from('lambda').toString();");
    let cff = cff(
        V2,
        "function handler() { return Buffer.from('cff').toString(); }",
    );
    for _ in 0..3 {
        assert_eq!(lambda.ok(Value::Null).await, "lambda");
        assert_eq!(cff.ok().await, "cff");
    }
    let late = js("exports.handler = async (event) => typeof process;");
    assert_eq!(late.ok(Value::Null).await, "object");
    assert_eq!(value_in_both("typeof process").await, "undefined");
}

#[tokio::test]
async fn the_raw_query_string_is_a_method_of_the_request() {
    // LE-412
    let f = cff(
        V2,
        "function handler(e) { return { raw: e.request.rawQueryString(), keys: Object.keys(e.request) }; }",
    );
    let call = |input: Value| Call {
        event: input.to_string().into_bytes(),
        event_type: EventType::ViewerRequest,
        timeout: Duration::from_secs(5),
        request_id: "viewer-id".into(),
        viewer_request_id: "viewer-id".into(),
    };
    for (raw, shown) in [(json!("a=1&b"), json!("a=1&b")), (json!(""), json!(""))] {
        let input = json!({ "event": { "request": { "uri": "/" } }, "raw": raw });
        let json = POOL
            .invoke(&f.prepared, call(input))
            .await
            .expect("it answers");
        let answer: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(answer["result"], json!({ "raw": shown, "keys": ["uri"] }));
    }
    let input = json!({ "event": { "request": { "uri": "/" } } });
    let json = POOL
        .invoke(&f.prepared, call(input))
        .await
        .expect("it answers");
    assert_eq!(json, br#"{"result":{"keys":["uri"]}}"#, "none: undefined");
}

#[tokio::test]
async fn nothing_passes_from_one_run_to_the_next() {
    // LE-441, LE-455
    let f = cff(
        V2,
        "var count = 0; const seen = [];
         function handler() {
           count++; seen.push(1);
           let tampered = [];
           try { globalThis.leak = (globalThis.leak || 0) + 1; } catch (e) { tampered.push(e.name); }
           /(a)/.exec('a');
           return { count, seen: seen.length, leak: globalThis.leak, last: RegExp.$1 };
         }",
    );
    for _ in 0..4 {
        assert_eq!(f.ok().await, json!({ "count": 1, "seen": 1 }));
    }
}

#[tokio::test]
async fn functions_that_change_built_ins_get_a_context_of_their_own() {
    // LE-441
    let f = cff(
        V2,
        "String.prototype.shout = function () { return this.toUpperCase() + '!'; };
         Array.prototype.calls = (Array.prototype.calls || 0) + 1;
         globalThis.leak = (globalThis.leak || 0) + 1;
         function handler() { Math.mine = (Math.mine || 0) + 1; return ['a'.shout(), [].calls, leak, Math.mine]; }",
    );
    for _ in 0..3 {
        assert_eq!(f.ok().await, json!(["A!", 1, 1, 1]));
    }
    let late = cff(
        V1,
        "function handler(e) { Object.prototype.x = (Object.prototype.x || 0) + 1; return { x: ({}).x }; }",
    );
    for _ in 0..3 {
        assert_eq!(late.ok().await, json!({ "x": 1 }));
    }
}

#[tokio::test]
async fn what_objects_usually_have_of_their_own_can_be_assigned() {
    let expression = "(function () {
        var e = new Error('x'); e.name = 'Mine'; e.message = 'y';
        function A() {} A.prototype = {}; A.prototype.constructor = A; A.prototype.toString = function () { return 'A'; };
        var o = {}; o.valueOf = function () { return 7; }; o.hasOwnProperty = 1;
        return [e.name + ':' + e.message, String(new A()), o + 1, new Error('z').name, Object.keys(o)];
      })()";
    assert_eq!(
        value_in_both(expression).await,
        json!(["Mine:y", "A", 8, "Error", ["valueOf", "hasOwnProperty"]])
    );
}

#[tokio::test]
async fn what_a_function_may_not_have_is_not_there() {
    // LE-438
    for name in [
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "queueMicrotask",
        "process",
        "global",
        "Deno",
        "performance",
        "WebAssembly",
        "SharedArrayBuffer",
        "Atomics",
        "Intl",
        "WeakRef",
        "FinalizationRegistry",
        "exports",
        "module",
        "native",
        "state",
    ] {
        assert_eq!(
            value_in_both(&format!("typeof {name}")).await,
            "undefined",
            "{name}"
        );
    }
    for code in [
        "eval('1')",
        "new Function('return 1')()",
        "(function () {}).constructor('return 1')()",
        "Object.getPrototypeOf(async function () {}).constructor('1')()",
        "process.env",
        "require('fs')",
        "require('http')",
    ] {
        let f = cff(V2, &format!("function handler() {{ return {code}; }}"));
        let (class, rule, text) = f.fails().await;
        assert_eq!(
            (class, rule),
            (FaultClass::FunctionExecution, "LE-274"),
            "{code}: {text}"
        );
    }
}

#[tokio::test]
async fn one_argument_of_console_log_is_logged_between_start_and_end() {
    // LE-440
    let f = cff(
        V2,
        "function handler(e) { console.log('one', 'two'); console.log({ a: [1, 'x'], b: null }); console.log(); return e; }",
    );
    f.ok().await;
    assert_eq!(f.logs(), ["START", "one", "{a:[1,'x'],b:null}", "", "END"]);
    let silent = cff(V1, "function handler(e) { return e; }");
    silent.ok().await;
    assert!(silent.logs().is_empty());

    let chatty = cff(
        V1,
        "function handler(e) { for (var i = 0; i < 3; i++) console.log('x'.repeat(4 * 1024 - 1) + i); return e; }",
    );
    chatty.ok().await;
    let lengths: Vec<usize> = chatty.logs().iter().map(String::len).collect();
    assert_eq!(lengths, [5, 4096, 4096, 2048, 3]);
    assert_eq!(value_in_both("typeof console.error").await, "undefined");
}

#[tokio::test]
async fn errors_name_the_file_and_are_logged() {
    // LE-274, LE-440
    let f = cff(
        V2,
        "function handler() {\n  console.log('before');\n  null.x;\n}",
    );
    let fault = f.run(json!({})).await.expect_err("it fails");
    let HookFault::Function { fault, .. } = fault else {
        panic!("of a CloudFront Function");
    };
    let HookFault::Execution(ExecutionFault::Thrown {
        error_type, stack, ..
    }) = *fault
    else {
        panic!("thrown");
    };
    assert_eq!(error_type, "TypeError");
    assert!(stack.contains("/var/task/index.js:3:8"), "{stack}");
    let logs = f.logs();
    assert_eq!(logs[..3], ["START", "before", "END"]);
    assert!(logs[3].contains("TypeError") && logs[3].contains("index.js:3:8"));

    for code in [
        "throw 'text'",
        "throw null",
        "throw { get message() { throw 1 } }",
        "return new Promise(() => {})",
        "return (function f() { return f(); })()",
        "var a = {}; a.a = a; return a",
        "throw new Proxy({}, { has() { throw 1 } })",
    ] {
        let f = cff(V2, &format!("function handler() {{ {code} }}"));
        assert_eq!(f.fails().await.0, FaultClass::FunctionExecution, "{code}");
    }
}

#[tokio::test]
async fn memory_is_bounded_and_comes_back() {
    // LE-435
    for code in [
        "var a = []; for (;;) a.push(new Array(1000).fill({}));",
        "var s = 'x'; for (;;) s += s + 'y';",
        "var a = []; for (;;) a.push(new Uint8Array(100000));",
        "var a = []; for (;;) a.push(Buffer.from('x'.repeat(100000)));",
    ] {
        let f = cff(V2, &format!("function handler() {{ {code} }}"));
        let (class, _, text) = f.fails().await;
        assert!(
            matches!(
                class,
                FaultClass::FunctionExecution | FaultClass::FunctionThrottled
            ),
            "{code}: {text}"
        );
    }
    assert_eq!(value_in_both("'x'.repeat(300000).length").await, 300_000);
}

fn small_budget() -> HookPool {
    let base = settings();
    let mut own = PoolSettings::new(base.host.log.clone(), base.host.now.clone());
    own.host.compute = ComputeLimits {
        budget: Duration::from_micros(500),
        ..ComputeLimits::default()
    };
    HookPool::new(own)
}

#[tokio::test]
async fn a_run_that_does_not_end_is_ended() {
    // LE-275, LE-436, LE-437
    let pool = small_budget();
    for code in [
        "function handler() { for (;;) {} }",
        "async function handler() { for (;;) await null; }",
        "function handler() { /^(a+)+$/.test('a'.repeat(40) + 'b'); return {}; }",
    ] {
        let f = load_in(&pool, &cff_function(V2, None), Compat::Strict, code).expect("it loads");
        let call = Call {
            event: b"{\"event\":{}}".to_vec(),
            event_type: EventType::ViewerRequest,
            timeout: f.prepared.function().timeout_at(EventType::ViewerRequest),
            request_id: "viewer-id".into(),
            viewer_request_id: "viewer-id".into(),
        };
        let fault = pool
            .invoke(&f.prepared, call)
            .await
            .expect_err("it is ended");
        assert_eq!(
            (fault.class(), fault.rule()),
            (FaultClass::FunctionThrottled, "LE-437"),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_function_beyond_its_budget_again_and_again_is_throttled() {
    // LE-436, LE-437
    let pool = small_budget();
    let code = "function handler(e) { var x = 0; for (var i = 0; i < e.rounds; i++) x += Math.sqrt(i); return { x: x }; }";
    let f = load_in(&pool, &cff_function(V1, None), Compat::Strict, code).expect("it loads");
    for _ in 0..10 {
        f.run(json!({ "rounds": 10 }))
            .await
            .expect("it is within its budget");
    }
    assert!(
        f.prepared
            .compute_utilization()
            .expect("a CloudFront Function")
            < 100
    );
    // The first has the others measured. Between the budget and ten times it, on any machine of the last twenty years, or else beyond: both count.
    let mut refused = None;
    for run in 0..10 {
        if let Err(fault) = f.run(json!({ "rounds": 400_000 })).await
            && matches!(fault.cause(), HookFault::Limit(_))
        {
            refused = Some((run, fault.class(), fault.rule()));
            break;
        }
    }
    assert_eq!(refused, Some((4, FaultClass::FunctionThrottled, "LE-437")));
    assert_eq!(f.prepared.compute_utilization(), Some(100));
    assert!(
        f.run(json!({ "rounds": 1 })).await.is_err(),
        "until the window has passed"
    );
}
