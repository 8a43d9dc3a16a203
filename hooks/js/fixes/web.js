// The web's classes where Node adds to them or prints them otherwise (NC-12, NC-24, NC-31).
//
// Part of the snapshot: an isolate pays nothing for it.

import { core, primordials } from "ext:core/mod.js";
const {
  ErrorCaptureStackTrace, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectPrototypeIsPrototypeOf, Proxy, ReflectApply, ReflectConstruct,
  StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith, SymbolFor, SymbolToStringTag, TypeError, TypeErrorPrototype,
} = primordials;

const url = core.loadExtScript("ext:deno_web/00_url.js");
const abort = core.loadExtScript("ext:deno_web/03_abort_signal.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// === URL: errors with their input (NC-12) ===
function invalid(error, input, base, at) {
  if (!ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, error) || !StringPrototypeStartsWith(error.message, "Invalid URL")) return error;
  const found = new TypeError("Invalid URL");
  ErrorCaptureStackTrace(found, at);
  found.code = "ERR_INVALID_URL";
  found.input = `${input}`;
  if (base !== undefined) found.base = `${base}`;
  return found;
}

const { URL, URLPrototype } = url;
const URLWithErrors = new Proxy(URL, {
  __proto__: null,
  construct(target, args, newTarget) {
    try {
      return ReflectConstruct(target, args, newTarget);
    } catch (error) {
      throw invalid(error, args[0], args[1], URLWithErrors);
    }
  },
});
url.URL = URLWithErrors;
ObjectDefineProperty(URLPrototype, "constructor", { __proto__: null, value: URLWithErrors, writable: true, enumerable: false, configurable: true });
const href = ObjectGetOwnPropertyDescriptor(URLPrototype, "href");
const setHref = href.set;
href.set = function href(value) {
  try {
    ReflectApply(setHref, this, [value]);
  } catch (error) {
    throw invalid(error, value, undefined, href);
  }
};
ObjectDefineProperty(URLPrototype, "href", href);

// === What they look like in a log (NC-24) ===
const custom = SymbolFor("nodejs.util.inspect.custom");
const privately = SymbolFor("Deno.privateCustomInspect");
function shows(prototype, show) {
  // The printer asks for the engine's own first, which may be a parent's.
  ObjectDefineProperty(prototype, privately, { __proto__: null, value: undefined, writable: true, enumerable: false, configurable: true });
  ObjectDefineProperty(prototype, custom, { __proto__: null, value: show, writable: true, enumerable: false, configurable: true });
}
shows(URLPrototype, function (depth, options, inspect) {
  const name = this.constructor?.name ?? "URL";
  if (typeof depth === "number" && depth < 0) return `${name} {}`;
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash } = this;
  return `${name} ${inspect({ href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash }, options)}`;
});
const { URLSearchParams } = url;
const pairs = URLSearchParams.prototype[privately];
shows(URLSearchParams.prototype, function (depth, options, inspect) {
  return typeof depth === "number" && depth < 0 ? "[Object]" : ReflectApply(pairs, this, [inspect, options]);
});
shows(abort.AbortSignal.prototype, function (depth, options, inspect) {
  return typeof depth === "number" && depth < 0 ? "[AbortSignal]" : `AbortSignal ${inspect({ aborted: this.aborted }, options)}`;
});
shows(abort.AbortController.prototype, function (depth, options, inspect) {
  if (typeof depth === "number" && depth < 0) return "AbortController {}";
  return `AbortController ${inspect({ signal: this.signal }, options)}`;
});
shows(DOMException.prototype, function () {
  const { stack, name, message } = this;
  const head = `DOMException [${name}]: ${message}`;
  if (typeof stack !== "string") return `[${head}]`;
  const frames = StringPrototypeIndexOf(stack, "\n    at ");
  return frames === -1 ? `[${head}]` : `${head}${StringPrototypeSlice(stack, frames)}`;
});

// === Aborting says what Node says ===
const reasonless = () => new DOMException("This operation was aborted", "AbortError");
const { abort: abortSignal } = abort.AbortSignal;
ObjectDefineProperty(abort.AbortSignal, "abort", {
  __proto__: null,
  value: function abort(reason = reasonless()) {
    return ReflectApply(abortSignal, this, [reason]);
  },
  writable: true, enumerable: true, configurable: true,
});
const { abort: abortController } = abort.AbortController.prototype;
ObjectDefineProperty(abort.AbortController.prototype, "abort", {
  __proto__: null,
  value: function abort(reason) {
    return ReflectApply(abortController, this, [reason === undefined ? reasonless() : reason]);
  },
  writable: true, enumerable: true, configurable: true,
});

// === queueMicrotask checks what it is given ===
const { queueMicrotask } = globalThis;
ObjectDefineProperty(globalThis, "queueMicrotask", {
  __proto__: null,
  value: ObjectDefineProperty(function (callback) {
    if (typeof callback !== "function") {
      const { ERR_INVALID_ARG_TYPE } = core.loadExtScript("ext:deno_node/internal/errors.ts");
      throw new ERR_INVALID_ARG_TYPE("callback", "Function", callback);
    }
    queueMicrotask(callback);
  }, "name", { __proto__: null, value: "queueMicrotask", configurable: true }),
  writable: true, enumerable: true, configurable: true,
});

// Packages tell Node from a browser by it.
ObjectDefineProperty(globalThis, SymbolToStringTag, { __proto__: null, value: "global", writable: false, enumerable: false, configurable: true });

/** Why a `fetch` failed, in Node's form: what was wrong is the cause (NC-31). */
export function fetchFailure(error, input) {
  if (!ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, error)) return error;
  const { message } = error;
  let text;
  if (error.code === "ERR_INVALID_URL") text = `Failed to parse URL from ${input}`;
  else if (StringPrototypeStartsWith(message, "Url scheme ") || message === "NoComma" || StringPrototypeStartsWith(message, "NetworkError when")) text = "fetch failed";
  else return error;
  const failed = new TypeError(text);
  ObjectDefineProperty(failed, "cause", { __proto__: null, value: error, writable: true, enumerable: false, configurable: true });
  return failed;
}
