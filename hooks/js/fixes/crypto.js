"use strict"; return ((function () {
// `node:crypto` (NC-15..17): the names OpenSSL takes for ciphers and digests, errors as Node throws them, and AES-192 in CBC
// mode, which the crate leaves out. Stands before the crate's file.
const { core, primordials } = __bootstrap;
const {
  ObjectDefineProperty, ObjectGetOwnPropertyNames, ObjectKeys, ReflectApply, ReflectConstruct, SafeWeakMap, StringPrototypeIndexOf, StringPrototypeSlice,
  StringPrototypeStartsWith, StringPrototypeToLowerCase, TypedArrayPrototypeSet, TypedArrayPrototypeSlice, TypeError, Uint8Array, WeakMapPrototypeGet, WeakMapPrototypeSet,
} = primordials;
const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");
const { isAnyArrayBuffer, isArrayBufferView } = core.loadExtScript("ext:deno_node/internal/util/types.ts");
const { translated } = core.loadExtScript("ext:fourfront/fixes/crypto_errors.js");

// === AES-192-CBC, over the block cipher itself ===
const BLOCK = 16;
const { ops } = core;
const { op_node_create_cipheriv, op_node_create_decipheriv, op_node_cipheriv_encrypt, op_node_cipheriv_final, op_node_cipheriv_take, op_node_decipheriv_decrypt, op_node_decipheriv_final } = ops;
const chained = new SafeWeakMap();

function chain(create, key, iv) {
  if (iv.length !== BLOCK) throw new TypeError("Invalid initialization vector");
  const context = {};
  WeakMapPrototypeSet(chained, context, { inner: create("aes-192-ecb", key, new Uint8Array(0), -1), last: TypedArrayPrototypeSlice(iv) });
  return context;
}
const chainOf = (context) => (typeof context === "object" ? WeakMapPrototypeGet(chained, context) : undefined);

function encryptBlocks(state, input, output) {
  const mixed = new Uint8Array(BLOCK);
  for (let at = 0; at < input.length; at += BLOCK) {
    for (let i = 0; i < BLOCK; i++) mixed[i] = input[at + i] ^ state.last[i];
    op_node_cipheriv_encrypt(state.inner, mixed, state.last);
    TypedArrayPrototypeSet(output, state.last, at);
  }
}
function decryptBlocks(state, input, output) {
  // The caller may give the same memory twice.
  const sealed = TypedArrayPrototypeSlice(input);
  op_node_decipheriv_decrypt(state.inner, sealed, output);
  for (let at = 0; at < sealed.length; at += BLOCK) {
    for (let i = 0; i < BLOCK; i++) output[at + i] ^= state.last[i];
    state.last = TypedArrayPrototypeSlice(sealed, at, at + BLOCK);
  }
}

/** The crate takes 0 for a failure, and 0 is the number of an isolate's first resource. */
const context = (create, name, key, iv, tag) => create(name, key, iv, tag) || create(name, key, iv, tag);
const creating = (create) => (name, key, iv, tag) =>
  name === "aes-192-cbc" && key.length === 24 ? chain(create, key, iv) : context(create, name, key, iv, tag);
const instead = {
  op_node_create_cipheriv: creating(op_node_create_cipheriv),
  op_node_create_decipheriv: creating(op_node_create_decipheriv),
  op_node_cipheriv_encrypt(context, input, output) {
    const state = chainOf(context);
    if (state === undefined) return op_node_cipheriv_encrypt(context, input, output);
    encryptBlocks(state, input, output);
    return true;
  },
  op_node_cipheriv_final(context, padding, rest, output) {
    const state = chainOf(context);
    if (state === undefined) return op_node_cipheriv_final(context, padding, rest, output);
    const block = new Uint8Array(BLOCK);
    block.fill(padding ? BLOCK - rest.length : 0);
    TypedArrayPrototypeSet(block, rest);
    encryptBlocks(state, block, output);
    op_node_cipheriv_take(state.inner);
  },
  op_node_cipheriv_take(context) {
    const state = chainOf(context);
    return op_node_cipheriv_take(state === undefined ? context : state.inner);
  },
  op_node_decipheriv_decrypt(context, input, output) {
    const state = chainOf(context);
    if (state === undefined) return op_node_decipheriv_decrypt(context, input, output);
    decryptBlocks(state, input, output);
    return true;
  },
  op_node_decipheriv_final(context, padding, rest, output, tag) {
    const state = chainOf(context);
    if (state === undefined) return op_node_decipheriv_final(context, padding, rest, output, tag);
    const block = new Uint8Array(BLOCK);
    if (rest.length === BLOCK) decryptBlocks(state, rest, block);
    TypedArrayPrototypeSet(output, block);
    // It is of no use any more.
    op_node_decipheriv_final(state.inner, false, new Uint8Array(BLOCK), new Uint8Array(BLOCK), tag);
    if (!padding || rest.length !== BLOCK) return;
    const count = block[BLOCK - 1];
    let right = count > 0 && count <= BLOCK;
    for (let i = BLOCK - count; right && i < BLOCK; i++) right = block[i] === count;
    if (!right) throw new TypeError("bad decrypt");
  },
};
// === Public parameters, in the order in which Node lists them: some compare the text ===
function ordered({ kty, crv, d, x, y, ...others }) {
  const own = d === undefined ? {} : { d };
  if (kty === "EC") return { kty, x, y, crv, ...own };
  if (kty === "OKP") return { crv, ...own, x, kty };
  return { kty, ...(d === undefined ? others : { n: others.n, e: others.e, d, ...others }) };
}
const { op_node_export_private_key_jwk, op_node_export_public_key_jwk } = ops;
instead.op_node_export_private_key_jwk = (handle) => ordered(op_node_export_private_key_jwk(handle));
instead.op_node_export_public_key_jwk = (handle) => ordered(op_node_export_public_key_jwk(handle));

const names = ObjectKeys(instead);
const kept = { __proto__: null };
for (let i = 0; i < names.length; i++) {
  kept[names[i]] = ops[names[i]];
  ops[names[i]] = instead[names[i]];
}
let crypto;
try {
  // The crate's files take the operations when they are loaded.
  core.loadExtScript("ext:deno_node/internal/crypto/cipher.ts");
  core.loadExtScript("ext:deno_node/internal/crypto/keys.ts");
  crypto = core.loadExtScript("ext:upstream/crypto.ts");
} finally {
  for (let i = 0; i < names.length; i++) ops[names[i]] = kept[names[i]];
}

// === Names, as OpenSSL takes them: in any case, and with its aliases ===
const cipherAliases = { __proto__: null, aes128: "aes-128-cbc", aes192: "aes-192-cbc", aes256: "aes-256-cbc", "id-aes128-gcm": "aes-128-gcm", "id-aes192-gcm": "aes-192-gcm", "id-aes256-gcm": "aes-256-gcm" };
function cipherName(name) {
  if (typeof name !== "string") return name;
  const lower = StringPrototypeToLowerCase(name);
  return cipherAliases[lower] ?? lower;
}
const digestAliases = { __proto__: null, "sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512", "rsa-sha1-2": "sha1", ssl3md5: "md5", "ssl3-md5": "md5", "ssl3-sha1": "sha1" };
for (const name of ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512/256", "sha512/224", "ripemd160", "sha3-224", "sha3-256", "sha3-384", "sha3-512"]) {
  digestAliases[`rsa-${name}`] = name === "sha512/256" ? "sha512-256" : name === "sha512/224" ? "sha512-224" : name;
}
function digestName(name) {
  if (typeof name !== "string") return name;
  return digestAliases[StringPrototypeToLowerCase(name)] ?? name;
}

// === Errors ===
/** The function, throwing what Node would throw. */
function translating(original, prepare) {
  const wrapped = { [original.name](...args) {
    if (prepare !== undefined) prepare(args);
    try {
      return new.target === undefined ? ReflectApply(original, this, args) : ReflectConstruct(original, args, new.target);
    } catch (error) {
      throw translated(error, wrapped);
    }
  } }[original.name];
  ObjectDefineProperty(wrapped, "length", { __proto__: null, value: original.length, configurable: true });
  return wrapped;
}
/** A constructor that may be called without `new`, likewise. */
function translatingClass(original, prepare) {
  function wrapped(...args) {
    if (prepare !== undefined) prepare(args);
    try {
      return ReflectConstruct(original, args, new.target ?? wrapped);
    } catch (error) {
      throw translated(error, wrapped);
    }
  }
  ObjectDefineProperty(wrapped, "name", { __proto__: null, value: original.name, configurable: true });
  wrapped.prototype = original.prototype;
  ObjectDefineProperty(original.prototype, "constructor", { __proto__: null, value: wrapped, writable: true, enumerable: false, configurable: true });
  const statics = ObjectGetOwnPropertyNames(original);
  for (let i = 0; i < statics.length; i++) {
    const name = statics[i];
    if (name !== "prototype" && name !== "name" && name !== "length") wrapped[name] = original[name];
  }
  return wrapped;
}
function methods(prototype, list) {
  for (let i = 0; i < list.length; i++) {
    const original = prototype[list[i]];
    if (typeof original === "function") prototype[list[i]] = translating(original);
  }
}
/** The name of the digest, first of the arguments. */
const byDigest = (args) => {
  args[0] = digestName(args[0]);
};
const byCipher = (args) => {
  args[0] = cipherName(args[0]);
};

const fixed = { __proto__: null };
const { Cipheriv, Decipheriv, Sign, Verify, Hash, ECDH, X509Certificate } = crypto;
methods(Cipheriv.prototype, ["update", "final", "setAAD"]);
methods(Decipheriv.prototype, ["update", "final", "setAAD", "setAuthTag"]);
const { final } = Decipheriv.prototype;
Decipheriv.prototype.final = function (encoding) {
  // Padding is a block at least, so nothing at all cannot be the end.
  const nothing = this._needsBlockCache && this._autoPadding && !this._finalized && this._cache.cache.length === 0;
  if (nothing) throw translated(new TypeError("wrong final block length"), Decipheriv.prototype.final);
  return ReflectApply(final, this, encoding === undefined ? [] : [encoding]);
};
methods(Sign.prototype, ["sign"]);
methods(Verify.prototype, ["verify"]);
methods(Hash.prototype, ["digest"]);
methods(ECDH.prototype, ["computeSecret", "getPublicKey", "getPrivateKey", "setPrivateKey"]);
fixed.Cipheriv = translatingClass(Cipheriv, byCipher);
fixed.Decipheriv = translatingClass(Decipheriv, byCipher);
fixed.ECDH = translatingClass(ECDH);
fixed.createCipheriv = translating(crypto.createCipheriv, byCipher);
fixed.createDecipheriv = translating(crypto.createDecipheriv, byCipher);
fixed.createECDH = translating(crypto.createECDH);
for (const name of ["createHash", "createHmac", "createSign", "createVerify", "hash"]) {
  fixed[name] = translating(crypto[name], name === "createSign" || name === "createVerify" ? undefined : byDigest);
}
/** Text around the key, which some tools write, is skipped. */
function fromFirstLine(key) {
  if (typeof key === "string") {
    const at = StringPrototypeIndexOf(key, "-----BEGIN ");
    const end = StringPrototypeIndexOf(key, "-----END ", at);
    const last = StringPrototypeIndexOf(key, "-----", end + 9);
    return at === -1 || end === -1 || last === -1 ? key : `${StringPrototypeSlice(key, at, last + 5)}\n`;
  }
  if (typeof key?.key === "string" && key.format !== "der") return { ...key, key: fromFirstLine(key.key) };
  return key;
}
const byKey = (at) => (args) => {
  args[at] = fromFirstLine(args[at]);
};
for (const name of ["createPrivateKey", "createPublicKey", "publicEncrypt", "publicDecrypt", "privateEncrypt", "privateDecrypt"]) {
  fixed[name] = translating(crypto[name], byKey(0));
}
for (const name of ["generateKeyPairSync", "diffieHellman"]) fixed[name] = translating(crypto[name]);
/** Without a digest, RSA and EC keys sign by SHA-256; Ed25519 has its own. */
const withDigest = (act) => function (algorithm, data, key, ...others) {
  try {
    return act(algorithm, data, key, ...others);
  } catch (error) {
    if (algorithm !== null && algorithm !== undefined || !StringPrototypeStartsWith(`${error?.message}`, "Algorithm must be specified")) throw error;
    return act("sha256", data, key, ...others);
  }
};
const named = (fn, name) => ObjectDefineProperty(fn, "name", { __proto__: null, value: name, configurable: true });
fixed.sign = translating(named(withDigest(crypto.sign), "sign"), byKey(2));
const { ERR_INVALID_ARG_TYPE } = core.loadExtScript("ext:deno_node/internal/errors.ts");
fixed.verify = translating(named(withDigest(crypto.verify), "verify"), (args) => {
  args[2] = fromFirstLine(args[2]);
  const signature = args[3];
  if (!isArrayBufferView(signature) && !isAnyArrayBuffer(signature)) {
    throw new ERR_INVALID_ARG_TYPE("signature", ["Buffer", "TypedArray", "DataView"], signature);
  }
});
for (const { prototype } of [Cipheriv, Decipheriv]) {
  const { setAAD } = prototype;
  prototype.setAAD = function (data, options) {
    return ReflectApply(setAAD, this, [typeof data === "string" ? Buffer.from(data, options?.encoding) : data, options]);
  };
}
fixed.X509Certificate = translatingClass(X509Certificate);

// === Smaller things ===
fixed.getFips = function getFips() {
  return crypto.getFips() ? 1 : 0;
};
fixed.secureHeapUsed = function secureHeapUsed() {
  return { total: 0, used: 0, utilization: 0, min: 0 };
};
fixed.getCipherInfo = function getCipherInfo(nameOrNid, options) {
  const found = crypto.getCipherInfo(cipherName(nameOrNid), options);
  if (found === undefined) return undefined;
  const { name, nid, blockSize, ivLength, keyLength } = found;
  const stream = name === "chacha20-poly1305";
  const gcm = /^aes-(\d+)-gcm$/.exec(name);
  const info = { mode: stream ? "stream" : found.mode, name: gcm ? `id-aes${gcm[1]}-gcm` : name, nid };
  if (!stream) info.blockSize = blockSize;
  if (ivLength > 0) info.ivLength = ivLength;
  info.keyLength = keyLength;
  return info;
};

const result = { ...crypto };
for (const name of ObjectKeys(fixed)) {
  result[name] = fixed[name];
  if (name in crypto.default) crypto.default[name] = fixed[name];
}
delete crypto.default.Cipher;
delete crypto.default.Decipher;
return result;
})()
);
