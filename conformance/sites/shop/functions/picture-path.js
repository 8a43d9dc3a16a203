'use strict';
const WIDTHS = [320, 640, 1280];

// /pictures/a.jpg?w=500 is /640/a.webp or /640/a.jpg at the origin.
exports.handler = (event, context, callback) => {
  const request = event.Records[0].cf.request;
  const wanted = Number(new URLSearchParams(request.querystring).get('w')) || 1280;
  const width = WIDTHS.find((known) => known >= wanted) || 1280;
  const accept = request.headers.accept ? request.headers.accept[0].value : '';
  const name = request.uri.slice('/pictures/'.length);
  request.uri = `/${width}/${accept.includes('image/webp') ? name.replace(/\.jpg$/, '.webp') : name}`;
  request.querystring = '';
  callback(null, request);
};
