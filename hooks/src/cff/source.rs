//! A CloudFront Function's file, made into what the engine compiles.
//!
//! The file becomes the body of a function that ends by handing out `handler` (LE-463), strict from the start (LE-455). The
//! imports of runtime 2.0 become `require` (LE-461). Line numbers move by one and nothing else moves.
//!
//! V8 can run more than the real engine, which refuses code only when it runs (LE-442). So that a function that works here
//! works there, syntax the real runtimes are known not to take is refused where AWS's refusals are followed (LE-A57).

use std::fmt;

use fourfront_model::{CffRuntime, Compat};

use super::scanner::{Scanner, Token};

/// Code that the runtime does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// The rule that says so.
    pub rule: &'static str,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            message,
            rule,
        } = self;
        write!(f, "line {line}: {message} ({rule})")
    }
}

/// Makes a file into the body of a function.
///
/// # Errors
/// The first construct that the runtime does not take.
pub fn prepare(code: &str, runtime: CffRuntime, compat: Compat) -> Result<String, SyntaxFault> {
    let tokens = Scanner::all(code);
    if compat == Compat::Strict {
        check_level(code, &tokens, runtime)?;
    }
    let mut out = String::with_capacity(code.len() + 96);
    out.push_str("\"use strict\";\n");
    let rest = imports(code, &tokens, runtime, &mut out)?;
    out.push_str(&code[rest..]);
    out.push_str("\nreturn typeof handler === \"function\" ? handler : undefined;");
    Ok(out)
}

fn fault(code: &str, at: usize, rule: &'static str, message: impl Into<String>) -> SyntaxFault {
    SyntaxFault {
        line: code[..at].matches('\n').count() + 1,
        message: message.into(),
        rule,
    }
}

/// Rewrites the imports at the file's beginning into `out`, keeping lines where they are. Gives where the rest begins.
fn imports(
    code: &str,
    tokens: &[Token],
    runtime: CffRuntime,
    out: &mut String,
) -> Result<usize, SyntaxFault> {
    let text = |i: usize| tokens.get(i).map_or("", |t| &code[t.start..t.end]);
    let mut done = 0;
    let mut i = 0;
    loop {
        // Directives such as 'use strict' may stand before them.
        while is_string(text(i)) && (text(i + 1) == ";" || text(i + 1) == "import") {
            i += if text(i + 1) == ";" { 2 } else { 1 };
        }
        if text(i) != "import" || text(i + 1) == "(" {
            return Ok(done);
        }
        let at = tokens[i].start;
        if runtime == CffRuntime::V1 {
            return Err(fault(
                code,
                at,
                "LE-461",
                "`import` needs runtime cloudfront-js-2.0",
            ));
        }
        let (name, module) = (text(i + 1), text(i + 3));
        if text(i + 2) != "from" || !is_identifier(name) || !is_string(module) {
            return Err(fault(
                code,
                at,
                "LE-461",
                "imports have the form `import name from 'module'`",
            ));
        }
        out.push_str(&code[done..at]);
        let end = tokens[i + 3].end;
        let lines = code[at..end].matches('\n').count();
        out.push_str(&format!("const {name} = require({module})"));
        out.extend(std::iter::repeat_n('\n', lines));
        if text(i + 4) != ";" {
            out.push(';');
        }
        done = end;
        i += if text(i + 4) == ";" { 5 } else { 4 };
    }
}

fn is_string(text: &str) -> bool {
    text.starts_with(['"', '\''])
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$')
}

