//! Ways out of a function that lead nowhere, and what one does to built-ins (NC-4, NC-98, LE-345).

use fourfront_hooks::HookPool;

use super::{harness::settings, hostile_set::*};

#[tokio::test]
async fn there_is_no_way_out() {
    // NC-90, NC-94, NC-95, NC-96, LE-346
    let rows: &[Row] = &[
        (
            "constructor of async functions",
            "return (async () => {}).constructor('return [typeof Deno, typeof __bootstrap, typeof __fourfront]')()",
            "answered [\"undefined\",\"undefined\",\"undefined\"]",
        ),
        (
            "constructor of process",
            "return process.constructor.constructor('return this')() === globalThis && typeof process.binding",
            "answered ",
        ),
        (
            "process.binding",
            "const out = []; for (const n of ['fs', 'spawn_sync', 'process_wrap', 'tcp_wrap']) try { out.push(typeof process.binding(n).open) } catch (e) { out.push('refused') } return [...new Set(out)]",
            "answered [\"refused\"]",
        ),
        (
            "handle of a socket",
            "const s = require('net').connect(81, '192.0.2.1'); s.on('error', () => {}); const h = s._handle; const out = [h.constructor === Object, h.listen(1), h.bind('0.0.0.0', 1), h.open(0)]; s.destroy(); return out",
            "answered [true,-13,-13,-13]",
        ),
        (
            "call sites",
            "Error.prepareStackTrace = (e, s) => s; let bad = 0, seen = 0; const look = () => { for (const f of new Error().stack) { seen++; if (/^(ext|node):/.test(f.getFileName() ?? '') && (f.getThis() !== undefined || f.getFunction() !== undefined)) bad++ } }; const e = new (require('events'))(); e.on('x', look); e.emit('x'); require('util').inspect({ [require('util').inspect.custom]: look }); await new Promise((r) => setTimeout(() => { look(); r() }, 1)); return [bad, seen > 3]",
            "answered [0,true]",
        ),
        (
            "internal modules",
            "const out = []; for (const n of ['ext:core/ops', 'ext:core/mod.js', 'ext:fourfront/boot.js', 'ext:deno_node/internal_binding/tcp_wrap.ts', 'internal/bootstrap/loaders', 'file:///etc/passwd', '/etc/passwd', '/proc/self/environ', 'https://example.com/x.js']) { try { await import(n); out.push(n) } catch {} try { require(n); out.push(n) } catch {} } return out",
            "answered []",
        ),
        (
            "files of the host",
            "const fs = require('fs'); const out = []; for (const n of ['/etc/passwd', '/proc/self/maps', '/var/task/../../etc/passwd', '/dev/zero', '/var/task/index.js/../../../etc/hostname']) try { fs.readFileSync(n); out.push(n) } catch {} return out",
            "answered []",
        ),
        (
            "processes",
            "const c = require('child_process'); const out = []; for (const f of [() => c.execSync('id'), () => c.spawnSync('id'), () => process.kill(1), () => process.abort(), () => new (require('worker_threads').Worker)('x')]) try { f(); out.push(`${f}`) } catch (e) { if (e.code !== 'ERR_ACCESS_DENIED') out.push(e.code ?? e.message) } return out",
            "answered []",
        ),
        (
            "flags of the engine",
            "try { require('v8').setFlagsFromString('--allow-natives-syntax') } catch (e) { return e.code }",
            "answered \"ERR_ACCESS_DENIED\"",
        ),
        (
            "addresses of the machine, sockets",
            "const net = require('net'); const names = ['127.0.0.1', 'localhost', 'LOCALHOST', 'localhost.', '::1', '0.0.0.0', '::', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '169.254.169.254', '::ffff:169.254.169.254', 'fe80::1']; const all = await Promise.all(names.map((host) => new Promise((r) => { const s = net.connect({ host, port: 80, timeout: 2000 }); s.on('connect', () => r(host)); s.on('error', () => r()); s.on('timeout', () => r(`${host} waits`)) }))); return all.filter(Boolean)",
            "answered []",
        ),
        (
            "addresses of the machine, fetch",
            "const names = ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '0.0.0.0', '[::]', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::ffff:127.0.0.1]', '169.254.169.254', '[::ffff:a9fe:a9fe]', '[fe80::1]', '127.0.0.1.', 'user:pass@127.0.0.1']; const all = await Promise.all(names.map((n) => fetch(`http://${n}:80/latest/meta-data/`, { signal: AbortSignal.timeout(2000) }).then(() => n, (e) => e.name === 'TimeoutError' ? `${n} waits` : undefined))); return all.filter(Boolean)",
            "answered []",
        ),
        (
            "other schemes",
            "const all = await Promise.all(['file:///etc/passwd', 'ftp://192.0.2.1/', 'blob:null/x', 'gopher://192.0.2.1/'].map((u) => fetch(u).then(() => u, () => undefined))); return all.filter(Boolean)",
            "answered []",
        ),
        (
            "paths of sockets",
            "return await new Promise((r) => require('net').connect('/run/docker.sock').on('error', (e) => r(e.code)).on('connect', () => r('open')))",
            "answered \"E",
        ),
        (
            "servers",
            "return await new Promise((r) => require('http').createServer().on('error', (e) => r(e.code)).listen(0, () => r('listens')))",
            "answered \"EACCES\"",
        ),
        (
            "buffers that shrink under way",
            "const out = []; for (const f of [(v) => require('zlib').deflateSync(v), (v) => require('crypto').createHash('md5').update(v).digest(), (v) => new TextDecoder().decode(v), (v) => Buffer.from(v), (v) => structuredClone(v), (v) => new Blob([v])]) { const b = new ArrayBuffer(64, { maxByteLength: 128 }), v = new Uint8Array(b, 8, 40); b.resize(4); try { f(v); out.push(1) } catch { out.push(1) } } return out.length",
            "answered 6",
        ),
        (
            "scripts with a cache of their own",
            "const vm = require('vm'); try { return new vm.Script('1', { cachedData: Buffer.alloc(64, 255) }).cachedDataRejected } catch (e) { return true }",
            "answered true",
        ),
        (
            "end that is taken back",
            "try { require('vm').runInNewContext('for (;;);', {}, { timeout: 10 }) } catch (e) { return e.code }",
            "answered \"ERR_SCRIPT_EXECUTION_TIMEOUT\"",
        ),
    ];
    all(rows, LONG).await;
}

