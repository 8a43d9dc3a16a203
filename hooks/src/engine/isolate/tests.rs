//! What one isolate leaves for those that come after it.

use std::time::SystemTime;

use fourfront_model::{
    Compat, Function, FunctionKind, FunctionSource, FunctionVersion, HandlerPath,
};

use super::{super::startup::BuiltinCache, *};
use crate::{PoolSettings, bundle::Bundle, engine, log::TracingSink};

const FILE: &str = "ext:upstream/buffer.mjs";

fn program(code: &str) -> Arc<Program> {
    let function = Function {
        name: "f".parse().expect("a name"),
        version: FunctionVersion(1),
        source: FunctionSource::File("unused.js".into()),
        handler: HandlerPath::default(),
        timeout: None,
        memory_mb: None,
        environment: Vec::new(),
        log_group: None,
        sealed: false,
        concurrency: None,
        egress: None,
        credentials: None,
        kind: FunctionKind::Lambda,
    };
    let settings = PoolSettings::new(Arc::new(TracingSink), Arc::new(|| SystemTime::UNIX_EPOCH));
    let bundle = Bundle::from_files([("index.js", code)]);
    Arc::new(Program::new(
        Arc::new(function),
        Compat::Strict,
        bundle,
        settings.host,
    ))
}

fn loaded(program: &Arc<Program>) -> LambdaIsolate {
    let mut isolate = LambdaIsolate::new(program, Place::Pool).expect("it starts");
    let progress = isolate.start_load(Duration::from_secs(10));
    assert!(matches!(progress, Progress::Done(Ok(_))));
    isolate
}

fn on_a_thread_of_the_engine(act: impl FnOnce() + Send + 'static) {
    let thread = engine::spawn("test".into(), 8 << 20, engine::Priority::Prompt, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let _inside = runtime.enter();
        act();
    });
    thread.expect("a thread").join().expect("it passes");
}

#[test]
fn what_loading_a_built_in_compiles_is_kept() {
    // NC-122: later isolates take it from there.
    on_a_thread_of_the_engine(|| {
        let isolate = loaded(&program("require('util'); exports.handler = () => {};"));
        let kept = BuiltinCache::get(FILE).expect("it is loaded");
        assert!(kept.whole);
        // Where it has not run, there is its outermost function alone.
        let mut other = loaded(&program("exports.handler = () => {};"));
        let mut runtime = Entered::new(&mut other.runtime);
        let runtime = &mut *runtime;
        deno_core::scope!(scope, runtime);
        let (kind, text) = startup::startup().text(FILE).expect("it is there");
        let bare = compile::builtin(scope, FILE, kind, text).expect("it compiles");
        let (whole, bare) = (kept.code.len(), bare.len());
        assert!(whole > bare, "{whole} and {bare} bytes");
        drop(isolate);
    });
}

#[test]
fn all_that_a_function_loads_is_kept() {
    // NC-122: scripts and ES modules alike, those that a call loads among them.
    on_a_thread_of_the_engine(|| {
        let program =
            program("require('https'); exports.handler = async () => require('zlib').constants;");
        let mut isolate = loaded(&program);
        let limit = Duration::from_secs(10);
        let at_load = program.builtins();
        let progress = isolate.start(b"{}", Ids::default(), limit, limit);
        assert!(matches!(progress, Progress::Done(Ok(_))));
        assert!(isolate.reusable(None));
        let all = program.builtins();
        assert!(all.len() > at_load.len() && at_load.len() > 100, "{all:?}");
        for file in all {
            let kept = BuiltinCache::get(&file).expect("it is kept");
            assert!(kept.whole, "{file}");
        }
    });
}
