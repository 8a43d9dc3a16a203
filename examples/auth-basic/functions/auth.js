'use strict';

// Viewer request: asks for a name and a password (HTTP Basic authentication). Runs for every request, before the cache is
// asked, so that what the cache holds is guarded as well.
//
// Passwords lie beside this file as scrypt hashes; hash.mjs makes them.

const { createHmac, randomBytes, scrypt, timingSafeEqual } = require('node:crypto');
const { promisify } = require('node:util');

const USERS = new Map(Object.entries(require('./users.json')));
// In the place of a user that there is not: an unknown name takes as long as a wrong password.
const NOBODY = { salt: randomBytes(16).toString('base64'), hash: randomBytes(32).toString('base64') };

// Guessing a password from its hash has to be slow, and so the hash is. The answer is remembered for the next request
// with the same header, under a name that only this instance can make.
const MOST_REMEMBERED = 1000;
const remembered = new Set();
const key = randomBytes(32);

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (!(await isLetIn(request.headers.authorization))) {
    return UNAUTHORIZED;
  }
  // Nothing behind this needs to know a password.
  delete request.headers.authorization;
  return request;
};

const UNAUTHORIZED = {
  status: '401',
  statusDescription: 'Unauthorized',
  headers: {
    'www-authenticate': [{ key: 'WWW-Authenticate', value: 'Basic realm="staging", charset="UTF-8"' }],
    'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
    'content-type': [{ key: 'Content-Type', value: 'text/plain; charset=utf-8' }],
  },
  body: 'A name and a password, please.\n',
};

async function isLetIn(fields) {
  // More than one such field is nothing that a browser sends.
  const given = fields?.length === 1 ? credentials(fields[0].value) : undefined;
  if (given === undefined) {
    return false;
  }
  const mark = createHmac('sha256', key).update(fields[0].value).digest('base64');
  if (remembered.has(mark)) {
    return true;
  }

  const user = USERS.get(given.name);
  const { salt, hash } = user ?? NOBODY;
  const expected = Buffer.from(hash, 'base64');
  const actual = await promisify(scrypt)(given.password, Buffer.from(salt, 'base64'), expected.length);
  if (!timingSafeEqual(actual, expected) || user === undefined) {
    return false;
  }
  if (remembered.size === MOST_REMEMBERED) {
    remembered.clear();
  }
  remembered.add(mark);
  return true;
}

// Name and password of `Basic bmFtZTpwYXNzd29yZA==`. A password may have colons, a name may not.
function credentials(value) {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(value) ?? [];
  if (encoded === undefined) {
    return undefined;
  }
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
