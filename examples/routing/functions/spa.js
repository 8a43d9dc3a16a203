'use strict';

// Viewer request: the addresses of a single-page application. They exist in its router only, so all get the one page.
//
// It is here and not at origin-request because the path is the cache key: so all of them share one stored copy. (At
// origin-request, each address would have its own.)

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (isPage(request.method, request.uri)) {
    request.uri = '/index.html';
  }
  return request;
};

function isPage(method, uri) {
  if (method !== 'GET' && method !== 'HEAD') {
    return false;
  }
  // `/api` has a behaviour of its own without this function. Whoever removes that one should see errors, not a page.
  if (uri === '/api' || uri.startsWith('/api/')) {
    return false;
  }
  // A file has a dot in its name: one that is missing is a 404, and no page in a script's place.
  return !uri.slice(uri.lastIndexOf('/') + 1).includes('.');
}
