//! Tier 1 of LE-356, the globals, and what is out of reach.

use fourfront_hooks::{Call, HookPool, bundle::Bundle};
use fourfront_model::{Compat, EventType};
use serde_json::{Value, json};

use super::harness::{function, js, load, load_as, settings, value};

#[tokio::test]
async fn every_tier_one_module_loads_with_and_without_its_scheme() {
    // LE-356, NC-1, NC-2, NC-3
    let names = [
        "buffer",
        "querystring",
        "url",
        "util",
        "path",
        "events",
        "crypto",
        "string_decoder",
        "assert",
        "timers",
        "process",
        "stream",
        "zlib",
        "fs",
        "os",
        "tty",
        "async_hooks",
        "perf_hooks",
        "diagnostics_channel",
        "module",
        "punycode",
        "child_process",
        "fs/promises",
        "timers/promises",
    ];
    let list = json!(names);
    let f = js(&format!(
        "exports.handler = async () => {list}.map((n) => {{ const m = require(n); for (const k of Object.keys(m)) m[k]; return m === require('node:' + n) && (n === 'zlib' || Object.isExtensible(m)) }})"
    ));
    assert_eq!(f.ok(Value::Null).await, json!(vec![true; names.len()]));
    let imports: String = names
        .iter()
        .enumerate()
        .map(|(i, n)| format!("import m{i} from '{n}'; import * as n{i} from 'node:{n}';\n"))
        .collect();
    let checks: Vec<String> = (0..names.len())
        .map(|i| format!("m{i} === n{i}.default && Object.keys(n{i}).length > 1"))
        .collect();
    let code = format!(
        "{imports} export const handler = async () => [{}]",
        checks.join(", ")
    );
    let f = load(&[("index.mjs", &code)]).unwrap();
    assert_eq!(f.ok(Value::Null).await, json!(vec![true; names.len()]));
}

#[tokio::test]
async fn querystring_and_url_follow_node() {
    // NC-10, NC-11, NC-12
    assert_eq!(
        value("require('querystring').parse('a=1&a=2&b+c=%zz&d')").await,
        json!({ "a": ["1", "2"], "b c": "%zz", "d": "" })
    );
    assert_eq!(
        value("require('querystring').stringify({ a: ['x y', 1], b: true })").await,
        "a=x%20y&a=1&b=true"
    );
    assert_eq!(
        value("require('url').parse('/p?q=1', true).query.q").await,
        "1"
    );
    assert_eq!(value("require('url').URL === URL").await, true);
    assert_eq!(
        value("(() => { try { new URL('x') } catch (e) { return e instanceof TypeError } })()")
            .await,
        true
    );
}

#[tokio::test]
async fn buffers_convert_and_share_memory() {
    // NC-13, NC-14
    assert_eq!(
        value("[Buffer.from('aGk', 'base64').toString(), Buffer.from('68zz', 'hex').length, Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString('base64url'), Buffer.from('é').toString('latin1').length, Buffer.isBuffer(new Uint8Array(1))]").await,
        json!(["hi", 1, "YWI", 2, false])
    );
    assert_eq!(
        value(
            "(() => { const b = Buffer.from('abc'); b.slice(1)[0] = 120; return b.toString() })()"
        )
        .await,
        "axc"
    );
    assert_eq!(
        value("JSON.stringify(Buffer.from('a'))").await,
        "{\"type\":\"Buffer\",\"data\":[97]}"
    );
}

