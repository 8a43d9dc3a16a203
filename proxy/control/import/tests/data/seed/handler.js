'use strict';

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  request.headers['x-seed'] = [{ key: 'X-Seed', value: 'edge' }];
  return request;
};
