// The realm of CloudFront Functions (LE section 8): what a context has, and one run in it.
//
// The body of a function of `native` (the host's operations), `version` (1 or 2), `frozen`, `library` (the body of
// `cff_library.js`) and `bounds` (that of `bounded.js`). Called once for every context. Returns what the host calls.
//
// No state passes from one run to the next (LE-441), and a context costs far more than a run. So there are two
// kinds of context. In a *frozen* one nothing that runs share can be changed: a run evaluates the function's file anew, so
// its own variables are new as well, and the next run finds everything as it was. A function that changes built-ins fails
// there, and is given a *fresh* context for every run (`engine/cff`).
"use strict";

bounds(native.isProxy, native.heavy)(globalThis);
const { parse, stringify } = JSON;
const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, freeze } = Object;
const { apply, construct, ownKeys } = Reflect;
const { then } = Promise.prototype;
const RealPromise = Promise, RealDate = Date, RealError = Error, RealTypeError = TypeError, text = String;

/** What belongs to one run. */
const state = {
  __proto__: null,
  now: 0,
  seed: 0,
  random: undefined,
  eventType: "",
  edge: undefined,
  /** What the last origin helper noted, as JSON. */
  origin: undefined,
  data: undefined,
  /** How an async handler ended. */
  ended: undefined,
};

// --- What is there (LE-438, LE-450..462) -----------------------------------------------------------------------

const { modules, globals } = library(native, version, state);

const KEPT = [
  "Array", "ArrayBuffer", "Boolean", "DataView", "Date", "Error", "EvalError", "Float32Array", "Float64Array", "Function",
  "Infinity", "Int16Array", "Int32Array", "Int8Array", "JSON", "Map", "Math", "NaN", "Number", "Object", "Promise", "Proxy",
  "RangeError", "ReferenceError", "Reflect", "RegExp", "Set", "String", "Symbol", "SyntaxError", "TypeError", "URIError",
  "Uint16Array", "Uint32Array", "Uint8Array", "Uint8ClampedArray", "WeakMap", "WeakSet", "decodeURI", "decodeURIComponent",
  "encodeURI", "encodeURIComponent", "eval", "globalThis", "isFinite", "isNaN", "parseFloat", "parseInt", "undefined",
];
if (version === 2) KEPT.push("AggregateError");
for (const name of ownKeys(globalThis)) {
  if (!KEPT.includes(name)) delete globalThis[name];
}
for (const name of ownKeys(globals)) {
  defineProperty(globalThis, name, { value: globals[name], writable: true, enumerable: false, configurable: true });
}
// Traces of the last match of whoever matched last.
for (const name of ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "input", "$_", "lastMatch", "$&", "lastParen", "$+", "leftContext", "$`", "rightContext", "$'"]) {
  delete RegExp[name];
}
if (version === 1) {
  // LE-460
  for (const name of ["all", "allSettled", "any", "race"]) delete Promise[name];
  delete String.prototype.replaceAll;
  delete Symbol.for;
  delete Symbol.keyFor;
}

/** Time stands still within a run (LE-439). */
const FrozenDate = { Date: function (...parts) {
  if (new.target === undefined) return text(new RealDate(state.now));
  return construct(RealDate, parts.length === 0 ? [state.now] : parts, new.target);
} }.Date;
defineProperty(FrozenDate, "length", { value: 7 });
defineProperty(FrozenDate, "prototype", { value: RealDate.prototype, writable: false });
for (const name of ["parse", "UTC"]) defineProperty(FrozenDate, name, getOwnPropertyDescriptor(RealDate, name));
defineProperty(FrozenDate, "now", { value: { now: () => state.now }.now, writable: true, configurable: true });
defineProperty(RealDate.prototype, "constructor", { value: FrozenDate, writable: true, configurable: true });
globalThis.Date = FrozenDate;

/** Seeded for each run by the host (LE-462): Chris Doty-Humphrey's sfc32, seeded when a run first asks. */
defineProperty(Math, "random", { value: { random() {
  const s = state.random ??= seeded(state.seed);
  return (next(s) * 0x200000 + (next(s) >>> 11)) / 0x20000000000000;
} }.random, writable: true, configurable: true });

function seeded(seed) {
  const s = [seed >>> 0, (seed / 0x100000000) >>> 0, 0x9e3779b9, 1];
  for (let i = 0; i < 12; i++) next(s);
  return s;
}

function next(s) {
  const t = (s[0] + s[1] + s[3]) >>> 0;
  s[3] = (s[3] + 1) >>> 0;
  s[0] = s[1] ^ (s[1] >>> 9);
  s[1] = (s[2] + (s[2] << 3)) >>> 0;
  s[2] = ((s[2] << 21) | (s[2] >>> 11)) + t >>> 0;
  return t;
}

/** The modules there are (LE-461). */
function require(name) {
  const found = modules[name];
  if (found === undefined) {
    const why = name === "cloudfront" ? "needs runtime cloudfront-js-2.0 (LE-485)" : "is not a module of CloudFront Functions";
    throw new RealError(`Cannot load module "${name}": it ${why}`);
  }
  return found;
}

