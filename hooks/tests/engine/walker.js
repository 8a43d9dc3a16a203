// Calls what can be reached from a function with values that nobody expects, and says before each call what it is about
// to do. `event.seed` decides everything.
"use strict";
const { builtinModules } = require("module");
const say = console.log.bind(console);
const { apply, construct, ownKeys, getOwnPropertyDescriptor } = Reflect;
const { getPrototypeOf } = Object;
const later = setTimeout;

let state = 1;
function random(below) {
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

// Ending the call is what they are for, and waiting for the function's time to be over is tested elsewhere.
const LEFT_OUT = /^process\.(exit|reallyExit)$|^Atomics\.wait$|\.(debug|log)$/;

const functions = [];
const seen = new Set();
function collect(name, value, depth) {
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
  seen.add(value);
  if (typeof value === "function" && !LEFT_OUT.test(name)) functions.push([name, value, undefined]);
  if (depth === 0) return;
  let keys;
  try {
    keys = ownKeys(value);
  } catch {
    return;
  }
  for (const key of keys) {
    let descriptor;
    try {
      descriptor = getOwnPropertyDescriptor(value, key);
    } catch {
      continue;
    }
    if (descriptor === undefined) continue;
    const inner = `${name}.${String(key)}`;
    for (const accessor of [descriptor.get, descriptor.set]) if (accessor) collect(inner, accessor, 0);
    let found = descriptor.value;
    if (descriptor.get) {
      try {
        found = value[key];
      } catch {
        continue;
      }
    }
    collect(inner, found, depth - 1);
  }
  try {
    collect(`${name}.__proto__`, getPrototypeOf(value), depth - 1);
  } catch {}
}
for (const name of [...builtinModules, "node:sqlite", "node:test", "node:test/reporters"]) collect(name, require(name), 4);
collect("globalThis", globalThis, 4);
collect("generator", (function* () {})(), 4);
collect("asyncGenerator", (async function* () {})(), 4);

const crypto = require("crypto");
const STRINGS = ["", "a", "\0", "\ud800", "__proto__", "constructor", "x".repeat(70000), "\u00e9".repeat(300), "utf8", "hex", "base64", "latin1", "utf16le", "sha256", "md5", "sha512", "aes-256-gcm",
  "aes-128-cbc", "id-aes128-GCM", "chacha20-poly1305", "rsa", "rsa-pss", "ec", "ed25519", "x25519", "dsa", "dh", "P-256", "secp256k1", "prime256v1", "pem", "der", "jwk", "pkcs1", "pkcs8", "spki", "sec1", "raw", "modp1", "modp14", "HMAC",
  "AES-GCM", "RSA-OAEP", "ECDSA", "PBKDF2", "HKDF", "sign", "deriveBits", "gzip", "deflate", "127.0.0.1", "::1", "http://127.0.0.1:1/", "https://[::1]:1/", "file:///etc/passwd", "data:,x", "blob:x", "/var/task/index.js", "/etc/passwd", "end", "data",
  "error", "ipv4", "ipv6", "en", "und-x-y", "UTC", "2020-01-01", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "[1", "(", "*", "%s%d%j%o", "1.2.3.4/33", "xn--", "a:b@c"];
const NUMBERS = [0, -0, 1, -1, 2, 3, 7, 8, 16, 32, 64, 255, 256, 1000, 65535, 65536, 65537, 1.5, NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e21, 1e308, 5e-324];
const BIGINTS = [0n, 1n, -1n, 2n ** 31n, 2n ** 63n, 2n ** 64n, -(2n ** 63n), 2n ** 2000n];
const OPTIONS = ["length", "size", "modulusLength", "namedCurve", "hash", "name", "iv", "key", "format", "type", "encoding", "passphrase", "publicExponent", "cipher", "iterations", "salt", "info", "counter", "tagLength", "additionalData", "authTagLength",
  "highWaterMark", "signal", "start", "end", "offset", "level", "windowBits", "memLevel", "params", "chunkSize", "dictionary", "maxOutputLength", "timeout", "host", "port", "path", "method", "headers", "body", "family", "hints", "all", "objectMode",
  "read", "write", "transform", "flush", "then", "N", "r", "p", "maxmem", "keylen", "safe", "add", "rem", "divisorLength", "prime", "primeLength", "generator", "group", "paramEncoding", "saltLength", "padding", "dsaEncoding", "context", "oaepHash", "oaepLabel",
  "initial", "maximum", "shared", "element", "value", "maxByteLength", "filename", "lineOffset", "columnOffset", "cachedData", "produceCachedData", "importModuleDynamically", "contextCodeGeneration", "microtaskMode", "depth", "colors", "compact", "kty", "crv", "x", "y", "d", "n", "e", "k",
  "modulus", "hashAlgorithm", "mgf1HashAlgorithm", "outputLength", "cert", "ca", "servername", "ALPNProtocols", "ciphers", "transfer", "fatal", "ignoreBOM", "locale", "timeZone", "style", "unit", "currency", "granularity"];

let kept = [];
function odd(depth = 2) {
  switch (random(34)) {
    case 0: return undefined;
    case 1: return null;
    case 2: return random(2) === 1;
    case 3: case 4: case 5: case 6: return pick(NUMBERS);
    case 7: return pick(BIGINTS);
    case 8: case 9: case 10: case 11: case 12: return pick(STRINGS);
    case 13: return pick([Symbol.iterator, Symbol("s"), Symbol.asyncIterator, Symbol.toPrimitive]);
    case 14: return pick([() => {}, (...args) => args[0], function () { return this; }, class {}, async () => {}, function* () { for (;;) yield 1; }, () => { throw new Error("thrown by an argument"); }]);
    case 15: case 16: return Buffer.alloc(pick([0, 1, 8, 12, 16, 24, 32, 64, 1000]), random(256));
    case 17: return new (pick([Uint8Array, Int8Array, Uint16Array, Int32Array, Float32Array, Float64Array, BigInt64Array, Uint8ClampedArray]))(pick([0, 1, 5, 64]));
    case 18: { const a = new Uint8Array(16); structuredClone(a.buffer, { transfer: [a.buffer] }); return pick([a, a.buffer]); }
    case 19: { const b = new ArrayBuffer(16, { maxByteLength: 64 }); const v = pick([new Uint8Array(b), new Uint8Array(b, 8), new DataView(b, 4), b]); if (random(2)) b.resize(2); return v; }
    case 20: { const b = new SharedArrayBuffer(pick([0, 8, 16])); return pick([b, new Uint8Array(b), new DataView(b)]); }
    case 21: return pick([new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), new Date(NaN), /(a+)+/g, new Map([[1, 2]]), new Set(["a"]), new WeakMap(), new Error("e"), Promise.resolve(1), new Proxy(Buffer.alloc(4), {}), Object.create(null), arguments]);
    case 22: return new Proxy(pick([{}, [], () => {}]), { get() { throw new Error("thrown by a trap"); }, ownKeys() { throw new Error("thrown by a trap"); }, getPrototypeOf() { throw new Error("thrown by a trap"); } });
    case 23: { const r = Proxy.revocable(pick([{}, [], () => {}]), {}); r.revoke(); return r.proxy; }
    case 24: return { [Symbol.toPrimitive]: () => pick([...NUMBERS, ...STRINGS, {}]), toString: () => { throw new Error("thrown by toString"); } };
    case 25: return { length: pick(NUMBERS), 0: 1 };
    case 26: return depth === 0 ? [] : Array.from({ length: random(4) }, () => odd(depth - 1));
    case 27: case 28: case 29: {
      const made = {};
      if (depth > 0) for (let n = random(6); n > 0; n--) {
        const key = pick(OPTIONS), value = odd(depth - 1);
        if (random(5) === 0) Object.defineProperty(made, key, { get: () => odd(0), enumerable: true });
        else Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
      }
      return made;
    }
    case 30: return pick([crypto.createSecretKey(Buffer.alloc(32, 1)), crypto.createHash("sha256"), crypto.createCipheriv("aes-256-gcm", Buffer.alloc(32), Buffer.alloc(12)), crypto.createECDH("prime256v1"), crypto.createSign("sha256"), crypto.webcrypto]);
    case 31: return pick([AbortSignal.abort(), new Blob(["x"]), new URL("http://a/"), new ReadableStream(), new Headers(), new FormData(), new MessageChannel().port1, new TextDecoder(), new Response("x"), new Event("e"), new (require("events"))(), new (require("stream").PassThrough)()]);
    default: return kept.length > 0 ? pick(kept) : 0;
  }
}

