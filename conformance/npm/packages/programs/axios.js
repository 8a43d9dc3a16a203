const { cases, failing } = require('./support/cases.js');

module.exports = async (server) => {
  const axios = require('axios');
  const both = await require('./support/axios.js')(axios, server);
  const own = await cases({
    abort: async () => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 20);
      const { name, code, message } = await failing(() => axios.get(`${server.http}/never`, { signal: abort.signal }));
      return { name, code, message };
    },
    form_data: async () => {
      const { data } = await axios.postForm(`${server.http}/echo`, { a: '1', file: Buffer.from('inside') });
      return [data.headers['content-type'].split(';')[0], data.body.includes('inside'), data.body.split('\r\n').filter((l) => l.startsWith('Content-'))];
    },
    blob_refused: () => failing(() => axios.postForm(`${server.http}/echo`, { file: new Blob(['inside']) })),
    fetch_adapter: async () => (await axios.get(`${server.http}/echo`, { adapter: 'fetch', params: { a: 1 } })).data.query,
    fetch_stream: async () => {
      const { data } = await axios.get(`${server.http}/large`, { adapter: 'fetch', responseType: 'stream' });
      let length = 0;
      for await (const part of data) length += part.length;
      return length;
    },
    headers_class: () => new axios.AxiosHeaders({ 'content-type': 'a', 'X-B': ['1', '2'] }).toJSON(),
    to_form: () => axios.toFormData({ a: { b: 1 }, c: [1, 2] }, new URLSearchParams()).toString(),
    progress: async () => {
      let loaded = 0;
      await axios.get(`${server.http}/large`, { onDownloadProgress: (e) => { loaded = e.loaded; } });
      return loaded > 0;
    },
    error_json: async () => {
      const error = await axios.get(`${server.http}/status/500`).catch((e) => e);
      return [error.name, error.code, error.status, error instanceof axios.AxiosError, Object.keys(error.toJSON())];
    },
    imported: async () => {
      const module = await import('axios');
      return [typeof module.default.get, typeof module.AxiosError, Object.keys(module).length];
    },
  });
  return { ...both, ...own };
};
