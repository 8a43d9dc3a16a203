//! What the runtimes of CloudFront Functions offer (LE section 8): globals, modules, stores and origin helpers.

use fourfront_hooks::FaultClass;
use fourfront_model::{CffRuntime, Compat, StoreContents};
use serde_json::{Value, json};

use super::{
    cff::{V1, V2, cff, cff_function, load_in, store, value, value_in_both},
    harness::POOL,
};

#[tokio::test]
async fn each_runtime_has_its_own_globals() {
    // LE-456, LE-457, LE-460
    let (both, two, one) = (
        "function",
        ["undefined", "function"],
        ["function", "undefined"],
    );
    for (expression, expected) in [
        ("typeof Promise", [both, both]),
        ("typeof Promise.all", two),
        ("typeof Promise.allSettled", two),
        ("typeof Buffer", two),
        ("typeof atob", two),
        ("typeof btoa", two),
        ("typeof TextEncoder", two),
        ("typeof TextDecoder", two),
        ("typeof ''.replaceAll", two),
        ("typeof Symbol.for", two),
        ("typeof String.bytesFrom", one),
        ("typeof ''.fromBytes", one),
        ("typeof ''.toUTF8", one),
    ] {
        for (runtime, expected) in CffRuntime::ALL.into_iter().zip(expected) {
            assert_eq!(
                value(runtime, expression).await,
                expected,
                "{expression} {runtime}"
            );
        }
    }
}

#[tokio::test]
async fn templates_arrows_rest_parameters_and_powers_work_in_both_runtimes() {
    // LE-450, LE-453
    let expression = "(function () { var f = (a, ...rest) => `${a}:${rest.length}`; return [f(1, 2, 3), 2 ** 5]; })()";
    assert_eq!(value_in_both(expression).await, json!(["1:2", 32]));
}

#[tokio::test]
async fn time_stands_still_and_random_is_seeded_anew() {
    // LE-439, LE-462
    let still = "(function () {
        var a = Date.now(), b = new Date();
        for (var i = 0; i < 100000; i++) {}
        return [Date.now() - a, new Date() - b, b instanceof Date, typeof Date(), new Date(5).getTime(), Date.UTC(1970, 0, 2), new Date(2020, 0).getFullYear()];
      })()";
    assert_eq!(
        value_in_both(still).await,
        json!([0, 0, true, "string", 5, 86_400_000, 2020])
    );
    let f = cff(
        V1,
        "function handler() { return { a: Math.random(), b: Math.random() }; }",
    );
    let (one, other) = (f.ok().await, f.ok().await);
    assert_ne!(one, other);
    for run in [&one, &other] {
        let (a, b) = (run["a"].as_f64().unwrap(), run["b"].as_f64().unwrap());
        assert!(a != b && (0.0..1.0).contains(&a) && (0.0..1.0).contains(&b));
    }
}

#[tokio::test]
async fn hashes_and_hmacs_are_those_of_node() {
    // LE-458, LE-461
    let hmac = "require('crypto').createHmac('sha256', 'key').update('a').update('b')";
    for (encoding, length) in [("hex", 64), ("base64", 44), ("base64url", 43)] {
        let digest = value_in_both(&format!("{hmac}.digest('{encoding}')")).await;
        assert_eq!(digest.as_str().map(str::len), Some(length), "{encoding}");
    }
    assert_eq!(
        value_in_both(&format!("{hmac}.digest('hex')")).await,
        value_in_both(&format!(
            "{}.digest('hex')",
            hmac.replace("update('a').update('b')", "update('ab')")
        ))
        .await
    );
    for (algorithm, hex) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "sha256",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
    ] {
        let expression =
            format!("require('crypto').createHash('{algorithm}').update('abc').digest('hex')");
        assert_eq!(value_in_both(&expression).await, hex);
    }
    // RFC 4231, test case 2.
    assert_eq!(
        value_in_both("require('crypto').createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('hex')").await,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        value(V1, "(function (d) { return [typeof d, d.length]; })(require('crypto').createHash('md5').update('abc').digest())").await,
        json!(["string", 16])
    );
    assert_eq!(
        value(V2, "((d) => [Buffer.isBuffer(d), d.length])(require('crypto').createHash('md5').update('abc').digest())").await,
        json!([true, 16])
    );
    // A digest as the next key, as signatures of AWS want it: text of bytes in 1.0, a buffer in 2.0.
    let chained = "(function (c) { return c.createHmac('sha256', c.createHmac('sha256', 'a').update('b').digest()).update('c').digest('hex'); })(require('crypto'))";
    assert_eq!(
        value_in_both(chained).await,
        "afb366b1e7d0ffd4e7c273ecd31eb15ce01301c2c39155f3a8ddd8190ef26edc"
    );
    let f = cff(
        V2,
        "function handler() { var h = require('crypto').createHash('md5'); h.digest('hex'); return h.digest('hex'); }",
    );
    assert!(f.fails().await.2.contains("Digest already called"));
    let f = cff(
        V1,
        "function handler() { return require('crypto').createHash('sha512'); }",
    );
    assert!(f.fails().await.2.contains("not supported algorithm"));
}

