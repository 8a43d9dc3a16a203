'use strict';
exports.handler = async (event) => {
  const { response } = event.Records[0].cf;
  response.headers['strict-transport-security'] = [
    { key: 'Strict-Transport-Security', value: 'max-age=31536000' },
  ];
  response.headers['content-security-policy'] = [
    { key: 'Content-Security-Policy', value: "default-src 'self'" },
  ];
  return response;
};
