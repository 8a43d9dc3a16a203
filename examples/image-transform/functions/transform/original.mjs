// The original of an image, from the origin of the behaviour. Which host that is is said by the distribution and by nothing
// that viewers send, and it follows no redirect to another one.

import { readFile } from 'node:fs/promises';
import { Refusal } from './refusal.mjs';

// By which the origin knows us. It is packed with the function, and in no repository.
const KEY = new URL('origin.key', import.meta.url);
const MOST_BYTES = 16 * 1024 * 1024;
// Milliseconds for all of it, reading included.
const TIMEOUT = 5000;

export async function original({ uri, origin: { custom } }) {
  const headers = { 'X-Origin-Key': await readFile(KEY, 'utf8') };
  const url = `${custom.protocol}://${custom.domainName}:${custom.port}${custom.path}${uri}`;
  let response;
  try {
    response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
    if (response.status === 200) {
      return await bounded(response.body);
    }
    await response.body?.cancel();
  } catch (e) {
    if (e instanceof Refusal) {
      throw e;
    }
    throw new Refusal('502', 'Bad Gateway', 'The original cannot be had at the moment.', e.message);
  }
  // S3 says 403 of what is not there to whoever may not list the bucket.
  if ([403, 404, 410].includes(response.status)) {
    throw new Refusal('404', 'Not Found', 'No such image.', `the origin says ${response.status}`);
  }
  throw new Refusal('502', 'Bad Gateway', 'The original cannot be had at the moment.', `the origin says ${response.status}`);
}

async function bounded(stream) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MOST_BYTES) {
      throw new Refusal('415', 'Unsupported Media Type', 'The original is too large.');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