#[tokio::test]
async fn query_strings_are_taken_apart_and_put_together() {
    // LE-459
    let qs = "require('querystring')";
    for (expression, expected) in [
        (
            "parse('a=1&b=2&a=3&c')",
            json!({ "a": ["1", "3"], "b": "2", "c": "" }),
        ),
        ("decode('x%20y=%C3%A4+b')", json!({ "x y": "ä b" })),
        ("parse('a:1;b:2', ';', ':')", json!({ "a": "1", "b": "2" })),
        (
            "parse('a=1&b=2', null, null, { maxKeys: 1 })",
            json!({ "a": "1" }),
        ),
        (
            "stringify({ a: [1, 2], b: 'x y', c: true, d: null })",
            json!("a=1&a=2&b=x%20y&c=true&d="),
        ),
        ("encode({ 'ä': '&' }, ';', ':')", json!("%C3%A4:%26")),
        ("escape('a b=ä')", json!("a%20b%3D%C3%A4")),
        ("unescape('a%20b%')", json!("a b%")),
    ] {
        assert_eq!(
            value_in_both(&format!("{qs}.{expression}")).await,
            expected,
            "{expression}"
        );
    }
    let many = "Object.keys(require('querystring').parse(Array.from({ length: 1500 }, function (_, i) { return 'k' + i; }).join('&'))).length";
    assert_eq!(value_in_both(many).await, 1000);
}

#[tokio::test]
async fn buffers_hold_bytes_in_2_0() {
    // LE-456
    for (expression, expected) in [
        ("Buffer.from('ä').toString('hex')", json!("c3a4")),
        ("Buffer.from('c3a4', 'hex').toString()", json!("ä")),
        (
            "Buffer.from('-_8', 'base64url').toString('base64')",
            json!("+/8="),
        ),
        (
            "Buffer.from('+/8=', 'base64').toString('base64url')",
            json!("-_8"),
        ),
        (
            "Buffer.from([1, 2, 258])",
            json!({ "type": "Buffer", "data": [1, 2, 2] }),
        ),
        (
            "Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString()",
            json!("ab"),
        ),
        ("Buffer.alloc(3, 'ab').toString()", json!("aba")),
        ("Buffer.byteLength('ä')", json!(2)),
        (
            "Buffer.compare(Buffer.from('a'), Buffer.from('b'))",
            json!(-1),
        ),
        ("Buffer.from('abc').equals(Buffer.from('abc'))", json!(true)),
        ("Buffer.from('abcabc').indexOf('ca')", json!(2)),
        ("Buffer.from('abcabc').lastIndexOf('abc')", json!(3)),
        ("Buffer.from('abc').slice(1).toString()", json!("bc")),
        ("Buffer.from('abc') instanceof Uint8Array", json!(true)),
        (
            "Buffer.isBuffer(Buffer.from('abc').subarray(1))",
            json!(true),
        ),
        (
            "Buffer.from([1, 2, 3, 4]).readUInt32BE(0)",
            json!(16_909_060),
        ),
        (
            "((b) => [b.writeInt16LE(-2, 0), b.readInt16LE(0)])(Buffer.alloc(2))",
            json!([2, -2]),
        ),
        ("require('buffer').Buffer === Buffer", json!(true)),
        (
            "[btoa('ab'), atob('YWI='), atob(' YW I ')]",
            json!(["YWI=", "ab", "ab"]),
        ),
        (
            "Array.from(new TextEncoder().encode('ä'))",
            json!([195, 164]),
        ),
        (
            "new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 195, 164]))",
            json!("ä"),
        ),
    ] {
        assert_eq!(value(V2, expression).await, expected, "{expression}");
    }
    for failing in [
        "Buffer.from('a', 'latin9')",
        "atob('*')",
        "btoa('\\u0100')",
        "new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))",
        "new TextDecoder('utf-16')",
    ] {
        let f = cff(V2, &format!("function handler() {{ return {failing}; }}"));
        assert_eq!(
            f.fails().await.0,
            FaultClass::FunctionExecution,
            "{failing}"
        );
    }
}

