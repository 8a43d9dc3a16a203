// The world a function wakes up in: its globals, and the calls by which the host starts it.
//
// Evaluated once, while the snapshot is made. What a function never touches is loaded on first
// touch, so that a handler without modules pays for none. Functions in parentheses are those that every cold start calls:
// V8 compiles them where they stand, and the snapshot keeps that.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_ff_collect, op_ff_done, op_ff_hrtime, op_ff_log, op_ff_memory, op_ff_open_answers, op_ff_remaining, op_ff_uncaught } from "ext:core/ops";
import "ext:fourfront/names.js";
import { startCounting, countFetch } from "ext:fourfront/memory.js";
import "ext:fourfront/bounds.js";
import { builtin, builtinName } from "ext:fourfront/builtins.js";
import { bridge, isCommonJs, loadMain } from "ext:fourfront/loader.js";
import { console } from "ext:fourfront/console.js";
import { fetchFailure } from "ext:fourfront/fixes/web.js";
import "ext:fourfront/fixes/ports.js";
const {
  ArrayPrototypePush,
  Error,
  FunctionPrototypeCall,
  JSONParse,
  JSONStringify,
  Number,
  ObjectAssign,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectHasOwn,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
  String,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  Symbol,
  SymbolFor,
  TypeError,
  uncurryThis,
} = primordials;

