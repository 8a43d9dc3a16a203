//! What every isolate starts from: the snapshot and the sources of the lazy built-ins.
//!
//! Made once per process, when the first isolate is asked for.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, OnceLock},
};

use deno_core::{
    Extension, ExtensionFileSource, ExtensionFileSourceCode, JsRuntime, JsRuntimeForSnapshot,
    RuntimeOptions,
};

use super::{extensions, sched};

/// Specifier and source, sorted by specifier.
pub(super) type Sources = &'static [(&'static str, &'static str)];

/// What [`JsRuntime`] is given.
#[derive(Clone, Copy)]
pub(super) struct Startup {
    pub(super) snapshot: &'static [u8],
    pub(super) scripts: Sources,
    pub(super) modules: Sources,
}

/// The files of the `deno_*` crates, gathered by `build.rs`: `crate/path` and its JavaScript.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_sources.rs"));

/// Our own files, and those that take the place of one of the crates'.
const OWN: &[(&str, &str)] = &[
    (
        "ext:deno_telemetry/telemetry.ts",
        include_str!("../../js/telemetry.js"),
    ),
    (
        "ext:deno_telemetry/util.ts",
        include_str!("../../js/telemetry_util.js"),
    ),
    ("ext:deno_net/01_net.js", include_str!("../../js/absent.js")),
    ("ext:deno_net/02_tls.js", include_str!("../../js/absent.js")),
    ("ext:deno_fs/30_fs.js", include_str!("../../js/absent.js")),
    ("ext:deno_os/30_os.js", include_str!("../../js/absent.js")),
    ("ext:deno_io/12_io.js", include_str!("../../js/io.js")),
    (
        "ext:deno_node/internal/http/address_override.js",
        include_str!("../../js/address_override.js"),
    ),
    (
        "ext:fourfront/fixes/crypto_errors.js",
        include_str!("../../js/fixes/crypto_errors.js"),
    ),
    (
        "ext:fourfront/fixes/arguments.js",
        include_str!("../../js/fixes/arguments.js"),
    ),
    (
        "ext:fourfront/fixes/aes192.js",
        include_str!("../../js/fixes/aes192.js"),
    ),
    (
        "ext:fourfront/fixes/pss.js",
        include_str!("../../js/fixes/pss.js"),
    ),
    (
        "ext:fourfront/fixes/x509.js",
        include_str!("../../js/fixes/x509.js"),
    ),
    (
        "ext:fourfront/fixes/brotli.js",
        include_str!("../../js/fixes/brotli.js"),
    ),
    (
        "ext:fourfront/fixes/exports.js",
        include_str!("../../js/fixes/exports.js"),
    ),
    (
        "ext:fourfront/fixes/performance.js",
        include_str!("../../js/fixes/performance.js"),
    ),
    (
        "ext:fourfront/fixes/subtle.js",
        include_str!("../../js/fixes/subtle.js"),
    ),
    (
        "ext:fourfront/fixes/process.js",
        include_str!("../../js/fixes/process.js"),
    ),
    (
        "ext:deno_node/internal/hide_stack_frames.ts",
        include_str!("../../js/fixes/stack_frames.js"),
    ),
    ("ext:fourfront/fs.js", include_str!("../../js/fs.js")),
    (
        "ext:fourfront/fs/api.js",
        include_str!("../../js/fs/api.js"),
    ),
    (
        "ext:fourfront/fs/calls.js",
        include_str!("../../js/fs/calls.js"),
    ),
    (
        "ext:fourfront/fs/constants.js",
        include_str!("../../js/fs/constants.js"),
    ),
    ("ext:fourfront/fs/cp.js", include_str!("../../js/fs/cp.js")),
    (
        "ext:fourfront/fs/dir.js",
        include_str!("../../js/fs/dir.js"),
    ),
    (
        "ext:fourfront/fs/errors.js",
        include_str!("../../js/fs/errors.js"),
    ),
    (
        "ext:fourfront/fs/handle.js",
        include_str!("../../js/fs/handle.js"),
    ),
    (
        "ext:fourfront/fs/later.js",
        include_str!("../../js/fs/later.js"),
    ),
    (
        "ext:fourfront/fs/promises.js",
        include_str!("../../js/fs/promises.js"),
    ),
    (
        "ext:fourfront/fs/stats.js",
        include_str!("../../js/fs/stats.js"),
    ),
    (
        "ext:fourfront/fs/tree.js",
        include_str!("../../js/fs/tree.js"),
    ),
    // The crate's file streams are Node's own; what they stand on is ours.
    (
        "ext:deno_node/fs.ts",
        include_str!("../../js/fs/for_streams.js"),
    ),
    (
        "ext:deno_node/internal/fs/handle.ts",
        include_str!("../../js/fs/handle_module.js"),
    ),
    ("ext:fourfront/os.js", include_str!("../../js/os.js")),
    ("ext:fourfront/costs.js", include_str!("../../js/costs.js")),
    (
        "ext:fourfront/refused.js",
        include_str!("../../js/refused.js"),
    ),
    ("ext:fourfront/sharp.js", include_str!("../../js/sharp.js")),
    (
        "ext:fourfront/sharp_colours.js",
        include_str!("../../js/sharp_colours.js"),
    ),
    (
        "ext:fourfront/sharp_is.js",
        include_str!("../../js/sharp_is.js"),
    ),
    (
        "ext:fourfront/sharp_output.js",
        include_str!("../../js/sharp_output.js"),
    ),
    ("ext:fourfront/tty.js", include_str!("../../js/tty.js")),
    (
        "ext:deno_node/internal/options.ts",
        include_str!("../../js/options.js"),
    ),
    ("node:url", include_str!("../../js/url_esm.js")),
    ("node:process", include_str!("../../js/process.js")),
];