#[tokio::test]
async fn strings_of_bytes_are_there_in_1_0() {
    // LE-457
    for (expression, expected) in [
        ("String.bytesFrom([0x61, 0xe4])", json!("a\u{e4}")),
        ("String.bytesFrom('YWI', 'base64url')", json!("ab")),
        ("String.bytesFrom('6162', 'hex')", json!("ab")),
        ("'ä'.toUTF8().length", json!(2)),
        ("'ä'.toUTF8().fromUTF8()", json!("ä")),
        ("'abc'.toBytes(1)", json!("bc")),
        ("'\\u0100'.toBytes()", Value::Null),
        ("String.bytesFrom([255]).fromUTF8()", Value::Null),
        ("String.bytesFrom([0xe4]).fromBytes()", json!("ä")),
    ] {
        assert_eq!(value(V1, expression).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn a_store_is_read_by_its_function() {
    // LE-461, LE-470, LE-471, LE-472, LE-473
    let read = |expression: &str| {
        cff(
            V2,
            &format!(
                "import cf from 'cloudfront';\nconst kvs = cf.kvs();\nasync function handler() {{ return {{ value: {expression} }}; }}"
            ),
        )
    };
    for (expression, expected) in [
        ("await kvs.get('plain')", json!("text")),
        (
            "await kvs.get('json', { format: 'json' })",
            json!({ "a": [1] }),
        ),
        (
            "(await kvs.get('umlaut', { format: 'bytes' })).length",
            json!(2),
        ),
        (
            "[await kvs.exists('plain'), await kvs.exists('gone')]",
            json!([true, false]),
        ),
        (
            "await kvs.get('gone').catch((e) => e.name)",
            json!("KeyNotFound"),
        ),
        (
            "await Promise.all([kvs.get('plain'), cf.kvs('0a1b').get('plain'), cf.kvs('routes').get('plain')])",
            json!(["text", "text", "text"]),
        ),
        (
            "(await kvs.meta())",
            json!({ "creationDateTime": "1970-01-01T00:00:00.000Z", "lastUpdatedDateTime": "1970-01-02T00:00:00.000Z", "keyCount": 3 }),
        ),
        ("typeof kvs.count", json!("undefined")),
        (
            "(() => { try { cf.kvs('other'); } catch (e) { return e.name; } })()",
            json!("KVSNamespaceNotFound"),
        ),
    ] {
        assert_eq!(
            read(expression).ok().await["value"],
            expected,
            "{expression}"
        );
    }
    let uncaught = read("await kvs.get('gone')").fails().await;
    assert_eq!(uncaught.0, FaultClass::FunctionExecution);
}

#[tokio::test]
async fn a_store_that_is_not_associated_is_refused_before_any_run() {
    // LE-470, LE-485
    let code = "import cf from 'cloudfront'; const kvs = cf.kvs(); function handler(e) { return e.request; }";
    let refused = |runtime, code: &str| {
        load_in(&POOL, &cff_function(runtime, None), Compat::Strict, code)
            .err()
            .expect("it is refused")
            .to_string()
    };
    assert!(refused(V2, code).contains("no key-value store is associated"));
    assert!(refused(V1, &code.replace("const", "var")).contains("LE-461"));
    assert!(
        refused(V1, "var cf = require('cloudfront'); function handler() {}").contains("LE-485")
    );
    // LE-442, LE-463
    assert!(refused(V2, "function handler(e) { return e..x }").contains("index.js:1:"));
    assert!(refused(V2, "\n\nvar a = ;").contains("index.js:3:9"));
    assert!(refused(V2, "function other() {}").contains("no top-level function `handler`"));
    assert!(refused(V1, "const a = 1; function handler() {}").contains("LE-451"));
}

#[tokio::test]
async fn origin_helpers_are_noted_beside_the_result_and_the_last_one_counts() {
    // LE-475, LE-479, LE-480, LE-481
    let f = cff(
        V2,
        "import cf from 'cloudfront';
         function handler(e) {
           cf.selectRequestOriginById('other');
           cf.updateRequestOrigin({ domainName: 'a.test', customHeaders: { 'x-a': '1' } });
           cf.logCustomData('first'); cf.logCustomData('se\"cond');
           return e.request;
         }",
    );
    let event = |kind: &str| json!({ "context": { "eventType": kind }, "request": { "uri": "/" } });
    assert_eq!(
        f.run(event("viewer-request")).await.expect("it answers"),
        json!({
            "result": { "uri": "/" },
            "origin": { "update": { "domainName": "a.test", "customHeaders": { "x-a": "1" } } },
            "data": "se\"cond",
        })
    );
    let fault = f.run(event("viewer-response")).await.expect_err("it fails");
    assert_eq!(fault.class(), FaultClass::FunctionExecution);
    assert!(fault.to_string().contains("viewer-request functions only"));
    // Nothing is left for the next run.
    let quiet = cff(
        V2,
        "import cf from 'cloudfront'; var n = 0; function handler(e) { return e.request; }",
    );
    let answer = quiet
        .run(event("viewer-request"))
        .await
        .expect("it answers");
    assert_eq!(answer, json!({ "result": { "uri": "/" } }));
}

#[tokio::test]
async fn a_changed_store_is_read_by_the_next_run_of_the_same_function() {
    // CP-204
    let store = store();
    let code = "import cf from 'cloudfront';\nasync function handler() { return { value: await cf.kvs().get('plain'), keys: (await cf.kvs().meta()).keyCount }; }";
    let function = cff_function(V2, Some(store.clone()));
    let cff = load_in(&POOL, &function, Compat::Strict, code).unwrap();
    assert_eq!(cff.ok().await, json!({ "value": "text", "keys": 3 }));
    store.data.set(StoreContents {
        entries: [("plain".to_owned(), "other".to_owned())].into(),
        ..StoreContents::clone(&store.data.now())
    });
    assert_eq!(cff.ok().await, json!({ "value": "other", "keys": 1 }));
}
