//! Handler forms, `context`, environment, console (LE section 6).

use std::time::Duration;

use fourfront_hooks::{Call, ExecutionFault, HookPool, bundle::Bundle, log::LogLevel};
use fourfront_model::{Compat, Credentials, EventType};
use serde_json::{Value, json};

use super::harness::{function, js, load_as, settings, value};

#[tokio::test]
async fn async_callback_and_returned_promises_give_the_same_result() {
    // LE-309, LE-310, LE-313
    for code in [
        "exports.handler = async (e) => ({ got: e.n })",
        "exports.handler = (e) => Promise.resolve({ got: e.n })",
        "exports.handler = (e) => ({ then(ok) { ok({ got: e.n }) } })",
        "exports.handler = (e, c, cb) => cb(null, { got: e.n })",
        "exports.handler = (e, c, cb) => { setTimeout(() => cb(undefined, { got: e.n }), 1) }",
        "exports.handler = async (e, c, cb) => { cb(null, { got: e.n }) }",
        "exports.handler = (e, c) => c.succeed({ got: e.n })",
        "exports.handler = (e, c) => c.done(null, { got: e.n })",
    ] {
        assert_eq!(
            js(code).ok(json!({ "n": 5 })).await,
            json!({ "got": 5 }),
            "{code}"
        );
    }
}

#[tokio::test]
async fn callbacks_work_in_both_modes() {
    // LE-320, LE-309
    let code = [(
        "index.js",
        "exports.handler = (event, context, callback) => { callback(null, event.n + arguments.length) }",
    )];
    for compat in [Compat::Strict, Compat::Relaxed] {
        let f = load_as(&code, compat, |_| {}).unwrap();
        // A module's own wrapper has five arguments.
        assert_eq!(f.ok(json!({ "n": 1 })).await, json!(6), "{compat:?}");
    }
}

#[tokio::test]
async fn handlers_that_stream_are_refused_by_name() {
    // LE-321
    for code in [
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.end('x') })",
        "awslambda.HttpResponseStream.from({}, {}); exports.handler = async () => {}",
    ] {
        match load_as(&[("index.js", code)], Compat::Strict, |_| {}) {
            Err(ExecutionFault::Load { message, .. }) => {
                assert!(
                    message.contains("cannot stream") && message.contains("LE-321"),
                    "{message}"
                );
            }
            other => panic!("loaded: {:?}", other.map(|f| f.name)),
        }
    }
}

#[tokio::test]
async fn names_and_log_groups_can_be_ones_own() {
    // LE-326, LE-330
    let code = "exports.handler = async (e, c) => [c.functionName, c.logGroupName, process.env.AWS_LAMBDA_FUNCTION_NAME, \
                process.env.AWS_LAMBDA_LOG_GROUP_NAME]";
    let mut settings = settings();
    settings.host.name_prefix = "".into();
    let pool = HookPool::new(settings);
    let mut function = function("plain");
    for (log_group, shown) in [
        (None, "/aws/lambda/plain"),
        (Some("/edge/own"), "/edge/own"),
    ] {
        function.log_group = log_group.map(str::to_owned);
        let bundle = Bundle::from_files([("index.js", code)]);
        let prepared = pool
            .prepare_bundle(&function, Compat::Strict, bundle)
            .unwrap();
        let call = Call {
            event: b"{}".to_vec(),
            event_type: EventType::ViewerRequest,
            timeout: Duration::from_secs(5),
            request_id: "id".into(),
            viewer_request_id: String::new(),
        };
        let seen: Value =
            serde_json::from_slice(&pool.invoke(&prepared, call).await.unwrap()).unwrap();
        assert_eq!(seen, json!(["plain", shown, "plain", shown]));
    }
    // With AWS's prefix, a log group of one's own still has none.
    let f = load_as(&[("index.js", code)], Compat::Strict, |f| {
        f.log_group = Some("own".into())
    })
    .unwrap();
    let name = format!("us-east-1.{}", f.name);
    assert_eq!(f.ok(Value::Null).await, json!([name, "own", name, "own"]));
}