#[tokio::test]
async fn crypto_hashes_signs_and_verifies() {
    // LE-356, NC-15, NC-16, NC-17
    assert_eq!(
        value("require('crypto').createHash('md5').update('a').digest('hex')").await,
        "0cc175b9c0f1b6a831c399e269772661"
    );
    assert_eq!(
        value("require('crypto').createHmac('sha256', 'k').update('a').digest('hex').slice(0, 8)").await,
        value("Buffer.from(await crypto.subtle.sign('HMAC', await crypto.subtle.importKey('raw', Buffer.from('k'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']), Buffer.from('a'))).toString('hex').slice(0, 8)").await
    );
    let rsa = value(
        "(() => { const c = require('crypto');
          const { publicKey, privateKey } = c.generateKeyPairSync('rsa', { modulusLength: 2048 });
          const pem = publicKey.export({ type: 'spki', format: 'pem' });
          const sig = c.createSign('RSA-SHA256').update('x').sign(privateKey);
          const jwk = c.createPublicKey(pem).export({ format: 'jwk' });
          const again = c.createPublicKey({ key: jwk, format: 'jwk' });
          return [c.createVerify('RSA-SHA256').update('x').verify(pem, sig), c.verify('sha256', Buffer.from('y'), again, sig), c.createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).asymmetricKeyType] })()",
    )
    .await;
    assert_eq!(rsa, json!([true, false, "rsa"]));
    let ec = value(
        "(() => { const c = require('crypto'); const k = c.generateKeyPairSync('ec', { namedCurve: 'P-256' });
          const s = c.sign('sha256', Buffer.from('m'), { key: k.privateKey, dsaEncoding: 'ieee-p1363' });
          return [s.length, c.verify('sha256', Buffer.from('m'), { key: k.publicKey, dsaEncoding: 'ieee-p1363' }, s)] })()",
    )
    .await;
    assert_eq!(ec, json!([64, true]));
    assert_eq!(
        value("[require('crypto').randomBytes(4).length, crypto.randomUUID().length, require('crypto').timingSafeEqual(Buffer.from('a'), Buffer.from('a'))]").await,
        json!([4, 36, true])
    );
    assert_eq!(
        value("(() => { try { require('crypto').timingSafeEqual(Buffer.from('a'), Buffer.from('ab')) } catch (e) { return e.code } })()").await,
        "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH"
    );
}

#[tokio::test]
async fn web_globals_are_there() {
    // LE-356, NC-31
    let got = value(
        "[await new Response('hé', { headers: { a: 'b' } }).text(), new Request('https://h/p', { method: 'PUT' }).method,
          new Headers({ 'X-A': '1' }).get('x-a'), new TextDecoder().decode(new TextEncoder().encode('ü')), atob(btoa('x')),
          structuredClone({ d: new Date(0) }).d.getTime(), typeof performance.now(), new URLSearchParams('a=1&a=2').getAll('a'),
          await new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([97])); c.close() } })).text(),
          new Intl.DateTimeFormat('de-DE', { timeZone: 'Europe/Berlin', hour: 'numeric' }).format(new Date(0)),
          WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])), await new Promise((r) => queueMicrotask(() => r('q'))),
          (await new Promise((r) => { const a = new AbortController(); a.signal.onabort = () => r(a.signal.reason.name); a.abort() })),
          globalThis === global, typeof setImmediate]",
    )
    .await;
    assert_eq!(
        got,
        json!([
            "hé",
            "PUT",
            "1",
            "ü",
            "x",
            0,
            "number",
            ["1", "2"],
            "a",
            "01 Uhr",
            true,
            "q",
            "AbortError",
            true,
            "function"
        ])
    );
}

#[tokio::test]
async fn the_node_modules_that_packages_lean_on_work() {
    // NC-23, NC-24, NC-27
    assert_eq!(
        value("require('zlib').gunzipSync(require('zlib').gzipSync('abc')).toString()").await,
        "abc"
    );
    assert_eq!(
        value("await require('stream/promises').pipeline(require('stream').Readable.from(['a', 'b']), async (s) => { let o = ''; for await (const c of s) o += c; return o })").await,
        "ab"
    );
    assert_eq!(
        value("require('util').inspect({ a: { b: { c: { d: 1 } } } })").await,
        "{ a: { b: { c: [Object] } } }"
    );
    assert_eq!(
        value("await require('util').promisify((x, cb) => cb(null, x + 1))(1)").await,
        2
    );
    assert_eq!(
        value("await (() => { const { AsyncLocalStorage } = require('async_hooks'); const s = new AsyncLocalStorage(); return s.run(5, () => Promise.resolve().then(() => s.getStore())) })()").await,
        5
    );
}

