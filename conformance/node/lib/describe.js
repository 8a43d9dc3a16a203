'use strict';
// An outcome as plain JSON that keeps what JSON loses: undefined, NaN, -0, bigints, classes, prototypes, holes, errors
// with their codes. It leans on no module, since the modules are what is under test.

const { getPrototypeOf, getOwnPropertyDescriptor } = Object;
const DEEPEST = 8;
const LONGEST = 4096;
// Where the cases lie differs between the two runs; a path of theirs reads the same in both.
const ROOT = __dirname.slice(0, __dirname.lastIndexOf('/'));

function text(value) {
  // Half of a pair cannot be written in JSON that others read.
  const whole = value.replace(/\p{Surrogate}/gu, (half) => `<${half.charCodeAt(0).toString(16)}>`);
  const out = ROOT === '/var/task' ? whole : whole.split(ROOT).join('/var/task');
  if (out.length <= LONGEST) return out;
  let hash = 0;
  for (let i = 0; i < out.length; i++) hash = (hash * 31 + out.charCodeAt(i)) >>> 0;
  return `${out.slice(0, 256)}... ${out.length} in all, sum ${hash}`;
}

function hex(bytes) {
  let out = '';
  for (let i = 0; i < bytes.length; i++) out += (bytes[i] < 16 ? '0' : '') + bytes[i].toString(16);
  return text(out);
}

function className(value) {
  const proto = getPrototypeOf(value);
  if (proto === null) return null;
  try {
    return typeof proto.constructor === 'function' ? proto.constructor.name : '?';
  } catch {
    return '!';
  }
}

function key(k) {
  return typeof k === 'symbol' ? String(k) : text(k);
}

function props(value, state, skip) {
  const out = [];
  for (const k of Reflect.ownKeys(value)) {
    if (skip && skip(k)) continue;
    const d = getOwnPropertyDescriptor(value, k);
    if (!d || !d.enumerable) continue;
    let v;
    try {
      v = describe(value[k], state);
    } catch (error) {
      v = { throws: describe(error, state) };
    }
    out.push([key(k), v]);
  }
  return out;
}

function failure(error, state) {
  const out = { error: className(error), name: describe(error.name, state), message: text(String(error.message)) };
  if (error.code !== undefined) out.code = describe(error.code, state);
  const own = props(error, state, (k) => k === 'name' || k === 'message' || k === 'code' || k === 'stack' || k === 'cause'
    // Where classes of the web keep their state, and OpenSSL's trace of its own calls: nobody's to read.
    || typeof k === 'symbol' || k === 'opensslErrorStack');
  // What an error carries counts, the order in which it was put there does not.
  own.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  if (own.length > 0) out.own = own;
  if (Object.hasOwn(error, 'cause')) out.cause = describe(error.cause, state);
  if (Array.isArray(error.errors)) out.errors = describe(error.errors, state);
  return out;
}

function primitive(value) {
  switch (typeof value) {
    case 'undefined': return { t: 'undefined' };
    case 'boolean': return value;
    case 'string': return text(value);
    case 'number': return Number.isFinite(value) && !Object.is(value, -0) ? value : { t: 'number', v: Object.is(value, -0) ? '-0' : String(value) };
    case 'bigint': return { t: 'bigint', v: String(value) };
    case 'symbol': return { t: 'symbol', v: String(value) };
    default: return null;
  }
}

function exotic(value, tag, state) {
  switch (tag) {
    case '[object Date]': return { t: 'Date', v: Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString() };
    case '[object RegExp]': return { t: 'RegExp', v: String(value) };
    case '[object Map]': return { t: className(value), v: [...Map.prototype.entries.call(value)].map(([k, v]) => [describe(k, state), describe(v, state)]) };
    case '[object Set]': return { t: className(value), v: [...Set.prototype.values.call(value)].map((v) => describe(v, state)) };
    case '[object ArrayBuffer]': return { t: 'ArrayBuffer', v: hex(new Uint8Array(value)) };
    case '[object DataView]': return { t: 'DataView', v: hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
    case '[object Promise]': return { t: 'Promise' };
    case '[object URL]': return { t: 'URL', v: value.href };
    case '[object URLSearchParams]': return { t: 'URLSearchParams', v: String(value) };
    case '[object Number]': case '[object String]': case '[object Boolean]': case '[object BigInt]': case '[object Symbol]':
      return { t: `boxed ${tag}`, v: primitive(value.valueOf()) };
    default: return undefined;
  }
}

function describe(value, state = { seen: [], depth: 0 }) {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(value);
  if (typeof value === 'function') return { t: 'function', name: value.name };
  const at = state.seen.indexOf(value);
  if (at !== -1) return { t: 'circular', up: state.seen.length - at };
  if (state.seen.length >= DEEPEST) return { t: 'too deep' };
  const inner = { seen: [...state.seen, value] };
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return { t: className(value), v: value.BYTES_PER_ELEMENT === 1 ? hex(value) : text(Array.from(value, String).join(',')) };
  }
  const tag = Object.prototype.toString.call(value);
  if (value instanceof Error || tag === '[object DOMException]' || tag === '[object Error]') return failure(value, inner);
  const special = exotic(value, tag, inner);
  if (special !== undefined) return special;
  if (Array.isArray(value)) {
    const items = Array.from({ length: value.length }, (_, i) => (i in value ? describe(value[i], inner) : { t: 'hole' }));
    const named = props(value, inner, (k) => typeof k === 'string' && /^\d+$/.test(k));
    return className(value) === 'Array' && named.length === 0 ? items : { t: className(value), items, named };
  }
  const own = props(value, inner);
  const name = className(value);
  return name === 'Object' ? { o: own } : { t: name, tag: tag === '[object Object]' ? undefined : tag, o: own };
}

module.exports = { describe, text };
