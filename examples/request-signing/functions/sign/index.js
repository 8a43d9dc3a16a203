'use strict';

// Origin request: signs what goes to the origin, so that the origin can refuse whatever does not come by way of the
// CDN. Runs only when the cache has no answer. What it adds is not in the cache key.

const { sign } = require('./signature.js');
// Lambda@Edge has no environment variables: the secrets are packed with the function. The first one signs.
const [{ id, secret }] = require('./secrets.json');

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (leadsElsewhere(request.uri)) {
    return {
      status: '400',
      statusDescription: 'Bad Request',
      headers: { 'cache-control': [{ key: 'Cache-Control', value: 'no-store' }] },
      body: 'no such path\n',
    };
  }
  // What arrives at the origin: its own path prefix, then path and query.
  const { path } = request.origin.custom;
  const query = request.querystring === '' ? '' : `?${request.querystring}`;
  const date = Math.floor(Date.now() / 1000);
  const signature = sign(secret, { method: request.method, target: path + request.uri + query, date });

  // In the place of what a viewer may have sent under these names.
  set(request, 'X-Origin-Date', String(date));
  set(request, 'X-Origin-Signature', `${id}:${signature}`);
  return request;
};

// Whether a path climbs by `..`, also encoded: many a server would then answer from outside of the origin's prefix, to a
// signature that is good. What cannot be decoded is no better.
function leadsElsewhere(uri) {
  try {
    return decodeURIComponent(uri).split(/[/\\]/).includes('..');
  } catch {
    return true;
  }
}

function set(request, key, value) {
  request.headers[key.toLowerCase()] = [{ key, value }];
}