#[tokio::test]
async fn files_are_those_of_the_bundle_and_cannot_be_written() {
    // NC-25, NC-26, LE-345
    let f = load(&[
        (
            "index.js",
            "const fs = require('fs'); const t = (f) => { try { return f() } catch (e) { return [e.code, e.syscall] } };
             exports.handler = async () => [t(() => fs.readFileSync('conf.txt', 'utf8')), t(() => fs.readFileSync('/etc/passwd')), t(() => fs.readFileSync('/proc/self/environ')),
               t(() => fs.readFileSync('../../etc/passwd')), t(() => fs.writeFileSync('/var/task/x', '')), t(() => fs.readdirSync(__dirname)),
               fs.existsSync('/var/task/conf.txt'), (await fs.promises.stat('conf.txt')).size]",
        ),
        ("conf.txt", "hello"),
    ])
    .unwrap();
    assert_eq!(
        f.ok(Value::Null).await,
        json!([
            "hello",
            ["ENOENT", "open"],
            ["ENOENT", "open"],
            ["ENOENT", "open"],
            ["EROFS", "open"],
            ["conf.txt", "index.js"],
            true,
            5
        ])
    );
}

#[tokio::test]
async fn there_is_no_deno_no_host_and_no_process_to_harm() {
    // NC-35, NC-90, NC-94, LE-345
    assert_eq!(
        value("[typeof Deno, typeof __bootstrap, typeof __fourfront, process.version.startsWith('v22.'), process.cwd(), require('os').hostname(), process.pid]").await,
        json!(["undefined", "undefined", "undefined", true, "/var/task", "localhost", 2])
    );
    for call in [
        "process.kill(process.pid, 0)",
        "process.abort()",
        "process.chdir('/')",
        "process.setuid(0)",
        "require('child_process').spawnSync('ls')",
        "process.binding('fs')",
    ] {
        let got = value(&format!(
            "(() => {{ try {{ {call}; return 'done' }} catch (e) {{ return e.code }} }})()"
        ))
        .await;
        assert_eq!(got, "ERR_ACCESS_DENIED", "{call}");
    }
    for code in [
        "import('ext:core/ops')",
        "import('ext:core/mod.js')",
        "import('file:///etc/passwd')",
        "import('https://example.org/x.js')",
        // Under the name of the engine's own code.
        "(() => { const M = require('module'), m = new M('x'); m._compile(\"module.exports = import('ext:core/ops')\", 'ext:x.js'); return m.exports })()",
        "(() => { const M = require('module'), m = new M('x'); m._compile(\"module.exports = import('ext:core/mod.js')\", 'node:x'); return m.exports })()",
        "(() => { const vm = require('vm'); return new vm.Script(\"import('ext:core/ops')\", { filename: 'ext:core/x.js', importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }).runInThisContext() })()",
        "require('vm').compileFunction(\"return import('ext:core/ops')\", [], { filename: 'ext:core/x.js' })()",
        "eval(\"import('ext:core/ops')\\n//# sourceURL=ext:core/x.js\")",
        "new Function(\"return import('ext:core/ops')\")()",
        "import('data:text/javascript,export * from \"ext:core/ops\"')",
        "import('node:_http_server_').then(() => 1)",
    ] {
        let got = value(&format!(
            "await {code}.then(() => 'loaded', () => 'refused')"
        ))
        .await;
        assert_eq!(got, "refused", "{code}");
    }
}

