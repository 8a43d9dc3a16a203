//! What functions may hold: all of it counts against their memory, wherever it lies (LE-264).

use fourfront_hooks::{ExecutionFault, HookFault};
use serde_json::{Value, json};

use super::harness::{Tried, js};

/// Runs `code` as the handler's body while `event` is null; with an event the handler answers with it.
fn greedy(code: &str) -> Tried {
    let mut f = js(&format!(
        "const kept = []; exports.handler = async (e) => {{ if (e) return e; {code} }}"
    ));
    f.timeout = std::time::Duration::from_secs(20);
    f
}

/// The call ends for want of memory, and the next one of the same function succeeds.
async fn runs_out(code: &str) {
    let f = greedy(code);
    let outcome = f.raw(Value::Null, "id").await;
    assert!(
        matches!(
            outcome,
            Err(HookFault::Execution(ExecutionFault::OutOfMemory {
                limit_mb: 128
            }))
        ),
        "{code}: {outcome:?}"
    );
    assert_eq!(f.ok(json!("after")).await, "after", "{code}");
}

/// The call succeeds, though it has had far more than its memory in its hands by then.
async fn gets_by(code: &str) {
    let f = greedy(code);
    let outcome = f.raw(Value::Null, "id").await;
    assert!(
        matches!(outcome.as_deref(), Ok("\"done\"")),
        "{code}: {outcome:?}"
    );
}

#[tokio::test]
async fn blobs_count() {
    // LE-264
    runs_out("for (let i = 0; i < 800; i++) kept.push(new Blob([new Uint8Array(1 << 20)]))").await;
    runs_out("for (;;) kept.push(new File(['x'.repeat(1 << 20)], 'a'))").await;
    runs_out("for (;;) kept.push(await new Response(new Uint8Array(1 << 20)).blob())").await;
}

#[tokio::test]
async fn slices_of_a_blob_count_once() {
    gets_by("const b = new Blob([new Uint8Array(50 << 20)]); for (let i = 0; i < 100; i++) kept.push(b.slice(i)); return 'done'").await;
}

#[tokio::test]
async fn blobs_that_are_let_go_of_do_not_count() {
    gets_by("for (let i = 0; i < 400; i++) { await new Blob([new Uint8Array(1 << 20)]).arrayBuffer(); await new Promise(setImmediate) } return 'done'").await;
    let f = greedy("new Blob([new Uint8Array(10 << 20)]); return 'done'");
    for _ in 0..40 {
        assert_eq!(f.ok(Value::Null).await, "done");
    }
}

#[tokio::test]
async fn webassembly_memories_count() {
    // LE-264: what they have at first, what they grow to, and what modules make for themselves.
    for code in [
        "for (let i = 0; i < 4; i++) { const m = new WebAssembly.Memory({ initial: 3200 }); new Uint8Array(m.buffer).fill(1); kept.push(m) } return 'had them'",
        "for (let i = 0; i < 8; i++) { const m = new WebAssembly.Memory({ initial: 1 }); m.grow(800); new Uint8Array(m.buffer).fill(1); kept.push(m) } return 'had them'",
        "for (let i = 0; i < 4; i++) { const m = new WebAssembly.Memory({ initial: 3200, maximum: 3200, shared: true }); new Uint8Array(m.buffer).fill(1); kept.push(m) } return 'had them'",
        // (module (memory (export "m") 3200))
        "const b = new Uint8Array([0,97,115,109,1,0,0,0,5,4,1,0,128,25,7,5,1,1,109,2,0]);
         for (let i = 0; i < 4; i++) { const { instance } = await WebAssembly.instantiate(b); new Uint8Array(instance.exports.m.buffer).fill(1); kept.push(instance) } return 'had them'",
        // (module (memory (export "m") 1) (func (export "f") (param i32) (result i32) local.get 0 memory.grow))
        "const b = new Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,1,7,9,2,1,109,2,0,1,102,0,0,10,8,1,6,0,32,0,64,0,11]);
         for (let i = 0; i < 100; i++) { const { f, m } = new WebAssembly.Instance(new WebAssembly.Module(b)).exports; f(100); new Uint8Array(m.buffer).fill(1); kept.push(m) } return 'had them'",
    ] {
        runs_out(code).await;
    }
}