#[tokio::test]
async fn a_plain_return_value_is_ignored_in_strict_and_taken_in_relaxed() {
    // LE-311, LE-312
    let code = [("index.js", "exports.handler = () => ({ a: 1 })")];
    let strict = load_as(&code, Compat::Strict, |_| {}).unwrap();
    assert_eq!(strict.ok(Value::Null).await, Value::Null);
    let relaxed = load_as(&code, Compat::Relaxed, |_| {}).unwrap();
    assert_eq!(relaxed.ok(Value::Null).await, json!({ "a": 1 }));
    let declared = [("index.js", "exports.handler = (e, c, cb) => ({ a: 1 })")];
    let waits = load_as(&declared, Compat::Relaxed, |_| {}).unwrap();
    assert_eq!(waits.ok(Value::Null).await, Value::Null);
}

#[tokio::test]
async fn errors_come_from_every_way_a_handler_can_fail() {
    // LE-310, LE-313, LE-316, LE-318, LE-319
    for code in [
        "exports.handler = async () => { throw new TypeError('no') }",
        "exports.handler = () => { throw new TypeError('no') }",
        "exports.handler = () => Promise.reject(new TypeError('no'))",
        "exports.handler = (e, c, cb) => cb(new TypeError('no'))",
        "exports.handler = (e, c) => c.fail(new TypeError('no'))",
        "exports.handler = (e, c) => c.done(new TypeError('no'))",
    ] {
        assert_eq!(
            js(code).thrown().await,
            ("TypeError".into(), "no".into()),
            "{code}"
        );
    }
    let text = js("exports.handler = async () => { throw 'just text' }")
        .thrown()
        .await;
    assert_eq!(text, ("string".into(), "just text".into()));
    let object = js("exports.handler = (e, c, cb) => cb({ code: 1 })")
        .thrown()
        .await;
    assert_eq!(object, ("object".into(), "{\"code\":1}".into()));
}

#[tokio::test]
async fn an_error_that_fights_being_read_is_still_an_error() {
    // LE-318
    let f = js("exports.handler = async () => { throw { get message() { throw 1 }, name: 'x' } }");
    assert_eq!(f.thrown().await.1, "the error could not be read");
}

#[tokio::test]
async fn only_the_first_completion_counts_and_the_second_is_logged() {
    // LE-313
    let f = js("exports.handler = (e, c, cb) => { cb(null, 1); cb(null, 2); c.fail('x') }");
    assert_eq!(f.ok(Value::Null).await, json!(1));
    let notes = f.logs();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].1.contains("already been completed"));
}

#[tokio::test]
async fn a_callback_waits_for_the_event_loop_unless_told_otherwise() {
    // LE-314, LE-333
    let code = |wait: bool| {
        format!(
            "let later = 0; exports.handler = (e, c, cb) => {{
               const before = c.callbackWaitsForEmptyEventLoop;
               c.callbackWaitsForEmptyEventLoop = {wait};
               const seen = {{ before, later }};
               Object.defineProperty(seen, 'now', {{ enumerable: true, get: () => later }});
               setTimeout(() => later++, 5);
               cb(null, seen);
             }}"
        )
    };
    let seen = js(&code(true)).ok(Value::Null).await;
    assert_eq!(seen, json!({ "before": true, "later": 0, "now": 1 }));
    let f = js(&code(false));
    assert_eq!(f.ok(Value::Null).await["now"], 0);
    // The setting is the call's, not the isolate's.
    assert_eq!(f.ok(Value::Null).await["before"], true);
}

#[tokio::test]
async fn a_promise_that_can_never_settle_is_a_fault_and_silence_is_null() {
    // LE-315, LE-311
    let never = js("exports.handler = async () => { await new Promise(() => {}) }");
    assert_eq!(never.fault().await, ExecutionFault::NeverSettled);
    assert_eq!(
        js("exports.handler = (e, c, cb) => {}")
            .ok(Value::Null)
            .await,
        Value::Null
    );
}

