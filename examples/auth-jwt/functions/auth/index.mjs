// Viewer request: lets in who has a token of the issuer (a JWT in `Authorization: Bearer`). Runs for every request,
// before the cache is asked, so that what the cache holds is guarded as well.

import { UnusableKeys } from './jwks.mjs';
import { InvalidToken, verify } from './jwt.mjs';

export const handler = async (event) => {
  const { request } = event.Records[0].cf;

  const fields = request.headers.authorization ?? [];
  if (fields.length === 0) {
    return unauthorized('Bearer realm="members"');
  }
  try {
    await verify(bearer(fields));
  } catch (error) {
    if (error instanceof InvalidToken) {
      // The messages are this function's own: nothing of the token comes back.
      return unauthorized(`Bearer realm="members", error="invalid_token", error_description="${error.message}"`);
    }
    if (error instanceof UnusableKeys) {
      return answer('503', 'Service Unavailable', { 'Retry-After': '10' });
    }
    throw error;
  }

  // The origin answers everybody alike, and what it does not get it cannot leak. One that needs to know who asks gets the
  // subject in a header of its own, which belongs into the cache key then.
  delete request.headers.authorization;
  return request;
};

function bearer(fields) {
  const [, token] = /^Bearer +([A-Za-z0-9._-]+)$/i.exec(fields[0].value) ?? [];
  if (fields.length > 1 || token === undefined) {
    throw new InvalidToken('no bearer token');
  }
  return token;
}

function unauthorized(challenge) {
  return answer('401', 'Unauthorized', { 'WWW-Authenticate': challenge });
}

function answer(status, statusDescription, fields) {
  const all = { ...fields, 'Cache-Control': 'no-store', 'Content-Type': 'text/plain; charset=utf-8' };
  const headers = Object.entries(all).map(([key, value]) => [key.toLowerCase(), [{ key, value }]]);
  return { status, statusDescription, headers: Object.fromEntries(headers), body: `${statusDescription}\n` };
}
