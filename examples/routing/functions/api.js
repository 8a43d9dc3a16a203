'use strict';

// Origin request: one address for three services. The path chooses first, then a header.
//
//   /api/search/...                -> search, as /...
//   /api/... with X-Api-Version: 2 -> version 2, as /...
//   /api/...                       -> version 1, as /...
//
// The path is here as the viewer wrote it, while the behaviour was chosen by what it means: `/x/../api/a` comes here, too.
// To cut off a beginning that is not there would make some other path of it.
// Only values that are listed here choose: no viewer can send a request to a host of their own.

const SEARCH = service(9413);
const VERSIONS = new Map([
  ['1', service(9411)],
  ['2', service(9414)],
]);

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;

  if (!request.uri.startsWith('/api/')) {
    return refusal('404', 'Not Found', 'no such path');
  }
  if (request.uri.startsWith('/api/search/')) {
    send(request, SEARCH, '/api/search');
    return request;
  }
  const wanted = request.headers['x-api-version']?.[0].value ?? '1';
  const version = VERSIONS.get(wanted);
  if (!version) {
    return refusal('400', 'Bad Request', 'X-Api-Version is 1 or 2');
  }
  send(request, version, '/api');
  return request;
};

function send(request, origin, prefix) {
  request.uri = request.uri.slice(prefix.length);
  request.origin = { custom: origin };
  request.headers.host = [{ key: 'Host', value: origin.domainName }];
}

function refusal(status, statusDescription, error) {
  return {
    status,
    statusDescription,
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'application/json' }],
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
    },
    body: `${JSON.stringify({ error })}\n`,
  };
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
