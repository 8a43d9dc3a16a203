'use strict';

// Origin request: signs what goes to the origin, so that the origin can refuse whatever does not come by way of the
// CDN. Runs only when the cache has no answer. What it adds is not in the cache key.

const { sign } = require('./signature.js');
// Lambda@Edge has no environment variables: the secrets are packed with the function. The first one signs.
const [{ id, secret }] = require('./secrets.json');

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
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

function set(request, key, value) {
  request.headers[key.toLowerCase()] = [{ key, value }];
}
