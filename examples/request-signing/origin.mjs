// An origin that answers the CDN and nobody else: it checks the signature and the date of each request. Every answer
// carries a running number, so that an answer from the cache is told from a new one.

import { timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { sign } = require('./functions/sign/signature.js');
// While secrets change, those of before and after are good.
const secrets = new Map(require('./functions/sign/secrets.json').map(({ id, secret }) => [id, secret]));

const HOST = '127.0.0.1';
const PORT = 9411;
// Seconds by which a request may be old, or clocks apart. Who has seen a signed request can send it again for as long
// as that.
const WINDOW = 60;

// Why a request is refused, if it is.
function refusal({ method, url, headers }) {
  const [id, given] = (headers['x-origin-signature'] ?? '').split(':');
  const date = headers['x-origin-date'];
  if (!given || !date) {
    return 'not signed';
  }
  const secret = secrets.get(id);
  if (secret === undefined) {
    return 'signed with an unknown secret';
  }
  const expected = Buffer.from(sign(secret, { method, target: url, date }));
  const actual = Buffer.from(given);
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) {
    return 'wrong signature';
  }
  // Only now is the date worth looking at.
  if (!(Math.abs(Date.now() / 1000 - Number(date)) <= WINDOW)) {
    return 'too old, or a wrong clock';
  }
  return undefined;
}

let answered = 0;

const server = createServer((request, response) => {
  const refused = refusal(request);
  if (refused !== undefined) {
    return response.writeHead(403, { 'Cache-Control': 'no-store' }).end(`${refused}\n`);
  }
  answered += 1;
  response.setHeader('Cache-Control', 'public, max-age=60');
  return response.end(`answer ${answered} to ${request.method} ${request.url}\n`);
});
server.listen(PORT, HOST, () => console.log(`origin ready on http://${HOST}:${PORT}`));