#[tokio::test]
async fn modules_have_one_memory() {
    // LE-264
    let two = "[0,97,115,109,1,0,0,0,5,5,2,0,1,0,1]";
    // (module (import "a" "m" (memory 1)) (memory 1))
    let imported = "[0,97,115,109,1,0,0,0,2,8,1,1,97,1,109,2,0,1,5,3,1,0,1]";
    for bytes in [two, imported] {
        for how in [
            "new WebAssembly.Module(b)",
            "new WebAssembly.Module(new DataView(b.buffer))",
            "await WebAssembly.compile(b)",
            "await WebAssembly.compile(b.buffer)",
            "await WebAssembly.instantiate(b, { a: { m: new WebAssembly.Memory({ initial: 1 }) } })",
        ] {
            let f = greedy(&format!("const b = new Uint8Array({bytes}); {how}"));
            assert_eq!(f.thrown().await.0, "CompileError", "{how}");
        }
    }
    for refused in [
        "WebAssembly.compile(1)",
        "WebAssembly.instantiate(1)",
        "(() => new WebAssembly.Module())()",
    ] {
        let f = greedy(&format!("await {refused}"));
        assert_eq!(f.thrown().await.0, "TypeError", "{refused}");
    }
}

#[tokio::test]
async fn webassembly_works_within_the_limit() {
    // NC-31
    gets_by(
        "for (let i = 0; i < 50; i++) { const m = new WebAssembly.Memory({ initial: 400 }); new Uint8Array(m.buffer)[9] = 1; m.grow(1) }
         if (!(new WebAssembly.Memory({ initial: 1 }) instanceof WebAssembly.Memory)) throw 1;
         if (new WebAssembly.Memory({ initial: 1 }).constructor !== WebAssembly.Memory) throw 2;
         try { WebAssembly.Memory({ initial: 1 }); throw 3 } catch (e) { if (!(e instanceof TypeError)) throw e }
         return 'done'",
    )
    .await;
}

#[tokio::test]
async fn resizable_buffers_count() {
    // LE-264
    for code in [
        "const b = new ArrayBuffer(1 << 30, { maxByteLength: 1 << 30 }); new Uint8Array(b).fill(1); return 'had it'",
        "const b = new ArrayBuffer(0, { maxByteLength: 1 << 30 }); b.resize(1 << 30); new Uint8Array(b).fill(1); return 'had it'",
        "const C = new Uint8Array(1).buffer.constructor; for (;;) kept.push(new C(1 << 24, { maxByteLength: 1 << 24 }))",
    ] {
        runs_out(code).await;
    }
    let f = greedy("new SharedArrayBuffer(0, { maxByteLength: 1 << 30 })");
    assert_eq!(f.thrown().await.0, "RangeError");
}

#[tokio::test]
async fn array_buffers_are_what_they_were() {
    gets_by(
        "const b = new ArrayBuffer(8, { maxByteLength: 16 }); b.resize(12); if (b.byteLength !== 12 || !b.resizable) throw 1;
         if (!(b instanceof ArrayBuffer) || !ArrayBuffer.isView(new Uint8Array(1)) || ArrayBuffer.name !== 'ArrayBuffer' || ArrayBuffer.length !== 1) throw 2;
         class Mine extends ArrayBuffer {} if (!(new Mine(4).slice(1) instanceof Mine) || new Mine(4).byteLength !== 4) throw 3;
         if (new SharedArrayBuffer(4).byteLength !== 4) throw 4;
         try { ArrayBuffer(1); throw 5 } catch (e) { if (!(e instanceof TypeError)) throw e }
         return 'done'",
    )
    .await;
}

