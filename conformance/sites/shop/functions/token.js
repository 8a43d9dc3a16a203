'use strict';
const { createHmac, timingSafeEqual } = require('crypto');

const KEY = 'a key that a real shop would keep elsewhere';

// Authorization: Bearer <user>.<signature of the user's name>; the origin gets the name alone.
exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const field = request.headers.authorization ? request.headers.authorization[0].value : '';
  const [, user, given] = /^Bearer ([\w-]+)\.([0-9a-f]{64})$/.exec(field) || [];
  const due = user && createHmac('sha256', KEY).update(user).digest();
  if (!due || !timingSafeEqual(due, Buffer.from(given, 'hex'))) {
    return {
      status: '401',
      headers: { 'www-authenticate': [{ key: 'WWW-Authenticate', value: 'Bearer' }] },
      body: '{"error":"unauthorized"}',
    };
  }
  delete request.headers.authorization;
  request.headers['x-user'] = [{ key: 'X-User', value: user }];
  return request;
};
