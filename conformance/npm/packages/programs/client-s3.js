const { Readable } = require('stream');
const { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, paginateListObjectsV2, PutObjectCommand, S3Client, S3ServiceException } = require('@aws-sdk/client-s3');
const { cases } = require('./support/cases.js');
const { failed, plain, withoutMetadata } = require('./support/sdk.js');

module.exports = (server) => {
  // Credentials and region come out of the environment (NC-71).
  const s3 = new S3Client({ endpoint: server.http, forcePathStyle: true });
  const object = (Key) => ({ Bucket: 'bucket', Key });
  return cases({
    credentials: async () => {
      const { accessKeyId, secretAccessKey } = await s3.config.credentials();
      return [accessKeyId, secretAccessKey.length, await s3.config.region()];
    },
    get: async () => {
      const { Body, ...rest } = await s3.send(new GetObjectCommand(object('a b/é.txt')));
      return [await Body.transformToString(), plain(rest)];
    },
    get_bytes: async () => Buffer.from(await (await s3.send(new GetObjectCommand(object('k')))).Body.transformToByteArray()).toString('hex'),
    get_stream: async () => {
      const { Body } = await s3.send(new GetObjectCommand(object('large.bin')));
      let length = 0;
      for await (const part of Body) length += part.length;
      return [Body instanceof Readable, length];
    },
    get_web_stream: async () => {
      const { Body } = await s3.send(new GetObjectCommand(object('k')));
      let text = '';
      for await (const part of Body.transformToWebStream()) text += Buffer.from(part);
      return text;
    },
    range: async () => {
      const r = await s3.send(new GetObjectCommand({ ...object('k'), Range: 'bytes=0-4' }));
      return [r.ContentRange, await r.Body.transformToString()];
    },
    head: async () => withoutMetadata(await s3.send(new HeadObjectCommand(object('k')))),
    put_string: async () => withoutMetadata(await s3.send(new PutObjectCommand({ ...object('k'), Body: 'text é', ContentType: 'text/plain', Metadata: { author: 'ana' } }))),
    put_buffer: async () => withoutMetadata(await s3.send(new PutObjectCommand({ ...object('k'), Body: Buffer.from([0, 1, 2, 255]), CacheControl: 'max-age=60' }))),
    put_stream: async () => withoutMetadata(await s3.send(new PutObjectCommand({ ...object('k'), Body: Readable.from([Buffer.from('in '), Buffer.from('parts')]), ContentLength: 8 }))),
    put_large: async () => withoutMetadata(await s3.send(new PutObjectCommand({ ...object('k'), Body: Buffer.alloc(3 * 1024 * 1024, 'x') }))),
    delete: async () => withoutMetadata(await s3.send(new DeleteObjectCommand(object('k')))),
    list: async () => withoutMetadata(await s3.send(new ListObjectsV2Command({ Bucket: 'bucket', Prefix: 'a/' }))),
    pages: async () => {
      const keys = [];
      for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: 'bucket', Prefix: 'a/' })) keys.push(...page.Contents.map((o) => o.Key));
      return keys;
    },
    missing: async () => {
      const error = await s3.send(new GetObjectCommand(object('missing.txt'))).catch((e) => e);
      return [error instanceof S3ServiceException, failed(error)];
    },
    denied: async () => failed(await s3.send(new GetObjectCommand(object('secret.txt'))).catch((e) => e)),
    retried: async () => {
      const r = await s3.send(new GetObjectCommand(object('flaky.txt')));
      return [await r.Body.transformToString(), r.$metadata.attempts];
    },
    aborted: async () => {
      const abort = new AbortController();
      abort.abort();
      return failed(await s3.send(new GetObjectCommand(object('k')), { abortSignal: abort.signal }).catch((e) => e));
    },
    refused: async () => {
      const nobody = new S3Client({ endpoint: 'http://127.0.0.1:1', forcePathStyle: true, maxAttempts: 1 });
      return failed(await nobody.send(new GetObjectCommand(object('k'))).catch((e) => e));
    },
    callback: () => new Promise((done) => s3.send(new HeadObjectCommand(object('k')), (error, r) => done([error ?? null, r.ContentLength]))),
    middleware: async () => {
      const own = new S3Client({ endpoint: server.http, forcePathStyle: true });
      own.middlewareStack.add((next) => async (args) => {
        args.request.headers['x-own'] = 'added';
        return next(args);
      }, { step: 'build' });
      return (await own.send(new HeadObjectCommand(object('k')))).ETag;
    },
    destroyed: () => s3.destroy() ?? null,
  });
};
