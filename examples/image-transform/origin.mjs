// A stand-in for the bucket: what is in the folder `origin`, for who knows the secret.

import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;
const KEY = process.env.ORIGIN_KEY ?? 'change-me';

const hash = (text) => createHash('sha256').update(text).digest();
// How often an original was asked for, and is found.
let answered = 0;

const server = createServer(async ({ method, url, headers }, response) => {
  if (url === '/stats') {
    return response.end(`originals sent: ${answered}\n`);
  }
  if (!timingSafeEqual(hash(headers['x-origin-key'] ?? ''), hash(KEY))) {
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
