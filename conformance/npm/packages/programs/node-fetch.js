const { Readable } = require('stream');
const https = require('https');
const fetch = require('node-fetch');
const { cases, failing, text } = require('./support/cases.js');

module.exports = (server) => {
  const get = (path, options) => fetch(server.http + path, options);
  return cases({
    exports: () => Object.keys(fetch).sort(),
    json: async () => {
      const r = await get('/echo?a=1', { headers: { 'X-Own': 'v' } });
      return [r.ok, r.status, r.statusText, r.url, r.redirected, r.headers.get('content-type'), await r.json()];
    },
    post: async () => (await get('/echo', { method: 'POST', body: JSON.stringify({ a: 'é' }), headers: { 'Content-Type': 'application/json' } })).json(),
    form: async () => (await get('/echo', { method: 'POST', body: new URLSearchParams({ a: 'x y' }) })).json(),
    buffer: async () => (await get('/echo', { method: 'PUT', body: Buffer.from('bytes') })).json(),
    stream_up: async () => (await get('/echo', { method: 'POST', body: Readable.from([Buffer.from('in '), Buffer.from('parts')]) })).json(),
    stream_down: async () => (await text((await get('/large')).body)).length,
    text: async () => (await get('/text')).text(),
    bytes: async () => (await (await get('/text')).buffer()).length,
    array_buffer: async () => (await (await get('/text')).arrayBuffer()).byteLength,
    blob: async () => {
      const blob = await (await get('/text')).blob();
      return [blob.size, blob.type];
    },
    gzip: async () => (await get('/gzip')).json(),
    not_unpacked: async () => (await (await get('/gzip', { compress: false })).buffer()).length,
    redirect: async () => {
      const r = await get('/redirect/302/2');
      return [r.redirected, r.url, (await r.json()).query];
    },
    redirect_manual: async () => {
      const r = await get('/redirect/302/1', { redirect: 'manual' });
      return [r.status, r.headers.get('location')];
    },
    redirect_error: () => failing(() => get('/redirect/302/1', { redirect: 'error' })),
    too_many: () => failing(() => get('/loop', { follow: 2 })),
    not_found: async () => {
      const r = await get('/status/404');
      return [r.ok, r.status, await r.json()];
    },
    not_json: () => failing(async () => (await get('/broken-json')).json()),
    used_twice: () => failing(async () => {
      const r = await get('/text');
      await r.text();
      return r.text();
    }),
    clone: async () => {
      const r = await get('/text');
      const other = r.clone();
      return [await r.text(), await other.text()];
    },
    timeout: () => failing(() => get('/never', { timeout: 50 })),
    abort: async () => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 20);
      return failing(() => get('/never', { signal: abort.signal }));
    },
    too_large: () => failing(async () => (await get('/large', { size: 100 })).text()),
    refused: () => failing(() => fetch('http://127.0.0.1:1/')),
    bad_url: () => failing(() => fetch('nowhere')),
    cookies: async () => (await get('/cookies')).headers.raw()['set-cookie'],
    https: async () => (await fetch(`${server.https}/echo`, { agent: new https.Agent({ ca: server.ca }) })).status,
    untrusted: () => failing(() => fetch(`${server.https}/echo`).catch((e) => { throw Object.assign(e, { message: '' }); })),
    classes: async () => {
      const { Headers, Request, Response } = fetch;
      const headers = new Headers({ a: '1', B: '2' });
      headers.append('a', '3');
      return [[...headers], new Request(server.http, { method: 'put' }).method, await new Response('x', { status: 201 }).text()];
    },
    retried: async () => {
      for (let i = 0; ; i++) {
        const r = await get('/flaky/fetch');
        if (r.ok) return [i, await r.json()];
      }
    },
  });
};
