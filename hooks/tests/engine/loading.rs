//! Bundles and modules (LE-305..308, NC-50..57).

use fourfront_hooks::ExecutionFault;
use fourfront_model::Compat;
use serde_json::{Value, json};

use super::harness::{js, load, load_as};

async fn run(files: &[(&str, &str)]) -> Value {
    load(files)
        .expect("the function loads")
        .ok(Value::Null)
        .await
}

fn load_fault(files: &[(&str, &str)]) -> (String, String, String) {
    match load(files).err().expect("the function does not load") {
        ExecutionFault::Load {
            error_type,
            message,
            stack,
        } => (error_type, message, stack),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commonjs_is_node_s() {
    // NC-51
    let got = run(&[
        (
            "index.js",
            "undeclared = 1; const a = require('./a'); const d = require('./data'); const x = require(`${__dirname}/lib/x`);
             exports.handler = async () => ({ a: a.v, d: d.k, x, self: this === module.exports, main: require.main === module,
               f: __filename, cached: require('./a') === a, kids: module.children.length, res: require.resolve('./a') })",
        ),
        ("a.js", "const b = require('./b'); exports.v = b.seen; exports.late = 1"),
        ("b.js", "exports.seen = Object.keys(require('./a')).length"),
        ("data.json", "\u{feff}{\"k\": [1]}"),
        ("lib/x/index.js", "#!/usr/bin/env node\nmodule.exports = typeof strict"),
    ])
    .await;
    assert_eq!(
        got,
        json!({ "a": 0, "d": [1], "x": "undefined", "self": true, "main": false, "f": "/var/task/index.js",
                "cached": true, "kids": 3, "res": "/var/task/a.js" })
    );
}

#[tokio::test]
async fn es_modules_import_each_other_json_commonjs_and_await_at_top_level() {
    // LE-307, NC-53
    let got = run(&[
        (
            "index.mjs",
            "import { twice } from './lib.mjs'; import def, { named } from './old.cjs';
             import data from './d.json' with { type: 'json' };
             const late = await new Promise((r) => setTimeout(() => r(3), 1));
             export const handler = async () => ({ t: twice(2), named, same: def.named === named, late, d: data.a,
               dyn: (await import('./lib.mjs')).twice === twice, url: import.meta.url, dir: import.meta.dirname })",
        ),
        ("lib.mjs", "export const twice = (n) => n * 2"),
        ("old.cjs", "exports.named = 'n'"),
        ("d.json", "{\"a\":1}"),
    ])
    .await;
    assert_eq!(
        got,
        json!({ "t": 4, "named": "n", "same": true, "late": 3, "d": 1, "dyn": true,
                "url": "file:///var/task/index.mjs", "dir": "/var/task" })
    );
}

#[tokio::test]
async fn type_module_and_module_syntax_decide_what_js_is() {
    // LE-306, NC-54
    let esm = "export const handler = async () => typeof require";
    assert_eq!(run(&[("index.js", esm)]).await, "undefined");
    assert_eq!(
        run(&[("package.json", "{\"type\":\"module\"}"), ("index.js", esm)]).await,
        "undefined"
    );
    let both = "export const a = 1; exports.handler = async () => 1";
    assert!(
        load_fault(&[("index.js", both)])
            .1
            .contains("exports is not defined")
    );
    // CommonJS in a module's clothing.
    let fault = load_fault(&[("index.mjs", "exports.handler = async () => 1")]);
    assert!(fault.1.contains("exports is not defined"), "{}", fault.1);
}

#[tokio::test]
async fn require_of_an_es_module_works_without_top_level_await() {
    // NC-54
    let got = run(&[
        (
            "index.js",
            "const m = require('./m.mjs'); exports.handler = async () => [m.x, m.default]",
        ),
        ("m.mjs", "export const x = 1; export default 2"),
    ])
    .await;
    assert_eq!(got, json!([1, 2]));
}

#[tokio::test]
async fn commonjs_may_import_dynamically() {
    // NC-53
    let got = run(&[
        (
            "index.js",
            "exports.handler = async () => (await import('./m.mjs')).x",
        ),
        ("m.mjs", "export const x = 9"),
    ])
    .await;
    assert_eq!(got, 9);
}

#[tokio::test]
async fn packages_resolve_by_exports_and_never_shadow_built_ins() {
    // NC-1, NC-52
    let got = run(&[
        (
            "index.js",
            "exports.handler = async () => [require('p'), (await import('p')).default, require('@s/q/deep'), typeof require('util').inspect]",
        ),
        ("node_modules/p/package.json", r#"{"exports":{"import":"./i.mjs","require":"./r.js"}}"#),
        ("node_modules/p/i.mjs", "export default 'import'"),
        ("node_modules/p/r.js", "module.exports = 'require'"),
        ("node_modules/@s/q/deep.js", "module.exports = 'deep'"),
        ("node_modules/util/index.js", "module.exports = 'shadow'"),
    ])
    .await;
    assert_eq!(got, json!(["require", "import", "deep", "function"]));
}

#[tokio::test]
async fn nested_exports_and_folders_name_the_handler() {
    // LE-305
    let f = load_as(
        &[("src/app.js", "exports.api = { v1: async () => 'nested' }")],
        Compat::Strict,
        |f| f.handler = "src/app.api.v1".parse().unwrap(),
    )
    .unwrap();
    assert_eq!(f.ok(Value::Null).await, "nested");
}

#[test]
fn what_cannot_be_loaded_says_why_in_lambda_s_names() {
    // LE-308, NC-55, NC-57
    let of = |code: &str| load_fault(&[("index.js", code)]);
    let (kind, message, _) = of("const x = ;");
    assert_eq!(kind, "Runtime.UserCodeSyntaxError");
    assert!(
        message.contains("SyntaxError") && message.contains("/var/task/index.js:1"),
        "{message}"
    );
    let (kind, message, _) = of("require('./missing')");
    assert_eq!(kind, "Runtime.ImportModuleError");
    assert!(
        message.starts_with("Cannot find module './missing'"),
        "{message}"
    );
    assert_eq!(of("exports.other = 1").0, "Runtime.HandlerNotFound");
    assert_eq!(of("exports.handler = 1").0, "Runtime.HandlerNotFound");
    let (kind, message, stack) = of("\n\nthrow new TypeError('at top level')");
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("TypeError", "at top level")
    );
    assert!(stack.contains("/var/task/index.js:3:7"), "{stack}");
    assert_eq!(
        load_fault(&[("other.js", "")]).0,
        "Runtime.ImportModuleError"
    );
    assert_eq!(
        load_fault(&[("index.mjs", "import './gone.mjs'")]).0,
        "Runtime.ImportModuleError"
    );
    assert!(
        load_fault(&[("index.mjs", "await new Promise(() => {})")])
            .1
            .contains("never resolved")
    );
}

#[test]
fn what_cannot_be_loaded_is_named() {
    // NC-1, NC-92
    assert!(
        load_fault(&[("index.mjs", "import 'node:nope'")])
            .1
            .contains("No such built-in module: node:nope")
    );
    assert!(
        load_fault(&[("index.js", "require('node:nope')")])
            .1
            .contains("No such built-in module: node:nope")
    );
    assert!(
        load_fault(&[("index.js", "require('./x.node')"), ("x.node", "")])
            .1
            .contains("native addons")
    );
}

#[tokio::test]
async fn a_failed_optional_require_can_be_caught() {
    // NC-55
    let f = js(
        "let code; try { require('optional') } catch (e) { code = [e.code, e.requireStack] } exports.handler = async () => code",
    );
    assert_eq!(
        f.ok(Value::Null).await,
        json!(["MODULE_NOT_FOUND", ["/var/task/index.js"]])
    );
}

#[tokio::test]
async fn stacks_point_at_the_author_s_line_through_source_maps() {
    // NC-56
    // Generated line 1 maps to line 5 of src/app.ts.
    let map = r#"{"version":3,"sources":["src/app.ts"],"names":[],"mappings":"AAIA"}"#;
    let f = load(&[
        ("index.js", "exports.handler = async () => { throw new Error('mapped') }\n//# sourceMappingURL=index.js.map"),
        ("index.js.map", map),
    ])
    .unwrap();
    match f.fault().await {
        ExecutionFault::Thrown { stack, .. } => {
            assert!(stack.contains("src/app.ts:5:"), "{stack}");
            assert!(!stack.contains("ext:"), "{stack}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn stacks_are_those_of_v8_and_nothing_of_the_host_shows() {
    // NC-56
    let got = run(&[
        (
            "index.js",
            "const lib = require('./lib/deep.js');
             exports.handler = async () => { const o = {}; Error.captureStackTrace(o, lib.skip); const own = (() => { try { lib.fail() } catch (e) { return e.stack } })();
               const held = {}; lib.skip(held); const limit = Error.stackTraceLimit; Error.stackTraceLimit = 1; const short = new Error('s').stack; Error.stackTraceLimit = limit;
               const before = Error.prepareStackTrace; Error.prepareStackTrace = (e, sites) => sites.map((s) => [s.getFileName(), s.getLineNumber(), s.getFunctionName(), s.isNative()]); const sites = new Error('x').stack; Error.prepareStackTrace = before;
               let missing; try { require('fs').readFileSync('/none') } catch (e) { missing = e.stack }
               let required; try { require('./none') } catch (e) { required = e.stack }
               return { limit, captured: o.stack.split('\\n')[0], own: own.split('\\n').slice(0, 3), held: held.stack.split('\\n')[1], short: short.split('\\n').length, site: sites[0], before: typeof before, missing: missing.split('\\n').slice(0, 2), host: [own, missing, required].filter((s) => /file:\\/\\/|\\/(root|home|work|usr|tmp)\\//.test(s)).length } }",
        ),
        (
            "lib/deep.js",
            "exports.fail = function fail() { throw new RangeError('deep') }\nexports.skip = function skip(o) { Error.captureStackTrace(o, skip) }",
        ),
    ])
    .await;
    assert_eq!(
        got,
        json!({ "limit": 10, "captured": "Error", "own": ["RangeError: deep", "    at Object.fail (/var/task/lib/deep.js:1:40)", "    at /var/task/index.js:2:129"], "held": "    at exports.handler (/var/task/index.js:3:37)",
                "short": 2, "site": ["/var/task/index.js", 4, "exports.handler", false], "before": "undefined", "missing": ["Error: ENOENT: no such file or directory, open '/none'", "    at exports.handler (/var/task/index.js:5:49)"], "host": 0 })
    );
}

#[tokio::test]
async fn inline_maps_and_maps_of_modules_are_read_too() {
    // NC-56
    // Generated line 1 maps to line 5 of src/app.ts.
    let map = "eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbInNyYy9hcHAudHMiXSwibmFtZXMiOltdLCJtYXBwaW5ncyI6IkFBSUEifQ==";
    let code = format!(
        "export const handler = async () => {{ throw new Error('mapped') }}\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,{map}\n"
    );
    let f = load(&[("index.mjs", &code)]).unwrap();
    match f.fault().await {
        ExecutionFault::Thrown { stack, .. } => {
            assert!(stack.contains("/var/task/src/app.ts:5:"), "{stack}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_error_s_code_does_not_change_its_type() {
    // NC-57
    let f = js(
        "exports.handler = async () => { const e = new RangeError('x'); e.code = 'E_X'; throw e }",
    );
    assert_eq!(f.thrown().await, ("RangeError".into(), "x".into()));
}
