//! What packages of the npm registry have come upon, each in its smallest form.

use fourfront_model::{Compat, Credentials};
use serde_json::{Value, json};

use super::harness::{js, load_as, value};

#[tokio::test]
async fn read_without_a_size_gives_all_that_is_buffered() {
    // NC-23
    // A stream that winston has written its lines to.
    let got = value(
        "(() => {
            const { PassThrough } = require('stream');
            const lines = new PassThrough();
            for (const line of ['a', 'b', 'c']) lines.write(line);
            const objects = new PassThrough({ objectMode: true });
            objects.write(1);
            objects.write(2);
            const text = new PassThrough({ encoding: 'utf8' });
            text.write('d');
            text.end('e');
            return [String(lines.read()), lines.read(), lines.readableLength, text.read(), text.read(), objects.read(), objects.read()];
        })()",
    )
    .await;
    assert_eq!(got, json!(["abc", null, 0, "de", null, 1, 2]));
    let events = js(
        "const { PassThrough } = require('stream');
         exports.handler = async () => {
             const stream = new PassThrough();
             stream.write('one ');
             stream.write('two ');
             stream.end('three');
             const seen = [];
             await new Promise((done) => stream.on('readable', () => { for (let c; (c = stream.read()) !== null;) seen.push(String(c)); }).on('end', done));
             return seen;
         };",
    );
    assert_eq!(events.ok(Value::Null).await, json!(["one two three"]));
}

#[tokio::test]
async fn memory_usage_is_that_of_the_function() {
    // NC-30
    let got = value(
        "(() => {
            const before = process.memoryUsage();
            globalThis.kept = Array.from({ length: 100000 }, (_, i) => ({ i }));
            const after = process.memoryUsage();
            return [before.heapUsed > 100000, after.heapUsed - before.heapUsed > 1000000, after.heapTotal >= after.heapUsed, after.rss >= after.heapTotal];
        })()",
    )
    .await;
    assert_eq!(got, json!([true, true, true, true]));
}

#[tokio::test]
async fn loggers_may_write_to_the_descriptors_of_the_output() {
    // NC-25, NC-30
    let f = js("const fs = require('fs');
         exports.handler = async () => {
             const sync = fs.writeSync(1, 'to output\\n');
             const bytes = await new Promise((done, fail) => fs.write(2, Buffer.from('to error\\n'), (e, n) => e ? fail(e) : done(n)));
             let other;
             try { fs.writeSync(99, 'x'); } catch (e) { other = e.code; }
             return [sync, bytes, other];
         };");
    assert_eq!(f.ok(Value::Null).await, json!([10, 9, "EBADF"]));
    let texts: Vec<String> = f.logs().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["to output", "to error"]);
}

#[tokio::test]
async fn what_sdks_load_and_look_for_at_their_start_is_there_or_missing_as_in_node() {
    // NC-71, NC-25, LE-342
    let code = "const loaded = ['http2', 'child_process', 'os', 'fs/promises', 'node:http2', 'node:async_hooks'].map((n) => typeof require(n));
        const fs = require('fs'), os = require('os'), path = require('path');
        exports.handler = async () => {
            const missing = [];
            for (const file of ['credentials', 'config']) {
                const name = path.join(os.homedir(), '.aws', file);
                missing.push(await fs.promises.readFile(name, 'utf8').catch((e) => e.code), fs.existsSync(name));
            }
            const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION } = process.env;
            return { loaded, missing, keys: [AWS_ACCESS_KEY_ID ?? null, AWS_SECRET_ACCESS_KEY ?? null, AWS_SESSION_TOKEN ?? null], AWS_REGION };
        };";
    let told = |keys: Value| {
        json!({
            "loaded": ["object", "object", "object", "object", "object", "object"],
            "missing": ["ENOENT", false, "ENOENT", false],
            "keys": keys,
            "AWS_REGION": "us-east-1",
        })
    };
    let granted = load_as(&[("index.js", code)], Compat::Relaxed, |f| {
        f.credentials = Some(Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        });
    })
    .expect("the function loads");
    assert_eq!(
        granted.ok(Value::Null).await,
        told(json!(["AKIAIOSFODNN7EXAMPLE", "secret", null]))
    );
    let bare = js(code);
    assert_eq!(bare.ok(Value::Null).await, told(json!([null, null, null])));
}
