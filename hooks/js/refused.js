"use strict"; return ((function () {
// Modules that packages load when they start and nobody calls: they are whole to look at, and what cannot be had here
// says so when it is asked for (NC-90, NC-91, NC-94, NC-96, NC-97).
const { core, primordials } = __bootstrap;
const { Error, ObjectDefineProperty, Symbol } = primordials;
const { nextTick } = core.loadExtScript("ext:deno_node/_next_tick.ts");
const lazyEvents = core.createLazyLoader("node:events");
const lazyStream = core.createLazyLoader("node:stream");

const DENIED = "ERR_ACCESS_DENIED", MISSING = "ERR_METHOD_NOT_IMPLEMENTED";

function failure(module, name, code) {
  const error = new Error(`fourfront: ${module}.${name} is not available in functions`);
  error.code = code;
  return error;
}
function system(code, errno, syscall, text) {
  const error = new Error(text);
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  return error;
}
const named = (name, act) => ObjectDefineProperty(act, "name", { __proto__: null, value: name });

/** Functions and classes that fail when they are called. */
function failing(module, code, names) {
  const exports = {};
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    exports[name] = named(name, function () {
      throw failure(module, name, code);
    });
  }
  return exports;
}

const modules = {
  __proto__: null,

  "_stream_wrap": () => failing("_stream_wrap", MISSING, ["JSStreamSocket"]),

  "child_process"() {
    const { EventEmitter } = lazyEvents();
    class ChildProcess extends EventEmitter {
      constructor() {
        super();
        const { PassThrough } = lazyStream().default;
        this.pid = undefined;
        this.connected = false;
        this.killed = false;
        this.exitCode = this.signalCode = null;
        this.stdin = new PassThrough().resume();
        this.stdout = new PassThrough().end();
        this.stderr = new PassThrough().end();
        this.stdio = [this.stdin, this.stdout, this.stderr];
      }
      kill() { return false; }
      ref() {}
      unref() {}
      disconnect() {}
    }
    /** As Node tells that a program could not be started: by an event, or to the callback. */
    const starting = (name) => named(name, function (...args) {
      const child = new ChildProcess();
      const error = failure("child_process", name, DENIED);
      error.syscall = `spawn ${args[0]}`;
      error.path = `${args[0]}`;
      const done = args.find((a) => typeof a === "function");
      nextTick(() => {
        if (done !== undefined && name !== "spawn" && name !== "fork") done(error, "", "");
        else child.emit("error", error);
        child.emit("close", -1, null);
      });
      return child;
    });
    return {
      ChildProcess,
      exec: starting("exec"),
      execFile: starting("execFile"),
      fork: starting("fork"),
      spawn: starting("spawn"),
      ...failing("child_process", DENIED, ["execFileSync", "execSync", "spawnSync", "_forkChild"]),
    };
  },

  "cluster"() {
    const { EventEmitter } = lazyEvents();
    const cluster = new EventEmitter();
    return Object.assign(cluster, {
      SCHED_NONE: 1, SCHED_RR: 2, isMaster: true, isPrimary: true, isWorker: false, schedulingPolicy: 2, settings: {}, workers: {},
      ...failing("cluster", DENIED, ["fork"]),
      ...failing("cluster", MISSING, ["Worker", "disconnect", "setupMaster", "setupPrimary"]),
    });
  },

  "dgram"() {
    const { EventEmitter } = lazyEvents();
    const denied = (syscall, address, port) => {
      const error = system("EACCES", -13, syscall, `${syscall} EACCES ${address}${port ? `:${port}` : ""}: functions may not use datagrams`);
      error.address = address;
      error.port = port ?? 0;
      return error;
    };
    class Socket extends EventEmitter {
      constructor(options, listener) {
        super();
        this.type = typeof options === "string" ? options : options?.type;
        if (typeof listener === "function") this.on("message", listener);
      }
      #any() { return this.type === "udp6" ? "::" : "0.0.0.0"; }
      bind(port, address) {
        const options = typeof port === "object" && port !== null ? port : { port, address };
        const at = typeof options.address === "string" ? options.address : this.#any();
        nextTick(() => this.emit("error", denied("bind", at, typeof options.port === "number" ? options.port : 0)));
        return this;
      }
      send(...args) {
        const done = args[args.length - 1];
        const error = denied("send", args.find((a) => typeof a === "string" && a !== args[0]) ?? "127.0.0.1", args.find((a) => typeof a === "number"));
        nextTick(() => typeof done === "function" ? done(error) : this.emit("error", error));
      }
      connect(port, address, done) {
        const error = denied("connect", typeof address === "string" ? address : "127.0.0.1", port);
        const told = typeof address === "function" ? address : done;
        nextTick(() => typeof told === "function" ? told(error) : this.emit("error", error));
      }
      address() { throw system("EBADF", -9, "getsockname", "getsockname EBADF"); }
      close(done) {
        if (typeof done === "function") this.once("close", done);
        nextTick(() => this.emit("close"));
        return this;
      }
      ref() { return this; }
      unref() { return this; }
    }
    const settings = [
      "addMembership", "addSourceSpecificMembership", "disconnect", "dropMembership", "dropSourceSpecificMembership", "getRecvBufferSize",
      "getSendBufferSize", "remoteAddress", "setBroadcast", "setMulticastInterface", "setMulticastLoopback", "setMulticastTTL",
      "setRecvBufferSize", "setSendBufferSize", "setTTL",
    ];
    Object.assign(Socket.prototype, failing("dgram.Socket", MISSING, settings));
    return { Socket, createSocket: (options, listener) => new Socket(options, listener), ...failing("dgram", MISSING, ["_createSocketHandle"]) };
  },

  "http2": () => ({
    constants: core.loadExtScript("ext:deno_node/internal/http2/constants.ts"),
    sensitiveHeaders: Symbol("sensitiveHeaders"),
    ...failing("http2", MISSING, [
      "Http2ServerRequest", "Http2ServerResponse", "connect", "createSecureServer", "createServer", "getDefaultSettings", "getPackedSettings",
      "getUnpackedSettings", "performServerHandshake",
    ]),
  }),

  "inspector": () => ({
    console: globalThis.console,
    // There is none to be found at an address.
    url: named("url", () => undefined),
    ...failing("inspector", DENIED, ["open"]),
    ...failing("inspector", MISSING, ["Network", "Session", "close", "waitForDebugger"]),
  }),
  "inspector/promises": () => modules["inspector"](),

  "repl": () => ({
    REPL_MODE_SLOPPY: Symbol("repl-sloppy"),
    REPL_MODE_STRICT: Symbol("repl-strict"),
    builtinModules: [],
    ...failing("repl", MISSING, ["REPLServer", "Recoverable", "isValidSyntax", "start", "writer"]),
  }),

  "sqlite": () => ({ constants: {}, ...failing("sqlite", MISSING, ["DatabaseSync", "StatementSync", "backup"]) }),

  "test"() {
    const names = ["after", "afterEach", "before", "beforeEach", "describe", "it", "only", "run", "skip", "suite", "todo"];
    const test = failing("test", MISSING, ["test"]).test;
    return Object.assign(test, failing("test", MISSING, names), { test, mock: failing("test.mock", MISSING, ["fn", "getter", "method", "module", "reset", "restoreAll", "setter"]) });
  },
  "test/reporters": () => failing("test/reporters", MISSING, ["dot", "junit", "lcov", "spec", "tap"]),

  "trace_events": () => ({
    // No category is ever traced.
    getEnabledCategories: named("getEnabledCategories", () => undefined),
    ...failing("trace_events", MISSING, ["createTracing"]),
  }),

  "wasi": () => failing("wasi", MISSING, ["WASI"]),

  "worker_threads"() {
    const environment = new Map();
    return {
      BroadcastChannel: globalThis.BroadcastChannel,
      MessageChannel: globalThis.MessageChannel,
      MessagePort: globalThis.MessagePort,
      SHARE_ENV: Symbol.for("nodejs.worker_threads.SHARE_ENV"),
      isMainThread: true,
      parentPort: null,
      resourceLimits: {},
      threadId: 0,
      workerData: null,
      getEnvironmentData: named("getEnvironmentData", (key) => environment.get(key)),
      setEnvironmentData: named("setEnvironmentData", (key, value) => {
        if (value === undefined) environment.delete(key);
        else environment.set(key, value);
      }),
      ...failing("worker_threads", DENIED, ["Worker"]),
      ...failing("worker_threads", MISSING, ["markAsUntransferable", "moveMessagePortToContext", "postMessageToThread", "receiveMessageOnPort"]),
    };
  },
};

return (name) => modules[name]();
})()
);
