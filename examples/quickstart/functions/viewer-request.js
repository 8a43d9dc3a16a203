'use strict';

// Viewer request: an A/B test. Runs for every request, before the cache is asked.
//
// Each viewer is given a variant once and keeps it in a cookie. Viewers of variant B get another page under the same
// address. The cookie itself is not part of the cache key: the rewritten path is, so there is one stored copy per
// variant and not one per viewer.

const COOKIE = 'variant';
const SHARE_OF_B = 0.5;

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;

  // Only this function may say that a variant is new.
  delete request.headers['x-assigned-variant'];

  let variant = cookie(request.headers, COOKIE);
  if (variant !== 'a' && variant !== 'b') {
    variant = Math.random() < SHARE_OF_B ? 'b' : 'a';
    // The viewer-response function sees the request as it is left here, and sets the cookie. The origin does not see
    // this header: no policy forwards it.
    request.headers['x-assigned-variant'] = [{ key: 'X-Assigned-Variant', value: variant }];
  }

  if (variant === 'b' && (request.uri === '/' || request.uri === '/index.html')) {
    request.uri = '/b/index.html';
  }
  return request;
};

function cookie(headers, name) {
  for (const { value } of headers.cookie || []) {
    for (const pair of value.split(';')) {
      const [key, ...rest] = pair.trim().split('=');
      if (key === name) {
        return rest.join('=');
      }
    }
  }
  return undefined;
}
