'use strict';

// Origin request: asks two APIs at the same time and answers with what they say as one document. Runs only when the
// cache has no answer; what it generates is stored like an answer of the origin, so that the APIs are asked once for
// all viewers.

const { TIDES, TIMEOUT, WEATHER } = require('./config.js');
const { byFetch, byRequest } = require('./get.js');

// Seconds for which a whole answer is good, and one that lacks something.
const MAX_AGE = 60;
const MAX_AGE_PARTIAL = 2;

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const harbour = new URLSearchParams(request.querystring).get('harbour') ?? '';
  // It becomes a part of other requests: only what names of harbours are made of.
  if (!/^[a-z]{1,20}$/.test(harbour)) {
    return answer('400', 'Bad Request', MAX_AGE, { error: 'harbour: 1 to 20 letters from a to z' });
  }

  // Both are asked before either is waited for. Neither makes the other one fail.
  const [weather, tides] = await Promise.allSettled([
    byFetch(`${WEATHER}?harbour=${harbour}`, TIMEOUT),
    byRequest(`${TIDES}?harbour=${harbour}`, TIMEOUT),
  ]);

  const document = { harbour };
  const missing = [];
  for (const [name, { value, reason }] of Object.entries({ weather, tides })) {
    if (reason === undefined) {
      document[name] = value;
    } else {
      // What exactly went wrong is for the log and not for viewers.
      console.warn(`${name} of ${harbour}: ${reason.message}`);
      missing.push(name);
    }
  }
  if (missing.length === 2) {
    return answer('503', 'Service Unavailable', MAX_AGE_PARTIAL, { error: 'no data at the moment' });
  }
  const maxAge = missing.length === 0 ? MAX_AGE : MAX_AGE_PARTIAL;
  return answer('200', 'OK', maxAge, missing.length === 0 ? document : { ...document, missing });
};

function answer(status, statusDescription, maxAge, document) {
  return {
    status,
    statusDescription,
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'application/json' }],
      'cache-control': [{ key: 'Cache-Control', value: `public, max-age=${maxAge}` }],
    },
    body: `${JSON.stringify(document)}\n`,
  };
}