#[tokio::test]
async fn what_one_function_patches_no_other_sees() {
    // NC-4
    assert_eq!(value("(require('util').inspect = 1, Object.prototype.leak = 1, Array.prototype.map = null, 0)").await, 0);
    assert_eq!(
        value("[typeof require('util').inspect, ({}).leak === undefined, typeof [].map]").await,
        json!(["function", true, "function"])
    );
}

#[tokio::test]
async fn a_function_with_an_egress_list_reaches_what_stands_there_and_nothing_else() {
    // LE-346, NC-22
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .unwrap();
        listener
    });
    let mut settings = settings();
    settings.host.egress.allow_local = true;
    let pool = HookPool::new(settings);
    let fetched = async |egress: Option<Vec<&str>>, host: &str| -> Value {
        let mut function = function("fetches");
        function.egress = egress.map(|rules| rules.iter().map(|r| r.parse().unwrap()).collect());
        let code = format!(
            "exports.handler = async () => fetch('http://{host}:{port}/').then((r) => r.status, (e) => e.cause?.code + /LE-346/.test(e.cause?.message))"
        );
        let bundle = Bundle::from_files([("index.js", code.as_str())]);
        let prepared = pool
            .prepare_bundle(&function, Compat::Strict, bundle)
            .unwrap();
        let call = Call {
            event: b"{}".to_vec(),
            event_type: EventType::OriginRequest,
            timeout: std::time::Duration::from_secs(10),
            request_id: "id".into(),
            viewer_request_id: String::new(),
        };
        serde_json::from_slice(&pool.invoke(&prepared, call).await.unwrap()).unwrap()
    };
    let wrong_port = format!("localhost:{}", if port == 1024 { 1025 } else { port - 1 });
    for list in [
        vec![],
        vec!["api.example.test"],
        vec!["*.example.test"],
        vec!["127.0.0.0/8"],
        vec![wrong_port.as_str()],
    ] {
        let got = fetched(Some(list.clone()), "localhost").await;
        assert_eq!(got, "ECONNREFUSEDtrue", "{list:?}");
    }
    for (list, host) in [
        (vec!["127.0.0.0/9"], "127.128.0.1"),
        (vec!["[::2/127]"], "[::1]"),
    ] {
        let got = fetched(Some(list.clone()), host).await;
        assert_eq!(got, "ECONNREFUSEDtrue", "{list:?}");
    }
    let named = format!("localhost:{port}");
    assert_eq!(
        fetched(Some(vec!["10.0.0.0/8", &named]), "localhost").await,
        204
    );
    let listener = server.join().unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(
        listener.accept().is_err(),
        "nothing else may have connected"
    );
}

