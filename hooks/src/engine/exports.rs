//! The names that `import { x }` may take from a CommonJS file (NC-53).
//!
//! Node looks at the text, not at what it does when run, with rules of its own (`cjs-module-lexer`): what compilers
//! write is recognised, what merely has the same effect is not. So that a name that is missing under Node is
//! missing here, the rules are the same.

use std::{
    collections::{BTreeSet, HashMap},
    iter::Peekable,
};

use super::lexer::{Lexer, Token};
use crate::bundle::{
    Bundle,
    resolve::{self, From, Kind},
};

/// Files handed on by files handed on: deep enough for any compiler's output.
const MAX_DEPTH: usize = 16;

/// Tokens in which a loop over another module's names must show what it does with them.
const LOOP_TOKENS: usize = 80;

/// The visible names of the file at `path`.
pub(super) fn of(bundle: &Bundle, path: &str, text: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    collect(bundle, path, text, &mut names, &mut seen, 0);
    names.remove("default");
    names.into_iter().collect()
}

fn collect(
    bundle: &Bundle,
    path: &str,
    text: &str,
    names: &mut BTreeSet<String>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    if depth > MAX_DEPTH || !seen.insert(path.to_owned()) {
        return;
    }
    let found = scan(text);
    names.extend(found.names.into_iter().map(str::to_owned));
    for specifier in found.handed_on {
        let Ok(found) = resolve::resolve(bundle, specifier, path, From::Require) else {
            continue;
        };
        if matches!(found.kind, Kind::CommonJs | Kind::Unclaimed)
            && let Some(bytes) = bundle.file(&found.path)
        {
            let text = super::source_text(&bytes);
            collect(bundle, &found.path, &text, names, seen, depth + 1);
        }
    }
}

/// What one file shows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found<'a> {
    names: BTreeSet<&'a str>,
    /// Modules whose names are this one's too.
    handed_on: BTreeSet<&'a str>,
    /// Names behind getters that do more than hand on: Node does not show them, whatever else is said of them.
    computed: BTreeSet<&'a str>,
}

type Ahead<'a> = Peekable<Lexer<'a>>;

fn scan(text: &str) -> Found<'_> {
    let mut found = Found::default();
    // Names that stand for modules: `var x = require('y')`.
    let mut modules = HashMap::new();
    let mut lexer = Lexer::new(text);
    let mut before = None;
    while let Some(token) = lexer.next() {
        if before != Some(Token::Punct('.'))
            || token == Token::Word("__exportStar")
            || token == Token::Word("__export")
        {
            match token {
                Token::Word("exports") => exported(&mut lexer.ahead(), &mut found),
                Token::Word("module") => module(lexer.ahead(), &mut found),
                Token::Word("Object") => object(lexer.ahead(), &modules, &mut found),
                Token::Word("__exportStar" | "__export") => {
                    let mut ahead = lexer.ahead();
                    if takes(&mut ahead, '(')
                        && let Some(specifier) = required(&mut ahead)
                    {
                        found.handed_on.insert(specifier);
                    }
                }
                Token::Word("var" | "let" | "const") => bound(lexer.ahead(), &mut modules),
                _ => {}
            }
        }
        before = Some(token);
    }
    let computed = std::mem::take(&mut found.computed);
    found.names.retain(|name| !computed.contains(name));
    found
}

fn takes(ahead: &mut Ahead<'_>, c: char) -> bool {
    ahead.next_if_eq(&Token::Punct(c)).is_some()
}

fn takes_word(ahead: &mut Ahead<'_>, word: &str) -> bool {
    ahead.next_if(|t| *t == Token::Word(word)).is_some()
}

fn any_word<'a>(ahead: &mut Ahead<'a>) -> Option<&'a str> {
    match ahead.peek()? {
        Token::Word(name) => {
            let name = *name;
            ahead.next();
            Some(name)
        }
        _ => None,
    }
}

fn text<'a>(ahead: &mut Ahead<'a>) -> Option<&'a str> {
    match ahead.next()? {
        // Escapes would have to be undone; no compiler writes them there.
        Token::Text(text) if !text.contains('\\') => Some(text),
        _ => None,
    }
}

