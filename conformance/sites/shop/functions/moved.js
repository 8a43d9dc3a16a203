'use strict';
// What the old site had and the new one has not: to the new one's search.
exports.handler = async (event) => {
  const { request, response } = event.Records[0].cf;
  if (response.status !== '404') return response;
  const words = request.uri.slice('/old/'.length).replace(/\.html$/, '').split('-').join('+');
  return {
    status: '301',
    statusDescription: 'Moved Permanently',
    headers: {
      location: [{ key: 'Location', value: `/search?q=${words}` }],
      'cache-control': [{ key: 'Cache-Control', value: 'max-age=3600' }],
    },
  };
};
