// What V8 does in C++ and in assembler, where nobody can interrupt it: its loops over arrays and over what claims to be one,
// its searches in text, whose time is the product of two lengths, and the reordering of marks in text, which is quadratic
// in their number. Where that would take long, it is done here in JavaScript, which can be interrupted, or it is refused
// (NC-98). Each method in here costs a call and a look at a length more than the native one.
//
// The body of a function of `isProxy` and `heavy`. `heavy` is called before something that takes more than a millisecond
// and cannot be interrupted: a call on one of the proxy's threads ends there, and is made anew where it may take long.
// Answers a function that bounds the methods of a realm: the engine's own, one of `node:vm`, or that of a CloudFront
// Function. Nothing in here relies on anything that a function can change.
"use strict";
const { isArray } = Array;
const { Error, Int32Array, Number, Object, Proxy, RangeError, String, Symbol, TypeError, WeakMap } = globalThis;
const { apply, construct, get, set, getOwnPropertyDescriptor, defineProperty, getPrototypeOf, ownKeys } = Reflect;
const { isConcatSpreadable, iterator, match, replace: replaceKey, species, split: splitKey } = Symbol;
const { floor, max, min, trunc } = Math;
const RealLocale = globalThis.Intl?.Locale;
const bind = Function.prototype.bind, call = Function.prototype.call;
/** A method as a function of what it is called on. */
const uncurried = (method) => apply(bind, call, [method]);
const charCodeAt = uncurried(String.prototype.charCodeAt);
const slice = uncurried(String.prototype.slice);
const exec = uncurried(RegExp.prototype.exec);
const lookUp = uncurried(WeakMap.prototype.get), note = uncurried(WeakMap.prototype.set);

// Elements that V8 goes over in less than a millisecond, and in about a second.
const FEW_ELEMENTS = 2 ** 16, MOST_ELEMENTS = 2 ** 24;
// Text in which nothing takes long to be found: whatever is longer than it is not in it.
const SHORT_TEXT = 2 ** 12;
// Steps of a search, of some nanoseconds each, that take a few milliseconds at worst.
const FEW_STEPS = 2 ** 23;
// Characters of text of which every match, or every value, may be about to be made.
const LONG_TEXT = 2 ** 20;
// Elements that are written out in a language.
const FEW_WORDS = 2 ** 10;
// Marks on one letter; no language has more than 30 (Unicode's stream-safe form).
const MANY_MARKS = /\p{M}{1024}/u, FEW_MARKS = 2 ** 11;

function refused(what) {
  const error = new RangeError(`fourfront: ${what} is not available in functions (NC-98)`);
  error.code = "ERR_OUT_OF_RANGE";
  return error;
}

/** So many elements are about to be gone over. */
function count(length, what) {
  if (!(length > FEW_ELEMENTS)) return;
  heavy();
  if (length > MOST_ELEMENTS) throw refused(`${what} of more than ${MOST_ELEMENTS} elements`);
}

const isObject = (value) => typeof value === "object" ? value !== null : typeof value === "function";

/** What a method may work on instead of `self`: its length is small, and is that for good. */
function bounded(self, what) {
  if (typeof self === "string") {
    count(self.length, what);
    return self;
  }
  if (!isObject(self)) return self;
  if (!isProxy(self)) {
    const own = getOwnPropertyDescriptor(self, "length");
    if (own !== undefined && typeof own.value === "number") {
      count(own.value, what);
      return self;
    }
  }
  // Whoever answers here may answer otherwise the next time.
  const told = self.length;
  const length = isObject(told) ? Number(told) : told;
  count(+length, what);
  return new Proxy(self, {
    __proto__: null,
    get: (target, key) => key === "length" ? length : get(target, key),
    set: (target, key, value) => set(target, key, value),
  });
}

// --- In JavaScript ---------------------------------------------------------------------------------------------

