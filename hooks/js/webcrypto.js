"use strict"; return ((function () {
// WebCrypto within what cryptography may cost (NC-98). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectApply } = primordials;
const { inTurn, pbkdf2, rsa } = core.loadExtScript("ext:fourfront/costs.js");
const upstream = core.loadExtScript("ext:upstream/00_crypto.js");
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
return upstream;
})()
);
