const { http, https, wrap } = require('follow-redirects');
const nodeHttp = require('http');
const { cases, told, text } = require('./support/cases.js');

const ask = (client, url, options, body) => new Promise((done) => {
  const request = client.request(url, options ?? {}, async (response) => {
    done({
      status: response.statusCode,
      url: response.responseUrl,
      redirects: response.redirects.map((r) => [r.statusCode, r.url]),
      body: await text(response),
    });
  });
  request.on('error', (error) => done({ failed: told(error) }));
  request.end(body);
});

module.exports = (server) => cases({
  get: () => ask(http, `${server.http}/redirect/301/3`),
  tracked: () => ask(http, `${server.http}/redirect/302/2`, { trackRedirects: true }),
  post_303: () => ask(http, `${server.http}/redirect/303/1`, { method: 'POST', headers: { 'Content-Type': 'text/plain' } }, 'body'),
  post_308: () => ask(http, `${server.http}/redirect/308/1`, { method: 'POST', headers: { 'Content-Type': 'text/plain' } }, 'body'),
  put_302: () => ask(http, `${server.http}/redirect/302/1`, { method: 'PUT' }, 'body'),
  too_many: () => ask(http, `${server.http}/loop`, { maxRedirects: 4 }),
  not_followed: () => ask(http, `${server.http}/redirect/302/1`, { followRedirects: false }),
  before: () => ask(http, `${server.http}/redirect/302/1`, { beforeRedirect: (options) => { options.headers['X-Before'] = 'yes'; } }),
  stopped: () => ask(http, `${server.http}/redirect/302/1`, { beforeRedirect: () => { throw new Error('stop here'); } }),
  too_large: () => ask(http, `${server.http}/redirect/307/1`, { method: 'POST', maxBodyLength: 3 }, 'long body'),
  https: () => ask(https, `${server.https}/redirect/302/1`, { ca: server.ca }),
  timeout: () => new Promise((done) => {
    const request = http.get(`${server.http}/never`, { timeout: 50 });
    request.on('timeout', () => {
      done('timeout');
      request.destroy();
    });
    request.on('error', () => {});
  }),
  events: () => new Promise((done) => {
    const seen = [];
    const request = http.get(`${server.http}/redirect/302/2`);
    request.on('redirect', (r, next) => seen.push([r.statusCode, next.path]));
    request.on('socket', () => seen.push('socket'));
    request.on('response', (r) => {
      r.resume().on('end', () => done(seen));
    });
  }),
  wrapped: () => ask(wrap({ http: nodeHttp }).http, `${server.http}/redirect/302/1`),
  url_object: () => ask(http, new URL(`${server.http}/redirect/302/1?a=b`)),
  bad_url: () => ask(http, 'http://'.concat('nowhere.invalid/')),
});