const integer = (value) => (value = +value) !== value ? 0 : trunc(value);

/** Looks for what takes long to be compared: every comparison is one step. */
function search(self, item, from, holes) {
  const n = min(integer(self.length), 2 ** 53 - 1);
  let at = integer(from);
  if (at < 0) at = max(n + at, 0);
  for (; at < n; at++) if (self[at] === item && (holes || at in self)) return at;
  return -1;
}

/** Whether an item takes long to be compared with each of an array's. */
const isLong = (item, length) => typeof item === "string" ? item.length * length > FEW_STEPS : typeof item === "bigint" && length > 256;

/** A new array in place of `self`, as its species wants it. */
function create(self, usual) {
  if (!isArray(self)) return new usual();
  let kind = self.constructor;
  if (isObject(kind)) {
    kind = kind[species];
    if (kind === null) kind = undefined;
  }
  return kind === undefined || kind === usual ? new usual() : new kind(0);
}

function append(to, at, value) {
  if (at >= MOST_ELEMENTS) throw refused(`Array.prototype.flat of more than ${MOST_ELEMENTS} elements`);
  // An assignment asks whoever else has such an element.
  if (at in to || !isArray(to)) define(to, at, value);
  else to[at] = value;
}

function define(to, key, value) {
  if (!defineProperty(to, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true })) throw new TypeError(`Cannot define property ${String(key)}`);
}

function flatten(to, at, from, depth, each, self) {
  const length = min(max(integer(from.length), 0), 2 ** 53 - 1);
  count(length, "Array.prototype.flat");
  for (let i = 0; i < length; i++) {
    if (!(i in from)) continue;
    let value = from[i];
    if (each !== undefined) value = apply(each, self, [value, i, from]);
    if (depth > 0 && isArray(value)) at = flatten(to, at, value, depth - 1);
    else append(to, at++, value);
  }
  return at;
}

/** Knuth's, Morris's and Pratt's: how much of a part is found again where it breaks off after so many characters. */
function borders(length, charAt) {
  const table = new Int32Array(length + 1);
  table[0] = -1;
  for (let i = 0, k = -1; i < length;) {
    while (k >= 0 && charAt(i) !== charAt(k)) k = table[k];
    table[++i] = ++k;
  }
  return table;
}

/** Finds one place after the other at which a text has a part, each in time that is linear in what lies before it. */
function finder(text, part) {
  const n = text.length, m = part.length;
  if (m > n) return () => -1;
  const at = (i) => charCodeAt(part, i);
  const table = borders(m, at);
  return (from) => {
    if (m === 0) return from <= n ? from : -1;
    for (let i = from, k = 0; i < n; i++) {
      while (k >= 0 && (k === m || charCodeAt(text, i) !== at(k))) k = table[k];
      if (++k === m) return i - m + 1;
    }
    return -1;
  };
}

const find = (text, part, from) => finder(text, part)(from);

/** The last place not after `from`. */
function findLast(text, part, from) {
  const n = text.length, m = part.length;
  if (m > n) return -1;
  const begin = min(from, n - m);
  if (m === 0) return begin;
  const at = (i) => charCodeAt(part, m - 1 - i);
  const table = borders(m, at);
  for (let i = begin + m - 1, k = 0; i >= 0; i--) {
    while (k >= 0 && charCodeAt(text, i) !== at(k)) k = table[k];
    if (++k === m) return i;
  }
  return -1;
}

/** What stands in place of a part that was found (ECMAScript, GetSubstitution without captures). */
function substitution(text, part, at, replacement, finds) {
  if (typeof replacement === "function") return `${apply(replacement, undefined, [part, at, text])}`;
  let made = "", done = 0;
  for (;;) {
    const i = finds(done);
    if (i === -1 || i + 1 >= replacement.length) return made + slice(replacement, done);
    const next = replacement[i + 1];
    const what = next === "$" ? "$" : next === "&" ? part : next === "`" ? slice(text, 0, at) : next === "'" ? slice(text, at + part.length) : undefined;
    made += slice(replacement, done, i) + (what ?? "$");
    done = i + (what === undefined ? 1 : 2);
  }
}