#[tokio::test]
async fn an_egress_list_opens_nothing_that_is_refused_to_everyone() {
    // LE-346, NC-22
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (rule, host) in [
        ("127.0.0.1".to_owned(), "127.0.0.1"),
        (format!("127.0.0.1:{port}"), "127.0.0.1"),
        ("0.0.0.0/0".to_owned(), "127.0.0.1"),
        ("localhost".to_owned(), "localhost"),
        (format!("localhost:{port}"), "localhost"),
    ] {
        let code = format!(
            "exports.handler = async () => fetch('http://{host}:{port}/').then((r) => r.status, (e) => [e.name, e.cause?.code, /LE-346/.test(e.cause?.message)])"
        );
        let f = load_as(&[("index.js", &code)], Compat::Strict, |f| {
            f.egress = Some(vec![rule.parse().unwrap()]);
        })
        .unwrap();
        let got = f.ok(Value::Null).await;
        assert_eq!(got, json!(["TypeError", "ECONNREFUSED", true]), "{rule}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing may have connected");
}

#[tokio::test]
async fn egress_to_the_host_itself_is_refused_whatever_it_is_called() {
    // LE-346, NC-22
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1]",
        // Private networks (LE-A50).
        "10.0.0.1",
        "100.64.0.1",
        "172.31.0.1",
        "192.168.0.1",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
    ] {
        let got = value(&format!(
            "await fetch('http://{host}:{port}/').then((r) => r.status, (e) => [e.name, e.cause?.code, /LE-346/.test(e.cause?.message)])"
        ))
        .await;
        assert_eq!(got, json!(["TypeError", "ECONNREFUSED", true]), "{host}");
        let name = host.trim_matches(['[', ']']);
        let asks = [
            format!("require('http').get({{ host: '{name}', port: {port} }})"),
            format!("require('https').get({{ host: '{name}', port: {port} }})"),
            format!("require('net').connect({{ host: '{name}', port: {port} }})"),
            format!("require('tls').connect({{ host: '{name}', port: {port} }})"),
            format!(
                "require('http').get({{ host: 'public.example', port: {port}, lookup: (n, o, d) => o.all ? d(null, [{{ address: '{name}', family: {family} }}]) : d(null, '{name}', {family}) }})",
                family = if name.contains(':') { 6 } else { 4 }
            ),
        ];
        let all = asks.each_ref().map(|ask| {
            format!("new Promise((done) => {ask}.on('error', (e) => done([e.code, /LE-346/.test(e.message)])))")
        });
        let got = value(&format!("await Promise.all([{}])", all.join(", "))).await;
        let refused = json!(["ECONNREFUSED", true]);
        for (ask, got) in asks.iter().zip(got.as_array().unwrap()) {
            // Node itself takes nothing but addresses from a look-up.
            let no_address = json!(["ERR_INVALID_IP_ADDRESS", false]);
            assert!(
                *got == refused || (*got == no_address && ask.contains("lookup")),
                "{ask}: {got}"
            );
        }
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing may have connected");
}

#[tokio::test]
async fn old_buffers_are_made_with_a_warning_in_modules_too() {
    // NC-14
    for (file, code) in [
        (
            "index.mjs",
            "export const handler = async () => new Buffer('ab').toString('hex') + Buffer(2).length",
        ),
        (
            "index.js",
            "exports.handler = async () => new Buffer('ab').toString('hex') + Buffer(2).length",
        ),
    ] {
        let f = load(&[(file, code)]).unwrap();
        assert_eq!(f.ok(Value::Null).await, "61622");
        let warnings = f.logs();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].1.contains("DEP0005"), "{warnings:?}");
    }
}

#[tokio::test]
async fn what_claims_to_be_the_hosts_is_not_cloned() {
    // LE-345, NC-98
    let got = value(
        "await (async () => {
            const brands = new Set(Object.getOwnPropertySymbols(Blob.prototype).concat(Object.getOwnPropertySymbols(new Blob([])), Symbol.for('Deno.core.hostObject')));
            Object.defineProperty(Object.prototype, 'type', { configurable: true, get: () => 'Blob' });
            const described = [{ type: 'none' }, { type: 'toString' }, { type: '__proto__' }, { type: ['x'] }, { type: { a: 1 } }, { type: 1 }, { type: undefined }, { type: null },
                {}, [], 1, 'text', true, null, undefined, new Map(), new Date(), /x/, new Error('x'), [1], { get type() { return this.n ??= ['x'] } }, { type: 'Blob' }, { type: 'CryptoKey' }];
            const outcomes = [];
            for (const description of described) {
                const forged = {};
                for (const brand of brands) Object.defineProperty(forged, brand, { value: () => description });
                try { structuredClone(forged); outcomes.push('cloned') } catch (e) { outcomes.push('refused') }
                try { structuredClone([forged], { transfer: [] }); outcomes.push('cloned') } catch (e) { outcomes.push('refused') }
                const { port1, port2 } = new MessageChannel();
                const received = new Promise((done) => { port2.onmessage = () => done('cloned'); port2.onmessageerror = () => done('refused'); setTimeout(() => done('refused'), 5) });
                try { port1.postMessage(forged); outcomes.push(await received) } catch (e) { outcomes.push('refused') }
                port1.close();
                try { require('v8').deserialize(require('v8').serialize(forged)) } catch {}
            }
            delete Object.prototype.type;
            const blob = structuredClone({ b: [new Blob(['ok'])] }).b[0];
            return [outcomes.filter((o) => o === 'cloned').length, await blob.text(), structuredClone(new DOMException('a', 'AbortError')).name, structuredClone(new Map([[1, { a: [2n] }]])).get(1).a[0] === 2n];
        })()",
    )
    .await;
    assert_eq!(got, json!([0, "ok", "AbortError", true]));
}

