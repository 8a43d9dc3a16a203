'use strict';

// Origin request: the nearest store for the viewer's country. Runs only on misses, once for each country and path.
//
// The country is not there at viewer-request: it is added after that, when a policy names CloudFront-Viewer-Country.
// It has to be in the cache key. Else the first viewer's store would be everybody's.

const EUROPE = new Set(
  ('AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK ' + 'CH GB IS LI NO').split(' '),
);

// On AWS: its public name, port 443 and `https`.
const EU_STORE = {
  domainName: '127.0.0.1',
  port: 9412,
  protocol: 'http',
  path: '',
  sslProtocols: ['TLSv1.2'],
  readTimeout: 10,
  keepaliveTimeout: 5,
  customHeaders: {},
};

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  // Missing when nobody knows. Those viewers stay with the behaviour's own origin.
  const country = request.headers['cloudfront-viewer-country']?.[0].value;

  if (EUROPE.has(country)) {
    request.origin = { custom: EU_STORE };
    // Another origin does not change the Host that it is asked for.
    request.headers.host = [{ key: 'Host', value: EU_STORE.domainName }];
  }
  return request;
};