#[tokio::test]
async fn buffers_made_by_the_host_count() {
    // LE-264
    for code in [
        "const s = 'x'.repeat(1 << 20); for (;;) kept.push(new TextEncoder().encode(s))",
        "const s = btoa('x'.repeat(3 << 18)); for (;;) kept.push(Buffer.from(s, 'base64'))",
        "const c = require('crypto'); for (;;) kept.push(c.randomBytes(1 << 20))",
        "const z = require('zlib'), s = z.gzipSync(Buffer.alloc(1 << 20)); for (;;) kept.push(z.gunzipSync(s))",
        "for (;;) kept.push(await new Response('x'.repeat(1 << 20)).arrayBuffer())",
    ] {
        runs_out(code).await;
    }
}

#[tokio::test]
async fn messages_under_way_count() {
    // LE-264
    for code in [
        "const { port1, port2 } = new MessageChannel(); kept.push(port2); for (;;) port1.postMessage('x'.repeat(1 << 20))",
        "const { port1, port2 } = new MessageChannel(); kept.push(port2); for (;;) port1.postMessage(1)",
        "const { port1, port2 } = new MessageChannel(); kept.push(port2); for (;;) port1.postMessage('x'.repeat(1 << 20), [])",
        "for (;;) new MessageChannel()",
    ] {
        runs_out(code).await;
    }
}

#[tokio::test]
async fn messages_arrive_and_count_no_more() {
    // NC-31
    gets_by(
        "const { port1, port2 } = new MessageChannel(); let n = 0;
         await new Promise((done) => {
           port2.onmessage = ({ data }) => { if (data.length !== 1 << 20) throw 1; if (++n === 300) { port2.close(); done() } else port1.postMessage('x'.repeat(1 << 20)) };
           port1.postMessage('x'.repeat(1 << 20));
         });
         return 'done'",
    )
    .await;
    gets_by(
        "const a = new MessageChannel(), b = new MessageChannel();
         const got = new Promise((r) => { a.port2.onmessage = (e) => e.ports[0].postMessage('through') ; b.port2.onmessage = (e) => r(e.data) });
         a.port1.postMessage(0, [b.port1]); if (await got !== 'through') throw 1;
         try { a.port1.postMessage(0, [a.port1]); throw 2 } catch (e) { if (e.name !== 'DataCloneError') throw e }
         a.port1.close(); a.port2.close(); b.port2.close(); return 'done'",
    )
    .await;
}

#[tokio::test]
async fn a_small_body_that_expands_ends_the_call() {
    // LE-264, NC-27
    let small = "const b = require('zlib').FORM(Buffer.alloc(1 << 20));";
    for form in [
        "gzipSync gzip",
        "deflateSync deflate",
        "deflateRawSync deflate-raw",
    ] {
        let (make, format) = form.split_once(' ').expect("two names");
        let make = small.replace("FORM", make);
        gets_by(&format!(
            "{make} const s = new Blob([b]).stream().pipeThrough(new DecompressionStream('{format}'));
             if ((await new Response(s).arrayBuffer()).byteLength !== 1 << 20) throw 1; return 'done'"
        ))
        .await;
    }
    // A gigabyte of zeros, made a megabyte at a time and kept compressed.
    runs_out(
        "const c = new CompressionStream('gzip'), w = c.writable.getWriter(), parts = [];
         (async () => { const zeros = new Uint8Array(1 << 20); for (let i = 0; i < 1024; i++) await w.write(zeros); await w.close() })();
         for await (const p of c.readable) parts.push(p);
         const s = new Blob([Buffer.concat(parts)]).stream().pipeThrough(new DecompressionStream('gzip'));
         return (await new Response(s).arrayBuffer()).byteLength",
    )
    .await;
}

