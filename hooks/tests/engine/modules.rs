//! Modules as Node 22 loads them (NC-51..55, NC-72): what packages and compilers rely on.

use fourfront_hooks::{
    ExecutionFault,
    bundle::{Bundle, ModulesDir},
    log::LogLevel,
};
use fourfront_model::Compat;
use serde_json::{Value, json};

use super::harness::{POOL, Tried, function, load, unique};

async fn run(files: &[(&str, &str)]) -> Value {
    load(files)
        .expect("the function loads")
        .ok(Value::Null)
        .await
}

/// What a handler that answers with `of(..)` results sees: values, or `Class code: message`.
async fn seen(body: &str, files: &[(&str, &str)]) -> Value {
    let code = format!(
        "const of = async (f) => {{ try {{ return await f() }} catch (e) {{ return `${{e.constructor.name}} ${{e.code}}: ${{e.message}}` }} }};
         exports.handler = async () => [{body}]"
    );
    let mut all = vec![("index.js", code.as_str())];
    all.extend(files);
    run(&all).await
}

#[tokio::test]
async fn failures_have_node_s_codes_classes_and_messages() {
    // NC-55
    let got = seen(
        "await of(() => require('./none')), await of(() => require('none')), await of(() => require('p/hidden')), await of(() => require('#x')),
         await of(() => import('./none.mjs')), await of(() => import('none/deep')), await of(() => import('./d')), await of(() => import('p/hidden')), await of(() => import('#x')),
         await of(() => import('http://a.test/x.mjs')), await of(() => import('./t.txt')), await of(() => import('./d.json')), await of(async () => (await import('./d.json', { with: { type: 'json' } })).default),
         await of(() => import('./a%2fb.mjs')), await of(() => require('broken')), await of(() => require('nomain')), await of(() => require('')), await of(() => require(5)), await of(() => require('bad')),
         await of(() => require('./bad.json'))",
        &[
            ("node_modules/p/package.json", r#"{"exports":"./i.js"}"#),
            ("node_modules/p/i.js", ""),
            ("node_modules/broken/package.json", "{"),
            ("node_modules/nomain/package.json", r#"{"main":"./lib"}"#),
            ("node_modules/bad/package.json", r#"{"exports":"i.js"}"#),
            ("d/index.js", ""),
            ("t.txt", ""),
            ("d.json", "{}"),
            ("m.mjs", ""),
            ("bad.json", "{a}"),
        ],
    )
    .await;
    assert_eq!(
        got,
        json!([
            "Error MODULE_NOT_FOUND: Cannot find module './none'\nRequire stack:\n- /var/task/index.js",
            "Error MODULE_NOT_FOUND: Cannot find module 'none'\nRequire stack:\n- /var/task/index.js",
            "Error ERR_PACKAGE_PATH_NOT_EXPORTED: Package subpath './hidden' is not defined by \"exports\" in /var/task/node_modules/p/package.json",
            "Error MODULE_NOT_FOUND: Cannot find module '#x'\nRequire stack:\n- /var/task/index.js",
            "Error ERR_MODULE_NOT_FOUND: Cannot find module '/var/task/none.mjs' imported from /var/task/index.js",
            "Error ERR_MODULE_NOT_FOUND: Cannot find package 'none' imported from /var/task/index.js",
            "Error ERR_UNSUPPORTED_DIR_IMPORT: Directory import '/var/task/d' is not supported resolving ES modules imported from /var/task/index.js",
            "Error ERR_PACKAGE_PATH_NOT_EXPORTED: Package subpath './hidden' is not defined by \"exports\" in /var/task/node_modules/p/package.json imported from /var/task/index.js",
            "TypeError ERR_PACKAGE_IMPORT_NOT_DEFINED: Package import specifier \"#x\" is not defined imported from /var/task/index.js",
            "Error ERR_UNSUPPORTED_ESM_URL_SCHEME: Only URLs with a scheme in: file and data are supported by the default ESM loader. Received protocol 'http:'",
            "TypeError ERR_UNKNOWN_FILE_EXTENSION: Unknown file extension \".txt\" for /var/task/t.txt",
            "TypeError ERR_IMPORT_ATTRIBUTE_MISSING: Module \"file:///var/task/d.json\" needs an import attribute of \"type: json\"",
            {},
            "TypeError ERR_INVALID_MODULE_SPECIFIER: Invalid module \"/var/task/a%2fb.mjs\" must not include encoded \"/\" or \"\\\" characters imported from /var/task/index.js",
            "Error ERR_INVALID_PACKAGE_CONFIG: Invalid package config /var/task/node_modules/broken/package.json.",
            "Error MODULE_NOT_FOUND: Cannot find module '/var/task/node_modules/nomain/lib'. Please verify that the package.json has a valid \"main\" entry",
            "TypeError ERR_INVALID_ARG_VALUE: The argument 'id' must be a non-empty string. Received ''",
            "TypeError ERR_INVALID_ARG_TYPE: The \"id\" argument must be of type string. Received type number (5)",
            "Error ERR_INVALID_PACKAGE_TARGET: Invalid \"exports\" main target \"i.js\" defined in the package config /var/task/node_modules/bad/package.json; targets must start with \"./\"",
            "SyntaxError undefined: /var/task/bad.json: Expected property name or '}' in JSON at position 1 (line 1 column 2)"
        ])
    );
}

#[tokio::test]
async fn require_of_es_modules_follows_node_22() {
    // NC-54
    let got = seen(
        "await of(() => Object.keys(require('./def.mjs'))), await of(() => require('./def.mjs').__esModule), await of(() => Object.keys(require('./named.mjs'))), await of(() => require('./own.mjs')),
         await of(() => require('./late.mjs')), await of(() => require('./cycle.mjs')), await of(async () => (await import('./late.mjs')).x), await of(() => require('./late.mjs')),
         await of(() => require('esm')), await of(() => require('./disguised').x), await of(() => require('./throws.mjs'))",
        &[
            ("def.mjs", "export default 1; export const a = 2"),
            ("named.mjs", "export const a = 2"),
            ("own.mjs", "export { f as 'module.exports' }; const f = 'mine'"),
            ("late.mjs", "export const x = await 5"),
            ("cycle.mjs", "import { createRequire } from 'node:module'; createRequire(import.meta.url)('./cycle.mjs')"),
            ("node_modules/esm/package.json", r#"{"type":"module","exports":{"module-sync":"./m.js","default":"./d.cjs"}}"#),
            ("node_modules/esm/m.js", "export { m as 'module.exports' }; const m = 'sync'"),
            ("node_modules/esm/d.cjs", "module.exports = 'default'"),
            ("disguised.js", "export const x = 'esm'"),
            ("throws.mjs", "throw new RangeError('of its own')"),
        ],
    )
    .await;
    assert_eq!(
        got,
        json!([
            ["__esModule", "a", "default"],
            true,
            ["a"],
            "mine",
            "Error ERR_REQUIRE_ASYNC_MODULE: require() cannot be used on an ESM graph with top-level await. Use import() instead. To see where the top-level await comes from, use --experimental-print-required-tla.\n  From /var/task/index.js \n  Requiring /var/task/late.mjs ",
            "Error ERR_REQUIRE_CYCLE_MODULE: Cannot require() ES Module /var/task/cycle.mjs in a cycle. (from /var/task/index.js)",
            5,
            "Error ERR_REQUIRE_ASYNC_MODULE: require() cannot be used on an ESM graph with top-level await. Use import() instead. To see where the top-level await comes from, use --experimental-print-required-tla.\n  From /var/task/index.js \n  Requiring /var/task/late.mjs ",
            "sync",
            "esm",
            "RangeError undefined: of its own"
        ])
    );
}

#[tokio::test]
async fn the_module_object_is_node_s() {
    // NC-51
    let got = run(&[
        (
            "index.js",
            "const Module = require('module'); const a = require('./lib/a'); const path = require.resolve('./lib/a');
             exports.handler = async () => { const hooked = []; const load = Module._load; Module._load = function (id) { hooked.push(id); return load.apply(this, arguments) };
               delete require.cache[path]; const again = require('./lib/a') !== a; Module._load = load;
               require.extensions['.up'] = (m, f) => m._compile(require('fs').readFileSync(f, 'utf8').replace('down', 'up'), f); const up = require('./x.up');
               const resolve = Module._resolveFilename; Module._resolveFilename = (id, ...rest) => id === '@alias' ? path : resolve(id, ...rest); const aliased = require('@alias').name; Module._resolveFilename = resolve;
               let failed; try { require('./fails') } catch (e) { failed = [e.message, Object.keys(require.cache).some((k) => k.includes('fails')), module.children.length] }
               const tried = new Module('/var/task/virtual.js'); tried._compile('module.exports = __filename + require(\"./lib/a\").name', '/var/task/virtual.js');
               return { keys: Object.keys(module), id: module.id, loaded: module.loaded, parent: module.parent.filename, child: module.children.map((m) => m.filename), paths: module.paths, again, hooked, up, aliased, failed,
                 tried: tried.exports, resolved: [require.resolve('fs'), require.resolve('p', { paths: ['/var/task/other'] }), require.resolve.paths('x').slice(0, 2), require.resolve.paths('./x'), require.resolve.paths('fs')],
                 wrap: Module.wrap('x'), created: Module.createRequire('/var/task/lib/')('./a').name, url: Module.createRequire('file:///var/task/lib/x%20y.js')('./a').name, main: require.main.filename,
                 ext: Object.keys(Module._extensions), inner: a.inner, isModule: module instanceof Module } }",
        ),
        ("lib/a.js", "exports.name = 'a'; exports.inner = module.parent && module.parent.id"),
        ("x.up", "module.exports = 'down'"),
        ("fails.js", "exports.half = 1; throw new Error('half way')"),
        ("other/node_modules/p/index.js", ""),
    ])
    .await;
    assert_eq!(
        got,
        json!({
            "keys": ["id", "path", "exports", "filename", "loaded", "children", "paths"], "id": "/var/task/index.js", "loaded": true, "parent": "/var/runtime/index.mjs",
            "child": ["/var/task/lib/a.js", "/var/task/lib/a.js", "/var/task/x.up"], "paths": ["/var/task/node_modules", "/var/node_modules", "/node_modules"], "again": true,
            "hooked": ["./lib/a"], "up": "up", "aliased": "a", "failed": ["half way", false, 3], "tried": "/var/task/virtual.jsa",
            "resolved": ["fs", "/var/task/other/node_modules/p/index.js", ["/var/task/node_modules", "/var/node_modules"], ["/var/task"], null],
            "wrap": "(function (exports, require, module, __filename, __dirname) { x\n});", "created": "a", "url": "a", "main": "/var/runtime/index.mjs",
            "ext": [".js", ".json", ".node", ".up"], "inner": "/var/task/index.js", "isModule": true
        })
    );
}

#[tokio::test]
async fn import_meta_and_urls_are_node_s() {
    // NC-53
    let got = run(&[
        (
            "index.mjs",
            "import { value } from './lib/a%20b.mjs'; import one from './count.mjs?1'; import two from './count.mjs?2'; import json from 'data:application/json,{\"j\":1}' with { type: 'json' };
             import { d } from 'data:text/javascript;base64,ZXhwb3J0IGNvbnN0IGQgPSAnYjY0Jw=='; import fs, { readFileSync } from 'node:fs'; import { promises } from 'fs';
             import def, { a, b } from './old.cjs'; import * as ns from './old.cjs'; import { createRequire } from 'module'; import once from './once.cjs';
             const tried = (s) => { try { return import.meta.resolve(s) } catch (e) { return e.message } };
             export const handler = async () => ({ value, counts: [one, two, globalThis.counted], json, d, meta: [import.meta.dirname, import.meta.filename, import.meta.url],
               resolve: [tried('./none.mjs'), tried('fs'), tried('node:path'), tried('p'), tried('nope'), tried('./x y.mjs?q#h')], fs: fs.readFileSync === readFileSync && fs.promises === promises,
               cjs: [a, b, def.a, Object.keys(ns)], same: createRequire(import.meta.url)('./once.cjs') === once, dyn: (await import('p')).default, cjsDyn: (await def.load()).value,
               none: typeof require + typeof module + typeof __filename, self: this === undefined })",
        ),
        ("lib/a b.mjs", "export const value = 'spaced'"),
        ("count.mjs", "globalThis.counted = (globalThis.counted ?? 0) + 1; export default import.meta.url.slice(-2)"),
        ("old.cjs", "exports.a = 1; Object.defineProperty(exports, 'b', { enumerable: true, value: 2 }); exports['c-d'] = 3; exports.load = () => import('./lib/deep/x.mjs')"),
        ("lib/deep/x.mjs", "export { value } from '../a%20b.mjs'"),
        ("once.cjs", "module.exports = {}"),
        ("node_modules/p/package.json", r#"{"main":"m"}"#),
        ("node_modules/p/m.js", "module.exports = 'legacy main'"),
    ])
    .await;
    assert_eq!(
        got,
        json!({
            "value": "spaced", "counts": ["?1", "?2", 2], "json": { "j": 1 }, "d": "b64", "meta": ["/var/task", "/var/task/index.mjs", "file:///var/task/index.mjs"],
            "resolve": ["file:///var/task/none.mjs", "node:fs", "node:path", "file:///var/task/node_modules/p/m.js", "Cannot find package 'nope' imported from /var/task/index.mjs", "file:///var/task/x%20y.mjs?q#h"],
            "fs": true, "cjs": [1, 2, 1, ["a", "b", "c-d", "default", "load"]], "same": true, "dyn": "legacy main", "cjsDyn": "spaced",
            "none": "undefinedundefinedundefined", "self": true
        })
    );
}

#[tokio::test]
async fn dynamic_imports_of_commonjs_start_from_their_own_file() {
    // NC-53
    let got = run(&[
        (
            "index.js",
            "exports.handler = async () => (await require('./lib/deep/a').load()).x",
        ),
        (
            "lib/deep/a.js",
            "exports.load = () => import('../near.mjs')",
        ),
        ("lib/near.mjs", "export const x = 'near'"),
        ("near.mjs", "export const x = 'far'"),
    ])
    .await;
    assert_eq!(got, "near");
}

#[tokio::test]
async fn an_addon_is_refused_by_the_name_of_its_package() {
    // NC-92
    let got = seen(
        "await of(() => require('bcrypt')), await of(() => require('@img/sharp-linux-x64/x.node')), await of(() => require('./x.node'))",
        &[
            ("node_modules/bcrypt/package.json", r#"{"main":"b"}"#),
            ("node_modules/bcrypt/b.js", "module.exports = require('./build/b.node')"),
            ("node_modules/bcrypt/build/b.node", "\u{7f}ELF"),
            ("node_modules/@img/sharp-linux-x64/x.node", ""),
            ("x.node", ""),
        ],
    )
    .await;
    let refusal = "Error ERR_DLOPEN_FAILED: fourfront: native addons cannot be loaded in functions: /var/task/";
    assert_eq!(
        got,
        json!([
            format!("{refusal}node_modules/bcrypt/build/b.node of the package bcrypt"),
            format!(
                "{refusal}node_modules/@img/sharp-linux-x64/x.node of the package @img/sharp-linux-x64; require('sharp') gives the built-in one"
            ),
            format!("{refusal}x.node")
        ])
    );
}

#[test]
fn addons_in_a_bundle_are_a_warning() {
    // NC-92
    let f = load(&[
        ("index.js", "exports.handler = async () => 1"),
        ("node_modules/a/a.node", ""),
        ("node_modules/b/b.node", ""),
    ])
    .expect("they may never be needed");
    let (level, text) = f.logs().remove(0);
    assert_eq!(level, LogLevel::Warn);
    assert_eq!(
        text,
        "the bundle has native addons, which cannot be loaded in functions: /var/task/node_modules/a/a.node and 1 more"
    );
}

#[tokio::test]
async fn code_made_at_run_time_runs_within_the_same_limits() {
    // NC-95
    let got = seen(
        "eval('1 + 1'), new Function('a', 'return a * 2')(4), await of(() => new (Object.getPrototypeOf(async () => {}).constructor)('return 3')()), await of(() => eval('('))",
        &[],
    )
    .await;
    assert_eq!(
        got,
        json!([2, 8, 3, "SyntaxError undefined: Unexpected end of input"])
    );
}

#[test]
fn a_typescript_handler_is_named() {
    // NC-58, LE-308
    match load(&[("index.ts", "export const handler = 1")]) {
        Err(ExecutionFault::Load { message, .. }) => {
            assert_eq!(
                message,
                "index.ts is TypeScript: compile to JavaScript first"
            );
        }
        _ => panic!("it must not load"),
    }
}

fn with_modules(dir: &std::path::Path, files: &[(&str, &str)]) -> Result<Tried, ExecutionFault> {
    let name = unique("provided");
    let modules = ModulesDir::open(dir, None)?;
    let bundle = Bundle::from_files(files.iter().copied()).with_modules(Some(modules));
    let prepared = POOL.prepare_bundle(&function(&name), Compat::Strict, bundle)?;
    Ok(Tried {
        name,
        prepared,
        timeout: std::time::Duration::from_secs(5),
    })
}

#[tokio::test]
async fn packages_of_the_operator_are_found_after_the_function_s_own() {
    // NC-25, NC-72
    let dir = tempfile::tempdir().expect("a directory");
    for (path, text) in [
        (
            "@aws-sdk/client-s3/package.json",
            r#"{"main":"./cjs.js","module":"./no.js"}"#,
        ),
        (
            "@aws-sdk/client-s3/cjs.js",
            "exports.S3 = require('helper').name; exports.at = __filename",
        ),
        ("helper/index.js", "exports.name = 'provided helper'"),
        ("helper/template.txt", "a template"),
        ("both/index.js", "module.exports = 'provided'"),
    ] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let f = with_modules(
        dir.path(),
        &[
            (
                "index.js",
                "const fs = require('fs'); const { S3, at } = require('@aws-sdk/client-s3'); const of = (f) => { try { return f() } catch (e) { return e.code } };
                 exports.handler = async () => ({ S3, at, esm: await import('./m.mjs').then((m) => m.default), both: require('both'), read: fs.readFileSync('/opt/nodejs/node_modules/helper/template.txt', 'utf8'),
                   list: fs.readdirSync('/opt/nodejs/node_modules'), write: of(() => fs.writeFileSync('/opt/nodejs/node_modules/helper/index.js', '')), paths: require.resolve.paths('x').at(-1) })",
            ),
            ("m.mjs", "import { S3 } from '@aws-sdk/client-s3'; export default S3"),
            ("node_modules/both/index.js", "module.exports = 'own'"),
        ],
    )
    .expect("it loads");
    assert_eq!(
        f.ok(Value::Null).await,
        json!({
            "S3": "provided helper", "at": "/opt/nodejs/node_modules/@aws-sdk/client-s3/cjs.js", "esm": "provided helper", "both": "own", "read": "a template",
            "list": ["@aws-sdk", "both", "helper"], "write": "EROFS", "paths": "/opt/nodejs/node_modules"
        })
    );
}

#[test]
fn an_aws_sdk_that_is_missing_says_how_to_provide_it() {
    // NC-71, NC-72, LE-355
    for (file, code) in [
        ("index.js", "require('aws-sdk')"),
        ("index.mjs", "import '@aws-sdk/client-s3'"),
    ] {
        match load(&[(file, code)]) {
            Err(ExecutionFault::Load {
                message,
                error_type,
                ..
            }) => {
                assert_eq!(error_type, "Runtime.ImportModuleError");
                assert!(message.contains("node.hooks.modules_dir"), "{message}");
            }
            _ => panic!("it must not load"),
        }
    }
}

#[tokio::test]
async fn links_in_a_bundle_keep_modules_one_and_packages_apart() {
    // NC-50, NC-52
    let dir = tempfile::tempdir().expect("a directory");
    let at = |path: &str| dir.path().join(path);
    let store = "node_modules/.pnpm/a@1/node_modules";
    for (path, text) in [
        (
            "index.js",
            "exports.handler = async () => [require('a'), require('a') === require('./node_modules/.pnpm/a@1/node_modules/a'), require.resolve('a')]",
        ),
        (
            "node_modules/.pnpm/a@1/node_modules/a/index.js",
            "module.exports = { b: require('b') }",
        ),
        (
            "node_modules/.pnpm/b@1/node_modules/b/index.js",
            "module.exports = 'b of a'",
        ),
    ] {
        std::fs::create_dir_all(at(path).parent().expect("a parent")).expect("a folder");
        std::fs::write(at(path), text).expect("a file");
    }
    std::os::unix::fs::symlink(".pnpm/a@1/node_modules/a", at("node_modules/a")).expect("a link");
    std::os::unix::fs::symlink("../../b@1/node_modules/b", at(&format!("{store}/b")))
        .expect("a link");
    let bundle = Bundle::read(&fourfront_model::FunctionSource::Dir(dir.path().into()))
        .expect("it can be read");
    let name = unique("linked");
    let prepared = POOL
        .prepare_bundle(&function(&name), Compat::Strict, bundle)
        .expect("it loads");
    let f = Tried {
        name,
        prepared,
        timeout: std::time::Duration::from_secs(5),
    };
    assert_eq!(
        f.ok(Value::Null).await,
        json!([{ "b": "b of a" }, true, "/var/task/node_modules/.pnpm/a@1/node_modules/a/index.js"])
    );
}
