// A stand-in for S3 with two private buckets, which are the folders below buckets/: `GET /BUCKET/KEY`. Of keys that are not
// there it says what S3 says to those who may not list the bucket: 403. It says the same to requests that are not signed for
// the bucket's region; the signature itself it takes on trust. `GET /asked` tells what it was asked for since it told that
// last.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;
const KEY = /^\/[a-z0-9-]+(\/[a-z0-9-]+)*\.txt$/;
const REGIONS = { 'shop-assets': 'us-east-1', 'shop-assets-2026': 'eu-west-1' };
const SIGNED = /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/([a-z0-9-]+)\/s3\/aws4_request, /;
const DENIED =
  '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>\n';

let asked = [];

const server = createServer(async (request, response) => {
  if (request.url === '/asked') {
    response.end(asked.map((line) => `${line}\n`).join(''));
    asked = [];
    return;
  }
  asked.push(request.url);
  try {
    const [, region] = SIGNED.exec(request.headers.authorization ?? '') ?? [];
    if (region !== REGIONS[request.url.split('/')[1]] || !KEY.test(request.url)) {
      throw new Error('not signed, or no such key');
    }
    const body = await readFile(new URL(`buckets${request.url}`, import.meta.url));
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length }).end(body);
  } catch {
    response.writeHead(403, { 'Content-Type': 'application/xml' }).end(DENIED);
  }
});
server.listen(PORT, HOST, () => console.log(`s3 ready on http://${HOST}:${PORT}`));
