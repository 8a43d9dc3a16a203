//! Which extensions an isolate has, and which of their operations it may use.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use deno_core::{
    _ops::OpMethodDecl, Extension, ExtensionFileSource, JsRuntimeForSnapshot, OpDecl, v8,
};

use super::{
    Egress, audit, builtin_names, cloning, ffi,
    isolate::Place,
    memory, ops,
    startup::{embed, sources_name},
};

type Checker = deno_resolver::npm::DenoInNpmPackageChecker;
type Folders = deno_resolver::npm::NpmResolver<Sys>;
type Sys = sys_traits::impls::RealSys;

/// The files evaluated while the snapshot is made. The last one starts the others.
pub(super) const BOOT: &[(&str, &str)] = &[
    ("ext:fourfront/names.js", include_str!("../../js/names.js")),
    (
        "ext:fourfront/builtins.js",
        include_str!("../../js/builtins.js"),
    ),
    (
        "ext:fourfront/memory.js",
        include_str!("../../js/memory.js"),
    ),
    (
        "ext:fourfront/bounds.js",
        concat!(
            include_str!("../../js/bounds.js"),
            "function makeBounds(isProxy, heavy) {\n",
            include_str!("../../js/bounded.js"),
            "}\n"
        ),
    ),
    (
        "ext:fourfront/loader.js",
        include_str!("../../js/loader.js"),
    ),
    (
        "ext:fourfront/console.js",
        include_str!("../../js/console.js"),
    ),
    (
        "ext:fourfront/fixes/web.js",
        include_str!("../../js/fixes/web.js"),
    ),
    (
        "ext:fourfront/fixes/ports.js",
        include_str!("../../js/fixes/ports.js"),
    ),
    ("ext:fourfront/boot.js", include_str!("../../js/boot.js")),
];

/// Our own operations, which some of the engine's own make way for. Here every operation of every extension is seen last.
fn own(place: Place) -> Extension {
    let mut own = ops::fourfront::init();
    own.middleware_fn = Some(Box::new(move |op| audit::at(place, cloning::replace(op))));
    own
}

/// The extensions with their JavaScript, for making the snapshot.
pub(super) fn for_snapshot() -> Vec<Extension> {
    let mut own = guarded(own(Place::Pool), Place::Pool);
    own.esm_files = BOOT
        .iter()
        .map(|(name, text)| ExtensionFileSource::new_computed(name, Arc::from(*text)))
        .collect::<Vec<_>>()
        .into();
    own.esm_entry_point = Some("ext:fourfront/boot.js");
    let mut all: Vec<Extension> = crates().into_iter().map(embed).collect();
    all.push(own);
    all
}

/// The extensions of other crates, as they are: their files are paths of the build machine.
pub(super) fn crates() -> Vec<Extension> {
    [
        deno_webidl::deno_webidl::lazy_init(),
        deno_web::deno_web::lazy_init(),
        deno_net::deno_net::lazy_init(),
        deno_fetch::deno_fetch::lazy_init(),
        deno_crypto::deno_crypto::lazy_init(),
        deno_node_crypto::deno_node_crypto::lazy_init(),
        deno_node::deno_node::lazy_init::<Checker, Folders, Sys>(),
    ]
    .into_iter()
    .map(|extension| guarded(extension, Place::Pool))
    .map(without_replaced)
    .collect()
}

/// Hides the built-ins that are written here: an `import` of them is answered by the
/// module loader, not by the crate's own version.
fn without_replaced(mut extension: Extension) -> Extension {
    extension.lazy_loaded_esm_files = extension
        .lazy_loaded_esm_files
        .iter()
        .filter(|f| !builtin_names::replaced(f.specifier))
        .cloned()
        .collect::<Vec<_>>()
        .into();
    extension
}

