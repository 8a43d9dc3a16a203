//! Compiling a function's files, with V8's code cache kept per version.

use deno_core::v8;
use std::rc::Rc;

use super::{
    ops::Shared,
    startup::{self, BuiltinCache, BuiltinKind},
};

/// The parameter of scripts among the built-ins.
const BOOTSTRAP: &str = "__bootstrap";

const PARAMETERS: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];

/// What V8 says when CommonJS contains ES module syntax: the messages by which Node 22 decides, too.
const MODULE_SYNTAX: [&str; 4] = [
    "Cannot use import statement outside a module",
    "Unexpected token 'export'",
    "Cannot use 'import.meta' outside a module",
    "await is only valid in async functions and the top level bodies of modules",
];

/// What a function was compiled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// What V8 made of the text before.
    Kept,
    /// The text.
    Text,
}

/// Compiles a text as the body of a function, from its compiled form if there is one that V8 takes; with `options` if not.
pub(super) fn body<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    text: v8::Local<'s, v8::String>,
    origin: &v8::ScriptOrigin<'s>,
    parameters: &[v8::Local<'s, v8::String>],
    kept: Option<&[u8]>,
    options: v8::script_compiler::CompileOptions,
) -> Option<(v8::Local<'s, v8::Function>, From)> {
    let (mut source, how) = match kept {
        Some(data) => (
            v8::script_compiler::Source::new_with_cached_data(
                text,
                Some(origin),
                v8::CachedData::new(data),
            ),
            v8::script_compiler::CompileOptions::ConsumeCodeCache,
        ),
        None => (
            v8::script_compiler::Source::new(text, Some(origin)),
            options,
        ),
    };
    let function = v8::script_compiler::compile_function(
        scope,
        &mut source,
        parameters,
        &[],
        how,
        v8::script_compiler::NoCacheReason::NoReason,
    )?;
    let rejected = source
        .get_cached_data()
        .is_none_or(v8::CachedData::rejected);
    let from = if kept.is_some() && !rejected {
        From::Kept
    } else {
        From::Text
    };
    Some((function, from))
}

/// Compiles CommonJS into its wrapper function. On failure the exception stays pending in `scope`,
/// unless `detect` is set and the text is an ES module: then the answer is `null`.
pub(super) fn commonjs<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    shared: &Rc<Shared>,
    path: String,
    text: &str,
    detect: bool,
) -> v8::Local<'s, v8::Value> {
    let undefined: v8::Local<'s, v8::Value> = v8::undefined(scope).into();
    let (Some(name), Some(source)) = (v8::String::new(scope, &path), v8::String::new(scope, text))
    else {
        return undefined;
    };
    let origin = v8::ScriptOrigin::new(
        scope,
        name.into(),
        0,
        0,
        false,
        -1,
        None,
        false,
        false,
        false,
        None,
    );
    let at = path.clone();
    let parameters = PARAMETERS.map(|p| v8::String::new(scope, p).unwrap_or(name));
    let cached = shared.program.cached(&path);
    v8::tc_scope!(let scope, scope);
    let compiled = body(
        scope,
        source,
        &origin,
        &parameters,
        cached.as_deref(),
        v8::script_compiler::CompileOptions::NoCompileOptions,
    );
    if let Some((function, from)) = compiled {
        if from == From::Text {
            shared
                .uncached
                .borrow_mut()
                .push((path, v8::Global::new(scope, function)));
        }
        return function.into();
    }
    let message = scope.message();
    if let Some(message) = message {
        let said = message.get(scope).to_rust_string_lossy(scope);
        if detect && MODULE_SYNTAX.iter().any(|m| said.contains(m)) {
            scope.reset();
            return v8::null(scope).into();
        }
        let line = message.get_line_number(scope).unwrap_or(0);
        let column = message.get_start_column() + 1;
        locate(scope, &format!(" at {at}:{line}:{column}"));
    }
    scope.rethrow();
    undefined
}

/// Adds the place to a syntax error's message, which V8 keeps apart (NC-57).
fn locate(scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>, place: &str) {
    let Some(exception) = scope.exception().and_then(|e| e.to_object(scope)) else {
        return;
    };
    let Some(key) = v8::String::new(scope, "message") else {
        return;
    };
    let before = exception
        .get(scope, key.into())
        .map(|m| m.to_rust_string_lossy(scope))
        .unwrap_or_default();
    if let Some(text) = v8::String::new(scope, &format!("{before}{place}")) {
        exception.set(scope, key.into(), text.into());
    }
}

/// Keeps the compiled form of what was compiled while the function was loaded.
pub(super) fn keep(scope: &mut v8::PinScope<'_, '_>, shared: &Rc<Shared>) {
    for (path, function) in shared.uncached.take() {
        let function = v8::Local::new(scope, function);
        if let Some(data) = function.create_code_cache() {
            shared.program.cache(path, &data);
        }
    }
}

/// Keeps the compiled forms of built-ins that have been loaded here, with what that has compiled: V8 finds what it has made
/// of the same text before, and compiles nothing.
pub(super) fn keep_builtins(scope: &mut v8::PinScope<'_, '_>, specifiers: &[String]) {
    let startup = startup::startup();
    for specifier in specifiers {
        if let Some((kind, text)) = startup.text(specifier)
            && let Some(code) = builtin(scope, specifier, kind, text)
        {
            BuiltinCache::put_whole(specifier, &code);
        }
    }
}

/// What V8 has compiled of a built-in. Name and options are those under which the engine has compiled it.
pub(super) fn builtin(
    scope: &mut v8::PinScope<'_, '_>,
    specifier: &str,
    kind: BuiltinKind,
    text: &'static str,
) -> Option<v8::UniqueRef<v8::CachedData<'static>>> {
    v8::scope!(let scope, scope);
    let name = v8::String::new(scope, specifier)?;
    let text = v8::String::new_external_onebyte_static(scope, text.as_bytes())?;
    let is_module = kind == BuiltinKind::Module;
    let script_id = if is_module { 0 } else { -1 };
    let origin = v8::ScriptOrigin::new(
        scope,
        name.into(),
        0,
        0,
        false,
        script_id,
        None,
        false,
        false,
        is_module,
        None,
    );
    v8::tc_scope!(let scope, scope);
    let options = v8::script_compiler::CompileOptions::NoCompileOptions;
    if is_module {
        let mut source = v8::script_compiler::Source::new(text, Some(&origin));
        let module = v8::script_compiler::compile_module(scope, &mut source)?;
        module.get_unbound_module_script(scope).create_code_cache()
    } else {
        let parameter = v8::String::new(scope, BOOTSTRAP)?;
        let (function, _) = body(scope, text, &origin, &[parameter], None, options)?;
        function.create_code_cache()
    }
}