const lazyScript = (name) => {
  let found;
  return () => found ??= core.loadExtScript(name);
};
const url = core.loadExtScript("ext:deno_web/00_url.js");
const event = core.loadExtScript("ext:deno_web/02_event.js");
const abort = core.loadExtScript("ext:deno_web/03_abort_signal.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
core.loadExtScript("ext:deno_node/internal/crypto/constants.ts");
const crypto = lazyScript("ext:deno_crypto/00_crypto.js");
const streams = lazyScript("ext:deno_web/06_streams.js");
const encoding = lazyScript("ext:deno_web/08_text_encoding.js");
const file = lazyScript("ext:deno_web/09_file.js");
const base64 = lazyScript("ext:deno_web/05_base64.js");
const ports = lazyScript("ext:deno_web/13_message_port.js");
const compression = lazyScript("ext:deno_web/14_compression.js");
const performanceScript = lazyScript("ext:fourfront/fixes/performance.js");
let timeOriginKnown = false;
const performance = () => {
  const found = performanceScript();
  if (!timeOriginKnown) {
    timeOriginKnown = true;
    found.setTimeOrigin();
  }
  return found;
};
const broadcast = lazyScript("ext:deno_web/01_broadcast_channel.js");
const headers = lazyScript("ext:deno_fetch/20_headers.js");
const formData = lazyScript("ext:deno_fetch/21_formdata.js");
const request = lazyScript("ext:deno_fetch/23_request.js");
const response = lazyScript("ext:deno_fetch/23_response.js");
const fetch = lazyScript("ext:deno_fetch/26_fetch.js");
const buffer = core.createLazyLoader("node:buffer");
const timers = lazyScript("ext:deno_node/timers.ts");
const process = core.createLazyLoader("node:process");

const classOf = (load, name) => core.propNonEnumerableLazyLoaded((m) => m[name], load);
const valueOf = (load, name) => core.propWritableLazyLoaded((m) => m[name], load);

/**
 * Egress that is refused looks like a closed port, and says why (LE-346, NC-22). What a name stands for is judged
 * where the connection is made, and comes back inside another message.
 */
function refused(error) {
  let message;
  try {
    message = `${error?.message} ${error?.cause?.message}`;
  } catch {
    // The reason of an abort can be anything.
    throw error;
  }
  const at = StringPrototypeIndexOf(message, "Requires net access");
  if (at === -1) throw error;
  const why = StringPrototypeSplit(StringPrototypeSlice(message, at), ",")[0];
  const cause = new Error(`connect ECONNREFUSED: functions may not connect there (LE-346): ${why}`);
  cause.code = "ECONNREFUSED";
  cause.syscall = "connect";
  const failed = new TypeError("fetch failed");
  failed.cause = cause;
  throw failed;
}

/** Answers that stream have no place at a trigger: what comes back is judged as a whole (LE-321). */
function noStreaming() {
  throw new Error("fourfront: functions at triggers cannot stream their response (LE-321): return the response object");
}

// What connections keep is outside of any heap: so many requests of an isolate are under way at a time (NC-98).
const MOST_FETCHES = 64;
let asking = 0;
/** Two turns of the event loop after garbage was collected for requests that found no room. */
let room;
const fetching = () => asking + op_ff_open_answers();
const turn = () => new Promise((done) => timers().setImmediate(done));

function ask(input, init) {
  const asked = fetch().fetch(input, init);
  countFetch(asked);
  asking++;
  return PromisePrototypeThen(asked, (answer) => {
    asking--;
    countFetch(answer);
    return answer;
  }, (error) => {
    asking--;
    refused(fetchFailure(error, input));
  });
}

const globals = {
  AbortController: core.propNonEnumerable(abort.AbortController),
  AbortSignal: core.propNonEnumerable(abort.AbortSignal),
  Blob: classOf(file, "Blob"),
  BroadcastChannel: classOf(broadcast, "BroadcastChannel"),
  Buffer: classOf(buffer, "Buffer"),
  CloseEvent: core.propNonEnumerable(event.CloseEvent),
  CompressionStream: classOf(compression, "CompressionStream"),
  ByteLengthQueuingStrategy: classOf(streams, "ByteLengthQueuingStrategy"),
  CountQueuingStrategy: classOf(streams, "CountQueuingStrategy"),
  Crypto: classOf(crypto, "Crypto"),
  CryptoKey: classOf(crypto, "CryptoKey"),
  CustomEvent: core.propNonEnumerable(event.CustomEvent),
  DecompressionStream: classOf(compression, "DecompressionStream"),
  DOMException: core.propNonEnumerable(DOMException),
  ErrorEvent: core.propNonEnumerable(event.ErrorEvent),
  Event: core.propNonEnumerable(event.Event),
  EventTarget: core.propNonEnumerable(event.EventTarget),
  File: classOf(file, "File"),
  FormData: classOf(formData, "FormData"),
  Headers: classOf(headers, "Headers"),
  MessageChannel: classOf(ports, "MessageChannel"),
  MessageEvent: core.propNonEnumerable(event.MessageEvent),
  MessagePort: classOf(ports, "MessagePort"),
  Performance: classOf(performance, "Performance"),
  PerformanceEntry: classOf(performance, "PerformanceEntry"),
  PerformanceMark: classOf(performance, "PerformanceMark"),
  PerformanceMeasure: classOf(performance, "PerformanceMeasure"),
  PerformanceObserver: classOf(performance, "PerformanceObserver"),
  PerformanceObserverEntryList: classOf(performance, "PerformanceObserverEntryList"),
  PerformanceResourceTiming: classOf(performance, "PerformanceResourceTiming"),
  ReadableByteStreamController: classOf(streams, "ReadableByteStreamController"),
  ReadableStream: classOf(streams, "ReadableStream"),
  ReadableStreamBYOBReader: classOf(streams, "ReadableStreamBYOBReader"),
  ReadableStreamBYOBRequest: classOf(streams, "ReadableStreamBYOBRequest"),
  ReadableStreamDefaultController: classOf(streams, "ReadableStreamDefaultController"),
  ReadableStreamDefaultReader: classOf(streams, "ReadableStreamDefaultReader"),
  Request: classOf(request, "Request"),
  Response: classOf(response, "Response"),
  SubtleCrypto: classOf(crypto, "SubtleCrypto"),
  TextDecoder: classOf(encoding, "TextDecoder"),
  TextDecoderStream: classOf(encoding, "TextDecoderStream"),
  TextEncoder: classOf(encoding, "TextEncoder"),
  TextEncoderStream: classOf(encoding, "TextEncoderStream"),
  TransformStream: classOf(streams, "TransformStream"),
  TransformStreamDefaultController: classOf(streams, "TransformStreamDefaultController"),
  URL: core.propNonEnumerable(url.URL),
  URLSearchParams: core.propNonEnumerable(url.URLSearchParams),
  WritableStream: classOf(streams, "WritableStream"),
  WritableStreamDefaultController: classOf(streams, "WritableStreamDefaultController"),
  WritableStreamDefaultWriter: classOf(streams, "WritableStreamDefaultWriter"),
  atob: valueOf(base64, "atob"),
  awslambda: core.propWritable({ HttpResponseStream: { from: noStreaming }, streamifyResponse: noStreaming }),
  btoa: valueOf(base64, "btoa"),
  clearImmediate: valueOf(timers, "clearImmediate"),
  clearInterval: valueOf(timers, "clearInterval"),
  clearTimeout: valueOf(timers, "clearTimeout"),
  console: core.propNonEnumerable(console),
  // A plain function, as in Node, so that tests can replace it.
  fetch: core.propWritable(function fetch_(input, init = undefined) {
    if (fetching() < MOST_FETCHES) return ask(input, init);
    // What nobody has read to its end may be garbage by now, which is given back between two turns of the event loop.
    if (room === undefined) {
      op_ff_collect();
      room = PromisePrototypeThen(turn(), turn);
    }
    return PromisePrototypeThen(room, () => {
      room = undefined;
      if (fetching() < MOST_FETCHES) return ask(input, init);
      const cause = new Error(`fourfront: a function has ${MOST_FETCHES} requests at a time, answers that have not been read to their end among them (NC-98)`);
      cause.code = "EMFILE";
      const failed = new TypeError("fetch failed");
      failed.cause = cause;
      throw failed;
    });
  }),
  global: core.propWritable(globalThis),
  performance: valueOf(performance, "performance"),
  process: core.propNonEnumerableLazyLoaded((m) => m.default, process),
  setImmediate: valueOf(timers, "setImmediate"),
  setInterval: valueOf(timers, "setInterval"),
  setTimeout: valueOf(timers, "setTimeout"),
  structuredClone: valueOf(ports, "structuredClone"),
};
ObjectDefineProperty(globals.fetch.value, "name", { __proto__: null, value: "fetch" });
core.defineGlobalProperties(globalThis, globals);

// Both are there to be read, and code in strict mode that assigns to them is told so.
const known = Symbol("known");
class Navigator {
  constructor(key) {
    if (key === known) return;
    const error = new TypeError("Illegal constructor");
    error.code = "ERR_ILLEGAL_CONSTRUCTOR";
    throw error;
  }
  get hardwareConcurrency() {
    return 1;
  }
  get language() {
    return "en-US";
  }
  get languages() {
    return languages;
  }
  get userAgent() {
    return "Node.js/22";
  }
  get platform() {
    return "Linux x86_64";
  }
}
const languages = ObjectFreeze(["en-US"]);
for (const name of ["hardwareConcurrency", "language", "languages", "userAgent", "platform"]) {
  ObjectDefineProperty(Navigator.prototype, name, { __proto__: null, enumerable: true });
}
const navigator = new Navigator(known);
core.defineGlobalProperties(globalThis, { Navigator: core.propNonEnumerable(Navigator) });
ObjectDefineProperty(globalThis, "navigator", { __proto__: null, configurable: true, enumerable: true, get: function navigator_() {
  return navigator;
} });
ObjectDefineProperty(globalThis, "crypto", { __proto__: null, configurable: true, enumerable: true, get: function crypto_() {
  return crypto().crypto;
} });

// Errors that Rust raises by name.
const named = ["NotFound", "ConnectionRefused", "ConnectionReset", "ConnectionAborted", "NotConnected", "AddrInUse", "AddrNotAvailable", "BrokenPipe", "PermissionDenied", "AlreadyExists", "InvalidData", "TimedOut", "WouldBlock", "WriteZero", "UnexpectedEof", "Http", "Busy", "NotSupported", "FilesystemLoop", "IsADirectory", "NetworkUnreachable", "NotADirectory"];
for (let i = 0; i < named.length; i++) {
  const name = named[i];
  const kind = { [name]: class extends Error {
    constructor(message, options) {
      super(message, options);
      this.name = name;
    }
  } }[name];
  core.registerErrorClass(name, kind);
  internals.names.errors[name] = kind;
}
const dom = ["OperationError", "NotSupportedError", "NetworkError", "AbortError", "InvalidCharacterError", "DataError", "SyntaxError", "IndexSizeError", "TypeMismatchError", "InvalidAccessError", "QuotaExceededError", "InvalidStateError", "DataCloneError", "TimeoutError"];
for (let i = 0; i < dom.length; i++) {
  core.registerErrorBuilder(`DOMException${dom[i]}`, (message) => new DOMException(message, dom[i]));
}

// What no code of the function catches ends the call, as it ends the process on Lambda (LE-317): thrown by a timer, a
// tick, an event.
core.setReportExceptionCallback((error) => {
  try {
    internals.process?.emit("uncaughtException", error, "uncaughtException");
  } catch (later) {
    error = later;
  }
  op_ff_uncaught(describe(error));
});

// How a call ended, as the host reads it.
const RESULT = 0, THROWN = 1, WAITING = 2, UNDEFINED = 3, TOO_LARGE = 4;

let settings;
let handler;
let current;

/** Gives the isolate its function's settings. Runs once, before any code of the function. */
const start = (function start(json) {
  settings = JSONParse(json);
  internals.fourfront = settings;
  settings.getBuiltin = (name) => {
    const known = builtinName(name);
    return known === undefined ? undefined : builtin(known);
  };
  const { toHex, setFromHex } = Uint8Array.prototype;
  internals.uint8ArrayToHex = typeof toHex === "function" ? uncurryThis(toHex) : undefined;
  internals.uint8ArraySetFromHex = typeof setFromHex === "function" ? uncurryThis(setFromHex) : undefined;
  startCounting();
  delete globalThis.Deno;
  delete globalThis.__bootstrap;
});

/** Loads the handler (LE-305..308). Reports through `op_ff_done` like a call. */
const load = (async function load(path, kind, name) {
  try {
    let exports;
    if (isCommonJs(path, kind)) {
      exports = loadMain(path, kind);
    } else {
      exports = await import(`file://${encodeURI(path)}`);
    }
    const parts = StringPrototypeSplit(name, ".");
    let found = exports;
    for (let i = 0; i < parts.length; i++) found = found?.[parts[i]];
    if (found === undefined && exports?.default !== undefined) {
      // A CommonJS bundle imported as a module, or `export default { handler }`.
      found = exports.default;
      for (let i = 0; i < parts.length; i++) found = found?.[parts[i]];
    }
    if (typeof found !== "function") {
      const error = new Error(found === undefined
        ? `${settings.handler} is undefined or not exported`
        : `${settings.handler} is not a function`);
      error.name = "Runtime.HandlerNotFound";
      error.stack = "";
      throw error;
    }
    handler = found;
    op_ff_done(RESULT, "");
  } catch (error) {
    op_ff_done(THROWN, describe(error));
  }
});

/**
 * Starts one call. What it ends with is told by `op_ff_done`, now or later.
 *
 * As a promise job, like Lambda's own runtime: a built-in that is loaded by its first use in there would otherwise have
 * the engine run the handler's promise jobs before their time (NC-34).
 */
const invoke = (function invoke(json, requestId) {
  PromisePrototypeThen(settled, (() => handle(json, requestId)));
});

const settled = PromiseResolve();

const handle = (function handle(json, requestId) {
  const call = { done: false, waiting: undefined, promised: false };
  current = call;
  const finish = ((error, result) => {
    call.done = true;
    if (error) op_ff_done(THROWN, describe(error.reason));
    else deliver(result);
  });
  const first = ((act) => (a, b) => {
    if (call.done || call.waiting !== undefined) {
      op_ff_log(3, "the invocation has already been completed: this completion is ignored");
      return;
    }
    act(a, b);
  });
  const done = first((error, result) => finish(error === undefined || error === null ? undefined : { reason: error }, result));
  const fail = first((error) => finish({ reason: error === undefined || error === null ? "handled" : error }));
  const succeed = first((result) => finish(undefined, result));
  const callback = first((error, result) => {
    if (error !== undefined && error !== null) finish({ reason: error });
    else if (!context.callbackWaitsForEmptyEventLoop) finish(undefined, result);
    else {
      // Delivered once the event loop is empty (LE-314).
      call.waiting = { result };
      op_ff_done(WAITING, "");
    }
  });
  const context = {
    // Each call begins with its own `true` (LE-333), read when the callback is called: an accessor would make every call's object a slow one.
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: settings.version,
    functionName: settings.name,
    memoryLimitInMB: settings.memoryMb,
    logGroupName: settings.logGroup,
    logStreamName: settings.logStream,
    // There, and undefined (LE-334).
    clientContext: undefined,
    identity: undefined,
    invokedFunctionArn: settings.arn,
    awsRequestId: requestId,
    tenantId: undefined,
    getRemainingTimeInMillis: () => op_ff_remaining(),
    // What handlers of the first Node runtimes end with (LE-319).
    succeed,
    fail,
    done,
  };
  const succeed0 = (function succeed0(result) {
    // An async handler that already answered by `callback` returns undefined: no second answer.
    if (call.done || call.waiting !== undefined) {
      // Some adapters give the same object both ways.
      if (result !== undefined && result !== call.waiting?.result) op_ff_log(3, "the invocation has already been completed: the returned value is ignored");
      return;
    }
    finish(undefined, result);
  });
  const fail0 = (function fail0(error) {
    if (call.done) return;
    call.waiting = undefined;
    finish({ reason: error });
  });
  let returned;
  try {
    // The event is a copy of its own, of which nothing is read back (LE-063).
    // The callback is always there: most published handlers use it (LE-309, LE-320).
    returned = handler(JSONParse(json), context, callback);
  } catch (error) {
    if (!call.done && call.waiting === undefined) finish({ reason: error });
    return;
  }
  // Anything with a `then` is a promise (LE-310). What it still waits for once it has answered goes on with the
  // isolate's next call (LE-349).
  if (core.isPromise(returned)) {
    call.promised = true;
    PromisePrototypeThen(returned, succeed0, fail0);
  } else if (returned !== null && typeof returned === "object" && typeof returned.then === "function") {
    call.promised = true;
    try {
      returned.then(succeed0, fail0);
    } catch (error) {
      fail0(error);
    }
  } else if (settings.relaxed && returned !== undefined && handler.length < 3) {
    // LE-312
    if (!call.done && call.waiting === undefined) finish(undefined, returned);
  }
});

/** The event loop is empty: what the call ends with if it has not ended (LE-311, LE-314, LE-315). */
function idle() {
  const call = current;
  if (call.done) return;
  if (call.waiting !== undefined) {
    call.done = true;
    deliver(call.waiting.result);
  } else if (call.promised) {
    call.done = true;
    op_ff_done(UNDEFINED, "");
  } else {
    call.done = true;
    op_ff_done(RESULT, "null");
  }
}

const deliver = (function deliver(result) {
  let text;
  try {
    // `undefined`, functions and symbols have no JSON form: the answer is `null`, as on Lambda.
    text = JSONStringify(result === undefined ? null : result);
    if (text === undefined) text = "null";
  } catch (error) {
    // LE-137
    op_ff_done(THROWN, describe(error, "Runtime.MarshalError"));
    return;
  }
  if (text.length > settings.maxResult) {
    op_ff_done(TOO_LARGE, `${text.length}`);
    return;
  }
  op_ff_done(RESULT, text);
});

/** An error as `type\nlength\nmessage stack`; it may be anything (LE-318), getters that throw included. */
function describe(error, type) {
  let name, message, stack = "";
  try {
    if (error !== null && (typeof error === "object" || typeof error === "function") && ("message" in error || "stack" in error)) {
      name = type ?? String(error.name || error.constructor?.name || "Error");
      message = String(error.message ?? "");
      if (typeof error.stack === "string") stack = error.stack;
      if (typeof error.code === "string") name = `${name}\t${error.code}`;
    } else {
      name = error === null ? "object" : typeof error;
      message = typeof error === "object" && error !== null ? JSONStringify(error) ?? "[object]" : String(error);
    }
  } catch {
    name = type ?? "Error";
    message = "the error could not be read";
    stack = "";
  }
  return `${name}\n${message.length}\n${message}${stack}`;
}

/** Runs what `process.nextTick` has queued: before any timer (NC-34). Whether there was any. */
const ticks = (function ticks() {
  core.runMicrotasks();
  if (!core.hasTickScheduled()) return false;
  core.processTicksAndRejections();
  return true;
});

/** Loads built-ins before any code of the function runs: `s` and a script, or `m` and a module, on each line. */
function preload(files) {
  const list = StringPrototypeSplit(files, "\n");
  for (let i = 0; i < list.length; i++) {
    const name = StringPrototypeSlice(list[i], 1);
    if (list[i][0] === "s") core.loadExtScript(name);
    else core.createLazyLoader(name)();
  }
}

ObjectDefineProperty(globalThis, SymbolFor("fourfront.modules"), { __proto__: null, value: bridge });
event.setEventTargetData(globalThis);
event.saveGlobalThisReference(globalThis);
core.isPromise(settled);

globalThis.__fourfront = { start, load, invoke, idle, describe, ticks, preload };
