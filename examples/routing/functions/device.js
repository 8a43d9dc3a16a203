'use strict';

// Origin request: another file for small screens, under the same address. Runs only on misses.
//
// CloudFront-Is-Mobile-Viewer is `true` or `false`, made of the User-Agent, of which there are thousands. With the latter
// in the key, hardly anything would be a hit.

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const mobile = request.headers['cloudfront-is-mobile-viewer']?.[0].value === 'true';
  // A tablet is no mobile device here: CloudFront-Is-Tablet-Viewer is a header of its own.
  if (mobile) {
    request.uri = `/mobile${request.uri}`;
  }
  return request;
};