/// The same extensions for an isolate: operations and state, no JavaScript.
pub(super) fn for_isolate(egress: &Egress, place: Place) -> Vec<Extension> {
    let fs: deno_fs::FileSystemRc = Rc::new(deno_fs::RealFs);
    [
        deno_webidl::deno_webidl::init(),
        deno_web::deno_web::init(
            Arc::new(deno_web::BlobStore::default()),
            None,
            false,
            deno_web::InMemoryBroadcastChannel::default(),
        ),
        deno_net::deno_net::init(egress.roots(), None),
        deno_fetch::deno_fetch::init(egress.fetch_options()),
        deno_crypto::deno_crypto::init(None),
        deno_node_crypto::deno_node_crypto::init(),
        deno_node::deno_node::init::<Checker, Folders, Sys>(None, fs),
        own(place),
    ]
    .into_iter()
    .map(|extension| guarded(extension, place))
    .collect()
}

/// What `node:vm` expects to find in the snapshot.
pub(super) fn add_vm_context(runtime: &mut JsRuntimeForSnapshot) {
    let isolate = runtime.v8_isolate();
    v8::scope!(scope, isolate);
    let template = deno_node::init_global_template(scope, deno_node::ContextInitMode::ForSnapshot);
    let context = deno_node::create_v8_context(
        scope,
        template,
        deno_node::ContextInitMode::ForSnapshot,
        std::ptr::null_mut(),
    );
    let index = scope.add_context(context);
    debug_assert_eq!(index, deno_node::VM_CONTEXT_INDEX);
}

/// Keeps the operations a function may use and makes every other one refuse. Those that hold memory
/// unasked are done here instead.
fn guarded(mut extension: Extension, place: Place) -> Extension {
    if extension.name == "deno_net" {
        only_lookups(&mut extension);
    }
    // Some name extensions that isolates go without on purpose (files, processes, sockets); builds with debug
    // assertions would insist on them.
    extension.deps = &[];
    // These win over the module loader, and are evaluated in the middle of linking, where nothing else may be linked.
    extension.synthetic_esm_modules = Vec::new().into();
    let name = extension.name;
    extension.ops = operations(name, &extension.ops).into();
    if !extension.objects.is_empty() {
        extension.objects = objects(name, place, &extension.objects).into();
    }
    extension
}

