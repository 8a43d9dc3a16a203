//! Contexts of CloudFront Functions: the snapshot they start from.
//!
//! A plain V8 isolate, not a `deno_core` runtime: there is no event loop, no module loader and no operation beside the
//! few of [`super::natives`]. One snapshot holds four contexts, a frozen and a fresh one for each runtime (`js/cff.js` says
//! what that means); making it takes some 10 ms, once per process.

use std::sync::OnceLock;

use deno_core::v8;
use fourfront_model::CffRuntime;

use super::natives;

/// How a context is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that runs share can be changed: it serves one run after another.
    Frozen,
    /// Everything can be changed: it serves one run.
    Fresh,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Frozen, Self::Fresh];
}

/// The snapshot, and where in it things are.
pub(super) struct Snapshot {
    blob: &'static [u8],
    contexts: [[Place; 2]; 2],
}

/// Indices of a context and of its functions within the snapshot.
#[derive(Clone, Copy, Default)]
struct Place {
    context: usize,
    open: usize,
    check: usize,
    run: usize,
    settled: usize,
}

/// A context with the functions that the host calls.
pub(super) struct Realm {
    pub(super) context: v8::Global<v8::Context>,
    pub(super) check: v8::Global<v8::Function>,
    pub(super) run: v8::Global<v8::Function>,
    pub(super) settled: v8::Global<v8::Function>,
}

/// The snapshot; `None` when this binary's own JavaScript does not evaluate, which every test would meet.
pub(super) fn snapshot() -> Option<&'static Snapshot> {
    static SNAPSHOT: OnceLock<Option<Snapshot>> = OnceLock::new();
    SNAPSHOT
        .get_or_init(|| {
            // V8's flags and platform are set where the Node runtime starts.
            crate::engine::startup::startup();
            make()
        })
        .as_ref()
}

fn make() -> Option<Snapshot> {
    let mut isolate = v8::Isolate::snapshot_creator(Some(natives::external_references()), None);
    let mut contexts = [[Place::default(); 2]; 2];
    let mut complete = true;
    {
        v8::scope!(scope, &mut isolate);
        let bare = v8::Context::new(scope, v8::ContextOptions::default());
        scope.set_default_context(bare);
        for runtime in CffRuntime::ALL {
            for kind in Kind::ALL {
                match add_context(scope, runtime, kind) {
                    Some(place) => contexts[runtime.index()][kind as usize] = place,
                    None => complete = false,
                }
            }
        }
    }
    let blob = isolate.create_blob(v8::FunctionCodeHandling::Keep)?;
    // Kept for as long as the process, like every isolate's other beginnings.
    let blob = blob.to_vec().leak();
    complete.then_some(Snapshot { blob, contexts })
}

fn add_context(
    scope: &mut v8::PinScope<'_, '_, ()>,
    runtime: CffRuntime,
    kind: Kind,
) -> Option<Place> {
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let functions = {
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
        let boot = evaluate(
            scope,
            "ext:fourfront/cff.js",
            include_str!("../../../js/cff.js"),
            &["native", "version", "frozen", "library"],
        )?;
        let this = v8::undefined(scope).into();
        v8::tc_scope!(let scope, scope);
        let made = boot.call(
            scope,
            this,
            &[native.into(), version.into(), frozen.into(), library.into()],
        );
        let Some(made) = made.and_then(|made| made.to_object(scope)) else {
            tell(scope, "cff.js");
            return None;
        };
        ["open", "check", "run", "settled"].map(|name| {
            let name = v8::String::new(scope, name)?;
            let function = made.get(scope, name.into())?;
            v8::Local::<v8::Function>::try_from(function).ok()
        })
    };
    let [Some(open), Some(check), Some(run), Some(settled)] = functions else {
        return None;
    };
    Some(Place {
        open: scope.add_context_data(context, open),
        check: scope.add_context_data(context, check),
        run: scope.add_context_data(context, run),
        settled: scope.add_context_data(context, settled),
        context: scope.add_context(context),
    })
}

/// Compiles a file of ours as the body of a function.
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
    let mut source = v8::script_compiler::Source::new(text, Some(&origin));
    v8::tc_scope!(let scope, scope);
    let compiled = v8::script_compiler::compile_function(
        scope,
        &mut source,
        &parameters,
        &[],
        v8::script_compiler::CompileOptions::NoCompileOptions,
        v8::script_compiler::NoCacheReason::NoReason,
    );
    if compiled.is_none() {
        tell(scope, name);
    }
    compiled
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

impl Snapshot {
    /// The parameters of an isolate that starts from it.
    pub(super) fn params(&self) -> v8::CreateParams {
        v8::CreateParams::default()
            .snapshot_blob(self.blob.into())
            .external_references(natives::external_references())
    }

    /// A new context of a kind.
    pub(super) fn realm(
        &self,
        scope: &mut v8::PinScope<'_, '_, ()>,
        runtime: CffRuntime,
        kind: Kind,
    ) -> Option<Realm> {
        let place = self.contexts[runtime.index()][kind as usize];
        let context =
            v8::Context::from_snapshot(scope, place.context, v8::ContextOptions::default())?;
        // LE-438: `eval` and `Function` throw.
        context.set_allow_generation_from_strings(false);
        let scope = &mut v8::ContextScope::new(scope, context);
        let take = |index| {
            let data = scope.get_context_data_from_snapshot_once::<v8::Function>(index);
            data.ok()
        };
        let open = take(place.open)?;
        let [check, run, settled] = [place.check, place.run, place.settled].map(take);
        let this = v8::undefined(scope).into();
        open.call(scope, this, &[])?;
        Some(Realm {
            check: v8::Global::new(scope, check?),
            run: v8::Global::new(scope, run?),
            settled: v8::Global::new(scope, settled?),
            context: v8::Global::new(scope, context),
        })
    }
}
