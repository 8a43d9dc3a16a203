"use strict"; return ((function () {
// scrypt's table, counted for as long as it runs (LE-264). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { ReflectApply } = primordials;
const { op_ff_charge, op_ff_discharge } = core.ops;
core.loadExtScript("ext:fourfront/costs.js");
const upstream = core.loadExtScript("ext:upstream/scrypt.ts");

/** The options, read once: a getter could answer otherwise the next time. */
function read(options) {
  if (options === undefined || options === null) return undefined;
  const { N, cost, r, blockSize, p, parallelization, maxmem } = options;
  return { N, cost, r, blockSize, p, parallelization, maxmem };
}

/** Bytes of the table; what is no number is refused by the crate's own checks. */
function bytes(options) {
  const cost = +(options?.N ?? options?.cost ?? 0) || 16384;
  const block = +(options?.r ?? options?.blockSize ?? 0) || 8;
  const lanes = +(options?.p ?? options?.parallelization ?? 0) || 1;
  const total = 128 * block * (cost + lanes);
  const most = +(options?.maxmem ?? 0) || 32 * 1024 * 1024;
  return total >= 0 && total < most ? total : 0;
}

function scryptSync(password, salt, keylen, options) {
  const known = read(options);
  const charge = op_ff_charge(null, bytes(known));
  try {
    return upstream.scryptSync(password, salt, keylen, known);
  } finally {
    op_ff_discharge(charge);
  }
}

function scrypt(password, salt, keylen, options, callback) {
  if (!callback) {
    callback = options;
    options = undefined;
  }
  const known = read(options);
  if (typeof callback !== "function") return upstream.scrypt(password, salt, keylen, known, callback);
  const charge = op_ff_charge(null, bytes(known));
  const done = function () {
    op_ff_discharge(charge);
    return ReflectApply(callback, this, arguments);
  };
  try {
    return upstream.scrypt(password, salt, keylen, known, done);
  } catch (error) {
    op_ff_discharge(charge);
    throw error;
  }
}

return { scrypt, scryptSync, default: { scrypt, scryptSync } };
})()
);
