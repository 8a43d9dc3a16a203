"use strict"; return ((function () {
// WebCrypto within what cryptography may cost (NC-98). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply, TypeError } = primordials;
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");
const SAID = { __proto__: null, TypeMismatchError: "The data argument must be an integer-type TypedArray", QuotaExceededError: "The requested length exceeds 65,536 bytes" };
const { inTurn, pbkdf2, rsa } = core.loadExtScript("ext:fourfront/costs.js");
const upstream = core.loadExtScript("ext:upstream/00_crypto.js");
// Most who touch `crypto` want a random number.
let subtle;
const { prototype } = upstream.SubtleCrypto;

/** The algorithm with one of its numbers read for good: a getter could answer otherwise the next time. */
function fixed(algorithm, name, cost) {
  if (algorithm === null || typeof algorithm !== "object") return algorithm;
  const number = algorithm[name];
  if (number === undefined) return algorithm;
  cost(+number);
  return { __proto__: algorithm, [name]: +number };
}

function instead(name, make) {
  const descriptor = ObjectGetOwnPropertyDescriptor(prototype, name);
  const native = descriptor.value;
  const run = inTurn(function (self, args) {
    return ReflectApply(native, self, args);
  });
  const ours = make(run);
  for (const own of ["name", "length"]) ObjectDefineProperty(ours, own, ObjectGetOwnPropertyDescriptor(native, own));
  descriptor.value = ours;
  ObjectDefineProperty(prototype, name, descriptor);
}

instead("generateKey", (run) => ({
  async generateKey(algorithm, ...rest) {
    return run(this, [fixed(algorithm, "modulusLength", rsa), ...rest]);
  },
}).generateKey);
instead("deriveBits", (run) => ({
  async deriveBits(algorithm, key, length) {
    return run(this, [fixed(algorithm, "iterations", (rounds) => pbkdf2(rounds, +length / 8)), key, length]);
  },
}).deriveBits);
instead("deriveKey", (run) => ({
  async deriveKey(algorithm, ...rest) {
    return run(this, [fixed(algorithm, "iterations", (rounds) => pbkdf2(rounds, 64)), ...rest]);
  },
}).deriveKey);
for (const name of ["digest", "encrypt", "decrypt", "sign", "verify", "generateKey", "deriveKey", "deriveBits", "importKey", "exportKey", "wrapKey", "unwrapKey"]) {
  const descriptor = ObjectGetOwnPropertyDescriptor(prototype, name);
  const { value } = descriptor;
  // `deriveBits` may go without a length.
  const required = name === "deriveBits" ? 2 : value.length;
  const told = { [name](...args) {
    subtle ??= core.loadExtScript("ext:fourfront/fixes/subtle.js");
    return subtle.tell(name, required, value, this, args);
  } }[name];
  ObjectDefineProperty(told, "length", ObjectGetOwnPropertyDescriptor(value, "length"));
  descriptor.value = told;
  ObjectDefineProperty(prototype, name, descriptor);
}

const { getRandomValues } = upstream.Crypto.prototype;
ObjectDefineProperty(upstream.Crypto.prototype, "getRandomValues", {
  __proto__: null,
  value: { getRandomValues(array) {
    if (arguments.length < 1) {
      const error = new TypeError("Failed to execute 'getRandomValues' on 'Crypto': 1 argument required, but only 0 present.");
      error.code = "ERR_MISSING_ARGS";
      throw error;
    }
    try {
      return ReflectApply(getRandomValues, this, [array]);
    } catch (error) {
      const said = SAID[error?.name];
      throw said === undefined ? error : new DOMException(said, error.name);
    }
  } }.getRandomValues,
  writable: true, enumerable: true, configurable: true,
});
return upstream;
})()
);
