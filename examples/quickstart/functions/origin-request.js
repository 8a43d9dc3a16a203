'use strict';

// Origin request: routing. Runs only when the cache has no answer. What it changes does not change the cache key.
//
// `/api/...` goes to another origin. Addresses without an extension are files with `.html`.

// An origin that stands in no configuration. On AWS, put the API's public name here, with port 443 and `https`.
const API = {
  domainName: 'localhost',
  port: 9401,
  protocol: 'http',
  path: '/v1',
  sslProtocols: ['TLSv1.2'],
  readTimeout: 5,
  keepaliveTimeout: 5,
  customHeaders: {
    'x-api-client': [{ key: 'X-Api-Client', value: 'quickstart' }],
  },
};

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;

  if (request.uri.startsWith('/api/')) {
    request.uri = request.uri.slice('/api'.length);
    request.origin = { custom: API };
    // Another origin does not mean another Host header: that is a decision of its own.
    request.headers.host = [{ key: 'Host', value: API.domainName }];
  } else if (isPage(request.uri)) {
    request.uri += '.html';
  }
  return request;
};

// Whether the last part of a path is a plain name: `/about`, but not `/about/`, `/a.css`.
function isPage(uri) {
  const name = uri.slice(uri.lastIndexOf('/') + 1);
  return name !== '' && !name.includes('.');
}
