// Node's built-in modules: which are there, and how each is loaded on first use (NC-1..4). Packages run on them as npm has
// installed them (NC-121).
//
// Nothing is evaluated until a function asks for it, so that functions which use no module do not
// pay for those that do.

import { core, primordials } from "ext:core/mod.js";
const { Error, ObjectDefineProperty, ObjectHasOwn, StringPrototypeSlice, StringPrototypeStartsWith, Symbol } = primordials;

const script = (name) => () => core.loadExtScript(`ext:deno_node/${name}`);
const scriptDefault = (name) => () => core.loadExtScript(`ext:deno_node/${name}`).default;
const esmDefault = (name) => () => core.createLazyLoader(name)().default;

/** What functions are given is put right first: see `fixes/exports.js`. */
const completed = (name, load) => () => core.loadExtScript("ext:fourfront/fixes/exports.js")[name](load());

/** Loads, and refuses when used: what packages, the SDKs among them, load at start and nobody calls (NC-71, NC-90, NC-97). */
const refused = (name) => () => core.loadExtScript("ext:fourfront/refused.js")(name);

/**
 * The upstream client sends a request again on another connection when the one it reused goes away. Node never does
 * (NC-21). A function, however, may have been asleep while its idle connections were closed, and met none of their
 * ends: so what may be sent twice still is, unless it was the function that ended it.
 */
const http = (name) => () => {
  const { ClientRequest } = core.createLazyLoader("node:_http_client")().default;
  if (!ObjectHasOwn(ClientRequest.prototype, "_retrying")) {
    const retrying = Symbol("retrying");
    ObjectDefineProperty(ClientRequest.prototype, "_retrying", {
      __proto__: null,
      get() {
        return this[retrying] === true || this.destroyed || !(this.method === "GET" || this.method === "HEAD" || this.method === "OPTIONS");
      },
      set(value) {
        this[retrying] = value;
      },
    });
  }
  return core.createLazyLoader(name)().default;
};

const table = {
  __proto__: null,
  "_http_agent": esmDefault("node:_http_agent"),
  "_http_client": http("node:_http_client"),
  "_http_common": esmDefault("node:_http_common"),
  "_http_incoming": esmDefault("node:_http_incoming"),
  "_http_outgoing": esmDefault("node:_http_outgoing"),
  "_http_server": esmDefault("node:_http_server"),
  "_stream_wrap": refused("_stream_wrap"),
  "child_process": refused("child_process"),
  "cluster": refused("cluster"),
  "dgram": refused("dgram"),
  "http2": refused("http2"),
  "inspector": refused("inspector"),
  "inspector/promises": refused("inspector/promises"),
  "repl": refused("repl"),
  "sqlite": refused("sqlite"),
  "test": refused("test"),
  "test/reporters": refused("test/reporters"),
  "trace_events": refused("trace_events"),
  "wasi": refused("wasi"),
  "worker_threads": refused("worker_threads"),
  "_tls_common": esmDefault("node:_tls_common"),
  "_tls_wrap": esmDefault("node:_tls_wrap"),
  "dns": esmDefault("node:dns"),
  "dns/promises": esmDefault("node:dns/promises"),
  "http": completed("http", http("node:http")),
  "https": http("node:https"),
  "net": esmDefault("node:net"),
  "tls": esmDefault("node:tls"),
  "vm": esmDefault("node:vm"),
  "v8": esmDefault("node:v8"),
  "readline": esmDefault("node:readline"),
  "readline/promises": esmDefault("node:readline/promises"),
  "_stream_duplex": scriptDefault("internal/streams/duplex.js"),
  "_stream_passthrough": scriptDefault("internal/streams/passthrough.js"),
  "_stream_readable": scriptDefault("internal/streams/readable.js"),
  "_stream_transform": scriptDefault("internal/streams/transform.js"),
  "_stream_writable": scriptDefault("internal/streams/writable.js"),
  "assert": scriptDefault("assert.ts"),
  "assert/strict": esmDefault("node:assert/strict"),
  "async_hooks": scriptDefault("async_hooks.ts"),
  "buffer": esmDefault("node:buffer"),
  "console": () => globalThis.console,
  "constants": scriptDefault("constants.ts"),
  "crypto": scriptDefault("crypto.ts"),
  "diagnostics_channel": esmDefault("node:diagnostics_channel"),
  "domain": scriptDefault("domain.ts"),
  "events": completed("events", esmDefault("node:events")),
  "fs": () => core.loadExtScript("ext:fourfront/fs.js"),
  "fs/promises": () => core.loadExtScript("ext:fourfront/fs.js").promises,
  "module": () => moduleBuiltin(),
  "os": () => core.loadExtScript("ext:fourfront/os.js"),
  "path": completed("path", esmDefault("node:path")),
  "path/posix": () => builtin("path").posix,
  "path/win32": () => builtin("path").win32,
  "perf_hooks": completed("perfHooks", scriptDefault("perf_hooks.js")),
  "process": () => globalThis.process,
  "punycode": completed("punycode", scriptDefault("punycode.ts")),
  "querystring": scriptDefault("querystring.js"),
  // Its export is the legacy constructor, as in Node (NC-23).
  "stream": completed("stream", esmDefault("node:stream")),
  "stream/consumers": script("stream/consumers.js"),
  "stream/promises": esmDefault("node:stream/promises"),
  "stream/web": script("stream/web.js"),
  "string_decoder": scriptDefault("string_decoder.ts"),
  "sys": script("util.ts"),
  "timers": completed("timers", script("timers.ts")),
  "timers/promises": () => builtin("timers").promises,
  "tty": () => core.loadExtScript("ext:fourfront/tty.js"),
  "url": completed("url", script("url.ts")),
  "util": script("util.ts"),
  "util/types": script("internal/util/types.ts"),
  "zlib": script("zlib.js"),
  // No part of Node: `builtinName` does not know it (NC-70).
  "sharp": () => core.loadExtScript("ext:fourfront/sharp.js"),
};