/// Behind `module`: `.exports`.
fn module<'a>(mut ahead: Ahead<'a>, found: &mut Found<'a>) {
    if !takes(&mut ahead, '.') || !takes_word(&mut ahead, "exports") {
        return;
    }
    if !takes(&mut ahead, '=') {
        exported(&mut ahead, found);
        return;
    }
    // Whatever was handed on before is replaced.
    found.handed_on.clear();
    if takes(&mut ahead, '{') {
        literal(&mut ahead, found);
    } else if let Some(specifier) = required(&mut ahead) {
        found.handed_on.insert(specifier);
    }
}

/// Behind `exports`: `.name =` or `['name'] =`.
fn exported<'a>(ahead: &mut Ahead<'a>, found: &mut Found<'a>) {
    let name = if takes(ahead, '.') {
        any_word(ahead)
    } else if takes(ahead, '[') {
        text(ahead).filter(|_| takes(ahead, ']'))
    } else {
        None
    };
    if let Some(name) = name
        && takes(ahead, '=')
    {
        found.names.insert(name);
    }
}

/// `require('x')`.
fn required<'a>(ahead: &mut Ahead<'a>) -> Option<&'a str> {
    if !takes_word(ahead, "require") || !takes(ahead, '(') {
        return None;
    }
    text(ahead).filter(|_| takes(ahead, ')'))
}

/// Inside `{`: names up to the first thing that is not so plain.
fn literal<'a>(ahead: &mut Ahead<'a>, found: &mut Found<'a>) {
    loop {
        match ahead.next() {
            Some(Token::Word(name)) => {
                let is_plain = !takes(ahead, ':') || any_word(ahead).is_some();
                if !is_plain {
                    return;
                }
                found.names.insert(name);
            }
            Some(Token::Text(name)) => {
                if takes(ahead, ':') {
                    if any_word(ahead).is_none() {
                        return;
                    }
                    found.names.insert(name);
                }
            }
            Some(Token::Punct('.')) => {
                if !takes(ahead, '.') || !takes(ahead, '.') {
                    return;
                }
                if ahead.peek() == Some(&Token::Word("require")) {
                    match required(ahead) {
                        Some(specifier) => {
                            found.handed_on.insert(specifier);
                        }
                        None => return,
                    }
                } else if any_word(ahead).is_none() {
                    return;
                }
            }
            _ => return,
        }
        if !takes(ahead, ',') {
            return;
        }
    }
}

/// Behind `Object`: `.defineProperty(exports, 'x', ..)`, or a loop over the names of another module.
fn object<'a>(mut ahead: Ahead<'a>, modules: &HashMap<&'a str, &'a str>, found: &mut Found<'a>) {
    if !takes(&mut ahead, '.') {
        return;
    }
    if takes_word(&mut ahead, "keys") {
        if let Some(specifier) = looped(ahead, modules) {
            found.handed_on.insert(specifier);
        }
    } else if takes_word(&mut ahead, "defineProperty")
        && takes(&mut ahead, '(')
        && takes_exports(&mut ahead)
        && takes(&mut ahead, ',')
        && let Some(name) = text(&mut ahead)
    {
        if is_plain(&mut ahead) {
            found.names.insert(name);
        } else {
            found.computed.insert(name);
        }
    }
}

fn takes_exports(ahead: &mut Ahead<'_>) -> bool {
    if takes_word(ahead, "module") && !takes(ahead, '.') {
        return false;
    }
    takes_word(ahead, "exports")
}

/// `, { enumerable: true, value:` or a getter that gives another module's export.
fn is_plain(ahead: &mut Ahead<'_>) -> bool {
    if !takes(ahead, ',') || !takes(ahead, '{') {
        return false;
    }
    if takes_word(ahead, "enumerable")
        && !(takes(ahead, ':') && any_word(ahead) == Some("true") && takes(ahead, ','))
    {
        return false;
    }
    if takes_word(ahead, "value") {
        return takes(ahead, ':');
    }
    if !takes_word(ahead, "get") {
        return false;
    }
    if takes(ahead, ':') {
        if !takes_word(ahead, "function") {
            return false;
        }
        any_word(ahead);
    }
    let gives = takes(ahead, '(')
        && takes(ahead, ')')
        && takes(ahead, '{')
        && takes_word(ahead, "return")
        && any_word(ahead).is_some()
        && member(ahead);
    if !gives {
        return false;
    }
    takes(ahead, ';');
    takes(ahead, '}') && {
        takes(ahead, ',');
        takes(ahead, '}') && takes(ahead, ')')
    }
}

