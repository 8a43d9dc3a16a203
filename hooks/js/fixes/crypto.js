"use strict"; return ((function () {
// `node:crypto` (NC-15..17): the names OpenSSL takes for ciphers and digests, errors as Node throws them. Stands before
// the crate's file.
const { core, primordials } = __bootstrap;
const {
  Error, ObjectDefineProperty, ObjectGetOwnPropertyNames, ObjectKeys, ReflectApply, ReflectConstruct, RegExpPrototypeExec, StringPrototypeIndexOf, StringPrototypeSlice,
  StringPrototypeStartsWith, StringPrototypeToLowerCase, TypeError,
} = primordials;
const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");
const { isAnyArrayBuffer, isArrayBufferView } = core.loadExtScript("ext:deno_node/internal/util/types.ts");
const { coded, translated } = core.loadExtScript("ext:fourfront/fixes/crypto_errors.js");
const { ERR_INVALID_ARG_TYPE } = core.loadExtScript("ext:deno_node/internal/errors.ts");

const { ops } = core;
const instead = { ...core.loadExtScript("ext:fourfront/fixes/aes192.js").operations(), ...core.loadExtScript("ext:fourfront/fixes/pss.js").operations() };
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
    try {
      if (prepare !== undefined) prepare(args);
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
    try {
      if (prepare !== undefined) prepare(args);
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
  // OpenSSL 3 keeps it where nobody looks.
  if (typeof args[0] === "string" && StringPrototypeToLowerCase(args[0]) === "md4") throw new TypeError("digest is legacy");
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
/** A signature is made, or looked at, once. */
function once(prototype, name, check) {
  const act = prototype[name];
  prototype[name] = function (...args) {
    check?.(args);
    try {
      return ReflectApply(act, this, args);
    } catch (error) {
      if (error?.code !== "ERR_CRYPTO_HASH_FINALIZED") throw error;
      throw coded(Error, "ERR_CRYPTO_INVALID_STATE", "Not initialised")(prototype[name]);
    }
  };
}
// Of the paddings that OpenSSL knows, these are for signatures.
const PADDINGS = { __proto__: null, 1: true, 5: true, 6: true };
/** A padding that nobody knows is a mistake. */
function padded(key) {
  const padding = key?.padding;
  if (padding !== undefined && padding !== null && PADDINGS[padding] !== true && typeof padding === "number") throw new TypeError("illegal or unsupported padding mode");
}
once(Sign.prototype, "sign", ([key]) => padded(key));
once(Verify.prototype, "verify", ([key, signature]) => {
  padded(key);
  if (typeof signature !== "string" && !isArrayBufferView(signature) && !isAnyArrayBuffer(signature)) {
    throw new ERR_INVALID_ARG_TYPE("signature", ["string", "ArrayBuffer", "Buffer", "TypedArray", "DataView"], signature);
  }
});
methods(Sign.prototype, ["sign"]);
methods(Verify.prototype, ["verify"]);
/** An encoding that nobody knows is none. */
const encoding = (given) => typeof given === "string" && !Buffer.isEncoding(given) && given !== "buffer" ? undefined : given;
for (const kind of [Hash, crypto.Hmac]) {
  const { digest, update } = kind.prototype;
  kind.prototype.update = function (data, inputEncoding) {
    return ReflectApply(update, this, [data, encoding(inputEncoding)]);
  };
  kind.prototype.digest = function (outputEncoding) {
    return ReflectApply(digest, this, [encoding(outputEncoding)]);
  };
}
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
/** Of a line that says what follows, and of what follows that is something else. */
const LABELLED = /-----BEGIN (?:PUBLIC KEY|CERTIFICATE)-----/;
function labelled(act) {
  return ObjectDefineProperty(function (key) {
    try {
      return act(key);
    } catch (error) {
      const text = typeof key === "string" ? key : key?.key;
      const said = `${error?.message}`;
      if (typeof text === "string" && RegExpPrototypeExec(LABELLED, text) !== null && RegExpPrototypeExec(/DECODER routines::unsupported|unsupported PEM label|^invalid PEM public key$/, said) !== null) throw new TypeError("BER error");
      throw error;
    }
  }, "name", { __proto__: null, value: act.name, configurable: true });
}
crypto.createPublicKey = labelled(crypto.createPublicKey);
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
/** Here the name of the digest is told. */
const naming = (act) => function (algorithm, ...others) {
  try {
    return act(algorithm, ...others);
  } catch (error) {
    if (error?.code === "ERR_CRYPTO_INVALID_DIGEST" && error.message === "Invalid digest") error.message = `Invalid digest: ${algorithm}`;
    throw error;
  }
};
fixed.sign = translating(named(naming(withDigest(crypto.sign)), "sign"), (args) => {
  padded(args[2]);
  args[2] = fromFirstLine(args[2]);
});
fixed.verify = translating(named(naming(withDigest(crypto.verify)), "verify"), (args) => {
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
core.loadExtScript("ext:fourfront/fixes/x509.js").complete(X509Certificate);
fixed.X509Certificate = translatingClass(X509Certificate);
const { PrivateKeyObject } = core.loadExtScript("ext:deno_node/internal/crypto/keys.ts");
methods(PrivateKeyObject.prototype, ["export"]);
const { hash } = fixed;
fixed.hash = named(function (algorithm, ...others) {
  try {
    return hash(algorithm, ...others);
  } catch (error) {
    if (StringPrototypeStartsWith(`${error?.message}`, "Digest method not supported")) error.message = `Digest method ${algorithm} is not supported`;
    throw error;
  }
}, "hash");

// === Smaller things ===
fixed.getFips = function getFips() {
  return crypto.getFips() ? 1 : 0;
};
fixed.secureHeapUsed = function secureHeapUsed() {
  return { total: 0, used: 0, utilization: 0, min: 0 };
};
fixed.getCipherInfo = function getCipherInfo(nameOrNid, options) {
  let found = crypto.getCipherInfo(cipherName(nameOrNid), options);
  if (found === undefined && options?.ivLength > 0) {
    // A nonce of this mode may have any length.
    const usual = crypto.getCipherInfo(cipherName(nameOrNid), { ...options, ivLength: undefined });
    if (usual?.mode === "gcm") found = { ...usual, ivLength: options.ivLength };
  }
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
// Names that there are, and nothing behind them.
crypto.default.Cipher = crypto.default.Decipher = undefined;
delete crypto.default.constants?.RSA_SSLV23_PADDING;
return result;
})()
);
