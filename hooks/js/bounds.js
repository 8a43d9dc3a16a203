// Arrays and what claims to be one: V8's own loops over them run to their end, however far that is, or end the
// process. They are refused by their length (NC-98). Works on every context.

import { core, internals, primordials } from "ext:core/mod.js";
const {
  Array,
  ArrayIsArray,
  Number,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  Proxy,
  RangeError,
  ReflectApply,
  ReflectGet,
  ReflectSet,
  SymbolIterator,
  String,
} = primordials;

function refused(what) {
  const error = new RangeError(`fourfront: ${what} is not available in functions (NC-98)`);
  error.code = "ERR_OUT_OF_RANGE";
  return error;
}

// A sparse array, and what only claims to be one, has up to 2^53 elements. V8's own loops over them are not
// interrupted, and those that make room for all of them first end the process.

const MOST_ELEMENTS = 2 ** 25;
const BOUNDED = ["copyWithin", "fill", "flat", "lastIndexOf", "reverse", "sort", "splice", "toReversed", "toSorted", "toSpliced", "unshift", "with"];

/** What a method may work on instead of `self`: its length is small, and is that for good. */
function bounded(self, what) {
  if (typeof self === "string") {
    if (self.length > MOST_ELEMENTS) throw refused(`${what} of more than ${MOST_ELEMENTS} elements`);
    return self;
  }
  if (self === null || (typeof self !== "object" && typeof self !== "function")) return self;
  if (!core.isProxy(self)) {
    const own = ObjectGetOwnPropertyDescriptor(self, "length");
    if (own !== undefined && typeof own.value === "number") {
      if (own.value > MOST_ELEMENTS) throw refused(`${what} of more than ${MOST_ELEMENTS} elements`);
      return self;
    }
  }
  // Whoever answers here may answer otherwise the next time.
  const told = self.length;
  const length = told !== null && typeof told === "object" ? Number(told) : told;
  if (+length > MOST_ELEMENTS) throw refused(`${what} of more than ${MOST_ELEMENTS} elements`);
  return new Proxy(self, {
    __proto__: null,
    get: (target, key) => key === "length" ? length : ReflectGet(target, key),
    set: (target, key, value) => ReflectSet(target, key, value),
  });
}

function instead(holder, key, make) {
  const descriptor = ObjectGetOwnPropertyDescriptor(holder, key);
  if (descriptor === undefined) return;
  const native = descriptor.value;
  const ours = make(native);
  for (const own of ["name", "length"]) ObjectDefineProperty(ours, own, ObjectGetOwnPropertyDescriptor(native, own));
  descriptor.value = ours;
  ObjectDefineProperty(holder, key, descriptor);
}

/** Bounds the arrays of a context. */
function boundArrays(kind) {
  for (let i = 0; i < BOUNDED.length; i++) {
    const what = `Array.prototype.${BOUNDED[i]}`;
    // A method and no function: `new` refuses it, as it does the native one.
    instead(kind.prototype, BOUNDED[i], (native) => ({
      method() {
        if (ArrayIsArray(this) && !core.isProxy(this) && this.length <= MOST_ELEMENTS) return ReflectApply(native, this, arguments);
        const on = bounded(this, what);
        const result = ReflectApply(native, on, arguments);
        return result === on ? this : result;
      },
    }).method);
  }
  instead(kind, "from", (native) => ({
    from(items, ...rest) {
      const counted = items !== null && items !== undefined && typeof items === "object" && !ArrayIsArray(items) && (items[SymbolIterator] ?? undefined) === undefined;
      return ReflectApply(native, this, [counted ? bounded(items, "Array.from") : items, ...rest]);
    },
  }).from);
}
boundArrays(Array);
instead(String, "raw", (native) => ({
  raw(strings, ...rest) {
    const parts = strings?.raw;
    const on = parts === null || parts === undefined ? strings : { raw: bounded(parts, "String.raw") };
    return ReflectApply(native, this, [on, ...rest]);
  },
}).raw);
internals.boundArrays = boundArrays;
