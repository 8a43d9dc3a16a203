// A stand-in for the two APIs. Each takes 100 ms for an answer, and can be made slow or broken.
//
//   GET  /weather?harbour=kiel, /tides?harbour=kiel   data, with a running number
//   POST /weather?be=slow, /tides?be=broken           how it is from now on: well, slow or broken
//   GET  /stats                                       how many questions there were at the same time

import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;

const apis = new Map([
  ['/weather', { state: 'well', asked: 0, data: { wind: 'NW 5', air: 11 } }],
  ['/tides', { state: 'well', asked: 0, data: { high: '04:12', low: '10:27' } }],
]);
let open = 0;
let atOnce = 0;

const server = createServer(async (request, response) => {
  const url = new URL(request.url, `http://${HOST}`);
  if (url.pathname === '/stats') {
    return response.end(`${JSON.stringify({ atOnce })}\n`);
  }
  const api = apis.get(url.pathname);
  if (api === undefined) {
    return response.writeHead(404).end();
  }
  if (request.method === 'POST') {
    api.state = url.searchParams.get('be');
    return response.end(`${url.pathname} is ${api.state}\n`);
  }
  api.asked += 1;
  const number = api.asked;
  open += 1;
  atOnce = Math.max(atOnce, open);
  await sleep(api.state === 'slow' ? 3000 : 100);
  open -= 1;
  if (api.state === 'broken') {
    return response.writeHead(500).end();
  }
  response.setHeader('Content-Type', 'application/json');
  return response.end(JSON.stringify({ ...api.data, number }));
});
server.listen(PORT, HOST, () => console.log(`apis ready on http://${HOST}:${PORT}`));
