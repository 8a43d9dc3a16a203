// What CloudFront Functions find beside the language: `console`, `crypto`, `querystring`, `Buffer`, text encodings, the
// byte strings of runtime 1.0 and the `cloudfront` module of 2.0 (LE-440, LE-456..461, LE-470..483).
//
// The body of a function of `native`, the host's operations, `version`, 1 or 2, and `state`, what belongs to one run.
"use strict";

const UTF8 = 0, HEX = 1, BASE64 = 2, BASE64URL = 3, LATIN1 = 4;
const isObject = (value) => value !== null && typeof value === "object";
const nonEnumerable = (target, members) => {
  for (const name of Reflect.ownKeys(members)) {
    const member = Object.getOwnPropertyDescriptor(members, name);
    member.enumerable = false;
    Object.defineProperty(target, name, member);
  }
  return target;
};

function encodingOf(name) {
  switch (String(name).toLowerCase()) {
    case "utf8": case "utf-8": return UTF8;
    case "hex": return HEX;
    case "base64": return BASE64;
    case "base64url": return BASE64URL;
    default: throw new TypeError(`unknown encoding: "${name}"`);
  }
}

function bytesOf(value, what) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError(`${what} is not a string or Buffer-like object`);
}

// --- console -------------------------------------------------------------------------------------------------

const MAX_DEPTH = 8;

/** A value as `console.log` writes it: text as it is, everything else as a literal. */
function inspect(value, depth = 0, seen = []) {
  switch (typeof value) {
    case "string": return depth === 0 ? value : `'${value}'`;
    case "symbol": return value.toString();
    case "function": return `[Function: ${value.name || "native"}]`;
    case "object": break;
    default: return String(value);
  }
  if (value === null) return "null";
  if (seen.includes(value)) return "[Circular]";
  if (value instanceof Error) return value.stack === undefined ? String(value) : String(value.stack);
  if (value instanceof Date || value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise {}";
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[Array]" : "[Object]";
  const inside = [...seen, value];
  const one = (inner) => inspect(inner, depth + 1, inside);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const name = Array.isArray(value) ? "" : `${value.constructor?.name} `;
    return `${name}[${Array.from(value, one).join(",")}]`;
  }
  if (value instanceof Map) return `Map {${Array.from(value, ([k, v]) => `${one(k)} => ${one(v)}`).join(",")}}`;
  if (value instanceof Set) return `Set {${Array.from(value, one).join(",")}}`;
  const member = (name) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
    return `${key}:${one(value[name])}`;
  };
  return `{${Object.keys(value).map(member).join(",")}}`;
}

const console = nonEnumerable({}, {
  log(message) {
    // One argument (LE-440).
    native.log(arguments.length === 0 ? "" : inspect(message));
  },
});

// --- crypto (LE-458) -----------------------------------------------------------------------------------------

const ALGORITHMS = ["md5", "sha1", "sha256"];

/**
 * Data to be hashed. In 1.0 text of bytes stands for those bytes, such as a digest without an encoding; other text, and
 * all text in 2.0, stands for its UTF-8.
 */
function dataBytes(data, what) {
  if (typeof data !== "string") return bytesOf(data, what);
  return native.encode(data, version === 1 && isBytes(data) ? LATIN1 : UTF8);
}

const isBytes = (text) => !/[^\0-\xff]/.test(text);

class Hasher {
  #algorithm;
  #key;
  #parts = [];

  constructor(algorithm, key) {
    this.#algorithm = algorithm;
    this.#key = key;
  }

