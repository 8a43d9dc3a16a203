// Origin request on /images/*: answers with what the query asks for, made of the original. Runs only when the cache has no
// answer; what it generates is stored like an answer of the origin, so that each form of an image is computed once.

import { createHash } from 'node:crypto';
import { derive } from './derive.mjs';
import { original } from './original.mjs';
import { Refusal } from './refusal.mjs';

// A day in browsers, which nobody can purge, and a year at the edge.
const GOOD = 'public, max-age=86400, s-maxage=31536000';
// What is missing or broken now may be repaired soon.
const BAD = 'public, max-age=10';

// What the function at viewer-request leaves of a request. In a behaviour without that function, nothing else passes either.
// The path becomes that of another request, where dots would lead out of the folder.
const IMAGE = /^\/images\/[a-z0-9][a-z0-9-]{0,63}\.(jpg|png|gif|webp)$/;
const FORM = {
  size: /^(200|400|800|1600|200x200|300x150)$/,
  fit: /^(cover|contain|inside)$/,
  q: /^(40|60|80)$/,
  rotate: /^(90|180|270)$/,
  crop: /^(band|top)$/,
  format: /^(avif|webp|plain)$/,
};

export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  try {
    const wanted = parse(request);
    const { data, type } = await derive(await original(request), wanted);
    // By what it is and not by when it was made: made anew, it is still what a browser has.
    const tag = createHash('sha256').update(data).digest('base64url').slice(0, 22);
    const fields = { 'Content-Type': type, 'Cache-Control': GOOD, ETag: `"${tag}"` };
    return answer('200', 'OK', fields, { body: data.toString('base64'), bodyEncoding: 'base64' });
  } catch (e) {
    if (!(e instanceof Refusal)) {
      throw e;
    }
    console.warn(`${request.uri}?${request.querystring}: ${e.reason}`);
    const fields = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': BAD };
    return answer(e.status, e.description, fields, { body: `${e.message}\n` });
  }
};

function parse({ uri, querystring }) {
  if (!IMAGE.test(uri)) {
    throw new Refusal('404', 'Not Found', 'No such image.');
  }
  const wanted = Object.fromEntries(new URLSearchParams(querystring));
  for (const [name, value] of Object.entries(wanted)) {
    if (!(Object.hasOwn(FORM, name) && FORM[name].test(value))) {
      throw new Refusal('400', 'Bad Request', 'No such form of an image.');
    }
  }
  return { size: '1600', ...wanted };
}

function answer(status, statusDescription, fields, body) {
  const headers = Object.entries(fields).map(([key, value]) => [key.toLowerCase(), [{ key, value }]]);
  return { status, statusDescription, headers: Object.fromEntries(headers), ...body };
}
