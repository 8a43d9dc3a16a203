// What both versions of axios must do.

const https = require('https');
const http = require('http');
const { Readable } = require('stream');
const { cases, failing, text } = require('./cases.js');

module.exports = (axios, server) => {
  const client = axios.create({ baseURL: server.http, headers: { 'X-Own': 'v' } });
  const answer = (r) => ({ status: r.status, statusText: r.statusText, data: r.data, type: r.headers['content-type'] });
  const failed = async (run) => {
    let caught;
    try {
      await run();
    } catch (error) {
      caught = error;
    }
    if (!axios.isAxiosError(caught)) throw caught ?? new Error('expected a failure');
    return { code: caught.code, message: caught.message, status: caught.response?.status, data: caught.response?.data, url: caught.config?.url };
  };
  return cases({
    get: async () => answer(await client.get('/echo', { params: { a: 1, b: ['x', 'y'], c: 'é &' } })),
    post_json: async () => answer(await client.post('/echo', { name: 'é', n: [1, 2] })),
    post_form: async () => answer(await client.post('/echo', new URLSearchParams({ a: '1', b: 'x y' }))),
    put_buffer: async () => answer(await client.put('/echo', Buffer.from('bytes'), { headers: { 'Content-Type': 'application/octet-stream' } })),
    post_stream: async () => answer(await client.post('/echo', Readable.from([Buffer.from('in '), Buffer.from('parts')]))),
    delete: async () => (await client.delete('/echo')).data.method,
    head: async () => (await client.head('/echo')).headers['x-answer'],
    basic: async () => (await client.get('/echo', { auth: { username: 'ana', password: 'pä:ss' } })).data.headers.authorization,
    text: async () => (await client.get('/text')).data,
    gzip: async () => {
      const { data, headers } = await client.get('/gzip');
      return [data, headers['content-encoding'] ?? null];
    },
    raw: async () => (await client.get('/gzip', { decompress: false, responseType: 'arraybuffer' })).data.toString('hex'),
    arraybuffer: async () => {
      const { data } = await client.get('/text', { responseType: 'arraybuffer' });
      return [Buffer.isBuffer(data), data.length];
    },
    stream: async () => (await text((await client.get('/large', { responseType: 'stream' })).data)).length,
    redirects: async () => {
      const r = await client.get('/redirect/302/3');
      return [r.data.query, r.request.res.responseUrl];
    },
    redirect_of_post: async () => (await client.post('/redirect/302/1', { a: 1 })).data,
    redirect_keeps: async () => (await client.post('/redirect/307/1', { a: 1 })).data,
    no_redirects: () => failed(() => client.get('/redirect/302/1', { maxRedirects: 0 })),
    too_many: () => failed(() => client.get('/loop', { maxRedirects: 3 })),
    not_found: () => failed(() => client.get('/status/404')),
    accepted: async () => (await client.get('/status/404', { validateStatus: null })).status,
    timeout: () => failed(() => client.get('/never', { timeout: 50 })),
    cancelled: async () => {
      const source = axios.CancelToken.source();
      const asked = client.get('/never', { cancelToken: source.token });
      setTimeout(() => source.cancel('enough'), 20);
      try {
        await asked;
      } catch (error) {
        return [axios.isCancel(error), error.message];
      }
      throw new Error('expected to be cancelled');
    },
    refused: async () => {
      const failure = await failed(() => axios.get('http://127.0.0.1:1/'));
      return [failure.code, failure.message];
    },
    too_large: () => failed(() => client.get('/large', { maxContentLength: 100 })),
    body_too_large: () => failed(() => client.post('/echo', 'x'.repeat(100), { maxBodyLength: 10 })),
    interceptors: async () => {
      const own = axios.create({ baseURL: server.http });
      own.interceptors.request.use((config) => {
        config.headers['X-Added'] = 'yes';
        return config;
      });
      own.interceptors.response.use((r) => ({ ...r, data: r.data.headers['x-added'] }));
      return (await own.get('/echo')).data;
    },
    transform: async () => (await client.get('/text', { transformResponse: [(data) => data.length] })).data,
    retried: async () => {
      for (let i = 0; ; i++) {
        try {
          return [i, (await client.get('/flaky/axios')).data];
        } catch (error) {
          if (i === 3 || error.response?.status !== 503) throw error;
        }
      }
    },
    together: async () => (await axios.all([1, 2, 3].map(() => client.get('/text')))).map((r) => r.status),
    kept_alive: async () => {
      const httpAgent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const many = await Promise.all([1, 2, 3].map(() => client.get('/text', { httpAgent })));
      const again = await client.get('/text', { httpAgent });
      const reused = again.request.reusedSocket ?? again.request._currentRequest?.reusedSocket;
      httpAgent.destroy();
      return [many.length, reused];
    },
    https: async () => (await axios.get(`${server.https}/echo`, { httpsAgent: new https.Agent({ ca: server.ca }) })).data.method,
    untrusted: async () => (await failed(() => axios.get(`${server.https}/echo`))).code,
    uri: () => axios.getUri({ url: '/a', params: { d: new Date(0), o: { x: 1 }, n: null, l: [1, 2] } }),
    cookies: async () => (await client.get('/cookies')).headers['set-cookie'],
    options: async () => (await axios({ method: 'patch', url: `${server.http}/echo`, data: 'text', headers: { 'content-type': 'text/plain' } })).data,
  });
};