function replaced(text, part, replacement, all) {
  if (typeof replacement !== "function") replacement = `${replacement}`;
  const finds = finder(text, part);
  const dollars = typeof replacement === "string" ? finder(replacement, "$") : undefined;
  let made = "", done = 0;
  for (let at = finds(0); at !== -1; at = finds(at + max(part.length, 1))) {
    made += slice(text, done, at) + substitution(text, part, at, replacement, dollars);
    done = at + part.length;
    if (!all) break;
  }
  return made + slice(text, done);
}

function parts(text, separator, limit) {
  const most = limit === undefined ? 2 ** 32 - 1 : limit >>> 0;
  const found = [];
  if (most === 0) return found;
  const add = (piece) => define(found, found.length, piece);
  if (separator.length === 0) {
    for (let i = 0; i < text.length && found.length < most; i++) add(text[i]);
    return found;
  }
  const finds = finder(text, separator);
  let done = 0;
  for (let at = finds(0); at !== -1; at = finds(done)) {
    add(slice(text, done, at));
    if (found.length === most) return found;
    done = at + separator.length;
  }
  add(slice(text, done));
  return found;
}

/** Marks in such numbers are put into order one by one. */
function countMarks(text) {
  if (text.length > FEW_ELEMENTS) heavy();
  if (text.length > FEW_MARKS && exec(MANY_MARKS, text) !== null) throw refused("text with more than 1024 marks on one letter");
}

// --- In place of the native ones ----------------------------------------------------------------------------------

/** The native method of each of ours, for whoever asks for its source. */
const natives = new WeakMap();

function instead(holder, key, make) {
  const descriptor = holder && getOwnPropertyDescriptor(holder, key);
  const native = descriptor?.value;
  if (native === undefined) return;
  const ours = make(native, uncurried(native));
  for (const own of ["name", "length"]) defineProperty(ours, own, getOwnPropertyDescriptor(native, own));
  note(natives, ours, native);
  descriptor.value = ours;
  defineProperty(holder, key, descriptor);
}

function insteadOfClass(holder, key, make) {
  const descriptor = getOwnPropertyDescriptor(holder, key);
  const native = descriptor?.value;
  if (native === undefined) return;
  const ours = function () {
    return make(native, arguments, new.target === ours ? native : new.target);
  };
  for (const own of ownKeys(native)) defineProperty(ours, own, getOwnPropertyDescriptor(native, own));
  note(natives, ours, native);
  descriptor.value = ours;
  defineProperty(holder, key, descriptor);
  const constructor = getOwnPropertyDescriptor(native.prototype, "constructor");
  constructor.value = ours;
  defineProperty(native.prototype, "constructor", constructor);
}

// Methods and no functions throughout: `new` refuses them, as it does the native ones.

/** Methods that take three arguments at most, and for which `undefined` is as good as none. */
const PLAIN = ["every", "filter", "forEach", "join", "map", "shift", "slice", "some"];
/** The same of methods that make room for all elements first, or that a proxy leads astray. */
const PLAIN_AND_CAREFUL = ["copyWithin", "fill", "reverse", "toReversed", "with"];
/** Methods that ask how many arguments there are. */
const COUNTING = ["splice", "toSpliced", "unshift", "reduce", "reduceRight"];