#[tokio::test]
async fn what_one_function_does_to_built_ins_no_other_sees() {
    // LE-348, NC-98
    let pool = HookPool::new(settings());
    let attacker = prepare(
        &pool,
        "const evil = () => { throw new Error('polluted') };
         exports.handler = async () => {
           for (const holder of [Object, Array, String, Promise, JSON, Map, Buffer, Reflect, URL, Error]) {
             const at = holder.prototype ?? holder;
             for (const k of Object.getOwnPropertyNames(at)) if (k !== 'constructor') try { Object.defineProperty(at, k, { value: evil }) } catch {}
           }
           return 1
         };
         Object.prototype.status = 'polluted'; globalThis.shared = 'polluted'; process.env.SHARED = 'polluted';
         require('events').prototype.emit = evil; require('crypto').createHash = evil; Symbol.for('polluted').constructor.shared = 1",
    );
    let victim = prepare(
        &pool,
        "exports.handler = async () => [({}).status ?? null, typeof shared, process.env.SHARED ?? null, Symbol.shared ?? null, [1, 2].map((x) => x + 1).join(), JSON.stringify({ a: new Map([[1, 2]]).size }), require('crypto').createHash('md5').update('').digest('hex').length, new URL('http://a/b').pathname]",
    );
    for _ in 0..3 {
        // How it ends is its own affair: it has nothing left to work with.
        call(&pool, &attacker, SHORT).await;
        assert_eq!(
            call(&pool, &victim, LONG).await,
            r#"answered [null,"undefined",null,null,"2,3","{\"a\":1}",32,"/b"]"#
        );
    }
}
