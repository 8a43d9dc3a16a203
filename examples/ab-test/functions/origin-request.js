'use strict';

// Lambda@Edge function at origin-request: turns the variant into a file of the bucket. Runs only on misses.
//
// `/index.html` becomes `/b/index.html`. That changes what is fetched, and not what it is stored under.

const VARIANTS = ['a', 'b'];

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const asked = request.headers['x-variant']?.[0].value;
  const variant = VARIANTS.includes(asked) ? asked : VARIANTS[0];
  request.uri = `/${variant}${request.uri}`;
  return request;
};
