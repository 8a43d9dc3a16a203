// The `process` object (NC-30): nothing of the host, no effect on the node.
//
// Loaded on first touch. The event emitter behind `on` and friends, and the streams behind
// `stdout` and `stderr`, come later still, when they are used.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_ff_exit, op_ff_hrtime, op_ff_log, op_ff_memory } from "ext:core/ops";
const { BigInt, Error, ObjectDefineProperty, ObjectKeys, Proxy, ReflectApply, String, Symbol, SymbolToStringTag, TypeError } = primordials;

const settings = internals.fourfront;
const tick = core.loadExtScript("ext:deno_node/_next_tick.ts");

function denied(name) {
  return function () {
    const error = new Error(`fourfront: process.${name} is not available in functions`);
    error.code = "ERR_ACCESS_DENIED";
    throw error;
  };
}

// Values become strings, as in Node; assignments stay in the isolate (NC-30).
const env = new Proxy({ ...settings.env }, {
  __proto__: null,
  set(target, key, value) {
    if (typeof key === "symbol" || typeof value === "symbol") {
      throw new TypeError("Cannot convert a Symbol value to a string");
    }
    target[key] = String(value);
    return true;
  },
  defineProperty(target, key, descriptor) {
    const { value, writable, enumerable, configurable } = descriptor;
    if (!writable || !enumerable || !configurable) {
      const { ERR_INVALID_OBJECT_DEFINE_PROPERTY } = core.loadExtScript("ext:deno_node/internal/errors.ts");
      throw new ERR_INVALID_OBJECT_DEFINE_PROPERTY("get" in descriptor || "set" in descriptor
        ? "'process.env' does not accept an accessor(getter/setter) descriptor"
        : "'process.env' only accepts a configurable, writable, and enumerable data descriptor");
    }
    target[key] = String(value);
    return true;
  },
});

const EventEmitter = core.createLazyLoader("node:events")().default;
class Process extends EventEmitter {}
ObjectDefineProperty(Process, "name", { __proto__: null, value: "process" });
const process = internals.process = new Process();
ObjectDefineProperty(process, SymbolToStringTag, { __proto__: null, value: "process", configurable: true });

function stream(level, fd) {
  let partial = "";
  const { Writable } = core.createLazyLoader("node:stream")().default;
  const out = new Writable({
    decodeStrings: false,
    write(chunk, encoding, done) {
      partial += typeof chunk === "string" ? chunk : chunk.toString("utf8");
      const end = partial.lastIndexOf("\n");
      if (end !== -1) {
        op_ff_log(level, partial.slice(0, end));
        partial = partial.slice(end + 1);
      }
      done();
    },
  });
  out.fd = fd;
  out._destroy = (error, done) => done(error);
  return out;
}