// --- Nothing stays (LE-441) ----------------------------------------------------------------------------------

/**
 * Properties that objects often have of their own beside an inherited one. Once the inherited one cannot be written, an
 * assignment would fail; as an accessor it makes the object's own.
 */
const ERRORS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
if (version === 2) ERRORS.push(AggregateError);
const OVERRIDDEN = [
  [Object.prototype, ["constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"]],
  [Function.prototype, ["constructor", "toString"]],
  ...ERRORS.map((kind) => [kind.prototype, ["constructor", "message", "name", "toString"]]),
];

function overridable(object, name) {
  const property = getOwnPropertyDescriptor(object, name);
  if (property === undefined || !("value" in property)) return;
  const { value } = property;
  defineProperty(object, name, {
    get: () => value,
    set(own) {
      if (this === object || this === null || (typeof this !== "object" && typeof this !== "function")) {
        throw new RealTypeError(`Cannot assign to read only property '${text(name)}'`);
      }
      defineProperty(this, name, { value: own, writable: true, enumerable: true, configurable: true });
    },
    enumerable: false,
    configurable: false,
  });
}

/** Freezes everything that can be reached from the global object and from the language's hidden prototypes. */
function freezeAll() {
  const hidden = [
    async function () {}, function* () {}, async function* () {}, (function* () {})(), (async function* () {})(),
    [][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/./g),
  ];
  const queue = [globalThis, modules, require, ...hidden.map(getPrototypeOf), ...ownKeys(modules).map((name) => modules[name])];
  const all = new Set();
  while (queue.length > 0) {
    const object = queue.pop();
    if (object === null || (typeof object !== "object" && typeof object !== "function") || all.has(object)) continue;
    all.add(object);
    queue.push(getPrototypeOf(object));
    for (const name of ownKeys(object)) {
      const property = getOwnPropertyDescriptor(object, name);
      queue.push(property.value, property.get, property.set);
    }
  }
  for (const [object, names] of OVERRIDDEN) {
    for (const name of names) overridable(object, name);
    for (const name of names) {
      const property = getOwnPropertyDescriptor(object, name);
      if (property?.get) freeze(property.get), freeze(property.set);
    }
  }
  for (const object of all) freeze(object);
}

// --- One run -------------------------------------------------------------------------------------------------

/** Evaluates the file and says whether it has a handler: an error as `describe` writes it, or nothing (LE-463). */
function check(body, now, seed) {
  begin(now, seed);
  try {
    handlerOf(body);
  } catch (error) {
    return describe(error);
  }
}

/**
 * One run: `R` and the result, or `E` and an error. `undefined` when the handler is async: then `settled` knows more once
 * the promise jobs have run.
 */
function run(body, input, now, seed) {
  begin(now, seed);
  try {
    const { event, raw, edge } = parse(input);
    state.eventType = event.context?.eventType;
    state.edge = edge;
    if (event.request) {
      // LE-412
      defineProperty(event.request, "rawQueryString", { value: () => raw, writable: true, configurable: true });
    }
    const result = handlerOf(body)(event);
    if (version === 2 && result instanceof RealPromise) {
      apply(then, result, [(value) => {
        state.ended = deliver(value);
      }, (error) => {
        state.ended = `E${describe(error)}`;
      }]);
      return;
    }
    return deliver(result);
  } catch (error) {
    return `E${describe(error)}`;
  }
}

function settled() {
  return state.ended;
}

function begin(now, seed) {
  state.now = now;
  state.seed = seed;
  state.random = state.edge = state.origin = state.data = state.ended = undefined;
  state.eventType = "";
}

function handlerOf(body) {
  const handler = body(require);
  if (typeof handler !== "function") {
    throw new RealTypeError("the code has no top-level function `handler`");
  }
  return handler;
}

function deliver(result) {
  try {
    const json = stringify(result) ?? "null";
    const origin = state.origin === undefined ? "" : `,"origin":${state.origin}`;
    const data = state.data === undefined ? "" : `,"data":${stringify(state.data)}`;
    return `R{"result":${json}${origin}${data}}`;
  } catch (error) {
    return `E${describe(error)}`;
  }
}

/** An error as `name\nlength\nmessage stack`; it may be anything, getters that throw included. */
function describe(error) {
  let name, message, stack = "";
  try {
    if (error !== null && typeof error === "object" && ("message" in error || "stack" in error)) {
      name = text(error.name || "Error");
      message = text(error.message ?? "");
      if (typeof error.stack === "string") stack = error.stack;
    } else {
      name = error === null ? "object" : typeof error;
      message = typeof error === "object" && error !== null ? stringify(error) ?? "[object]" : text(error);
    }
  } catch {
    name = "Error";
    message = "the error could not be read";
    stack = "";
  }
  return `${name}\n${message.length}\n${message}${stack}`;
}

if (frozen) freezeAll();
return { check, run, settled };
