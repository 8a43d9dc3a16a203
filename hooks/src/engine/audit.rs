//! What a call may do on a thread of the proxy's (NC-98, LE-352).
//!
//! Two things that cost a thread of the pool, which replaces it, would be the end of a thread of the proxy's and of all its
//! connections: an operation that does not come back, and one that panics, since a panic cannot be unwound through V8's C.
//! So calls that run there reach none but the operations listed here. Each of them
//!
//! - changes nothing outside of its isolate, or only what a trial holds back until it is accepted: then a call that is given
//!   up can be made again as if nothing had happened;
//! - takes no longer than looking at its arguments once, which are bounded by the memory of the function (on these threads
//!   [`MOST_MEMORY_MB`] at most) and by the longest text V8 makes;
//! - has no way to panic that its arguments could lead it to.
//!
//! To load a built-in is not harmless: an end of the call waits for it ([`Limits::load_begins`]), and what the function has
//! made of the language's own objects may run then. The built-ins that a version has loaded on the pool are loaded before any of
//! its code runs here, and no others are to be had ([`super::startup`]): who wants another moves to the pool.
//!
//! Isolates of these threads have a table of operations of their own, in which [`op_ff_elsewhere`] stands in place of all
//! others. It ends the call before the operation has run; the call is made anew on the pool, and so are all others of its
//! version from then on: what a version has done once it will do again. A listed operation costs nothing for being listed,
//! and the pool's isolates are not concerned.

use std::{
    collections::HashSet,
    rc::Rc,
    sync::{Arc, LazyLock},
};

use deno_core::{OpDecl, OpMetricsEvent, OpMetricsFactoryFn, OpMetricsFn, op2, v8};
use deno_error::JsErrorBox;
use fourfront_model::Function;

use super::{isolate::Place, limits::Limits, ops::Shared};

/// Memory of an isolate on a thread of the proxy's, in MiB: what bounds the time of everything that is linear in it. Whoever
/// needs more, and may have it, is called on the pool.
///
/// Less would cost ordinary handlers nothing (from 16 MiB on, calls that make much garbage take the same time) and would
/// not help against what holds a thread in spite of all (`tests/engine/loops.txt`): with 32, 64 and 128 MiB alike, a search
/// by a long regular expression in 32 MiB of text took 3 s, and `{ ...text }`, `for (k in text)` and `apply` of 2^27 each
/// took 6 s. V8 makes the text, or the keys, in the room it is granted beyond the limit so that it can unwind.
pub(super) const MOST_MEMORY_MB: u32 = 128;

/// What an isolate of a function may have, in MiB.
pub(super) fn memory_mb(place: Place, function: &Function) -> u32 {
    match place {
        Place::Pool => function.memory_limit_mb(),
        Place::Caller => function.memory_limit_mb().min(MOST_MEMORY_MB),
    }
}

/// The operations, by why they are harmless.
const HARMLESS: &[(&str, &[&str])] = &[
    (
        "Written here for this: the state of the call, of its isolate and of what it has been charged. Log records are held \
         back, and an end is the isolate's own.",
        &[
            "op_bootstrap_color_depth",
            "op_current_thread_cpu_usage",
            "op_ff_charge",
            "op_ff_discharge",
            "op_ff_done",
            "op_ff_exit",
            "op_ff_grown",
            "op_ff_hrtime",
            "op_ff_log",
            "op_ff_memory",
            "op_ff_remaining",
            "op_ff_stay_ended",
            "op_ff_uncaught",
            "op_ff_wasm_memories",
            "op_get_env_no_permission_check",
        ],
    ),
    (
        "The version's own files, which are read and never written. What resolves them is fuzzed.",
        &[
            "op_ff_compile",
            "op_ff_file_list",
            "op_ff_file_look",
            "op_ff_file_read",
            "op_ff_file_url",
            "op_ff_kind",
            "op_ff_path_of_url",
            "op_ff_read",
            "op_ff_read_link",
            "op_ff_resolve",
        ],
    ),
    (
        "Questions that V8 answers about one value.",
        &[
            "op_is_any_array_buffer",
            "op_is_arguments_object",
            "op_is_array_buffer",
            "op_is_array_buffer_view",
            "op_is_async_function",
            "op_is_big_int_object",
            "op_is_boolean_object",
            "op_is_boxed_primitive",
            "op_is_data_view",
            "op_is_date",
            "op_is_generator_function",
            "op_is_generator_object",
            "op_is_map",
            "op_is_map_iterator",
            "op_is_module_namespace_object",
            "op_is_native_error",
            "op_is_number_object",
            "op_is_promise",
            "op_is_proxy",
            "op_is_reg_exp",
            "op_is_set",
            "op_is_set_iterator",
            "op_is_shared_array_buffer",
            "op_is_string_object",
            "op_is_symbol_object",
            "op_is_typed_array",
            "op_is_weak_map",
            "op_is_weak_set",
        ],
    ),
    (
        "Built-ins that are there already ([`loads_watched`]), and what they ask for when they are loaded.",
        &[
            "op_lazy_load_esm",
            "op_load_ext_script",
            "op_mark_as_untransferable",
            "op_node_build_os",
            "op_node_fs_constants",
            "op_stream_base_register_state",
        ],
    ),
    (
        "The isolate's clock, its list of timers and its queue of promise jobs, whose functions run as any others. A call that \
         waits for one is given up by the trial.",
        &[
            "op_drain_pending_rejections",
            "op_immediate_check",
            "op_node_new_async_id",
            "op_now",
            "op_run_microtasks",
            "op_time_origin",
            "op_timer_now",
            "op_timer_schedule",
            "op_timer_track",
            "op_timer_untrack",
        ],
    ),
    (
        "Text to bytes and back, in one pass.",
        &[
            "op_base64_atob",
            "op_base64_btoa",
            "op_base64_decode",
            "op_base64_decode_into",
            "op_base64_encode_from_buffer",
            "op_base64url_decode",
            "op_base64url_decode_into",
            "op_base64url_encode_from_buffer",
            "op_encode",
            "op_encoding_decode_utf8",
            "op_encoding_decode_utf8_ascii_only",
            "op_encoding_encode_into",
            "op_encoding_encode_into_fallback",
            "op_encoding_normalize_label",
            "op_is_ascii",
            "op_is_utf8",
            "op_node_encoding_slice",
            "op_str_byte_length",
        ],
    ),
    (
        "Addresses and queries, read in one pass by a parser that half the world fuzzes. Not what changes one.",
        &[
            "op_node_idna_domain_to_ascii",
            "op_url_get_serialization",
            "op_url_parse",
            "op_url_parse_search_params",
            "op_url_parse_with_base",
            "op_url_stringify_search_params",
        ],
    ),
    (
        "Digests in one pass, whose output `costs.js` bounds, and a few random bytes.",
        &[
            "op_crypto_is_seeded",
            "op_crypto_random_uuid_batch",
            "op_node_get_hash_size",
            "op_node_get_hashes",
            "op_node_hash_digest",
            "op_node_hash_digest_hex",
            "op_node_hash_update",
            "op_node_hash_update_str",
            "op_node_create_hash",
        ],
    ),
];

