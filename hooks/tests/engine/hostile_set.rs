//! The hostile set: functions that mean harm, one row each, and what stops them (NC-98, LE-264, LE-271).
//!
//! Every row runs in a pool of its own beside a neighbour that is called all the while. It must end as the row says,
//! the neighbour must be answered each time, its isolates must be gone once its version is, and what the process has in
//! memory must not grow from row to row. That the process lives is seen by the row after it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fourfront_hooks::{Call, ExecutionFault, HookFault, HookPool, Prepared, bundle::Bundle};
use fourfront_model::{Compat, EventType};

use super::harness::{function, settings, unique};

/// Name, body of the handler, and how what it comes to begins.
pub(crate) type Row = (&'static str, &'static str, &'static str);

/// Time of a row that is to run out of it.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
/// Time of a row that something else stops, on a machine with other things to do.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// What a neighbour may wait. Generous: what is tested is that it waits for none of the functions beside it, which hold
/// their threads for as long as they are let.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn prepare(pool: &HookPool, code: &str) -> Arc<Prepared> {
    let files = [
        ("index.js", code),
        (
            "again.js",
            "delete require.cache[__filename]; module.exports = require('./again.js')",
        ),
        ("cycle.js", "exports.other = require('./cycle2.js')"),
        ("cycle2.js", "exports.other = require('./cycle.js')"),
    ];
    pool.prepare_bundle(
        &function(&unique("h")),
        Compat::Strict,
        Bundle::from_files(files),
    )
    .expect("the function loads")
}

pub(crate) async fn call(pool: &HookPool, version: &Arc<Prepared>, timeout: Duration) -> String {
    let call = Call {
        event: b"{}".to_vec(),
        event_type: EventType::ViewerRequest,
        timeout,
        request_id: "id".into(),
        viewer_request_id: String::new(),
    };
    match pool.invoke(version, call).await {
        Ok(json) => format!("answered {}", String::from_utf8_lossy(&json)),
        Err(HookFault::Execution(ExecutionFault::Thrown {
            error_type,
            message,
            ..
        })) => format!("{error_type}: {message}"),
        Err(fault) => fault.to_string(),
    }
}

/// What the process has in memory, in MiB; nothing where the system does not tell.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok())
        .map_or(0, |kib: usize| kib / 1024)
}

