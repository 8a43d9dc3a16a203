'use strict';

// What browsers are told with every answer, hits included. An answer that has a field keeps its own.
const FIELDS = {
  'strict-transport-security': ['Strict-Transport-Security', 'max-age=31536000'],
  'x-content-type-options': ['X-Content-Type-Options', 'nosniff'],
  'referrer-policy': ['Referrer-Policy', 'strict-origin-when-cross-origin'],
};

exports.handler = async (event) => {
  const response = event.Records[0].cf.response;
  for (const [name, [key, value]] of Object.entries(FIELDS)) {
    response.headers[name] ??= [{ key, value }];
  }
  return response;
};
