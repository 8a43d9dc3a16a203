"use strict"; return ((function () {
// What modules export otherwise than the crate has it, put right when a function asks for the module first (NC-3, NC-12,
// NC-33, NC-34). Whole classes are mended in files of their own.
const { core, primordials } = __bootstrap;
const {
  ObjectAssign, ObjectDefineProperty, ObjectHasOwn, PromisePrototypeThen, ReflectApply, ReflectOwnKeys, RegExpPrototypeTest, SafeRegExp,
  String, StringPrototypeIncludes, StringPrototypeReplace, Symbol,
} = primordials;
const errors = () => core.loadExtScript("ext:deno_node/internal/errors.ts");
const { validateNumber, validateObject, validateString } = core.loadExtScript("ext:deno_node/internal/validators.mjs");

/** Puts a function in the place of another: its name and length stay. */
function instead(holder, name, make) {
  const original = holder[name];
  const ours = make(original);
  ObjectDefineProperty(ours, "name", { __proto__: null, value: original.name, configurable: true });
  ObjectDefineProperty(ours, "length", { __proto__: null, value: original.length, configurable: true });
  holder[name] = ours;
}
const hidden = (holder, name, value) => ObjectDefineProperty(holder, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });

// === path: arguments are told by their names ===
function path(exports) {
  for (const kind of [exports.posix, exports.win32]) {
    instead(kind, "relative", (original) => function (from, to) {
      validateString(from, "from");
      validateString(to, "to");
      return original(from, to);
    });
    instead(kind, "basename", (original) => function (path, suffix) {
      if (suffix !== undefined) validateString(suffix, "suffix");
      return original(path, suffix);
    });
    instead(kind, "format", (original) => function (parts) {
      validateObject(parts, "pathObject");
      return original(parts);
    });
    instead(kind, "resolve", (original) => function (...parts) {
      for (let i = parts.length - 1; i >= 0; i--) if (typeof parts[i] !== "string") validateString(parts[i], `paths[${i}]`);
      return ReflectApply(original, undefined, parts);
    });
  }
  return exports;
}

// === url ===
const BRAND = new SafeRegExp("brand");
function url(exports) {
  const { Url, parse } = exports;
  hidden(Url.prototype, "parse", function (address, withQuery, slashes) {
    ObjectAssign(this, parse(address, withQuery, slashes));
    return this;
  });
  instead(exports, "urlToHttpOptions", (original) => function (address) {
    const found = original(address);
    const options = { __proto__: null };
    const keys = ReflectOwnKeys(found);
    for (let i = 0; i < keys.length; i++) {
      // What the class of addresses keeps on its objects is nobody's.
      if (typeof keys[i] === "symbol" && RegExpPrototypeTest(BRAND, String(keys[i]))) continue;
      options[keys[i]] = found[keys[i]];
    }
    return options;
  });
  instead(exports, "domainToASCII", (original) => function (domain) {
    if (arguments.length < 1) throw new (errors().ERR_MISSING_ARGS)("domain");
    return original(`${domain}`);
  });
  instead(exports, "domainToUnicode", (original) => function (domain) {
    if (arguments.length < 1) throw new (errors().ERR_MISSING_ARGS)("domain");
    const found = original(`${domain}`);
    // A label that stands for nothing makes the domain none.
    return StringPrototypeIncludes(found, "\ufffd") ? "" : found;
  });
  return exports;
}

// === punycode: the four characters that separate labels ===
const SEPARATORS = new SafeRegExp("[\\u3002\\uff0e\\uff61]", "g");
function punycode(exports) {
  for (const name of ["toASCII", "toUnicode"]) {
    instead(exports, name, (original) => function (domain) {
      return original(StringPrototypeReplace(domain, SEPARATORS, "."));
    });
  }
  return exports;
}

// === events: an abort tells its reason ===
function withReason(error, signal) {
  if (error?.code === "ABORT_ERR" && signal?.aborted === true && !ObjectHasOwn(error, "cause")) hidden(error, "cause", signal.reason);
  return error;
}
function events(exports) {
  instead(exports, "once", (original) => function once(emitter, name, options) {
    return PromisePrototypeThen(original(emitter, name, options), undefined, (error) => {
      throw withReason(error, options?.signal);
    });
  });
  instead(exports, "on", (original) => function on(emitter, name, options) {
    const signal = options?.signal;
    let iterator;
    try {
      iterator = original(emitter, name, options);
    } catch (error) {
      throw withReason(error, signal);
    }
    if (signal === undefined) return iterator;
    instead(iterator, "next", (next) => function () {
      return PromisePrototypeThen(ReflectApply(next, iterator, []), undefined, (error) => {
        throw withReason(error, signal);
      });
    });
    return iterator;
  });
  return exports;
}

// === timers: deprecated since Node 10, and there ===
function timers(exports) {
  const enrolled = Symbol("enrolled");
  exports.enroll = function enroll(item, after) {
    validateNumber(after, "msecs");
    exports.unenroll(item);
    item._idleTimeout = after;
  };
  exports.unenroll = function unenroll(item) {
    if (item[enrolled] !== undefined) exports.clearTimeout(item[enrolled]);
    item[enrolled] = undefined;
    item._idleTimeout = -1;
  };
  exports.active = function active(item) {
    if (item[enrolled] !== undefined) exports.clearTimeout(item[enrolled]);
    if (item._idleTimeout >= 0) hidden(item, enrolled, exports.setTimeout(() => item._onTimeout?.(), item._idleTimeout));
  };
  hidden(exports, "_unrefActive", exports.active);
  return exports;
}

// === stream: one object of promises ===
function stream(exports) {
  const promises = core.createLazyLoader("node:stream/promises")().default;
  ObjectDefineProperty(exports, "promises", { __proto__: null, configurable: true, enumerable: true, get: () => promises });
  return exports;
}

// === perf_hooks: the classes of what it measures ===
function perfHooks(exports) {
  const measures = core.loadExtScript("ext:deno_web/15_performance.js");
  delete exports.eventLoopUtilization;
  delete exports.timerify;
  exports.Performance = measures.Performance;
  exports.PerformanceMark = measures.PerformanceMark;
  exports.PerformanceMeasure = measures.PerformanceMeasure;
  exports.PerformanceResourceTiming = core.loadExtScript("ext:fourfront/fixes/performance.js").PerformanceResourceTiming;
  return exports;
}

// === http: what came after Node 22 goes, and an old name of `writeHead` stays ===
function http(exports) {
  delete exports.ServerImpl;
  delete exports.setGlobalProxyFromEnv;
  const { prototype } = exports.ServerResponse;
  delete prototype.writeInformation;
  hidden(prototype, "writeHeader", prototype.writeHead);
  return exports;
}

return { events, http, path, perfHooks, punycode, stream, timers, url };
})()
);
