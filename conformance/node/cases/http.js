'use strict';
// NC-18..22: the client, its messages and its errors, beside a server that says exactly what is asked of it.
const http = require('http');
const https = require('https');
const { calls, each, wrong, caught, shape, methods } = require('../lib/cases.js');

const port = Number(process.env.PEER ?? 1);
const raw = (text, keep) => `/raw/${Buffer.from(text, 'latin1').toString('hex')}${keep ? '/keep' : ''}`;
const options = (path, more) => ({ host: '127.0.0.1', port, path, agent: false, ...more });

/** What came of a request: the answer, or the error; and the events in their order. */
function ask(path, more = {}, body = undefined, act = () => {}) {
  return new Promise((resolve) => {
    const events = [];
    const request = http.request(options(path, more));
    for (const name of ['finish', 'continue', 'information', 'abort', 'timeout', 'close']) request.on(name, (info) => events.push(name === 'information' ? [name, info.statusCode, info.headers] : name));
    let answer;
    request.on('error', (error) => { events.push('error'); answer ??= error; });
    request.on('response', (response) => {
      events.push('response');
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (part) => { text += part; });
      response.on('aborted', () => events.push('aborted'));
      response.on('error', (error) => { events.push('response error'); answer = error; });
      response.on('end', () => { events.push('end'); });
      response.on('close', () => { answer ??= { status: response.statusCode, message: response.statusMessage, version: response.httpVersion, headers: response.headers, raw: response.rawHeaders, trailers: response.trailers, complete: response.complete, text }; });
    });
    request.on('close', () => setImmediate(() => setImmediate(() => resolve([answer, events]))));
    act(request);
    if (Array.isArray(body)) {
      for (const part of body) request.write(part);
      request.end();
    } else if (body !== null) request.end(body);
  });
}
const sent = async (...args) => { const [answer] = await ask(...args); return answer instanceof Error ? answer : answer.text.replace(`127.0.0.1:${port}`, 'PEER'); };
const given = (text, more) => async () => { const [answer, events] = await ask(raw(text), more); return [answer, events.filter((e) => e !== 'finish')]; };
const refused = (fn) => () => { const r = fn(); r.on?.('error', () => {}); r.destroy?.(); return typeof r; };
const made = (fn) => { const r = http.request(options('/echo', { createConnection: () => new (require('stream').Duplex)({ read() {}, write(c, e, d) { d(); } }) })); r.on('error', () => {}); try { return fn(r); } finally { r.destroy(); } };

