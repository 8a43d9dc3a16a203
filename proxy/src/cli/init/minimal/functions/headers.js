// Viewer response: adds headers to every answer below 400, whether it comes from the cache or from the origin.

exports.handler = async (event) => {
  const { response } = event.Records[0].cf;
  response.headers['x-content-type-options'] = [{ key: 'X-Content-Type-Options', value: 'nosniff' }];
  response.headers['referrer-policy'] = [{ key: 'Referrer-Policy', value: 'strict-origin-when-cross-origin' }];
  return response;
};
