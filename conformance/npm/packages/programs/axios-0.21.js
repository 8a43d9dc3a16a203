const http = require('http');

module.exports = (server) => {
  // As AWS X-Ray and others do it.
  const { request } = http;
  http.request = (...args) => request(...args);
  return require('./support/axios.js')(require('axios-0.21'), server).finally(() => { http.request = request; });
};
