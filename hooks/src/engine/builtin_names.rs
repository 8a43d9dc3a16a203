//! Which built-ins there are, for `import` (NC-1). `require` has its own list in `js/builtins.js`;
//! a test keeps the two together.

/// Built-ins whose ES module, with its names, comes from the engine.
const AVAILABLE: &[&str] = &[
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_writable",
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "constants",
    "crypto",
    "diagnostics_channel",
    "domain",
    "events",
    "path",
    "path/posix",
    "path/win32",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "sys",
    "timers",
    "timers/promises",
    "url",
    "util",
    "util/types",
    "zlib",
];

/// Built-ins that are written here, with their names.
const OWN: &[(&str, &[&str])] = &[
    (
        "child_process",
        &[
            "exec",
            "execFile",
            "execFileSync",
            "execSync",
            "fork",
            "spawn",
            "spawnSync",
        ],
    ),
    (
        "cluster",
        &[
            "fork",
            "setupPrimary",
            "setupMaster",
            "disconnect",
            "isMaster",
            "isPrimary",
            "isWorker",
            "workers",
        ],
    ),
    (
        "console",
        &["log", "info", "debug", "warn", "error", "Console"],
    ),
    (
        "fs",
        &[
            "readFileSync",
            "readFile",
            "existsSync",
            "exists",
            "statSync",
            "stat",
            "lstatSync",
            "lstat",
            "accessSync",
            "access",
            "readdirSync",
            "readdir",
            "realpathSync",
            "realpath",
            "openSync",
            "open",
            "closeSync",
            "close",
            "readSync",
            "read",
            "fstatSync",
            "fstat",
            "createReadStream",
            "createWriteStream",
            "writeFileSync",
            "writeFile",
            "mkdirSync",
            "mkdir",
            "unlinkSync",
            "unlink",
            "rmSync",
            "rm",
            "constants",
            "promises",
            "Stats",
            "Dirent",
        ],
    ),
    (
        "fs/promises",
        &[
            "readFile",
            "stat",
            "lstat",
            "access",
            "readdir",
            "realpath",
            "writeFile",
            "mkdir",
            "unlink",
            "rm",
            "constants",
        ],
    ),
    (
        "os",
        &[
            "EOL",
            "arch",
            "availableParallelism",
            "constants",
            "cpus",
            "devNull",
            "endianness",
            "freemem",
            "homedir",
            "hostname",
            "loadavg",
            "machine",
            "networkInterfaces",
            "platform",
            "release",
            "tmpdir",
            "totalmem",
            "type",
            "uptime",
            "userInfo",
            "version",
        ],
    ),
    ("tty", &["isatty", "ReadStream", "WriteStream"]),
    (
        "module",
        &[
            "createRequire",
            "builtinModules",
            "isBuiltin",
            "register",
            "findSourceMap",
            "Module",
            "syncBuiltinESMExports",
        ],
    ),
];

/// The other names of Node 22.
const MISSING: &[&str] = &[
    "_http_agent",
    "_http_client",
    "_http_common",
    "_http_incoming",
    "_http_outgoing",
    "_http_server",
    "_stream_wrap",
    "_tls_common",
    "_tls_wrap",
    "dgram",
    "dns",
    "dns/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "inspector/promises",
    "net",
    "readline",
    "readline/promises",
    "repl",
    "tls",
    "trace_events",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
];

/// Where an `import` of a built-in leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    /// To the engine's own `node:x`.
    Engine,
    /// To a module generated here.
    Own,
    /// Nowhere yet.
    Missing,
}

/// What the bare name stands for, if it is a built-in.
pub(super) fn lookup(name: &str) -> Option<Builtin> {
    if AVAILABLE.contains(&name) {
        Some(Builtin::Engine)
    } else if OWN.iter().any(|(n, _)| *n == name) {
        Some(Builtin::Own)
    } else if MISSING.contains(&name) {
        Some(Builtin::Missing)
    } else {
        None
    }
}

/// The names a generated module exports.
pub(super) fn names_of(name: &str) -> &'static [&'static str] {
    OWN.iter()
        .find(|(n, _)| *n == name)
        .map_or(&[], |(_, names)| names)
}