#[tokio::test]
async fn undefined_is_null_and_what_has_no_json_is_a_fault() {
    // LE-137
    assert_eq!(
        js("exports.handler = async () => {}").ok(Value::Null).await,
        Value::Null
    );
    assert_eq!(
        js("exports.handler = async () => () => 1")
            .ok(Value::Null)
            .await,
        Value::Null
    );
    for code in ["const a = {}; a.a = a; return a", "return { n: 1n }"] {
        let f = js(&format!("exports.handler = async () => {{ {code} }}"));
        assert!(
            matches!(f.fault().await, ExecutionFault::Thrown { .. }),
            "{code}"
        );
    }
}

#[tokio::test]
async fn uncaught_errors_fail_the_call_and_cost_the_isolate() {
    // LE-317, LE-350
    for (code, kind) in [
        (
            "setTimeout(() => { throw new RangeError('late') }, 1); await new Promise(() => {})",
            "RangeError",
        ),
        (
            "Promise.reject(new Error('lost')); return 1",
            "Runtime.UnhandledPromiseRejection",
        ),
    ] {
        let f = js(&format!(
            "let n = 0; exports.handler = async (e) => {{ n++; if (e) return n; {code} }}"
        ));
        assert_eq!(f.ok(json!(1)).await, 1);
        assert_eq!(f.thrown().await.0, kind);
        // State is gone with the isolate.
        assert_eq!(f.ok(json!(1)).await, 1, "{kind}");
    }
}

#[tokio::test]
async fn a_rejection_that_is_handled_in_time_is_none() {
    // LE-317
    let f = js(
        "exports.handler = async () => { const p = Promise.reject(1); p.catch(() => {}); return 2 }",
    );
    assert_eq!(f.ok(Value::Null).await, 2);
}

