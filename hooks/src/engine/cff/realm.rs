//! Contexts of CloudFront Functions.
//!
//! Within a context there is no event loop, no module loader, and no operation beside the few of [`super::natives`].
//!
//! All isolates of a process share the read-only part of the first one's snapshot, so there can be but one snapshot, and
//! what is in it refers to `deno_core`'s operations and sources. So isolates for CloudFront Functions are `deno_core`
//! runtimes, too, whose own context is never entered. Theirs start from the snapshot's bare context, in which the two files
//! of ours are evaluated; `js/cff.js` says what a frozen and a fresh context are.

use deno_core::v8;
use fourfront_model::CffRuntime;

use super::natives;
use crate::engine::{
    compile::{self, From},
    startup::BuiltinCache,
};

/// How a context is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that runs share can be changed: it serves one run after another.
    Frozen,
    /// Everything can be changed: it serves one run.
    Fresh,
}

/// A context with the functions that the host calls.
pub(super) struct Realm {
    pub(super) context: v8::Global<v8::Context>,
    pub(super) check: v8::Global<v8::Function>,
    pub(super) run: v8::Global<v8::Function>,
    pub(super) settled: v8::Global<v8::Function>,
}

/// Compiles a file of ours as the body of a function; the first time for all isolates.
fn evaluate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    text: &str,
    parameters: &[&str],
) -> Option<v8::Local<'s, v8::Function>> {
    let origin = origin(scope, name, 0)?;
    let text = v8::String::new(scope, text)?;
    let parameters = parameters
        .iter()
        .map(|p| v8::String::new(scope, p))
        .collect::<Option<Vec<_>>>()?;
    let known = BuiltinCache::get(name);
    v8::tc_scope!(let scope, scope);
    let compiled = compile::body(
        scope,
        text,
        &origin,
        &parameters,
        known.map(|known| known.code),
        v8::script_compiler::CompileOptions::EagerCompile,
    );
    let Some((function, from)) = compiled else {
        tell(scope, name);
        return None;
    };
    if from == From::Text
        && let Some(code) = function.create_code_cache()
    {
        BuiltinCache::put_whole(name, &code);
    }
    Some(function)
}

/// Says where JavaScript of our own went wrong.
fn tell(scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>, file: &str) {
    let Some(message) = scope.message() else {
        return;
    };
    let said = message.get(scope).to_rust_string_lossy(scope);
    let line = message.get_line_number(scope).unwrap_or(0);
    tracing::error!(file, line, "{said}");
}

/// The name of a script, and how many lines were put before its first.
pub(super) fn origin<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    lines_before: i32,
) -> Option<v8::ScriptOrigin<'s>> {
    let name = v8::String::new(scope, name)?;
    Some(v8::ScriptOrigin::new(
        scope,
        name.into(),
        -lines_before,
        0,
        false,
        -1,
        None,
        false,
        false,
        false,
        None,
    ))
}

/// Puts what the isolate asks the host about into our hands: `deno_core`'s answers look for a runtime's own context.
pub(super) fn take_over(isolate: &mut v8::Isolate) {
    isolate.set_promise_reject_callback(ignore_rejection);
    isolate.set_prepare_stack_trace_callback(stack_trace);
    isolate.set_host_import_module_dynamically_callback(refuse_import);
}

/// A run ends with what its handler's promise comes to, whatever else was rejected.
extern "C" fn ignore_rejection(_: v8::PromiseRejectMessage<'_>) {}

/// A stack as V8 itself writes it.
fn stack_trace<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    error: v8::Local<'s, v8::Value>,
    sites: v8::Local<'s, v8::Array>,
) -> v8::Local<'s, v8::Value> {
    v8::tc_scope!(let scope, scope);
    let mut text = error.to_rust_string_lossy(scope);
    for at in 0..sites.length() {
        if let Some(site) = sites.get_index(scope, at) {
            text.push_str("\n    at ");
            text.push_str(&site.to_rust_string_lossy(scope));
        }
    }
    scope.reset();
    match v8::String::new(scope, &text) {
        Some(text) => text.into(),
        None => v8::undefined(scope).into(),
    }
}

/// Imports stand at the beginning of the file (LE-461).
fn refuse_import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _: v8::Local<'s, v8::Data>,
    _: v8::Local<'s, v8::Value>,
    _: v8::Local<'s, v8::String>,
    _: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let message = v8::String::new(scope, "import() is not available (LE-461)")?;
    let error = v8::Exception::type_error(scope, message);
    scope.throw_exception(error);
    None
}

impl Realm {
    /// A new context of a kind. `None` when our own JavaScript does not evaluate, which every test would meet, or when
    /// the function's memory is used up.
    pub(super) fn new(
        scope: &mut v8::PinScope<'_, '_, ()>,
        runtime: CffRuntime,
        kind: Kind,
    ) -> Option<Self> {
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        // LE-438: `eval` and `Function` throw.
        context.set_allow_generation_from_strings(false);
        let scope = &mut v8::ContextScope::new(scope, context);
        let native = natives::object(scope)?;
        let version = v8::Integer::new(scope, if runtime == CffRuntime::V1 { 1 } else { 2 });
        let frozen = v8::Boolean::new(scope, kind == Kind::Frozen);
        let library = evaluate(
            scope,
            "ext:fourfront/cff_library.js",
            include_str!("../../../js/cff_library.js"),
            &["native", "version", "state"],
        )?;
        let bounds = evaluate(
            scope,
            "ext:fourfront/bounded.js",
            include_str!("../../../js/bounded.js"),
            &["isProxy", "heavy"],
        )?;
        let boot = evaluate(
            scope,
            "ext:fourfront/cff.js",
            include_str!("../../../js/cff.js"),
            &["native", "version", "frozen", "library", "bounds"],
        )?;
        let this = v8::undefined(scope).into();
        let made = {
            v8::tc_scope!(let scope, scope);
            let made = boot.call(
                scope,
                this,
                &[
                    native.into(),
                    version.into(),
                    frozen.into(),
                    library.into(),
                    bounds.into(),
                ],
            );
            match made.and_then(|made| made.to_object(scope)) {
                Some(made) => made,
                None => {
                    tell(scope, "cff.js");
                    return None;
                }
            }
        };
        let take = |name: &str| {
            let name = v8::String::new(scope, name)?;
            let function = made.get(scope, name.into())?;
            let function = v8::Local::<v8::Function>::try_from(function).ok()?;
            Some(v8::Global::new(scope, function))
        };
        Some(Self {
            check: take("check")?,
            run: take("run")?,
            settled: take("settled")?,
            context: v8::Global::new(scope, context),
        })
    }
}
