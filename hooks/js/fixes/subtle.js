"use strict"; return ((function () {
// What `crypto.subtle` says of a mistake, and the order of what it gives (NC-16, NC-31): some compare a key's JSON.
const { core, primordials } = __bootstrap;
const {
  ArrayIsArray, ArrayPrototypeIncludes, Error, ObjectDefineProperty, ObjectPrototypeIsPrototypeOf, PromisePrototypeThen, PromiseReject, ReflectApply, RegExpPrototypeExec,
  SafeRegExp, StringPrototypeReplace, StringPrototypeStartsWith, StringPrototypeToUpperCase, TypeError, TypeErrorPrototype,
} = primordials;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey", "encapsulateBits", "encapsulateKey", "decapsulateBits", "decapsulateKey"];
const ORDINALS = ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th"];
// Where the arguments are that are checked here.
const USAGES_AT = { __proto__: null, importKey: 4, generateKey: 2, deriveKey: 4, unwrapKey: 6 };

function coded(message, code) {
  const error = new TypeError(message);
  error.code = code;
  return error;
}
function dom(name, message, cause) {
  const error = new DOMException(message, name);
  if (cause !== undefined) ObjectDefineProperty(error, "cause", { __proto__: null, value: cause, writable: true, enumerable: false, configurable: true });
  return error;
}

/** What cannot be seen by the shape of the arguments alone is left to the crate. */
function check(method, args, required) {
  const what = `Failed to execute '${method}' on 'SubtleCrypto'`;
  if (args.length < required) throw coded(`${what}: ${required} argument${required === 1 ? "" : "s"} required, but only ${args.length} present.`, "ERR_MISSING_ARGS");
  const at = USAGES_AT[method];
  const usages = at === undefined ? undefined : args[at];
  if (!ArrayIsArray(usages)) return;
  for (let i = 0; i < usages.length; i++) {
    if (ArrayPrototypeIncludes(USAGES, `${usages[i]}`)) continue;
    throw coded(`${what}: ${ORDINALS[at]} argument, index ${i} value '${usages[i]}' is not a valid enum value of type KeyUsage.`, "ERR_INVALID_ARG_VALUE");
  }
}

const ARGUMENT = new SafeRegExp("^Failed to execute 'call' on 'SubtleCrypto': Argument (\\d+) (.*)$", "s");
const UNSUPPORTED = new SafeRegExp("^Algorithm '.*' is not supported$", "s");
const nameOf = (algorithm) => typeof algorithm === "string" ? algorithm : `${algorithm?.name}`;

/** The family of a key, as it is called with its article. */
function family(name) {
  const upper = StringPrototypeToUpperCase(name);
  if (StringPrototypeStartsWith(upper, "AES")) return "an AES";
  if (StringPrototypeStartsWith(upper, "RSA")) return "a RSA";
  if (upper === "HMAC") return "an HMAC";
  return upper[0] === "E" || upper[0] === "X" ? `an ${name}` : `a ${name}`;
}

function unconvertible(method, at, said) {
  const what = `Failed to execute '${method}' on 'SubtleCrypto': ${ORDINALS[at]} argument`;
  if (said === "can not be converted to a AlgorithmIdentifier") return dom("NotSupportedError", "Unrecognized algorithm name");
  if (said === "can not be converted to a BufferSource") return coded(`${what} is not instance of ArrayBuffer, Buffer, TypedArray, or DataView.`, "ERR_INVALID_ARG_TYPE");
  const value = RegExpPrototypeExec(/^The provided value '(.*)' is not a valid enum value of type (\w+)$/s, said);
  if (value !== null) return coded(`${what} value '${value[1]}' is not a valid enum value of type ${value[2]}.`, "ERR_INVALID_ARG_VALUE");
  if (RegExpPrototypeExec(/CryptoKey/, said) !== null) return coded(`${what} is not of type CryptoKey.`, "ERR_INVALID_ARG_TYPE");
  return undefined;
}

function reason(method, args, error) {
  const message = `${error.message}`;
  if (ObjectPrototypeIsPrototypeOf(TypeErrorPrototype, error)) {
    const found = RegExpPrototypeExec(ARGUMENT, message);
    if (found !== null) {
      // The crate counts from nought in some places.
      const known = unconvertible(method, +found[1] - (method === "importKey" && args[0] !== undefined && RegExpPrototypeExec(/KeyFormat/, found[2]) !== null ? 1 : 0), found[2]);
      if (known !== undefined) return known;
    }
    error.message = StringPrototypeReplace(message, "'call'", `'${method}'`);
    return error;
  }
  const { name } = error;
  if (name === "NotSupportedError" && RegExpPrototypeExec(UNSUPPORTED, message) !== null) return dom(name, "Unrecognized algorithm name");
  if (name === "InvalidAccessError" && (method === "sign" || method === "verify")) return dom(name, `Unable to use this key to ${method}`);
  if (name === "OperationError") {
    if (message === "Decryption failed") return dom(name, "The operation failed for an operation-specific reason", new Error("Cipher job failed"));
    if (message === "Invalid AES key length") return dom(name, "AES key length must be 128, 192, or 256 bits");
    if (message === "Initialization vector must be 16 bytes") return dom(name, "algorithm.iv must contain exactly 16 bytes");
  }
  if (name === "SyntaxError" && message === "Usages cannot be empty") return dom(name, "Usages cannot be empty when creating a key.");
  if (name === "SyntaxError" && message === "Invalid key usage") {
    const usages = args[USAGES_AT[method]];
    if (method === "importKey" && usages?.length === 0) return dom(name, `Usages cannot be empty when importing a ${args[0] === "pkcs8" ? "private" : "secret"} key.`);
    return dom(name, `Unsupported key usage for ${family(nameOf(method === "importKey" ? args[2] : args[0]))} key`);
  }
  if (name !== "DataError" || method !== "importKey") return error;
  if (message === "Key length is zero") return dom(name, "Zero-length key is not supported");
  if (message === "Invalid namedCurve") return dom("NotSupportedError", "Unrecognized namedCurve");
  if (StringPrototypeStartsWith(message, "'kty' property")) return dom(name, 'Invalid JWK "kty" Parameter');
  if (args[0] === "pkcs8") return dom(name, "Invalid keyData", core.loadExtScript("ext:fourfront/fixes/crypto_errors.js").translated(new Error("invalid PKCS#8 private key"), reason));
  if (args[0] === "spki") return dom(name, "Invalid keyData", new Error("Failed to read asymmetric key"));
  return error;
}

// === The order in which Node lists what a key is ===
const MEMBERS = { __proto__: null, oct: ["key_ops", "ext", "alg", "kty", "k"], RSA: ["key_ops", "ext", "alg", "kty", "n", "e", "d", "p", "q", "dp", "dq", "qi"], EC: ["key_ops", "ext", "kty", "x", "y", "crv", "d"], OKP: ["key_ops", "ext", "alg", "crv", "d", "x", "kty"] };
function ordered(jwk) {
  const members = MEMBERS[jwk?.kty];
  if (members === undefined) return jwk;
  const found = {};
  for (let i = 0; i < members.length; i++) if (jwk[members[i]] !== undefined) found[members[i]] = jwk[members[i]];
  // The name of the only algorithm there is for the curve.
  if (jwk.crv === "Ed25519") return { key_ops: found.key_ops, ext: found.ext, alg: "Ed25519", ...found };
  return found;
}
function arranged(method, args, result) {
  return method === "exportKey" && args[0] === "jwk" ? ordered(result) : result;
}

/** Calls `act`, which gives a promise, and lets it say and give what Node does. */
function tell(method, required, act, self, args) {
  try {
    check(method, args, required);
  } catch (error) {
    return PromiseReject(error);
  }
  return PromisePrototypeThen(ReflectApply(act, self, args), (result) => arranged(method, args, result), (error) => {
    throw typeof error?.message === "string" ? reason(method, args, error) : error;
  });
}

return { tell };
})()
);
