//! Calls on the thread that asks for them: what is tried there, and what is run again elsewhere.

use std::{
    io::{Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fourfront_hooks::{
    Call, ExecutionFault, HookFault, HookPool, PoolSettings, Prepared, bundle::Bundle,
};
use fourfront_model::{Compat, EventType};

use super::harness::{LOGS, function, settings, unique};

/// Many calls of a quick handler, so that a version is tried inline.
const ENOUGH: usize = 450;

/// A pool and a function, used from a thread that may run calls itself.
struct Inlined {
    pool: HookPool,
    prepared: Arc<Prepared>,
    name: String,
}

impl Inlined {
    async fn call(&self, event: &str) -> Result<String, HookFault> {
        let call = Call {
            event: event.as_bytes().to_vec(),
            event_type: EventType::ViewerRequest,
            timeout: Duration::from_secs(1),
            request_id: "id".into(),
            viewer_request_id: String::new(),
        };
        let result = self.pool.invoke(&self.prepared, call).await?;
        Ok(String::from_utf8(result).expect("results are JSON"))
    }

    /// Calls until one has run inline.
    async fn settle(&self) {
        let before = self.prepared.stats().inline;
        // A machine that stalls may make a call slow: ask again.
        for _ in 0..200 * ENOUGH {
            assert_eq!(self.call("0").await.expect("a quick call"), "\"quick\"");
            if self.prepared.stats().inline > before {
                return;
            }
        }
        panic!("no call ran inline");
    }
}

/// Runs a test on such a thread. `code` is called with the event, which is a number; 0 must be answered "quick".
fn inlined<F: Future<Output = ()>>(
    code: &str,
    test: impl FnOnce(Arc<Inlined>) -> F + Send + 'static,
) {
    inlined_files(&[("index.js", code)], test);
}

/// The same with these files, which may take long to load: without optimizations, on a machine with other things to do, the
/// smallest may.
fn inlined_files<F: Future<Output = ()>>(
    files: &[(&str, &str)],
    test: impl FnOnce(Arc<Inlined>) -> F + Send + 'static,
) {
    let mut settings = settings();
    settings.quick_load = Duration::from_secs(5);
    inlined_in(settings, files, test);
}

/// The same with these settings.
fn inlined_in<F: Future<Output = ()>>(
    mut settings: PoolSettings,
    files: &[(&str, &str)],
    test: impl FnOnce(Arc<Inlined>) -> F + Send + 'static,
) {
    settings.host.egress.allow_local = true;
    let pool = HookPool::new(settings);
    let name = unique("inline");
    let bundle = Bundle::from_files(files.iter().copied());
    let prepared = pool
        .prepare_bundle(&function(&name), Compat::Strict, bundle)
        .expect("it loads");
    let inlined = Arc::new(Inlined {
        pool: pool.clone(),
        prepared,
        name,
    });
    let thread = pool
        .spawn(
            "viewer".into(),
            |_| {},
            move |inline| {
                let inline = inline.expect("the engine runs");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    tokio::select! {
                        () = test(inlined) => {}
                        () = inline.tend() => {}
                    }
                    drop(inline);
                });
            },
        )
        .expect("a thread");
    thread.join().expect("the test passes");
}

#[test]
fn quick_calls_move_to_the_thread_that_asks_and_keep_their_state() {
    // LE-347
    inlined(
        "let n = 0; exports.handler = async (e) => { n++; return e ? n : 'quick' }",
        |f| async move {
            f.settle().await;
            let first: u32 = f.call("1").await.unwrap().parse().unwrap();
            let second: u32 = f.call("1").await.unwrap().parse().unwrap();
            assert_eq!(second, first + 1);
            let stats = f.prepared.stats();
            assert!(stats.inline >= 3, "{stats:?}");
            assert_eq!(stats.faults, 0);
        },
    );
}

