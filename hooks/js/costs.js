"use strict"; return ((function () {
// Cryptography that takes long (NC-98). An operation in Rust cannot be interrupted, so it is refused by what it would
// cost: the most that one may is a second or two of a core's time. Loaded before each of the crates' files that has one.
const { core, primordials } = __bootstrap;
const { ArrayPrototypePush, ArrayPrototypeShift, BigInt, MathCeil, MathMax, Promise, RangeError, ReflectApply, ReflectDeleteProperty, StringPrototypeEndsWith, StringPrototypeIncludes, TypedArrayPrototypeGetByteLength, Uint8Array } = primordials;
const { ops } = core;

function refused(what) {
  const error = new RangeError(`fourfront: ${what} is not available in functions (NC-98)`);
  error.code = "ERR_OUT_OF_RANGE";
  return error;
}

const MOST_ROUNDS = 2 ** 22;
// Of a digest that is as long as one asks, and of a name in Punycode, whose time is quadratic in its length.
const MOST_DIGEST_BYTES = 2 ** 24, MOST_NAME = 2 ** 12;
const MOST_PRIME_BITS = 2048, MOST_SAFE_PRIME_BITS = 512, MOST_CANDIDATE_BITS = 8192;
// Kilobits cubed times checks.
const MOST_CHECKING = 256;
// By so many bits is a prime longer than what it is congruent by: among fewer candidates there may be none.
const ROOM_FOR_PRIMES = 12, ROOM_FOR_SAFE_PRIMES = 24;
const MOST_MODULUS_BITS = 4096, MOST_DSA_BITS = 2048, MOST_GROUP_BITS = 8192;

function atMost(value, most, what) {
  if (value > most) throw refused(`${what} of more than ${most}`);
}

const bits = (buffer) => buffer === null || buffer === undefined ? 0 : 8 * (core.isTypedArray(buffer) ? TypedArrayPrototypeGetByteLength(buffer) : buffer.byteLength);

/** The library ends the process on a modulus of zero. */
function isZero(buffer) {
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Each block of the key takes all rounds and reads the salt; SHA-3 takes four times as long as the others. */
const pbkdf2 = (iterations, length, digest, salt) => {
  const weight = typeof digest === "string" && StringPrototypeIncludes(digest, "sha3") ? 4 : 1;
  atMost((iterations + (salt ?? 0) / 64) * weight * MathCeil(length / 20 || 1), MOST_ROUNDS, "PBKDF2 with a number of rounds");
};
const scrypt = (password, salt, length, log2, block, lanes) => {
  atMost(2 ** log2 * block * lanes, MOST_ROUNDS, "scrypt with a product of N, r and p");
  pbkdf2(1, length);
};
const prime = (size, safe, add, rem) => {
  atMost(size, safe ? MOST_SAFE_PRIME_BITS : MOST_PRIME_BITS, safe ? "generating a safe prime with a number of bits" : "generating a prime with a number of bits");
  if (add === null || add === undefined) return;
  // It is looked for until it is found.
  let a = numberOf(add), b = rem === null || rem === undefined ? 1n : numberOf(rem);
  if (a >> BigInt(MathMax(size - (safe ? ROOM_FOR_SAFE_PRIMES : ROOM_FOR_PRIMES), 0)) !== 0n) throw refused("generating a prime by an `add` nearly as long as it");
  while (b !== 0n) [a, b] = [b, a % b];
  if (a !== 1n) throw refused("generating a prime by an `add` and a `rem` with a common factor");
};
/** The number that bytes are, the highest first. */
function numberOf(buffer) {
  const bytes = new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);
  atMost(bytes.length, MOST_PRIME_BITS / 8, "generating a prime by a number of bytes");
  let number = 0n;
  for (let i = 0; i < bytes.length; i++) number = number << 8n | BigInt(bytes[i]);
  return number;
}
const digest = (name, length) => atMost(length ?? 0, MOST_DIGEST_BYTES, "a digest with a number of bytes");
const name = (text) => atMost(text?.length ?? 0, MOST_NAME, "a name in Punycode with a number of characters");
const candidate = (bytes, checks) => {
  atMost(bits(bytes), MOST_CANDIDATE_BITS, "checking a prime with a number of bits");
  // Each check costs the cube of the length.
  atMost(MathMax((bits(bytes) / 1024) ** 3, 1 / 512) * (checks || 1), MOST_CHECKING, "checking a prime at a cost (kilobits cubed times checks)");
};
const rsa = (modulus) => atMost(modulus, MOST_MODULUS_BITS, "generating an RSA key with a number of bits");
const dsa = (modulus) => atMost(modulus, MOST_DSA_BITS, "generating a DSA key with a number of bits");
const group = (given, length) => {
  if (given !== null && given !== undefined) groupBytes(given);
  atMost(length, MOST_SAFE_PRIME_BITS, "generating a Diffie-Hellman prime with a number of bits");
};
const groupBytes = (given) => {
  atMost(bits(given), MOST_GROUP_BITS, "a Diffie-Hellman prime with a number of bits");
  if (isZero(given)) throw refused("a Diffie-Hellman prime of zero");
};

const costs = {
  __proto__: null,
  op_node_pbkdf2: (password, salt, iterations, digest, into) => pbkdf2(iterations, bits(into) / 8, digest, bits(salt) / 8),
  op_node_pbkdf2_async: (password, salt, iterations, digest, length) => pbkdf2(iterations, length, digest, bits(salt) / 8),
  op_node_create_hash: digest,
  op_node_hash_clone: digest,
  op_node_idna_punycode_decode: name,
  op_node_idna_punycode_encode: name,
  op_node_idna_punycode_to_ascii: name,
  op_node_idna_punycode_to_unicode: name,
  op_node_scrypt_sync: scrypt,
  op_node_scrypt_async: scrypt,
  op_node_gen_prime: prime,
  op_node_gen_prime_async: prime,
  op_node_check_prime_bytes: candidate,
  op_node_check_prime_bytes_async: candidate,
  op_node_generate_rsa_key: rsa,
  op_node_generate_rsa_key_async: rsa,
  op_node_generate_rsa_pss_key: rsa,
  op_node_generate_rsa_pss_key_async: rsa,
  op_node_generate_dsa_key: dsa,
  op_node_generate_dsa_key_async: dsa,
  op_node_generate_dh_key: group,
  op_node_generate_dh_key_async: group,
  op_node_dh_keys_generate_and_export: groupBytes,
  op_node_dh_compute_secret: (given, key, theirs) => {
    groupBytes(given);
    for (const number of [key, theirs]) atMost(bits(number), MOST_GROUP_BITS, "a Diffie-Hellman key with a number of bits");
  },
};

// As many as libuv has threads for them: what runs goes on when its call has ended.
const MOST_RUNNING = 4;
let running = 0;
const waiting = [];

function inTurn(op) {
  return async function () {
    if (running >= MOST_RUNNING) await new Promise((begin) => ArrayPrototypePush(waiting, begin));
    else running++;
    try {
      return await ReflectApply(op, undefined, arguments);
    } finally {
      const next = ArrayPrototypeShift(waiting);
      if (next === undefined) running--;
      else next();
    }
  };
}

// Its constructor is for nobody: it ends the process.
ReflectDeleteProperty(ops.Hasher.prototype, "constructor");
for (const name in costs) {
  const op = ops[name], cost = costs[name];
  const run = StringPrototypeEndsWith(name, "_async") ? inTurn(op) : op;
  ops[name] = function () {
    ReflectApply(cost, undefined, arguments);
    return ReflectApply(run, undefined, arguments);
  };
}
return { inTurn, pbkdf2, rsa };
})()
);
