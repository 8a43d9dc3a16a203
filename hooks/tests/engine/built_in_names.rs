//! Every built-in there is in Node, and what those say that cannot be had here.

use serde_json::{Value, json};

use super::harness::{js, load, value};

/// `module.builtinModules` of Node 22, and what is there under `node:` alone.
const NAMES: &[&str] = &[
    "_http_agent",
    "_http_client",
    "_http_common",
    "_http_incoming",
    "_http_outgoing",
    "_http_server",
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_wrap",
    "_stream_writable",
    "_tls_common",
    "_tls_wrap",
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "dns/promises",
    "domain",
    "events",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "inspector/promises",
    "module",
    "net",
    "os",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "readline/promises",
    "repl",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "sys",
    "timers",
    "timers/promises",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "util/types",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

#[tokio::test]
async fn every_built_in_loads_and_can_be_copied_key_by_key() {
    // NC-1, NC-2, NC-3, LE-356, LE-358
    let f = js(
        "exports.handler = async (names) => {
            const wrong = [];
            for (const name of names) try {
                const m = require(name);
                if (m !== require('node:' + name)) wrong.push([name, 'is another with its scheme']);
                for (const key of Object.getOwnPropertyNames(m)) m[key];
                Object.assign({}, m);
                if (!Object.isExtensible(m)) wrong.push([name, 'cannot be added to']);
            } catch (e) { wrong.push([name, e.stack]) }
            const { builtinModules, isBuiltin } = require('module');
            for (const name of names) if (!builtinModules.includes(name) || !isBuiltin(name)) wrong.push([name, 'is not listed']);
            for (const name of builtinModules) if (!names.includes(name)) wrong.push([name, 'is listed']);
            return wrong;
        }",
    );
    assert_eq!(f.ok(json!(NAMES)).await, json!([]));
    let schemes: Vec<_> = ["sqlite", "test", "test/reporters"].to_vec();
    let f = js("exports.handler = async (names) => names.map((n) => {
            let without; try { require(n) } catch (e) { without = e.code }
            return [typeof require('node:' + n), without];
        })");
    let got = f.ok(json!(schemes)).await;
    assert_eq!(
        got,
        json!([
            ["object", "MODULE_NOT_FOUND"],
            ["function", "MODULE_NOT_FOUND"],
            ["object", "MODULE_NOT_FOUND"]
        ])
    );
}

#[tokio::test]
async fn imports_have_every_name_that_require_has() {
    // NC-3
    let imports: String = NAMES
        .iter()
        .enumerate()
        .map(|(i, n)| format!("import * as n{i} from '{n}';\n"))
        .collect();
    let list: String = NAMES
        .iter()
        .enumerate()
        .map(|(i, n)| format!("['{n}', n{i}],"))
        .collect();
    let code = format!(
        "{imports}
        import {{ createRequire }} from 'module';
        const require = createRequire(import.meta.url);
        export const handler = async () => [{list}].flatMap(([name, space]) => {{
            const all = require(name);
            const wrong = [];
            if (space.default !== all) wrong.push([name, 'default']);
            for (const key of Object.keys(all)) if (!(key in space) && key !== 'default' && !/^_(events|eventsCount|maxListeners)$/.test(key)) wrong.push([name, key]);
            return wrong;
        }})"
    );
    let f = load(&[("index.mjs", &code)]).unwrap();
    assert_eq!(f.ok(Value::Null).await, json!([]));
}

#[tokio::test]
async fn what_cannot_be_had_says_so_as_node_would_deliver_it() {
    // NC-90, NC-94, NC-96, NC-97, LE-359
    let got = value(
        "await (async () => {
            const code = (act) => { try { act(); return 'nothing' } catch (e) { return [e.code, e.message] } };
            const cp = require('child_process');
            const event = (emitter) => new Promise((done) => emitter.on('error', (e) => done([e.code, e.message])));
            return {
                spawnSync: code(() => cp.spawnSync('ls')),
                execSync: code(() => cp.execSync('ls')),
                spawn: await event(cp.spawn('ls')),
                exec: await new Promise((done) => cp.exec('ls', (e, out) => done([e.code, out]))),
                promised: await require('util').promisify(cp.execFile)('ls').catch((e) => e.code),
                fork: code(() => require('cluster').fork()),
                worker: code(() => new (require('worker_threads').Worker)('x.js')),
                main: require('worker_threads').isMainThread,
                http2: code(() => require('http2').connect('https://a')),
                header: require('http2').constants.HTTP2_HEADER_STATUS,
                inspector: code(() => require('inspector').open()),
                snapshot: code(() => require('v8').writeHeapSnapshot()),
                flags: code(() => require('v8').setFlagsFromString('--expose-gc')),
                wasi: code(() => new (require('wasi').WASI)({})),
                sqlite: code(() => new (require('node:sqlite').DatabaseSync)(':memory:')),
                kill: code(() => process.kill(process.pid, 0)),
                udp: await new Promise((done) => require('dgram').createSocket('udp4').send('x', 53, '127.0.0.1', (e) => done(e.code))),
            };
        })()",
    )
    .await;
    let denied = |name: &str| {
        json!([
            "ERR_ACCESS_DENIED",
            format!("fourfront: {name} is not available in functions")
        ])
    };
    let missing = |name: &str| {
        json!([
            "ERR_METHOD_NOT_IMPLEMENTED",
            format!("fourfront: {name} is not available in functions")
        ])
    };
    assert_eq!(
        got,
        json!({
            "spawnSync": denied("child_process.spawnSync"),
            "execSync": denied("child_process.execSync"),
            "spawn": denied("child_process.spawn"),
            "exec": ["ERR_ACCESS_DENIED", ""],
            "promised": "ERR_ACCESS_DENIED",
            "fork": denied("cluster.fork"),
            "worker": denied("worker_threads.Worker"),
            "main": true,
            "http2": missing("http2.connect"),
            "header": ":status",
            "inspector": denied("inspector.open"),
            "snapshot": denied("v8.writeHeapSnapshot"),
            "flags": denied("v8.setFlagsFromString"),
            "wasi": missing("wasi.WASI"),
            "sqlite": missing("sqlite.DatabaseSync"),
            "kill": denied("process.kill"),
            "udp": "EACCES",
        })
    );
}

#[tokio::test]
async fn scripts_run_in_contexts_within_the_same_limits() {
    // NC-95, LE-250
    let got = value(
        "await (async () => {
            const vm = require('vm');
            const context = vm.createContext({ x: 2 });
            const late = (() => { try { vm.runInContext('for (;;);', context, { timeout: 5 }) } catch (e) { return e.code } })();
            return [vm.runInContext('x + 1', context), vm.runInNewContext('typeof WebAssembly'), new vm.Script('this === globalThis').runInThisContext(),
                late, eval('1 + 1'), new Function('a', 'return a')(3), vm.runInNewContext('typeof process + typeof require')];
        })()",
    )
    .await;
    assert_eq!(
        got,
        json!([
            3,
            "undefined",
            true,
            "ERR_SCRIPT_EXECUTION_TIMEOUT",
            2,
            3,
            "undefinedundefined"
        ])
    );
    let mut f = js(
        "const vm = require('vm'); const context = vm.createContext({});
         exports.handler = async () => { for (;;) try { vm.runInContext('for (;;);', context, { timeout: 2 }) } catch {} }",
    );
    f.timeout = std::time::Duration::from_millis(100);
    assert!(matches!(
        f.fault().await,
        fourfront_hooks::ExecutionFault::Timeout { .. }
    ));
}
