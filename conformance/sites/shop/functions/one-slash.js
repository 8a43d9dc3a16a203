function handler(event) {
  var request = event.request;
  if (request.uri.length > 1 && !request.uri.endsWith('/') && !request.uri.includes('.')) {
    return {
      statusCode: 301,
      statusDescription: 'Moved Permanently',
      headers: { location: { value: request.uri + '/' } },
    };
  }
  if (request.uri.endsWith('/')) request.uri += 'index.html';
  return request;
}