const QUIET = () => {};
function keep(name, value, depth) {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return;
  if (require("util").types.isPromise(value)) {
    Promise.prototype.then.call(value, (found) => depth > 0 && keep(name, found, depth - 1), QUIET);
    return;
  }
  try {
    if (typeof value.on === "function") value.on("error", QUIET);
  } catch {}
  kept.push(value);
  if (kept.length > 60) kept.splice(random(40), 1);
}

/** A function of an object that was made before, or of anything that is always there. */
function next() {
  if (kept.length > 0 && random(2) === 0) {
    const object = pick(kept);
    const names = [];
    try {
      for (let at = object, n = 0; at !== null && n < 6; at = getPrototypeOf(at), n++) {
        if (at === Object.prototype || at === Function.prototype) break;
        for (const key of ownKeys(at)) names.push([key, at]);
      }
      if (names.length > 0) {
        const [key, holder] = pick(names);
        const d = getOwnPropertyDescriptor(holder, key);
        const f = d?.value ?? (random(2) ? d?.get : d?.set);
        if (typeof f === "function") return [`${object?.constructor?.name}#${String(key)}`, f, object];
        if (typeof f === "object" && f !== null) keep(String(key), f, 0);
      }
    } catch {}
  }
  return pick(functions);
}

function show(value) {
  try {
    if (typeof value === "string") return JSON.stringify(value.length > 30 ? `${value.slice(0, 30)}+${value.length}` : value);
    if (typeof value === "bigint") return `${value}n`.slice(0, 30);
    if (typeof value === "object" && value !== null) return `${Object.prototype.toString.call(value)}{${ownKeys(value).slice(0, 8).map((k) => `${String(k)}:${typeof value[k]}`)}}`;
    return String(value).slice(0, 30);
  } catch {
    return "?";
  }
}

exports.handler = async ({ seed, calls }) => {
  state = seed;
  kept = [];
  process.on("uncaughtException", QUIET);
  let thrown = 0;
  for (let n = 0; n < calls; n++) {
    const [name, f, object] = next();
    if (LEFT_OUT.test(name)) continue;
    try {
      const args = Array.from({ length: random(6) }, () => odd());
      const self = object !== undefined && random(8) !== 0 ? object : odd();
      const made = random(3) === 0;
      say(`${n} ${made ? "new " : ""}${name} on ${show(self)} with ${args.map(show).join(", ")}`);
      keep(name, made ? construct(f, args) : apply(f, self, args), 1);
    } catch {
      thrown++;
    }
    if (random(16) === 0) await new Promise((done) => later(done, 1));
  }
  return { functions: functions.length, thrown };
};