#[tokio::test]
async fn compressors_count() {
    // LE-264
    for code in [
        "for (;;) kept.push(new CompressionStream('gzip'))",
        "for (;;) kept.push(new DecompressionStream('gzip'))",
        "const z = require('zlib'); for (;;) kept.push(z.createGzip())",
        "const z = require('zlib'); for (;;) kept.push(z.createBrotliCompress())",
        "const z = require('zlib'); for (;;) kept.push(z.createBrotliDecompress())",
        "require('zlib').brotliCompressSync('x', { params: { 6: 1, 2: 30 } })",
        "require('zlib').zstdCompressSync('x', { params: { 100: 22 } })",
        "require('crypto').scryptSync('a', 'b', 32, { N: 1 << 20, r: 8, maxmem: 2 ** 40 })",
        "for (;;) kept.push(require('crypto').scrypt('a', 'b', 32, { N: 1 << 14 }, () => {}))",
        "for (;;) kept.push(new Intl.DateTimeFormat('en'))",
    ] {
        runs_out(code).await;
    }
}

#[tokio::test]
async fn compressors_that_are_done_do_not_count() {
    for code in [
        "const z = require('zlib'); for (let i = 0; i < 40; i++) { if (z.brotliDecompressSync(z.brotliCompressSync('x')).toString() !== 'x') throw 1 }",
        "const z = require('zlib'); for (let i = 0; i < 1000; i++) { if (z.gunzipSync(z.gzipSync('x')).toString() !== 'x') throw 1 }",
        "const z = require('zlib'); for (let i = 0; i < 40; i++) { if (z.zstdDecompressSync(z.zstdCompressSync('x')).toString() !== 'x') throw 1 }",
        "for (let i = 0; i < 1000; i++) { new CompressionStream('gzip'); if (i % 99 === 0) await new Promise(setImmediate) }",
        "for (let i = 0; i < 20; i++) require('crypto').scryptSync('a', 'b', 32)",
    ] {
        gets_by(&format!("{code}; return 'done'")).await;
    }
}

#[tokio::test]
async fn formatters_format_and_go() {
    gets_by(
        "for (let i = 0; i < 9000; i++) new Intl.NumberFormat('en').format(1);
         if (new Intl.DateTimeFormat('en', { timeZone: 'UTC' }).format(0) !== '1/1/1970' || Intl.NumberFormat('de').format(1.5) !== '1,5') throw 1;
         if (!(new Intl.Collator() instanceof Intl.Collator) || Intl.Collator.supportedLocalesOf('en')[0] !== 'en') throw 2;
         return 'done'",
    )
    .await;
}

/// What the process has in memory, in MiB.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells of processes");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib: usize = line
        .and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok())
        .expect("a number of kB");
    kib / 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_comes_back_when_the_isolate_goes() {
    // LE-350: nine calls that hold a hundred megabytes each when they end.
    let codes = [
        "for (;;) kept.push(new Blob([new Uint8Array(1 << 20).fill(1)]))",
        "for (;;) { const m = new WebAssembly.Memory({ initial: 400 }); new Uint8Array(m.buffer).fill(1); kept.push(m) }",
        "const { port1, port2 } = new MessageChannel(); kept.push(port2); for (;;) port1.postMessage('x'.repeat(1 << 20))",
    ];
    // As many before: what the allocator keeps of them for the next is there when it is counted.
    for code in codes.iter().cycle().take(9) {
        runs_out(code).await;
    }
    let before = resident();
    for code in codes.iter().cycle().take(9) {
        runs_out(code).await;
    }
    // Isolates end behind their calls, on threads of their own. All that was held would be 900 MiB.
    let given_back = async {
        while resident() >= before + 256 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let limit = std::time::Duration::from_secs(30);
    let in_time = tokio::time::timeout(limit, given_back).await;
    assert!(in_time.is_ok(), "{before} MiB, then {}", resident());
}
