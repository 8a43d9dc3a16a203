//! Compiling a function's files, with V8's code cache kept per version.

use deno_core::v8;
use std::rc::Rc;

use super::ops::Shared;

const PARAMETERS: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];

/// What V8 says when CommonJS contains ES module syntax: the messages by which Node 22 decides, too.
const MODULE_SYNTAX: [&str; 4] = [
    "Cannot use import statement outside a module",
    "Unexpected token 'export'",
    "Cannot use 'import.meta' outside a module",
    "await is only valid in async functions and the top level bodies of modules",
];

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
    let options = host_options(scope);
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
        options,
    );
    let parameters = PARAMETERS.map(|p| v8::String::new(scope, p).unwrap_or(name));
    let cached = shared.program.cached(&path);
    let (mut source, how) = match &cached {
        Some(data) => (
            v8::script_compiler::Source::new_with_cached_data(
                source,
                Some(&origin),
                v8::CachedData::new(data),
            ),
            v8::script_compiler::CompileOptions::ConsumeCodeCache,
        ),
        None => (
            v8::script_compiler::Source::new(source, Some(&origin)),
            v8::script_compiler::CompileOptions::NoCompileOptions,
        ),
    };
    v8::tc_scope!(let scope, scope);
    let compiled = v8::script_compiler::compile_function(
        scope,
        &mut source,
        &parameters,
        &[],
        how,
        v8::script_compiler::NoCacheReason::NoReason,
    );
    if let Some(function) = compiled {
        let rejected = source
            .get_cached_data()
            .is_none_or(v8::CachedData::rejected);
        if cached.is_none() || rejected {
            shared
                .uncached
                .borrow_mut()
                .push((path, v8::Global::new(scope, function)));
        }
        return function.into();
    }
    if detect && let Some(message) = scope.message() {
        let said = message.get(scope).to_rust_string_lossy(scope);
        if MODULE_SYNTAX.iter().any(|m| said.contains(m)) {
            scope.reset();
            return v8::null(scope).into();
        }
    }
    scope.rethrow();
    undefined
}

/// Marks scripts so that `import()` inside them works.
fn host_options<'s>(_scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Data>> {
    None
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