#[tokio::test]
async fn context_has_the_members_of_lambda() {
    // LE-325..LE-334
    let f = js(
        "exports.handler = async (e, c) => ({ ...c, left: c.getRemainingTimeInMillis(), keys: Object.keys(c) })",
    );
    let text = f
        .raw(Value::Null, "11111111-2222-3333-4444-555555555555")
        .await
        .unwrap();
    let c: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(c["awsRequestId"], "11111111-2222-3333-4444-555555555555");
    assert_eq!(c["functionName"], format!("us-east-1.{}", f.name));
    assert_eq!(c["functionVersion"], "7");
    assert_eq!(c["memoryLimitInMB"], "128");
    assert!(c["invokedFunctionArn"].as_str().unwrap().ends_with(":7"));
    assert_eq!(
        c["logGroupName"],
        format!("/aws/lambda/us-east-1.{}", f.name)
    );
    assert!(!c["logStreamName"].as_str().unwrap().is_empty());
    assert_eq!(c["callbackWaitsForEmptyEventLoop"], true);
    let left = c["left"].as_f64().unwrap();
    assert!(left > 4000.0 && left <= 5000.0, "{left}");
    for absent in ["identity", "clientContext", "tenantId"] {
        assert!(c.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn log_streams_differ_between_isolates() {
    // LE-331
    let stream = "exports.handler = async (e, c) => c.logStreamName";
    assert_ne!(
        js(stream).ok(Value::Null).await,
        js(stream).ok(Value::Null).await
    );
}

#[tokio::test]
async fn the_environment_is_the_reserved_names_and_nothing_of_the_host() {
    // LE-340..LE-343, NC-30
    let env = value("{ ...process.env }").await;
    let mut names: Vec<&str> = env
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AWS_DEFAULT_REGION",
            "AWS_EXECUTION_ENV",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_REGION",
            "LAMBDA_RUNTIME_DIR",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "NODE_PATH",
            "PATH",
            "TZ",
            "_HANDLER"
        ]
    );
    assert_eq!(env["LAMBDA_TASK_ROOT"], "/var/task");
    assert_eq!(env["_HANDLER"], "index.handler");
    assert_eq!(
        value("(process.env.X = 1, [process.env.X, 'HOME' in process.env])").await,
        json!(["1", false])
    );
}

#[tokio::test]
async fn credentials_are_there_for_who_was_granted_some() {
    // LE-342, NC-71
    let code = [(
        "index.js",
        "exports.handler = async () => ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', '_X_AMZN_TRACE_ID'].map((n) => process.env[n] ?? null)",
    )];
    let seen = |credentials| {
        let f = load_as(&code, Compat::Strict, |f| f.credentials = credentials).unwrap();
        async move { f.ok(Value::Null).await }
    };
    assert_eq!(seen(None).await, json!([null, null, null, null]));
    let lasting = Credentials {
        access_key_id: "AKID".into(),
        secret_access_key: "secret".into(),
        session_token: None,
    };
    assert_eq!(
        seen(Some(lasting.clone())).await,
        json!(["AKID", "secret", null, null])
    );
    let temporary = Credentials {
        session_token: Some("token".into()),
        ..lasting
    };
    assert_eq!(
        seen(Some(temporary)).await,
        json!(["AKID", "secret", "token", null])
    );
}

#[tokio::test]
async fn user_variables_appear_in_relaxed_only() {
    // LE-340, NC-73
    let code = [(
        "index.js",
        "exports.handler = async () => process.env.STAGE ?? null",
    )];
    let set =
        |f: &mut fourfront_model::Function| f.environment.push(("STAGE".into(), "dev".into()));
    assert_eq!(
        load_as(&code, Compat::Relaxed, set)
            .unwrap()
            .ok(Value::Null)
            .await,
        "dev"
    );
    assert_eq!(
        load_as(&code, Compat::Strict, set)
            .unwrap()
            .ok(Value::Null)
            .await,
        Value::Null
    );
}

#[tokio::test]
async fn pending_work_is_frozen_and_goes_on_with_the_next_call() {
    // LE-347, LE-349
    let f = js("let fired = 0, n = 0; exports.handler = async (e) => {
        if (n++ === 0) { setTimeout(() => fired++, 1); return fired }
        while (!fired) await new Promise((r) => setTimeout(r, 1));
        return fired }");
    assert_eq!(f.ok(Value::Null).await, 0);
    assert_eq!(f.ok(Value::Null).await, 1);
}

#[tokio::test]
async fn what_became_due_at_rest_happens_before_the_next_call() {
    // LE-349: as the news that the other side has closed a connection, which an agent would use again otherwise
    let f = js("let due = false;
        exports.handler = async () => { const before = due; setTimeout(() => due = true, 10); return before }");
    assert_eq!(f.ok(Value::Null).await, false);
    // The isolate's clock is the machine's.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(f.ok(Value::Null).await, true);
}

#[tokio::test]
async fn console_writes_one_record_per_call_as_node_prints_it() {
    // LE-351, NC-24, NC-35
    let f = js("exports.handler = async () => {
        console.log('a', 1, { b: [1, 'x'], m: new Map([[1, 2]]) });
        console.info('%s is %d', 'x', 4, 'more');
        console.debug('two\\nlines');
        console.warn(new Set([1]));
        console.error(Buffer.from('ab'));
        console.trace('here');
        process.stdout.write('out\\n');
        console.table([{ a: 1 }]);
        console.group('g'); console.log('in'); console.groupEnd();
        console.assert(false, 'bad');
        return 1 }");
    f.raw(Value::Null, "the-id").await.unwrap();
    let logs = f.logs();
    let texts: Vec<&str> = logs.iter().map(|(_, t)| t.as_str()).collect();
    assert_eq!(texts[0], "a 1 { b: [ 1, 'x' ], m: Map(1) { 1 => 2 } }");
    assert_eq!(texts[1], "x is 4 more");
    assert_eq!(texts[2], "two\nlines");
    assert_eq!(texts[3], "Set(1) { 1 }");
    assert_eq!(texts[4], "<Buffer 61 62>");
    assert!(texts[5].starts_with("Trace: here\n    at "), "{}", texts[5]);
    assert_eq!(texts[6], "out");
    assert!(texts[7].contains("(index)"), "{}", texts[7]);
    assert_eq!(texts[8..11], ["g", "  in", "Assertion failed: bad"]);
    let levels: Vec<LogLevel> = logs.iter().take(6).map(|(l, _)| *l).collect();
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    assert_eq!(levels, [Info, Info, Debug, Warn, Error, Trace]);
    assert!(f.log_ids().iter().all(|id| id == "the-id"));
}

#[tokio::test]
async fn a_flood_of_logs_is_cut_and_counted_and_fails_nothing() {
    // LE-352
    let f = js(
        "exports.handler = async () => { for (let i = 0; i < 20000; i++) console.log('x'.repeat(100)); return 1 }",
    );
    assert_eq!(f.ok(Value::Null).await, 1);
    let logs = f.logs();
    assert!(logs.len() < 3000, "{}", logs.len());
    assert!(
        logs.last()
            .unwrap()
            .1
            .ends_with("log records beyond the limit were dropped")
    );
}

#[tokio::test]
async fn a_result_survives_a_polluted_prototype() {
    // LE-309
    let f = js("exports.handler = async () => {
        JSON.stringify = () => 'x'; Promise.prototype.then = () => 1; Array.prototype.toJSON = undefined;
        Object.prototype.polluted = 1; Function.prototype.call = null;
        return { a: [1] } }");
    assert_eq!(f.ok(Value::Null).await, json!({ "a": [1] }));
}

#[tokio::test]
async fn remaining_time_goes_below_zero_and_timers_keep_order() {
    // LE-332, NC-34
    let order = value(
        "(await (async () => { const o = [];
          const done = Promise.all([
            new Promise((r) => setTimeout(() => r(o.push('timeout')), 0)),
            new Promise((r) => setImmediate(() => r(o.push('immediate'))))]);
          process.nextTick(() => o.push('tick')); Promise.resolve().then(() => o.push('promise'));
          o.push('sync'); await done; return o })())",
    )
    .await;
    let order: Vec<&str> = order
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    assert_eq!(order[0], "sync");
    // The handler itself runs inside a promise job, as in Lambda: its own jobs come before its ticks.
    assert_eq!(order[1..3], ["promise", "tick"]);
    assert_eq!(order.len(), 5, "{order:?}");
    let mut f = js("exports.handler = async (e, c) => c.getRemainingTimeInMillis()");
    f.timeout = Duration::from_millis(700);
    assert!(f.ok(Value::Null).await.as_f64().unwrap() <= 700.0);
}

