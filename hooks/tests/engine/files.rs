//! `fs` (NC-25, NC-26, LE-345): Node's results, from Node, and the tree a function sees.

use fourfront_hooks::{Call, ExecutionFault, HookFault, HookPool};
use fourfront_model::{Compat, EventType};
use serde_json::{Value, json};

use super::harness::{Tried, js, load, load_as, settings, value};

const INDEX: &str = include_str!("files/index.js");
const RELATIVE: &str = include_str!("files/relative.js");

/// Runs one of the tours; Node has run it too, and written what it printed.
async fn tour(name: &str, code: &str, printed: &str) {
    let tried = load(&[
        ("index.js", INDEX),
        ("relative.js", RELATIVE),
        (&format!("{name}.js"), code),
    ])
    .expect("the function loads");
    let got = tried.ok(json!({ "name": name })).await;
    let got: Vec<&str> = got.as_str().unwrap_or_default().lines().collect();
    let printed: Vec<&str> = printed.lines().collect();
    for (ours, node) in got.iter().zip(&printed) {
        assert_eq!(ours, node, "{name}");
    }
    assert_eq!(got.len(), printed.len());
}

#[tokio::test]
async fn every_function_does_what_node_s_does() {
    // NC-25
    tour(
        "tour",
        include_str!("files/tour.js"),
        include_str!("files/tour.txt"),
    )
    .await;
}

#[tokio::test]
async fn every_refusal_is_worded_as_node_words_it() {
    // NC-26
    tour(
        "errors",
        include_str!("files/errors.js"),
        include_str!("files/errors.txt"),
    )
    .await;
}

#[tokio::test]
async fn the_bundle_is_read_in_every_way_and_nothing_else_is_there() {
    // NC-25
    let f = load(&[
        (
            "index.js",
            "const fs = require('fs'), path = require('path');
             exports.handler = async () => ({
               cwd: fs.readFileSync('config.json', 'utf8'), here: fs.readFileSync(path.join(__dirname, 'config.json')).length,
               root: fs.readFileSync(`${process.env.LAMBDA_TASK_ROOT}/config.json`).length, resolve: fs.readFileSync(path.resolve('config.json')).length,
               url: fs.readFileSync(new URL('file:///var/task/config.json')).length, buffer: fs.readFileSync(Buffer.from('config.json')).length,
               promise: await fs.promises.readFile('config.json', 'latin1'), tree: ['/', '/var', '/opt', '/tmp', '.', 'd'].map((d) => fs.readdirSync(d)),
               nothing: ['/etc/passwd', '/proc/self/environ', '/var/task/../../etc/passwd', '/home', '/dev/null'].map((f) => fs.existsSync(f)),
               mode: [fs.statSync('config.json').mode.toString(8), fs.statSync('d').isDirectory(), fs.lstatSync('.').isDirectory()],
               whole: fs.readSync(fs.openSync('config.json'), Buffer.alloc(100)), far: fs.readSync(fs.openSync('config.json'), Buffer.alloc(100), 0, 100, 5) })",
        ),
        ("config.json", "{\"a\":1}"),
        ("d/x", ""),
    ])
    .expect("the function loads");
    assert_eq!(
        f.ok(Value::Null).await,
        json!({ "cwd": "{\"a\":1}", "here": 7, "root": 7, "resolve": 7, "url": 7, "buffer": 7, "promise": "{\"a\":1}",
                "tree": [["opt", "tmp", "var"], ["task"], [], [], ["config.json", "d", "index.js"], ["x"]],
                "nothing": [false, false, false, false, false], "mode": ["100644", true, true], "whole": 7, "far": 2 })
    );
}

