'use strict';

// Viewer request: refuses tools that say what they are, whoever walks into the trap, and images embedded in other sites.
//
// Everything it goes by is said by the viewer. It keeps out the lazy, and saves their traffic; it is no lock.

// Scanners and scrapers, as they call themselves.
const REFUSED = /\b(?:acunetix|masscan|nikto|nuclei|python-requests|scrapy|sqlmap|zgrab)\b/i;

// robots.txt forbids it and no page shows it, so only who ignores the one and reads the source gets there.
const TRAP = '/private-offers/';

const IMAGE = /\.(?:avif|gif|jpe?g|png|svg|webp)$/i;

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const reason = refusal(request);
  if (!reason) {
    return request;
  }
  // For whoever makes a list of addresses of it. The function itself remembers nothing.
  console.log(JSON.stringify({ refused: reason, ip: request.clientIp, uri: request.uri }));
  return {
    status: '403',
    statusDescription: 'Forbidden',
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'text/plain; charset=utf-8' }],
      // The node does not store it. Nobody else shall either: the next viewer may be a welcome one.
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
    },
    // It does not say why, which would be advice.
    body: 'Not for you.\n',
  };
};

function refusal({ uri, headers }) {
  const path = decoded(uri);
  const agent = all(headers, 'user-agent');
  // Browsers and search engines send one.
  if (agent === '') {
    return 'no user agent';
  }
  if (REFUSED.test(agent)) {
    return 'user agent';
  }
  if (path.startsWith(TRAP)) {
    return 'trap';
  }
  if (IMAGE.test(path) && isEmbeddedElsewhere(headers)) {
    return 'hotlink';
  }
  return undefined;
}

function isEmbeddedElsewhere(headers) {
  const own = all(headers, 'host').toLowerCase();
  // Origin where there is one, because Referer may be shortened or left out.
  const from = all(headers, 'origin') || all(headers, 'referer');
  if (hostOf(from) === own) {
    return false;
  }
  // Browsers of today say it in so many words, and pages cannot change them.
  const site = all(headers, 'sec-fetch-site');
  if (site !== '') {
    // A link to the image is a visit and no embedding: the viewer sees our address.
    return site === 'cross-site' && all(headers, 'sec-fetch-dest') !== 'document';
  }
  // Who says nothing is let in: some browsers, proxies and feed readers never say where they come from.
  return from !== '';
}

// `/images/kite%2Esvg` is the same object to a bucket.
function decoded(uri) {
  try {
    return decodeURIComponent(uri);
  } catch {
    return uri;
  }
}

// Host and port of a URL; undefined for what is none, such as `null`.
function hostOf(url) {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

// The values of a header that may have come more than once.
function all(headers, name) {
  return (headers[name] || []).map(({ value }) => value).join(', ');
}