/// `.x`, `['x']` or nothing.
fn member(ahead: &mut Ahead<'_>) -> bool {
    if takes(ahead, '.') {
        any_word(ahead).is_some()
    } else if takes(ahead, '[') {
        text(ahead).is_some() && takes(ahead, ']')
    } else {
        true
    }
}

/// `var x = require('y')`, and what Babel puts around it.
fn bound<'a>(mut ahead: Ahead<'a>, modules: &mut HashMap<&'a str, &'a str>) {
    let ahead = &mut ahead;
    let Some(name) = any_word(ahead) else {
        return;
    };
    if !takes(ahead, '=') {
        return;
    }
    if takes_word(ahead, "_interopRequireWildcard") && !takes(ahead, '(') {
        return;
    }
    if let Some(specifier) = required(ahead) {
        modules.insert(name, specifier);
    }
}

/// `Object.keys(x).forEach(function (k) { .. exports[k] = x[k] .. })`.
fn looped<'a>(mut ahead: Ahead<'a>, modules: &HashMap<&'a str, &'a str>) -> Option<&'a str> {
    let ahead = &mut ahead;
    if !takes(ahead, '(') {
        return None;
    }
    let specifier = modules.get(any_word(ahead)?)?;
    let head = takes(ahead, ')')
        && takes(ahead, '.')
        && takes_word(ahead, "forEach")
        && takes(ahead, '(')
        && takes_word(ahead, "function")
        && takes(ahead, '(');
    if !head {
        return None;
    }
    let key = any_word(ahead)?;
    let body: Vec<Token<'_>> = ahead.take(LOOP_TOKENS).collect();
    let assigns = [
        Token::Word("exports"),
        Token::Punct('['),
        Token::Word(key),
        Token::Punct(']'),
        Token::Punct('='),
    ];
    let defines = [
        Token::Word("defineProperty"),
        Token::Punct('('),
        Token::Word("exports"),
        Token::Punct(','),
        Token::Word(key),
    ];
    let shows = |pattern: &[Token<'_>]| {
        body.windows(pattern.len() + 1)
            .any(|w| w.starts_with(pattern) && w[pattern.len()] != Token::Punct('='))
    };
    (shows(&assigns) || shows(&defines)).then_some(*specifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, then modules handed on behind a bar.
    fn shown(text: &str) -> String {
        let found = scan(text);
        let list = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(" ");
        format!("{} | {}", list(found.names), list(found.handed_on))
    }

    #[test]
    fn what_node_sees_is_seen_and_no_more() {
        // NC-53. The right side is what cjs-module-lexer answers in Node 20.
        for (text, expected) in CASES {
            assert_eq!(shown(text), *expected, "{text}");
        }
    }

    const CASES: &[(&str, &str)] = &[
        (
            "exports.a = exports.b = void 0; Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return f(x).y; } })",
            "b | ",
        ),
        (
            "module.exports = { a, b: c, 'd': e, f: 'x', g }",
            "a b d | ",
        ),
        ("module.exports = { a, b: -1, c }", "a | "),
        ("module.exports = { a: 1, b }", " | "),
        ("module.exports = { a, ...require('x'), b }", "a b | x"),
        ("module.exports = { a, ...b, c }", "a c | "),
        ("module.exports = { a, b() {}, c }", "a b | "),
        ("module.exports = { a: require('x'), b }", "a | "),
        ("module.exports = { 'a': b, c }", "a c | "),
        ("module.exports = { get a() {}, b }", "get | "),
        ("module.exports = {a: b.c, d}", "a | "),
        ("module.exports = {a: function(){}, d}", "a | "),
        ("module.exports={a:!0,b}", " | "),
        ("module.exports = { 'a', b }", "b | "),
        ("module.exports={a:\"s\",b}", " | "),
        ("module.exports={ a /* x */, // y\n b }", "a b | "),
        (
            "exports['a-b'] = 1; exports.\n c = 2; exports . d=3; exports.e == 1; exports.f += 1; exports.g => 1",
            "a-b c d e g | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return b.c; } })",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get: () => b })",
            " | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { get: function () { return b; } })",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get() { return b } })",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return b['c']; } })",
            "a | ",
        ),
        ("Object.defineProperty(exports, 'a', { value: 1 })", "a | "),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, value: 1 })",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { writable: true, value: 1 })",
            " | ",
        ),
        (
            "Object.defineProperty(module.exports, 'a', { value: 1 })",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', {enumerable:true,get:function get(){return b}})",
            "a | ",
        ),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return f(); } })",
            " | ",
        ),
        ("module.exports = require('x')", " | x"),
        (
            "module.exports = require('x'); module.exports.a = 1",
            "a | x",
        ),
        ("module.exports = f(require('x'))", " | "),
        ("__exportStar(require('x'), exports)", " | x"),
        ("tslib_1.__exportStar(require('x'), exports)", " | x"),
        ("foo.__export(require('x'))", " | x"),
        ("__export(require('x'))", " | x"),
        (
            "var _x = require('x'); Object.keys(_x).forEach(function (key) { if (key === 'default' || key === '__esModule') return; exports[key] = _x[key]; });",
            " | x",
        ),
        (
            "var _x = _interopRequireWildcard(require('x')); Object.keys(_x).forEach(function (k) { if (k !== 'default') exports[k] = _x[k]; });",
            " | x",
        ),
        (
            "var _x = require('x'); Object.keys(_x).forEach(function (key) { if (key === \"default\" || key === \"__esModule\") return; if (key in exports && exports[key] === _x[key]) return; Object.defineProperty(exports, key, { enumerable: true, get: function () { return _x[key]; } }); });",
            " | x",
        ),
        ("0 && (module.exports = { a, b })", "a b | "),
        (
            "// exports.a = 1\n/* exports.b=2 */ 'exports.c = 3'; `exports.d = 4 ${exports.e = 5}`; /exports.f=/; exports.g=1",
            "e g | ",
        ),
        (
            "this.exports.a = 1; x.exports.b = 1; module.exports.c.d = 1",
            " | ",
        ),
        ("module['exports'].a = 1", " | "),
        (
            "(function (exports) { exports.inner = 1 })(module.exports)",
            "inner | ",
        ),
        ("exports.a = exports.b = exports.c = void 0", "a b c | "),
        ("module.exports = exports = { a, b }", " | "),
        ("module.exports = class { a() {} }", " | "),
        ("exports.π = 1", "π | "),
        ("exports.default = 1", "default | "),
        ("!function(e){e.a=1}(exports)", " | "),
        ("if (x) exports.a = 1; else exports.b = 2", "a b | "),
        (
            "Object.defineProperty(exports, '__esModule', { value: true });",
            "__esModule | ",
        ),
        ("module.exports.a = 1; module.exports = { b }", "a b | "),
        (
            "module.exports = require('a'); module.exports = require('b')",
            " | b",
        ),
        (
            "module.exports = { ...require('a'), ...require('b') }",
            " | a b",
        ),
        ("module.exports = {\n  default: x, if: y }", "default if | "),
        ("const y = async () => { await 1 }; exports.a = y", "a | "),
        ("module.exports.a=module.exports.b=1", "a b | "),
        ("exports = module.exports = require('./x')", " | ./x"),
    ];

    #[test]
    fn names_of_modules_handed_on_are_seen_and_cycles_end() {
        // NC-53
        let b = Bundle::from_files([
            ("a.js", "module.exports = require('./b')"),
            (
                "b.js",
                "exports.x = 1; __exportStar(require('./a'), exports)",
            ),
        ]);
        assert_eq!(
            of(&b, "/var/task/a.js", "module.exports = require('./b')"),
            ["x"]
        );
    }
}