/// Those of our own files that are ES modules though they are no built-in.
const MODULES: &[&str] = &["ext:deno_node/internal/fs/handle.ts"];

/// Our own files that stand before one of the crates': they load it by the second name.
const BEFORE: &[(&str, &str, &str)] = &[
    (
        "ext:deno_node/internal_binding/cares_wrap.ts",
        "ext:upstream/cares_wrap.ts",
        include_str!("../../js/cares_wrap.js"),
    ),
    (
        "ext:deno_node/internal_binding/pipe_wrap.ts",
        "ext:upstream/pipe_wrap.ts",
        include_str!("../../js/pipe_wrap.js"),
    ),
    (
        "ext:deno_node/internal_binding/tcp_wrap.ts",
        "ext:upstream/tcp_wrap.ts",
        include_str!("../../js/tcp_wrap.js"),
    ),
    (
        "ext:deno_node/_zlib_binding.mjs",
        "ext:upstream/_zlib_binding.mjs",
        include_str!("../../js/zlib_binding.js"),
    ),
    (
        "ext:deno_node/internal/streams/readable.js",
        "ext:upstream/readable.js",
        include_str!("../../js/readable.js"),
    ),
    (
        "ext:deno_node/net.ts",
        "ext:upstream/net.ts",
        include_str!("../../js/net.js"),
    ),
    (
        "ext:deno_node/zlib.js",
        "ext:upstream/zlib.js",
        include_str!("../../js/zlib.js"),
    ),
    (
        "ext:deno_node/_next_tick.ts",
        "ext:upstream/_next_tick.ts",
        include_str!("../../js/next_tick.js"),
    ),
    (
        "ext:deno_node/internal/timers.mjs",
        "ext:upstream/timers.mjs",
        include_str!("../../js/timers.js"),
    ),
    (
        "ext:deno_node/v8.ts",
        "ext:upstream/v8.ts",
        include_str!("../../js/v8.js"),
    ),
    (
        "ext:deno_node/vm.js",
        "ext:upstream/vm.js",
        include_str!("../../js/vm.js"),
    ),
    (
        "ext:deno_node/internal/crypto/pbkdf2.ts",
        "ext:upstream/pbkdf2.ts",
        include_str!("../../js/costly_pbkdf2.js"),
    ),
    (
        "ext:deno_node/internal/crypto/random.ts",
        "ext:upstream/random.ts",
        include_str!("../../js/costly_random.js"),
    ),
    (
        "ext:deno_node/internal/crypto/hash.ts",
        "ext:upstream/hash.ts",
        include_str!("../../js/costly_hash.js"),
    ),
    (
        "ext:deno_node/punycode.ts",
        "ext:upstream/punycode.ts",
        include_str!("../../js/costly_punycode.js"),
    ),
    (
        "ext:deno_node/internal/crypto/keygen.ts",
        "ext:upstream/keygen.ts",
        include_str!("../../js/costly_keygen.js"),
    ),
    (
        "ext:deno_node/internal/crypto/diffiehellman.ts",
        "ext:upstream/diffiehellman.ts",
        include_str!("../../js/costly_diffiehellman.js"),
    ),
    (
        "ext:deno_crypto/00_crypto.js",
        "ext:upstream/00_crypto.js",
        include_str!("../../js/webcrypto.js"),
    ),
    (
        "ext:deno_node/internal/crypto/scrypt.ts",
        "ext:upstream/scrypt.ts",
        include_str!("../../js/scrypt.js"),
    ),
    (
        "ext:deno_node/internal/errors.ts",
        "ext:upstream/errors.ts",
        include_str!("../../js/fixes/errors.js"),
    ),
    (
        "ext:deno_node/crypto.ts",
        "ext:upstream/crypto.ts",
        include_str!("../../js/fixes/crypto.js"),
    ),
    (
        "ext:deno_node/internal/util/inspect.mjs",
        "ext:upstream/inspect.mjs",
        include_str!("../../js/fixes/inspect.js"),
    ),
    (
        "ext:deno_web/08_text_encoding.js",
        "ext:upstream/08_text_encoding.js",
        include_str!("../../js/fixes/text_encoding.js"),
    ),
    (
        "ext:deno_node/querystring.js",
        "ext:upstream/querystring.js",
        include_str!("../../js/fixes/querystring.js"),
    ),
    (
        "ext:deno_node/async_hooks.ts",
        "ext:upstream/async_hooks.ts",
        include_str!("../../js/fixes/async_hooks.js"),
    ),
    (
        "ext:deno_node/util.ts",
        "ext:upstream/util.ts",
        include_str!("../../js/fixes/util.js"),
    ),
    (
        "ext:deno_node/internal/buffer.mjs",
        "ext:upstream/buffer.mjs",
        include_str!("../../js/fixes/buffer.js"),
    ),
];