#[test]
fn a_call_that_loops_ends_elsewhere_and_does_not_hold_its_thread() {
    // LE-250
    inlined(
        "exports.handler = async (e) => { if (e) for (;;); return 'quick' }",
        |f| async move {
            f.settle().await;
            let inline = f.prepared.stats().inline;
            let looping = f.call("1");
            tokio::pin!(looping);
            // The call is over after a second; the thread must be free long before.
            tokio::select! {
                biased;
                early = &mut looping => panic!("the thread was held: {early:?}"),
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
            let ended = looping.await;
            assert!(
                matches!(
                    ended,
                    Err(HookFault::Execution(ExecutionFault::Timeout { .. }))
                ),
                "{ended:?}"
            );
            assert_eq!(f.prepared.stats().inline, inline);
            f.call("0").await.unwrap();
            assert_eq!(
                f.prepared.stats().inline,
                inline,
                "it has to earn its way back"
            );
        },
    );
}

#[test]
fn a_call_that_waits_is_run_again_where_it_may_and_logs_once() {
    // LE-352
    inlined(
        "exports.handler = async (e) => { if (e) { console.log('waits'); await new Promise((r) => setTimeout(r, 5)); return 'waited' } return 'quick' }",
        |f| async move {
            f.settle().await;
            assert_eq!(f.call("1").await.unwrap(), "\"waited\"");
            let logged = LOGS.of(&f.name);
            assert_eq!(
                logged.iter().filter(|(_, m)| m.contains("waits")).count(),
                1,
                "{logged:?}"
            );
        },
    );
}

#[test]
fn a_call_that_reaches_the_network_reaches_it_once() {
    // LE-346: a trial may be forgotten, so nothing of it may have been sent.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    std::thread::spawn(move || {
        for viewer in listener.incoming() {
            let mut viewer = viewer.unwrap();
            let mut head = [0; 4096];
            if viewer.read(&mut head).unwrap_or(0) > 0 {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = viewer.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
                );
            }
        }
    });
    let code = format!(
        "exports.handler = async (e) => {{
            if (!e) return 'quick';
            // Not even an answer to what a trial is refused must be seen.
            try {{ return await (await fetch('http://127.0.0.1:{port}/')).text() }} catch (e) {{ return 'refused' }}
        }}"
    );
    inlined(&code, move |f| async move {
        f.settle().await;
        assert_eq!(f.call("1").await.unwrap(), "\"hi\"");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_exception_inline_is_the_callers_and_leaves_the_isolate_be() {
    // LE-271, LE-350
    inlined(
        "let n = 0; exports.handler = async (e) => { n++; if (e === 1) throw new TypeError('mine'); return e ? n : 'quick' }",
        |f| async move {
            // A call that the system interrupts moves away from the thread, and the count begins again there.
            for attempt in 1.. {
                f.settle().await;
                let before: u32 = f.call("2").await.unwrap().parse().unwrap();
                let thrown = f.call("1").await;
                assert!(
                    matches!(&thrown, Err(HookFault::Execution(ExecutionFault::Thrown { error_type, .. })) if error_type == "TypeError"),
                    "{thrown:?}"
                );
                let after: u32 = f.call("2").await.unwrap().parse().unwrap();
                if after == before + 2 {
                    break;
                }
                assert!(attempt < 5, "{before} and then {after}, each time");
            }
        },
    );
}

#[test]
fn a_built_in_that_is_loaded_late_is_loaded_on_the_pool() {
    // NC-98: the engine panics when a call is ended while it loads one, and a getter of the function's may be run then.
    inlined(
        "exports.handler = async (e) => {
            if (!e) return 'quick';
            Object.defineProperty(Object.prototype, 'highWaterMark', { get() { for (;;); }, set() {}, configurable: true });
            Object.defineProperty(Object.prototype, 'prototype', { get() { for (;;); }, set() {}, configurable: true });
            try { require('stream') } catch { require('http') }
            return 'loaded'
        }",
        |f| async move {
            f.settle().await;
            let inline = f.prepared.stats().inline;
            let loading = f.call("1");
            tokio::pin!(loading);
            tokio::select! {
                biased;
                // Or at once, if no built-in looks at those.
                _ = &mut loading => return,
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
            let _ = loading.await;
            for _ in 0..800 {
                f.call("0").await.unwrap();
            }
            assert_eq!(f.prepared.stats().inline, inline);
        },
    );
}

/// A handler that is quick when its event is 0, and does something else once otherwise.
fn once(act: &str) -> String {
    format!("exports.handler = async (e) => {{ if (e) {{ {act} }} return 'quick' }}")
}

/// Calls the function once so that its trial is given up for good, and sees that it never comes back.
async fn leaves_for_good(f: &Inlined, answer: &str) {
    assert!(left_for_good(f, answer).await, "it stays on the pool");
}

async fn left_for_good(f: &Inlined, answer: &str) -> bool {
    f.settle().await;
    assert_eq!(f.call("1").await.expect("it answers"), answer);
    let inline = f.prepared.stats().inline;
    // Twice as many as a version needs that has one strike.
    for _ in 0..800 {
        f.call("0").await.expect("it answers");
    }
    f.prepared.stats().inline == inline
}

#[test]
fn an_operation_that_is_not_known_to_be_harmless_is_left_to_the_pool_for_good_and_logs_once() {
    // NC-98, LE-352: the formatter of objects is thousands of lines that may panic; what was logged before it is held back.
    inlined(
        &once("console.log('before'); console.log({ a: 1 }); return 'logged'"),
        |f| async move {
            leaves_for_good(&f, "\"logged\"").await;
            let logged = LOGS.of(&f.name);
            for line in ["before", "{ a: 1 }"] {
                let times = logged.iter().filter(|(_, m)| m.contains(line)).count();
                assert_eq!(times, 1, "{logged:?}");
            }
        },
    );
}

#[test]
fn what_a_call_does_with_its_being_given_up_changes_nothing() {
    // NC-98: neither `catch` nor `finally` nor a context with a time limit of its own goes on with it.
    for act in [
        "try { structuredClone({}) } catch { console.log('caught') } finally { console.log('finally') } return 'copied'",
        "try { require('vm').runInNewContext('f()', { f: () => structuredClone({}) }, { timeout: 1000 }) } catch { console.log('caught') } return 'copied'",
        "await Promise.resolve().then(() => structuredClone({})).catch(() => console.log('caught')); return 'copied'",
    ] {
        inlined(&once(act), |f| async move {
            f.settle().await;
            assert_eq!(f.call("1").await.unwrap(), "\"copied\"");
            let logged = LOGS.of(&f.name);
            let caught = logged.iter().filter(|(_, m)| m.contains("caught"));
            assert_eq!(caught.count(), 0, "{logged:?}");
        });
    }
}

#[test]
fn what_cannot_be_interrupted_is_left_to_the_pool() {
    // NC-98
    for (act, answer) in [
        // V8's own loop over elements.
        ("return new Array(2 ** 17).fill(1).indexOf(2)", "-1"),
        // Its search, whose time is the product of two lengths.
        (
            "return 'a'.repeat(2 ** 16).indexOf('a'.repeat(2 ** 10) + 'b' + 'a'.repeat(2 ** 10))",
            "-1",
        ),
        // Its making of as many values as a text has.
        ("return JSON.parse(' '.repeat(2 ** 21) + '1')", "1"),
    ] {
        inlined(&once(act), move |f| async move {
            // On a busy machine the trial's time may be over before it comes to the call in question, which is a
            // strike and no more.
            for _ in 0..20 {
                if left_for_good(&f, answer).await {
                    return;
                }
            }
            panic!("it came back each time");
        });
    }
}

#[test]
fn usual_handlers_stay_on_the_thread_that_asks() {
    // NC-98: the list is of use only if what small handlers do is on it.
    for act in [
        "console.log('text'); return 1",
        "return require('crypto').createHash('sha256').update('a').digest('hex').length",
        "return require('crypto').createHmac('sha256', 'k').update('a').digest('base64url').length",
        "return crypto.randomUUID().length + require('crypto').randomBytes(8).length",
        "return new URL('http://a.b/c?d=e').searchParams.get('d') + new URLSearchParams('a=b').toString()",
        "return require('querystring').stringify(require('querystring').parse('a=b&c=%41')) + require('url').parse('http://a/b?c').path",
        "return Buffer.from('aGk=', 'base64').toString('utf8') + btoa('a') + atob('aGk=') + new TextDecoder().decode(new TextEncoder().encode('a'))",
        "setTimeout(() => {}, 1000).unref(); return [performance.now(), process.hrtime(), Date.now()].length",
        "return [3, 1, 2].sort().map((x) => x + 1).filter(Boolean).concat([[1]]).flat().join() + 'a,b'.split(',').includes('a') + 'a-b'.replace('-', '').replace(/b/g, 'c')",
        "return JSON.stringify(JSON.parse('{\"a\":[1]}')) + new Intl.DateTimeFormat('en').format(0)",
        "return require('fs').readFileSync('/var/task/index.js', 'utf8').length",
        "return require('util').types.isDate(new Date()) + require('path').join('a', 'b') + process.env.AWS_REGION",
    ] {
        let code = format!(
            "exports.handler = async (e) => {{ const made = (() => {{ {act} }})(); return e ? made : 'quick' }}"
        );
        inlined(&code, |f| async move {
            // A machine that stalls may give a trial up: ask again.
            for attempt in 1.. {
                f.settle().await;
                let before = f.prepared.stats().inline;
                f.call("1").await.unwrap();
                f.call("1").await.unwrap();
                if f.prepared.stats().inline == before + 2 {
                    return;
                }
                assert!(attempt < 4, "it has left");
            }
        });
    }
}

/// A module whose top level does something, and whose handler is quick unless the event is 2.
fn module(act: &str) -> String {
    format!(
        "{act}
        export const handler = async (e) => {{
            // A slow call, and no long one.
            if (e === 2) for (const end = Date.now() + 2; Date.now() <= end;);
            return e || 'quick';
        }};"
    )
}

#[test]
fn handlers_that_are_es_modules_run_on_the_thread_that_asks() {
    // NC-53, LE-305: their files are in memory, `import()` of one at the top level included.
    let counts = "let n = 0; export const handler = async (e) => { n++; return e ? n : 'quick' };";
    let imports = format!(
        "import {{ stringify }} from 'node:querystring'; import {{ one }} from './lib/one.mjs'; import old from './old.cjs'; import data from './data.json' with {{ type: 'json' }};
         const {{ two }} = await import('./lib/two.mjs');
         if (one + two + old.three + data.four !== 10 || stringify({{ a: 1 }}) !== 'a=1') throw new Error('not what they export');
         {counts}"
    );
    let others = [
        (
            "lib/one.mjs",
            "export const one = 1; console.log('loaded');",
        ),
        (
            "lib/two.mjs",
            "import './one.mjs'; export const two = await 2;",
        ),
        ("old.cjs", "exports.three = 3;"),
        ("data.json", "{\"four\":4}"),
    ];
    let with_others = |main| [&[("index.mjs", main)][..], &others[..]].concat();
    for files in [
        vec![("index.mjs", counts)],
        vec![
            ("index.js", counts),
            ("package.json", "{\"type\":\"module\"}"),
        ],
        // Claimed by nothing but its syntax.
        vec![("index.js", counts)],
        with_others(&imports),
    ] {
        let logs = files.len() > 2;
        inlined_files(&files, move |f| async move {
            for attempt in 1.. {
                f.settle().await;
                let before: u32 = f.call("1").await.unwrap().parse().unwrap();
                let inline = f.prepared.stats().inline;
                let after: u32 = f.call("1").await.unwrap().parse().unwrap();
                // As above: a call that the system interrupts moves away.
                if after == before + 1 && f.prepared.stats().inline == inline + 1 {
                    break;
                }
                assert!(attempt < 5, "{before} and then {after}, each time");
            }
            assert_eq!(f.prepared.stats().faults, 0);
            if logs {
                // What a load says is said when it is accepted: by the isolate of the pool, and by each of this thread's.
                let said = LOGS.of(&f.name).len();
                assert!(said >= 2, "{said}");
            }
        });
    }
}

#[test]
fn a_module_that_waits_while_it_is_loaded_is_left_to_the_pool_for_good() {
    // NC-53, LE-345: a trial lets nothing but the graph of modules be loaded.
    for act in [
        "await new Promise((done) => setTimeout(done, 100));",
        "import { setTimeout as after } from 'node:timers/promises'; await after(100);",
        "await fetch('http://127.0.0.1:9/').catch(() => {});",
    ] {
        inlined_files(
            &[(
                "index.mjs",
                &module(&format!("console.log('loaded'); {act}")),
            )],
            |f| async move {
                for _ in 0..5 * ENOUGH {
                    assert_eq!(f.call("0").await.unwrap(), "\"quick\"");
                }
                let stats = f.prepared.stats();
                assert_eq!((stats.inline, stats.faults), (0, 0));
                // The trial that was given up has said nothing. The first load is no cold start of a call.
                let loads = usize::try_from(stats.cold_starts).unwrap() + 1;
                assert_eq!(LOGS.of(&f.name).len(), loads);
            },
        );
    }
}

#[test]
fn a_module_that_does_not_end_while_it_is_loaded_holds_its_thread_no_longer_than_a_load_may() {
    // NC-98, LE-250: from some moment on it does not end, wherever in the graph it is that it loops. The pool has loaded it before.
    std::thread::scope(|threads| {
        for place in 0..5 {
            threads.spawn(move || {
                // A version whose load took long, as on a busy machine, is not tried on such a thread.
                let tried = (0..6).any(|_| loops_in(place));
                assert!(tried, "{place}: never");
            });
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the function's own clock is compared with it, which nobody can set"
)]
/// Whether it was tried on a thread that is not the pool's.
fn loops_in(place: usize) -> bool {
    let when = SystemTime::now() + Duration::from_secs(5);
    let millis = when
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970")
        .as_millis();
    let loops = format!("if (Date.now() > {millis}) for (;;);");
    let act = match place {
        0 => loops.clone(),
        1 => "import './c.mjs';".into(),
        2 => format!(
            "await Promise.all([import('./a.mjs').then(() => {{ {loops} }}), import('./b.mjs')]);"
        ),
        3 => format!("await import('./none.mjs').catch(() => {{ {loops} }});"),
        _ => format!(
            "await import('./b.mjs'); Promise.resolve().then(() => {{ {loops} }}); await 0;"
        ),
    };
    let (main, loops) = (module(&act), format!("import './a.mjs'; {loops}"));
    let files = [
        ("index.mjs", main.as_str()),
        ("a.mjs", "export {}"),
        ("b.mjs", "await 0;"),
        ("c.mjs", &loops),
    ];
    let tried = Arc::new(AtomicBool::new(false));
    let told = tried.clone();
    inlined_in(settings(), &files, move |f| async move {
        // Until the version has moved to the threads that versions share, where it is loaded once more; slow calls among them,
        // so that it is not tried here yet.
        while f.prepared.stats().cold_starts == 0 {
            for _ in 0..10 {
                f.call("0").await.expect("a call on the pool");
            }
            f.call("2").await.expect("a call on the pool");
        }
        assert!(SystemTime::now() < when, "a machine as slow as that");
        let left = when.duration_since(SystemTime::now());
        tokio::time::sleep(left.unwrap_or_default() + Duration::from_millis(5)).await;
        let mut longest = Duration::ZERO;
        for _ in 0..2 * ENOUGH {
            let asked = Instant::now();
            assert_eq!(
                f.call("0").await.expect("a call on the pool"),
                "\"quick\"",
                "{place}"
            );
            longest = longest.max(asked.elapsed());
        }
        let stats = f.prepared.stats();
        assert_eq!((stats.inline, stats.faults), (0, 0), "{place}");
        // 50 ms are what a load may take.
        told.store(longest >= Duration::from_millis(40), Ordering::Relaxed);
        assert!(longest < Duration::from_secs(1), "{place}: {longest:?}");
    });
    tried.load(Ordering::Relaxed)
}
