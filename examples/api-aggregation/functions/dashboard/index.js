'use strict';

// Origin request: asks two APIs at the same time and answers with what they say as one document. Runs only when the
// cache has no answer; what it generates is stored like an answer of the origin, so that the APIs are asked once for
// all viewers.

const { HARBOURS, TIDES, TIMEOUT, WEATHER } = require('./config.js');
const { byFetch, byRequest } = require('./get.js');

// For how long a whole answer is good, and one that lacks something.
const WHOLE = 'public, max-age=60';
const PARTIAL = 'public, max-age=2';

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  // The query is the key, and the name becomes a part of other requests. So both are compared letter by letter: another
  // spelling of the same would be another document in the cache.
  const harbour = HARBOURS.find((name) => request.querystring === `harbour=${name}`);
  if (harbour === undefined) {
    return answer('400', 'Bad Request', 'no-store', { error: `harbour: ${HARBOURS.join(', ')}` });
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
    return answer('503', 'Service Unavailable', PARTIAL, { error: 'no data at the moment' });
  }
  return missing.length === 0
    ? answer('200', 'OK', WHOLE, document)
    : answer('200', 'OK', PARTIAL, { ...document, missing });
};

function answer(status, statusDescription, cacheControl, document) {
  return {
    status,
    statusDescription,
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'application/json' }],
      'cache-control': [{ key: 'Cache-Control', value: cacheControl }],
    },
    body: `${JSON.stringify(document)}\n`,
  };
}