#[tokio::test]
async fn nothing_is_written_outside_tmp() {
    // NC-26
    let got = value(
        "(() => { const fs = require('fs'); const of = (f) => { try { f(); return 'done' } catch (e) { return `${e.code} ${e.syscall}` } };
           fs.writeFileSync('/tmp/mine', '1');
           return [of(() => fs.writeFileSync('index.js', '')), of(() => fs.appendFileSync('/var/task/new', '')), of(() => fs.mkdirSync('/x')),
             of(() => fs.mkdirSync('/var/task')), of(() => fs.unlinkSync('index.js')), of(() => fs.rmSync('/var/task', { recursive: true })),
             of(() => fs.renameSync('index.js', 'b.js')), of(() => fs.renameSync('/tmp/mine', '/var/task/mine')), of(() => fs.chmodSync('index.js', 0)),
             of(() => fs.utimesSync('/opt', 1, 1)), of(() => fs.truncateSync('index.js')), of(() => fs.copyFileSync('/tmp/mine', 'mine')),
             of(() => fs.symlinkSync('/tmp/mine', 'mine')), of(() => fs.linkSync('index.js', '/tmp/l')), of(() => fs.accessSync('index.js', 2)),
             of(() => fs.mkdtempSync('/var/task/t')), of(() => fs.createWriteStream), of(() => fs.openSync('index.js', 'r+')), of(() => fs.rmSync('/tmp', { recursive: true }))] })()",
    )
    .await;
    assert_eq!(
        got,
        json!([
            "EROFS open",
            "EROFS open",
            "EROFS mkdir",
            "EEXIST mkdir",
            "EROFS unlink",
            "EROFS rmdir",
            "EROFS rename",
            "EXDEV rename",
            "EROFS chmod",
            "EROFS utime",
            "EROFS open",
            "EROFS copyfile",
            "EROFS symlink",
            "EXDEV link",
            "EROFS access",
            "EROFS mkdtemp",
            "done",
            "EROFS open",
            "ENOTEMPTY rmdir"
        ])
    );
}

#[tokio::test]
async fn links_and_dots_lead_nowhere_else() {
    // NC-26
    let got = value(
        "(() => { const fs = require('fs'); const of = (f) => { try { return f() } catch (e) { return e.code } };
           fs.symlinkSync('/etc/passwd', '/tmp/a'); fs.symlinkSync('../../../../etc', '/tmp/b'); fs.symlinkSync('/proc/self/root', '/tmp/c'); fs.symlinkSync('/', '/tmp/d');
           return [of(() => fs.readFileSync('/tmp/a')), of(() => fs.readdirSync('/tmp/b')), of(() => fs.readFileSync('/tmp/c/etc/hostname')), of(() => fs.readdirSync('/tmp/d')),
             of(() => fs.readFileSync('/tmp/d/tmp/d/var/../etc/hosts')), of(() => fs.realpathSync('/tmp/d/var/task')), of(() => fs.readFileSync('../../../../../../etc/hostname')),
             of(() => fs.writeFileSync('/tmp/a', 'x'))] })()",
    )
    .await;
    assert_eq!(
        got,
        json!([
            "ENOENT",
            "ENOENT",
            "ENOENT",
            ["opt", "tmp", "var"],
            "ENOENT",
            "/var/task",
            "ENOENT",
            "ENOENT"
        ])
    );
}

#[tokio::test]
async fn tmp_lives_with_the_isolate_and_is_its_own() {
    // LE-345
    let count = "const fs = require('fs'); exports.handler = async () => { fs.appendFileSync('/tmp/calls', '.'); return fs.readdirSync('/tmp').concat(fs.statSync('/tmp/calls').size) }";
    let first = js(count);
    assert_eq!(first.ok(Value::Null).await, json!(["calls", 1]));
    assert_eq!(first.ok(Value::Null).await, json!(["calls", 2]));
    // Another function, another `/tmp`.
    assert_eq!(js(count).ok(Value::Null).await, json!(["calls", 1]));
}

async fn call(pool: &HookPool, tried: &Tried) -> Value {
    let call = Call {
        event: b"null".to_vec(),
        event_type: EventType::ViewerRequest,
        timeout: tried.timeout,
        request_id: "id".into(),
        viewer_request_id: String::new(),
    };
    let json = pool.invoke(&tried.prepared, call).await.expect("it runs");
    serde_json::from_slice(&json).expect("results are JSON")
}

