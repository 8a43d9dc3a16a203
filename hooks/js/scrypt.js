"use strict"; return ((function () {
// scrypt's table, counted for as long as it runs (LE-264). Stands before the crate's file.
const { core, primordials } = __bootstrap;
const { Error, ReflectApply, StringPrototypeStartsWith } = primordials;
const { op_ff_charge, op_ff_discharge } = core.ops;
core.loadExtScript("ext:fourfront/costs.js");
const upstream = core.loadExtScript("ext:upstream/scrypt.ts");

/** The options, read once: a getter could answer otherwise the next time. */
function read(options) {
  if (options === undefined || options === null) return undefined;
  const { N, cost, r, blockSize, p, parallelization, maxmem } = options;
  if (N !== undefined && cost !== undefined || r !== undefined && blockSize !== undefined || p !== undefined && parallelization !== undefined) {
    const error = new Error("Invalid scrypt parameter");
    error.code = "ERR_CRYPTO_SCRYPT_INVALID_PARAMETER";
    throw error;
  }
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

/** What is too much, or too little, OpenSSL 3 calls too much. */
function told(error, options) {
  const cost = options?.N ?? options?.cost ?? 16384;
  if ((cost & (cost - 1)) === 0 && error?.code === "ERR_CRYPTO_INVALID_SCRYPT_PARAMS" && StringPrototypeStartsWith(error.message, "Invalid scrypt params")) {
    error.message = "Invalid scrypt params: error:030000AC:digital envelope routines::memory limit exceeded";
  }
  return error;
}

function scryptSync(password, salt, keylen, options) {
  const known = read(options);
  const charge = op_ff_charge(null, bytes(known));
  try {
    return upstream.scryptSync(password, salt, keylen, known);
  } catch (error) {
    throw told(error, known);
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
    throw told(error, known);
  }
}

return { scrypt, scryptSync, default: { scrypt, scryptSync } };
})()
);