/// Operations of an extension, with what reaches the host refused. Made once: every isolate asks for them.
fn operations(extension: &'static str, all: &[OpDecl]) -> &'static [OpDecl] {
    static MADE: Mutex<BTreeMap<&str, ffi::Declared<OpDecl>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let declared = made.entry(extension).or_insert_with(|| {
        let refuse = ops::op_ff_refused();
        let replaced = memory::replacements();
        let guarded = all.iter().filter(|op| sources_name(op.name)).map(|op| {
            if let Some(ours) = replaced.iter().find(|ours| ours.name == op.name) {
                op.with_implementation_from(ours)
            } else if allowed(extension, op) {
                *op
            } else {
                op.with_implementation_from(&refuse)
            }
        });
        ffi::Declared(guarded.collect::<Vec<_>>().leak())
    });
    declared.0
}

/// Of the network there are Node's own sockets, which need no more than this.
fn only_lookups(extension: &mut Extension) {
    extension.ops = extension
        .ops
        .iter()
        .filter(|op| NET_OPS.contains(&op.name))
        .copied()
        .collect::<Vec<_>>()
        .into();
    extension.objects = Vec::new().into();
    for files in [
        &mut extension.js_files,
        &mut extension.esm_files,
        &mut extension.lazy_loaded_js_files,
        &mut extension.lazy_loaded_esm_files,
    ] {
        *files = Vec::new().into();
    }
}

const NET_OPS: &[&str] = &[
    "op_dns_resolve",
    "op_net_get_ips_from_perm_token",
    "op_net_get_system_dns_servers",
];

/// Classes of handles, with what reaches the host refused. Made once: an isolate keeps references for ever.
fn objects(extension: &'static str, place: Place, all: &[OpMethodDecl]) -> &'static [OpMethodDecl] {
    static MADE: Mutex<BTreeMap<(&str, Place), ffi::Declared<OpMethodDecl>>> =
        Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let declared = made.entry((extension, place)).or_insert_with(|| {
        let refuse = ops::op_ff_refused();
        let refused = |op: &OpDecl| op.with_implementation_from(&refuse);
        let guarded = all.iter().map(|class| {
            let (_, name) = class.name;
            let name = name.as_str();
            let methods = |of: &'static [OpDecl]| -> &'static [OpDecl] {
                let judged = of.iter().map(|op| {
                    if method_allowed(name, op.name) {
                        audit::method_at(place, name, *op)
                    } else {
                        refused(op)
                    }
                });
                judged.collect::<Vec<_>>().leak()
            };
            OpMethodDecl {
                constructor: class.constructor.as_ref().map(|op| {
                    if REFUSED_CLASSES.contains(&name) {
                        refused(op)
                    } else {
                        audit::method_at(place, name, *op)
                    }
                }),
                methods: methods(class.methods),
                static_methods: methods(class.static_methods),
                ..*class
            }
        });
        ffi::Declared(guarded.collect::<Vec<_>>().leak())
    });
    declared.0
}

/// Classes whose objects a function never gets.
const REFUSED_CLASSES: &[&str] = &["Http2Session", "Http2Stream", "TTY", "WasiContext"];

fn method_allowed(class: &str, method: &str) -> bool {
    let ends = |names: &[&str]| names.contains(&method);
    match class {
        // Clients that connect where `Egress` permits. What adopts a descriptor of the host, or listens, is not theirs.
        "TCPWrap" => !ends(&[
            "accept",
            "bind",
            "bind6",
            "bind_with_flags",
            "bindWithFlags",
            "fd_for_ipc",
            "fdForIpc",
            "listen",
            "open",
            "open_from_rid",
            "openFromRid",
            "socket_type_for_ipc",
            "take_stream",
            "takeStream",
        ]),
        "PipeWrap" => ends(&["close", "getAsyncId", "hasRef", "ref", "unref"]),
        name => !REFUSED_CLASSES.contains(&name),
    }
}

/// The allow list. An operation that is not named here touches the host, or has not been read.
fn allowed(extension: &str, op: &OpDecl) -> bool {
    match extension {
        // Pure computation, or state of the isolate alone.
        "fourfront" | "deno_webidl" | "deno_crypto" | "deno_node_crypto" => true,
        // Everything here stays inside the isolate: URLs, text, blobs, streams, ports.
        "deno_web" => true,
        // Connects only where `Egress` permits.
        "deno_net" => true,
        "deno_fetch" => op.name != "op_fetch_custom_client",
        "deno_node" => NODE_OPS.iter().any(|p| match p.strip_suffix('*') {
            Some(prefix) => op.name.starts_with(prefix),
            None => op.name == *p,
        }),
        _ => false,
    }
}

/// The operations of `deno_node` that compute or keep state within the isolate. `*` ends a prefix.
const NODE_OPS: &[&str] = &[
    "op_is_ascii",
    "op_is_utf8",
    "op_mark_as_untransferable",
    "op_node_buffer_compare*",
    "op_node_build_os",
    "op_http2_error_string",
    "op_node_call_is_from_dependency",
    "op_node_encoding_slice",
    "op_node_fs_constants",
    "op_node_getaddrinfo",
    "op_node_getnameinfo",
    "op_node_http_check_proxy_net",
    "op_node_get_first_expression",
    "op_node_get_own_non_index_properties",
    "op_node_idna_*",
    "op_node_new_async_id",
    "op_node_sys_to_uv_error",
    "op_node_view_has_buffer",
    "op_blocklist_*",
    "op_get_root_certificates",
    "op_socket_address_*",
    "op_stream_base_register_state",
    "op_tls_canonicalize_ipv4_address",
    "op_transcode",
    "op_v8_cached_data_version_tag",
    "op_v8_get_*",
    "op_v8_new_*",
    "op_v8_number_of_heap_spaces",
    "op_v8_read_*",
    "op_v8_release_buffer",
    "op_v8_set_treat_array_buffer_views_as_host_objects",
    "op_v8_transfer_*",
    "op_v8_update_heap_space_statistics",
    "op_v8_write_*",
    "op_vm_*",
    "op_zlib_*",
];
