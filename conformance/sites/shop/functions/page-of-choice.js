'use strict';
exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.headers['x-choice'][0].value === 'b') {
    request.uri = request.uri.replace(/^\/landing\//, '/landing-b/');
  }
  return request;
};