function lazy(name, make) {
  ObjectDefineProperty(process, name, {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      const value = make();
      ObjectDefineProperty(process, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
      return value;
    },
    set(value) {
      ObjectDefineProperty(process, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    },
  });
}

const started = op_ff_hrtime();
function hrtime(previous) {
  const now = op_ff_hrtime();
  let seconds = Math.trunc(now / 1e9);
  let nanos = Math.trunc(now % 1e9);
  if (previous !== undefined) {
    seconds -= previous[0];
    nanos -= previous[1];
    if (nanos < 0) {
      seconds -= 1;
      nanos += 1e9;
    }
  }
  return [seconds, nanos];
}
hrtime.bigint = () => BigInt(Math.trunc(op_ff_hrtime()));

function memoryUsage() {
  const { 0: total, 1: used, 2: external, 3: buffers } = op_ff_memory();
  return { rss: total + external, heapTotal: total, heapUsed: used, external, arrayBuffers: buffers };
}
memoryUsage.rss = () => memoryUsage().rss;

function emitWarning(warning, type, code) {
  if (type !== null && typeof type === "object") {
    code = type.code;
    type = type.type;
  }
  let error = warning;
  if (typeof warning === "string") {
    error = new Error(warning);
    error.name = String(type || "Warning");
    if (code !== undefined) error.code = code;
  }
  op_ff_log(3, `(node:2) ${error.code ? `[${error.code}] ` : ""}${error.name}: ${error.message}`);
  process.nextTick(() => process.emit("warning", error));
}

const version = "v22.20.0";
Object.assign(process, {
  title: "node",
  version,
  versions: { node: "22.20.0", v8: settings.v8, uv: "1.51.0", zlib: "1.3.1", modules: "127", openssl: "3.0.17", unicode: "16.0" },
  arch: "x64",
  platform: "linux",
  release: { name: "node", lts: "Jod" },
  argv: ["/var/lang/bin/node", "/var/runtime/index.mjs"],
  execArgv: [],
  env,
  pid: 2,
  ppid: 1,
  execPath: "/var/lang/bin/node",
  debugPort: 9229,
  argv0: "/var/lang/bin/node",
  exitCode: undefined,
  allowedNodeEnvironmentFlags: new Set(),
  config: { target_defaults: {}, variables: {} },
  features: { inspector: false, debug: false, uv: true, ipv6: true, tls_alpn: true, tls_sni: true, tls_ocsp: true, tls: true, cached_builtins: true, require_module: true, typescript: false },
  report: undefined,
  nextTick: tick.nextTick,
  hrtime,
  memoryUsage,
  emitWarning,
  uptime: () => (op_ff_hrtime() - started) / 1e9,
  cwd: () => "/var/task",
  umask: () => 0o22,
  getuid: () => 993,
  geteuid: () => 993,
  getgid: () => 990,
  getegid: () => 990,
  getgroups: () => [990],
  cpuUsage: () => ({ user: Math.trunc((op_ff_hrtime() - started) / 1e3), system: 0 }),
  resourceUsage: () => ({ userCPUTime: 0, systemCPUTime: 0, maxRSS: 0 }),
  constrainedMemory: () => settings.memory,
  availableMemory: () => settings.memory,
  getActiveResourcesInfo: () => [],
  setUncaughtExceptionCaptureCallback() {},
  hasUncaughtExceptionCaptureCallback: () => false,
  setSourceMapsEnabled() {},
  getBuiltinModule: (name) => internals.fourfront.getBuiltin(name),
  binding: denied("binding"),
  exit(code = process.exitCode) {
    op_ff_exit(code === undefined ? 0 : Number(code) | 0);
    // Never reached: the isolate ends at the call above (NC-93).
    while (true);
  },
  reallyExit(code) {
    process.exit(code);
  },
  abort: denied("abort"),
  kill: denied("kill"),
  chdir: denied("chdir"),
  dlopen() {
    const error = new Error("fourfront: process.dlopen is not available in functions");
    error.code = "ERR_DLOPEN_FAILED";
    throw error;
  },
  setuid: denied("setuid"),
  seteuid: denied("seteuid"),
  setgid: denied("setgid"),
  setegid: denied("setegid"),
  setgroups: denied("setgroups"),
  initgroups: denied("initgroups"),
});
lazy("stdout", () => stream(2, 1));
lazy("stderr", () => stream(4, 2));
lazy("stdin", () => {
  const { Readable } = core.createLazyLoader("node:stream")().default;
  const input = new Readable({ read() {} });
  input.push(null);
  input.fd = 0;
  return input;
});

core.loadExtScript("ext:fourfront/fixes/process.js").complete(process);

export default process;
export const nextTick = process.nextTick;
export { argv_ as argv, cwd_ as cwd, emitWarning, env, hrtime, memoryUsage, version };
const argv_ = process.argv;
const cwd_ = process.cwd;
export const versions = process.versions;
export const platform = process.platform;
export const arch = process.arch;
export const pid = process.pid;
export const exit = process.exit;
export const stdin = undefined;