#[tokio::test]
async fn a_full_tmp_says_so_and_works_again_once_there_is_room() {
    // LE-261, LE-345, NC-26, NC-98
    let mut settings = settings();
    settings.host.tmp_bytes = 100_000;
    let pool = HookPool::new(settings);
    let code = "const fs = require('fs'); exports.handler = async () => {
        const of = (f) => { try { f(); return 'done' } catch (e) { return e.message } };
        const fd = fs.openSync('/tmp/a', 'w');
        return [of(() => fs.writeFileSync('/tmp/b', Buffer.alloc(60000))), of(() => fs.writeSync(fd, Buffer.alloc(50000))), of(() => fs.truncateSync('/tmp/b', 200000)),
          fs.statfsSync('/tmp').bavail < 10, of(() => fs.copyFileSync('/tmp/b', '/tmp/c')), of(() => fs.unlinkSync('/tmp/b')), of(() => fs.writeSync(fd, Buffer.alloc(90000))),
          await new Promise((r) => fs.createWriteStream('/tmp/d').on('error', (e) => r(e.code)).end(Buffer.alloc(50000))) ] }";
    let name = super::harness::unique("full");
    let function = super::harness::function(&name);
    let bundle = fourfront_hooks::bundle::Bundle::from_files([("index.js", code)]);
    let prepared = pool
        .prepare_bundle(&function, Compat::Strict, bundle)
        .expect("it loads");
    let tried = Tried {
        name,
        prepared,
        timeout: std::time::Duration::from_secs(5),
    };
    assert_eq!(
        call(&pool, &tried).await,
        json!([
            "done",
            "ENOSPC: no space left on device, write",
            "ENOSPC: no space left on device, ftruncate",
            true,
            "ENOSPC: no space left on device, copyfile '/tmp/b' -> '/tmp/c'",
            "done",
            "done",
            "ENOSPC"
        ])
    );
}

#[tokio::test]
async fn files_count_against_the_function_s_memory() {
    // LE-264, LE-345, NC-98
    let f = load_as(
        &[(
            "index.js",
            "const fs = require('fs'); exports.handler = async () => { let n = 0; const piece = Buffer.alloc(4 << 20);
               try { for (;; n++) fs.appendFileSync('/tmp/big', piece) } catch (e) { fs.unlinkSync('/tmp/big'); return [e.code, n > 4, n < 32] } }",
        )],
        Compat::Strict,
        |f| f.memory_mb = Some(128),
    )
    .expect("it loads");
    assert_eq!(f.ok(Value::Null).await, json!(["ENOSPC", true, true]));
    // What was freed can be used again, by the same isolate.
    assert_eq!(f.ok(Value::Null).await, json!(["ENOSPC", true, true]));
}

#[tokio::test]
async fn streams_open_read_write_and_close_in_node_s_order() {
    // NC-25
    let got = value(
        "await (async () => { const fs = require('fs'); const { pipeline } = require('stream/promises'); const seen = [];
           const w = fs.createWriteStream('/tmp/s', { encoding: 'latin1', flags: 'w' });
           for (const e of ['open', 'ready', 'finish', 'close']) w.on(e, () => seen.push(e));
           w.write('hello '); w.end('w\\u00f6rld'); await new Promise((r) => w.on('close', r));
           const parts = []; const r = fs.createReadStream('/tmp/s', { start: 2, end: 8, highWaterMark: 3 });
           for (const e of ['open', 'ready', 'end', 'close']) r.on(e, () => seen.push(`r:${e}`));
           for await (const part of r) parts.push(part.toString('latin1'));
           await pipeline(fs.createReadStream('/tmp/s'), fs.createWriteStream('/tmp/t', { start: 0 }));
           const missing = await new Promise((r) => fs.createReadStream('/tmp/none').on('error', (e) => r(e.message)));
           const refused = await new Promise((r) => fs.createWriteStream('/var/task/x').on('error', (e) => r(e.message)));
           const h = await fs.promises.open('/tmp/s'); let lines = ''; for await (const c of h.createReadStream({ encoding: 'latin1' })) lines += c;
           const gz = require('zlib').gzipSync('zipped'); fs.writeFileSync('/tmp/z', gz); let un = '';
           for await (const c of fs.createReadStream('/tmp/z').pipe(require('zlib').createGunzip())) un += c;
           return { seen, parts, written: w.bytesWritten, read: r.bytesRead, copied: fs.readFileSync('/tmp/t', 'latin1'), missing, refused, lines, un, path: r.path,
             classes: [r instanceof fs.ReadStream, w instanceof fs.WriteStream, r instanceof require('stream').Readable] } })()",
    )
    .await;
    assert_eq!(
        got,
        json!({ "seen": ["open", "ready", "finish", "close", "r:open", "r:ready", "r:end", "r:close"], "parts": ["llo", " w\u{f6}", "r"],
                "written": 11, "read": 7, "copied": "hello w\u{f6}rld", "missing": "ENOENT: no such file or directory, open '/tmp/none'",
                "refused": "EROFS: read-only file system, open '/var/task/x'", "lines": "hello w\u{f6}rld", "un": "zipped", "path": "/tmp/s",
                "classes": [true, true, true] })
    );
}

