const { Readable, Writable } = require('stream');
const request = require('request');
const { cases, told } = require('./support/cases.js');

module.exports = (server) => {
  const ask = (options) => new Promise((done) => request({ baseUrl: server.http, ...options }, (error, response, body) => done(error
    ? { failed: told(error), connect: error.connect }
    : { status: response.statusCode, body, type: response.headers['content-type'] })));
  return cases({
    get: () => ask({ url: '/echo', qs: { a: 1, b: ['x', 'y'], c: { d: 'e' } } }),
    json: () => ask({ url: '/echo', json: true, headers: { 'X-Own': 'v' } }),
    post_json: () => ask({ url: '/echo', method: 'POST', json: { a: 'é' } }),
    form: () => ask({ url: '/echo', method: 'POST', form: { a: 'x y', b: [1, 2] }, json: true }),
    multipart: async () => {
      const { status, body } = await ask({ url: '/echo', method: 'POST', formData: { a: '1', file: { value: Buffer.from('inside'), options: { filename: 'a.txt', contentType: 'text/plain' } } }, json: true });
      return [status, body.headers['content-type'].split(';')[0], body.body.split('\r\n').filter((l) => !l.startsWith('--'))];
    },
    auth: async () => (await ask({ url: '/echo', auth: { user: 'ana', pass: 'p' }, json: true })).body.headers.authorization,
    bearer: async () => (await ask({ url: '/echo', auth: { bearer: 'token' }, json: true })).body.headers.authorization,
    redirects: () => ask({ url: '/redirect/302/2', json: true }),
    post_redirect: () => ask({ url: '/redirect/302/1', method: 'POST', followAllRedirects: true, json: { a: 1 } }),
    not_followed: () => ask({ url: '/redirect/302/1', followRedirect: false }),
    too_many: () => ask({ url: '/loop', maxRedirects: 2 }),
    gzip: () => ask({ url: '/gzip', gzip: true, json: true }),
    bytes: async () => {
      const { body } = await ask({ url: '/gzip', encoding: null });
      return body.toString('hex');
    },
    not_found: () => ask({ url: '/status/404', json: true }),
    timeout: () => ask({ url: '/never', timeout: 50 }),
    refused: () => ask({ baseUrl: undefined, url: 'http://127.0.0.1:1/' }),
    bad_url: () => {
      try {
        request('nowhere');
      } catch (error) {
        return told(error);
      }
      return 'accepted';
    },
    jar: async () => {
      const jar = request.jar();
      await ask({ url: '/cookies', jar });
      return [jar.getCookieString(server.http), (await ask({ url: '/echo', jar, json: true })).body.headers.cookie];
    },
    piped: () => new Promise((done, fail) => {
      let length = 0;
      request(`${server.http}/large`).on('error', fail).pipe(new Writable({
        write(part, _, next) {
          length += part.length;
          next();
        },
      })).on('finish', () => done(length));
    }),
    piped_up: () => new Promise((done, fail) => {
      Readable.from(['in ', 'parts']).pipe(request.post({ url: `${server.http}/echo`, json: true }, (e, _, body) => e ? fail(e) : done(body)));
    }),
    defaults: () => new Promise((done, fail) => {
      request.defaults({ headers: { 'X-Own': 'default' }, json: true })(`${server.http}/echo`, (e, _, body) => e ? fail(e) : done(body.headers['x-own']));
    }),
    https: () => ask({ baseUrl: server.https, url: '/echo', ca: server.ca, json: true }),
    untrusted: async () => (await ask({ baseUrl: server.https, url: '/echo' })).failed.code,
    time: () => new Promise((done, fail) => {
      request({ url: `${server.http}/text`, time: true }, (e, r) => e ? fail(e) : done([typeof r.elapsedTime, Object.keys(r.timingPhases ?? {})]));
    }),
    head: () => new Promise((done, fail) => request.head(`${server.http}/echo`, (e, r, body) => e ? fail(e) : done([r.statusCode, r.headers['x-answer'], body]))),
    form_of: () => new Promise((done, fail) => {
      const sent = request.post(`${server.http}/echo`, (e, r, body) => e ? fail(e) : done(JSON.parse(body).body.includes('x y')));
      sent.form({ a: 'b' });
      sent.body = 'a=x y';
      sent.setHeader('content-length', 5);
    }),
  });
};
