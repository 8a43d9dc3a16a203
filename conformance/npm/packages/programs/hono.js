const { Hono } = require('hono');
const { basicAuth } = require('hono/basic-auth');
const { cors } = require('hono/cors');
const { getCookie, setCookie } = require('hono/cookie');
const { jwt, sign } = require('hono/jwt');
const { etag } = require('hono/etag');
const { handle } = require('hono/lambda-edge');
const { HTTPException } = require('hono/http-exception');
const { stream, streamText } = require('hono/streaming');
const { html } = require('hono/html');
const { cases } = require('./support/cases.js');

function app() {
  const app = new Hono();
  app.use('/private/*', basicAuth({ username: 'ana', password: 'p' }));
  app.use('/api/*', cors({ origin: 'https://shop.test' }));
  app.use('/token/*', jwt({ secret: 'secret', alg: 'HS256' }));
  app.use('/etag', etag());
  app.get('/hello/:name{[a-z]+}', (c) => c.text(`Hello, ${c.req.param('name')}!`));
  app.get('/json', (c) => c.json({ q: c.req.query(), many: c.req.queries('a') }));
  app.post('/form', async (c) => c.json(await c.req.parseBody()));
  app.post('/body', async (c) => c.json({ got: await c.req.json() }, 201, { 'X-Own': 'v' }));
  app.get('/private/page', (c) => c.text('in'));
  app.get('/api/data', (c) => c.json([1]));
  app.get('/token/who', (c) => c.json(c.get('jwtPayload')));
  app.get('/etag', (c) => c.text('tagged'));
  app.get('/cookies', (c) => {
    setCookie(c, 'a', '1', { httpOnly: true, path: '/' });
    setCookie(c, 'b', 'x y');
    return c.json(getCookie(c));
  });
  app.get('/html', (c) => c.html(html`<p>${'<escaped>'}</p>`));
  app.get('/stream', (c) => streamText(c, async (out) => {
    for (const part of ['a', 'b', 'c']) await out.write(part);
  }));
  app.get('/bytes', (c) => stream(c, async (out) => { await out.write(new Uint8Array([1, 2, 255])); }));
  app.get('/denied', () => { throw new HTTPException(403, { message: 'denied' }); });
  app.get('/throws', () => { throw new Error('broken'); });
  app.route('/sub', new Hono().get('/', (c) => c.text('sub')));
  app.onError((error, c) => error instanceof HTTPException ? error.getResponse() : c.text(`failed: ${error.message}`, 500));
  app.notFound((c) => c.text('nothing here', 404));
  return app;
}

module.exports = () => {
  const hono = app();
  const ask = async (path, init) => {
    const r = await hono.request(path, init);
    return [r.status, await r.text(), [...r.headers].sort()];
  };
  const event = (uri, querystring = '', method = 'GET', body) => ({ Records: [{ cf: {
    config: { distributionDomainName: 'd.test', distributionId: 'D', eventType: 'viewer-request', requestId: 'r' },
    request: { clientIp: '192.0.2.1', method, uri, querystring, headers: { host: [{ key: 'Host', value: 'shop.test' }] }, body },
  } }] });
  return cases({
    text: () => ask('/hello/ana'),
    pattern: () => ask('/hello/ANA'),
    json: () => ask('/json?a=1&a=2&b=%C3%A9'),
    form: () => ask('/form', { method: 'POST', body: new URLSearchParams({ a: '1' }) }),
    multipart: async () => {
      const data = new FormData();
      data.append('a', 'é');
      return ask('/form', { method: 'POST', body: data });
    },
    body: () => ask('/body', { method: 'POST', body: JSON.stringify({ a: 1 }), headers: { 'Content-Type': 'application/json' } }),
    auth: () => ask('/private/page'),
    authorised: () => ask('/private/page', { headers: { Authorization: `Basic ${btoa('ana:p')}` } }),
    preflight: () => ask('/api/data', { method: 'OPTIONS', headers: { Origin: 'https://shop.test', 'Access-Control-Request-Method': 'GET' } }),
    token: async () => ask('/token/who', { headers: { Authorization: `Bearer ${await sign({ sub: 'ana' }, 'secret', 'HS256')}` } }),
    bad_token: () => ask('/token/who', { headers: { Authorization: 'Bearer a.b.c' } }),
    etag: () => ask('/etag'),
    not_modified: async () => ask('/etag', { headers: { 'If-None-Match': (await hono.request('/etag')).headers.get('etag') } }),
    cookies: () => ask('/cookies', { headers: { Cookie: 'x=1; y=%20' } }),
    html: () => ask('/html'),
    stream: () => ask('/stream'),
    bytes: async () => Buffer.from(await (await hono.request('/bytes')).arrayBuffer()).toString('hex'),
    denied: () => ask('/denied'),
    throws: () => ask('/throws'),
    sub: () => ask('/sub'),
    not_found: () => ask('/nowhere'),
    method: () => ask('/sub', { method: 'DELETE' }),
    edge: () => handle(hono)(event('/hello/ana'), {}, () => {}),
    edge_query: () => handle(hono)(event('/json', 'a=1&b=2'), {}, () => {}),
    edge_body: () => handle(hono)(event('/body', '', 'POST', { action: 'read-only', encoding: 'base64', inputTruncated: false, data: Buffer.from('{"a":"é"}').toString('base64') }), {}, () => {}),
    edge_bytes: () => handle(hono)(event('/bytes'), {}, () => {}),
    routes: () => hono.routes.length,
    imported: async () => (await import('hono')).Hono.name,
  });
};