/// V8's flags; the first entry stands for the program's name.
const FLAGS: &[&str] = &[
    "fourfront",
    // V8 150 drops a loop's interrupt check when an inlined loop before it has a known, small number of
    // rounds (`LoopStackCheckElisionReducer` forgets to reset its mark). Such a loop,
    // `for (;;) a.push(new Array(1000).fill(1))` for one, could not be ended by anyone. The analysis
    // runs for unrolling alone.
    "--no-turboshaft-loop-unrolling",
    // Garbage is collected by the thread whose function made it, under that thread's priority. V8's helper threads
    // cost small heaps more in wake-ups than they save, and a function that fills its memory would have them
    // work for it at the expense of everybody else.
    "--single-threaded-gc",
    // What one WebAssembly memory may take before `memory` looks: 256 MiB of 64 KiB pages.
    "--wasm-max-mem-pages=4096",
];

/// Steps by which V8's own threads come behind others.
const WORKER_NICE: i32 = 10;

/// Makes the snapshot, or hands out the one there is.
pub(super) fn startup() -> Startup {
    static STARTUP: OnceLock<Startup> = OnceLock::new();
    *STARTUP.get_or_init(make)
}

fn make() -> Startup {
    // Outgoing TLS. Whoever came first has chosen: an error means that there is a provider already.
    let _ = deno_tls::rustls::crypto::aws_lc_rs::default_provider().install_default();
    deno_core::v8_set_flags(FLAGS.iter().map(|&f| f.to_owned()).collect());
    JsRuntime::init_platform(None);
    // V8's own threads compile what runs often. A function that is always new always has something to compile.
    sched::set_nice_by_name("V8 DefaultWorke", WORKER_NICE);
    // Outside of any runtime's context while the engine starts: V8 may post delayed work.
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let _inside = tokio.as_ref().ok().map(tokio::runtime::Runtime::enter);
    // Panics when the built-ins do not evaluate: they are part of the binary, and every test meets it.
    let mut runtime = JsRuntimeForSnapshot::new(RuntimeOptions {
        extensions: extensions::for_snapshot(),
        ..RuntimeOptions::default()
    });
    extensions::add_vm_context(&mut runtime);
    let snapshot = Box::leak(runtime.snapshot());
    let (mut scripts, mut modules) = (BTreeMap::new(), BTreeMap::new());
    for extension in extensions::crates() {
        for (files, table) in [
            (&extension.lazy_loaded_js_files, &mut scripts),
            (&extension.lazy_loaded_esm_files, &mut modules),
        ] {
            for file in files.iter() {
                if let Some(text) = text_of(file) {
                    table.insert(file.specifier, text);
                }
            }
        }
    }
    for (specifier, text) in OWN {
        if specifier.starts_with("node:")
            || modules.contains_key(specifier)
            || MODULES.contains(specifier)
        {
            modules.insert(specifier, text);
        } else {
            scripts.insert(specifier, text);
        }
    }
    for (specifier, original, text) in BEFORE {
        if let Some(theirs) = scripts.insert(specifier, text) {
            scripts.insert(original, theirs);
        }
    }
    Startup {
        snapshot,
        scripts: leak(scripts),
        modules: leak(modules),
    }
}