  update(data) {
    if (this.#parts === undefined) throw new Error("Digest already called");
    this.#parts.push(dataBytes(data, "data"));
    return this;
  }

  digest(encoding) {
    const parts = this.#parts;
    if (parts === undefined) throw new Error("Digest already called");
    const code = encoding === undefined ? undefined : encodingOf(encoding);
    if (code === UTF8) throw new TypeError(`unknown encoding: "${encoding}"`);
    this.#parts = undefined;
    const digest = native.digest(this.#algorithm, this.#key, parts.length === 1 ? parts[0] : joined(parts));
    if (code !== undefined) return native.decode(digest, code);
    return version === 1 ? native.decode(digest, LATIN1) : asBuffer(digest);
  }
}

function joined(parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function algorithmOf(name) {
  const at = ALGORITHMS.indexOf(String(name).toLowerCase());
  if (at < 0) throw new TypeError(`not supported algorithm: "${name}"`);
  return at;
}

const crypto = nonEnumerable({}, {
  createHash(algorithm) {
    return new Hasher(algorithmOf(algorithm), undefined);
  },
  createHmac(algorithm, key) {
    return new Hasher(algorithmOf(algorithm), dataBytes(key, "key"));
  },
});

// --- querystring (LE-459) ------------------------------------------------------------------------------------

function qsEscape(text) {
  // Node's set: what encodeURIComponent leaves, and no lone surrogate fails.
  return encodeURIComponent(String(text).toWellFormed());
}

function qsUnescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // Escapes that are not UTF-8: each byte for itself, what is no escape as it is.
    const bytes = String(text).replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return isBytes(bytes) ? native.decode(native.encode(bytes, LATIN1), UTF8) : bytes;
  }
}

const querystring = nonEnumerable({}, {
  escape: qsEscape,
  unescape: qsUnescape,
  parse(text, separator, equals, options) {
    const found = {};
    if (typeof text !== "string" || text === "") return found;
    const between = separator || "&", eq = equals || "=";
    const most = typeof options?.maxKeys === "number" ? options.maxKeys : 1000;
    const decode = typeof options?.decodeURIComponent === "function" ? options.decodeURIComponent : querystring.unescape;
    let pairs = text.split(between);
    if (most > 0) pairs = pairs.slice(0, most);
    for (const pair of pairs) {
      if (pair === "") continue;
      const at = pair.indexOf(eq);
      const plain = (part) => decode(part.replace(/\+/g, " "));
      const name = plain(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? "" : plain(pair.slice(at + eq.length));
      if (!Object.hasOwn(found, name)) {
        Object.defineProperty(found, name, { value, writable: true, enumerable: true, configurable: true });
      } else if (Array.isArray(found[name])) found[name].push(value);
      else found[name] = [found[name], value];
    }
    return found;
  },
  stringify(object, separator, equals, options) {
    if (!isObject(object)) return "";
    const between = separator || "&", eq = equals || "=";
    const encode = typeof options?.encodeURIComponent === "function" ? options.encodeURIComponent : querystring.escape;
    const text = (value) => {
      const kind = typeof value;
      return kind === "string" || kind === "boolean" || (kind === "number" && Number.isFinite(value)) ? encode(String(value)) : "";
    };
    const pairs = [];
    for (const name of Object.keys(object)) {
      const value = object[name];
      for (const one of Array.isArray(value) ? value : [value]) pairs.push(encode(name) + eq + text(one));
    }
    return pairs.join(between);
  },
});
nonEnumerable(querystring, { decode: querystring.parse, encode: querystring.stringify });

const modules = { __proto__: null, crypto, querystring };
const globals = { __proto__: null, console };

// --- 1.0: strings of bytes (LE-457) --------------------------------------------------------------------------

if (version === 1) {
  nonEnumerable(String, {
    bytesFrom(source, encoding) {
      if (typeof source === "string") {
        const code = encodingOf(encoding);
        return native.decode(native.encode(source, code), LATIN1);
      }
      if (!Array.isArray(source)) throw new TypeError("value must be a string or array");
      return native.decode(Uint8Array.from(source), LATIN1);
    },
  });
  const part = (text, start, end) => String(text).slice(start, end);
  nonEnumerable(String.prototype, {
    /** Each byte as the character of that code: how byte strings are kept here anyway. */
    fromBytes(start, end) {
      return part(this, start, end);
    },
    /** Bytes that are UTF-8 as the text they mean; `null` when they are not. */
    fromUTF8(start, end) {
      const text = part(this, start, end);
      return isBytes(text) ? native.decodeStrict(native.encode(text, LATIN1)) ?? null : null;
    },
    /** Text as bytes of its characters' codes; `null` when one does not fit. */
    toBytes(start, end) {
      const text = part(this, start, end);
      return isBytes(text) ? text : null;
    },
    /** The bytes of the text's UTF-8. */
    toUTF8(start, end) {
      return native.decode(native.encode(part(this, start, end), UTF8), LATIN1);
    },
  });
  return { modules, globals };
}

// --- 2.0: Buffer (LE-456) ------------------------------------------------------------------------------------

class Buffer extends Uint8Array {
  static from(value, encodingOrOffset, length) {
    if (typeof value === "string") return asBuffer(native.encode(value, codeOf(encodingOrOffset)));
    if (value instanceof ArrayBuffer) return asBuffer(new Uint8Array(value, encodingOrOffset, length));
    if (isObject(value)) {
      if (value.type === "Buffer" && Array.isArray(value.data)) value = value.data;
      return asBuffer(Uint8Array.from(value));
    }
    throw new TypeError("first argument is not a string, Buffer, ArrayBuffer, Array, or array-like object");
  }

  static alloc(size, fill, encoding) {
    const buffer = new Buffer(size);
    return fill === undefined ? buffer : buffer.fill(fill, encoding);
  }

  static allocUnsafe(size) {
    return new Buffer(size);
  }

  static byteLength(value, encoding) {
    return typeof value === "string" ? native.encode(value, codeOf(encoding)).length : bytesOf(value, "argument").length;
  }

  static compare(one, other) {
    const a = bytesOf(one, "buf1"), b = bytesOf(other, "buf2");
    const shorter = Math.min(a.length, b.length);
    for (let i = 0; i < shorter; i++) {
      if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return Math.sign(a.length - b.length);
  }

  static concat(list, length) {
    const all = joined(list.map((part) => bytesOf(part, "list element")));
    if (length === undefined) return asBuffer(all);
    const cut = new Buffer(length);
    cut.set(all.subarray(0, length));
    return cut;
  }

  static isBuffer(value) {
    return value instanceof Buffer;
  }

  static isEncoding(name) {
    return ["utf8", "utf-8", "hex", "base64", "base64url"].includes(String(name).toLowerCase());
  }

  static get [Symbol.species]() {
    return Buffer;
  }

  compare(other, otherStart, otherEnd, start, end) {
    return Buffer.compare(this.subarray(start ?? 0, end), bytesOf(other, "target").subarray(otherStart ?? 0, otherEnd));
  }

  copy(target, at = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + target.length - at));
    target.set(part, at);
    return part.length;
  }

  equals(other) {
    return Buffer.compare(this, other) === 0;
  }

  fill(value, start, end, encoding) {
    if (typeof start === "string") [start, encoding] = [undefined, start];
    if (typeof value === "number") return super.fill(value & 255, start, end);
    const bytes = typeof value === "string" ? native.encode(value, codeOf(encoding)) : bytesOf(value, "value");
    const target = this.subarray(start ?? 0, end);
    for (let i = 0; i < target.length; i++) target[i] = bytes.length === 0 ? 0 : bytes[i % bytes.length];
    return this;
  }

  indexOf(value, from = 0, encoding) {
    return search(this, value, from, encoding, false);
  }

  lastIndexOf(value, from = this.length, encoding) {
    return search(this, value, from, encoding, true);
  }

  includes(value, from, encoding) {
    return this.indexOf(value, from, encoding) >= 0;
  }

  /** Of the same memory, unlike that of typed arrays. */
  slice(start, end) {
    return this.subarray(start, end);
  }

  toJSON() {
    return { type: "Buffer", data: Array.from(this) };
  }

  toString(encoding, start = 0, end = this.length) {
    return native.decode(this.subarray(start, end), codeOf(encoding));
  }

  write(text, offset = 0, length, encoding) {
    if (typeof offset === "string") [offset, encoding] = [0, offset];
    else if (typeof length === "string") [length, encoding] = [undefined, length];
    const bytes = native.encode(text, codeOf(encoding)).subarray(0, Math.min(length ?? this.length, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  }
}

const codeOf = (encoding) => (encoding === undefined ? UTF8 : encodingOf(encoding));
const asBuffer = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);

function search(buffer, value, from, encoding, last) {
  if (typeof value === "number") return Uint8Array.prototype[last ? "lastIndexOf" : "indexOf"].call(buffer, value & 255, from);
  const wanted = typeof value === "string" ? native.encode(value, codeOf(encoding)) : bytesOf(value, "value");
  const most = buffer.length - wanted.length;
  const start = from < 0 ? Math.max(0, buffer.length + from) : from;
  const step = last ? -1 : 1;
  for (let at = last ? Math.min(start, most) : start; at >= 0 && at <= most; at += step) {
    let same = 0;
    while (same < wanted.length && buffer[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}

const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
for (const [name, bits] of [["Int8", 8], ["UInt8", 8], ["Int16", 16], ["UInt16", 16], ["Int32", 32], ["UInt32", 32], ["Float", 32], ["Double", 64]]) {
  const kind = { Float: "Float32", Double: "Float64" }[name] ?? name.replace("UInt", "Uint");
  for (const [end, little] of bits === 8 ? [["", true]] : [["LE", true], ["BE", false]]) {
    const methods = {
      [`read${name}${end}`](offset = 0) {
        return view(this)[`get${kind}`](offset, little);
      },
      [`write${name}${end}`](value, offset = 0) {
        view(this)[`set${kind}`](offset, value, little);
        return offset + bits / 8;
      },
    };
    nonEnumerable(Buffer.prototype, methods);
  }
}
globals.Buffer = Buffer;
modules.buffer = nonEnumerable({}, { Buffer });

// --- 2.0: text (LE-460) --------------------------------------------------------------------------------------

globals.atob = function atob(data) {
  const text = String(data).replace(/[\t\n\f\r ]/g, "");
  const bare = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  if (bare.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(bare)) throw new TypeError("invalid character");
  return native.decode(native.encode(bare, BASE64), LATIN1);
};
globals.btoa = function btoa(data) {
  const text = String(data);
  if (!isBytes(text)) throw new TypeError("invalid character (>= U+00FF)");
  return native.decode(native.encode(text, LATIN1), BASE64);
};
globals.TextEncoder = class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return native.encode(String(text), UTF8);
  }

  encodeInto(text, target) {
    let read = 0, written = 0;
    for (const character of String(text)) {
      const bytes = native.encode(character, UTF8);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
};
globals.TextDecoder = class TextDecoder {
  #fatal;
  #ignoreBOM;

  constructor(label = "utf-8", options) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) throw new RangeError(`The "${label}" encoding is not supported`);
    this.#fatal = !!options?.fatal;
    this.#ignoreBOM = !!options?.ignoreBOM;
  }

  get encoding() {
    return "utf-8";
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input) {
    if (input === undefined) return "";
    const bytes = bytesOf(input, "input");
    const text = this.#fatal ? native.decodeStrict(bytes) : native.decode(bytes, UTF8);
    if (text === undefined) throw new TypeError("The encoded data was not valid");
    return !this.#ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
};

// --- 2.0: the cloudfront module (LE-470..483) ------------------------------------------------------------------

function named(name, message) {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  return error;
}

/** Why a store cannot be had, or `undefined`. */
function kvs(id) {
  const refusal = native.kvsOpen(id === undefined ? undefined : String(id));
  if (refusal !== undefined) throw named("KVSNamespaceNotFound", refusal);
  return handle;
}

const formats = {
  __proto__: null,
  string: (value) => value,
  json: (value) => JSON.parse(value),
  bytes: (value) => Buffer.from(value),
};

const handle = nonEnumerable({}, {
  async get(key, options) {
    const format = formats[options?.format ?? "string"];
    if (format === undefined) throw new TypeError(`unknown format: "${options.format}"`);
    const value = native.kvsGet(String(key));
    if (value === undefined) throw named("KeyNotFound", "Key not found");
    return format(value);
  },
  async exists(key) {
    return native.kvsGet(String(key)) !== undefined;
  },
  // No `count()`: the documented helpers have none (LE-473).
  async meta() {
    return JSON.parse(native.kvsMeta());
  },
});

/** Origin helpers only take note: what they are given is judged with the result (LE-481). */
function helper(name, note) {
  return function (...args) {
    if (state.eventType !== "viewer-request") throw new Error(`${name} is available in viewer-request functions only`);
    state.origin = JSON.stringify(note(...args));
  };
}

const cloudfront = nonEnumerable({}, {
  kvs,
  updateRequestOrigin: helper("updateRequestOrigin", (update) => ({ update: isObject(update) ? update : null })),
  selectRequestOriginById: helper("selectRequestOriginById", (id, overrides) => ({ select: id ?? null, overrides: overrides ?? {} })),
  createRequestOriginGroup: helper("createRequestOriginGroup", (group) => ({ group: group ?? null })),
  get edgeLocation() {
    return state.edge ?? {};
  },
  logCustomData(text) {
    // The last one of a run counts (LE-483).
    state.data = String(text);
  },
});
for (const name of ["updateRequestOrigin", "selectRequestOriginById", "createRequestOriginGroup"]) {
  Object.defineProperty(cloudfront[name], "name", { value: name });
}
modules.cloudfront = cloudfront;
return { modules, globals };
