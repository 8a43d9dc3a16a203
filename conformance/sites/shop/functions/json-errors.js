'use strict';
// Clients of the API read JSON, whatever the framework behind it says.
exports.handler = async (event) => {
  const { response } = event.Records[0].cf;
  if (Number(response.status) < 500) return response;
  response.status = '503';
  response.statusDescription = 'Service Unavailable';
  response.headers['content-type'] = [{ key: 'Content-Type', value: 'application/json' }];
  response.headers['retry-after'] = [{ key: 'Retry-After', value: '5' }];
  response.body = '{"error":"try again"}';
  return response;
};
