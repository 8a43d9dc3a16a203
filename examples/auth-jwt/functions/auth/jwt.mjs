// Signature and claims of a token (RFC 7515, RFC 7519), as RFC 8725 would have them checked.

import { verify as verifySignature } from 'node:crypto';

import { AUDIENCE, ISSUER, LEEWAY } from './config.mjs';
import { publicKey } from './jwks.mjs';

// What is accepted, and nothing else. The token says which of them it is, but not what kind of key that means: an RSA
// key is never an HMAC secret, and `none` is not here.
const ALGORITHMS = new Map([
  ['RS256', { kty: 'RSA' }],
  // A signature of two numbers one after the other, not in DER.
  ['ES256', { kty: 'EC', crv: 'P-256', dsaEncoding: 'ieee-p1363' }],
]);

const LONGEST = 8192;

// The message goes to the viewer.
export class InvalidToken extends Error {}

// The claims of a token that holds.
export async function verify(token) {
  const parts = token.split('.');
  if (token.length > LONGEST || parts.length !== 3) {
    throw new InvalidToken('not a signed token');
  }
  const [header, claims] = parts.slice(0, 2).map(json);

  const algorithm = ALGORITHMS.get(header.alg);
  if (algorithm === undefined) {
    throw new InvalidToken('algorithm not accepted');
  }
  // Extensions that have to be understood, of which none is.
  if (header.crit !== undefined || typeof header.kid !== 'string') {
    throw new InvalidToken('header not accepted');
  }
  const key = await publicKey(header.kid, header.alg, algorithm);
  if (key === undefined) {
    throw new InvalidToken('unknown key');
  }
  const signed = Buffer.from(`${parts[0]}.${parts[1]}`);
  const { dsaEncoding } = algorithm;
  if (!verifySignature('sha256', signed, { key, dsaEncoding }, Buffer.from(parts[2], 'base64url'))) {
    throw new InvalidToken('wrong signature');
  }

  check(claims);
  return claims;
}

function check({ iss, aud, exp, nbf }) {
  const now = Date.now() / 1000;
  if (iss !== ISSUER) {
    throw new InvalidToken('another issuer');
  }
  if (aud !== AUDIENCE && !(Array.isArray(aud) && aud.includes(AUDIENCE))) {
    throw new InvalidToken('for another audience');
  }
  if (!Number.isFinite(exp) || now >= exp + LEEWAY) {
    throw new InvalidToken('expired');
  }
  if (nbf !== undefined && !(Number.isFinite(nbf) && now >= nbf - LEEWAY)) {
    throw new InvalidToken('not valid yet');
  }
}

// A part as the object that it has to be.
function json(part) {
  let value;
  try {
    value = JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    // Said below.
  }
  if (value === null || typeof value !== 'object') {
    throw new InvalidToken('not a signed token');
  }
  return value;
}
