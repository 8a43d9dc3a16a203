'use strict';

// Viewer request: ties a sign-in to the browser that began it (RFC 6749 section 10.12), which the package leaves to others.
// Otherwise who has a code of their own could have somebody else's browser take it, and that one would be signed in as them.
//
// A random value goes to the provider in front of `state`, and to the browser as a cookie. Both have to come back.

const { randomBytes, timingSafeEqual } = require('crypto');

// With this prefix, browsers take it from nobody but this host, and over HTTPS only.
const NAME = '__Host-login';
const LENGTH = 22; // 16 bytes in base64url
const COOKIE = new RegExp(`(?:^|; *)${NAME}=([\\w-]{${LENGTH}})(?:;|$)`);

// Adds the value to a redirect that leads to the provider.
exports.begin = (request, { headers }) => {
  // The one that the browser has already, so that two of its tabs can sign in at the same time.
  const value = valueOf(request) ?? randomBytes(16).toString('base64url');
  const to = new URL(headers.location[0].value);
  to.searchParams.set('state', value + to.searchParams.get('state'));
  headers.location[0].value = to.href;
  const cookie = `${NAME}=${value}; Secure; HttpOnly; SameSite=Lax; Path=/`;
  headers['set-cookie'] = [{ key: 'Set-Cookie', value: cookie }];
};

// What the package put into `state`; undefined if it was not this browser that began.
exports.finish = (request, state) => {
  const expected = valueOf(request);
  if (expected === undefined || typeof state !== 'string') {
    return undefined;
  }
  const [a, b] = [expected, state.slice(0, LENGTH)].map((text) => Buffer.from(text));
  return a.length === b.length && timingSafeEqual(a, b) ? state.slice(LENGTH) : undefined;
};

function valueOf(request) {
  const cookies = request.headers.cookie.map(({ value }) => value).join('; ');
  return COOKIE.exec(cookies)?.[1];
}