module.exports = {
  'exports': shape(http, { skip: ['WebSocket', 'CloseEvent', 'MessageEvent'] }), 'https exports': shape(https),
  constants: { METHODS: () => http.METHODS.filter((m) => m !== 'QUERY'), STATUS_CODES: () => http.STATUS_CODES, maxHeaderSize: () => http.maxHeaderSize },
  validateHeaderName: each((n) => http.validateHeaderName(n), ['a', 'X-Y', 'a b', '', 'ä', 'a:', ...wrong()]),
  validateHeaderValue: calls((n, v) => http.validateHeaderValue(n, v), ['a', 'b'], ['a', ''], ['a', 'ü'], ['a', 'Ā'], ['a', 'b\nc'], ['a', undefined], ['a', 1], ['a', null], ['a', 'b\tc']),
  ClientRequest: methods(http.ClientRequest), IncomingMessage: methods(http.IncomingMessage), OutgoingMessage: methods(http.OutgoingMessage), ServerResponse: methods(http.ServerResponse),
  Agent: {
    defaults: () => { const a = new http.Agent(); return [a.keepAlive, a.maxSockets, a.maxFreeSockets, a.maxTotalSockets, a.scheduling, a.defaultPort, a.protocol, Object.keys(a.sockets), Object.keys(a.freeSockets), Object.keys(a.requests)]; },
    global: () => [http.globalAgent.keepAlive, http.globalAgent.options.timeout, http.globalAgent.options.scheduling, https.globalAgent.keepAlive, https.globalAgent.defaultPort, https.globalAgent.protocol],
    ...Object.fromEntries([undefined, {}, { host: 'h' }, { host: 'h', port: 1 }, { host: 'h', port: 1, localAddress: 'l' }, { host: 'h', family: 6 }, { socketPath: '/s' }].map((o, i) => [`name ${i}`, () => new http.Agent().getName(o)])),
    ...Object.fromEntries([{ host: 'h', port: 1 }, { host: 'h', servername: 's', rejectUnauthorized: false }, { host: 'h', ca: 'c', cert: 'd', ciphers: 'e' }].map((o, i) => [`secure name ${i}`, () => new https.Agent().getName(o)])),
    'without new': () => http.Agent({ keepAlive: true }) instanceof http.Agent, 'as a base': () => { class A extends http.Agent {} return new A({ maxSockets: 3 }).maxSockets; }, destroy: () => new http.Agent().destroy(),
    'bad options': () => caught(() => new http.Agent({ maxTotalSockets: 'x' })), 'bad scheduling': () => caught(() => new http.Agent({ scheduling: 'x' })),
    'keeps the connection': async () => { const agent = new http.Agent({ keepAlive: true }); const out = []; for (let i = 0; i < 2; i++) out.push(await new Promise((resolve) => { const r = http.get(options('/echo', { agent }), (response) => { response.resume(); response.on('end', () => setImmediate(() => resolve([r.reusedSocket, Object.keys(agent.sockets).length, Object.keys(agent.freeSockets).length]))); }); })); agent.destroy(); return out; },
    'waits for its turn': async () => { const agent = new http.Agent({ maxSockets: 1 }); const get = () => new Promise((resolve) => http.get(options('/echo', { agent }), (r) => { r.resume(); r.on('end', resolve); })); const all = [get(), get(), get()]; const waiting = Object.values(agent.requests).map((r) => r.length); await Promise.all(all); return waiting; },
  },
  'arguments': {
    'a protocol of others': refused(() => http.request('https://a.invalid/')), 'a protocol nobody knows': refused(() => http.request({ protocol: 'x:' })), 'https over http': refused(() => https.request('http://a.invalid/')), 'a path with a space': refused(() => http.request({ path: '/a b' })), 'a path with a line end': refused(() => http.request({ path: '/a\n' })), 'a path beyond ASCII': refused(() => http.request({ path: '/ä' })),
    'a method that is none': refused(() => http.request({ method: 'a b' })), 'a method of another type': refused(() => http.request({ method: 1 })), 'a host of another type': refused(() => http.request({ hostname: 1 })), 'an agent of another type': refused(() => http.request({ agent: 1 })), 'bad header name': refused(() => http.request({ headers: { 'a b': 'x' } })), 'bad header value': refused(() => http.request({ headers: { a: 'b\n' } })), 'no header value': refused(() => http.request({ headers: { a: undefined } })),
    'not an address': refused(() => http.request('nope')), nothing: refused(() => http.request()), 'a bad signal': refused(() => http.request({ signal: 1 })), 'insecure parser': refused(() => http.request({ insecureHTTPParser: 'x' })), 'a bad timeout': refused(() => http.request({ timeout: 'x' })), 'a bad port': refused(() => http.request({ port: 70000 })), 'a bad family': refused(() => http.request({ family: 5, host: '127.0.0.1', port: 1 })), 'bad maxHeaderSize': refused(() => http.request({ maxHeaderSize: 'x' })),
  },
  'a request': {
    fields: () => made((r) => [r.path, r.method, r.host, r.protocol, r.reusedSocket, r.aborted, r.writableEnded, r.headersSent, r.finished, typeof r.socket, r.maxHeadersCount, r.shouldKeepAlive, r.useChunkedEncodingByDefault]),
    headers: () => made((r) => { r.setHeader('X-A', 'b'); r.setHeader('x-list', ['1', '2']); r.appendHeader('x-list', '3'); return [r.getHeader('x-a'), r.getHeader('X-LIST'), r.hasHeader('x-a'), r.getHeaderNames(), r.getRawHeaderNames(), r.getHeaders(), r.removeHeader('x-a'), r.hasHeader('X-A')]; }),
    setHeaders: () => made((r) => { r.setHeaders(new Headers({ a: 'b' })); r.setHeaders(new Map([['c', 'd']])); return { ...r.getHeaders(), host: '' }; }), 'setHeaders, wrongly': () => made((r) => caught(() => r.setHeaders({ a: 'b' }))),
    ...each((args) => made((r) => caught(() => r.setHeader(...args))), [['a b', 'x'], ['a', undefined], ['a', 'b\nc'], ['', 'x'], [1, 'x'], ['a', 'Ā']]), 'getHeader, wrongly': () => made((r) => caught(() => r.getHeader(1))), 'removeHeader, wrongly': () => made((r) => caught(() => r.removeHeader(1))), 'hasHeader, wrongly': () => made((r) => caught(() => r.hasHeader())), 'appendHeader, wrongly': () => made((r) => caught(() => r.appendHeader('a', undefined))),
    'after sending': () => made((r) => { r.flushHeaders(); return [r.headersSent, caught(() => r.setHeader('a', 'b')), caught(() => r.removeHeader('a')), caught(() => r.appendHeader('a', 'b'))]; }),
    'write of nothing': () => made((r) => caught(() => r.write())), 'write of null': () => made((r) => caught(() => r.write(null))), 'write of a number': () => made((r) => caught(() => r.write(1))), 'trailers, wrongly': () => made((r) => caught(() => r.addTrailers({ 'a b': 'c' }))), 'bad timeout': () => made((r) => caught(() => r.setTimeout('x'))), chaining: () => made((r) => [r.setHeader('a', 'b') === r, r.setTimeout(1) === r, r.end() === r, r.destroy() === r, r.flushHeaders()]),
  },
  'as it is sent': {
    get: () => sent('/echo'), 'own headers': () => sent('/echo', { headers: { 'X-Own': 'a', 'x-list': ['1', '2'], Cookie: ['a=1', 'b=2'] } }), 'headers as a list': () => sent('/echo', { headers: ['X-A', '1', 'x-b', '2', 'Host', 'h'] }), 'host of its own': () => sent('/echo', { headers: { host: 'other' } }), 'no host': () => sent('/echo', { setHost: false }), 'no default headers': () => sent('/echo', { setDefaultHeaders: false, headers: { Host: 'x' } }), auth: () => sent('/echo', { auth: 'u:p' }), 'a query': () => sent('/echo?a=b%20c'),
    post: () => sent('/echo', { method: 'POST' }, 'body'), 'in parts': () => sent('/echo', { method: 'POST' }, ['a', 'bc', Buffer.from('d')]), 'with its length': () => sent('/echo', { method: 'PUT', headers: { 'Content-Length': 3 } }, ['a', 'bc']), 'empty post': () => sent('/echo', { method: 'POST' }), 'a body of GET': () => sent('/echo', { method: 'GET' }, 'x'), delete: () => sent('/echo', { method: 'DELETE' }), 'lower case': () => sent('/echo', { method: 'patch' }, 'x'), latin1: () => sent('/echo', { method: 'POST' }, undefined, (r) => r.write('ü', 'latin1')), trailers: () => sent('/echo', { method: 'POST', headers: { Trailer: 'x' } }, 'a', (r) => { r.write('b'); r.addTrailers({ x: 'y' }); }), 'kept alive': () => sent('/echo', { agent: new http.Agent({ keepAlive: true }), headers: { connection: 'close' } }),
    'more than its length': () => sent('/echo', { method: 'POST', headers: { 'content-length': 2 } }, 'abc'), options: () => sent('/echo', { method: 'OPTIONS' }),
    'from an address': () => new Promise((resolve) => http.get(`http://127.0.0.1:${port}/echo?x`, { agent: false, headers: { a: 'b' } }, (r) => { let t = ''; r.on('data', (d) => { t += d; }); r.on('end', () => resolve(t.replace(`127.0.0.1:${port}`, 'PEER'))); })), 'from a URL': () => new Promise((resolve) => http.get(new URL(`http://u:p%40@127.0.0.1:${port}/echo`), { agent: false }, (r) => { let t = ''; r.on('data', (d) => { t += d; }); r.on('end', () => resolve(t.replace(`127.0.0.1:${port}`, 'PEER'))); })),
  },
  'an answer': {
    plain: given('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'), 'own reason': given('HTTP/1.1 299 Any thing\r\nContent-Length: 0\r\n\r\n'), 'no reason': given('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'), '1.0': given('HTTP/1.0 200 OK\r\n\r\nto the end'), 'until closed': given('HTTP/1.1 200 OK\r\n\r\nto the end'), chunked: given('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\nyou\r\n0\r\n\r\n'), trailers: given('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nhi\r\n0\r\nX-T: v\r\n\r\n'), 'no content': given('HTTP/1.1 204 No Content\r\n\r\n'), 'not modified': given('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'), redirect: given('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n'),
    headers: given('HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a\r\nset-cookie: b\r\nCookie: c\r\ncookie: d\r\nContent-Type: t\r\nContent-Type: u\r\nETag: "e"\r\nETag: "f"\r\nAge: 1\r\nAge: 2\r\nVary: a\r\nVary: b\r\nContent-Length: 0\r\n\r\n'), 'odd headers': given('HTTP/1.1 200 OK\r\nA:\r\nB:   spaces   \r\nC: \xfc\r\n__proto__: x\r\nContent-Length: 0\r\n\r\n'), joined: given('HTTP/1.1 200 OK\r\nContent-Type: t\r\nContent-Type: u\r\nContent-Length: 0\r\n\r\n', { joinDuplicateHeaders: true }), head: given('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { method: 'HEAD' }), hints: given('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'), 'compressed is left so': given('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08'),
    distinct: () => new Promise((resolve) => http.get(options(raw('HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\nContent-Length: 0\r\n\r\n')), (r) => { r.resume(); resolve([r.headersDistinct, r.trailersDistinct, r.req.constructor.name, r.url, r.method, r.httpVersionMajor, r.httpVersionMinor, r.aborted]); })),
    'as bytes': () => new Promise((resolve) => http.get(options(raw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')), async (r) => { const parts = []; for await (const p of r) parts.push(p); resolve([Buffer.concat(parts), r.complete]); })), 'as text': () => new Promise((resolve) => http.get(options(raw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xc3\xbc')), (r) => { r.setEncoding('utf8'); let t = ''; r.on('data', (d) => { t += d; }); r.on('end', () => resolve(t)); })),
    upgrade: () => new Promise((resolve) => { const r = http.get(options(raw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nmore'), { headers: { Connection: 'Upgrade', Upgrade: 'x' } })); r.on('upgrade', (response, socket, head) => { socket.destroy(); resolve([response.statusCode, response.headers, head.toString()]); }); r.on('response', (x) => resolve(['response', x.statusCode])); r.on('error', resolve); }),
    'upgrade nobody waits for': given('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', { headers: { Connection: 'Upgrade', Upgrade: 'x' } }),
  },
  'an error': {
    'no answer': async () => ask('/drop'), 'refused': async () => { const [error, events] = await ask('/', { port: 1 }); return [error, events]; }, 'not HTTP': given('hello\r\n\r\n'), 'a line that is none': given('HTTP/1.1 200 OK\r\nno colon\r\n\r\n'), 'a bad length': given('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'), 'two lengths': given('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na'), 'length and chunks': given('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'), 'a bad chunk': given('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'), 'cut short': given('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi'), 'chunks cut short': given('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi'), 'a head cut short': given('HTTP/1.1 200 OK\r\nConte'), 'a bad version': given('HTTP/9.9 200 OK\r\n\r\n'), 'too much of a head': given(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20000)}\r\n\r\n`), 'a head within what is allowed': async () => { const [a] = await ask(raw(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20000)}\r\nContent-Length: 0\r\n\r\n`), { maxHeaderSize: 40000 }); return a instanceof Error ? a : a.headers.x.length; },
    'timeout': () => ask('/hang', { timeout: 20 }, undefined, (r) => r.on('timeout', () => r.destroy())), 'timeout with an error': () => ask('/hang', { timeout: 20 }, undefined, (r) => r.on('timeout', () => r.destroy(new Error('mine')))), setTimeout: () => ask('/hang', {}, undefined, (r) => r.setTimeout(20, () => r.destroy())), destroyed: () => ask('/hang', {}, undefined, (r) => setTimeout(() => r.destroy(), 10)), 'destroyed at once': () => ask('/hang', {}, undefined, (r) => r.destroy()), aborted: () => ask('/hang', {}, undefined, (r) => setTimeout(() => r.abort(), 10)), 'by a signal': () => { const c = new AbortController(); setTimeout(() => c.abort(), 10); return ask('/hang', { signal: c.signal }); }, 'by a signal before': () => ask('/hang', { signal: AbortSignal.abort() }), 'ended twice': () => made((r) => { r.end(); r.end(); return r.writableEnded; }), 'written after the end': () => ask('/hang', {}, undefined, (r) => { r.end(); r.write('x'); setTimeout(() => r.destroy(), 20); }),
    'answer destroyed': () => new Promise((resolve) => { const events = []; const r = http.get(options(raw('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi')), (response) => { response.on('error', (e) => events.push(['response', e.code, e.message])); response.on('close', () => { events.push('close'); setImmediate(() => resolve(events)); }); response.destroy(); }); r.on('error', (e) => events.push(['request', e.code])); }),
    'expecting': async () => (await ask('/continue', { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 2 } }, null, (r) => r.on('continue', () => r.end('hi'))))[0].status, 'TLS to what has none': () => new Promise((resolve) => { const r = https.get({ host: '127.0.0.1', port, path: '/drop', agent: false }, resolve); r.on('error', (e) => resolve([e.name, e.code])); setTimeout(() => r.destroy(new Error('late')), 2000).unref(); }),
  },
  'a server': { made: () => [http.createServer() instanceof http.Server, typeof http.createServer().listen, http.createServer().listening, new http.Server({}).timeout, new http.Server().keepAliveTimeout, new http.Server().headersTimeout, new http.Server().requestTimeout], 'bad options': () => caught(() => http.createServer('x')), 'a response': () => { const r = new http.ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 }); r.setHeader('a', 'b'); r.statusCode = 404; return [r.statusCode, r.getHeaders(), r.headersSent, r.writableEnded, caught(() => r.writeHead(99)), caught(() => r.writeHead(200, 'a\nb'))]; }, 'closing what is not open': () => new Promise((resolve) => http.createServer().close(resolve)) },
};
