// A stand-in for the bucket: what is in the folder `origin`, for who has the key. The first start makes one at random, in
// the bundle of the function.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;
const KEY = new URL('functions/transform/origin.key', import.meta.url);
if (!existsSync(KEY)) {
  writeFileSync(KEY, randomBytes(32).toString('base64url'), { mode: 0o600 });
}

const hash = (text) => createHash('sha256').update(text).digest();
const expected = hash(readFileSync(KEY, 'utf8'));
// How often an original was asked for, and is found.
let answered = 0;

const server = createServer(async ({ method, url, headers }, response) => {
  if (url === '/stats') {
    return response.end(`originals sent: ${answered}\n`);
  }
  if (!timingSafeEqual(hash(headers['x-origin-key'] ?? ''), expected)) {
    return response.writeHead(403).end('not for you\n');
  }
  try {
    if (method !== 'GET' || !/^\/images\/[a-z0-9-]+\.[a-z]+$/.test(url)) {
      throw new Error('no such file');
    }
    const content = await readFile(new URL(`origin${url}`, import.meta.url));
    answered += 1;
    return response.end(content);
  } catch {
    return response.writeHead(404).end('no such file\n');
  }
});
server.listen(PORT, HOST, () => console.log(`originals ready on http://${HOST}:${PORT}`));