function boundArrays(kind) {
  const { prototype } = kind;
  for (const name of PLAIN) {
    instead(prototype, name, (native, run) => ({
      method(a, b, c) {
        // Proxies are interrupted wherever they answer.
        return isArray(this) && this.length <= FEW_ELEMENTS ? run(this, a, b, c) : run(bounded(this, `Array.prototype.${name}`), a, b, c);
      },
    }).method);
  }
  for (const name of PLAIN_AND_CAREFUL) {
    instead(prototype, name, (native, run) => ({
      method(a, b, c) {
        if (isArray(this) && this.length <= FEW_ELEMENTS && !isProxy(this)) return run(this, a, b, c);
        const on = bounded(this, `Array.prototype.${name}`);
        const result = run(on, a, b, c);
        return result === on ? this : result;
      },
    }).method);
  }
  for (const name of COUNTING) {
    instead(prototype, name, (native) => ({
      method() {
        if (isArray(this) && this.length <= FEW_ELEMENTS && !isProxy(this)) return apply(native, this, arguments);
        const on = bounded(this, `Array.prototype.${name}`);
        const result = apply(native, on, arguments);
        return result === on ? this : result;
      },
    }).method);
  }
  for (const name of ["includes", "indexOf"]) {
    const holes = name === "includes";
    instead(prototype, name, (native, run) => ({
      method(item, from) {
        if (isArray(this) && this.length <= FEW_ELEMENTS && !isLong(item, this.length)) return run(this, item, from);
        const on = bounded(this, `Array.prototype.${name}`);
        if (on === null || on === undefined || !isLong(item, on.length)) return run(on, item, from);
        heavy();
        const at = search(Object(on), item, from, holes);
        return holes ? at !== -1 : at;
      },
    }).method);
  }
  instead(prototype, "lastIndexOf", (native) => ({
    lastIndexOf(item) {
      if (isArray(this) && this.length <= FEW_ELEMENTS && !isLong(item, this.length) && !isProxy(this)) return apply(native, this, arguments);
      const on = bounded(this, "Array.prototype.lastIndexOf");
      if (on === null || on === undefined || !isLong(item, on.length)) return apply(native, on, arguments);
      heavy();
      const self = Object(on), n = min(integer(self.length), 2 ** 53 - 1);
      let at = arguments.length > 1 ? integer(arguments[1]) : n - 1;
      for (at = at < 0 ? n + at : min(at, n - 1); at >= 0; at--) if (self[at] === item && at in self) return at;
      return -1;
    },
  }).lastIndexOf);
  instead(prototype, "concat", (native) => ({
    concat(...items) {
      let all = 0;
      for (let i = -1; i < items.length; i++) {
        const item = i < 0 ? this : items[i];
        if (isArray(item) && !isProxy(item)) all += item.length;
        else if (isObject(item) && !isProxy(item) && isConcatSpreadable in item) {
          if (i < 0) return apply(native, spreadable(item), items);
          items[i] = spreadable(item);
        }
      }
      count(all, "Array.prototype.concat");
      return apply(native, this, items);
    },
  }).concat);
  for (const name of ["sort", "toSorted"]) {
    instead(prototype, name, (native, run) => ({
      method(compare) {
        const few = isArray(this) && this.length <= FEW_ELEMENTS && !isProxy(this);
        const on = few ? this : bounded(this, `Array.prototype.${name}`);
        if (compare === undefined && isArray(on) && takesLong(on)) {
          heavy();
          compare = textually;
        }
        const result = run(on, compare);
        return result === on ? this : result;
      },
    }).method);
  }
  instead(prototype, "flat", () => ({
    flat(depth) {
      const self = objectOf(this);
      depth = depth === undefined ? 1 : integer(depth);
      const to = create(self, kind);
      flatten(to, 0, self, depth);
      return to;
    },
  }).flat);
  instead(prototype, "flatMap", () => ({
    flatMap(each, on) {
      const self = objectOf(this);
      if (typeof each !== "function") throw new TypeError("flatMap mapper function is not callable");
      const to = create(self, kind);
      flatten(to, 0, self, 1, each, on);
      return to;
    },
  }).flatMap);
  instead(prototype, "toLocaleString", (native, run) => ({ toLocaleString: inWords(run) }).toLocaleString);
  instead(kind, "from", (native) => ({
    from(items, ...rest) {
      const counted = items !== null && items !== undefined && typeof items === "object" && !isArray(items) && (items[iterator] ?? undefined) === undefined;
      return apply(native, this, [counted ? bounded(items, "Array.from") : items, ...rest]);
    },
  }).from);
}