/// How V8 takes the text of a lazy built-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltinKind {
    /// As the body of a function.
    Script,
    Module,
}

impl Startup {
    /// The text of a lazy built-in.
    pub(super) fn text(&self, specifier: &str) -> Option<(BuiltinKind, &'static str)> {
        let script = find(self.scripts, specifier).map(|(_, text)| (BuiltinKind::Script, text));
        script
            .or_else(|| find(self.modules, specifier).map(|(_, text)| (BuiltinKind::Module, text)))
    }

    /// The same with no more of the lazy built-ins than these files and what they import, and a list of what is to be loaded:
    /// `s` and a script or `m` and a module for each. Kept for ever, like all sources: once for each set of files.
    pub(super) fn only(self, files: &[String]) -> (Self, Vec<String>) {
        static MADE: LazyLock<Mutex<std::collections::HashMap<Vec<&'static str>, Startup>>> =
            LazyLock::new(Mutex::default);
        let (mut scripts, mut modules) = (BTreeMap::new(), BTreeMap::new());
        let mut list = Vec::new();
        for file in files {
            if let Some((name, text)) = find(self.scripts, file) {
                scripts.insert(name, text);
                list.push(format!("s{name}"));
            } else if find(self.modules, file).is_some() {
                list.push(format!("m{file}"));
                let mut imported = vec![file.as_str()];
                while let Some(next) = imported.pop() {
                    if let Some((name, text)) = find(self.modules, next)
                        && modules.insert(name, text).is_none()
                    {
                        imported.extend(imports(text));
                    }
                }
            }
        }
        let key = scripts.keys().chain(modules.keys()).copied().collect();
        let made = MADE.lock().map(|mut made| {
            *made.entry(key).or_insert_with(|| Self {
                scripts: leak(scripts),
                modules: leak(modules),
                ..self
            })
        });
        (made.unwrap_or(self), list)
    }
}

fn find(table: Sources, specifier: &str) -> Option<(&'static str, &'static str)> {
    let at = table.binary_search_by(|(known, _)| (*known).cmp(specifier));
    at.ok().map(|at| table[at])
}

/// What a module of the built-ins may import: whatever stands in quotes after `from` or `import`.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let after = |word: &'static str| {
        text.match_indices(word)
            .filter_map(move |(at, _)| {
                text[at + word.len()..]
                    .trim_start()
                    .strip_prefix(['"', '\''])
            })
            .filter_map(|rest| rest.split(['"', '\'']).next())
    };
    after("from").chain(after("import"))
}

/// Whether JavaScript of the built-ins names an operation: what none of it names nobody can reach, and every isolate would
/// be made with it.
pub(super) fn sources_name(operation: &str) -> bool {
    static NAMED: LazyLock<std::collections::HashSet<&str>> = LazyLock::new(|| {
        let before = BEFORE.iter().map(|(_, _, text)| *text);
        let others = EMBEDDED.iter().chain(OWN).chain(extensions::BOOT);
        others
            .map(|(_, text)| *text)
            .chain(before)
            .flat_map(operation_names)
            .collect()
    });
    NAMED.contains(operation)
}

/// Whatever is spelled like the name of an operation.
fn operation_names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("op_").filter_map(|(at, _)| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        if text[..at].ends_with(is_part) {
            return None;
        }
        text[at..].split(|c| !is_part(c)).next()
    })
}

fn leak(table: BTreeMap<&'static str, &'static str>) -> Sources {
    table.into_iter().collect::<Vec<_>>().leak()
}

