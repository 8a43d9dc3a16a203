// A viewer-response hook that adds one header.
exports.handler = async (event) => {
  const { response } = event.Records[0].cf;
  response.headers['x-hook'] = [{ key: 'X-Hook', value: 'viewer-response' }];
  return response;
};