/// Runs the rows one after the other.
pub(crate) async fn all(rows: &[Row], timeout: Duration) {
    let pool = HookPool::new(settings());
    let neighbour = prepare(&pool, "exports.handler = async () => 'well'");
    assert_eq!(call(&pool, &neighbour, LONG).await, "answered \"well\"");
    let mut before = 0;
    let mut wrong = Vec::new();
    for (n, (name, code, expected)) in rows.iter().enumerate() {
        let isolates = pool.stats().isolates;
        let version = prepare(
            &pool,
            &format!("const kept = []; exports.handler = async (event, context) => {{ {code} }}"),
        );
        let over = AtomicBool::new(false);
        let attack = async {
            let outcome = call(&pool, &version, timeout).await;
            over.store(true, Ordering::Release);
            outcome
        };
        let watch = async {
            let mut slowest = Duration::ZERO;
            let mut calls = 0;
            while calls < 5 || !over.load(Ordering::Acquire) {
                let asked = Instant::now();
                assert_eq!(
                    call(&pool, &neighbour, LONG).await,
                    "answered \"well\"",
                    "beside {name}"
                );
                slowest = slowest.max(asked.elapsed());
                calls += 1;
                tokio::task::yield_now().await;
            }
            slowest
        };
        let (outcome, slowest) = tokio::join!(attack, watch);
        let shown: String = outcome.chars().take(110).collect();
        println!("{name:<34} | {shown}");
        if !outcome.starts_with(expected) {
            wrong.push(format!("{name}: {outcome}\n  expected: {expected}"));
        }
        assert!(
            slowest < PATIENCE,
            "{name}: the neighbour waited {slowest:?}"
        );
        // Its threads notice at their next look that the version is gone.
        drop(version);
        let noticed = Instant::now();
        // The neighbour gets others itself when one of its calls is moved away from a thread that is held.
        while pool.stats().isolates > isolates + 4 {
            assert!(noticed.elapsed() < LONG, "{name}: its isolates stay");
            call(&pool, &neighbour, LONG).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The first rows fill the allocator's and the engine's own stores.
        if n == rows.len() / 3 {
            before = resident();
        }
    }
    let after = resident();
    println!("resident memory: {before} MiB after a third of the rows, {after} MiB after all");
    assert!(after < before + 256, "{before} MiB, then {after} MiB");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn functions_that_take_time_run_out_of_it() {
    // LE-250, LE-271, NC-98
    let rows: &[Row] = &[
        (
            "regex, unicode property",
            r"/(\p{L}+)*$/u.test('a'.repeat(60) + '!')",
            "timed out",
        ),
        (
            "regex, back references",
            r"/^(.*)\1*(.*)\2*(.*)\3*x$/.test('a'.repeat(4000))",
            "timed out",
        ),
        (
            "nextTick flood",
            "const f = () => { process.nextTick(f) }; f(); await new Promise(() => {})",
            "timed out",
        ),
        (
            "setImmediate flood",
            "const f = () => { setImmediate(f) }; f(); await new Promise(() => {})",
            "timed out",
        ),
        (
            "thenable that resolves with itself",
            "const t = { then(r) { r(t) } }; return t",
            "timed out",
        ),
        (
            "getter on then",
            "return { get then() { for (;;); } }",
            "timed out",
        ),
        (
            "proxy trap in the result",
            "return new Proxy({}, { ownKeys() { for (;;); } })",
            "timed out",
        ),
        (
            "toPrimitive without end",
            "for (;;) +{ [Symbol.toPrimitive]: () => '1' }",
            "timed out",
        ),
        (
            "toJSON of the error",
            "throw { get stack() { for (;;); } }",
            "timed out",
        ),
        (
            "async generator without end",
            "for await (const x of (async function* () { for (;;) yield 1 })());",
            "timed out",
        ),
        (
            "stream without end",
            "const { Readable } = require('stream'); for await (const x of new Readable({ read() { this.push('x') } }));",
            "timed out",
        ),
        (
            "set union without end",
            "new Set().union({ size: 1, has() {}, keys: () => ({ next: () => ({ done: false, value: 1 }) }) })",
            "timed out",
        ),
        (
            "map that grows as it is read",
            "const m = new Map([[0, 0]]); for (const [k] of m) { m.set(k + 1, 1); m.delete(k) }",
            "timed out",
        ),
        (
            "Atomics.wait",
            "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)",
            "timed out",
        ),
        (
            "loop in WebAssembly",
            "const m = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11])); new WebAssembly.Instance(m).exports.f()",
            "timed out",
        ),
        ("BigInt power", "7n ** (2n ** 26n)", "timed out"),
        (
            "localeCompare",
            "for (;;) 'a'.repeat(1 << 18).localeCompare('a'.repeat(1 << 18) + 'b', 'de')",
            "timed out",
        ),
        (
            "log flood",
            "for (;;) console.log('x'.repeat(1 << 12))",
            "timed out",
        ),
        (
            "finalizers that loop",
            "const f = new FinalizationRegistry(() => { for (;;); }); for (;;) { f.register({}, 1); await new Promise(setImmediate) }",
            "timed out",
        ),
        ("weak references", "for (;;) new WeakRef({})", "timed out"),
        (
            "stacks without limit",
            "Error.stackTraceLimit = Infinity; const f = (n) => n ? f(n - 1) : new Error('x'); for (;;) f(500).stack",
            "timed out",
        ),
        (
            "serializing for ever",
            "const v = require('v8'), a = Array(1e5).fill(1); for (;;) v.deserialize(v.serialize(a))",
            "timed out",
        ),
        (
            "decoding for ever",
            "const b = new Uint8Array(1 << 20); for (;;) new TextDecoder('gb18030').decode(b)",
            "timed out",
        ),
        (
            "hashing for ever",
            "const c = require('crypto'), b = Buffer.alloc(1 << 20); for (;;) c.createHash('sha512').update(b).digest()",
            "timed out",
        ),
        (
            "key derivations one by one",
            "for (;;) require('crypto').pbkdf2Sync('a', 'b', 10000, 64, 'sha512')",
            "timed out",
        ),
        (
            "structuredClone for ever",
            "const a = Array(1e5).fill({}); for (;;) structuredClone(a)",
            "timed out",
        ),
        (
            "loop in a context of its own",
            "require('vm').runInNewContext('for (;;);')",
            "timed out",
        ),
        (
            "loop under vm's own timeout",
            "for (;;) try { require('vm').runInNewContext('for (;;);', {}, { timeout: 5 }) } catch {}",
            "timed out",
        ),
        (
            "compressing for ever",
            "const z = require('zlib'), b = Buffer.alloc(1 << 20); for (;;) z.brotliCompressSync(b, { params: { 1: 5 } })",
            "timed out",
        ),
        (
            "reading a file for ever",
            "for (;;) require('fs').readFileSync('/var/task/index.js')",
            "timed out",
        ),
        (
            "Intl for ever",
            "for (;;) new Intl.DateTimeFormat('en').formatToParts(0)",
            "timed out",
        ),
        (
            "event that emits itself",
            "const e = new (require('events'))(); e.on('x', () => setImmediate(() => e.emit('x'))); e.emit('x'); await new Promise(() => {})",
            "timed out",
        ),
        (
            "generator that is spread",
            "[...(function* () { for (;;) yield 1; })()].length; for (;;);",
            "out of memory",
        ),
        (
            "finally that never ends",
            "try { for (;;); } finally { for (;;); }",
            "timed out",
        ),
        (
            "dns that is never answered",
            "await new Promise(() => { setInterval(() => {}, 1000) })",
            "timed out",
        ),
    ];
    let (growing, looping): (Vec<Row>, Vec<Row>) = rows
        .iter()
        .partition(|(_, _, ends)| *ends == "out of memory");
    all(&looping, SHORT).await;
    all(&growing, LONG).await;
}

#[tokio::test]
async fn functions_that_take_memory_run_out_of_it() {
    // LE-264, LE-271, NC-98
    let rows: &[Row] = &[
        (
            "tables of WebAssembly",
            "for (;;) kept.push(new WebAssembly.Table({ initial: 10000000, element: 'anyfunc' }))",
            "out of memory",
        ),
        (
            "Promise.all without end",
            "await Promise.all({ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }) }) })",
            "out of memory",
        ),
        (
            "groupBy without end",
            "Object.groupBy({ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }, () => 1)",
            "out of memory",
        ),
        (
            "body without end",
            "await new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16)) } })).arrayBuffer()",
            "out of memory",
        ),
        (
            "string of strings",
            "let s = ''; for (;;) { s = s + 'ab' + s.length; kept.push(s) }",
            "out of memory",
        ),
        (
            "promises that wait for each other",
            "const f = async () => { await null; await f() }; await f()",
            "out of memory",
        ),
        (
            "prototypes of prototypes",
            "let a = {}; for (;;) a = Object.create(a, { x: { value: a } })",
            "out of memory",
        ),
        (
            "a channel nobody reads",
            "const a = new BroadcastChannel('x'), b = new BroadcastChannel('x'); for (;;) a.postMessage('x'.repeat(1 << 20))",
            "out of memory",
        ),
        (
            "requests nobody waits for",
            "for (;;) kept.push(fetch('http://192.0.2.1:81/').catch(() => {}))",
            "out of memory",
        ),
        (
            "contexts by the thousand",
            "const vm = require('vm'); for (;;) kept.push(vm.createContext({}))",
            "out of memory",
        ),
        (
            "clones that are kept",
            "const a = Array(1e5).fill({}); for (;;) kept.push(structuredClone(a))",
            "out of memory",
        ),
        (
            "concat that doubles",
            "let b = Buffer.alloc(1 << 20); for (;;) b = Buffer.concat([b, b])",
            "out of memory",
        ),
        (
            "alloc in one piece",
            "Buffer.alloc(2 ** 31)",
            "out of memory",
        ),
        (
            "gzip bomb",
            "const z = require('zlib'), s = z.gzipSync(Buffer.alloc(50 << 20)); for (;;) kept.push(z.gunzipSync(s))",
            "out of memory",
        ),
        (
            "brotli bomb",
            "const z = require('zlib'), s = z.brotliCompressSync(Buffer.alloc(16 << 20), { params: { 1: 1 } }); for (;;) kept.push(z.brotliDecompressSync(s))",
            "out of memory",
        ),
        (
            "zstd bomb",
            "const z = require('zlib'), s = z.zstdCompressSync(Buffer.alloc(16 << 20)); for (;;) kept.push(z.zstdDecompressSync(s))",
            "out of memory",
        ),
        (
            "window of zstd",
            "require('zlib').zstdCompressSync('x', { params: { 100: 22 } })",
            "out of memory",
        ),
        (
            "forms",
            "for (;;) { const f = new FormData(); f.append('x', 'v'.repeat(1 << 20) + kept.length); kept.push(f) }",
            "out of memory",
        ),
        (
            "iterator into an array",
            "Array.from({ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) })",
            "out of memory",
        ),
        (
            "typed array of a length",
            "new Uint8Array({ length: 2 ** 32 })",
            "out of memory",
        ),
        (
            "buffer that grows",
            "const b = new ArrayBuffer(0, { maxByteLength: 2 ** 32 }); for (let n = 1;; n *= 2) { b.resize(n); new Uint8Array(b).fill(1) }",
            "out of memory",
        ),
        (
            "eval of ever more",
            "let s = '1'; for (;;) { s = `[${s},${s}]`; kept.push(eval(s)) }",
            "out of memory",
        ),
    ];
    all(rows, LONG).await;
}

#[tokio::test]
async fn what_nobody_could_interrupt_is_refused() {
    // NC-98
    let rows: &[Row] = &[
        (
            "sorting 2^53 elements",
            "Array.prototype.sort.call({ length: 2 ** 53 - 1 })",
            "RangeError: fourfront: Array.prototype.sort of more than 16777216 elements",
        ),
        (
            "a length that lies",
            "let n = 0; Array.prototype.toSorted.call({ get length() { return n++ ? 2 ** 32 - 1 : 1 } }); return n",
            "answered 1",
        ),
        (
            "sorting in another context",
            "require('vm').runInNewContext('[].toSorted.call({ length: 2 ** 32 - 1 })')",
            "RangeError: fourfront: Array.prototype.toSorted",
        ),
        (
            "sparse array",
            "const a = []; a.length = 2 ** 32 - 1; a.reverse()",
            "RangeError: fourfront: Array.prototype.reverse",
        ),
        (
            "array of a length",
            "Array.from({ length: 2 ** 32 - 1 })",
            "RangeError: fourfront: Array.from",
        ),
        (
            "String.raw",
            "String.raw({ raw: { length: 2 ** 53 - 1 } })",
            "RangeError: fourfront: String.raw",
        ),
        (
            "pbkdf2",
            "require('crypto').pbkdf2Sync('a', 'b', 1e9, 64, 'sha512')",
            "RangeError: fourfront: PBKDF2",
        ),
        (
            "pbkdf2, a long key",
            "require('crypto').pbkdf2Sync('a', 'b', 100, 5e7, 'sha512')",
            "RangeError: fourfront: PBKDF2",
        ),
        (
            "pbkdf2 on the side",
            "require('crypto').pbkdf2('a', 'b', 1e9, 64, 'sha512', () => {})",
            "RangeError: fourfront: PBKDF2",
        ),
        (
            "scrypt",
            "require('crypto').scryptSync('a', 'b', 32, { N: 1024, r: 8, p: 10000, maxmem: 2 ** 40 })",
            "RangeError: fourfront: scrypt",
        ),
        (
            "RSA key",
            "require('crypto').generateKeyPairSync('rsa', { modulusLength: 16384 })",
            "RangeError: fourfront: generating an RSA key",
        ),
        (
            "DSA key",
            "require('crypto').generateKeyPairSync('dsa', { modulusLength: 3072, divisorLength: 256 })",
            "RangeError: fourfront: generating a DSA key",
        ),
        (
            "safe prime",
            "require('crypto').generatePrimeSync(4096, { safe: true })",
            "RangeError: fourfront: generating a safe prime",
        ),
        (
            "a candidate of many bits",
            "require('crypto').checkPrimeSync(2n ** 44497n - 1n)",
            "RangeError: fourfront: checking a prime",
        ),
        (
            "group of many bits",
            "require('crypto').createDiffieHellman(Buffer.alloc(8000, 255), 2).generateKeys()",
            "RangeError: fourfront: a Diffie-Hellman prime",
        ),
        (
            "group of zero",
            "require('crypto').createDiffieHellman(Buffer.alloc(8), 2).generateKeys()",
            "RangeError: fourfront: a Diffie-Hellman prime of zero",
        ),
        (
            "WebCrypto's pbkdf2",
            "const k = await crypto.subtle.importKey('raw', Buffer.from('a'), 'PBKDF2', false, ['deriveBits']); await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt: Buffer.alloc(8), iterations: 1e9 }, k, 512)",
            "RangeError: fourfront: PBKDF2",
        ),
        (
            "WebCrypto's RSA key",
            "await crypto.subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 16384, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign', 'verify'])",
            "RangeError: fourfront: generating an RSA key",
        ),
        (
            "10 001 timers",
            "for (let i = 0; i < 10001; i++) setTimeout(() => {}, 1e6)",
            "Error: fourfront: more than 10000 timers",
        ),
        (
            "timers that come and go",
            "for (let i = 0; i < 30000; i++) clearTimeout(setTimeout(() => {}, 1e6)); for (let i = 0; i < 9999; i++) setTimeout(() => {}, 0); await new Promise((r) => setTimeout(r, 5)); for (let i = 0; i < 9999; i++) setTimeout(() => {}, 1e6); return 'done'",
            "answered \"done\"",
        ),
        (
            "streamed WebAssembly",
            "await WebAssembly.compileStreaming(new Response('x'))",
            "TypeError: WebAssembly response has unsupported MIME type",
        ),
        (
            "sockets",
            "const net = require('net'); const all = Array.from({ length: 70 }, () => new Promise((r) => { const s = net.connect(81, '192.0.2.1'); s.on('error', (e) => r(e.code)); s.on('connect', () => r('open')) })); return await Promise.race(all)",
            "answered \"E",
        ),
        (
            "lookups by the thousand",
            "const d = require('dns'); const all = await Promise.all(Array.from({ length: 3000 }, (_, i) => new Promise((r) => d.lookup(`x${i}.invalid`, (e) => r(e.code))))); return all.includes('EAI_AGAIN')",
            "answered true",
        ),
        (
            "memories of one module",
            "const b = new Uint8Array([0,97,115,109,1,0,0,0,5,5,2,0,1,0,1]); new WebAssembly.Module(b)",
            "CompileError: ",
        ),
        (
            "handle of zlib after its end",
            "const g = require('zlib').createGzip(), h = g._handle; g.close(); h.reset()",
            "Error: the zlib handle is not initialized, or closed",
        ),
        (
            "handle of zlib, its callback",
            "require('zlib').createGunzip()._handle.onerror = 1",
            "TypeError: onerror of a zlib handle is a function",
        ),
        (
            "serializer's callback",
            "const v = require('v8'), s = new v.Serializer(); Object.defineProperty(s, '_getDataCloneError', { value: 1 }); s.writeHeader(); s.writeValue(() => {})",
            "Error: () => {} could not be cloned",
        ),
        (
            "shared memory that grows",
            "new SharedArrayBuffer(1, { maxByteLength: 100 })",
            "RangeError: fourfront: growable shared memory",
        ),
    ];
    all(rows, LONG).await;
}

#[tokio::test]
async fn deep_recursion_and_odd_results_are_errors_like_any_other() {
    // LE-137, LE-271, LE-315, NC-93
    let rows: &[Row] = &[
        (
            "recursion in JSON",
            "const o = { toJSON() { return JSON.stringify(o) } }; return o",
            "Runtime.MarshalError: Maximum call stack",
        ),
        (
            "recursion in a getter",
            "const o = { get a() { return o.a } }; return o",
            "Runtime.MarshalError: Maximum call stack",
        ),
        (
            "recursion in toString",
            "const o = { toString() { return `${o}` } }; return `${o}`",
            "RangeError: Maximum call stack",
        ),
        (
            "recursion in traps",
            "const p = new Proxy({}, { get: (t, k, r) => r[k] }); return p.x",
            "RangeError: Maximum call stack",
        ),
        (
            "proxies of proxies",
            "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x",
            "RangeError: Maximum call stack",
        ),
        (
            "recursion in structuredClone",
            "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; structuredClone(a)",
            "RangeError: Maximum call stack",
        ),
        (
            "nested source",
            "eval('('.repeat(1 << 20))",
            "RangeError: Maximum call stack",
        ),
        (
            "module that loads itself",
            "require('./again.js')",
            "RangeError: Maximum call stack",
        ),
        (
            "cycle of modules",
            "return typeof require('./cycle.js').other",
            "answered \"object\"",
        ),
        (
            "re-entrance through logging",
            "const i = require('util').inspect.custom; const o = { [i]() { console.log(o); return 'x' } }; console.log(o)",
            "RangeError: Maximum call stack",
        ),
        (
            "async recursion without end",
            "const f = async () => f(); await f()",
            "RangeError: Maximum call stack",
        ),
        (
            "error with hostile getters",
            "throw { get message() { throw 1 }, get stack() { throw 2 }, get name() { throw 3 } }",
            "Error: the error could not be read",
        ),
        (
            "error that is a revoked proxy",
            "const r = Proxy.revocable({}, {}); r.revoke(); throw r.proxy",
            "Error: the error could not be read",
        ),
        (
            "prepareStackTrace that throws",
            "Error.prepareStackTrace = () => { throw 1 }; throw new Error('x')",
            "",
        ),
        (
            "generator as a result",
            "return (function* () { for (;;) yield 1 })()",
            "answered {}",
        ),
        (
            "__proto__ in the result",
            "return JSON.parse('{\"__proto__\":{\"status\":\"200\"}}')",
            "answered {\"__proto__\":{\"status\":\"200\"}}",
        ),
        (
            "result that is a BigInt",
            "return { a: 1n }",
            "Runtime.MarshalError: ",
        ),
        (
            "result of many megabytes",
            "return 'x'.repeat(1 << 23)",
            "Function.ResponseSizeTooLarge: ",
        ),
        (
            "result of many headers",
            "return Object.fromEntries(Array.from({ length: 4e5 }, (_, i) => [`x-${i}`, 'v'.repeat(9)]))",
            "Function.ResponseSizeTooLarge: ",
        ),
        (
            "waitAsync",
            "await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(8)), 0, 0).value",
            "the handler's promise never settled",
        ),
        (
            "exit in finally",
            "try { process.exit(3) } finally { for (;;); }",
            "the function ended its process with code 3",
        ),
        (
            "exit in the result",
            "return { toJSON() { process.exit(4) } }",
            "the function ended its process with code 4",
        ),
        (
            "exit in a getter of the error",
            "throw { get message() { process.exit(5) } }",
            "the function ended its process with code 5",
        ),
        (
            "exit in an exit handler",
            "process.on('exit', () => process.exit(7)); process.exit(6)",
            "the function ended its process with code",
        ),
        (
            "exit in a stack's formatter",
            "Error.prepareStackTrace = () => process.exit(8); new Error('x').stack",
            "the function ended its process with code 8",
        ),
        (
            "rejection nobody handles",
            "Promise.reject(new Error('x')); await new Promise((r) => setTimeout(r, 50))",
            "Runtime.UnhandledPromiseRejection: Error: x",
        ),
        (
            "throw in a finalizer",
            "const f = new FinalizationRegistry(() => { throw new TypeError('x') }); for (;;) { f.register({}, 1); await new Promise(setImmediate) }",
            "TypeError: x",
        ),
        (
            "throw in a timer",
            "setTimeout(() => { throw new Error('late') }, 1); await new Promise((r) => setTimeout(r, 500))",
            "Error: late",
        ),
    ];
    all(rows, LONG).await;
}