// Every name of Node 22 (NC-1).
const known = [
  "_http_agent", "_http_client", "_http_common", "_http_incoming", "_http_outgoing", "_http_server",
  "_stream_duplex", "_stream_passthrough", "_stream_readable", "_stream_transform", "_stream_wrap",
  "_stream_writable", "_tls_common", "_tls_wrap", "assert", "assert/strict", "async_hooks", "buffer",
  "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns",
  "dns/promises", "domain", "events", "fs", "fs/promises", "http", "http2", "https", "inspector",
  "inspector/promises", "module", "net", "os", "path", "path/posix", "path/win32", "perf_hooks",
  "process", "punycode", "querystring", "readline", "readline/promises", "repl", "stream",
  "stream/consumers", "stream/promises", "stream/web", "string_decoder", "sys", "timers",
  "timers/promises", "tls", "trace_events", "tty", "url", "util", "util/types", "v8", "vm", "wasi",
  "worker_threads", "zlib",
];
const schemeOnly = { __proto__: null, "sqlite": true, "test": true, "test/reporters": true };
const knownSet = { __proto__: null };
for (let i = 0; i < known.length; i++) knownSet[known[i]] = true;

const loaded = { __proto__: null };
let moduleBuiltin = () => undefined;
export function setModuleBuiltin(make) {
  moduleBuiltin = make;
}

/** The bare name of a built-in, or `undefined` when `specifier` is not one. */
export const builtinName = (function builtinName(specifier) {
  if (StringPrototypeStartsWith(specifier, "node:")) {
    const name = StringPrototypeSlice(specifier, 5);
    if (knownSet[name] || schemeOnly[name]) return name;
    const error = new Error(`No such built-in module: ${specifier}`);
    error.code = "ERR_UNKNOWN_BUILTIN_MODULE";
    throw error;
  }
  return knownSet[specifier] ? specifier : undefined;
});

// V8's compiled form is kept for a module that is asked for by name, and not for what it imports in turn. What the large
// built-ins import is asked for before them, in the order of its own imports.
const streams = ["ext:deno_node/internal/event_target.mjs", "node:_stream_duplex", "node:_stream_readable", "node:_stream_writable", "node:_stream_transform", "node:_stream_passthrough", "node:process", "ext:deno_node/internal/streams/pipeline.js", "ext:deno_node/internal/streams/compose.js", "ext:deno_node/internal/streams/operators.js", "node:stream"];
const sockets = [...streams, "node:dns", "node:net"];
const messages = [...sockets, "node:timers", "node:_http_incoming", "node:_http_common", "node:_http_outgoing", "node:_http_proxy", "node:_http_agent", "node:_http_client", "node:_http_server"];
const before = { __proto__: null, "crypto": streams, "http": messages, "https": messages, "net": sockets, "stream": streams, "tls": sockets, "zlib": streams };

const prepare = (function prepare(name) {
  const first = before[name];
  if (first === undefined) return;
  for (let i = 0; i < first.length; i++) core.createLazyLoader(first[i])();
});

/** The exports of a built-in, the same object each time. */
export const builtin = (function builtin(name) {
  const found = loaded[name];
  if (found !== undefined) return found;
  prepare(name);
  return (loaded[name] = table[name]());
});

export const builtinModules = known;