function objectOf(self) {
  if (self === null || self === undefined) throw new TypeError("Array.prototype.flat called on null or undefined");
  return Object(self);
}

/** What `concat` may spread. */
function spreadable(item) {
  const told = item[isConcatSpreadable];
  if (told !== undefined && !told) return item;
  const length = Number(item.length);
  count(length, "Array.prototype.concat");
  return new Proxy(item, {
    __proto__: null,
    get: (target, key) => key === "length" ? length : key === isConcatSpreadable ? told : get(target, key),
  });
}

/** Whether to compare an array's elements as text would take long. */
function takesLong(array) {
  const { length } = array;
  if (length < 2) return false;
  let longest = 0;
  for (let i = 0; i < length; i++) {
    const item = array[i];
    if (typeof item === "string" && item.length > longest) longest = item.length;
  }
  return longest * length > FEW_STEPS;
}

function textually(a, b) {
  a = `${a}`;
  b = `${b}`;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Writes elements out in a language: V8 does so for all of them at once. */
const inWords = (run) => function (...args) {
  const self = this;
  if (!isObject(self) || !(self.length > FEW_WORDS)) return apply(run, undefined, [self, ...args]);
  let made = "";
  const length = integer(self.length);
  for (let i = 0; i < length; i++) {
    const item = self[i];
    if (i > 0) made += ",";
    if (item !== undefined && item !== null) made += `${apply(item.toLocaleString, item, args)}`;
  }
  return made;
};

function boundText(kind, RealmRegExp) {
  const { prototype } = kind;
  for (const name of ["includes", "indexOf", "lastIndexOf"]) {
    instead(prototype, name, (native, run) => ({
      method(part, from) {
        if (typeof this === "string" && (this.length <= SHORT_TEXT || (typeof part === "string" && this.length * part.length <= FEW_STEPS))) return run(this, part, from);
        if (this === null || this === undefined) return run(this, part, from);
        const text = `${this}`;
        if (name === "includes" && isObject(part) && (part[match] ?? part instanceof RealmRegExp)) return run("", new RealmRegExp("a"));
        const what = `${part}`;
        if (text.length * what.length <= FEW_STEPS) return run(text, what, from);
        heavy();
        if (name === "lastIndexOf") {
          const at = +from;
          return findLast(text, what, at !== at ? Infinity : max(trunc(at), 0));
        }
        const at = find(text, what, min(max(integer(from), 0), text.length));
        return name === "includes" ? at !== -1 : at;
      },
    }).method);
  }
  for (const [name, key] of [["replace", replaceKey], ["replaceAll", replaceKey], ["split", splitKey]]) {
    instead(prototype, name, (native, run) => ({
      method(part, by) {
        if (typeof this === "string" && (this.length <= SHORT_TEXT || (typeof part === "string" && this.length * (part.length || 1) <= FEW_STEPS))) return run(this, part, by);
        if (this === null || this === undefined || (name === "split" && part === undefined)) return run(this, part, by);
        if (isObject(part)) {
          if (this.length > LONG_TEXT) heavy();
          const own = part[key];
          if (own !== undefined && own !== null) {
            if (name === "replaceAll" && part instanceof RealmRegExp && !`${part.flags}`.includes("g")) return run("", new RealmRegExp("a"), "");
            return apply(own, part, [this, by]);
          }
        }
        const text = `${this}`, what = `${part}`;
        if (text.length * (what.length || 1) <= FEW_STEPS) return run(text, what, by);
        heavy();
        return name === "split" ? parts(text, what, by) : replaced(text, what, by, name === "replaceAll");
      },
    }).method);
  }
  for (const name of ["match", "matchAll", "search"]) {
    instead(prototype, name, (native, run) => ({
      method(pattern) {
        if (typeof this === "string" && this.length > LONG_TEXT) heavy();
        return run(this, pattern);
      },
    }).method);
  }
  for (const name of ["normalize", "localeCompare"]) {
    instead(prototype, name, (native) => ({
      method(other) {
        if (typeof this === "string" && this.length <= FEW_MARKS && !(typeof other === "string" && other.length > FEW_MARKS) && !isObject(other) && arguments.length < 2) return apply(native, this, arguments);
        if (this === null || this === undefined) return apply(native, this, arguments);
        const text = `${this}`;
        if (arguments.length > 0 && other !== undefined) arguments[0] = `${other}`;
        countMarks(text);
        if (typeof arguments[0] === "string") countMarks(arguments[0]);
        if (name === "localeCompare" && arguments.length > 1) arguments[1] = locale(arguments[1]);
        return apply(native, text, arguments);
      },
    }).method);
  }
  instead(kind, "raw", (native) => ({
    raw(strings, ...rest) {
      const pieces = strings?.raw;
      const on = pieces === null || pieces === undefined ? strings : { raw: bounded(pieces, "String.raw") };
      return apply(native, this, [on, ...rest]);
    },
  }).raw);
}

function boundTypedArrays(kind) {
  const { prototype } = kind;
  const { get: tag } = getOwnPropertyDescriptor(prototype, Symbol.toStringTag);
  const kindOf = uncurried(tag);
  instead(prototype, "set", (native, run) => ({
    set(source, offset) {
      return run(this, kindOf(source) === undefined ? bounded(source, "TypedArray.prototype.set") : source, offset);
    },
  }).set);
  instead(prototype, "toLocaleString", (native, run) => ({ toLocaleString: inWords(run) }).toLocaleString);
  instead(kind, "from", (native) => ({
    from(items, ...rest) {
      const counted = isObject(items) && kindOf(items) === undefined && !isArray(items) && (items[iterator] ?? undefined) === undefined;
      return apply(native, this, [counted ? bounded(items, "TypedArray.from") : items, ...rest]);
    },
  }).from);
}

/** What takes a list and goes over all of it first. */
function boundLists(realm) {
  const few = (list, what) => isArray(list) && list.length <= FEW_ELEMENTS ? list : bounded(list, what);
  instead(realm.Reflect, "apply", (native) => ({
    apply(target, self, list) {
      return native(target, self, few(list, "Reflect.apply"));
    },
  }).apply);
  instead(realm.Reflect, "construct", (native) => ({
    construct(target, list) {
      list = few(list, "Reflect.construct");
      return arguments.length < 3 ? native(target, list) : native(target, list, arguments[2]);
    },
  }).construct);
  instead(realm.JSON, "parse", (native, run) => ({
    parse(text, reviver) {
      if (typeof text !== "string") text = `${text}`;
      if (text.length > LONG_TEXT) heavy();
      return run(undefined, text, reviver);
    },
  }).parse);
  instead(realm.JSON, "stringify", (native, run) => ({
    stringify(value, replacer, space) {
      return run(undefined, value, isObject(replacer) && typeof replacer !== "function" && isArray(replacer) ? listed(replacer) : replacer, space);
    },
  }).stringify);
  for (const [holder, names] of [
    [realm.String.prototype, ["toLocaleLowerCase", "toLocaleUpperCase"]],
    [realm.Number.prototype, ["toLocaleString"]],
    [realm.BigInt?.prototype, ["toLocaleString"]],
    [realm.Date.prototype, ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]],
  ]) {
    for (const name of names) {
      instead(holder, name, (native, run) => ({
        method(locales, options) {
          return locales === undefined ? run(this, locales, options) : run(this, locale(locales), options);
        },
      }).method);
    }
  }
  const { Intl } = realm;
  if (Intl === undefined) return;
  const { Locale } = Intl;
  for (const name of ["Collator", "DateTimeFormat", "DisplayNames", "DurationFormat", "ListFormat", "Locale", "NumberFormat", "PluralRules", "RelativeTimeFormat", "Segmenter"]) {
    insteadOfClass(Intl, name, (native, args, target) => {
      if (args.length > 0) args[0] = name === "Locale" && args[0] instanceof Locale ? args[0] : locale(args[0]);
      return target === undefined ? apply(native, undefined, args) : construct(native, args, target);
    });
  }
  instead(Intl, "getCanonicalLocales", (native, run) => ({
    getCanonicalLocales(locales) {
      return run(undefined, locale(locales));
    },
  }).getCanonicalLocales);
  for (const name of ["Collator", "DateTimeFormat", "DisplayNames", "DurationFormat", "ListFormat", "NumberFormat", "PluralRules", "RelativeTimeFormat", "Segmenter"]) {
    instead(Intl[name], "supportedLocalesOf", (native, run) => ({
      supportedLocalesOf(locales, options) {
        return run(this, locale(locales), options);
      },
    }).supportedLocalesOf);
  }
  const collator = Intl.Collator.prototype;
  const compare = getOwnPropertyDescriptor(collator, "compare");
  const { get: native } = compare;
  const made = new WeakMap();
  compare.get = getOwnPropertyDescriptor({
    get compare() {
      const compares = apply(native, this, []);
      let ours = lookUp(made, compares);
      if (ours === undefined) {
        ours = (a, b) => {
          if (typeof a === "string" && typeof b === "string" && a.length <= FEW_MARKS && b.length <= FEW_MARKS) return compares(a, b);
          a = `${a}`;
          b = `${b}`;
          countMarks(a);
          countMarks(b);
          return compares(a, b);
        };
        defineProperty(ours, "name", { value: "" });
        note(natives, ours, compares);
        note(made, compares, ours);
      }
      return ours;
    },
  }, "compare").get;
  note(natives, compare.get, native);
  defineProperty(collator, "compare", compare);
}