/// The same of classes: the class and its methods.
const HARMLESS_METHODS: &[(&str, &[&str])] = &[
    // 65536 bytes at a time, at most.
    (
        "Crypto",
        &["create", "getRandomValues", "registerSymbols", "subtle"],
    ),
    ("SubtleCrypto", &["create"]),
];

/// What an operation is for calls of a place.
pub(super) fn at(place: Place, op: OpDecl) -> OpDecl {
    // Asked for every operation of every isolate of these threads.
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        HARMLESS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect()
    });
    if place == Place::Pool || NAMES.contains(op.name) {
        op
    } else {
        op.with_implementation_from(&op_ff_elsewhere())
    }
}

/// The same for a method of a class.
pub(super) fn method_at(place: Place, class: &str, method: OpDecl) -> OpDecl {
    let harmless = || {
        HARMLESS_METHODS
            .iter()
            .any(|(name, methods)| *name == class && methods.contains(&method.name))
    };
    if place == Place::Pool || harmless() {
        method
    } else {
        method.with_implementation_from(&op_ff_elsewhere())
    }
}

/// Watches the operations that load built-ins: an end of execution waits for them ([`Limits::load_begins`]), and on threads
/// of the proxy's, one that finds none ends the call there.
pub(super) fn loads_watched(place: Place, limits: &Arc<Limits>) -> OpMetricsFactoryFn {
    let limits = limits.clone();
    let watch: OpMetricsFn = Rc::new(move |_, event, _| match event {
        OpMetricsEvent::Dispatched => limits.load_begins(),
        OpMetricsEvent::Completed | OpMetricsEvent::CompletedAsync => limits.load_ends(),
        OpMetricsEvent::Error | OpMetricsEvent::ErrorAsync => {
            limits.load_ends();
            if place == Place::Caller {
                limits.move_away();
            }
        }
    });
    Box::new(move |_, _, op| {
        ["op_lazy_load_esm", "op_load_ext_script"]
            .contains(&op.name)
            .then(|| watch.clone())
    })
}

/// Stands in place of what may not run here: ends the call, which is then made anew where it may.
///
/// Asks the isolate, since the state of operations may be borrowed by one that this was called from.
#[op2(nofast)]
pub(super) fn op_ff_elsewhere(isolate: &mut v8::Isolate) -> Result<(), JsErrorBox> {
    if let Some(shared) = isolate.get_slot::<Rc<Shared>>() {
        shared.limits.move_away();
    }
    isolate.terminate_execution();
    Err(JsErrorBox::generic(
        "this call is made again where it may do that",
    ))
}

/// Called before something of V8's own that nobody can interrupt and that takes longer than a millisecond. Listed nowhere
/// above: a call on a thread of the proxy's moves away, and one on the pool goes on.
#[op2(fast)]
pub(super) fn op_ff_heavy() {}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Mutex};

    use deno_core::{Extension, JsRuntime, RuntimeOptions};

    use super::{super::*, *};

    /// The names of all operations, the engine's own among them: an extension is asked about each.
    fn all_names() -> BTreeSet<&'static str> {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let names = seen.clone();
        spawn("names".into(), 8 << 20, Priority::Prompt, move || {
            let startup = startup::startup();
            let mut extensions = extensions::for_isolate(&Egress::default(), Place::Pool);
            let asked: Box<dyn Fn(OpDecl) -> OpDecl> = Box::new(move |op| {
                seen.lock().unwrap().insert(op.name);
                op
            });
            extensions.push(Extension {
                name: "names",
                middleware_fn: Some(asked),
                ..Extension::default()
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.unwrap();
            let _inside = runtime.enter();
            drop(JsRuntime::new(RuntimeOptions {
                startup_snapshot: Some(startup.snapshot),
                residual_lazy_js_sources: startup.scripts,
                residual_lazy_esm_sources: startup.modules,
                extensions,
                ..RuntimeOptions::default()
            }));
        })
        .unwrap()
        .join()
        .unwrap();
        std::mem::take(&mut *names.lock().unwrap())
    }

    #[test]
    fn what_is_listed_is_there() {
        // NC-98: a name that upstream has changed would move every function that reaches it, unnoticed.
        let known = all_names();
        for (_, names) in HARMLESS {
            for name in *names {
                assert!(known.contains(name), "{name}");
            }
        }
    }
}