#[tokio::test]
async fn modes_bind_and_descriptors_run_out() {
    // NC-25, NC-98
    let got = value(
        "(() => { const fs = require('fs'); const of = (f) => { try { return f() } catch (e) { return e.code } };
           fs.writeFileSync('/tmp/secret', 'x', { mode: 0 }); fs.mkdirSync('/tmp/closed'); fs.writeFileSync('/tmp/closed/x', ''); fs.chmodSync('/tmp/closed', 0o400);
           const open = []; let code; try { for (;;) open.push(fs.openSync('index.js')) } catch (e) { code = e.code }
           open.forEach((fd) => fs.closeSync(fd));
           return [of(() => fs.readFileSync('/tmp/secret')), of(() => fs.accessSync('/tmp/secret', 4)), of(() => fs.readFileSync('/tmp/closed/x')), of(() => fs.readdirSync('/tmp/closed')),
             of(() => fs.writeFileSync('/tmp/closed/y', '')), code, open.length, of(() => fs.chownSync('/tmp/secret', 0, 0)), fs.openSync('index.js')] })()",
    )
    .await;
    assert_eq!(
        got,
        json!([
            "EACCES",
            "EACCES",
            "EACCES",
            ["x"],
            "EACCES",
            "EMFILE",
            1021,
            "EPERM",
            3
        ])
    );
}

#[tokio::test]
async fn standard_descriptors_go_to_the_log() {
    // NC-30
    let f = js(
        "const fs = require('fs'); exports.handler = async () => { fs.writeSync(1, 'one\\ntwo\\n'); fs.writeFileSync(2, 'err\\n'); return [fs.readFileSync(0, 'utf8'), fs.fstatSync(1).isFile()] }",
    );
    assert_eq!(f.ok(Value::Null).await, json!(["", false]));
    let logs: Vec<String> = f.logs().into_iter().map(|(_, text)| text).collect();
    assert_eq!(logs, ["one\ntwo", "err"]);
}

#[tokio::test]
async fn watching_is_refused_by_name() {
    // NC-97
    let got = value(
        "['watch', 'watchFile', 'glob'].map((n) => { try { require('fs')[n]('x', () => {}) } catch (e) { return [e.code, e.message] } })",
    )
    .await;
    assert_eq!(
        got[0],
        json!([
            "ERR_METHOD_NOT_IMPLEMENTED",
            "fourfront: fs.watch is not available in functions"
        ])
    );
    assert_eq!(got[2][0], "ERR_METHOD_NOT_IMPLEMENTED");
}

#[tokio::test]
async fn a_failing_callback_is_nobody_s_to_catch() {
    // NC-26, LE-317
    let f = js(
        "exports.handler = (e, c, cb) => { require('fs').readFile('/none', (e) => { throw e }) }",
    );
    let ended = f.raw(Value::Null, "id").await;
    match ended {
        Err(HookFault::Execution(ExecutionFault::Thrown { message, .. })) => {
            assert!(message.contains("ENOENT"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
