// The issuer's public keys. They are fetched when the first token comes, and kept in this module: for as long as this
// instance of the function lives, and at most until they are to be looked at again.

import { createPublicKey } from 'node:crypto';

import { COOL_DOWN, JWKS_URL } from './config.mjs';

// Milliseconds after which keys are fetched again: what the issuer has withdrawn is taken no longer than that.
const MAX_AGE = 10 * 60_000;
// For how long older ones do when the issuer cannot be asked, and how long it is left alone then.
const MAX_STALE = 60 * 60_000;
const RETRY = 5_000;
const TIMEOUT = 2_000;

let keys = [];
let fetchedAt = -Infinity;
let failedAt = -Infinity;
let askedAt = -Infinity;
let pending;

// There are no keys to check anything with.
export class UnusableKeys extends Error {}

// The key of this name, if it is one for this algorithm.
export async function publicKey(kid, alg, { kty, crv }) {
  if (since(fetchedAt) > MAX_AGE && since(failedAt) > RETRY) {
    await refresh();
  }
  if (since(fetchedAt) > MAX_STALE) {
    throw new UnusableKeys('no keys of the issuer');
  }
  // A key that is not there may be new. But anybody can make up a name of a key: whatever the keys were fetched for, they
  // are not fetched again so soon. A fetch that is on its way is waited for.
  if (!keys.some((key) => key.kid === kid) && (pending || since(askedAt) > COOL_DOWN * 1000)) {
    await refresh();
  }
  const found = keys.find(
    (key) =>
      key.kid === kid &&
      key.kty === kty &&
      key.crv === crv &&
      (key.alg ?? alg) === alg &&
      (key.use ?? 'sig') === 'sig',
  );
  return found?.key;
}

function since(time) {
  return Date.now() - time;
}

// Fetches the keys, or leaves those that there are. Whoever wants them meanwhile waits for the same answer.
function refresh() {
  pending ??= load()
    .catch((error) => {
      failedAt = Date.now();
      console.warn(`${JWKS_URL}: ${error.message}`);
    })
    .finally(() => {
      pending = undefined;
    });
  return pending;
}

async function load() {
  askedAt = Date.now();
  // A redirect could lead to somebody else's keys.
  const response = await fetch(JWKS_URL, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
  if (response.status !== 200) {
    throw new Error(`status ${response.status}`);
  }
  const set = await response.json();
  if (!Array.isArray(set?.keys)) {
    throw new Error('no key set');
  }
  keys = set.keys.flatMap(parsed);
  fetchedAt = Date.now();
}

// A key of the set, made ready once. A kind that this runtime does not know is nobody's fault.
function parsed(jwk) {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const { kid, kty, crv, alg, use } = jwk;
    const isShort = kty === 'RSA' && key.asymmetricKeyDetails.modulusLength < 2048;
    return isShort ? [] : [{ kid, kty, crv, alg, use, key }];
  } catch {
    return [];
  }
}
