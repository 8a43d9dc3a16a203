'use strict';

// Origin request: one address for three services. The path chooses first, then a header.
//
//   /api/search/...                -> search, as /...
//   /api/... with X-Api-Version: 2 -> version 2, as /...
//   /api/...                       -> version 1, as /...
//
// Only values that are listed here choose: no viewer can send a request to a host of their own.

const SEARCH = service(9413);
const VERSIONS = new Map([
  ['1', service(9411)],
  ['2', service(9414)],
]);

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;

  if (request.uri.startsWith('/api/search/')) {
    send(request, SEARCH, '/api/search');
    return request;
  }
  const wanted = request.headers['x-api-version']?.[0].value ?? '1';
  const version = VERSIONS.get(wanted);
  if (!version) {
    return {
      status: '400',
      statusDescription: 'Bad Request',
      headers: {
        'content-type': [{ key: 'Content-Type', value: 'application/json' }],
        'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
      },
      body: '{"error":"X-Api-Version is 1 or 2"}\n',
    };
  }
  send(request, version, '/api');
  return request;
};

function send(request, origin, prefix) {
  request.uri = request.uri.slice(prefix.length);
  request.origin = { custom: origin };
  request.headers.host = [{ key: 'Host', value: origin.domainName }];
}

// On AWS: a public name for each, port 443 and `https`.
function service(port) {
  return {
    domainName: '127.0.0.1',
    port,
    protocol: 'http',
    path: '',
    sslProtocols: ['TLSv1.2'],
    readTimeout: 10,
    keepaliveTimeout: 5,
    customHeaders: {},
  };
}