// Names in a list for JSON: each is looked up among those before it.
const MOST_NAMES = 2 ** 20;

function listed(names) {
  if (names.length > FEW_ELEMENTS) heavy();
  if (names.length > MOST_NAMES) throw refused(`a list of more than ${MOST_NAMES} names for JSON`);
  return names;
}

// Languages that a list may have: each is looked up in the list of those before it.
const MOST_LOCALES = 2 ** 10, LONGEST_LOCALE = 2 ** 12;

/** A language or a list of them, read once. */
function locale(locales) {
  if (typeof locales === "string" && locales.length > LONGEST_LOCALE) throw refused(`a locale of more than ${LONGEST_LOCALE} characters`);
  if (!isObject(locales) || (RealLocale !== undefined && locales instanceof RealLocale)) return locales;
  const length = integer(locales.length);
  if (length > MOST_LOCALES) throw refused(`a list of more than ${MOST_LOCALES} locales`);
  const all = [];
  for (let i = 0; i < length; i++) {
    if (!(i in locales)) continue;
    const item = locales[i];
    // What is no language at all is for the native method to say.
    define(all, all.length, typeof item === "string" || !isObject(item) ? locale(item) : RealLocale !== undefined && item instanceof RealLocale ? item : locale(`${item}`));
  }
  return all;
}

return function bound(realm) {
  boundArrays(realm.Array);
  boundText(realm.String, realm.RegExp);
  boundTypedArrays(getPrototypeOf(realm.Int8Array));
  boundLists(realm);
  instead(realm.Function.prototype, "toString", (native, run) => ({
    toString() {
      return run(isObject(this) ? lookUp(natives, this) ?? this : this);
    },
  }).toString);
};