#[tokio::test]
async fn exceptions_that_nobody_catches_keep_their_name() {
    // LE-317
    for code in [
        "process.nextTick(() => { throw new TypeError('x') })",
        "setTimeout(() => { throw new TypeError('x') })",
        "setImmediate(() => { throw new TypeError('x') })",
        "queueMicrotask(() => { throw new TypeError('x') })",
        "require('dns').lookup('localhost', () => { throw new TypeError('x') })",
        "require('fs').readFile('x', () => { throw new TypeError('x') })",
        "require('zlib').gzip('x', () => { throw new TypeError('x') })",
        "require('crypto').randomBytes(2, () => { throw new TypeError('x') })",
        "new (require('stream').Readable)({ read() { this.destroy(new TypeError('x')) } }).resume()",
        "process.on('uncaughtException', (e) => console.log('told of ' + e.message)); setTimeout(() => { throw new TypeError('x') })",
    ] {
        let f = js(&format!(
            "exports.handler = async () => {{ {code}; await new Promise(() => {{}}) }}"
        ));
        assert_eq!(f.thrown().await, ("TypeError".into(), "x".into()), "{code}");
        let told = f.logs().iter().any(|(_, text)| text == "told of x");
        assert_eq!(told, code.contains("told"), "{code}");
    }
}

#[tokio::test]
async fn ticks_queued_by_what_the_loop_brings_are_run() {
    // NC-34, LE-315
    for code in [
        "crypto.subtle.digest('SHA-1', new Uint8Array(1)).then(() => process.nextTick(done))",
        "setTimeout(() => Promise.resolve().then(() => process.nextTick(done)))",
        "(async () => { await crypto.subtle.digest('SHA-1', new Uint8Array(1)); process.nextTick(done) })()",
        "require('dns').lookup('localhost', () => process.nextTick(() => process.nextTick(done)))",
    ] {
        let f = js(&format!(
            "exports.handler = async () => {{ await new Promise((done) => {code}); return 1 }}"
        ));
        assert_eq!(f.ok(Value::Null).await, 1, "{code}");
    }
}
