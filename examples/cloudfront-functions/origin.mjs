// An origin that speaks three languages, and tells at /whoami who asked.
import { createServer } from 'node:http';

const GREETINGS = { en: 'Hello', de: 'Guten Tag', fr: 'Bonjour' };

createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('X-Backend', 'app-7');
  if (request.url === '/whoami') {
    // What is made of True-Client-IP is for one viewer: the header is in no cache key.
    response.setHeader('Cache-Control', 'private, no-store');
    response.end(`you come from ${request.headers['true-client-ip']}\n`);
    return;
  }
  const language = request.headers['accept-language'];
  response.setHeader('Vary', 'Accept-Language');
  response.end(`${GREETINGS[language] ?? 'Accept-Language?'}\n`);
}).listen(9411, '127.0.0.1', () => console.log('origin on http://127.0.0.1:9411'));
