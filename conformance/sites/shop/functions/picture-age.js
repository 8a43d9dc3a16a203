'use strict';
// The server of pictures says nothing of how long they last.
exports.handler = async (event) => {
  const { response } = event.Records[0].cf;
  if (response.status === '200') {
    response.headers['cache-control'] = [{ key: 'Cache-Control', value: 'public, max-age=86400' }];
    response.headers.vary = [{ key: 'Vary', value: 'Accept' }];
  }
  return response;
};
