'use strict';
exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const cookies = (request.headers.cookie || []).map((line) => line.value).join('; ');
  if (/(^|; )session=[^;]+/.test(cookies)) return request;
  const next = encodeURIComponent(request.uri + (request.querystring ? `?${request.querystring}` : ''));
  return {
    status: '302',
    statusDescription: 'Found',
    headers: {
      location: [{ key: 'Location', value: `/sign-in?next=${next}` }],
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
    },
  };
};
