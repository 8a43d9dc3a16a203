'use strict';
// Half of the visitors see another page, and each the same one every time: by a cookie, or by what their address hashes to.
exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const cookies = (request.headers.cookie || []).map((line) => line.value).join('; ');
  const [, kept] = /(?:^|; )choice=([ab])/.exec(cookies) || [];
  const drawn = [...request.clientIp].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 2 ? 'a' : 'b';
  request.headers['x-choice'] = [{ key: 'X-Choice', value: kept || drawn }];
  return request;
};
