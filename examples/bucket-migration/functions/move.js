'use strict';

// Origin request: moves a share of the requests from an old bucket to a new one. Runs only when the cache has no answer.
//
// The behaviour's origin is a group: the new bucket, and the old one for what the new one does not have. So this runs
// once for the new bucket and, if that fails, once more for the old one. What is to be done stands in two headers of
// the new bucket's origin:
//
//   X-Move-Percent   the share of objects that the new bucket is asked for, 0 to 100
//   X-Move-From      the domain name of the old bucket, which is asked for the others

const { createHash } = require('node:crypto');

exports.handler = async (event) => {
  const { request } = event.Records[0].cf;
  const { s3 } = request.origin;

  const from = take(s3.customHeaders, 'x-move-from');
  const percent = take(s3.customHeaders, 'x-move-percent');
  // The old bucket's own turn, or an origin that nothing is moved to.
  if (from === undefined || isMoved(request.uri, percent)) {
    return request;
  }

  s3.domainName = from;
  s3.region = regionOf(from);
  // Another bucket does not mean another Host header: S3 tells its buckets apart by it.
  request.headers.host = [{ key: 'Host', value: from }];
  return request;
};

// Whether an object is in the share. Decided by the path alone: each object is asked for in one place wherever the
// viewer is, and what is moved stays moved while the share grows. What is no number counts as 0, for the old bucket has
// everything.
function isMoved(uri, percent) {
  const hash = createHash('sha256').update(uri).digest();
  return (hash.readUInt32BE(0) / 2 ** 32) * 100 < Number(percent);
}

// A header of the origin. It is for this function, so the bucket does not get it.
function take(headers, name) {
  const value = headers[name]?.[0].value;
  delete headers[name];
  return value;
}

// `shop-old.s3.eu-west-1.amazonaws.com` is in eu-west-1. Empty for names without a region, which are good for unsigned
// requests.
function regionOf(domainName) {
  return /\.s3\.([a-z0-9-]+)\.amazonaws\.com$/.exec(domainName)?.[1] ?? '';
}
