// A viewer-request hook that answers by itself.
exports.handler = async () => ({
  status: '200',
  statusDescription: 'OK',
  headers: {
    'content-type': [{ key: 'Content-Type', value: 'text/plain' }],
    'x-hook': [{ key: 'X-Hook', value: 'viewer-request' }],
  },
  body: 'hello, edge\n',
});