/// Replaces every path of the build machine by the text that `build.rs` gathered.
pub(super) fn embed(mut extension: Extension) -> Extension {
    for files in [
        &mut extension.js_files,
        &mut extension.esm_files,
        &mut extension.lazy_loaded_js_files,
        &mut extension.lazy_loaded_esm_files,
    ] {
        let embedded = files
            .iter()
            .map(|file| match text_of(file) {
                Some(text) => ExtensionFileSource::new_computed(file.specifier, bare(text).into()),
                None => file.clone(),
            })
            .collect::<Vec<_>>();
        *files = embedded.into();
    }
    extension
}

/// The text as it was written: scripts are kept in the wrapping that V8 compiles them in.
fn bare(text: &'static str) -> &'static str {
    text.strip_prefix("\"use strict\"; return (")
        .and_then(|t| t.trim_end().strip_suffix("\n);"))
        .unwrap_or(text)
}

fn text_of(file: &ExtensionFileSource) -> Option<&'static str> {
    if let Some((_, text)) = OWN.iter().find(|(s, _)| *s == file.specifier) {
        return Some(text);
    }
    let ExtensionFileSourceCode::LoadedFromFsDuringSnapshot(path) = &file.code else {
        return None;
    };
    // The path ends in `<crate>-<version>/<file>`, or `<crate>/<file>` in a vendored tree.
    static INDEX: LazyLock<std::collections::HashMap<&str, &str>> =
        LazyLock::new(|| EMBEDDED.iter().copied().collect());
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| *p != "." && !p.is_empty())
        .collect();
    (0..parts.len()).rev().find_map(|i| {
        let name = parts[i].split('-').next()?;
        let key = format!("{name}/{}", parts[i + 1..].join("/"));
        INDEX.get(key.as_str()).copied()
    })
}

/// V8's compiled form of the lazy built-ins: compiled by the first isolate that needs one, shared by
/// all others.
pub(super) struct BuiltinCache;

static COMPILED: LazyLock<Mutex<std::collections::HashMap<String, Compiled>>> =
    LazyLock::new(Mutex::default);

#[derive(Clone, Copy)]
pub(super) struct Compiled {
    pub(super) code: &'static [u8],
    /// Whether it has what the file calls when it is loaded, and not its outermost function alone.
    pub(super) whole: bool,
}

impl BuiltinCache {
    pub(super) fn get(specifier: &str) -> Option<Compiled> {
        COMPILED.lock().ok()?.get(specifier).copied()
    }

    pub(super) fn put(specifier: &str, data: &[u8]) {
        Self::keep(specifier, data, false);
    }

    /// The form of a file that has been loaded, and of which what that called is compiled.
    pub(super) fn put_whole(specifier: &str, data: &[u8]) {
        Self::keep(specifier, data, true);
    }

    /// Built-ins are finite, and so is what is kept of them for ever: two forms of each.
    fn keep(specifier: &str, data: &[u8], whole: bool) {
        let Ok(mut map) = COMPILED.lock() else { return };
        if map.get(specifier).is_none_or(|known| whole && !known.whole) {
            let code = data.to_vec().leak();
            map.insert(specifier.to_owned(), Compiled { code, whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_however_they_are_written() {
        let text = "import a, { b } from \"ext:a\";\nimport \"node:b\";\nexport * from 'ext:c'; from(\"d\")";
        let found: Vec<_> = imports(text).collect();
        assert_eq!(found, ["ext:a", "ext:c", "node:b"]);
    }

    #[test]
    fn operations_are_named_where_javascript_names_them() {
        let text =
            "import { op_a, op_b as b } from 'x'; core.ops.op_c(1); ops[\"op_d\"]; drop_e(); op_f$";
        let found: Vec<_> = operation_names(text).collect();
        assert_eq!(found, ["op_a", "op_b", "op_c", "op_d", "op_f$"]);
        assert!(sources_name("op_ff_done"));
        assert!(!sources_name("op_ff"));
    }

    #[test]
    fn every_source_is_ascii_as_v8_reads_it_in_place() {
        let before = BEFORE.iter().map(|(name, _, text)| (*name, *text));
        let all = EMBEDDED.iter().chain(OWN).chain(extensions::BOOT);
        for (name, text) in all.copied().chain(before) {
            assert!(text.is_ascii(), "{name}");
        }
    }
}
