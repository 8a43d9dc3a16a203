// Four servers in one process, each of which says who it is and what it was asked for.
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const SERVERS = { 9411: 'us', 9412: 'eu', 9413: 'search', 9414: 'api version 2' };

const listening = Object.entries(SERVERS).map(([port, name]) => {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain');
    response.end(`${name}: ${request.method} ${request.url} for ${request.headers.host}\n`);
  });
  return new Promise((resolve) => server.listen(Number(port), HOST, resolve));
});
await Promise.all(listening);
console.log(`origins on http://${HOST}, ports ${Object.keys(SERVERS).join(', ')}`);