/// LE-450..454 (templates, arrows, rest parameters and `**` are in both, LE-453), by what keywords stand in the code: those words can stand nowhere else but as names of properties.
fn check_level(code: &str, tokens: &[Token], runtime: CffRuntime) -> Result<(), SyntaxFault> {
    let text = |i: usize| tokens.get(i).map_or("", |t| &code[t.start..t.end]);
    for (i, token) in tokens.iter().enumerate() {
        let word = text(i);
        let before = if i == 0 { "" } else { text(i - 1) };
        let next = text(i + 1);
        let names_a_property = matches!(before, "." | "?.")
            || (next == ":" && before != "?" && before != "case")
            || (next == "(" && matches!(before, "{" | ","));
        if names_a_property {
            continue;
        }
        let refuse = |rule, what: &str| {
            let message = format!("{what} is not available in {runtime}");
            Err(fault(code, token.start, rule, message))
        };
        match word {
            "const" | "let" if runtime == CffRuntime::V1 => {
                return refuse("LE-451", &format!("`{word}`"));
            }
            "async" if runtime == CffRuntime::V1 && next == "function" => {
                return refuse("LE-452", "`async`");
            }
            "await" if runtime == CffRuntime::V1 => return refuse("LE-452", "`await`"),
            "class" => return refuse("LE-454", "`class`"),
            "catch" if next == "{" => return refuse("LE-454", "`catch` without a parameter"),
            "for" if is_for_of(tokens, i, text) => return refuse("LE-454", "`for...of`"),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the parenthesis of a `for` holds an `of` of its own.
fn is_for_of<'c>(tokens: &[Token], at: usize, text: impl Fn(usize) -> &'c str) -> bool {
    let open = if text(at + 1) == "await" {
        at + 2
    } else {
        at + 1
    };
    let mut depth = 0usize;
    for i in open..tokens.len() {
        match text(i) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return false;
                }
            }
            ";" if depth == 1 => return false,
            "of" if depth == 1 && i > open + 1 && text(i - 1) != "." => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(code: &str, runtime: CffRuntime) -> Result<String, String> {
        prepare(code, runtime, Compat::Strict).map_err(|e| e.to_string())
    }

    const V1: CffRuntime = CffRuntime::V1;
    const V2: CffRuntime = CffRuntime::V2;

    #[test]
    fn imports_become_require_and_lines_stay() {
        // LE-461
        let code = "// keys\nimport cf from 'cloudfront';\nimport crypto from \"crypto\"\n\nconst store = cf.kvs();";
        assert_eq!(
            strict(code, V2).unwrap(),
            "\"use strict\";\n// keys\nconst cf = require('cloudfront');\nconst crypto = require(\"crypto\");\n\nconst store = cf.kvs();\nreturn typeof handler === \"function\" ? handler : undefined;"
        );
        let split = strict("import cf\n from 'cloudfront';\nx", V2).unwrap();
        assert!(split.starts_with("\"use strict\";\nconst cf = require('cloudfront')\n;\nx"));
        for later in ["var a = 1; import cf from 'cloudfront'", "import('x')"] {
            assert!(strict(later, V2).unwrap().contains(later), "left to V8");
        }
    }

    #[test]
    fn imports_of_other_forms_and_in_1_0_are_refused() {
        // LE-461
        for (code, runtime) in [
            ("import { kvs } from 'cloudfront'", V2),
            ("import * as cf from 'cloudfront'", V2),
            ("import 'cloudfront'", V2),
            ("\nimport cf from 'cloudfront'", V1),
        ] {
            assert!(
                strict(code, runtime).unwrap_err().contains("LE-461"),
                "{code}"
            );
        }
    }

    #[test]
    fn syntax_that_the_runtimes_do_not_take_is_refused_in_strict_mode_alone() {
        // LE-442, LE-450, LE-451, LE-452, LE-454
        for (code, runtime, rule) in [
            (
                "var a;\nconst b = 1;",
                V1,
                "line 2: `const` is not available in cloudfront-js-1.0 (LE-451)",
            ),
            ("let a", V1, "LE-451"),
            ("async function handler(e) {}", V1, "LE-452"),
            ("class A {}", V2, "LE-454"),
            ("try { a() } catch { b() }", V2, "LE-454"),
            ("for (const a of b) c()", V2, "LE-454"),
            ("for (var [k, v] of Object.entries(x)) c()", V2, "LE-454"),
        ] {
            let refused = strict(code, runtime).unwrap_err();
            assert!(refused.contains(rule), "{code}: {refused}");
            assert!(prepare(code, runtime, Compat::Relaxed).is_ok());
        }
    }

    #[test]
    fn the_same_words_elsewhere_are_not() {
        // LE-451, LE-454
        for (code, runtime) in [
            ("var a = 'const let class'; // class", V1),
            ("var re = /class/.test(`let ${'const'}`);", V1),
            (
                "var o = { class: 1, let: 2, const: 3 }; o.class = o.let;",
                V1,
            ),
            ("for (var i = 0; i < of; i++) {}", V2),
            ("for (var k in o) {}", V2),
            ("try {} catch (e) {}", V2),
            ("const a = async (x) => await x;", V2),
        ] {
            assert_eq!(strict(code, runtime).err(), None, "{code}");
        }
    }
}