#[tokio::test]
async fn a_function_has_so_many_requests_at_a_time() {
    // NC-98: what connections keep is outside of any heap.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut viewer, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let read = tokio::io::AsyncReadExt::read(&mut viewer, &mut head).await;
                let asked = String::from_utf8_lossy(&head[..read.unwrap_or(0)]).into_owned();
                // What is asked for as `/part` breaks off and goes on no more.
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n";
                let body = if asked.starts_with("GET /part") {
                    "h"
                } else {
                    "hi"
                };
                let answer = format!("{answer}{body}");
                let _ = tokio::io::AsyncWriteExt::write_all(&mut viewer, answer.as_bytes()).await;
                if body == "h" {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    let mut settings = settings();
    settings.host.egress.allow_local = true;
    let pool = HookPool::new(settings);
    let run = async |body: &str| -> Value {
        let code = format!(
            "const url = 'http://127.0.0.1:{port}'; exports.handler = async () => {{ {body} }}"
        );
        let prepared = pool
            .prepare_bundle(
                &function("fetches"),
                Compat::Strict,
                Bundle::from_files([("index.js", code.as_str())]),
            )
            .expect("it loads");
        let call = Call {
            event: b"{}".to_vec(),
            event_type: EventType::OriginRequest,
            timeout: std::time::Duration::from_secs(20),
            request_id: "id".into(),
            viewer_request_id: String::new(),
        };
        let json = pool.invoke(&prepared, call).await.expect("it answers");
        serde_json::from_slice(&json).expect("JSON")
    };
    let told = "const tell = (e) => [e.name, e.message, e.cause.code, e.cause.message.includes('64 requests at a time')];";
    let refused = json!(["TypeError", "fetch failed", "EMFILE", true]);
    // Answered, held, and not read to their end.
    let got = run(&format!("{told} const kept = []; for (let i = 0; i < 64; i++) kept.push(await fetch(url + '/part')); try {{ await fetch(url) }} catch (e) {{ const told = tell(e); await kept[0].body.cancel(); return [told, (await fetch(url)).status] }}")).await;
    assert_eq!(got, json!([refused, 200]));
    // One after the other, whatever becomes of the answers.
    let got = run("let n = 0; for (let i = 0; i < 200; i++) { const r = await fetch(url); if (i % 2) await r.text(); n += r.status === 200 } return n").await;
    assert_eq!(got, json!(200));
}

#[tokio::test]
async fn the_authorities_that_connections_trust_can_be_listed() {
    // NC-33: those that are compiled in; those of the node's system are nobody's to see.
    let got = value(
        "(() => {
            const tls = require('tls'), { X509Certificate } = require('crypto');
            const { rootCertificates: roots, getCACertificates } = tls;
            const made = new X509Certificate(roots[0]);
            return [Array.isArray(roots), roots.length > 100, Object.isFrozen(roots), made.ca, [...roots].every((r) => /^-----BEGIN CERTIFICATE-----\\n[^]*\\n-----END CERTIFICATE-----$/.test(r)),
                getCACertificates().length === roots.length, getCACertificates('bundled').length === roots.length, getCACertificates('system'), getCACertificates('extra')];
        })()",
    )
    .await;
    assert_eq!(
        got,
        json!([true, true, true, true, true, true, true, [], []])
    );
}
