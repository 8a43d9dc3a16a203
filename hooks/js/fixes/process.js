"use strict"; return ((function () {
// The rest of `process` (NC-30): names that packages look for, checks of arguments, and warnings as Node gives them.
const { core, primordials } = __bootstrap;
const { op_ff_log } = core.ops;
const { ArrayIsArray, Error, ErrorPrototype, ObjectDefineProperty, ObjectFreeze, ObjectPrototypeIsPrototypeOf, RegExpPrototypeTest, SafeRegExp } = primordials;
const LISTENERS = new SafeRegExp("MaxListeners is [0-9]+\\.$");
const lazyErrors = () => core.loadExtScript("ext:deno_node/internal/errors.ts");

function refused(name, code) {
  return function () {
    const error = new Error(`fourfront: process.${name} is not available in functions`);
    error.code = code;
    throw error;
  };
}

function emitWarning(process) {
  return function emitWarning(warning, type, code, at) {
    let detail;
    if (type !== null && typeof type === "object" && !ArrayIsArray(type)) {
      ({ code, detail } = type);
      at = type.ctor;
      type = type.type;
    } else if (typeof type === "function") {
      at = type;
      type = code = undefined;
    }
    const { ERR_INVALID_ARG_TYPE } = lazyErrors();
    if (type !== undefined && typeof type !== "string") throw new ERR_INVALID_ARG_TYPE("type", "string", type);
    if (typeof code === "function") {
      at = code;
      code = undefined;
    } else if (code !== undefined && typeof code !== "string") throw new ERR_INVALID_ARG_TYPE("code", "string", code);
    let error = warning;
    if (typeof warning === "string") {
      error = new Error(warning);
      error.name = type || "Warning";
      if (code !== undefined) error.code = code;
      if (detail !== undefined) error.detail = detail;
      primordials.ErrorCaptureStackTrace(error, at || process.emitWarning);
    } else if (!ObjectPrototypeIsPrototypeOf(ErrorPrototype, warning)) {
      throw new ERR_INVALID_ARG_TYPE("warning", ["string", "Error"], warning);
    }
    if (error.name === "DeprecationWarning" && process.noDeprecation) return;
    // The crate's text ends before Node's does.
    if (error.name === "MaxListenersExceededWarning" && RegExpPrototypeTest(LISTENERS, error.message)) error.message += " Use emitter.setMaxListeners() to increase limit";
    op_ff_log(3, `(node:2) ${error.code ? `[${error.code}] ` : ""}${error.name}: ${error.message}${typeof error.detail === "string" ? `\n${error.detail}` : ""}`);
    process.nextTick(() => process.emit("warning", error));
  };
}

function complete(process) {
  const { cpuUsage, hrtime, release, version, versions } = process;
  process.emitWarning = emitWarning(process);
  const checked = function hrtime_(previous) {
    if (previous !== undefined) {
      const { ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE } = lazyErrors();
      if (!ArrayIsArray(previous)) throw new ERR_INVALID_ARG_TYPE("time", "Array", previous);
      if (previous.length !== 2) throw new ERR_OUT_OF_RANGE("time", 2, previous.length);
    }
    return hrtime(previous);
  };
  ObjectDefineProperty(checked, "name", { __proto__: null, value: "hrtime", configurable: true });
  checked.bigint = hrtime.bigint;
  process.hrtime = checked;
  process.cpuUsage = (previous) => {
    const now = cpuUsage();
    if (previous === undefined) return now;
    if (previous === null || typeof previous !== "object") {
      const { ERR_INVALID_ARG_TYPE } = lazyErrors();
      throw new ERR_INVALID_ARG_TYPE("prevValue", "object", previous);
    }
    return { user: now.user - previous.user, system: now.system - previous.system };
  };
  process.threadCpuUsage = process.cpuUsage;
  process.resourceUsage = () => ({
    userCPUTime: cpuUsage().user, systemCPUTime: 0, maxRSS: 0, sharedMemorySize: 0, unsharedDataSize: 0, unsharedStackSize: 0, minorPageFault: 0, majorPageFault: 0, swappedOut: 0, fsRead: 0,
    fsWrite: 0, ipcSent: 0, ipcReceived: 0, signalsCount: 0, voluntaryContextSwitches: 0, involuntaryContextSwitches: 0,
  });
  process.versions = ObjectFreeze({
    acorn: "8.15.0", ada: "2.9.2", ares: "1.34.5", brotli: "1.1.0", cjs_module_lexer: "2.1.0", cldr: "47.0", icu: "77.1", llhttp: "9.3.0", napi: "10", nghttp2: "1.64.0", simdjson: "3.10.1", simdutf: "6.0.3", tz: "2025b", undici: "6.21.3", uvwasi: "0.0.23", ...versions,
  });
  process.release = { ...release, sourceUrl: `https://nodejs.org/download/release/${version}/node-${version}.tar.gz`, headersUrl: `https://nodejs.org/download/release/${version}/node-${version}-headers.tar.gz` };
  process.features = { ...process.features, openssl_is_boringssl: false };
  process.assert = (value, message) => core.loadExtScript("ext:deno_node/assert.ts").default(value, message);
  process.domain = null;
  process.moduleLoadList = [];
  process.report = {};
  process.sourceMapsEnabled = true;
  process.finalization = { register() {}, registerBeforeExit() {}, unregister() {} };
  process.ref = process.unref = () => {};
  process.openStdin = () => process.stdin;
  process.loadEnvFile = refused("loadEnvFile", "ERR_METHOD_NOT_IMPLEMENTED");
  process.execve = refused("execve", "ERR_ACCESS_DENIED");
  let { exitCode } = process;
  ObjectDefineProperty(process, "exitCode", {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get: () => exitCode,
    set(value) {
      const whole = value === undefined || value === null || (typeof value === "number" && value % 1 === 0) || (typeof value === "string" && value !== "" && +value % 1 === 0);
      if (!whole) {
        const { ERR_INVALID_ARG_TYPE } = lazyErrors();
        throw new ERR_INVALID_ARG_TYPE("code", "number", value);
      }
      exitCode = value;
    },
  });
}

return { complete };
})()
);
